use super::*;
use crate::{
    Dtype, Labels, LabelsRef, Matrix, RowWriter, header, write_array, write_labels, write_matrix, write_vector,
};
use ndarray::{Array2, arr2};
use std::io::{Cursor, Write};

fn raw(descr: &str, fortran: bool, shape: &[usize], body: &[u8]) -> Vec<u8> {
    let mut bytes = header::format(descr, shape);
    if fortran {
        let text = String::from_utf8_lossy(&bytes[10..]).replace("False", "True ");
        bytes.truncate(10);
        bytes.extend(text.as_bytes());
    }
    bytes.extend(body);
    bytes
}

fn pipe(bytes: &[u8]) -> NpyReader {
    NpyReader::from_pipe(Cursor::new(bytes.to_vec()))
}

fn file(bytes: &[u8]) -> NpyReader {
    let mut f = tempfile::tempfile().unwrap();
    f.write_all(bytes).unwrap();
    NpyReader::from_file(f).unwrap()
}

const NONE: LabelsRef<'static> = LabelsRef { ids: None, columns: None, name: None };

fn names(n: usize) -> Vec<String> {
    (0..n).map(|i| format!("stimulus-{i}-ä")).collect()
}

#[test]
fn every_dtype_in_both_byte_orders() {
    type Encode = fn(i8, bool) -> Vec<u8>;
    macro_rules! enc {
        ($t:ty) => {
            |v: i8, big: bool| {
                let x = v as $t;
                if big { x.to_be_bytes().to_vec() } else { x.to_le_bytes().to_vec() }
            }
        };
    }
    let f2: Encode = |v, big| {
        let x = f16::from_f32(f32::from(v));
        if big { x.to_be_bytes().to_vec() } else { x.to_le_bytes().to_vec() }
    };
    let kinds: [(&str, Encode); 12] = [
        ("f2", f2),
        ("f4", enc!(f32)),
        ("f8", enc!(f64)),
        ("i1", enc!(i8)),
        ("i2", enc!(i16)),
        ("i4", enc!(i32)),
        ("i8", enc!(i64)),
        ("u1", enc!(u8)),
        ("u2", enc!(u16)),
        ("u4", enc!(u32)),
        ("u8", enc!(u64)),
        ("b1", |v, _| vec![u8::from(v != 0)]),
    ];
    let values: [i8; 6] = [0, 1, 2, 100, 5, 127];
    for (name, encode) in kinds {
        for big in [false, true] {
            let body: Vec<u8> = values.iter().flat_map(|&v| encode(v, big)).collect();
            let bytes = raw(&format!("{}{name}", if big { '>' } else { '<' }), false, &[3, 2], &body);
            let expected: Vec<f64> =
                values.iter().map(|&v| if name == "b1" { f64::from(v.min(1)) } else { f64::from(v) }).collect();
            for mut reader in [pipe(&bytes), file(&bytes)] {
                let a = reader.read_all().unwrap().remove(0);
                assert_eq!(a.values.into_f64(), expected, "{name} big={big}");
            }
        }
    }
}

#[test]
fn fortran_order_becomes_c_order_whole_and_in_blocks() {
    // [[1, 2, 3], [4, 5, 6]] lies as 1 4 2 5 3 6.
    let body: Vec<u8> = [1f64, 4., 2., 5., 3., 6.].iter().flat_map(|v| v.to_le_bytes()).collect();
    let bytes = raw("<f8", true, &[2, 3], &body);
    for mut reader in [pipe(&bytes), file(&bytes)] {
        let a = reader.read_all().unwrap().remove(0);
        assert_eq!(a.values.into_f64(), [1., 2., 3., 4., 5., 6.]);
    }
    for mut reader in [pipe(&bytes), file(&bytes)] {
        let mut incoming = reader.next_array().unwrap().unwrap();
        let mut rows = Vec::new();
        while let Some(block) = incoming.next_rows(1).unwrap() {
            rows.extend(block.to_f64());
        }
        assert_eq!(rows, [1., 2., 3., 4., 5., 6.]);
        assert_eq!(incoming.finish().unwrap(), Labels::default());
    }
}

