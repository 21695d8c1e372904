//! From bytes to records: is it text, what separates its columns, where does it end.
//!
//! Spreadsheets, R, MATLAB and pandas write tables with commas, semicolons or tabs under any file name. The separator
//! is the one that gives every line the same number of columns, more than one; the name of the file decides nothing.

use crate::TableError;
use csv::{ReaderBuilder, StringRecord};

/// Separators, in the order in which they are tried.
const SEPARATORS: [(u8, &str); 3] = [(b',', "comma"), (b'\t', "tab"), (b';', "semicolon")];

/// Columns by which tables are known here: where two separators fit, the one that gives such a column is meant.
const KNOWN_COLUMNS: [&str; 8] = ["stimulus", "stimulus_id", "path", "unit", "voxel", "index", "onset", "array"];

/// A table's text with what separates its columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sheet<'a> {
    text: &'a str,
    separator: u8,
    /// Lines in front of the text that are no records.
    lines_before: u64,
}

/// One record: its line from 1, and its fields.
pub(crate) struct Row<'r> {
    pub line: u64,
    pub fields: &'r StringRecord,
}

impl<'a> Sheet<'a> {
    pub fn open(bytes: &'a [u8]) -> Result<Sheet<'a>, TableError> {
        let text = decode(bytes)?;
        let (text, separator, lines_before) = match said(text) {
            Some((separator, rest)) => (rest, Some(separator), 1),
            None => (text, None, 0),
        };
        if text.trim().is_empty() {
            return Err(TableError::Empty("empty, 0 bytes where a table with a header line was expected"));
        }
        let sheet = |separator| Sheet { text, separator, lines_before };
        let chosen = match separator {
            Some(separator) => sheet(separator),
            None => choose(sheet)?,
        };
        match chosen.open_quote() {
            Some(line) => Err(TableError::OpenQuote(line)),
            None => Ok(chosen),
        }
    }

    /// Calls `take` for every record, the header line first. Blank lines are no records. A line may have more fields
    /// than the header when all of these are empty, as spreadsheets write them.
    pub fn each(&self, mut take: impl FnMut(Row) -> Result<(), TableError>) -> Result<(), TableError> {
        let mut csv = self.reader();
        let mut record = StringRecord::new();
        let (mut expected, mut n_records) = (None, 0);
        while csv.read_record(&mut record)? {
            let line = record.position().map_or(0, csv::Position::line) + self.lines_before;
            n_records += 1;
            let n = *expected.get_or_insert(record.len());
            if record.len() < n && !is_blank(&record) || record.iter().skip(n).any(|field| !field.trim().is_empty()) {
                return Err(TableError::Ragged {
                    line,
                    found: record.len(),
                    expected: n,
                    first: n_records == 2,
                    separator: self.name(),
                });
            }
            record.truncate(n);
            (record.len()..n).for_each(|_| record.push_field(""));
            take(Row { line, fields: &record })?;
        }
        Ok(())
    }

    fn reader(&self) -> csv::Reader<&'a [u8]> {
        let mut how = ReaderBuilder::new();
        how.has_headers(false).flexible(true).delimiter(self.separator).from_reader(self.text.as_bytes())
    }

    fn header(&self) -> Result<Vec<String>, TableError> {
        let mut csv = self.reader();
        let mut record = StringRecord::new();
        csv.read_record(&mut record)?;
        Ok(record.iter().map(|name| name.trim().to_string()).collect())
    }

    fn name(&self) -> &'static str {
        SEPARATORS.iter().find(|(byte, _)| *byte == self.separator).map_or("given separator", |(_, name)| name)
    }

    /// Line of a double quote that is never closed: it would take all that follows into one cell.
    fn open_quote(&self) -> Option<u64> {
        let (mut opened, mut line, mut at_start) = (None, 1 + self.lines_before, true);
        let mut bytes = self.text.bytes().peekable();
        if !self.text.contains('"') {
            return None;
        }
        while let Some(byte) = bytes.next() {
            line += u64::from(byte == b'\n');
            match (opened, byte) {
                (None, b'"') if at_start => opened = Some(line),
                (Some(_), b'"') if bytes.peek() == Some(&b'"') => {
                    bytes.next();
                }
                (Some(_), b'"') => opened = None,
                _ => {}
            }
            at_start = opened.is_none() && (byte == self.separator || matches!(byte, b'\n' | b'\r'));
        }
        opened
    }
}

