//! Options that say what is asked of every unit, and the plan that they and the stimulus table make.

use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{JoinArgs, read_levels, read_table};
use cli::{Input, Job};
use localizer::{Contrast, Correction, Design, Groups, LOOKS_MISSING, Question, TTest, Versus};
use stimulus_table::Table;

use crate::{CrossValidation, HALVES, Halves};

/// The localizer: pictures, contrasts and the test.
#[derive(Debug, Clone, clap::Args)]
pub struct LocalizerArgs {
    /// Stimulus table (CSV or TSV) with the category of every picture
    #[arg(long, value_name = "TABLE")]
    pub stimuli: Input,
    /// The column of that table with the categories
    #[arg(long, value_name = "COLUMN")]
    pub by: String,
    /// Preferred categories > the others: 'faces > bodies,places', 'adult,child > rest', or weights: '2*adult - house -
    /// car'; repeat for several
    #[arg(long, value_name = "CONTRAST")]
    pub contrast: Vec<Contrast>,
    /// pooled: against all others together; each: must beat every one of them, the weakest comparison is reported
    #[arg(long, value_name = "pooled|each", default_value = "pooled")]
    pub versus: Versus,
    /// t test with equal variances (student) or without that assumption (welch)
    #[arg(long, value_name = "student|welch", default_value = "student")]
    pub test: TTest,
    /// Average the pictures of each category of COLUMN [default: that of --by] first: one observation per category;
    /// pictures whose category is empty or n/a are not used
    #[arg(long, value_name = "COLUMN", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub by_category: Option<String>,
}

/// Contrasts resolved on a table: the groups of its rows, for any number of arrays.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) table_name: String,
    pub(crate) table: Table,
    pub(crate) design: Design,
    pub(crate) join: JoinArgs,
    /// Contrasts that were asked for; one for each level follows them where the levels are measured too.
    pub(crate) n_asked: usize,
    /// As written, or made from the levels of the column.
    pub contrasts: Vec<Contrast>,
    /// Names of the parts that are held out in turn; empty without cross-validation.
    pub folds: Vec<String>,
    /// The test.
    pub test: TTest,
    /// How p is adjusted.
    pub correction: Option<Correction>,
    /// Where ROC areas are computed: the memory that all responses of a pipe may take.
    pub auc: Option<u64>,
    /// Where responses are asked for again: the memory that those of a pipe may take.
    pub(crate) keep: Option<u64>,
    /// The part of every row of the table, where each half is asked by itself.
    pub(crate) half_of_row: Option<Vec<usize>>,
}

