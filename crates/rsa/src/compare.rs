//! `rsa compare`: scores of models with brains, or of every system with every other.

mod all_pairs;
mod args;
mod cautions;
mod corrected;
mod draws;
mod evidence;
mod fitted;
mod groups;
mod inference;
mod matrices;
mod measure;
mod pairwise;
mod plan;
mod rdms;
mod scores;
mod system;
mod table;
mod weights;

use anyhow::Result;
use cli::{Cell, Job, Named, Output};
use corrected::Corrected;
use fitted::Folds;
use groups::Together;
use inference::{Inference, OfRow};
use measure::Measure;
use scores::{Scores, subjects_in_use};
use system::{Content, Systems};

pub(crate) use args::Boot;
pub use args::CompareArgs;

/// Plans, opens, reads, joins by id, compares, writes.
pub(crate) fn run(args: &CompareArgs) -> Result<()> {
    plan::check(args)?;
    let job = Job::start("rsa", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let pairwise = args.inference.pairwise.as_deref().map(|file| job.text_output(Some(file))).transpose()?;
    let weights = args.weights.as_deref().map(|file| job.text_output(Some(file))).transpose()?;
    let draws = args.inference.save_draws.as_deref().map(|file| job.binary_output(Some(file))).transpose()?;
    let matrix = args.systems.matrix.as_deref().map(|file| job.binary_output(Some(file))).transpose()?;
    let blocks = args.systems.blocks.as_ref().map(|input| all_pairs::Blocks::read(&job, input)).transpose()?;
    let systems = match args.compare {
        Measure::Matrices(_) | Measure::Alignment(_) => matrices::read(&job, args)?,
        _ => rdms::read(&job, args)?,
    };
    match args.systems.all_pairs {
        true => all_pairs::write(&job, args, &systems, blocks.as_ref(), out, matrix),
        false => write(&job, args, &systems, out, pairwise, weights, draws),
    }
}

/// One row per model and brain, and one with the mean over brains; the tests of every model against every other.
fn write(
    job: &Job,
    args: &CompareArgs,
    systems: &Systems,
    out: Output,
    pairwise: Option<Output>,
    weights: Option<Output>,
    draws: Option<Output>,
) -> Result<()> {
    plan::check_subjects(args, systems)?;
    let used = subjects_in_use(job, systems);
    let together = Together::read(job, args, systems, &used)?;
    let folds = Folds::new(job, args, systems, &used, &together)?;
    cautions::say(job, args, systems, &used, together.subjects.len(), folds.as_ref());
    if let (Some(out), Some(folds)) = (weights, &folds) {
        weights::write(job, args, out, systems, &used, folds, &together)?;
    }
    let scores = Scores::of(job, args, systems, used, folds.as_ref(), &together)?;
    let corrected = Corrected::of(job, args, systems, &scores)?;
    let of_draws = folds.as_ref().and_then(|f| f.of_draws.as_ref());
    let inference = Inference::of(job, args, systems, &scores, of_draws, &together, draws)?;

    let column = args.compare.column();
    let names = &systems.names[systems.n_brains..];
    // The last row of a model is its mean.
    let row = |model: usize, brain: Option<usize>| -> Vec<Named> {
        let subject = brain.map_or("mean", |b| &systems.names[b]);
        let (score, tested) = match brain {
            Some(brain) => {
                let place = scores.used.iter().position(|used| *used == brain);
                (scores.all[(model, brain)], OfRow::Subject(place))
            }
            None => (scores.mean(model, inference.reason(model)), OfRow::Mean),
        };
        let mut cells: Vec<Named> = vec![("model", (&names[model]).into()), ("subject", subject.into())];
        cells.extend(table::cells(systems, column, score));
        cells.extend(corrected.iter().map(|found| ("r_norm", found.value(model, brain).into())));
        if let Content::Whole(whole) = &systems.content {
            let [lower, upper] = scores.bounds(brain).map(Cell::from);
            cells.extend([("lower", lower), ("upper", upper)]);
            if args.ceiling_k.is_some() {
                let n = folds.as_ref().map_or(together.left_out.len(), |folds| folds.of_data.subjects.len());
                cells.push(("lower_folds", n.into()));
            }
            cells.extend(folds.iter().flat_map(|folds| folds.cells(args, whole.components[model].len())));
        }
        cells.extend(inference.cells(model, tested));
        let uncorrected = corrected.as_ref().and_then(|found| found.reason(model, brain));
        cells.push(table::reason(score.reason.or(uncorrected)));
        cells
    };
    let subjects = || (0..systems.n_brains).map(Some).chain([None]);
    let rows = (0..names.len()).flat_map(|model| subjects().map(move |brain| (model, brain)));
    if let Some(out) = pairwise {
        pairwise::write(job, args, out, &inference, &systems.compare, names, &scores.means)?;
    }
    table::write(job, args.format, out, rows.map(|(model, brain)| row(model, brain)))
}
