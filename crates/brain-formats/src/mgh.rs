//! FreeSurfer's MGH files (`.mgh`, and `.mgz` compressed): volumes, and maps of a surface.
//!
//! A big-endian header of 284 bytes, the numbers with the first axis fastest, and a footer of scanner settings that is
//! not needed. [`crate::volume::VolumeReader`] reads them as it reads NIfTI. A file whose second and third axes have
//! length 1 is an overlay: a map of a surface, whose vertices are the first axis.
//!
//! The format: FreeSurfer's `mriio.c` and its wiki page "FsTutorial/MghFormat". A header without a position stands for
//! a coronal volume as FreeSurfer takes it; nibabel (5.4) transposes that one matrix.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::geometry::Geometry;
use crate::volume::VolumeError;
use crate::volume::header::{Header, Stored};

/// Bytes of the header.
pub(crate) const HEADER: usize = 284;

/// Whether a stream with these first bytes (unpacked) is an MGH file: version 1, and one of FreeSurfer's kinds of
/// number.
pub fn looks_like_mgh(first: &[u8]) -> bool {
    let word = |at: usize| first.get(at..)?.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
    word(0) == Some(1) && matches!(word(20), Some(0..=10))
}

/// What a header says.
pub(crate) fn parse(bytes: &[u8; HEADER]) -> Result<Header, VolumeError> {
    let word = |at: usize| i32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let real = |at: usize| f64::from(f32::from_bits(word(at) as u32));
    let mut lengths = [0usize; 4];
    for (index, length) in lengths.iter_mut().enumerate() {
        let value = word(4 + 4 * index);
        let good = usize::try_from(value).ok().filter(|&n| n > 0);
        let rule = "it must be at least 1";
        *length = good.ok_or(VolumeError::Dimension { index: index + 1, value: i64::from(value), rule })?;
    }
    let stored = match word(20) {
        0 => Stored::U1,
        1 => Stored::I4,
        3 => Stored::F4,
        4 => Stored::I2,
        10 => Stored::U2,
        code => return Err(VolumeError::MghType { code }),
    };
    let shape = [lengths[0], lengths[1], lengths[2]];
    let positioned = i16::from_be_bytes([bytes[28], bytes[29]]) > 0;
    let (sizes, directions, centre) = if positioned {
        let three = |at: usize| [0, 4, 8].map(|more| real(at + more));
        (three(30), [three(42), three(54), three(66)], three(78))
    } else {
        ([1.0; 3], CORONAL, [0.0; 3])
    };
    Ok(Header::of_mgh(affine(shape, sizes, directions, centre).checked()?, lengths[3], stored))
}

/// Directions of the axes of a coronal volume: to the left, down, to the front.
const CORONAL: [[f64; 3]; 3] = [[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]];

/// The affine of axes with these directions and steps; `centre` is the place of voxel (nx/2, ny/2, nz/2).
fn affine(shape: [usize; 3], sizes: [f64; 3], directions: [[f64; 3]; 3], centre: [f64; 3]) -> Geometry {
    let mut affine = [[0.0; 4]; 3];
    for (row, entries) in affine.iter_mut().enumerate() {
        for axis in 0..3 {
            entries[axis] = directions[axis][row] * sizes[axis];
        }
        let to_centre: f64 = (0..3).map(|axis| entries[axis] * shape[axis] as f64 / 2.0).sum();
        entries[3] = centre[row] - to_centre;
    }
    Geometry { shape, affine, space: 1 }
}

/// Writes volumes of f4, or an overlay (a grid of n x 1 x 1), one after the other in `values`; compressed on request.
/// The same values give the same bytes.
pub fn write_mgh(out: impl Write, values: &[f32], grid: &Geometry, gzip: bool) -> io::Result<()> {
    if gzip {
        let mut out = GzEncoder::new(out, Compression::default());
        write_plain(&mut out, values, grid)?;
        out.finish()?.flush()
    } else {
        let mut out = out;
        write_plain(&mut out, values, grid)?;
        out.flush()
    }
}

/// The grid under which the values of a surface are written.
pub fn overlay(n_vertices: usize) -> Geometry {
    affine([n_vertices, 1, 1], [1.0; 3], CORONAL, [0.0; 3])
}

