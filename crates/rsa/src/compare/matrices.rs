//! Systems that are matrices of responses: CKA, Procrustes and alignments.

use super::args::CompareArgs;
use super::measure::{Map, Measure};
use super::system::{Content, Score, Scorer, Systems};
use crate::held::Held;
use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{Called, Names, Next, each_array, hold, tell_names_apart};
use cli::{Input, Job, require_memory};
use ndarray::Array2;
use npy_stream::{Incoming, Labels};
use rayon::prelude::*;
use rdm::{Aligned, Alignment, Erased, MatrixComparison, Representation, Split, Sweep, sweep};
use rdm_inputs::{Kind, LARGEST_NAN_SHARE};
use statistics::Reason;
use statistics::folds::folds_of_set;
use stimulus_table::Side;

/// A matrix with its name and the ids of its rows; in a file it is not held.
struct NamedHeld {
    name: String,
    source: String,
    held: Held,
    labels: Option<Vec<String>>,
}

/// What two matrices are compared by.
#[derive(Debug, Clone)]
enum Made {
    Whole { how: MatrixComparison, bandwidth: f64 },
    Aligned { how: Alignment, splits: Vec<Split> },
}

/// A matrix that is ready.
enum Ready {
    Whole(Representation),
    Aligned(Aligned),
}

impl Ready {
    fn reason(&self) -> Option<Reason> {
        match self {
            Ready::Whole(whole) => whole.reason(),
            Ready::Aligned(aligned) => aligned.reason(),
        }
    }

    fn compare(&self, other: &Ready) -> Score {
        let value = match (self, other) {
            (Ready::Whole(a), Ready::Whole(b)) => a.compare(b),
            (Ready::Aligned(a), Ready::Aligned(b)) => a.compare(b),
            _ => f64::NAN,
        };
        // Of what has no reason only a variate that is constant over held-out stimuli has no number.
        let none = value.is_nan().then_some(Reason::Constant);
        Score { value, n_pairs: None, reason: self.reason().or(other.reason()).or(none) }
    }
}

/// Reads models and brains, brains first: their rows are joined by id, rows with NaN leave all of them, and every
/// matrix becomes what it is compared by before the next one is read.
pub(super) fn read(job: &Job, args: &CompareArgs) -> Result<Systems> {
    let mut all = open(job, &args.brain, &args.brain_names, args)?;
    let n_brains = all.len();
    all.extend(open(job, args.model_inputs(), &args.names, args)?);
    if args.systems.all_pairs {
        apart(&mut all)?;
    }
    let sides: Vec<Side> =
        all.iter().map(|m| Side { name: &m.source, labels: m.labels.as_deref(), n_rows: m.held.n_rows() }).collect();
    let mut rows = args.join.join_all(job, &sides)?;
    let sweeps: Vec<Sweep> = all.iter().zip(&rows).map(|(m, rows)| m.sweep(rows)).collect::<Result<_>>()?;
    let usable = usable(job, args, &all, &rows, &sweeps)?;
    rows.iter_mut().for_each(|rows| *rows = usable.iter().map(|&k| rows[k]).collect());
    let n_stimuli = usable.len();

    let names: Vec<String> = all.iter().map(|m| m.name.clone()).collect();
    let sources: Vec<String> = all.iter().map(|m| m.source.clone()).collect();
    let how = match args.compare {
        Measure::Matrices(how) => Made::Whole { how, bandwidth: args.alignment.bandwidth() },
        Measure::Alignment(map) => {
            let ids = all.first().zip(rows.first()).and_then(|(matrix, rows)| {
                matrix.labels.as_ref().map(|labels| rows.iter().map(|&row| labels[row].clone()).collect())
            });
            Made::Aligned { how: alignment(map, args), splits: splits(job, args, n_stimuli, ids)? }
        }
        Measure::Rdms(_) | Measure::Bures(_) => bail!("RDMs are not read as matrices"),
    };
    if let Made::Aligned { splits, .. } = &how {
        let units: Vec<u128> = all.iter().map(|matrix| matrix.held.n_columns() as u128).collect();
        // Every split holds its rows of every matrix; a comparison takes a table of units by units.
        let held = units.iter().sum::<u128>() * (n_stimuli * (1 + splits.len())) as u128;
        let widest = units.iter().max().copied().unwrap_or(0);
        let matched = matches!(args.compare, Measure::Alignment(Map::Permutation | Map::SoftMatching));
        let tables = if matched { widest * widest * rayon::current_num_threads() as u128 } else { 0 };
        require_memory(
            format!("--compare {} of {} matrices", args.compare.as_str(), all.len()),
            8 * (held + tables),
            "take fewer units (`npy cols`, ann-acts --pca) or folds (--held-out)",
        )?;
    }
    let progress = job.progress(all.len(), "matrices");
    let mut made = Vec::with_capacity(all.len());
    for ((matrix, rows), sweep) in all.into_iter().zip(&rows).zip(&sweeps) {
        made.push(matrix.ready(rows, &how, sweep.largest)?);
        progress.advance(1);
    }
    if let Made::Aligned { splits, .. } = &how {
        let n_fit = splits.iter().map(|split| split.fit.len()).min().unwrap_or(n_stimuli);
        say_what_alignments_left_out(job, args, (n_fit, n_brains), &sources, &made);
    }
    let constant: Vec<bool> = made.iter().map(|m| m.reason().is_some()).collect();
    for (source, _) in sources.iter().zip(&constant).filter(|(_, constant)| **constant) {
        let what = match &how {
            Made::Aligned { splits, .. } if splits.len() > 1 => "over the stimuli of a fold no unit of it varies",
            _ => "all its rows are alike",
        };
        job.warn(format!("{source}: {what} (constant); it has no score"));
    }
    let score: Scorer = Box::new(move |rows, columns| {
        let pairs = (0..rows.len() * columns.len()).into_par_iter();
        let at = |k: usize| made[rows[k / columns.len()]].compare(&made[columns[k % columns.len()]]);
        Ok(Array2::from_shape_vec((rows.len(), columns.len()), pairs.map(at).collect())?)
    });
    let compare = args.compare.to_string();
    job.record("compare", compare.as_str());
    if let Some(name) =
        args.compare.standard_name(args.alignment.variance()).filter(|_| args.alignment.held_out.is_none())
    {
        job.record("standard_name", name);
    }
    let content = Content::Other { score, together: false };
    Ok(Systems { names, sources, n_brains, n_stimuli, compare, constant, content })
}

