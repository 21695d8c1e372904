//! From the rows of one matrix to its RDM.

use super::args::Kind;
use super::plan::Plan;
use super::rows::Rows;
use anyhow::{Result, anyhow};
use cli::Job;
use ndarray::Array2;
use rdm::{
    Averaged, Centred, Design, Distances, Erased, FoldWeights, InMemory, NoiseError, NoiseModel, Rdm, RdmError,
    UnusableRow, WithPrior, across_groups, correlation_cv, crossnobis, crossnobis_of_folds, distances_of, gather,
    poisson_cv, stimulus_covariance, unbalanced_correlation, unbalanced_correlation_cv, unbalanced_poisson,
};
use serde_json::json;
use std::collections::BTreeSet;

/// Where the noise of one matrix comes from.
pub(super) enum Noise<'a> {
    /// Estimated already, or given with this option.
    Known { model: &'a NoiseModel, option: &'static str },
    /// From the repeated presentations of the matrix itself, with these degrees of freedom.
    Repeats(Option<f64>),
    /// One for every fold of the rows, in their order.
    Folds { models: Vec<&'a NoiseModel>, option: &'static str },
}

impl Noise<'_> {
    fn option(&self) -> &'static str {
        match self {
            Noise::Known { option, .. } | Noise::Folds { option, .. } => option,
            Noise::Repeats(_) => "--noise",
        }
    }
}

/// An RDM, and what there is to say about its rows.
pub(super) struct Measured {
    pub rdm: Rdm,
    pub unusable: Vec<UnusableRow>,
    /// Names of what is unusable, if it is not rows of the RDM: the number of presentations.
    pub n_presentations: Option<usize>,
    /// Pairs that have too few folds in common.
    pub n_pairs_apart: usize,
    /// The covariance of the noise over stimuli, where it is asked for.
    pub sigma_k: Option<Array2<f64>>,
}

/// The RDM of the used rows of `patterns`.
pub(super) fn measure(
    job: &Job,
    source: &str,
    patterns: Erased,
    rows: &Rows,
    plan: &Plan,
    noise: Option<Noise>,
    per_channel: bool,
) -> Result<Measured> {
    let all = rows.used.len() == patterns.n_stimuli() && rows.used.iter().enumerate().all(|(k, row)| k == *row);
    match all {
        true => of_rows(job, source, patterns, rows, plan, noise, per_channel),
        false => patterns.with_rows(&rows.used, |used| of_rows(job, source, used, rows, plan, noise, per_channel)),
    }
}

fn of_rows(
    job: &Job,
    source: &str,
    patterns: Erased,
    rows: &Rows,
    plan: &Plan,
    noise: Option<Noise>,
    per_channel: bool,
) -> Result<Measured> {
    let n_units = patterns.n_units();
    let Some(noise) = noise else {
        return of_prepared(job, source, patterns, rows, plan, per_channel.then_some(n_units), None);
    };
    let failed = |e: NoiseError| anyhow!("{source}: {}: {e}", noise.option());
    if let Noise::Known { model, .. } = &noise {
        model.check_channels(n_units).map_err(failed)?;
    }
    if let Noise::Folds { models, .. } = &noise {
        models.iter().try_for_each(|model| model.check_channels(n_units)).map_err(failed)?;
        return of_prepared(job, source, patterns, rows, plan, per_channel.then_some(n_units), Some(models));
    }
    let held = gather(patterns).map_err(|e| anyhow!("{source}: {e}"))?;
    let white = whitened(job, source, held, rows, plan, &noise).map_err(failed)?;
    // A whitened value is a sum over all units.
    let white = InMemory::new(white.view()).with_rounding(4.0 * n_units as f64 * f64::EPSILON);
    of_prepared(job, source, (&white).into(), rows, plan, per_channel.then_some(n_units), None)
}

fn whitened(
    job: &Job,
    source: &str,
    held: Array2<f64>,
    rows: &Rows,
    plan: &Plan,
    noise: &Noise,
) -> Result<Array2<f64>, NoiseError> {
    let own;
    let model = match noise {
        // Patterns of a fold are whitened once for each other fold, under the noise of both.
        Noise::Folds { .. } => return Ok(held),
        Noise::Known { model, .. } => model,
        Noise::Repeats(dof) => {
            own = NoiseModel::from_repeats(held.view(), &rows.stimulus, *dof, plan.shrinkage)?;
            describe(job, source, "repeats", &own, plan);
            &own
        }
    };
    match plan.kind {
        Kind::Plain(distance) => model.whiten_for(distance, held),
        Kind::CorrelationCv => model.whiten_each(held),
        _ => model.whiten(held),
    }
}

