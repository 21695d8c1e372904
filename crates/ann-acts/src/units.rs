//! From the command line's words about units to the readouts of each layer, and the table of what each column is.

pub mod args;
pub mod axes;
pub mod chosen_units;
pub mod projection;
pub mod readout;
pub mod table;

use crate::graph::onnx::Node;
use crate::graph::{Edit, Graph};
use crate::layers::Choice;
use crate::network::{Network, Opener};
use crate::pictures::Size;
use crate::units::args::{UnitArgs, word};
use crate::units::axes::{Channels, Place, Shapes};
use crate::units::chosen_units::ChosenUnits;
use crate::units::readout::{Anatomy, Pool, Readout, ReadoutError, Tokens};
use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use cli::{Input, Job};
use npy_stream::Block;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use stimulus_table::Table;

/// One readout of a layer, which makes one array.
pub struct LayerReadout {
    /// The layer's place among those that are kept.
    pub slot: usize,
    /// What the array is called: as the layer, or `LAYER.KIND` of several kinds of tokens.
    pub name: String,
    /// What is read of its tokens.
    tokens: Tokens,
    /// How its rows are made; `None` where they are the layer's own.
    pub readout: Option<Readout>,
    /// What was done, for the sidecar.
    pub facts: Map<String, Value>,
}

impl LayerReadout {
    /// Hands `take` the readout of these raw rows.
    pub fn apply(&self, block: Block<'_>, take: impl FnOnce(Block<'_>) -> Result<()>) -> Result<()> {
        match &self.readout {
            Some(readout) => readout.apply(block, take),
            None => take(block),
        }
    }
}

/// Every layer of `kept` as it is.
pub fn whole(kept: &[usize], choices: &[Choice]) -> Vec<LayerReadout> {
    let as_it_is = |(slot, &i): (usize, &usize)| LayerReadout {
        slot,
        name: choices[i].name.clone(),
        tokens: Tokens::All,
        readout: None,
        facts: Map::new(),
    };
    kept.iter().enumerate().map(as_it_is).collect()
}

/// Reads `--units`.
pub fn chosen(job: &Job, args: &UnitArgs) -> Result<Option<ChosenUnits>> {
    let Some(input) = &args.units else { return Ok(None) };
    let name = || input.to_string();
    let table = Table::read(job.open(input)?.reader()).with_context(name)?;
    let table = args.set.of(table).with_context(name)?;
    ChosenUnits::from_table(&table).with_context(name).map(Some)
}

/// What the axes of layers mean, as far as the graph tells.
pub struct Traced {
    meanings: HashMap<String, axes::Meaning>,
    last_maps: HashMap<String, (usize, usize)>,
}

/// Measures every tensor before the wanted ones on one black picture, and follows the axes through the graph.
///
/// Only the lengths leave the runtime, so that no tensor is kept.
pub fn traced(graph: &Graph, wanted: &[String], opener: Opener<'_>, size: Size) -> Result<Traced> {
    const LENGTHS: &str = "catsel/lengths/";
    let measured = axes::tensors_to_measure(graph, wanted);
    let makers = graph.makers();
    let mut edit = Edit::default();
    let mut lengths_of: Vec<String> = Vec::new();
    for name in &measured {
        if let Some(&maker) = makers.get(name.as_str()) {
            let output = format!("{LENGTHS}{name}");
            edit.after.entry(maker).or_default().push(Node::new("Shape", &[name], &output));
            lengths_of.push(output);
        }
    }
    let probe = graph.edited(&edit)?.cut_to(&lengths_of)?;
    let mut network = Network::open(&probe, opener)?;
    let (picture, shape) = network.picture(size);
    let layout = network.input.layout;
    let mut shapes: Shapes = network
        .integers(size)?
        .into_iter()
        .map(|(name, lengths)| {
            let lengths = lengths.into_iter().map(|n| usize::try_from(n).unwrap_or(0)).collect();
            (name.trim_start_matches(LENGTHS).to_string(), lengths)
        })
        .collect();
    shapes.insert(picture.clone(), shape);
    let last_maps =
        wanted.iter().filter_map(|name| Some((name.clone(), axes::last_map(graph, name, &shapes)?))).collect();
    Ok(Traced { meanings: axes::trace(graph, &picture, layout, shapes), last_maps })
}

