//! The arrays of the inputs, one after the other, each with what it is called in messages.

use anyhow::{Context, Result, bail};
use cli::{Input, Job, Opened};
use npy_stream::{Incoming, Labels, NpyError, NpyReader, npz};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// The arrays of one input, in their order.
pub struct Stream<'a> {
    input: &'a Input,
    reader: NpyReader,
    n_arrays: usize,
}

/// The next array of a stream: its header has been read, its body has not.
pub struct Next<'r> {
    /// Where it comes from.
    pub input: &'r Input,
    /// Its place in the input, from 0.
    pub position: usize,
    /// What it is called in messages: `acts.npy`, and `acts.npy (array 1)` for a later array of the same input.
    pub source: String,
    /// The array itself.
    pub array: Incoming<'r>,
}

/// The arrays of a file: of a `.npy` stream, or of an archive (`.npz`) the one that is wanted of it.
pub fn reader_of(file: File, input: &Input) -> Result<NpyReader> {
    let named = || input.to_string();
    match (is_archive(&file).with_context(named)?, input.member()) {
        (true, member) => {
            let (name, reader) = npz::open(file, member).with_context(named)?;
            Ok(NpyReader::from_pipe(reader).called(name))
        }
        (false, Some(member)) if is_hdf5(&file).with_context(named)? => bail!(
            "{input}: {member:?} is of an HDF5 file, whose betas are read where images are; `fmri-roi extract '{input}' --roi \
             MASK` makes a matrix of them"
        ),
        (false, Some(member)) => {
            bail!("{input}: the file is no .npz archive (and no HDF5), so it holds no array {member:?}")
        }
        (false, None) => NpyReader::from_file(file).with_context(named),
    }
}

/// Whether a file is HDF5, or one of MATLAB from 7.3 on; leaves it at its start.
pub fn is_hdf5(mut file: &File) -> io::Result<bool> {
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut start = Vec::new();
    file.take(foreign_formats::START_BYTES as u64).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(foreign_formats::recognise(&start) == Some(foreign_formats::HDF5))
}

/// Whether a file is an archive of arrays; leaves it at its start.
pub fn is_archive(mut file: &File) -> io::Result<bool> {
    let mut start = [0; npz::FIRST_BYTES.len()];
    let regular = file.metadata()?.is_file();
    let is_zip = regular && file.read_exact(&mut start).is_ok() && start == npz::FIRST_BYTES;
    if regular {
        file.seek(SeekFrom::Start(0))?;
    }
    Ok(is_zip && npz::holds_arrays(file))
}

/// The labels of all arrays in a regular file; of what cannot be looked at, or is damaged, those found before.
pub(crate) fn labels_in(input: &Input) -> Vec<Labels> {
    let mut found = Vec::new();
    let Some(file) = input.path().filter(|path| path.is_file()).and_then(|path| File::open(path).ok()) else {
        return found;
    };
    if is_archive(&file).unwrap_or(false) {
        // Known without unpacking it.
        let name = npz::open(file, input.member()).map(|(name, _)| name);
        return name.into_iter().map(|name| Labels { name: Some(name), ..Labels::default() }).collect();
    }
    let Ok(mut reader) = NpyReader::from_file(file) else { return found };
    while let Ok(Some(array)) = reader.next_array() {
        match array.finish() {
            Ok(labels) => found.push(labels),
            Err(_) => break,
        }
    }
    found
}

impl<'a> Stream<'a> {
    /// Opens an input as a `.npy` stream.
    pub fn open(job: &Job, input: &'a Input) -> Result<Stream<'a>> {
        let reader = match job.open(input)? {
            Opened::File(file) => reader_of(file, input)?,
            Opened::Pipe(_) if input.member().is_some() => {
                bail!("{input}: an archive is read from a regular file, not from a pipe")
            }
            Opened::Pipe(reader) => NpyReader::from_pipe(reader),
        };
        Ok(Stream::new(input, reader))
    }

    /// The arrays of an input that has been opened already.
    pub fn new(input: &'a Input, reader: NpyReader) -> Stream<'a> {
        Stream { input, reader, n_arrays: 0 }
    }

    /// Where the arrays come from.
    pub fn input(&self) -> &'a Input {
        self.input
    }

    /// The next array; `None` behind the last one. An input without any array is an error.
    pub fn next_array(&mut self) -> Result<Option<Next<'_>>> {
        let (input, position) = (self.input, self.n_arrays);
        let Some(array) = self.reader.next_array().with_context(|| input.to_string())? else {
            return match position {
                0 => Err(NpyError::Empty).with_context(|| input.to_string()),
                _ => Ok(None),
            };
        };
        self.n_arrays += 1;
        let source = match position {
            0 => input.to_string(),
            later => format!("{input} (array {later})"),
        };
        Ok(Some(Next { input, position, source, array }))
    }

    /// Calls `take` for every array.
    pub fn each(mut self, mut take: impl FnMut(Next) -> Result<()>) -> Result<()> {
        while let Some(next) = self.next_array()? {
            take(next)?;
        }
        Ok(())
    }
}

/// Calls `take` for every array of every input, in order.
pub fn each_array(job: &Job, inputs: &[Input], mut take: impl FnMut(Next) -> Result<()>) -> Result<()> {
    inputs.iter().try_for_each(|input| Stream::open(job, input)?.each(&mut take))
}
