use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::volume_writer::Intent;

fn array(attributes: &str, data: &str) -> String {
    format!(
        "<GIFTI Version=\"1.0\" NumberOfDataArrays=\"1\"><LabelTable><Label Key=\"3\">a &amp; b</Label></LabelTable><DataArray \
         Intent=\"NIFTI_INTENT_NONE\" {attributes}><Data>{data}</Data></DataArray></GIFTI>"
    )
}

fn shaped(kind: &str, encoding: &str, order: &str, endian: &str, data: &str) -> String {
    let attributes = format!(
        "DataType=\"NIFTI_TYPE_{kind}\" Encoding=\"{encoding}\" ArrayIndexingOrder=\"{order}MajorOrder\" Endian=\"{endian}Endian\" \
         Dimensionality=\"2\" Dim0=\"2\" Dim1=\"3\" ExternalFileName=\"x.dat\" ExternalFileOffset=\"4\""
    );
    array(&attributes, data)
}

fn zlib(raw: &[u8]) -> String {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, raw).unwrap();
    STANDARD.encode(packed.finish().unwrap())
}

fn read_plain(text: &str) -> Result<Gifti, GiftiError> {
    read(text.as_bytes(), nothing_beside)
}

/// The numbers 1.5, -2, 3, 4, 5, 6 stored as the type says, or rounded to whole ones.
fn stored(kind: &str, big: bool) -> (Vec<u8>, Vec<f64>) {
    let numbers =
        if kind.starts_with('F') { [1.5, -2.0, 3.0, 4.0, 5.0, 6.0] } else { [1.0, 2.0, 3.0, 4.0, 5.0, 250.0] };
    let bytes = |number: f64| -> Vec<u8> {
        let mut bytes = match kind {
            "FLOAT32" => (number as f32).to_le_bytes().to_vec(),
            "FLOAT64" => number.to_le_bytes().to_vec(),
            "INT32" => (number as i32).to_le_bytes().to_vec(),
            _ => vec![number as u8],
        };
        if big {
            bytes.reverse();
        }
        bytes
    };
    (numbers.into_iter().flat_map(bytes).collect(), numbers.to_vec())
}

#[test]
fn every_type_encoding_order_and_endian() {
    for kind in ["FLOAT32", "FLOAT64", "INT32", "UINT8"] {
        for (endian, big) in [("Little", false), ("Big", true)] {
            let (raw, numbers) = stored(kind, big);
            let text = numbers.iter().map(f64::to_string).collect::<Vec<_>>().join("\n ");
            let beside = [vec![9u8; 4], raw.clone()].concat();
            for (encoding, data) in [
                ("ASCII", text),
                ("Base64Binary", STANDARD.encode(&raw)),
                ("GZipBase64Binary", zlib(&raw)),
                ("ExternalFileBinary", String::new()),
            ] {
                for order in ["Row", "Column"] {
                    let file = shaped(kind, encoding, order, endian, &data);
                    let open = |name: &str| {
                        assert_eq!(name, "x.dat");
                        Ok(Box::new(Cursor::new(beside.clone())) as Box<dyn ReadSeek>)
                    };
                    let gifti = read(file.as_bytes(), open).unwrap();
                    let of = |at: usize| numbers[at];
                    // Column-major: the first axis runs fastest.
                    let wanted = match order {
                        "Row" => numbers.clone(),
                        _ => [0, 2, 4, 1, 3, 5].map(of).to_vec(),
                    };
                    assert_eq!(gifti.arrays[0].values.to_f64(), wanted, "{kind} {encoding} {order} {endian}");
                    assert_eq!(gifti.arrays[0].shape, [2, 3]);
                    assert_eq!(gifti.labels, [Label { key: 3, name: "a & b".into() }]);
                    // Two vertices, three maps.
                    let maps = gifti.into_maps().unwrap();
                    assert_eq!(maps.maps[1].1.to_f64(), [wanted[1], wanted[4]]);
                }
            }
        }
    }
}