/// Says how the noise was estimated, on stderr and in the sidecar.
pub(super) fn describe(job: &Job, source: &str, from: &str, model: &NoiseModel, plan: &Plan) {
    let n_channels = model.covariance().nrows();
    let (Some(dof), Some(intensity)) = (model.dof(), model.intensity()) else {
        job.record(&format!("noise of {source}"), json!({ "from": from, "n_units": n_channels }));
        return job.note(format!("{source}: noise of {n_channels} units as given ({from})"));
    };
    let shrink = plan.shrinkage.as_str();
    job.note(format!(
        "{source}: noise of {n_channels} units from {from}, {dof} degrees of freedom, --shrink {shrink} {intensity:.3}"
    ));
    let facts = json!({ "from": from, "dof": dof, "shrink": shrink, "intensity": intensity });
    job.record(&format!("noise of {source}"), facts);
}

fn of_prepared(
    job: &Job,
    source: &str,
    patterns: Erased,
    rows: &Rows,
    plan: &Plan,
    divide_by: Option<usize>,
    noise_of_folds: Option<&[&NoiseModel]>,
) -> Result<Measured> {
    let named = |e: RdmError| anyhow!("{source}: {}", with_id(e, rows));
    let (mut n_presentations, mut n_pairs_apart, mut sigma_k) = (None, 0, None);
    let Distances { rdm, unusable } = match (plan.kind, &rows.fold, &rows.group) {
        (Kind::Plain(distance), ..) if plan.unbalanced => {
            if let Some(fold) = &rows.fold {
                say_means_differ(job, source, rows, fold, plan);
                describe_design(job, source, &Design::new(&rows.condition, fold).map_err(named)?, plan);
            }
            unbalanced(patterns, rows, distance, plan).map_err(named)?
        }
        (Kind::Plain(distance), _, Some(group)) => {
            say_means_differ(job, source, rows, group, plan);
            let found = centred(patterns, &rows.condition, group, distance, plan).map_err(named)?;
            n_presentations = Some(patterns.n_stimuli());
            let rdm = across_groups(&found.rdm, &rows.condition, group).map_err(named)?;
            Distances { rdm, unusable: found.unusable }
        }
        (Kind::Plain(distance), ..) if rows.n_conditions() == patterns.n_stimuli() => {
            of_conditions(patterns, distance, plan).map_err(named)?
        }
        (Kind::Plain(distance), ..) => {
            let members = rows.members();
            of_conditions((&Averaged::new(patterns, &members)).into(), distance, plan).map_err(named)?
        }
        (kind, fold, _) => {
            let design = Design::new(&rows.condition, fold.as_deref().unwrap_or_default()).map_err(named)?;
            describe_design(job, source, &design, plan);
            if plan.weights == FoldWeights::Folds && kind != Kind::CorrelationCv && !design.is_complete() {
                n_pairs_apart = design.n_pairs_apart();
            }
            if plan.sigma_k {
                sigma_k = Some(stimulus_covariance(patterns, &design).map_err(named)?);
            }
            match kind {
                Kind::PoissonCv => poisson_cv(patterns, &design, plan.weights, plan.prior).map_err(named)?,
                Kind::CorrelationCv => match plan.center {
                    true => {
                        let fold = fold.as_deref().unwrap_or_default();
                        say_means_differ(job, source, rows, fold, plan);
                        let centred = Centred::new(patterns, &rows.condition, fold).map_err(named)?;
                        correlation_cv(&centred, &design, plan.weights).map_err(named)?
                    }
                    false => correlation_cv(patterns, &design, plan.weights).map_err(named)?,
                },
                _ => match noise_of_folds {
                    Some(models) => crossnobis_of_folds(patterns, &design, models).map_err(named)?,
                    None => crossnobis(patterns, &design, plan.weights).map_err(named)?,
                },
            }
        }
    };
    let rdm = match divide_by {
        Some(n) => Rdm::from_condensed(rdm.into_values().into_iter().map(|v| v / n as f64).collect(), None)?,
        None => rdm,
    };
    let rdm = rdm.with_labels(rows.names.clone()).map_err(named)?;
    Ok(Measured { rdm, unusable, n_presentations, n_pairs_apart, sigma_k })
}