/// The readouts of each layer of `kept`, in its order and, of one layer, in that of `--tokens`.
///
/// A layer that surely has no map (no tokens) is left as it is, with a note. What another layer that was named cannot
/// give is an error, one met by a pattern is left too. An option that no layer can follow is an error.
pub fn plan(
    job: &Job,
    args: &UnitArgs,
    network: &mut Network,
    (size, kept, choices): (Size, &[usize], &[Choice]),
    traced: Option<&Traced>,
    (units, known): (Option<&ChosenUnits>, &[String]),
) -> Result<Vec<LayerReadout>> {
    let shapes = network.layer_shapes(size)?;
    let asked = Asked::of(args)?;
    let mut outcomes = Outcomes::default();
    let mut planned = Vec::new();
    for (slot, &i) in kept.iter().enumerate() {
        let layer = &choices[i].name;
        let anatomy = anatomy(network, i, &shapes[i], traced, args);
        let readouts = read_out(&anatomy, &asked, choices[i].named, |step, reason| outcomes.note(step, layer, reason))
            .map_err(|error| anyhow!("layer \"{layer}\" {error}"))?;
        for ReadOut { tokens, named, readout, facts } in readouts {
            let name = if named { of_kind(layer, tokens) } else { layer.clone() };
            if planned.iter().any(|other: &LayerReadout| other.name == name) {
                bail!("two arrays would be called \"{name}\"; ask for one of the layers by another name or its index");
            }
            planned.push(LayerReadout { slot, name, tokens, readout: Some(readout), facts });
        }
    }
    outcomes.report(job, &asked, kept.len())?;
    if let (Some(units), Some(input)) = (units, &args.units) {
        keep_chosen(job, units, input, &mut planned, (network, kept, choices), known)
            .with_context(|| input.to_string())?;
    }
    Ok(planned)
}

/// Leaves the units that a table names.
fn keep_chosen(
    job: &Job,
    units: &ChosenUnits,
    input: &Input,
    planned: &mut [LayerReadout],
    (network, kept, choices): (&Network, &[usize], &[Choice]),
    known: &[String],
) -> Result<()> {
    let names_of = |slot: usize| [&choices[kept[slot]].name, &network.layers[kept[slot]].tensor.name];
    // The table may call a layer by its tensor where the user calls it otherwise, and have its kind of tokens.
    let in_table = |layer: &LayerReadout| {
        let [name, tensor] = names_of(layer.slot);
        let kinds = [name, tensor].map(|name| of_kind(name, layer.tokens));
        let spelled = match layer.name == *name {
            true => [tensor.clone(), name.clone()].into_iter().chain(kinds).collect::<Vec<_>>(),
            false => kinds.into_iter().rev().collect(),
        };
        spelled.into_iter().find(|name| units.names(name)).unwrap_or_else(|| layer.name.clone())
    };
    let names: Vec<String> = planned.iter().map(in_table).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let is_kept = |name: &&String| (0..kept.len()).any(|slot| names_of(slot)[1] == *name);
    let mut known: Vec<String> = known.iter().filter(|name| !is_kept(name)).cloned().collect();
    // Units of other tokens of these layers are other units.
    for layer in planned.iter() {
        let others = Tokens::value_variants().iter().filter(|&&kind| kind != layer.tokens);
        known.extend(others.flat_map(|&kind| names_of(layer.slot).map(|name| of_kind(name, kind))));
    }
    known.retain(|name| !names.contains(&name.as_str()));
    let (chosen, notes) = units.for_layers(&names, &known)?;
    notes.into_iter().for_each(|note| job.note(format_args!("{input}: {note}")));
    for (layer, chosen) in planned.iter_mut().zip(chosen) {
        let Some(readout) = layer.readout.take() else { continue };
        let n_units = readout.n_units();
        chosen_units::check(&chosen, n_units, &layer.name)?;
        layer.facts.insert("n_units_before_selection".into(), n_units.into());
        layer.readout = Some(readout.keep(chosen));
    }
    Ok(())
}

