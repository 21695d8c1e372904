//! The header of one array: what it says, what it claims to need, and how NumPy would write it.

use crate::NpyError;
use crate::literal::{self, Description};

/// Longest header that is read, in bytes. NumPy's own limit (`max_header_size`) is the same: a plain array needs
/// about a hundred, and a longer one is an attack on the parser or not an array of numbers.
pub const MAX_HEADER_BYTES: u64 = 10_000;

/// What the elements of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `?`
    Bool,
    /// `i1`
    I1,
    /// `i2`
    I2,
    /// `i4`
    I4,
    /// `i8`
    I8,
    /// `u1`
    U1,
    /// `u2`
    U2,
    /// `u4`
    U4,
    /// `u8`
    U8,
    /// `f2`
    F2,
    /// `f4`
    F4,
    /// `f8`
    F8,
    /// `U<n>`: text of at most n UTF-32 code points per element.
    Text(usize),
    /// `S<n>`: text of at most n bytes of UTF-8 per element, as Python 2, HDF5 and MATLAB have it.
    Bytes(usize),
}

impl Kind {
    fn parse(code: &str) -> Option<Kind> {
        Some(match code {
            "b1" | "?" => Kind::Bool,
            "i1" | "b" => Kind::I1,
            "i2" => Kind::I2,
            "i4" => Kind::I4,
            "i8" => Kind::I8,
            "u1" | "B" => Kind::U1,
            "u2" => Kind::U2,
            "u4" => Kind::U4,
            "u8" => Kind::U8,
            "f2" => Kind::F2,
            "f4" => Kind::F4,
            "f8" => Kind::F8,
            text => match text.strip_prefix('U') {
                Some(chars) => Kind::Text(chars.parse().ok()?),
                None => Kind::Bytes(text.strip_prefix(['S', 'a'])?.parse().ok()?),
            },
        })
    }

    /// Bytes of one element; `None` when a text width overflows.
    pub fn item_bytes(self) -> Option<usize> {
        Some(match self {
            Kind::Bool | Kind::I1 | Kind::U1 => 1,
            Kind::I2 | Kind::U2 | Kind::F2 => 2,
            Kind::I4 | Kind::U4 | Kind::F4 => 4,
            Kind::I8 | Kind::U8 | Kind::F8 => 8,
            Kind::Text(chars) => chars.checked_mul(4)?,
            Kind::Bytes(bytes) => bytes,
        })
    }

    /// Whether the values are held as f8 (f8 itself and integers wider than f4's 24 bits) rather than f4.
    pub fn is_double(self) -> bool {
        matches!(self, Kind::F8 | Kind::I4 | Kind::I8 | Kind::U4 | Kind::U8)
    }

    /// NumPy's name without the byte order: `f4`, `i2`, `U12`, `b1`.
    pub fn name(self) -> String {
        match self {
            Kind::Bool => "b1".into(),
            Kind::Text(n) => format!("U{n}"),
            Kind::Bytes(n) => format!("S{n}"),
            other => format!("{other:?}").to_lowercase(),
        }
    }
}

/// One parsed header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub kind: Kind,
    pub big_endian: bool,
    pub fortran: bool,
    pub shape: Vec<usize>,
    /// Bytes of the body, checked not to overflow.
    pub body_bytes: u64,
}

impl Header {
    /// Parses a whole header, from the magic string to its newline.
    pub fn parse(bytes: &[u8]) -> Result<Header, NpyError> {
        // Behind the magic string, the version and the length.
        let start = if bytes.get(6) == Some(&1) { 10 } else { 12 };
        let literal = bytes.get(start..).unwrap_or_default();
        let Description { descr, fortran, shape } = match as_numpy_writes(bytes) {
            Some(description) => description,
            None => literal::parse(literal)?,
        };
        let unsupported = || NpyError::Dtype(descr.clone());
        let (order, code) = match descr.strip_prefix(['<', '>', '=', '|']) {
            Some(code) => (&descr[..1], code),
            None => ("=", descr.as_str()),
        };
        let kind = Kind::parse(code).ok_or_else(unsupported)?;
        let too_large =
            || NpyError::TooLarge { shape: shape.clone(), item_bytes: kind.item_bytes().unwrap_or(usize::MAX) };
        let item = kind.item_bytes().ok_or_else(too_large)?;
        let body = shape
            .iter()
            .try_fold(item, |acc, &n| acc.checked_mul(n))
            .filter(|&b| b <= isize::MAX as usize)
            .ok_or_else(too_large)?;
        // Rows without columns take no bytes, but things are made for each of them.
        let axes = shape.iter().try_fold(16_usize, |acc, &n| acc.checked_mul(n.max(1)));
        axes.filter(|&b| b <= isize::MAX as usize).ok_or_else(too_large)?;
        Ok(Header {
            kind,
            big_endian: order == ">" || (order == "=" && cfg!(target_endian = "big")),
            fortran: fortran && shape.len() > 1,
            shape,
            body_bytes: body as u64,
        })
    }
}

