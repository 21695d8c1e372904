//! Haemodynamic responses of which each voxel takes one.

use std::collections::HashMap;

use ndarray::{Array2, ArrayView2};
use statistics::ln_gamma;

use crate::{Event, GlmError, Timing};

/// Seconds between two samples of a response.
pub const RESPONSE_STEP: f64 = 0.1;

/// Samples of the built-in responses: 50 s and the end.
const SAMPLES: usize = 501;

/// The responses of the Natural Scenes Dataset (Allen and others 2022), which GLMsingle (Prince and others 2022) takes:
/// parameters of SPM's difference of two gamma densities, from the response that is over first to the latest.
///
/// Delay of the response and of the undershoot, their dispersions, ratio, onset (seconds). GLMsingle
/// (BSD-3-Clause, Copyright (c) 2021 Kendrick Kay) has the responses as a table of five digits; these parameters were
/// fitted to it by `scripts/golden-glmsingle.py --responses` and differ from it by what those digits leave open: 6e-7
/// of a response that sums to 1, 3e-5 of its peak. Response 17 is as good as without undershoot, so that the
/// parameters of that are arbitrary.
const NSD: [[f64; 6]; 20] = [
    [3.91731773, 6.8536679, 1.09252328, 0.463100044, 1.75229868, 0.0],
    [4.04271673, 6.9306007, 1.03885211, 0.525837925, 1.83637012, 0.0],
    [4.30110887, 6.89914191, 1.01738333, 0.662745081, 1.78242302, 0.0],
    [4.03994965, 6.04744459, 0.750475398, 1.30820969, 1.66627112, 0.000112962773],
    [3.78026417, 8.24874953, 0.60083461, 2.74610974, 2.19674078, 0.0],
    [3.87864686, 10.8178374, 0.579287984, 4.50668831, 2.30118957, 0.0],
    [4.05774466, 13.6220878, 0.586974707, 6.56752655, 2.20360226, 0.0],
    [4.26463771, 16.8226223, 0.623842595, 10.028079, 2.05677842, 0.0],
    [4.46955326, 19.75602, 0.584655329, 5.86831925, 2.53891685, 0.0],
    [4.66985104, 20.4342153, 0.580304418, 3.24077048, 3.14050791, 0.0],
    [4.85163538, 20.7428842, 0.604329806, 1.99421874, 3.92049662, 0.0639310732],
    [4.68228829, 20.6079224, 0.715195573, 1.43386516, 4.94865032, 0.539625433],
    [4.49172388, 20.4042064, 0.870597926, 1.15945775, 6.32794962, 1.07805852],
    [4.41127291, 20.2634009, 1.05638661, 0.967880057, 8.76604546, 1.53809875],
    [4.32720942, 20.1622822, 1.26531348, 0.912847922, 12.3870433, 2.03288169],
    [4.18032833, 20.1097161, 1.52456418, 0.93032524, 18.6353673, 2.62122745],
    [4.1152203, 21.3521548, 1.82897831, 1.19876346, 35.662404, 3.14843277],
    [4.1277681, 1.5976604, 2.12633191, 914.83737, 221.655245, 3.60177857],
    [4.11660423, 6.84360257, 2.78172415, 2.76159881, 45.1808939, 4.26020285],
    [4.24382802, 7.39532635, 3.16653043, 3.16075593, 202.939333, 4.59253002],
];

/// Responses to an event of a tenth of a second, sampled every [`RESPONSE_STEP`] from its onset.
#[derive(Debug, Clone, PartialEq)]
pub struct HrfLibrary(Vec<Vec<f64>>);

impl HrfLibrary {
    /// The 20 responses of the Natural Scenes Dataset.
    pub fn nsd() -> HrfLibrary {
        let density = |t: f64, shape: f64, scale: f64| match t > 0.0 {
            true => ((shape - 1.0) * (t / scale).ln() - t / scale - ln_gamma(shape)).exp() / scale,
            false => 0.0,
        };
        let response = |&[delay, undershoot, width, undershoot_width, ratio, onset]: &[f64; 6]| {
            let at = |sample: usize| {
                let t = sample as f64 * RESPONSE_STEP - onset;
                density(t, delay / width, width) - density(t, undershoot / undershoot_width, undershoot_width) / ratio
            };
            let values: Vec<f64> = (0..SAMPLES).map(at).collect();
            let sum: f64 = values.iter().sum();
            values.into_iter().map(|value| value / sum).collect()
        };
        HrfLibrary(NSD.iter().map(response).collect())
    }

