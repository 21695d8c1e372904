//! Columns of tables of confounds, by name or glob; of tables without a header line, by number.

use std::io::Read;

use anyhow::{Context, Result, bail};
use cli::{Input, Job};
use glm::Confounds;
use globset::{Glob, GlobMatcher};
use ndarray::Array2;
use stimulus_table::Table;

/// Names and globs, as they are typed.
struct Wanted<'w> {
    text: &'w str,
    matcher: GlobMatcher,
}

impl<'w> Wanted<'w> {
    fn of(text: &'w str) -> Result<Wanted<'w>> {
        let glob = Glob::new(text).with_context(|| format!("--confound-columns {text:?}"))?;
        Ok(Wanted { text, matcher: glob.compile_matcher() })
    }

    fn is_glob(&self) -> bool {
        self.text.contains(['*', '?', '[', '{'])
    }
}

/// A table of confounds.
enum Sheet {
    Named(Table),
    /// Numbers alone: FSL's `.par`, SPM's `rp_*.txt`, AFNI's `.1D`.
    Bare(Array2<f64>),
}

/// The columns that the names and globs ask for, of every run in the order of its table. A name must be in each table;
/// a glob in one, since the number of outlying volumes, for one, differs between runs and may be 0.
pub(super) fn read(job: &Job, inputs: &[&Input], wanted: &[String]) -> Result<Vec<Confounds>> {
    let wanted: Vec<Wanted> = wanted.iter().map(|text| Wanted::of(text)).collect::<Result<_>>()?;
    let sheets: Vec<Sheet> = inputs.iter().map(|input| Sheet::read(job, input)).collect::<Result<_>>()?;
    for want in &wanted {
        let without: Vec<usize> = (0..sheets.len()).filter(|&k| sheets[k].places(want).is_empty()).collect();
        let Some(&first) = without.first() else { continue };
        if !want.is_glob() || without.len() == sheets.len() {
            bail!("{}: no column {:?}; the columns are {}", inputs[first], want.text, sheets[first].names().join(", "));
        }
        without.iter().for_each(|&k| job.note(format!("{}: no column {:?}", inputs[k], want.text)));
    }
    inputs.iter().zip(&sheets).map(|(input, sheet)| sheet.take(job, input, &wanted)).collect()
}

impl Sheet {
    fn read(job: &Job, input: &Input) -> Result<Sheet> {
        let mut bytes = Vec::new();
        job.open(input)?.reader().read_to_end(&mut bytes).with_context(|| input.to_string())?;
        if let Some(bare) = std::str::from_utf8(&bytes).ok().and_then(numbers_alone) {
            let values = bare.with_context(|| input.to_string())?;
            let last = values.ncols() - 1;
            job.note(format!("{input}: no header line; its columns are called confound_0 to confound_{last}"));
            return Ok(Sheet::Bare(values));
        }
        Ok(Sheet::Named(Table::read(bytes.as_slice()).with_context(|| input.to_string())?))
    }

    fn names(&self) -> Vec<String> {
        match self {
            Sheet::Named(table) => table.names().to_vec(),
            Sheet::Bare(values) => (0..values.ncols()).map(|k| format!("confound_{k}")).collect(),
        }
    }

    /// The columns that are asked for.
    fn places(&self, want: &Wanted) -> Vec<usize> {
        let is_number = |k: usize| matches!(self, Sheet::Bare(_)) && want.text == k.to_string();
        let is_it = |k: usize, name: &str| name == want.text || want.matcher.is_match(name) || is_number(k);
        self.names().iter().enumerate().filter(|(k, name)| is_it(*k, name)).map(|(k, _)| k).collect()
    }

    fn take(&self, job: &Job, input: &Input, wanted: &[Wanted]) -> Result<Confounds> {
        let mut places: Vec<usize> = wanted.iter().flat_map(|want| self.places(want)).collect();
        places.sort_unstable();
        places.dedup();
        let all = self.names();
        let names: Vec<String> = places.iter().map(|&k| all[k].clone()).collect();
        let table = match self {
            Sheet::Bare(values) => return Ok(Confounds { names, values: values.select(ndarray::Axis(1), &places) }),
            Sheet::Named(table) => table,
        };
        let named = || input.to_string();
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
}

/// The numbers of a text whose first line, comments (`#`) aside, is numbers: it has no header line. `None` for any
/// other.
fn numbers_alone(text: &str) -> Option<Result<Array2<f64>>> {
    let lines = text.lines().enumerate().map(|(k, line)| (k, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let number = |cell: &str| cell.parse::<f64>().ok().filter(|value| value.is_finite());
    let (mut values, mut n_columns) = (Vec::new(), 0);
    let mut n_rows = 0;
    for (k, line) in lines {
        let cells: Vec<&str> =
            line.split(|c: char| c.is_whitespace() || c == ',').filter(|cell| !cell.is_empty()).collect();
        let row: Vec<Option<f64>> = cells.iter().map(|cell| number(cell)).collect();
        if n_rows == 0 {
            if row.iter().any(Option::is_none) {
                return None;
            }
            n_columns = row.len();
        }
        if row.len() != n_columns {
            return Some(Err(anyhow::anyhow!("line {} has {} numbers, the first {n_columns}", k + 1, row.len())));
        }
        if let Some(at) = row.iter().position(Option::is_none) {
            return Some(Err(anyhow::anyhow!(
                "line {}: {:?} is not a number, as the first line has",
                k + 1,
                cells[at]
            )));
        }
        values.extend(row.into_iter().flatten());
        n_rows += 1;
    }
    match n_rows {
        0 => None,
        _ => Some(Array2::from_shape_vec((n_rows, n_columns), values).map_err(Into::into)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_line_of_numbers_is_no_header() {
        let of = |text: &str| numbers_alone(text).map(|found| found.map_err(|error| error.to_string()));
        let two = ndarray::array![[1.0, -0.002], [3.0, 4.0]];
        for text in ["1  -2e-3  \n3  4  \n", "# AFNI\n 1 -0.002\n\n3\t4", "1,-.002\r\n3,4\r\n"] {
            assert_eq!(of(text), Some(Ok(two.clone())), "{text:?}");
        }
        for text in ["rot_x\trot_y\n1\t2\n", "", "# only\n", "n/a\t1\n", "nan 1\n", "1\tx\n"] {
            assert_eq!(of(text), None, "{text:?}");
        }
        assert!(of("1 2\n3\n").unwrap().unwrap_err().contains("line 2 has 1 numbers, the first 2"));
        assert!(of("1 2\n3 x\n").unwrap().unwrap_err().contains("\"x\""));
    }
}
