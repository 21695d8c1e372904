//! From a decoded picture to the numbers a network sees.
//!
//! The steps are torchvision's, in its order: resize, centre crop, scale, subtract the mean, divide
//! by the standard deviation, all in `f32`. A preset or the model's own configuration
//! ([`crate::model_config`]) fixes every one of them; each can be replaced.
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
    /// As large as fits into this size with its proportions kept (timm `ResizeKeepRatio(longest=1)`).
    Within(Size),
    /// As small as covers this size with its proportions kept (timm `ResizeKeepRatio(longest=0)`).
    Cover(Size),
}

impl Resize {
    /// The size that a picture of `from` gets.
    pub fn target(self, from: Size) -> Size {
        match self {
            Self::Keep => from,
            Self::Exact(size) => size,
            Self::Within(size) => keep_ratio(from, size, f64::max),
            Self::Cover(size) => keep_ratio(from, size, f64::min),
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

/// timm's rule: both sides divided by one ratio, rounded with ties to the even number, as Python does.
fn keep_ratio(from: Size, to: Size, of: impl Fn(f64, f64) -> f64) -> Size {
    let ratio = of(from.height as f64 / to.height as f64, from.width as f64 / to.width as f64);
    let side = |n: usize| (n as f64 / ratio).round_ties_even().max(1.0) as usize;
    Size { height: side(from.height), width: side(from.width) }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("none"),
            Self::ShortSide(n) => write!(f, "{n}"),
            Self::Exact(size) => write!(f, "{size}"),
            Self::Within(size) => write!(f, "within {size}"),
            Self::Cover(size) => write!(f, "cover {size}"),
        }
    }
}

/// How a centre crop is placed when the spare pixels cannot be halved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CropRule {
    /// The offset is rounded half to even; of an odd border the larger half comes last (torchvision, timm).
    HalfEven,
    /// The offset is rounded down; of an odd border the larger half comes first (Hugging Face).
    Floor,
}

impl CropRule {
    /// The name used in sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::HalfEven => "half to even",
            Self::Floor => "down",
        }
    }
}

/// How grey levels 0..255 become numbers before the mean is subtracted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Divided in `f32` (torchvision, Keras).
    Divide(f32),
    /// Multiplied in `f64`, then rounded to `f32` (Hugging Face's `rescale_factor`).
    Multiply(f64),
}

impl Scale {
    /// The scaled grey level.
    pub fn apply(self, level: u8) -> f32 {
        match self {
            Self::Divide(divisor) => f32::from(level) / divisor,
            Self::Multiply(factor) => (f64::from(level) * factor) as f32,
        }
    }

    /// What the grey levels are divided by, in effect.
    pub fn divisor(self) -> f32 {
        match self {
            Self::Divide(divisor) => divisor,
            Self::Multiply(factor) => (1.0 / factor) as f32,
        }
    }
}

/// Where a set of steps comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A preset.
    Preset(Preset),
    /// A Hugging Face `preprocessor_config.json`.
    HuggingFace,
    /// A timm `config.json`.
    Timm,
    /// An open_clip `preprocess_cfg`.
    OpenClip,
}

impl Origin {
    /// The name used in messages and sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preset(preset) => preset.name(),
            Self::HuggingFace => "huggingface",
            Self::Timm => "timm",
            Self::OpenClip => "open_clip",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset(preset) => write!(f, "preset {}", preset.name()),
            Self::HuggingFace => f.write_str("the Hugging Face configuration"),
            Self::Timm => f.write_str("the timm configuration"),
            Self::OpenClip => f.write_str("the open_clip configuration"),
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
    /// Every preset.
    pub const ALL: [Self; 6] =
        [Self::Imagenet, Self::Tf, Self::Clip, Self::EfficientnetLite, Self::Raw01, Self::Raw255];

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
            origin: Origin::Preset(self),
            resize: Resize::Keep,
            crop: None,
            crop_rule: CropRule::HalfEven,
            border: [0; 3],
            interpolation: Interpolation::Bilinear,
            scale: Scale::Divide(255.0),
            mean: [0.0; 3],
            std: [1.0; 3],
            color: Color::Rgb,
            grey: false,
        };
        match self {
            Self::Imagenet => Preprocessing {
                resize: Resize::ShortSide(256),
                crop: Some(square(224)),
                mean: [0.485, 0.456, 0.406],
                std: [0.229, 0.224, 0.225],
                ..plain
            },
            Self::Tf => Preprocessing {
                resize: Resize::Exact(square(224)),
                scale: Scale::Divide(127.5),
                mean: [1.0; 3],
                ..plain
            },
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
                scale: Scale::Divide(1.0),
                mean: [127.0; 3],
                std: [128.0; 3],
                ..plain
            },
            Self::Raw01 => plain,
            Self::Raw255 => Preprocessing { scale: Scale::Divide(1.0), ..plain },
        }
    }
}

