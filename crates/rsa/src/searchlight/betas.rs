//! Betas cut to the voxels of a mask: NIfTI images or matrices, one below the other, trials averaged.

use super::args::SearchlightArgs;
use anyhow::{Context, Result, bail};
use array_inputs::{Next, read_table};
use brain_formats::{Geometry, Space};
use cli::{Input, Job};
use ndarray::Array2;
use npy_stream::{Block, Matrix};
use std::collections::HashMap;
use stimulus_table::is_missing;
use voxel_inputs::{Given, open_all, require_same_space};

/// Rows read at a time.
const BLOCK_VALUES: usize = 1 << 20;

/// One pattern per stimulus, one column per voxel of the mask.
pub(super) struct Betas {
    pub source: String,
    pub patterns: Matrix,
    pub ids: Vec<String>,
}

/// Values of rows cut to the mask, in the precision of the inputs.
struct Rows {
    single: Vec<f32>,
    /// In place of `single` from the first input on that f4 cannot hold.
    double: Option<Vec<f64>>,
    n: usize,
}

impl Rows {
    fn push(&mut self, double: bool, values: impl Iterator<Item = f64>) {
        if double && self.double.is_none() {
            self.double = Some(std::mem::take(&mut self.single).into_iter().map(f64::from).collect());
        }
        match &mut self.double {
            Some(kept) => kept.extend(values),
            None => self.single.extend(values.map(|v| v as f32)),
        }
        self.n += 1;
    }

    fn averaged(self, rows_of: &[Vec<usize>], n_voxels: usize) -> Result<Matrix> {
        let over = |value: &dyn Fn(usize, usize) -> f64| -> Array2<f64> {
            Array2::from_shape_fn((rows_of.len(), n_voxels), |(s, v)| match rows_of[s].as_slice() {
                [row] => value(*row, v),
                rows => rows.iter().map(|&row| value(row, v)).sum::<f64>() / rows.len() as f64,
            })
        };
        // An average of f4 numbers is more exact than one of them, and there are fewer.
        let averaged = rows_of.iter().any(|rows| rows.len() > 1);
        Ok(match &self.double {
            None if averaged => Matrix::F8(over(&|row, v| f64::from(self.single[row * n_voxels + v]))),
            Some(kept) => Matrix::F8(over(&|row, v| kept[row * n_voxels + v])),
            None => Matrix::F4(over(&|row, v| f64::from(self.single[row * n_voxels + v])).mapv(|v| v as f32)),
        })
    }
}

