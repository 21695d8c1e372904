//! The answer: a text whose numbers are read from tables, so that they cannot be other than these.

use anyhow::{Context, Result, bail};
use cli::{Input, Job};
use std::io::Read;

use super::folder::Folder;

/// Digits behind the point of a number that asks for none.
const DIGITS: usize = 2;

/// Paragraphs, their braces filled in.
pub(super) fn read(job: &Job, input: &Input, folder: &Folder) -> Result<Vec<String>> {
    let mut text = String::new();
    job.open(input)?.reader().read_to_string(&mut text).with_context(|| format!("{input}: is no UTF-8 text"))?;
    let filled = fill(job, &text, folder).with_context(|| input.to_string())?;
    let paragraphs = filled.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let paragraphs: Vec<String> = paragraphs.filter(|part| !part.is_empty()).collect();
    if paragraphs.is_empty() {
        bail!("{input}: has no text; write the answer, or leave --answer out");
    }
    Ok(paragraphs)
}

fn fill(job: &Job, text: &str, folder: &Folder) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out += &rest[..at];
        let behind = &rest[at + 1..];
        let Some(end) = behind.find('}') else { bail!("{{ without }}: {:.30}", &rest[at..]) };
        out += &cell(job, &behind[..end], folder).with_context(|| format!("{{{}}}", &behind[..end]))?;
        rest = &behind[end + 1..];
    }
    Ok(out + rest)
}

fn cell(job: &Job, asked: &str, folder: &Folder) -> Result<String> {
    let parts: Vec<&str> = asked.split_whitespace().collect();
    let [file, keys @ .., column] = &parts[..] else { bail!("expected FILE KEY=VALUE.. COLUMN") };
    let table = folder.table(job, file)?;
    let (column, digits) = match column.rsplit_once(':') {
        Some((column, digits)) => {
            (column, digits.parse().with_context(|| format!("{digits:?} is no number of digits"))?)
        }
        None => (*column, DIGITS),
    };
    let mut rows: Vec<usize> = (0..table.n_rows()).collect();
    for key in keys {
        let Some((name, wanted)) = key.split_once('=') else { bail!("{key}: expected KEY=VALUE") };
        let cells = table.column(name)?;
        rows.retain(|&row| cells[row] == wanted);
    }
    let cells = table.column(column)?;
    let [row] = rows[..] else { bail!("{} rows of {file} are meant; name one by KEY=VALUE", rows.len()) };
    Ok(match cells[row].parse::<f64>() {
        // A small p is not 0.00.
        Ok(number) if number != 0.0 && number.abs() < 0.5 * 0.1_f64.powi(digits as i32) => format!("{number:.1e}"),
        Ok(number) if number.fract() != 0.0 => format!("{number:.digits$}"),
        _ => cells[row].clone(),
    })
}
