//! Which rows a model is trained on and which it is judged on, as the arguments say it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{JoinArgs, read_levels, read_table};
use clap::ValueEnum;
use cli::{Input, Job};
use encoding_models::{Inner, Split};
use statistics::folds::folds_of_set;
use statistics::{FoldError, FoldOrder, Folds, k_folds};
use stimulus_table::{Condition, Table, TableJoin};

/// Folds, and a held-out set.
#[derive(Debug, clap::Args)]
pub(crate) struct FoldArgs {
    #[command(flatten)]
    pub cv: CvArgs,
    /// Stimuli held out for good, trained on by no model: COLUMN=VALUE[,VALUE...] of --stimuli, or @TEST.csv, a table
    /// of ids. One model of all others predicts them; --cv are then the folds that choose alpha [default of --cv: as
    /// --alpha-cv]
    #[arg(long, value_name = "COLUMN=VALUES|@TEST")]
    test: Option<TestSet>,
}

/// Folds that are held out in turn.
#[derive(Debug, clap::Args)]
pub(crate) struct CvArgs {
    /// Folds that are held out in turn: a number (over distinct stimuli), loo (each stimulus), a COLUMN of --stimuli
    /// (runs, categories), or @FOLDS.csv, a table with the columns stimulus and fold [default: 5]
    #[arg(long, value_name = "K|loo|COLUMN|@FOLDS")]
    cv: Option<Cv>,
    /// Table of the stimuli, one row each, or one per trial, for the columns that other options name; of an image as
    /// --y its row i names volume i (needs --assume-order)
    #[arg(long, value_name = "TABLE")]
    stimuli: Option<Input>,
    /// How stimuli are dealt into folds
    #[arg(long, value_enum, value_name = "ORDER", default_value = "shuffled")]
    fold_order: FoldOrderArg,
    /// Seed of all that is drawn, the shuffle of the folds first
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How alpha is chosen in the training rows: loo (leave one row out), or folds over their stimuli
    /// [default: loo; where ids repeat, as many folds as --cv; with three given folds or more: the others of them]
    #[arg(long, value_name = "loo|K")]
    alpha_cv: Option<AlphaCv>,
}

/// How stimuli are dealt into folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FoldOrderArg {
    /// Shuffled by --seed: depends on the set of ids, not on the order of rows
    Shuffled,
    /// Consecutive blocks, in the order of the rows of --y
    Contiguous,
}

impl fmt::Display for FoldOrderArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FoldOrderArg::Shuffled => "shuffled",
            FoldOrderArg::Contiguous => "contiguous",
        })
    }
}

/// What `--cv` says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cv {
    Folds(usize),
    LeaveOneOut,
    Column(String),
    File(PathBuf),
}

impl FromStr for Cv {
    type Err = String;

    fn from_str(text: &str) -> Result<Cv, String> {
        match (text, text.parse::<usize>()) {
            ("", _) => Err("expected a number of folds, loo, a column, or @FILE".into()),
            ("loo", _) => Ok(Cv::LeaveOneOut),
            (_, Ok(k)) if k >= 2 => Ok(Cv::Folds(k)),
            (_, Ok(k)) => Err(FoldError::TooFew(k).to_string()),
            _ => Ok(text.strip_prefix('@').map_or_else(|| Cv::Column(text.into()), |path| Cv::File(path.into()))),
        }
    }
}

impl fmt::Display for Cv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cv::Folds(k) => write!(f, "{k}"),
            Cv::LeaveOneOut => write!(f, "loo"),
            Cv::Column(column) => write!(f, "{column}"),
            Cv::File(path) => write!(f, "@{}", path.display()),
        }
    }
}

/// What `--test` says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TestSet {
    Condition(Condition),
    File(PathBuf),
}

impl FromStr for TestSet {
    type Err = String;

    fn from_str(text: &str) -> Result<TestSet, String> {
        match text.strip_prefix('@') {
            Some(path) => Ok(TestSet::File(path.into())),
            None => text
                .parse()
                .map(TestSet::Condition)
                .map_err(|e| format!("{e}; or @FILE with the ids of the test stimuli")),
        }
    }
}

