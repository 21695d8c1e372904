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
    /// Presentations of one stimulus differ as much as different stimuli do: a bound of 0 or less divides nothing.
    NoSignal,
    /// Nothing it could be compared with is usable.
    NoUsablePair,
    /// Both sides are of one person, so that they share the noise of every trial.
    SameSubject,
    /// What was to be held constant explains all of it, and what is left is rounding.
    ExplainedByControls,
    /// Predictors depend on each other exactly, so that their weights are not defined.
    Collinear,
    /// Its dissimilarities are no squared distances between any points.
    NotEuclidean,
    /// Too many pairs of stimuli have no dissimilarity.
    NanPairs,
    /// Too few voxels lie in the region.
    TooFewVoxels,
    /// Too few units were selected.
    TooFewUnits,
    /// There are stimuli, but too few of them.
    TooFewStimuli,
    /// No stimulus at all, or none on one of two sides.
    NoStimuli,
    /// Stimuli with equal responses stand on both sides of the edge, so that nothing says which belong to it.
    TiesAtEdge,
    /// A set without units.
    Empty,
    /// Every unit of the set is unusable, for different reasons.
    NoUsableUnit,
    /// How many units the array has is not known, so nothing is known of chance.
    NUnitsUnknown,
    /// The table of units has no rows about the array.
    NotInTable,
    /// One of two tables was not asked for what the other has.
    NotAsked,
    /// One of two tables has no rows about the array of the other.
    NoPartner,
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
            Reason::NoSignal => "no_signal",
            Reason::NoUsablePair => "no_usable_pair",
            Reason::SameSubject => "same_subject",
            Reason::ExplainedByControls => "explained_by_controls",
            Reason::Collinear => "collinear",
            Reason::NotEuclidean => "not_euclidean",
            Reason::NanPairs => "nan_pairs",
            Reason::TooFewVoxels => "too_few_voxels",
            Reason::TooFewUnits => "too_few_units",
            Reason::TooFewStimuli => "too_few_stimuli",
            Reason::NoStimuli => "no_stimuli",
            Reason::TiesAtEdge => "ties_at_edge",
            Reason::Empty => "empty",
            Reason::NoUsableUnit => "no_usable_unit",
            Reason::NUnitsUnknown => "n_units_unknown",
            Reason::NotInTable => "not_in_table",
            Reason::NotAsked => "not_asked",
            Reason::NoPartner => "no_partner",
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

    /// How often each occurs, in the order in which they first do, as a summary on stderr has it.
    ///
    /// ```
    /// use statistics::Reason::{Constant, NanInput};
    /// assert_eq!(statistics::Reason::counted([Constant, NanInput, Constant]), "2 constant, 1 nan_input");
    /// ```
    pub fn counted(reasons: impl IntoIterator<Item = Reason>) -> String {
        let mut counts: Vec<(Reason, usize)> = Vec::new();
        for reason in reasons {
            match counts.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => counts.push((reason, 1)),
            }
        }
        counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
