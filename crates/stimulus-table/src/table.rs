//! Tables with a header line: any CSV or TSV, and the one that names stimuli.

use crate::alike::alike;
use crate::cell::{index, is_missing, level, number};
use crate::sheet::{Sheet, is_blank};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What can be wrong with a table. Messages carry no file name.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Reading or splitting failed.
    #[error("{0}")]
    Csv(#[from] csv::Error),
    /// Reading failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Text in some older encoding.
    #[error("line {line} is not UTF-8 (byte {at}); save the table as UTF-8 (in Excel: CSV UTF-8)")]
    NotUtf8 {
        /// First byte that is none, from 0.
        at: usize,
        /// Its line, from 1.
        line: usize,
    },
    /// What Excel calls Unicode Text.
    #[error("UTF-16 text; save the table as UTF-8 (in Excel: CSV UTF-8)")]
    Utf16,
    /// No text at all.
    #[error("a NUL byte at byte {0}: neither CSV nor TSV (or UTF-16 without its mark); save the table as UTF-8")]
    Nul(usize),
    /// A file of another kind.
    #[error("not a CSV or TSV table but {0}")]
    Foreign(foreign_formats::Foreign),
    /// A `.npy` array where a table was expected.
    #[error("a .npy array where a CSV or TSV table was expected")]
    IsNpy,
    /// A line with more or fewer columns than the header.
    #[error(
        "line {line} has {found} fields, the header line {expected} (parted by {separator}){}",
        if *first && *found == expected + 1 { "; R's row names? write.table(..., row.names = FALSE)" } else { "" }
    )]
    Ragged {
        /// Line from 1.
        line: u64,
        /// Its fields.
        found: usize,
        /// Those of the header.
        expected: usize,
        /// Whether it is the first line behind the header, so that all may have as many.
        first: bool,
        /// What parts them, in words.
        separator: &'static str,
    },
    /// Two ways to read the whole table.
    #[error("two separators fit every line: {0}, or {1}; quote the names and cells that hold the other one")]
    AmbiguousSeparator(String, String),
    /// A quote that would swallow the rest of the table.
    #[error("the double quote in line {0} is never closed; write a quote inside a cell as \"\"")]
    OpenQuote(u64),
    /// Columns with cells and no name.
    #[error("columns {} and {} of the header line have no name; name them", .0 + 1, .1 + 1)]
    NamelessColumns(usize, usize),
    /// No header line or no row.
    #[error("{0}")]
    Empty(&'static str),
    /// Two columns of the same name.
    #[error("two columns are called {0:?}; rename one")]
    RepeatedColumn(String),
    /// A column that the table does not have.
    #[error("no column {wanted}; the columns are {have}")]
    NoColumn {
        /// Column asked for, as it is printed.
        wanted: String,
        /// Columns there are.
        have: String,
    },
    /// A row without id.
    #[error("row {row} has no id in column {column:?}; every stimulus needs one")]
    EmptyId {
        /// Row from 0, header not counted.
        row: usize,
        /// The id column.
        column: String,
    },
    /// The same id twice in a table that describes stimuli.
    #[error(
        "stimulus {id:?} stands in rows {first} and {second}; annotations need one row per stimulus (a table of trials can name rows: `npy label`)"
    )]
    RepeatedId {
        /// The id.
        id: String,
        /// Row of its first occurrence, from 0.
        first: usize,
        /// Row of its second.
        second: usize,
    },
    /// A cell that is no number where one is needed.
    #[error("row {row} (line {line}) of column {column:?} is {value:?}; expected {expected}")]
    Value {
        /// Row from 0.
        row: usize,
        /// Line of the file, from 1.
        line: u32,
        /// Column name.
        column: String,
        /// The text found.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// A table of text cells with named columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    names: Vec<String>,
    /// One vector per column, all of the same length.
    columns: Vec<Vec<String>>,
    /// Line of the file on which each row begins, from 1, for messages.
    lines: Vec<u32>,
    /// All names of the header line, also those whose columns were not kept, for messages.
    header: String,
}

impl Table {
    /// Reads a whole table, separated by what gives every line the same number of columns: commas, tabs or semicolons.
    /// A byte order mark, CRLF, `sep=;`, and the empty columns and lines that spreadsheets leave at the end are taken.
    ///
    /// ```
    /// let t = stimulus_table::Table::read("path,category\na.png,face\n".as_bytes()).unwrap();
    /// assert_eq!(t.column("category").unwrap(), ["face"]);
    /// ```
    pub fn read(reader: impl Read) -> Result<Table, TableError> {
        Table::read_columns(reader, |_| true)
    }