/// How a penalty is judged inside the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AlphaCv {
    /// Each training row left out once.
    LeaveOneOut,
    /// So many folds of stimuli.
    Folds(usize),
}

impl FromStr for AlphaCv {
    type Err = String;

    fn from_str(text: &str) -> Result<AlphaCv, String> {
        match (text, text.parse()) {
            ("loo", _) => Ok(AlphaCv::LeaveOneOut),
            (_, Ok(k)) if k >= 2 => Ok(AlphaCv::Folds(k)),
            _ => Err("expected loo or a number of folds, at least 2".into()),
        }
    }
}

/// What is held out, and how penalties are chosen in what is not.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What models are trained on and judged on.
    pub splits: Vec<Split>,
    /// How they choose.
    pub inner: Inner,
    /// The fold in which a row is judged; `None` for rows that never are.
    pub fold_of_row: Vec<Option<usize>>,
    /// For messages: `5 folds, shuffled by seed 0`.
    pub text: String,
    /// Rows that a model for keeping is fitted to: all that are not held out for good.
    pub kept: Vec<usize>,
}

/// The rows of the responses, for which folds are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// Where they come from.
    pub source: &'a str,
    /// `None` when joined by position.
    pub ids: Option<&'a [String]>,
    pub n: usize,
}

impl Rows<'_> {
    /// The stimulus of every row, as a number; every row is its own without ids.
    pub fn stimuli(&self) -> (Vec<usize>, usize) {
        let Some(ids) = self.ids else { return ((0..self.n).collect(), self.n) };
        // By the sorted ids, so that numbers depend on the set of ids only.
        let mut place: BTreeMap<&str, usize> = ids.iter().map(|id| (id.as_str(), 0)).collect();
        place.values_mut().enumerate().for_each(|(i, place)| *place = i);
        (ids.iter().map(|id| place[id.as_str()]).collect(), place.len())
    }

    fn name(&self, row: usize) -> String {
        self.ids.map_or_else(|| format!("row {row}"), |ids| format!("{:?}", ids[row]))
    }
}

impl FoldArgs {
    /// Whether folds or test set are columns of the table of the stimuli.
    pub fn reads_stimuli(&self) -> bool {
        self.cv.reads_stimuli() || matches!(self.test, Some(TestSet::Condition(_)))
    }

    /// Deals the rows, and checks that no stimulus stands on two sides. `closed_form`: whether penalties can be judged
    /// by leave-one-out.
    pub fn plan(
        &self,
        job: &Job,
        rows: Rows,
        stimuli: Option<&StimuliOfRows>,
        join: JoinArgs,
        closed_form: bool,
    ) -> Result<Plan> {
        self.cv.deal(job, rows, stimuli, join, closed_form, self.test.as_ref())
    }
}

impl CvArgs {
    /// Whether the folds are a column of the table of the stimuli.
    pub fn reads_stimuli(&self) -> bool {
        matches!(self.cv, Some(Cv::Column(_)))
    }

    /// What was said about how penalties are judged.
    pub fn chooses_by(&self) -> Option<AlphaCv> {
        self.alpha_cv
    }

    /// What `--cv` says, or would.
    pub fn cv(&self) -> String {
        self.cv.as_ref().unwrap_or(&Cv::Folds(5)).to_string()
    }

    /// An error where that table was given although nothing reads it. `readers`: options that would.
    pub fn refuse_stimuli(&self, readers: &str) -> Result<()> {
        match &self.stimuli {
            Some(table) => bail!("--stimuli {table}: no option reads a column of it; say {readers}, or leave it out"),
            None => Ok(()),
        }
    }

    /// The table of the stimuli, where one was given.
    pub fn stimuli(&self, job: &Job) -> Result<Option<StimuliOfRows>> {
        self.stimuli.as_ref().map(|input| StimuliOfRows::read(job, input)).transpose()
    }

