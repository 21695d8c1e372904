//! `tuning` as its users meet it: profiles, and how alike they are.

use ndarray::{Array2, Axis, array};
use std::fs;
use support::*;

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(a, b)| f(a - mx, b - my)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

/// Ranks from 1, tied values sharing the mean of theirs, by counting.
fn ranks(x: &[f64]) -> Vec<f64> {
    let count = |f: &dyn Fn(f64) -> bool| x.iter().filter(|v| f(**v)).count() as f64;
    x.iter().map(|&own| count(&|v| v < own) + (count(&|v| v == own) + 1.0) / 2.0).collect()
}

/// `labels` `times` over, one block of presentations after the other.
fn shown(labels: &[String], times: usize) -> Vec<String> {
    labels.iter().cycle().take(labels.len() * times).cloned().collect()
}

#[track_caller]
fn near(text: &str, row: usize, column: &str, expected: f64) {
    let value: f64 = cell(text, row, column).parse().unwrap_or_else(|_| panic!("no {column} in row {row} of {text}"));
    assert!((value - expected).abs() < 1e-12, "{column} of row {row}: {value}, not {expected}");
}

fn means(m: &Array2<f64>) -> Vec<f64> {
    m.rows().into_iter().map(|r| r.sum() / r.len() as f64).collect()
}

fn cell(text: &str, row: usize, column: &str) -> String {
    rows(text)[row][column].clone()
}

#[test]
fn a_profile_is_the_mean_or_median_over_units() {
    let dir = tempfile::tempdir().unwrap();
    let m = array![[1.0, 2.0, 6.0], [0.0, 4.0, -1.0]];
    let bytes = save(&dir.path().join("ffa.npy"), &m, Some(&ids(2)));
    let (mean, labels) = matrix(&run(dir.path(), "tuning profile ffa.npy").ok());
    assert_eq!((mean, labels.unwrap()), (array![[3.0], [1.0]], ids(2)));
    assert_eq!(matrix(&pipe(dir.path(), "tuning profile --statistic median", &bytes).ok()).0, array![[2.0], [0.0]]);
    let text = run(dir.path(), "tuning profile --format csv ffa.npy").text();
    assert_eq!(
        text,
        "array,stimulus,n_units,n_constant,n_nan,response,z,reason\nffa,s0,3,0,0,3,0.7071067811865475,\n\
                      ffa,s1,3,0,0,1,-0.7071067811865475,\n"
    );
    // f4 in: the mean is still written in f8.
    let mut single = Vec::new();
    let third = npy_stream::Matrix::F4(array![[1.0f32, 1.0, 2.0]]);
    npy_stream::write_matrix(&mut single, &third, Some(&ids(1))).unwrap();
    assert_eq!(matrix(&pipe(dir.path(), "tuning profile", &single).ok()).0, array![[4.0 / 3.0]]);
}