#[test]
fn a_stream_of_labelled_matrices_and_an_rdm() {
    let a = Matrix::F4(Array2::from_shape_fn((5, 3), |(i, j)| (i * 3 + j) as f32));
    let b = Matrix::F8(arr2(&[[0.5, -1.0]]));
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &a, Some(&names(5)[..])).unwrap();
    write_matrix(&mut bytes, &b, NONE).unwrap();
    write_vector(&mut bytes, &[0.1f64, 0.2, 0.3], Dtype::F8, Some(&names(3)[..])).unwrap();
    for mut reader in [pipe(&bytes), file(&bytes)] {
        let arrays = reader.read_all().unwrap();
        assert_eq!(arrays.len(), 3);
        assert_eq!(arrays[0].labels.ids, Some(names(5)));
        assert_eq!(arrays[1].labels, Labels::default());
        assert_eq!((arrays[2].shape.as_slice(), arrays[2].labels.ids.as_ref().unwrap().len()), (&[3][..], 3));
        assert_eq!(arrays[0].clone().into_matrix().unwrap().0, a);
        assert!(matches!(arrays[2].clone().into_matrix(), Err(NpyError::Shape { .. })));
    }
}

#[test]
fn any_block_size_gives_the_same_rows_and_labels() {
    let n = 17;
    let a = Array2::from_shape_fn((n, 4), |(i, j)| (i * 10 + j) as f32);
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &Matrix::F4(a.clone()), Some(&names(n)[..])).unwrap();
    for size in [1, 2, 16, 17, 18, 1000] {
        for mut reader in [pipe(&bytes), file(&bytes)] {
            let ahead = reader.can_look_ahead();
            let mut incoming = reader.next_array().unwrap().unwrap();
            match incoming.labels_ahead().unwrap() {
                Some(labels) => assert_eq!((ahead, labels.ids), (true, Some(names(n)))),
                None => assert!(!ahead),
            }
            let mut values = Vec::new();
            while let Some(block) = incoming.next_rows(size).unwrap() {
                assert!(block.n_rows() <= size);
                values.extend(block.to_f64());
            }
            assert_eq!(values, a.mapv(f64::from).into_raw_vec_and_offset().0);
            assert_eq!(incoming.finish().unwrap().ids, Some(names(n)));
            assert!(reader.next_array().unwrap().is_none());
        }
    }
}

#[test]
fn truncation_anywhere_is_an_error_or_a_clean_end() {
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &Matrix::F4(Array2::ones((4, 3))), Some(&names(4)[..])).unwrap();
    let labels_start = header::format("<f4", &[4, 3]).len() + 48;
    for cut in 0..bytes.len() {
        for mut reader in [pipe(&bytes[..cut]), file(&bytes[..cut])] {
            match reader.read_all() {
                Ok(_) => assert_eq!(cut, labels_start, "only the end of the matrix is a whole stream"),
                Err(NpyError::Empty) => assert_eq!(cut, 0),
                Err(NpyError::Truncated { found, expected, .. }) => assert!(found < expected),
                Err(NpyError::NotNpy { .. }) => assert!(cut < 6),
                Err(other) => panic!("cut at {cut}: {other}"),
            }
        }
    }
}

#[test]
fn a_header_that_promises_the_moon_costs_no_memory() {
    for shape in [vec![1usize << 45, 2], vec![2, 1 << 45], vec![1 << 46]] {
        let bytes = raw("<f4", false, &shape, &[0; 100]);
        let message = file(&bytes).read_all().unwrap_err();
        assert!(matches!(message, NpyError::Truncated { found: 100, .. }), "{message}");
        assert!(matches!(pipe(&bytes).read_all().unwrap_err(), NpyError::Truncated { found: 100, .. }));
    }
    let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
    bytes.extend(u32::MAX.to_le_bytes());
    assert!(matches!(pipe(&bytes).read_all(), Err(NpyError::HeaderTooLong { .. })));
    let labels = raw("<U4000000000", false, &[3], &[]);
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &Matrix::F4(Array2::ones((3, 1))), NONE).unwrap();
    bytes.extend(labels);
    assert!(matches!(pipe(&bytes).read_all(), Err(NpyError::Truncated { .. })));
}

#[test]
fn header_versions_two_and_three_are_read() {
    for major in [2u8, 3] {
        let v1 = header::format("<f4", &[1, 1]);
        let mut bytes = vec![0x93, b'N', b'U', b'M', b'P', b'Y', major, 0];
        bytes.extend(((v1.len() - 10) as u32).to_le_bytes());
        bytes.extend(&v1[10..]);
        bytes.extend(2.5f32.to_le_bytes());
        assert_eq!(pipe(&bytes).read_all().unwrap()[0].values, Values::F4(vec![2.5]));
    }
    let mut bytes = header::format("<f4", &[1, 1]);
    bytes[6] = 4;
    assert!(matches!(pipe(&bytes).read_all(), Err(NpyError::Version { major: 4, .. })));
}

