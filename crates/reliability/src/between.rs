//! How well one person's responses predict another's.
//!
//! Two human-human values, both correlations, to be compared with a model's **r** (not r²): the median of a
//! subject's pairwise correlations with every other subject, and its correlation with the mean of the others.
//! Values may exceed 1 once corrected for noise; nothing is clipped. The correction assumes noise that is
//! independent between the two sides: never give it two regions of one brain measured in the same trials.

mod products;

use ndarray::{Array2, ArrayView2};
use statistics::{Correlation, Reason, bounded, dot, mean, median, variance};

use self::products::{Products, map_products};
use crate::columns::map_columns;

/// Why subjects cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BetweenError {
    /// One subject has nobody to agree with.
    #[error("{0} subjects; a ceiling between subjects needs at least 2")]
    TooFewSubjects(usize),
    /// Vectors or matrices of different size.
    #[error("subject {subject} has {found}, but subject 0 has {expected}; all need the same {what} in the same order")]
    Shape {
        /// Which subject, from 0.
        subject: usize,
        /// What subject 0 has.
        expected: usize,
        /// What this one has.
        found: usize,
        /// `values`, `rows` or `voxels`.
        what: &'static str,
    },
    /// Not one reliability per subject (and voxel).
    #[error("{found} reliabilities for {expected}; give one per subject (and voxel)")]
    Reliabilities {
        /// How many are needed.
        expected: usize,
        /// How many were given.
        found: usize,
    },
}

/// One subject against the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Median of the correlations with each other subject, corrected when reliabilities were given. Compare with **r**.
    pub median_of_pairs: f64,
    /// Mean of the same correlations.
    pub mean_of_pairs: f64,
    /// Pairs the median is over; less than the number of others when a pair has no correlation.
    pub n_pairs: usize,
    /// Correlation with the mean of the others, corrected when reliabilities were given. Compare with **r**.
    pub leave_one_out: f64,
    /// Others in that mean: all without NaN, and of other people.
    pub n_others: usize,
    /// Why a number is missing: of this subject `constant` or `nan_input`; `no_usable_pair` when all others are;
    /// `same_subject` when all others are the same person; `negative_reliability` when only a correction failed.
    pub reason: Option<Reason>,
}

/// A correlation corrected for the noise of both sides: `r / sqrt(reliability_a * reliability_b)`, unclipped.
///
/// A noiseless side (a network) has reliability 1. A reliability at or below 0 gives `NaN`.
///
/// ```
/// assert_eq!(reliability::noise_corrected(0.6, 0.25, 1.0), 1.2);
/// assert!(reliability::noise_corrected(0.6, -0.5, -0.5).is_nan());
/// ```
pub fn noise_corrected(r: f64, reliability_a: f64, reliability_b: f64) -> f64 {
    if reliability_a > 0.0 && reliability_b > 0.0 {
        r / (reliability_a.sqrt() * reliability_b.sqrt())
    } else {
        f64::NAN
    }
}

/// Correlation of every two subjects' vectors (profiles, RDM triangles): symmetric, subjects x subjects.
///
/// # Panics
/// When vectors differ in length.
pub fn pairwise(subjects: &[&[f64]], measure: Correlation) -> Array2<f64> {
    let n = subjects.len();
    let mut r = Array2::from_elem((n, n), f64::NAN);
    for i in 0..n {
        for j in i..n {
            r[[i, j]] = measure.of(subjects[i], subjects[j]);
            r[[j, i]] = r[[i, j]];
        }
    }
    r
}

