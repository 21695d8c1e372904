//! What the first bytes of every picture tell before long work starts.
//!
//! Only headers are read: the format, the size, and that there is something in the file. Damage
//! behind the header shows when the picture is decoded.

use crate::pictures::decode::{check_start, decoder, is_gif, is_jpeg};
use crate::pictures::exif::{Orientation, orientation};
use crate::pictures::{PictureError, Reading, Size, bitmap16, floating_point, gif, netpbm};
use anyhow::{Context, Result, bail};
use foreign_formats::{START_BYTES, is_netpbm};
use image::{ColorType, ImageDecoder};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Pillow refuses pictures of more pixels as decompression bombs (twice its `MAX_IMAGE_PIXELS`).
const MOST_PIXELS: usize = 2 * (1024 * 1024 * 1024 / 4 / 3);

/// The orientation may stand behind the pixels, so the whole file is looked at where it matters.
pub fn stated_orientation(path: &Path, reading: &Reading) -> Result<Orientation> {
    let may_turn =
        reading.exif || path.extension().is_some_and(|e| e.to_ascii_lowercase().to_string_lossy().starts_with("tif"));
    if !may_turn {
        // A TIFF file under another name is told by its first bytes.
        let mut start = [0; 4];
        let n = File::open(path).and_then(|mut file| file.read(&mut start)).unwrap_or(0);
        if start[..n] != *b"II*\0" && start[..n] != *b"MM\0*" {
            return Ok(Orientation::UPRIGHT);
        }
    }
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    Ok(orientation(&bytes, reading.exif))
}

/// The size that a picture file states, its pixels unread.
pub fn size_of(path: &Path) -> Result<Size> {
    let mut file = BufReader::with_capacity(2048, File::open(path)?);
    let mut start = Vec::with_capacity(START_BYTES);
    file.by_ref().take(START_BYTES as u64).read_to_end(&mut start)?;
    check_start(&start)?;
    file.seek(SeekFrom::Start(0))?;
    let size = if is_jpeg(&start) {
        jpeg_size(&mut file).map_err(|error| PictureError::Broken(early_end(error)))?
    } else if is_gif(&start) {
        let (width, height) = gif::size(file)?;
        Size { height, width }
    } else if is_netpbm(&start) {
        netpbm_size(file, &start)?
    } else if let Some(header) = bitmap16::header(&start) {
        Size { height: header.height, width: header.width }
    } else {
        other_size(file, &start)?
    };
    let Size { height, width } = size;
    if height == 0 || width == 0 {
        return Err(PictureError::Empty { width, height }.into());
    }
    if height.saturating_mul(width) > MOST_PIXELS {
        bail!("{size} is {} pixels; at most {MOST_PIXELS} are read, as in Pillow", height.saturating_mul(width));
    }
    Ok(size)
}

fn early_end(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the file ends too early".to_string(),
        _ => error.to_string(),
    }
}

/// Height and width of the frame header, the segments before it skipped.
fn jpeg_size(file: &mut (impl Read + Seek)) -> io::Result<Size> {
    let damaged = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_string());
    file.seek(SeekFrom::Start(2))?;
    loop {
        let mut marker = [0; 2];
        file.read_exact(&mut marker)?;
        if marker[0] != 0xFF {
            return Err(damaged("no marker where a segment should begin"));
        }
        while marker[1] == 0xFF {
            file.read_exact(&mut marker[1..])?;
        }
        // Start of image, restart marks and TEM have no contents.
        if matches!(marker[1], 0x01 | 0xD0..=0xD8) {
            continue;
        }
        let mut length = [0; 2];
        file.read_exact(&mut length)?;
        let length = u16::from_be_bytes(length);
        match marker[1] {
            // Huffman tables, arithmetic tables and the reserved one share the range of frame headers.
            0xC0..=0xCF if !matches!(marker[1], 0xC4 | 0xC8 | 0xCC) => {
                let mut frame = [0; 5];
                file.read_exact(&mut frame)?;
                let number = |at: usize| usize::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
                return Ok(Size { height: number(1), width: number(3) });
            }
            0xD9 | 0xDA => return Err(damaged("no frame header before the pixels")),
            _ if length < 2 => return Err(damaged("a segment shorter than its own length")),
            _ => file.seek_relative(i64::from(length) - 2)?,
        }
    }
}

/// Comments can make a header long: where the start is not enough, the whole file is read.
fn netpbm_size(mut file: BufReader<File>, start: &[u8]) -> Result<Size> {
    let header = match netpbm::header(start) {
        Err(_) if start.len() == START_BYTES => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            netpbm::header(&bytes)?
        }
        header => header?,
    };
    Ok(Size { height: header.height, width: header.width })
}

fn other_size(file: BufReader<File>, start: &[u8]) -> Result<Size, PictureError> {
    let decoder = decoder(file, start)?;
    if matches!(decoder.color_type(), ColorType::Rgb32F | ColorType::Rgba32F) {
        return Err(floating_point());
    }
    let (width, height) = decoder.dimensions();
    Ok(Size { height: height as usize, width: width as usize })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::decode::decode;
    use std::path::PathBuf;

    #[test]
    fn headers_state_what_decoding_finds() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/pictures");
        let mut n = 0;
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let picture = decode(&fs::read(&path).unwrap(), &Reading::default()).unwrap().picture;
            let size = size_of(&path).unwrap();
            assert_eq!((size.height, size.width), (picture.height, picture.width), "{}", path.display());
            n += 1;
        }
        assert!(n >= 18);
    }

    #[test]
    fn a_header_cut_off_anywhere_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for (name, n_header) in [("colour-444.jpg", 167), ("grey.png", 33), ("lossy.webp", 28)] {
            let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/pictures");
            let bytes = fs::read(folder.join(name)).unwrap();
            for n in [0, 1, 3, 10, n_header - 10] {
                fs::write(&path, &bytes[..n]).unwrap();
                assert!(size_of(&path).is_err(), "{name} {n}");
            }
        }
    }
}
