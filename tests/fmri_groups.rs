//! `fmri-roi` over subjects, through its binary: group tests and their permutations, regions on either side of 0,
//! conjunctions, clusters, and group parcels. Expected numbers are of NumPy, SciPy and funROI, or of a slow twin.
#![allow(clippy::unwrap_used)] // this is test code

use brain_formats::Geometry;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use ndarray::{Array2, s};
use serde_json::Value;
use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;
use support::*;

fn json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(root().join("testdata").join(name)).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn grid(shape: [usize; 3]) -> Geometry {
    Geometry::from_sizes(shape, [3.0, 2.5, 4.0])
}

fn image(path: &Path, shape: [usize; 3], values: &[f64]) {
    let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
    write_volume(File::create(path).unwrap(), Voxels::F4(&values), &grid(shape), Intent::None, false).unwrap();
}

/// A column of a table by voxel.
fn by_voxel(table: &str, column: &str) -> HashMap<usize, f64> {
    rows(table).iter().map(|row| (row["voxel"].parse().unwrap(), number(row, column))).collect()
}

fn facts(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The 8 maps of the golden files under names of their own, and a table of them in another order.
fn eight_maps(dir: &Path) {
    let ages = numbers(&json("golden/fmri/permutations.json")["covariate"]);
    let mut table = "map,diagnosis,age,site\n".to_owned();
    for subject in [5, 0, 3, 7, 1, 6, 2, 4] {
        let from = root().join(format!("testdata/golden/fmri/contrast-map-{subject}.nii"));
        fs::copy(from, dir.join(format!("m{subject}.nii"))).unwrap();
        let group = if subject < 3 { "patient" } else { "control" };
        table += &format!("maps/m{subject}.nii,{group},{},x\n", ages[subject]);
    }
    fs::write(dir.join("subjects.csv"), table).unwrap();
}

fn all_p(dir: &Path, line: &str, expected: &Value, voxels: &[f64]) {
    let out =
        run(dir, &format!("fmri-roi contrast {line} m0.nii m1.nii m2.nii m3.nii m4.nii m5.nii m6.nii m7.nii -o t.nii"));
    assert!(out.stderr.contains("over all "), "{}", out.stderr);
    out.ok();
    let found = by_voxel(&fs::read_to_string(dir.join("p.csv")).unwrap(), "p_corrected");
    for (&voxel, p) in voxels.iter().zip(numbers(expected)) {
        within(found[&(voxel as usize)], p, 1e-12);
    }
    assert!(found[&3].is_nan() && found[&8].is_nan(), "a constant voxel and one with NaN have no p");
    assert_eq!(facts(&dir.join("t.json"))["all_permutations"], true);
}

#[test]
fn every_relabelling_gives_numpys_p() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    eight_maps(dir);
    let golden = json("golden/fmri/permutations.json");
    let voxels = numbers(&golden["voxels"]);
    let one = "--one-sample --permutations 256 --table p.csv";
    all_p(dir, one, &golden["one_sample"]["max_t"], &voxels);
    all_p(dir, &format!("{one} --tail two-sided"), &golden["one_sample"]["two_sided"], &voxels);
    let clusters = format!("{one} --cluster-t 1.5 --statistic");
    all_p(dir, &format!("{clusters} cluster-mass"), &golden["one_sample"]["cluster_mass"], &voxels);
    all_p(dir, &format!("{clusters} cluster-extent"), &golden["one_sample"]["cluster_extent"], &voxels);
    let record = facts(&dir.join("t.json"));
    assert_eq!((&record["connectivity"], &record["cluster_t"]), (&6.into(), &1.5.into()));
    assert_eq!((&record["permutations"], &record["statistic"]), (&256.into(), &"cluster-extent".into()));
    let table = rows(&fs::read_to_string(dir.join("p.csv")).unwrap());
    let row = &table[200];
    assert_eq!((row["connectivity"].as_str(), row["cluster_t"].as_str()), ("6", "1.5"));
    assert!(number(row, "cluster_extent") >= 1.0 && number(row, "cluster") >= 1.0, "{row:?}");

    let two =
        "--two-sample 'patient > control' --subjects subjects.csv --group diagnosis --tail two-sided --table p.csv";
    all_p(dir, &format!("{two} --permutations 56"), &golden["two_sample"]["max_t"], &voxels);
    let t = by_voxel(&fs::read_to_string(dir.join("p.csv")).unwrap(), "t");
    voxels.iter().zip(numbers(&golden["two_sample"]["t"])).for_each(|(&v, want)| within(t[&(v as usize)], want, 1e-9));
    let beside = &golden["two_sample_covariate"];
    all_p(dir, &format!("{two} --covariates age --permutations 40320"), &beside["max_t"], &voxels);
    let t = by_voxel(&fs::read_to_string(dir.join("p.csv")).unwrap(), "t");
    voxels.iter().zip(numbers(&beside["t"])).for_each(|(&v, want)| within(t[&(v as usize)], want, 1e-9));
    assert_eq!(facts(&dir.join("t.json"))["test"], "two-sample t: patient > control, covariates age");
}

