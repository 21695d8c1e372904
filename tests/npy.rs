//! `npy`: every verb on real bytes, and what it says when the bytes are wrong.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

#[path = "npy/names.rs"]
mod names;
#[path = "npy/stack.rs"]
mod stack;

use ndarray::{Array2, arr2, s};
use std::fs;
use std::path::Path;
use support::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(dir: &Path, name: &str, text: &str) {
    fs::write(dir.join(name), text).unwrap();
}

#[test]
fn info_tells_shape_dtype_labels_range_nan_and_constants() {
    let dir = folder();
    let m = arr2(&[[1.0, 7.0, f64::NAN], [-2.5, 7.0, 3.0], [4.0, 7.0, 5.0]]);
    let labels: Vec<String> = ["a", "b", "a"].map(String::from).into();
    let bytes = save(&dir.path().join("m.npy"), &m, Some(&labels));
    let text = run(dir.path(), "npy info m.npy").text();
    assert_eq!(
        text,
        "array,shape,dtype,order,n_labels,n_stimuli,min,max,n_nan,n_constant,name,n_names\n\
         m,3x3,<f8,C,3,2,-2.5,7,1,1,,\n"
    );
    assert_eq!(pipe(dir.path(), "npy info", &bytes).text(), text.replace("\nm,", "\n0,"));
    assert_eq!(pipe(dir.path(), "npy info -", &bytes).text(), text.replace("\nm,", "\n0,"));
    let json = run(dir.path(), "npy info --format jsonl m.npy").text();
    let v: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&v["shape"], &v["n_nan"]), (&"3x3".into(), &1.into()));
}

#[test]
fn info_goes_through_a_stream_of_arrays() {
    let dir = folder();
    let mut bytes = bytes_of(&noise(4, 2, 1), Some(&ids(4)));
    bytes.extend(bytes_of(&noise(3, 5, 2), None));
    npy_stream::write_vector(&mut bytes, &[0.5f32, 0.25, 1.0], npy_stream::Dtype::F4, Some(&ids(3))).unwrap();
    let text = pipe(dir.path(), "npy info", &bytes).text();
    let rows = rows(&text);
    let column = |name: &str| rows.iter().map(|r| r[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("shape"), ["4x2", "3x5", "3"]);
    assert_eq!(column("n_labels"), ["4", "", "3"]);
    assert_eq!(column("dtype"), ["<f8", "<f8", "<f4"]);
}

#[test]
fn rows_by_index_range_id_condition_and_shard() {
    let dir = folder();
    let m = noise(6, 3, 3);
    let bytes = save(&dir.path().join("m.npy"), &m, Some(&ids(6)));
    write(dir.path(), "ids.txt", "s4\ns1\n");
    write(dir.path(), "t.csv", "stimulus,half\ns0,odd\ns1,even\ns2,odd\ns3,even\ns4,odd\ns5,even\n");
    for (how, expected) in [
        ("--index 0,4:,0", vec![0, 4, 5, 0]),
        ("--index :2", vec![0, 1]),
        ("--ids ids.txt", vec![4, 1]),
        ("--stimuli t.csv --where half=odd", vec![0, 2, 4]),
        ("--stimuli t.csv --where half=even,odd --where stimulus=s3", vec![3]),
        ("--shard 1/4", vec![1, 2]),
    ] {
        let out = run(dir.path(), &format!("npy rows {how} m.npy")).ok();
        assert_eq!(out, pipe(dir.path(), &format!("npy rows {how}"), &bytes).ok(), "{how}: file and pipe");
        let (picked, labels) = matrix(&out);
        assert_eq!(picked, m.select(ndarray::Axis(0), &expected), "{how}");
        let names: Vec<String> = expected.iter().map(|i| format!("s{i}")).collect();
        assert_eq!(labels.unwrap(), names, "{how}");
    }
    run(dir.path(), "npy rows --index 6 m.npy").fails(1, &["m.npy", "row 6", "there are 6"]);
    write(dir.path(), "foreign.txt", "s1\nzebra\n");
    run(dir.path(), "npy rows --ids foreign.txt m.npy").fails(1, &["zebra", "6 rows"]);
    run(dir.path(), "npy rows --stimuli t.csv --where half=third m.npy").fails(1, &["third", "even, odd"]);
    run(dir.path(), "npy rows --stimuli t.csv --where side=odd m.npy").fails(1, &["side", "stimulus, half"]);
    run(dir.path(), "npy rows m.npy").fails(2, &["--index"]);
}

#[test]
fn an_id_picks_all_its_presentations() {
    let dir = folder();
    let m = noise(4, 2, 9);
    let labels: Vec<String> = ["a", "b", "a", "b"].map(String::from).into();
    save(&dir.path().join("m.npy"), &m, Some(&labels));
    write(dir.path(), "ids.txt", "b\n");
    let (picked, labels) = matrix(&run(dir.path(), "npy rows --ids ids.txt m.npy").ok());
    assert_eq!(picked, m.select(ndarray::Axis(0), &[1, 3]));
    assert_eq!(labels.unwrap(), ["b", "b"]);
    write(dir.path(), "twice.txt", "b\nb\n");
    run(dir.path(), "npy rows --ids twice.txt m.npy").fails(1, &["twice.txt", "\"b\"", "more than once"]);
}

#[test]
fn columns_by_index_unit_table_and_complement() {
    let dir = folder();
    let m = noise(3, 5, 4);
    let bytes = save(&dir.path().join("acts.npy"), &m, Some(&ids(3)));
    write(dir.path(), "units.csv", "array,unit,t\nacts,4,9.5\nacts,0,8\nother,2,7\n");
    for (how, expected) in
        [("--index 1:3", vec![1, 2]), ("--units units.csv", vec![4, 0]), ("--without --units units.csv", vec![1, 2, 3])]
    {
        let (picked, labels) = matrix(&run(dir.path(), &format!("npy cols {how} acts.npy")).ok());
        assert_eq!(picked, m.select(ndarray::Axis(1), &expected), "{how}");
        assert_eq!(labels.unwrap(), ids(3));
    }
    write(dir.path(), "one.csv", "unit\n2\n");
    let (picked, _) = matrix(&pipe(dir.path(), "npy cols --units one.csv", &bytes).ok());
    assert_eq!(picked, m.slice(s![.., 2..3]));
    pipe(dir.path(), "npy cols --units units.csv", &bytes).fails(1, &["\"0\"", "acts, other"]);
    write(dir.path(), "far.csv", "unit\n5\n");
    run(dir.path(), "npy cols --units far.csv acts.npy").fails(1, &["column 5", "array \"acts\" has 5 (0 to 4)"]);
    write(dir.path(), "bad.csv", "unit\nx\n");
    run(dir.path(), "npy cols --units bad.csv acts.npy").fails(1, &["bad.csv", "\"x\"", "whole number"]);
}

#[test]
fn random_columns_are_size_matched_seeded_and_not_those_of_the_table() {
    let dir = folder();
    let m = noise(3, 40, 4);
    let bytes = save(&dir.path().join("acts.npy"), &m, Some(&ids(3)));
    save(&dir.path().join("later.npy"), &noise(5, 40, 9), None);
    write(dir.path(), "units.csv", "array,unit\nacts,4\nacts,0\nacts,39\nlater,7\n");
    let columns = |file: &str, array: usize| -> Vec<usize> {
        let side: serde_json::Value = serde_json::from_slice(&fs::read(dir.path().join(file)).unwrap()).unwrap();
        serde_json::from_value(side["random"][array]["columns"].clone()).unwrap()
    };
    let line = "npy cols --units units.csv --without --random";
    run(dir.path(), &format!("{line} 37 acts.npy -o all.npy")).ok();
    let others: Vec<usize> = (1..39).filter(|c| *c != 4).collect();
    assert_eq!(columns("all.json", 0), others, "all that there are");
    run(dir.path(), &format!("{line} 38 acts.npy"))
        .fails(1, &["acts.npy: --random: 38 columns are asked for, and there are 37 to draw from"]);
    run(dir.path(), &format!("{line} matched --seed 3 acts.npy later.npy -o r.npy")).ok();
    let (drawn, of_later) = (columns("r.json", 0), columns("r.json", 1));
    assert_eq!((drawn.len(), of_later.len()), (3, 1));
    assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]) && drawn.iter().all(|c| others.contains(c)), "{drawn:?}");
    let both = arrays(&fs::read(dir.path().join("r.npy")).unwrap());
    assert_eq!(both[0].clone().into_matrix().unwrap().0.into_f64(), m.select(ndarray::Axis(1), &drawn));
    assert_eq!(both[1].shape, [5, 1]);
    let side: serde_json::Value = serde_json::from_slice(&fs::read(dir.path().join("r.json")).unwrap()).unwrap();
    assert_eq!((&side["seed"], &side["random"][1]["array"]), (&3.into(), &"later".into()));
    // The seed is part of the interface: these columns may not change.
    let pinned = |options: &str| -> Vec<usize> {
        let (picked, _) = matrix(&pipe(dir.path(), &format!("npy cols {options}"), &bytes).ok());
        picked.row(0).iter().map(|value| m.row(0).iter().position(|v| v == value).unwrap()).collect()
    };
    assert_eq!(pinned("--random 4"), PINNED[0]);
    assert_eq!(pinned("--random 4 --seed 1"), PINNED[1]);
    assert_eq!(pinned("--index 10:20,10 --random 9 --seed 2"), PINNED[2]);
    // From the same columns the same are drawn, whatever the file and its place.
    let same = run(dir.path(), "npy cols --random 4 --seed 1 later.npy acts.npy").ok();
    assert_eq!(
        arrays(&same)[1].values,
        arrays(&pipe(dir.path(), "npy cols --random 4 --seed 1", &bytes).ok())[0].values
    );
    for wrong in [
        "--seed 1 --index 0",
        "--without",
        "--random matched",
        "--random matched --units units.csv",
        "--random 0",
        "--index 0 --array acts",
    ] {
        assert_eq!(run(dir.path(), &format!("npy cols {wrong} acts.npy")).code, 2, "{wrong}");
    }
}

