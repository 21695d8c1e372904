//! First-level models: `fmri-roi glm` against nilearn, from the numbers of a design to betas per trial.

use std::fs;
use std::path::Path;

use ndarray::Array2;
use serde_json::Value;
use support::{matrix, run, save};

use crate::load::{all_close, close, json, number, numbers, path};

/// `fmri-roi glm` in a folder that holds the golden inputs; gives what it said.
fn glm(dir: &Path, line: &str) -> String {
    let outcome = run(dir, &format!("fmri-roi glm {line}"));
    let said = outcome.stderr.clone();
    outcome.ok();
    said
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in fs::read_dir(path("glm")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
    }
    dir
}

fn map(dir: &Path, name: &str) -> Vec<f64> {
    matrix(&fs::read(dir.join(format!("{name}_statmap.npy"))).unwrap()).0.row(0).to_vec()
}

#[test]
fn designs_are_nilearns_column_by_column() {
    let dir = folder();
    let dir = dir.path();
    let mut n_designs = 0;
    for file in ["glm/designs-1.json", "glm/designs-2.json"] {
        for (name, design) in json(file).as_object().unwrap() {
            let (n, tr) = (number(&design["n_volumes"]) as usize, number(&design["tr"]));
            save(&dir.join("bold.npy"), &support::noise(n, 2, 3), None);
            let columns: Vec<Vec<f64>> = design["columns"].as_array().unwrap().iter().map(numbers).collect();
            let names: Vec<&str> = design["names"].as_array().unwrap().iter().map(|n| n.as_str().unwrap()).collect();
            let arguments = design["arguments"].as_str().unwrap();
            let said = glm(
                dir,
                &format!(
                    "bold.npy --events odd-events.tsv --tr {tr} {arguments} --scale none --noise ols --contrast '{}' \
                     --out-dir {name}",
                    names[0]
                ),
            );
            assert!(said.contains("1 rows repeat condition") && said.contains("1 events last 0 s"), "{said}");
            assert!(said.contains("1 events begin behind the end") || n > 60, "{said}");
            let table = fs::read_to_string(dir.join(name).join("bold_design.tsv")).unwrap();
            let mut lines = table.lines();
            assert_eq!(lines.next().unwrap().split('\t').collect::<Vec<_>>(), names, "{name}");
            let rows: Vec<Vec<f64>> =
                lines.map(|line| line.split('\t').map(|cell| cell.parse().unwrap()).collect()).collect();
            assert_eq!(rows.len(), n);
            for (k, column) in columns.iter().enumerate() {
                let own: Vec<f64> = rows.iter().map(|row| row[k]).collect();
                // Derivatives are differences of two responses a hundredth apart: ten digits of sixteen are left.
                all_close(&format!("{name}: {}", names[k]), &own, column, 1e-9);
            }
            n_designs += 1;
        }
    }
    assert_eq!(n_designs, 9);
}

const MODEL: &str = "--tr 2 --hrf spm --high-pass 0.015625 --scale none --contrast 'A > B' --contrast A";

fn compare(dir: &Path, what: &str, expected: &Value) {
    for (contrast, own) in expected.as_object().unwrap() {
        let label = contrast.replace(" > ", "Gt").replace("; ", "And");
        let of = |statistic: &str| map(dir, &format!("contrast-{label}_stat-{statistic}"));
        let what = format!("{what}, {contrast}");
        let is_f = contrast.contains(';');
        all_close(&format!("{what}: z"), &of("z"), &numbers(&own["z"]), 1e-6);
        all_close(&format!("{what}: t or F"), &of(if is_f { "F" } else { "t" }), &numbers(&own["stat"]), 1e-8);
        if !is_f {
            all_close(&format!("{what}: effect"), &of("effect"), &numbers(&own["effect"]), 1e-8);
            all_close(&format!("{what}: variance"), &of("variance"), &numbers(&own["variance"]), 1e-8);
        }
        let record = fs::read_to_string(dir.join(format!("contrast-{label}_stat-z_statmap.json"))).unwrap();
        let record: Value = serde_json::from_str(&record).unwrap();
        assert_eq!((record["df"].as_f64(), record["contrast"].as_str()), (own["df"].as_f64(), Some(contrast.as_str())));
    }
}

