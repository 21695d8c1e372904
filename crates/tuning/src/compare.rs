//! `tuning compare`: the univariate similarity of systems.

use crate::systems::{Averaged, Disjoint, Measure, Sides, System, disjoint, read_sides};
use anyhow::{Result, bail};
use array_inputs::JoinArgs;
use clap::ValueEnum;
use cli::{Common, Format, Job, TableWriter};
use reliability::noise_corrected;
use statistics::{Correlation, Reason, mean, median};

/// Correlation of profiles, every model with every subject, corrected for the noise of both
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
                fall below -1, empty without repeated trials, unless --ceiling or
                --brain-reliability gives it
  model_r_halves, model_reliability
                the same of the model, where it has repeated rows (another brain)
  r_norm        the correlation divided by sqrt(reliability x model_reliability); a side without
                repeated rows is noiseless (reliability 1). Never clipped: it may exceed 1
  trials        all, or disjoint (--same-subject disjoint)
  n_subjects    in the row over subjects: how many it is over
  reason        why a number is NaN: constant, nan_input, negative_reliability, same_subject,
                too_few_repeats
Two regions of one person share the noise of every trial, so that the correction (which takes noise
for independent) gives values far above 1. Model and subject are one person where name or path of
both has the same BIDS label (sub-01/ffa.npy and sub-01/ofa.npy). --same-subject flag gives their
plain r, no r_norm, and leaves them out of the row over subjects; disjoint gives the mean r between
halves of different trials (presentation k of a picture is one trial in both files) and divides it
by the reliability of such halves; refuse stops; independent corrects all the same, for predictions
of an encoding model, which hold no noise of trials.

Examples:
  tuning compare faces.npy --brain sub-*/ffa.npy > scores.csv
  tuning compare trained.npy untrained.npy --brain ffa.npy --compare spearman
  tuning compare sub-1/ofa.npy --brain sub-*/ffa.npy --same-subject disjoint --summary median")]
pub(crate) struct Compare {
    #[command(flatten)]
    sides: Sides,
    /// pearson or spearman
    #[arg(long, value_parser = comparison, default_value = "pearson")]
    compare: Correlation,
    /// Pairs of two regions of one person
    #[arg(long, value_enum, default_value_t = SameSubject::Flag)]
    same_subject: SameSubject,
    /// The row over subjects
    #[arg(long, value_enum, default_value_t = Summary::Mean)]
    summary: Summary,
    /// Seed of the splits, where there are more than --splits
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    join: JoinArgs,
    /// csv, tsv or jsonl
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// What to do with two regions of one brain, whose trials have the same noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SameSubject {
    /// No corrected value (reason same_subject), and not in the summary
    Flag,
    /// Correlate one side's half of the trials with the other side's other half
    Disjoint,
    /// Stop
    Refuse,
    /// Correct as for two people (for predictions of an encoding model, which hold no noise of trials)
    Independent,
}

/// What stands for all subjects of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Summary {
    /// Mean over subjects
    Mean,
    /// Median over subjects
    Median,
}

impl Summary {
    /// What stands in column `subject`.
    fn as_str(self) -> &'static str {
        match self {
            Summary::Mean => "mean",
            Summary::Median => "median",
        }
    }
}

/// Of the correlations those by which profiles are compared.
pub(crate) fn comparison(text: &str) -> Result<Correlation, String> {
    match text {
        "pearson" | "corr" => Ok(Correlation::Pearson),
        "spearman" => Ok(Correlation::Spearman),
        other => Err(format!("{other:?} is none of pearson, spearman")),
    }
}

/// One row of the table.
#[derive(Debug, Clone, Default)]
struct Score {
    n_stimuli: usize,
    r: f64,
    r_halves: Option<f64>,
    reliability: Option<f64>,
    model_r_halves: Option<f64>,
    model_reliability: Option<f64>,
    r_norm: Option<f64>,
    trials: Option<&'static str>,
    reason: Option<Reason>,
}

