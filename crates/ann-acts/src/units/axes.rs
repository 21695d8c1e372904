//! What the axes of a layer mean: channel, row, column or token of the network, whatever their order.
//!
//! The meaning is followed through the graph from the picture, with the lengths that a run gave. An axis is a list of
//! [`Part`]s in C order, so that axes that were joined or split (rows and columns to tokens, channels to heads) still
//! lead back to their place.

use crate::graph::onnx::{Node, Tensor};
use crate::graph::{Graph, read_by};
use crate::network::tensor::Layout;
use prost::Message;
use std::collections::{HashMap, VecDeque};

/// What counting along an axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Pictures.
    Picture,
    /// Channels (feature maps, embedding dimensions).
    Channel,
    /// Rows of a feature map.
    Y,
    /// Columns of a feature map.
    X,
    /// Tokens of a transformer.
    Token,
    /// Not known.
    Unknown,
}

impl Place {
    /// The word for it in tables and sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::Picture => "picture",
            Self::Channel => "channel",
            Self::Y => "y",
            Self::X => "x",
            Self::Token => "token",
            Self::Unknown => "unknown",
        }
    }
}

/// Where patches stand among tokens, and the map they were cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Tokens before the first patch (class token, registers).
    pub before: usize,
    /// Rows of patches.
    pub height: usize,
    /// Patches per row.
    pub width: usize,
}

impl Grid {
    /// Number of patches.
    pub fn n_patches(self) -> usize {
        self.height * self.width
    }
}

/// A run of consecutive indices along an axis: index `i` of `length` is place `i * stride`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// What is counted.
    pub place: Place,
    /// How many.
    pub length: usize,
    /// How far apart.
    pub stride: usize,
    /// For tokens, if known.
    pub grid: Option<Grid>,
}

impl Part {
    /// All of a place.
    pub fn new(place: Place, length: usize) -> Self {
        Self { place, length, stride: 1, grid: None }
    }

    fn cut(self, length: usize, stride: usize) -> Self {
        Self { length, stride, grid: None, ..self }
    }
}

/// Where a unit's number holds its channel: `unit / stride % n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels {
    /// Number of channels.
    pub n: usize,
    /// Units from one channel to the next.
    pub stride: usize,
}

/// The parts of each axis of a tensor. An axis of length 1 may have none.
pub type Meaning = Vec<Vec<Part>>;

/// Lengths of the axes of each tensor, by name.
pub type Shapes = HashMap<String, Vec<usize>>;

/// The tensors whose lengths are needed to tell what the axes of `wanted` mean.
pub fn tensors_to_measure(graph: &Graph, wanted: &[String]) -> Vec<String> {
    let needed = graph.ancestors(wanted);
    let nodes = graph.nodes().iter().zip(needed).filter(|(_, needed)| *needed).map(|(node, _)| node);
    let mut names: Vec<String> = Vec::new();
    for node in nodes {
        // These may give things that are no tensors.
        if ["If", "Loop", "Scan"].contains(&node.op_type.as_str())
            || node.op_type.contains("Sequence")
            || node.op_type.contains("Optional")
        {
            continue;
        }
        let n_outputs = if node.op_type == "Split" { node.output.len() } else { 1 };
        names.extend(node.output.iter().take(n_outputs).filter(|name| !name.is_empty()).cloned());
    }
    names
}

