//! Models without a few features, as corrections of the model of all.

use linear_algebra::{Cholesky, Gram, LinearAlgebraError, Panels, Real, gram, product, residual_squares};
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

/// Numbers that may be held for the predictions of all sets: 256 MB.
const ROOM: usize = 1 << 25;

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

    /// units x k: whose products are all there is in `T`.
    fn rooted(&self, gains: &Array1<f64>) -> Array2<f64> {
        &self.units * &gains.mapv(f64::sqrt)
    }

    /// `T` from the products of [`Turned::rooted`], of which those of the units in these places are wanted.
    fn capacitance(&self, products: &Gram, alpha: f64, places: &[usize]) -> Result<Cholesky, LinearAlgebraError> {
        let mut t = Array2::zeros((places.len(), places.len()));
        let dual = self.trained.rotation.is_dual();
        for (i, mut row) in t.rows_mut().into_iter().enumerate() {
            // Only the lower triangle is read.
            for (j, to) in row.iter_mut().enumerate().take(i + 1) {
                let product = products.get(places[i], places[j]);
                *to = match dual {
                    // alpha M_SS, in which nothing cancels.
                    false => alpha * product,
                    true => f64::from(i == j) - product,
                };
            }
        }
        Cholesky::new(t.view())
    }

    /// `T` of one set alone.
    fn own_capacitance(
        &self,
        rooted: &Array2<f64>,
        alpha: f64,
        places: &[usize],
    ) -> Result<Cholesky, LinearAlgebraError> {
        let products = gram(rooted.select(Axis(0), places).view());
        self.capacitance(&products, alpha, &(0..places.len()).collect::<Vec<usize>>())
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

/// A quantity of all voxels under one penalty, and how it changes without some features: `base + sign carrier_S T^-1
/// moments_S'`.
struct Step {
    alpha: f64,
    products: Products,
    /// rows x v.
    base: Panels,
    /// rows x units.
    carrier: Array2<f64>,
    /// v x units.
    moments: Array2<f64>,
    sign: f64,
    /// 1 minus the leverage of every row, where the quantity is a residual of a training row.
    left_over: Option<Array1<f64>>,
}

/// What every set takes its `T` from.
enum Products {
    /// Of all units with one another, where that is less work than of every set by itself.
    Shared(Gram),
    /// units x k.
    Rooted(Array2<f64>),
}

impl Products {
    fn new(turned: &Turned, gains: &Array1<f64>, sets: &[Vec<usize>]) -> Products {
        let rooted = turned.rooted(gains);
        let alone: usize = sets.iter().map(|set| set.len() * set.len()).sum();
        match rooted.nrows() * rooted.nrows() < alone {
            true => Products::Shared(gram(rooted.view())),
            false => Products::Rooted(rooted),
        }
    }
}

impl Step {
    /// Residuals of the training rows, to be divided by what their leverage leaves.
    fn leave_one_out(
        turned: &Turned,
        targets: &Targets,
        coordinates: &Array2<f64>,
        alpha: f64,
        sets: &[Vec<usize>],
    ) -> Step {
        let rotation = &turned.trained.rotation;
        let gains = turned.gains(alpha);
        let shrunk = coordinates * &gains.view().insert_axis(Axis(1));
        let explained = product(rotation.target_basis().view(), shrunk.view());
        let base = if rotation.is_dual() { explained * alpha } else { &targets.centred - &explained };
        Step {
            alpha,
            products: Products::new(turned, &gains, sets),
            base: Panels::new(base.view()),
            carrier: product(rotation.target_basis().view(), (&turned.units * &gains).t()),
            moments: product(shrunk.t(), turned.units.t()) * alpha,
            sign: 1.0,
            left_over: Some(rotation.left_over(alpha)),
        }
    }

    /// What predictions of the others, as deviations from the training means, are above `truth`.
    fn held_out(
        turned: &Turned,
        truth: &Array2<f64>,
        coordinates: &Array2<f64>,
        alpha: f64,
        sets: &[Vec<usize>],
    ) -> Step {
        let gains = turned.gains(alpha);
        let shrunk = coordinates * &gains.view().insert_axis(Axis(1));
        let base = turned.trained.rotation.predict_others(shrunk.view()) - truth;
        let carrier = turned.carrier_of_others(&turned.units, turned.others.as_ref(), &gains, alpha);
        Step {
            alpha,
            products: Products::new(turned, &gains, sets),
            base: Panels::new(base.view()),
            carrier: carrier.t().as_standard_layout().into_owned(),
            moments: product(shrunk.t(), turned.units.t()),
            sign: -1.0,
            left_over: None,
        }
    }

    /// The sums of squares without the units in these places, one per voxel. With `T = L L'` the correction is a
    /// product of `L^-1 carrier_S'` and `L^-1 moments_S'`, and what it adds to a leverage is the square of the first.
    fn errors_without(&self, turned: &Turned, places: &[usize]) -> Result<Vec<f64>, LinearAlgebraError> {
        let t = match &self.products {
            Products::Shared(products) => turned.capacitance(products, self.alpha, places)?,
            Products::Rooted(rooted) => turned.own_capacitance(rooted, self.alpha, places)?,
        };
        let mut carrier = gather_columns(&self.carrier, places);
        t.whiten_rows(&mut carrier)?;
        let mut moments = gather_columns(&self.moments, places);
        t.whiten_rows(&mut moments)?;
        moments *= self.sign;
        let weights: Option<Vec<f64>> = self.left_over.as_ref().map(|left_over| {
            let rows = carrier.rows().into_iter().zip(left_over);
            rows.map(|(row, left)| 1.0 / (left + self.alpha * row.dot(&row))).collect()
        });
        Ok(residual_squares(Some(&self.base), carrier.view(), moments.t(), weights.as_deref()))
    }
}

fn gather_columns(matrix: &Array2<f64>, columns: &[usize]) -> Array2<f64> {
    let mut out = Array2::zeros((matrix.nrows(), columns.len()));
    for (mut to, from) in out.rows_mut().into_iter().zip(matrix.rows()) {
        to.iter_mut().zip(columns).for_each(|(to, &column)| *to = from[column]);
    }
    out
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
                let step = |alpha: f64| Step::leave_one_out(turned, targets, coordinates, alpha, &places);
                add_errors(&mut errors, turned, grid, &places, &works, 1.0, step);
            }
            for trained in fold.inner.iter().filter(|_| grid.len() > 1) {
                let turned = Turned::new(trained, data.x, &units);
                let targets = Targets::of(y, &trained.train);
                let coordinates = trained.rotation.coordinates(targets.centred.view());
                let truth = targets.others(y, &trained.others);
                let step = |alpha: f64| Step::held_out(&turned, &truth, &coordinates, alpha, &places);
                // Every inner fold counts alike, however many rows it has.
                let share = 1.0 / trained.others.len() as f64;
                add_errors(&mut errors, &turned, grid, &places, &works, share, step);
            }
            for (index, errors) in index.iter_mut().zip(&errors) {
                index.push(chosen(errors));
            }
        }
        let mut room = ROOM;
        let predictors: Vec<Predictor> = (0..outer.len())
            .map(|fold| {
                let chosen = index.iter().map(|index| index[fold].as_slice());
                Predictor::new(&outer[fold], &coordinates[fold].1, &grids[fold], &places, chosen, &mut room)
            })
            .collect();
        let judged: Vec<Option<PartFit<S>>> = places
            .par_iter()
            .zip(index)
            .zip(&works)
            .map(|((places, index), works)| {
                let mut predictions = Array2::from_elem(y.dim(), f64::NAN);
                for (fold, predictor) in predictors.iter().enumerate() {
                    let targets = &coordinates[fold].0;
                    let predicted = predictor.predict(&index[fold], places);
                    let Ok(predicted) = predicted else {
                        works.store(false, Ordering::Relaxed);
                        return None;
                    };
                    for (&row, values) in predictor.turned.trained.others.iter().zip(predicted.rows()) {
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

/// What the predictions of the others are made of under every penalty of a fold.
struct Predictor<'a> {
    turned: &'a Turned<'a>,
    coordinates: &'a Array2<f64>,
    grid: &'a [f64],
    /// By all features, n_others x v; empty where no set has chosen the penalty.
    full: Vec<Array2<f64>>,
    /// units x n_others, where enough sets have chosen the penalty.
    carriers: Vec<Option<Array2<f64>>>,
}

impl<'a> Predictor<'a> {
    /// `index`: the choices of every set; `room`: how many numbers may be held.
    fn new<'i>(
        turned: &'a Turned<'a>,
        coordinates: &'a Array2<f64>,
        grid: &'a [f64],
        sets: &[Vec<usize>],
        index: impl Iterator<Item = &'i [usize]>,
        room: &mut usize,
    ) -> Predictor<'a> {
        // Units of all sets that have chosen each penalty.
        let mut wanted = vec![0; grid.len()];
        for (index, set) in index.zip(sets) {
            (0..grid.len()).filter(|i| index.contains(i)).for_each(|i| wanted[i] += set.len());
        }
        let rotation = &turned.trained.rotation;
        let size = turned.units.nrows() * turned.trained.others.len();
        let mut predictor = Predictor { turned, coordinates, grid, full: Vec::new(), carriers: Vec::new() };
        for (&alpha, wanted) in grid.iter().zip(wanted) {
            let gains = turned.gains(alpha);
            predictor.full.push(match wanted {
                0 => Array2::zeros((0, 0)),
                _ => rotation.predict_others((coordinates * &gains.view().insert_axis(Axis(1))).view()),
            });
            let is_shared = wanted > turned.units.nrows() && *room >= size;
            *room -= if is_shared { size } else { 0 };
            let carrier = || turned.carrier_of_others(&turned.units, turned.others.as_ref(), &gains, alpha);
            predictor.carriers.push(is_shared.then(carrier));
        }
        predictor
    }

    /// Predictions without the features in these places, every voxel under its own penalty, as deviations from the
    /// training means.
    fn predict(&self, index: &[usize], places: &[usize]) -> Result<Array2<f64>, LinearAlgebraError> {
        let turned = self.turned;
        let mut predictions = Array2::zeros((turned.trained.others.len(), index.len()));
        let units = turned.units.select(Axis(0), places);
        for (i, &alpha) in self.grid.iter().enumerate() {
            let voxels: Vec<usize> = (0..index.len()).filter(|&voxel| index[voxel] == i).collect();
            if voxels.is_empty() {
                continue;
            }
            let gains = turned.gains(alpha);
            let products = gram((&units * &gains.mapv(f64::sqrt)).view());
            let t = turned.capacitance(&products, alpha, &(0..places.len()).collect::<Vec<usize>>())?;
            let shrunk = gather_columns(self.coordinates, &voxels) * gains.view().insert_axis(Axis(1));
            let solved = t.solve(product(units.view(), shrunk.view()).view())?;
            let carrier = match &self.carriers[i] {
                Some(carrier) => carrier.select(Axis(0), places),
                None => {
                    let others = turned.others.as_ref().map(|others| others.select(Axis(0), places));
                    turned.carrier_of_others(&units, others.as_ref(), &gains, alpha)
                }
            };
            let lost = product(carrier.t(), solved.view());
            for ((mut to, full), lost) in predictions.rows_mut().into_iter().zip(self.full[i].rows()).zip(lost.rows()) {
                voxels.iter().zip(lost).for_each(|(&voxel, lost)| to[voxel] = full[voxel] - lost);
            }
        }
        Ok(predictions)
    }
}
