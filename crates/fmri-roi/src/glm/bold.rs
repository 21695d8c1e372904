//! A run of BOLD: opened first, so that all designs can be made and checked, and read once in its turn.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use array_inputs::Stream;
use brain_formats::Space;
use cli::{Input, Job, require_memory};
use ndarray::{Array2, s};
use npy_stream::{Labels, Matrix};
use voxel_inputs::{Given, Inside, Numbers, Volumes, VoxelRows, Wanted, open_all, open_numbers};

/// A run whose voxels have not been read.
pub(super) struct Run<'a> {
    /// For messages.
    pub name: String,
    pub n_volumes: usize,
    input: &'a Input,
    source: Source<'a>,
}

enum Source<'a> {
    Image(Box<Volumes<'a>>),
    /// A regular file, whose shape is known.
    File {
        n_voxels: usize,
    },
    /// A pipe, which could not be read twice.
    Held(Box<(Matrix, Labels)>),
}

/// The voxels of a run that are to be fitted.
pub(super) struct Voxels {
    /// `n_volumes x n_voxels`.
    matrix: Matrix,
    /// Numbers of the voxels, rising.
    pub voxels: Vec<usize>,
    /// Of these many.
    pub n_grid: usize,
    /// Whether a `.npy` run is f8.
    pub is_f8: bool,
    /// Names of all voxels, where a `.npy` run has them.
    pub names: Option<Vec<String>>,
}

impl<'a> Run<'a> {
    pub fn open(job: &'a Job, input: &'a Input) -> Result<Run<'a>> {
        let name = input.to_string();
        if input.path().is_some_and(|path| path.is_file())
            && let Numbers::Arrays(reader) = open_numbers(job, input)?
        {
            let mut stream = Stream::new(input, reader);
            let shape = match stream.next_array()? {
                Some(next) => next.array.matrix_shape().with_context(|| name.clone())?,
                None => (0, 0),
            };
            return Ok(Run { name, n_volumes: shape.0, input, source: Source::File { n_voxels: shape.1 } });
        }
        match open_all(job, std::slice::from_ref(input))? {
            Given::Volumes(volumes) => {
                if let Space::Unplaced(_) = volumes.space() {
                    bail!("{name}: {}; runs of BOLD are taken as NIfTI or MGH images, or as .npy", volumes.space());
                }
                Ok(Run { name, n_volumes: volumes.n_volumes(), input, source: Source::Image(Box::new(volumes)) })
            }
            Given::Arrays(arrays) => {
                let held = hold(arrays.into_first())?;
                Ok(Run { name, n_volumes: held.0.n_rows(), input, source: Source::Held(Box::new(held)) })
            }
        }
    }

    pub fn space(&self) -> Option<&Space> {
        match &self.source {
            Source::Image(volumes) => Some(volumes.space()),
            _ => None,
        }
    }

    pub fn n_grid(&self) -> usize {
        match &self.source {
            Source::Image(volumes) => volumes.space().n_columns(),
            Source::File { n_voxels } => *n_voxels,
            Source::Held(held) => held.0.n_columns(),
        }
    }

    pub fn header_seconds(&self) -> Option<f64> {
        match &self.source {
            Source::Image(volumes) => volumes.repetition_seconds(),
            _ => None,
        }
    }

    /// Reads the voxels inside the masks.
    pub fn read(self, job: &Job, inside: Option<&Inside>) -> Result<Voxels> {
        let (matrix, labels) = match self.source {
            Source::Image(volumes) => {
                let n = self.n_volumes;
                let of = format!("its header says {n}; give one image per run");
                let wanted = Wanted { inside, volumes: Some((n, of)), most_bytes: None };
                let rows = VoxelRows::read(*volumes, self.input, &wanted, |n| 0..n)?;
                let (voxels, n_grid) = (rows.voxels().to_vec(), rows.n_grid());
                let Some(matrix) = rows.into_matrix() else { bail!("{}: was not held", self.name) };
                return Ok(Voxels { matrix, voxels, n_grid, is_f8: false, names: None });
            }
            Source::File { .. } => match open_numbers(job, self.input)? {
                Numbers::Arrays(reader) => hold(Stream::new(self.input, reader))?,
                Numbers::Image(_) => bail!("{}: changed while it was in use", self.name),
            },
            Source::Held(held) => *held,
        };
        let n_grid = matrix.n_columns();
        let is_f8 = matches!(matrix, Matrix::F8(_));
        let Some(inside) = inside else {
            return Ok(Voxels { matrix, voxels: (0..n_grid).collect(), n_grid, is_f8, names: labels.columns });
        };
        inside.require(&self.name, None, n_grid)?;
        let voxels = inside.voxels().to_vec();
        let matrix = match matrix {
            Matrix::F4(values) => Matrix::F4(values.select(ndarray::Axis(1), &voxels)),
            Matrix::F8(values) => Matrix::F8(values.select(ndarray::Axis(1), &voxels)),
        };
        Ok(Voxels { matrix, voxels, n_grid, is_f8, names: labels.columns })
    }
}

fn hold(mut stream: Stream) -> Result<(Matrix, Labels)> {
    let Some(next) = stream.next_array()? else { bail!("{}: no array", stream.input()) };
    let source = next.source.clone();
    let what = format!("{source}: {:?} {} values", next.array.shape(), next.array.kind().name());
    require_memory(what, next.array.bytes_held(), "take fewer voxels with `npy cols`")?;
    let held =
        next.array.into_array().with_context(|| source.clone())?.into_matrix().with_context(|| source.clone())?;
    if stream.next_array()?.is_some() {
        bail!("{source}: several arrays where one run is needed; split them with `npy split`");
    }
    Ok(held)
}

impl Voxels {
    pub fn n_voxels(&self) -> usize {
        self.voxels.len()
    }

    /// Some of the voxels in f8.
    pub fn block(&self, columns: Range<usize>) -> Array2<f64> {
        match &self.matrix {
            Matrix::F4(values) => values.slice(s![.., columns]).mapv(f64::from),
            Matrix::F8(values) => values.slice(s![.., columns]).to_owned(),
        }
    }
}
