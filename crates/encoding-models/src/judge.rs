use std::borrow::Cow;
use std::cell::Cell;
use std::sync::OnceLock;

use linear_algebra::{Real, add_mixtures, cross_product, plain_product};
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut1, Axis, s};
use rayon::prelude::*;

use crate::choice::ChooseBy;
use crate::columns::{centre, select_columns, weighted_squares};
use crate::mixes::{Group, Mixes};
use crate::rotation::Rotation;

/// How far a filter factor may be from a mix of others before its own product is made: below the rounding of products
/// in `f32`, and in `f64`.
const MIXED_F4: f64 = 1e-8;
const MIXED_F8: f64 = 1e-14;

/// Held-out rows whose products are held at once; a whole number of the rows that products are made of.
const ROWS: usize = 288;

/// The decomposition of an inner fold.
pub(crate) struct Turned {
    pub rotation: Rotation,
    /// Arrays of the rotation in `f32`, instead of those.
    pub narrow: Option<Narrow>,
    /// The mixes of the penalties that were asked for first, which are nearly always the same.
    mixes: OnceLock<(Vec<f64>, Mixes)>,
}

/// What penalties are judged by in `f32`.
pub(crate) struct Narrow {
    pub others: Array2<f32>,
    /// Of the dual side alone, where a rounding error of a coordinate reaches a prediction times `l / (l + alpha)`, at
    /// most 1; on the primal side the factor is `sqrt(l) / (l + alpha)`, without bound for small penalties.
    pub basis: Option<Array2<f32>>,
}

impl Turned {
    /// `narrow`: whether penalties are judged in `f32`.
    pub fn new(mut rotation: Rotation, narrow: bool) -> Turned {
        let narrow = narrow.then(|| {
            let round = |array: &mut Array2<f64>| std::mem::take(array).mapv(|v| v as f32);
            let basis = rotation.dual.then(|| round(&mut rotation.basis));
            Narrow { others: round(&mut rotation.others), basis }
        });
        Turned { rotation, narrow, mixes: OnceLock::new() }
    }

    /// [`Rotation::coordinates`].
    pub fn coordinates(&self, right: ArrayView2<f64>) -> Array2<f64> {
        match &self.narrow {
            Some(Narrow { basis: Some(basis), .. }) => cross_product(basis.view(), right.mapv(|v| v as f32).view()),
            _ => self.rotation.coordinates(right),
        }
    }

    fn mixes(&self, alphas: &[f64]) -> Cow<'_, Mixes> {
        let tolerance = if self.narrow.is_some() { MIXED_F4 } else { MIXED_F8 };
        let make = || Mixes::of(&self.rotation.eigenvalues, alphas, tolerance);
        match self.mixes.get_or_init(|| (alphas.to_vec(), make())) {
            (of, mixes) if of == alphas => Cow::Borrowed(mixes),
            _ => Cow::Owned(make()),
        }
    }
}

/// One inner fold's share of a block: what every penalty is judged by.
pub(crate) struct Judge<'r> {
    pub turned: &'r Turned,
    /// k x v.
    pub coordinates: Array2<f64>,
    /// n_held x v: held-out responses minus the mean of the kept ones.
    pub truth: Array2<f64>,
    /// One per held-out row.
    pub weights: Vec<f64>,
}

impl Judge<'_> {
    /// Adds this fold's loss under every penalty, where it has one.
    pub fn add_losses(
        &self,
        choose_by: ChooseBy,
        alphas: &[f64],
        columns: &[usize],
        sums: &mut Array2<f64>,
        counts: &mut Array2<f64>,
    ) {
        if columns.is_empty() {
            return;
        }
        let mut truth = select_columns(&self.truth, columns);
        let total: f64 = self.weights.iter().sum();
        let spread = (choose_by != ChooseBy::Mse).then(|| {
            let mut centred = truth.clone().into_owned();
            centre(&mut centred, self.weights.iter().copied());
            let squares = weighted_squares(&centred, &self.weights);
            if choose_by == ChooseBy::R {
                truth = Cow::Owned(centred);
            }
            squares
        });
        let add = |row: usize, predictions: &[f64], tallies: &mut [Tally]| {
            for (tally, predictions) in tallies.iter_mut().zip(predictions.chunks_exact(columns.len())) {
                tally.add(choose_by, predictions, truth.row(row), self.weights[row]);
            }
        };
        let tallies = match &self.turned.narrow {
            Some(narrow) => self.tallies(narrow.others.view(), alphas, columns, add),
            None => self.tallies(self.turned.rotation.others.view(), alphas, columns, add),
        };
        for ((mut sums, mut counts), tally) in sums.rows_mut().into_iter().zip(counts.rows_mut()).zip(tallies) {
            add_finite(&mut sums, &mut counts, &tally.losses(choose_by, total, spread.as_deref()));
        }
    }

    /// Calls `add` for every held-out row with its predictions under all penalties (`n_alphas x v`, one after the
    /// other), and adds up what it tallies.
    fn tallies<T: Kept>(
        &self,
        others: ArrayView2<T>,
        alphas: &[f64],
        columns: &[usize],
        add: impl Fn(usize, &[f64], &mut [Tally]) + Sync,
    ) -> Vec<Tally> {
        let (mixes, v) = (self.turned.mixes(alphas), columns.len());
        let mut shrunk = T::take_factors();
        shrunk
            .resize(mixes.groups.iter().map(|group| group.axes.len() * group.multiplied.len() * v).sum(), T::default());
        let mut rest = shrunk.as_mut_slice();
        let mut factors: Vec<(&Group, ArrayView2<T>)> = Vec::new();
        for group in &mixes.groups {
            let own: Vec<f64> = group.multiplied.iter().map(|&a| alphas[a]).collect();
            let (out, behind) = rest.split_at_mut(group.axes.len() * own.len() * v);
            rest = behind;
            self.turned.rotation.shrink_side_by_side(self.coordinates.view(), group.axes.clone(), &own, columns, out);
            if let Ok(view) = ArrayView2::from_shape((group.axes.len(), own.len() * v), out) {
                factors.push((group, view));
            }
        }
        let tally = |(chunk, others): (usize, ArrayView2<T>)| {
            let mut tallies = vec![Tally::new(v); alphas.len()];
            let mut parts = T::take_parts();
            let mut predictions = vec![0.0; alphas.len() * v];
            let n = others.nrows();
            parts.resize(n * factors.iter().map(|(_, factor)| factor.ncols()).sum::<usize>(), T::default());
            let mut rest = parts.as_mut_slice();
            for (group, factor) in &factors {
                let (out, behind) = rest.split_at_mut(n * factor.ncols());
                rest = behind;
                plain_product(others.slice(s![.., group.axes.clone()]), factor.view(), out);
            }
            for row in 0..n {
                predictions.fill(0.0);
                let mut first = 0;
                for (group, factor) in &factors {
                    let width = factor.ncols();
                    let own = &parts[first + row * width..first + (row + 1) * width];
                    first += n * width;
                    if let Some(shares) = group.shares.as_slice() {
                        add_mixtures(&mut predictions, alphas.len(), shares, own);
                    }
                }
                add(chunk * ROWS + row, &predictions, &mut tallies);
            }
            T::keep_parts(parts);
            tallies
        };
        let chunks: Vec<(usize, ArrayView2<T>)> = others.axis_chunks_iter(Axis(0), ROWS).enumerate().collect();
        let of_chunks: Vec<Vec<Tally>> = chunks.into_par_iter().map(tally).collect();
        drop(factors);
        T::keep_factors(shrunk);
        // In the order of the rows, whichever chunk was ready first.
        let mut sums = vec![Tally::new(v); alphas.len()];
        of_chunks.iter().for_each(|tallies| sums.iter_mut().zip(tallies).for_each(|(sum, part)| sum.merge(part)));
        sums
    }
}