#[test]
fn z_scores_leave_constant_units_out_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    // Unit 0: mean 2, sd sqrt(2). Unit 2: mean 20, sd 10 sqrt(2). Unit 1 is constant.
    save(&dir.path().join("m.npy"), &array![[1.0, 5.0, 30.0], [3.0, 5.0, 10.0]], Some(&ids(2)));
    let outcome = run(dir.path(), "tuning profile --zscore --format csv m.npy");
    assert!(outcome.stderr.contains("1 of 3 units are constant"), "{}", outcome.stderr);
    let text = outcome.text();
    assert_eq!(cell(&text, 0, "n_units"), "2");
    assert!(cell(&text, 0, "response").parse::<f64>().unwrap().abs() < 1e-15);
    // Unit 0: 1 2 6, mean 3, sd sqrt(7): -2 -1 3 over sqrt(7). Unit 1: 0 0 3, mean 1, sd sqrt(3): -1 -1 2 over sqrt(3).
    // Unit 3: 5 5 2, mean 4, sd sqrt(3): 1 1 -2 over sqrt(3).
    let m = array![[1.0, 0.0, 7.0, 5.0], [2.0, 0.0, 7.0, 5.0], [6.0, 3.0, 7.0, 2.0]];
    let bytes = save(&dir.path().join("three.npy"), &m, Some(&ids(3)));
    let z = [-2.0, -1.0, 3.0].map(|z: f64| z / 7f64.sqrt());
    let third = 3f64.sqrt();
    // Row 0 of z: -.756 -.577 .577; row 1: -.378 -.577 .577; row 2: 1.134 1.155 -1.155.
    let median = [-1.0 / third, z[1], z[2]];
    for (statistic, expected) in [("mean", z.map(|z| z / 3.0)), ("median", median)] {
        let line = format!("tuning profile --zscore --statistic {statistic}");
        let (profile, labels) = matrix(&run(dir.path(), &format!("{line} three.npy")).ok());
        assert_eq!((profile.dim(), labels.unwrap()), ((3, 1), ids(3)));
        for (found, expected) in profile.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{statistic}: {profile}");
        }
        let text = pipe(dir.path(), &format!("{line} --format csv -"), &bytes).text();
        near(&text, 2, "response", expected[2]);
        assert_eq!((cell(&text, 2, "n_units"), cell(&text, 2, "stimulus")), ("3".into(), "s2".into()));
    }
    save(&dir.path().join("dead.npy"), &array![[5.0], [5.0]], Some(&ids(2)));
    run(dir.path(), "tuning profile --zscore dead.npy").fails(1, &["all 1 units", "2 rows"]);
    save(&dir.path().join("nan.npy"), &array![[5.0, f64::NAN], [5.0, 1.0]], Some(&ids(2)));
    let outcome = run(dir.path(), "tuning profile nan.npy");
    assert!(outcome.stderr.contains("1 of 2 rows is NaN"), "{}", outcome.stderr);
    let (profile, _) = matrix(&outcome.ok());
    assert!(profile[[0, 0]].is_nan() && profile[[1, 0]] == 3.0);
}

#[test]
fn a_stream_of_matrices_is_a_stream_of_profiles() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (noise(6, 4, 1), noise(5, 300, 2));
    save(&dir.path().join("one.npy"), &one, Some(&ids(6)));
    save(&dir.path().join("two.npy"), &two, None);
    let stream = run(dir.path(), "tuning profile one.npy two.npy").ok();
    let found = arrays(&stream);
    assert_eq!((found.len(), found[0].labels.ids.clone(), &found[1].labels.ids), (2, Some(ids(6)), &None));
    for (array, m) in found.iter().zip([&one, &two]) {
        assert_eq!(array.shape, [m.nrows(), 1]);
        for (a, b) in array.values.clone().into_f64().iter().zip(means(m)) {
            assert!((a - b).abs() < 1e-15);
        }
    }
    for line in ["tuning profile", "tuning profile -", "tuning profile --threads 1", "tuning profile - --threads 2"] {
        assert_eq!(sh(dir.path(), &format!("cat one.npy two.npy | {line}")).ok(), stream, "{line}");
    }
    let table = |line: &str| rows(&sh(dir.path(), line).text());
    let by_file = table("tuning profile --format csv one.npy two.npy");
    let names: Vec<&str> = by_file.iter().map(|r| r["array"].as_str()).collect();
    assert_eq!(names, [["one"; 6].as_slice(), &["two"; 5]].concat());
    assert_eq!((by_file[5]["stimulus"].as_str(), by_file[6]["stimulus"].as_str()), ("s5", ""));
    let piped = table("cat one.npy two.npy | tuning profile --format csv --names a,b");
    assert_eq!((piped[0]["array"].as_str(), piped[10]["array"].as_str()), ("a", "b"));
    run(dir.path(), "tuning profile one.npy two.npy --names a").fails(1, &["two.npy", "--names gives 1"]);
    run(dir.path(), "tuning profile one.npy --names a,b").fails(1, &["2 names for 1"]);
    run(dir.path(), "tuning profile one.npy one.npy --format csv").fails(1, &["\"one\"", "--names"]);
    // A vector is no matrix, and a later array that is cut leaves no profile of the one before it.
    let mut vector = Vec::new();
    npy_stream::write_vector(&mut vector, &[1.0, 2.0], npy_stream::Dtype::F8, npy_stream::LabelsRef::default())
        .unwrap();
    pipe(dir.path(), "tuning profile", &vector).fails(1, &["stdin", "shape [2]", "a matrix"]);
    let bytes = std::fs::read(dir.path().join("one.npy")).unwrap();
    pipe(dir.path(), "tuning profile", &[&bytes[..], &bytes[..200]].concat()).fails(1, &["stdin", "truncated"]);
}

