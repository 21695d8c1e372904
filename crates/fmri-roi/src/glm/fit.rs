//! Fitting run after run, in blocks of voxels, and putting the runs together.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use brain_formats::Space;
use cli::Job;
use glm::{FixedEffects, GlmError, Model, Scaling, Statistics, Test, n_low_means, unusable};
use ndarray::Array2;
use rayon::prelude::*;
use statistics::Reason;
use voxel_inputs::Inside;

use super::bold::Voxels;
use super::contrasts::Asked;
use super::{Designed, Plan};

/// Voxels that one thread fits at a time; fixed, since the place where a block ends may decide last bits.
const BLOCK: usize = 2048;

/// Which voxels numbers are about.
pub(super) struct Place {
    /// Their numbers.
    pub voxels: Vec<usize>,
    /// Of so many.
    pub n_grid: usize,
    pub space: Option<Space>,
    pub is_f8: bool,
    pub names: Option<Vec<String>>,
}

/// What all runs together say, voxel by voxel.
pub(super) struct Fitted {
    pub statistics: Vec<Statistics>,
    pub residual_sd: Vec<f64>,
    pub r2: Vec<f64>,
    /// Degrees of freedom of the noise.
    pub df: f64,
    pub place: Place,
}

/// Blocks of voxels.
pub(super) fn blocks(n_voxels: usize) -> Vec<Range<usize>> {
    (0..n_voxels).step_by(BLOCK).map(|start| start..(start + BLOCK).min(n_voxels)).collect()
}

/// A block in the units that are fitted, why voxels of it cannot be, and how many means are too low for a per cent.
pub(super) fn prepared(
    voxels: &Voxels,
    block: &Range<usize>,
    scaling: Scaling,
) -> (Array2<f64>, Vec<Option<Reason>>, usize) {
    let mut y = voxels.block(block.clone());
    let why = unusable(y.view());
    let n_low = if scaling == Scaling::Percent { n_low_means(y.view(), &why) } else { 0 };
    scaling.apply(&mut y);
    (y, why, n_low)
}

/// Why voxels have no numbers, over the runs, and what else is to be said of them.
#[derive(Default)]
pub(super) struct Odd {
    reasons: Vec<Option<Reason>>,
    n_low: usize,
}

impl Odd {
    /// Notes what a run has found; the first reason of a voxel stays.
    pub fn note(&mut self, voxels: Range<usize>, n_voxels: usize, found: &[Option<Reason>], n_low: usize) {
        self.reasons.resize(n_voxels, None);
        self.n_low += n_low;
        for (known, found) in self.reasons[voxels].iter_mut().zip(found) {
            *known = known.or(*found);
        }
    }

    pub fn warn(&self, job: &Job, source: &str) {
        let reasons: Vec<Reason> = self.reasons.iter().flatten().copied().collect();
        if !reasons.is_empty() {
            let (n, of) = (reasons.len(), self.reasons.len());
            job.warn(format!("{source}: {n} of {of} voxels have no numbers: {}", Reason::counted(reasons)));
        }
        if self.n_low > 0 {
            job.warn(format!(
                "{source}: {} voxels (counted in each run) have a mean below 1, which is taken as 1 for their per cent; \
                 give --scale none where the data have been centred",
                self.n_low
            ));
        }
    }
}

/// Runs that are named in one message.
pub(super) fn named(runs: &[Designed]) -> String {
    match runs {
        [first] => first.run.name.clone(),
        runs => format!("{} and {} more", runs[0].run.name, runs.len() - 1),
    }
}

/// What is known of the voxels of a run, and that it is what is known of those before it.
pub(super) fn place_of(voxels: &Voxels, name: &str, space: Option<Space>, known: Option<Place>) -> Result<Place> {
    if let Some(known) = known {
        if known.voxels != voxels.voxels || known.n_grid != voxels.n_grid {
            bail!("{name}: {} voxels, but the first run has {}", voxels.n_grid, known.n_grid);
        }
        return Ok(known);
    }
    Ok(Place {
        voxels: voxels.voxels.clone(),
        n_grid: voxels.n_grid,
        space,
        is_f8: voxels.is_f8,
        names: voxels.names.clone(),
    })
}

