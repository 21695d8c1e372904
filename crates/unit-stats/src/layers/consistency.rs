//! How alike the geometry of selected units is in different layers.

use anyhow::{Context, Result, bail};
use array_inputs::reader_of;
use cli::{Format, Input, Job, Output, TableWriter};
use localizer_run::Plan;
use ndarray::Array2;
use npy_stream::{Block, NpyReader, PartBuffer, Parts};
use rdm::{Compared, Comparison, Distance, Rdm, compare_within, distances};
use statistics::Reason;
use std::collections::HashSet;
use std::fs::File;

/// The units that were selected in one layer, and where to find their responses again.
pub(crate) struct Chosen {
    pub model: Option<String>,
    pub array: String,
    pub input: Input,
    pub position: usize,
    /// Of every contrast.
    pub units: Vec<Vec<usize>>,
    /// Row of the stimulus table for every row of the matrix.
    pub rows: Vec<Option<usize>>,
}

const COLUMNS: [&str; 10] =
    ["model", "contrast", "array_a", "array_b", "n_a", "n_b", "n_pairs", "n_nan", "r", "reason"];

/// Writes the correlation of RDMs of every pair of layers of a model, contrast by contrast: one contrast's RDMs are
/// held at a time.
pub(crate) fn write(job: &Job, out: Output, format: Format, plan: &Plan, chosen: &[Chosen]) -> Result<()> {
    let mut table = TableWriter::new(out, format, &COLUMNS)?;
    let used_rows = reported_rows(plan);
    // Under --assume-order the table may have none, and every row is a picture of its own.
    let ids = plan.ids().ok();
    let used: Vec<Vec<bool>> = chosen.iter().map(|layer| common(chosen, layer, used_rows.clone())).collect();
    for (layer, used) in chosen.iter().zip(&used) {
        let (own, kept) = (layer.stimuli(&used_rows).len(), used.iter().filter(|used| **used).count());
        if kept < own {
            job.note(format!(
                "{}: --consistency takes {kept} of its {own} pictures, those that all layers have",
                layer.array
            ));
        }
    }
    for (c, contrast) in plan.contrasts.iter().enumerate() {
        let mut rdms: Vec<Option<Rdm>> = Vec::with_capacity(chosen.len());
        for (layer, used) in chosen.iter().zip(&used) {
            rdms.push(if layer.units[c].len() < 2 { None } else { Some(layer.rdm(&layer.units[c], used, ids)?) });
        }
        let found = within_models(chosen, rdms).with_context(|| format!("contrast \"{contrast}\""))?;
        for (a, one) in chosen.iter().enumerate() {
            for (b, other) in chosen.iter().enumerate().skip(a + 1).filter(|(_, other)| other.model == one.model) {
                let compared = found[(a, b)];
                let reason = match compared {
                    None => Some(Reason::TooFewUnits),
                    Some(r) => r.value.is_nan().then_some(Reason::Constant),
                };
                table.record(&[
                    ("model", one.model.as_ref().into()),
                    ("contrast", contrast.to_string().into()),
                    ("array_a", (&one.array).into()),
                    ("array_b", (&other.array).into()),
                    ("n_a", one.units[c].len().into()),
                    ("n_b", other.units[c].len().into()),
                    ("n_pairs", compared.map(|r| r.n_pairs).into()),
                    ("n_nan", compared.map(|r| r.n_nan).into()),
                    ("r", compared.map_or(f64::NAN, |r| r.value).into()),
                    ("reason", reason.into()),
                ])?;
            }
        }
    }
    table.into_inner().commit(job)
}

/// The correlation of every two RDMs of one model; none between models, or where a layer has no RDM.
///
/// Each RDM is ranked or scaled once: that takes longer than the product of two.
fn within_models(chosen: &[Chosen], rdms: Vec<Option<Rdm>>) -> Result<Array2<Option<Compared>>> {
    let mut all = Array2::from_elem((chosen.len(), chosen.len()), None);
    let mut waiting: Vec<(usize, Rdm)> = rdms.into_iter().enumerate().filter_map(|(i, rdm)| Some((i, rdm?))).collect();
    while let Some((first, _)) = waiting.first() {
        let model = chosen[*first].model.clone();
        let (own, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(i, _)| chosen[*i].model == model);
        let (places, rdms): (Vec<usize>, Vec<Rdm>) = own.into_iter().unzip();
        for ((i, j), found) in compare_within(&rdms, Comparison::Pearson)?.indexed_iter() {
            all[(places[i], places[j])] = Some(*found);
        }
        waiting = others;
    }
    Ok(all)
}

