//! Sums of products over weighted pairs, and the weights, R2 and unique parts that follow from them.

use linear_algebra::{Cholesky, product};
use ndarray::{Array1, Array2, Axis, s};
use statistics::rounding::is_constant;
use statistics::{Reason, mean, variance};

use super::{EXPLAINED, Regression};
use crate::fitted::non_negative;
use crate::partial::on_scale;
use crate::{Rdm, Scale};

/// The pairs in use and what stands there: a constant, the predictors, and the outcomes that miss the same pairs.
pub(super) struct Cases {
    /// Which outcomes.
    pub outcomes: Vec<usize>,
    /// The two stimuli of every pair in use.
    pub pairs: Vec<(usize, usize)>,
    /// A predictor that is constant over these pairs.
    pub constant_predictor: Option<usize>,
    /// Whether an outcome is.
    constant_outcome: Vec<bool>,
    n_predictors: usize,
    /// 1, then predictors and outcomes, minus their mean and divided by their standard deviation over these pairs: sums
    /// of products of numbers around 0 lose least.
    pub rows: Array2<f64>,
    /// Mean and standard deviation of predictors and outcomes; 1 for those that are constant.
    scales: Vec<[f64; 2]>,
}

impl Cases {
    pub fn new(predictors: &[Rdm], outcomes: &[Rdm], missing: &[bool], members: Vec<usize>, scale: Scale) -> Cases {
        let n = predictors[0].n_stimuli();
        let used: Vec<usize> = (0..missing.len())
            .filter(|&k| !missing[k] && predictors.iter().all(|p| p.values()[k].is_finite()))
            .collect();
        let all_pairs: Vec<(usize, usize)> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
        let all: Vec<&Rdm> = predictors.iter().chain(members.iter().map(|&m| &outcomes[m])).collect();
        let mut rows = Array2::ones((1 + all.len(), used.len()));
        let (mut scales, mut constant) = (Vec::new(), Vec::new());
        for (rdm, mut row) in all.iter().zip(rows.axis_iter_mut(Axis(0)).skip(1)) {
            let values = on_scale(rdm, &used, scale);
            let flat = is_constant(&values);
            constant.push(flat);
            let (centre, sd) = (mean(&values), variance(&values).sqrt());
            let sd = if flat { 1.0 } else { sd };
            scales.push([centre, sd]);
            match flat {
                true => row.fill(0.0),
                false => row.iter_mut().zip(&values).for_each(|(cell, v)| *cell = (v - centre) / sd),
            }
        }
        Cases {
            outcomes: members,
            pairs: used.iter().map(|&k| all_pairs[k]).collect(),
            constant_predictor: constant[..predictors.len()].iter().position(|flat| *flat),
            constant_outcome: constant[predictors.len()..].to_vec(),
            n_predictors: predictors.len(),
            rows,
            scales,
        }
    }

    /// One per outcome; every pair counts as often as its weight says, once without weights.
    pub fn moments(&self, weights: Option<&[f64]>) -> Vec<Moments> {
        let k = self.n_predictors;
        let first = self.rows.slice(s![..=k, ..]);
        let (cross, n_pairs) = match weights {
            None => (product(first, self.rows.t()), self.pairs.len()),
            Some(weights) => {
                let mut weighted = first.to_owned();
                for mut row in weighted.rows_mut() {
                    row.iter_mut().zip(weights).for_each(|(cell, w)| *cell *= w);
                }
                (product(weighted.view(), self.rows.t()), weights.iter().filter(|w| **w > 0.0).count())
            }
        };
        let total = cross[(0, 0)];
        let centres: Array1<f64> = cross.row(0).mapv(|sum| sum / total);
        let centred = |i: usize, j: usize| cross[(i, j)] - total * centres[i] * centres[j];
        let gram = Array2::from_shape_fn((k, k), |(i, j)| centred(i + 1, j + 1));
        // Rounding of the sums: what is left of a predictor that is constant over the pairs with a weight.
        let constant = (0..k).any(|j| gram[(j, j)] <= EXPLAINED * cross[(j + 1, j + 1)]);
        (0..self.outcomes.len())
            .map(|place| {
                let row = k + 1 + place;
                let values = self.rows.row(row);
                let squares: f64 = match weights {
                    None => values.dot(&values),
                    Some(weights) => values.iter().zip(weights).map(|(v, w)| w * v * v).sum(),
                };
                let own = squares - total * centres[row] * centres[row];
                let flat = self.constant_outcome[place] || own <= EXPLAINED * squares;
                Moments {
                    gram: gram.clone(),
                    right: (0..k).map(|j| centred(j + 1, row)).collect(),
                    own,
                    total,
                    n_pairs,
                    constant: constant || flat,
                    means: (0..k).map(|j| centres[j + 1]).chain([centres[row]]).collect(),
                    sds: self.scales[..k].iter().map(|scale| scale[1]).collect(),
                }
            })
            .collect()
    }

