//! What `rsa fit` refuses, before anything long is done.

use super::args::{FitArgs, Method};
use super::{JOINT, Study};
use crate::compare::Boot;
use anyhow::{Result, bail};
use cli::require_memory;
use rdm::inference::FEWEST_STIMULI;
use rdm::{Regressed, Regression};
use rdm_inputs::{NamedRdm, SplitBy};
use statistics::Reason;

/// The method with its options; one that would have no effect is an error.
/// Factors of penalties to choose from stand beside it.
pub(super) fn method(args: &FitArgs) -> Result<(Regression, Option<Vec<f64>>)> {
    if let (Some(by), Some(boot)) = (&args.cv_k, args.boot) {
        bail!(
            "--cv-k {by} with --boot {}: held-out parts are tested over subjects, not resampled; take one of the two at \
             a time",
            boot.over().as_str()
        );
    }
    if args.cv_k == Some(SplitBy::Groups(1)) {
        bail!("--cv-k 1 would hold everything out; 2 groups at least");
    }
    if let (Some(k), None) = (args.alpha_cv, &args.alphas) {
        bail!("--alpha-cv {k} is how one of --alphas is chosen, of which there are none; leave it out");
    }
    if let (Some(alphas), Method::Ols | Method::Nnls) = (&args.alphas, args.method) {
        bail!("--alphas {alphas} are penalties of --method ridge; ols and nnls have none");
    }
    match (args.method, args.alpha) {
        (Method::Ridge, Some(alpha)) if alpha >= 0.0 && alpha.is_finite() => {
            Ok((Regression::Ridge { alpha, standardized: !args.raw }, None))
        }
        (Method::Ridge, Some(alpha)) => bail!("--alpha {alpha}; a penalty is 0 or more"),
        (Method::Ridge, None) => match &args.alphas {
            Some(grid) => {
                let none = Regression::Ridge { alpha: 0.0, standardized: !args.raw };
                Ok((none, Some(grid.factors().to_vec())))
            }
            None => bail!(
                "--method ridge needs a penalty, as in --alpha 10 (the squared error is a sum over pairs of stimuli, so \
                 more pairs need more), or several to choose from, as in --alphas 1e-5:1e5:21"
            ),
        },
        (_, Some(alpha)) => bail!("--alpha {alpha} is the penalty of --method ridge; ols and nnls have none"),
        (_, None) if args.raw => bail!(
            "--raw is for the penalty of --method ridge; without one the columns weight and weight_std are the same \
             fit on both scales"
        ),
        (Method::Ols, None) => Ok((Regression::Ols, None)),
        (Method::Nnls, None) => Ok((Regression::Nnls, None)),
    }
}

/// Names that could not be told apart, constant models, and too few subjects, stimuli or pairs.
pub(super) fn check(args: &FitArgs, models: &[NamedRdm], brains: &[NamedRdm]) -> Result<()> {
    if let Some(named) = brains.iter().find(|named| named.name == "mean") {
        bail!(
            "{}: a subject named \"mean\" could not be told from the rows of the mean over subjects; name the {} \
             subjects with --brain-names",
            named.source,
            brains.len()
        );
    }
    if let Some(named) = models.iter().find(|named| named.name == JOINT) {
        bail!(
            "{}: a model named \"{JOINT}\" could not be told from the rows of all models; name the {} models with \
             --names",
            named.source,
            models.len()
        );
    }
    if let Some(named) = models.iter().find(|named| named.rdm.reason() == Some(Reason::Constant)) {
        bail!("{}: this model is constant, so it explains nothing beside the intercept; leave it out", named.source);
    }
    let (source, n) = (&brains[0].source, brains[0].rdm.n_stimuli());
    let pairs = |n: usize| n * n.saturating_sub(1) / 2;
    let needed = models.len() + 2;
    if pairs(n) < needed {
        bail!(
            "{source}: {n} stimuli make {} pairs, but {} models and an intercept need at least {needed}; take fewer \
             models or more stimuli",
            pairs(n),
            models.len()
        );
    }
    if let Some(SplitBy::Groups(k)) = args.cv_k {
        if k.saturating_mul(FEWEST_STIMULI) > n {
            bail!(
                "{source}: --cv-k {k} makes {k} groups of {n} stimuli, but a group needs {FEWEST_STIMULI} for pairs to \
                 predict; --cv-k {} at most",
                n / FEWEST_STIMULI
            );
        }
        let training = n - n.div_ceil(k);
        if pairs(training) < needed {
            bail!(
                "{source}: --cv-k {k} fits to {training} of {n} stimuli, {} pairs, but {} models and an intercept need \
                 at least {needed}; take more groups or fewer models",
                pairs(training),
                models.len()
            );
        }
    }
    match args.boot {
        Some(boot @ (Boot::Subjects | Boot::Both)) if brains.len() < 2 => bail!(
            "{source}: {} brain RDM; --boot {} needs at least 2 (--boot stimuli needs 1)",
            brains.len(),
            boot.over().as_str()
        ),
        Some(boot @ (Boot::Stimuli | Boot::Both)) if n < 2 * FEWEST_STIMULI => bail!(
            "{source}: {n} stimuli; --boot {} needs at least {}, or too many draws have fewer than {FEWEST_STIMULI} \
             different ones",
            boot.over().as_str(),
            2 * FEWEST_STIMULI
        ),
        _ => Ok(()),
    }
}

/// RDMs are held once more, on one scale, and every thread weighs the models for the draw or fold it is at.
pub(super) fn require_room(study: &Study) -> Result<()> {
    let (n_models, n_brains) = (study.models.len(), study.brains.len());
    let held = 1 + n_models + n_brains + rayon::current_num_threads() * (1 + n_models);
    require_memory(
        format!("the regression of {n_brains} RDMs on {n_models} over {} stimuli", study.n_stimuli()),
        study.brains[0].values().len() as u128 * 8 * held as u128,
        "take fewer stimuli (`npy rows`), models or --threads",
    )
}

/// Models that depend on each other in every subject are an error, by name; in some subjects (whose missing pairs make
/// them so) a reason.
pub(super) fn check_dependent(study: &Study, all: &[Regressed]) -> Result<()> {
    if !all.iter().all(|fit| matches!(fit.reason, Some(Reason::Collinear | Reason::Constant))) {
        return Ok(());
    }
    let Some(fit) = all.iter().find(|fit| fit.reason == Some(Reason::Collinear)) else { return Ok(()) };
    let dependent: Vec<&str> =
        study.names.iter().zip(&fit.vif).filter(|(_, vif)| vif.is_infinite()).map(|(name, _)| name.as_str()).collect();
    bail!(
        "{} of {} models depend on each other ({}): each is a weighted sum of the others and a constant, so that many \
         weights fit alike; leave one of them out, or take --method ridge",
        dependent.len(),
        study.names.len(),
        dependent.join(", ")
    );
}
