//! Covariances of signal and noise against a second implementation in NumPy.

use crate::load::{all_close, close, json, matrix, number, numbers};
use ndarray::Array2;
use reliability::Repeats;
use reliability::gsn::Gsn;

/// Of the largest entry: two ways of summing and of eigenvectors, a few rounds long, and the ridge of 1e-10, which we
/// take relative to variances between 1 and 30.
const TOLERANCE: f64 = 1e-9;

fn flat(rows: &serde_json::Value) -> Vec<f64> {
    rows.as_array().unwrap().iter().flat_map(numbers).collect()
}

#[test]
fn covariances_and_shrinkage_are_those_of_gsn_for_equal_and_unequal_trials() {
    let expected = json("gsn/gsn.json");
    for name in ["two", "three", "five", "ten", "wide", "uneven"] {
        let (trials, ids) = matrix(&format!("gsn/{name}.npy"));
        let expected = &expected[name];
        let found = Gsn::estimate(trials.view(), &Repeats::by_id(&ids)).unwrap();
        close(name, found.shrinkage_noise, number(&expected["shrinkage_noise"]), 1e-12);
        close(name, found.shrinkage_signal, number(&expected["shrinkage_data"]), 1e-12);
        assert_eq!(found.n_iterations as f64, number(&expected["n_iterations"]), "{name}");
        assert!(found.converged, "{name}");
        all_close(name, &found.ncsnr, &numbers(&expected["ncsnr"]), TOLERANCE);
        all_close(name, &found.mean.to_vec(), &numbers(&expected["mean"]), TOLERANCE);
        let matrices: [(&str, &Array2<f64>); 4] = [
            ("raw_noise", &found.raw_noise),
            ("raw_signal", &found.raw_signal),
            ("noise", &found.noise),
            ("signal", &found.signal),
        ];
        for (which, matrix) in matrices {
            let expected = flat(&expected[which]);
            let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            assert!(matrix.len() == expected.len());
            let off = matrix.iter().zip(&expected).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f64::max);
            println!("{name} {which}: {off:.1e}");
            assert!(off < TOLERANCE, "{name} {which}: {off}");
        }
    }
}
