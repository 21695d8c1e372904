//! `rsa compare` beyond model RDMs against brain RDMs: all pairs of systems, controls, second moments, matrices.

mod all_pairs;
mod matrices;
mod rdms;

use crate::inference::{Inference, Scores, subjects_in_use, write_pairwise};
use crate::{Bures, CompareArgs, Measure, Test};
use anyhow::{Result, bail};
use cli::{Cell, Input, Job, Output, TableWriter};
use ndarray::Array2;
use rayon::prelude::*;
use rdm::{Comparison, MatrixComparison, ModelKind};
use statistics::{Reason, mean, rounding};

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
    /// Which have no score with anything, being constant.
    constant: Vec<bool>,
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
    args.inference.check(args.common.output.as_deref())?;
    check(args)?;
    let mut job = Job::start("rsa", &args.common)?;
    if args.systems.matrix.is_some() || args.inference.pairwise.is_some() {
        job = job.with_provenance();
    }
    let out = job.text_output(args.common.output.as_deref())?;
    let pairwise = args.inference.pairwise.as_deref().map(|file| job.text_output(Some(file))).transpose()?;
    let outputs = all_pairs::Outputs::open(&job, args)?;
    let systems = match args.compare {
        Measure::Matrices(how) => matrices::read(&job, args, how)?,
        _ => rdms::read(&job, args)?,
    };
    job.record("compare", systems.compare.as_str());
    match args.systems.all_pairs {
        true => outputs.write(&job, args, &systems, out),
        false => write(&job, args, &systems, out, pairwise),
    }
}

/// What can be refused before anything is read.
fn check(args: &CompareArgs) -> Result<()> {
    let name = args.compare.as_str();
    if args.sigma_k.is_some() && !args.compare.is_whitened() {
        bail!("--sigma-k is for --compare corr_cov and cosine_cov; {name} does not look at it");
    }
    check_inference(args)?;
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

fn check_inference(args: &CompareArgs) -> Result<()> {
    let asked = &args.inference;
    let refused = [
        ("--boot", asked.boot.is_some()),
        ("--perm", asked.perm.is_some()),
        ("--model", args.model != ModelKind::Fixed),
        ("--cv-k", args.cv_k.is_some()),
        ("--n-cv", args.n_cv.is_some()),
    ];
    if let Some((option, _)) = refused.iter().find(|(_, given)| *given) {
        bail!(
            "{option} is for the scores of model RDMs against brain RDMs; --all-pairs, controls, bures and matrices are \
             neither fitted nor resampled (--test and --pairwise are over their subjects)"
        );
    }
    let over_subjects = [("--test", asked.test.is_some()), ("--pairwise", asked.pairwise.is_some())];
    if let (true, Some((option, _))) = (args.systems.all_pairs, over_subjects.iter().find(|(_, given)| *given)) {
        bail!("{option} is over subjects, and --all-pairs has pairs of systems and no subjects; leave one of them out");
    }
    if asked.test == Some(Test::Bootstrap) {
        bail!("--test bootstrap needs draws, and here is no --boot; take --test t or wilcoxon over subjects");
    }
    if let (Some(why), Some(_), None) = (never_below_0(args.compare), asked.test, &asked.pairwise) {
        bail!(
            "--test is against 0, and {} {why}; compare models with each other: --pairwise FILE",
            args.compare.as_str()
        );
    }
    Ok(())
}

/// Why a test of this against 0 would say nothing.
fn never_below_0(measure: Measure) -> Option<&'static str> {
    match measure {
        Measure::Rdms(_) | Measure::Matrices(MatrixComparison::CkaDebiased) => None,
        Measure::Matrices(MatrixComparison::Cka) => Some("is above 0 for noise too (cka-debiased is not)"),
        Measure::Matrices(MatrixComparison::Procrustes) => Some("is above 0 for noise too"),
        Measure::Bures(Bures::Similarity) => Some("is above 0 for any two RDMs"),
        Measure::Matrices(MatrixComparison::ProcrustesAngle) | Measure::Bures(_) => {
            Some("is a distance, which is never below 0")
        }
    }
}