/// What is made of the rows of a table before they are asked.
#[derive(Clone, Copy)]
enum Split<'a> {
    All,
    HeldOut(&'a CrossValidation),
    /// Every level of the column is measured, too.
    HeldOutWithLevels(&'a CrossValidation),
    Halves(&'a Halves),
}

impl LocalizerArgs {
    /// Reads the table and resolves the contrasts on it; without any, every level of the column against all others.
    /// What is asked and cannot be done is an error here, before any array is read. `auc` asks for ROC areas.
    pub fn plan(
        &self,
        job: &Job,
        join: JoinArgs,
        cv: Option<&CrossValidation>,
        correction: Option<Correction>,
        auc: Option<u64>,
    ) -> Result<Plan> {
        self.planned(job, join, cv.map_or(Split::All, Split::HeldOut), correction, auc)
    }

    /// [`LocalizerArgs::plan`] with parts that are held out, in each of which every level of the column is measured
    /// ([`crate::Measured::held_out`]).
    pub fn plan_with_levels(&self, job: &Job, join: JoinArgs, cv: &CrossValidation) -> Result<Plan> {
        self.planned(job, join, Split::HeldOutWithLevels(cv), None, None)
    }

    /// [`LocalizerArgs::plan`] with two halves of the pictures, each of which is asked every contrast by itself:
    /// question 2 c is contrast c in the half that chooses, 2 c + 1 the same in the one that reports.
    pub fn plan_in_halves(
        &self,
        job: &Job,
        join: JoinArgs,
        halves: &Halves,
        correction: Option<Correction>,
        auc: Option<u64>,
    ) -> Result<Plan> {
        self.planned(job, join, Split::Halves(halves), correction, auc)
    }

    fn planned(
        &self,
        job: &Job,
        join: JoinArgs,
        split: Split,
        correction: Option<Correction>,
        auc: Option<u64>,
    ) -> Result<Plan> {
        let table = read_table(job, &self.stimuli)?;
        let table_name = self.stimuli.to_string();
        if !join.assume_order {
            // Rows will be joined by id, so a fault of the ids is an error now, before a long pipe begins.
            ids_of(&table, &table_name)
                .map_err(|e| anyhow!("{e:#}; where row i of the table is row i of the matrix, say --assume-order"))?;
        }
        let by = &read_levels(job, &table, &table_name, &self.by)?;
        let in_column = || format!("{}: column {:?}", self.stimuli, self.by);
        let mut contrasts = match self.contrast.as_slice() {
            [] => Contrast::one_per_level(by).with_context(in_column)?,
            given => given.to_vec(),
        };
        let n_asked = contrasts.len();
        if let Split::HeldOutWithLevels(_) = split {
            contrasts.extend(Contrast::one_per_level(by).with_context(in_column)?);
        }
        let resolve = |contrast: &Contrast| contrast.resolve(by, self.versus).with_context(in_column);
        let groups: Vec<Groups> = contrasts.iter().map(resolve).collect::<Result<_>>()?;
        let weighted = contrasts.iter().zip(&groups).find(|(_, g)| g.weights.is_some());
        if let (Some((contrast, _)), true) = (weighted, self.by_category.is_some() || auc.is_some()) {
            let option = if auc.is_some() { "a ROC area" } else { "--by-category" };
            bail!("contrast \"{contrast}\" has weights, for which {option} is not defined; write it with a \">\"");
        }
        if auc.is_some() && self.by_category.is_some() {
            bail!(
                "--by-category leaves one number per category, of which ROC areas say little; leave out one of the two"
            );
        }
        let by_category = match self.by_category.as_deref().filter(|column| !column.is_empty()) {
            Some(column) => read_levels(job, &table, &table_name, column)?,
            None => by.clone(),
        };
        let categories = self.by_category.is_some().then_some(by_category.as_slice());
        if let (Some(cells), Some(option)) = (categories, self.by_category.as_deref()) {
            let column = if option.is_empty() { &self.by } else { option };
            let used = |row: usize| groups.iter().any(|g| g.group_of_row[row].is_some());
            let used: Vec<&str> = (0..cells.len()).filter(|&row| used(row)).map(|row| cells[row].as_str()).collect();
            if let Some(missing) = used.iter().find(|cell| LOOKS_MISSING.contains(*cell)) {
                bail!(
                    "{table_name}: column {column:?} has {} rows of {missing:?}, which looks like a missing value but \
                     would be one of the categories of --by-category; leave those cells empty (or n/a)",
                    used.iter().filter(|cell| *cell == missing).count()
                );
            }
        }
        let mut design = Design::new(&groups, categories);
        let mut folds = Vec::new();
        let mut half_of_row = None;
        match split {
            Split::All => {}
            Split::HeldOut(cv) | Split::HeldOutWithLevels(cv) => {
                let used: Vec<bool> = design.group_of_row().iter().map(Option::is_some).collect();
                let (parts, names) = cv.parts(&table, by, &used).with_context(|| table_name.clone())?;
                (design, folds) = (design.in_parts(parts), names);
            }
            Split::Halves(halves) => {
                let parts = halves.parts(&table, by).with_context(|| table_name.clone())?;
                (design, folds) = (design.in_parts(parts.clone()), HALVES.map(String::from).to_vec());
                half_of_row = Some(parts);
            }
        }
        job.record("contrasts", contrasts[..n_asked].iter().map(ToString::to_string).collect::<Vec<_>>());
        job.record("versus", self.versus.to_string());
        job.record("test", self.test.as_str());
        job.record("observations", if categories.is_some() { "means of categories" } else { "pictures" });
        let (test, keep) = (self.test, None);
        Ok(Plan {
            table_name,
            table,
            design,
            join,
            n_asked,
            contrasts,
            folds,
            test,
            correction,
            auc,
            keep,
            half_of_row,
        })
    }
}

impl Plan {
    /// The ids of the table, for rows that are joined with it: one row per stimulus, or one per presentation.
    pub fn ids(&self) -> Result<&[String]> {
        ids_of(&self.table, &self.table_name)
    }

    /// Where the table came from, for messages.
    pub fn table_name(&self) -> &str {
        &self.table_name
    }

    /// Rows of the table.
    pub fn n_rows(&self) -> usize {
        self.table.n_rows()
    }

    /// How many of the contrasts were asked for.
    pub fn n_asked(&self) -> usize {
        self.n_asked
    }

    /// The levels that are measured beside the contrasts, in the order of the table.
    pub fn levels(&self) -> Vec<String> {
        self.contrasts[self.n_asked..].iter().map(Contrast::preferred).collect()
    }

    /// Which rows of the stimulus table some contrast looks at.
    pub fn used_rows(&self) -> Vec<bool> {
        self.design.group_of_row().iter().map(Option::is_some).collect()
    }

    /// The part of every row of the table ([`LocalizerArgs::plan_in_halves`]): 0 chooses, 1 reports, 2 is in neither.
    pub fn half_of_row(&self) -> Option<&[usize]> {
        self.half_of_row.as_deref()
    }

    /// The same plan, which keeps hold of the responses ([`crate::Measured::responses`]); those of a pipe may take this
    /// much memory.
    pub fn keeping(self, mem: u64) -> Plan {
        Plan { keep: Some(mem), ..self }
    }

    /// What is asked for each contrast (outer) and fold (inner): where units are chosen, and where they are measured.
    /// Without cross-validation units are chosen on all pictures, and nothing is held out; nor is it of halves.
    pub fn questions(&self) -> Vec<(Question, Option<Question>)> {
        let n_folds = self.folds.len();
        let of_contrast = |contrast: usize| -> Vec<(Question, Option<Question>)> {
            if n_folds == 0 {
                return vec![(self.design.question(contrast), None)];
            }
            if self.half_of_row.is_some() {
                return (0..n_folds)
                    .map(|half| (self.design.question_of(contrast, |part| part == half), None))
                    .collect();
            }
            let of = |held: usize| {
                let others = self.design.question_of(contrast, |part| part != held);
                (others, Some(self.design.question_of(contrast, |part| part == held)))
            };
            (0..n_folds).map(of).collect()
        };
        (0..self.design.n_contrasts()).flat_map(of_contrast).collect()
    }
}

fn ids_of<'t>(table: &'t Table, name: &str) -> Result<&'t [String]> {
    Ok(table.ids().with_context(|| name.to_owned())?.1)
}
