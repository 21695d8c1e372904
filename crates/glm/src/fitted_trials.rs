//! Betas per trial with a response and a penalty of each voxel's own.

use std::collections::HashMap;
use std::ops::Range;

use linear_algebra::{Coordinates, FractionSolver, thin_svd};
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::decomposed::{Decomposed, product};
use crate::{Design, Event, GlmError, HrfLibrary, Timing};

/// Fractions of the length of the unpenalized betas that a voxel can choose from, as in GLMsingle: 1, .95, ... .05.
pub const N_FRACTIONS: usize = 20;

/// Singular values up to this share of the largest are taken for 0, as in fracridge.
const TOLERANCE: f64 = 1e-10;

/// What nuisance leaves of a series is rounding below this share of its sum of squares.
const ROUNDING: f64 = 1e-24;

/// The designs of one run, one for each response of a library.
pub struct FittedRun {
    n_volumes: usize,
    n_trials: usize,
    /// Confounds, drifts and constant.
    nuisance: Decomposed,
    /// Of each response, what nuisance leaves of the trials.
    designs: Vec<Axes>,
    /// Trials that can be told from others under every response.
    estimable: Vec<bool>,
}

/// `left diag(values) right'`.
struct Axes {
    /// `n_volumes x k`
    left: Array2<f64>,
    values: Array1<f64>,
    /// `n_trials x k`
    right: Array2<f64>,
}

impl FittedRun {
    /// `design` gives the confounds and drifts; the regressors are those of `library`.
    pub fn new(design: &Design, events: &[Event], timing: Timing, library: &HrfLibrary) -> Result<FittedRun, GlmError> {
        let none = Array2::zeros((timing.n_volumes, 0));
        let nuisance = Decomposed::new(Design::of_trials(&[], &none, design)?.matrix.view())?;
        let (n_volumes, n_trials) = (timing.n_volumes, events.len());
        let n_columns = n_trials + nuisance.lengths.len();
        if n_volumes <= n_columns {
            return Err(GlmError::NoFreedom { n_volumes, n_columns });
        }
        let names: Vec<String> = (0..n_trials).map(|k| format!("trial {k} \u{0}")).collect();
        let of_response = |response: usize| {
            let trials = library.columns(response, events, timing)?;
            let whole = Decomposed::new(Design::of_trials(&names, &trials, design)?.matrix.view())?;
            let is_estimable = |trial: usize| {
                let mut weights = Array1::zeros(whole.lengths.len());
                weights[trial] = 1.0;
                whole.is_estimable(weights.view())
            };
            let estimable: Vec<bool> = (0..n_trials).map(is_estimable).collect();
            let own = nuisance.residuals(trials.view(), nuisance.coordinates(trials.view()).view());
            let svd = thin_svd(own.view())?;
            // Of a trial without a response of its own (behind the end of the run, doubled) an axis has a value of
            // rounding and any direction, which would explain what is not the trials'.
            let least = TOLERANCE * svd.values.iter().copied().fold(0.0, f64::max);
            let kept: Vec<usize> = (0..svd.values.len()).filter(|&k| svd.values[k] > least).collect();
            let [left, right] = [&svd.left, &svd.right].map(|vectors| vectors.select(Axis(1), &kept));
            Ok((Axes { left, values: svd.values.select(Axis(0), &kept), right }, estimable))
        };
        let found: Result<Vec<_>, GlmError> = (0..library.n_responses()).into_par_iter().map(of_response).collect();
        let (designs, all): (Vec<Axes>, Vec<Vec<bool>>) = found?.into_iter().unzip();
        let estimable = (0..n_trials).map(|trial| all.iter().all(|estimable| estimable[trial])).collect();
        Ok(FittedRun { n_volumes, n_trials, nuisance, designs, estimable })
    }

    /// The trials that cannot be told from others, or from the confounds, under some response; their betas are NaN.
    pub fn not_estimable(&self) -> Vec<usize> {
        (0..self.n_trials).filter(|&trial| !self.estimable[trial]).collect()
    }
}

