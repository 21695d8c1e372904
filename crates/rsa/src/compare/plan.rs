//! What `rsa compare` refuses: options before an output is made or an input read, subjects before anything is scored.

use super::args::{Boot, CeilingBy, CompareArgs, Test};
use super::corrected;
use super::draws;
use super::groups;
use super::measure::{Bures, Map, Measure};
use super::system::Systems;
use anyhow::{Result, bail};
use rdm::inference::{FEWEST_STIMULI, Shuffle};
use rdm::{Comparison, MatrixComparison, ModelKind};
use rdm_inputs::{Kind, SplitBy};

/// Refuses options that exclude each other, and those that would have no effect.
pub(super) fn check(args: &CompareArgs) -> Result<()> {
    let name = args.compare.as_str();
    if args.sigma_k.is_some() && !args.compare.is_whitened() {
        bail!("--sigma-k is for --compare corr_cov and cosine_cov; {name} does not look at it");
    }
    check_alignment(args)?;
    if args.input_is == Some(Kind::Patterns) && !args.compare.is_of_matrices() {
        bail!("--input-is patterns: --compare {name} is for RDMs; make them with `rsa rdm`, or take --compare cka");
    }
    if let (Some(correct), None) = (args.inference.correct, args.inference.test_of_means()) {
        bail!(
            "--correct {} is for the q of --boot, --test and --pairwise, none of which was asked for (p_perm_fwer of \
             --perm is family-wise already)",
            correct.as_str()
        );
    }
    corrected::check(args)?;
    groups::check(args)?;
    draws::check(args)?;
    if args.is_of_whole_rdms() { check_fits_and_draws(args) } else { check_systems(args) }
}

/// Options of some comparisons of matrices with others.
fn check_alignment(args: &CompareArgs) -> Result<()> {
    let (name, options) = (args.compare.as_str(), &args.alignment);
    if let (Some(k), false) = (options.held_out, matches!(args.compare, Measure::Alignment(_))) {
        bail!(
            "--held-out {k} is for maps of units: --compare cca, svcca, pwcca, permutation and soft-matching; {name} \
             fits none"
        );
    }
    if let Some(variance) = options.variance {
        if args.compare != Measure::Alignment(Map::Svcca) {
            bail!("--variance {variance} is for --compare svcca; {name} keeps all axes");
        }
        if !(variance > 0.0 && variance <= 1.0) {
            bail!("--variance {variance}: give a share above 0, at most 1");
        }
    }
    if let Some(bandwidth) = options.bandwidth {
        if args.compare != Measure::Matrices(MatrixComparison::CkaRbf) {
            bail!("--bandwidth {bandwidth} is for --compare cka-rbf; {name} has no kernel");
        }
        if !(bandwidth > 0.0 && bandwidth.is_finite()) {
            bail!("--bandwidth {bandwidth}: give a number above 0");
        }
    }
    Ok(())
}