/// The meaning of every tensor that the graph tells, from the input `picture` of this layout.
pub fn trace(graph: &Graph, picture: &str, layout: Layout, mut shapes: Shapes) -> HashMap<String, Meaning> {
    let mut constants: HashMap<String, usize> = HashMap::new();
    for (position, header) in graph.initializers().unwrap_or_default().into_iter().enumerate() {
        let dims = header.dims.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect();
        shapes.insert(header.name.clone(), dims);
        constants.insert(header.name, position);
    }
    let mut meanings: HashMap<String, Meaning> = HashMap::new();
    if let Some([n, a, b, c]) = shapes.get(picture).map(Vec::as_slice) {
        let places = match layout {
            Layout::Nchw => [Place::Channel, Place::Y, Place::X],
            Layout::Nhwc => [Place::Y, Place::X, Place::Channel],
        };
        let mut meaning = vec![vec![Part::new(Place::Picture, *n)]];
        meaning.extend(places.into_iter().zip([*a, *b, *c]).map(|(place, n)| vec![Part::new(place, n)]));
        meanings.insert(picture.to_string(), meaning);
    }
    let known = Known { graph, shapes: &shapes, constants: &constants };
    for node in graph.nodes() {
        let mut read = Vec::new();
        read_by(node, &mut read);
        if !read.iter().any(|name| meanings.contains_key(*name)) {
            continue;
        }
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            let Some(shape) = shapes.get(output) else { continue };
            let inputs: Vec<Option<&Meaning>> = node.input.iter().map(|name| meanings.get(name)).collect();
            let meaning = known.transfer(node, &inputs, shape);
            let fits = |meaning: &Meaning| {
                meaning.len() == shape.len()
                    && meaning
                        .iter()
                        .zip(shape)
                        .all(|(parts, &n)| parts.iter().map(|p| p.length).product::<usize>() == n)
            };
            if let Some(meaning) = meaning.filter(fits) {
                meanings.insert(output.clone(), meaning);
            }
        }
    }
    meanings
}

/// Rows and columns of the map that the last convolution before each tensor of `wanted` makes: a transformer's patches.
pub fn last_map(graph: &Graph, wanted: &str, shapes: &Shapes) -> Option<(usize, usize)> {
    let needed = graph.ancestors(&[wanted.to_string()]);
    let convolutions = graph.nodes().iter().zip(needed).filter(|(node, needed)| *needed && node.op_type == "Conv");
    // The last one: a stem may stand before the patches.
    convolutions
        .filter_map(|(node, _)| shapes.get(node.output.first()?))
        .rfind(|shape| shape.len() == 4)
        .map(|s| (s[2], s[3]))
}

/// Meanings of a layer's axes by their number alone: the convention, where the graph does not tell.
pub fn by_convention(lengths: &[usize], layout: Layout) -> Option<Meaning> {
    let places: &[Place] = match (lengths.len(), layout) {
        (1, _) => &[Place::Channel],
        (2, _) => &[Place::Token, Place::Channel],
        (3, Layout::Nchw) => &[Place::Channel, Place::Y, Place::X],
        (3, Layout::Nhwc) => &[Place::Y, Place::X, Place::Channel],
        _ => return None,
    };
    Some(places.iter().zip(lengths).map(|(&place, &n)| vec![Part::new(place, n)]).collect())
}

/// The parts of one row in C order, if each place is told apart from every other; rows and columns that share an axis
/// of their own are tokens.
pub fn flattened(axes: &[Vec<Part>]) -> Option<Vec<Part>> {
    let parts: Vec<Part> = axes
        .iter()
        .flat_map(|parts| match parts.as_slice() {
            [y, x] if (y.place, x.place, y.stride, x.stride) == (Place::Y, Place::X, 1, 1) => {
                let grid = Some(Grid { before: 0, height: y.length, width: x.length });
                vec![Part { grid, ..Part::new(Place::Token, y.length * x.length) }]
            }
            parts => parts.to_vec(),
        })
        .collect();
    is_clear(&parts).then_some(parts)
}

/// Whether an index leads to one place of each kind.
fn is_clear(parts: &[Part]) -> bool {
    let complete = |place| {
        let mut of_place: Vec<&Part> = parts.iter().filter(|part| part.place == place && part.length > 1).collect();
        of_place.sort_by_key(|part| part.stride);
        let mut next = 1;
        of_place.iter().all(|part| {
            let fits = part.stride == next;
            next = part.stride * part.length;
            fits
        })
    };
    !parts.iter().any(|part| part.place == Place::Unknown)
        && [Place::Picture, Place::Channel, Place::Y, Place::X, Place::Token].into_iter().all(complete)
}

/// What is known besides meanings.
struct Known<'a> {
    graph: &'a Graph,
    shapes: &'a Shapes,
    constants: &'a HashMap<String, usize>,
}