#[test]
fn labels_must_be_as_many_as_rows() {
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &Matrix::F4(Array2::ones((3, 1))), NONE).unwrap();
    write_labels(&mut bytes, &names(2)).unwrap();
    assert!(matches!(pipe(&bytes).read_all(), Err(NpyError::LabelCount { labels: 2, rows: 3 })));
    let mut reader = file(&bytes);
    let mut incoming = reader.next_array().unwrap().unwrap();
    assert!(matches!(incoming.labels_ahead(), Err(NpyError::LabelCount { labels: 2, rows: 3 })));
    assert!(matches!(incoming.finish(), Err(NpyError::LabelCount { labels: 2, rows: 3 })));
}

#[test]
fn text_first_and_other_bytes_are_named() {
    let mut bytes = Vec::new();
    write_labels(&mut bytes, &names(2)).unwrap();
    assert!(matches!(pipe(&bytes).read_all(), Err(NpyError::StrayLabels { .. })));
    let message = pipe(b"id,label\n1,face\n").read_all().unwrap_err().to_string();
    assert!(message.contains("id,label"), "{message}");
}

#[test]
fn integers_beyond_f8_are_refused() {
    let body = (9_007_199_254_740_993i64).to_le_bytes();
    assert!(matches!(pipe(&raw("<i8", false, &[1, 1], &body)).read_all(), Err(NpyError::InexactInteger(_))));
}

#[test]
fn rows_written_must_be_the_rows_promised() {
    let mut w = RowWriter::new(Vec::new(), 3, 2, Dtype::F4).unwrap();
    w.write_rows(arr2(&[[1f32, 2.]]).view()).unwrap();
    assert!(matches!(w.write_rows(arr2(&[[1f32]]).view()), Err(NpyError::ColumnCount { found: 1, expected: 2 })));
    assert!(matches!(w.finish(NONE), Err(NpyError::RowCount { written: 1, promised: 3 })));
    assert!(matches!(write_labels(Vec::new(), &["a\0b".into()]), Err(NpyError::Label { .. })));
}

#[test]
fn zero_rows_zero_columns_and_empty_labels_survive() {
    for shape in [(0, 3), (3, 0), (0, 0)] {
        let mut bytes = Vec::new();
        write_matrix(&mut bytes, &Matrix::F8(Array2::zeros(shape)), Some(&names(shape.0)[..])).unwrap();
        for mut reader in [pipe(&bytes), file(&bytes)] {
            let a = reader.read_all().unwrap().remove(0);
            assert_eq!((a.shape.as_slice(), a.labels.ids.as_ref().unwrap().len()), (&[shape.0, shape.1][..], shape.0));
        }
    }
}

#[test]
fn an_empty_id_names_nothing() {
    let two = ["a".to_string(), String::new()];
    assert!(matches!(write_labels(Vec::new(), &two), Err(NpyError::Label { index: 1, .. })));
    let mut bytes = Vec::new();
    write_matrix(&mut bytes, &Matrix::F4(Array2::ones((2, 1))), NONE).unwrap();
    bytes.extend(raw("<U1", false, &[2], &[b'a', 0, 0, 0, 0, 0, 0, 0]));
    assert!(matches!(pipe(&bytes).read_all(), Err(NpyError::Label { index: 1, .. })));
}

#[test]
fn a_number_that_the_dtype_cannot_hold_is_an_error_and_infinity_is_not() {
    for (value, dtype) in [(70_000.0, Dtype::F2), (1e300, Dtype::F4), (-1e39, Dtype::F4)] {
        let mut w = RowWriter::new(Vec::new(), 1, 1, dtype).unwrap();
        let written = w.write_rows(arr2(&[[value]]).view());
        assert!(matches!(written, Err(NpyError::Overflow { .. })), "{value}");
        let mut w = RowWriter::new(Vec::new(), 1, 2, dtype).unwrap();
        w.write_rows(arr2(&[[f64::INFINITY, f64::NAN]]).view()).unwrap();
    }
    assert!(matches!(write_vector(Vec::new(), &[1e300], Dtype::F4, NONE), Err(NpyError::Overflow { .. })));
}

