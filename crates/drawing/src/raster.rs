//! SVG to PNG, and grids of colours to pictures inside SVG.

use crate::font::{FAMILY, FONT};
use crate::style;
use resvg::tiny_skia::{ColorU8, Pixmap, Transform};
use resvg::usvg;

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

/// One pixel per colour, row by row, as a `data:` address; nothing where there are no colours.
pub(crate) fn grid_as_data_uri(colours: &[[u8; 3]], n_columns: usize) -> String {
    let size = [n_columns, colours.len() / n_columns.max(1)].map(|n| u32::try_from(n).unwrap_or(0));
    let Some(mut pixels) = Pixmap::new(size[0], size[1]) else { return String::new() };
    for (pixel, [r, g, b]) in pixels.pixels_mut().iter_mut().zip(colours) {
        *pixel = ColorU8::from_rgba(*r, *g, *b, 255).premultiply();
    }
    let bytes = pixels.encode_png().unwrap_or_default();
    format!("data:image/png;base64,{}", base64(&bytes))
}

/// RFC 4648.
fn base64(bytes: &[u8]) -> String {
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
    fn a_grid_is_a_picture() {
        let uri = grid_as_data_uri(&[[255, 0, 0], [0, 0, 255]], 2);
        assert!(uri.starts_with("data:image/png;base64,iVBORw0KGgo"), "{uri}");
        assert_eq!(grid_as_data_uri(&[], 2), "");
    }
}
