//! Why a row or column carries `NaN`: one spelling for every tool's `reason` column.

use std::fmt;

use crate::rounding::is_constant;

/// Why a unit, voxel, row or subject has no number.
///
/// The text of [`Reason::as_str`] is what stands in the `reason` column of every table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// All values used are equal, or differ by rounding alone, so nothing can be standardized, tested or correlated.
    Constant,
    /// At least one value used is NaN or infinite.
    NanInput,
    /// No stimulus, or too few of them, has enough repeated presentations.
    TooFewRepeats,
    /// A reliability below zero has no square root.
    NegativeReliability,
    /// Nothing it could be compared with is usable.
    NoUsablePair,
    /// Both sides are of one person, so that they share the noise of every trial.
    SameSubject,
    /// What was to be held constant explains all of it, and what is left is rounding.
    ExplainedByControls,
    /// Its dissimilarities are no squared distances between any points.
    NotEuclidean,
}

impl Reason {
    /// The word in the `reason` column.
    ///
    /// ```
    /// assert_eq!(statistics::Reason::NanInput.as_str(), "nan_input");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Constant => "constant",
            Reason::NanInput => "nan_input",
            Reason::TooFewRepeats => "too_few_repeats",
            Reason::NegativeReliability => "negative_reliability",
            Reason::NoUsablePair => "no_usable_pair",
            Reason::SameSubject => "same_subject",
            Reason::ExplainedByControls => "explained_by_controls",
            Reason::NotEuclidean => "not_euclidean",
        }
    }

    /// `Some(NanInput)` when a value is NaN or infinite, `Some(Constant)` when all are equal
    /// ([`crate::rounding::is_constant`]; or there are none), else `None`.
    ///
    /// ```
    /// use statistics::Reason;
    /// assert_eq!(Reason::of(&[1.0, 1.0]), Some(Reason::Constant));
    /// assert_eq!(Reason::of(&[1.0, 2.0]), None);
    /// ```
    pub fn of(values: &[f64]) -> Option<Reason> {
        if values.iter().any(|v| !v.is_finite()) {
            Some(Reason::NanInput)
        } else if is_constant(values) {
            Some(Reason::Constant)
        } else {
            None
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
