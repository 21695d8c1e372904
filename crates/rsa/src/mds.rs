//! `rsa mds`: a map of the stimuli of an RDM, or of systems.

use crate::dissimilarities::{PairArgs, id, read, usable};
use anyhow::{Result, anyhow, bail};
use clap::ValueEnum;
use cli::{Common, Format, Input, Job, Named, TableWriter};
use ndarray::Array2;
use rdm::{Comparison, MdsError, Rdm, Scaling, Stopping, classical_mds, smacof_of_starts, stress_1};
use rdm_inputs::{NamedRdm, say_broken_ties, say_constant};
use statistics::Reason;

const HELP: &str = "\
One row per RDM and stimulus (or system):
  array, stimulus
  x, y, z, d4, ..  its place on the map: centred, the widest dimension first, the largest
                   coordinate of each dimension positive
  method
  stress           Stress-1 (Kruskal 1964): sqrt(sum (d - dhat)^2 / sum d^2) over pairs, d the
                   distances on the map, dhat the dissimilarities (classical, metric) or the numbers
                   fitted to their order (nonmetric). scikit-learn's normalized_stress=True.
                   0 is perfect, .05 good, .1 fair, .2 poor
  start, n_iter    SMACOF: which start won (0 is classical scaling, k is random start k) and its
                   iterations
  reason           why a stimulus has no place: no_usable_pair (all its pairs are NaN), constant (all
                   distances of the RDM are equal, which fewer than n - 1 dimensions cannot show)
Start k is drawn from stream k of --seed. A map needs every pair: other NaN are refused. stderr says
which share of the RDM classical scaling shows, and when SMACOF ran out of iterations.

Examples:
  rsa mds ann.npy > map.csv
  rsa mds --method nonmetric --n-init 16 --seed 1 ann.npy > map.csv
  rsa mds --pairs model,subject --value r --similarity --clip scores.csv > systems.csv";

/// Arguments of `rsa mds`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct MdsArgs {
    /// RDMs, each file possibly a stream of several (with --pairs: tables); - is stdin
    #[arg(value_name = "RDM", default_value = "-")]
    pub inputs: Vec<Input>,
    /// How the map is made
    #[arg(long, value_enum, default_value_t = Method::Classical)]
    pub method: Method,
    /// Dimensions of the map
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub dims: u32,
    /// Starts of SMACOF: classical scaling, then random ones
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub n_init: u32,
    /// Seed of the random starts
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Most iterations of one start
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_iter: u32,
    /// SMACOF stops when an iteration takes less than this part of the squared distances off the stress
    #[arg(long, value_name = "X", default_value_t = 1e-6)]
    pub eps: f64,
    /// What the inputs hold.
    #[command(flatten)]
    pub pairs: PairArgs,
    /// Names of the RDMs, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

/// What makes the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Classical scaling (Torgerson 1952): eigenvectors, no seed
    Classical,
    /// SMACOF on the dissimilarities themselves
    Metric,
    /// SMACOF on their order alone (Kruskal 1964)
    Nonmetric,
}

/// A map, and how it came about.
struct Map {
    points: Array2<f64>,
    stress: f64,
    start_and_iterations: Option<(usize, usize)>,
    reason: Option<Reason>,
}

