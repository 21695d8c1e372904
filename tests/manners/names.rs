//! Names from one end of a pipeline to the other, with nothing typed.

use npy_stream::{Labels, Matrix, write_matrix};
use std::fs;
use std::path::Path;
use support::*;

const LAYERS: &str = "ann-acts net.onnx --preprocess raw255 --resize none --crop none --layer '*' p.csv --quiet";
const CONTRAST: &str = "--stimuli p.csv --by domain --contrast 'face > house' --quiet";

fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(root().join("testdata/models/tiny.onnx"), dir.path().join("net.onnx")).unwrap();
    let mut table = "stimulus,path,domain\n".to_string();
    let values = noise(6, 12, 3);
    for (i, row) in values.rows().into_iter().enumerate() {
        let pixels: Vec<u8> = row.iter().map(|v| (128.0 + 100.0 * v) as u8).collect();
        fs::write(dir.path().join(format!("{i}.ppm")), [b"P6 2 2 255\n".as_slice(), &pixels].concat()).unwrap();
        table += &format!("s{i},{i}.ppm,{}\n", ["face", "house"][i % 2]);
    }
    fs::write(dir.path().join("p.csv"), table).unwrap();
    dir
}

/// The different values of a column, in the order in which they come.
fn values(csv: &str, column: &str) -> Vec<String> {
    let mut all: Vec<String> = rows(csv).into_iter().map(|mut row| row.remove(column).unwrap()).collect();
    all.dedup();
    all
}

#[test]
fn layers_are_named_from_the_network_to_the_tables() {
    let dir = workplace();
    let layers = ["conv", "relu", "average", "pool", "logits"];
    let units = sh(dir.path(), &format!("{LAYERS} | select-units {CONTRAST} --all")).text();
    assert_eq!(values(&units, "array"), layers);
    // The same from a file, whatever that is called; and the table finds its arrays in pipe and file.
    sh(dir.path(), &format!("{LAYERS} -o all.npy")).ok();
    assert_eq!(sh(dir.path(), &format!("select-units {CONTRAST} --all all.npy")).text(), units);
    fs::write(dir.path().join("units.csv"), &units).unwrap();
    let from_pipe = sh(dir.path(), &format!("{LAYERS} | npy cols --quiet --units units.csv")).ok();
    assert_eq!(from_pipe, fs::read(dir.path().join("all.npy")).unwrap());
    let probe = "unit-stats probe --stimuli p.csv --by domain --table levels --units units.csv --quiet";
    let of_file = sh(dir.path(), &format!("{probe} all.npy")).text();
    assert_eq!(values(&of_file, "array"), layers);
    assert_eq!(sh(dir.path(), &format!("{LAYERS} | {probe}")).text(), of_file);
    let line =
        format!("{LAYERS} | rsa rdm -q > rdms.npy && rsa compare rdms.npy --brain rdms.npy --brain-names a,b,c,d,e -q");
    assert_eq!(values(&sh(dir.path(), &line).text(), "model"), layers);
    let summary = sh(dir.path(), &format!("unit-stats layers {CONTRAST} all.npy")).text();
    assert_eq!(values(&summary, "array"), layers);
    // What is typed comes first.
    let typed = sh(dir.path(), &format!("{LAYERS} | select-units {CONTRAST} --all --names a,b,c,d,e")).text();
    assert_eq!(values(&typed, "array"), ["a", "b", "c", "d", "e"]);
}

#[test]
fn tables_of_before_find_their_arrays_and_tables_of_others_do_not() {
    let dir = workplace();
    let at = |name: &str| dir.path().join(name);
    sh(dir.path(), &format!("{LAYERS} -o all.npy && npy split -q --out-dir d all.npy && cp d/conv.npy acts.npy")).ok();
    for (table, line, code) in [
        // By the stem of the file, as names were made before there were any.
        ("acts,1", "npy cols --units u.csv acts.npy", 0),
        ("all,1\nall:4,0", "npy cols --units u.csv --array all:4 all.npy", 0),
        ("conv,1", "npy cols --units u.csv acts.npy", 0),
        ("fc,1", "npy cols --units u.csv acts.npy", 1),
        ("conv,1", "npy cols --units u.csv - < acts.npy", 0),
        ("0,1", "npy cols --units u.csv - < acts.npy", 0),
        // Known only when its rows have gone by.
        ("fc,1", "npy cols --units u.csv - < acts.npy", 1),
        ("fc,1", "cat acts.npy | npy cols --units u.csv", 1),
        ("fc,1\nconv,0", "cat acts.npy | npy cols --units u.csv", 0),
        ("0,1\n1,1\n2,1\n3,1\n4,1", "cat all.npy | npy cols --units u.csv", 0),
    ] {
        fs::write(at("u.csv"), format!("array,unit\n{table}\n")).unwrap();
        let outcome = sh(dir.path(), line);
        assert_eq!(outcome.code, code, "{table:?}, {line}: {}", outcome.stderr);
        if code == 1 {
            assert!(
                outcome.stderr.contains("no rows about array \"conv\"; the table speaks of fc"),
                "{}",
                outcome.stderr
            );
        }
    }
}

