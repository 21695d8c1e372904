//! `tuning profile`: weights, NaN and constant units, z per image; and `tuning compare` of one person's regions.

use ndarray::{Array2, Axis, array, concatenate};
use std::fs;
use support::*;

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(a, b)| f(a - mx, b - my)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

fn number(text: &str, row: usize, column: &str) -> f64 {
    rows(text)[row][column].parse().unwrap_or_else(|_| panic!("no {column} in row {row} of {text}"))
}

#[test]
fn weights_are_of_units_and_others_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let m = array![[1.0, 2.0, 6.0, 0.5], [0.0, 4.0, -1.0, 2.0], [3.0, 1.0, 0.0, 7.0]];
    save(&dir.path().join("acts.npy"), &m, Some(&ids(3)));
    // Unit 2 weighs 3, unit 0 weighs 1: (18 + 1) / 4, (-3 + 0) / 4, 3 / 4.
    fs::write(dir.path().join("units.csv"), "unit,t,dprime\n2,3,1\n0,1,1\n").unwrap();
    let weighted = |line: &str| matrix(&run(dir.path(), &format!("tuning profile {line}")).ok()).0;
    assert_eq!(weighted("--weights units.csv acts.npy"), array![[4.75], [-0.75], [0.75]]);
    // Units of a localizer's array, for responses to other pictures.
    fs::write(dir.path().join("layers.csv"), "array,unit,t\nfloc,2,3\nfloc,0,1\nother,1,9\n").unwrap();
    assert_eq!(weighted("--weights layers.csv --array floc acts.npy"), array![[4.75], [-0.75], [0.75]]);
    run(dir.path(), "tuning profile --weights layers.csv acts.npy").fails(1, &["\"acts\"", "floc, other", "--array"]);
    // Equal weights are the plain mean of the listed units.
    let plain = run(dir.path(), "npy cols --quiet --units units.csv acts.npy").ok();
    fs::write(dir.path().join("cut.npy"), &plain).unwrap();
    assert_eq!(weighted("--weights units.csv --weight-column dprime acts.npy"), weighted("cut.npy"));
    // The cut matrix has two columns: unit 2 is none of them, unless the order is said to be the table's.
    let cut = run(dir.path(), "tuning profile --weights units.csv cut.npy");
    cut.fails(1, &["unit 2", "2 columns", "--weights-in-order"]);
    assert_eq!(weighted("--weights units.csv --weights-in-order cut.npy"), array![[4.75], [-0.75], [0.75]]);
    let wrong = run(dir.path(), "tuning profile --weights units.csv --weights-in-order acts.npy");
    wrong.fails(1, &["2 units", "4 columns"]);
    let piped = sh(dir.path(), "cat units.csv | tuning profile --weights - acts.npy --format csv --threads 2").text();
    assert_eq!((rows(&piped)[0]["n_units"].as_str(), number(&piped, 0, "response")), ("2", 4.75));
    // Units without a weight are counted, a negative weight is no weight.
    fs::write(dir.path().join("some.csv"), "unit,t\n2,3\n0,1\n1,NaN\n3,0\n").unwrap();
    let some = run(dir.path(), "tuning profile --weights some.csv --format csv acts.npy");
    assert!(some.stderr.contains("1 of 4 units have no weight"), "{}", some.stderr);
    assert_eq!(rows(&some.text())[0]["n_units"], "2");
    fs::write(dir.path().join("below.csv"), "unit,t\n2,3\n0,-1\n").unwrap();
    run(dir.path(), "tuning profile --weights below.csv acts.npy").fails(1, &["row 1", "-1", "0 or more"]);
    fs::write(dir.path().join("twice.csv"), "unit,t\n2,3\n2,1\n").unwrap();
    run(dir.path(), "tuning profile --weights twice.csv acts.npy").fails(1, &["unit 2", "more than once"]);
    fs::write(dir.path().join("none.csv"), "unit,t\n").unwrap();
    run(dir.path(), "tuning profile --weights none.csv acts.npy").fails(1, &["0 of 0 units"]);
    // Another layer's units are no weights of this one; a table of two arrays gives each its own.
    fs::write(dir.path().join("layers.csv"), "array,unit,t\nacts,1,2\nlayer3,0,2\n").unwrap();
    assert_eq!(weighted("--weights layers.csv acts.npy"), array![[2.0], [4.0], [1.0]]);
    run(dir.path(), "tuning profile --weights layers.csv cut.npy").fails(1, &["\"cut\"", "acts, layer3"]);
    let two = "tuning profile --weights layers.csv --names acts,layer3 acts.npy acts.npy";
    let both: Vec<Vec<f64>> = arrays(&run(dir.path(), two).ok()).into_iter().map(|a| a.values.into_f64()).collect();
    assert_eq!(both, [[2.0, 4.0, 1.0], [1.0, 0.0, 3.0]]);
    let column = run(dir.path(), "tuning profile --weights units.csv --weight-column q acts.npy");
    column.fails(1, &["units.csv", "q", "dprime"]);
    run(dir.path(), "tuning profile --weights-in-order acts.npy").fails(2, &["--weights"]);
    run(dir.path(), "tuning profile --weights units.csv --statistic median acts.npy").fails(2, &["--statistic"]);
}