#[test]
fn a_group_map_has_a_table_with_adjusted_p_and_the_t_it_always_had() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    eight_maps(dir);
    let golden = json("golden/fmri/one-sample.json");
    run(
        dir,
        "fmri-roi contrast --one-sample m0.nii m1.nii m2.nii m3.nii m4.nii m5.nii m6.nii m7.nii --table t.csv \
        --correct bh -o t.nii",
    )
    .ok();
    let table = fs::read_to_string(dir.join("t.csv")).unwrap();
    assert!(
        table.starts_with("array,voxel,i,j,k,x,y,z,n,estimate,se,t,df,p,neg_log10_p,q,reason\n"),
        "{}",
        &table[..90]
    );
    let (p, q) = (by_voxel(&table, "p"), by_voxel(&table, "q"));
    for (voxel, want) in golden["p"].as_array().unwrap().iter().enumerate().filter(|(v, _)| ![3, 8].contains(v)) {
        within(p[&voxel], want.as_f64().unwrap(), 1e-12);
        assert!(q[&voxel] >= p[&voxel] && q[&voxel] <= 1.0);
    }
    assert_eq!((&rows(&table)[3]["reason"], &rows(&table)[8]["reason"]), (&"constant".into(), &"nan_input".into()));
    // p of the other side and of both.
    let with = |tail: &str| {
        let line = format!(
            "fmri-roi contrast --one-sample {} --tail {tail} --table s.csv -o s.nii",
            (0..8).map(|i| format!("m{i}.nii")).collect::<Vec<_>>().join(" ")
        );
        run(dir, &line).ok();
        by_voxel(&fs::read_to_string(dir.join("s.csv")).unwrap(), "p")
    };
    let (less, both) = (with("less"), with("two-sided"));
    for voxel in [0, 100, 209] {
        within(less[&voxel], 1.0 - p[&voxel], 1e-12);
        within(both[&voxel], 2.0 * p[&voxel].min(less[&voxel]), 1e-12);
    }
    // Asking for more does not change the map.
    assert_eq!(fs::read(dir.join("s.nii")).unwrap(), fs::read(dir.join("t.nii")).unwrap());
}

const SHAPE: [usize; 3] = [6, 5, 4];

/// Maps of n subjects on a grid of 120 voxels, `a0.nii` ..., with an effect in a corner.
fn made_up(dir: &Path, prefix: &str, n: usize, effect: f64, seed: u64) -> Array2<f64> {
    let mut maps = noise(n, 120, seed);
    maps.slice_mut(s![.., ..12]).mapv_inplace(|v| v + effect);
    maps.rows()
        .into_iter()
        .enumerate()
        .for_each(|(i, row)| image(&dir.join(format!("{prefix}{i}.nii")), SHAPE, &row.to_vec()));
    maps.mapv(|v| f64::from(v as f32))
}

fn files(prefix: &str, n: usize) -> String {
    (0..n).map(|i| format!("{prefix}{i}.nii")).collect::<Vec<_>>().join(" ")
}

