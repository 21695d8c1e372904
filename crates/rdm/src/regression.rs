//! An RDM as a weighted sum of others and a constant: what each of them explains, and what only it explains.
//!
//! Multiple regression of RDMs (Carlin et al. 2011; Groen et al. 2018 for the parts of the variance). The outcome is
//! the RDM of one subject, the predictors are model RDMs, the cases are the pairs of stimuli that are finite in all of
//! them. Pairs are not independent, so nothing here tests a single subject; tests are over subjects or over draws.
//!
//! Everything rests on sums of products over pairs. A resampled RDM is never gathered: stimulus i drawn `c_i` times
//! gives the pair (i, j) the weight `c_i c_j`, and a stimulus has no distance to its own copy.

mod choice;
mod held_out;
mod moments;
mod resampled;
#[cfg(test)]
mod tests;

use statistics::Reason;

use crate::compare::by_missing_pairs;
use crate::pool::same_sizes;
use crate::{Rdm, RdmError, Scale};
use moments::{Cases, independent_share};

pub use choice::{ChosenPenalty, Penalties, choose_penalties, regress_held_out_choosing};
pub use held_out::{HeldOut, regress_held_out};
pub use resampled::{bootstrap_regression, bootstrap_regression_each, column_of_shared, column_of_unique};

/// What is left of a predictor beside the others is rounding where it is below this part of the whole (of `f32` files
/// too, whose values are off by 6e-8), as in [`crate::compare_partial`].
const EXPLAINED: f64 = 1e-12;

/// How the weights are chosen. `y` is the outcome, `X` the predictors, both without their means over pairs, so that
/// there is an intercept, which no penalty touches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Regression {
    /// The `w` with the smallest `|y - X w|^2`.
    Ols,
    /// The same with no weight below 0 (Lawson and Hanson 1974).
    Nnls,
    /// The `w` with the smallest `|y - X w|^2 + alpha |w|^2`: scikit-learn's `Ridge`.
    Ridge {
        /// The penalty, not below 0.
        alpha: f64,
        /// Whether the predictors are divided by their standard deviation (of n, not n - 1) before they are weighed.
        standardized: bool,
    },
}

impl Regression {
    /// Its name on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Regression::Ols => "ols",
            Regression::Nnls => "nnls",
            Regression::Ridge { .. } => "ridge",
        }
    }

    /// Whether its weights are defined where predictors depend on each other.
    pub fn takes_collinear(self) -> bool {
        matches!(self, Regression::Ridge { alpha, .. } if alpha > 0.0)
    }
}

/// The regression of one outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Regressed {
    /// Per predictor, on the scale of the RDMs (of their ranks).
    pub weights: Vec<f64>,
    /// Per predictor, of variables whose standard deviation is 1: `w sd(x) / sd(y)`.
    pub standardized: Vec<f64>,
    /// Of the weights on the scale of the RDMs.
    pub intercept: f64,
    /// Per predictor `R2` of all minus `R2` of all others, fitted anew by the same method. Without weights below 0, or
    /// a penalty, it is the squared semipartial correlation.
    pub unique: Vec<f64>,
    /// Per predictor `1 / (1 - R2)` of it on all others, infinite where they explain it: how much their likeness blows
    /// up the variance of its weight.
    pub vif: Vec<f64>,
    /// `1 - |y - X w|^2 / |y|^2`
    pub r2: f64,
    /// The correlation of `X w` with `y`; `NaN` where all weights are 0.
    pub r: f64,
    /// `r2` minus the sum of `unique`: what several predictors explain together. Below 0 where one predictor suppresses
    /// what is irrelevant in another.
    pub shared: f64,
    /// Pairs in use.
    pub n_pairs: usize,
    /// Pairs left out because the outcome or a predictor is `NaN` there.
    pub n_nan: usize,
    /// Why all of it (but `vif` and the numbers of pairs) is `NaN`.
    pub reason: Option<Reason>,
}

impl Regressed {
    fn none(vif: Vec<f64>, n_pairs: usize, n_nan: usize, reason: Reason) -> Regressed {
        let nothing = vec![f64::NAN; vif.len()];
        Regressed {
            weights: nothing.clone(),
            standardized: nothing.clone(),
            intercept: f64::NAN,
            unique: nothing,
            vif,
            r2: f64::NAN,
            r: f64::NAN,
            shared: f64::NAN,
            n_pairs,
            n_nan,
            reason: Some(reason),
        }
    }

    /// The same pairs, and for this reason no weights.
    #[must_use]
    pub fn without_weights(&self, reason: Reason) -> Regressed {
        Regressed::none(self.vif.clone(), self.n_pairs, self.n_nan, reason)
    }
}

