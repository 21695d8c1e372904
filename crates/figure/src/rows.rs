//! A table of results: its columns with the command that makes them, and its rows by panel and series.

use crate::look::{Nothing, Session};
use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use cli::Input;
use stimulus_table::{Table, is_missing};

/// A table, and how it is spoken of.
pub(crate) struct Rows {
    table: Table,
    source: String,
    made_by: &'static str,
}

/// Columns of a wrong table that an error names.
const MOST_NAMED: usize = 8;

/// Rows that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) rows: Vec<usize>,
}

impl Rows {
    /// Reads a table that `made_by` makes; a table without these columns is refused.
    pub(crate) fn read(session: &Session, input: &Input, made_by: &'static str, needed: &[&str]) -> Result<Rows> {
        let table = read_table(&session.job, input)?;
        let rows = Rows { table, source: input.to_string(), made_by };
        for column in needed {
            rows.cells(column)?;
        }
        if rows.n() == 0 {
            return Err(rows.nothing("has a header line and no row").into());
        }
        Ok(rows)
    }

    pub(crate) fn n(&self) -> usize {
        self.table.n_rows()
    }

    /// The error of a table of which nothing can be drawn.
    pub(crate) fn nothing(&self, why: impl Into<String>) -> Nothing {
        Nothing::of(&self.source, why)
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.table.has(column)
    }

    /// The cells of a column; the error says which columns there are, and what makes a table that has it.
    pub(crate) fn cells(&self, column: &str) -> Result<&[String]> {
        if let Ok(cells) = self.table.column(column) {
            return Ok(cells);
        }
        let names = self.table.names();
        let mut have = names.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        if names.len() > MOST_NAMED {
            have += &format!(", ... ({} in all)", names.len());
        }
        bail!("{}: not a table of `{}`: no column {column:?}; the columns are {have}", self.source, self.made_by)
    }

    /// The numbers of a column, NaN where there is none.
    pub(crate) fn numbers(&self, column: &str) -> Result<Vec<f64>> {
        self.cells(column)?;
        self.table.numbers(column).with_context(|| self.source.clone())
    }

    /// The rows by what they say in a column, in order of appearance.
    pub(crate) fn by(&self, column: &str, rows: &[usize]) -> Result<Vec<Part>> {
        let cells = self.cells(column)?;
        Ok(parts(rows, |row| cells[row].clone()))
    }

    /// The rows by panel: those of one value of `facet`, or all in one panel without a name.
    pub(crate) fn panels(&self, facet: Option<&str>, rows: &[usize]) -> Result<Vec<Part>> {
        match facet {
            Some(facet) => self.by(facet, rows),
            None => Ok(vec![Part { name: String::new(), rows: rows.to_vec() }]),
        }
    }

    /// Some of the rows by series: by all of these columns that the table has, that are not `facet`, and that differ
    /// among the rows of `all`, so that a series has one name in all panels.
    pub(crate) fn series(
        &self,
        columns: &[&str],
        facet: Option<&str>,
        all: &[usize],
        rows: &[usize],
    ) -> Result<Vec<Part>> {
        let mut told = Vec::new();
        for &column in columns {
            if self.has(column) && Some(column) != facet {
                let cells = self.cells(column)?;
                if all.iter().any(|&row| cells[row] != cells[all[0]]) {
                    told.push(cells);
                }
            }
        }
        let name = |row: usize| told.iter().map(|cells| cells[row].as_str()).collect::<Vec<_>>().join(", ");
        Ok(parts(rows, name))
    }

    /// Refuses rows that say the same in all of these columns: two tables in one, which would be drawn on each other.
    pub(crate) fn refuse_twice(&self, columns: &[&str], rows: &[usize]) -> Result<()> {
        let cells = columns.iter().map(|column| self.cells(column)).collect::<Result<Vec<_>>>()?;
        let named = |row: usize| cells.iter().map(|cells| cells[row].as_str()).collect::<Vec<_>>().join(", ");
        match parts(rows, named).into_iter().find(|part| part.rows.len() > 1) {
            Some(part) => bail!(
                "{}: {} rows have the {} {}; give the rows of one table",
                self.source,
                part.rows.len(),
                columns.join(" and "),
                part.name
            ),
            None => Ok(()),
        }
    }

    /// What all rows say in these columns, where the table has them and they say one thing: what a figure of one array
    /// or contrast is about.
    pub(crate) fn common(&self, columns: &[&str]) -> String {
        let of = |column: &&str| {
            let cells = self.table.column(column).ok()?;
            let first = cells.first().filter(|first| !is_missing(first))?;
            cells.iter().all(|cell| cell == first).then(|| first.clone())
        };
        columns.iter().filter_map(of).collect::<Vec<_>>().join(", ")
    }

    /// All rows.
    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.n()).collect()
    }

    /// The first column of these that differs between rows: what panels are made of where nobody says.
    pub(crate) fn first_that_differs(&self, columns: &[&'static str]) -> Option<&'static str> {
        columns
            .iter()
            .copied()
            .find(|column| self.table.column(column).is_ok_and(|cells| cells.iter().any(|cell| *cell != cells[0])))
    }

    /// Why rows have no number: each reason with its count, for a note.
    pub(crate) fn reasons(&self, rows: &[usize]) -> String {
        let Ok(cells) = self.table.column("reason") else { return String::new() };
        let with = parts(rows, |row| cells[row].clone());
        let named = with.iter().filter(|part| !is_missing(&part.name));
        named.map(|part| format!("{} x {}", part.rows.len(), part.name)).collect::<Vec<_>>().join(", ")
    }

    /// The first reason of these rows in brackets, with a space before it, or nothing: what stands behind a name.
    pub(crate) fn why(&self, rows: &[usize]) -> String {
        let Ok(cells) = self.table.column("reason") else { return String::new() };
        let first = rows.iter().map(|&row| &cells[row]).find(|cell| !is_missing(cell));
        first.map_or(String::new(), |reason| format!(" ({reason})"))
    }

    /// Says how many rows are not drawn because they have no number.
    pub(crate) fn say_left_out(&self, session: &Session, what: &str, rows: &[usize]) {
        if !rows.is_empty() {
            let reasons = self.reasons(rows);
            session.reasons.borrow_mut().extend(Some(&reasons).filter(|reasons| !reasons.is_empty()).cloned());
            let why = if reasons.is_empty() { String::new() } else { format!(" ({reasons})") };
            session.job.note(format!("{}: {} rows have no {what}{why} and are not drawn", self.source, rows.len()));
        }
    }
}

/// Rows by name, names in order of appearance.
pub(crate) fn parts(rows: &[usize], name: impl Fn(usize) -> String) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for &row in rows {
        let name = name(row);
        let place = *places.entry(name.clone()).or_insert_with(|| {
            parts.push(Part { name, rows: Vec::new() });
            parts.len() - 1
        });
        parts[place].rows.push(row);
    }
    parts
}