#[test]
fn pairs_are_the_one_sample_test_of_their_differences() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (after, before) = (made_up(dir, "after", 6, 1.0, 1), made_up(dir, "before", 6, 0.0, 2));
    let difference = &after - &before;
    save(&dir.join("d.npy"), &difference, None);
    let mut table = "map\tsession\tperson\tiq\n".to_owned();
    for i in [3, 1, 0, 5, 2, 4] {
        table += &format!("before{i}.nii\tbefore\tp{i}\t{}\nafter{i}.nii\tafter\tp{i}\t{}\n", 90 + i * i, 90 + i * i);
    }
    fs::write(dir.join("sessions.tsv"), &table).unwrap();
    let all = format!("{} {}", files("after", 6), files("before", 6));
    let how = "--permutations 1000 --statistic tfce --tail two-sided --connectivity 18";
    let paired = "fmri-roi contrast --paired 'after > before' --subjects sessions.tsv --group session --pair person";
    run(dir, &format!("{paired} {how} --table a.csv {all} -o a.npy")).ok();
    run(dir, &format!("fmri-roi contrast --one-sample {how} --like after0.nii --table b.csv d.npy -o b.npy")).ok();
    let [a, b] = ["a.csv", "b.csv"].map(|name| rows(&fs::read_to_string(dir.join(name)).unwrap()));
    assert_eq!(a.len(), 120);
    for (a, b) in a.iter().zip(&b) {
        for column in ["n", "estimate", "se", "t", "p", "tfce", "connectivity", "p_corrected", "reason"] {
            assert_eq!(a[column], b[column], "{column}");
        }
    }
    assert_eq!((a[0]["n"].as_str(), a[0]["connectivity"].as_str()), ("6", "18"));
    assert!(a.iter().any(|row| number(row, "p_corrected") <= 2.0 / 64.0));
    // Turned round: t of the other sign, the same p of both sides.
    let turned = paired.replace("after > before", "before > after");
    run(dir, &format!("{turned} {how} --table c.csv {all} -o c.npy")).ok();
    for (a, c) in a.iter().zip(rows(&fs::read_to_string(dir.join("c.csv")).unwrap())) {
        assert_eq!(number(a, "t"), -number(&c, "t"));
        assert_eq!(a["p_corrected"], c["p_corrected"]);
    }
    // A covariate of pairs is one number per pair.
    run(dir, &format!("{paired} --covariates iq {all} -o e.npy")).ok();
    fs::write(dir.join("sessions.tsv"), table.replacen("after\tp3\t99", "after\tp3\t98", 1)).unwrap();
    run(dir, &format!("{paired} --covariates iq {all}")).fails(1, &["98 and 99", "rows 1 and 0"]);
    fs::write(dir.join("sessions.tsv"), table.replacen("after\tp3", "after\tp1", 1)).unwrap();
    run(dir, &format!("{paired} {all}")).fails(1, &["person \"p1\" has 2 maps left", "1 right"]);
}

#[test]
fn threads_change_no_byte_and_the_seed_does() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    made_up(dir, "m", 12, 0.4, 5);
    let one = |statistic: &str, rest: &str| {
        let line = format!(
            "fmri-roi contrast --one-sample {} --permutations 300 --statistic {statistic} {rest} --quiet \
            --table t.csv --p-map p.nii -o t.nii",
            files("m", 12)
        );
        run(dir, &line).ok();
        (fs::read(dir.join("t.csv")).unwrap(), fs::read(dir.join("p.nii")).unwrap())
    };
    for statistic in ["max-t", "cluster-mass", "cluster-extent", "tfce"] {
        let alone = one(statistic, "--threads 1");
        let found = one(statistic, "--threads 2");
        assert_eq!(alone, found, "{statistic}");
        // The map is -log10 of the table's column.
        let table = String::from_utf8(found.0).unwrap();
        let p = by_voxel(&table, "p_corrected");
        assert!(p.values().all(|p| (p * 301.0).fract().min(1.0 - (p * 301.0).fract()) < 1e-9 && *p >= 1.0 / 302.0));
        let map = run(dir, "fmri-roi define --stat p.nii --t -1 --quiet").text();
        by_voxel(&map, "t").iter().for_each(|(voxel, v)| within(*v, -p[voxel].log10(), 1e-6));
        if statistic == "tfce" {
            assert_ne!(alone, one(statistic, "--seed 3"), "{statistic}");
        }
    }
}

