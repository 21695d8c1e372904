//! `rsa rdm`: one RDM per matrix, or one of all.

mod args;
mod measure;
mod merging;
mod noises;
mod plan;
mod rows;
mod sigma_k;

use crate::held::Held;
use crate::write_rdm::write_rdm;
use anyhow::{Context, Result, anyhow, bail};
use args::Metric;
use array_inputs::{NamedArray, Next, each_array, hold, read_table, require_unique};
use cli::{Input, Job, require_memory};
use measure::{Measured, Noise, measure};
use noises::Noises;
use npy_stream::{Array, Dtype, Incoming, Labels, Values};
use plan::Plan;
use rdm::{Erased, Rdm, Widened};
use rdm_inputs::{Kind, check_nan, from_array};
use rows::{Annotations, Rows};
use sigma_k::SigmaK;
use statistics::Reason;
use stimulus_table::Side;

pub use args::{RdmArgs, Shrink};

/// Reads matrix by matrix, holds only their RDMs, and writes when all are made.
pub(crate) fn run(args: &RdmArgs) -> Result<()> {
    let plan = Plan::new(args)?;
    let job = Job::start("rsa", &args.common)?;
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let mut sigma_out = args.save_sigma_k.as_deref().map(|path| job.binary_output(Some(path))).transpose()?;
    record(&job, args, &plan);
    let annotations = Annotations::read(&job, args)?;
    let subset = args.subset.as_ref().map(|input| Subset::read(&job, input)).transpose()?;
    let mut noise = Noises::read(&job, args, &plan)?;

    if plan.over_folds() || args.cv.is_some() || args.exclude_same.is_some() {
        let so = format!("--metric {} over runs is not without bias", plan.metric.as_str());
        job.warn_of_dependent_trials(&args.inputs, &so);
    }

    let mut made: Vec<Made> = Vec::new();
    each_array(&job, &args.inputs, |Next { input, source, array, .. }| {
        if args.save_sigma_k.is_some() {
            sigma_k::check_one(&source, made.len())?;
        }
        made.push(match Given::take(array, input, &source, &plan, args.input_is)? {
            Given::Rdm(made) => made,
            Given::Patterns { held, labels } => {
                let side = Side { name: &source, labels: labels.ids.as_deref(), n_rows: held.n_rows() };
                let rows = Rows::new(&job, args, &plan, annotations.as_ref(), side)?;
                if rows.fold.is_none() && rows.group.is_none() && args.by.is_none() && !args.unbalanced {
                    require_unique(side)?;
                }
                let noise = noise.next(&source, &rows)?;
                let made = one(&job, args, &plan, source.clone(), &held, rows, noise, subset.as_ref())?;
                Made { name: labels.name, ..made }
            }
        });
        Ok(())
    })?;
    noise.finish(made.len())?;
    if let Some(out) = &mut sigma_out {
        sigma_k::write(out, &made)?;
    }

    if args.merge {
        made = vec![merging::merged(&job, args, made)?];
    }
    for rdm in made {
        let rdm = finished(&job, args, rdm, subset.as_ref())?;
        write_rdm(&mut out, &rdm.rdm, rdm.name.as_deref(), args.dtype.unwrap_or(rdm.dtype), args.square)?;
    }
    if let Some(out) = sigma_out {
        out.commit(&job)?;
    }
    out.commit(&job)
}

/// An RDM on its way to the output.
struct Made {
    source: String,
    /// The name that the array has behind it.
    name: Option<String>,
    rdm: Rdm,
    dtype: Dtype,
    /// Why pairs have no value, for the message that counts them.
    why: String,
    /// Whether it stands over the ids of `--subset` already.
    is_subset: bool,
    /// What `--save-sigma-k` is to hold.
    sigma_k: Option<SigmaK>,
}

/// What one array of the input is.
enum Given {
    Patterns { held: Held, labels: Labels },
    Rdm(Made),
}

