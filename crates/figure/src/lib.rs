//! Figures: what catsel's tools write, as SVG, PNG or text.
#![warn(missing_docs)]

mod ceiling;
mod look;
mod rows;

/// Figures from the tables and matrices that catsel's tools write
///
/// SVG on stdout; with -o FILE.svg or FILE.png a file. The same bytes on any machine, with or without fonts and a
/// display; --terminal draws with characters. Every value that is drawn stands in the SVG, in data attributes.
#[derive(Debug, clap::Parser)]
#[command(name = "figure", version, about, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  figure ceiling design.csv -o design.svg
  figure ceiling design.csv -o design.png --width 180 --title 'What repeats would buy'
  ceiling design sub-*/ffa.npy | figure ceiling --terminal";

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Ceiling(ceiling::CeilingArgs),
}

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Ceiling(args) => ceiling::run(&args),
    }
}