#[test]
fn maps_are_joined_with_their_table_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let maps = made_up(dir, "m", 6, 0.5, 7);
    save(&dir.join("maps.npy"), &maps, Some(&ids(6)));
    save(&dir.join("bare.npy"), &maps, None);
    let table = |ids: &[&str]| {
        let lines = ids.iter().enumerate().map(|(i, id)| format!("{id},{},{i}\n", ["a", "b"][i % 2]));
        fs::write(dir.join("s.csv"), "map,group,age\n".to_owned() + &lines.collect::<String>()).unwrap();
    };
    let two = "fmri-roi contrast --two-sample 'a > b' --subjects s.csv";
    let t = |line: &str| matrix(&run(dir, line).ok()).0;
    table(&["s0", "s1", "s2", "s3", "s4", "s5"]);
    let by_id = t(&format!("{two} maps.npy"));
    // Rows of the table in another order, the maps of the same groups: the same map.
    table(&["s4", "s5", "s0", "s1", "s2", "s3"]);
    assert_eq!(t(&format!("{two} maps.npy")), by_id);
    run(dir, &format!("{two} bare.npy")).fails(1, &["bare.npy", "6 rows"]);
    fs::write(dir.join("bare.csv"), "group\na\nb\na\nb\na\nb\n").unwrap();
    let position = two.replace("s.csv", "bare.csv");
    run(dir, &format!("{position} bare.npy")).fails(1, &["bare.csv", "\"map\"", "--assume-order"]);
    assert_eq!(t(&format!("{position} --assume-order bare.npy")), by_id);
    table(&["m0.nii", "m1.nii", "m2.nii", "m3.nii", "m4.nii", "m5.nii"]);
    let of_files = t(&format!("{two} --inner {} -o /dev/stdout", files("m", 6)));
    (0..120).for_each(|v| within(of_files[[0, v]], by_id[[0, v]], 1e-5));
    // What does not fit is named.
    table(&["m0.nii", "m1.nii", "m2.nii", "m3.nii", "m4.nii", "m9.nii"]);
    run(dir, &format!("{two} {}", files("m", 6))).fails(1, &["m5.nii", "s.csv"]);
    table(&["m0.nii", "m1.nii", "m2.nii", "m3.nii", "m4.nii", "m4.nii"]);
    run(dir, &format!("{two} {}", files("m", 6))).fails(1, &["s.csv", "m4.nii"]);
    table(&["m0.nii", "m1.nii", "m2.nii", "m3.nii", "m4.nii", "m5.nii"]);
    let all = files("m", 6);
    run(dir, &format!("{two} --group sex {all}")).fails(1, &["\"sex\"", "map, group, age"]);
    run(dir, &format!("{} {all}", two.replace("a > b", "a > c"))).fails(1, &["no level \"c\""]);
    run(dir, &format!("{} {all}", two.replace("a > b", "a - b"))).fails(1, &["has weights"]);
    run(dir, &format!("{two} --covariates group {all}")).fails(1, &["group", "a number"]);
    let s = fs::read_to_string(dir.join("s.csv")).unwrap();
    fs::write(dir.join("s.csv"), s.replace("m3.nii,b,3", "m3.nii,b,n/a")).unwrap();
    run(dir, &format!("{two} --covariates age {all}")).fails(1, &["\"age\"", "row 3"]);
    fs::write(dir.join("s.csv"), s.replace(",a,", ",a,0").replace(",b,", ",b,1")).unwrap();
    fs::write(
        dir.join("s.csv"),
        s.lines()
            .map(|l| {
                format!(
                    "{l}{}\n",
                    if l.contains(",a,") {
                        ",1"
                    } else if l.contains(",b,") {
                        ",0"
                    } else {
                        ",twin"
                    }
                )
            })
            .collect::<String>(),
    )
    .unwrap();
    run(dir, &format!("{two} --covariates twin {all}")).fails(1, &["s.csv", "nothing left to test"]);
    run(dir, &format!("{two} --covariates age,age {all}")).fails(1, &["covariate 1"]);
}

