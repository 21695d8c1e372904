//! What each weight of a network is for, read from how the graph uses it.
//!
//! A weight is a floating-point initializer or `Constant`. It may reach its operator through operations on constants
//! alone: transposed, reshaped, cast, or multiplied by a mask that is computed from other parameters (an
//! Lp-convolution exported unfolded); then the largest of the constants that go in is the weight.

use crate::graph::onnx::{Node, Tensor, TensorHeader, is_float};
use crate::graph::{Graph, GraphError};
use prost::Message;
use std::collections::{HashMap, HashSet};

/// What a weight is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Kernel of a convolution, or matrix of a product; each output sums over `fan_in` inputs.
    Weight {
        /// Number of inputs.
        fan_in: usize,
    },
    /// Added to each channel.
    Bias,
    /// Multiplies each channel, in a normalization layer or behind a block.
    Scale,
    /// Slope of a PReLU below zero.
    Slope,
    /// A normalization layer's running mean.
    RunningMean,
    /// A normalization layer's running variance.
    RunningVariance,
}

impl Role {
    /// The name used in sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weight { .. } => "weight",
            Self::Bias => "bias",
            Self::Scale => "scale",
            Self::Slope => "slope",
            Self::RunningMean => "running mean",
            Self::RunningVariance => "running variance",
        }
    }
}

/// Where a constant of the graph stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Position in [`Graph::initializers`].
    Initializer(usize),
    /// Position of a `Constant` node.
    Node(usize),
}

/// A weight and its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    /// Its name in the graph.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Lengths of its axes.
    pub dims: Vec<i64>,
    /// Kind of number, as `TensorProto.DataType` numbers them.
    pub data_type: i32,
    /// What it is for.
    pub role: Role,
}

/// A node that multiplies what it reads by a kernel or matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its position in [`Graph::nodes`].
    pub node: usize,
    /// Which of its inputs is the kernel.
    pub input: usize,
    /// Name of the kernel among the weights.
    pub kernel: String,
    /// Lengths of the kernel's axes as the node sees them, where they are known (0: one is not).
    pub dims: Vec<i64>,
    /// Name of the bias among the weights.
    pub bias: Option<String>,
}

/// The weights of a graph, in the order in which the graph first uses them, and what is none.
#[derive(Debug, Default)]
pub struct Roles {
    /// Those with a role.
    pub weights: Vec<Weight>,
    /// Where kernels and matrices are used, in the graph's order.
    pub products: Vec<Product>,
    /// Names of floating-point constants without one, each with the reason.
    pub left: Vec<(String, &'static str)>,
    /// Those of `left` that look like weights but are used by operations that no rule covers.
    pub doubtful: Vec<String>,
}

/// Graphs whose weights cannot all be told.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// Not readable.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Whole numbers that stand for weights.
    #[error(
        "node \"{node}\" ({op}) computes with quantized weights, which cannot be drawn anew; use the unquantized model"
    )]
    Quantized {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
    },
    /// An operator whose weights have no rule here.
    #[error(
        "node \"{node}\" ({op}) holds weights (\"{weight}\") that no rule says how to draw; untrained twins of such \
         networks are not made"
    )]
    Operator {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
        /// The weight.
        weight: String,
    },
    /// A weight that is computed from the pictures.
    #[error("node \"{node}\" ({op}): its weight \"{weight}\" is not made of constants, so it cannot be drawn anew")]
    NotConstant {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
        /// The weight.
        weight: String,
    },
}

const NO_RULE: &str = "constant of an operation without weights";

/// Rotary positions multiply by cosines and sines; a learned factor for every place and channel would leave -1 to 1.
const FACTORS: &str = "table of factors";

const QUANTIZED: [&str; 9] = [
    "QLinearConv",
    "QLinearMatMul",
    "QGemm",
    "ConvInteger",
    "MatMulInteger",
    "MatMulNBits",
    "DynamicQuantizeMatMul",
    "DequantizeLinear",
    "QAttention",
];

/// A constant as some node sees it.
#[derive(Debug, Clone)]
struct Seen {
    /// Index into the constants.
    constant: usize,
    /// Lengths of the axes as the reader sees them; `None` when not known.
    dims: Option<Vec<i64>>,
}

struct Constant {
    name: String,
    place: Place,
    dims: Vec<i64>,
    data_type: i32,
    role: Option<Role>,
    /// Why it has no role, from the first node that uses it without giving one.
    reason: Option<&'static str>,
}

impl Constant {
    fn n_values(&self) -> i64 {
        self.dims.iter().product()
    }
}

