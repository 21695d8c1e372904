//! The one look of all figures: colours, sizes in millimetres.

/// A colour as `#rrggbb`.
pub type Colour = &'static str;

/// Text, axes, boxes.
pub const INK: Colour = "#222222";
/// What stands behind the data: zero lines, summaries of lesser weight.
pub const GREY: Colour = "#767676";
/// Areas that stand behind the data.
pub const LIGHT: Colour = "#d5d5d5";
/// Cells without a value.
pub const MISSING: Colour = "#bdbdbd";
/// The page.
pub const PAPER: Colour = "#ffffff";

/// Okabe and Ito's colours for categories, told apart by all kinds of colour vision; the palest last.
pub const CATEGORIES: [Colour; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#222222", "#f0e442"];

/// The colour of category `k`; behind the eighth they begin again, and shapes and dashes differ.
pub fn category(k: usize) -> Colour {
    CATEGORIES[k % CATEGORIES.len()]
}

/// Size of the letters of axes and legends: 7 point.
pub const TEXT: f64 = 2.47;
/// Size of the letters of titles: 8.5 point.
pub const TITLE: f64 = 3.0;
/// The smallest letters: 4.5 point.
pub const SMALLEST_TEXT: f64 = 1.6;
/// Widths of lines: axes and outlines, curves.
pub const THIN: f64 = 0.2;
/// See [`THIN`].
pub const LINE: f64 = 0.4;
/// Length of a tick.
pub const TICK: f64 = 0.9;
/// Radius of a point.
pub const POINT: f64 = 0.8;
/// White around everything.
pub const MARGIN: f64 = 2.0;
/// Between text and what it names.
pub const GAP: f64 = 1.0;
/// Widths of figures: of one panel, and of several.
pub const WIDTH: f64 = 120.0;
/// See [`WIDTH`].
pub const WIDE: f64 = 180.0;
/// Dots per inch of a PNG.
pub const DPI: f64 = 300.0;

/// Anchors of the colour map viridis (van der Walt and Smith 2015, CC0), evenly spaced; lightness grows evenly.
const VIRIDIS: [[u8; 3]; 17] = [
    [68, 1, 84],
    [72, 24, 106],
    [71, 45, 123],
    [66, 64, 134],
    [59, 82, 139],
    [51, 99, 141],
    [44, 114, 142],
    [38, 130, 142],
    [33, 145, 140],
    [31, 160, 136],
    [40, 174, 128],
    [63, 188, 115],
    [94, 201, 98],
    [132, 212, 75],
    [173, 220, 48],
    [216, 226, 25],
    [253, 231, 37],
];

/// The colour of a share between 0 and 1 of the way from the lowest to the highest value.
pub fn continuous(share: f64) -> [u8; 3] {
    let at = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let below = (at as usize).min(VIRIDIS.len() - 2);
    let part = at - below as f64;
    std::array::from_fn(|c| {
        let (a, b) = (f64::from(VIRIDIS[below][c]), f64::from(VIRIDIS[below + 1][c]));
        (a + part * (b - a)).round() as u8
    })
}

/// Anchors of the colours above 0 and below 0, the least first: red to yellow and blue to pale blue, which all kinds
/// of colour vision tell apart. Both grow lighter evenly and alike, so that equal distances from 0 are equally light.
const ABOVE: [[u8; 3]; 5] = [[143, 8, 20], [205, 45, 20], [240, 112, 25], [252, 180, 60], [255, 240, 150]];
/// See [`ABOVE`].
const BELOW: [[u8; 3]; 5] = [[20, 64, 160], [25, 106, 198], [60, 151, 222], [125, 196, 242], [205, 242, 255]];

/// The colour of a value on one side of 0: `share` is the part of the way from the threshold to the largest value,
/// negative below 0.
pub fn signed(share: f64, below: bool) -> [u8; 3] {
    let anchors = if below { &BELOW } else { &ABOVE };
    let at = share.abs().clamp(0.0, 1.0) * (anchors.len() - 1) as f64;
    let k = (at as usize).min(anchors.len() - 2);
    let part = at - k as f64;
    std::array::from_fn(|c| {
        let (a, b) = (f64::from(anchors[k][c]), f64::from(anchors[k + 1][c]));
        (a + part * (b - a)).round() as u8
    })
}

/// `#rrggbb` of three bytes.
pub fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Ink or paper, whichever is read better on this colour.
pub fn readable_on([r, g, b]: [u8; 3]) -> Colour {
    // Relative luminance, with 2 for the exponent 2.4 of sRGB.
    let linear = |v: u8| (f64::from(v) / 255.0) * (f64::from(v) / 255.0);
    if 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) > 0.2 { INK } else { PAPER }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE 1976 L*, from sRGB.
    fn lightness(colour: [u8; 3]) -> f64 {
        let linear = colour.map(|v| {
            let v = f64::from(v) / 255.0;
            if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
        });
        let y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        116.0 * y.cbrt() - 16.0
    }

    #[test]
    fn both_sides_of_0_grow_lighter_evenly_and_alike() {
        let at = |k: usize, below| lightness(signed(k as f64 / 40.0, below));
        for k in 0..=40 {
            let (above, below) = (at(k, false), at(k, true));
            assert!((above - below).abs() < 6.0, "{k}: {above} {below}");
            if k > 0 {
                let steps = [above - at(k - 1, false), below - at(k - 1, true)];
                assert!(steps.iter().all(|step| (0.7..2.6).contains(step)), "{k}: {steps:?}");
            }
        }
    }

    #[test]
    fn lightness_of_the_map_grows_all_the_way() {
        let light = |k: usize| {
            let [r, g, b] = continuous(k as f64 / 64.0).map(f64::from);
            0.2126 * r * r + 0.7152 * g * g + 0.0722 * b * b
        };
        assert!((1..=64).all(|k| light(k) > light(k - 1)));
        assert_eq!(hex(continuous(0.0)), "#440154");
        assert_eq!(hex(continuous(7.0)), "#fde725");
        assert_eq!((readable_on([68, 1, 84]), readable_on([253, 231, 37])), (PAPER, INK));
    }
}
