//! Seconds for RDMs and their comparison at the sizes people have.
//!
//! `RAYON_NUM_THREADS=1 cargo run --release -p rdm --example rdm_speed`
#![allow(clippy::print_stdout)]
use std::time::Instant;

use ndarray::Array2;
use rdm::{Comparison, Distance, Rdm, compare_all, distances, noise_ceiling};

fn noise(n: usize, p: usize, seed: u64) -> Array2<f32> {
    let mut state = seed;
    Array2::from_shape_simple_fn((n, p), || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    })
}

fn best<R>(what: &str, mut work: impl FnMut() -> R) -> R {
    let mut seconds = f64::INFINITY;
    let mut result = None;
    for _ in 0..3 {
        let start = Instant::now();
        result = Some(work());
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    println!("{what:40} {:9.2} ms", seconds * 1e3);
    result.expect("three rounds were run")
}

fn main() -> Result<(), rdm::RdmError> {
    println!("{} threads", rayon::current_num_threads());
    let x = noise(1000, 10_000, 1);
    let wide = x.mapv(f64::from);
    for distance in [Distance::Correlation, Distance::Euclidean] {
        let f4 = best(&format!("{distance} f4 1000 x 10000"), || distances(x.view(), distance))?;
        let f8 = best(&format!("{distance} f8 1000 x 10000"), || distances(wide.view(), distance))?;
        let pairs = f4.rdm.values().iter().zip(f8.rdm.values());
        let largest = pairs.map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
        println!("  largest relative difference of the two: {largest:.1e}");
    }
    let rdms = |n: u64, seed: u64| -> Result<Vec<Rdm>, rdm::RdmError> {
        (0..n)
            .map(|k| {
                Rdm::from_condensed(noise(1, 515 * 257, seed + k).mapv(f64::from).into_raw_vec_and_offset().0, None)
            })
            .collect()
    };
    let (models, brains) = (rdms(50, 10)?, rdms(8, 100)?);
    for how in Comparison::ALL {
        best(&format!("{how} 50 models x 8 subjects, 515"), || compare_all(&models, &brains, how))?;
        best(&format!("{how} ceiling of 8 subjects, 515"), || noise_ceiling(&brains, how))?;
    }
    Ok(())
}
