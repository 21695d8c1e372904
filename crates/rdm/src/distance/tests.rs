use linear_algebra::{PANEL, Real};
use ndarray::{Array2, ArrayView2, array, s};
use statistics::{Reason, average_ranks};

use super::{
    Averaged, Centred, Distance, InMemory, Patterns, Power, Selected, UnusableRow, distances, distances_of, gather,
};
use crate::RdmError;
use crate::testing::noise;

/// Every distance, [`Distance::Minkowski`] by powers of each kind: multiplied out, with a root, any, beyond `2^p`.
fn every() -> impl Iterator<Item = Distance> {
    let powers = [0.5, 1.0, 1.5, 2.0, 2.7, 3.0, 64.0, 700.0, f64::INFINITY];
    let powers = powers.into_iter().map(|p| Distance::Minkowski(Power::new(p).unwrap()));
    Distance::NAMED.into_iter().chain(powers)
}

/// Pair by pair in `f64`, as SciPy does it.
fn slow<T: Real>(x: ArrayView2<T>, distance: Distance) -> Vec<f64> {
    let rows: Vec<Vec<f64>> = x.rows().into_iter().map(|r| r.iter().map(|v| v.to_f64()).collect()).collect();
    let one_minus_cosine = |a: &[f64], b: &[f64]| {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        1.0 - dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let centred = |a: &[f64]| {
        let mean = a.iter().sum::<f64>() / a.len() as f64;
        a.iter().map(|v| v - mean).collect::<Vec<f64>>()
    };
    let mut all = Vec::new();
    for (i, a) in rows.iter().enumerate() {
        for b in &rows[i + 1..] {
            let d2: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
            all.push(match distance {
                Distance::Sqeuclidean => d2,
                Distance::SqeuclideanPerChannel => d2 / a.len() as f64,
                Distance::Euclidean => d2.sqrt(),
                Distance::Cosine => one_minus_cosine(a, b),
                Distance::Correlation => one_minus_cosine(&centred(a), &centred(b)),
                Distance::Spearman => one_minus_cosine(&centred(&average_ranks(a)), &centred(&average_ranks(b))),
                Distance::Cityblock => a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum(),
                Distance::Chebyshev => a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max),
                Distance::Minkowski(power) => minkowski(a, b, power.get()),
                Distance::Hamming => a.iter().zip(b).filter(|(a, b)| a != b).count() as f64 / a.len() as f64,
                Distance::Jaccard => {
                    let count = |of: &dyn Fn(bool, bool) -> bool| {
                        a.iter().zip(b).filter(|(a, b)| of(**a != 0.0, **b != 0.0)).count() as f64
                    };
                    let either = count(&|a, b| a || b);
                    if either > 0.0 { count(&|a, b| a != b) / either } else { 0.0 }
                }
                Distance::Poisson => a.iter().zip(b).map(|(a, b)| (a - b) * (a.ln() - b.ln())).sum(),
            });
        }
    }
    all
}

/// In units of the largest difference, where powers would leave the range of numbers.
fn minkowski(a: &[f64], b: &[f64], p: f64) -> f64 {
    let largest = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    if largest == 0.0 || p.is_infinite() {
        return largest;
    }
    let sum: f64 = a.iter().zip(b).map(|(a, b)| ((a - b).abs() / largest).powf(p)).sum();
    largest * sum.powf(1.0 / p)
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (k, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance * e.abs().max(1.0), "pair {k}: {f} {e}");
    }
}

#[test]
fn four_patterns_as_scipy_and_rsatoolbox_have_them() {
    let x = array![[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0], [4.0, 3.0, 2.0, 1.0], [1.0, 3.0, 2.0, 5.0]];
    let values = |d| distances(x.view(), d).unwrap().rdm.into_values();
    let expected = [0.4, 2.0, 0.16847815937970023, 1.6, 0.9244071053981545, 1.8315218406203];
    assert_close(&values(Distance::Correlation), &expected, 1e-15);
    let expected = [2.0, 4.47213595499958, 1.7320508075688772, 4.0, 3.605551275463989, 5.0];
    assert_close(&values(Distance::Euclidean), &expected, 1e-15);
    assert_close(&values(Distance::Sqeuclidean), &[4.0, 20.0, 3.0, 16.0, 13.0, 25.0], 1e-15);
    // rsatoolbox 0.3.2 calc_rdm(method="euclidean")
    assert_close(&values(Distance::SqeuclideanPerChannel), &[1.0, 5.0, 0.75, 4.0, 3.25, 6.25], 1e-15);
    let expected = [
        0.06666666666666665,
        0.33333333333333337,
        0.03523617876226792,
        0.2666666666666667,
        0.1814125153134395,
        0.35682411917484536,
    ];
    assert_close(&values(Distance::Cosine), &expected, 1e-15);
    let f4 = x.mapv(|v| v as f32);
    let found = distances(f4.view(), Distance::Cosine).unwrap().rdm.into_values();
    assert_close(&found, &expected, 1e-7);
}

