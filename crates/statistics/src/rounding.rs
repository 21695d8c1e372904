//! When numbers that differ are one number with its rounding.
//!
//! A distance, a response or a score is the last of a chain of rounded steps. Two that are equal in exact arithmetic
//! may come out a few units in the last place apart, and whatever asks for order or spread would take that for data.
//! The rules are stated here once; what is constant, tied or without spread is asked of this module.

/// Values of one set that differ by no more than so many units in the last place of its largest magnitude are equal.
///
/// The last steps of a distance (a product over two lengths taken off 1, a root of a sum) round five times, each by
/// half a unit at most, so that two equal ones are up to 5 units apart; SciPy's distances of one-hot, binary and
/// repeated patterns of 10 to 10000 units are up to 2 apart. 8 leaves room for sums in another order and is still 1e-6
/// of the largest value in f4, 2e-15 in f8.
pub const EQUAL_ULPS: f64 = 8.0;

/// What `1 - r` leaves of an `r` that is 1 is a whole number of half units in the last place of 1, up to about this
/// many (35 over 10000 units in SciPy). Such values have no size to measure their own rounding by.
const LEFT_OF_ONE: f64 = 64.0;

/// Scores lie between -1 and 1; those that differ by less than this, differ by rounding: sums of unit vectors' products
/// over a thousand pairs are off by 1e-13 at most.
pub const OF_SCORES: f64 = 1e-12;

/// The difference up to which two of these values are one value with its rounding; values that are not finite are not
/// looked at.
///
/// 8 units in the last place (`EQUAL_ULPS`) of the largest magnitude, in the precision that the values have: f4 where
/// every one is an f4 number, whatever it is held in, else f8. 0 for whole numbers that the precision holds exactly,
/// which counts and sums of integers are. Where all are what rounding leaves of `1 - 1`, everything.
///
/// ```
/// use statistics::rounding::resolution;
/// assert_eq!(resolution(&[0.1, 0.2]), 8.0 * f64::EPSILON * 0.2);
/// assert_eq!(resolution(&[0.5, 0.25]), 8.0 * f64::from(f32::EPSILON) * 0.5);
/// assert_eq!(resolution(&[10_000_000.0, 10_000_001.0]), 0.0);
/// ```
pub fn resolution(values: &[f64]) -> f64 {
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let largest = finite().fold(0.0, |largest: f64, v| largest.max(v.abs()));
    let single = finite().all(|v| f64::from(v as f32) == v);
    let epsilon = if single { f64::from(f32::EPSILON) } else { f64::EPSILON };
    if largest * epsilon < 2.0 && finite().all(|v| v.fract() == 0.0) {
        return 0.0;
    }
    for epsilon in [f64::EPSILON, f64::from(f32::EPSILON)] {
        let unit = 0.5 * epsilon;
        if largest <= LEFT_OF_ONE * unit && finite().all(|v| (v / unit).fract() == 0.0) {
            return 2.0 * LEFT_OF_ONE * unit;
        }
    }
    EQUAL_ULPS * epsilon * largest
}

/// Whether all values are equal, or would be but for rounding ([`resolution`]). True of none and of one, false where
/// one is not finite.
///
/// ```
/// use statistics::rounding::is_constant;
/// assert!(is_constant(&[1.2, 1.2000000000000002, 1.2]));
/// assert!(!is_constant(&[1.2, 1.20000001]));
/// ```
pub fn is_constant(values: &[f64]) -> bool {
    let Some(&first) = values.first() else { return true };
    // Most sets are told by their second value: no set in any precision is constant where two are so far apart.
    let coarse = EQUAL_ULPS * f64::from(f32::EPSILON);
    let near =
        |v: f64| (v - first).abs() <= coarse * v.abs().max(first.abs()) || (v.abs() <= coarse && first.abs() <= coarse);
    if !values.iter().all(|v| v.is_finite() && near(*v)) {
        return false;
    }
    if values.iter().all(|v| *v == first) {
        return true;
    }
    let (least, most) = values.iter().fold((first, first), |(least, most), v| (least.min(*v), most.max(*v)));
    most - least <= resolution(values)
}

/// 0 for a difference that is rounding alone.
pub fn beyond(difference: f64, rounding: f64) -> f64 {
    if difference.abs() <= rounding { 0.0 } else { difference }
}

/// The values with those that differ by no more than `rounding` made equal: each becomes the least of its group.
pub fn joined(values: &[f64], rounding: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut joined = values.to_vec();
    let mut least = f64::NEG_INFINITY;
    for k in order {
        if values[k] - least <= rounding {
            joined[k] = least;
        } else {
            least = values[k];
        }
    }
    joined
}

/// What rounding does to the order of a set of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrokenTies {
    /// Values that have another within the [`resolution`], and are not equal to it.
    pub n_close: usize,
    /// How many there are.
    pub n: usize,
    /// Different values.
    pub n_distinct: usize,
    /// Different values where those within the resolution count as one.
    pub n_levels: usize,
    /// The share of all pairs of values whose order is decided by rounding; Kendall's tau may be off by as much.
    pub share: f64,
}

/// Values that are looked at before all of them are.
const SAMPLE: usize = 1024;
/// The share of pairs of values ordered by rounding from which on it matters. A set of a thousand different values,
/// each of them broken, has it; numbers without ties that happen to lie close together have a millionth.
const SHARE: f64 = 1e-3;