#[test]
fn nan_and_constant_units_are_counted_with_their_reason() {
    let dir = tempfile::tempdir().unwrap();
    let nan = f64::NAN;
    let m = array![[1.0, 5.0, nan, 2.0], [3.0, 5.0, 1.0, f64::INFINITY], [8.0, 5.0, 1.0, 2.0]];
    save(&dir.path().join("m.npy"), &m, Some(&ids(3)));
    let kept = run(dir.path(), "tuning profile --format csv m.npy");
    assert!(kept.stderr.contains("2 of 3 rows is NaN, because units are (2 of 4)"), "{}", kept.stderr);
    let text = kept.text();
    for (row, response) in ["NaN", "NaN", "4"].into_iter().enumerate() {
        let cells = &rows(&text)[row];
        assert_eq!((cells["n_units"].as_str(), cells["n_constant"].as_str(), cells["n_nan"].as_str()), ("4", "1", "2"));
        assert_eq!(
            (cells["response"].as_str(), cells["z"].as_str(), cells["reason"].as_str()),
            (response, "NaN", "nan_input")
        );
    }
    let dropped = run(dir.path(), "tuning profile --drop-nan --format csv m.npy");
    assert!(dropped.stderr.contains("2 of 4 units have a NaN"), "{}", dropped.stderr);
    let text = dropped.text();
    // (1 + 5) / 2, (3 + 5) / 2, (8 + 5) / 2: mean 4.5, sd sqrt((2.25 + .25 + 4) / 2).
    let sd = 3.25f64.sqrt();
    for (row, response) in [3.0, 4.0, 6.5].into_iter().enumerate() {
        assert_eq!(number(&text, row, "response"), response);
        near(number(&text, row, "z"), (response - 4.5) / sd);
        assert_eq!((rows(&text)[row]["n_units"].as_str(), rows(&text)[row]["reason"].as_str()), ("2", ""));
    }
    // z of the units: only the first is left. z of the profile: what the column z says.
    let units = run(dir.path(), "tuning profile --drop-nan --zscore --format csv m.npy").text();
    assert_eq!((rows(&units)[0]["n_units"].as_str(), rows(&units)[0]["n_constant"].as_str()), ("1", "1"));
    near(number(&units, 0, "response"), -3.0 / 13f64.sqrt());
    let profile = matrix(&run(dir.path(), "tuning profile --drop-nan --zscore=profile m.npy").ok()).0;
    near(profile[[2, 0]], 2.0 / sd);
    save(&dir.path().join("dead.npy"), &array![[nan, 5.0], [1.0, 5.0]], Some(&ids(2)));
    run(dir.path(), "tuning profile --drop-nan --zscore dead.npy")
        .fails(1, &["0 of 2 units", "1 constant, 1 with a NaN"]);
    // A flat profile is kept, with no z.
    save(&dir.path().join("flat.npy"), &array![[1.0, 5.0], [5.0, 1.0]], Some(&ids(2)));
    let flat = run(dir.path(), "tuning profile --format csv flat.npy");
    assert!(flat.stderr.contains("constant over 2 rows"), "{}", flat.stderr);
    let cells = rows(&flat.text());
    assert_eq!(
        (cells[0]["response"].as_str(), cells[0]["z"].as_str(), cells[0]["reason"].as_str()),
        ("3", "NaN", "constant")
    );
}

