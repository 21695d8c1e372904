//! The representative layer of a model for a contrast: chosen on one half of the pictures, judged on the other.

use std::collections::HashMap;

use anyhow::{Result, bail};
use cli::{Format, Input, Job, Named, Output, OutputPath, TableWriter};
use localizer::UnitStatistics;
use localizer_run::{HALVES, Halves, Measured, Plan, RuleArgs};
use statistics::{Reason, rounding};
use stimulus_table::Condition;

use super::Row;
use super::brain::Brain;
use super::summary::{Selected, mean};

/// How a layer is chosen.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ChoiceArgs {
    /// Choose one layer per model and contrast on one half of the pictures; all columns but those of the choice are
    /// then of the other half
    #[arg(long, value_enum, value_name = "RULE")]
    pub choose: Option<Rule>,
    /// Pictures that choose: those with one of these values in the stimulus table; those with another report, those
    /// without one do neither [default: halves dealt by --seed]
    #[arg(long, value_name = "COLUMN=VALUES", requires = "choose")]
    pub train: Option<Condition>,
    /// Seed of the halves, dealt within every level of --by [default: 0]
    #[arg(long, value_name = "N", requires = "choose", conflicts_with = "train")]
    pub seed: Option<u64>,
    /// For --choose tuning: a matrix of voxels, or a profile, over pictures of the stimulus table; once per contrast,
    /// in their order
    #[arg(long, value_name = "FILE", requires = "choose")]
    pub brain: Vec<Input>,
    /// Write the chosen layers, one row per model and contrast
    #[arg(long, value_name = "FILE", requires = "choose")]
    pub chosen: Option<OutputPath>,
    /// Write which half each picture is in (stimulus, part)
    #[arg(long, value_name = "FILE", requires = "choose")]
    pub parts: Option<OutputPath>,
}

/// What makes a layer representative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Rule {
    /// The largest share of selected units
    Selected,
    /// The largest mean t of the selected units
    T,
    /// The largest mean d' of the selected units
    Dprime,
    /// The highest correlation of the selected units' mean profile with --brain
    Tuning,
}

impl Rule {
    fn as_str(self) -> &'static str {
        match self {
            Rule::Selected => "selected",
            Rule::T => "t",
            Rule::Dprime => "dprime",
            Rule::Tuning => "tuning",
        }
    }
}

impl ChoiceArgs {
    /// What cannot be asked together is an error before any file is opened.
    pub fn check(&self, rules: &RuleArgs) -> Result<()> {
        let Some(rule) = self.choose else { return Ok(()) };
        if rule == Rule::Selected && rules.top.is_some() {
            bail!(
                "--top says how many units are selected, so --choose selected would go by the size of the layers; take \
                 --choose t, dprime or tuning, or leave out --top"
            );
        }
        match (rule, self.brain.len()) {
            (Rule::Tuning, 0) => {
                bail!("--choose tuning compares profiles with --brain, and 0 are given; one per contrast")
            }
            (Rule::Tuning, _) | (_, 0) => Ok(()),
            (rule, n) => bail!("--choose {} looks at no brain, but {n} --brain are given", rule.as_str()),
        }
    }

    /// Which pictures choose.
    pub fn halves(&self) -> Option<Halves> {
        self.choose.map(|_| match &self.train {
            Some(condition) => Halves::Column(condition.clone()),
            None => Halves::Dealt(self.seed.unwrap_or(0)),
        })
    }

    /// For the sidecar.
    pub fn record(&self, job: &Job) {
        let Some(rule) = self.choose else { return };
        job.record("choose", rule.as_str());
        match &self.train {
            Some(condition) => job.record("train", condition.to_string()),
            None => job.record("seed", self.seed.unwrap_or(0)),
        }
    }
}

/// What a layer is worth by the rule: where it was chosen, and where it was not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Score {
    pub n_selected_train: usize,
    pub value_train: f64,
    pub value: f64,
    /// Why a value is NaN, or the layer is no candidate.
    pub reason: Option<Reason>,
    /// Selected units that have no number on the pictures that report.
    pub n_without: usize,
}

impl Score {
    /// `train` was selected on the pictures that choose, `test` anew on those that report; `of_profile` are the
    /// correlations of the units of `train` with the brain, on either half.
    ///
    /// All rules but `selected` follow the units of `train` to the other half: units that were selected there would
    /// have a high t by their selection alone.
    pub fn of(rule: Rule, train: &Selected, test: &Selected, of_profile: Option<[f64; 2]>) -> Score {
        let n_units = train.tests.n_units() as f64;
        let share = |selected: &Selected| selected.units.len() as f64 / n_units;
        let mut n_without = 0;
        let mut of_units = |of: fn(&UnitStatistics) -> f64| -> [f64; 2] {
            let values = |on: &Selected| train.units.iter().map(|&unit| of(&on.tests.row(unit))).collect::<Vec<f64>>();
            let there: Vec<f64> = values(test).into_iter().filter(|v| !v.is_nan()).collect();
            n_without = train.units.len() - there.len();
            [mean(values(train).into_iter()), mean(there.into_iter())]
        };
        let [value_train, value] = match rule {
            Rule::Selected => [share(train), share(test)],
            Rule::T => of_units(|row| row.t),
            Rule::Dprime => of_units(|row| row.dprime),
            Rule::Tuning => of_profile.unwrap_or([f64::NAN; 2]),
        };
        let of_nan = |rule| match rule {
            Rule::Tuning => Reason::Constant,
            _ => Reason::NoUsableUnit,
        };
        let reason = match (train.units.is_empty(), value_train.is_nan() || value.is_nan()) {
            (true, _) => Some(Reason::Empty),
            (false, true) => Some(of_nan(rule)),
            (false, false) => None,
        };
        Score { n_selected_train: train.units.len(), value_train, value, reason, n_without }
    }
}

