//! From events to regressors: boxes on a fine grid, convolved, read off at the times of the volumes.

use crate::hrf::{Basis, Hrf};

/// Samples of the fine grid per TR.
pub(crate) const OVERSAMPLING: usize = 50;

/// An event before this time (seconds, the first volume is near 0) is taken to begin then, as in nilearn.
pub const EARLIEST_ONSET: f64 = -24.0;

/// Something that happened during a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Name of its condition (`trial_type`).
    pub condition: String,
    /// Seconds from the first volume.
    pub onset: f64,
    /// Seconds; 0 is an impulse of one fiftieth of a TR.
    pub duration: f64,
    /// Height of its box; 1 where nothing modulates it.
    pub modulation: f64,
}

/// NumPy's `linspace`: the last value is `stop` itself.
pub(crate) fn linspace(start: f64, stop: f64, n: usize) -> Vec<f64> {
    let step = (stop - start) / (n.max(2) - 1) as f64;
    let mut values: Vec<f64> = (0..n).map(|i| i as f64 * step + start).collect();
    if n > 1 {
        values[n - 1] = stop;
    }
    values
}

/// The fine grid of a run, and its kernels: what all of its regressors share.
pub(crate) struct Sampler<'a> {
    frame_times: &'a [f64],
    grid: Vec<f64>,
    kernels: Vec<Vec<f64>>,
    fir: bool,
}

impl<'a> Sampler<'a> {
    /// `frame_times` has three or more times, rising.
    pub(crate) fn new(basis: &Basis, frame_times: &'a [f64]) -> Sampler<'a> {
        let n = frame_times.len() as f64;
        let (first, last) = (frame_times[0], frame_times[frame_times.len() - 1]);
        let end = last * (1.0 + 1.0 / (n - 1.0));
        let span = (end - first - EARLIEST_ONSET) * OVERSAMPLING as f64;
        // The grid's step is TR/50 only up to the rounding of this number, so it is nilearn's formula in its order.
        let n_fine = ((n - 1.0) / (last - first) * span + 1.0).round_ties_even() as usize;
        let grid = linspace(first + EARLIEST_ONSET, end, n_fine);
        let tr = frame_times.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        Sampler { frame_times, grid, kernels: basis.kernels(tr), fir: matches!(basis.hrf, Hrf::Fir(_)) }
    }

    /// The boxes of the events on the fine grid.
    fn boxes<'e>(&self, events: impl Iterator<Item = &'e Event>) -> Vec<f64> {
        let most = self.grid.len() - 1;
        let place = |time: f64| self.grid.partition_point(|&fine| fine < time).min(most);
        let mut steps = vec![0.0; self.grid.len()];
        for event in events {
            let on = place(event.onset);
            let off = place(event.onset + event.duration);
            steps[on] += event.modulation;
            steps[if off == on && off < most { off + 1 } else { off }] -= event.modulation;
        }
        let mut height = 0.0;
        steps.iter_mut().for_each(|step| {
            height += *step;
            *step = height;
        });
        steps
    }

    /// A column per kernel, each orthogonal to those before it; those of an FIR are as they come.
    pub(crate) fn columns<'e>(&self, events: impl Iterator<Item = &'e Event>) -> Vec<Vec<f64>> {
        let boxes = self.boxes(events);
        let start = boxes.iter().position(|&height| height != 0.0).unwrap_or(0);
        let end = boxes.iter().rposition(|&height| height != 0.0).map_or(0, |last| last + 1);
        // A box of one TR is read at its end: nilearn shifts what an FIR gives by the box's length less one sample.
        let shift = if self.fir { OVERSAMPLING - 1 } else { 0 };
        let times = &self.grid[..self.grid.len() - shift];
        let mut columns: Vec<Vec<f64>> = Vec::new();
        for kernel in &self.kernels {
            let convolved = |fine: usize| -> f64 {
                let at = fine + shift;
                let (from, to) = ((at + 1).saturating_sub(end), (at + 1).saturating_sub(start).min(kernel.len()));
                (from..to).map(|lag| kernel[lag] * boxes[at - lag]).sum()
            };
            let at = |&time: &f64| {
                let above = times.partition_point(|&fine| fine < time).clamp(1, times.len() - 1);
                let (low, high) = (convolved(above - 1), convolved(above));
                let slope = (high - low) / (times[above] - times[above - 1]);
                slope * (time - times[above - 1]) + low
            };
            columns.push(self.frame_times.iter().map(at).collect());
        }
        if !self.fir {
            orthogonalize(&mut columns);
        }
        columns
    }
}

/// Takes from each column what those before it explain of it; their lengths stay.
pub(crate) fn orthogonalize(columns: &mut [Vec<f64>]) {
    for i in 1..columns.len() {
        let (before, rest) = columns.split_at_mut(i);
        let column = &mut rest[0];
        for other in before {
            let size: f64 = other.iter().map(|v| v * v).sum();
            if size > 0.0 {
                let along = other.iter().zip(&*column).map(|(a, b)| a * b).sum::<f64>() / size;
                column.iter_mut().zip(other).for_each(|(value, other)| *value -= along * *other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(onset: f64, duration: f64) -> Event {
        Event { condition: "a".into(), onset, duration, modulation: 1.0 }
    }

    #[test]
    fn without_a_response_the_boxes_are_read_off() {
        let frames = linspace(0.0, 18.0, 10);
        let basis = Basis::new(Hrf::None);
        let sampler = Sampler::new(&basis, &frames);
        let got = &sampler.columns([event(4.0, 4.0)].iter())[0];
        let on: Vec<usize> = (0..10).filter(|&i| got[i] > 0.5).collect();
        assert_eq!(on, [2, 3]);
        // An event behind the end of the run leaves nothing but the last fine sample, which no volume sees.
        assert!(sampler.columns([event(400.0, 4.0)].iter())[0].iter().all(|v| *v == 0.0));
    }

    #[test]
    fn an_impulse_is_one_fine_sample() {
        let frames = linspace(0.0, 38.0, 20);
        let basis = Basis::new(Hrf::Spm);
        let sampler = Sampler::new(&basis, &frames);
        let sum = |duration| sampler.columns([event(0.0, duration)].iter())[0].iter().sum::<f64>();
        let ratio = sum(2.0) / sum(0.0);
        assert!((ratio - 50.0).abs() < 1.0, "{ratio}");
    }

    #[test]
    fn convolution_is_that_of_the_whole_grid() {
        let frames = linspace(0.0, 58.0, 30);
        let basis = Basis::new(Hrf::Glover);
        let sampler = Sampler::new(&basis, &frames);
        let events = [event(3.3, 2.0), event(17.0, 0.0)];
        let boxes = sampler.boxes(events.iter());
        let kernel = &sampler.kernels[0];
        let slow: Vec<f64> = (0..boxes.len())
            .map(|at| (0..=at.min(kernel.len() - 1)).map(|lag| kernel[lag] * boxes[at - lag]).sum())
            .collect();
        let got = &sampler.columns(events.iter())[0];
        for (time, value) in frames.iter().zip(got) {
            let above = sampler.grid.iter().position(|fine| fine >= time).unwrap();
            let (a, b) = (sampler.grid[above - 1], sampler.grid[above]);
            let expected = slow[above - 1] + (time - a) / (b - a) * (slow[above] - slow[above - 1]);
            assert!((value - expected).abs() < 1e-14);
        }
    }
}
