//! Names of columns and of arrays: read, shown, kept and looked up by every verb; archives, more axes, and files for
//! the arrays of a stream.

use crate::folder;
use ndarray::{Array2, arr2, s};
use npy_stream::{Array, Dtype, Labels, LabelsRef, Matrix, write_labels, write_matrix, write_vector};
use std::fs;
use std::io::Write;
use std::path::Path;
use support::*;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

fn texts(words: &str) -> Vec<String> {
    words.split_whitespace().map(String::from).collect()
}

/// A 4 x 3 matrix with ids, names of columns and its own name, as far as these are not empty.
fn named(ids: &str, columns: &str, name: &str) -> Vec<u8> {
    let some = |words: &str| Some(texts(words)).filter(|texts| !texts.is_empty());
    let labels =
        Labels { ids: some(ids), columns: some(columns), name: Some(name.into()).filter(|n: &String| !n.is_empty()) };
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &Matrix::F8(noise(4, 3, 1)), &labels).unwrap();
    bytes
}

fn labels_of(array: &Array) -> (Option<Vec<String>>, Option<&str>) {
    (array.labels.columns.clone(), array.labels.name.as_deref())
}

#[test]
fn every_verb_keeps_what_it_can() {
    let dir = folder();
    let whole = named("a b a c", "FFA OFA V1", "sub-01");
    fs::write(dir.path().join("m.npy"), &whole).unwrap();
    fs::write(dir.path().join("ids.txt"), "w\nx\ny\nz\n").unwrap();
    fs::write(dir.path().join("units.csv"), "array,unit\nsub-01,2\nsub-01,0\nother,1\n").unwrap();
    for (line, columns) in [
        ("npy rows --index 1:3", "FFA OFA V1"),
        ("npy rows --shard 1/2", "FFA OFA V1"),
        ("npy average", "FFA OFA V1"),
        ("npy label --force --ids ids.txt", "FFA OFA V1"),
        ("npy cat", "FFA OFA V1"),
        ("npy cols --index 2,0", "V1 FFA"),
        ("npy cols --index 0 --without", "OFA V1"),
        ("npy cols --name V1 --name FFA", "V1 FFA"),
        ("npy cols --units units.csv", "V1 FFA"),
    ] {
        let from_file = run(dir.path(), &format!("{line} m.npy")).ok();
        assert_eq!(from_file, pipe(dir.path(), line, &whole).ok(), "{line}");
        assert_eq!(labels_of(&arrays(&from_file)[0]), (Some(texts(columns)), Some("sub-01")), "{line}");
    }
    // What has no names keeps the bytes that it always had.
    let bare = bytes_of(&noise(4, 3, 1), Some(&texts("a b a c")));
    assert_eq!(bare, named("a b a c", "", ""));
    for line in ["npy rows --index 0:4", "npy cols --index 0:3", "npy cat"] {
        assert_eq!(pipe(dir.path(), line, &bare).ok(), bare, "{line}");
    }
    // No ids, but names: an empty array keeps their place.
    let nameless = named("", "FFA OFA V1", "sub-01");
    assert_eq!(pipe(dir.path(), "npy cat", &nameless).ok(), nameless);
    assert_eq!(arrays(&nameless)[0].labels.ids, None);
    let info = rows(&run(dir.path(), "npy info m.npy").text());
    assert_eq!([&info[0]["array"], &info[0]["name"], &info[0]["n_names"]], ["sub-01", "sub-01", "3"]);
}

#[test]
fn columns_are_found_by_a_name_that_one_has() {
    let dir = folder();
    let twice = named("a b c d", "FFA OFA FFA", "");
    pipe(dir.path(), "npy cols --name FFA", &twice).fails(1, &["columns 0 and 2 are both called \"FFA\"", "--index"]);
    pipe(dir.path(), "npy cols --name V1", &twice).fails(1, &["no column is called \"V1\"", "FFA, OFA, FFA"]);
    let bare = named("a b c d", "", "");
    pipe(dir.path(), "npy cols --name V1", &bare).fails(1, &["its 3 columns have no names", "--index"]);
    run(dir.path(), "npy cols m.npy").fails(2, &["--name"]);
}

