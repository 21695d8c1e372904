//! The command line of `ann-acts`.

use crate::altered::LesionAsked;
use crate::bad_pictures::BadImage;
use crate::device::DeviceChoice;
use crate::inputs::{InputsAsked, Setting};
use crate::lesion::{HeldAt, LesionBy};
use crate::picture::{Grey16, Reading};
use crate::preprocess::{Color, Overrides, Preset, Resize, Size};
use crate::projection::ProjectionArgs;
use crate::resample::Interpolation;
use crate::unit_args::UnitArgs;
use crate::untrained::Untrained;
use clap::{Parser, ValueEnum};
use cli::{Input, Shard};
use npy_stream::Dtype;
use std::path::PathBuf;

/// Activations of an ONNX network's layers to pictures, one labelled row per picture
#[derive(Debug, Parser)]
#[command(name = "ann-acts", version, about, long_about = None, after_help = AFTER_HELP)]
pub struct Args {
    /// The network, an .onnx file
    pub model: PathBuf,

    /// Pictures: a stimulus table (.csv, .tsv), a folder, files, or - for paths on stdin
    #[arg(required_unless_present = "list_layers", conflicts_with = "list_layers")]
    pub images: Vec<PathBuf>,

    /// A layer; see LAYERS. Repeat for more, all come from one pass
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true, required_unless_present_any = ["list_layers", "layers_from", "doctor"])]
    pub layer: Vec<String>,

    /// Layers from a file, one address a line; lines that start with # are left out
    #[arg(long, value_name = "FILE", conflicts_with = "list_layers")]
    pub layers_from: Option<Input>,

    /// Leave out layers that only rename an earlier one (Flatten, Reshape, Identity ...)
    #[arg(long, conflicts_with = "list_layers")]
    pub dedup: bool,

    /// The input that takes the pictures, where the network has several that could
    #[arg(long, value_name = "NAME", conflicts_with = "list_layers")]
    pub input: Option<String>,

    /// What another input of the network gets, one number all over; repeat for more
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "list_layers")]
    pub set: Vec<Setting>,

    /// List every tensor that the network makes, and stop
    #[arg(long, group = "table", conflicts_with = "layer")]
    pub list_layers: bool,

    /// Show one picture in every common preprocessing, say what a classifier makes of it and how far --layer (else the
    /// network's last output) moves, and stop
    #[arg(long, group = "table", conflicts_with_all = ["list_layers", "layers_from", "out_dir", "dump_input", "shard", "resume", "untrained", "lesion", "units", "unit_table", "pool", "tokens", "srp", "pca", "dedup", "dtype", "batch"])]
    pub doctor: bool,

    /// Names of the classes for --doctor, one a line
    #[arg(long, value_name = "FILE", requires = "doctor")]
    pub labels: Option<Input>,

    /// Classes that --doctor shows of each variant
    #[arg(long, value_name = "N", default_value_t = 1, requires = "doctor")]
    pub top: usize,

    /// Table format of --list-layers and --doctor
    #[arg(long, value_enum, default_value_t, requires = "table")]
    pub format: cli::Format,

    /// Write one file per layer into this folder (made if needed), each with its sidecar
    #[arg(long, value_name = "DIR", conflicts_with_all = ["output", "list_layers"])]
    pub out_dir: Option<cli::OutputFolder>,

    /// Paths on stdin end with NUL instead of a newline
    #[arg(short = '0', long = "null")]
    pub nul: bool,

    /// Steps from picture to network input: a preset (see PREPROCESSING) or the model's configuration, a .json file
    /// [default: the one beside the model, else imagenet]
    #[arg(long, value_name = "PRESET|FILE.json", value_parser = preprocess_name, help_heading = "Preprocessing")]
    pub preprocess: Option<PreprocessName>,

    /// N: short side to N pixels, as torchvision; HxW: exactly this size, no crop; none
    #[arg(long, value_name = "N|HxW|none", value_parser = resize, help_heading = "Preprocessing")]
    pub resize: Option<Resize>,

    /// Centre crop, padded with black where the picture is smaller; none
    #[arg(long, value_name = "N|HxW|none", value_parser = crop, help_heading = "Preprocessing")]
    pub crop: Option<Crop>,

    /// Interpolation of --resize, equal to Pillow's (antialiased)
    #[arg(long, value_name = "KIND", value_enum, help_heading = "Preprocessing")]
    pub interpolation: Option<InterpolationName>,

    /// Mean of red, green, blue (or one for all), after the preset's division
    #[arg(long, value_name = "R,G,B", value_parser = colours, allow_hyphen_values = true, help_heading = "Preprocessing")]
    pub mean: Option<[f32; 3]>,

    /// Standard deviation of red, green, blue (or one for all), after the preset's division
    #[arg(long, value_name = "R,G,B", value_parser = colours, allow_hyphen_values = true, help_heading = "Preprocessing")]
    pub std: Option<[f32; 3]>,

    /// Colour order that the network wants; --mean and --std stay red, green, blue
    #[arg(long, value_enum, help_heading = "Preprocessing")]
    pub color: Option<ColorName>,

    /// Turn pictures upright by their EXIF orientation, as Pillow's ImageOps.exif_transpose
    #[arg(long, help_heading = "Preprocessing")]
    pub exif: bool,

    /// The colour behind transparent pixels [default: none, the colours stored under the transparency are taken]
    #[arg(long, value_name = "R,G,B", value_parser = levels, conflicts_with = "list_layers", help_heading = "Preprocessing")]
    pub background: Option<Levels>,

    /// What is taken of 16-bit grey: its high byte, or its value clipped at 255 as Pillow does
    #[arg(long, value_name = "KIND", value_enum, default_value_t, help_heading = "Preprocessing")]
    pub grey16: Grey16Name,

    /// A picture that turns out damaged while it is decoded: stop, keep its row and fill it with NaN, or (of a JPEG that
    /// libjpeg calls corrupt, not one that is cut off) keep what can be read, as Pillow does
    #[arg(long, value_name = "KIND", value_enum, default_value_t, help_heading = "Preprocessing")]
    pub bad_image: BadImageName,

    /// Also write the input that the network saw, one flattened row per picture
    #[arg(long, value_name = "FILE", conflicts_with = "list_layers", help_heading = "Preprocessing")]
    pub dump_input: Option<cli::OutputPath>,

    /// Draw every weight anew from this seed: he (normal, variance 2/fan-in), lecun (1/fan-in), or shuffle the trained ones
    #[arg(
        long,
        value_name = "SEED[:he|lecun|shuffle]",
        conflicts_with = "list_layers",
        help_heading = "Changed networks"
    )]
    pub untrained: Option<Untrained>,

    /// Hold units of a layer at a value: a table with a column `unit`, as select-units writes it
    #[arg(long, value_name = "UNITS.csv", conflicts_with = "list_layers", help_heading = "Changed networks")]
    pub lesion: Option<Input>,

    /// What lesioned units are held at: a number, or each unit's mean over all pictures
    #[arg(
        long,
        value_name = "NUMBER|mean",
        default_value = "0",
        allow_hyphen_values = true,
        requires = "lesion",
        help_heading = "Changed networks"
    )]
    pub to: HeldAt,

    /// The lesioned layer, by name, where the table does not name it
    #[arg(long, value_name = "NAME", requires = "lesion", help_heading = "Changed networks")]
    pub lesion_layer: Option<String>,

    /// What the numbers in the table count, where the layer has more than channels
    #[arg(long, value_enum, requires = "lesion", help_heading = "Changed networks")]
    pub lesion_by: Option<LesionBy>,

    /// Pictures per forward pass, or auto: as many as a quarter gigabyte of input and layers holds, at most 32
    /// (128 on a card)
    #[arg(long, value_name = "N|auto", default_value = "16", value_parser = batch, help_heading = "Running")]
    pub batch: BatchSize,

    /// Where the network runs; cuda:N is the N-th NVIDIA card from 0, auto the first one if it can be used
    /// [default: auto]
    #[arg(long, value_name = "auto|cpu|cuda[:N]", help_heading = "Running")]
    pub device: Option<DeviceChoice>,

    /// Let a card round the factors of products to 10 bits (TensorFloat-32): faster, errors of about 1e-3
    #[arg(long, help_heading = "Running")]
    pub tf32: bool,

    /// Only part I of N of the pictures, I from 0; slurm: this task of its job array
    #[arg(long, value_name = "I/N|slurm", conflicts_with = "list_layers", help_heading = "Running")]
    pub shard: Option<Shard>,

    /// Go on with a run that was stopped (the same command again); needs --out-dir, or -o with one layer
    #[arg(long, conflicts_with_all = ["list_layers", "dump_input"], help_heading = "Running")]
    pub resume: bool,

    /// Width of the numbers written [default: f4, f8 where the layer is f8]
    #[arg(long, value_name = "f2|f4|f8")]
    pub dtype: Option<Dtype>,

    /// libonnxruntime.so to load [default: ORT_DYLIB_PATH, else beside this program]
    #[arg(long, value_name = "FILE", help_heading = "Running")]
    pub onnxruntime: Option<PathBuf>,

    /// What a unit is.
    #[command(flatten)]
    pub units: UnitArgs,

    /// What becomes of layers too wide to keep.
    #[command(flatten)]
    pub projection: ProjectionArgs,

    /// Output, threads and quiet.
    #[command(flatten)]
    pub common: cli::Common,
}

