//! `unit-stats` against SciPy, NumPy, scikit-learn and matplotlib on `testdata/golden/unit-stats`, through the binary.

use serde_json::Value;
use std::path::PathBuf;
use support::*;

fn golden(name: &str) -> PathBuf {
    root().join("testdata/golden/unit-stats").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

/// `null` is NaN, "inf" is itself.
fn number(value: &Value) -> f64 {
    match value {
        Value::Null => f64::NAN,
        Value::String(s) => s.parse().unwrap(),
        other => other.as_f64().unwrap(),
    }
}

/// Relative where numbers are large, absolute where they are small. 1e-12 leaves room for sums in another order; a unit
/// that varies by .01 around 500 has lost 5 digits before it comes here, so what it enters gets 1e-9.
#[track_caller]
fn close(what: &str, row: &Row, column: &str, expected: f64, tolerance: f64) {
    let found: f64 = row[column].parse().unwrap_or_else(|_| panic!("{what}: {column} is {:?}", row[column]));
    let error = (found - expected).abs() / expected.abs().max(1.0);
    assert!(found == expected || error <= tolerance, "{what} {column}: {found}, not {expected} ({error:e})");
}

/// Runs in the golden folder; the eight units that the script chose, as a table.
fn on_golden(line: &str) -> Vec<Row> {
    let dir = tempfile::tempdir().unwrap();
    let chosen: String = [0, 1, 2, 5, 6, 8, 9, 12].iter().map(|u| format!("acts,faces > rest,{u},14\n")).collect();
    std::fs::write(dir.path().join("units.csv"), format!("array,contrast,unit,n_units\n{chosen}")).unwrap();
    for name in ["acts-f8.npy", "acts-f4.npy", "stimuli.csv", "a.csv", "b.csv"] {
        std::fs::copy(golden(name), dir.path().join(name)).unwrap();
    }
    rows(&run(dir.path(), line).text())
}

#[test]
fn validation_is_zscore_boxplot_stats_and_ttest_ind() {
    for dtype in ["f8", "f4"] {
        let expected = json(&format!("validate-{dtype}.json"));
        for over in ["units", "images"] {
            let found = on_golden(&format!(
                "unit-stats validate acts-{dtype}.npy --names acts --units units.csv --stimuli stimuli.csv --by category \
                 --over {over} --t 2"
            ));
            assert_eq!(found.len(), 4);
            for row in &found {
                let category = row["category"].as_str();
                assert_eq!((row["n_selected"].as_str(), row["n_units"].as_str()), ("8", "14"));
                assert_eq!((row["n_constant"].as_str(), row["n_nan"].as_str()), ("1", "1"));
                assert_eq!(expected["n_used"], 6);
                let what = format!("{dtype} {over} {category}");
                let columns = ["mean", "median", "q1", "q3", "whisker_lo", "whisker_hi"];
                for (column, value) in columns.iter().zip(expected[over][category].as_array().unwrap()) {
                    close(&what, row, column, number(value), 1e-9);
                }
                close(&what, row, "mean_t", number(&expected["mean_t"][category]), 1e-9);
                close(&what, row, "proportion", number(&expected["proportion"][category]), 0.0);
            }
        }
    }
}

const PROBE: &str = "unit-stats probe acts-f8.npy --stimuli stimuli.csv --by category --table";

/// Units that the script left out.
fn unusable(row: &Row) -> bool {
    let reason = match row["unit"].as_str() {
        "8" => "constant",
        "9" => "nan_input",
        _ => return false,
    };
    assert_eq!(row["reason"], reason);
    true
}

#[test]
fn roc_areas_are_scikit_learns() {
    let expected = json("probe.json");
    let found = on_golden(&format!("{PROBE} auc"));
    assert_eq!(found.len(), 14 * 4);
    for row in found.iter().filter(|row| !unusable(row)) {
        let area = number(&expected[&row["unit"]]["auc"][&row["category"]]);
        close(&row["unit"], row, "auc", area, 1e-14);
    }
}

#[test]
fn the_extreme_pictures_are_a_stable_argsort() {
    let expected = json("probe.json");
    let found = on_golden(&format!("{PROBE} pictures --k 7"));
    for row in found.iter().filter(|row| !unusable(row)) {
        // The script's order is that of its table, which is the order of the rows.
        let of_end = &expected[&row["unit"]]["pictures"][&row["end"]];
        let rank: usize = row["rank"].parse::<usize>().unwrap() - 1;
        assert_eq!(row["stimulus"], of_end[0][rank].as_str().unwrap(), "{row:?}");
        close(&row["unit"], row, "response", number(&of_end[1][rank]), 0.0);
        close(&row["unit"], row, "z", number(&of_end[2][rank]), 1e-9);
        close(&row["unit"], row, "n_tied", number(&of_end[3]), 0.0);
    }
    assert_eq!(found.len(), 12 * 14 + 2 * 2);
}

#[test]
fn enrichment_is_hypergeom_except_where_ties_decide() {
    let expected = json("probe.json");
    let found = on_golden(&format!("{PROBE} enrichment --k 7"));
    assert_eq!(found.len(), 14 * 2 * 4);
    let (mut compared, mut tied) = (0, 0);
    for row in found.iter().filter(|row| !unusable(row)) {
        if row["reason"] == "ties_at_edge" {
            // Only where the script, too, had to leave out pictures equal to the last one taken.
            assert_ne!(expected[&row["unit"]]["pictures"][&row["end"]][3], 0);
            assert_eq!((row["n_hits"].as_str(), row["p"].as_str()), ("", "NaN"));
            tied += 1;
            continue;
        }
        let of = &expected[&row["unit"]]["enrichment"][&row["end"]][&row["category"]];
        for (place, column) in ["n_hits", "share", "enrichment", "p"].iter().enumerate() {
            close(&row["unit"], row, column, number(&of[place]), 1e-12);
        }
        compared += 1;
    }
    assert!(compared > 80 && tied >= 4, "{compared} {tied}");
}

#[test]
fn levels_are_those_of_digitize_and_quantile() {
    let expected = json("probe.json");
    for (option, name, levels) in [("--edges=-1.5,-.5,0,.75,2", "edges", 6), ("--quantiles 5", "quantiles", 5)] {
        let found = on_golden(&format!("{PROBE} levels {option} --min-count 3"));
        assert_eq!(found.len(), 14 * levels * 4);
        for row in found.iter().filter(|row| !unusable(row)) {
            let level: usize = row["level"].parse().unwrap();
            let of = &expected[&row["unit"]][name];
            let (n, n_hits) = (number(&of["n"][level]), number(&of[&row["category"]][level]));
            close(&row["unit"], row, "n", n, 0.0);
            close(&row["unit"], row, "n_hits", n_hits, 0.0);
            if n < 3.0 {
                assert_eq!((row["share"].as_str(), row["reason"].as_str()), ("NaN", "too_few_stimuli"));
            } else {
                close(&row["unit"], row, "share", n_hits / n, 1e-15);
            }
        }
    }
}

#[test]
fn the_overlap_of_two_localizers_is_hypergeom() {
    let expected = json("overlap.json");
    let found = on_golden("unit-stats overlap a.csv b.csv --thresholds 3..11:2");
    assert_eq!(found.len(), 5);
    for (row, of) in found.iter().zip(expected.as_array().unwrap()) {
        assert_eq!((row["preferred"].as_str(), row["reason"].as_str()), ("faces", ""));
        for (column, value) in of.as_object().unwrap() {
            let value = number(value);
            // p relative to itself: it goes down to 1e-32. 1e-11: SciPy's own digits.
            if column == "p" {
                let p: f64 = row["p"].parse().unwrap();
                assert!((p / value - 1.0).abs() < 1e-11, "{p} {value}");
            }
            close("overlap", row, column, value, 1e-12);
        }
    }
}

#[test]
fn maps_are_compared_as_scipy_and_scikit_learn_do() {
    let expected = json("compare.json");
    let found = on_golden("unit-stats compare -q a.csv b.csv --t 3..11:2");
    let regions = expected["regions"].as_array().unwrap();
    assert_eq!((found.len(), regions.len()), (5, 5));
    for (row, region) in found.iter().zip(regions) {
        assert_eq!((&row["n"], row["n_nan"].as_str()), (&expected["n"].to_string(), "1"));
        for (place, column) in ["r", "rho", "sd_ratio"].iter().enumerate() {
            close("whole", row, column, number(&expected["whole"][place]), 1e-13);
        }
        for (place, column) in ["threshold", "n_region", "n_intersection", "dice"].iter().enumerate() {
            close("region", row, column, number(&region[place]), 1e-12);
        }
        close("region", row, "neg_log10_p", -number(&region[4]).log10(), 1e-10);
        close("region", row, "auc", number(&region[5]), 1e-13);
        assert_eq!(row["reason"], "");
    }
}
