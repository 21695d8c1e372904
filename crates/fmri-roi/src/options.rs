//! What several verbs ask for in the same words.

use brain_maps::{Connectivity, Side};
use clap::ValueEnum;

/// Number of neighbours, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Neighbours {
    /// Faces
    #[value(name = "6")]
    Six,
    /// Faces and edges
    #[value(name = "18")]
    Eighteen,
    /// Faces, edges and corners
    #[value(name = "26")]
    TwentySix,
}

impl From<Neighbours> for Connectivity {
    fn from(neighbours: Neighbours) -> Self {
        match neighbours {
            Neighbours::Six => Connectivity::Faces,
            Neighbours::Eighteen => Connectivity::Edges,
            Neighbours::TwentySix => Connectivity::Corners,
        }
    }
}

/// The side of 0 that counts, as it is typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tail {
    /// Above 0
    #[default]
    Greater,
    /// Below 0
    Less,
    /// Either
    TwoSided,
}

impl From<Tail> for Side {
    fn from(tail: Tail) -> Self {
        match tail {
            Tail::Greater => Side::Greater,
            Tail::Less => Side::Less,
            Tail::TwoSided => Side::TwoSided,
        }
    }
}
