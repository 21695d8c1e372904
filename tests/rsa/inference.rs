//! `rsa compare` as its users meet its inference: whitened comparisons, bootstraps, permutations, tests, fitted models.

use ndarray::{Array2, Axis};
use npy_stream::{Dtype, write_vector};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::{TempDir, tempdir};

/// Two models (near and far) and five subjects of twelve stimuli; `shuffled.npy` is the models in another order.
fn study() -> TempDir {
    let dir = tempdir().unwrap();
    let signal = noise(12, 8, 1);
    let order = [3, 0, 11, 5, 1, 2, 10, 4, 9, 6, 8, 7];
    let write = |name: &str, matrices: &[Array2<f64>], shuffle: bool| {
        let bytes: Vec<u8> = matrices
            .iter()
            .flat_map(|m| match shuffle {
                false => bytes_of(m, Some(&ids(12))),
                true => {
                    let labels: Vec<String> = order.iter().map(|&i| ids(12)[i].clone()).collect();
                    bytes_of(&m.select(Axis(0), &order), Some(&labels))
                }
            })
            .collect();
        fs::write(dir.path().join(format!("{name}.acts")), bytes).unwrap();
        sh(dir.path(), &format!("rsa rdm {name}.acts > {name}.npy")).ok();
    };
    let models = [&signal + &(0.5 * noise(12, 8, 2)), &signal + &(4.0 * noise(12, 8, 3))];
    let subjects: Vec<Array2<f64>> = (4..9).map(|seed| &signal + &(0.8 * noise(12, 8, seed))).collect();
    write("models", &models, false);
    write("shuffled", &models, true);
    write("subjects", &subjects, false);
    write("one", &subjects[..1], false);
    dir
}

fn table(dir: &Path, line: &str) -> Vec<Row> {
    rows(&run(dir, line).text())
}

fn means(dir: &Path, line: &str) -> Vec<Row> {
    table(dir, line).into_iter().filter(|row| row["subject"] == "mean").collect()
}

const COMPARE: &str = "rsa compare models.npy --brain subjects.npy --names near,far";
const ALL: [&str; 8] = ["pearson", "spearman", "kendall", "tau-a", "rho-a", "cosine", "corr_cov", "cosine_cov"];

#[test]
fn whitened_comparisons_work_with_ceilings_and_an_identity_covariance_changes_nothing() {
    let dir = study();
    let path = dir.path();
    save(&path.join("eye.npy"), &(3.0 * Array2::eye(12)), Some(&ids(12)));
    let mixing = noise(12, 30, 9);
    let sigma = mixing.dot(&mixing.t());
    save(&path.join("sigma.npy"), &sigma, Some(&ids(12)));
    let order: Vec<usize> = (0..12).rev().collect();
    let turned = sigma.select(Axis(0), &order).select(Axis(1), &order);
    save(&path.join("turned.npy"), &turned, Some(&order.iter().map(|&i| ids(12)[i].clone()).collect::<Vec<_>>()));
    for (how, column) in [("corr_cov", "r"), ("cosine_cov", "cosine")] {
        let scores = |options: &str| -> Vec<f64> {
            let found = table(path, &format!("{COMPARE} --compare {how} --ceiling {options}"));
            found.iter().flat_map(|row| [column, "lower", "upper"].map(|c| number(row, c))).collect()
        };
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-10);
        let plain = scores("");
        assert!(near(&plain, &scores("--sigma-k eye.npy")), "{how}");
        let given = scores("--sigma-k sigma.npy");
        assert!(!near(&plain, &given) && near(&given, &scores("--sigma-k turned.npy")), "{how}");
    }
    run(path, &format!("{COMPARE} --sigma-k eye.npy")).fails(1, &["--sigma-k", "corr_cov", "pearson"]);
    let whitened = format!("{COMPARE} --compare corr_cov --sigma-k");
    run(path, &format!("{whitened} eye.npy --boot both")).fails(1, &["--sigma-k", "--boot subjects"]);
    assert_eq!(means(path, &format!("{whitened} sigma.npy --boot subjects --n-boot 20")).len(), 2);
    save(&path.join("flat.npy"), &Array2::ones((12, 12)), Some(&ids(12)));
    run(path, &format!("{whitened} flat.npy")).fails(1, &["flat.npy", "12 stimuli", "not positive definite"]);
    save(&path.join("wide.npy"), &noise(12, 3, 1), Some(&ids(12)));
    run(path, &format!("{whitened} wide.npy")).fails(1, &["wide.npy: 12 x 3", "n x n"]);
    save(&path.join("few.npy"), &Array2::eye(5), Some(&ids(5)));
    run(path, &format!("{whitened} few.npy")).fails(1, &["few.npy", "12", "5"]);
}

