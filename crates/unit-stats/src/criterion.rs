//! How the units of a table were chosen, and which thresholds can still be asked of them.

use std::str::FromStr;

/// What the `criterion` column of `select-units` says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Criterion {
    /// Every unit is there.
    AllUnits,
    /// Units with t above this, and nothing else.
    TAbove(f64),
    /// Rules among which t cannot be lowered or raised: q, top, ratio, conjunctions of several.
    Other,
}

impl Criterion {
    /// `all units`, `student t > 7`, `welch t > 3, q <= 0.05 (by), top 5%`. What is not known is [`Criterion::Other`].
    pub fn parse(text: &str) -> Criterion {
        if text.trim() == "all units" {
            return Criterion::AllUnits;
        }
        // The smallest t over the comparisons can be held against a higher threshold as well as any other.
        let rule = text.trim().strip_suffix(", versus each").unwrap_or(text.trim());
        let rule = rule.strip_suffix(", means of categories").unwrap_or(rule);
        match rule.split_once(" t > ") {
            Some(("student" | "welch", threshold)) => {
                threshold.trim().parse().map_or(Criterion::Other, Criterion::TAbove)
            }
            _ => Criterion::Other,
        }
    }

    /// Whether a table made so holds every unit with t above `threshold`.
    pub fn answers(self, threshold: f64) -> bool {
        match self {
            Criterion::AllUnits => true,
            Criterion::TAbove(t) => threshold >= t,
            Criterion::Other => false,
        }
    }
}

/// Thresholds as people write them: `3,5,7`, `3..11` (step 1, the end included), `3..11:2`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thresholds(pub Vec<f64>);

impl FromStr for Thresholds {
    type Err = String;

    fn from_str(text: &str) -> Result<Thresholds, String> {
        let number = |part: &str| {
            let value = part.trim().parse::<f64>().ok().filter(|v| v.is_finite());
            value.ok_or_else(|| format!("{part:?} is no threshold; write 3,5,7 or 3..11 or 3..11:2"))
        };
        let mut all = Vec::new();
        for part in text.split(',') {
            let Some((from, rest)) = part.split_once("..") else {
                all.push(number(part)?);
                continue;
            };
            let (to, step) = rest.split_once(':').unwrap_or((rest, "1"));
            let (from, to, step) = (number(from)?, number(to)?, number(step)?);
            if step <= 0.0 || to < from || (to - from) / step > 1e4 {
                return Err(format!("{part:?} runs backwards or has more than 10000 steps"));
            }
            // Half a millionth of a step keeps 0.1 + 0.1 + ... from missing its end; nine digits, so that 3.3 is 3.3.
            let n = ((to - from) / step + 5e-7).floor() as usize;
            all.extend((0..=n).map(|i| ((from + i as f64 * step) * 1e9).round() / 1e9));
        }
        match all.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => Err(format!("{} stands before {}; thresholds must rise", pair[0], pair[1])),
            None => Ok(Thresholds(all)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_threshold_on_t_can_be_raised() {
        for (text, expected) in [
            ("all units", Criterion::AllUnits),
            ("student t > 7", Criterion::TAbove(7.0)),
            ("welch t > -1.5", Criterion::TAbove(-1.5)),
            ("student t > 3, versus each", Criterion::TAbove(3.0)),
            ("student t > 3, at least 10 units", Criterion::Other),
            ("welch t > 3, q <= 0.05 (by), top 5%", Criterion::Other),
            ("top 100", Criterion::Other),
            ("student t", Criterion::Other),
            ("", Criterion::Other),
        ] {
            assert_eq!(Criterion::parse(text), expected, "{text}");
        }
        assert!(Criterion::TAbove(7.0).answers(7.0) && !Criterion::TAbove(7.0).answers(6.9));
        assert!(Criterion::AllUnits.answers(-9.0) && !Criterion::Other.answers(20.0));
    }

    #[test]
    fn lists_and_ranges_of_thresholds() {
        let of = |text: &str| text.parse::<Thresholds>().map(|t| t.0);
        assert_eq!(of("3,5,7").unwrap(), [3.0, 5.0, 7.0]);
        assert_eq!(of("3..6").unwrap(), [3.0, 4.0, 5.0, 6.0]);
        assert_eq!(of("3..11:2").unwrap(), [3.0, 5.0, 7.0, 9.0, 11.0]);
        assert_eq!(of("3..4:.1").unwrap()[3], 3.3);
        assert_eq!(of("3..4:.1").unwrap().len(), 11);
        assert_eq!(of("-2..0,5").unwrap(), [-2.0, -1.0, 0.0, 5.0]);
        for bad in ["", "a", "3..", "5..3", "3..4:0", "3..4:-1", "5,3", "3,3", "nan", "0..1:1e-9"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