    pub fn n_predictors(&self) -> usize {
        self.n_predictors
    }

    /// Weights of the rows as weights of the RDMs.
    pub fn on_their_scale(&self, place: usize, weights: &[f64]) -> Vec<f64> {
        let of_outcome = self.scales[self.n_predictors + place][1];
        weights.iter().zip(&self.scales).map(|(w, [_, sd])| w * of_outcome / sd).collect()
    }

    /// What is added to the predictors, weighed on their scale, over all pairs.
    pub fn intercept(&self, place: usize, weights: &[f64]) -> f64 {
        let of_predictors: f64 = weights.iter().zip(&self.scales).map(|(w, [centre, _])| w * centre).sum();
        self.scales[self.n_predictors + place][0] - of_predictors
    }
}

/// Of predictors x and an outcome y, without their weighted means.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    /// `x_i x_j`
    gram: Array2<f64>,
    /// `x_i y`
    right: Vec<f64>,
    /// `y y`
    own: f64,
    /// The sum of the weights of the pairs.
    total: f64,
    /// Pairs with a weight.
    n_pairs: usize,
    constant: bool,
    /// Weighted means of x, then of y.
    pub means: Vec<f64>,
    /// What the predictors were divided by, for penalties on their own scale.
    sds: Vec<f64>,
}

/// What a regression gives, in units of the rows of [`Cases`].
pub(super) struct Fit {
    pub weights: Vec<f64>,
    pub standardized: Vec<f64>,
    pub unique: Vec<f64>,
    pub r2: f64,
    pub r: f64,
}

impl Moments {
    /// The correlations of the predictors; none where one of them is constant.
    pub fn correlations(&self) -> Option<Array2<f64>> {
        let sd: Vec<f64> = self.gram.diag().iter().map(|v| v.sqrt()).collect();
        let c = Array2::from_shape_fn(self.gram.dim(), |(i, j)| self.gram[(i, j)] / (sd[i] * sd[j]));
        c.iter().all(|v| v.is_finite()).then_some(c)
    }

    /// The mean eigenvalue of `X'X`, the scale of a penalty.
    pub fn mean_eigenvalue(&self, standardized: bool) -> f64 {
        match standardized {
            true => self.total,
            false => {
                let diagonal = self.gram.diag();
                let squares = diagonal.iter().zip(&self.sds).map(|(square, sd)| square * sd * sd);
                squares.sum::<f64>() / self.right.len() as f64
            }
        }
    }

    /// Weights of all predictors, and R2 with and without each of them.
    pub fn fit_all(&self, method: Regression) -> Result<Fit, Reason> {
        let everything: Vec<usize> = (0..self.right.len()).collect();
        let all = self.weigh(method, &everything)?;
        let r2 = self.r2(&all);
        let without = |j: usize| -> Result<f64, Reason> {
            let others: Vec<usize> = everything.iter().copied().filter(|other| *other != j).collect();
            Ok(r2 - self.r2(&self.weigh(method, &others)?))
        };
        let unique = everything.iter().map(|&j| without(j)).collect::<Result<_, _>>()?;
        let size = |j: usize| self.gram[(j, j)].sqrt();
        let (with, length) = self.with_and_length(&all);
        Ok(Fit {
            standardized: all.iter().enumerate().map(|(j, w)| w * size(j) / self.own.sqrt()).collect(),
            r: statistics::bounded(with / (length * self.own).sqrt()),
            weights: all,
            unique,
            r2,
        })
    }

