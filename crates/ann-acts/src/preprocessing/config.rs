//! The preprocessing that a model's own configuration file asks for.
//!
//! Three kinds are read: a Hugging Face `preprocessor_config.json`, or what `processor_config.json` nests of it, as the
//! processors of transformers that compute with NumPy and Pillow apply it; timm's `pretrained_cfg` (in `config.json`),
//! as `create_transform` applies it for evaluation; and open_clip's `preprocess_cfg` (in a file of that name, or in
//! `open_clip_config.json`), as its `image_transform` does. A field that changes the picture and cannot be followed
//! exactly is refused with its name; nothing is guessed.
//!
//! The processors of transformers that compute with torch ("fast") take the same files. They resize
//! tensors, which may differ by one grey level from Pillow, and fold the rescaling into mean and
//! standard deviation, which differs in the last bit of an `f32`.

use crate::pictures::Size;
use crate::pictures::resample::Interpolation;
use crate::preprocessing::preset::Preset;
use crate::preprocessing::{Color, CropRule, Origin, Preprocessing, Resize, Scale};
use serde_json::{Map, Value};

/// The steps that a configuration file asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The steps.
    pub steps: Preprocessing,
    /// Whose they are: the processor's class or timm's name of the model.
    pub kind: String,
}

/// Why a configuration cannot be followed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Not JSON.
    #[error("not a JSON object ({0})")]
    NotJson(String),
    /// JSON of another kind.
    #[error(
        "neither a preprocessor_config.json (image_processor_type), a processor_config.json (image_processor), \
         a config.json of timm (pretrained_cfg) nor a preprocess_cfg.json of open_clip (size, mean, std); {ADVICE}"
    )]
    NotAConfig,
    /// A processor whose steps are not known here.
    #[error("{field} {name} is not among those that can be followed ({}); {ADVICE}", known())]
    Processor {
        /// The field with the class.
        field: &'static str,
        /// The class.
        name: String,
    },
    /// A field that has no default common to all versions.
    #[error("no field {field}, and its default depends on the version of the library; {ADVICE}")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field whose value cannot be followed.
    #[error("{field} is {value}, which cannot be followed exactly ({reason}); {ADVICE}")]
    Field {
        /// The field.
        field: String,
        /// Its value as written.
        value: String,
        /// Why not.
        reason: &'static str,
    },
}

const ADVICE: &str = "give the steps with --preprocess NAME and --resize, --crop, --mean ...";

/// What a processor makes of `size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sizing {
    /// A whole number is a square.
    Square,
    /// A whole number is the short side.
    Short,
    /// The short side to `int(n / crop_pct)` and a crop of n below 384, else a square of n.
    ConvNext,
    /// The short side to `int(256 / 224 * n)`.
    Levit,
    /// The short side to `int(n / crop_pct)`.
    PoolFormer,
}

