//! Cross-validated distances: differences of patterns in one fold times the same differences in another.

use linear_algebra::{Gram, GramAccumulator, PANEL, Real, product};
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use statistics::Reason;

use crate::distance::{
    CHEAP, Distances, Erased, F32_ROUNDING, Patterns, UnusableRow, add_contrasts, blocks, by_row, centre_columns,
    check_shape, many_agree, mark_unusable, settle,
};
use crate::matrix::n_pairs;
use crate::{Rdm, RdmError};

mod correlation;
mod design;
mod fold_noise;
mod stimulus_noise;

pub use correlation::correlation_cv;
pub use design::{Design, FoldWeights};
pub use fold_noise::crossnobis_of_folds;
pub use stimulus_noise::stimulus_covariance;

/// What rates are before their logarithm is taken: `(x + rate * weight) / (1 + weight)`, the mean of a gamma prior and
/// the count. rsatoolbox's `prior_lambda` and `prior_weight`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// Rate of the prior.
    pub rate: f64,
    /// Its weight in observations.
    pub weight: f64,
}

impl Default for Prior {
    fn default() -> Prior {
        Prior { rate: 1.0, weight: 0.1 }
    }
}

impl Prior {
    /// The rate for a count.
    #[inline]
    pub fn apply(self, count: f64) -> f64 {
        (count + self.rate * self.weight) / (1.0 + self.weight)
    }
}

/// Patterns with a prior put into them.
pub struct WithPrior<'a> {
    patterns: Erased<'a>,
    prior: Prior,
}

impl<'a> WithPrior<'a> {
    /// Every value of `patterns` becomes [`Prior::apply`] of it.
    pub fn new(patterns: impl Into<Erased<'a>>, prior: Prior) -> WithPrior<'a> {
        WithPrior { patterns: patterns.into(), prior }
    }
}

impl Patterns for WithPrior<'_> {
    type Value = f64;

    fn n_stimuli(&self) -> usize {
        self.patterns.n_stimuli()
    }

    fn n_units(&self) -> usize {
        self.patterns.n_units()
    }

    fn read(&self, row: usize, from: usize, out: &mut [f64]) -> Result<(), RdmError> {
        self.patterns.read(row, from, out)?;
        out.iter_mut().for_each(|v| *v = self.prior.apply(*v));
        Ok(())
    }
}

/// Cross-validated squared distances (crossnobis, where the patterns were whitened by their noise): the sum over
/// units of `(a_i - a_j) (b_i - b_j)`, `a` in one fold and `b` in another, averaged over pairs of folds. Unbiased, so
/// 0 on average where two conditions do not differ, and negative about half of the time there.
///
/// `patterns` are rows (presentations) x units. A condition with a row that holds `NaN` or infinity is unusable
/// (`nan_input`), as is one that is in a single fold (`too_few_repeats`); so is a pair without two folds in common.
/// Held are the triangle, and of a block of columns the rows and their means.
///
/// Walther et al. (2016), NeuroImage 137; Schuett et al. (2023), eLife 12.
pub fn crossnobis<'a>(
    patterns: impl Into<Erased<'a>>,
    design: &Design,
    weights: FoldWeights,
) -> Result<Distances, RdmError> {
    crossnobis_of(patterns.into(), design, weights)
}

fn crossnobis_of(patterns: Erased, design: &Design, weights: FoldWeights) -> Result<Distances, RdmError> {
    let unusable = check(patterns, design)?;
    let values = match weights {
        FoldWeights::Folds if design.is_complete() => complete_folds(patterns, design)?,
        FoldWeights::Folds => by_common_folds(patterns, design, &unusable, None)?,
        FoldWeights::Pairs => by_pairs(patterns, design)?,
    };
    finish(values, unusable)
}

