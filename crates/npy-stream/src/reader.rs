//! Reading arrays one after the other from a file or a pipe, whole or in blocks of rows.

use crate::header::{Header, MAX_HEADER_BYTES};
use crate::labels::{IS_EMPTY, MAX_NAME_CHARS, decode_bytes, decode_unicode};
use crate::zeros::zeros;
use crate::{Array, Block, Kind, Labels, NpyError, Parts, Values};
use half::f16;
use ndarray::ArrayView2;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

/// Bytes asked of a pipe at a time while it has not yet proved that it holds what its header promises.
const GROWTH_BYTES: usize = 16 << 20;

/// Bytes decoded at a time where the values on disk are not those in memory.
const DECODED_AT_ONCE: usize = 4 << 20;

/// Integers up to this magnitude are exact in f8.
const EXACT_F8: i128 = 1 << 53;

enum Source {
    Pipe(Box<dyn Read + Send>),
    /// A regular file, read at `at` of its `length` bytes. Not mapped into memory: a map of a file that another program
    /// cuts short ends the process without a word (SIGBUS), takes addresses that `ulimit -v` counts, and is no faster.
    File {
        file: Arc<File>,
        at: u64,
        length: u64,
    },
}

impl Source {
    /// Fills `buf` as far as the data go and returns how much that was.
    fn fill(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::File { file, at, .. } => {
                let n = fill_by(buf, |rest, n| read_at(file, rest, *at + n as u64))?;
                *at += n as u64;
                Ok(n)
            }
            Source::Pipe(reader) => fill_by(buf, |rest, _| reader.read(rest)),
        }
    }
}

