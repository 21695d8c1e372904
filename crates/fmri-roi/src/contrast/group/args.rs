//! Options of a test over maps of several subjects.

use brain_maps::Enhance;
use clap::ValueEnum;
use cli::{Input, OutputPath};
use localizer::Contrast;

use crate::options::{Neighbours, Tail};
use crate::surfaces::Surfaces;

/// Which maps are tested, against what, and what corrects the p.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("group_test").args(["one_sample", "two_sample", "paired"]))]
pub(crate) struct GroupArgs {
    /// t of the mean over maps against 0: every image, volume or .npy row is one subject
    #[arg(long, conflicts_with_all = ["stimuli", "by", "contrast", "versus", "test", "by_category", "cv"])]
    pub one_sample: bool,
    /// t of one group of maps against another, as 'patients > controls', by a column of --subjects
    #[arg(long, value_name = "CONTRAST", requires = "subjects", conflicts_with_all = ["stimuli", "by", "contrast",
        "versus", "test", "by_category", "cv"])]
    pub two_sample: Option<Contrast>,
    /// t of the differences of pairs of maps, as 'after > before', by a column of --subjects
    #[arg(long, value_name = "CONTRAST", requires = "subjects", conflicts_with_all = ["stimuli", "by", "contrast",
        "versus", "test", "by_category", "cv"])]
    pub paired: Option<Contrast>,
    /// Table of the maps: a column map (file names, or ids of .npy rows), groups, pairs and covariates
    #[arg(long, value_name = "TABLE", requires = "group_test")]
    pub subjects: Option<Input>,
    /// Column of --subjects with the levels that --two-sample or --paired compares [default: group]
    #[arg(long, value_name = "COLUMN", requires = "subjects", conflicts_with = "one_sample")]
    pub group: Option<String>,
    /// Column of --subjects that says which two maps are a pair [default: subject]
    #[arg(long, value_name = "COLUMN", requires = "paired")]
    pub pair: Option<String>,
    /// Columns of --subjects with numbers that are held constant (centred, where a mean is tested)
    #[arg(long, value_name = "COLUMN,..", value_delimiter = ',', requires = "subjects")]
    pub covariates: Vec<String>,
    /// Side of 0 that p is of: above, below, or both
    #[arg(long, value_enum, value_name = "greater|less|two-sided", requires = "group_test")]
    pub tail: Option<Tail>,
    /// Correct p over all voxels by so many relabellings of subjects; all of them where there are no more
    #[arg(long, value_name = "N", requires = "group_test", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub permutations: Option<u32>,
    /// What is compared with the largest of each relabelling [default: max-t]
    #[arg(long, value_enum, value_name = "max-t|cluster-mass|cluster-extent|tfce", requires = "permutations")]
    pub statistic: Option<Statistic>,
    /// Seed of the relabellings [default: 0]
    #[arg(long, value_name = "N", requires = "permutations")]
    pub seed: Option<u64>,
    /// Neighbours of clusters and of tfce share a face (6), also an edge (18), also a corner (26) [default: 6]
    #[arg(long, value_enum, value_name = "6|18|26", requires = "permutations")]
    pub connectivity: Option<Neighbours>,
    #[command(flatten)]
    pub surfaces: Surfaces,
    /// Clusters are what lies farther than this from 0 [default: the t of p .001]
    #[arg(long, value_name = "T", requires = "permutations", value_parser = above_0)]
    pub cluster_t: Option<f64>,
    /// Write a map of -log10 of the corrected p (above 1.301: p < .05)
    #[arg(long, value_name = "FILE", requires = "permutations")]
    pub p_map: Option<OutputPath>,
}

/// What the corrected p is of, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Statistic {
    /// t of a voxel
    MaxT,
    /// t above the threshold, summed over a cluster
    ClusterMass,
    /// Voxels of a cluster
    ClusterExtent,
    /// Threshold-free cluster enhancement
    Tfce,
}

impl Statistic {
    pub fn as_str(self) -> &'static str {
        match self {
            Statistic::MaxT => "max-t",
            Statistic::ClusterMass => "cluster-mass",
            Statistic::ClusterExtent => "cluster-extent",
            Statistic::Tfce => "tfce",
        }
    }

    pub fn is_of_clusters(self) -> bool {
        matches!(self, Statistic::ClusterMass | Statistic::ClusterExtent)
    }

    /// With the threshold of clusters.
    pub fn above(self, threshold: f64) -> Enhance {
        match self {
            Statistic::MaxT => Enhance::MaxT,
            Statistic::ClusterMass => Enhance::ClusterMass(threshold),
            Statistic::ClusterExtent => Enhance::ClusterExtent(threshold),
            Statistic::Tfce => Enhance::Tfce,
        }
    }
}

fn above_0(text: &str) -> Result<f64, String> {
    match localizer::parse_threshold(text)? {
        t if t > 0.0 && t.is_finite() => Ok(t),
        t => Err(format!("{t} is no distance from 0; give a t above 0 (--tail says on which side)")),
    }
}