/// The cross-validated symmetrized Kullback-Leibler divergence of Poisson rates: the sum over units of
/// `(a_i - a_j) (ln b_i - ln b_j)`, `a` in one fold and `b` in another, averaged over ordered pairs of folds.
///
/// With [`FoldWeights::Folds`] counts are averaged within a fold and then get the prior, with [`FoldWeights::Pairs`]
/// each row does. A rate that is not positive is [`RdmError::NotARate`].
pub fn poisson_cv<'a>(
    patterns: impl Into<Erased<'a>>,
    design: &Design,
    weights: FoldWeights,
    prior: Prior,
) -> Result<Distances, RdmError> {
    poisson_cv_of(patterns.into(), design, weights, prior)
}

fn poisson_cv_of(patterns: Erased, design: &Design, weights: FoldWeights, prior: Prior) -> Result<Distances, RdmError> {
    let unusable = check(patterns, design)?;
    let values = match weights {
        FoldWeights::Folds => by_common_folds(patterns, design, &unusable, Some(prior))?,
        FoldWeights::Pairs => rates_by_pairs(patterns, design, &unusable, prior)?,
    };
    finish(values, unusable)
}

/// The conditions that cannot be used. Nothing is multiplied before this.
fn check(patterns: Erased, design: &Design) -> Result<Vec<Option<Reason>>, RdmError> {
    let n_rows = patterns.n_stimuli();
    assert_eq!(n_rows, design.condition.len(), "the design has a condition and a fold for every row");
    check_shape(design.n_conditions, patterns.n_units())?;
    let finite = (0..n_rows).into_par_iter().map_init(
        || vec![0.0; patterns.n_units()],
        |values, row| {
            patterns.read(row, 0, values)?;
            Ok(values.iter().all(|v| v.is_finite()))
        },
    );
    let finite: Vec<bool> = finite.collect::<Result<_, RdmError>>()?;
    let mut unusable: Vec<Option<Reason>> =
        (0..design.n_conditions).map(|c| (design.n_folds_of(c) < 2).then_some(Reason::TooFewRepeats)).collect();
    for (condition, _) in design.condition.iter().zip(finite).filter(|(_, finite)| !finite) {
        unusable[*condition] = Some(Reason::NanInput);
    }
    Ok(unusable)
}

fn finish(mut values: Vec<f64>, unusable: Vec<Option<Reason>>) -> Result<Distances, RdmError> {
    mark_unusable(&mut values, &unusable.iter().map(Option::is_some).collect::<Vec<bool>>());
    let unusable = unusable.into_iter().enumerate();
    let unusable = unusable.filter_map(|(row, reason)| reason.map(|reason| UnusableRow { row, reason })).collect();
    Ok(Distances { rdm: Rdm::from_condensed(values, None)?, unusable })
}

/// The sums over presentations, fold by fold, in a block of columns; the memory is used again for the next block.
struct Sums<'a> {
    patterns: Erased<'a>,
    design: &'a Design,
    /// The rows of condition `c` in fold `f` at `f * n_conditions + c`.
    rows: Vec<Vec<usize>>,
    /// `n_conditions x width` for every fold.
    folds: Vec<Array2<f64>>,
}