#[test]
fn agrees_with_pairs_summed_one_by_one_at_block_edges() {
    for (n, p) in [(2, 1), (5, 2), (30, 2 * PANEL - 1), (30, 2 * PANEL), (300, 50), (7, 4 * PANEL + 1)] {
        // positive, as rates have to be
        let x = noise(n, p, 1) + 0.6;
        let x4 = x.mapv(|v| v as f32);
        for distance in every() {
            if p == 1 && matches!(distance, Distance::Correlation | Distance::Spearman) {
                continue;
            }
            let found = distances(x.view(), distance).unwrap();
            assert!(found.unusable.is_empty());
            assert_close(found.rdm.values(), &slow(x.view(), distance), 1e-13);
            let found = distances(x4.view(), distance).unwrap();
            // relative to 1 or to the distance: f32 sums over at most a panel
            assert_close(found.rdm.values(), &slow(x4.view(), distance), 1e-6);
        }
    }
}

#[test]
fn tiny_differences_on_a_large_offset_keep_their_digits() {
    let x = noise(20, 500, 2).mapv(|v| 1e6 + 1e-4 * v);
    for distance in [Distance::Euclidean, Distance::Sqeuclidean] {
        let found = distances(x.view(), distance).unwrap().rdm.into_values();
        for (f, e) in found.iter().zip(slow(x.view(), distance)) {
            assert!((f / e - 1.0).abs() < 1e-11, "{f} {e}");
        }
    }
    // Pearson does not see the offset; 1e6 in f64 leaves 1e-10 of the 1e-4
    let bare = x.mapv(|v| v - 1e6);
    let found = distances(x.view(), Distance::Correlation).unwrap().rdm.into_values();
    assert_close(&found, &slow(bare.view(), Distance::Correlation), 1e-14);
    // the same in f4, where 1e6 is a multiple of 1/16
    let x4 = noise(20, 500, 3).mapv(|v| (1e6 + 4.0 * v) as f32);
    let found = distances(x4.view(), Distance::Euclidean).unwrap().rdm.into_values();
    for (f, e) in found.iter().zip(slow(x4.view(), Distance::Euclidean)) {
        assert!((f / e - 1.0).abs() < 1e-6, "{f} {e}");
    }
}

#[test]
fn nearly_equal_patterns_keep_relative_accuracy() {
    // two bundles of rows: pairs inside a bundle differ by 1e-6 of their length
    let base = noise(2, 400, 4);
    let jitter = noise(12, 400, 5);
    let x = Array2::from_shape_fn((12, 400), |(i, j)| base[(i % 2, j)] + 1e-6 * jitter[(i, j)]);
    for distance in [Distance::Euclidean, Distance::Sqeuclidean] {
        for (f, e) in distances(x.view(), distance).unwrap().rdm.values().iter().zip(slow(x.view(), distance)) {
            assert!((f / e - 1.0).abs() < 1e-9, "{distance}: {f} {e}");
        }
    }
    // 1 - r of neighbours is about 1e-12, which 1 minus a rounded r could hold to 4 digits only
    let found = distances(x.view(), Distance::Correlation).unwrap().rdm;
    let scaled = x.mapv(|v| v * 3.0 + 7.0);
    let again = distances(scaled.view(), Distance::Correlation).unwrap().rdm;
    assert!(found.get(0, 2) > 1e-14 && found.get(0, 2) < 1e-11);
    assert!((found.get(0, 2) / again.get(0, 2) - 1.0).abs() < 1e-7);
}