const AFTER_HELP: &str = "\
INPUT
  A stimulus table has a `path` column (relative to the table) and may have a `stimulus` column of
  ids; its order is kept. A folder is searched with its subfolders, sorted by path, links followed, each
  folder once however many links lead to it;
  its ids are the paths below it, those of files and of stdin the paths as given. JPEG, PNG, WebP,
  BMP, GIF (the first frame), TIFF and Netpbm (P1 to P6) are read as Pillow's convert(\"RGB\") reads them: alpha
  dropped (--background lays transparent pixels on a colour), EXIF
  rotation not applied (--exif applies it; of TIFF always, as Pillow does). 16-bit grey keeps its
  high byte (Pillow would clip it to white: --grey16 clip). How many pictures are transparent, turned, 16-bit grey or
  smaller than the crop is said on stderr. A network of one channel gets grey as Pillow's convert(\"L\") makes it;
  --mean and --std are one number then. The header of every picture is read
  before anything else is done, and one that is damaged stops the run; damage behind the header
  stops it too, unless --bad-image nan keeps the row and fills it with NaN. A JPEG that libjpeg calls corrupt
  (bad codes, data that end too early or too late) is damaged; Pillow takes it as it is, and so does --bad-image keep,
  which counts the warnings. A JPEG file that is cut off is an error to Pillow and to --bad-image keep.

