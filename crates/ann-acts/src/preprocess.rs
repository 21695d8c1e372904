//! From a decoded picture to the numbers a network sees.
//!
//! The steps are torchvision's, in its order: resize, centre crop, scale, subtract the mean, divide
//! by the standard deviation, all in `f32`. A preset fixes every one of them; each can be replaced.
//! Nothing is taken from the model but the layout of its input, and what it wants is checked
//! against what the steps give.

use crate::picture::Picture;
use crate::resample::{Interpolation, resize_window};
use std::fmt;

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Number of rows.
    pub height: usize,
    /// Pixels per row.
    pub width: usize,
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

/// How a picture gets its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// As it is.
    Keep,
    /// The shorter side becomes this long, the other `floor(n * long / short)` (torchvision `Resize(n)`).
    ShortSide(usize),
    /// Exactly this size, whatever the proportions.
    Exact(Size),
}

impl Resize {
    /// The size that a picture of `from` gets.
    pub fn target(self, from: Size) -> Size {
        match self {
            Self::Keep => from,
            Self::Exact(size) => size,
            Self::ShortSide(n) => {
                let longer = |long: usize, short: usize| n * long / short;
                if from.width <= from.height {
                    Size { height: longer(from.height, from.width), width: n }
                } else {
                    Size { height: n, width: longer(from.width, from.height) }
                }
            }
        }
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("none"),
            Self::ShortSide(n) => write!(f, "{n}"),
            Self::Exact(size) => write!(f, "{size}"),
        }
    }
}

/// Order of the colour planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red (OpenCV, Caffe).
    Bgr,
}

impl Color {
    /// The name used on the command line and in sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rgb => "rgb",
            Self::Bgr => "bgr",
        }
    }
}

/// Where the colour axis of the model's input lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Picture, colour, row, column (PyTorch).
    Nchw,
    /// Picture, row, column, colour (TensorFlow).
    Nhwc,
}

impl Layout {
    /// The name used in sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nchw => "NCHW",
            Self::Nhwc => "NHWC",
        }
    }
}

/// A named set of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// torchvision's ImageNet evaluation: short side 256 bilinear, crop 224, `(x/255 - mean) / std`.
    Imagenet,
    /// Keras mode `tf`: 224x224 bilinear, `x/127.5 - 1`.
    Tf,
    /// OpenAI CLIP: short side 224 bicubic, crop 224, CLIP's mean and std.
    Clip,
    /// EfficientNet-lite: short side 256 bicubic, crop 224, `(x - 127) / 128`.
    EfficientnetLite,
    /// The picture as it is, `x/255`.
    Raw01,
    /// The picture as it is, `x` from 0 to 255.
    Raw255,
}

impl Preset {
    /// The name used on the command line and in sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::Imagenet => "imagenet",
            Self::Tf => "tf",
            Self::Clip => "clip",
            Self::EfficientnetLite => "efficientnet-lite",
            Self::Raw01 => "raw01",
            Self::Raw255 => "raw255",
        }
    }

    /// All its steps.
    pub fn steps(self) -> Preprocessing {
        let square = |n| Size { height: n, width: n };
        let plain = Preprocessing {
            preset: self,
            resize: Resize::Keep,
            crop: None,
            interpolation: Interpolation::Bilinear,
            divisor: 255.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            color: Color::Rgb,
        };
        match self {
            Self::Imagenet => Preprocessing {
                resize: Resize::ShortSide(256),
                crop: Some(square(224)),
                mean: [0.485, 0.456, 0.406],
                std: [0.229, 0.224, 0.225],
                ..plain
            },
            Self::Tf => Preprocessing { resize: Resize::Exact(square(224)), divisor: 127.5, mean: [1.0; 3], ..plain },
            Self::Clip => Preprocessing {
                resize: Resize::ShortSide(224),
                crop: Some(square(224)),
                interpolation: Interpolation::Bicubic,
                mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
                std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
                ..plain
            },
            Self::EfficientnetLite => Preprocessing {
                resize: Resize::ShortSide(256),
                crop: Some(square(224)),
                interpolation: Interpolation::Bicubic,
                divisor: 1.0,
                mean: [127.0; 3],
                std: [128.0; 3],
                ..plain
            },
            Self::Raw01 => plain,
            Self::Raw255 => Preprocessing { divisor: 1.0, ..plain },
        }
    }
}

