//! `rsa fit`: RDMs of subjects as weighted sums of model RDMs.

mod args;
mod folds;
mod inference;
mod plan;

use anyhow::Result;
use cli::{Cell, Input, Job, Named, TableWriter};
use folds::FitFolds;
use inference::{Inference, Quantity};
use rdm::{
    ChosenPenalty, HeldOut, Penalties, Rdm, Regressed, Regression, Scale, choose_penalties, regress_each,
    regress_held_out, regress_held_out_choosing,
};
use rdm_inputs::{NamedRdm, check_nan, into_one_order, read_rdms, say_broken_ties};
use statistics::{Reason, mean};

pub use args::FitArgs;

/// What the rows of all models together say in the column `model`.
const JOINT: &str = "joint";

/// Above this a predictor is said to be collinear: its weight has 3 times the standard error that it would have alone.
const LARGE_VIF: f64 = 10.0;

/// Plans, opens, reads, joins by id, regresses, writes.
pub(crate) fn run(args: &FitArgs) -> Result<()> {
    let (method, penalties) = plan::method(args)?;
    let job = Job::start("rsa", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let study = Study::read(&job, args, method, penalties)?;
    let fits = Fits::of(&job, args, &study)?;
    let inference = Inference::of(&job, args, &study, &fits)?;

    let rows: Vec<Vec<Named>> = study.rows().map(|row| cells(args, &study, &fits, &inference, row)).collect();
    let columns: Vec<&str> = rows.first().into_iter().flatten().map(|(name, _)| *name).collect();
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for row in &rows {
        table.record(row)?;
    }
    table.into_inner().commit(&job)
}

/// Everything that was read, over the same stimuli in the same order.
struct Study {
    /// With penalties to choose from their place is taken by one of 0.
    method: Regression,
    /// Factors of `--alphas`.
    penalties: Option<Vec<f64>>,
    standardized: bool,
    /// The first brain's, for messages.
    source: String,
    scale: Scale,
    models: Vec<Rdm>,
    names: Vec<String>,
    brains: Vec<Rdm>,
    brain_names: Vec<String>,
}

impl Study {
    fn read(job: &Job, args: &FitArgs, method: Regression, penalties: Option<Vec<f64>>) -> Result<Study> {
        let read = |inputs: &[Input], names: &[String]| read_rdms(job, inputs, names);
        let mut all = read(&args.brain, &args.brain_names)?;
        let n_brains = all.len();
        all.extend(read(&args.models, &args.names)?);
        into_one_order(job, args.join, &mut all)?;
        for named in &all {
            check_nan(job, &named.source, &named.rdm, "; left out and counted in n_pairs", args.allow_nan)?;
        }
        if args.rank {
            say_broken_ties(job, all.iter().map(|named| (named.source.as_str(), &named.rdm)), "ranks");
        }
        let models = all.split_off(n_brains);
        plan::check(args, &models, &all)?;
        let names = |of: &[NamedRdm]| of.iter().map(|named| named.name.clone()).collect();
        Ok(Study {
            method,
            penalties,
            standardized: !args.raw,
            source: all[0].source.clone(),
            scale: if args.rank { Scale::Ranks } else { Scale::Values },
            names: names(&models),
            brain_names: names(&all),
            models: models.into_iter().map(|named| named.rdm).collect(),
            brains: all.into_iter().map(|named| named.rdm).collect(),
        })
    }

    /// What penalties are chosen from, if they are.
    fn penalties(&self) -> Option<Penalties<'_>> {
        let standardized = self.standardized;
        self.penalties.as_ref().map(|factors| Penalties { factors, standardized })
    }

    fn n_stimuli(&self) -> usize {
        self.brains[0].n_stimuli()
    }

    /// Models, then all together; of each the subjects, then their mean.
    fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let models = (0..self.models.len()).map(Some).chain([None]);
        models.flat_map(|model| (0..self.brains.len()).map(Some).chain([None]).map(move |brain| Row { model, brain }))
    }
}

/// One row: of a model or of all together, of a subject or of the mean.
#[derive(Clone, Copy)]
struct Row {
    model: Option<usize>,
    brain: Option<usize>,
}

/// The regressions of all subjects.
struct Fits {
    all: Vec<Regressed>,
    /// How each was fitted.
    methods: Vec<Regression>,
    /// The penalties that were chosen.
    chosen: Option<Vec<Option<ChosenPenalty>>>,
    held_out: Option<Vec<HeldOut>>,
    /// The subjects that have weights, over which means and tests are.
    used: Vec<usize>,
}

