use statistics::{mean, quantile};

/// A score beside those of random draws.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// Draws that have a score.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Lower end of their central 95 %.
    pub lo: f64,
    /// Upper end of it.
    pub hi: f64,
    /// Per cent of the draws below the score, those equal to it counted half.
    pub percentile: f64,
}

impl Chance {
    /// Where `score` stands among `draws`. Draws without a score are left out and not counted; without any, or without
    /// a score, what needs it is `NaN`.
    ///
    /// ```
    /// use encoding_models::Chance;
    /// let chance = Chance::of(3.0, &[1.0, 2.0, 3.0, f64::NAN, 4.0]);
    /// assert_eq!((chance.n, chance.mean, chance.percentile), (4, 2.5, 62.5));
    /// ```
    pub fn of(score: f64, draws: &[f64]) -> Chance {
        let scored: Vec<f64> = draws.iter().copied().filter(|draw| !draw.is_nan()).collect();
        let n = scored.len();
        let count = |keep: &dyn Fn(f64) -> bool| scored.iter().filter(|draw| keep(**draw)).count();
        let percentile = match score.is_nan() {
            true => f64::NAN,
            // Whole numbers before the division, so that 7 of 100 draws are 7 per cent.
            false => (100 * count(&|draw| draw < score) + 50 * count(&|draw| draw == score)) as f64 / n as f64,
        };
        let centre = if n == 0 { f64::NAN } else { mean(&scored) };
        Chance { n, mean: centre, lo: quantile(&scored, 0.025), hi: quantile(&scored, 0.975), percentile }
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn range_and_rank_by_hand() {
        let draws: Vec<f64> = (0..=40).rev().map(f64::from).collect();
        // 41 values 0 to 40: quantile q is 40 q; 10 are below 9.5.
        let chance = Chance::of(9.5, &draws);
        assert_eq!((chance.n, chance.mean, chance.lo, chance.hi), (41, 20.0, 1.0, 39.0));
        assert!((chance.percentile - 1000.0 / 41.0).abs() < 1e-12);
        assert_eq!(Chance::of(-1.0, &draws).percentile, 0.0);
        assert_eq!(Chance::of(41.0, &draws).percentile, 100.0);
    }

    #[test]
    fn nothing_is_nan() {
        let none = Chance::of(1.0, &[f64::NAN]);
        assert!(none.n == 0 && [none.mean, none.lo, none.hi, none.percentile].iter().all(|v| v.is_nan()));
        let chance = Chance::of(f64::NAN, &[1.0, 2.0]);
        assert!(chance.percentile.is_nan() && chance.mean == 1.5);
    }
}