/// The place of a layer among those of its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// 1 is the best; `None` where the layer has no selected unit, or no value, on the pictures that choose.
    pub rank: Option<usize>,
    /// Other layers with the same value.
    pub n_tied: usize,
    pub chosen: bool,
}

/// Ranks the layers of one model; `None` for those that are no candidates. Values that differ by rounding only are
/// equal; of the best the first is chosen.
pub(crate) fn places(values: &[Option<f64>], rule: Rule) -> Vec<Place> {
    let numbers: Vec<f64> = values.iter().copied().flatten().collect();
    let within = match rule {
        // Shares of a layer are equal where they are the same fraction.
        Rule::Selected => 0.0,
        Rule::T | Rule::Dprime => rounding::resolution(&numbers),
        Rule::Tuning => rounding::OF_SCORES,
    };
    let mut places: Vec<Place> = values
        .iter()
        .map(|value| match value {
            None => Place::default(),
            Some(value) => {
                let better = numbers.iter().filter(|other| **other - value > within).count();
                let tied = numbers.iter().filter(|other| (**other - value).abs() <= within).count();
                Place { rank: Some(better + 1), n_tied: tied - 1, chosen: false }
            }
        })
        .collect();
    if let Some(first) = places.iter_mut().find(|place| place.rank == Some(1)) {
        first.chosen = true;
    }
    places
}

/// The columns that `--choose` adds.
pub(crate) const COLUMNS: [&str; 8] =
    ["rule", "chosen", "rank", "n_tied", "n_selected_train", "value_train", "value", "reason_choice"];

/// The place of every row among those of its model and contrast.
pub(crate) fn place_rows(job: &Job, rule: Rule, rows: &mut [Row]) {
    for group in groups(rows) {
        let candidate = |&row: &usize| {
            let score = rows[row].choice.as_ref().map(|(score, _)| *score)?;
            (score.n_selected_train > 0 && !score.value_train.is_nan()).then_some(score.value_train)
        };
        let found = places(&group.iter().map(candidate).collect::<Vec<_>>(), rule);
        for (&row, place) in group.iter().zip(&found) {
            if let Some((_, of_row)) = &mut rows[row].choice {
                *of_row = *place;
            }
        }
        let best: Vec<&Row> =
            group.iter().zip(&found).filter(|(_, p)| p.rank == Some(1)).map(|(&r, _)| &rows[r]).collect();
        let of = &rows[group[0]];
        let title = match &of.model {
            Some(model) => format!("{model}: contrast \"{}\"", of.contrast),
            None => format!("contrast \"{}\"", of.contrast),
        };
        match best.as_slice() {
            [] => job.warn(format!(
                "{title}: no layer is chosen, as 0 of {} have a selected unit{} on the pictures of {}",
                group.len(),
                if rule == Rule::Selected { "" } else { " with a value" },
                HALVES[0]
            )),
            [_] => {}
            [first, others @ ..] => {
                let names: Vec<&str> = others.iter().map(|row| row.array.as_str()).collect();
                job.note(format!(
                    "{title}: {} layers are equally good by {}; {} is chosen as the first of them, before {}",
                    best.len(),
                    rule.as_str(),
                    first.array,
                    names.join(", ")
                ));
            }
        }
    }
}

/// The rows of each model and contrast, in the order in which they first come.
fn groups(rows: &[Row]) -> Vec<Vec<usize>> {
    let mut place: HashMap<(Option<&str>, usize), usize> = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let group = *place.entry((row.model.as_deref(), row.question)).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(i);
    }
    groups
}

/// The cells of [`COLUMNS`].
pub(crate) fn cells<'a>(rule: Rule, row: &Row) -> Vec<Named<'a>> {
    let Some((score, place)) = row.choice else { return Vec::new() };
    vec![
        ("rule", rule.as_str().into()),
        ("chosen", place.chosen.into()),
        ("rank", place.rank.into()),
        ("n_tied", place.rank.map(|_| place.n_tied).into()),
        ("n_selected_train", score.n_selected_train.into()),
        ("value_train", score.value_train.into()),
        ("value", score.value.into()),
        ("reason_choice", score.reason.into()),
    ]
}

