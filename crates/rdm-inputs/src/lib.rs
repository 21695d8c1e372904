//! RDMs in: from the arrays of a stream to named RDMs whose stimuli stand in one order.
//!
//! An RDM in a stream is a 1-d array, the strict upper triangle in the order of SciPy's `pdist`, followed by the n
//! stimulus ids; a square symmetric 2-d array with n ids is read as well. RDMs from different files are brought into
//! one order by id ([`into_one_order`]) before they are compared.
#![warn(missing_docs)]

mod levels;
mod sigma_k;

pub use levels::{FoldsOf, Levels, SplitBy, two_splits};
pub use sigma_k::read_sigma_k;

use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{JoinArgs, NamedArray, Names, read_arrays_to_make, require_unique, tell_apart};
use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use cli::{Input, Job};
use ndarray::ArrayView2;
use npy_stream::{Array, Incoming, Labels, Values};
use rdm::{Comparison, Rdm, RdmError};
use statistics::rounding::broken_ties;
use stimulus_table::Side;

/// An RDM with its name.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedRdm {
    /// What it is called ([`Names`]).
    pub name: String,
    /// Its own name, as it stands behind it.
    pub own: Option<String>,
    /// Where it came from, for messages.
    pub source: String,
    /// The dissimilarities and their stimulus ids.
    pub rdm: Rdm,
}

impl NamedRdm {
    /// This RDM as one side of a join.
    pub fn side(&self) -> Side<'_> {
        Side { name: &self.source, labels: self.rdm.labels(), n_rows: self.rdm.n_stimuli() }
    }
}

/// Reads all RDMs of all inputs, in order, with names that differ.
pub fn read_rdms(job: &Job, inputs: &[Input], names: &[String]) -> Result<Vec<NamedRdm>> {
    // Distances are held in f8, the upper triangle of a square.
    let made = |next: &Incoming| match *next.shape() {
        [n_pairs] if !next.kind().is_double() => n_pairs as u128 * 8,
        [n, m] if n == m => n as u128 * (n as u128).saturating_sub(1) / 2 * 8,
        _ => 0,
    };
    let mut arrays = read_arrays_to_make(job, inputs, &mut Names::new(names), made)?;
    tell_apart(&mut arrays)?;
    arrays.into_iter().map(from_array).collect()
}

/// What an input holds, where its shape alone does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Rows are stimuli, columns are units, even where the matrix is square, symmetric and 0 on the diagonal
    Patterns,
    /// Dissimilarities of all pairs of stimuli
    Rdm,
}

impl Kind {
    /// Whether the array is an RDM: as was declared, or as [`is_rdm`] takes it.
    pub fn is_rdm(declared: Option<Kind>, array: &Array) -> bool {
        match declared {
            Some(kind) => kind == Kind::Rdm,
            None => is_rdm(array),
        }
    }
}

/// Whether an array is taken for an RDM: 1-d, or square and symmetric with a zero diagonal (as [`Rdm::from_square`] has
/// it, f4 rounding and all) and more than one row, which hardly any responses are.
pub fn is_rdm(array: &Array) -> bool {
    match (array.shape.as_slice(), &array.values) {
        ([_], _) => true,
        (&[n, m], Values::F4(v)) if n == m => {
            ArrayView2::from_shape((n, m), v).is_ok_and(|square| Rdm::from_square(square, None).is_ok())
        }
        (&[n, m], Values::F8(v)) if n == m => {
            ArrayView2::from_shape((n, m), v).is_ok_and(|square| Rdm::from_square(square, None).is_ok())
        }
        _ => false,
    }
}

