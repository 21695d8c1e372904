use std::f64::consts::PI;

use crate::regressor::orthogonalize;

/// Slow changes of the signal that are no response.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Drift {
    /// Cosines up to this frequency (Hz), the discrete cosine transform's.
    Cosine {
        /// The highest frequency that counts as drift.
        high_pass: f64,
    },
    /// Powers of time up to this order, each orthogonal to those before it.
    Polynomial {
        /// The highest power.
        order: usize,
    },
    /// The constant alone.
    None,
}

impl Drift {
    /// The columns without the constant, which comes behind them.
    ///
    /// Cosine `k` of `n` volumes is `sqrt(2/n) cos(pi/n (t + 1/2) k)`, `k` from 1 to `floor(2 n high_pass dt)`, at most
    /// `n - 1`. Power `k` is `(t / t_last)^k`.
    pub(crate) fn columns(&self, frame_times: &[f64]) -> Vec<Vec<f64>> {
        let n = frame_times.len();
        let (first, last) = (frame_times[0], frame_times[n - 1]);
        match *self {
            Drift::None => Vec::new(),
            Drift::Cosine { high_pass } => {
                let dt = (last - first) / (n - 1) as f64;
                let order = ((2.0 * n as f64 * high_pass * dt).floor() as usize).min(n - 1);
                let scale = (2.0 / n as f64).sqrt();
                let cosine =
                    |k: usize| (0..n).map(|t| scale * (PI / n as f64 * (t as f64 + 0.5) * k as f64).cos()).collect();
                (1..=order).map(cosine).collect()
            }
            Drift::Polynomial { order } => {
                let power = |k: usize| frame_times.iter().map(|t| (t / last).powi(k as i32)).collect();
                let mut powers: Vec<Vec<f64>> = (0..=order).map(power).collect();
                orthogonalize(&mut powers);
                powers.remove(0);
                powers
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regressor::linspace;

    #[test]
    fn cosines_are_orthonormal_and_as_many_as_the_cut_says() {
        let columns = Drift::Cosine { high_pass: 1.0 / 64.0 }.columns(&linspace(0.0, 118.0, 60));
        // floor(2 * 60 * 2 / 64) = 3
        assert_eq!(columns.len(), 3);
        for (i, a) in columns.iter().enumerate() {
            for (j, b) in columns.iter().enumerate() {
                let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn powers_have_no_mean_and_nothing_in_common() {
        let columns = Drift::Polynomial { order: 3 }.columns(&linspace(1.0, 119.0, 60));
        assert_eq!(columns.len(), 3);
        for (i, a) in columns.iter().enumerate() {
            assert!(a.iter().sum::<f64>().abs() < 1e-12);
            for b in &columns[..i] {
                assert!(a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>().abs() < 1e-12);
            }
        }
    }
}
