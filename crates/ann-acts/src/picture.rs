//! Reading picture files into 8-bit RGB, as Pillow's `Image.open(path).convert("RGB")` gives it.
//!
//! The format is told by the first bytes, never by the name. Alpha is dropped unless a background is asked for;
//! palettes are looked up; CMYK becomes RGB by Pillow's own arithmetic; colour profiles and EXIF
//! orientation are left alone. [`crate::jpeg`], [`crate::gif_picture`], [`crate::bitmap16`] and [`crate::netpbm`] know
//! the formats in which Pillow has ways of its own. One deliberate difference: Pillow clips 16-bit *grey* at 255, which
//! turns almost every such picture white; here the high byte is kept, as Pillow itself does for
//! 16-bit colour, and [`Decoded::deep_grey`] says so.

use crate::exif::tiff_tag;
use crate::foreign::{Foreign, Wanted, foreign};
use crate::jpeg::Warnings;
use crate::{bitmap16, gif_picture, jpeg, netpbm};
use image::error::UnsupportedErrorKind;
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader};
use std::io::{BufRead, Cursor, Seek};
use std::ops::Range;

/// File name endings that a folder is searched for, in lower case.
pub const EXTENSIONS: [&str; 12] =
    ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "pbm", "pnm"];

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

    /// Grey in all three colours, as Pillow's `convert("L")` makes it of RGB.
    pub fn to_grey(mut self) -> Self {
        for pixel in self.rgb.as_chunks_mut::<3>().0 {
            let [red, green, blue] = pixel.map(u32::from);
            *pixel = [((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16) as u8; 3];
        }
        self
    }

    /// The picture laid on a colour: what is transparent shows it, as in Pillow's `paste` with the alpha as its mask.
    fn on(mut self, background: [u8; 3], alpha: impl Iterator<Item = u8>) -> Self {
        for (pixel, alpha) in self.rgb.as_chunks_mut::<3>().0.iter_mut().zip(alpha) {
            let (over, under) = (u32::from(alpha), u32::from(255 - alpha));
            for (value, below) in pixel.iter_mut().zip(background) {
                let sum = u32::from(*value) * over + u32::from(below) * under + 128;
                *value = ((sum + (sum >> 8)) >> 8) as u8;
            }
        }
        self
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
    /// Some of its pixels are not opaque.
    pub transparent: bool,
    /// What libjpeg said about it.
    pub warnings: Option<Warnings>,
}

impl From<Picture> for Decoded {
    fn from(picture: Picture) -> Self {
        Self { picture, deep_grey: false, transparent: false, warnings: None }
    }
}

impl Decoded {
    /// A picture and its alpha, laid on the background if one is asked for.
    fn with_alpha(picture: Picture, mut alpha: impl Iterator<Item = u8> + Clone, background: Option<[u8; 3]>) -> Self {
        let transparent = alpha.clone().any(|alpha| alpha < 255);
        let picture = match background {
            Some(background) if transparent => picture.on(background, &mut alpha),
            _ => picture,
        };
        Self { transparent, ..picture.into() }
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
    /// The colour behind transparent pixels; without one their own colours are taken, whatever they are.
    pub background: Option<[u8; 3]>,
    /// JPEG files whose data libjpeg reports as corrupt are taken as it leaves them.
    pub keep_corrupt: bool,
}

/// Why bytes are not a usable picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// No known format starts this way.
    #[error("not a picture that can be read (it starts {start}); JPEG, PNG, WebP, BMP, GIF, TIFF and Netpbm can")]
    Unknown {
        /// The first bytes, in hexadecimal.
        start: String,
    },
    /// Another sort of file.
    #[error("not a picture: {what}; {advice}")]
    Foreign {
        /// What it is.
        what: &'static str,
        /// What helps.
        advice: &'static str,
    },
    /// A picture in a format that is not read.
    #[error("not supported: {what}; {advice}")]
    Format {
        /// What it is.
        what: &'static str,
        /// What converts it.
        advice: &'static str,
    },
    /// The file holds nothing.
    #[error("the file is empty")]
    NoBytes,
    /// The format is known but the contents are damaged or cut off.
    #[error("damaged picture: {0}")]
    Broken(String),
    /// A JPEG that libjpeg could read with guesses alone.
    #[error(
        "damaged picture: libjpeg says {said:?} ({n} warning{}); --bad-image keep takes it all the same, as Pillow does",
        if *n == 1 { "" } else { "s" }
    )]
    Corrupt {
        /// The first warning.
        said: String,
        /// How many there are.
        n: usize,
    },
    /// The contents are sound but of a kind of this format that is not read.
    #[error("not supported: {what}; convert it to 8-bit RGB first, with ImageMagick (magick FILE FILE.png) or Pillow")]
    Unsupported {
        /// What kind.
        what: String,
    },
    /// A picture without pixels.
    #[error("a picture of {width}x{height} pixels holds nothing")]
    Empty {
        /// Pixels per row.
        width: usize,
        /// Number of rows.
        height: usize,
    },
}

