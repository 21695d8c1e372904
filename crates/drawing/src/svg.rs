//! Writing SVG: one function that escapes, one that spells numbers.

use crate::font::FAMILY;
use crate::style;
use std::fmt::Write;

/// Text as it may stand in SVG, between tags and in attributes; characters that XML 1.0 has no place for become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A value of the data with six significant digits.
pub fn value(v: f64) -> String {
    if !v.is_finite() {
        return if v.is_nan() {
            "NaN".into()
        } else if v > 0.0 {
            "inf".into()
        } else {
            "-inf".into()
        };
    }
    // Through the shortest decimal of the rounded number, which no power of ten can spoil.
    let rounded: f64 = format!("{v:.5e}").parse().unwrap_or(v);
    let magnitude = rounded.abs();
    if magnitude != 0.0 && !(1e-5..1e15).contains(&magnitude) { format!("{rounded:e}") } else { format!("{rounded}") }
}

/// A length in millimetres, to a thousandth.
pub(crate) fn mm(v: f64) -> String {
    let rounded = (v * 1000.0).round() / 1000.0;
    if rounded == 0.0 { "0".into() } else { format!("{rounded}") }
}

/// An SVG that is being written.
pub(crate) struct Svg {
    out: String,
}

/// Attributes of one element.
pub(crate) type Attributes<'a> = &'a [(&'static str, String)];

/// How a line of text stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    /// `start`, `middle` or `end`.
    pub(crate) anchor: &'static str,
    pub(crate) size: f64,
    pub(crate) colour: &'static str,
    /// Degrees, clockwise, around its anchor.
    pub(crate) turn: f64,
    pub(crate) bold: bool,
}

impl Text {
    pub(crate) fn new(anchor: &'static str) -> Text {
        Text { anchor, size: style::TEXT, colour: style::INK, turn: 0.0, bold: false }
    }
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64, title: &str, description: &str) -> Svg {
        let mut svg = Svg { out: String::new() };
        let _ = writeln!(
            svg.out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}mm\" height=\"{h}mm\" viewBox=\"0 0 {w} {h}\" role=\"img\" \
             font-family=\"{FAMILY}, Verdana, sans-serif\" font-size=\"{}\" fill=\"{}\">\n<title>{}</title>\n<desc>{}</desc>\n\
             <rect width=\"{w}\" height=\"{h}\" fill=\"{}\"/>",
            style::TEXT,
            style::INK,
            escape(title),
            escape(description),
            style::PAPER,
            w = mm(width),
            h = mm(height),
        );
        svg
    }

    fn tag(&mut self, name: &str, attributes: Attributes) {
        let _ = write!(self.out, "<{name}");
        for (key, text) in attributes {
            let _ = write!(self.out, " {key}=\"{}\"", escape(text));
        }
    }

    pub(crate) fn open(&mut self, name: &str, attributes: Attributes) {
        self.tag(name, attributes);
        self.out.push_str(">\n");
    }

    pub(crate) fn close(&mut self, name: &str) {
        let _ = writeln!(self.out, "</{name}>");
    }

    pub(crate) fn leaf(&mut self, name: &str, attributes: Attributes) {
        self.tag(name, attributes);
        self.out.push_str("/>\n");
    }

    pub(crate) fn line(&mut self, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2], colour: &str, width: f64) {
        let ends = [("x1", mm(x1)), ("y1", mm(y1)), ("x2", mm(x2)), ("y2", mm(y2))];
        let look = [("stroke", colour.to_string()), ("stroke-width", mm(width))];
        self.leaf("line", &[&ends[..], &look].concat());
    }

    /// One line of text whose baseline begins, or ends, or has its middle, at a place.
    pub(crate) fn text(&mut self, [x, y]: [f64; 2], how: Text, text: &str) {
        let mut attributes = vec![("x", mm(x)), ("y", mm(y)), ("text-anchor", how.anchor.into())];
        if how.size != style::TEXT {
            attributes.push(("font-size", mm(how.size)));
        }
        if how.colour != style::INK {
            attributes.push(("fill", how.colour.into()));
        }
        if how.turn != 0.0 {
            attributes.push(("transform", format!("rotate({} {} {})", how.turn, mm(x), mm(y))));
        }
        if how.bold {
            // The font has one weight: its outline is drawn a little wider, in print and PNG alike.
            attributes.push(("stroke", how.colour.into()));
            attributes.push(("stroke-width", mm(how.size * 0.03)));
        }
        self.tag("text", &attributes);
        let _ = writeln!(self.out, ">{}</text>", escape(text));
    }

    pub(crate) fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_can_leave_its_place() {
        assert_eq!(escape("a<b & \"c\" > 'd'\u{1}\n"), "a&lt;b &amp; &quot;c&quot; &gt; &#39;d&#39;\u{fffd} ");
        let mut svg = Svg::new(10.0, 5.0, "</title><script>", "\"");
        svg.leaf("path", &[("data-name", "\"/><script>".into())]);
        svg.text([0.0, 0.0], Text::new("end"), "]]><script>");
        let svg = svg.finish();
        assert!(!svg.contains("<script"), "{svg}");
    }

    #[test]
    fn values_have_six_digits() {
        for (v, spelled) in [
            (0.1234567, "0.123457"),
            (-1234567.0, "-1234570"),
            (3.0, "3"),
            (1.5e-9, "1.5e-9"),
            (0.0, "0"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(value(v), spelled);
        }
        assert_eq!((mm(1.23456), mm(-0.0001), mm(2.0)), ("1.235".into(), "0".into(), "2".into()));
    }
}