/// A family of processors: name without its suffix, meaning of `size`, whether it can crop.
type Family = (&'static str, Sizing, bool);

const FAMILIES: [Family; 19] = [
    ("ViT", Sizing::Square, false),
    ("Siglip", Sizing::Square, false),
    ("Segformer", Sizing::Square, false),
    ("Blip", Sizing::Square, false),
    ("DPT", Sizing::Square, false),
    ("Pvt", Sizing::Square, false),
    ("DeiT", Sizing::Square, true),
    ("Beit", Sizing::Square, true),
    ("EfficientFormer", Sizing::Square, true),
    ("EfficientNet", Sizing::Square, true),
    ("CLIP", Sizing::Short, true),
    ("ChineseCLIP", Sizing::Short, true),
    ("Bit", Sizing::Short, true),
    ("MobileNetV1", Sizing::Short, true),
    ("MobileNetV2", Sizing::Short, true),
    ("MobileViT", Sizing::Short, true),
    ("ConvNext", Sizing::ConvNext, false),
    ("Levit", Sizing::Levit, true),
    ("PoolFormer", Sizing::PoolFormer, true),
];

fn known() -> String {
    FAMILIES.map(|family| family.0).join(" ")
}

/// Fields that do not change what a network gets from an RGB picture.
const HARMLESS: [&str; 13] = [
    "image_processor_type",
    "feature_extractor_type",
    "processor_class",
    "_processor_class",
    "_valid_processor_keys",
    "do_convert_rgb",
    "do_reduce_labels",
    "reduce_labels",
    "return_tensors",
    "data_format",
    "input_data_format",
    "model_input_names",
    "device",
];

/// The kinds of configuration, told by what stands in them, and the object with the steps.
pub(crate) enum Kind<'a> {
    /// timm's, and the name of the model.
    Timm(&'a Map<String, Value>, &'a str),
    /// open_clip's, and what the model's own part says of the size.
    OpenClip(&'a Map<String, Value>, Option<&'a Value>),
    /// A processor of transformers: the field with its class, and the class.
    HuggingFace(&'a Map<String, Value>, &'static str, &'a str),
}

/// What kind of configuration this is, if it is one.
pub(crate) fn kind_of(fields: &Map<String, Value>) -> Option<Kind<'_>> {
    let object = |name: &str| fields.get(name).and_then(Value::as_object);
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let says = |names: &[&str]| names.iter().any(|name| fields.get(*name).is_some_and(|value| !value.is_null()));
    if let Some(pretrained) = object("pretrained_cfg") {
        let name = text("architecture").or(text("model_name"));
        let name = name.or_else(|| pretrained.get("architecture")?.as_str()).unwrap_or("unnamed");
        return Some(Kind::Timm(pretrained, name));
    }
    if let Some(steps) = object("preprocess_cfg") {
        return Some(Kind::OpenClip(steps, object("model_cfg").and_then(|model| model.get("vision_cfg"))));
    }
    // transformers nests what it once wrote into a file of its own.
    let processor = object("image_processor").unwrap_or(fields);
    let class = ["image_processor_type", "feature_extractor_type"]
        .into_iter()
        .find_map(|field| Some((field, processor.get(field)?.as_str()?)));
    if let Some((field, class)) = class {
        return Some(Kind::HuggingFace(processor, field, class));
    }
    // timm's older files have no part of their own for the steps, and what it prints of them has no name.
    if says(&["input_size"]) && says(&["mean", "std", "crop_pct"]) {
        return Some(Kind::Timm(fields, text("architecture").unwrap_or("unnamed")));
    }
    let is_open_clip = says(&["mean"]) && says(&["std"]) && says(&["size"]) && says(&["interpolation", "resize_mode"]);
    is_open_clip.then_some(Kind::OpenClip(fields, None))
}

/// The steps in the text of a configuration file.
pub fn parse(text: &str) -> Result<ModelConfig, ConfigError> {
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| ConfigError::NotJson(error.to_string()))?;
    let Value::Object(fields) = value else { return Err(ConfigError::NotJson("another kind of JSON value".into())) };
    match kind_of(&fields).ok_or(ConfigError::NotAConfig)? {
        Kind::Timm(steps, name) => Ok(ModelConfig { steps: timm(&Fields::of(steps))?, kind: format!("timm {name}") }),
        Kind::OpenClip(steps, vision) => {
            Ok(ModelConfig { steps: open_clip(&Fields::of(steps), vision)?, kind: "open_clip".into() })
        }
        Kind::HuggingFace(steps, field, class) => {
            let family = family_of(class).ok_or_else(|| ConfigError::Processor { field, name: class.to_string() })?;
            Ok(ModelConfig { steps: hugging_face(family, &Fields::of(steps))?, kind: class.to_string() })
        }
    }
}

fn family_of(class: &str) -> Option<Family> {
    let stem = class.strip_suffix("Fast").or_else(|| class.strip_suffix("Pil")).unwrap_or(class);
    let stem = stem.strip_suffix("ImageProcessor").or_else(|| stem.strip_suffix("FeatureExtractor"))?;
    FAMILIES.into_iter().find(|family| family.0 == stem)
}

