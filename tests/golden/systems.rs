//! CKA, Procrustes, Bures and controlled correlations through `rsa compare`, against NumPy, SciPy and rsatoolbox.

use crate::load::{json, number, numbers};
use serde_json::Value;
use support::{arrays, root, rows, run, sh};

/// `[i][j]` of a square table.
fn at(table: &Value, i: usize, j: usize) -> f64 {
    number(&table[i][j])
}

#[test]
fn matrices_are_scipys_and_the_papers() {
    let golden = json("systems/matrices.json");
    let dir = root().join("testdata/golden/systems");
    let files = ["narrow", "wide", "middle"];
    for how in ["cka", "cka-debiased", "procrustes", "procrustes-angle"] {
        let line = format!("rsa compare narrow.npy wide.npy middle.npy --compare {how} --all-pairs");
        let table = rows(&run(&dir, &line).text());
        assert_eq!(table.len(), 3);
        let column = if how.starts_with("cka") { "cka" } else { how.strip_prefix("procrustes-").unwrap_or(how) };
        for row in &table {
            let [i, j] = ["a", "b"].map(|side| files.iter().position(|f| *f == row[side]).unwrap());
            let (found, expected) = (support::number(row, column), at(&golden[how], i, j));
            // 1e-12: sums of 20 to 1000 products of order 1 in f8, from eigenvectors or not
            assert!((found - expected).abs() < 1e-12, "{how} {i} {j}: {found} {expected}");
            if how == "procrustes" {
                assert!((1.0 - found * found - at(&golden["disparity"], i, j)).abs() < 1e-12);
            }
        }
        // models against a brain are the same numbers
        let line = format!("rsa compare narrow.npy wide.npy --brain middle.npy --compare {how} -q");
        let scores = rows(&run(&dir, &line).text());
        let expected = |model: &str| table.iter().find(|r| r["a"] == model && r["b"] == "middle").unwrap();
        for row in scores.iter().filter(|r| r["subject"] == "middle") {
            let (found, expected) = (support::number(row, column), support::number(expected(&row["model"]), column));
            assert!((found - expected).abs() < 1e-13, "{how} {row:?}");
        }
    }
}

#[test]
fn bures_is_rsatoolboxs_where_it_is_defined() {
    let golden = json("systems/bures.json");
    let dir = root().join("testdata/golden/systems");
    // the last RDM holds ranks, which are no squared distances
    let number_of = |name: &str| name.split_once(':').map_or(0, |(_, n)| n.parse::<usize>().unwrap());
    for (how, column, theirs) in [
        ("bures", "bures", "bures"),
        ("bures_metric", "bures_squared", "bures_metric"),
        ("bures-distance", "bures_distance", "bures_metric"),
    ] {
        let out = run(&dir, &format!("rsa compare rdms.npy --all-pairs --compare {how}"));
        assert!(out.stderr.contains("rdms.npy (array 4): its dissimilarities are not the squared distances"));
        let table = rows(&out.text());
        assert_eq!(table.len(), 10);
        for row in &table {
            let [i, j] = ["a", "b"].map(|side| number_of(&row[side]));
            let (found, expected) = (support::number(row, column), at(&golden[theirs], i, j));
            if j == 4 {
                assert!(found.is_nan() && row["reason"] == "not_euclidean", "{row:?}");
                continue;
            }
            let expected = if how == "bures-distance" { expected.sqrt() } else { expected };
            // 1e-6: rsatoolbox takes the roots of eigenvalues that are 0 but for rounding
            assert!((found - expected).abs() < 1e-6 * expected.max(1.0), "{how} {i} {j}: {found} {expected}");
        }
    }
    // why: there rsatoolbox's similarity of the RDM with itself is above 1, its distance below 0, and which comes first
    // matters
    assert!(at(&golden["bures"], 4, 4) > 1.1 && at(&golden["bures_metric"], 4, 4) < -200.0);
    assert!((at(&golden["bures"], 4, 0) - at(&golden["bures"], 0, 4)).abs() > 0.01);
}

#[test]
fn controls_are_taken_out_as_least_squares_does_it() {
    let golden = json("systems/partial.json");
    let dir = tempfile::tempdir().unwrap();
    let all = arrays(&std::fs::read(root().join("testdata/golden/systems/rdms.npy")).unwrap());
    for (k, array) in all.iter().enumerate() {
        let mut bytes = Vec::new();
        npy_stream::write_array(&mut bytes, array).unwrap();
        std::fs::write(dir.path().join(format!("r{k}.npy")), bytes).unwrap();
    }
    for kind in ["partial", "semipartial"] {
        for (how, column) in [("pearson", "r"), ("spearman", "rho")] {
            for (n, controls) in [("1", "r3.npy"), ("2", "r3.npy r4.npy")] {
                let line = format!("rsa compare r0.npy r1.npy --brain r2.npy --{kind} {controls} --compare {how}");
                let table = rows(&sh(dir.path(), &line).text());
                let expected = numbers(&golden[format!("{kind}-{how}")][n]);
                for (k, expected) in expected.into_iter().enumerate() {
                    let row = &table[2 * k];
                    assert_eq!((row["model"].as_str(), row["subject"].as_str()), (["r0", "r1"][k], "r2"));
                    assert_eq!((row["compare"].clone(), row["n_pairs"].as_str()), (format!("{kind}-{how}"), "190"));
                    let found = support::number(row, column);
                    assert!((found - expected).abs() < 1e-12, "{kind} {how} {n}: {found} {expected}");
                }
            }
        }
    }
}
