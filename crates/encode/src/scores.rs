//! How predictions are scored: over folds or pooled, against permutations, beside a noise ceiling.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use cli::{Input, Job, Named};
use encoding_models::{HeldOut, Score, ScoreOver};
use linear_algebra::Real;
use ndarray::ArrayView2;
use statistics::Correction;

use crate::voxel_table::{VoxelTable, Voxels};

/// How predictions are scored.
#[derive(Debug, clap::Args)]
pub(crate) struct ScoreArgs {
    /// Over what scores are taken: all held-out rows together (deviations from the mean of their training rows, for r
    /// in units of these), or each fold, then their mean. Noise has r = 0 in both
    #[arg(long, value_enum, value_name = "HOW", default_value = "pooled")]
    score_over: Over,
    /// Test r against so many permutations of the stimuli within folds: adds p (one-sided) and q (false discovery rate)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub permutations: usize,
    /// Noise ceilings of `ceiling voxel`: adds r_norm = r / r_max and r2_norm = r2 / reliability, not cut at 1
    #[arg(long, value_name = "TABLE")]
    pub ceiling: Option<Input>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Over {
    /// Mean of the folds' scores
    Folds,
    /// One score of all rows
    Pooled,
}

/// Ceilings of all voxels.
struct Ceilings {
    r_max: Vec<f64>,
    reliability: Vec<f64>,
    reason: Vec<Option<String>>,
}

/// Ready to score.
pub(crate) struct Scorer {
    pub over: ScoreOver,
    permutations: usize,
    seed: u64,
    ceilings: Option<Ceilings>,
    /// Whether these are not all voxels, so that no rate of false discoveries among all can be given.
    part: bool,
}

/// Scores of all voxels.
#[derive(Default)]
pub(crate) struct Scored {
    pub scores: Vec<Score>,
    /// With permutations: p and q.
    tested: Option<(Vec<f64>, Vec<f64>)>,
}

impl Scored {
    /// The scores of blocks of voxels behind each other; q is over all of them.
    pub fn joined(blocks: Vec<Scored>) -> Scored {
        let mut all = Scored::default();
        for block in blocks {
            all.scores.extend(block.scores);
            if let Some((p, _)) = block.tested {
                all.tested.get_or_insert_default().0.extend(p);
            }
        }
        if let Some((p, q)) = &mut all.tested {
            *q = Correction::BenjaminiHochberg.adjust(p);
        }
        all
    }
}

/// Rows that are scored.
pub(crate) struct Scorable<'a> {
    /// Number of folds.
    pub n_folds: usize,
    /// The fold of every row.
    pub fold_of_row: &'a [usize],
    /// The stimulus of every row, as a number.
    pub stimulus_of_row: &'a [usize],
    pub voxels: Voxels<'a>,
}

/// What is known of the training rows of every fold, `n_folds x v` each.
#[derive(Clone, Copy)]
pub(crate) struct TrainedOn<'a> {
    pub means: ArrayView2<'a, f64>,
    /// Of what is fitted, and of responses.
    pub sds: Option<[ArrayView2<'a, f64>; 2]>,
}

impl ScoreArgs {
    /// Reads the ceilings and checks that the folds can be scored, before the work.
    pub fn scorer(&self, job: &Job, rows: &Scorable, seed: u64) -> Result<Scorer> {
        let means = ndarray::Array2::zeros((rows.n_folds, 0));
        let held_out = HeldOut {
            fold_of_row: rows.fold_of_row,
            train_means: means.view(),
            train_sds: None,
            over: ScoreOver::default(),
        };
        let over = match (self.score_over, held_out.too_small()) {
            (Over::Pooled, _) => ScoreOver::Pooled,
            (Over::Folds, Some((fold, n))) => bail!(
                "--score-over folds: fold {fold} of {} has {n} rows, and a fold of fewer than 3 has no score; say \
                 --score-over pooled, or ask for fewer folds",
                rows.n_folds
            ),
            (Over::Folds, None) => ScoreOver::Folds,
        };
        job.record("score_over", if over == ScoreOver::Folds { "folds" } else { "pooled" });
        if self.permutations > 0 {
            job.record("permutations", self.permutations);
        }
        let ceilings = self.ceiling.as_ref().map(|input| ceilings(job, input, rows)).transpose()?;
        Ok(Scorer { over, permutations: self.permutations, seed, ceilings, part: false })
    }
}

