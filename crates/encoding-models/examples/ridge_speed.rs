//! Seconds for a cross-validated penalty per voxel: `ridge_speed N P VOXELS FOLDS`, `f32` noise, 20 penalties.
//!
//! `RAYON_NUM_THREADS=1 cargo run --release -p encoding-models --example ridge_speed -- 2000 1000 2000 5`
#![allow(clippy::print_stdout)]
use std::time::Instant;

use encoding_models::{Features, Inner, RidgeOptions, Scaling, fit};
use ndarray::Array2;
use statistics::{FoldOrder, k_folds};

fn noise(n: usize, p: usize, seed: u64) -> Array2<f32> {
    let mut state = seed;
    Array2::from_shape_simple_fn((n, p), || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sizes: Vec<usize> = std::env::args().skip(1).map(|size| size.parse()).collect::<Result<_, _>>()?;
    let [n, p, voxels, n_folds] = sizes[..] else { return Err("give N P VOXELS FOLDS".into()) };
    let (x, y) = (noise(n, p, 1), noise(n, voxels, 2));
    let folds = k_folds(&(0..n).collect::<Vec<_>>(), n_folds, FoldOrder::Contiguous)?;
    for (name, inner) in [("leave-one-out", Inner::LeaveOneOut), ("folds", Inner::Folds(folds))] {
        let options = RidgeOptions::new("1e-3:1e4:20".parse()?, inner);
        let start = Instant::now();
        fit(&Features::new(x.view(), Scaling::Standardize)?, y.view(), &options)?;
        println!("fit {n} x {p} -> {voxels}, {name}: {:.2} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}