pub(crate) fn run(args: &Compare) -> Result<()> {
    let job = Job::start("tuning", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    job.record("seed", args.seed);
    let joined = read_sides(&job, &args.sides, args.compare, args.join)?;
    joined.refuse_name(args.summary.as_str(), false)?;
    let measure = Measure { how: args.compare, max_splits: args.sides.splits as usize, seed: args.seed };
    let average = |systems: &[System], stimuli: &[Vec<usize>]| -> Vec<Averaged> {
        systems.iter().zip(stimuli).map(|(system, stimuli)| system.averaged(stimuli, measure)).collect()
    };
    let of_models = average(&joined.models, &joined.of_models);
    let of_brains = average(&joined.brains, &joined.of_brains);

    let mut scores: Vec<Vec<Score>> = Vec::new();
    for (m, (model, of_model)) in joined.models.iter().zip(&of_models).enumerate() {
        let mut row = Vec::new();
        for (b, (brain, of_brain)) in joined.brains.iter().zip(&of_brains).enumerate() {
            let plain = score(of_model, of_brain, args.compare);
            let one_person = model.person.is_some() && model.person == brain.person;
            row.push(match (one_person, args.same_subject) {
                (false, _) | (true, SameSubject::Independent) => plain,
                (true, SameSubject::Flag) => {
                    Score { r_norm: Some(f64::NAN), reason: plain.reason.or(Some(Reason::SameSubject)), ..plain }
                }
                (true, SameSubject::Refuse) => bail!(
                    "{} and {}: both are of sub-{}, so they share the noise of every trial; leave one out, or say \
                     --same-subject flag or disjoint",
                    model.source,
                    brain.source,
                    brain.person.as_deref().unwrap_or_default()
                ),
                (true, SameSubject::Disjoint) => {
                    if let Some(given) = brain.given_reliability {
                        let option = match &args.sides.ceiling {
                            Some(table) => format!("--ceiling {table}"),
                            None => format!("--brain-reliability {given}"),
                        };
                        bail!(
                            "{} and {}: {option} gives the reliability {given} of all trials, and --same-subject disjoint \
                             corrects by that of halves of them; leave one of the options out",
                            model.source,
                            brain.source
                        );
                    }
                    let (model, brain) = ((model, &*joined.of_models[m]), (brain, &*joined.of_brains[b]));
                    over_disjoint_trials(plain, disjoint(model, brain, measure)?)
                }
            });
        }
        scores.push(row);
    }
    note_unknown_persons(&job, &joined.models, &joined.brains);

    let statistic = if args.compare == Correlation::Spearman { "rho" } else { "r" };
    let columns = [
        "model",
        "subject",
        "compare",
        "n_stimuli",
        statistic,
        "r_halves",
        "reliability",
        "model_r_halves",
        "model_reliability",
        "r_norm",
        "trials",
        "n_subjects",
        "reason",
    ];
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for (model, scores) in joined.models.iter().zip(&scores) {
        let mut write = |subject: &str, score: &Score, n_subjects: Option<usize>| {
            table.record(&[
                ("model", (&model.name).into()),
                ("subject", subject.into()),
                ("compare", args.compare.as_str().into()),
                ("n_stimuli", score.n_stimuli.into()),
                (statistic, score.r.into()),
                ("r_halves", score.r_halves.into()),
                ("reliability", score.reliability.into()),
                ("model_r_halves", score.model_r_halves.into()),
                ("model_reliability", score.model_reliability.into()),
                ("r_norm", score.r_norm.into()),
                ("trials", score.trials.into()),
                ("n_subjects", n_subjects.into()),
                ("reason", score.reason.into()),
            ])
        };
        for (brain, score) in joined.brains.iter().zip(scores) {
            if let Some(reason) = score.reason {
                job.warn(format!("{} and {}: {reason}", model.name, brain.name));
            }
            write(&brain.name, score, None)?;
        }
        let counted: Vec<&Score> = scores.iter().filter(|s| s.reason != Some(Reason::SameSubject)).collect();
        write(args.summary.as_str(), &over_subjects(&counted, args.summary), Some(counted.len()))?;
    }
    table.into_inner().commit(&job)
}

fn score(model: &Averaged, brain: &Averaged, how: Correlation) -> Score {
    let r = how.of(&model.responses, &brain.responses);
    let r_norm = match (model.reliability, brain.reliability) {
        (None, None) => None,
        (of_model, of_brain) => Some(noise_corrected(r, of_model.unwrap_or(1.0), of_brain.unwrap_or(1.0))),
    };
    let reason = Reason::of(&model.responses)
        .or_else(|| Reason::of(&brain.responses))
        .or_else(|| r_norm.filter(|v| v.is_nan()).map(|_| Reason::NegativeReliability));
    Score {
        n_stimuli: brain.responses.len(),
        r,
        r_halves: brain.r_halves,
        reliability: brain.reliability,
        model_r_halves: model.r_halves,
        model_reliability: model.reliability,
        r_norm,
        trials: Some("all"),
        reason,
    }
}

/// The score of two regions of one person: noise of one trial is in one side only.
fn over_disjoint_trials(plain: Score, halves: Option<Disjoint>) -> Score {
    let trials = Some("disjoint");
    let Some(halves) = halves else {
        let reason = plain.reason.or(Some(Reason::TooFewRepeats));
        return Score { r: f64::NAN, r_norm: Some(f64::NAN), trials, reason, ..plain };
    };
    let (of_model, of_brain) = halves.reliabilities;
    let r_norm = noise_corrected(halves.r, of_model, of_brain);
    let reason = match plain.reason {
        Some(Reason::Constant | Reason::NanInput) => plain.reason,
        // Every presentation is needed here, and a half may be constant where the average is not.
        _ if halves.r.is_nan() => Some(Reason::Constant),
        _ => r_norm.is_nan().then_some(Reason::NegativeReliability),
    };
    Score {
        n_stimuli: halves.n_stimuli,
        r: halves.r,
        r_halves: Some(of_brain),
        reliability: Some(of_brain),
        model_r_halves: Some(of_model),
        model_reliability: Some(of_model),
        r_norm: Some(r_norm),
        trials,
        reason,
    }
}

/// Over the subjects that count; a NaN subject makes it NaN, with its reason. Nobody: NaN, for they are the same
/// person.
fn over_subjects(scores: &[&Score], how: Summary) -> Score {
    let of = |values: &[f64]| match how {
        Summary::Mean => mean(values),
        Summary::Median => median(values),
    };
    let over = |value: fn(&Score) -> Option<f64>| -> Option<f64> {
        scores.iter().map(|s| value(s)).collect::<Option<Vec<f64>>>().filter(|v| !v.is_empty()).map(|v| of(&v))
    };
    let first = scores.first();
    Score {
        n_stimuli: scores.iter().map(|s| s.n_stimuli).min().unwrap_or(0),
        r: of(&scores.iter().map(|s| s.r).collect::<Vec<_>>()),
        r_halves: over(|s| s.r_halves),
        reliability: over(|s| s.reliability),
        model_r_halves: over(|s| s.model_r_halves),
        model_reliability: over(|s| s.model_reliability),
        r_norm: over(|s| s.r_norm),
        trials: first.and_then(|f| f.trials).filter(|t| scores.iter().all(|s| s.trials == Some(t))),
        reason: match first {
            Some(_) => scores.iter().find_map(|s| s.reason),
            None => Some(Reason::SameSubject),
        },
    }
}

/// Two sides with noise of their own are taken for two people unless names say otherwise: said once, since it decides
/// whether the correction holds.
fn note_unknown_persons(job: &Job, models: &[System], brains: &[System]) {
    let noisy = |s: &&System| s.repeats.n_rows() > s.repeats.n_stimuli();
    let model = models.iter().find(|m| noisy(m) && m.person.is_none());
    let brain = brains.iter().find(|b| noisy(b) && b.person.is_none());
    if let (Some(model), Some(brain)) = (
        model.or_else(|| models.iter().find(noisy).filter(|_| brain.is_some())),
        brain.or_else(|| brains.iter().find(noisy).filter(|_| model.is_some())),
    ) {
        job.note(format!(
            "{} and {} both have repeated trials, and not both names have sub-LABEL; taken for different people",
            model.source, brain.source
        ));
    }
}