#[test]
fn spearman_is_pearson_of_ranks_with_ties() {
    let dir = tempfile::tempdir().unwrap();
    let coarse = |seed| noise(15, 1, seed).mapv(|v| (3.0 * v).round());
    let (model, brain) = (coarse(1), coarse(2));
    save(&dir.path().join("model.npy"), &model, Some(&ids(15)));
    save(&dir.path().join("brain.npy"), &brain, Some(&ids(15)));
    let text = run(dir.path(), "tuning compare model.npy --brain brain.npy --compare spearman").text();
    let (x, y) = (ranks(&means(&model)), ranks(&means(&brain)));
    assert!(x.iter().any(|r| r.fract() != 0.0), "the test needs ties");
    near(&text, 0, "rho", pearson(&x, &y));
    assert_eq!(cell(&text, 0, "compare"), "spearman");
}

#[test]
fn systems_are_compared_by_id_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let (model, one, two) = (noise(12, 5, 1), noise(12, 4, 2), noise(12, 3, 3));
    save(&dir.path().join("model.npy"), &model, Some(&ids(12)));
    save(&dir.path().join("one.npy"), &one, Some(&ids(12)));
    save(&dir.path().join("two.npy"), &two, Some(&ids(12)));
    let text = run(dir.path(), "tuning compare model.npy --brain one.npy two.npy").text();
    assert_eq!(
        text.lines().next().unwrap(),
        "model,subject,compare,n_stimuli,r,r_halves,reliability,model_r_halves,model_reliability,r_norm,trials,n_subjects,reason"
    );
    let r = [pearson(&means(&model), &means(&one)), pearson(&means(&model), &means(&two))];
    for (row, expected) in [r[0], r[1], (r[0] + r[1]) / 2.0].into_iter().enumerate() {
        assert!((cell(&text, row, "r").parse::<f64>().unwrap() - expected).abs() < 1e-14, "{text}");
        assert_eq!((cell(&text, row, "n_stimuli"), cell(&text, row, "r_norm")), ("12".into(), String::new()));
    }
    assert_eq!(cell(&text, 2, "subject"), "mean");
    let order: Vec<usize> = (0..12).map(|i| (i * 5 + 2) % 12).collect();
    let moved: Vec<String> = order.iter().map(|i| format!("s{i}")).collect();
    save(&dir.path().join("model.npy"), &model.select(Axis(0), &order), Some(&moved));
    let outcome = run(dir.path(), "tuning compare model.npy --brain one.npy two.npy");
    assert!(outcome.stderr.contains("into the order of"), "{}", outcome.stderr);
    assert_eq!(outcome.text(), text);
    // A profile made before is the same system; a pipe is the same file.
    sh(dir.path(), "tuning profile model.npy > p.npy").ok();
    assert_eq!(run(dir.path(), "tuning compare p.npy --names model --brain one.npy two.npy").text(), text);
    let piped =
        sh(dir.path(), "cat one.npy two.npy | tuning compare model.npy --brain - --brain-names one,two --threads 1");
    assert_eq!(piped.text(), text);
    let ranked = run(dir.path(), "tuning compare model.npy --brain one.npy --compare spearman").text();
    assert!(ranked.starts_with("model,subject,compare,n_stimuli,rho,"), "{ranked}");
    let line = "tuning compare model.npy --brain one.npy two.npy";
    assert_eq!(run(dir.path(), &format!("{line} --threads 2 --quiet")).text(), text);
    assert!(run(dir.path(), &format!("{line} --quiet")).stderr.is_empty());
    assert_eq!(run(dir.path(), &format!("{line} --format tsv")).text(), text.replace(',', "\t"));
}

