//! Tables and arrays as other programs write them: read as what they say, or refused by name, never misread.

use ndarray::{Array2, Axis};
use std::fs;
use std::path::Path;
use support::*;

const N: usize = 12;
const LEVELS: [&str; 3] = ["face", "house", "car"];

/// Responses of five units to twelve pictures, of which every third is a face; units 0 to 2 prefer faces.
fn responses() -> Array2<f64> {
    let mut acts = noise(N, 5, 3);
    for row in (0..N).step_by(3) {
        (0..3).for_each(|unit| acts[(row, unit)] += 4.0);
    }
    acts
}

fn table(separator: &str, level: impl Fn(usize) -> String) -> String {
    let rows: String = (0..N).map(|i| format!("s{i}{separator}{}\n", level(i))).collect();
    format!("stimulus{separator}category\n{rows}")
}

fn plain(i: usize) -> String {
    LEVELS[i % 3].to_owned()
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("acts.npy"), &responses(), Some(&ids(N)));
    fs::write(dir.path().join("plain.csv"), table(",", plain)).unwrap();
    dir
}

const SELECT: &str = "select-units acts.npy --stimuli TABLE --by category --top 2";

fn select(dir: &Path, table: &str) -> Outcome {
    run(dir, &SELECT.replace("TABLE", table))
}

/// Latin composed and decomposed, Cyrillic, Greek, Arabic, Hebrew, Devanagari, Thai, Chinese, Japanese, Korean, emoji
/// with joiners, and marks that the contrast language itself uses.
const NAMES: [&str; 17] = [
    "église",
    "e\u{301}cole",
    "haus-ä",
    "Дом",
    "σπίτι",
    "بيت",
    "בית",
    "घर की",
    "บ้าน",
    "房子",
    "顔",
    "집",
    "👩‍👩‍👧",
    "ä - 家",
    "ß > ẞ, ü",
    "2*é",
    "rest",
];

