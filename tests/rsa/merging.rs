//! `rsa rdm --merge` with scales and weights, as its users meet it.

use crate::{rdm, save_rdm};
use std::fs;
use support::*;
use tempfile::{TempDir, tempdir};

/// a.npy over a b c, b.npy over b c d on another scale, far.npy over e f.
fn study() -> TempDir {
    let dir = tempdir().unwrap();
    save_rdm(&dir.path().join("a.npy"), &[1.0, 2.0, 3.0], "a b c");
    save_rdm(&dir.path().join("b.npy"), &[30.0, 40.0, 20.0], "b c d");
    save_rdm(&dir.path().join("far.npy"), &[1.0], "e f");
    save_rdm(&dir.path().join("zero.npy"), &[0.0, 0.0, 0.0], "a b c");
    dir
}

#[test]
fn scales_are_taken_out_and_said() {
    let dir = study();
    let out = run(dir.path(), "rsa rdm --merge --rescale simple --allow-nan a.npy b.npy -o m.npy");
    assert!(out.stderr.contains("--rescale simple: multiplied a.npy "), "{}", out.stderr);
    out.ok();
    let (values, ids) = rdm(&fs::read(dir.path().join("m.npy")).unwrap());
    assert_eq!(ids, ["a", "b", "c", "d"]);
    // a-b a-c a-d b-c b-d c-d: b-c, which both have, is 3 there and 30 here
    assert!(values[2].is_nan());
    within(values[0] / values[3], 1.0 / 3.0, 1e-3);
    within(values[4] / values[3], 40.0 / 30.0, 1e-3);
    let record = fs::read_to_string(dir.path().join("m.json")).unwrap();
    assert!(record.contains("rescaled_by"), "{record}");
    // the same of a stream, and by any way of weighing when the parts agree
    let plain = sh(dir.path(), "cat a.npy b.npy | rsa rdm -q --merge --rescale evidence --allow-nan").ok();
    within(rdm(&plain).0[4] / rdm(&plain).0[3], 40.0 / 30.0, 1e-3);
}

#[test]
fn weights_are_those_of_the_option() {
    let dir = study();
    let merged =
        |options: &str| rdm(&run(dir.path(), &format!("rsa rdm -q --merge --allow-nan a.npy b.npy {options}")).ok()).0;
    assert_eq!(merged("")[3], 16.5);
    let bits = |values: Vec<f64>| values.iter().map(|v| v.to_bits()).collect::<Vec<u64>>();
    assert_eq!(bits(merged("--weights equal")), bits(merged("")));
    assert_eq!(merged("--weights 2,1")[3], 12.0);
    assert_eq!(merged("--weights 1,0")[3], 3.0);
    // setsize: both have three pairs; evidence: 9 and 900
    assert_eq!(merged("--weights setsize")[3], 16.5);
    within(merged("--weights evidence")[3], (27.0 + 27000.0) / 909.0, 1e-12);
    let (own, equal) = (merged("--rescale evidence"), merged("--rescale evidence --weights equal"));
    assert!(own.iter().zip(&equal).all(|(a, b)| (a - b).abs() < 1e-3 || a.is_nan()));
}

#[test]
fn what_cannot_be_merged_says_why() {
    let dir = study();
    let fails = |options: &str, code: i32, parts: &[&str]| {
        run(dir.path(), &format!("rsa rdm --merge --allow-nan {options}")).fails(code, parts);
    };
    fails("--rescale simple a.npy far.npy", 1, &["a.npy", "far.npy", "no pair of stimuli in common"]);
    fails("--rescale simple a.npy zero.npy", 1, &["zero.npy", "0 or NaN everywhere"]);
    fails("--weights 1,2,3 a.npy b.npy", 1, &["--weights", "3 weights for 2 RDMs"]);
    fails("--weights 0,0 a.npy b.npy", 2, &["--weights", "one above 0"]);
    fails("--weights 1,nan a.npy b.npy", 2, &["--weights"]);
    fails("--rescale best a.npy b.npy", 2, &["--rescale", "evidence, setsize, simple"]);
    fails("--require-all a.npy b.npy", 1, &["--require-all", "1 of 6 pairs", "\"a\" and \"d\""]);
    fails("--require-all --weights 1,0 a.npy b.npy", 1, &["3 of 6 pairs"]);
    run(dir.path(), "rsa rdm --merge --require-all a.npy a.npy -q").ok();
    // after --subset
    fs::write(dir.path().join("ids.csv"), "stimulus\nd\nb\nc\n").unwrap();
    let (values, ids) = rdm(&run(dir.path(), "rsa rdm --merge --require-all --subset ids.csv a.npy b.npy -q").ok());
    assert_eq!((values, ids), (vec![40.0, 20.0, 16.5], vec!["d".into(), "b".into(), "c".into()]));
    for option in ["--rescale simple", "--weights equal", "--require-all"] {
        run(dir.path(), &format!("rsa rdm --transform rank {option} a.npy")).fails(2, &["--merge"]);
    }
}
