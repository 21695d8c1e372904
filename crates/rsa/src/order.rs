//! `rsa order`: the stimuli of an RDM as a dendrogram orders them.

use crate::dissimilarities::{PairArgs, id, read, usable};
use anyhow::{Result, anyhow, bail};
use clap::ValueEnum;
use cli::{Common, Format, Input, Job, TableWriter};
use rdm::{Linkage, leaf_order, linkage, optimal_merges};
use rdm_inputs::{say_broken_ties, say_constant};
use statistics::Reason;

const HELP: &str = "\
One row per RDM and stimulus (or system), from left to right under the dendrogram, as SciPy's
leaves_list(linkage(..)) orders them:
  array, position (from 0), stimulus, row (its row in the RDM)
  reason   no_usable_pair: all pairs of the stimulus are NaN; it stands behind the others, with no
           position. Any other NaN is refused. constant: all distances are equal, or equal but for
           rounding, and the order means nothing
Means of clusters that are equal but for rounding are tied; ties go as in SciPy, where they are exact.
Centroids are compared to the last digit, and a merge may lie below the one before it.
With --tree one row per merge, from the lowest up, SciPy's linkage matrix:
  array, merge (from 0), left, right, height, n_stimuli
  left, right  a row of the RDM, or n + k for the cluster of merge k, n the stimuli of the RDM

Examples:
  rsa order ann.npy > order.csv
  rsa order --linkage ward --tree ann.npy > tree.csv
  rsa order --linkage complete --optimal-ordering ann.npy";

/// Arguments of `rsa order`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct OrderArgs {
    /// RDMs, each file possibly a stream of several (with --pairs: tables); - is stdin
    #[arg(value_name = "RDM", default_value = "-")]
    pub inputs: Vec<Input>,
    /// Distance between clusters
    #[arg(long, value_enum, default_value_t = ClusterDistance::Average)]
    pub linkage: ClusterDistance,
    /// Swap the sides of merges so that the sum over neighbours is the least the dendrogram allows (what SciPy's
    /// optimal_leaf_ordering means to find); time grows with the cube of the stimuli
    #[arg(long)]
    pub optimal_ordering: bool,
    /// Write the merges instead of the order
    #[arg(long)]
    pub tree: bool,
    /// What the inputs hold.
    #[command(flatten)]
    pub pairs: PairArgs,
    /// Names of the RDMs, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

/// The distance between two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClusterDistance {
    /// Mean over all pairs (UPGMA)
    Average,
    /// Largest of all pairs
    Complete,
    /// Smallest of all pairs
    Single,
    /// Mean of the distances of the two parts of a cluster (WPGMA)
    Weighted,
    /// Between means of points, for Euclidean distances; heights may fall
    Centroid,
    /// Ward (1963), for Euclidean distances
    Ward,
}

pub(crate) fn run(args: &OrderArgs) -> Result<()> {
    args.pairs.check()?;
    let job = Job::start("rsa", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let how = match args.linkage {
        ClusterDistance::Average => Linkage::Average,
        ClusterDistance::Complete => Linkage::Complete,
        ClusterDistance::Single => Linkage::Single,
        ClusterDistance::Weighted => Linkage::Weighted,
        ClusterDistance::Centroid => Linkage::Centroid,
        ClusterDistance::Ward => Linkage::Ward,
    };
    let rdms = read(&job, &args.inputs, &args.names, &args.pairs)?;
    let mut trees = Vec::new();
    for named in &rdms {
        let usable = usable(&job, named)?;
        let constant = usable.rdm.reason() == Some(Reason::Constant);
        if constant {
            say_constant(&job, &named.source, &usable.rdm, "its order is that of ties alone");
        }
        say_broken_ties(&job, [(named.source.as_str(), &usable.rdm)], "dendrograms");
        let values = usable.rdm.values();
        let n_below = values.iter().filter(|v| **v < 0.0).count();
        if n_below > 0 && matches!(how, Linkage::Centroid | Linkage::Ward) {
            bail!(
                "{}: {n_below} of {} dissimilarities are below 0, which no Euclidean distance is; --clip takes them for 0, \
                 or take --linkage average",
                named.source,
                values.len()
            );
        }
        let mut merges = linkage(&usable.rdm, how)
            .map_err(|e| anyhow!("{}: {e}; leave stimuli out before the RDM is made (`npy rows`)", named.source))?;
        if args.optimal_ordering {
            merges = optimal_merges(&usable.rdm, &merges);
        }
        trees.push((usable, merges, constant));
    }
    if args.tree {
        let columns = ["array", "merge", "left", "right", "height", "n_stimuli"];
        let mut table = TableWriter::new(out, args.format, &columns)?;
        for (named, (usable, merges, _)) in rdms.iter().zip(&trees) {
            let (n, n_kept) = (named.rdm.n_stimuli(), usable.kept.len());
            // A leaf by its row in the RDM as it was read, a cluster by a number that no row has.
            let number = |cluster: usize| match cluster.checked_sub(n_kept) {
                None => usable.kept[cluster],
                Some(merge) => n + merge,
            };
            for (k, merge) in merges.iter().enumerate() {
                table.record(&[
                    ("array", (&named.name).into()),
                    ("merge", k.into()),
                    ("left", number(merge.left).into()),
                    ("right", number(merge.right).into()),
                    ("height", merge.height.into()),
                    ("n_stimuli", merge.n_stimuli.into()),
                ])?;
            }
        }
        return table.into_inner().commit(&job);
    }
    let mut table = TableWriter::new(out, args.format, &["array", "position", "stimulus", "row", "reason"])?;
    for (named, (usable, merges, constant)) in rdms.iter().zip(&trees) {
        let mut record = |position: Option<usize>, row: usize, reason: Option<Reason>| {
            table.record(&[
                ("array", (&named.name).into()),
                ("position", position.into()),
                ("stimulus", id(&named.rdm, row).into()),
                ("row", row.into()),
                ("reason", reason.map(Reason::as_str).into()),
            ])
        };
        for (position, leaf) in leaf_order(merges).into_iter().enumerate() {
            record(Some(position), usable.kept[leaf], constant.then_some(Reason::Constant))?;
        }
        for &row in &usable.without {
            record(None, row, Some(Reason::NoUsablePair))?;
        }
    }
    table.into_inner().commit(&job)
}
