//! `ceiling rdm`: bounds for a model's score from the RDMs of several subjects.

use anyhow::{Result, anyhow, bail};
use array_inputs::JoinArgs;
use cli::{Common, Format, Input, Job, Named, TableWriter};
use rdm::inference::{Bootstrap, FEWEST_STIMULI, Generalize, Groups, Spread, bootstrap};
use rdm::{
    Against, Comparison, ControlledSide, ModelKind, NoiseCeiling, Rdm, Scale, Splits, StimulusCovariance,
    cross_validate_in, noise_ceiling_in_folds, noise_ceiling_partial, noise_ceiling_under,
};
use rdm_inputs::{
    FoldsOf, NamedRdm, SplitBy, check_nan, into_one_order, read_rdms, read_sigma_k, say_broken_ties, two_splits,
};
use statistics::{Reason, student_t_quantile};

use crate::design::Boot;

/// RDMs of several subjects to the lower and upper bound for a model's score
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns (one row):
  compare, n_subjects, n_stimuli
  folds    with --cv-k: groups of subjects x groups of stimuli
  n_pairs  pairs that are not NaN in any subject
  lower    mean over subjects of the comparison with the pool of the others: bounds r; with --cv-k of those in
           the other groups
  upper    mean over subjects of the comparison with the pool of all: bounds r
  reason   constant: fewer than 2 subjects are left; constant RDMs are left out, and stderr names them;
           explained_by_controls in the same way
With --boot, before reason, what `rsa compare --ceiling --boot` has:
  lower_se, lower_ci_lo, lower_ci_hi, upper_se, upper_ci_lo, upper_ci_hi
           standard errors and 95 % t intervals; df is the number of subjects or stimuli (of both the
           smaller) less 1
  generalize_to, n_boot  to new subjects, stimuli or both; draws that were used
Nili et al. (2014). RDMs are pooled as the comparison needs: z-scored for pearson and corr_cov, divided
by their root mean square for cosine and cosine_cov, ranked for the others; then averaged. `rsa compare
--ceiling` gives the same numbers beside the scores of models.
--cv-k 5 leaves out a group of subjects at a time instead of one: the pool is of fewer, so that `lower` is
lower, and bounds a model that was fitted to as many. --cv-k 5,3 also takes one of 3 groups of stimuli at a
time, as `rsa compare --model weighted` does, and has the mean over these. rsatoolbox's cv_noise_ceiling has
the mean over folds, here every subject counts once; over stimuli it pools the upper bound over all of them.
--boot draws with replacement (Schuett et al. 2023); pairs of a stimulus with its copy are left out, and so are
draws of one subject. The variance over draws is taken times n / (n - 1), of both factors with their correction.
Intervals are of the bounds of such subjects and stimuli; that of `lower` is not the interval of a model's score.
--partial and --semipartial bound the scores that `rsa compare` has with these options (pearson, spearman):
the pool is of what the controls leave of every subject, at length 1, or over the length of the whole.
Matrix comparisons (cka and others), bures and procrustes have no such bounds: no average of subjects is
known to be the best. The bound of a mean of ranks or of a whitened RDM is near but not exactly the best.

Examples:
  ceiling rdm ffa_rdms.npy --compare spearman
  cat sub-*/ffa.npy | rsa rdm | ceiling rdm
  ceiling rdm sub-*/rdm.npy --compare spearman --boot both")]
pub(crate) struct RdmBounds {
    /// One RDM per subject, in files or back to back in a stream; - is stdin
    #[arg(value_name = "RDM", default_value = "-")]
    inputs: Vec<Input>,
    /// The comparison whose ceiling it is (kendall is tau-b)
    #[arg(long, value_parser = rdm_inputs::comparison_parser(), default_value = "pearson")]
    compare: Comparison,
    /// Groups of subjects, and of stimuli, that are held out in turn: a number, or @FOLDS, a table with the columns
    /// subject or stimulus, and fold [default: one subject at a time, all stimuli]
    #[arg(long, value_name = "SUBJECTS[,STIMULI]", value_parser = one_or_two_splits)]
    cv_k: Option<[SplitBy; 2]>,
    /// Control RDMs that are regressed out of subjects and model
    #[arg(long, value_name = "CONTROL", num_args = 1.., conflicts_with = "semipartial")]
    partial: Vec<Input>,
    /// Control RDMs that are regressed out of the model only
    #[arg(long, value_name = "CONTROL", num_args = 1..)]
    semipartial: Vec<Input>,
    /// With corr_cov or cosine_cov: covariance of the patterns over stimuli, n x n, joined by id [default: identity]
    #[arg(long, value_name = "MATRIX")]
    sigma_k: Option<Input>,
    /// Draw these with replacement for intervals of the bounds
    #[arg(long, value_enum, value_name = "UNIT", conflicts_with_all = ["partial", "semipartial", "cv_k"])]
    boot: Option<Boot>,
    /// Draws of --boot
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "boot")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..))]
    n_boot: u32,
    /// Seed of the draws of --boot, or of the random groups of --cv-k [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Names of the subjects, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
    /// Use RDMs of which more than 10 % of the pairs are NaN
    #[arg(long)]
    allow_nan: bool,
    #[command(flatten)]
    join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