#[test]
fn every_bootstrap_names_its_test_unit_and_numbers() {
    let dir = study();
    for (unit, n) in [("subjects", "5"), ("stimuli", "12"), ("both", "5")] {
        for how in ALL {
            let line = format!("{COMPARE} --compare {how} --ceiling --boot {unit} --n-boot 60 --seed 4");
            let found = table(dir.path(), &line);
            assert_eq!(found.len(), 12);
            for row in &found {
                if row["subject"] != "mean" {
                    assert_eq!((row["p"].as_str(), row["test"].as_str(), row["se"].as_str()), ("", "", ""));
                    continue;
                }
                assert_eq!((row["test"].as_str(), row["generalize_to"].as_str()), ("bootstrap-t", unit));
                assert_eq!((row["n"].as_str(), number(row, "df")), (n, n.parse::<f64>().unwrap() - 1.0));
                let column = ["r", "rho", "tau", "cosine"].into_iter().find(|c| row.contains_key(*c)).unwrap();
                let (score, se) = (number(row, column), number(row, "se"));
                assert!((number(row, "t") - score / se).abs() < 1e-9);
                assert!(number(row, "ci_lo") < score && score < number(row, "ci_hi"));
                assert!(
                    number(row, "n_boot") > 30.0
                        && number(row, "lower_p") < 0.5
                        && number(row, "q") >= number(row, "p")
                );
                assert!(
                    number(row, "lower_ci_lo") < number(row, "lower")
                        && number(row, "upper") < number(row, "upper_ci_hi")
                );
                assert!((0.0..=1.0).contains(&number(row, "p_ceiling")));
            }
            let near = found.iter().find(|row| row["model"] == "near" && row["subject"] == "mean").unwrap();
            assert!(number(near, "p") < 0.05, "{unit} {how}");
        }
    }
}

#[test]
fn both_is_never_surer_than_either_factor() {
    let dir = study();
    let se = |unit: &str| number(&means(dir.path(), &format!("{COMPARE} --boot {unit} --n-boot 400"))[0], "se");
    let (both, subjects) = (se("both"), se("subjects"));
    // the same draws of subjects: the floor is exact; stimuli alone have other draws
    assert!(both >= subjects * 0.999_999 && both > 0.75 * se("stimuli"), "{both} {subjects}");
}

#[test]
fn bytes_do_not_depend_on_threads_and_do_on_the_seed() {
    let dir = study();
    for how in ALL {
        let line = |threads: usize, seed: usize| {
            let options = format!("--ceiling --boot both --n-boot 30 --perm 40 --seed {seed} --threads {threads}");
            run(dir.path(), &format!("{COMPARE} --compare {how} {options}")).ok()
        };
        assert_eq!(line(1, 5), line(2, 5), "{how}");
        assert_ne!(line(1, 5), line(1, 6), "{how}");
    }
}

#[test]
fn another_order_of_the_models_stimuli_and_another_scale_change_nothing() {
    let dir = study();
    let louder = arrays(&fs::read(dir.path().join("models.npy")).unwrap()).into_iter().flat_map(|array| {
        let mut bytes = Vec::new();
        let values: Vec<f64> = array.values.into_f64().iter().map(|v| 1000.0 * v).collect();
        write_vector(&mut bytes, &values, Dtype::F8, array.labels.ids.as_deref()).unwrap();
        bytes
    });
    fs::write(dir.path().join("louder.npy"), louder.collect::<Vec<u8>>()).unwrap();
    for how in ALL {
        let of = |models: &str| {
            let options = "--names near,far --ceiling --boot both --n-boot 40 --perm 50";
            means(dir.path(), &format!("rsa compare {models} --brain subjects.npy --compare {how} {options}"))
        };
        let plain = of("models.npy");
        for other in ["shuffled.npy", "louder.npy"] {
            for (a, b) in plain.iter().zip(of(other)) {
                for column in ["se", "ci_lo", "p", "p_ceiling", "upper_ci_hi", "p_perm", "p_perm_fwer"] {
                    // RDMs of rsa rdm are f8 here; sums in another order differ in their last digits
                    assert!((number(a, column) - number(&b, column)).abs() < 1e-9, "{how} {other} {column}");
                }
            }
        }
    }
}

