//! Models without a few features, as corrections of the model of all.

use linear_algebra::{Cholesky, LinearAlgebraError, Panels, Real, product, residual_squares};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

use super::axes::Axes;
use super::{
    Choices, Data, OuterFold, Part, PartFit, Targets, VOXELS, blocks, chosen, unusable_voxels, without_unusable,
};
use crate::error::RidgeError;
use crate::features::Features;
use crate::scaling::ColumnScaling;

/// A training set with all features.
pub struct Trained {
    pub rotation: Axes,
    pub train: Vec<usize>,
    pub others: Vec<usize>,
    /// Squared length of every scaled feature over the training rows.
    squares: Vec<f64>,
}

impl Trained {
    pub fn learn(features: &Features<f64>, train: Vec<usize>, others: Vec<usize>) -> Result<Trained, RidgeError> {
        let rotation = Axes::of(features, &train, &others)?;
        let scaling = &rotation.scaling;
        let of = |column: usize| train.len() as f64 * scaling.mean_squared_length_of(column);
        let squares = (0..features.n_columns()).map(of).collect();
        Ok(Trained { rotation, train, others, squares })
    }

    /// What the factors of a grid are multiplied by for a model without these columns: the mean squared length of its
    /// rows, 1 where nothing varies.
    pub fn scale_without(&self, columns: &[usize]) -> f64 {
        let mut left: Vec<f64> = self.squares.clone();
        columns.iter().for_each(|&column| left[column] = 0.0);
        let scale = left.iter().sum::<f64>() / self.train.len() as f64;
        if scale > 0.0 { scale } else { 1.0 }
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.rotation.eigenvalues().len()
    }

    pub fn largest_eigenvalue(&self) -> f64 {
        self.rotation.eigenvalues().iter().copied().fold(0.0, f64::max)
    }
}

/// The features of all sets in the axes of a training set.
struct Turned<'a> {
    trained: &'a Trained,
    /// units x k: primal `V`, dual `X' U`.
    units: Array2<f64>,
    /// units x n_others, on the dual side: the scaled features of the others.
    others: Option<Array2<f64>>,
}

impl<'a> Turned<'a> {
    fn new(trained: &'a Trained, x: ArrayView2<f64>, units: &[usize]) -> Turned<'a> {
        let rotation = &trained.rotation;
        if let Some(axes) = rotation.axes() {
            return Turned { trained, units: axes.select(Axis(0), units), others: None };
        }
        let taken = x.select(Axis(1), units);
        let all = &rotation.scaling;
        let of_units = |values: &[f64]| units.iter().map(|&unit| values[unit]).collect();
        let scaling = ColumnScaling {
            mean: of_units(&all.mean),
            divisor: of_units(&all.divisor),
            variance: of_units(&all.variance),
        };
        let scaled = |rows: &[usize]| scaling.apply::<f64, f64>(taken.view(), rows, 0..units.len());
        let turned = product(scaled(&trained.train).t(), rotation.target_basis().view());
        Turned { trained, units: turned, others: Some(scaled(&trained.others).t().as_standard_layout().to_owned()) }
    }

    fn gains(&self, alpha: f64) -> Array1<f64> {
        self.trained.rotation.eigenvalues().mapv(|l| 1.0 / (l + alpha))
    }

    /// `T` of some rows of `units`.
    fn capacitance(&self, gains: &Array1<f64>, alpha: f64, rows: &[usize]) -> Result<Cholesky, LinearAlgebraError> {
        let units = self.units.select(Axis(0), rows);
        let mut t = product((&units * gains).view(), units.t());
        match self.trained.rotation.is_dual() {
            // alpha M_SS, in which nothing cancels.
            false => t *= alpha,
            true => {
                t.mapv_inplace(|v| -v);
                t.diag_mut().mapv_inplace(|d| d + 1.0);
            }
        }
        Cholesky::new(t.view())
    }

    /// units x n_others: what the predictions of the others lose per unit of the solved moments.
    fn carrier_of_others(
        &self,
        units: &Array2<f64>,
        others: Option<&Array2<f64>>,
        gains: &Array1<f64>,
        alpha: f64,
    ) -> Array2<f64> {
        let carried = product((units * gains).view(), self.trained.rotation.other_basis().t());
        match others {
            None => carried * alpha,
            Some(others) => others - &carried,
        }
    }
}

/// A quantity of all voxels under one penalty, and how it changes without some features: `base + sign carrier_S' T^-1
/// moments_S`.
struct Step {
    alpha: f64,
    gains: Array1<f64>,
    /// rows x v.
    base: Panels,
    /// units x rows.
    carrier: Array2<f64>,
    /// units x v.
    moments: Array2<f64>,
    sign: f64,
    /// 1 minus the leverage of every row, where the quantity is a residual of a training row.
    left_over: Option<Array1<f64>>,
}

impl Step {
    /// Residuals of the training rows, to be divided by what their leverage leaves.
    fn leave_one_out(turned: &Turned, targets: &Targets, coordinates: &Array2<f64>, alpha: f64) -> Step {
        let rotation = &turned.trained.rotation;
        let gains = turned.gains(alpha);
        let shrunk = coordinates * &gains.view().insert_axis(Axis(1));
        let explained = product(rotation.target_basis().view(), shrunk.view());
        let base = if rotation.is_dual() { explained * alpha } else { &targets.centred - &explained };
        let carrier = product((&turned.units * &gains).view(), rotation.target_basis().t());
        let moments = product(turned.units.view(), shrunk.view()) * alpha;
        let left_over = Some(rotation.left_over(alpha));
        Step { alpha, gains, base: Panels::new(base.view()), carrier, moments, sign: 1.0, left_over }
    }