impl Known<'_> {
    /// The meaning of a node's output of this shape.
    fn transfer(&self, node: &Node, inputs: &[Option<&Meaning>], shape: &[usize]) -> Option<Meaning> {
        let first = inputs.first().copied().flatten();
        match node.op_type.as_str() {
            "Conv" | "ConvTranspose" | "ConvInteger" | "QLinearConv" | "FusedConv" | "DeformConv" | "DepthToSpace"
            | "SpaceToDepth" => map(first?, vec![Part::new(Place::Channel, *shape.get(1)?)], shape),
            "MaxPool"
            | "AveragePool"
            | "LpPool"
            | "GlobalAveragePool"
            | "GlobalMaxPool"
            | "GlobalLpPool"
            | "GridSample"
            | "QLinearGlobalAveragePool"
            | "QLinearAveragePool" => map(first?, first?.get(1)?.clone(), shape),
            "Transpose" => {
                let meaning = first?;
                let order: Vec<i64> = match node.attribute("perm") {
                    Some(perm) => perm.ints.clone(),
                    None => (0..meaning.len() as i64).rev().collect(),
                };
                order.iter().map(|&axis| meaning.get(usize::try_from(axis).ok()?).cloned()).collect()
            }
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => regrouped(first?, shape),
            "MatMul" | "MatMulInteger" | "QLinearMatMul" | "FusedMatMul" => {
                let second = inputs.get(if node.op_type == "QLinearMatMul" { 3 } else { 1 }).copied().flatten();
                product(first, second, shape)
            }
            "Gemm" => match first {
                Some(meaning) if node.int("transA", 0) == 0 && inputs.get(1).is_none_or(Option::is_none) => {
                    product(Some(meaning), None, shape)
                }
                _ => None,
            },
            "Concat" => self.concatenated(node, inputs, shape),
            "Slice" => {
                let mut meaning = resized(first?, shape)?;
                self.keep_grid_of_slice(node, first?, &mut meaning);
                Some(meaning)
            }
            "Split" | "Pad" | "Resize" | "Upsample" | "Expand" | "Tile" => resized(first?, shape),
            "Gather" => {
                let meaning = first?;
                match self.shapes.get(node.input.get(1)?)?.len() {
                    0 => {
                        let axis = axis_of(node.int("axis", 0), meaning.len())?;
                        let mut rest = meaning.clone();
                        rest.remove(axis);
                        Some(rest)
                    }
                    _ => resized(meaning, shape),
                }
            }
            op if op.starts_with("Reduce") => {
                let meaning = first?;
                if node.int("keepdims", 1) == 1 {
                    return resized(meaning, shape);
                }
                let axes = match node.attribute("axes") {
                    Some(axes) => axes.ints.clone(),
                    None => self.integers(node.input.get(1)?)?,
                };
                let axes: Vec<usize> = axes.iter().map(|&axis| axis_of(axis, meaning.len())).collect::<Option<_>>()?;
                let kept = meaning.iter().enumerate().filter(|(axis, _)| !axes.contains(axis));
                Some(kept.map(|(_, parts)| parts.clone()).collect())
            }
            // Their outputs have axes of their own.
            "Shape" | "Size" | "NonZero" | "TopK" | "OneHot" | "Einsum" | "LSTM" | "GRU" | "RNN" | "RoiAlign"
            | "NonMaxSuppression" | "If" | "Loop" | "Scan" | "Unique" | "ArgMax" | "ArgMin" => None,
            _ => value_by_value(inputs, shape),
        }
    }

    /// Whole numbers that the file holds under this name.
    fn integers(&self, name: &str) -> Option<Vec<i64>> {
        if let Some(&position) = self.constants.get(name) {
            return self.graph.initializer(position).ok()?.to_i64();
        }
        let node = self.graph.nodes().iter().find(|node| node.output.first().is_some_and(|output| output == name))?;
        if node.op_type != "Constant" {
            return None;
        }
        let one = node.attribute("value_int").and_then(|value| value.i).map(|value| vec![value]);
        let several = || node.attribute("value_ints").map(|value| value.ints.clone());
        let tensor = || Tensor::decode(node.attribute("value")?.t.clone()?).ok()?.to_i64();
        one.or_else(several).or_else(tensor)
    }

    fn concatenated(&self, node: &Node, inputs: &[Option<&Meaning>], shape: &[usize]) -> Option<Meaning> {
        let axis = axis_of(node.int("axis", 0), shape.len())?;
        let base = inputs.iter().flatten().next()?;
        let mut meaning: Meaning = (*base).clone();
        let places = |parts: &[Part]| parts.iter().map(|part| part.place).collect::<Vec<_>>();
        let joined: Vec<&Vec<Part>> = inputs.iter().flatten().map(|input| input.get(axis)).collect::<Option<_>>()?;
        let all = |place: Place| joined.iter().all(|parts| parts.iter().all(|part| part.place == place));
        let total = shape[axis];
        let is_tokens = |parts: &Vec<Part>| {
            places(parts) == [Place::Y, Place::X] || places(parts).iter().all(|&p| p == Place::Token)
        };
        meaning[axis] = if all(Place::Channel) {
            vec![Part::new(Place::Channel, total)]
        } else if all(Place::Y) {
            vec![Part::new(Place::Y, total)]
        } else if all(Place::X) {
            vec![Part::new(Place::X, total)]
        } else if joined.iter().all(|parts| is_tokens(parts)) {
            vec![Part { grid: self.joined_grid(node, inputs, axis), ..Part::new(Place::Token, total) }]
        } else {
            vec![Part::new(Place::Unknown, total)]
        };
        Some(meaning)
    }

    /// Where the patches stand when tokens are joined.
    fn joined_grid(&self, node: &Node, inputs: &[Option<&Meaning>], axis: usize) -> Option<Grid> {
        let mut before = 0;
        let mut found = None;
        for (name, meaning) in node.input.iter().zip(inputs) {
            let own = match meaning.map(|meaning| meaning[axis].as_slice()) {
                Some([y, x]) => Some(Grid { before: 0, height: y.length, width: x.length }),
                Some([tokens]) => tokens.grid,
                _ => None,
            };
            if let Some(grid) = own {
                // Patches of two maps have no one grid.
                if found.replace(Grid { before: before + grid.before, ..grid }).is_some() {
                    return None;
                }
            }
            before += self.shapes.get(name)?.get(axis)?;
        }
        found
    }

    /// A slice of tokens that begins at the first patch or before it keeps the grid.
    fn keep_grid_of_slice(&self, node: &Node, from: &Meaning, to: &mut Meaning) {
        let tensor = |i: usize, name: &str| match node.attribute(name) {
            Some(attribute) => Some(attribute.ints.clone()),
            None => self.integers(node.input.get(i)?),
        };
        let Some(starts) = tensor(1, "starts") else { return };
        let axes = tensor(3, "axes").unwrap_or_else(|| (0..starts.len() as i64).collect());
        for (&start, &axis) in starts.iter().zip(&axes) {
            let Some(axis) = axis_of(axis, from.len()) else { return };
            let ([old], [new]) = (from[axis].as_slice(), to[axis].as_slice()) else { continue };
            let (Some(grid), Ok(start)) = (old.grid, usize::try_from(start)) else { continue };
            if start > grid.before || new.length < grid.before - start + grid.n_patches() {
                continue;
            }
            let before = grid.before - start;
            to[axis] = match before == 0 && new.length == grid.n_patches() {
                true => vec![Part::new(Place::Y, grid.height), Part::new(Place::X, grid.width)],
                false => vec![Part { grid: Some(Grid { before, ..grid }), ..*new }],
            };
        }
    }
}

