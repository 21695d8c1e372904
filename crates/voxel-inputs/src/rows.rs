//! The same voxels of every volume of an image, as the columns of a matrix with a row per volume.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};
use brain_formats::space::Space;
use cli::{Bytes, Input, Job, require_memory};
use ndarray::{Array2, s};
use npy_stream::{Float, Matrix};

use crate::maps::reopen;
use crate::{Volumes, read_labels, require_n_columns, require_same_space};

/// The voxels that are inside one mask, or inside every one of several.
#[derive(Debug)]
pub struct Inside {
    name: String,
    voxels: Vec<usize>,
    n: usize,
    space: Option<Space>,
}

impl Inside {
    /// Reads the masks, which must be of one space; `None` where there are none. An error where no voxel is inside.
    pub fn read(job: &Job, masks: &[Input]) -> Result<Option<Inside>> {
        let Some((first, others)) = masks.split_first() else { return Ok(None) };
        let labels = read_labels(job, first)?;
        let (n, mut voxels) = (labels.labels.len(), labels.inside());
        let mut inside = Inside { name: first.to_string(), voxels: Vec::new(), n, space: labels.space };
        let mut sizes = vec![voxels.len()];
        for mask in others {
            let labels = read_labels(job, mask)?;
            inside.require(&mask.to_string(), labels.space.as_ref(), labels.labels.len())?;
            sizes.push(labels.inside().len());
            voxels.retain(|&voxel| labels.labels[voxel] > 0);
        }
        if !others.is_empty() {
            let (least, most) = (sizes.iter().min().unwrap_or(&0), sizes.iter().max().unwrap_or(&0));
            let (n_inside, n_masks) = (voxels.len(), masks.len());
            inside.name = format!("{first} and {} more", others.len());
            job.note(format!(
                "{}: {n_inside} voxels are inside all {n_masks} masks, which have {least} to {most}",
                inside.name
            ));
        }
        if voxels.is_empty() {
            bail!("{}: 0 of {n} voxels are inside; voxels above 0 are", inside.name);
        }
        inside.voxels = voxels;
        Ok(Some(inside))
    }

    /// The numbers of the voxels, rising.
    pub fn voxels(&self) -> &[usize] {
        &self.voxels
    }

    /// An error where `source`, with its `n` columns, is of another space.
    pub fn require(&self, source: &str, space: Option<&Space>, n: usize) -> Result<()> {
        match (&self.space, space) {
            (Some(mine), Some(theirs)) => require_same_space((&self.name, mine), (source, theirs)),
            (None, Some(theirs)) => require_n_columns((&self.name, self.n), (source, theirs)),
            _ if self.n != n => bail!("{}: {} voxels, but {source} has {n}", self.name, self.n),
            _ => Ok(()),
        }
    }
}

/// Which of an image is wanted.
pub struct Wanted<'a> {
    /// The voxels inside; all without.
    pub inside: Option<&'a Inside>,
    /// How many volumes there must be, and what has so many: `trials.csv has 9 rows; one row per volume`.
    pub volumes: Option<(usize, String)>,
    /// More bytes than these are not held but read again from the file whenever they are asked for.
    pub most_bytes: Option<u128>,
}

/// Rows are volumes, columns voxels in the order of their numbers.
#[derive(Debug)]
pub struct VoxelRows {
    file: Option<Input>,
    voxels: Vec<usize>,
    n_grid: usize,
    n_rows: usize,
    double: bool,
    held: Option<Held>,
}

/// Values of some of the columns, in the precision of the images.
#[derive(Debug)]
struct Held {
    columns: Range<usize>,
    values: Matrix,
}

/// Rows as they come; f4 until there is a number that it does not hold.
enum Growing {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl Growing {
    fn push(&mut self, double: bool, values: impl Iterator<Item = f64>) {
        if let (true, Growing::Single(single)) = (double, &self) {
            *self = Growing::Double(single.iter().copied().map(f64::from).collect());
        }
        match self {
            Growing::Single(all) => all.extend(values.map(|v| v as f32)),
            Growing::Double(all) => all.extend(values),
        }
    }

