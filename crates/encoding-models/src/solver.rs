use std::borrow::Cow;

use linear_algebra::Real;
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use statistics::Reason;

use crate::choice::{AlphaPer, Choice, ChooseBy, choose};
use crate::columns::{centre, gather, means, sums_of_squares, weighted_squares};
use crate::error::RidgeError;
use crate::features::{Features, Training};
use crate::judge::{Judge, Turned};
use crate::ridge::{Inner, RidgeOptions, check_folds};
use crate::rotation::Rotation;
use crate::scaling::ColumnScaling;
use crate::stored::{Stored, StoredArray};

/// Voxels whose targets, predictions and residuals are held at once by one thread. Fixed, so that the bytes are.
pub(crate) const VOXELS: usize = 256;

/// What is asked of a fit beside predictions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Want {
    /// The models of every training set.
    pub models: bool,
    /// The part of every band in the predictions.
    pub bands: bool,
}

/// One training set with its inner folds, ready for responses.
pub(crate) struct Solver<'f, 'a, T> {
    features: &'f Features<'a, T>,
    options: RidgeOptions,
    gammas: Array2<f64>,
    full: Training<'f, 'a, T>,
    /// Empty in leave-one-out, and where there is nothing to choose.
    inner: Vec<InnerFold<'f, 'a, T>>,
    leave_one_out: bool,
    narrow: bool,
    /// Where there is one row of weights of bands only.
    kept: Option<Rotations>,
}

struct InnerFold<'f, 'a, T> {
    training: Training<'f, 'a, T>,
    /// Places in the training rows.
    kept: Vec<usize>,
    held: Vec<usize>,
}

/// The decompositions of a training set and its inner folds for one row of weights of bands.
struct Rotations {
    full: Option<Rotation>,
    inner: Vec<Turned>,
}

/// What a solver gives for some voxels.
pub(crate) struct Solved {
    /// n_test x v.
    pub predictions: Array2<f64>,
    /// The same by each band, without the mean.
    pub bands: Vec<Array2<f64>>,
    pub choices: Vec<Choice>,
    /// p x v, or empty.
    pub weights: Array2<f64>,
    pub response_mean: Vec<f64>,
    /// Root mean square of the fitted training rows, as deviations from the mean.
    pub fitted_sd: Vec<f64>,
    /// The same of the training responses.
    pub response_sd: Vec<f64>,
}

/// Responses of the training rows of some voxels, and sums over them.
struct Block {
    /// n_train x v, minus `mean`.
    centred: Array2<f64>,
    mean: Vec<f64>,
    /// p x v per inner fold: sums of products over its held-out rows; where an inner fold is primal.
    crosses: Vec<Array2<f64>>,
    /// p x v over all training rows, where primal.
    cross: Option<Array2<f64>>,
}

impl<'f, 'a, T: Real> Solver<'f, 'a, T> {
    pub fn prepare(
        features: &'f Features<'a, T>,
        train: Vec<usize>,
        test: Vec<usize>,
        options: &RidgeOptions,
        fold: Option<usize>,
        narrow: bool,
        stored: Option<Stored>,
    ) -> Result<Solver<'f, 'a, T>, RidgeError> {
        let n_bands = features.bands().len();
        let gammas = options.gammas.clone().unwrap_or_else(|| Array2::ones((1, n_bands)));
        check_gammas(&gammas, n_bands)?;
        let nothing_to_choose = options.alphas.factors().len() == 1 && gammas.nrows() == 1;
        check_rows(&train, nothing_to_choose, fold)?;
        let mut splits = Vec::new();
        let mut leave_one_out = false;
        match &options.inner {
            Inner::Folds(folds) => check_folds(folds, features.n_rows())?,
            Inner::LeaveOneOut if options.choose_by == ChooseBy::R && !nothing_to_choose => {
                return Err(RidgeError::CriterionNeedsFolds);
            }
            Inner::LeaveOneOut => {}
        }
        match &options.inner {
            _ if nothing_to_choose => {}
            Inner::LeaveOneOut => leave_one_out = true,
            Inner::Folds(folds) => splits = inner_splits(&train, &folds.fold_of_row, fold)?,
        }
        let training = |train: &[usize], others: &[usize], origin: Option<&[f64]>| match stored {
            None => features.training(train, others, origin),
            Some(_) => features.without_products(train, others, origin),
        };
        // Every training set once: all training rows first, so that the sums over all rows are there.
        let full = training(&train, &test, None);
        let inner = splits
            .into_par_iter()
            .map(|(kept, held)| {
                let rows = |places: &[usize]| places.iter().map(|&i| train[i]).collect::<Vec<usize>>();
                InnerFold { training: training(&rows(&kept), &rows(&held), Some(&full.origin)), kept, held }
            })
            .collect();
        let options = options.clone();
        let mut solver = Solver { features, options, gammas, full, inner, leave_one_out, narrow, kept: None };
        if solver.gammas.nrows() == 1 {
            let kept = match stored {
                None => solver.rotations(0, true)?,
                Some(stored) => solver.stored_rotations(&prefix(fold), stored)?,
            };
            solver.kept = Some(kept);
            // Bands are told apart by the products; nothing else needs them any more.
            solver.inner.iter_mut().for_each(|inner| inner.training.forget());
            if n_bands == 1 {
                solver.full.forget();
            }
        }
        Ok(solver)
    }