#[test]
fn what_is_written_comes_back() {
    let surface = Surface { structure: Some("CORTEX_RIGHT".into()), n_vertices: 4 };
    let (a, b) = ([1.5f32, f32::NAN, -0.0, 3e38], [0.0f32; 4]);
    let mut file = Vec::new();
    let maps = [Metric { name: "faces > \"places\"", values: &a }, Metric { name: "", values: &b }];
    write_metrics(&mut file, &surface, &maps, Intent::T { df: 7.0 }).unwrap();
    let read_back = read(&file, nothing_beside).unwrap();
    assert_eq!(read_back.arrays[0].intent, "NIFTI_INTENT_TTEST");
    assert!(read_back.arrays[0].metadata.contains(&("intent_p1".into(), "7".into())));
    let back = read_back.into_maps().unwrap();
    assert_eq!(back.surface, surface);
    assert_eq!((back.maps[0].0.as_str(), back.maps[1].0.as_str()), ("faces > \"places\"", ""));
    let Values::Single(values) = &back.maps[0].1 else { panic!("f4") };
    assert!(values.iter().zip(a).all(|(x, y)| x.to_bits() == y.to_bits()));

    let mut file = Vec::new();
    write_labels(&mut file, &surface, &[0, 2, 2, 1], &[(1, "FFA"), (2, "a<b")]).unwrap();
    let back = read(&file, nothing_beside).unwrap().into_maps().unwrap();
    assert_eq!(back.maps[0].1.to_f64(), [0.0, 2.0, 2.0, 1.0]);
    assert_eq!(back.labels[2], Label { key: 2, name: "a<b".into() });
    assert!(write_labels(Vec::new(), &surface, &[0], &[]).unwrap_err().to_string().contains("1 values"));
}

#[test]
fn every_cut_is_an_error() {
    let mut file = Vec::new();
    let surface = Surface { structure: None, n_vertices: 3 };
    write_metrics(&mut file, &surface, &[Metric { name: "x", values: &[1.0, 2.0, 3.0] }], Intent::None).unwrap();
    let end = file.trim_ascii_end().len();
    for n in 0..end {
        assert!(read(&file[..n], nothing_beside).is_err(), "{n} of {end}");
    }
    assert!(read(&file[..end], nothing_beside).is_ok());
    // The text of an array cut at every place, the XML around it whole.
    let (raw, _) = stored("FLOAT32", false);
    for (encoding, data) in [("Base64Binary", STANDARD.encode(&raw)), ("GZipBase64Binary", zlib(&raw))] {
        for n in 0..data.len() {
            let file = shaped("FLOAT32", encoding, "Row", "Little", &data[..n]);
            assert!(read_plain(&file).is_err(), "{encoding} {n}");
        }
        assert!(read_plain(&shaped("FLOAT32", encoding, "Row", "Little", &data)).is_ok());
    }
}