#[test]
fn names_in_every_script_go_through_every_verb() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let n = NAMES.len() * 3;
    let mut acts = noise(n, 4, 5);
    (0..3).for_each(|row| acts[(row, 1)] += 5.0);
    let labels: Vec<String> = (0..n).map(|i| format!("{}/{}.png", NAMES[i / 3], i % 3)).collect();
    save(&path.join("顔.npy"), &acts, Some(&labels));
    save(&path.join("دماغ.npy"), &acts.mapv(|v| v * 2.0 + 1.0), Some(&labels));
    let rows_of_table: String =
        (0..n).map(|i| format!("\"{}\",\"{}\",{}\n", labels[i], NAMES[i / 3], ["α", "β"][i % 2])).collect();
    fs::write(path.join("表.csv"), format!("stimulus,категория,группа\n{rows_of_table}")).unwrap();
    let quoted = |name: &str| format!("\"{name}\"");

    // Every level against all others, then each by its own typed contrast, in both forms.
    let text = run(path, "select-units 顔.npy --stimuli 表.csv --by категория --top 1").text();
    let found = rows(&text);
    assert_eq!(found.len(), NAMES.len());
    assert!(found.iter().all(|row| row["array"] == "顔"));
    assert_eq!(found[0]["unit"], "1");
    for (i, name) in NAMES.iter().enumerate() {
        let other = NAMES[(i + 3) % NAMES.len()];
        for contrast in
            [format!("{} > {}", quoted(name), quoted(other)), format!("2*{} - 2*{}", quoted(name), quoted(other))]
        {
            let line = format!("select-units 顔.npy --stimuli 表.csv --by категория --top 1 --contrast '{contrast}'");
            let found = rows(&run(path, &line).text());
            assert_eq!(found.len(), 1, "{line}");
            let both =
                format!("unit-stats layers 顔.npy --stimuli 表.csv --by категория --contrast '{contrast}' --top 1");
            run(path, &both).text();
        }
        // Most of them need no quotes.
        if !name.contains(['>', ',', '*']) && *name != "rest" && !name.contains(" - ") {
            let line = format!(
                "fmri-roi contrast 顔.npy --stimuli 表.csv --by категория --contrast '{name} > {}'",
                quoted(other)
            );
            run(path, &line).ok();
        }
    }
    run(path, "select-units 顔.npy --stimuli 表.csv --by категория --contrast 'egglise > 顔' --top 1")
        .fails(1, &["no level \"egglise\"", "nearest is \"église\"", "\"ß > ẞ, ü\""]);
    fs::write(path.join("units.csv"), run(path, "select-units 顔.npy --stimuli 表.csv --by категория --top 1").text())
        .unwrap();
    run(path, "unit-stats validate --units units.csv 顔.npy --stimuli 表.csv --by категория").text();
    run(path, "unit-stats overlap units.csv units.csv").text();
    run(path, "unit-stats probe --units units.csv 顔.npy --stimuli 表.csv --by категория --table levels").text();

    // Ids and names of arrays.
    let (picked, kept) = matrix(&run(path, "npy rows 顔.npy --stimuli 表.csv --where категория=顔").ok());
    assert_eq!((picked.nrows(), kept.unwrap()), (3, labels[30..33].to_vec()));
    fs::write(path.join("wide.csv"), run(path, "npy to-csv 顔.npy").text()).unwrap();
    assert_eq!(matrix(&run(path, "npy from-csv wide.csv --dtype f8").ok()), (acts.clone(), Some(labels.clone())));
    let by = run(path, "rsa rdm 顔.npy --stimuli 表.csv --by категория").ok();
    assert_eq!(arrays(&by)[0].labels.ids.as_ref().unwrap().len(), NAMES.len());
    let model = arrays(&run(path, "rsa model --stimuli 表.csv --by категория").ok()).remove(0);
    assert_eq!((model.labels.name.as_deref(), model.labels.ids.as_deref()), (Some("категория"), Some(&labels[..])));
    let text = run(path, "tuning compare 顔.npy --brain دماغ.npy --names лицо --brain-names ご主人").text();
    assert_eq!((&rows(&text)[0]["model"][..], &rows(&text)[0]["subject"][..]), ("лицо", "ご主人"));
    let text = run(path, "tuning diverge 顔.npy --brain دماغ.npy --stimuli 表.csv --group группа").text();
    assert_eq!(rows(&text)[0]["contrast"], "α > β");
    let text = run(path, "ceiling between 顔.npy دماغ.npy --stat profile --names हिंदी,한국").text();
    assert_eq!(rows(&text)[0]["subject"], "हिंदी");
    run(path, "tuning profile 顔.npy --format csv").text();
    run(path, "npy info 顔.npy").text();
}

