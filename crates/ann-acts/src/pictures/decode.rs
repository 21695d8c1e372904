//! Reading picture files into 8-bit RGB, as Pillow's `Image.open(path).convert("RGB")` gives it.
//!
//! The format is told by the first bytes, never by the name. Alpha is dropped unless a background is asked for;
//! palettes are looked up; CMYK becomes RGB by Pillow's own arithmetic; colour profiles and EXIF
//! orientation are left alone. One deliberate difference: Pillow clips 16-bit *grey* at 255, which
//! turns almost every such picture white; here the high byte is kept, as Pillow itself does for
//! 16-bit colour, and [`Decoded::deep_grey`] says so.

use crate::pictures::exif::tiff_tag;
use crate::pictures::gif::Frame;
use crate::pictures::{
    Decoded, Grey16, Picture, PictureError, Reading, Warnings, bitmap16, floating_point, gif, high_byte, jpeg, netpbm,
    spread,
};
use foreign_formats::{Refusal, Wanted, is_netpbm, refused};
use image::{DynamicImage, ImageDecoder, ImageError, ImageReader};
use std::io::{BufRead, Cursor, Seek};

/// The picture in `bytes`, the contents of one file, read in the way that is asked for; its orientation is left alone.
pub fn decode(bytes: &[u8], reading: &Reading) -> Result<Decoded, PictureError> {
    check_start(bytes)?;
    let decoded = if is_jpeg(bytes) {
        let (picture, warnings) = jpeg::decode(bytes)?;
        if let Some(Warnings { n, text, corrupt: true }) = &warnings
            && !reading.keep_corrupt
        {
            return Err(PictureError::Corrupt { said: text.clone(), n: *n });
        }
        Decoded { warnings, ..picture.into() }
    } else if is_netpbm(bytes) {
        netpbm::decode(bytes, reading.grey16)?
    } else if is_gif(bytes) {
        let Frame { picture, alpha } = gif::decode(bytes)?;
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
    match refused(start, Wanted::Picture) {
        Some(Refusal::Unsupported(what, advice)) => Err(PictureError::Format { what, advice }),
        Some(Refusal::Not(what, advice)) => Err(PictureError::Foreign { what, advice }),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
        let decode = |bytes: &[u8]| decode(bytes, &Reading::default());
        let decoded = decode(b"P6 2 1 255\n\x01\x02\x03\xff\x00\x80").unwrap();
        assert_eq!(decoded.picture, Picture { width: 2, height: 1, rgb: vec![1, 2, 3, 255, 0, 128] });
        assert!(matches!(decode(b""), Err(PictureError::NoBytes)));
        for bytes in [b"path,category\n".as_slice(), b"\x93NUMPY"] {
            assert!(matches!(decode(bytes), Err(PictureError::Foreign { .. })));
        }
        assert!(matches!(decode(b"\x01\x02\x03"), Err(PictureError::Unknown { .. })));
    }
}
