//! What a test rests on: subjects' scores, or draws of a bootstrap.

use super::Scores;
use rdm::inference::{Generalize, Replicates, Spread};
use statistics::signed_rank::{Tail, wilcoxon_p};
use statistics::{mean, quantile, student_t_quantile, student_t_sf, student_t_two_sided_p, variance};

/// The share of each tail that a 95 % interval leaves out.
const TAIL: f64 = 0.025;

/// Scores lie between -1 and 1; what differs by less than this, differs by rounding. Two models that are one but for
/// their scale would otherwise be tested on the last digit.
const ROUNDING: f64 = 1e-12;

/// One estimate and its test.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tested {
    pub se: f64,
    pub ci: [f64; 2],
    /// None where the test has no t.
    pub t: Option<f64>,
    pub df: Option<f64>,
    pub p: f64,
}

pub(super) enum Evidence {
    /// Columns (models, lower, upper), one value per subject.
    Subjects {
        columns: Vec<Vec<f64>>,
        ranked: bool,
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
}

impl Evidence {
    pub fn of_subjects(scores: &Scores, ranked: bool) -> Evidence {
        let mut columns = scores.by_subject.clone();
        if let Some(ceiling) = scores.ceiling {
            columns.push(ceiling.lower_by_subject.clone());
            columns.push(ceiling.upper_by_subject.clone());
        }
        Evidence::Subjects { columns, ranked }
    }

    pub fn of_draws(
        replicates: Replicates,
        models: Spread,
        with_ceiling: Option<Spread>,
        over: Generalize,
        n_subjects: usize,
        n_stimuli: usize,
        percentile: bool,
    ) -> Evidence {
        let n_models = replicates.tables[0].ncols() - 2;
        let df = over.n(n_subjects, n_stimuli) as f64 - 1.0;
        Evidence::Draws(Box::new(Draws { replicates, models, with_ceiling, n_models, df, percentile }))
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
            Evidence::Subjects { columns, ranked } => {
                let n = columns.first().map_or(0, Vec::len);
                let values: Vec<f64> =
                    (0..n).map(|s| terms.iter().map(|(c, w)| w * columns[*c][s]).sum::<f64>()).collect();
                let se = (variance(&values) / n as f64).sqrt();
                let tested = by_t(mean(&values), fixed, se, n as f64 - 1.0, tail);
                if !ranked {
                    return tested;
                }
                let differences: Vec<f64> = values.iter().map(|v| beyond_rounding(v - fixed)).collect();
                Tested { t: None, df: None, p: wilcoxon_p(&differences, tail), ..tested }
            }
            Evidence::Draws(draws) => draws.test(terms, estimate, fixed, tail),
        }
    }

    /// A model against the lower bound, on either side. Over subjects the bound counts as known, as in rsatoolbox; draws
    /// give both and their covariance.
    pub fn against_lower(&self, model: usize, n_models: usize, score: f64, lower: f64) -> Tested {
        match self {
            Evidence::Subjects { .. } => self.test(&[(model, 1.0)], score, lower, Tail::TwoSided),
            Evidence::Draws(_) => self.test(&[(model, 1.0), (n_models, -1.0)], score - lower, 0.0, Tail::TwoSided),
        }
    }
}

fn beyond_rounding(difference: f64) -> f64 {
    if difference.abs() <= ROUNDING { 0.0 } else { difference }
}

/// Without spread (one RDM given as several subjects, one model given twice) there is no t and no p.
fn by_t(estimate: f64, fixed: f64, se: f64, df: f64, tail: Tail) -> Tested {
    let se = beyond_rounding(se);
    let half = student_t_quantile(TAIL, df) * se;
    let t = if se == 0.0 { f64::NAN } else { beyond_rounding(estimate - fixed) / se };
    let p = match tail {
        Tail::Greater => student_t_sf(t, df),
        Tail::TwoSided => student_t_two_sided_p(t, df),
    };
    Tested { se, ci: [estimate - half, estimate + half], t: Some(t), df: Some(df), p }
}

impl Draws {
    fn test(&self, terms: &[(usize, f64)], estimate: f64, fixed: f64, tail: Tail) -> Tested {
        let of_models = terms.iter().all(|(column, _)| *column < self.n_models);
        let spread = if of_models { Some(&self.models) } else { self.with_ceiling.as_ref() };
        let Some(spread) = spread else {
            return Tested { se: f64::NAN, ci: [f64::NAN; 2], t: None, df: None, p: f64::NAN };
        };
        let tested = by_t(estimate, fixed, spread.variance(terms).sqrt(), self.df, tail);
        if !self.percentile {
            return tested;
        }
        let table = &self.replicates.tables[0];
        let values: Vec<f64> =
            spread.draws.iter().map(|&d| terms.iter().map(|(c, w)| w * table[(d, *c)]).sum::<f64>()).collect();
        let one_more = |side: usize| (1.0 + side as f64) / (1.0 + values.len() as f64);
        let below = values.iter().filter(|v| beyond_rounding(**v - fixed) <= 0.0).count();
        let above = values.iter().filter(|v| beyond_rounding(**v - fixed) >= 0.0).count();
        let p = match tail {
            _ if estimate.is_nan() => f64::NAN,
            Tail::Greater => one_more(below),
            Tail::TwoSided => (2.0 * one_more(below.min(above))).min(1.0),
        };
        let ci = [TAIL, 1.0 - TAIL].map(|q| quantile(&values, q));
        Tested { ci, t: None, df: None, p, ..tested }
    }
}
