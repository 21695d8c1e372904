//! Resizing pictures the way Pillow does, bit for bit.
//!
//! Pillow's convolution resampling (the one behind `Image.resize` and, through it, torchvision's
//! `Resize` on pictures) widens the filter by the downscale factor (antialiasing), normalises the
//! weights of every output pixel to sum 1, rounds them to 22 fractional bits, and filters rows
//! first, columns second, with an 8-bit clipped picture in between. Each of these choices is
//! visible in the last bit, so each is followed here. Nearest neighbour is Pillow's too: it walks
//! the picture by adding the step, so rounding errors add up as they do there.
//!
//! An output pixel depends on nothing but its own weights; a centre crop is therefore taken by
//! computing only the wanted window of the resized picture.

use crate::picture::Picture;
use std::ops::Range;

/// How a picture is interpolated when its size changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    // An axis that keeps its length is left alone, also where a filter would blur it.
    let vertical =
        (height != picture.height).then(|| Weights::new(picture.height, height, rows.clone(), interpolation));
    let needed = match &vertical {
        None => rows,
        Some(weights) => {
            let first = weights.bounds.iter().map(|b| b.0).min().unwrap_or(0);
            let last = weights.bounds.iter().map(|b| b.0 + b.1).max().unwrap_or(0);
            first..last
        }
    };
    let across = if width == picture.width {
        picture.window(columns, needed.clone())
    } else {
        let weights = Weights::new(picture.width, width, columns, interpolation);
        filter_rows(picture, &weights, needed.clone())
    };
    match vertical {
        None => across,
        Some(weights) => filter_columns(&across, &weights, needed.start),
    }
}

/// `rows` of the picture, each filtered along its length.
fn filter_rows(picture: &Picture, weights: &Weights, rows: Range<usize>) -> Picture {
    let (width, height) = (weights.bounds.len(), rows.len());
    let mut rgb = vec![0u8; width * height * 3];
    // One byte behind the row, so that every pixel can be read as four.
    let mut padded = vec![0u8; picture.width * 3 + 1];
    for (out, y) in rgb.chunks_exact_mut(width * 3).zip(rows) {
        padded[..picture.width * 3].copy_from_slice(picture.row(y));
        widest(|| filter_row(&padded, weights, out), || filter_row_avx2(&padded, weights, out));
    }
    Picture { width, height, rgb }
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
