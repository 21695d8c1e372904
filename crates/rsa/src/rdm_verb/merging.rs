//! `--merge`: all RDMs as one.

use super::Made;
use super::args::RdmArgs;
use anyhow::{Result, anyhow, bail};
use cli::Job;
use npy_stream::Dtype;
use rdm::{MergeError, MergeWeights, Rdm, RdmError, Rescale, merge_rescaled};

/// What `--merge` does beside averaging.
#[derive(Debug, clap::Args)]
pub struct MergeArgs {
    /// With --merge: bring RDMs whose scales differ onto one first, weighing values by their squares (evidence), by 1 /
    /// the pairs of their RDM (setsize) or alike (simple); the squares of the result sum to about 1
    #[arg(long, value_name = "HOW", requires = "merge")]
    pub rescale: Option<Rescale>,
    /// With --merge: weights in the mean: equal, evidence, setsize, or one per RDM, as in 1,0.5,2 [default: those of
    /// --rescale, else equal]
    #[arg(long, value_name = "W", requires = "merge")]
    pub weights: Option<MergeWeights>,
    /// With --merge: refuse a result in which a pair has no value
    #[arg(long, requires = "merge")]
    pub require_all: bool,
}

/// The mean of all, over the stimuli of all.
pub(super) fn merged(job: &Job, args: &RdmArgs, made: Vec<Made>) -> Result<Made> {
    for rdm in made.iter().filter(|m| m.rdm.n_nan() > 0) {
        job.warn(format!(
            "{}: {} of {} pairs have no value (NaN){}",
            rdm.source,
            rdm.rdm.n_nan(),
            rdm.rdm.values().len(),
            rdm.why
        ));
    }
    let dtype = if made.iter().any(|m| m.dtype == Dtype::F8) { Dtype::F8 } else { Dtype::F4 };
    let sources: Vec<String> = made.iter().map(|m| m.source.clone()).collect();
    let name = made[0].name.clone().filter(|name| made.iter().all(|other| other.name.as_ref() == Some(name)));
    let rdms: Vec<Rdm> = made.into_iter().map(|m| m.rdm).collect();
    let MergeArgs { rescale, weights, .. } = &args.merging;
    let found = merge_rescaled(&rdms, *rescale, weights.as_ref()).map_err(|error| match error {
        MergeError::Rdm(RdmError::Unlabelled { index }) => {
            anyhow!("{}: no stimulus ids, and --merge joins by them; write them with `npy label`", sources[index])
        }
        MergeError::NoScale { index } => anyhow!(
            "{}: is 0 or NaN everywhere, so it has no scale for --rescale to change; leave it out",
            sources[index]
        ),
        MergeError::Apart { first, other } => anyhow!(
            "--rescale: {} and {} have no pair of stimuli in common, nor with RDMs that link them, so nothing says how \
             their scales compare; leave --rescale out, or merge what is linked",
            sources[first],
            sources[other]
        ),
        MergeError::Cancel { .. } => anyhow!("--rescale: {error}"),
        MergeError::WeightCount { .. } => anyhow!("--weights: {error}"),
        other => anyhow!("--merge: {other}"),
    })?;
    let merged = found.merged;
    job.note(format!(
        "merged {} RDMs: {} stimuli, {} pairs, of which {} in several RDMs and {} in none",
        rdms.len(),
        merged.rdm.n_stimuli(),
        merged.rdm.values().len(),
        merged.n_shared,
        merged.n_missing
    ));
    if let Some(how) = rescale {
        let factors: Vec<String> =
            sources.iter().zip(&found.factors).map(|(source, factor)| format!("{source} {factor:.4e}")).collect();
        job.note(format!("--rescale {}: multiplied {}", how.as_str(), factors.join(", ")));
        job.record("rescaled_by", found.factors);
    }
    let why = format!(": no RDM of the {} has both stimuli", rdms.len());
    Ok(Made { source: "--merge".into(), name, rdm: merged.rdm, dtype, why, is_subset: false, sigma_k: None })
}

/// Refuses what `--require-all` does, once `--subset` has cut.
pub(super) fn check_all_there(args: &RdmArgs, made: &Made) -> Result<()> {
    if !args.merging.require_all {
        return Ok(());
    }
    let n = made.rdm.n_stimuli();
    let mut pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let missing = pairs.find(|&(i, j)| made.rdm.get(i, j).is_nan());
    let (Some((i, j)), Some(labels)) = (missing, made.rdm.labels()) else { return Ok(()) };
    bail!(
        "--require-all: {} of {} pairs have no value, the first of {:?} and {:?}{}; add an RDM that has them, or leave \
         stimuli out (--subset)",
        made.rdm.n_nan(),
        made.rdm.values().len(),
        labels[i],
        labels[j],
        made.why
    );
}
