//! Equal is equal: what differs by rounding alone is no order, no spread and no score; nothing scores above 1.

use ndarray::{Array2, array};
use npy_stream::{Dtype, write_vector};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::tempdir;

fn rdm(values: &[f64], n: usize, dtype: Dtype) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_vector(&mut bytes, values, dtype, Some(&ids(n))).unwrap();
    bytes
}

fn save_rdms(path: &Path, rdms: &[Vec<f64>], n: usize) {
    fs::write(path, rdms.iter().flat_map(|values| rdm(values, n, Dtype::F8)).collect::<Vec<u8>>()).unwrap();
}

fn random(n: usize, seed: u64) -> Vec<f64> {
    noise(1, n * (n - 1) / 2, seed).iter().map(|v| v + 4.0).collect()
}

/// All equal but for one or two units in the last place, as SciPy's correlation distances of one-hot patterns are.
fn rounded(n: usize) -> Vec<f64> {
    let one = |k: usize| [1.2f64, 1.2f64.next_up(), 1.2f64.next_down(), 1.2f64.next_up().next_up()][k % 4];
    (0..n * (n - 1) / 2).map(one).collect()
}

const COMPARISONS: [(&str, &str); 8] = [
    ("pearson", "r"),
    ("spearman", "rho"),
    ("kendall", "tau"),
    ("tau-a", "tau"),
    ("rho-a", "rho"),
    ("cosine", "cosine"),
    ("corr_cov", "r"),
    ("cosine_cov", "cosine"),
];

#[test]
fn an_rdm_and_its_copy_score_1_and_maps_of_scores_are_drawn() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    for n in [4, 7, 12, 31] {
        let models: Vec<Vec<f64>> = (0..25).map(|seed| random(n, seed + 100 * n as u64)).collect();
        save_rdms(&path.join("models.npy"), &models, n);
        save_rdms(
            &path.join("scaled.npy"),
            &models.iter().map(|m| m.iter().map(|v| 0.7 * v).collect()).collect::<Vec<_>>(),
            n,
        );
        for (how, column) in COMPARISONS {
            let copies =
                rows(&run(path, &format!("rsa compare models.npy --brain models.npy --compare {how} -q")).text());
            let own = copies.iter().filter(|row| row["model"] == row["subject"]);
            assert_eq!(own.map(|row| row[column].as_str()).filter(|v| *v == "1").count(), 25, "{how} {n}");
            let scaled =
                rows(&run(path, &format!("rsa compare models.npy --brain scaled.npy --compare {how} -q")).text());
            let largest = copies.iter().chain(&scaled).map(|row| number(row, column)).fold(f64::MIN, f64::max);
            assert!(largest <= 1.0, "{how} {n}: {largest}");
        }
    }
    let maps = "rsa compare models.npy --brain scaled.npy --all-pairs -q | rsa mds --pairs a,b --value r --similarity";
    assert_eq!(rows(&sh(path, maps).text()).len(), 50);
    // similarities made elsewhere are above 1 by rounding too, in either precision
    for (above, dtype) in [(1f64.next_up(), Dtype::F8), (f64::from(1f32.next_up()), Dtype::F4)] {
        fs::write(path.join("s.npy"), rdm(&[above, 0.5, 0.25, 0.5, 0.25, above], 4, dtype)).unwrap();
        assert_eq!(rows(&run(path, "rsa mds s.npy --similarity").text()).len(), 4);
    }
    fs::write(path.join("s.npy"), rdm(&[1.01, 0.5, 0.25, 0.5, 0.25, 0.9], 4, Dtype::F8)).unwrap();
    run(path, "rsa mds s.npy --similarity").fails(1, &["below 0"]);
}

#[test]
fn ceilings_of_copies_are_1_and_not_more() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    for seed in 0..12 {
        let signal = random(9, seed);
        let subjects: Vec<Vec<f64>> = [1.0, 0.7, 3.3].iter().map(|f| signal.iter().map(|v| f * v).collect()).collect();
        save_rdms(&path.join("s.npy"), &subjects, 9);
        for (how, column) in COMPARISONS {
            let line =
                format!("rsa compare s.npy --brain s.npy --compare {how} --ceiling --boot stimuli --n-boot 40 -q");
            for row in rows(&run(path, &line).text()) {
                for column in [column, "lower", "upper"] {
                    assert!((0.999_999_999..=1.0).contains(&number(&row, column)), "{how} {seed}: {row:?}");
                }
            }
        }
    }
}