    pub fn is_dual(&self) -> bool {
        self.full.is_dual()
    }

    pub fn scaling(&self) -> &ColumnScaling {
        &self.full.scaling
    }

    /// `full`: also the decomposition of all training rows, which only leave-one-out needs for a choice.
    fn rotations(&self, gamma: usize, full: bool) -> Result<Rotations, RidgeError> {
        let row = self.gammas.row(gamma).to_vec();
        let n_full = usize::from(full || self.leave_one_out);
        let rotations: Vec<Result<Rotation, RidgeError>> = (0..n_full + self.inner.len())
            .into_par_iter()
            .map(|i| match i < n_full {
                true => Ok(self.full.rotate(&row, self.leave_one_out)?),
                false => Ok(self.inner[i - n_full].training.rotate(&row, false)?),
            })
            .collect();
        let mut rotations = rotations.into_iter();
        let full = if n_full == 1 { rotations.next().transpose()? } else { None };
        Ok(Rotations {
            full,
            inner: rotations
                .map(|rotation| Ok(Turned::new(rotation?, self.narrow)))
                .collect::<Result<_, RidgeError>>()?,
        })
    }

    fn stored_rotations(&self, prefix: &str, stored: Stored) -> Result<Rotations, RidgeError> {
        let full = Rotation::stored(&self.full, prefix, self.leave_one_out, stored)?;
        let inner = self.inner.iter().enumerate().map(|(k, fold)| {
            let rotation = Rotation::stored(&fold.training, &format!("{prefix}_inner{k}"), false, stored)?;
            Ok(Turned::new(rotation, self.narrow))
        });
        Ok(Rotations { full: Some(full), inner: inner.collect::<Result<_, RidgeError>>()? })
    }

    /// What [`Solver::prepare`] takes as `stored`; nothing where decompositions are not kept.
    pub fn arrays(&self, fold: Option<usize>) -> Vec<(String, StoredArray<'_>)> {
        let Some(Rotations { full, inner }) = &self.kept else { return Vec::new() };
        let prefix = prefix(fold);
        let mut arrays = full.as_ref().map_or_else(Vec::new, |full| full.arrays(&prefix, None));
        for (k, Turned { rotation, narrow, .. }) in inner.iter().enumerate() {
            arrays.extend(rotation.arrays(&format!("{prefix}_inner{k}"), narrow.as_ref()));
        }
        arrays
    }