/// What the user says differently from the preset.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Overrides {
    /// Replaces the preset's resizing.
    pub resize: Option<Resize>,
    /// Replaces the preset's crop; `Some(None)` is no crop.
    pub crop: Option<Option<Size>>,
    /// Replaces the preset's interpolation.
    pub interpolation: Option<Interpolation>,
    /// Replaces the mean, in the units of [`Preprocessing::divisor`].
    pub mean: Option<[f32; 3]>,
    /// Replaces the standard deviation, in the same units.
    pub std: Option<[f32; 3]>,
    /// Replaces the colour order.
    pub color: Option<Color>,
}

/// Steps that contradict each other.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum PreprocessError {
    /// A crop left over from the preset that is larger than the new size.
    #[error(
        "--resize {resize} leaves fewer pixels than the {crop} crop of preset {preset}; add --crop {resize}, or --crop {crop} to pad with black"
    )]
    CropOutgrown {
        /// The size asked for.
        resize: Resize,
        /// The preset's crop.
        crop: Size,
        /// The preset's name.
        preset: &'static str,
    },
    /// A mean in the wrong units.
    #[error("mean {mean} does not fit preset {preset}, which divides grey levels by {divisor} first; {advice}")]
    MeanUnits {
        /// The value given.
        mean: f32,
        /// The preset's name.
        preset: &'static str,
        /// Its divisor.
        divisor: f32,
        /// What to do.
        advice: &'static str,
    },
    /// A standard deviation that cannot be divided by.
    #[error("std {0} cannot be divided by; it must be above 0")]
    Std(f32),
    /// A size with nothing in it.
    #[error("{0} is 0 pixels; it must be at least 1")]
    NoPixels(&'static str),
}

/// Every step between a decoded picture and the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preprocessing {
    /// The preset that the steps come from.
    pub preset: Preset,
    /// Resizing.
    pub resize: Resize,
    /// Centre crop after resizing; where the picture is smaller it is padded with black.
    pub crop: Option<Size>,
    /// Interpolation of the resizing.
    pub interpolation: Interpolation,
    /// Grey levels 0..255 are divided by this first.
    pub divisor: f32,
    /// Subtracted after that; red, green, blue, whatever the colour order of the model.
    pub mean: [f32; 3],
    /// Divided by last; red, green, blue.
    pub std: [f32; 3],
    /// Colour order of the model.
    pub color: Color,
}

impl Preprocessing {
    /// The preset's steps with the overrides in their place, checked for contradictions.
    ///
    /// An exact `--resize HxW` without `--crop` drops the preset's crop.
    pub fn new(preset: Preset, overrides: Overrides) -> Result<Self, PreprocessError> {
        let mut steps = preset.steps();
        if let Some(resize) = overrides.resize {
            steps.resize = resize;
            match (resize, steps.crop, overrides.crop) {
                (Resize::Exact(_), _, None) => steps.crop = None,
                (Resize::ShortSide(n), Some(crop), None) if n < crop.height.min(crop.width) => {
                    return Err(PreprocessError::CropOutgrown { resize, crop, preset: preset.name() });
                }
                _ => {}
            }
        }
        steps.crop = overrides.crop.unwrap_or(steps.crop);
        steps.interpolation = overrides.interpolation.unwrap_or(steps.interpolation);
        steps.mean = overrides.mean.unwrap_or(steps.mean);
        steps.std = overrides.std.unwrap_or(steps.std);
        steps.color = overrides.color.unwrap_or(steps.color);
        steps.check(overrides.mean.is_some())?;
        Ok(steps)
    }

    fn check(&self, mean_given: bool) -> Result<(), PreprocessError> {
        if let Some(&std) = self.std.iter().find(|std| !(std.is_finite() && **std > 0.0)) {
            return Err(PreprocessError::Std(std));
        }
        let no_pixels = |size: Size| size.height == 0 || size.width == 0;
        match self.resize {
            Resize::ShortSide(0) => return Err(PreprocessError::NoPixels("--resize")),
            Resize::Exact(size) if no_pixels(size) => {
                return Err(PreprocessError::NoPixels("--resize"));
            }
            _ => {}
        }
        if self.crop.is_some_and(no_pixels) {
            return Err(PreprocessError::NoPixels("--crop"));
        }
        if mean_given {
            let units = |mean: f32, advice| PreprocessError::MeanUnits {
                mean,
                preset: self.preset.name(),
                divisor: self.divisor,
                advice,
            };
            let largest = self.mean.iter().fold(0f32, |a, b| a.max(b.abs()));
            if !largest.is_finite() || (self.divisor > 1.0 && largest > 2.0) {
                return Err(units(largest, "for a mean in grey levels use --preprocess raw255"));
            }
            if self.divisor == 1.0 && largest > 0.0 && largest <= 1.0 {
                return Err(units(largest, "for a mean between 0 and 1 use --preprocess raw01"));
            }
        }
        Ok(())
    }