impl<'a> Sums<'a> {
    fn new(patterns: Erased<'a>, design: &'a Design) -> Sums<'a> {
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); design.counts.len()];
        for (row, (c, f)) in design.condition.iter().zip(&design.fold).enumerate() {
            rows[f * design.n_conditions + c].push(row);
        }
        Sums { patterns, design, rows, folds: Vec::new() }
    }

    /// Columns that are held of all sums.
    fn pieces(&self) -> impl Iterator<Item = (usize, usize)> + use<'a> {
        blocks(self.design.counts.len(), 8, self.patterns.n_units())
    }

    /// Sums of `value` over the rows of a condition in a fold. Values that are not finite count as 0; their condition
    /// is unusable.
    fn of(
        &mut self,
        (from, width): (usize, usize),
        value: impl Fn(f64) -> f64 + Sync,
    ) -> Result<&mut Vec<Array2<f64>>, RdmError> {
        let n = self.design.n_conditions;
        if self.folds.first().is_none_or(|fold| fold.ncols() != width) {
            self.folds = vec![Array2::zeros((n, width)); self.design.n_folds];
        }
        let cells = self.folds.iter_mut().flat_map(|fold| fold.axis_iter_mut(Axis(0))).zip(&self.rows);
        let cells: Vec<_> = cells.collect();
        let patterns = self.patterns;
        cells.into_par_iter().try_for_each_init(
            || vec![0.0; width],
            |values, (mut sum, rows)| {
                sum.fill(0.0);
                for row in rows {
                    patterns.read(*row, from, values)?;
                    let values = values.iter().map(|v| if v.is_finite() { value(*v) } else { 0.0 });
                    sum.iter_mut().zip(values).for_each(|(sum, v)| *sum += v);
                }
                Ok::<(), RdmError>(())
            },
        )?;
        Ok(&mut self.folds)
    }

    /// The same as means; a condition that is not in a fold has 0 there.
    fn means(&mut self, piece: (usize, usize)) -> Result<&mut Vec<Array2<f64>>, RdmError> {
        let design = self.design;
        let folds = self.of(piece, |v| v)?;
        for (f, fold) in folds.iter_mut().enumerate() {
            for (c, mut row) in fold.rows_mut().into_iter().enumerate() {
                if design.count(c, f) > 1 {
                    row /= design.count(c, f) as f64;
                }
            }
        }
        Ok(folds)
    }
}

/// Pushes numbers in the width in which they are multiplied, copied only where that is not theirs.
fn push<T: Real>(gram: &mut GramAccumulator<T>, x: &Array2<f64>) {
    match (x as &dyn std::any::Any).downcast_ref::<Array2<T>>() {
        Some(same) => gram.push(same.view()),
        None => gram.push(x.mapv(T::from_f64).view()),
    }
}

/// `f32` is multiplied in `f32` only where that saves time and where not many distances look equal.
fn complete_folds(patterns: Erased, design: &Design) -> Result<Vec<f64>, RdmError> {
    let n = design.n_conditions;
    let n_products = n * n * patterns.n_units() * (design.n_folds + 1);
    if matches!(patterns, Erased::Single(_)) && n_products > CHEAP {
        let (values, sizes) = by_complete_folds::<f32>(patterns, design)?;
        if !many_agree(&values, n, |i, j, _| F32_ROUNDING * (sizes[i] + sizes[j])) {
            return Ok(values);
        }
    }
    let (mut values, sizes) = by_complete_folds::<f64>(patterns, design)?;
    let rounding = contrast_rounding(patterns, design);
    let bound = |i: usize, j: usize, _| rounding * (sizes[i] + sizes[j]);
    settle(&mut values, n, None, None, bound, bound);
    Ok(values)
}

/// What summing products over units and presentations costs, relative to the sums of squares that went in (Higham 2002,
/// section 3.1), and what values that are results of computations are off themselves.
fn contrast_rounding(patterns: Erased, design: &Design) -> f64 {
    let d = patterns.n_units();
    let n_terms = d.min(PANEL) + d / PANEL + design.condition.len() + 16;
    2.0 * n_terms as f64 * f64::EPSILON / 2.0 + 4.0 * patterns.rounding()
}

