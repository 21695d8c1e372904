//! From the text of an array to its numbers.

use std::borrow::Cow;
use std::io::{self, Read, SeekFrom};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::{GzDecoder, ZlibDecoder};

use super::{DataArray, GiftiError, MOST_AXES, ReadSeek};
use crate::values::Values;
use crate::volume::DEFLATE_LIMIT;
use crate::volume::header::Stored as Number;
use crate::xml::{Element, XmlError};

#[derive(Debug, Clone, PartialEq)]
enum Encoding {
    Ascii,
    Base64,
    Compressed,
    External { name: String, offset: u64 },
}

/// An array whose numbers are as they are stored.
pub(super) struct Stored<'a> {
    number: usize,
    intent: String,
    metadata: Vec<(String, String)>,
    shape: Vec<u64>,
    /// Product of the shape.
    n: u128,
    kind: Number,
    encoding: Encoding,
    big_endian: bool,
    column_major: bool,
    text: Cow<'a, str>,
}

impl<'a> Stored<'a> {
    /// Reads the attributes of a `<DataArray>`, and refuses one that cannot hold what it promises.
    pub(super) fn of(number: usize, mut element: Element<'a>) -> Result<Self, GiftiError> {
        let unknown = |attribute: &'static str, value: &str, expected: &'static str| GiftiError::Unknown {
            array: number,
            attribute,
            value: value.into(),
            expected,
        };
        let kind = element.required("DataType")?;
        let kind = match kind {
            "NIFTI_TYPE_UINT8" => Number::U1,
            "NIFTI_TYPE_INT32" => Number::I4,
            "NIFTI_TYPE_FLOAT32" => Number::F4,
            "NIFTI_TYPE_FLOAT64" => Number::F8,
            "NIFTI_TYPE_INT8" => Number::I1,
            "NIFTI_TYPE_INT16" => Number::I2,
            "NIFTI_TYPE_UINT16" => Number::U2,
            "NIFTI_TYPE_UINT32" => Number::U4,
            other => {
                let expected =
                    "NIFTI_TYPE_FLOAT32, NIFTI_TYPE_INT32 or NIFTI_TYPE_UINT8 (or another real type up to 64 bits)";
                return Err(unknown("DataType", other, expected));
            }
        };
        // Early files have the names of the C library in the place of the words of the standard; nibabel reads them
        // too.
        let encoding = match element.required("Encoding")? {
            "ASCII" | "GIFTI_ENCODING_ASCII" => Encoding::Ascii,
            "Base64Binary" | "GIFTI_ENCODING_B64BIN" => Encoding::Base64,
            "GZipBase64Binary" | "GIFTI_ENCODING_B64GZ" => Encoding::Compressed,
            "ExternalFileBinary" | "GIFTI_ENCODING_EXTBIN" => Encoding::External {
                name: element.required("ExternalFileName")?.to_owned(),
                offset: match element.attribute("ExternalFileOffset") {
                    None | Some("") => 0,
                    Some(offset) => element.count_in("ExternalFileOffset", offset)?,
                },
            },
            other => {
                let expected = "ASCII, Base64Binary, GZipBase64Binary or ExternalFileBinary";
                return Err(unknown("Encoding", other, expected));
            }
        };
        let big_endian = match element.attribute("Endian") {
            Some("LittleEndian" | "GIFTI_ENDIAN_LITTLE") => false,
            Some("BigEndian" | "GIFTI_ENDIAN_BIG") => true,
            // Text has no order of bytes.
            _ if encoding == Encoding::Ascii => false,
            other => return Err(unknown("Endian", other.unwrap_or_default(), "LittleEndian or BigEndian")),
        };
        let column_major = match element.attribute("ArrayIndexingOrder") {
            None | Some("RowMajorOrder") => false,
            Some("ColumnMajorOrder") => true,
            Some(other) => return Err(unknown("ArrayIndexingOrder", other, "RowMajorOrder or ColumnMajorOrder")),
        };
        let shape = shape(number, &element)?;
        let n = shape.iter().fold(1u128, |product, &length| product.saturating_mul(u128::from(length)));
        let text = match element.children.iter_mut().find(|child| child.name == "Data") {
            Some(data) => std::mem::take(&mut data.text),
            None if matches!(encoding, Encoding::External { .. }) => Cow::Borrowed(""),
            None => return Err(XmlError::NoChild { element: element.name, child: "Data" }.into()),
        };
        let metadata = element.metadata();
        let intent = element.required("Intent")?.to_owned();
        let stored = Stored { number, intent, metadata, shape, n, kind, encoding, big_endian, column_major, text };
        stored.check()?;
        Ok(stored)
    }

