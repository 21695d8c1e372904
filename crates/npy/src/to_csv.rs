//! `npy to-csv`: a matrix or an RDM as a table.

use anyhow::{Context, Result, bail};
use array_inputs::{Next, Stream, Whole, hold};
use cli::{Cell, Common, Format, Input, Job, Named, Output, TableWriter};
use npy_stream::{Array, Block, Labels, Values};
use std::collections::HashSet;

/// A matrix as CSV, one row per stimulus; an RDM as one row per pair
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns:
  of a matrix  stimulus, then the columns of the matrix: their names, or 0, 1, 2, ..., where they
               have none or two would have one
  of an RDM    i, j, stimulus_i, stimulus_j, dissimilarity

Examples:
  npy to-csv profile.npy > profile.csv
  rsa rdm ffa.npy | npy to-csv > pairs.csv
  npy cols --index 0:3 acts.npy | npy to-csv --format tsv > three.tsv")]
pub(crate) struct ToCsv {
    /// One .npy array with its labels; - is stdin
    #[arg(default_value = "-")]
    input: Input,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// What a table is made of.
enum Given {
    /// A matrix and its ids.
    Matrix(Whole, Labels),
    Rdm(Array),
}

pub(crate) fn run(args: &ToCsv) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let input = &args.input;
    let mut single = false;
    let mut given = Vec::new();
    // All of it before anything is written.
    Stream::open(&job, input)?.each(|Next { source, array, .. }| {
        if !given.is_empty() {
            bail!("{input}: holds more than 1 array where one is needed; take one out with `npy cat --array N`");
        }
        single = !array.kind().is_double();
        given.push(match array.shape().len() {
            2 => Whole::take(array, &source).map(|(whole, labels)| Given::Matrix(whole, labels))?,
            1 => Given::Rdm(hold(array, &source)?),
            _ => {
                bail!("{source}: shape {:?}; a table is made of a matrix or of an RDM's upper triangle", array.shape())
            }
        });
        Ok(())
    })?;
    let out = job.text_output(args.common.output.as_deref())?;
    let out = match given.remove(0) {
        Given::Matrix(whole, labels) => matrix(&job, out, args.format, &whole, &labels, single)?,
        Given::Rdm(array) => rdm(out, args.format, &array, single).with_context(|| input.to_string())?,
    };
    out.commit(&job)
}

/// What the column of the ids is called.
const STIMULUS: &str = "stimulus";

fn matrix(job: &Job, out: Output, format: Format, whole: &Whole, labels: &Labels, single: bool) -> Result<Output> {
    let mut names = vec![STIMULUS.to_string()];
    let known = labels.columns.as_ref();
    let twice = known.and_then(|known| {
        let mut seen = HashSet::from([STIMULUS]);
        known.iter().find(|name| !seen.insert(name))
    });
    if let Some(twice) = twice {
        job.note(format!("two columns would be called {twice:?}; they are called by their numbers"));
    }
    match known.filter(|_| twice.is_none()) {
        Some(known) => names.extend(known.iter().cloned()),
        None => names.extend((0..whole.n_columns()).map(|c| c.to_string())),
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut table = TableWriter::new(out, format, &names)?;
    let rows: Vec<usize> = (0..whole.n_rows()).collect();
    whole.rows(&rows, |at, block| {
        for k in 0..block.n_rows() {
            let mut cells: Vec<Named> = vec![(names[0], labels.ids.as_ref().map(|ids| &ids[at + k]).into())];
            match block {
                Block::F4(b) => {
                    cells.extend(names[1..].iter().zip(b.row(k)).map(|(name, &v)| (*name, number(v.into(), single))))
                }
                Block::F8(b) => {
                    cells.extend(names[1..].iter().zip(b.row(k)).map(|(name, &v)| (*name, number(v, single))))
                }
            }
            table.record(&cells)?;
        }
        Ok(())
    })?;
    Ok(table.into_inner())
}

fn rdm(out: Output, format: Format, array: &Array, single: bool) -> Result<Output> {
    let n_pairs = array.values.len();
    let labels = array.labels.ids.as_deref();
    let n = n_stimuli(n_pairs).with_context(|| format!("{n_pairs} values are no upper triangle of an RDM"))?;
    if let Some(labels) = labels.filter(|labels| labels.len() != n) {
        bail!("{n_pairs} values are pairs of {n} stimuli, but {} ids follow", labels.len());
    }
    let value = |k: usize| match &array.values {
        Values::F4(v) => f64::from(v[k]),
        Values::F8(v) => v[k],
    };
    let id = |k: usize| Cell::from(labels.map(|l| &l[k]));
    let columns = ["i", "j", "stimulus_i", "stimulus_j", "dissimilarity"];
    let mut table = TableWriter::new(out, format, &columns)?;
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    for (k, (i, j)) in pairs.enumerate() {
        table.record(&[
            ("i", i.into()),
            ("j", j.into()),
            ("stimulus_i", id(i)),
            ("stimulus_j", id(j)),
            ("dissimilarity", number(value(k), single)),
        ])?;
    }
    Ok(table.into_inner())
}

/// f4 is written with f4's shortest digits: 0.1 and not 0.10000000149011612.
fn number(v: f64, single: bool) -> Cell<'static> {
    if single && v.is_finite() {
        // The shortest f4 digits, read as f8, print as themselves.
        return Cell::Float((v as f32).to_string().parse().unwrap_or(v));
    }
    Cell::Float(v)
}

/// n where n(n-1)/2 is the number of pairs.
fn n_stimuli(n_pairs: usize) -> Option<usize> {
    let n = (1.0 + (1.0 + 8.0 * n_pairs as f64).sqrt()) as usize / 2;
    (n.saturating_sub(1)..=n + 1).find(|&n| n >= 1 && n * (n - 1) / 2 == n_pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triangular_numbers_and_nothing_else() {
        assert_eq!([0, 1, 3, 6, 4186].map(n_stimuli), [Some(1), Some(2), Some(3), Some(4), Some(92)]);
        assert_eq!([2, 4, 11, 4185].map(n_stimuli), [None; 4]);
    }

    #[test]
    fn f4_values_keep_their_short_digits() {
        assert_eq!(number(f64::from(0.1f32), true), Cell::Float(0.1));
        assert_eq!(number(0.1f64, false), Cell::Float(0.1));
    }
}
