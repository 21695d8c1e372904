//! What the columns of `--by` say of every stimulus.

use super::Kind;
use anyhow::{Context, Result, bail};
use array_inputs::read_levels;
use cli::Job;
use ndarray::Array2;
use std::collections::HashMap;
use stimulus_table::{Table, is_missing, number};

/// The columns of one model.
pub(super) struct Columns {
    pub names: Vec<String>,
    pub content: Content,
}

/// One entry, or row, per stimulus.
pub(super) enum Content {
    /// Numbers of levels, from 0; of several columns those of their combinations.
    Levels(Vec<Option<usize>>),
    /// Stimuli x columns, `NaN` where a cell is missing.
    Ratings(Array2<f64>),
}

/// The ids of the stimuli in the order in which each comes first, and the rows of each.
pub(super) fn stimuli(job: &Job, table: &Table, source: &str) -> Result<(Vec<String>, Vec<Vec<usize>>)> {
    let (_, of_rows) = table.ids().with_context(|| source.to_string())?;
    let mut place: HashMap<&str, usize> = HashMap::new();
    let (mut ids, mut rows): (Vec<String>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    for (row, id) in of_rows.iter().enumerate() {
        let here = *place.entry(id).or_insert_with(|| {
            ids.push(id.clone());
            rows.push(Vec::new());
            ids.len() - 1
        });
        rows[here].push(row);
    }
    if ids.len() < 2 {
        bail!("{source}: {} stimulus; an RDM needs at least 2", ids.len());
    }
    if ids.len() < of_rows.len() {
        job.note(format!("{source}: {} rows are {} stimuli", of_rows.len(), ids.len()));
    }
    Ok((ids, rows))
}

impl Columns {
    /// The columns that `by` names, which hold what `kind` says or else what their cells are.
    pub fn read(
        job: &Job,
        table: &Table,
        source: &str,
        by: &str,
        kind: Option<Kind>,
        rows: &[Vec<usize>],
    ) -> Result<Columns> {
        // A column may have a comma in its name.
        let names: Vec<String> = match table.has(by) {
            true => vec![by.to_string()],
            false => by.split(',').map(|name| name.trim().to_string()).collect(),
        };
        for name in &names {
            let cells = table.column(name).with_context(|| source.to_string())?;
            if cells.iter().all(|cell| is_missing(cell)) {
                bail!("{source}: all {} cells of column {name:?} are missing", cells.len());
            }
        }
        let kinds = names.iter().map(|name| kind.map_or_else(|| seen(table, source, name), Ok));
        let kinds: Vec<Kind> = kinds.collect::<Result<_>>()?;
        if let Some(other) = kinds.iter().position(|k| *k != kinds[0]) {
            bail!(
                "{source}: --by {by}: column {:?} holds {} and column {:?} {}; make two models of them, or take both \
                 for categories (--as category)",
                names[0],
                things(kinds[0]),
                names[other],
                things(kinds[other])
            );
        }
        let content = match kinds[0] {
            Kind::Category => levels(job, table, source, &names, rows)?,
            Kind::Rating => ratings(table, source, &names, rows)?,
        };
        let columns = Columns { names, content };
        let n_left = rows.len() - columns.n_missing();
        if n_left < 2 {
            bail!("{source}: {}: {n_left} of {} stimuli have a value; a pair needs 2", columns.said(), rows.len());
        }
        if kind.is_none() {
            let (meaning, other) = match (&columns.content, columns.names.len()) {
                (Content::Levels(_), _) => ("categories: 0 for the same, 1 for different ones".into(), Kind::Rating),
                (Content::Ratings(_), 1) => ("numbers: |a - b|".to_string(), Kind::Category),
                (Content::Ratings(_), n) => (format!("numbers: distances in {n} dimensions"), Kind::Category),
            };
            job.note(format!("{source}: {}: {meaning} (--as {} takes it otherwise)", columns.said(), other.as_str()));
        }
        Ok(columns)
    }

    /// What was decided.
    pub fn kind(&self) -> Kind {
        match self.content {
            Content::Levels(_) => Kind::Category,
            Content::Ratings(_) => Kind::Rating,
        }
    }

    /// The columns as messages name them.
    pub fn said(&self) -> String {
        let quoted: Vec<String> = self.names.iter().map(|name| format!("{name:?}")).collect();
        format!("column{} {}", if quoted.len() > 1 { "s" } else { "" }, quoted.join(", "))
    }

    /// Stimuli of which one of the columns says nothing.
    pub fn n_missing(&self) -> usize {
        match &self.content {
            Content::Levels(levels) => levels.iter().filter(|level| level.is_none()).count(),
            Content::Ratings(ratings) => {
                ratings.rows().into_iter().filter(|row| !row.iter().all(|v| v.is_finite())).count()
            }
        }
    }
}

fn things(kind: Kind) -> &'static str {
    match kind {
        Kind::Category => "names",
        Kind::Rating => "numbers",
    }
}