impl Fits {
    fn of(job: &Job, args: &FitArgs, study: &Study) -> Result<Fits> {
        plan::require_room(study)?;
        let folds = FitFolds::new(job, args, study)?;
        let mut methods = vec![study.method; study.brains.len()];
        let chosen = match (study.penalties(), &folds.choice) {
            (Some(penalties), Some((fold_of, k))) => {
                let (models, brains) = (&study.models, &study.brains);
                Some(choose_penalties(models, brains, penalties, study.scale, fold_of, *k)?)
            }
            _ => None,
        };
        for (method, chosen) in methods.iter_mut().zip(chosen.iter().flatten()) {
            if let Ok(ChosenPenalty { alpha, .. }) = chosen {
                *method = Regression::Ridge { alpha: *alpha, standardized: study.standardized };
            }
        }
        let mut all = regress_each(&study.models, &study.brains, &methods, study.scale)?;
        for (fit, chosen) in all.iter_mut().zip(chosen.iter().flatten()) {
            if let Err(reason) = chosen {
                // Without a penalty there are no weights.
                *fit = fit.without_weights(fit.reason.unwrap_or(*reason));
            }
        }
        let chosen: Option<Vec<Option<ChosenPenalty>>> =
            chosen.map(|of| of.into_iter().map(|chosen| chosen.ok()).collect());
        say_chosen(job, study, chosen.as_deref());
        plan::check_dependent(study, &all)?;
        say_collinear(job, study, &all);
        let reasons: Vec<Reason> = all.iter().filter_map(|fit| fit.reason).collect();
        if !reasons.is_empty() {
            job.warn(format!(
                "{} of {} subjects have no weights ({}); means and tests are over the other {}",
                reasons.len(),
                all.len(),
                Reason::counted(reasons.iter().copied()),
                all.len() - reasons.len()
            ));
        }
        let held_out = match (&folds.held_out, &args.cv_k) {
            (Some((fold_of, n_folds)), Some(k)) => {
                let (models, brains, scale) = (&study.models, &study.brains, study.scale);
                let found = match study.penalties() {
                    None => regress_held_out(models, brains, study.method, scale, fold_of, *n_folds)?,
                    Some(penalties) => {
                        regress_held_out_choosing(models, brains, penalties, scale, fold_of, &folds.nested)?
                    }
                };
                let lost: Vec<Reason> = found
                    .iter()
                    .zip(&all)
                    .filter(|(_, fit)| fit.reason.is_none())
                    .filter_map(|(h, _)| h.reason)
                    .collect();
                if !lost.is_empty() {
                    job.warn(format!(
                        "--cv-k {k}: {} of {} subjects have a group of stimuli without weights or pairs ({}); their \
                         R2_cv is NaN, and so is that of the mean",
                        lost.len(),
                        all.len(),
                        Reason::counted(lost.iter().copied())
                    ));
                }
                Some(found)
            }
            _ => None,
        };
        let used = (0..all.len()).filter(|&s| all[s].reason.is_none()).collect();
        Ok(Fits { all, methods, chosen, held_out, used })
    }

    /// A number of every subject that has weights.
    fn of_used(&self, value: impl Fn(&Regressed) -> f64) -> Vec<f64> {
        self.used.iter().map(|&s| value(&self.all[s])).collect()
    }

    fn value(&self, brain: Option<usize>, value: impl Fn(&Regressed) -> f64) -> f64 {
        brain.map_or_else(|| mean(&self.of_used(&value)), |s| value(&self.all[s]))
    }

    /// The same of what was held out; none without.
    fn held_out_of_used(&self, value: impl Fn(&HeldOut) -> f64) -> Option<Vec<f64>> {
        let held_out = self.held_out.as_ref()?;
        Some(self.used.iter().map(|&s| value(&held_out[s])).collect())
    }
}

/// The penalties are recorded, and those at an end of the grid said.
fn say_chosen(job: &Job, study: &Study, chosen: Option<&[Option<ChosenPenalty>]>) {
    let Some(chosen) = chosen else { return };
    let alphas: Vec<Option<f64>> = chosen.iter().map(|chosen| chosen.as_ref().map(|c| c.alpha)).collect();
    job.record("alpha", alphas);
    let n = chosen.iter().flatten().count();
    let at = |end: usize| chosen.iter().flatten().filter(|chosen| chosen.place == end).count();
    let last = study.penalties.as_ref().map_or(0, |factors| factors.len() - 1);
    if at(0) + at(last) > 0 {
        job.warn(format!(
            "the best alpha is the lowest or highest tried for {} of {n} subjects: {} at the lowest, {} at the highest \
             (where models say nothing the highest is best; else try a wider --alphas)",
            at(0) + at(last),
            at(0),
            at(last)
        ));
    }
}

/// One line for each model that the others nearly explain.
fn say_collinear(job: &Job, study: &Study, all: &[Regressed]) {
    for (j, name) in study.names.iter().enumerate() {
        let largest = all.iter().map(|fit| fit.vif[j]).filter(|vif| !vif.is_nan()).fold(1.0, f64::max);
        if largest <= LARGE_VIF {
            continue;
        }
        let explained = match largest.is_infinite() {
            true => "all".to_owned(),
            // Cut, not rounded: 100 % is said of all of it alone.
            false => format!("{} %", (1e4 * (1.0 - 1.0 / largest)).floor() / 100.0),
        };
        job.warn(format!(
            "{name}: the other models explain {explained} of it (vif {largest:.3}), so its weight is uncertain and its \
             unique part small; what they explain together is `shared` (`rsa compare --all-pairs` says which are alike)"
        ));
    }
}

