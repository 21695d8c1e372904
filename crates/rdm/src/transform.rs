//! Transforms of the dissimilarities of one RDM.

use std::fmt;
use std::str::FromStr;

use statistics::rounding::resolution;
use statistics::{Reason, quantile};

use crate::pool::ranked;
use crate::{Rdm, RdmError};

mod geodesic;

/// What may be done to the values of an RDM. Pairs without a value (`NaN` or infinite) are `NaN` afterwards, and the
/// others are treated as if those pairs were not there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Transform {
    /// Ranks from 1, equal values sharing the mean of their places.
    Rank,
    /// The square root; negative values become 0 first.
    Sqrt,
    /// The square.
    Square,
    /// Negative values become 0.
    Positive,
    /// The smallest value becomes 0 and the largest 1, linearly.
    MinMax,
    /// Values below the quantile `low` become 0, above the quantile `high` 1, between them linear: Lin and Kriegeskorte
    /// (2023), arXiv:2309.11028.
    Geotopological {
        /// Lower quantile, 0 to 1.
        low: f64,
        /// Upper quantile, `low` to 1.
        high: f64,
    },
    /// Stretched as by [`Transform::MinMax`], then the length of the shortest way over other stimuli, on which no pair
    /// of the largest value lies: Lin and Kriegeskorte (2023), who apply it after [`Transform::Geotopological`], where
    /// the pairs above its upper quantile have the largest. What no way links is `NaN`.
    ///
    /// rsatoolbox's `geodesic_transform` takes a pair of the smallest value (0 then) for one without a way, so that
    /// stimuli that are the same are linked by others alone; here they are 0 apart.
    Geodesic,
}

/// What a transform made.
#[derive(Debug, Clone, PartialEq)]
pub struct Transformed {
    /// The transformed RDM.
    pub rdm: Rdm,
    /// Negative values that became 0.
    pub n_negative: usize,
    /// The one value that there was to stretch, so that every pair is `NaN` ([`Reason::Constant`]).
    pub no_spread: Option<f64>,
    /// Pairs that no way links, `NaN` now and not before ([`Transform::Geodesic`]).
    pub n_apart: usize,
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Transform::Rank => f.write_str("rank"),
            Transform::Sqrt => f.write_str("sqrt"),
            Transform::Square => f.write_str("square"),
            Transform::Positive => f.write_str("positive"),
            Transform::MinMax => f.write_str("minmax"),
            Transform::Geotopological { low, high } => write!(f, "geotopological({low},{high})"),
            Transform::Geodesic => f.write_str("geodesic"),
        }
    }
}

impl FromStr for Transform {
    type Err = RdmError;

    /// A name; the two quantiles of `geotopological` stand behind it, in parentheses or after a colon.
    fn from_str(text: &str) -> Result<Transform, RdmError> {
        let unknown = || RdmError::UnknownTransform(text.to_owned());
        Ok(match text {
            "rank" => Transform::Rank,
            "sqrt" => Transform::Sqrt,
            "square" => Transform::Square,
            "positive" => Transform::Positive,
            "minmax" => Transform::MinMax,
            "geodesic" => Transform::Geodesic,
            _ => {
                let rest = text.strip_prefix("geotopological").ok_or_else(unknown)?;
                let inner = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')')).or(rest.strip_prefix(':'));
                let (low, high) = inner.and_then(|r| r.split_once(',')).ok_or_else(unknown)?;
                let number = |text: &str| text.trim().parse::<f64>().map_err(|_| unknown());
                let (low, high) = (number(low)?, number(high)?);
                if !(0.0 <= low && low < high && high <= 1.0) {
                    return Err(unknown());
                }
                Transform::Geotopological { low, high }
            }
        })
    }
}

