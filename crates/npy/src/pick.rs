//! `npy rows`, `npy cols`, `npy label`: what passes and under which name.

use crate::args::{Columns, Label, Rows};
use crate::whole::Whole;
use anyhow::{Context, Result, bail};
use array_inputs::{hold, open_npy, read_levels, read_stimuli, read_table, require_unique, units_of};
use cli::{Input, Job};
use ndarray::{ArrayView2, Axis};
use npy_stream::{Array, Block, Dtype, Float, Incoming, Matrix, NpyError, RowWriter, write_array, write_matrix};
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::ops::Range;
use stimulus_table::{Side, StimulusTable};

/// Bytes of rows handed on together.
const BLOCK_BYTES: usize = 8 << 20;

/// Which rows are wanted, before anything is known of the matrix.
enum Wanted {
    Index(Vec<Range<usize>>),
    Ids(Vec<String>),
    /// Ids as a set: the rows keep the order of the matrix.
    Among(HashSet<String>, String),
    Shard(cli::Shard),
}

pub(crate) fn rows(args: &Rows) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let wanted = if let Some(list) = &args.index {
        Wanted::Index(parse_list(list)?)
    } else if let Some(ids) = &args.ids {
        let list = read_ids(&job, ids)?;
        let mut seen = HashSet::new();
        if let Some(twice) = list.iter().find(|id| !seen.insert(id.as_str())) {
            bail!(
                "{ids}: {twice:?} stands in it more than once ({} ids); an id picks all its presentations",
                list.len()
            );
        }
        Wanted::Ids(list)
    } else if let Some(input) = &args.stimuli {
        let table = read_stimuli(&job, input)?;
        let chosen = choose(&job, &input.to_string(), &table, &args.conditions).with_context(|| input.to_string())?;
        Wanted::Among(chosen, args.conditions.join(" and "))
    } else if let Some(shard) = args.shard {
        Wanted::Shard(shard)
    } else {
        bail!("one of --index, --ids, --stimuli, --shard is needed");
    };
    let mut out = job.binary_output(args.common.output.as_deref())?;
    each_array(&job, &args.inputs, |input, mut incoming| {
        let (n_rows, n_columns) = incoming.matrix_shape()?;
        if let Wanted::Shard(shard) = wanted {
            job.record("shard", shard.record(n_rows));
        }
        let note = |n_kept: usize| job.note(format!("{input}: kept {n_kept} of {n_rows} rows"));
        // Rows by their position can pass from a pipe, of which only they are held; ids come behind the rows there.
        if let (true, Wanted::Index(_) | Wanted::Shard(_)) = (incoming.parts().is_none(), &wanted) {
            let rows = resolve(&wanted, n_rows, None, input)?;
            let picked = gather(&mut incoming, &rows, n_columns)?;
            let labels = incoming.finish()?.map(|l| rows.iter().map(|&r| l[r].clone()).collect::<Vec<_>>());
            note(rows.len());
            return Ok(write_matrix(&mut out, &picked, labels.as_deref())?);
        }
        let dtype = dtype_of(&incoming);
        let (whole, labels) = Whole::take(incoming, "the array")?;
        let rows = resolve(&wanted, n_rows, labels.as_deref(), input)?;
        note(rows.len());
        let mut writer = RowWriter::new(&mut out, rows.len(), n_columns, dtype)?;
        whole.rows(&rows, |_, block| Ok(write(&mut writer, block)?))?;
        let labels: Option<Vec<String>> = labels.map(|l| rows.iter().map(|&r| l[r].clone()).collect());
        writer.finish(labels.as_deref())?;
        Ok(())
    })?;
    out.commit(&job)
}

