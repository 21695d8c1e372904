//! `--save-sigma-k`: how the noise of the mean patterns varies together over stimuli.

use super::rows::Rows;
use super::{Made, Subset};
use crate::held::Held;
use anyhow::{Context, Result, anyhow, bail};
use cli::{Job, Output};
use ndarray::{Array2, Axis};
use npy_stream::{Dtype, LabelsRef, RowWriter};
use rdm::{RdmError, StimulusCovariance};
use std::io::Write;

/// The covariance over the stimuli that have one, ready to be written.
pub(super) struct SigmaK {
    ids: Vec<String>,
    covariance: Array2<f64>,
}

impl SigmaK {
    /// Takes the stimuli that have distances, with `--subset` its own in their order, and refuses what `rsa compare`
    /// could not use.
    pub fn of(
        job: &Job,
        source: &str,
        all: &Array2<f64>,
        rows: &Rows,
        held: &Held,
        subset: Option<&Subset>,
    ) -> Result<SigmaK> {
        let names = rows.names.as_deref().with_context(|| format!("{source}: --save-sigma-k: no stimulus ids"))?;
        let wanted: Vec<usize> = match subset {
            Some(subset) => subset.ids.iter().filter_map(|id| names.iter().position(|name| name == id)).collect(),
            None => (0..names.len()).collect(),
        };
        let (usable, lost): (Vec<usize>, Vec<usize>) = wanted.iter().partition(|k| all[(**k, **k)].is_finite());
        if let Some(first) = lost.first() {
            job.warn(format!(
                "{source}: --save-sigma-k: {} of {} stimuli have no covariance, as they have no distances, and are left \
                 out, the first is {:?}; with `rsa compare --sigma-k` say --inner",
                lost.len(),
                wanted.len(),
                names[*first]
            ));
        }
        let covariance = all.select(Axis(0), &usable).select(Axis(1), &usable);
        let n_folds = rows.fold.as_deref().unwrap_or_default().iter().max().map_or(0, |f| f + 1);
        StimulusCovariance::new(covariance.view()).map_err(|error| match error {
            RdmError::CovarianceNotPositive { n } => anyhow!(
                "{source}: --save-sigma-k: {n_folds} folds of {} units do not give {n} stimuli a covariance that can be \
                 inverted; {n} stimuli need {n} units or more over (folds - 1), and pairs of stimuli that share more \
                 folds than not (leave stimuli out with --subset, or add folds)",
                held.n_columns()
            ),
            other => anyhow!("{source}: --save-sigma-k: {other}"),
        })?;
        job.record("sigma_k", serde_json::json!({ "n_stimuli": usable.len(), "n_folds": n_folds }));
        Ok(SigmaK { ids: usable.iter().map(|k| names[*k].clone()).collect(), covariance })
    }
}

/// Refuses a second matrix before it is worked on.
pub(super) fn check_one(source: &str, n_before: usize) -> Result<()> {
    if n_before > 0 {
        bail!(
            "{source}: is matrix {}, and --save-sigma-k holds the covariance of one; give them one by one",
            n_before + 1
        );
    }
    Ok(())
}

/// Writes that of the only matrix, in f8.
pub(super) fn write(out: &mut Output, made: &[Made]) -> Result<()> {
    let [Made { sigma_k: Some(SigmaK { ids, covariance }), name, .. }] = made else {
        bail!("--save-sigma-k: {} matrices of patterns; it holds the covariance of one", made.len());
    };
    let n = ids.len();
    let mut rows = RowWriter::new(out as &mut dyn Write, n, n, Dtype::F8)?;
    rows.write_rows(covariance.view())?;
    rows.finish(LabelsRef { ids: Some(ids), columns: None, name: name.as_deref() })?;
    Ok(())
}
