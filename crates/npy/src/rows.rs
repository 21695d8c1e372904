//! `npy rows`: some of the rows, by index, by id, or by what a stimulus table says of them.

use crate::blocks::{BLOCK_BYTES, dtype_of, write};
use crate::ids;
use crate::list::List;
use anyhow::{Context, Result, bail};
use array_inputs::{Next, Whole, each_array, read_levels, read_table};
use cli::{Common, Input, Job, Output, Shard};
use ndarray::{Array2, ArrayView2};
use npy_stream::{Block, Float, Incoming, Labels, Matrix, RowWriter, write_matrix};
use std::collections::{HashMap, HashSet};
use stimulus_table::Condition;

/// Keep rows: by index or range, by id, or by a column of a stimulus table
#[derive(Debug, clap::Args)]
#[command(after_help = "\
LIST is indices and half-open ranges from 0: 0,5,10:20 is 0, 5 and 10 to 19. The rows come in the
order asked for, with --where in the order of the matrix. An id picks all its presentations; a table
with one row per presentation (runs, halves) picks each of them: its k-th row of an id speaks of the
k-th row of that id.

Examples:
  npy rows --index 0:10 acts.npy > first.npy
  npy rows --ids ids.txt acts.npy > some.npy
  npy rows --stimuli stimuli.csv --where category=face acts.npy > faces.npy")]
#[command(group = clap::ArgGroup::new("which").required(true).args(["index", "ids", "stimuli", "shard"]))]
pub(crate) struct Rows {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    inputs: Vec<Input>,
    /// Rows by index
    #[arg(long, value_name = "LIST")]
    index: Option<List>,
    /// Rows by id: a text file, one id per line, or a stimulus table (.csv, .tsv)
    #[arg(long, value_name = "FILE")]
    ids: Option<Input>,
    /// Rows of the stimuli that --where picks from this table
    #[arg(long, value_name = "TABLE", requires = "conditions")]
    stimuli: Option<Input>,
    /// COLUMN=VALUE[,VALUE...], a value with a comma alone and in quotes; given again, all must hold
    #[arg(long = "where", id = "conditions", value_name = "COLUMN=VALUES", requires = "stimuli")]
    conditions: Vec<Condition>,
    /// Part I of N (from 0: 0/8 to 7/8), or `slurm` for this task's part of the job array
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    #[command(flatten)]
    common: Common,
}

/// Which rows are wanted, before anything is known of the matrix.
enum Wanted {
    Index(List),
    Ids(Vec<String>),
    /// The rows of a table that meet a condition: the rows keep the order of the matrix.
    Among(Chosen, String),
    Shard(Shard),
}

impl Wanted {
    fn plan(job: &Job, args: &Rows) -> Result<Wanted> {
        if let Some(list) = &args.index {
            return Ok(Wanted::Index(list.clone()));
        }
        if let Some(file) = &args.ids {
            let list = ids::of_file(job, file)?;
            let mut seen = HashSet::new();
            if let Some(twice) = list.iter().find(|id| !seen.insert(id.as_str())) {
                bail!(
                    "{file}: {twice:?} stands in it more than once ({} ids); an id picks all its presentations",
                    list.len()
                );
            }
            return Ok(Wanted::Ids(list));
        }
        if let Some(table) = &args.stimuli {
            let conditions: Vec<String> = args.conditions.iter().map(Condition::to_string).collect();
            let chosen = chosen(job, table, &args.conditions).with_context(|| table.to_string())?;
            return Ok(Wanted::Among(chosen, conditions.join(" and ")));
        }
        match args.shard {
            Some(shard) => Ok(Wanted::Shard(shard)),
            None => bail!("one of --index, --ids, --stimuli, --shard is needed"),
        }
    }