/// Writes one row per model and contrast: the layer that was chosen, or why there is none.
pub(crate) fn write_chosen(job: &Job, out: Output, format: Format, rule: Rule, rows: &[Row]) -> Result<()> {
    let has_models = rows.iter().any(|row| row.model.is_some());
    let columns =
        ["contrast", "array", "rule", "n_layers", "n_tied", "n_selected_train", "value_train", "value", "reason"];
    let columns: Vec<&str> = has_models.then_some("model").into_iter().chain(columns).collect();
    let mut table = TableWriter::new(out, format, &columns)?;
    for group in groups(rows) {
        let chosen = group.iter().map(|&row| &rows[row]).find_map(|row| {
            let (score, place) = row.choice?;
            place.chosen.then_some((row, score, place))
        });
        let first = &rows[group[0]];
        // Every layer is empty, or has no value for the reason that the first with units says.
        let none =
            || group.iter().filter_map(|&row| rows[row].choice?.0.reason).find(|reason| *reason != Reason::Empty);
        let reason = match chosen {
            Some((_, score, _)) => score.reason,
            None => Some(none().unwrap_or(Reason::Empty)),
        };
        let mut cells: Vec<Named> = first.model.as_ref().map(|model| ("model", model.into())).into_iter().collect();
        cells.extend([
            ("contrast", (&first.contrast).into()),
            ("array", chosen.map(|(row, ..)| &row.array).into()),
            ("rule", rule.as_str().into()),
            ("n_layers", group.len().into()),
            ("n_tied", chosen.map(|(_, _, place)| place.n_tied).into()),
            ("n_selected_train", chosen.map(|(_, score, _)| score.n_selected_train).into()),
            ("value_train", chosen.map_or(f64::NAN, |(_, score, _)| score.value_train).into()),
            ("value", chosen.map_or(f64::NAN, |(_, score, _)| score.value).into()),
            ("reason", reason.into()),
        ]);
        table.record(&cells)?;
    }
    table.into_inner().commit(job)
}

/// Writes the half of every picture of the table, once for each id.
pub(crate) fn write_parts(job: &Job, out: Output, format: Format, plan: &Plan) -> Result<()> {
    let mut table = TableWriter::new(out, format, &["stimulus", "part"])?;
    let mut seen = std::collections::HashSet::new();
    for (id, &half) in plan.ids()?.iter().zip(plan.half_of_row().unwrap_or_default()) {
        if seen.insert(id) {
            table.record(&[("stimulus", id.into()), ("part", HALVES.get(half).copied().map(String::from).into())])?;
        }
    }
    table.into_inner().commit(job)
}

/// Scores of a layer for every contrast: `train` and `test` are its selections on the two halves.
pub(crate) fn scores(
    job: &Job,
    (rule, brain): (Rule, Option<&Brain>),
    (source, measured): (&str, &Measured),
    train: &[Selected],
    test: &[Selected],
) -> Result<Vec<Score>> {
    let of_profile = brain.map(|brain| brain.correlations(job, source, measured, train)).transpose()?;
    let score = |c: usize| {
        let score = Score::of(rule, &train[c], &test[c], of_profile.as_ref().map(|of| of[c].r));
        // A profile knows best why it has no correlation.
        let reason = of_profile.as_ref().and_then(|of| of[c].reason).filter(|_| score.reason == Some(Reason::Constant));
        Score { reason: reason.or(score.reason), ..score }
    };
    let scores: Vec<Score> = (0..train.len()).map(score).collect();
    let n_without: usize = scores.iter().map(|score| score.n_without).sum();
    if n_without > 0 {
        let n: usize = scores.iter().map(|score| score.n_selected_train).sum();
        job.warn(format!(
            "{source}: {n_without} of {n} units selected on the pictures of {} have no {} on those of {} (constant or \
             NaN there), and are left out of its mean",
            HALVES[0],
            rule.as_str(),
            HALVES[1]
        ));
    }
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_chosen_and_of_equal_ones_the_first() {
        let chosen = |values: &[Option<f64>], rule| places(values, rule).iter().position(|place| place.chosen);
        assert_eq!(chosen(&[Some(0.1), Some(0.3), Some(0.2)], Rule::Selected), Some(1));
        assert_eq!(chosen(&[None, None], Rule::T), None);
        assert_eq!(chosen(&[], Rule::T), None);
        assert_eq!(chosen(&[None, Some(-2.0)], Rule::Tuning), Some(1));
        let tied = places(&[None, Some(5.3), Some(5.3 + 1e-15), Some(9.1 / 2.0)], Rule::T);
        assert_eq!(tied.iter().map(|p| p.rank).collect::<Vec<_>>(), [None, Some(1), Some(1), Some(3)]);
        assert_eq!(tied.iter().map(|p| p.n_tied).collect::<Vec<_>>(), [0, 1, 1, 0]);
        assert_eq!(tied.iter().map(|p| p.chosen).collect::<Vec<_>>(), [false, true, false, false]);
    }
}
