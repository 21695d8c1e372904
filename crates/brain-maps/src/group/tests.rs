use super::*;
use crate::{Connectivity, tfce};
use ndarray::array;
use statistics::Draws;

const Y: [f64; 9] = [3.1, 2.4, 4.0, 3.3, 1.9, 2.2, 2.8, 1.1, 2.0];
const AGE: [f64; 9] = [20., 31., 25., 40., 22., 35., 28., 41., 30.];
const FIRST: [bool; 9] = [true, true, true, true, false, false, false, false, false];

fn noise(n: usize, points: usize, seed: u64) -> Array2<f64> {
    let mut draws = Draws::new(seed);
    Array2::from_shape_simple_fn((n, points), || draws.normal_pair()[0])
}

fn whole(shape: [usize; 3]) -> Adjacency {
    Adjacency::of_grid(shape, &(0..shape.iter().product()).collect::<Vec<_>>(), Connectivity::Faces)
}

fn one(model: &GroupModel, y: &[f64]) -> [f64; 3] {
    let test = model.tests(ArrayView2::from_shape((y.len(), 1), y).unwrap())[0];
    [test.estimate, test.se, test.t]
}

fn close(found: [f64; 3], wanted: [f64; 3]) {
    assert!(found.iter().zip(wanted).all(|(a, b)| (a / b - 1.0).abs() < 1e-12), "{found:?} {wanted:?}");
}

// estimate, standard error, t
const TTEST_IND: [f64; 3] = [1.2, 0.42426406871192845, 2.8284271247461907];
const WITH_AGE: [f64; 3] = [1.1358675373134357, 0.4327270999525192, 2.6249050208273723];
const MEAN_WITH_AGE: [f64; 3] = [2.5333333333333328, 0.2881951392397398, 8.7903402535389];

#[test]
fn estimates_are_those_of_least_squares() {
    // scipy 1.17.1 ttest_ind; numpy 2.4.6 lstsq of [effect, 1, age] (the mean beside age - mean(age))
    let ages = [AGE.to_vec()];
    let two = GroupModel::two_sample(&FIRST, &[]).unwrap();
    close(one(&two, &Y), TTEST_IND);
    assert_eq!(two.df(), 7.0);
    let two = GroupModel::two_sample(&FIRST, &ages).unwrap();
    close(one(&two, &Y), WITH_AGE);
    assert_eq!(two.df(), 6.0);
    let mean = GroupModel::one_sample(9, &ages).unwrap();
    close(one(&mean, &Y), MEAN_WITH_AGE);
    assert_eq!(mean.df(), 7.0);
}

#[test]
fn what_cannot_be_tested_is_said() {
    let model = GroupModel::two_sample(&[true, true, false, false, false], &[]).unwrap();
    let maps = array![[1.0, 2.0, f64::NAN], [1.0, 2.0, 0.0], [1.0, 0.1 + 0.2, 0.0], [1.0, 0.3, 1.0], [1.0, 0.3, 0.0]];
    let reasons: Vec<Option<Reason>> = model.tests(maps.view()).iter().map(|test| test.reason).collect();
    assert_eq!(reasons, [Some(Reason::Constant), Some(Reason::Constant), Some(Reason::NanInput)]);
    assert_eq!(GroupModel::one_sample(1, &[]), Err(GroupError::TooFew { n: 1, columns: 1 }));
    assert_eq!(GroupModel::two_sample(&[true; 4], &[]), Err(GroupError::EmptyGroup(4, 0)));
    let ages = AGE.to_vec();
    let twice: Vec<f64> = AGE.iter().map(|age| 2.0 * age + 3.0).collect();
    assert_eq!(GroupModel::two_sample(&FIRST, &[ages.clone(), twice]), Err(GroupError::Redundant(1)));
    assert_eq!(GroupModel::one_sample(9, &[vec![4.0; 9]]), Err(GroupError::Redundant(0)));
    let same: Vec<f64> = FIRST.iter().map(|&first| f64::from(first)).collect();
    assert_eq!(GroupModel::two_sample(&FIRST, &[same]), Err(GroupError::Confounded));
}