impl RdmBounds {
    fn seed(&self) -> u64 {
        self.seed.unwrap_or(0)
    }

    /// The control RDMs and the option that gave them.
    fn controls(&self) -> Option<(&'static str, &[Input])> {
        match (&self.partial[..], &self.semipartial[..]) {
            ([], []) => None,
            ([], controls) => Some(("semipartial", controls)),
            (controls, _) => Some(("partial", controls)),
        }
    }
}

/// Stimuli are not split unless that is asked for.
fn one_or_two_splits(text: &str) -> Result<[SplitBy; 2], String> {
    match text.contains(',') {
        true => two_splits(text),
        false => Ok([text.parse()?, SplitBy::Groups(1)]),
    }
}

/// Refuses what folds are not defined for, and those that would leave nobody to pool.
fn check_folds(args: &RdmBounds) -> Result<()> {
    if let (Some(seed), None, None) = (args.seed, &args.cv_k, &args.boot) {
        bail!("--seed {seed}: nothing is drawn by it; say --boot or --cv-k, or leave it out");
    }
    let Some([subjects, stimuli]) = &args.cv_k else { return Ok(()) };
    if let Some((option, _)) = args.controls() {
        bail!("--cv-k with --{option}: what controls leave is pooled over all subjects but one; leave one of them out");
    }
    if *subjects == SplitBy::Groups(1) {
        bail!("--cv-k {subjects},{stimuli}: one group of all subjects leaves nobody to predict them; take 2 or more");
    }
    if args.sigma_k.is_some() && *stimuli != SplitBy::Groups(1) {
        bail!(
            "--cv-k {subjects},{stimuli} with --sigma-k: the covariance of all stimuli is not that of the stimuli of a \
             fold; split subjects alone, or leave --sigma-k out"
        );
    }
    Ok(())
}

/// Bounds in the folds of `--cv-k`, and what the column `folds` says.
fn in_folds(
    job: &Job,
    args: &RdmBounds,
    by: &[SplitBy; 2],
    subjects: &[NamedRdm],
    sigma: Option<&StimulusCovariance>,
) -> Result<(NoiseCeiling, String)> {
    let source = &subjects[0].source;
    let (n, n_stimuli) = (subjects.len(), subjects[0].rdm.n_stimuli());
    if let SplitBy::Groups(k) = by[0]
        && k > n
    {
        bail!("{source}: --cv-k {k} makes {k} groups of {n} subjects; {n} at most");
    }
    if let SplitBy::Groups(k) = by[1]
        && FEWEST_STIMULI * k > n_stimuli
    {
        bail!(
            "{source}: --cv-k ..,{k} makes {k} groups of {n_stimuli} stimuli, but a group needs {FEWEST_STIMULI} for pairs \
             to compare; {} at most",
            n_stimuli / FEWEST_STIMULI
        );
    }
    let names: Vec<&str> = subjects.iter().map(|subject| subject.name.as_str()).collect();
    let ids = subjects[0].rdm.labels().map(|ids| ids.iter().map(String::as_str).collect::<Vec<&str>>());
    let (people, kinds) = (Groups::each(n), Groups::each(n_stimuli));
    let splits = Splits {
        subjects: by[0].partition(job, FoldsOf::Subjects, source, Some(&names), &people)?,
        stimuli: by[1].partition(job, FoldsOf::Stimuli, source, ids.as_deref(), &kinds)?,
        seed: args.seed(),
    };
    if splits.stimuli.smallest() < FEWEST_STIMULI {
        bail!(
            "{source}: a fold of --cv-k ..,{} has {} stimuli, but needs {FEWEST_STIMULI} for pairs to compare",
            by[1],
            splits.stimuli.smallest()
        );
    }
    job.record("seed", args.seed());
    let folds = format!("{}x{}", splits.subjects.len(), splits.stimuli.len());
    let rdms: Vec<Rdm> = subjects.iter().map(|s| s.rdm.clone()).collect();
    if splits.stimuli.len() == 1 {
        let left_out = Groups::of(&splits.subjects.numbers(args.seed()));
        return Ok((noise_ceiling_in_folds(&rdms, args.compare, sigma, &people, &left_out)?, folds));
    }
    let against = Some(Against::OtherFolds);
    let found = cross_validate_in(&[], &rdms, ModelKind::Fixed, args.compare, &splits, &people, against)?;
    Ok((found.ceiling.unwrap_or_else(|| NoiseCeiling::none(n)), folds))
}