#[test]
fn tests_over_subjects_are_those_of_the_scores_in_the_table() {
    let dir = study();
    let found = table(dir.path(), &format!("{COMPARE} --ceiling --test t --correct bonferroni"));
    let scores: Vec<f64> = found[..5].iter().map(|row| number(row, "r")).collect();
    let (mean, se) = (statistics::mean(&scores), (statistics::variance(&scores) / 5.0).sqrt());
    let row = &found[5];
    assert!((number(row, "se") - se).abs() < 1e-14 && (number(row, "t") - mean / se).abs() < 1e-9);
    assert!((number(row, "p") - statistics::student_t_sf(mean / se, 4.0)).abs() < 1e-14);
    assert!((number(row, "q") - (2.0 * number(row, "p")).min(1.0)).abs() < 1e-14);
    assert_eq!((row["test"].as_str(), row["generalize_to"].as_str(), row["n"].as_str()), ("t", "subjects", "5"));
    assert_eq!(row["n_boot"], "");
    let against = (mean - number(row, "lower")) / se;
    assert!((number(row, "p_ceiling") - statistics::student_t_two_sided_p(against, 4.0)).abs() < 1e-14);

    // all five above 0: one of 2^5 signs
    let signed = means(dir.path(), &format!("{COMPARE} --test wilcoxon --correct none"));
    assert_eq!(
        (signed[0]["test"].as_str(), number(&signed[0], "p"), signed[0]["t"].as_str()),
        ("signed-rank", 1.0 / 32.0, "")
    );
    assert_eq!(signed[0]["p"], signed[0]["q"]);

    let draws = means(dir.path(), &format!("{COMPARE} --boot subjects --test bootstrap --n-boot 99"));
    assert_eq!((draws[0]["test"].as_str(), number(&draws[0], "p")), ("bootstrap", 0.01));
    // without any of the options the table is as it always was
    let plain = &means(dir.path(), COMPARE)[0];
    assert!(!plain.contains_key("p") && !plain.contains_key("p_perm"));
}

#[test]
fn pairs_of_models_have_a_table_of_their_own() {
    let dir = study();
    for (options, test, unit) in [
        ("", "t", "subjects"),
        ("--test wilcoxon", "signed-rank", "subjects"),
        ("--boot both --n-boot 80", "bootstrap-t", "both"),
        ("--boot stimuli --n-boot 80 --test bootstrap", "bootstrap", "stimuli"),
    ] {
        let found = means(dir.path(), &format!("{COMPARE} --pairwise pairs.csv {options}"));
        let pairs = rows(&fs::read_to_string(dir.path().join("pairs.csv")).unwrap());
        assert_eq!(pairs.len(), 1);
        let pair = &pairs[0];
        assert_eq!(
            (pair["model_a"].as_str(), pair["model_b"].as_str(), pair["compare"].as_str()),
            ("near", "far", "pearson")
        );
        assert_eq!((pair["test"].as_str(), pair["generalize_to"].as_str()), (test, unit));
        assert!((number(pair, "difference") - (number(&found[0], "r") - number(&found[1], "r"))).abs() < 1e-14);
        assert!(number(pair, "ci_lo") < number(pair, "difference") && number(pair, "p") < 0.2, "{pair:?}");
    }
}

#[test]
fn permutations_are_counted_and_the_largest_score_is_the_stricter_one() {
    let dir = study();
    for how in ALL {
        let found = means(dir.path(), &format!("{COMPARE} --compare {how} --perm 199"));
        assert_eq!((found[0]["n_perm"].as_str(), number(&found[0], "p_perm")), ("199", 1.0 / 200.0), "{how}");
        assert!(found.iter().all(|row| number(row, "p_perm_fwer") >= number(row, "p_perm")));
        assert!(!found[0].contains_key("p"));
    }
}

#[test]
fn every_subject_has_the_p_that_it_would_have_alone() {
    let dir = study();
    let found = table(dir.path(), &format!("{COMPARE} --compare spearman --perm 99 --seed 3"));
    let subjects = arrays(&fs::read(dir.path().join("subjects.npy")).unwrap());
    let per_model = subjects.len() + 1;
    for (s, subject) in subjects.iter().enumerate() {
        let mut bytes = Vec::new();
        let values = subject.values.clone().into_f64();
        write_vector(&mut bytes, &values, Dtype::F8, subject.labels.ids.as_deref()).unwrap();
        fs::write(dir.path().join("one.npy"), bytes).unwrap();
        let line = COMPARE.replace("subjects.npy", "one.npy");
        let alone = means(dir.path(), &format!("{line} --compare spearman --perm 99 --seed 3"));
        for (model, alone) in alone.iter().enumerate() {
            let row = &found[model * per_model + s];
            for column in ["p_perm", "p_perm_fwer", "n_perm"] {
                assert_eq!(row[column], alone[column], "subject {s}, model {model}, {column}");
            }
        }
    }
}

