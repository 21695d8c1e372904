//! Netpbm files (P1 to P6: PBM, PGM and PPM, plain and raw), as Pillow reads them.
//!
//! A level `v` of a file whose white is `maxval` becomes `round(v / maxval * 255)`, in double precision and with ties
//! to the even number. Grey with a white above 255 is 16-bit grey to Pillow: `round(v / maxval * 65535)`.

use crate::pictures::{Decoded, Grey16, Picture, PictureError, high_byte, spread};

/// What stands before the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The digit of the magic number: 1 to 6.
    kind: u8,
    /// Pixels per row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// The level of white; 1 for a bitmap.
    maxval: usize,
    /// Where the pixels begin.
    data: usize,
}

impl Header {
    fn is_plain(&self) -> bool {
        self.kind <= 3
    }

    fn is_bitmap(&self) -> bool {
        matches!(self.kind, 1 | 4)
    }

    fn channels(&self) -> usize {
        if matches!(self.kind, 3 | 6) { 3 } else { 1 }
    }

    fn is_deep_grey(&self) -> bool {
        self.channels() == 1 && self.maxval > 255
    }
}

fn early_end() -> PictureError {
    PictureError::Broken("the file ends too early".into())
}

fn is_space(byte: u8) -> bool {
    // Python's whitespace in bytes, which has the vertical tab that Rust's has not.
    byte.is_ascii_whitespace() || byte == 0x0B
}

/// The header at the start of `bytes`.
pub fn header(bytes: &[u8]) -> Result<Header, PictureError> {
    let mut at = 2;
    let mut number = |what: &str, least: usize, most: usize| -> Result<usize, PictureError> {
        let token = next_token(bytes, &mut at)?;
        let value: Option<usize> = std::str::from_utf8(&token).ok().and_then(|text| text.parse().ok());
        value.filter(|value| (least..=most).contains(value)).ok_or_else(|| {
            let shown = String::from_utf8_lossy(&token);
            PictureError::Broken(format!("the {what} is {shown:?}, expected a whole number from {least} to {most}"))
        })
    };
    let kind = bytes[1] - b'0';
    let width = number("width", 0, 1 << 31)?;
    let height = number("height", 0, 1 << 31)?;
    let maxval = if matches!(kind, 1 | 4) { 1 } else { number("level of white", 1, 65_535)? };
    Ok(Header { kind, width, height, maxval, data: at })
}

/// The next word of a header, and the one space behind it, skipped; a comment goes to the end of its line.
fn next_token(bytes: &[u8], at: &mut usize) -> Result<Vec<u8>, PictureError> {
    let mut token = Vec::new();
    loop {
        let &byte = bytes.get(*at).ok_or_else(early_end)?;
        *at += 1;
        match byte {
            b'#' => {
                let rest = &bytes[*at..];
                let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).ok_or_else(early_end)?;
                *at += end + 1;
            }
            byte if is_space(byte) && token.is_empty() => {}
            byte if is_space(byte) => return Ok(token),
            byte if token.len() < 10 => token.push(byte),
            _ => return Err(PictureError::Broken("a number of more than 10 digits in the header".into())),
        }
    }
}

/// The picture in `bytes`.
pub fn decode(bytes: &[u8], grey16: Grey16) -> Result<Decoded, PictureError> {
    let header = header(bytes)?;
    let Header { width, height, .. } = header;
    let n_values = width.checked_mul(height).and_then(|n| n.checked_mul(header.channels())).ok_or_else(early_end)?;
    let body = &bytes[header.data..];
    if !header.is_plain() && !header.is_bitmap() && header.maxval == 255 {
        // Most files: levels as they are.
        let levels = body.get(..n_values).ok_or_else(early_end)?;
        let rgb = if header.channels() == 3 { levels.to_vec() } else { spread(levels.iter().copied()) };
        return Ok(Picture { width, height, rgb }.into());
    }
    let levels = match (header.is_plain(), header.is_bitmap()) {
        (true, true) => plain_bits(body, n_values)?,
        (true, false) => plain_levels(body, n_values, header.maxval)?,
        (false, true) => raw_bits(body, width, height)?,
        (false, false) => raw_levels(body, n_values, header.maxval)?,
    };
    let rgb = match header.is_deep_grey() {
        true => {
            let table = table(header.maxval, 65_535);
            spread(levels.into_iter().map(|level| match grey16 {
                Grey16::High => high_byte(table[usize::from(level)]),
                Grey16::Clip => table[usize::from(level)].min(255) as u8,
            }))
        }
        false => {
            let table = table(header.maxval, 255);
            let levels = levels.into_iter().map(|level| table[usize::from(level)] as u8);
            if header.channels() == 3 { levels.collect() } else { spread(levels) }
        }
    };
    Ok(Decoded { deep_grey: header.is_deep_grey(), ..Picture { width, height, rgb }.into() })
}

/// What each level of a file becomes; one beyond white is white.
fn table(maxval: usize, white: u16) -> Vec<u16> {
    let of = |level: usize| (level as f64 / maxval as f64 * f64::from(white)).round_ties_even();
    let last = if maxval > 255 { 65_535 } else { 255 };
    (0..=last).map(|level| of(level).min(f64::from(white)) as u16).collect()
}

