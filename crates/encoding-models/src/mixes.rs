use std::ops::Range;

use ndarray::{Array1, Array2, s};

/// Which penalties' predictions are multiplied, and how all others are mixed from them.
///
/// A prediction is a sum over axes weighted by filter factors `l / (l + alpha)`. As functions of the eigenvalue these
/// are so smooth that many are combinations of a few, the fewer the narrower a range of eigenvalues is. So neighbouring
/// axes stand in groups, each with its own few penalties: with 20 over seven decades and a spectrum over two, 9
/// products serve all 20 to 1e-8, where ungrouped axes take 15.
#[derive(Debug, Clone)]
pub(crate) struct Mixes {
    /// They cover all axes, in order.
    pub groups: Vec<Group>,
}

/// Neighbouring axes.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub axes: Range<usize>,
    /// Places of the penalties whose products are made.
    pub multiplied: Vec<usize>,
    /// n_alphas x n_multiplied.
    pub shares: Array2<f64>,
}

/// Numbers of groups that are tried.
const GROUPS: [usize; 6] = [1, 2, 3, 4, 6, 8];
/// What one term of a mix costs, in terms of a product: it is summed in `f64`, and not from registers.
const TERM: usize = 5;

impl Mixes {
    /// Eigenvalues in order. `tolerance`: how far a filter factor, a number between 0 and 1, may be from its mix on any
    /// axis.
    pub fn of(eigenvalues: &Array1<f64>, alphas: &[f64], tolerance: f64) -> Mixes {
        let k = eigenvalues.len();
        let grouped = |n: usize| {
            let cuts = (0..n).map(|i| i * k / n..(i + 1) * k / n).filter(|axes| n == 1 || !axes.is_empty());
            Mixes { groups: cuts.map(|axes| Group::of(eigenvalues, axes, alphas, tolerance)).collect() }
        };
        let one = grouped(1);
        if alphas.len() == 1 {
            return one;
        }
        GROUPS[1..].iter().fold(one, |best, &n| {
            let other = grouped(n);
            if other.work() < best.work() { other } else { best }
        })
    }

    /// Multiplications for one prediction under every penalty.
    fn work(&self) -> usize {
        let products = self.groups.iter().map(|group| group.axes.len() * group.multiplied.len()).sum::<usize>();
        let terms = self.groups.iter().map(|group| group.shares.len()).sum::<usize>();
        products + TERM * terms
    }
}

