//! A picture resized and cropped as the steps say, still 8-bit RGB.

use crate::pictures::resample::resize_window;
use crate::pictures::{Picture, Size};
use crate::preprocessing::{CropRule, Preprocessing, Resize};

impl Preprocessing {
    /// Whether a picture of `from` is smaller than the crop and gets a border that the steps do not mean it to get.
    pub fn pads(&self, from: Size) -> bool {
        if matches!(self.resize, Resize::Within(_)) {
            return false;
        }
        let resized = self.resize.target(from);
        self.crop.is_some_and(|crop| crop.height > resized.height || crop.width > resized.width)
    }

    /// The picture resized and cropped, still 8-bit RGB.
    pub fn fit(&self, picture: &Picture) -> Picture {
        let from = Size { height: picture.height, width: picture.width };
        let resized = self.resize.target(from);
        let crop = self.crop.unwrap_or(resized);
        let axis = |length, crop| crop_axis(length, crop, self.crop_rule);
        let (rows, columns) = (axis(resized.height, crop.height), axis(resized.width, crop.width));
        let kept = resize_window(
            picture,
            (resized.width, resized.height),
            self.interpolation,
            columns.start..columns.start + columns.kept,
            rows.start..rows.start + rows.kept,
        );
        if (kept.height, kept.width) == (crop.height, crop.width) {
            return kept;
        }
        let rgb = self.border.repeat(crop.width * crop.height);
        let mut padded = Picture { width: crop.width, height: crop.height, rgb };
        for y in 0..kept.height {
            let at = ((y + rows.before) * crop.width + columns.before) * 3;
            padded.rgb[at..at + kept.width * 3].copy_from_slice(kept.row(y));
        }
        padded
    }
}

/// One axis of a centre crop: pixels of the picture kept, and black before them.
struct CropAxis {
    start: usize,
    kept: usize,
    before: usize,
}

/// One axis of torchvision's `center_crop` or of Hugging Face's.
fn crop_axis(length: usize, crop: usize, rule: CropRule) -> CropAxis {
    let spare = crop.abs_diff(length);
    let half = spare / 2;
    if crop >= length {
        let before = match rule {
            CropRule::HalfEven => half,
            CropRule::Floor => spare.div_ceil(2),
        };
        CropAxis { start: 0, kept: length, before }
    } else {
        // A spare of 4k+3 is x.5 with x odd: rounding half to even goes up.
        let up = rule == CropRule::HalfEven && spare % 2 == 1 && half % 2 == 1;
        CropAxis { start: half + usize::from(up), kept: crop, before: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::preset::Preset;

    /// Python's `round` goes to the even neighbour: offsets .5, 1.5, 2.5, 3.5 become 0, 2, 2, 4.
    #[test]
    fn crop_offsets_round_half_to_even() {
        let starts: Vec<usize> =
            [3, 5, 7, 9, 4, 2].map(|length| crop_axis(length, 2, CropRule::HalfEven).start).to_vec();
        assert_eq!(starts, [0, 2, 2, 4, 1, 0]);
        let padded = crop_axis(2, 5, CropRule::HalfEven);
        assert_eq!((padded.before, padded.kept), (1, 2));
    }

    #[test]
    fn hugging_face_rounds_crop_offsets_down_and_pads_more_before() {
        let starts: Vec<usize> = [3, 5, 7, 9, 4, 2].map(|length| crop_axis(length, 2, CropRule::Floor).start).to_vec();
        assert_eq!(starts, [0, 1, 2, 3, 1, 0]);
        let padded = crop_axis(2, 5, CropRule::Floor);
        assert_eq!((padded.before, padded.kept), (2, 2));
    }

    #[test]
    fn a_small_picture_gets_a_black_border() {
        let picture = Picture { width: 2, height: 1, rgb: vec![9; 6] };
        let mut steps = Preset::Raw255.steps();
        steps.crop = Some(Size { height: 3, width: 3 });
        assert!(steps.pads(Size { height: 1, width: 2 }) && !steps.pads(Size { height: 3, width: 3 }));
        let red: Vec<u8> = steps.fit(&picture).rgb.into_iter().step_by(3).collect();
        assert_eq!(red, [0, 0, 0, 9, 9, 0, 0, 0, 0]);
    }
}
