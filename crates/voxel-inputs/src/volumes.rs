//! The volumes of several images, and the arrays of several `.npy` streams, as one sequence.

use anyhow::{Context, Result, bail};
use array_inputs::{Next, Stream};
use brain_formats::space::Space;
use cli::{Input, Job, Progress};

use crate::maps::require_numbers;
use crate::{MapReader, Numbers, open_numbers, require_same_space};

/// Inputs of one kind.
pub enum Given<'a> {
    /// Images: all their volumes.
    Volumes(Volumes<'a>),
    /// `.npy` streams: all their arrays.
    Arrays(Arrays<'a>),
}

/// Opens inputs that are all images or all `.npy` streams; the first says which. The others are opened in their turn.
pub fn open_all<'a>(job: &'a Job, inputs: &'a [Input]) -> Result<Given<'a>> {
    let Some((first, rest)) = inputs.split_first() else { bail!("0 inputs; give an image or a .npy stream") };
    let source = match rest {
        [] => first.to_string(),
        rest => format!("{first} and {} more", rest.len()),
    };
    match open_numbers(job, first)? {
        Numbers::Image(image) => {
            require_numbers(&first.to_string(), &image)?;
            let progress = match rest.len() {
                0 => job.progress(image.n_volumes(), "volumes"),
                n => job.progress(n + 1, "images"),
            };
            Ok(Given::Volumes(Volumes {
                job,
                rest,
                source,
                first: (first.to_string(), image.space().clone()),
                name: first.to_string(),
                n_before: 0,
                kept: None,
                image,
                double: false,
                progress,
            }))
        }
        Numbers::Arrays(reader) => {
            let progress = job.progress(inputs.len(), "files");
            Ok(Given::Arrays(Arrays { job, rest, source, first: Stream::new(first, reader), progress }))
        }
    }
}

/// The volumes of one image or several (as arguments, or behind one another in a pipe), in their order, on one grid.
pub struct Volumes<'a> {
    job: &'a Job,
    rest: &'a [Input],
    source: String,
    first: (String, Space),
    /// The input that is open, and its image.
    name: String,
    image: Box<MapReader>,
    /// Volumes of the inputs before it.
    n_before: usize,
    kept: Option<Vec<usize>>,
    double: bool,
    progress: Progress,
}

impl Volumes<'_> {
    /// What the volumes come from, for messages: `a.nii and 2 more`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// What the columns of all maps stand for.
    pub fn space(&self) -> &Space {
        &self.first.1
    }

    /// Seconds from one volume to the next, where the header of the open image says so.
    pub fn repetition_seconds(&self) -> Option<f64> {
        self.image.repetition_seconds()
    }

    /// Volumes known so far. That is all of them once [`Volumes::next_volume`] has given the last, and earlier where
    /// [`Volumes::knows_number`].
    pub fn n_volumes(&self) -> usize {
        self.n_before + self.image.n_volumes()
    }

    /// Whether no further volume can follow those known so far.
    pub fn knows_number(&self) -> bool {
        self.rest.is_empty() && self.image.ends_the_file()
    }

    /// An error where more than `n` volumes are known, or fewer and none can follow; `of` says what there are `n` of:
    /// "trials.csv has 9 rows; one row per volume".
    pub fn require(&self, n: usize, of: &str) -> Result<()> {
        self.compare(n, of, self.knows_number())
    }

    /// As [`Volumes::require`], when all volumes have been given.
    pub fn require_all(&self, n: usize, of: &str) -> Result<()> {
        self.compare(n, of, true)
    }

    fn compare(&self, n: usize, of: &str, all: bool) -> Result<()> {
        let found = self.n_volumes();
        if found > n || (all && found < n) {
            bail!("{}: {found} volumes, but {of}", self.source);
        }
        Ok(())
    }

    /// Whether one of the volumes given so far holds numbers that f4 does not.
    pub fn is_double(&self) -> bool {
        self.double
    }

    /// Says which columns will be asked for. The others need not be read, and may be NaN in what
    /// [`Volumes::next_volume`] gives.
    pub fn keep(&mut self, columns: &[usize]) -> Result<()> {
        self.image.keep(columns).with_context(|| self.name.clone())?;
        self.kept = Some(columns.to_vec());
        Ok(())
    }

    /// Puts the next volume into `voxels`; `false` when there is none left.
    pub fn next_volume(&mut self, voxels: &mut Vec<f64>) -> Result<bool> {
        loop {
            if self.image.next_volume(voxels).with_context(|| self.name.clone())? {
                self.double |= self.image.is_double();
                if self.n_before == 0 && self.rest.is_empty() {
                    self.progress.advance(1);
                }
                return Ok(true);
            }
            let Some((next, rest)) = self.rest.split_first() else { return Ok(false) };
            self.n_before += self.image.n_volumes();
            self.rest = rest;
            self.name = next.to_string();
            self.image = match open_numbers(self.job, next)? {
                Numbers::Image(image) => image,
                Numbers::Arrays(_) => {
                    bail!(
                        "{next}: a .npy stream, but {} holds maps of {}; give inputs of one kind",
                        self.first.0,
                        self.first.1.units()
                    )
                }
            };
            require_numbers(&self.name, &self.image)?;
            require_same_space((&self.name, self.image.space()), (&self.first.0, &self.first.1))?;
            if let Some(kept) = &self.kept {
                self.image.keep(kept).with_context(|| self.name.clone())?;
            }
            self.progress.advance(1);
        }
    }
}

/// The arrays of `.npy` streams that are opened one after the other.
pub struct Arrays<'a> {
    job: &'a Job,
    first: Stream<'a>,
    rest: &'a [Input],
    source: String,
    progress: Progress,
}

impl<'a> Arrays<'a> {
    /// The arrays of the first input; for callers who have one.
    pub fn into_first(self) -> Stream<'a> {
        self.first
    }

    /// What the arrays come from, for messages: `a.npy and 2 more`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Calls `take` for every array.
    pub fn each(self, mut take: impl FnMut(Next) -> Result<()>) -> Result<()> {
        let first = self.first.input();
        self.first.each(&mut take)?;
        for next in self.rest {
            self.progress.advance(1);
            match open_numbers(self.job, next)? {
                Numbers::Arrays(reader) => Stream::new(next, reader).each(&mut take)?,
                Numbers::Image(image) => {
                    bail!("{next}: maps of {}, but {first} is .npy; give inputs of one kind", image.space().units())
                }
            }
        }
        Ok(())
    }
}
