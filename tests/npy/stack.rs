//! `npy stack`: tables of results below each other, as they were written, with columns from the names of their files.

use crate::write;
use std::fs;
use support::*;

#[test]
fn rows_come_in_order_with_what_their_path_tells() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("gaps")).unwrap();
    write(dir.path(), "gaps/FFA-t3.csv", "subject,role,gap\nsub-01,subject,0.10\n\"a,b\",model,NaN\n");
    // The same columns in another order, and a table without rows.
    write(dir.path(), "gaps/my-EBA-t7.csv", "role,gap,subject\nmodel,-1e-9,net\n");
    write(dir.path(), "gaps/PPA-t7.csv", "subject,role,gap\n");
    let line = "npy stack --path {region}-t{threshold}.csv gaps/FFA-t3.csv gaps/PPA-t7.csv gaps/my-EBA-t7.csv";
    assert_eq!(
        run(dir.path(), line).text(),
        "region,threshold,subject,role,gap\nFFA,3,sub-01,subject,0.10\nFFA,3,\"a,b\",model,NaN\nmy-EBA,7,net,model,-1e-9\n"
    );
    let short =
        run(dir.path(), &format!("{line} --where role=model --columns gap,what=subject,threshold --format tsv"));
    assert_eq!(short.text(), "gap\twhat\tthreshold\nNaN\ta,b\t3\n-1e-9\tnet\t7\n");
    assert_eq!(run(dir.path(), &format!("{line} --where threshold=7 --columns gap")).text(), "gap\n-1e-9\n");
    // JSON has numbers where they are spelled as ours are: 0.10 is somebody's text.
    let json = run(dir.path(), &format!("{line} --format jsonl --columns threshold,gap")).text();
    assert_eq!(
        json,
        "{\"threshold\":3,\"gap\":\"0.10\"}\n{\"threshold\":3,\"gap\":\"NaN\"}\n{\"threshold\":7,\"gap\":-1e-9}\n"
    );
    // One table through a pipe is itself, and what is written can be stacked again.
    let whole = run(dir.path(), line).ok();
    assert_eq!(pipe(dir.path(), "npy stack", &whole).ok(), whole);
}

#[test]
fn tables_that_do_not_go_together_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.csv", "x,y\n1,2\n");
    write(dir.path(), "b.csv", "x,z\n1,2\n");
    write(dir.path(), "a-t1-t2.csv", "x\n1\n");
    write(dir.path(), "empty.csv", "");
    for (line, parts) in [
        ("npy stack a.csv b.csv", &["a.csv", "b.csv", "\"y\"", "2 and 2", "--columns"][..]),
        ("npy stack --columns x,y a.csv b.csv", &["b.csv", "\"y\"", "x, z"]),
        ("npy stack --columns x,x a.csv", &["\"x\" twice", "NEW=OLD"]),
        ("npy stack --columns q=x,=y a.csv", &["NEW=OLD"]),
        ("npy stack --path {x}.csv a.csv", &["a.csv", "\"x\" already"]),
        ("npy stack --path {m}-t{t}.csv a.csv", &["--path: a.csv does not end in {m}-t{t}.csv"]),
        ("npy stack --path {m}-t{t}.csv a-t1-t2.csv", &["in more ways than one"]),
        ("npy stack --path {m a.csv", &["without its }"]),
        ("npy stack --where x=3 a.csv", &["never is \"3\"", "it has 1"]),
        ("npy stack --where q=3 a.csv", &["a.csv", "\"q\"", "x, y"]),
        ("npy stack a.csv empty.csv", &["empty.csv", "empty"]),
        ("npy stack a.csv missing.csv", &["missing.csv"]),
        ("npy stack a.csv -o a.csv", &["a.csv"]),
    ] {
        let code = if parts[0].contains("NEW=OLD") || parts[0].contains("without") { 2 } else { 1 };
        run(dir.path(), line).fails(code, parts);
    }
    let said = run(dir.path(), "npy stack --columns x a.csv b.csv");
    assert_eq!(said.text(), "x\n1\n1\n");
    run(dir.path(), "npy stack --fill --columns x,q a.csv b.csv").fails(1, &["a.csv", "\"q\"", "x, y"]);
    run(dir.path(), "npy stack --fill --where q=1 a.csv b.csv").fails(1, &["\"q\""]);
}

#[test]
fn fill_leaves_cells_empty_where_a_table_has_no_such_column() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "a.csv", "x,y\n1,2\n");
    write(dir.path(), "b.csv", "z,x\n3,4\n");
    let line = "npy stack --fill a.csv b.csv";
    assert_eq!(run(dir.path(), line).text(), "x,y,z\n1,2,\n4,,3\n");
    assert_eq!(run(dir.path(), &format!("{line} --columns z,y --where x=1,4")).text(), "z,y\n,2\n3,\n");
    // A cell that is missing is no value that a condition could ask for by another name.
    assert_eq!(run(dir.path(), &format!("{line} --where z=3")).text(), "x,y,z\n4,,3\n");
}
