//! `npy`: plumbing for labelled `.npy` streams.
#![warn(missing_docs)]

mod average;
mod blocks;
mod cat;
mod cols;
mod from_csv;
mod ids;
mod info;
mod label;
mod list;
mod path_columns;
mod rename;
mod rows;
mod scale;
mod split;
mod stack;
mod to_csv;

/// Look into, cut, join and label .npy streams: matrices whose rows carry stimulus ids
#[derive(Debug, clap::Parser)]
#[command(name = "npy", version, after_help = HELP, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

const HELP: &str = "\
Input:
  .npy streams: a 2-d matrix (rows = presentations of stimuli), optionally followed by a 1-d <U
  array with one id per row, a second one with a name per column, and a 0-d one with the matrix's
  name; several of these back to back. FILE.npz:NAME is one array of an archive. - or nothing is
  stdin. Rows and columns count from 0.
Output:
  The same kind of stream on stdout, or whole with -o FILE (and how it was made in FILE's .json).

Examples:
  npy info acts.npy
  npy cols --units face_units.csv acts.npy > face_acts.npy
  npy rows --stimuli stimuli.csv --where half=odd acts.npy | npy average > odd.npy";

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Info(info::Info),
    Cat(cat::Cat),
    Split(split::Split),
    Rows(rows::Rows),
    Cols(cols::Cols),
    Label(label::Label),
    Average(average::Average),
    Scale(scale::Scale),
    ToCsv(to_csv::ToCsv),
    FromCsv(from_csv::FromCsv),
    Stack(stack::Stack),
}

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Info(args) => info::run(&args),
        Verb::Cat(args) => cat::run(&args),
        Verb::Split(args) => split::run(&args),
        Verb::Rows(args) => rows::run(&args),
        Verb::Cols(args) => cols::run(&args),
        Verb::Label(args) => label::run(&args),
        Verb::Average(args) => average::run(&args),
        Verb::Scale(args) => scale::run(&args),
        Verb::ToCsv(args) => to_csv::run(&args),
        Verb::FromCsv(args) => from_csv::run(&args),
        Verb::Stack(args) => stack::run(&args),
    }
}
