//! What a test rests on: subjects' scores, or draws of a bootstrap.

use super::scores::Scores;
use cli::Named;
use rdm::inference::{Generalize, Groups, Replicates, Spread};
use statistics::mean_test::{MeanTest, estimate_test, mean_test};
use statistics::rounding::beyond;
use statistics::signed_rank::{Tail, wilcoxon_p};
use statistics::{Reason, quantile, student_t_quantile};

/// The share of each tail that a 95 % interval leaves out.
const TAIL: f64 = 0.025;

/// One estimate and its test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tested {
    pub se: f64,
    pub ci: [f64; 2],
    /// None where the test has no t.
    pub t: Option<f64>,
    pub df: Option<f64>,
    pub p: f64,
    /// Why there is no p.
    pub reason: Option<Reason>,
}

pub(super) enum Evidence {
    /// Columns (models, lower, upper), one value per subject.
    Subjects {
        columns: Vec<Vec<f64>>,
        ranked: bool,
        rounding: f64,
    },
    Draws(Box<Draws>),
}

pub(super) struct Draws {
    replicates: Replicates,
    models: Spread,
    with_ceiling: Option<Spread>,
    n_models: usize,
    df: f64,
    percentile: bool,
    rounding: f64,
}

impl Evidence {
    /// One value per person, the mean of theirs.
    pub fn of_subjects(scores: &Scores, ranked: bool, people: &Groups) -> Evidence {
        let mut columns = scores.by_subject.clone();
        if let Some(ceiling) = &scores.ceiling {
            columns.push(ceiling.lower_by_subject.clone());
            columns.push(ceiling.upper_by_subject.clone());
        }
        let columns = columns.iter().map(|values| people.means(values)).collect();
        Evidence::Subjects { columns, ranked, rounding: scores.rounding }
    }

    #[allow(clippy::too_many_arguments)] // the parts of one call, each used once
    pub fn of_draws(
        replicates: Replicates,
        models: Spread,
        with_ceiling: Option<Spread>,
        over: Generalize,
        n_subjects: usize,
        n_stimuli: usize,
        percentile: bool,
        rounding: f64,
    ) -> Evidence {
        let n_models = replicates.tables[0].ncols() - 2;
        let df = over.n(n_subjects, n_stimuli) as f64 - 1.0;
        Evidence::Draws(Box::new(Draws { replicates, models, with_ceiling, n_models, df, percentile, rounding }))
    }

    /// The word of the column `test`.
    pub fn name(&self) -> &'static str {
        match self {
            Evidence::Subjects { ranked: false, .. } => "t",
            Evidence::Subjects { ranked: true, .. } => "signed-rank",
            Evidence::Draws(draws) if draws.percentile => "bootstrap",
            Evidence::Draws(_) => "bootstrap-t",
        }
    }

    pub fn n_boot(&self) -> Option<usize> {
        match self {
            Evidence::Subjects { .. } => None,
            Evidence::Draws(draws) => Some(draws.models.draws.len()),
        }
    }

    /// Is `estimate`, the value of `sum weight * column`, other than `fixed`?
    pub fn test(&self, terms: &[(usize, f64)], estimate: f64, fixed: f64, tail: Tail) -> Tested {
        match self {
            Evidence::Subjects { columns, ranked, rounding } => {
                let n = columns.first().map_or(0, Vec::len);
                let values: Vec<f64> =
                    (0..n).map(|s| terms.iter().map(|(c, w)| w * columns[*c][s]).sum::<f64>()).collect();
                let tested = Tested::of(mean_test(&values, fixed, tail, *rounding));
                if !ranked {
                    return tested;
                }
                // Equal scores are one score, whose sign is no evidence of several subjects.
                let p = if tested.se == 0.0 {
                    f64::NAN
                } else {
                    wilcoxon_p(&values.iter().map(|v| v - fixed).collect::<Vec<f64>>(), tail, *rounding)
                };
                Tested { t: None, df: None, p, ..tested }
            }
            Evidence::Draws(draws) => draws.test(terms, estimate, fixed, tail),
        }
    }

    /// A model against the lower bound, on either side. Over subjects the bound counts as known, as in rsatoolbox;
    /// draws give both and their covariance.
    pub fn against_lower(&self, model: usize, n_models: usize, score: f64, lower: f64) -> Tested {
        match self {
            Evidence::Subjects { .. } => self.test(&[(model, 1.0)], score, lower, Tail::TwoSided),
            Evidence::Draws(_) => self.test(&[(model, 1.0), (n_models, -1.0)], score - lower, 0.0, Tail::TwoSided),
        }
    }
}

impl Tested {
    /// With `q`, the adjusted p.
    pub fn cells(&self, q: f64) -> [Named<'static>; 7] {
        let Tested { se, ci, t, df, p, .. } = *self;
        [
            ("se", se.into()),
            ("ci_lo", ci[0].into()),
            ("ci_hi", ci[1].into()),
            ("t", t.into()),
            ("df", df.into()),
            ("p", p.into()),
            ("q", q.into()),
        ]
    }

    /// With the interval of t. Without spread (one RDM given as several subjects, one model given twice) there is no p.
    fn of(test: MeanTest) -> Tested {
        let MeanTest { estimate, se, t, df, p, reason } = test;
        let half = student_t_quantile(TAIL, df) * se;
        Tested { se, ci: [estimate - half, estimate + half], t: Some(t), df: Some(df), p, reason }
    }
}

impl Draws {
    fn test(&self, terms: &[(usize, f64)], estimate: f64, fixed: f64, tail: Tail) -> Tested {
        let of_models = terms.iter().all(|(column, _)| *column < self.n_models);
        let spread = if of_models { Some(&self.models) } else { self.with_ceiling.as_ref() };
        let Some(spread) = spread else {
            return Tested { se: f64::NAN, ci: [f64::NAN; 2], t: None, df: None, p: f64::NAN, reason: None };
        };
        let se = spread.variance(terms).sqrt();
        let tested = Tested::of(estimate_test(estimate, fixed, se, self.df, tail, self.rounding));
        if !self.percentile {
            return tested;
        }
        let table = &self.replicates.tables[0];
        let values: Vec<f64> =
            spread.draws.iter().map(|&d| terms.iter().map(|(c, w)| w * table[(d, *c)]).sum::<f64>()).collect();
        let one_more = |side: usize| (1.0 + side as f64) / (1.0 + values.len() as f64);
        let below = values.iter().filter(|v| beyond(**v - fixed, self.rounding) <= 0.0).count();
        let above = values.iter().filter(|v| beyond(**v - fixed, self.rounding) >= 0.0).count();
        let p = match tail {
            _ if estimate.is_nan() => f64::NAN,
            Tail::Greater => one_more(below),
            Tail::TwoSided => (2.0 * one_more(below.min(above))).min(1.0),
        };
        let ci = [TAIL, 1.0 - TAIL].map(|q| quantile(&values, q));
        Tested { ci, t: None, df: None, p, reason: tested.reason.filter(|_| p.is_nan()), ..tested }
    }
}
