//! `tuning match` against SciPy, unit by unit.

use crate::load::{json, number, path};
use support::{rows, run};

#[test]
fn best_units_and_their_correlations_are_scipys() {
    let golden = json("matching/best.json");
    let dir = path("matching");
    let out = tempfile::tempdir().unwrap();
    let table = out.path().join("voxels.csv");
    for how in ["pearson", "spearman"] {
        for half in ["odd", "even"] {
            let line = format!(
                "tuning match -q --model acts.npy --brain brain.npy --stimuli stimuli.csv --train half={half} --compare \
                 {how} --voxels {}",
                table.display()
            );
            run(&dir, &line).ok();
            let found = rows(&std::fs::read_to_string(&table).unwrap());
            let expected = golden[how][half].as_array().unwrap();
            assert_eq!(found.len(), expected.len());
            let statistic = if how == "pearson" { ["r_train", "r"] } else { ["rho_train", "rho"] };
            for (row, expected) in found.iter().zip(expected) {
                let unit = expected[0].as_u64().map_or(String::new(), |unit| unit.to_string());
                assert_eq!(row["unit"], unit, "{how} {half} {row:?}");
                for (column, expected) in statistic.iter().zip(&expected.as_array().unwrap()[1..]) {
                    let (found, expected) = (support::number(row, column), number(expected));
                    // 1e-14: one correlation of 12 values in f8
                    let same = (found.is_nan() && expected.is_nan()) || (found - expected).abs() < 1e-14;
                    assert!(same, "{how} {half} {column}: {found} {expected}");
                }
            }
        }
    }
}
