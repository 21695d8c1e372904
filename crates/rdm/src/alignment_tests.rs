use super::*;
use crate::testing::noise;
use crate::{InMemory, sweep};
use ndarray::s;

const ALL: [Alignment; 5] = [
    Alignment::Cca,
    Alignment::Svcca { variance: 0.9 },
    Alignment::Pwcca,
    Alignment::Permutation,
    Alignment::SoftMatching,
];

fn whole(n: usize) -> Vec<Split> {
    vec![Split { fit: (0..n).collect(), score: None }]
}

fn halves(n: usize) -> Vec<Split> {
    let rows = |odd: usize| (0..n).filter(|r| r % 2 == odd).collect::<Vec<_>>();
    vec![Split { fit: rows(0), score: Some(rows(1)) }, Split { fit: rows(1), score: Some(rows(0)) }]
}

fn made<T: crate::Element>(x: &Array2<T>, how: Alignment, splits: &[Split]) -> Aligned {
    let patterns = InMemory::new(x.view());
    Aligned::of(&patterns, how, splits, sweep(&patterns).unwrap().largest).unwrap()
}

fn between(x: &Array2<f64>, y: &Array2<f64>, how: Alignment, splits: &[Split]) -> f64 {
    made(x, how, splits).compare(&made(y, how, splits))
}

/// Two matrices with three axes in common.
fn related(n: usize, p: usize, q: usize) -> (Array2<f64>, Array2<f64>) {
    let common = noise(n, 3, 1);
    let side = |p, seed| common.dot(&noise(3, p, seed)) + noise(n, p, seed + 1) * 0.3 + 2.0;
    (side(p, 10), side(q, 20))
}

#[test]
fn itself_is_one_and_two_ways_round_are_the_same() {
    let (x, y) = related(60, 5, 8);
    for how in ALL {
        for splits in [whole(60), halves(60)] {
            let itself = between(&x, &x, how, &splits);
            assert!((itself - 1.0).abs() < 1e-12 && itself <= 1.0, "{how:?} {itself}");
            let (there, back) = (between(&x, &y, how, &splits), between(&y, &x, how, &splits));
            assert!((there - back).abs() < 1e-12 && there > 0.1 && there < 0.999, "{how:?} {there} {back}");
        }
    }
}

#[test]
fn invariances_are_those_of_the_maps() {
    let (x, y) = related(60, 5, 8);
    let order = [3, 0, 4, 1, 2];
    let permuted = x.select(Axis(1), &order) * 7.0 - 1.0;
    let mixed = x.dot(&noise(5, 5, 3)) + &noise(1, 5, 4);
    for splits in [whole(60), halves(60)] {
        for how in ALL {
            let same = between(&x, &y, how, &splits);
            assert!((between(&permuted, &y, how, &splits) - same).abs() < 1e-12, "{how:?}");
            let linear = between(&mixed, &y, how, &splits);
            match how {
                // 1e-9: the mixture has a condition of about 100
                Alignment::Cca => assert!((linear - same).abs() < 1e-9, "{linear} {same}"),
                _ => assert!((linear - same).abs() > 1e-4, "{how:?}"),
            }
        }
    }
}

#[test]
fn cca_of_one_unit_is_the_multiple_correlation() {
    let (x, y) = related(30, 1, 4);
    let found = between(&x, &y, Alignment::Cca, &whole(30));
    let design = ndarray::concatenate(Axis(1), &[y.view(), Array2::ones((30, 1)).view()]).unwrap();
    let normal = linear_algebra::Cholesky::new(design.t().dot(&design).view()).unwrap();
    let fitted = design.dot(&normal.solve(design.t().dot(&x).view()).unwrap());
    let expected = statistics::pearson(&fitted.column(0).to_vec(), &x.column(0).to_vec());
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    // with one axis there is one weight
    assert!((between(&x, &y, Alignment::Pwcca, &whole(30)) - expected).abs() < 1e-12);
}

#[test]
fn held_out_noise_is_about_zero_where_fitted_noise_is_not() {
    for how in ALL {
        let mean = |splits: &dyn Fn(usize) -> Vec<Split>| {
            (0..30).map(|k| between(&noise(60, 6, k), &noise(60, 6, 500 + k), how, &splits(60))).sum::<f64>() / 30.0
        };
        let (fitted, held) = (mean(&whole), mean(&halves));
        // sd of one held-out value is about .05
        assert!(fitted > 0.05 && held.abs() < 0.04 && fitted > 3.0 * held.abs(), "{how:?} {fitted} {held}");
    }
}