pub(crate) fn columns(args: &Columns) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let table = args.units.as_ref().map(|input| read_table(&job, input)).transpose()?;
    let list = args.index.as_deref().map(parse_list).transpose()?;
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let mut position: HashMap<String, usize> = HashMap::new();
    each_array(&job, &args.inputs, |input, mut incoming| {
        let nth = position.entry(input.to_string()).or_default();
        let here = *nth;
        let name = input.array_name(here);
        *nth += 1;
        let (n_rows, n_columns) = incoming.matrix_shape()?;
        let mut columns = match (&table, &list, &args.units) {
            (Some(table), _, Some(source)) => {
                let of_array =
                    units_of(table, &name, here, args.array.as_deref()).with_context(|| source.to_string())?;
                of_array.note.into_iter().for_each(|note| job.note(note));
                let units = of_array.units;
                let mut seen = HashSet::new();
                if let Some(twice) = units.iter().find(|unit| !seen.insert(**unit)) {
                    bail!(
                        "{source}: unit {twice} stands in it more than once ({} rows); list each unit once",
                        units.len()
                    );
                }
                units
            }
            (_, Some(list), _) => expand(list, n_columns),
            _ => bail!("one of --index and --units is needed"),
        };
        if let Some(&column) = columns.iter().find(|&&c| c >= n_columns) {
            bail!(
                "column {column} is asked for, but array {name:?} has {n_columns} (0 to {})",
                n_columns.saturating_sub(1)
            );
        }
        if args.without {
            let left_out: HashSet<usize> = columns.into_iter().collect();
            columns = (0..n_columns).filter(|c| !left_out.contains(c)).collect();
        }
        job.note(format!("{input}: kept {} of {n_columns} columns", columns.len()));
        let mut writer = RowWriter::new(&mut out, n_rows, columns.len(), dtype_of(&incoming))?;
        let block_rows = incoming.rows_within(BLOCK_BYTES);
        while let Some(block) = incoming.next_rows(block_rows)? {
            match block {
                Block::F4(rows) => writer.write_rows(rows.select(Axis(1), &columns).view())?,
                Block::F8(rows) => writer.write_rows(rows.select(Axis(1), &columns).view())?,
            }
        }
        writer.finish(incoming.finish()?.as_deref())?;
        Ok(())
    })?;
    out.commit(&job)
}

pub(crate) fn label(args: &Label) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let (ids, source) = match (&args.ids, &args.stimuli) {
        (Some(input), _) => (read_ids(&job, input)?, input),
        (None, Some(input)) => {
            let table = read_table(&job, input)?;
            (table.ids().with_context(|| input.to_string())?.1.to_vec(), input)
        }
        (None, None) => bail!("one of --ids and --stimuli is needed"),
    };
    let mut out = job.binary_output(args.common.output.as_deref())?;
    each_array(&job, &args.inputs, |_, mut incoming| {
        if let &[n_values] = incoming.shape() {
            let array = label_rdm(hold(incoming, "the RDM")?, n_values, &ids, source, args.force)?;
            return Ok(write_array(&mut out, &array)?);
        }
        let (n_rows, n_columns) = incoming.matrix_shape()?;
        if n_rows != ids.len() {
            bail!("{n_rows} rows, but {source} has {} ids; there must be one per row", ids.len());
        }
        let mut writer = RowWriter::new(&mut out, n_rows, n_columns, dtype_of(&incoming))?;
        let block_rows = incoming.rows_within(BLOCK_BYTES);
        while let Some(block) = incoming.next_rows(block_rows)? {
            write(&mut writer, block)?;
        }
        require_unlabelled(incoming.finish()?, &ids, args.force)?;
        writer.finish(Some(&ids))?;
        Ok(())
    })?;
    out.commit(&job)
}

/// An RDM is one value per pair of the stimuli, in the order of SciPy's `pdist`.
fn label_rdm(mut rdm: Array, n_values: usize, ids: &[String], source: &Input, force: bool) -> Result<Array> {
    let n_pairs = ids.len() * ids.len().saturating_sub(1) / 2;
    if n_values != n_pairs {
        bail!(
            "{n_values} values, but the {} ids of {source} have {n_pairs} pairs; an RDM has one value per pair",
            ids.len()
        );
    }
    require_unique(Side { name: &source.to_string(), labels: Some(ids), n_rows: ids.len() })?;
    require_unlabelled(rdm.labels.take(), ids, force)?;
    rdm.labels = Some(ids.to_vec());
    Ok(rdm)
}

/// Ids that are there stay, unless --force says otherwise.
fn require_unlabelled(old: Option<Vec<String>>, ids: &[String], force: bool) -> Result<()> {
    if let Some(old) = old
        && !force
        && old != ids
    {
        let row = old.iter().zip(ids).position(|(a, b)| a != b).unwrap_or(0);
        bail!("row {row} is labelled {:?} already and would become {:?}; --force replaces ids", old[row], ids[row]);
    }
    Ok(())
}

