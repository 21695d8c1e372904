//! Which steps a run takes: those named, those of the file beside the model, or torchvision's.

use crate::args::{Args, PreprocessName};
use crate::inputs::PictureInput;
use crate::model_config::{beside, parse};
use crate::preprocess::{Preprocessing, Preset, Scale, Size};
use anyhow::{Context, Result};
use cli::{Input, Job};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The steps of a run, and the file that they come from.
pub struct Steps {
    /// The steps, with the command line's changes in them.
    pub preprocessing: Preprocessing,
    /// The configuration file and whose steps it holds.
    pub config: Option<(PathBuf, String)>,
}

/// The steps that the command line names, else the model's own, else torchvision's; with what it changes.
///
/// What was not named on the command line is said on stderr. A configuration file becomes an input of the job.
pub fn choose(args: &Args, job: &Job) -> Result<Steps> {
    let (base, config) = match &args.preprocess {
        Some(PreprocessName::Preset(preset)) => (preset.steps(), None),
        Some(PreprocessName::File(path)) => read(job, path)?,
        None => match beside(&args.model) {
            Some(path) => read(job, &path)?,
            None => {
                job.note("no --preprocess given; taking imagenet (say --preprocess imagenet to silence this)");
                (Preset::Imagenet.steps(), None)
            }
        },
    };
    let name = || config.as_ref().map(|(path, _)| path.display().to_string());
    let preprocessing = base.with(args.overrides());
    let preprocessing = match name() {
        Some(name) => preprocessing.context(name)?,
        None => preprocessing?,
    };
    if let Some((path, kind)) = &config {
        let how = if args.preprocess.is_some() { "" } else { "no --preprocess given; taking " };
        job.note(format_args!("{how}{} ({kind}): {}", path.display(), preprocessing.summary()));
    }
    Ok(Steps { preprocessing, config })
}

fn read(job: &Job, path: &Path) -> Result<(Preprocessing, Option<(PathBuf, String)>)> {
    let name = || path.display().to_string();
    let mut text = String::new();
    job.open(&Input::File(path.to_path_buf()))?.reader().read_to_string(&mut text).with_context(name)?;
    let config = parse(&text).with_context(name)?;
    Ok((config.steps, Some((path.to_path_buf(), config.kind))))
}

impl Steps {
    /// What the sidecar says of them.
    pub fn record(&self, input: &PictureInput, size: Size) -> Value {
        let steps = &self.preprocessing;
        let mut record = json!({
            "preset": steps.origin.name(),
            "resize": steps.resize.to_string(),
            "crop": steps.crop.map_or("none".to_string(), |crop| crop.to_string()),
            "crop_offset_rounds": steps.crop_rule.name(),
            "border": steps.border,
            "interpolation": steps.interpolation.name(),
        });
        match steps.scale {
            Scale::Divide(divisor) => {
                record["value"] = "(x / divisor - mean) / std, x from 0 to 255".into();
                record["divisor"] = as_written(divisor).into();
            }
            Scale::Multiply(factor) => {
                record["value"] = "(x * rescale_factor - mean) / std, x from 0 to 255".into();
                record["rescale_factor"] = factor.into();
            }
        }
        record["mean"] = json!(steps.mean.map(as_written));
        record["std"] = json!(steps.std.map(as_written));
        record["color"] = steps.color.name().into();
        record["size"] = size.to_string().into();
        record["layout"] = input.layout.name().into();
        record["dtype"] = input.element.name().into();
        if let Some((path, kind)) = &self.config {
            record["config"] = json!({ "file": path.display().to_string(), "type": kind });
        }
        record
    }
}

/// An f32 as the f64 of the same shortest decimal: 0.485 and not 0.48500001430511475.
fn as_written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