/// Models that are RDMs against brain RDMs, with no controls.
fn check_fits_and_draws(args: &CompareArgs) -> Result<()> {
    let asked = &args.inference;
    match (asked.test, asked.boot) {
        (Some(Test::Wilcoxon), Some(boot)) => {
            bail!("--test wilcoxon ranks subjects and --boot {} resamples; take one of them", boot.over().as_str())
        }
        (Some(Test::Bootstrap), None) => bail!("--test bootstrap needs draws: --boot subjects, stimuli or both"),
        (_, Some(Boot::Stimuli | Boot::Both)) if args.sigma_k.is_some() => bail!(
            "--sigma-k with resampled stimuli: a stimulus drawn twice has its noise twice, and no covariance says what \
             is then independent; take --boot subjects, or leave --sigma-k out"
        ),
        _ => {}
    }
    if let (Some(n), true) = (args.n_cv, args.model == ModelKind::Fixed || asked.boot.is_none()) {
        bail!(
            "--n-cv {n} is for draws of --boot with --model weighted, select or interpolate; the score of the data has \
             one set of folds"
        );
    }
    if let (Some(file), ModelKind::Fixed) = (&args.weights, args.model) {
        bail!(
            "--weights {} is for what --model weighted, select or interpolate fits; fixed models have no weights (`rsa \
             fit` regresses on several)",
            file.display()
        );
    }
    if args.model == ModelKind::Fixed {
        if let Some([subjects, stimuli]) = &args.cv_k {
            bail!(
                "--cv-k {subjects},{stimuli} is for --model weighted, select or interpolate; fixed models are not \
                 fitted"
            );
        }
        if args.ceiling_k == Some(CeilingBy::Folds) {
            bail!(
                "--ceiling-k folds: fixed models are not fitted and have no folds; say a number of groups of people, or \
                 @FOLDS"
            );
        }
        return Ok(());
    }
    let kind = args.model.as_str();
    if let Some(CeilingBy::Split(by)) = &args.ceiling_k {
        bail!(
            "--ceiling-k {by} with --model {kind}: its folds are those of --cv-k; say --ceiling-k folds (against the \
             people that the model was fitted to)"
        );
    }
    let one = SplitBy::Groups(1);
    if let (Some(CeilingBy::Folds), Some([subjects, stimuli])) = (&args.ceiling_k, &args.cv_k)
        && *subjects == one
    {
        bail!(
            "--ceiling-k folds with --cv-k {subjects},{stimuli}: people are not split, so there are no others to pool"
        );
    }
    if let (Some(n), Some([SplitBy::Given(_), SplitBy::Given(_)])) = (args.n_cv, &args.cv_k) {
        bail!("--n-cv {n}: folds of subjects and stimuli are both given, and the same each time; leave it out");
    }
    if args.cv_k.as_ref().is_some_and(|splits| splits.iter().all(|by| *by == one)) {
        bail!("--cv-k 1,1 would fit and score on the same data; split subjects (2,1), stimuli (1,2) or both (2,2)");
    }
    if let Some(n) = asked.perm {
        bail!(
            "--model {kind} with --perm {n}: fitted models are not permuted; take --boot, or --test t or wilcoxon over \
             subjects"
        );
    }
    if args.sigma_k.is_some() {
        bail!(
            "--model {kind} with --sigma-k: the covariance of all stimuli is not that of the stimuli of a fold; leave \
             --sigma-k out"
        );
    }
    if !args.names.is_empty() && args.names.len() != args.models.len() {
        bail!(
            "--names: {} names for {} files; with --model {kind} every file is one model",
            args.names.len(),
            args.models.len()
        );
    }
    Ok(())
}

/// All pairs, controls, second moments and matrices.
fn check_systems(args: &CompareArgs) -> Result<()> {
    let (name, asked) = (args.compare.as_str(), &args.inference);
    let refused = [
        ("--boot", asked.boot.is_some()),
        ("--perm", asked.perm.is_some()),
        ("--model", args.model != ModelKind::Fixed),
        ("--cv-k", args.cv_k.is_some()),
        ("--n-cv", args.n_cv.is_some()),
        ("--weights", args.weights.is_some()),
    ];
    if let Some((option, _)) = refused.iter().find(|(_, given)| *given) {
        bail!(
            "{option} is for the scores of model RDMs against brain RDMs; --all-pairs, controls, bures and matrices \
             are neither fitted nor resampled (--test and --pairwise are over their subjects)"
        );
    }
    let over_subjects = [("--test", asked.test.is_some()), ("--pairwise", asked.pairwise.is_some())];
    if let (true, Some((option, _))) = (args.systems.all_pairs, over_subjects.iter().find(|(_, given)| *given)) {
        bail!("{option} is over subjects, and --all-pairs has pairs of systems and no subjects; leave one of them out");
    }
    if asked.test == Some(Test::Bootstrap) {
        bail!("--test bootstrap needs draws, and there is no --boot here; take --test t or wilcoxon over subjects");
    }
    if let (Some(why), Some(_), None) = (never_below_0(args), asked.test, &asked.pairwise) {
        bail!("--test is against 0, and {name} {why}; compare models with each other: --pairwise FILE");
    }
    if let Some((option, _)) = args.systems.controls() {
        if !matches!(args.compare, Measure::Rdms(Comparison::Pearson | Comparison::Spearman)) {
            bail!("--{option} is for --compare pearson and spearman; {name} has no residuals to compare");
        }
        if option == "semipartial" && args.systems.all_pairs {
            bail!(
                "--semipartial takes the controls out of the model only, and a pair of --all-pairs has no model; use \
                 --partial"
            );
        }
    }
    if args.ceiling {
        let why = match args.compare {
            _ if args.systems.all_pairs => "--all-pairs",
            Measure::Matrices(_) | Measure::Alignment(_) => "matrices, whose units cannot be averaged over subjects",
            Measure::Bures(_) => "second moments (--compare bures), for which no pooled RDM is known to be the best",
            Measure::Rdms(_) => "RDMs with controls taken out, which the bounds of whole RDMs do not bound",
        };
        let instead = match args.systems.controls() {
            Some((option, _)) => format!("`ceiling rdm --{option}` has theirs"),
            None => "leave it out".to_owned(),
        };
        bail!("--ceiling is not defined for {why}; {instead}");
    }
    Ok(())
}