#[test]
fn the_separator_is_what_fits_every_line() {
    let dir = folder();
    let path = dir.path();
    let right = select(path, "plain.csv").text();
    let comma = table(",", plain);
    let lines = |line: &dyn Fn(usize) -> String| (0..N).map(line).collect::<String>();
    let same: Vec<(&str, Vec<u8>)> = vec![
        ("semicolons.csv", table(";", plain).into_bytes()),
        ("tabs.csv", table("\t", plain).into_bytes()),
        ("commas.tsv", comma.clone().into_bytes()),
        ("no_extension", table(";", plain).into_bytes()),
        (
            "tab_header_with_comma.csv",
            format!("stimulus\tcategory\tnote, long\n{}", lines(&|i| format!("s{i}\t{}\tx, y; z\n", plain(i)))).into(),
        ),
        (
            "semicolon_in_cells.csv",
            format!("stimulus,category,a;b\n{}", lines(&|i| format!("s{i},{},1;2\n", plain(i)))).into(),
        ),
        // Both separators fit every line; only one gives the ids.
        (
            "decided_by_the_ids.csv",
            format!("stimulus;category;x,y\n{}", lines(&|i| format!("s{i};{};1,2\n", plain(i)))).into(),
        ),
        (
            "excel.csv",
            format!("stimulus,category,,\r\n{},,,\r\n,,,\r\n", lines(&|i| format!("s{i},{},,\r\n", plain(i)))).into(),
        ),
        ("trailing.csv", format!("stimulus,category\n{}", lines(&|i| format!("s{i},{},\n", plain(i)))).into()),
        ("sep.csv", format!("sep=;\r\n{}", table(";", plain)).into()),
        ("bom.csv", format!("\u{feff}{}", comma.replace('\n', "\r\n")).into()),
        ("old_mac.csv", comma.replace('\n', "\r").into()),
        ("blank_lines.csv", format!("{}\n\n", comma.replace("\ns5", "\n\n\ns5")).into()),
        (
            "quoted.csv",
            format!(
                "\"note\";\"stimulus\";\"category\"\n{}",
                lines(&|i| format!("\"one, \"\"two\"\"\nline; three\";\"s{i}\";\"{}\"\n", plain(i)))
            )
            .into(),
        ),
        ("pandas_index.csv", format!(",stimulus,category\n{}", lines(&|i| format!("{i},s{i},{}\n", plain(i)))).into()),
    ];
    for (name, bytes) in same {
        fs::write(path.join(name), bytes).unwrap();
        assert_eq!(select(path, name).text(), right, "{name}");
    }
    let utf16: Vec<u8> = "\u{feff}".encode_utf16().chain(comma.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let wrong: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("utf16.csv", utf16.clone(), &["UTF-16", "UTF-8"]),
        ("utf16_without_mark.csv", utf16[2..].to_vec(), &["NUL byte at byte 1", "UTF-16"]),
        (
            "latin1.csv",
            comma.replace("house", "?glise").bytes().map(|b| if b == b'?' { 0xe9 } else { b }).collect(),
            &["line 3 is not UTF-8", "CSV UTF-8"],
        ),
        (
            "ambiguous.csv",
            format!("a;b,c;d\n{}", lines(&|i| format!("s{i};x,{};y\n", plain(i)))).into(),
            &["two separators", "2 columns by comma (a;b | c;d)", "3 columns by semicolon (a | b,c | d)"],
        ),
        ("ragged.csv", comma.replace("s4,house", "s4,house,x").into(), &["line 6 has 3 fields", "header line 2"]),
        ("cut.csv", comma[..comma.len() - 5].into(), &["line 13 has 1 fields"]),
        (
            "mixed.csv",
            format!(
                "stimulus,category\n{}",
                lines(&|i| format!("s{i}{}{}\n", if i < 6 { "," } else { ";" }, plain(i)))
            )
            .into(),
            &["line 8 has 1 fields"],
        ),
        ("open_quote.csv", comma.replace("s4,", "s4,\"").into(), &["double quote in line 6", "never closed"]),
        (
            "r_row_names.csv",
            format!("stimulus,category\n{}", lines(&|i| format!("{i},s{i},{}\n", plain(i)))).into(),
            &["line 2 has 3 fields", "row.names"],
        ),
        ("blanks.txt", table(" ", plain).into(), &["no column", "stimulus category"]),
        (
            "ids_only.csv",
            format!("stimulus\n{}", lines(&|i| format!("s{i};{}\n", plain(i)))).into(),
            &["line 2 has 2 fields"],
        ),
        ("missing_id.csv", comma.replace("s4,", "n/a,").into(), &["row 4 has no id"]),
        (
            "nameless.csv",
            format!("stimulus,category,,\n{}", lines(&|i| format!("s{i},{},1,2\n", plain(i)))).into(),
            &["columns 3 and 4", "no name"],
        ),
        (
            "lfs.csv",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n".to_vec(),
            &["Git LFS pointer", "git lfs pull"],
        ),
        ("page.csv", b"<!DOCTYPE html><html><body>a,b</body></html>".to_vec(), &["web page", "download"]),
        ("book.csv", b"PK\x03\x04\x14\0\0\0[Content_Types].xml".to_vec(), &["Excel workbook", "CSV UTF-8"]),
        ("npy.csv", bytes_of(&responses(), None), &[".npy array"]),
    ];
    for (name, bytes, parts) in wrong {
        fs::write(path.join(name), bytes).unwrap();
        select(path, name).fails(1, &[&[name], parts].concat());
    }
}