OUTPUT
  A .npy matrix, one row per picture, the layer flattened in C order, followed by the ids as labels.
  Windows, heads or tokens that share the axis of the pictures are units of their picture: its row is the layer
  as it comes out for that picture alone, in C order.
  Before anything is written the first picture is run alone and beside others: a row that changes by more than
  1e-6 of the layer's largest value with the pictures beside it (1e-3 in half precision), or by more than 1e-4
  (1e-2; 5e-2 of quantized networks) with their number, is an error that names the node, unless a last digit more or less in
  the picture moves it as far. So are training mode and random numbers before a layer. --batch 1 runs each picture alone.
  Several layers without --out-dir follow one another in the order asked.
  --doctor: variant (0 is the preprocessing asked for), resize, crop, interpolation, color, normalization, then rank, label and score
  (softmax) of the --top classes, and r and relative_l2 of the layer against variant 0.
  --list-layers: index, layer (the tensor's name), module, node, op, shape, n_units, dtype.

LAYERS
  pool, /layer4/relu/Relu_output_0   a tensor's name, else a node's name
  layer4.1.relu, blocks.5            a module of the network, as its author named it: what leaves it
  layer4.1.relu_1                    the second call of a module that is called twice
  3, -1                              as --list-layers counts, from the end if negative
  @Relu                              all tensors of an operator
  'block_*'                          glob over names of tensors, nodes and modules; * also crosses /
  're:conv[12]$'                     regular expression, found anywhere in such a name
  Anything but a tensor's own name is said on stderr with the tensor that it came to.

PREPROCESSING
  preset             resize     crop  interpolation  value
  imagenet           256        224   bilinear       (x/255 - mean) / std, torchvision's
  clip               224        224   bicubic        (x/255 - mean) / std, CLIP's
  efficientnet-lite  256        224   bicubic        (x - 127) / 128
  tf                 224x224    none  bilinear       x/127.5 - 1
  raw01              none       none  bilinear       x/255
  raw255             none       none  bilinear       x
  Without --preprocess, the configuration beside the model (or above its folder, if that is really named onnx) is
  followed and named on stderr, even under --quiet: processor_config.json (with an image_processor in it) or
  preprocessor_config.json of Hugging Face, preprocess_cfg.json or open_clip_config.json of open_clip, config.json of
  timm, in this order. A model that is a link lies where the link is; after that the folder it leads to counts. Other
  files there that look like preprocessing are named. A field that cannot be
  followed exactly is an error. --resize, --crop, --interpolation, --mean, --std and --color replace
  single steps of either; mean and std stay in the units that the first division leaves.

UNITS
  Which axis of a layer is channel, y, x or token is followed through the graph. Without --pool and
  --tokens every number of a layer is a unit, numbered in C order. --pool makes one unit per channel
  (sums in f64; NaN stays NaN). Tokens before the patches (class token, registers) are those that the map
  of patches does not explain: 197 tokens of 14x14 patches have 1; --tokens mean and patches leave them out.
  A layer that was named and has no map (no tokens) is an error, one met by a pattern stays as it is.
  --units takes the table of select-units, run on the same --pool and --tokens: `unit` is the column of that
  matrix. Rows are taken by `layer` (or `array`: a layer, the stem of its file, its position in a stream),
  columns come out in ascending order of unit; a unit twice, a unit too many or no unit at all is an error.
  --unit-table: layer, unit (as select-units numbers the matrix without --units), channel, y, x, token
  (prefix tokens counted; y and x of a token are those of its patch), column (of the matrix written). What has
  no clear place, as an attention map, has only its numbers.
  --srp and --pca come last; nothing but seed, width and N decides the random matrix.

EXAMPLES
  ann-acts lite0.onnx --list-layers
  ann-acts lite0.onnx --preprocess efficientnet-lite --layer pool floc.csv > pool.npy
  ann-acts lite0.onnx --preprocess efficientnet-lite --layer 'block_*' --out-dir acts floc.csv
";

/// `--preprocess`: a preset or a configuration file.
#[derive(Debug, Clone)]
pub enum PreprocessName {
    Preset(Preset),
    File(PathBuf),
}

/// [`Interpolation`] on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum InterpolationName {
    Nearest,
    Bilinear,
    Bicubic,
    Lanczos,
    Box,
    Hamming,
}

