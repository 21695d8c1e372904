//! Which steps a run takes: those named, those of the file beside the model, or torchvision's.

use crate::preprocessing::args::{PreprocessName, PreprocessingArgs};
use crate::preprocessing::beside::{Beside, Nearby, beside};
use crate::preprocessing::config::parse;
use crate::preprocessing::preset::Preset;
use crate::preprocessing::{Preprocessing, Scale};
use anyhow::{Context, Result};
use cli::{Input, Job};
use serde_json::{Value, json};
use std::fs;
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
/// What was not named on the command line is said on stderr, even under `--quiet`: it changes every number. A
/// configuration file becomes an input of the job.
pub fn choose(job: &Job, model: &Path, args: &PreprocessingArgs) -> Result<Steps> {
    let found = match args.preprocess {
        None => beside(model),
        Some(_) => Beside::default(),
    };
    let (base, config) = match (&args.preprocess, found.configs.first()) {
        (Some(PreprocessName::Preset(preset)), _) => (preset.steps(), None),
        (Some(PreprocessName::File(path)), _) => read(job, path)?,
        (None, Some(own)) => read(job, &own.path)?,
        (None, None) => {
            job.warn(
                "no --preprocess given; taking imagenet, as no configuration lies beside the model \
                 (say --preprocess imagenet to silence this)",
            );
            (Preset::Imagenet.steps(), None)
        }
    };
    let name = || config.as_ref().map(|(path, _)| path.display().to_string());
    let preprocessing = base.with(args.overrides());
    let preprocessing = match name() {
        Some(name) => preprocessing.context(name)?,
        None => preprocessing?,
    };
    if let Some((path, kind)) = &config {
        let (path, summary) = (path.display(), preprocessing.summary());
        match found.configs.first() {
            Some(own) => job.warn(format_args!(
                "no --preprocess given; taking {path} ({kind}), which lies {}: {summary}",
                own.place
            )),
            None => job.note(format_args!("{path} ({kind}): {summary}")),
        }
    }
    not_followed(job, &found, &base);
    Ok(Steps { preprocessing, config })
}

/// Says which files near the model are not followed although they look like preprocessing, and what could be done.
fn not_followed(job: &Job, found: &Beside, base: &Preprocessing) {
    let rivals = found.configs.iter().skip(1).map(|nearby| (nearby, true));
    for (Nearby { path, place }, is_rival) in rivals.chain(found.others.iter().map(|nearby| (nearby, false))) {
        let shown = path.display();
        let steps = match fs::read_to_string(path) {
            Ok(_) if path.extension().is_none_or(|extension| extension != "json") => Err("it is not JSON".to_string()),
            Ok(text) => parse(&text).map(|config| config.steps).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match steps {
            Ok(steps) if is_rival && steps.is_same(base) => {}
            Ok(steps) => job.warn(format_args!(
                "{shown}, {place}, is not followed: {}; --preprocess {shown} takes it",
                steps.summary()
            )),
            Err(error) => {
                job.warn(format_args!("{shown}, {place}, looks like preprocessing and is not followed: {error}"))
            }
        }
    }
}

fn read(job: &Job, path: &Path) -> Result<(Preprocessing, Option<(PathBuf, String)>)> {
    let name = || path.display().to_string();
    let mut text = String::new();
    job.open(&Input::File(path.to_path_buf()))?.reader().read_to_string(&mut text).with_context(name)?;
    let config = parse(&text).with_context(name)?;
    Ok((config.steps, Some((path.to_path_buf(), config.kind))))
}

impl Steps {
    /// What the sidecar says of them; `input` is what it says of the network's input.
    pub fn record(&self, input: [(&str, String); 3]) -> Value {
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
        for (key, value) in input {
            record[key] = value.into();
        }
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