/// The role of every weight.
pub fn roles(graph: &Graph) -> Result<Roles, RoleError> {
    let mut constants: Vec<Constant> = Vec::new();
    let mut seen: HashMap<&str, Seen> = HashMap::new();
    let mut integers: HashSet<&str> = HashSet::new();
    let headers = graph.initializers()?;
    let add = |constants: &mut Vec<Constant>, name: &str, place, dims: &[i64], data_type| {
        constants.push(Constant { name: name.into(), place, dims: dims.to_vec(), data_type, role: None, reason: None });
        Seen { constant: constants.len() - 1, dims: Some(dims.to_vec()) }
    };
    for (position, header) in headers.iter().enumerate() {
        if is_float(header.data_type) {
            let place = Place::Initializer(position);
            seen.insert(&header.name, add(&mut constants, &header.name, place, &header.dims, header.data_type));
        } else {
            integers.insert(&header.name);
        }
    }
    // Values of short lists of whole numbers, such as axes.
    let mut whole: HashMap<&str, Vec<i64>> = HashMap::new();
    for (position, header) in headers.iter().enumerate().filter(|(_, header)| header.n_values() <= 16) {
        if let Some(values) = graph.initializer(position)?.to_i64() {
            whole.insert(&header.name, values);
        }
    }
    let mut order: Vec<usize> = Vec::new();
    let mut products: Vec<Product> = Vec::new();
    let mut learned: HashSet<&str> = HashSet::new();
    for (position, node) in graph.nodes().iter().enumerate() {
        let op = node.op_type.as_str();
        if QUANTIZED.contains(&op) {
            return Err(RoleError::Quantized { node: name_of(node), op: op.into() });
        }
        if op == "Constant" {
            if let (Some(output), Some(header)) = (node.output.first(), constant_header(node)?) {
                if is_float(header.data_type) {
                    let place = Place::Node(position);
                    seen.insert(output, add(&mut constants, output, place, &header.dims, header.data_type));
                } else {
                    integers.insert(output);
                    if let Some(bytes) = node.attribute("value").and_then(|value| value.t.clone()) {
                        let values = Tensor::decode(bytes).map_err(GraphError::from)?.to_i64();
                        whole
                            .extend(values.filter(|values| values.len() <= 16).map(|values| (output.as_str(), values)));
                    }
                }
            }
            continue;
        }
        let read: Vec<&str> = node.input.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        let constant_only =
            !read.is_empty() && read.iter().all(|name| seen.contains_key(name) || integers.contains(name));
        let constant_only =
            constant_only || passes_on(op) && node.input.first().is_some_and(|name| seen.contains_key(name.as_str()));
        let draws_nothing = node.attribute.iter().all(|a| a.g.is_none() && a.graphs.is_empty());
        if constant_only && draws_nothing {
            // What shapes and indices alone make is no weight.
            let made = derived(node, &seen, &whole, &constants);
            for other in read.iter().filter_map(|name| seen.get(name)) {
                if made.as_ref().is_some_and(|made| made.constant != other.constant) {
                    constants[other.constant].reason.get_or_insert("folded into another constant");
                }
            }
            match made {
                Some(made) => node.output.iter().for_each(|output| {
                    seen.insert(output, made.clone());
                }),
                None => integers.extend(node.output.iter().map(String::as_str)),
            }
            continue;
        }
        if read.iter().any(|name| learned.contains(name)) {
            learned.extend(node.output.iter().map(String::as_str));
        }
        let given = given_roles(node, &seen, &learned)?;
        if let Some((kernel, _)) = given.iter().find(|(_, role)| matches!(role, Ok(Role::Weight { .. }))) {
            learned.extend(node.output.iter().map(String::as_str));
            let bias = given.iter().find(|(_, role)| matches!(role, Ok(Role::Bias)));
            let input =
                node.input.iter().position(|name| seen.get(name.as_str()).is_some_and(|s| s.constant == *kernel));
            let input = input.unwrap_or(1);
            products.push(Product {
                node: position,
                input,
                kernel: constants[*kernel].name.clone(),
                dims: node.input.get(input).and_then(|name| seen.get(name.as_str())?.dims.clone()).unwrap_or_default(),
                bias: bias.map(|(bias, _)| constants[*bias].name.clone()),
            });
        }
        for (constant, role) in given {
            let constant_seen = &mut constants[constant];
            match role {
                Ok(role) if constant_seen.role.is_none() => {
                    constant_seen.role = Some(role);
                    order.push(constant);
                }
                Ok(_) => {}
                Err(reason) => {
                    constant_seen.reason.get_or_insert(reason);
                }
            }
        }
    }
    let left = constants
        .iter()
        .filter(|constant| constant.role.is_none())
        .map(|c| (c.name.clone(), if c.n_values() == 1 { "single number" } else { c.reason.unwrap_or("not used") }))
        .collect();
    let weight = |i: usize| {
        let Constant { name, place, dims, data_type, role, .. } = &constants[i];
        role.map(|role| Weight { name: name.clone(), place: *place, dims: dims.clone(), data_type: *data_type, role })
    };
    let beyond_cosines = |c: &Constant| {
        let values = tensor_at(graph, c.place).ok().and_then(|tensor| tensor.to_f64());
        values.is_none_or(|values| values.iter().any(|value| value.abs() > 1.0))
    };
    let looks_like_weights = |c: &&Constant| {
        c.role.is_none()
            && (c.reason == Some(NO_RULE) || c.reason == Some(FACTORS) && beyond_cosines(c))
            && c.n_values() >= 64
            && c.dims.iter().filter(|&&n| n > 1).count() > 1
    };
    let doubtful = constants.iter().filter(looks_like_weights).map(|c| c.name.clone()).collect();
    Ok(Roles { weights: order.into_iter().filter_map(weight).collect(), products, left, doubtful })
}