impl Given {
    /// A matrix stays in its file where that can be read in pieces. A square one is read: it may be an RDM, unless it
    /// was declared to be patterns.
    fn take(next: Incoming, input: &Input, source: &str, plan: &Plan, declared: Option<Kind>) -> Result<Given> {
        let may_be_rdm = declared == Some(Kind::Rdm) || matches!(next.shape(), &[n, m] if n == m && n > 1);
        let may_be_rdm = may_be_rdm && declared != Some(Kind::Patterns);
        if let (false, Some(place)) = (may_be_rdm, next.parts().filter(|parts| !parts.is_fortran())) {
            let labels = next.finish().with_context(|| input.to_string())?;
            return Ok(Given::Patterns { held: Held::InFile(place), labels });
        }
        let array = hold(next, source)?;
        if array.shape.len() == 1 || Kind::is_rdm(declared, &array) {
            match (array.shape.len(), plan.takes_rdms, plan.needs_patterns) {
                (_, true, None) => return Made::given(array, source).map(Given::Rdm),
                (_, true, Some(option)) => {
                    bail!(
                        "{source}: is an RDM, and {option} is for patterns; leave it out to go on with the RDM as it is"
                    )
                }
                (2, false, _) => bail!(
                    "{source}: {n} x {n}, symmetric with a zero diagonal, is an RDM already; `rsa compare` takes it \
                     as it \
                     is, and --transform, --merge or --subset change it (if it is not one, say --input-is patterns)",
                    n = array.shape[0]
                ),
                // The error of a matrix that is none says what the shape is.
                (_, false, _) => {}
            }
        }
        if let &[n_values] = array.shape.as_slice() {
            bail!(
                "{source}: {n_values} values on 1 axis, as RDMs have; `rsa compare` takes an RDM as it is, and \
                 --transform, --merge or --subset change it; patterns have 2 axes (stimuli x units)"
            );
        }
        let (matrix, labels) = array.into_matrix().map_err(|e| anyhow!("{source}: {e}"))?;
        Ok(Given::Patterns { held: Held::InMemory(matrix), labels })
    }
}

impl Made {
    fn given(array: Array, source: &str) -> Result<Made> {
        let dtype = match array.values {
            Values::F4(_) => Dtype::F4,
            Values::F8(_) => Dtype::F8,
        };
        let (name, source) = (source.to_string(), source.to_string());
        let named = from_array(NamedArray { name, names_in_tables: Vec::new(), source: source.clone(), array })?;
        let (name, why) = (named.own, String::new());
        Ok(Made { source, name, rdm: named.rdm, dtype, why, is_subset: false, sigma_k: None })
    }
}

#[allow(clippy::too_many_arguments)] // each is another thing that was read
fn one(
    job: &Job,
    args: &RdmArgs,
    plan: &Plan,
    source: String,
    held: &Held,
    mut rows: Rows,
    noise: Option<Noise>,
    subset: Option<&Subset>,
) -> Result<Made> {
    let dtype = if held.is_double() { Dtype::F8 } else { Dtype::F4 };
    // Rows that are not asked for need no distances, where one row is one stimulus; for --center they count.
    let mut places = None;
    if let (Some(subset), false, false) = (subset, args.merge || args.center, noise.is_some())
        && rows.condition.iter().enumerate().all(|(row, c)| row == *c)
        && rows.fold.is_none()
        && rows.group.is_none()
    {
        let found = rows.keep_only(&source, &subset.ids)?;
        subset.check_some(&source, &found)?;
        places = Some(found);
    }
    let n = rows.n_conditions() as u128;
    let remedy = "take fewer stimuli (`npy rows`), or average trials (`npy average`)";
    require_memory(format!("{source}: the distances between {n} stimuli"), n * n.saturating_sub(1) / 2 * 8, remedy)?;
    let per_channel = args.per_channel;
    // What is to be written in f8 is computed in f8.
    let wide = args.dtype == Some(Dtype::F8);
    let found = held.with_patterns(|patterns| {
        let measured = |patterns: Erased| measure(job, &source, patterns, &rows, plan, noise, per_channel);
        match patterns {
            Erased::Single(narrow) if wide => measured((&Widened(narrow)).into()),
            patterns => measured(patterns),
        }
    })?;
    let why = summary(&found, &rows);
    let sigma_k =
        found.sigma_k.as_ref().map(|sigma| SigmaK::of(job, &source, sigma, &rows, held, subset)).transpose()?;
    let mut rdm = found.rdm;
    let is_subset = places.is_some();
    if let (Some(places), Some(subset)) = (places, subset) {
        rdm = rdm.onto(&places)?.with_labels(Some(subset.ids.clone()))?;
    }
    Ok(Made { source, name: None, rdm, dtype, why, is_subset, sigma_k })
}

