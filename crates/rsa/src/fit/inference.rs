//! Intervals and tests of the means over subjects: by their spread, or by draws.

use super::args::{FitArgs, Method};
use super::{Fits, Study};
use crate::compare::Boot;
use anyhow::{Result, bail};
use cli::{Cell, Job, Named};
use rdm::inference::{Bootstrap, Generalize, Spread};
use rdm::{Rdm, Regression, bootstrap_regression_each, column_of_shared, column_of_unique};
use statistics::mean_test::{MeanTest, estimate_test, mean_test};
use statistics::rounding::OF_SCORES;
use statistics::signed_rank::Tail;
use statistics::{Correction, mean, student_t_quantile};

/// The share of each tail that a 95 % interval leaves out.
const TAIL: f64 = 0.025;

/// What has a mean over subjects.
#[derive(Debug, Clone, Copy)]
pub(super) enum Quantity {
    /// The standardized weight of a model.
    Weight(usize),
    /// What only this model explains.
    Unique(usize),
    R2,
    Shared,
    UniqueHeldOut(usize),
    R2HeldOut,
}

/// A mean with its test and interval.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tested {
    pub test: MeanTest,
    pub ci: [f64; 2],
}

impl Tested {
    fn of(test: MeanTest) -> Tested {
        let half = student_t_quantile(TAIL, test.df) * test.se;
        Tested { test, ci: [test.estimate - half, test.estimate + half] }
    }
}

/// What the tests of all means rest on.
pub(super) struct Inference {
    /// Per model; NaN where there is no p.
    pub q: Vec<f64>,
    weights: Vec<Option<Tested>>,
    unique: Vec<Option<Tested>>,
    r2: Option<Tested>,
    shared: Option<Tested>,
    unique_held_out: Vec<Option<Tested>>,
    r2_held_out: Option<Tested>,
    method: Method,
    correct: Correction,
    over: Generalize,
    n: usize,
    n_boot: Option<usize>,
}

impl Inference {
    pub fn of(job: &Job, args: &FitArgs, study: &Study, fits: &Fits) -> Result<Inference> {
        let k = study.models.len();
        let over = args.boot.map_or(Generalize::Subjects, Boot::over);
        let n = over.n(fits.used.len(), study.n_stimuli());
        let spread = match args.boot {
            Some(_) if !fits.used.is_empty() => Some(draws(job, args, study, fits, over)?),
            _ => None,
        };
        // One value has no spread.
        let over_subjects = |values: &[f64], tail: Tail| {
            (values.len() > 1).then(|| Tested::of(mean_test(values, 0.0, tail, OF_SCORES)))
        };
        let test = |values: Vec<f64>, column: usize| match &spread {
            None => over_subjects(&values, Tail::TwoSided),
            Some(spread) => {
                let se = spread.variance(&[(column, 1.0)]).sqrt();
                Some(Tested::of(estimate_test(mean(&values), 0.0, se, n as f64 - 1.0, Tail::TwoSided, OF_SCORES)))
            }
        };
        let weights: Vec<Option<Tested>> = (0..k).map(|j| test(fits.of_used(|fit| fit.standardized[j]), j)).collect();
        let has_p = args.method != Method::Nnls;
        let p: Vec<f64> = weights.iter().map(|w| w.filter(|_| has_p).map_or(f64::NAN, |w| w.test.p)).collect();
        if !has_p {
            job.note(
                "--method nnls: weights are never below 0, for noise either, so they have intervals and no p; unique_cv \
                 of --cv-k has one",
            );
        }
        let held_out = |values: Option<Vec<f64>>| values.and_then(|values| over_subjects(&values, Tail::Greater));
        Ok(Inference {
            q: args.correct.adjust(&p),
            weights,
            unique: (0..k).map(|j| test(fits.of_used(|fit| fit.unique[j]), column_of_unique(j, k))).collect(),
            r2: test(fits.of_used(|fit| fit.r2), column_of_shared(k) - 1),
            shared: test(fits.of_used(|fit| fit.shared), column_of_shared(k)),
            unique_held_out: (0..k).map(|j| held_out(fits.held_out_of_used(|h| h.unique[j]))).collect(),
            r2_held_out: held_out(fits.held_out_of_used(|h| h.r2)),
            method: args.method,
            correct: args.correct,
            over,
            n,
            n_boot: spread.map(|spread| spread.draws.len()),
        })
    }

    pub fn of_quantity(&self, quantity: Quantity) -> Option<Tested> {
        match quantity {
            Quantity::Weight(j) => self.weights[j],
            Quantity::Unique(j) => self.unique[j],
            Quantity::R2 => self.r2,
            Quantity::Shared => self.shared,
            Quantity::UniqueHeldOut(j) => self.unique_held_out[j],
            Quantity::R2HeldOut => self.r2_held_out,
        }
    }

    /// Whether a weight of 0 can be missed on either side.
    pub fn has_p(&self) -> bool {
        self.method != Method::Nnls
    }

    /// What the numbers of a row say of themselves: of rows of means, and of those with a p.
    pub fn words(&self, of_mean: bool, with_p: bool) -> [Named<'static>; 6] {
        let shown = |cell: Cell<'static>| if of_mean { cell } else { Cell::Empty };
        let test = match (self.n_boot, self.n > 1) {
            (Some(_), _) => Some("bootstrap-t"),
            (None, true) => Some("t"),
            (None, false) => None,
        };
        [
            ("test", shown(test.into())),
            ("alternative", with_p.then_some("two-sided").into()),
            ("correct", with_p.then_some(self.correct.as_str()).into()),
            ("generalize_to", shown(test.map(|_| self.over.as_str()).into())),
            ("n", shown(self.n.into())),
            ("n_boot", shown(self.n_boot.into())),
        ]
    }
}

/// The draws that give every mean a number.
fn draws(job: &Job, args: &FitArgs, study: &Study, fits: &Fits, over: Generalize) -> Result<Spread> {
    job.record("seed", args.seed);
    let n_boot = args.n_boot as usize;
    let plan = Bootstrap { over, n_boot, seed: args.seed, ceiling: false };
    let brains: Vec<Rdm> = fits.used.iter().map(|&s| study.brains[s].clone()).collect();
    let methods: Vec<Regression> = fits.used.iter().map(|&s| fits.methods[s]).collect();
    let found = bootstrap_regression_each(&study.models, &brains, &methods, study.scale, plan)?;
    let columns: Vec<usize> = (0..found.tables[0].ncols()).collect();
    let spread = Spread::new(&found, &columns, over, brains.len(), study.n_stimuli());
    let lost = n_boot - spread.draws.len();
    if lost > 0 {
        let text = format!(
            "--boot {}: {lost} of {n_boot} draws give a subject no weights (fewer than 3 different stimuli, too few \
             pairs, or an RDM that is constant or models that depend on each other over the stimuli drawn)",
            over.as_str()
        );
        if 2 * lost > n_boot {
            bail!("{text}; more than half are too many to go on: take more stimuli or fewer models");
        }
        job.warn(format!("{text}; left out"));
    }
    Ok(spread)
}
