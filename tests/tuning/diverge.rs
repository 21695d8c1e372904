//! `tuning diverge`: where a model and a brain part ways, and what those pictures have in common.

use ndarray::{Array2, Axis, array, concatenate};
use std::fs;
use std::path::Path;
use support::*;

fn z(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    values.iter().map(|v| (v - mean) / sd).collect()
}

fn column(values: &[f64]) -> Array2<f64> {
    Array2::from_shape_vec((values.len(), 1), values.to_vec()).unwrap()
}

fn find<'a>(rows: &'a [Row], wanted: &[(&str, &str)]) -> &'a Row {
    let fits = |row: &&Row| wanted.iter().all(|(column, value)| row[*column] == *value);
    let found: Vec<&Row> = rows.iter().filter(fits).collect();
    assert_eq!(found.len(), 1, "{wanted:?}: {} rows", found.len());
    found[0]
}

#[test]
fn pictures_are_ranked_by_their_gap() {
    let dir = tempfile::tempdir().unwrap();
    let (model, brain) = ([1.0, 2.0, 3.0, 4.0, 10.0], [2.0, 1.0, 9.0, 4.0, 5.0]);
    save(&dir.path().join("m.npy"), &column(&model), Some(&ids(5)));
    // Two voxels and two trials whose mean is the profile.
    let around = |d: f64| concatenate(Axis(1), &[(column(&brain) + d).view(), (column(&brain) - d).view()]).unwrap();
    let trials = concatenate(Axis(0), &[(around(1.0) + 0.5).view(), (around(2.0) - 0.5).view()]).unwrap();
    save(&dir.path().join("b.npy"), &trials, Some(&[ids(5), ids(5)].concat()));
    let text = run(dir.path(), "tuning diverge m.npy --brain b.npy").text();
    assert_eq!(text.lines().next().unwrap(), "model,subject,rank,stimulus,model_z,brain_z,difference,residual,reason");
    let (zm, zb) = (z(&model), z(&brain));
    let r = zm.iter().zip(&zb).map(|(a, b)| a * b).sum::<f64>() / 4.0;
    let mut order: Vec<usize> = (0..5).collect();
    order.sort_by(|&a, &b| (zm[b] - zb[b]).abs().total_cmp(&(zm[a] - zb[a]).abs()));
    let table = rows(&text);
    assert_eq!(table.len(), 5, "one model and one subject have no mean of their own");
    for (place, (row, k)) in table.iter().zip(&order).enumerate() {
        assert_eq!(
            (row["rank"].as_str(), row["stimulus"].clone()),
            ((place + 1).to_string().as_str(), format!("s{k}"))
        );
        near(number(row, "model_z"), zm[*k]);
        near(number(row, "brain_z"), zb[*k]);
        near(number(row, "difference"), zm[*k] - zb[*k]);
        near(number(row, "residual"), zb[*k] - r * zm[*k]);
    }
    let top = run(dir.path(), "tuning diverge m.npy --brain b.npy --top 2 --threads 1").text();
    assert_eq!(top.lines().count(), 3);
    assert!(text.starts_with(&top));
    let by_residual = rows(&run(dir.path(), "tuning diverge m.npy --brain b.npy --rank-by residual").text());
    let sizes: Vec<f64> = by_residual.iter().map(|r| number(r, "residual").abs()).collect();
    assert!(sizes.windows(2).all(|w| w[0] >= w[1]), "{sizes:?}");
    // Rows in another order are the same pictures.
    let moved: Vec<usize> = vec![3, 1, 4, 0, 2];
    let labels: Vec<String> = moved.iter().map(|i| format!("s{i}")).collect();
    save(&dir.path().join("m.npy"), &column(&model).select(Axis(0), &moved), Some(&labels));
    let again = run(dir.path(), "tuning diverge m.npy --brain b.npy");
    assert!(again.stderr.contains("into the order of"), "{}", again.stderr);
    assert_eq!(again.text(), text);
}

