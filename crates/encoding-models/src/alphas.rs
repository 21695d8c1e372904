use std::fmt;
use std::str::FromStr;

/// What can be wrong with a grid of ridge penalties.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AlphaGridError {
    /// Not of the form `LO:HI:N` with two numbers and a count.
    #[error("\"{0}\" is not LO:HI:N, such as 1e-5:1e5:21")]
    NotAGrid(String),
    /// A penalty must be a positive finite number.
    #[error("{0} is no ridge penalty; it has to be above 0 and finite")]
    NotPositive(f64),
    /// The ends are in the wrong order.
    #[error("the grid starts at {lowest} and ends at {highest}; give the lower end first")]
    Reversed {
        /// The end given first.
        lowest: f64,
        /// The end given last.
        highest: f64,
    },
    /// No penalty at all, or one penalty for two different ends.
    #[error("{n} penalties do not make a grid from {lowest} to {highest}")]
    TooFew {
        /// How many were asked for.
        n: usize,
        /// Lower end.
        lowest: f64,
        /// Upper end.
        highest: f64,
    },
}

/// Ridge penalties relative to the spectrum of the features: the penalty used is `factor x scale`, where the
/// scale of a training set is the mean squared length of its scaled feature rows, `mean(diag(X X'))`.
///
/// So one grid serves 50 features and 50,000, raw and standardized ones. With standardized features the scale
/// is the number of features that vary.
///
/// ```
/// use encoding_models::AlphaGrid;
/// let grid: AlphaGrid = "0.01:100:5".parse()?;
/// let expected = [0.01, 0.1, 1.0, 10.0, 100.0];
/// assert!(grid.factors().iter().zip(expected).all(|(f, e)| (f / e - 1.0).abs() < 1e-15));
/// assert!(grid.at_edge(0) && !grid.at_edge(1) && grid.at_edge(4));
/// # Ok::<(), encoding_models::AlphaGridError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AlphaGrid {
    factors: Vec<f64>,
}

impl AlphaGrid {
    /// `n` factors from `lowest` to `highest`, evenly spaced on a logarithmic scale.
    pub fn log_spaced(lowest: f64, highest: f64, n: usize) -> Result<AlphaGrid, AlphaGridError> {
        for end in [lowest, highest] {
            if !(end > 0.0 && end.is_finite()) {
                return Err(AlphaGridError::NotPositive(end));
            }
        }
        if lowest > highest {
            return Err(AlphaGridError::Reversed { lowest, highest });
        }
        if n == 0 || (n == 1) != (lowest == highest) {
            return Err(AlphaGridError::TooFew { n, lowest, highest });
        }
        let step = (highest / lowest).log10() / (n.max(2) - 1) as f64;
        let mut factors: Vec<f64> = (0..n).map(|i| lowest * 10f64.powf(step * i as f64)).collect();
        factors[n - 1] = highest;
        Ok(AlphaGrid { factors })
    }

    /// The factors, ascending.
    pub fn factors(&self) -> &[f64] {
        &self.factors
    }

    /// Whether the factor with this index is the lowest or the highest, so that a better one may lie outside.
    /// A single fixed factor was not searched for and is at no edge.
    pub fn at_edge(&self, index: usize) -> bool {
        self.factors.len() > 1 && (index == 0 || index + 1 == self.factors.len())
    }
}

/// 21 factors from 1e-5 to 1e5: ten decades, two factors in each.
impl Default for AlphaGrid {
    fn default() -> AlphaGrid {
        let factors = (-10..=10).map(|half_decades| 10f64.powf(f64::from(half_decades) / 2.0)).collect();
        AlphaGrid { factors }
    }
}

impl FromStr for AlphaGrid {
    type Err = AlphaGridError;

    fn from_str(text: &str) -> Result<AlphaGrid, AlphaGridError> {
        let wrong = || AlphaGridError::NotAGrid(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let [lowest, highest, n] = parts[..] else { return Err(wrong()) };
        AlphaGrid::log_spaced(
            lowest.trim().parse().map_err(|_| wrong())?,
            highest.trim().parse().map_err(|_| wrong())?,
            n.trim().parse().map_err(|_| wrong())?,
        )
    }
}

impl fmt::Display for AlphaGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.factors.len() - 1;
        write!(f, "{:e}:{:e}:{}", self.factors[0], self.factors[last], self.factors.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{AlphaGrid, AlphaGridError};

    #[test]
    fn a_grid_reads_back_as_it_prints() {
        for text in ["1e-5:1e5:21", "1e0:1e0:1", "5e-1:2e0:3"] {
            let grid: AlphaGrid = text.parse().unwrap();
            assert_eq!(grid.to_string(), text);
        }
        let written: AlphaGrid = "1e-5:1e5:21".parse().unwrap();
        for (a, b) in written.factors().iter().zip(AlphaGrid::default().factors()) {
            assert!((a / b - 1.0).abs() < 1e-14);
        }
        assert!(written.factors().windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn one_fixed_penalty_is_at_no_edge() {
        assert!(!AlphaGrid::log_spaced(3.0, 3.0, 1).unwrap().at_edge(0));
    }

    #[test]
    fn refuses_what_is_no_grid() {
        let parse = |text: &str| text.parse::<AlphaGrid>().unwrap_err();
        assert_eq!(parse("1:10"), AlphaGridError::NotAGrid("1:10".into()));
        assert_eq!(parse("1:10:3:4"), AlphaGridError::NotAGrid("1:10:3:4".into()));
        assert_eq!(parse("1:ten:3"), AlphaGridError::NotAGrid("1:ten:3".into()));
        assert_eq!(parse("0:10:3"), AlphaGridError::NotPositive(0.0));
        assert_eq!(parse("1:inf:3"), AlphaGridError::NotPositive(f64::INFINITY));
        assert_eq!(parse("10:1:3"), AlphaGridError::Reversed { lowest: 10.0, highest: 1.0 });
        assert_eq!(parse("1:10:1"), AlphaGridError::TooFew { n: 1, lowest: 1.0, highest: 10.0 });
        assert_eq!(parse("1:10:0"), AlphaGridError::TooFew { n: 0, lowest: 1.0, highest: 10.0 });
        assert_eq!(parse("1:1:4"), AlphaGridError::TooFew { n: 4, lowest: 1.0, highest: 1.0 });
    }
}