impl Group {
    /// The few are chosen by QR with column pivoting, so that no share is much above 1 (an interpolative decomposition;
    /// Cheng et al. 2005).
    fn of(eigenvalues: &Array1<f64>, axes: Range<usize>, alphas: &[f64], tolerance: f64) -> Group {
        let n = alphas.len();
        let filter = |l: f64, alpha: f64| if l > 0.0 { l / (l + alpha) } else { 0.0 };
        let mut left: Vec<Vec<f64>> = alphas
            .iter()
            .map(|alpha| eigenvalues.slice(s![axes.clone()]).iter().map(|l| filter(*l, *alpha)).collect())
            .collect();
        let mut order: Vec<usize> = (0..n).collect();
        // Rows of R in the order of the pivots: what each column has of the directions so far.
        let mut r = Array2::<f64>::zeros((n, n));
        let mut rank = 0;
        while rank < n {
            let largest = |column: &Vec<f64>| column.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            let norm = |column: &Vec<f64>| column.iter().map(|v| v * v).sum::<f64>();
            let far = order[rank..].iter().any(|&a| largest(&left[a]) > tolerance);
            if rank > 0 && !far {
                break;
            }
            let pivot =
                (rank..n).fold(rank, |best, i| if norm(&left[order[i]]) > norm(&left[order[best]]) { i } else { best });
            order.swap(rank, pivot);
            let length = norm(&left[order[rank]]).sqrt();
            if length == 0.0 {
                break;
            }
            let direction: Vec<f64> = left[order[rank]].iter().map(|v| v / length).collect();
            for &a in &order[rank..] {
                let along: f64 = direction.iter().zip(&left[a]).map(|(d, v)| d * v).sum();
                r[(rank, a)] = along;
                left[a].iter_mut().zip(&direction).for_each(|(v, d)| *v -= along * d);
            }
            rank += 1;
        }
        let multiplied = order[..rank].to_vec();
        let mut shares = Array2::zeros((n, rank));
        for a in 0..n {
            if let Some(place) = multiplied.iter().position(|m| *m == a) {
                shares[(a, place)] = 1.0;
                continue;
            }
            // R11 t = R12 from the last direction back.
            for i in (0..rank).rev() {
                let known: f64 = (i + 1..rank).map(|j| r[(i, multiplied[j])] * shares[(a, j)]).sum();
                shares[(a, i)] = (r[(i, a)] - known) / r[(i, multiplied[i])];
            }
        }
        Group { axes, multiplied, shares }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array1;

    use super::Mixes;

    #[test]
    fn every_filter_is_its_mix_of_few() {
        let eigenvalues: Array1<f64> = (0..300).map(|i| 50.0 + 6700.0 * (i as f64 / 299.0).powi(3)).collect();
        let alphas: Vec<f64> = (0..20).map(|i| 10f64.powf(-1.0 + 7.0 * f64::from(i) / 19.0)).collect();
        for (tolerance, most) in [(1e-8, 300 * 12), (1e-14, 300 * 20)] {
            let mixes = Mixes::of(&eigenvalues, &alphas, tolerance);
            let products: usize = mixes.groups.iter().map(|group| group.axes.len() * group.multiplied.len()).sum();
            assert!(products <= most, "{products}");
            let mut next = 0;
            for group in &mixes.groups {
                assert_eq!(group.axes.start, next);
                next = group.axes.end;
                for (a, alpha) in alphas.iter().enumerate() {
                    assert!(group.shares.row(a).iter().all(|share| share.abs() < 2.0));
                    for l in &eigenvalues.as_slice().unwrap()[group.axes.clone()] {
                        let shares = group.multiplied.iter().zip(group.shares.row(a));
                        let mixed: f64 = shares.map(|(&m, share)| share * l / (l + alphas[m])).sum();
                        // twenty terms of rounding
                        assert!((mixed - l / (l + alpha)).abs() < tolerance + 1e-14);
                    }
                }
            }
            assert_eq!(next, 300);
        }
    }

    #[test]
    fn wide_spectra_are_cut_into_groups() {
        let alphas: Vec<f64> = (0..20).map(|i| 10f64.powf(-4.0 + 7.0 * f64::from(i) / 19.0)).collect();
        let wide: Array1<f64> = (0..2000).map(|i| 10f64.powf(-6.0 + 9.0 * f64::from(i) / 2000.0)).collect();
        let mixes = Mixes::of(&wide, &alphas, 1e-8);
        let products: usize = mixes.groups.iter().map(|group| group.axes.len() * group.multiplied.len()).sum();
        assert!(mixes.groups.len() > 2 && products < 2000 * 13, "{} groups, {products}", mixes.groups.len());
        assert_eq!(Mixes::of(&Array1::ones(3), &alphas, 1e-8).groups[0].multiplied.len(), 1);
    }

    #[test]
    fn one_penalty_no_variance_and_least_squares() {
        let one = Mixes::of(&Array1::from(vec![0.0, 3.0]), &[0.0], 1e-14).groups.remove(0);
        assert_eq!((one.multiplied, one.shares[(0, 0)]), (vec![0], 1.0));
        let flat = Mixes::of(&Array1::zeros(4), &[0.0, 1.0], 1e-14).groups.remove(0);
        assert_eq!((flat.multiplied.len(), flat.shares.dim()), (0, (2, 0)));
    }
}