#[test]
fn several_systems_have_rows_of_their_mean() {
    let dir = tempfile::tempdir().unwrap();
    for (seed, name) in ["m1", "m2", "s1", "s2", "s3"].into_iter().enumerate() {
        save(&dir.path().join(format!("{name}.npy")), &noise(6, 2, seed as u64 + 1), Some(&ids(6)));
    }
    let table = rows(&run(dir.path(), "tuning diverge m1.npy m2.npy --brain s1.npy s2.npy s3.npy").text());
    assert_eq!(table.len(), (2 * 4 + 4) * 6);
    for column in ["model_z", "brain_z", "difference", "residual"] {
        let of = |model: &str, subject: &str| {
            number(find(&table, &[("model", model), ("subject", subject), ("stimulus", "s4")]), column)
        };
        let subjects = ["s1", "s2", "s3"];
        near(of("m1", "mean"), subjects.iter().map(|s| of("m1", s)).sum::<f64>() / 3.0);
        near(of("mean", "s2"), (of("m1", "s2") + of("m2", "s2")) / 2.0);
        near(of("mean", "mean"), (of("m1", "mean") + of("m2", "mean")) / 2.0);
    }
    // What is held out is not shown, not even in the averages.
    let line =
        "tuning diverge m1.npy m2.npy --brain s1.npy s2.npy s3.npy --hold-out-models m2 --hold-out-subjects s1,s3";
    let held = run(dir.path(), line);
    assert!(held.stderr.contains("1 models, 1 subjects, 6 stimuli"), "{}", held.stderr);
    let held = rows(&held.text());
    assert!(held.iter().all(|r| r["model"] == "m1" && r["subject"] == "s2"), "{held:?}");
    let half = |seed: u64| {
        let line = format!("tuning diverge m1.npy --brain s1.npy --hold-out-stimuli half --seed {seed}");
        let mut shown: Vec<String> =
            rows(&run(dir.path(), &line).text()).into_iter().map(|r| r["stimulus"].clone()).collect();
        shown.sort();
        shown
    };
    assert_eq!((half(1).len(), half(1)), (3, half(1)));
    assert!((2..9).any(|seed| half(seed) != half(1)));
    let unknown = "tuning diverge m1.npy --brain s1.npy --hold-out-models resnet";
    run(dir.path(), unknown).fails(1, &["--hold-out-models", "\"resnet\"", "m1"]);
    run(dir.path(), "tuning diverge m1.npy --brain s1.npy --hold-out-models m1").fails(1, &["all 1 are held out"]);
    run(dir.path(), "tuning diverge m1.npy --brain s1.npy --names mean").fails(1, &["a model named \"mean\""]);
    run(dir.path(), "tuning diverge m1.npy --brain s1.npy --brain-names mean").fails(1, &["a subject named \"mean\""]);
}

/// Twelve pictures: human faces, animal faces, and others; the model prefers human faces far more than the brains.
fn faces(dir: &Path) -> (Vec<f64>, [Vec<f64>; 3]) {
    let species: Vec<&str> = (0..12).map(|i| ["human", "animal", "n/a"][i % 3]).collect();
    let lines: String = (0..12).map(|i| format!("s{i},{},{}\n", species[i], ["old", "new"][i / 6])).collect();
    fs::write(dir.join("pictures.csv"), format!("stimulus,face_species,set\n{lines}")).unwrap();
    let of = |human: f64, animal: f64, seed: u64| -> Vec<f64> {
        let noise = noise(12, 1, seed);
        (0..12).map(|i| [human, animal, 0.0][i % 3] + 0.2 * noise[[i, 0]]).collect()
    };
    let model = of(3.0, 0.5, 1);
    let brains = [of(2.0, 1.9, 2), of(2.0, 1.8, 3), of(2.0, 2.1, 4)];
    save(&dir.join("net.npy"), &column(&model), Some(&ids(12)));
    for (i, brain) in brains.iter().enumerate() {
        save(&dir.join(format!("p{i}.npy")), &column(brain), Some(&ids(12)));
    }
    (model, brains)
}

fn difference(z: &[f64]) -> f64 {
    let over = |which: usize| (0..z.len()).filter(|i| i % 3 == which).map(|i| z[i]).sum::<f64>() / (z.len() / 3) as f64;
    over(0) - over(1)
}

