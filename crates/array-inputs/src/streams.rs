//! The arrays of the inputs, one after the other, each with what it is called in messages.

use anyhow::{Context, Result};
use cli::{Input, Job, Opened};
use npy_stream::{Incoming, NpyError, NpyReader};

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

impl<'a> Stream<'a> {
    /// Opens an input as a `.npy` stream.
    pub fn open(job: &Job, input: &'a Input) -> Result<Stream<'a>> {
        let reader = match job.open(input)? {
            Opened::File(file) => NpyReader::from_file(file).with_context(|| input.to_string())?,
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