#[test]
fn a_profile_that_is_only_rounding_is_constant() {
    let dir = tempfile::tempdir().unwrap();
    let mut centred = noise(10, 64, 1);
    for mut row in centred.rows_mut() {
        let mean = row.sum() / 64.0;
        row -= mean;
    }
    save(&dir.path().join("centred.npy"), &centred, Some(&ids(10)));
    // LayerNorm in f4, saved in f8: the precision is still that of f4.
    let single = centred.mapv(|v| f64::from(v as f32));
    save(&dir.path().join("single.npy"), &single, Some(&ids(10)));
    let spread = |m: &Array2<f64>| {
        let means: Vec<f64> = m.rows().into_iter().map(|r| r.sum() / 64.0).collect();
        means.iter().fold(0.0f64, |largest, v| largest.max((v - means[0]).abs()))
    };
    assert!(spread(&centred) > 0.0 && spread(&single) > 1e-11, "the test needs rounding errors");
    for name in ["centred", "single"] {
        let outcome = run(dir.path(), &format!("tuning profile {name}.npy"));
        assert!(outcome.stderr.contains("10 responses differ by rounding only"), "{}", outcome.stderr);
        let (profile, _) = matrix(&outcome.ok());
        assert!(profile.iter().all(|v| *v == profile[[0, 0]]), "{profile}");
        let text = run(dir.path(), &format!("tuning profile --format csv {name}.npy")).text();
        assert!(rows(&text).iter().all(|r| r["z"] == "NaN" && r["reason"] == "constant"), "{text}");
        // Through a file or a pipe, the next tool sees a constant too.
        save(&dir.path().join("brain.npy"), &noise(10, 3, 2), Some(&ids(10)));
        let scores = sh(dir.path(), &format!("tuning profile -q {name}.npy | tuning compare -q - --brain brain.npy"));
        assert_eq!(rows(&scores.text())[0]["reason"], "constant");
    }
}

/// Trials of two regions of one person: a signal each, and noise that both share trial by trial.
fn one_person(n: usize, seed: u64) -> (Vec<Array2<f64>>, Vec<Array2<f64>>) {
    let (ffa, ofa) = (noise(n, 1, seed), noise(n, 1, seed + 1));
    let shared: Vec<Array2<f64>> = (0..4).map(|trial| 3.0 * noise(n, 1, seed + 10 + trial)).collect();
    let own = |trial: u64, region: u64| 0.1 * noise(n, 1, seed + 20 + 10 * region + trial);
    let region = |signal: &Array2<f64>, region: u64| -> Vec<Array2<f64>> {
        (0..4).map(|t| signal + &shared[t as usize] + own(t, region)).collect()
    };
    (region(&(&ffa + &ofa * 0.3), 0), region(&ofa, 1))
}

fn stacked(trials: &[Array2<f64>]) -> Array2<f64> {
    concatenate(Axis(0), &trials.iter().map(|t| t.view()).collect::<Vec<_>>()).unwrap()
}

