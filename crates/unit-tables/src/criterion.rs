//! How the units of a table were chosen, and which thresholds can still be asked of them.

/// What the `criterion` column of `select-units` says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Criterion {
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
}