    fn rows(&self, n_rows: usize, labels: Option<&[String]>) -> Result<Vec<usize>> {
        let labels =
            || labels.with_context(|| format!("{n_rows} rows and 0 ids; write them with `npy label`, or use --index"));
        Ok(match self {
            Wanted::Shard(shard) => shard.range(n_rows).collect(),
            Wanted::Index(list) => {
                let rows = list.of(n_rows);
                if let Some(row) = rows.iter().find(|&&r| r >= n_rows) {
                    bail!("row {row} is asked for, but there are {n_rows} (0 to {})", n_rows.saturating_sub(1));
                }
                rows
            }
            Wanted::Ids(ids) => {
                let mut by_id: HashMap<&str, Vec<usize>> = HashMap::new();
                labels()?.iter().enumerate().for_each(|(row, id)| by_id.entry(id).or_default().push(row));
                let mut rows = Vec::new();
                for (i, id) in ids.iter().enumerate() {
                    match by_id.get(id.as_str()) {
                        Some(of_id) => rows.extend(of_id),
                        None => bail!("id {i} ({id:?}) of {} wanted ones is in none of {n_rows} rows", ids.len()),
                    }
                }
                rows
            }
            Wanted::Among(chosen, condition) => {
                let labels = labels()?;
                let there: HashSet<&String> = labels.iter().collect();
                let rows = chosen.rows(labels)?;
                if rows.is_empty() {
                    bail!("0 of {n_rows} rows belong to the {} stimuli with {condition}", chosen.n_ids());
                }
                if let Some(id) = chosen.ids().filter(|id| !there.contains(id)).min() {
                    bail!("{} stimuli have {condition}, but {id:?} is in none of {n_rows} rows", chosen.n_ids());
                }
                rows
            }
        })
    }
}

/// For every id of a table, whether the conditions hold in each of its rows.
struct Chosen {
    of_id: HashMap<String, Vec<bool>>,
    /// Whether an id has several rows: then each row is a presentation.
    of_trials: bool,
}

impl Chosen {
    /// The ids with a row in which the conditions hold.
    fn ids(&self) -> impl Iterator<Item = &String> {
        self.of_id.iter().filter(|(_, keep)| keep.contains(&true)).map(|(id, _)| id)
    }

    fn n_ids(&self) -> usize {
        self.ids().count()
    }

    /// The rows of a matrix in which they hold. A table with one row per id speaks for all presentations; in one of
    /// presentations the k-th row of an id speaks for the k-th, and there must be as many.
    fn rows(&self, labels: &[String]) -> Result<Vec<usize>> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        labels.iter().for_each(|id| *counts.entry(id).or_default() += 1);
        let mut taken: HashMap<&str, usize> = HashMap::new();
        let mut rows = Vec::new();
        for (row, id) in labels.iter().enumerate() {
            let Some(keep) = self.of_id.get(id) else { continue };
            let count = counts[id.as_str()];
            if self.of_trials && keep.len() != count {
                bail!(
                    "stimulus {id:?} occurs {count} times in the matrix and {} times in the table; the table needs one \
                     row per stimulus or one per presentation",
                    keep.len()
                );
            }
            let k = taken.entry(id).or_default();
            if keep[*k % keep.len()] {
                rows.push(row);
            }
            *k += 1;
        }
        Ok(rows)
    }
}

/// The stimuli, or presentations, for which every condition holds.
fn chosen(job: &Job, source: &Input, conditions: &[Condition]) -> Result<Chosen> {
    let table = read_table(job, source)?;
    let ids = table.ids()?.1;
    let mut keep = vec![true; table.n_rows()];
    for condition in conditions {
        let cells = read_levels(job, &table, &source.to_string(), &condition.column)?;
        if let Some(unknown) = condition.unknown_among(&cells) {
            bail!("--where \"{condition}\": {unknown}");
        }
        keep.iter_mut().zip(&cells).for_each(|(keep, cell)| *keep &= condition.holds(cell));
    }
    if !keep.contains(&true) {
        let all: Vec<String> = conditions.iter().map(Condition::to_string).collect();
        bail!("0 of {} stimuli have {}", table.n_rows(), all.join(" and "));
    }
    let mut chosen: HashMap<String, Vec<bool>> = HashMap::new();
    ids.iter().zip(keep).for_each(|(id, keep)| chosen.entry(id.clone()).or_default().push(keep));
    let of_trials = chosen.values().any(|keep| keep.len() > 1);
    Ok(Chosen { of_id: chosen, of_trials })
}

