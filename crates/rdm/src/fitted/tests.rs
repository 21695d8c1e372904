use super::fit::{fit_drawn, repeated};
use super::folds::{Fold, score_fold};
use super::{
    Against, Folding, ModelKind, Partition, Splits, bootstrap_fitted, bootstrap_fitted_in, cross_validate,
    cross_validate_in, default_folding_of_draws, fit, fit_of_groups, predict,
};
use crate::inference::{Bootstrap, Generalize, Groups, Spread};
use crate::testing::noise;
use crate::{Comparison, Rdm, RdmError, compare_all, pool};
use statistics::{Draws, mean};

const KINDS: [ModelKind; 3] = [ModelKind::Weighted, ModelKind::Select, ModelKind::Interpolate];

fn rdms(count: u64, n: usize, seed: u64) -> Vec<Rdm> {
    let shared = noise(n, 4, 5);
    (0..count)
        .map(|k| {
            let patterns = &shared + &(0.8 * noise(n, 4, seed + k));
            let made = crate::distances(patterns.view(), crate::Distance::Euclidean).unwrap().rdm;
            Rdm::from_condensed(made.values().to_vec(), None).unwrap()
        })
        .collect()
}

fn same(what: &str, fast: f64, slow: f64, tolerance: f64) {
    assert!((fast - slow).abs() < tolerance || (fast.is_nan() && slow.is_nan()), "{what}: {fast} {slow}");
}

/// The data of a draw as it would stand in files: copies of RDMs and of rows. The slow twin.
fn gathered(rdms: &[Rdm], often: &[u32]) -> Vec<Rdm> {
    let drawn = repeated(often);
    rdms.iter().map(|rdm| rdm.drawn(&drawn).unwrap()).collect()
}

