//! What the options of `rsa rdm` ask for, checked before anything is read.

use super::args::{Kind, Metric, RdmArgs};
use anyhow::{Result, bail};
use rdm::{FoldWeights, Prior, Shrinkage};

/// The options that belong together, with their defaults.
pub(super) struct Plan {
    pub metric: Metric,
    pub kind: Kind,
    /// Whether the mean pattern is taken off first.
    pub center: bool,
    pub weights: FoldWeights,
    pub shrinkage: Shrinkage,
    pub prior: Prior,
    /// Whether RDMs may be given: there is something to do to them, and nothing that needs patterns.
    pub takes_rdms: bool,
    /// The first option that needs patterns.
    pub needs_patterns: Option<&'static str>,
}

impl Plan {
    /// An option that would do nothing is an error.
    pub fn new(args: &RdmArgs) -> Result<Plan> {
        let metric = args.metric.unwrap_or(Metric::Correlation);
        let (kind, name) = (metric.kind(), metric.as_str());
        let over_folds = !matches!(kind, Kind::Plain(_));
        let of_counts = matches!(metric, Metric::Poisson | Metric::PoissonCv);
        if args.per_channel && !metric.is_sum() {
            bail!(
                "--per-channel divides sums over units by their number, and {name} is not such a sum; it goes with \
                 --metric sqeuclidean, cityblock, sqmahalanobis, crossnobis, poisson or poisson_cv"
            );
        }
        if args.center && metric.is_of_differences() {
            bail!(
                "--center with --metric {name}, which is made of differences of patterns: their mean cancels, (a - m) - \
                 (b - m) is a - b, so leave it out; it goes with correlation, cosine and spearman"
            );
        }
        if args.center && of_counts {
            bail!(
                "--center with --metric {name}, which is for counts: minus their mean some are below 0; it goes with \
                 correlation, cosine and spearman"
            );
        }
        let of_noise = [("--shrink", args.shrink.is_some()), ("--dof", args.dof.is_some())];
        let of_folds = [("--cv", args.cv.is_some()), ("--cv-weights", args.cv_weights.is_some())];
        let of_prior = [("--prior-rate", args.prior_rate.is_some()), ("--prior-weight", args.prior_weight.is_some())];
        let of_table =
            [("--by", args.by.is_some()), ("--cv", args.cv.is_some()), ("--exclude-same", args.exclude_same.is_some())];
        let first = |of: &[(&'static str, bool)]| of.iter().find(|(_, given)| *given).map(|(option, _)| *option);
        if let (Some(option), None) = (first(&of_noise), &args.noise) {
            bail!(
                "{option} says how the noise is estimated; say from what with --noise RESIDUALS.npy or --noise repeats"
            );
        }
        if let (Some(option), false) = (first(&of_folds), over_folds) {
            bail!(
                "{option} says what the folds are, and --metric {name} has none; it goes with crossnobis and poisson_cv"
            );
        }
        if let (Some(option), false) = (first(&of_prior), of_counts) {
            bail!("{option} is the prior of Poisson rates; it goes with --metric poisson or poisson_cv, not {name}");
        }
        if let (true, Some(_)) = (over_folds, &args.exclude_same) {
            bail!(
                "--exclude-same with --metric {name}, which multiplies different folds only and has nothing to \
                 exclude; name the column of the folds with --cv"
            );
        }
        if let (Some(option), None) = (first(&of_table), &args.stimuli) {
            bail!("{option} names a column; give the table that has it with --stimuli TABLE");
        }
        if let (None, Some(table)) = (first(&of_table), &args.stimuli) {
            bail!("--stimuli {table} without --by, --cv or --exclude-same; name the column to use");
        }
        if matches!(metric, Metric::Mahalanobis | Metric::Sqmahalanobis) && args.noise.is_none() {
            bail!("--metric {name} needs --noise RESIDUALS.npy or --noise repeats (without noise it is euclidean)");
        }
        if of_counts && args.noise.is_some() {
            bail!(
                "--noise with --metric {name}: the rate of a whitened count is not defined; leave one of the two out"
            );
        }
        let prior = Prior {
            rate: args.prior_rate.unwrap_or(Prior::default().rate),
            weight: args.prior_weight.unwrap_or(Prior::default().weight),
        };
        if !(prior.rate > 0.0 && prior.weight >= 0.0 && prior.rate.is_finite() && prior.weight.is_finite()) {
            bail!(
                "--prior-rate {} --prior-weight {}; the rate is above 0, the weight 0 or more",
                prior.rate,
                prior.weight
            );
        }
        if let Some(dof) = args.dof.filter(|dof| !(*dof > 0.0 && dof.is_finite())) {
            bail!("--dof {dof}; degrees of freedom are above 0");
        }
        let needs_patterns = first(&[
            ("--metric", args.metric.is_some()),
            ("--center", args.center),
            ("--per-channel", args.per_channel),
            ("--noise", args.noise.is_some()),
            ("--stimuli", args.stimuli.is_some()),
        ]);
        Ok(Plan {
            metric,
            kind,
            center: args.center,
            weights: args.cv_weights.map_or(FoldWeights::Folds, |w| w.weights()),
            shrinkage: args.shrink.map_or(Shrinkage::Diag, |s| s.estimator()),
            prior,
            takes_rdms: args.merge || args.subset.is_some() || !args.transform.is_empty(),
            needs_patterns,
        })
    }

    /// Whether distances are taken over folds.
    pub fn over_folds(&self) -> bool {
        !matches!(self.kind, Kind::Plain(_))
    }
}
