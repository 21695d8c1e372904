//! The tests of `rsa compare`: which were asked for, their numbers, and the columns that hold them.

pub(crate) mod cautions;
mod evidence;
mod pairwise;

use crate::args::{Boot, CompareArgs, Test};
use crate::fitted::Resampling;
use anyhow::{Result, anyhow, bail};
use cli::{Cell, Job};
use evidence::{Evidence, Tested};
use rdm::inference::{Bootstrap, FEWEST_STIMULI, Generalize, Permuted, Replicates, Spread, bootstrap, permute_stimuli};
use rdm::{Comparison, NoiseCeiling, Rdm, StimulusCovariance, bootstrap_fitted};
use rdm_inputs::NamedRdm;
use statistics::signed_rank::Tail;
use statistics::{Correction, Reason};

pub(crate) use pairwise::write as write_pairwise;

/// The numbers of a table of scores that tests start from.
pub(crate) struct Scores<'a> {
    /// Per model one score per subject.
    pub by_subject: Vec<Vec<f64>>,
    /// Per model its mean over subjects.
    pub means: Vec<f64>,
    /// Why a mean is NaN.
    pub reasons: Vec<Option<Reason>>,
    /// What rounding may do to a score.
    pub rounding: f64,
    pub ceiling: Option<&'a NoiseCeiling>,
}

/// The places of the subjects whose RDMs are not constant, which means, bounds and tests are over; all of them where none
/// would be left. How many are left out is said on stderr.
pub(crate) fn subjects_in_use(job: &Job, constant: &[bool]) -> Vec<usize> {
    let used: Vec<usize> = (0..constant.len()).filter(|&s| !constant[s]).collect();
    if used.is_empty() {
        return (0..constant.len()).collect();
    }
    if used.len() < constant.len() {
        job.warn(format!(
            "{} of {} subjects are constant and have no score; means, bounds and tests are over the other {}",
            constant.len() - used.len(),
            constant.len(),
            used.len()
        ));
    }
    used
}

/// How the scores came about, for those of resampled data.
#[derive(Clone, Copy)]
pub(crate) struct Scoring<'a> {
    pub how: Comparison,
    pub sigma: Option<&'a StimulusCovariance>,
    pub fitted: Option<&'a Resampling>,
}

/// All that was asked for.
pub(crate) struct Inference {
    means: Option<Means>,
    /// Whether the tests of the means stand in the table of scores; else they are for `--pairwise` alone.
    shown: bool,
    permuted: Option<Permuted>,
    with_ceiling: bool,
}

struct Means {
    evidence: Evidence,
    over: Generalize,
    models: Vec<Tested>,
    q: Vec<f64>,
    against_ceiling: Option<(Vec<f64>, Vec<f64>)>,
    bounds: Option<[Tested; 2]>,
    /// Why a mean is NaN.
    reasons: Vec<Option<Reason>>,
    words: Words,
}

/// What every p says of itself.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    test: &'static str,
    generalize_to: &'static str,
    n: usize,
    n_boot: Option<usize>,
    correct: Correction,
}

