//! Cross-validated distances: differences of patterns in one fold times the same differences in another.

use linear_algebra::{Gram, GramAccumulator, Real, product};
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use statistics::Reason;

use crate::distance::{
    Distances, Patterns, UnusableRow, add_contrasts, blocks, by_row, centre_columns, check_shape, read_block,
};
use crate::matrix::n_pairs;
use crate::{Rdm, RdmError};

/// Which condition and which fold (run, session) every row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Design {
    condition: Vec<usize>,
    fold: Vec<usize>,
    n_conditions: usize,
    n_folds: usize,
    /// Rows of condition `c` in fold `f` at `f * n_conditions + c`.
    counts: Vec<usize>,
}

impl Design {
    /// One condition and one fold per row, both counted from 0 without gaps.
    ///
    /// # Panics
    /// When the two lists are not of the same length.
    pub fn new(condition: &[usize], fold: &[usize]) -> Result<Design, RdmError> {
        assert_eq!(condition.len(), fold.len(), "one condition and one fold per row");
        let most = |of: &[usize]| of.iter().max().map_or(0, |largest| largest + 1);
        let (n_conditions, n_folds) = (most(condition), most(fold));
        if n_folds < 2 {
            return Err(RdmError::TooFewFolds { n_folds });
        }
        let mut counts = vec![0; n_conditions * n_folds];
        condition.iter().zip(fold).for_each(|(c, f)| counts[f * n_conditions + c] += 1);
        Ok(Design { condition: condition.to_vec(), fold: fold.to_vec(), n_conditions, n_folds, counts })
    }

    /// Number of conditions: the stimuli of the RDM.
    pub fn n_conditions(&self) -> usize {
        self.n_conditions
    }

    /// Number of folds.
    pub fn n_folds(&self) -> usize {
        self.n_folds
    }

    /// Rows of a condition in a fold.
    pub fn count(&self, condition: usize, fold: usize) -> usize {
        self.counts[fold * self.n_conditions + condition]
    }

    /// Whether every condition is in every fold, however often.
    pub fn is_complete(&self) -> bool {
        self.counts.iter().all(|n| *n > 0)
    }

    /// Whether every condition is in every fold equally often.
    pub fn is_balanced(&self) -> bool {
        (0..self.n_conditions).all(|c| {
            let first = self.count(c, 0);
            first > 0 && (1..self.n_folds).all(|f| self.count(c, f) == first)
        })
    }

    /// Pairs of conditions that are each in two folds or more, but in fewer than two of the same: they have no distance
    /// by [`FoldWeights::Folds`].
    pub fn n_pairs_apart(&self) -> usize {
        let enough = |c: usize| self.n_folds_of(c) > 1;
        let common =
            |i: usize, j: usize| (0..self.n_folds).filter(|f| self.count(i, *f) * self.count(j, *f) > 0).count();
        let pairs = (0..self.n_conditions).flat_map(|i| (0..i).map(move |j| (i, j)));
        pairs.filter(|(i, j)| enough(*i) && enough(*j) && common(*i, *j) < 2).count()
    }

    /// The folds in which a condition occurs.
    fn n_folds_of(&self, condition: usize) -> usize {
        (0..self.n_folds).filter(|f| self.count(condition, *f) > 0).count()
    }
}

/// How folds of different size are put together. Where every condition is in every fold equally often, both are the
/// same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FoldWeights {
    /// Patterns are averaged within folds, and the differences of two conditions within one fold are multiplied with
    /// those within another; the mean over pairs of folds that have both conditions. What is common to a fold cancels.
    Folds,
    /// All pairs of rows of different folds weigh the same, in each of the three products that make a distance: what
    /// rsatoolbox's `calc_rdm_unbalanced` does. What is common to all patterns cancels only in a balanced design.
    Pairs,
}

impl FoldWeights {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            FoldWeights::Folds => "folds",
            FoldWeights::Pairs => "pairs",
        }
    }
}

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
pub struct WithPrior<'a, P> {
    patterns: &'a P,
    prior: Prior,
}

impl<'a, P: Patterns> WithPrior<'a, P> {
    /// Every value of `patterns` becomes [`Prior::apply`] of it.
    pub fn new(patterns: &'a P, prior: Prior) -> WithPrior<'a, P> {
        WithPrior { patterns, prior }
    }
}

impl<P: Patterns> Patterns for WithPrior<'_, P> {
    type Value = f64;

    fn n_stimuli(&self) -> usize {
        self.patterns.n_stimuli()
    }

    fn n_units(&self) -> usize {
        self.patterns.n_units()
    }