fn name_of(node: &Node) -> String {
    if node.name.is_empty() { node.output.first().cloned().unwrap_or_default() } else { node.name.clone() }
}

/// The header of what a `Constant` holds; `None` for the kinds that hold a few numbers in the node itself.
fn constant_header(node: &Node) -> Result<Option<TensorHeader>, GraphError> {
    match node.attribute("value").and_then(|value| value.t.clone()) {
        Some(bytes) => Ok(Some(TensorHeader::decode(bytes)?)),
        None => Ok(node.attribute.first().map(|value| TensorHeader {
            dims: if value.floats.is_empty() && value.ints.is_empty() {
                vec![]
            } else {
                vec![value.floats.len().max(value.ints.len()) as i64]
            },
            // Numbers in the node itself are settings, never weights.
            data_type: crate::graph::onnx::INT64,
            ..TensorHeader::default()
        })),
    }
}

/// What a node that reads constants alone makes: its largest floating-point constant in another form.
fn derived(
    node: &Node,
    seen: &HashMap<&str, Seen>,
    whole: &HashMap<&str, Vec<i64>>,
    constants: &[Constant],
) -> Option<Seen> {
    let mut inputs = node.input.iter().filter_map(|name| seen.get(name.as_str()));
    let first = inputs.next()?;
    let largest = inputs
        .fold(first, |a, b| if constants[b.constant].n_values() > constants[a.constant].n_values() { b } else { a });
    let dims = match node.op_type.as_str() {
        "Shape" | "Size" => return None,
        "Transpose" => largest.dims.as_ref().map(|dims| {
            let reversed: Vec<i64> = (0..dims.len() as i64).rev().collect();
            let perm = node.attribute("perm").map_or(reversed, |perm| perm.ints.clone());
            perm.iter().filter_map(|&axis| dims.get(usize::try_from(axis).ok()?).copied()).collect()
        }),
        "Split" => largest.dims.clone().map(|dims| without_length(dims, &[node.int("axis", 0)])),
        "Slice" => largest.dims.clone().map(|dims| {
            let named = node.attribute("axes").map(|axes| axes.ints.clone());
            let read = node.input.get(3).filter(|name| !name.is_empty()).map(|name| whole.get(name.as_str()).cloned());
            // Without axes the first ones are cut; with axes that cannot be read, any.
            let axes = named.or(read.unwrap_or(None)).unwrap_or_else(|| (0..dims.len() as i64).collect());
            without_length(dims, &axes)
        }),
        // A vector stays one, however its axes of length 1 are moved.
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => largest.dims.clone().filter(|dims| per_channel(dims)),
        "Expand" | "Tile" | "Gather" | "Concat" => None,
        // Element by element, what is larger gives the shape.
        _ => largest.dims.clone(),
    };
    Some(Seen { constant: largest.constant, dims })
}

/// The lengths with 0, for unknown, at these axes (from the end if negative).
fn without_length(mut dims: Vec<i64>, axes: &[i64]) -> Vec<i64> {
    let rank = dims.len() as i64;
    for &axis in axes {
        let axis = if axis < 0 { axis + rank } else { axis };
        if let Some(length) = usize::try_from(axis).ok().and_then(|axis| dims.get_mut(axis)) {
            *length = 0;
        }
    }
    dims
}

