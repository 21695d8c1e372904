//! BMP files of 16 bits a pixel, as Pillow reads them: 5 bits of red, 5 or 6 of green, 5 of blue.
//!
//! A part of `n` bits becomes `v * 255 / (2^n - 1)`, cut to a whole number; other decoders round, or copy high bits
//! into low ones, and are one level off for some.

use crate::pictures::{Picture, PictureError};

/// What stands before the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Pixels per row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// The first row comes first.
    from_top: bool,
    /// Bits of green: 5 or 6.
    green: u32,
    /// Where the pixels begin.
    data: usize,
}

/// The header at the start of `bytes` if this is such a file; of no other kind of BMP is anything said here.
pub fn header(bytes: &[u8]) -> Option<Header> {
    let u16_at = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    if !bytes.starts_with(b"BM") {
        return None;
    }
    let (offset, size) = (u32_at(10)? as usize, u32_at(14)? as usize);
    let (width, height, bits, compression) = match size {
        12 => (u32::from(u16_at(18)?), u32::from(u16_at(20)?), u16_at(24)?, 0),
        40 | 52 | 56 | 64 | 108 | 124 => (u32_at(18)?, u32_at(22)?, u16_at(28)?, u32_at(30)?),
        _ => return None,
    };
    let from_top = size > 12 && height >= 0xFF00_0000;
    let height = if from_top { height.wrapping_neg() } else { height };
    // The masks are part of the longer headers and follow the shorter one: at the same place in both.
    const MASKS: usize = 54;
    let (green, masks) = match compression {
        0 => (5, 0),
        3 => match (u32_at(MASKS)?, u32_at(MASKS + 4)?, u32_at(MASKS + 8)?) {
            (0xF800, 0x07E0, 0x001F) => (6, 12),
            (0x7C00, 0x03E0, 0x001F) => (5, 12),
            _ => return None,
        },
        _ => return None,
    };
    let data = if offset > 0 { offset } else { (14 + size).max(if masks > 0 { MASKS + masks } else { 0 }) };
    (bits == 16).then_some(Header { width: width as usize, height: height as usize, from_top, green, data })
}

/// The picture in `bytes`, which begin with this header.
pub fn decode(bytes: &[u8], header: Header) -> Result<Picture, PictureError> {
    let Header { width, height, from_top, green, data } = header;
    let early_end = || PictureError::Broken("the file ends too early".into());
    // Rows are filled up to a multiple of four bytes.
    let stride = width.checked_mul(2).and_then(|n| n.checked_next_multiple_of(4)).ok_or_else(early_end)?;
    let n_bytes = stride.checked_mul(height).ok_or_else(early_end)?;
    let rows = bytes.get(data..).and_then(|rest| rest.get(..n_bytes)).ok_or_else(early_end)?;
    let level = |pixel: u16, shift: u32, n_bits: u32| {
        let most = (1u32 << n_bits) - 1;
        ((u32::from(pixel) >> shift & most) * 255 / most) as u8
    };
    let colours = |pixel: &[u8; 2]| {
        let pixel = u16::from_le_bytes(*pixel);
        [level(pixel, 5 + green, 5), level(pixel, 5, green), level(pixel, 0, 5)]
    };
    let mut rgb = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        let row = &rows[stride * if from_top { y } else { height - 1 - y }..][..2 * width];
        rgb.extend(row.as_chunks::<2>().0.iter().flat_map(colours));
    }
    Ok(Picture { width, height, rgb })
}