impl From<ImageError> for PictureError {
    fn from(error: ImageError) -> Self {
        let text = error.to_string().lines().next().unwrap_or("unreadable").to_string();
        match error {
            ImageError::Unsupported(error) => {
                let feature = match error.kind() {
                    UnsupportedErrorKind::GenericFeature(feature) => feature.clone(),
                    _ => text,
                };
                Self::Unsupported { what: format!("{} of this kind ({feature})", error.format_hint()) }
            }
            ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Self::Broken("the file ends too early".into())
            }
            _ => Self::Broken(text),
        }
    }
}

/// The picture in `bytes`, the contents of one file, as it is stored.
pub fn decode(bytes: &[u8]) -> Result<Decoded, PictureError> {
    decode_with(bytes, &Reading::default())
}

/// [`decode`] in the way that is asked for, the orientation left alone.
pub fn decode_with(bytes: &[u8], reading: &Reading) -> Result<Decoded, PictureError> {
    check_start(bytes)?;
    let decoded = if is_jpeg(bytes) {
        let (picture, warnings) = jpeg::decode(bytes)?;
        if let Some(Warnings { n, text, corrupt: true }) = &warnings
            && !reading.keep_corrupt
        {
            return Err(PictureError::Corrupt { said: text.clone(), n: *n });
        }
        Decoded { warnings, ..picture.into() }
    } else if netpbm::is(bytes) {
        netpbm::decode(bytes, reading.grey16)?
    } else if is_gif(bytes) {
        let gif_picture::Frame { picture, alpha } = gif_picture::decode(bytes)?;
        match alpha {
            Some(alpha) => Decoded::with_alpha(picture, alpha.into_iter(), reading.background),
            None => picture.into(),
        }
    } else if let Some(header) = bitmap16::header(bytes) {
        bitmap16::decode(bytes, header)?.into()
    } else {
        decode_other(bytes, reading)?
    };
    let Picture { width, height, .. } = decoded.picture;
    if width == 0 || height == 0 {
        return Err(PictureError::Empty { width, height });
    }
    Ok(decoded)
}

pub(crate) fn is_jpeg(start: &[u8]) -> bool {
    start.starts_with(&[0xFF, 0xD8, 0xFF])
}

pub(crate) fn is_gif(start: &[u8]) -> bool {
    start.starts_with(b"GIF87a") || start.starts_with(b"GIF89a")
}

/// An error for a file that by its first bytes is no picture, or none of the formats that are read.
pub(crate) fn check_start(start: &[u8]) -> Result<(), PictureError> {
    if start.is_empty() {
        return Err(PictureError::NoBytes);
    }
    match foreign(start, Wanted::Picture) {
        Some(Foreign { what, advice, unsupported: true }) => Err(PictureError::Format { what, advice }),
        Some(Foreign { what, advice, unsupported: false }) => Err(PictureError::Foreign { what, advice }),
        None => Ok(()),
    }
}

/// The decoder of the format that the first bytes tell, its header read.
pub(crate) fn decoder<'a, R: BufRead + Seek + 'a>(
    reader: R,
    start: &[u8],
) -> Result<impl ImageDecoder + use<'a, R>, PictureError> {
    let reader = ImageReader::new(reader).with_guessed_format().map_err(ImageError::IoError)?;
    if reader.format().is_none() {
        let start: Vec<String> = start.iter().take(8).map(|b| format!("{b:02x}")).collect();
        return Err(PictureError::Unknown { start: start.join(" ") });
    }
    Ok(reader.into_decoder()?)
}

