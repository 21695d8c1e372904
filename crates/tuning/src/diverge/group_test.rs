//! Do two groups of stimuli differ more in the model than in the brain? Effects, their bootstrap and their t tests.
//!
//! The effect in a system is the mean z of group a minus that of group b; the interaction is the model's effect minus
//! the brain's. It is additive over systems: the mean interaction over all pairs is the models' mean effect minus the
//! brains' mean effect.

use rayon::prelude::*;
use statistics::mean_test::{MeanTest, mean_test};
use statistics::rounding::{OF_SCORES, beyond};
use statistics::signed_rank::Tail;
use statistics::{Draws, Moments, mean, quantile};

/// The stimuli of both groups, as places in the profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TwoGroups {
    pub a: Vec<usize>,
    pub b: Vec<usize>,
}

impl TwoGroups {
    /// Mean over group a minus mean over group b.
    pub(crate) fn difference(&self, z: &[f64]) -> f64 {
        let over = |group: &[usize]| mean(&group.iter().map(|&i| z[i]).collect::<Vec<_>>());
        over(&self.a) - over(&self.b)
    }

    pub(crate) fn n(&self) -> usize {
        self.a.len() + self.b.len()
    }
}

/// One bootstrap draw: the effect of every system on stimuli drawn again, and which systems were drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draw {
    /// One per model.
    pub models: Vec<f64>,
    /// One per subject.
    pub brains: Vec<f64>,
    /// As many models as there are, with replacement.
    pub drawn_models: Vec<usize>,
    /// As many subjects as there are, with replacement.
    pub drawn_brains: Vec<usize>,
}

/// `n_boot` draws. Stimuli are drawn with replacement within each group, the same for every system; `models` and
/// `brains` hold z scores times a factor (1, or one over the root of a reliability). Draw k takes stream k of the seed,
/// so that it does not depend on threads.
pub(crate) fn bootstrap(
    models: &[Vec<f64>],
    brains: &[Vec<f64>],
    groups: &TwoGroups,
    n_boot: usize,
    seed: u64,
) -> Vec<Draw> {
    let draw = |k: usize| -> Draw {
        let mut draws = Draws::stream(seed, k as u64);
        let mut again = |from: &[usize]| -> Vec<usize> { from.iter().map(|_| from[draws.below(from.len())]).collect() };
        let drawn = TwoGroups { a: again(&groups.a), b: again(&groups.b) };
        let drawn_models = again(&(0..models.len()).collect::<Vec<_>>());
        let drawn_brains = again(&(0..brains.len()).collect::<Vec<_>>());
        let effects = |systems: &[Vec<f64>]| systems.iter().map(|z| drawn.difference(z)).collect();
        Draw { models: effects(models), brains: effects(brains), drawn_models, drawn_brains }
    };
    (0..n_boot).into_par_iter().map(draw).collect()
}

/// What the draws of an effect say of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    /// Standard deviation of the draws (n - 1).
    pub se: f64,
    /// 2.5 % and 97.5 % quantile.
    pub ci: (f64, f64),
    /// `2 min(#(draws <= 0) + 1, #(draws >= 0) + 1) / (n_boot + 1)`, at most 1: never 0, since the data are one draw.
    pub p: f64,
}

/// Percentile interval and two-sided p of bootstrapped values; all `NaN` when one of them is.
pub(crate) fn interval(values: &[f64]) -> Interval {
    if values.iter().any(|v| v.is_nan()) {
        return Interval { se: f64::NAN, ci: (f64::NAN, f64::NAN), p: f64::NAN };
    }
    let moments: Moments = values.iter().copied().collect();
    let rounding = rounding(values);
    let count = |side: fn(f64) -> bool| values.iter().filter(|v| side(beyond(**v, rounding))).count() + 1;
    let smaller = count(|v| v <= 0.0).min(count(|v| v >= 0.0));
    Interval {
        se: moments.sd(),
        ci: (quantile(values, 0.025), quantile(values, 0.975)),
        p: (2.0 * smaller as f64 / (values.len() + 1) as f64).min(1.0),
    }
}

/// What rounding may do to an effect: a difference of means of z scores, which are of size 1 (or, divided by the root
/// of a small reliability, larger).
fn rounding(effects: &[f64]) -> f64 {
    OF_SCORES * effects.iter().fold(1.0, |largest: f64, v| largest.max(v.abs()))
}

/// Two-sided t of the mean of `effects` against 0; no p where they differ by rounding alone (four scales of one
/// profile).
pub(crate) fn one_sample_t(effects: &[f64]) -> MeanTest {
    mean_test(effects, 0.0, Tail::TwoSided, rounding(effects))
}

/// -1, 0 or 1 for each effect; 0 for one that is rounding alone.
pub(crate) fn signs(effects: &[f64]) -> Vec<f64> {
    let rounding = rounding(effects);
    let sign = |effect: f64| if effect == 0.0 { 0.0 } else { effect.signum() };
    effects.iter().map(|effect| sign(beyond(*effect, rounding))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_and_draws_by_hand() {
        let groups = TwoGroups { a: vec![0, 2], b: vec![1] };
        assert_eq!(groups.difference(&[1.0, 5.0, 2.0]), -3.5);
        // Group b has one stimulus, so every draw has it; a has 1, 1 or 1, 2 or 2, 2.
        let z = vec![vec![1.0, 5.0, 2.0]];
        let draws = bootstrap(&z, &z, &groups, 200, 3);
        assert!(draws.iter().all(|d| [-4.0, -3.5, -3.0].contains(&d.models[0]) && d.models == d.brains));
        let middle = draws.iter().filter(|d| d.models[0] == -3.5).count();
        // Half of 200, sd 7.1: five of them.
        assert!(middle.abs_diff(100) < 36, "{middle}");
        assert_eq!(draws[..50], bootstrap(&z, &z, &groups, 50, 3), "draw k is draw k, however many are made");
        assert_ne!(draws, bootstrap(&z, &z, &groups, 200, 4));
    }

    #[test]
    fn intervals_count_the_smaller_side() {
        let values: Vec<f64> = (0..99).map(|i| f64::from(i) - 4.0).collect();
        // -4 .. 94: 5 draws at or below 0, so p = 2 * 6 / 100.
        let found = interval(&values);
        assert_eq!((found.p, found.ci), (0.12, (-4.0 + 98.0 * 0.025, -4.0 + 98.0 * 0.975)));
        assert_eq!(interval(&[1.0; 99]).p, 0.02);
        assert_eq!(interval(&[0.0; 99]).p, 1.0);
        assert!(interval(&[1.0, f64::NAN]).p.is_nan());
    }

    #[test]
    fn t_as_scipy() {
        // scipy.stats.ttest_1samp([1, 2, 4], 0): t 2.6457513110645907, p 0.11808289631180313
        let t = one_sample_t(&[1.0, 2.0, 4.0]);
        assert!((t.t - 2.6457513110645907).abs() < 1e-14 && (t.p - 0.11808289631180313).abs() < 1e-13 && t.df == 2.0);
        assert!(one_sample_t(&[0.1, 0.1]).t.is_nan() && one_sample_t(&[1.0, f64::NAN]).p.is_nan());
        // one profile on four scales: its z scores are equal but for rounding
        let scaled = one_sample_t(&[0.3, 0.30000000000000004, 0.29999999999999993, 0.3]);
        assert!(scaled.p.is_nan() && scaled.reason == Some(statistics::Reason::Constant));
        assert_eq!(signs(&[0.1 + 0.2 - 0.3, -0.5, 2.0]), [0.0, -1.0, 1.0]);
    }
}