pub(crate) fn run(args: &Rows) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let wanted = Wanted::plan(&job, args)?;
    let mut out = job.binary_output(args.common.output.as_deref())?;
    each_array(&job, &args.inputs, |Next { source, array, .. }| {
        let (n_kept, n_rows) = keep(&job, &wanted, array, &mut out).with_context(|| source.clone())?;
        job.note(format!("{source}: kept {n_kept} of {n_rows} rows"));
        Ok(())
    })?;
    out.commit(&job)
}

/// Writes the wanted rows of an array; says how many of how many they are.
fn keep(job: &Job, wanted: &Wanted, mut array: Incoming, out: &mut Output) -> Result<(usize, usize)> {
    let (n_rows, n_columns) = array.matrix_shape()?;
    if let Wanted::Shard(shard) = wanted {
        job.record("shard", shard.record(n_rows));
    }
    let of_rows = |labels: Labels, rows: &[usize]| -> Labels {
        let ids = labels.ids.as_ref().map(|ids| rows.iter().map(|&row| ids[row].clone()).collect());
        Labels { ids, ..labels }
    };
    // Rows by their position can pass from a pipe, of which only they are held; ids come behind the rows there.
    if let (true, Wanted::Index(_) | Wanted::Shard(_)) = (array.parts().is_none(), wanted) {
        let rows = wanted.rows(n_rows, None)?;
        let picked = gather(&mut array, &rows, n_columns)?;
        write_matrix(out, &picked, &of_rows(array.finish()?, &rows))?;
        return Ok((rows.len(), n_rows));
    }
    let dtype = dtype_of(&array);
    let (whole, labels) = Whole::take(array, "the array")?;
    let rows = wanted.rows(n_rows, labels.ids.as_deref())?;
    let mut writer = RowWriter::new(out, rows.len(), n_columns, dtype)?;
    whole.rows(&rows, |_, block| Ok(write(&mut writer, block)?))?;
    writer.finish(&of_rows(labels, &rows))?;
    Ok((rows.len(), n_rows))
}

/// The wanted rows out of a pass over all rows, in the wanted order.
fn gather(array: &mut Incoming, rows: &[usize], n_columns: usize) -> Result<Matrix> {
    let mut places: HashMap<usize, Vec<usize>> = HashMap::new();
    rows.iter().enumerate().for_each(|(place, &row)| places.entry(row).or_default().push(place));
    fn keep<T: Float>(
        block: ArrayView2<'_, T>,
        first: usize,
        places: &HashMap<usize, Vec<usize>>,
        into: &mut Array2<T>,
    ) {
        for (i, row) in block.rows().into_iter().enumerate() {
            for &place in places.get(&(first + i)).into_iter().flatten() {
                into.row_mut(place).assign(&row);
            }
        }
    }
    let shape = (rows.len(), n_columns);
    let mut kept = match array.kind().is_double() {
        true => Matrix::F8(Array2::zeros(shape)),
        false => Matrix::F4(Array2::zeros(shape)),
    };
    let mut first = 0;
    let block_rows = array.rows_within(BLOCK_BYTES);
    while let Some(block) = array.next_rows(block_rows)? {
        match (block, &mut kept) {
            (Block::F4(b), Matrix::F4(into)) => keep(b, first, &places, into),
            (Block::F8(b), Matrix::F8(into)) => keep(b, first, &places, into),
            _ => unreachable!("blocks have the width of their array"),
        }
        first += block.n_rows();
    }
    Ok(kept)
}
