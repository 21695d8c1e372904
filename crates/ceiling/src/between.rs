//! `ceiling between`: how well people predict each other.

mod measured;
mod table;

use std::collections::HashMap;

use anyhow::{Result, anyhow, bail};
use array_inputs::{JoinArgs, NamedArray, Names, person_of, read_arrays, tell_apart};
use clap::ValueEnum;
use cli::{Common, Format, Input, Job};
use ndarray::{Array2, ArrayView2};
use npy_stream::Block;
use rdm::{Distance, Rdm, distances, noise_ceiling, to_be_pooled};
use rdm_inputs::{NamedRdm, check_nan, from_array, into_one_order, is_rdm};
use reliability::{average_occurrences, presentations_to_split, reliability_of_averages};
use statistics::{Correlation, Draws, Reason, mean, pearson, quantile};

use self::measured::{Measured, Places, Values, Voxels, medians, over_subjects, share_below};
use self::table::{ModelRow, Row, write};
use crate::rdm_bounds::say_left_out;
use crate::trials::{
    SplitArgs, Subject, record_splits, reliability_of, subjects_by_id, trial_means, warn_of_dependent_trials,
    warn_of_rdms,
};
use crate::voxel::count_reasons;

/// Subjects against each other: median of the pairs, each against the mean of the others, and the gap to models
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Columns (one row per subject, then rows `median`, `min` and `max` over subjects, with --boot `ci_lo`
and `ci_hi`, and one row per model; trials of a stimulus, which have equal ids, are averaged first):
  subject               or the model
  stat, compare
  n_stimuli             stimuli, joined by id
  n_voxels              the subject's columns; with --stat voxel those that the medians of pairs are
                        over: the _norm columns are over those with a reliability above 0 of both,
                        and stderr counts the others
  n_trials              trials in the averages: 1 / mean(1 / n) over stimuli
  median_pairwise       median of the correlations with each other subject: compare with a model's r
  leave_one_out         correlation with the mean of the other subjects: compare with a model's r.
                        Profiles and voxels are averaged as they are, RDMs as `ceiling rdm` pools
                        them (z-scored for pearson, ranked for spearman)
  r_halves              split-half Pearson of the subject's own trials, as it is
  reliability           of the subject's own averages: r_halves stepped up to n_trials by
                        Spearman-Brown: bounds r2. NaN where that would fall below -1
  r_max                 sqrt(reliability): bounds r
  median_pairwise_norm  as median_pairwise, of r / sqrt(reliability_i * reliability_j)
  leave_one_out_norm    r / sqrt(reliability_i * reliability of the mean of the others)
  mean_pairwise(_norm)  the mean where median_pairwise(_norm) has the median
  cronbach_alpha        row `median`: reliability of the mean of these subjects: bounds r2 with that
                        mean, not with a subject (voxels: the median). Covariances are of different
                        people; subjects that are constant or have a NaN are left out
  role                  subject, summary or model
  gap, gap_norm         with --models: the row `median` less the model's median_pairwise(_norm), the
                        human-human value less the human-model value
  reason                constant, nan_input, negative_reliability, no_usable_pair, same_subject
r_halves, reliability, r_max and the _norm columns need repeated trials in all subjects, else they
are empty. Voxels without a value (constant, reliability below 0) are counted on stderr.
Corrected values are not clipped and may exceed 1; with --stat rdm they are too high where noise is
strong (reliabilities of RDMs are stepped up as if their noise were additive: `ceiling gsn`). The correction takes noise to be independent
between subjects: two whose names or paths have one BIDS label (sub-01) share it, and are no pair
(reason same_subject where nobody else is left); --same-subject independent takes them for two people,
refuse stops. A 1-d array is an RDM and goes with --stat rdm.

--models: for a model median_pairwise and mean_pairwise are over its correlations with each subject,
and _norm corrects for the subject's noise alone (a model has none). One table per selection threshold
gives the curve of gaps: see the third example.
--boot subjects|stimuli|both: 95 % interval of the row `median` from --n-boot draws with replacement:
percentiles 2.5 and 97.5, over subjects further out by what few people need (Hesterberg 2015), but for
median_pairwise. Copies of a subject or stimulus are no pair. Reliabilities stay those of all stimuli.
In simulations of 6 to 16 people they covered the truth in .94 to .97; of 4 people in .85.