fn axis_of(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
}

/// A feature map of this shape, with these channels.
fn map(from: &Meaning, channels: Vec<Part>, shape: &[usize]) -> Option<Meaning> {
    match shape {
        &[_, _, height, width] => Some(vec![
            from.first()?.clone(),
            channels,
            vec![Part::new(Place::Y, height)],
            vec![Part::new(Place::X, width)],
        ]),
        _ => None,
    }
}

/// The same axes, some with another length: the place stays, the way back to an earlier tensor is lost.
fn resized(from: &Meaning, shape: &[usize]) -> Option<Meaning> {
    if from.len() != shape.len() {
        return None;
    }
    let axis = |(parts, &length): (&Vec<Part>, &usize)| {
        if parts.iter().map(|part| part.length).product::<usize>() == length {
            return parts.clone();
        }
        let place = match parts.as_slice() {
            [part] => part.place,
            [y, x] if (y.place, x.place) == (Place::Y, Place::X) => Place::Token,
            _ => Place::Unknown,
        };
        vec![Part::new(place, length)]
    };
    Some(from.iter().zip(shape).map(axis).collect())
}

/// The same values in C order under other axes.
fn regrouped(from: &Meaning, shape: &[usize]) -> Option<Meaning> {
    let mut queue: VecDeque<Part> = from.iter().flatten().filter(|part| part.length > 1).copied().collect();
    let mut meaning = Meaning::new();
    for &length in shape {
        let mut axis: Vec<Part> = Vec::new();
        let mut needed = length;
        while needed > 1 {
            let part = queue.pop_front()?;
            let taken = if part.length <= needed && needed % part.length == 0 {
                part
            } else if part.length > needed && part.length % needed == 0 {
                let inner = part.length / needed;
                queue.push_front(part.cut(inner, part.stride));
                part.cut(needed, part.stride * inner)
            } else {
                return None;
            };
            needed /= taken.length;
            match axis.last_mut() {
                Some(last) if last.place == taken.place && last.stride == taken.stride * taken.length => {
                    *last = taken.cut(last.length * taken.length, taken.stride);
                }
                _ => axis.push(taken),
            }
        }
        // Channels in another order (a shuffle) are counted as they stand now.
        if let [first, rest @ ..] = axis.as_slice()
            && !rest.is_empty()
            && rest.iter().all(|part| part.place == first.place)
        {
            let place = if first.place == Place::Channel { Place::Channel } else { Place::Unknown };
            axis = vec![Part::new(place, length)];
        }
        meaning.push(axis);
    }
    queue.is_empty().then_some(meaning)
}