impl Transform {
    /// The transformed RDM, and what became of its values. Where minmax, geotopological or geodesic have nothing to
    /// stretch (all values are equal, or would be but for rounding), every pair is `NaN`.
    ///
    /// ```
    /// use rdm::{Rdm, Transform};
    /// let rdm = Rdm::from_condensed(vec![4.0, -1.0, 9.0], None)?;
    /// let roots = Transform::Sqrt.apply(rdm)?;
    /// assert_eq!((roots.rdm.values(), roots.n_negative), (&[2.0, 0.0, 3.0][..], 1));
    /// # Ok::<(), rdm::RdmError>(())
    /// ```
    pub fn apply(self, rdm: Rdm) -> Result<Transformed, RdmError> {
        let labels = rdm.labels().map(<[String]>::to_vec);
        let constant = rdm.reason() == Some(Reason::Constant);
        let mut values = rdm.into_values();
        values.iter_mut().filter(|v| v.is_infinite()).for_each(|v| *v = f64::NAN);
        let present: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        let mut n_negative = 0;
        let mut positive = |v: f64| {
            n_negative += usize::from(v < 0.0);
            if v < 0.0 { 0.0 } else { v }
        };
        let mut no_spread = None;
        // Without a spread nothing has a place between its ends: NaN times anything is NaN.
        let mut spread = |low: f64, high: f64| match !constant && high - low > resolution(&present) {
            true => high - low,
            false => {
                no_spread = present.first().map(|_| low);
                f64::NAN
            }
        };
        let mut n_apart = 0;
        match self {
            Transform::Rank => {
                let mut ranks = ranked(&present).into_iter();
                values.iter_mut().filter(|v| !v.is_nan()).for_each(|v| *v = ranks.next().unwrap_or(f64::NAN));
            }
            Transform::Sqrt => values.iter_mut().for_each(|v| *v = positive(*v).sqrt()),
            Transform::Positive => values.iter_mut().for_each(|v| *v = positive(*v)),
            Transform::Square => values.iter_mut().for_each(|v| *v *= *v),
            Transform::MinMax => {
                let (smallest, largest) = ends(&present);
                let width = spread(smallest, largest);
                values.iter_mut().for_each(|v| *v = (*v - smallest) / width);
            }
            Transform::Geodesic => {
                let (smallest, largest) = ends(&present);
                let width = spread(smallest, largest);
                // Values that are the largest but for rounding are it, or ways would lie on some of them.
                let farthest = largest - resolution(&present);
                let length = |v: f64| if v < farthest { (v - smallest) / width } else { f64::NAN };
                let ways = geodesic::shortest_ways(&values.iter().map(|v| length(*v)).collect::<Vec<f64>>());
                for (value, way) in values.iter_mut().zip(ways).filter(|(value, _)| !value.is_nan()) {
                    n_apart += usize::from(way.is_nan() && !width.is_nan());
                    *value = way;
                }
            }
            Transform::Geotopological { low, high } => {
                let (from, to) = (quantile(&present, low), quantile(&present, high));
                let width = spread(from, to);
                let squeezed = |v: f64| match v {
                    _ if width.is_nan() => f64::NAN,
                    v if v < from => 0.0,
                    v if v > to => 1.0,
                    // Here is NaN too.
                    v => (v - from) / width,
                };
                values.iter_mut().for_each(|v| *v = squeezed(*v));
            }
        }
        Ok(Transformed { rdm: Rdm::from_condensed(values, labels)?, n_negative, no_spread, n_apart })
    }
}

/// The smallest and the largest.
fn ends(values: &[f64]) -> (f64, f64) {
    let of = |start: f64, pick: fn(f64, f64) -> f64| values.iter().copied().fold(start, pick);
    (of(f64::INFINITY, f64::min), of(f64::NEG_INFINITY, f64::max))
}

#[cfg(test)]
mod tests {
    use super::Transform;
    use crate::{Rdm, RdmError};

    const NAN: f64 = f64::NAN;

    fn of(how: &str, values: [f64; 6]) -> (Vec<f64>, usize) {
        let labels = ["a", "b", "c", "d"].map(String::from).to_vec();
        let rdm = Rdm::from_condensed(values.to_vec(), Some(labels.clone())).unwrap();
        let made = how.parse::<Transform>().unwrap().apply(rdm).unwrap();
        assert_eq!(made.rdm.labels(), Some(&labels[..]));
        (made.rdm.into_values(), made.n_negative)
    }

    #[test]
    fn each_by_hand_with_a_missing_pair() {
        let values = [3.0, -1.0, NAN, 3.0, 0.25, 7.0];
        let near = |how: &str, expected: [f64; 6], n: usize| {
            let (found, n_negative) = of(how, values);
            assert_eq!(n_negative, n, "{how}");
            for (f, e) in found.iter().zip(expected) {
                assert!((f - e).abs() < 1e-15 || (f.is_nan() && e.is_nan()), "{how}: {found:?}");
            }
        };
        near("rank", [3.5, 1.0, NAN, 3.5, 2.0, 5.0], 0);
        near("sqrt", [3f64.sqrt(), 0.0, NAN, 3f64.sqrt(), 0.5, 7f64.sqrt()], 1);
        near("square", [9.0, 1.0, NAN, 9.0, 0.0625, 49.0], 0);
        near("positive", [3.0, 0.0, NAN, 3.0, 0.25, 7.0], 1);
        near("minmax", [0.5, 0.0, NAN, 0.5, 1.25 / 8.0, 1.0], 0);
        // quantiles of -1, .25, 3, 3, 7: a quarter is .25, three quarters 3
        near("geotopological(0.25,0.75)", [1.0, 0.0, NAN, 1.0, 0.0, 1.0], 0);
        // a tenth is -1 + .4 * 1.25 = -.5, nine tenths 3 + .6 * 4 = 5.4
        near("geotopological:.1,.9", [3.5 / 5.9, 0.0, NAN, 3.5 / 5.9, 0.75 / 5.9, 1.0], 0);
    }

