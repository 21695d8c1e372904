//! Models and brains as this tool compares them: one response per presentation, joined by stimulus.

use crate::responses::{Unit, mean_over_units, precision};
use anyhow::{Result, bail};
use array_inputs::{JoinArgs, Names, person_of, read_arrays, refuse_position_of_trials, tell_apart};
use ceiling_tables::{Array, Measured, read_reliabilities};
use cli::{Input, Job};
use ndarray::{ArrayView1, ArrayView2, Axis};
use npy_stream::Block;
use reliability::{Repeats, average_occurrences, balanced_splits, presentations_to_split, stepped_up, what_is_split};
use statistics::{Correlation, mean};
use stimulus_table::Side;

/// The two sides of a comparison and how reliable the brain's is.
#[derive(Debug, clap::Args)]
pub(crate) struct Sides {
    /// Models: matrices or profiles, each file possibly a stream of several; - is stdin
    #[arg(value_name = "MODEL", required = true)]
    pub models: Vec<Input>,
    /// Subjects: one region's voxels (or profile) each, several files or one stream
    #[arg(long, value_name = "BRAIN", num_args = 1.., required = true)]
    pub brain: Vec<Input>,
    /// Names of the models, in order [default: their own, else file stems, positions in a pipe]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Names of the subjects, in order
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub brain_names: Vec<String>,
    /// Reliability of each subject's profile, in order, where it is known from elsewhere; instead of split halves
    #[arg(long, value_name = "R,R,..", value_delimiter = ',', value_parser = reliability)]
    pub brain_reliability: Vec<f64>,
    /// Table of `ceiling within` (--stat profile) whose rows have the subjects' names: their reliabilities, instead of
    /// split halves
    #[arg(long, value_name = "TABLE", conflicts_with = "brain_reliability")]
    pub ceiling: Option<Input>,
    /// Most splits of the trials that are averaged; all of them where there are fewer: 1 of 2 presentations, 3 of 3 or
    /// 4, 15 of 5, 10 of 6
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub splits: u32,
}

fn reliability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1.0 => Ok(value),
        _ => Err(format!("{text:?} is no reliability; it lies above 0 and is at most 1")),
    }
}

/// The profile of one system, trial by trial.
pub(crate) struct System {
    pub name: String,
    pub source: String,
    /// The BIDS label of the person, where name or path has one.
    pub person: Option<String>,
    pub responses: Vec<f64>,
    pub repeats: Repeats,
    /// One id per stimulus, in the order of `repeats`.
    pub ids: Option<Vec<String>>,
    /// Reliability of the profile, where the user knows it.
    pub given_reliability: Option<f64>,
}

/// Models and brains, and where each has the stimuli they share.
pub(crate) struct Joined {
    pub models: Vec<System>,
    pub brains: Vec<System>,
    /// For every model, the number (in its `repeats`) of each common stimulus.
    pub of_models: Vec<Vec<usize>>,
    /// The same of every brain.
    pub of_brains: Vec<Vec<usize>>,
    /// Ids of the common stimuli, where any system has ids.
    pub ids: Option<Vec<String>>,
}

/// How profiles are correlated and split.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    pub how: Correlation,
    pub max_splits: usize,
    pub seed: u64,
}

/// The profile over some stimuli, and how reliable it is.
pub(crate) struct Averaged {
    pub responses: Vec<f64>,
    /// `None` without repeated trials.
    pub reliability: Option<f64>,
    /// The correlation of halves of the trials that the reliability was stepped up from; `None` also where it was
    /// given.
    pub r_halves: Option<f64>,
}