    /// Chooses for every voxel of `y` (all rows x v), then predicts the test rows.
    pub fn solve<U: Real>(
        &self,
        y: ArrayView2<U>,
        reasons: &[Option<Reason>],
        want: Want,
    ) -> Result<Solved, RidgeError> {
        if let AlphaPer::Group(groups) = &self.options.alpha_per
            && groups.len() != y.ncols()
        {
            return Err(RidgeError::GroupCount { groups: groups.len(), voxels: y.ncols() });
        }
        let mut solved = Solved {
            predictions: Array2::zeros((self.full.others.len(), y.ncols())),
            bands: match want.bands {
                true => vec![Array2::zeros((self.full.others.len(), y.ncols())); self.features.bands().len()],
                false => Vec::new(),
            },
            choices: Vec::new(),
            weights: Array2::zeros(if want.models { (self.features.n_columns(), y.ncols()) } else { (0, 0) }),
            response_mean: vec![0.0; y.ncols()],
            fitted_sd: vec![0.0; y.ncols()],
            response_sd: vec![0.0; y.ncols()],
        };
        if let (Some(rotations), AlphaPer::Voxel) = (&self.kept, &self.options.alpha_per) {
            // Choice and fit in one visit of the responses.
            let parts: Vec<(usize, Vec<Choice>, Part)> = blocks(y.ncols())
                .into_par_iter()
                .map(|columns| {
                    let start = columns[0];
                    let block = self.block(y, &columns);
                    let choices = self.choose_in_block(rotations, 0, &block);
                    let part = self.fit_block(rotations, 0, &block, &choices, want);
                    (start, choices, part)
                })
                .collect();
            for (start, choices, part) in parts {
                solved.choices.extend(choices);
                let columns: Vec<usize> = (start..start + part.mean.len()).collect();
                solved.put(&columns, part);
            }
            return Ok(solved);
        }
        solved.choices = self.choose_all(y, reasons)?;
        for gamma in 0..self.gammas.nrows() {
            let voxels: Vec<usize> = (0..y.ncols()).filter(|&v| solved.choices[v].gamma == gamma).collect();
            if voxels.is_empty() {
                continue;
            }
            let made;
            let rotations = match &self.kept {
                Some(kept) => kept,
                None => {
                    let row = self.gammas.row(gamma).to_vec();
                    made = Rotations { full: Some(self.full.rotate(&row, false)?), inner: Vec::new() };
                    &made
                }
            };
            let parts: Vec<(&[usize], Part)> = voxels
                .par_chunks(VOXELS)
                .map(|columns| {
                    let choices: Vec<Choice> = columns.iter().map(|&v| solved.choices[v]).collect();
                    let block = self.block(y, columns);
                    (columns, self.fit_block(rotations, gamma, &block, &choices, want))
                })
                .collect();
            parts.into_iter().for_each(|(columns, part)| solved.put(columns, part));
        }
        Ok(solved)
    }

    /// Penalty and weights of bands for every voxel, over all rows of weights.
    fn choose_all<U: Real>(&self, y: ArrayView2<U>, reasons: &[Option<Reason>]) -> Result<Vec<Choice>, RidgeError> {
        let mut best: Vec<Option<Choice>> = vec![None; y.ncols()];
        for gamma in 0..self.gammas.nrows() {
            let made;
            let rotations = match &self.kept {
                Some(kept) => kept,
                None => {
                    made = self.rotations(gamma, false)?;
                    &made
                }
            };
            let choices: Vec<Choice> = match &self.options.alpha_per {
                AlphaPer::Voxel => {
                    let of_blocks: Vec<Vec<Choice>> = blocks(y.ncols())
                        .into_par_iter()
                        .map(|columns| self.choose_in_block(rotations, gamma, &self.block(y, &columns)))
                        .collect();
                    of_blocks.into_iter().flatten().collect()
                }
                AlphaPer::Group(groups) => self.choose_in_groups(rotations, gamma, y, reasons, groups),
            };
            for (best, choice) in best.iter_mut().zip(choices) {
                // A later row of weights has to be better by more than rounding.
                let better = best.is_none_or(|best| choice.score > best.score + f64::EPSILON || best.score.is_nan());
                if better {
                    *best = Some(choice);
                }
            }
        }
        Ok(best.into_iter().flatten().collect())
    }

    fn choose_in_block(&self, rotations: &Rotations, gamma: usize, block: &Block) -> Vec<Choice> {
        let n = block.mean.len();
        let judges = self.judges(rotations, gamma, block);
        let scale = self.full.alpha_scale();
        choose(&self.options.alphas, scale, gamma, n, |alphas, columns| {
            self.losses(rotations, &judges, block, gamma, alphas, columns)
        })
    }