/// t of the effect by Gauss-Jordan elimination of the normal equations: nothing of the model's own.
fn slow_t(design: &[Vec<f64>], y: &[f64]) -> f64 {
    let k = design.len();
    let mut a: Vec<Vec<f64>> = (0..k)
        .map(|r| {
            let products = design.iter().map(|c| dot(&design[r], c)).chain([dot(&design[r], y)]);
            products.chain((0..k).map(|c| f64::from(r == c))).collect()
        })
        .collect();
    for c in 0..k {
        let pivot = a[c][c];
        a[c].iter_mut().for_each(|v| *v /= pivot);
        for r in (0..k).filter(|&r| r != c) {
            let factor = a[r][c];
            let row = a[c].clone();
            a[r].iter_mut().zip(row).for_each(|(v, p)| *v -= factor * p);
        }
    }
    let fitted = |i: usize| (0..k).map(|c| a[c][k] * design[c][i]).sum::<f64>();
    let squares: f64 = (0..y.len()).map(|i| (y[i] - fitted(i)).powi(2)).sum();
    a[0][k] / (squares / (y.len() - k) as f64 * a[0][k + 1]).sqrt()
}

#[test]
fn relabelled_maps_are_those_of_freedman_and_lane_fitted_from_scratch() {
    let (n, points) = (8, 12);
    let maps = noise(n, points, 3);
    let age: Vec<f64> = (0..n).map(|i| ((i * i) % 7) as f64).collect();
    let first: Vec<bool> = (0..n).map(|i| i % 3 == 0).collect();
    let ones = vec![1.0; n];
    let group: Vec<f64> = first.iter().map(|&f| f64::from(f)).collect();
    let centred = without(&age, &[constant(n)]);
    type Case = (GroupModel, Vec<Vec<f64>>);
    let cases: [Case; 4] = [
        (GroupModel::one_sample(n, &[]).unwrap(), vec![ones.clone()]),
        (GroupModel::one_sample(n, std::slice::from_ref(&age)).unwrap(), vec![ones.clone(), centred]),
        (GroupModel::two_sample(&first, &[]).unwrap(), vec![group.clone(), ones.clone()]),
        (GroupModel::two_sample(&first, std::slice::from_ref(&age)).unwrap(), vec![group, ones, age]),
    ];
    for (case, (model, design)) in cases.iter().enumerate() {
        for (enhance, side) in [(Enhance::MaxT, Side::TwoSided), (Enhance::MaxT, Side::Less)] {
            let relabellings = model.relabellings(60, 5);
            let found = Permutations::new(model, maps.clone(), None, relabellings.clone(), (enhance, side));
            let maxima = found.maxima(0..relabellings.len());
            for number in 0..relabellings.len() {
                let relabelling = relabellings.get(number);
                let mut largest = f64::NEG_INFINITY;
                for point in 0..points {
                    let y = maps.column(point).to_vec();
                    // Residuals of the nuisance, relabelled: the transpose of what is done to the columns.
                    let left = without(&y, &model.nuisance);
                    let mut moved = vec![0.0; n];
                    for i in 0..n {
                        let mut unit = vec![0.0; n];
                        unit[i] = 1.0;
                        let to = relabelling.of(&unit);
                        let at = to.iter().position(|v| *v != 0.0).unwrap();
                        moved[i] = to[at] * left[at];
                    }
                    largest = largest.max(side.height(slow_t(design, &moved)));
                }
                let error = (maxima[number as usize] - largest).abs();
                assert!(error < 1e-9 * largest.abs().max(1.0), "case {case} {side:?} {number}");
            }
        }
        let observed =
            Permutations::new(model, maps.clone(), None, model.relabellings(1, 1), (Enhance::MaxT, Side::Greater));
        for (found, test) in observed.observed().statistic.iter().zip(model.tests(maps.view())) {
            assert!((found / test.t - 1.0).abs() < 1e-10, "case {case}");
        }
    }
}

