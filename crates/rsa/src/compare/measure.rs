//! What `--compare` of `rsa compare` can ask for: RDMs pair by pair, RDMs as second moments, or matrices.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use rdm::{Comparison, MatrixComparison};
use rdm_inputs::{column, comparison_named, comparison_names};

/// A similarity or distance of two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Of two RDMs, over their pairs of stimuli.
    Rdms(Comparison),
    /// Of two RDMs, by the second moments behind them.
    Bures(Bures),
    /// Of two matrices of responses.
    Matrices(MatrixComparison),
}

/// The scales of the Bures comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bures {
    /// Between 0 and 1.
    Similarity,
    /// The squared distance, as rsatoolbox has it.
    Squared,
    /// The distance, a metric.
    Distance,
}

/// Name, measure, column and help of those that are no [`Comparison`].
const OTHERS: [(&str, Measure, &str, &str); 7] = [
    ("bures", Measure::Bures(Bures::Similarity), "bures", "RDMs: Bures similarity of their second moments"),
    ("bures_metric", Measure::Bures(Bures::Squared), "bures_squared", "RDMs: squared Bures distance, as rsatoolbox"),
    ("bures-distance", Measure::Bures(Bures::Distance), "bures_distance", "RDMs: its root, a metric"),
    ("cka", Measure::Matrices(MatrixComparison::Cka), "cka", "matrices: linear CKA"),
    ("cka-debiased", Measure::Matrices(MatrixComparison::CkaDebiased), "cka", "matrices: with unbiased HSIC"),
    ("procrustes", Measure::Matrices(MatrixComparison::Procrustes), "procrustes", "matrices: Procrustes similarity"),
    ("procrustes-angle", Measure::Matrices(MatrixComparison::ProcrustesAngle), "angle", "matrices: its arc cosine"),
];

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Measure {
    fn other(self) -> Option<&'static (&'static str, Measure, &'static str, &'static str)> {
        OTHERS.iter().find(|(_, measure, _, _)| *measure == self)
    }

    /// Its name on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Measure::Rdms(how) => how.as_str(),
            _ => self.other().map_or("", |(name, _, _, _)| name),
        }
    }

    /// Whether it weighs pairs by the covariance that noise gives them.
    pub fn is_whitened(self) -> bool {
        matches!(self, Measure::Rdms(how) if how.is_whitened())
    }

    /// The column that holds its values.
    pub fn column(self) -> &'static str {
        match self {
            Measure::Rdms(how) => column(how),
            _ => self.other().map_or("", |(_, _, column, _)| column),
        }
    }

    /// The parser of `--compare`.
    pub(super) fn parser() -> impl TypedValueParser<Value = Measure> {
        let others = OTHERS.iter().map(|(name, _, _, help)| PossibleValue::new(name).help(help));
        let names: Vec<PossibleValue> = comparison_names().into_iter().chain(others).collect();
        PossibleValuesParser::new(names).try_map(|name| match OTHERS.iter().find(|(other, _, _, _)| *other == name) {
            Some((_, measure, _, _)) => Ok(*measure),
            None => comparison_named(&name).map(Measure::Rdms),
        })
    }
}