/// A matrix of regions' responses: rows are pictures.
fn regions(path: &Path, name: Option<&str>, seed: u64) {
    let columns = Some(vec!["FFA".to_string(), "VWFA".to_string()]);
    let labels = Labels { ids: Some(ids(12)), columns, name: name.map(String::from) };
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &Matrix::F8(noise(12, 2, seed)), &labels).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn columns_of_a_table_name_the_voxels_of_a_model() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut table = "stimulus,FFA,x,VWFA\n".to_string();
    let values = noise(12, 2, 1);
    values.rows().into_iter().enumerate().for_each(|(i, row)| table += &format!("s{i},{},text,{}\n", row[0], row[1]));
    fs::write(at("r.csv"), table).unwrap();
    save(&at("x.npy"), &noise(12, 3, 2), Some(&ids(12)));
    let line = "npy from-csv --values FFA,VWFA r.csv | encode fit -q --cv 3 --x x.npy --y - --save m.npz --predictions p.npy -o s.csv";
    sh(dir.path(), line).ok();
    let scores = rows(&fs::read_to_string(at("s.csv")).unwrap());
    let cells: Vec<_> = scores.iter().map(|row| (row["voxel"].as_str(), row["voxel_name"].as_str())).collect();
    assert_eq!(cells, [("0", "FFA"), ("1", "VWFA")]);
    for bytes in [fs::read(at("p.npy")).unwrap(), run(dir.path(), "encode predict -q m.npz x.npy").ok()] {
        assert_eq!(arrays(&bytes)[0].labels.columns, Some(vec!["FFA".into(), "VWFA".into()]));
    }
    // A model knows what its features were called: others of the same width are refused, another layer's a warning.
    let x = noise(12, 3, 2);
    let named = |columns: [usize; 3], name: &str| {
        let names = columns.map(|column| ["a", "b", "c"][column].to_string()).to_vec();
        let labels = Labels { ids: Some(ids(12)), columns: Some(names), name: Some(name.into()) };
        let mut bytes = Vec::new();
        write_matrix(&mut bytes, &Matrix::F8(x.select(ndarray::Axis(1), &columns)), &labels).unwrap();
        bytes
    };
    fs::write(at("l3.npy"), named([0, 1, 2], "layer3")).unwrap();
    fs::write(at("turned.npy"), named([2, 1, 0], "layer3")).unwrap();
    fs::write(at("l4.npy"), named([0, 1, 2], "layer4")).unwrap();
    sh(dir.path(), &line.replace("x.npy", "l3.npy")).ok();
    assert_eq!(run(dir.path(), "encode predict -q m.npz l3.npy").stderr, "");
    let turned = run(dir.path(), "encode predict -q m.npz turned.npy");
    let said = "feature 0 is \"c\", but the model was fitted with \"a\" there";
    assert!(turned.code == 1 && turned.stderr.contains(said), "{}", turned.stderr);
    let other = run(dir.path(), "encode predict -q m.npz l4.npy");
    let said = "warning: l4.npy: these are features of \"layer4\", and the model was fitted to \"layer3\"";
    assert!(other.stderr.contains(said), "{}", other.stderr);
    other.ok();
    assert_eq!(run(dir.path(), "encode predict -q m.npz x.npy").stderr, "", "without names nothing is known");
    // Without names there is no such column.
    save(&at("y.npy"), &noise(12, 2, 1), Some(&ids(12)));
    let bare = run(dir.path(), "encode fit -q --cv 3 --x x.npy --y y.npy").text();
    assert!(bare.starts_with("voxel,r,r2,R2,"), "{bare}");
    // The same rule for units, and for voxels of several arrays of which one has names.
    regions(&at("a.npy"), None, 1);
    let mut half = "stimulus,domain\n".to_string();
    (0..12).for_each(|i| half += &format!("s{i},{}\n", ["face", "house"][i % 2]));
    fs::write(at("t.csv"), half).unwrap();
    let localizer = "--stimuli t.csv --by domain --contrast 'face > house'";
    let units = sh(dir.path(), &format!("select-units -q {localizer} --all y.npy a.npy")).text();
    let cells: Vec<String> = rows(&units).into_iter().map(|mut row| row.remove("unit_name").unwrap()).collect();
    assert_eq!(cells, ["", "", "FFA", "VWFA"]);
    sh(dir.path(), &format!("fmri-roi contrast -q {localizer} a.npy --table v.csv -o t.npy")).ok();
    let voxels = rows(&fs::read_to_string(at("v.csv")).unwrap());
    assert_eq!(voxels[1]["voxel_name"], "VWFA");
    assert_eq!(arrays(&fs::read(at("t.npy")).unwrap())[0].labels.columns.as_ref().unwrap(), &["FFA", "VWFA"]);
    let twice = sh(dir.path(), "npy cat -q a.npy a.npy | ceiling voxel -q").text();
    assert_eq!(rows(&twice)[1]["voxel_name"], "VWFA");
}