    /// Refuses a shape that the text cannot fill.
    fn check(&self) -> Result<(), GiftiError> {
        let length = self.text.len() as u128;
        match self.encoding {
            // A number has a digit, and something between it and the next.
            Encoding::Ascii if self.n > length.div_ceil(2) => {
                Err(self.length(self.n.saturating_mul(2) - 1, length, "", "characters of text at least"))
            }
            Encoding::Base64 if self.n_bytes().div_ceil(3) * 4 > length => {
                Err(self.length(self.n_bytes().div_ceil(3) * 4, length, "", "characters of Base64"))
            }
            Encoding::Compressed => {
                let most = (length / 4 * 3).saturating_mul(u128::from(DEFLATE_LIMIT));
                if self.n_bytes() > most {
                    return Err(self.length(self.n_bytes(), most, " at most in the compressed text", "bytes"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn n_bytes(&self) -> u128 {
        self.n.saturating_mul(self.kind.n_bytes() as u128)
    }

    /// Bytes of the numbers when they are decoded.
    pub(super) fn bytes_held(&self) -> u128 {
        self.n.saturating_mul(if self.kind.is_wide() { 8 } else { 4 })
    }

    fn length(&self, wanted: u128, got: u128, more: &'static str, unit: &'static str) -> GiftiError {
        GiftiError::Length { array: self.number, shape: self.shape.clone(), wanted, got, more, unit }
    }

    fn damaged(&self, what: impl ToString) -> GiftiError {
        GiftiError::Damaged { array: self.number, what: what.to_string() }
    }

    pub(super) fn decode(
        self,
        external: &mut dyn FnMut(&str) -> io::Result<Box<dyn ReadSeek>>,
    ) -> Result<DataArray, GiftiError> {
        let values = match &self.encoding {
            Encoding::Ascii => self.numbers_of_text()?,
            Encoding::Base64 => {
                let raw = self.base64()?;
                if raw.len() as u128 != self.n_bytes() {
                    return Err(self.length(self.n_bytes(), raw.len() as u128, "", "bytes"));
                }
                self.numbers_of_bytes(&raw)?
            }
            Encoding::Compressed => self.numbers_of_bytes(&self.inflated()?)?,
            Encoding::External { name, offset } => {
                self.numbers_of_bytes(&self.bytes_beside(external, name, *offset)?)?
            }
        };
        let shape = self.shape.iter().map(|&length| length as usize).collect();
        Ok(DataArray { intent: self.intent, metadata: self.metadata, shape, values })
    }

    fn base64(&self) -> Result<Vec<u8>, GiftiError> {
        let text = self.text.trim_ascii();
        let dense: Cow<'_, [u8]> = match text.bytes().any(|byte| byte.is_ascii_whitespace()) {
            true => Cow::Owned(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect()),
            false => Cow::Borrowed(text.as_bytes()),
        };
        STANDARD
            .decode(&dense[..])
            .map_err(|error| self.damaged(format!("Base64 of {} characters: {error}", dense.len())))
    }

    /// The bytes behind the compression: zlib's format, or gzip's, which the name promises and few write.
    fn inflated(&self) -> Result<Vec<u8>, GiftiError> {
        let packed = self.base64()?;
        let wanted = self.n_bytes();
        let mut raw = Vec::new();
        let refused = |_| crate::values::NoMemory { n: self.n, bytes: wanted };
        raw.try_reserve_exact(usize::try_from(wanted).unwrap_or(usize::MAX)).map_err(refused)?;
        // One byte more shows a stream that is too long.
        let most = wanted as u64 + 1;
        let read = match packed.as_slice() {
            [0x1f, 0x8b, ..] => GzDecoder::new(&packed[..]).take(most).read_to_end(&mut raw),
            _ => ZlibDecoder::new(&packed[..]).take(most).read_to_end(&mut raw),
        };
        let got = raw.len() as u128;
        match read {
            Ok(_) if got == wanted => Ok(raw),
            Ok(_) if got > wanted => Err(self.length(wanted, got, " or more", "bytes")),
            Ok(_) => Err(self.length(wanted, got, "", "bytes")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.length(wanted, got, " before the compressed text ends", "bytes"))
            }
            Err(error) => Err(self.damaged(format!("{got} of {wanted} bytes decompress: {error}"))),
        }
    }

    fn bytes_beside(
        &self,
        external: &mut dyn FnMut(&str) -> io::Result<Box<dyn ReadSeek>>,
        name: &str,
        offset: u64,
    ) -> Result<Vec<u8>, GiftiError> {
        let failed = |error| GiftiError::External { array: self.number, name: name.into(), error };
        let mut file = external(name).map_err(failed)?;
        let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let wanted = self.n_bytes().saturating_add(u128::from(offset));
        if wanted > u128::from(length) {
            return Err(self.length(wanted, u128::from(length), " in the external file", "bytes with the offset"));
        }
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut raw = Vec::new();
        file.take(self.n_bytes() as u64).read_to_end(&mut raw).map_err(failed)?;
        if raw.len() as u128 != self.n_bytes() {
            return Err(self.length(self.n_bytes(), raw.len() as u128, " in the external file", "bytes"));
        }
        Ok(raw)
    }

    fn numbers_of_bytes(&self, raw: &[u8]) -> Result<Values, GiftiError> {
        let mut values = Values::zeros(self.kind, false, self.n as usize)?;
        for (at, bytes) in raw.chunks_exact(self.kind.n_bytes()).enumerate() {
            values.set(self.place(at), self.kind.number(bytes, self.big_endian));
        }
        Ok(values)
    }

    fn numbers_of_text(&self) -> Result<Values, GiftiError> {
        let mut values = Values::zeros(self.kind, false, self.n as usize)?;
        let whole = !matches!(self.kind, Number::F4 | Number::F8);
        let mut n = 0usize;
        for text in self.text.split_ascii_whitespace() {
            if (n as u128) < self.n {
                let expected = if whole { "whole number of its type" } else { "number" };
                let wrong = || GiftiError::Number { array: self.number, at: n, n: self.n, text: text.into(), expected };
                let number: f64 = text.parse().map_err(|_| wrong())?;
                if whole && !self.kind.holds(number) {
                    return Err(wrong());
                }
                values.set(self.place(n), number);
            }
            n += 1;
        }
        if n as u128 != self.n {
            return Err(self.length(self.n, n as u128, "", "numbers"));
        }
        Ok(values)
    }

    /// Where the number at this place of the file stands when the last axis is fastest.
    fn place(&self, at: usize) -> usize {
        if !self.column_major || self.shape.len() < 2 {
            return at;
        }
        let (mut rest, mut place, mut step) = (at, 0, self.n as usize);
        for &length in &self.shape {
            let length = length as usize;
            step /= length;
            place += rest % length * step;
            rest /= length;
        }
        place
    }
}

fn shape(array: usize, element: &Element<'_>) -> Result<Vec<u64>, GiftiError> {
    let n_axes = element.count("Dimensionality")?;
    if !(1..=MOST_AXES).contains(&n_axes) {
        let what = format!("Dimensionality is {n_axes}; an array has 1 to {MOST_AXES} axes");
        return Err(GiftiError::Shape { array, what });
    }
    const NAMES: [&str; MOST_AXES as usize] = ["Dim0", "Dim1", "Dim2", "Dim3", "Dim4", "Dim5"];
    let mut shape = Vec::new();
    for name in &NAMES[..n_axes as usize] {
        let length = element.count(name)?;
        if length == 0 {
            return Err(GiftiError::Shape {
                array,
                what: format!("{name} is 0 of {n_axes} axes; an axis has at least 1"),
            });
        }
        shape.push(length);
    }
    Ok(shape)
}
