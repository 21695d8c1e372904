//! Whether a row is one picture's: the first picture alone, among others, and among different others.
//!
//! Nothing in a graph's shapes says that pictures do not meet in it. So the first picture is run alone, and in two
//! companies of pictures that are as unlike one another as pictures can be; a third company without it shows whether
//! it changes the rows of the others.
//!
//! - *Among different others* in the same place of a batch of the same size the arithmetic of a row is the same, number
//!   by number, and so the row has the same bits. A unit may differ by 1e-6 of the layer's largest value (1e-3 in half
//!   precision) for the sake of networks that sort their tokens by what is in them, and of cards that add in any order;
//!   a unit that differs by more than a thousandth of itself is looked at too, since a layer may hold values of very
//!   different size.
//! - *Alone against among others* the batch's size differs, and with it the order of sums: 1e-6 of the largest is
//!   common, more where a network is deep. What is looked for here depends on the size of the batch and is not small:
//!   1e-4 of the largest (1e-2 in half precision and TensorFloat-32, 5e-2 where values are quantized, since one level
//!   more or less is that large).
//! - Whatever exceeds this is compared with how far the row (a small unit: the unit itself) moves when the picture
//!   changes in its last digit: a network that blows rounding up is not taken for one that mixes pictures.

use crate::network::inputs::Batch;
use half::f16;

/// One picture and four others to put beside it.
pub struct Probe {
    /// The picture that is followed.
    pub picture: Batch,
    /// What stands beside it: noise, white, black, other noise.
    pub others: [Batch; 4],
}

/// The place of the picture among others.
pub const PLACE: usize = 1;

const NOISE: usize = 0;
const WHITE: usize = 1;
const BLACK: usize = 2;
const MORE_NOISE: usize = 3;
const PICTURE: usize = 4;

/// Three companies. The picture stands in two of them, and so do both kinds of noise, each time in the same place.
///
/// Whichever of them outweighs the others (in a maximum, say), it is missing from one of the companies, and somebody's
/// row changes there; and so does a row that goes to another place.
pub const COMPANIES: [[usize; 3]; 3] =
    [[NOISE, PICTURE, WHITE], [BLACK, PICTURE, MORE_NOISE], [NOISE, BLACK, MORE_NOISE]];

/// Who stands in one place of two companies: the place and the companies, the picture first.
pub const SAME: [(usize, usize, usize); 3] = [(PLACE, 0, 1), (0, 0, 2), (2, 1, 2)];

impl Probe {
    /// One of the three [`COMPANIES`] as a batch of `n`: the first three places, and beyond them the last once more.
    pub fn company(&self, which: usize, n: usize) -> Batch {
        let all = [&self.others[0], &self.others[1], &self.others[2], &self.others[3], &self.picture];
        Batch::joined((0..n).map(|i| all[COMPANIES[which][i.min(2)]]))
    }

    /// A batch of `n` with the picture first and black ones behind it.
    pub fn first(&self, n: usize) -> Batch {
        Batch::joined((0..n).map(|i| if i == 0 { &self.picture } else { &self.others[BLACK] }))
    }

    /// The picture with every number a last digit more or less; `None` for whole numbers, which have no last digit.
    pub fn nudged(&self) -> Option<Batch> {
        let sign = |i: usize| [1.0, -1.0][(i.wrapping_mul(0x9E37_79B1) >> 7) & 1];
        match &self.picture {
            Batch::F32(values) => {
                let nudge = |(i, v): (usize, &f32)| v * (1.0 + sign(i) as f32 * f32::EPSILON);
                Some(Batch::F32(values.iter().enumerate().map(nudge).collect()))
            }
            Batch::F16(values) => {
                let nudge = |(i, v): (usize, &f16)| f16::from_f64(v.to_f64() * (1.0 + sign(i) / 1024.0));
                Some(Batch::F16(values.iter().enumerate().map(nudge).collect()))
            }
            Batch::U8(_) => None,
        }
    }
}

/// How precisely a network computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precision {
    /// In 32 bits or more.
    Single,
    /// Somewhere in 16 bits, or with factors cut to 10 bits.
    Half,
    /// Somewhere in levels.
    Quantized,
}

impl Precision {
    /// What a unit may differ by, of the layer's largest value, in the same place among other pictures.
    pub fn in_place(self) -> f64 {
        match self {
            Self::Single | Self::Quantized => 1e-6,
            Self::Half => 1e-3,
        }
    }

