//! From numbers to ticks and places.

use crate::chart::Scale;

/// Ticks at 1, 2 or 5 times a power of ten, from the lowest to the highest in the range: about `n` of them.
pub fn nice_ticks(lo: f64, hi: f64, n: usize) -> Vec<f64> {
    if !(lo.is_finite() && hi.is_finite() && hi > lo) {
        return vec![lo];
    }
    let step = nice_step((hi - lo) / n.max(1) as f64);
    let (first, last) = ((lo / step - 1e-9).ceil() as i64, (hi / step + 1e-9).floor() as i64);
    (first..=last).map(|k| k as f64 * step).collect()
}

/// The least of 1, 2 and 5 times powers of ten that is this rough step or more.
fn nice_step(rough: f64) -> f64 {
    let power = 10f64.powi(rough.log10().floor() as i32);
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * power >= rough * (1.0 - 1e-9)).unwrap_or(10.0);
    step * power
}

/// A linear scale that holds all finite values, its ends at round numbers.
pub fn linear_over(values: impl IntoIterator<Item = f64>) -> Scale {
    let finite = values.into_iter().filter(|v| v.is_finite());
    let (mut lo, mut hi) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo > hi {
        (lo, hi) = (0.0, 1.0);
    }
    if lo == hi {
        let half = if lo == 0.0 { 1.0 } else { 0.1 * lo.abs() };
        (lo, hi) = (lo - half, hi + half);
    }
    // Finer than the ticks, or much of a panel could be empty; a value on a step needs no other one beyond it.
    let step = nice_step((hi - lo) / 10.0);
    let (below, above) = ((lo / step + 1e-9).floor(), (hi / step - 1e-9).ceil());
    Scale::Linear { lo: below * step, hi: above * step }
}

/// The ticks of a scale of numbers with what is written there.
pub(crate) fn ticks(scale: &Scale, n: usize) -> Vec<(f64, String)> {
    match scale {
        Scale::Linear { lo, hi } => {
            // An axis that runs downwards has its high end first.
            let ticks = nice_ticks(lo.min(*hi), hi.max(*lo), n);
            let step = if ticks.len() > 1 { ticks[1] - ticks[0] } else { (hi - lo).abs().max(f64::MIN_POSITIVE) };
            ticks.into_iter().map(|v| (v, label(v, step))).collect()
        }
        Scale::Log { lo, hi } => {
            let decades = (hi / lo).log10();
            let multiples: &[f64] = if decades > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            let powers = lo.log10().floor() as i32..=hi.log10().ceil() as i32;
            let all = powers.flat_map(|p| multiples.iter().map(move |m| m * 10f64.powi(p)));
            let inside = all.filter(|v| *v >= lo * (1.0 - 1e-9) && *v <= hi * (1.0 + 1e-9));
            inside.map(|v| (v, label(v, v.min(1.0)))).collect()
        }
        Scale::Names(names) => names.iter().enumerate().map(|(k, name)| (k as f64, name.clone())).collect(),
    }
}

/// A tick's number with as many decimals as the step between ticks needs.
fn label(v: f64, step: f64) -> String {
    let magnitude = v.abs();
    if magnitude >= 1e6 || (v != 0.0 && step < 1e-5) {
        return minus(&format!("{v:.1e}").replace(".0e", "e"));
    }
    let decimals = (-(step * 1.0000001).log10().floor()).max(0.0) as usize;
    minus(&format!("{:.decimals$}", if magnitude < step * 1e-6 { 0.0 } else { v }))
}

/// The sign of a negative number as it is set in print.
pub(crate) fn minus(text: &str) -> String {
    text.replace('-', "−")
}

/// Where a value lies between the ends of a scale, from 0 to 1; item `k` of names has the middle of its place.
pub(crate) fn share(scale: &Scale, v: f64) -> f64 {
    match scale {
        Scale::Linear { lo, hi } => (v - lo) / (hi - lo),
        Scale::Log { lo, hi } => (v / lo).ln() / (hi / lo).ln(),
        Scale::Names(names) => (v + 0.5) / names.len().max(1) as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: &Scale) -> Vec<String> {
        ticks(scale, 5).into_iter().map(|t| t.1).collect()
    }

    #[test]
    fn ticks_are_round_and_say_no_more_than_they_need() {
        assert_eq!(labels(&Scale::Linear { lo: 0.0, hi: 1.0 }), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(&Scale::Linear { lo: -20.0, hi: 20.0 }), ["−20", "−10", "0", "10", "20"]);
        assert_eq!(labels(&Scale::Linear { lo: 0.0, hi: 0.004 }), ["0.000", "0.001", "0.002", "0.003", "0.004"]);
        assert_eq!(labels(&Scale::Log { lo: 1.0, hi: 20.0 }), ["1", "2", "5", "10", "20"]);
        assert_eq!(labels(&Scale::Log { lo: 0.01, hi: 100.0 }), ["0.01", "0.1", "1", "10", "100"]);
    }

    #[test]
    fn scales_hold_their_values() {
        for values in [&[0.31, 0.78][..], &[-3.0, 11.0], &[2.0], &[0.0], &[f64::NAN], &[1e-9, 2e-9], &[0.2, 0.8]] {
            let scale = linear_over(values.iter().copied());
            let Scale::Linear { lo, hi } = scale else { unreachable!("{scale:?}") };
            let inside = |v: &&f64| **v >= lo - 1e-9 * (hi - lo) && **v <= hi + 1e-9 * (hi - lo);
            assert!(lo < hi && values.iter().filter(|v| v.is_finite()).all(|v| inside(&v)), "{values:?} {lo} {hi}");
        }
        assert_eq!(linear_over([0.2, 0.8]), Scale::Linear { lo: 0.2, hi: 0.8 });
        assert_eq!(share(&Scale::Names(vec!["a".into(), "b".into()]), 1.0), 0.75);
        assert!((share(&Scale::Log { lo: 1.0, hi: 100.0 }, 10.0) - 0.5).abs() < 1e-12);
    }
}