#[test]
fn a_table_is_there_and_back_with_its_names() {
    let dir = folder();
    let table = "stimulus,FFA,\"VWFA, left\"\na,1,2\nb,3,4.5\n";
    let matrix = pipe(dir.path(), "npy from-csv", table.as_bytes()).ok();
    assert_eq!(arrays(&matrix)[0].labels.columns, Some(vec!["FFA".into(), "VWFA, left".into()]));
    assert_eq!(pipe(dir.path(), "npy to-csv", &matrix).text(), table);
    let one = pipe(dir.path(), "npy cols --name 'VWFA, left'", &matrix).ok();
    assert_eq!(support::matrix(&one).0, arr2(&[[2.0], [4.5]]));
    // Numbers that `to-csv` writes where there are no names are none.
    let numbered = pipe(dir.path(), "npy from-csv", b"stimulus,0,1\na,1,2\n").ok();
    assert_eq!(arrays(&numbered)[0].labels.columns, None);
    let alike = named("a b c d", "FFA stimulus V1", "");
    let outcome = pipe(dir.path(), "npy to-csv", &alike);
    assert!(outcome.stderr.contains("two columns would be called \"stimulus\""), "{}", outcome.stderr);
    assert!(outcome.text().starts_with("stimulus,0,1,2\n"));
}

#[test]
fn joined_matrices_keep_the_names_that_they_share() {
    let dir = folder();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("a.npy", &named("a b c d", "FFA OFA V1", "sub-01"));
    write("b.npy", &named("e f g h", "FFA OFA V1", "sub-02"));
    write("other.npy", &named("e f g h", "FFA V1 OFA", "sub-01"));
    write("bare.npy", &named("a b c d", "", ""));
    let cat = |line: &str| {
        let outcome = run(dir.path(), line);
        (outcome.stderr.clone(), arrays(&outcome.ok()).remove(0))
    };
    let same = cat("npy cat a.npy a.npy");
    assert_eq!(labels_of(&same.1), (Some(texts("FFA OFA V1")), Some("sub-01")));
    let two = cat("npy cat a.npy b.npy");
    assert_eq!(labels_of(&two.1), (Some(texts("FFA OFA V1")), None));
    assert!(two.0.contains("a.npy is called \"sub-01\" and b.npy \"sub-02\"; the whole has no name"), "{}", two.0);
    let parts = ["column 1 is \"OFA\" in a.npy and \"V1\" in other.npy", "npy cols --name"];
    run(dir.path(), "npy cat a.npy other.npy").fails(1, &parts);
    let half = cat("npy cat a.npy bare.npy");
    assert_eq!(labels_of(&half.1), (None, None));
    assert!(half.0.contains("1 of 2 matrices have names of columns"), "{}", half.0);
    // Side by side: names one behind the other; a single column is called as its matrix.
    let both = cat("npy cat --columns --assume-order a.npy a.npy");
    assert_eq!(labels_of(&both.1), (Some(texts("FFA OFA V1 FFA OFA V1")), Some("sub-01")));
    for (file, name) in [("p.npy", "FFA"), ("q.npy", "OFA")] {
        let mut bytes = Vec::new();
        let labels = Labels { ids: Some(texts("a b")), columns: None, name: Some(name.into()) };
        write_matrix(&mut bytes, &Matrix::F8(noise(2, 1, 1)), &labels).unwrap();
        write(file, &bytes);
    }
    assert_eq!(labels_of(&cat("npy cat --columns p.npy q.npy").1), (Some(texts("FFA OFA")), None));
}

#[test]
fn shards_keep_the_names_once_and_are_of_one_array() {
    let dir = folder();
    let whole = named("a b c d", "FFA OFA V1", "sub-01");
    fs::write(dir.path().join("m.npy"), &whole).unwrap();
    for part in ["0/2", "1/2"] {
        run(dir.path(), &format!("npy rows --shard {part} m.npy -o s{}.npy", &part[..1])).ok();
    }
    assert_eq!(run(dir.path(), "npy cat s1.npy s0.npy").ok(), whole);
}

/// A stream of two matrices and an RDM, of which the second has no name.
fn stream() -> Vec<u8> {
    let mut bytes = named("a b c d", "FFA OFA V1", "conv");
    bytes.extend(named("a b c d", "", ""));
    let ids = ids(3);
    let labels = LabelsRef { ids: Some(&ids), columns: None, name: Some("blocks.0/fc") };
    write_vector(&mut bytes, &[0.5, 0.25, 1.0], Dtype::F8, labels).unwrap();
    bytes
}