const PINNED: [&[usize]; 3] = [&[1, 10, 23, 36], &[13, 29, 32, 35], &[10, 11, 12, 13, 14, 15, 16, 17, 19]];

#[test]
fn cat_joins_rows_and_columns_by_id() {
    let dir = folder();
    let m = noise(5, 3, 5);
    let labels = ids(5);
    save(&dir.path().join("a.npy"), &m.slice(s![..2, ..]).to_owned(), Some(&labels[..2]));
    save(&dir.path().join("b.npy"), &m.slice(s![2.., ..]).to_owned(), Some(&labels[2..]));
    let (joined, names) = matrix(&run(dir.path(), "npy cat a.npy b.npy").ok());
    assert_eq!((joined, names.unwrap()), (m.clone(), labels.clone()));

    // Columns of another file whose rows stand in another order.
    let order = [4, 0, 3, 1, 2];
    let other = noise(5, 2, 6);
    let permuted: Vec<String> = order.iter().map(|&i| labels[i].clone()).collect();
    save(&dir.path().join("all.npy"), &m, Some(&labels));
    save(&dir.path().join("other.npy"), &other.select(ndarray::Axis(0), &order), Some(&permuted));
    let outcome = run(dir.path(), "npy cat --columns all.npy other.npy");
    assert!(outcome.stderr.contains("order"), "{}", outcome.stderr);
    let (wide, names) = matrix(&outcome.ok());
    assert_eq!(names.unwrap(), labels);
    assert_eq!(wide.slice(s![.., ..3]), m);
    assert_eq!(wide.slice(s![.., 3..]), other);

    save(&dir.path().join("foreign.npy"), &other, Some(&["s0", "s1", "s2", "s3", "zebra"].map(String::from)));
    run(dir.path(), "npy cat --columns all.npy foreign.npy").fails(1, &["5 distinct ids", "\"s4\"", "--inner"]);
    let (inner, names) = matrix(&run(dir.path(), "npy cat --inner --columns all.npy foreign.npy").ok());
    assert_eq!((inner.dim(), names.unwrap().len()), ((4, 5), 4));
    save(&dir.path().join("bare.npy"), &other, None);
    run(dir.path(), "npy cat --columns all.npy bare.npy").fails(1, &["npy label", "--assume-order"]);
    assert_eq!(matrix(&run(dir.path(), "npy cat --assume-order --columns all.npy bare.npy").ok()).0.ncols(), 5);
    run(dir.path(), "npy cat all.npy other.npy").fails(1, &["has 3 columns", "has 2"]);
    run(dir.path(), "npy cat other.npy bare.npy").fails(1, &["5 rows", "has none", "npy label"]);
}