fn alignment(map: Map, args: &CompareArgs) -> Alignment {
    match map {
        Map::Cca => Alignment::Cca,
        Map::Svcca => Alignment::Svcca { variance: args.alignment.variance() },
        Map::Pwcca => Alignment::Pwcca,
        Map::Permutation => Alignment::Permutation,
        Map::SoftMatching => Alignment::SoftMatching,
    }
}

/// Fewest stimuli of a fold: a correlation of two is 1 or -1.
const FEWEST_HELD_OUT: usize = 3;

/// What maps are fitted to and scored on: all stimuli, or with `--held-out` folds that depend on the set of ids and the
/// seed alone.
fn splits(job: &Job, args: &CompareArgs, n_stimuli: usize, ids: Option<Vec<String>>) -> Result<Vec<Split>> {
    let Some(k) = args.alignment.held_out else {
        return Ok(vec![Split { fit: (0..n_stimuli).collect(), score: None }]);
    };
    let k = k as usize;
    if n_stimuli < FEWEST_HELD_OUT * k {
        bail!(
            "--held-out {k}: {n_stimuli} stimuli; every fold needs at least {FEWEST_HELD_OUT} of them, so at most {} \
             folds",
            n_stimuli / FEWEST_HELD_OUT
        );
    }
    let seed = args.inference.seed;
    let folds = match ids {
        Some(ids) => folds_of_set(&ids, k, seed),
        None => folds_of_set(&(0..n_stimuli).collect::<Vec<usize>>(), k, seed),
    }
    .map_err(|error| anyhow!("--held-out: {error}"))?;
    job.record("held_out", k);
    job.record("seed", seed);
    let split = |fold| Split { fit: folds.train_rows(fold), score: Some(folds.test_rows(fold)) };
    Ok((0..folds.n_folds).map(split).collect())
}

/// Constant units of matchings; and axes of CCA that are too many together for the stimuli that maps are fitted to.
fn say_what_alignments_left_out(
    job: &Job,
    args: &CompareArgs,
    (n_fit, n_brains): (usize, usize),
    sources: &[String],
    made: &[Ready],
) {
    let aligned: Vec<&Aligned> = made
        .iter()
        .filter_map(|ready| match ready {
            Ready::Aligned(aligned) => Some(aligned),
            Ready::Whole(_) => None,
        })
        .collect();
    for (source, aligned) in sources.iter().zip(&aligned).filter(|(_, aligned)| aligned.n_constant() > 0) {
        job.warn(format!(
            "{source}: {} of {} units are constant over the stimuli of a fit or of a score, and are not matched",
            aligned.n_constant(),
            aligned.n_constant() + aligned.n_axes()
        ));
    }
    let of_axes = matches!(args.compare, Measure::Alignment(Map::Cca | Map::Svcca | Map::Pwcca));
    let axes: Vec<usize> = aligned.iter().map(|aligned| aligned.n_axes()).collect();
    // The two with the most axes that are compared with each other.
    let most = if args.systems.all_pairs {
        let mut sorted = axes;
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        sorted.first().copied().zip(sorted.get(1).copied())
    } else {
        let (brains, models) = axes.split_at(n_brains);
        models.iter().max().copied().zip(brains.iter().max().copied())
    };
    if let (true, Some((first, second))) = (of_axes, most)
        && first + second > n_fit - 1
    {
        // Held-out maps have arbitrary variates there: any rotation of them fits as well.
        let advice = match args.alignment.held_out {
            None => "--held-out scores other stimuli than the map was fitted to",
            Some(_) => "which variates these are is arbitrary; take more stimuli, or fewer axes (svcca, --variance)",
        };
        job.warn(format!(
            "{first} and {second} axes in the {} dimensions of {n_fit} centred stimuli: {} canonical correlations are 1 \
             whatever the matrices are; {advice}",
            n_fit - 1,
            first + second - (n_fit - 1)
        ));
    }
}

