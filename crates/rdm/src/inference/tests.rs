use statistics::Draws;

use super::{Bootstrap, Engines, Evaluated, Generalize, Groups, bootstrap, permute_stimuli};
use crate::testing::noise;
use crate::{Comparison, Rdm, RdmError, StimulusCovariance, compare, compare_all, noise_ceiling};

/// RDMs of related patterns; `levels` rounds them to ties.
fn rdms(count: usize, n: usize, seed: u64, levels: Option<f64>) -> Vec<Rdm> {
    let shared = noise(n, 4, 77);
    (0..count as u64)
        .map(|k| {
            let patterns = &shared + &(0.7 * noise(n, 4, seed + k));
            let made = crate::distances(patterns.view(), crate::Distance::Euclidean).unwrap().rdm;
            let round = |v: &f64| levels.map_or(*v, |levels| (v * levels).round() / levels);
            Rdm::from_condensed(made.values().iter().map(round).collect(), None).unwrap()
        })
        .collect()
}

/// The RDM of stimuli drawn with replacement; a stimulus has no distance to its copy.
fn gathered(rdm: &Rdm, c: &[u32]) -> Rdm {
    let drawn: Vec<usize> = (0..c.len()).flat_map(|i| std::iter::repeat_n(i, c[i] as usize)).collect();
    let mut values = Vec::new();
    for (k, &i) in drawn.iter().enumerate() {
        values.extend(drawn[k + 1..].iter().map(|&j| if i == j { f64::NAN } else { rdm.get(i, j) }));
    }
    Rdm::from_condensed(values, None).unwrap()
}

fn with_gap(rdm: &Rdm, k: usize) -> Rdm {
    let mut values = rdm.values().to_vec();
    values[k] = f64::NAN;
    Rdm::from_condensed(values, None).unwrap()
}

fn same(what: &str, fast: f64, slow: f64) {
    assert!((fast - slow).abs() < 1e-11 || (fast.is_nan() && slow.is_nan()), "{what}: {fast} {slow}");
}

/// Every draw of the engine against gathered RDMs, and the ceiling of gathered subjects as often as drawn.
fn check(models: &[Rdm], subjects: &[Rdm], how: Comparison, c: &[u32], s: &[u32]) {
    let engines = Engines::new(models, subjects, how);
    let found: Evaluated = engines.evaluate(&[c], true).unwrap().remove(0);
    let (big_models, big_subjects): (Vec<Rdm>, Vec<Rdm>) =
        (models.iter().map(|r| gathered(r, c)).collect(), subjects.iter().map(|r| gathered(r, c)).collect());
    for (m, model) in big_models.iter().enumerate() {
        for (b, brain) in big_subjects.iter().enumerate() {
            let slow = compare(model, brain, how).unwrap().value;
            same(&format!("{how} model {m} subject {b} {c:?}"), found.scores[(m, b)], slow);
        }
    }
    // Pools by copying subjects: leave all copies of one out, every different subject counts once.
    let distinct: Vec<usize> = (0..s.len()).filter(|&k| s[k] > 0).collect();
    let copies = |without: Option<usize>| -> Vec<Rdm> {
        let kept = distinct.iter().filter(|k| Some(**k) != without);
        kept.flat_map(|&k| std::iter::repeat_n(big_subjects[k].clone(), s[k] as usize)).collect()
    };
    // Pairs missing in any subject are missing in the pool, also of others.
    let gaps: Vec<bool> =
        (0..big_subjects[0].values().len()).map(|p| big_subjects.iter().any(|b| b.values()[p].is_nan())).collect();
    let masked = |rdm: &Rdm| {
        let values = rdm.values().iter().zip(&gaps).map(|(v, gap)| if *gap { f64::NAN } else { *v });
        Rdm::from_condensed(values.collect(), None).unwrap()
    };
    if crate::pool(&copies(None).iter().map(masked).collect::<Vec<_>>(), how).is_err() {
        // pool() refuses subjects that few stimuli leave constant; a draw goes on
        return;
    }
    let bound = |leave: bool| {
        let terms = distinct.iter().map(|&k| {
            let others: Vec<Rdm> = copies(leave.then_some(k)).iter().map(masked).collect();
            let pool = crate::pool(&others, how).unwrap();
            compare(&pool, &masked(&big_subjects[k]), how).unwrap().value
        });
        terms.sum::<f64>() / distinct.len() as f64
    };
    let [lower, upper] = found.ceiling(s, &Groups::each(s.len()), &Groups::each(s.len())).unwrap();
    same(&format!("{how} lower"), lower, bound(true));
    same(&format!("{how} upper"), upper, bound(false));
}