    /// Folds of all rows, and how penalties of ridge are judged inside them.
    pub fn folds(
        &self,
        job: &Job,
        rows: Rows,
        stimuli: Option<&StimuliOfRows>,
        join: JoinArgs,
    ) -> Result<(Folds, Inner, String)> {
        let Plan { splits, inner, fold_of_row, text, .. } = self.deal(job, rows, stimuli, join, true, None)?;
        // Without a test set every row has a fold.
        Ok((Folds { n_folds: splits.len(), fold_of_row: fold_of_row.into_iter().flatten().collect() }, inner, text))
    }

    fn deal(
        &self,
        job: &Job,
        rows: Rows,
        stimuli: Option<&StimuliOfRows>,
        join: JoinArgs,
        closed_form: bool,
        test: Option<&TestSet>,
    ) -> Result<Plan> {
        let (stimulus_of_row, n_stimuli) = rows.stimuli();
        let repeated = n_stimuli < rows.n;
        let held_out = held_out(job, test, rows, stimuli, join)?;
        let kept: Vec<usize> = (0..rows.n).filter(|&row| !held_out.as_ref().is_some_and(|held| held[row])).collect();
        if let Some(held) = &held_out {
            let n_test = rows.n - kept.len();
            if n_test < 2 || kept.len() < 3 {
                bail!("--test: {n_test} test and {} training rows; at least 2 and 3 are needed", kept.len());
            }
            one_side_each(rows, held, "--test")?;
        }
        if let (Some(_), Some(cv), Some(_)) = (test, &self.cv, self.alpha_cv) {
            bail!("--cv {cv}, --alpha-cv: with --test the folds of --cv choose alpha; give one of the two");
        }
        let cv = self.cv.clone().unwrap_or(Cv::Folds(5));
        let deal = |k: usize, shift: u64, option: &str| -> Result<Folds> {
            let order = match self.fold_order {
                FoldOrderArg::Shuffled => FoldOrder::Shuffled(self.seed.wrapping_add(shift)),
                FoldOrderArg::Contiguous => FoldOrder::Contiguous,
            };
            let dealt = deal(rows.ids, &kept, k, order).map_err(|e| anyhow!("{option}: {e}"))?;
            let mut fold_of_row = dealt.fold_of_row;
            fold_of_row.resize(rows.n, 0);
            Ok(Folds { fold_of_row, ..dealt })
        };
        let leave_one_out = || -> Result<Inner> {
            if !closed_form {
                bail!("leave-one-out is for ridge by penalties, which has it in closed form; say --alpha-cv 5");
            }
            if repeated {
                bail!(
                    "--alpha-cv loo: {} rows of {n_stimuli} stimuli; repeats of the stimulus left out would stay in \
                     the training rows: say a number of folds, or average the presentations first with `npy average`",
                    rows.n
                );
            }
            Ok(Inner::LeaveOneOut)
        };
        let given = match &cv {
            Cv::Column(column) => Some(self.folds_of_column(job, rows, stimuli, join, column, &kept)?),
            Cv::File(path) => Some(self.folds_of_file(job, rows, join, path, &kept)?),
            _ => None,
        };
        let default_k = if let Cv::Folds(k) = cv { k } else { 5 };
        let inner = match (self.alpha_cv, &given) {
            (Some(AlphaCv::LeaveOneOut), _) => leave_one_out()?,
            // Another seed than outside: with the same folds there would be one fewer.
            (Some(AlphaCv::Folds(k)), _) => Inner::Folds(deal(k, 1, "--alpha-cv")?),
            // Two given folds leave one to train on, which needs folds of its own.
            (None, Some(given)) if given.n_folds > 2 || test.is_some() => Inner::Folds(given.clone()),
            (None, None) if test.is_some() && self.cv.is_some() => match cv {
                Cv::LeaveOneOut => leave_one_out()?,
                _ => Inner::Folds(deal(default_k, 0, "--cv")?),
            },
            (None, _) if repeated || !closed_form => Inner::Folds(deal(default_k, 1, "--cv")?),
            (None, _) => Inner::LeaveOneOut,
        };
        let order = match self.fold_order {
            FoldOrderArg::Shuffled => format!("shuffled by seed {}", self.seed),
            FoldOrderArg::Contiguous => "contiguous".into(),
        };
        if held_out.is_some() {
            let test: Vec<usize> = (0..rows.n).filter(|row| kept.binary_search(row).is_err()).collect();
            let mut fold_of_row = vec![None; rows.n];
            test.iter().for_each(|&row| fold_of_row[row] = Some(0));
            let text = format!("{} test rows held out, {} trained on", test.len(), kept.len());
            let splits = vec![Split { train: kept.clone(), test }];
            return Ok(Plan { splits, inner, fold_of_row, text, kept });
        }
        let (outer, text) = match (&cv, given) {
            (_, Some(given)) => {
                let text = format!("{} folds of {cv}", given.n_folds);
                (given, text)
            }
            (Cv::Folds(k), _) => (deal(*k, 0, "--cv")?, format!("{k} folds, {order}")),
            _ => {
                let folds = Folds { n_folds: n_stimuli, fold_of_row: stimulus_of_row.clone() };
                (folds, format!("leave one of {n_stimuli} stimuli out"))
            }
        };
        if outer.n_folds < 2 {
            bail!("--cv {cv}: {}", FoldError::TooFew(outer.n_folds));
        }
        let fold_of_row = outer.fold_of_row.iter().map(|fold| Some(*fold)).collect();
        Ok(Plan { splits: Split::of_folds(&outer), inner, fold_of_row, text, kept })
    }