    fn choose_in_groups<U: Real>(
        &self,
        rotations: &Rotations,
        gamma: usize,
        y: ArrayView2<U>,
        reasons: &[Option<Reason>],
        groups: &[usize],
    ) -> Vec<Choice> {
        let mut numbers: Vec<usize> = groups.to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        let place: Vec<usize> = groups.iter().filter_map(|group| numbers.binary_search(group).ok()).collect();
        let chosen = choose(&self.options.alphas, self.full.alpha_scale(), gamma, numbers.len(), |alphas, asked| {
            let voxels: Vec<usize> =
                (0..y.ncols()).filter(|&v| reasons[v].is_none() && asked.contains(&place[v])).collect();
            let of_blocks: Vec<Array2<f64>> = voxels
                .par_chunks(VOXELS)
                .map(|columns| {
                    let block = self.block(y, columns);
                    let judges = self.judges(rotations, gamma, &block);
                    let all: Vec<usize> = (0..columns.len()).collect();
                    self.losses(rotations, &judges, &block, gamma, alphas, &all)
                })
                .collect();
            let mut sums = Array2::<f64>::zeros((alphas.len(), asked.len()));
            let mut counts = Array2::<f64>::zeros(sums.dim());
            for (columns, losses) in voxels.chunks(VOXELS).zip(&of_blocks) {
                for (losses, &voxel) in losses.columns().into_iter().zip(columns) {
                    let Some(group) = asked.iter().position(|group| *group == place[voxel]) else { continue };
                    for (a, loss) in losses.iter().enumerate().filter(|(_, loss)| loss.is_finite()) {
                        sums[(a, group)] += loss;
                        counts[(a, group)] += 1.0;
                    }
                }
            }
            sums / counts
        });
        place.iter().map(|&group| chosen[group]).collect()
    }

    /// Reads the training rows of some voxels, and sums over them fold by fold: the same sums for choice and fit.
    fn block<U: Real>(&self, y: ArrayView2<U>, columns: &[usize]) -> Block {
        let train = &self.full.train;
        let mut centred =
            Array2::from_shape_fn((train.len(), columns.len()), |(i, v)| y[(train[i], columns[v])].to_f64());
        let mean = match self.features.has_intercept() {
            true => centre(&mut centred, train.iter().map(|&row| self.features.weight(row))),
            false => vec![0.0; columns.len()],
        };
        let primal_inside = self.inner.iter().any(|inner| !inner.training.is_dual());
        let crosses: Vec<Array2<f64>> = match primal_inside {
            true => self.inner.iter().map(|inner| self.cross(&centred, &inner.held)).collect(),
            false => Vec::new(),
        };
        let cross = (!self.full.is_dual()).then(|| match crosses.split_first() {
            Some((first, rest)) => rest.iter().fold(first.clone(), |sum, part| sum + part),
            None => self.cross(&centred, &(0..train.len()).collect::<Vec<usize>>()),
        });
        Block { centred, mean, crosses, cross }
    }

    /// Sums of products over some places of the training rows.
    fn cross(&self, centred: &Array2<f64>, places: &[usize]) -> Array2<f64> {
        let rows: Vec<usize> = places.iter().map(|&place| self.full.train[place]).collect();
        let mut part = gather(centred, places);
        for (mut values, &row) in part.rows_mut().into_iter().zip(&rows) {
            values *= self.features.weight(row);
        }
        self.features.cross(&rows, &self.full.origin, part.view())
    }