/// What a header as NumPy has written it since Python 3 says; `None` for any other.
fn as_numpy_writes(bytes: &[u8]) -> Option<Description> {
    // The parser recurses at brackets, and no simple dtype has any.
    if bytes.iter().filter(|b| matches!(b, b'(' | b'[' | b'{')).count() > 2 {
        return None;
    }
    let parsed = ndarray_npy::npy::header::Header::from_reader(&mut &bytes[..]).ok()?;
    let descr = parsed.type_descriptor.as_string()?.clone();
    Some(Description { descr, fortran: parsed.layout.is_fortran(), shape: parsed.shape })
}

/// A version 1 header, byte for byte what `numpy.save` writes: keys sorted, room for the first axis to grow to
/// 21 digits, and spaces so that the data start on a multiple of 64 bytes.
pub(crate) fn format(descr: &str, shape: &[usize]) -> Vec<u8> {
    const GROWTH_AXIS_MAX_DIGITS: usize = 21;
    let tuple = match shape {
        [n] => format!("({n},)"),
        _ => {
            let inner: Vec<String> = shape.iter().map(usize::to_string).collect();
            format!("({})", inner.join(", "))
        }
    };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {tuple}, }}");
    if let Some(first) = shape.first() {
        let digits = first.to_string().len();
        text.push_str(&" ".repeat(GROWTH_AXIS_MAX_DIGITS.saturating_sub(digits)));
    }
    let unpadded = 10 + text.len() + 1;
    text.push_str(&" ".repeat(64 - unpadded % 64));
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_bytes_are_those_of_numpy_save() {
        // numpy 2.x: io.BytesIO(); np.save(f, np.zeros((3, 2), '<f4')); f.getvalue()[:128]
        let expected = [
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }".as_slice(),
            &[b' '; 128 - 10 - 59 - 1],
            b"\n",
        ]
        .concat();
        assert_eq!(format("<f4", &[3, 2]), expected);
        assert_eq!(format("<U7", &[3]).len() % 64, 0);
    }

    #[test]
    fn what_is_formatted_is_parsed() {
        for (descr, shape, kind) in [
            ("<f8", vec![10, 3], Kind::F8),
            (">i2", vec![4], Kind::I2),
            ("|b1", vec![0, 7], Kind::Bool),
            ("<U12", vec![5], Kind::Text(12)),
            ("<f2", vec![], Kind::F2),
        ] {
            let h = Header::parse(&format(descr, &shape)).unwrap();
            assert_eq!((h.kind, &h.shape), (kind, &shape));
            assert_eq!(h.big_endian, descr.starts_with('>'));
        }
    }

    #[test]
    fn refuses_what_is_no_array_of_numbers() {
        for descr in ["<c8", "|O", "<M8[ns]", "<f16", "<U", "<Ux"] {
            assert!(matches!(Header::parse(&format(descr, &[2])), Err(NpyError::Dtype(_))), "{descr}");
        }
    }

    #[test]
    fn a_shape_that_overflows_is_an_error_and_allocates_nothing() {
        let big = usize::MAX / 4;
        for shape in [vec![big, 2], vec![1 << 40, 1 << 40], vec![usize::MAX, 0, usize::MAX]] {
            let parsed = Header::parse(&format("<f8", &shape));
            if shape.contains(&0) {
                // Whatever the order of the factors, an empty array stays empty or is refused; it never wraps.
                assert!(parsed.is_err() || parsed.unwrap().body_bytes == 0);
            } else {
                assert!(matches!(parsed, Err(NpyError::TooLarge { .. })), "{shape:?}");
            }
        }
    }

    #[test]
    fn deep_nesting_is_refused_before_parsing() {
        let mut text = "(".repeat(5000);
        text.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        assert!(matches!(Header::parse(&bytes), Err(NpyError::Header(_))));
    }
}
