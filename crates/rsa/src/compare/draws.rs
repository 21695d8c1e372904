//! The draws of `--boot` as counts, written and read: anybody can make the same interval elsewhere.

use super::args::CompareArgs;
use super::groups::Together;
use super::system::{Content, Systems};
use anyhow::{Result, anyhow, bail};
use array_inputs::{NamedMatrix, Names, read_matrices};
use cli::{Input, Job, Output};
use ndarray::Array2;
use npy_stream::{LabelsRef, Matrix, write_matrix};
use rdm::ModelKind;
use rdm::inference::{Bootstrap, Drawn, Generalize, draws_of};
use std::collections::HashMap;

/// Names of the two matrices of a file of draws.
const NAMES: [&str; 2] = ["subjects", "stimuli"];

/// What the columns of the two matrices are.
fn columns<'a>(systems: &'a Systems, used: &[usize]) -> [Option<Vec<&'a str>>; 2] {
    let ids = match &systems.content {
        Content::Whole(whole) => whole.rdms.first().and_then(|rdm| rdm.labels()),
        Content::Other { .. } => None,
    };
    let people = used.iter().map(|&s| systems.names[s].as_str()).collect();
    [Some(people), ids.map(|ids| ids.iter().map(String::as_str).collect())]
}

/// Which of the two are drawn.
fn are_drawn(over: Generalize) -> [bool; 2] {
    [over != Generalize::Stimuli, over != Generalize::Subjects]
}

/// Refuses draws of what has folds of its own.
pub(super) fn check(args: &CompareArgs) -> Result<()> {
    let options = [("--draws", args.inference.draws.is_some()), ("--save-draws", args.inference.save_draws.is_some())];
    match options.iter().find(|(_, given)| *given) {
        Some((option, _)) if args.model != ModelKind::Fixed => bail!(
            "{option} with --model {}: a draw of a fitted model has random folds too, which no count says; take fixed \
             models",
            args.model.as_str()
        ),
        _ => Ok(()),
    }
}

/// The draws that were given, or those of the seed.
pub(super) fn draws(
    job: &Job,
    args: &CompareArgs,
    systems: &Systems,
    used: &[usize],
    plan: Bootstrap,
    together: &Together,
) -> Result<Vec<Drawn>> {
    let Some(input) = &args.inference.draws else { return Ok(draws_of(plan, &together.subjects, &together.stimuli)) };
    let sizes = [used.len(), systems.n_stimuli];
    let mut counts: [Option<Vec<Vec<u32>>>; 2] = [None, None];
    let mut given: Vec<NamedMatrix> = read_matrices(job, std::slice::from_ref(input), &mut Names::default())?;
    for (k, drawn) in are_drawn(plan.over).into_iter().enumerate() {
        let (name, boot) = (NAMES[k], plan.over.as_str());
        let place = given.iter().position(|m| m.labels.name.as_deref() == Some(name));
        match (place, drawn) {
            (None, true) => bail!("{input}: no matrix is named {name:?}, and --boot {boot} draws {name}"),
            (Some(_), false) => bail!("{input}: has draws of {name}, and --boot {boot} draws none; take --boot both"),
            (None, false) => {}
            (Some(place), true) => {
                let matrix = given.swap_remove(place);
                counts[k] =
                    Some(read(args.join.assume_order, input, name, matrix, &columns(systems, used)[k], sizes[k])?);
            }
        }
    }
    if let Some(other) = given.first() {
        bail!("{}: is neither named subjects nor stimuli; a file of draws holds nothing else", other.source);
    }
    let n_draws = counts.iter().flatten().map(Vec::len).next().unwrap_or(0);
    if let Some(other) = counts.iter().flatten().map(Vec::len).find(|n| *n != n_draws) {
        bail!("{input}: {n_draws} draws of subjects and {other} of stimuli; row i of both is draw i");
    }
    if n_draws < 2 {
        bail!("{input}: {n_draws} draws; --boot needs at least 2");
    }
    let [people, stimuli] = counts;
    let of = |counts: &Option<Vec<Vec<u32>>>, draw: usize, n: usize| {
        counts.as_ref().map_or_else(|| vec![1; n], |counts| counts[draw].clone())
    };
    Ok((0..n_draws)
        .map(|draw| Drawn { subjects: of(&people, draw, sizes[0]), stimuli: of(&stimuli, draw, sizes[1]) })
        .collect())
}

/// Counts in the order of the data: columns are joined by name, without names by position where that is asked for.
fn read(
    assume_order: bool,
    input: &Input,
    name: &str,
    matrix: NamedMatrix,
    expected: &Option<Vec<&str>>,
    n: usize,
) -> Result<Vec<Vec<u32>>> {
    let values = matrix.matrix.into_f64();
    if values.ncols() != n {
        bail!("{input}: draws of {} {name}, but the data have {n}", values.ncols());
    }
    let order: Vec<usize> = match (&matrix.labels.columns, expected) {
        (Some(have), Some(wanted)) => {
            let place: HashMap<&str, usize> = have.iter().enumerate().map(|(k, name)| (name.as_str(), k)).collect();
            let find = |wanted: &&str| {
                place
                    .get(*wanted)
                    .copied()
                    .ok_or_else(|| anyhow!("{input}: no column {wanted:?} in the draws of {name}"))
            };
            wanted.iter().map(find).collect::<Result<_>>()?
        }
        (have, _) if !assume_order => {
            let which = if have.is_none() { "the columns of the draws have no names" } else { "the data have no ids" };
            bail!("{input}: {n} {name}, and {which} to join them by; --assume-order takes column i for {name} i");
        }
        _ => (0..n).collect(),
    };
    let count = |draw: usize, column: usize| {
        let value: f64 = values[(draw, column)];
        match (0.0..=65_535.0).contains(&value) && value.fract() == 0.0 {
            true => Ok(value as u32),
            false => {
                Err(anyhow!("{input}: draw {draw} of {name} has {value} in column {column}; a count is 0, 1, 2, ..."))
            }
        }
    };
    let mut draws = Vec::with_capacity(values.nrows());
    for draw in 0..values.nrows() {
        let counts: Vec<u32> = order.iter().map(|&column| count(draw, column)).collect::<Result<_>>()?;
        if counts.iter().all(|often| *often == 0) {
            bail!("{input}: draw {draw} of {name} holds nothing");
        }
        draws.push(counts);
    }
    Ok(draws)
}

/// Writes one matrix per thing that is drawn: draws x subjects, draws x stimuli.
pub(super) fn write(
    job: &Job,
    mut out: Output,
    systems: &Systems,
    used: &[usize],
    over: Generalize,
    draws: &[Drawn],
) -> Result<()> {
    for (k, columns) in columns(systems, used).into_iter().enumerate() {
        if !are_drawn(over)[k] {
            continue;
        }
        let of = |draw: usize| if k == 0 { &draws[draw].subjects } else { &draws[draw].stimuli };
        let counts = Array2::from_shape_fn((draws.len(), of(0).len()), |(draw, thing)| of(draw)[thing] as f32);
        let columns: Option<Vec<String>> = columns.map(|names| names.into_iter().map(String::from).collect());
        let labels = LabelsRef { ids: None, columns: columns.as_deref(), name: Some(NAMES[k]) };
        write_matrix(&mut out, &Matrix::F4(counts), labels)?;
    }
    out.commit(job)
}
