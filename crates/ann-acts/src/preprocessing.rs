//! From a decoded picture to the numbers a network sees.
//!
//! The steps are torchvision's, in its order: resize, centre crop, scale, subtract the mean, divide
//! by the standard deviation, all in `f32`. A preset or the model's own configuration
//! ([`crate::preprocessing::config`]) fixes every one of them; each can be replaced.
//! Nothing is taken from the model but the layout of its input, and what it wants is checked
//! against what the steps give.

pub mod args;
pub mod beside;
pub mod choose;
pub mod config;
pub mod final_size;
pub mod fit;
pub mod preset;

use crate::pictures::Size;
use crate::pictures::resample::Interpolation;
use std::fmt;

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
    /// The preset of this name.
    Preset(&'static str),
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
            Self::Preset(name) => name,
            Self::HuggingFace => "huggingface",
            Self::Timm => "timm",
            Self::OpenClip => "open_clip",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset(name) => write!(f, "preset {name}"),
            Self::HuggingFace => f.write_str("the Hugging Face configuration"),
            Self::Timm => f.write_str("the timm configuration"),
            Self::OpenClip => f.write_str("the open_clip configuration"),
        }
    }
}

/// Order of the colour planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
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
        "--resize {resize} leaves fewer pixels than the {crop} crop of {origin}; add --crop {resize}, or --crop \
         {crop} to pad with black"
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
}
