//! The first frame of a GIF, as Pillow shows it.
//!
//! The canvas is the screen that the file states, made larger where the frame leaves it. What the frame does not cover
//! has the transparent colour if there is one, else the first of the palette, not the background that the file names.
//! The palette is the frame's own, else that of the file, else a ramp of greys; beyond its end all is black. A palette
//! that is such a ramp itself is none to Pillow: a frame with one takes that of the file.

use crate::pictures::{Picture, PictureError};
use gif::{ColorOutput, DecodeOptions, Decoder, DecodingError};
use std::io::Read;

/// A picture and its opacity, one value a pixel, where the file has a transparent colour.
pub struct Frame {
    /// The pixels.
    pub picture: Picture,
    /// Their alpha.
    pub alpha: Option<Vec<u8>>,
}

fn broken(error: DecodingError) -> PictureError {
    PictureError::Broken(match &error {
        DecodingError::Io(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => "the file ends too early".into(),
        other => other.to_string(),
    })
}

fn open<R: Read>(reader: R) -> Result<Decoder<R>, PictureError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(gif::MemoryLimit::Unlimited);
    options.read_info(reader).map_err(broken)
}

fn no_frame() -> PictureError {
    PictureError::Broken("no picture in this GIF".into())
}

/// The canvas for a frame: width and height.
fn canvas(screen: (u16, u16), frame: &gif::Frame<'_>) -> (usize, usize) {
    let far = |screen: u16, start: u16, length: u16| usize::from(screen).max(usize::from(start) + usize::from(length));
    (far(screen.0, frame.left, frame.width), far(screen.1, frame.top, frame.height))
}

/// Reads up to the data of the first frame and gives it, its pixels still to be read.
fn first_frame<R: Read>(decoder: &mut Decoder<R>) -> Result<gif::Frame<'static>, PictureError> {
    match decoder.next_frame_info() {
        Ok(Some(frame)) => Ok(frame.clone()),
        Ok(None) => Err(no_frame()),
        // The decoder wants a palette here; a file may leave its colours to the program that shows it.
        Err(error) => match (decoder.global_palette(), decoder.current_frame_info()) {
            (None, Some(frame)) if frame.palette.is_none() && frame.width > 0 => Ok(frame.clone()),
            _ => Err(broken(error)),
        },
    }
}

/// Width and height of the picture, its pixels unread.
pub fn size(reader: impl Read) -> Result<(usize, usize), PictureError> {
    let mut decoder = open(reader)?;
    let frame = first_frame(&mut decoder)?;
    Ok(canvas((decoder.width(), decoder.height()), &frame))
}

/// Whether a palette says more than that colour `i` is grey `i`.
fn is_needed(palette: &[u8]) -> bool {
    palette.as_chunks::<3>().0.iter().enumerate().any(|(i, colour)| *colour != [i as u8; 3])
}

/// The first frame of the file in `bytes` on its canvas.
pub fn decode(bytes: &[u8]) -> Result<Frame, PictureError> {
    let mut decoder = open(bytes)?;
    let frame = first_frame(&mut decoder)?;
    let (width, height) = canvas((decoder.width(), decoder.height()), &frame);
    let palettes = [frame.palette.as_deref(), decoder.global_palette()];
    let mut colours: [[u8; 3]; 256] = std::array::from_fn(|level| [level as u8; 3]);
    if let Some(palette) = palettes.into_iter().flatten().find(|palette| is_needed(palette)) {
        colours = [[0; 3]; 256];
        for (colour, rgb) in colours.iter_mut().zip(palette.as_chunks().0) {
            *colour = *rgb;
        }
    }
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let row_length = usize::from(frame.width);
    let mut indices = vec![frame.transparent.unwrap_or(0); width * height];
    if row_length > 0 && frame.height > 0 {
        let mut data = vec![0; row_length * usize::from(frame.height)];
        decoder.read_into_buffer(&mut data).map_err(broken)?;
        for (y, row) in data.chunks_exact(row_length).enumerate() {
            indices[(top + y) * width + left..][..row_length].copy_from_slice(row);
        }
    }
    let rgb = indices.iter().flat_map(|&index| colours[usize::from(index)]).collect();
    let alpha = |clear: u8| indices.iter().map(|&index| if index == clear { 0 } else { 255 }).collect();
    Ok(Frame { picture: Picture { width, height, rgb }, alpha: frame.transparent.map(alpha) })
}
