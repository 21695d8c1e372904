//! What can be asked on the command line; each verb's arguments stand in a file of their own.

mod compare;
mod inference;
mod mds;
mod measure;
mod order;
mod rdm;
mod searchlight;
mod systems;

use clap::{Parser, Subcommand};

pub use compare::CompareArgs;
pub use inference::{Boot, InferenceArgs, Test};
pub use mds::{MdsArgs, Method, PairArgs};
pub use measure::{Bures, Measure};
pub use order::{ClusterDistance, OrderArgs};
pub(crate) use rdm::Kind;
pub use rdm::{CvWeights, Metric, NoiseSource, RdmArgs, Shrink};
pub use searchlight::{SearchlightArgs, SphereMetric};
pub use systems::SystemArgs;

/// Compare the geometry of representations: RDMs from activations or voxels, scores of models against brains
///
/// An RDM (representational dissimilarity matrix) holds one distance per pair of stimuli. It is written as a 1-d
/// .npy, the strict upper triangle in the order of SciPy's pdist, with the n stimulus ids behind it; RDMs of several
/// systems stand back to back. Two RDMs are only ever compared after they were joined by those ids.
#[derive(Debug, Parser)]
#[command(name = "rsa", version, about, after_help = EXAMPLES, subcommand_required = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  rsa rdm acts.npy > ann.npy
  cat sub-*/ffa.npy | npy average | rsa rdm > ffa.npy
  rsa compare ann.npy --brain ffa.npy --compare spearman --ceiling > scores.csv";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Matrices (rows = stimuli, columns = units or voxels) to RDMs, one per matrix
    Rdm(RdmArgs),
    /// Model RDMs against brain RDMs: a table of scores, with the noise ceiling
    Compare(Box<CompareArgs>),
    /// Points in two or more dimensions whose distances are those of an RDM, as nearly as they can be
    Mds(MdsArgs),
    /// The stimuli (or systems) in the order of a dendrogram, or the dendrogram itself
    Order(OrderArgs),
    /// Model RDMs against the RDM of the voxels around every voxel: one map per model
    Searchlight(Box<SearchlightArgs>),
}
