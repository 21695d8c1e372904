//! RDMs of parts of the stimuli on scales of their own, brought onto one scale and averaged.

use std::str::FromStr;

use crate::merge::{LaidOut, Part};
use crate::{Merged, Rdm, RdmError};

/// Iterations end when the squares of the change of the estimate, whose own squares sum to 1, sum to less: rsatoolbox's
/// default.
const THRESHOLD: f64 = 1e-8;

/// After these there is no convergence to wait for; a handful is usual.
const MOST_ITERATIONS: usize = 10_000;

/// Evidence below this is counted as this: a distance of 0 is evidence, too (Kriegeskorte and Mur 2012).
const LEAST_EVIDENCE: f64 = 0.2 * 0.2;

/// How the values of RDMs are weighed while their scales are sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rescale {
    /// By the square of a value as it was given, 0.04 at least: in the inverse MDS of multiple arrangements large
    /// distances are measured best (Kriegeskorte and Mur 2012).
    Evidence,
    /// By 1 / the number of pairs of their RDM.
    SetSize,
    /// All alike.
    Simple,
}

impl Rescale {
    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Rescale::Evidence => "evidence",
            Rescale::SetSize => "setsize",
            Rescale::Simple => "simple",
        }
    }

    fn weights(self) -> MergeWeights {
        match self {
            Rescale::Evidence => MergeWeights::Evidence,
            Rescale::SetSize => MergeWeights::SetSize,
            Rescale::Simple => MergeWeights::Equal,
        }
    }
}

impl FromStr for Rescale {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Rescale::Evidence, Rescale::SetSize, Rescale::Simple]
            .into_iter()
            .find(|how| how.as_str() == name)
            .ok_or_else(|| format!("\"{name}\" is none of evidence, setsize, simple"))
    }
}

/// How values are weighed in the mean over RDMs.
#[derive(Debug, Clone, PartialEq)]
pub enum MergeWeights {
    /// All alike.
    Equal,
    /// As [`Rescale::Evidence`] has it.
    Evidence,
    /// As [`Rescale::SetSize`] has it.
    SetSize,
    /// One weight per RDM, not below 0; 0 leaves an RDM out.
    Given(Vec<f64>),
}

impl MergeWeights {
    /// The weight of a value of RDM `rdm`, which has `n_values` of them.
    fn of(&self, rdm: usize, n_values: usize, value: f64) -> f64 {
        match self {
            MergeWeights::Equal => 1.0,
            MergeWeights::Evidence => (value * value).max(LEAST_EVIDENCE),
            MergeWeights::SetSize => 1.0 / n_values as f64,
            MergeWeights::Given(weights) => weights[rdm],
        }
    }
}

impl FromStr for MergeWeights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "equal" => return Ok(MergeWeights::Equal),
            "evidence" => return Ok(MergeWeights::Evidence),
            "setsize" => return Ok(MergeWeights::SetSize),
            _ => {}
        }
        let weight = |word: &str| word.trim().parse::<f64>().ok().filter(|w| *w >= 0.0 && w.is_finite());
        let weights: Option<Vec<f64>> = text.split(',').map(weight).collect();
        weights.filter(|weights| weights.iter().any(|w| *w > 0.0)).map(MergeWeights::Given).ok_or_else(|| {
            format!(
                "\"{text}\" is none of equal, evidence, setsize, nor weights of 0 and more, one above 0, as in 1,0.5"
            )
        })
    }
}

