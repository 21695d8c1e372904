//! Images made here byte by byte or by the writer, read back; hostile headers.

use super::*;
use crate::volume_writer::{Intent, Voxels, write_volume};
use std::io::{Cursor, Write};

fn grid() -> Geometry {
    Geometry {
        shape: [2, 3, 4],
        affine: [[-3.0, 0.0, 0.25, 78.0], [0.0, 3.0, 0.0, -112.0], [0.5, 0.0, 3.0, -50.0]],
        space: 4,
    }
}

fn written(gzip: bool) -> Vec<u8> {
    let values: Vec<f32> = (0..24).map(|voxel| voxel as f32).collect();
    let mut bytes = Vec::new();
    write_volume(&mut bytes, Voxels::F4(&values), &grid(), Intent::T { df: 15.0 }, gzip).unwrap();
    bytes
}

fn open(bytes: Vec<u8>) -> Result<VolumeReader, VolumeError> {
    let length = bytes.len() as u64;
    VolumeReader::new(Cursor::new(bytes), Some(length))
}

fn volumes(bytes: Vec<u8>) -> Result<Vec<Vec<f64>>, VolumeError> {
    let mut reader = open(bytes)?;
    let (mut all, mut one) = (Vec::new(), Vec::new());
    while reader.next_volume(&mut one)? {
        all.push(one.clone());
    }
    Ok(all)
}

fn error_of(bytes: Vec<u8>) -> String {
    volumes(bytes).unwrap_err().to_string()
}

#[test]
fn what_is_written_is_read() {
    for gzip in [false, true] {
        let bytes = written(gzip);
        assert_eq!(open(bytes.clone()).unwrap().geometry(), &grid());
        assert_eq!(volumes(bytes).unwrap(), [(0..24).map(f64::from).collect::<Vec<_>>()]);
    }
}

#[test]
fn the_file_holds_i_fastest() {
    let bytes = written(false);
    let second = f32::from_le_bytes([bytes[356], bytes[357], bytes[358], bytes[359]]);
    // The second number of the file is voxel (1, 0, 0) = 12 in C order.
    assert_eq!(second, 12.0);
}

#[test]
fn labels_take_the_smallest_type_that_holds_them() {
    for (largest, code) in [(0, 2), (255, 2), (256, 4), (32767, 4), (32768, 8)] {
        let mut labels = vec![0u32; 24];
        labels[5] = largest;
        let mut bytes = Vec::new();
        write_volume(&mut bytes, Voxels::Labels(&labels), &grid(), Intent::Label, false).unwrap();
        assert_eq!(i16::from_le_bytes([bytes[70], bytes[71]]), code);
        assert_eq!(volumes(bytes).unwrap()[0][5], f64::from(largest));
    }
}

#[test]
fn a_dimension_beyond_16_bits_makes_a_nifti_2_file() {
    let geometry = Geometry::from_sizes([40_000, 1, 1], [2.0, 3.0, 4.0]);
    let values: Vec<f32> = (0..40_000).map(|voxel| voxel as f32).collect();
    let mut bytes = Vec::new();
    write_volume(&mut bytes, Voxels::F4(&values), &geometry, Intent::None, true).unwrap();
    let mut reader = open(bytes).unwrap();
    assert_eq!(reader.geometry(), &geometry);
    let mut read = Vec::new();
    assert!(reader.next_volume(&mut read).unwrap());
    assert_eq!(read[39_999], 39_999.0);
    assert!(!reader.next_volume(&mut read).unwrap());
}