/// One array as an RDM: 1-d condensed or 2-d square.
pub fn from_array(named: NamedArray) -> Result<NamedRdm> {
    let NamedArray { name, source, array, .. } = named;
    let Labels { ids: labels, name: own, .. } = array.labels;
    let made = match (array.shape.as_slice(), array.values) {
        ([_], values) => Rdm::from_condensed(values.into_f64(), labels),
        (&[rows, columns], Values::F4(values)) => {
            let square = ArrayView2::from_shape((rows, columns), &values).map_err(|e| anyhow!("{source}: {e}"))?;
            Rdm::from_square(square, labels)
        }
        (&[rows, columns], Values::F8(values)) => {
            let square = ArrayView2::from_shape((rows, columns), &values).map_err(|e| anyhow!("{source}: {e}"))?;
            Rdm::from_square(square, labels)
        }
        (shape, _) => bail!(
            "{source}: has {} axes {shape:?}; an RDM is the upper triangle (1 axis) or a square (2); split the array \
             into one RDM per subject",
            shape.len()
        ),
    };
    let rdm = made.map_err(|error| match error {
        RdmError::NotSquare { .. } => anyhow!("{source}: {error}; make RDMs of activations with `rsa rdm`"),
        other => anyhow!("{source}: {other}"),
    })?;
    require_unique(Side { name: &source, labels: rdm.labels(), n_rows: rdm.n_stimuli() })?;
    Ok(NamedRdm { name, own, source, rdm })
}

/// Brings all RDMs, in place, into the order of the stimuli of the first one, joined by id.
pub fn into_one_order(job: &Job, join: JoinArgs, rdms: &mut [NamedRdm]) -> Result<()> {
    let sides: Vec<Side> = rdms.iter().map(NamedRdm::side).collect();
    let rows = join.join_all(job, &sides)?;
    for (named, rows) in rdms.iter_mut().zip(rows) {
        let as_it_is = rows.len() == named.rdm.n_stimuli() && rows.iter().enumerate().all(|(k, row)| k == *row);
        if !as_it_is {
            named.rdm = named.rdm.select(&rows).with_context(|| named.source.clone())?;
        }
    }
    Ok(())
}

/// The share of pairs without a value above which an RDM is refused, unless the user allows it.
pub const LARGEST_NAN_SHARE: f64 = 0.1;

/// Says how many pairs of an RDM have no value; more than [`LARGEST_NAN_SHARE`] of them is an error unless
/// `allowed`. `why` goes into the message, after the counts.
pub fn check_nan(job: &Job, source: &str, rdm: &Rdm, why: &str, allowed: bool) -> Result<()> {
    let (n_nan, n_pairs) = (rdm.n_nan(), rdm.values().len());
    if n_nan == 0 {
        return Ok(());
    }
    let infinite = rdm.values().iter().any(|v| v.is_infinite());
    let what = if infinite { "NaN or infinite" } else { "NaN" };
    let counts = format!("{source}: {n_nan} of {n_pairs} pairs have no value ({what}){why}");
    if n_nan as f64 > LARGEST_NAN_SHARE * n_pairs as f64 && !allowed {
        bail!("{counts}; more than 10 % is refused: leave those stimuli out (`npy rows`), or say --allow-nan");
    }
    job.warn(counts);
    Ok(())
}

/// Says that an RDM is constant, and what becomes of it.
pub fn say_constant(job: &Job, source: &str, rdm: &Rdm, consequence: &str) {
    let finite: Vec<f64> = rdm.values().iter().copied().filter(|v| v.is_finite()).collect();
    let Some(first) = finite.first() else { return };
    let rounded = if finite.iter().all(|v| v == first) { "" } else { " but for rounding" };
    job.warn(format!("{source}: all {} distances are {first}{rounded} (constant); {consequence}", finite.len()));
}

/// Warns once, for all these RDMs, where distances that are equal but for rounding differ, so that `what` (which ranks
/// them) would rank the rounding. Constant RDMs have a line of their own.
pub fn say_broken_ties<'a>(job: &Job, rdms: impl IntoIterator<Item = (&'a str, &'a Rdm)>, what: &str) {
    let mut first = None;
    let mut n_others = 0;
    for (source, rdm) in rdms {
        match broken_ties(rdm.values()).filter(|_| rdm.reason().is_none()) {
            Some(found) if first.is_none() => first = Some((source, found)),
            Some(_) => n_others += 1,
            None => {}
        }
    }
    let Some((source, found)) = first else { return };
    let others = if n_others == 0 { String::new() } else { format!(" (and {n_others} other RDMs have such)") };
    job.warn(format!(
        "{source}: {} of {} distances differ from their neighbour by rounding alone ({} different numbers, {} but for \
         rounding){others}; {what} take that for order; make the RDM with `rsa rdm`, or round it to fewer digits",
        found.n_close, found.n, found.n_distinct, found.n_levels
    ));
}

