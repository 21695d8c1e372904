//! Tidy tables out: one header line, one row per thing, shortest floats that read back the same.

use std::borrow::Cow;
use std::io::{self, Write};

use rayon::prelude::*;
use statistics::Reason;

/// How a table is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Comma-separated, one header line
    #[default]
    Csv,
    /// Tab-separated, one header line
    Tsv,
    /// One JSON object per row; NaN and infinities are strings
    Jsonl,
}

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Words.
    Text(Cow<'a, str>),
    /// A count or an index.
    Int(i64),
    /// A number; NaN is written `NaN`, infinities `inf` and `-inf`.
    Float(f64),
    /// Yes or no, written `true` and `false`.
    Bool(bool),
    /// Nothing to say here: an empty field, `null` in JSON.
    Empty,
}

impl<'a> Cell<'a> {
    /// A cell of a table that was written: a number, yes or no only where it is spelled as we spell it, so that an id
    /// such as `007` stays text.
    ///
    /// ```
    /// use cli::Cell;
    /// assert_eq!([Cell::read("7"), Cell::read("7.5"), Cell::read("")], [Cell::Int(7), Cell::Float(7.5), Cell::Empty]);
    /// assert_eq!([Cell::read("007"), Cell::read("7.50")], ["007".into(), "7.50".into()]);
    /// ```
    pub fn read(text: &'a str) -> Cell<'a> {
        match text {
            "" => return Cell::Empty,
            "true" | "false" => return Cell::Bool(text == "true"),
            _ => (),
        }
        if let Some(int) = text.parse::<i64>().ok().filter(|int| int.to_string() == text) {
            return Cell::Int(int);
        }
        let ours = |v: &f64| {
            let mut spelled = Vec::new();
            float(*v, &mut spelled).is_ok() && spelled == text.as_bytes()
        };
        text.parse::<f64>().ok().filter(ours).map_or(text.into(), Cell::Float)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(v: &'a str) -> Self {
        Cell::Text(Cow::Borrowed(v))
    }
}
impl<'a> From<&'a String> for Cell<'a> {
    fn from(v: &'a String) -> Self {
        Cell::Text(Cow::Borrowed(v))
    }
}
impl From<String> for Cell<'_> {
    fn from(v: String) -> Self {
        Cell::Text(Cow::Owned(v))
    }
}
impl From<usize> for Cell<'_> {
    fn from(v: usize) -> Self {
        Cell::Int(v as i64)
    }
}
impl From<i64> for Cell<'_> {
    fn from(v: i64) -> Self {
        Cell::Int(v)
    }
}
impl From<f64> for Cell<'_> {
    fn from(v: f64) -> Self {
        Cell::Float(v)
    }
}
impl From<bool> for Cell<'_> {
    fn from(v: bool) -> Self {
        Cell::Bool(v)
    }
}
impl From<Reason> for Cell<'_> {
    fn from(reason: Reason) -> Self {
        Cell::Text(Cow::Borrowed(reason.as_str()))
    }
}
impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(v: Option<T>) -> Self {
        v.map_or(Cell::Empty, Into::into)
    }
}

/// A cell under the name of its column, so that no value can stand under another's name.
pub type Named<'a> = (&'a str, Cell<'a>);

/// Writes rows under the header it was made with.
pub struct TableWriter<W: Write> {
    sink: W,
    format: Format,
    columns: Vec<String>,
    line: Vec<u8>,
}

impl<W: Write> TableWriter<W> {
    /// Writes the header line (none for JSON lines).
    pub fn new(mut sink: W, format: Format, columns: &[&str]) -> io::Result<TableWriter<W>> {
        if format != Format::Jsonl {
            let separator = if format == Format::Csv { b',' } else { b'\t' };
            let mut line = Vec::new();
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    line.push(separator);
                }
                quote(column, separator, &mut line);
            }
            line.push(b'\n');
            sink.write_all(&line)?;
        }
        let columns = columns.iter().map(|c| (*c).to_string()).collect();
        Ok(TableWriter { sink, format, columns, line: Vec::new() })
    }

    /// Writes one row: the value of every column by its name, in any order.
    ///
    /// ```
    /// # use cli::{Format, TableWriter};
    /// let mut table = TableWriter::new(Vec::new(), Format::Csv, &["unit", "t"])?;
    /// table.record(&[("t", 7.5.into()), ("unit", 3usize.into())])?;
    /// assert_eq!(table.into_inner(), b"unit,t\n3,7.5\n");
    /// # std::io::Result::Ok(())
    /// ```
    pub fn record(&mut self, cells: &[Named]) -> io::Result<()> {
        self.line.clear();
        append(&mut self.line, self.format, &self.columns, cells)?;
        self.sink.write_all(&self.line)
    }

    /// Writes `n` rows whose cells are computed and spelled by all threads, in their order.
    pub fn records<'a>(&mut self, n: usize, cells: impl Fn(usize) -> Vec<Named<'a>> + Sync) -> io::Result<()> {
        for start in (0..n).step_by(ROWS_AT_A_TIME * PARTS) {
            let end = (start + ROWS_AT_A_TIME * PARTS).min(n);
            let parts: Vec<io::Result<Vec<u8>>> = (0..(end - start).div_ceil(ROWS_AT_A_TIME))
                .into_par_iter()
                .map(|part| {
                    let first = start + part * ROWS_AT_A_TIME;
                    let mut lines = Vec::new();
                    for row in first..(first + ROWS_AT_A_TIME).min(end) {
                        append(&mut lines, self.format, &self.columns, &cells(row))?;
                    }
                    Ok(lines)
                })
                .collect();
            for lines in parts {
                self.sink.write_all(&lines?)?;
            }
        }
        Ok(())
    }

    /// Gives the sink back.
    pub fn into_inner(self) -> W {
        self.sink
    }
}