/// For each row of a symmetric matrix the median of its entries off the diagonal, and how many there are.
///
/// `NaN` entries are pairs without a correlation: they are left out and the count says so; a row of only such
/// entries has the median `NaN` of 0. The human-human value of Dipani & Ratan Murty (2026).
///
/// ```
/// let r = ndarray::array![[1.0, 0.2, 0.6], [0.2, 1.0, f64::NAN], [0.6, f64::NAN, 1.0]];
/// assert_eq!(reliability::median_of_pairs(r.view()), [(0.4, 2), (0.2, 1), (0.6, 1)]);
/// ```
pub fn median_of_pairs(r: ArrayView2<'_, f64>) -> Vec<(f64, usize)> {
    let of_row = |i: usize| {
        let others = (0..r.ncols()).filter(|&j| j != i).map(|j| r[[i, j]]);
        let pairs: Vec<f64> = others.filter(|v| !v.is_nan()).collect();
        (median(&pairs), pairs.len())
    };
    (0..r.nrows()).map(of_row).collect()
}

/// Every subject against the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// One per subject, of correlations as they are.
    pub plain: Vec<Agreement>,
    /// One per subject, corrected for noise, when reliabilities were given.
    pub corrected: Option<Vec<Agreement>>,
    /// [`cronbach_alpha`] of all.
    pub cronbach_alpha: f64,
}

/// Agreement of every subject with the others, on one vector each.
///
/// `reliabilities`, one per subject, corrects for noise: each pair by `sqrt(rel_i rel_j)`, and the leave-one-out value
/// by `sqrt(rel_i rel_mean)`, where `rel_mean = 1 - sum(var_j (1 - rel_j)) / (n² var_mean)` is what independent noise
/// of the n others leaves of the variance of their mean. Vectors are averaged as they are: z-score them first when
/// subjects' scales differ.
///
/// `persons`, one number per subject: two of one person share noise, or are copies of each other in a bootstrap sample,
/// and are no pair; nor is one of them in the mean that the other is compared with.
///
/// ```
/// use statistics::Correlation;
/// let subjects: [&[f64]; 3] = [&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]];
/// let agreement = reliability::between_subjects(&subjects, Correlation::Pearson, None, None).unwrap().plain;
/// // subject 0: pairs 1 and .5; others' mean is {1, 2.5, 2.5}
/// assert!((agreement[0].median_of_pairs - 0.75).abs() < 1e-15);
/// assert!((agreement[0].leave_one_out - 0.75_f64.sqrt()).abs() < 1e-15);
/// ```
pub fn between_subjects(
    subjects: &[&[f64]],
    measure: Correlation,
    reliabilities: Option<&[f64]>,
    persons: Option<&[usize]>,
) -> Result<Group, BetweenError> {
    check_subjects(subjects.len(), reliabilities.map(<[f64]>::len), subjects.len())?;
    let lengths: Vec<usize> = subjects.iter().map(|s| s.len()).collect();
    check_shapes(&lengths, "values")?;
    Ok(Compared::of_vectors(subjects, measure, persons).group(reliabilities))
}

