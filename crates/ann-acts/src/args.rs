//! The command line of `ann-acts`: its help, and the options that no room owns.

use crate::changed::args::ChangedArgs;
use crate::network::args::RunningArgs;
use crate::network::inputs::InputsAsked;
use crate::preprocessing::args::PreprocessingArgs;
use crate::units::args::UnitArgs;
use crate::units::projection::ProjectionArgs;
use clap::Parser;
use cli::{Input, OutputPath, Shard};
use npy_stream::Dtype;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
INPUT
  A stimulus table has a column `path` (relative to the table) and may have a column `stimulus` with ids; its order
  is kept. A folder is searched with its subfolders, sorted by path; links are followed, and no folder is read twice.
  Ids are the paths below the folder; for files and paths on stdin, the paths as given.
  JPEG, PNG, WebP, BMP, GIF (the first frame), TIFF and Netpbm (P1 to P6) are read as Pillow's convert(\"RGB\") reads
  them: alpha is dropped (--background puts a colour behind transparent pixels), and EXIF rotation is not applied
  (--exif applies it; TIFF files are always turned, as in Pillow). 16-bit grey keeps its high byte, where Pillow clips
  it to white (--grey16 clip). Stderr says how many pictures are transparent, turned, 16-bit grey or smaller than the
  crop. A network with one channel gets grey as Pillow's convert(\"L\") makes it; --mean and --std are one number then.
  The headers of all pictures are read first, and a damaged one stops the run. Damage behind the header stops it when
  it is met, unless --bad-image nan fills that row with NaN. A JPEG that libjpeg calls corrupt (bad codes, data that
  end too early or too late) counts as damaged; Pillow takes it without a word, and so does --bad-image keep, which
  counts the warnings. A JPEG file that is cut off is an error in Pillow and with --bad-image keep.

LAYERS
  pool, /layer4/relu/Relu_output_0   a tensor's name, else a node's name
  layer4.1.relu, blocks.5            a module of the network, as its author named it: the tensor that leaves it
  layer4.1.relu_1                    the second call of a module that is called twice
  3, -1                              the index in --list-layers; negative ones count from the end
  @Relu                              all tensors of an operator
  'block_*'                          a glob over the names of tensors, nodes and modules; * also crosses /
  're:conv[12]$'                     a regular expression, found anywhere in such a name
  For anything but a tensor's own name, stderr says which tensor was taken.

PREPROCESSING
  preset             resize     crop  interpolation  value
  imagenet           256        224   bilinear       (x/255 - mean) / std, torchvision's
  clip               224        224   bicubic        (x/255 - mean) / std, CLIP's
  efficientnet-lite  256        224   bicubic        (x - 127) / 128
  tf                 224x224    none  bilinear       x/127.5 - 1
  raw01              none       none  bilinear       x/255
  raw255             none       none  bilinear       x
  Without --preprocess, the configuration beside the model is used (or the one above its folder, if that folder is
  named onnx), and stderr names it even with --quiet: processor_config.json (with an image_processor in it) or
  preprocessor_config.json of Hugging Face, preprocess_cfg.json or open_clip_config.json of open_clip, config.json of
  timm, in this order. If the model is a link, the folder of the link comes first, then the folder it leads to. Other
  files there that look like preprocessing are named. A field that cannot be followed exactly is an error.
  --resize, --crop, --interpolation, --mean, --std and --color replace single steps; mean and std are in the units
  that the first division leaves.

UNITS
  The meaning of a layer's axes (channel, y, x, token) is followed through the graph. Without --pool and --tokens every
  number of a layer is a unit, numbered in C order. --pool makes one unit per channel (sums in f64; NaN stays NaN).
  Tokens before the patches (class token, registers) are those that the map of patches leaves over: 197 tokens with
  14x14 patches have 1. --tokens mean and patches leave them out. Several kinds (--tokens cls,mean) come from one pass:
  each makes an array, called LAYER.cls and LAYER.mean in files, sidecars, --units and --unit-table. A layer without a
  map (for --tokens: without tokens) stays as it is, and stderr says so; that none has one is an error. So is a layer
  that was named and whose axes have no clear meaning.
  --units takes the table of select-units, run on activations with the same --pool and --tokens: `unit` is the column
  of that matrix. Rows are matched by `layer` (or `array`: a layer, the stem of its file, or its position in a stream),
  and columns come out in ascending order of unit. A unit twice, a unit that the layer does not have, or no unit at all
  is an error. Of a table with several contrasts or folds, --contrast and --fold choose one.
  --srp and --pca come last. The random matrix depends on the seed, the layer's width and N, and on nothing else.

