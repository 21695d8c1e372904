//! `rsa mds` and `rsa order` as their users meet them.

use ndarray::Array2;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use support::*;

/// The RDM (Euclidean) of `n` points in the plane, and the points.
fn plane(dir: &Path, name: &str, n: usize) -> Array2<f64> {
    let points = noise(n, 2, 7);
    save(&dir.join("points.npy"), &points, Some(&ids(n)));
    run(dir, &format!("rsa rdm --metric euclidean points.npy -o {name}.npy")).ok();
    points
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn places(table: &[Row], columns: &[&str]) -> Vec<Vec<f64>> {
    table.iter().map(|r| columns.iter().map(|c| number(r, c)).collect()).collect()
}

#[test]
fn every_method_finds_the_points_of_a_plane() {
    let dir = tempfile::tempdir().unwrap();
    let points = plane(dir.path(), "rdm", 15);
    for method in ["classical", "metric", "nonmetric"] {
        let line = format!("rsa mds --method {method} --max-iter 5000 --eps 1e-13 rdm.npy");
        let table = rows(&run(dir.path(), &line).text());
        let map = places(&table, &["x", "y"]);
        assert_eq!((table.len(), table[4]["stimulus"].as_str(), table[4]["method"].as_str()), (15, "s4", method));
        let stress = number(&table[0], "stress");
        assert!(stress < 1e-3, "{method}: {stress}");
        // Distances come back, of the non-metric map up to a factor: 1 % for what its order leaves open.
        let scale = distance(&map[0], &map[1]) / distance(&points.row(0).to_vec(), &points.row(1).to_vec());
        assert!(method == "nonmetric" || (scale - 1.0).abs() < 1e-4, "{method}: {scale}");
        for i in 0..15 {
            for j in 0..i {
                let wanted = scale * distance(&points.row(i).to_vec(), &points.row(j).to_vec());
                let found = distance(&map[i], &map[j]);
                assert!((found - wanted).abs() < 0.06 * scale, "{method} {i} {j}: {found} {wanted}");
            }
        }
        // Centred, the first axis wider than the second, the largest coordinate of each above 0.
        for axis in 0..2 {
            let column: Vec<f64> = map.iter().map(|p| p[axis]).collect();
            assert!(column.iter().sum::<f64>().abs() < 1e-9, "{method}");
            let largest = column.iter().fold(0.0f64, |l, &v| if v.abs() > l.abs() { v } else { l });
            assert!(largest > 0.0, "{method}");
        }
        let spread = |axis: usize| map.iter().map(|p| p[axis] * p[axis]).sum::<f64>();
        assert!(spread(0) > spread(1));
        assert_eq!(table[0]["start"].is_empty(), method == "classical");
        for same in [format!("{line} --threads 1"), format!("{line} --threads 2 --quiet")] {
            assert_eq!(rows(&run(dir.path(), &same).text()), table, "{same}");
        }
    }
}

#[test]
fn seeds_starts_dimensions_and_stress() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("acts.npy"), &noise(20, 30, 3), Some(&ids(20)));
    run(dir.path(), "rsa rdm acts.npy -o rdm.npy").ok();
    let table = |line: &str| rows(&run(dir.path(), &format!("rsa mds {line} rdm.npy")).text());
    // Only what is not drawn is the same for two seeds.
    assert_eq!(table("--method metric --n-init 1 --seed 1"), table("--method metric --n-init 1 --seed 2"));
    assert_eq!(table("--seed 1"), table("--seed 2"));
    let of = |n: usize, seed: usize| table(&format!("--method metric --n-init {n} --seed {seed}"));
    let best = number(&of(12, 1)[0], "stress");
    assert!(best <= number(&of(1, 1)[0], "stress"));
    assert!((1..6).any(|seed| of(12, seed)[0]["start"] != "0"), "a random start wins somewhere");
    // The stress of the table is that of the places in it.
    let whole = table("--method metric --dims 4");
    let map = places(&whole, &["x", "y", "z", "d4"]);
    let rdm = arrays(&fs::read(dir.path().join("rdm.npy")).unwrap()).remove(0).values.into_f64();
    let distances: Vec<f64> =
        (0..20).flat_map(|i| (i + 1..20).map(move |j| (i, j))).map(|(i, j)| distance(&map[i], &map[j])).collect();
    let raw: f64 = distances.iter().zip(&rdm).map(|(d, r)| (d - r).powi(2)).sum();
    let stress = (raw / distances.iter().map(|d| d * d).sum::<f64>()).sqrt();
    assert!((number(&whole[0], "stress") - stress).abs() < 1e-12, "{stress}");
    assert!(stress < best, "four dimensions fit better than two");
    let short = run(dir.path(), "rsa mds --method metric --max-iter 3 --eps 0 rdm.npy");
    assert!(short.stderr.contains("still falling after 3 iterations"), "{}", short.stderr);
    let note = run(dir.path(), "rsa mds rdm.npy").stderr;
    assert!(note.contains("2 dimensions hold") && note.contains("negative ones are"), "{note}");
    run(dir.path(), "rsa mds --dims 20 rdm.npy").fails(1, &["rdm.npy", "20 dimensions for 20 stimuli", "1 to 19"]);
    run(dir.path(), "rsa mds --dims 0 rdm.npy").fails(2, &["--dims"]);
    run(dir.path(), "rsa mds --eps -1 rdm.npy").fails(2, &["-1"]);
    run(dir.path(), "rsa mds --method metric --eps=-1 rdm.npy").fails(1, &["--eps -1"]);
}

