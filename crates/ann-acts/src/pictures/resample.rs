//! Resizing pictures the way Pillow does, bit for bit.
//!
//! Pillow's convolution resampling (the one behind `Image.resize` and, through it, torchvision's
//! `Resize` on pictures) widens the filter by the downscale factor (antialiasing), normalises the
//! weights of every output pixel to sum 1, rounds them to 22 fractional bits, and filters rows
//! first, columns second, with an 8-bit clipped picture in between. Since version 13 it filters
//! columns first where the height shrinks by more than twice as many pixels as the width
//! ([`columns_first`]); the versions before differ there by one grey level. Each of these choices
//! is visible in the last bit, so each is followed here. Nearest neighbour is Pillow's too: it walks
//! the picture by adding the step, so rounding errors add up as they do there.
//!
//! An output pixel depends on nothing but its own weights; a centre crop is therefore taken by
//! computing only the wanted window of the resized picture.

use crate::pictures::Picture;
use std::ops::Range;

#[cfg(target_arch = "x86_64")]
mod wide;

/// How a picture is interpolated when its size changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Interpolation {
    /// The nearest pixel; no antialiasing.
    Nearest,
    /// Mean over the output pixel's footprint.
    Box,
    /// Triangle, support 1.
    Bilinear,
    /// Hamming-windowed sinc, support 1.
    Hamming,
    /// Cubic convolution with a = -0.5, support 2.
    Bicubic,
    /// Lanczos-windowed sinc, support 3.
    Lanczos,
}

