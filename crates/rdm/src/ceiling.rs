use rayon::prelude::*;
use statistics::mean;

use crate::compare::similarity;
use crate::inference::Groups;
use crate::pool::{Common, mean_of, normalised};
use crate::{Comparison, Rdm, RdmError, StimulusCovariance};

/// How well the best possible model RDM could do against these subjects. Both bounds are on the comparison's
/// own scale (r, rho, tau, cosine), not on its square.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseCeiling {
    /// Mean over subjects of the comparison of a subject with the pool of the others.
    pub lower: f64,
    /// Mean over subjects of the comparison of a subject with the pool of all, the subject included.
    pub upper: f64,
    /// The terms of `lower`, one per subject; `NaN` for a subject that is constant over the pairs in use.
    pub lower_by_subject: Vec<f64>,
    /// The terms of `upper`, one per subject.
    pub upper_by_subject: Vec<f64>,
    /// Pairs of stimuli in use: those that are finite in all subjects.
    pub n_pairs: usize,
    /// Pairs left out because a subject has no finite value there.
    pub n_nan: usize,
    /// Subjects that are constant over the pairs in use (for cosine: all 0), and are left out of the pools and means.
    pub constant: Vec<usize>,
}

impl NoiseCeiling {
    /// Bounds of subjects of whom too few can be pooled: all `NaN`.
    pub fn none(n_subjects: usize) -> NoiseCeiling {
        NoiseCeiling {
            lower: f64::NAN,
            upper: f64::NAN,
            lower_by_subject: vec![f64::NAN; n_subjects],
            upper_by_subject: vec![f64::NAN; n_subjects],
            n_pairs: 0,
            n_nan: 0,
            constant: Vec::new(),
        }
    }
}

/// Lower and upper bound of the noise ceiling over subjects' RDMs, pooled as the comparison needs ([`crate::pool`]).
///
/// Equal to rsatoolbox's `boot_noise_ceiling`. Needs at least 2 subjects, one RDM each: average the sessions of
/// a subject first. A constant subject is in no pool and has no terms; bounds of fewer than 2 others are `NaN`. For the
/// rank correlations the "upper" bound is that of the mean of ranks, which is near but not exactly the best RDM.
///
/// Nili et al. (2014).
pub fn noise_ceiling(subjects: &[Rdm], how: Comparison) -> Result<NoiseCeiling, RdmError> {
    noise_ceiling_under(subjects, how, None)
}

/// [`noise_ceiling`] with a covariance of stimuli for the whitened comparisons; the others do not look at it.
pub fn noise_ceiling_under(
    subjects: &[Rdm],
    how: Comparison,
    sigma: Option<&StimulusCovariance>,
) -> Result<NoiseCeiling, RdmError> {
    noise_ceiling_of_groups(subjects, how, sigma, &Groups::each(subjects.len()))
}

/// [`noise_ceiling_under`] of people who have several RDMs each (runs, sessions), who have one vote each in pools and
/// means: the lower bound of an RDM is against the pool of those of the other people. Of people with as many RDMs each
/// it is rsatoolbox's `boot_noise_ceiling` with `rdm_descriptor`; of others its pool counts a person as often as there
/// are RDMs, and would not be the best RDM for a mean in which each has one vote.
///
/// # Errors
/// [`RdmError::TooFewRdms`] of fewer than 2 groups; [`RdmError::DrawLength`] where `groups` are of other subjects.
pub fn noise_ceiling_of_groups(
    subjects: &[Rdm],
    how: Comparison,
    sigma: Option<&StimulusCovariance>,
    groups: &Groups,
) -> Result<NoiseCeiling, RdmError> {
    noise_ceiling_in_folds(subjects, how, sigma, groups, groups)
}

