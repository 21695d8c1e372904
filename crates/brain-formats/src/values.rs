//! Numbers of a whole map or array, held in the narrowest width that has them exactly.

use crate::volume::header::Stored;

/// Numbers in f4 where f4 holds every one exactly, else in f8.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// What was stored as f4 or as integers of 16 bits or less.
    Single(Vec<f32>),
    /// Everything else.
    Double(Vec<f64>),
}

/// Memory that could not be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{n} numbers need {bytes} bytes of memory, which this machine does not give")]
pub struct NoMemory {
    /// Numbers.
    pub n: u128,
    /// Bytes asked for.
    pub bytes: u128,
}

impl Values {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Values::Single(values) => values.len(),
            Values::Double(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    pub fn get(&self, at: usize) -> f64 {
        match self {
            Values::Single(values) => f64::from(values[at]),
            Values::Double(values) => values[at],
        }
    }

    /// All of them.
    pub fn to_f64(&self) -> Vec<f64> {
        (0..self.len()).map(|at| self.get(at)).collect()
    }

    /// Whether they are f8.
    pub fn is_double(&self) -> bool {
        matches!(self, Values::Double(_))
    }

    /// `n` zeros of the width that numbers stored like this need.
    pub(crate) fn zeros(stored: Stored, scaled: bool, n: usize) -> Result<Values, NoMemory> {
        let wide = scaled || stored.is_wide();
        let item = if wide { 8 } else { 4 };
        let refused = |_| NoMemory { n: n as u128, bytes: n as u128 * item };
        if wide {
            let mut values = Vec::new();
            values.try_reserve_exact(n).map_err(refused)?;
            values.resize(n, 0.0);
            Ok(Values::Double(values))
        } else {
            let mut values = Vec::new();
            values.try_reserve_exact(n).map_err(refused)?;
            values.resize(n, 0.0);
            Ok(Values::Single(values))
        }
    }

    pub(crate) fn set(&mut self, at: usize, value: f64) {
        match self {
            Values::Single(values) => values[at] = value as f32,
            Values::Double(values) => values[at] = value,
        }
    }
}
