//! Smoothing of a volume with SPM's kernel.

use statistics::normal_sf;

/// A volume smoothed along each axis: `fwhm_mm` is the kernel's full width at half maximum, `sizes_mm` the edge lengths
/// of a voxel. 0 mm smooths nothing.
///
/// The kernel is SPM's (`spm_smoothkern`, as funROI writes it): a Gaussian convolved with a first-degree B-spline, cut
/// at round(6 sigma) voxels, of sum 1; outside the volume everything is 0. Values are in voxel order.
pub fn smoothed(values: &[f64], shape: [usize; 3], sizes_mm: [f64; 3], fwhm_mm: f64) -> Vec<f64> {
    let mut volume = values.to_vec();
    let strides = [shape[1] * shape[2], shape[2], 1];
    let mut line = Vec::new();
    for axis in 0..3 {
        let sigma = fwhm_mm / ((8.0 * std::f64::consts::LN_2).sqrt() * sizes_mm[axis]);
        if sigma.is_nan() || sigma <= 0.0 {
            continue;
        }
        let half = half_kernel(sigma);
        let (n, stride) = (shape[axis], strides[axis]);
        for start in (0..volume.len()).filter(|voxel| voxel / stride % n == 0) {
            line.clear();
            line.extend((0..n).map(|at| volume[start + at * stride]));
            let value = |at: Option<usize>| at.and_then(|at| line.get(at)).copied().unwrap_or(0.0);
            for at in 0..n {
                // From the outside in, both sides together: the order in which SciPy's convolution adds them, so that
                // values that are equal there are equal here.
                let mut sum = line[at] * half[0];
                for distance in (1..half.len()).rev() {
                    let both = value(at.checked_sub(distance)) + value(Some(at + distance));
                    sum += both * half[distance];
                }
                volume[start + at * stride] = sum;
            }
        }
    }
    volume
}

/// The kernel from its middle outwards; `sigma` in voxels.
fn half_kernel(sigma: f64) -> Vec<f64> {
    let bound = (6.0 * sigma).round_ties_even() as usize;
    let variance = sigma * sigma;
    let w1 = 0.5 * (2.0 / variance).sqrt();
    let w2 = -0.5 / variance;
    let w3 = (variance / std::f64::consts::TAU).sqrt();
    let erf = |x: f64| 1.0 - 2.0 * normal_sf(x * std::f64::consts::SQRT_2);
    let weight = |x: f64| {
        let slopes = erf(w1 * (x + 1.0)) * (x + 1.0) + erf(w1 * (x - 1.0)) * (x - 1.0) - 2.0 * erf(w1 * x) * x;
        let bells = (w2 * (x + 1.0).powi(2)).exp() + (w2 * (x - 1.0).powi(2)).exp() - 2.0 * (w2 * x * x).exp();
        f64::max(0.5 * slopes + w3 * bells, 0.0)
    };
    let half: Vec<f64> = (0..=bound).map(|x| weight(x as f64)).collect();
    let sum: f64 = half[0] + 2.0 * half[1..].iter().sum::<f64>();
    half.iter().map(|w| w / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_becomes_the_kernel_and_nothing_is_lost_inside() {
        let shape = [15, 15, 15];
        let mut point = vec![0.0; 15 * 15 * 15];
        point[(7 * 15 + 7) * 15 + 7] = 1.0;
        let out = smoothed(&point, shape, [3.0; 3], 6.0);
        assert!((out.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let at = |i: usize, j: usize, k: usize| out[(i * 15 + j) * 15 + k];
        // The same on all sides, and the product of three lines.
        assert!((at(7, 7, 5) - at(9, 7, 7)).abs() < 1e-17 && (at(7, 7, 5) - at(7, 5, 7)).abs() < 1e-17);
        assert!((at(8, 8, 8) / at(7, 7, 7) - (at(8, 7, 7) / at(7, 7, 7)).powi(3)).abs() < 1e-12);
        // A Gaussian of variance .721 voxels and a spline of 1/6: about exp(-1 / (2 * .887)) one voxel away.
        let beside = at(8, 7, 7) / at(7, 7, 7);
        assert!((beside - 0.569).abs() < 0.01, "{beside}");
        assert_eq!(smoothed(&point, shape, [3.0; 3], 0.0), point);
    }

    #[test]
    fn outside_is_nothing() {
        let out = smoothed(&[1.0; 8], [1, 1, 8], [1.0; 3], 3.0);
        assert!(out[0] < out[1] && out[1] < out[3], "{out:?}");
        assert!(out.iter().all(|v| *v < 1.0));
    }
}
