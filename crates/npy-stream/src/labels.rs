//! What stands behind an array: ids of its rows, names of its columns, and its own name.

use crate::{NpyError, header};
use std::io::Write;

/// The longest name of an array, in characters: it becomes a cell of tables and a file's name.
pub const MAX_NAME_CHARS: usize = 1000;

/// The labels of an array, in the order in which they stand behind it; each may be absent.
///
/// For a matrix the ids name its rows, for an RDM (1-d) its n stimuli, so there their number is not the number of
/// values. Names of columns need not differ.
///
/// ```
/// use npy_stream::{Labels, Matrix, NpyReader, write_matrix};
/// let labels = Labels {
///     ids: Some(vec!["cat".into(), "dog".into()]),
///     columns: Some(vec!["FFA".into()]),
///     name: Some("sub-01".into()),
/// };
/// let mut bytes = Vec::new();
/// write_matrix(&mut bytes, &Matrix::F4(ndarray::arr2(&[[1.0], [2.0]])), &labels).unwrap();
/// let arrays = NpyReader::from_pipe(std::io::Cursor::new(bytes)).read_all().unwrap();
/// assert_eq!(arrays[0].labels, labels);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels {
    /// A 1-d text array: one id per row.
    pub ids: Option<Vec<String>>,
    /// A second 1-d text array: one name per column, of matrices only.
    pub columns: Option<Vec<String>>,
    /// A 0-d text array: the name of the array.
    pub name: Option<String>,
}

/// [`Labels`] that somebody else holds, as writers take them.
#[derive(Debug, Clone, Copy, Default)]
pub struct LabelsRef<'a> {
    /// One id per row.
    pub ids: Option<&'a [String]>,
    /// One name per column.
    pub columns: Option<&'a [String]>,
    /// The name of the array.
    pub name: Option<&'a str>,
}

impl<'a> From<&'a Labels> for LabelsRef<'a> {
    fn from(labels: &'a Labels) -> LabelsRef<'a> {
        LabelsRef { ids: labels.ids.as_deref(), columns: labels.columns.as_deref(), name: labels.name.as_deref() }
    }
}

/// Ids alone: the columns and the array have no names.
impl<'a> From<Option<&'a [String]>> for LabelsRef<'a> {
    fn from(ids: Option<&'a [String]>) -> LabelsRef<'a> {
        LabelsRef { ids, ..LabelsRef::default() }
    }
}

impl<'a> From<Option<&'a Vec<String>>> for LabelsRef<'a> {
    fn from(ids: Option<&'a Vec<String>>) -> LabelsRef<'a> {
        ids.map(Vec::as_slice).into()
    }
}

impl Labels {
    /// The same array with other rows: `ids` instead of its own.
    pub fn with_ids(&self, ids: Option<&[String]>) -> Labels {
        Labels { ids: ids.map(<[String]>::to_vec), ..self.clone() }
    }

    /// The labels of an array of this shape must be as many as it has rows and columns. Only a matrix says how many
    /// that are: whoever reads RDMs checks their ids.
    pub(crate) fn check(&self, shape: &[usize]) -> Result<(), NpyError> {
        LabelsRef::from(self).check(shape)
    }
}

impl LabelsRef<'_> {
    pub(crate) fn check(&self, shape: &[usize]) -> Result<(), NpyError> {
        let &[rows, columns] = shape else { return Ok(()) };
        match (self.ids, self.columns) {
            (Some(ids), _) if ids.len() != rows => Err(NpyError::LabelCount { labels: ids.len(), rows }),
            (_, Some(names)) if names.len() != columns => Err(NpyError::NameCount { names: names.len(), columns }),
            _ => Ok(()),
        }
    }

    /// Writes what there is. Where names of columns follow and there are no ids, an empty array stands in their place.
    pub(crate) fn write<W: Write>(&self, mut sink: W) -> Result<(), NpyError> {
        let columns = self.columns.filter(|columns| !columns.is_empty());
        if self.ids.is_some() || columns.is_some() {
            write_labels(&mut sink, self.ids.unwrap_or_default())?;
        }
        if let Some(columns) = columns {
            write_texts(&mut sink, columns, &[columns.len()], |index, why| NpyError::ColumnName { index, why })?;
        }
        match self.name.filter(|name| !name.is_empty()) {
            Some(name) => write_name(sink, name),
            None => Ok(()),
        }
    }
}