pub(crate) fn is_blank(record: &StringRecord) -> bool {
    record.iter().all(|field| field.trim().is_empty())
}

fn decode(bytes: &[u8]) -> Result<&str, TableError> {
    if bytes.starts_with(b"\x93NUMPY") {
        return Err(TableError::IsNpy);
    }
    if let Some(foreign) = foreign_formats::recognise(&bytes[..bytes.len().min(foreign_formats::START_BYTES)]) {
        return Err(TableError::Foreign(foreign));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(TableError::Utf16);
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let at = e.valid_up_to();
        TableError::NotUtf8 { at, line: 1 + bytes[..at].iter().filter(|b| **b == b'\n').count() }
    })?;
    match text.find('\0') {
        // UTF-16 without its mark is full of them.
        Some(at) => Err(TableError::Nul(at)),
        None => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
    }
}

/// The separator that a spreadsheet's own first line (`sep=;`) says, and the text behind that line.
fn said(text: &str) -> Option<(u8, &str)> {
    let end = text.find(['\n', '\r'])?;
    let line = text[..end].trim_matches('"');
    let separator = line.strip_prefix("sep=").or_else(|| line.strip_prefix("SEP="))?;
    let rest = text[end..].strip_prefix("\r\n").unwrap_or(&text[end + 1..]);
    match separator.as_bytes() {
        [one] if one.is_ascii() => Some((*one, rest)),
        _ => None,
    }
}

fn choose<'a>(sheet: impl Fn(u8) -> Sheet<'a>) -> Result<Sheet<'a>, TableError> {
    let mut several = Vec::new();
    for (separator, _) in SEPARATORS {
        let candidate = sheet(separator);
        if candidate.header()?.len() > 1 {
            several.push(candidate);
        }
    }
    match several.as_slice() {
        [] => return one_column(sheet),
        [only] => return Ok(*only),
        _ => {}
    }
    let consistent = |sheet: &Sheet| sheet.each(|_| Ok(())).is_ok();
    let fitting: Vec<Sheet> = several.iter().copied().filter(consistent).collect();
    let known =
        |sheet: &Sheet| sheet.header().is_ok_and(|names| names.iter().any(|n| KNOWN_COLUMNS.contains(&n.as_str())));
    match fitting.as_slice() {
        [] => {
            // Whichever is meant, its first line that does not fit is what has to be mended.
            let meant = several.iter().find(|sheet| known(sheet)).unwrap_or(&several[0]);
            Ok(*meant)
        }
        [only] => Ok(*only),
        [a, b, ..] => {
            let with_known: Vec<&Sheet> = fitting.iter().filter(|sheet| known(sheet)).collect();
            if let [only] = with_known.as_slice() {
                return Ok(**only);
            }
            let reading = |sheet: &Sheet| -> Result<String, TableError> {
                let names = sheet.header()?;
                Ok(format!("{} columns by {} ({})", names.len(), sheet.name(), names.join(" | ")))
            };
            Err(TableError::AmbiguousSeparator(reading(a)?, reading(b)?))
        }
    }
}

/// A header line without any separator names one column. Rows that nevertheless have several are an error: what stands
/// behind the separator would become part of an id.
fn one_column<'a>(sheet: impl Fn(u8) -> Sheet<'a>) -> Result<Sheet<'a>, TableError> {
    let comma = sheet(b',');
    comma.each(|_| Ok(()))?;
    sheet(b'\t').each(|_| Ok(()))?;
    // A name may hold a semicolon; in every row it is a separator.
    let rows = || comma.text.lines().skip(1).filter(|line| !line.trim().is_empty());
    if rows().all(|line| line.contains(';')) {
        sheet(b';').each(|_| Ok(()))?;
    }
    Ok(comma)
}
