//! Whether an untrained twin still carries the pictures, beside the trained network: a twin that lost them shows what
//! that loss does, not what training does.

use crate::changed::Viewing;
use crate::changed::information::{Categories, Geometry, Information};
use crate::feed::prepare_ahead;
use crate::graph::Graph;
use crate::network::Network;
use crate::network::inputs::Batch;
use crate::pictures::BadImage;
use crate::pictures::stimuli::Stimulus;
use anyhow::Result;
use ndarray::{Array2, Axis, concatenate};
use npy_stream::Block;
use serde_json::{Value, json};
use statistics::Draws;
use std::collections::BTreeMap;

/// Pictures that twins are checked on, if there are as many.
const PICTURES: usize = 128;
/// Units of a layer that they are checked on, if there are as many.
const UNITS: usize = 4096;
/// Layers that get a line of their own.
const LINES: usize = 6;

/// More units that do not move than this are an alarm, where the trained network has less than half of them.
const MOST_STUCK: f64 = 0.5;
/// A layer whose effective dimension is this share of the most there can be keeps no picture near any other. Maps of
/// mended twins and of trained networks have up to .92.
const FLAT_DIMENSION: f64 = 0.97;
/// The same is told from few pictures only where there are as many.
const FEWEST_PATTERNS: usize = 24;
/// Pictures of one category this little nearer to each other than to the rest, in sd of the distances, are not nearer.
const FLAT_GAP: f64 = 0.15;
/// Pairs of pictures within categories from which a gap is told from chance.
const FEWEST_WITHIN: usize = 200;
/// Activations this much larger or smaller than the trained network's.
const SCALE: f64 = 1e3;

/// The two networks to compare, cut to what was asked for.
pub struct Pair {
    /// As it was trained.
    pub trained: Graph,
    /// With weights drawn anew.
    pub twin: Graph,
}

/// What was looked at of one layer.
struct Seen {
    /// A picture a row, up to `UNITS` units.
    rows: Array2<f64>,
    /// How many it has.
    n_units: usize,
}

/// One layer of both.
struct Compared<'a> {
    layer: &'a str,
    n_units: usize,
    trained: Information,
    twin: Information,
}