/// Why RDMs cannot be merged.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MergeError {
    /// They are no parts of one RDM.
    #[error(transparent)]
    Rdm(#[from] RdmError),
    /// Not one weight per RDM.
    #[error("{weights} weights for {rdms} RDMs; give one per RDM")]
    WeightCount {
        /// Weights given.
        weights: usize,
        /// RDMs given.
        rdms: usize,
    },
    /// Nothing that has a scale.
    #[error("RDM {index} is 0 or NaN everywhere, and has no scale; leave it out")]
    NoScale {
        /// Which RDM, from 0.
        index: usize,
    },
    /// Their mean is 0 or no number.
    #[error(
        "the mean of the {rdms} RDMs, on one scale, is 0 or too large for f8, so there is nothing to bring them onto; \
         leave the rescaling out"
    )]
    Cancel {
        /// RDMs given.
        rdms: usize,
    },
    /// No pair relates their scales.
    #[error(
        "RDM {first} and RDM {other} have no pair of stimuli in common, nor with RDMs that link them, so nothing says how \
         their scales compare; leave the rescaling out, or merge what is linked"
    )]
    Apart {
        /// An RDM, from 0.
        first: usize,
        /// An RDM that nothing links with it.
        other: usize,
    },
    /// The scales do not settle.
    #[error("the scales of {rdms} RDMs still change after {iterations} iterations")]
    NoConvergence {
        /// RDMs given.
        rdms: usize,
        /// How often they were scaled.
        iterations: usize,
    },
}

/// What [`merge_rescaled`] makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Rescaled {
    /// The mean.
    pub merged: Merged,
    /// Per RDM what it was multiplied by; 1 without a rescaling.
    pub factors: Vec<f64>,
}

/// [`crate::merge`] of RDMs whose scales differ, or of which some count more than others.
///
/// With a rescaling every RDM is multiplied so that its squares sum to those of the present estimate over the same
/// pairs; the estimate is the weighted mean of these, its own squares sum to 1, and this is repeated until it stays
/// (rsatoolbox's `rescale`, after Kriegeskorte and Mur 2012). The result is therefore on a scale of its own. `weights`
/// are those of the final mean; without them it is weighted as the estimate was.
///
/// ```
/// use rdm::{Rdm, Rescale, merge_rescaled};
/// let names = |text: &str| Some(text.split(' ').map(String::from).collect());
/// let one = Rdm::from_condensed(vec![3.0, 4.0, 5.0], names("a b c"))?;
/// let two = Rdm::from_condensed(vec![50.0, 40.0, 60.0], names("c b d"))?; // b-c is 5 and 50
/// let found = merge_rescaled(&[one, two], Some(Rescale::Simple), None)?;
/// let rdm = found.merged.rdm;
/// assert!((rdm.get(0, 1) / rdm.get(1, 2) - 3.0 / 5.0).abs() < 1e-3); // it stops when hardly anything moves
/// assert!((rdm.get(1, 3) / rdm.get(1, 2) - 60.0 / 50.0).abs() < 1e-3);
/// # Ok::<(), rdm::MergeError>(())
/// ```
pub fn merge_rescaled(
    rdms: &[Rdm],
    rescale: Option<Rescale>,
    weights: Option<&MergeWeights>,
) -> Result<Rescaled, MergeError> {
    if let Some(MergeWeights::Given(given)) = weights
        && given.len() != rdms.len()
    {
        return Err(MergeError::WeightCount { weights: given.len(), rdms: rdms.len() });
    }
    let laid_out = LaidOut::of(rdms)?;
    let factors = match rescale {
        Some(how) => factors(&laid_out, how)?,
        None => vec![1.0; rdms.len()],
    };
    let own = rescale.map_or(MergeWeights::Equal, Rescale::weights);
    let weights = weights.unwrap_or(&own);
    let sizes: Vec<usize> = laid_out.parts.iter().map(Part::len).collect();
    let merged = laid_out.mean(|rdm, value| weights.of(rdm, sizes[rdm], value), &factors)?;
    Ok(Rescaled { merged, factors })
}