/// Subset, transforms, and the count of what has no value.
fn finished(job: &Job, args: &RdmArgs, mut made: Made, subset: Option<&Subset>) -> Result<Made> {
    if let (Some(subset), false) = (subset, made.is_subset) {
        made.rdm = subset.of(&made)?;
    }
    if let Some(subset) = subset {
        made.why = format!("{}{}", made.why, subset.say_missing(&made));
    }
    merging::check_all_there(args, &made)?;
    check_nan(job, &made.source, &made.rdm, &made.why, args.allow_nan)?;
    for transform in &args.transform {
        let found = transform.apply(made.rdm).map_err(|e| anyhow!("{}: {e}", made.source))?;
        if found.n_negative > 0 {
            job.warn(format!(
                "{}: --transform {transform}: {} negative values became 0",
                made.source, found.n_negative
            ));
        }
        if let Some(value) = found.no_spread {
            job.warn(format!(
                "{}: --transform {transform}: what it stretches is {value} everywhere (constant); all {} pairs are NaN",
                made.source,
                found.rdm.values().len()
            ));
        }
        if found.n_apart > 0 {
            job.warn(format!(
                "{}: --transform {transform}: {} of {} pairs are linked by no way without a pair of the largest value \
                 (no_usable_pair); they are NaN",
                made.source,
                found.n_apart,
                found.rdm.values().len()
            ));
        }
        made.rdm = found.rdm;
    }
    Ok(made)
}

/// The ids of `--subset`.
struct Subset {
    name: String,
    ids: Vec<String>,
}

impl Subset {
    fn read(job: &Job, input: &Input) -> Result<Subset> {
        let table = read_table(job, input)?;
        let ids = table.ids().with_context(|| input.to_string())?.1.to_vec();
        require_unique(Side { name: &input.to_string(), labels: Some(&ids), n_rows: ids.len() })?;
        Ok(Subset { name: input.to_string(), ids })
    }

    fn of(&self, made: &Made) -> Result<Rdm> {
        let labels = made.rdm.labels().ok_or_else(|| {
            anyhow!("{}: no stimulus ids, so --subset finds none in it; write them with `npy label`", made.source)
        })?;
        let place: std::collections::HashMap<&str, usize> =
            labels.iter().enumerate().map(|(k, label)| (label.as_str(), k)).collect();
        let places: Vec<Option<usize>> = self.ids.iter().map(|id| place.get(id.as_str()).copied()).collect();
        self.check_some(&made.source, &places)?;
        Ok(made.rdm.onto(&places)?.with_labels(Some(self.ids.clone()))?)
    }

    fn check_some(&self, source: &str, places: &[Option<usize>]) -> Result<()> {
        if places.iter().flatten().count() < 2 {
            bail!(
                "{source}: has {} of the {} ids of {}; an RDM needs at least 2",
                places.iter().flatten().count(),
                self.ids.len(),
                self.name
            );
        }
        Ok(())
    }

    /// `; 3 of the 20 stimuli of ids.csv are not there`
    fn say_missing(&self, made: &Made) -> String {
        let n = made.rdm.n_stimuli();
        let lost = (0..n).filter(|i| (0..n).all(|j| *i == j || made.rdm.get(*i, j).is_nan())).count();
        match lost {
            0 => String::new(),
            _ => format!("; {lost} of the {n} stimuli of {} have no pair", self.name),
        }
    }
}

/// The facts of the sidecar that the arguments decide.
fn record(job: &Job, args: &RdmArgs, plan: &Plan) {
    job.record("metric", plan.metric.as_str());
    job.record("per_channel", args.per_channel);
    job.record("center", args.center);
    if let Metric::Minkowski = plan.metric {
        let p = args.p.map_or(2.0, rdm::Power::get);
        // JSON has no infinity.
        job.record("p", if p.is_finite() { serde_json::json!(p) } else { "inf".into() });
    }
    if args.unbalanced {
        job.record("unbalanced", true);
    }
    for (key, column) in [("by", &args.by), ("cv", &args.cv), ("exclude_same", &args.exclude_same)] {
        if let Some(column) = column {
            job.record(key, column.as_str());
        }
    }
    if matches!(plan.metric, Metric::Poisson | Metric::PoissonCv) {
        job.record("prior_rate", plan.prior.rate);
        job.record("prior_weight", plan.prior.weight);
    }
    if !args.transform.is_empty() {
        job.record("transform", args.transform.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
}

/// `: 3 of 96 rows unusable (2 constant, 1 nan_input), the first is row 4 ("s4")`
fn summary(found: &Measured, rows: &Rows) -> String {
    let apart = match found.n_pairs_apart {
        0 => String::new(),
        n => format!(": {n} pairs have fewer than 2 folds in common (--cv-weights pairs needs none)"),
    };
    let Some(first) = found.unusable.first() else { return apart };
    // Presentations have the name of their condition.
    let place = if found.n_presentations.is_some() { rows.condition[first.row] } else { first.row };
    let id = rows.names.as_ref().map(|names| format!(" ({:?})", names[place])).unwrap_or_default();
    format!(
        "{apart}: {} of {} rows unusable ({}), the first is row {}{id}",
        found.unusable.len(),
        found.n_presentations.unwrap_or(found.rdm.n_stimuli()),
        Reason::counted(found.unusable.iter().map(|row| row.reason)),
        first.row
    )
}
