//! Responses: a matrix, or an image whose volumes are rows and the voxels of a mask columns. Of a matrix in a file, and
//! of a large image, any voxels can be had without holding the others.

use std::ops::Range;

use anyhow::{Result, bail};
use array_inputs::{Called, JoinArgs, NamedMatrix, Names, Whole, matrices_of, matrix_of};
use cli::{Input, Job};
use npy_stream::{Labels, Matrix};
use stimulus_table::Side;
use voxel_inputs::{Given, Inside, VoxelRows, Wanted, open_all};

use crate::folds::StimuliOfRows;
use crate::voxel_table::{InImage, Voxels};

/// What is said about responses that are an image.
#[derive(Debug, clap::Args)]
pub(crate) struct ImageArgs {
    /// Voxels of an image of responses to take: a NIfTI image of whole numbers, above 0 inside [default: all]
    #[arg(long, value_name = "IMAGE")]
    mask: Option<Input>,
}

/// Where responses come from.
#[derive(Clone, Copy)]
pub(crate) struct From<'a> {
    pub input: &'a Input,
    pub image: &'a ImageArgs,
    /// Row i names volume i of an image.
    pub stimuli: Option<&'a StimuliOfRows>,
    pub join: JoinArgs,
}

impl<'a> From<'a> {
    /// Opens them; an image is read. `columns` says which of so many columns will be asked for, `most_bytes` how much
    /// of an image may be held.
    fn open(
        self,
        job: &'a Job,
        columns: impl FnOnce(usize) -> Range<usize>,
        most_bytes: Option<u128>,
    ) -> Result<Opened<'a>> {
        let From { input, image: ImageArgs { mask }, stimuli, join } = self;
        let volumes = match (open_all(job, std::slice::from_ref(input))?, mask) {
            (Given::Arrays(arrays), None) => return Ok(Opened::Arrays(arrays.into_first())),
            (Given::Arrays(_), Some(mask)) => bail!(
                "--mask {mask}: says which voxels of a NIfTI image are taken, and {input} is a .npy stream; take its \
                 columns with `npy cols`, or regions of it with `fmri-roi extract`"
            ),
            (Given::Volumes(volumes), _) => volumes,
        };
        let ids = match (stimuli, join.assume_order) {
            (Some(stimuli), true) => Some(stimuli.ids()?.to_vec()),
            (None, true) => None,
            (Some(stimuli), false) => {
                bail!("{input}: volumes carry no ids; say --assume-order if row i of {} is volume i", stimuli.source())
            }
            (None, false) => bail!(
                "{input}: volumes carry no ids; name them with --stimuli TABLE --assume-order (row i is volume i), or \
                 say --assume-order alone if row i of the other input is volume i"
            ),
        };
        let of = |ids: &Vec<String>| {
            let table = stimuli.map_or("--stimuli", |stimuli| stimuli.source());
            (ids.len(), format!("{table} has {} rows; one row for each", ids.len()))
        };
        let inside = Inside::read(job, mask.as_slice())?;
        let wanted = Wanted { inside: inside.as_ref(), volumes: ids.as_ref().map(of), most_bytes };
        let rows = VoxelRows::read(volumes, input, &wanted, columns)?;
        let in_image = mask.is_some().then(|| InImage { voxels: rows.voxels().to_vec(), n_voxels: rows.n_grid() });
        // Without a mask the number of a voxel is that of its column.
        let names = in_image.as_ref().map(|image| image.voxels.iter().map(ToString::to_string).collect());
        let labels = Labels { ids, columns: names, name: None };
        Ok(Opened::Image(rows, labels, in_image))
    }
}

enum Opened<'a> {
    Arrays(array_inputs::Stream<'a>),
    Image(VoxelRows, Labels, Option<InImage>),
}

/// A matrix of responses, its rows in some order.
pub(crate) struct Responses {
    /// Where it comes from, for messages.
    pub source: String,
    /// Names of the voxels, and what they are together; ids of the rows as they stand in the file.
    pub labels: Labels,
    /// Of the voxels of a mask.
    pub in_image: Option<InImage>,
    whole: Rows,
    rows: Vec<usize>,
}

enum Rows {
    Matrix(Whole),
    Image(VoxelRows),
}

