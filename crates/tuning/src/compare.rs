//! `tuning compare`: the univariate similarity of systems.

use crate::args::{Compare, SameSubject, Summary};
use crate::systems::{Averaged, Measure, System, disjoint, read_sides};
use anyhow::{Result, bail};
use cli::{Cell, Job, TableWriter};
use reliability::noise_corrected;
use statistics::{Correlation, Reason, mean, median};

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
    let joined = read_sides(&job, &args.sides, args.join)?;
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
                        bail!(
                            "{} and {}: --brain-reliability {given} is that of all trials, and --same-subject disjoint \
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
            table.row(&[
                (&model.name).into(),
                subject.into(),
                args.compare.as_str().into(),
                score.n_stimuli.into(),
                score.r.into(),
                score.r_halves.into(),
                score.reliability.into(),
                score.model_r_halves.into(),
                score.model_reliability.into(),
                score.r_norm.into(),
                score.trials.into(),
                n_subjects.into(),
                score.reason.map_or(Cell::Empty, |r| r.as_str().into()),
            ])
        };
        for (brain, score) in joined.brains.iter().zip(scores) {
            if let Some(reason) = score.reason {
                job.warn(format!("{} and {}: {}", model.name, brain.name, reason.as_str()));
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
fn over_disjoint_trials(plain: Score, halves: Option<crate::systems::Disjoint>) -> Score {
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

/// Over the subjects that count; a NaN subject makes it NaN, with its reason. Nobody: NaN, for they are the same person.
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