/// What one of several kinds of tokens of a layer is called.
fn of_kind(layer: &str, kind: Tokens) -> String {
    format!("{layer}.{}", word(kind))
}

/// What `--pool` and `--tokens` ask of every layer.
struct Asked {
    pool: Pool,
    tokens: Vec<Tokens>,
    prefix: Option<usize>,
    with_axes: bool,
}

impl Asked {
    fn of(args: &UnitArgs) -> Result<Self> {
        Ok(Self { pool: args.pool, tokens: args.tokens()?, prefix: args.prefix_tokens, with_axes: args.needs_axes() })
    }

    /// The steps that change anything.
    fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let pool = (self.pool != Pool::None).then_some(Step::Pool(self.pool));
        let changes = |kind: &Tokens| *kind != Tokens::All || self.prefix.is_some();
        let tokens = self.tokens.iter().copied().filter(changes).map(Step::Tokens);
        pool.into_iter().chain(tokens)
    }
}

/// One thing that is done to a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Pool(Pool),
    Tokens(Tokens),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Step::Pool(pool) => write!(f, "--pool {}", word(pool)),
            Step::Tokens(kind) => write!(f, "--tokens {}", word(kind)),
        }
    }
}

/// The layers that could not follow a step, and why.
#[derive(Default)]
struct Outcomes {
    left: Vec<(Step, String)>,
}

impl Outcomes {
    fn note(&mut self, step: Step, layer: &str, reason: ReadoutError) {
        self.left.push((step, format!("layer \"{layer}\" {reason}")));
    }

    /// Says what was left as it is; a step that none of `n` layers could follow is an error.
    fn report(&self, job: &Job, asked: &Asked, n: usize) -> Result<()> {
        for step in asked.steps() {
            let of_step = self.left.iter().filter(|(left, _)| *left == step);
            let reasons: Vec<&str> = of_step.map(|(_, reason)| reason.as_str()).collect();
            match reasons.as_slice() {
                [] => {}
                [first, ..] if reasons.len() == n => bail!("{step} would do nothing: {first}{}", and_others(n - 1)),
                [first, ..] => {
                    let instead = match step {
                        Step::Tokens(kind) if asked.tokens.len() > 1 => format!("give no LAYER.{}", word(kind)),
                        _ => "stay as they are".into(),
                    };
                    let n_left = reasons.len();
                    job.note(format_args!("{step} does not apply to {n_left} of {n} layers, which {instead}: {first}"));
                }
            }
        }
        Ok(())
    }
}

fn and_others(n: usize) -> String {
    if n == 0 { String::new() } else { format!(", nor have the {n} others") }
}

fn anatomy(network: &Network, i: usize, shape: &[usize], traced: Option<&Traced>, args: &UnitArgs) -> Anatomy {
    let layer = &network.layers[i];
    let pictures = layer.pictures_axis();
    let without_pictures = |axis: &usize| Some(*axis) != pictures;
    let lengths: Vec<usize> = (0..shape.len()).filter(without_pictures).map(|axis| shape[axis]).collect();
    // A network of one picture at a time may keep an axis of length 1 for it.
    let leading = usize::from(pictures.is_none() && lengths.first() == Some(&1));
    let convention =
        |layout| axes::by_convention(&lengths[leading..], layout).and_then(|meaning| axes::flattened(&meaning));
    let name = &layer.tensor.name;
    let meaning = traced.and_then(|traced| traced.meanings.get(name)).map(|meaning| {
        let kept: axes::Meaning = meaning
            .iter()
            .enumerate()
            .filter(|(axis, _)| without_pictures(axis))
            .map(|(_, parts)| parts.clone())
            .collect();
        kept
    });
    let is_picture =
        |parts: &Vec<axes::Part>| !parts.is_empty() && parts.iter().all(|part| part.place == Place::Picture);
    let followed: Option<axes::Meaning> =
        meaning.map(|meaning| meaning.into_iter().filter(|parts| !is_picture(parts)).collect());
    // What the graph shows to hold tokens cannot be a feature map, whatever --channels says.
    let of_tokens = |parts: &Vec<axes::Part>| parts.len() > 1 || parts.iter().any(|part| part.place == Place::Token);
    let has_tokens = followed.as_ref().is_some_and(|axes| axes.iter().any(of_tokens));
    let parts = match (args.channels, followed) {
        (Some(channels), _) if lengths.len() - leading == 3 && !has_tokens => convention(channels.into()),
        (_, Some(followed)) => axes::flattened(&followed),
        (_, None) => convention(network.input.layout),
    };
    let n_units = lengths.iter().product();
    let parts = parts.filter(|parts| parts.iter().map(|part| part.length).product::<usize>() == n_units);
    Anatomy { n_units, parts, last_map: traced.and_then(|traced| traced.last_maps.get(name).copied()) }
}

