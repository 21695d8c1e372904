//! The table of units, and what is said of it on stderr.

use crate::Args;
use anyhow::{Context, Result};
use cli::{Job, Named, Output, TableWriter};
use localizer::{Reason, UnitTests};
use localizer_run::{Measured, Part, Plan};
use unit_tables::columns::{ARRAY, CONTRAST, CRITERION, FOLD, N_UNITS, UNIT, UNIT_NAME};

/// One array after reading, and the same array of the untrained twins.
pub(crate) struct Layer {
    pub name: String,
    pub measured: Measured,
    pub twins: Vec<Measured>,
}

/// The output, and the table in it once there is something to write: an error before leaves stdout empty.
pub(crate) struct UnitTable<'a> {
    args: &'a Args,
    plan: &'a Plan,
    criterion: String,
    output: Option<Output>,
    table: Option<TableWriter<Output>>,
    /// Whether units have a column for their names: where the first array has names, or an array in a file.
    has_names: bool,
}

/// The tests that rows are written from.
struct Tested<'a> {
    chosen: UnitTests,
    auc: Option<&'a [f64]>,
    held_out: Option<UnitTests>,
    auc_held_out: Option<&'a [f64]>,
    /// Of the untrained twins, and all their t together, rising.
    twins: Vec<UnitTests>,
    null: Vec<f64>,
}

impl<'a> UnitTable<'a> {
    pub fn new(job: &Job, args: &'a Args, plan: &'a Plan, has_names: bool) -> Result<UnitTable<'a>> {
        let output = Some(job.text_output(args.common.output.as_deref())?);
        Ok(UnitTable { args, plan, criterion: args.criterion(), output, table: None, has_names })
    }

    /// The rows of one array, and the lines on stderr that sum them up.
    pub fn write(&mut self, job: &Job, layer: &Layer) -> Result<()> {
        let has_names = layer.measured.unit_names().is_some();
        if self.table.is_none() {
            self.has_names |= has_names;
        } else if has_names && !self.has_names {
            job.note(format!(
                "{}: its units have names, but those of the first array have none: no column",
                layer.name
            ));
        }
        for question in 0..self.plan.questions().len() {
            self.write_question(job, layer, question)?;
        }
        Ok(())
    }

    fn write_question(&mut self, job: &Job, layer: &Layer, question: usize) -> Result<()> {
        let (chosen, held_out) = layer.measured.tests(self.plan, question)?;
        let (auc, auc_held_out) = layer.measured.auc(question);
        let twins = layer.twins.iter().map(|twin| Ok(twin.tests(self.plan, question)?.0));
        let twins = twins.collect::<Result<Vec<UnitTests>>>()?;
        let mut null: Vec<f64> = twins.iter().flat_map(|t| t.t().iter().copied()).filter(|t| !t.is_nan()).collect();
        null.sort_unstable_by(f64::total_cmp);
        let tested = Tested { chosen, auc, held_out, auc_held_out, twins, null };

        let units = self.select(&tested.chosen, auc);
        let n_units = tested.chosen.n_units();
        let n_written = units.as_ref().map_or(n_units, Vec::len);
        let contrast = self.plan.contrast(question).to_string();
        let fold = self.plan.fold(question);
        let table = match self.output.take() {
            Some(output) => self.table.insert(TableWriter::new(
                output,
                self.args.format,
                &columns(self.args, self.plan, self.has_names),
            )?),
            None => self.table.as_mut().context("the table could not be started")?,
        };
        let criterion = self.criterion.as_str();
        let names = layer.measured.unit_names();
        table.records(n_written, |row| {
            let unit = units.as_ref().map_or(row, |units| units[row]);
            let mut cells: Vec<Named> = Vec::with_capacity(32);
            cells.extend([(ARRAY, layer.name.as_str().into()), (CONTRAST, contrast.as_str().into())]);
            cells.extend(fold.map(|fold| (FOLD, fold.into())));
            cells.extend([(UNIT, unit.into()), (N_UNITS, n_units.into())]);
            tested.append(unit, criterion, &mut cells);
            cells.extend(self.has_names.then(|| (UNIT_NAME, names.map(|names| &names[unit]).into())));
            cells
        })?;
        self.sum_up(job, layer, question, &tested, units.as_deref());
        Ok(())
    }

    /// The units that pass the rules; `None` when all are written.
    fn select(&self, tests: &UnitTests, auc: Option<&[f64]>) -> Option<Vec<usize>> {
        if self.args.all {
            return None;
        }
        let units = self.args.rules.selection().select(tests, auc);
        Some(if units.len() < self.args.rules.min_units { Vec::new() } else { units })
    }

    fn sum_up(&self, job: &Job, layer: &Layer, question: usize, tested: &Tested, units: Option<&[usize]>) {
        let n_units = tested.chosen.n_units();
        let share = |n: usize| format!("{:.1} %", if n_units == 0 { 0.0 } else { 100.0 * n as f64 / n_units as f64 });
        let n = units.map_or(n_units, <[usize]>::len);
        let verb = if units.is_some() { "selected" } else { "written" };
        let unusable = tested.chosen.n_unusable();
        let mut line = format!("{}: ", layer.name);
        if self.plan.questions().len() > 1 {
            line += &format!("{}: ", self.plan.title(question));
        }
        line += &format!(
            "{n} of {n_units} units {verb} ({}), {} constant, {} NaN",
            share(n),
            unusable.constant,
            unusable.nan_input
        );
        if units.is_some() && n == 0 {
            let largest = tested.chosen.t().iter().copied().fold(f64::NAN, f64::max);
            line += &format!("; the largest t is {largest:.2}");
        }
        if let (Some(held_out), Some(units)) = (&tested.held_out, units)
            && !units.is_empty()
        {
            let mean = |value: &dyn Fn(usize) -> f64| {
                let values: Vec<f64> = units.iter().map(|u| value(*u)).filter(|v| v.is_finite()).collect();
                values.iter().sum::<f64>() / values.len() as f64
            };
            line += &format!(
                "; their mean d' {:.2} where they were chosen, {:.2} on the pictures held out (t {:.2} and {:.2})",
                mean(&|u| tested.chosen.row(u).dprime),
                mean(&|u| held_out.row(u).dprime),
                mean(&|u| tested.chosen.t()[u]),
                mean(&|u| held_out.t()[u])
            );
        }
        if units.is_some() {
            let counts = layer.twins.iter().zip(&tested.twins).map(|(twin, tests)| {
                let n = self.select(tests, twin.auc(question).0).map_or(n_units, |units| units.len());
                format!("{n} ({})", share(n))
            });
            let counts: Vec<String> = counts.collect();
            if !counts.is_empty() {
                line += &format!("; untrained {}", counts.join(", "));
                job.record(&format!("untrained {} {}", layer.name, self.plan.title(question)), counts);
            }
        }
        if let (Some(_), true) = (units, n == 0 && self.args.rules.min_units > 0) {
            line += &format!("; --min-units {} keeps none of fewer", self.args.rules.min_units);
        }
        // Numbers that could not be used are worth a line also under --quiet.
        if unusable.nan_input > 0 { job.warn(line) } else { job.note(line) }
    }

    pub fn commit(self, job: &Job) -> Result<()> {
        self.table.context("0 arrays")?.into_inner().commit(job)
    }
}

