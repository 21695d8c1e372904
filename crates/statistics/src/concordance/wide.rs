//! Inversions of plain levels, sixteen at a time.

use std::arch::x86_64::{
    __m512i, _mm512_cmpgt_epu32_mask, _mm512_loadu_si512, _mm512_maskz_compress_epi32, _mm512_maskz_loadu_epi32,
    _mm512_set1_epi32, _mm512_storeu_si512, _mm512_test_epi32_mask,
};

/// Numbers in a vector.
const LANES: usize = 16;
/// So many fit two vectors, and are compared each with all.
const FEW: usize = 2 * LANES;
/// Room that [`inversions`] needs behind the end of `spare`: vectors are stored whole.
pub(super) const SLACK: usize = LANES;

/// Pairs of a set bit with a clear one above it, per byte.
const FALLS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut set) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                set += 1
            } else {
                table[byte] += set
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// As the one of the parent module, with `spare` at least [`SLACK`] longer than `values`.
#[target_feature(enable = "avx512f,popcnt")]
pub(super) fn inversions(values: &mut [u32], spare: &mut [u32], bits: u32) -> u64 {
    if values.len() <= FEW {
        return among_few(values);
    }
    if bits == 0 {
        return 0;
    }
    let (without, found) = split(values, spare, 1 << (bits - 1));
    let (low, high) = values.split_at_mut(without);
    found + inversions(low, spare, bits - 1) + inversions(high, spare, bits - 1)
}

/// Brings the values without the bit before those with it, both in their order; how many are without, and how many
/// pairs changed sides.
#[target_feature(enable = "avx512f,popcnt")]
fn split(values: &mut [u32], spare: &mut [u32], bit: u32) -> (usize, u64) {
    let n = values.len();
    assert!(spare.len() >= n + SLACK, "{} of {} + {SLACK}", spare.len(), n);
    let wanted = _mm512_set1_epi32(bit.cast_signed());
    let (mut without, mut with, mut found) = (0, 0, 0);
    let whole = n - n % LANES;
    for k in (0..whole).step_by(LANES) {
        // SAFETY: k + LANES <= n. `without` <= k, so what its store covers has been read; `with` <= k and the spare has
        // room for a vector more.
        unsafe {
            let block: __m512i = _mm512_loadu_si512(values.as_ptr().add(k).cast());
            let set = _mm512_test_epi32_mask(block, wanted);
            let n_set = set.count_ones() as usize;
            _mm512_storeu_si512(values.as_mut_ptr().add(without).cast(), _mm512_maskz_compress_epi32(!set, block));
            _mm512_storeu_si512(spare.as_mut_ptr().add(with).cast(), _mm512_maskz_compress_epi32(set, block));
            let [low, high] = set.to_le_bytes();
            let inside = u32::from(FALLS[low as usize])
                + u32::from(FALLS[high as usize])
                + low.count_ones() * high.count_zeros();
            found += (with * (LANES - n_set)) as u64 + u64::from(inside);
            with += n_set;
            without += LANES - n_set;
        }
    }
    for k in whole..n {
        let value = values[k];
        if value & bit == 0 {
            values[without] = value;
            without += 1;
            found += with as u64;
        } else {
            spare[with] = value;
            with += 1;
        }
    }
    values[without..].copy_from_slice(&spare[..with]);
    (without, found)
}

/// Every value against those before it.
#[target_feature(enable = "avx512f,popcnt")]
fn among_few(values: &[u32]) -> u64 {
    let n = values.len();
    // Lanes beyond the values hold 0 and are larger than nothing.
    let load = |from: usize| {
        let here = n.saturating_sub(from).min(LANES);
        // SAFETY: only the lanes of the mask are read, `here` values from `from` on, where there are any.
        unsafe { _mm512_maskz_loadu_epi32(((1u32 << here) - 1) as u16, values.as_ptr().add(from.min(n)).cast()) }
    };
    let (low, high) = (load(0), load(LANES));
    let mut found = 0;
    for (k, value) in values.iter().enumerate() {
        let value = _mm512_set1_epi32(value.cast_signed());
        let larger =
            u32::from(_mm512_cmpgt_epu32_mask(low, value)) | u32::from(_mm512_cmpgt_epu32_mask(high, value)) << LANES;
        found += u64::from((larger & ((1u32 << k) - 1)).count_ones());
    }
    found
}