#[test]
fn two_regions_of_one_person_share_noise_unless_their_trials_are_disjoint() {
    let dir = tempfile::tempdir().unwrap();
    let n = 60;
    let four: Vec<String> = ids(n).iter().cycle().take(4 * n).cloned().collect();
    let (ffa, ofa) = one_person(n, 1);
    let (other, _) = one_person(n, 100);
    for (person, region, trials) in [("sub-01", "ffa", &ffa), ("sub-01", "ofa", &ofa), ("sub-02", "ffa", &other)] {
        fs::create_dir_all(dir.path().join(person)).unwrap();
        save(&dir.path().join(person).join(format!("{region}.npy")), &stacked(trials), Some(&four));
    }
    let line = "tuning compare sub-01/ofa.npy --brain sub-01/ffa.npy sub-02/ffa.npy --names OFA";
    let flagged = run(dir.path(), line);
    assert!(flagged.stderr.contains("OFA and sub-01/ffa: same_subject"), "{}", flagged.stderr);
    let text = flagged.text();
    let cells = rows(&text);
    assert_eq!((cells[0]["r_norm"].as_str(), cells[0]["reason"].as_str()), ("NaN", "same_subject"));
    assert!(number(&text, 0, "r") > 0.7, "the plain r stays");
    // The row over subjects has the other person alone.
    assert_eq!((cells[2]["n_subjects"].as_str(), &cells[2]["r_norm"]), ("1", &cells[1]["r_norm"]));
    run(dir.path(), &format!("{line} --same-subject refuse")).fails(1, &["sub-01/ofa.npy", "both are of sub-01"]);

    // By hand: halves {0,1} {2,3}, {0,2} {1,3}, {0,3} {1,2}; FFA's half with OFA's other half, both ways.
    let half = |trials: &[Array2<f64>], a: usize, b: usize| -> Vec<f64> {
        (&trials[a] + &trials[b]).iter().copied().collect()
    };
    let splits = [([0, 1], [2, 3]), ([0, 2], [1, 3]), ([0, 3], [1, 2])];
    let cross = |x: &[Array2<f64>], y: &[Array2<f64>]| -> f64 {
        let both = splits.iter().flat_map(|(a, b)| {
            let one = |a: &[usize; 2], b: &[usize; 2]| pearson(&half(x, a[0], a[1]), &half(y, b[0], b[1]));
            [one(a, b), one(b, a)]
        });
        both.sum::<f64>() / 6.0
    };
    let (r, of_ffa, of_ofa) = (cross(&ofa, &ffa), cross(&ffa, &ffa), cross(&ofa, &ofa));
    let text = run(dir.path(), &format!("{line} --same-subject disjoint")).text();
    near(number(&text, 0, "r"), r);
    near(number(&text, 0, "reliability"), of_ffa);
    near(number(&text, 0, "model_reliability"), of_ofa);
    near(number(&text, 0, "r_norm"), r / (of_ffa * of_ofa).sqrt());
    let cells = rows(&text);
    assert_eq!(
        (cells[0]["trials"].as_str(), cells[1]["trials"].as_str(), cells[2]["trials"].as_str()),
        ("disjoint", "all", "")
    );
    assert_eq!(cells[2]["n_subjects"], "2");
    // What the correction would have said, had the pair been taken for two people: names without a label hide it.
    let hidden = run(dir.path(), "tuning compare a.npy --brain b.npy");
    hidden.fails(1, &["a.npy"]);
    save(&dir.path().join("a.npy"), &stacked(&ofa), Some(&four));
    save(&dir.path().join("b.npy"), &stacked(&ffa), Some(&four));
    let hidden = run(dir.path(), "tuning compare a.npy --brain b.npy");
    assert!(hidden.stderr.contains("taken for different people"), "{}", hidden.stderr);
    let inflated = number(&hidden.text(), 0, "r_norm");
    assert!(inflated > 1.2 && number(&text, 0, "r_norm") < 0.8, "{inflated}");
    let taken = run(dir.path(), &format!("{line} --same-subject independent")).text();
    assert_eq!((number(&taken, 0, "r_norm"), rows(&taken)[2]["n_subjects"].as_str()), (inflated, "2"));
    // Names in a pipe can carry the label.
    let named = "cat sub-01/ofa.npy | tuning compare - --names sub-01_ofa --brain sub-01/ffa.npy";
    assert_eq!(rows(&sh(dir.path(), named).text())[0]["reason"], "same_subject");
    // Nobody is left for the row over subjects.
    let alone = run(dir.path(), "tuning compare sub-01/ofa.npy --brain sub-01/ffa.npy --summary median").text();
    let cells = rows(&alone);
    assert_eq!((cells[1]["subject"].as_str(), cells[1]["n_subjects"].as_str()), ("median", "0"));
    assert_eq!((cells[1]["r"].as_str(), cells[1]["reason"].as_str()), ("NaN", "same_subject"));
    // Presentation k must be one trial in both.
    save(&dir.path().join("sub-01/v1.npy"), &stacked(&ofa[..3]), Some(&four[..3 * n]));
    // a reliability of all trials is not that of the halves which are correlated here
    run(dir.path(), "tuning compare sub-01/ffa.npy --brain sub-01/ffa.npy --names x --same-subject disjoint --brain-reliability 0.5")
        .fails(1, &["--brain-reliability 0.5", "halves", "leave one of the options out"]);
    let unequal = run(dir.path(), "tuning compare sub-01/v1.npy --brain sub-01/ffa.npy --same-subject disjoint");
    unequal.fails(1, &["3 trials of stimulus \"s0\"", "ffa.npy has 4"]);
    save(&dir.path().join("sub-01/once.npy"), &ofa[0], Some(&ids(n)));
    let once =
        run(dir.path(), "tuning compare sub-01/once.npy --brain sub-01/once.npy --names x --same-subject disjoint");
    assert_eq!(rows(&once.text())[0]["reason"], "too_few_repeats");
}