#[test]
fn what_would_have_no_meaning_is_refused_before_work() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let maps = made_up(dir, "m", 4, 0.5, 7);
    save(&dir.join("maps.npy"), &maps, None);
    fs::write(dir.join("s.csv"), "map,group\nm0.nii,a\nm1.nii,a\nm2.nii,b\nm3.nii,b\n").unwrap();
    let all = files("m", 4);
    let one = "fmri-roi contrast --one-sample";
    run(dir, &format!("{one} --permutations 9 --connectivity 18 {all}")).fails(1, &["max-t looks at each voxel"]);
    run(dir, &format!("{one} --permutations 9 --statistic tfce --cluster-t 3 {all}"))
        .fails(1, &["tfce has no threshold"]);
    run(dir, &format!("{one} --assume-order {all}")).fails(1, &["--subjects"]);
    run(dir, &format!("{one} --subjects s.csv {all}")).fails(1, &["--covariates"]);
    run(dir, &format!("{one} --permutations 9 --statistic tfce maps.npy")).fails(1, &["maps.npy", "--like"]);
    run(dir, &format!("{one} --permutations 9 --p-map p.nii maps.npy")).fails(1, &["maps.npy", "--like"]);
    for line in [
        format!("{one} --permutations 0 {all}"),
        format!("{one} --statistic tfce {all}"),
        format!("{one} --seed 1 {all}"),
        format!("{one} --p-map p.nii {all}"),
        format!("{one} --permutations 9 --statistic cluster-mass --cluster-t -2 {all}"),
        format!("{one} --two-sample 'a > b' --subjects s.csv {all}"),
        format!("fmri-roi contrast --two-sample 'a > b' {all}"),
        format!("fmri-roi contrast --tail less --stimuli s.csv --by group {all}"),
        format!("fmri-roi contrast --paired 'a > b' --subjects s.csv --by group {all}"),
    ] {
        run(dir, &line).fails(2, &["error: "]);
    }
    run(dir, "fmri-roi contrast --two-sample 'a > b' --subjects s.csv --group group m0.nii m1.nii")
        .fails(1, &["s.csv"]);
    // Nothing has a t: said, and no p is made up.
    image(&dir.join("z.nii"), SHAPE, &[0.0; 120]);
    let out = run(
        dir,
        "fmri-roi contrast --one-sample --permutations 9 --statistic tfce z.nii z.nii z.nii --table z.csv -o z.npy",
    );
    assert!(out.stderr.contains("120 of 120 voxels have no t: 120 constant"), "{}", out.stderr);
    out.ok();
    assert!(by_voxel(&fs::read_to_string(dir.join("z.csv")).unwrap(), "p_corrected").values().all(|p| p.is_nan()));
}

#[test]
fn regions_lie_on_the_side_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let row = [1, 1, 10];
    image(&dir.join("t.nii"), row, &[-8.0, -9.0, 8.5, 9.5, 0.0, f64::NAN, -7.5, 2.0, 7.2, -6.0]);
    image(&dir.join("u.nii"), row, &[-4.0, -9.0, 3.0, -9.5, 0.0, 1.0, -8.5, 2.0, 9.0, -6.0]);
    let voxels = |line: &str| -> Vec<(String, String)> {
        let table = run(dir, &format!("fmri-roi define --stat t.nii --quiet {line}")).text();
        rows(&table).iter().map(|row| (row["voxel"].clone(), row["t"].clone())).collect()
    };
    let pairs = |all: &[(&str, &str)]| all.iter().map(|(v, t)| (v.to_string(), t.to_string())).collect::<Vec<_>>();
    assert_eq!(voxels("--t 7 --tail less"), pairs(&[("0", "-8"), ("1", "-9"), ("6", "-7.5")]));
    assert_eq!(voxels("--t 8 --tail two-sided"), pairs(&[("1", "-9"), ("2", "8.5"), ("3", "9.5")]));
    assert_eq!(voxels("--top 2 --tail less"), pairs(&[("0", "-8"), ("1", "-9")]));
    // 9 voxels that are not NaN: 23 % are 2.07.
    assert_eq!(voxels("--top 23% --tail two-sided"), pairs(&[("1", "-9"), ("3", "9.5")]));
    run(dir, "fmri-roi define --stat t.nii --t -7 --tail less").fails(1, &["--t -7", "0 or more"]);
    // Conjunctions: the least of both, and no side where they do not agree.
    assert_eq!(voxels("--t 2.5 --and u.nii"), pairs(&[("2", "3"), ("8", "7.199999809265137")]));
    assert_eq!(voxels("--t 5 --and u.nii --tail less"), pairs(&[("1", "-9"), ("6", "-7.5"), ("9", "-6")]));
    let both = voxels("--t 3.5 --and u.nii --tail two-sided");
    assert_eq!(both.iter().map(|(v, _)| v.as_str()).collect::<Vec<_>>(), ["0", "1", "6", "8", "9"]);
    image(&dir.join("w.nii"), [1, 2, 5], &[0.0; 10]);
    run(dir, "fmri-roi define --stat t.nii --and w.nii").fails(1, &["1x1x10", "1x2x5"]);
    save(&dir.join("short.npy"), &Array2::zeros((1, 9)), None);
    run(dir, "fmri-roi define --stat t.nii --and short.npy").fails(1, &["9 voxels", "10"]);
}

