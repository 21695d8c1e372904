//! Thresholds of t as people write them.

use std::str::FromStr;

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