/// With every condition in every fold, the products of all pairs of different folds are those of the sums over folds
/// minus those within folds. Products are made in `T`. Also the sum of squares that each condition brought in, on the
/// scale of the values.
fn by_complete_folds<T: Real>(patterns: Erased, design: &Design) -> Result<(Vec<f64>, Vec<f64>), RdmError> {
    let n = design.n_conditions;
    let (mut together, mut within) = (GramAccumulator::<T>::new(n), GramAccumulator::<T>::new(n));
    let mut sums = Sums::new(patterns, design);
    for piece in sums.pieces() {
        let folds = sums.means(piece)?;
        folds.par_iter_mut().for_each(centre_columns);
        for fold in &*folds {
            push(&mut within, fold);
        }
        push(&mut together, total(folds));
    }
    let (together, within) = (together.finish(), within.finish());
    let n_ordered = (design.n_folds * (design.n_folds - 1)) as f64;
    let squared = |gram: &Gram, i: usize, j: usize| gram.get(i, i) + gram.get(j, j) - 2.0 * gram.get(i, j);
    let mut values = vec![0.0; n_pairs(n)];
    by_row(&mut values, n).into_par_iter().enumerate().for_each(|(i, row)| {
        for (value, j) in row.iter_mut().zip(i + 1..) {
            *value = (squared(&together, i, j) - squared(&within, i, j)) / n_ordered;
        }
    });
    let sizes = (0..n).map(|i| 2.0 * (together.get(i, i) + within.get(i, i)) / n_ordered).collect();
    Ok((values, sizes))
}

/// Fold by fold, for conditions that are missing somewhere and for rates, which are multiplied with logarithms.
fn by_common_folds(
    patterns: Erased,
    design: &Design,
    unusable: &[Option<Reason>],
    prior: Option<Prior>,
) -> Result<Vec<f64>, RdmError> {
    let (n, n_folds) = (design.n_conditions, design.n_folds);
    let mut values = vec![0.0; n_pairs(n)];
    // Sums of squares of all factors of each condition, for the bound on rounding.
    let mut sizes = vec![0.0; n];
    let present = |f: usize, c: usize| design.count(c, f) > 0;
    let mut sums = Sums::new(patterns, design);
    for piece in sums.pieces() {
        let folds = sums.means(piece)?;
        let mut others = None;
        if let Some(prior) = prior {
            let mut logs = Vec::with_capacity(n_folds);
            for (f, fold) in folds.iter_mut().enumerate() {
                to_rates(fold, prior, |c| present(f, c) && unusable[c].is_none())?;
                logs.push(fold.mapv(f64::ln));
            }
            others = Some(logs);
        }
        for fold in folds.iter().chain(others.iter().flatten()) {
            sizes.iter_mut().zip(fold.rows()).for_each(|(sum, row)| *sum += row.dot(&row));
        }
        for (f, fold) in folds.iter_mut().enumerate() {
            centre_present(fold, |c| present(f, c));
        }
        for (f, fold) in others.iter_mut().flatten().enumerate() {
            centre_present(fold, |c| present(f, c));
        }
        let mut add = |a: &Array2<f64>, b: &Array2<f64>, both: &(dyn Fn(usize) -> bool + Sync)| {
            add_where(&mut values, &product(a.view(), b.t()), both);
        };
        for f in 0..n_folds {
            for g in f + 1..n_folds {
                let both = |c: usize| present(f, c) && present(g, c);
                match &others {
                    None => add(&folds[f], &folds[g], &both),
                    Some(logs) => {
                        add(&folds[f], &logs[g], &both);
                        add(&folds[g], &logs[f], &both);
                    }
                }
            }
        }
    }
    per_common_pair(&mut values, design, if prior.is_some() { 2.0 } else { 1.0 });
    // A product is at most half the sum of two squares, and each factor is in fewer than n_folds products.
    let rounding = contrast_rounding(patterns, design) * n_folds as f64;
    let bound = |i: usize, j: usize, _| rounding * (sizes[i] + sizes[j]);
    settle(&mut values, n, None, None, bound, bound);
    Ok(values)
}

/// Sums over pairs of folds become means over those that have both conditions, each pair with so many products; `NaN`
/// where there is none.
fn per_common_pair(values: &mut [f64], design: &Design, products: f64) {
    let (n, n_folds) = (design.n_conditions, design.n_folds);
    let present = |f: usize, c: usize| design.count(c, f) > 0;
    by_row(values, n).into_par_iter().enumerate().for_each(|(i, row)| {
        for (value, j) in row.iter_mut().zip(i + 1..) {
            let common = (0..n_folds).filter(|f| present(*f, i) && present(*f, j)).count();
            *value = match common {
                0 | 1 => f64::NAN,
                _ => *value / (products * (common * (common - 1) / 2) as f64),
            };
        }
    });
}

