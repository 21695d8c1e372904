use crate::Real;

/// Values that are summed in registers at a time: four of AVX-512, eight of AVX2.
const WIDTH: usize = 32;

/// Adds to each row of `out` (`n x m`) the sum over `j` of `shares[(row, j)] parts[(j, ..)]`, where `shares` is `n x k`
/// and `parts` `k x m`, all row by row: a product so small that the general one would spend its time on preparing it.
/// Runs on one thread. The bytes are the same for one kind of processor.
///
/// ```
/// let mut out = [1.0, 0.0];
/// linear_algebra::add_mixtures(&mut out, 1, &[2.0, -1.0], &[10.0f32, 20.0, 1.0, 2.0]);
/// assert_eq!(out, [20.0, 38.0]);
/// ```
///
/// # Panics
/// When the lengths do not fit together.
pub fn add_mixtures<T: Real>(out: &mut [f64], n: usize, shares: &[f64], parts: &[T]) {
    assert!(n > 0 && out.len().is_multiple_of(n) && shares.len().is_multiple_of(n), "{n} rows");
    let (m, k) = (out.len() / n, shares.len() / n);
    assert!(parts.len() == k * m, "{k} parts of {m} values are not {}", parts.len());
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("fma") {
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor has just said that it has AVX-512 and FMA.
            return unsafe { wide_avx512(out, shares, parts, m, k) };
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has just said that it has AVX2 and FMA.
            return unsafe { wide_avx2(out, shares, parts, m, k) };
        }
    }
    mix::<T, false>(out, shares, parts, m, k);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,fma")]
fn wide_avx512<T: Real>(out: &mut [f64], shares: &[f64], parts: &[T], m: usize, k: usize) {
    mix::<T, true>(out, shares, parts, m, k);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn wide_avx2<T: Real>(out: &mut [f64], shares: &[f64], parts: &[T], m: usize, k: usize) {
    mix::<T, true>(out, shares, parts, m, k);
}

#[inline(always)]
fn mix<T: Real, const FUSED: bool>(out: &mut [f64], shares: &[f64], parts: &[T], m: usize, k: usize) {
    if m == 0 || k == 0 {
        return;
    }
    let add = |sum: &mut f64, share: f64, value: f64| match FUSED {
        true => *sum = share.mul_add(value, *sum),
        false => *sum += share * value,
    };
    // A few columns of all parts at a time, which stay in the nearest memory for all rows of shares.
    for first in (0..m).step_by(WIDTH) {
        let width = WIDTH.min(m - first);
        for (out, shares) in out.chunks_exact_mut(m).zip(shares.chunks_exact(k)) {
            let out = &mut out[first..first + width];
            let mut sums = [0.0; WIDTH];
            sums[..width].copy_from_slice(out);
            if width == WIDTH {
                for (share, part) in shares.iter().zip(parts.chunks_exact(m)) {
                    let part: &[T] = &part[first..first + WIDTH];
                    sums.iter_mut().zip(part).for_each(|(sum, value)| add(sum, *share, value.to_f64()));
                }
            } else {
                for (share, part) in shares.iter().zip(parts.chunks_exact(m)) {
                    let part = &part[first..first + width];
                    sums.iter_mut().zip(part).for_each(|(sum, value)| add(sum, *share, value.to_f64()));
                }
            }
            out.copy_from_slice(&sums[..width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{add_mixtures, mix};

    #[test]
    fn every_width_is_the_plain_sum() {
        for m in [0, 1, 31, 32, 33, 100, 256] {
            let value = |i: usize| ((i * 7919 + 13) % 1000) as f64 / 8.0 - 60.0;
            let parts: Vec<f64> = (0..5 * m).map(value).collect();
            let narrow: Vec<f32> = parts.iter().map(|v| *v as f32).collect();
            let shares: Vec<f64> = (0..15).map(|i| value(i) / 7.0).collect();
            let before: Vec<f64> = (0..3 * m).map(|i| value(i + 3)).collect();
            let plainly = |row: usize, c: usize| {
                (0..5).fold(before[row * m + c], |sum, j| sum + shares[row * 5 + j] * parts[j * m + c])
            };
            let expected: Vec<f64> = (0..3 * m).map(|i| plainly(i / m, i % m)).collect();
            let (mut found, mut from_narrow, mut plain) = (before.clone(), before.clone(), before.clone());
            add_mixtures(&mut found, 3, &shares, &parts);
            add_mixtures(&mut from_narrow, 3, &shares, &narrow);
            mix::<f64, false>(&mut plain, &shares, &parts, m, 5);
            assert_eq!(plain, expected);
            assert_eq!(from_narrow, found, "eighths are exact in f32");
            found.iter().zip(&expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-10));
        }
    }
}
