//! What a reader of the tests should know, said on stderr.

use crate::CompareArgs;
use crate::args::{Boot, Test};
use cli::Job;
use rdm::{Comparison, Folding};
use rdm_inputs::NamedRdm;

/// Fewer draws than these leave the ends of a 95 % interval to a handful of them.
const FEW_DRAWS: u32 = 200;

/// One line for each thing that the numbers do not show.
pub(crate) fn say(
    job: &Job,
    args: &CompareArgs,
    how: Comparison,
    brains: &[NamedRdm],
    models: &[NamedRdm],
    folding: Option<Folding>,
) {
    let options = &args.inference;
    let Some(test) = options.test_of_means() else { return };
    // Of fitted models only the first component stands in the list.
    let models_alone = if folding.is_none() { models } else { &[] };
    for (side, counted) in [(brains, "subjects"), (models_alone, "models")] {
        if let Some((a, b)) = equal_pair(side) {
            job.warn(format!(
                "{} and {} are the same RDM; n and q count them as {} {counted}",
                side[a].source,
                side[b].source,
                side.len()
            ));
        }
    }
    if options.boot.is_some() && options.n_boot < FEW_DRAWS {
        job.warn(format!(
            "--n-boot {}: se, intervals and p of so few draws move with the seed; take 1000",
            options.n_boot
        ));
    }
    let n = brains.len();
    if test == Test::Wilcoxon && n < 5 {
        job.warn(format!(
            "--test wilcoxon: {n} subjects have {} orders of signs, so no p is below {}",
            1 << n,
            0.5f64.powi(n as i32)
        ));
    }
    if test == Test::Bootstrap && options.boot == Some(Boot::Subjects) && n < 20 {
        job.warn(format!(
            "--test bootstrap: percentiles over {n} subjects are too sure (8 subjects reject 9 % at .05); --test t is not"
        ));
    }
    let below = |named: &NamedRdm| named.rdm.values().iter().any(|v| *v < 0.0);
    if matches!(how, Comparison::Cosine | Comparison::CosineCov) && !brains.iter().chain(models).any(below) {
        job.warn(format!(
            "--compare {how}: no distance is below 0, so any model scores above 0 and p against 0 tells nothing; --perm and \
             --pairwise do"
        ));
    }
    if let Some(Folding { subjects, stimuli, .. }) = folding {
        if subjects == 1 {
            job.warn("--cv-k 1,..: models are fitted to the subjects they are scored on (to other stimuli); the tests do not speak to new subjects");
        }
        if stimuli == 1 {
            job.warn("--cv-k ..,1: models are fitted to the stimuli they are scored on (in other subjects); the tests do not speak to new stimuli");
        }
    }
}

/// The first two that are equal in every pair of stimuli.
fn equal_pair(rdms: &[NamedRdm]) -> Option<(usize, usize)> {
    let bits = |k: usize| rdms[k].rdm.values().iter().map(|v| v.to_bits());
    let pairs = (0..rdms.len()).flat_map(|a| (a + 1..rdms.len()).map(move |b| (a, b)));
    pairs.into_iter().find(|&(a, b)| bits(a).eq(bits(b)))
}