fn factors(laid_out: &LaidOut, how: Rescale) -> Result<Vec<f64>, MergeError> {
    let parts = &laid_out.parts;
    let sizes: Vec<usize> = parts.iter().map(Part::len).collect();
    let lengths: Vec<f64> = parts.iter().map(|part| part.values().map(|(_, v)| v * v).sum::<f64>().sqrt()).collect();
    if let Some(index) = lengths.iter().position(|length| *length == 0.0) {
        return Err(MergeError::NoScale { index });
    }
    if let Some(other) = not_linked(laid_out) {
        return Err(MergeError::Apart { first: 0, other });
    }
    let weights = how.weights();
    // The mean of the scaled RDMs, its squares summing to 1; 0 stands for pairs that none has, which add nothing.
    let estimate = |factors: &[f64], weights: &MergeWeights| -> Result<Vec<f64>, MergeError> {
        let (mut sums, mut totals) = (vec![0.0; laid_out.n_pairs()], vec![0.0; laid_out.n_pairs()]);
        for ((r, part), factor) in parts.iter().enumerate().zip(factors) {
            for (at, value) in part.values() {
                let weight = weights.of(r, sizes[r], value);
                sums[at] += weight * factor * value;
                totals[at] += weight;
            }
        }
        sums.iter_mut().zip(&totals).for_each(|(sum, total)| *sum = if *total == 0.0 { 0.0 } else { *sum / total });
        let length = sums.iter().map(|v| v * v).sum::<f64>().sqrt();
        if !(length > 0.0 && length.is_finite()) {
            return Err(MergeError::Cancel { rdms: parts.len() });
        }
        sums.iter_mut().for_each(|v| *v /= length);
        Ok(sums)
    };
    let mut present = estimate(&vec![1.0; parts.len()], &MergeWeights::Equal)?;
    for _ in 0..MOST_ITERATIONS {
        let there = |part: &Part| part.values().map(|(at, _)| present[at].powi(2)).sum::<f64>().sqrt();
        let factors: Vec<f64> = parts.iter().zip(&lengths).map(|(part, own)| there(part) / own).collect();
        let next = estimate(&factors, &weights)?;
        let change: f64 = next.iter().zip(&present).map(|(a, b)| (a - b).powi(2)).sum();
        present = next;
        if change <= THRESHOLD {
            return Ok(factors);
        }
    }
    Err(MergeError::NoConvergence { rdms: parts.len(), iterations: MOST_ITERATIONS })
}

/// An RDM that no chain of shared pairs links with the first.
fn not_linked(laid_out: &LaidOut) -> Option<usize> {
    let parts = &laid_out.parts;
    let mut reached = vec![false; laid_out.n_pairs()];
    let mut linked = vec![false; parts.len()];
    let mut next = Some(0);
    while let Some(r) = next {
        linked[r] = true;
        parts[r].values().for_each(|(at, _)| reached[at] = true);
        next = (0..parts.len()).find(|&r| !linked[r] && parts[r].values().any(|(at, _)| reached[at]));
    }
    linked.iter().position(|linked| !linked)
}

#[cfg(test)]
mod tests {
    use super::{MergeError, MergeWeights, Rescale, merge_rescaled};
    use crate::testing::noise;
    use crate::{Distance, Rdm, distances, merge};

    const ALL: [Rescale; 3] = [Rescale::Evidence, Rescale::SetSize, Rescale::Simple];

    fn whole() -> Rdm {
        let labels: Vec<String> = (0..8).map(|i| format!("s{i}")).collect();
        distances(noise(8, 5, 1).view(), Distance::Euclidean).unwrap().rdm.with_labels(Some(labels)).unwrap()
    }

    fn times(rdm: &Rdm, factor: f64) -> Rdm {
        let values = rdm.values().iter().map(|v| factor * v).collect();
        Rdm::from_condensed(values, rdm.labels().map(<[String]>::to_vec)).unwrap()
    }

    #[test]
    fn parts_of_one_rdm_on_any_scales_are_that_rdm_on_one() {
        let whole = whole();
        let parts = [(&[3, 1, 0, 2, 4][..], 1.0), (&[7, 3, 4, 5, 6], 20.0), (&[0, 7, 4, 3, 6], 0.01)]
            .map(|(rows, scale)| times(&whole.select(rows).unwrap(), scale));
        for how in ALL {
            let found = merge_rescaled(&parts, Some(how), None).unwrap();
            let plain = merge(&parts).unwrap();
            assert_eq!((found.merged.n_missing, found.merged.n_shared), (plain.n_missing, plain.n_shared));
            let order: Vec<usize> =
                found.merged.rdm.labels().unwrap().iter().map(|label| label[1..].parse().unwrap()).collect();
            let truth = whole.select(&order).unwrap();
            let ratios: Vec<f64> = found.merged.rdm.values().iter().zip(truth.values()).map(|(f, t)| f / t).collect();
            let first = ratios[0];
            // the last change of the estimate, of length 1, was up to 1e-4
            assert!(ratios.iter().all(|r| r.is_nan() || (r / first - 1.0).abs() < 5e-3), "{how:?} {ratios:?}");
            // and the factors take the scales out again
            let scales = [1.0, 20.0, 0.01];
            let f: Vec<f64> = found.factors.iter().zip(scales).map(|(f, s)| f * s).collect();
            assert!(f.iter().all(|v| (v / f[0] - 1.0).abs() < 5e-3), "{how:?} {f:?}");
        }
    }

