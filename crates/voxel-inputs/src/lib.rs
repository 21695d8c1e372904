//! Opening what is either a `.npy` stream or a NIfTI image, told apart by the first bytes and not by the name.
#![warn(missing_docs)]

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result, bail};
use cli::{Input, Job, Opened, require_memory};
use npy_stream::{NpyError, NpyReader};

use nifti_volume::geometry::Geometry;
use nifti_volume::volume::{Precision, VolumeReader, looks_like_nifti};

/// An input that has been opened.
pub enum Source {
    /// A stream of matrices.
    Npy(NpyReader),
    /// An image of one or more volumes.
    Nifti(Box<VolumeReader>),
    /// Neither, so perhaps a table.
    Other(Box<dyn Read + Send>),
}

/// One number per voxel.
pub struct Map {
    /// The values in voxel order.
    pub values: Vec<f64>,
    /// Where the voxels are; a `.npy` map does not know.
    pub geometry: Option<Geometry>,
}

/// Opens an input and looks at its first bytes.
pub fn open(job: &Job, input: &Input) -> Result<Source> {
    let named = || input.to_string();
    let mut first = [0u8; 6];
    match job.open(input)? {
        Opened::File(mut file) if is_regular(&file) => {
            let n = fill(&mut file, &mut first).with_context(named)?;
            file.seek(SeekFrom::Start(0)).with_context(named)?;
            if looks_like_nifti(&first[..n]) {
                let length = file.metadata().with_context(named)?.len();
                return nifti(input, file, Some(length));
            }
            if first.starts_with(b"\x93NUMPY") {
                return Ok(Source::Npy(NpyReader::from_file(file).with_context(named)?));
            }
            Ok(Source::Other(Box::new(file)))
        }
        opened => {
            let mut reader = opened.reader();
            let n = fill(&mut reader, &mut first).with_context(named)?;
            let whole = Cursor::new(first).take(n as u64).chain(reader);
            if looks_like_nifti(&first[..n]) {
                return nifti(input, whole, None);
            }
            if first.starts_with(b"\x93NUMPY") {
                return Ok(Source::Npy(NpyReader::from_pipe(whole)));
            }
            Ok(Source::Other(Box::new(whole)))
        }
    }
}

/// What an input is that holds numbers: the `.npy` reader says what is wrong with anything else.
pub fn open_numbers(job: &Job, input: &Input) -> Result<Source> {
    Ok(match open(job, input)? {
        Source::Other(reader) => Source::Npy(NpyReader::from_pipe(reader)),
        numbers => numbers,
    })
}

/// Reads a map: a NIfTI image of one volume, or a `.npy` vector or matrix of one row.
pub fn read_map(job: &Job, input: &Input) -> Result<Map> {
    map_of(input, open_numbers(job, input)?)
}

/// The map in an input that is open already.
pub fn map_of(input: &Input, source: Source) -> Result<Map> {
    match source {
        Source::Nifti(mut image) => {
            if image.n_volumes() != 1 {
                bail!("{input}: {} volumes where one map is needed; take one of them out", image.n_volumes());
            }
            let mut values = Vec::new();
            image.next_volume(&mut values).with_context(|| input.to_string())?;
            Ok(Map { values, geometry: Some(image.geometry().clone()) })
        }
        Source::Npy(mut reader) => {
            let name = || input.to_string();
            let Some(next) = reader.next_array().with_context(name)? else {
                return Err(NpyError::Empty).with_context(name);
            };
            let what = format!("{input}: {:?} {} values", next.shape(), next.kind().name());
            require_memory(what, next.bytes_held(), "give one map")?;
            let array = next.into_array().with_context(name)?;
            if reader.next_array().with_context(name)?.is_some() {
                bail!("{input}: several arrays where one map is needed; split them with `npy cat --array N`");
            }
            match *array.shape.as_slice() {
                [_] | [1, _] => Ok(Map { values: array.values.into_f64(), geometry: None }),
                _ => bail!("{input}: shape {:?} where a map of 1 row is needed; take one with `npy rows`", array.shape),
            }
        }
        Source::Other(_) => bail!("{input}: neither a NIfTI image nor a .npy array"),
    }
}

/// The geometry of an image; its voxels are not read.
pub fn read_geometry(job: &Job, input: &Input) -> Result<Geometry> {
    match open(job, input)? {
        Source::Nifti(image) => Ok(image.geometry().clone()),
        Source::Npy(_) | Source::Other(_) => bail!("{input}: not a NIfTI image, so it has no geometry"),
    }
}

/// Two images must be on one grid.
pub fn require_same_grid(mine: (&str, &Geometry), theirs: (&str, &Geometry)) -> Result<()> {
    if !mine.1.agrees_with(theirs.1) {
        bail!("{}: {}, but {} has {}; resample one of them", mine.0, mine.1, theirs.0, theirs.1);
    }
    Ok(())
}

/// A map without geometry must have as many voxels as the grid it is put on.
pub fn require_n_voxels(map: (&str, usize), grid: (&str, &Geometry)) -> Result<()> {
    if map.1 != grid.1.n_voxels() {
        let [nx, ny, nz] = grid.1.shape;
        bail!("{}: {} voxels, but {} has {} ({nx}x{ny}x{nz})", map.0, map.1, grid.0, grid.1.n_voxels());
    }
    Ok(())
}

/// Whether a file name asks for a NIfTI image; `Some(true)` for a compressed one.
pub fn nifti_name(path: &Path) -> Option<bool> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    if name.ends_with(".nii.gz") {
        Some(true)
    } else if name.ends_with(".nii") {
        Some(false)
    } else {
        None
    }
}

/// Whether values must be kept in f8.
pub fn is_double(image: &VolumeReader) -> bool {
    image.precision() == Precision::Double
}

fn nifti(input: &Input, source: impl Read + Send + 'static, length: Option<u64>) -> Result<Source> {
    let image = VolumeReader::new(source, length).with_context(|| input.to_string())?;
    Ok(Source::Nifti(Box::new(image)))
}

fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file())
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match reader.read(&mut buffer[n..]) {
            Ok(0) => break,
            Ok(got) => n += got,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ask_for_images() {
        let kind = |name: &str| nifti_name(Path::new(name));
        assert_eq!(
            [kind("a/t.nii.gz"), kind("T.NII"), kind("t.npy"), kind("nii.gz/t.csv")],
            [Some(true), Some(false), None, None]
        );
    }
}