/// A 2x1x1x2 image of int16, big-endian, slope 0.5, inter 10, with a qform and a 16-byte extension.
fn big_endian() -> Vec<u8> {
    let mut bytes = vec![0u8; 368];
    let mut put = |place: usize, field: &[u8]| bytes[place..place + field.len()].copy_from_slice(field);
    put(0, &348i32.to_be_bytes());
    for (index, n) in [4i16, 2, 1, 1, 2].iter().enumerate() {
        put(40 + 2 * index, &n.to_be_bytes());
    }
    put(70, &4i16.to_be_bytes());
    put(72, &16i16.to_be_bytes());
    for (index, size) in [-1f32, 2.0, 3.0, 4.0].iter().enumerate() {
        put(76 + 4 * index, &size.to_be_bytes());
    }
    put(108, &368f32.to_be_bytes());
    put(112, &0.5f32.to_be_bytes());
    put(116, &10f32.to_be_bytes());
    put(252, &1i16.to_be_bytes());
    put(268, &7f32.to_be_bytes());
    put(344, b"n+1\0");
    put(348, &[1, 0, 0, 0]);
    for value in [1i16, 2, 3, -4] {
        bytes.extend(value.to_be_bytes());
    }
    bytes
}

#[test]
fn big_endian_scaled_volumes_with_a_qform_and_an_extension() {
    let reader = open(big_endian()).unwrap();
    assert_eq!(reader.n_volumes(), 2);
    assert_eq!(reader.precision(), Precision::Double);
    assert_eq!(reader.geometry().affine, [[2.0, 0.0, 0.0, 7.0], [0.0, 3.0, 0.0, 0.0], [0.0, 0.0, -4.0, 0.0]]);
    assert_eq!(volumes(big_endian()).unwrap(), [[10.5, 11.0], [11.5, 8.0]]);
}

#[test]
fn a_slope_of_zero_or_nan_means_as_stored() {
    for slope in [0f32, f32::NAN, f32::INFINITY] {
        let mut bytes = big_endian();
        bytes[112..116].copy_from_slice(&slope.to_be_bytes());
        assert_eq!(open(bytes.clone()).unwrap().precision(), Precision::Single);
        assert_eq!(volumes(bytes).unwrap(), [[1.0, 2.0], [3.0, -4.0]]);
    }
}

#[test]
fn gzip_in_several_members_is_one_file() {
    let whole = written(false);
    let mut bytes = Vec::new();
    for part in whole.chunks(200) {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(part).unwrap();
        bytes.extend(encoder.finish().unwrap());
    }
    assert_eq!(volumes(bytes).unwrap(), volumes(whole).unwrap());
}

#[test]
fn a_header_that_promises_too_much_is_refused_with_both_numbers() {
    let mut bytes = written(false);
    for place in [42, 44, 46] {
        bytes[place..place + 2].copy_from_slice(&32767i16.to_le_bytes());
    }
    // 32767^3 * 4 + 352
    assert!(error_of(bytes).starts_with("the header needs 140724603847004 bytes"), "both numbers");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut header = written(false);
    header[42..44].copy_from_slice(&32767i16.to_le_bytes());
    gz.write_all(&header[..352]).unwrap();
    let gz = gz.finish().unwrap();
    let length = gz.len();
    let message = error_of(gz);
    assert!(message.contains("1573168 bytes") && message.contains(&format!("{length} (compressed)")), "{message}");
}

#[test]
fn dimensions_that_no_number_holds_are_refused_from_a_pipe_too() {
    let geometry = Geometry::from_sizes([40_000, 1, 1], [1.0; 3]);
    let mut bytes = Vec::new();
    write_volume(&mut bytes, Voxels::F4(&vec![0.0; 40_000]), &geometry, Intent::None, false).unwrap();
    // dim[1..=3] of NIfTI-2: products of 2^96 and of 2^186.
    for dimension in [1i64 << 32, 1 << 62] {
        for place in [24, 32, 40] {
            bytes[place..place + 8].copy_from_slice(&dimension.to_le_bytes());
        }
        let error = VolumeReader::new(Cursor::new(bytes.clone()), None).err().unwrap().to_string();
        assert!(error.starts_with("one volume needs") && error.contains("9223372036854775807"), "{error}");
    }
    // One that could be addressed is believed only as far as bytes come.
    for place in [24, 32, 40] {
        bytes[place..place + 8].copy_from_slice(&(1i64 << 19).to_le_bytes());
    }
    let mut reader = VolumeReader::new(Cursor::new(bytes), None).unwrap();
    let error = reader.next_volume(&mut Vec::new()).unwrap_err().to_string();
    assert_eq!(error, "ended after 160000 of 576460752303423488 bytes of voxels; the file is cut off");
}