/// Why a test of this against 0 would say nothing.
pub(super) fn never_below_0(args: &CompareArgs) -> Option<&'static str> {
    match args.compare {
        Measure::Alignment(_) if args.alignment.held_out.is_some() => None,
        Measure::Alignment(_) => {
            Some("is above 0 for noise too where a map is fitted to what it is scored on (--held-out)")
        }
        Measure::Rdms(_) | Measure::Matrices(MatrixComparison::CkaDebiased) => None,
        Measure::Matrices(MatrixComparison::Cka) => Some("is above 0 for noise too (cka-debiased is not)"),
        Measure::Matrices(MatrixComparison::CkaRbf | MatrixComparison::Procrustes) => Some("is above 0 for noise too"),
        Measure::Bures(Bures::Similarity) => Some("is above 0 for any two RDMs"),
        Measure::Matrices(MatrixComparison::ProcrustesAngle) | Measure::Bures(_) => {
            Some("is a distance, which is never below 0")
        }
    }
}

/// Refuses tests and draws for which there are too few subjects or stimuli, and a subject that could not be told from
/// the mean.
pub(super) fn check_subjects(args: &CompareArgs, systems: &Systems) -> Result<()> {
    let options = &args.inference;
    let (n_subjects, n_stimuli) = (systems.n_brains, systems.n_stimuli);
    if let Some(place) = systems.names[..n_subjects].iter().position(|name| name == "mean") {
        bail!(
            "{}: a subject named \"mean\" could not be told from the rows of the mean over subjects; name the \
             {n_subjects} subjects with --brain-names",
            systems.sources[place]
        );
    }
    let source = &systems.sources[0];
    if args.ceiling && n_subjects < 2 {
        bail!("{source}: 1 brain RDM; --ceiling is over subjects and needs at least 2");
    }
    let subjects_matter = options.boot != Some(Boot::Stimuli);
    if options.test_of_means().is_some() && subjects_matter && n_subjects < 2 {
        let what =
            options.boot.map_or("a test over subjects".into(), |boot| format!("--boot {}", boot.over().as_str()));
        match args.is_of_whole_rdms() {
            true => bail!("{source}: {n_subjects} brain RDM; {what} needs at least 2 (--boot stimuli needs 1)"),
            false => bail!("{source}: {n_subjects} subject; {what} needs at least 2"),
        }
    }
    if let (true, Some(boot), 2) = (args.ceiling && subjects_matter, options.boot, n_subjects) {
        bail!(
            "{source}: 2 brain RDMs; --ceiling under --boot {} needs at least 3 subjects: of 2, half the draws hold \
             one of them only and have no ceiling (--boot stimuli has one)",
            boot.over().as_str()
        );
    }
    if let Some(boot @ (Boot::Stimuli | Boot::Both)) = options.boot
        && n_stimuli < 2 * FEWEST_STIMULI
    {
        bail!(
            "{source}: {n_stimuli} stimuli; --boot {} needs at least {}, or too many draws have fewer than \
             {FEWEST_STIMULI} different ones",
            boot.over().as_str(),
            2 * FEWEST_STIMULI
        );
    }
    if let (Some(n_perm), None) = (options.perm, args.groups.shuffle) {
        let orders = Shuffle::All.n_orders(n_stimuli);
        if orders <= f64::from(n_perm) {
            bail!(
                "{source}: {n_stimuli} stimuli have {orders} orders, too few for --perm {n_perm}; take a --perm \
                 below {orders}"
            );
        }
    }
    Ok(())
}