impl Interpolation {
    /// The name used on the command line and in sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nearest => "nearest",
            Self::Box => "box",
            Self::Bilinear => "bilinear",
            Self::Hamming => "hamming",
            Self::Bicubic => "bicubic",
            Self::Lanczos => "lanczos",
        }
    }

    /// Half the width of the filter, in input pixels, when nothing is scaled down.
    fn support(self) -> f64 {
        match self {
            Self::Nearest | Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let distance = x.abs();
        match self {
            Self::Nearest | Self::Box => f64::from(x > -0.5 && x <= 0.5),
            Self::Bilinear => (1.0 - distance).max(0.0),
            Self::Hamming => {
                if distance == 0.0 {
                    1.0
                } else if distance >= 1.0 {
                    0.0
                } else {
                    let x = distance * std::f64::consts::PI;
                    // Pillow writes these two constants in single precision, and it shows.
                    x.sin() / x * (f64::from(0.54f32) + f64::from(0.46f32) * x.cos())
                }
            }
            Self::Bicubic => {
                const A: f64 = -0.5;
                let x = distance;
                if x < 1.0 {
                    ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
                } else if x < 2.0 {
                    (((x - 5.0) * x + 8.0) * x - 4.0) * A
                } else {
                    0.0
                }
            }
            Self::Lanczos => {
                if (-3.0..3.0).contains(&x) {
                    sinc(x) * sinc(x / 3.0)
                } else {
                    0.0
                }
            }
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}

/// Fractional bits of a weight: 32, less 8 for the pixel, less 2 against overflow by negative lobes.
const PRECISION_BITS: u32 = 22;

/// The weights of a window of output positions along one axis.
struct Weights {
    /// First input position and number of weights, per output position.
    bounds: Vec<(usize, usize)>,
    /// `n_taps` weights per output position, the unused ones 0.
    fixed: Vec<i32>,
    n_taps: usize,
}

impl Weights {
    fn new(n_in: usize, n_out: usize, window: Range<usize>, interpolation: Interpolation) -> Self {
        let scale = n_in as f64 / n_out as f64;
        let filter_scale = scale.max(1.0);
        let support = interpolation.support() * filter_scale;
        let n_taps = support.ceil() as usize * 2 + 1;
        let mut bounds = Vec::with_capacity(window.len());
        let mut fixed = vec![0i32; window.len() * n_taps];
        let mut weights = vec![0f64; n_taps];
        // Multiplied by the reciprocal, as Pillow does: dividing rounds differently.
        let inverse = 1.0 / filter_scale;
        for (slot, position) in fixed.chunks_exact_mut(n_taps).zip(window) {
            let centre = (position as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let last = ((centre + support + 0.5) as usize).min(n_in);
            let n = last - first;
            let mut sum = 0.0;
            for (i, weight) in weights[..n].iter_mut().enumerate() {
                *weight = interpolation.weight(((i + first) as f64 - centre + 0.5) * inverse);
                sum += *weight;
            }
            for (fixed, weight) in slot.iter_mut().zip(&weights[..n]) {
                let weight = if sum == 0.0 { *weight } else { weight / sum };
                let scaled = weight * f64::from(1u32 << PRECISION_BITS);
                *fixed = (scaled + if scaled < 0.0 { -0.5 } else { 0.5 }) as i32;
            }
            bounds.push((first, n));
        }
        Self { bounds, fixed, n_taps }
    }

    /// The input positions that any weight is for.
    fn span(&self) -> Range<usize> {
        let first = self.bounds.iter().map(|b| b.0).min().unwrap_or(0);
        let last = self.bounds.iter().map(|b| b.0 + b.1).max().unwrap_or(0);
        first..last
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.bounds
            .iter()
            .zip(self.fixed.chunks_exact(self.n_taps))
            .map(|(&(first, n), weights)| (first, &weights[..n]))
    }
}

/// Half a unit of the last place kept, so that shifting rounds.
const HALF: i32 = 1 << (PRECISION_BITS - 1);

fn clip(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// The window `columns` x `rows` of `picture` resized to `width` x `height` pixels.
///
/// `columns` lies in `0..width` and `rows` in `0..height`; the whole resized picture is
/// `0..width`, `0..height`. No side may be 0.
pub fn resize_window(
    picture: &Picture,
    (width, height): (usize, usize),
    interpolation: Interpolation,
    columns: Range<usize>,
    rows: Range<usize>,
) -> Picture {
    debug_assert!(columns.end <= width && rows.end <= height);
    if interpolation == Interpolation::Nearest {
        return nearest_window(picture, (width, height), columns, rows);
    }
    if columns_first(picture, width, height) {
        let weights = Weights::new(picture.height, height, rows.clone(), interpolation);
        let needed = weights.span();
        let down = filter_columns(&picture.window(0..picture.width, needed.clone()), &weights, needed.start);
        if width == picture.width {
            return down.window(columns, 0..rows.len());
        }
        return filter_rows(&down, &Weights::new(picture.width, width, columns, interpolation), 0..rows.len());
    }
    // An axis that keeps its length is left alone, also where a filter would blur it.
    let vertical =
        (height != picture.height).then(|| Weights::new(picture.height, height, rows.clone(), interpolation));
    let needed = vertical.as_ref().map_or(rows, Weights::span);
    let across = if width == picture.width {
        picture.window(columns, needed.clone())
    } else {
        filter_rows(picture, &Weights::new(picture.width, width, columns, interpolation), needed.clone())
    };
    match vertical {
        None => across,
        Some(weights) => filter_columns(&across, &weights, needed.start),
    }
}

/// Pillow's rule since version 13 for filtering columns before rows.
fn columns_first(picture: &Picture, width: usize, height: usize) -> bool {
    height < picture.height && picture.height - height > 2 * picture.width.saturating_sub(width)
}

/// Defines `$name` so that it runs with AVX2 where the processor has it: the same integer sums,
/// eight at a time.
macro_rules! with_avx2 {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $kind:ty),*) -> $out:ty; $plain:ident, $wide:ident) => {
        $(#[$doc])*
        fn $name($($arg: $kind),*) -> $out {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn $wide($($arg: $kind),*) -> $out {
                    $plain($($arg),*)
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has just said that it has AVX2, and nothing else is asked of it.
                    return unsafe { $wide($($arg),*) };
                }
            }
            $plain($($arg),*)
        }
    };
}

/// `rows` of the picture, each filtered along its length.
fn filter_rows(picture: &Picture, weights: &Weights, rows: Range<usize>) -> Picture {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has just said that it has AVX2, and nothing else is asked of it.
        return unsafe { wide::filter_rows(picture, weights, rows) };
    }
    filter_rows_plain(picture, weights, rows)
}

with_avx2! {
    /// The picture filtered down its columns; its first row is row `offset` of what `weights` index.
    fn filter_columns(picture: &Picture, weights: &Weights, offset: usize) -> Picture; filter_columns_plain, filter_columns_avx2
}

fn filter_rows_plain(picture: &Picture, weights: &Weights, rows: Range<usize>) -> Picture {
    let (width, height) = (weights.bounds.len(), rows.len());
    let mut rgb = vec![0u8; width * height * 3];
    // One byte behind the row, so that each of its pixels can be read as four.
    let mut padded = vec![0u8; picture.width * 3 + 1];
    for (out, y) in rgb.chunks_exact_mut(width * 3).zip(rows) {
        padded[..picture.width * 3].copy_from_slice(picture.row(y));
        for (pixel, (first, weights)) in out.chunks_exact_mut(3).zip(weights.iter()) {
            let mut sums = [HALF; 4];
            let taps = &padded[first * 3..(first + weights.len()) * 3 + 1];
            for (tap, &weight) in taps.windows(4).step_by(3).zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(tap) {
                    *sum += i32::from(value) * weight;
                }
            }
            for (value, sum) in pixel.iter_mut().zip(sums) {
                *value = clip(sum);
            }
        }
    }
    Picture { width, height, rgb }
}

