//! The tests of `rsa compare`: which were asked for, their numbers, and the columns that hold them.

use super::args::{Boot, CompareArgs, Test};
use super::draws;
use super::evidence::{Evidence, Tested};
use super::fitted::FoldsOfDraws;
use super::groups::Together;
use super::plan::never_below_0;
use super::scores::Scores;
use super::system::{Content, Systems};
use anyhow::{Result, anyhow, bail};
use cli::{Cell, Job, Named, Output};
use rdm::bootstrap_fitted_in;
use rdm::inference::{
    Bootstrap, FEWEST_STIMULI, Generalize, Permuted, Replicates, Spread, bootstrap_drawn_in_folds, permute_stimuli_in,
};
use statistics::signed_rank::Tail;
use statistics::{Correction, Reason};

/// All that was asked for.
pub(super) struct Inference {
    pub means: Option<Means>,
    /// Whether the tests of the means stand in the table of scores; else they are for `--pairwise` alone.
    shown: bool,
    permuted: Option<Permuted>,
}

pub(super) struct Means {
    pub evidence: Evidence,
    pub over: Generalize,
    models: Vec<Tested>,
    q: Vec<f64>,
    against_ceiling: Option<(Vec<f64>, Vec<f64>)>,
    bounds: Option<[Tested; 2]>,
    /// Why a mean is NaN.
    pub reasons: Vec<Option<Reason>>,
    pub words: Words,
}

/// What every p says of itself.
#[derive(Clone, Copy)]
pub(super) struct Words {
    test: &'static str,
    generalize_to: &'static str,
    n: usize,
    n_boot: Option<usize>,
    correct: Correction,
}

/// Whose row of the table it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfRow {
    Mean,
    Subject(Option<usize>),
}

impl Inference {
    /// Tests over subjects for any systems; draws and permutations for whole RDMs.
    pub fn of(
        job: &Job,
        args: &CompareArgs,
        systems: &Systems,
        scores: &Scores,
        folds: Option<&FoldsOfDraws>,
        together: &Together,
        save_draws: Option<Output>,
    ) -> Result<Inference> {
        let options = &args.inference;
        let models: Vec<usize> = (systems.n_brains..systems.names.len()).collect();
        let sizes = (together.subjects.len(), together.stimuli.len());
        let whole = match &systems.content {
            Content::Whole(whole) if options.boot.is_some() || options.perm.is_some() => {
                Some((whole, whole.of(&models), whole.of(&scores.used)))
            }
            _ => None,
        };
        let evidence = match (options.test_of_means(), options.boot, &whole) {
            (None, ..) => None,
            (Some(test), Some(boot), Some((whole, models, brains))) => {
                let plan = Bootstrap {
                    over: boot.over(),
                    n_boot: options.n_boot as usize,
                    seed: options.seed,
                    ceiling: scores.ceiling.is_some(),
                };
                let groups = [together.subjects.clone(), together.stimuli.clone()];
                let (how, sigma) = (whole.how, whole.sigma.as_ref());
                let replicates = match folds {
                    None => {
                        let drawn = draws::draws(job, args, systems, &scores.used, plan, together)?;
                        if let Some(out) = save_draws {
                            draws::write(job, out, systems, &scores.used, plan.over, &drawn)?;
                        }
                        let left_out = &together.left_out;
                        bootstrap_drawn_in_folds(models, brains, how, sigma, plan, &drawn, &groups, left_out)
                    }
                    Some(FoldsOfDraws { splits, n_cv, against }) => {
                        let (models, kind) = (&whole.components, args.model);
                        bootstrap_fitted_in(models, brains, kind, how, plan, splits, *n_cv, &groups, *against)
                    }
                }
                .map_err(|error| anyhow!("--boot {}: {error}", boot.over().as_str()))?;
                let percentile = test == Test::Bootstrap;
                Some(of_draws(job, boot.over(), replicates, scores, percentile, sizes, folds)?)
            }
            (Some(test), ..) => Some(Evidence::of_subjects(scores, test == Test::Wilcoxon, &together.subjects)),
        };
        let means = evidence.map(|evidence| Means::of(job, evidence, args, scores, sizes));
        if (options.boot.is_some() && options.draws.is_none()) || options.perm.is_some() {
            job.record("seed", options.seed);
        }
        let permuted = match (options.perm, &whole) {
            (None, _) | (_, None) => None,
            (Some(n), Some((whole, models, brains))) => {
                let (how, sigma) = (whole.how, whole.sigma.as_ref());
                let (n_perm, shuffle) = (n as usize, together.shuffle());
                let people = &together.subjects;
                let found = permute_stimuli_in(models, brains, how, sigma, n_perm, options.seed, shuffle, people)
                    .map_err(|error| anyhow!("--perm: {error}"))?;
                let fewest = found
                    .of_means
                    .n
                    .iter()
                    .zip(&scores.means)
                    .filter(|(_, mean)| mean.is_finite())
                    .map(|(n, _)| *n)
                    .min();
                if let Some(fewest) = fewest.filter(|fewest| *fewest < n as usize) {
                    job.warn(format!(
                        "--perm: up to {} of {n} shuffles give a model no score (its pairs lie on pairs without a \
                         value); left out, n_perm counts the others",
                        n as usize - fewest
                    ));
                }
                Some(found)
            }
        };
        let shown = never_below_0(args).is_none();
        Ok(Inference { means, shown, permuted })
    }

    fn in_table(&self) -> Option<&Means> {
        self.means.as_ref().filter(|_| self.shown)
    }

