//! Figures: what catsel's tools write, as SVG, PNG or text.
#![warn(missing_docs)]

mod ablation;
mod brain;
mod categories;
mod ceiling;
mod curves;
mod design;
mod look;
mod matrix;
mod mds;
mod overlap;
mod partition;
mod parts;
mod pictures;
mod probe;
mod rdm;
mod report;
mod responses;
mod rows;
mod scatter;
mod scores;
mod tuning;

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
  figure scores --humans humans.csv tuning_scores.csv -o scores.svg
  figure rdm ann.npy ffa_rdms.npy --stimuli pictures.csv --by domain --width 170 -o rdms.png
  ceiling design sub-*/ffa.npy | figure ceiling --terminal";

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Responses(responses::ResponsesArgs),
    Scores(scores::ScoresArgs),
    Rdm(rdm::RdmArgs),
    Mds(mds::MdsArgs),
    Matrix(matrix::MatrixArgs),
    Layers(curves::LayersArgs),
    Thresholds(curves::ThresholdsArgs),
    Tuning(tuning::TuningArgs),
    Scatter(scatter::ScatterArgs),
    Ablation(ablation::AblationArgs),
    Partition(partition::PartitionArgs),
    Ceiling(ceiling::CeilingArgs),
    Brain(Box<brain::BrainArgs>),
    Design(design::DesignArgs),
    Overlap(overlap::OverlapArgs),
    Probe(probe::ProbeArgs),
    Report(report::ReportArgs),
}

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Responses(args) => responses::run(&args),
        Verb::Scores(args) => scores::run(&args),
        Verb::Rdm(args) => rdm::run(&args),
        Verb::Mds(args) => mds::run(&args),
        Verb::Matrix(args) => matrix::run(&args),
        Verb::Layers(args) => curves::run_layers(&args),
        Verb::Thresholds(args) => curves::run_thresholds(&args),
        Verb::Tuning(args) => tuning::run(&args),
        Verb::Scatter(args) => scatter::run(&args),
        Verb::Ablation(args) => ablation::run(&args),
        Verb::Partition(args) => partition::run(&args),
        Verb::Ceiling(args) => ceiling::run(&args),
        Verb::Brain(args) => brain::run(&args),
        Verb::Design(args) => design::run(&args),
        Verb::Overlap(args) => overlap::run(&args),
        Verb::Probe(args) => probe::run(&args),
        Verb::Report(args) => report::run(&args),
    }
}