#[test]
fn a_cell_is_a_number_or_missing_or_an_error_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let with = |cell: &str| format!("stimulus,u0,u1\na,1,2\nb,{cell},3\n");
    let read = |text: &str| {
        fs::write(path.join("t.csv"), text).unwrap();
        run(path, "npy from-csv t.csv --dtype f8")
    };
    for missing in ["", "n/a", "N/A", "NA", "nan", " NaN "] {
        assert!(matrix(&read(&with(missing)).ok()).0[(1, 0)].is_nan(), "{missing:?}");
    }
    assert_eq!(matrix(&read(&with("-Inf")).ok()).0[(1, 0)], f64::NEG_INFINITY);
    assert_eq!(matrix(&read(&with("4.9e-324")).ok()).0[(1, 0)], 4.9e-324);
    for (cell, expected) in [
        ("1e400", "largest"),
        ("-1e309", "largest"),
        ("1e-400", "smallest"),
        ("\"1,5\"", "decimal point"),
        ("\"1,234.5\"", "decimal point"),
        ("#DIV/0!", "a number"),
        ("TRUE", "a number"),
        ("\u{2212}3", "a number"),
    ] {
        let text = cell.trim_matches('"');
        read(&with(cell)).fails(1, &["t.csv", "line 3", "column \"u0\"", &format!("{text:?}"), expected]);
    }
    read(&with("1.5").replace(',', ";").replace('.', ",")).fails(1, &["line 3", "\"1,5\"", "decimal point"]);
    read("stimulus,u0\na,1,5\nb,2,5\n").fails(1, &["line 2 has 3 fields"]);
    read(",stimulus,u0\n0,a,1\n1,b,2\n").fails(1, &["column without a name", "index=False"]);
    read("stimulus,u0\na,1\n\nn/a,2\n").fails(1, &["row 1 has no id"]);
    // What f4 would make 0 or infinite.
    fs::write(path.join("t.csv"), with("1e-60")).unwrap();
    run(path, "npy from-csv t.csv --dtype f4").fails(1, &["1e-60", "f4"]);
    fs::write(path.join("t.csv"), with("1e60")).unwrap();
    run(path, "npy from-csv t.csv --dtype f4").fails(1, &["1e60", "f4"]);

    // The same owner reads weights, pairs, coordinates and units.
    save(&path.join("acts.npy"), &noise(4, 3, 1), Some(&ids(4)));
    let weights = |cell: &str| {
        fs::write(path.join("w.csv"), format!("unit,t\n0,2\n1,{cell}\n2,1\n")).unwrap();
        run(path, "tuning profile acts.npy --weights w.csv --format csv")
    };
    assert_eq!(rows(&weights("n/a").text())[0]["n_units"], "2");
    weights("1e999").fails(1, &["w.csv", "line 3", "\"1e999\""]);
    fs::write(path.join("p.csv"), "a,b,d\nx,y,1\nx,z,1e400\ny,z,2\n").unwrap();
    run(path, "rsa mds p.csv --pairs a,b --value d").fails(1, &["line 3", "\"1e400\""]);
    fs::write(path.join("u.csv"), "unit,t,dprime\n0,1e400,\n").unwrap();
    run(path, "unit-stats overlap u.csv u.csv").fails(1, &["u.csv", "line 2", "\"1e400\""]);
}

#[test]
fn a_missing_cell_is_no_category_anywhere() {
    let dir = folder();
    let path = dir.path();
    let missing = ["", "n/a", "NA", "nan"];
    fs::write(path.join("empty.csv"), table(",", |i| if i % 3 == 1 { String::new() } else { plain(i) })).unwrap();
    fs::write(path.join("words.csv"), table(",", |i| if i % 3 == 1 { missing[i / 3].into() } else { plain(i) }))
        .unwrap();
    save(&path.join("brain.npy"), &responses().select(Axis(1), &[0, 3]), Some(&ids(N)));
    for line in [
        SELECT,
        "unit-stats layers acts.npy --stimuli TABLE --by category --top 2",
        "fmri-roi contrast acts.npy --stimuli TABLE --by category --contrast 'face > rest'",
        "fmri-roi contrast acts.npy --subjects TABLE --assume-order --group category --two-sample 'face > rest'",
        "tuning diverge acts.npy --brain brain.npy --stimuli TABLE --group category",
        "npy rows acts.npy --stimuli TABLE --where category=face",
    ] {
        let of = |name: &str| run(path, &line.replace("TABLE", name)).ok();
        assert_eq!(of("words.csv"), of("empty.csv"), "{line}");
    }
    run(path, "npy rows acts.npy --stimuli words.csv --where category=NA").fails(1, &["never is \"NA\""]);
    run(path, "rsa rdm acts.npy --stimuli words.csv --by category").fails(1, &["row 1", "nothing in column"]);
    fs::write(path.join("null.csv"), table(",", |i| if i == 4 { "#N/A".into() } else { plain(i) })).unwrap();
    select(path, "null.csv").fails(1, &["\"#N/A\"", "looks like a missing value"]);
}