#[test]
fn reliabilities_can_be_given_and_follow_the_measure() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("m.npy"), &noise(20, 2, 1), Some(&ids(20)));
    save(&dir.path().join("b.npy"), &noise(20, 2, 2), Some(&ids(20)));
    save(&dir.path().join("c.npy"), &noise(20, 2, 3), Some(&ids(20)));
    let line = "tuning compare m.npy --brain b.npy c.npy";
    let text = run(dir.path(), &format!("{line} --brain-reliability 0.25,1")).text();
    near(number(&text, 0, "r_norm"), 2.0 * number(&text, 0, "r"));
    near(number(&text, 1, "r_norm"), number(&text, 1, "r"));
    run(dir.path(), &format!("{line} --brain-reliability 0.25")).fails(1, &["1 numbers for 2 subjects"]);
    run(dir.path(), &format!("{line} --brain-reliability 0.25,1.5")).fails(2, &["1.5"]);
    // Median over three subjects.
    let text = run(dir.path(), &format!("{line} m.npy --summary median")).text();
    let mut r: Vec<f64> = (0..3).map(|row| number(&text, row, "r")).collect();
    r.sort_by(f64::total_cmp);
    near(number(&text, 3, "r"), r[1]);
    // A monotone distortion of one trial leaves Spearman's halves alike and not Pearson's.
    let truth = noise(20, 1, 5);
    let bent = concatenate(Axis(0), &[truth.view(), truth.mapv(|v| (9.0 * v).exp()).view()]).unwrap();
    let twice: Vec<String> = ids(20).iter().chain(&ids(20)).cloned().collect();
    save(&dir.path().join("bent.npy"), &bent, Some(&twice));
    let reliability = |compare: &str| {
        number(
            &run(dir.path(), &format!("tuning compare m.npy --brain bent.npy --compare {compare}")).text(),
            0,
            "reliability",
        )
    };
    near(reliability("spearman"), 1.0);
    assert!(reliability("pearson") < 0.95);
}

#[test]
fn values_near_the_ends_of_the_range_have_the_z_of_any_others() {
    let dir = tempfile::tempdir().unwrap();
    let x = noise(7, 4, 3);
    for (name, size) in [("x", 1.0), ("huge", 2f64.powi(1000)), ("tiny", 2f64.powi(-1000))] {
        save(&dir.path().join(format!("{name}.npy")), &(&x * size), Some(&ids(7)));
    }
    for (options, column) in [("", "z"), ("--zscore=profile", "response"), ("--zscore", "response")] {
        let of =
            |name: &str| rows(&run(dir.path(), &format!("tuning profile --format csv {options} {name}.npy")).text());
        let z = |name: &str| of(name).iter().map(|row| row[column].parse().unwrap()).collect::<Vec<f64>>();
        let plain = z("x");
        for name in ["huge", "tiny"] {
            assert!(z(name).iter().zip(&plain).all(|(a, b)| (a - b).abs() < 1e-12), "{options} {name} {:?}", z(name));
        }
    }
}
