//! GFLOP/s of the Gram matrix, counted as the n^2 p of a symmetric product, and of the general product (2 n m k).
//!
//! `RAYON_NUM_THREADS=1 cargo run --release -p linear-algebra --example gram_speed`
#![allow(clippy::print_stdout)]
use std::time::Instant;

use linear_algebra::{Real, gram, product, symmetric_eigen};
use ndarray::Array2;

fn noise<T: Real>(n: usize, p: usize) -> Array2<T> {
    let mut state = 1u64;
    Array2::from_shape_simple_fn((n, p), || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        T::from_f64((state >> 40) as f64 / (1u64 << 24) as f64 - 0.5)
    })
}

fn best<R>(what: &str, flop: f64, mut work: impl FnMut() -> R) {
    let seconds = (0..5)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(work());
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min);
    println!("{what:28} {:8.2} ms {:7.1} GFLOP/s", seconds * 1e3, flop / seconds * 1e-9);
}

fn main() {
    println!("{} threads", rayon::current_num_threads());
    for (n, p) in [(1000, 10_000), (2000, 2000), (92, 100_000)] {
        let flop = (n * n * p) as f64;
        let (x, y) = (noise::<f32>(n, p), noise::<f64>(n, p));
        best(&format!("gram f4 {n} x {p}"), flop, || gram(x.view()));
        best(&format!("gram f8 {n} x {p}"), flop, || gram(y.view()));
    }
    let x = noise::<f32>(2000, 2000);
    let y = noise::<f64>(2000, 2000);
    best("product f4 2000", 1.6e10, || product(x.view(), x.view()));
    best("product f8 2000", 1.6e10, || product(y.view(), y.view()));
    let a = gram(noise::<f64>(1000, 2000).view()).to_array();
    best("eigen f8 1000", 9.0e9, || symmetric_eigen(a.view()));
}
