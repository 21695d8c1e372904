use super::*;
use crate::testing::noise;
use crate::{Distance, InMemory, Rdm, SecondMoment, bures_similarity, distances};
use ndarray::concatenate;

const ALL: [MatrixComparison; 5] = [
    MatrixComparison::Cka,
    MatrixComparison::CkaRbf,
    MatrixComparison::CkaDebiased,
    MatrixComparison::Procrustes,
    MatrixComparison::ProcrustesAngle,
];

fn made<T: crate::Element>(x: &Array2<T>, how: MatrixComparison) -> Representation {
    let patterns = InMemory::new(x.view());
    Representation::of(&patterns, how, sweep(&patterns).unwrap().largest).unwrap()
}

fn between(x: &Array2<f64>, y: &Array2<f64>, how: MatrixComparison) -> f64 {
    made(x, how).compare(&made(y, how))
}

/// An orthogonal matrix: the eigenvectors of a random symmetric one.
fn rotation(p: usize, seed: u64) -> Array2<f64> {
    let x = noise(p, p, seed);
    symmetric_eigen((&x + &x.t()).view()).unwrap().vectors
}

/// HSIC_1 of Song et al. (2012), eq. 5, term by term from Gram matrices that are not centred.
fn song(x: &Array2<f64>, y: &Array2<f64>) -> f64 {
    let n = x.nrows() as f64;
    let off = |x: &Array2<f64>| {
        let mut gram = x.dot(&x.t());
        gram.diag_mut().fill(0.0);
        gram
    };
    let (k, l) = (off(x), off(y));
    let kl = k.dot(&l);
    (kl.diag().sum() + k.sum() * l.sum() / ((n - 1.0) * (n - 2.0)) - 2.0 / (n - 2.0) * kl.sum()) / (n * (n - 3.0))
}

fn slow(x: &Array2<f64>, y: &Array2<f64>, how: MatrixComparison) -> f64 {
    let centred = |x: &Array2<f64>| x - &x.mean_axis(Axis(0)).unwrap();
    let norm = |x: &Array2<f64>| sum_of(x, |v| v * v).sqrt();
    let (x0, y0) = (centred(x), centred(y));
    match how {
        MatrixComparison::Cka => norm(&x0.t().dot(&y0)).powi(2) / norm(&x0.t().dot(&x0)) / norm(&y0.t().dot(&y0)),
        MatrixComparison::CkaRbf => {
            let kernel = |x: &Array2<f64>| {
                let n = x.nrows();
                let square = Array2::from_shape_fn((n, n), |(i, j)| {
                    let gap = &x.row(i) - &x.row(j);
                    gap.dot(&gap)
                });
                let middle = statistics::median(&square.iter().copied().collect::<Vec<_>>());
                let h = Array2::<f64>::eye(n) - 1.0 / n as f64;
                h.dot(&square.mapv(|d| (-d / (2.0 * middle)).exp())).dot(&h)
            };
            let (k, l) = (kernel(x), kernel(y));
            (&k * &l).sum() / norm(&k) / norm(&l)
        }
        MatrixComparison::CkaDebiased => song(x, y) / (song(x, x) * song(y, y)).sqrt(),
        MatrixComparison::Procrustes => singular_values(x0.t().dot(&y0).view()).unwrap().sum() / norm(&x0) / norm(&y0),
        MatrixComparison::ProcrustesAngle => slow(x, y, MatrixComparison::Procrustes).acos(),
    }
}

#[test]
fn narrow_square_and_wide_agree_with_the_definitions() {
    for n in [4, 9, 30] {
        let widths = [1, n - 1, n, n + 1, 3 * n];
        for (i, p) in widths.into_iter().enumerate() {
            for (j, q) in widths.into_iter().enumerate() {
                // an offset in all units, and something in common
                let common = noise(n, 1, 9);
                let x = noise(n, p, i as u64) + 3.0 + &common;
                let y = noise(n, q, 10 + j as u64) - 5.0 + &common;
                for how in ALL {
                    let (found, expected) = (between(&x, &y, how), slow(&x, &y, how));
                    // 1e-9: the twin's sums are not centred, and arc cosines of almost 1 double the lost digits
                    assert!((found - expected).abs() < 1e-9, "{how:?} {n} {p} {q}: {found} {expected}");
                    assert!((found - between(&y, &x, how)).abs() < 1e-12);
                }
            }
        }
    }
}

#[test]
fn width_is_read_in_blocks() {
    // more columns than are multiplied at a time, the last block short
    let (x, y) = (noise(5, 2 * linear_algebra::PANEL + 7, 1), noise(5, 3, 2));
    for how in ALL {
        let (found, expected) = (between(&x, &y, how), slow(&x, &y, how));
        assert!((found - expected).abs() < 1e-9, "{how:?}: {found} {expected}");
    }
}

#[test]
fn rotation_scale_and_constants_change_nothing() {
    for (n, p, q) in [(20, 6, 40), (20, 40, 6), (12, 5, 7)] {
        let (x, y) = (noise(n, p, 1), noise(n, q, 2));
        let turned = x.dot(&rotation(p, 3)) * 17.0 + &noise(1, p, 4);
        for how in ALL {
            let (found, same) = (between(&turned, &y, how), between(&x, &y, how));
            assert!((found - same).abs() < 1e-12, "{how:?} {found} {same}");
            let itself = between(&turned, &x, how);
            let best = if how == MatrixComparison::ProcrustesAngle { 0.0 } else { 1.0 };
            // 1e-7: the arc cosine of 1 - 1e-16
            assert!((itself - best).abs() < 1e-7, "{how:?} {itself}");
        }
    }
    // a factor of one unit alone is another representation
    let x = noise(20, 6, 1);
    let mut stretched = x.clone();
    stretched.column_mut(0).mapv_inplace(|v| 10.0 * v);
    assert!(between(&x, &stretched, MatrixComparison::Cka) < 0.95);
}