#[test]
fn constants_are_constant_in_every_comparison_and_stop_nobody() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let n = 8;
    for (flat, dtype, what) in [
        (vec![0.1; 28], Dtype::F8, "constant"),
        (rounded(n), Dtype::F8, "but for rounding"),
        (
            (0..28).map(|k| f64::from(if k % 3 == 0 { 0.9f32.next_up() } else { 0.9 })).collect(),
            Dtype::F4,
            "but for rounding",
        ),
        // what 1 - r leaves of collinear patterns
        ((0..28).map(|k| (k % 5) as f64 * f64::EPSILON / 2.0).collect(), Dtype::F8, "but for rounding"),
    ] {
        fs::write(path.join("flat.npy"), rdm(&flat, n, dtype)).unwrap();
        save_rdms(&path.join("brains.npy"), &[random(n, 1), random(n, 2), random(n, 3)], n);
        save_rdms(&path.join("models.npy"), &[random(n, 4), random(n, 5)], n);
        for (how, column) in COMPARISONS.iter().filter(|(how, _)| !how.starts_with("cosine")) {
            let outcome = run(path, &format!("rsa compare flat.npy models.npy --brain brains.npy --compare {how}"));
            assert!(outcome.stderr.contains("flat.npy: all 28 distances are"), "{}", outcome.stderr);
            assert!(outcome.stderr.contains(what), "{what}: {}", outcome.stderr);
            let table = rows(&outcome.text());
            for row in &table {
                let expected = if row["model"] == "flat" { "constant" } else { "" };
                assert_eq!(
                    (row["reason"].as_str(), row[*column] == "NaN"),
                    (expected, expected == "constant"),
                    "{how}"
                );
            }
            // a constant subject changes nothing for the others: means, bounds, tests and shuffles
            let asked = format!("--compare {how} --ceiling --test t --perm 50");
            let with = run(path, &format!("rsa compare models.npy --brain brains.npy flat.npy {asked}"));
            assert!(with.stderr.contains("1 of 4 subjects are constant"), "{}", with.stderr);
            let with = rows(&with.text());
            let without = rows(&run(path, &format!("rsa compare models.npy --brain brains.npy {asked}")).text());
            let others: Vec<&Row> = with.iter().filter(|row| row["subject"] != "flat").collect();
            assert_eq!(others, without.iter().collect::<Vec<_>>(), "{how}");
            let own: Vec<&Row> = with.iter().filter(|row| row["subject"] == "flat").collect();
            assert!(own.len() == 2 && own.iter().all(|r| r[*column] == "NaN" && r["reason"] == "constant"), "{how}");
            let pairs =
                rows(&run(path, &format!("rsa compare models.npy flat.npy --all-pairs --compare {how}")).text());
            assert!(pairs.iter().all(|r| (r["b"] == "flat") == (r["reason"] == "constant")), "{how} {pairs:?}");
        }
        let boot = "--boot both --n-boot 60 --ceiling";
        let with =
            rows(&run(path, &format!("rsa compare models.npy flat.npy --brain brains.npy flat.npy {boot}")).text());
        let without = rows(&run(path, &format!("rsa compare models.npy --brain brains.npy {boot}")).text());
        let mean = |table: &[Row]| table.iter().find(|r| r["subject"] == "mean").unwrap().clone();
        for column in ["r", "se", "p", "lower", "upper", "n"] {
            assert_eq!(mean(&with)[column], mean(&without)[column], "{column}");
        }
        let bound = rows(&run(path, "ceiling rdm brains.npy flat.npy --compare spearman").text());
        let plain = rows(&run(path, "ceiling rdm brains.npy --compare spearman").text());
        assert_eq!(bound, plain);
        // as a component it is never chosen, and as a control refused
        sh(path, "cat flat.npy models.npy > parts.npy").ok();
        for kind in ["weighted", "select", "interpolate"] {
            let line =
                |file: &str| format!("rsa compare {file} --brain brains.npy --model {kind} --names m --cv-k 3,1 -q");
            let (with, without) =
                (rows(&run(path, &line("parts.npy")).text()), rows(&run(path, &line("models.npy")).text()));
            if kind != "interpolate" {
                for (a, b) in with.iter().zip(&without) {
                    assert!((number(a, "r") - number(b, "r")).abs() < 1e-12, "{kind}");
                }
            }
            assert!(with.iter().all(|row| number(row, "r").is_finite()), "{kind}");
        }
        run(path, "rsa compare models.npy --brain brains.npy --partial flat.npy").fails(1, &["flat.npy", "constant"]);
        // maps, orders, transforms of a stream
        sh(path, "cat flat.npy models.npy > stream.npy").ok();
        let map = rows(&run(path, "rsa mds stream.npy").text());
        assert!(
            map[..8].iter().all(|r| r["x"] == "NaN" && r["stress"] == "NaN" && r["reason"] == "constant"),
            "{map:?}"
        );
        assert!(map[8..].iter().all(|r| number(r, "x").is_finite() && r["reason"].is_empty()));
        let order = rows(&run(path, "rsa order stream.npy").text());
        assert!(
            order[..8].iter().all(|r| r["reason"] == "constant") && order[8..].iter().all(|r| r["reason"].is_empty())
        );
        for transform in ["minmax", "geotopological(0.1,0.9)"] {
            let outcome = run(path, &format!("rsa rdm --transform '{transform}' stream.npy"));
            assert!(
                outcome.stderr.contains("stream.npy: --transform") && outcome.stderr.contains("all 28 pairs are NaN")
            );
            let made = arrays(&outcome.ok());
            assert!(made[0].values.clone().into_f64().iter().all(|v| v.is_nan()));
            assert!(made[1..].iter().all(|a| a.values.clone().into_f64().iter().all(|v| (0.0..=1.0).contains(v))));
        }
    }
}