    #[test]
    fn ranks_do_not_see_a_monotonic_transform_and_minmax_no_linear_one() {
        let values = [0.3, 0.1, 0.9, 0.4, 0.4, 0.2];
        assert_eq!(of("rank", values), of("rank", values.map(|v: f64| v.exp() - 5.0)));
        let (a, b) = (of("minmax", values).0, of("minmax", values.map(|v| 4.0 - -8.0 * v)).0);
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-15));
    }

    #[test]
    fn names_are_read_as_they_are_written_and_others_refused() {
        for name in ["rank", "sqrt", "square", "positive", "minmax", "geodesic", "geotopological(0.1,0.9)"] {
            assert_eq!(name.parse::<Transform>().unwrap().to_string(), name);
        }
        let wrong =
            ["log", "geotopological", "geotopological(0.9,0.1)", "geotopological(0,2)", "geotopological(a,b)", "Rank"];
        for name in wrong {
            assert_eq!(name.parse::<Transform>(), Err(RdmError::UnknownTransform(name.into())));
        }
    }

    #[test]
    fn what_has_no_spread_cannot_be_stretched() {
        let all = |transform: &str, values: [f64; 6]| {
            let rdm = Rdm::from_condensed(values.to_vec(), None).unwrap();
            let made = transform.parse::<Transform>().unwrap().apply(rdm).unwrap();
            (made.rdm.values().iter().all(|v| v.is_nan()), made.no_spread)
        };
        let rounded = [1.2, 1.2000000000000002, 1.2, 1.2, 1.2, 1.2];
        for transform in ["minmax", "geodesic", "geotopological(0.1,0.9)"] {
            assert_eq!(all(transform, [0.5; 6]), (true, Some(0.5)));
            assert_eq!(all(transform, rounded), (true, Some(1.2)));
            assert!(all(transform, [NAN; 6]).0);
        }
        assert_eq!(all("geotopological(0.3,0.7)", [0.0, 1.0, 1.0, 1.0, 1.0, 2.0]), (true, Some(1.0)));
        assert_eq!(of("rank", rounded).0, [3.5; 6]);
        assert!(all("rank", [NAN; 6]).0);
    }

    #[test]
    fn shortest_ways_leave_out_the_farthest_and_keep_what_is_the_same() {
        // a-b 1 is the largest but for rounding; lengths a-c 0, a-d .5, b-c .25, b-d the largest, c-d .75
        let made = Transform::Geodesic
            .apply(Rdm::from_condensed(vec![5.0 - 1e-15, 1.0, 3.0, 2.0, 5.0, 4.0], None).unwrap())
            .unwrap();
        assert_eq!((made.rdm.values(), made.n_apart), (&[0.25, 0.0, 0.5, 0.25, 0.75, 0.5][..], 0));
        // d is the farthest from all, and the pair of a and b was missing
        let made =
            Transform::Geodesic.apply(Rdm::from_condensed(vec![NAN, 1.0, 5.0, 2.0, 5.0, 5.0], None).unwrap()).unwrap();
        assert_eq!((made.n_apart, made.no_spread), (3, None));
        let expected = [NAN, 0.0, NAN, 0.25, NAN, NAN];
        assert!(made.rdm.values().iter().zip(expected).all(|(f, e)| *f == e || (f.is_nan() && e.is_nan())));
    }

    #[test]
    fn infinite_values_are_none() {
        for (how, expected) in [("rank", [2.0, NAN, 1.0, NAN, 3.0, 4.0]), ("sqrt", [2.0, NAN, 1.0, NAN, 3.0, 4.0])] {
            let (found, n) = of(how, [4.0, f64::INFINITY, 1.0, f64::NEG_INFINITY, 9.0, 16.0]);
            assert!(found.iter().zip(expected).all(|(f, e)| *f == e || (f.is_nan() && e.is_nan())), "{how} {found:?}");
            assert_eq!(n, 0);
        }
    }
}