/// What a TIFF says of its pixels that the decoder goes its own ways with.
enum TiffKind {
    /// Four inks.
    Cmyk,
    /// Colours that were multiplied with the alpha.
    Multiplied,
    /// Anything else.
    Other,
}

/// The kind of the TIFF in `bytes`; what cannot be read as Pillow reads it is an error.
fn tiff_kind(bytes: &[u8]) -> Result<TiffKind, PictureError> {
    const COMPRESSION: usize = 259;
    const PHOTOMETRIC: usize = 262;
    const EXTRA_SAMPLES: usize = 338;
    let tag = |tag: usize| tiff_tag(bytes, tag);
    if matches!(tag(COMPRESSION), Some(6 | 7)) {
        // The decoder has JPEG code of its own, whose pixels are not libjpeg's.
        return Err(PictureError::Unsupported { what: "a TIFF whose pixels are JPEG".into() });
    }
    Ok(match (tag(PHOTOMETRIC), tag(EXTRA_SAMPLES)) {
        (Some(5), None) => TiffKind::Cmyk,
        (_, Some(1)) => TiffKind::Multiplied,
        _ => TiffKind::Other,
    })
}

/// A pixel whose colours had been multiplied with its alpha, as Pillow divides them: cut to whole levels.
fn divided([red, green, blue, alpha]: [u8; 4]) -> [u8; 4] {
    let level = |value: u8| match alpha {
        0 => 0,
        alpha => (u32::from(value) * 255 / u32::from(alpha)).min(255) as u8,
    };
    [level(red), level(green), level(blue), alpha]
}

/// A CMYK TIFF by Pillow's arithmetic.
fn decode_cmyk_tiff(bytes: &[u8]) -> Result<Picture, PictureError> {
    let damaged = |error: tiff::TiffError| match error {
        tiff::TiffError::UnsupportedError(error) => PictureError::Unsupported { what: format!("a TIFF ({error})") },
        error => PictureError::Broken(error.to_string()),
    };
    let mut decoder = tiff::decoder::Decoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = decoder.dimensions().map_err(damaged)?;
    let tiff::ColorType::CMYK(8) = decoder.colortype().map_err(damaged)? else {
        return Err(PictureError::Unsupported { what: "a CMYK TIFF of other than 8 bits an ink".into() });
    };
    let tiff::decoder::DecodingResult::U8(inks) = decoder.read_image().map_err(damaged)? else {
        return Err(PictureError::Unsupported { what: "a CMYK TIFF of other than 8 bits an ink".into() });
    };
    let rgb = inks.as_chunks::<4>().0.iter().flat_map(|&inks| jpeg::cmyk_to_rgb(inks)).collect();
    Ok(Picture { width: width as usize, height: height as usize, rgb })
}