/// Reads all betas; `voxels` are the numbers of the mask's voxels, rising.
pub(super) fn read(job: &Job, args: &SearchlightArgs, grid: &Geometry, voxels: &[usize]) -> Result<Betas> {
    let mut rows = Rows { single: Vec::new(), double: None, n: 0 };
    let mut carried: Vec<(String, usize, Option<Vec<String>>)> = Vec::new();
    for input in &args.betas {
        read_one(job, args, input, grid, voxels, &mut rows, &mut carried)?;
    }
    let source = match args.betas.as_slice() {
        [only] => only.to_string(),
        [first, others @ ..] => format!("{first} and {} more", others.len()),
        [] => bail!("0 betas; give an image or a matrix"),
    };
    let ids = ids_of_rows(job, args, &source, rows.n, &carried)?;

    // Trials of a stimulus are averaged; a row that the column leaves empty is none.
    let mut place: HashMap<&str, usize> = HashMap::new();
    let (mut names, mut rows_of): (Vec<String>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    for (row, id) in ids.iter().enumerate() {
        let Some(id) = id else { continue };
        let here = *place.entry(id).or_insert(names.len());
        if here == names.len() {
            names.push(id.clone());
            rows_of.push(Vec::new());
        }
        rows_of[here].push(row);
    }
    let n_used = ids.iter().flatten().count();
    if n_used > names.len() || n_used < ids.len() {
        job.note(format!("{source}: {} patterns, averaged from {n_used} of {} rows", names.len(), ids.len()));
    }
    if names.len() < 3 {
        bail!("{source}: {} patterns in {} rows; comparing RDMs needs at least 3", names.len(), ids.len());
    }
    Ok(Betas { source, patterns: rows.averaged(&rows_of, voxels.len())?, ids: names })
}

/// Reads what `--noise` names: rows are time points, and columns the voxels of the mask.
pub(super) fn read_residuals(
    job: &Job,
    args: &SearchlightArgs,
    input: &Input,
    grid: &Geometry,
    voxels: &[usize],
) -> Result<Matrix> {
    let mut rows = Rows { single: Vec::new(), double: None, n: 0 };
    read_one(job, args, input, grid, voxels, &mut rows, &mut Vec::new())?;
    let each: Vec<Vec<usize>> = (0..rows.n).map(|row| vec![row]).collect();
    rows.averaged(&each, voxels.len())
}

fn read_one(
    job: &Job,
    args: &SearchlightArgs,
    input: &Input,
    grid: &Geometry,
    voxels: &[usize],
    rows: &mut Rows,
    carried: &mut Vec<(String, usize, Option<Vec<String>>)>,
) -> Result<()> {
    let name = input.to_string();
    match open_all(job, std::slice::from_ref(input))? {
        Given::Volumes(mut volumes) => {
            let of_mask = Space::Grid(grid.clone());
            require_same_space((&args.mask.to_string(), &of_mask), (&name, volumes.space()))?;
            volumes.keep(voxels)?;
            let mut values = Vec::new();
            while volumes.next_volume(&mut values)? {
                rows.push(volumes.is_double(), voxels.iter().map(|&v| values[v]));
            }
            carried.push((name, volumes.n_volumes(), None));
        }
        Given::Arrays(arrays) => {
            arrays.each(|Next { source: name, mut array, .. }| {
                let (n_rows, n_columns) = array.matrix_shape().with_context(|| name.clone())?;
                let whole = n_columns == grid.n_voxels();
                if !whole && n_columns != voxels.len() {
                    bail!(
                        "{name}: {n_columns} columns, but {} has {} voxels, {} of them inside; one column per voxel of \
                         either",
                        args.mask,
                        grid.n_voxels(),
                        voxels.len()
                    );
                }
                let column = |k: usize| if whole { voxels[k] } else { k };
                let double = array.kind().is_double();
                let n_block = (BLOCK_VALUES / n_columns.max(1)).max(1);
                while let Some(block) = array.next_rows(n_block).with_context(|| name.clone())? {
                    match block {
                        Block::F4(block) => block.rows().into_iter().for_each(|row| {
                            rows.push(double, (0..voxels.len()).map(|k| f64::from(row[column(k)])));
                        }),
                        Block::F8(block) => block.rows().into_iter().for_each(|row| {
                            rows.push(double, (0..voxels.len()).map(|k| row[column(k)]));
                        }),
                    }
                }
                let labels = array.finish().with_context(|| name.clone())?;
                carried.push((name.clone(), n_rows, labels.ids));
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// What each row is a pattern of: the ids it carries, or those of --stimuli.
fn ids_of_rows(
    job: &Job,
    args: &SearchlightArgs,
    source: &str,
    n_rows: usize,
    carried: &[(String, usize, Option<Vec<String>>)],
) -> Result<Vec<Option<String>>> {
    let Some(input) = &args.stimuli else {
        let mut ids = Vec::new();
        for (name, n, labels) in carried {
            match labels {
                Some(labels) => ids.extend(labels.iter().cloned().map(Some)),
                None => bail!("{name}: {n} rows without ids; name them with --stimuli TABLE --assume-order"),
            }
        }
        return Ok(ids);
    };
    if let Some((name, n, _)) = carried.iter().find(|(_, _, labels)| labels.is_some()) {
        bail!("{name}: the {n} rows carry ids already; leave --stimuli out");
    }
    let table = read_table(job, input)?;
    let cells = match &args.by {
        Some(column) => table.column(column),
        None => table.ids().map(|(_, ids)| ids),
    }
    .with_context(|| input.to_string())?;
    if cells.len() != n_rows {
        bail!("{source}: {n_rows} rows, but {input} has {}; the table needs one row for each of them", cells.len());
    }
    let named = |cell: &String| (!is_missing(cell)).then(|| cell.trim().to_owned());
    Ok(cells.iter().map(named).collect())
}
