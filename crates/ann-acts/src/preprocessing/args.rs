//! The part of the command line that says how a picture becomes the network's input.

use crate::pictures::resample::Interpolation;
use crate::pictures::{BadImage, Grey16, Reading, Size};
use crate::preprocessing::preset::Preset;
use crate::preprocessing::{Color, Overrides, Resize};
use std::path::PathBuf;
use std::str::FromStr;

/// From picture to input.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Preprocessing")]
pub struct PreprocessingArgs {
    /// Steps from picture to network input: a preset (see PREPROCESSING) or the model's configuration, a .json file
    /// [default: the one beside the model, else imagenet]
    #[arg(long, value_name = "PRESET|FILE.json", value_parser = preprocess_name)]
    pub preprocess: Option<PreprocessName>,

    /// N: short side to N pixels, as torchvision; HxW: exactly this size, no crop; none
    #[arg(long, value_name = "N|HxW|none", value_parser = resize)]
    pub resize: Option<Resize>,

    /// Centre crop, padded with black where the picture is smaller; none
    #[arg(long, value_name = "N|HxW|none", value_parser = crop)]
    pub crop: Option<Crop>,

    /// Interpolation of --resize, equal to Pillow's (antialiased)
    #[arg(long, value_name = "KIND", value_enum)]
    pub interpolation: Option<Interpolation>,

    /// Mean of red, green, blue (or one for all), after the preset's division
    #[arg(long, value_name = "R,G,B", value_parser = colours, allow_hyphen_values = true)]
    pub mean: Option<[f32; 3]>,

    /// Standard deviation of red, green, blue (or one for all), after the preset's division
    #[arg(long, value_name = "R,G,B", value_parser = colours, allow_hyphen_values = true)]
    pub std: Option<[f32; 3]>,

    /// Colour order that the network wants; --mean and --std stay red, green, blue
    #[arg(long, value_enum)]
    pub color: Option<Color>,

    /// Turn pictures upright by their EXIF orientation, as Pillow's ImageOps.exif_transpose
    #[arg(long)]
    pub exif: bool,

    /// The colour behind transparent pixels [default: none, the colours stored under the transparency are taken]
    #[arg(long, value_name = "R,G,B", value_parser = levels, conflicts_with = "list_layers")]
    pub background: Option<[u8; 3]>,

    /// What is taken of 16-bit grey
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    pub grey16: Grey16,

    /// What is done about a picture that turns out damaged while it is decoded
    #[arg(long, value_name = "KIND", value_enum, default_value_t)]
    pub bad_image: BadImage,
}

/// `--preprocess`: a preset or a configuration file.
#[derive(Debug, Clone)]
pub enum PreprocessName {
    Preset(Preset),
    File(PathBuf),
}

/// `--crop`: a size, or none.
#[derive(Debug, Clone, Copy)]
pub struct Crop(Option<Size>);

impl PreprocessingArgs {
    /// How picture files are read.
    pub fn reading(&self) -> Reading {
        Reading {
            exif: self.exif,
            grey16: self.grey16,
            background: self.background,
            keep_corrupt: self.bad_image == BadImage::Keep,
        }
    }

    /// What the command line says differently from the preset.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            resize: self.resize,
            crop: self.crop.map(|crop| crop.0),
            interpolation: self.interpolation,
            mean: self.mean,
            std: self.std,
            color: self.color,
        }
    }
}

fn preprocess_name(text: &str) -> Result<PreprocessName, String> {
    if text.ends_with(".json") {
        return Ok(PreprocessName::File(text.into()));
    }
    let preset = Preset::ALL.into_iter().find(|preset| preset.name() == text);
    let names = || Preset::ALL.map(Preset::name).join(", ");
    preset.map(PreprocessName::Preset).ok_or_else(|| format!("expected {} or a file that ends in .json", names()))
}

fn pixels(text: &str) -> Result<usize, String> {
    // The limit keeps height * width * 3 far from overflow.
    match text.parse() {
        Ok(n @ 1..=65_535) => Ok(n),
        _ => Err(format!("{text:?} is not a number of pixels from 1 to 65535")),
    }
}

fn exact(text: &str) -> Option<Result<Size, String>> {
    let (height, width) = text.split_once(['x', 'X'])?;
    Some(pixels(height).and_then(|height| Ok(Size { height, width: pixels(width)? })))
}

fn resize(text: &str) -> Result<Resize, String> {
    match exact(text) {
        Some(size) => size.map(Resize::Exact),
        None if text == "none" => Ok(Resize::Keep),
        None => pixels(text).map(Resize::ShortSide),
    }
}

fn crop(text: &str) -> Result<Crop, String> {
    match exact(text) {
        Some(size) => size.map(|size| Crop(Some(size))),
        None if text == "none" => Ok(Crop(None)),
        None => pixels(text).map(|n| Crop(Some(Size { height: n, width: n }))),
    }
}

fn levels(text: &str) -> Result<[u8; 3], String> {
    three(text).ok_or_else(|| "expected red,green,blue from 0 to 255, or one number for all".into())
}

fn colours(text: &str) -> Result<[f32; 3], String> {
    three(text).ok_or_else(|| "expected one number, or three for red,green,blue".into())
}

fn three<T: FromStr + Copy>(text: &str) -> Option<[T; 3]> {
    let values: Vec<T> = text.split(',').map(|value| value.trim().parse().ok()).collect::<Option<_>>()?;
    match values.as_slice() {
        &[all] => Some([all; 3]),
        values => values.try_into().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_height_by_width() {
        assert_eq!(resize("224").unwrap(), Resize::ShortSide(224));
        assert_eq!(resize("120x80").unwrap(), Resize::Exact(Size { height: 120, width: 80 }));
        assert_eq!(resize("none").unwrap(), Resize::Keep);
        for bad in ["0", "0x3", "3x", "-4", "70000", "big"] {
            assert!(resize(bad).is_err() && crop(bad).is_err(), "{bad}");
        }
        assert_eq!(colours("0.5").unwrap(), [0.5; 3]);
        assert_eq!(colours("1, 2,3").unwrap(), [1.0, 2.0, 3.0]);
        assert!(colours("1,2").is_err());
    }
}
