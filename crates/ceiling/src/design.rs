//! `ceiling design`: what more subjects, repeats or stimuli would buy.

use std::collections::HashMap;

use crate::trials::{Subject, subjects_by_id, trial_means, warn_of_dependent_trials};
use crate::voxel::whole;
use anyhow::{Result, anyhow, bail};
use array_inputs::{JoinArgs, NamedArray, Names, person_of, read_arrays, tell_apart};
use clap::ValueEnum;
use cli::{Cell, Common, Format, Input, Job, Named, Output, TableWriter};
use rdm::inference::{Generalize, corrected_variance};
use reliability::{Cells, Components, DesignError, Drawn, Study, r_max, repeats_for, spearman_brown};
use serde_json::{Map, json};
use statistics::distributions::student_t_quantile;
use statistics::{Reason, variance};

/// What more subjects, repeats or stimuli would buy: ceilings of other studies from components of variance
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Of every subject the profile (mean over voxels) of each trial is taken: a subject's mean + signal
that subjects share + signal of its own + noise of the trial. The variances of these four are
estimated without bias, and the expected ceilings of any study follow from them. A correlation does
not see the subject's mean. Profiles alone: what noise adds to an RDM does not step up this way.

Columns (one row per study; --repeats, --subjects and --stimuli vary one number and leave the others
as they are here):
  vary              observed (the study at hand), repeats, subjects, stimuli, want
  n_subjects        subjects, of whom each is compared with the mean of the others
  n_repeats         trials of every stimulus; observed: 1 / mean(1 / n) over stimuli and subjects
  n_stimuli         stimuli
  reliability       expected reliability of a subject's averages: bounds r2 within the subject
  r_max             sqrt(reliability): bounds r within the subject
  leave_one_out     expected correlation of a subject with the mean of the others: compare with a
                    model's r
  .._ci_lo, .._ci_hi  95 % interval of that expected value: how well the study at hand tells it. t
                    interval of the bootstrap's variance, on Fisher's scale
  r_max_se, leave_one_out_se  standard deviation over 200 simulated studies of that size (normal
                    signal and noise): how well that study would measure it. More stimuli buy this
                    alone. r_max_se is empty with one repeat, which tells no noise
  want              the r_max that --want asks for; the row has the fewest repeats that reach it
  n_repeats_ci_lo, n_repeats_ci_hi  repeats at the ends of the interval; NaN where none would do
  reason            negative_reliability, no_signal: why there is no number
With --components one row per component: component, variance, ci_lo, ci_hi, share (of the sum of
shared, own and noise).

Examples:
  ceiling design sub-*/ffa.npy > design.csv
  cat sub-*/ffa.npy | ceiling design --repeats 1,3,6 --subjects 8,30 --want 0.9,0.95
  ceiling design --components sub-*/ffa.npy")]
pub(crate) struct Design {
    /// Single trials of one subject each (rows = trials with a stimulus id), in files or a stream; - is stdin
    #[arg(value_name = "SUBJECT", default_value = "-")]
    inputs: Vec<Input>,
    /// Repeats of every stimulus
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_values_t = [1, 2, 3, 5, 10])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    repeats: Vec<u32>,
    /// Numbers of subjects
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_values_t = [2, 4, 8, 16])]
    #[arg(value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    subjects: Vec<u32>,
    /// Numbers of stimuli
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_values_t = [20, 50, 100, 200])]
    #[arg(value_parser = clap::value_parser!(u32).range(3..=1_000_000))]
    stimuli: Vec<u32>,
    /// The fewest repeats with which r_max is R (between 0 and 1)
    #[arg(long, value_name = "R,..", value_delimiter = ',', value_parser = between_0_and_1)]
    want: Vec<f64>,
    /// Write the components of variance instead
    #[arg(long, conflicts_with_all = ["repeats", "subjects", "stimuli", "want"])]
    components: bool,
    /// What the intervals draw with replacement: to new ones of these they speak
    #[arg(long, value_enum, value_name = "UNIT", default_value_t = Boot::Both)]
    boot: Boot,
    /// Draws of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(2..))]
    n_boot: u32,
    /// Seed of the draws and of the simulated studies
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// What a bootstrap draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Boot {
    /// Subjects
    Subjects,
    /// Stimuli
    Stimuli,
    /// Both, with the two-factor correction
    Both,
}

fn between_0_and_1(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(r) if r > 0.0 && r < 1.0 => Ok(r),
        Ok(r) => Err(format!("{r} is not between 0 and 1; no noiseless model has r_max 1 with finitely many trials")),
        Err(_) => Err(format!("{text:?} is no number between 0 and 1")),
    }
}

