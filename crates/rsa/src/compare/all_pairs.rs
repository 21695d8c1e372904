//! The systems x systems matrix, as a table of pairs and as a square.

use super::args::CompareArgs;
use super::system::Systems;
use super::table;
use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use cli::{Input, Job, Named, Output};
use ndarray::Axis;
use npy_stream::{Matrix, write_matrix};
use std::collections::HashMap;

/// The table of `--blocks`.
pub(super) struct Blocks {
    source: String,
    of: HashMap<String, String>,
}

impl Blocks {
    pub fn read(job: &Job, input: &Input) -> Result<Blocks> {
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

/// One row per pair of systems, the one that was given first in `a`; the square as it is.
pub(super) fn write(
    job: &Job,
    args: &CompareArgs,
    systems: &Systems,
    blocks: Option<&Blocks>,
    out: Output,
    matrix: Option<Output>,
) -> Result<()> {
    let n_brains = systems.n_brains;
    let block = |k: usize| match blocks {
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
    if let Some(mut matrix) = matrix {
        let names: Vec<String> = order.iter().map(|&k| systems.names[k].clone()).collect();
        let values = square.map(|s| s.value).select(Axis(0), &order).select(Axis(1), &order);
        write_matrix(&mut matrix, &Matrix::F8(values), Some(&names[..]))?;
        matrix.commit(job)?;
    }
    let row = |a: usize, b: usize| -> Vec<Named> {
        let score = square[(a, b)];
        let mut cells: Vec<Named> = vec![
            ("a", (&systems.names[a]).into()),
            ("block_a", (&blocks[a]).into()),
            ("b", (&systems.names[b]).into()),
            ("block_b", (&blocks[b]).into()),
        ];
        cells.extend(table::cells(systems, args.compare.column(), score));
        cells.push(table::reason(score.reason));
        cells
    };
    let pairs = (0..order.len()).flat_map(|i| (i + 1..order.len()).map(move |j| (i, j)));
    table::write(job, args.format, out, pairs.map(|(i, j)| row(order[i], order[j])))
}