/// What the user says differently from the preset or the configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Overrides {
    /// Replaces the preset's resizing.
    pub resize: Option<Resize>,
    /// Replaces the preset's crop; `Some(None)` is no crop.
    pub crop: Option<Option<Size>>,
    /// Replaces the preset's interpolation.
    pub interpolation: Option<Interpolation>,
    /// Replaces the mean, in the units of [`Preprocessing::scale`]'s result.
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
        "--resize {resize} leaves fewer pixels than the {crop} crop of {origin}; add --crop {resize}, or --crop {crop} to pad with black"
    )]
    CropOutgrown {
        /// The size asked for.
        resize: Resize,
        /// The preset's crop.
        crop: Size,
        /// Where it comes from.
        origin: Origin,
    },
    /// A mean in the wrong units.
    #[error("mean {mean} does not fit {origin}, which divides grey levels by {divisor} first; {advice}")]
    MeanUnits {
        /// The value given.
        mean: f32,
        /// Where the other steps come from.
        origin: Origin,
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
    /// Where the steps come from.
    pub origin: Origin,
    /// Resizing.
    pub resize: Resize,
    /// Centre crop after resizing; where the picture is smaller it is padded.
    pub crop: Option<Size>,
    /// Where the crop lies when the spare pixels are odd.
    pub crop_rule: CropRule,
    /// Red, green, blue of the padding; black but for timm's `border`.
    pub border: [u8; 3],
    /// Interpolation of the resizing.
    pub interpolation: Interpolation,
    /// What is done to grey levels 0..255 first.
    pub scale: Scale,
    /// Subtracted after that; red, green, blue, whatever the colour order of the model.
    pub mean: [f32; 3],
    /// Divided by last; red, green, blue.
    pub std: [f32; 3],
    /// Colour order of the model.
    pub color: Color,
    /// Meant for networks of one grey channel alone.
    pub grey: bool,
}

impl Preprocessing {
    /// The preset's steps with the overrides in their place, checked for contradictions.
    pub fn new(preset: Preset, overrides: Overrides) -> Result<Self, PreprocessError> {
        preset.steps().with(overrides)
    }