#[test]
fn pairs_without_a_value_stay_out_of_every_draw() {
    let dir = study();
    let path = dir.path();
    for (from, to) in [("models.npy", "gap.npy"), ("subjects.npy", "holed.npy")] {
        let gap = arrays(&fs::read(path.join(from)).unwrap()).into_iter().flat_map(|array| {
            let mut bytes = Vec::new();
            let mut values = array.values.into_f64();
            values[2] = f64::NAN;
            write_vector(&mut bytes, &values, Dtype::F8, array.labels.ids.as_deref()).unwrap();
            bytes
        });
        fs::write(path.join(to), gap.collect::<Vec<u8>>()).unwrap();
    }
    for how in ALL {
        let line = format!(
            "rsa compare gap.npy --brain subjects.npy --compare {how} --ceiling --boot both --n-boot 30 --perm 30"
        );
        for row in means(path, &line) {
            assert_eq!(row["n_pairs"], "65");
            assert!(number(&row, "se") > 0.0 && number(&row, "p_perm") <= 1.0, "{how}");
        }
    }
    // a covariance that says nothing leaves what there is without one, missing pairs or not
    save(&path.join("eye.npy"), &(2.0 * Array2::eye(12)), Some(&ids(12)));
    for how in ["corr_cov", "cosine_cov"] {
        for (model, brain) in [("gap.npy", "subjects.npy"), ("models.npy", "holed.npy")] {
            let line =
                format!("rsa compare {model} --brain {brain} --compare {how} --ceiling --boot subjects --n-boot 9");
            let (plain, given) = (table(path, &line), table(path, &format!("{line} --sigma-k eye.npy")));
            for (plain, given) in plain.iter().zip(&given) {
                for (column, text) in plain {
                    let same = match (text.parse::<f64>(), given[column].parse::<f64>()) {
                        (Ok(a), Ok(b)) => (a - b).abs() < 1e-9,
                        _ => *text == given[column],
                    };
                    assert!(same, "{line}: {column} {text} {}", given[column]);
                }
                assert_eq!(given["n_pairs"], "65");
            }
        }
    }
}

#[test]
fn what_cannot_be_inferred_is_refused_with_both_numbers() {
    let dir = study();
    let path = dir.path();
    let one = "rsa compare models.npy --brain one.npy";
    run(path, &format!("{one} --boot subjects")).fails(1, &["one.npy", "1 brain RDM", "--boot subjects", "at least 2"]);
    run(path, &format!("{one} --boot both")).fails(1, &["1 brain RDM", "--boot both"]);
    run(path, &format!("{one} --test t")).fails(1, &["1 brain RDM", "at least 2"]);
    assert_eq!(means(path, &format!("{one} --boot stimuli --n-boot 50")).len(), 2);
    sh(path, "cat one.npy one.npy > two.npy").ok();
    let two = "rsa compare models.npy --brain two.npy --brain-names a,b";
    run(path, &format!("{two} --ceiling --boot both")).fails(1, &["2 brain RDMs", "--boot both", "at least 3"]);
    run(path, &format!("{COMPARE} --test bootstrap")).fails(1, &["--test bootstrap", "--boot"]);
    run(path, &format!("{COMPARE} --test wilcoxon --boot both")).fails(1, &["wilcoxon", "--boot both"]);
    run(path, &format!("{COMPARE} --boot voxels")).fails(2, &["voxels", "subjects"]);
    run(path, &format!("{COMPARE} --boot both --n-boot 1")).fails(2, &["1"]);
    run(path, &format!("{COMPARE} --test t --correct fdr")).fails(2, &["fdr", "bh"]);
    save(&path.join("small.acts"), &noise(4, 6, 1), Some(&ids(4)));
    save(&path.join("small2.acts"), &noise(4, 6, 2), Some(&ids(4)));
    sh(path, "rsa rdm small.acts > small.npy && rsa rdm small.acts small2.acts > smalls.npy").ok();
    let small = "rsa compare small.npy --brain smalls.npy";
    run(path, &format!("{small} --boot stimuli")).fails(1, &["4 stimuli", "at least 6"]);
    run(path, &format!("{small} --perm 100")).fails(1, &["4 stimuli have 24 orders", "100"]);
}