impl Viewing<'_> {
    /// Runs both networks on some of the pictures, says of the layers (name and tensor) what they hold, and warns of
    /// those that lost the pictures.
    pub fn check(&self, pair: &Pair, layers: &[(String, String)]) -> Result<()> {
        let mut draws = Draws::stream(0, 0);
        let mut chosen = draws.permutation(self.shown.pictures.len());
        chosen.truncate(PICTURES);
        chosen.sort_unstable();
        let stimuli: Vec<Stimulus> = chosen.iter().map(|&i| self.shown.pictures[i].clone()).collect();
        let tensors: Vec<String> = layers.iter().map(|(_, tensor)| tensor.clone()).collect();
        let (trained, pictures, sound) = self.looked_at(&pair.trained, &tensors, &stimuli)?;
        let stimuli: Vec<Stimulus> = sound.into_iter().map(|i| stimuli[i].clone()).collect();
        if stimuli.is_empty() {
            return Ok(());
        }
        let categories = numbered(&stimuli);
        let of = |seen: &Seen| Information::of(seen.rows.view(), categories.as_deref());
        // Not both networks' activations at once.
        let trained: Vec<Information> = trained.into_iter().map(|seen| of(&seen)).collect();
        let (twin, ..) = self.looked_at(&pair.twin, &tensors, &stimuli)?;
        let pictures = Information::of(pictures.view(), categories.as_deref());
        let own_gap = gap(&pictures).map(|categories| categories.gap);
        let compared: Vec<Compared> = layers
            .iter()
            .zip(trained.into_iter().zip(&twin))
            .map(|((name, _), (trained, twin))| Compared {
                layer: name,
                n_units: twin.n_units,
                trained,
                twin: of(twin),
            })
            .collect();
        self.report(&compared, own_gap, stimuli.len());
        Ok(())
    }

    /// Activations of each tensor to these pictures, the pictures as the network gets them, and which of them are
    /// sound: rows are theirs alone.
    fn looked_at(
        &self,
        graph: &Graph,
        tensors: &[String],
        stimuli: &[Stimulus],
    ) -> Result<(Vec<Seen>, Array2<f64>, Vec<usize>)> {
        let mut network = Network::open(&graph.cut_to(tensors)?, self.opener)?;
        network.settle(self.shown.size)?;
        let input = network.input.clone();
        // Whether a damaged picture stops the run is for the run to say; here it is left out.
        let feed = self.shown.feed(&input, BadImage::Nan, false);
        let at_once = input.batch.fixed().unwrap_or(self.batch);
        let n_run = input.batch.fixed().unwrap_or(at_once.min(stimuli.len()));
        let all: Vec<usize> = (0..network.layers.len()).collect();
        let mut gathered: Vec<Vec<Array2<f64>>> = vec![Vec::new(); all.len()];
        let mut sampled: Vec<(Vec<usize>, usize)> = vec![(Vec::new(), 0); all.len()];
        let (mut pictures, mut gathered_before) = (Vec::new(), 0);
        let mut sound = Vec::new();
        prepare_ahead(&feed, stimuli.chunks(at_once), |prepared, chunk| {
            let of_chunk = prepared.facts.iter().enumerate().filter(|(_, facts)| facts.bad.is_none());
            let of_chunk: Vec<usize> = of_chunk.map(|(i, _)| i).collect();
            sound.extend(of_chunk.iter().map(|i| gathered_before + i));
            gathered_before += chunk.len();
            pictures.push(some_of(&prepared.batch, chunk.len()).select(Axis(0), &of_chunk));
            network.run(prepared.batch, (chunk.len(), n_run), self.shown.size, &all, |slot, block| {
                let (units, n_units) = &mut sampled[slot];
                if units.is_empty() {
                    (*units, *n_units) = (some_units(block.n_columns()), block.n_columns());
                }
                let values = match block {
                    Block::F4(rows) => rows.select(Axis(1), units).mapv(f64::from),
                    Block::F8(rows) => rows.select(Axis(1), units),
                };
                gathered[slot].push(values.select(Axis(0), &of_chunk));
                Ok(())
            })
        })?;
        let joined = |parts: &[Array2<f64>]| -> Result<Array2<f64>> {
            let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
            Ok(concatenate(Axis(0), &views)?)
        };
        let rows = gathered
            .iter()
            .zip(&sampled)
            .map(|(parts, (_, n_units))| Ok(Seen { rows: joined(parts)?, n_units: *n_units }));
        Ok((rows.collect::<Result<_>>()?, joined(&pictures)?, sound))
    }

    fn report(&self, compared: &[Compared], own_gap: Option<f64>, n: usize) {
        let alarms: Vec<(usize, String)> =
            compared.iter().enumerate().filter_map(|(i, layer)| Some((i, layer.alarm(own_gap)?))).collect();
        if compared.len() <= LINES {
            for layer in compared {
                self.job.note(format_args!("--untrained: {}", layer.text()));
            }
        } else {
            self.job.note(format_args!(
                "--untrained: {} layers compared with the trained network's on {n} pictures, {} of them lost the \
                 pictures; the sidecar has the figures",
                compared.len(),
                alarms.len()
            ));
        }
        for (i, alarm) in alarms.iter().take(LINES) {
            self.job.warn(format_args!(
                "--untrained: layer \"{}\" of the twin {alarm}. It is no control for what training adds",
                compared[*i].layer
            ));
        }
        if alarms.len() > LINES {
            self.job.warn(format_args!("--untrained: the same of {} more layers", alarms.len() - LINES));
        }
        let record: Vec<Value> = compared
            .iter()
            .map(|layer| {
                json!({
                    "layer": layer.layer, "n_units": layer.n_units,
                    "twin": record(&layer.twin), "trained": record(&layer.trained), "alarm": layer.alarm(own_gap),
                })
            })
            .collect();
        self.job.record("twin_check", json!({ "n_pictures": n, "gap_of_pictures": own_gap, "layers": record }));
    }
}