    /// A response per column, a row per [`RESPONSE_STEP`]. Their height does not matter; each must rise above 0.
    pub fn new(responses: ArrayView2<f64>) -> Result<HrfLibrary, GlmError> {
        let (n_samples, n_responses) = responses.dim();
        if n_samples < 3 || n_responses == 0 {
            return Err(GlmError::NoResponses { n_samples, n_responses });
        }
        if let Some(((sample, response), &value)) = responses.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return Err(GlmError::ResponseNotFinite { sample, response, value });
        }
        Ok(HrfLibrary(responses.columns().into_iter().map(|column| column.to_vec()).collect()))
    }

    /// How many responses there are.
    pub fn n_responses(&self) -> usize {
        self.0.len()
    }

    /// The regressor of each event by itself with one of the responses, `n_volumes x n_events`.
    ///
    /// The response to an event is the sum of those to its tenths of a second (at least one), read between samples by
    /// monotone cubics (Fritsch and Carlson 1980, SciPy's `pchip`) and scaled to a peak of 1 among its values at
    /// multiples of the TR, as in GLMsingle; the event's modulation multiplies it.
    pub(crate) fn columns(&self, response: usize, events: &[Event], timing: Timing) -> Result<Array2<f64>, GlmError> {
        let frame_times = timing.frame_times()?;
        let mut kernels: HashMap<usize, Kernel> = HashMap::new();
        let mut columns = Array2::zeros((timing.n_volumes, events.len()));
        for (event, mut column) in events.iter().zip(columns.columns_mut()) {
            let n_tenths = (event.duration / RESPONSE_STEP).round().max(1.0) as usize;
            let kernel = match kernels.entry(n_tenths) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => {
                    let kernel = Kernel::new(&self.0[response], n_tenths, timing.tr);
                    place.insert(kernel.ok_or(GlmError::NoPeak(response))?)
                }
            };
            for (value, time) in column.iter_mut().zip(&frame_times) {
                *value = event.modulation * kernel.at(time - event.onset);
            }
        }
        Ok(columns)
    }
}

/// The response to an event of some length, between samples too.
struct Kernel {
    values: Vec<f64>,
    slopes: Vec<f64>,
}

impl Kernel {
    /// `None` where no value at a multiple of the TR is above 0.
    fn new(response: &[f64], n_tenths: usize, tr: f64) -> Option<Kernel> {
        let summed = |at: usize| -> f64 {
            let first = (at + 1).saturating_sub(n_tenths);
            response[first.min(response.len())..(at + 1).min(response.len())].iter().sum()
        };
        let values: Vec<f64> = (0..response.len() + n_tenths - 1).map(summed).collect();
        let mut kernel = Kernel { slopes: slopes(&values), values };
        let last = (kernel.values.len() - 1) as f64 * RESPONSE_STEP;
        let peak = (0..=(last / tr) as usize).map(|k| kernel.at(k as f64 * tr)).fold(0.0, f64::max);
        if peak <= 0.0 {
            return None;
        }
        kernel.values.iter_mut().chain(&mut kernel.slopes).for_each(|value| *value /= peak);
        Some(kernel)
    }

    /// 0 before the onset and behind the last sample.
    fn at(&self, seconds: f64) -> f64 {
        let place = seconds / RESPONSE_STEP;
        let last = self.values.len() - 1;
        // A volume on the last sample but for rounding is not behind it.
        if !(place >= 0.0 && place <= last as f64 + 1e-9) {
            return 0.0;
        }
        let below = (place as usize).min(last - 1);
        let x = place - below as f64;
        let (low, high) = (self.values[below], self.values[below + 1]);
        let (rise, end_rise) = (self.slopes[below], self.slopes[below + 1]);
        // Hermite's cubic over one sample.
        let curve = 2.0 * (low - high) + rise + end_rise;
        low + x * (rise + x * (3.0 * (high - low) - 2.0 * rise - end_rise + x * curve))
    }
}