#[track_caller]
fn refused(file: &str, parts: &[&str]) {
    let message = read_plain(file).unwrap_err().to_string();
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn wrong_lengths_say_both_numbers() {
    refused(&shaped("FLOAT32", "ASCII", "Row", "Little", "1 2 3 4 5"), &["[2, 3]", "11", "9"]);
    refused(&shaped("FLOAT32", "ASCII", "Row", "Little", "1.0 2.0 3.0 4.0 5.0"), &["need 6 numbers", "are 5"]);
    refused(&shaped("FLOAT32", "ASCII", "Row", "Little", "1 2 3 4 5 6 7"), &["need 6 numbers", "are 7"]);
    refused(&shaped("INT32", "ASCII", "Row", "Little", "1 2 3.5 4 5 6"), &["number 2 of 6", "3.5"]);
    refused(&shaped("UINT8", "ASCII", "Row", "Little", "1 2 300 4 5 6"), &["number 2 of 6", "300"]);
    refused(&shaped("FLOAT32", "ASCII", "Row", "Little", "1 2 x 4 5 6"), &["number 2 of 6", "\"x\""]);
    let long = STANDARD.encode([0u8; 28]);
    refused(&shaped("FLOAT32", "Base64Binary", "Row", "Little", &long), &["24 bytes", "28"]);
    refused(&shaped("FLOAT32", "GZipBase64Binary", "Row", "Little", &zlib(&[0; 28])), &["24 bytes", "25 or more"]);
    refused(&shaped("FLOAT32", "GZipBase64Binary", "Row", "Little", &zlib(&[0; 20])), &["24 bytes", "are 20"]);
    refused(&shaped("FLOAT32", "GZipBase64Binary", "Row", "Little", "AAAAAAAAAAAAAAAA"), &["0 of 24 bytes"]);
    refused(&shaped("FLOAT32", "Base64Binary", "Row", "Little", &"$".repeat(32)), &["Base64 of 32 characters"]);
    refused(&shaped("FLOAT32", "ExternalFileBinary", "Row", "Little", ""), &["x.dat", "a pipe has no files"]);
    let short = |_: &str| Ok(Box::new(Cursor::new(vec![0u8; 27])) as Box<dyn ReadSeek>);
    let file = shaped("FLOAT32", "ExternalFileBinary", "Row", "Little", "");
    let message = read(file.as_bytes(), short).unwrap_err().to_string();
    assert!(message.contains("28 bytes with the offset") && message.contains("27 in the external file"), "{message}");
}

#[test]
fn promises_that_nothing_can_keep_are_refused_before_memory_is_taken() {
    let huge = |encoding: &str| {
        let attributes = format!(
            "DataType=\"NIFTI_TYPE_FLOAT64\" Encoding=\"{encoding}\" Endian=\"LittleEndian\" Dimensionality=\"3\" \
             Dim0=\"9999999999999\" Dim1=\"9999999999999\" Dim2=\"9999999999999\" ExternalFileName=\"x.dat\""
        );
        array(&attributes, "AAAA")
    };
    for encoding in ["ASCII", "Base64Binary", "GZipBase64Binary"] {
        refused(&huge(encoding), &["9999999999999"]);
    }
    let beside = |_: &str| Ok(Box::new(Cursor::new(vec![0u8; 8])) as Box<dyn ReadSeek>);
    let message = read(huge("ExternalFileBinary").as_bytes(), beside).unwrap_err().to_string();
    assert!(message.contains("are 8 in the external file"), "{message}");
}

#[test]
fn words_that_the_standard_does_not_know() {
    refused(&shaped("COMPLEX64", "ASCII", "Row", "Little", "1"), &["DataType", "NIFTI_TYPE_COMPLEX64"]);
    refused(&shaped("FLOAT32", "Hex", "Row", "Little", "1"), &["Encoding", "\"Hex\"", "ASCII"]);
    refused(&shaped("FLOAT32", "Base64Binary", "Row", "Middle", "1"), &["MiddleEndian"]);
    refused(&shaped("FLOAT32", "ASCII", "Any", "Little", "1"), &["AnyMajorOrder"]);
    refused("<X/>", &["<X>", "<GIFTI>"]);
    refused("<GIFTI NumberOfDataArrays=\"2\"></GIFTI>", &["is 2", "are 0"]);
    let axes = |n: &str| {
        let attributes = format!("DataType=\"NIFTI_TYPE_UINT8\" Encoding=\"ASCII\" Dimensionality=\"{n}\" Dim0=\"0\"");
        array(&attributes, "")
    };
    refused(&axes("7"), &["7", "1 to 6"]);
    refused(&axes("1"), &["Dim0 is 0"]);
    refused(&axes("-1"), &["\"-1\""]);
    refused(&axes("2").replace("Dim0=\"0\"", "Dim0=\"1\""), &["no attribute Dim1"]);
}

#[test]
fn a_surface_is_its_points_and_triangles() {
    let mesh = |corner: &str| {
        format!(
            "<GIFTI NumberOfDataArrays=\"2\"><DataArray Intent=\"NIFTI_INTENT_POINTSET\" DataType=\"NIFTI_TYPE_FLOAT32\" \
             Encoding=\"ASCII\" Dimensionality=\"2\" Dim0=\"3\" Dim1=\"3\"><MetaData><MD><Name>AnatomicalStructurePrimary</Name>\
             <Value>CortexLeft</Value></MD></MetaData><Data>0 0 0 1 0 0 0 2 0</Data></DataArray><DataArray \
             Intent=\"NIFTI_INTENT_TRIANGLE\" DataType=\"NIFTI_TYPE_INT32\" Encoding=\"ASCII\" Dimensionality=\"2\" Dim0=\"1\" \
             Dim1=\"3\"><Data>0 1 {corner}</Data></DataArray></GIFTI>"
        )
    };
    let read_back = read_plain(&mesh("2")).unwrap().into_mesh().unwrap();
    assert_eq!(read_back.coordinates, [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]);
    assert_eq!((read_back.triangles, read_back.structure), (vec![[0, 1, 2]], Some("CORTEX_LEFT".into())));
    let message = read_plain(&mesh("3")).unwrap().into_mesh().unwrap_err().to_string();
    assert!(message.contains("vertex 3") && message.contains("3 vertices"), "{message}");
    assert!(read_plain(&mesh("2")).unwrap().into_maps().unwrap_err().to_string().contains("0 of 2 arrays are maps"));
    assert!(looks_like_gifti(mesh("2").as_bytes()) && !looks_like_gifti(b"<html>"));
}
