//! What turns the values of a row into its coordinates.

use linear_algebra::Real;
use statistics::Reason;

use super::pairwise::Raise;

/// What is done to a row before squared distances are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    AsItIs,
    /// Scaled to length 1.
    Direction,
    /// Centred and scaled to length 1.
    Profile,
}

/// A value of a row becomes the coordinate `((x - first) * unit - mean) * gain`.
///
/// Subtracting a value of the row itself keeps the digits of small differences on a large offset, and the
/// factor `unit`, a power of two, keeps squares of very large or small numbers in range.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) first: f64,
    unit: f64,
    mean: f64,
    gain: f64,
    /// About the largest coordinate of the row.
    pub largest: f64,
    /// The largest distance of a value from `first`.
    pub spread: f64,
    /// The same for equal rows, and hardly ever for others.
    pub mark: f64,
    /// How far the vector of coordinates may be from the exact one, as a length.
    pub error: f64,
}

impl Scale {
    #[inline(always)]
    pub fn apply<T: Real>(&self, x: T) -> f64 {
        ((x.to_f64() - self.first) * self.unit - self.mean) * self.gain
    }

    /// Coordinates in another unit, for rows that are left as they are.
    pub fn rescale(&mut self, unit: f64) {
        self.unit = unit;
        self.largest *= unit;
    }

    /// The length that the row had before it was scaled to 1.
    pub fn length(&self) -> f64 {
        1.0 / (self.gain * self.unit)
    }

    /// The largest magnitude of a value, in the unit of the coordinates.
    pub fn raw_size(&self) -> f64 {
        (self.first.abs() + self.spread) * self.unit * self.gain
    }

    pub fn of_row<T: Real>(row: &[T], standing: Standing) -> Result<Scale, Reason> {
        let first = if standing == Standing::Profile { row[0].to_f64() } else { 0.0 };
        let sweep = First::of(row, first);
        let spread = sweep.largest;
        // An offset that all rows have would hide the rest of the mark, so it is put in by itself.
        let mark = sweep.mark + 0.6180339887498949 * first;
        // 0 x is 0 for every number but NaN and infinity.
        if sweep.zero != 0.0 {
            return Err(Reason::NanInput);
        }
        if standing == Standing::AsItIs {
            // Nothing has been done to them.
            let error = 0.0;
            return Ok(Scale { first: 0.0, unit: 1.0, mean: 0.0, gain: 1.0, largest: spread, spread, mark, error });
        }
        if sweep.largest == 0.0 {
            return Err(Reason::Constant);
        }
        let unit = power_of_two_below_inverse(sweep.largest);
        let n = row.len() as f64;
        let mut mean = 0.0;
        if standing == Standing::Profile {
            let sum = if (1e-100..1e100).contains(&sweep.largest) {
                sweep.sum * unit
            } else {
                // The plain sum may have left the range of numbers.
                lane_sum(row, |x| (x - first) * unit)
            };
            mean = sum / n;
        }
        let second = Second::of(row, first, unit, mean);
        // The rounding of the first mean is itself averaged away.
        let rest = if standing == Standing::Profile { second.sum / n } else { 0.0 };
        let length = (second.squares - n * rest * rest).sqrt();
        let gain = 1.0 / length;
        let largest = (second.largest + rest.abs()) * gain;
        // Sums of n / LANES terms round by at most so many units, and so does every coordinate a few times.
        let error = (n / LANES as f64 + 16.0) * f64::EPSILON / 2.0;
        Ok(Scale { first, unit, mean: mean + rest, gain, largest, spread, mark, error })
    }
}

/// The power of two that brings numbers up to `largest` into -2..2; powers of two lose no digit.
pub(super) fn power_of_two_below_inverse(largest: f64) -> f64 {
    2.0f64.powi(-largest.log2().floor().clamp(-1000.0, 1000.0) as i32)
}

/// Additions that do not wait for each other; a fixed number, so that the sum is the same everywhere.
pub(super) const LANES: usize = 16;

pub(super) fn lane_sum<T: Real>(row: &[T], value: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    for chunk in row.chunks(LANES) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += value(x.to_f64());
        }
    }
    lanes.into_iter().sum()
}