/// Reads both sides and joins them by id; at least three stimuli in common.
pub(crate) fn read_sides(job: &Job, sides: &Sides, how: Correlation, join: JoinArgs) -> Result<Joined> {
    let models = read_systems(job, &sides.models, &sides.names)?;
    let mut brains = read_systems(job, &sides.brain, &sides.brain_names)?;
    let given = &sides.brain_reliability;
    if !given.is_empty() && given.len() != brains.len() {
        bail!("--brain-reliability gives {} numbers for {} subjects; one each, in order", given.len(), brains.len());
    }
    for (brain, &reliability) in brains.iter_mut().zip(given) {
        brain.given_reliability = Some(reliability);
    }
    for system in brains.iter().chain(&models).filter(|system| system.given_reliability.is_none()) {
        let said = presentations_to_split(&system.repeats).and_then(|shown| what_is_split(&system.repeats, shown));
        if let Some((text, true)) = said {
            job.warn(format!("{}: {text}", system.source));
        }
    }
    let ceiling = sides.ceiling.as_ref();
    let all: Vec<&System> = brains.iter().chain(&models).collect();
    let sides: Vec<Side> =
        all.iter().map(|s| Side { name: &s.source, labels: s.ids.as_deref(), n_rows: s.repeats.n_stimuli() }).collect();
    refuse_position_of_trials(&sides, &all.iter().map(|s| s.responses.len()).collect::<Vec<_>>())?;
    let mut of_brains = join.join_all(job, &sides)?;
    let n_stimuli = of_brains.first().map_or(0, Vec::len);
    if n_stimuli < 3 {
        bail!(
            "{} and {}: {n_stimuli} stimuli in common; a correlation needs at least 3",
            models[0].source,
            brains[0].source
        );
    }
    let ids = all.iter().zip(&of_brains).find_map(|(system, stimuli)| {
        system.ids.as_ref().map(|ids| stimuli.iter().map(|&s| ids[s].clone()).collect::<Vec<_>>())
    });
    if let Some(input) = ceiling {
        let of = Measured { stat: "profile", compare: how.as_str(), option: "--ceiling" };
        let arrays = brains.iter().map(|brain| Array {
            name: &brain.name,
            source: &brain.source,
            n_stimuli,
            n_trials: Some(1.0 / brain.repeats.mean_inverse_count()),
        });
        let found = read_reliabilities(job, input, of, &arrays.collect::<Vec<_>>())?;
        brains.iter_mut().zip(found).for_each(|(brain, found)| brain.given_reliability = Some(found));
    }
    let of_models = of_brains.split_off(brains.len());
    Ok(Joined { models, brains, of_models, of_brains, ids })
}

impl Joined {
    /// An error when a system has a name that stands for an average in the table.
    pub(crate) fn refuse_name(&self, name: &str, also_models: bool) -> Result<()> {
        if let Some(brain) = self.brains.iter().find(|b| b.name == name) {
            bail!(
                "{}: a subject named {name:?} could not be told from the rows of the {name} over subjects; name the {} \
                 subjects with --brain-names",
                brain.source,
                self.brains.len()
            );
        }
        match self.models.iter().find(|m| also_models && m.name == name) {
            Some(model) => bail!(
                "{}: a model named {name:?} could not be told from the rows of the {name} over models; name the {} \
                 models with --names",
                model.source,
                self.models.len()
            ),
            None => Ok(()),
        }
    }
}

fn read_systems(job: &Job, inputs: &[Input], names: &[String]) -> Result<Vec<System>> {
    let mut arrays = read_arrays(job, inputs, &mut Names::new(names))?;
    tell_apart(&mut arrays)?;
    let mut systems = Vec::new();
    for array in arrays {
        let named = array.into_matrix()?;
        let n_units = named.matrix.n_columns();
        if n_units == 0 {
            bail!(
                "{}: {} rows of 0 units; a profile needs at least 1 unit or voxel",
                named.source,
                named.matrix.n_rows()
            );
        }
        let units: Vec<Unit> = (0..n_units).map(Unit::plain).collect();
        // A profile that differs by rounding only comes back constant, so that every statistic below says so.
        let profile = match named.matrix.view() {
            Block::F4(rows) => mean_over_units(rows, &units, f32::EPSILON.into()),
            Block::F8(rows) => mean_over_units(rows, &units, precision(rows)),
        };
        let responses = profile.responses;
        let repeats = match &named.labels.ids {
            Some(labels) => Repeats::by_id(labels),
            None => Repeats::by_id(&(0..responses.len()).collect::<Vec<_>>()),
        };
        let first = |labels: &Vec<String>| {
            (0..repeats.n_stimuli()).map(|s| labels[repeats.rows_of(s)[0]].clone()).collect::<Vec<_>>()
        };
        let ids = named.labels.ids.as_ref().map(first);
        let person = person_of(&named.name).or_else(|| person_of(&named.source));
        systems.push(System {
            name: named.name,
            source: named.source,
            person,
            responses,
            repeats,
            ids,
            given_reliability: None,
        });
    }
    Ok(systems)
}