/// Betas per trial of several runs: each voxel takes the response of a library that explains most, and the fraction of
/// ridge regression that predicts other runs best (GLMsingle's models B and D: Prince and others 2022).
///
/// 1. **Response.** Of every response, one model with a column per trial, confounds and drifts is fitted to all runs by
///    least squares. R2 is the share of what confounds and drifts leave that the trials explain; the largest wins.
/// 2. **Fraction.** Over the trials of all runs together, ridge regression with the penalty under which the betas have
///    a fraction 1, .95 ... .05 of the length of the unpenalized ones (exact here; GLMsingle interpolates on a grid of
///    penalties). Betas are z-scored with the mean and standard deviation of the unpenalized ones. The error of a
///    fraction is the sum of squares between its betas and the unpenalized betas of repeats in other runs; the smallest
///    wins, the larger fraction where two are equal.
/// 3. **Scale.** The betas are taken times a factor plus an offset, by which they fit the unpenalized betas best; where
///    that factor would be negative they stay.
///
/// Betas of different runs have then been through one choice, and those of one run shrink towards each other: they are
/// not independent.
pub struct FittedTrials {
    runs: Vec<FittedRun>,
    /// The trials of each run among all.
    trials: Vec<Range<usize>>,
    estimable: Vec<bool>,
    /// Of each response, over the axes of all runs.
    solvers: Vec<FractionSolver>,
    /// What each trial is repeated as; trials that occur in one run only stand alone.
    repeats: Repeats,
}

/// Which trials repeat one another in other runs.
struct Repeats {
    /// The group of each trial that has a partner, and its run.
    group_of: Vec<Option<(usize, usize)>>,
    n_groups: usize,
    n_runs: usize,
    /// How many repeats a trial has in other runs.
    n_partners: Vec<f64>,
}

/// Betas of a block of voxels.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedBlock {
    /// `n_trials x n_voxels`, NaN for trials that cannot be told from others.
    pub betas: Array2<f64>,
    /// The response of each voxel; `None` where confounds and drifts leave nothing to explain: its betas are NaN.
    pub responses: Vec<Option<usize>>,
    /// The fraction of each voxel, NaN there.
    pub fractions: Vec<f64>,
    /// Share of what confounds and drifts leave that the trials explain without a penalty, NaN there.
    pub r2: Vec<f64>,
}

impl FittedTrials {
    /// `repeats` says of each trial, run after run, what it is a presentation of. At least two things must be presented
    /// in two runs or more: of one alone every fraction predicts the same.
    pub fn new(runs: Vec<FittedRun>, repeats: &[usize]) -> Result<FittedTrials, GlmError> {
        let mut trials = Vec::new();
        for run in &runs {
            let first = trials.last().map_or(0, |before: &Range<usize>| before.end);
            trials.push(first..first + run.n_trials);
        }
        let estimable: Vec<bool> = runs.iter().flat_map(|run| run.estimable.iter().copied()).collect();
        let repeats = Repeats::new(repeats, &trials, &estimable);
        if repeats.n_groups < 2 {
            return Err(GlmError::TooFewRepeats { n_groups: repeats.n_groups, n_runs: runs.len() });
        }
        let n_responses = runs[0].designs.len();
        let solver = |response: usize| {
            let squares: Vec<f64> =
                runs.iter().flat_map(|run| run.designs[response].values.iter().map(|value| value * value)).collect();
            FractionSolver::new(&squares, Coordinates::Primal, TOLERANCE)
        };
        let solvers = (0..n_responses).map(solver).collect();
        Ok(FittedTrials { runs, trials, estimable, solvers, repeats })
    }

    /// How many things are presented in two runs or more, and how many trials these have.
    pub fn n_repeats(&self) -> (usize, usize) {
        (self.repeats.n_groups, self.repeats.group_of.iter().flatten().count())
    }