#[test]
fn levels_that_look_alike_are_said_and_not_merged() {
    let dir = folder();
    let path = dir.path();
    let mixed = |i: usize| match i {
        3 => "Face".to_owned(),
        6 => "face ".to_owned(),
        1 => "e\u{301}glise".to_owned(),
        4 => "\u{e9}glise".to_owned(),
        i => plain(i),
    };
    fs::write(path.join("alike.csv"), table(",", mixed)).unwrap();
    save(&path.join("brain.npy"), &responses().select(Axis(1), &[0, 3]), Some(&ids(N)));
    for line in [
        "select-units acts.npy -q --stimuli alike.csv --by category --top 2 --contrast 'face > rest'",
        "fmri-roi contrast acts.npy -q --stimuli alike.csv --by category --contrast 'face > rest'",
        "npy rows acts.npy -q --stimuli alike.csv --where category=face",
        "tuning diverge acts.npy -q --brain brain.npy --stimuli alike.csv --group category --contrast 'face > car'",
        "rsa rdm acts.npy -q --stimuli alike.csv --by category",
        "rsa model -q --stimuli alike.csv --by category",
    ] {
        let outcome = run(path, line);
        let said = outcome.stderr.clone();
        outcome.ok();
        for part in
            ["warning: alike.csv: column \"category\"", "\"Face\" (1 rows)", "\"face \" (1 rows)", "e\\u{301}glise"]
        {
            assert!(said.contains(part), "{line}: {said}");
        }
    }
    // Blanks are no part of a name, case is: three faces of four.
    assert_eq!(matrix(&run(path, "npy rows acts.npy --stimuli alike.csv --where category=face").ok()).0.nrows(), 3);
    let quiet = run(path, &format!("{} -q", SELECT.replace("TABLE", "plain.csv")));
    assert_eq!(quiet.stderr, "");
    // Ids that look alike explain why nothing joins.
    let mut labels = ids(N);
    labels[2] = "S2".into();
    save(&path.join("upper.npy"), &responses(), Some(&labels));
    run(path, "select-units upper.npy --stimuli plain.csv --by category")
        .fails(1, &["\"S2\"", "\"s2\"", "only in case"]);
}

#[test]
fn a_level_called_rest_is_a_level_until_somebody_types_rest() {
    let dir = folder();
    let path = dir.path();
    fs::write(path.join("rest.csv"), table(",", |i| plain(i).replace("car", "rest"))).unwrap();
    let (cars, rests) = (rows(&select(path, "plain.csv").text()), rows(&select(path, "rest.csv").text()));
    assert_eq!(cars.len(), rests.len());
    for (car, rest) in cars.iter().zip(&rests) {
        assert_eq!((&car["unit"], &car["t"]), (&rest["unit"], &rest["t"]));
    }
    assert_eq!(rests[0]["contrast"], "face > house,\"rest\"");
    let typed = format!("{} --contrast 'face > rest'", SELECT.replace("TABLE", "rest.csv"));
    run(path, &typed).fails(1, &["level \"rest\"", "in quotes"]);
    run(path, &typed.replace("rest'", "\"rest\"'")).text();
}

fn npy(header: &str, version: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = [&b"\x93NUMPY"[..], &[version, 0]].concat();
    match version {
        1 => bytes.extend((header.len() as u16).to_le_bytes()),
        _ => bytes.extend((header.len() as u32).to_le_bytes()),
    }
    [&bytes, header.as_bytes(), body].concat()
}

fn header(descr: &str, shape: &str) -> String {
    format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n")
}