fn raw_levels(body: &[u8], n_values: usize, maxval: usize) -> Result<Vec<u16>, PictureError> {
    if maxval < 256 {
        return Ok(body.get(..n_values).ok_or_else(early_end)?.iter().map(|&level| u16::from(level)).collect());
    }
    let body = n_values.checked_mul(2).and_then(|n_bytes| body.get(..n_bytes)).ok_or_else(early_end)?;
    Ok(body.as_chunks().0.iter().map(|&pair| u16::from_be_bytes(pair)).collect())
}

/// Eight pixels in a byte, the first in its highest bit, each row from a new byte; 1 is black.
fn raw_bits(body: &[u8], width: usize, height: usize) -> Result<Vec<u16>, PictureError> {
    let stride = width.div_ceil(8);
    let body = stride.checked_mul(height).and_then(|n| body.get(..n)).ok_or_else(early_end)?;
    let row = |row: &[u8]| (0..width).map(|x| u16::from(row[x / 8] >> (7 - x % 8) & 1 == 0)).collect::<Vec<_>>();
    Ok(if stride == 0 { Vec::new() } else { body.chunks_exact(stride).flat_map(row).collect() })
}

/// The body without its comments; what stands on both sides of one belongs together.
fn without_comments(body: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(body.len());
    let mut in_comment = false;
    for &byte in body {
        match (in_comment, byte) {
            (false, b'#') => in_comment = true,
            (true, b'\r' | b'\n') => in_comment = false,
            (true, _) => {}
            (false, byte) => kept.push(byte),
        }
    }
    kept
}

/// Digits 0 and 1, with or without space between them.
fn plain_bits(body: &[u8], n_values: usize) -> Result<Vec<u16>, PictureError> {
    let body = without_comments(body);
    let bits = body.iter().filter(|byte| !is_space(**byte)).take(n_values).map(|&byte| match byte {
        b'0' => Ok(1),
        b'1' => Ok(0),
        other => Err(PictureError::Broken(format!("{:?} where a bit 0 or 1 should stand", char::from(other)))),
    });
    let bits: Vec<u16> = bits.collect::<Result<_, _>>()?;
    if bits.len() == n_values { Ok(bits) } else { Err(early_end()) }
}

fn plain_levels(body: &[u8], n_values: usize, maxval: usize) -> Result<Vec<u16>, PictureError> {
    let body = without_comments(body);
    let tokens = body.split(|&byte| is_space(byte)).filter(|token| !token.is_empty()).take(n_values);
    let levels = tokens.map(|token| {
        let text = String::from_utf8_lossy(token);
        let level = text.parse::<usize>().ok().filter(|&level| level <= maxval);
        level
            .map(|level| level as u16)
            .ok_or_else(|| PictureError::Broken(format!("{text:?} where a level from 0 to {maxval} should stand")))
    });
    let levels: Vec<u16> = levels.collect::<Result<_, _>>()?;
    if levels.len() == n_values { Ok(levels) } else { Err(early_end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn red(bytes: &[u8]) -> Vec<u8> {
        decode(bytes, Grey16::High).unwrap().picture.rgb.into_iter().step_by(3).collect()
    }

    /// 1 of 3 is 85; 7 of 15 is 119; 2.5 of 5 does not occur: ties are 127.5 of a white of 2, which becomes 128.
    #[test]
    fn levels_are_parts_of_white() {
        assert_eq!(red(b"P5 4 1 3\n\x00\x01\x02\x03"), [0, 85, 170, 255]);
        assert_eq!(red(b"P2\n# a comment\n3 1 15\n0 7 # another\n 15"), [0, 119, 255]);
        assert_eq!(red(b"P2 2 1 2 1 2"), [128, 255]);
        assert_eq!(red(b"P5 2 1 100\n\x32\xff"), [128, 255], "beyond white is white");
        assert_eq!(red(b"P6 1 1 65535\n\x80\x00\x00\x00\x00\x00"), [128]);
        assert_eq!(red(b"P1 4 1\n10 1#c\n0"), [0, 255, 0, 255]);
        assert_eq!(red(b"P4 9 1\n\xaa\x80"), [0, 255, 0, 255, 0, 255, 0, 255, 0]);
    }

    #[test]
    fn deep_grey_keeps_its_high_byte_or_is_clipped() {
        let bytes = b"P5 2 1 1023\n\x00\x03\x03\xff";
        let high = decode(bytes, Grey16::High).unwrap();
        // 3 / 1023 * 65535 = 192.18.
        assert!(high.deep_grey && high.picture.rgb == [0, 0, 0, 255, 255, 255]);
        assert_eq!(decode(bytes, Grey16::Clip).unwrap().picture.rgb, [192, 192, 192, 255, 255, 255]);
    }

    #[test]
    fn damage_is_told() {
        for bytes in [
            b"P5 4 1 3\n\x00".as_slice(),
            b"P5 4 1 0\n\x00\x00\x00\x00",
            b"P5 4 1 70000\n\x00\x00\x00\x00",
            b"P5 4",
            b"P5 -4 1 3\n",
            b"P5 99999999999 1 3\n",
            b"P2 2 1 3 1 4",
            b"P2 2 1 3 1",
            b"P2 1 1 3 x",
            b"P1 2 1 12",
            b"P1 2 1 1",
            b"P4 9 1\n\xaa",
            b"P6 4294967296 4294967296 255\n",
        ] {
            assert!(matches!(decode(bytes, Grey16::High), Err(PictureError::Broken(_))), "{bytes:?}");
        }
    }
}