#[test]
fn weighted_scores_and_ceilings_are_those_of_gathered_rdms() {
    let n = 9;
    let mut draws = Draws::new(2);
    for levels in [None, Some(4.0)] {
        let (models, subjects) = (rdms(3, n, 10, levels), rdms(4, n, 20, levels));
        for how in Comparison::ALL {
            check(&models, &subjects, how, &vec![1; n], &[1; 4]);
            for _ in 0..4 {
                let c = super::multiplicities(n, &mut draws);
                check(&models, &subjects, how, &c, &[2, 0, 1, 1]);
            }
            // one stimulus more often than all others: m = n - 2 c + 2 is 0, and below
            check(&models, &subjects, how, &[6, 1, 1, 1, 0, 0, 0, 0, 1], &[1, 1, 1, 1]);
            check(&models, &subjects, how, &[5, 1, 1, 1, 0, 0, 0, 0, 0], &[1, 1, 0, 2]);
        }
    }
}

#[test]
fn pairs_without_a_value_are_left_out_of_their_comparisons_only() {
    let n = 8;
    let (mut models, mut subjects) = (rdms(3, n, 30, None), rdms(3, n, 40, None));
    models[1] = with_gap(&models[1], 3);
    subjects[2] = with_gap(&with_gap(&subjects[2], 3), 11);
    let mut draws = Draws::new(5);
    for how in Comparison::ALL {
        check(&models, &subjects, how, &vec![1; n], &[1; 3]);
        for _ in 0..3 {
            let c = super::multiplicities(n, &mut draws);
            check(&models, &subjects, how, &c, &[1, 1, 1]);
        }
    }
}

#[test]
fn constant_rdms_have_no_value_in_any_draw_and_spoil_no_other() {
    let n = 7;
    let mut models = rdms(2, n, 50, None);
    models.push(Rdm::from_condensed(vec![0.1; 21], None).unwrap());
    let subjects = rdms(2, n, 60, None);
    let c = [2, 1, 0, 1, 1, 1, 1];
    for how in [Comparison::Pearson, Comparison::Spearman, Comparison::Kendall, Comparison::CorrCov] {
        let found = Engines::new(&models, &subjects, how).evaluate(&[&c], true).unwrap().remove(0);
        assert!(found.scores[(2, 0)].is_nan() && found.scores[(1, 1)].is_finite(), "{how}");
    }
}

fn plan(over: Generalize, n_boot: usize) -> Bootstrap {
    Bootstrap { over, n_boot, seed: 3, ceiling: true }
}

#[test]
fn every_thread_count_gives_the_same_numbers_and_the_tables_belong_together() {
    let (models, subjects) = (rdms(2, 12, 70, None), rdms(4, 12, 80, None));
    for how in Comparison::ALL {
        let of = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bootstrap(&models, &subjects, how, None, plan(Generalize::Both, 30)).unwrap())
        };
        let (one, three) = (of(1), of(3));
        assert_eq!(one.tables.len(), 3);
        for (a, b) in one.tables.iter().zip(&three.tables) {
            assert!(a.iter().zip(b).all(|(x, y)| x.to_bits() == y.to_bits()), "{how}");
        }
        // stimuli alone draw other numbers, but the subjects' table is that of resampled subjects
        let subjects_only = bootstrap(&models, &subjects, how, None, plan(Generalize::Subjects, 30)).unwrap();
        for (a, b) in subjects_only.tables[0].iter().zip(&one.tables[1]) {
            same("subjects", *a, *b);
        }
    }
}

