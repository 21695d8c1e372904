use localizer::*;
use ndarray::{Array2, s};
use std::time::Instant;
fn main() {
    let (n, u) = (1440, 100_000);
    let data = Array2::from_shape_fn((n, u), |(r, c)| {
        (((r * 2654435761 + c * 40503) % 10007) as f32) / 10007.0 + if r % 10 == 0 && c % 7 == 0 { 0.3 } else { 0.0 }
    });
    for (ng, label) in [(2, "pooled"), (10, "each of 10")] {
        let groups: Vec<Option<usize>> =
            (0..n).map(|r| Some(if ng == 2 { usize::from(r % 10 != 0) } else { r % 10 })).collect();
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for block in [1, 16, 64, 256, 1440] {
                let mut best = f64::INFINITY;
                for _ in 0..3 {
                    let t = Instant::now();
                    pool.install(|| {
                        let mut m = CategoryMoments::new(ng, u);
                        for s0 in (0..n).step_by(block) {
                            let e = (s0 + block).min(n);
                            m.add_rows(data.slice(s![s0..e, ..]), &groups[s0..e]).unwrap();
                        }
                        std::hint::black_box(&m);
                    });
                    best = best.min(t.elapsed().as_secs_f64());
                }
                println!(
                    "{label} threads {threads} block {block}: {:.3} s, {:.2} GB/s",
                    best,
                    (n * u * 4) as f64 / best / 1e9
                );
            }
        }
    }
    // reading bytes only
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let sl = data.as_slice().unwrap();
        use rayon::prelude::*;
        let t = Instant::now();
        let s: f64 = pool.install(|| {
            sl.par_chunks(1 << 20)
                .map(|c| {
                    let mut l = [0f32; 32];
                    for x in c.chunks_exact(32) {
                        for i in 0..32 {
                            l[i] += x[i];
                        }
                    }
                    l.iter().sum::<f32>() as f64
                })
                .sum()
        });
        println!("read threads {threads}: {:.2} GB/s ({s})", (n * u * 4) as f64 / t.elapsed().as_secs_f64() / 1e9);
    }
    let mut m = CategoryMoments::new(2, u);
    let groups: Vec<Option<usize>> = (0..n).map(|r| Some(usize::from(r % 10 != 0))).collect();
    m.add_rows(data.view(), &groups).unwrap();
    let t = Instant::now();
    let tests = UnitTests::compute(m, TTest::Welch, Some(Correction::BenjaminiHochberg)).unwrap();
    println!(
        "tests of {u} units: {:.3} s, {} selected",
        t.elapsed().as_secs_f64(),
        Selection { alpha: Some(0.05), ..Default::default() }.select(&tests).len()
    );
    let t = Instant::now();
    let mut k = 0.0;
    for i in 0..u {
        k += tests.row(i).dprime;
    }
    println!("rows {:.3} s {k}", t.elapsed().as_secs_f64());
}