/// Agreement at every voxel of matrices in a common space (stimuli x voxels, same order of both): one group per voxel.
/// `reliabilities` is subjects x voxels. Otherwise as [`between_subjects`].
///
/// Pearson correlations come from the cross products of the subjects, one pass over the bytes; a voxel whose sums
/// would lose digits so (a constant, others who cancel each other) goes the way of vectors.
pub fn between_subjects_by_voxel<T>(
    subjects: &[ArrayView2<'_, T>],
    measure: Correlation,
    reliabilities: Option<ArrayView2<'_, f64>>,
    persons: Option<&[usize]>,
) -> Result<Vec<Group>, BetweenError>
where
    T: Copy + Into<f64> + Send + Sync,
{
    let n = subjects.len();
    let needed = n * subjects.first().map_or(0, |s| s.ncols());
    check_subjects(n, None, n)?;
    check_shapes(&subjects.iter().map(|s| s.nrows()).collect::<Vec<_>>(), "rows")?;
    check_shapes(&subjects.iter().map(|s| s.ncols()).collect::<Vec<_>>(), "voxels")?;
    check_subjects(n, reliabilities.map(|r| r.len()), needed)?;
    let here = |voxel: usize| reliabilities.map(|r| r.column(voxel).to_vec());
    if measure != Correlation::Pearson || !subjects.iter().all(|s| s.is_standard_layout()) {
        return Ok(map_columns(subjects, |voxel, responses| {
            Compared::of_vectors(responses, measure, persons).group(here(voxel).as_deref())
        }));
    }
    Ok(map_products(subjects, |voxel, products| {
        let compared = Compared::of_products(products, persons).unwrap_or_else(|| {
            let columns: Vec<Vec<f64>> =
                subjects.iter().map(|s| s.column(voxel).iter().map(|&v| v.into()).collect()).collect();
            let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
            Compared::of_vectors(&columns, measure, persons)
        });
        compared.group(here(voxel).as_deref())
    }))
}

fn check_subjects(n: usize, given: Option<usize>, needed: usize) -> Result<(), BetweenError> {
    if n < 2 {
        return Err(BetweenError::TooFewSubjects(n));
    }
    match given {
        Some(found) if found != needed => Err(BetweenError::Reliabilities { expected: needed, found }),
        _ => Ok(()),
    }
}

fn check_shapes(sizes: &[usize], what: &'static str) -> Result<(), BetweenError> {
    match sizes.iter().position(|size| *size != sizes[0]) {
        Some(subject) => Err(BetweenError::Shape { subject, expected: sizes[0], found: sizes[subject], what }),
        None => Ok(()),
    }
}

/// What agreement needs of subjects, however it was found.
struct Compared {
    /// Subjects x subjects; NaN where both are one person.
    r: Array2<f64>,
    reasons: Vec<Option<Reason>>,
    /// Of each subject those in the mean that it is compared with.
    others: Vec<Vec<usize>>,
    /// Of each subject with that mean.
    leave_one_out: Vec<f64>,
    variances: Vec<f64>,
    /// Of each subject's mean of the others.
    variances_of_means: Vec<f64>,
    /// Whether a subject has nobody else.
    alone: Vec<bool>,
    cronbach_alpha: f64,
}

/// Smallest and largest cross product whose root and products are full numbers.
const PRODUCTS: std::ops::RangeInclusive<f64> = 1e-140..=1e140;

/// Largest share that may be taken off a sum of squares: at .99 it has lost two digits.
const MOST_MOVED: f64 = 0.99;

/// Least share of the variance of a sum in what it would be, were all correlations 1. Below it, others cancel each
/// other, and so do the digits of a sum of products: at 1e-4 it has 12 left.
const LEFT_OF_A_SUM: f64 = 1e-4;

impl Compared {
    /// `None` where sums of products would lose digits.
    fn of_products(products: &Products, persons: Option<&[usize]>) -> Option<Compared> {
        let n = products.n_subjects;
        let own: Vec<f64> = (0..n).map(|i| products.of(i, i)).collect();
        if products.moved > MOST_MOVED || !own.iter().all(|own| PRODUCTS.contains(own)) {
            return None;
        }
        let roots: Vec<f64> = own.iter().map(|own| own.sqrt()).collect();
        let kept = |subjects: &[usize], sum: f64| {
            let most = subjects.iter().map(|&j| roots[j]).sum::<f64>().powi(2);
            sum >= LEFT_OF_A_SUM * most
        };
        let mut r = Array2::from_elem((n, n), f64::NAN);
        for ((i, j), r) in r.indexed_iter_mut().filter(|((i, j), _)| !one_person(persons, *i, *j)) {
            // Equal products, as of a vector and its copy, have an exact root.
            let scale = if own[i] == own[j] { own[i] } else { roots[i] * roots[j] };
            *r = bounded(products.of(i, j) / scale);
        }
        let dof = products.n_rows as f64 - 1.0;
        let reasons = vec![None; n];
        let others: Vec<Vec<usize>> = (0..n).map(|i| others_of(persons, i, &reasons)).collect();
        let mut leave_one_out = Vec::with_capacity(n);
        let mut variances_of_means = Vec::with_capacity(n);
        for (i, others) in others.iter().enumerate() {
            let of_sum = products.of_sum(others);
            if !others.is_empty() && !kept(others, of_sum) {
                return None;
            }
            let with_sum: f64 = others.iter().map(|&j| products.of(i, j)).sum();
            leave_one_out.push(bounded(with_sum / (roots[i] * of_sum.sqrt())));
            variances_of_means.push(of_sum / (others.len() as f64).powi(2) / dof);
        }
        let of_pair = |i: usize, j: usize| products.of(i, j);
        let everybody: Vec<usize> = (0..n).collect();
        if !kept(&everybody, products.of_sum(&everybody)) {
            return None;
        }
        Some(Compared {
            r,
            reasons,
            alone: alone(persons, n),
            others,
            leave_one_out,
            variances: own.iter().map(|own| own / dof).collect(),
            variances_of_means,
            cronbach_alpha: alpha_of(&everybody, persons, of_pair),
        })
    }

    fn of_vectors(subjects: &[&[f64]], measure: Correlation, persons: Option<&[usize]>) -> Compared {
        let n = subjects.len();
        let mut r = pairwise(subjects, measure);
        r.indexed_iter_mut().filter(|((i, j), _)| one_person(persons, *i, *j)).for_each(|(_, r)| *r = f64::NAN);
        let reasons: Vec<Option<Reason>> = subjects.iter().map(|s| Reason::of(s)).collect();
        let others: Vec<Vec<usize>> = (0..n).map(|i| others_of(persons, i, &reasons)).collect();
        let mut leave_one_out = Vec::with_capacity(n);
        let mut variances_of_means = Vec::with_capacity(n);
        for (subject, others) in subjects.iter().zip(&others) {
            // Summed afresh for each subject: total minus own would lose digits to a subject of large scale.
            let mean_of_others: Vec<f64> = (0..subject.len())
                .map(|s| others.iter().map(|&j| subjects[j][s]).sum::<f64>() / others.len() as f64)
                .collect();
            leave_one_out.push(measure.of(subject, &mean_of_others));
            variances_of_means.push(variance(&mean_of_others));
        }
        Compared {
            r,
            reasons,
            alone: alone(persons, n),
            others,
            leave_one_out,
            variances: subjects.iter().map(|s| variance(s)).collect(),
            variances_of_means,
            cronbach_alpha: cronbach_alpha(subjects, persons),
        }
    }

    fn group(&self, reliabilities: Option<&[f64]>) -> Group {
        let plain = self.agreement(None);
        Group {
            corrected: reliabilities.map(|reliabilities| self.agreement(Some((reliabilities, &plain)))),
            plain,
            cronbach_alpha: self.cronbach_alpha,
        }
    }

    /// Corrected by reliabilities; the uncorrected ones say whether only the correction failed.
    fn agreement(&self, corrected: Option<(&[f64], &[Agreement])>) -> Vec<Agreement> {
        let mut r = self.r.clone();
        if let Some((reliability, _)) = corrected {
            r.indexed_iter_mut().for_each(|((i, j), r)| *r = noise_corrected(*r, reliability[i], reliability[j]));
        }
        let medians = median_of_pairs(r.view());
        (0..self.reasons.len())
            .map(|i| {
                let (median_of_pairs, n_pairs) = medians[i];
                let leave_one_out = match corrected {
                    None => self.leave_one_out[i],
                    Some((reliability, _)) => {
                        noise_corrected(self.leave_one_out[i], reliability[i], self.reliability_of_mean(i, reliability))
                    }
                };
                let n_uncorrected = corrected.map_or(n_pairs, |(_, plain)| plain[i].n_pairs);
                let reason = self.reasons[i].or(if self.alone[i] {
                    Some(Reason::SameSubject)
                } else if n_uncorrected == 0 {
                    Some(Reason::NoUsablePair)
                } else if median_of_pairs.is_nan() || leave_one_out.is_nan() {
                    Some(Reason::NegativeReliability)
                } else {
                    None
                });
                let usable: Vec<f64> = r.row(i).iter().copied().filter(|r| !r.is_nan()).collect();
                let (mean_of_pairs, n_others) = (mean(&usable), self.others[i].len());
                Agreement { median_of_pairs, mean_of_pairs, n_pairs, leave_one_out, n_others, reason }
            })
            .collect()
    }

    fn reliability_of_mean(&self, i: usize, reliability: &[f64]) -> f64 {
        let others = &self.others[i];
        let noise: Vec<f64> = others.iter().map(|&j| self.variances[j] * (1.0 - reliability[j])).collect();
        1.0 - mean(&noise) / others.len() as f64 / self.variances_of_means[i]
    }
}

fn one_person(persons: Option<&[usize]>, i: usize, j: usize) -> bool {
    i == j || persons.is_some_and(|persons| persons[i] == persons[j])
}

fn alone(persons: Option<&[usize]>, n: usize) -> Vec<bool> {
    (0..n).map(|i| (0..n).all(|j| one_person(persons, i, j))).collect()
}

fn others_of(persons: Option<&[usize]>, i: usize, reasons: &[Option<Reason>]) -> Vec<usize> {
    (0..reasons.len()).filter(|&j| !one_person(persons, i, j) && reasons[j] != Some(Reason::NanInput)).collect()
}

/// Cronbach's alpha of subjects' vectors: the reliability of their mean, `n c / (v + (n - 1) c)` of their mean variance
/// v and the mean covariance c of two of them (which is `n / (n - 1)` times 1 minus the sum of their variances over the
/// variance of their sum). Bounds **r²** between a model and the mean of these subjects; negative where they run
/// against each other, `NaN` where they cancel each other. Constant subjects and those with NaN are left out, as they
/// are from the means of [`between_subjects`].
///
/// `persons`, one number per subject: the covariance is over pairs of different people, so that copies of a subject in
/// a bootstrap sample, or two regions of one brain, are not taken for people who agree.
///
/// ```
/// // two subjects of equal variance: the Spearman-Brown of their correlation .5
/// let alpha = reliability::cronbach_alpha(&[&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]], None);
/// assert!((alpha - 2.0 / 3.0).abs() < 1e-15);
/// ```
///
/// Cronbach (1951).
pub fn cronbach_alpha(subjects: &[&[f64]], persons: Option<&[usize]>) -> f64 {
    let centred = |values: &&[f64]| -> Vec<f64> {
        let centre = mean(values);
        values.iter().map(|v| v - centre).collect()
    };
    let usable: Vec<usize> = (0..subjects.len()).filter(|&i| Reason::of(subjects[i]).is_none()).collect();
    let deviations: Vec<Vec<f64>> = subjects.iter().map(centred).collect();
    alpha_of(&usable, persons, |i, j| dot(&deviations[i], &deviations[j]))
}

/// From the cross products of some subjects.
fn alpha_of(subjects: &[usize], persons: Option<&[usize]>, product: impl Fn(usize, usize) -> f64) -> f64 {
    let n = subjects.len() as f64;
    let own: Vec<f64> = subjects.iter().map(|&i| product(i, i)).collect();
    let pairs = subjects.iter().enumerate().flat_map(|(k, &i)| subjects[k + 1..].iter().map(move |&j| (i, j)));
    let shared: Vec<f64> = pairs.filter(|(i, j)| !one_person(persons, *i, *j)).map(|(i, j)| product(i, j)).collect();
    let (own, shared) = (mean(&own), mean(&shared));
    let of_sum = own + (n - 1.0) * shared;
    // Subjects who cancel each other exactly have a mean that varies with nothing.
    if of_sum > 0.0 { n * shared / of_sum } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};
    use statistics::Draws;

    #[test]
    fn human_human_medians_of_the_2026_paper() {
        // METHODS.md 1a: FFA, subject 1, univariate: pairs with the seven others, median .9762 (the mean is .9791).
        let pairs = [0.9886, 0.975, 0.9962, 0.9627, 0.9762, 1.0453, 0.9094];
        let mut r = Array2::from_elem((8, 8), f64::NAN);
        r[[0, 0]] = 1.0;
        pairs.iter().enumerate().for_each(|(j, v)| r[[0, j + 1]] = *v);
        assert_eq!(median_of_pairs(r.view())[0], (0.9762, 7));
        assert_eq!(median_of_pairs(array![[1.0]].view())[0].1, 0);
    }

    fn noisy_subjects(n: usize, length: usize, noise: &[f64], seed: u64) -> Vec<Vec<f64>> {
        let mut draws = Draws::new(seed);
        let mut uniform = |sd: f64| (draws.uniform() - 0.5) * 12f64.sqrt() * sd;
        let signal: Vec<f64> = (0..length).map(|_| uniform(1.0)).collect();
        (0..n).map(|s| signal.iter().map(|x| x + uniform(noise[s])).collect()).collect()
    }

    #[test]
    fn correction_recovers_a_shared_signal() {
        // One signal, noise sd 1, .5, 2, 1: reliabilities .5, .8, .2, .5; corrected values are 1 up to sampling.
        let noise = [1.0, 0.5, 2.0, 1.0];
        let reliability: Vec<f64> = noise.iter().map(|sd| 1.0 / (1.0 + sd * sd)).collect();
        let subjects = noisy_subjects(4, 20_000, &noise, 3);
        let views: Vec<&[f64]> = subjects.iter().map(Vec::as_slice).collect();
        let found = between_subjects(&views, Correlation::Pearson, Some(&reliability), None).unwrap();
        for (raw, corrected) in found.plain.iter().zip(&found.corrected.unwrap()) {
            // Sampling error of r is .007, up to threefold after division.
            assert!((corrected.median_of_pairs - 1.0).abs() < 0.04, "{corrected:?}");
            assert!((corrected.leave_one_out - 1.0).abs() < 0.04, "{corrected:?}");
            assert!(raw.median_of_pairs < 0.7 && raw.leave_one_out > raw.median_of_pairs);
            assert_eq!((raw.n_pairs, raw.n_others, raw.reason), (3, 3, None));
        }
    }

    #[test]
    fn unusable_subjects_keep_their_place_and_are_counted() {
        let subjects: [&[f64]; 4] = [&[1.0, 2.0, 4.0], &[1.0, 3.0, 3.5], &[f64::NAN, 1.0, 2.0], &[5.0, 5.0, 5.0]];
        let all = between_subjects(&subjects, Correlation::Pearson, None, None).unwrap().plain;
        assert_eq!((all[0].n_pairs, all[0].n_others, all[0].reason), (1, 2, None));
        assert_eq!(all[0].median_of_pairs, statistics::pearson(subjects[0], subjects[1]));
        // A constant vector in the mean changes nothing of its correlation.
        assert!((all[0].leave_one_out - all[0].median_of_pairs).abs() < 1e-14);
        assert_eq!((all[2].reason, all[2].n_pairs), (Some(Reason::NanInput), 0));
        assert_eq!((all[3].reason, all[3].n_pairs), (Some(Reason::Constant), 0));
        assert!(all[2].median_of_pairs.is_nan() && all[3].leave_one_out.is_nan());
        let corrected = between_subjects(&subjects[..2], Correlation::Pearson, Some(&[-0.1, 0.5]), None).unwrap();
        let corrected = corrected.corrected.unwrap();
        assert_eq!(corrected[0].reason, Some(Reason::NegativeReliability));
        assert!(corrected[0].median_of_pairs.is_nan() && corrected[0].leave_one_out.is_nan());
    }

    #[test]
    fn nobody_is_paired_with_themselves() {
        let subjects = noisy_subjects(4, 30, &[0.5; 4], 8);
        let views: Vec<&[f64]> = subjects.iter().map(Vec::as_slice).collect();
        let plain = between_subjects(&views, Correlation::Pearson, None, None).unwrap().plain;
        // the last one twice: those of the others are a pair more, its own are those without the copy
        let twice = [views[0], views[1], views[2], views[3], views[3]];
        let found = between_subjects(&twice, Correlation::Pearson, None, Some(&[0, 1, 2, 3, 3])).unwrap().plain;
        assert_eq!(found[3], plain[3]);
        assert_eq!(found[4], plain[3]);
        assert_eq!((found[0].n_pairs, found[0].n_others), (4, 4));
        let expected: f64 = [1, 2, 3, 3].iter().map(|&j| statistics::pearson(views[0], views[j])).sum::<f64>() / 4.0;
        assert!((found[0].mean_of_pairs - expected).abs() < 1e-15);
        let alone = between_subjects(&views[..2], Correlation::Pearson, None, Some(&[7, 7])).unwrap().plain;
        assert_eq!((alone[0].reason, alone[0].n_pairs), (Some(Reason::SameSubject), 0));
        assert!(
            alone[0].median_of_pairs.is_nan() && alone[0].mean_of_pairs.is_nan() && alone[0].leave_one_out.is_nan()
        );
    }

    /// Subjects x (stimuli x voxels), some of them of a kind that sums of products cannot take.
    fn odd_voxels(persons: &mut Vec<usize>) -> Vec<Array2<f64>> {
        *persons = vec![0, 1, 2, 1];
        (0..4)
            .map(|s| {
                let mut draws = Draws::new(s);
                Array2::from_shape_fn((20, 70), |(row, voxel)| {
                    let value = draws.uniform() + row as f64 * 0.1;
                    match (voxel, s) {
                        (3, 1) => 0.1,                    // one is constant
                        (5, 2) if row == 4 => f64::NAN,   // or has no number
                        (7, _) => 1e-160 * value,         // products below what f8 holds
                        (8, _) => 1e160 * value,          // and above
                        (9, 0 | 2) => (row as f64).sin(), // people who cancel each other
                        (9, _) => -(row as f64).sin(),
                        (10, _) => 1e3 + value, // a large mean: vectors lose 3 digits in the mean of others
                        (11, 2) => 1e6 * value, // one of a large scale
                        (13, _) if row < 16 => 0.001 * value,
                        (13, _) => 1e5 + value,
                        (12, _) => (row * row) as f64, // copies
                        _ => value,
                    }
                })
            })
            .collect()
    }

    #[test]
    fn voxel_by_voxel_is_vector_by_vector() {
        let mut persons = Vec::new();
        let subjects = odd_voxels(&mut persons);
        let n_voxels = subjects[0].ncols();
        let reliability = Array2::from_shape_fn((4, n_voxels), |(s, v)| 0.3 + 0.1 * s as f64 + 0.005 * v as f64);
        let c_order: Vec<_> = subjects.iter().map(|s| s.view()).collect();
        let turned: Vec<Array2<f64>> = subjects.iter().map(|s| s.t().as_standard_layout().into_owned()).collect();
        let f_order: Vec<_> = turned.iter().map(|s| s.t()).collect();
        let close = |a: f64, b: f64| (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-11 * b.abs().max(1.0);
        for measure in [Correlation::Pearson, Correlation::Spearman] {
            for views in [&c_order, &f_order] {
                for persons in [None, Some(persons.as_slice())] {
                    let all = between_subjects_by_voxel(views, measure, Some(reliability.view()), persons).unwrap();
                    assert_eq!(all.len(), n_voxels);
                    for (voxel, found) in all.iter().enumerate() {
                        let columns: Vec<Vec<f64>> = subjects.iter().map(|s| s.column(voxel).to_vec()).collect();
                        let columns: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
                        let own = reliability.column(voxel).to_vec();
                        let expected = between_subjects(&columns, measure, Some(&own), persons).unwrap();
                        assert!(close(found.cronbach_alpha, expected.cronbach_alpha), "{voxel} {found:?}");
                        let both = |group: &Group| [group.plain.clone(), group.corrected.clone().unwrap()].concat();
                        for (found, expected) in both(found).iter().zip(&both(&expected)) {
                            let numbers = |a: &Agreement| [a.median_of_pairs, a.mean_of_pairs, a.leave_one_out];
                            let pairs = numbers(found).into_iter().zip(numbers(expected));
                            assert!(pairs.into_iter().all(|(a, b)| close(a, b)), "{voxel} {found:?} {expected:?}");
                            assert_eq!(
                                (found.n_pairs, found.n_others, found.reason),
                                (expected.n_pairs, expected.n_others, expected.reason),
                                "{voxel}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn copies_of_a_subject_correlate_exactly() {
        let columns = Array2::from_shape_fn((9, 2), |(row, voxel)| (row as f32 * 1.7 + voxel as f32).sin());
        let views = [columns.view(), columns.view(), columns.view()];
        for group in between_subjects_by_voxel(&views, Correlation::Pearson, None, None).unwrap() {
            assert!(group.plain.iter().all(|a| (a.median_of_pairs, a.mean_of_pairs) == (1.0, 1.0)), "{group:?}");
        }
    }

    #[test]
    fn alpha_is_cronbachs_and_takes_no_copy_for_a_person() {
        let subjects = noisy_subjects(4, 30, &[0.5, 1.0, 2.0, 0.7], 9);
        let views: Vec<&[f64]> = subjects.iter().map(Vec::as_slice).collect();
        let sums: Vec<f64> = (0..30).map(|k| views.iter().map(|s| s[k]).sum()).collect();
        let variances: f64 = views.iter().map(|s| variance(s)).sum();
        let defined = 4.0 / 3.0 * (1.0 - variances / variance(&sums));
        assert!((cronbach_alpha(&views, None) - defined).abs() < 1e-14);
        // one who is constant, or has a NaN, is not there
        let (flat, broken) = ([3.0; 30], [f64::NAN; 30]);
        let more = [views[0], &flat, views[1], views[2], &broken, views[3]];
        assert!((cronbach_alpha(&more, None) - defined).abs() < 1e-14);
        // the copies of a bootstrap sample would agree
        let twice = [views[0], views[0]];
        assert!((cronbach_alpha(&twice, None) - 1.0).abs() < 1e-15);
        assert!(cronbach_alpha(&twice, Some(&[5, 5])).is_nan());
        let copied = [views[0], views[0], views[1]];
        let (own, shared) = (
            (2.0 * variance(views[0]) + variance(views[1])) / 3.0,
            statistics::pearson(views[0], views[1]) * (variance(views[0]) * variance(views[1])).sqrt(),
        );
        let expected = 3.0 * shared / (own + 2.0 * shared);
        assert!((cronbach_alpha(&copied, Some(&[0, 0, 1])) - expected).abs() < 1e-14);
    }

    #[test]
    fn mismatches_say_both_numbers() {
        let error = |subjects: &[&[f64]], rel: Option<&[f64]>| {
            between_subjects(subjects, Correlation::Pearson, rel, None).unwrap_err().to_string()
        };
        assert_eq!(error(&[&[1.0]], None), "1 subjects; a ceiling between subjects needs at least 2");
        assert_eq!(
            error(&[&[1.0, 2.0], &[1.0]], None),
            "subject 1 has 1, but subject 0 has 2; all need the same values in the same order"
        );
        assert_eq!(error(&[&[1.0], &[1.0]], Some(&[0.5])), "1 reliabilities for 2; give one per subject (and voxel)");
        let (a, b) = (Array2::<f32>::zeros((2, 3)), Array2::<f32>::zeros((2, 4)));
        let error = between_subjects_by_voxel(&[a.view(), b.view()], Correlation::Pearson, None, None).unwrap_err();
        assert!(error.to_string().contains("voxels"));
    }
}