/// Refuses what cannot be done, before any work.
pub(crate) fn check(args: &CompareArgs, brains: &[NamedRdm]) -> Result<()> {
    let options = &args.inference;
    let source = brains.first().map_or("brain", |b| b.source.as_str());
    let n_subjects = brains.len();
    let n_stimuli = brains.first().map_or(0, |b| b.rdm.n_stimuli());
    match (options.test, options.boot) {
        (Some(Test::Wilcoxon), Some(boot)) => {
            bail!("--test wilcoxon ranks subjects and --boot {} resamples; take one of them", boot.over().as_str())
        }
        (Some(Test::Bootstrap), None) => bail!("--test bootstrap needs draws: --boot subjects, stimuli or both"),
        _ => {}
    }
    let subjects_matter = !matches!(options.boot, Some(Boot::Stimuli));
    if options.test_of_means().is_some() && subjects_matter && n_subjects < 2 {
        let what = match options.boot {
            Some(boot) => format!("--boot {}", boot.over().as_str()),
            None => "a test over subjects".to_string(),
        };
        bail!("{source}: {n_subjects} brain RDM; {what} needs at least 2 (--boot stimuli needs 1)");
    }
    if let (true, Some(boot), 2) = (args.ceiling && subjects_matter, options.boot, n_subjects) {
        bail!(
            "{source}: 2 brain RDMs; --ceiling under --boot {} needs at least 3 subjects: of 2, half the draws hold one of \
             them only and have no ceiling (--boot stimuli has one)",
            boot.over().as_str()
        );
    }
    if matches!(options.boot, Some(Boot::Stimuli | Boot::Both)) {
        if n_stimuli < 2 * FEWEST_STIMULI {
            bail!(
                "{source}: {n_stimuli} stimuli; --boot {} needs at least {}, or too many draws have fewer than \
                 {FEWEST_STIMULI} different ones",
                options.boot.map_or("", |b| b.over().as_str()),
                2 * FEWEST_STIMULI
            );
        }
        if args.sigma_k.is_some() {
            bail!(
                "--sigma-k with resampled stimuli: a stimulus drawn twice has its noise twice, and no covariance says what \
                 is then independent; take --boot subjects, or leave --sigma-k out"
            );
        }
    }
    if let Some(n_perm) = options.perm {
        let orders: f64 = (1..=n_stimuli).map(|k| k as f64).product();
        if orders <= f64::from(n_perm) {
            bail!(
                "{source}: {n_stimuli} stimuli have {orders} orders, fewer than the {n_perm} of --perm plus the own one"
            );
        }
    }
    Ok(())
}

impl Inference {
    pub fn of(
        job: &Job,
        args: &CompareArgs,
        models: &[Rdm],
        brains: &[Rdm],
        scoring: Scoring,
        scores: &Scores,
    ) -> Result<Inference> {
        let Scoring { how, sigma, fitted } = scoring;
        let options = &args.inference;
        let n_stimuli = brains.first().map_or(0, Rdm::n_stimuli);
        let means = match options.test_of_means() {
            None => None,
            Some(test) => {
                let evidence = match options.boot {
                    None => Evidence::of_subjects(scores, test == Test::Wilcoxon),
                    Some(boot) => {
                        let plan = Bootstrap {
                            over: boot.over(),
                            n_boot: options.n_boot as usize,
                            seed: options.seed,
                            ceiling: scores.ceiling.is_some(),
                        };
                        let replicates = match fitted {
                            None => bootstrap(models, brains, how, sigma, plan),
                            Some(Resampling { groups, folding, n_cv }) => {
                                bootstrap_fitted(groups, brains, args.model, how, plan, *folding, *n_cv)
                            }
                        }
                        .map_err(|error| anyhow!("--boot {}: {error}", boot.over().as_str()))?;
                        let sizes = (brains.len(), n_stimuli);
                        of_draws(job, args, boot.over(), replicates, scores, test == Test::Bootstrap, sizes, fitted)?
                    }
                };
                Some(Means::of(job, evidence, args, scores, brains.len(), n_stimuli))
            }
        };
        if options.boot.is_some() || options.perm.is_some() {
            job.record("seed", options.seed);
        }
        let permuted = match options.perm {
            None => None,
            Some(n) => {
                let found = permute_stimuli(models, brains, how, sigma, n as usize, options.seed)
                    .map_err(|error| anyhow!("--perm: {error}"))?;
                let fewest =
                    found.n.iter().zip(&scores.means).filter(|(_, mean)| mean.is_finite()).map(|(n, _)| *n).min();
                if let Some(fewest) = fewest.filter(|fewest| *fewest < n as usize) {
                    job.warn(format!(
                        "--perm: up to {} of {n} shuffles give a model no score (its pairs lie on pairs without a value); \
                         left out, n_perm counts the others",
                        n as usize - fewest
                    ));
                }
                Some(found)
            }
        };
        Ok(Inference { means, shown: true, permuted, with_ceiling: scores.ceiling.is_some() })
    }

