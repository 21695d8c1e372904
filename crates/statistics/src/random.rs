//! Seeded draws whose results are part of the public interface.

mod ziggurat;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use ziggurat::Ziggurat;

/// A reproducible source of random integers and permutations (ChaCha8).
///
/// The arithmetic from random words to results is written out here, so that a new version of the random number
/// library cannot change what a published seed gives.
///
/// ```
/// let mut a = statistics::Draws::new(7);
/// let mut b = statistics::Draws::new(7);
/// assert_eq!(a.permutation(10), b.permutation(10));
/// ```
#[derive(Debug, Clone)]
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// The draws of one seed.
    pub fn new(seed: u64) -> Draws {
        Draws(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The `stream`-th independent sequence of one seed: draw number `i` of a bootstrap takes stream `i`, and its
    /// result then does not depend on which thread ran it.
    pub fn stream(seed: u64, stream: u64) -> Draws {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Draws(rng)
    }

    /// A uniform integer in `0..n`, without modulo bias (Lemire 2019).
    ///
    /// # Panics
    /// When `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "no integer is below 0");
        let n = n as u64;
        let too_low = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(n);
            if product as u64 >= too_low {
                return (product >> 64) as usize;
            }
        }
    }

    /// A uniform number in `[0, 1)` with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Two independent standard normal numbers (Box and Muller 1958).
    pub fn normal_pair(&mut self) -> [f64; 2] {
        // 1 - u lies in (0, 1], where the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        [radius * cos, radius * sin]
    }

    /// Independent standard normal numbers, several times as fast as pairs: for simulations of millions.
    pub fn fill_normal(&mut self, values: &mut [f64]) {
        let ziggurat = Ziggurat::get();
        values.iter_mut().for_each(|value| *value = ziggurat.draw(self));
    }

    /// 64 random bits.
    fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A gamma-distributed number of this shape and scale 1 (Marsaglia and Tsang 2000; a shape below 1 by way of
    /// shape + 1).
    ///
    /// # Panics
    /// When the shape is not above 0.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        assert!(shape > 0.0, "a gamma distribution has a shape above 0");
        if shape < 1.0 {
            let larger = self.gamma(shape + 1.0);
            return larger * (1.0 - self.uniform()).powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let [x, _] = self.normal_pair();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Shuffles in place (Fisher-Yates, from the last element down).
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            values.swap(i, self.below(i + 1));
        }
    }

    /// The numbers `0..n` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_pinned() {
        // A change here changes published results: say so in crates/CHANGELOG.md.
        assert_eq!(Draws::new(1).permutation(8), PINNED[0]);
        assert_eq!(Draws::new(2).permutation(8), PINNED[1]);
        assert_eq!(Draws::new(3).permutation(8), PINNED[2]);
        assert_ne!(Draws::stream(1, 0).permutation(20), Draws::stream(1, 1).permutation(20));
    }
    const PINNED: [[usize; 8]; 3] = [[5, 6, 2, 4, 1, 7, 0, 3], [6, 1, 2, 0, 5, 4, 3, 7], [5, 7, 3, 2, 6, 1, 0, 4]];

    #[test]
    fn normal_numbers_are_pinned_and_normal() {
        let [a, b] = Draws::new(1).normal_pair();
        assert!((a - PINNED_NORMAL[0]).abs() < 1e-12 && (b - PINNED_NORMAL[1]).abs() < 1e-12, "{a} {b}");
        let mut draws = Draws::new(9);
        let values: Vec<f64> = (0..50_000).flat_map(|_| draws.normal_pair()).collect();
        let moment = |power: i32| values.iter().map(|v| v.powi(power)).sum::<f64>() / values.len() as f64;
        // Moments 0, 1, 0, 3 of 100000 numbers; sd .0032, .0045, .012, .031: five of them.
        assert!(moment(1).abs() < 0.016 && (moment(2) - 1.0).abs() < 0.023, "{} {}", moment(1), moment(2));
        assert!(moment(3).abs() < 0.062 && (moment(4) - 3.0).abs() < 0.16, "{} {}", moment(3), moment(4));
    }
    const PINNED_NORMAL: [f64; 2] = [0.8881529718908301, 0.4910583485874152];

    #[test]
    fn gamma_numbers_are_pinned_and_have_the_moments_of_their_shape() {
        let a = Draws::new(1).gamma(0.1);
        assert!((a / PINNED_GAMMA - 1.0).abs() < 1e-12, "{a}");
        for shape in [0.1, 0.7, 1.0, 4.0] {
            let mut draws = Draws::new(11);
            let values: Vec<f64> = (0..100_000).map(|_| draws.gamma(shape)).collect();
            let mean = crate::mean(&values);
            let variance = crate::variance(&values);
            // mean and variance are the shape; five standard errors of each (fourth moment 3 k (k + 2))
            assert!((mean - shape).abs() < 5.0 * (shape / 1e5).sqrt(), "{shape} {mean}");
            let se = ((2.0 * shape * shape + 6.0 * shape) / 1e5).sqrt();
            assert!((variance - shape).abs() < 5.0 * se, "{shape} {variance}");
        }
    }
    const PINNED_GAMMA: f64 = 0.15445111018491423;

    #[test]
    fn below_is_even_and_in_range() {
        let mut draws = Draws::new(5);
        let mut counts = [0usize; 7];
        for _ in 0..70_000 {
            counts[draws.below(7)] += 1;
        }
        // Expected 10000 each, sd 92.6: six sd.
        assert!(counts.iter().all(|c| c.abs_diff(10_000) < 556), "{counts:?}");
        assert!((0..1000).all(|_| (0.0..1.0).contains(&draws.uniform())));
        assert_eq!(draws.below(1), 0);
    }
}