impl From<InterpolationName> for Interpolation {
    fn from(name: InterpolationName) -> Self {
        match name {
            InterpolationName::Nearest => Self::Nearest,
            InterpolationName::Bilinear => Self::Bilinear,
            InterpolationName::Bicubic => Self::Bicubic,
            InterpolationName::Lanczos => Self::Lanczos,
            InterpolationName::Box => Self::Box,
            InterpolationName::Hamming => Self::Hamming,
        }
    }
}

/// [`Color`] on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ColorName {
    Rgb,
    Bgr,
}

/// [`Grey16`] on the command line.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Grey16Name {
    #[default]
    High,
    Clip,
}

/// [`BadImage`] on the command line.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum BadImageName {
    #[default]
    Stop,
    Nan,
    Keep,
}

/// `--background`: red, green and blue from 0 to 255.
#[derive(Debug, Clone, Copy)]
pub struct Levels([u8; 3]);

/// `--crop`: a size, or none.
#[derive(Debug, Clone, Copy)]
pub struct Crop(Option<Size>);

impl Args {
    /// The lesion that was asked for.
    pub(crate) fn lesion(&self) -> Option<LesionAsked<'_>> {
        let table = self.lesion.as_ref()?;
        Some(LesionAsked { table, to: self.to, layer: self.lesion_layer.as_deref(), by: self.lesion_by })
    }

    /// What was said about the network's inputs.
    pub(crate) fn inputs(&self) -> InputsAsked {
        InputsAsked { pictures: self.input.clone(), set: self.set.clone() }
    }

    /// How picture files are read.
    pub(crate) fn reading(&self) -> Reading {
        let grey16 = match self.grey16 {
            Grey16Name::High => Grey16::High,
            Grey16Name::Clip => Grey16::Clip,
        };
        let keep_corrupt = matches!(self.bad_image, BadImageName::Keep);
        Reading { exif: self.exif, grey16, background: self.background.map(|levels| levels.0), keep_corrupt }
    }

    /// What is done about damaged pictures.
    pub(crate) fn bad_image(&self) -> BadImage {
        match self.bad_image {
            BadImageName::Stop => BadImage::Stop,
            BadImageName::Nan => BadImage::Nan,
            BadImageName::Keep => BadImage::Keep,
        }
    }

    /// What the command line says differently from the preset.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            resize: self.resize,
            crop: self.crop.map(|crop| crop.0),
            interpolation: self.interpolation.map(Interpolation::from),
            mean: self.mean,
            std: self.std,
            color: self.color.map(|color| match color {
                ColorName::Rgb => Color::Rgb,
                ColorName::Bgr => Color::Bgr,
            }),
        }
    }
}

