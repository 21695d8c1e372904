//! From the command line's words about units to a readout per layer, and the table of what each column is.

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
use anyhow::{Context, Result, anyhow};
use cli::Job;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use stimulus_table::Table;

/// How one layer is read out.
pub struct LayerUnits {
    /// Its tensor.
    pub layer: String,
    /// The readout.
    pub readout: Readout,
    /// What was done, for the sidecar.
    pub facts: Map<String, Value>,
}

/// Reads `--units`.
pub fn chosen(job: &Job, args: &UnitArgs) -> Result<Option<ChosenUnits>> {
    let Some(input) = &args.units else { return Ok(None) };
    let name = || input.to_string();
    let table = Table::read(job.open(input)?.reader()).with_context(name)?;
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

/// The readout of each layer of `kept`.
///
/// What a layer that was named cannot give is an error; one met by a pattern is left as it is, with one note.
pub fn plan(
    job: &Job,
    args: &UnitArgs,
    network: &mut Network,
    (size, kept, choices): (Size, &[usize], &[Choice]),
    traced: Option<&Traced>,
    (units, known): (Option<&ChosenUnits>, &[String]),
) -> Result<Vec<LayerUnits>> {
    let shapes = network.layer_shapes(size)?;
    let mut planned = Vec::new();
    let mut left: Vec<String> = Vec::new();
    for &i in kept {
        let layer = choices[i].name.clone();
        let anatomy = anatomy(network, i, &shapes[i], traced, args);
        let (readout, facts, reasons) =
            read_out(&anatomy, args, choices[i].named).map_err(|error| anyhow!("layer \"{layer}\" {error}"))?;
        left.extend(reasons.into_iter().map(|reason| format!("layer \"{layer}\" {reason}")));
        planned.push(LayerUnits { layer, readout, facts });
    }
    if let Some(first) = left.first() {
        job.note(format_args!("{} left as it is for {} layers: {first}", asked(args), left.len()));
    }
    if let (Some(units), Some(input)) = (units, &args.units) {
        let tensors: Vec<&str> = kept.iter().map(|&i| network.layers[i].tensor.name.as_str()).collect();
        let named = planned.iter().map(|layer| layer.layer.as_str()).zip(&tensors);
        let names: Vec<&str> = named.map(|(name, &tensor)| if units.names(tensor) { tensor } else { name }).collect();
        let known: Vec<String> = known.iter().filter(|name| !tensors.contains(&name.as_str())).cloned().collect();
        let (chosen, notes) = units.for_layers(&names, &known).with_context(|| input.to_string())?;
        notes.into_iter().for_each(|note| job.note(format_args!("{input}: {note}")));
        for (layer, chosen) in planned.iter_mut().zip(chosen) {
            let n_units = layer.readout.n_units();
            chosen_units::check(&chosen, n_units, &layer.layer).with_context(|| input.to_string())?;
            layer.facts.insert("n_units_before_selection".into(), n_units.into());
            layer.readout = layer.readout.clone().keep(chosen);
        }
    }
    Ok(planned)
}

/// What was asked of the axes, for a note.
fn asked(args: &UnitArgs) -> String {
    let pool = (args.pool != Pool::None).then_some("--pool");
    let tokens = (args.tokens != Tokens::All).then_some("--tokens");
    pool.into_iter().chain(tokens).collect::<Vec<_>>().join(" and ")
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

type ReadOut = (Readout, Map<String, Value>, Vec<ReadoutError>);

fn read_out(anatomy: &Anatomy, args: &UnitArgs, named: bool) -> Result<ReadOut, ReadoutError> {
    let mut readout = Readout::new(anatomy);
    let mut facts = Map::new();
    let mut reasons = Vec::new();
    let mut keep = |step: Result<Readout, ReadoutError>, before: Readout| match step {
        Ok(readout) => Ok((readout, true)),
        Err(reason) if named => Err(reason),
        Err(reason) => {
            reasons.push(reason);
            Ok((before, false))
        }
    };
    let (pooled, done) = keep(readout.clone().pool(anatomy, args.pool), readout)?;
    if args.pool != Pool::None {
        facts.insert("pool".into(), if done { word(args.pool).into() } else { "none".into() });
    }
    let (taken, done) = keep(pooled.clone().tokens(anatomy, args.tokens, args.prefix_tokens), pooled)?;
    readout = taken;
    if args.tokens != Tokens::All {
        facts.insert("tokens".into(), if done { word(args.tokens).into() } else { "all".into() });
    }
    let names = |parts: &Vec<axes::Part>| {
        parts
            .iter()
            .map(|p| json!({ "counts": p.place.name(), "length": p.length, "stride": p.stride }))
            .collect::<Value>()
    };
    if args.needs_axes() {
        facts.insert("axes".into(), anatomy.parts.as_ref().map_or(Value::Null, names));
        if let Some(grid) = readout.grid() {
            facts.insert("prefix_tokens".into(), grid.before.into());
            facts.insert("patches".into(), json!([grid.height, grid.width]));
        }
    }
    facts.insert("n_units_in_layer".into(), anatomy.n_units.into());
    Ok((readout, facts, reasons))
}