#[test]
fn headers_of_other_writers_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let acts = noise(4, 3, 1);
    let little: Vec<u8> = acts.iter().flat_map(|v| v.to_le_bytes()).collect();
    let big: Vec<u8> = acts.iter().flat_map(|v| v.to_be_bytes()).collect();
    for (version, head, body) in [
        (1, "{'descr': '<f8', 'fortran_order': False, 'shape': (4L, 3L), }", &little),
        (1, "{u'descr': u'<f8', u'fortran_order': False, u'shape': (4, 3), }\n", &little),
        (2, "{\"shape\":(4,3),\"fortran_order\":False,\"descr\":\"<f8\"}", &little),
        (3, "  { 'shape' : [4, 3] , 'descr' : '>f8', 'fortran_order' : False }   \n\n", &big),
    ] {
        let ids_behind: Vec<u8> = ["s0", "s1", "s2", "s3"].concat().into_bytes();
        let bytes = [npy(head, version, body), npy(&header("'|S2'", "(4,)"), 1, &ids_behind)].concat();
        fs::write(path.join("x.npy"), &bytes).unwrap();
        for found in [run(path, "npy cat x.npy").ok(), pipe(path, "npy cat", &bytes).ok()] {
            assert_eq!(matrix(&found), (acts.clone(), Some(ids(4))), "{head}");
        }
    }
}