#[test]
fn systems_come_from_similarities_and_tables_of_pairs() {
    let dir = tempfile::tempdir().unwrap();
    // Correlations of four systems; a corrected one above 1; reliabilities on the diagonal.
    let r = ndarray::array![[0.9, 0.8, 0.1, 0.2], [0.8, 0.7, 0.3, 1.1], [0.1, 0.3, 1.0, 0.5], [0.2, 1.1, 0.5, 1.0]];
    let names: Vec<String> = ["FFA", "EBA", "net", "twin"].map(String::from).to_vec();
    save(&dir.path().join("r.npy"), &r, Some(&names));
    let distances = r.mapv(|v| 1.0 - v);
    run(dir.path(), "rsa mds r.npy").fails(1, &["r.npy", "row 0, column 0 is 0.9"]);
    run(dir.path(), "rsa mds --similarity r.npy").fails(1, &["1 of 6 pairs are below 0", "-0.1", "--clip"]);
    let clipped = run(dir.path(), "rsa mds --similarity --clip r.npy");
    assert!(clipped.stderr.contains("1 of 6 dissimilarities are below 0"), "{}", clipped.stderr);
    let from_square = clipped.text();
    let mut floor = distances.mapv(|v| v.max(0.0));
    (0..4).for_each(|i| floor[[i, i]] = 0.0);
    save(&dir.path().join("d.npy"), &floor, Some(&names));
    assert_eq!(run(dir.path(), "rsa mds d.npy --names r").text(), from_square);
    // The same as a table, each pair both ways, with rows over subjects and of a system with itself.
    let mut table = String::from("model,subject,r_norm\n");
    for (i, a) in names.iter().enumerate() {
        for (j, b) in names.iter().enumerate() {
            table += &format!("{a},{b},{}\n", r[[i, j]]);
        }
        table += &format!("{a},mean,0.5\n");
    }
    fs::write(dir.path().join("r.csv"), &table).unwrap();
    let line = "rsa mds --pairs model,subject --value r_norm --similarity --clip r.csv";
    let from_table = run(dir.path(), line);
    assert!(from_table.stderr.contains("4 rows whose subject is mean"), "{}", from_table.stderr);
    assert_eq!(from_table.text(), from_square);
    assert_eq!(
        sh(dir.path(), "cat r.csv | rsa mds --pairs model,subject --value r_norm --similarity --clip --names r").text(),
        from_square
    );
    let order = run(dir.path(), "rsa order --pairs model,subject --value r_norm --similarity --clip r.csv").text();
    assert_eq!(order, run(dir.path(), "rsa order --similarity --clip r.npy").text());
    // A pair that is absent, said twice, or half given is refused.
    let without: String =
        table.lines().filter(|l| !l.contains("FFA,EBA") && !l.contains("EBA,FFA")).map(|l| format!("{l}\n")).collect();
    fs::write(dir.path().join("r.csv"), without).unwrap();
    run(dir.path(), line).fails(1, &["r.csv", "1 of 6 pairs of 4 things are in no row"]);
    fs::write(dir.path().join("r.csv"), table.replace("EBA,FFA,0.8", "EBA,FFA,0.7")).unwrap();
    run(dir.path(), line).fails(1, &["\"EBA\" and \"FFA\"", "0.8", "0.7"]);
    fs::write(dir.path().join("r.csv"), table.replace("EBA,FFA,0.8", "EBA,FFA,high")).unwrap();
    run(dir.path(), line).fails(1, &["r.csv", "high"]);
    run(dir.path(), "rsa mds --pairs model,roi --value r_norm r.csv")
        .fails(1, &["r.csv", "\"roi\"", "model, subject, r_norm"]);
    run(dir.path(), "rsa mds --pairs model --value r_norm r.csv").fails(1, &["1 columns"]);
    run(dir.path(), "rsa mds --pairs model,subject r.csv").fails(2, &["--value"]);
}