    fn folds_of_column(
        &self,
        job: &Job,
        rows: Rows,
        stimuli: Option<&StimuliOfRows>,
        join: JoinArgs,
        column: &str,
        kept: &[usize],
    ) -> Result<Folds> {
        let stimuli = require_stimuli(stimuli, "--cv", column)?;
        let levels = stimuli.levels(job, rows, column, join)?;
        number_levels(rows, &levels, kept, &format!("--cv {column}"))
    }

    fn folds_of_file(&self, job: &Job, rows: Rows, join: JoinArgs, path: &Path, kept: &[usize]) -> Result<Folds> {
        let input = Input::File(path.to_owned());
        let stimuli = StimuliOfRows { source: input.to_string(), table: read_table(job, &input)? };
        let levels = stimuli.levels(job, rows, "fold", join)?;
        number_levels(rows, &levels, kept, &format!("--cv @{}", path.display()))
    }
}

/// Whether each row is in the test set.
fn held_out(
    job: &Job,
    test: Option<&TestSet>,
    rows: Rows,
    stimuli: Option<&StimuliOfRows>,
    join: JoinArgs,
) -> Result<Option<Vec<bool>>> {
    let held = match test {
        None => return Ok(None),
        Some(TestSet::Condition(condition)) => {
            let column = &condition.column;
            let levels = require_stimuli(stimuli, "--test", column)?.levels(job, rows, column, join)?;
            if let Some(unknown) = condition.unknown_among(&levels) {
                bail!("--test {condition}: {unknown}");
            }
            levels.iter().map(|level| condition.holds(level)).collect()
        }
        Some(TestSet::File(path)) => {
            let table = read_table(job, &Input::File(path.clone()))?;
            let (_, listed) = table.ids().with_context(|| path.display().to_string())?;
            let Some(ids) = rows.ids else {
                bail!(
                    "--test: {} has rows without ids, which no table can name; write them with `npy label`",
                    rows.source
                )
            };
            let mut found: HashMap<&str, bool> = listed.iter().map(|id| (id.as_str(), false)).collect();
            let held = ids.iter().map(|id| found.get_mut(id.as_str()).map(|seen| *seen = true).is_some()).collect();
            let missing: Vec<&str> = found.iter().filter(|(_, seen)| !**seen).map(|(id, _)| *id).collect();
            if let (Some(id), false) = (missing.iter().min(), join.inner) {
                bail!(
                    "--test: {} of {} ids of {} are not in {}, such as {id:?}; take them out, or say --inner",
                    missing.len(),
                    found.len(),
                    path.display(),
                    rows.source
                );
            }
            held
        }
    };
    Ok(Some(held))
}

