use std::fmt;
use std::str::FromStr;

/// What can be wrong with a grid of ridge penalties.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AlphaGridError {
    /// Neither `LO:HI:N` nor a list of numbers.
    #[error("\"{0}\" is neither LO:HI:N, such as 1e-5:1e5:21, nor a list, such as 0,0.1,1,10")]
    NotAGrid(String),
    /// A penalty must be a finite number, 0 or above; the ends of a logarithmic grid lie above 0.
    #[error("{0} is no ridge penalty here; LO and HI have to be above 0 and finite, those of a list 0 or above")]
    NotAPenalty(f64),
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
    /// A penalty of a list occurs again.
    #[error("{0} occurs twice in the list of penalties")]
    Twice(f64),
}

/// Ridge penalties relative to the spectrum of the features: the penalty used is `factor x scale`, where the
/// scale of a training set is the mean squared length of its scaled feature rows, `mean(diag(X X'))`.
///
/// So one grid serves 50 features and 50,000, raw and standardized ones. With standardized features the scale
/// is the number of features that vary. [`AlphaGrid::absolute`] makes the scale 1.
///
/// A grid `LO:HI:N` goes on beyond its ends where the best penalty sits on one ([`AlphaGrid::beyond`]); a list does
/// not.
///
/// ```
/// use encoding_models::AlphaGrid;
/// let grid: AlphaGrid = "0.01:100:5".parse()?;
/// let expected = [0.01, 0.1, 1.0, 10.0, 100.0];
/// assert!(grid.factors().iter().zip(expected).all(|(f, e)| (f / e - 1.0).abs() < 1e-15));
/// let list: AlphaGrid = "10,0,1".parse()?;
/// assert_eq!(list.factors(), [0.0, 1.0, 10.0]);
/// # Ok::<(), encoding_models::AlphaGridError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct AlphaGrid {
    factors: Vec<f64>,
    /// Logarithm (base 10) of the ratio of neighbours; `None` in a list.
    step: Option<f64>,
    closed: bool,
    absolute: bool,
}

/// An end of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The lowest penalty.
    Lower,
    /// The highest penalty.
    Upper,
}

/// Penalties that are tried at a time beyond an end of a grid.
const CHUNK: usize = 4;
/// How far a grid goes on beyond an end, in decades.
const FARTHEST: f64 = 10.0;

impl AlphaGrid {
    /// `n` factors from `lowest` to `highest`, evenly spaced on a logarithmic scale.
    pub fn log_spaced(lowest: f64, highest: f64, n: usize) -> Result<AlphaGrid, AlphaGridError> {
        for end in [lowest, highest] {
            if !(end > 0.0 && end.is_finite()) {
                return Err(AlphaGridError::NotAPenalty(end));
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
        Ok(AlphaGrid { factors, step: Some(step), closed: n == 1, absolute: false })
    }

    /// These factors, in any order; 0 is least squares.
    pub fn list(mut factors: Vec<f64>) -> Result<AlphaGrid, AlphaGridError> {
        if let Some(wrong) = factors.iter().find(|f| !(**f >= 0.0 && f.is_finite())) {
            return Err(AlphaGridError::NotAPenalty(*wrong));
        }
        factors.sort_by(f64::total_cmp);
        if let Some(twice) = factors.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(AlphaGridError::Twice(twice[0]));
        }
        match factors.is_empty() {
            true => Err(AlphaGridError::NotAGrid(String::new())),
            false => Ok(AlphaGrid { factors, step: None, closed: true, absolute: false }),
        }
    }

    /// The same penalties as they are, not times the scale of the features.
    pub fn absolute(self) -> AlphaGrid {
        AlphaGrid { absolute: true, ..self }
    }

    /// The same penalties, and none beyond the ends.
    pub fn closed(self) -> AlphaGrid {
        AlphaGrid { closed: true, ..self }
    }

    /// The factors, ascending.
    pub fn factors(&self) -> &[f64] {
        &self.factors
    }

    /// Whether the factors are the penalties themselves.
    pub fn is_absolute(&self) -> bool {
        self.absolute
    }

    /// Whether the grid may go on beyond its ends.
    pub fn is_open(&self) -> bool {
        !self.closed
    }

    /// The next few factors, ascending, beyond the `tried` ones that lie beyond this end already; none where the grid
    /// is closed, or has gone on for ten decades.
    pub fn beyond(&self, end: End, tried: usize) -> Vec<f64> {
        let Some(step) = self.step.filter(|_| !self.closed) else { return Vec::new() };
        let within = |k: &usize| step * *k as f64 <= FARTHEST + 1e-9;
        let steps = (tried + 1..=tried + CHUNK).filter(within);
        match end {
            End::Upper => steps.map(|k| self.factors[self.factors.len() - 1] * 10f64.powf(step * k as f64)).collect(),
            End::Lower => {
                let mut factors: Vec<f64> = steps.map(|k| self.factors[0] * 10f64.powf(-step * k as f64)).collect();
                factors.reverse();
                factors
            }
        }
    }
}

/// 21 factors from 1e-5 to 1e5: ten decades, two factors in each.
impl Default for AlphaGrid {
    fn default() -> AlphaGrid {
        let factors = (-10..=10).map(|half_decades| 10f64.powf(f64::from(half_decades) / 2.0)).collect();
        AlphaGrid { factors, step: Some(0.5), closed: false, absolute: false }
    }
}

impl FromStr for AlphaGrid {
    type Err = AlphaGridError;