    /// The size that every picture ends with, when it does not depend on the picture.
    pub fn fixed_size(&self) -> Option<Size> {
        match (self.crop, self.resize) {
            (Some(size), _) | (None, Resize::Exact(size)) => Some(size),
            _ => None,
        }
    }

    /// Whether a picture of `from` is smaller than the crop and gets a black border.
    pub fn pads(&self, from: Size) -> bool {
        let resized = self.resize.target(from);
        self.crop.is_some_and(|crop| crop.height > resized.height || crop.width > resized.width)
    }

    /// The picture resized and cropped, still 8-bit RGB.
    pub fn fit(&self, picture: &Picture) -> Picture {
        let from = Size { height: picture.height, width: picture.width };
        let resized = self.resize.target(from);
        let crop = self.crop.unwrap_or(resized);
        let (rows, columns) = (crop_axis(resized.height, crop.height), crop_axis(resized.width, crop.width));
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
        let mut padded = Picture { width: crop.width, height: crop.height, rgb: vec![0; crop.width * crop.height * 3] };
        for y in 0..kept.height {
            let at = ((y + rows.before) * crop.width + columns.before) * 3;
            padded.rgb[at..at + kept.width * 3].copy_from_slice(kept.row(y));
        }
        padded
    }

    /// What each grey level of each colour (red, green, blue) becomes.
    ///
    /// The tables hold `(x / divisor - mean) / std` in `f32`, one rounding per operation, as
    /// torchvision's `ToTensor` and `Normalize` do.
    pub fn tables(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|colour| {
            std::array::from_fn(|level| (level as f32 / self.divisor - self.mean[colour]) / self.std[colour])
        })
    }

    /// Whether the network gets the grey levels themselves.
    pub fn keeps_levels(&self) -> bool {
        self.divisor == 1.0 && self.mean == [0.0; 3] && self.std == [1.0; 3]
    }
}

/// Writes a fitted picture into its place in a batch: `out` holds `3 * height * width` values.
///
/// `tables` are indexed by red, green, blue; `color` and `layout` say where each goes.
pub fn arrange<T: Copy>(picture: &Picture, tables: &[[T; 256]; 3], color: Color, layout: Layout, out: &mut [T]) {
    let n_pixels = picture.width * picture.height;
    debug_assert_eq!(out.len(), n_pixels * 3);
    for (colour, table) in tables.iter().enumerate() {
        let plane = match color {
            Color::Rgb => colour,
            Color::Bgr => 2 - colour,
        };
        let levels = picture.rgb.iter().skip(colour).step_by(3);
        match layout {
            Layout::Nchw => {
                let out = &mut out[plane * n_pixels..(plane + 1) * n_pixels];
                for (value, &level) in out.iter_mut().zip(levels) {
                    *value = table[usize::from(level)];
                }
            }
            Layout::Nhwc => {
                for (value, &level) in out.iter_mut().skip(plane).step_by(3).zip(levels) {
                    *value = table[usize::from(level)];
                }
            }
        }
    }
}

/// One axis of a centre crop: pixels of the picture kept, and black before them.
struct CropAxis {
    start: usize,
    kept: usize,
    before: usize,
}