#[test]
fn ids_that_are_not_text_are_named() {
    let mut matrix = Vec::new();
    write_matrix(&mut matrix, &Matrix::F4(Array2::ones((2, 1))), NONE).unwrap();
    let integers = raw("<i8", false, &[2], &[0; 16]);
    let objects = raw("|O", false, &[2], &[0; 16]);
    let times = raw("<M8[ns]", false, &[2], &[0; 16]);
    for behind in [integers, objects, times] {
        let stream = [matrix.clone(), behind].concat();
        for mut reader in [pipe(&stream), file(&stream)] {
            let error = reader.read_all().unwrap_err();
            assert!(matches!(error, NpyError::LabelDtype { rows: 2, array: 0, .. }), "{error}");
        }
    }
    // Byte strings are text as long as they are UTF-8, in either byte order's spelling.
    for (code, ids, expected) in [("|S4", "ab\0\0\u{9854}\0", ["ab", "\u{9854}"]), (">S2", "abcd", ["ab", "cd"])] {
        let stream = [matrix.clone(), raw(code, false, &[2], ids.as_bytes())].concat();
        for mut reader in [pipe(&stream), file(&stream)] {
            assert_eq!(reader.read_all().unwrap()[0].labels.ids.as_ref().unwrap(), &expected);
        }
    }
    for ids in [b"ab\xff\0", b"ab\0\0", b"a\0bc"] {
        let stream = [matrix.clone(), raw("|S2", false, &[2], ids)].concat();
        let read = pipe(&stream).read_all();
        assert_eq!(read.is_err(), ids != b"a\0bc", "{ids:?}");
    }
    // Another matrix, or an RDM of floats, is no set of ids.
    let mut stream = matrix.clone();
    write_vector(&mut stream, &[0.5f32, 0.25], Dtype::F4, NONE).unwrap();
    stream.extend(raw("<i4", false, &[2, 1], &[0; 8]));
    assert_eq!(pipe(&stream).read_all().unwrap().len(), 3);
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(String::from).to_vec()
}

#[test]
fn labels_come_back_in_every_combination_in_which_they_are_there() {
    let shapes: [(usize, usize); 4] = [(3, 2), (3, 0), (0, 2), (1, 1)];
    for (rows, columns) in shapes {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for bits in 0..8 {
            let given = |bit: usize| bits >> bit & 1 == 1;
            let labels = Labels {
                ids: given(0).then(|| names(rows)),
                // Names that are alike, and as wide as Unicode goes.
                columns: given(1).then(|| (0..columns).map(|c| format!("\u{10ffff} {}", c / 2)).collect()),
                name: given(2).then(|| "FFA, left".to_string()),
            };
            let matrix = Matrix::F4(Array2::from_elem((rows, columns), bits as f32));
            write_matrix(&mut stream, &matrix, &labels).unwrap();
            let columns = labels.columns.clone().filter(|names| !names.is_empty());
            // Of no rows an empty array is the ids, and where it only keeps their place nobody can tell.
            let ids = labels.ids.clone().or_else(|| (rows == 0 && columns.is_some()).then(Vec::new));
            expected.push((matrix, Labels { ids, columns, ..labels }));
        }
        for mut reader in [pipe(&stream), file(&stream)] {
            let read: Vec<(Matrix, Labels)> =
                reader.read_all().unwrap().into_iter().map(|array| array.into_matrix().unwrap()).collect();
            assert_eq!(read, expected);
        }
        // Ahead of the rows as behind them, and written again they are the same bytes.
        let (mut again, mut reader) = (Vec::new(), file(&stream));
        while let Some(mut incoming) = reader.next_array().unwrap() {
            let ahead = incoming.labels_ahead().unwrap().unwrap();
            let array = incoming.into_array().unwrap();
            assert_eq!(array.labels, ahead);
            write_array(&mut again, &array).unwrap();
        }
        assert_eq!(again, stream);
    }
}

#[test]
fn an_rdm_has_ids_and_a_name() {
    let mut stream = Vec::new();
    let (ids, columns) = (names(3), texts(["a", "b", "c"]));
    let labels = LabelsRef { ids: Some(&ids), columns: Some(&columns), name: Some("V1") };
    write_vector(&mut stream, &[0.1, 0.2, 0.3], Dtype::F8, labels).unwrap();
    write_vector(&mut stream, &[0.4], Dtype::F8, NONE).unwrap();
    let rdms = pipe(&stream).read_all().unwrap();
    assert_eq!(rdms[0].labels, Labels { ids: Some(ids), columns: None, name: Some("V1".into()) });
    assert_eq!(rdms[1].labels, Labels::default());
    let mut wrong = Vec::new();
    write_vector(&mut wrong, &[0.4], Dtype::F8, Some(&names(2)[..])).unwrap();
    write_labels(&mut wrong, &columns).unwrap();
    let error = pipe(&wrong).read_all().unwrap_err().to_string();
    assert!(error.contains("2 lists of text behind array 0 [1]") && error.contains("an RDM its ids alone"), "{error}");
}