    /// One weight per predictor, 0 for those that are not chosen.
    pub fn weigh(&self, method: Regression, chosen: &[usize]) -> Result<Vec<f64>, Reason> {
        if self.constant {
            return Err(if self.n_pairs == 0 { Reason::NanInput } else { Reason::Constant });
        }
        if self.n_pairs < self.right.len() + 2 {
            return Err(Reason::NanPairs);
        }
        let mut weights = vec![0.0; self.right.len()];
        if chosen.is_empty() {
            return Ok(weights);
        }
        // All on one scale: correlations, and weights of predictors of length 1.
        let size: Vec<f64> = chosen.iter().map(|&j| self.gram[(j, j)].sqrt()).collect();
        let n = chosen.len();
        let mut c = Array2::from_shape_fn((n, n), |(a, b)| match a == b {
            true => 1.0,
            false => self.gram[(chosen[a], chosen[b])] / (size[a] * size[b]),
        });
        let right: Vec<f64> = chosen.iter().zip(&size).map(|(&j, size)| self.right[j] / size).collect();
        if !method.takes_collinear()
            && (1..n).any(|a| independent_share(&c, a, &(0..a).collect::<Vec<_>>()) <= EXPLAINED)
        {
            return Err(Reason::Collinear);
        }
        if let Regression::Ridge { alpha, standardized } = method {
            for (a, &j) in chosen.iter().enumerate() {
                c[(a, a)] += match standardized {
                    // of predictors with variance 1 the squares sum to the number of pairs
                    true => alpha / self.total,
                    false => alpha / (self.sds[j] * size[a]).powi(2),
                };
            }
        }
        let found: Vec<f64> = match method {
            Regression::Nnls => non_negative(&c, &right).map_err(|_| Reason::Collinear)?,
            _ => {
                let b = Array2::from_shape_fn((n, 1), |(a, _)| right[a]);
                let solved = Cholesky::new(c.view()).and_then(|factor| factor.solve(b.view()));
                solved.map_err(|_| Reason::Collinear)?.column(0).to_vec()
            }
        };
        chosen.iter().zip(found).zip(size).for_each(|((&j, w), size)| weights[j] = w / size);
        Ok(weights)
    }

    /// `1 - |y - x w|^2 / |y|^2`
    fn r2(&self, weights: &[f64]) -> f64 {
        let (with, length) = self.with_and_length(weights);
        (2.0 * with - length) / self.own
    }

    /// `w' x y` and `|x w|^2`
    fn with_and_length(&self, weights: &[f64]) -> (f64, f64) {
        let w = Array1::from(weights.to_vec());
        let with = weights.iter().zip(&self.right).map(|(w, r)| w * r).sum();
        (with, w.dot(&self.gram.dot(&w)))
    }
}

/// The part of variable `j` that these others do not explain, of correlations `c`: a Cholesky factor in which others
/// that depend on those before them have no row.
pub(super) fn independent_share(c: &Array2<f64>, j: usize, others: &[usize]) -> f64 {
    let mut factor: Vec<Vec<f64>> = Vec::new();
    let mut used: Vec<usize> = Vec::new();
    // The loadings of a variable on the directions so far, and what is left of it.
    let beyond = |variable: usize, used: &[usize], factor: &[Vec<f64>]| -> (Vec<f64>, f64) {
        let mut loadings: Vec<f64> = Vec::with_capacity(used.len());
        for (other, row) in used.iter().zip(factor) {
            let known: f64 = loadings.iter().zip(row).map(|(a, b)| a * b).sum();
            loadings.push((c[(variable, *other)] - known) / row[row.len() - 1]);
        }
        let left = 1.0 - loadings.iter().map(|v| v * v).sum::<f64>();
        (loadings, left)
    };
    for &other in others.iter().filter(|other| **other != j) {
        let (mut row, left) = beyond(other, &used, &factor);
        if left > EXPLAINED {
            row.push(left.sqrt());
            factor.push(row);
            used.push(other);
        }
    }
    beyond(j, &used, &factor).1
}
