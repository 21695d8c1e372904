//! Patterns minus their own mean over units.

use rayon::prelude::*;
use statistics::Reason;

use super::patterns::{Erased, Patterns, half_unit};
use super::scale::{Scale, Standing};
use crate::RdmError;

/// Other patterns, every one minus its mean over units and, if asked, scaled to length 1, in `f64`: products of such
/// rows are covariances and correlations across units.
pub(crate) struct Profiles<'a> {
    patterns: Erased<'a>,
    scales: Vec<Result<Scale, Reason>>,
    to_length_1: bool,
}

impl<'a> Profiles<'a> {
    /// Reads every row once.
    pub fn new(patterns: Erased<'a>, to_length_1: bool) -> Result<Profiles<'a>, RdmError> {
        let scales = (0..patterns.n_stimuli()).into_par_iter().map_init(
            || vec![0.0; patterns.n_units()],
            |values, row| {
                patterns.read(row, 0, values)?;
                Ok(Scale::of_row(&values[..], Standing::Profile))
            },
        );
        Ok(Profiles { patterns, scales: scales.collect::<Result<_, RdmError>>()?, to_length_1 })
    }

    /// Why a row has no profile.
    pub fn reason(&self, row: usize) -> Option<Reason> {
        self.scales[row].as_ref().err().copied()
    }
}

impl Patterns for Profiles<'_> {
    type Value = f64;

    fn n_stimuli(&self) -> usize {
        self.patterns.n_stimuli()
    }

    fn n_units(&self) -> usize {
        self.patterns.n_units()
    }

    /// A constant row is 0 everywhere, or `NaN` where its length would be 1.
    fn read(&self, row: usize, from: usize, out: &mut [f64]) -> Result<(), RdmError> {
        let scale = match (&self.scales[row], self.to_length_1) {
            (Ok(scale), _) => scale,
            (Err(Reason::Constant), false) => {
                out.fill(0.0);
                return Ok(());
            }
            (Err(_), _) => {
                out.fill(f64::NAN);
                return Ok(());
            }
        };
        let mut values = vec![0.0; out.len()];
        self.patterns.read(row, from, &mut values)?;
        let length = if self.to_length_1 { 1.0 } else { scale.length() };
        out.iter_mut().zip(&values).for_each(|(out, value)| *out = scale.apply(*value) * length);
        Ok(())
    }

    /// What rounding of the whole row leaves in the smaller one.
    fn rounding(&self) -> f64 {
        let largest = self.scales.iter().flatten().map(Scale::raw_size).fold(1.0, f64::max);
        self.patterns.rounding() * largest + 4.0 * half_unit::<f64>()
    }
}
