use linear_algebra::Real;
use ndarray::{Array2, ArrayView2};

use statistics::Reason;
use statistics::rounding::is_constant;

use crate::{Comparison, RdmError};

/// How far the two triangles of a square RDM may differ, relative to its largest entry: `f32` rounding of
/// a matrix that was computed entry by entry.
const SYMMETRY_TOLERANCE: f64 = 1e-5;

/// Dissimilarities between all pairs of n stimuli.
///
/// ```
/// use rdm::Rdm;
/// let rdm = Rdm::from_condensed(vec![0.1, 0.2, 0.3], None)?;
/// assert_eq!(rdm.n_stimuli(), 3);
/// assert_eq!(rdm.get(2, 1), 0.3);
/// # Ok::<(), rdm::RdmError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Rdm {
    values: Vec<f64>,
    n_stimuli: usize,
    labels: Option<Vec<String>>,
}

/// Number of pairs of n stimuli.
pub(crate) fn n_pairs(n: usize) -> usize {
    n * n.saturating_sub(1) / 2
}

/// The n of which these are all pairs; the length is that of an RDM.
pub(crate) fn n_stimuli_of(n_all_pairs: usize) -> usize {
    ((1.0 + (1.0 + 8.0 * n_all_pairs as f64).sqrt()) / 2.0).round() as usize
}

impl Rdm {
    /// From the strict upper triangle, row by row (SciPy's `pdist` order); the length tells the number of stimuli.
    pub fn from_condensed(values: Vec<f64>, labels: Option<Vec<String>>) -> Result<Rdm, RdmError> {
        let length = values.len();
        if length == 0 {
            return Err(RdmError::TooFewStimuli { n_stimuli: 0 });
        }
        let mut n_stimuli = ((2.0 * length as f64).sqrt()) as usize;
        // The root is rounded: step to the largest n whose triangle is not longer.
        while n_pairs(n_stimuli + 1) <= length {
            n_stimuli += 1;
        }
        while n_pairs(n_stimuli) > length {
            n_stimuli -= 1;
        }
        if n_pairs(n_stimuli) != length {
            return Err(RdmError::NotTriangular {
                length,
                lower_n: n_stimuli,
                lower_length: n_pairs(n_stimuli),
                upper_n: n_stimuli + 1,
                upper_length: n_pairs(n_stimuli + 1),
            });
        }
        Rdm { values, n_stimuli, labels: None }.with_labels(labels)
    }

    /// From a square symmetric matrix with a zero diagonal; the upper triangle is kept.
    ///
    /// The triangles may differ by `f32` rounding (1e-5 of the largest entry). A stimulus all of whose entries
    /// are `NaN` may have `NaN` on the diagonal too. The first entry that breaks a rule is named, counted from 0.
    pub fn from_square<T: Real>(square: ArrayView2<T>, labels: Option<Vec<String>>) -> Result<Rdm, RdmError> {
        let (rows, columns) = square.dim();
        if rows != columns {
            return Err(RdmError::NotSquare { rows, columns });
        }
        if rows < 2 {
            return Err(RdmError::TooFewStimuli { n_stimuli: rows });
        }
        let at = |i: usize, j: usize| square[(i, j)].to_f64();
        let largest = square.iter().map(|v| v.to_f64().abs()).filter(|v| v.is_finite()).fold(0.0, f64::max);
        let tolerance = SYMMETRY_TOLERANCE * largest;
        let mut values = Vec::with_capacity(n_pairs(rows));
        for row in 0..rows {
            let value = at(row, row);
            let unusable = value.is_nan() && (0..rows).all(|j| at(row, j).is_nan());
            if !(unusable || value.abs() <= tolerance) {
                return Err(RdmError::DiagonalNotZero { row, value });
            }
            for column in row + 1..rows {
                let (upper, lower) = (at(row, column), at(column, row));
                let both_nan = upper.is_nan() && lower.is_nan();
                if !(both_nan || upper == lower || (upper - lower).abs() <= tolerance) {
                    return Err(RdmError::NotSymmetric { row, column, upper, lower });
                }
                values.push(upper);
            }
        }
        Rdm { values, n_stimuli: rows, labels: None }.with_labels(labels)
    }

    /// The same RDM with other labels, one per stimulus, or none.
    pub fn with_labels(self, labels: Option<Vec<String>>) -> Result<Rdm, RdmError> {
        match &labels {
            Some(given) if given.len() != self.n_stimuli => {
                Err(RdmError::LabelCount { labels: given.len(), n_stimuli: self.n_stimuli })
            }
            _ => Ok(Rdm { labels, ..self }),
        }
    }

    /// Number of stimuli.
    pub fn n_stimuli(&self) -> usize {
        self.n_stimuli
    }

    /// The strict upper triangle, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The strict upper triangle, without its labels.
    pub fn into_values(self) -> Vec<f64> {
        self.values
    }