/// Calls `work` for every array of every input and names the input in errors.
fn each_array(job: &Job, inputs: &[Input], mut work: impl FnMut(&Input, Incoming) -> Result<()>) -> Result<()> {
    for input in inputs {
        let mut reader = open_npy(job, input)?;
        let mut any = false;
        while let Some(incoming) = reader.next_array().with_context(|| input.to_string())? {
            any = true;
            work(input, incoming).with_context(|| input.to_string())?;
        }
        if !any {
            bail!("{input}: {}", NpyError::Empty);
        }
    }
    Ok(())
}

pub(crate) fn dtype_of(incoming: &Incoming) -> Dtype {
    if incoming.kind().is_double() { Dtype::F8 } else { Dtype::F4 }
}

pub(crate) fn write<W: std::io::Write>(writer: &mut RowWriter<W>, block: Block) -> Result<(), NpyError> {
    match block {
        Block::F4(rows) => writer.write_rows(rows),
        Block::F8(rows) => writer.write_rows(rows),
    }
}

/// The wanted rows out of a pass over all rows, in the wanted order.
fn gather(incoming: &mut Incoming, rows: &[usize], n_columns: usize) -> Result<Matrix> {
    let mut places: HashMap<usize, Vec<usize>> = HashMap::new();
    rows.iter().enumerate().for_each(|(place, &row)| places.entry(row).or_default().push(place));
    fn keep<T: Float>(
        block: ArrayView2<'_, T>,
        first: usize,
        places: &HashMap<usize, Vec<usize>>,
        into: &mut ndarray::Array2<T>,
    ) {
        for (i, row) in block.rows().into_iter().enumerate() {
            for &place in places.get(&(first + i)).into_iter().flatten() {
                into.row_mut(place).assign(&row);
            }
        }
    }
    let shape = (rows.len(), n_columns);
    let mut kept = match incoming.kind().is_double() {
        true => Matrix::F8(ndarray::Array2::zeros(shape)),
        false => Matrix::F4(ndarray::Array2::zeros(shape)),
    };
    let mut first = 0;
    let block_rows = incoming.rows_within(BLOCK_BYTES);
    while let Some(block) = incoming.next_rows(block_rows)? {
        match (block, &mut kept) {
            (Block::F4(b), Matrix::F4(into)) => keep(b, first, &places, into),
            (Block::F8(b), Matrix::F8(into)) => keep(b, first, &places, into),
            _ => unreachable!("blocks have the width of their array"),
        }
        first += block.n_rows();
    }
    Ok(kept)
}

fn resolve(wanted: &Wanted, n_rows: usize, labels: Option<&[String]>, input: &Input) -> Result<Vec<usize>> {
    let labels = || {
        labels.with_context(|| format!("{input}: {n_rows} rows and 0 ids; write them with `npy label`, or use --index"))
    };
    Ok(match wanted {
        Wanted::Shard(shard) => shard.range(n_rows).collect(),
        Wanted::Index(list) => {
            let rows = expand(list, n_rows);
            if let Some(row) = rows.iter().find(|&&r| r >= n_rows) {
                bail!("row {row} is asked for, but there are {n_rows} (0 to {})", n_rows.saturating_sub(1));
            }
            rows
        }
        Wanted::Ids(ids) => {
            let mut by_id: HashMap<&str, Vec<usize>> = HashMap::new();
            labels()?.iter().enumerate().for_each(|(row, id)| by_id.entry(id).or_default().push(row));
            let mut rows = Vec::new();
            for (i, id) in ids.iter().enumerate() {
                match by_id.get(id.as_str()) {
                    Some(of_id) => rows.extend(of_id),
                    None => bail!("id {i} ({id:?}) of {} wanted ones is in none of {n_rows} rows", ids.len()),
                }
            }
            rows
        }
        Wanted::Among(chosen, condition) => {
            let labels = labels()?;
            let rows: Vec<usize> = (0..n_rows).filter(|&r| chosen.contains(&labels[r])).collect();
            let there: HashSet<&String> = labels.iter().collect();
            if rows.is_empty() {
                bail!("0 of {n_rows} rows belong to the {} stimuli with {condition}", chosen.len());
            }
            if let Some(id) = chosen.iter().filter(|id| !there.contains(id)).min() {
                bail!("{} stimuli have {condition}, but {id:?} is in none of {n_rows} rows", chosen.len());
            }
            rows
        }
    })
}