    /// The same between batches of different size.
    pub fn between_sizes(self) -> f64 {
        match self {
            Self::Single => 1e-4,
            Self::Half => 1e-2,
            Self::Quantized => 5e-2,
        }
    }
}

/// A part of itself by which a unit may differ before it is looked at, however small it is.
const OF_ITSELF: f64 = 1e-3;

/// What is larger than this times the movement under a last digit is no rounding.
const ROUNDING: f64 = 16.0;

/// The values of one layer.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// 32 bits or less.
    F32(Vec<f32>),
    /// 64 bits.
    F64(Vec<f64>),
}

impl Numbers {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    fn at(&self, i: usize) -> f64 {
        match self {
            Self::F32(values) => f64::from(values[i]),
            Self::F64(values) => values[i],
        }
    }

    /// Picture `place` of `n`, of which each has `after` values together, again and again.
    pub fn row(&self, (n, place): (usize, usize), after: usize) -> Self {
        fn of<T: Copy>(values: &[T], n: usize, place: usize, after: usize) -> Vec<T> {
            let blocks = values.chunks_exact((n * after).max(1));
            blocks.flat_map(|block| block[place * after..(place + 1) * after].iter().copied()).collect()
        }
        match self {
            Self::F32(values) => Self::F32(of(values, n, place, after)),
            Self::F64(values) => Self::F64(of(values, n, place, after)),
        }
    }
}

/// Where two rows that should be one differ most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Number of the unit, in C order.
    pub unit: usize,
    /// Its value in the one row.
    pub one: f64,
    /// Its value in the other.
    pub other: f64,
}

impl Difference {
    fn size(self) -> f64 {
        // One of them is no number, the other is, or they are infinities of both signs.
        let size = (self.one - self.other).abs();
        if size.is_nan() { f64::INFINITY } else { size }
    }
}

/// The unit in which two rows differ by more than rounding between batches of one size, if any does.
///
/// `nudge` says how far each unit moves when the picture changes in its last digit; it is asked only where it matters.
pub fn differ_in_place(
    one: &Numbers,
    other: &Numbers,
    precision: Precision,
    nudge: impl FnMut() -> Vec<f64>,
) -> Option<Difference> {
    differ(one, other, (precision.in_place(), Some(OF_ITSELF)), nudge)
}

/// The unit in which two rows differ by more than rounding between batches of different size, if any does.
pub fn differ_between_sizes(
    one: &Numbers,
    other: &Numbers,
    precision: Precision,
    nudge: impl FnMut() -> Vec<f64>,
) -> Option<Difference> {
    differ(one, other, (precision.between_sizes(), None), nudge)
}

/// How far each unit of a row moves.
pub fn movements(one: &Numbers, other: &Numbers) -> Vec<f64> {
    let size = |unit| Difference { unit, one: one.at(unit), other: other.at(unit) }.size();
    (0..one.len().min(other.len())).map(size).map(|size| if size.is_finite() { size } else { 0.0 }).collect()
}

fn differ(
    one: &Numbers,
    other: &Numbers,
    (of_largest, of_itself): (f64, Option<f64>),
    mut nudge: impl FnMut() -> Vec<f64>,
) -> Option<Difference> {
    if one == other {
        return None;
    }
    if one.len() != other.len() {
        let unit = one.len().min(other.len());
        return Some(Difference { unit, one: one.len() as f64, other: other.len() as f64 });
    }
    let values = (0..one.len()).flat_map(|i| [one.at(i).abs(), other.at(i).abs()]);
    let largest = values.filter(|v| v.is_finite()).fold(0.0, f64::max);
    let differing = (0..one.len()).map(|unit| Difference { unit, one: one.at(unit), other: other.at(unit) });
    let beyond = |found: Difference, moved: &[f64], most: f64| {
        let beside_largest = found.size() / (of_largest * largest).max(ROUNDING * most);
        let itself = of_itself.map_or(0.0, |part| {
            let own = moved.get(found.unit).copied().unwrap_or(0.0);
            found.size() / (part * found.one.abs().max(found.other.abs())).max(ROUNDING * own)
        });
        beside_largest.max(itself)
    };
    let is_other = |found: &Difference| found.one != found.other && !(found.one.is_nan() && found.other.is_nan());
    let beyond_rounding: Vec<Difference> =
        differing.filter(is_other).filter(|&found| beyond(found, &[], 0.0) > 1.0).collect();
    if beyond_rounding.is_empty() {
        return None;
    }
    let moved = nudge();
    let most = moved.iter().copied().fold(0.0, f64::max);
    let worst = beyond_rounding
        .into_iter()
        .map(|found| (beyond(found, &moved, most), found))
        .filter(|(excess, _)| *excess > 1.0)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    worst.map(|(_, found)| found)
}

