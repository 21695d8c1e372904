//! `rsa order`: the stimuli of an RDM as a dendrogram orders them.

use crate::OrderArgs;
use crate::args::ClusterDistance;
use crate::dissimilarities::{id, read, usable};
use anyhow::{Result, anyhow};
use cli::{Cell, Job, TableWriter};
use rdm::{Linkage, leaf_order, linkage};
use rdm_inputs::{say_broken_ties, say_constant};
use statistics::Reason;

pub(crate) fn run(args: &OrderArgs) -> Result<()> {
    let job = Job::start("rsa", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let how = match args.linkage {
        ClusterDistance::Average => Linkage::Average,
        ClusterDistance::Complete => Linkage::Complete,
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
        let merges = linkage(&usable.rdm, how)
            .map_err(|e| anyhow!("{}: {e}; leave stimuli out before the RDM is made (`npy rows`)", named.source))?;
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
                table.row(&[
                    (&named.name).into(),
                    k.into(),
                    number(merge.left).into(),
                    number(merge.right).into(),
                    merge.height.into(),
                    merge.n_stimuli.into(),
                ])?;
            }
        }
        return table.into_inner().commit(&job);
    }
    let mut table = TableWriter::new(out, args.format, &["array", "position", "stimulus", "row", "reason"])?;
    for (named, (usable, merges, constant)) in rdms.iter().zip(&trees) {
        let reason = || if *constant { Reason::Constant.as_str().into() } else { Cell::Empty };
        for (position, leaf) in leaf_order(merges).into_iter().enumerate() {
            let row = usable.kept[leaf];
            table.row(&[(&named.name).into(), position.into(), id(&named.rdm, row).into(), row.into(), reason()])?;
        }
        for &row in &usable.without {
            let reason = Reason::NoUsablePair.as_str().into();
            table.row(&[(&named.name).into(), Cell::Empty, id(&named.rdm, row).into(), row.into(), reason])?;
        }
    }
    table.into_inner().commit(&job)
}
