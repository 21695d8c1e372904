//! `ceiling rdm`: bounds for a model's score from the RDMs of several subjects.

use crate::RdmArgs;
use anyhow::{Result, anyhow, bail};
use cli::{Job, Output, TableWriter};
use labelled_rdms::{NamedRdm, check_nan, into_one_order, read_rdms};
use rdm::{Rdm, RdmError, noise_ceiling};

pub(crate) fn run(args: &RdmArgs) -> Result<()> {
    let job = Job::start("ceiling", &args.common)?;
    let out = Output::text(args.common.output.as_deref())?;
    let mut subjects = read_rdms(&job, &args.inputs, &[])?;
    if subjects.len() < 2 {
        bail!("{}: 1 RDM; a ceiling is over subjects and needs at least 2", subjects[0].source);
    }
    into_one_order(&job, args.join, &mut subjects)?;
    for subject in &subjects {
        check_nan(&job, &subject.source, &subject.rdm, "; left out for all subjects", args.allow_nan)?;
    }
    let rdms: Vec<Rdm> = subjects.iter().map(|s| s.rdm.clone()).collect();
    let bounds = noise_ceiling(&rdms, args.compare).map_err(|error| name_subject(error, &subjects))?;

    let columns = ["compare", "n_subjects", "n_stimuli", "n_pairs", "lower", "upper"];
    let mut table = TableWriter::new(out, args.format, &columns)?;
    table.row(&[
        args.compare.as_str().into(),
        subjects.len().into(),
        rdms[0].n_stimuli().into(),
        bounds.n_pairs.into(),
        bounds.lower.into(),
        bounds.upper.into(),
    ])?;
    table.into_inner().commit(&job)
}

/// The maths counts subjects; people know them by file.
pub(crate) fn name_subject(error: RdmError, subjects: &[NamedRdm]) -> anyhow::Error {
    match error {
        RdmError::Constant { index, n_pairs } => anyhow!(
            "{}: is constant over the {n_pairs} pairs that all {} subjects have, so it cannot be pooled; leave it out",
            subjects[index].source,
            subjects.len()
        ),
        other => anyhow!("{other}"),
    }
}