    /// The cells of a model's row `mean`, or of its row for a subject (a place in [`Scores::used`], none for one that
    /// is not used): all that is tested there is the permutation.
    pub fn cells(&self, m: usize, row: OfRow) -> Vec<Named<'static>> {
        let mut cells: Vec<Named> = Vec::new();
        if let Some(means) = self.in_table() {
            cells.extend(means.models[m].cells(means.q[m]));
            if let (Some((p, q)), Some([lower, upper])) = (&means.against_ceiling, &means.bounds) {
                cells.extend([
                    ("p_ceiling", p[m].into()),
                    ("q_ceiling", q[m].into()),
                    ("lower_ci_lo", lower.ci[0].into()),
                    ("lower_ci_hi", lower.ci[1].into()),
                    ("lower_p", lower.p.into()),
                    ("upper_ci_lo", upper.ci[0].into()),
                    ("upper_ci_hi", upper.ci[1].into()),
                    ("upper_p", upper.p.into()),
                ]);
            }
            cells.extend(means.words.cells("greater"));
        }
        if row != OfRow::Mean {
            cells.iter_mut().for_each(|(_, cell)| *cell = Cell::Empty);
        }
        if let Some(Permuted { of_means, of_subjects }) = &self.permuted {
            let reached = match row {
                OfRow::Mean => Some(of_means),
                OfRow::Subject(place) => place.map(|place| &of_subjects[place]),
            };
            cells.extend([
                ("p_perm", reached.map_or(f64::NAN, |reached| reached.p[m]).into()),
                ("p_perm_fwer", reached.map_or(f64::NAN, |reached| reached.p_max[m]).into()),
                ("n_perm", reached.map(|reached| reached.n[m]).into()),
            ]);
        }
        cells
    }

    /// Why a model's mean has no p, where it is shown.
    pub fn reason(&self, model: usize) -> Option<Reason> {
        self.in_table().and_then(|means| means.models[model].reason)
    }
}

impl Words {
    /// `alternative` is that of the column p, in SciPy's words.
    pub fn cells(self, alternative: &'static str) -> [Named<'static>; 6] {
        [
            ("test", self.test.into()),
            ("alternative", alternative.into()),
            ("correct", self.correct.as_str().into()),
            ("generalize_to", self.generalize_to.into()),
            ("n", self.n.into()),
            ("n_boot", self.n_boot.into()),
        ]
    }
}

#[allow(clippy::too_many_arguments)] // the parts of one call, each used once
fn of_draws(
    job: &Job,
    over: Generalize,
    replicates: Replicates,
    scores: &Scores,
    percentile: bool,
    (n_subjects, n_stimuli): (usize, usize),
    folds: Option<&FoldsOfDraws>,
) -> Result<Evidence> {
    let n_boot = replicates.tables[0].nrows();
    let n_models = scores.means.len();
    // A model without a score has no draws either; it takes none from the others.
    let usable: Vec<usize> = (0..n_models).filter(|&m| scores.means[m].is_finite()).collect();
    let alone = Spread::new(&replicates, &usable, over, n_subjects, n_stimuli);
    let with_bounds: Vec<usize> = usable.iter().copied().chain([n_models, n_models + 1]).collect();
    let with_ceiling =
        scores.ceiling.as_ref().map(|_| Spread::new(&replicates, &with_bounds, over, n_subjects, n_stimuli));
    for (what, spread) in [("score", Some(&alone)), ("ceiling", with_ceiling.as_ref())] {
        let Some(used) = spread.map(|s| s.draws.len()) else { continue };
        if used < n_boot {
            let why = match folds {
                None => format!(
                    "fewer than {FEWEST_STIMULI} different stimuli or groups of them, one subject only, or a constant RDM"
                ),
                Some(FoldsOfDraws { splits, .. }) => {
                    let [subjects, stimuli] = [splits.subjects.len(), splits.stimuli.len()];
                    format!(
                        "fewer than {} different subjects or {} different stimuli for {subjects} x {stimuli} folds, or \
                         a fold with a constant RDM or prediction, as of weights that are all 0",
                        if splits.subjects.is_random() { subjects } else { subjects.min(2) },
                        FEWEST_STIMULI * stimuli,
                    )
                }
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
            "--boot {}: without the part of the random folds the variance of {below_0} of {n_models} models is below \
             0, and they have no se and no p; take more draws (--n-boot) or repetitions (--n-cv)",
            over.as_str()
        ));
    }
    Ok(Evidence::of_draws(replicates, alone, with_ceiling, over, n_subjects, n_stimuli, percentile, scores.rounding))
}

/// A NaN p of a score that is there needs its reason said.
pub(super) fn warn_of_no_spread(job: &Job, tested: &[Tested], estimates: &[f64], over: Generalize) {
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
        (n_subjects, n_stimuli): (usize, usize),
    ) -> Means {
        let n_models = scores.means.len();
        let over = args.inference.boot.map_or(Generalize::Subjects, Boot::over);
        let correct = |p: &[f64]| args.inference.correction().adjust(p);
        let models: Vec<Tested> =
            (0..n_models).map(|m| evidence.test(&[(m, 1.0)], scores.means[m], 0.0, Tail::Greater)).collect();
        warn_of_no_spread(job, &models, &scores.means, over);
        let q = correct(&models.iter().map(|m| m.p).collect::<Vec<f64>>());
        let against_ceiling = scores.ceiling.as_ref().map(|ceiling| {
            let p: Vec<f64> =
                (0..n_models).map(|m| evidence.against_lower(m, n_models, scores.means[m], ceiling.lower).p).collect();
            let q = correct(&p);
            (p, q)
        });
        let bounds = scores.ceiling.as_ref().map(|ceiling| {
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