    fn judges<'r>(&self, rotations: &'r Rotations, gamma: usize, block: &Block) -> Vec<Judge<'r>> {
        let gammas = self.gammas.row(gamma).to_vec();
        let inner = self.inner.iter().zip(&rotations.inner).enumerate();
        inner
            .map(|(f, (fold, turned))| {
                let weights = |places: &[usize]| -> Vec<f64> {
                    places.iter().map(|&place| self.features.weight(self.full.train[place])).collect()
                };
                let mut kept = gather(&block.centred, &fold.kept);
                let mean = match self.features.has_intercept() {
                    true => means(&kept, &weights(&fold.kept)),
                    false => vec![0.0; block.mean.len()],
                };
                let right = fold.training.right_side(
                    &gammas,
                    || match &block.cross {
                        Some(cross) => cross - &block.crosses[f],
                        None => Array2::zeros((0, 0)),
                    },
                    || std::mem::take(&mut kept),
                    &mean,
                );
                let mut truth = gather(&block.centred, &fold.held);
                truth.rows_mut().into_iter().for_each(|mut row| row.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m));
                let coordinates = turned.coordinates(right.view());
                Judge { turned, coordinates, truth, weights: weights(&fold.held) }
            })
            .collect()
    }

    /// `n_alphas x n_columns`, lower is better.
    fn losses(
        &self,
        rotations: &Rotations,
        judges: &[Judge],
        block: &Block,
        gamma: usize,
        alphas: &[f64],
        columns: &[usize],
    ) -> Array2<f64> {
        let mut losses = Array2::from_elem((alphas.len(), columns.len()), f64::NAN);
        if self.leave_one_out {
            if let Some(rotation) = &rotations.full {
                let (right, coordinates) = self.full_coordinates(rotation, gamma, block);
                for (mut out, &alpha) in losses.rows_mut().into_iter().zip(alphas) {
                    let left_over = rotation.left_over(alpha);
                    let residuals =
                        rotation.leave_one_out_residuals(right.view(), coordinates.view(), alpha, &left_over, columns);
                    // Rows carry the roots of their weights here.
                    out.assign(&(sums_of_squares(&residuals) / self.full.total_weight));
                }
            }
        } else if !judges.is_empty() {
            let mut sums = Array2::zeros(losses.dim());
            let mut counts = Array2::zeros(losses.dim());
            for judge in judges {
                judge.add_losses(self.options.choose_by, alphas, columns, &mut sums, &mut counts);
            }
            losses = sums / counts;
        }
        losses
    }

    /// The centred training targets with the roots of the weights (for leave-one-out), and the coordinates.
    fn full_coordinates<'b>(
        &self,
        rotation: &Rotation,
        gamma: usize,
        block: &'b Block,
    ) -> (Cow<'b, Array2<f64>>, Array2<f64>) {
        let gammas = self.gammas.row(gamma).to_vec();
        let weighted = self.full.train.iter().any(|&row| self.features.weight(row) != 1.0);
        let targets = match weighted {
            false => Cow::Borrowed(&block.centred),
            true => {
                let mut targets = block.centred.clone();
                for (mut row, &index) in targets.rows_mut().into_iter().zip(&self.full.train) {
                    row *= self.features.weight(index).sqrt();
                }
                Cow::Owned(targets)
            }
        };
        // The mean has been taken out of the block.
        let none = vec![0.0; block.mean.len()];
        let cross = || block.cross.clone().unwrap_or_default();
        let right = self.full.right_side(&gammas, cross, || block.centred.clone(), &none);
        (targets, rotation.coordinates(right.view()))
    }

    fn fit_block(&self, rotations: &Rotations, gamma: usize, block: &Block, choices: &[Choice], want: Want) -> Part {
        let mut part = Part { mean: block.mean.clone(), ..Part::default() };
        let Some(rotation) = &rotations.full else { return part };
        let gammas = self.gammas.row(gamma).to_vec();
        let alphas: Vec<f64> = choices.iter().map(|choice| choice.alpha).collect();
        let (_, coordinates) = self.full_coordinates(rotation, gamma, block);
        let shrunk: Array2<f64> = rotation.shrink(coordinates.view(), &alphas);
        let root_mean = |squares: f64| (squares / self.full.total_weight).sqrt();
        part.fitted_sd = rotation.fitted_squares(shrunk.view()).into_iter().map(root_mean).collect();
        let weights: Vec<f64> = self.full.train.iter().map(|&row| self.features.weight(row)).collect();
        part.response_sd = weighted_squares(&block.centred, &weights).into_iter().map(root_mean).collect();
        part.predictions = rotation.predict_others(shrunk.view());
        for mut row in part.predictions.rows_mut() {
            row.iter_mut().zip(&block.mean).for_each(|(v, m)| *v += m);
        }
        if want.bands {
            part.bands = match self.features.bands().len() {
                1 => vec![rotation.predict_others(shrunk.view())],
                _ => self.full.predict_by_band(rotation, &gammas, shrunk.view()),
            };
        }
        if want.models {
            part.weights = self.full.weights(rotation, &gammas, shrunk.view());
        }
        part
    }
}