#[inline(always)]
fn filter_columns_plain(picture: &Picture, weights: &Weights, offset: usize) -> Picture {
    let height = weights.bounds.len();
    let stride = picture.width * 3;
    let mut rgb = vec![0u8; height * stride];
    let mut sums = vec![0i32; stride];
    for (out, (first, weights)) in rgb.chunks_exact_mut(stride).zip(weights.iter()) {
        sums.fill(HALF);
        for (i, &weight) in weights.iter().enumerate() {
            for (sum, &value) in sums.iter_mut().zip(picture.row(first - offset + i)) {
                *sum += i32::from(value) * weight;
            }
        }
        for (value, &sum) in out.iter_mut().zip(&sums) {
            *value = clip(sum);
        }
    }
    Picture { width: picture.width, height, rgb }
}

fn nearest_window(
    picture: &Picture,
    (width, height): (usize, usize),
    columns: Range<usize>,
    rows: Range<usize>,
) -> Picture {
    let xs = nearest_positions(picture.width, width);
    let ys = nearest_positions(picture.height, height);
    let mut rgb = Vec::with_capacity(columns.len() * rows.len() * 3);
    for &y in &ys[rows.clone()] {
        let row = picture.row(y);
        for &x in &xs[columns.clone()] {
            rgb.extend_from_slice(&row[x * 3..x * 3 + 3]);
        }
    }
    Picture { width: columns.len(), height: rows.len(), rgb }
}