#[test]
fn systems_have_names_that_no_two_rows_share() {
    let dir = tempfile::tempdir().unwrap();
    for (seed, subject) in ["sub-1", "sub-2"].into_iter().enumerate() {
        fs::create_dir(dir.path().join(subject)).unwrap();
        save(&dir.path().join(subject).join("ffa.npy"), &noise(8, 4, seed as u64), Some(&ids(8)));
    }
    save(&dir.path().join("m.npy"), &noise(8, 4, 9), Some(&ids(8)));
    save(&dir.path().join("mean.npy"), &noise(8, 4, 8), Some(&ids(8)));
    let names = |line: &str| -> Vec<String> {
        let table = rows(&run(dir.path(), &format!("tuning compare {line}")).text());
        table.iter().map(|r| format!("{} {}", r["model"], r["subject"])).collect()
    };
    assert_eq!(names("m.npy --brain sub-1/ffa.npy sub-2/ffa.npy"), ["m sub-1/ffa", "m sub-2/ffa", "m mean"]);
    assert_eq!(
        names("m.npy sub-1/ffa.npy --names x,y --brain sub-2/ffa.npy --brain-names S2"),
        ["x S2", "x mean", "y S2", "y mean"]
    );
    assert_eq!(names("mean.npy --brain m.npy"), ["mean m", "mean mean"]);
    let compare = |line: &str| run(dir.path(), &format!("tuning compare {line}"));
    compare("m.npy --brain mean.npy").fails(1, &["mean.npy", "\"mean\"", "--brain-names"]);
    assert_eq!(names("m.npy --brain mean.npy --brain-names S1")[0], "m S1");
    compare("m.npy --brain m.npy m.npy").fails(1, &["both named \"m\"", "--names"]);
    compare("m.npy --brain m.npy --brain-names a,b").fails(1, &["2 names for 1"]);
    compare("m.npy --brain m.npy --names a,b").fails(1, &["2 names for 1"]);
    compare("- --brain -").fails(1, &["stdin"]);
    compare("m.npy").fails(2, &["--brain"]);
    compare("--brain m.npy").fails(2, &["MODEL"]);
}

#[test]
fn ids_decide_what_can_be_compared() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("a.npy"), &noise(5, 2, 1), Some(&ids(5)));
    let mut foreign = ids(5);
    foreign[3] = "zebra".into();
    save(&dir.path().join("b.npy"), &noise(5, 2, 2), Some(&foreign));
    save(&dir.path().join("bare.npy"), &noise(5, 2, 2), None);
    run(dir.path(), "tuning compare a.npy --brain b.npy").fails(1, &["5 distinct ids", "row 3", "--inner"]);
    let inner = run(dir.path(), "tuning compare --inner a.npy --brain b.npy").text();
    assert_eq!(cell(&inner, 0, "n_stimuli"), "4");
    let common = [0, 1, 2, 4];
    let of = |seed| means(&noise(5, 2, seed).select(Axis(0), &common));
    near(&inner, 0, "r", pearson(&of(1), &of(2)));
    run(dir.path(), "tuning compare a.npy --brain bare.npy").fails(1, &["5 without", "--assume-order"]);
    let by_position = run(dir.path(), "tuning compare --assume-order a.npy --brain bare.npy");
    assert!(by_position.stderr.contains("by position (5 rows)"), "{}", by_position.stderr);
    near(&by_position.text(), 0, "r", pearson(&means(&noise(5, 2, 1)), &means(&noise(5, 2, 2))));
    run(dir.path(), "tuning compare bare.npy --brain bare.npy").fails(1, &["--assume-order"]);
    save(&dir.path().join("four.npy"), &noise(4, 2, 2), None);
    run(dir.path(), "tuning compare --assume-order a.npy --brain four.npy").fails(1, &["5", "4"]);
    let shown: Vec<String> = ids(5).into_iter().chain(ids(5)).collect();
    save(&dir.path().join("trials.npy"), &noise(10, 2, 4), Some(&shown));
    run(dir.path(), "tuning compare --assume-order bare.npy --brain trials.npy").fails(1, &["10 trials of 5 stimuli"]);
    save(&dir.path().join("two.npy"), &noise(2, 2, 4), Some(&ids(2)));
    run(dir.path(), "tuning compare two.npy --brain two.npy").fails(1, &["2 stimuli", "at least 3"]);
}