    fn into_matrix(self, shape: (usize, usize)) -> Result<Matrix> {
        Ok(match self {
            Growing::Single(values) => Matrix::F4(Array2::from_shape_vec(shape, values)?),
            Growing::Double(values) => Matrix::F8(Array2::from_shape_vec(shape, values)?),
        })
    }
}

impl VoxelRows {
    /// Reads the image once. `columns` says which of so many columns will be asked for.
    pub fn read(
        mut volumes: Volumes,
        input: &Input,
        wanted: &Wanted,
        columns: impl FnOnce(usize) -> Range<usize>,
    ) -> Result<VoxelRows> {
        let (source, n_grid) = (volumes.source().to_owned(), volumes.space().n_columns());
        let voxels = match wanted.inside {
            None => (0..n_grid).collect(),
            Some(inside) => {
                inside.require(&source, Some(volumes.space()), n_grid)?;
                inside.voxels().to_vec()
            }
        };
        let columns = columns(voxels.len());
        let own = &voxels[columns.clone()];
        if own.len() < n_grid {
            volumes.keep(own)?;
        }
        let file = Some(input).filter(|input| input.path().is_some_and(Path::is_file)).cloned();
        let mut growing = Some(Growing::Single(Vec::new()));
        let (mut values, mut n_rows) = (Vec::new(), 0);
        loop {
            if let Some((n, of)) = &wanted.volumes {
                volumes.require(*n, of)?;
            }
            if !volumes.next_volume(&mut values)? {
                break;
            }
            n_rows += 1;
            let item = if volumes.is_double() { 8 } else { 4 };
            let bytes = item * own.len() as u128 * volumes.n_volumes() as u128;
            let what = || format!("{source}: {} volumes of {} voxels", volumes.n_volumes(), own.len());
            match wanted.most_bytes.filter(|most| bytes > *most) {
                Some(_) if file.is_some() => growing = None,
                Some(most) => bail!(
                    "{} take {}, and {} are allowed for what is read from a pipe; give the image as a file",
                    what(),
                    Bytes(bytes),
                    Bytes(most)
                ),
                None if growing.is_some() && n_rows % 64 == 1 => {
                    let held = item * own.len() as u128 * (n_rows as u128 - 1);
                    require_memory(what(), bytes.saturating_sub(held), "take fewer voxels with --mask")?;
                }
                None => {}
            }
            if let Some(growing) = &mut growing {
                growing.push(volumes.is_double(), own.iter().map(|&voxel| values[voxel]));
            }
        }
        if let Some((n, of)) = &wanted.volumes {
            volumes.require_all(*n, of)?;
        }
        let n_own = own.len();
        let values = growing.map(|growing| growing.into_matrix((n_rows, n_own))).transpose()?;
        let held = values.map(|values| Held { columns, values });
        Ok(VoxelRows { file, voxels, n_grid, n_rows, double: volumes.is_double(), held })
    }

    /// Number of volumes.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of voxels.
    pub fn n_columns(&self) -> usize {
        self.voxels.len()
    }

    /// The numbers of the voxels, rising.
    pub fn voxels(&self) -> &[usize] {
        &self.voxels
    }

    /// How many voxels the image has, inside and outside.
    pub fn n_grid(&self) -> usize {
        self.n_grid
    }

    /// Whether values are f8.
    pub fn is_double(&self) -> bool {
        self.double
    }

    /// Bytes that are held.
    pub fn bytes_held(&self) -> u128 {
        let item = if self.double { 8 } else { 4 };
        self.held.as_ref().map_or(0, |held| item * held.columns.len() as u128 * self.n_rows as u128)
    }

    /// Some columns of the given rows, in the precision in which they are stored.
    ///
    /// # Panics
    /// When columns are not among those that [`VoxelRows::read`] was told of.
    pub fn matrix(&self, rows: &[usize], columns: Range<usize>) -> Result<Matrix> {
        let Some(Held { columns: own, values }) = &self.held else {
            return Ok(match self.double {
                true => Matrix::F8(self.read_again(rows, columns)?),
                false => Matrix::F4(self.read_again(rows, columns)?),
            });
        };
        let columns = columns.start - own.start..columns.end - own.start;
        Ok(match values {
            Matrix::F4(values) => Matrix::F4(picked(values, rows, columns)),
            Matrix::F8(values) => Matrix::F8(picked(values, rows, columns)),
        })
    }

    /// All that is held, as it stands; `None` where nothing is.
    pub fn into_matrix(self) -> Option<Matrix> {
        self.held.map(|held| held.values)
    }

    fn read_again<T: Float>(&self, rows: &[usize], columns: Range<usize>) -> Result<Array2<T>> {
        let Some((file, path)) = self.file.as_ref().and_then(|file| Some((file, file.path()?))) else {
            bail!("voxels of a pipe cannot be read again")
        };
        let named = || file.to_string();
        let mut image = reopen(file, path)?;
        // A volume may be several rows, or none.
        let mut rows_of: Vec<Vec<usize>> = vec![Vec::new(); self.n_rows];
        rows.iter().enumerate().for_each(|(to, &volume)| rows_of[volume].push(to));
        let voxels = &self.voxels[columns];
        image.keep(voxels).with_context(named)?;
        let mut out = Array2::from_elem((rows.len(), voxels.len()), T::from_f64(0.0));
        let mut values = Vec::new();
        for (volume, to) in rows_of.iter().enumerate() {
            if !image.next_volume(&mut values).with_context(named)? || values.len() != self.n_grid {
                bail!("{}: ends after {volume} of {} volumes; it changed while it was read", named(), self.n_rows);
            }
            for &row in to {
                let mut out = out.row_mut(row);
                out.iter_mut().zip(voxels).for_each(|(out, &voxel)| *out = T::from_f64(values[voxel]));
            }
        }
        Ok(out)
    }
}

fn picked<T: Float>(values: &Array2<T>, rows: &[usize], columns: Range<usize>) -> Array2<T> {
    let mut out = Array2::from_elem((rows.len(), columns.len()), T::from_f64(0.0));
    out.rows_mut()
        .into_iter()
        .zip(rows)
        .for_each(|(mut out, &row)| out.assign(&values.slice(s![row, columns.clone()])));
    out
}
