//! `rsa rdm`: one RDM per matrix.

use crate::RdmArgs;
use anyhow::{Context, Result, anyhow, bail};
use cli::{Input, Job, Output};
use labelled_inputs::{open_npy, require_unique};
use labelled_rdms::{check_nan, is_rdm};
use npy_stream::{Array, Dtype, Matrix, NpyError, RowWriter, Values, write_vector};
use rdm::{Distance, Distances, Rdm, UnusableRow, distances};
use std::io::Write;
use stimulus_table::Side;

/// Reads matrix by matrix, holds only their RDMs, and writes when all are made.
pub(crate) fn run(args: &RdmArgs) -> Result<()> {
    let job = Job::start("rsa", &args.common)?;
    let distance = args.metric.distance(args.per_channel).ok_or_else(|| {
        anyhow!("--per-channel divides squared distances by the number of units; it goes with --metric sqeuclidean")
    })?;
    let mut out = Output::binary(args.common.output.as_deref())?;
    job.record("metric", distance.as_str());
    let mut rdms = Vec::new();
    for input in &args.inputs {
        let mut reader = open_npy(&job, input)?;
        let before = rdms.len();
        while let Some(next) = reader.next_array().with_context(|| input.to_string())? {
            let array = next.into_array().with_context(|| input.to_string())?;
            rdms.push(one(&job, input, array, distance, args)?);
        }
        if rdms.len() == before {
            return Err(anyhow::Error::new(NpyError::Empty).context(input.to_string()));
        }
    }
    for (rdm, dtype) in rdms {
        write(&mut out, &rdm, dtype, args.square)?;
    }
    out.commit(&job)
}

fn one(job: &Job, input: &Input, array: Array, distance: Distance, args: &RdmArgs) -> Result<(Rdm, Dtype)> {
    let source = match array.index {
        0 => input.to_string(),
        n => format!("{input} (array {n})"),
    };
    let dtype = args.dtype.unwrap_or(match array.values {
        Values::F4(_) => Dtype::F4,
        Values::F8(_) => Dtype::F8,
    });
    if array.shape.len() == 2 && is_rdm(&array) {
        bail!(
            "{source}: {n} x {n}, symmetric with a zero diagonal, is an RDM already; `rsa compare` takes it as it is",
            n = array.shape[0]
        );
    }
    let (patterns, labels) = array.into_matrix().map_err(|e| anyhow!("{source}: {e}"))?;
    require_unique(Side { name: &source, labels: labels.as_deref(), n_rows: patterns.n_rows() })?;
    if labels.is_none() {
        job.note(format!("{source}: no stimulus ids, so none behind its RDM; write them with `npy label`"));
    }
    let Distances { rdm, unusable } = match &patterns {
        Matrix::F4(x) => distances(x.view(), distance),
        Matrix::F8(x) => distances(x.view(), distance),
    }
    .map_err(|e| anyhow!("{source}: {e}"))?;
    let rdm = rdm.with_labels(labels).map_err(|e| anyhow!("{source}: {e}"))?;
    check_nan(job, &source, &rdm, &summary(&unusable, &rdm), args.allow_nan)?;
    Ok((rdm, dtype))
}

/// `: 3 of 96 rows unusable (2 constant, 1 nan_input), the first is row 4 ("s4")`
fn summary(unusable: &[UnusableRow], rdm: &Rdm) -> String {
    let Some(first) = unusable.first() else { return String::new() };
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for row in unusable {
        let reason = row.reason.as_str();
        match counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counts.push((reason, 1)),
        }
    }
    let counts: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let id = rdm.labels().map(|labels| format!(" ({:?})", labels[first.row])).unwrap_or_default();
    format!(
        ": {} of {} rows unusable ({}), the first is row {}{id}",
        unusable.len(),
        rdm.n_stimuli(),
        counts.join(", "),
        first.row
    )
}

fn write(out: &mut Output, rdm: &Rdm, dtype: Dtype, square: bool) -> Result<()> {
    if square {
        let n = rdm.n_stimuli();
        let mut rows = RowWriter::new(out as &mut dyn Write, n, n, dtype)?;
        rows.write_rows(rdm.to_square().view())?;
        rows.finish(rdm.labels())?;
    } else {
        write_vector(out as &mut dyn Write, rdm.values(), dtype, rdm.labels())?;
    }
    Ok(())
}