    /// Stimulus ids in the order of rows, where they are known.
    pub fn labels(&self) -> Option<&[String]> {
        self.labels.as_deref()
    }

    /// Number of pairs whose dissimilarity is not a finite number.
    pub fn n_nan(&self) -> usize {
        self.values.iter().filter(|v| !v.is_finite()).count()
    }

    /// Why nothing that looks at differences can be said of this RDM: no pair has a value ([`Reason::NanInput`]), or
    /// all that do are equal, or would be but for rounding ([`statistics::rounding::is_constant`];
    /// [`Reason::Constant`]).
    ///
    /// ```
    /// use rdm::{Rdm, Reason};
    /// let flat = Rdm::from_condensed(vec![1.2, f64::NAN, 1.2000000000000002], None)?;
    /// assert_eq!(flat.reason(), Some(Reason::Constant));
    /// # Ok::<(), rdm::RdmError>(())
    /// ```
    pub fn reason(&self) -> Option<Reason> {
        let constant = match self.n_nan() {
            0 => is_constant(&self.values),
            n if n == self.values.len() => return Some(Reason::NanInput),
            _ => is_constant(&self.values.iter().copied().filter(|v| v.is_finite()).collect::<Vec<f64>>()),
        };
        constant.then_some(Reason::Constant)
    }

    /// Why it has no score in this comparison, whatever it is compared with: [`Rdm::reason`], but cosines, which take
    /// no mean off, have one of all constants but 0.
    pub fn reason_under(&self, how: Comparison) -> Option<Reason> {
        self.reason().filter(|reason| {
            *reason == Reason::NanInput || how.centres() || self.values.iter().all(|v| *v == 0.0 || !v.is_finite())
        })
    }

    /// The values, of a constant RDM all the same, so that what follows cannot take its rounding for data.
    pub(crate) fn flattened(&self) -> Vec<f64> {
        let mut values = self.values.clone();
        if self.reason() == Some(Reason::Constant) {
            let first = values.iter().copied().find(|v| v.is_finite()).unwrap_or(f64::NAN);
            values.iter_mut().filter(|v| v.is_finite()).for_each(|v| *v = first);
        }
        values
    }