/// A matrix product: all axes of the first factor but the last, then the last of the second; weights make channels.
fn product(a: Option<&Meaning>, b: Option<&Meaning>, shape: &[usize]) -> Option<Meaning> {
    let rank = shape.len();
    if rank < 2 {
        return None;
    }
    let last = match b {
        Some(b) => b.last()?.clone(),
        None => vec![Part::new(Place::Channel, shape[rank - 1])],
    };
    let at = |meaning: Option<&Meaning>, axis: usize| -> Option<Vec<Part>> {
        let meaning = meaning?;
        let parts = meaning.get((axis + meaning.len()).checked_sub(rank)?)?;
        (parts.iter().map(|part| part.length).product::<usize>() == shape[axis]).then(|| parts.clone())
    };
    let unknown = |axis: usize| vec![Part::new(Place::Unknown, shape[axis])];
    let mut meaning: Meaning =
        (0..rank - 2).map(|axis| at(a, axis).or_else(|| at(b, axis)).unwrap_or_else(|| unknown(axis))).collect();
    meaning.push(at(a, rank - 2).unwrap_or_else(|| unknown(rank - 2)));
    meaning.push(last);
    Some(meaning)
}

/// Sums, activations, normalizations: every value stays where it is, smaller factors are spread.
fn value_by_value(inputs: &[Option<&Meaning>], shape: &[usize]) -> Option<Meaning> {
    let length = |parts: &[Part]| parts.iter().map(|part| part.length).product::<usize>();
    let same_shape = |meaning: &&&Meaning| {
        meaning.len() == shape.len() && meaning.iter().zip(shape).all(|(parts, &n)| length(parts) == n)
    };
    let whole: Vec<&Meaning> = inputs.iter().flatten().filter(same_shape).copied().collect();
    // One that is told apart is better than one that is not, as where tokens were mixed.
    let clear = |meaning: &&&Meaning| flattened(&meaning[1.min(meaning.len())..]).is_some();
    if let Some(meaning) = whole.iter().find(clear).or(whole.first()) {
        return Some((*meaning).clone());
    }
    let axis = |axis: usize| -> Vec<Part> {
        let candidates =
            inputs.iter().flatten().filter_map(|meaning| meaning.get((axis + meaning.len()).checked_sub(shape.len())?));
        let fitting = candidates.filter(|parts| !parts.is_empty() && length(parts) == shape[axis]);
        fitting.into_iter().next().cloned().unwrap_or_else(|| vec![Part::new(Place::Unknown, shape[axis])])
    };
    let known = inputs.iter().flatten().any(|meaning| meaning.len() <= shape.len());
    known.then(|| (0..shape.len()).map(axis).collect())
}

#[cfg(test)]
#[path = "axes_tests.rs"]
mod tests;
