//! Filtering rows with AVX2: the sums of the plain loop, four taps at a time.
//!
//! A weight has more bits than the fast 16-bit multiply-and-add takes, so it goes in two halves,
//! `weight = high * 2^15 + low`, each with a sum of its own; `(high sum << 15) + low sum` is the
//! plain loop's 32-bit sum, also where a partial sum wraps around.

use super::{HALF, PRECISION_BITS, Weights};
use crate::pictures::Picture;
use std::arch::x86_64::{
    __m128i, __m256i, _mm_add_epi32, _mm_cvtsi128_si32, _mm_loadu_si128, _mm_packs_epi32, _mm_packus_epi16,
    _mm_set1_epi32, _mm_srai_epi32, _mm256_add_epi32, _mm256_broadcastsi128_si256, _mm256_castsi256_si128,
    _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_setr_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_slli_epi32,
};
use std::ops::Range;

/// Bits of the lower half of a weight; it is never negative, so all 15 of an `i16` are its own.
const LOW_BITS: u32 = 15;
/// Taps multiplied at once.
const GROUP: usize = 4;
/// Bytes of a row from which the taps of a group are picked.
const READ: usize = 16;

/// Both halves of the weights of four taps, each where the instruction expects it: taps 0 and 1
/// side by side for red, green, blue and nobody, then taps 2 and 3.
struct Quad {
    low: [i16; 16],
    high: [i16; 16],
}

impl Quad {
    fn new(weights: &[i32]) -> Self {
        let weight = |lane: usize| weights.get(lane / 8 * 2 + lane % 2).copied().unwrap_or(0);
        Self {
            low: std::array::from_fn(|lane| (weight(lane) & ((1 << LOW_BITS) - 1)) as i16),
            high: std::array::from_fn(|lane| (weight(lane) >> LOW_BITS) as i16),
        }
    }
}

/// `rows` of the picture, each filtered along its length.
#[target_feature(enable = "avx2")]
pub(super) fn filter_rows(picture: &Picture, weights: &Weights, rows: Range<usize>) -> Picture {
    let (width, height) = (weights.bounds.len(), rows.len());
    let stride = picture.width * 3;
    let quads: Vec<Quad> = weights.iter().flat_map(|(_, weights)| weights.chunks(GROUP).map(Quad::new)).collect();
    let mut rgb = vec![0u8; width * height * 3];
    // The last rows have no bytes behind them to read past their end; they are copied to where there are.
    let mut padded = vec![0u8; stride + READ];
    for (out, y) in rgb.chunks_exact_mut(width * 3).zip(rows) {
        let row = match picture.rgb.get(y * stride..(y + 1) * stride + READ) {
            Some(row) => row,
            None => {
                padded[..stride].copy_from_slice(picture.row(y));
                &padded
            }
        };
        let mut rest = quads.as_slice();
        for (pixel, &(first, n)) in out.chunks_exact_mut(3).zip(&weights.bounds) {
            let (quads, others) = rest.split_at(n.div_ceil(GROUP));
            rest = others;
            pixel.copy_from_slice(&filtered(&row[first * 3..], quads)[..3]);
        }
    }
    Picture { width, height, rgb }
}

/// Red, green, blue of one output pixel whose taps begin with `row`, and a byte that says nothing.
#[inline]
#[target_feature(enable = "avx2")]
fn filtered(row: &[u8], quads: &[Quad]) -> [u8; 4] {
    // Colours of taps 0 and 1 in turn, and of taps 2 and 3, each byte widened by a zero.
    let pick = _mm256_setr_epi8(
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, //
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1,
    );
    let (mut low, mut high) = (_mm256_setzero_si256(), _mm256_setzero_si256());
    for (group, quad) in quads.iter().enumerate() {
        let taps = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes(&row[group * GROUP * 3..][..READ])), pick);
        low = _mm256_add_epi32(low, _mm256_madd_epi16(taps, words(&quad.low)));
        high = _mm256_add_epi32(high, _mm256_madd_epi16(taps, words(&quad.high)));
    }
    let sum = _mm256_add_epi32(low, _mm256_slli_epi32::<{ LOW_BITS as i32 }>(high));
    let sum = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
    let level = _mm_srai_epi32::<{ PRECISION_BITS as i32 }>(_mm_add_epi32(sum, _mm_set1_epi32(HALF)));
    // Both packings saturate, which is the clip to 0..255.
    let level = _mm_packs_epi32(level, level);
    _mm_cvtsi128_si32(_mm_packus_epi16(level, level)).to_le_bytes()
}

#[inline]
#[target_feature(enable = "avx2")]
fn bytes(from: &[u8]) -> __m128i {
    assert!(from.len() == READ);
    // SAFETY: 16 bytes are there, as just asserted, and the load needs no alignment.
    unsafe { _mm_loadu_si128(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn words(from: &[i16; 16]) -> __m256i {
    // SAFETY: the array is the 32 bytes that are read, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}
