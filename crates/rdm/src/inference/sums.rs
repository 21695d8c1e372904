//! Pearson, cosine and the whitened two under weights: everything is a sum of products.
//!
//! With `w_ij = c_i c_j` over the pairs in use, `W` their sum and `<x,y> = sum w x y`:
//!
//! * cosine: `<x,y> / sqrt(<x,x> <y,y>)`; pearson: the same of `x - <1,x>/W`;
//! * cosine_cov: the same with `K(x,y) = <x,y> - sum_i c_i r_i(x) a_i(y)`, `r_i(x) = sum_j c_j x_ij` and `a` from
//!   `(deg_i + 2) a_i + sum_{j != i} c_j a_j = r_i(y)`, `deg_i = sum_{j != i} c_j`: the system of `crate::whitening`
//!   with the copies of a stimulus folded together. Without missing pairs `a_i = (r_i - T) / m_i`, `m_i = n - 2 c_i +
//!   2`, `T = S / (1 + sum c_j / m_j)`, `S = sum c_j r_j / m_j`;
//! * corr_cov: the same of `x - <1,x>/W`.

use linear_algebra::{Cholesky, product};
use ndarray::{Array1, Array2, s};
use statistics::bounded;
use statistics::rounding::is_constant;

use super::{Evaluated, SubjectPart};
use crate::pool::scaled;
use crate::whitening::whitened;
use crate::{Comparison, Rdm, RdmError, StimulusCovariance};

/// Pairs whose weighted products are made before they are multiplied.
const CHUNK: usize = 2048;

/// Below this part of the plain squares, centred squares may be rounding alone.
const SUSPICIOUS: f64 = 1e-9;

/// RDMs over the pairs in use (0 elsewhere), models before subjects.
pub(crate) struct Sums<'a> {
    how: Comparison,
    n: usize,
    n_models: usize,
    kept: Vec<bool>,
    complete: bool,
    pairs: Vec<(u32, u32)>,
    /// The RDMs as they were given.
    values: Vec<&'a [f64]>,
    rows: Array2<f64>,
    squares: Array2<f64>,
    /// Each RDM as a square, and last the pairs in use as ones; only for whitening.
    full: Vec<Array2<f64>>,
}

/// Sums of one draw over the rows (models, then subjects).
struct Moments {
    /// `W`
    total: f64,
    /// `<1, x>`
    first: Vec<f64>,
    /// `<x, x>`
    second: Vec<f64>,
    /// `<x, y>` with the subjects
    products: Array2<f64>,
}