#[test]
fn shards_are_joined_in_order_and_proved_complete() {
    let dir = folder();
    let m = noise(10, 2, 7);
    save(&dir.path().join("m.npy"), &m, Some(&ids(10)));
    for i in 0..5 {
        run(dir.path(), &format!("npy rows --shard {i}/5 -o part-{i}.npy m.npy")).ok();
    }
    let outcome = run(dir.path(), "npy cat part-3.npy part-0.npy part-4.npy part-1.npy part-2.npy");
    assert!(outcome.stderr.contains("all 5 shards"), "{}", outcome.stderr);
    let (joined, labels) = matrix(&outcome.ok());
    assert_eq!((joined, labels.unwrap()), (m.clone(), ids(10)));
    run(dir.path(), "npy cat part-0.npy part-3.npy").fails(1, &["3 of 5 shards", "--array=1-2,4"]);
    run(dir.path(), "npy cat part-0.npy part-0.npy part-1.npy").fails(1, &["twice"]);
    run(dir.path(), "npy cat part-0.npy m.npy").fails(1, &["m.npy is no shard"]);
    let slurm = sh(
        dir.path(),
        "SLURM_ARRAY_TASK_ID=12 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_COUNT=5 npy rows --shard slurm m.npy",
    );
    assert_eq!(matrix(&slurm.ok()).1.unwrap(), ["s4", "s5"]);
    run(dir.path(), "npy rows --shard slurm m.npy").fails(2, &["SLURM_ARRAY_TASK_ID"]);
    run(dir.path(), "npy rows --shard 5/5 m.npy").fails(2, &["4/5"]);
}

#[test]
fn a_stimulus_table_proves_completeness_by_id() {
    let dir = folder();
    let m = noise(3, 2, 8);
    save(&dir.path().join("b.npy"), &m.slice(s![1.., ..]).to_owned(), Some(&ids(3)[1..]));
    save(&dir.path().join("a.npy"), &m.slice(s![..1, ..]).to_owned(), Some(&ids(3)[..1]));
    write(dir.path(), "t.csv", "stimulus\ns0\ns1\ns2\n");
    let (joined, labels) = matrix(&run(dir.path(), "npy cat --stimuli t.csv b.npy a.npy").ok());
    assert_eq!((joined, labels.unwrap()), (m, ids(3)));
    run(dir.path(), "npy cat --stimuli t.csv b.npy").fails(1, &["1 of 3 stimuli", "\"s0\""]);
    run(dir.path(), "npy cat --stimuli t.csv b.npy b.npy a.npy").fails(1, &["\"s1\" is there 2 times", "has it once"]);
    write(dir.path(), "short.csv", "stimulus\ns0\ns1\n");
    run(dir.path(), "npy cat --stimuli short.csv b.npy a.npy").fails(1, &["3 rows for 2 stimuli", "\"s2\""]);
}

#[test]
fn one_array_out_of_a_stream() {
    let dir = folder();
    let mut bytes = bytes_of(&noise(2, 2, 1), Some(&ids(2)));
    let second = noise(3, 4, 2);
    bytes.extend(bytes_of(&second, Some(&ids(3))));
    assert_eq!(matrix(&pipe(dir.path(), "npy cat --array 1", &bytes).ok()).0, second);
    pipe(dir.path(), "npy cat --array 2", &bytes).fails(1, &["array 2"]);
}

#[test]
fn label_names_rows_and_replaces_only_by_force() {
    let dir = folder();
    let m = noise(3, 2, 10);
    save(&dir.path().join("bare.npy"), &m, None);
    write(dir.path(), "t.csv", "path,category\nx.png,face\ny.png,face\nz.png,body\n");
    write(dir.path(), "ids.txt", "x.png\ny.png\nz.png\n");
    let by_table = run(dir.path(), "npy label --stimuli t.csv bare.npy").ok();
    assert_eq!(by_table, run(dir.path(), "npy label --ids ids.txt bare.npy").ok());
    let (same, labels) = matrix(&by_table);
    assert_eq!((same, labels.unwrap()), (m, ["x.png", "y.png", "z.png"].map(String::from).to_vec()));
    write(dir.path(), "other.txt", "x.png\nq\nz.png\n");
    pipe(dir.path(), "npy label --ids other.txt", &by_table).fails(1, &["row 1", "y.png", "\"q\"", "--force"]);
    assert_eq!(matrix(&pipe(dir.path(), "npy label --force --ids other.txt", &by_table).ok()).1.unwrap()[1], "q");
    write(dir.path(), "trials.csv", "onset,stimulus\n0,x\n2,y\n4,x\n");
    let trials = matrix(&run(dir.path(), "npy label --stimuli trials.csv bare.npy").ok()).1.unwrap();
    assert_eq!(trials, ["x", "y", "x"], "a table of trials names rows");
    assert_eq!(matrix(&run(dir.path(), "npy label --ids trials.csv bare.npy").ok()).1.unwrap(), trials);
    write(dir.path(), "two.txt", "x\ny\n");
    run(dir.path(), "npy label --ids two.txt bare.npy").fails(1, &["3 rows", "2 ids"]);
    // An RDM has one id per stimulus, not per value.
    let rdm = |labels: Option<&[&str]>| npy_stream::Array {
        shape: vec![3],
        values: npy_stream::Values::F8(vec![1.0, 2.0, 3.0]),
        labels: npy_stream::Labels {
            ids: labels.map(|l| l.iter().map(|id| id.to_string()).collect()),
            ..Default::default()
        },
        index: 0,
    };
    let mut bytes = Vec::new();
    npy_stream::write_array(&mut bytes, &rdm(None)).unwrap();
    std::fs::write(dir.path().join("rdm.npy"), &bytes).unwrap();
    write(dir.path(), "three.txt", "x\ny\nz\n");
    run(dir.path(), "npy label --ids three.txt rdm.npy -o named.npy").ok();
    assert_eq!(arrays(&std::fs::read(dir.path().join("named.npy")).unwrap()), [rdm(Some(&["x", "y", "z"]))]);
    run(dir.path(), "npy label --ids two.txt rdm.npy").fails(1, &["rdm.npy", "3 values", "2 ids", "1 pairs"]);
    write(dir.path(), "twice.txt", "x\ny\nx\n");
    run(dir.path(), "npy label --ids twice.txt rdm.npy").fails(1, &["\"x\" occurs 2 times"]);
    run(dir.path(), "npy label --ids twice.txt named.npy").fails(1, &["twice.txt"]);
}