#[test]
fn fits_to_multiplicities_are_fits_to_copies() {
    let (components, subjects) = (rdms(3, 9, 10), rdms(3, 9, 20));
    let (c, s) = ([2, 0, 1, 3, 1, 0, 1, 1, 1], [2, 0, 1]);
    for how in Comparison::ALL {
        for kind in KINDS {
            let ranked =
                matches!(how, Comparison::Spearman | Comparison::Kendall | Comparison::TauA | Comparison::RhoA);
            if ranked && kind == ModelKind::Weighted {
                continue;
            }
            let found = fit_drawn(&components, &subjects, &c, &s.map(f64::from), kind, how).unwrap();
            let people: Vec<Rdm> = repeated(&s).into_iter().map(|i| subjects[i].clone()).collect();
            let (components, people) = (gathered(&components, &c), gathered(&people, &c));
            let slow = fit(&components, &people, kind, how).unwrap();
            found.iter().zip(&slow).for_each(|(a, b)| same(&format!("{how} {kind:?}"), *a, *b, 1e-6));
            // and no other weights of the kind do better on the copies
            let score = |weights: &[f64]| {
                let prediction = predict(&components, weights).unwrap();
                mean(&compare_all(&[prediction], &people, how).unwrap().iter().map(|f| f.value).collect::<Vec<f64>>())
            };
            let best = score(&found);
            for k in 0..=20 {
                let w = f64::from(k) / 20.0;
                let others: Vec<[f64; 3]> = match kind {
                    ModelKind::Select => vec![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
                    ModelKind::Interpolate => vec![[w, 1.0 - w, 0.0], [0.0, w, 1.0 - w]],
                    // least squares of the pool, which is the best for the mean of cosines
                    _ => vec![[w, 1.0 - w, 0.4], [w, 0.3, 1.0 - w], [0.2, w, 1.0 - w]],
                };
                others
                    .iter()
                    .for_each(|other| assert!(score(other) <= best + 1e-7, "{how} {kind:?} {other:?} {found:?}"));
            }
        }
    }
}

#[test]
fn a_fold_of_a_draw_is_scored_on_copies_that_were_not_fitted_to() {
    let (models, subjects) = ([rdms(3, 10, 30), rdms(2, 10, 35)], rdms(4, 10, 40));
    let (c, s) = ([2, 1, 1, 0, 1, 2, 0, 1, 1, 1], [1, 2, 0, 1]);
    let fold = Fold { subjects: vec![1], stimuli: vec![0, 4, 7, 8] };
    let (training, training_people) = ([0, 1, 1, 0, 0, 2, 0, 0, 0, 1], [1, 0, 0, 1]);
    let held_out = [2, 0, 0, 0, 1, 0, 0, 1, 1, 0];
    for how in [Comparison::Pearson, Comparison::Cosine, Comparison::CorrCov, Comparison::Spearman] {
        let kind = if how == Comparison::Spearman { ModelKind::Select } else { ModelKind::Weighted };
        let found = score_fold(&models, &subjects, kind, how, &c, &s, &fold, true).unwrap();
        for (m, components) in models.iter().enumerate() {
            let people: Vec<Rdm> = repeated(&training_people).into_iter().map(|i| subjects[i].clone()).collect();
            let weights = fit(&gathered(components, &training), &gathered(&people, &training), kind, how).unwrap();
            let prediction = predict(&gathered(components, &held_out), &weights).unwrap();
            let slow = compare_all(&[prediction], &gathered(&subjects[1..2], &held_out), how).unwrap()[(0, 0)].value;
            same(&format!("{how} {m}"), found.scores[(m, 0)], slow, 1e-9);
        }
        // subject 1 against the others of the draw, and against all with its copy
        let test = gathered(&subjects, &held_out);
        let bound = |people: &[usize]| {
            let chosen: Vec<Rdm> = people.iter().map(|&i| test[i].clone()).collect();
            compare_all(&[pool(&chosen, how).unwrap()], &test[1..2], how).unwrap()[(0, 0)].value
        };
        same("lower", found.bounds[0][0], bound(&[0, 3]), 1e-10);
        same("upper", found.bounds[1][0], bound(&[0, 1, 1, 3]), 1e-10);
    }
}

#[test]
fn a_draw_of_everything_once_is_the_cross_validation_of_the_data() {
    let (models, subjects) = ([rdms(3, 12, 50)], rdms(5, 12, 60));
    let folding = Folding { subjects: 2, stimuli: 3, seed: 4 };
    let all = |n: usize| (0..n).collect::<Vec<usize>>();
    for how in [Comparison::Pearson, Comparison::RhoA, Comparison::CosineCov] {
        let whole = cross_validate(&models, &subjects, ModelKind::Interpolate, how, folding, true).unwrap();
        let mut sums = [0.0; 3];
        for fold in Splits::of(folding, 5, 12).folds(&all(5), &all(12), &mut Draws::new(4)).unwrap() {
            let found =
                score_fold(&models, &subjects, ModelKind::Interpolate, how, &[1; 12], &[1; 5], &fold, true).unwrap();
            sums[0] += found.scores.sum() / 15.0;
            sums[1] += found.bounds[0].iter().sum::<f64>() / 15.0;
            sums[2] += found.bounds[1].iter().sum::<f64>() / 15.0;
        }
        let ceiling = whole.ceiling.unwrap();
        same("score", sums[0], mean(&whole.scores.iter().map(|s| s.value).collect::<Vec<f64>>()), 1e-10);
        same("lower", sums[1], ceiling.lower, 1e-10);
        same("upper", sums[2], ceiling.upper, 1e-10);
    }
}

fn plan(over: Generalize, n_boot: usize) -> Bootstrap {
    Bootstrap { over, n_boot, seed: 3, ceiling: true }
}

#[test]
fn draws_without_folds_are_none_in_all_tables_and_threads_change_nothing() {
    let (models, subjects) = ([rdms(2, 10, 70)], rdms(4, 10, 80));
    let folding = Folding { subjects: 2, stimuli: 2, seed: 0 };
    let of = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (kind, how) = (ModelKind::Weighted, Comparison::Cosine);
        pool.install(|| {
            bootstrap_fitted(&models, &subjects, kind, how, plan(Generalize::Both, 60), folding, 2).unwrap()
        })
    };
    let (one, three) = (of(1), of(3));
    assert_eq!((one.tables.len(), one.repeats.len(), one.repeats[0].len()), (3, 3, 2));
    let bits = |tables: &[ndarray::Array2<f64>]| tables.iter().flatten().map(|v| v.to_bits()).collect::<Vec<u64>>();
    assert_eq!(bits(&one.tables), bits(&three.tables));
    let missing = |t: usize| (0..60).filter(|&d| one.tables[t][(d, 0)].is_nan()).collect::<Vec<usize>>();
    // fewer than 6 of 10 different stimuli: about a seventh of the draws
    assert!((2..25).contains(&missing(0).len()), "{:?}", missing(0));
    assert!(missing(0) == missing(1) && missing(0) == missing(2));
    let spread = Spread::new(&one, &[0, 1, 2], Generalize::Both, 4, 10);
    assert_eq!(spread.draws.len(), 60 - missing(0).len());
    let refused = Folding { stimuli: 4, ..folding };
    let plan = plan(Generalize::Stimuli, 2);
    let refused =
        bootstrap_fitted(&models, &subjects, ModelKind::Select, Comparison::Cosine, plan, refused, 1).unwrap_err();
    assert_eq!(refused, RdmError::TooManyFolds { folds: 4, needed: 12, given: 10 });
}