#[test]
fn equal_rows_have_distance_zero_and_nothing_is_negative() {
    let few = noise(3, 777, 6);
    let x = Array2::from_shape_fn((300, 777), |(i, j)| few[(i % 3, j)] * 1e3 + 1e5);
    let x4 = x.mapv(|v| v as f32);
    for distance in every() {
        for rdm in [distances(x.view(), distance).unwrap().rdm, distances(x4.view(), distance).unwrap().rdm] {
            for i in 0..300 {
                for j in 0..i {
                    let d = rdm.get(i, j);
                    let equal = i % 3 == j % 3 || distance == Distance::Jaccard; // no value is 0
                    assert!(if equal { d == 0.0 } else { d > 0.0 }, "{distance} {i} {j} {d}");
                }
            }
        }
    }
}

#[test]
fn permuted_units_and_rescaled_rows_change_nothing_that_counts() {
    let x = noise(15, 60, 7) + 0.6;
    let backwards = x.slice(s![.., ..;-1]);
    for distance in every() {
        let a = distances(x.view(), distance).unwrap().rdm.into_values();
        let b = distances(backwards, distance).unwrap().rdm.into_values();
        assert_close(&a, &b, 1e-14);
    }
    let affine = Array2::from_shape_fn(x.dim(), |(i, j)| x[(i, j)] * (i as f64 + 0.5) - 3.0 * i as f64);
    let a = distances(x.view(), Distance::Correlation).unwrap().rdm.into_values();
    let b = distances(affine.view(), Distance::Correlation).unwrap().rdm.into_values();
    assert_close(&a, &b, 1e-13);
    let scaled = Array2::from_shape_fn(x.dim(), |(i, j)| x[(i, j)] * (i as f64 + 0.5));
    let a = distances(x.view(), Distance::Cosine).unwrap().rdm.into_values();
    let b = distances(scaled.view(), Distance::Cosine).unwrap().rdm.into_values();
    assert_close(&a, &b, 1e-14);
}

#[test]
fn unusable_rows_keep_their_place_and_spoil_no_other() {
    let mut x = noise(6, 40, 8).mapv(|v| v as f32);
    x.row_mut(1).fill(0.1);
    x[(3, 7)] = f32::NAN;
    x[(4, 39)] = f32::NEG_INFINITY;
    let found = distances(x.view(), Distance::Correlation).unwrap();
    let row = |row, reason| UnusableRow { row, reason };
    assert_eq!(found.unusable, [row(1, Reason::Constant), row(3, Reason::NanInput), row(4, Reason::NanInput)]);
    assert_eq!(found.rdm.n_nan(), 15 - 3);
    let good = x.select(ndarray::Axis(0), &[0, 2, 5]);
    let expected = slow(good.view(), Distance::Correlation);
    assert_close(found.rdm.select(&[0, 2, 5]).unwrap().values(), &expected, 1e-7);
    // a constant pattern is fine where it has a length, and one of zeros where lengths do not matter
    let found = distances(x.view(), Distance::Cosine).unwrap();
    assert_eq!(found.unusable.len(), 2);
    x.row_mut(1).fill(0.0);
    assert_eq!(distances(x.view(), Distance::Cosine).unwrap().unusable[0], row(1, Reason::Constant));
    assert_eq!(distances(x.view(), Distance::Euclidean).unwrap().unusable.len(), 2);
    x.fill(f32::NAN);
    assert_eq!(distances(x.view(), Distance::Euclidean).unwrap().rdm.n_nan(), 15);
}

#[test]
fn very_large_and_very_small_numbers_do_not_overflow() {
    let x = noise(5, 30, 9);
    let expected = distances(x.view(), Distance::Correlation).unwrap().rdm.into_values();
    let euclid = distances(x.view(), Distance::Euclidean).unwrap().rdm.into_values();
    let large4 = x.mapv(|v| (v * 1e30) as f32);
    assert_close(distances(large4.view(), Distance::Correlation).unwrap().rdm.values(), &expected, 3e-7);
    let found = distances(large4.view(), Distance::Euclidean).unwrap().rdm;
    let rescaled: Vec<f64> = found.values().iter().map(|v| v / 1e30).collect();
    assert_close(&rescaled, &euclid, 3e-7);
    // Whole numbers where squares begin to leave the range.
    let steps = array![[0.0, 1.0], [2.0, 1.0], [5.0, 5.0]];
    for exponent in [390, 399, 400, -399, -400, -420] {
        let unit = 2.0f64.powi(exponent);
        let found = distances(steps.mapv(|v| v * unit).view(), Distance::Euclidean).unwrap().rdm.into_values();
        for (f, e) in found.iter().zip([2.0, 41.0f64.sqrt(), 5.0]) {
            assert!((f / unit / e - 1.0).abs() < 1e-15, "2^{exponent}: {f:e}");
        }
    }
    for factor in [1e200, 1e-200] {
        let scaled = x.mapv(|v| v * factor);
        assert_close(distances(scaled.view(), Distance::Correlation).unwrap().rdm.values(), &expected, 1e-14);
    }
}