    #[test]
    fn weights_count_and_0_leaves_out() {
        let names = |text: &str| Some(text.split(' ').map(String::from).collect());
        let one = Rdm::from_condensed(vec![1.0, 2.0, 3.0], names("a b c")).unwrap();
        let two = Rdm::from_condensed(vec![5.0, 7.0, 9.0], names("c b d")).unwrap();
        let both = [one.clone(), two];
        let given = |weights: [f64; 2]| MergeWeights::Given(weights.to_vec());
        let found = merge_rescaled(&both, None, Some(&given([3.0, 1.0]))).unwrap();
        // b-c: (3 * 3 + 5) / 4
        assert_eq!((found.merged.rdm.get(1, 2), found.merged.rdm.get(0, 1), found.factors), (3.5, 1.0, vec![1.0; 2]));
        let found = merge_rescaled(&both, None, Some(&given([1.0, 0.0]))).unwrap().merged;
        assert_eq!((found.rdm.get(1, 2), found.n_missing, found.n_shared), (3.0, 3, 0));
        assert!(found.rdm.get(1, 3).is_nan());
        let bits = |rdm: &Rdm| rdm.values().iter().map(|v| v.to_bits()).collect::<Vec<u64>>();
        let plain = merge_rescaled(&both, None, None).unwrap().merged;
        assert_eq!(bits(&plain.rdm), bits(&merge(&both).unwrap().rdm));
        // 9 and 25 for 3 and 5
        let evidence = merge_rescaled(&both, None, Some(&MergeWeights::Evidence)).unwrap().merged;
        assert!((evidence.rdm.get(1, 2) - 152.0 / 34.0).abs() < 1e-15);
        let error = merge_rescaled(&both, None, Some(&MergeWeights::Given(vec![1.0; 3]))).unwrap_err();
        assert_eq!(error, MergeError::WeightCount { weights: 3, rdms: 2 });
    }

    #[test]
    fn scales_that_nothing_relates_are_refused() {
        let whole = whole();
        let part = |rows: &[usize]| whole.select(rows).unwrap();
        // one stimulus in common is no pair
        let apart = [part(&[0, 1, 2]), part(&[1, 2, 3]), part(&[3, 4, 5]), part(&[4, 5, 6])];
        for how in ALL {
            let error = merge_rescaled(&apart, Some(how), None).unwrap_err();
            assert_eq!(error, MergeError::Apart { first: 0, other: 2 });
            let flat = [part(&[0, 1, 2]), times(&part(&[0, 1, 2]), 0.0)];
            assert_eq!(merge_rescaled(&flat, Some(how), None).unwrap_err(), MergeError::NoScale { index: 1 });
        }
        let opposite = [part(&[0, 1, 2]), times(&part(&[0, 1, 2]), -1.0)];
        assert_eq!(merge_rescaled(&opposite, Some(Rescale::Simple), None).unwrap_err(), MergeError::Cancel { rdms: 2 });
        assert!(merge_rescaled(&apart, None, None).is_ok());
        for text in ["", "a", "1,x", "-1,2", "0,0", "nan", "inf"] {
            assert!(text.parse::<MergeWeights>().is_err(), "{text}");
        }
        assert_eq!("1,0.5".parse(), Ok(MergeWeights::Given(vec![1.0, 0.5])));
        assert!("median".parse::<Rescale>().is_err());
    }
}