    /// Reads a table and keeps the columns that are wanted: those of a table of a million units take a fraction of the
    /// memory that all of it would. The table then has no other columns.
    pub fn read_columns(mut reader: impl Read, wanted: impl Fn(&str) -> bool) -> Result<Table, TableError> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        let sheet = Sheet::open(&bytes)?;
        let mut names: Vec<String> = Vec::new();
        let mut kept: Vec<usize> = Vec::new();
        let mut columns: Vec<Vec<String>> = Vec::new();
        let mut lines: Vec<u32> = Vec::new();
        // What spreadsheets leave behind: columns without a name and lines without a cell, as long as all is empty.
        let (mut nameless, mut n_rows): (Vec<(usize, bool)>, usize) = (Vec::new(), 0);
        let mut is_header = true;
        sheet.each(|row| {
            if std::mem::take(&mut is_header) {
                names = row.fields.iter().map(|name| name.trim().to_string()).collect();
                for (i, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
                    if names[..i].contains(name) {
                        return Err(TableError::RepeatedColumn(name.clone()));
                    }
                }
                nameless = (0..names.len()).filter(|&i| names[i].is_empty()).map(|i| (i, false)).collect();
                kept = (0..names.len()).filter(|&i| wanted(&names[i])).collect();
                columns = vec![Vec::new(); kept.len()];
                return Ok(());
            }
            for (column, &i) in columns.iter_mut().zip(&kept) {
                column.push(row.fields[i].to_string());
            }
            for (i, used) in &mut nameless {
                *used |= !row.fields[*i].trim().is_empty();
            }
            lines.push(u32::try_from(row.line).unwrap_or(u32::MAX));
            if !is_blank(row.fields) {
                n_rows = lines.len();
            }
            Ok(())
        })?;
        lines.truncate(n_rows);
        columns.iter_mut().for_each(|column| column.truncate(n_rows));
        if let [(a, _), (b, _), ..] = nameless.iter().filter(|(_, used)| *used).collect::<Vec<_>>()[..] {
            return Err(TableError::NamelessColumns(*a, *b));
        }
        let empty = |i: &usize| nameless.contains(&(*i, false));
        let header = (0..names.len()).filter(|i| !empty(i)).map(|i| names[i].as_str()).collect::<Vec<_>>().join(", ");
        let (names, columns) =
            kept.iter().zip(columns).filter(|(i, _)| !empty(i)).map(|(&i, column)| (names[i].clone(), column)).unzip();
        Ok(Table { names, columns, lines, header })
    }

    /// The rows for which `keep` says so, in their order; messages still name the lines of the file.
    pub fn rows_where(&self, keep: impl Fn(usize) -> bool) -> Table {
        let rows: Vec<usize> = (0..self.n_rows()).filter(|&row| keep(row)).collect();
        let of = |column: &Vec<String>| rows.iter().map(|&row| column[row].clone()).collect();
        Table {
            names: self.names.clone(),
            columns: self.columns.iter().map(of).collect(),
            lines: rows.iter().map(|&row| self.lines[row]).collect(),
            header: self.header.clone(),
        }
    }

    /// Number of rows, the header not counted.
    pub fn n_rows(&self) -> usize {
        self.lines.len()
    }

    /// Column names in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether there is a column of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
    }

    /// The cells of a column; the error lists the columns there are.
    pub fn column(&self, name: &str) -> Result<&[String], TableError> {
        match self.names.iter().position(|n| n == name) {
            Some(i) => Ok(&self.columns[i]),
            None => Err(TableError::NoColumn { wanted: format!("{name:?}"), have: self.header.clone() }),
        }
    }

    /// The id column (`stimulus`, `stimulus_id` or `path`, the first of these) and its cells: one per row, none empty,
    /// possibly repeated, as in a table of trials.
    pub fn ids(&self) -> Result<(&'static str, &[String]), TableError> {
        let column = ["stimulus", "stimulus_id", "path"].into_iter().find(|c| self.has(c)).ok_or_else(|| {
            TableError::NoColumn { wanted: "stimulus, stimulus_id or path (the ids)".into(), have: self.header.clone() }
        })?;
        Ok((column, self.ids_in(column)?))
    }

    /// The cells of a column that holds ids, none of which may be missing.
    pub fn ids_in(&self, column: &str) -> Result<&[String], TableError> {
        let ids = self.column(column)?;
        if ids.is_empty() {
            return Err(TableError::Empty("0 stimuli; a header line alone names none"));
        }
        match ids.iter().position(|id| is_missing(id)) {
            Some(row) => Err(TableError::EmptyId { row, column: column.into() }),
            None => Ok(ids),
        }
    }

    /// The level of every row in an annotation column, without the blanks around it; empty where the cell is missing.
    pub fn levels(&self, name: &str) -> Result<Vec<String>, TableError> {
        Ok(self.column(name)?.iter().map(|cell| level(cell).to_string()).collect())
    }

    /// A sentence about cells of a column that look alike and are different, for a warning; `None` when there are none.
    pub fn alike_levels(&self, name: &str) -> Result<Option<String>, TableError> {
        Ok(alike(name, self.column(name)?))
    }

    /// A column of indices (`unit`, `voxel`).
    pub fn indices(&self, name: &str) -> Result<Vec<usize>, TableError> {
        self.parsed(name, index)
    }

    /// A column of numbers, `NaN` where a cell is missing ([`number`]).
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>, TableError> {
        self.parsed(name, number)
    }

    fn parsed<T>(&self, name: &str, read: fn(&str) -> Result<T, &'static str>) -> Result<Vec<T>, TableError> {
        let cells = self.column(name)?.iter().enumerate();
        cells
            .map(|(row, value)| {
                read(value).map_err(|expected| TableError::Value {
                    row,
                    line: self.lines[row],
                    column: name.into(),
                    value: value.clone(),
                    expected,
                })
            })
            .collect()
    }
}