#[test]
fn least_squares_and_autoregression_are_nilearns_over_one_run_and_two() {
    let dir = folder();
    let dir = dir.path();
    let expected = json("glm/fits.json");
    let two = "run-1.npy run-2.npy --events run-1_events.tsv run-2_events.tsv";
    for noise in ["ols", "ar1"] {
        let own = &expected[noise];
        for (what, line) in [
            ("one", format!("run-1.npy --events run-1_events.tsv {MODEL} --f-contrast 'A; B'")),
            ("both", format!("{two} {MODEL}")),
            ("precision", format!("{two} {MODEL} --fixed-effects precision")),
        ] {
            let out = format!("{noise}-{what}");
            glm(dir, &format!("{line} --noise {noise} --out-dir {out}"));
            compare(&dir.join(&out), &out, &own[what]);
        }
    }
    let one = dir.join("ols-one");
    all_close("sd", &map(&one, "stat-residualsd"), &numbers(&expected["sd"]), 1e-9);
    all_close("R2", &map(&one, "stat-rsquared"), &numbers(&expected["R2"]), 1e-9);
    // What specs and nilearn print of this problem.
    all_close(
        "t of the first three",
        &map(&one, "contrast-AGtB_stat-t")[..3],
        &[4.97120761, -2.95873772, -2.38397948],
        5e-9,
    );
}

#[test]
fn an_f_over_runs_of_one_design_is_nilearns() {
    let dir = folder();
    let dir = dir.path();
    glm(
        dir,
        &format!(
            "run-1.npy turned.npy --events run-1_events.tsv run-1_events.tsv {MODEL} --noise ols \
             --f-contrast 'A; B' --out-dir out"
        ),
    );
    let expected = &json("glm/fits.json")["ols"]["turned"];
    all_close("F", &map(&dir.join("out"), "contrast-AAndB_stat-F"), &numbers(&expected["stat"]), 1e-8);
    all_close("z", &map(&dir.join("out"), "contrast-AAndB_stat-z"), &numbers(&expected["z"]), 1e-6);
}

#[test]
fn betas_per_trial_are_those_of_nilearns_loop() {
    let dir = folder();
    let dir = dir.path();
    let expected = json("glm/trials.json");
    for how in ["lsa", "lss"] {
        let line = "run-1.npy --events run-1_events.tsv --tr 2 --hrf spm --high-pass 0.015625 --noise ols";
        glm(dir, &format!("{line} --betas {how} -o {how}.npy"));
        let (betas, ids) = matrix(&fs::read(dir.join(format!("{how}.npy"))).unwrap());
        assert_eq!(ids.unwrap(), ["A_1", "B_1", "A_2", "B_2", "A_3", "B_3", "A_4"]);
        let rows: Vec<Vec<f64>> = expected[how].as_array().unwrap().iter().map(numbers).collect();
        let rows = Array2::from_shape_fn(betas.dim(), |(i, k)| rows[i][k]);
        for ((place, own), nilearns) in betas.indexed_iter().zip(&rows) {
            close(&format!("{how} {place:?}"), *own, *nilearns, 1e-9);
        }
    }
}

#[test]
fn deviates_of_t_and_f_are_scipys() {
    let expected = json("glm/deviates.json");
    let rows = |name: &str| -> Vec<Vec<f64>> { expected[name].as_array().unwrap().iter().map(numbers).collect() };
    for row in rows("t") {
        close(&format!("z of t {row:?}"), statistics::z_of_t(row[0], row[1]), row[2], 1e-9);
    }
    for row in rows("f") {
        close(&format!("z of F {row:?}"), statistics::z_of_f(row[0], row[1] as usize, row[2]), row[3], 1e-9);
    }
}