/// A 3 x 2 matrix with ids, and this behind them.
fn behind_ids(more: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = Vec::new();
    write_matrix(&mut stream, &Matrix::F4(Array2::ones((3, 2))), Some(&names(3)[..])).unwrap();
    [vec![stream], more.to_vec()].concat().concat()
}

fn labels_bytes(labels: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_labels(&mut bytes, labels).unwrap();
    bytes
}

#[test]
fn names_that_are_wrong_are_errors_with_both_numbers() {
    let name = |text: &str| raw("<U1", false, &[], &u32::from(text.chars().next().unwrap()).to_le_bytes());
    let columns = labels_bytes(&texts(["a", "b"]));
    let mut matrix = Vec::new();
    write_matrix(&mut matrix, &Matrix::F4(Array2::ones((3, 2))), NONE).unwrap();
    let cases: [(Vec<Vec<u8>>, &str); 11] = [
        (vec![labels_bytes(&texts(["a", "b", "c"]))], "3 column names behind 2 columns"),
        (vec![columns.clone(), columns.clone()], "3 lists of text behind array 0 [3, 2]"),
        (vec![name("x"), name("y")], "text (shape []) where a matrix was expected"),
        (vec![name("x"), columns.clone()], "text (shape [2]) where a matrix was expected"),
        (vec![raw("|O", false, &[2], &[0; 16])], "pickled objects (|O)"),
        (vec![raw("|O", false, &[], &[0; 8])], "pickled objects (|O)"),
        (vec![raw("<U2", false, &[1, 2], &[65; 16])], "has shape [1, 2]; expected ids or names of columns"),
        (vec![raw("<U1", false, &[2], &[b'a', 0, 0, 0, 0, 0, 0, 0])], "column name 1 is empty"),
        (vec![raw("<U2000", false, &[], &[])], "the name of the array has 2000 characters; at most 1000"),
        (
            vec![raw("<U3", false, &[], &[b'a', 0, 0, 0, 0, 0, 0, 0, b'b', 0, 0, 0])],
            "the name of the array holds a NUL",
        ),
        (vec![raw("<U1", false, &[], &0xd800_u32.to_le_bytes())], "the name of the array is not valid Unicode"),
    ];
    for (behind, part) in cases {
        for mut reader in [pipe(&behind_ids(&behind)), file(&behind_ids(&behind))] {
            let error = reader.read_all().unwrap_err().to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    }
    // A matrix may follow at any place; a number is another array, which no name is.
    let four = raw("<f8", false, &[], &4_f64.to_le_bytes());
    for behind in [vec![], vec![columns.clone()], vec![name("x")], vec![columns.clone(), name("x")]] {
        let arrays = pipe(&behind_ids(&[behind.clone(), vec![matrix.clone()]].concat())).read_all().unwrap();
        assert_eq!((arrays.len(), arrays[1].labels.clone()), (2, Labels::default()));
        let mut arrays = pipe(&behind_ids(&[behind, vec![four.clone()]].concat())).read_all().unwrap();
        let error = arrays.remove(1).into_matrix().unwrap_err().to_string();
        assert!(error.contains("the name of an array is text"), "{error}");
    }
    // No name, whatever the width; byte strings are text here as in ids; an empty list names no columns.
    for (behind, expected) in [
        (vec![raw("<U0", false, &[], &[])], (None, None)),
        (vec![raw("<U2", false, &[], &[0; 8])], (None, None)),
        (vec![raw("|S3", false, &[], b"V1\0")], (None, Some("V1"))),
        (vec![raw("<U1", false, &[0], &[]), name("x")], (None, Some("x"))),
        (vec![raw("|S2", false, &[2], b"a\0bc"), name("x")], (Some(texts(["a", "bc"])), Some("x"))),
        (vec![raw(">U1", false, &[], &[0, 0, 0, b'x'])], (None, Some("x"))),
    ] {
        let labels = pipe(&behind_ids(&behind)).read_all().unwrap().remove(0).labels;
        assert_eq!((labels.columns, labels.name.as_deref()), expected);
    }
}

#[test]
fn names_cut_anywhere_are_an_error_or_a_clean_end() {
    let labels = Labels { ids: Some(names(3)), columns: Some(texts(["FFA", "OFA"])), name: Some("sub-01".into()) };
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    for kept in 0..4 {
        let Labels { ids, columns, name } = labels.clone();
        let kept = Labels {
            ids: ids.filter(|_| kept > 0),
            columns: columns.filter(|_| kept > 1),
            name: name.filter(|_| kept > 2),
        };
        bytes.clear();
        write_matrix(&mut bytes, &Matrix::F4(Array2::ones((3, 2))), &kept).unwrap();
        ends.push(bytes.len());
    }
    for cut in ends[0]..bytes.len() {
        for mut reader in [pipe(&bytes[..cut]), file(&bytes[..cut])] {
            match reader.read_all() {
                Ok(_) => assert!(ends.contains(&cut), "{cut}"),
                Err(NpyError::Truncated { found, expected, .. }) => assert!(found < expected),
                Err(NpyError::NotNpy { .. }) => {}
                Err(other) => panic!("cut at {cut}: {other}"),
            }
        }
    }
}

#[test]
fn more_axes_are_flattened_in_c_order() {
    let values: Vec<f32> = (0..24).map(|v| v as f32).collect();
    let c: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    // The same 2 x 3 x 4 array with its first axis fastest.
    let places = (0..4).flat_map(|k| (0..3).flat_map(move |j| (0..2).map(move |i| 12 * i + 4 * j + k)));
    let fortran: Vec<u8> = places.flat_map(|at| values[at].to_le_bytes()).collect();
    let names = labels_bytes(&texts(["a", "b"]));
    for (fortran, body) in [(false, c), (true, fortran)] {
        let bytes = [raw("<f4", fortran, &[2, 3, 4], &body), names.clone()].concat();
        for mut reader in [pipe(&bytes), file(&bytes)] {
            let mut array = reader.next_array().unwrap().unwrap();
            array.flatten().unwrap();
            assert_eq!(array.matrix_shape().unwrap(), (2, 12));
            let mut rows = Vec::new();
            while let Some(block) = array.next_rows(1).unwrap() {
                rows.extend(block.to_f64());
            }
            assert_eq!(rows, (0..24).map(f64::from).collect::<Vec<_>>());
            assert_eq!(array.finish().unwrap().ids, Some(texts(["a", "b"])));
        }
    }
    let mut three = pipe(&[raw("<f4", false, &[3, 1, 1], &[0; 12]), names].concat());
    let mut array = three.next_array().unwrap().unwrap();
    array.flatten().unwrap();
    assert!(matches!(array.into_array(), Err(NpyError::LabelCount { labels: 2, rows: 3 })));
}

#[test]
fn what_a_pipe_brings_last_is_known_first_where_it_is_held() {
    let matrix = Array2::from_shape_fn((5, 3), |(i, j)| (10 * i + j) as f32);
    let labels = Labels { ids: Some(names(5)), columns: None, name: Some("pool".into()) };
    let mut bytes = Vec::new();
    for _ in 0..2 {
        write_matrix(&mut bytes, &Matrix::F4(matrix.clone()), &labels).unwrap();
    }
    for mut reader in [pipe(&bytes), file(&bytes)] {
        while let Some(mut array) = reader.next_array().unwrap() {
            array.hold().unwrap();
            assert_eq!(array.labels_ahead().unwrap().as_ref(), Some(&labels));
            let mut rows = Vec::new();
            while let Some(block) = array.next_rows(2).unwrap() {
                rows.extend(block.to_f64());
            }
            assert_eq!(rows, matrix.mapv(f64::from).into_raw_vec_and_offset().0);
            assert_eq!(array.finish().unwrap(), labels);
        }
    }
    // Read as a whole and half taken, too.
    let mut reader = pipe(&bytes);
    let mut first = reader.next_array().unwrap().unwrap();
    first.hold().unwrap();
    assert_eq!(first.into_array().unwrap().labels, labels);
    let mut second = reader.next_array().unwrap().unwrap();
    second.hold().unwrap();
    second.next_rows(1).unwrap();
    assert_eq!(second.finish().unwrap(), labels);
    assert!(reader.next_array().unwrap().is_none());
}