impl<'a> Sums<'a> {
    pub fn new(models: &[&'a [f64]], subjects: &[&'a [f64]], kept: Vec<bool>, how: Comparison) -> Sums<'a> {
        let n = crate::matrix::n_stimuli_of(kept.len());
        let n_kept = kept.iter().filter(|k| **k).count() as f64;
        let given: Vec<&[f64]> = models.iter().chain(subjects).copied().collect();
        let mut rows = Array2::zeros((given.len(), kept.len()));
        for (mut row, values) in rows.rows_mut().into_iter().zip(&given) {
            let in_use = values.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(v, _)| *v);
            if how.centres() && is_constant(&in_use.collect::<Vec<f64>>()) {
                // Without its mean a constant is 0, and nothing else.
                continue;
            }
            let used: Vec<f64> = values.iter().zip(&kept).map(|(v, kept)| if *kept { *v } else { 0.0 }).collect();
            let used = scaled(&used);
            // No comparison that centres looks at the mean; without it sums of squares lose fewer digits.
            let centre = if how.centres() { used.iter().sum::<f64>() / n_kept } else { 0.0 };
            for ((cell, value), kept) in row.iter_mut().zip(used).zip(&kept) {
                *cell = if *kept { value - centre } else { 0.0 };
            }
        }
        let pairs: Vec<(u32, u32)> = (0..n as u32).flat_map(|i| (i + 1..n as u32).map(move |j| (i, j))).collect();
        let mut full = Vec::new();
        if how.is_whitened() {
            let square = |value: &dyn Fn(usize) -> f64| {
                let mut square = Array2::zeros((n, n));
                for (k, &(i, j)) in pairs.iter().enumerate() {
                    square[(i as usize, j as usize)] = value(k);
                    square[(j as usize, i as usize)] = value(k);
                }
                square
            };
            full.extend(rows.rows().into_iter().map(|row| square(&|k| row[k])));
            full.push(square(&|k| f64::from(u8::from(kept[k]))));
        }
        let squares = rows.slice(s![..models.len(), ..]).mapv(|v| v * v);
        let complete = kept.iter().all(|k| *k);
        Sums { how, n, n_models: models.len(), kept, complete, pairs, values: given, rows, squares, full }
    }

    /// Scores for each of these multiplicities of the stimuli.
    pub fn evaluate(&self, draws: &[&[u32]]) -> Result<Vec<Evaluated>, RdmError> {
        let moments = self.moments(draws);
        let counts = Array2::from_shape_fn((self.n, draws.len()), |(i, d)| f64::from(draws[d][i]));
        // Per RDM and draw the sums r_i.
        let sums: Vec<Array2<f64>> = self.full.iter().map(|full| product(full.view(), counts.view())).collect();
        let of_draw = |(d, moments): (usize, Moments)| {
            let r = Array2::from_shape_fn((sums.len(), self.n), |(x, i)| sums[x][(i, d)]);
            self.finish(draws[d], moments, r)
        };
        moments.into_iter().enumerate().map(of_draw).collect()
    }

    fn moments(&self, draws: &[&[u32]]) -> Vec<Moments> {
        let (n_rows, n_subjects) = (self.rows.nrows(), self.rows.nrows() - self.n_models);
        let width = n_subjects + 1;
        let mut products = Array2::<f64>::zeros((n_rows, draws.len() * width));
        let mut squares = Array2::<f64>::zeros((self.n_models, draws.len()));
        let mut totals = vec![0.0; draws.len()];
        for start in (0..self.pairs.len()).step_by(CHUNK) {
            let end = (start + CHUNK).min(self.pairs.len());
            let mut weighted = Array2::<f64>::zeros((draws.len() * width, end - start));
            let mut weights = Array2::<f64>::zeros((draws.len(), end - start));
            for (d, c) in draws.iter().enumerate() {
                for (k, weight) in (start..end).zip(weights.row_mut(d)) {
                    let (i, j) = self.pairs[k];
                    let often = c[i as usize] * c[j as usize];
                    *weight = if self.kept[k] { f64::from(often) } else { 0.0 };
                }
                totals[d] += weights.row(d).sum();
                for s in 0..n_subjects {
                    let values = self.rows.slice(s![self.n_models + s, start..end]);
                    let mut out = weighted.row_mut(d * width + s);
                    ndarray::Zip::from(&mut out).and(&values).and(weights.row(d)).for_each(|out, v, w| *out = v * w);
                }
                weighted.row_mut(d * width + n_subjects).assign(&weights.row(d));
            }
            products += &product(self.rows.slice(s![.., start..end]), weighted.t());
            squares += &product(self.squares.slice(s![.., start..end]), weights.t());
        }
        (0..draws.len())
            .map(|d| {
                let here = products.slice(s![.., d * width..(d + 1) * width]);
                let own = |x: usize| {
                    if x < self.n_models { squares[(x, d)] } else { here[(x, x - self.n_models)] }
                };
                Moments {
                    total: totals[d],
                    first: here.column(n_subjects).to_vec(),
                    second: (0..n_rows).map(own).collect(),
                    products: here.slice(s![.., ..n_subjects]).to_owned(),
                }
            })
            .collect()
    }

    /// `r`: per row, and last for the RDM of ones, the sums `r_i`; no rows without whitening.
    fn finish(&self, c: &[u32], moments: Moments, r: Array2<f64>) -> Result<Evaluated, RdmError> {
        let n_rows = self.rows.nrows();
        let n_subjects = n_rows - self.n_models;
        let Moments { total, first, second, mut products } = moments;
        // Products with the RDM of ones, and of it with itself.
        let (mut own, mut with_one, mut one) = (second.clone(), first.clone(), total);
        if self.how.is_whitened() {
            let a = self.offsets(c, &r)?;
            let weigh = |a: f64, i: usize| f64::from(c[i]) * a;
            let weighted = Array2::from_shape_fn(a.dim(), |(x, i)| weigh(a[(x, i)], i));
            let taken = product(r.view(), weighted.t());
            for x in 0..n_rows {
                own[x] -= taken[(x, x)];
                with_one[x] -= taken[(n_rows, x)];
                for s in 0..n_subjects {
                    products[(x, s)] -= taken[(x, self.n_models + s)];
                }
            }
            one -= taken[(n_rows, n_rows)];
        }
        let means: Vec<f64> = first.iter().map(|f| f / total).collect();
        let mut spread: Vec<f64> = second.iter().map(|v| v / total).collect();
        if self.how.centres() {
            for x in 0..n_rows {
                own[x] += means[x] * (means[x] * one - 2.0 * with_one[x]);
                spread[x] -= means[x] * means[x];
                if spread[x] <= SUSPICIOUS * second[x] / total && self.is_constant(x, c) {
                    own[x] = f64::NAN;
                }
                for s in 0..n_subjects {
                    let y = self.n_models + s;
                    products[(x, s)] += means[x] * means[y] * one - means[x] * with_one[y] - means[y] * with_one[x];
                }
            }
        }
        let scores = Array2::from_shape_fn((self.n_models, n_subjects), |(m, s)| {
            bounded(products[(m, s)] / (own[m] * own[self.n_models + s]).sqrt())
        });
        let between = Array2::from_shape_fn((n_subjects, n_subjects), |(s, t)| {
            let (x, y) = (self.n_models + s, self.n_models + t);
            let value = if s == t { own[x] } else { products[(x, t)] };
            value / (spread[x] * spread[y]).sqrt()
        });
        Ok(Evaluated { scores, subjects: SubjectPart::Products(between) })
    }

    fn is_constant(&self, x: usize, c: &[u32]) -> bool {
        let used = (0..self.pairs.len()).filter(|&k| {
            let (i, j) = self.pairs[k];
            self.kept[k] && c[i as usize] > 0 && c[j as usize] > 0
        });
        is_constant(&used.map(|k| self.values[x][k]).collect::<Vec<f64>>())
    }

    /// `a` for every row of sums.
    fn offsets(&self, c: &[u32], r: &Array2<f64>) -> Result<Array2<f64>, RdmError> {
        let often: Vec<f64> = c.iter().map(|c| f64::from(*c)).collect();
        let n: f64 = often.iter().sum();
        let m: Vec<f64> = often.iter().map(|c| n - 2.0 * c + 2.0).collect();
        if self.complete && m.iter().all(|m| *m > 0.0) {
            let all = 1.0 + often.iter().zip(&m).map(|(c, m)| c / m).sum::<f64>();
            let mut a = r.clone();
            for mut row in a.rows_mut() {
                let t = row.iter().zip(&often).zip(&m).map(|((r, c), m)| c * r / m).sum::<f64>() / all;
                row.iter_mut().zip(&m).for_each(|(a, m)| *a = (*a - t) / m);
            }
            return Ok(a);
        }
        // Made symmetric by the root of c: unknowns sqrt(c_i) a_i over the stimuli drawn.
        let drawn: Vec<usize> = (0..c.len()).filter(|&i| c[i] > 0).collect();
        let ones = &self.full[self.full.len() - 1];
        let degree = r.row(r.nrows() - 1);
        let system = Array2::from_shape_fn((drawn.len(), drawn.len()), |(p, q)| {
            let (i, j) = (drawn[p], drawn[q]);
            if i == j { degree[i] + 2.0 } else { ones[(i, j)] * (often[i] * often[j]).sqrt() }
        });
        let right = Array2::from_shape_fn((drawn.len(), r.nrows()), |(p, x)| often[drawn[p]].sqrt() * r[(x, drawn[p])]);
        let fail = |_| RdmError::CovarianceNotPositive { n: drawn.len() };
        let solved = Cholesky::new(system.view()).map_err(fail)?.solve(right.view()).map_err(fail)?;
        let mut a = Array2::zeros(r.dim());
        for (p, &i) in drawn.iter().enumerate() {
            for x in 0..r.nrows() {
                a[(x, i)] = solved[(p, x)] / often[i].sqrt();
            }
        }
        Ok(a)
    }
}