/// A table with one row per stimulus, or per trial.
#[derive(Debug)]
pub(crate) struct StimuliOfRows {
    source: String,
    table: Table,
}

impl StimuliOfRows {
    /// Reads such a table.
    pub fn read(job: &Job, input: &Input) -> Result<StimuliOfRows> {
        Ok(StimuliOfRows { source: input.to_string(), table: read_table(job, input)? })
    }

    /// Where it comes from, for messages.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its ids, one per row.
    pub fn ids(&self) -> Result<&[String]> {
        Ok(self.table.ids().with_context(|| self.source.clone())?.1)
    }

    /// The row of the table for every row of the responses.
    fn rows(&self, job: &Job, rows: Rows, join: JoinArgs) -> Result<Vec<usize>> {
        let (_, ids) = self.table.ids().with_context(|| self.source.clone())?;
        let table = (self.source.as_str(), ids);
        let joined = match rows.ids {
            Some(own) => TableJoin::labelled(rows.source, own, table, join.options())?,
            None => TableJoin::by_position(rows.source, rows.n, table, false, join.options())?,
        };
        joined.message.iter().for_each(|message| job.note(message));
        let found: Vec<usize> = joined.rows.iter().flatten().copied().collect();
        if found.len() < rows.n {
            let row = joined.rows.iter().position(Option::is_none).unwrap_or(0);
            bail!("{}: {} has no row for {}", self.source, self.source, rows.name(row));
        }
        Ok(found)
    }

    /// The level of every row of the responses in a column.
    pub fn levels(&self, job: &Job, rows: Rows, column: &str, join: JoinArgs) -> Result<Vec<String>> {
        let levels = read_levels(job, &self.table, &self.source, column)?;
        let found = self.rows(job, rows, join)?;
        Ok(found.into_iter().map(|row| levels[row].clone()).collect())
    }

    /// The number of every row of the responses in a column.
    pub fn numbers(&self, job: &Job, rows: Rows, column: &str, join: JoinArgs) -> Result<Vec<f64>> {
        let numbers = self.table.numbers(column).with_context(|| self.source.clone())?;
        let found = self.rows(job, rows, join)?;
        Ok(found.into_iter().map(|row| numbers[row]).collect())
    }
}

/// The table that an option needs for a column.
pub(crate) fn require_stimuli<'a>(
    stimuli: Option<&'a StimuliOfRows>,
    option: &str,
    column: &str,
) -> Result<&'a StimuliOfRows> {
    stimuli.ok_or_else(|| anyhow!("{option} {column}: a column of which table? Say --stimuli TABLE"))
}

/// Numbers levels in their sorted order; a row that is held out for good needs none.
fn number_levels(rows: Rows, levels: &[String], kept: &[usize], option: &str) -> Result<Folds> {
    if let Some(&row) = kept.iter().find(|&&row| levels[row].is_empty()) {
        bail!("{option}: {} has no fold", rows.name(row));
    }
    let names: BTreeSet<&str> = kept.iter().map(|&row| levels[row].as_str()).collect();
    let place: HashMap<&str, usize> = names.iter().enumerate().map(|(i, name)| (*name, i)).collect();
    if names.len() < 2 {
        bail!("{option}: {}", FoldError::TooFew(names.len()));
    }
    let mut fold_of_row = vec![0; rows.n];
    kept.iter().for_each(|&row| fold_of_row[row] = place[levels[row].as_str()]);
    one_side_each(rows, &fold_of_row, option)?;
    Ok(Folds { n_folds: names.len(), fold_of_row })
}