#[test]
fn trials_give_a_reliability_and_an_unclipped_corrected_r() {
    let dir = tempfile::tempdir().unwrap();
    let n = 40;
    let truth = noise(n, 1, 5);
    let (first, second) = (&truth + &(0.8 * &noise(n, 1, 6)), &truth + &(0.8 * &noise(n, 1, 7)));
    let trials = ndarray::concatenate(Axis(0), &[first.view(), second.view()]).unwrap();
    let shown: Vec<String> = ids(n).into_iter().chain(ids(n)).collect();
    save(&dir.path().join("brain.npy"), &trials, Some(&shown));
    save(&dir.path().join("model.npy"), &truth, Some(&ids(n)));
    let text = run(dir.path(), "tuning compare model.npy --brain brain.npy").text();
    let average = means(&ndarray::concatenate(Axis(1), &[first.view(), second.view()]).unwrap());
    let (r, half) = (pearson(&means(&truth), &average), pearson(&means(&first), &means(&second)));
    let reliability = 2.0 * half / (1.0 + half);
    for (column, expected) in [("r", r), ("reliability", reliability), ("r_norm", r / reliability.sqrt())] {
        let value: f64 = cell(&text, 0, column).parse().unwrap();
        assert!((value - expected).abs() < 1e-13, "{column}: {value} {expected}");
    }
    // A model that has the brain's own noise: above 1, and printed so.
    save(&dir.path().join("copy.npy"), &Array2::from_shape_vec((n, 1), average).unwrap(), Some(&ids(n)));
    let copy = run(dir.path(), "tuning compare copy.npy --brain brain.npy").text();
    assert!(cell(&copy, 0, "r_norm").parse::<f64>().unwrap() > 1.05, "{copy}");
}