/// Regresses every outcome on the same predictors.
///
/// With [`Scale::Ranks`] every RDM is ranked over the pairs in use first. An outcome or a predictor that is constant
/// over the pairs in use ([`Reason::Constant`]), predictors that depend on each other ([`Reason::Collinear`], unless
/// there is a penalty) and fewer pairs than weights and two more ([`Reason::NanPairs`]) give `NaN`.
///
/// ```
/// use rdm::{Rdm, Regression, Scale, regress};
/// let rdm = |values: [f64; 6]| Rdm::from_condensed(values.to_vec(), None);
/// let (a, b) = (rdm([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])?, rdm([1.0, -1.0, 0.0, 1.0, -1.0, 0.0])?);
/// let y = rdm([9.0, 5.0, 7.0, 5.0, 1.0, 3.0])?; // 5 + 2 a + 2 b
/// let found = &regress(&[a, b], &[y], Regression::Ols, Scale::Values)?[0];
/// assert!((found.weights[0] - 2.0).abs() < 1e-14 && (found.intercept - 5.0).abs() < 1e-14);
/// // sums of squares 24 and 16 of 40; nothing is shared
/// assert!((found.unique[1] - 0.4).abs() < 1e-14 && found.shared.abs() < 1e-14 && (found.r - 1.0).abs() < 1e-14);
/// # Ok::<(), rdm::RdmError>(())
/// ```
pub fn regress(
    predictors: &[Rdm],
    outcomes: &[Rdm],
    method: Regression,
    scale: Scale,
) -> Result<Vec<Regressed>, RdmError> {
    regress_each(predictors, outcomes, &vec![method; outcomes.len()], scale)
}

/// [`regress`] with a method for every outcome, as of penalties that were chosen.
///
/// # Panics
/// When there is not one method per outcome.
pub fn regress_each(
    predictors: &[Rdm],
    outcomes: &[Rdm],
    methods: &[Regression],
    scale: Scale,
) -> Result<Vec<Regressed>, RdmError> {
    assert!(methods.len() == outcomes.len(), "{} methods for {} outcomes", methods.len(), outcomes.len());
    let groups = groups(predictors, outcomes, scale)?;
    let mut all: Vec<Option<Regressed>> = vec![None; outcomes.len()];
    for cases in &groups {
        let everything: Vec<usize> = (0..predictors.len()).collect();
        let moments = cases.moments(None);
        for (place, (&outcome, here)) in cases.outcomes.iter().zip(&moments).enumerate() {
            let n = predictors.len();
            let vif = match here.correlations() {
                Some(c) => (0..n).map(|j| vif(independent_share(&c, j, &everything))).collect(),
                None => vec![f64::NAN; n],
            };
            let n_nan = outcomes[outcome].values().len() - cases.pairs.len();
            let fitted = match cases.constant_predictor {
                // No pair has a value of all: nothing is known, not even that it is constant.
                _ if cases.pairs.is_empty() => Err(Reason::NanInput),
                Some(_) => Err(Reason::Constant),
                None => here.fit_all(methods[outcome]),
            };
            all[outcome] = Some(match fitted {
                Err(reason) => Regressed::none(vif, cases.pairs.len(), n_nan, reason),
                Ok(fitted) => {
                    let weights = cases.on_their_scale(place, &fitted.weights);
                    Regressed {
                        intercept: cases.intercept(place, &weights),
                        weights,
                        standardized: fitted.standardized,
                        shared: fitted.r2 - fitted.unique.iter().sum::<f64>(),
                        unique: fitted.unique,
                        vif,
                        r2: fitted.r2,
                        r: fitted.r,
                        n_pairs: cases.pairs.len(),
                        n_nan,
                        reason: None,
                    }
                }
            });
        }
    }
    Ok(all.into_iter().flatten().collect())
}

/// Outcomes that miss the same pairs, with what is regressed over the pairs that they and all predictors have.
fn groups(predictors: &[Rdm], outcomes: &[Rdm], scale: Scale) -> Result<Vec<Cases>, RdmError> {
    let expected = outcomes.first().or(predictors.first()).map_or(0, Rdm::n_stimuli);
    same_sizes(predictors, expected)?;
    same_sizes(outcomes, expected)?;
    if predictors.is_empty() {
        return Err(RdmError::TooFewRdms { given: 0, needed: 1 });
    }
    let of_group =
        |(missing, members): (Vec<bool>, Vec<usize>)| Cases::new(predictors, outcomes, &missing, members, scale);
    Ok(by_missing_pairs(outcomes).into_iter().map(of_group).collect())
}

fn vif(share: f64) -> f64 {
    if share <= EXPLAINED { f64::INFINITY } else { 1.0 / share }
}
