//! Category-selective voxels: t maps from betas or from subjects' maps, regions from t maps, voxel matrices from regions.
//!
//! Files are read and written by the crates `nifti-volume` and `voxel-inputs`; [`cluster`] and [`region`] compute; they
//! meet in the three runs, [`contrast`], [`define`] and [`extract`].

#![warn(missing_docs)]

pub mod args;
pub mod cluster;
pub mod contrast;
pub mod define;
pub mod extract;
pub mod region;

/// Runs the verb that was asked for.
pub fn run(args: args::Args) -> anyhow::Result<()> {
    match args.verb {
        args::Verb::Contrast(args) => contrast::run(*args),
        args::Verb::Define(args) => define::run(*args),
        args::Verb::Extract(args) => extract::run(*args),
    }
}