/// [`noise_ceiling_of_groups`] whose lower bound leaves out a fold of several people at a time: an RDM is against the
/// pool of the people in the other folds. That is lower than with one person left out, as the pool is of fewer; it
/// bounds what a model that was fitted to those people can be held to. All RDMs of a person have to be in one fold.
///
/// rsatoolbox's `cv_noise_ceiling` over sets of RDMs has the mean over folds of the mean over a fold; here every person
/// counts once, however large the fold. Of folds of one size the numbers are equal.
///
/// # Errors
/// As [`noise_ceiling_of_groups`], of folds.
pub fn noise_ceiling_in_folds(
    subjects: &[Rdm],
    how: Comparison,
    sigma: Option<&StimulusCovariance>,
    people: &Groups,
    folds: &Groups,
) -> Result<NoiseCeiling, RdmError> {
    let n = subjects.len();
    if let Some(groups) = [people, folds].into_iter().find(|groups| groups.n_things() != n) {
        return Err(RdmError::DrawLength { given: groups.n_things(), needed: n });
    }
    if folds.len() < 2 {
        return Err(RdmError::TooFewRdms { given: folds.len(), needed: 2 });
    }
    let common = Common::of(subjects, how)?;
    let vectors: Vec<Vec<f64>> = common.values.iter().map(|v| normalised(v, how)).collect();
    let usable = |subject: usize| !common.constant.contains(&subject);
    let fold = folds.numbers();
    let n_usable = folds.members().iter().filter(|members| members.iter().any(|&s| usable(s))).count();
    let used: Vec<usize> = (0..n).filter(|&s| usable(s)).collect();
    let of_used = Groups::of(&used.iter().map(|&s| people.numbers()[s]).collect::<Vec<usize>>());
    let mut votes = vec![0.0; n];
    used.iter().zip(of_used.votes()).for_each(|(&s, vote)| votes[s] = vote);
    let pool_of_all = mean_of(&vectors, |subject| votes[subject]);
    let bounds = (0..n)
        .into_par_iter()
        .map(|subject| {
            if n_usable < 2 || !usable(subject) {
                return Ok((f64::NAN, f64::NAN));
            }
            let own = &common.values[subject];
            let pool_of_others = mean_of(&vectors, |o| if fold[o] == fold[subject] { 0.0 } else { votes[o] });
            let with = |pool: &[f64]| similarity(pool, own, how, &common.kept, sigma);
            Ok((with(&pool_of_others)?, with(&pool_of_all)?))
        })
        .collect::<Result<Vec<(f64, f64)>, RdmError>>()?;
    let (lower_by_subject, upper_by_subject): (Vec<f64>, Vec<f64>) = bounds.into_iter().unzip();
    let n_pairs = common.n_pairs();
    let over_usable = |terms: &[f64]| mean(&of_used.means(&used.iter().map(|&s| terms[s]).collect::<Vec<f64>>()));
    Ok(NoiseCeiling {
        lower: over_usable(&lower_by_subject),
        upper: over_usable(&upper_by_subject),
        lower_by_subject,
        upper_by_subject,
        n_pairs,
        n_nan: common.kept.len() - n_pairs,
        constant: common.constant,
    })
}

#[cfg(test)]
mod tests {
    use super::{noise_ceiling, noise_ceiling_in_folds, noise_ceiling_of_groups};
    use crate::inference::Groups;
    use crate::{Comparison, Rdm, RdmError, pool};

    fn rdms(vectors: &[&[f64]]) -> Vec<Rdm> {
        vectors.iter().map(|v| Rdm::from_condensed(v.to_vec(), None).unwrap()).collect()
    }

    const UNTIED: [&[f64]; 3] =
        [&[0.1, 0.4, 0.5, 0.7, 0.2, 0.9], &[0.2, 0.3, 0.6, 0.8, 0.1, 0.7], &[0.3, 0.5, 0.4, 0.6, 0.2, 0.8]];
    const TIED: [&[f64]; 3] =
        [&[1.0, 2.0, 2.0, 3.0, 1.0, 4.0], &[2.0, 2.0, 1.0, 5.0, 3.0, 3.0], &[0.0, 1.0, 1.0, 2.0, 2.0, 2.0]];

    #[test]
    fn agrees_with_rsatoolbox() {
        // boot_noise_ceiling of rsatoolbox 0.3.2
        let golden = [
            (Comparison::Pearson, [0.9070961882830936, 0.9586101428962367], [0.6223862538234971, 0.8344674825319466]),
            (Comparison::Spearman, [0.9121593238215744, 0.9428571428571427], [0.7074457428753028, 0.8284394328547585]),
            (Comparison::Kendall, [0.7877263614433762, 0.8666666666666666], [0.5944792673232153, 0.7151185372828848]),
            (Comparison::TauA, [0.7333333333333333, 0.8666666666666667], [0.5111111111111111, 0.6444444444444444]),
            (Comparison::RhoA, [0.8857142857142857, 0.9428571428571427], [0.6619047619047619, 0.7904761904761904]),
            (Comparison::Cosine, [0.9761604998232563, 0.9894068530610282], [0.928852176960126, 0.9684814330251216]),
        ];
        for (how, untied, tied) in golden {
            for (vectors, [lower, upper]) in [(UNTIED, untied), (TIED, tied)] {
                let found = noise_ceiling(&rdms(&vectors), how).unwrap();
                assert!((found.lower - lower).abs() < 1e-14, "{how}: {} {lower}", found.lower);
                assert!((found.upper - upper).abs() < 1e-14, "{how}: {} {upper}", found.upper);
                assert_eq!((found.n_pairs, found.n_nan, found.lower_by_subject.len()), (6, 0, 3));
            }
        }
    }