    /// Tests over subjects alone, of scores of any kind; `shown` says whether those against 0 mean anything.
    pub fn over_subjects(job: &Job, args: &CompareArgs, scores: &Scores, n_stimuli: usize, shown: bool) -> Inference {
        let n_subjects = scores.by_subject.first().map_or(0, Vec::len);
        let means = args.inference.test_of_means().map(|test| {
            let evidence = Evidence::of_subjects(scores, test == Test::Wilcoxon);
            Means::of(job, evidence, args, scores, n_subjects, n_stimuli)
        });
        Inference { means, shown, permuted: None, with_ceiling: false }
    }

    fn in_table(&self) -> Option<&Means> {
        self.means.as_ref().filter(|_| self.shown)
    }

    /// The columns, in order.
    pub fn columns(&self) -> Vec<&'static str> {
        let mut columns = Vec::new();
        if self.in_table().is_some() {
            columns.extend(["se", "ci_lo", "ci_hi", "t", "df", "p", "q"]);
            if self.with_ceiling {
                columns.extend(["p_ceiling", "q_ceiling", "lower_ci_lo", "lower_ci_hi", "lower_p"]);
                columns.extend(["upper_ci_lo", "upper_ci_hi", "upper_p"]);
            }
            columns.extend(["test", "alternative", "correct", "generalize_to", "n", "n_boot"]);
        }
        if self.permuted.is_some() {
            columns.extend(["p_perm", "p_perm_fwer", "n_perm"]);
        }
        columns
    }

    /// The cells of a model's row `mean`.
    pub fn cells(&self, model: usize) -> Vec<Cell<'static>> {
        let mut cells: Vec<Cell> = Vec::new();
        if let Some(means) = self.in_table() {
            let Tested { se, ci, t, df, p, .. } = means.models[model];
            cells.extend([se.into(), ci[0].into(), ci[1].into(), t.into(), df.into(), p.into(), means.q[model].into()]);
            if self.with_ceiling {
                let (p, q) = means.against_ceiling.as_ref().map_or((f64::NAN, f64::NAN), |(p, q)| (p[model], q[model]));
                cells.extend([p.into(), q.into()]);
                for bound in means.bounds.iter().flatten() {
                    cells.extend([bound.ci[0].into(), bound.ci[1].into(), bound.p.into()]);
                }
            }
            cells.extend(means.words.cells("greater"));
        }
        if let Some(permuted) = &self.permuted {
            cells.extend([permuted.p[model].into(), permuted.p_max[model].into(), permuted.n[model].into()]);
        }
        cells
    }

    /// Why a model's mean has no p, where it is shown.
    pub fn reason(&self, model: usize) -> Option<Reason> {
        self.in_table().and_then(|means| means.models[model].reason)
    }

    /// As many empty cells, for the rows of subjects.
    pub fn empty(&self) -> Vec<Cell<'static>> {
        self.columns().iter().map(|_| Cell::from(None::<f64>)).collect()
    }
}

impl Words {
    /// `alternative` is that of the column p, in SciPy's words.
    fn cells(self, alternative: &'static str) -> [Cell<'static>; 6] {
        let correct = self.correct.as_str();
        [
            self.test.into(),
            alternative.into(),
            correct.into(),
            self.generalize_to.into(),
            self.n.into(),
            self.n_boot.into(),
        ]
    }
}