/// Rows s2, s0, s1, s0 and a table that knows three of four ids.
#[test]
fn rename_bridges_the_ids_of_two_studies() {
    let dir = folder();
    let labels: Vec<String> = ["s2", "s0", "s1", "s0"].map(String::from).into();
    let m = noise(4, 3, 5);
    let bytes = save(&dir.path().join("m.npy"), &m, Some(&labels));
    write(dir.path(), "t.csv", "old,note,new\ns0,x,a\ns1,y,b\ns2,,c\ns9,,d\n");
    let new = |names: &[&str]| Some(names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
    let renamed = run(dir.path(), "npy label --rename t.csv m.npy");
    assert!(renamed.stderr.contains("npy: m.npy: 4 rows have new ids\n"), "{}", renamed.stderr);
    let renamed = renamed.ok();
    assert_eq!(matrix(&renamed), (m.clone(), new(&["c", "a", "b", "a"])));
    assert_eq!(pipe(dir.path(), "npy label --rename t.csv", &bytes).ok(), renamed);
    // Two columns without those names: the first holds the old ids. A table may go the other way, too.
    write(dir.path(), "two.tsv", "niko\tkay\ns0\ta\ns1\tb\ns2\tc\n");
    assert_eq!(run(dir.path(), "npy label --rename two.tsv m.npy").ok(), renamed);
    let back = pipe(dir.path(), "npy label --rename two.tsv --old kay --new niko", &renamed).ok();
    assert_eq!(back, bytes);
    write(dir.path(), "three.csv", "niko,kay,row\ns0,a,0\n");
    run(dir.path(), "npy label --rename three.csv m.npy")
        .fails(1, &["three.csv: ", "\"old\"", "niko, kay, row", "(--old and --new say which to take)"]);
    run(dir.path(), "npy label --rename three.csv --old niko --new niko m.npy").fails(1, &["name two columns"]);
    run(dir.path(), "npy label --rename three.csv --old niko --new kai m.npy").fails(1, &["\"kai\"", "niko, kay"]);
    // An id without a new one: an empty cell is none either.
    write(dir.path(), "some.csv", "old,new\ns0,a\ns1,n/a\n,z\ns7,q\n");
    run(dir.path(), "npy label --rename some.csv m.npy -o x.npy").fails(
        1,
        &["m.npy: 2 of 4 ids have no new one in some.csv, the first in row 0: \"s2\" is no old", "--inner keeps"],
    );
    assert!(!dir.path().join("x.npy").exists() && !dir.path().join("x.json").exists());
    let inner = run(dir.path(), "npy label --rename some.csv --inner m.npy -o x.npy");
    assert!(inner.stderr.contains("kept the 2 of 4 rows that have a new id"), "{}", inner.stderr);
    inner.ok();
    let kept = matrix(&fs::read(dir.path().join("x.npy")).unwrap());
    assert_eq!(kept, (m.select(ndarray::Axis(0), &[1, 3]), new(&["a", "a"])));
    let side: serde_json::Value = serde_json::from_slice(&fs::read(dir.path().join("x.json")).unwrap()).unwrap();
    assert_eq!(side["rename"], serde_json::json!({ "old": "old", "new": "new" }));
    assert!(side["inputs"].as_array().unwrap().iter().any(|input| input["name"] == "some.csv"), "{side}");
    write(dir.path(), "none.csv", "old,new\nq,a\n");
    run(dir.path(), "npy label --rename none.csv --inner m.npy")
        .fails(1, &["none of 4 ids has a new one in none.csv: \"s2\" is no old"]);
    write(dir.path(), "empty.csv", "old,new\nq,\n");
    run(dir.path(), "npy label --rename empty.csv m.npy").fails(1, &["0 of 1 rows have both \"old\" and \"new\""]);
    write(dir.path(), "twice.csv", "old,new\ns0,a\ns1,b\ns0,a\n");
    run(dir.path(), "npy label --rename twice.csv m.npy")
        .fails(1, &["twice.csv: old \"s0\" stands in rows 0 and 2; an old id has one new one"]);
    // Two old ids that become one are repeats of it.
    write(dir.path(), "merge.csv", "old,new\ns0,face\ns1,face\ns2,house\n");
    let merged = run(dir.path(), "npy label --rename merge.csv m.npy");
    let said = "1 of them stand for several old ones, whose rows are repeats now: \"face\" for \"s0\", \"s1\"";
    assert!(merged.stderr.contains(said), "{}", merged.stderr);
    assert_eq!(matrix(&merged.ok()).1, new(&["house", "face", "face", "face"]));
    save(&dir.path().join("bare.npy"), &m, None);
    run(dir.path(), "npy label --rename t.csv bare.npy").fails(1, &["bare.npy: has no ids to rename"]);
    for wrong in ["--rename t.csv --force", "--rename t.csv --ids t.csv", "--ids t.csv --inner", "--ids t.csv --old a"]
    {
        assert_eq!(run(dir.path(), &format!("npy label {wrong} m.npy")).code, 2, "{wrong}");
    }
}

#[test]
fn rename_goes_over_the_stimuli_of_an_rdm() {
    let dir = folder();
    let of = |path: &str| {
        let array = arrays(&fs::read(dir.path().join(path)).unwrap()).remove(0);
        (array.values.into_f64(), array.labels.ids.unwrap().join(" "))
    };
    // Pairs of s0 to s3: 01 02 03 12 13 23.
    let mut bytes = Vec::new();
    let pairs = [1.0f32, 2.0, 3.0, 12.0, 13.0, 23.0];
    npy_stream::write_vector(&mut bytes, &pairs, npy_stream::Dtype::F4, Some(&ids(4))).unwrap();
    fs::write(dir.path().join("rdm.npy"), &bytes).unwrap();
    write(dir.path(), "all.csv", "old,new\ns3,d\ns1,b\ns2,c\ns0,a\n");
    run(dir.path(), "npy label --rename all.csv rdm.npy -o all.npy").ok();
    assert_eq!(of("all.npy"), (pairs.map(f64::from).to_vec(), "a b c d".into()));
    write(dir.path(), "some.csv", "old,new\ns3,d\ns1,b\ns0,a\n");
    run(dir.path(), "npy label --rename some.csv rdm.npy")
        .fails(1, &["rdm.npy: 1 of 4 ids have no new one in some.csv, the first in row 2: \"s2\" is no old"]);
    let inner = run(dir.path(), "npy label --rename some.csv --inner rdm.npy -o some.npy");
    assert!(inner.stderr.contains("kept the 3 of 4 stimuli that have a new id"), "{}", inner.stderr);
    inner.ok();
    assert_eq!(of("some.npy"), (vec![1.0, 3.0, 13.0], "a b d".into()));
    write(dir.path(), "merge.csv", "old,new\ns0,a\ns1,b\ns2,a\ns3,d\n");
    run(dir.path(), "npy label --rename merge.csv rdm.npy")
        .fails(1, &["merge.csv for rdm.npy", "\"a\" occurs 2 times"]);
}

#[test]
fn average_is_the_mean_of_the_presentations() {
    let dir = folder();
    let m = arr2(&[[1.0, 10.0], [5.0, 0.0], [2.0, 20.0], [6.0, f64::NAN]]);
    let labels: Vec<String> = ["b", "a", "b", "a"].map(String::from).into();
    let bytes = save(&dir.path().join("m.npy"), &m, Some(&labels));
    let out = run(dir.path(), "npy average m.npy").ok();
    assert_eq!(out, pipe(dir.path(), "npy average", &bytes).ok());
    let (mean, labels) = matrix(&out);
    assert_eq!(labels.unwrap(), ["b", "a"]);
    assert_eq!(mean.row(0).to_vec(), [1.5, 15.0]);
    assert!(mean[[1, 0]] == 5.5 && mean[[1, 1]].is_nan(), "NaN stays NaN");
    pipe(dir.path(), "npy average", &bytes_of(&m, None)).fails(1, &["stdin", "4 rows and 0 ids", "npy label"]);
}

/// Mean and standard deviation (n) as they stand in a book.
fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[test]
fn scale_takes_means_and_deviations_over_columns_or_rows() {
    let dir = folder();
    let m = noise(9, 5, 3) + 40.0;
    save(&dir.path().join("m.npy"), &m, Some(&ids(9)));
    for (axis, transposed) in [("columns", false), ("rows", true)] {
        let lines = if transposed { m.t().to_owned() } else { m.clone() };
        let expected = |z: bool| {
            let mut all = lines.clone();
            for mut column in all.columns_mut() {
                let (mean, sd) = mean_and_sd(&column.to_vec());
                column.mapv_inplace(|v| (v - mean) / if z { sd } else { 1.0 });
            }
            if transposed { all.t().to_owned() } else { all }
        };
        for (option, z) in [("center", false), ("zscore", true)] {
            let line = format!("npy scale --{option} {axis}");
            let whole = run(dir.path(), &format!("{line} m.npy")).ok();
            let (found, labels) = matrix(&whole);
            assert_eq!(labels.unwrap(), ids(9));
            assert!(found.iter().zip(&expected(z)).all(|(a, b)| (a - b).abs() < 1e-13), "{line}");
            // A pipe, and two arrays one after the other, each by itself.
            let twice = [fs::read(dir.path().join("m.npy")).unwrap(), bytes_of(&(&m * 3.0), Some(&ids(9)))].concat();
            let both = arrays(&pipe(dir.path(), &line, &twice).ok());
            assert_eq!(both.len(), 2);
            assert_eq!(both[0].values, arrays(&whole)[0].values, "{line}");
            // One row, or one column: nothing around the mean.
            let one = if transposed { noise(4, 1, 1) } else { noise(1, 4, 1) };
            let outcome = pipe(dir.path(), &line, &bytes_of(&one, None));
            assert_eq!(outcome.stderr.contains("4 of 4") && outcome.stderr.contains("4 constant"), z, "{outcome:?}");
            assert!(matrix(&outcome.ok()).0.iter().all(|v| if z { v.is_nan() } else { *v == 0.0 }), "{line}");
        }
    }
    let (z, _) = matrix(&run(dir.path(), "npy scale --zscore columns m.npy").ok());
    assert!((mean_and_sd(&z.column(0).to_vec()).1 - 1.0).abs() < 1e-13);
}

#[test]
fn scale_counts_what_has_no_score_and_keeps_its_place() {
    let dir = folder();
    let mut m = noise(6, 4, 3);
    m.column_mut(1).fill(0.1);
    m[(2, 3)] = f64::NAN;
    save(&dir.path().join("m.npy"), &m, Some(&ids(6)));
    let outcome = run(dir.path(), "npy scale --zscore columns m.npy");
    assert!(outcome.stderr.contains("m.npy: 2 of 4 columns become NaN (1 constant, 1 nan_input)"), "{outcome:?}");
    let (z, _) = matrix(&outcome.ok());
    let is_nan: Vec<bool> = z.columns().into_iter().map(|c| c.iter().all(|v| v.is_nan())).collect();
    assert_eq!(is_nan, [false, true, false, true]);
    let outcome = run(dir.path(), "npy scale --center columns m.npy");
    assert!(outcome.stderr.contains("1 of 4 columns become NaN (0 constant, 1 nan_input)"), "{outcome:?}");
    assert!(matrix(&outcome.ok()).0.column(1).iter().all(|v| *v == 0.0));
    // Nothing to say where nothing is lost.
    let clean = pipe(dir.path(), "npy scale --center columns", &bytes_of(&noise(5, 3, 1), Some(&ids(5))));
    assert_eq!(clean.stderr, "");
    // Numbers near the ends of f8 keep their score; what would be beyond it is no silent infinity.
    let huge = arr2(&[[1.5e308, 1e-310], [-1.5e308, 3e-310], [0.0, 2e-310]]);
    let (z, _) = matrix(&pipe(dir.path(), "npy scale --zscore columns", &bytes_of(&huge, None)).ok());
    let expected = 1.5f64.sqrt();
    assert!((z[(0, 0)] - expected).abs() < 1e-12 && (z[(1, 1)] - expected).abs() < 1e-9, "{z}");
    let huge = arr2(&[[1.7e308], [-1.7e308], [-1.7e308]]);
    pipe(dir.path(), "npy scale --center columns", &bytes_of(&huge, None)).fails(1, &["1 values", "beyond f8"]);
}

#[test]
fn scale_within_the_levels_of_a_column() {
    let dir = folder();
    let m = noise(6, 3, 3) + 7.0;
    let labels: Vec<String> = ["a", "b", "a", "c", "b", "c"].map(String::from).to_vec();
    save(&dir.path().join("m.npy"), &m, Some(&labels));
    // The table has the presentations of each id in their order, and the ids in another.
    write(dir.path(), "t.csv", "stimulus,run\nc,1\nc,2\nb,1\nb,2\na,1\na,2\n");
    let runs = [[0, 1, 3], [2, 4, 5]];
    let line = "npy scale --zscore columns --by run --stimuli";
    let outcome = run(dir.path(), &format!("{line} t.csv m.npy"));
    assert!(outcome.stderr.contains("paired in the order they come"), "{outcome:?}");
    let (z, found) = matrix(&outcome.ok());
    assert_eq!(found.unwrap(), labels);
    for rows in runs {
        for column in 0..3 {
            let values: Vec<f64> = rows.iter().map(|r| m[(*r, column)]).collect();
            let (mean, sd) = mean_and_sd(&values);
            rows.iter().for_each(|r| within(z[(*r, column)], (m[(*r, column)] - mean) / sd, 1e-13));
        }
    }
    // A level of one row has no deviation.
    write(dir.path(), "lone.csv", "stimulus,run\nc,1\nc,2\nb,1\nb,1\na,1\na,1\n");
    let outcome = run(dir.path(), &format!("{line} lone.csv m.npy"));
    assert!(outcome.stderr.contains("3 of 6 columns of the levels of \"run\" become NaN (3 constant"), "{outcome:?}");
    assert_eq!(matrix(&outcome.ok()).0.iter().filter(|v| v.is_nan()).count(), 3);
    write(dir.path(), "hole.csv", "stimulus,run\nc,1\nc,2\nb,n/a\nb,1\na,1\na,1\n");
    run(dir.path(), &format!("{line} hole.csv m.npy")).fails(1, &["hole.csv: row 2 (\"b\")", "\"run\"", "m.npy"]);
    write(dir.path(), "few.csv", "stimulus,run\nc,1\nc,2\nb,1\nb,1\n");
    run(dir.path(), &format!("{line} few.csv m.npy")).fails(1, &["3 distinct ids", "2", "--inner"]);
    let (inner, left) = matrix(&run(dir.path(), &format!("{line} few.csv --inner m.npy")).ok());
    assert_eq!((inner.nrows(), left.unwrap()), (4, ["b", "c", "b", "c"].map(String::from).to_vec()));
    for (line, said) in [
        ("npy scale --zscore rows --by run --stimuli t.csv m.npy", "--by run groups rows"),
        ("npy scale --center columns --inner m.npy", "--inner says how rows are joined"),
    ] {
        run(dir.path(), line).fails(1, &[said]);
    }
    for line in [
        "npy scale m.npy",
        "npy scale --center columns --zscore rows m.npy",
        "npy scale --center columns --by run m.npy",
    ] {
        run(dir.path(), line).fails(2, &["--"]);
    }
}

#[test]
fn csv_there_and_back() {
    let dir = folder();
    let m = arr2(&[[0.1, -2.0], [f64::NAN, 1e-9]]);
    let bytes = bytes_of(&m, Some(&["a,b".to_string(), "ü".to_string()]));
    let text = pipe(dir.path(), "npy to-csv", &bytes).text();
    assert_eq!(text, "stimulus,0,1\n\"a,b\",0.1,-2\nü,NaN,1e-9\n");
    assert_eq!(pipe(dir.path(), "npy from-csv", text.as_bytes()).ok(), bytes);
    let mut single = Vec::new();
    npy_stream::write_matrix(&mut single, &npy_stream::Matrix::F4(arr2(&[[0.1f32]])), Some(&ids(1))).unwrap();
    assert_eq!(pipe(dir.path(), "npy to-csv", &single).text(), "stimulus,0\ns0,0.1\n");
    assert_eq!(pipe(dir.path(), "npy from-csv --dtype f4", b"stimulus,0\ns0,0.1\n").ok(), single);
    let some = pipe(dir.path(), "npy from-csv --id-column name --values b", b"name,a,b\nx,word,3\n").ok();
    assert_eq!(matrix(&some), (arr2(&[[3.0]]), Some(vec!["x".to_string()])));
    pipe(dir.path(), "npy from-csv", b"stimulus,a\nx,word\n").fails(1, &["row 0", "\"word\"", "--values"]);
    pipe(dir.path(), "npy from-csv", b"a,b\n1,2\n").fails(1, &["a, b", "--id-column"]);
}

#[test]
fn an_rdm_as_pairs() {
    let dir = folder();
    let mut bytes = Vec::new();
    npy_stream::write_vector(&mut bytes, &[0.5, 0.25, 1.0], npy_stream::Dtype::F8, Some(&ids(3))).unwrap();
    let text = pipe(dir.path(), "npy to-csv", &bytes).text();
    assert_eq!(text.lines().nth(2), Some("0,2,s0,s2,0.25"));
    let mut four = Vec::new();
    npy_stream::write_vector(
        &mut four,
        &[0.5, 0.25, 1.0, 2.0],
        npy_stream::Dtype::F8,
        npy_stream::LabelsRef::default(),
    )
    .unwrap();
    pipe(dir.path(), "npy to-csv", &four).fails(1, &["4 values", "upper triangle"]);
}

#[test]
fn bad_bytes_of_every_kind_are_one_line_and_exit_1() {
    let dir = folder();
    let good = bytes_of(&noise(6, 4, 1), Some(&ids(6)));
    write(dir.path(), "ids.txt", "s1\n");
    let verbs = [
        "npy info",
        "npy average",
        "npy cat",
        "npy to-csv",
        "npy rows --index 0",
        "npy rows --ids ids.txt",
        "npy cols --index 0",
    ];
    for verb in verbs {
        pipe(dir.path(), verb, b"").fails(1, &["npy: stdin", "0 bytes"]);
        pipe(dir.path(), verb, b"id,label\n1,2\n").fails(1, &["stdin", "not a .npy array", "id,label"]);
        pipe(dir.path(), verb, &good[..150]).fails(1, &["stdin", "of 192 bytes"]);
        pipe(dir.path(), verb, &good[..good.len() - 1]).fails(1, &["stdin", "truncated"]);
        run(dir.path(), &format!("{verb} nowhere.npy")).fails(1, &["nowhere.npy", "No such file"]);
        run(dir.path(), &format!("{verb} .")).fails(1, &["folder"]);
        fs::write(dir.path().join("cut.npy"), &good[..150]).unwrap();
        run(dir.path(), &format!("{verb} cut.npy")).fails(1, &["cut.npy", "of 192 bytes"]);
    }
    pipe(dir.path(), "npy from-csv", b"stimulus,a\n\xff,1\n").fails(1, &["UTF-8"]);
    run(dir.path(), "npy average - -").fails(1, &["stdin"]);
}

#[test]
fn closed_pipe_full_disk_and_missing_folder() {
    let dir = folder();
    save(&dir.path().join("big.npy"), &noise(300, 500, 1), Some(&ids(300)));
    for verb in ["cat", "average", "rows --index 0:300", "cols --index 0:400", "to-csv", "info"] {
        let cut = sh(dir.path(), &format!("npy {verb} big.npy | head -c 100 > /dev/null; echo ${{PIPESTATUS[0]}}"));
        assert_eq!(cut.stdout, b"0\n", "{verb}: {}", cut.stderr);
        assert!(!cut.stderr.contains("panicked"), "{}", cut.stderr);
        let full = sh(dir.path(), &format!("npy {verb} big.npy > /dev/full"));
        full.fails(1, &["No space left"]);
        run(dir.path(), &format!("npy {verb} -o no/such/x.npy big.npy")).fails(1, &["no/such"]);
    }
    // Usage errors are exit 2; help and version are exit 0.
    run(dir.path(), "npy nonsense").fails(2, &["nonsense"]);
    assert!(run(dir.path(), "npy --help").text().contains("Examples:"));
    assert!(run(dir.path(), "npy --version").text().starts_with("npy "));
}

#[test]
fn output_files_are_whole_and_say_how_they_were_made() {
    let dir = folder();
    let bytes = save(&dir.path().join("m.npy"), &noise(4, 2, 1), Some(&ids(4)));
    run(dir.path(), "npy cols --index 1 -o out.npy m.npy").ok();
    assert_eq!(fs::read(dir.path().join("out.npy")).unwrap(), run(dir.path(), "npy cols --index 1 m.npy").ok());
    let side: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("out.json")).unwrap()).unwrap();
    assert_eq!(side["tool"], "npy");
    assert_eq!(side["arguments"][0], "cols");
    let sum = sh(dir.path(), "sha256sum m.npy").text();
    assert_eq!(side["inputs"][0]["sha256"], sum.split(' ').next().unwrap());
    // The same digest when it came through a pipe; and a failure leaves nothing.
    pipe(dir.path(), "npy cols --index 1 -o piped.npy", &bytes).ok();
    let side: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("piped.json")).unwrap()).unwrap();
    assert_eq!(side["inputs"][0]["sha256"], sum.split(' ').next().unwrap());
    pipe(dir.path(), "npy cols --index 1 -o broken.npy", &bytes[..140]).fails(1, &["truncated"]);
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(
        !left.iter().any(|n| n.to_string_lossy().contains("broken") || n.to_string_lossy().contains("tmp")),
        "{left:?}"
    );
}

