//! The table of subjects: which map is whose, of which group, of which pair, and with which covariates.

use anyhow::{Context, Result, bail};
use array_inputs::{JoinArgs, read_levels, read_table, require_unique};
use brain_maps::GroupModel;
use cli::{Input, Job};
use localizer::{Contrast, Versus};
use ndarray::{Array2, Axis};
use stimulus_table::{Side, Table};

use super::GroupArgs;
use crate::subject_maps::SubjectMaps;

/// Column of the table that names the maps.
const MAP: &str = "map";

/// What is tested: rows that are differences already where pairs are.
pub(super) struct Tested {
    pub model: GroupModel,
    /// Rows are maps, or differences of two.
    pub maps: Array2<f64>,
    /// In words, for the record: "two-sample t: patients > controls".
    pub test: String,
    /// Whether nothing but the mean of the maps is tested.
    pub plain_mean: bool,
}

/// The table, joined with the maps: row i is map i.
struct Joined {
    name: String,
    table: Table,
    /// Row of the table of each map.
    rows: Vec<usize>,
}

/// Chooses and orders the maps as the options say.
pub(super) fn tested(
    job: &Job,
    args: &GroupArgs,
    join: JoinArgs,
    read: &SubjectMaps,
    maps: Array2<f64>,
) -> Result<Tested> {
    let Some(input) = &args.subjects else {
        let model = GroupModel::one_sample(maps.nrows(), &[]).with_context(|| read.name.clone())?;
        return Ok(Tested { model, maps, test: "one-sample t".into(), plain_mean: true });
    };
    let (joined, maps) = join_maps(job, input, join, read, maps)?;
    let covariates = joined.covariates(&args.covariates)?;
    let column = args.group.as_deref().unwrap_or("group");
    let beside = match args.covariates.as_slice() {
        [] => String::new(),
        names => format!(", covariates {}", names.join(", ")),
    };
    let in_table = || joined.name.clone();
    let pick = |rows: &[usize]| -> Vec<Vec<f64>> {
        covariates.iter().map(|values| rows.iter().map(|&row| values[row]).collect()).collect()
    };
    if let Some(contrast) = &args.two_sample {
        let groups = joined.groups(job, contrast, column)?;
        let rows: Vec<usize> = (0..groups.len()).filter(|&row| groups[row].is_some()).collect();
        let first: Vec<bool> = rows.iter().map(|&row| groups[row] == Some(0)).collect();
        let n_out = groups.len() - rows.len();
        if n_out > 0 {
            job.note(format!("{}: {n_out} of {} maps are in neither group; left out", joined.name, groups.len()));
        }
        let model = GroupModel::two_sample(&first, &pick(&rows)).with_context(in_table)?;
        let maps = maps.select(Axis(0), &rows);
        return Ok(Tested { model, maps, test: format!("two-sample t: {contrast}{beside}"), plain_mean: false });
    }
    if let Some(contrast) = &args.paired {
        let pairs = joined.pairs(job, contrast, column, args.pair.as_deref().unwrap_or("subject"))?;
        for (name, values) in args.covariates.iter().zip(&covariates) {
            if let Some([a, b]) = pairs.iter().find(|[a, b]| values[*a] != values[*b]) {
                bail!(
                    "{}: column {name:?} is {} and {} in the two rows of a pair (rows {} and {}, from 0); a covariate of \
                     differences is one number per pair",
                    joined.name,
                    values[*a],
                    values[*b],
                    joined.rows[*a],
                    joined.rows[*b]
                );
            }
        }
        let [first, second] = [0, 1].map(|side| pairs.iter().map(|pair| pair[side]).collect::<Vec<usize>>());
        let differences = maps.select(Axis(0), &first) - maps.select(Axis(0), &second);
        let model = GroupModel::one_sample(pairs.len(), &pick(&first)).with_context(in_table)?;
        let plain_mean = covariates.is_empty();
        return Ok(Tested { model, maps: differences, test: format!("paired t: {contrast}{beside}"), plain_mean });
    }
    if covariates.is_empty() {
        bail!(
            "{}: a one-sample test takes nothing from --subjects but --covariates; name them, or leave it out",
            input
        );
    }
    let model = GroupModel::one_sample(maps.nrows(), &covariates).with_context(in_table)?;
    Ok(Tested { model, maps, test: format!("one-sample t{beside}"), plain_mean: false })
}

