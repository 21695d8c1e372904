//! Rows that are nearly the same although they are called differently.

use linear_algebra::Real;
use rayon::prelude::*;
use statistics::Draws;

use crate::rows::Rows;
use crate::scaling::{ColumnScaling, Scaling};

/// Two rows are near when they differ by at most so much of the root mean squared distance of two rows.
const NEAR: f64 = 1e-3;
/// Random directions by which pairs are sifted.
const DIRECTIONS: usize = 4;
/// Standard deviations of a projected distance that is still looked at: one in 10^5 near pairs lies outside on one
/// direction.
const REACH: f64 = 5.0;

/// Pairs of rows of `x` (`n x p`) that are `apart` (of different stimuli, on two sides of a split) and nearly the
/// same: copies of a picture under two names, or crops of one. The first row of a pair is the smaller, pairs rise.
///
/// Rows are sifted by random projections first, so that not all pairs are compared.
pub fn near_duplicates<'a, T: Real + 'a>(
    x: impl Into<Rows<'a, T>>,
    apart: impl Fn(usize, usize) -> bool + Sync,
) -> Vec<(usize, usize)> {
    let x = x.into();
    let (n, p) = x.dim();
    if n < 2 || p == 0 {
        return Vec::new();
    }
    let directions: Vec<Vec<bool>> = (0..DIRECTIONS)
        .map(|k| {
            let mut draws = Draws::stream(0, k as u64);
            (0..p).map(|_| draws.below(2) == 1).collect()
        })
        .collect();
    let first: Vec<f64> = x.row(0, &mut Vec::new()).iter().map(|v| v.to_f64()).collect();
    let projected: Vec<[f64; DIRECTIONS]> = (0..n)
        .into_par_iter()
        .map_init(Vec::new, |buffer, row| {
            let mut sums = [0.0; DIRECTIONS];
            for (k, (value, first)) in x.row(row, buffer).iter().zip(&first).enumerate() {
                let difference = value.to_f64() - first;
                sums.iter_mut()
                    .zip(&directions)
                    .for_each(|(sum, up)| *sum += if up[k] { difference } else { -difference });
            }
            sums
        })
        .collect();
    // The mean squared distance of two rows is twice the total variance.
    let rows: Vec<usize> = (0..n).collect();
    let squares: f64 = ColumnScaling::learn(x, &rows, Scaling::Centre).variance.iter().sum();
    let total = squares * n as f64 / (n as f64 - 1.0);
    let limit = NEAR * (2.0 * total).sqrt();
    if !(limit > 0.0 && limit.is_finite()) {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| projected[a][0].total_cmp(&projected[b][0]).then(a.cmp(&b)));
    let near = |a: usize, b: usize| {
        let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
        let rows = x.row(a, &mut of_a).into_iter().zip(x.row(b, &mut of_b));
        let squares: f64 = rows.map(|(a, b)| (a.to_f64() - b.to_f64()).powi(2)).sum();
        squares.sqrt() <= limit
    };
    let mut pairs: Vec<(usize, usize)> = (0..n)
        .into_par_iter()
        .flat_map_iter(|place| {
            let a = order[place];
            let reach = move |b: usize, projected: &[[f64; DIRECTIONS]], k: usize| {
                (projected[a][k] - projected[b][k]).abs() <= REACH * limit
            };
            let behind = order[place + 1..].iter().copied().take_while(|&b| reach(b, &projected, 0));
            let sifted = behind.filter(|&b| (1..DIRECTIONS).all(|k| reach(b, &projected, k)));
            sifted
                .filter(|&b| apart(a.min(b), a.max(b)) && near(a, b))
                .map(|b| (a.min(b), a.max(b)))
                .collect::<Vec<_>>()
        })
        .collect();
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use statistics::Draws;

    use super::near_duplicates;

    #[test]
    fn finds_copies_and_nearly_copies_but_only_apart() {
        let mut draws = Draws::new(3);
        let mut x = Array2::from_shape_simple_fn((300, 40), || draws.normal_pair()[0]);
        let copy = x.row(7).to_owned();
        x.row_mut(200).assign(&copy);
        let nearly = x.row(20).mapv(|v| v + 1e-4);
        x.row_mut(9).assign(&nearly);
        let further = x.row(30).mapv(|v| v + 0.05);
        x.row_mut(31).assign(&further);
        assert_eq!(near_duplicates(x.view(), |_, _| true), [(7, 200), (9, 20)]);
        assert_eq!(near_duplicates(x.view(), |a, _| a != 7), [(9, 20)]);
        let narrow = x.mapv(|v| v as f32 + 1e3);
        assert_eq!(near_duplicates(narrow.view(), |_, _| true), [(7, 200), (9, 20)]);
        assert_eq!(near_duplicates(Array2::<f64>::ones((5, 3)).view(), |_, _| true), []);
    }
}