impl Compared<'_> {
    /// Why the twin's layer is no control; `None` where it may be one, or where the trained layer is no better.
    fn alarm(&self, own_gap: Option<f64>) -> Option<String> {
        let (twin, trained) = (&self.twin, &self.trained);
        let per_cent = |share: f64| format!("{:.0} %", 100.0 * share);
        if !twin.is_finite && trained.is_finite {
            return Some("overflows".into());
        }
        if twin.stuck() >= MOST_STUCK && trained.stuck() < twin.stuck() / 2.0 {
            return Some(format!(
                "has {} dead and {} saturated units (trained {} and {})",
                per_cent(twin.dead),
                per_cent(twin.saturated),
                per_cent(trained.dead),
                per_cent(trained.saturated)
            ));
        }
        let ratio = twin.rms / trained.rms;
        if trained.rms > 0.0 && !(1.0 / SCALE..=SCALE).contains(&ratio) {
            return Some(format!("has activations of {:.3e}, trained {:.3e}", twin.rms, trained.rms));
        }
        let (Some(ours), Some(theirs)) = (&twin.geometry, &trained.geometry) else {
            let lost = trained.geometry.is_some();
            return lost.then(|| "gives the same pattern for every picture".into());
        };
        // Categories of pictures differ in their pixels already, and a twin passes that on: gaps of .39 to .61 in
        // mended twins of three networks (pixels .30), -.03 to .18 in deep layers of twins without normalization.
        if let (Some(own), Some(ours), Some(theirs)) = (own_gap, ours.categories, theirs.categories)
            && ours.n_within >= FEWEST_WITHIN
            && ours.gap < FLAT_GAP.min(own / 2.0)
            && theirs.gap >= FLAT_GAP.min(own / 2.0)
        {
            return Some(format!(
                "is flat: pictures of one category are {:.2} sd nearer to each other than to the rest (trained {:.2}, the \
                 pixels {own:.2})",
                ours.gap, theirs.gap
            ));
        }
        let flat =
            |g: &Geometry| g.n_patterns >= FEWEST_PATTERNS && g.dimension > FLAT_DIMENSION * (g.n_patterns - 1) as f64;
        (flat(ours) && !flat(theirs)).then(|| {
            format!(
                "is flat: every picture is as far from every other (effective dimension {:.1} of {}, trained {:.1})",
                ours.dimension,
                ours.n_patterns - 1,
                theirs.dimension
            )
        })
    }

    /// One line: the twin, and the trained network in brackets.
    fn text(&self) -> String {
        let (twin, trained) = (&self.twin, &self.trained);
        let both = |name: &str, of: &dyn Fn(&Information) -> String| format!("{name} {} ({})", of(twin), of(trained));
        let per_cent = |share: f64| format!("{:.1} %", 100.0 * share);
        let mut parts = vec![
            both("dead", &|i| per_cent(i.dead)),
            both("saturated", &|i| per_cent(i.saturated)),
            both("rms", &|i| format!("{:.3}", i.rms)),
        ];
        if let (Some(ours), Some(theirs)) = (&twin.geometry, &trained.geometry) {
            if let (Some(ours), Some(theirs)) = (ours.categories, theirs.categories) {
                parts.push(format!(
                    "1 - r within categories {:.3} ({:.3}), between {:.3} ({:.3}), gap in sd {:.2} ({:.2})",
                    ours.within, theirs.within, ours.between, theirs.between, ours.gap, theirs.gap
                ));
            }
            parts.push(format!(
                "dimensions {:.1} ({:.1}) of {}",
                ours.dimension,
                theirs.dimension,
                ours.n_patterns - 1
            ));
        }
        format!("layer \"{}\": twin (trained): {}", self.layer, parts.join(", "))
    }
}

fn gap(information: &Information) -> Option<Categories> {
    information.geometry.and_then(|geometry| geometry.categories)
}

fn record(information: &Information) -> Value {
    let Information { is_finite, dead, saturated, rms, variation, geometry } = information;
    let mut record =
        json!({ "finite": is_finite, "dead": dead, "saturated": saturated, "rms": rms, "variation": variation });
    if let Some(geometry) = geometry {
        record["effective_dimension"] = geometry.dimension.into();
        record["n_patterns"] = geometry.n_patterns.into();
        if let Some(Categories { within, between, gap, .. }) = geometry.categories {
            record["within"] = within.into();
            record["between"] = between.into();
            record["gap_sd"] = gap.into();
        }
    }
    record
}

/// Numbers for the categories of pictures; `None` unless every picture has one and there are several.
fn numbered(stimuli: &[Stimulus]) -> Option<Vec<usize>> {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut of = Vec::new();
    for stimulus in stimuli {
        let next = numbers.len();
        of.push(*numbers.entry(stimulus.category.as_deref()?).or_insert(next));
    }
    (numbers.len() > 1).then_some(of)
}

