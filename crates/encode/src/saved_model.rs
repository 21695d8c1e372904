//! A fitted model as a file: an uncompressed `.npz`, which `numpy.load` opens, whose arrays are read as any other
//! `.npy` is.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;

use anyhow::{Result, bail};
use ndarray::{Array2, ArrayView2};
use npy_stream::Labels;

use crate::archive::{ArchiveWriter, Members};

/// What is written. Version 1 had neither bands, delays, residual variance, training means nor the name of the program.
const VERSION: f64 = 2.0;
/// What [`SavedModel::read`] understands.
const READ: [f64; 2] = [1.0, VERSION];
/// Where models come from, for messages.
const WRITTEN_BY: &str = "models are written by `encode fit --save`";

/// What is kept of a fit.
pub(crate) struct ModelToSave<'a> {
    /// Features x voxels, for features in their own units.
    pub coef: ArrayView2<'a, f64>,
    /// One per voxel.
    pub intercept: &'a [f64],
    /// Means of the features over the training rows.
    pub x_mean: &'a [f64],
    /// Their standard deviations, or 1; 0 where a feature was constant.
    pub x_scale: &'a [f64],
    /// One penalty per voxel.
    pub alpha: &'a [f64],
    /// Ids of the training rows.
    pub stimuli: Option<&'a [String]>,
    /// Names of the voxels.
    pub voxel_names: Option<&'a [String]>,
    /// Names of the features.
    pub feature_names: Option<&'a [String]>,
    /// What the features are together: their layer.
    pub x_name: Option<&'a str>,
    /// Mean squares of what predictions of held-out rows missed, one per voxel.
    pub residual_variance: Option<&'a [f64]>,
    /// Means of the responses over the training rows.
    pub train_mean: Option<&'a [f64]>,
    /// Features in bands.
    pub bands: Option<BandsToSave<'a>>,
    /// By how many rows the features are late: all of a band by the first, then all of it by the next.
    pub delays: Option<&'a [usize]>,
    /// How it was fitted: `ridge`, `banded ridge`.
    pub method: Option<&'a str>,
}

/// The bands of a model that is kept.
pub(crate) struct BandsToSave<'a> {
    /// Their names.
    pub names: &'a [String],
    /// Columns of each, delayed ones counted; they sum to the features.
    pub widths: &'a [usize],
    /// Bands x voxels: weights of the bands. himalaya's `deltas`, the logarithm of weight over penalty, stand beside.
    pub gammas: ArrayView2<'a, f64>,
}

impl ModelToSave<'_> {
    /// Writes the archive: the same bytes for the same model.
    pub fn write<W: Write>(&self, out: W) -> Result<()> {
        let mut archive = ArchiveWriter::new(out);
        archive.vector("version", &[VERSION])?;
        archive.vector("intercept", self.intercept)?;
        archive.vector("x_mean", self.x_mean)?;
        archive.vector("x_scale", self.x_scale)?;
        archive.vector("alpha", self.alpha)?;
        archive.matrix("coef", self.coef)?;
        let x_name = self.x_name.map(|name| [name.to_owned()]);
        for (name, labels) in [
            ("stimuli", self.stimuli),
            ("voxel_names", self.voxel_names),
            ("feature_names", self.feature_names),
            ("x_name", x_name.as_ref().map(|name| name.as_slice())),
        ] {
            if let Some(labels) = labels {
                archive.labels(name, labels)?;
            }
        }
        if let Some(variance) = self.residual_variance {
            archive.vector("residual_variance", variance)?;
        }
        if let Some(means) = self.train_mean {
            archive.vector("train_mean", means)?;
        }
        if let Some(delays) = self.delays {
            archive.vector("delays", &delays.iter().map(|delay| *delay as f64).collect::<Vec<f64>>())?;
        }
        if let Some(bands) = &self.bands {
            let of_feature =
                bands.widths.iter().enumerate().flat_map(|(k, width)| std::iter::repeat_n(k as f64, *width));
            archive.vector("band_of_feature", &of_feature.collect::<Vec<f64>>())?;
            archive.labels("band_names", bands.names)?;
            let alpha = ArrayView2::from_shape((1, self.alpha.len()), self.alpha)?;
            archive.matrix("gammas", bands.gammas)?;
            archive.matrix("deltas", (&bands.gammas / &alpha).mapv(f64::ln).view())?;
        }
        if let Some(method) = self.method {
            archive.labels("method", &[method.to_owned()])?;
        }
        archive.labels("program", &[concat!("encode ", env!("CARGO_PKG_VERSION")).to_owned()])?;
        archive.finish()
    }
}

/// A model that was read: predictions are `X coef + intercept`.
pub(crate) struct SavedModel {
    /// Features x voxels.
    pub coef: Array2<f64>,
    /// One per voxel.
    pub intercept: Vec<f64>,
    /// Ids of the training rows; empty when they are not known.
    pub stimuli: HashSet<String>,
    /// Names of the voxels, if they have some.
    pub voxel_names: Option<Vec<String>>,
    /// Names of the features, if they have some.
    pub feature_names: Option<Vec<String>>,
    /// What the features are together.
    pub x_name: Option<String>,
    /// Standard deviations of the features over the training rows, or 1; 0 where a feature was constant.
    pub x_scale: Vec<f64>,
    x_mean: Vec<f64>,
    /// Mean squares of what predictions of held-out rows missed.
    pub residual_variance: Option<Vec<f64>>,
    /// Names and numbers of columns, delayed ones counted; none where features have no bands.
    pub bands: Vec<(String, usize)>,
    /// By how many rows features are late; none where they are not.
    pub delays: Vec<usize>,
}

