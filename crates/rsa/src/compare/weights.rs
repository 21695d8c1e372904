//! `--weights`: what was fitted, fold by fold, and how much it varies.

use super::args::{Boot, CompareArgs};
use super::fitted::Folds;
use super::groups::Together;
use super::system::{Content, Systems};
use anyhow::{Result, anyhow};
use cli::{Job, Named, Output, TableWriter};
use rdm::inference::Bootstrap;
use rdm::{draw_weights, fit_of_groups, fold_weights_in};
use statistics::{quantile, variance};

const COLUMNS: [&str; 16] = [
    "model",
    "model_kind",
    "compare",
    "component",
    "component_name",
    "fold",
    "n_subjects",
    "n_stimuli",
    "weight",
    "sd_folds",
    "se",
    "ci_lo",
    "ci_hi",
    "share_draws",
    "generalize_to",
    "n_boot",
];

/// The share of each tail that a 95 % interval leaves out.
const TAIL: f64 = 0.025;

/// Writes the table; `used` are the subjects that means are over.
pub(super) fn write(
    job: &Job,
    args: &CompareArgs,
    out: Output,
    systems: &Systems,
    used: &[usize],
    folds: &Folds,
    together: &Together,
) -> Result<()> {
    let Content::Whole(whole) = &systems.content else { return Ok(()) };
    let (kind, how, models) = (args.model, whole.how, &whole.components);
    let brains = whole.of(used);
    let said = |error: rdm::RdmError| anyhow!("--weights: {error}");
    let of_folds = fold_weights_in(models, &brains, kind, how, &folds.of_data, &together.subjects).map_err(said)?;
    let draws = match args.inference.boot {
        None => None,
        Some(boot) => {
            let n_boot = args.inference.n_boot as usize;
            let plan = Bootstrap { over: boot.over(), n_boot, seed: args.inference.seed, ceiling: false };
            let groups = [together.subjects.clone(), together.stimuli.clone()];
            let draws = draw_weights(models, &brains, kind, how, plan, &groups).map_err(said)?;
            Some(draws.into_iter().flatten().collect::<Vec<_>>())
        }
    };
    let mut table = TableWriter::new(out, args.format, &COLUMNS)?;
    for (m, components) in models.iter().enumerate() {
        let whole_fit = fit_of_groups(components, &brains, kind, how, &together.subjects).map_err(said)?;
        for c in 0..components.len() {
            let row = |fold: String, n_subjects: usize, n_stimuli: usize, weight: f64| -> Vec<Named> {
                vec![
                    ("model", (&systems.names[systems.n_brains + m]).into()),
                    ("model_kind", kind.as_str().into()),
                    ("compare", (&systems.compare).into()),
                    ("component", c.into()),
                    ("component_name", whole.component_names[m][c].as_ref().into()),
                    ("fold", fold.into()),
                    ("n_subjects", n_subjects.into()),
                    ("n_stimuli", n_stimuli.into()),
                    ("weight", weight.into()),
                ]
            };
            let in_folds: Vec<f64> = of_folds.iter().map(|fitted| fitted.weights[m][c]).collect();
            let in_draws: Option<Vec<f64>> =
                draws.as_ref().map(|draws| draws.iter().map(|of_models| of_models[m][c]).collect());
            let of_draws = |number: &dyn Fn(&[f64]) -> f64| in_draws.as_deref().map(number);
            let mut cells = row("all".into(), brains.len(), systems.n_stimuli, whole_fit[c]);
            cells.extend([
                ("sd_folds", variance(&in_folds).sqrt().into()),
                ("se", of_draws(&|values| variance(values).sqrt()).into()),
                ("ci_lo", of_draws(&|values| quantile(values, TAIL)).into()),
                ("ci_hi", of_draws(&|values| quantile(values, 1.0 - TAIL)).into()),
                ("share_draws", of_draws(&|values| share_above_0(values)).into()),
                ("generalize_to", args.inference.boot.map(Boot::over).map(|over| over.as_str()).into()),
                ("n_boot", in_draws.as_ref().map(Vec::len).into()),
            ]);
            table.record(&cells)?;
            for (number, fitted) in of_folds.iter().enumerate() {
                let left = |held_out: usize, n: usize| if held_out == n { n } else { n - held_out };
                let n_subjects = left(fitted.fold.subjects.len(), brains.len());
                let n_stimuli = left(fitted.fold.stimuli.len(), systems.n_stimuli);
                let mut cells = row(number.to_string(), n_subjects, n_stimuli, in_folds[number]);
                cells.extend(COLUMNS[9..].iter().map(|column| (*column, cli::Cell::Empty)));
                table.record(&cells)?;
            }
        }
    }
    table.into_inner().commit(job)
}

fn share_above_0(values: &[f64]) -> f64 {
    values.iter().filter(|v| **v > 0.0).count() as f64 / values.len() as f64
}