#[test]
fn help_examples_run() {
    let dir = folder();
    let m = noise(6, 4, 1);
    let names = ["acts", "betas", "layer3", "layer4", "acts-0", "acts-1", "profile", "ffa", "sub-1/ffa", "sub-2/ffa"];
    for folder in ["sub-1", "sub-2"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
    }
    for name in names {
        save(&dir.path().join(format!("{name}.npy")), &m, Some(&ids(6)));
    }
    write(dir.path(), "face_units.csv", "unit\n1\n");
    let table = "stimulus,half,category,run\ns0,odd,face,1\ns1,even,face,1\ns2,odd,car,1\ns3,even,car,2\ns4,odd,car,2\n\
                 s5,even,car,2\n";
    write(dir.path(), "stimuli.csv", table);
    write(dir.path(), "trials.csv", table);
    write(dir.path(), "ids.txt", "s5\ns4\ns3\ns2\ns1\ns0\n");
    write(dir.path(), "old_to_new.csv", "old,new\ns0,a\ns2,b\ns3,c\n");
    write(dir.path(), "responses.csv", "stimulus,FFA_beta,VWFA_beta\na,1,2\nb,3,4\n");
    write(dir.path(), "ratings.tsv", "picture\tbeauty\na\t1\nb\t2\n");
    sh(dir.path(), "rsa rdm ffa.npy > rdm.npy").ok();
    sh(dir.path(), "mkdir scores gaps").ok();
    write(dir.path(), "scores/1.csv", "model,array,r,role\nalexnet,FFA,.5,model\n");
    write(dir.path(), "gaps/FFA-t3.csv", "subject,role,gap\nmedian,summary,0\n");
    for verb in ["", "info", "cat", "split", "rows", "cols", "label", "average", "scale", "to-csv", "from-csv", "stack"]
    {
        let help = run(dir.path(), &format!("npy {verb} --help")).text();
        let examples = help.lines().skip_while(|l| !l.starts_with("Examples:")).filter(|l| l.contains("npy "));
        let examples: Vec<&str> = examples.collect();
        assert_eq!(examples.len(), 3, "{help}");
        for example in examples {
            sh(dir.path(), example).ok();
        }
        if verb.is_empty() {
            let (odd, _) = matrix(&fs::read(dir.path().join("odd.npy")).unwrap());
            assert_eq!(odd, m.select(ndarray::Axis(0), &[0, 2, 4]));
        }
    }
}

