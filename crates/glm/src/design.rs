use std::collections::HashSet;

use ndarray::Array2;

use crate::hrf::Basis;
use crate::regressor::{Event, Sampler, linspace};
use crate::{Drift, GlmError};

/// When the volumes of a run were taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timing {
    /// How many there are.
    pub n_volumes: usize,
    /// Repetition time in seconds.
    pub tr: f64,
    /// Where in a TR the slices were taken (or shifted to), from 0 to 1: events are related to that time.
    pub slice_time_ref: f64,
}

impl Timing {
    /// The time of each volume in seconds.
    pub fn frame_times(&self) -> Result<Vec<f64>, GlmError> {
        if self.n_volumes < 3 {
            return Err(GlmError::TooFewVolumes(self.n_volumes));
        }
        let last = self.n_volumes as f64 - 1.0 + self.slice_time_ref;
        Ok(linspace(self.slice_time_ref * self.tr, last * self.tr, self.n_volumes))
    }
}

/// Time series that are explained away.
#[derive(Debug, Clone, PartialEq)]
pub struct Confounds {
    /// A name per column.
    pub names: Vec<String>,
    /// `n_volumes x n_confounds`, without NaN.
    pub values: Array2<f64>,
}

/// What a column of a design is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The response to a condition, or one delay of it.
    Condition,
    /// A derivative of that response.
    Derivative,
    /// A confound.
    Confound,
    /// A drift, or the constant.
    Drift,
}

impl Role {
    /// The word for it in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Condition => "condition",
            Role::Derivative => "derivative",
            Role::Confound => "confound",
            Role::Drift => "drift",
        }
    }
}

/// A design matrix with the names of its columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// A name per column.
    pub names: Vec<String>,
    /// What each column is there for.
    pub roles: Vec<Role>,
    /// `n_volumes x n_columns`.
    pub matrix: Array2<f64>,
    /// The conditions, in the order of their names' bytes, and the first column of each.
    pub conditions: Vec<(String, usize)>,
}

impl Design {
    /// The design of a run: conditions in the order of their names' bytes, each with its derivatives or delays,
    /// confounds, drifts, constant. nilearn's `make_first_level_design_matrix`, without its lift of singular values.
    pub fn new(
        events: &[Event],
        confounds: Option<&Confounds>,
        basis: &Basis,
        drift: Drift,
        timing: Timing,
    ) -> Result<Design, GlmError> {
        let frame_times = timing.frame_times()?;
        let sampler = Sampler::new(basis, &frame_times);
        let mut of_events: Vec<&str> = events.iter().map(|event| event.condition.as_str()).collect();
        of_events.sort_unstable();
        of_events.dedup();
        let suffixes = basis.suffixes();
        let mut found = Columns::default();
        let mut conditions = Vec::new();
        for condition in of_events {
            conditions.push((condition.to_owned(), found.columns.len()));
            let columns = sampler.columns(events.iter().filter(|event| event.condition == condition));
            let is_fir = matches!(basis.hrf, crate::Hrf::Fir(_));
            for (k, (column, suffix)) in columns.into_iter().zip(&suffixes).enumerate() {
                let role = if k == 0 || is_fir { Role::Condition } else { Role::Derivative };
                found.push(format!("{condition}{suffix}"), role, column);
            }
        }
        found.push_nuisance(confounds, drift, &frame_times)?;
        found.design(conditions)
    }

    /// A column per event, then the confounds, drifts and constant of [`Design::new`]: least squares, all trials.
    pub(crate) fn of_trials(names: &[String], trials: &Array2<f64>, nuisance: &Design) -> Result<Design, GlmError> {
        let mut found = Columns::default();
        for (name, column) in names.iter().zip(trials.columns()) {
            found.push(name.clone(), Role::Condition, column.to_vec());
        }
        for (k, column) in nuisance.matrix.columns().into_iter().enumerate() {
            if matches!(nuisance.roles[k], Role::Confound | Role::Drift) {
                found.push(nuisance.names[k].clone(), nuisance.roles[k], column.to_vec());
            }
        }
        found.design(Vec::new())
    }
}