#[test]
fn fitted_models_are_scored_on_what_they_were_not_fitted_to() {
    let dir = study();
    let path = dir.path();
    for kind in ["weighted", "select", "interpolate"] {
        let line =
            format!("rsa compare models.npy --brain subjects.npy --model {kind} --names both --ceiling --test t");
        let found = table(path, &line);
        assert_eq!(found.len(), 6, "{kind}");
        for row in &found {
            assert_eq!((row["model"].as_str(), row["model_kind"].as_str()), ("both", kind));
            // five subjects in two groups, twelve stimuli in three of four: 3 x 6 pairs
            assert_eq!(
                (row["folds"].as_str(), row["n_components"].as_str(), row["n_pairs"].as_str()),
                ("2x3", "2", "18")
            );
        }
        let mean = &found[5];
        assert!(number(mean, "r") > 0.3 && number(mean, "r") < 1.0 && number(mean, "p") < 0.05, "{kind} {mean:?}");
        assert!(number(mean, "lower") <= number(mean, "upper"));
        let one = run(path, &format!("{line} --threads 1")).ok();
        assert_eq!(one, run(path, &format!("{line} --threads 2")).ok());
        let folds = table(path, &format!("{line} --cv-k 5,2"));
        assert_eq!((folds[0]["folds"].as_str(), folds[0]["n_pairs"].as_str()), ("5x2", "30"));
    }
    let line = "rsa compare models.npy --brain subjects.npy --model weighted";
    run(path, &format!("{line} --cv-k 1,1")).fails(1, &["--cv-k 1,1", "same data"]);
    run(path, &format!("{line} --cv-k 6,2")).fails(1, &["6 groups of 5 subjects"]);
    run(path, &format!("{line} --cv-k 2,5")).fails(1, &["5 groups of 12 stimuli", "4 at most"]);
    run(path, &format!("{line} --cv-k 2")).fails(2, &["\"2\"", "two of a number"]);
    run(path, &format!("{line} --compare spearman")).fails(1, &["least squares", "spearman", "select"]);
    run(path, &format!("{line} --perm 10")).fails(1, &["--model weighted", "--perm 10"]);
    run(path, "rsa compare one.npy --brain subjects.npy --model select").fails(1, &["one.npy", "1 RDM", "at least 2"]);
    run(path, &format!("{COMPARE} --cv-k 2,2")).fails(1, &["--cv-k 2,2", "fixed"]);
    run(path, &format!("{COMPARE} --model forest")).fails(2, &["forest", "weighted"]);
    run(path, "rsa compare models.npy models.npy --brain subjects.npy --model select").fails(1, &["models", "--names"]);
}

/// Six subjects of eighteen stimuli, and two models of two components each.
fn fitted_study() -> TempDir {
    let dir = tempdir().unwrap();
    let (one, other) = (noise(18, 6, 41), noise(18, 6, 42));
    let write = |name: &str, matrices: &[Array2<f64>]| {
        let bytes: Vec<u8> = matrices.iter().flat_map(|m| bytes_of(m, Some(&ids(18)))).collect();
        fs::write(dir.path().join(format!("{name}.acts")), bytes).unwrap();
        sh(dir.path(), &format!("rsa rdm {name}.acts > {name}.npy")).ok();
    };
    let both = &one + &(0.7 * &other);
    let subjects: Vec<Array2<f64>> = (50..56).map(|seed| &both + &(0.6 * noise(18, 6, seed))).collect();
    write("near", &[&one + &(0.2 * noise(18, 6, 60)), &other + &(0.2 * noise(18, 6, 61))]);
    write("far", &[&both + &(1.6 * noise(18, 6, 62)), &both + &(1.6 * noise(18, 6, 63))]);
    write("subjects", &subjects);
    dir
}

const FITTED: &str = "rsa compare near.npy far.npy --brain subjects.npy --names near,far";

