use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ndarray::{Array2, ArrayView2};

use crate::decomposed::{Decomposed, product};
use crate::noise::{groups, hundredths, whitened, whitened_all};
use crate::{Design, GlmError, Noise};

/// Where the beta of a trial comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerTrial {
    /// Least squares, all: one model with a column per trial.
    Lsa,
    /// Least squares, separate: a model per trial, in which the others of its condition are one column and the other
    /// conditions stay (Mumford and others 2012).
    Lss,
}

/// Share of its own squared length that a trial must have for itself.
const LEAST_OWN: f64 = 1e-10;

/// Betas per trial of one run, as a linear map of its time series.
///
/// LSS needs no model per trial. With the design `W` of the conditions, the trial's own regressor `x`, `r = x - W W+ x`
/// and `a = r'y / r'r`, the beta of the trial's model is `a (1 - (W+ x)_c) + (W+ y)_c`, `c` the column of its
/// condition: all trials cost one decomposition. A condition with one trial has the beta of `W`, which is then that
/// model. Under [`Noise::Ar1`] each voxel has one coefficient, that of the condition model (LSA: of its own).
pub struct TrialModel {
    how: PerTrial,
    noise: Noise,
    /// LSA: trials and nuisance. LSS: conditions and nuisance.
    matrix: Array2<f64>,
    trials: Array2<f64>,
    /// Of LSS: the column of each trial's condition.
    column_of: Vec<usize>,
    plain: Arc<Solved>,
    kept: Mutex<HashMap<i32, Arc<Solved>>>,
}

struct Solved {
    decomposed: Decomposed,
    /// `n_trials x n_volumes`; a row of NaN where a trial cannot be told from others.
    betas: Array2<f64>,
}

impl TrialModel {
    /// `design` is that of the conditions, `trials` ([`crate::trial_columns`]) has a column per event, and
    /// `condition_of` says which of `design.conditions` each belongs to.
    pub fn new(
        design: &Design,
        trials: Array2<f64>,
        condition_of: &[usize],
        how: PerTrial,
        noise: Noise,
    ) -> Result<TrialModel, GlmError> {
        let matrix = match how {
            PerTrial::Lss => design.matrix.clone(),
            PerTrial::Lsa => {
                let names: Vec<String> = (0..trials.ncols()).map(|k| format!("trial {k} \u{0}")).collect();
                Design::of_trials(&names, &trials, design)?.matrix
            }
        };
        let (n_volumes, n_columns) = matrix.dim();
        // A model of LSS has one column more than that of the conditions.
        let n_columns = n_columns + usize::from(how == PerTrial::Lss);
        if n_volumes <= n_columns {
            return Err(GlmError::NoFreedom { n_volumes, n_columns });
        }
        let column_of: Vec<usize> = condition_of.iter().map(|&c| design.conditions[c].1).collect();
        let plain = Arc::new(Solved::new(how, matrix.view(), trials.view(), &column_of)?);
        Ok(TrialModel { how, noise, matrix, trials, column_of, plain, kept: Mutex::default() })
    }

    /// The trials that cannot be told from others, or from the confounds; their betas are NaN.
    pub fn not_estimable(&self) -> Vec<usize> {
        self.plain.betas.rows().into_iter().enumerate().filter(|(_, row)| row[0].is_nan()).map(|(k, _)| k).collect()
    }

    /// Betas of a block (`n_volumes x n_voxels`) on one thread: `n_trials x n_voxels`.
    pub fn fit(&self, y: ArrayView2<f64>) -> Result<Array2<f64>, GlmError> {
        let (n, v) = y.dim();
        if n != self.matrix.nrows() {
            return Err(GlmError::OtherLength { found: n, n_volumes: self.matrix.nrows() });
        }
        if self.noise == Noise::Ols {
            return Ok(product(self.plain.betas.view(), y));
        }
        let coordinates = self.plain.decomposed.coordinates(y);
        let rho = hundredths(self.plain.decomposed.residuals(y, coordinates.view()).view());
        let mut betas = Array2::from_elem((self.trials.ncols(), v), f64::NAN);
        for (rho, columns) in groups(&rho) {
            let own = product(self.whitened(rho)?.betas.view(), whitened(y, &columns, rho).view());
            for (mut to, own) in betas.rows_mut().into_iter().zip(own.rows()) {
                columns.iter().zip(own).for_each(|(&k, &beta)| to[k] = beta);
            }
        }
        Ok(betas)
    }

    fn whitened(&self, rho: i32) -> Result<Arc<Solved>, GlmError> {
        let lock = || self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(solved) = lock().get(&rho) {
            return Ok(solved.clone());
        }
        let white = |x: &Array2<f64>| whitened_all(x.view(), rho);
        let (matrix, trials) = (white(&self.matrix), white(&self.trials));
        let solved = Arc::new(Solved::new(self.how, matrix.view(), trials.view(), &self.column_of)?);
        Ok(lock().entry(rho).or_insert(solved).clone())
    }
}