#[test]
fn one_array_of_a_stream_by_place_or_name() {
    let dir = folder();
    fs::write(dir.path().join("s.npy"), stream()).unwrap();
    for (wanted, position) in [("0", 0), ("conv", 0), ("1", 1), ("2", 2), ("blocks.0/fc", 2)] {
        let all = arrays(&stream());
        for found in [
            run(dir.path(), &format!("npy cat --array {wanted} s.npy")).ok(),
            pipe(dir.path(), &format!("npy cat --array {wanted}"), &stream()).ok(),
        ] {
            let mut found = arrays(&found);
            assert_eq!(found.len(), 1);
            found[0].index = position;
            assert_eq!(found[0], all[position], "{wanted}");
        }
    }
    assert_eq!(arrays(&run(dir.path(), "npy cat --array s:1 s.npy").ok())[0].shape, [4, 3]);
    run(dir.path(), "npy cat --array pool s.npy")
        .fails(1, &["no array called \"pool\"", "its 3 arrays are \"conv\", \"s:1\", \"blocks.0/fc\""]);
    run(dir.path(), "npy cat --array 3 s.npy").fails(1, &["no array 3", "0, 1, 2"]);
    // Every input must have it.
    fs::write(dir.path().join("other.npy"), named("a b c d", "", "fc")).unwrap();
    run(dir.path(), "npy cat --array conv s.npy other.npy").fails(1, &["other.npy: there is no array called \"conv\""]);
    run(dir.path(), "npy cat --array 2 s.npy s.npy").fails(1, &["only matrices can be joined"]);
    let twice = [named("a b c d", "", "fc"), named("a b c d", "", "fc")].concat();
    pipe(dir.path(), "npy cat --array fc", &twice).fails(1, &["arrays 0 and 1 are both called \"fc\""]);
}

#[test]
fn a_stream_is_split_into_files_that_are_called_as_its_arrays() {
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("s.npy"), stream()).unwrap();
    run(dir.path(), "npy split --out-dir d s.npy").ok();
    pipe(dir.path(), "npy split --out-dir e", &stream()).ok();
    let files = |folder: &str| {
        let mut names: Vec<String> = fs::read_dir(at(folder))
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".npy"))
            .collect();
        names.sort();
        names
    };
    assert_eq!(files("d"), ["blocks.0_fc.npy", "conv.npy", "s_1.npy"]);
    assert_eq!(files("e"), ["1.npy", "blocks.0_fc.npy", "conv.npy"]);
    let back = ["d/conv.npy", "d/s_1.npy", "d/blocks.0_fc.npy"].map(|file| fs::read(at(file)).unwrap()).concat();
    assert_eq!(back, stream());
    let record: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(at("d/blocks.0_fc.json")).unwrap()).unwrap();
    assert_eq!((&record["array"], &record["tool"]), (&"blocks.0/fc".into(), &"npy".into()));
    // Again over its own files, but not over anybody else's.
    run(dir.path(), "npy split --out-dir d s.npy").ok();
    fs::create_dir(at("f")).unwrap();
    fs::write(at("f/conv.npy"), "precious").unwrap();
    run(dir.path(), "npy split --out-dir f s.npy").fails(1, &["f/conv.npy", "no record of catsel's"]);
    assert_eq!(fs::read_to_string(at("f/conv.npy")).unwrap(), "precious");
    run(dir.path(), "npy split --out-dir d d/conv.npy").fails(1, &["d/conv.npy", "is both read"]);
    run(dir.path(), "npy split s.npy").fails(2, &["--out-dir"]);
    // People's regions of one name: by their files, told apart by a number.
    for person in ["p1", "p2"] {
        fs::create_dir(at(person)).unwrap();
        fs::write(at(&format!("{person}/ffa.npy")), named("a b c d", "", "FFA")).unwrap();
    }
    run(dir.path(), "npy split --out-dir g p1/ffa.npy p2/ffa.npy").ok();
    assert_eq!(files("g"), ["ffa-2.npy", "ffa.npy"]);
}

/// An archive of arrays without labels.
fn archive(path: &Path, members: &[(&str, &Array2<f64>)]) {
    let mut out = ZipWriter::new(fs::File::create(path).unwrap());
    for (name, values) in members {
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        out.start_file(format!("{name}.npy"), stored).unwrap();
        out.write_all(&bytes_of(values, None)).unwrap();
    }
    out.finish().unwrap();
}