#[test]
fn three_trials_are_stepped_up_from_single_ones_and_models_have_noise_too() {
    let dir = tempfile::tempdir().unwrap();
    let (n, labels) = (30, ids(30));
    let truth = noise(n, 1, 1);
    let trial = |seed| &truth + &(0.9 * &noise(n, 1, seed));
    let stack = |trials: &[Array2<f64>]| {
        ndarray::concatenate(Axis(0), &trials.iter().map(|t| t.view()).collect::<Vec<_>>()).unwrap()
    };
    let average = |trials: &[Array2<f64>]| means(&(trials.iter().fold(Array2::zeros((n, 1)), |s, t| s + t)));
    let (brain, model) = ([trial(2), trial(3), trial(4)], [trial(5), trial(6)]);
    save(&dir.path().join("brain.npy"), &stack(&brain), Some(&shown(&labels, 3)));
    save(&dir.path().join("model.npy"), &stack(&model), Some(&shown(&labels, 2)));
    save(&dir.path().join("once.npy"), &trial(7), Some(&labels));
    // Two more presentations of two pictures are too few for a reliability: empty, not invented.
    let two_more = stack(&[trial(8), noise(2, 1, 3)]);
    save(&dir.path().join("few.npy"), &two_more, Some(&[&labels[..], &labels[..2]].concat()));

    let r = |a: usize, b: usize| pearson(&means(&brain[a]), &means(&brain[b]));
    let single = (r(0, 1) + r(0, 2) + r(1, 2)) / 3.0;
    let of_brain = 3.0 * single / (1.0 + 2.0 * single);
    let half = pearson(&means(&model[0]), &means(&model[1]));
    let of_model = 2.0 * half / (1.0 + half);
    let text = run(dir.path(), "tuning compare model.npy once.npy --brain brain.npy few.npy").text();
    let (x, y) = (average(&model), average(&brain));
    near(&text, 0, "r", pearson(&x, &y));
    near(&text, 0, "reliability", of_brain);
    near(&text, 0, "r_norm", pearson(&x, &y) / (of_brain * of_model).sqrt());
    assert_eq!((cell(&text, 1, "subject"), cell(&text, 1, "reliability")), ("few".into(), String::new()));
    near(&text, 1, "r_norm", cell(&text, 1, "r").parse::<f64>().unwrap() / of_model.sqrt());
    // The row of the mean; a model without trials is taken as noiseless.
    let of_rows = |column: &str| -> f64 { (0..2).map(|k| cell(&text, k, column).parse::<f64>().unwrap()).sum() };
    near(&text, 2, "r", of_rows("r") / 2.0);
    near(&text, 2, "r_norm", of_rows("r_norm") / 2.0);
    assert_eq!((cell(&text, 2, "subject"), cell(&text, 2, "reliability")), ("mean".into(), String::new()));
    near(&text, 3, "r_norm", pearson(&means(&trial(7)), &y) / of_brain.sqrt());
    assert_eq!(cell(&text, 4, "r_norm"), "");

    // Trials of a picture one after the other, pictures in another order: the same up to rounding.
    let order: Vec<usize> = (0..n).map(|i| (i * 7 + 3) % n).flat_map(|s| [s, s + n, s + 2 * n]).collect();
    let moved: Vec<String> = order.iter().map(|&row| labels[row % n].clone()).collect();
    save(&dir.path().join("brain.npy"), &stack(&brain).select(Axis(0), &order), Some(&moved));
    let again = run(dir.path(), "tuning compare model.npy once.npy --brain brain.npy few.npy").text();
    for column in ["r", "reliability", "r_norm"] {
        near(&again, 0, column, cell(&text, 0, column).parse().unwrap());
    }
    // One split of the three, chosen by the seed: one of the three correlations.
    let one = run(dir.path(), "tuning compare once.npy --brain brain.npy --splits 1 --seed 4").text();
    let found: f64 = cell(&one, 0, "reliability").parse().unwrap();
    let each = [r(0, 1), r(0, 2), r(1, 2)].map(|r| 3.0 * r / (1.0 + 2.0 * r));
    assert!(each.iter().any(|r| (r - found).abs() < 1e-12), "{found} is none of {each:?}");
}

#[test]
fn trials_that_disagree_have_no_corrected_r() {
    let dir = tempfile::tempdir().unwrap();
    let first = noise(12, 1, 1);
    let second = 0.5 * &noise(12, 1, 2) - &first;
    let trials = ndarray::concatenate(Axis(0), &[first.view(), second.view()]).unwrap();
    save(&dir.path().join("brain.npy"), &trials, Some(&shown(&ids(12), 2)));
    save(&dir.path().join("model.npy"), &noise(12, 1, 3), Some(&ids(12)));
    let outcome = run(dir.path(), "tuning compare model.npy --brain brain.npy --quiet");
    assert!(outcome.stderr.contains("model and brain: negative_reliability"), "{}", outcome.stderr);
    let text = outcome.text();
    let half = pearson(&means(&first), &means(&second));
    assert!(half < 0.0);
    for row in 0..2 {
        // It would step up to less than -1, where the formula has ended.
        near(&text, row, "r_halves", half);
        assert!(2.0 * half / (1.0 + half) < -1.0 && cell(&text, row, "reliability") == "NaN");
        assert!(cell(&text, row, "r").parse::<f64>().unwrap().is_finite());
        let (r_norm, reason) = (cell(&text, row, "r_norm"), cell(&text, row, "reason"));
        assert_eq!((r_norm.as_str(), reason.as_str()), ("NaN", "negative_reliability"));
    }
}

