//! Maps of voxels, vertices, grayordinates or parcels, one after the other, whatever file they come from.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use array_inputs::is_hdf5;
use brain_formats::Values;
use brain_formats::cifti::{CiftiReader, Rows};
use brain_formats::freesurfer::{looks_like_annotation, read_annotation};
use brain_formats::gifti::{self, Label, ReadSeek, looks_like_gifti};
use brain_formats::hdf5::{Address, Hdf5Reader};
use brain_formats::space::{Space, Surface};
use brain_formats::volume::{self, Image, Precision, VolumeReader, looks_like_nifti, unpacked_start};
use cli::{Input, Job, Opened, require_memory};
use flate2::read::MultiGzDecoder;

/// First bytes by which a file inside gzip is known.
const INNER: usize = 1024;

/// Bytes between two questions whether memory is left.
const CHUNK: u64 = 16 << 20;

/// The maps of one file.
pub struct MapReader {
    source: Source,
    space: Space,
    n_maps: usize,
    labels: Option<Vec<Label>>,
    intent: Option<i32>,
    n_given: usize,
}

enum Source {
    /// One volume at a time.
    Volumes(Box<VolumeReader>),
    /// A dataset, a map at a time.
    Hdf5(Box<Hdf5Reader>),
    /// The matrix is not read yet.
    Cifti(Option<Box<CiftiReader>>),
    /// Rows one after the other in one array.
    Matrix(Values),
    /// Each map of its own.
    Maps(Vec<Values>),
}

/// Whether a stream that starts with these bytes holds maps; `None` for what is no such file.
pub(crate) fn looks_like_maps(start: &[u8]) -> bool {
    looks_like_nifti(start) || looks_like_gifti(start) || looks_like_annotation(start)
}

/// Whether what a gzip stream holds is GIFTI.
pub(crate) fn packed_gifti(start: &[u8]) -> bool {
    start.starts_with(&[0x1f, 0x8b]) && looks_like_gifti(&unpacked_start(start, INNER))
}

impl MapReader {
    /// Opens what [`looks_like_maps`]. `start` are its first bytes, `length` its size where that is known; `external`
    /// opens a file in which the numbers of a GIFTI file may lie.
    pub(crate) fn new(
        mut whole: Box<dyn Read + Send>,
        start: &[u8],
        length: Option<u64>,
        named: &str,
        external: impl FnMut(&str) -> io::Result<Box<dyn ReadSeek>>,
    ) -> Result<Self> {
        if packed_gifti(start) {
            whole = Box::new(MultiGzDecoder::new(whole));
        } else if !looks_like_gifti(start) {
            if looks_like_annotation(start) {
                return MapReader::annotation(&read_whole(whole, named)?);
            }
            return MapReader::image(volume::open(whole, length)?);
        }
        let bytes = read_whole(whole, named)?;
        let parsed = gifti::Parsed::new(&bytes)?;
        let needs = || format!("{named}: the numbers of its arrays");
        require_memory(needs(), parsed.bytes_held(), "take some of its maps out")?;
        let gifti = parsed.decode(external)?;
        let is_label =
            !gifti.arrays.is_empty() && gifti.arrays.iter().all(|array| array.intent == "NIFTI_INTENT_LABEL");
        let intent = gifti.intent();
        let maps = gifti.into_maps()?;
        let space = maps.space();
        let labels = is_label.then_some(maps.labels);
        let maps: Vec<Values> = maps.maps.into_iter().map(|(_, values)| values).collect();
        Ok(MapReader { n_maps: maps.len(), source: Source::Maps(maps), space, labels, intent, n_given: 0 })
    }

    /// Opens a dataset of an HDF5 file; `wanted` says which, and how to take it.
    pub(crate) fn hdf5(file: File, wanted: Option<&str>) -> Result<Self> {
        let reader = Hdf5Reader::open(file, &Address::read(wanted.unwrap_or_default())?)?;
        Ok(MapReader {
            space: reader.space(),
            n_maps: reader.n_volumes(),
            source: Source::Hdf5(Box::new(reader)),
            labels: None,
            intent: None,
            n_given: 0,
        })
    }