/// The fields of a configuration, and which of them were asked for.
struct Fields<'a> {
    map: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    fn of(map: &'a Map<String, Value>) -> Self {
        Self { map }
    }

    /// The value, unless it is absent or `null`.
    fn get(&self, field: &str) -> Option<&'a Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    fn refuse(&self, field: &str, reason: &'static str) -> ConfigError {
        let value = self.map.get(field).map_or_else(|| "absent".to_string(), Value::to_string);
        ConfigError::Field { field: field.to_string(), value, reason }
    }

    fn flag(&self, field: &'static str) -> Result<Option<bool>, ConfigError> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.refuse(field, "not true or false")),
        }
    }

    fn number(&self, field: &'static str) -> Result<Option<f64>, ConfigError> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => match value.as_f64().filter(|n| n.is_finite()) {
                Some(number) => Ok(Some(number)),
                None => Err(self.refuse(field, "not a number")),
            },
        }
    }

    /// One number for all colours, three, or a list of one, which is meant for a single channel of grey.
    fn colours(&self, field: &'static str) -> Result<Option<[f32; 3]>, ConfigError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let numbers: Option<Vec<f64>> = match value {
            Value::Array(values) => values.iter().map(Value::as_f64).collect(),
            other => other.as_f64().map(|number| vec![number; 3]),
        };
        match numbers.as_deref() {
            Some(&[grey]) => Ok(Some([grey as f32; 3])),
            Some(&[red, green, blue]) => Ok(Some([red as f32, green as f32, blue as f32])),
            _ => Err(self.refuse(field, "not one number or three")),
        }
    }

    /// Whether any of these fields is a list of one value, as for a picture of one channel.
    fn is_grey(&self, names: &[&str]) -> bool {
        names.iter().any(|name| matches!(self.get(name), Some(Value::Array(values)) if values.len() == 1))
    }

    fn required<T>(&self, field: &'static str, value: Option<T>) -> Result<T, ConfigError> {
        value.ok_or(ConfigError::Missing { field })
    }
}

fn pixels(value: &Value) -> Option<usize> {
    // A size saved as 224.0 is still 224 pixels.
    let n = value.as_f64()?;
    (n.fract() == 0.0 && (1.0..=65_535.0).contains(&n)).then_some(n as usize)
}

fn square(n: usize) -> Size {
    Size { height: n, width: n }
}

/// The short or only side of `size`, or both.
enum SizeField {
    Number(usize),
    ShortestEdge(usize),
    Both(Size),
}

fn size_field(fields: &Fields, field: &'static str) -> Result<Option<SizeField>, ConfigError> {
    let Some(value) = fields.get(field) else { return Ok(None) };
    let refuse = || fields.refuse(field, "not a number, {shortest_edge} or {height, width}");
    if let Value::Object(sides) = value {
        let given: Vec<(&str, &Value)> =
            sides.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.as_str(), v)).collect();
        let side = |name| given.iter().find(|(key, _)| *key == name).and_then(|(_, value)| pixels(value));
        return match (given.len(), side("shortest_edge"), side("height"), side("width")) {
            (1, Some(n), None, None) => Ok(Some(SizeField::ShortestEdge(n))),
            (2, None, Some(height), Some(width)) => Ok(Some(SizeField::Both(Size { height, width }))),
            _ => Err(refuse()),
        };
    }
    pixels(value).map(|n| Some(SizeField::Number(n))).ok_or_else(refuse)
}

/// `int(n * factor)` as a size in pixels.
fn scaled(fields: &Fields, field: &'static str, n: f64) -> Result<usize, ConfigError> {
    if (1.0..=65_535.0).contains(&n) {
        return Ok(n as usize);
    }
    Err(fields.refuse(field, "leads to a size outside 1 to 65535 pixels"))
}