    /// The dissimilarity of stimuli `i` and `j`; 0 of a stimulus with itself.
    ///
    /// # Panics
    /// When `i` or `j` is not below the number of stimuli.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        let n = self.n_stimuli;
        assert!(i < n && j < n, "pair ({i}, {j}) of an RDM of {n} stimuli");
        if i == j {
            return 0.0;
        }
        let (i, j) = if i < j { (i, j) } else { (j, i) };
        self.values[i * (2 * n - i - 1) / 2 + (j - i - 1)]
    }

    /// The symmetric n x n matrix with a zero diagonal.
    pub fn to_square(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.n_stimuli, self.n_stimuli), |(i, j)| self.get(i, j))
    }

    /// The RDM of these stimuli in this order, labels and all: a permutation, or a subset of at least 2.
    pub fn select(&self, stimuli: &[usize]) -> Result<Rdm, RdmError> {
        if stimuli.len() < 2 {
            return Err(RdmError::TooFewStimuli { n_stimuli: stimuli.len() });
        }
        let mut seen = vec![false; self.n_stimuli];
        for &index in stimuli {
            match seen.get_mut(index) {
                None => return Err(RdmError::NoSuchStimulus { index, n_stimuli: self.n_stimuli }),
                Some(true) => return Err(RdmError::StimulusTwice { index }),
                Some(unseen) => *unseen = true,
            }
        }
        let mut values = Vec::with_capacity(n_pairs(stimuli.len()));
        for (place, &i) in stimuli.iter().enumerate() {
            values.extend(stimuli[place + 1..].iter().map(|&j| self.get(i, j)));
        }
        let labels = self.labels.as_ref().map(|labels| stimuli.iter().map(|&i| labels[i].clone()).collect());
        Ok(Rdm { values, n_stimuli: stimuli.len(), labels })
    }

    /// The RDM of stimuli that may stand there more than once, without labels. A stimulus has no distance to its own
    /// copy: `NaN`, as the 0 would be trivial to predict.
    pub(crate) fn drawn(&self, stimuli: &[usize]) -> Result<Rdm, RdmError> {
        if stimuli.len() < 2 {
            return Err(RdmError::TooFewStimuli { n_stimuli: stimuli.len() });
        }
        if let Some(&index) = stimuli.iter().find(|i| **i >= self.n_stimuli) {
            return Err(RdmError::NoSuchStimulus { index, n_stimuli: self.n_stimuli });
        }
        let mut values = Vec::with_capacity(n_pairs(stimuli.len()));
        for (place, &i) in stimuli.iter().enumerate() {
            values.extend(stimuli[place + 1..].iter().map(|&j| if i == j { f64::NAN } else { self.get(i, j) }));
        }
        Ok(Rdm { values, n_stimuli: stimuli.len(), labels: None })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::{Rdm, n_pairs};

    use crate::RdmError;

    fn four() -> Rdm {
        // pairs 01 02 03 12 13 23
        let labels = ["a", "b", "c", "d"].map(String::from).to_vec();
        Rdm::from_condensed(vec![1.0, 2.0, 3.0, 12.0, 13.0, 23.0], Some(labels)).unwrap()
    }

    #[test]
    fn every_triangle_length_up_to_400_stimuli_is_recognised() {
        for n in 2..400 {
            assert_eq!(Rdm::from_condensed(vec![0.5; n_pairs(n)], None).unwrap().n_stimuli(), n);
            if n > 2 {
                assert!(Rdm::from_condensed(vec![0.5; n_pairs(n) - 1], None).is_err());
                assert!(Rdm::from_condensed(vec![0.5; n_pairs(n) + 1], None).is_err());
            }
        }
    }

    #[test]
    fn a_wrong_length_names_the_nearest_two() {
        let error = Rdm::from_condensed(vec![0.0; 11], None).unwrap_err();
        assert_eq!(error.to_string(), "11 values is not an upper triangle (10 is 5 stimuli, 15 is 6)");
        let error = Rdm::from_condensed(vec![0.0; 2], None).unwrap_err();
        assert_eq!(error.to_string(), "2 values is not an upper triangle (1 is 2 stimuli, 3 is 3)");
        assert_eq!(Rdm::from_condensed(vec![], None), Err(RdmError::TooFewStimuli { n_stimuli: 0 }));
    }

    #[test]
    fn pairs_stand_where_scipy_puts_them() {
        let rdm = four();
        for i in 0..4 {
            for j in 0..4 {
                let expected = if i == j { 0 } else { 10 * i.min(j) + i.max(j) };
                assert_eq!(rdm.get(i, j), expected as f64);
                assert_eq!(rdm.to_square()[(i, j)], expected as f64);
            }
        }
        assert_eq!(Rdm::from_square(rdm.to_square().view(), None).unwrap().values(), rdm.values());
    }

    #[test]
    fn select_moves_values_and_labels_together() {
        let some = four().select(&[3, 0, 2]).unwrap();
        assert_eq!(some.values(), [3.0, 23.0, 2.0]);
        assert_eq!(some.labels().unwrap(), ["d", "a", "c"]);
        assert_eq!(four().select(&[0, 1, 2, 3]).unwrap(), four());
        assert_eq!(four().select(&[0, 4]), Err(RdmError::NoSuchStimulus { index: 4, n_stimuli: 4 }));
        assert_eq!(four().select(&[1, 0, 1]), Err(RdmError::StimulusTwice { index: 1 }));
        assert_eq!(four().select(&[1]), Err(RdmError::TooFewStimuli { n_stimuli: 1 }));
    }

    #[test]
    fn a_square_that_is_no_rdm_is_refused_with_the_place() {
        let asymmetric = array![[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.5, 3.0, 0.0]];
        assert_eq!(
            Rdm::from_square(asymmetric.view(), None).unwrap_err().to_string(),
            "row 0, column 2 is 2, but row 2, column 0 is 2.5; an RDM is symmetric"
        );
        let similarity = array![[1.0f32, 0.5], [0.5, 1.0]];
        assert_eq!(
            Rdm::from_square(similarity.view(), None).unwrap_err(),
            RdmError::DiagonalNotZero { row: 0, value: 1.0 }
        );
        let nan = f64::NAN;
        let half_nan = array![[0.0, nan], [1.0, 0.0]];
        assert!(matches!(Rdm::from_square(half_nan.view(), None), Err(RdmError::NotSymmetric { row: 0, .. })));
        let dead = array![[0.0, nan, 1.0], [nan, nan, nan], [1.0, nan, 0.0]];
        assert_eq!(Rdm::from_square(dead.view(), None).unwrap().n_nan(), 2);
        let nan_diagonal_only = array![[nan, 1.0], [1.0, 0.0]];
        assert!(matches!(
            Rdm::from_square(nan_diagonal_only.view(), None),
            Err(RdmError::DiagonalNotZero { row: 0, .. })
        ));
        let wide = array![[0.0, 1.0, 2.0]];
        assert_eq!(Rdm::from_square(wide.view(), None), Err(RdmError::NotSquare { rows: 1, columns: 3 }));
    }

    #[test]
    fn f4_rounding_between_the_triangles_passes() {
        let rounded = array![[0.0f32, 0.7000001], [0.7, 1e-7]];
        assert_eq!(Rdm::from_square(rounded.view(), None).unwrap().values(), [f64::from(0.7000001f32)]);
    }

    #[test]
    fn labels_are_counted() {
        let error = four().with_labels(Some(vec!["x".into()])).unwrap_err();
        assert_eq!(error, RdmError::LabelCount { labels: 1, n_stimuli: 4 });
    }
}