pub(crate) fn run(args: &RdmBounds) -> Result<()> {
    check_folds(args)?;
    let job = Job::start("ceiling", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let controls = args.controls().map(|(option, controls)| match option {
        "partial" => (option, ControlledSide::Both, controls),
        _ => (option, ControlledSide::Model, controls),
    });
    let scale = match (args.compare, controls) {
        (Comparison::Spearman, _) => Scale::Ranks,
        (Comparison::Pearson, _) | (_, None) => Scale::Values,
        (other, Some((option, ..))) => {
            bail!("--{option} is for --compare pearson and spearman; {other} has no residuals to compare")
        }
    };
    if args.sigma_k.is_some() && !matches!(args.compare, Comparison::CorrCov | Comparison::CosineCov) {
        bail!("--sigma-k is for --compare corr_cov and cosine_cov; {} does not look at it", args.compare);
    }
    let mut subjects = read_rdms(&job, &args.inputs, &args.names)?;
    let n_subjects = subjects.len();
    if n_subjects < 2 {
        bail!("{}: 1 RDM; a ceiling is over subjects and needs at least 2", subjects[0].source);
    }
    if let Some((option, _, inputs)) = controls {
        let read = read_rdms(&job, inputs, &[])?;
        job.record(option, read.iter().map(|control| control.name.clone()).collect::<Vec<_>>());
        subjects.extend(read);
    }
    into_one_order(&job, args.join, &mut subjects)?;
    let sigma = match &args.sigma_k {
        Some(input) => Some(read_sigma_k(&job, input, args.join, &mut subjects)?),
        None => None,
    };
    for each in &subjects {
        check_nan(&job, &each.source, &each.rdm, "; left out for all subjects", args.allow_nan)?;
    }
    if args.compare.ranks() {
        say_broken_ties(&job, subjects.iter().map(|s| (s.source.as_str(), &s.rdm)), "rank comparisons");
    }
    let named_controls = subjects.split_off(n_subjects);
    if let Some(flat) = named_controls.iter().find(|control| control.rdm.reason() == Some(Reason::Constant)) {
        bail!("{}: this control is constant, so it explains nothing; leave it out", flat.source);
    }
    let rdms: Vec<Rdm> = subjects.iter().map(|s| s.rdm.clone()).collect();
    let mut folds = None;
    let (bounds, compare) = match (controls, &args.cv_k) {
        (None, Some(by)) => {
            let (bounds, said) = in_folds(&job, args, by, &subjects, sigma.as_ref())?;
            folds = Some(said);
            (bounds, args.compare.to_string())
        }
        (None, None) => (noise_ceiling_under(&rdms, args.compare, sigma.as_ref())?, args.compare.to_string()),
        (Some((option, side, _)), _) => {
            let controls: Vec<Rdm> = named_controls.into_iter().map(|control| control.rdm).collect();
            (noise_ceiling_partial(&rdms, &controls, side, scale)?, format!("{option}-{}", args.compare))
        }
    };
    match controls {
        None => say_left_out(&job, &bounds, &subjects.iter().collect::<Vec<_>>()),
        Some(_) => {
            for &index in &bounds.constant {
                let source = &subjects[index].source;
                job.warn(format!("{source}: the controls leave nothing of it, or it is constant; left out"));
            }
        }
    }
    let interval = args.boot.map(|unit| intervals(&job, args, unit, &rdms, &bounds, sigma.as_ref())).transpose()?;
    let why = if controls.is_some() { Reason::ExplainedByControls } else { Reason::Constant };

    let mut row: Vec<Named> = vec![
        ("compare", (&compare).into()),
        ("n_subjects", (subjects.len() - bounds.constant.len()).into()),
        ("n_stimuli", rdms[0].n_stimuli().into()),
    ];
    row.extend(folds.as_ref().map(|folds| ("folds", folds.into())));
    row.extend([("n_pairs", bounds.n_pairs.into()), ("lower", bounds.lower.into()), ("upper", bounds.upper.into())]);
    row.extend(interval.into_iter().flatten());
    row.push(("reason", bounds.lower.is_nan().then_some(why).into()));
    let columns: Vec<&str> = row.iter().map(|(name, _)| *name).collect();
    let mut table = TableWriter::new(out, args.format, &columns)?;
    table.record(&row)?;
    table.into_inner().commit(&job)
}

/// The cells of --boot.
fn intervals(
    job: &Job,
    args: &RdmBounds,
    unit: Boot,
    rdms: &[Rdm],
    bounds: &NoiseCeiling,
    sigma: Option<&StimulusCovariance>,
) -> Result<[Named<'static>; 8]> {
    // What is constant is in no pool, in no draw either.
    let pooled: Vec<Rdm> =
        rdms.iter().enumerate().filter(|(s, _)| !bounds.constant.contains(s)).map(|(_, rdm)| rdm.clone()).collect();
    let (n_subjects, n_stimuli) = (pooled.len(), rdms[0].n_stimuli());
    let over = match unit {
        Boot::Subjects => Generalize::Subjects,
        Boot::Stimuli => Generalize::Stimuli,
        Boot::Both => Generalize::Both,
    };
    if over != Generalize::Stimuli && n_subjects < 3 {
        bail!(
            "--boot {}: {n_subjects} subjects, of whom half of the draws are one; it needs at least 3 (--boot stimuli does \
             not)",
            over.as_str()
        );
    }
    let n_boot = args.n_boot as usize;
    let plan = Bootstrap { over, n_boot, seed: args.seed(), ceiling: true };
    job.record("seed", args.seed());
    let replicates = bootstrap(&[], &pooled, args.compare, sigma, plan)
        .map_err(|error| anyhow!("--boot {}: {error}", over.as_str()))?;
    // Without models the bounds are all columns there are.
    let spread = Spread::new(&replicates, &[0, 1], over, n_subjects, n_stimuli);
    let used = spread.draws.len();
    job.record("n_boot", used);
    if used < n_boot {
        let text = format!(
            "--boot {}: {} of {n_boot} draws give no bounds (one subject only, fewer than {FEWEST_STIMULI} different \
             stimuli, or a constant RDM)",
            over.as_str(),
            n_boot - used
        );
        if used * 2 < n_boot {
            bail!("{text}; more than half are too many to go on: take more stimuli or subjects");
        }
        job.warn(format!("{text}; left out"));
    }
    let df = over.n(n_subjects, n_stimuli) as f64 - 1.0;
    let [lower, upper] = [(0, bounds.lower), (1, bounds.upper)].map(|(column, bound)| {
        let se = spread.variance(&[(column, 1.0)]).sqrt();
        let half = student_t_quantile(0.025, df) * se;
        [se, bound - half, bound + half]
    });
    Ok([
        ("lower_se", lower[0].into()),
        ("lower_ci_lo", lower[1].into()),
        ("lower_ci_hi", lower[2].into()),
        ("upper_se", upper[0].into()),
        ("upper_ci_lo", upper[1].into()),
        ("upper_ci_hi", upper[2].into()),
        ("generalize_to", over.as_str().into()),
        ("n_boot", used.into()),
    ])
}

/// Names the subjects that are constant, and are in no pool.
pub(crate) fn say_left_out(job: &Job, bounds: &NoiseCeiling, subjects: &[&NamedRdm]) {
    for &index in &bounds.constant {
        job.warn(format!(
            "{}: is constant over the {} pairs that all {} subjects have, so it cannot be pooled; left out",
            subjects[index].source,
            bounds.n_pairs,
            subjects.len()
        ));
    }
}