fn hugging_face((name, sizing, crops): Family, fields: &Fields) -> Result<Preprocessing, ConfigError> {
    let mut steps = Preprocessing {
        origin: Origin::HuggingFace,
        crop_rule: CropRule::Floor,
        scale: Scale::Divide(1.0),
        ..Preset::Raw255.steps()
    };
    let mut understood: Vec<&str> = vec!["do_resize", "size", "resample", "do_rescale", "rescale_factor"];
    understood.extend(["do_normalize", "image_mean", "image_std", "default_to_square"]);
    if fields.flag("do_resize")?.unwrap_or(true) {
        let size = fields.required("size", size_field(fields, "size")?)?;
        (steps.resize, steps.crop) = resized(sizing, size, fields)?;
        steps.interpolation = resample(fields)?;
    }
    if matches!(sizing, Sizing::ConvNext | Sizing::PoolFormer) {
        understood.push("crop_pct");
    }
    if crops {
        understood.extend(["do_center_crop", "crop_size"]);
        if fields.required("do_center_crop", fields.flag("do_center_crop")?)? {
            steps.crop = match fields.required("crop_size", size_field(fields, "crop_size")?)? {
                SizeField::Number(n) => Some(square(n)),
                SizeField::Both(size) => Some(size),
                SizeField::ShortestEdge(_) => return Err(fields.refuse("crop_size", "a crop needs height and width")),
            };
        }
    } else if fields.flag("do_center_crop")? != Some(true) {
        // Written by some versions of processors that never crop.
        understood.push("crop_size");
    }
    if fields.flag("do_rescale")?.unwrap_or(true) {
        let factor = fields.number("rescale_factor")?.unwrap_or(1.0 / 255.0);
        if factor <= 0.0 {
            return Err(fields.refuse("rescale_factor", "not above 0"));
        }
        steps.scale = Scale::Multiply(factor);
    }
    // MobileViT's processor never subtracts a mean, whatever its file says of it.
    let normalizes = name != "MobileViT";
    if normalizes && fields.flag("do_normalize")?.unwrap_or(true) {
        steps.mean = fields.required("image_mean", fields.colours("image_mean")?)?;
        steps.std = fields.required("image_std", fields.colours("image_std")?)?;
        steps.grey = fields.is_grey(&["image_mean", "image_std"]);
    }
    match name {
        "MobileViT" => {
            understood.push("do_flip_channel_order");
            if fields.required("do_flip_channel_order", fields.flag("do_flip_channel_order")?)? {
                steps.color = Color::Bgr;
            }
            if fields.flag("do_normalize")? == Some(true) {
                return Err(fields.refuse("do_normalize", "this processor does not normalize"));
            }
        }
        // Its default is a second division.
        "EfficientNet" if fields.required("include_top", fields.flag("include_top")?)? => {
            return Err(fields.refuse("include_top", "it divides by image_std a second time"));
        }
        "EfficientNet" => understood.push("include_top"),
        "DPT" if fields.number("ensure_multiple_of")? == Some(1.0) => understood.push("ensure_multiple_of"),
        _ => {}
    }
    let strange = fields.map.iter().find(|(field, value)| {
        let asks_nothing = value.is_null() || **value == Value::Bool(false);
        !asks_nothing && !understood.contains(&field.as_str()) && !HARMLESS.contains(&field.as_str())
    });
    match strange {
        Some((field, _)) => Err(fields.refuse(field, "unknown for this processor")),
        None => Ok(steps),
    }
}

