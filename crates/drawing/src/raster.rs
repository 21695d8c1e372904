//! SVG to PNG, and grids of colours to pictures inside SVG.

use crate::font::{FAMILY, FONT};
use crate::style;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;
use std::io::Write;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    /// What was drawn cannot be read back: a mistake of ours.
    #[error("the SVG cannot be rendered: {0}")]
    Svg(String),
    /// So many pixels cannot be held.
    #[error("a picture of {0} x {1} pixels is too large; give a smaller --width")]
    TooLarge(u32, u32),
}

/// Renders an SVG of [`crate::draw`] as PNG with 300 dots per inch, with the embedded font and no other.
pub fn png(svg: &str) -> Result<Vec<u8>, PngError> {
    let mut options = usvg::Options { font_family: FAMILY.into(), ..usvg::Options::default() };
    options.fontdb_mut().load_font_data(FONT.to_vec());
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| PngError::Svg(error.to_string()))?;
    // The size of a tree is in pixels of 96 dots per inch.
    let scale = (style::DPI / 96.0) as f32;
    let size = tree.size();
    let [width, height] = [size.width(), size.height()].map(|v| (v * scale).ceil() as u32);
    let mut pixels = Pixmap::new(width, height).ok_or(PngError::TooLarge(width, height))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| PngError::Svg(error.to_string()))
}

/// Colours of an embedded picture: more steps than are told apart, and few enough for its size.
const STEPS: u8 = 64;

/// One pixel per share of the way along the colour map (NaN is grey), row by row, as a `data:` address: a PNG with a
/// palette, a third of the bytes of one with colours.
pub(crate) fn grid_as_data_uri(shares: &[f64], n_columns: usize) -> String {
    let size = [n_columns, shares.len() / n_columns.max(1)].map(|n| u32::try_from(n).unwrap_or(0));
    let mut header = size.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>();
    // Eight bits a pixel, by palette; no interlacing.
    header.extend([8, 3, 0, 0, 0]);
    let mut palette: Vec<u8> =
        (0..STEPS).flat_map(|k| style::continuous(f64::from(k) / f64::from(STEPS - 1))).collect();
    palette.extend([0xbd; 3]);
    let mut pixels = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    for row in shares.chunks(n_columns.max(1)) {
        // Each row says first that it is not filtered.
        let indices = row.iter().map(|share| match share.is_nan() {
            true => STEPS,
            false => (share.clamp(0.0, 1.0) * f64::from(STEPS - 1)).round() as u8,
        });
        let line: Vec<u8> = std::iter::once(0).chain(indices).collect();
        // Into memory, which takes everything.
        let _ = pixels.write_all(&line);
    }
    let png = png_file(&[(b"IHDR", header), (b"PLTE", palette), (b"IDAT", pixels.finish().unwrap_or_default())]);
    format!("data:image/png;base64,{}", base64(&png))
}

/// A PNG of these chunks, without the last one, which is empty (PNG specification, section 5).
pub(crate) fn png_file(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let end = (b"IEND", Vec::new());
    for (kind, data) in chunks.iter().chain([&end]) {
        png.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(*kind);
        crc.update(data);
        png.extend(*kind);
        png.extend(data);
        png.extend(crc.sum().to_be_bytes());
    }
    png
}

/// RFC 4648.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let all = three.iter().fold(0u32, |all, b| all << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        for k in 0..4 {
            let letter = LETTERS[(all >> (18 - 6 * k) & 63) as usize];
            out.push(if k <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn text_is_drawn_with_the_embedded_font_alone() {
        let svg = |text: &str| {
            let mut svg = crate::svg::Svg::new(20.0, 10.0, "", "");
            svg.text([2.0, 5.0], crate::svg::Text::new("start"), text);
            png(&svg.finish()).unwrap()
        };
        let (with, without) = (svg("faces β"), svg(""));
        assert!(with.starts_with(b"\x89PNG") && with != without);
        // 20 mm at 300 dots per inch.
        assert_eq!(u32::from_be_bytes(with[16..20].try_into().unwrap()), 237);
        assert_eq!(with, svg("faces β"));
    }

    #[test]
    fn a_grid_is_a_picture_that_the_renderer_reads() {
        let uri = grid_as_data_uri(&[0.0, 1.0, f64::NAN, 0.5], 2);
        assert!(uri.starts_with("data:image/png;base64,iVBORw0KGgo"), "{uri}");
        let mut svg = crate::svg::Svg::new(20.0, 20.0, "", "");
        let area = ["width", "height"].map(|key| (key, "20".to_string()));
        let look = [("href", uri), ("style", "image-rendering:pixelated".into())];
        svg.leaf("image", &[&area[..], &look].concat());
        let drawn = resvg::tiny_skia::Pixmap::decode_png(&png(&svg.finish()).unwrap()).unwrap();
        let at = |x: u32, y: u32| drawn.pixel(x, y).map(|p| [p.red(), p.green(), p.blue()]).unwrap();
        assert_eq!([at(50, 50), at(180, 50), at(50, 180)], [[68, 1, 84], [253, 231, 37], [0xbd; 3]]);
    }
}