#[test]
fn subjects_all_drawn_once_give_the_score_and_ceiling_of_the_data() {
    let (models, subjects) = (rdms(2, 8, 90, None), rdms(3, 8, 95, None));
    for how in Comparison::ALL {
        let whole = Engines::new(&models, &subjects, how).evaluate(&[&[1; 8]], true).unwrap().remove(0);
        let ceiling = noise_ceiling(&subjects, how).unwrap();
        let [lower, upper] = whole.ceiling(&[1; 3], &Groups::each(3), &Groups::each(3)).unwrap();
        same("lower", lower, ceiling.lower);
        same("upper", upper, ceiling.upper);
        for (found, slow) in whole.scores.iter().zip(compare_all(&models, &subjects, how).unwrap()) {
            same("score", *found, slow.value);
        }
    }
    let sigma = noise(8, 20, 1);
    let sigma = StimulusCovariance::new(sigma.dot(&sigma.t()).view()).unwrap();
    for how in [Comparison::CorrCov, Comparison::CosineCov] {
        let whole = super::sums::under_covariance(&models, &subjects, how, &sigma).unwrap();
        let ceiling = crate::noise_ceiling_under(&subjects, how, Some(&sigma)).unwrap();
        let [lower, upper] = whole.ceiling(&[1; 3], &Groups::each(3), &Groups::each(3)).unwrap();
        same("lower", lower, ceiling.lower);
        same("upper", upper, ceiling.upper);
        let refused = bootstrap(&models, &subjects, how, Some(&sigma), plan(Generalize::Both, 2));
        assert_eq!(refused.unwrap_err(), RdmError::CovarianceResampled);
    }
}

#[test]
fn permutation_p_counts_permutations() {
    // More models than subjects and fewer, so that either side is the one that is shuffled.
    for n_subjects in [2, 5] {
        let (mut models, subjects) = (rdms(2, 8, 100, None), rdms(n_subjects, 8, 110, None));
        models.push(Rdm::from_condensed(noise(1, 28, 4).iter().map(|v| v + 1.0).collect(), None).unwrap());
        for how in Comparison::ALL {
            let found = permute_stimuli(&models, &subjects, how, None, 50, 7).unwrap();
            // The scores of every subject and their mean, in the place behind them.
            let scores = |m: &Rdm| -> Vec<f64> {
                let mut all: Vec<f64> = subjects.iter().map(|s| compare(m, s, how).unwrap().value).collect();
                all.push(all.iter().sum::<f64>() / n_subjects as f64);
                all
            };
            let own: Vec<Vec<f64>> = models.iter().map(scores).collect();
            let mut p = vec![[1.0; 3]; n_subjects + 1];
            let mut p_max = p.clone();
            for i in 0..50 {
                let order = Draws::stream(7, i).permutation(8);
                // either side may be shuffled: the models by the order are the subjects by its inverse
                let mut inverse = vec![0; 8];
                order.iter().enumerate().for_each(|(a, b)| inverse[*b] = a);
                let fast = !matches!(how, Comparison::Kendall | Comparison::TauA);
                let order = if fast { &inverse } else { &order };
                let drawn: Vec<Vec<f64>> = models.iter().map(|m| scores(&m.select(order).unwrap())).collect();
                for s in 0..=n_subjects {
                    let largest = drawn.iter().fold(f64::MIN, |largest, of_model| largest.max(of_model[s]));
                    for m in 0..3 {
                        p[s][m] += f64::from(u8::from(drawn[m][s] >= own[m][s] - 1e-12));
                        p_max[s][m] += f64::from(u8::from(largest >= own[m][s] - 1e-12));
                    }
                }
            }
            for s in 0..=n_subjects {
                let found = found.of_subjects.get(s).unwrap_or(&found.of_means);
                assert_eq!(found.p, p[s].map(|b| b / 51.0), "{how} {s}");
                assert_eq!(found.p_max, p_max[s].map(|b| b / 51.0), "{how} {s}");
                assert_eq!(found.n, [50; 3]);
            }
        }
    }
}

#[test]
fn a_subject_without_a_score_has_no_p_and_takes_none_from_the_others() {
    let (models, mut subjects) = (rdms(2, 8, 100, None), rdms(2, 8, 110, None));
    let alone = permute_stimuli(&models, &subjects, Comparison::Pearson, None, 40, 7).unwrap();
    subjects.push(Rdm::from_condensed(vec![2.0; 28], None).unwrap());
    let found = permute_stimuli(&models, &subjects, Comparison::Pearson, None, 40, 7).unwrap();
    assert_eq!(found.of_subjects[..2], alone.of_subjects[..]);
    assert!(found.of_subjects[2].p.iter().chain(&found.of_subjects[2].p_max).all(|p| p.is_nan()));
    assert_eq!(found.of_subjects[2].n, [0, 0]);
}
