//! `unit-stats`: what selected units are worth: how many there are in each layer, their overlap between localizers,
//! their responses to independent pictures, and the pictures that drive them.
//!
//! One folder per verb, with its help, its options, its run, and beside them the computations, which read and print
//! nothing. [`responses`] reads the columns of chosen units for `validate` and `probe`; [`pairs`] brings the
//! sets of two tables together for `overlap` and `compare`.
#![warn(missing_docs)]

mod compare;
mod layers;
mod overlap;
mod pairs;
mod probe;
mod responses;
mod validate;

/// What selected units are worth: how many each layer has, whether another localizer finds the same ones, how they
/// respond to independent pictures, and which pictures drive them
#[derive(Debug, clap::Parser)]
#[command(name = "unit-stats", version, about, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  unit-stats layers --stimuli floc.csv --by domain layer3.npy layer4.npy > layers.csv
  unit-stats overlap floc_units.csv other_units.csv > overlap.csv
  unit-stats validate other.npy --units floc_units.csv --stimuli other.csv --by category";

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Selected units of every layer and category: number, strength, specificity, spread over maps
    Layers(Box<layers::Layers>),
    /// How many units two localizers have in common: Dice, Jaccard, chance; or one localizer's units over thresholds of
    /// t
    Overlap(overlap::Overlap),
    /// How alike two maps of t are, such as a measured localizer's and that of an encoding model's predictions:
    /// correlation, Dice at equal size, ROC area
    Compare(compare::Compare),
    /// The chosen units' z-scored responses to an independent set of pictures, per category
    Validate(validate::Validate),
    /// The pictures that drive each unit most and least, the categories among them, and ROC areas
    Probe(probe::Probe),
}

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Layers(args) => layers::run(&args),
        Verb::Overlap(args) => overlap::run(&args),
        Verb::Compare(args) => compare::run(&args),
        Verb::Validate(args) => validate::run(&args),
        Verb::Probe(args) => probe::run(&args),
    }
}