/// All runs must be of one kind and have as many voxels, before any is read.
pub(super) fn require_one_size(runs: &[Designed]) -> Result<()> {
    let first = &runs[0].run;
    for Designed { run, .. } in runs {
        if run.space().is_some() != first.space().is_some() {
            bail!(
                "{}: an image and {} a .npy stream, or the other way round; give runs of one kind",
                run.name,
                first.name
            );
        }
        if run.n_grid() != first.n_grid() {
            bail!("{}: {} voxels, but {} has {}", run.name, run.n_grid(), first.name, first.n_grid());
        }
    }
    Ok(())
}

/// Fits all runs; each is read once and let go.
pub(super) fn fit(
    job: &Job,
    plan: &Plan,
    runs: Vec<Designed>,
    models: Vec<Model>,
    tests: &[Test],
    inside: Option<&Inside>,
) -> Result<Fitted> {
    let source = named(&runs);
    let mut place = None;
    let mut pooled: Vec<FixedEffects> = Vec::new();
    let (mut noise, mut left, mut total) = (Vec::new(), Vec::new(), Vec::new());
    let mut df = 0.0;
    let mut odd = Odd::default();
    for (Designed { run, .. }, model) in runs.into_iter().zip(models) {
        let (name, space) = (run.name.clone(), run.space().cloned());
        let voxels = run.read(job, inside)?;
        let n = voxels.n_voxels();
        place = Some(place_of(&voxels, &name, space, place)?);
        if pooled.is_empty() {
            pooled = model.n_rows().map(|n_rows| FixedEffects::new(n_rows, n, plan.weighting)).collect();
            for sums in [&mut noise, &mut left, &mut total] {
                *sums = vec![0.0; n];
            }
        }
        pooled.iter_mut().for_each(|pooled| pooled.next_run(model.df()));
        df += model.df();
        let blocks = blocks(n);
        let fit_block = |block: &Range<usize>| {
            let (y, why, n_low) = prepared(&voxels, block, plan.scaling);
            let mut fit = model.fit(y.view())?;
            fit.blank(why.iter().enumerate().filter(|(_, why)| why.is_some()).map(|(k, _)| k));
            Ok((fit, why, n_low))
        };
        let fits: Result<Vec<_>, GlmError> = blocks.par_iter().map(fit_block).collect();
        for (block, (fit, why, n_low)) in blocks.into_iter().zip(fits.with_context(|| name.clone())?) {
            odd.note(block.clone(), n, &why, n_low);
            for (k, pooled) in pooled.iter_mut().enumerate() {
                pooled.add(block.clone(), fit.effects[k].view(), fit.covariances[k].view());
            }
            let add = |sums: &mut [f64], values: &[f64], by: f64| {
                sums[block.clone()].iter_mut().zip(values).for_each(|(sum, value)| *sum += by * value);
            };
            add(&mut noise, &fit.noise_variance, model.df());
            add(&mut left, &fit.residual_squares, 1.0);
            add(&mut total, &fit.total_squares, 1.0);
        }
    }
    odd.warn(job, &source);
    let Some(place) = place else { bail!("0 runs") };
    Ok(Fitted {
        statistics: pooled.into_iter().zip(tests).map(|(pooled, test)| pooled.statistics(*test)).collect(),
        residual_sd: noise.iter().map(|sum| (sum / df).sqrt()).collect(),
        r2: left.iter().zip(&total).map(|(left, total)| 1.0 - left / total).collect(),
        df,
        place,
    })
}

/// The model of every run, before any is read.
pub(super) fn models(plan: &Plan, asked: &[Asked], runs: &[Designed]) -> Result<Vec<Model>> {
    require_one_size(runs)?;
    runs.iter().enumerate().map(|(k, run)| model(plan, asked, run, k)).collect()
}

fn model(plan: &Plan, asked: &[Asked], run: &Designed, k: usize) -> Result<Model> {
    let contrasts = asked.iter().map(|asked| asked.weights[k].clone()).collect();
    let name = &run.run.name;
    Model::new(&run.design, contrasts, plan.noise).map_err(|error| match error {
        GlmError::NotEstimable { contrast, columns } => anyhow::anyhow!(
            "{name}: {:?} cannot be estimated: columns {columns} of the design depend on each other, or are 0 \
             throughout",
            asked[contrast].text
        ),
        GlmError::DependentRows { contrast, n_rows } => anyhow::anyhow!(
            "{name}: the {n_rows} rows of {:?} depend on each other; leave out what follows from the others",
            asked[contrast].text
        ),
        other => anyhow::Error::new(other).context(name.clone()),
    })
}