impl SavedModel {
    /// Reads and checks a model; messages name the member, not the file.
    pub fn read(file: File) -> Result<SavedModel> {
        let mut members = Members::open(file, WRITTEN_BY)?;
        let version = members.vector("version")?;
        if !READ.iter().any(|known| version == [*known]) {
            bail!("a model of version {version:?}, but this program reads versions {READ:?}");
        }
        let coef = members.matrix("coef")?;
        let intercept = members.vector("intercept")?;
        if intercept.len() != coef.ncols() {
            bail!("{} intercepts for the {} voxels of coef", intercept.len(), coef.ncols());
        }
        let stimuli = match members.has("stimuli") {
            true => members.labels("stimuli")?.into_iter().collect(),
            false => HashSet::new(),
        };
        let mut names = |name: &str, of: &str, n: usize| -> Result<Option<Vec<String>>> {
            let names = members.has(name).then(|| members.labels(name)).transpose()?;
            match &names {
                Some(names) if names.len() != n => bail!("{} {name} for the {n} {of} of coef", names.len()),
                _ => Ok(names),
            }
        };
        let voxel_names = names("voxel_names", "voxels", coef.ncols())?;
        let feature_names = names("feature_names", "features", coef.nrows())?;
        let x_name = names("x_name", "matrix", 1)?.and_then(|mut names| names.pop());
        let band_names = match members.has("band_names") {
            true => members.labels("band_names")?,
            false => Vec::new(),
        };
        let (p, v) = coef.dim();
        let mut numbers = |name: &str, n: Option<usize>| -> Result<Option<Vec<f64>>> {
            let values = members.has(name).then(|| members.vector(name)).transpose()?;
            match (&values, n) {
                (Some(values), Some(n)) if values.len() != n => {
                    bail!("{} values of {name}, but coef is {p} features x {v} voxels", values.len())
                }
                _ => Ok(values),
            }
        };
        // Models that others wrote may lack these; then features are taken as they are.
        let x_scale = numbers("x_scale", Some(p))?.unwrap_or_else(|| vec![1.0; p]);
        let x_mean = numbers("x_mean", Some(p))?.unwrap_or_else(|| vec![0.0; p]);
        let residual_variance = numbers("residual_variance", Some(v))?;
        let delays = numbers("delays", None)?.unwrap_or_default();
        if let Some(wrong) = delays.iter().find(|delay| **delay < 0.0 || delay.fract() != 0.0) {
            bail!("delays hold {wrong}, which is no number of rows");
        }
        let bands = match numbers("band_of_feature", Some(p))? {
            None => Vec::new(),
            Some(of_feature) => bands(&band_names, &of_feature)?,
        };
        let delays: Vec<usize> = delays.into_iter().map(|delay| delay as usize).collect();
        let widths = match bands.is_empty() {
            true => vec![p],
            false => bands.iter().map(|(_, width)| *width).collect(),
        };
        if let Some(width) = widths.iter().find(|width| !delays.is_empty() && **width % delays.len() != 0) {
            bail!("{width} features, which are no multiple of the {} delays", delays.len());
        }
        Ok(SavedModel {
            coef,
            intercept,
            stimuli,
            voxel_names,
            feature_names,
            x_name,
            x_scale,
            x_mean,
            residual_variance,
            bands,
            delays,
        })
    }

    /// Features of one input: those of the model over its delays.
    pub fn undelayed(&self, width: usize) -> usize {
        width / self.delays.len().max(1)
    }

    /// What is predicted where every feature has its training mean, one per voxel.
    pub fn predicted_mean(&self) -> Vec<f64> {
        let voxels = self.coef.columns().into_iter().zip(&self.intercept);
        voxels.map(|(w, b)| b + w.iter().zip(&self.x_mean).map(|(w, m)| w * m).sum::<f64>()).collect()
    }

    /// The same of some features (a band), without the intercept.
    pub fn mean_of(&self, features: std::ops::Range<usize>, voxel: usize) -> f64 {
        features.map(|feature| self.coef[(feature, voxel)] * self.x_mean[feature]).sum()
    }

    /// An error where these features are called otherwise than those of the fit; what to say where they are another
    /// layer's.
    pub fn check_features(&self, labels: &Labels) -> Result<Option<String>> {
        if let (Some(then), Some(now)) = (&self.feature_names, &labels.columns)
            && let Some(i) = (0..then.len()).find(|&i| now[i] != then[i])
        {
            bail!(
                "feature {i} is {:?}, but the model was fitted with {:?} there; give the same features",
                now[i],
                then[i]
            );
        }
        Ok(match (&self.x_name, &labels.name) {
            (Some(then), Some(now)) if then != now => {
                Some(format!("these are features of {now:?}, and the model was fitted to {then:?}"))
            }
            _ => None,
        })
    }
}

/// Names and widths of bands, from the number of every feature's band.
fn bands(names: &[String], of_feature: &[f64]) -> Result<Vec<(String, usize)>> {
    let mut bands: Vec<(String, usize)> = names.iter().map(|name| (name.clone(), 0)).collect();
    let mut last = 0.0;
    for &band in of_feature {
        if band < last || band.fract() != 0.0 || band >= names.len() as f64 {
            bail!(
                "band_of_feature holds {band} behind {last}; it counts up from 0 over the {} band_names",
                names.len()
            );
        }
        bands[band as usize].1 += 1;
        last = band;
    }
    match bands.iter().find(|(_, width)| *width == 0) {
        Some((name, _)) => bail!("band {name:?} has no features"),
        None => Ok(bands),
    }
}
