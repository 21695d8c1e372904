//! Which of the chosen layers give a row per picture, and why the others do not.

use crate::graph::Graph;
use crate::layers::Choice;
use crate::layers::probe::{self, Diagnosis};
use crate::network::args::BatchSize;
use crate::network::company::{Kind, Probe, Verdict};
use crate::network::{Network, Opener, Proof};
use crate::pictures::Size;
use anyhow::{Result, bail, ensure};
use cli::Job;

/// The layers that give a row per picture, by their position in `choices`, shown on `probe` (whose picture has this
/// name).
///
/// One that was named and gives none is an error; one met by a pattern is left out, which is said.
pub fn usable(
    job: &Job,
    (graph, opener): (&Graph, Opener<'_>),
    network: &mut Network,
    choices: &[Choice],
    ((probe, picture), size): (&(Probe, String), Size),
    batch: BatchSize,
) -> Result<Vec<usize>> {
    // One picture at a time meets no other.
    let alone = batch == BatchSize::Pictures(1) && network.input.batch.fixed().is_none();
    let precision = probe::precision(graph, opener.execution.tf32)?;
    let Proof { verdicts, one_at_a_time } = network.prove(probe, size, batch.at_first(), precision)?;
    if let Some(why) = one_at_a_time {
        job.note(format_args!("the network can only run one picture at a time, whatever its input says ({why})"));
    }
    let diagnosis = |layer: &str| probe::diagnose(graph, layer, opener, (probe, size, batch.at_first()), precision);
    let mut unusable = Vec::new();
    for (choice, verdict) in choices.iter().zip(verdicts) {
        unusable.push(match verdict {
            Verdict::Fine => None,
            Verdict::NoRows { reason, .. } if choice.named => {
                Some(format!("{reason}{}", probe::nearest_text(&diagnosis(&choice.tensor))))
            }
            Verdict::NoRows { reason, .. } => Some(reason),
            Verdict::Coupled(Kind::Company | Kind::Size, _) if alone => {
                job.note(format_args!(
                    "layer \"{}\" depends on the pictures that are run together; each is run alone",
                    choice.name
                ));
                None
            }
            Verdict::Coupled(kind, found) => {
                let diagnosis = match choice.named {
                    true => diagnosis(&choice.tensor),
                    false => Diagnosis { culprit: None, nearest: None },
                };
                Some(probe::refusal(&choice.name, picture, kind, found, &diagnosis))
            }
        });
    }
    without_unusable(job, choices, unusable)
}

fn without_unusable(job: &Job, choices: &[Choice], unusable: Vec<Option<String>>) -> Result<Vec<usize>> {
    let mut kept = Vec::new();
    let mut left_out: Vec<String> = Vec::new();
    for (i, (choice, reason)) in choices.iter().zip(unusable).enumerate() {
        match reason {
            None => kept.push(i),
            Some(reason) if choice.named => bail!("{reason}"),
            Some(reason) => left_out.push(reason),
        }
    }
    if let Some(first) = left_out.first() {
        ensure!(!kept.is_empty(), "none of {} tensors gives a row per picture: {first}", choices.len());
        job.note(format_args!("{} of {} tensors left out: {first}", left_out.len(), choices.len()));
    }
    Ok(kept)
}