/// `--batch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// This many pictures.
    Pictures(usize),
    /// As many as fit.
    Auto,
}

fn batch(text: &str) -> Result<BatchSize, String> {
    match text.parse() {
        _ if text == "auto" => Ok(BatchSize::Auto),
        Ok(0) | Err(_) => Err("expected a whole number from 1, or auto".into()),
        Ok(n) => Ok(BatchSize::Pictures(n)),
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

fn levels(text: &str) -> Result<Levels, String> {
    let values: Result<Vec<u8>, _> = text.split(',').map(|value| value.trim().parse::<u8>()).collect();
    match values.as_deref() {
        Ok(&[all]) => Ok(Levels([all; 3])),
        Ok(&[red, green, blue]) => Ok(Levels([red, green, blue])),
        _ => Err("expected red,green,blue from 0 to 255, or one number for all".into()),
    }
}

fn colours(text: &str) -> Result<[f32; 3], String> {
    let values: Result<Vec<f32>, _> = text.split(',').map(|value| value.trim().parse::<f32>()).collect();
    match values.as_deref() {
        Ok(&[all]) => Ok([all; 3]),
        Ok(&[red, green, blue]) => Ok([red, green, blue]),
        _ => Err("expected one number, or three for red,green,blue".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn pictures_follow_layers_without_a_separator() {
        let args =
            Args::try_parse_from(["ann-acts", "m.onnx", "--layer", "pool", "--layer", "head", "floc.csv"]).unwrap();
        assert_eq!(args.layer, ["pool", "head"]);
        assert_eq!(args.images, [PathBuf::from("floc.csv")]);
        let args = Args::try_parse_from(["ann-acts", "m.onnx", "--layer", "pool", "-0", "-"]).unwrap();
        assert!(args.nul && args.images == [PathBuf::from("-")]);
        assert!(Args::try_parse_from(["ann-acts", "m.onnx", "floc.csv"]).is_err());
        assert!(Args::try_parse_from(["ann-acts", "m.onnx", "--layer", "pool"]).is_err());
        assert!(Args::try_parse_from(["ann-acts", "m.onnx", "--list-layers"]).is_ok());
    }

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