/// Up to `UNITS` of `n` units, drawn without replacement, in order: the same of both networks.
fn some_units(n: usize) -> Vec<usize> {
    if n <= UNITS {
        return (0..n).collect();
    }
    // One of each of UNITS equal stretches, so that nothing is drawn twice.
    let mut draws = Draws::stream(0, 1);
    (0..UNITS)
        .map(|i| {
            let (from, to) = (i * n / UNITS, (i + 1) * n / UNITS);
            from + draws.below(to - from)
        })
        .collect()
}

/// Up to `UNITS` values of each of `n` pictures of a batch.
fn some_of(batch: &Batch, n: usize) -> Array2<f64> {
    let values: Box<dyn Fn(usize) -> f64 + '_> = match batch {
        Batch::F32(values) => Box::new(|i| f64::from(values[i])),
        Batch::F16(values) => Box::new(|i| f64::from(values[i].to_f32())),
        Batch::U8(values) => Box::new(|i| f64::from(values[i])),
    };
    let n_values = match batch {
        Batch::F32(values) => values.len(),
        Batch::F16(values) => values.len(),
        Batch::U8(values) => values.len(),
    } / n;
    let chosen = some_units(n_values);
    Array2::from_shape_fn((n, chosen.len()), |(i, j)| values(i * n_values + chosen[j]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> Information {
        let categories = Some(Categories { within: 0.9, between: 1.0, gap: 0.5, n_within: 500 });
        let geometry = Some(Geometry { n_patterns: 128, categories, dimension: 60.0 });
        Information { is_finite: true, dead: 0.1, saturated: 0.0, rms: 1.0, variation: 0.5, geometry }
    }

    fn alarm(change: impl Fn(&mut Information), own_gap: Option<f64>) -> Option<String> {
        let mut twin = healthy();
        change(&mut twin);
        let alarm = |twin: Information, trained| Compared { layer: "l", n_units: 9, trained, twin }.alarm(own_gap);
        // What the trained network is no better at tells nothing about the twin.
        assert_eq!(alarm(twin.clone(), twin.clone()), None);
        alarm(twin, healthy())
    }

    fn geometry(change: impl Fn(&mut Geometry)) -> impl Fn(&mut Information) {
        move |information| information.geometry.iter_mut().for_each(&change)
    }

    #[test]
    fn what_makes_an_alarm_and_what_does_not() {
        assert_eq!(alarm(|_| {}, Some(0.3)), None);
        let said = |change: &dyn Fn(&mut Information), text: &str| {
            let alarm = alarm(change, Some(0.3)).unwrap_or_default();
            assert!(alarm.contains(text), "{text}: {alarm}");
        };
        said(&|twin| twin.is_finite = false, "overflows");
        said(
            &|twin| (twin.dead, twin.saturated) = (0.2, 0.4),
            "20 % dead and 40 % saturated units (trained 10 % and 0 %)",
        );
        said(&|twin| twin.rms = 2e5, "activations of 2.000e5, trained 1.000e0");
        said(&|twin| twin.rms = 1e-4, "activations of 1.000e-4");
        said(&|twin| twin.geometry = None, "the same pattern for every picture");
        let gap = |gap: f64, n_within: usize| {
            geometry(move |g| g.categories.iter_mut().for_each(|c| (c.gap, c.n_within) = (gap, n_within)))
        };
        said(&gap(0.1, 500), "0.10 sd nearer to each other than to the rest (trained 0.50, the pixels 0.30)");
        said(&geometry(|g| g.dimension = 126.0), "effective dimension 126.0 of 127, trained 60.0");
        assert_eq!(alarm(gap(0.1, 150), Some(0.3)), None, "too few pairs to tell");
        assert_eq!(alarm(gap(0.1, 500), Some(0.1)), None, "as much as the pixels have");
        assert_eq!(alarm(gap(0.1, 500), None), None);
        assert_eq!(alarm(gap(1.1, 500), Some(2.4)), None, "much, if less than the pixels");
        assert_eq!(alarm(|twin| (twin.dead, twin.saturated) = (0.3, 0.1), Some(0.3)), None);
    }
}
