//! Haemodynamic responses on a fine grid of time.

use statistics::ln_gamma;

use crate::regressor::{OVERSAMPLING, linspace};

/// Length of a response in seconds.
const LENGTH: f64 = 32.0;
/// Shift of the onset from which a time derivative is taken, seconds.
const ONSET_STEP: f64 = 0.1;
/// Step of the dispersion from which its derivative is taken.
const DISPERSION_STEP: f64 = 0.01;

/// The shape of the response to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hrf {
    /// SPM's difference of two gamma densities (peak 6, undershoot 16, ratio .167).
    Spm,
    /// Glover (1999): 6 and 12, dispersion .9, ratio .48.
    Glover,
    /// Finite impulse response: a box of one TR at each of these delays, in TRs.
    Fir(Vec<usize>),
    /// No response: the boxes of the events themselves.
    None,
}

/// What an event becomes: one column, or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// The response.
    pub hrf: Hrf,
    /// Also its derivative by the onset.
    pub time_derivative: bool,
    /// Also its derivative by the dispersion of the peak.
    pub dispersion_derivative: bool,
}

impl Basis {
    /// A response alone.
    pub fn new(hrf: Hrf) -> Basis {
        Basis { hrf, time_derivative: false, dispersion_derivative: false }
    }

    /// What is put behind the name of a condition, column by column; the first is what it is tested by.
    pub(crate) fn suffixes(&self) -> Vec<String> {
        if let Hrf::Fir(delays) = &self.hrf {
            return delays.iter().map(|delay| format!("_delay_{delay}")).collect();
        }
        let mut suffixes = vec![String::new()];
        if self.time_derivative {
            suffixes.push("_derivative".into());
        }
        if self.dispersion_derivative {
            suffixes.push("_dispersion".into());
        }
        suffixes
    }

    /// A kernel per column, sampled at `tr / 50`.
    pub(crate) fn kernels(&self, tr: f64) -> Vec<Vec<f64>> {
        let shape = match &self.hrf {
            Hrf::Fir(delays) => {
                let boxed = |delay: &usize| {
                    let mut kernel = vec![0.0; delay * OVERSAMPLING];
                    kernel.extend([1.0 / OVERSAMPLING as f64; OVERSAMPLING]);
                    kernel
                };
                return delays.iter().map(boxed).collect();
            }
            Hrf::None => return vec![vec![1.0]],
            Hrf::Spm => GammaDifference::SPM,
            Hrf::Glover => GammaDifference::GLOVER,
        };
        let main = shape.sampled(tr, 0.0);
        let by = |step: f64, stepped: Vec<f64>| -> Vec<f64> {
            main.iter().zip(stepped).map(|(value, stepped)| 1.0 / step * (value - stepped)).collect()
        };
        let time = self.time_derivative.then(|| by(ONSET_STEP, shape.sampled(tr, ONSET_STEP)));
        let dispersion = self.dispersion_derivative.then(|| {
            // nilearn steps the dispersion of the peak alone; in Glover's, the undershoot has dispersion 1 on both
            // sides of that difference and not its own .9.
            let base = GammaDifference { undershoot_dispersion: 1.0, ..shape };
            let wider = GammaDifference { dispersion: base.dispersion + DISPERSION_STEP, ..base };
            let (base, wider) = (base.sampled(tr, 0.0), wider.sampled(tr, 0.0));
            base.iter().zip(wider).map(|(base, wider)| 1.0 / DISPERSION_STEP * (base - wider)).collect()
        });
        std::iter::once(main.clone()).chain(time).chain(dispersion).collect()
    }
}

/// `peak - ratio * undershoot`, both gamma densities.
#[derive(Debug, Clone, Copy)]
struct GammaDifference {
    delay: f64,
    undershoot: f64,
    dispersion: f64,
    undershoot_dispersion: f64,
    ratio: f64,
}

impl GammaDifference {
    const SPM: GammaDifference =
        GammaDifference { delay: 6.0, undershoot: 16.0, dispersion: 1.0, undershoot_dispersion: 1.0, ratio: 0.167 };
    const GLOVER: GammaDifference =
        GammaDifference { delay: 6.0, undershoot: 12.0, dispersion: 0.9, undershoot_dispersion: 0.9, ratio: 0.48 };

    /// Sampled over 32 s and divided by its sum; the densities start one sample late, as nilearn's do.
    fn sampled(&self, tr: f64, onset: f64) -> Vec<f64> {
        let dt = tr / OVERSAMPLING as f64;
        let n = (LENGTH / dt).round_ties_even() as usize;
        let density = |t: f64, shape: f64, scale: f64| {
            let x = (t - dt) / scale;
            if x <= 0.0 { 0.0 } else { ((shape - 1.0) * x.ln() - x - ln_gamma(shape)).exp() / scale }
        };
        let mut values: Vec<f64> = linspace(0.0, LENGTH, n)
            .into_iter()
            .map(|t| {
                let t = t - onset;
                density(t, self.delay / self.dispersion, self.dispersion)
                    - self.ratio * density(t, self.undershoot / self.undershoot_dispersion, self.undershoot_dispersion)
            })
            .collect();
        let sum: f64 = values.iter().sum();
        values.iter_mut().for_each(|value| *value /= sum);
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_sum_to_1_and_peak_where_they_should() {
        for (hrf, peak_seconds) in [(Hrf::Spm, 5.0), (Hrf::Glover, 5.0)] {
            let kernel = &Basis::new(hrf).kernels(2.0)[0];
            assert_eq!(kernel.len(), 800);
            assert!((kernel.iter().sum::<f64>() - 1.0).abs() < 1e-13);
            let peak = (0..800).max_by(|a, b| kernel[*a].total_cmp(&kernel[*b])).unwrap();
            assert!((peak as f64 * 0.04 - peak_seconds).abs() < 0.6, "{peak}");
        }
    }

    #[test]
    fn a_shape_has_a_kernel_per_column() {
        let all = Basis { hrf: Hrf::Spm, time_derivative: true, dispersion_derivative: true };
        assert_eq!(
            (all.kernels(2.0).len(), all.suffixes()),
            (3, vec!["".into(), "_derivative".into(), "_dispersion".into()])
        );
        let fir = Basis::new(Hrf::Fir(vec![0, 2]));
        assert_eq!((fir.kernels(1.0)[1].len(), fir.suffixes()[1].as_str()), (150, "_delay_2"));
    }
}