#[test]
fn narrow_and_wide_ways_give_the_same_axes() {
    // 12 axes of 40 stimuli, written as 12 units and as 90 that are mixtures of them
    let x = noise(40, 12, 1);
    let wide = x.dot(&noise(12, 90, 2));
    // 12 and 6 axes are fewer than the 19 dimensions of 20 centred rows: no correlation has to be 1
    let y = noise(40, 6, 3);
    for splits in [whole(40), halves(40)] {
        let (a, b) = (between(&x, &y, Alignment::Cca, &splits), between(&wide, &y, Alignment::Cca, &splits));
        // 1e-7: the axes of the wide one come from roots of eigenvalues
        assert!((a - b).abs() < 1e-7, "{a} {b}");
    }
    assert_eq!(made(&wide, Alignment::Cca, &whole(40)).n_axes(), 12);
    assert_eq!(made(&wide.mapv(|v| v as f32), Alignment::Cca, &whole(40)).n_axes(), 12);
}

#[test]
fn rank_that_is_not_there_is_not_used() {
    let (x, y) = related(50, 4, 6);
    // a unit twice, and one that never changes
    let more = ndarray::concatenate(Axis(1), &[x.view(), x.slice(s![.., ..2]), Array2::ones((50, 1)).view()]).unwrap();
    let made = made(&more, Alignment::Cca, &whole(50));
    assert_eq!(made.n_axes(), 4);
    let (a, b) = (between(&more, &y, Alignment::Cca, &whole(50)), between(&x, &y, Alignment::Cca, &whole(50)));
    assert!((a - b).abs() < 1e-12, "{a} {b}");
}

#[test]
fn as_many_axes_as_stimuli_is_refused_with_both_numbers() {
    let x = noise(10, 9, 1);
    let patterns = InMemory::new(x.view());
    let error = Aligned::of(&patterns, Alignment::Cca, &whole(10), 1.0).unwrap_err();
    assert!(matches!(error, AlignmentError::NoStimuliLeft { rank: 9, n_fit: 10 }), "{error}");
    // held-out maps too: five rows fit anything
    let error = Aligned::of(&patterns, Alignment::Pwcca, &halves(10), 1.0).unwrap_err();
    assert!(matches!(error, AlignmentError::NoStimuliLeft { rank: 4, n_fit: 5 }), "{error}");
    let few = noise(2, 1, 1);
    assert!(Aligned::of(&InMemory::new(few.view()), Alignment::Cca, &whole(2), 1.0).is_err());
}

#[test]
fn matchings_by_hand() {
    // y is x with its units in another order, and one more
    let x = noise(20, 3, 1);
    let extra = noise(20, 1, 9);
    let y = ndarray::concatenate(Axis(1), &[extra.view(), x.select(Axis(1), &[2, 0, 1]).view()]).unwrap();
    let found = between(&x, &y, Alignment::Permutation, &whole(20));
    assert!((found - 1.0).abs() < 1e-14, "{found}");
    // softly the extra unit takes a quarter of the weight, and the best it can do is below 1
    let soft = between(&x, &y, Alignment::SoftMatching, &whole(20));
    assert!(soft < 0.95 && soft > 0.6, "{soft}");
    // with equal numbers both are one
    let z = noise(20, 3, 5);
    let (hard, soft) =
        (between(&x, &z, Alignment::Permutation, &whole(20)), between(&x, &z, Alignment::SoftMatching, &whole(20)));
    assert!((hard - soft).abs() < 1e-14);
}

#[test]
fn constant_units_are_left_out_of_matchings_and_counted() {
    let (mut x, y) = related(20, 4, 4);
    x.column_mut(2).fill(0.1);
    let flat = made(&x, Alignment::Permutation, &whole(20));
    assert_eq!((flat.n_constant(), flat.n_axes(), flat.reason()), (1, 3, None));
    assert!(flat.compare(&made(&y, Alignment::Permutation, &whole(20))).is_finite());
    for how in ALL {
        let nothing = made(&Array2::from_elem((20, 3), 0.3), how, &halves(20));
        assert_eq!(nothing.reason(), Some(Reason::Constant), "{how:?}");
        assert!(nothing.compare(&made(&y, how, &halves(20))).is_nan());
    }
}

#[test]
fn f4_ranges_and_offsets_keep_their_digits() {
    let (x, y) = related(40, 5, 6);
    for how in ALL {
        let expected = between(&x, &y, how, &halves(40));
        let single = made(&x.mapv(|v| v as f32), how, &halves(40)).compare(&made(&y, how, &halves(40)));
        assert!((single - expected).abs() < 1e-5, "{how:?} {single} {expected}");
        for factor in [1e-250, 1e250] {
            let far = between(&(&x * factor), &y, how, &halves(40));
            assert!((far - expected).abs() < 1e-11, "{how:?} {factor} {far} {expected}");
        }
    }
}