#[test]
fn fitted_models_are_bootstrapped_around_their_cross_validation() {
    let dir = fitted_study();
    let path = dir.path();
    for kind in ["weighted", "select", "interpolate"] {
        let line = format!("{FITTED} --model {kind} --ceiling");
        let plain = table(path, &line);
        for (over, n) in [("subjects", "6"), ("stimuli", "18"), ("both", "6")] {
            let boot = format!("{line} --boot {over} --n-boot 80 --seed 0 --pairwise pairs.csv");
            let out = run(path, &boot);
            let stderr = out.stderr.clone();
            let found = rows(&out.text());
            // the score is that of the data
            for (a, b) in found.iter().zip(&plain) {
                assert_eq!(
                    (&a["r"], &a["lower"], &a["upper"], &a["folds"]),
                    (&b["r"], &b["lower"], &b["upper"], &b["folds"])
                );
                // 0.63 of 6 and 18: 3 and 11
                assert_eq!((a["folds"].as_str(), a["boot_folds"].as_str(), a["n_cv"].as_str()), ("3x3", "2x2", "2"));
            }
            for mean in found.iter().filter(|row| row["subject"] == "mean") {
                assert_eq!(
                    (mean["test"].as_str(), mean["generalize_to"].as_str(), mean["n"].as_str()),
                    ("bootstrap-t", over, n)
                );
                assert_eq!(number(mean, "df"), number(mean, "n") - 1.0);
                let (r, se) = (number(mean, "r"), number(mean, "se"));
                if se.is_nan() {
                    // few draws, of which the folds' part is larger than the data's
                    assert!(stderr.contains("below 0") && stderr.contains("--n-cv") && mean["p"] == "NaN", "{stderr}");
                    continue;
                }
                assert!(
                    se > 0.0 && se < 0.4 && number(mean, "ci_lo") < r && r < number(mean, "ci_hi"),
                    "{kind} {over} {mean:?}"
                );
                assert!((number(mean, "t") - r / se).abs() < 1e-9);
                assert!(number(mean, "lower_ci_lo") < number(mean, "lower_ci_hi") && number(mean, "upper_p") < 0.05);
                assert!((0.0..=1.0).contains(&number(mean, "p_ceiling")));
                let used = number(mean, "n_boot");
                assert!(used <= 80.0 && used > 50.0);
                assert_eq!(used < 80.0, stderr.contains("draws give no score"), "{stderr}");
            }
            let pairs = rows(&fs::read_to_string(path.join("pairs.csv")).unwrap());
            assert_eq!((pairs.len(), pairs[0]["generalize_to"].as_str()), (1, over));
            let means: Vec<f64> = plain.iter().filter(|r| r["subject"] == "mean").map(|r| number(r, "r")).collect();
            assert!(
                (number(&pairs[0], "difference") - (means[0] - means[1])).abs() < 1e-12
                    && number(&pairs[0], "se") > 0.0
            );
        }
    }
}

#[test]
fn folds_of_draws_are_counted_repeated_and_seeded() {
    let dir = fitted_study();
    let path = dir.path();
    let line = format!("{FITTED} --model weighted --boot both --n-boot 60");
    let one = run(path, &format!("{line} --threads 1")).text();
    assert_eq!(one, run(path, &format!("{line} --threads 2")).text());
    assert_ne!(one, run(path, &format!("{line} --seed 5")).text());
    let mean = |line: &str| means(path, line).remove(0);
    for n_cv in ["1", "3"] {
        let found = mean(&format!("{line} --n-cv {n_cv}"));
        assert_eq!(found["n_cv"], n_cv);
        assert_ne!(found["se"], rows(&one)[6]["se"]);
    }
    let folds = mean(&format!("{line} --cv-k 1,3"));
    assert_eq!((folds["folds"].as_str(), folds["boot_folds"].as_str()), ("1x3", "1x3"));
    let shares = mean(&format!("{line} --test bootstrap"));
    assert!(
        shares["t"].is_empty() && shares["test"] == "bootstrap" && number(&shares, "ci_lo") < number(&shares, "ci_hi")
    );
    let out =
        run(path, "rsa compare near.npy --brain subjects.npy --model select --boot stimuli --n-boot 60 --cv-k 2,3");
    assert!(out.stderr.contains("9 different stimuli for 2 x 3 folds"), "{}", out.stderr);
    assert!(number(&means_of(&out.text()), "n_boot") < 60.0);

    run(path, &format!("{line} --cv-k 2,5"))
        .fails(1, &["draw of 18 stimuli", "11.6 different", "5 groups need 15", "--cv-k"]);
    run(path, &format!("{line} --cv-k 6,2")).fails(1, &["draw of 6 subjects", "4.0 different", "6 groups need 6"]);
    run(path, &format!("{FITTED} --n-cv 3")).fails(1, &["--n-cv 3", "--boot", "--model"]);
    run(path, &format!("{FITTED} --model weighted --n-cv 3")).fails(1, &["--n-cv 3", "--boot"]);
    run(path, &format!("{line} --n-cv 0")).fails(2, &["--n-cv", "0"]);
    run(path, &format!("{line} --compare spearman")).fails(1, &["least squares", "spearman"]);
}

