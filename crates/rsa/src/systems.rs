//! `rsa compare` beyond model RDMs against brain RDMs: all pairs of systems, controls, second moments, matrices.

mod all_pairs;
mod matrices;
mod rdms;

use crate::{CompareArgs, Measure};
use anyhow::{Result, bail};
use cli::{Cell, Input, Job, Output, TableWriter};
use ndarray::Array2;
use rayon::prelude::*;
use rdm::{Comparison, ModelKind};
use statistics::{Reason, mean};

/// What one pair of systems gave.
#[derive(Debug, Clone, Copy)]
struct Score {
    value: f64,
    /// Pairs of stimuli it rests on; matrices have none.
    n_pairs: Option<usize>,
    /// Why it is NaN.
    reason: Option<Reason>,
}

/// Scores of the systems of the first list (rows) with those of the second.
type Scorer = Box<dyn Fn(&[usize], &[usize]) -> Result<Array2<Score>> + Sync>;

/// Systems over the same stimuli in the same order, brains first.
struct Systems {
    names: Vec<String>,
    n_brains: usize,
    n_stimuli: usize,
    /// What the column `compare` says.
    compare: String,
    score: Scorer,
    /// Whether scoring many rows together is cheaper than one by one.
    together: bool,
}

impl CompareArgs {
    /// Whether this is more than a table of model RDMs against brain RDMs.
    pub(crate) fn is_of_systems(&self) -> bool {
        self.systems.all_pairs || self.systems.controls().is_some() || !matches!(self.compare, Measure::Rdms(_))
    }
}

impl CompareArgs {
    /// The models; stdin when nothing else is given.
    fn model_inputs(&self) -> &[Input] {
        const STDIN: &[Input] = &[Input::Stdin];
        if self.models.is_empty() && self.brain.is_empty() { STDIN } else { &self.models }
    }
}

/// Reads, joins by id, compares, writes.
pub(crate) fn run(args: &CompareArgs) -> Result<()> {
    check(args)?;
    let mut job = Job::start("rsa", &args.common)?;
    if args.systems.matrix.is_some() {
        job = job.with_provenance();
    }
    let out = Output::text(args.common.output.as_deref())?;
    let outputs = all_pairs::Outputs::open(&job, args)?;
    let systems = match args.compare {
        Measure::Matrices(how) => matrices::read(&job, args, how)?,
        _ => rdms::read(&job, args)?,
    };
    job.record("compare", systems.compare.as_str());
    match args.systems.all_pairs {
        true => outputs.write(&job, args, &systems, out),
        false => write(&job, args, &systems, out),
    }
}

/// What can be refused before anything is read.
fn check(args: &CompareArgs) -> Result<()> {
    let name = args.compare.as_str();
    if args.sigma_k.is_some() && !args.compare.is_whitened() {
        bail!("--sigma-k is for --compare corr_cov and cosine_cov; {name} does not look at it");
    }
    let asked = &args.inference;
    let inference = [
        ("--boot", asked.boot.is_some()),
        ("--test", asked.test.is_some()),
        ("--perm", asked.perm.is_some()),
        ("--pairwise", asked.pairwise.is_some()),
        ("--model", args.model != ModelKind::Fixed),
        ("--cv-k", args.cv_k.is_some()),
    ];
    if let Some((option, _)) = inference.iter().find(|(_, given)| *given) {
        bail!(
            "{option} is for the scores of model RDMs against brain RDMs; --all-pairs, controls, bures and matrices have no \
             fitted models and no tests (write the table of scores and test over subjects)"
        );
    }
    if let Some((option, _)) = args.systems.controls() {
        if !matches!(args.compare, Measure::Rdms(Comparison::Pearson | Comparison::Spearman)) {
            bail!("--{option} is for --compare pearson and spearman; {name} has no residuals to compare");
        }
        if option == "semipartial" && args.systems.all_pairs {
            bail!("--semipartial takes the controls out of the model only, and --all-pairs has no side; use --partial");
        }
    }
    if args.ceiling {
        let why = match args.compare {
            _ if args.systems.all_pairs => "--all-pairs",
            Measure::Matrices(_) => "matrices, whose units cannot be averaged over subjects",
            Measure::Bures(_) => "second moments (--compare bures), for which no pooled RDM is known to be the best",
            Measure::Rdms(_) => "RDMs with controls taken out, which the bounds of whole RDMs do not bound",
        };
        bail!("--ceiling is not defined for {why}; leave it out, or compare RDMs without controls");
    }
    Ok(())
}

/// One row per model and brain, and one with the mean over brains.
fn write(job: &Job, args: &CompareArgs, systems: &Systems, out: Output) -> Result<()> {
    let (brains, models): (Vec<usize>, Vec<usize>) = (0..systems.names.len()).partition(|k| *k < systems.n_brains);
    if let Some(brain) = brains.iter().map(|k| &systems.names[*k]).find(|name| *name == "mean") {
        bail!(
            "{brain}: a subject of this name could not be told from the rows of the mean over subjects; name the {} \
             subjects with --brain-names",
            brains.len()
        );
    }
    let scores = (systems.score)(&models, &brains)?;
    let columns = columns(&["model", "subject"], args, &scores);
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for (model, scores) in models.iter().zip(scores.rows()) {
        let mut row = |subject: &str, score: Score| {
            let mut cells: Vec<Cell> = vec![(&systems.names[*model]).into(), subject.into()];
            cells.extend(cells_of(systems, score));
            table.row(&cells)
        };
        for (brain, score) in brains.iter().zip(scores) {
            row(&systems.names[*brain], *score)?;
        }
        let values: Vec<f64> = scores.iter().map(|s| s.value).collect();
        // The pairs that every term of the mean rests on; equal for all unless some are NaN.
        let n_pairs = scores.iter().filter_map(|s| s.n_pairs).min();
        row("mean", Score { value: mean(&values), n_pairs, reason: scores.iter().find_map(|s| s.reason) })?;
    }
    table.into_inner().commit(job)
}

/// The columns of a table whose rows begin with `first` and end with [`cells_of`].
fn columns(first: &[&'static str], args: &CompareArgs, scores: &Array2<Score>) -> Vec<&'static str> {
    let mut columns = first.to_vec();
    columns.extend(["compare", "n_stimuli"]);
    if scores.iter().any(|s| s.n_pairs.is_some()) {
        columns.push("n_pairs");
    }
    columns.extend([args.compare.column(), "reason"]);
    columns
}

fn cells_of(systems: &Systems, score: Score) -> Vec<Cell<'_>> {
    let mut cells: Vec<Cell> = vec![(&systems.compare).into(), systems.n_stimuli.into()];
    cells.extend(score.n_pairs.map(Cell::from));
    cells.extend([score.value.into(), score.reason.map(Reason::as_str).into()]);
    cells
}

impl Systems {
    /// Every system with every other and with itself; exactly symmetric.
    fn square(&self) -> Result<Array2<Score>> {
        let all: Vec<usize> = (0..self.names.len()).collect();
        let mut square = match self.together {
            true => (self.score)(&all, &all)?,
            false => {
                let one = |k: &usize| (self.score)(&all[*k..=*k], &all[*k..]);
                let rows: Vec<Array2<Score>> = all.par_iter().map(one).collect::<Result<_>>()?;
                Array2::from_shape_fn((all.len(), all.len()), |(i, j)| rows[i.min(j)][(0, j.abs_diff(i))])
            }
        };
        for i in 0..all.len() {
            for j in 0..i {
                square[(i, j)] = square[(j, i)];
            }
        }
        Ok(square)
    }
}