/// Fills `buf` by reads that get what is left of it and how much is there already.
fn fill_by(buf: &mut [u8], mut read: impl FnMut(&mut [u8], usize) -> io::Result<usize>) -> io::Result<usize> {
    let mut n = 0;
    while n < buf.len() {
        match read(&mut buf[n..], n) {
            Ok(0) => break,
            Ok(k) => n += k,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(n)
}

/// Reads the arrays of a stream in order.
///
/// ```
/// use npy_stream::{NpyReader, write_matrix, Matrix};
/// let responses = Matrix::F4(ndarray::arr2(&[[1.0, 2.0], [3.0, 4.0]]));
/// let mut bytes = Vec::new();
/// let ids = ["a".to_string(), "b".to_string()];
/// write_matrix(&mut bytes, &responses, Some(&ids[..])).unwrap();
/// let arrays = NpyReader::from_pipe(std::io::Cursor::new(bytes)).read_all().unwrap();
/// assert_eq!(arrays[0].labels.ids.as_ref().unwrap(), &["a", "b"]);
/// ```
pub struct NpyReader {
    source: Source,
    /// A header that was read to see whether labels follow, and was no label header.
    pending: Option<Header>,
    /// Arrays whose header has been read, labels not counted.
    n_arrays: usize,
    /// What an array is called that has no name of its own behind it.
    name: Option<String>,
    /// Converted values of the current block.
    f4: Vec<f32>,
    f8: Vec<f64>,
    raw: Vec<u8>,
}

impl NpyReader {
    /// Reads from anything that cannot seek.
    pub fn from_pipe(reader: impl Read + Send + 'static) -> NpyReader {
        NpyReader::new(Source::Pipe(Box::new(reader)))
    }

    /// Reads an open file from its start when it is a regular file, as a pipe otherwise.
    pub fn from_file(file: File) -> io::Result<NpyReader> {
        let meta = file.metadata()?;
        if !meta.is_file() || meta.len() == 0 {
            return Ok(NpyReader::from_pipe(file));
        }
        Ok(NpyReader::new(Source::File { file: Arc::new(file), at: 0, length: meta.len() }))
    }

    fn new(source: Source) -> NpyReader {
        let (f4, f8, raw) = (Vec::new(), Vec::new(), Vec::new());
        NpyReader { source, pending: None, n_arrays: 0, name: None, f4, f8, raw }
    }

    /// The same, with a name for arrays that have none of their own: that of the member of an archive.
    pub fn called(self, name: String) -> NpyReader {
        NpyReader { name: Some(name), ..self }
    }

    /// Whether labels can be read before the rows (true for files).
    pub fn can_look_ahead(&self) -> bool {
        matches!(self.source, Source::File { .. })
    }

    /// The next array, its header read and its body not; `None` at the end of the stream.
    ///
    /// Text where a numeric array should stand is an error: labels are taken together with the array before them.
    /// What is left of the previous array must have been consumed ([`Incoming::finish`], [`Incoming::into_array`]).
    pub fn next_array(&mut self) -> Result<Option<Incoming<'_>>, NpyError> {
        let header = match self.pending.take() {
            Some(h) => Some(h),
            None => self.read_header()?,
        };
        let Some(header) = header else { return Ok(None) };
        let index = self.n_arrays;
        self.n_arrays += 1;
        if let Kind::Text(_) | Kind::Bytes(_) = header.kind {
            return Err(NpyError::StrayLabels { shape: header.shape, array: index });
        }
        self.check_available(&header, index)?;
        Ok(Some(Incoming { reader: self, header, index, rows_read: 0, whole: false, behind: None }))
    }

    /// All arrays of the stream; at least one, else [`NpyError::Empty`].
    pub fn read_all(&mut self) -> Result<Vec<Array>, NpyError> {
        let mut arrays = Vec::new();
        while let Some(next) = self.next_array()? {
            arrays.push(next.into_array()?);
        }
        if arrays.is_empty() {
            return Err(NpyError::Empty);
        }
        Ok(arrays)
    }

    /// For a file, that the body is all there, before anything is allocated for it.
    fn check_available(&self, header: &Header, index: usize) -> Result<(), NpyError> {
        if let Source::File { at, length, .. } = self.source {
            let found = length.saturating_sub(at);
            if found < header.body_bytes {
                return Err(NpyError::Truncated { found, expected: header.body_bytes, array: index });
            }
        }
        Ok(())
    }

    fn read_header(&mut self) -> Result<Option<Header>, NpyError> {
        let array = self.n_arrays;
        let truncated = |found: usize, expected: usize| NpyError::Truncated {
            found: found as u64,
            expected: expected as u64,
            array,
        };
        let mut head = [0u8; 12];
        let n = self.source.fill(&mut head[..8])?;
        if n == 0 {
            return Ok(None);
        }
        if head[..n.min(6)] != b"\x93NUMPY"[..n.min(6)] {
            return Err(self.no_array(&head[..n])?);
        }
        if n < 8 {
            return Err(truncated(n, 8));
        }
        let (major, minor) = (head[6], head[7]);
        let size_bytes = match (major, minor) {
            (1, 0) => 2,
            (2, 0) | (3, 0) => 4,
            _ => return Err(NpyError::Version { major, minor }),
        };
        let n = self.source.fill(&mut head[8..8 + size_bytes])?;
        if n < size_bytes {
            return Err(truncated(8 + n, 8 + size_bytes));
        }
        let length = if size_bytes == 2 {
            u64::from(u16::from_le_bytes([head[8], head[9]]))
        } else {
            u64::from(u32::from_le_bytes([head[8], head[9], head[10], head[11]]))
        };
        if length > MAX_HEADER_BYTES {
            return Err(NpyError::HeaderTooLong { found: length, limit: MAX_HEADER_BYTES });
        }
        let start = 8 + size_bytes;
        let mut bytes = head[..start].to_vec();
        bytes.resize(start + length as usize, 0);
        let n = self.source.fill(&mut bytes[start..])?;
        if n < length as usize {
            return Err(truncated(start + n, start + length as usize));
        }
        Header::parse(&bytes).map(Some)
    }

    /// What stands where an array should, of which the first bytes have been read.
    fn no_array(&mut self, head: &[u8]) -> io::Result<NpyError> {
        let mut start = head.to_vec();
        start.resize(foreign_formats::START_BYTES, 0);
        let n = self.source.fill(&mut start[head.len()..])?;
        start.truncate(head.len() + n);
        let shown: String = String::from_utf8_lossy(&start).chars().take(20).collect();
        let after = match self.n_arrays {
            0 => String::new(),
            n => format!(" after array {} of the stream", n - 1),
        };
        let is = match (foreign_formats::recognise(&start), foreign_formats::text(&start)) {
            (Some(foreign), _) => foreign.to_string(),
            (None, Some(_)) if self.n_arrays > 0 => format!("text (it starts {shown:?})"),
            (None, Some(text)) => format!("{text} (it starts {shown:?})"),
            _ if start.iter().all(|byte| *byte == 0) => {
                format!("{} zero bytes or more; the copy of the file probably failed", start.len())
            }
            _ => format!("something else (it starts {shown:?}); expected the bytes \"\\x93NUMPY\""),
        };
        Ok(NpyError::NotNpy { is, after })
    }

    /// Reads the labels behind an array of this shape; an array of numbers stays for [`NpyReader::next_array`].
    ///
    /// Whole numbers, one per row of a matrix, are ids that were not saved as text (as are objects and byte strings):
    /// an error, since no analysis has such an array and ids must not be lost.
    fn read_labels(&mut self, shape: &[usize]) -> Result<Labels, NpyError> {
        let array = self.n_arrays.saturating_sub(1);
        let rows = shape.first().copied().unwrap_or(0);
        let mut labels = Labels { name: self.name.clone(), ..Labels::default() };
        let mut lists = 0;
        loop {
            let header = match self.read_header() {
                Ok(Some(header)) => header,
                Ok(None) => return Ok(labels),
                Err(NpyError::Dtype(dtype)) if lists == 0 => return Err(NpyError::LabelDtype { dtype, rows, array }),
                Err(NpyError::Dtype(dtype)) if dtype.ends_with('O') => {
                    return Err(NpyError::NameDtype { dtype, array });
                }
                Err(other) => return Err(other),
            };
            let (Kind::Text(width) | Kind::Bytes(width)) = header.kind else {
                let whole = !matches!(header.kind, Kind::F2 | Kind::F4 | Kind::F8);
                if lists == 0 && whole && shape.len() == 2 && header.shape == [rows] {
                    return Err(NpyError::LabelDtype { dtype: header.kind.name(), rows, array });
                }
                self.pending = Some(header);
                return Ok(labels);
            };
            match (header.shape.as_slice(), lists) {
                ([], _) => {
                    if width > MAX_NAME_CHARS {
                        return Err(NpyError::NameTooLong { found: width, limit: MAX_NAME_CHARS });
                    }
                    let name = self.read_texts(&header, array, |_, why| NpyError::ArrayName { why })?.pop();
                    labels.name = name.filter(|name| !name.is_empty()).or(labels.name);
                    return Ok(labels);
                }
                ([n], 0) => {
                    let wrong = |index, why| NpyError::Label { index, why };
                    if width == 0 && *n > 0 {
                        return Err(wrong(0, "is text of width 0 and names nothing"));
                    }
                    let ids = self.read_texts(&header, array, wrong)?;
                    refuse_empty(&ids, wrong)?;
                    // An empty array takes the place of ids that are absent.
                    labels.ids = Some(ids).filter(|ids| !ids.is_empty() || rows == 0);
                }
                ([n], 1) if shape.len() > 1 => {
                    let wrong = |index, why| NpyError::ColumnName { index, why };
                    if width == 0 && *n > 0 {
                        return Err(wrong(0, IS_EMPTY));
                    }
                    let names = self.read_texts(&header, array, wrong)?;
                    refuse_empty(&names, wrong)?;
                    labels.columns = Some(names).filter(|names| !names.is_empty());
                }
                ([_], _) => return Err(NpyError::TooManyLists { lists: lists + 1, shape: shape.to_vec(), array }),
                _ => {
                    let expected = "ids or names of columns as a 1-d text array, or the array's name as a 0-d one";
                    return Err(NpyError::Shape { shape: header.shape, expected, array });
                }
            }
            lists += 1;
        }
    }

    /// The body of a text array.
    fn read_texts(
        &mut self,
        header: &Header,
        array: usize,
        wrong: impl Fn(usize, &'static str) -> NpyError,
    ) -> Result<Vec<String>, NpyError> {
        self.check_available(header, array)?;
        let mut raw = std::mem::take(&mut self.raw);
        self.take_bytes(header.body_bytes, header.body_bytes, 0, array, &mut raw)?;
        let texts = raw
            .chunks_exact(header.kind.item_bytes().unwrap_or(1).max(1))
            .enumerate()
            .map(|(index, item)| {
                let text = match header.kind {
                    Kind::Bytes(_) => decode_bytes(item),
                    _ => decode_unicode(item, header.big_endian),
                };
                text.map_err(|why| wrong(index, why))
            })
            .collect();
        self.raw = raw;
        texts
    }

    /// Reads exactly `n` bytes of the current body into `out`, growing it as they arrive. `before` bytes of the
    /// body's `expected` have been read already; both are only for the message.
    fn take_bytes(
        &mut self,
        n: u64,
        expected: u64,
        before: u64,
        array: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), NpyError> {
        out.clear();
        let n = n as usize;
        while out.len() < n {
            let start = out.len();
            // Double what has proved to be there: memory stays within twice the bytes received.
            let step = (n - start).min(GROWTH_BYTES.max(start));
            out.try_reserve(step).map_err(|_| NpyError::OutOfMemory { bytes: (start + step) as u64 })?;
            out.resize(start + step, 0);
            let got = self.source.fill(&mut out[start..])?;
            if got < step {
                return Err(NpyError::Truncated { found: before + (start + got) as u64, expected, array });
            }
        }
        Ok(())
    }
}

impl NpyReader {
    /// Reads the next `n` values of a body, of which `before` were read already, into `f4` or `f8`.
    fn take_values(&mut self, header: &Header, before: usize, n: usize, array: usize) -> Result<(), NpyError> {
        let mut f4 = std::mem::take(&mut self.f4);
        let mut f8 = std::mem::take(&mut self.f8);
        let place = Place { header, before, n, array };
        let native = !header.big_endian && cfg!(target_endian = "little");
        let taken = match header.kind {
            Kind::F4 if native => self.take_as_they_lie(place, &mut f4),
            Kind::F8 if native => self.take_as_they_lie(place, &mut f8),
            kind if kind.is_double() => self.take_decoded(place, &mut f8, append_f8),
            _ => self.take_decoded(place, &mut f4, |bytes, header, out| {
                append_f4(bytes, header, out);
                Ok(())
            }),
        };
        (self.f4, self.f8) = (f4, f8);
        taken
    }

    /// Values whose bytes are those of the file go where they belong without a copy between.
    fn take_as_they_lie<T: bytemuck::Pod>(&mut self, place: Place, out: &mut Vec<T>) -> Result<(), NpyError> {
        let (n, item) = (place.n, size_of::<T>());
        if self.can_look_ahead() {
            // The file is known to be long enough. Fresh zeros cost nothing until they are overwritten.
            match out.capacity() < n {
                true => *out = zeros(n),
                false => out.resize(n, T::zeroed()),
            }
            let got = self.source.fill(bytemuck::cast_slice_mut(out))?;
            return place.whole(got, n * item);
        }
        out.clear();
        while out.len() < n {
            let start = out.len();
            // Double what has proved to be there: memory stays within twice the bytes received.
            let step = (n - start).min((GROWTH_BYTES / item).max(start));
            reserve(out, step)?;
            out.resize(start + step, T::zeroed());
            let got = self.source.fill(bytemuck::cast_slice_mut(&mut out[start..]))?;
            place.whole(start * item + got, (start + step) * item)?;
        }
        Ok(())
    }

    /// Values of another type, some at a time, so that the bytes of the file are never all there beside them.
    fn take_decoded<T>(
        &mut self,
        place: Place,
        out: &mut Vec<T>,
        append: impl Fn(&[u8], &Header, &mut Vec<T>) -> Result<(), NpyError>,
    ) -> Result<(), NpyError> {
        let item = place.header.kind.item_bytes().unwrap_or(1);
        out.clear();
        if self.can_look_ahead() {
            reserve(out, place.n)?;
        }
        let mut raw = std::mem::take(&mut self.raw);
        while out.len() < place.n {
            let start = out.len();
            let step = (place.n - start).min(DECODED_AT_ONCE / item);
            // Doubles as above, where the stream has not yet proved to be as long as it says.
            if out.capacity() < start + step {
                reserve(out, (place.n - start).min(step.max(start)))?;
            }
            raw.resize(step * item, 0);
            let got = self.source.fill(&mut raw)?;
            place.whole(start * item + got, (start + step) * item)?;
            append(&raw, place.header, out)?;
        }
        self.raw = raw;
        Ok(())
    }
}

/// Which values of a body are read.
#[derive(Clone, Copy)]
struct Place<'h> {
    header: &'h Header,
    before: usize,
    n: usize,
    array: usize,
}

impl Place<'_> {
    /// An error when the source gave fewer bytes than were wanted.
    fn whole(&self, got: usize, wanted: usize) -> Result<(), NpyError> {
        if got == wanted {
            return Ok(());
        }
        let before = self.before * self.header.kind.item_bytes().unwrap_or(1);
        let (found, expected) = ((before + got) as u64, self.header.body_bytes);
        Err(NpyError::Truncated { found, expected, array: self.array })
    }
}