/// Scores of the data as they are under a covariance of stimuli.
pub(crate) fn under_covariance(
    models: &[Rdm],
    subjects: &[Rdm],
    how: Comparison,
    sigma: &StimulusCovariance,
) -> Result<Evaluated, RdmError> {
    let found = crate::compare_all_under(models, subjects, how, Some(sigma))?;
    // Pairs that some subject misses are in no pool.
    let n_pairs = subjects.first().map_or(0, |s| s.values().len());
    let kept: Vec<bool> = (0..n_pairs).map(|pair| subjects.iter().all(|s| s.values()[pair].is_finite())).collect();
    let there = |subject: &Rdm| -> Vec<f64> {
        subject.values().iter().zip(&kept).filter(|(_, kept)| **kept).map(|(value, _)| *value).collect()
    };
    let vectors: Vec<Vec<f64>> = subjects.iter().map(|subject| crate::pool::normalised(&there(subject), how)).collect();
    let embedded: Vec<Array1<f64>> = whitened(&vectors, &kept, Some(sigma))?.into_iter().map(Array1::from).collect();
    let n = subjects.len();
    let between = Array2::from_shape_fn((n, n), |(s, t)| embedded[s].dot(&embedded[t]));
    Ok(Evaluated { scores: found.mapv(|found| found.value), subjects: SubjectPart::Products(between) })
}