fn join_maps(
    job: &Job,
    input: &Input,
    join: JoinArgs,
    read: &SubjectMaps,
    maps: Array2<f64>,
) -> Result<(Joined, Array2<f64>)> {
    let name = input.to_string();
    let table = read_table(job, input)?;
    let typed_paths = read.ids.as_ref().is_some_and(|ids| ids.iter().any(|id| id.contains('/')));
    let ids: Option<Vec<String>> = match table.has(MAP) {
        true => {
            let ids = table.ids_in(MAP).with_context(|| name.clone())?.iter().map(|id| id.trim());
            let last = |id: &str| id.rsplit('/').next().unwrap_or(id).to_owned();
            Some(ids.map(|id| if typed_paths { id.to_owned() } else { last(id) }).collect())
        }
        false if join.assume_order => None,
        false => bail!(
            "{name}: the columns are {}; column {MAP:?} names the maps (file names, or ids of rows); say --assume-order \
             where row i is map i",
            table.names().join(", ")
        ),
    };
    let left = Side { name: &read.name, labels: read.ids.as_deref().filter(|_| ids.is_some()), n_rows: read.n_maps };
    let right = Side { name: &name, labels: ids.as_deref(), n_rows: table.n_rows() };
    require_unique(left)?;
    require_unique(right)?;
    let found = join.join(job, left, right)?;
    let maps = if found.left.iter().copied().eq(0..maps.nrows()) { maps } else { maps.select(Axis(0), &found.left) };
    Ok((Joined { name, table, rows: found.right }, maps))
}

impl Joined {
    /// One list of numbers per covariate, in the order of the maps.
    fn covariates(&self, names: &[String]) -> Result<Vec<Vec<f64>>> {
        let of = |name: &String| {
            let numbers = self.table.numbers(name).with_context(|| self.name.clone())?;
            let values: Vec<f64> = self.rows.iter().map(|&row| numbers[row]).collect();
            match values.iter().position(|v| !v.is_finite()) {
                Some(map) => bail!(
                    "{}: column {name:?} has no finite number in row {} (from 0); leave that map out, or the covariate",
                    self.name,
                    self.rows[map]
                ),
                None => Ok(values),
            }
        };
        names.iter().map(of).collect()
    }

    /// Group of each map: 0 for the left side of the contrast, 1 for the right.
    fn groups(&self, job: &Job, contrast: &Contrast, column: &str) -> Result<Vec<Option<usize>>> {
        let levels = read_levels(job, &self.table, &self.name, column)?;
        let levels: Vec<&String> = self.rows.iter().map(|&row| &levels[row]).collect();
        let context = || format!("{}: column {column:?}", self.name);
        let groups = contrast.resolve(&levels, Versus::Pooled).with_context(context)?;
        if groups.weights.is_some() {
            bail!("contrast \"{contrast}\" has weights; two groups are written 'patients > controls'");
        }
        Ok(groups.group_of_row)
    }

    /// The two maps of each pair, in order of the first map of the pair.
    fn pairs(&self, job: &Job, contrast: &Contrast, column: &str, pair: &str) -> Result<Vec<[usize; 2]>> {
        let groups = self.groups(job, contrast, column)?;
        let of_row = self.table.ids_in(pair).with_context(|| self.name.clone())?;
        let mut found: Vec<(&str, [Vec<usize>; 2])> = Vec::new();
        for (map, group) in groups.iter().enumerate() {
            let (Some(group), name) = (group, of_row[self.rows[map]].trim()) else { continue };
            let place = found.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                found.push((name, [Vec::new(), Vec::new()]));
                found.len() - 1
            });
            found[place].1[*group].push(map);
        }
        let one_each = |(name, [a, b]): (&str, [Vec<usize>; 2])| match (a.as_slice(), b.as_slice()) {
            ([a], [b]) => Ok([*a, *b]),
            _ => bail!(
                "{}: {pair} {name:?} has {} maps left of the \">\" of \"{contrast}\" and {} right of it; a pair is one of \
                 each",
                self.name,
                a.len(),
                b.len()
            ),
        };
        found.into_iter().map(one_each).collect()
    }
}