/// The main regressor of each event by itself, `n_volumes x n_events`.
pub fn trial_columns(events: &[Event], basis: &Basis, timing: Timing) -> Result<Array2<f64>, GlmError> {
    let frame_times = timing.frame_times()?;
    let sampler = Sampler::new(basis, &frame_times);
    let mut columns = Array2::zeros((timing.n_volumes, events.len()));
    for (event, mut column) in events.iter().zip(columns.columns_mut()) {
        let main = sampler.columns(std::iter::once(event)).swap_remove(0);
        column.iter_mut().zip(main).for_each(|(to, value)| *to = value);
    }
    Ok(columns)
}

#[derive(Default)]
struct Columns {
    names: Vec<String>,
    roles: Vec<Role>,
    columns: Vec<Vec<f64>>,
}

impl Columns {
    fn push(&mut self, name: String, role: Role, column: Vec<f64>) {
        self.names.push(name);
        self.roles.push(role);
        self.columns.push(column);
    }

    fn push_nuisance(&mut self, confounds: Option<&Confounds>, drift: Drift, times: &[f64]) -> Result<(), GlmError> {
        if let Some(Confounds { names, values }) = confounds {
            if values.nrows() != times.len() {
                return Err(GlmError::ConfoundRows { found: values.nrows(), n_volumes: times.len() });
            }
            for (name, column) in names.iter().zip(values.columns()) {
                self.push(name.clone(), Role::Confound, column.to_vec());
            }
        }
        for (k, column) in drift.columns(times).into_iter().enumerate() {
            self.push(format!("drift_{}", k + 1), Role::Drift, column);
        }
        self.push("constant".into(), Role::Drift, vec![1.0; times.len()]);
        Ok(())
    }

    fn design(self, conditions: Vec<(String, usize)>) -> Result<Design, GlmError> {
        let mut seen = HashSet::new();
        if let Some(name) = self.names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(GlmError::RepeatedColumn(name.clone()));
        }
        let (n, p) = (self.columns[0].len(), self.columns.len());
        let matrix = Array2::from_shape_fn((n, p), |(t, k)| self.columns[k][t]);
        Ok(Design { names: self.names, roles: self.roles, matrix, conditions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hrf;

    #[test]
    fn columns_stand_in_the_order_of_nilearn() {
        let event =
            |condition: &str, onset| Event { condition: condition.into(), onset, duration: 2.0, modulation: 1.0 };
        let timing = Timing { n_volumes: 40, tr: 2.0, slice_time_ref: 0.5 };
        let confounds = Confounds { names: vec!["rot_x".into()], values: Array2::ones((40, 1)) };
        let basis = Basis { hrf: Hrf::Spm, time_derivative: true, dispersion_derivative: false };
        let events = [event("b", 4.0), event("B", 20.0), event("a", 30.0)];
        let drift = Drift::Polynomial { order: 1 };
        let design = Design::new(&events, Some(&confounds), &basis, drift, timing).unwrap();
        assert_eq!(
            design.names,
            ["B", "B_derivative", "a", "a_derivative", "b", "b_derivative", "rot_x", "drift_1", "constant"]
        );
        assert_eq!(design.conditions[2], ("b".to_owned(), 4));
        let short = Confounds { values: Array2::ones((39, 1)), ..confounds.clone() };
        let error = Design::new(&events, Some(&short), &basis, drift, timing).unwrap_err().to_string();
        assert!(error.contains("39 rows") && error.contains("40 volumes"), "{error}");
        let twice = Confounds { names: vec!["drift_1".into()], ..confounds };
        let error = Design::new(&events, Some(&twice), &basis, drift, timing).unwrap_err().to_string();
        assert!(error.contains("drift_1"), "{error}");
        assert!(Timing { n_volumes: 2, ..timing }.frame_times().is_err());
        assert_eq!(timing.frame_times().unwrap()[..2], [1.0, 3.0]);
    }
}