    /// Betas of a block: of every run `n_volumes x n_voxels`, all finite.
    pub fn fit(&self, y: &[Array2<f64>]) -> Result<FittedBlock, GlmError> {
        let n_voxels = y.first().map_or(0, Array2::ncols);
        let (mut total, mut whole) = (vec![0.0; n_voxels], vec![0.0; n_voxels]);
        let mut explained = Array2::<f64>::zeros((self.solvers.len(), n_voxels));
        let mut left = Vec::new();
        for (run, y) in self.runs.iter().zip(y) {
            if y.nrows() != run.n_volumes {
                return Err(GlmError::OtherLength { found: y.nrows(), n_volumes: run.n_volumes });
            }
            let own = run.nuisance.residuals(y.view(), run.nuisance.coordinates(y.view()).view());
            add_squares(y.view(), &mut whole);
            add_squares(own.view(), &mut total);
            for (axes, mut explained) in run.designs.iter().zip(explained.rows_mut()) {
                let coordinates = product(axes.left.t(), own.view());
                add_squares(coordinates.view(), explained.as_slice_mut().unwrap_or_default());
            }
            left.push(own);
        }
        let mut found = FittedBlock {
            betas: Array2::from_elem((self.estimable.len(), n_voxels), f64::NAN),
            responses: vec![None; n_voxels],
            fractions: vec![f64::NAN; n_voxels],
            r2: vec![f64::NAN; n_voxels],
        };
        let mut of_response: Vec<Vec<usize>> = vec![Vec::new(); self.solvers.len()];
        for voxel in (0..n_voxels).filter(|&voxel| total[voxel] > ROUNDING * whole[voxel]) {
            let mut best = 0;
            for response in 1..self.solvers.len() {
                if explained[(response, voxel)] > explained[(best, voxel)] {
                    best = response;
                }
            }
            found.responses[voxel] = Some(best);
            found.r2[voxel] = explained[(best, voxel)] / total[voxel];
            of_response[best].push(voxel);
        }
        for (response, voxels) in of_response.iter().enumerate().filter(|(_, voxels)| !voxels.is_empty()) {
            let own: Vec<Array2<f64>> = left.iter().map(|left| left.select(Axis(1), voxels)).collect();
            let (betas, fractions) = self.regularized(response, &own)?;
            for (k, &voxel) in voxels.iter().enumerate() {
                found.betas.column_mut(voxel).assign(&betas.column(k));
                found.fractions[voxel] = fractions[k];
            }
        }
        Ok(found)
    }

    /// Betas at the chosen fractions, and these.
    fn regularized(&self, response: usize, y: &[Array2<f64>]) -> Result<(Array2<f64>, Vec<f64>), GlmError> {
        let n_voxels = y[0].ncols();
        let solver = &self.solvers[response];
        let designs: Vec<&Axes> = self.runs.iter().map(|run| &run.designs[response]).collect();
        let n_axes = designs.iter().map(|axes| axes.values.len()).sum();
        let mut coordinates = Array2::zeros((n_axes, n_voxels));
        let mut first = 0;
        for (axes, y) in designs.iter().zip(y) {
            let mut own = product(axes.left.t(), y.view());
            own *= &axes.values.view().insert_axis(Axis(1));
            let end = first + axes.values.len();
            coordinates.slice_mut(s![first..end, ..]).assign(&own);
            first = end;
        }
        let betas = |penalties: &[f64]| {
            let shrunk = solver.shrink(coordinates.view(), penalties);
            let mut betas = Array2::zeros((self.estimable.len(), n_voxels));
            let mut first = 0;
            for (axes, trials) in designs.iter().zip(&self.trials) {
                let end = first + axes.values.len();
                let own = product(axes.right.view(), shrunk.slice(s![first..end, ..]));
                betas.slice_mut(s![trials.clone(), ..]).assign(&own);
                first = end;
            }
            betas
        };
        let fractions = fractions();
        let solved = solver.solve_all(coordinates.view(), &fractions)?;
        let penalties: Vec<Vec<f64>> =
            solved.iter().map(|solved| solved.iter().map(|found| found.alpha).collect()).collect();
        let full = betas(&penalties[0]);
        let scores = Scores::of(full.view(), &self.estimable);
        let expected = self.repeats.expected(full.view(), &scores);
        let mut best = vec![(f64::INFINITY, 0); n_voxels];
        for (k, penalties) in penalties.iter().enumerate() {
            let errors = match k {
                0 => self.repeats.errors(full.view(), &scores, expected.view()),
                _ => self.repeats.errors(betas(penalties).view(), &scores, expected.view()),
            };
            for (best, error) in best.iter_mut().zip(errors) {
                if error < best.0 {
                    *best = (error, k);
                }
            }
        }
        let chosen: Vec<f64> = best.iter().enumerate().map(|(voxel, (_, k))| penalties[*k][voxel]).collect();
        let mut betas = betas(&chosen);
        for (mut betas, full) in betas.columns_mut().into_iter().zip(full.columns()) {
            let used = || betas.iter().zip(&full).zip(&self.estimable).filter(|(_, usable)| **usable);
            let (scale, offset) = line(used().map(|((x, y), _)| (*x, *y)));
            for (beta, usable) in betas.iter_mut().zip(&self.estimable) {
                *beta = if *usable { scale * *beta + offset } else { f64::NAN };
            }
        }
        Ok((betas, best.into_iter().map(|(_, k)| fractions[k]).collect()))
    }
}