#[test]
fn regions_name_matrices_and_people_of_one_region_keep_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("roi.csv"), "roi,voxel\nFFA,1\nFFA,3\nFFA,0\nOFA,2\nOFA,4\nOFA,5\n").unwrap();
    for person in 1..=3 {
        save(&at(&format!("b{person}.npy")), &noise(12, 6, person), Some(&ids(12)));
        run(dir.path(), &format!("fmri-roi extract -q --roi roi.csv b{person}.npy -o sub-0{person}.npy")).ok();
        run(dir.path(), &format!("fmri-roi extract -q --roi roi.csv --name FFA b{person}.npy -o ffa-{person}.npy"))
            .ok();
    }
    let names = |line: &str| values(&sh(dir.path(), line).text(), "array");
    assert_eq!(names("npy info sub-01.npy"), ["FFA", "OFA"]);
    // All that share a name are called by their files.
    assert_eq!(names("npy info ffa-1.npy ffa-2.npy sub-03.npy"), ["ffa-1", "ffa-2", "sub-03:FFA", "OFA"]);
    let between = values(&sh(dir.path(), "ceiling between -q ffa-?.npy").text(), "subject");
    assert_eq!(between[..3], ["ffa-1", "ffa-2", "ffa-3"]);
    let piped = values(&sh(dir.path(), "cat ffa-?.npy | ceiling between -q").text(), "subject");
    assert_eq!(piped[..3], ["0", "1", "2"]);
    // The name of a region goes through RDMs to the table of scores, where it is one's alone.
    let line = "for s in 1 2 3; do rsa rdm -q ffa-$s.npy -o r$s.npy; done; rsa rdm -q sub-01.npy > m.npy
rsa compare -q m.npy --brain r1.npy r2.npy r3.npy";
    let scores = sh(dir.path(), line).text();
    assert_eq!(values(&scores, "model"), ["FFA", "OFA"]);
    assert_eq!(values(&scores, "subject")[..3], ["r1", "r2", "r3"]);
    let profiles = sh(dir.path(), "tuning profile -q sub-01.npy").ok();
    let own: Vec<_> = arrays(&profiles).into_iter().map(|array| array.labels.name.unwrap()).collect();
    assert_eq!(own, ["FFA", "OFA"]);
}

/// Six rows of `names.len()` columns, of which those in `face` prefer faces.
fn preferring(names: &str, name: &str, face: &[usize]) -> Vec<u8> {
    let names: Vec<String> = names.split_whitespace().map(String::from).collect();
    let mut values = noise(6, names.len(), 5);
    for ((row, column), value) in values.indexed_iter_mut() {
        *value = 0.1 * *value + if row % 2 == 0 && face.contains(&column) { 5.0 } else { 0.0 };
    }
    let ids = (0..6).map(|i| format!("s{i}")).collect();
    let name = Some(name.to_string()).filter(|name| !name.is_empty());
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &Matrix::F8(values), &Labels { ids: Some(ids), columns: Some(names), name }).unwrap();
    bytes
}

