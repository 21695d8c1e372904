//! Reading picture files into 8-bit RGB, as Pillow's `Image.open(path).convert("RGB")` gives it.
//!
//! The format is told by the first bytes, never by the name. Alpha is dropped, not composited;
//! palettes are looked up; CMYK becomes RGB by Pillow's own arithmetic; colour profiles and EXIF
//! orientation are left alone. One deliberate difference: Pillow clips 16-bit *grey* at 255, which
//! turns almost every such picture white; here the high byte is kept, as Pillow itself does for
//! 16-bit colour, and [`Decoded::deep_grey`] says so.

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader};
use std::io::{self, BufRead, Cursor, Read};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// File name endings that a folder is searched for, in lower case.
pub const EXTENSIONS: [&str; 9] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm"];

/// An 8-bit RGB picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels per row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
    /// `height * width * 3` values: row by row, in each pixel red, green, blue.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// Row `y`, `width * 3` values.
    pub fn row(&self, y: usize) -> &[u8] {
        &self.rgb[y * self.width * 3..(y + 1) * self.width * 3]
    }

    /// The part of the picture in `columns` and `rows`.
    pub fn window(&self, columns: Range<usize>, rows: Range<usize>) -> Self {
        let mut rgb = Vec::with_capacity(columns.len() * rows.len() * 3);
        for y in rows.clone() {
            rgb.extend_from_slice(&self.row(y)[columns.start * 3..columns.end * 3]);
        }
        Self { width: columns.len(), height: rows.len(), rgb }
    }
}

/// A picture and what was done to it that a reader of its numbers may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The pixels.
    pub picture: Picture,
    /// The file held 16-bit grey, of which 8 bits were kept as [`Grey16`] says.
    pub deep_grey: bool,
}

impl From<Picture> for Decoded {
    fn from(picture: Picture) -> Self {
        Self { picture, deep_grey: false }
    }
}

/// What is taken of 16-bit grey.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Grey16 {
    /// The high byte, as Pillow does for 16-bit colour.
    #[default]
    High,
    /// The value, clipped at 255, as Pillow does for 16-bit grey.
    Clip,
}

impl Grey16 {
    /// The name used on the command line and in sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Clip => "clip",
        }
    }
}

/// How files become pixels where loaders differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Pictures are turned by their EXIF orientation.
    pub exif: bool,
    /// What is taken of 16-bit grey.
    pub grey16: Grey16,
}

/// Why bytes are not a usable picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// No known format starts this way.
    #[error("not a picture that can be read (it starts {start}); JPEG, PNG, WebP, BMP, GIF, TIFF and PPM can")]
    Unknown {
        /// The first bytes, in hexadecimal.
        start: String,
    },
    /// The format is known but the contents are damaged or cut off.
    #[error("broken picture: {0}")]
    Broken(String),
    /// The contents are sound but of a kind that has no agreed 8-bit form.
    #[error("{0} is not an 8- or 16-bit picture; convert it first")]
    Depth(&'static str),
    /// A picture without pixels.
    #[error("a picture of {width}x{height} pixels holds nothing")]
    Empty {
        /// Pixels per row.
        width: usize,
        /// Number of rows.
        height: usize,
    },
}

/// The picture in `bytes`, the contents of one file, as it is stored.
pub fn decode(bytes: &[u8]) -> Result<Decoded, PictureError> {
    decode_with(bytes, Grey16::High)
}

/// [`decode`] with a choice of what is taken of 16-bit grey.
pub fn decode_with(bytes: &[u8], grey16: Grey16) -> Result<Decoded, PictureError> {
    let decoded =
        if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) { decode_jpeg(bytes)?.into() } else { decode_other(bytes, grey16)? };
    let Picture { width, height, .. } = decoded.picture;
    if width == 0 || height == 0 {
        return Err(PictureError::Empty { width, height });
    }
    Ok(decoded)
}

/// Decodes with libjpeg's accurate integer transform and smooth chroma upsampling, its defaults,
/// which are also Pillow's.
fn decode_jpeg(bytes: &[u8]) -> Result<Picture, PictureError> {
    // libjpeg reports a damaged file by unwinding (without the panic hook, so nothing is printed).
    let outcome = catch_unwind(AssertUnwindSafe(|| read_jpeg(bytes)));
    match outcome {
        Ok(Ok(picture)) => Ok(picture),
        Ok(Err(error)) => Err(PictureError::Broken(error.to_string())),
        Err(payload) => Err(PictureError::Broken(match payload.downcast::<String>() {
            Ok(message) => match message.trim_start_matches("libjpeg fatal error: ") {
                // What libjpeg says when `WholeFile` has no more for it.
                "Input file read error" => "the file ends too early".to_string(),
                other => other.to_lowercase(),
            },
            Err(_) => "the JPEG decoder gave up".to_string(),
        })),
    }
}