fn cells<'a>(
    args: &FitArgs,
    study: &'a Study,
    fits: &Fits,
    inference: &Inference,
    Row { model, brain }: Row,
) -> Vec<Named<'a>> {
    let of_model = |value: &dyn Fn(&Regressed, usize) -> f64| -> Cell<'a> {
        model.map(|j| fits.value(brain, |fit| value(fit, j))).into()
    };
    let of_joint =
        |value: &dyn Fn(&Regressed) -> f64| -> Cell<'a> { model.is_none().then(|| fits.value(brain, value)).into() };
    let n_pairs = match brain {
        Some(s) => Some(fits.all[s].n_pairs),
        None => fits.used.iter().map(|&s| fits.all[s].n_pairs).min(),
    };
    let mut cells: Vec<Named> = vec![
        ("model", model.map_or(JOINT, |j| &study.names[j]).into()),
        ("subject", brain.map_or("mean", |s| &study.brain_names[s]).into()),
        ("method", study.method.as_str().into()),
        ("scale", if args.rank { "ranks" } else { "values" }.into()),
        ("n_stimuli", study.n_stimuli().into()),
        ("n_pairs", n_pairs.into()),
    ];
    if let Some(chosen) = &fits.chosen {
        let own = brain.and_then(|s| chosen[s].as_ref());
        let last = study.penalties.as_ref().map_or(0, |factors| factors.len() - 1);
        let at_edge = own.map(|chosen| chosen.place == 0 || chosen.place == last);
        cells.extend([("alpha", own.map(|chosen| chosen.alpha).into()), ("alpha_at_edge", at_edge.into())]);
    }
    cells.extend([
        ("weight", of_model(&|fit, j| fit.weights[j])),
        ("weight_std", of_model(&|fit, j| fit.standardized[j])),
        ("unique", of_model(&|fit, j| fit.unique[j])),
        ("vif", brain.and_then(|s| model.map(|j| fits.all[s].vif[j])).into()),
        ("R2", of_joint(&|fit| fit.r2)),
        ("R", of_joint(&|fit| fit.r)),
        ("shared", of_joint(&|fit| fit.shared)),
    ]);
    let mut reason = brain.and_then(|s| fits.all[s].reason);
    if let Some(held_out) = &fits.held_out {
        let value = |of: &dyn Fn(&HeldOut) -> f64| -> f64 {
            match brain {
                Some(s) => of(&held_out[s]),
                None => fits.held_out_of_used(of).map_or(f64::NAN, |values| mean(&values)),
            }
        };
        reason = reason.or(brain.and_then(|s| held_out[s].reason));
        cells.extend([
            ("R2_cv", model.is_none().then(|| value(&|h| h.r2)).into()),
            ("unique_cv", model.map(|j| value(&|h| h.unique[j])).into()),
            ("shared_cv", model.is_none().then(|| value(&|h| h.shared)).into()),
        ]);
    }
    let shown = brain.is_none().then_some(inference);
    let tested = |quantity: Quantity| shown.and_then(|inference| inference.of_quantity(quantity));
    let weight = model.and_then(|j| tested(Quantity::Weight(j)));
    let p = weight.filter(|_| inference.has_p());
    cells.extend([
        ("se", weight.map(|w| w.test.se).into()),
        ("ci_lo", weight.map(|w| w.ci[0]).into()),
        ("ci_hi", weight.map(|w| w.ci[1]).into()),
        ("t", p.map(|w| w.test.t).into()),
        ("df", weight.map(|w| w.test.df).into()),
        ("p", p.map(|w| w.test.p).into()),
        ("q", p.and(model).map(|j| inference.q[j]).into()),
    ]);
    let mut interval = |names: [&'static str; 2], quantity: Option<Quantity>| {
        let found = quantity.and_then(tested);
        cells.extend([(names[0], found.map(|f| f.ci[0]).into()), (names[1], found.map(|f| f.ci[1]).into())]);
        found
    };
    interval(["unique_ci_lo", "unique_ci_hi"], model.map(Quantity::Unique));
    let joint = |quantity: Quantity| model.is_none().then_some(quantity);
    interval(["R2_ci_lo", "R2_ci_hi"], joint(Quantity::R2));
    interval(["shared_ci_lo", "shared_ci_hi"], joint(Quantity::Shared));
    if fits.held_out.is_some() {
        let unique = interval(["unique_cv_ci_lo", "unique_cv_ci_hi"], model.map(Quantity::UniqueHeldOut));
        let r2 = interval(["R2_cv_ci_lo", "R2_cv_ci_hi"], joint(Quantity::R2HeldOut));
        cells.push(("unique_cv_p", unique.map(|u| u.test.p).into()));
        cells.push(("R2_cv_p", r2.map(|r| r.test.p).into()));
    }
    cells.extend(inference.words(shown.is_some(), p.is_some()));
    reason = reason.or(p.filter(|w| w.test.p.is_nan()).and_then(|w| w.test.reason));
    cells.push(("reason", reason.map(Reason::as_str).into()));
    cells
}