#[test]
fn damaged_not_supported_and_something_else_are_three_messages() {
    let dir = folder();
    let path = dir.path();
    let good = bytes_of(&responses(), Some(&ids(N)));
    let zip = |name: &str| [b"PK\x03\x04\x14\0\0\0\0\0", &[0; 20][..], name.as_bytes(), &[0; 99]].concat();
    let mut mgh: Vec<u8> = [1, 8, 8, 8, 1, 3, 0].iter().flat_map(|n: &i32| n.to_be_bytes()).collect();
    mgh.resize(900, 0);
    let mut analyze = 348i32.to_le_bytes().to_vec();
    analyze.resize(348, 0);
    let mut nifti = analyze.clone();
    nifti[344..348].copy_from_slice(b"n+1\0");
    nifti.resize(900, 0);
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("damaged", good[..good.len() / 3].into(), &["truncated"]),
        ("damaged", good[..60].into(), &["truncated"]),
        ("damaged", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (12, 5", 1, &[0; 480]), &["header"]),
        (
            "not supported",
            npy(&header("'|O'", "(2,)"), 1, b"\x80\x04K\x01."),
            &["pickled object array", "allow_pickle=False"],
        ),
        ("not supported", npy(&header("'|O'", "()"), 1, b"\x80\x04K\x01."), &["pickled object array"]),
        (
            "not supported",
            npy(&header("[('x', '<f4'), ('y', '<i8')]", "(2,)"), 1, &[0; 24]),
            &["structured", "x[\"FIELD\"]"],
        ),
        ("not supported", npy(&header("'<c16'", "(2, 2)"), 1, &[0; 64]), &["complex", "numpy.abs"]),
        ("not supported", npy(&header("'<f16'", "(2, 2)"), 1, &[0; 64]), &["more than 64 bits", "astype"]),
        ("not supported", npy(&header("'<M8[ns]'", "(2, 2)"), 1, &[0; 32]), &["dates"]),
        ("not supported", npy(&header("'<f8'", "(2, 2)"), 4, &[0; 32]), &["version 4.0"]),
        (
            "but",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec(),
            &["LFS pointer", "git lfs pull"],
        ),
        ("but", b"<!DOCTYPE html>\n<html><title>Sign in</title></html>".to_vec(), &["web page", "download"]),
        ("but", b"stimulus,u0\na,1\n".to_vec(), &["text", "npy from-csv"]),
        ("but", zip("arr_0.npy"), &[".npz", "numpy.load"]),
        ("but", zip("archive/data.pkl"), &["PyTorch", "torch.load"]),
        ("but", zip("xl/workbook.xml"), &["Excel"]),
        ("but", b"\x89HDF\r\n\x1a\n\0\0\0\0".to_vec(), &["HDF5", "h5py"]),
        ("but", b"MATLAB 5.0 MAT-file, Platform: GLNXA64".to_vec(), &["MATLAB", "scipy.io.loadmat"]),
        ("but", b"\x80\x04\x95\x1f\0\0\0".to_vec(), &["pickle"]),
        ("but", b"PAR1\x15\x04\x15".to_vec(), &["Parquet"]),
        ("but", b"\x1f\x8b\x08\0\0\0".to_vec(), &["gzip", "gzip -dc"]),
        ("but", b"<?xml version=\"1.0\"?>\n<GIFTI Version=\"1.0\">".to_vec(), &["GIFTI", "agg_data"]),
        ("but", mgh, &["FreeSurfer", "nibabel"]),
        ("but", vec![0; 2000], &["zero bytes"]),
        ("but", b"\x01\x02\x03\x04\x05\x06\x07\x08\x09".to_vec(), &["something else", "NUMPY"]),
    ];
    fs::write(path.join("u.csv"), "unit\n0\n").unwrap();
    for (kind, bytes, parts) in cases {
        fs::write(path.join("x.npy"), &bytes).unwrap();
        for line in [
            "npy info x.npy",
            "rsa rdm x.npy",
            "select-units x.npy --stimuli plain.csv --by category",
            "tuning profile x.npy",
            "ceiling voxel x.npy",
            "ceiling gsn x.npy",
            "encode fit --x x.npy --y acts.npy",
            "unit-stats probe --units u.csv x.npy --stimuli plain.csv --by category --table levels",
        ] {
            run(path, line).fails(1, &[&["x.npy", kind], parts].concat());
        }
        pipe(path, "npy info", &bytes).fails(1, &[&["stdin", kind], parts].concat());
    }
    for (bytes, named) in [(analyze, "ANALYZE"), (nifti, "NIfTI")] {
        fs::write(path.join("x.npy"), &bytes).unwrap();
        run(path, "npy info x.npy").fails(1, &["x.npy", named]);
    }
    // Behind a whole array.
    fs::write(path.join("x.npy"), [&good[..], b"and so on"].concat()).unwrap();
    run(path, "npy info x.npy").fails(1, &["after array 0"]);
    // Whole, but no matrix.
    for (shape, bytes, remedy) in [
        ("()", 8, "reshape(1, 1)"),
        ("(2, 3, 4)", 192, "npy cat --reshape"),
        ("(1, 2, 3, 4)", 192, "npy cat --reshape"),
    ] {
        fs::write(path.join("x.npy"), npy(&header("'<f8'", shape), 1, &vec![0; bytes])).unwrap();
        run(path, "rsa rdm x.npy").fails(1, &["x.npy", "shape", remedy]);
        run(path, "tuning profile x.npy").fails(1, &["x.npy", "shape"]);
    }
}

#[test]
fn a_reliability_beyond_the_formula_is_nan_beside_what_was_measured() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    // Two showings of six pictures: equal, nearly opposite and opposite.
    let first = [1.0, 2.0, 3.0, 4.0, 5.0, 6.5];
    let second = [6.0, 5.5, 4.0, 3.0, 2.0, 1.0];
    let mut trials = Array2::zeros((12, 4));
    for i in 0..6 {
        for (voxel, again) in
            [first[i], second[i], 7.5 - first[i], [1.0, 2.0, 3.0, 3.5, 2.5, 1.0][i]].into_iter().enumerate()
        {
            trials[(i, voxel)] = first[i];
            trials[(i + 6, voxel)] = again;
        }
    }
    let labels: Vec<String> = ids(6).into_iter().chain(ids(6)).collect();
    save(&path.join("a.npy"), &trials, Some(&labels));
    let voxels = rows(&run(path, "ceiling voxel a.npy").text());
    let number = |row: usize, column: &str| voxels[row][column].parse::<f64>().unwrap();
    assert_eq!((number(0, "r_halves"), number(0, "reliability")), (1.0, 1.0));
    for row in [1, 2] {
        assert!(number(row, "r_halves") < -0.97, "{:?}", voxels[row]);
        assert!(number(row, "reliability").is_nan() && number(row, "r_max").is_nan());
        assert_eq!(voxels[row]["reason"], "negative_reliability");
    }
    let r = number(3, "r_halves");
    assert!((number(3, "reliability") - 2.0 * r / (1.0 + r)).abs() < 1e-12);

    // Profiles of one voxel each, opposite between showings: between people, and of model and brain.
    for (name, voxel) in [("x", 0), ("y", 1)] {
        save(&path.join(format!("{name}.npy")), &trials.select(Axis(1), &[voxel]), Some(&labels));
    }
    for stat in ["voxel", "profile"] {
        let people = rows(&run(path, &format!("ceiling between x.npy y.npy --stat {stat}")).text());
        assert_eq!((&people[0]["r_halves"][..], &people[0]["reliability"][..]), ("1", "1"), "{stat}");
        assert!(people[1]["r_halves"].parse::<f64>().unwrap() < -0.97, "{stat}: {:?}", people[1]);
        assert_eq!((&people[1]["reliability"][..], &people[1]["r_max"][..]), ("NaN", "NaN"), "{stat}");
    }
    save(&path.join("m.npy"), &noise(6, 3, 2), Some(&ids(6)));
    let scores = rows(&run(path, "tuning compare m.npy --brain x.npy y.npy").text());
    assert_eq!((&scores[0]["r_halves"][..], &scores[0]["model_r_halves"][..]), ("1", ""));
    assert!(scores[1]["r_halves"].parse::<f64>().unwrap() < -0.97);
    assert_eq!((&scores[1]["reliability"][..], &scores[1]["r_norm"][..]), ("NaN", "NaN"));
    assert_eq!(scores[1]["reason"], "negative_reliability");
}

