//! Zeros to read into.

use bytemuck::Pod;

/// The size of a large page of x86-64 and, mostly, of ARM.
#[cfg(target_os = "linux")]
const LARGE_PAGE: usize = 2 << 20;

/// `n` zeros that cost nothing until they are overwritten. What is large asks for large pages, as NumPy does: reading
/// 160 MB otherwise stops 40,000 times for a page of 4 kB.
pub(crate) fn zeros<T: Pod>(n: usize) -> Vec<T> {
    let values = vec![T::zeroed(); n];
    #[cfg(target_os = "linux")]
    {
        let first = values.as_ptr() as usize;
        let start = first.next_multiple_of(LARGE_PAGE);
        let end = (first + size_of_val(&values[..])) / LARGE_PAGE * LARGE_PAGE;
        if end > start {
            // SAFETY: the range lies within the values, and the advice changes none of them. Where it is not taken,
            // nothing is lost but time.
            unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::zeros;

    #[test]
    fn all_are_zero_at_any_size() {
        for n in [0, 1, 1000, (2 << 20) / 4 - 1, (2 << 20) / 4, 3 * (2 << 20) / 4 + 5] {
            let mut values = zeros::<f32>(n);
            assert_eq!((values.len(), values.iter().all(|v| *v == 0.0)), (n, true));
            values.iter_mut().for_each(|v| *v = 1.0);
            assert_eq!(values.iter().sum::<f32>(), n as f32);
        }
    }
}