/// The input position that each output position takes, by Pillow's running sum.
fn nearest_positions(n_in: usize, n_out: usize) -> Vec<usize> {
    let step = n_in as f64 / n_out as f64;
    let mut at = step * 0.5;
    (0..n_out)
        .map(|_| {
            let position = (at as usize).min(n_in - 1);
            at += step;
            position
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Interpolation; 6] = [
        Interpolation::Nearest,
        Interpolation::Box,
        Interpolation::Bilinear,
        Interpolation::Hamming,
        Interpolation::Bicubic,
        Interpolation::Lanczos,
    ];

    fn grey(width: usize, height: usize, levels: impl IntoIterator<Item = u8>) -> Picture {
        Picture { width, height, rgb: levels.into_iter().flat_map(|level| [level; 3]).collect() }
    }

    /// Red of every pixel after resizing the whole picture.
    fn resized(picture: &Picture, size: (usize, usize), interpolation: Interpolation) -> Vec<u8> {
        let out = resize_window(picture, size, interpolation, 0..size.0, 0..size.1);
        assert_eq!((out.width, out.height), size);
        out.rgb.iter().step_by(3).copied().collect()
    }

    /// Halving a row of four. Bilinear: each output sees three inputs with weights 3/7, 3/7, 1/7 (the widened
    /// triangle gives .75, .75, .25): (0*3 + 100*3 + 200) / 7 = 71.4 and (100 + 200*3 + 40*3) / 7 = 117.1.
    #[test]
    fn halving_a_row_by_hand() {
        let row = grey(4, 1, [0, 100, 200, 40]);
        let column = grey(1, 4, [0, 100, 200, 40]);
        for (interpolation, expected) in
            [(Interpolation::Bilinear, [71, 117]), (Interpolation::Box, [50, 120]), (Interpolation::Nearest, [100, 40])]
        {
            assert_eq!(resized(&row, (2, 1), interpolation), expected, "{}", interpolation.name());
            assert_eq!(resized(&column, (1, 2), interpolation), expected, "{}", interpolation.name());
        }
    }

    /// Doubling with a = -0.5: the centre of output 1 lies .25 beyond input 0, so with the edge cut off its weights
    /// are those of distances .25 and .75 (.8671875 and .2265625) and 1.75 (-.0234375) over their sum 1.0703125.
    #[test]
    fn bicubic_weights_by_hand() {
        let row = grey(4, 1, [0, 64, 128, 255]);
        let out = resized(&row, (8, 1), Interpolation::Bicubic);
        let expected = (64.0 * 0.226_562_5 - 128.0 * 0.023_437_5) / 1.070_312_5;
        assert_eq!(f64::from(out[1]), f64::round(expected));
    }

    #[test]
    fn an_even_picture_stays_even() {
        for interpolation in ALL {
            for level in [0, 1, 77, 254, 255] {
                let picture = grey(13, 9, std::iter::repeat_n(level, 13 * 9));
                for size in [(5, 4), (1, 1), (40, 31), (13, 3), (3, 9)] {
                    let out = resized(&picture, size, interpolation);
                    assert!(out.iter().all(|&v| v == level), "{} {size:?} {level}", interpolation.name());
                }
            }
        }
    }

    /// The obvious way: every weight anew for every pixel, all of the picture, one axis after the other.
    fn slow_twin(picture: &Picture, (width, height): (usize, usize), interpolation: Interpolation) -> Picture {
        let line = |values: &[u8], n_out: usize| -> Vec<u8> {
            if values.len() == n_out {
                return values.to_vec();
            }
            let weights = Weights::new(values.len(), n_out, 0..n_out, interpolation);
            let sum = |(first, weights): (usize, &[i32])| -> i64 {
                weights.iter().zip(&values[first..]).map(|(&w, &v)| i64::from(w) * i64::from(v)).sum()
            };
            weights.iter().map(|w| ((sum(w) + (1 << 21)) >> 22).clamp(0, 255) as u8).collect()
        };
        let across = |picture: &Picture| {
            let mut out = Picture { width, height: picture.height, rgb: vec![0; width * picture.height * 3] };
            for y in 0..picture.height {
                for c in 0..3 {
                    let values: Vec<u8> = picture.row(y).iter().skip(c).step_by(3).copied().collect();
                    line(&values, width).iter().enumerate().for_each(|(x, &v)| out.rgb[(y * width + x) * 3 + c] = v);
                }
            }
            out
        };
        let down = |picture: &Picture| {
            let stride = picture.width * 3;
            let mut out = Picture { width: picture.width, height, rgb: vec![0; stride * height] };
            for x in 0..stride {
                let values: Vec<u8> = (0..picture.height).map(|y| picture.rgb[y * stride + x]).collect();
                line(&values, height).iter().enumerate().for_each(|(y, &v)| out.rgb[y * stride + x] = v);
            }
            out
        };
        let shrinks_more = picture.height as i64 - height as i64 > 2 * (picture.width as i64 - width as i64);
        if shrinks_more && height < picture.height { across(&down(picture)) } else { down(&across(picture)) }
    }

    /// From 100x100, Pillow 13 changes its order between these sizes (width, height).
    #[test]
    fn columns_come_first_where_the_height_shrinks_by_more_than_twice_as_much() {
        let picture = grey(100, 100, std::iter::repeat_n(0, 10_000));
        for (width, first, last) in [(55, 9, 10), (80, 59, 60), (99, 97, 98), (100, 99, 100), (150, 99, 100)] {
            assert!(columns_first(&picture, width, first) && !columns_first(&picture, width, last), "{width}");
        }
        assert!(!columns_first(&picture, 50, 1));
        assert!(!columns_first(&picture, 150, 120));
    }

    /// 3000 pixels in one: more taps than a sum of 15-bit halves could hold without wrapping around.
    #[test]
    fn rows_filtered_at_once_equal_rows_filtered_plainly() {
        let mut state = 7u32;
        for (width, n_out) in [(3000, 1), (700, 3), (64, 64), (5, 9), (4, 1), (1, 1), (97, 31)] {
            let rgb = (0..width * 3 * 3).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8 | 0x80
            });
            let picture = Picture { width, height: 3, rgb: rgb.collect() };
            for interpolation in ALL.into_iter().skip(1) {
                let weights = Weights::new(width, n_out, 0..n_out, interpolation);
                let fast = filter_rows(&picture, &weights, 0..3);
                assert_eq!(fast, filter_rows_plain(&picture, &weights, 0..3), "{} {width}", interpolation.name());
            }
        }
    }

    #[test]
    fn fast_paths_and_windows_equal_the_slow_twin() {
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let picture = Picture { width: 23, height: 17, rgb: (0..23 * 17 * 3).map(|_| noise()).collect() };
        for interpolation in ALL.into_iter().skip(1) {
            for size in [(7, 5), (23, 6), (9, 17), (50, 40), (1, 1), (30, 4), (21, 9), (22, 1)] {
                let whole = slow_twin(&picture, size, interpolation);
                let fast = resize_window(&picture, size, interpolation, 0..size.0, 0..size.1);
                assert_eq!(fast, whole, "{} {size:?}", interpolation.name());
                let (columns, rows) = (size.0 / 3..size.0 - size.0 / 4, size.1 / 4..size.1 - size.1 / 3);
                let window = resize_window(&picture, size, interpolation, columns.clone(), rows.clone());
                assert_eq!(window, whole.window(columns, rows), "{} {size:?}", interpolation.name());
            }
        }
    }
}