/// Whether a node passes its first input on in another form, whatever its other inputs say.
fn passes_on(op: &str) -> bool {
    matches!(
        op,
        "Transpose" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Split" | "Slice" | "Cast" | "Identity"
    )
}

type Given = Vec<(usize, Result<Role, &'static str>)>;

/// The roles that a node gives to constants, or why it gives none. `learned` are tensors behind a weight.
fn given_roles(node: &Node, seen: &HashMap<&str, Seen>, learned: &HashSet<&str>) -> Result<Given, RoleError> {
    let op = node.op_type.as_str();
    let at = |input: usize| node.input.get(input).and_then(|name| seen.get(name.as_str()));
    let mut given: Given = Vec::new();
    let mut rest: Vec<usize> = (0..node.input.len()).filter(|&i| at(i).is_some()).collect();
    let give = |given: &mut Given, rest: &mut Vec<usize>, input: usize, role: Role| {
        if let Some(constant) = at(input) {
            given.push((constant.constant, Ok(role)));
            rest.retain(|&i| i != input);
        }
    };
    let unknown = |input: usize| RoleError::Operator {
        node: name_of(node),
        op: op.into(),
        weight: node.input.get(input).cloned().unwrap_or_default(),
    };
    let fan_in = |input: usize, count: &dyn Fn(&[i64]) -> Option<i64>| -> Result<Role, RoleError> {
        let dims = at(input).and_then(|constant| constant.dims.as_deref());
        let fan_in = dims.and_then(count).filter(|&n| n > 0).ok_or_else(|| unknown(input))?;
        Ok(Role::Weight { fan_in: fan_in as usize })
    };
    match op {
        "Conv" | "FusedConv" | "NhwcFusedConv" | "DeformConv" | "ConvTranspose" => {
            if at(1).is_none() {
                let weight = node.input.get(1).cloned().unwrap_or_default();
                return Err(RoleError::NotConstant { node: name_of(node), op: op.into(), weight });
            }
            let role = match op {
                // Each input of a group is spread over the kernel, so that each output sums over as many.
                "ConvTranspose" => {
                    let group = node.int("group", 1);
                    fan_in(1, &|dims| Some(dims.first()? / group * dims.get(2..)?.iter().product::<i64>()))?
                }
                _ => fan_in(1, &|dims| Some(dims.get(1..)?.iter().product()))?,
            };
            give(&mut given, &mut rest, 1, role);
            give(&mut given, &mut rest, if op == "DeformConv" { 3 } else { 2 }, Role::Bias);
        }
        "Gemm" | "FusedGemm" => {
            if at(1).is_none() && at(0).is_none() {
                let weight = node.input.get(1).cloned().unwrap_or_default();
                return Err(RoleError::NotConstant { node: name_of(node), op: op.into(), weight });
            }
            let inner = |dims: &[i64], at_end: bool| if at_end { dims.last().copied() } else { dims.first().copied() };
            if at(1).is_some() {
                let role = fan_in(1, &|dims| inner(dims, node.int("transB", 0) != 0))?;
                give(&mut given, &mut rest, 1, role);
            } else {
                let role = fan_in(0, &|dims| inner(dims, node.int("transA", 0) == 0))?;
                give(&mut given, &mut rest, 0, role);
            }
            give(&mut given, &mut rest, 2, Role::Bias);
        }
        "MatMul" | "FusedMatMul" => {
            let rows =
                |dims: &[i64]| if dims.len() < 2 { dims.first().copied() } else { dims.get(dims.len() - 2).copied() };
            if at(1).is_some() {
                let transposed = node.int("transB", 0) != 0;
                let role = fan_in(1, &|dims| if transposed { dims.last().copied() } else { rows(dims) })?;
                give(&mut given, &mut rest, 1, role);
            } else if at(0).is_some() {
                let transposed = node.int("transA", 0) != 0;
                let role = fan_in(0, &|dims| if transposed { rows(dims) } else { dims.last().copied() })?;
                give(&mut given, &mut rest, 0, role);
            }
        }
        "Einsum" => {
            for input in rest.clone() {
                let role = fan_in(input, &|dims| einsum_fan_in(node, input, dims))?;
                give(&mut given, &mut rest, input, role);
            }
        }
        "Attention" if node.domain == "com.microsoft" => {
            let role = fan_in(1, &|dims| dims.first().copied())?;
            give(&mut given, &mut rest, 1, role);
            give(&mut given, &mut rest, 2, Role::Bias);
        }
        "BatchNormalization" => {
            let roles = [Role::Scale, Role::Bias, Role::RunningMean, Role::RunningVariance];
            for (i, role) in roles.into_iter().enumerate() {
                give(&mut given, &mut rest, i + 1, role);
            }
        }
        "LayerNormalization"
        | "InstanceNormalization"
        | "GroupNormalization"
        | "GroupNorm"
        | "SimplifiedLayerNormalization"
        | "RMSNormalization" => {
            give(&mut given, &mut rest, 1, Role::Scale);
            give(&mut given, &mut rest, 2, Role::Bias);
        }
        "SkipLayerNormalization" => {
            give(&mut given, &mut rest, 2, Role::Scale);
            give(&mut given, &mut rest, 3, Role::Bias);
            give(&mut given, &mut rest, 4, Role::Bias);
        }
        "SkipSimplifiedLayerNormalization" => {
            give(&mut given, &mut rest, 2, Role::Scale);
            give(&mut given, &mut rest, 3, Role::Bias);
        }
        "BiasGelu" | "FastGelu" => give(&mut given, &mut rest, 1, Role::Bias),
        "PRelu" => give(&mut given, &mut rest, 1, Role::Slope),
        "Add" | "Mul" => {
            let behind = node.input.iter().any(|name| learned.contains(name.as_str()));
            for input in rest.clone() {
                let per_channel = at(input).and_then(|c| c.dims.as_deref()).is_some_and(per_channel);
                if behind && per_channel {
                    give(&mut given, &mut rest, input, if op == "Add" { Role::Bias } else { Role::Scale });
                }
            }
        }
        "LSTM" | "GRU" | "RNN" | "Loop" | "Scan" | "If" => {
            let holds = rest.first().map(|&i| node.input[i].clone());
            let inside = node.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs)).find_map(|body| {
                let weighs = body.node.iter().any(|n| matches!(n.op_type.as_str(), "Conv" | "Gemm" | "MatMul"));
                weighs.then(|| "a weight of its body".to_string())
            });
            if let Some(weight) =
                inside.or(holds.filter(|_| op.len() < 5 && op != "Loop" && op != "Scan" && op != "If"))
            {
                return Err(RoleError::Operator { node: name_of(node), op: op.into(), weight });
            }
        }
        _ if !(node.domain.is_empty() || node.domain == "ai.onnx") => {
            let large =
                rest.iter().find(|&&i| at(i).and_then(|c| c.dims.as_deref()).is_none_or(|dims| !per_channel(dims)));
            if let Some(&input) = large {
                return Err(unknown(input));
            }
        }
        _ => {}
    }
    let reason = match op {
        "Gather" => "table of embeddings or relative positions",
        "Concat" | "Expand" => "token or other learned input",
        "Add" | "Sub" | "Mul" | "Div" if !node.input.iter().any(|name| learned.contains(name.as_str())) => {
            "scaling of the input"
        }
        "Add" => "table of positions",
        "Mul" => FACTORS,
        _ => NO_RULE,
    };
    given.extend(rest.into_iter().filter_map(at).map(|constant| (constant.constant, Err(reason))));
    Ok(given)
}