/// One row per model and brain, and one with the mean over brains.
fn write(job: &Job, args: &CompareArgs, systems: &Systems, out: Output, pairwise: Option<Output>) -> Result<()> {
    let (brains, models): (Vec<usize>, Vec<usize>) = (0..systems.names.len()).partition(|k| *k < systems.n_brains);
    if let Some(brain) = brains.iter().map(|k| &systems.names[*k]).find(|name| *name == "mean") {
        bail!(
            "{brain}: a subject of this name could not be told from the rows of the mean over subjects; name the {} \
             subjects with --brain-names",
            brains.len()
        );
    }
    if args.inference.test_of_means().is_some() && brains.len() < 2 {
        bail!("{}: {} subject; a test over subjects needs at least 2", systems.names[brains[0]], brains.len());
    }
    let scores = (systems.score)(&models, &brains)?;
    let of_brains: Vec<bool> =
        brains.iter().map(|&k| systems.constant[k] && scores.iter().any(|s| s.value.is_nan())).collect();
    let used = subjects_in_use(job, &of_brains);
    let by_subject: Vec<Vec<f64>> =
        scores.rows().into_iter().map(|r| used.iter().map(|&s| r[s].value).collect()).collect();
    let means: Vec<f64> = by_subject.iter().map(|values| mean(values)).collect();
    let reasons: Vec<Option<Reason>> =
        scores.rows().into_iter().map(|r| used.iter().find_map(|&s| r[s].reason)).collect();
    let rounding = rounding::OF_SCORES * size_of_scores(args.compare, &by_subject);
    let known = Scores { by_subject, means, reasons, rounding, ceiling: None };
    let shown = never_below_0(args.compare).is_none();
    let inference = Inference::over_subjects(job, args, &known, systems.n_stimuli, shown);
    let columns = columns(&["model", "subject"], args, &scores, inference.columns());
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for (place, (model, scores)) in models.iter().zip(scores.rows()).enumerate() {
        let mut row = |subject: &str, score: Score, tests: Vec<Cell<'static>>| {
            let mut cells: Vec<Cell> = vec![(&systems.names[*model]).into(), subject.into()];
            cells.extend(cells_of(systems, score, tests));
            table.row(&cells)
        };
        for (brain, score) in brains.iter().zip(scores) {
            row(&systems.names[*brain], *score, inference.empty())?;
        }
        // The pairs that every term of the mean rests on; equal for all unless some are NaN.
        let n_pairs = used.iter().filter_map(|&s| scores[s].n_pairs).min();
        let reason = known.reasons[place].or(inference.reason(place));
        row("mean", Score { value: known.means[place], n_pairs, reason }, inference.cells(place))?;
    }
    let names: Vec<&str> = models.iter().map(|m| systems.names[*m].as_str()).collect();
    write_pairwise(job, args, pairwise, &inference, &systems.compare, &names, &known.means)?;
    table.into_inner().commit(job)
}

/// The size that rounding is measured by: 1 for what lies between -1 and 1, the largest score where RDMs keep their scale.
fn size_of_scores(measure: Measure, scores: &[Vec<f64>]) -> f64 {
    match measure {
        Measure::Bures(Bures::Squared | Bures::Distance) => {
            scores.iter().flatten().fold(0.0, |largest: f64, v| largest.max(v.abs()))
        }
        _ => 1.0,
    }
}

/// The columns of a table whose rows begin with `first` and end with [`cells_of`].
fn columns(
    first: &[&'static str],
    args: &CompareArgs,
    scores: &Array2<Score>,
    tests: Vec<&'static str>,
) -> Vec<&'static str> {
    let mut columns = first.to_vec();
    columns.extend(["compare", "n_stimuli"]);
    if scores.iter().any(|s| s.n_pairs.is_some()) {
        columns.push("n_pairs");
    }
    columns.push(args.compare.column());
    columns.extend(tests);
    columns.push("reason");
    columns
}

fn cells_of<'a>(systems: &'a Systems, score: Score, tests: Vec<Cell<'static>>) -> Vec<Cell<'a>> {
    let mut cells: Vec<Cell> = vec![(&systems.compare).into(), systems.n_stimuli.into()];
    cells.extend(score.n_pairs.map(Cell::from));
    cells.push(score.value.into());
    cells.extend(tests);
    cells.push(score.reason.map(Reason::as_str).into());
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
