//! `tuning` as its users meet it: profiles, and how alike they are.
#![allow(clippy::unwrap_used)]

use ndarray::{Array2, Axis, array};
use std::fs;
use support::*;

fn pearson(x: &[f64], y: &[f64]) -> f64 {
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(a, b)| f(a - mx, b - my)).sum::<f64>();
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
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
    assert_eq!(text, "array,stimulus,n_units,response\nffa,s0,3,3\nffa,s1,3,1\n");
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
    save(&dir.path().join("dead.npy"), &array![[5.0], [5.0]], Some(&ids(2)));
    run(dir.path(), "tuning profile --zscore dead.npy").fails(1, &["all 1 units", "2 rows"]);
    save(&dir.path().join("nan.npy"), &array![[5.0, f64::NAN], [5.0, 1.0]], Some(&ids(2)));
    let outcome = run(dir.path(), "tuning profile nan.npy");
    assert!(outcome.stderr.contains("1 of 2 rows is NaN"), "{}", outcome.stderr);
    let (profile, _) = matrix(&outcome.ok());
    assert!(profile[[0, 0]].is_nan() && profile[[1, 0]] == 3.0);
}

#[test]
fn systems_are_compared_by_id_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let (model, one, two) = (noise(12, 5, 1), noise(12, 4, 2), noise(12, 3, 3));
    save(&dir.path().join("model.npy"), &model, Some(&ids(12)));
    save(&dir.path().join("one.npy"), &one, Some(&ids(12)));
    save(&dir.path().join("two.npy"), &two, Some(&ids(12)));
    let text = run(dir.path(), "tuning compare model.npy --brain one.npy two.npy").text();
    assert_eq!(text.lines().next().unwrap(), "model,subject,compare,n_stimuli,r,reliability,r_norm,reason");
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
    let ranks = run(dir.path(), "tuning compare model.npy --brain one.npy --compare spearman").text();
    assert!(ranks.starts_with("model,subject,compare,n_stimuli,rho,"), "{ranks}");
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
    assert_eq!(cell(&run(dir.path(), "tuning compare --inner a.npy --brain b.npy").text(), 0, "n_stimuli"), "4");
    run(dir.path(), "tuning compare a.npy --brain bare.npy").fails(1, &["5 without", "--assume-order"]);
    run(dir.path(), "tuning compare --assume-order a.npy --brain bare.npy").ok();
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
    let side: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("p.json")).unwrap()).unwrap();
    assert_eq!((&side["tool"], &side["output"]), (&"tuning".into(), &"p.npy".into()));
}

#[test]
fn help_examples_run() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("face_units.csv"), "unit\n1\n2\n").unwrap();
    for name in ["acts", "ffa", "trained", "untrained"] {
        save(&dir.path().join(format!("{name}.npy")), &noise(8, 4, name.len() as u64), Some(&ids(8)));
    }
    for subject in ["sub-1", "sub-2"] {
        fs::create_dir(dir.path().join(subject)).unwrap();
        save(&dir.path().join(subject).join("ffa.npy"), &noise(8, 4, 11), Some(&ids(8)));
    }
    let mut n = 0;
    for verb in ["", "profile", "compare"] {
        let help = run(dir.path(), &format!("tuning {verb} --help")).text();
        for example in help.lines().skip_while(|l| !l.starts_with("EXAMPLES")).skip(1).filter(|l| l.contains("tuning "))
        {
            sh(dir.path(), example).ok();
            n += 1;
        }
    }
    assert_eq!(n, 7);
}