/// How rounding broke the ties of these values, `None` where it orders less than a thousandth of their pairs. Values
/// that are not finite are left out.
///
/// A sample of 1024 is sorted first, which costs next to nothing; only where it shows broken ties are all values
/// sorted.
///
/// ```
/// let found = statistics::rounding::broken_ties(&[0.0, 1.2, 1.2000000000000002, 1.2, 0.3]).unwrap();
/// assert_eq!((found.n_close, found.n, found.n_distinct, found.n_levels), (3, 5, 4, 3));
/// assert_eq!(statistics::rounding::broken_ties(&[0.0, 1.2, 1.3]), None);
/// ```
pub fn broken_ties(values: &[f64]) -> Option<BrokenTies> {
    if values.len() > 2 * SAMPLE {
        // A stride without relation to the length of the rows of a triangle: the golden section of it.
        let stride = (values.len() as f64 * 0.381_966_011_250_105).round() as usize;
        let sample: Vec<f64> = (0..SAMPLE).map(|k| values[k * stride % values.len()]).collect();
        let rounding = resolution(&sample);
        if ties_of(sample, rounding).share < SHARE / 4.0 {
            return None;
        }
    }
    let resolution = resolution(values);
    Some(ties_of(values.to_vec(), resolution)).filter(|found| found.share >= SHARE)
}

fn ties_of(mut values: Vec<f64>, resolution: f64) -> BrokenTies {
    values.retain(|v| v.is_finite());
    // -0 and 0 are one value.
    values.iter_mut().for_each(|v| *v += 0.0);
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    let pairs = |n: usize| n as f64 * (n as f64 - 1.0) / 2.0;
    let mut found = BrokenTies { n_close: 0, n, n_distinct: 0, n_levels: 0, share: 0.0 };
    let mut start = 0;
    let mut ordered = 0.0;
    while start < n {
        let mut end = start + 1;
        while end < n && values[end] - values[start] <= resolution {
            end += 1;
        }
        let level = &values[start..end];
        let (mut distinct, mut tied) = (0, 0.0);
        for same in level.chunk_by(|a, b| a == b) {
            distinct += 1;
            tied += pairs(same.len());
        }
        found.n_distinct += distinct;
        found.n_levels += 1;
        if distinct > 1 {
            found.n_close += level.len();
            ordered += pairs(level.len()) - tied;
        }
        start = end;
    }
    found.share = if n > 1 { ordered / pairs(n) } else { 0.0 };
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Draws;

    #[test]
    fn constants_of_every_precision_and_scale() {
        for scale in [1e-300f64, 1e-15, 1.0, 12_345.6, 1e200] {
            let value = 1.2 * scale;
            let next = value.next_up().next_up();
            assert!(is_constant(&[value, next, value.next_down()]), "{scale}");
            assert!(!is_constant(&[value, value * (1.0 + 1e-14)]), "{scale}");
        }
        for scale in [1e-15f32, 1.0, 12_345.6] {
            let value = 1.2 * scale;
            assert!(is_constant(&[f64::from(value), f64::from(value.next_up())]), "{scale}");
            // the same difference in numbers that no f4 holds is data
            assert!(!is_constant(&[0.1 * f64::from(value), 0.1 * f64::from(value.next_up())]), "{scale}");
            assert!(!is_constant(&[f64::from(value), f64::from(value) * 1.000_001_5]), "{scale}");
        }
        assert!(is_constant(&[]) && is_constant(&[3.0]) && is_constant(&[0.0, -0.0]));
        assert!(!is_constant(&[1.0, f64::NAN]) && !is_constant(&[f64::INFINITY; 2]));
        // whole numbers are exact as far as their precision reaches
        assert!(!is_constant(&[16_000_000.0, 16_000_001.0]) && !is_constant(&[1e15, 1e15 + 1.0]));
        assert!(is_constant(&[1e9 + 64.0, 1e9 + 128.0]), "numbers of f4 beyond 2^24");
    }

    #[test]
    fn what_is_left_of_one_is_rounding_and_tiny_data_are_not() {
        let unit = f64::EPSILON / 2.0;
        assert!(is_constant(&[0.0, unit, -2.0 * unit, 11.0 * unit]));
        assert!(is_constant(&[0.0, f64::from(f32::EPSILON) / 2.0, f64::from(f32::EPSILON)]));
        assert!(!is_constant(&[0.0, 1e-16, 2e-16]) && !is_constant(&[0.0, 3e-8, 1e-7]));
        assert!(!is_constant(&[0.0, 100.0 * unit]));
    }

    #[test]
    fn broken_ties_are_found_in_samples_and_smooth_values_have_none() {
        let mut draws = Draws::new(8);
        // 40 levels, each value off by 0 to 2 units in the last place
        let broken: Vec<f64> = (0..30_000)
            .map(|_| {
                let mut value = 0.5 + draws.below(40) as f64 / 97.0;
                (0..draws.below(3)).for_each(|_| value = value.next_up());
                value
            })
            .collect();
        let found = broken_ties(&broken).unwrap();
        assert_eq!((found.n_close, found.n, found.n_levels), (30_000, 30_000, 40));
        assert!(found.n_distinct > 80 && (found.share - 2.0 / 3.0 / 40.0).abs() < 0.002, "{found:?}");
        for single in [false, true] {
            let smooth: Vec<f64> = (0..200_000)
                .map(|_| if single { f64::from(draws.uniform() as f32) } else { draws.uniform() })
                .collect();
            assert_eq!(broken_ties(&smooth), None, "{single}");
        }
        let levels: Vec<f64> = (0..30_000).map(|_| draws.below(40) as f64 / 97.0).collect();
        assert_eq!(broken_ties(&levels), None);
    }
}
