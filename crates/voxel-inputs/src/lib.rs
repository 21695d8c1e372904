//! Opening what is either a `.npy` stream or maps of the brain (NIfTI, MGH, GIFTI, CIFTI, HDF5), told apart by the
//! first bytes and not by the name; several of them as one sequence; masks, label images and the names of labels;
//! meshes of surfaces.
#![warn(missing_docs)]

mod foreign;
mod labels;
mod maps;
mod meshes;
mod rows;
mod volumes;

pub use labels::{Labels, label_in, labels_in, looks_like_label, read_label_names, read_labels, read_labels_on};
pub use maps::MapReader;
pub use meshes::read_mesh;
pub use rows::{Inside, VoxelRows, Wanted};
pub use volumes::{Arrays, Given, Volumes, open_all};

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result, bail};
use array_inputs::{Next, Stream, is_archive, is_hdf5, reader_of};
use cli::{Input, Job, Opened, require_memory};
use npy_stream::NpyReader;

use brain_formats::geometry::Geometry;
use brain_formats::maps::MapFormat;
use brain_formats::space::{Difference, Space};

/// An input that has been opened.
pub enum Source {
    /// What holds numbers.
    Numbers(Numbers),
    /// Neither an image nor an array, so perhaps a table.
    Other(Box<dyn Read + Send>),
}

/// An image or a stream of arrays.
pub enum Numbers {
    /// Maps of voxels, vertices, grayordinates or parcels.
    Image(Box<MapReader>),
    /// A stream of matrices.
    Arrays(NpyReader),
}

/// One number per column: voxel, vertex, grayordinate or parcel.
pub struct Map {
    /// The values in their order.
    pub values: Vec<f64>,
    /// What the columns stand for; a `.npy` map does not know.
    pub space: Option<Space>,
    /// What a NIfTI file says that the values are: its intent code.
    pub intent: Option<i32>,
}

/// Opens an input and looks at its first bytes. What is neither, and no text either, is an error that says what it is.
pub fn open(job: &Job, input: &Input) -> Result<Source> {
    opened(job, input).map(|(source, _)| source)
}

/// The source, and the first bytes of one that is neither.
fn opened(job: &Job, input: &Input) -> Result<(Source, Vec<u8>)> {
    let named = || input.to_string();
    let mut start = vec![0u8; foreign::START_BYTES];
    let (whole, length): (Box<dyn Read + Send>, Option<u64>) = match job.open(input)? {
        Opened::File(file) if is_hdf5(&file).with_context(named)? => {
            let image = MapReader::hdf5(file, input.member()).with_context(named)?;
            image.tell(job, &named());
            return Ok((Source::Numbers(Numbers::Image(Box::new(image))), Vec::new()));
        }
        Opened::File(file) if is_archive(&file).with_context(named)? || input.member().is_some() => {
            return Ok((Source::Numbers(Numbers::Arrays(reader_of(file, input)?)), Vec::new()));
        }
        Opened::File(mut file) if is_regular(&file) => {
            let n = fill(&mut file, &mut start).with_context(named)?;
            start.truncate(n);
            file.seek(SeekFrom::Start(0)).with_context(named)?;
            if start.starts_with(NPY) {
                refuse(input, &start)?;
                let reader = NpyReader::from_file(file).with_context(named)?;
                return Ok((Source::Numbers(Numbers::Arrays(reader)), Vec::new()));
            }
            let length = file.metadata().with_context(named)?.len();
            (Box::new(file), Some(length))
        }
        opened => {
            let mut reader = opened.reader();
            let n = fill(&mut reader, &mut start).with_context(named)?;
            start.truncate(n);
            (Box::new(Cursor::new(start.clone()).chain(reader)), None)
        }
    };
    refuse(input, &start)?;
    if maps::looks_like_maps(&start) {
        let image = MapReader::new(whole, &start, length, &named(), |name| maps::open_beside(job, input, name))
            .with_context(named)?;
        return Ok((Source::Numbers(Numbers::Image(Box::new(image))), Vec::new()));
    }
    if start.starts_with(NPY) {
        return Ok((Source::Numbers(Numbers::Arrays(NpyReader::from_pipe(whole))), Vec::new()));
    }
    Ok((Source::Other(whole), start))
}

/// First bytes of a `.npy` array.
const NPY: &[u8] = b"\x93NUMPY";

fn refuse(input: &Input, start: &[u8]) -> Result<()> {
    match foreign::refusal(start, input.path()) {
        Some(refusal) => bail!("{input}: {refusal}"),
        None => Ok(()),
    }
}

/// Opens an input that must hold numbers. Text is an error here; what is neither text nor an image goes to the `.npy`
/// reader, which says what is wrong with it.
pub fn open_numbers(job: &Job, input: &Input) -> Result<Numbers> {
    match opened(job, input)? {
        (Source::Numbers(numbers), _) => Ok(numbers),
        (Source::Other(reader), start) => match foreign::refusal_of_text(&start) {
            Some(refusal) => bail!("{input}: {refusal}"),
            None => Ok(Numbers::Arrays(NpyReader::from_pipe(reader))),
        },
    }
}

/// Reads a map: a file of one map or volume, or a `.npy` vector or matrix of one row.
pub fn read_map(job: &Job, input: &Input) -> Result<Map> {
    map_of(input, open_numbers(job, input)?)
}

