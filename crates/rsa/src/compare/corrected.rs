//! Scores over the most that noise in the brain's RDM leaves to reach, as `ceiling gsn` or `ceiling within` found it.

use anyhow::{Result, bail};
use ceiling_tables::{Array, read_rdm_bounds};
use cli::Job;
use ndarray::Array2;
use rdm::Comparison;
use statistics::{Reason, mean};

use super::args::CompareArgs;
use super::measure::Measure;
use super::scores::Scores;
use super::system::Systems;

/// Every score over the bound of its brain.
pub(super) struct Corrected {
    /// Models x brains.
    all: Array2<f64>,
    /// Per model over the brains in use that have a number.
    means: Vec<f64>,
}

/// Refuses what has no reliability, before anything is read.
pub(super) fn check(args: &CompareArgs) -> Result<()> {
    if args.r_max.is_none() {
        return Ok(());
    }
    if args.systems.all_pairs {
        bail!("--r-max is of brains, and --all-pairs has pairs of systems; leave one of them out");
    }
    match args.compare {
        Measure::Rdms(Comparison::Pearson | Comparison::Spearman) if args.systems.controls().is_none() => Ok(()),
        Measure::Rdms(Comparison::Pearson | Comparison::Spearman) => bail!(
            "--r-max bounds whole RDMs, and says nothing of what is left without the controls; leave it out, or \
             take the bounds of `ceiling rdm --{}`",
            args.systems.controls().map_or("partial", |(option, _)| option)
        ),
        other => bail!(
            "--r-max with --compare {}: `ceiling gsn` has bounds of pearson, and `ceiling within --stat rdm` of pearson \
             and spearman; compare by one of these, or take --ceiling",
            other.as_str()
        ),
    }
}

impl Corrected {
    /// `None` where it was not asked for.
    pub fn of(job: &Job, args: &CompareArgs, systems: &Systems, scores: &Scores) -> Result<Option<Corrected>> {
        let Some(input) = &args.r_max else { return Ok(None) };
        let brains = 0..systems.n_brains;
        let arrays = brains.map(|b| Array {
            name: &systems.names[b],
            source: &systems.sources[b],
            n_stimuli: systems.n_stimuli,
            n_trials: None,
        });
        let bounds = read_rdm_bounds(job, input, args.compare.as_str(), "--r-max", &arrays.collect::<Vec<_>>())?;
        let over = |(model, brain)| scores.all[(model, brain)].value / bounds[brain];
        let all = Array2::from_shape_fn(scores.all.dim(), over);
        let usable: Vec<usize> = scores.used.iter().copied().filter(|&b| !bounds[b].is_nan()).collect();
        let lost = scores.used.len() - usable.len();
        if lost > 0 {
            job.warn(format!(
                "{lost} of {} subjects have no bound above 0 in {input}, and no r_norm; its mean is over the other {}",
                scores.used.len(),
                usable.len()
            ));
        }
        let means = all.rows().into_iter().map(|row| mean(&usable.iter().map(|&b| row[b]).collect::<Vec<_>>()));
        Ok(Some(Corrected { means: means.collect(), all }))
    }

    /// The corrected score of a brain, or the mean.
    pub fn value(&self, model: usize, brain: Option<usize>) -> f64 {
        brain.map_or(self.means[model], |brain| self.all[(model, brain)])
    }

    /// Why there is no corrected score, where there is a score.
    pub fn reason(&self, model: usize, brain: Option<usize>) -> Option<Reason> {
        self.value(model, brain).is_nan().then_some(Reason::NegativeReliability)
    }
}
