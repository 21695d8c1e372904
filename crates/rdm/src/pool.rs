//! Pooling of RDMs over subjects: how each is normalised, and their mean.

use statistics::rounding::is_constant;
use statistics::{average_ranks, mean, variance};

use crate::{Comparison, Rdm, RdmError};

/// The values divided by the largest magnitude, so that their squares stay within the range of f64.
pub(crate) fn scaled(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()));
    let scale = if largest > 0.0 && largest.is_finite() { largest } else { 1.0 };
    // A power of two changes no digit.
    let scale = scale.log2().floor().exp2();
    values.iter().map(|v| v / scale).collect()
}

/// Average ranks; those of a constant RDM are all the same, whatever rounding made of its order.
pub(crate) fn ranked(values: &[f64]) -> Vec<f64> {
    match is_constant(values) {
        true => vec![(values.len() as f64 + 1.0) / 2.0; values.len()],
        false => average_ranks(values),
    }
}

/// The values of one RDM as they are averaged for this comparison: z-scores (pearson, corr_cov), divided by their root
/// mean square (cosine, cosine_cov), or ranks.
pub(crate) fn normalised(values: &[f64], how: Comparison) -> Vec<f64> {
    let root_mean_square = |values: &[f64]| {
        let squares: Vec<f64> = values.iter().map(|v| v * v).collect();
        mean(&squares).sqrt()
    };
    let values = &scaled(values)[..];
    match how {
        Comparison::Pearson | Comparison::CorrCov => {
            let centre = mean(values);
            let centred: Vec<f64> = values.iter().map(|v| v - centre).collect();
            let sd = if is_constant(values) { f64::NAN } else { root_mean_square(&centred) };
            centred.iter().map(|v| v / sd).collect()
        }
        Comparison::Cosine | Comparison::CosineCov => {
            let size = root_mean_square(values);
            values.iter().map(|v| v / size).collect()
        }
        Comparison::Spearman | Comparison::Kendall | Comparison::TauA | Comparison::RhoA => ranked(values),
    }
}

/// Several RDMs over the pairs that are finite in all of them.
pub(crate) struct Common {
    /// One vector per RDM.
    pub values: Vec<Vec<f64>>,
    /// Whether a pair is among them.
    pub kept: Vec<bool>,
    /// RDMs that are constant over these pairs (for cosine and cosine_cov: all 0): such a one has no z-scores, no order
    /// and no comparison, and would turn a pool into `NaN`.
    pub constant: Vec<usize>,
}

impl Common {
    pub fn n_pairs(&self) -> usize {
        self.kept.iter().filter(|k| **k).count()
    }

    /// Checks that the sizes agree.
    pub fn of(rdms: &[Rdm], how: Comparison) -> Result<Common, RdmError> {
        same_sizes(rdms, rdms.first().map_or(0, Rdm::n_stimuli))?;
        let length = rdms.first().map_or(0, |rdm| rdm.values().len());
        let kept: Vec<bool> = (0..length).map(|k| rdms.iter().all(|rdm| rdm.values()[k].is_finite())).collect();
        let keep = |rdm: &Rdm| -> Vec<f64> {
            rdm.values().iter().zip(&kept).filter(|(_, kept)| **kept).map(|(v, _)| *v).collect()
        };
        let values: Vec<Vec<f64>> = rdms.iter().map(keep).collect();
        let degenerate = |values: &[f64]| match how.centres() {
            true => is_constant(values),
            false => values.iter().all(|v| *v == 0.0),
        };
        let constant = (0..rdms.len()).filter(|&r| degenerate(&values[r])).collect();
        Ok(Common { values, kept, constant })
    }
}

pub(crate) fn same_sizes(rdms: &[Rdm], expected: usize) -> Result<(), RdmError> {
    match rdms.iter().enumerate().find(|(_, rdm)| rdm.n_stimuli() != expected) {
        Some((index, rdm)) => Err(RdmError::SizesDiffer { index, n_stimuli: rdm.n_stimuli(), expected }),
        None => Ok(()),
    }
}

