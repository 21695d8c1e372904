//! `rsa compare` beyond models against brains, as its users meet it: all pairs, controls, second moments, matrices.

use ndarray::{Array2, Axis, s};
use npy_stream::{Dtype, Matrix, write_matrix, write_vector};
use std::fs;
use std::path::Path;
use support::*;
use tempfile::{TempDir, tempdir};

fn save_rdm(path: &Path, values: &[f64], n: usize) {
    let mut bytes = Vec::new();
    write_vector(&mut bytes, values, Dtype::F8, Some(&ids(n))).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Matrices `net.npy`, `deep.npy` (wide), subjects `one.npy` and `two.npy` of twelve stimuli; two.npy in another order;
/// and of each the RDM `r-NAME.npy`.
fn study() -> TempDir {
    let dir = tempdir().unwrap();
    let signal = noise(12, 5, 1);
    let order: Vec<usize> = (0..12).map(|k| k * 5 % 12).collect();
    let wide = signal.dot(&noise(5, 40, 2)) + noise(12, 40, 3);
    save(&dir.path().join("net.npy"), &(&signal + &(0.7 * noise(12, 5, 4))), Some(&ids(12)));
    save(&dir.path().join("deep.npy"), &wide, Some(&ids(12)));
    save(&dir.path().join("one.npy"), &(signal.dot(&noise(5, 9, 5)) + noise(12, 9, 6)), Some(&ids(12)));
    let two = signal.dot(&noise(5, 7, 7)) + noise(12, 7, 8);
    let moved: Vec<String> = order.iter().map(|k| ids(12)[*k].clone()).collect();
    save(&dir.path().join("two.npy"), &two.select(Axis(0), &order), Some(&moved));
    sh(dir.path(), "for x in net deep one two; do rsa rdm $x.npy > r-$x.npy || exit 1; done").ok();
    dir
}

const SYSTEMS: &str = "r-net.npy r-deep.npy --brain r-one.npy r-two.npy";

#[test]
fn all_pairs_are_the_single_comparisons_once_each() {
    let dir = study();
    for (how, column) in [
        ("pearson", "r"),
        ("spearman", "rho"),
        ("kendall", "tau"),
        ("tau-a", "tau"),
        ("rho-a", "rho"),
        ("cosine", "cosine"),
        ("corr_cov", "r"),
        ("cosine_cov", "cosine"),
        ("bures", "bures"),
        ("bures_metric", "bures_squared"),
        ("bures-distance", "bures_distance"),
        ("pearson --partial r-deep.npy", "r"),
    ] {
        let text = run(dir.path(), &format!("rsa compare {SYSTEMS} --all-pairs --compare {how} -q")).text();
        let header = format!("a,block_a,b,block_b,compare,n_stimuli,n_pairs,{column},reason\n");
        assert!(text.starts_with(&header), "{text}");
        let table = rows(&text);
        let pairs: Vec<(&str, &str)> = table.iter().map(|r| (r["a"].as_str(), r["b"].as_str())).collect();
        let (n, d, o, t) = ("r-net", "r-deep", "r-one", "r-two");
        assert_eq!(pairs, [(n, d), (n, o), (n, t), (d, o), (d, t), (o, t)]);
        let blocks: Vec<String> = table.iter().map(|r| format!("{} {}", r["block_a"], r["block_b"])).collect();
        let (mm, mb, bb) = ("model model", "model brain", "brain brain");
        assert_eq!(blocks, [mm, mb, mb, mb, mb, bb]);
        for row in &table {
            let line = format!("rsa compare {}.npy --brain {}.npy --compare {how} -q", row["a"], row["b"]);
            let one = &rows(&run(dir.path(), &line).text())[0];
            let (found, expected) = (number(row, column), number(one, column));
            let both_nan = found.is_nan() && expected.is_nan() && row["reason"] == one["reason"];
            assert!(both_nan || (found - expected).abs() < 1e-14, "{how}: {row:?} {one:?}");
            assert_eq!((&row["n_pairs"], &row["compare"]), (&one["n_pairs"], &one["compare"]));
            // what is controlled for has nothing left
            assert_eq!(
                row["reason"] == "explained_by_controls",
                how.contains("partial") && (row["a"] == d || row["b"] == d)
            );
        }
    }
}

#[test]
fn the_square_is_the_table_and_both_go_on_to_mds_and_order() {
    let dir = study();
    let path = dir.path();
    let text = run(path, &format!("rsa compare {SYSTEMS} --all-pairs --matrix sim.npy")).text();
    let (square, labels) = matrix(&fs::read(path.join("sim.npy")).unwrap());
    let labels = labels.unwrap();
    assert_eq!(labels, ["r-net", "r-deep", "r-one", "r-two"]);
    let place = |name: &str| labels.iter().position(|l| l == name).unwrap();
    for row in rows(&text) {
        let (i, j) = (place(&row["a"]), place(&row["b"]));
        assert_eq!([square[(i, j)], square[(j, i)]], [number(&row, "r"); 2]);
    }
    assert!(square.diag().iter().all(|v| (v - 1.0).abs() < 1e-14));
    let side: serde_json::Value = serde_json::from_slice(&fs::read(path.join("sim.json")).unwrap()).unwrap();
    assert_eq!((side["compare"].as_str(), side["inputs"].as_array().map(Vec::len)), (Some("pearson"), Some(4)));

    let piped = sh(path, &format!("rsa compare {SYSTEMS} --all-pairs -q | rsa mds --pairs a,b --value r --similarity"));
    let from_square = sh(path, "rsa mds --similarity sim.npy").text();
    let coordinates = |text: &str| rows(text).iter().map(|r| [number(r, "x"), number(r, "y")]).collect::<Vec<_>>();
    let (a, b) = (coordinates(&piped.text()), coordinates(&from_square));
    assert_eq!((a.len(), &a), (4, &b));
    let line = format!("rsa compare {SYSTEMS} --all-pairs -q | rsa order --pairs a,b --value r --similarity");
    let order = |text: String| rows(&text).iter().map(|r| r["stimulus"].clone()).collect::<Vec<_>>();
    assert_eq!(order(sh(path, &line).text()), order(run(path, "rsa order --similarity sim.npy").text()));
    // a distance needs no --similarity
    run(path, &format!("rsa compare {SYSTEMS} --all-pairs -q --compare bures-distance --matrix d.npy")).ok();
    assert_eq!(rows(&run(path, "rsa mds d.npy").text()).len(), 4);
}

#[test]
fn a_stream_alone_is_systems_too() {
    let dir = study();
    let files = "r-net.npy r-deep.npy r-one.npy r-two.npy";
    let from_pipe = rows(&sh(dir.path(), &format!("cat {files} | rsa compare --all-pairs")).text());
    let from_files = rows(&run(dir.path(), &format!("rsa compare {files} --all-pairs")).text());
    let only_brains = rows(&run(dir.path(), &format!("rsa compare --all-pairs --brain {files}")).text());
    assert_eq!(from_pipe.len(), 6);
    for ((pipe, file), brain) in from_pipe.iter().zip(&from_files).zip(&only_brains) {
        assert_eq!((&pipe["r"], &brain["r"]), (&file["r"], &file["r"]));
        assert_eq!((pipe["block_a"].as_str(), brain["block_b"].as_str()), ("model", "brain"));
    }
    assert_eq!((from_pipe[0]["a"].as_str(), from_pipe[5]["b"].as_str()), ("0", "3"));
    let named = sh(dir.path(), &format!("cat {files} | rsa compare - --all-pairs --names w,x,y,z")).text();
    assert_eq!(rows(&named)[4]["b"], "z");
    let matrices = sh(dir.path(), "cat net.npy deep.npy one.npy | rsa compare --all-pairs --compare cka").text();
    let files = run(dir.path(), "rsa compare net.npy deep.npy one.npy --all-pairs --compare cka").text();
    let values = |text: &str| rows(text).iter().map(|r| r["cka"].clone()).collect::<Vec<_>>();
    assert_eq!(values(&matrices), values(&files));
}

#[test]
fn blocks_come_from_a_table() {
    let dir = study();
    let path = dir.path();
    fs::write(
        path.join("b.csv"),
        "system,block,layer\nr-one,IT,x\nr-two,IT,x\nr-net,CNN,x\nr-deep,CNN,x\nother,V1,x\n",
    )
    .unwrap();
    let table = rows(&run(path, &format!("rsa compare {SYSTEMS} --all-pairs --blocks b.csv")).text());
    assert!(table.iter().all(|r| (r["block_a"] == "CNN") == (r["a"] == "r-net" || r["a"] == "r-deep")));
    assert_eq!(table[5]["block_b"], "IT");
    fs::write(path.join("short.csv"), "system,block\nr-one,IT\nr-net,CNN\n").unwrap();
    run(path, &format!("rsa compare {SYSTEMS} --all-pairs --blocks short.csv"))
        .fails(1, &["short.csv: has no row for system \"r-", "2 systems"]);
    fs::write(path.join("twice.csv"), "system,block\nr-one,IT\nr-one,V1\n").unwrap();
    run(path, &format!("rsa compare {SYSTEMS} --all-pairs --blocks twice.csv"))
        .fails(1, &["twice.csv", "\"r-one\" is in block \"IT\" and in block \"V1\""]);
    fs::write(path.join("no.csv"), "system,group\nr-one,IT\n").unwrap();
    run(path, &format!("rsa compare {SYSTEMS} --all-pairs --blocks no.csv")).fails(1, &["no.csv", "\"block\""]);
}

#[test]
fn all_pairs_refuses_what_has_no_meaning() {
    let dir = study();
    let path = dir.path();
    run(path, "rsa compare r-net.npy --all-pairs")
        .fails(1, &["r-net.npy", "1 system", "at least 2"].map(|s| s.trim_end_matches(".npy")));
    run(path, "rsa compare r-net.npy --brain r-net.npy --all-pairs").fails(1, &["both named \"r-net\"", "--names"]);
    run(path, "rsa compare r-net.npy --brain r-net.npy --brain-names ffa --all-pairs").ok();
    run(path, &format!("rsa compare {SYSTEMS} --all-pairs --ceiling")).fails(1, &["--ceiling", "--all-pairs"]);
    run(path, &format!("rsa compare {SYSTEMS} --matrix sim.npy")).fails(2, &["--all-pairs"]);
    run(path, &format!("rsa compare {SYSTEMS} --blocks b.csv")).fails(2, &["--all-pairs"]);
    run(path, &format!("rsa compare {SYSTEMS} --all-pairs --semipartial r-one.npy"))
        .fails(1, &["--semipartial", "--partial"]);
    // Two outputs of one stem each have a record of their own.
    run(path, &format!("rsa compare {SYSTEMS} --all-pairs -o s.csv --matrix s.npy")).ok();
    let record = |name: &str| fs::read_to_string(path.join(name)).unwrap();
    let mut outputs = ["s.json", "s.csv.json", "s.npy.json"].map(|name| path.join(name).exists().then(|| record(name)));
    outputs.sort();
    let [None, Some(one), Some(other)] = &outputs else { panic!("{outputs:?}") };
    assert!([one, other].iter().any(|r| r.contains("\"output\": \"s.npy\"")), "{outputs:?}");
    assert!([one, other].iter().any(|r| r.contains("\"output\": \"s.csv\"")), "{outputs:?}");
    run(path, "rsa compare r-net.npy").fails(2, &["--brain"]);
    run(path, "rsa compare --brain r-net.npy").fails(2, &["MODEL"]);
    assert!(!path.join("sim.npy").exists());
}

#[test]
fn a_controlled_comparison_joins_its_controls_by_id() {
    let dir = study();
    let path = dir.path();
    let line = "rsa compare r-net.npy r-deep.npy --brain r-one.npy --partial r-two.npy";
    let out = run(path, line);
    assert!(out.stderr.contains("r-two.npy brought into the order of r-one.npy"), "{}", out.stderr);
    let partial = rows(&out.text());
    assert_eq!((partial.len(), partial[0]["compare"].as_str()), (4, "partial-pearson"));
    // r_xy.z from the three plain correlations
    let r =
        |a: &str, b: &str| number(&rows(&run(path, &format!("rsa compare {a}.npy --brain {b}.npy -q")).text())[0], "r");
    let (xy, xz, yz) = (r("r-net", "r-one"), r("r-net", "r-two"), r("r-one", "r-two"));
    let expected = (xy - xz * yz) / ((1.0 - xz * xz) * (1.0 - yz * yz)).sqrt();
    assert!((number(&partial[0], "r") - expected).abs() < 1e-13);
    let semi = rows(&run(path, &line.replace("--partial", "--semipartial")).text());
    let expected = (xy - xz * yz) / (1.0 - xz * xz).sqrt();
    assert!((number(&semi[0], "r") - expected).abs() < 1e-13);
    assert_eq!(semi[0]["compare"], "semipartial-pearson");
    // several controls, from one stream
    let both = sh(path, "cat r-two.npy r-deep.npy | rsa compare r-net.npy --brain r-one.npy --partial - -o p.csv");
    both.ok();
    let side: serde_json::Value = serde_json::from_slice(&fs::read(path.join("p.json")).unwrap()).unwrap();
    assert_eq!((&side["compare"], side["partial"].as_array().map(Vec::len)), (&"partial-pearson".into(), Some(2)));
}

#[test]
fn a_control_that_explains_everything_gives_a_reason_instead_of_noise() {
    let dir = study();
    let path = dir.path();
    // an f4 copy of the model, and the model on another scale
    sh(path, "rsa rdm net.npy --dtype f4 > copy.npy && rsa rdm net.npy --transform square --dtype f8 > other.npy").ok();
    for (how, option) in [("pearson", "--partial"), ("spearman", "--partial"), ("pearson", "--semipartial")] {
        let line =
            format!("rsa compare r-net.npy --brain r-one.npy r-two.npy --compare {how} {option} r-deep.npy copy.npy");
        for row in rows(&run(path, &line).text()) {
            assert!(number(&row, if how == "pearson" { "r" } else { "rho" }).is_nan(), "{row:?}");
            assert_eq!(row["reason"], "explained_by_controls");
        }
    }
    // ranks do not see the square
    let ranks =
        rows(&run(path, "rsa compare r-net.npy --brain r-one.npy --compare spearman --partial other.npy").text());
    assert_eq!(ranks[0]["reason"], "explained_by_controls");
    let values = rows(&run(path, "rsa compare r-net.npy --brain r-one.npy --partial other.npy").text());
    assert!(number(&values[0], "r").is_finite());
    save_rdm(&path.join("flat.npy"), &[0.1; 66], 12);
    run(path, "rsa compare r-net.npy --brain r-one.npy --partial flat.npy").fails(1, &["flat.npy", "constant"]);
    let flat = rows(&run(path, "rsa compare flat.npy --brain r-one.npy --partial r-two.npy").text());
    assert_eq!((flat[0]["r"].as_str(), flat[0]["reason"].as_str()), ("NaN", "constant"));
}

#[test]
fn pairs_that_are_nan_anywhere_leave_a_controlled_comparison_with_a_count() {
    let dir = study();
    let path = dir.path();
    let hole = |name: &str, k: usize| {
        let mut values = arrays(&fs::read(path.join(format!("r-{name}.npy"))).unwrap()).remove(0).values.into_f64();
        values[k] = f64::NAN;
        save_rdm(&path.join(format!("h-{name}.npy")), &values, 12);
    };
    hole("net", 0);
    hole("one", 1);
    hole("deep", 2);
    let out = run(path, "rsa compare h-net.npy r-net.npy --brain h-one.npy --partial h-deep.npy");
    assert!(out.stderr.contains("h-deep.npy: 1 of 66 pairs have no value"), "{}", out.stderr);
    let pairs: Vec<String> = rows(&out.text()).iter().map(|r| r["n_pairs"].clone()).collect();
    assert_eq!(pairs, ["63", "63", "64", "64"]);
    let table = rows(&run(path, "rsa compare h-net.npy --brain r-one.npy --compare bures").text());
    assert_eq!((table[0]["bures"].as_str(), table[0]["reason"].as_str()), ("NaN", "nan_input"));
}

#[test]
fn controls_are_for_least_squares_and_ceilings_for_whole_rdms() {
    let dir = study();
    let path = dir.path();
    for how in ["kendall", "cosine", "bures", "cka", "corr_cov"] {
        run(path, &format!("rsa compare {SYSTEMS} --partial r-net.npy --compare {how}"))
            .fails(1, &["--partial", "pearson and spearman", how]);
    }
    for rest in ["--partial r-net.npy", "--compare bures", "--compare cka"] {
        run(path, &format!("rsa compare {SYSTEMS} --ceiling {rest}")).fails(1, &["--ceiling is not defined"]);
    }
    run(path, &format!("rsa compare {SYSTEMS} --partial r-net.npy --semipartial r-net.npy"))
        .fails(2, &["cannot be used"]);
    for rest in ["--partial r-net.npy", "--compare bures", "--compare cka"] {
        run(path, &format!("rsa compare {SYSTEMS} --sigma-k net.npy {rest}")).fails(1, &["--sigma-k", "corr_cov"]);
    }
    for rest in ["--all-pairs", "--partial r-net.npy", "--compare bures", "--compare cka"] {
        for option in ["--boot both", "--perm 10", "--model weighted", "--cv-k 2,2", "--n-cv 2"] {
            run(path, &format!("rsa compare {SYSTEMS} {option} {rest}"))
                .fails(1, &[option.split(' ').next().unwrap(), "neither fitted nor resampled"]);
        }
        run(path, &format!("rsa compare {SYSTEMS} --test bootstrap {rest}")).fails(1, &["--test"]);
    }
    let small: Vec<f64> = (0..10).map(f64::from).collect();
    save_rdm(&path.join("small.npy"), &small, 5);
    run(path, "rsa compare r-net.npy --brain r-one.npy --partial small.npy").fails(1, &["small.npy", "12", "5"]);
    let inner = rows(&run(path, "rsa compare r-net.npy --brain r-one.npy --partial small.npy --inner").text());
    assert_eq!((inner[0]["n_stimuli"].as_str(), inner[0]["n_pairs"].as_str()), ("5", "10"));
}

const MATRIX_COMPARISONS: [(&str, &str); 4] =
    [("cka", "cka"), ("cka-debiased", "cka"), ("procrustes", "procrustes"), ("procrustes-angle", "angle")];

#[test]
fn matrices_are_joined_by_id_and_units_need_no_partner() {
    let dir = study();
    let path = dir.path();
    for (how, column) in MATRIX_COMPARISONS {
        let out = run(path, &format!("rsa compare net.npy deep.npy --brain one.npy two.npy --compare {how}"));
        assert!(out.stderr.contains("two.npy brought into the order of one.npy"), "{}", out.stderr);
        let text = out.text();
        assert!(text.starts_with(&format!("model,subject,compare,n_stimuli,{column},reason\n")), "{text}");
        let table = rows(&text);
        assert_eq!(table.len(), 6);
        let mean = (number(&table[0], column) + number(&table[1], column)) / 2.0;
        assert_eq!((table[2]["subject"].as_str(), number(&table[2], column)), ("mean", mean));
        // rows in another order, rotated, scaled, moved: the same numbers; by position: others
        let (net, labels) = matrix(&fs::read(path.join("net.npy")).unwrap());
        let labels = labels.unwrap();
        let backwards: Vec<String> = labels.iter().rev().cloned().collect();
        let turned = {
            let (c, s) = (0.6, 0.8);
            let mut turned = net.clone();
            turned.column_mut(0).assign(&(c * &net.column(0) - s * &net.column(3)));
            turned.column_mut(3).assign(&(s * &net.column(0) + c * &net.column(3)));
            turned * -3.0 + 11.0
        };
        save(&path.join("turned.npy"), &turned.slice(s![..;-1, ..]).to_owned(), Some(&backwards));
        let again =
            rows(&run(path, &format!("rsa compare turned.npy --brain one.npy two.npy --compare {how} -q")).text());
        for k in 0..2 {
            let (found, expected) = (number(&again[k], column), number(&table[k], column));
            assert!((found - expected).abs() < 1e-13, "{how} {found} {expected}");
        }
        save(&path.join("bare.npy"), &turned.slice(s![..;-1, ..]).to_owned(), None);
        run(path, &format!("rsa compare bare.npy --brain one.npy --compare {how}"))
            .fails(1, &["bare.npy", "npy label"]);
        let wrong = run(path, &format!("rsa compare bare.npy --brain one.npy --compare {how} --assume-order")).text();
        assert!((number(&rows(&wrong)[0], column) - number(&table[0], column)).abs() > 1e-3);
    }
}

#[test]
fn any_dtype_order_source_and_threads_give_the_same() {
    let dir = study();
    let path = dir.path();
    let (deep, labels) = matrix(&fs::read(path.join("deep.npy")).unwrap());
    let mut f4 = Vec::new();
    write_matrix(&mut f4, &Matrix::F4(deep.mapv(|v| v as f32)), labels.as_deref()).unwrap();
    fs::write(path.join("single.npy"), &f4).unwrap();
    for (how, column) in MATRIX_COMPARISONS {
        let line = |rest: &str| format!("rsa compare {rest} --brain one.npy --compare {how} --names m");
        let expected = run(path, &line("deep.npy")).ok();
        assert_eq!(sh(path, &format!("{} < deep.npy", line("-"))).ok(), expected);
        for threads in [1, 4] {
            assert_eq!(run(path, &line(&format!("deep.npy --threads {threads}"))).ok(), expected);
        }
        let value = |text: &[u8]| number(&rows(std::str::from_utf8(text).unwrap())[0], column);
        let single = value(&run(path, &line("single.npy")).ok());
        assert!((single - value(&expected)).abs() < 1e-6, "{how} {single}");
        assert_eq!(value(&sh(path, &format!("{} < single.npy", line("-"))).ok()), single);
    }
}

#[test]
fn rows_with_nan_leave_every_matrix_with_a_count() {
    let dir = study();
    let path = dir.path();
    let (mut deep, labels) = matrix(&fs::read(path.join("deep.npy")).unwrap());
    deep[(3, 17)] = f64::NAN;
    save(&path.join("hole.npy"), &deep, labels.as_deref());
    // one of 12 stimuli is less than 10 %
    for (how, column) in MATRIX_COMPARISONS {
        let out = run(path, &format!("rsa compare net.npy hole.npy --brain one.npy --compare {how}"));
        let line =
            "hole.npy: 1 of 12 stimuli have a value that is NaN or infinite, the first in row 3 (\"s3\"), column 17";
        assert!(out.stderr.contains(line) && out.stderr.contains("left out of every comparison"), "{}", out.stderr);
        let table = rows(&out.text());
        assert!(table.iter().all(|r| r["n_stimuli"] == "11" && r["reason"].is_empty()), "{table:?}");
        let ids = labels.as_ref().unwrap().iter().filter(|l| *l != "s3").map(|l| format!("{l}\n")).collect::<String>();
        fs::write(path.join("ids.csv"), format!("stimulus\n{ids}")).unwrap();
        let (net, _) = matrix(&fs::read(path.join("net.npy")).unwrap());
        let kept: Vec<usize> = (0..12).filter(|k| *k != 3).collect();
        let kept_ids: Vec<String> = kept.iter().map(|k| labels.as_ref().unwrap()[*k].clone()).collect();
        save(&path.join("eleven.npy"), &net.select(Axis(0), &kept), Some(&kept_ids));
        let by_hand = run(path, &format!("rsa compare eleven.npy --brain one.npy --compare {how} --inner")).text();
        assert!((number(&rows(&by_hand)[0], column) - number(&table[0], column)).abs() < 1e-14);
    }
    deep[(5, 2)] = f64::INFINITY;
    save(&path.join("holes.npy"), &deep, labels.as_deref());
    let line = "rsa compare holes.npy --brain one.npy --compare cka";
    run(path, line).fails(1, &["holes.npy: 2 of 12", "10 %", "--allow-nan", "npy cols"]);
    let allowed = rows(&run(path, &format!("{line} --allow-nan")).text());
    assert_eq!(allowed[0]["n_stimuli"], "10");
    deep.column_mut(0).fill(f64::NAN);
    save(&path.join("dead.npy"), &deep, labels.as_deref());
    run(path, "rsa compare dead.npy --brain one.npy --compare cka --allow-nan").fails(1, &["0 stimuli in common"]);
}

#[test]
fn bad_matrices_are_refused_by_name() {
    let dir = study();
    let path = dir.path();
    for how in ["cka", "procrustes"] {
        run(path, &format!("rsa compare r-net.npy --brain one.npy --compare {how}"))
            .fails(1, &["r-net.npy: is an RDM", how, "matrices"]);
        run(path, "rsa rdm net.npy --square -o square.npy").ok();
        run(path, &format!("rsa compare square.npy --brain one.npy --compare {how}"))
            .fails(1, &["square.npy: is an RDM"]);
        save(&path.join("flat.npy"), &Array2::from_elem((12, 3), 0.1), Some(&ids(12)));
        let table = rows(&run(path, &format!("rsa compare flat.npy net.npy --brain one.npy --compare {how}")).text());
        assert_eq!((table[0][how].as_str(), table[0]["reason"].as_str()), ("NaN", "constant"));
        assert!(number(&table[2], how).is_finite() && table[2]["reason"].is_empty());
        save(&path.join("other.npy"), &noise(12, 3, 1), Some(&ids(13)[1..]));
        run(path, &format!("rsa compare other.npy --brain one.npy --compare {how}"))
            .fails(1, &["other.npy", "one.npy"]);
        let inner = rows(&run(path, &format!("rsa compare other.npy --brain one.npy --compare {how} --inner")).text());
        assert_eq!(inner[0]["n_stimuli"], "11");
    }
    let twice: Vec<String> = (0..12).map(|k| format!("s{}", k / 2)).collect();
    save(&path.join("trials.npy"), &noise(12, 3, 1), Some(&twice));
    run(path, "rsa compare trials.npy --brain one.npy --compare cka")
        .fails(1, &["trials.npy", "\"s0\" occurs 2 times"]);
    save(&path.join("three.npy"), &noise(3, 3, 1), Some(&ids(3)));
    run(path, "rsa compare three.npy --brain three.npy --compare cka-debiased").fails(1, &["3 stimuli", "at least 4"]);
    run(path, "rsa compare three.npy --brain three.npy --compare cka").ok();
    save(&path.join("none.npy"), &Array2::zeros((12, 0)), Some(&ids(12)));
    run(path, "rsa compare none.npy --brain one.npy --compare cka").fails(1, &["none.npy", "0 units"]);
    fs::write(path.join("cut.npy"), &fs::read(path.join("deep.npy")).unwrap()[..700]).unwrap();
    run(path, "rsa compare cut.npy --brain one.npy --compare cka").fails(1, &["cut.npy"]);
    run(path, "rsa compare net.npy deep.npy --brain one.npy --compare cka --names mean,x").ok();
    run(path, "rsa compare net.npy --brain one.npy --compare cka --brain-names mean")
        .fails(1, &["mean", "--brain-names"]);
    run(path, "rsa compare net.npy --brain one.npy --compare hsic").fails(2, &["hsic", "cka-debiased", "bures_metric"]);
}

#[test]
fn outputs_come_whole_or_not_at_all() {
    let dir = study();
    let path = dir.path();
    for rest in ["", "--compare cka"] {
        let files = if rest.is_empty() { SYSTEMS } else { "net.npy deep.npy --brain one.npy two.npy" };
        let line = format!("rsa compare {files} --all-pairs -q {rest}");
        assert_eq!(sh(path, &format!("{line} | head -c 10")).ok().len(), 10);
        sh(path, &format!("{line} > /dev/full")).fails(1, &["rsa"]);
        let json = run(path, &format!("{line} --format jsonl")).text();
        assert!(json.starts_with("{\"a\":\"") && json.lines().count() == 6, "{json}");
        run(path, &format!("{line} -o t.csv --matrix m.npy")).ok();
        assert!(path.join("t.json").exists() && path.join("m.json").exists());
    }
}

#[test]
fn people_and_their_models_on_one_map() {
    let Some(folder) = data("kriegeskorte92") else { return };
    let dir = tempdir().unwrap();
    let script = root().join("scripts/kriegeskorte92-rdms.py");
    let made = sh(dir.path(), &format!("python3 {} {} > brains.npy", script.display(), folder.display()));
    if made.code != 0 {
        return skipped("python3 with numpy is absent");
    }
    sh(dir.path(), "rsa rdm --transform rank brains.npy > ranks.npy").ok();
    let line = "rsa compare ranks.npy --brain brains.npy --brain-names s1,s2,s3,s4 --names r1,r2,r3,r4 --all-pairs \
                --compare spearman --matrix all.npy | rsa mds --pairs a,b --value rho --similarity";
    assert_eq!(rows(&sh(dir.path(), line).text()).len(), 8);
    let (square, _) = matrix(&fs::read(dir.path().join("all.npy")).unwrap());
    // ranks of s1 are s1 to spearman
    assert!((0..4).all(|k| (square[(k, k + 4)] - 1.0).abs() < 1e-12));
    assert!(square.iter().all(|v| *v > 0.1));
    let bures = rows(&run(dir.path(), "rsa compare --all-pairs --brain brains.npy --compare bures").text());
    assert!(bures.iter().all(|r| number(r, "bures") > 0.7 && r["reason"].is_empty()), "{bures:?}");
}

#[test]
fn controls_and_debiased_cka_are_tested_over_subjects() {
    let dir = study();
    let path = dir.path();
    for (line, column) in [
        ("r-net.npy r-deep.npy --brain r-one.npy r-two.npy r-three.npy --partial r-extra.npy", "r"),
        (
            "r-net.npy r-deep.npy --brain r-one.npy r-two.npy r-three.npy --semipartial r-extra.npy --compare spearman",
            "rho",
        ),
        ("net.npy deep.npy --brain one.npy two.npy three.npy --compare cka-debiased", "cka"),
    ] {
        let signal = noise(12, 5, 1);
        save(&path.join("three.npy"), &(signal.dot(&noise(5, 8, 9)) + noise(12, 8, 10)), Some(&ids(12)));
        save(&path.join("extra.npy"), &noise(12, 8, 30), Some(&ids(12)));
        sh(path, "for x in three extra; do rsa rdm $x.npy > r-$x.npy || exit 1; done").ok();
        let plain = rows(&run(path, &format!("rsa compare {line} -q")).text());
        let text = run(path, &format!("rsa compare {line} -q --test t --correct bonferroni --pairwise p.csv")).text();
        let header = format!("{column},se,ci_lo,ci_hi,t,df,p,q,test,alternative,correct,generalize_to,n,n_boot,reason");
        assert!(text.lines().next().unwrap().ends_with(&header), "{text}");
        let found = rows(&text);
        for (place, model) in found.chunks(4).enumerate() {
            let values: Vec<f64> = model[..3].iter().map(|row| number(row, column)).collect();
            assert!(model[..3].iter().all(|row| row["p"].is_empty()));
            let mean = &model[3];
            assert_eq!(mean[column], plain[4 * place + 3][column]);
            let center = values.iter().sum::<f64>() / 3.0;
            let se = (values.iter().map(|v| (v - center).powi(2)).sum::<f64>() / 2.0 / 3.0).sqrt();
            assert!((number(mean, "se") - se).abs() < 1e-12 && (number(mean, "t") - center / se).abs() < 1e-9);
            // t of two degrees of freedom has a closed form
            let t = center / se;
            let p = 0.5 - t / (2.0 * (2.0 + t * t).sqrt());
            assert!((number(mean, "p") - p).abs() < 1e-9 && (number(mean, "q") - (2.0 * p).min(1.0)).abs() < 1e-9);
            assert_eq!(
                (mean["test"].as_str(), mean["generalize_to"].as_str(), mean["n"].as_str()),
                ("t", "subjects", "3")
            );
        }
        let pairs = rows(&fs::read_to_string(path.join("p.csv")).unwrap());
        let difference = number(&found[3], column) - number(&found[7], column);
        assert!(pairs.len() == 1 && (number(&pairs[0], "difference") - difference).abs() < 1e-12);
        assert_eq!(pairs[0]["compare"], found[0]["compare"]);
        let ranked = rows(&run(path, &format!("rsa compare {line} -q --test wilcoxon")).text());
        // of three values above 0 the exact one-sided p is 1/8
        let above = (0..3).all(|k| number(&ranked[k], column) > 0.0);
        assert!(ranked[3]["t"].is_empty() && ranked[3]["test"] == "signed-rank");
        assert_eq!(above, number(&ranked[3], "p") == 0.125);
    }
}

#[test]
fn what_is_never_below_0_has_pairs_of_models_only() {
    let dir = study();
    let path = dir.path();
    for (how, why) in [
        ("cka", "cka-debiased"),
        ("procrustes", "noise"),
        ("procrustes-angle", "distance"),
        ("bures", "any two RDMs"),
        ("bures_metric", "distance"),
        ("bures-distance", "distance"),
    ] {
        let inputs = if how.starts_with("bures") { SYSTEMS } else { "net.npy deep.npy --brain one.npy two.npy" };
        let line = format!("rsa compare {inputs} --compare {how} -q");
        run(path, &format!("{line} --test t")).fails(1, &["against 0", how, why, "--pairwise"]);
        let plain = run(path, &line).text();
        for (test, name) in [("", "t"), ("--test wilcoxon", "signed-rank")] {
            assert_eq!(run(path, &format!("{line} --pairwise p.csv {test}")).text(), plain);
            let pairs = rows(&fs::read_to_string(path.join("p.csv")).unwrap());
            assert_eq!((pairs.len(), pairs[0]["test"].as_str(), pairs[0]["compare"].as_str()), (1, name, how));
            assert!((0.0..=1.0).contains(&number(&pairs[0], "p")), "{pairs:?}");
        }
        run(path, &format!("{line} --all-pairs --pairwise p.csv")).fails(1, &["--pairwise", "no subjects"]);
    }
    let one = "rsa compare r-net.npy --brain r-one.npy --partial r-deep.npy";
    run(path, &format!("{one} --test t")).fails(1, &["one", "1 subject", "at least 2"]);
    run(path, &format!("rsa compare {SYSTEMS} --all-pairs --test t")).fails(1, &["--test", "no subjects"]);
}

#[test]
fn maps_are_scored_on_held_out_stimuli_and_refused_where_they_would_be_perfect() {
    let dir = tempfile::tempdir().unwrap();
    for (name, units, seed) in [("a", 4, 1), ("b", 6, 2), ("c", 6, 3), ("wide", 60, 4)] {
        save(&dir.path().join(format!("{name}.npy")), &noise(40, units, seed), Some(&ids(40)));
    }
    let at = |line: &str| rows(&run(dir.path(), line).text()).remove(0);
    let fitted = number(&at("rsa compare a.npy --brain b.npy --compare cca"), "cca");
    let held = number(&at("rsa compare a.npy --brain b.npy --compare cca --held-out 4"), "cca");
    assert!(fitted > 0.2 && held.abs() < fitted, "{fitted} {held}");
    let other = number(&at("rsa compare a.npy --brain b.npy --compare cca --held-out 4 --seed 3"), "cca");
    assert!(other != held);
    // Tests against 0 are for scores that noise leaves at 0.
    let line = "rsa compare a.npy --brain b.npy c.npy --compare permutation --test t";
    run(dir.path(), line).fails(1, &["--held-out"]);
    let tested = rows(&run(dir.path(), &format!("{line} --held-out 4")).text());
    assert!(number(&tested[2], "p") > 0.0 && tested[2]["test"] == "t");
    // Rows in another order are the same stimuli and meet the same folds.
    let order: Vec<usize> = (0..40).map(|k| k * 7 % 40).collect();
    let shuffled = noise(40, 4, 1).select(ndarray::Axis(0), &order);
    let names: Vec<String> = order.iter().map(|&k| ids(40)[k].clone()).collect();
    save(&dir.path().join("shuffled.npy"), &shuffled, Some(&names));
    // A unit that does not vary among held-out stimuli: no number there, and none that looks perfect.
    let few = Array2::from_shape_fn((12, 1), |(i, _)| f64::from(u8::from(i < 2)));
    save(&dir.path().join("few.npy"), &few, Some(&ids(12)));
    save(&dir.path().join("some.npy"), &noise(12, 2, 91), Some(&ids(12)));
    for map in ["cca", "pwcca", "svcca"] {
        let line = format!("rsa compare few.npy --brain some.npy --compare {map} --held-out 4 --seed 1");
        let found = rows(&run(dir.path(), &line).text());
        assert_eq!((&found[0]["cca"][..], &found[0]["reason"][..]), ("NaN", "constant"), "{map}");
    }
    let line = "rsa compare shuffled.npy --brain b.npy --compare cca --held-out 4";
    assert!((number(&at(line), "cca") - held).abs() < 1e-12);
    for threads in [1, 3] {
        let line = format!("rsa compare a.npy --brain b.npy --compare cca --held-out 4 --threads {threads}");
        assert_eq!(number(&at(&line), "cca"), held);
    }

    let refused: [(&str, &[&str]); 9] = [
        ("--brain wide.npy --compare cca", &["wide.npy", "39 axes", "40 stimuli", "svcca"]),
        ("--brain wide.npy --compare pwcca --held-out 4", &["wide.npy", "29 axes", "30 stimuli"]),
        ("--brain b.npy --compare cca --held-out 14", &["14", "40 stimuli", "13"]),
        ("--brain b.npy --compare cka --held-out 4", &["--held-out 4", "soft-matching"]),
        ("--brain b.npy --compare cca --variance 0.9", &["--variance 0.9", "svcca"]),
        ("--brain b.npy --compare svcca --variance 1.5", &["--variance 1.5", "at most 1"]),
        ("--brain b.npy --compare cka --bandwidth 2", &["--bandwidth 2", "cka-rbf"]),
        ("--brain b.npy --compare cka-rbf --bandwidth 0", &["--bandwidth 0", "above 0"]),
        ("--brain b.npy --compare cca --ceiling", &["--ceiling", "matrices"]),
    ];
    for (options, words) in refused {
        run(dir.path(), &format!("rsa compare a.npy {options}")).fails(1, words);
    }
    // Fewer axes pass, with a warning where some correlations are 1 whatever the data are.
    let svcca = run(dir.path(), "rsa compare wide.npy --brain wide.npy --compare svcca --variance 0.9");
    assert!(svcca.stderr.contains("canonical correlations are 1 whatever"), "{}", svcca.stderr);
    let held = run(dir.path(), "rsa compare wide.npy --brain wide.npy --compare svcca --variance 0.9 --held-out 4");
    assert!(held.stderr.contains("which variates these are is arbitrary"), "{}", held.stderr);
    run(dir.path(), "rsa compare wide.npy --brain b.npy --compare permutation").ok();
}

#[test]
fn constant_units_are_counted_and_constant_matrices_have_no_score() {
    let dir = tempfile::tempdir().unwrap();
    let mut x = noise(20, 5, 1);
    x.column_mut(3).fill(2.5);
    save(&dir.path().join("x.npy"), &x, Some(&ids(20)));
    save(&dir.path().join("y.npy"), &noise(20, 5, 2), Some(&ids(20)));
    save(&dir.path().join("flat.npy"), &ndarray::Array2::from_elem((20, 3), 0.5), Some(&ids(20)));
    let out = run(dir.path(), "rsa compare x.npy --brain y.npy --compare permutation");
    assert!(out.stderr.contains("x.npy: 1 of 5 units are constant"), "{}", out.stderr);
    for how in ["cca", "svcca", "pwcca", "permutation", "soft-matching", "cka-rbf"] {
        let table = rows(&run(dir.path(), &format!("rsa compare flat.npy --brain y.npy --compare {how}")).text());
        assert_eq!(table[0]["reason"], "constant", "{how}");
    }
}