fn reserve<T>(out: &mut Vec<T>, more: usize) -> Result<(), NpyError> {
    let bytes = (out.len() + more) as u64 * size_of::<T>() as u64;
    out.try_reserve_exact(more).map_err(|_| NpyError::OutOfMemory { bytes })
}

/// One array whose header has been read: look at its shape, then take its rows or all of it.
pub struct Incoming<'r> {
    reader: &'r mut NpyReader,
    header: Header,
    index: usize,
    rows_read: usize,
    /// The body sits, converted and in C order, in the reader's buffers (Fortran order from any source).
    whole: bool,
    /// What stands behind a body that was held before its rows were taken.
    behind: Option<Labels>,
}

impl Incoming<'_> {
    /// Lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.header.shape
    }

    /// Element type on disk.
    pub fn kind(&self) -> Kind {
        self.header.kind
    }

    /// Whether the file holds the array in Fortran order.
    pub fn is_fortran(&self) -> bool {
        self.header.fortran
    }

    /// Whether the file holds the array big-endian.
    pub fn is_big_endian(&self) -> bool {
        self.header.big_endian
    }

    /// Position in the stream, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Number of values in the array.
    fn n_values(&self) -> usize {
        self.header.shape.iter().product()
    }

    /// Bytes of memory that the whole array takes while it is read ([`Incoming::into_array`]): its values as they are
    /// held, and in Fortran order the same again while they are turned.
    pub fn bytes_held(&self) -> u128 {
        let width = if self.header.kind.is_double() { 8 } else { 4 };
        let copies = if self.header.fortran { 2 } else { 1 };
        self.n_values() as u128 * width * copies
    }

    /// How many rows of a matrix take at most `bytes` as they are held, and at least 1: the length of a block, however
    /// wide the rows are.
    pub fn rows_within(&self, bytes: usize) -> usize {
        let columns = self.header.shape.get(1).copied().unwrap_or(1);
        let width = if self.header.kind.is_double() { 8 } else { 4 };
        (bytes / columns.saturating_mul(width).max(1)).max(1)
    }

    /// Rows and columns; an error when the array is not 2-d.
    pub fn matrix_shape(&self) -> Result<(usize, usize), NpyError> {
        match self.header.shape.as_slice() {
            &[rows, columns] => Ok((rows, columns)),
            _ => Err(NpyError::Shape {
                shape: self.header.shape.clone(),
                expected: "a matrix (rows = stimuli, columns = units or voxels)",
                array: self.index,
            }),
        }
    }

    /// The labels behind this array, read before its rows; `None` when the source is a pipe and they cannot be known
    /// yet.
    pub fn labels_ahead(&mut self) -> Result<Option<Labels>, NpyError> {
        if self.behind.is_some() {
            return Ok(self.behind.clone());
        }
        if self.rows_read > 0 || self.whole {
            return Ok(None);
        }
        let Source::File { at, .. } = &mut self.reader.source else { return Ok(None) };
        let body_at = *at;
        *at += self.header.body_bytes;
        let labels = self.reader.read_labels(&self.header.shape);
        self.reader.pending = None;
        if let Source::File { at, .. } = &mut self.reader.source {
            *at = body_at;
        }
        let labels = labels?;
        labels.check(&self.header.shape)?;
        Ok(Some(labels))
    }

    /// Reads the whole array of a pipe into memory, so that its labels are known before its rows are taken; an array in
    /// a file stays there, since its labels can be looked at.
    pub fn hold(&mut self) -> Result<(), NpyError> {
        if self.reader.can_look_ahead() || self.rows_read > 0 || self.behind.is_some() {
            return Ok(());
        }
        if !self.whole {
            self.load()?;
        }
        let labels = self.reader.read_labels(&self.header.shape)?;
        labels.check(&self.header.shape)?;
        self.behind = Some(labels);
        Ok(())
    }

    /// Makes a matrix of an array of three or more axes: its first axis are the rows, the others, in C order, the
    /// columns. Any other array stays what it is.
    pub fn flatten(&mut self) -> Result<(), NpyError> {
        if self.header.shape.len() < 3 {
            return Ok(());
        }
        if self.header.fortran {
            self.load()?;
            self.header.fortran = false;
        }
        let (rows, others) = self.header.shape.split_at(1);
        // The header has been refused where all axes together are more than can be addressed.
        self.header.shape = vec![rows[0], others.iter().product()];
        Ok(())
    }

    /// Any rectangle of a matrix that lies in a file; `None` for a pipe, and once rows have been taken.
    pub fn parts(&self) -> Option<Parts> {
        let Source::File { at, file, .. } = &self.reader.source else { return None };
        let &[rows, columns] = self.header.shape.as_slice() else { return None };
        if self.whole || self.rows_read > 0 {
            return None;
        }
        let (file, header) = (file.clone(), self.header.clone());
        Some(Parts { file, at: *at, header, shape: (rows, columns), index: self.index })
    }

    /// The next rows of a matrix, at most `max_rows` of them; `None` after the last.
    ///
    /// Memory is that of the block, except for Fortran order, where the whole matrix is held.
    pub fn next_rows(&mut self, max_rows: usize) -> Result<Option<Block<'_>>, NpyError> {
        let (n_rows, n_columns) = self.matrix_shape()?;
        let rows = max_rows.max(1).min(n_rows - self.rows_read);
        if rows == 0 {
            return Ok(None);
        }
        let first = self.rows_read;
        if self.header.fortran && !self.whole {
            self.load()?;
        }
        self.rows_read += rows;
        let double = self.header.kind.is_double();
        let view = |from: usize| (from * n_columns)..((from + rows) * n_columns);
        let shape = (rows, n_columns);
        let bad = |_| NpyError::Header("shape and number of values disagree".into());
        if self.whole {
            return Ok(Some(if double {
                Block::F8(ArrayView2::from_shape(shape, &self.reader.f8[view(first)]).map_err(bad)?)
            } else {
                Block::F4(ArrayView2::from_shape(shape, &self.reader.f4[view(first)]).map_err(bad)?)
            }));
        }
        self.reader.take_values(&self.header, first * n_columns, rows * n_columns, self.index)?;
        Ok(Some(if double {
            Block::F8(ArrayView2::from_shape(shape, self.reader.f8.as_slice()).map_err(bad)?)
        } else {
            Block::F4(ArrayView2::from_shape(shape, self.reader.f4.as_slice()).map_err(bad)?)
        }))
    }

    /// Skips what is left of the body and returns the labels behind it.
    pub fn finish(self) -> Result<Labels, NpyError> {
        if let Some(labels) = self.behind {
            return Ok(labels);
        }
        if !self.whole {
            let row_bytes = match self.header.shape.first() {
                Some(&n) if n > 0 => self.header.body_bytes / n as u64,
                _ => 0,
            };
            let done = self.rows_read as u64 * row_bytes;
            let left = self.header.body_bytes - done;
            match &mut self.reader.source {
                Source::File { at, .. } => *at += left,
                Source::Pipe(reader) => {
                    let skipped = io::copy(&mut reader.take(left), &mut io::sink())?;
                    if skipped < left {
                        return Err(NpyError::Truncated {
                            found: done + skipped,
                            expected: self.header.body_bytes,
                            array: self.index,
                        });
                    }
                }
            }
        }
        let labels = self.reader.read_labels(&self.header.shape)?;
        labels.check(&self.header.shape)?;
        Ok(labels)
    }

    /// The whole array in C order, and the labels behind it.
    pub fn into_array(mut self) -> Result<Array, NpyError> {
        if !self.whole {
            self.load()?;
        }
        let values = if self.header.kind.is_double() {
            Values::F8(std::mem::take(&mut self.reader.f8))
        } else {
            Values::F4(std::mem::take(&mut self.reader.f4))
        };
        let (shape, index) = (self.header.shape.clone(), self.index);
        let labels = self.finish()?;
        Ok(Array { shape, values, labels, index })
    }

    /// Reads the whole body and brings it to C order in the reader's buffers.
    fn load(&mut self) -> Result<(), NpyError> {
        let double = self.header.kind.is_double();
        self.reader.take_values(&self.header, 0, self.n_values(), self.index)?;
        if self.header.fortran {
            let shape = &self.header.shape;
            if double {
                self.reader.f8 = to_c_order(&self.reader.f8, shape);
            } else {
                self.reader.f4 = to_c_order(&self.reader.f4, shape);
            }
        }
        self.whole = true;
        Ok(())
    }
}

