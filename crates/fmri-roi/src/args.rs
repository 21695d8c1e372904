//! Options of the three verbs.

use array_inputs::JoinArgs;
use clap::{Args as Flags, Parser, Subcommand, ValueEnum};
use cli::{Common, Format, Input};
use localizer::{Contrast, Correction, TTest, Top, Versus};
use npy_stream::Dtype;

use crate::cluster::Connectivity;

/// t maps from betas or from subjects' maps, regions from t maps, voxel matrices from regions
#[derive(Debug, Parser)]
#[command(name = "fmri-roi", version, after_help = HELP, disable_help_subcommand = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

const HELP: &str = "\
INPUT   betas: a .npy matrix (rows = trials or conditions, columns = voxels, ids behind it) or
        NIfTI images on one grid, 3-d or 4-d (one volume per trial or condition, in the order of the
        arguments or of a pipe from `cat`); maps: a .npy of one row, or a 3-d NIfTI image.
        NIfTI-1 and -2, .nii and .nii.gz, told apart by content; - is stdin.
MASKS   and parcels hold whole numbers (1.00000003 of a re-save is 1): above 0 is inside; 0, negative
        numbers (-1 in NSD's regions) and NaN are outside, counted on stderr. --labels names them: a
        table with the columns index and name (BIDS), or a colour table of FreeSurfer (.ctab).
VOXELS  The voxel (i, j, k) of an image has the number voxel = (i * ny + j) * nz + k, all from 0,
        as in nibabel's get_fdata().reshape(-1). x, y, z are the image's own millimetres (sform,
        else qform, else voxel sizes). Images used together must have the same shape and affine
        (within 0.001); nothing is resampled.

EXAMPLES
  fmri-roi contrast --stimuli floc.csv --by domain --contrast 'faces > rest' betas.npy > t.npy
  fmri-roi contrast --one-sample sub-*_face_con.nii.gz -o t.nii.gz
  fmri-roi define --stat t.nii.gz --t 5 --min-cluster 10 --name FFA -o ffa.nii.gz > ffa.csv
  fmri-roi extract betas.nii.gz --roi ffa.csv -o ffa.npy";

/// The three verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Betas and a contrast, or several subjects' maps, to a t map
    Contrast(Box<ContrastArgs>),
    /// A t map to regions: thresholds, parcels, clusters, top voxels
    Define(Box<DefineArgs>),
    /// Betas and regions to one labelled matrix per region
    Extract(Box<ExtractArgs>),
}

const CONTRAST_HELP: &str = "\
INPUT   With a contrast, .npy streams or NIfTI images of betas. A .npy file is joined with the table
        by id, in any order and with repeats; a pipe brings its ids after the rows, so its rows must
        stand in the order of the table. The volumes of images, one image after the other, carry no
        ids: row i of the table is volume i, to be confirmed with --assume-order; its ids may repeat.
        With --one-sample, the maps of several subjects: images, volumes, or rows of .npy streams.
OUTPUT  .npy input: a matrix of 1 row labelled \"t\", one for each matrix. NIfTI input: an f4 image
        (intent t with its df where that is one number); without -o it goes to stdout as .nii.
        A voxel that is constant, or has a value that is not finite, has t NaN; stderr counts them.
        --table: array, voxel, n (rows), mean_preferred, mean_rest, t, df, p (one-sided),
        neg_log10_p, q (with --correct), dprime, selectivity_index, reason; as select-units writes them.

EXAMPLES
  fmri-roi contrast --stimuli floc.csv --by domain --contrast 'faces > rest' betas.npy > t.npy
  fmri-roi contrast --stimuli trials.csv --by domain --contrast 'faces > bodies,places' \\
      --assume-order betas.nii.gz -o t.nii.gz
  fmri-roi contrast --one-sample sub-*_face_con.nii.gz -o t.nii.gz";

