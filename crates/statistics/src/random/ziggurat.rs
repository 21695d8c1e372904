//! Normal numbers without logarithms and sines for 98.8 % of them.
//!
//! The area under the right half of `exp(-x² / 2)` is cut into layers of one area, each as wide as the curve is at its
//! lower edge. A number drawn evenly from a layer mostly lies where the whole height of the layer is below the curve,
//! and is normal then; else a second draw decides. Marsaglia and Tsang (2000), J Stat Softw 5(8); layer and place come
//! from different bits, which Doornik (2005) found to matter.

use std::sync::OnceLock;

use super::Draws;

const LAYERS: usize = 256;
/// Where the tail begins, and the area of a layer, of 256 (Marsaglia and Tsang 2000).
const TAIL: f64 = 3.654_152_885_361_009;
const AREA: f64 = 0.004_928_673_233_974_655;

pub(super) struct Ziggurat {
    /// Widths of the layers from the lowest up, and the 0 above the highest. The lowest is as wide as a box of its
    /// area, tail included.
    widths: [f64; LAYERS + 1],
    /// The curve at these; that of the lowest layer is not used.
    heights: [f64; LAYERS + 1],
}

fn curve(x: f64) -> f64 {
    (-0.5 * x * x).exp()
}

impl Ziggurat {
    pub fn get() -> &'static Ziggurat {
        static TABLES: OnceLock<Ziggurat> = OnceLock::new();
        TABLES.get_or_init(|| {
            let mut widths = [0.0; LAYERS + 1];
            (widths[0], widths[1]) = (AREA / curve(TAIL), TAIL);
            for layer in 1..LAYERS - 1 {
                let height = curve(widths[layer]) + AREA / widths[layer];
                widths[layer + 1] = (-2.0 * height.ln()).sqrt();
            }
            Ziggurat { widths, heights: widths.map(curve) }
        })
    }

    #[inline]
    pub fn draw(&self, draws: &mut Draws) -> f64 {
        loop {
            let bits = draws.bits();
            let layer = (bits % LAYERS as u64) as usize;
            // The upper 53 bits, in [-1, 1).
            let place = (bits >> 11) as f64 * (2.0 / (1u64 << 53) as f64) - 1.0;
            let x = place * self.widths[layer];
            if x.abs() < self.widths[layer + 1] {
                return x;
            }
            if let Some(x) = self.at_the_edge(layer, x, draws) {
                return x;
            }
        }
    }

    #[cold]
    fn at_the_edge(&self, layer: usize, x: f64, draws: &mut Draws) -> Option<f64> {
        if layer == 0 {
            // Marsaglia (1964): exponential beyond the beginning of the tail, kept by the ratio to the normal.
            loop {
                let [beyond, other] = [TAIL, 1.0].map(|rate| -(1.0 - draws.uniform()).ln() / rate);
                if 2.0 * other > beyond * beyond {
                    return Some((TAIL + beyond).copysign(x));
                }
            }
        }
        let (low, high) = (self.heights[layer], self.heights[layer + 1]);
        (low + (high - low) * draws.uniform() < curve(x)).then_some(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::normal_sf;

    #[test]
    fn layers_have_one_area_and_end_at_the_top() {
        let Ziggurat { widths, heights } = Ziggurat::get();
        for layer in 1..LAYERS {
            let area = widths[layer] * (heights[layer + 1] - heights[layer]);
            // The highest closes the sum of the rounding of all others.
            assert!((area / AREA - 1.0).abs() < 1e-10, "{layer}: {area}");
        }
        assert_eq!((widths[LAYERS], heights[LAYERS]), (0.0, 1.0));
        // The lowest: a box up to the tail, and the tail itself.
        let below = TAIL * curve(TAIL) + normal_sf(TAIL) * std::f64::consts::TAU.sqrt();
        assert!((below / AREA - 1.0).abs() < 1e-10, "{below}");
    }

    #[test]
    fn numbers_are_pinned_and_normal() {
        let mut values = vec![0.0; 2_000_000];
        Draws::new(1).fill_normal(&mut values);
        assert!(values[..2].iter().zip(PINNED).all(|(a, b)| (a - b).abs() < 1e-12), "{:?}", &values[..2]);
        // Shares beyond these, the last in the tail: five standard errors.
        let n = values.len() as f64;
        for x in [-4.0, -2.5, -1.0, -0.3, 0.0, 0.1, 0.5, 1.0, 1.7, 2.2, 3.0, 3.7, 4.2] {
            let (share, expected) = (values.iter().filter(|v| **v > x).count() as f64 / n, normal_sf(x));
            let error = (expected * (1.0 - expected) / n).sqrt();
            assert!((share - expected).abs() < 5.0 * error, "{x}: {share} for {expected}");
        }
        // Moments 2 and 4 are 1 and 3, of variances 2 and 96; neighbours do not go together.
        let mean = |of: &dyn Fn(&[f64]) -> f64| values.windows(2).map(of).sum::<f64>() / n;
        assert!((mean(&|v| v[0] * v[0]) - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
        assert!((mean(&|v| v[0].powi(4)) - 3.0).abs() < 5.0 * (96.0 / n).sqrt());
        assert!(mean(&|v| v[0] * v[1]).abs() < 5.0 / n.sqrt());
        assert!(mean(&|v| v[0] * v[0] * v[1] * v[1] - 1.0).abs() < 5.0 * (8.0 / n).sqrt());
    }

    const PINNED: [f64; 2] = [-0.2348470585566658, -1.4108177006129712];
}
