use localizer::*;
use ndarray::Array2;
use std::time::Instant;
fn main() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for u in [2048usize, 16384, 100_000] {
        let data = Array2::from_shape_fn((16, u), |(r, c)| (((r * 2654435761 + c * 40503) % 10007) as f32) / 10007.0);
        let groups: Vec<Option<usize>> = (0..16).map(|r| Some(r % 2)).collect();
        let mut best = f64::INFINITY;
        for _ in 0..7 {
            let mut m = CategoryMoments::new(2, u);
            let reps = 20_000_000 / u / 16 + 1;
            let t = Instant::now();
            pool.install(|| {
                for _ in 0..reps {
                    m.add_rows(data.view(), &groups).unwrap();
                }
            });
            best = best.min(t.elapsed().as_secs_f64() / (reps * 16 * u) as f64);
            std::hint::black_box(&m);
        }
        println!("units {u}: {:.3} ns/element = {:.2} GB/s", best * 1e9, 4.0 / (best * 1e9));
    }
}
