//! How a camera was held: the orientation that a picture file states, and turning the picture by it.
//!
//! Pillow's `Image.open`, and torchvision's loader with it, leaves pictures as they are stored;
//! `ImageOps.exif_transpose` turns them. TIFF is the exception: Pillow turns those as it loads them.
//! The orientation stands in a block of EXIF data (JPEG `APP1`, PNG `eXIf`, WebP `EXIF`; a TIFF file
//! is such a block itself) or else, as Pillow reads it, as `tiff:Orientation` in XMP.

use crate::pictures::{Picture, Size};

/// EXIF orientation 1 to 8: what to do so that the picture stands as it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orientation(u8);

impl Orientation {
    /// As it is stored.
    pub const UPRIGHT: Self = Self(1);

    /// The orientation of this number; one outside 1 to 8 means nothing and is upright.
    pub fn new(number: u32) -> Self {
        match number {
            2..=8 => Self(number as u8),
            _ => Self::UPRIGHT,
        }
    }

    /// The size of a picture of `size` once it is turned.
    pub fn size(self, size: Size) -> Size {
        if self.0 >= 5 { Size { height: size.width, width: size.height } } else { size }
    }

    /// The picture turned: 2 mirrored, 3 half a turn, 4 upside down, 5 transposed, 6 a quarter turn
    /// clockwise, 7 transposed over the other diagonal, 8 a quarter turn against the clock.
    pub fn turn(self, picture: Picture) -> Picture {
        if self == Self::UPRIGHT {
            return picture;
        }
        let (w, h) = (picture.width, picture.height);
        let Size { height, width } = self.size(Size { height: h, width: w });
        let mut rgb = Vec::with_capacity(picture.rgb.len());
        for y in 0..height {
            for x in 0..width {
                let (from_y, from_x) = match self.0 {
                    2 => (y, w - 1 - x),
                    3 => (h - 1 - y, w - 1 - x),
                    4 => (h - 1 - y, x),
                    5 => (x, y),
                    6 => (h - 1 - x, y),
                    7 => (h - 1 - x, w - 1 - y),
                    _ => (x, w - 1 - y),
                };
                let at = (from_y * w + from_x) * 3;
                rgb.extend_from_slice(&picture.rgb[at..at + 3]);
            }
        }
        Picture { width, height, rgb }
    }
}

/// The orientation that is to be applied to the picture in `bytes`: the stated one if it is `asked` for
/// or the file is TIFF, else none.
pub fn orientation(bytes: &[u8], asked: bool) -> Orientation {
    let is_tiff = bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*");
    if is_tiff {
        return in_tiff(bytes).map_or(Orientation::UPRIGHT, Orientation::new);
    }
    if !asked {
        return Orientation::UPRIGHT;
    }
    let (mut exif, mut xmp) = (None, None);
    for block in blocks(bytes) {
        match block {
            Block::Exif(data) => exif = exif.or_else(|| in_exif(data)),
            Block::Xmp(data) => xmp = xmp.or_else(|| in_xmp(data)),
        }
    }
    exif.or(xmp).map_or(Orientation::UPRIGHT, Orientation::new)
}

enum Block<'a> {
    Exif(&'a [u8]),
    Xmp(&'a [u8]),
}

fn blocks(bytes: &[u8]) -> Vec<Block<'_>> {
    if bytes.starts_with(&[0xFF, 0xD8]) {
        return jpeg_blocks(bytes);
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return png_blocks(bytes);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return webp_blocks(bytes);
    }
    Vec::new()
}

/// `APP1` segments up to the first scan: marker, length (its own two bytes included), contents.
fn jpeg_blocks(bytes: &[u8]) -> Vec<Block<'_>> {
    const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
    let mut found = Vec::new();
    let mut at = 2;
    while let Some(&[0xFF, marker]) = bytes.get(at..at + 2) {
        // Fill bytes may stand before a marker.
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let Some(length) = big_endian(bytes, at + 2, 2) else { break };
        let Some(data) = bytes.get(at + 4..at + 2 + length) else { break };
        match marker {
            0xE1 if data.starts_with(b"Exif\0\0") => found.push(Block::Exif(data)),
            0xE1 if data.starts_with(XMP) => found.push(Block::Xmp(&data[XMP.len()..])),
            0xDA => break,
            _ => {}
        }
        at += 2 + length;
    }
    found
}

/// Chunks: length, four letters, contents, check sum.
fn png_blocks(bytes: &[u8]) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut at = 8;
    while let (Some(length), Some(kind)) = (big_endian(bytes, at, 4), bytes.get(at + 4..at + 8)) {
        let Some(data) = bytes.get(at + 8..at + 8 + length) else { break };
        match kind {
            b"eXIf" => found.push(Block::Exif(data)),
            b"iTXt" if data.starts_with(b"XML:com.adobe.xmp\0") => found.push(Block::Xmp(data)),
            _ => {}
        }
        at += 12 + length;
    }
    found
}

/// RIFF chunks: four letters, length, contents, padded to an even length.
fn webp_blocks(bytes: &[u8]) -> Vec<Block<'_>> {
    let mut found = Vec::new();
    let mut at = 12;
    while let (Some(kind), Some(length)) = (bytes.get(at..at + 4), little_endian(bytes, at + 4, 4)) {
        let Some(data) = bytes.get(at + 8..at + 8 + length) else { break };
        match kind {
            b"EXIF" => found.push(Block::Exif(data)),
            b"XMP " => found.push(Block::Xmp(data)),
            _ => {}
        }
        at += 8 + length + length % 2;
    }
    found
}