/// torchvision's `center_crop`: the offset rounds half to even; padding puts the odd pixel last.
fn crop_axis(length: usize, crop: usize) -> CropAxis {
    if crop >= length {
        CropAxis { start: 0, kept: length, before: (crop - length) / 2 }
    } else {
        let spare = length - crop;
        let half = spare / 2;
        // A spare of 4k+3 is x.5 with x odd: rounding half to even goes up.
        let start = half + usize::from(spare % 2 == 1 && half % 2 == 1);
        CropAxis { start, kept: crop, before: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(n: usize) -> Size {
        Size { height: n, width: n }
    }

    #[test]
    fn the_long_side_is_cut_to_a_whole_number() {
        let target = |height, width| Resize::ShortSide(5).target(Size { height, width });
        assert_eq!(target(7, 10), Size { height: 5, width: 7 }); // 50 / 7 = 7.14
        assert_eq!(target(10, 7), Size { height: 7, width: 5 });
        assert_eq!(target(3, 5), Size { height: 5, width: 8 }); // 25 / 3 = 8.33
        assert_eq!(target(4, 4), square(5));
    }

    /// Python's `round` goes to the even neighbour: offsets .5, 1.5, 2.5, 3.5 become 0, 2, 2, 4.
    #[test]
    fn crop_offsets_round_half_to_even() {
        let starts: Vec<usize> = [3, 5, 7, 9, 4, 2].map(|length| crop_axis(length, 2).start).to_vec();
        assert_eq!(starts, [0, 2, 2, 4, 1, 0]);
        let padded = crop_axis(2, 5);
        assert_eq!((padded.before, padded.kept), (1, 2));
    }

    #[test]
    fn values_are_those_of_the_preset() {
        let table = |preset: Preset| preset.steps().tables();
        assert_eq!(table(Preset::Tf)[0][0], -1.0);
        assert_eq!(table(Preset::Tf)[2][255], 1.0);
        assert_eq!(table(Preset::EfficientnetLite)[1][127], 0.0);
        assert_eq!(table(Preset::EfficientnetLite)[1][255], 1.0);
        assert_eq!(table(Preset::Raw01)[0][51], 51.0f32 / 255.0);
        assert_eq!(table(Preset::Raw255)[0][51], 51.0);
        // Green 128: .501961 - .456 = .045961, over .224 = .205182.
        let green = table(Preset::Imagenet)[1][128];
        assert!((green - 0.205_182).abs() < 1e-6, "{green}");
        assert!(Preset::Raw255.steps().keeps_levels() && !Preset::Raw01.steps().keeps_levels());
    }

    #[test]
    fn overrides_replace_and_contradictions_are_refused() {
        let with = |overrides| Preprocessing::new(Preset::Imagenet, overrides);
        let exact = with(Overrides { resize: Some(Resize::Exact(square(150))), ..Default::default() }).unwrap();
        assert_eq!((exact.crop, exact.fixed_size()), (None, Some(square(150))));
        let outgrown = with(Overrides { resize: Some(Resize::ShortSide(128)), ..Default::default() });
        assert!(matches!(outgrown, Err(PreprocessError::CropOutgrown { .. })));
        let both =
            Overrides { resize: Some(Resize::ShortSide(128)), crop: Some(Some(square(112))), ..Default::default() };
        assert_eq!(with(both).unwrap().fixed_size(), Some(square(112)));
        let grey_levels = with(Overrides { mean: Some([123.7, 116.3, 103.5]), ..Default::default() });
        assert!(matches!(grey_levels, Err(PreprocessError::MeanUnits { .. })));
        let fractions = Preprocessing::new(Preset::Raw255, Overrides { mean: Some([0.5; 3]), ..Default::default() });
        assert!(matches!(fractions, Err(PreprocessError::MeanUnits { .. })));
        for std in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(with(Overrides { std: Some([1.0, std, 1.0]), ..Default::default() }).is_err());
        }
    }

    #[test]
    fn a_small_picture_gets_a_black_border() {
        let picture = Picture { width: 2, height: 1, rgb: vec![9; 6] };
        let mut steps = Preset::Raw255.steps();
        steps.crop = Some(square(3));
        assert!(steps.pads(Size { height: 1, width: 2 }) && !steps.pads(square(3)));
        let red: Vec<u8> = steps.fit(&picture).rgb.into_iter().step_by(3).collect();
        assert_eq!(red, [0, 0, 0, 9, 9, 0, 0, 0, 0]);
    }

    #[test]
    fn colours_go_where_the_layout_wants_them() {
        // Two pixels: (1, 2, 3) and (4, 5, 6).
        let picture = Picture { width: 2, height: 1, rgb: vec![1, 2, 3, 4, 5, 6] };
        let tables: [[u8; 256]; 3] = [std::array::from_fn(|level| level as u8); 3];
        let arranged = |color, layout| {
            let mut out = [0u8; 6];
            arrange(&picture, &tables, color, layout, &mut out);
            out
        };
        assert_eq!(arranged(Color::Rgb, Layout::Nchw), [1, 4, 2, 5, 3, 6]);
        assert_eq!(arranged(Color::Bgr, Layout::Nchw), [3, 6, 2, 5, 1, 4]);
        assert_eq!(arranged(Color::Rgb, Layout::Nhwc), [1, 2, 3, 4, 5, 6]);
        assert_eq!(arranged(Color::Bgr, Layout::Nhwc), [3, 2, 1, 6, 5, 4]);
    }
}
