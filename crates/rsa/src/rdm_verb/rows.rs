//! Which stimulus, fold and run the rows of a matrix are.

use super::args::RdmArgs;
use super::plan::Plan;
use anyhow::{Context, Result, bail};
use array_inputs::{read_levels, read_table};
use cli::Job;
use std::collections::HashMap;
use stimulus_table::{Side, Table, join};

/// The table of `--stimuli`, read once.
pub(super) struct Annotations {
    name: String,
    table: Table,
}

impl Annotations {
    pub fn read(job: &Job, args: &RdmArgs) -> Result<Option<Annotations>> {
        let Some(input) = &args.stimuli else { return Ok(None) };
        let read = Annotations { name: input.to_string(), table: read_table(job, input)? };
        // A column that is not there is an error before any matrix is read.
        read.table.ids().with_context(|| read.name.clone())?;
        for column in [&args.by, &args.cv, &args.exclude_same].into_iter().flatten() {
            read_levels(job, &read.table, &read.name, column)?;
        }
        Ok(Some(read))
    }
}

/// What the rows of a matrix are, as numbers from 0 in the order in which each first occurs.
pub(super) struct Rows {
    /// The rows that are used; all of them, in their order, unless `--inner` leaves some out.
    pub used: Vec<usize>,
    /// The stimulus of each used row.
    pub stimulus: Vec<usize>,
    /// The row of the RDM of each used row: its stimulus, or its value in the column of `--by`.
    pub condition: Vec<usize>,
    /// Names of the conditions; `None` for rows without ids.
    pub names: Option<Vec<String>>,
    /// The fold of each used row.
    pub fold: Option<Vec<usize>>,
    /// What the folds are called, where a column says so.
    pub fold_names: Option<Vec<String>>,
    /// The value of `--exclude-same` of each used row.
    pub group: Option<Vec<usize>>,
}

impl Rows {
    /// Joins the rows with the table by id.
    pub fn new(job: &Job, args: &RdmArgs, plan: &Plan, annotations: Option<&Annotations>, side: Side) -> Result<Rows> {
        let Some(Annotations { name, table }) = annotations else { return Rows::without_table(job, plan, side) };
        let (_, ids) = table.ids().with_context(|| name.clone())?;
        let other = Side { name, labels: Some(ids), n_rows: ids.len() };
        let joined = join(side, other, args.join.options())?;
        // Looking a column up moves no data: only what was left out, or decided by position, is worth a line.
        if joined.n_left_out > 0 || joined.paired || joined.by_position {
            joined.message(side.name, name).into_iter().for_each(|message| job.note(message));
        }
        let labels = joined.labels(&side, &other).unwrap_or_default();
        if let Some(row) = joined.left.windows(2).position(|w| w[0] >= w[1]) {
            let id = &labels[row];
            let in_table = ids.iter().filter(|other| *other == id).count();
            bail!(
                "{}: stimulus {id:?} is 1 row here and {in_table} in {name}; the table needs one row per stimulus or \
                 one per presentation",
                side.name
            );
        }
        let column = |wanted: &Option<String>| -> Result<Option<(Vec<usize>, Vec<String>)>> {
            let Some(wanted) = wanted else { return Ok(None) };
            let cells = table.levels(wanted).with_context(|| name.clone())?;
            if let Some(row) = joined.right.iter().find(|row| cells[**row].is_empty()) {
                bail!("{name}: row {row} ({:?}) has nothing in column {wanted:?}", ids[*row]);
            }
            let cells: Vec<&str> = joined.right.iter().map(|row| cells[*row].as_str()).collect();
            Ok(Some(number(&cells)))
        };
        let stimuli: Vec<&str> = labels.iter().map(String::as_str).collect();
        let (stimulus, stimulus_names) = number(&stimuli);
        let (condition, names) = column(&args.by)?.unwrap_or_else(|| (stimulus.clone(), stimulus_names));
        let (mut fold, fold_names) = column(&args.cv)?.unzip();
        let group = column(&args.exclude_same)?.map(|(group, _)| group);
        if plan.over_folds() && fold.is_none() {
            fold = Some(by_occurrence(side.name, &condition, &names, args.by.is_some())?);
        }
        Ok(Rows { used: joined.left, stimulus, condition, names: Some(names), fold, fold_names, group })
    }