/// Whether a cell has the signs of a number, be it one that can be read or not (1,5 or 1e400).
fn looks_like_number(cell: &str) -> bool {
    let cell = cell.trim();
    let of_numbers = |c: char| c.is_ascii_digit() || "+-.,eE".contains(c);
    number(cell).is_ok() || (cell.contains(|c: char| c.is_ascii_digit()) && cell.chars().all(of_numbers))
}

/// What the cells of a column are: all names, or all numbers.
fn seen(table: &Table, source: &str, name: &str) -> Result<Kind> {
    let cells = table.column(name).with_context(|| source.to_string())?;
    let present = || cells.iter().enumerate().filter(|(_, cell)| !is_missing(cell));
    let first = |is_number: bool| present().find(|(_, cell)| looks_like_number(cell) == is_number);
    match (first(true), first(false)) {
        (None, _) => Ok(Kind::Category),
        (Some(_), None) => Ok(Kind::Rating),
        (Some((a, a_cell)), Some((b, b_cell))) => bail!(
            "{source}: column {name:?} holds numbers (row {a}: {a_cell:?}) and names (row {b}: {b_cell:?}); say --as \
             category if all are names, or mend the cells"
        ),
    }
}

/// The value of a stimulus, which is that of all its rows.
fn one_of<T: Clone + std::fmt::Debug>(
    source: &str,
    name: &str,
    of_rows: &[T],
    rows: &[usize],
    same: impl Fn(&T, &T) -> bool,
) -> Result<T> {
    let first = &of_rows[rows[0]];
    match rows.iter().find(|row| !same(&of_rows[**row], first)) {
        None => Ok(first.clone()),
        Some(other) => bail!(
            "{source}: column {name:?} is {first:?} in row {} and {:?} in row {other}, of the same stimulus; a model \
             needs one value for each",
            rows[0],
            of_rows[*other]
        ),
    }
}

fn levels(job: &Job, table: &Table, source: &str, names: &[String], rows: &[Vec<usize>]) -> Result<Content> {
    let mut of_columns: Vec<Vec<String>> = Vec::new();
    for name in names {
        let of_rows = read_levels(job, table, source, name)?;
        let one = |rows: &Vec<usize>| one_of(source, name, &of_rows, rows, String::eq);
        of_columns.push(rows.iter().map(one).collect::<Result<_>>()?);
    }
    let mut known: HashMap<Vec<&str>, usize> = HashMap::new();
    let combined = (0..rows.len()).map(|i| {
        let here: Vec<&str> = of_columns.iter().map(|column| column[i].as_str()).collect();
        let next = known.len();
        here.iter().all(|level| !level.is_empty()).then(|| *known.entry(here).or_insert(next))
    });
    Ok(Content::Levels(combined.collect()))
}

fn ratings(table: &Table, source: &str, names: &[String], rows: &[Vec<usize>]) -> Result<Content> {
    let mut ratings = Array2::from_elem((rows.len(), names.len()), f64::NAN);
    for (name, mut column) in names.iter().zip(ratings.columns_mut()) {
        let of_rows = table.numbers(name).with_context(|| source.to_string())?;
        let same = |a: &f64, b: &f64| a == b || (a.is_nan() && b.is_nan());
        for (rows, cell) in rows.iter().zip(&mut column) {
            *cell = one_of(source, name, &of_rows, rows, same)?;
        }
    }
    Ok(Content::Ratings(ratings))
}