/// Options of `contrast`.
#[derive(Debug, Flags)]
#[command(after_help = CONTRAST_HELP)]
pub struct ContrastArgs {
    /// Betas, or with --one-sample one contrast map per subject (- is stdin)
    #[arg(value_name = "FILE", default_value = "-")]
    pub inputs: Vec<Input>,
    /// Table of stimuli (or of trials: one row per volume), CSV or TSV
    #[arg(long, value_name = "TABLE", required_unless_present = "one_sample")]
    pub stimuli: Option<Input>,
    /// Column of that table with the categories
    #[arg(long, value_name = "COLUMN", required_unless_present = "one_sample")]
    pub by: Option<String>,
    /// The contrast: 'faces > bodies,places', 'adult,child > rest'
    #[arg(long, value_name = "CONTRAST", required_unless_present = "one_sample")]
    pub contrast: Option<Contrast>,
    /// Against all others together, or against each of them (the smallest t counts)
    #[arg(long, value_name = "pooled|each", default_value = "pooled")]
    pub versus: Versus,
    /// Two-sample t with equal variances, or without that assumption
    #[arg(long, value_name = "student|welch", default_value = "student")]
    pub test: TTest,
    /// t of the mean over maps against 0: every image, volume or .npy row is one subject
    #[arg(long, conflicts_with_all = ["stimuli", "by", "contrast", "versus", "test", "table", "assume_order", "inner"])]
    pub one_sample: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub join: JoinArgs,
    /// Image whose geometry a .npy t map takes when -o names a .nii or .nii.gz
    #[arg(long, value_name = "IMAGE")]
    pub like: Option<Input>,
    /// Also write a table of all voxels
    #[arg(long, value_name = "FILE")]
    pub table: Option<cli::OutputPath>,
    /// Adjust p over the voxels for that table: bh, by (false discovery rate), bonferroni, none
    #[arg(long, visible_alias = "fdr", value_name = "METHOD", requires = "table")]
    pub correct: Option<Correction>,
    /// Format of that table
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Element type of a .npy t map: f4, or f8 (default: f8 when the betas are)
    #[arg(long)]
    pub dtype: Option<Dtype>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: Common,
}

const DEFINE_HELP: &str = "\
STEPS   Within each parcel: keep t greater than --t; keep clusters of at least --min-cluster voxels;
        keep the --top of what is left (P% is of the parcel's voxels that are not NaN, rounded
        down). NaN and infinite t are never kept. Without --t and --top the rule is t > 7.
OUTPUT  One row per voxel, regions in the order of the parcels, voxels by number:
          roi, voxel, i, j, k (place in the grid), x, y, z (mm), t
        --summary, one row per region, empty ones too:
          roi, n_voxels, n_parcel (voxels searched), t_max, voxel, i, j, k, x, y, z (of the peak)
        --peaks, one row per local maximum (of 26 neighbours; a plateau of equal t is one, at its
        voxel with the smallest number), clusters numbered by their height:
          roi, cluster, n_voxels (of the cluster), voxel, i, j, k, x, y, z, t
        -o X.nii or X.nii.gz takes a mask (1 for the first region, 2 for the second ...) and the
        table stays on stdout; any other -o takes the table. i to z are empty for a .npy map
        without --like or --parcels.

EXAMPLES
  fmri-roi define --stat t.nii.gz --t 5 --min-cluster 10 --name FFA -o ffa.nii.gz > ffa.csv
  fmri-roi define --stat t.nii.gz --parcels parcels.nii.gz --labels parcels.tsv --top 10%
  fmri-roi define --stat t.nii.gz --t 4 --peaks";

