//! Category-selective voxels: effect and t maps or betas from runs of BOLD, t maps from betas or from subjects' maps,
//! regions from t maps, voxel matrices from regions.
//!
//! Files are read and written by the crates `brain-formats` and `voxel-inputs`; `brain-maps` and [`region`] compute;
//! they meet in the verbs, each with its help and options beside its run.

#![warn(missing_docs)]

mod atlas;
mod bids;
mod contrast;
mod define;
mod extract;
mod glm;
mod gss;
mod localize;
mod maps;
mod options;
mod overlap;
mod place;
pub mod region;
mod resample;
mod search;
mod subject_maps;
mod surfaces;

/// Maps and betas from BOLD, t maps from betas or subjects' maps, regions from t maps, voxel matrices from regions
#[derive(Debug, clap::Parser)]
#[command(name = "fmri-roi", version, after_help = HELP, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

const HELP: &str = "\
Input:
  Betas are a .npy matrix (rows = trials or conditions, columns = voxels, ids behind it) or images
  on one grid, 3-d or 4-d (one volume per trial or condition, in the order of the arguments or of a
  pipe from `cat`). Maps are a .npy of one row, or an image of one volume. Images are NIfTI-1 and -2
  (.nii, .nii.gz), MGH (.mgh, .mgz), and of vertices and grayordinates GIFTI (.func.gii, .shape.gii),
  MGH of n x 1 x 1, and CIFTI-2 (.dscalar.nii, .dtseries.nii, .pscalar.nii, .ptseries.nii). They are
  told apart by content; - is stdin.

Masks and parcels:
  They hold whole numbers (1.00000003 of a re-save is 1): above 0 is inside; 0, negative numbers (-1
  in NSD's regions) and NaN are outside, counted on stderr. --labels names them: a table with the
  columns index and name (BIDS), or a colour table of FreeSurfer (.ctab). Label files (.label.gii,
  .dlabel.nii) and annotations (.annot) name their labels themselves; FreeSurfer's label (.label) is one
  region, called by its file.

Voxels:
  The voxel (i, j, k) of an image has the number voxel = (i * ny + j) * nz + k, all from 0, as in
  nibabel's get_fdata().reshape(-1). x, y, z are the image's own millimetres (sform, else qform,
  else voxel sizes). Images used together must have the same shape and affine (within 0.001);
  only --resample takes labels from another grid. Of a surface the number is the vertex, of CIFTI the grayordinate; surfaces
  used together must have the same structure and number of vertices, CIFTI files the same columns.

Surfaces:
  Neighbours of vertices are those of a mesh: --surface takes a GIFTI surface (.surf.gii) or FreeSurfer's
  triangles (lh.pial, lh.white ...) with as many vertices as the map; of grayordinates (CIFTI) one of
  each hemisphere, --surface twice where the files name theirs (AnatomicalStructurePrimary), else
  --surface-left and --surface-right. Voxels of two structures of a CIFTI file are no neighbours, as in
  Connectome Workbench. mm2 is a third of the area of every triangle at a vertex.

Examples:
  fmri-roi contrast --stimuli floc.csv --by domain --contrast 'faces > rest' betas.npy > t.npy
  fmri-roi contrast --one-sample sub-*_face_con.nii.gz -o t.nii.gz
  fmri-roi define --stat t.nii.gz --t 5 --min-cluster 10 --name FFA -o ffa.nii.gz > ffa.csv
  fmri-roi extract betas.nii.gz --roi ffa.csv -o ffa.npy";

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Runs of BOLD and their events to effect, t, F and z maps, or to betas per trial
    Glm(Box<glm::Glm>),
    /// Betas and contrasts, or several subjects' maps, to t maps
    Contrast(Box<contrast::Contrast>),
    /// A t map to regions: thresholds, parcels, clusters, top voxels
    Define(Box<define::Define>),
    /// Betas to regions found on all parts but one and their responses in that one
    Localize(Box<localize::Localize>),
    /// Maps of several subjects to group parcels, in which each subject's region can be searched
    Gss(Box<gss::Gss>),
    /// Betas and regions to one labelled matrix per region
    Extract(Box<extract::Extract>),
    /// Maps to their spatial correlation, Dice and laterality
    Overlap(Box<overlap::Overlap>),
    /// A map and an atlas to the numbers of every parcel, or to named clusters
    Atlas(Box<atlas::Atlas>),
}

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Glm(args) => glm::run(*args),
        Verb::Contrast(args) => contrast::run(*args),
        Verb::Define(args) => define::run(*args),
        Verb::Localize(args) => localize::run(*args),
        Verb::Gss(args) => gss::run(*args),
        Verb::Extract(args) => extract::run(*args),
        Verb::Overlap(args) => overlap::run(*args),
        Verb::Atlas(args) => atlas::run(*args),
    }
}