    fn without_table(job: &Job, plan: &Plan, side: Side) -> Result<Rows> {
        let used: Vec<usize> = (0..side.n_rows).collect();
        let Some(labels) = side.labels else {
            if plan.over_folds() {
                bail!(
                    "{}: {} rows without ids; {} needs to know which rows are presentations of the same stimulus: \
                     write ids with `npy label`",
                    side.name,
                    side.n_rows,
                    plan.metric.as_str()
                );
            }
            job.note(format!(
                "{}: no stimulus ids, so its RDM has none either; write them with `npy label`",
                side.name
            ));
            return Ok(Rows {
                stimulus: used.clone(),
                condition: used.clone(),
                used,
                names: None,
                fold: None,
                fold_names: None,
                group: None,
            });
        };
        let ids: Vec<&str> = labels.iter().map(String::as_str).collect();
        let (stimulus, names) = number(&ids);
        let fold = match plan.over_folds() {
            true => Some(by_occurrence(side.name, &stimulus, &names, false)?),
            false => None,
        };
        Ok(Rows {
            used,
            condition: stimulus.clone(),
            stimulus,
            names: Some(names),
            fold,
            fold_names: None,
            group: None,
        })
    }

    /// Number of rows of the RDM.
    pub fn n_conditions(&self) -> usize {
        self.condition.iter().max().map_or(0, |c| c + 1)
    }

    /// The used rows of every condition, as places in the list of used rows.
    pub fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.n_conditions()];
        self.condition.iter().enumerate().for_each(|(row, c)| members[*c].push(row));
        members
    }

    /// Keeps only the stimuli of `--subset`, one row each, in its order: where each of the ids then stands, `None` for
    /// one that is not there.
    pub fn keep_only(&mut self, source: &str, wanted: &[String]) -> Result<Vec<Option<usize>>> {
        let Some(names) = &self.names else {
            bail!(
                "{source}: no stimulus ids, so --subset finds none of its {} in it; write them with `npy label`",
                wanted.len()
            );
        };
        let row: HashMap<&str, usize> = names.iter().enumerate().map(|(row, name)| (name.as_str(), row)).collect();
        let (mut used, mut kept) = (Vec::new(), Vec::new());
        let mut places = Vec::with_capacity(wanted.len());
        for id in wanted {
            places.push(row.get(id.as_str()).map(|row| {
                used.push(self.used[*row]);
                kept.push(id.clone());
                used.len() - 1
            }));
        }
        let n = used.len();
        *self = Rows {
            used,
            stimulus: (0..n).collect(),
            condition: (0..n).collect(),
            names: Some(kept),
            fold: None,
            fold_names: None,
            group: None,
        };
        Ok(places)
    }
}

/// Numbers from 0 for texts, in the order of their first occurrence, and the distinct texts.
fn number(texts: &[&str]) -> (Vec<usize>, Vec<String>) {
    let mut known: HashMap<&str, usize> = HashMap::new();
    let mut distinct = Vec::new();
    let numbers = texts.iter().map(|text| {
        *known.entry(text).or_insert_with(|| {
            distinct.push((*text).to_string());
            distinct.len() - 1
        })
    });
    (numbers.collect(), distinct)
}

/// The k-th row of a stimulus is fold k; all need to have equally many.
fn by_occurrence(source: &str, stimulus: &[usize], names: &[String], by: bool) -> Result<Vec<usize>> {
    if by {
        bail!(
            "{source}: --by puts several rows into one condition, so their order does not say which fold each is in; \
             name a column with --cv"
        );
    }
    let mut counts = vec![0; names.len()];
    let fold: Vec<usize> = stimulus
        .iter()
        .map(|s| {
            counts[*s] += 1;
            counts[*s] - 1
        })
        .collect();
    if let Some(other) = counts.iter().position(|n| *n != counts[0]) {
        bail!(
            "{source}: stimulus {:?} occurs {} times and {:?} {}, so the order of presentations does not say which \
             fold they are in; name a column with --cv COLUMN --stimuli TABLE",
            names[0],
            counts[0],
            names[other],
            counts[other]
        );
    }
    Ok(fold)
}
