//! The RDM of a category model.

use crate::{Rdm, RdmError};

/// 0 for two stimuli of one level, 1 for two of different ones, and no other value; `NaN` for the pairs of a stimulus
/// that has no level. rsatoolbox's `get_categorical_rdm`, which knows no missing level.
///
/// ```
/// let rdm = rdm::same_or_different(&[Some(0), Some(0), Some(7), None])?;
/// assert_eq!(rdm.values()[..2], [0.0, 1.0]);
/// assert!(rdm.get(0, 3).is_nan() && rdm.get(1, 2) == 1.0);
/// # Ok::<(), rdm::RdmError>(())
/// ```
///
/// # Errors
/// [`RdmError::TooFewStimuli`] of fewer than 2.
pub fn same_or_different(levels: &[Option<usize>]) -> Result<Rdm, RdmError> {
    if levels.len() < 2 {
        return Err(RdmError::TooFewStimuli { n_stimuli: levels.len() });
    }
    let of_pair = |a: Option<usize>, b: Option<usize>| match (a, b) {
        (Some(a), Some(b)) => f64::from(u8::from(a != b)),
        _ => f64::NAN,
    };
    let pairs = levels.iter().enumerate().flat_map(|(i, &a)| levels[i + 1..].iter().map(move |&b| of_pair(a, b)));
    Rdm::from_condensed(pairs.collect(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stimulus_has_no_pair() {
        for n in 0..2 {
            let error = same_or_different(&vec![Some(0); n]).unwrap_err();
            assert_eq!(error, RdmError::TooFewStimuli { n_stimuli: n });
        }
    }

    #[test]
    fn names_of_levels_do_not_matter_and_stimuli_move_with_theirs() {
        let levels = [Some(3), Some(1), None, Some(3), Some(2), Some(1)];
        let rdm = same_or_different(&levels).unwrap();
        let renamed: Vec<Option<usize>> = levels.iter().map(|l| l.map(|l| 10 - l)).collect();
        // NaN is no number: bits are compared.
        let bits = |rdm: &Rdm| rdm.values().iter().map(|v| v.to_bits()).collect::<Vec<u64>>();
        assert_eq!(bits(&same_or_different(&renamed).unwrap()), bits(&rdm));
        let order = [5, 0, 3, 2, 1, 4];
        let moved: Vec<Option<usize>> = order.iter().map(|&i| levels[i]).collect();
        assert_eq!(bits(&same_or_different(&moved).unwrap()), bits(&rdm.select(&order).unwrap()));
    }
}