/// One axis longer than 1 (or of unknown length).
fn per_channel(dims: &[i64]) -> bool {
    dims.iter().filter(|&&n| n != 1).count() == 1
}

/// Product of the axes of a weight that an einsum sums over; `None` where the equation cannot be read.
fn einsum_fan_in(node: &Node, input: usize, dims: &[i64]) -> Option<i64> {
    let equation = node.attribute("equation")?.s.clone()?;
    let equation: String = std::str::from_utf8(&equation).ok()?.chars().filter(|c| !c.is_whitespace()).collect();
    let (terms, result) = equation.split_once("->")?;
    let term = terms.split(',').nth(input)?;
    if term.contains('.') || term.chars().count() != dims.len() {
        return None;
    }
    Some(term.chars().zip(dims).filter(|(axis, _)| !result.contains(*axis)).map(|(_, &n)| n).product())
}

/// The tensor at a place, with its values unless they lie outside the file.
pub fn tensor_at(graph: &Graph, place: Place) -> Result<Tensor, GraphError> {
    match place {
        Place::Initializer(position) => graph.initializer(position),
        Place::Node(position) => {
            let value = graph.nodes()[position].attribute("value").and_then(|value| value.t.clone());
            Ok(Tensor::decode(value.unwrap_or_default())?)
        }
    }
}