/// The table that names stimuli: unique ids, perhaps paths, and annotation columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StimulusTable {
    table: Table,
    ids: Vec<String>,
}

impl StimulusTable {
    /// Reads a table with a `stimulus`, `stimulus_id` or `path` column, the first of these that it has.
    pub fn read(reader: impl Read) -> Result<StimulusTable, TableError> {
        StimulusTable::from_table(Table::read(reader)?)
    }

    /// Takes a table that is already read.
    pub fn from_table(table: Table) -> Result<StimulusTable, TableError> {
        let ids = table.ids()?.1.to_vec();
        let mut seen = std::collections::HashMap::new();
        for (row, id) in ids.iter().enumerate() {
            if let Some(first) = seen.insert(id, row) {
                return Err(TableError::RepeatedId { id: id.clone(), first, second: row });
            }
        }
        Ok(StimulusTable { ids, table })
    }

    /// Number of stimuli.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True when there is no stimulus; a table that was read has at least one.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The ids in the order of the table.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// An annotation column.
    pub fn column(&self, name: &str) -> Result<&[String], TableError> {
        self.table.column(name)
    }

    /// The whole table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The files of the stimuli: the `path` column, relative paths against `folder` (the table's own).
    pub fn paths(&self, folder: &Path) -> Result<Vec<PathBuf>, TableError> {
        Ok(self.table.column("path")?.iter().map(|p| folder.join(p)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_from_stimulus_then_stimulus_id_then_path() {
        for (head, id) in [("path,stimulus,stimulus_id", "b"), ("path,x,stimulus_id", "c"), ("path,x,y", "a")] {
            let t = StimulusTable::read(format!("{head}\na,b,c\n").as_bytes()).unwrap();
            assert_eq!(t.ids(), [id]);
        }
        assert!(matches!(StimulusTable::read("x,y\n1,2\n".as_bytes()), Err(TableError::NoColumn { .. })));
    }

    #[test]
    fn tabs_bom_crlf_and_quotes_are_taken() {
        let t = Table::read("\u{feff}stimulus\tnote\r\na\t\"x, y\"\r\n".as_bytes()).unwrap();
        assert_eq!(t.column("stimulus").unwrap(), ["a"]);
        assert_eq!(t.column("note").unwrap(), ["x, y"]);
    }

    #[test]
    fn paths_are_relative_to_the_table() {
        let t = StimulusTable::read("path\na/1.png\n/abs.png\n".as_bytes()).unwrap();
        assert_eq!(t.paths(Path::new("d")).unwrap(), [Path::new("d/a/1.png"), Path::new("/abs.png")]);
    }

    #[test]
    fn only_wanted_columns_are_kept() {
        let t = Table::read_columns("a,b,c\n1,2,3\n4,5,6\n".as_bytes(), |name| name != "b").unwrap();
        assert_eq!((t.names(), t.column("c").unwrap()), (&["a".into(), "c".into()][..], &["3".into(), "6".into()][..]));
        assert!(t.column("d").unwrap_err().to_string().ends_with("the columns are a, b, c"));
        // A column that is not wanted may still not be there twice, and rows must be whole.
        assert!(Table::read_columns("a,b,b\n1,2,3\n".as_bytes(), |name| name == "a").is_err());
        assert!(Table::read_columns("a,b\n1\n".as_bytes(), |name| name == "a").is_err());
    }

    #[test]
    fn bad_tables_are_named() {
        let err = |text: &[u8]| StimulusTable::read(text).unwrap_err().to_string();
        assert!(err(b"").contains("0 bytes"));
        assert!(err(b"stimulus\n").contains("0 stimuli"));
        assert!(err(b"stimulus,stimulus\na,b\n").contains("two columns"));
        assert!(err(b"stimulus,x\na,1\na,2\n").contains("rows 0 and 1"));
        assert!(err(b"stimulus,x\n,1\n").contains("row 0"));
        assert!(err(b"stimulus,x\na,1,2\n").contains("fields"));
        assert!(err(b"stimulus\n\xff\n").contains("line 2 is not UTF-8 (byte 9)"));
        assert!(err(b"\x93NUMPY\x01\x00").contains(".npy"));
        let t = Table::read("unit\n3\nx\n".as_bytes()).unwrap();
        assert!(t.indices("unit").unwrap_err().to_string().contains("row 1"));
        assert!(t.column("t").unwrap_err().to_string().contains("unit"));
    }
}