/// What a block of voxels gives.
#[derive(Default)]
struct Part {
    predictions: Array2<f64>,
    bands: Vec<Array2<f64>>,
    weights: Array2<f64>,
    mean: Vec<f64>,
    fitted_sd: Vec<f64>,
    response_sd: Vec<f64>,
}

impl Solved {
    fn put(&mut self, columns: &[usize], part: Part) {
        let place = |all: &mut Array2<f64>, some: &Array2<f64>| {
            for (values, &column) in some.columns().into_iter().zip(columns) {
                all.column_mut(column).assign(&values);
            }
        };
        place(&mut self.predictions, &part.predictions);
        self.bands.iter_mut().zip(&part.bands).for_each(|(all, some)| place(all, some));
        if !self.weights.is_empty() {
            place(&mut self.weights, &part.weights);
        }
        columns.iter().zip(part.mean).for_each(|(&column, mean)| self.response_mean[column] = mean);
        columns.iter().zip(part.fitted_sd).for_each(|(&column, sd)| self.fitted_sd[column] = sd);
        columns.iter().zip(part.response_sd).for_each(|(&column, sd)| self.response_sd[column] = sd);
    }
}

/// What the arrays of a training set are called.
fn prefix(fold: Option<usize>) -> String {
    fold.map_or_else(|| "train".to_owned(), |fold| format!("fold{fold}"))
}

/// Places of kept and held-out rows in the training rows, for every inner fold that has some.
type Splits = Vec<(Vec<usize>, Vec<usize>)>;

fn inner_splits(train: &[usize], fold_of_row: &[usize], fold: Option<usize>) -> Result<Splits, RidgeError> {
    let mut used: Vec<usize> = train.iter().map(|&row| fold_of_row[row]).collect();
    used.sort_unstable();
    used.dedup();
    if used.len() < 2 {
        return Err(RidgeError::TooFewInnerFolds { fold, n_folds: used.len() });
    }
    let split = |inner: usize| {
        let (held, kept): (Vec<usize>, Vec<usize>) =
            (0..train.len()).partition(|&place| fold_of_row[train[place]] == inner);
        match kept.len() < 2 {
            true => Err(RidgeError::TooFewRows { fold, rows: train.len(), needed: held.len() + 2 }),
            false => Ok((kept, held)),
        }
    };
    used.into_iter().map(split).collect()
}

/// Two rows that can differ and, where a penalty is chosen, one left out.
pub(crate) fn check_rows(train: &[usize], nothing_to_choose: bool, fold: Option<usize>) -> Result<(), RidgeError> {
    let rows = train.len();
    match nothing_to_choose {
        true if rows < 2 => Err(RidgeError::TooFewRowsToFit { fold, rows }),
        false if rows < 3 => Err(RidgeError::TooFewRows { fold, rows, needed: 3 }),
        _ => Ok(()),
    }
}

fn check_gammas(gammas: &Array2<f64>, n_bands: usize) -> Result<(), RidgeError> {
    if gammas.ncols() != n_bands {
        return Err(RidgeError::BandCount { given: gammas.ncols(), bands: n_bands });
    }
    for (row, weights) in gammas.rows().into_iter().enumerate() {
        if let Some(value) = weights.iter().find(|w| !(**w >= 0.0 && w.is_finite())) {
            return Err(RidgeError::NoBandWeight { row, value: *value });
        }
        if weights.iter().all(|w| *w == 0.0) {
            return Err(RidgeError::NoBandWeight { row, value: 0.0 });
        }
    }
    Ok(())
}

fn blocks(n_voxels: usize) -> Vec<Vec<usize>> {
    (0..n_voxels).step_by(VOXELS).map(|start| (start..(start + VOXELS).min(n_voxels)).collect()).collect()
}