#[test]
fn a_cut_file_is_an_error_wherever_the_cut_is() {
    let plain = written(false);
    for cut in [0, 1, 3, 100, 347, 351, 352, 400, plain.len() - 1] {
        assert!(volumes(plain[..cut].to_vec()).is_err(), "plain, cut at {cut}");
        // A pipe has no length to check beforehand.
        let reader = VolumeReader::new(Cursor::new(plain[..cut].to_vec()), None);
        assert!(reader.and_then(|mut reader| reader.next_volume(&mut Vec::new())).is_err(), "pipe, cut at {cut}");
    }
    let gz = written(true);
    for cut in 0..gz.len() {
        assert!(volumes(gz[..cut].to_vec()).is_err(), "gzip, cut at {cut} of {}", gz.len());
    }
    let cut = VolumeReader::new(Cursor::new(plain[..400].to_vec()), None).unwrap().next_volume(&mut Vec::new());
    assert_eq!(cut.unwrap_err().to_string(), "ended after 48 of 96 bytes of voxels; the file is cut off");
}

#[test]
fn a_damaged_checksum_is_an_error() {
    let mut bytes = written(true);
    let at = bytes.len() - 6;
    bytes[at] ^= 0xff;
    assert!(volumes(bytes).is_err());
}

#[test]
fn bad_fields_are_named() {
    let cases: [(usize, &[u8], &str); 8] = [
        (344, b"ni1", ".hdr/.img pair"),
        (344, b"abc", "not a NIfTI image"),
        (42, &[0, 0], "dim[1] is 0"),
        (40, &[9, 0], "dim[0] is 9"),
        (70, &[32, 0], "data type 32"),
        (72, &[16, 0], "bitpix is 16, but data type 16 has 32 bits"),
        (108, &[0, 0, 0x20, 0x41], "vox_offset is 10"),
        (280, &[0, 0, 0xc0, 0x7f], "not finite"),
    ];
    for (place, field, expected) in cases {
        let mut bytes = written(false);
        bytes[place..place + field.len()].copy_from_slice(field);
        let message = error_of(bytes);
        assert!(message.contains(expected), "{message}");
    }
    assert!(error_of(b"\x93NUMPY".iter().copied().cycle().take(400).collect()).starts_with("not a NIfTI"));
}

#[test]
fn knows_an_image_by_its_first_bytes() {
    assert!(looks_like_nifti(&written(false)[..8]) && looks_like_nifti(&written(true)[..8]));
    assert!(looks_like_nifti(&big_endian()[..8]));
    assert!(!looks_like_nifti(b"\x93NUMPY\x01\x00") && !looks_like_nifti(b"") && !looks_like_nifti(b"roi,voxel"));
}

#[test]
fn a_repetition_time_is_in_the_unit_that_the_header_names() {
    let seconds = |step: f32, units: u8| {
        let mut bytes = written(false);
        bytes[92..96].copy_from_slice(&step.to_le_bytes());
        bytes[123] = units;
        open(bytes).unwrap().repetition_seconds()
    };
    assert_eq!([seconds(0.8, 10), seconds(0.8, 2), seconds(800.0, 18), seconds(8e5, 26)], [Some(0.8); 4]);
    // 0, less, no number, hertz.
    assert_eq!([seconds(0.0, 10), seconds(-2.0, 10), seconds(f32::NAN, 10), seconds(2.0, 34)], [None; 4]);
    assert_eq!(open(written(true)).unwrap().repetition_seconds(), None);
}

#[test]
fn intents_hold_their_degrees_of_freedom() {
    let values = [0.0; 24];
    for (intent, code, parameters) in [
        (Intent::T { df: 15.0 }, 3, [15.0, 0.0]),
        (Intent::F { df1: 2.0, df2: 54.0 }, 4, [2.0, 54.0]),
        (Intent::Z, 5, [0.0, 0.0]),
    ] {
        let mut bytes = Vec::new();
        write_volume(&mut bytes, Voxels::F4(&values), &grid(), intent, false).unwrap();
        let real = |at: usize| f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((bytes[68], [real(56), real(60)]), (code, parameters));
    }
}