pub(crate) fn run(args: &MdsArgs) -> Result<()> {
    if !(args.eps >= 0.0 && args.eps.is_finite()) {
        bail!("--eps {}: give a number of 0 or more", args.eps);
    }
    args.pairs.check()?;
    let job = Job::start("rsa", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    job.record("method", method(args.method));
    job.record("seed", args.seed);
    let rdms = read(&job, &args.inputs, &args.names, &args.pairs)?;
    let mut maps = Vec::new();
    for named in &rdms {
        let usable = usable(&job, named)?;
        let map = map(&job, args, named, &usable.rdm)?;
        // Row of the map for each stimulus; none for those without a pair.
        let mut place = vec![None; named.rdm.n_stimuli()];
        usable.kept.iter().enumerate().for_each(|(k, &row)| place[row] = Some(k));
        maps.push((map, place));
    }

    let n_dims = args.dims as usize;
    let coordinates: Vec<String> = (1..=n_dims).map(axis).collect();
    let mut columns = vec!["array", "stimulus"];
    columns.extend(coordinates.iter().map(String::as_str));
    columns.extend(["method", "stress", "start", "n_iter", "reason"]);
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for (named, (map, place)) in rdms.iter().zip(&maps) {
        for (row, place) in place.iter().enumerate() {
            let mut cells: Vec<Named> = vec![("array", (&named.name).into()), ("stimulus", id(&named.rdm, row).into())];
            let at = |d: usize| place.map_or(f64::NAN, |p| map.points[(p, d)]);
            cells.extend(coordinates.iter().enumerate().map(|(d, axis)| (axis.as_str(), at(d).into())));
            let reason = place.map_or(Some(Reason::NoUsablePair), |_| map.reason);
            cells.extend([
                ("method", method(args.method).into()),
                ("stress", map.stress.into()),
                ("start", map.start_and_iterations.map(|s| s.0).into()),
                ("n_iter", map.start_and_iterations.map(|s| s.1).into()),
                ("reason", reason.map(Reason::as_str).into()),
            ]);
            table.record(&cells)?;
        }
    }
    table.into_inner().commit(&job)
}

fn map(job: &Job, args: &MdsArgs, named: &NamedRdm, rdm: &Rdm) -> Result<Map> {
    let refused = |error: MdsError| {
        let advice = match &error {
            MdsError::Missing { first, second, .. } => {
                format!(
                    " (\"{}\" and \"{}\"); leave stimuli out before the RDM is made (`npy rows`)",
                    id(rdm, *first),
                    id(rdm, *second)
                )
            }
            MdsError::Negative { .. } => "; --clip takes them for 0".into(),
            _ => String::new(),
        };
        anyhow!("{}: {error}{advice}", named.source)
    };
    let n_dims = args.dims as usize;
    // Points that are all equally far apart span n - 1 dimensions; which of them a map shows is arbitrary.
    let all_zero = rdm.reason_under(Comparison::Cosine).is_some();
    let constant = rdm.n_nan() == 0 && rdm.reason() == Some(Reason::Constant);
    if constant && (all_zero || n_dims + 1 < rdm.n_stimuli()) {
        say_constant(job, &named.source, rdm, "no map shows it, and its places are NaN");
        let points = Array2::from_elem((rdm.n_stimuli(), n_dims), f64::NAN);
        return Ok(Map { points, stress: f64::NAN, start_and_iterations: None, reason: Some(Reason::Constant) });
    }
    if args.method == Method::Nonmetric {
        say_broken_ties(job, [(named.source.as_str(), rdm)], "non-metric maps");
    }
    let how = match args.method {
        Method::Metric => Scaling::Metric,
        Method::Nonmetric => Scaling::NonMetric,
        Method::Classical => {
            let classical = classical_mds(rdm, n_dims).map_err(refused)?;
            say_what_is_shown(job, named, &classical.eigenvalues, n_dims);
            let stress = stress_1(rdm, classical.points.view());
            return Ok(Map { points: classical.points, stress, start_and_iterations: None, reason: None });
        }
    };
    let stopping = Stopping { max_iter: args.max_iter as usize, eps: args.eps };
    let best = smacof_of_starts(rdm, n_dims, how, args.n_init as usize, args.seed, stopping).map_err(refused)?;
    if !best.converged {
        job.warn(format!(
            "{}: the stress was still falling after {} iterations; give more with --max-iter",
            named.source, best.n_iter
        ));
    }
    Ok(Map {
        points: best.points,
        stress: best.stress,
        start_and_iterations: Some((best.start, best.n_iter)),
        reason: None,
    })
}

/// The share of the positive eigenvalues that the dimensions hold, and how much no Euclidean map can show.
fn say_what_is_shown(job: &Job, named: &NamedRdm, eigenvalues: &[f64], n_dims: usize) {
    let positive: f64 = eigenvalues.iter().filter(|v| **v > 0.0).sum();
    let negative: f64 = eigenvalues.iter().filter(|v| **v < 0.0).map(|v| -v).sum();
    let shown: f64 = eigenvalues.iter().take(n_dims).filter(|v| **v > 0.0).sum();
    job.note(format!(
        "{}: {n_dims} dimensions hold {:.1} % of the positive eigenvalues; the negative ones are {:.1} % of all",
        named.source,
        100.0 * shown / positive,
        100.0 * negative / (positive + negative)
    ));
    // 1e-9: points in fewer dimensions have eigenvalues of rounding size, on either side of 0.
    let n_real = eigenvalues.iter().take(n_dims).filter(|v| **v > 1e-9 * eigenvalues[0]).count();
    if n_real < n_dims {
        job.warn(format!(
            "{}: {n_dims} dimensions, but the points spread over only {n_real}; the others are 0",
            named.source
        ));
    }
}

/// x, y, z, d4, ...
fn axis(number: usize) -> String {
    match number {
        1 => "x".into(),
        2 => "y".into(),
        3 => "z".into(),
        _ => format!("d{number}"),
    }
}

fn method(method: Method) -> &'static str {
    match method {
        Method::Classical => "classical",
        Method::Metric => "metric",
        Method::Nonmetric => "nonmetric",
    }
}