#[test]
fn clusters_have_rows_sizes_and_an_image_and_parcels_merge() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let row = [1, 1, 10];
    image(&dir.join("t.nii"), row, &[5.0, 4.0, -4.0, -6.0, 0.0, 3.0, 3.5, 0.0, 0.0, 9.0]);
    let labels = [1u32, 1, 1, 1, 3, 2, 2, 2, 3, 2];
    write_volume(File::create(dir.join("p.nii")).unwrap(), Voxels::Labels(&labels), &grid(row), Intent::Label, false)
        .unwrap();
    fs::write(dir.join("p.tsv"), "index\tname\n1\tFFA-1\n3\tPPA\n2\tFFA-2\n").unwrap();
    let parcels = "fmri-roi define --stat t.nii --t 2 --parcels p.nii --labels p.tsv --tail two-sided --quiet";
    let clusters = run(dir, &format!("{parcels} --clusters -o c.nii")).text();
    let found: Vec<String> = rows(&clusters)
        .iter()
        .map(|r| {
            ["roi", "cluster", "n_voxels", "mm3", "connectivity", "t_max", "voxel", "t_mean"]
                .map(|c| r[c].as_str())
                .join(" ")
        })
        .collect();
    let expected = [
        "FFA-1 1 2 60 6 -6 3 -5",
        "FFA-1 2 2 60 6 5 0 4.5",
        "PPA  0 0 6 NaN  NaN",
        "FFA-2 3 1 30 6 9 9 9",
        "FFA-2 4 2 60 6 3.5 6 3.25",
    ];
    assert_eq!(found, expected);
    let image = run(dir, "fmri-roi define --stat c.nii --t 0 --quiet").text();
    let of_voxel = by_voxel(&image, "t");
    assert_eq!(
        (0..10).map(|v| of_voxel.get(&v).copied().unwrap_or(0.0)).collect::<Vec<_>>(),
        [2., 2., 1., 1., 0., 4., 4., 0., 0., 3.]
    );
    let merged = run(dir, &format!("{parcels} --merge FFA=FFA-1,FFA-2 --summary")).text();
    let found: Vec<(String, String, String)> =
        rows(&merged).iter().map(|r| (r["roi"].clone(), r["n_voxels"].clone(), r["mm3"].clone())).collect();
    let wanted = [("FFA", "7", "210"), ("PPA", "0", "0")].map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
    assert_eq!(found, wanted);
    run(dir, &format!("{parcels} --merge FFA=FFA-1,FFA-3")).fails(1, &["p.nii", "\"FFA-3\"", "FFA-1, PPA, FFA-2"]);
    run(dir, &format!("{parcels} --merge PPA=FFA-1,FFA-2")).fails(1, &["\"PPA\""]);
    run(dir, &format!("{parcels} --merge FFA=")).fails(2, &["NAME=PARCEL"]);
    run(dir, "fmri-roi define --stat t.nii --merge A=B").fails(2, &["--parcels"]);
}

#[test]
fn group_parcels_have_the_labels_of_funroi() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let golden = json("gss/parcels.json");
    let shape: Vec<usize> = numbers(&golden["shape"]).iter().map(|n| *n as usize).collect();
    let shape = [shape[0], shape[1], shape[2]];
    image(&dir.join("like.nii"), shape, &vec![0.0; shape.iter().product()]);
    fs::copy(root().join("testdata/gss/masks.npy"), dir.join("masks.npy")).unwrap();
    for case in golden["parcels"].as_array().unwrap() {
        let (fwhm, overlap) = (&case["fwhm"], &case["voxel_overlap"]);
        let line =
            format!("fmri-roi gss --t 0 --like like.nii --fwhm {fwhm} --voxel-overlap {overlap} masks.npy -o g.nii");
        let share = numbers(&case["share"]);
        let table = rows(&run(dir, &format!("{line} --parcel-overlap 0")).text());
        assert_eq!(table.len(), share.len());
        table.iter().zip(&share).for_each(|(row, share)| within(number(row, "share"), *share, 1e-12));
        let image = by_voxel(&run(dir, "fmri-roi define --stat g.nii --t -1 --quiet").text(), "t");
        let labels = numbers(&case["labels"]);
        assert_eq!(image.len(), labels.len());
        labels.iter().enumerate().for_each(|(voxel, label)| assert_eq!(image[&voxel], *label, "{case:?} {voxel}"));
        // Parcels that are left out leave a gap in the numbers.
        let kept = rows(&run(dir, &format!("{line} --min-size 3 --parcel-overlap 0.5")).text());
        let size = |label: usize| labels.iter().filter(|l| **l == label as f64).count();
        let wanted: Vec<String> =
            (1..=share.len()).filter(|&l| share[l - 1] >= 0.5 && size(l) >= 3).map(|l| l.to_string()).collect();
        assert_eq!(kept.iter().map(|row| row["parcel"].clone()).collect::<Vec<_>>(), wanted);
        assert!(kept.iter().all(|row| number(row, "mm3") == 30.0 * number(row, "n_voxels")));
    }
    let record = facts(&dir.join("g.json"));
    assert_eq!((&record["fwhm_mm"], &record["connectivity"]), (&8.0.into(), &26.into()));
}

