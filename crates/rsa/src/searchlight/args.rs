//! Help and arguments of `rsa searchlight`.

use crate::rdm_verb::Shrink;
use array_inputs::JoinArgs;
use brain_maps::grid::Radius;
use clap::ValueEnum;
use cli::{Common, Input, Shard};
use rdm::{Comparison, Distance};

const HELP: &str = "\
Output: a labelled matrix, one row per voxel visited (its id is the voxel's number) and one column per
model; with --out-dir a map per model, NaN outside the mask. A shard writes its rows: `npy cat` puts
shards together and proves that none is missing, --scores makes maps of the whole.
--table has a row per voxel and model:
  voxel, i, j, k, x, y, z, n_voxels (of the sphere)
  model, compare, r | rho | tau | cosine
  n_pairs  pairs of stimuli that are not NaN on either side
  reason   why a score is NaN: too_few_voxels (--min-voxels, --min-share), nan_input, constant,
           nan_pairs (more than 10 % of its pairs)

Around every voxel of the mask, the mask's voxels within the radius make one RDM, which is compared
with each model RDM and not kept. Rows of the betas with equal ids are trials and averaged first;
models are joined with them by id. A .npy matrix has a column per voxel of the image or of the mask.
--noise whitens the patterns of every sphere by the shrunk covariance of the residuals of its own voxels
(time points x voxels of the image or the mask), so that the map is that of `rsa rdm --noise` of each
sphere. Voxels whose residuals are constant or hold a NaN are treated as those whose betas do.
rsatoolbox's radius R takes voxels nearer than R (here R - 0.01) and by default voxels outside the
mask too; its threshold is our --min-share, and 1 by default.

Examples:
  rsa searchlight betas.npy --mask mask.nii.gz --radius 3 --models ann.npy > scores.npy
  rsa searchlight b.nii.gz --stimuli t.csv --assume-order --mask mask.nii.gz --radius 9mm \\
      --models ann.npy v1.npy --out-dir maps
  rsa searchlight --scores scores.npy --names ann --mask mask.nii.gz --out-dir maps";

/// Arguments of `rsa searchlight`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct SearchlightArgs {
    /// Betas: NIfTI images (a volume per row of --stimuli) or .npy matrices, one below the other; - is stdin
    #[arg(value_name = "BETAS", required_unless_present = "scores", conflicts_with = "scores")]
    pub betas: Vec<Input>,
    /// Voxels to visit: a NIfTI image of whole numbers, above 0 inside (0, negative and NaN are outside)
    #[arg(long, value_name = "IMAGE")]
    pub mask: Input,
    /// Radius of the sphere: in voxels (3), or in millimetres (9mm); a voxel at exactly this distance belongs to it
    #[arg(long, value_name = "R", value_parser = radius, required_unless_present = "scores")]
    pub radius: Option<Radius>,
    /// Model RDMs, each file possibly a stream of several
    #[arg(long, value_name = "RDM", num_args = 1.., required_unless_present = "scores")]
    pub models: Vec<Input>,
    /// Table whose row i names row i of the betas, where they carry no ids (needs --assume-order)
    #[arg(long, value_name = "TABLE", requires = "assume_order")]
    pub stimuli: Option<Input>,
    /// Column of --stimuli that names the patterns; rows where it is empty or n/a are left out [default: the ids]
    #[arg(long, value_name = "COLUMN", requires = "stimuli")]
    pub by: Option<String>,
    /// Distance between two patterns
    #[arg(long, value_enum, default_value_t = SphereMetric::Correlation)]
    pub metric: SphereMetric,
    /// Subtract from every voxel its mean over the stimuli first (correlation and cosine), as `rsa rdm --center`
    #[arg(long, conflicts_with = "scores")]
    pub center: bool,
    /// Whiten each sphere by the covariance of its voxels' residuals: NIfTI images or .npy matrices, as the betas
    #[arg(long, value_name = "RESIDUALS", conflicts_with = "scores")]
    pub noise: Option<Input>,
    /// How each covariance is shrunk, as `rsa rdm --shrink` [default: diag]
    #[arg(long, value_enum, requires = "noise")]
    pub shrink: Option<Shrink>,
    /// Degrees of freedom of the residuals [default: residuals - 1]
    #[arg(long, value_name = "N", requires = "noise")]
    pub dof: Option<f64>,
    /// Similarity of two RDMs over their pairs of stimuli (kendall is tau-b)
    #[arg(long, value_parser = rdm_inputs::comparison_parser(), default_value = "spearman")]
    pub compare: Comparison,
    /// Visit only voxels with at least this share of their sphere (inside the image) in the mask
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub min_share: f64,
    /// Visit only voxels with at least so many voxels in their sphere
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub min_voxels: u32,
    /// Leave voxels that have a NaN in some row out of every sphere
    #[arg(long)]
    pub drop_nan: bool,
    /// Score spheres (and take models) of whose pairs more than 10 % are NaN
    #[arg(long)]
    pub allow_nan: bool,
    /// Visit part I of N of the voxels (0/8 to 7/8), or slurm
    #[arg(long, value_name = "I/N", conflicts_with_all = ["out_dir", "scores"])]
    pub shard: Option<Shard>,
    /// Make maps of scores that an earlier run (or npy cat, of its shards) wrote
    #[arg(long, value_name = "SCORES", requires = "out_dir")]
    pub scores: Option<Input>,
    /// Write one NIfTI map per model here, MODEL.nii.gz, and no matrix unless -o asks for it
    #[arg(long, value_name = "FOLDER")]
    pub out_dir: Option<cli::OutputFolder>,
    /// Also write a table of every sphere and model
    #[arg(long, value_name = "FILE", conflicts_with = "scores")]
    pub table: Option<cli::OutputPath>,
    /// Names of the models, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// How betas and models are joined.
    #[command(flatten)]
    pub join: JoinArgs,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

fn radius(text: &str) -> Result<Radius, String> {
    let (number, of): (&str, fn(f64) -> Radius) = match text.strip_suffix("mm") {
        Some(number) => (number, Radius::Millimetres),
        None => (text, Radius::Voxels),
    };
    match number.trim().parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(of(value)),
        _ => Err(format!("{text:?} is neither voxels (3) nor millimetres (9mm), above 0")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err(format!("{text:?} is no share; 0 to 1")),
    }
}

/// The dissimilarity of two patterns of a sphere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SphereMetric {
    /// 1 - Pearson correlation across voxels
    Correlation,
    /// Root of the sum of squared differences
    Euclidean,
    /// Sum of squared differences
    Sqeuclidean,
    /// 1 - cosine of the angle
    Cosine,
    /// Root of d' S^-1 d, S the covariance of the --noise: euclidean, whitened
    Mahalanobis,
    /// d' S^-1 d
    Sqmahalanobis,
}

impl SphereMetric {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            SphereMetric::Mahalanobis => "mahalanobis",
            SphereMetric::Sqmahalanobis => "sqmahalanobis",
            other => other.distance().as_str(),
        }
    }

    /// Whether it is nothing without noise.
    pub fn needs_noise(self) -> bool {
        matches!(self, SphereMetric::Mahalanobis | SphereMetric::Sqmahalanobis)
    }

    /// As the distance of `rdm`.
    pub fn distance(self) -> Distance {
        match self {
            SphereMetric::Correlation => Distance::Correlation,
            SphereMetric::Euclidean | SphereMetric::Mahalanobis => Distance::Euclidean,
            SphereMetric::Sqeuclidean | SphereMetric::Sqmahalanobis => Distance::Sqeuclidean,
            SphereMetric::Cosine => Distance::Cosine,
        }
    }
}