#[test]
fn a_zero_row_matrix_passes() {
    let dir = folder();
    let bytes = bytes_of(&Array2::zeros((0, 3)), Some(&[]));
    for verb in ["npy cat", "npy average", "npy cols --index 0:3"] {
        assert_eq!(pipe(dir.path(), verb, &bytes).ok(), bytes, "{verb}");
    }
}

#[test]
fn shards_of_two_matrices_are_not_one() {
    let dir = folder();
    for (name, seed) in [("a", 1), ("b", 2)] {
        save(&dir.path().join(format!("{name}.npy")), &noise(9, 2, seed), Some(&ids(9)));
        for i in 0..3 {
            run(dir.path(), &format!("npy rows --shard {i}/3 -o {name}{i}.npy {name}.npy")).ok();
        }
    }
    run(dir.path(), "npy cat a0.npy b1.npy a2.npy").fails(1, &["a0.npy and b1.npy", "two different wholes"]);
    // A table of the same stem does not make the proof of a shard disappear.
    run(dir.path(), "npy to-csv -o a0.csv a0.npy").ok();
    run(dir.path(), "npy cat a0.npy a2.npy").fails(1, &["1 of 3 shards", "--array=1"]);
    assert_eq!(matrix(&run(dir.path(), "npy cat a2.npy a1.npy a0.npy").ok()).0, noise(9, 2, 1));
}

