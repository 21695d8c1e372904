//! Canonical correlations.

use linear_algebra::{cross_product, product, symmetric_eigen, thin_svd};
use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use statistics::{bounded, pearson};

use super::{Alignment, AlignmentError, Split, centred};

/// One side of a fit.
#[derive(Debug, Clone)]
pub(super) struct Canonical {
    /// Orthonormal axes of the centred rows, `n x r`.
    axes: Array2<f64>,
    /// How much of each unit lies on each axis, `r x p`; for weighted means alone.
    loadings: Option<Array2<f64>>,
    /// Held-out rows in the coordinates in which the rows of the fit are `axes`, `n_score x r`.
    held: Option<Array2<f64>>,
}

impl Canonical {
    /// `stored` is the relative error of the values: singular values below that of the largest, times the longer side,
    /// are none.
    pub fn of(x: &Array2<f64>, split: &Split, how: Alignment, stored: f64) -> Result<Canonical, AlignmentError> {
        let fit = centred(x, &split.fit);
        let (n, p) = fit.dim();
        let mut variance_kept = 1.0;
        if let Alignment::Svcca { variance } = how {
            variance_kept = variance;
        }
        let longer = n.max(p) as f64;
        // Left vectors and singular values, falling, and the right vectors where they are at hand.
        let (left, values, right) = if p < n {
            let svd = thin_svd(fit.view())?;
            (svd.left, svd.values, Some(svd.right))
        } else {
            let eigen = symmetric_eigen(product(fit.view(), fit.t()).view())?;
            let mut vectors = eigen.vectors;
            vectors.invert_axis(Axis(1));
            (vectors, eigen.values.iter().rev().map(|v| v.max(0.0).sqrt()).collect::<Array1<f64>>(), None)
        };
        // The roots of eigenvalues are exact to the root of what eigenvalues are.
        let exact =
            if right.is_some() { longer * stored } else { (longer * stored).max((longer * f64::EPSILON).sqrt()) };
        let mut rank = values.iter().filter(|v| **v > exact * values[0]).count();
        if variance_kept < 1.0 {
            let total: f64 = values.iter().take(rank).map(|v| v * v).sum();
            let mut held = 0.0;
            let enough = values.iter().take(rank).position(|v| {
                held += v * v;
                held >= variance_kept * total
            });
            rank = enough.map_or(rank, |place| place + 1);
        }
        if rank >= n - 1 {
            return Err(AlignmentError::NoStimuliLeft { rank, n_fit: n });
        }
        let axes = left.slice(s![.., ..rank]).as_standard_layout().into_owned();
        let loadings = (how == Alignment::Pwcca).then(|| cross_product(axes.view(), fit.view()));
        let held = split.score.as_deref().map(|rows| {
            let away = {
                let mut chosen = x.select(Axis(0), rows);
                let means = x.select(Axis(0), &split.fit).mean_axis(Axis(0)).unwrap_or_default();
                chosen -= &means;
                chosen
            };
            let inverse = values.slice(s![..rank]).mapv(f64::recip);
            match &right {
                Some(right) => product(away.view(), right.slice(s![.., ..rank])) * &inverse,
                // X = U S V', so V = X'U / S.
                None => product(product(away.view(), fit.t()).view(), axes.view()) * &inverse * &inverse,
            }
        });
        Ok(Canonical { axes, loadings, held })
    }

    pub fn n_axes(&self) -> usize {
        self.axes.ncols()
    }
}

/// The (weighted) mean of the canonical correlations, on held-out rows where there are any.
pub(super) fn score(a: &Canonical, b: &Canonical) -> f64 {
    // Products of orthonormal axes are finite; the backend has no other reason to fail but convergence.
    let Ok(svd) = thin_svd(cross_product(a.axes.view(), b.axes.view()).view()) else { return f64::NAN };
    let correlations: Vec<f64> = match (&a.held, &b.held) {
        (Some(x), Some(y)) => {
            let (x, y) = (product(x.view(), svd.left.view()), product(y.view(), svd.right.view()));
            let columns = x.columns().into_iter().zip(y.columns());
            columns.map(|(x, y)| pearson(&x.to_vec(), &y.to_vec())).collect()
        }
        _ => svd.values.iter().map(|v| bounded(*v)).collect(),
    };
    let (Some(x), Some(y)) = (&a.loadings, &b.loadings) else { return statistics::mean(&correlations) };
    let of_side = |vectors: &Array2<f64>, loadings: &Array2<f64>| {
        let carried = cross_product(vectors.view(), loadings.view());
        let weight = |row: ArrayView1<f64>| row.iter().map(|v| v.abs()).sum::<f64>();
        let weights: Vec<f64> = carried.outer_iter().map(weight).collect();
        let sum: f64 = weights.iter().sum();
        weights.iter().zip(&correlations).map(|(w, r)| w / sum * r).sum::<f64>()
    };
    match a.n_axes().cmp(&b.n_axes()) {
        std::cmp::Ordering::Less => of_side(&svd.left, x),
        std::cmp::Ordering::Greater => of_side(&svd.right, y),
        std::cmp::Ordering::Equal => 0.5 * (of_side(&svd.left, x) + of_side(&svd.right, y)),
    }
}
