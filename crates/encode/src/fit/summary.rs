//! What the reader of the table must know, on stderr.

use cli::Job;
use encoding_models::{Choice, Fitted as Detail, Inner};
use statistics::Reason;

use super::task::{Fitted, Task};

/// Share of usable voxels with a penalty at the edge of the grid from which on it is a warning.
const MANY_AT_EDGE: f64 = 0.1;

/// Says what was fitted, and what is doubtful about it.
pub(super) fn summarize(job: &Job, task: &Task, fitted: &Fitted) {
    let (n_features, n_voxels) = (task.data.x.n_columns(), fitted.reasons.len());
    let side = if fitted.dual { "dual" } else { "primal" };
    let inner = match &task.options.inner {
        Inner::LeaveOneOut => "by leave-one-out".to_owned(),
        Inner::Folds(folds) => format!("by {} folds", folds.n_folds),
    };
    let model = match &task.method {
        None if task.options.alphas.factors().len() == 1 && task.options.gammas.is_none() => {
            format!("alpha fixed; {side}")
        }
        None => format!("alpha {inner}; {side}"),
        Some(method) if method.chooses() => format!("{}, chosen {inner}", super::method::name(task.args)),
        Some(_) => super::method::name(task.args).to_owned(),
    };
    let bands = match &task.options.gammas {
        Some(gammas) => format!(" in {} bands, {} rows of weights", task.data.bands.len(), gammas.nrows()),
        None => String::new(),
    };
    job.note(format!(
        "{} stimuli ({} rows), {n_features} features{bands}, {n_voxels} voxels; {}; {model}",
        task.data.n_stimuli,
        task.data.y.n_rows(),
        task.plan.text,
    ));
    if fitted.n_constant > 0 {
        let n = fitted.n_constant;
        job.note(format!(
            "{n} of {n_features} features are constant in the training rows of a fold and have no weight there"
        ));
    }
    let count = |reason| fitted.scored.scores.iter().filter(|s| s.reason == Some(reason)).count();
    let (constant, nan) = (count(Reason::Constant), count(Reason::NanInput));
    if constant + nan > 0 {
        job.note(format!("{} of {n_voxels} voxels unusable: {constant} constant, {nan} nan_input", constant + nan));
    }
    let reasons = &fitted.reasons;
    let usable = reasons.iter().filter(|reason| reason.is_none()).count();
    if task.method.is_none() {
        penalties(job, task, fitted, usable);
    } else {
        details(job, task, fitted, usable);
    }
}

/// Penalties beyond the grid, and at the ends of what was tried.
fn penalties(job: &Job, task: &Task, fitted: &Fitted, usable: usize) {
    let (options, reasons) = (task.options, &fitted.reasons);
    let factors = options.alphas.factors();
    let count = |of: &dyn Fn(&Choice) -> bool| {
        let any_fold = |v: &usize| reasons[*v].is_none() && fitted.folds.iter().any(|fold| of(&fold[*v]));
        (0..reasons.len()).filter(any_fold).count()
    };
    let beyond = count(&|choice| choice.beyond);
    if beyond > 0 {
        let chosen = fitted.folds.iter().flatten().filter(|choice| choice.beyond).map(|choice| choice.factor);
        let (lowest, highest) = chosen.fold((f64::INFINITY, 0.0f64), |(low, high), f| (low.min(f), high.max(f)));
        job.note(format!(
            "the grid {} was extended for {beyond} of {usable} voxels; chosen beyond it: {lowest:.3e} to {highest:.3e}",
            options.alphas
        ));
    }
    let at_edge = count(&|choice| choice.edge.is_some());
    if at_edge > 0 {
        let (low, high) = (count(&|choice| choice.edge.is_some() && choice.factor <= factors[0]), factors.len() - 1);
        let text = format!(
            "the best alpha is the lowest or highest tried in some fold for {at_edge} of {usable} voxels: {low} at the \
             lowest, {} at the highest (usual where the features predict nothing){}",
            count(&|choice| choice.edge.is_some() && choice.factor >= factors[high]),
            if options.alphas.is_open() { "" } else { "; if r changes with wider --alphas, they were too narrow" }
        );
        match at_edge as f64 > MANY_AT_EDGE * usable as f64 && !options.alphas.is_open() {
            true => job.warn(text),
            false => job.note(text),
        }
    }
}

/// Models that are not what they seem.
fn details(job: &Job, task: &Task, fitted: &Fitted, usable: usize) {
    let reasons = &fitted.reasons;
    let count = |of: &dyn Fn(&Detail) -> bool| {
        let any_fold = |v: &usize| reasons[*v].is_none() && fitted.details.iter().any(|fold| of(&fold[*v]));
        (0..reasons.len()).filter(any_fold).count()
    };
    let unfinished = count(&|detail| matches!(detail, Detail::Lasso { converged: false, .. }));
    if unfinished > 0 {
        job.warn(format!(
            "{unfinished} of {usable} voxels did not converge in some fold; their column dual_gap bounds what is left of \
             the objective: scale the features, or raise --alphas"
        ));
    }
    let firsts = || fitted.details.iter().filter_map(|fold| fold.first());
    let rank =
        firsts().filter_map(|detail| if let Detail::Ols { rank, .. } = detail { Some(*rank) } else { None }).min();
    let Some(rank) = rank else { return };
    let of = |which: &dyn Fn(bool, bool) -> bool| {
        firsts()
            .any(|detail| matches!(detail, Detail::Ols { unique, fits_anything, .. } if which(*unique, *fits_anything)))
    };
    let n_features = task.data.x.n_columns();
    if of(&|_, fits_anything| fits_anything) {
        job.warn(format!(
            "{n_features} features (rank {rank}) fit the training rows of a fold without error, whatever the responses; \
             take fewer features, or ridge"
        ));
    } else if of(&|unique, _| !unique) {
        job.warn(format!(
            "the {n_features} features have rank {rank} in the training rows of a fold; of all weights that fit equally \
             well the shortest are taken"
        ));
    }
}
