//! One array: its rows are summed, its labels compared with the table, and its units tested.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, Error, Result, bail};
use array_inputs::{Whole, hold};
use cli::{Bytes, Job, Progress};
use localizer::{CategoryMoments, Contrast, Question, UnitTests, roc_areas};
use ndarray::ArrayView2;
use npy_stream::{Block, Incoming, Labels, NpyError, PartBuffer, Parts};
use statistics::Moments;
use stimulus_table::{Side, TableJoin, join};

use crate::Plan;

/// Bytes of rows of a pipe taken at a time: large enough to share out among threads, small enough to stay in the cache.
const BLOCK_BYTES: usize = 4 << 20;
/// With fewer rows in a block than this, the moments would be read from memory as often as the rows themselves.
const MIN_ROWS: usize = 8;
/// Rows of a strip of a file read at a time: with 8192 units a quarter of a MB, which stays in the second cache.
const STRIP_ROWS: usize = 16;
/// For ROC areas of a file: as many columns at a time as take this many bytes with all their rows.
const COLUMN_BYTES: usize = 64 << 20;

/// What was summed of one array while it was read.
#[derive(Debug)]
pub struct Measured {
    moments: Arc<CategoryMoments>,
    questions: Vec<(Question, Option<Question>)>,
    /// ROC areas where they were asked for: of every question, then of every held-out one.
    auc: Vec<Vec<f64>>,
    rows: Vec<Option<usize>>,
    labels: Labels,
    responses: Option<Whole>,
}

impl Measured {
    /// The array's own name.
    pub fn name(&self) -> Option<&str> {
        self.labels.name.as_deref()
    }

    /// All labels of the array.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The names of its units.
    pub fn unit_names(&self) -> Option<&[String]> {
        self.labels.columns.as_deref()
    }

    /// How many units.
    pub fn n_units(&self) -> usize {
        self.moments.n_units()
    }

    /// The row of the stimulus table that each row of the matrix is.
    pub fn rows(&self) -> &[Option<usize>] {
        &self.rows
    }

    /// All responses, of a plan that keeps them ([`Plan::keeping`]).
    pub fn responses(&self) -> Option<&Whole> {
        self.responses.as_ref()
    }

