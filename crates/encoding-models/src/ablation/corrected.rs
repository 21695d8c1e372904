//! Models without a few features, as corrections of the model of all.

use std::ops::Range;

use linear_algebra::{Cholesky, Gram, LinearAlgebraError, Real, gram, product};
use ndarray::{Array1, Array2, ArrayView2, Axis, ShapeBuilder, s};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

use super::axes::Axes;
use super::squares::residual_squares;
use super::{
    Choices, Data, OuterFold, Part, PartFit, Targets, VOXELS, blocks, chosen, unusable_voxels, without_unusable,
};
use crate::choice::smallest;
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

/// A quantity of all voxels under one penalty, and how it changes without some features: `base + sign carrier_S'
/// T^-1 moments_S`.
struct Step {
    alpha: f64,
    products: Products,
    /// v x rows.
    base: Array2<f64>,
    /// units x rows.
    carrier: Array2<f64>,
    /// units x v.
    moments: Array2<f64>,
    sign: f64,
    /// Where the quantity is a residual of a training row, to be divided by what its leverage leaves.
    left_over: Option<LeftOver>,
}

/// What leave-one-out knows of all features under one penalty. With `u` the squared weights of the rows there, sums
/// over rows of `u e^2` are for every set a quadratic form in as many numbers as it has features.
struct LeftOver {
    /// 1 minus the leverage of every row.
    left: Array1<f64>,
    /// Sums of `u e^2`, one per voxel.
    squares: Vec<f64>,
    /// units x v: sums of `u e` with the carrier.
    cross: Array2<f64>,
}

impl LeftOver {
    fn new(left: Array1<f64>, base: &Array2<f64>, carrier: &Array2<f64>) -> LeftOver {
        let inverse = left.mapv(|left| 1.0 / (left * left));
        let weighted = base * &inverse;
        let squares = weighted.rows().into_iter().zip(base.rows()).map(|(w, e)| w.dot(&e)).collect();
        LeftOver { left, squares, cross: product(carrier.view(), weighted.t()) }
    }
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
        let explained = product(shrunk.t(), rotation.target_basis().t());
        let base = if rotation.is_dual() { explained * alpha } else { &targets.centred.t() - &explained };
        let carrier = product((&turned.units * &gains).view(), rotation.target_basis().t());
        Step {
            alpha,
            products: Products::new(turned, &gains, sets),
            left_over: Some(LeftOver::new(rotation.left_over(alpha), &base, &carrier)),
            base,
            carrier,
            moments: product(turned.units.view(), shrunk.view()) * alpha,
            sign: 1.0,
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
        let base = product(shrunk.t(), turned.trained.rotation.other_basis().t()) - truth.t();
        let carrier = turned.carrier_of_others(&turned.units, turned.others.as_ref(), &gains, alpha);
        Step {
            alpha,
            products: Products::new(turned, &gains, sets),
            base,
            carrier,
            moments: product(turned.units.view(), shrunk.view()),
            sign: -1.0,
            left_over: None,
        }
    }

    fn capacitance(&self, turned: &Turned, places: &[usize]) -> Result<Cholesky, LinearAlgebraError> {
        match &self.products {
            Products::Shared(products) => turned.capacitance(products, self.alpha, places),
            Products::Rooted(rooted) => turned.own_capacitance(rooted, self.alpha, places),
        }
    }

    /// The correction for the set in these places.
    fn without(&self, turned: &Turned, places: &[usize]) -> Result<Correction, LinearAlgebraError> {
        let t = self.capacitance(turned, places)?;
        let carrier = self.carrier.select(Axis(0), places);
        let mut solved = self.moments.select(Axis(0), places);
        t.solve_columns(&mut solved)?;
        solved *= self.sign;
        let Some(all) = &self.left_over else { return Ok(Correction { carrier, solved, weights: None }) };
        // With T = L L', what the correction adds to a leverage is the square of L^-1 carrier.
        let mut white = carrier.clone();
        t.whiten_columns(&mut white)?;
        let mut left = vec![0.0; carrier.ncols()];
        white.rows().into_iter().for_each(|row| left.iter_mut().zip(row).for_each(|(sum, v)| *sum += v * v));
        left.iter_mut().zip(&all.left).for_each(|(sum, all)| *sum = 1.0 / (all + self.alpha * *sum));
        Ok(Correction { carrier, solved, weights: Some(left) })
    }

    /// Sums of squares of some voxels.
    fn errors(&self, correction: &Correction, voxels: &[usize]) -> Vec<f64> {
        let Correction { carrier, solved, weights } = correction;
        residual_squares(Some(&self.base), carrier.view(), |j, voxel| solved[(j, voxel)], weights.as_deref(), voxels)
    }