/// Runs one body with the registers of AVX2 where the processor has them. Multiplication and addition are not fused,
/// so the bytes are the same either way.
macro_rules! wide {
    ($(#[$doc:meta])* $vis:vis fn $name:ident<$t:ident: Real>($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        $vis fn $name<$t: Real>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn plain<$t: Real>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2")]
            fn avx2<$t: Real>($($arg: $ty),*) $(-> $ret)? {
                plain($($arg),*)
            }

            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has just said that it has AVX2.
                return unsafe { avx2($($arg),*) };
            }
            plain($($arg),*)
        }
    };
}

/// What the first pass over a row finds out.
struct First {
    /// 0 unless a value is NaN or infinite.
    zero: f64,
    /// The largest distance from the first value.
    largest: f64,
    /// The sum of the differences from it.
    sum: f64,
    /// The sum of them with weights that depend on the place.
    mark: f64,
}

impl First {
    fn of<T: Real>(row: &[T], first: f64) -> First {
        let (zero, largest, sum, mark) = first_pass(row, first);
        First { zero, largest, sum, mark }
    }
}

/// Weights of the places in a mark: of the chunks in turn, and of the values in a chunk.
const CHUNK_WEIGHTS: [f64; 8] = [1.0, -0.7320517, 1.4143157, 0.5773519, -1.2599229, 0.8414733, 1.7724571, -0.6932113];
const LANE_WEIGHTS: [f64; LANES] = [
    1.0, 1.1180339, 0.9128709, -1.3228756, 0.6614378, 1.4790199, -0.8660254, 1.2247448, -1.5811388, 0.7072069,
    1.6583123, -0.5590169, 1.8708286, 1.0606601, -1.9364916, 0.4330127,
];

wide! {
    fn first_pass<T: Real>(row: &[T], first: f64) -> (f64, f64, f64, f64) {
        let (mut zero, mut largest, mut sum) = ([0.0f64; LANES], [0.0f64; LANES], [0.0f64; LANES]);
        let mut mark = [0.0f64; LANES];
        let mut one = |k: usize, x: f64, weight: f64| {
            let difference = x - first;
            zero[k] += x * 0.0;
            sum[k] += difference;
            mark[k] += difference * weight;
            let size = difference.abs();
            largest[k] = if size > largest[k] { size } else { largest[k] };
        };
        let (chunks, rest) = row.as_chunks::<LANES>();
        for (chunk, weight) in chunks.iter().zip(CHUNK_WEIGHTS.into_iter().cycle()) {
            for (k, x) in chunk.iter().enumerate() {
                one(k, x.to_f64(), weight);
            }
        }
        rest.iter().enumerate().for_each(|(k, x)| one(k, x.to_f64(), 0.3));
        let mark = mark.into_iter().zip(LANE_WEIGHTS).map(|(sum, weight)| sum * weight).sum();
        (zero.into_iter().sum(), largest.into_iter().fold(0.0, f64::max), sum.into_iter().sum(), mark)
    }
}

/// What the second pass over a row finds out, of `(x - first) * unit - mean`.
struct Second {
    sum: f64,
    squares: f64,
    largest: f64,
}

impl Second {
    fn of<T: Real>(row: &[T], first: f64, unit: f64, mean: f64) -> Second {
        let (sum, squares, largest) = second_pass(row, first, unit, mean);
        Second { sum, squares, largest }
    }
}

wide! {
    fn second_pass<T: Real>(row: &[T], first: f64, unit: f64, mean: f64) -> (f64, f64, f64) {
        let (mut sum, mut squares, mut largest) = ([0.0f64; LANES], [0.0f64; LANES], [0.0f64; LANES]);
        let mut one = |k: usize, x: f64| {
            let value = (x - first) * unit - mean;
            sum[k] += value;
            squares[k] += value * value;
            let size = value.abs();
            largest[k] = if size > largest[k] { size } else { largest[k] };
        };
        let (chunks, rest) = row.as_chunks::<LANES>();
        for chunk in chunks {
            for (k, x) in chunk.iter().enumerate() {
                one(k, x.to_f64());
            }
        }
        rest.iter().enumerate().for_each(|(k, x)| one(k, x.to_f64()));
        (sum.into_iter().sum(), squares.into_iter().sum(), largest.into_iter().fold(0.0, f64::max))
    }
}