/// Copies Fortran-ordered values into C order.
fn to_c_order<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    use ndarray::{ArrayViewD, IxDyn, ShapeBuilder};
    match ArrayViewD::from_shape(IxDyn(shape).f(), values) {
        Ok(view) => view.iter().copied().collect(),
        Err(_) => values.to_vec(),
    }
}

macro_rules! decode {
    ($bytes:expr, $out:expr, $big:expr, $raw:ty, $convert:expr) => {{
        const N: usize = size_of::<$raw>();
        let items = $bytes.as_chunks::<N>().0;
        if $big {
            $out.extend(items.iter().map(|c| $convert(<$raw>::from_be_bytes(*c))));
        } else {
            $out.extend(items.iter().map(|c| $convert(<$raw>::from_le_bytes(*c))));
        }
    }};
}

pub(crate) fn decode_f4(bytes: &[u8], header: &Header, out: &mut Vec<f32>) {
    out.clear();
    append_f4(bytes, header, out);
}

fn append_f4(bytes: &[u8], header: &Header, out: &mut Vec<f32>) {
    let big = header.big_endian;
    match header.kind {
        Kind::F4 => decode!(bytes, out, big, f32, |v| v),
        Kind::F2 => decode!(bytes, out, big, u16, |v| f16::from_bits(v).to_f32()),
        Kind::Bool => out.extend(bytes.iter().map(|&b| f32::from(u8::from(b != 0)))),
        Kind::U1 => out.extend(bytes.iter().map(|&b| f32::from(b))),
        Kind::I1 => decode!(bytes, out, big, i8, f32::from),
        Kind::I2 => decode!(bytes, out, big, i16, f32::from),
        Kind::U2 => decode!(bytes, out, big, u16, f32::from),
        Kind::I4 | Kind::I8 | Kind::U4 | Kind::U8 | Kind::F8 | Kind::Text(_) | Kind::Bytes(_) => {
            unreachable!("wide kinds are decoded as f8, text as labels")
        }
    }
}