fn decode_other(bytes: &[u8], reading: &Reading) -> Result<Decoded, PictureError> {
    let is_tiff = bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*");
    let kind = if is_tiff { tiff_kind(bytes)? } else { TiffKind::Other };
    if let TiffKind::Cmyk = kind {
        return Ok(decode_cmyk_tiff(bytes)?.into());
    }
    let decoder = decoder(Cursor::new(bytes), bytes)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let mut image = DynamicImage::from_decoder(decoder)?;
    if let TiffKind::Multiplied = kind {
        match &mut image {
            DynamicImage::ImageRgba8(rgba) => rgba.pixels_mut().for_each(|pixel| pixel.0 = divided(pixel.0)),
            _ => {
                return Err(PictureError::Unsupported {
                    what: "a TIFF whose colours were multiplied with the alpha".into(),
                });
            }
        }
    }
    let background = reading.background;
    let opaque = |rgb: Vec<u8>| Decoded::from(Picture { width, height, rgb });
    Ok(match image {
        DynamicImage::ImageLuma8(grey) => opaque(spread(grey.into_raw().into_iter())),
        DynamicImage::ImageLumaA8(grey) => {
            let pixels = grey.as_raw().as_chunks::<2>().0;
            let rgb = spread(pixels.iter().map(|pixel| pixel[0]));
            Decoded::with_alpha(Picture { width, height, rgb }, pixels.iter().map(|pixel| pixel[1]), background)
        }
        DynamicImage::ImageRgb8(rgb) => opaque(rgb.into_raw()),
        DynamicImage::ImageRgba8(rgba) => {
            let pixels = rgba.as_raw().as_chunks::<4>().0;
            let rgb = pixels.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]).collect();
            Decoded::with_alpha(Picture { width, height, rgb }, pixels.iter().map(|pixel| pixel[3]), background)
        }
        DynamicImage::ImageLuma16(grey) => {
            let level = match reading.grey16 {
                Grey16::High => high_byte,
                Grey16::Clip => |value: u16| value.min(255) as u8,
            };
            Decoded { deep_grey: true, ..opaque(spread(grey.into_raw().into_iter().map(level))) }
        }
        DynamicImage::ImageLumaA16(grey) => {
            let pixels = grey.as_raw().as_chunks::<2>().0;
            let rgb = spread(pixels.iter().map(|pixel| high_byte(pixel[0])));
            let alpha = pixels.iter().map(|pixel| high_byte(pixel[1]));
            Decoded::with_alpha(Picture { width, height, rgb }, alpha, background)
        }
        DynamicImage::ImageRgb16(rgb) => opaque(rgb.into_raw().into_iter().map(high_byte).collect()),
        DynamicImage::ImageRgba16(rgba) => {
            let pixels = rgba.as_raw().as_chunks::<4>().0;
            let rgb = pixels.iter().flat_map(|&[red, green, blue, _]| [red, green, blue].map(high_byte)).collect();
            let alpha = pixels.iter().map(|pixel| high_byte(pixel[3]));
            Decoded::with_alpha(Picture { width, height, rgb }, alpha, background)
        }
        _ => return Err(floating_point()),
    })
}

pub(crate) fn floating_point() -> PictureError {
    PictureError::Unsupported { what: "a picture of floating-point numbers".into() }
}

pub(crate) fn high_byte(value: u16) -> u8 {
    (value >> 8) as u8
}

pub(crate) fn spread(grey: impl Iterator<Item = u8>) -> Vec<u8> {
    grey.flat_map(|value| [value; 3]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
        let decoded = decode(b"P6 2 1 255\n\x01\x02\x03\xff\x00\x80").unwrap();
        assert_eq!(decoded.picture, Picture { width: 2, height: 1, rgb: vec![1, 2, 3, 255, 0, 128] });
        assert!(matches!(decode(b""), Err(PictureError::NoBytes)));
        for bytes in [b"path,category\n".as_slice(), b"\x93NUMPY"] {
            assert!(matches!(decode(bytes), Err(PictureError::Foreign { .. })));
        }
        assert!(matches!(decode(b"\x01\x02\x03"), Err(PictureError::Unknown { .. })));
    }

    /// .299 of red, .587 of green, .114 of blue: 76.245, 149.685, 29.07.
    #[test]
    fn grey_is_pillows() {
        let rgb = vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9];
        let picture = Picture { width: 4, height: 1, rgb };
        let grey = [76, 150, 29, 9].map(|level| [level; 3]);
        assert_eq!(picture.to_grey().rgb, grey.as_flattened());
    }

    /// Half of 200 on 100: 128 / 255 of 200 and 127 / 255 of 100 are 150.2.
    #[test]
    fn what_is_transparent_shows_the_background() {
        let picture = Picture { width: 3, height: 1, rgb: vec![200; 9] };
        let laid = picture.on([100, 0, 255], [0, 128, 255].into_iter());
        assert_eq!(laid.rgb, [100, 0, 255, 150, 100, 227, 200, 200, 200]);
    }

    #[test]
    fn a_window_is_the_part_of_the_rows() {
        let picture = Picture { width: 3, height: 2, rgb: (0..18).collect() };
        assert_eq!(picture.window(1..3, 1..2), Picture { width: 2, height: 1, rgb: vec![12, 13, 14, 15, 16, 17] });
    }
}