impl Responses {
    /// Reads what the header says; values of a matrix stay in the file where that is possible. `columns` and
    /// `most_bytes` as of an image: which voxels will be asked for, and how much of it may be held.
    pub fn open(
        job: &Job,
        from: From,
        columns: impl FnOnce(usize) -> Range<usize>,
        most_bytes: Option<u128>,
    ) -> Result<Responses> {
        let (whole, labels, source, in_image) = match from.open(job, columns, most_bytes)? {
            Opened::Arrays(stream) => {
                let (whole, labels, source) = matrix_of(stream)?;
                (Rows::Matrix(whole), labels, source, None)
            }
            Opened::Image(rows, labels, in_image) => (Rows::Image(rows), labels, from.input.to_string(), in_image),
        };
        let n_rows = match &whole {
            Rows::Matrix(whole) => whole.n_rows(),
            Rows::Image(rows) => rows.n_rows(),
        };
        Ok(Responses { source, labels, in_image, whole, rows: (0..n_rows).collect() })
    }

    /// As one side of a join.
    pub fn side(&self) -> Side<'_> {
        Side { name: &self.source, labels: self.labels.ids.as_deref(), n_rows: self.rows.len() }
    }

    /// Takes these of the rows, in this order.
    pub fn select(&mut self, rows: &[usize]) {
        self.rows = rows.iter().map(|&row| self.rows[row]).collect();
    }

    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    pub fn n_columns(&self) -> usize {
        match &self.whole {
            Rows::Matrix(whole) => whole.n_columns(),
            Rows::Image(rows) => rows.n_columns(),
        }
    }

    pub fn is_double(&self) -> bool {
        match &self.whole {
            Rows::Matrix(whole) => whole.is_double(),
            Rows::Image(rows) => rows.is_double(),
        }
    }

    pub fn is_image(&self) -> bool {
        matches!(self.whole, Rows::Image(_))
    }

    /// What is held of them: nothing of what lies in a file in C order.
    pub fn bytes_held(&self) -> u128 {
        match &self.whole {
            Rows::Matrix(whole) => whole.bytes_held(),
            Rows::Image(rows) => rows.bytes_held(),
        }
    }

    /// How tables call the voxels.
    pub fn voxels_called(&self) -> Voxels<'_> {
        Voxels { n: self.n_columns(), names: self.labels.columns.as_deref(), in_image: self.in_image.as_ref() }
    }

    /// All rows of some voxels.
    pub fn voxels(&self, voxels: Range<usize>) -> Result<Matrix> {
        match &self.whole {
            Rows::Matrix(whole) => whole.matrix(&self.rows, voxels),
            Rows::Image(rows) => rows.matrix(&self.rows, voxels),
        }
    }
}

/// Responses that are held: the matrices of a stream, or one of an image.
pub(crate) struct Measured {
    pub matrices: Vec<NamedMatrix>,
    /// Of the voxels of a mask.
    pub in_image: Option<InImage>,
    pub is_image: bool,
}

impl Measured {
    /// Reads all there are.
    pub fn read(job: &Job, from: From, names: &mut Names) -> Result<Measured> {
        match from.open(job, |n| 0..n, None)? {
            Opened::Arrays(stream) => {
                Ok(Measured { matrices: matrices_of(stream, names)?, in_image: None, is_image: false })
            }
            Opened::Image(rows, labels, in_image) => {
                let called = Called::new(from.input, 0, None);
                let name = names.all(std::slice::from_ref(&called))?.remove(0);
                let names_in_tables = names.in_tables(&name, &called);
                let Some(matrix) = rows.into_matrix() else { bail!("{}: no volume was held", from.input) };
                let source = from.input.to_string();
                let matrices = vec![NamedMatrix { name, names_in_tables, source, matrix, labels }];
                Ok(Measured { matrices, in_image, is_image: true })
            }
        }
    }

    /// The one matrix; a second one is an error.
    pub fn only(mut self, input: &Input) -> Result<(NamedMatrix, Option<InImage>)> {
        match self.matrices.len() {
            1 => Ok((self.matrices.remove(0), self.in_image)),
            n => bail!("{input}: holds {n} matrices where one is needed; split them with `npy cat --array N`"),
        }
    }
}
