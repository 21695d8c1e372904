//! Which penalty, and which weights of bands, a voxel gets.

use ndarray::Array2;

use crate::alphas::{AlphaGrid, End};

/// What decides between penalties on held-out rows of the training set: the mean over the inner folds of a fold's
/// score, as himalaya and scikit-learn have it; in leave-one-out every row is a fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChooseBy {
    /// Mean squared error.
    #[default]
    Mse,
    /// Coefficient of determination, within a fold around the mean of its held-out responses. In leave-one-out it
    /// chooses what the error does.
    R2,
    /// Pearson correlation within a fold; not for leave-one-out. It says nothing about the size of predictions.
    R,
}

/// Which voxels share a penalty (and, in banded ridge, the weights of the bands).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AlphaPer {
    /// Each has its own.
    #[default]
    Voxel,
    /// One number per voxel; those with equal numbers share, by the plain mean of their scores.
    Group(Vec<usize>),
}

/// What was chosen for one voxel on one training set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Row of the weights of bands.
    pub gamma: usize,
    /// The factor of the grid.
    pub factor: f64,
    /// The penalty itself, factor times scale.
    pub alpha: f64,
    /// Whether it is the lowest or highest of all that were tried, so that a better one may lie outside; false where
    /// only one was.
    pub edge: Option<End>,
    /// Whether it lies beyond the ends of the grid as it was given.
    pub beyond: bool,
    /// Mean score over the inner folds, higher is better (the error with a minus); `NaN` where nothing was judged.
    pub score: f64,
}

/// By how much of itself a loss must fall for a grid to go on beyond its end: errors level off there.
const LEVEL: f64 = 1e-6;

/// Chooses from a grid for some columns of losses. `losses(alphas, columns)` gives `n_alphas x n_columns`, lower is
/// better, `NaN` is never chosen; of equal losses the larger penalty wins.
pub(crate) fn choose(
    grid: &AlphaGrid,
    scale: f64,
    gamma: usize,
    n_columns: usize,
    mut losses: impl FnMut(&[f64], &[usize]) -> Array2<f64>,
) -> Vec<Choice> {
    let scale = if grid.is_absolute() { 1.0 } else { scale };
    let mut at = |factors: &[f64], columns: &[usize]| {
        let alphas: Vec<f64> = factors.iter().map(|factor| factor * scale).collect();
        losses(&alphas, columns)
    };
    let factors = grid.factors();
    let last = factors.len() - 1;
    let choice = |factor: f64, edge, beyond, loss: f64| Choice {
        gamma,
        factor,
        alpha: factor * scale,
        edge,
        beyond,
        score: -loss,
    };
    let all: Vec<usize> = (0..n_columns).collect();
    let found = at(factors, &all);
    let mut chosen: Vec<Choice> = found
        .columns()
        .into_iter()
        .map(|column| match smallest(column.iter().copied()) {
            // Nothing can be said for any penalty: the strongest claims least.
            None => choice(factors[last], None, false, f64::NAN),
            Some(_) if last == 0 => choice(factors[0], None, false, column[0]),
            Some(best) => {
                let edge = if best == 0 { Some(End::Lower) } else { (best == last).then_some(End::Upper) };
                choice(factors[best], edge, false, column[best])
            }
        })
        .collect();
    for end in [End::Lower, End::Upper] {
        let mut active: Vec<usize> = all.iter().copied().filter(|&v| chosen[v].edge == Some(end)).collect();
        let mut tried = 0;
        while !active.is_empty() {
            let more = grid.beyond(end, tried);
            if more.is_empty() {
                break;
            }
            tried += more.len();
            let outermost = if end == End::Lower { 0 } else { more.len() - 1 };
            let found = at(&more, &active);
            let mut going_on = Vec::new();
            for (column, &v) in found.columns().into_iter().zip(&active) {
                let before = -chosen[v].score;
                match smallest(column.iter().copied()) {
                    Some(best) if before - column[best] > LEVEL * before.abs() => {
                        let edge = (best == outermost).then_some(end);
                        chosen[v] = choice(more[best], edge, true, column[best]);
                        if edge.is_some() {
                            going_on.push(v);
                        }
                    }
                    // What was tried beyond is worse, unless the errors have levelled off.
                    Some(best) if before < column[best] => chosen[v].edge = None,
                    _ => {}
                }
            }
            active = going_on;
        }
    }
    chosen
}

/// Index of the smallest loss, the last of equal ones; `NaN` is never the smallest.
pub(crate) fn smallest(losses: impl Iterator<Item = f64>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (index, loss) in losses.enumerate() {
        if loss.is_finite() && best.is_none_or(|(_, smallest)| loss <= smallest) {
            best = Some((index, loss));
        }
    }
    best.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::{choose, smallest};
    use crate::alphas::{AlphaGrid, End};

    fn chosen(grid: &str, loss: impl Fn(f64) -> f64) -> (f64, Option<End>, bool) {
        let grid: AlphaGrid = grid.parse().unwrap();
        let found = choose(&grid, 1.0, 0, 1, |alphas, columns| {
            Array2::from_shape_fn((alphas.len(), columns.len()), |(i, _)| loss(alphas[i].log10()))
        });
        (found[0].factor.log10().round(), found[0].edge, found[0].beyond)
    }

    #[test]
    fn equal_losses_take_the_larger_penalty() {
        assert_eq!(smallest([3.0, 1.0, 1.0, 2.0].into_iter()), Some(2));
        assert_eq!(smallest([f64::NAN, 5.0, f64::NAN].into_iter()), Some(1));
        assert_eq!(smallest([f64::NAN; 2].into_iter()), None);
    }

    #[test]
    fn a_grid_goes_on_while_the_best_sits_on_its_edge() {
        // the best penalty lies at 10^6, 10^-7, 10^1 and nowhere
        assert_eq!(chosen("1e-2:1e2:5", |l| (l - 6.0).powi(2)), (6.0, None, true));
        assert_eq!(chosen("1e-2:1e2:5", |l| (l + 7.0).powi(2)), (-7.0, None, true));
        assert_eq!(chosen("1e-2:1e2:5", |l| (l - 1.0).powi(2)), (1.0, None, false));
        assert_eq!(chosen("1e-2:1e2:5", |l| 100.0 - l), (12.0, Some(End::Upper), true));
        // at the edge, and better than anything outside
        assert_eq!(chosen("1e-2:1e2:5", |l| (l - 2.1).powi(2)), (2.0, None, false));
        // errors level off
        assert_eq!(chosen("1e-2:1e2:5", |l| 1.0 + 1e-9 * (10.0 - l)), (2.0, Some(End::Upper), false));
        // lists and closed grids do not go on; one penalty is at no edge
        assert_eq!(chosen("0.1,1,10", |l| (l - 6.0).powi(2)), (1.0, Some(End::Upper), false));
        assert_eq!(chosen("10", |l| (l - 6.0).powi(2)), (1.0, None, false));
        assert_eq!(chosen("1,10", |_| f64::NAN), (1.0, None, false));
    }
}