#[test]
fn draws_of_pairs_that_are_equal_but_for_rounding_are_left_out() {
    // 3 categories: pairs within are 0, between 1.5 but for rounding. A draw with one stimulus each has only "between".
    let dir = tempdir().unwrap();
    let path = dir.path();
    let n = 6;
    let pairs = || (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
    let exact: Vec<f64> = pairs().map(|(i, j)| if i % 3 == j % 3 { 0.0 } else { 1.5 }).collect();
    let broken: Vec<f64> =
        exact.iter().enumerate().map(|(k, v)| if *v > 0.0 && k % 2 == 0 { v.next_up() } else { *v }).collect();
    save_rdms(&path.join("exact.npy"), &[exact], n);
    save_rdms(&path.join("broken.npy"), &[broken], n);
    save_rdms(&path.join("brains.npy"), &[random(n, 1), random(n, 2), random(n, 3)], n);
    for how in ["pearson", "corr_cov"] {
        let of = |model: &str| {
            let line = format!(
                "rsa compare {model}.npy --names m --brain brains.npy --compare {how} --boot stimuli --n-boot 200"
            );
            rows(&run(path, &line).text()).pop().unwrap()
        };
        let (exact, broken) = (of("exact"), of("broken"));
        assert_eq!(exact["n_boot"], broken["n_boot"], "{how}");
        assert!((number(&exact, "se") - number(&broken, "se")).abs() < 1e-9, "{how} {exact:?} {broken:?}");
    }
    for how in ["spearman", "kendall", "tau-a", "rho-a"] {
        let line =
            |m: &str| format!("rsa compare {m}.npy --brain brains.npy --compare {how} --boot stimuli --n-boot 200");
        let n_boot = |m: &str| rows(&run(path, &line(m)).text()).pop().unwrap()["n_boot"].clone();
        assert_eq!(n_boot("exact"), n_boot("broken"), "{how}");
        assert_ne!(n_boot("exact"), "200", "{how}: no draw was left out");
        let said = run(path, &format!("rsa compare broken.npy --brain brains.npy --compare {how}")).stderr;
        assert!(
            said.contains("broken.npy: 12 of 15 distances differ from their neighbour by rounding alone"),
            "{said}"
        );
        assert_eq!(said.matches("rounding alone").count(), 1);
    }
    let quiet = run(path, "rsa compare broken.npy --brain brains.npy").stderr;
    assert!(!quiet.contains("rounding"), "pearson takes no order: {quiet}");
    let smooth = run(path, "rsa compare exact.npy --brain brains.npy --compare spearman").stderr;
    assert!(!smooth.contains("rounding"), "{smooth}");
}

#[test]
fn a_test_over_equal_scores_has_a_reason() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let signal = random(8, 1);
    let scales = [1.0, 0.7, 3.3, 11.0];
    let copies: Vec<Vec<f64>> = scales.iter().map(|f| signal.iter().map(|v| f * v).collect()).collect();
    save_rdms(&path.join("copies.npy"), &copies, 8);
    save_rdms(&path.join("models.npy"), &[random(8, 2), random(8, 3)], 8);
    save_rdms(&path.join("brains.npy"), &[random(8, 4), random(8, 5), random(8, 6)], 8);
    for test in ["--test t", "--test wilcoxon", "--boot subjects --n-boot 50"] {
        let line = format!("rsa compare models.npy --brain copies.npy {test} --pairwise pairs.csv");
        let means: Vec<Row> = rows(&run(path, &line).text()).into_iter().filter(|r| r["subject"] == "mean").collect();
        assert!(means.iter().all(|r| r["p"] == "NaN" && r["reason"] == "constant" && r["r"] != "NaN"), "{means:?}");
        let pairs = rows(&fs::read_to_string(path.join("pairs.csv")).unwrap());
        assert!(pairs.iter().all(|r| r["p"] == "NaN" && r["reason"] == "constant"), "{pairs:?}");
        let ordinary = rows(&run(path, &format!("rsa compare models.npy --brain brains.npy {test}")).text());
        assert!(ordinary.iter().all(|r| r["reason"].is_empty()));
    }
    // the scale of a Bures distance is that of the RDMs: small is not equal
    let points = |seed: u64| -> Vec<f64> {
        let x = noise(8, 4, seed);
        let pairs = (0..8).flat_map(|i| (i + 1..8).map(move |j| (i, j)));
        pairs.map(|(i, j)| 1e-15 * (&x.row(i) - &x.row(j)).mapv(|v| v * v).sum()).collect()
    };
    save_rdms(&path.join("m.npy"), &[points(1), points(2)], 8);
    save_rdms(&path.join("b.npy"), &[points(3), points(4), points(5)], 8);
    run(path, "rsa compare m.npy --brain b.npy --compare bures_metric --pairwise small.csv").ok();
    let small = rows(&fs::read_to_string(path.join("small.csv")).unwrap());
    assert!(number(&small[0], "p") > 0.0 && small[0]["reason"].is_empty(), "{small:?}");
}