fn read_jpeg(bytes: &[u8]) -> io::Result<Picture> {
    let decoder = mozjpeg::Decompress::new_reader(WholeFile { rest: bytes })?;
    let n_components = decoder.components().len();
    let mut started = match n_components {
        1 => decoder.grayscale()?,
        3 => decoder.rgb()?,
        4 => decoder.to_colorspace(mozjpeg::ColorSpace::JCS_CMYK)?,
        n => {
            let message = format!("{n} colour components, expected 1, 3 or 4");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
    };
    let (width, height) = (started.width(), started.height());
    let samples: Vec<u8> = started.read_scanlines()?;
    let rgb = match n_components {
        1 => samples.iter().flat_map(|&grey| [grey; 3]).collect(),
        3 => samples,
        // JPEG stores CMYK inverted (Adobe's habit, which Pillow assumes for every such file).
        _ => samples
            .chunks_exact(4)
            .flat_map(|cmyk| cmyk_to_rgb([255 - cmyk[0], 255 - cmyk[1], 255 - cmyk[2], 255 - cmyk[3]]))
            .collect(),
    };
    Ok(Picture { width, height, rgb })
}

/// Pillow's CMYK to RGB: each ink takes away its share of what black leaves, in rounded 8-bit products.
fn cmyk_to_rgb([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    let light = u32::from(255 - black);
    [cyan, magenta, yellow].map(|ink| {
        let product = u32::from(ink) * light + 128;
        (light - ((product + (product >> 8)) >> 8)) as u8
    })
}

/// The bytes of a JPEG file as a reader whose end is an error.
///
/// libjpeg fills the missing part of a cut-off file with grey and succeeds; a stimulus that was
/// half downloaded must stop the run instead.
struct WholeFile<'a> {
    rest: &'a [u8],
}

impl Read for WholeFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.rest.read(buffer)
    }
}

impl BufRead for WholeFile<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.rest.is_empty() {
            return Err(io::Error::other("the file ends too early"));
        }
        Ok(self.rest)
    }

    fn consume(&mut self, n: usize) {
        self.rest = &self.rest[n.min(self.rest.len())..];
    }
}

/// The error for bytes that begin like no known format.
pub(crate) fn unknown(bytes: &[u8]) -> PictureError {
    let start: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
    PictureError::Unknown { start: if start.is_empty() { "and ends at once".into() } else { start.join(" ") } }
}

fn decode_other(bytes: &[u8], grey16: Grey16) -> Result<Decoded, PictureError> {
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| PictureError::Broken(error.to_string()))?;
    if reader.format().is_none() {
        return Err(unknown(bytes));
    }
    let broken = |error: ImageError| PictureError::Broken(first_line(&error.to_string()));
    let decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let image = DynamicImage::from_decoder(decoder).map_err(broken)?;
    let mut deep_grey = false;
    let rgb = match image {
        DynamicImage::ImageLuma8(grey) => spread(grey.into_raw().into_iter()),
        DynamicImage::ImageLumaA8(grey) => spread(grey.into_raw().into_iter().step_by(2)),
        DynamicImage::ImageRgb8(rgb) => rgb.into_raw(),
        DynamicImage::ImageRgba8(rgba) => without_alpha(rgba.as_raw(), |v| v),
        DynamicImage::ImageLuma16(grey) => {
            deep_grey = true;
            spread(grey.into_raw().into_iter().map(match grey16 {
                Grey16::High => high_byte,
                Grey16::Clip => |value: u16| value.min(255) as u8,
            }))
        }
        DynamicImage::ImageLumaA16(grey) => spread(grey.into_raw().into_iter().step_by(2).map(high_byte)),
        DynamicImage::ImageRgb16(rgb) => rgb.into_raw().into_iter().map(high_byte).collect(),
        DynamicImage::ImageRgba16(rgba) => without_alpha(rgba.as_raw(), high_byte),
        _ => return Err(PictureError::Depth("a picture of floating-point numbers")),
    };
    Ok(Decoded { picture: Picture { width, height, rgb }, deep_grey })
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("unreadable").to_string()
}

fn high_byte(value: u16) -> u8 {
    (value >> 8) as u8
}

fn spread(grey: impl Iterator<Item = u8>) -> Vec<u8> {
    grey.flat_map(|value| [value; 3]).collect()
}

fn without_alpha<T: Copy>(rgba: &[T], to_byte: impl Fn(T) -> u8) -> Vec<u8> {
    rgba.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).map(to_byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: &[u8] = include_bytes!("../../../testdata/pictures/colour-444.jpg");

    #[test]
    fn inks_take_light_away() {
        assert_eq!(cmyk_to_rgb([0, 0, 0, 0]), [255, 255, 255]);
        assert_eq!(cmyk_to_rgb([0, 128, 255, 0]), [255, 127, 0]);
        assert_eq!(cmyk_to_rgb([40, 0, 255, 255]), [0, 0, 0]);
        // Half black leaves 127; half cyan takes 127 * 128 / 255 = 63.7 of it.
        assert_eq!(cmyk_to_rgb([128, 0, 0, 128]), [63, 127, 127]);
    }

    #[test]
    fn the_first_bytes_tell_the_format() {
        let decoded = decode(b"P6 2 1 255\n\x01\x02\x03\xff\x00\x80").unwrap();
        assert_eq!(decoded.picture, Picture { width: 2, height: 1, rgb: vec![1, 2, 3, 255, 0, 128] });
        for bytes in [b"".as_slice(), b"path,category\n", b"\x93NUMPY"] {
            assert!(matches!(decode(bytes), Err(PictureError::Unknown { .. })));
        }
    }

    #[test]
    fn a_picture_cut_off_anywhere_is_broken() {
        assert!(decode(JPEG).is_ok());
        for n in [3, 20, JPEG.len() / 4, JPEG.len() / 2, JPEG.len() - 40] {
            assert!(matches!(decode(&JPEG[..n]), Err(PictureError::Broken(_))), "{n} of {}", JPEG.len());
        }
    }

    #[test]
    fn a_window_is_the_part_of_the_rows() {
        let picture = Picture { width: 3, height: 2, rgb: (0..18).collect() };
        assert_eq!(picture.window(1..3, 1..2), Picture { width: 2, height: 1, rgb: vec![12, 13, 14, 15, 16, 17] });
    }
}