    /// Groups of the moments that the questions of one half look at, or all where there are no halves.
    pub fn groups_of_half(&self, half: usize, n_halves: usize) -> Vec<usize> {
        let of_half = self.questions.iter().skip(half).step_by(n_halves);
        let mut groups: Vec<usize> = of_half.flat_map(|(question, _)| question.groups()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups.retain(|&group| self.moments.count(group) > 0);
        groups
    }

    /// Mean and variance of every unit within every group of the plan's design.
    pub fn moments(&self) -> &CategoryMoments {
        &self.moments
    }

    /// Tests of every unit for a question of [`Plan::questions`], and on the pictures held out; those are measured and
    /// not tested where the plan has levels.
    pub fn tests(&self, plan: &Plan, question: usize) -> Result<(UnitTests, Option<UnitTests>)> {
        let (chosen_on, held_out) = &self.questions[question];
        let tests = |question: &Question, correction| {
            UnitTests::compute(self.moments.clone(), question.clone(), plan.test, correction)
        };
        // Where levels are measured a part may be too small for a test.
        let tested = held_out.as_ref().filter(|_| plan.n_asked == plan.contrasts.len());
        let held_out = tested.map(|q| tests(q, None)).transpose()?;
        Ok((tests(chosen_on, plan.correction)?, held_out))
    }

    /// What a unit does in the rows of one level (from 0, of [`Plan::levels`]) in a part that is held out (from 0, of
    /// the plan's folds): how many rows there are, and their mean.
    pub fn held_out(&self, plan: &Plan, (level, fold): (usize, usize), unit: usize) -> Moments {
        let question = (plan.n_asked + level) * plan.folds.len() + fold;
        let of = self.questions[question].1.as_ref().map(|held| held.preferred().moments(&self.moments, unit));
        of.unwrap_or_default()
    }

    /// ROC area of every unit for a question, and on the pictures held out, where they were asked for.
    pub fn auc(&self, question: usize) -> (Option<&[f64]>, Option<&[f64]>) {
        let of = |place: usize| self.auc.get(place).map(Vec::as_slice);
        (of(question), self.questions[question].1.as_ref().and_then(|_| of(self.questions.len() + question)))
    }
}

impl Plan {
    /// Reads one array. Nothing may be written before this has returned: the labels of a pipe are checked at its end.
    ///
    /// A matrix in a file is read in strips of units by all threads, each byte once (twice for ROC areas); a pipe, and
    /// anything else that cannot be read out of order, in blocks of rows. Both give the same bytes.
    pub fn measure(&self, job: &Job, source: &str, mut acts: Incoming) -> Result<Measured> {
        let context = || source.to_string();
        let (n_rows, n_units) = acts.matrix_shape().with_context(context)?;
        let labels = acts.labels_ahead().with_context(context)?;
        let mut joined = self.join_rows(source, n_rows, labels.map(|labels| labels.ids))?;
        let group_of_row = self.groups_of(&joined.rows);
        let questions = self.questions();

        let mut auc = Vec::new();
        let mut moments = None;
        // Without rows there is nothing to test, however many units the header promises.
        let mut responses = None;
        // Kept responses are read row by row, which a file of columns has no way to be.
        let in_file = |parts: &Parts| n_rows > 0 && !(self.keep.is_some() && parts.is_fortran());
        if let Some(parts) = acts.parts().filter(in_file) {
            let progress = job.progress(n_units, "units");
            let mut sums = CategoryMoments::new(self.design.n_groups(), n_units);
            read_strips(&mut sums, &parts, &group_of_row, &progress).with_context(context)?;
            if self.auc.is_some() {
                let width = (COLUMN_BYTES / (n_rows * 8).max(1)).max(1);
                let mut buffer = PartBuffer::default();
                for first in (0..n_units).step_by(width) {
                    let units = first..(first + width).min(n_units);
                    let block = parts.read(0..n_rows, units, &mut buffer).with_context(context)?;
                    self.add_auc(&mut auc, block, &group_of_row, &questions);
                }
            }
            moments = Some(sums);
            responses = self.keep.map(|_| Whole::InFile(parts));
        }
        let labels = if let (None, Some(mem)) = (&moments, self.auc.or(self.keep)) {
            let bytes = n_rows as u64 * n_units as u64 * if acts.kind().is_double() { 8 } else { 4 };
            if bytes > mem {
                let what = if self.auc.is_some() { "ROC areas need" } else { "the rule needs" };
                // A file is read piece by piece, but for one in Fortran order by a rule that wants rows.
                let file = match acts.parts() {
                    Some(_) => "write the file in C order (`npy cat`)",
                    None => "give the activations as a file",
                };
                bail!(
                    "{source}: {what} all {n_rows} x {n_units} responses at once, {}, and --mem allows {}; {file}, pool \
                     or select units first, or raise --mem",
                    Bytes(bytes.into()),
                    Bytes(mem.into())
                );
            }
            let (matrix, labels) = hold(acts, source)?.into_matrix().with_context(context)?;
            let mut sums = CategoryMoments::new(self.design.n_groups(), n_units);
            add_block(&mut sums, matrix.view(), &group_of_row)?;
            if self.auc.is_some() {
                self.add_auc(&mut auc, matrix.view(), &group_of_row, &questions);
            }
            moments = Some(sums);
            responses = self.keep.map(|_| Whole::InMemory(matrix));
            labels
        } else {
            if moments.is_none() {
                moments = self.read_rows(job, &mut acts, &group_of_row).with_context(context)?;
            }
            acts.finish().with_context(context)?
        };
        if let Some(join) = &mut joined.trusted {
            join.check(source, labels.ids.as_deref(), (&self.table_name, self.ids()?), self.join.options())?;
            joined.message = join.message.take();
        }
        if let Some(message) = &joined.message {
            job.note(message);
        }
        let measured = self.measured(source, moments, questions, auc, joined.rows, labels)?;
        Ok(Measured { responses, ..measured })
    }

