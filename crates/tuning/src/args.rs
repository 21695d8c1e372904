//! What `tuning` can be asked; each verb's arguments stand in a file of their own.

mod compare;
mod diverge;
mod profile;

pub(crate) use compare::{Compare, SameSubject, Summary};
pub(crate) use diverge::{Diverge, HeldOutStimuli, RankBy};
pub(crate) use profile::{Profile, Statistic, ZScore};

use cli::Input;
use statistics::Correlation;

/// Response profiles: the mean response of a region, or of selected units, to each stimulus; how alike they are between
/// systems, and where a model and a brain part ways
#[derive(Debug, clap::Parser)]
#[command(name = "tuning", version, about, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Args {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXAMPLES: &str = "\
EXAMPLES
  tuning profile --weights face_units.csv acts.npy > faces.npy
  tuning compare faces.npy --brain sub-*/ffa.npy > scores.csv
  tuning diverge faces.npy --brain sub-*/ffa.npy --top 10 > apart.csv";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// One number per row of a matrix: the mean (weighted mean, median) over its units or voxels
    Profile(Profile),
    /// Correlation of profiles, every model with every subject, corrected for the noise of both
    Compare(Compare),
    /// Stimuli where model and brain part ways, and tests of what those stimuli have in common
    Diverge(Box<Diverge>),
}

/// The two sides of a comparison and how reliable the brain's is.
#[derive(Debug, clap::Args)]
pub(crate) struct Sides {
    /// Models: matrices or profiles, each file possibly a stream of several; - is stdin
    #[arg(value_name = "MODEL", required = true)]
    pub models: Vec<Input>,
    /// Subjects: one region's voxels (or profile) each, several files or one stream
    #[arg(long, value_name = "BRAIN", num_args = 1.., required = true)]
    pub brain: Vec<Input>,
    /// Names of the models, in order [default: file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Names of the subjects, in order
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub brain_names: Vec<String>,
    /// Reliability of each subject's profile, in order, where it is known from elsewhere; instead of split halves
    #[arg(long, value_name = "R,R,..", value_delimiter = ',', value_parser = reliability)]
    pub brain_reliability: Vec<f64>,
    /// Most splits of the trials that are averaged; fewer when there are no more
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub splits: u32,
}

fn reliability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err(format!("{text:?} is no reliability; it lies above 0 and is at most 1")),
    }
}

fn comparison(text: &str) -> Result<Correlation, String> {
    match text {
        "pearson" | "corr" => Ok(Correlation::Pearson),
        "spearman" => Ok(Correlation::Spearman),
        other => Err(format!("{other:?} is none of pearson, spearman")),
    }
}