#[test]
fn centred_rows_have_no_profile_to_correlate() {
    // Every row has mean 0 and the profile is rounding errors, in f8 and in f4: no r of those.
    let dir = tempfile::tempdir().unwrap();
    let mut centred = noise(10, 64, 1);
    for mut row in centred.rows_mut() {
        let mean = row.sum() / 64.0;
        row -= mean;
    }
    let profile = means(&centred);
    assert!(profile.iter().any(|m| *m != profile[0]), "the test needs rounding errors");
    save(&dir.path().join("f8.npy"), &centred, Some(&ids(10)));
    let mut single = Vec::new();
    let rounded = npy_stream::Matrix::F4(centred.mapv(|v| v as f32));
    npy_stream::write_matrix(&mut single, &rounded, Some(&ids(10))).unwrap();
    fs::write(dir.path().join("f4.npy"), single).unwrap();
    save(&dir.path().join("brain.npy"), &noise(10, 3, 2), Some(&ids(10)));
    for model in ["f8", "f4"] {
        let text = run(dir.path(), &format!("tuning compare {model}.npy --brain brain.npy")).text();
        assert_eq!((cell(&text, 0, "r"), cell(&text, 0, "reason")), ("NaN".into(), "constant".into()), "{model}");
    }
    // A small profile on large responses is one.
    let tilt = Array2::from_shape_fn((10, 64), |(row, unit)| centred[[row, unit]] + 1e-9 * (row as f64));
    save(&dir.path().join("tilt.npy"), &tilt, Some(&ids(10)));
    let text = run(dir.path(), "tuning compare tilt.npy --brain brain.npy").text();
    let r = pearson(&(0..10).map(f64::from).collect::<Vec<_>>(), &means(&noise(10, 3, 2)));
    assert!((cell(&text, 0, "r").parse::<f64>().unwrap() - r).abs() < 1e-6, "{text}");
}

#[test]
fn a_constant_profile_is_nan_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("flat.npy"), &Array2::ones((6, 2)), Some(&ids(6)));
    save(&dir.path().join("brain.npy"), &noise(6, 2, 1), Some(&ids(6)));
    let outcome = run(dir.path(), "tuning compare flat.npy --brain brain.npy");
    assert!(outcome.stderr.contains("constant"), "{}", outcome.stderr);
    let text = outcome.text();
    for row in 0..2 {
        assert_eq!((cell(&text, row, "r"), cell(&text, row, "reason")), ("NaN".into(), "constant".into()));
    }
    // 0.1 twice or once: the average of equal trials is that value and not its neighbour.
    save(&dir.path().join("tenth.npy"), &Array2::from_elem((16, 3), 0.1), Some(&[shown(&ids(6), 2), ids(4)].concat()));
    let text = run(dir.path(), "tuning compare brain.npy --brain tenth.npy").text();
    assert_eq!((cell(&text, 0, "r"), cell(&text, 0, "reason")), ("NaN".into(), "constant".into()));
    let mut holed = noise(6, 2, 3);
    holed[[4, 1]] = f64::NAN;
    save(&dir.path().join("holed.npy"), &holed, Some(&ids(6)));
    let outcome = run(dir.path(), "tuning compare brain.npy --brain holed.npy brain.npy");
    assert!(outcome.stderr.contains("brain and holed: nan_input"), "{}", outcome.stderr);
    let text = outcome.text();
    let reasons: Vec<String> = (0..3).map(|row| cell(&text, row, "reason")).collect();
    assert_eq!(reasons, ["nan_input", "", "nan_input"], "one NaN subject is not left out of the mean");
    near(&text, 1, "r", 1.0);
    assert_eq!((cell(&text, 0, "r"), cell(&text, 2, "r")), ("NaN".into(), "NaN".into()));
}