/// Three volumes of int16 on a grid whose first axis is not a whole number of the blocks in which it is turned.
fn numbered(shape: [usize; 3]) -> Vec<u8> {
    let [nx, ny, nz] = shape;
    let values = vec![0f32; nx * ny * nz];
    let mut bytes = Vec::new();
    write_volume(&mut bytes, Voxels::F4(&values), &Geometry::from_sizes(shape, [1.0; 3]), Intent::None, false).unwrap();
    bytes.truncate(352);
    for (place, field) in [(40, 4i16), (48, 3), (70, 4), (72, 16)] {
        bytes[place..place + 2].copy_from_slice(&field.to_le_bytes());
    }
    (0..3 * values.len()).for_each(|n| bytes.extend((n as i16).to_le_bytes()));
    bytes
}

#[test]
fn every_voxel_comes_to_its_place_whatever_the_shape() {
    for shape in [[1, 1, 1], [16, 2, 3], [37, 3, 5], [5, 7, 1], [2, 1, 40]] {
        let [nx, ny, nz] = shape;
        let read = volumes(numbered(shape)).unwrap();
        for (volume, values) in read.iter().enumerate() {
            for (voxel, value) in values.iter().enumerate() {
                let (i, j, k) = (voxel / (ny * nz), voxel / nz % ny, voxel % nz);
                assert_eq!(*value, (i + nx * (j + ny * (k + nz * volume))) as f64, "{shape:?}, ({i}, {j}, {k})");
            }
        }
    }
}

#[test]
fn voxels_that_are_kept_are_those_of_the_whole_and_the_others_are_nan() {
    // Behind one another, compressed, in both byte orders: the voxels kept of the first image are kept of the second.
    let file = numbered([37, 3, 5]);
    let kept = [554, 3, 77, 0, 500];
    for (file, kept) in [([file.clone(), file].concat(), &kept[..]), ([big_endian(), big_endian()].concat(), &[1])] {
        let whole = volumes(file.clone()).unwrap();
        let mut reader = open(file).unwrap();
        reader.keep(kept);
        // A vector that held something else before.
        let mut one = vec![5.0; whole[0].len()];
        for volume in &whole {
            assert!(reader.next_volume(&mut one).unwrap());
            for (voxel, value) in one.iter().enumerate() {
                let expected = if kept.contains(&voxel) { volume[voxel] } else { f64::NAN };
                assert_eq!(value.to_bits(), expected.to_bits(), "voxel {voxel}");
            }
        }
        assert!(!reader.next_volume(&mut one).unwrap());
    }
}

#[test]
fn what_is_damaged_is_an_error_though_no_voxel_of_it_is_kept() {
    let packed = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let read = |bytes: Vec<u8>| {
        let mut reader = open(bytes)?;
        reader.keep(&[0]);
        let mut one = Vec::new();
        while reader.next_volume(&mut one)? {}
        Ok::<_, VolumeError>(())
    };
    let file = numbered([37, 3, 5]);
    let whole = packed(&file);
    assert!(read(whole.clone()).is_ok());
    // Cut in the second volume, before the checksum; a checksum of other bytes; a byte more than the header says.
    let two = packed(&file[..file.len() - 2]);
    let message = read(two).unwrap_err().to_string();
    assert_eq!(message, "ended after 3328 of 3330 bytes of voxels; the file is cut off");
    let message = read(whole[..whole.len() - 3].to_vec()).unwrap_err().to_string();
    assert!(message.contains("ends before its checksum"), "{message}");
    let mut other = whole.clone();
    let at = other.len() - 8;
    other[at] ^= 1;
    assert!(matches!(read(other), Err(VolumeError::Damaged(_))));
    let message = read(packed(&[&file[..], &[1]].concat())).unwrap_err().to_string();
    assert!(message.starts_with("1 bytes follow the 3682 bytes"), "{message}");
}