#[test]
fn the_correction_takes_the_variance_of_random_folds_out() {
    let (models, subjects) = ([rdms(3, 14, 90)], rdms(4, 14, 95));
    let folding = Folding { subjects: 1, stimuli: 3, seed: 0 };
    let variance = |n_cv: usize, corrected: bool| {
        let (kind, how) = (ModelKind::Weighted, Comparison::Pearson);
        let mut found =
            bootstrap_fitted(&models, &subjects, kind, how, plan(Generalize::Subjects, 400), folding, n_cv).unwrap();
        if !corrected {
            found.repeats.clear();
        }
        Spread::new(&found, &[0], Generalize::Subjects, 4, 14).variance(&[(0, 1.0)])
    };
    let (once, twice, corrected, many) =
        (variance(1, true), variance(2, false), variance(2, true), variance(12, false));
    // 400 draws: 7 % each; the folds' part falls with the repetitions, and two of them tell where it ends
    assert!(once > twice && twice > many, "{once} {twice} {many}");
    assert!((corrected - many).abs() < 0.35 * many + (twice - many).abs(), "{corrected} {many}");
    assert!((corrected - (2.0 * twice - variance(1, true))).abs() < 0.4 * once, "{corrected}");
}

#[test]
fn draws_have_the_folds_of_what_they_hold() {
    let of = |n_subjects: usize, n_stimuli: usize| {
        let folding = default_folding_of_draws(n_subjects, n_stimuli);
        (folding.subjects, folding.stimuli)
    };
    // rsatoolbox: default_k of 0.63 n
    assert_eq!(of(8, 92), (2, 5));
    assert_eq!(of(10, 20), (3, 3));
    assert_eq!(of(2, 8), (2, 2));
    assert_eq!(of(1, 36), (1, 3));
    assert_eq!(of(20, 64), (4, 5));
}

#[test]
fn a_person_has_one_vote_in_fits_however_many_runs() {
    let (components, subjects) = (rdms(3, 9, 10), rdms(3, 9, 20));
    let people = Groups::of(&[0, 1, 0]);
    // The same with the second person's only run given twice.
    let twice: Vec<Rdm> = [0, 1, 1, 2].map(|s| subjects[s].clone()).to_vec();
    for how in Comparison::ALL {
        for kind in KINDS {
            if kind == ModelKind::Weighted && how.ranks() {
                continue;
            }
            let found = fit_of_groups(&components, &subjects, kind, how, &people).unwrap();
            let slow = fit(&components, &twice, kind, how).unwrap();
            found.iter().zip(&slow).for_each(|(a, b)| same(&format!("{how} {kind:?}"), *a, *b, 1e-6));
        }
    }
}