    /// What the leave-one-out error of every voxel is near, and what it is not below.
    ///
    /// The weights `w` without a set differ from those of all features by factors that are much alike, and with the
    /// latter the error would be a quadratic form: `sum w^2 e^2 >= min(w^2 / u) sum u e^2`.
    fn bounds(&self, correction: &Correction, places: &[usize]) -> Option<Bounds> {
        let (all, weights) = (self.left_over.as_ref()?, correction.weights.as_ref()?);
        let ratios: Vec<f64> = weights.iter().zip(&all.left).map(|(w, left)| (w * left).powi(2)).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let usual = ratios.iter().sum::<f64>() / ratios.len() as f64;
        let weighted = &correction.carrier / &all.left;
        let form = product(gram(weighted.view()).to_array().view(), correction.solved.view());
        let mut sums = all.squares.clone();
        let mut sizes = all.squares.clone();
        for ((solved, form), &place) in correction.solved.rows().into_iter().zip(form.rows()).zip(places) {
            let cross = all.cross.row(place);
            let voxels = sums.iter_mut().zip(&mut sizes).zip(solved).zip(form).zip(cross);
            for ((((sum, size), q), form), cross) in voxels {
                *sum += q * (2.0 * cross + form);
                *size += (2.0 * q * cross).abs() + (q * form).abs();
            }
        }
        let near = sums.iter().map(|sum| usual * sum).collect();
        let above = sums.iter().zip(&sizes).map(|(sum, size)| least * (sum - CLEARLY * size)).collect();
        Some(Bounds { near, above })
    }
}

/// How far a bound must be from an error, in parts of the terms it is made of: far above rounding.
const CLEARLY: f64 = 1e-9;

/// One set of features under one penalty.
struct Correction {
    /// m x rows.
    carrier: Array2<f64>,
    /// m x v: `sign T^-1 moments`.
    solved: Array2<f64>,
    /// One per row: 1 over 1 minus its leverage.
    weights: Option<Vec<f64>>,
}

/// One per voxel each.
struct Bounds {
    near: Vec<f64>,
    above: Vec<f64>,
}

/// Writes leave-one-out errors of a set under some penalties, from the place `first` on of `errors` (`alphas x v`,
/// infinite where nothing was computed): of every voxel those that may be the smallest of all so far.
fn add_smallest(
    steps: &[Step],
    first: usize,
    turned: &Turned,
    places: &[usize],
    errors: &mut Array2<f64>,
) -> Result<(), LinearAlgebraError> {
    let corrections = steps.iter().map(|step| step.without(turned, places)).collect::<Result<Vec<_>, _>>()?;
    let bounds: Vec<Bounds> =
        steps.iter().zip(&corrections).filter_map(|(step, correction)| step.bounds(correction, places)).collect();
    let v = errors.ncols();
    // A voxel with NaN has no guess.
    let guesses: Vec<Option<usize>> = (0..v).map(|v| smallest(bounds.iter().map(|bounds| bounds.near[v]))).collect();
    for guessed in [true, false] {
        let best: Vec<f64> =
            errors.columns().into_iter().map(|column| column.iter().copied().fold(f64::INFINITY, f64::min)).collect();
        for (a, bounds) in bounds.iter().enumerate() {
            let is_asked = |v: &usize| {
                let is_above = bounds.above[*v] > best[*v] * (1.0 + CLEARLY);
                guesses[*v].is_some_and(|guess| (guess == a) == guessed) && !is_above
            };
            let asked: Vec<usize> = (0..v).filter(is_asked).collect();
            let found = steps[a].errors(&corrections[a], &asked);
            asked.iter().zip(found).for_each(|(&v, found)| errors[(first + a, v)] = found);
        }
    }
    Ok(())
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
    judge: &(impl Fn(Range<usize>, ArrayView2<f64>, ArrayView2<U>) -> Vec<S> + Sync),
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
        let y = data.y.slice(s![.., block.clone()]);
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
                errors.iter_mut().for_each(|errors| errors.fill(f64::INFINITY));
                let of = |&alpha: &f64| Step::leave_one_out(turned, targets, coordinates, alpha, &places);
                let (rows, v) = targets.centred.dim();
                let size = (units.len() + v) * rows + 2 * units.len() * v;
                let n_chunks = (grid.len() * size).div_ceil(ROOM).clamp(1, grid.len());
                let n = grid.len().div_ceil(n_chunks);
                // From the strongest on, where most are chosen that predict little.
                for (chunk, alphas) in grid.chunks(n).enumerate().rev() {
                    let steps: Vec<Step> = alphas.iter().map(of).collect();
                    errors.par_iter_mut().zip(&places).zip(&works).for_each(|((errors, places), works)| {
                        if add_smallest(&steps, chunk * n, turned, places, errors).is_err() {
                            works.store(false, Ordering::Relaxed);
                        }
                    });
                }
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
                // What is scored voxel by voxel is held voxel by voxel.
                let mut predictions = Array2::from_elem(y.dim().f(), f64::NAN);
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
                Some(PartFit { scores: judge(block.clone(), predictions.view(), y), alpha, alpha_at_edge })
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
            let all: Vec<usize> = (0..errors.ncols()).collect();
            match step.without(turned, places).map(|correction| step.errors(&correction, &all)) {
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