#[test]
fn bytes_do_not_depend_on_the_number_of_threads_or_the_memory_order() {
    let x = (noise(280, 3000, 10) + 0.6).mapv(|v| v as f32);
    let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
    let transposed = x.t().as_standard_layout().into_owned();
    for distance in every() {
        let one = pool(1).install(|| distances(x.view(), distance).unwrap());
        assert_eq!(pool(4).install(|| distances(x.view(), distance).unwrap()), one);
        assert_eq!(distances(transposed.t(), distance).unwrap(), one);
    }
}

#[test]
fn many_rows_are_read_in_blocks_of_columns_and_close_pairs_again() {
    // 2100 rows of f8 leave room for one panel in a block; row i is row i % 300 again
    let few = noise(300, 2 * PANEL + 5, 11) + 0.6;
    let many = few.select(ndarray::Axis(0), &(0..2100).map(|i| i % 300).collect::<Vec<_>>());
    for distance in [Distance::Correlation, Distance::Sqeuclidean, Distance::Poisson] {
        let expected = distances(few.view(), distance).unwrap().rdm;
        let found = distances(many.view(), distance).unwrap().rdm;
        for (i, j) in (0..2100).step_by(7).flat_map(|i| (0..i).map(move |j| (i, j))) {
            let (f, e) = (found.get(i, j), expected.get(i % 300, j % 300));
            // the common mean over 2100 rows is rounded otherwise than over 300; equal rows are 0 in any case
            assert!(
                if i % 300 == j % 300 { f == 0.0 } else { (f / e - 1.0).abs() < 1e-12 },
                "{distance} {i} {j} {f} {e}"
            );
        }
    }
}

#[test]
fn patterns_are_selected_averaged_and_gathered_where_they_lie() {
    let x = (noise(6, 50, 12) + 0.6).mapv(|v| v as f32);
    let here = InMemory::new(x.view());
    let rows = [4, 0, 5];
    let some = distances_of(&Selected::new(&here, &rows), Distance::Cosine).unwrap();
    assert_eq!(some, distances(x.select(ndarray::Axis(0), &rows).view(), Distance::Cosine).unwrap());
    let members = [vec![0, 3, 4], vec![1], vec![2, 5]];
    let mean = |rows: &[usize], j: usize| rows.iter().map(|i| f64::from(x[(*i, j)])).sum::<f64>() / rows.len() as f64;
    let expected = Array2::from_shape_fn((3, 50), |(k, j)| mean(&members[k], j));
    let averaged = Averaged::new(&here, &members);
    assert_eq!(gather(&averaged).unwrap(), expected);
    let found = distances_of(&averaged, Distance::Correlation).unwrap();
    assert_eq!(found, distances(expected.view(), Distance::Correlation).unwrap());
}

#[test]
fn what_is_no_rate_is_refused_and_what_cannot_be_read_is_an_error() {
    let mut x = noise(4, 9, 13) + 0.6;
    x[(2, 5)] = 0.0;
    let error = distances(x.view(), Distance::Poisson).unwrap_err();
    assert_eq!(error, RdmError::NotARate { row: 2, value: 0.0 });
    // a row with NaN is unusable, as everywhere
    x[(2, 5)] = f64::NAN;
    let found = distances(x.view(), Distance::Poisson).unwrap();
    assert_eq!(found.unusable, [UnusableRow { row: 2, reason: Reason::NanInput }]);
    assert_eq!(found.rdm.n_nan(), 3);

    struct Broken;
    impl Patterns for Broken {
        type Value = f32;
        fn n_stimuli(&self) -> usize {
            3
        }
        fn n_units(&self) -> usize {
            5
        }
        fn read(&self, row: usize, _: usize, out: &mut [f32]) -> Result<(), RdmError> {
            out.fill(row as f32);
            if row == 2 { Err(RdmError::Unreadable("disk".into())) } else { Ok(()) }
        }
    }
    for distance in every() {
        assert_eq!(distances_of(&Broken, distance).unwrap_err(), RdmError::Unreadable("disk".into()));
    }
}