/// The map in an input that is open already.
pub fn map_of(input: &Input, numbers: Numbers) -> Result<Map> {
    if let Numbers::Image(image) = &numbers {
        maps::require_numbers(&input.to_string(), image)?;
    }
    one_of(input, numbers)
}

/// The one map of an input, which may be of labels.
pub(crate) fn one_of(input: &Input, numbers: Numbers) -> Result<Map> {
    match numbers {
        Numbers::Image(mut image) => {
            let mut values = Vec::new();
            if image.n_volumes() == 1 {
                image.next_volume(&mut values).with_context(|| input.to_string())?;
            }
            // Only now is it known whether another image follows.
            if image.n_volumes() != 1 {
                bail!("{input}: {} volumes where one map is needed; take one of them out", image.n_volumes());
            }
            Ok(Map { values, space: Some(image.space().clone()), intent: image.intent() })
        }
        Numbers::Arrays(reader) => {
            let mut maps = Vec::new();
            Stream::new(input, reader).each(|Next { source, array, .. }| {
                if !maps.is_empty() {
                    bail!("{input}: several arrays where one map is needed; split them with `npy cat --array N`");
                }
                let what = format!("{source}: {:?} {} values", array.shape(), array.kind().name());
                require_memory(what, array.bytes_held(), "give one map")?;
                maps.push(array.into_array().with_context(|| source)?);
                Ok(())
            })?;
            let array = maps.remove(0);
            match *array.shape.as_slice() {
                [_] | [1, _] => Ok(Map { values: array.values.into_f64(), space: None, intent: None }),
                _ => bail!("{input}: shape {:?} where a map of 1 row is needed; take one with `npy rows`", array.shape),
            }
        }
    }
}

/// What the columns of a file of maps stand for; its numbers are not read where they need not be.
pub fn read_space(job: &Job, input: &Input) -> Result<Space> {
    match open(job, input)? {
        Source::Numbers(Numbers::Image(image)) => Ok(image.space().clone()),
        _ => bail!("{input}: not a NIfTI image or another file of maps, so it has no geometry"),
    }
}

/// Two images must be on one grid.
pub fn require_same_grid(mine: (&str, &Geometry), theirs: (&str, &Geometry)) -> Result<()> {
    if !mine.1.agrees_with(theirs.1) {
        bail!("{}: {}, but {} has {}; resample one of them", mine.0, mine.1, theirs.0, theirs.1);
    }
    Ok(())
}

/// Two files of maps must have the same columns: one grid, one surface, the same grayordinates or parcels.
pub fn require_same_space(mine: (&str, &Space), theirs: (&str, &Space)) -> Result<()> {
    match (mine.1, theirs.1) {
        (Space::Grid(here), Space::Grid(there)) => require_same_grid((mine.0, here), (theirs.0, there)),
        (here, there) => match here.difference(there) {
            None => Ok(()),
            Some(why) => bail!(
                "{}: {here}, but {} has {there}{}; maps that are used together have the same columns",
                mine.0,
                theirs.0,
                // Two files of one length may differ in a single column.
                match why {
                    Difference::Whole(_) => String::new(),
                    Difference::Column(column) => format!(" ({column})"),
                }
            ),
        },
    }
}

/// What the columns of maps stand for where an image may say the place of voxels that have none; `None` where they have
/// none and no image is given.
pub fn placed(maps: (&str, &Space), like: Option<(&str, &Space)>) -> Result<Option<Space>> {
    match (maps.1, like) {
        (Space::Unplaced(_), None) => Ok(None),
        (Space::Unplaced(_), Some(like)) => {
            require_same_space(maps, like)?;
            Ok(Some(like.1.clone()))
        }
        (space, _) => Ok(Some(space.clone())),
    }
}

/// The grid of columns that must be voxels, because `what` needs it.
pub fn require_grid<'s>(name: &str, space: &'s Space, what: &str) -> Result<&'s Geometry> {
    space
        .grid()
        .with_context(|| format!("{name}: {space}, but {what} needs voxels of a grid; give a NIfTI or MGH volume"))
}

/// A map that does not know what its columns are must have as many as the space it is put on.
pub fn require_n_columns(map: (&str, usize), space: (&str, &Space)) -> Result<()> {
    let n = space.1.n_columns();
    if map.1 == n {
        return Ok(());
    }
    match space.1 {
        Space::Grid(grid) => {
            let [nx, ny, nz] = grid.shape;
            bail!("{}: {} voxels, but {} has {n} ({nx}x{ny}x{nz})", map.0, map.1, space.0)
        }
        Space::Unplaced([nx, ny, nz]) => {
            bail!("{}: {} voxels, but {} has {n} ({nx}x{ny}x{nz})", map.0, map.1, space.0)
        }
        other => bail!("{}: {} columns, but {} has {n} {}", map.0, map.1, space.0, other.units()),
    }
}

/// The format of maps that a file name asks for.
pub fn map_name(path: &Path) -> Option<MapFormat> {
    MapFormat::of_name(&path.file_name()?.to_string_lossy())
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
        let kind = |name: &str| map_name(Path::new(name));
        let nifti = |gzip| Some(MapFormat::Nifti { gzip });
        assert_eq!(
            [kind("a/t.nii.gz"), kind("T.NII"), kind("t.npy"), kind("nii.gz/t.csv")],
            [nifti(true), nifti(false), None, None]
        );
    }
}
