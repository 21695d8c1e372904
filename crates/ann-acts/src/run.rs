//! A run, top to bottom: plan, make the outputs, open the network, stream the pictures through it, write.

mod open;
mod plan;
mod project;
mod stream;
mod write;

use crate::args::Args;
use crate::network::Opener;
use crate::network::device::Device;
use crate::run::open::{Opened, open};
use crate::run::plan::Plan;
use crate::run::write::{Outputs, Rows};
use anyhow::Result;
use cli::Job;
use serde_json::json;

/// Shows the pictures to the network and writes what its layers make of them.
pub fn run(job: &Job, args: &Args) -> Result<()> {
    let (plan, model) = Plan::new(job, args)?;
    let mut outputs = Outputs::make(job, args)?;

    let runtime = args.running.runtime()?;
    let execution = args.running.execution(job, &runtime)?;
    let folder = model.folder.clone();
    let opener = Opener { runtime: &runtime, execution: &execution, folder: &folder, inputs: &args.inputs };
    let mut opened = open(job, args, &plan, model, opener)?;
    opened.projections = project::projections(job, args, &plan, &mut opened)?;
    record(job, args, &plan, &opened, opener);

    let Some(mut rows) = Rows::open(job, args, &plan, &opened, &mut outputs)? else {
        return outputs.write_unit_table(job, &opened.readouts);
    };
    let met = stream::stream(job, args, &plan, &mut opened, &mut rows)?;
    runtime.report(job);

    let stimuli = plan.stimuli();
    met.report(job, stimuli.len(), &plan.shown.reading);
    rows.sinks.expect_nan_rows(met.bad.count());
    job.record("n_stimuli", stimuli.len());
    if rows.with_sidecar {
        job.record("pictures_sha256", met.digest.finish());
    }
    rows.finish(job, stimuli, || outputs.write_unit_table(job, &opened.readouts))
}

/// What the sidecars say of every output.
fn record(job: &Job, args: &Args, plan: &Plan, opened: &Opened, opener: Opener<'_>) {
    let (input, reading) = (&opened.network.input, &plan.shown.reading);
    job.record(
        "preprocessing",
        plan.steps.record([
            ("size", plan.shown.size.to_string()),
            ("layout", input.layout.name().into()),
            ("dtype", input.element.name().into()),
        ]),
    );
    job.record("batch", opened.batch);
    job.record("device", opener.execution.device.to_string());
    if opener.execution.device != Device::Cpu {
        job.record("tf32", opener.execution.tf32);
    }
    job.record("onnxruntime", opener.runtime.version.clone());
    job.record(
        "reading",
        json!({
            "exif": reading.exif, "grey16": reading.grey16.name(), "bad_image": args.preprocessing.bad_image.name(),
            "background": reading.background
        }),
    );
    job.record("units", args.units.record());
}
