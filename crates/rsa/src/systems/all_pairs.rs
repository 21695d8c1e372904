//! The systems x systems matrix, as a table of pairs and as a square.

use super::{Systems, cells_of, columns};
use crate::CompareArgs;
use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use cli::{Cell, Input, Job, Output, TableWriter};
use npy_stream::{Matrix, write_matrix};
use std::collections::HashMap;

/// What `--all-pairs` writes beside the table, and the blocks of its systems.
pub(super) struct Outputs {
    matrix: Option<Output>,
    blocks: Option<Blocks>,
}

/// The table of `--blocks`.
struct Blocks {
    source: String,
    of: HashMap<String, String>,
}

impl Blocks {
    fn read(job: &Job, input: &Input) -> Result<Blocks> {
        let source = input.to_string();
        let table = read_table(job, input)?;
        let column = |name| table.column(name).with_context(|| source.clone());
        let mut of: HashMap<String, String> = HashMap::new();
        for (system, block) in column("system")?.iter().zip(column("block")?) {
            if let Some(other) = of.insert(system.clone(), block.clone())
                && other != *block
            {
                bail!("{source}: system {system:?} is in block {other:?} and in block {block:?}; one block per system");
            }
        }
        Ok(Blocks { source, of })
    }

    fn of(&self, system: &str) -> Result<String> {
        match self.of.get(system) {
            Some(block) => Ok(block.clone()),
            None => bail!("{}: has no row for system {system:?} ({} systems are in it)", self.source, self.of.len()),
        }
    }
}

impl Outputs {
    /// Opens and reads what is asked for, so that what is wrong with it is said before long work starts.
    pub fn open(job: &Job, args: &CompareArgs) -> Result<Outputs> {
        let matrix = args.systems.matrix.as_deref();
        if let (Some(matrix), Some(table)) = (matrix, args.common.output.as_deref())
            && matrix.with_extension("") == table.with_extension("")
        {
            bail!(
                "--matrix {} and -o {} would write one sidecar, {}; give them different names",
                matrix.display(),
                table.display(),
                table.with_extension("json").display()
            );
        }
        Ok(Outputs {
            matrix: matrix.map(|path| job.binary_output(Some(path))).transpose()?,
            blocks: args.systems.blocks.as_ref().map(|input| Blocks::read(job, input)).transpose()?,
        })
    }

    /// One row per pair of systems, the one that was given first in `a`; the square as it is.
    pub fn write(self, job: &Job, args: &CompareArgs, systems: &Systems, out: Output) -> Result<()> {
        let n_brains = systems.n_brains;
        let block = |k: usize| match &self.blocks {
            Some(blocks) => blocks.of(&systems.names[k]),
            None if k < n_brains => Ok("brain".to_string()),
            None => Ok("model".to_string()),
        };
        // Models first, as on the command line.
        let order: Vec<usize> = (n_brains..systems.names.len()).chain(0..n_brains).collect();
        if order.len() < 2 {
            bail!("{}: 1 system; --all-pairs needs at least 2", systems.names[0]);
        }
        let blocks: Vec<String> = (0..order.len()).map(block).collect::<Result<_>>()?;
        let square = systems.square()?;
        let columns = columns(&["a", "block_a", "b", "block_b"], args, &square, Vec::new());
        let mut table = TableWriter::new(out, args.format, &columns)?;
        for (place, &a) in order.iter().enumerate() {
            for &b in &order[place + 1..] {
                let mut cells: Vec<Cell> = Vec::with_capacity(columns.len());
                for k in [a, b] {
                    cells.extend([Cell::from(&systems.names[k]), Cell::from(&blocks[k])]);
                }
                cells.extend(cells_of(systems, square[(a, b)], Vec::new()));
                table.row(&cells)?;
            }
        }
        if let Some(mut matrix) = self.matrix {
            let names: Vec<String> = order.iter().map(|&k| systems.names[k].clone()).collect();
            let values = square.map(|s| s.value).select(ndarray::Axis(0), &order).select(ndarray::Axis(1), &order);
            write_matrix(&mut matrix, &Matrix::F8(values), Some(&names))?;
            matrix.commit(job)?;
        }
        table.into_inner().commit(job)
    }
}
