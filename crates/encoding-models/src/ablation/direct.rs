//! A part of the features that is decomposed by itself.

use linear_algebra::{Panels, Real, residual_squares};
use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::axes::Axes;
use super::{
    Choices, Data, OuterFold, Part, PartFit, Targets, blocks, chosen, inner_splits, leave_one_out, unusable_voxels,
    without_unusable,
};
use crate::error::RidgeError;

/// Voxels of one block: many, since every block decomposes again.
const VOXELS: usize = 4096;

/// The decompositions of one outer fold.
enum Decomposed<'a> {
    Known(&'a OuterFold),
    Own { rotation: Box<Axes>, inner: Vec<(Vec<usize>, Vec<usize>, Axes)> },
}

impl Decomposed<'_> {
    fn rotation(&self) -> &Axes {
        match self {
            Decomposed::Known(fold) => &fold.trained.rotation,
            Decomposed::Own { rotation, .. } => rotation,
        }
    }

    fn inner(&self) -> Vec<(&[usize], &[usize], &Axes)> {
        match self {
            Decomposed::Known(fold) => {
                fold.inner.iter().map(|t| (t.train.as_slice(), t.others.as_slice(), &t.rotation)).collect()
            }
            Decomposed::Own { inner, .. } => inner
                .iter()
                .map(|(kept, held_out, rotation)| (kept.as_slice(), held_out.as_slice(), rotation))
                .collect(),
        }
    }
}

/// Fits one part.
pub fn fit<U: Real, S: Send>(
    data: &Data<U>,
    training: &[OuterFold],
    part: &Part,
    judge: &(impl Fn(ArrayView2<f64>, ArrayView2<U>) -> Vec<S> + Sync),
) -> Result<PartFit<S>, RidgeError> {
    let columns = part.columns(data.x.ncols());
    let taken = if *part == Part::All { Array2::zeros((0, 0)) } else { data.x.select(Axis(1), &columns) };
    let mut done = PartFit::default();
    for block in blocks(data.y.ncols(), VOXELS) {
        let y = data.y.slice(s![.., block]);
        let of_fold = |(fold, known): (usize, &OuterFold)| {
            let decomposed = match part {
                Part::All => Decomposed::Known(known),
                _ => decompose(data, taken.view(), fold)?,
            };
            Ok(one_fold(data, &decomposed, known, y))
        };
        let folds: Vec<Result<OneFold, RidgeError>> = training.par_iter().enumerate().map(of_fold).collect();
        let mut predictions = Array2::from_elem(y.dim(), f64::NAN);
        let mut choices = Choices { grids: Vec::new(), index: Vec::new() };
        for (fold, known) in folds.into_iter().zip(training) {
            let (grid, index, predicted) = fold?;
            for (&row, values) in known.trained.others.iter().zip(predicted.rows()) {
                predictions.row_mut(row).assign(&values);
            }
            choices.grids.push(grid);
            choices.index.push(index);
        }
        let reasons = unusable_voxels(y);
        without_unusable(&mut predictions, &reasons);
        let (alpha, at_edge) = choices.summary(data.options, &reasons);
        done.scores.extend(judge(predictions.view(), y));
        done.alpha.extend(alpha);
        done.alpha_at_edge.extend(at_edge);
    }
    Ok(done)
}

fn decompose<'a, U: Real>(data: &Data<U>, x: ArrayView2<f64>, fold: usize) -> Result<Decomposed<'a>, RidgeError> {
    let (train, test) = (data.outer.train_rows(fold), data.outer.test_rows(fold));
    let learn = |(kept, held_out): (Vec<usize>, Vec<usize>)| {
        let rotation = Axes::learn(x, &kept, &held_out, data.options.scaling)?;
        Ok((kept, held_out, rotation))
    };
    let inner = inner_splits(&train, data.options, fold)?;
    let inner = inner.into_iter().map(learn).collect::<Result<Vec<_>, RidgeError>>()?;
    let rotation = Box::new(Axes::learn(x, &train, &test, data.options.scaling)?);
    Ok(Decomposed::Own { rotation, inner })
}

/// Penalties, choices and predictions of an outer fold.
type OneFold = (Vec<f64>, Vec<usize>, Array2<f64>);

/// Fits one outer fold.
fn one_fold<U: Real>(data: &Data<U>, decomposed: &Decomposed, known: &OuterFold, y: ArrayView2<U>) -> OneFold {
    let rotation = decomposed.rotation();
    let grid: Vec<f64> = data.options.alphas.factors().iter().map(|factor| factor * rotation.alpha_scale).collect();
    let targets = Targets::of(y, &known.trained.train);
    let coordinates = rotation.coordinates(targets.centred.view());
    let mut errors = Array2::zeros((grid.len(), y.ncols()));
    let inner = decomposed.inner();
    if grid.len() > 1 && inner.is_empty() {
        errors = leave_one_out::errors(rotation, &targets.centred, &coordinates, &grid);
    }
    for (kept, held_out, rotation) in inner {
        let targets = Targets::of(y, kept);
        let coordinates = rotation.coordinates(targets.centred.view());
        let truth = Panels::new((-targets.others(y, held_out)).view());
        let by_alpha: Vec<Vec<f64>> = grid
            .par_iter()
            .map(|&alpha| {
                let shrunk = rotation.shrink(&coordinates, &vec![alpha; y.ncols()]);
                residual_squares(Some(&truth), rotation.other_basis().view(), shrunk.view(), None)
            })
            .collect();
        // Every inner fold counts alike, however many rows it has.
        add(&mut errors, &by_alpha, 1.0 / held_out.len() as f64);
    }
    let index = chosen(&errors);
    let alphas: Vec<f64> = index.iter().map(|&i| grid[i]).collect();
    let mut predictions = rotation.predict_others(rotation.shrink(&coordinates, &alphas).view());
    for (mut column, mean) in predictions.columns_mut().into_iter().zip(&targets.mean) {
        column += *mean;
    }
    (grid, index, predictions)
}

fn add(errors: &mut Array2<f64>, by_alpha: &[Vec<f64>], share: f64) {
    for (mut sums, more) in errors.rows_mut().into_iter().zip(by_alpha) {
        sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += share * more);
    }
}