#[test]
fn columns_of_several_regions_or_of_one_unit_twice_are_refused() {
    let dir = folder();
    save(&dir.path().join("m.npy"), &noise(3, 5, 1), Some(&ids(3)));
    write(dir.path(), "two.csv", "roi,voxel\nFFA,1\nPPA,2\n");
    run(dir.path(), "npy cols --units two.csv m.npy").fails(1, &["2 regions (FFA, PPA)", "fmri-roi extract"]);
    write(dir.path(), "twice.csv", "unit\n1\n3\n1\n");
    run(dir.path(), "npy cols --units twice.csv m.npy").fails(1, &["unit 1", "3 rows"]);
    write(dir.path(), "other.csv", "array,unit\nlayer4,1\n");
    run(dir.path(), "npy cols --units other.csv m.npy").fails(1, &["\"m\"", "layer4", "--array"]);
    let chosen = run(dir.path(), "npy cols --units other.csv --array layer4 m.npy").ok();
    assert_eq!(matrix(&chosen).0, noise(3, 5, 1).slice(s![.., 1..2]));
}

#[test]
fn numbers_too_large_for_the_dtype_and_labels_too_few_are_errors() {
    let dir = folder();
    pipe(dir.path(), "npy from-csv --dtype f2", b"stimulus,v\na,70000\n")
        .fails(1, &["7e4", "f2", "6.5504e4", "--dtype"]);
    pipe(dir.path(), "npy from-csv --dtype f4", b"stimulus,v\na,1e300\n").fails(1, &["1e300", "f4"]);
    let mut bytes = bytes_of(&noise(9, 2, 1), None);
    npy_stream::write_labels(&mut bytes, &ids(5)).unwrap();
    fs::write(dir.path().join("few.npy"), &bytes).unwrap();
    for verb in ["average", "info", "cat", "rows --index 0"] {
        run(dir.path(), &format!("npy {verb} few.npy")).fails(1, &["few.npy", "5 labels behind 9 rows"]);
        pipe(dir.path(), &format!("npy {verb}"), &bytes).fails(1, &["stdin", "5 labels behind 9 rows"]);
    }
}

#[test]
fn a_dash_as_output_is_stdout() {
    let dir = folder();
    let bytes = save(&dir.path().join("m.npy"), &noise(3, 2, 1), Some(&ids(3)));
    assert_eq!(run(dir.path(), "npy cat -o - m.npy").ok(), bytes);
    assert!(!dir.path().join("-").exists());
}

#[test]
fn units_of_the_first_array_of_a_pipe_are_no_other_arrays() {
    let dir = folder();
    for (name, seed) in [("a", 1), ("b", 2)] {
        save(&dir.path().join(format!("{name}.npy")), &noise(3, 4, seed), None);
    }
    write(dir.path(), "first.csv", "array,unit\n0,1\n");
    write(dir.path(), "second.csv", "array,unit\n1,1\n");
    run(dir.path(), "npy cols --units first.csv a.npy").ok();
    run(dir.path(), "npy cols --units first.csv a.npy b.npy").fails(1, &["no rows about array \"b\"", "speaks of 0"]);
    for line in ["npy cols --units second.csv a.npy", "cat a.npy b.npy | npy cols --units second.csv"] {
        sh(dir.path(), line).fails(1, &["no rows about array", "speaks of 1"]);
    }
}