Examples:
  cat sub-*/ffa.npy | ceiling between > humans.csv
  ceiling between --stat rdm --compare spearman --boot subjects sub-*/ffa.npy
  for t in 2 5; do ceiling between sub-*/ffa.npy --models alexnet/t$t.npy -o gap-$t.csv; done")]
pub(crate) struct Between {
    /// One labelled matrix per subject, in files or back to back in a stream; - is stdin
    #[arg(value_name = "SUBJECT", default_value = "-")]
    inputs: Vec<Input>,
    /// What is compared
    #[arg(long, value_enum, default_value_t = Stat::Profile)]
    stat: Stat,
    /// Correlation of two subjects
    #[arg(long, value_enum, default_value_t = Compare::Pearson)]
    compare: Compare,
    /// Models to set beside the people: matrices (rows = stimuli, columns = units), or RDMs beside RDMs
    #[arg(long, value_name = "MODEL", num_args = 1..)]
    models: Vec<Input>,
    /// Two subjects of one person
    #[arg(long, value_enum, default_value_t = SameSubject::Flag)]
    same_subject: SameSubject,
    /// Draw these with replacement: rows ci_lo and ci_hi
    #[arg(long, value_enum, value_name = "UNIT")]
    boot: Option<Boot>,
    /// Draws of --boot
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "boot")]
    #[arg(value_parser = clap::value_parser!(u32).range(2..))]
    n_boot: u32,
    #[command(flatten)]
    split: SplitArgs,
    /// Names of the subjects, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
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

/// What of a subject is compared with the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stat {
    /// Mean over voxels of every stimulus
    Profile,
    /// 1 - Pearson RDM of the patterns, or RDMs as they are given
    Rdm,
    /// Every voxel by itself (columns correspond across subjects); the median over voxels
    Voxel,
}

impl Stat {
    /// Its name on the command line and in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Stat::Profile => "profile",
            Stat::Rdm => "rdm",
            Stat::Voxel => "voxel",
        }
    }
}

/// The correlation between two subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compare {
    /// Product-moment correlation
    Pearson,
    /// Rank correlation
    Spearman,
}

impl Compare {
    /// As the shared type.
    pub fn correlation(self) -> Correlation {
        match self {
            Compare::Pearson => Correlation::Pearson,
            Compare::Spearman => Correlation::Spearman,
        }
    }
}

/// What to do with two subjects whose names say that they are one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SameSubject {
    /// They are no pair, and a line on stderr says so
    Flag,
    /// Stop
    Refuse,
    /// Two people all the same
    Independent,
}

/// What a bootstrap draws with replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Boot {
    /// Subjects: the interval speaks to other people
    Subjects,
    /// Stimuli: to other stimuli
    Stimuli,
    /// Both at once, independently
    Both,
}

