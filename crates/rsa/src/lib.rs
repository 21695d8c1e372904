//! Representational similarity analysis: matrices to RDMs, RDMs to scores beside their noise ceiling.
#![warn(missing_docs)]

mod compare;
mod dissimilarities;
mod fit;
mod held;
mod mds;
mod order;
mod rdm_verb;
mod searchlight;

use clap::{Parser, Subcommand};

/// Compare the geometry of representations: RDMs from activations or voxels, scores of models against brains
///
/// An RDM (representational dissimilarity matrix) holds one distance per pair of stimuli. It is written as a 1-d
/// .npy, the strict upper triangle in the order of SciPy's pdist, with the n stimulus ids behind it; RDMs of several
/// systems stand back to back. Two RDMs are only ever compared after they were joined by those ids.
#[derive(Debug, Parser)]
#[command(name = "rsa", version, about, after_help = EXAMPLES, subcommand_required = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  rsa rdm acts.npy > ann.npy
  cat sub-*/ffa.npy | npy average | rsa rdm > ffa.npy
  rsa compare ann.npy --brain ffa.npy --compare spearman --ceiling > scores.csv";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Matrices (rows = stimuli, columns = units or voxels) to RDMs, one per matrix
    Rdm(Box<rdm_verb::RdmArgs>),
    /// Model RDMs against brain RDMs: a table of scores, with the noise ceiling
    Compare(Box<compare::CompareArgs>),
    /// Brain RDMs as weighted sums of model RDMs: weights, and what each model explains that no other does
    Fit(Box<fit::FitArgs>),
    /// Points in two or more dimensions whose distances are those of an RDM, as nearly as they can be
    Mds(mds::MdsArgs),
    /// The stimuli (or systems) in the order of a dendrogram, or the dendrogram itself
    Order(order::OrderArgs),
    /// Model RDMs against the RDM of the voxels around every voxel: one map per model
    Searchlight(Box<searchlight::SearchlightArgs>),
}

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Rdm(args) => rdm_verb::run(&args),
        Verb::Compare(args) => compare::run(&args),
        Verb::Fit(args) => fit::run(&args),
        Verb::Mds(args) => mds::run(&args),
        Verb::Order(args) => order::run(&args),
        Verb::Searchlight(args) => searchlight::run(&args),
    }
}