#[test]
fn tuning_has_no_t_of_one_profile_on_four_scales() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let profile = noise(12, 1, 3);
    for (k, scale) in [1.0, 0.7, 3.3, 1e3].into_iter().enumerate() {
        save(&path.join(format!("s{k}.npy")), &(&profile * scale), Some(&ids(12)));
    }
    save(&path.join("net.npy"), &noise(12, 1, 4), Some(&ids(12)));
    let lines: String = ids(12).iter().enumerate().map(|(k, id)| format!("{id},{}\n", ["a", "b"][k % 2])).collect();
    fs::write(path.join("t.csv"), format!("stimulus,group\n{lines}")).unwrap();
    let line = "tuning diverge net.npy --brain s0.npy s1.npy s2.npy s3.npy --stimuli t.csv --group group --n-boot 100";
    let table = rows(&run(path, line).text());
    let t: Vec<&Row> = table.iter().filter(|r| r["test"] == "t").collect();
    assert!(!t.is_empty());
    assert!(t.iter().all(|r| r["t"] == "NaN" && r["p"] == "NaN" && r["reason"] == "constant"), "{t:?}");
    // a copy on another scale correlates by 1 and not more
    for k in 0..4 {
        let line = format!("tuning compare s0.npy --brain s{k}.npy -q");
        let r = number(&rows(&run(path, &line).text())[0], "r");
        assert!((0.999_999_999..=1.0).contains(&r), "{k}: {r}");
    }
}

#[test]
fn shuffles_that_reach_the_own_score_on_paper_reach_it() {
    // The model sets the pairs 01 and 23 apart. The brain's 01 and 23 have the mean .4, and so have 02 and 13, and 03
    // and 12: every order of the four stimuli scores the same (0 where means are taken off), whatever rounding makes of
    // it.
    let dir = tempdir().unwrap();
    let path = dir.path();
    save_rdms(&path.join("m.npy"), &[vec![0.1, 0.7, 0.7, 0.7, 0.7, 0.1]], 4);
    save_rdms(&path.join("b.npy"), &[vec![0.2, 0.1, 0.3, 0.5, 0.7, 0.6]], 4);
    for (how, _) in COMPARISONS {
        let found = rows(&run(path, &format!("rsa compare m.npy --brain b.npy --compare {how} --perm 23")).text());
        let mean = found.last().unwrap();
        assert_eq!((mean["p_perm"].as_str(), mean["p_perm_fwer"].as_str()), ("1", "1"), "{how} {mean:?}");
    }
}