#[allow(clippy::too_many_arguments)] // the parts of one call, each used once
fn of_draws(
    job: &Job,
    args: &CompareArgs,
    over: Generalize,
    replicates: Replicates,
    scores: &Scores,
    percentile: bool,
    (n_subjects, n_stimuli): (usize, usize),
    fitted: Option<&Resampling>,
) -> Result<Evidence> {
    let n_boot = args.inference.n_boot as usize;
    let n_models = scores.means.len();
    // A model without a score has no draws either; it takes none from the others.
    let usable: Vec<usize> = (0..n_models).filter(|&m| scores.means[m].is_finite()).collect();
    let alone = Spread::new(&replicates, &usable, over, n_subjects, n_stimuli);
    let with_bounds: Vec<usize> = usable.iter().copied().chain([n_models, n_models + 1]).collect();
    let with_ceiling = scores.ceiling.map(|_| Spread::new(&replicates, &with_bounds, over, n_subjects, n_stimuli));
    for (what, spread) in [("score", Some(&alone)), ("ceiling", with_ceiling.as_ref())] {
        let Some(used) = spread.map(|s| s.draws.len()) else { continue };
        if used < n_boot {
            let why = match fitted {
                None => format!("fewer than {FEWEST_STIMULI} different stimuli, one subject only, or a constant RDM"),
                Some(Resampling { folding, .. }) => format!(
                    "fewer than {} different subjects or {} different stimuli for {} x {} folds, or a fold \
                     with a constant RDM or prediction, as of weights that are all 0",
                    folding.subjects,
                    FEWEST_STIMULI * folding.stimuli,
                    folding.subjects,
                    folding.stimuli,
                ),
            };
            let text = format!("--boot {}: {} of {n_boot} draws give no {what} ({why})", over.as_str(), n_boot - used);
            if used * 2 < n_boot {
                bail!(
                    "{text}; more than half are too many to go on: take more {}",
                    match over {
                        Generalize::Subjects => "subjects",
                        _ => "stimuli (or subjects)",
                    }
                );
            }
            job.warn(format!("{text}; left out"));
        }
    }
    let below_0 = usable.iter().filter(|&&m| alone.variance(&[(m, 1.0)]) < 0.0).count();
    if below_0 > 0 {
        job.warn(format!(
            "--boot {}: without the part of the random folds the variance of {below_0} of {n_models} models is below 0, and \
             they have no se and no p; take more draws (--n-boot) or repetitions (--n-cv)",
            over.as_str()
        ));
    }
    Ok(Evidence::of_draws(replicates, alone, with_ceiling, over, n_subjects, n_stimuli, percentile, scores.rounding))
}

/// A NaN p of a score that is there needs its reason said.
fn warn_of_no_spread(job: &Job, tested: &[Tested], estimates: &[f64], over: Generalize) {
    let none = tested.iter().zip(estimates).filter(|(t, e)| t.p.is_nan() && e.is_finite() && t.se == 0.0).count();
    if none > 0 {
        job.warn(format!(
            "{none} of {} tests have no t and no p (NaN): their numbers are equal over {}, to rounding",
            tested.len(),
            match over {
                Generalize::Subjects => "subjects",
                _ => "draws",
            }
        ));
    }
}

impl Means {
    fn of(
        job: &Job,
        evidence: Evidence,
        args: &CompareArgs,
        scores: &Scores,
        n_subjects: usize,
        n_stimuli: usize,
    ) -> Means {
        let n_models = scores.means.len();
        let over = args.inference.boot.map_or(Generalize::Subjects, Boot::over);
        let correct = |p: &[f64]| args.inference.correction().adjust(p);
        let models: Vec<Tested> =
            (0..n_models).map(|m| evidence.test(&[(m, 1.0)], scores.means[m], 0.0, Tail::Greater)).collect();
        warn_of_no_spread(job, &models, &scores.means, over);
        let q = correct(&models.iter().map(|m| m.p).collect::<Vec<f64>>());
        let against_ceiling = scores.ceiling.map(|ceiling| {
            let p: Vec<f64> =
                (0..n_models).map(|m| evidence.against_lower(m, n_models, scores.means[m], ceiling.lower).p).collect();
            let q = correct(&p);
            (p, q)
        });
        let bounds = scores.ceiling.map(|ceiling| {
            [(n_models, ceiling.lower), (n_models + 1, ceiling.upper)]
                .map(|(column, value)| evidence.test(&[(column, 1.0)], value, 0.0, Tail::Greater))
        });
        let words = Words {
            test: evidence.name(),
            generalize_to: over.as_str(),
            n: over.n(n_subjects, n_stimuli),
            n_boot: evidence.n_boot(),
            correct: args.inference.correction(),
        };
        Means { evidence, over, models, q, against_ceiling, bounds, reasons: scores.reasons.clone(), words }
    }
}
