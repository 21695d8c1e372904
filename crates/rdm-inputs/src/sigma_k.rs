//! `--sigma-k`: the covariance of the patterns over stimuli, brought into the order of the RDMs.

use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{JoinArgs, NamedMatrix, read_matrix, require_unique};
use cli::{Input, Job};
use ndarray::{Array2, Axis};
use npy_stream::Matrix;
use rdm::StimulusCovariance;

use crate::NamedRdm;

/// Reads it and joins it by id; `rdms` stand in one order already, and keep the common stimuli under `--inner`.
pub fn read_sigma_k(job: &Job, input: &Input, join: JoinArgs, rdms: &mut [NamedRdm]) -> Result<StimulusCovariance> {
    let named = read_matrix(job, input)?;
    let square = square(&named)?;
    require_unique(named.side())?;
    let rows = join.join_all(job, &[rdms[0].side(), named.side()])?;
    if rows[0].len() < rdms[0].rdm.n_stimuli() {
        for each in rdms.iter_mut() {
            each.rdm = each.rdm.select(&rows[0]).with_context(|| each.source.clone())?;
        }
    }
    let sigma = square.select(Axis(0), &rows[1]).select(Axis(1), &rows[1]);
    StimulusCovariance::new(sigma.view()).map_err(|error| anyhow!("{}: {error}", named.source))
}

fn square(named: &NamedMatrix) -> Result<Array2<f64>> {
    let matrix = match &named.matrix {
        Matrix::F4(values) => values.mapv(f64::from),
        Matrix::F8(values) => values.clone(),
    };
    match matrix.dim() {
        (rows, columns) if rows == columns => Ok(matrix),
        (rows, columns) => bail!("{}: {rows} x {columns}; a covariance of stimuli is n x n", named.source),
    }
}