fn resized(sizing: Sizing, size: SizeField, fields: &Fields) -> Result<(Resize, Option<Size>), ConfigError> {
    let to_square = fields.flag("default_to_square")?.unwrap_or(sizing == Sizing::Square);
    let short = match (size, sizing) {
        (SizeField::Both(size), Sizing::Square | Sizing::Short | Sizing::Levit) => {
            return Ok((Resize::Exact(size), None));
        }
        (SizeField::Both(_), _) => return Err(fields.refuse("size", "this processor wants {shortest_edge}")),
        (SizeField::Number(n), Sizing::Square | Sizing::Short) if to_square => {
            return Ok((Resize::Exact(square(n)), None));
        }
        (SizeField::ShortestEdge(_), Sizing::Square)
            if !matches!(fields.get("default_to_square"), Some(Value::Bool(false))) =>
        {
            return Err(fields.refuse("size", "this processor wants {height, width}"));
        }
        (SizeField::Number(n) | SizeField::ShortestEdge(n), _) => n,
    };
    let n = short as f64;
    match sizing {
        Sizing::Square | Sizing::Short => Ok((Resize::ShortSide(short), None)),
        Sizing::Levit => Ok((Resize::ShortSide(scaled(fields, "size", 256.0 / 224.0 * n)?), None)),
        // "Below 384" is a rule of the processor: larger pictures are warped, not cropped.
        Sizing::ConvNext if short >= 384 => Ok((Resize::Exact(square(short)), None)),
        Sizing::ConvNext => {
            let part = crop_pct(fields)?.unwrap_or(224.0 / 256.0);
            Ok((Resize::ShortSide(scaled(fields, "crop_pct", n / part)?), Some(square(short))))
        }
        // Absent is 0.9, null is none: only what is written is sure.
        Sizing::PoolFormer if !fields.map.contains_key("crop_pct") => Err(ConfigError::Missing { field: "crop_pct" }),
        Sizing::PoolFormer => {
            let part = crop_pct(fields)?.unwrap_or(1.0);
            Ok((Resize::ShortSide(scaled(fields, "crop_pct", n / part)?), None))
        }
    }
}

fn crop_pct(fields: &Fields) -> Result<Option<f64>, ConfigError> {
    match fields.number("crop_pct")? {
        Some(part) if part <= 0.0 => Err(fields.refuse("crop_pct", "not above 0")),
        part => Ok(part),
    }
}

/// Pillow's numbers of its filters.
fn resample(fields: &Fields) -> Result<Interpolation, ConfigError> {
    let value = fields.required("resample", fields.get("resample"))?;
    Ok(match value.as_u64() {
        Some(0) => Interpolation::Nearest,
        Some(1) => Interpolation::Lanczos,
        Some(2) => Interpolation::Bilinear,
        Some(3) => Interpolation::Bicubic,
        Some(4) => Interpolation::Box,
        Some(5) => Interpolation::Hamming,
        _ => return Err(fields.refuse("resample", "not one of Pillow's filters 0 to 5")),
    })
}

fn timm(fields: &Fields) -> Result<Preprocessing, ConfigError> {
    let imagenet = Preset::Imagenet.steps();
    let not_colours = || fields.refuse("input_size", "not 3 colours or 1, a height and a width");
    let (size, grey) = match fields.get("input_size") {
        None => (square(224), false),
        Some(Value::Array(sides)) => match sides.iter().map(pixels).collect::<Option<Vec<_>>>().as_deref() {
            Some(&[n @ (1 | 3), height, width]) => (Size { height, width }, n == 1),
            _ => return Err(not_colours()),
        },
        Some(_) => return Err(not_colours()),
    };
    let part = crop_pct(fields)?.unwrap_or(0.875);
    let scale_size = Size {
        height: scaled(fields, "crop_pct", size.height as f64 / part)?,
        width: scaled(fields, "crop_pct", size.width as f64 / part)?,
    };
    let named = |field| fields.get(field).map(|value| value.as_str().unwrap_or_default());
    let mut interpolation = match named("interpolation") {
        None | Some("bicubic") => Interpolation::Bicubic,
        Some("bilinear") => Interpolation::Bilinear,
        Some("nearest") => Interpolation::Nearest,
        Some("lanczos") => Interpolation::Lanczos,
        Some("box") => Interpolation::Box,
        Some("hamming") => Interpolation::Hamming,
        Some(_) => return Err(fields.refuse("interpolation", "not one of Pillow's filters")),
    };
    let mean = fields.colours("mean")?.unwrap_or(imagenet.mean);
    let std = fields.colours("std")?.unwrap_or(imagenet.std);
    let mut border = [0; 3];
    let resize = match named("crop_mode") {
        None | Some("center") if scale_size.height == scale_size.width => Resize::ShortSide(scale_size.height),
        None | Some("center") => {
            // create_transform does not hand the interpolation on in this case.
            interpolation = Interpolation::Bilinear;
            Resize::Cover(scale_size)
        }
        Some("squash") => Resize::Exact(scale_size),
        Some("border") => {
            border = mean.map(|value| (255.0 * f64::from(value)).round_ties_even().clamp(0.0, 255.0) as u8);
            Resize::Within(scale_size)
        }
        Some(_) => return Err(fields.refuse("crop_mode", "not center, squash or border")),
    };
    let origin = Origin::Timm;
    Ok(Preprocessing { origin, resize, crop: Some(size), border, interpolation, mean, std, grey, ..imagenet })
}