#[test]
fn a_square_of_patterns_is_what_it_is_declared_to_be() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let square = array![[0.0, 1.0], [1.0, 0.0]];
    save(&path.join("x.npy"), &square, Some(&ids(2)));
    run(path, "rsa rdm x.npy")
        .fails(1, &["x.npy: 2 x 2, symmetric with a zero diagonal, is an RDM", "--input-is patterns"]);
    let made = arrays(&run(path, "rsa rdm --input-is patterns --metric cityblock x.npy").ok());
    assert_eq!(made[0].values.clone().into_f64(), [2.0]);
    let stream = sh(path, "cat x.npy x.npy | rsa rdm --input-is patterns --metric sqeuclidean -").ok();
    assert_eq!(arrays(&stream).len(), 2);
    let pattern = array![[0.0, 1.0, 2.0], [1.0, 0.0, 5.0], [2.0, 5.0, 0.0]];
    save(&path.join("y.npy"), &pattern, Some(&ids(3)));
    run(path, "rsa compare y.npy --brain y.npy --compare cka").fails(1, &["y.npy: is an RDM", "--input-is patterns"]);
    let cka = rows(&run(path, "rsa compare y.npy --brain y.npy --compare cka --input-is patterns").text());
    assert_eq!(cka[0]["cka"], "1");
    run(path, "rsa compare y.npy --brain y.npy --input-is patterns").fails(1, &["--input-is patterns", "rsa rdm"]);
    // a square RDM whose triangles differ by f4 rounding is no pattern either
    let mut rounded: Array2<f64> = pattern.mapv(|v| v / 3.0);
    rounded[(0, 1)] = f64::from(rounded[(0, 1)] as f32);
    save(&path.join("z.npy"), &rounded, Some(&ids(3)));
    run(path, "rsa rdm z.npy").fails(1, &["z.npy: 3 x 3, symmetric"]);
    save(&path.join("w.npy"), &noise(3, 3, 1), Some(&ids(3)));
    run(path, "rsa rdm --input-is rdm --transform rank w.npy").fails(1, &["w.npy", "row 0"]);
}

#[test]
fn infinite_distances_are_counted_like_nan() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    let (mut infinite, mut missing) = (random(8, 1), random(8, 1));
    (infinite[3], missing[3]) = (f64::INFINITY, f64::NAN);
    save_rdms(&path.join("inf.npy"), &[infinite], 8);
    save_rdms(&path.join("nan.npy"), &[missing], 8);
    save_rdms(&path.join("brains.npy"), &[random(8, 4), random(8, 5), random(8, 6)], 8);
    for line in [
        "rsa compare X.npy --names m --brain brains.npy --compare spearman --test t",
        "rsa compare X.npy --names m --brain brains.npy --boot stimuli --n-boot 20",
        "rsa compare brains.npy --brain X.npy --brain-names s --ceiling --boot stimuli --n-boot 20 --compare tau-a",
    ] {
        let line = line.replace("--brain X.npy --brain-names s --ceiling", "--brain X.npy --brain-names s");
        let of = |file: &str| run(path, &line.replace("X", file));
        let (inf, nan) = (of("inf"), of("nan"));
        assert_eq!(inf.stderr.matches("1 of 28 pairs have no value (NaN or infinite)").count(), 1, "{}", inf.stderr);
        assert_eq!(inf.text(), nan.text());
    }
    for transform in ["rank", "sqrt", "square", "minmax", "positive"] {
        let of =
            |file: &str| arrays(&run(path, &format!("rsa rdm --transform {transform} {file}.npy")).ok())[0].clone();
        let (inf, nan) = (of("inf").values.into_f64(), of("nan").values.into_f64());
        assert!(inf.iter().zip(&nan).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())), "{transform}");
    }
}

#[test]
fn a_dendrogram_is_the_same_in_f4_and_f8() {
    let dir = tempdir().unwrap();
    let path = dir.path();
    for seed in 0..20 {
        let n = 24;
        // tenths: many ties, none exact in binary, and their means are equal on paper only
        let values: Vec<f64> =
            noise(1, n * (n - 1) / 2, seed).iter().map(|v| ((v + 0.5) * 7.0).floor().max(1.0) / 10.0).collect();
        fs::write(path.join("f8.npy"), rdm(&values, n, Dtype::F8)).unwrap();
        fs::write(path.join("f4.npy"), rdm(&values, n, Dtype::F4)).unwrap();
        for linkage in ["average", "complete", "ward"] {
            let order = |file: &str| -> Vec<String> {
                let line = format!("rsa order {file}.npy --linkage {linkage}");
                rows(&run(path, &line).text()).into_iter().map(|r| r["row"].clone()).collect()
            };
            assert_eq!(order("f4"), order("f8"), "{linkage} {seed}");
        }
    }
}
