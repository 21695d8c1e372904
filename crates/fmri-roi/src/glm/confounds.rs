//! Columns of tables of confounds, by name or glob.

use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use cli::{Input, Job};
use glm::Confounds;
use globset::Glob;
use ndarray::Array2;

/// The columns that the names and globs ask for, in the order of the table. Each must find one.
pub(super) fn read(job: &Job, input: &Input, wanted: &[String]) -> Result<Confounds> {
    let table = read_table(job, input)?;
    let named = || input.to_string();
    let mut taken = vec![false; table.names().len()];
    for want in wanted {
        let glob = Glob::new(want).with_context(|| format!("--confound-columns {want:?}"))?.compile_matcher();
        let mut n_found = 0;
        for (name, taken) in table.names().iter().zip(&mut taken) {
            if name == want || glob.is_match(name) {
                *taken = true;
                n_found += 1;
            }
        }
        if n_found == 0 {
            bail!("{input}: no column {want:?}; the columns are {}", table.names().join(", "));
        }
    }
    let names: Vec<String> =
        table.names().iter().zip(&taken).filter(|(_, taken)| **taken).map(|(name, _)| name.clone()).collect();
    let mut values = Array2::zeros((table.n_rows(), names.len()));
    for (name, mut column) in names.iter().zip(values.columns_mut()) {
        let mut numbers = table.numbers(name).with_context(named)?;
        // What fMRIPrep writes where a derivative or a displacement has no volume before it.
        if numbers.len() > 1 && numbers[0].is_nan() {
            numbers[0] = numbers[1..].iter().sum::<f64>() / (numbers.len() - 1) as f64;
            if numbers[0].is_finite() {
                job.note(format!("{input}: column {name:?} is n/a in row 0; taken as the mean of the others"));
            } else {
                numbers[0] = 0.0;
            }
        }
        if let Some(row) = numbers.iter().position(|number| !number.is_finite()) {
            let cell = &table.column(name).with_context(named)?[row];
            bail!("{input}: row {row} of column {name:?} is {cell:?}; only row 0 may have no number");
        }
        column.iter_mut().zip(numbers).for_each(|(to, number)| *to = number);
    }
    Ok(Confounds { names, values })
}
