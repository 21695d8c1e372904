//! Anything that says how far things are apart, as RDMs: RDMs themselves, similarities, tables of pairs.

use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{Called, NamedArray, Names, read_arrays, read_table, tell_apart};
use cli::{Input, Job};
use npy_stream::Values;
use rdm::Rdm;
use rdm_inputs::{NamedRdm, from_array};
use statistics::rounding::resolution;
use std::collections::{HashMap, HashSet};
use stimulus_table::Table;

/// Dissimilarities that are not RDMs of `rsa rdm`: similarities, or tables of pairs.
#[derive(Debug, clap::Args)]
pub struct PairArgs {
    /// The numbers are similarities (correlations): 1 minus each; a diagonal is not looked at
    #[arg(long)]
    pub similarity: bool,
    /// The inputs are tables, one row per pair, whose members stand in these two columns
    #[arg(long, value_name = "A,B", value_delimiter = ',', num_args = 1, requires = "value")]
    pub pairs: Vec<String>,
    /// Column of the numbers, with --pairs
    #[arg(long, value_name = "COLUMN", requires = "pairs")]
    pub value: Option<String>,
    /// Take what is below 0 (a corrected r above 1, a crossnobis distance) for 0, and count it on stderr
    #[arg(long)]
    pub clip: bool,
}

impl PairArgs {
    /// The two columns of `--pairs`, if the inputs are tables.
    fn columns(&self) -> Result<Option<(&str, &str)>> {
        match &self.pairs[..] {
            [] => Ok(None),
            [a, b] => Ok(Some((a, b))),
            columns => bail!("--pairs {}: {} columns; a pair has two", columns.join(","), columns.len()),
        }
    }

    /// Refuses what names no two columns.
    pub(crate) fn check(&self) -> Result<()> {
        self.columns().map(|_| ())
    }
}

/// Columns of tables of scores in which more is more alike.
const SIMILARITIES: [&str; 11] =
    ["r", "r_norm", "r_corrected", "rho", "tau", "cosine", "cka", "cca", "match", "procrustes", "bures"];

/// What a subject column holds for the row over subjects.
const SUMMARIES: [&str; 2] = ["mean", "median"];

/// Reads every input as [`PairArgs`] says it is to be understood; nothing is below 0 afterwards with --clip.
pub(crate) fn read(job: &Job, inputs: &[Input], names: &[String], args: &PairArgs) -> Result<Vec<NamedRdm>> {
    let mut rdms = match (args.columns()?, &args.value) {
        (Some(columns), Some(value)) => read_pairs(job, inputs, names, columns, value, args.similarity)?,
        // Clap has --pairs and --value together or not at all.
        _ => {
            let mut arrays = read_arrays(job, inputs, &mut Names::new(names))?;
            tell_apart(&mut arrays)?;
            let one = |array: NamedArray| from_array(if args.similarity { distances(array)? } else { array });
            arrays.into_iter().map(one).collect::<Result<Vec<_>>>()?
        }
    };
    for named in &mut rdms {
        // 1 - r is a digit below 0 where rounding put r above 1; that is no distance that anybody measured.
        let rounding = resolution(named.rdm.values());
        if named.rdm.values().iter().any(|v| *v < 0.0 && -v <= rounding) {
            let labels = named.rdm.labels().map(<[String]>::to_vec);
            let mended = named.rdm.values().iter().map(|v| if *v < 0.0 && -v <= rounding { 0.0 } else { *v }).collect();
            named.rdm = Rdm::from_condensed(mended, labels)?;
        }
        let below: Vec<f64> = named.rdm.values().iter().copied().filter(|v| *v < 0.0).collect();
        if args.clip && !below.is_empty() {
            let least = below.iter().copied().fold(f64::INFINITY, f64::min);
            let n_pairs = named.rdm.values().len();
            job.warn(format!(
                "{}: {} of {n_pairs} dissimilarities are below 0 (the least is {least}) and taken for 0",
                named.source,
                below.len()
            ));
            let labels = named.rdm.labels().map(<[String]>::to_vec);
            let clipped = named.rdm.values().iter().map(|v| if *v < 0.0 { 0.0 } else { *v }).collect();
            named.rdm = Rdm::from_condensed(clipped, labels)?;
        }
    }
    Ok(rdms)
}

/// 1 minus every similarity; of a square the diagonal, which may hold 1 or a reliability, becomes 0.
fn distances(mut named: NamedArray) -> Result<NamedArray> {
    let square = match *named.array.shape.as_slice() {
        [rows, columns] if rows == columns => Some(rows),
        [_] => None,
        _ => bail!("{}: shape {:?}; similarities are a square or its upper triangle", named.source, named.array.shape),
    };
    let values: Vec<f64> = named.array.values.into_f64();
    let on_diagonal = |place: usize| square.is_some_and(|n| place.is_multiple_of(n + 1));
    let one = |(place, v): (usize, f64)| if on_diagonal(place) { 0.0 } else { distance(v) };
    named.array.values = Values::F8(values.into_iter().enumerate().map(one).collect());
    Ok(named)
}

