//! What `--compare` of `rsa compare` can ask for: RDMs pair by pair, RDMs as second moments, matrices, or units
//! of matrices.

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
    /// Of two matrices, by a map between their units.
    Alignment(Map),
}

/// The maps of units, as they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// Mean canonical correlation.
    Cca,
    /// Of leading singular axes.
    Svcca,
    /// Weighted by what the variates carry.
    Pwcca,
    /// One unit for one.
    Permutation,
    /// Shares of units.
    SoftMatching,
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
const OTHERS: [(&str, Measure, &str, &str); 13] = [
    ("bures", Measure::Bures(Bures::Similarity), "bures", "RDMs: Bures similarity of their second moments"),
    ("bures_metric", Measure::Bures(Bures::Squared), "bures_squared", "RDMs: squared Bures distance, as rsatoolbox"),
    ("bures-distance", Measure::Bures(Bures::Distance), "bures_distance", "RDMs: its root, a metric"),
    ("cka", Measure::Matrices(MatrixComparison::Cka), "cka", "matrices: linear CKA"),
    ("cka-debiased", Measure::Matrices(MatrixComparison::CkaDebiased), "cka", "matrices: with unbiased HSIC"),
    ("cka-rbf", Measure::Matrices(MatrixComparison::CkaRbf), "cka", "matrices: CKA of Gaussian kernels"),
    ("procrustes", Measure::Matrices(MatrixComparison::Procrustes), "procrustes", "matrices: Procrustes similarity"),
    ("procrustes-angle", Measure::Matrices(MatrixComparison::ProcrustesAngle), "angle", "matrices: its arc cosine"),
    ("cca", Measure::Alignment(Map::Cca), "cca", "matrices: mean canonical correlation"),
    ("svcca", Measure::Alignment(Map::Svcca), "cca", "matrices: of leading singular axes"),
    ("pwcca", Measure::Alignment(Map::Pwcca), "cca", "matrices: weighted by what the variates carry"),
    ("permutation", Measure::Alignment(Map::Permutation), "match", "matrices: mean correlation of matched units"),
    ("soft-matching", Measure::Alignment(Map::SoftMatching), "match", "matrices: of units matched in shares"),
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

    /// Whether it is of matrices and not of RDMs.
    pub fn is_of_matrices(self) -> bool {
        matches!(self, Measure::Matrices(_) | Measure::Alignment(_))
    }

    /// Its name in the similarity-repository (Cloos et al. 2024), where it has one that means the same numbers.
    pub fn standard_name(self, variance: f64) -> Option<String> {
        let name = match self {
            Measure::Matrices(MatrixComparison::Cka) => "cka-kernel=linear-hsic=gretton-score",
            Measure::Matrices(MatrixComparison::CkaDebiased) => "cka-kernel=linear-hsic=song-score",
            Measure::Matrices(MatrixComparison::Procrustes) => "procrustes-score",
            Measure::Matrices(MatrixComparison::ProcrustesAngle) => "procrustes-distance=angular",
            Measure::Alignment(Map::Cca) => "cca-score",
            Measure::Alignment(Map::Svcca) => return Some(format!("measure/svcca-var={variance}-score")),
            Measure::Alignment(Map::Pwcca) => "pwcca-score",
            // Its kernel takes sigma as it is and not as a multiple of a median; matchings have several meanings there.
            Measure::Matrices(MatrixComparison::CkaRbf) | Measure::Alignment(_) => return None,
            Measure::Rdms(_) | Measure::Bures(_) => return None,
        };
        Some(format!("measure/{name}"))
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
