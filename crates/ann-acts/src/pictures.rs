//! Pictures: what they are once they are read, and how their files are read where loaders differ.
//!
//! A [`Picture`] is 8-bit RGB, as Pillow's `Image.open(path).convert("RGB")` gives it. [`stimuli`] lists the files,
//! [`headers`] looks at their first bytes, [`decode`] reads them (with [`jpeg`], [`gif`], [`bitmap16`] and [`netpbm`]
//! where Pillow has ways of its own), [`exif`] turns them upright, [`resample`] changes their size.

pub mod bitmap16;
pub mod decode;
pub mod exif;
pub mod gif;
pub mod headers;
pub mod jpeg;
pub mod netpbm;
pub mod resample;
pub mod stimuli;

use image::ImageError;
use image::error::UnsupportedErrorKind;
use std::fmt;
use std::ops::Range;

/// File name endings that a folder is searched for, in lower case.
pub const EXTENSIONS: [&str; 12] =
    ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "pbm", "pnm"];

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Number of rows.
    pub height: usize,
    /// Pixels per row.
    pub width: usize,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

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
    pub fn into_grey(mut self) -> Self {
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Grey16 {
    /// The high byte, as Pillow takes of 16-bit colour
    #[default]
    High,
    /// The value, clipped at 255 as Pillow does for 16-bit grey
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

/// What libjpeg said about a file that it read to the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warnings {
    /// How many.
    pub n: usize,
    /// The first that says that pixels are made up, else the first.
    pub text: String,
    /// One of them says that the data are corrupt.
    pub corrupt: bool,
}

/// What to do about a picture that cannot be decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum BadImage {
    /// Stop; nothing is written
    #[default]
    Stop,
    /// Keep its row and fill it with NaN
    Nan,
    /// Of a JPEG that libjpeg calls corrupt (not one that is cut off) keep what can be read, as Pillow does; else stop
    Keep,
}

impl BadImage {
    /// The name used on the command line and in sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Nan => "nan",
            Self::Keep => "keep",
        }
    }
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
        "damaged picture: libjpeg says {said:?} ({n} warning{}); --bad-image keep takes it all the same, as Pillow \
         does",
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

    /// .299 of red, .587 of green, .114 of blue: 76.245, 149.685, 29.07.
    #[test]
    fn grey_is_pillows() {
        let rgb = vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9];
        let picture = Picture { width: 4, height: 1, rgb };
        let grey = [76, 150, 29, 9].map(|level| [level; 3]);
        assert_eq!(picture.into_grey().rgb, grey.as_flattened());
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
