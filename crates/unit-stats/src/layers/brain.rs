//! How well the selected units' mean profile over pictures follows that of a region of the brain.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use array_inputs::{JoinArgs, Whole, read_matrix, refuse_position_of_trials};
use cli::{Input, Job};
use localizer_run::{HALVES, Measured, Plan};
use ndarray::{ArrayView2, Axis};
use npy_stream::{Block, Matrix};
use rayon::prelude::*;
use statistics::{Correlation, Reason};
use stimulus_table::Side;

use super::summary::Selected;

/// A correlation of two values is 1 or -1.
const FEWEST_STIMULI: usize = 3;

/// The profiles of the regions, one per contrast, and the halves of their pictures.
pub(crate) struct Brain {
    targets: Vec<Target>,
    /// The picture of every row of the stimulus table; several rows may be presentations of one.
    picture_of_row: Vec<usize>,
}

/// One region.
struct Target {
    source: String,
    /// On either half: pictures and the responses to them.
    halves: [Vec<(usize, f64)>; 2],
}

/// The correlation on the half that chooses and on the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Followed {
    pub r: [f64; 2],
    pub reason: Option<Reason>,
}

impl Brain {
    /// One region per contrast of the plan, in their order.
    pub fn read(job: &Job, inputs: &[Input], plan: &Plan, join: JoinArgs) -> Result<Brain> {
        ensure!(
            inputs.len() == plan.contrasts.len(),
            "{} --brain for {} contrasts; give one for each, in the order {}",
            inputs.len(),
            plan.contrasts.len(),
            plan.contrasts.iter().map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(", ")
        );
        let ids = plan.ids().ok();
        let (picture_of_row, first_rows) = distinct(ids, plan.n_rows());
        let half_of_row = plan.half_of_row().unwrap_or_default();
        let names: Option<Vec<String>> = ids.map(|ids| first_rows.iter().map(|&row| ids[row].clone()).collect());
        let in_table = Side { name: plan.table_name(), labels: names.as_deref(), n_rows: first_rows.len() };
        let read = |input: &Input| -> Result<Target> {
            let named = read_matrix(job, input)?;
            let (n_rows, n_voxels) = (named.matrix.n_rows(), named.matrix.n_columns());
            ensure!(n_voxels > 0, "{}: {n_rows} rows of 0 voxels have no profile", named.source);
            let rows = match &named.matrix {
                Matrix::F4(values) => means(values.view()),
                Matrix::F8(values) => means(values.view()),
            };
            if let Some(row) = rows.iter().position(|mean| !mean.is_finite()) {
                bail!(
                    "{}: row {row} of {n_rows} has a NaN among its {n_voxels} voxels; leave out the picture (`npy rows`) \
                     or the voxels (`npy cols`)",
                    named.source
                );
            }
            let own_ids = named.labels.ids.as_deref();
            let (stimulus_of_row, first) = distinct(own_ids, n_rows);
            let own: Option<Vec<String>> = own_ids.map(|ids| first.iter().map(|&row| ids[row].clone()).collect());
            let side = Side { name: &named.source, labels: own.as_deref(), n_rows: first.len() };
            refuse_position_of_trials(&[side, in_table], &[n_rows, plan.n_rows()])?;
            let joined = join.join(job, side, in_table)?;
            let profile = averaged(&rows, &stimulus_of_row, first.len());
            let mut halves = [Vec::new(), Vec::new()];
            for (&stimulus, &picture) in joined.left.iter().zip(&joined.right) {
                if let Some(half) = halves.get_mut(half_of_row[first_rows[picture]]) {
                    half.push((picture, profile[stimulus]));
                }
            }
            for (half, name) in halves.iter().zip(HALVES) {
                ensure!(
                    half.len() >= FEWEST_STIMULI,
                    "{}: {} of its {} pictures are in the half of {name}; a correlation needs at least {FEWEST_STIMULI}",
                    named.source,
                    half.len(),
                    joined.left.len()
                );
            }
            Ok(Target { source: named.source.clone(), halves })
        };
        let targets = inputs.iter().map(read).collect::<Result<_>>()?;
        Ok(Brain { targets, picture_of_row })
    }