/// All matrices of all inputs, with names that differ; what lies in a file stays there.
fn open(job: &Job, inputs: &[Input], names: &[String], args: &CompareArgs) -> Result<Vec<NamedHeld>> {
    let mut names = Names::new(names);
    let mut called = Vec::new();
    let mut all = Vec::new();
    each_array(job, inputs, |Next { input, position, source, array }| {
        names.require(called.len(), input)?;
        let (held, labels) = take(array, &source, args)?;
        called.push(Called::new(input, position, labels.name.as_deref()));
        all.push(NamedHeld { name: String::new(), source, held, labels: labels.ids });
        Ok(())
    })?;
    all.iter_mut().zip(names.all(&called)?).for_each(|(matrix, name)| matrix.name = name);
    apart(&mut all)?;
    Ok(all)
}

fn take(next: Incoming, source: &str, args: &CompareArgs) -> Result<(Held, Labels)> {
    let square = matches!(next.shape(), &[n, m] if n == m && n > 1);
    let may_be_rdm = square && args.input_is != Some(Kind::Patterns);
    if let (false, Some(place)) = (may_be_rdm, next.parts().filter(|parts| !parts.is_fortran())) {
        let labels = next.finish().with_context(|| source.to_string())?;
        return Ok((Held::InFile(place), labels));
    }
    let array = hold(next, source)?;
    if array.shape.len() == 1 || Kind::is_rdm(args.input_is, &array) {
        bail!(
            "{source}: is an RDM, and --compare {} is for matrices (rows = stimuli, columns = units); give the \
             responses themselves (--input-is patterns where they are), or compare RDMs (--compare pearson, bures)",
            args.compare.as_str()
        );
    }
    let (matrix, labels) = array.into_matrix().map_err(|e| anyhow!("{source}: {e}"))?;
    Ok((Held::InMemory(matrix), labels))
}

fn apart(all: &mut [NamedHeld]) -> Result<()> {
    let mut names: Vec<String> = all.iter().map(|m| m.name.clone()).collect();
    let sources: Vec<&str> = all.iter().map(|m| m.source.as_str()).collect();
    tell_names_apart(&mut names, &sources)?;
    all.iter_mut().zip(names).for_each(|(matrix, name)| matrix.name = name);
    Ok(())
}

/// The joined rows that are finite in every matrix; what the others are is said on stderr.
fn usable(
    job: &Job,
    args: &CompareArgs,
    all: &[NamedHeld],
    rows: &[Vec<usize>],
    sweeps: &[Sweep],
) -> Result<Vec<usize>> {
    let n = rows.first().map_or(0, Vec::len);
    for ((matrix, rows), sweep) in all.iter().zip(rows).zip(sweeps) {
        let mut bad = sweep.first_bad.iter().enumerate().filter_map(|(k, unit)| unit.map(|unit| (k, unit)));
        let Some((first, unit)) = bad.next() else { continue };
        let n_bad = 1 + bad.count();
        let id = matrix.labels.as_ref().map_or(String::new(), |labels| format!(" ({:?})", labels[rows[first]]));
        let counts = format!(
            "{}: {n_bad} of {n} stimuli have a value that is NaN or infinite, the first in row {}{id}, column {unit}",
            matrix.source, rows[first]
        );
        if n_bad as f64 > LARGEST_NAN_SHARE * n as f64 && !args.allow_nan {
            bail!(
                "{counts}; more than 10 % is refused: leave those units (`npy cols`) or stimuli (`npy rows`) out, or \
                 say --allow-nan"
            );
        }
        job.warn(format!("{counts}; left out of every comparison"));
    }
    Ok((0..n).filter(|&k| sweeps.iter().all(|s| s.first_bad[k].is_none())).collect())
}

impl NamedHeld {
    fn sweep(&self, rows: &[usize]) -> Result<Sweep> {
        let found = self.held.with_patterns(|patterns| patterns.with_rows(rows, |rows| sweep(rows)));
        found.map_err(|e| anyhow!("{}: {e}", self.source))
    }

    fn ready(&self, rows: &[usize], how: &Made, largest: f64) -> Result<Ready> {
        let made = self.held.with_patterns(|patterns| patterns.with_rows(rows, |chosen| how.of(chosen, largest)));
        made.map_err(|e| anyhow!("{}: {e}", self.source))
    }
}

impl Made {
    fn of(&self, patterns: Erased, largest: f64) -> Result<Ready> {
        Ok(match self {
            Made::Whole { how, bandwidth } => {
                Ready::Whole(Representation::with_bandwidth(patterns, *how, largest, *bandwidth)?)
            }
            Made::Aligned { how, splits } => Ready::Aligned(Aligned::of(patterns, *how, splits, largest)?),
        })
    }
}