/// 1 minus a similarity; 0 of one that only rounding put above 1.
fn distance(similarity: f64) -> f64 {
    let distance = 1.0 - similarity;
    if distance < 0.0 && -distance <= resolution(&[similarity]) { 0.0 } else { distance }
}

fn read_pairs(
    job: &Job,
    inputs: &[Input],
    names: &[String],
    columns: (&str, &str),
    value: &str,
    similarity: bool,
) -> Result<Vec<NamedRdm>> {
    let mut names = Names::distinct(names);
    let mut rdms = Vec::new();
    for input in inputs {
        let table = read_table(job, input)?;
        let rdm = of_pairs(job, input, &table, columns, value, similarity).with_context(|| input.to_string())?;
        let name = names.next(&Called::new(input, 0, None))?;
        rdms.push(NamedRdm { name, own: None, source: input.to_string(), rdm });
    }
    names.finish()?;
    Ok(rdms)
}

/// The RDM of a table with one row per pair: things in order of appearance, the first column's before the second's. A
/// pair may stand there twice (both ways round) if both say the same.
fn of_pairs(
    job: &Job,
    input: &Input,
    table: &Table,
    (a, b): (&str, &str),
    value: &str,
    similarity: bool,
) -> Result<Rdm> {
    let (first, second, values) = (table.column(a)?, table.column(b)?, table.numbers(value)?);
    if SIMILARITIES.contains(&value) && !similarity {
        bail!(
            "column {value:?} holds similarities, and a map of them would put the most similar ones farthest apart; \
             say --similarity for 1 - {value} (a column of distances needs another name)"
        );
    }
    let known: HashSet<&String> = first.iter().collect();
    let summary = |name: &String| SUMMARIES.contains(&name.as_str()) && !known.contains(name);
    let rows: Vec<usize> = (0..values.len()).filter(|&row| !summary(&second[row])).collect();
    if rows.len() < values.len() {
        let left_out = values.len() - rows.len();
        job.note(format!("{input}: {left_out} rows whose {b} is mean or median are not pairs and are left out"));
    }
    let mut labels: Vec<String> = Vec::new();
    let mut place: HashMap<&String, usize> = HashMap::new();
    for column in [first, second] {
        for &row in &rows {
            let name = &column[row];
            if !place.contains_key(name) {
                place.insert(name, labels.len());
                labels.push(name.clone());
            }
        }
    }
    let n = labels.len();
    if n < 2 {
        bail!("{} rows of pairs name {n} things; a map needs 2 or more", rows.len());
    }
    let mut found: HashMap<(usize, usize), (f64, usize)> = HashMap::new();
    for &row in &rows {
        let (i, j) = (place[&first[row]], place[&second[row]]);
        if i == j {
            continue;
        }
        let here = if similarity { distance(values[row]) } else { values[row] };
        if let Some((there, other)) = found.insert((i.min(j), i.max(j)), (here, row)) {
            let same = here == there
                || (here.is_nan() && there.is_nan())
                || (here - there).abs() <= 1e-9 * here.abs().max(1.0);
            if !same {
                bail!(
                    "rows {other} and {row} both have {:?} and {:?}, with {} and {}; one number per pair (filter the \
                     table)",
                    first[row],
                    second[row],
                    values[other],
                    values[row]
                );
            }
        }
    }
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let condensed: Vec<f64> = pairs.map(|pair| found.get(&pair).map_or(f64::NAN, |(v, _)| *v)).collect();
    let n_absent = condensed.len() - found.len();
    if n_absent > 0 {
        bail!(
            "{} of {} pairs of {n} things are in no row; every pair needs one (`rsa compare --all-pairs` makes them)",
            n_absent,
            condensed.len()
        );
    }
    Rdm::from_condensed(condensed, Some(labels)).map_err(|e| anyhow!("{e}"))
}

/// An RDM without the stimuli that have no pair at all.
pub(crate) struct Usable {
    pub rdm: Rdm,
    /// Their rows in the whole RDM.
    pub kept: Vec<usize>,
    /// Rows of those that are left out.
    pub without: Vec<usize>,
}

/// Takes out stimuli all of whose pairs are NaN (a constant pattern, say), with a line on stderr.
pub(crate) fn usable(job: &Job, named: &NamedRdm) -> Result<Usable> {
    let rdm = &named.rdm;
    let n = rdm.n_stimuli();
    let has_pair = |i: &usize| (0..n).any(|j| j != *i && rdm.get(*i, j).is_finite());
    let (kept, without): (Vec<usize>, Vec<usize>) = (0..n).partition(has_pair);
    if without.is_empty() {
        return Ok(Usable { rdm: rdm.clone(), kept, without });
    }
    if kept.len() < 2 {
        bail!("{}: all {} pairs of {n} stimuli have no value (NaN)", named.source, rdm.values().len());
    }
    job.warn(format!("{}: {} of {n} stimuli have no pair with a value, and get no place", named.source, without.len()));
    Ok(Usable { rdm: rdm.select(&kept)?, kept, without })
}

/// What row `row` of an RDM is called in a table: its id, else its number.
pub(crate) fn id(rdm: &Rdm, row: usize) -> String {
    rdm.labels().map_or_else(|| row.to_string(), |labels| labels[row].clone())
}