    fn from_str(text: &str) -> Result<AlphaGrid, AlphaGridError> {
        let wrong = || AlphaGridError::NotAGrid(text.to_owned());
        let number = |part: &str| part.trim().parse::<f64>().map_err(|_| wrong());
        match text.split(':').collect::<Vec<&str>>()[..] {
            [lowest, highest, n] => {
                AlphaGrid::log_spaced(number(lowest)?, number(highest)?, n.trim().parse().map_err(|_| wrong())?)
            }
            [list] => AlphaGrid::list(list.split(',').map(number).collect::<Result<Vec<f64>, _>>()?),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for AlphaGrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.factors.len() - 1;
        match self.step {
            Some(_) => write!(f, "{:e}:{:e}:{}", self.factors[0], self.factors[last], self.factors.len()),
            None => write!(f, "{}", self.factors.iter().map(f64::to_string).collect::<Vec<_>>().join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AlphaGrid, AlphaGridError, End};

    #[test]
    fn a_grid_reads_back_as_it_prints() {
        for text in ["1e-5:1e5:21", "5e-1:2e0:3", "3e0:3e0:1", "0,0.5,100"] {
            let grid: AlphaGrid = text.parse().unwrap();
            assert_eq!(grid.to_string(), text);
        }
        let written: AlphaGrid = "1e-5:1e5:21".parse().unwrap();
        for (a, b) in written.factors().iter().zip(AlphaGrid::default().factors()) {
            assert!((a / b - 1.0).abs() < 1e-14);
        }
        assert!(written.factors().windows(2).all(|w| w[0] < w[1]));
        let one: AlphaGrid = "3:3:1".parse().unwrap();
        assert_eq!(one.factors(), [3.0]);
        assert!(!one.is_open() && written.is_open());
        assert_eq!(written.closed().to_string(), "1e-5:1e5:21");
    }

    #[test]
    fn a_grid_goes_on_beyond_its_ends_for_ten_decades() {
        let grid: AlphaGrid = "0.01:100:5".parse().unwrap();
        let near = |found: Vec<f64>, expected: &[f64]| {
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(found.iter().zip(expected).all(|(f, e)| (f / e - 1.0).abs() < 1e-12), "{found:?}");
        };
        near(grid.beyond(End::Upper, 0), &[1e3, 1e4, 1e5, 1e6]);
        near(grid.beyond(End::Upper, 8), &[1e11, 1e12]);
        near(grid.beyond(End::Upper, 10), &[]);
        near(grid.beyond(End::Lower, 0), &[1e-6, 1e-5, 1e-4, 1e-3]);
        near(grid.clone().closed().beyond(End::Lower, 0), &[]);
        near("1,10".parse::<AlphaGrid>().unwrap().beyond(End::Upper, 0), &[]);
    }

    #[test]
    fn refuses_what_is_no_grid() {
        let parse = |text: &str| text.parse::<AlphaGrid>().unwrap_err();
        assert_eq!(parse("1:10"), AlphaGridError::NotAGrid("1:10".into()));
        assert_eq!(parse("1:10:3:4"), AlphaGridError::NotAGrid("1:10:3:4".into()));
        assert_eq!(parse("1:ten:3"), AlphaGridError::NotAGrid("1:ten:3".into()));
        assert_eq!(parse(""), AlphaGridError::NotAGrid("".into()));
        assert_eq!(parse("1,,2"), AlphaGridError::NotAGrid("1,,2".into()));
        assert_eq!(parse("0:10:3"), AlphaGridError::NotAPenalty(0.0));
        assert_eq!(parse("1:inf:3"), AlphaGridError::NotAPenalty(f64::INFINITY));
        assert_eq!(parse("-1,2"), AlphaGridError::NotAPenalty(-1.0));
        assert_eq!(parse("1,2,1"), AlphaGridError::Twice(1.0));
        assert_eq!(parse("10:1:3"), AlphaGridError::Reversed { lowest: 10.0, highest: 1.0 });
        assert_eq!(parse("1:10:1"), AlphaGridError::TooFew { n: 1, lowest: 1.0, highest: 10.0 });
        assert_eq!(parse("1:10:0"), AlphaGridError::TooFew { n: 0, lowest: 1.0, highest: 10.0 });
        assert_eq!(parse("1:1:4"), AlphaGridError::TooFew { n: 4, lowest: 1.0, highest: 1.0 });
    }
}