/// Slopes per sample that keep a cubic between samples monotone: harmonic means of the slopes beside, 0 at a turn; at
/// the ends those of a parabola, as far as its direction is right.
fn slopes(values: &[f64]) -> Vec<f64> {
    let rises: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let end = |first: f64, second: f64| {
        let slope = 1.5 * first - 0.5 * second;
        if slope * first <= 0.0 {
            0.0
        } else if first * second < 0.0 && slope.abs() > 3.0 * first.abs() {
            3.0 * first
        } else {
            slope
        }
    };
    let between = |pair: &[f64]| if pair[0] * pair[1] > 0.0 { 2.0 / (1.0 / pair[0] + 1.0 / pair[1]) } else { 0.0 };
    let n = rises.len();
    let mut slopes = vec![end(rises[0], rises[1])];
    slopes.extend(rises.windows(2).map(between));
    slopes.push(end(rises[n - 1], rises[n - 2]));
    slopes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn event(onset: f64, duration: f64) -> Event {
        Event { condition: "a".into(), onset, duration, modulation: 1.0 }
    }

    #[test]
    fn cubics_between_samples_are_scipys() {
        // scipy.interpolate.pchip(range(6), [0, 1, 3, 2, 2, 5])([.25, 1.5, 2.5, 3.5, 4.9, 5])
        let values = vec![0.0, 1.0, 3.0, 2.0, 2.0, 5.0];
        let kernel = Kernel { slopes: slopes(&values), values };
        let expected = [0.1640625, 13.0 / 6.0, 2.5, 2.0, 4.5515, 5.0];
        for (x, expected) in [0.25, 1.5, 2.5, 3.5, 4.9, 5.0].into_iter().zip(expected) {
            let got = kernel.at(x * RESPONSE_STEP);
            assert!((got - expected).abs() < 1e-12, "{x}: {got} {expected}");
        }
        assert_eq!((kernel.at(-0.01), kernel.at(0.51)), (0.0, 0.0));
    }

    #[test]
    fn responses_peak_at_1_one_after_the_other() {
        let library = HrfLibrary::nsd();
        let timing = Timing { n_volumes: 300, tr: 0.2, slice_time_ref: 0.0 };
        let peak = |response: usize, duration: f64| {
            let columns = library.columns(response, &[event(4.0, duration)], timing).unwrap();
            let column = columns.column(0).to_vec();
            let place = (0..300).max_by(|a, b| column[*a].total_cmp(&column[*b])).unwrap();
            assert!((column[place] - 1.0).abs() < 1e-12);
            place as f64 * 0.2 - 4.0
        };
        let peaks: Vec<f64> = (0..20).map(|response| peak(response, 0.0)).collect();
        assert!(peaks.windows(2).all(|pair| pair[0] <= pair[1]), "{peaks:?}");
        assert!(peaks[0] > 2.5 && peaks[19] > 5.0 && peaks[19] < 6.0, "{peaks:?}");
        // A longer event peaks later, half its length on.
        assert!((peak(8, 4.0) - peaks[8] - 2.0).abs() < 0.5);
    }

    #[test]
    fn an_event_is_the_sum_of_its_tenths() {
        let library = HrfLibrary::new(array![[0.0, 1.0], [2.0, 4.0], [1.0, 0.0], [-1.0, 0.0]].view()).unwrap();
        let timing = Timing { n_volumes: 8, tr: 0.1, slice_time_ref: 0.0 };
        let columns = library.columns(0, &[event(0.1, 0.2), event(0.0, 0.0)], timing).unwrap();
        // 0 2 1 -1 twice, one step apart: 0 2 3 0 -1, of peak 3
        for (got, expected) in columns.column(0).iter().zip([0.0, 0.0, 2.0, 3.0, 0.0, -1.0, 0.0, 0.0]) {
            assert!((got - expected / 3.0).abs() < 1e-12, "{columns}");
        }
        assert!((columns[(3, 1)] + 0.5).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_response_is_refused() {
        let refused = |responses: Array2<f64>| HrfLibrary::new(responses.view()).unwrap_err().to_string();
        assert!(refused(Array2::zeros((2, 4))).contains('2'));
        assert!(refused(array![[0.0], [f64::NAN], [1.0]]).contains("NaN"));
        let flat = HrfLibrary::new(array![[1.0, 0.0], [1.0, -1.0], [1.0, 0.0]].view()).unwrap();
        let timing = Timing { n_volumes: 8, tr: 0.1, slice_time_ref: 0.0 };
        let error = flat.columns(1, &[event(0.0, 1.0)], timing).unwrap_err().to_string();
        assert!(error.contains("response 1"), "{error}");
    }
}