/// Options of `define`.
#[derive(Debug, Flags)]
#[command(after_help = DEFINE_HELP)]
pub struct DefineArgs {
    /// t map: NIfTI, or a .npy of one row (- is stdin)
    #[arg(long, value_name = "MAP", default_value = "-")]
    pub stat: Input,
    /// Image of parcels to search in: whole numbers, above 0 is inside
    #[arg(long, value_name = "IMAGE")]
    pub parcels: Option<Input>,
    /// Names of the parcels: a table with index and name (BIDS), or a .ctab; equal names make one region
    #[arg(long, value_name = "TABLE", requires = "parcels")]
    pub labels: Option<Input>,
    /// Name of the region [default: roi]; with --parcels, the parcels to use (may be given again)
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
    /// Keep voxels with t greater than this [default: 7, when there is no --top]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = localizer::parse_threshold)]
    pub t: Option<f64>,
    /// Keep this many voxels with the highest t, or this percentage; ties by voxel number
    #[arg(long, value_name = "N|P%")]
    pub top: Option<Top>,
    /// Keep clusters of at least this many voxels above --t
    #[arg(long, value_name = "N", requires = "t")]
    pub min_cluster: Option<usize>,
    /// Neighbours share a face (6), also an edge (18), also a corner (26)
    #[arg(long, value_enum, value_name = "6|18|26", default_value = "6")]
    pub connectivity: Neighbours,
    /// One line per region instead: size and peak
    #[arg(long, conflicts_with = "peaks")]
    pub summary: bool,
    /// One line per peak instead: local maxima of every cluster
    #[arg(long)]
    pub peaks: bool,
    /// Peaks of one cluster are at least this far apart, in mm
    #[arg(long, value_name = "MM", default_value_t = 8.0)]
    pub peak_distance: f64,
    /// Image whose geometry a .npy map has
    #[arg(long, value_name = "IMAGE")]
    pub like: Option<Input>,
    /// Format of the table
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: Common,
}

/// Number of neighbours, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Neighbours {
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

const EXTRACT_HELP: &str = "\
INPUT   Betas, and regions: a table with the columns roi and voxel (as define writes it), or a mask
        whose whole numbers are the regions. A mask, or a table with
        coordinates, from another grid than an image's is refused; a .npy only knows its number of voxels.
OUTPUT  One matrix per region, back to back in the order of --name, else of the table: rows = trials or conditions
        with their ids, columns = the region's voxels in the order of the table. Of a stream of
        several matrices, all regions of the first come first; all images together are one matrix.
        Only these voxels are held.

EXAMPLES
  fmri-roi extract betas.npy --roi ffa.csv > ffa.npy
  fmri-roi extract betas.npy --roi regions.csv --name FFA --name OFA > ffa_ofa.npy
  fmri-roi extract betas.nii.gz --roi ffa.nii.gz --stimuli trials.csv --assume-order > ffa.npy";

/// Options of `extract`.
#[derive(Debug, Flags)]
#[command(after_help = EXTRACT_HELP)]
pub struct ExtractArgs {
    /// Betas: .npy, or NIfTI images, whose volumes follow one another (- is stdin)
    #[arg(value_name = "BETAS", default_value = "-")]
    pub betas: Vec<Input>,
    /// Regions: table with roi and voxel, or NIfTI mask
    #[arg(long, value_name = "TABLE|MASK")]
    pub roi: Input,
    /// Names of the numbers of a mask: a table with index and name (BIDS), or a FreeSurfer .ctab
    #[arg(long, value_name = "TABLE")]
    pub labels: Option<Input>,
    /// Only this region (may be given again)
    #[arg(long, value_name = "NAME")]
    pub name: Vec<String>,
    /// Table whose row i names row i of betas that carry no ids (needs --assume-order); ids may repeat
    #[arg(long, value_name = "TABLE", requires = "assume_order")]
    pub stimuli: Option<Input>,
    /// Row i of the betas is row i of --stimuli
    #[arg(long, requires = "stimuli")]
    pub assume_order: bool,
    /// Element type of the output: f4, or f8 (default: f8 when the betas are)
    #[arg(long)]
    pub dtype: Option<Dtype>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub common: Common,
}