/// The mean of the vectors, each counted as often as `weight` says; one of weight 0 is not looked at.
pub(crate) fn mean_of(vectors: &[Vec<f64>], weight: impl Fn(usize) -> f64) -> Vec<f64> {
    let mut sum = vec![0.0; vectors.first().map_or(0, Vec::len)];
    let mut n = 0.0;
    for (vector, weight) in vectors.iter().enumerate().map(|(i, v)| (v, weight(i))).filter(|(_, weight)| *weight > 0.0)
    {
        n += weight;
        for (sum, value) in sum.iter_mut().zip(vector) {
            *sum += weight * value;
        }
    }
    sum.iter().map(|s| s / n).collect()
}

/// The vectors whose mean is the [`pool`] (for pearson and corr_cov but for a factor), over the pairs that are finite
/// in all RDMs. That of an RDM which is constant there is 0 everywhere: it adds nothing to the mean of the others.
pub fn to_be_pooled(rdms: &[Rdm], how: Comparison) -> Result<Vec<Vec<f64>>, RdmError> {
    let common = Common::of(rdms, how)?;
    let one = |(index, values): (usize, &Vec<f64>)| match how {
        _ if common.constant.contains(&index) => vec![0.0; values.len()],
        // With n - 1 in the denominator, unlike the pool: a factor common to all RDMs changes no correlation.
        Comparison::Pearson | Comparison::CorrCov => {
            let (centre, sd) = (mean(values), variance(values).sqrt());
            values.iter().map(|v| (v - centre) / sd).collect()
        }
        _ => normalised(values, how),
    };
    Ok(common.values.iter().enumerate().map(one).collect())
}

/// One RDM for a group: the mean of the RDMs after each was normalised as the comparison needs, which makes it
/// the RDM (for pearson and cosine) with the highest mean score under that comparison.
///
/// z-scores (n in the denominator) for pearson and corr_cov, division by the root mean square for cosine and
/// cosine_cov, ranks for spearman, kendall, tau-a and rho-a. As in rsatoolbox, the whitened ones divide by the plain,
/// not the whitened length, so that their mean is only near the best RDM; so is the mean of ranks. A pair that is `NaN`
/// in any RDM is `NaN` in the pool, and a constant RDM is an error. The values of a pearson pool are z-scores and may
/// be negative; rsatoolbox adds a constant so that the smallest is 0, which changes no correlation.
///
/// ```
/// use rdm::{Comparison, Rdm, pool};
/// let one = Rdm::from_condensed(vec![1.0, 2.0, 3.0], None)?;
/// let other = Rdm::from_condensed(vec![10.0, 30.0, 20.0], None)?;
/// let pooled = pool(&[one, other], Comparison::Spearman)?;
/// assert_eq!(pooled.values(), [1.0, 2.5, 2.5]); // ranks 1 2 3 and 1 3 2
/// # Ok::<(), rdm::RdmError>(())
/// ```
///
/// Nili et al. (2014).
pub fn pool(rdms: &[Rdm], how: Comparison) -> Result<Rdm, RdmError> {
    let Some(first) = rdms.first() else {
        return Err(RdmError::TooFewRdms { given: 0, needed: 1 });
    };
    let common = Common::of(rdms, how)?;
    if let Some(&index) = common.constant.first() {
        return Err(RdmError::Constant { index, n_pairs: common.n_pairs() });
    }
    let vectors: Vec<Vec<f64>> = common.values.iter().map(|v| normalised(v, how)).collect();
    let mut means = mean_of(&vectors, |_| 1.0).into_iter();
    let values = common.kept.iter().map(|kept| if *kept { means.next().unwrap_or(f64::NAN) } else { f64::NAN });
    Rdm::from_condensed(values.collect(), first.labels().map(<[String]>::to_vec))
}