#[test]
fn groups_differ_more_in_the_model_than_in_the_brains() {
    let dir = tempfile::tempdir().unwrap();
    let (model, brains) = faces(dir.path());
    let line = "tuning diverge net.npy --brain p0.npy p1.npy p2.npy --stimuli pictures.csv --group face_species";
    let text = run(dir.path(), line).text();
    let table = rows(&text);
    let of_model = difference(&z(&model));
    let of_brains: Vec<f64> = brains.iter().map(|b| difference(&z(b))).collect();
    let estimate = |effect: &str, model: &str, subject: &str| {
        find(
            &table,
            &[("effect", effect), ("model", model), ("subject", subject), ("test", "bootstrap"), ("over", "stimuli")],
        )
    };
    near(number(estimate("model", "net", ""), "estimate"), of_model);
    for (i, brain) in of_brains.iter().enumerate() {
        near(number(estimate("brain", "", &format!("p{i}")), "estimate"), *brain);
        let interaction = estimate("interaction", "net", &format!("p{i}"));
        near(number(interaction, "estimate"), of_model - brain);
        assert_eq!((interaction["n_stimuli"].as_str(), interaction["n_boot"].as_str()), ("8", "1000"));
        assert!(number(interaction, "p") < 0.01 && number(interaction, "ci_lo") > 0.0, "{interaction:?}");
    }
    // The t test over subjects by hand, and what each test says it is over.
    let mean = of_brains.iter().sum::<f64>() / 3.0;
    let sd = (of_brains.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
    let t = find(&table, &[("effect", "interaction"), ("test", "t")]);
    near(number(t, "estimate"), of_model - mean);
    near(number(t, "t"), (of_model - mean) / (sd / 3f64.sqrt()));
    assert_eq!((t["over"].as_str(), t["df"].as_str(), t["n_same_sign"].as_str()), ("subjects", "2", "3"));
    let mut tests: Vec<String> = table
        .iter()
        .filter(|r| r["effect"] == "interaction" && r["subject"] == "mean")
        .map(|r| format!("{} {} {} {} {}", r["test"], r["over"], r["n_stimuli"], r["n_subjects"], r["n_models"]))
        .collect();
    tests.sort();
    assert_eq!(tests, ["bootstrap stimuli 8  ", "bootstrap stimuli+subjects 8 3 ", "t subjects  3 "]);
    assert!(table.iter().all(|r| r["part"] == "all" && r["contrast"] == "human > animal"), "{text}");
    // Draws do not depend on threads, do depend on the seed, and the default seed is 0.
    assert_eq!(run(dir.path(), &format!("{line} --threads 2 --seed 0")).text(), text);
    assert_ne!(run(dir.path(), &format!("{line} --seed 1")).text(), text);
    // The other way round is the negative; only the pictures of the contrast count in n.
    let turned = rows(&run(dir.path(), &format!("{line} --contrast 'animal > human'")).text());
    let back = find(&turned, &[("effect", "brain"), ("subject", "p1")]);
    near(number(back, "estimate"), -of_brains[1]);
    assert_eq!(back["n_stimuli"], "8");
    // Three levels need a contrast.
    let three = fs::read_to_string(dir.path().join("pictures.csv")).unwrap().replace("n/a", "thing");
    fs::write(dir.path().join("three.csv"), three).unwrap();
    let line = "tuning diverge net.npy --brain p0.npy --stimuli three.csv --group face_species";
    run(dir.path(), line).fails(1, &["three.csv", "3 levels (human, animal, thing)", "--contrast"]);
    let rest = rows(&run(dir.path(), &format!("{line} --contrast 'human > rest'")).text());
    assert_eq!((rest[0]["n_stimuli"].as_str(), rest[0]["contrast"].as_str()), ("12", "human > rest"));
    run(dir.path(), &format!("{line} --contrast 'human > dog'")).fails(1, &["\"dog\""]);
    run(dir.path(), "tuning diverge net.npy --brain p0.npy --group face_species").fails(2, &["--stimuli"]);
}

#[test]
fn the_bootstrap_has_the_spread_that_theory_says() {
    // Two groups of 200: the standard error of the difference is sqrt(var_a / 200 + var_b / 200), with n in the
    // variances.
    let dir = tempfile::tempdir().unwrap();
    let n = 400;
    let values: Vec<f64> = noise(n, 1, 7).iter().copied().collect();
    let lines: String = (0..n).map(|i| format!("s{i},{}\n", ["a", "b"][i % 2])).collect();
    fs::write(dir.path().join("t.csv"), format!("stimulus,g\n{lines}")).unwrap();
    save(&dir.path().join("m.npy"), &column(&values), Some(&ids(n)));
    save(&dir.path().join("b.npy"), &noise(n, 1, 8), Some(&ids(n)));
    let line = "tuning diverge m.npy --brain b.npy --stimuli t.csv --group g --n-boot 4000";
    let table = rows(&run(dir.path(), line).text());
    let zed = z(&values);
    let variance = |group: usize| {
        let of: Vec<f64> = zed.iter().skip(group).step_by(2).copied().collect();
        let mean = of.iter().sum::<f64>() / 200.0;
        of.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 200.0
    };
    let expected = ((variance(0) + variance(1)) / 200.0).sqrt();
    let row = find(&table, &[("effect", "model")]);
    // An sd from 4000 draws is known to 1.1 %: four of them.
    assert!((number(row, "se") / expected - 1.0).abs() < 0.045, "{row:?} {expected}");
    let width = number(row, "ci_hi") - number(row, "ci_lo");
    assert!((width / (2.0 * 1.96 * expected) - 1.0).abs() < 0.1, "{width}");
    assert!(number(row, "p") > 0.001 && number(row, "p") <= 1.0);
}

#[test]
fn held_out_parts_are_tested_apart() {
    let dir = tempfile::tempdir().unwrap();
    let (model, brains) = faces(dir.path());
    save(&dir.path().join("net2.npy"), &column(&model.iter().map(|v| v.powi(2)).collect::<Vec<_>>()), Some(&ids(12)));
    let line = "tuning diverge net.npy net2.npy --brain p0.npy p1.npy p2.npy --stimuli pictures.csv --group face_species \
                --hold-out-models net2 --hold-out-subjects p1,p2 --hold-out-stimuli set=new";
    let table = rows(&run(dir.path(), line).text());
    let mut parts: Vec<&str> = table.iter().map(|r| r["part"].as_str()).collect();
    parts.dedup();
    assert_eq!(parts, ["discovery", "held_out_models", "held_out_subjects", "held_out_stimuli", "held_out_all"]);
    // z is over the part's own six pictures.
    let old = |values: &[f64]| difference(&z(&values[..6]));
    let new = |values: &[f64]| difference(&z(&values[6..]));
    let estimate = |part: &str, effect: &str, column: &str, name: &str| {
        number(find(&table, &[("part", part), ("effect", effect), (column, name), ("over", "stimuli")]), "estimate")
    };
    near(estimate("discovery", "model", "model", "net"), old(&model));
    near(estimate("discovery", "brain", "subject", "p0"), old(&brains[0]));
    near(estimate("held_out_stimuli", "model", "model", "net"), new(&model));
    near(estimate("held_out_subjects", "brain", "subject", "p2"), old(&brains[2]));
    near(estimate("held_out_all", "brain", "subject", "p1"), new(&brains[1]));
    let of = |part: &str| -> Vec<(String, String)> {
        let mut seen: Vec<(String, String)> = table
            .iter()
            .filter(|r| r["part"] == part && r["effect"] == "interaction")
            .map(|r| (r["model"].clone(), r["subject"].clone()))
            .collect();
        seen.dedup();
        seen
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(of("discovery"), [pair("net", "p0")]);
    assert_eq!(of("held_out_models"), [pair("net2", "p0")]);
    assert_eq!(of("held_out_all"), [pair("net2", "p1"), pair("net2", "p2"), pair("net2", "mean")]);
    let over = find(&table, &[("part", "held_out_subjects"), ("effect", "interaction"), ("test", "t")]);
    assert_eq!((over["n_subjects"].as_str(), over["n_same_sign"].as_str()), ("2", "2"));
    let lonely = line.replace("set=new", "set=none");
    run(dir.path(), &lonely).fails(1, &["0 of 12 stimuli have \"none\" in column \"set\""]);
    run(dir.path(), &line.replace("set=new", "set")).fails(2, &["COLUMN=LEVEL"]);
    let bare = "tuning diverge net.npy --brain p0.npy --hold-out-stimuli set=new";
    run(dir.path(), bare).fails(1, &["--stimuli"]);
    // Too few pictures of a group in a part: both numbers.
    let mut few = String::from("stimulus,face_species,set\n");
    for i in 0..12 {
        few += &format!("s{i},{},{}\n", ["human", "animal", "n/a"][i % 3], if i < 4 { "new" } else { "old" });
    }
    fs::write(dir.path().join("pictures.csv"), few).unwrap();
    run(dir.path(), line).fails(1, &["held_out_stimuli", "2 and 1 stimuli"]);
}

#[test]
fn noise_shrinks_a_difference_and_the_correction_undoes_it() {
    let dir = tempfile::tempdir().unwrap();
    let n = 400;
    let lines: String = (0..n).map(|i| format!("s{i},{}\n", ["a", "b"][i % 2])).collect();
    fs::write(dir.path().join("t.csv"), format!("stimulus,g\n{lines}")).unwrap();
    let own = noise(n, 1, 3);
    let signal = Array2::from_shape_fn((n, 1), |(i, _)| [0.5, -0.5][i % 2] + own[[i, 0]]);
    let trial = |seed: u64| &signal + &(2.0 * noise(n, 1, seed));
    let twice: Vec<String> = ids(n).into_iter().chain(ids(n)).collect();
    save(&dir.path().join("m.npy"), &signal, Some(&ids(n)));
    let trials = concatenate(Axis(0), &[trial(4).view(), trial(5).view()]).unwrap();
    save(&dir.path().join("b.npy"), &trials, Some(&twice));
    let line = "tuning diverge m.npy --brain b.npy --stimuli t.csv --group g";
    let effects = |line: &str| -> [f64; 3] {
        let table = rows(&run(dir.path(), line).text());
        ["model", "brain", "interaction"].map(|effect| number(find(&table, &[("effect", effect)]), "estimate"))
    };
    let plain = effects(line);
    assert!(plain[2] > 0.25, "noise alone looks like a gap: {plain:?}");
    let corrected = rows(&run(dir.path(), &format!("{line} --noise-corrected")).text());
    let brain = find(&corrected, &[("effect", "brain")]);
    near(number(brain, "estimate"), plain[1] / number(brain, "reliability").sqrt());
    assert_eq!(find(&corrected, &[("effect", "model")])["reliability"], "");
    // 400 pictures leave the corrected difference within .15 of the truth.
    let gap = number(find(&corrected, &[("effect", "interaction")]), "estimate");
    assert!(gap.abs() < 0.15, "{gap}");
    let given = effects(&format!("{line} --noise-corrected --brain-reliability 0.25"));
    near(given[1], 2.0 * plain[1]);
    run(dir.path(), &format!("{line} --brain-reliability 0.25"))
        .fails(1, &["--brain-reliability", "--noise-corrected"]);
    sh(dir.path(), "npy average b.npy > once.npy").ok();
    run(dir.path(), &format!("{} --noise-corrected", line.replace("b.npy", "once.npy")))
        .fails(1, &["once.npy", "no stimulus is there twice", "--brain-reliability"]);
    // Trials that disagree: no root, so no number, and the reason.
    let against = concatenate(Axis(0), &[trial(4).view(), (0.1 * noise(n, 1, 6) - trial(4)).view()]).unwrap();
    save(&dir.path().join("b.npy"), &against, Some(&twice));
    let outcome = run(dir.path(), &format!("{line} --noise-corrected"));
    assert!(outcome.stderr.contains("b.npy (all): negative_reliability"), "{}", outcome.stderr);
    let table = rows(&outcome.text());
    let row = find(&table, &[("effect", "interaction")]);
    for column in ["estimate", "se", "ci_lo", "p"] {
        assert_eq!(row[column], "NaN", "{column}");
    }
    assert_eq!(row["reason"], "negative_reliability");
    assert_eq!(find(&table, &[("effect", "model")])["reason"], "");
}

#[test]
fn what_has_no_z_keeps_its_place_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    faces(dir.path());
    save(&dir.path().join("flat.npy"), &Array2::ones((12, 2)), Some(&ids(12)));
    let mut holed = noise(12, 1, 9);
    holed[[4, 0]] = f64::NAN;
    save(&dir.path().join("holed.npy"), &holed, Some(&ids(12)));
    let outcome = run(dir.path(), "tuning diverge net.npy flat.npy --brain p0.npy holed.npy");
    assert!(outcome.stderr.contains("flat and p0: constant") && outcome.stderr.contains("net and holed: nan_input"));
    let table = rows(&outcome.text());
    for (model, subject, reason) in
        [("net", "p0", ""), ("net", "holed", "nan_input"), ("net", "mean", "nan_input"), ("flat", "p0", "constant")]
    {
        let row = find(&table, &[("model", model), ("subject", subject), ("stimulus", "s3")]);
        assert_eq!(
            (row["reason"].as_str(), row["difference"] == "NaN"),
            (reason, !reason.is_empty()),
            "{model} {subject}"
        );
    }
    let line = "tuning diverge net.npy flat.npy --brain p0.npy --stimuli pictures.csv --group face_species";
    let table = rows(&run(dir.path(), line).text());
    let reasons: Vec<&str> = table.iter().filter(|r| r["model"] == "mean").map(|r| r["reason"].as_str()).collect();
    assert!(!reasons.is_empty() && reasons.iter().all(|r| *r == "constant"), "{reasons:?}");
}

#[test]
fn ids_decide_and_bad_inputs_are_named() {
    let dir = tempfile::tempdir().unwrap();
    faces(dir.path());
    let mut foreign = ids(12);
    foreign[5] = "zebra".into();
    save(&dir.path().join("foreign.npy"), &noise(12, 1, 3), Some(&foreign));
    let line = "tuning diverge net.npy --brain foreign.npy";
    run(dir.path(), line).fails(1, &["12 distinct ids", "--inner"]);
    let inner = rows(&run(dir.path(), &format!("{line} --inner")).text());
    assert!(inner.len() == 11 && inner.iter().all(|r| r["stimulus"] != "s5" && r["stimulus"] != "zebra"));
    // A table without one of the pictures.
    let short = fs::read_to_string(dir.path().join("pictures.csv")).unwrap().replace("s7,animal,new\n", "");
    fs::write(dir.path().join("short.csv"), short).unwrap();
    let line = "tuning diverge net.npy --brain p0.npy --stimuli short.csv --group face_species";
    run(dir.path(), line).fails(1, &["short.csv", "12", "11"]);
    let left = run(dir.path(), &format!("{line} --inner"));
    assert!(left.stderr.contains("left out"), "{}", left.stderr);
    assert_eq!(rows(&left.text())[0]["n_stimuli"], "7");
    let colour = line.replace("face_species", "colour").replace("short", "pictures");
    run(dir.path(), &colour).fails(1, &["pictures.csv", "colour", "face_species"]);
    let bare = noise(12, 1, 1);
    save(&dir.path().join("bare.npy"), &bare, None);
    run(dir.path(), "tuning diverge bare.npy --brain p0.npy").fails(1, &["--assume-order"]);
    assert_eq!(rows(&run(dir.path(), "tuning diverge bare.npy --brain p0.npy --assume-order").text()).len(), 12);
    let numbered = rows(&run(dir.path(), "tuning diverge bare.npy --brain bare.npy --names a --assume-order").text());
    assert!(numbered.iter().any(|r| r["stimulus"] == "11"));
    save(&dir.path().join("two.npy"), &array![[1.0], [2.0]], Some(&ids(2)));
    run(dir.path(), "tuning diverge two.npy --brain two.npy").fails(1, &["2 stimuli", "at least 3"]);
    let good = fs::read(dir.path().join("net.npy")).unwrap();
    pipe(dir.path(), "tuning diverge - --brain p0.npy", b"").fails(1, &["stdin", "0 bytes"]);
    pipe(dir.path(), "tuning diverge - --brain p0.npy", &good[..good.len() / 2]).fails(1, &["stdin", "truncated"]);
    let piped = pipe(dir.path(), "tuning diverge - --names net --brain p0.npy", &good).text();
    assert_eq!(piped, run(dir.path(), "tuning diverge net.npy --brain p0.npy").text());
    run(dir.path(), "tuning diverge net.npy --brain p0.npy --top 0").fails(2, &["--top"]);
    for line in [
        "tuning diverge net.npy --brain p0.npy",
        "tuning diverge net.npy --brain p0.npy --stimuli pictures.csv --group face_species",
    ] {
        let cut = sh(dir.path(), &format!("{line} | head -c 10 > /dev/null; echo ${{PIPESTATUS[0]}}"));
        assert_eq!(cut.stdout, b"0\n", "{line}: {}", cut.stderr);
        sh(dir.path(), &format!("{line} > /dev/full")).fails(1, &["No space left"]);
    }
    let line = "tuning diverge net.npy --brain p0.npy --stimuli pictures.csv --group face_species --seed 5 -o out.csv";
    run(dir.path(), line).ok();
    let side: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("out.json")).unwrap()).unwrap();
    assert_eq!(
        (&side["seed"], &side["contrast"], &side["n_boot"]),
        (&5.into(), &"human > animal".into(), &1000.into())
    );
    assert_eq!(side["inputs"].as_array().map(Vec::len), Some(3));
}