    /// The correlations of the mean over the selected units with the region, contrast by contrast: one more pass over
    /// the rows, whatever the number of contrasts.
    pub fn correlations(
        &self,
        job: &Job,
        source: &str,
        measured: &Measured,
        selected: &[Selected],
    ) -> Result<Vec<Followed>> {
        let Some(responses) = measured.responses() else { bail!("{source}: its responses are gone") };
        let wanted: std::collections::HashSet<usize> = self
            .targets
            .iter()
            .flat_map(|target| target.halves.iter().flatten())
            .map(|(picture, _)| *picture)
            .collect();
        // Rows of the matrix that are pictures of some region, and which picture each is.
        let of_row = |(row, table): (usize, &Option<usize>)| Some((row, self.picture_of_row[(*table)?]));
        let (rows, pictures): (Vec<usize>, Vec<usize>) = measured
            .rows()
            .iter()
            .enumerate()
            .filter_map(of_row)
            .filter(|(_, picture)| wanted.contains(picture))
            .unzip();
        let units: Vec<&[usize]> = selected.iter().map(|selected| selected.units.as_slice()).collect();
        let means = means_of_sets(responses, &rows, &units).with_context(|| source.to_owned())?;
        let profiles: Vec<HashMap<usize, (f64, usize)>> = means
            .iter()
            .map(|means| {
                let mut sums: HashMap<usize, (f64, usize)> = HashMap::new();
                for (picture, mean) in pictures.iter().zip(means) {
                    let sum = sums.entry(*picture).or_default();
                    *sum = (sum.0 + mean, sum.1 + 1);
                }
                sums
            })
            .collect();
        let mut followed = Vec::with_capacity(self.targets.len());
        for ((target, profile), units) in self.targets.iter().zip(&profiles).zip(&units) {
            let mut found = Followed { r: [f64::NAN; 2], reason: None };
            let n_there = target.halves.iter().flatten().filter(|(picture, _)| profile.contains_key(picture)).count();
            let n = target.halves.iter().map(Vec::len).sum::<usize>();
            if n_there < n {
                job.note(format!("{source}: {n_there} of the {n} pictures of {} are compared", target.source));
            }
            for (half, r) in target.halves.iter().zip(&mut found.r) {
                let (model, brain): (Vec<f64>, Vec<f64>) = half
                    .iter()
                    .filter_map(|(picture, response)| {
                        profile.get(picture).map(|(sum, count)| (sum / *count as f64, *response))
                    })
                    .unzip();
                let reason = match (units.is_empty(), model.len() < FEWEST_STIMULI) {
                    (true, _) => Some(Reason::Empty),
                    (_, true) => Some(Reason::TooFewStimuli),
                    _ => Reason::of(&model).or_else(|| Reason::of(&brain)),
                };
                if reason.is_none() {
                    *r = Correlation::Pearson.of(&model, &brain);
                }
                found.reason = found.reason.or(reason);
            }
            followed.push(found);
        }
        Ok(followed)
    }
}

/// The stimulus of every row, numbered as they first come, and the first row of each. Without ids every row is one.
fn distinct(ids: Option<&[String]>, n_rows: usize) -> (Vec<usize>, Vec<usize>) {
    let Some(ids) = ids else { return ((0..n_rows).collect(), (0..n_rows).collect()) };
    let mut known: HashMap<&str, usize> = HashMap::new();
    let mut first = Vec::new();
    let of_row = ids.iter().enumerate().map(|(row, id)| {
        *known.entry(id).or_insert_with(|| {
            first.push(row);
            first.len() - 1
        })
    });
    let of_row = of_row.collect();
    (of_row, first)
}

/// Mean over the presentations of each stimulus.
fn averaged(rows: &[f64], stimulus_of_row: &[usize], n_stimuli: usize) -> Vec<f64> {
    let mut sums = vec![(0.0, 0usize); n_stimuli];
    for (value, &stimulus) in rows.iter().zip(stimulus_of_row) {
        sums[stimulus] = (sums[stimulus].0 + value, sums[stimulus].1 + 1);
    }
    sums.into_iter().map(|(sum, count)| sum / count as f64).collect()
}

/// Mean of every row, in f64.
fn means<T: Copy + Into<f64>>(rows: ArrayView2<T>) -> Vec<f64> {
    rows.rows().into_iter().map(|row| row.iter().map(|&v| v.into()).sum::<f64>() / row.len() as f64).collect()
}

/// For each set of units the mean over them of every row, in f64; NaN of an empty set.
fn means_of_sets(responses: &Whole, rows: &[usize], sets: &[&[usize]]) -> Result<Vec<Vec<f64>>> {
    fn of<T: Copy + Into<f64> + Sync>(block: ArrayView2<T>, sets: &[&[usize]]) -> Vec<Vec<f64>> {
        let of_row = |row: ndarray::ArrayView1<T>| -> Vec<f64> {
            let mean = |units: &&[usize]| units.iter().map(|&u| row[u].into()).sum::<f64>() / units.len() as f64;
            sets.iter().map(mean).collect()
        };
        block.axis_iter(Axis(0)).into_par_iter().map(of_row).collect()
    }
    let mut found = vec![Vec::with_capacity(rows.len()); sets.len()];
    responses.rows(rows, |_, block| {
        let means = match block {
            Block::F4(block) => of(block, sets),
            Block::F8(block) => of(block, sets),
        };
        means.iter().for_each(|row| found.iter_mut().zip(row).for_each(|(found, mean)| found.push(*mean)));
        Ok(())
    })?;
    Ok(found)
}
