//! Pictures of pixels inside an SVG.

use crate::raster::{base64, png_file};
use std::collections::HashMap;
use std::io::Write;

/// Pixels, row by row from the upper left: red, green, blue and opacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels of a row.
    pub n_columns: usize,
    /// `n_columns` times the number of rows of them.
    pub pixels: Vec<[u8; 4]>,
}

impl Picture {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.pixels.len() / self.n_columns.max(1)
    }

    /// As PNG in a `data:` address: with a palette where there are at most 256 colours, else with 8 bits a channel.
    /// `quick`: for a picture that is unpacked at once, and may be large until then.
    pub fn data_uri(&self, quick: bool) -> String {
        format!("data:image/png;base64,{}", base64(&self.png(if quick { 1 } else { PACKED })))
    }

    fn png(&self, level: u32) -> Vec<u8> {
        let size = [self.n_columns, self.n_rows()].map(|n| u32::try_from(n).unwrap_or(0));
        let header = |kind: u8| size.iter().flat_map(|n| n.to_be_bytes()).chain([8, kind, 0, 0, 0]).collect();
        match self.palette() {
            Some((palette, places)) => {
                let indices: Vec<u8> = self.pixels.iter().map(|pixel| places[pixel]).collect();
                let colours = palette.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
                let opacities = palette.iter().map(|pixel| pixel[3]).collect();
                let rows = indices.chunks(self.n_columns.max(1)).flat_map(|row| [&[0], row].concat()).collect();
                png_file(&[
                    (b"IHDR", header(3)),
                    (b"PLTE", colours),
                    (b"tRNS", opacities),
                    (b"IDAT", packed(rows, level)),
                ])
            }
            None => png_file(&[(b"IHDR", header(6)), (b"IDAT", packed(self.filtered(), level))]),
        }
    }

    /// The colours in the order in which they occur, and the place of each; `None` where they are too many.
    #[allow(clippy::type_complexity)] // a pair that one caller takes apart
    fn palette(&self) -> Option<(Vec<[u8; 4]>, HashMap<[u8; 4], u8>)> {
        let (mut palette, mut places) = (Vec::new(), HashMap::new());
        let mut last = None;
        for pixel in &self.pixels {
            if last == Some(pixel) || places.contains_key(pixel) {
                last = Some(pixel);
                continue;
            }
            places.insert(*pixel, u8::try_from(palette.len()).ok()?);
            palette.push(*pixel);
            last = Some(pixel);
        }
        Some((palette, places))
    }

    /// Rows as differences from the pixel at the left or above, whichever leaves less (PNG specification, section 9).
    fn filtered(&self) -> Vec<u8> {
        let n = 4 * self.n_columns;
        let (mut out, mut above) = (Vec::with_capacity(self.pixels.len() * 4 + self.n_rows()), vec![0u8; n]);
        for row in self.pixels.chunks(self.n_columns.max(1)) {
            let bytes: Vec<u8> = row.iter().flatten().copied().collect();
            let left: Vec<u8> = (0..n).map(|k| bytes[k].wrapping_sub(if k < 4 { 0 } else { bytes[k - 4] })).collect();
            let up: Vec<u8> = (0..n).map(|k| bytes[k].wrapping_sub(above[k])).collect();
            let weight = |row: &[u8]| row.iter().map(|b| u64::from(b.cast_signed().unsigned_abs())).sum::<u64>();
            let (kind, best) = if weight(&left) <= weight(&up) { (1, left) } else { (2, up) };
            out.push(kind);
            out.extend(best);
            above = bytes;
        }
        out
    }
}

/// How much is done to make pictures small, of 9: more takes twice the time, for a hundredth of the bytes.
const PACKED: u32 = 6;

fn packed(rows: Vec<u8>, level: u32) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(level));
    // Into memory, which takes everything.
    let _ = out.write_all(&rows);
    out.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use resvg::tiny_skia::Pixmap;

    #[test]
    fn few_and_many_colours_are_read_back_as_they_are() {
        for n in [3usize, 5000] {
            let colour = |k: usize| [(k % n % 251) as u8, (k % n / 251) as u8, 7, 255];
            let pixels: Vec<[u8; 4]> = (0..90 * 60).map(colour).collect();
            let picture = Picture { n_columns: 90, pixels: pixels.clone() };
            let read = Pixmap::decode_png(&picture.png(PACKED)).unwrap();
            assert_eq!((read.width(), read.height()), (90, 60));
            let found: Vec<[u8; 4]> = read.pixels().iter().map(|p| [p.red(), p.green(), p.blue(), p.alpha()]).collect();
            assert_eq!(found, pixels, "{n}");
        }
        let clear = Picture { n_columns: 2, pixels: vec![[9, 9, 9, 0], [9, 9, 9, 255]] };
        let read = Pixmap::decode_png(&clear.png(1)).unwrap();
        assert_eq!([read.pixels()[0].alpha(), read.pixels()[1].alpha()], [0, 255]);
    }
}
