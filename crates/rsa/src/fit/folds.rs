//! Which stimuli are held out, and by which a penalty is chosen.

use super::Study;
use super::args::FitArgs;
use anyhow::{Result, anyhow, bail};
use cli::Job;
use rdm::inference::{FEWEST_STIMULI, Groups};
use rdm_inputs::{FoldsOf, SplitBy};
use statistics::folds_of_set;

/// The fold of every stimulus, and how many folds there are.
pub(super) type FoldsOfStimuli = (Vec<usize>, usize);

/// All folds that were asked for.
pub(super) struct FitFolds {
    /// Those of `--cv-k`.
    pub held_out: Option<FoldsOfStimuli>,
    /// With a penalty to choose: those of all stimuli.
    pub choice: Option<FoldsOfStimuli>,
    /// With both: for each that is held out those of the others.
    pub nested: Vec<FoldsOfStimuli>,
}

/// Groups by which a penalty is chosen unless told otherwise.
const CHOICE: usize = 5;

impl FitFolds {
    /// Dealt from the set of ids, so that they are the same in whatever order the rows stand; given ones as they are.
    pub fn new(job: &Job, args: &FitArgs, study: &Study) -> Result<FitFolds> {
        let n = study.n_stimuli();
        let all: Vec<usize> = (0..n).collect();
        let source = &study.source;
        let mut given = false;
        let held_out = match &args.cv_k {
            None => None,
            Some(SplitBy::Groups(k)) => {
                job.record("seed", args.seed);
                Some((deal(study, &all, *k, args.seed).map_err(|e| anyhow!("--cv-k {k}: {e}"))?, *k))
            }
            Some(by) => {
                given = true;
                let ids = study.brains[0].labels().map(|ids| ids.iter().map(String::as_str).collect::<Vec<&str>>());
                let folds = by.partition(job, FoldsOf::Stimuli, source, ids.as_deref(), &Groups::each(n))?;
                let folds = (folds.numbers(0), folds.len());
                require_pairs(study, &format!("--cv-k {by}"), &folds, &all)?;
                Some(folds)
            }
        };
        let mut folds = FitFolds { held_out, choice: None, nested: Vec::new() };
        if study.penalties.is_none() {
            return Ok(folds);
        }
        // Given folds are the choice's too, but that two of them leave one, in which there is nothing to choose by.
        let as_given = folds.held_out.clone().filter(|(_, k)| given && *k > 2 && args.alpha_cv.is_none());
        let dealt = |some: &[usize]| -> Result<FoldsOfStimuli> {
            let most = some.len() / FEWEST_STIMULI;
            let k = args.alpha_cv.map_or_else(|| CHOICE.min(most), |k| k as usize);
            if k < 2 || k > most {
                bail!(
                    "{source}: a penalty is chosen by {} groups of {} stimuli, but a group needs {FEWEST_STIMULI} for \
                     pairs to predict; {}",
                    k.max(2),
                    some.len(),
                    match most {
                        0 | 1 => "take more stimuli, or one penalty (--alpha A)".to_owned(),
                        most => format!("--alpha-cv {most} at most"),
                    }
                );
            }
            // Another seed than outside: with the same folds there would be one fewer.
            let found =
                (deal(study, some, k, args.seed.wrapping_add(1)).map_err(|e| anyhow!("--alpha-cv {k}: {e}"))?, k);
            require_pairs(study, &format!("--alpha-cv {k}"), &found, some)?;
            Ok(found)
        };
        job.record("seed", args.seed);
        folds.choice = Some(match &as_given {
            Some(given) => given.clone(),
            None => dealt(&all)?,
        });
        if let Some((fold_of, k)) = &folds.held_out {
            for out in 0..*k {
                let others: Vec<usize> = all.iter().copied().filter(|&i| fold_of[i] != out).collect();
                folds.nested.push(match &as_given {
                    // The last takes the number of the one that is held out.
                    Some((fold_of, k)) => {
                        let renumbered = fold_of.iter().map(|&fold| if fold == k - 1 { out } else { fold });
                        let inner = (renumbered.collect(), k - 1);
                        require_pairs(study, "--alphas within the folds of --cv-k", &inner, &others)?;
                        inner
                    }
                    None => dealt(&others)?,
                });
            }
        }
        Ok(folds)
    }
}

/// A number from 0 to below k for each of `some` stimuli; 0 for the others.
fn deal(study: &Study, some: &[usize], k: usize, seed: u64) -> Result<Vec<usize>, statistics::FoldError> {
    let dealt = match study.brains[0].labels() {
        Some(ids) => folds_of_set(&some.iter().map(|&i| &ids[i]).collect::<Vec<_>>(), k, seed),
        None => folds_of_set(some, k, seed),
    }?;
    let mut fold_of = vec![0; study.n_stimuli()];
    some.iter().zip(dealt.fold_of_row).for_each(|(&i, fold)| fold_of[i] = fold);
    Ok(fold_of)
}

/// Refuses folds of `some` stimuli in which there is nothing to predict, or without which there is too little to fit
/// to.
fn require_pairs(study: &Study, option: &str, (fold_of, k): &FoldsOfStimuli, some: &[usize]) -> Result<()> {
    let (source, needed) = (&study.source, study.models.len() + 2);
    for fold in 0..*k {
        let n = some.iter().filter(|&&i| fold_of[i] == fold).count();
        if n < FEWEST_STIMULI {
            bail!(
                "{source}: {option}: a fold has {n} of {} stimuli, but needs {FEWEST_STIMULI} for pairs to predict",
                some.len()
            );
        }
        let training = some.len() - n;
        let pairs = training * training.saturating_sub(1) / 2;
        if pairs < needed {
            bail!(
                "{source}: {option} fits to {training} of {} stimuli, {pairs} pairs, but {} models and an intercept need \
                 at least {needed}; take other folds or fewer models",
                some.len(),
                study.models.len()
            );
        }
    }
    Ok(())
}
