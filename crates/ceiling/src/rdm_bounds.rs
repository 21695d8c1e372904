//! `ceiling rdm`: bounds for a model's score from the RDMs of several subjects.

use crate::RdmArgs;
use anyhow::{Result, bail};
use cli::{Job, TableWriter};
use rdm::{NoiseCeiling, Rdm, noise_ceiling};
use rdm_inputs::{NamedRdm, check_nan, into_one_order, read_rdms, say_broken_ties};
use statistics::Reason;

pub(crate) fn run(args: &RdmArgs) -> Result<()> {
    let job = Job::start("ceiling", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let mut subjects = read_rdms(&job, &args.inputs, &[])?;
    if subjects.len() < 2 {
        bail!("{}: 1 RDM; a ceiling is over subjects and needs at least 2", subjects[0].source);
    }
    into_one_order(&job, args.join, &mut subjects)?;
    for subject in &subjects {
        check_nan(&job, &subject.source, &subject.rdm, "; left out for all subjects", args.allow_nan)?;
    }
    let rdms: Vec<Rdm> = subjects.iter().map(|s| s.rdm.clone()).collect();
    if args.compare.ranks() {
        say_broken_ties(&job, subjects.iter().map(|s| (s.source.as_str(), &s.rdm)), "rank comparisons");
    }
    let bounds = noise_ceiling(&rdms, args.compare)?;
    say_left_out(&job, &bounds, &subjects);

    let columns = ["compare", "n_subjects", "n_stimuli", "n_pairs", "lower", "upper", "reason"];
    let mut table = TableWriter::new(out, args.format, &columns)?;
    table.row(&[
        args.compare.as_str().into(),
        (subjects.len() - bounds.constant.len()).into(),
        rdms[0].n_stimuli().into(),
        bounds.n_pairs.into(),
        bounds.lower.into(),
        bounds.upper.into(),
        bounds.lower.is_nan().then_some(Reason::Constant.as_str()).into(),
    ])?;
    table.into_inner().commit(&job)
}

/// Names the subjects that are constant, and are in no pool.
pub(crate) fn say_left_out(job: &Job, bounds: &NoiseCeiling, subjects: &[NamedRdm]) {
    for &index in &bounds.constant {
        job.warn(format!(
            "{}: is constant over the {} pairs that all {} subjects have, so it cannot be pooled; left out",
            subjects[index].source,
            bounds.n_pairs,
            subjects.len()
        ));
    }
}
