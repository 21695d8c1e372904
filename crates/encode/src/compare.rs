//! `encode compare`: two models of the same responses, voxel by voxel.

use anyhow::{Result, bail};
use array_inputs::{JoinArgs, NamedMatrix, Names, read_matrix};
use clap::ValueEnum;
use cli::{Common, Format, Input, Job, Named, TableWriter};
use encoding_models::{Score, ScoreOver, paired_test};
use ndarray::Axis;
use statistics::{Correction, Reason, median};
use unit_tables::columns::VOXEL_NAME;

use crate::folds::GivenFolds;
use crate::responses::{From, ImageArgs, Measured};
use crate::score::{Models, Pair, require_large_folds};
use crate::voxel_table::Voxels;

/// Two models of the same responses, voxel by voxel, with a paired test
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input:
  Predictions of both models (`encode fit --predictions`, `encode predict`, any other), with the columns of
  --y, joined by id. Tables of scores are no input: a paired test needs what both models predict for each
  stimulus.
Columns (one row per voxel):
  voxel           column of --y, from 0
  r_a, r_b, r_difference
                  Pearson correlations, as `encode score` has them, and a minus b
  R2_a, R2_b, R2_difference
                  1 - SS(response - prediction) / SS(response - mean), and a minus b
  p               two-sided, of the difference of R2: of --draws random signs of the stimuli's shares in it,
                  how many give a difference as large
  q               false discovery rate (Benjamini-Hochberg)
  n               rows
  reason          constant, nan_input
  voxel_name      only where the columns of --y have names
--summary, one row:
  n_voxels (with a difference), median_r_difference, median_R2_difference, n_a_better, n_b_better (q <= .05)
Test:
  The difference of R2 is a sum over stimuli, so that signs of stimuli can be drawn, whatever the
  distribution of the noise and with repeated trials. Tests of two correlations that share the responses
  (Williams, Steiger) take rows for independent and normal. With --folds models share training rows, and
  drawn sums are taken times the root of 2: p errs on the safe side. Voxels are not independent, and people
  are the unit of inference: take medians over voxels, then test over people.

Examples:
  encode compare early.npy late.npy --y ffa.npy > compared.csv
  encode compare early.npy late.npy --y ffa.npy --folds @folds.csv --draws 10000 --seed 1
  encode compare early.npy late.npy --y ffa.npy --summary")]