#[test]
fn refuses_what_has_no_pairs_or_no_units() {
    let one = Array2::<f32>::zeros((1, 5));
    assert_eq!(distances(one.view(), Distance::Cosine).unwrap_err(), RdmError::TooFewStimuli { n_stimuli: 1 });
    let none = Array2::<f32>::zeros((3, 0));
    assert_eq!(distances(none.view(), Distance::Cosine).unwrap_err(), RdmError::NoUnits { n_stimuli: 3 });
}

#[test]
fn centred_patterns_are_those_of_a_slow_twin() {
    // Two parts, unequal presentations of three stimuli, a large pattern that all share, and one row with a NaN.
    let stimulus = [0, 1, 2, 0, 0, 1, 2, 2];
    let part = [0, 0, 0, 0, 1, 1, 1, 1];
    let shared = noise(1, 70, 3) * 100.0;
    let mut x = (noise(8, 70, 17) + &shared).mapv(|v| v as f32);
    x[(7, 69)] = f32::NAN;
    let mut slow = x.mapv(f64::from);
    for column in 0..70 {
        for here in 0..2 {
            let of = |s: usize| -> Option<f64> {
                let rows: Vec<usize> = (0..7).filter(|r| stimulus[*r] == s && part[*r] == here).collect();
                let sum: f64 = rows.iter().map(|r| f64::from(x[(*r, column)])).sum();
                (!rows.is_empty()).then(|| sum / rows.len() as f64)
            };
            let means: Vec<f64> = (0..3).filter_map(of).collect();
            let mean = means.iter().sum::<f64>() / means.len() as f64;
            (0..8).filter(|r| part[*r] == here).for_each(|r| slow[(r, column)] -= mean);
        }
    }
    let held = InMemory::new(x.view());
    let centred = Centred::new(&held, &stimulus, &part).unwrap();
    let found = gather(&centred).unwrap();
    for ((place, found), slow) in found.indexed_iter().zip(&slow) {
        assert!((found - slow).abs() < 1e-12 || (found.is_nan() && slow.is_nan()), "{place:?}: {found} {slow}");
    }
    for distance in [Distance::Correlation, Distance::Cosine, Distance::Spearman] {
        let found = distances_of(&centred, distance).unwrap();
        assert_eq!(found.unusable, [UnusableRow { row: 7, reason: statistics::Reason::NanInput }]);
        let expected = distances(slow.view(), distance).unwrap();
        for (found, expected) in found.rdm.values().iter().zip(expected.rdm.values()) {
            assert!((found - expected).abs() < 1e-12 || found.is_nan() && expected.is_nan());
        }
        // The shared pattern hid all of it.
        let raw = distances(x.view(), distance).unwrap();
        assert!(raw.rdm.get(0, 1) < 1e-3 && found.rdm.get(0, 1) > 0.5, "{distance}");
    }
}

#[test]
fn centring_changes_no_distance_that_is_made_of_differences() {
    let x = noise(9, 40, 5) + &(noise(1, 40, 6) * 10.0);
    let (all, one): (Vec<usize>, Vec<usize>) = ((0..9).collect(), vec![0; 9]);
    let held = InMemory::new(x.view());
    let centred = Centred::new(&held, &all, &one).unwrap();
    // of patterns that are 0 nowhere Jaccard's is 0 before and after
    for distance in every().filter(|d| !matches!(d, Distance::Poisson | Distance::Jaccard)) {
        let (raw, found) = (distances(x.view(), distance).unwrap(), distances_of(&centred, distance).unwrap());
        let differ = raw.rdm.values().iter().zip(found.rdm.values()).any(|(a, b)| (a - b).abs() > 1e-12);
        assert_eq!(differ, !distance.is_of_differences(), "{distance}");
    }
}