#[test]
fn units_are_cut_from_the_array_that_they_were_chosen_in_and_from_no_other() {
    let dir = workplace();
    let put = |file: &str, bytes: &[u8]| fs::write(dir.path().join(file), bytes).unwrap();
    let a = preferring("a0 a1 a2 a3", "FFA", &[0, 1]);
    let b = preferring("b0 b1 b2 b3", "FFA", &[2, 3]);
    put("a.npy", &a);
    put("b.npy", &b);
    put("both.npy", &[a.as_slice(), &b].concat());
    let heads = |line: &str, array: usize| {
        let line = format!("{line} -q | npy cat -q --array {array} | npy to-csv | head -1");
        sh(dir.path(), &line).text()
    };
    let select = format!("select-units {CONTRAST} --t 5");
    // Two people's region of one name, in a pipe and as files.
    sh(dir.path(), &format!("cat a.npy b.npy | {select} > piped.csv && {select} a.npy b.npy > files.csv")).ok();
    assert_eq!(heads("cat a.npy b.npy | npy cols --units piped.csv", 0), "stimulus,a0,a1\n");
    assert_eq!(heads("cat a.npy b.npy | npy cols --units piped.csv", 1), "stimulus,b2,b3\n");
    assert_eq!(heads("npy cols --units files.csv a.npy b.npy", 0), "stimulus,a0,a1\n");
    assert_eq!(heads("npy cols --units files.csv a.npy b.npy", 1), "stimulus,b2,b3\n");
    // In other company the same table names neither: better no numbers than those of the other.
    for line in ["npy cols --units piped.csv both.npy", "tuning profile --weights piped.csv --weight-column t both.npy"]
    {
        assert_eq!(run(dir.path(), line).code, 1, "{line}");
    }
    // One's own name is the other's file.
    put("own.npy", &preferring("a0 a1 a2 a3", "plain", &[0, 1]));
    put("plain.npy", &preferring("b0 b1 b2 b3", "", &[2, 3]));
    sh(dir.path(), &format!("{select} own.npy plain.npy > own.csv")).ok();
    assert_eq!(heads("npy cols --units own.csv own.npy plain.npy", 0), "stimulus,a0,a1\n");
    assert_eq!(heads("npy cols --units own.csv own.npy plain.npy", 1), "stimulus,b2,b3\n");
    // A part of an array keeps its name, as does one whose columns stand in another order.
    sh(dir.path(), &format!("{select} a.npy > a.csv && npy cols -q --index 1:4 a.npy -o part.npy")).ok();
    sh(dir.path(), "npy cols -q --index 3,2,1,0 a.npy -o turned.npy").ok();
    let part = "its units were chosen from 4, and the array has 3 columns";
    let turned = "its unit 0 is \"a0\", and column 0 of the array is \"a3\"";
    for (file, said) in [("part.npy", part), ("turned.npy", turned)] {
        for line in ["npy cols --units a.csv", "tuning profile --weights a.csv --weight-column t"] {
            let out = run(dir.path(), &format!("{line} {file}"));
            assert!(out.code == 1 && out.stderr.contains(said), "{line} {file}: {}", out.stderr);
        }
    }
    let piped = sh(dir.path(), "cat turned.npy | npy cols --units a.csv");
    assert!(piped.code == 1 && piped.stderr.contains(turned), "{}", piped.stderr);
    // A twin's layers in another order.
    put("twins.npy", &[preferring("a b", "layer2", &[]), preferring("a b", "layer1", &[])].concat());
    put("net.npy", &[preferring("a b", "layer1", &[0]), preferring("a b", "layer2", &[1])].concat());
    let out = run(dir.path(), &format!("select-units {CONTRAST} --t 5 --null twins.npy net.npy"));
    assert!(out.code == 1 && out.stderr.contains("needs the same layers in the same order"), "{}", out.stderr);
    let conflict = run(dir.path(), "npy cols --name a1 --array nonsense a.npy");
    assert_eq!(conflict.code, 2, "{}", conflict.stderr);
}
