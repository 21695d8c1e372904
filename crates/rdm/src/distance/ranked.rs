//! Distances of ranks across units.

use linear_algebra::Real;
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use statistics::average_ranks;

use super::patterns::{Element, InMemory, Patterns};
use super::scale::Standing;
use super::{Found, squared};
use crate::RdmError;

/// Ranks are held as whole numbers: twice the mean rank. `f32` holds all of them up to this number of units.
const LARGEST_F32: usize = 1 << 22;
/// Up to here their products are summed exactly, in `f64`: distances of few ranks have many ties. With more units ties
/// are chance, and ranks are multiplied in the width of the values.
const EXACT: usize = 1 << 12;

/// Squared distances of the rows' ranks, centred and scaled to length 1: twice 1 - rho.
///
/// The ranks are held, since the rank of one value needs all of its row.
pub(super) fn squared_distances_of_ranks<P: Patterns + ?Sized>(patterns: &P) -> Result<Found, RdmError> {
    if patterns.n_units() <= EXACT || patterns.n_units() > LARGEST_F32 {
        return squared(&InMemory::new(ranks::<P, f64>(patterns)?.view()), Standing::Profile);
    }
    squared(&InMemory::new(ranks::<P, P::Value>(patterns)?.view()), Standing::Profile)
}

/// Twice the ranks of every row over its units; `NaN` in a row that holds `NaN` or infinity.
fn ranks<P: Patterns + ?Sized, T: Element>(patterns: &P) -> Result<Array2<T>, RdmError> {
    let mut ranks = Array2::from_elem((patterns.n_stimuli(), patterns.n_units()), T::default());
    ranks.axis_iter_mut(Axis(0)).into_par_iter().enumerate().try_for_each(|(row, mut out)| {
        let mut values = vec![P::Value::default(); out.len()];
        patterns.read(row, 0, &mut values)?;
        let values: Vec<f64> = values.iter().map(|v| v.to_f64()).collect();
        if values.iter().any(|v| !v.is_finite()) {
            out.fill(T::from_f64(f64::NAN));
        } else {
            out.iter_mut().zip(average_ranks(&values)).for_each(|(out, rank)| *out = T::from_f64(2.0 * rank));
        }
        Ok(())
    })?;
    Ok(ranks)
}