/// What open_clip does for evaluation with its `preprocess_cfg`.
///
/// It resizes a picture before it makes RGB of it, which is another thing for palettes and transparency alone; here
/// pictures are RGB first, as every loader of datasets makes them.
fn open_clip(fields: &Fields, vision: Option<&Value>) -> Result<Preprocessing, ConfigError> {
    const KNOWN: [&str; 7] = ["size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color"];
    let named = |field| fields.get(field).map(|value| value.as_str().unwrap_or_default());
    let unknown = fields.map.iter().find(|(field, value)| !value.is_null() && !KNOWN.contains(&field.as_str()));
    if let Some((field, _)) = unknown {
        return Err(fields.refuse(field, "unknown to open_clip"));
    }
    if !matches!(named("mode"), None | Some("RGB")) {
        return Err(fields.refuse("mode", "open_clip knows RGB alone"));
    }
    let size = open_clip_size(fields, vision)?;
    let interpolation = match named("interpolation") {
        // "random" is for training; it shows bicubic.
        None | Some("bicubic" | "random") => Interpolation::Bicubic,
        Some("bilinear") => Interpolation::Bilinear,
        Some(_) => return Err(fields.refuse("interpolation", "not bicubic, bilinear or random")),
    };
    let (resize, crop) = match named("resize_mode") {
        None | Some("shortest") if size.height == size.width => (Resize::ShortSide(size.height), Some(size)),
        None | Some("shortest") => (Resize::Cover(size), Some(size)),
        Some("longest") => (Resize::Within(size), Some(size)),
        Some("squash") => (Resize::Exact(size), None),
        Some(_) => return Err(fields.refuse("resize_mode", "not shortest, longest or squash")),
    };
    let fill = fields.number("fill_color")?.unwrap_or(0.0);
    if fill.fract() != 0.0 || !(0.0..=255.0).contains(&fill) {
        return Err(fields.refuse("fill_color", "not a grey level from 0 to 255"));
    }
    let clip = Preset::Clip.steps();
    Ok(Preprocessing {
        origin: Origin::OpenClip,
        resize,
        crop,
        border: [fill as u8; 3],
        interpolation,
        mean: fields.colours("mean")?.unwrap_or(clip.mean),
        std: fields.colours("std")?.unwrap_or(clip.std),
        ..clip
    })
}

/// The size that a model of open_clip takes: its own, which comes before that of its preprocessing.
fn open_clip_size(fields: &Fields, vision: Option<&Value>) -> Result<Size, ConfigError> {
    let refuse = || fields.refuse("size", "not a number of pixels, nor a height and a width");
    let size = match vision.and_then(Value::as_object) {
        Some(vision) => match vision.get("image_size").filter(|size| !size.is_null()) {
            Some(size) => size,
            None => return Ok(square(224)),
        },
        None => fields.required("size", fields.get("size"))?,
    };
    match size {
        Value::Array(sides) => match sides.iter().map(pixels).collect::<Option<Vec<_>>>().as_deref() {
            Some(&[n]) => Ok(square(n)),
            Some(&[height, width]) => Ok(Size { height, width }),
            _ => Err(refuse()),
        },
        number => pixels(number).map(square).ok_or_else(refuse),
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
