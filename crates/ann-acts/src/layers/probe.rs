//! The first picture and what is put beside it, for the check of [`crate::network::company`]; and what is said when it
//! fails.

use crate::feed::Feed;
use crate::graph::onnx::{BFLOAT16, FLOAT16, node_text};
use crate::graph::{Graph, GraphError, read_by};
use crate::network::company::{Difference, Kind, Precision, Probe, Verdict};
use crate::network::inputs::Batch;
use crate::network::{Network, Opener};
use crate::pictures::stimuli::Stimulus;
use crate::pictures::{Picture, Size};
use anyhow::Result;
use std::collections::{HashSet, VecDeque};

/// Pictures that are looked at for one that can be decoded.
const TRIED: usize = 8;

/// The first picture that can be decoded, noise in its place where the first ones cannot; and whether it was the first.
pub fn probe(feed: &Feed<'_>, stimuli: &[Stimulus], size: Size) -> Result<(Probe, String)> {
    let noise = |seed: u64| painted(feed, size, |i| (mixed(seed, i as u64) >> 56) as u8);
    let others = [noise(1), painted(feed, size, |_| 255), painted(feed, size, |_| 0), noise(2)];
    for stimulus in stimuli.iter().take(TRIED) {
        let prepared = feed.prepare(std::slice::from_ref(stimulus))?;
        if prepared.facts.iter().all(|facts| facts.bad.is_none()) {
            return Ok((Probe { picture: prepared.batch, others }, stimulus.id.clone()));
        }
    }
    Ok((Probe { picture: noise(3), others }, "a picture of noise".into()))
}

fn painted(feed: &Feed<'_>, size: Size, level: impl Fn(usize) -> u8) -> Batch {
    let rgb = (0..size.height * size.width * 3).map(level).collect();
    feed.painted(&Picture { width: size.width, height: size.height, rgb })
}

/// SplitMix64: numbers without a pattern.
fn mixed(seed: u64, i: u64) -> u64 {
    let mut z = (seed << 32).wrapping_add(i).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// How precisely the graph computes.
pub fn precision(graph: &Graph, tf32: bool) -> Result<Precision, GraphError> {
    let half = |kind: i64| kind == i64::from(FLOAT16) || kind == i64::from(BFLOAT16);
    let mut precision = if tf32 { Precision::Half } else { Precision::Single };
    if graph.initializers()?.iter().any(|header| half(header.data_type.into())) {
        precision = Precision::Half;
    }
    for node in graph.nodes() {
        let own = match node.op_type.as_str() {
            "Cast" if half(node.int("to", 0)) => Precision::Half,
            op if op.contains("Quantize") || op.starts_with("QLinear") || op.ends_with("Integer") => {
                Precision::Quantized
            }
            _ => continue,
        };
        precision = precision.max(own);
    }
    Ok(precision)
}

/// What is known of the tensors before a layer that fails.
pub struct Diagnosis {
    /// The first node in which pictures meet, or chance.
    pub culprit: Option<String>,
    /// The nearest tensor before the layer that gives a row per picture.
    pub nearest: Option<String>,
}

/// Looks at every tensor before `layer`; nothing is known where the runtime does not let them out.
pub fn diagnose(
    graph: &Graph,
    layer: &str,
    opener: Opener<'_>,
    (probe, size, batch): (&Probe, Size, usize),
    precision: Precision,
) -> Diagnosis {
    let examined = || -> Result<(Graph, Vec<(String, Verdict)>)> {
        let own = Graph::read(graph.cut_to(&[layer.to_string()])?)?;
        let all: Vec<String> = own.tensors().into_iter().map(|tensor| tensor.name).collect();
        let own = Graph::read(own.cut_to(&all)?)?;
        let mut network = Network::open(own.bytes(), opener)?;
        let proof = network.prove(probe, size, batch, precision)?;
        let names = network.layers.iter().map(|layer| layer.tensor.name.clone());
        Ok((own, names.zip(proof.verdicts).collect()))
    };
    let Ok((own, verdicts)) = examined() else { return Diagnosis { culprit: None, nearest: None } };
    let of = |name: &str| verdicts.iter().find(|(other, _)| other == name).map(|(_, verdict)| verdict);
    let mixes = |name: &String| of(name).is_some_and(Verdict::is_mixed);
    let culprit = own.nodes().iter().find(|node| node.output.iter().any(mixes)).map(node_text);
    let makers = own.makers();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut open: VecDeque<&str> = VecDeque::from([layer]);
    let mut nearest = None;
    while let Some(name) = open.pop_front() {
        let Some(&maker) = makers.get(name) else { continue };
        if name != layer && of(name) == Some(&Verdict::Fine) {
            nearest = Some(name.to_string());
            break;
        }
        let mut reads = Vec::new();
        read_by(&own.nodes()[maker], &mut reads);
        open.extend(reads.into_iter().filter(|read| seen.insert(read)));
    }
    Diagnosis { culprit, nearest }
}

/// Why a layer is refused; `picture` is the one that was followed.
pub fn refusal(layer: &str, picture: &str, kind: Kind, found: Difference, diagnosis: &Diagnosis) -> String {
    let Difference { unit, one, other } = found;
    let between = match kind {
        Kind::Chance => format!("unit {unit} is {one} in one run and {other} in the next"),
        Kind::Company => format!("unit {unit} is {one} beside some pictures and {other} beside others"),
        Kind::Size => format!("unit {unit} is {one} and {other} in batches of other size or order"),
    };
    let remedy = match kind {
        Kind::Chance => "export the network without what draws numbers (PyTorch: model.eval())",
        Kind::Company | Kind::Size => {
            "export it so that pictures do not meet (PyTorch: model.eval()), or use --batch 1, which shows each \
             picture alone"
        }
    };
    let culprit = diagnosis.culprit.as_ref().map_or(String::new(), |node| format!("; it begins at {node}"));
    format!(
        "layer \"{layer}\": a row depends on more than its picture (tried on {picture:?}): {between}{culprit}{}; \
         {remedy}",
        nearest_text(diagnosis)
    )
}

/// A layer that would work, for the end of a message.
pub fn nearest_text(diagnosis: &Diagnosis) -> String {
    diagnosis.nearest.as_ref().map_or(String::new(), |name| format!("; the nearest layer that works is \"{name}\""))
}