#[test]
fn bad_bytes_closed_pipes_full_disks_and_sidecars() {
    let dir = tempfile::tempdir().unwrap();
    let good = save(&dir.path().join("big.npy"), &noise(4000, 3, 1), Some(&ids(4000)));
    save(&dir.path().join("nothing.npy"), &Array2::zeros((3, 0)), Some(&ids(3)));
    for verb in ["tuning profile -", "tuning compare - --brain big.npy"] {
        pipe(dir.path(), verb, b"").fails(1, &["tuning: stdin", "0 bytes"]);
        pipe(dir.path(), verb, b"id,x\n").fails(1, &["not a .npy array"]);
        pipe(dir.path(), verb, &good[..good.len() / 2]).fails(1, &["stdin", "truncated"]);
    }
    run(dir.path(), "tuning profile nothing.npy").fails(1, &["3 rows of 0 units"]);
    run(dir.path(), "tuning compare nothing.npy --brain big.npy").fails(1, &["3 rows of 0 units"]);
    run(dir.path(), "tuning compare big.npy --brain none.npy").fails(1, &["none.npy"]);
    run(dir.path(), "tuning compare big.npy --brain big.npy --compare kendall").fails(2, &["pearson, spearman"]);
    for line in
        ["tuning profile big.npy", "tuning profile --format csv big.npy", "tuning compare big.npy --brain big.npy"]
    {
        let cut = sh(dir.path(), &format!("{line} | head -c 10 > /dev/null; echo ${{PIPESTATUS[0]}}"));
        assert_eq!(cut.stdout, b"0\n", "{line}: {}", cut.stderr);
        sh(dir.path(), &format!("{line} > /dev/full")).fails(1, &["No space left"]);
    }
    run(dir.path(), "tuning profile big.npy -o p.npy").ok();
    assert_eq!(fs::read(dir.path().join("p.npy")).unwrap(), run(dir.path(), "tuning profile big.npy").ok());
    let side: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("p.json")).unwrap()).unwrap();
    assert_eq!((&side["tool"], &side["output"]), (&"tuning".into(), &"p.npy".into()));
    // What fails leaves nothing beside its inputs.
    run(dir.path(), "tuning compare big.npy --brain nothing.npy -o s.csv").fails(1, &["nothing.npy"]);
    run(dir.path(), "tuning compare big.npy --brain big.npy -o no/s.csv").fails(1, &["no/s.csv"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 4, "two inputs, p.npy, p.json");
    run(dir.path(), "tuning compare big.npy --brain p.npy --seed 3 -o s.csv").ok();
    let side: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("s.json")).unwrap()).unwrap();
    assert_eq!((&side["seed"], side["inputs"].as_array().map(Vec::len)), (&3.into(), Some(2)));
}

#[test]
fn help_examples_run() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("face_units.csv"), "unit,t\n1,8.5\n2,7.5\n").unwrap();
    for name in ["acts", "ffa", "trained", "untrained", "layer3", "layer4"] {
        save(&dir.path().join(format!("{name}.npy")), &noise(8, 4, name.len() as u64), Some(&ids(8)));
    }
    for name in ["faces", "m1", "m2"] {
        save(&dir.path().join(format!("{name}.npy")), &noise(8, 1, name.len() as u64), Some(&ids(8)));
    }
    for subject in ["sub-1", "sub-2"] {
        fs::create_dir(dir.path().join(subject)).unwrap();
        for roi in ["ffa", "ofa"] {
            save(&dir.path().join(subject).join(format!("{roi}.npy")), &noise(16, 4, 11), Some(&shown(&ids(8), 2)));
        }
    }
    let pictures: String = (0..8).map(|i| format!("s{i},{},{}\n", ["human", "animal"][i % 2], i / 4)).collect();
    fs::write(dir.path().join("pictures.csv"), format!("stimulus,face_species,has_people\n{pictures}")).unwrap();
    let mut n = 0;
    for verb in ["", "profile", "compare", "diverge", "match"] {
        let help = run(dir.path(), &format!("tuning {verb} --help")).text();
        for example in
            help.lines().skip_while(|l| !l.starts_with("Examples:")).skip(1).filter(|l| l.contains("tuning "))
        {
            sh(dir.path(), example).ok();
            n += 1;
        }
    }
    assert_eq!(n, 16);
}