#[test]
fn every_pair_of_systems_becomes_a_map() {
    // Profiles of two people's regions and two networks: each with each, then one place per system.
    let dir = tempfile::tempdir().unwrap();
    let shared = noise(30, 1, 1);
    let names = ["sub-01_ffa", "sub-01_ofa", "sub-02_ffa", "net", "twin"];
    for (seed, name) in names.into_iter().enumerate() {
        let own = noise(30, 1, seed as u64 + 2);
        save(&dir.path().join(format!("{name}.npy")), &(&shared * 2.0 + own), Some(&ids(30)));
    }
    let files = names.map(|n| format!("{n}.npy")).join(" ");
    let pairs = sh(dir.path(), &format!("tuning compare -q {files} --brain {files} -o pairs.csv"));
    // Two regions of one person are compared and flagged, a system with itself is left out of the map.
    assert!(pairs.stderr.contains("sub-01_ffa and sub-01_ofa: same_subject"), "{}", pairs.stderr);
    pairs.ok();
    for verb in ["mds", "order"] {
        run(dir.path(), &format!("rsa {verb} --pairs model,subject --value r pairs.csv"))
            .fails(1, &["\"r\" holds similarities", "--similarity"]);
    }
    let line = "rsa mds --pairs model,subject --value r --similarity --method metric pairs.csv";
    let table = rows(&run(dir.path(), line).text());
    assert_eq!(table.iter().map(|r| r["stimulus"].as_str()).collect::<Vec<_>>(), names);
    let r = |a: &str, b: &str| {
        let scores = rows(&fs::read_to_string(dir.path().join("pairs.csv")).unwrap());
        number(scores.iter().find(|row| row["model"] == a && row["subject"] == b).unwrap(), "r")
    };
    let map = places(&table, &["x", "y"]);
    let (mut wanted, mut found) = (Vec::new(), Vec::new());
    for i in 0..5 {
        for j in 0..i {
            wanted.push(1.0 - r(names[i], names[j]));
            found.push(distance(&map[i], &map[j]));
        }
    }
    let raw: f64 = wanted.iter().zip(&found).map(|(w, f)| (w - f).powi(2)).sum();
    let stress = (raw / found.iter().map(|f| f * f).sum::<f64>()).sqrt();
    assert!((number(&table[0], "stress") - stress).abs() < 1e-9 && stress < 0.2, "{stress}");
}