    /// Says on stderr how an HDF5 file was understood, since its axes have no names.
    pub(crate) fn tell(&self, job: &Job, named: &str) {
        let Source::Hdf5(reader) = &self.source else { return };
        job.note(format!("{named}: {}", reader.understood()));
        if let Some((missing, all)) = reader.missing_chunks() {
            job.warn(format!(
                "{named}: {missing} of {all} blocks of the dataset were never written; their numbers are its fill value, \
                 mostly 0"
            ));
        }
    }

    /// Says which columns will be asked for, before the first map is given. Of volumes and of HDF5 no others are
    /// decoded, and they are NaN; other formats give all of them still.
    pub(crate) fn keep(&mut self, columns: &[usize]) -> Result<()> {
        match &mut self.source {
            Source::Hdf5(reader) => reader.keep(columns.to_vec())?,
            Source::Volumes(reader) => reader.keep(columns),
            _ => {}
        }
        Ok(())
    }

    /// Opens a file again; its name is for messages.
    pub(crate) fn from_file(path: &Path, member: Option<&str>) -> Result<Self> {
        let mut file = File::open(path)?;
        if is_hdf5(&file)? {
            return MapReader::hdf5(file, member);
        }
        let length = file.metadata()?.len();
        let mut start = vec![0; crate::foreign::START_BYTES];
        let n = crate::fill(&mut file, &mut start)?;
        start.truncate(n);
        let whole = Box::new(io::Cursor::new(start.clone()).chain(file));
        let external = |name: &str| -> io::Result<Box<dyn ReadSeek>> { Ok(Box::new(File::open(beside(path, name)?)?)) };
        MapReader::new(whole, &start, Some(length), &path.display().to_string(), external)
    }

    fn image(image: Image) -> Result<Self> {
        Ok(match image {
            Image::Volumes(reader) => MapReader {
                space: reader.space(),
                n_maps: reader.n_volumes(),
                intent: Some(reader.intent()),
                source: Source::Volumes(Box::new(reader)),
                labels: None,
                n_given: 0,
            },
            Image::Cifti(reader) => {
                let labels = match reader.rows() {
                    Rows::Maps(maps) => maps.iter().find(|map| !map.labels.is_empty()).map(|map| map.labels.clone()),
                    Rows::Series { .. } => None,
                };
                MapReader {
                    space: reader.space().clone(),
                    n_maps: reader.rows().len(),
                    source: Source::Cifti(Some(Box::new(reader))),
                    labels,
                    intent: None,
                    n_given: 0,
                }
            }
        })
    }

    /// The parcels of an annotation as numbers from 1 in the order of its table.
    fn annotation(bytes: &[u8]) -> Result<Self> {
        let read = read_annotation(bytes)?;
        let numbers = read.parcels.iter().map(|parcel| parcel.map_or(0.0, |number| number as f64 + 1.0)).collect();
        let labels = (1..).zip(read.entries).map(|(key, entry)| Label { key, name: entry.name }).collect();
        Ok(MapReader {
            space: Space::Surface(Surface { structure: None, n_vertices: read.parcels.len() }),
            n_maps: 1,
            source: Source::Maps(vec![Values::Double(numbers)]),
            labels: Some(labels),
            intent: None,
            n_given: 0,
        })
    }

    /// What the columns stand for.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Names of labels, where the file says that its numbers are labels.
    pub fn labels(&self) -> Option<&[Label]> {
        self.labels.as_deref()
    }

    /// What the numbers are, by NIfTI's list of intents (3 is t, 5 z); `None` where the file does not say it.
    pub fn intent(&self) -> Option<i32> {
        self.intent.filter(|code| *code != 0)
    }

    /// Maps met so far: a stream of images may have more of them.
    pub fn n_volumes(&self) -> usize {
        match &self.source {
            Source::Volumes(reader) => reader.n_volumes(),
            _ => self.n_maps,
        }
    }