fn in_exif(block: &[u8]) -> Option<u32> {
    let mut tiff = block;
    // Some writers put the mark before it twice, and Pillow takes both away.
    for _ in 0..2 {
        tiff = tiff.strip_prefix(b"Exif\0\0").unwrap_or(tiff);
    }
    in_tiff(tiff)
}

fn in_tiff(tiff: &[u8]) -> Option<u32> {
    tiff_tag(tiff, 0x0112)
}

/// The first value of a tag of the first directory, a whole number that stands in the directory itself.
pub(crate) fn tiff_tag(tiff: &[u8], tag: usize) -> Option<u32> {
    let number = match tiff.get(..2)? {
        b"II" => little_endian,
        b"MM" => big_endian,
        _ => return None,
    };
    let directory = number(tiff, 4, 4)?;
    let n_entries = number(tiff, directory, 2)?;
    (0..n_entries).map(|i| directory + 2 + 12 * i).find_map(|entry| {
        if number(tiff, entry, 2)? != tag {
            return None;
        }
        let width = match number(tiff, entry + 2, 2)? {
            1 => 1, // byte
            3 => 2, // short
            4 => 4, // long
            _ => return None,
        };
        u32::try_from(number(tiff, entry + 8, width)?).ok()
    })
}

fn in_xmp(block: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"tiff:Orientation";
    block.windows(NAME.len() + 3).find_map(|window| {
        let rest = window.strip_prefix(NAME)?;
        let digit = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?.first()?;
        digit.is_ascii_digit().then(|| u32::from(digit - b'0'))
    })
}

fn big_endian(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    Some(bytes.get(at..at.checked_add(width)?)?.iter().fold(0, |n, &byte| n << 8 | usize::from(byte)))
}

fn little_endian(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    Some(bytes.get(at..at.checked_add(width)?)?.iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows 1 2 3 and 4 5 6; what each orientation makes of them.
    #[test]
    fn every_orientation_by_hand() {
        let grey = |levels: &[u8]| levels.iter().flat_map(|&level| [level; 3]).collect::<Vec<u8>>();
        let picture = Picture { width: 3, height: 2, rgb: grey(&[1, 2, 3, 4, 5, 6]) };
        for (number, width, expected) in [
            (1, 3, [1, 2, 3, 4, 5, 6]),
            (2, 3, [3, 2, 1, 6, 5, 4]),
            (3, 3, [6, 5, 4, 3, 2, 1]),
            (4, 3, [4, 5, 6, 1, 2, 3]),
            (5, 2, [1, 4, 2, 5, 3, 6]),
            (6, 2, [4, 1, 5, 2, 6, 3]),
            (7, 2, [6, 3, 5, 2, 4, 1]),
            (8, 2, [3, 6, 2, 5, 1, 4]),
            (0, 3, [1, 2, 3, 4, 5, 6]),
            (9, 3, [1, 2, 3, 4, 5, 6]),
        ] {
            let turned = Orientation::new(number).turn(picture.clone());
            assert_eq!((turned.width, turned.height), (width, 6 / width), "{number}");
            assert_eq!(turned.rgb, grey(&expected), "{number}");
        }
    }

    fn tiff(little: bool, kind: u8, value: u8) -> Vec<u8> {
        let mut block = if little { b"II*\0\x08\0\0\0\x01\0".to_vec() } else { b"MM\0*\0\0\0\x08\0\x01".to_vec() };
        let mut entry = if little { vec![0x12, 1, kind, 0, 1, 0, 0, 0] } else { vec![1, 0x12, 0, kind, 0, 0, 0, 1] };
        entry.extend(match (little, kind) {
            (true, _) | (false, 1) => [value, 0, 0, 0],
            (false, 3) => [0, value, 0, 0],
            (false, _) => [0, 0, 0, value],
        });
        block.extend(entry);
        block
    }

    #[test]
    fn the_tag_is_read_in_either_byte_order_and_any_width() {
        for little in [true, false] {
            for kind in [1, 3, 4] {
                assert_eq!(in_exif(&[b"Exif\0\0".as_slice(), &tiff(little, kind, 6)].concat()), Some(6));
            }
            assert_eq!(in_tiff(&tiff(little, 2, 6)), None);
            let whole = tiff(little, 3, 8);
            assert!((0..20).all(|n| in_tiff(&whole[..n]).is_none()));
            // A TIFF file is turned whether asked or not.
            assert_eq!(orientation(&whole, false), Orientation::new(8));
        }
    }

    #[test]
    fn xmp_counts_where_exif_is_silent() {
        let segment = |data: &[u8]| [b"\xFF\xE1".as_slice(), &(data.len() as u16 + 2).to_be_bytes(), data].concat();
        let xmp = segment(b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation=\"3\"/>");
        let exif = segment(&[b"Exif\0\0".as_slice(), &tiff(true, 3, 6)].concat());
        let jpeg = |segments: &[&[u8]]| [b"\xFF\xD8".as_slice(), &segments.concat(), b"\xFF\xDA"].concat();
        assert_eq!(orientation(&jpeg(&[&xmp]), true), Orientation::new(3));
        assert_eq!(orientation(&jpeg(&[&xmp, &exif]), true), Orientation::new(6));
        assert_eq!(orientation(&jpeg(&[&xmp, &exif]), false), Orientation::UPRIGHT);
        assert_eq!(orientation(&jpeg(&[]), true), Orientation::UPRIGHT);
        assert_eq!(in_xmp(b"<tiff:Orientation>5</tiff:Orientation>"), Some(5));
    }
}
