//! The projection of each layer, its components found on the pictures of `--pca-fit`.

use crate::args::Args;
use crate::feed::{Shown, prepare_ahead};
use crate::pictures::BadImage;
use crate::pictures::stimuli::{PicturesDigest, digest_text};
use crate::run::open::Opened;
use crate::run::plan::Plan;
use crate::units::LayerReadout;
use crate::units::projection::{FitRows, Projection, Wide};
use crate::units::readout::Readout;
use anyhow::{Context, Result};
use cli::Job;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::Path;

/// The projection of each array that is written; none where none is asked for.
pub fn projections(job: &Job, args: &Args, plan: &Plan, opened: &mut Opened) -> Result<Vec<Projection>> {
    match args.projection.is_asked() {
        true => planned(job, args, plan, opened).with_context(|| args.model.display().to_string()),
        false => Ok(Vec::new()),
    }
}

fn planned(job: &Job, args: &Args, plan: &Plan, opened: &mut Opened) -> Result<Vec<Projection>> {
    let Opened { network, choices, kept, readouts, .. } = opened;
    let n_units = network.n_units(plan.shown.size)?;
    let layers: Vec<Wide<'_>> = readouts
        .iter()
        .map(|LayerReadout { slot, name, readout, .. }| {
            let i = kept[*slot];
            let n_units = readout.as_ref().map_or(n_units[i], Readout::n_units);
            Wide { name, named: choices[i].named, n_units }
        })
        .collect();
    let mut projections = Projection::plan(job, &args.projection, &layers, plan.shown.pictures.len())?;
    let mut record = json!({ "seed": args.projection.seed });
    if let Some(n_components) = args.projection.pca {
        let shown = fit_pictures(job, args, &plan.shown)?;
        let mut rows = FitRows::new(&args.projection, &projections, &layers, shown.pictures.len())?;
        let input = network.input.clone();
        let feed = shown.feed(&input, BadImage::Stop, true);
        let progress = job.progress(shown.pictures.len(), "images of --pca-fit");
        let mut digest = PicturesDigest::default();
        prepare_ahead(&feed, shown.pictures.chunks(opened.batch), |prepared, chunk| {
            for (facts, stimulus) in prepared.facts.iter().zip(chunk) {
                digest.add(&digest_text(&facts.digest), &stimulus.id);
            }
            let n = (chunk.len(), opened.n_run.max(chunk.len()));
            network.run(prepared.batch, n, shown.size, kept, |slot, block| {
                let mut of_slot = readouts.iter().enumerate().filter(|(_, layer)| layer.slot == slot);
                of_slot.try_for_each(|(array, layer)| {
                    layer.apply(block, |block| rows.take(array, &projections[array], block))
                })
            })?;
            progress.advance(chunk.len());
            Ok(())
        })?;
        drop(progress);
        record["pca_fit"] = fit_record(shown.pictures.len(), digest);
        rows.fit(n_components, &layers, &mut projections)?;
    }
    job.record("projection", record);
    Ok(projections)
}

/// The pictures of `--pca-fit`, shown as the measured ones are.
fn fit_pictures(job: &Job, args: &Args, measured: &Shown) -> Result<Shown> {
    let shown = measured.others(job, &args.projection.pca_fit, "--pca-fit")?;
    let pictures = &shown.pictures;
    let paths: HashSet<&Path> = measured.pictures.iter().map(|stimulus| stimulus.path.as_path()).collect();
    let n_both = pictures.iter().filter(|stimulus| paths.contains(stimulus.path.as_path())).count();
    if n_both > 0 {
        job.warn(format_args!(
            "{n_both} of {} pictures of --pca-fit are also measured: components and responses are not independent",
            pictures.len()
        ));
    }
    Ok(shown)
}

fn fit_record(n_stimuli: usize, digest: PicturesDigest) -> Value {
    json!({ "n_stimuli": n_stimuli, "pictures_sha256": digest.finish() })
}
