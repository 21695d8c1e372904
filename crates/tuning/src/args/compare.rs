//! Arguments of `tuning compare`.

use super::Sides;
use array_inputs::JoinArgs;
use clap::ValueEnum;
use cli::{Common, Format};
use statistics::Correlation;

/// What to do with two regions of one brain, whose trials have the same noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SameSubject {
    /// No corrected value (reason same_subject), and not in the summary
    Flag,
    /// Correlate one side's half of the trials with the other side's other half
    Disjoint,
    /// Stop
    Refuse,
    /// Take them for two people (predictions of an encoding model have no trial's noise)
    Independent,
}

/// What stands for all subjects of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Summary {
    /// Mean over subjects
    Mean,
    /// Median over subjects
    Median,
}

impl Summary {
    /// What stands in column `subject`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Summary::Mean => "mean",
            Summary::Median => "median",
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
One row per model and subject, and one per model over its subjects (subject `mean`, or `median`).
Inputs are matrices; the profile of each is its mean over columns, trials of a stimulus (equal ids)
averaged first.
Columns:
  model, subject, compare
  n_stimuli     stimuli, joined by id
  r | rho       Pearson (r) or Spearman (rho) correlation of the two profiles
  r_halves      of the subject's profile: split halves of its trials, correlated as --compare says
  reliability   r_halves stepped up to all trials by Spearman-Brown; bounds r2. NaN where that would
                fall below -1, empty without repeated trials, unless --brain-reliability gives it
  model_r_halves, model_reliability
                the same of the model, where it has repeated rows (another brain)
  r_norm        the correlation divided by sqrt(reliability x model_reliability); a side without
                repeated rows is noiseless (reliability 1). Never clipped: it may exceed 1
  trials        all, or disjoint (--same-subject disjoint)
  n_subjects    in the row over subjects: how many it is over
  reason        why a number is NaN: constant, nan_input, negative_reliability, same_subject,
                too_few_repeats
Two regions of one person share the noise of every trial, so that the correction (which takes noise
for independent) gives absurdly high values. Model and subject are one person where name or path of
both has the same BIDS label (sub-01/ffa.npy and sub-01/ofa.npy). --same-subject flag gives their
plain r, no r_norm, and leaves them out of the row over subjects; disjoint gives the mean r between
halves of different trials (presentation k of a picture is one trial in both files) and divides it
by the reliability of such halves; refuse stops; independent corrects all the same, for predictions
of an encoding model, which have no trial's noise.
EXAMPLES
  tuning compare faces.npy --brain sub-*/ffa.npy > scores.csv
  tuning compare trained.npy untrained.npy --brain ffa.npy --compare spearman
  tuning compare sub-1/ofa.npy --brain sub-*/ffa.npy --same-subject disjoint --summary median")]
pub(crate) struct Compare {
    #[command(flatten)]
    pub sides: Sides,
    /// pearson or spearman
    #[arg(long, value_parser = super::comparison, default_value = "pearson")]
    pub compare: Correlation,
    /// Pairs of two regions of one person
    #[arg(long, value_enum, default_value_t = SameSubject::Flag)]
    pub same_subject: SameSubject,
    /// The row over subjects
    #[arg(long, value_enum, default_value_t = Summary::Mean)]
    pub summary: Summary,
    /// Seed of the splits, where there are more than --splits
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