/// The names of `--compare`, with the aliases of rsatoolbox.
pub fn comparison_parser() -> impl TypedValueParser<Value = Comparison> {
    PossibleValuesParser::new(comparison_names()).try_map(|name| comparison_named(&name))
}

/// What [`comparison_parser`] takes, for verbs that compare more than RDMs.
pub fn comparison_names() -> Vec<PossibleValue> {
    let one = |how: Comparison| {
        let value = PossibleValue::new(how.as_str());
        match how {
            Comparison::Pearson => value.alias("corr"),
            Comparison::Kendall => value.alias("tau-b"),
            _ => value,
        }
    };
    Comparison::ALL.into_iter().map(one).collect()
}

/// The comparison of one of the [`comparison_names`].
pub fn comparison_named(name: &str) -> Result<Comparison, String> {
    match name {
        "corr" => Ok(Comparison::Pearson),
        "tau-b" => Ok(Comparison::Kendall),
        other => other.parse(),
    }
}

/// The column that holds the values of a comparison: `r`, `rho`, `tau` or `cosine` (whitened or not).
pub fn column(how: Comparison) -> &'static str {
    match how {
        Comparison::Pearson | Comparison::CorrCov => "r",
        Comparison::Spearman | Comparison::RhoA => "rho",
        Comparison::Kendall | Comparison::TauA => "tau",
        Comparison::Cosine | Comparison::CosineCov => "cosine",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use npy_stream::Array;

    fn array(shape: &[usize], values: Vec<f64>, labels: Option<&[&str]>) -> NamedArray {
        let ids = labels.map(|l| l.iter().map(|s| (*s).to_string()).collect());
        let labels = Labels { ids, ..Labels::default() };
        let array = Array { shape: shape.to_vec(), values: Values::F8(values), labels, index: 0 };
        NamedArray { name: "m".into(), names_in_tables: Vec::new(), source: "m.npy".into(), array }
    }

    #[test]
    fn triangle_and_square_are_the_same_rdm() {
        let labels = Some(&["a", "b", "c"][..]);
        let triangle = from_array(array(&[3], vec![1.0, 2.0, 3.0], labels)).unwrap();
        let square = vec![0.0, 1.0, 2.0, 1.0, 0.0, 3.0, 2.0, 3.0, 0.0];
        assert_eq!(from_array(array(&[3, 3], square, labels)).unwrap(), triangle);
    }

    #[test]
    fn what_is_no_rdm_is_refused_by_name() {
        for (made, part) in [
            (array(&[2, 3], vec![0.0; 6], None), "m.npy: 2 x 3 is not a square RDM; make RDMs of activations"),
            (array(&[4], vec![0.0; 4], None), "m.npy: 4 values is not an upper triangle (3 is 3 stimuli, 6 is 4)"),
            (array(&[1, 2, 2], vec![0.0; 4], None), "m.npy: has 3 axes [1, 2, 2]"),
            (array(&[3], vec![0.0; 3], Some(&["a", "b", "a"])), "m.npy: stimulus \"a\" occurs 2 times (3 rows, 2 ids)"),
            (array(&[3], vec![0.0; 3], Some(&["a", "b"])), "m.npy: 2 labels for 3 stimuli"),
        ] {
            let error = from_array(made).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn stimuli_move_with_their_distances() {
        let job = Job::start("test", &cli::Common { quiet: true, ..Default::default() }).unwrap();
        let mut rdms = vec![
            from_array(array(&[3], vec![1.0, 2.0, 3.0], Some(&["a", "b", "c"]))).unwrap(),
            from_array(array(&[3], vec![3.0, 2.0, 1.0], Some(&["c", "b", "a"]))).unwrap(),
        ];
        into_one_order(&job, JoinArgs::default(), &mut rdms).unwrap();
        assert_eq!(rdms[0].rdm, rdms[1].rdm);
    }
}
