//! JPEG files, read with libjpeg's defaults, which are also Pillow's: the accurate integer transform and smooth chroma.
//!
//! libjpeg goes on where the data are damaged: it says so in a warning and makes up what is missing. Pillow hands such
//! pictures on without a word, and refuses a file that ends too early. Here every warning is kept: one that says that
//! the data are corrupt makes the picture a damaged one, unless the caller wants what Pillow gives.

use crate::pictures::{Picture, PictureError, Warnings};
use mozjpeg_sys::{jpeg_common_struct, jpeg_error_mgr, jpeg_std_error};
use std::cell::RefCell;
use std::io::{self, BufRead, Read};
use std::mem;
use std::os::raw::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

impl Warnings {
    fn add(&mut self, text: String) {
        // Others are of what a header says: an unknown revision, an unknown transform of colours.
        let corrupt = text.starts_with("Corrupt JPEG data") || text.starts_with("Inconsistent progression");
        if self.n == 0 || (corrupt && !self.corrupt) {
            self.text = text;
        }
        self.n += 1;
        self.corrupt |= corrupt;
    }
}

thread_local! {
    /// The warnings of the file that this thread reads.
    static WARNINGS: RefCell<Warnings> = RefCell::default();
}

/// The picture in `bytes`, and what libjpeg said about it.
pub fn decode(bytes: &[u8]) -> Result<(Picture, Option<Warnings>), PictureError> {
    WARNINGS.take();
    // libjpeg reports a fatal error by unwinding (without the panic hook, so nothing is printed).
    let outcome = catch_unwind(AssertUnwindSafe(|| read(bytes)));
    let warnings = Some(WARNINGS.take()).filter(|warnings| warnings.n > 0);
    let why = match outcome {
        Ok(Ok(picture)) => return Ok((picture, warnings)),
        Ok(Err(error)) => error.to_string(),
        Err(payload) => match payload.downcast::<String>() {
            // What libjpeg says when `WholeFile` has no more for it.
            Ok(message) if message.as_str() == "Input file read error" => "the file ends too early".to_string(),
            Ok(message) => message.to_lowercase(),
            Err(_) => "the JPEG decoder gave up".to_string(),
        },
    };
    // SOF3 and the like: sound files of a kind that libjpeg has no code for.
    if why.starts_with("unsupported") || why.contains("not implemented") {
        return Err(PictureError::Unsupported { what: format!("a JPEG of a kind that libjpeg does not read ({why})") });
    }
    Err(PictureError::Broken(why))
}

fn read(bytes: &[u8]) -> io::Result<Picture> {
    let decoder = mozjpeg::Decompress::with_err(error_manager()).from_reader(WholeFile { rest: bytes })?;
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
    // To the end of the file: what stands between the pixels and the end mark is libjpeg's to judge, too.
    started.finish()?;
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

/// libjpeg's standard error manager, with what it would print kept for [`decode`].
fn error_manager() -> jpeg_error_mgr {
    // SAFETY: all fields are numbers, pointers that may be null and functions that may be none; libjpeg fills them in.
    let mut manager: jpeg_error_mgr = unsafe { mem::zeroed() };
    // SAFETY: the struct is of the layout that this libjpeg was built with.
    unsafe { jpeg_std_error(&mut manager) };
    manager.error_exit = Some(fail);
    manager.emit_message = Some(keep);
    manager
}

/// What the library has to say, in its own words.
fn message(cinfo: &mut jpeg_common_struct) -> String {
    let buffer = [0u8; 80];
    // SAFETY: `err` is the manager that was handed to this decoder, which outlives it.
    let Some(format) = (unsafe { cinfo.err.as_ref() }).and_then(|manager| manager.format_message) else {
        return "unknown error".to_string();
    };
    let mut buffer = std::hint::black_box(buffer);
    // SAFETY: the function writes text that ends with 0 into a buffer of this length; its binding has the buffer as a
    // shared reference, so the type is mended first.
    unsafe {
        type Binding = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &[u8; 80]);
        type Writes = unsafe extern "C-unwind" fn(&mut jpeg_common_struct, &mut [u8; 80]);
        mem::transmute::<Binding, Writes>(format)(cinfo, &mut buffer);
    }
    String::from_utf8_lossy(buffer.split(|&byte| byte == 0).next().unwrap_or_default()).into_owned()
}

/// A fatal error.
extern "C-unwind" fn fail(cinfo: &mut jpeg_common_struct) {
    resume_unwind(Box::new(message(cinfo)));
}

/// A message: a level below 0 is a warning, others trace what is done.
extern "C-unwind" fn keep(cinfo: &mut jpeg_common_struct, level: c_int) {
    if level < 0 {
        let text = message(cinfo);
        WARNINGS.with_borrow_mut(|warnings| warnings.add(text));
    }
}

/// Pillow's CMYK to RGB: each ink takes away its share of what black leaves, in rounded 8-bit products.
pub(crate) fn cmyk_to_rgb([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
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

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: &[u8] = include_bytes!("../../../../testdata/pictures/colour-444.jpg");

    #[test]
    fn inks_take_light_away() {
        assert_eq!(cmyk_to_rgb([0, 0, 0, 0]), [255, 255, 255]);
        assert_eq!(cmyk_to_rgb([0, 128, 255, 0]), [255, 127, 0]);
        assert_eq!(cmyk_to_rgb([40, 0, 255, 255]), [0, 0, 0]);
        // Half black leaves 127; half cyan takes 127 * 128 / 255 = 63.7 of it.
        assert_eq!(cmyk_to_rgb([128, 0, 0, 128]), [63, 127, 127]);
    }

    #[test]
    fn a_picture_cut_off_anywhere_is_broken() {
        assert_eq!(decode(JPEG).unwrap().1, None);
        for n in [3, 20, JPEG.len() / 4, JPEG.len() / 2, JPEG.len() - 40] {
            assert!(matches!(decode(&JPEG[..n]), Err(PictureError::Broken(_))), "{n} of {}", JPEG.len());
        }
    }

    /// The marks of the end and of a restart in the midst of the pixels, and bytes before the end.
    #[test]
    fn warnings_are_kept_in_libjpegs_words() {
        let said = |bytes: &[u8]| decode(bytes).unwrap().1.unwrap();
        let end = JPEG.len() - 2;
        // The first few are taken for the end of the pixels.
        let stuffed = [&JPEG[..end], &[1; 40], &JPEG[end..]].concat();
        let warnings = said(&stuffed);
        assert!(warnings.text.ends_with("extraneous bytes before marker 0xd9"), "{}", warnings.text);
        assert_eq!((warnings.n, warnings.corrupt), (1, true));
        let mut early = JPEG.to_vec();
        let half = JPEG.len() / 2;
        early[half..half + 2].copy_from_slice(&[0xFF, 0xD9]);
        assert!(said(&early).text.contains("premature end of data segment"), "{:?}", said(&early));
        // The revision of JFIF, 3.1: of no consequence.
        let mut revision = JPEG.to_vec();
        revision[11] = 3;
        assert!(!said(&revision).corrupt && said(&revision).text.contains("JFIF revision"));
        assert_eq!(decode(JPEG).unwrap().1, None, "nothing is left of an earlier file");
    }
}
