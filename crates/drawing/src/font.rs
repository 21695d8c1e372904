//! Widths of text, from the tables of the embedded font.

use std::collections::HashMap;
use std::sync::OnceLock;

/// DejaVu Sans, cut down to the letters and signs of figures (`scripts/subset-font.py`; licence beside it).
pub(crate) const FONT: &[u8] = include_bytes!("../font/DejaVuSans-subset.ttf");
/// Its name, as it stands in the file.
pub(crate) const FAMILY: &str = "DejaVu Sans";

/// What a letter that the font lacks is taken to be wide, in ems: one of another script, as wide as high.
const OTHER: f64 = 1.0;

/// Width of every letter of the font, in ems.
fn widths() -> &'static HashMap<char, f64> {
    static WIDTHS: OnceLock<HashMap<char, f64>> = OnceLock::new();
    WIDTHS.get_or_init(|| parse(FONT).unwrap_or_default())
}

/// Width of one line of text in letters of this size, in the unit of the size.
pub fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| widths().get(&c).copied().unwrap_or(OTHER)).sum::<f64>() * size
}

/// Letters of a text that the embedded font lacks: a PNG shows boxes for them, an SVG what the viewer's fonts have.
pub fn missing_glyphs(text: &str) -> Vec<char> {
    text.chars().filter(|c| !c.is_control() && !widths().contains_key(c)).collect()
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
}

/// Reads `head`, `hhea`, `hmtx` and the 16-bit table of `cmap` (format 4) of a TrueType file, as the OpenType
/// specification has them.
fn parse(font: &[u8]) -> Option<HashMap<char, f64>> {
    let table = |tag: &[u8; 4]| -> Option<&[u8]> {
        let n = usize::from(u16_at(font, 4)?);
        let entry = (0..n).map(|k| 12 + 16 * k).find(|&at| font.get(at..at + 4) == Some(tag))?;
        let (from, length) = (u32_at(font, entry + 8)?, u32_at(font, entry + 12)?);
        font.get(from..from + length)
    };
    let em = f64::from(u16_at(table(b"head")?, 18)?);
    let n_widths = usize::from(u16_at(table(b"hhea")?, 34)?);
    let (hmtx, cmap) = (table(b"hmtx")?, table(b"cmap")?);
    let width = |glyph: usize| Some(f64::from(u16_at(hmtx, 4 * glyph.min(n_widths - 1))?) / em);

    let n_tables = usize::from(u16_at(cmap, 2)?);
    let of_format_4 = (0..n_tables).filter_map(|k| u32_at(cmap, 8 + 8 * k)).find(|&at| u16_at(cmap, at) == Some(4))?;
    let map = cmap.get(of_format_4..)?;
    let twice_segments = usize::from(u16_at(map, 6)?);
    let mut widths = HashMap::new();
    for segment in (0..twice_segments).step_by(2) {
        let last = u16_at(map, 14 + segment)?;
        let first = u16_at(map, 16 + twice_segments + segment)?;
        let delta = u16_at(map, 16 + 2 * twice_segments + segment)?;
        let place = 16 + 3 * twice_segments + segment;
        let offset = usize::from(u16_at(map, place)?);
        for code in first..=last {
            let glyph = match offset {
                0 => code.wrapping_add(delta),
                _ => match u16_at(map, place + offset + 2 * usize::from(code - first)) {
                    Some(glyph) if glyph != 0 => glyph.wrapping_add(delta),
                    _ => 0,
                },
            };
            if let (Some(c), true) = (char::from_u32(code.into()), glyph != 0) {
                widths.insert(c, width(glyph.into())?);
            }
        }
    }
    Some(widths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_font() {
        // From fontTools: advance widths over 2048 units of an em.
        for (c, units) in [('i', 569.0), ('m', 1995.0), ('0', 1303.0), ('−', 1716.0), ('β', 1307.0), ('ß', 1290.0)]
        {
            assert_eq!(text_width(&c.to_string(), 2048.0), units, "{c}");
        }
        assert_eq!(text_width("im", 2.0), text_width("i", 2.0) + text_width("m", 2.0));
        assert_eq!(missing_glyphs("r (β) ≥ 0, Ж, 顔"), ['顔']);
    }
}
