//! The pictures through the network, batch by batch, while the next ones are being prepared.

use crate::args::Args;
use crate::feed::damaged::with_nan_rows;
use crate::feed::met::Met;
use crate::feed::prepare_ahead;
use crate::pictures::stimuli::digest_text;
use crate::run::open::Opened;
use crate::run::plan::Plan;
use crate::run::write::Rows;
use anyhow::Result;
use cli::Job;
use npy_stream::Block;

/// Gives the rows of every layer to `rows`, and what was met in the pictures.
pub fn stream(job: &Job, args: &Args, plan: &Plan, opened: &mut Opened, rows: &mut Rows) -> Result<Met> {
    let Opened { network, kept, readouts, projections, batch, n_run, .. } = opened;
    let Rows { sinks, dump, journal, done, with_sidecar } = rows;
    let stimuli = plan.stimuli();
    let input = network.input.clone();
    let feed = plan.shown.feed(&input, args.preprocessing.bad_image, *with_sidecar);
    let mut met = Met::from_json(&done.seen, &done.digests, stimuli);
    let progress = job.progress(stimuli.len(), "images");
    progress.advance(done.rows);
    prepare_ahead(&feed, stimuli[done.rows..].chunks(*batch), |prepared, chunk| {
        let bad = met.add(&prepared.facts, chunk);
        if let Some(dump) = dump {
            dump.take(&prepared.batch, chunk.len(), &bad)?;
        }
        network.run(prepared.batch, (chunk.len(), *n_run), plan.shown.size, kept, |slot, block| {
            let mut of_slot = readouts.iter().enumerate().filter(|(_, layer)| layer.slot == slot);
            of_slot.try_for_each(|(array, layer)| {
                let mut finish = |block: Block<'_>| with_nan_rows(block, &bad, |block| sinks.take(array, block));
                layer.apply(block, |block| match projections.get(array) {
                    Some(projection) => projection.apply(block, finish),
                    None => finish(block),
                })
            })
        })?;
        if let Some(journal) = journal {
            let digests = prepared.facts.iter().map(|facts| digest_text(&facts.digest)).collect();
            journal.push(met.n, &sinks.checkpoint()?, met.to_json(), digests)?;
        }
        progress.advance(chunk.len());
        Ok(())
    })?;
    Ok(met)
}