fn add_where(values: &mut [f64], kernel: &Array2<f64>, both: &(dyn Fn(usize) -> bool + Sync)) {
    if (0..kernel.nrows()).all(both) {
        return add_contrasts(values, kernel, 1.0);
    }
    by_row(values, kernel.nrows()).into_par_iter().enumerate().filter(|(i, _)| both(*i)).for_each(|(i, row)| {
        for (value, j) in row.iter_mut().zip(i + 1..) {
            if both(j) {
                *value += kernel[(i, i)] + kernel[(j, j)] - kernel[(i, j)] - kernel[(j, i)];
            }
        }
    });
}

/// Means of counts become rates; conditions that are not used become 1, whose logarithm is harmless.
fn to_rates(fold: &mut Array2<f64>, prior: Prior, used: impl Fn(usize) -> bool) -> Result<(), RdmError> {
    for (c, mut row) in fold.rows_mut().into_iter().enumerate() {
        if !used(c) {
            row.fill(1.0);
            continue;
        }
        for value in &mut row {
            let count = *value;
            *value = prior.apply(count);
            if *value <= 0.0 {
                return Err(RdmError::NotARate { row: c, value: count });
            }
        }
    }
    Ok(())
}

/// Subtracts the mean over the conditions that are present, and leaves 0 where one is not.
fn centre_present(fold: &mut Array2<f64>, present: impl Fn(usize) -> bool) {
    let n_present = (0..fold.nrows()).filter(|c| present(*c)).count().max(1) as f64;
    let mut mean = ndarray::Array1::<f64>::zeros(fold.ncols());
    for (c, row) in fold.rows().into_iter().enumerate() {
        if present(c) {
            mean += &row;
        }
    }
    mean /= n_present;
    for (c, mut row) in fold.rows_mut().into_iter().enumerate() {
        if present(c) { row -= &mean } else { row.fill(0.0) }
    }
}

/// The sum over pairs of rows of different folds is that over all pairs minus that within folds.
fn by_pairs(patterns: Erased, design: &Design) -> Result<Vec<f64>, RdmError> {
    let n = design.n_conditions;
    let (mut together, mut within) = (GramAccumulator::<f64>::new(n), GramAccumulator::<f64>::new(n));
    let mut sums = Sums::new(patterns, design);
    for piece in sums.pieces() {
        let folds = sums.of(piece, |v| v)?;
        for fold in &*folds {
            push(&mut within, fold);
        }
        push(&mut together, total(folds));
    }
    let (together, within) = (together.finish(), within.finish());
    let sizes: Vec<f64> = (0..n).map(|i| together.get(i, i) + within.get(i, i)).collect();
    let rounding = contrast_rounding(patterns, design);
    Ok(from_similarities(design, &sizes, rounding, |i, j| together.get(i, j) - within.get(i, j)))
}

