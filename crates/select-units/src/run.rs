//! Open, read, check, compute, write.

use crate::Args;
use crate::localize::Localizer;
use anyhow::{Context, Result};
use cli::{Cell, Job, Output, TableWriter};
use labelled_inputs::{Names, open_npy, read_stimuli};
use localizer::{UnitStatistics, UnitTests};
use npy_stream::NpyError;
use rayon::prelude::*;
use std::ops::Range;

const COLUMNS: [&str; 13] = [
    "array",
    "unit",
    "n",
    "mean_preferred",
    "mean_rest",
    "t",
    "df",
    "p",
    "neg_log10_p",
    "q",
    "dprime",
    "selectivity_index",
    "reason",
];

/// Units whose rows are computed together before they are written.
const UNITS_AT_A_TIME: usize = 1 << 14;

/// Runs the tool.
pub fn run(args: Args) -> Result<()> {
    let job = Job::start("select-units", &args.common)?;
    let stimuli = read_stimuli(&job, &args.stimuli)?;
    let categories = stimuli.column(&args.by).with_context(|| args.stimuli.to_string())?;
    let groups = args
        .contrast
        .resolve(categories, args.versus)
        .with_context(|| format!("{}: column {:?}", args.stimuli, args.by))?;
    job.record("contrast", args.contrast.to_string());
    job.record("versus", args.versus.to_string());
    job.record("test", args.test.as_str());
    job.record("rules", args.rules());

    let localizer = Localizer {
        stimuli: &stimuli,
        table: &args.stimuli,
        groups: &groups,
        test: args.test,
        correction: args.correction(),
        options: args.join.options(),
    };
    let mut table = UnitTable::new(&args)?;
    let mut names = Names::distinct(&args.names);
    // An array is written when the next one has proved sound, so that what fails early writes nothing.
    let mut waiting: Option<(String, UnitTests)> = None;
    for input in &args.inputs {
        let mut reader = open_npy(&job, input)?;
        let mut position = 0;
        while let Some(acts) = reader.next_array().with_context(|| input.to_string())? {
            let name = names.next(input, position)?;
            let source = if position == 0 { input.to_string() } else { format!("{input} (array {position})") };
            let tests = localizer.tests(&job, &source, acts)?;
            if let Some((name, tests)) = waiting.replace((name, tests)) {
                table.write(&job, &name, &tests)?;
            }
            position += 1;
        }
        if position == 0 {
            return Err(NpyError::Empty).with_context(|| input.to_string());
        }
    }
    names.finish()?;
    if let Some((name, tests)) = waiting {
        table.write(&job, &name, &tests)?;
    }
    table.commit(&job)
}

/// The output, and the table in it once there is something to write: an error before leaves stdout empty.
struct UnitTable<'a> {
    args: &'a Args,
    output: Option<Output>,
    table: Option<TableWriter<Output>>,
}

impl UnitTable<'_> {
    fn new(args: &Args) -> Result<UnitTable<'_>> {
        Ok(UnitTable { args, output: Some(Output::text(args.common.output.as_deref())?), table: None })
    }

    /// The rows of one array, and the line on stderr that sums it up.
    fn write(&mut self, job: &Job, array: &str, tests: &UnitTests) -> Result<()> {
        if let Some(output) = self.output.take() {
            self.table = Some(TableWriter::new(output, self.args.format, &COLUMNS)?);
        }
        let table = self.table.as_mut().context("the table could not be started")?;
        let n_units = tests.n_units();
        let has_q = self.args.fdr.is_some();
        let selected = self.args.selection().map(|rules| rules.select(tests));
        let n_written = selected.as_ref().map_or(n_units, Vec::len);
        for range in parts(n_written) {
            let rows: Vec<(usize, UnitStatistics)> = range
                .into_par_iter()
                .map(|i| selected.as_ref().map_or(i, |units| units[i]))
                .map(|unit| (unit, tests.row(unit)))
                .collect();
            for (unit, row) in &rows {
                table.row(&cells(array, *unit, row, has_q))?;
            }
        }

        let (n_constant, n_nan) = (tests.n_constant(), tests.n_nan_input());
        let percent = if n_units == 0 { 0.0 } else { 100.0 * n_written as f64 / n_units as f64 };
        let verb = if selected.is_some() { "selected" } else { "written" };
        let line = format!(
            "{array}: {n_written} of {n_units} units {verb} ({percent:.1} %), {n_constant} constant, {n_nan} NaN"
        );
        // Numbers that could not be used are worth a line also under --quiet.
        if n_nan > 0 {
            job.warn(line)
        } else {
            job.note(line)
        }
        Ok(())
    }

    fn commit(self, job: &Job) -> Result<()> {
        self.table.context("0 arrays")?.into_inner().commit(job)
    }
}

/// `0..n` in parts of [`UNITS_AT_A_TIME`].
fn parts(n: usize) -> impl Iterator<Item = Range<usize>> {
    (0..n).step_by(UNITS_AT_A_TIME).map(move |start| start..(start + UNITS_AT_A_TIME).min(n))
}

fn cells<'a>(array: &'a str, unit: usize, row: &UnitStatistics, has_q: bool) -> [Cell<'a>; 13] {
    [
        array.into(),
        unit.into(),
        (row.n_preferred + row.n_rest).into(),
        row.mean_preferred.into(),
        row.mean_rest.into(),
        row.t.into(),
        row.df.into(),
        row.p.into(),
        row.neg_log10_p.into(),
        has_q.then_some(row.q).into(),
        row.dprime.into(),
        row.selectivity_index.into(),
        row.reason.map(|reason| reason.as_str()).into(),
    ]
}
