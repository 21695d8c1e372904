//! Stimulus by stimulus: how far the z-scored profiles of a model and a brain are apart.

use statistics::{mean, pearson};

/// One model and one brain (or averages over several) at every stimulus.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gaps {
    pub model_z: Vec<f64>,
    pub brain_z: Vec<f64>,
    /// `model_z - brain_z`.
    pub difference: Vec<f64>,
    /// What is left of `brain_z` after its regression on `model_z`: both have mean 0 and standard deviation 1, so the
    /// slope is their correlation and there is no intercept.
    pub residual: Vec<f64>,
}

impl Gaps {
    /// From two profiles that are z-scored over the same stimuli.
    pub(crate) fn of(model_z: &[f64], brain_z: &[f64]) -> Gaps {
        let slope = pearson(model_z, brain_z);
        let pairs = || model_z.iter().zip(brain_z);
        Gaps {
            difference: pairs().map(|(m, b)| m - b).collect(),
            residual: pairs().map(|(m, b)| b - slope * m).collect(),
            model_z: model_z.to_vec(),
            brain_z: brain_z.to_vec(),
        }
    }

    /// Every number averaged over several pairs of systems.
    pub(crate) fn average(pairs: &[&Gaps]) -> Gaps {
        let over = |values: fn(&Gaps) -> &Vec<f64>| -> Vec<f64> {
            let n = pairs.first().map_or(0, |p| values(p).len());
            (0..n).map(|i| mean(&pairs.iter().map(|p| values(p)[i]).collect::<Vec<_>>())).collect()
        };
        Gaps {
            model_z: over(|g| &g.model_z),
            brain_z: over(|g| &g.brain_z),
            difference: over(|g| &g.difference),
            residual: over(|g| &g.residual),
        }
    }
}

/// Places of the values from the largest magnitude down; ties keep their order, NaN comes last.
pub(crate) fn by_size(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    let size = |i: usize| if values[i].is_nan() { -1.0 } else { values[i].abs() };
    order.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responses::z_scores;

    #[test]
    fn gaps_by_hand() {
        // z of 1, 2, 3: -1, 0, 1; of 1, 3, 2: -1, 1, 0. r = .5.
        let gaps = Gaps::of(&z_scores(&[1.0, 2.0, 3.0]).unwrap(), &z_scores(&[1.0, 3.0, 2.0]).unwrap());
        assert_eq!(gaps.difference, [0.0, -1.0, 1.0]);
        let expected = [-0.5, 1.0, -0.5];
        assert!(gaps.residual.iter().zip(expected).all(|(r, e)| (r - e).abs() < 1e-15), "{:?}", gaps.residual);
        assert_eq!(by_size(&gaps.difference), [1, 2, 0]);
        let both = Gaps::average(&[&gaps, &Gaps::of(&gaps.brain_z, &gaps.model_z)]);
        assert_eq!((both.difference, both.model_z), (vec![0.0; 3], vec![-1.0, 0.5, 0.5]));
    }

    #[test]
    fn nan_comes_last_and_ties_keep_their_order() {
        assert_eq!(by_size(&[f64::NAN, -1.0, 1.0, 2.0]), [3, 1, 2, 0]);
    }
}