#[test]
fn an_archive_is_read_array_by_array() {
    let dir = folder();
    let (acts, betas) = (noise(12, 2, 1), noise(12, 4, 2));
    archive(&dir.path().join("two.npz"), &[("acts", &acts), ("betas", &betas)]);
    archive(&dir.path().join("one.npz"), &[("acts", &acts)]);
    let found = run(dir.path(), "npy cat two.npz:betas").ok();
    assert_eq!(matrix(&found).0, betas);
    assert_eq!(labels_of(&arrays(&found)[0]), (None, Some("betas")));
    assert_eq!(matrix(&run(dir.path(), "npy cat one.npz").ok()).0, acts);
    run(dir.path(), "npy cat two.npz").fails(1, &["two.npz: holds 2 arrays (acts, betas)", "FILE.npz:acts"]);
    run(dir.path(), "npy cat two.npz:x").fails(1, &["no array \"x\"", "acts, betas"]);
    run(dir.path(), "npy cat none.npz:x").fails(1, &["none.npz: No such file"]);
    fs::write(dir.path().join("false.npz"), bytes_of(&acts, None)).unwrap();
    run(dir.path(), "npy cat false.npz:x").fails(1, &["no .npz archive"]);
    run(dir.path(), "npy cat two.npz:acts -o two.npz").fails(1, &["two.npz", "is both read"]);
    // In every tool, with the archive's hash in the record.
    run(dir.path(), "encode fit --assume-order --cv 3 --x two.npz:acts --y two.npz:betas -o scores.csv").ok();
    let record = fs::read_to_string(dir.path().join("scores.json")).unwrap();
    assert!(record.contains("two.npz:betas"), "{record}");
    let distances = arrays(&run(dir.path(), "rsa rdm one.npz").ok()).remove(0);
    assert_eq!((distances.shape, distances.labels.name), (vec![66], Some("acts".into())));
    fs::write(dir.path().join("roi.csv"), "roi,voxel\nFFA,3\nFFA,1\n").unwrap();
    let ffa = run(dir.path(), "fmri-roi extract --roi roi.csv two.npz:betas").ok();
    assert_eq!(matrix(&ffa).0, betas.select(ndarray::Axis(1), &[3, 1]));
    // Cut anywhere, or with other bytes, it is damaged.
    let whole = fs::read(dir.path().join("one.npz")).unwrap();
    fs::write(dir.path().join("cut.npz"), &whole[..whole.len() - 9]).unwrap();
    run(dir.path(), "npy cat cut.npz").fails(1, &["cut.npz", "damaged"]);
    let at = whole.windows(8).position(|bytes| bytes == acts[[1, 1]].to_le_bytes()).unwrap();
    let mut other = whole.clone();
    other[at] ^= 1;
    fs::write(dir.path().join("other.npz"), &other).unwrap();
    run(dir.path(), "npy cat other.npz").fails(1, &["other.npz", "damaged", "checksum"]);
    let outcome = sh(dir.path(), "npy cat < one.npz");
    assert!(outcome.code == 1 && outcome.stderr.contains(".npz"), "{}", outcome.stderr);
}

#[test]
fn arrays_of_more_axes_enter_by_cat() {
    let dir = folder();
    let mut cube = Vec::new();
    let values = (0..24).map(f64::from).collect();
    let labels = Labels { ids: Some(texts("a b")), columns: None, name: Some("patches".into()) };
    let array = Array { shape: vec![2, 3, 4], values: npy_stream::Values::F8(values), labels, index: 0 };
    npy_stream::write_array(&mut cube, &array).unwrap();
    fs::write(dir.path().join("cube.npy"), &cube).unwrap();
    let expected = arr2(&[[0.0, 1.0, 11.0], [12.0, 13.0, 23.0]]);
    for flat in [
        run(dir.path(), "npy cat --reshape cube.npy").ok(),
        pipe(dir.path(), "npy cat --reshape", &cube).ok(),
        run(dir.path(), "npy cat --reshape --array patches cube.npy").ok(),
    ] {
        let (found, ids) = matrix(&flat);
        assert_eq!((found.dim(), ids), ((2, 12), Some(texts("a b"))));
        assert_eq!(found.select(ndarray::Axis(1), &[0, 1, 11]), expected);
        assert_eq!(arrays(&flat)[0].labels.name.as_deref(), Some("patches"));
    }
    let beside = run(dir.path(), "npy cat --reshape --columns cube.npy cube.npy").ok();
    assert_eq!(matrix(&beside).0.slice(s![.., ..12]), matrix(&beside).0.slice(s![.., 12..]));
    for line in ["npy rows --index 0 cube.npy", "rsa rdm cube.npy", "npy cat cube.npy"] {
        run(dir.path(), line).fails(1, &["[2, 3, 4]", "npy cat --reshape"]);
    }
}

#[test]
fn names_that_are_wrong_are_one_line() {
    let dir = folder();
    let mut three = named("a b c d", "", "");
    write_labels(&mut three, &texts("FFA OFA")).unwrap();
    pipe(dir.path(), "npy info", &three).fails(1, &["stdin", "2 column names behind 3 columns"]);
    let whole = named("a b c d", "FFA OFA V1", "sub-01");
    pipe(dir.path(), "npy info", &whole[..whole.len() - 5]).fails(1, &["truncated"]);
    let mut twice = named("a b c d", "FFA OFA V1", "");
    write_labels(&mut twice, &texts("FFA OFA V1")).unwrap();
    pipe(dir.path(), "npy info", &twice).fails(1, &["3 lists of text"]);
}