fn means_of(text: &str) -> Row {
    rows(text).into_iter().find(|row| row["subject"] == "mean").unwrap()
}

#[test]
fn options_without_effect_and_tables_that_would_be_lost_are_refused() {
    let dir = study();
    let path = dir.path();
    let line = "rsa compare models.npy --names near,far --brain subjects.npy";
    run(path, &format!("{line} --n-boot 50")).fails(2, &["--boot"]);
    run(path, &format!("{line} --correct bonferroni")).fails(1, &["--correct bonferroni", "--test"]);
    run(path, &format!("{line} --perm 20 --correct by")).fails(1, &["--correct by", "p_perm_fwer"]);
    run(path, &format!("{line} --test t --pairwise x.csv -o x.csv")).fails(1, &["x.csv: is both --pairwise and -o"]);
    assert!(!path.join("x.csv").exists());
    run(path, &format!("{line} --test t --pairwise -")).fails(1, &["--pairwise -: stdout is for the main output"]);
    // A table beside stdout says what its stdin was, as one with -o does.
    let piped = "cat models.npy | rsa compare - --brain subjects.npy --test t --pairwise";
    sh(path, &format!("{piped} alone.csv")).ok();
    sh(path, &format!("{piped} p.csv -o scores.csv")).ok();
    let inputs = |file: &str| -> serde_json::Value {
        let side: serde_json::Value = serde_json::from_slice(&fs::read(path.join(file)).unwrap()).unwrap();
        side["inputs"].clone()
    };
    assert_eq!(inputs("alone.json"), inputs("scores.json"));
    run(path, &format!("{line} --partial near.npy --correct bonferroni")).fails(1, &["--correct bonferroni"]);
}

#[test]
fn what_the_numbers_do_not_show_is_said() {
    let dir = study();
    let path = dir.path();
    let says = |line: &str, part: &str| {
        let outcome = sh(path, &format!("rsa compare {line}"));
        assert!(outcome.stderr.contains(part), "{line}: {}", outcome.stderr);
        rows(&outcome.text())
    };
    let plain = "models.npy --names near,far --brain subjects.npy";
    let mean = |rows: &[Row]| rows.iter().find(|r| r["subject"] == "mean").unwrap().clone();
    says(&format!("{plain} --boot both --n-boot 60"), "--n-boot 60");
    let quiet = sh(path, &format!("rsa compare {plain} --boot both --n-boot 300 --correct by"));
    assert!(!quiet.stderr.contains("so few draws"), "{}", quiet.stderr);
    let row = mean(&rows(&quiet.text()));
    assert_eq!((row["alternative"].as_str(), row["correct"].as_str()), ("greater", "by"));
    says(&format!("{plain} --compare cosine --test t"), "p against 0 says nothing");
    fs::write(path.join("twice.npy"), fs::read(path.join("one.npy")).unwrap().repeat(2)).unwrap();
    says("models.npy --names near,far --brain subjects.npy twice.npy --test t", "are the same RDM");
    says("models.npy --brain twice.npy subjects.npy --names near,far --test wilcoxon", "are the same RDM");
    let held = "models.npy --brain subjects.npy --model select --test t";
    says(&format!("{held} --cv-k 1,3"), "fitted to the subjects they are scored on");
    says(&format!("{held} --cv-k 2,1"), "fitted to the stimuli they are scored on");
    // A model of one RDM beside a fitted one, on the same folds; alone there is nothing to fit.
    let beside = "models.npy one.npy --names both,alone --brain subjects.npy --model select";
    let both = rows(&run(path, &format!("rsa compare {beside}")).text());
    assert_eq!(both[0]["n_pairs"], both[both.len() / 2]["n_pairs"]);
    assert_eq!(both[both.len() / 2]["n_components"], "1");
    run(path, "rsa compare one.npy --brain subjects.npy --model select").fails(1, &["one.npy", "1 RDM", "at least 2"]);
}