impl Solved {
    fn new(
        how: PerTrial,
        matrix: ArrayView2<f64>,
        trials: ArrayView2<f64>,
        column_of: &[usize],
    ) -> Result<Solved, GlmError> {
        let decomposed = Decomposed::new(matrix)?;
        // `(W+)_c` of a column that the design determines.
        let coefficient = |column: usize| {
            let mut weights = ndarray::Array1::zeros(matrix.ncols());
            weights[column] = 1.0;
            let row = decomposed.basis.dot(&decomposed.inverse.row(column));
            decomposed.is_estimable(weights.view()).then_some(row)
        };
        let mut betas = Array2::from_elem((trials.ncols(), matrix.nrows()), f64::NAN);
        match how {
            PerTrial::Lsa => {
                for (k, mut beta) in betas.rows_mut().into_iter().enumerate() {
                    if let Some(row) = coefficient(k) {
                        beta.assign(&row);
                    }
                }
            }
            PerTrial::Lss => {
                let coordinates = decomposed.coordinates(trials);
                let own = decomposed.residuals(trials, coordinates.view());
                let rows: Vec<_> =
                    (0..matrix.ncols()).map(|c| column_of.contains(&c).then(|| coefficient(c)).flatten()).collect();
                for (k, mut beta) in betas.rows_mut().into_iter().enumerate() {
                    let (x, own) = (trials.column(k), own.column(k));
                    let Some(of_condition) = &rows[column_of[k]] else { continue };
                    let alone = column_of.iter().filter(|c| **c == column_of[k]).count() == 1;
                    let length = own.dot(&own);
                    if alone {
                        beta.assign(of_condition);
                    } else if length > LEAST_OWN * x.dot(&x) {
                        let share = (1.0 - of_condition.dot(&x)) / length;
                        beta.assign(&(of_condition + &(&own * share)));
                    }
                }
            }
        }
        Ok(Solved { decomposed, betas })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Basis, Drift, Event, Hrf, Model, Timing, trial_columns};

    fn events() -> Vec<Event> {
        let onsets = [3.0, 9.5, 17.0, 26.0, 33.0, 45.0, 52.0, 60.0, 71.0, 80.0];
        let condition = |i: usize| {
            if i == 9 {
                "c"
            } else if i.is_multiple_of(2) {
                "a"
            } else {
                "b"
            }
        };
        let event = |(i, &onset): (usize, &f64)| Event {
            condition: condition(i).into(),
            onset,
            duration: 1.0,
            modulation: 1.0 + 0.1 * i as f64,
        };
        onsets.iter().enumerate().map(event).collect()
    }

    const TIMING: Timing = Timing { n_volumes: 60, tr: 1.5, slice_time_ref: 0.0 };
    const DRIFT: Drift = Drift::Cosine { high_pass: 0.01 };

    fn series() -> Array2<f64> {
        Array2::from_shape_fn((60, 3), |(t, k)| {
            let t = t as f64;
            500.0 + (1.7 * t + k as f64).sin() + (t / (5.0 + k as f64)).cos()
        })
    }

    fn column(events: &[Event], name: &str, y: &Array2<f64>, noise: Noise) -> Vec<f64> {
        let design = Design::new(events, None, &Basis::new(Hrf::Spm), DRIFT, TIMING).unwrap();
        let mut row = Array2::zeros((1, design.names.len()));
        row[(0, design.names.iter().position(|n| n == name).unwrap())] = 1.0;
        Model::new(&design, vec![row], noise).unwrap().fit(y.view()).unwrap().effects[0].row(0).to_vec()
    }

    fn model(events: &[Event], how: PerTrial, noise: Noise) -> TrialModel {
        let design = Design::new(events, None, &Basis::new(Hrf::Spm), DRIFT, TIMING).unwrap();
        let trials = trial_columns(events, &Basis::new(Hrf::Spm), TIMING).unwrap();
        let place = |event: &Event| design.conditions.iter().position(|(name, _)| *name == event.condition).unwrap();
        let condition_of: Vec<usize> = events.iter().map(place).collect();
        TrialModel::new(&design, trials, &condition_of, how, noise).unwrap()
    }

    #[test]
    fn lss_is_a_model_per_trial() {
        let (events, y) = (events(), series());
        let betas = model(&events, PerTrial::Lss, Noise::Ols).fit(y.view()).unwrap();
        for i in 0..events.len() {
            let mut one = events.clone();
            one[i].condition = "!this".into();
            for (k, expected) in column(&one, "!this", &y, Noise::Ols).into_iter().enumerate() {
                assert!((betas[(i, k)] - expected).abs() < 1e-9 * expected.abs().max(1.0), "{i} {k}");
            }
        }
    }

    #[test]
    fn lsa_is_one_model_of_all_trials_under_both_noises() {
        let (events, y) = (events(), series());
        let named: Vec<Event> =
            events.iter().enumerate().map(|(i, e)| Event { condition: format!("t{i}"), ..e.clone() }).collect();
        for noise in [Noise::Ols, Noise::Ar1] {
            let betas = model(&events, PerTrial::Lsa, noise).fit(y.view()).unwrap();
            for i in 0..events.len() {
                for (k, expected) in column(&named, &format!("t{i}"), &y, noise).into_iter().enumerate() {
                    assert!((betas[(i, k)] - expected).abs() < 1e-9 * expected.abs().max(1.0), "{noise:?} {i} {k}");
                }
            }
        }
    }

    #[test]
    fn trials_at_one_time_have_no_betas() {
        let mut events = events();
        events[2].onset = events[0].onset;
        events[2].modulation = events[0].modulation;
        assert_eq!(model(&events, PerTrial::Lsa, Noise::Ols).not_estimable(), [0, 2]);
        let lss = model(&events, PerTrial::Lss, Noise::Ar1);
        // Of LSS each stands against all others of its condition, of which the other is one among five.
        assert_eq!(lss.not_estimable(), Vec::<usize>::new());
        assert!(lss.fit(series().view()).unwrap().iter().all(|beta| beta.is_finite()));
    }
}