OUTPUT
  A .npy matrix with one row per picture, the layer flattened in C order, followed by the ids as labels. Several layers
  without --out-dir follow one another in the order asked. Where windows, heads or tokens share an axis with the
  pictures, they are units of their picture: its row is what the layer gives for that picture alone, in C order.
  Before anything is written, the first picture is run alone and beside others, to check that its row does not depend
  on them. A change of more than 1e-6 of the layer's largest value (1e-3 in half precision) with other pictures beside
  it, or of more than 1e-4 (1e-2; 5e-2 of quantized networks) with their number, is an error that names the node,
  unless changing the picture in its last digit moves the row as far. Training mode and random numbers before a layer
  are errors, too. --batch 1 runs each picture alone.
  --list-layers: index, layer (the tensor's name), module, node, op, shape, n_units, dtype. Tensors in which nothing of
  a picture arrives (constants, arithmetic on the lengths of axes) are left out unless --all; index counts them, too.
  --doctor: variant (0 is the preprocessing asked for), resize, crop, interpolation, color, normalization; then rank,
  label and score (softmax) of the --top classes; and r and relative_l2 of the layer against variant 0.
  --unit-table: layer, unit (as select-units numbers the matrix without --units), channel, y, x, token (prefix tokens
  counted; y and x of a token are those of its patch), column (of the matrix written). A unit without one clear place,
  such as one of an attention map, has only its numbers.
  --device cuda is not yet tested on a GPU; scripts/check-cuda.sh compares its numbers with the processor's.

EXAMPLES
  ann-acts lite0.onnx --list-layers
  ann-acts lite0.onnx --preprocess efficientnet-lite --layer pool floc.csv > pool.npy
  ann-acts lite0.onnx --preprocess efficientnet-lite --layer 'block_*' --out-dir acts floc.csv
";

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
    #[arg(
        long,
        value_name = "ADDRESS",
        allow_hyphen_values = true,
        required_unless_present_any = ["list_layers", "layers_from", "doctor"]
    )]
    pub layer: Vec<String>,

    /// Layers from a file, one address a line; lines that start with # are left out
    #[arg(long, value_name = "FILE", conflicts_with = "list_layers")]
    pub layers_from: Option<Input>,

    /// Leave out layers that only rename an earlier one (Flatten, Reshape, Identity ...)
    #[arg(long, conflicts_with = "list_layers")]
    pub dedup: bool,

    /// What the network's inputs get.
    #[command(flatten)]
    pub inputs: InputsAsked,

    /// List the tensors that the network makes, and stop
    #[arg(long, group = "table", conflicts_with_all = ["layer", "contrast", "fold"])]
    pub list_layers: bool,

    /// With --list-layers: also constants and shape arithmetic, which no picture changes
    #[arg(long, requires = "list_layers", conflicts_with_all = ["layer", "layers_from", "doctor"])]
    pub all: bool,

    /// Show one picture in every common preprocessing, say what a classifier makes of it and how far --layer (else the
    /// network's last output) moves, and stop
    #[arg(
        long,
        group = "table",
        conflicts_with_all = [
            "list_layers", "layers_from", "out_dir", "dump_input", "shard", "resume", "untrained", "lesion", "units",
            "contrast", "fold", "unit_table", "pool", "tokens", "srp", "pca", "dedup", "dtype", "batch",
        ]
    )]
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

    /// Width of the numbers written [default: f4, f8 where the layer is f8]
    #[arg(long, value_name = "f2|f4|f8")]
    pub dtype: Option<Dtype>,

    /// From picture to input.
    #[command(flatten)]
    pub preprocessing: PreprocessingArgs,

    /// Also write the input that the network saw, one row per picture, flattened in C order
    #[arg(long, value_name = "FILE", conflicts_with = "list_layers", help_heading = "Preprocessing")]
    pub dump_input: Option<OutputPath>,

    /// What a unit is.
    #[command(flatten)]
    pub units: UnitArgs,

    /// What becomes of layers too wide to keep.
    #[command(flatten)]
    pub projection: ProjectionArgs,

    /// Untrained twins and lesions.
    #[command(flatten)]
    pub changed: ChangedArgs,

    /// How the network runs.
    #[command(flatten)]
    pub running: RunningArgs,

    /// Only part I of N of the pictures, I from 0; slurm: this task of its job array
    #[arg(long, value_name = "I/N|slurm", conflicts_with = "list_layers", help_heading = "Running")]
    pub shard: Option<Shard>,

    /// Go on with a run that was stopped (the same command again); needs --out-dir, or -o with one layer
    #[arg(long, conflicts_with_all = ["list_layers", "dump_input"], help_heading = "Running")]
    pub resume: bool,

    /// Output, threads and quiet.
    #[command(flatten)]
    pub common: cli::Common,
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
}