fn ceilings(job: &Job, input: &Input, rows: &Scorable) -> Result<Ceilings> {
    let found = VoxelTable::read(job, input, rows.voxels)?;
    let source = &found.source;
    for column in ["r_max", "reliability", "n_trials"] {
        if !found.table.has(column) {
            bail!("{source}: no column {column}; a ceiling of voxels is a table of `ceiling voxel`");
        }
    }
    let missing = found.rows.iter().filter(|row| row.is_none()).count();
    if missing > 0 {
        bail!("{source}: {missing} of {} voxels have no row; make the table from the same voxels", rows.voxels.n);
    }
    let cells = |column: &str| -> Result<Vec<f64>> {
        let numbers = found.table.numbers(column).with_context(|| source.clone())?;
        Ok(found.rows.iter().flatten().map(|&row| numbers[row]).collect())
    };
    // Rows of single trials are bound by what one trial repeats, averages by what averages do.
    let mut stimuli: Vec<usize> = rows.stimulus_of_row.to_vec();
    stimuli.sort_unstable();
    stimuli.dedup();
    let single = stimuli.len() < rows.stimulus_of_row.len();
    let trials = cells("n_trials")?;
    if let Some(n) = trials.iter().find(|n| single && n.is_finite() && **n != 1.0) {
        bail!(
            "{source}: bounds for averages over {n} trials, but the {} rows of responses are single trials of {} \
             stimuli: make the table with `ceiling voxel --trials 1`, or average the trials with `npy average`",
            rows.stimulus_of_row.len(),
            stimuli.len()
        );
    }
    if !single && trials.iter().any(|n| n.is_finite()) && trials.iter().all(|n| n.is_nan() || *n == 1.0) {
        job.note(format!(
            "{source}: bounds for one trial; if the {} rows of responses are averages of trials, make the table without \
             --trials 1: averages repeat better",
            rows.stimulus_of_row.len()
        ));
    }
    let reasons = match found.table.has("reason") {
        true => {
            let cells = found.table.column("reason")?;
            found.rows.iter().flatten().map(|&row| Some(cells[row].clone()).filter(|r| !r.is_empty())).collect()
        }
        false => vec![None; rows.voxels.n],
    };
    Ok(Ceilings { r_max: cells("r_max")?, reliability: cells("reliability")?, reason: reasons })
}

impl Scorer {
    /// For some of the voxels.
    pub fn only(&mut self, voxels: &Range<usize>) {
        self.part = true;
        if let Some(Ceilings { r_max, reliability, reason }) = &mut self.ceilings {
            (*r_max, *reliability) = (r_max[voxels.clone()].to_vec(), reliability[voxels.clone()].to_vec());
            *reason = reason[voxels.clone()].to_vec();
        }
    }

    /// Scores all voxels (`n x v` each); what was trained on `n_folds x v`.
    pub fn score<'a, T: Real>(
        &self,
        rows: &Scorable<'a>,
        predictions: ArrayView2<f64>,
        responses: ArrayView2<T>,
        train: TrainedOn<'a>,
    ) -> Scored {
        let held_out = self.held_out(rows, train);
        let scores = held_out.score(predictions, responses);
        let tested = (self.permutations > 0).then(|| {
            let p = held_out.permutation_p(predictions, responses, rows.stimulus_of_row, self.permutations, self.seed);
            let q = Correction::BenjaminiHochberg.adjust(&p);
            (p, q)
        });
        Scored { scores, tested }
    }

    /// The rows as the maths takes them.
    pub fn held_out<'a>(&self, rows: &Scorable<'a>, train: TrainedOn<'a>) -> HeldOut<'a> {
        let TrainedOn { means, sds } = train;
        HeldOut { fold_of_row: rows.fold_of_row, train_means: means, train_sds: sds, over: self.over }
    }

    /// Columns behind those of every score.
    pub fn columns(&self) -> Vec<&'static str> {
        let mut columns = Vec::new();
        if self.permutations > 0 {
            columns.push("p");
            columns.extend((!self.part).then_some("q"));
        }
        if self.ceilings.is_some() {
            columns.extend(["r_norm", "r2_norm"]);
        }
        columns
    }

    /// Why a voxel has no number: its own reason, else that of its ceiling.
    pub fn reason(&self, scored: &Scored, voxel: usize) -> Option<String> {
        let own = scored.scores[voxel].reason.map(|reason| reason.as_str().to_owned());
        own.or_else(|| self.ceilings.as_ref().and_then(|ceilings| ceilings.reason[voxel].clone()))
    }

    /// Cells of [`Scorer::columns`].
    pub fn cells(&self, scored: &Scored, voxel: usize) -> Vec<Named<'static>> {
        let mut cells: Vec<Named> = Vec::new();
        if let Some((p, q)) = &scored.tested {
            cells.push(("p", p[voxel].into()));
            cells.extend((!self.part).then(|| ("q", q[voxel].into())));
        }
        if let Some(ceilings) = &self.ceilings {
            let score = &scored.scores[voxel];
            // A bound of 0 or less bounds nothing.
            let over = |value: f64, bound: f64| if bound > 0.0 { value / bound } else { f64::NAN };
            cells.extend([
                ("r_norm", over(score.r, ceilings.r_max[voxel]).into()),
                ("r2_norm", over(score.r2, ceilings.reliability[voxel]).into()),
            ]);
        }
        cells
    }
}