    fn read(&self, row: usize, from: usize, out: &mut [f64]) -> Result<(), RdmError> {
        let mut values = vec![P::Value::default(); out.len()];
        self.patterns.read(row, from, &mut values)?;
        out.iter_mut().zip(&values).for_each(|(out, v)| *out = self.prior.apply(v.to_f64()));
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
pub fn crossnobis<P: Patterns>(patterns: &P, design: &Design, weights: FoldWeights) -> Result<Distances, RdmError> {
    let unusable = check(patterns, design)?;
    let values = match weights {
        FoldWeights::Folds if design.is_complete() => by_complete_folds(patterns, design)?,
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
pub fn poisson_cv<P: Patterns>(
    patterns: &P,
    design: &Design,
    weights: FoldWeights,
    prior: Prior,
) -> Result<Distances, RdmError> {
    let unusable = check(patterns, design)?;
    let values = match weights {
        FoldWeights::Folds => by_common_folds(patterns, design, &unusable, Some(prior))?,
        FoldWeights::Pairs => rates_by_pairs(patterns, design, &unusable, prior)?,
    };
    finish(values, unusable)
}

/// The conditions that cannot be used. Nothing is multiplied before this.
fn check<P: Patterns>(patterns: &P, design: &Design) -> Result<Vec<Option<Reason>>, RdmError> {
    let n_rows = patterns.n_stimuli();
    assert_eq!(n_rows, design.condition.len(), "the design has a condition and a fold for every row");
    check_shape(design.n_conditions, patterns.n_units())?;
    let finite = (0..n_rows).into_par_iter().map_init(
        || vec![P::Value::default(); patterns.n_units()],
        |values, row| {
            patterns.read(row, 0, values)?;
            Ok(values.iter().all(|v| v.to_f64().is_finite()))
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
    for (i, row) in by_row(&mut values, unusable.len()).into_iter().enumerate() {
        for (value, j) in row.iter_mut().zip(i + 1..) {
            if unusable[i].is_some() || unusable[j].is_some() {
                *value = f64::NAN;
            }
        }
    }
    let unusable = unusable.into_iter().enumerate();
    let unusable = unusable.filter_map(|(row, reason)| reason.map(|reason| UnusableRow { row, reason })).collect();
    Ok(Distances { rdm: Rdm::from_condensed(values, None)?, unusable })
}

/// For every fold the sums over rows of its conditions in a block of columns: `n_conditions x width` each. Values
/// that are not finite count as 0; their condition is unusable.
fn sums<P: Patterns>(
    patterns: &P,
    design: &Design,
    (from, width): (usize, usize),
    value: impl Fn(f64) -> f64 + Sync,
) -> Result<Vec<Array2<f64>>, RdmError> {
    let block = read_block(patterns, from, width)?;
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); design.counts.len()];
    for (row, (c, f)) in design.condition.iter().zip(&design.fold).enumerate() {
        rows[f * design.n_conditions + c].push(row);
    }
    let mut folds = vec![Array2::zeros((design.n_conditions, width)); design.n_folds];
    folds.par_iter_mut().enumerate().for_each(|(f, fold)| {
        fold.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(c, mut sum)| {
            for row in &rows[f * design.n_conditions + c] {
                sum.zip_mut_with(&block.row(*row), |sum, v| {
                    let v = v.to_f64();
                    *sum += if v.is_finite() { value(v) } else { 0.0 };
                });
            }
        });
    });
    Ok(folds)
}

/// The same as means; a condition that is not in a fold has 0 there.
fn means<P: Patterns>(patterns: &P, design: &Design, block: (usize, usize)) -> Result<Vec<Array2<f64>>, RdmError> {
    let mut folds = sums(patterns, design, block, |v| v)?;
    for (f, fold) in folds.iter_mut().enumerate() {
        for (c, mut row) in fold.rows_mut().into_iter().enumerate() {
            row /= design.count(c, f).max(1) as f64;
        }
    }
    Ok(folds)
}

/// Columns that are held of all rows and of their means.
fn pieces<P: Patterns>(patterns: &P, design: &Design) -> impl Iterator<Item = (usize, usize)> {
    blocks(patterns.n_stimuli() + design.counts.len(), 8, patterns.n_units())
}

/// With every condition in every fold, the products of all pairs of different folds are those of the sums over folds
/// minus those within folds.
fn by_complete_folds<P: Patterns>(patterns: &P, design: &Design) -> Result<Vec<f64>, RdmError> {
    let n = design.n_conditions;
    let (mut together, mut within) = (GramAccumulator::new(n), GramAccumulator::new(n));
    for piece in pieces(patterns, design) {
        let mut folds = means(patterns, design, piece)?;
        folds.par_iter_mut().for_each(centre_columns);
        let mut total: Array2<f64> = Array2::zeros(folds[0].dim());
        for fold in &folds {
            total += fold;
            within.push(fold.mapv(P::Value::from_f64).view());
        }
        together.push(total.mapv(P::Value::from_f64).view());
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
    Ok(values)
}

/// Fold by fold, for conditions that are missing somewhere and for rates, which are multiplied with logarithms.
fn by_common_folds<P: Patterns>(
    patterns: &P,
    design: &Design,
    unusable: &[Option<Reason>],
    prior: Option<Prior>,
) -> Result<Vec<f64>, RdmError> {
    let (n, n_folds) = (design.n_conditions, design.n_folds);
    let mut values = vec![0.0; n_pairs(n)];
    let present = |f: usize, c: usize| design.count(c, f) > 0;
    for piece in pieces(patterns, design) {
        let mut folds = means(patterns, design, piece)?;
        let mut others = None;
        if let Some(prior) = prior {
            let mut logs = Vec::with_capacity(n_folds);
            for (f, fold) in folds.iter_mut().enumerate() {
                to_rates(fold, prior, |c| present(f, c) && unusable[c].is_none())?;
                logs.push(fold.mapv(f64::ln));
            }
            others = Some(logs);
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
    let products = if prior.is_some() { 2.0 } else { 1.0 };
    by_row(&mut values, n).into_par_iter().enumerate().for_each(|(i, row)| {
        for (value, j) in row.iter_mut().zip(i + 1..) {
            let common = (0..n_folds).filter(|f| present(*f, i) && present(*f, j)).count();
            *value = match common {
                0 | 1 => f64::NAN,
                _ => *value / (products * (common * (common - 1) / 2) as f64),
            };
        }
    });
    Ok(values)
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
fn by_pairs<P: Patterns>(patterns: &P, design: &Design) -> Result<Vec<f64>, RdmError> {
    let n = design.n_conditions;
    let (mut together, mut within) = (GramAccumulator::new(n), GramAccumulator::new(n));
    for piece in pieces(patterns, design) {
        let folds = sums(patterns, design, piece, |v| v)?;
        let mut total: Array2<f64> = Array2::zeros(folds[0].dim());
        for fold in &folds {
            total += fold;
            within.push(fold.view());
        }
        together.push(total.view());
    }
    let (together, within) = (together.finish(), within.finish());
    Ok(from_similarities(design, |i, j| together.get(i, j) - within.get(i, j)))
}

/// As rsatoolbox sums them: the similarity of two rows is `-1/2` times the sum of `(a - b) (ln a - ln b)`.
fn rates_by_pairs<P: Patterns>(
    patterns: &P,
    design: &Design,
    unusable: &[Option<Reason>],
    prior: Prior,
) -> Result<Vec<f64>, RdmError> {
    let (n, n_folds) = (design.n_conditions, design.n_folds);
    let mut cross: Array2<f64> = Array2::zeros((n, n));
    // Sums of a ln a over units and rows, fold by condition.
    let mut own: Array2<f64> = Array2::zeros((n_folds, n));
    for piece in pieces(patterns, design) {
        let block = read_block(patterns, piece.0, piece.1)?;
        for (c, row) in design.condition.iter().zip(block.rows()) {
            let smallest = row.iter().map(|v| v.to_f64()).fold(f64::INFINITY, f64::min);
            if unusable[*c].is_none() && prior.apply(smallest) <= 0.0 {
                return Err(RdmError::NotARate { row: *c, value: smallest });
            }
        }
        drop(block);
        let rates = sums(patterns, design, piece, |v| prior.apply(v))?;
        let logs = sums(patterns, design, piece, |v| prior.apply(v).max(f64::MIN_POSITIVE).ln())?;
        let products = sums(patterns, design, piece, |v| {
            let rate = prior.apply(v).max(f64::MIN_POSITIVE);
            rate * rate.ln()
        })?;
        let total = |of: &[Array2<f64>]| of.iter().fold(Array2::<f64>::zeros((n, piece.1)), |sum, fold| sum + fold);
        cross += &product(total(&rates).view(), total(&logs).t());
        for f in 0..n_folds {
            cross -= &product(rates[f].view(), logs[f].t());
            own.row_mut(f).zip_mut_with(&products[f].sum_axis(Axis(1)), |sum, v| *sum += v);
        }
    }
    let rows_of = |c: usize| (0..n_folds).map(|f| design.count(c, f)).sum::<usize>();
    let all: Vec<usize> = (0..n).map(rows_of).collect();
    Ok(from_similarities(design, |i, j| {
        let own_terms: f64 = (0..n_folds)
            .map(|f| {
                own[(f, i)] * (all[j] - design.count(j, f)) as f64 + own[(f, j)] * (all[i] - design.count(i, f)) as f64
            })
            .sum();
        (cross[(i, j)] + cross[(j, i)] - own_terms) / 2.0
    }))
}

/// `s_ii + s_jj - 2 s_ij` with `s` the mean over pairs of rows of different folds, given the sums over them.
fn from_similarities(design: &Design, sum: impl Fn(usize, usize) -> f64 + Sync) -> Vec<f64> {
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
    values
}

#[cfg(test)]
mod tests;