#[test]
fn dendrograms_order_and_merge() {
    let dir = tempfile::tempdir().unwrap();
    // 0, 1, 4, 6, 6.5 on a line, shuffled: b a e d c are at 0 1 4 6 6.5.
    let at = [1.0, 0.0, 6.5, 6.0, 4.0];
    let names: Vec<String> = ["a", "b", "c", "d", "e"].map(String::from).to_vec();
    let square = Array2::from_shape_fn((5, 5), |(i, j): (usize, usize)| f64::abs(at[i] - at[j]));
    save(&dir.path().join("line.npy"), &square, Some(&names));
    let tree = rows(&run(dir.path(), "rsa order --tree line.npy").text());
    let merges: Vec<[f64; 4]> =
        tree.iter().map(|r| ["left", "right", "height", "n_stimuli"].map(|c| number(r, c))).collect();
    // c d at .5; a b at 1; e to c d: (2 + 2.5) / 2; a b to the rest: (3 + 4 + 5 + 5.5 + 6 + 6.5) / 6.
    assert_eq!(merges, [[2.0, 3.0, 0.5, 2.0], [0.0, 1.0, 1.0, 2.0], [4.0, 5.0, 2.25, 3.0], [6.0, 7.0, 5.0, 5.0]]);
    let order = rows(&run(dir.path(), "rsa order line.npy").text());
    let stimuli: Vec<&str> = order.iter().map(|r| r["stimulus"].as_str()).collect();
    assert_eq!(stimuli, ["a", "b", "e", "c", "d"]);
    assert_eq!((order[2]["position"].as_str(), order[2]["row"].as_str()), ("2", "4"));
    let height = |linkage: &str| {
        let tree = rows(&run(dir.path(), &format!("rsa order --tree --linkage {linkage} line.npy")).text());
        number(&tree[3], "height")
    };
    assert_eq!(height("complete"), 6.5);
    // Ward: centres .5 (2 points) and 5.5 (3 points), sqrt(2 * 2 * 3 / 5) * 5.
    assert!((height("ward") - (12.0f64 / 5.0).sqrt() * 5.0).abs() < 1e-12);
    let piped = sh(dir.path(), "cat line.npy line.npy | rsa order --threads 1").text();
    let arrays: Vec<String> = rows(&piped).iter().map(|r| r["array"].clone()).collect();
    assert_eq!((arrays.len(), arrays[0].as_str(), arrays[5].as_str()), (10, "0", "1"));
    // Single: a, at 1, to e, at 4.
    assert_eq!(height("single"), 3.0);
    // Centroids .5 and 5.5.
    assert!((height("centroid") - 5.0).abs() < 1e-12);
    // Weighted: a b to c d and e: the mean of 5.75 and 3.5.
    assert!((height("weighted") - (5.75 + 3.5) / 2.0).abs() < 1e-12);
    // Of the points of a line the shortest way is along it: b a e d c.
    let optimal = rows(&run(dir.path(), "rsa order --optimal-ordering line.npy").text());
    let stimuli: Vec<&str> = optimal.iter().map(|r| r["stimulus"].as_str()).collect();
    assert_eq!(stimuli, ["b", "a", "e", "d", "c"]);
    run(dir.path(), "rsa order --linkage nearest line.npy").fails(2, &["single"]);
    // Squares know no sign: what is below 0 is no distance to a centroid or of Ward's.
    let below = [-5.0, 1.0, 1.0];
    crate::save_rdm(&dir.path().join("below.npy"), &below, "a b c");
    for linkage in ["centroid", "ward"] {
        let line = format!("rsa order --linkage {linkage} below.npy");
        run(dir.path(), &line).fails(1, &["below.npy", "1 of 3 dissimilarities are below 0", "--clip"]);
        run(dir.path(), &format!("{line} --clip")).text();
    }
}

#[test]
fn stimuli_without_pairs_keep_their_row() {
    let dir = tempfile::tempdir().unwrap();
    let mut acts = noise(12, 6, 2);
    acts.row_mut(4).fill(3.0);
    save(&dir.path().join("acts.npy"), &acts, Some(&ids(12)));
    run(dir.path(), "rsa rdm --allow-nan acts.npy -o rdm.npy").ok();
    let kept: Vec<usize> = (0..12).filter(|i| *i != 4).collect();
    save(
        &dir.path().join("acts.npy"),
        &acts.select(ndarray::Axis(0), &kept),
        Some(&kept.iter().map(|i| format!("s{i}")).collect::<Vec<_>>()),
    );
    run(dir.path(), "rsa rdm acts.npy -o less.npy").ok();
    let outcome = run(dir.path(), "rsa mds rdm.npy");
    assert!(outcome.stderr.contains("1 of 12 stimuli have no pair"), "{}", outcome.stderr);
    let whole = rows(&outcome.text());
    let less = rows(&run(dir.path(), "rsa mds less.npy --names rdm").text());
    assert_eq!(
        (whole[4]["x"].as_str(), whole[4]["reason"].as_str(), whole[4]["stimulus"].as_str()),
        ("NaN", "no_usable_pair", "s4")
    );
    assert_eq!(
        whole.iter().enumerate().filter(|(i, _)| *i != 4).map(|(_, r)| r).collect::<Vec<_>>(),
        less.iter().collect::<Vec<_>>()
    );
    let order = rows(&run(dir.path(), "rsa order rdm.npy").text());
    assert_eq!((order[11]["stimulus"].as_str(), order[11]["position"].as_str()), ("s4", ""));
    let left = rows(&run(dir.path(), "rsa order --tree rdm.npy").text());
    assert!(left.iter().all(|r| number(r, "left") != 4.0 && number(r, "left") != 11.5));
    assert_eq!((left.len(), number(&left[9], "n_stimuli")), (10, 11.0));
    assert!(number(&left[9], "right") >= 12.0, "clusters have numbers that no row has");
    // One pair alone is no stimulus to leave out.
    let mut holed = Array2::from_shape_fn((4, 4), |(i, j)| f64::from(u8::from(i != j)));
    holed[[1, 3]] = f64::NAN;
    holed[[3, 1]] = f64::NAN;
    save(&dir.path().join("holed.npy"), &holed, Some(&ids(4)));
    run(dir.path(), "rsa mds holed.npy").fails(1, &["holed.npy", "1 of 6 pairs", "\"s1\" and \"s3\"", "npy rows"]);
    run(dir.path(), "rsa order holed.npy").fails(1, &["holed.npy", "1 of 6 pairs"]);
    save(&dir.path().join("none.npy"), &Array2::from_elem((3, 3), f64::NAN), Some(&ids(3)));
    run(dir.path(), "rsa mds none.npy").fails(1, &["all 3 pairs of 3 stimuli"]);
    save(&dir.path().join("same.npy"), &Array2::zeros((3, 3)), Some(&ids(3)));
    let same = run(dir.path(), "rsa mds same.npy");
    assert!(same.stderr.contains("same.npy: all 3 distances are 0 (constant)"), "{}", same.stderr);
    assert!(rows(&same.text()).iter().all(|r| r["x"] == "NaN" && r["reason"] == "constant"));
}

