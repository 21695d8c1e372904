//! Tables with a row per voxel, found by name or by number.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use cli::{Input, Job};
use stimulus_table::Table;
use unit_tables::columns::{ARRAY, VOXEL, VOXEL_NAME};

/// A table of voxels, and its row for each voxel of the responses.
pub(crate) struct VoxelTable {
    pub source: String,
    pub table: Table,
    /// The row of each voxel; `None` where the table has none.
    pub rows: Vec<Option<usize>>,
}

impl VoxelTable {
    /// Reads a table and finds the voxels of responses in it: by `voxel_name` where both have names, else by `voxel`,
    /// which counts from 0 and must not reach beyond the responses. `n_voxels` are those of the responses.
    pub fn read(job: &Job, input: &Input, names: Option<&[String]>, n_voxels: usize) -> Result<VoxelTable> {
        let (table, source) = (read_table(job, input)?, input.to_string());
        let one_array = table.column(ARRAY).is_ok_and(|arrays| arrays.windows(2).any(|pair| pair[0] != pair[1]));
        if one_array {
            bail!("{source}: rows of several arrays; give a table of the one that the responses are");
        }
        let mut rows = vec![None; n_voxels];
        let mut put = |voxel: usize, row: usize, what: &str| match rows[voxel].replace(row) {
            Some(_) => bail!("{source}: voxel {what} has two rows"),
            None => Ok(()),
        };
        match names.filter(|_| table.has(VOXEL_NAME)) {
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
                    match cell.trim().parse::<usize>() {
                        Ok(voxel) if voxel < n_voxels => put(voxel, row, cell)?,
                        Ok(voxel) => {
                            bail!("{source}: voxel {voxel}, but the responses have {n_voxels}; the table is of others")
                        }
                        Err(_) => bail!("{source}: {cell:?} is no number of a voxel"),
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