fn fractions() -> Vec<f64> {
    (0..N_FRACTIONS).map(|k| (N_FRACTIONS - k) as f64 / N_FRACTIONS as f64).collect()
}

fn add_squares(x: ArrayView2<f64>, sums: &mut [f64]) {
    for row in x.rows() {
        row.iter().zip(sums.iter_mut()).for_each(|(x, sum)| *sum += x * x);
    }
}

/// Scale and offset that bring the first of each pair closest to the second; 1 and 0 where the scale would be negative.
fn line(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> (f64, f64) {
    let (mut n, mut x_sum, mut y_sum) = (0.0, 0.0, 0.0);
    for (x, y) in pairs.clone() {
        (n, x_sum, y_sum) = (n + 1.0, x_sum + x, y_sum + y);
    }
    let (x_mean, y_mean) = (x_sum / n, y_sum / n);
    let (mut along, mut square) = (0.0, 0.0);
    for (x, y) in pairs {
        along += (x - x_mean) * (y - y_mean);
        square += (x - x_mean).powi(2);
    }
    let scale = along / square;
    // Also where nothing varies.
    if scale >= 0.0 { (scale, y_mean - scale * x_mean) } else { (1.0, 0.0) }
}

/// How unpenalized betas become z-scores, voxel by voxel.
struct Scores {
    means: Vec<f64>,
    /// 1 / standard deviation (n - 1); 0 where that is 0.
    per_sd: Vec<f64>,
}

impl Scores {
    fn of(betas: ArrayView2<f64>, usable: &[bool]) -> Scores {
        let n = usable.iter().filter(|usable| **usable).count() as f64;
        let used = || betas.rows().into_iter().zip(usable).filter(|(_, usable)| **usable).map(|(row, _)| row);
        let mut means = vec![0.0; betas.ncols()];
        used().for_each(|row| means.iter_mut().zip(row).for_each(|(sum, beta)| *sum += beta));
        means.iter_mut().for_each(|sum| *sum /= n);
        let mut squares = vec![0.0; betas.ncols()];
        for row in used() {
            for ((square, beta), mean) in squares.iter_mut().zip(row).zip(&means) {
                *square += (beta - mean).powi(2);
            }
        }
        let per_sd = squares.iter().map(|square| if *square > 0.0 { ((n - 1.0) / square).sqrt() } else { 0.0 });
        Scores { per_sd: per_sd.collect(), means }
    }

    fn score(&self, beta: f64, voxel: usize) -> f64 {
        (beta - self.means[voxel]) * self.per_sd[voxel]
    }
}

impl Repeats {
    fn new(of: &[usize], trials: &[Range<usize>], estimable: &[bool]) -> Repeats {
        let run_of: Vec<usize> =
            trials.iter().enumerate().flat_map(|(run, trials)| trials.clone().map(move |_| run)).collect();
        let mut n_in_run: HashMap<(usize, usize), usize> = HashMap::new();
        let mut n_in_all: HashMap<usize, usize> = HashMap::new();
        for trial in (0..of.len()).filter(|&trial| estimable[trial]) {
            *n_in_run.entry((of[trial], run_of[trial])).or_default() += 1;
            *n_in_all.entry(of[trial]).or_default() += 1;
        }
        let mut numbers: HashMap<usize, usize> = HashMap::new();
        let (mut group_of, mut n_partners) = (vec![None; of.len()], vec![0.0; of.len()]);
        for trial in (0..of.len()).filter(|&trial| estimable[trial]) {
            let others = n_in_all[&of[trial]] - n_in_run[&(of[trial], run_of[trial])];
            if others > 0 {
                let next = numbers.len();
                group_of[trial] = Some((*numbers.entry(of[trial]).or_insert(next), run_of[trial]));
                n_partners[trial] = others as f64;
            }
        }
        Repeats { group_of, n_groups: numbers.len(), n_runs: trials.len(), n_partners }
    }

    /// Sums of the unpenalized scores of each trial's repeats in other runs, `n_trials x n_voxels`.
    fn expected(&self, full: ArrayView2<f64>, scores: &Scores) -> Array2<f64> {
        let n_voxels = full.ncols();
        let mut of_run = Array2::<f64>::zeros((self.n_groups * self.n_runs, n_voxels));
        for (group_of, betas) in self.group_of.iter().zip(full.rows()) {
            let Some((group, run)) = group_of else { continue };
            let mut sums = of_run.row_mut(group * self.n_runs + run);
            sums.iter_mut().zip(betas).enumerate().for_each(|(voxel, (sum, beta))| *sum += scores.score(*beta, voxel));
        }
        let mut expected = Array2::zeros(full.dim());
        for (group_of, mut expected) in self.group_of.iter().zip(expected.rows_mut()) {
            let Some((group, run)) = group_of else { continue };
            for other in (0..self.n_runs).filter(|other| other != run) {
                expected += &of_run.row(group * self.n_runs + other);
            }
        }
        expected
    }

    /// Of each voxel `sum (z - u)^2` over all pairs of a trial's penalized score `z` and the unpenalized score `u` of a
    /// repeat in another run, but for `sum u^2`, which is the same for all penalties.
    fn errors(&self, betas: ArrayView2<f64>, scores: &Scores, expected: ArrayView2<f64>) -> Vec<f64> {
        let mut errors = vec![0.0; betas.ncols()];
        for ((betas, expected), n) in betas.rows().into_iter().zip(expected.rows()).zip(&self.n_partners) {
            if *n == 0.0 {
                continue;
            }
            for (voxel, ((error, beta), expected)) in errors.iter_mut().zip(betas).zip(expected).enumerate() {
                let z = scores.score(*beta, voxel);
                *error += z * (n * z - 2.0 * expected);
            }
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Basis, Drift, Hrf};

    const TIMING: Timing = Timing { n_volumes: 90, tr: 1.5, slice_time_ref: 0.0 };
    const N_PICTURES: usize = 6;

    fn noise(seed: &mut u64) -> f64 {
        let mut uniform = || {
            *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (*seed >> 40) as f64 / (1u64 << 24) as f64 - 0.5
        };
        (0..12).map(|_| uniform()).sum()
    }

    /// Twelve trials of six pictures, so close that their responses overlap, in another order in each run.
    fn events(run: usize) -> Vec<Event> {
        let event = |k: usize| Event {
            condition: ((k * (2 * run + 1) + 5 * run + k / 6) % N_PICTURES).to_string(),
            onset: 3.3 + 3.4 * k as f64 + run as f64,
            duration: 1.0,
            modulation: 1.0,
        };
        (0..12).map(event).collect()
    }

    fn design(events: &[Event]) -> Design {
        Design::new(events, None, &Basis::new(Hrf::Spm), Drift::Polynomial { order: 2 }, TIMING).unwrap()
    }

    fn groups(n_runs: usize) -> Vec<usize> {
        (0..n_runs).flat_map(events).map(|event| event.condition.parse().unwrap()).collect()
    }

    fn model(n_runs: usize, library: &HrfLibrary) -> FittedTrials {
        let run = |run| FittedRun::new(&design(&events(run)), &events(run), TIMING, library).unwrap();
        FittedTrials::new((0..n_runs).map(run).collect(), &groups(n_runs)).unwrap()
    }

    /// Runs in which voxel k has response k of the library, and the true betas (`n_trials x n_voxels`).
    fn simulated(n_runs: usize, library: &HrfLibrary, noise_sd: f64) -> (Vec<Array2<f64>>, Array2<f64>) {
        let n_voxels = library.n_responses();
        let mut seed = 1;
        let of_picture = Array2::from_shape_fn((N_PICTURES, n_voxels), |_| 2.0 + noise(&mut seed));
        let mut truth = Vec::new();
        let mut runs = Vec::new();
        for run in 0..n_runs {
            let events = events(run);
            let mut y = Array2::from_shape_fn((TIMING.n_volumes, n_voxels), |(t, _)| {
                100.0 + 0.02 * t as f64 + noise_sd * noise(&mut seed)
            });
            for voxel in 0..n_voxels {
                let columns = library.columns(voxel, &events, TIMING).unwrap();
                for (event, column) in events.iter().zip(columns.columns()) {
                    let beta = of_picture[(event.condition.parse::<usize>().unwrap(), voxel)];
                    y.column_mut(voxel).scaled_add(beta, &column);
                }
            }
            truth.extend(events.iter().map(|event| of_picture.row(event.condition.parse().unwrap()).to_vec()));
            runs.push(y);
        }
        (runs, Array2::from_shape_fn((truth.len(), n_voxels), |(t, v)| truth[t][v]))
    }

    /// Whole stacked designs, normal equations, bisection, all pairs.
    fn slow(library: &HrfLibrary, y: &[Array2<f64>], voxel: usize) -> (usize, f64, Vec<f64>) {
        let n_runs = y.len();
        let groups = groups(n_runs);
        let run_of = |trial: usize| trial / 12;
        let n = TIMING.n_volumes;
        let solve = |a: &Array2<f64>, b: &Array1<f64>| {
            let svd = thin_svd(a.view()).unwrap();
            svd.right.dot(&(svd.left.t().dot(b) / &svd.values))
        };
        let mut target = Array1::zeros(n * n_runs);
        let project = |x: &Array1<f64>| {
            let t = Array1::from_shape_fn(n, |t| t as f64 / n as f64);
            let nuisance = ndarray::stack![Axis(1), Array1::ones(n), t, &t * &t];
            let normal = nuisance.t().dot(&nuisance);
            x - &nuisance.dot(&solve(&normal, &nuisance.t().dot(x)))
        };
        let stacked: Vec<Array2<f64>> = (0..library.n_responses())
            .map(|response| {
                let mut all = Array2::zeros((n * n_runs, 12 * n_runs));
                for run in 0..n_runs {
                    let columns = library.columns(response, &events(run), TIMING).unwrap();
                    for (k, column) in columns.columns().into_iter().enumerate() {
                        let own = project(&column.to_owned());
                        all.slice_mut(s![run * n..(run + 1) * n, run * 12 + k]).assign(&own);
                    }
                }
                all
            })
            .collect();
        for (run, y) in y.iter().enumerate() {
            target.slice_mut(s![run * n..(run + 1) * n]).assign(&project(&y.column(voxel).to_owned()));
        }
        let left = |x: &Array2<f64>| {
            let betas = solve(&x.t().dot(x), &x.t().dot(&target));
            (&target - &x.dot(&betas)).mapv(|e| e * e).sum()
        };
        let unexplained: Vec<f64> = stacked.iter().map(left).collect();
        let best = (0..stacked.len()).min_by(|a, b| unexplained[*a].total_cmp(&unexplained[*b])).unwrap();
        let x = &stacked[best];
        let (normal, right) = (x.t().dot(x), x.t().dot(&target));
        let ridge = |alpha: f64| solve(&(&normal + alpha * Array2::<f64>::eye(x.ncols())), &right);
        let full = ridge(0.0);
        let length = |betas: &Array1<f64>| betas.dot(betas).sqrt();
        let (mean, sd) = (full.mean().unwrap(), full.std(1.0));
        let z = |beta: f64| (beta - mean) / sd;
        let mut found = (f64::INFINITY, 1.0, full.clone());
        for fraction in fractions() {
            let (mut low, mut high) = (1e-6f64, 1e6f64);
            for _ in 0..60 {
                let middle = (low * high).sqrt();
                if length(&ridge(middle)) > fraction * length(&full) { low = middle } else { high = middle }
            }
            let betas = if fraction == 1.0 { full.clone() } else { ridge(low) };
            let mut error = 0.0;
            for (test, test_group) in groups.iter().enumerate() {
                for (train, train_group) in groups.iter().enumerate() {
                    if test_group == train_group && run_of(test) != run_of(train) {
                        error += (z(betas[train]) - z(full[test])).powi(2);
                    }
                }
            }
            if error < found.0 {
                found = (error, fraction, betas);
            }
        }
        let design = ndarray::stack![Axis(1), found.2, Array1::ones(full.len())];
        let scaled = solve(&design, &full);
        assert!(scaled[0] > 0.0);
        (best, found.1, design.dot(&scaled).to_vec())
    }

    #[test]
    fn it_is_the_slow_sum_over_all_pairs() {
        let library = HrfLibrary::nsd();
        let (y, _) = simulated(3, &library, 1.5);
        let found = model(3, &library).fit(&y).unwrap();
        let mut seen = std::collections::HashSet::new();
        for voxel in [0, 4, 8, 13, 19] {
            let (response, fraction, betas) = slow(&library, &y, voxel);
            assert_eq!(found.responses[voxel], Some(response));
            assert!((found.fractions[voxel] - fraction).abs() < 1e-12, "{voxel}: {fraction}");
            for (got, expected) in found.betas.column(voxel).iter().zip(&betas) {
                // Normal equations of condition 1e3 squared, and the bisection's end.
                assert!((got - expected).abs() < 1e-8 * expected.abs().max(1.0), "{voxel}: {got} {expected}");
            }
            seen.insert((fraction * 20.0) as usize);
        }
        assert!(seen.len() > 1, "one fraction for all says little");
    }

    #[test]
    fn responses_are_found_and_betas_are_nearer_to_the_truth() {
        let library = HrfLibrary::nsd();
        let (y, truth) = simulated(4, &library, 0.15);
        let found = model(4, &library).fit(&y).unwrap();
        for voxel in 0..20 {
            assert_eq!(found.responses[voxel], Some(voxel));
            assert!(found.r2[voxel] > 0.8, "{}", found.r2[voxel]);
        }
        let (y, truth_of_noisy) = simulated(4, &library, 2.0);
        assert_eq!(truth, truth_of_noisy);
        let fitted = model(4, &library);
        let found = fitted.fit(&y).unwrap();
        let (mut closer, mut fitted_error, mut full_error) = (0, 0.0, 0.0);
        for voxel in 0..20 {
            let Some(response) = found.responses[voxel] else { panic!("{voxel}") };
            let own: Vec<Array2<f64>> = y
                .iter()
                .zip(&fitted.runs)
                .flat_map(|(y, run)| {
                    let own = run.nuisance.residuals(y.view(), run.nuisance.coordinates(y.view()).view());
                    let axes = &run.designs[response];
                    let c = product(axes.left.t(), own.view()) / axes.values.view().insert_axis(Axis(1));
                    [product(axes.right.view(), c.view())]
                })
                .collect();
            let full = ndarray::concatenate(Axis(0), &own.iter().map(|own| own.view()).collect::<Vec<_>>()).unwrap();
            let error = |betas: ndarray::ArrayView1<f64>| (&betas - &truth.column(voxel)).mapv(|e| e * e).sum();
            let (of_fitted, of_full): (f64, f64) = (error(found.betas.column(voxel)), error(full.column(voxel)));
            closer += usize::from(of_fitted < of_full);
            fitted_error += of_fitted;
            full_error += of_full;
        }
        // Both have the response that was chosen, which in this noise is not always the right one. The scale of the
        // unpenalized betas, which the others are brought back to, keeps most of the error.
        assert!(closer > 17 && fitted_error < 0.96 * full_error, "{closer}, {fitted_error} of {full_error}");
    }

    #[test]
    fn what_cannot_be_told_apart_is_nan_and_the_rest_stands() {
        let library = HrfLibrary::nsd();
        let (mut y, _) = simulated(2, &library, 1.0);
        let mut second = events(1);
        second[11].onset = 500.0;
        let runs = vec![
            FittedRun::new(&design(&events(0)), &events(0), TIMING, &library).unwrap(),
            FittedRun::new(&design(&second), &second, TIMING, &library).unwrap(),
        ];
        assert_eq!(runs[1].not_estimable(), [11]);
        // Nothing but drift.
        for y in &mut y {
            y.column_mut(3).assign(&Array1::from_shape_fn(90, |t| 100.0 + 0.5 * t as f64));
        }
        let found = FittedTrials::new(runs, &groups(2)).unwrap().fit(&y).unwrap();
        assert_eq!(found.responses.iter().filter(|response| response.is_none()).count(), 1);
        assert!(found.r2[3].is_nan() && found.fractions[3].is_nan());
        for ((trial, voxel), beta) in found.betas.indexed_iter() {
            assert_eq!(beta.is_nan(), trial == 23 || voxel == 3, "{trial} {voxel}");
        }
        // The trial behind the end explains nothing: without it all is the same.
        let without = vec![
            FittedRun::new(&design(&events(0)), &events(0), TIMING, &library).unwrap(),
            FittedRun::new(&design(&second[..11]), &second[..11], TIMING, &library).unwrap(),
        ];
        let less = FittedTrials::new(without, &groups(2)[..23]).unwrap().fit(&y).unwrap();
        assert_eq!(less.responses, found.responses);
        for (voxel, (a, b)) in less.r2.iter().zip(&found.r2).enumerate().filter(|(voxel, _)| *voxel != 3) {
            assert!((a - b).abs() < 1e-12, "{voxel}: {a} {b}");
            assert_eq!(less.fractions[voxel], found.fractions[voxel]);
        }
        for (voxel, (a, b)) in less.betas.columns().into_iter().zip(found.betas.columns()).enumerate() {
            assert!(voxel == 3 || a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9), "{voxel}");
        }
    }

    #[test]
    fn fractions_need_repeats_over_runs() {
        let library = HrfLibrary::nsd();
        let run = |run| FittedRun::new(&design(&events(run)), &events(run), TIMING, &library).unwrap();
        let refused = |n_runs: usize, groups: &[usize]| {
            FittedTrials::new((0..n_runs).map(run).collect(), groups).err().unwrap().to_string()
        };
        assert!(refused(1, &groups(1)).contains("0 of"), "{}", refused(1, &groups(1)));
        let alone: Vec<usize> = (0..24).map(|trial| if trial % 12 == 0 { 0 } else { trial + 1 }).collect();
        assert!(refused(2, &alone).contains("1 of"), "{}", refused(2, &alone));
        let short = Timing { n_volumes: 15, ..TIMING };
        let design = Design::new(&events(0), None, &Basis::new(Hrf::Spm), Drift::Polynomial { order: 2 }, short);
        let error = FittedRun::new(&design.unwrap(), &events(0), short, &library).err().unwrap().to_string();
        assert!(error.contains("15"), "{error}");
    }
}