/// Studies simulated for a standard error, which is then good to 5 %.
const N_STUDIES: usize = 200;
/// Responses of a simulated study: seconds of work.
const MOST_RESPONSES: u64 = 5_000_000;
/// Share of draws without a number above which there is no interval.
const MOST_WITHOUT: f64 = 0.1;

pub(crate) fn run(args: &Design) -> Result<()> {
    let job = Job::start("ceiling", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    job.record("seed", args.seed);
    warn_of_dependent_trials(&job, &args.inputs);
    let mut arrays = read_arrays(&job, &args.inputs, &mut Names::new(&[]))?;
    tell_apart(&mut arrays)?;
    one_array_a_person(&arrays)?;
    let subjects = subjects_by_id(&job, args.join, arrays)?;
    let cells = cells(&subjects)?;
    let studies = if args.components { Vec::new() } else { studies(args, &cells)? };
    let found = cells.components();
    let over = drawn(&job, args, &cells);
    let draws = Resampled::of(&cells, over, args.n_boot as usize, args.seed);
    job.record(
        "components",
        found.named().into_iter().map(|(name, v)| (name.to_owned(), json!(v))).collect::<Map<_, _>>(),
    );
    let table = match args.components {
        true => write_components(args, out, &found, &draws)?,
        false => write_studies(args, out, &found, &draws, &studies)?,
    };
    draws.say_missing(&job);
    table.commit(&job)
}

/// Two regions of one person share the noise of every trial, which would pass for signal that people share.
fn one_array_a_person(arrays: &[NamedArray]) -> Result<()> {
    let mut known: HashMap<String, &str> = HashMap::new();
    for array in arrays {
        let Some(label) = person_of(&array.name).or_else(|| person_of(&array.source)) else { continue };
        if let Some(other) = known.insert(label.clone(), &array.source) {
            bail!(
                "{other} and {}: both are of sub-{label}, so they share the noise of every trial; give one array a person",
                array.source
            );
        }
    }
    Ok(())
}

/// The mean over voxels of every trial of every subject.
fn cells(subjects: &[Subject]) -> Result<Cells> {
    let mut profiles = Vec::new();
    for Subject { source, trials, .. } in subjects {
        let profile = trial_means(trials);
        if let Some(row) = profile.iter().position(|v| !v.is_finite()) {
            bail!(
                "{source}: trial {row} (of the stimuli that all subjects saw) has a NaN in its {} columns, so its mean \
                 is none; take the columns without (`npy cols`)",
                trials.n_voxels()
            );
        }
        profiles.push(profile);
    }
    let each: Vec<_> = profiles.iter().zip(subjects).map(|(p, s)| (p.as_slice(), &s.trials.repeats)).collect();
    Cells::new(&each).map_err(|error| {
        let named = |subject: usize| subjects[subject].source.clone();
        match error {
            DesignError::TooFewSubjects(_) => anyhow!("{}: 1 subject; signal that subjects share needs at least 2", named(0)),
            DesignError::NoRepeats { subject, stimuli } => anyhow!(
                "{}: none of {stimuli} stimuli is shown twice; trial noise is told from signal by repeats: give single trials",
                named(subject)
            ),
            DesignError::Unusable { subject, reason } => {
                anyhow!("{}: the means over columns of its trials are {reason}; leave this subject out", named(subject))
            }
            other => anyhow!("{}: {other}", named(0)),
        }
    })
}

/// One row of the table.
struct Planned {
    vary: &'static str,
    study: Study,
    want: Option<f64>,
}

fn studies(args: &Design, cells: &Cells) -> Result<Vec<Planned>> {
    let here = Study { n_subjects: cells.n_subjects(), n_repeats: cells.n_repeats(), n_stimuli: cells.n_stimuli() };
    let mut all = vec![Planned { vary: "observed", study: here, want: None }];
    let mut add = |vary: &'static str, study: Study| all.push(Planned { vary, study, want: None });
    args.repeats.iter().for_each(|&n| add("repeats", Study { n_repeats: n.into(), ..here }));
    args.subjects.iter().for_each(|&n| add("subjects", Study { n_subjects: n as usize, ..here }));
    args.stimuli.iter().for_each(|&n| add("stimuli", Study { n_stimuli: n as usize, ..here }));
    all.extend(args.want.iter().map(|&want| Planned { vary: "want", study: here, want: Some(want) }));
    for Planned { study, .. } in &all {
        let responses = study.n_subjects as u64 * study.n_stimuli as u64;
        if responses > MOST_RESPONSES {
            bail!(
                "a study of {} subjects and {} stimuli has {responses} averages; at most {MOST_RESPONSES} are \
                 simulated: give smaller numbers",
                study.n_subjects,
                study.n_stimuli
            );
        }
    }
    Ok(all)
}

/// What the intervals speak to.
fn drawn(job: &Job, args: &Design, cells: &Cells) -> Generalize {
    let over = match args.boot {
        Boot::Stimuli => Generalize::Stimuli,
        // Half of the draws of two subjects are of one, which shares signal with nobody.
        _ if cells.n_subjects() < 3 => {
            job.warn("2 subjects cannot be drawn with replacement; the intervals are over stimuli alone");
            Generalize::Stimuli
        }
        Boot::Subjects => Generalize::Subjects,
        Boot::Both => Generalize::Both,
    };
    job.record("boot", over.as_str());
    job.record("n_boot", args.n_boot);
    over
}

/// The components of every draw.
struct Resampled {
    over: Generalize,
    n_subjects: usize,
    n_stimuli: usize,
    /// One list, or those of both, of subjects and of stimuli.
    draws: Vec<Vec<Components>>,
}

#[derive(Clone, Copy)]
struct Interval {
    lo: f64,
    hi: f64,
}

impl Interval {
    const NONE: Interval = Interval { lo: f64::NAN, hi: f64::NAN };

    fn map(self, f: impl Fn(f64) -> f64) -> Interval {
        Interval { lo: f(self.lo), hi: f(self.hi) }
    }
}

impl Resampled {
    fn of(cells: &Cells, over: Generalize, n_boot: usize, seed: u64) -> Resampled {
        let drawn: &[Drawn] = match over {
            Generalize::Subjects => &[Drawn::Subjects],
            Generalize::Stimuli => &[Drawn::Stimuli],
            Generalize::Both => &[Drawn::Both, Drawn::Subjects, Drawn::Stimuli],
        };
        let draws = drawn.iter().map(|&drawn| cells.resampled(drawn, n_boot, seed)).collect();
        Resampled { over, n_subjects: cells.n_subjects(), n_stimuli: cells.n_stimuli(), draws }
    }

    /// 95 % t interval around an estimate, on the scale on which `value` gives it.
    fn interval(&self, estimate: f64, value: impl Fn(&Components) -> f64) -> Interval {
        let mut over_draws = Vec::new();
        for list in &self.draws {
            let values: Vec<f64> = list.iter().map(&value).filter(|v| v.is_finite()).collect();
            if values.len() < 2 || (list.len() - values.len()) as f64 > MOST_WITHOUT * list.len() as f64 {
                return Interval::NONE;
            }
            over_draws.push(variance(&values));
        }
        let se = corrected_variance(&over_draws, self.over, self.n_subjects, self.n_stimuli).sqrt();
        // Of two factors, Welch and Satterthwaite: the few subjects count as much as they add to the variance.
        let df = match over_draws[..] {
            [_, of_subjects, of_stimuli] => {
                let part = |v: f64, n: usize| v * v / (n as f64 - 1.0);
                let sum = of_subjects + of_stimuli;
                sum * sum / (part(of_subjects, self.n_subjects) + part(of_stimuli, self.n_stimuli))
            }
            _ => self.over.n(self.n_subjects, self.n_stimuli) as f64 - 1.0,
        };
        let half = student_t_quantile(0.025, df) * se;
        Interval { lo: estimate - half, hi: estimate + half }
    }

    /// The same of a correlation, on Fisher's scale.
    fn interval_of_r(&self, estimate: f64, value: impl Fn(&Components) -> f64) -> Interval {
        self.interval(estimate.atanh(), |c| value(c).atanh()).map(f64::tanh)
    }

    fn say_missing(&self, job: &Job) {
        let without = |c: &&Components| !c.leave_one_out(self.n_subjects, 1.0).is_finite();
        let missing = self.draws.iter().map(|list| list.iter().filter(without).count()).max().unwrap_or(0);
        if missing > 0 {
            job.warn(format!(
                "{missing} of {} draws have no signal that subjects share, or are of one subject; intervals are without \
                 them, and there is none where they are more than {} %",
                self.draws[0].len(),
                100.0 * MOST_WITHOUT
            ));
        }
    }
}

const STUDY_COLUMNS: [&str; 19] = [
    "vary",
    "n_subjects",
    "n_repeats",
    "n_stimuli",
    "reliability",
    "reliability_ci_lo",
    "reliability_ci_hi",
    "r_max",
    "r_max_ci_lo",
    "r_max_ci_hi",
    "r_max_se",
    "leave_one_out",
    "leave_one_out_ci_lo",
    "leave_one_out_ci_hi",
    "leave_one_out_se",
    "want",
    "n_repeats_ci_lo",
    "n_repeats_ci_hi",
    "reason",
];

fn write_studies(
    args: &Design,
    out: Output,
    found: &Components,
    draws: &Resampled,
    studies: &[Planned],
) -> Result<Output> {
    // Of one trial; every other number of repeats has the same interval, stepped up.
    let of_one = draws.interval_of_r(found.reliability(1.0), |c| c.reliability(1.0));
    let root = |reliability: f64| r_max(reliability).0;
    let fewest = |needed: Option<f64>| needed.map_or(f64::NAN, |n| n.ceil().max(1.0));
    let mut table = TableWriter::new(out, args.format, &STUDY_COLUMNS)?;
    for Planned { vary, study, want } in studies {
        let needed = want.map(|want| fewest(found.repeats_for(want)));
        // A study without a number of repeats has none of what depends on it either.
        let study = Study { n_repeats: needed.unwrap_or(study.n_repeats), ..*study };
        let reliability = found.reliability(study.n_repeats);
        let reliable = of_one.map(|r| spearman_brown(r, study.n_repeats));
        let alone = |c: &Components| c.leave_one_out(study.n_subjects, study.n_repeats);
        let leave_one_out = alone(found);
        let apart = draws.interval_of_r(leave_one_out, alone);
        let (mut r_max_se, mut leave_one_out_se) = (f64::NAN, f64::NAN);
        if study.n_repeats.is_finite() {
            let measured = found.simulated(study, N_STUDIES, args.seed);
            r_max_se = sd(measured.iter().map(|m| m.r_max));
            leave_one_out_se = sd(measured.iter().map(|m| m.leave_one_out));
        }
        // At the upper end of the reliability fewer repeats do.
        let ends = want.map(|want| {
            let [lo, hi] = [of_one.hi, of_one.lo].map(|r| fewest(repeats_for(want, r)));
            Interval { lo, hi }
        });
        let reason = match () {
            () if needed.is_some_and(f64::is_nan) => Some(Reason::NoSignal),
            () if root(reliability).is_nan() => Some(Reason::NegativeReliability),
            () => (reliability == 0.0 || leave_one_out.is_nan()).then_some(Reason::NoSignal),
        };
        let count = |n: f64| if n.is_nan() { n.into() } else { whole(n) };
        let cells: Vec<Named> = vec![
            ("vary", (*vary).into()),
            ("n_subjects", study.n_subjects.into()),
            ("n_repeats", count(study.n_repeats)),
            ("n_stimuli", study.n_stimuli.into()),
            ("reliability", reliability.into()),
            ("reliability_ci_lo", reliable.lo.into()),
            ("reliability_ci_hi", reliable.hi.into()),
            ("r_max", root(reliability).into()),
            ("r_max_ci_lo", root(reliable.lo).into()),
            ("r_max_ci_hi", root(reliable.hi).into()),
            ("r_max_se", if study.n_repeats == 1.0 { Cell::Empty } else { r_max_se.into() }),
            ("leave_one_out", leave_one_out.into()),
            ("leave_one_out_ci_lo", apart.lo.into()),
            ("leave_one_out_ci_hi", apart.hi.into()),
            ("leave_one_out_se", leave_one_out_se.into()),
            ("want", want.map_or(Cell::Empty, Into::into)),
            ("n_repeats_ci_lo", ends.map_or(Cell::Empty, |ends| count(ends.lo))),
            ("n_repeats_ci_hi", ends.map_or(Cell::Empty, |ends| count(ends.hi))),
            ("reason", reason.into()),
        ];
        table.record(&cells)?;
    }
    Ok(table.into_inner())
}

/// Standard deviation; `NaN` where too many have no value.
fn sd(values: impl Iterator<Item = f64>) -> f64 {
    let all: Vec<f64> = values.collect();
    let finite: Vec<f64> = all.iter().copied().filter(|v| v.is_finite()).collect();
    match (all.len() - finite.len()) as f64 > MOST_WITHOUT * all.len() as f64 {
        true => f64::NAN,
        false => variance(&finite).sqrt(),
    }
}

fn write_components(args: &Design, out: Output, found: &Components, draws: &Resampled) -> Result<Output> {
    let mut table = TableWriter::new(out, args.format, &["component", "variance", "ci_lo", "ci_hi", "share"])?;
    let seen = found.shared + found.own + found.noise;
    for (i, (name, estimate)) in found.named().into_iter().enumerate() {
        let interval = draws.interval(estimate, |c| c.named()[i].1);
        let share = if name == "subject" { Cell::Empty } else { (estimate / seen).into() };
        table.record(&[
            ("component", name.into()),
            ("variance", estimate.into()),
            ("ci_lo", interval.lo.into()),
            ("ci_hi", interval.hi.into()),
            ("share", share),
        ])?;
    }
    Ok(table.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reliability::Repeats;
    use statistics::Draws;

    const TRUTH: Components = Components { subject: 1.0, shared: 0.6, own: 0.4, noise: 2.0 };

    /// Subjects' noise differs as it does between people: a variance of .5 to 1.5 times the mean.
    fn study(truth: Components, n_subjects: usize, n_repeats: usize, n_stimuli: usize, seed: u64) -> Cells {
        let mut draws = Draws::new(seed);
        let mut normal = |variance: f64| variance.sqrt() * draws.normal_pair()[0];
        let mut uniform = Draws::stream(seed, 1);
        let signal: Vec<f64> = (0..n_stimuli).map(|_| normal(truth.shared)).collect();
        let subjects: Vec<Vec<f64>> = (0..n_subjects)
            .map(|_| {
                let centre = normal(truth.subject);
                let own: Vec<f64> = signal.iter().map(|t| centre + t + normal(truth.own)).collect();
                let noise = truth.noise * (0.5 + uniform.uniform());
                (0..n_repeats * n_stimuli).map(|row| own[row % n_stimuli] + normal(noise)).collect()
            })
            .collect();
        let repeats = Repeats::by_id(&(0..n_repeats * n_stimuli).map(|row| row % n_stimuli).collect::<Vec<_>>());
        Cells::new(&subjects.iter().map(|x| (x.as_slice(), &repeats)).collect::<Vec<_>>()).unwrap()
    }

    /// Share of studies whose interval holds the truth, and mean error of the estimate: of the reliability and the
    /// leave-one-out value of three trials.
    fn coverage(size: [usize; 3], over: Generalize, n_studies: u64) -> [[f64; 2]; 2] {
        let mut found = [[0.0; 2]; 2];
        for seed in 0..n_studies {
            let cells = study(TRUTH, size[0], size[1], size[2], 1000 + seed);
            let draws = Resampled::of(&cells, over, 400, seed);
            let estimate = cells.components();
            let values: [fn(&Components) -> f64; 2] = [|c| c.reliability(3.0), |c| c.leave_one_out(8, 3.0)];
            for (value, [covered, error]) in values.into_iter().zip(&mut found) {
                let interval = draws.interval_of_r(value(&estimate), value);
                let within = interval.lo <= value(&TRUTH) && value(&TRUTH) <= interval.hi;
                *covered += f64::from(u8::from(within)) / n_studies as f64;
                *error += (value(&estimate) - value(&TRUTH)) / n_studies as f64;
            }
        }
        found
    }

    #[test]
    fn intervals_hold_the_truth_and_estimates_are_unbiased() {
        // 200 studies: the share of .95 has a standard error of .015, the mean errors of .005.
        for [covered, error] in coverage([8, 3, 60], Generalize::Both, 200) {
            assert!((0.905..=0.985).contains(&covered), "{covered}");
            assert!(error.abs() < 0.01, "{error}");
        }
        // Of these eight people, whatever the stimuli: narrower than of new people, too.
        let cells = study(TRUTH, 8, 3, 60, 1);
        let width = |over| {
            let found = Resampled::of(&cells, over, 400, 0).interval_of_r(0.5, |c| c.reliability(3.0));
            found.hi - found.lo
        };
        assert!(width(Generalize::Stimuli) < width(Generalize::Both));
    }

    #[test]
    fn without_a_value_in_the_draws_there_is_no_interval() {
        let draws = Resampled::of(&study(TRUTH, 4, 2, 20, 1), Generalize::Stimuli, 50, 0);
        let found = draws.interval(0.5, |_| f64::NAN);
        assert!(found.lo.is_nan() && found.hi.is_nan());
        // All draws alike: no width.
        let found = draws.interval(0.5, |_| 0.5);
        assert_eq!((found.lo, found.hi), (0.5, 0.5));
    }
}
