//! Arguments of `tuning diverge`.

use super::Sides;
use array_inputs::JoinArgs;
use clap::ValueEnum;
use cli::{Common, Format, Input};
use localizer::Contrast;
use std::str::FromStr;

/// Which gap orders the stimuli.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RankBy {
    /// Model z minus brain z
    Difference,
    /// Brain z minus what its regression on the model's z says
    Residual,
}

/// Stimuli kept for a test of what the others suggested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeldOutStimuli {
    /// A random half of them.
    Half,
    /// Those with this entry in this column.
    Level { column: String, level: String },
}

impl FromStr for HeldOutStimuli {
    type Err = String;
    fn from_str(text: &str) -> Result<HeldOutStimuli, String> {
        match text.split_once('=') {
            _ if text == "half" => Ok(HeldOutStimuli::Half),
            Some((column, level)) if !column.is_empty() && !level.is_empty() => {
                Ok(HeldOutStimuli::Level { column: column.into(), level: level.into() })
            }
            _ => Err(format!("{text:?} is neither half nor COLUMN=LEVEL")),
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Profiles are means over columns, trials of a stimulus averaged first, then z-scored (n - 1) over the
common stimuli.

WITHOUT --group one row per model, subject and stimulus, the widest gap first:
  model, subject    `mean`: the columns averaged over subjects (or models), where there are several
  rank              from 1, by the size of the gap that --rank-by names
  stimulus
  model_z, brain_z  z of each profile
  difference        model_z - brain_z: above 0, the model responds more than the brain
  residual          brain_z - r model_z: above 0, the brain responds more than the model lets expect
  reason            why numbers are NaN: constant, nan_input (the whole profile then has no z)
WITH --group COLUMN (a column of --stimuli with two levels, or --contrast over its levels) one row
per effect and test:
  part              all; with --hold-out-..: discovery, held_out_models, held_out_subjects,
                    held_out_stimuli, held_out_all
  contrast
  effect            model, brain: mean z of the first group minus that of the second;
                    interaction: model minus brain
  model, subject    `mean`: averaged over them
  estimate          the effect
  reliability       with --noise-corrected: of the profile, whose root divides the effect
  test              bootstrap: percentile interval, and p = twice the smaller share of draws on one
                    side of 0; t: Student's one-sample t over subjects or models, two-sided
  over              what was drawn again, so what the p generalizes to: stimuli, subjects, models,
                    or several with +
  n_stimuli, n_subjects, n_models
                    how many of each were drawn (stimuli: in the two groups); empty where not
  n_same_sign       in t rows: of how many the effect has the sign of the overall effect (with
                    held-out parts: of the discovery part's)
  se, ci_lo, ci_hi, t, df, p, n_boot
  reason            why a number is NaN
Stimuli are drawn again within their group, their z scores kept. Draws over several factors take
each of them anew; that interval is rather too wide than too narrow. A brain's z holds noise, which
shrinks the difference of its groups by the root of its reliability: --noise-corrected divides each
system's effects by that root (repeated trials, or --brain-reliability), so that noise is not taken
for a missing effect.
HOLD-OUT --hold-out-models, --hold-out-subjects and --hold-out-stimuli keep a part to test what the
rest suggested: the list of stimuli shows the discovery part alone, and each test is made in every
part. z scores are over the part's own stimuli.
EXAMPLES
  tuning diverge faces.npy --brain sub-*/ffa.npy --top 10 > apart.csv
  tuning diverge faces.npy --brain ffa.npy --stimuli pictures.csv --group face_species
  tuning diverge m1.npy m2.npy --brain sub-*/ffa.npy --hold-out-stimuli half")]
pub(crate) struct Diverge {
    #[command(flatten)]
    pub sides: Sides,
    /// Only the N stimuli with the widest gaps, per model and subject
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "group")]
    pub top: Option<u32>,
    /// The gap that orders the stimuli
    #[arg(long, value_enum, default_value_t = RankBy::Difference, conflicts_with = "group")]
    pub rank_by: RankBy,
    /// Stimulus table with the columns of --group and --hold-out-stimuli
    #[arg(long, value_name = "TABLE")]
    pub stimuli: Option<Input>,
    /// Test whether two groups of stimuli differ more in the model than in the brain
    #[arg(long, value_name = "COLUMN", requires = "stimuli")]
    pub group: Option<String>,
    /// Levels of the column, 'human > animal' [default: its two levels, in order of appearance]
    #[arg(long, value_name = "A > B", requires = "group")]
    pub contrast: Option<Contrast>,
    /// Divide effects by the root of each profile's reliability
    #[arg(long, requires = "group")]
    pub noise_corrected: bool,
    /// Models (names) kept for the test
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub hold_out_models: Vec<String>,
    /// Subjects (names) kept for the test
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub hold_out_subjects: Vec<String>,
    /// Stimuli kept for the test: COLUMN=LEVEL of --stimuli, or half: a half drawn by --seed
    #[arg(long, value_name = "HOW")]
    pub hold_out_stimuli: Option<HeldOutStimuli>,
    /// Bootstrap draws
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..))]
    pub n_boot: u32,
    /// Seed of draws and splits
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub join: JoinArgs,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    pub common: Common,
}
