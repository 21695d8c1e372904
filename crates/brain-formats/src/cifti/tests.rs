use std::io::Cursor;

use super::*;
use crate::geometry::Geometry;
use crate::space::{Grayordinates, Model, Parcel, Parcels, Part};
use crate::volume::{Image, open};

fn grid() -> Geometry {
    Geometry {
        shape: [3, 4, 5],
        affine: [[-2.0, 0.0, 0.0, 90.0], [0.0, 2.0, 0.0, -126.0], [0.0, 0.0, 2.0, -72.0]],
        space: 4,
    }
}

fn space() -> Space {
    let models = vec![
        Model {
            structure: "CORTEX_LEFT".into(),
            first: 0,
            part: Part::Vertices { n_vertices: 10, vertices: vec![0, 3, 9] },
        },
        Model { structure: "THALAMUS_RIGHT".into(), first: 3, part: Part::Voxels(vec![[2, 3, 4], [0, 0, 0]]) },
    ];
    Space::Grayordinates(Grayordinates { volume: Some(grid()), models })
}

fn file(space: &Space, maps: &[(&str, &[f32])]) -> Vec<u8> {
    let maps: Vec<Scalar<'_>> = maps.iter().map(|&(name, values)| Scalar { name, values }).collect();
    let mut file = Vec::new();
    write_scalars(&mut file, space, &maps).unwrap();
    file
}

fn read(file: Vec<u8>) -> Result<(Rows, Space, Values), CiftiError> {
    let length = file.len() as u64;
    match open(Cursor::new(file), Some(length))? {
        Image::Cifti(reader) => reader.into_values(),
        Image::Volumes(_) => panic!("volumes"),
    }
}

#[test]
fn what_is_written_comes_back() {
    let (a, b) = ([1.0f32, -2.5, f32::NAN, 4.0, 5.0], [0.5f32; 5]);
    let (rows, columns, values) = read(file(&space(), &[("faces > \"places\" & more", &a), ("b", &b)])).unwrap();
    let Rows::Maps(maps) = rows else { panic!("maps") };
    assert_eq!((maps[0].name.as_str(), maps[1].name.as_str(), maps.len()), ("faces > \"places\" & more", "b", 2));
    assert_eq!(columns, space());
    let Values::Single(values) = values else { panic!("f4") };
    assert!(values.iter().zip(a.iter().chain(&b)).all(|(x, y)| x.to_bits() == y.to_bits()));
    assert_eq!(columns.place(3).millimetres, Some([86.0, -120.0, -64.0]));

    let parcels = Space::Parcels(Parcels {
        volume: Some(grid()),
        surfaces: vec![("CORTEX_LEFT".into(), 10)],
        parcels: vec![
            Parcel { name: "V1 & V2".into(), vertices: vec![("CORTEX_LEFT".into(), vec![1, 2])], voxels: vec![] },
            Parcel { name: "LGN".into(), vertices: vec![], voxels: vec![[1, 1, 1]] },
        ],
    });
    let (_, columns, values) = read(file(&parcels, &[("x", &[1.0, 2.0])])).unwrap();
    assert_eq!((columns, values.to_f64()), (parcels, vec![1.0, 2.0]));
    assert!(write_scalars(Vec::new(), &Space::Grid(grid()), &[]).is_err());
}

#[test]
fn many_columns_cross_the_blocks() {
    let n = 300_000usize;
    let vertices: Vec<u32> = (0..n as u32).collect();
    let part = Part::Vertices { n_vertices: n, vertices };
    let models = vec![Model { structure: "CORTEX_LEFT".into(), first: 0, part }];
    let wide = Space::Grayordinates(Grayordinates { volume: None, models });
    let a: Vec<f32> = (0..n).map(|v| v as f32).collect();
    let b: Vec<f32> = a.iter().map(|v| -v).collect();
    let (_, _, values) = read(file(&wide, &[("a", &a), ("b", &b)])).unwrap();
    assert!((0..n).all(|v| values.get(v) == v as f64 && values.get(n + v) == -(v as f64)));
}

#[test]
fn every_cut_is_an_error_and_so_is_what_follows() {
    let whole = file(&space(), &[("a", &[1.0, 2.0, 3.0, 4.0, 5.0])]);
    for n in 0..whole.len() {
        assert!(read(whole[..n].to_vec()).is_err(), "{n}");
        let pipe = open(Cursor::new(whole[..n].to_vec()), None).and_then(|image| match image {
            Image::Cifti(reader) => reader.into_values().map(|_| ()),
            Image::Volumes(_) => panic!("volumes"),
        });
        assert!(pipe.is_err(), "{n}");
    }
    let message = read([whole.clone(), vec![7; 3]].concat()).unwrap_err().to_string();
    assert!(message.contains("3 bytes follow"), "{message}");
    let message = read(whole[..whole.len() - 5].to_vec()).unwrap_err().to_string();
    assert!(
        message.contains(&whole.len().to_string()) && message.contains(&(whole.len() - 5).to_string()),
        "{message}"
    );
}

/// The file with a part of its XML replaced by as many bytes.
fn edited(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = file(&space(), &[("a", &[1.0, 2.0, 3.0, 4.0, 5.0])]);
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[test]
fn contradictions_say_both_numbers() {
    let refused = |bytes: Vec<u8>, parts: &[&str]| {
        let message = read(bytes).unwrap_err().to_string();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    };
    refused(edited("IndexCount=\"3\"", "IndexCount=\"4\""), &["is 4", "has 3"]);
    refused(edited("IndexOffset=\"3\"", "IndexOffset=\"4\""), &["column 4", "ends at 3"]);
    refused(edited("0 3 9<", "0 3 10"), &["damaged"]);
    refused(edited(">0 3 9<", ">0 33 <"), &["vertex 33", "10 vertices"]);
    refused(edited("2 3 4", "2 9 4"), &["[2, 9, 4]", "3x4x5"]);
    refused(edited("2 3 4", "2 344"), &["5 numbers of voxels"]);
    refused(edited("Version=\"2\"", "Version=\"1\""), &["version \"1\""]);
    refused(edited("\"3,4,5\"", "\"3,4x5\""), &["3,4x5"]);
    refused(edited("INDEX_TYPE_SCALARS", "INDEX_TYPE_PARCELS"), &["not supported", "dense"]);
    refused(edited("MODEL_TYPE_VOXELS", "MODEL_TYPE_NEURON"), &["NEURON"]);
    refused(edited("SurfaceNumberOfVertices", "SurfaceNumberOfVirtices"), &["no attribute SurfaceNumberOfVertices"]);
    // A column less than the header says, in the numbers of the header alone.
    let mut bytes = file(&space(), &[("a", &[1.0, 2.0, 3.0, 4.0, 5.0])]);
    bytes[16 + 48..16 + 56].copy_from_slice(&4i64.to_le_bytes());
    refused(bytes, &["columns 4", "has 5"]);
    // An extension that is said to be longer than the place before the matrix.
    let mut bytes = file(&space(), &[("a", &[1.0, 2.0, 3.0, 4.0, 5.0])]);
    bytes[544..548].copy_from_slice(&1_000_000i32.to_le_bytes());
    refused(bytes, &["999992"]);
    // A matrix that no file holds.
    let mut bytes = file(&space(), &[("a", &[1.0, 2.0, 3.0, 4.0, 5.0])]);
    bytes[16 + 40..16 + 48].copy_from_slice(&1_000_000_000_000i64.to_le_bytes());
    refused(bytes, &["20000000"]);
}