impl System {
    /// Trials of each of these stimuli averaged, and the reliability of those averages where at least three stimuli are
    /// repeated.
    pub(crate) fn averaged(&self, stimuli: &[usize], measure: Measure) -> Averaged {
        let (trials, repeats) = self.trials_of(stimuli);
        let average = |s: usize| mean(&repeats.rows_of(s).iter().map(|&row| trials[row]).collect::<Vec<_>>());
        let responses = (0..repeats.n_stimuli()).map(average).collect();
        let stepped = presentations_to_split(&repeats).filter(|_| self.given_reliability.is_none()).map(|shown| {
            let halves = Halves::of(&trials, &repeats, shown, measure);
            stepped_up(halves.correlation(&halves, measure.how), shown, 1.0 / repeats.mean_inverse_count())
        });
        let reliability = self.given_reliability.or(stepped.map(|s| s.reliability));
        Averaged { responses, reliability, r_halves: stepped.map(|s| s.r_halves) }
    }

    /// The trials of these stimuli, stimulus by stimulus, and which row is whose.
    fn trials_of(&self, stimuli: &[usize]) -> (Vec<f64>, Repeats) {
        let rows = || stimuli.iter().flat_map(|&s| self.repeats.rows_of(s).iter().map(move |&row| (s, row)));
        let trials = rows().map(|(_, row)| self.responses[row]).collect();
        (trials, Repeats::by_id(&rows().map(|(s, _)| s).collect::<Vec<_>>()))
    }
}

/// Averages over the two halves of every split of the trials.
struct Halves {
    halves: Vec<(Vec<f64>, Vec<f64>)>,
    n_stimuli: usize,
}

impl Halves {
    fn of(trials: &[f64], repeats: &Repeats, shown: usize, measure: Measure) -> Halves {
        let column = ArrayView1::from(trials).insert_axis(Axis(1));
        let column: ArrayView2<f64> = column.view();
        let stimuli = repeats.shown_at_least(shown);
        let half = |occurrences: &[usize]| -> Vec<f64> {
            average_occurrences(column, repeats, &stimuli, occurrences).into_raw_vec_and_offset().0
        };
        let splits = balanced_splits(shown, measure.max_splits.max(1), measure.seed);
        Halves { halves: splits.iter().map(|s| (half(&s.a), half(&s.b))).collect(), n_stimuli: stimuli.len() }
    }

    /// Mean correlation of one side's half with the other side's other half, over splits and both ways round.
    fn correlation(&self, other: &Halves, how: Correlation) -> f64 {
        let both = self.halves.iter().zip(&other.halves).flat_map(|(x, y)| [how.of(&x.0, &y.1), how.of(&x.1, &y.0)]);
        mean(&both.collect::<Vec<_>>())
    }
}

/// Two systems of one person, correlated over different trials.
pub(crate) struct Disjoint {
    /// Mean correlation of halves with no trial in common.
    pub r: f64,
    /// Correlation of the model's halves with each other, and of the brain's: the reliability of a half.
    pub reliabilities: (f64, f64),
    pub n_stimuli: usize,
}

/// Correlates halves of different trials; `None` where fewer than three stimuli are repeated. Presentation k of a
/// stimulus must be the same trial in both, so unequal numbers of presentations are an error.
pub(crate) fn disjoint(
    model: (&System, &[usize]),
    brain: (&System, &[usize]),
    measure: Measure,
) -> Result<Option<Disjoint>> {
    let (of_model, model_repeats) = model.0.trials_of(model.1);
    let (of_brain, brain_repeats) = brain.0.trials_of(brain.1);
    let (model_counts, brain_counts) = (model_repeats.counts(), brain_repeats.counts());
    if let Some(s) = (0..model_counts.len()).find(|&s| model_counts[s] != brain_counts[s]) {
        let id = brain.0.ids.as_ref().map_or(s.to_string(), |ids| format!("{:?}", ids[brain.1[s]]));
        bail!(
            "{} has {} trials of stimulus {id} and {} has {}; --same-subject disjoint takes presentation k of a stimulus for \
             the same trial in both, so they must be equally many",
            model.0.source,
            model_counts[s],
            brain.0.source,
            brain_counts[s]
        );
    }
    let Some(shown) = presentations_to_split(&model_repeats) else { return Ok(None) };
    let x = Halves::of(&of_model, &model_repeats, shown, measure);
    let y = Halves::of(&of_brain, &brain_repeats, shown, measure);
    let how = measure.how;
    Ok(Some(Disjoint {
        r: x.correlation(&y, how),
        reliabilities: (x.correlation(&x, how), y.correlation(&y, how)),
        n_stimuli: x.n_stimuli,
    }))
}