#[test]
fn without_spread_there_is_no_test_and_stderr_says_so() {
    let dir = study();
    // near, and 3 near + 0.2: one model but for its scale, so that only rounding tells their scores apart
    let near: Vec<f64> = noise(1, 66, 21).iter().map(|v| v + 4.0).collect();
    let scaled: Vec<f64> = near.iter().map(|v| 3.0 * v + 0.2).collect();
    for (name, values) in [("near8", &near), ("scaled8", &scaled)] {
        let mut bytes = Vec::new();
        write_vector(&mut bytes, values, Dtype::F8, Some(&ids(12))).unwrap();
        fs::write(dir.path().join(format!("{name}.npy")), bytes).unwrap();
    }
    for options in ["--test t", "--test wilcoxon", "--boot subjects", "--boot stimuli", "--boot both"] {
        let draws = if options.starts_with("--boot") { "--n-boot 60" } else { "" };
        let line =
            format!("rsa compare near8.npy scaled8.npy --brain subjects.npy --pairwise pairs.csv {options} {draws}");
        let output = sh(dir.path(), &line);
        let pairs = rows(&fs::read_to_string(dir.path().join("pairs.csv")).unwrap());
        assert!(number(&pairs[0], "difference").abs() < 1e-14 && number(&pairs[0], "se") == 0.0, "{options} {pairs:?}");
        assert!(number(&pairs[0], "p").is_nan(), "{options} {pairs:?}");
        assert!(output.stderr.contains("1 of 1 tests have no t and no p (NaN)"), "{}", output.stderr);
    }
    // one subject's RDM given three times
    fs::write(dir.path().join("thrice.npy"), fs::read(dir.path().join("one.npy")).unwrap().repeat(3)).unwrap();
    for options in ["--test t", "--boot subjects"] {
        let line = format!("rsa compare models.npy --brain thrice.npy --names near,far {options}");
        let mean = &means(dir.path(), &line)[0];
        assert!(
            number(mean, "r") > 0.1 && number(mean, "se") == 0.0 && number(mean, "p").is_nan(),
            "{options} {mean:?}"
        );
    }
}

#[test]
fn a_subject_that_is_constant_over_a_fold_does_not_choose_the_component_of_the_others() {
    let dir = study();
    let write = |name: &str, rdms: &[Vec<f64>]| {
        let mut bytes = Vec::new();
        rdms.iter().for_each(|v| write_vector(&mut bytes, v, Dtype::F8, Some(&ids(12))).unwrap());
        fs::write(dir.path().join(name), bytes).unwrap();
    };
    let random = |seed: u64| -> Vec<f64> { noise(1, 66, seed).iter().map(|v| v + 4.0).collect() };
    let signal = random(31);
    let near = |seed: u64| -> Vec<f64> { signal.iter().zip(random(seed)).map(|(s, n)| s + 0.05 * n).collect() };
    write("components.npy", &[random(30), signal.clone(), random(32)]);
    let mut flat = vec![0.5; 66];
    (flat[0], flat[1]) = (0.9, 0.7);
    write("people.npy", &[near(33), near(34), near(35), near(36), flat]);
    for kind in ["select", "interpolate"] {
        let line = format!("rsa compare components.npy --brain people.npy --model {kind}");
        let found = table(dir.path(), &line);
        assert!(found[..4].iter().all(|row| number(row, "r") > 0.9), "{kind} {found:?}");
        assert_eq!((found[4]["r"].as_str(), found[4]["reason"].as_str()), ("NaN", "constant"));
    }
}

#[test]
fn shuffles_without_a_score_are_left_out_and_counted() {
    let dir = study();
    // One pair of the model stands out; where a shuffle brings it onto the brain's missing pair, the rest is constant.
    let (mut one, mut brain) = (vec![0.0; 66], noise(1, 66, 41).into_raw_vec_and_offset().0);
    (one[20], brain[20], brain[3]) = (1.0, 9.0, f64::NAN);
    for (name, values) in [("pair.npy", &one), ("hole.npy", &brain)] {
        let mut bytes = Vec::new();
        write_vector(&mut bytes, values, Dtype::F8, Some(&ids(12))).unwrap();
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let outcome = run(dir.path(), "rsa compare pair.npy --brain hole.npy --perm 500");
    assert!(outcome.stderr.contains("of 500 shuffles give a model no score"), "{}", outcome.stderr);
    let row = rows(&outcome.text()).pop().unwrap();
    let n = number(&row, "n_perm");
    // 1 of 66 pairs is missing: 7.6 of 500, sd 2.7
    assert!((480.0..500.0).contains(&n), "{n}");
    let reached = number(&row, "p_perm") * (1.0 + n);
    assert!((reached - reached.round()).abs() < 1e-9 && (1.0..30.0).contains(&reached), "{reached}");
    assert!(number(&row, "p_perm_fwer") >= number(&row, "p_perm"));
}