/// The rows of the stimulus table that the table is about: of a layer that was chosen, not those that chose it.
fn reported_rows(plan: &Plan) -> Vec<bool> {
    let mut used = plan.used_rows();
    let halves = plan.half_of_row().unwrap_or_default();
    used.iter_mut().zip(halves).for_each(|(used, half)| *used &= *half == 1);
    used
}

/// The rows of the stimulus table that every layer of this layer's model has. With --inner one layer may lack other
/// pictures than the next, and RDMs over different pictures must not be compared.
fn common(chosen: &[Chosen], layer: &Chosen, mut used: Vec<bool>) -> Vec<bool> {
    for other in chosen.iter().filter(|other| other.model == layer.model) {
        let there = other.stimuli(&used);
        used.iter_mut().enumerate().for_each(|(stimulus, used)| *used &= there.contains(&stimulus));
    }
    used
}

impl Chosen {
    /// Those rows of the stimulus table in use that this layer has.
    fn stimuli(&self, used: &[bool]) -> HashSet<usize> {
        self.rows.iter().flatten().copied().filter(|stimulus| used[*stimulus]).collect()
    }

    /// The RDM of some units over the pictures in use, in the order of the stimulus table.
    fn rdm(&self, units: &[usize], used: &[bool], ids: Option<&[String]>) -> Result<Rdm> {
        let Some(path) = self.input.path() else { bail!("{}: cannot be read a second time", self.input) };
        let mut reader = File::open(path)
            .map_err(Into::into)
            .and_then(|file| reader_of(file, &self.input))
            .and_then(|mut reader: NpyReader| {
                for _ in 0..self.position {
                    if let Some(array) = reader.next_array()? {
                        array.finish()?;
                    }
                }
                Ok::<NpyReader, anyhow::Error>(reader)
            })
            .with_context(|| self.input.to_string())?;
        let acts = reader.next_array().with_context(|| self.input.to_string())?;
        let Some(acts) = acts else { bail!("{}: changed while it was read", self.input) };
        let Some(parts) = acts.parts() else {
            bail!("{}: --consistency reads the activations a second time, so give a regular file", self.input);
        };
        let mut order: Vec<(usize, usize)> =
            self.rows.iter().enumerate().filter_map(|(row, stimulus)| stimulus.map(|s| (s, row))).collect();
        order.retain(|(stimulus, _)| used[*stimulus]);
        order.sort_unstable();
        let mut seen: HashSet<(usize, &str)> = HashSet::new();
        let picture = |stimulus: usize| ids.map_or((stimulus, ""), |ids| (0, ids[stimulus].as_str()));
        if let Some((twice, _)) = order.iter().find(|(stimulus, _)| !seen.insert(picture(*stimulus))) {
            bail!(
                "{}: stimulus {:?} has several presentations; average them with `npy average` before --consistency",
                self.input,
                ids.map_or_else(|| twice.to_string(), |ids| ids[*twice].clone())
            );
        }
        let patterns = patterns(&parts, &order, units).with_context(|| self.input.to_string())?;
        Ok(distances(patterns.view(), Distance::Correlation).with_context(|| self.input.to_string())?.rdm)
    }
}

/// Responses of the units to the stimuli, in the order given: what lies together in the file is read at once.
fn patterns(parts: &Parts, order: &[(usize, usize)], units: &[usize]) -> Result<Array2<f64>> {
    let (n_rows, n_units) = parts.shape();
    let mut found = Array2::zeros((order.len(), units.len()));
    let mut buffer = PartBuffer::default();
    if parts.is_fortran() {
        for (mut to, &unit) in found.columns_mut().into_iter().zip(units) {
            let column = parts.read(0..n_rows, unit..unit + 1, &mut buffer)?;
            to.iter_mut().zip(order).for_each(|(to, &(_, row))| *to = value(&column, (row, 0)));
        }
    } else {
        for (mut to, &(_, row)) in found.rows_mut().into_iter().zip(order) {
            let row = parts.read(row..row + 1, 0..n_units, &mut buffer)?;
            to.iter_mut().zip(units).for_each(|(to, &unit)| *to = value(&row, (0, unit)));
        }
    }
    Ok(found)
}

fn value(block: &Block, place: (usize, usize)) -> f64 {
    match block {
        Block::F4(values) => f64::from(values[place]),
        Block::F8(values) => values[place],
    }
}