    /// These steps with the overrides in their place, checked for contradictions.
    ///
    /// An exact `--resize HxW` without `--crop` drops the crop.
    pub fn with(self, overrides: Overrides) -> Result<Self, PreprocessError> {
        let mut steps = self;
        if let Some(resize) = overrides.resize {
            steps.resize = resize;
            match (resize, steps.crop, overrides.crop) {
                (Resize::Exact(_), _, None) => steps.crop = None,
                (Resize::ShortSide(n), Some(crop), None) if n < crop.height.min(crop.width) => {
                    return Err(PreprocessError::CropOutgrown { resize, crop, origin: self.origin });
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
            Resize::Exact(size) | Resize::Within(size) | Resize::Cover(size) if no_pixels(size) => {
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
                origin: self.origin,
                divisor: self.scale.divisor(),
                advice,
            };
            let largest = self.mean.iter().fold(0f32, |a, b| a.max(b.abs()));
            let divisor = self.scale.divisor();
            if !largest.is_finite() || (divisor > 1.0 && largest > 2.0) {
                return Err(units(largest, "for a mean in grey levels use --preprocess raw255"));
            }
            if divisor == 1.0 && largest > 0.0 && largest <= 1.0 {
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

    /// What each grey level of each colour (red, green, blue) becomes.
    ///
    /// The tables hold `(x / divisor - mean) / std` in `f32`, one rounding per operation, as
    /// torchvision's `ToTensor` and `Normalize` do; Hugging Face's NumPy processors take the first
    /// step in `f64` and round it to `f32`.
    pub fn tables(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|colour| {
            std::array::from_fn(|level| (self.scale.apply(level as u8) - self.mean[colour]) / self.std[colour])
        })
    }

    /// The steps in one line, for a message.
    pub fn summary(&self) -> String {
        let resize = match self.resize {
            Resize::Keep => "no resize".to_string(),
            resize => format!("resize {resize} {}", self.interpolation.name()),
        };
        // With an odd number of pixels to spare the rules differ by one.
        let offset = match self.crop_rule {
            CropRule::HalfEven => "",
            CropRule::Floor => " (offset rounded down)",
        };
        let crop = self.crop.map_or("no crop".to_string(), |crop| format!("crop {crop}{offset}"));
        let scale = match self.scale {
            Scale::Divide(divisor) => format!("x / {divisor}"),
            Scale::Multiply(factor) => format!("x * {factor}"),
        };
        let list = |values: [f32; 3]| values.map(|v| v.to_string()).join(",");
        let color = self.color.name();
        format!("{resize}, {crop}, ({scale} - {}) / {}, {color}", list(self.mean), list(self.std))
    }

    /// Why these steps cannot be followed for a network of so many channels.
    pub fn misfit(&self, channels: usize) -> Option<String> {
        let equal = |values: [f32; 3]| values[0] == values[1] && values[1] == values[2];
        match channels {
            1 if !equal(self.mean) || !equal(self.std) => Some(format!(
                "the network takes 1 channel (grey), but {} has a mean and std for each of 3 colours; \
                 give those of grey: --mean M --std S (or --preprocess raw01, tf ...)",
                self.origin
            )),
            1 if self.color == Color::Bgr => {
                Some("the network takes 1 channel (grey), which has no order of colours; leave out --color bgr".into())
            }
            3 if self.grey => Some(format!(
                "{} is for pictures of 1 channel (grey), the network takes 3; choose another with --preprocess",
                self.origin
            )),
            _ => None,
        }
    }

    /// Whether these steps and the others give the same numbers but for the last digits: `x / 255` and `x * (1 / 255)`
    /// are the same here.
    pub fn is_same(&self, other: &Self) -> bool {
        let border = |steps: &Self| matches!(steps.resize, Resize::Within(_)).then_some(steps.border);
        let scaled = |steps: &Self| (steps.scale.divisor(), steps.mean, steps.std, steps.color, steps.grey);
        let placed = |steps: &Self| (steps.resize, steps.crop, steps.crop.map(|_| steps.crop_rule));
        let resized = |steps: &Self| (steps.resize != Resize::Keep).then_some(steps.interpolation);
        placed(self) == placed(other)
            && resized(self) == resized(other)
            && border(self) == border(other)
            && scaled(self) == scaled(other)
    }

    /// Whether the network gets the grey levels themselves.
    pub fn keeps_levels(&self) -> bool {
        (0..=255).all(|level| self.scale.apply(level) == f32::from(level))
            && self.mean == [0.0; 3]
            && self.std == [1.0; 3]
    }
}

/// Writes a fitted picture into its place in a batch: `out` holds `height * width` values of each channel.
///
/// `tables` are indexed by red, green, blue; `color` and `layout` say where each goes. Where there is one channel
/// (`channels` is 1) the picture is grey, and the first of its equal colours is written.
pub fn arrange<T: Copy>(
    picture: &Picture,
    tables: &[[T; 256]; 3],
    color: Color,
    (layout, channels): (Layout, usize),
    out: &mut [T],
) {
    let n_pixels = picture.width * picture.height;
    debug_assert_eq!(out.len(), n_pixels * channels);
    if channels == 1 {
        for (value, pixel) in out.iter_mut().zip(picture.rgb.as_chunks::<3>().0) {
            *value = tables[0][usize::from(pixel[0])];
        }
        return;
    }
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

    /// 40 high, 100 wide: into 20x30 by the larger ratio 100/30 (12, 30), over it by the smaller 2 (20, 50).
    #[test]
    fn proportions_are_kept_as_timm_does() {
        let (from, to) = (Size { height: 40, width: 100 }, Size { height: 20, width: 30 });
        assert_eq!(Resize::Within(to).target(from), Size { height: 12, width: 30 });
        assert_eq!(Resize::Cover(to).target(from), Size { height: 20, width: 50 });
        // 5 / 2 = 2.5 becomes 2, 7 / 2 = 3.5 becomes 4.
        let half = |n| Resize::Within(Size { height: 8, width: 8 }).target(Size { height: n, width: 16 }).height;
        assert_eq!((half(5), half(7)), (2, 4));
    }

    #[test]
    fn a_factor_is_multiplied_in_double_precision() {
        let scale = Scale::Multiply(1.0 / 255.0);
        assert!((0..=255).all(|level| scale.apply(level) == ((f64::from(level) * (1.0 / 255.0)) as f32)));
        assert_eq!(scale.divisor(), 255.0);
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
            arrange(&picture, &tables, color, (layout, 3), &mut out);
            out
        };
        assert_eq!(arranged(Color::Rgb, Layout::Nchw), [1, 4, 2, 5, 3, 6]);
        assert_eq!(arranged(Color::Bgr, Layout::Nchw), [3, 6, 2, 5, 1, 4]);
        assert_eq!(arranged(Color::Rgb, Layout::Nhwc), [1, 2, 3, 4, 5, 6]);
        assert_eq!(arranged(Color::Bgr, Layout::Nhwc), [3, 2, 1, 6, 5, 4]);
        let grey = Picture { width: 2, height: 1, rgb: vec![7, 7, 7, 8, 8, 8] };
        let mut out = [0u8; 2];
        arrange(&grey, &tables, Color::Rgb, (Layout::Nhwc, 1), &mut out);
        assert_eq!(out, [7, 8]);
    }
}