/// Maxima and corrected p of a test.
fn corrected(maps: &Array2<f64>, shape: [usize; 3], how: (Enhance, Side), wanted: u64) -> (Observed, Vec<f64>) {
    let model = GroupModel::one_sample(maps.nrows(), &[]).unwrap();
    let adjacency = whole(shape);
    let test = Permutations::new(&model, maps.clone(), Some(&adjacency), model.relabellings(wanted, 11), how);
    let maxima = test.maxima(0..test.relabellings().len());
    let observed = test.observed();
    let p = test.corrected(&observed.statistic, &maxima);
    (observed, p)
}

const WAYS: [Enhance; 4] = [Enhance::MaxT, Enhance::ClusterExtent(1.5), Enhance::ClusterMass(1.5), Enhance::Tfce];

#[test]
fn exact_p_is_a_share_of_all_signs_and_the_strongest_point_has_the_smallest() {
    let shape = [3, 4, 5];
    let mut maps = noise(5, 60, 2);
    maps.column_mut(20).iter_mut().for_each(|v| *v += 9.0);
    for enhance in WAYS {
        let (observed, p) = corrected(&maps, shape, (enhance, Side::Greater), 1000);
        assert!(p.iter().all(|p| (p * 32.0).fract() == 0.0 && *p >= 1.0 / 32.0), "{enhance:?} {p:?}");
        if enhance != Enhance::MaxT {
            assert!(observed.statistic.iter().all(|s| *s >= 0.0));
        }
        for a in 0..60 {
            for b in 0..60 {
                assert!(observed.statistic[a] <= observed.statistic[b] || p[a] <= p[b], "{enhance:?}");
            }
        }
        // Both sides: the observed map and its mirror are two of 32.
        let (_, both) = corrected(&maps, shape, (enhance, Side::TwoSided), 1000);
        assert!(both.iter().all(|p| *p >= 2.0 / 32.0), "{enhance:?}");
    }
}

#[test]
fn a_contrast_turned_round_has_the_p_of_the_other_side() {
    let shape = [3, 4, 5];
    let mut maps = noise(7, 60, 4);
    maps.slice_mut(ndarray::s![.., 20..30]).mapv_inplace(|v| v - 1.0);
    for enhance in WAYS {
        let (less, p) = corrected(&maps, shape, (enhance, Side::Less), 1000);
        let (greater, q) = corrected(&-&maps, shape, (enhance, Side::Greater), 1000);
        assert_eq!((less, p), (greater, q), "{enhance:?}");
    }
}

#[test]
fn points_in_another_order_keep_their_p() {
    // The grid turned round: the last voxel is the first.
    let shape = [3, 4, 5];
    let maps = noise(6, 60, 6);
    let turned = maps.slice(ndarray::s![.., ..;-1]).to_owned();
    for enhance in WAYS {
        let (_, p) = corrected(&maps, shape, (enhance, Side::TwoSided), 40);
        let (_, q) = corrected(&turned, shape, (enhance, Side::TwoSided), 40);
        assert!(p.iter().eq(q.iter().rev()), "{enhance:?}");
        assert!(p.iter().any(|p| *p < 1.0));
    }
}

#[test]
fn threads_change_nothing() {
    let maps = noise(20, 600, 8);
    let model = GroupModel::one_sample(20, &[]).unwrap();
    let adjacency = whole([10, 10, 6]);
    for enhance in WAYS {
        let how = (enhance, Side::TwoSided);
        let test = Permutations::new(&model, maps.clone(), Some(&adjacency), model.relabellings(50, 3), how);
        let pool = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        let alone = pool(1).install(|| test.maxima(0..50));
        assert_eq!(alone, pool(3).install(|| test.maxima(0..50)));
        // In parts it is the same, too.
        assert_eq!(alone, [test.maxima(0..7), test.maxima(7..50)].concat());
    }
}