impl Tested<'_> {
    /// The cells of a unit behind its names.
    fn append<'c>(&self, unit: usize, criterion: &'c str, cells: &mut Vec<Named<'c>>) {
        let (t, reason) = Part::Chosen.append(&self.chosen, unit, cells);
        cells.extend([("auc", area(self.auc, unit, reason).into()), (CRITERION, criterion.into())]);
        cells.push((Part::Chosen.reason(), reason.into()));
        if let Some(held_out) = &self.held_out {
            let (_, reason) = Part::HeldOut.append(held_out, unit, cells);
            cells.push(("auc_test", area(self.auc_held_out, unit, reason).into()));
            cells.push((Part::HeldOut.reason(), reason.into()));
        }
        if !self.twins.is_empty() {
            let sum: f64 = self.twins.iter().map(|twin| twin.t()[unit]).sum();
            let at_least = self.null.len() - self.null.partition_point(|null| *null < t);
            let p = (1 + at_least) as f64 / (1 + self.null.len()) as f64;
            cells.push(("t_null", (sum / self.twins.len() as f64).into()));
            cells.push(("p_null", if t.is_nan() { f64::NAN } else { p }.into()));
        }
    }
}

/// The ROC area of a unit; like its other measures it is NaN where there is a reason.
fn area(auc: Option<&[f64]>, unit: usize, reason: Option<Reason>) -> Option<f64> {
    auc.map(|auc| if reason.is_some() { f64::NAN } else { auc[unit] })
}

fn columns(args: &Args, plan: &Plan, has_names: bool) -> Vec<&'static str> {
    let mut columns = vec![ARRAY, CONTRAST];
    if !plan.folds.is_empty() {
        columns.push(FOLD);
    }
    columns.extend([UNIT, N_UNITS]);
    columns.extend(Part::Chosen.columns());
    columns.extend(["auc", CRITERION, Part::Chosen.reason()]);
    if !plan.folds.is_empty() {
        columns.extend(Part::HeldOut.columns());
        columns.extend(["auc_test", Part::HeldOut.reason()]);
    }
    if !args.null.is_empty() {
        columns.extend(["t_null", "p_null"]);
    }
    columns.extend(has_names.then_some(UNIT_NAME));
    columns
}