    /// Seconds from one map to the next, where the file says so.
    pub fn repetition_seconds(&self) -> Option<f64> {
        match &self.source {
            Source::Volumes(reader) => reader.repetition_seconds(),
            Source::Cifti(Some(reader)) => match reader.rows() {
                Rows::Series { step, unit, .. } if unit.eq_ignore_ascii_case("second") && *step > 0.0 => Some(*step),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether no further map can follow those known so far.
    pub fn ends_the_file(&self) -> bool {
        match &self.source {
            Source::Volumes(reader) => reader.ends_the_file(),
            _ => true,
        }
    }

    /// Whether values must be kept in f8.
    pub fn is_double(&self) -> bool {
        match &self.source {
            Source::Volumes(reader) => reader.precision() == Precision::Double,
            Source::Hdf5(reader) => reader.is_double(),
            Source::Cifti(reader) => reader.as_ref().is_some_and(|reader| reader.is_double()),
            Source::Matrix(values) => values.is_double(),
            Source::Maps(maps) => maps.iter().any(Values::is_double),
        }
    }

    /// Puts the next map into `values`, one number per column; `false` when there is none left.
    pub fn next_volume(&mut self, values: &mut Vec<f64>) -> Result<bool> {
        if let Source::Cifti(reader) = &mut self.source
            && let Some(reader) = reader.take()
        {
            let (n_maps, n_columns) = (self.n_maps, self.space.n_columns());
            let what = format!("{n_maps} maps of {n_columns} {}", self.space.units());
            require_memory(what, reader.bytes_held(), "take some of the maps out")?;
            self.source = Source::Matrix(reader.into_values()?.2);
        }
        match &mut self.source {
            Source::Volumes(reader) => return Ok(reader.next_volume(values)?),
            Source::Hdf5(reader) => return Ok(reader.next_volume(values)?),
            _ => {}
        }
        if self.n_given == self.n_maps {
            return Ok(false);
        }
        let n_columns = self.space.n_columns();
        values.clear();
        match &self.source {
            Source::Matrix(all) => {
                values.extend((0..n_columns).map(|column| all.get(self.n_given * n_columns + column)))
            }
            Source::Maps(maps) => values.extend((0..n_columns).map(|column| maps[self.n_given].get(column))),
            Source::Volumes(_) | Source::Hdf5(_) | Source::Cifti(_) => return Ok(false),
        }
        self.n_given += 1;
        Ok(true)
    }
}

/// All bytes of a file that is read as a whole.
pub(crate) fn read_whole(mut whole: Box<dyn Read + Send>, named: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while whole.by_ref().take(CHUNK).read_to_end(&mut bytes)? as u64 == CHUNK {
        // Doubled, because the next chunk may move what is there.
        require_memory(format!("{named}: more than {} bytes", bytes.len()), 2 * bytes.len() as u128, "give one map")?;
    }
    Ok(bytes)
}

/// The file that holds the numbers of a GIFTI file; it lies in the same folder, or in one below it.
fn beside(path: &Path, name: &str) -> io::Result<PathBuf> {
    let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if name.is_empty() || !inside {
        let what = "only a file in the folder of the GIFTI file, or in one below it, is opened";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    Ok(path.with_file_name(name))
}

/// Opens a file beside an input as an input of its own, so that its bytes are recorded too.
pub(crate) fn open_beside(job: &Job, input: &Input, name: &str) -> io::Result<Box<dyn ReadSeek>> {
    let Some(path) = input.path() else { return gifti::nothing_beside(name) };
    let there = Input::from(beside(path, name)?.into_os_string());
    match job.open(&there) {
        Ok(Opened::File(file)) => Ok(Box::new(file)),
        Ok(Opened::Pipe(_)) => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file that can be sought in")),
        Err(error) => Err(io::Error::other(format!("{error:#}"))),
    }
}

/// The maps of an input that are numbers to compute with; labels and parcels are not.
pub(crate) fn require_numbers(named: &str, maps: &MapReader) -> Result<()> {
    if let Some(labels) = maps.labels() {
        bail!(
            "{named}: labels ({} names) of {}, not numbers to compute with; it serves as --parcels, --roi or a mask",
            labels.len(),
            maps.space()
        );
    }
    Ok(())
}

/// [`MapReader::from_file`] with the name in front of an error.
pub(crate) fn reopen(input: &Input, path: &Path) -> Result<MapReader> {
    MapReader::from_file(path, input.member()).with_context(|| input.to_string())
}
