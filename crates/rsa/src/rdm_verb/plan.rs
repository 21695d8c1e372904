//! What the options of `rsa rdm` ask for, checked before anything is read.

use super::args::{CvWeights, Kind, Metric, NoiseSource, RdmArgs};
use anyhow::{Result, bail};
use rdm::{FoldWeights, Prior, Shrinkage};

/// The options that belong together, with their defaults.
pub(super) struct Plan {
    pub metric: Metric,
    pub kind: Kind,
    /// Whether the mean pattern is taken off first.
    pub center: bool,
    /// Whether presentations are put together by all pairs of them.
    pub unbalanced: bool,
    pub weights: FoldWeights,
    pub shrinkage: Shrinkage,
    pub prior: Prior,
    /// Whether the covariance of the noise over stimuli is asked for.
    pub sigma_k: bool,
    /// Whether RDMs may be given: there is something to do to them, and nothing that needs patterns.
    pub takes_rdms: bool,
    /// The first option that needs patterns.
    pub needs_patterns: Option<&'static str>,
}

impl Plan {
    /// An option that would do nothing is an error.
    pub fn new(args: &RdmArgs) -> Result<Plan> {
        let metric = args.metric.unwrap_or(Metric::Correlation);
        let (kind, name) = (metric.kind(args.p), metric.as_str());
        let over_folds = !matches!(kind, Kind::Plain(_));
        let of_counts = matches!(metric, Metric::Poisson | Metric::PoissonCv);
        if args.per_channel && !metric.is_sum() {
            bail!(
                "--per-channel divides sums over units by their number, and {name} is not such a sum; it goes with \
                 --metric sqeuclidean, sqeuclidean_cv, cityblock, sqmahalanobis, crossnobis, poisson or poisson_cv"
            );
        }
        if let (Some(p), false) = (args.p, metric == Metric::Minkowski) {
            bail!("--p {} is the power of --metric minkowski; {name} has none", p.get());
        }
        if args.center && metric.is_of_differences() {
            bail!(
                "--center with --metric {name}, which is made of differences of patterns: their mean cancels, (a - m) - \
                 (b - m) is a - b, so leave it out; it goes with correlation, correlation_cv, cosine and spearman"
            );
        }
        if args.center && of_counts {
            bail!(
                "--center with --metric {name}, which is for counts: minus their mean some are below 0; it goes with \
                 correlation, cosine and spearman"
            );
        }
        if args.center && metric == Metric::Jaccard {
            bail!(
                "--center with --metric jaccard, which counts what is not 0: minus a mean nothing is; it goes with \
                 correlation, correlation_cv, cosine and spearman"
            );
        }
        if args.unbalanced {
            check_unbalanced(args, metric)?;
        }
        let of_noise = [("--shrink", args.shrink.is_some()), ("--dof", args.dof.is_some())];
        let of_folds = [("--cv", args.cv.is_some()), ("--cv-weights", args.cv_weights.is_some())];
        let of_prior = [("--prior-rate", args.prior_rate.is_some()), ("--prior-weight", args.prior_weight.is_some())];
        let of_table =
            [("--by", args.by.is_some()), ("--cv", args.cv.is_some()), ("--exclude-same", args.exclude_same.is_some())];
        let first = |of: &[(&'static str, bool)]| of.iter().find(|(_, given)| *given).map(|(option, _)| *option);
        if let (Some(option), None) = (first(&of_noise), args.noise.first()) {
            let given = match args.whitens_by() {
                Some(given) => format!("{given} is taken as it is, so leave {option} out, or"),
                None => "say".into(),
            };
            bail!(
                "{option} says how the noise is estimated; {given} from what with --noise RESIDUALS.npy or --noise \
                 repeats"
            );
        }
        if let (Some(option), false, false) = (first(&of_folds), over_folds, args.unbalanced) {
            bail!(
                "{option} says what the folds are, and --metric {name} has none; it goes with crossnobis, \
                 sqeuclidean_cv, correlation_cv and poisson_cv"
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
        if matches!(metric, Metric::Mahalanobis | Metric::Sqmahalanobis) && args.whitens_by().is_none() {
            bail!(
                "--metric {name} needs --noise RESIDUALS.npy or --noise repeats, or --noise-covariance MATRIX.npy \
                 (without noise it is euclidean)"
            );
        }
        if args.noise.len() > 1 && args.noise.contains(&NoiseSource::Repeats) {
            bail!("--noise repeats with {} more --noise; repeats is all there is of it", args.noise.len() - 1);
        }
        if args.noise_by_fold {
            check_noise_by_fold(args, metric)?;
        }
        if args.save_sigma_k.is_some() {
            check_sigma_k(args, metric)?;
        }
        if let (true, Some(whitening)) = (of_counts, args.whitens_by()) {
            bail!(
                "{whitening} with --metric {name}: the rate of a whitened count is not defined; leave one of the two out"
            );
        }
        if let (Metric::SqeuclideanCv, Some(whitening)) = (metric, args.whitens_by()) {
            bail!(
                "{whitening} with --metric sqeuclidean_cv, which is crossnobis without noise; say --metric crossnobis"
            );
        }
        if let (Metric::Hamming | Metric::Jaccard, Some(whitening)) = (metric, args.whitens_by()) {
            bail!("{whitening} with --metric {name}, which counts units that are equal or 0: whitened, none is");
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
            ("--unbalanced", args.unbalanced),
            ("--save-sigma-k", args.save_sigma_k.is_some()),
            ("--per-channel", args.per_channel),
            (args.whitens_by().unwrap_or("--noise"), args.whitens_by().is_some()),
            ("--stimuli", args.stimuli.is_some()),
        ]);
        Ok(Plan {
            metric,
            kind,
            center: args.center,
            unbalanced: args.unbalanced,
            weights: args.cv_weights.map_or(FoldWeights::Folds, |w| w.weights()),
            shrinkage: args.shrink.map_or(Shrinkage::Diag, |s| s.estimator()),
            prior,
            sigma_k: args.save_sigma_k.is_some(),
            takes_rdms: args.merge || args.subset.is_some() || !args.transform.is_empty(),
            needs_patterns,
        })
    }

    /// Whether distances are taken over folds.
    pub fn over_folds(&self) -> bool {
        !matches!(self.kind, Kind::Plain(_))
    }
}

/// What `--noise-by-fold` goes with.
fn check_noise_by_fold(args: &RdmArgs, metric: Metric) -> Result<()> {
    let Some(option) = args.whitens_by() else {
        bail!("--noise-by-fold says whose noise the matrices of --noise-covariance, --noise-precision or --noise are");
    };
    if metric != Metric::Crossnobis {
        bail!(
            "--noise-by-fold with --metric {}, which has no pairs of folds to whiten together; it goes with crossnobis",
            metric.as_str()
        );
    }
    if args.noise.contains(&NoiseSource::Repeats) {
        bail!("--noise-by-fold with --noise repeats, which is one noise over all folds; give one matrix per fold");
    }
    if args.cv.is_none() {
        bail!("--noise-by-fold finds the noise of a fold by its name; name the column of the folds with --cv");
    }
    if args.cv_weights == Some(CvWeights::Pairs) {
        bail!("--noise-by-fold with --cv-weights pairs; {option} of each fold goes with pairs of folds (folds)");
    }
    Ok(())
}

/// What `--save-sigma-k` goes with.
fn check_sigma_k(args: &RdmArgs, metric: Metric) -> Result<()> {
    if !matches!(metric, Metric::Crossnobis | Metric::SqeuclideanCv) {
        bail!(
            "--save-sigma-k with --metric {}; it is the noise of squared distances over folds: crossnobis, sqeuclidean_cv",
            metric.as_str()
        );
    }
    if args.cv_weights == Some(CvWeights::Pairs) {
        bail!("--save-sigma-k with --cv-weights pairs; it is the covariance of means over folds (folds)");
    }
    Ok(())
}

/// What `--unbalanced` goes with: the metrics of `calc_rdm_unbalanced`, each under one name.
fn check_unbalanced(args: &RdmArgs, metric: Metric) -> Result<()> {
    let name = metric.as_str();
    if !matches!(metric, Metric::Correlation | Metric::Sqeuclidean | Metric::Sqmahalanobis | Metric::Poisson) {
        bail!(
            "--unbalanced with --metric {name}; it is for correlation, sqeuclidean, sqmahalanobis and poisson \
             (crossnobis, sqeuclidean_cv and poisson_cv have --cv-weights pairs)"
        );
    }
    if args.cv_weights.is_some() {
        bail!("--cv-weights with --unbalanced, in which all pairs of presentations weigh the same; leave it out");
    }
    if args.exclude_same.is_some() {
        bail!("--exclude-same with --unbalanced; --cv COLUMN leaves out pairs of presentations with the same value");
    }
    let over_folds = match metric {
        Metric::Sqeuclidean => "sqeuclidean_cv",
        Metric::Sqmahalanobis => "crossnobis",
        Metric::Poisson => "poisson_cv",
        _ => return Ok(()),
    };
    if args.cv.is_some() {
        bail!("--unbalanced --cv with --metric {name} is --metric {over_folds} --cv-weights pairs; say that");
    }
    Ok(())
}