/// Memory that a thread keeps from block to block: taking fresh pages each time costs more than what is written to
/// them. It is taken while it is used, since a thread that waits for others may begin another block.
trait Kept: Real {
    fn take_factors() -> Vec<Self>;
    fn keep_factors(memory: Vec<Self>);
    fn take_parts() -> Vec<Self>;
    fn keep_parts(memory: Vec<Self>);
}

macro_rules! kept {
    ($number:ty, $factors:ident, $parts:ident) => {
        thread_local! {
            static $factors: Cell<Vec<$number>> = const { Cell::new(Vec::new()) };
            static $parts: Cell<Vec<$number>> = const { Cell::new(Vec::new()) };
        }

        impl Kept for $number {
            fn take_factors() -> Vec<$number> {
                $factors.take()
            }

            fn keep_factors(memory: Vec<$number>) {
                $factors.set(memory);
            }

            fn take_parts() -> Vec<$number> {
                $parts.take()
            }

            fn keep_parts(memory: Vec<$number>) {
                $parts.set(memory);
            }
        }
    };
}

kept!(f32, FACTORS_F4, PARTS_F4);
kept!(f64, FACTORS_F8, PARTS_F8);

/// Sums over held-out rows for one penalty, one per voxel.
#[derive(Clone)]
struct Tally {
    /// Squared errors, or with correlations products of predictions and centred responses.
    first: Vec<f64>,
    /// Of predictions, with correlations.
    sum: Vec<f64>,
    squares: Vec<f64>,
}

impl Tally {
    fn new(n: usize) -> Tally {
        Tally { first: vec![0.0; n], sum: vec![0.0; n], squares: vec![0.0; n] }
    }

    /// Adds what other rows gave.
    fn merge(&mut self, other: &Tally) {
        for (sums, others) in
            [(&mut self.first, &other.first), (&mut self.sum, &other.sum), (&mut self.squares, &other.squares)]
        {
            sums.iter_mut().zip(others).for_each(|(sum, v)| *sum += v);
        }
    }

    fn add(&mut self, choose_by: ChooseBy, predictions: &[f64], truth: ArrayView1<f64>, weight: f64) {
        if choose_by == ChooseBy::R {
            for ((((first, sum), squares), p), t) in
                self.first.iter_mut().zip(&mut self.sum).zip(&mut self.squares).zip(predictions).zip(truth)
            {
                *first += weight * p * t;
                *sum += weight * p;
                *squares += weight * p * p;
            }
        } else {
            for ((first, p), t) in self.first.iter_mut().zip(predictions).zip(truth) {
                *first += weight * (p - t) * (p - t);
            }
        }
    }

    fn losses(&self, choose_by: ChooseBy, total: f64, spread: Option<&[f64]>) -> Vec<f64> {
        let of = |v: usize| match (choose_by, spread) {
            (ChooseBy::R, Some(spread)) => {
                let own = self.squares[v] - self.sum[v] * self.sum[v] / total;
                -self.first[v] / (own * spread[v]).sqrt()
            }
            (_, Some(spread)) => self.first[v] / spread[v] - 1.0,
            (_, None) => self.first[v] / total,
        };
        (0..self.first.len()).map(of).collect()
    }
}

fn add_finite(sums: &mut ArrayViewMut1<f64>, counts: &mut ArrayViewMut1<f64>, losses: &[f64]) {
    let sums = sums.iter_mut().zip(counts.iter_mut()).zip(losses);
    for ((sum, count), loss) in sums.filter(|(_, loss)| loss.is_finite()) {
        *sum += loss;
        *count += 1.0;
    }
}