pub(crate) fn decode_f8(bytes: &[u8], header: &Header, out: &mut Vec<f64>) -> Result<(), NpyError> {
    out.clear();
    append_f8(bytes, header, out)
}

fn append_f8(bytes: &[u8], header: &Header, out: &mut Vec<f64>) -> Result<(), NpyError> {
    let big = header.big_endian;
    let mut inexact: Option<i128> = None;
    let mut exact = |v: i128| {
        if v.abs() > EXACT_F8 {
            inexact.get_or_insert(v);
        }
        v as f64
    };
    match header.kind {
        Kind::F8 => decode!(bytes, out, big, f64, |v| v),
        Kind::I4 => decode!(bytes, out, big, i32, f64::from),
        Kind::U4 => decode!(bytes, out, big, u32, f64::from),
        Kind::I8 => decode!(bytes, out, big, i64, |v| exact(i128::from(v))),
        Kind::U8 => decode!(bytes, out, big, u64, |v| exact(i128::from(v))),
        _ => unreachable!("narrow kinds are decoded as f4, text as labels"),
    }
    match inexact {
        Some(v) => Err(NpyError::InexactInteger(v)),
        None => Ok(()),
    }
}

fn refuse_empty(texts: &[String], wrong: impl Fn(usize, &'static str) -> NpyError) -> Result<(), NpyError> {
    texts.iter().position(String::is_empty).map_or(Ok(()), |index| Err(wrong(index, IS_EMPTY)))
}

#[cfg(unix)]
fn read_at(file: &File, out: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, out, offset)
}

#[cfg(windows)]
fn read_at(file: &File, out: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, out, offset)
}

#[cfg(test)]
mod tests;