#[test]
fn infinite_values_count_as_nan_does() {
    let dir = folder();
    let path = dir.path();
    let (mut infinite, mut nan) = (responses(), responses());
    for (place, sign) in [((3, 2), 1.0), ((4, 1), -1.0)] {
        infinite[place] = sign * f64::INFINITY;
        nan[place] = f64::NAN;
    }
    for (name, acts) in [("inf", &infinite), ("nan", &nan)] {
        fs::create_dir(path.join(name)).unwrap();
        save(&path.join(name).join("x.npy"), acts, Some(&ids(N)));
        save(&path.join(name).join("good.npy"), &responses(), Some(&ids(N)));
        let twice: Vec<String> = ids(N / 2).into_iter().chain(ids(N / 2)).collect();
        save(&path.join(name).join("trials.npy"), acts, Some(&twice));
        fs::copy(path.join("plain.csv"), path.join(name).join("t.csv")).unwrap();
    }
    for line in [
        "npy info x.npy",
        "select-units x.npy --stimuli t.csv --by category --top 2",
        "unit-stats layers x.npy --stimuli t.csv --by category --top 2",
        "fmri-roi contrast x.npy --stimuli t.csv --by category --contrast 'face > rest'",
        "tuning profile x.npy --format csv",
        "tuning profile x.npy --format csv --drop-nan",
        "tuning profile x.npy --format csv --zscore",
        "tuning compare x.npy --brain good.npy",
        "tuning compare good.npy --brain x.npy",
        "tuning diverge good.npy --brain x.npy",
        "rsa rdm x.npy --allow-nan",
        "ceiling voxel trials.npy",
        "ceiling within trials.npy",
        "ceiling gsn trials.npy",
        "ceiling between trials.npy trials.npy --names a,b --stat voxel",
        "ceiling between trials.npy trials.npy --names a,b --stat profile",
        "npy average trials.npy",
        "encode fit --x good.npy --y x.npy --cv 3",
        "encode fit --x x.npy --y good.npy --cv 3",
    ] {
        let of = |name: &str| {
            let outcome = run(&path.join(name), line);
            (outcome.code, outcome.stdout.clone(), outcome.stderr.clone())
        };
        let (infinite, nan) = (of("inf"), of("nan"));
        assert_eq!(infinite.0, nan.0, "{line}: {} / {}", infinite.2, nan.2);
        if !line.starts_with("npy average") {
            assert_eq!(String::from_utf8_lossy(&infinite.1), String::from_utf8_lossy(&nan.1), "{line}");
        }
        assert_eq!(infinite.2.lines().count(), nan.2.lines().count(), "{line}: {} / {}", infinite.2, nan.2);
    }
}