/// The ids of the stimuli for which every `COLUMN=VALUE[,VALUE]` holds.
fn choose(job: &Job, source: &str, table: &StimulusTable, conditions: &[String]) -> Result<HashSet<String>> {
    let mut keep = vec![true; table.len()];
    for condition in conditions {
        let (column, values) =
            condition.split_once('=').with_context(|| format!("--where {condition:?}: expected COLUMN=VALUE"))?;
        let cells = read_levels(job, table.table(), source, column)?;
        for value in values.split(',') {
            if !cells.iter().any(|c| c == value) {
                let levels: std::collections::BTreeSet<&String> = cells.iter().collect();
                let shown: Vec<&str> = levels.iter().take(20).map(|s| s.as_str()).collect();
                bail!("--where {condition:?}: column {column:?} never is {value:?}; it has {}", shown.join(", "));
            }
        }
        for (keep, cell) in keep.iter_mut().zip(&cells) {
            *keep &= values.split(',').any(|v| v == cell);
        }
    }
    let chosen: HashSet<String> =
        table.ids().iter().zip(&keep).filter(|(_, k)| **k).map(|(id, _)| id.clone()).collect();
    if chosen.is_empty() {
        bail!("0 of {} stimuli have {}", table.len(), conditions.join(" and "));
    }
    Ok(chosen)
}

/// Ids from a table (.csv, .tsv; of stimuli or of trials) or from a text file with one id per line.
fn read_ids(job: &Job, input: &Input) -> Result<Vec<String>> {
    if input.path().and_then(|p| p.extension()).is_some_and(|e| e == "csv" || e == "tsv") {
        let table = read_table(job, input)?;
        return Ok(table.ids().with_context(|| input.to_string())?.1.to_vec());
    }
    let mut text = String::new();
    job.open(input)?.reader().read_to_string(&mut text).with_context(|| format!("{input}: not a text file of ids"))?;
    let ids: Vec<String> = text.lines().map(String::from).collect();
    match ids.iter().position(String::is_empty) {
        Some(line) => bail!("{input}: line {line} is empty; one id per line"),
        None if ids.is_empty() => bail!("{input}: 0 ids; one per line"),
        None => Ok(ids),
    }
}

/// `0,5,10:20` as half-open ranges; an open end is the end of the matrix.
fn parse_list(list: &str) -> Result<Vec<Range<usize>>> {
    let number = |text: &str, empty: usize| -> Result<usize> {
        if text.is_empty() {
            return Ok(empty);
        }
        text.parse().with_context(|| format!("--index {list:?}: {text:?} is no whole number from 0"))
    };
    list.split(',')
        .map(|part| match part.split_once(':') {
            Some((from, to)) => {
                let range = number(from, 0)?..number(to, usize::MAX)?;
                if range.start > range.end {
                    bail!("--index {list:?}: {part} runs backwards");
                }
                Ok(range)
            }
            None if part.is_empty() => {
                bail!("--index {list:?}: an empty place; expected indices and ranges as 0,5,10:20")
            }
            None => number(part, 0).map(|i| i..i + 1),
        })
        .collect()
}

fn expand(list: &[Range<usize>], n: usize) -> Vec<usize> {
    list.iter().flat_map(|r| r.start..if r.end == usize::MAX { n.max(r.start) } else { r.end }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_indices_and_half_open_ranges() {
        let rows = |text: &str| parse_list(text).map(|l| expand(&l, 6));
        assert_eq!(rows("0,5,1:3").unwrap(), [0, 5, 1, 2]);
        assert_eq!(rows("4:").unwrap(), [4, 5]);
        assert_eq!(rows(":2,2,2").unwrap(), [0, 1, 2, 2]);
        assert!(rows("3:1").is_err() && rows("a").is_err() && rows("1,,2").is_err() && rows("-1").is_err());
    }
}