    #[test]
    fn two_subjects_by_hand() {
        // the pool of the others is the other: lower = r; for z-scored vectors r(a, a + b) = sqrt((1 + r) / 2)
        let two = rdms(&UNTIED[..2]);
        let r = statistics::pearson(UNTIED[0], UNTIED[1]);
        let found = noise_ceiling(&two, Comparison::Pearson).unwrap();
        assert!((found.lower - r).abs() < 1e-15);
        assert!((found.upper - ((1.0 + r) / 2.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn the_upper_bound_is_reached_by_no_other_rdm() {
        let subjects = rdms(&UNTIED);
        for how in [Comparison::Pearson, Comparison::Cosine] {
            let best = pool(&subjects, how).unwrap();
            let plain = how.correlation().unwrap();
            let score = |values: &[f64]| subjects.iter().map(|s| plain.of(values, s.values())).sum::<f64>() / 3.0;
            let upper = noise_ceiling(&subjects, how).unwrap().upper;
            assert!((score(best.values()) - upper).abs() < 1e-15);
            for k in 0..6 {
                for step in [-0.05, 0.05] {
                    let mut other = best.values().to_vec();
                    other[k] += step;
                    assert!(score(&other) < upper, "{how}: pair {k}");
                }
            }
        }
    }

    #[test]
    fn a_person_has_one_vote_in_the_pool_which_no_other_rdm_beats() {
        // Two runs of the first person, one of each of the others.
        let again = [0.15, 0.35, 0.65, 0.6, 0.05, 0.95];
        let subjects = rdms(&[UNTIED[0], &again, UNTIED[1], UNTIED[2]]);
        let people = Groups::of(&[0, 0, 1, 2]);
        for how in [Comparison::Pearson, Comparison::Cosine] {
            let found = noise_ceiling_of_groups(&subjects, how, None, &people).unwrap();
            let plain = how.correlation().unwrap();
            let score = |values: &[f64]| {
                let r: Vec<f64> = subjects.iter().map(|s| plain.of(values, s.values())).collect();
                ((r[0] + r[1]) / 2.0 + r[2] + r[3]) / 3.0
            };
            // The best: each RDM by its vote.
            let unit = |s: &Rdm| crate::pool::normalised(s.values(), how);
            let mut best = vec![0.0; 6];
            for (s, vote) in subjects.iter().zip([0.5, 0.5, 1.0, 1.0]) {
                best.iter_mut().zip(unit(s)).for_each(|(sum, v)| *sum += vote * v);
            }
            assert!((score(&best) - found.upper).abs() < 1e-15, "{how}");
            for k in 0..6 {
                for step in [-0.05, 0.05] {
                    let mut other = best.clone();
                    other[k] += step;
                    assert!(score(&other) < found.upper, "{how}: pair {k}");
                }
            }
            // Without the third person the first one's runs share one vote beside the second's.
            let mut others = vec![0.0; 6];
            for (s, vote) in subjects.iter().zip([0.5, 0.5, 1.0, 0.0]) {
                others.iter_mut().zip(unit(s)).for_each(|(sum, v)| *sum += vote * v);
            }
            assert!((plain.of(&others, UNTIED[2]) - found.lower_by_subject[3]).abs() < 1e-15, "{how}");
        }
        // One run given twice changes nothing of the bounds of the others, ties and all.
        for how in Comparison::ALL {
            let (once, twice) = (rdms(&TIED), rdms(&[TIED[0], TIED[0], TIED[1], TIED[2]]));
            let [a, b] =
                [noise_ceiling(&once, how), noise_ceiling_of_groups(&twice, how, None, &people)].map(|f| f.unwrap());
            assert!((a.lower - b.lower).abs() < 1e-14 && (a.upper - b.upper).abs() < 1e-14, "{how}");
        }
    }

    #[test]
    fn folds_leave_several_people_out() {
        let four = rdms(&[UNTIED[0], UNTIED[1], UNTIED[2], TIED[0]]);
        let (people, folds) = (Groups::each(4), Groups::of(&[0, 1, 1, 0]));
        let found = noise_ceiling_in_folds(&four, Comparison::Pearson, None, &people, &folds).unwrap();
        let others = pool(&[four[1].clone(), four[2].clone()], Comparison::Pearson).unwrap();
        let expected = statistics::pearson(others.values(), four[0].values());
        assert!((found.lower_by_subject[0] - expected).abs() < 1e-15);
        assert_eq!(found.upper, noise_ceiling(&four, Comparison::Pearson).unwrap().upper);
        let one = noise_ceiling_in_folds(&four, Comparison::Pearson, None, &people, &Groups::of(&[0; 4]));
        assert_eq!(one, Err(RdmError::TooFewRdms { given: 1, needed: 2 }));
        let short = noise_ceiling_in_folds(&four, Comparison::Pearson, None, &people, &Groups::each(3));
        assert_eq!(short, Err(RdmError::DrawLength { given: 3, needed: 4 }));
    }

    #[test]
    fn scale_of_a_subject_does_not_matter() {
        let plain = rdms(&UNTIED);
        let louder: Vec<f64> = UNTIED[1].iter().map(|v| 50.0 * v).collect();
        let scaled = rdms(&[UNTIED[0], &louder, UNTIED[2]]);
        for how in Comparison::ALL {
            let (a, b) = (noise_ceiling(&plain, how).unwrap(), noise_ceiling(&scaled, how).unwrap());
            assert!((a.lower - b.lower).abs() < 1e-14 && (a.upper - b.upper).abs() < 1e-14, "{how}");
        }
    }

    #[test]
    fn pairs_missing_in_one_subject_are_left_out_and_counted() {
        let nan = f64::NAN;
        // four stimuli; the second subject misses the third pair, so five pairs are left
        let missing = rdms(&[UNTIED[0], &[0.2, 0.3, nan, 0.8, 0.1, 0.7], UNTIED[2]]);
        let found = noise_ceiling(&missing, Comparison::Pearson).unwrap();
        assert_eq!((found.n_pairs, found.n_nan), (5, 1));
        let without = |v: &[f64]| [v[0], v[1], v[3], v[4], v[5]];
        let z = |v: [f64; 5]| {
            let m = v.iter().sum::<f64>() / 5.0;
            let sd = (v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / 5.0).sqrt();
            v.map(|x| (x - m) / sd)
        };
        let cut: Vec<[f64; 5]> = UNTIED.iter().map(|v| without(v)).collect();
        let (z1, z2) = (z(cut[1]), z(cut[2]));
        let others: Vec<f64> = z1.iter().zip(z2).map(|(a, b)| a + b).collect();
        let expected = statistics::pearson(&others, &cut[0]);
        assert!((found.lower_by_subject[0] - expected).abs() < 1e-14);
        let pooled = pool(&missing, Comparison::Pearson).unwrap();
        assert!(pooled.values()[2].is_nan() && pooled.n_nan() == 1);
    }

    #[test]
    fn a_constant_subject_is_left_out_and_one_alone_has_no_bounds() {
        for flat in [[0.1; 6], [1.2, 1.2000000000000002, 1.2, 1.2, 1.2, 1.2]] {
            let with = rdms(&[UNTIED[0], &flat, UNTIED[1], UNTIED[2]]);
            for how in Comparison::ALL.into_iter().filter(|how| how.centres()) {
                let (found, others) = (noise_ceiling(&with, how).unwrap(), noise_ceiling(&rdms(&UNTIED), how).unwrap());
                assert_eq!((found.lower, found.upper), (others.lower, others.upper), "{how}");
                assert_eq!((found.constant, others.constant), (vec![1], vec![]), "{how}");
                assert!(found.lower_by_subject[1].is_nan() && found.upper_by_subject[1].is_nan(), "{how}");
                assert_eq!(found.lower_by_subject[2], others.lower_by_subject[1], "{how}");
                let alone = noise_ceiling(&with[..2], how).unwrap();
                assert!(alone.lower.is_nan() && alone.upper_by_subject.iter().all(|v| v.is_nan()), "{how}");
            }
        }
    }

    #[test]
    fn refuses_one_subject_constant_subjects_and_other_sizes() {
        let one = rdms(&UNTIED[..1]);
        let error = noise_ceiling(&one, Comparison::Pearson).unwrap_err();
        assert_eq!(error, RdmError::TooFewRdms { given: 1, needed: 2 });
        let constant = rdms(&[UNTIED[0], &[0.1; 6]]);
        for how in [Comparison::Pearson, Comparison::Spearman, Comparison::TauA] {
            let error = pool(&constant, how).unwrap_err();
            assert_eq!(error, RdmError::Constant { index: 1, n_pairs: 6 });
        }
        assert!(noise_ceiling(&constant, Comparison::Cosine).unwrap().lower > 0.0);
        let sizes = rdms(&[UNTIED[0], &[1.0, 2.0, 3.0]]);
        let error = noise_ceiling(&sizes, Comparison::Pearson).unwrap_err();
        assert_eq!(error, RdmError::SizesDiffer { index: 1, n_stimuli: 3, expected: 4 });
        assert_eq!(pool(&[], Comparison::Pearson), Err(RdmError::TooFewRdms { given: 0, needed: 1 }));
    }
}
