//! What a reader of the tests of whole RDMs should know, said on stderr.

use super::args::{Boot, CompareArgs, Test};
use super::fitted::Folds;
use super::system::{Content, Systems};
use cli::Job;
use rdm::{Comparison, Rdm};

/// Fewer draws than these leave the ends of a 95 % interval to a handful of them.
const FEW_DRAWS: u32 = 200;

/// One line for each thing that the numbers do not show; `used` are the subjects that tests are over, `n` people.
pub(super) fn say(job: &Job, args: &CompareArgs, systems: &Systems, used: &[usize], n: usize, folds: Option<&Folds>) {
    let options = &args.inference;
    let (Some(test), Content::Whole(whole)) = (options.test_of_means(), &systems.content) else { return };
    let models: Vec<usize> = (systems.n_brains..systems.names.len()).collect();
    // Of fitted models only the first component stands in the list.
    let models_alone = if folds.is_none() { &models[..] } else { &[] };
    for (side, counted) in [(used, "subjects"), (models_alone, "models")] {
        if let Some((a, b)) = equal_pair(&whole.rdms, side) {
            job.warn(format!(
                "{} and {} are the same RDM; n and q count them as {} {counted}",
                systems.sources[a],
                systems.sources[b],
                side.len()
            ));
        }
    }
    if options.boot.is_some() && options.draws.is_none() && options.n_boot < FEW_DRAWS {
        job.warn(format!(
            "--n-boot {}: se, intervals and p of so few draws move with the seed; take 1000",
            options.n_boot
        ));
    }
    if test == Test::Wilcoxon && n < 5 {
        job.warn(format!(
            "--test wilcoxon: {n} subjects have {} orders of signs, so no p is below {}",
            1 << n,
            0.5f64.powi(n as i32)
        ));
    }
    if test == Test::Bootstrap && options.boot == Some(Boot::Subjects) && n < 20 {
        job.warn(format!(
            "--test bootstrap: percentile intervals over {n} subjects are too narrow (8 subjects reject 9 % at .05); \
             --test t keeps 5 %"
        ));
    }
    let below = |system: &usize| whole.rdms[*system].values().iter().any(|v| *v < 0.0);
    if matches!(whole.how, Comparison::Cosine | Comparison::CosineCov) && !used.iter().chain(&models).any(below) {
        job.warn(format!(
            "--compare {}: no distance is below 0, so any model scores above 0 and p against 0 says nothing; --perm \
             and --pairwise do",
            whole.how
        ));
    }
    if let Some([subjects, stimuli]) = folds.map(|f| [f.of_data.subjects.len(), f.of_data.stimuli.len()]) {
        if subjects == 1 {
            job.warn(
                "--cv-k 1,..: models are fitted to the subjects they are scored on (to other stimuli); the tests do \
                 not speak to new subjects",
            );
        }
        if stimuli == 1 {
            job.warn(
                "--cv-k ..,1: models are fitted to the stimuli they are scored on (in other subjects); the tests do \
                 not speak to new stimuli",
            );
        }
    }
}

/// The first two of `some` that are equal in every pair of stimuli.
fn equal_pair(rdms: &[Rdm], some: &[usize]) -> Option<(usize, usize)> {
    let bits = |k: usize| rdms[k].values().iter().map(|v| v.to_bits());
    let mut pairs = some.iter().enumerate().flat_map(|(place, &a)| some[place + 1..].iter().map(move |&b| (a, b)));
    pairs.find(|&(a, b)| bits(a).eq(bits(b)))
}