/// As rsatoolbox sums them: the similarity of two rows is `-1/2` times the sum of `(a - b) (ln a - ln b)`.
fn rates_by_pairs(
    patterns: Erased,
    design: &Design,
    unusable: &[Option<Reason>],
    prior: Prior,
) -> Result<Vec<f64>, RdmError> {
    let (n, n_folds) = (design.n_conditions, design.n_folds);
    let mut cross: Array2<f64> = Array2::zeros((n, n));
    // Sums of a ln a over units and rows, fold by condition.
    let mut own: Array2<f64> = Array2::zeros((n_folds, n));
    let mut sizes = vec![0.0; n];
    let mut sums = Sums::new(patterns, design);
    for piece in sums.pieces() {
        check_rates(patterns, design, unusable, prior, piece)?;
        // Rows of unusable conditions may hold anything.
        let rate = |v: f64| prior.apply(v).max(f64::MIN_POSITIVE);
        let mut rates = sums.of(piece, rate)?.clone();
        let mut logs = sums.of(piece, |v| rate(v).ln())?.clone();
        let products = sums.of(piece, |v| rate(v) * rate(v).ln())?;
        for f in 0..n_folds {
            cross -= &product(rates[f].view(), logs[f].t());
            own.row_mut(f).zip_mut_with(&products[f].sum_axis(Axis(1)), |sum, v| *sum += v);
        }
        let (rates, logs) = (total(&mut rates), total(&mut logs));
        for all in [rates, logs] {
            sizes.iter_mut().zip(all.rows()).for_each(|(sum, row)| *sum += row.dot(&row));
        }
        cross += &product(rates.view(), logs.t());
    }
    let rows_of = |c: usize| (0..n_folds).map(|f| design.count(c, f)).sum::<usize>();
    let all: Vec<usize> = (0..n).map(rows_of).collect();
    let rounding = contrast_rounding(patterns, design);
    Ok(from_similarities(design, &sizes, rounding, |i, j| {
        let own_terms: f64 = (0..n_folds)
            .map(|f| {
                own[(f, i)] * (all[j] - design.count(j, f)) as f64 + own[(f, j)] * (all[i] - design.count(i, f)) as f64
            })
            .sum();
        (cross[(i, j)] + cross[(j, i)] - own_terms) / 2.0
    }))
}

/// The sum over folds, in the memory of the first of them.
fn total(folds: &mut [Array2<f64>]) -> &Array2<f64> {
    let (first, others) = folds.split_at_mut(1);
    for other in others {
        first[0] += &*other;
    }
    &first[0]
}

fn check_rates(
    patterns: Erased,
    design: &Design,
    unusable: &[Option<Reason>],
    prior: Prior,
    (from, width): (usize, usize),
) -> Result<(), RdmError> {
    let mut values = vec![0.0; width];
    for (row, c) in design.condition.iter().enumerate().filter(|(_, c)| unusable[**c].is_none()) {
        patterns.read(row, from, &mut values)?;
        let smallest = values.iter().copied().fold(f64::INFINITY, f64::min);
        if prior.apply(smallest) <= 0.0 {
            return Err(RdmError::NotARate { row: *c, value: smallest });
        }
    }
    Ok(())
}

/// `s_ii + s_jj - 2 s_ij` with `s` the mean over pairs of rows of different folds, given the sums over them, and what
/// rounding is of the sums of squares `sizes` that went into those of each condition.
fn from_similarities(
    design: &Design,
    sizes: &[f64],
    rounding: f64,
    sum: impl Fn(usize, usize) -> f64 + Sync,
) -> Vec<f64> {
    let n = design.n_conditions;
    let n_pairs_of = |i: usize, j: usize| {
        let all = |c: usize| (0..design.n_folds).map(|f| design.count(c, f)).sum::<usize>();
        let same: usize = (0..design.n_folds).map(|f| design.count(i, f) * design.count(j, f)).sum();
        (all(i) * all(j) - same) as f64
    };
    // Without a pair 0 / 0 is NaN, which is what there is to say.
    let mean = |i: usize, j: usize| sum(i, j) / n_pairs_of(i, j);
    let own: Vec<f64> = (0..n).map(|i| mean(i, i)).collect();
    let mut values = vec![0.0; n_pairs(n)];
    by_row(&mut values, n).into_par_iter().enumerate().for_each(|(i, row)| {
        for (value, j) in row.iter_mut().zip(i + 1..) {
            *value = own[i] + own[j] - 2.0 * mean(i, j);
        }
    });
    let sizes: Vec<f64> = sizes.iter().enumerate().map(|(i, size)| size / n_pairs_of(i, i).max(1.0)).collect();
    let bound = |i: usize, j: usize, _| 2.0 * rounding * (sizes[i] + sizes[j]);
    settle(&mut values, n, None, None, bound, bound);
    values
}

#[cfg(test)]
mod tests;
