//! Tables with a row per voxel, found by name or by number.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use cli::{Input, Job};
use stimulus_table::Table;
use unit_tables::columns::{ARRAY, VOXEL, VOXEL_NAME};

/// Voxels of a mask in their image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InImage {
    /// Their numbers, rising: `fmri-roi` counts so.
    pub voxels: Vec<usize>,
    /// How many voxels the image has.
    pub n_voxels: usize,
}

/// How tables call the voxels of responses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voxels<'a> {
    /// How many there are.
    pub n: usize,
    pub names: Option<&'a [String]>,
    /// Of the voxels of a mask.
    pub in_image: Option<&'a InImage>,
}

impl Voxels<'_> {
    /// What stands in the column `voxel`: the number of the column, or that in the image.
    pub fn number(&self, column: usize) -> usize {
        self.in_image.map_or(column, |image| image.voxels[column])
    }

    /// The column of a number; `Ok(None)` where the mask leaves that voxel out, an error where there is none.
    fn column(&self, number: usize) -> Result<Option<usize>, usize> {
        let (n, column) = match self.in_image {
            None => (self.n, Some(number)),
            Some(image) => (image.n_voxels, image.voxels.binary_search(&number).ok()),
        };
        if number < n { Ok(column) } else { Err(n) }
    }
}

/// A table of voxels, and its row for each voxel of the responses.
pub(crate) struct VoxelTable {
    pub source: String,
    pub table: Table,
    /// The row of each voxel; `None` where the table has none.
    pub rows: Vec<Option<usize>>,
}

impl VoxelTable {
    /// Reads a table and finds the voxels of responses in it: by `voxel_name` where both have names, else by `voxel`,
    /// which counts from 0 and must not reach beyond the responses (of an image: beyond the image).
    pub fn read(job: &Job, input: &Input, voxels: Voxels) -> Result<VoxelTable> {
        let (table, source) = (read_table(job, input)?, input.to_string());
        let one_array = table.column(ARRAY).is_ok_and(|arrays| arrays.windows(2).any(|pair| pair[0] != pair[1]));
        if one_array {
            bail!("{source}: rows of several arrays; give a table of the one that the responses are");
        }
        let mut rows = vec![None; voxels.n];
        let mut put = |voxel: usize, row: usize, what: &str| match rows[voxel].replace(row) {
            Some(_) => bail!("{source}: voxel {what} has two rows"),
            None => Ok(()),
        };
        match voxels.names.filter(|_| table.has(VOXEL_NAME)) {
            Some(names) => {
                let place: HashMap<&str, usize> =
                    names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
                for (row, name) in table.column(VOXEL_NAME)?.iter().enumerate() {
                    if let Some(&voxel) = place.get(name.as_str()) {
                        put(voxel, row, name)?;
                    }
                }
            }
            None => {
                for (row, cell) in table.column(VOXEL).with_context(|| source.clone())?.iter().enumerate() {
                    let Ok(number) = cell.trim().parse::<usize>() else {
                        bail!("{source}: {cell:?} is no number of a voxel")
                    };
                    match voxels.column(number) {
                        Ok(Some(voxel)) => put(voxel, row, cell)?,
                        Ok(None) => {}
                        Err(n) => bail!("{source}: voxel {number}, but the responses have {n}; the table is of others"),
                    }
                }
            }
        }
        Ok(VoxelTable { source, table, rows })
    }

    /// The level of every voxel in a column; an error where one has none.
    pub fn levels(&self, column: &str) -> Result<Vec<String>> {
        let levels = self.table.levels(column).with_context(|| self.source.clone())?;
        let of = |row: &Option<usize>| row.map(|row| levels[row].clone()).filter(|level| !level.is_empty());
        let found: Vec<Option<String>> = self.rows.iter().map(of).collect();
        let missing = found.iter().filter(|level| level.is_none()).count();
        match missing {
            0 => Ok(found.into_iter().flatten().collect()),
            _ => bail!("{}: {missing} of {} voxels have no {column}; every voxel needs one", self.source, found.len()),
        }
    }
}