pub(crate) fn run(args: &Between) -> Result<()> {
    let job = Job::start("ceiling", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    job.record("seed", args.split.seed);
    let mut arrays = read_arrays(&job, &args.inputs, &mut Names::new(&args.names))?;
    let n_subjects = arrays.len();
    if n_subjects < 2 {
        bail!("{}: 1 subject; a ceiling between subjects needs at least 2", arrays[0].source);
    }
    if args.boot.is_some_and(|unit| unit != Boot::Stimuli) && n_subjects < 3 {
        bail!(
            "--boot over subjects: {n_subjects} subjects, of whom a draw is one pair or none; it needs at least 3 (--boot \
             stimuli does not)"
        );
    }
    if !args.models.is_empty() {
        if args.stat == Stat::Voxel {
            bail!("--models with --stat voxel: units of a model are no voxels; give --stat profile or rdm");
        }
        arrays.extend(read_arrays(&job, &args.models, &mut Names::new(&[]))?);
    }
    tell_apart(&mut arrays)?;
    let reserved = arrays.iter().find(|array| table::SUMMARIES.contains(&array.name.as_str()));
    if let Some(array) = reserved {
        bail!("{}: is called {:?}, as a row of the table is; give --names", array.source, array.name);
    }
    let persons = persons(&job, args, &arrays[..n_subjects])?;
    let n_rdms = arrays.iter().filter(|a| is_rdm(&a.array)).count();
    if args.allow_nan && args.stat != Stat::Rdm {
        bail!("--allow-nan is for RDMs; --stat {} has none", args.stat.as_str());
    }
    let study = match (args.stat, n_rdms) {
        (_, 0) => of_patterns(&job, args, subjects_by_id(&job, args.join, arrays)?, persons)?,
        (Stat::Rdm, n) if n == arrays.len() => of_rdms(&job, args, arrays, persons)?,
        (Stat::Rdm, n) => bail!(
            "{n} of {} subjects{} are RDMs (1-d, or square and symmetric with a zero diagonal), the others matrices; \
             give one kind",
            arrays.len(),
            if args.models.is_empty() { "" } else { " and models" }
        ),
        (stat, n) => bail!(
            "{n} of {} subjects are RDMs (1-d, or square and symmetric with a zero diagonal); --stat {} needs \
             matrices, RDMs go with --stat rdm",
            arrays.len(),
            stat.as_str()
        ),
    };
    let Study { subjects, models, measured } = study;
    let (estimates, alpha) = measured.of(&measured.everything())?;
    let mut rows = Vec::new();
    for (i, (subject, estimate)) in subjects.into_iter().zip(&estimates).enumerate() {
        if let Some(text) = count_reasons(&estimate.of_voxels) {
            job.warn(format!("{}: {text}; medians are over the others", subject.source));
        }
        if let (Some(reason), true) = (estimate.reason, args.stat != Stat::Voxel) {
            let effect = match reason {
                Reason::NegativeReliability => "corrected values with it are NaN",
                _ => {
                    "the values of the others are without it, rows over subjects (median, min, max) are NaN; leave it out \
                      to have them"
                }
            };
            job.warn(format!("subject {}: {reason}; {effect}", subject.name));
        }
        let own = measured.reliabilities.as_ref().map(|all| all.row(i).to_vec());
        rows.push(Row::new(subject, estimate, own));
    }
    let human = medians(&estimates);
    let models = models.into_iter().map(|model| {
        let (plain, corrected) = measured.model(&model.vector);
        let [plain_median, plain_mean] = over_subjects(&plain);
        let corrected = corrected.map(|values| over_subjects(&values));
        ModelRow {
            name: model.name,
            n_stimuli: measured.n_stimuli,
            n_units: model.n_units,
            median: plain_median,
            mean: plain_mean,
            gap: human[0] - plain_median,
            corrected,
            gap_norm: corrected.map(|[median, _]| human[3] - median),
            // A person without a number leaves the row over people without one.
            reason: Reason::of(&model.vector)
                .or(plain_median.is_nan().then_some(Reason::NanInput))
                .or(corrected.filter(|[median, _]| median.is_nan()).map(|_| Reason::NegativeReliability)),
        }
    });
    let models: Vec<ModelRow> = models.collect();
    for model in &models {
        if let Some(reason) = model.reason {
            job.warn(format!("model {}: {reason}", model.name));
        }
    }
    let interval = args.boot.map(|unit| interval(&job, args, unit, &measured)).transpose()?;
    write(args, out, &rows, measured.n_stimuli, alpha, interval, &models)?.commit(&job)
}

/// One number per subject, equal for those whose names say that they are one person.
fn persons(job: &Job, args: &Between, subjects: &[NamedArray]) -> Result<Vec<usize>> {
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut persons: Vec<usize> = (0..subjects.len()).collect();
    if args.same_subject == SameSubject::Independent {
        return Ok(persons);
    }
    for (i, subject) in subjects.iter().enumerate() {
        let Some(label) = person_of(&subject.name).or_else(|| person_of(&subject.source)) else { continue };
        let known = *first.entry(label.clone()).or_insert(i);
        persons[i] = known;
        if known != i {
            let both = format!("{} and {}: both are of sub-{label}", subjects[known].source, subject.source);
            if args.same_subject == SameSubject::Refuse {
                bail!("{both}, so they share the noise of every trial; leave one out, or say --same-subject flag");
            }
            job.warn(format!("{both}, and are no pair (--same-subject independent takes them for two people)"));
        }
    }
    Ok(persons)
}

/// Fewer people than this: no draw reaches as far as their interval should.
const FEW_PEOPLE: usize = 6;

/// Of the row `median` (as [`medians`] has it) and of Cronbach's alpha the two ends of a 95 % interval over draws.
fn interval(job: &Job, args: &Between, unit: Boot, measured: &Measured) -> Result<[[f64; 7]; 2]> {
    let mut found: [Vec<f64>; 7] = Default::default();
    let progress = job.progress(args.n_boot as usize, "draws");
    for draw in 0..args.n_boot {
        let sample = measured.draw(unit, &mut Draws::stream(args.split.seed, u64::from(draw)));
        let (estimates, alpha) = measured.of(&sample)?;
        // A draw of one subject alone has no number.
        let numbers = medians(&estimates).into_iter().chain([alpha]);
        found.iter_mut().zip(numbers).filter(|(_, v)| !v.is_nan()).for_each(|(all, v)| all.push(v));
        progress.advance(1);
    }
    let used = found[0].len();
    job.record("n_boot", used);
    if used < args.n_boot as usize {
        job.warn(format!(
            "{} of {} draws have no number (a subject without a pair, too few stimuli), and are left out",
            args.n_boot as usize - used,
            args.n_boot
        ));
    }
    let n_people = measured.n_people();
    if unit != Boot::Stimuli && n_people < FEW_PEOPLE {
        job.warn(format!(
            "intervals over {n_people} people are too narrow (of 4 they cover .85 of the times, not .95); {FEW_PEOPLE} \
             are enough, and `ceiling design` has t intervals"
        ));
    }
    let below: [f64; 7] = std::array::from_fn(|k| share_below(unit, n_people, k));
    Ok([false, true]
        .map(|upper| std::array::from_fn(|k| quantile(&found[k], if upper { 1.0 - below[k] } else { below[k] }))))
}

/// Subjects, what is compared between them, and models.
struct Study {
    subjects: Vec<Facts>,
    models: Vec<Model>,
    measured: Measured,
}

/// What the table says of a subject beside the numbers.
struct Facts {
    name: String,
    source: String,
    n_voxels: Option<usize>,
    n_trials: Option<f64>,
    /// One per voxel, or one; with repeats.
    r_halves: Option<Vec<f64>>,
}

struct Model {
    name: String,
    n_units: Option<usize>,
    vector: Vec<f64>,
}

fn of_patterns(job: &Job, args: &Between, mut subjects: Vec<Subject>, persons: Vec<usize>) -> Result<Study> {
    let models = subjects.split_off(persons.len());
    subjects.iter().for_each(|s| record_splits(job, &s.source, &s.trials.repeats, args.split));
    let without = subjects.iter().filter(|s| presentations_to_split(&s.trials.repeats).is_none());
    let corrected = match without.clone().count() {
        0 => true,
        n => {
            let repeated = n < subjects.len() || subjects.iter().any(|s| s.trials.n_trials() > 1.0);
            if let (true, Some(first)) = (repeated, without.clone().next()) {
                job.note(format!(
                    "{}: fewer than 3 stimuli shown twice, as in {n} of {} subjects: no reliability, nothing corrected",
                    first.source,
                    subjects.len()
                ));
            }
            false
        }
    };
    if corrected {
        warn_of_dependent_trials(job, &args.inputs);
    }
    if corrected && args.stat == Stat::Rdm {
        warn_of_rdms(job, &subjects[0].source);
    }
    let how = args.compare.correlation();
    if args.stat == Stat::Voxel {
        common_space(&subjects)?;
    }
    let n_stimuli = subjects[0].trials.repeats.n_stimuli();
    if n_stimuli < 3 {
        bail!(
            "{} and {}: {n_stimuli} stimuli in common; a correlation needs at least 3",
            subjects[0].source,
            subjects[1].source
        );
    }
    let mut facts = Vec::new();
    let mut reliabilities = Vec::new();
    for subject in &subjects {
        let mut r_halves = None;
        if corrected {
            let (halves, own) = own_reliability(args, subject).map_err(|e| anyhow!("{}: {e}", subject.source))?;
            r_halves = Some(halves);
            reliabilities.extend(own);
        }
        facts.push(Facts {
            name: subject.name.clone(),
            source: subject.source.clone(),
            n_voxels: Some(subject.trials.n_voxels()),
            n_trials: Some(subject.trials.n_trials()),
            r_halves,
        });
    }
    let n_subjects = subjects.len();
    let reliabilities = match corrected {
        true => Some(Array2::from_shape_vec((n_subjects, reliabilities.len() / n_subjects), reliabilities)?),
        false => None,
    };
    let mut vectors_of_models = Vec::new();
    let values = match args.stat {
        Stat::Voxel => Values::Voxels(Voxels::of_one_width(subjects.into_iter().map(|s| s.trials.into_averages()))),
        Stat::Profile => {
            let profile = |s: &Subject| row_means(s.trials.averages().view());
            vectors_of_models = models.iter().map(profile).collect();
            Values::Profiles(subjects.iter().map(profile).collect())
        }
        Stat::Rdm => {
            let mut rdms = Vec::new();
            for s in subjects.iter().chain(&models) {
                // Of no unit or voxel there are no patterns.
                let made = match s.trials.n_voxels() {
                    0 => Rdm::from_condensed(vec![f64::NAN; n_stimuli * (n_stimuli - 1) / 2], None),
                    _ => distances(s.trials.averages().view(), Distance::Correlation).map(|made| made.rdm),
                };
                rdms.push(NamedRdm {
                    name: s.name.clone(),
                    own: None,
                    source: s.source.clone(),
                    rdm: made.map_err(|e| anyhow!("{}: {e}", s.source))?,
                });
            }
            let (mut vectors, places) = pooled_alike(job, args, &rdms, how)?;
            vectors_of_models = vectors.split_off(n_subjects);
            Values::Pairs { vectors, places }
        }
    };
    let models = models.into_iter().zip(vectors_of_models).map(|(model, vector)| Model {
        n_units: Some(model.trials.n_voxels()),
        name: model.name,
        vector,
    });
    let models = models.collect();
    Ok(Study { subjects: facts, models, measured: Measured { values, how, reliabilities, persons, n_stimuli } })
}

/// Correlations of halves, and reliabilities of averages: of every voxel, or of the profile or RDM.
fn own_reliability(args: &Between, subject: &Subject) -> Result<(Vec<f64>, Vec<f64>)> {
    let t = &subject.trials;
    let SplitArgs { splits, seed } = args.split;
    let found = match args.stat {
        Stat::Rdm if t.n_voxels() == 0 => return Ok((vec![f64::NAN], vec![f64::NAN])),
        Stat::Rdm => {
            let stepped = rdm_reliability(subject, args)?;
            let (halves, own) = stepped.map_or((f64::NAN, f64::NAN), |s| (s.r_halves, s.reliability));
            return Ok((vec![halves], vec![own]));
        }
        Stat::Profile => {
            let by_trial = Array2::from_shape_vec((t.responses.n_rows(), 1), trial_means(t))?;
            reliability_of_averages(by_trial.view(), &t.repeats, t.n_trials(), splits, seed)?
        }
        Stat::Voxel => match t.responses.view() {
            Block::F4(rows) => reliability_of_averages(rows, &t.repeats, t.n_trials(), splits, seed)?,
            Block::F8(rows) => reliability_of_averages(rows, &t.repeats, t.n_trials(), splits, seed)?,
        },
    };
    Ok(found.iter().map(|half| (half.r, half.reliability)).unzip())
}

fn common_space(subjects: &[Subject]) -> Result<()> {
    let n_voxels = subjects[0].trials.n_voxels();
    match subjects.iter().find(|s| s.trials.n_voxels() != n_voxels) {
        None => Ok(()),
        Some(other) => bail!(
            "{}: {} voxels, but {} has {n_voxels}; --stat voxel needs a common space, where columns correspond \
             (--stat profile and rdm do not)",
            other.source,
            other.trials.n_voxels(),
            subjects[0].source
        ),
    }
}

pub(crate) fn row_means(rows: ArrayView2<f64>) -> Vec<f64> {
    rows.rows().into_iter().map(|row| mean(&row.to_vec())).collect()
}

/// The pairs that are finite in all RDMs that have any, normalised so that their plain mean is the pool that the
/// comparison needs. The leave-one-out values are then the terms of the lower bound of `ceiling rdm`.
/// With them the place of each pair. An RDM without a number (of one unit, say) is NaN and takes no pair from the
/// others.
fn pooled_alike(job: &Job, args: &Between, rdms: &[NamedRdm], how: Correlation) -> Result<(Vec<Vec<f64>>, Places)> {
    let has_numbers: Vec<bool> = rdms.iter().map(has_numbers).collect();
    for (named, has_numbers) in rdms.iter().zip(&has_numbers) {
        match has_numbers {
            true => check_nan(job, &named.source, &named.rdm, "; left out for all subjects", args.allow_nan)?,
            false if args.allow_nan => {}
            false => bail!(
                "{}: no pair of stimuli has a value (patterns over one voxel have no correlation); leave it out, or say \
                 --allow-nan for NaN in its own row",
                named.source
            ),
        }
    }
    let plain: Vec<Rdm> = rdms.iter().zip(&has_numbers).filter(|(_, has)| **has).map(|(r, _)| r.rdm.clone()).collect();
    let mut pooled = match plain.is_empty() {
        true => Vec::new(),
        false => to_be_pooled(&plain, how.into())?,
    }
    .into_iter();
    let n = rdms[0].rdm.n_stimuli();
    let mut places = Array2::from_elem((n, n), None);
    let mut place = 0;
    for (k, (i, j)) in (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).enumerate() {
        if plain.iter().all(|rdm| rdm.values()[k].is_finite()) {
            places[(i, j)] = Some(place);
            place += 1;
        }
    }
    let vectors = has_numbers
        .iter()
        .map(|&has| has.then(|| pooled.next()).flatten().unwrap_or_else(|| vec![f64::NAN; place]))
        .collect();
    Ok((vectors, places))
}

/// Whether any pair has a value.
fn has_numbers(named: &NamedRdm) -> bool {
    named.rdm.values().iter().any(|v| v.is_finite())
}

fn rdm_reliability(subject: &Subject, args: &Between) -> Result<Option<reliability::Stepped>> {
    let trials = &subject.trials;
    reliability_of(trials, args.split, |stimuli, a, b| {
        let half = |shown: &[usize]| -> Result<Rdm> {
            let means = match trials.responses.view() {
                Block::F4(rows) => average_occurrences(rows, &trials.repeats, stimuli, shown),
                Block::F8(rows) => average_occurrences(rows, &trials.repeats, stimuli, shown),
            };
            Ok(distances(means.view(), Distance::Correlation)?.rdm)
        };
        let (a, b) = (half(a)?, half(b)?);
        let finite = |(x, y): &(&f64, &f64)| x.is_finite() && y.is_finite();
        let (x, y): (Vec<f64>, Vec<f64>) = a.values().iter().zip(b.values()).filter(finite).unzip();
        Ok(pearson(&x, &y))
    })
}

fn of_rdms(job: &Job, args: &Between, arrays: Vec<NamedArray>, persons: Vec<usize>) -> Result<Study> {
    let mut rdms = arrays.into_iter().map(from_array).collect::<Result<Vec<NamedRdm>>>()?;
    into_one_order(job, args.join, &mut rdms)?;
    let how = args.compare.correlation();
    let (mut vectors, places) = pooled_alike(job, args, &rdms, how)?;
    let of_models = vectors.split_off(persons.len());
    let models = rdms.split_off(persons.len());
    let n_stimuli = rdms[0].rdm.n_stimuli();
    let (usable, plain): (Vec<&NamedRdm>, Vec<Rdm>) =
        rdms.iter().filter(|named| has_numbers(named)).map(|named| (named, named.rdm.clone())).unzip();
    if plain.len() > 1 {
        // A constant adds nothing to the others' pools, and its own row is NaN.
        say_left_out(job, &noise_ceiling(&plain, how.into())?, &usable);
    }
    let facts = |named: NamedRdm| Facts {
        name: named.name,
        source: named.source,
        n_voxels: None,
        n_trials: None,
        r_halves: None,
    };
    let models = models.into_iter().zip(of_models);
    Ok(Study {
        subjects: rdms.into_iter().map(facts).collect(),
        models: models.map(|(model, vector)| Model { name: model.name, n_units: None, vector }).collect(),
        measured: Measured { values: Values::Pairs { vectors, places }, how, reliabilities: None, persons, n_stimuli },
    })
}