/// Rows that one thread spells before they are written.
const ROWS_AT_A_TIME: usize = 1024;
/// How many of such parts are held at a time.
const PARTS: usize = 32;

/// One line: for each column its cell. A column without a cell, and a cell without a column, are mistakes of ours.
fn append(line: &mut Vec<u8>, format: Format, columns: &[String], cells: &[Named]) -> io::Result<()> {
    if cells.len() != columns.len() {
        return Err(io::Error::other(format!("{} cells for {} columns", cells.len(), columns.len())));
    }
    if format == Format::Jsonl {
        line.push(b'{');
    }
    for (place, column) in columns.iter().enumerate() {
        if place > 0 {
            line.push(if format == Format::Tsv { b'\t' } else { b',' });
        }
        // Nearly always they stand in the order of the columns.
        let cell = Some(&cells[place]).filter(|(name, _)| name == column);
        let cell = cell.or_else(|| cells.iter().find(|(name, _)| name == column));
        let (_, cell) = cell.ok_or_else(|| io::Error::other(format!("no cell for column {column}")))?;
        match format {
            Format::Csv => delimited(line, b',', cell)?,
            Format::Tsv => delimited(line, b'\t', cell)?,
            Format::Jsonl => json(line, column, cell)?,
        }
    }
    line.extend_from_slice(if format == Format::Jsonl { b"}\n" } else { b"\n" });
    Ok(())
}

fn delimited(line: &mut Vec<u8>, separator: u8, cell: &Cell) -> io::Result<()> {
    match cell {
        Cell::Text(text) => quote(text, separator, line),
        Cell::Int(v) => write!(line, "{v}")?,
        Cell::Float(v) => float(*v, line)?,
        Cell::Bool(v) => write!(line, "{v}")?,
        Cell::Empty => {}
    }
    Ok(())
}

fn json(line: &mut Vec<u8>, column: &str, cell: &Cell) -> io::Result<()> {
    serde_json::to_writer(&mut *line, column)?;
    line.push(b':');
    match cell {
        Cell::Text(text) => serde_json::to_writer(&mut *line, text)?,
        Cell::Int(v) => write!(line, "{v}")?,
        Cell::Float(v) if v.is_finite() => float(*v, line)?,
        Cell::Float(v) => {
            line.push(b'"');
            float(*v, line)?;
            line.push(b'"');
        }
        Cell::Bool(v) => write!(line, "{v}")?,
        Cell::Empty => line.extend(b"null"),
    }
    Ok(())
}

/// The shortest decimal that reads back as the same f64; exponents only where plain digits would be long.
fn float(v: f64, out: &mut Vec<u8>) -> io::Result<()> {
    let magnitude = v.abs();
    if v != 0.0 && v.is_finite() && !(1e-5..1e16).contains(&magnitude) {
        write!(out, "{v:e}")
    } else {
        write!(out, "{v}")
    }
}

fn quote(text: &str, separator: u8, out: &mut Vec<u8>) {
    let special = |b: u8| b == separator || b == b'"' || b == b'\n' || b == b'\r';
    if !text.bytes().any(special) {
        out.extend(text.as_bytes());
        return;
    }
    out.push(b'"');
    for b in text.bytes() {
        if b == b'"' {
            out.push(b'"');
        }
        out.push(b);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format, [a, b]: [Cell; 2]) -> String {
        let mut t = TableWriter::new(Vec::new(), format, &["a", "b"]).unwrap();
        t.record(&[("a", a), ("b", b)]).unwrap();
        String::from_utf8(t.into_inner()).unwrap()
    }

    #[test]
    fn floats_read_back_and_odd_values_have_names() {
        for v in [0.1, 1e-300, 123456789.25, 1e17, -2.5e-7, 0.0, f64::MAX, 5e-324] {
            let text = written(Format::Csv, [v.into(), Cell::Empty]);
            let cell = text.lines().nth(1).unwrap().trim_end_matches(',');
            assert_eq!(cell.parse::<f64>().unwrap().to_bits(), v.to_bits(), "{cell}");
            assert!(cell.len() < 25);
        }
        assert_eq!(written(Format::Csv, [f64::NAN.into(), f64::NEG_INFINITY.into()]), "a,b\nNaN,-inf\n");
    }

    #[test]
    fn text_is_quoted_only_where_needed() {
        assert_eq!(written(Format::Csv, ["x,y".into(), "say \"a\"".into()]), "a,b\n\"x,y\",\"say \"\"a\"\"\"\n");
        assert_eq!(written(Format::Tsv, ["x,y".into(), 3usize.into()]), "a\tb\nx,y\t3\n");
    }

    #[test]
    fn json_lines_are_json() {
        let line = written(Format::Jsonl, [f64::NAN.into(), Cell::Empty]);
        let v: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&v["a"], &v["b"]), (&"NaN".into(), &serde_json::Value::Null));
    }

    #[test]
    fn cells_find_their_columns_by_name() {
        let mut t = TableWriter::new(Vec::new(), Format::Tsv, &["a", "b"]).unwrap();
        t.record(&[("b", 2usize.into()), ("a", 1usize.into())]).unwrap();
        let error = |cells: &[Named]| {
            TableWriter::new(Vec::new(), Format::Csv, &["a", "b"]).unwrap().record(cells).unwrap_err()
        };
        assert!(error(&[("a", Cell::Empty)]).to_string().contains("1 cells for 2 columns"));
        assert!(error(&[("a", Cell::Empty), ("c", Cell::Empty)]).to_string().contains("no cell for column b"));
        assert_eq!(t.into_inner(), b"a\tb\n1\t2\n");
    }
}