    /// What predictions of the others, as deviations from the training means, are above `truth`.
    fn held_out(turned: &Turned, truth: &Array2<f64>, coordinates: &Array2<f64>, alpha: f64) -> Step {
        let gains = turned.gains(alpha);
        let shrunk = coordinates * &gains.view().insert_axis(Axis(1));
        let base = turned.trained.rotation.predict_others(shrunk.view()) - truth;
        let carrier = turned.carrier_of_others(&turned.units, turned.others.as_ref(), &gains, alpha);
        let moments = product(turned.units.view(), shrunk.view());
        Step { alpha, gains, base: Panels::new(base.view()), carrier, moments, sign: -1.0, left_over: None }
    }

    /// The sums of squares without these of the units, one per voxel.
    fn errors_without(&self, turned: &Turned, rows: &[usize]) -> Result<Vec<f64>, LinearAlgebraError> {
        let t = turned.capacitance(&self.gains, self.alpha, rows)?;
        let carrier = self.carrier.select(Axis(0), rows);
        let correction = t.solve(self.moments.select(Axis(0), rows).view())? * self.sign;
        let weights = match &self.left_over {
            None => None,
            Some(left_over) => {
                let more = (&carrier * &t.solve(carrier.view())?).sum_axis(Axis(0)) * self.alpha;
                Some((left_over + &more).mapv(|left| 1.0 / left).to_vec())
            }
        };
        Ok(residual_squares(Some(&self.base), carrier.t(), correction.view(), weights.as_deref()))
    }
}

/// Fits the parts of a group; `None` where a correction is not positive definite.
pub fn fit<U: Real, S: Send>(
    data: &Data<U>,
    training: &[OuterFold],
    parts: &[Part],
    group: &[usize],
    judge: &(impl Fn(ArrayView2<f64>, ArrayView2<U>) -> Vec<S> + Sync),
    part_done: &(impl Fn() + Sync),
) -> Result<Vec<Option<PartFit<S>>>, RidgeError> {
    let sets: Vec<&[usize]> = group
        .iter()
        .map(|&part| match &parts[part] {
            Part::Without(columns) | Part::Only(columns) => columns.as_slice(),
            Part::All => &[],
        })
        .collect();
    let mut units: Vec<usize> = sets.concat();
    units.sort_unstable();
    units.dedup();
    // Where each set's features stand among all units.
    let places: Vec<Vec<usize>> =
        sets.iter().map(|set| set.iter().filter_map(|unit| units.binary_search(unit).ok()).collect()).collect();
    let first = sets.first().copied().unwrap_or_default();
    let factors = data.options.alphas.factors();
    let grids: Vec<Vec<f64>> = training
        .iter()
        .map(|fold| factors.iter().map(|factor| factor * fold.trained.scale_without(first)).collect())
        .collect();
    let outer: Vec<Turned> = training.iter().map(|fold| Turned::new(&fold.trained, data.x, &units)).collect();
    let works: Vec<AtomicBool> = sets.iter().map(|_| AtomicBool::new(true)).collect();
    let mut done: Vec<PartFit<S>> = sets.iter().map(|_| PartFit::default()).collect();
    let n_blocks = data.y.ncols().div_ceil(VOXELS);
    for (n_done, block) in blocks(data.y.ncols(), VOXELS).enumerate() {
        let y = data.y.slice(s![.., block]);
        let reasons = unusable_voxels(y);
        let coordinates: Vec<(Targets, Array2<f64>)> = outer
            .iter()
            .map(|turned| {
                let targets = Targets::of(y, &turned.trained.train);
                let coordinates = turned.trained.rotation.coordinates(targets.centred.view());
                (targets, coordinates)
            })
            .collect();
        // sets x folds x voxels
        let mut index: Vec<Vec<Vec<usize>>> = vec![Vec::new(); sets.len()];
        for ((fold, turned), (grid, (targets, coordinates))) in
            training.iter().zip(&outer).zip(grids.iter().zip(&coordinates))
        {
            let mut errors: Vec<Array2<f64>> = vec![Array2::zeros((grid.len(), y.ncols())); sets.len()];
            if grid.len() > 1 && fold.inner.is_empty() {
                let step = |alpha: f64| Step::leave_one_out(turned, targets, coordinates, alpha);
                add_errors(&mut errors, turned, grid, &places, &works, 1.0, step);
            }
            for trained in fold.inner.iter().filter(|_| grid.len() > 1) {
                let turned = Turned::new(trained, data.x, &units);
                let targets = Targets::of(y, &trained.train);
                let coordinates = trained.rotation.coordinates(targets.centred.view());
                let truth = targets.others(y, &trained.others);
                let step = |alpha: f64| Step::held_out(&turned, &truth, &coordinates, alpha);
                // Every inner fold counts alike, however many rows it has.
                let share = 1.0 / trained.others.len() as f64;
                add_errors(&mut errors, &turned, grid, &places, &works, share, step);
            }
            for (index, errors) in index.iter_mut().zip(&errors) {
                index.push(chosen(errors));
            }
        }
        // What all features predict under every penalty, from which each set takes its own.
        let full: Vec<Vec<Array2<f64>>> = outer
            .iter()
            .zip(&coordinates)
            .zip(&grids)
            .map(|((turned, (_, coordinates)), grid)| {
                let rotation = &turned.trained.rotation;
                let under = |alpha: &f64| {
                    rotation.predict_others((coordinates * &turned.gains(*alpha).insert_axis(Axis(1))).view())
                };
                grid.iter().map(under).collect()
            })
            .collect();
        let judged: Vec<Option<PartFit<S>>> = places
            .par_iter()
            .zip(index)
            .zip(&works)
            .map(|((places, index), works)| {
                let mut predictions = Array2::from_elem(y.dim(), f64::NAN);
                for (fold, turned) in outer.iter().enumerate() {
                    let (targets, coordinates) = &coordinates[fold];
                    let predicted = predict(turned, coordinates, &grids[fold], &index[fold], &full[fold], places);
                    let Ok(predicted) = predicted else {
                        works.store(false, Ordering::Relaxed);
                        return None;
                    };
                    for (&row, values) in turned.trained.others.iter().zip(predicted.rows()) {
                        let mut to = predictions.row_mut(row);
                        to.assign(&values);
                        to.iter_mut().zip(&targets.mean).for_each(|(to, mean)| *to += mean);
                    }
                }
                without_unusable(&mut predictions, &reasons);
                let choices = Choices { grids: grids.clone(), index };
                let (alpha, alpha_at_edge) = choices.summary(data.options, &reasons);
                if n_done + 1 == n_blocks {
                    part_done();
                }
                Some(PartFit { scores: judge(predictions.view(), y), alpha, alpha_at_edge })
            })
            .collect();
        for (done, judged) in done.iter_mut().zip(judged) {
            if let Some(judged) = judged {
                done.scores.extend(judged.scores);
                done.alpha.extend(judged.alpha);
                done.alpha_at_edge.extend(judged.alpha_at_edge);
            }
        }
    }
    Ok(done.into_iter().zip(works).map(|(fit, works)| works.into_inner().then_some(fit)).collect())
}

/// Adds a share of the errors of every set under every penalty, `alphas x v` each.
fn add_errors(
    errors: &mut [Array2<f64>],
    turned: &Turned,
    grid: &[f64],
    places: &[Vec<usize>],
    works: &[AtomicBool],
    share: f64,
    step: impl Fn(f64) -> Step,
) {
    for (place, &alpha) in grid.iter().enumerate() {
        let step = step(alpha);
        errors.par_iter_mut().zip(places).zip(works).for_each(|((errors, places), works)| {
            match step.errors_without(turned, places) {
                Ok(more) => errors.row_mut(place).iter_mut().zip(more).for_each(|(sum, more)| *sum += share * more),
                Err(_) => works.store(false, Ordering::Relaxed),
            }
        });
    }
}

/// Predictions of the others without the features in these places, every voxel under its own penalty, as deviations
/// from the training means.
fn predict(
    turned: &Turned,
    coordinates: &Array2<f64>,
    grid: &[f64],
    index: &[usize],
    full: &[Array2<f64>],
    places: &[usize],
) -> Result<Array2<f64>, LinearAlgebraError> {
    let mut predictions = Array2::zeros((turned.trained.others.len(), index.len()));
    let units = turned.units.select(Axis(0), places);
    let others = turned.others.as_ref().map(|others| others.select(Axis(0), places));
    for (i, &alpha) in grid.iter().enumerate() {
        let voxels: Vec<usize> = (0..index.len()).filter(|&voxel| index[voxel] == i).collect();
        if voxels.is_empty() {
            continue;
        }
        let gains = turned.gains(alpha);
        let t = turned.capacitance(&gains, alpha, places)?;
        let shrunk = &coordinates.select(Axis(1), &voxels) * &gains.view().insert_axis(Axis(1));
        let solved = t.solve(product(units.view(), shrunk.view()).view())?;
        let carrier = turned.carrier_of_others(&units, others.as_ref(), &gains, alpha);
        let lost = product(carrier.t(), solved.view());
        for (&voxel, lost) in voxels.iter().zip(lost.columns()) {
            predictions.column_mut(voxel).assign(&(&full[i].column(voxel) - &lost));
        }
    }
    Ok(predictions)
}
