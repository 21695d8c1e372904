//! `--noise`: residuals of the voxels, by which every sphere is whitened.

use super::args::SearchlightArgs;
use super::betas::read_residuals;
use anyhow::{Result, bail};
use brain_formats::Geometry;
use cli::Job;
use npy_stream::Matrix;
use rdm::{Compared, Distance, Element, Models, RdmError, Residuals, Shrinkage, searchlight_whitened};
use serde_json::json;
use statistics::Reason;

/// Residuals over the voxels of the mask.
pub(super) struct Noise {
    pub source: String,
    residuals: Matrix,
    dof: Option<f64>,
    shrinkage: Shrinkage,
    /// Why a voxel has no noise to divide by.
    pub unusable: Vec<Option<Reason>>,
}

/// Refuses metrics and degrees of freedom that mean nothing, before anything is read.
pub(super) fn check(args: &SearchlightArgs) -> Result<()> {
    if args.metric.needs_noise() && args.noise.is_none() {
        bail!("--metric {} needs --noise RESIDUALS (without noise it is euclidean)", args.metric.as_str());
    }
    if let Some(dof) = args.dof.filter(|dof| !(*dof > 0.0 && dof.is_finite())) {
        bail!("--dof {dof}; degrees of freedom are above 0");
    }
    Ok(())
}

impl Noise {
    pub fn read(job: &Job, args: &SearchlightArgs, grid: &Geometry, voxels: &[usize]) -> Result<Option<Noise>> {
        let Some(input) = &args.noise else { return Ok(None) };
        let source = input.to_string();
        let residuals = read_residuals(job, args, input, grid, voxels)?;
        let n_rows = residuals.n_rows();
        if n_rows < 2 {
            bail!("{source}: {n_rows} residuals; the noise of a sphere needs at least 2");
        }
        let shrinkage = args.shrink.map_or(Shrinkage::Diag, |shrink| shrink.estimator());
        let dof = args.dof.unwrap_or(n_rows as f64 - 1.0);
        job.note(format!(
            "{source}: noise of every sphere from {n_rows} residuals, {dof} degrees of freedom, --shrink {}",
            shrinkage.as_str()
        ));
        job.record("noise", json!({ "from": source, "dof": dof, "shrink": shrinkage.as_str() }));
        let unusable = match &residuals {
            Matrix::F4(rows) => columns(rows.columns()),
            Matrix::F8(rows) => columns(rows.columns()),
        };
        Ok(Some(Noise { source, residuals, dof: args.dof, shrinkage, unusable }))
    }

    /// One line on the voxels that spoil their spheres, or are left out of them.
    pub fn say_unusable(&self, job: &Job, left_out: bool) {
        let reasons: Vec<Reason> = self.unusable.iter().flatten().copied().collect();
        if reasons.is_empty() {
            return;
        }
        let what =
            if left_out { "are left out of every sphere" } else { "have no score, nor has any sphere they are in" };
        job.warn(format!(
            "{}: {} of {} voxels of the mask have no noise to divide by ({}) and {what}",
            self.source,
            reasons.len(),
            self.unusable.len(),
            Reason::counted(reasons)
        ));
    }

    /// Scores of regions, each whitened by its own residuals.
    pub fn searchlight(
        &self,
        patterns: &Matrix,
        regions: &[Vec<usize>],
        distance: Distance,
        models: &Models,
    ) -> Result<Vec<Vec<Compared>>, RdmError> {
        let (dof, shrinkage) = (self.dof, self.shrinkage);
        match (patterns, &self.residuals) {
            (Matrix::F4(x), Matrix::F4(e)) => searchlight_whitened(
                x.view(),
                Residuals { values: e.view(), dof, shrinkage },
                regions,
                distance,
                models,
            ),
            (Matrix::F4(x), Matrix::F8(e)) => searchlight_whitened(
                x.view(),
                Residuals { values: e.view(), dof, shrinkage },
                regions,
                distance,
                models,
            ),
            (Matrix::F8(x), Matrix::F4(e)) => searchlight_whitened(
                x.view(),
                Residuals { values: e.view(), dof, shrinkage },
                regions,
                distance,
                models,
            ),
            (Matrix::F8(x), Matrix::F8(e)) => searchlight_whitened(
                x.view(),
                Residuals { values: e.view(), dof, shrinkage },
                regions,
                distance,
                models,
            ),
        }
    }
}

fn columns<'a, T: Element + 'a>(columns: impl IntoIterator<Item = ndarray::ArrayView1<'a, T>>) -> Vec<Option<Reason>> {
    let reason = |column: ndarray::ArrayView1<T>| {
        if column.iter().any(|v| !v.to_f64().is_finite()) {
            Some(Reason::NanInput)
        } else if column.iter().all(|v| v.to_f64() == column[0].to_f64()) {
            Some(Reason::Constant)
        } else {
            None
        }
    };
    columns.into_iter().map(reason).collect()
}