pub(crate) struct Compare {
    /// Predictions of the one model
    #[arg(value_name = "A")]
    a: Input,
    /// Predictions of the other
    #[arg(value_name = "B")]
    b: Input,
    /// Measured responses: labelled matrix, or NIfTI, volumes = stimuli or trials; - is stdin
    #[arg(long, value_name = "RESPONSES")]
    y: Input,
    #[command(flatten)]
    image: ImageArgs,
    /// Over what scores are taken
    #[arg(long, value_enum, value_name = "HOW", default_value = "pooled")]
    score_over: Over,
    /// Drawn signs
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    draws: u32,
    /// Seed of the signs
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// One row about all voxels instead
    #[arg(long)]
    summary: bool,
    #[command(flatten)]
    folds: GivenFolds,
    #[command(flatten)]
    join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Over {
    /// Mean of the folds' scores
    Folds,
    /// One score of all rows
    Pooled,
}

const COLUMNS: [&str; 11] =
    ["voxel", "r_a", "r_b", "r_difference", "R2_a", "R2_b", "R2_difference", "p", "q", "n", "reason"];
const SUMMARY: [&str; 5] = ["n_voxels", "median_r_difference", "median_R2_difference", "n_a_better", "n_b_better"];

/// Rate of false discoveries up to which `--summary` counts a voxel.
const RATE: f64 = 0.05;

pub(crate) fn run(args: &Compare) -> Result<()> {
    let job = Job::start("encode", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let (a, b, stimuli) = (read_matrix(&job, &args.a)?, read_matrix(&job, &args.b)?, args.folds.stimuli(&job)?);
    let from = From { input: &args.y, image: &args.image, stimuli: stimuli.as_ref(), join: args.join };
    let measured = Measured::read(&job, from, &mut Names::default())?;
    args.folds.refuse_stimuli(measured.is_image)?;
    let (measured, in_image) = measured.only(&args.y)?;
    let names = measured.labels.columns.clone();
    let (pair, other) = both(&job, args.join, a, b, measured)?;
    let folds = args.folds.folds(&job, pair.rows(), stimuli.as_ref(), args.join)?;
    require_large_folds(folds.as_ref(), "rows")?;
    let (stimulus_of_row, n_stimuli) = pair.rows().stimuli();
    job.record("seed", args.seed);
    job.record("draws", args.draws);
    job.record("n_stimuli", n_stimuli);
    job.record("folds", folds.as_ref().map_or(1, |folds| folds.n_folds));
    job.record("score_over", if args.score_over == Over::Folds { "folds" } else { "pooled" });

    let one_fold = vec![0; pair.measured.nrows()];
    let of = |predicted: &ndarray::Array2<f64>| Models::of(folds.as_ref(), predicted.view(), pair.measured.view());
    let models = [of(&pair.predicted), of(&other)];
    let fold_of_row = folds.as_ref().map_or(&one_fold, |folds| &folds.fold_of_row);
    let over = if args.score_over == Over::Folds { ScoreOver::Folds } else { ScoreOver::Pooled };
    let [of_a, of_b] = [models[0].held_out(fold_of_row, over), models[1].held_out(fold_of_row, over)];
    let y = pair.measured.view();
    let scores: [Vec<Score>; 2] = [of_a.score(pair.predicted.view(), y), of_b.score(other.view(), y)];
    let predicted = [pair.predicted.view(), other.view()];
    let tested = paired_test(&of_a, predicted, y, &stimulus_of_row, args.draws as usize, args.seed);
    let q = Correction::BenjaminiHochberg.adjust(&tested.iter().map(|test| test.p).collect::<Vec<f64>>());
    let lost: Vec<Reason> = (0..q.len()).filter_map(|v| scores[0][v].reason.or(scores[1][v].reason)).collect();
    if !lost.is_empty() {
        job.note(format!("{} of {} voxels lack a number: {}", lost.len(), q.len(), Reason::counted(lost)));
    }

    if args.summary {
        let r: Vec<f64> = (0..q.len()).map(|v| scores[0][v].r - scores[1][v].r).filter(|d| !d.is_nan()).collect();
        let explained: Vec<f64> = tested.iter().map(|test| test.difference).filter(|d| !d.is_nan()).collect();
        let better =
            |sign: f64| tested.iter().zip(&q).filter(|(t, q)| **q <= RATE && sign * t.difference > 0.0).count();
        let mut table = TableWriter::new(out, args.format, &SUMMARY)?;
        table.record(&[
            ("n_voxels", explained.len().into()),
            ("median_r_difference", median(&r).into()),
            ("median_R2_difference", median(&explained).into()),
            ("n_a_better", better(1.0).into()),
            ("n_b_better", better(-1.0).into()),
        ])?;
        return table.into_inner().commit(&job);
    }
    let voxels = Voxels { n: q.len(), names: names.as_deref(), in_image: in_image.as_ref() };
    let mut columns: Vec<&str> = COLUMNS.to_vec();
    columns.extend(names.as_ref().map(|_| VOXEL_NAME));
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for (voxel, test) in tested.iter().enumerate() {
        let (a, b) = (&scores[0][voxel], &scores[1][voxel]);
        let mut cells: Vec<Named> = vec![
            ("voxel", voxels.number(voxel).into()),
            ("r_a", a.r.into()),
            ("r_b", b.r.into()),
            ("r_difference", (a.r - b.r).into()),
            ("R2_a", a.coefficient_of_determination.into()),
            ("R2_b", b.coefficient_of_determination.into()),
            ("R2_difference", test.difference.into()),
            ("p", test.p.into()),
            ("q", q[voxel].into()),
            ("n", a.n.into()),
            ("reason", a.reason.or(b.reason).into()),
        ];
        cells.extend(names.as_ref().map(|names| (VOXEL_NAME, (&names[voxel]).into())));
        table.record(&cells)?;
    }
    table.into_inner().commit(&job)
}

/// Predictions of both models for the same rows of the responses.
fn both(
    job: &Job,
    join: JoinArgs,
    a: NamedMatrix,
    b: NamedMatrix,
    measured: NamedMatrix,
) -> Result<(Pair, ndarray::Array2<f64>)> {
    let first = Pair::of(job, join, a, measured.clone())?;
    let second = Pair::of(job, join, b, measured)?;
    if first.measured_rows == second.measured_rows {
        return Ok((first, second.predicted));
    }
    // Only --inner leaves rows out.
    let common: Vec<usize> =
        first.measured_rows.iter().copied().filter(|row| second.measured_rows.contains(row)).collect();
    if common.len() < 3 {
        bail!("the two models and {} have {} rows together; a comparison needs at least 3", first.source, common.len());
    }
    let places = |of: &Pair| -> Vec<usize> {
        let place = |row: &usize| of.measured_rows.iter().position(|own| own == row);
        common.iter().filter_map(place).collect()
    };
    let (own, others) = (places(&first), places(&second));
    let pair = Pair {
        predicted: first.predicted.select(Axis(0), &own),
        measured: first.measured.select(Axis(0), &own),
        ids: first.ids.map(|ids| own.iter().map(|&row| ids[row].clone()).collect()),
        measured_rows: common,
        source: first.source,
    };
    Ok((pair, second.predicted.select(Axis(0), &others)))
}