/// TFCE as nilearn 0.14 has it: 100 steps of the map's own maximum, and no step width in the sum.
fn in_steps_of_its_own_maximum(adjacency: &Adjacency, values: &[f64]) -> Vec<f64> {
    let dh = values.iter().copied().fold(0.0, f64::max) / 100.0;
    let (mut found, mut sums) = (Clusters::default(), vec![0.0; values.len()]);
    for step in 1..=100 {
        let h = dh * f64::from(step);
        found.find(adjacency, values, h);
        for (point, &label) in found.labels.iter().enumerate().filter(|(_, label)| **label > 0) {
            sums[point] += (found.extents[label as usize - 1] as f64).sqrt() * h * h;
        }
    }
    sums
}

/// 16 subjects, a true focus of 27 voxels, and one voxel elsewhere that every subject has strongly or not. How much of
/// the focus is found at corrected p < .05, over 12 such studies: by exact TFCE, and by steps of each map's maximum.
#[test]
fn a_strong_voxel_elsewhere_hides_no_focus() {
    let shape = [12, 12, 12];
    let adjacency = whole(shape);
    let focus: Vec<usize> =
        (0..1728).filter(|&v| crate::grid::place(shape, v).iter().all(|i| (4..7).contains(i))).collect();
    let model = GroupModel::one_sample(16, &[]).unwrap();
    let mut found = [[0; 2]; 2];
    for study in 0..12 {
        for (strong, found) in found.iter_mut().enumerate() {
            let mut maps = noise(16, 1728, 100 + study);
            focus.iter().for_each(|&v| maps.column_mut(v).iter_mut().for_each(|y| *y += 0.9));
            if strong == 1 {
                // t of 40 or so.
                maps.column_mut(1700).iter_mut().for_each(|y| *y += 10.0);
            }
            let relabellings = model.relabellings(99, study);
            let test =
                Permutations::new(&model, maps, Some(&adjacency), relabellings.clone(), (Enhance::Tfce, Side::Greater));
            let p = test.corrected(&test.observed().statistic, &test.maxima(0..99));
            found[0] += focus.iter().filter(|&&v| p[v] < 0.05).count();
            let mut t = Vec::new();
            let mut largest = |relabelling: &Relabelling| {
                test.t_map(relabelling, &mut t);
                in_steps_of_its_own_maximum(&adjacency, &t)
            };
            let maxima: Vec<f64> =
                (0..99).map(|number| largest(&relabellings.get(number)).into_iter().fold(0.0, f64::max)).collect();
            let p = test.corrected(&largest(&Relabelling::AS_OBSERVED), &maxima);
            found[1] += focus.iter().filter(|&&v| p[v] < 0.05).count();
        }
    }
    let [[exact, steps], [exact_beside, steps_beside]] = found.map(|f| f.map(|n| n as f64 / (12.0 * 27.0)));
    assert!(
        exact > 0.4 && steps > 0.3 && (exact - exact_beside).abs() < 0.05 && steps_beside < 0.05,
        "exact {exact:.2}, steps {steps:.2}; beside a strong voxel {exact_beside:.2}, {steps_beside:.2}"
    );
}

#[test]
fn tfce_of_the_observed_map_is_tfce_of_its_t() {
    let maps = noise(9, 60, 12);
    let model = GroupModel::one_sample(9, &[]).unwrap();
    let t: Vec<f64> = model.tests(maps.view()).iter().map(|test| test.t).collect();
    let (observed, _) = corrected(&maps, [3, 4, 5], (Enhance::Tfce, Side::Greater), 10);
    for (a, b) in observed.statistic.iter().zip(tfce(&whole([3, 4, 5]), &t)) {
        assert!((a - b).abs() <= 1e-10 * b);
    }
}
