//! `ceiling rdm`: bounds for a model's score from the RDMs of several subjects.

use anyhow::{Result, bail};
use array_inputs::JoinArgs;
use cli::{Common, Format, Input, Job, TableWriter};
use rdm::{Comparison, NoiseCeiling, Rdm, noise_ceiling};
use rdm_inputs::{NamedRdm, check_nan, into_one_order, read_rdms, say_broken_ties};
use statistics::Reason;

/// RDMs of several subjects to the lower and upper bound for a model's score
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns (one row):
  compare, n_subjects, n_stimuli
  n_pairs  pairs that are not NaN in any subject
  lower    mean over subjects of the comparison with the pool of the others: bounds r
  upper    mean over subjects of the comparison with the pool of all: bounds r
  reason   constant: fewer than 2 subjects are left; constant RDMs are left out, and stderr names them
Nili et al. (2014). RDMs are pooled as the comparison needs: z-scored for pearson, divided by their
root mean square for cosine, ranked for the others; then averaged. `rsa compare --ceiling` gives the
same numbers beside the scores of models.

Examples:
  ceiling rdm ffa_rdms.npy --compare spearman
  cat sub-*/ffa.npy | rsa rdm | ceiling rdm
  ceiling rdm sub-*/rdm.npy --compare tau-a --format jsonl")]
pub(crate) struct RdmBounds {
    /// One RDM per subject, in files or back to back in a stream; - is stdin
    #[arg(value_name = "RDM", default_value = "-")]
    inputs: Vec<Input>,
    /// The comparison whose ceiling it is (kendall is tau-b)
    #[arg(long, value_parser = rdm_inputs::comparison_parser(), default_value = "pearson")]
    compare: Comparison,
    /// Use RDMs of which more than 10 % of the pairs are NaN
    #[arg(long)]
    allow_nan: bool,
    #[command(flatten)]
    join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(args: &RdmBounds) -> Result<()> {
    let job = Job::start("ceiling", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    let mut subjects = read_rdms(&job, &args.inputs, &[])?;
    if subjects.len() < 2 {
        bail!("{}: 1 RDM; a ceiling is over subjects and needs at least 2", subjects[0].source);
    }
    into_one_order(&job, args.join, &mut subjects)?;
    for subject in &subjects {
        check_nan(&job, &subject.source, &subject.rdm, "; left out for all subjects", args.allow_nan)?;
    }
    let rdms: Vec<Rdm> = subjects.iter().map(|s| s.rdm.clone()).collect();
    if args.compare.ranks() {
        say_broken_ties(&job, subjects.iter().map(|s| (s.source.as_str(), &s.rdm)), "rank comparisons");
    }
    let bounds = noise_ceiling(&rdms, args.compare)?;
    say_left_out(&job, &bounds, &subjects);

    let columns = ["compare", "n_subjects", "n_stimuli", "n_pairs", "lower", "upper", "reason"];
    let mut table = TableWriter::new(out, args.format, &columns)?;
    table.record(&[
        ("compare", args.compare.as_str().into()),
        ("n_subjects", (subjects.len() - bounds.constant.len()).into()),
        ("n_stimuli", rdms[0].n_stimuli().into()),
        ("n_pairs", bounds.n_pairs.into()),
        ("lower", bounds.lower.into()),
        ("upper", bounds.upper.into()),
        ("reason", bounds.lower.is_nan().then_some(Reason::Constant).into()),
    ])?;
    table.into_inner().commit(&job)
}

/// Names the subjects that are constant, and are in no pool.
pub(crate) fn say_left_out(job: &Job, bounds: &NoiseCeiling, subjects: &[NamedRdm]) {
    for &index in &bounds.constant {
        job.warn(format!(
            "{}: is constant over the {} pairs that all {} subjects have, so it cannot be pooled; left out",
            subjects[index].source,
            bounds.n_pairs,
            subjects.len()
        ));
    }
}