#[test]
fn zero_columns_change_nothing() {
    let (x, y) = (noise(10, 4, 1), noise(10, 7, 2));
    let padded = concatenate(Axis(1), &[x.view(), Array2::zeros((10, 3)).view()]).unwrap();
    for how in ALL {
        assert!((between(&padded, &y, how) - between(&x, &y, how)).abs() < 1e-14, "{how:?}");
    }
}

#[test]
fn debiased_is_about_zero_on_noise_where_biased_is_not() {
    // 40 draws of 20 x 200 against 20 x 200
    let mean = |how| (0..40).map(|k| between(&noise(20, 200, k), &noise(20, 200, 100 + k), how)).sum::<f64>() / 40.0;
    let (biased, debiased) = (mean(MatrixComparison::Cka), mean(MatrixComparison::CkaDebiased));
    // sd of one debiased value about 0.07
    assert!(biased > 0.8 && debiased.abs() < 0.04, "{biased} {debiased}");
}

#[test]
fn procrustes_is_the_bures_similarity_of_squared_distances() {
    let (x, y) = (noise(15, 6, 1), noise(15, 40, 2));
    let moment = |x: &Array2<f64>| {
        let rdm: Rdm = distances(x.view(), Distance::Sqeuclidean).unwrap().rdm;
        SecondMoment::of(&rdm).unwrap()
    };
    let bures = bures_similarity(&moment(&x), &moment(&y));
    // 1e-7: the roots of eigenvalues that are 0 but for rounding
    assert!((bures - between(&x, &y, MatrixComparison::Procrustes)).abs() < 1e-7);
}

#[test]
fn f4_offsets_and_ranges_keep_their_digits() {
    let (x, y) = (noise(12, 300, 1), noise(12, 9, 2));
    for how in ALL {
        let reference = between(&x, &y, how);
        let single = made(&x.mapv(|v| v as f32), how).compare(&made(&y.mapv(|v| v as f32), how));
        assert!((single - reference).abs() < 1e-5, "{how:?} {single} {reference}");
        for factor in [1e-30f32, 1e30] {
            let far = made(&x.mapv(|v| v as f32 * factor), how).compare(&made(&y, how));
            assert!((far - reference).abs() < 1e-5, "{how:?} {factor} {far} {reference}");
        }
        for factor in [1e-250, 1e250] {
            let far = between(&(&x * factor), &y, how);
            assert!((far - reference).abs() < 1e-12, "{how:?} {factor} {far} {reference}");
        }
        let raised = between(&(&x + 1e6), &y, how);
        // 1e6 keeps 1e-10 of what is added to it
        assert!((raised - reference).abs() < 1e-8, "{how:?} {raised} {reference}");
    }
}

#[test]
fn what_has_no_spread_has_a_reason() {
    let y = noise(8, 3, 1);
    for p in [2, 20] {
        // every unit is constant, at a value without an exact mean
        let flat = Array2::from_shape_fn((8, p), |(_, j)| 0.1 + j as f64);
        for how in ALL {
            let flat = made(&flat, how);
            assert_eq!(flat.reason(), Some(Reason::Constant), "{how:?} {p}");
            assert!(flat.compare(&made(&y, how)).is_nan() && made(&y, how).compare(&flat).is_nan());
        }
    }
    // all stimuli equally far from each other: nothing is left when the diagonal is out
    for extra in [0, 1] {
        let simplex = concatenate(Axis(1), &[Array2::<f64>::eye(8).view(), Array2::zeros((8, extra)).view()]).unwrap();
        assert_eq!(made(&simplex, MatrixComparison::CkaDebiased).reason(), Some(Reason::Constant));
        assert_eq!(made(&simplex, MatrixComparison::Cka).reason(), None);
    }
    let narrow = simplex_in_seven();
    assert_eq!(made(&narrow, MatrixComparison::CkaDebiased).reason(), Some(Reason::Constant));
}

/// The corners of a simplex of 8 in 7 dimensions.
fn simplex_in_seven() -> Array2<f64> {
    let centred = Array2::<f64>::eye(8) - 1.0 / 8.0;
    let eigen = symmetric_eigen(centred.view()).unwrap();
    eigen.vectors.slice(s![.., 1..]).to_owned()
}

#[test]
fn sweep_finds_rows_with_nan_and_the_largest_value() {
    let mut x = noise(5, 70_000, 1);
    x[(1, 69_999)] = f64::NAN;
    x[(3, 0)] = f64::NEG_INFINITY;
    x[(4, 65_536)] = -7.0;
    let found = sweep(&InMemory::new(x.view())).unwrap();
    assert_eq!(found, Sweep { first_bad: vec![None, Some(69_999), None, Some(0), None], largest: 7.0 });
}

#[test]
fn too_few_rows_and_no_units_are_refused() {
    let of = |x: &Array2<f64>, how| Representation::of(&InMemory::new(x.view()), how, 1.0).unwrap_err();
    assert_eq!(of(&noise(3, 5, 1), MatrixComparison::CkaDebiased), RdmError::TooFewRows { n_stimuli: 3, needed: 4 });
    assert_eq!(of(&noise(1, 5, 1), MatrixComparison::Cka), RdmError::TooFewRows { n_stimuli: 1, needed: 2 });
    assert_eq!(of(&Array2::zeros((5, 0)), MatrixComparison::Cka), RdmError::NoUnits { n_stimuli: 5 });
}