/// Where the numbers of a layer's units hold their channel; `None` where the graph does not tell.
pub fn channels(network: &Network, i: usize, shape: &[usize], traced: &Traced) -> Option<Channels> {
    let parts = anatomy(network, i, shape, Some(traced), &UnitArgs::default()).parts?;
    let places: Vec<usize> = (0..parts.len()).filter(|&i| parts[i].place == Place::Channel).collect();
    let &[i] = places.as_slice() else { return None };
    let stride = parts[i + 1..].iter().map(|part| part.length).product();
    Some(Channels { n: parts[i].length, stride })
}

/// One way in which a layer is read.
struct ReadOut {
    tokens: Tokens,
    /// It is one of several kinds, and called so.
    named: bool,
    readout: Readout,
    facts: Map<String, Value>,
}

/// The readouts of a layer: one for each kind of tokens that it has, else one, as far as it can be pooled. `left` hears
/// of the steps that it cannot follow.
fn read_out(
    anatomy: &Anatomy,
    asked: &Asked,
    named: bool,
    mut left: impl FnMut(Step, ReadoutError),
) -> Result<Vec<ReadOut>, ReadoutError> {
    let mut followed = |step: Step, before: &Readout| {
        let (after, places) = match step {
            Step::Pool(pool) => (before.clone().pool(anatomy, pool), [Place::Y, Place::X]),
            Step::Tokens(kind) => (before.clone().tokens(anatomy, kind, asked.prefix), [Place::Token, Place::Token]),
        };
        match after {
            Ok(after) => Ok(Some(after)),
            Err(reason) if named && !anatomy.surely_lacks(&places) => Err(reason),
            Err(reason) => {
                left(step, reason);
                Ok(None)
            }
        }
    };
    let whole = Readout::new(anatomy);
    let pooled = followed(Step::Pool(asked.pool), &whole)?;
    let is_pooled = pooled.is_some();
    let pooled = pooled.unwrap_or(whole);
    let mut taken = Vec::new();
    for &kind in &asked.tokens {
        if let Some(readout) = followed(Step::Tokens(kind), &pooled)? {
            taken.push((kind, readout));
        }
    }
    let facts = |kind: Tokens, readout: &Readout| {
        let mut facts = Map::new();
        if asked.pool != Pool::None {
            facts.insert("pool".into(), if is_pooled { word(asked.pool) } else { word(Pool::None) }.into());
        }
        if asked.tokens != [Tokens::All] {
            facts.insert("tokens".into(), word(kind).into());
        }
        if asked.with_axes {
            let part = |p: &axes::Part| json!({ "counts": p.place.name(), "length": p.length, "stride": p.stride });
            let axes = anatomy.parts.as_ref().map(|parts| parts.iter().map(part).collect::<Value>());
            facts.insert("axes".into(), axes.unwrap_or(Value::Null));
            if let Some(grid) = readout.grid() {
                facts.insert("prefix_tokens".into(), grid.before.into());
                facts.insert("patches".into(), json!([grid.height, grid.width]));
            }
        }
        facts.insert("n_units_in_layer".into(), anatomy.n_units.into());
        facts
    };
    if taken.is_empty() {
        let facts = facts(Tokens::All, &pooled);
        return Ok(vec![ReadOut { tokens: Tokens::All, named: false, readout: pooled, facts }]);
    }
    let is_one_of_several = asked.tokens.len() > 1;
    let read = |(kind, readout): (Tokens, Readout)| ReadOut {
        tokens: kind,
        named: is_one_of_several,
        facts: facts(kind, &readout),
        readout,
    };
    Ok(taken.into_iter().map(read).collect())
}