#[test]
fn gss_refuses_what_makes_no_group() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let maps = made_up(dir, "m", 3, 2.0, 4);
    save(&dir.join("maps.npy"), &maps, None);
    run(dir, "fmri-roi gss --t 1 maps.npy").fails(1, &["maps.npy", "--like"]);
    run(dir, "fmri-roi gss --t 1 m0.nii").fails(1, &["1 map", "at least 2"]);
    run(dir, "fmri-roi gss m0.nii m1.nii").fails(2, &["--t"]);
    run(dir, "fmri-roi gss --t 1 --voxel-overlap 10 m0.nii m1.nii").fails(2, &["10 % is .1"]);
    run(dir, "fmri-roi gss --t 1 --fwhm=-3 m0.nii m1.nii").fails(2, &["width"]);
    image(&dir.join("other.nii"), [6, 4, 5], &[0.0; 120]);
    run(dir, "fmri-roi gss --t 1 m0.nii other.nii").fails(1, &["6x4x5", "resample"]);
    let none = run(dir, "fmri-roi gss --t 100 m0.nii m1.nii m2.nii");
    assert!(
        none.stderr.contains("3 of 3 subjects have no voxel") && none.stderr.contains("0 parcels"),
        "{}",
        none.stderr
    );
    assert_eq!(none.text().lines().count(), 1);
    // The same subjects as rows and as images.
    let by_rows = run(dir, "fmri-roi gss --t 0.9 --fwhm 3 --like m0.nii maps.npy").text();
    assert_eq!(by_rows, run(dir, "fmri-roi gss --t 0.9 --fwhm 3 m0.nii m1.nii m2.nii").text());
    assert!(by_rows.lines().count() > 1);
}

#[test]
fn sixteen_people_have_face_areas_with_corrected_p_and_parcels() {
    let Some(maps) = data("face_con_16subj") else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let all = format!("{}/sub-*_face_con.nii.gz", maps.display());
    let line = format!("fmri-roi contrast --one-sample --permutations 500 --p-map p.nii.gz {all} -o t.nii.gz");
    let out = sh(dir, &line);
    assert!(out.stderr.contains("of 55808 voxels have corrected p < .05"), "{}", out.stderr);
    out.ok();
    let table = sh(dir, "fmri-roi define --stat p.nii.gz --t 1.301 --quiet").text();
    let significant: Vec<[f64; 3]> = rows(&table).iter().map(|r| ["x", "y", "z"].map(|c| number(r, c))).collect();
    // OFA on both sides, and the right FFA, by max-t.
    for peak in [[-39., -85., -14.], [36., -88., -8.], [42., -49., -17.]] {
        assert!(significant.contains(&peak), "{peak:?}");
    }
    assert!((50..200).contains(&significant.len()), "{}", significant.len());
    // Parcels of the 5 % highest voxels of each: both fusiform ones.
    let parcels = sh(dir, &format!("fmri-roi gss --top 5% {all} -o g.nii.gz --quiet")).text();
    let places: Vec<[f64; 3]> = rows(&parcels).iter().map(|r| ["x", "y", "z"].map(|c| number(r, c))).collect();
    for fusiform in [[42.0, -49.0, -20.0], [-39.0, -52.0, -20.0]] {
        assert!(places.contains(&fusiform), "{places:?}");
    }
}