/// Distances by all pairs of presentations, of different folds where there are any.
fn unbalanced(patterns: Erased, rows: &Rows, distance: rdm::Distance, plan: &Plan) -> Result<Distances, RdmError> {
    let members = rows.members();
    match (distance, plan.center) {
        (rdm::Distance::Poisson, _) => unbalanced_poisson(patterns, &members, plan.prior),
        (rdm::Distance::Correlation, true) => {
            let whole = vec![0; rows.condition.len()];
            let centred = Centred::new(patterns, &rows.condition, rows.fold.as_deref().unwrap_or(&whole))?;
            unbalanced_correlations((&centred).into(), rows, &members)
        }
        (rdm::Distance::Correlation, false) => unbalanced_correlations(patterns, rows, &members),
        // The mean product over all pairs of presentations is the product of the means.
        _ => distances_of(&Averaged::new(patterns, &members), distance),
    }
}

fn unbalanced_correlations(patterns: Erased, rows: &Rows, members: &[Vec<usize>]) -> Result<Distances, RdmError> {
    match &rows.fold {
        Some(fold) => unbalanced_correlation_cv(patterns, &Design::new(&rows.condition, fold)?),
        None => unbalanced_correlation(patterns, members),
    }
}

/// Distances of patterns that are one per condition.
fn of_conditions(patterns: Erased, distance: rdm::Distance, plan: &Plan) -> Result<Distances, RdmError> {
    let n = patterns.n_stimuli();
    let all: Vec<usize> = (0..n).collect();
    centred(patterns, &all, &vec![0; n], distance, plan)
}

/// Distances of presentations, with `--center` each minus the mean of the conditions of its part.
fn centred(
    patterns: Erased,
    condition: &[usize],
    part: &[usize],
    distance: rdm::Distance,
    plan: &Plan,
) -> Result<Distances, RdmError> {
    match plan.center {
        true => distances_of(&Centred::new(patterns, condition, part)?, distance),
        false => plain(patterns, distance, plan),
    }
}

/// Parts with other conditions have other means: a distance between two of them then holds their difference.
fn say_means_differ(job: &Job, source: &str, rows: &Rows, group: &[usize], plan: &Plan) {
    if !plan.center {
        return;
    }
    let n_groups = group.iter().max().map_or(0, |g| g + 1);
    let mut there = vec![BTreeSet::new(); n_groups];
    group.iter().zip(&rows.condition).for_each(|(g, c)| {
        there[*g].insert(*c);
    });
    let (least, most) = (there.iter().map(BTreeSet::len).min(), there.iter().map(BTreeSet::len).max());
    if let (Some(least), Some(most), false) = (least, most, there.windows(2).all(|pair| pair[0] == pair[1])) {
        job.warn(format!(
            "{source}: --center within {}: its {n_groups} values have {least} to {most} of {} stimuli, not \
             the same ones, so their means are over different stimuli",
            if rows.group.is_some() { "--exclude-same" } else { "folds" },
            rows.n_conditions()
        ));
    }
}

fn plain(patterns: Erased, distance: rdm::Distance, plan: &Plan) -> Result<Distances, RdmError> {
    match distance {
        rdm::Distance::Poisson => distances_of(&WithPrior::new(patterns, plan.prior), distance),
        _ => distances_of(patterns, distance),
    }
}

/// Rows of errors with their id.
fn with_id(error: RdmError, rows: &Rows) -> String {
    let id = match &error {
        RdmError::NotARate { row, .. } => rows.names.as_ref().and_then(|names| names.get(*row)),
        _ => None,
    };
    match id {
        Some(id) => format!("{error} (stimulus {id:?})"),
        None => error.to_string(),
    }
}

fn describe_design(job: &Job, source: &str, design: &Design, plan: &Plan) {
    let (n, folds) = (design.n_conditions(), design.n_folds());
    let how = if plan.unbalanced { "pairs" } else { plan.weights.as_str() };
    let facts = json!({ "n_folds": folds, "cv_weights": how, "balanced": design.is_balanced() });
    job.record(&format!("folds of {source}"), facts);
    if design.is_balanced() {
        return;
    }
    let counts = || (0..n).flat_map(|c| (0..folds).map(move |f| design.count(c, f)));
    let missing = counts().filter(|n| *n == 0).count();
    job.note(format!(
        "{source}: unbalanced: {n} stimuli have {} to {} presentations in each of {folds} folds, {missing} of {} are \
         missing; put together by {}",
        counts().min().unwrap_or(0),
        counts().max().unwrap_or(0),
        n * folds,
        if plan.unbalanced { "--unbalanced".to_string() } else { format!("--cv-weights {how}") }
    ));
}