    /// Measures rows that come one by one and carry no ids, as the volumes of an image do: row i of the table is row i.
    /// `next` fills in a row of voxels or units, and says whether there was one.
    ///
    /// The caller makes sure of the user's consent (`--assume-order`) and of one row of the table for each.
    pub fn measure_rows(&self, source: &str, mut next: impl FnMut(&mut Vec<f64>) -> Result<bool>) -> Result<Measured> {
        let group_of_row = self.design.group_of_row();
        let mut groups = group_of_row.iter().copied();
        let mut moments: Option<CategoryMoments> = None;
        let mut values = Vec::new();
        while next(&mut values)? {
            let row = ArrayView2::from_shape((1, values.len()), &values)?;
            let sums = moments.get_or_insert_with(|| CategoryMoments::new(self.design.n_groups(), values.len()));
            sums.add_rows(row, &[groups.next().flatten()]).with_context(|| source.to_owned())?;
        }
        let rows = (0..group_of_row.len()).map(Some).collect();
        self.measured(source, moments, self.questions(), Vec::new(), rows, Labels::default())
    }

    /// The sums, if both sides of every question have enough rows for a test.
    fn measured(
        &self,
        source: &str,
        moments: Option<CategoryMoments>,
        questions: Vec<(Question, Option<Question>)>,
        auc: Vec<Vec<f64>>,
        rows: Vec<Option<usize>>,
        labels: Labels,
    ) -> Result<Measured> {
        let moments = moments.unwrap_or_else(|| CategoryMoments::new(self.design.n_groups(), 0));
        // Levels are measured, not tested, and with them parts that are held out may have a row of each.
        let with_levels = self.n_asked < self.contrasts.len();
        let n_tested = self.n_asked * self.folds.len().max(1);
        for (place, (chosen_on, held_out)) in questions.iter().enumerate().take(n_tested) {
            for question in std::iter::once(chosen_on).chain(held_out.as_ref().filter(|_| !with_levels)) {
                question.check(&moments).with_context(|| format!("{source}: {}", self.title(place)))?;
            }
        }
        Ok(Measured { moments: Arc::new(moments), questions, auc, rows, labels, responses: None })
    }

    /// The group of the design of every row of a matrix.
    fn groups_of(&self, rows: &[Option<usize>]) -> Vec<Option<usize>> {
        let of_table = self.design.group_of_row();
        rows.iter().map(|row| row.and_then(|r| of_table[r])).collect()
    }

    /// The contrast of a question.
    pub fn contrast(&self, question: usize) -> &Contrast {
        &self.contrasts[question / self.folds.len().max(1)]
    }

    /// Contrast and held-out part of a question, in words.
    pub fn title(&self, question: usize) -> String {
        let contrast = self.contrast(question);
        match self.fold(question) {
            None => format!("contrast \"{contrast}\""),
            Some(fold) if self.half_of_row.is_some() => format!("contrast \"{contrast}\", the pictures of {fold}"),
            Some(fold) => format!("contrast \"{contrast}\", part \"{fold}\" held out"),
        }
    }

    /// The part that a question holds out.
    pub fn fold(&self, question: usize) -> Option<&str> {
        (!self.folds.is_empty()).then(|| self.folds[question % self.folds.len()].as_str())
    }

    fn read_rows(
        &self,
        job: &Job,
        acts: &mut Incoming,
        group_of_row: &[Option<usize>],
    ) -> Result<Option<CategoryMoments>> {
        let (n_rows, n_units) = acts.matrix_shape()?;
        let value_bytes = if acts.kind().is_double() { 8 } else { 4 };
        let block_rows = (BLOCK_BYTES / (n_units * value_bytes).max(1)).max(MIN_ROWS);
        let progress = job.progress(n_rows, "pictures");
        // Memory is taken when the first rows are there: a header alone is not believed.
        let mut moments: Option<CategoryMoments> = None;
        let mut first = 0;
        while let Some(block) = acts.next_rows(block_rows)? {
            let groups = &group_of_row[first..first + block.n_rows()];
            let sums = moments.get_or_insert_with(|| CategoryMoments::new(self.design.n_groups(), n_units));
            add_block(sums, block, groups)?;
            first += groups.len();
            progress.advance(groups.len());
        }
        Ok(moments)
    }