#[test]
fn what_centring_leaves_of_rounding_is_no_pattern() {
    // Row 2 is the mean of all: in exact arithmetic nothing is left. Rows that differ by an offset alone are flat.
    let offset = |by: f64| Array2::from_shape_fn((1, 30), |(_, j)| 0.1 * j as f64 + by);
    let (a, b) = (noise(1, 30, 8), noise(1, 30, 9));
    let mean = (&a + &b) / 2.0;
    let rows = ndarray::concatenate(ndarray::Axis(0), &[a.view(), b.view(), mean.view()]).unwrap();
    let held = InMemory::new(rows.view());
    let centred = Centred::new(&held, &[0, 1, 2], &[0; 3]).unwrap();
    let found = distances_of(&centred, Distance::Cosine).unwrap();
    assert_eq!(found.unusable, [UnusableRow { row: 2, reason: statistics::Reason::Constant }]);
    assert!((found.rdm.get(0, 1) - 2.0).abs() < 1e-12);
    let rows = ndarray::concatenate(ndarray::Axis(0), &[offset(0.3).view(), offset(1.7).view(), offset(0.4).view()]);
    for single in [false, true] {
        let rows = rows.as_ref().unwrap().mapv(|v| if single { f64::from(v as f32) } else { v });
        let narrow = rows.mapv(|v| v as f32);
        let unusable = match single {
            true => {
                let held = InMemory::new(narrow.view());
                let centred = Centred::new(&held, &[0, 1, 2], &[0; 3]).unwrap();
                distances_of(&centred, Distance::Correlation).unwrap().unusable
            }
            false => {
                let held = InMemory::new(rows.view());
                let centred = Centred::new(&held, &[0, 1, 2], &[0; 3]).unwrap();
                distances_of(&centred, Distance::Correlation).unwrap().unusable
            }
        };
        assert_eq!(unusable.len(), 3, "{single}");
    }
}

#[test]
fn counts_of_units_are_scipys_at_their_edges() {
    // SciPy 1.17: whatever is not 0 is true to Jaccard, and two patterns of zeros are equal
    let x = array![[0.0, 1.0, 2.0, -0.0], [0.0, 1.0, 3.0, 0.0], [0.0; 4], [-0.0, 0.0, 0.0, 0.0], [-1.0, 0.0, 0.5, 0.0]];
    for (distance, expected) in [
        (Distance::Jaccard, [0.0, 1.0, 1.0, 2.0 / 3.0, 1.0, 1.0, 2.0 / 3.0, 0.0, 1.0, 1.0]),
        (Distance::Hamming, [0.25, 0.5, 0.5, 0.75, 0.5, 0.5, 0.75, 0.0, 0.5, 0.5]),
        (Distance::Chebyshev, [1.0, 2.0, 2.0, 1.5, 3.0, 3.0, 2.5, 0.0, 1.0, 1.0]),
    ] {
        assert_eq!(distances(x.view(), distance).unwrap().rdm.values(), expected, "{distance}");
        assert_eq!(distances(x.mapv(|v| v as f32).view(), distance).unwrap().rdm.values(), expected, "{distance}");
    }
    let binary = (noise(40, 3000, 14) + 0.2).mapv(|v| if v > 0.0 { 1.0f32 } else { 0.0 });
    for distance in [Distance::Jaccard, Distance::Hamming] {
        let found = distances(binary.view(), distance).unwrap().rdm.into_values();
        assert_eq!(found, slow(binary.view(), distance));
    }
}

#[test]
fn powers_stay_in_the_range_of_numbers_and_equal_distances_are_equal() {
    let x = noise(6, 30, 15);
    for p in [0.5, 3.0, 2.7, 300.0] {
        let distance = Distance::Minkowski(Power::new(p).unwrap());
        let expected = slow(x.view(), distance);
        for factor in [1e150, 1e-150, 1e-300] {
            let found = distances(x.mapv(|v| v * factor).view(), distance).unwrap().rdm;
            for (f, e) in found.values().iter().zip(&expected) {
                assert!((f / factor / e - 1.0).abs() < 1e-12, "{p} {factor} {f} {e}");
            }
        }
        // the same differences in another order of units
        let turned = Array2::from_shape_fn((6, 30), |(i, j)| x[(i / 2 * 2, if i % 2 == 0 { j } else { 29 - j })]);
        let zero = Array2::zeros((1, 30));
        let both = ndarray::concatenate(ndarray::Axis(0), &[zero.view(), turned.view()]).unwrap();
        let found = distances(both.view(), distance).unwrap().rdm;
        (0..3).for_each(|k| assert_eq!(found.get(0, 1 + 2 * k), found.get(0, 2 + 2 * k), "{p}"));
    }
    assert!([0.0, -1.0, f64::NAN, f64::NEG_INFINITY].into_iter().all(|p| Power::new(p).is_none()));
}