#[test]
fn bad_bytes_closed_pipes_full_disks_and_sidecars() {
    let dir = tempfile::tempdir().unwrap();
    plane(dir.path(), "rdm", 120);
    let good = fs::read(dir.path().join("rdm.npy")).unwrap();
    for verb in ["rsa mds -", "rsa order -"] {
        pipe(dir.path(), verb, b"").fails(1, &["stdin", "0 bytes"]);
        pipe(dir.path(), verb, b"a,b\n").fails(1, &["not a .npy array"]);
        pipe(dir.path(), verb, &good[..good.len() / 2]).fails(1, &["stdin", "truncated"]);
        pipe(dir.path(), &verb.replace(" -", " points.npy"), b"")
            .fails(1, &["points.npy", "120 x 2 is not a square RDM"]);
        let line = verb.replace(" -", " rdm.npy");
        let cut = sh(dir.path(), &format!("{line} | head -c 10 > /dev/null; echo ${{PIPESTATUS[0]}}"));
        assert_eq!(cut.stdout, b"0\n", "{line}: {}", cut.stderr);
        sh(dir.path(), &format!("{line} > /dev/full")).fails(1, &["No space left"]);
        run(dir.path(), &format!("{line} -o no/out.csv")).fails(1, &["no/out.csv"]);
    }
    // Rows in another order make the same map.
    let moved: Vec<usize> = (0..120).map(|i| (i * 7 + 3) % 120).collect();
    let labels: Vec<String> = moved.iter().map(|i| format!("s{i}")).collect();
    save(&dir.path().join("points.npy"), &noise(120, 2, 7).select(ndarray::Axis(0), &moved), Some(&labels));
    run(dir.path(), "rsa rdm --metric euclidean points.npy -o moved.npy").ok();
    let place = |file: &str| -> HashMap<String, f64> {
        rows(&run(dir.path(), &format!("rsa mds {file}")).text())
            .iter()
            .map(|r| (r["stimulus"].clone(), number(r, "x")))
            .collect()
    };
    let (here, there) = (place("rdm.npy"), place("moved.npy"));
    assert!(here.iter().all(|(id, x)| (x - there[id]).abs() < 1e-9));
    run(dir.path(), "rsa mds --method metric --seed 4 rdm.npy -o map.csv").ok();
    let side: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("map.json")).unwrap()).unwrap();
    assert_eq!((&side["seed"], &side["method"]), (&4.into(), &"metric".into()));
}

#[test]
fn help_examples_run() {
    let dir = tempfile::tempdir().unwrap();
    plane(dir.path(), "ann", 9);
    fs::write(dir.path().join("scores.csv"), "model,subject,r\na,b,0.5\na,c,1.2\nb,c,0.3\n").unwrap();
    let mut n = 0;
    for verb in ["mds", "order"] {
        let help = run(dir.path(), &format!("rsa {verb} --help")).text();
        for example in help.lines().skip_while(|l| !l.starts_with("Examples")).skip(1).filter(|l| l.contains("rsa ")) {
            sh(dir.path(), example).ok();
            n += 1;
        }
    }
    assert_eq!(n, 6);
}