fn write_plain(out: &mut impl Write, values: &[f32], grid: &Geometry) -> io::Result<()> {
    let [nx, ny, nz] = grid.shape;
    let n_frames = values.len() / grid.n_voxels().max(1);
    let mut header = Vec::with_capacity(HEADER);
    header.extend(1i32.to_be_bytes());
    for length in [nx, ny, nz, n_frames] {
        let length = i32::try_from(length).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("length {length} is more than {}", i32::MAX))
        })?;
        header.extend(length.to_be_bytes());
    }
    // f4, no degrees of freedom, and a position.
    header.extend(3i32.to_be_bytes());
    header.extend(0i32.to_be_bytes());
    header.extend(1i16.to_be_bytes());
    let sizes = grid.sizes();
    let mut real = |value: f64| header.extend((value as f32).to_be_bytes());
    sizes.into_iter().for_each(&mut real);
    for axis in 0..3 {
        let size = if sizes[axis] > 0.0 { sizes[axis] } else { 1.0 };
        grid.affine.iter().for_each(|row| real(row[axis] / size));
    }
    for row in &grid.affine {
        real(row[3] + (0..3).map(|axis| row[axis] * grid.shape[axis] as f64 / 2.0).sum::<f64>());
    }
    header.resize(HEADER, 0);
    out.write_all(&header)?;
    let mut row = Vec::with_capacity(4 * nx);
    for first in (0..n_frames).map(|frame| frame * grid.n_voxels()) {
        for (k, j) in (0..nz).flat_map(|k| (0..ny).map(move |j| (k, j))) {
            row.clear();
            row.extend((0..nx).flat_map(|i| values[first + grid.voxel([i, j, k])].to_be_bytes()));
            out.write_all(&row)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VolumeReader;
    use std::io::Cursor;

    fn oblique() -> Geometry {
        let affine = [[-1.5, 0.3, 0.0, 10.0], [0.3, 1.5, 0.2, -20.0], [0.0, -0.2, 2.0, 5.0]];
        Geometry { shape: [3, 2, 4], affine, space: 1 }
    }

    fn frames(file: Vec<u8>) -> Result<(Geometry, bool, Vec<Vec<f64>>), VolumeError> {
        let length = file.len() as u64;
        let mut reader = VolumeReader::new(Cursor::new(file), Some(length))?;
        let (mut all, mut volume) = (Vec::new(), Vec::new());
        while reader.next_volume(&mut volume)? {
            all.push(volume.clone());
        }
        assert_eq!(all.len(), reader.n_volumes());
        Ok((reader.geometry().clone(), reader.is_overlay(), all))
    }

    #[test]
    fn what_is_written_is_read() {
        let grid = oblique();
        let values: Vec<f32> = (0..48).map(|n| n as f32 * 1.25 - 7.0).collect();
        for gzip in [false, true] {
            let mut file = Vec::new();
            write_mgh(&mut file, &values, &grid, gzip).unwrap();
            let (back, overlay, volumes) = frames(file.clone()).unwrap();
            assert!(back.agrees_with(&grid), "{back} {grid}");
            assert!(!overlay);
            assert_eq!(volumes.concat(), values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
            // What stands behind the numbers is a footer.
            if !gzip {
                file.extend([0, 1, 2, 3, 4, 5, 6]);
                assert_eq!(frames(file).unwrap().2, volumes);
            }
        }
    }

    #[test]
    fn an_overlay_is_known_by_its_axes() {
        let mut file = Vec::new();
        write_mgh(&mut file, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &overlay(3), false).unwrap();
        let (_, is_overlay, maps) = frames(file).unwrap();
        assert!(is_overlay);
        assert_eq!(maps, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    }

    /// A header of 2 x 1 x 1 x `frames` numbers of a kind, without a position, and their bytes.
    fn small(kind: i32, frames: i32, bytes: &[u8]) -> Vec<u8> {
        let words = [1, 2, 1, 1, frames, kind, 0];
        let mut file: Vec<u8> = words.iter().flat_map(|word: &i32| word.to_be_bytes()).collect();
        file.resize(HEADER, 0);
        file.extend(bytes);
        file
    }

    #[test]
    fn every_kind_of_number() {
        let values = |kind, bytes: &[u8]| frames(small(kind, 1, bytes)).unwrap().2.remove(0);
        assert_eq!(values(0, &[7, 255]), [7.0, 255.0]);
        assert_eq!(values(1, &[0, 0, 1, 0, 255, 255, 255, 255]), [256.0, -1.0]);
        assert_eq!(values(3, &[1.5f32.to_be_bytes(), (-2.0f32).to_be_bytes()].concat()), [1.5, -2.0]);
        assert_eq!(values(4, &[255, 254, 1, 0]), [-2.0, 256.0]);
        let message = frames(small(2, 1, &[0; 16])).unwrap_err().to_string();
        assert!(message.contains('2') && message.contains("0, 1, 3, 4"), "{message}");
    }

    #[test]
    fn a_header_without_a_position_is_coronal() {
        let (grid, ..) = frames(small(0, 1, &[1, 2])).unwrap();
        assert_eq!(grid.affine, [[-1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, -0.5], [0.0, -1.0, 0.0, 0.5]]);
    }

    #[test]
    fn cuts_and_promises_are_errors() {
        let whole = small(0, 3, &[1, 2, 3, 4, 5, 6]);
        for n in 0..whole.len() {
            assert!(frames(whole[..n].to_vec()).is_err(), "{n}");
            // From a pipe, whose length nobody knows, too.
            let pipe = VolumeReader::new(Cursor::new(whole[..n].to_vec()), None).and_then(|mut reader| {
                let mut volume = Vec::new();
                while reader.next_volume(&mut volume)? {}
                Ok(())
            });
            assert!(pipe.is_err(), "{n}");
        }
        let message = frames(whole[..288].to_vec()).unwrap_err().to_string();
        assert!(message.contains("290") && message.contains("288"), "{message}");
        let message = frames(small(3, i32::MAX, &[0; 8])).unwrap_err().to_string();
        assert!(message.contains("17179869460") && message.contains("292"), "{message}");
        let mut zero = small(0, 1, &[1, 2]);
        zero[4..8].copy_from_slice(&[255, 255, 255, 255]);
        assert!(frames(zero).unwrap_err().to_string().contains("dim[1] is -1"));
    }
}