#[test]
fn given_folds_of_people_are_fitted_and_scored_apart() {
    let (models, subjects) = ([rdms(3, 12, 50)], rdms(5, 12, 60));
    let people = Groups::of(&[0, 0, 1, 2, 3]);
    let of_stimuli = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2];
    let splits = Splits {
        subjects: Partition::given(vec![0, 0, 1, 1, 0]),
        stimuli: Partition::given(of_stimuli.to_vec()),
        seed: 9,
    };
    let (kind, how) = (ModelKind::Weighted, Comparison::Pearson);
    let find =
        |against: Against| cross_validate_in(&models, &subjects, kind, how, &splits, &people, Some(against)).unwrap();
    let found = find(Against::OtherFolds);
    // By hand: the fold of subjects 2 and 3, person 0 with half a vote a run.
    let (mut score, mut lower) = (0.0, 0.0);
    let training: Vec<Rdm> = [0, 1, 4, 4].map(|s| subjects[s].clone()).to_vec();
    for fold in 0..3 {
        let side = |inside: bool| (0..12).filter(|&i| (of_stimuli[i] == fold) == inside).collect::<Vec<usize>>();
        let cut = |rdms: &[Rdm], inside: bool| -> Vec<Rdm> {
            rdms.iter().map(|rdm| rdm.select(&side(inside)).unwrap()).collect()
        };
        let weights = fit(&cut(&models[0], false), &cut(&training, false), kind, how).unwrap();
        let prediction = predict(&cut(&models[0], true), &weights).unwrap();
        let test = &cut(&subjects, true)[2..3];
        score += compare_all(&[prediction], test, how).unwrap()[(0, 0)].value / 3.0;
        let others = pool(&cut(&training, true), how).unwrap();
        lower += compare_all(&[others], test, how).unwrap()[(0, 0)].value / 3.0;
    }
    same("score", found.scores[(0, 2)].value, score, 1e-9);
    let (bounds, of_people) = (found.ceiling.unwrap(), find(Against::OtherPeople).ceiling.unwrap());
    same("lower", bounds.lower_by_subject[2], lower, 1e-12);
    // The upper bound is that of all in any case; the lower one of fewer people is lower on the whole.
    assert_eq!(bounds.upper, of_people.upper);
    assert!(bounds.lower < of_people.lower, "{} {}", bounds.lower, of_people.lower);
    let one = Splits { subjects: Partition::random(1, 5), ..splits.clone() };
    let refused = cross_validate_in(&models, &subjects, kind, how, &one, &people, Some(Against::OtherFolds));
    assert_eq!(refused.unwrap_err(), RdmError::TooFewFolds { n_folds: 1 });

    // A draw of everything once is the data, whatever the draw: subjects as they are, stimuli resampled as a group.
    let kinds = Groups::of(&[0; 12]);
    let plan = Bootstrap { over: Generalize::Stimuli, n_boot: 2, seed: 1, ceiling: true };
    let groups = [people.clone(), kinds];
    let against = Against::OtherFolds;
    let drawn = bootstrap_fitted_in(&models, &subjects, kind, how, plan, &splits, 1, &groups, against).unwrap();
    let by_person = people.means(&found.scores.row(0).iter().map(|s| s.value).collect::<Vec<f64>>());
    same("drawn", drawn.tables[0][(0, 0)], mean(&by_person), 1e-10);
    same("drawn lower", drawn.tables[0][(1, 1)], bounds.lower, 1e-10);
    same("drawn upper", drawn.tables[0][(1, 2)], bounds.upper, 1e-10);
}