/// How a row depends on more than its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It differs from one run to the next.
    Chance,
    /// It differs with the pictures beside it.
    Company,
    /// It differs with the number of pictures, or with its place among them.
    Size,
}

/// What the check says of a layer.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Each row is one picture's.
    Fine,
    /// It gives no row per picture: why, and whether what it gives depends on which pictures come together.
    NoRows {
        /// Why.
        reason: String,
        /// It holds something of several pictures.
        mixed: bool,
    },
    /// A row depends on more than its picture.
    Coupled(Kind, Difference),
}

impl Verdict {
    /// Whether pictures meet in the layer, or chance.
    pub fn is_mixed(&self) -> bool {
        match self {
            Self::Fine => false,
            Self::NoRows { mixed, .. } => *mixed,
            Self::Coupled(..) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe() -> Probe {
        let one = |v: f32| Batch::F32(vec![v, v]);
        Probe { picture: one(9.0), others: [one(1.0), one(2.0), one(3.0), one(4.0)] }
    }

    #[test]
    fn the_same_picture_stands_in_the_same_place_of_two_companies() {
        let of = |which, n| probe().company(which, n).to_f32().iter().step_by(2).copied().collect::<Vec<_>>();
        assert_eq!(of(0, 3), [1.0, 9.0, 2.0]);
        assert_eq!(of(2, 5), [1.0, 3.0, 4.0, 4.0, 4.0]);
        assert_eq!(of(1, 2), [3.0, 9.0]);
        for (place, one, other) in SAME {
            assert_eq!(of(one, 3)[place], of(other, 3)[place]);
        }
        // Whoever it is, one company does without.
        for somebody in 0..5 {
            assert!(COMPANIES.iter().any(|company| !company.contains(&somebody)));
        }
    }

    #[test]
    fn rounding_passes_and_what_is_larger_does_not() {
        let row = |values: &[f32]| Numbers::F32(values.to_vec());
        let still = Vec::new;
        let large = row(&[1000.0, 0.5, f32::NAN]);
        assert_eq!(differ_in_place(&large, &large.clone(), Precision::Single, still), None);
        assert_eq!(differ_in_place(&large, &row(&[1000.0005, 0.5, f32::NAN]), Precision::Single, still), None);
        let moved = differ_in_place(&large, &row(&[1000.01, 0.5, f32::NAN]), Precision::Single, still);
        assert_eq!(moved.map(|d| d.unit), Some(0));
        // Small beside the largest, but not beside itself.
        let small = row(&[1000.0, 0.5009, f32::NAN]);
        assert_eq!(differ_in_place(&large, &small, Precision::Single, still).map(|d| d.unit), Some(1));
        assert_eq!(
            differ_in_place(&large, &small, Precision::Single, || vec![0.0, 1e-3]),
            None,
            "as rounding moves it too"
        );
        let elsewhere = differ_in_place(&large, &small, Precision::Single, || vec![1.0, 0.0]);
        assert_eq!(elsewhere.map(|d| d.unit), Some(1), "another unit's rounding is no reason");
        assert_eq!(differ_between_sizes(&large, &small, Precision::Single, still), None);
        let no_number = row(&[1000.0, f32::NAN, f32::NAN]);
        assert_eq!(differ_between_sizes(&large, &no_number, Precision::Half, || vec![1e9]).map(|d| d.unit), Some(1));
        let wide = |v| Numbers::F64(vec![v]);
        assert_eq!(differ_in_place(&wide(0.0), &wide(0.0), Precision::Single, still), None);
        assert!(differ_in_place(&wide(0.0), &wide(1e-300), Precision::Single, still).is_some());
    }

    #[test]
    fn rows_are_taken_from_between_others() {
        // Two blocks of three pictures with two values each.
        let values = Numbers::F32((0..12u8).map(f32::from).collect());
        assert_eq!(values.row((3, 1), 2), Numbers::F32(vec![2.0, 3.0, 8.0, 9.0]));
        assert_eq!(values.row((3, 2), 4), Numbers::F32(vec![8.0, 9.0, 10.0, 11.0]));
    }
}