    fn add_auc(
        &self,
        auc: &mut Vec<Vec<f64>>,
        block: Block,
        group_of_row: &[Option<usize>],
        questions: &[(Question, Option<Question>)],
    ) {
        let n_groups = self.design.n_groups();
        let asked = questions.iter().map(|q| &q.0).chain(questions.iter().filter_map(|q| q.1.as_ref()));
        for (place, question) in asked.enumerate() {
            // The plan has refused contrasts without ROC areas.
            let areas = match block {
                Block::F4(rows) => roc_areas(rows, group_of_row, n_groups, question),
                Block::F8(rows) => roc_areas(rows, group_of_row, n_groups, question),
            };
            if auc.len() <= place {
                auc.push(Vec::new());
            }
            auc[place].extend(areas.into_iter().flatten());
        }
    }

    /// Which row of the table each row of the matrix is; `labels` as [`Incoming::labels_ahead`] gives them.
    fn join_rows(&self, source: &str, n_rows: usize, labels: Option<Option<Vec<String>>>) -> Result<Joined> {
        let (name, options) = (self.table_name.as_str(), self.join.options());
        if let (Some(None), true) = (&labels, options.assume_order) {
            // The ids are not used, so the table may be one of trials, in which ids repeat, or have none.
            let side = |name, n_rows| Side { name, labels: None, n_rows };
            let joined = join(side(source, n_rows), side(name, self.table.n_rows()), options)?;
            let message = joined.message(source, name);
            let rows = joined.right.into_iter().map(Some).collect();
            return Ok(Joined { rows, message, trusted: None });
        }
        let ids = self.ids()?;
        let table = (name, ids);
        let join = match labels {
            Some(Some(labels)) if labels.len() != n_rows => {
                return Err(NpyError::LabelCount { labels: labels.len(), rows: n_rows })
                    .with_context(|| source.to_string());
            }
            Some(Some(labels)) => TableJoin::labelled(source, &labels, table, options)?,
            Some(None) => TableJoin::by_position(source, n_rows, table, false, options)?,
            None if n_rows != ids.len() => bail!(
                "{source}: {n_rows} rows, but {name} has {}; a pipe brings its labels after its rows, so row i of both \
                 must be the same stimulus; give it as a file, where labels are read first",
                ids.len()
            ),
            None => {
                let join = TableJoin::by_position(source, n_rows, table, true, options)?;
                return Ok(Joined { rows: join.rows.clone(), message: None, trusted: Some(join) });
            }
        };
        Ok(Joined { rows: join.rows, message: join.message, trusted: None })
    }
}

/// The rows of a matrix met with the table.
struct Joined {
    /// Row of the table for each row of the matrix; `None` where `--inner` leaves the row out.
    rows: Vec<Option<usize>>,
    message: Option<String>,
    /// Of a pipe: the order that is trusted until its labels have come.
    trusted: Option<TableJoin>,
}

fn add_block(moments: &mut CategoryMoments, block: Block, groups: &[Option<usize>]) -> Result<()> {
    match block {
        Block::F4(rows) => moments.add_rows(rows, groups)?,
        Block::F8(rows) => moments.add_rows(rows, groups)?,
    }
    Ok(())
}

/// Sums the rows of a file: every thread reads the strips of units that it works on.
fn read_strips(
    moments: &mut CategoryMoments,
    parts: &Parts,
    group_of_row: &[Option<usize>],
    progress: &Progress,
) -> Result<()> {
    let n_rows = group_of_row.len();
    moments.add_strips(group_of_row, |strip| {
        let units: Range<usize> = strip.units();
        let mut buffer = PartBuffer::default();
        while strip.progress().0 < n_rows {
            let from = strip.progress().0;
            let rows = from..(from + STRIP_ROWS).min(n_rows);
            match parts.read(rows, units.clone(), &mut buffer)? {
                Block::F4(block) => strip.add_rows(block)?,
                Block::F8(block) => strip.add_rows(block)?,
            }
        }
        progress.advance(units.len());
        Ok::<(), Error>(())
    })
}