/// Whether an array can have this name: some text, without NUL, of at most [`MAX_NAME_CHARS`].
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('\0') && name.chars().count() <= MAX_NAME_CHARS
}

/// Writes labels as a 1-d `<U` array, as wide as the longest of them.
///
/// An empty label is refused, since it names nothing, and so is one with a NUL character, which NumPy would hand back
/// shortened.
pub fn write_labels<W: Write>(sink: W, labels: &[String]) -> Result<(), NpyError> {
    write_texts(sink, labels, &[labels.len()], |index, why| NpyError::Label { index, why })
}

/// Writes the name of an array as a 0-d `<U` array.
fn write_name<W: Write>(sink: W, name: &str) -> Result<(), NpyError> {
    let n = name.chars().count();
    if n > MAX_NAME_CHARS {
        return Err(NpyError::NameTooLong { found: n, limit: MAX_NAME_CHARS });
    }
    write_texts(sink, std::slice::from_ref(&name.to_owned()), &[], |_, why| NpyError::ArrayName { why })
}

fn write_texts<W: Write>(
    mut sink: W,
    texts: &[String],
    shape: &[usize],
    wrong: fn(usize, &'static str) -> NpyError,
) -> Result<(), NpyError> {
    if let Some(index) = texts.iter().position(|l| l.contains('\0')) {
        return Err(wrong(index, HOLDS_NUL));
    }
    if let Some(index) = texts.iter().position(String::is_empty) {
        return Err(wrong(index, IS_EMPTY));
    }
    let width = texts.iter().map(|l| l.chars().count()).max().unwrap_or(1).max(1);
    sink.write_all(&header::format(&format!("<U{width}"), shape))?;
    let mut bytes = Vec::with_capacity(texts.len() * width * 4);
    for text in texts {
        let start = bytes.len();
        text.chars().for_each(|c| bytes.extend(u32::from(c).to_le_bytes()));
        bytes.resize(start + 4 * width, 0);
    }
    sink.write_all(&bytes)?;
    Ok(())
}

pub(crate) const HOLDS_NUL: &str = "holds a NUL character";
pub(crate) const IS_EMPTY: &str = "is empty";

/// The text of one element of kind `U`, padded with zeros; it may be empty. An error says what is wrong with it.
pub(crate) fn decode_unicode(item: &[u8], big_endian: bool) -> Result<String, &'static str> {
    let points = item
        .as_chunks::<4>()
        .0
        .iter()
        .map(|c| if big_endian { u32::from_be_bytes(*c) } else { u32::from_le_bytes(*c) });
    let mut text = String::new();
    let mut zeros = 0;
    for point in points {
        // NumPy pads with zeros and strips them; a zero inside is part of the text.
        if point == 0 {
            zeros += 1;
            continue;
        }
        if zeros > 0 {
            return Err(HOLDS_NUL);
        }
        text.push(char::from_u32(point).ok_or("is not valid Unicode")?);
    }
    Ok(text)
}

/// The same of one element of kind `S`.
pub(crate) fn decode_bytes(item: &[u8]) -> Result<String, &'static str> {
    let end = item.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    match std::str::from_utf8(&item[..end]) {
        Err(_) => Err("is of bytes that are not UTF-8; save it as text: numpy.char.decode(ids, \"latin-1\")"),
        Ok(text) if text.contains('\0') => Err(HOLDS_NUL),
        Ok(text) => Ok(text.to_owned()),
    }
}
