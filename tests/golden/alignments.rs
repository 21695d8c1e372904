//! Canonical correlations, matchings and CKA of kernels, against numpy and SciPy.

use crate::load::{json, matrix, number};
use rdm::{Aligned, Alignment, InMemory, MatrixComparison, Representation, Split};
use serde_json::Value;
use support::{number as cell, root, rows, run};

const FILES: [&str; 4] = ["a", "b", "c", "d"];

fn splits(held: bool) -> Vec<Split> {
    match held {
        false => vec![Split { fit: (0..40).collect(), score: None }],
        true => {
            vec![Split { fit: (0..40).step_by(2).collect(), score: Some((1..40).step_by(2).collect()) }]
        }
    }
}

fn all_close(how: &str, expected: &Value, tolerance: f64, of: impl Fn(usize, usize) -> f64) {
    for i in 0..4 {
        for j in 0..4 {
            let (found, expected) = (of(i, j), number(&expected[i][j]));
            assert!((found - expected).abs() < tolerance, "{how} {i} {j}: {found} {expected}");
        }
    }
}

#[test]
fn alignments_are_numpys_and_scipys() {
    let golden = json("alignments/scores.json");
    let matrices: Vec<_> = FILES.iter().map(|file| matrix(&format!("alignments/{file}.npy")).0).collect();
    for held in [false, true] {
        let golden = if held { &golden["held"] } else { &golden };
        for (name, how) in [
            ("cca", Alignment::Cca),
            ("svcca", Alignment::Svcca { variance: 0.9 }),
            ("pwcca", Alignment::Pwcca),
            ("permutation", Alignment::Permutation),
            ("soft-matching", Alignment::SoftMatching),
        ] {
            if held && name == "pwcca" {
                continue;
            }
            let made: Vec<Aligned> = matrices
                .iter()
                .map(|x| Aligned::of(&InMemory::new(x.view()), how, &splits(held), 8.0).unwrap())
                .collect();
            // 1e-10: least squares of 20 to 40 rows with conditions of 10; the linear programme stops at 1e-10 or so
            all_close(name, &golden[name], 1e-10, |i, j| made[i].compare(&made[j]));
        }
    }
}

#[test]
fn kernels_have_the_bandwidth_of_the_paper() {
    let golden = json("alignments/scores.json");
    for (name, bandwidth) in [("cka-rbf", 1.0), ("cka-rbf-half", 0.5)] {
        let of = |file: &&str| {
            let x = matrix(&format!("alignments/{file}.npy")).0;
            let patterns = InMemory::new(x.view());
            Representation::with_bandwidth(&patterns, MatrixComparison::CkaRbf, 8.0, bandwidth).unwrap()
        };
        let made: Vec<Representation> = FILES.iter().map(of).collect();
        // 1e-12: sums of 1600 numbers below 1
        all_close(name, &golden[name], 1e-12, |i, j| made[i].compare(&made[j]));
    }
}

#[test]
fn the_tool_says_the_same() {
    let golden = json("alignments/scores.json");
    let dir = root().join("testdata/golden/alignments");
    for (how, options, column) in [
        ("cca", "", "cca"),
        ("svcca", "--variance 0.9", "cca"),
        ("pwcca", "", "cca"),
        ("permutation", "", "match"),
        ("soft-matching", "", "match"),
        ("cka-rbf", "", "cka"),
    ] {
        let line = format!("rsa compare a.npy b.npy c.npy d.npy --compare {how} {options} --all-pairs");
        let table = rows(&run(&dir, &line).text());
        assert_eq!(table.len(), 6, "{how}");
        for row in &table {
            let [i, j] = ["a", "b"].map(|side| FILES.iter().position(|f| *f == row[side]).unwrap());
            let (found, expected) = (cell(row, column), number(&golden[how][i][j]));
            assert!((found - expected).abs() < 1e-10, "{how} {i} {j}: {found} {expected}");
        }
    }
}