/// An error where presentations of one stimulus stand on two sides.
fn one_side_each<S: PartialEq>(rows: Rows, side: &[S], option: &str) -> Result<()> {
    let Some(ids) = rows.ids else { return Ok(()) };
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut torn: BTreeSet<&str> = BTreeSet::new();
    for (row, id) in ids.iter().enumerate() {
        let before = *first.entry(id).or_insert(row);
        if side[before] != side[row] {
            torn.insert(id);
        }
    }
    match torn.first() {
        None => Ok(()),
        Some(id) => bail!(
            "{option}: presentations of {} of {} stimuli stand on both sides of a split, such as {id:?}, so that a \
             model is tested on what it has seen; give all presentations of a stimulus one fold",
            torn.len(),
            first.len()
        ),
    }
}

/// Folds over distinct stimuli of the rows `kept`; other rows have fold 0. Without ids every row is a stimulus. A
/// shuffle depends on the set of ids and the seed only: rows in another order, or another layer's features, meet the
/// same folds.
pub(crate) fn deal(ids: Option<&[String]>, kept: &[usize], k: usize, order: FoldOrder) -> Result<Folds, FoldError> {
    let dealt = match (ids, order) {
        (None, _) => k_folds(kept, k, order)?,
        (Some(ids), order) => {
            let own: Vec<&str> = kept.iter().map(|&row| ids[row].as_str()).collect();
            match order {
                FoldOrder::Contiguous => k_folds(&own, k, order)?,
                FoldOrder::Shuffled(seed) => folds_of_set(&own, k, seed)?,
            }
        }
    };
    let mut fold_of_row = vec![0; kept.last().map_or(0, |last| last + 1)];
    kept.iter().zip(dealt.fold_of_row).for_each(|(&row, fold)| fold_of_row[row] = fold);
    Ok(Folds { n_folds: k, fold_of_row })
}

/// Folds in which predictions that exist were made.
#[derive(Debug, clap::Args)]
pub(crate) struct GivenFolds {
    /// Folds in which the predictions were made: a COLUMN of --stimuli, or @FOLDS.csv, a table with the columns
    /// stimulus and fold [default: one model predicted all rows]
    #[arg(long, value_name = "COLUMN|@FOLDS")]
    folds: Option<String>,
    /// Table of the stimuli, one row each, or one per trial; of an image its row i names volume i (needs
    /// --assume-order)
    #[arg(long, value_name = "TABLE")]
    stimuli: Option<Input>,
}

impl GivenFolds {
    /// The table of the stimuli, where one was given.
    pub fn stimuli(&self, job: &Job) -> Result<Option<StimuliOfRows>> {
        self.stimuli.as_ref().map(|input| StimuliOfRows::read(job, input)).transpose()
    }

    /// An error where nothing reads that table.
    pub fn refuse_stimuli(&self, is_image: bool) -> Result<()> {
        match (&self.stimuli, &self.folds) {
            (Some(input), None) if !is_image => {
                bail!("--stimuli {input}: no option reads a column of it; say --folds COLUMN, or leave it out")
            }
            (Some(input), Some(folds)) if !is_image && folds.starts_with('@') => {
                bail!("--stimuli {input}: --folds {folds} is a table itself; give one of the two")
            }
            _ => Ok(()),
        }
    }

    /// The fold of every row; `None` where one model predicted all.
    pub fn folds(
        &self,
        job: &Job,
        rows: Rows,
        stimuli: Option<&StimuliOfRows>,
        join: JoinArgs,
    ) -> Result<Option<Folds>> {
        let Some(folds) = &self.folds else { return Ok(None) };
        let levels = match (folds.strip_prefix('@'), stimuli) {
            (Some(path), _) => StimuliOfRows::read(job, &Input::File(path.into()))?.levels(job, rows, "fold", join)?,
            (None, Some(stimuli)) => stimuli.levels(job, rows, folds, join)?,
            (None, None) => {
                bail!("--folds {folds}: a column of which table? Say --stimuli TABLE, or --folds @FOLDS.csv")
            }
        };
        let all: Vec<usize> = (0..rows.n).collect();
        number_levels(rows, &levels, &all, &format!("--folds {folds}")).map(Some)
    }
}