wide! {
    /// Adds the coordinates of a row to the sums over rows.
    pub(super) fn add_coordinates<T: Real>(sums: &mut [f64], row: &[T], scale: &Scale) {
        for (sum, x) in sums.iter_mut().zip(row) {
            *sum += scale.apply(*x);
        }
    }
}

wide! {
    /// Values become coordinates minus the means over rows, times `range`.
    pub(super) fn to_coordinates<T: Real>(row: &mut [T], scale: &Scale, means: &[f64], range: f64) {
        for (x, mean) in row.iter_mut().zip(means) {
            *x = T::from_f64((scale.apply(*x) - mean) * range);
        }
    }
}

wide! {
    /// The squared distance of two rows, coordinate by coordinate.
    pub(super) fn squared_distance<T: Real>(a: &[T], scale_a: &Scale, b: &[T], scale_b: &Scale) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for k in 0..LANES {
                let difference = scale_a.apply(a[k]) - scale_b.apply(b[k]);
                lanes[k] += difference * difference;
            }
        }
        for (lane, (a, b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
            let difference = scale_a.apply(*a) - scale_b.apply(*b);
            *lane += difference * difference;
        }
        lanes.into_iter().sum()
    }
}

wide! {
    /// The sum of absolute differences of two rows.
    pub(super) fn absolute_distance<T: Real>(a: &[T], b: &[T]) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for k in 0..LANES {
                lanes[k] += (a[k].to_f64() - b[k].to_f64()).abs();
            }
        }
        for (lane, (a, b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
            *lane += (a.to_f64() - b.to_f64()).abs();
        }
        lanes.into_iter().sum()
    }
}

wide! {
    /// The largest absolute difference of two rows.
    pub(super) fn largest_difference<T: Real>(a: &[T], b: &[T]) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let mut one = |k: usize, a: T, b: T| {
            let size = (a.to_f64() - b.to_f64()).abs();
            lanes[k] = if size > lanes[k] { size } else { lanes[k] };
        };
        let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for k in 0..LANES {
                one(k, a[k], b[k]);
            }
        }
        a_rest.iter().zip(b_rest).enumerate().for_each(|(k, (a, b))| one(k, *a, *b));
        lanes.into_iter().fold(0.0, f64::max)
    }
}

wide! {
    /// The sum of powers of `unit` times the absolute differences of two rows.
    pub(super) fn sum_of_powers<T: Real>(a: &[T], b: &[T], unit: f64, raise: Raise) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        let mut sizes = [0.0f64; LANES];
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for k in 0..LANES {
                sizes[k] = (a[k].to_f64() - b[k].to_f64()).abs() * unit;
            }
            raise.apply(&mut sizes);
            for k in 0..LANES {
                lanes[k] += sizes[k];
            }
        }
        // 0 to any power above 0 is 0.
        sizes = [0.0; LANES];
        for (size, (a, b)) in sizes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
            *size = (a.to_f64() - b.to_f64()).abs() * unit;
        }
        raise.apply(&mut sizes);
        lanes.iter().zip(sizes).map(|(lane, size)| lane + size).sum()
    }
}

wide! {
    /// How many values of two rows differ.
    pub(super) fn differing<T: Real>(a: &[T], b: &[T]) -> u32 {
        let mut lanes = [0u32; LANES];
        let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for k in 0..LANES {
                lanes[k] += u32::from(a[k] != b[k]);
            }
        }
        let rest: u32 = a_rest.iter().zip(b_rest).map(|(a, b)| u32::from(a != b)).sum();
        lanes.into_iter().sum::<u32>() + rest
    }
}

wide! {
    /// In how many places exactly one of two rows is other than 0, and in how many at least one is.
    pub(super) fn differing_and_either<T: Real>(a: &[T], b: &[T]) -> (u32, u32) {
        let (mut differing, mut either) = ([0u32; LANES], [0u32; LANES]);
        let zero = T::default();
        let mut one = |k: usize, a: T, b: T| {
            let (a, b) = (a != zero, b != zero);
            differing[k] += u32::from(a ^ b);
            either[k] += u32::from(a | b);
        };
        let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for k in 0..LANES {
                one(k, a[k], b[k]);
            }
        }
        a_rest.iter().zip(b_rest).enumerate().for_each(|(k, (a, b))| one(k, *a, *b));
        (differing.into_iter().sum(), either.into_iter().sum())
    }
}
