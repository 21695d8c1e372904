//! Every voxel by itself.

use anyhow::Result;
use array_inputs::{Names, read_matrix};
use cli::{Job, Named, Output, TableWriter};
use statistics::Reason;
use unit_tables::columns::VOXEL_NAME;

use super::{Models, Pair, ScoreVerb, require_large_folds, scorable};
use crate::responses::Measured;
use crate::scores::TrainedOn;
use crate::voxel_table::Voxels;

const COLUMNS: [&str; 6] = ["voxel", "r", "r2", "R2", "n", "reason"];

pub(super) fn run(job: &Job, args: &ScoreVerb, out: Output) -> Result<()> {
    let (predicted, stimuli) = (read_matrix(job, &args.predicted)?, args.folds.stimuli(job)?);
    let measured = Measured::read(job, args.measured_from(stimuli.as_ref()), &mut Names::default())?;
    args.folds.refuse_stimuli(measured.is_image)?;
    let (measured, in_image) = measured.only(&args.measured)?;
    let names = measured.labels.columns.clone();
    let pair = Pair::of(job, args.join, predicted, measured)?;
    let folds = args.folds.folds(job, pair.rows(), stimuli.as_ref(), args.join)?;
    require_large_folds(folds.as_ref(), "rows")?;
    let (stimulus_of_row, n_stimuli) = pair.rows().stimuli();
    let one_fold = vec![0; pair.measured.nrows()];
    let n_voxels = pair.measured.ncols();
    let voxels = Voxels { n: n_voxels, names: names.as_deref(), in_image: in_image.as_ref() };
    let rows = scorable(folds.as_ref(), &one_fold, &stimulus_of_row, voxels);
    let scorer = args.scores.scorer(job, &rows, args.seed)?;
    job.record("folds", rows.n_folds);
    job.record("n_rows", pair.measured.nrows());
    job.record("n_stimuli", n_stimuli);
    if args.scores.permutations > 0 {
        job.record("seed", args.seed);
    }
    let models = Models::of(folds.as_ref(), pair.predicted.view(), pair.measured.view());
    let trained_on = TrainedOn { means: models.means.view(), sds: models.sds() };
    let scored = scorer.score(&rows, pair.predicted.view(), pair.measured.view(), trained_on);
    let lost: Vec<Reason> = scored.scores.iter().filter_map(|score| score.reason).collect();
    if !lost.is_empty() {
        job.note(format!("{} of {n_voxels} voxels lack a number: {}", lost.len(), Reason::counted(lost)));
    }
    let mut columns: Vec<&str> = COLUMNS.to_vec();
    columns.extend(scorer.columns());
    columns.extend(names.as_ref().map(|_| VOXEL_NAME));
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for (voxel, score) in scored.scores.iter().enumerate() {
        let mut cells: Vec<Named> = vec![
            ("voxel", voxels.number(voxel).into()),
            ("r", score.r.into()),
            ("r2", score.r2.into()),
            ("R2", score.coefficient_of_determination.into()),
            ("n", score.n.into()),
            ("reason", scorer.reason(&scored, voxel).into()),
        ];
        cells.extend(scorer.cells(&scored, voxel));
        cells.extend(names.as_ref().map(|names| (VOXEL_NAME, (&names[voxel]).into())));
        table.record(&cells)?;
    }
    table.into_inner().commit(job)
}
