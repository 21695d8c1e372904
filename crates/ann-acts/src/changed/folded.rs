//! Where a batch normalization was folded into a convolution or a matrix, and a twin that has it back.
//!
//! In inference a batch normalization is a factor and a shift per channel, so exporters multiply it into the kernel
//! before it and add it to that kernel's bias. The architecture still had it: without it the activations of a twin with
//! rectifiers that end (ReLU6) saturate with depth, and those of residual networks grow without end. Three things tell:
//!
//! 1. *The exporter's names* (see [`crate::graph::folding`]).
//! 2. *Scales.* Folding multiplies each channel's kernel by scale / sd, and the bias takes up the mean of what comes
//!    in. Where no name tells, the median over all biased convolutions decides, of rms(bias) / rms(norm of a channel's
//!    kernel) and of how much more these norms differ between channels than those of independent weights would.
//! 3. `--normalize all` or `none`.
//!
//! What goes into a normalization that is still there was not folded.

use crate::changed::untrained::trained_values;
use crate::changed::weight_roles::{Product, Roles, Weight};
use crate::graph::folding::folded_by_name;
use crate::graph::onnx::{Node, Tensor};
use crate::graph::{Edit, Graph, GraphError};
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// Where a twin gets normalizations that its graph does not show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Normalize {
    /// Where one was folded into a convolution or matrix
    #[default]
    Folded,
    /// Behind every convolution and matrix that no normalization follows
    All,
    /// Nowhere
    None,
}

/// What says that a normalization was folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Names that exporters give.
    Names,
    /// Scales of kernels and biases.
    Scales,
    /// `--normalize all`.
    Asked,
}

impl Evidence {
    fn text(self) -> &'static str {
        match self {
            Self::Names => "the exporter's names",
            Self::Scales => "the scales of kernels and biases",
            Self::Asked => "--normalize all",
        }
    }
}

/// The places of a twin that get a normalization.
#[derive(Debug, Default)]
pub struct Folded {
    /// What was asked for.
    normalize: Normalize,
    /// Kernels and matrices in the graph.
    n_products: usize,
    /// Those that a normalization follows in the graph itself.
    n_followed: usize,
    /// What gets one, and what says so.
    places: Vec<(Product, Evidence)>,
    /// Nodes that would get one but hold their activation function in themselves.
    fused: Vec<String>,
    /// Medians over the biased convolutions of which no name tells: size of the bias, spread of the kernels.
    scales: Option<(f64, f64)>,
}

/// Medians of networks with folded normalizations: bias 1.15 (dlib's face network), 1.20 (EfficientNet-lite0); of
/// networks without any: .15, .17, .16 (MTCNN's three), where kernels spread 1.8 to 4.1 times as much as chance.
const BIAS_OF_FOLDED: f64 = 0.35;
/// The same where PyTorch's exporter kept every name, which speaks against folding before the export.
const BIAS_IN_SPITE_OF_NAMES: f64 = 0.7;
/// How much more the norms of kernels differ than those of independent weights, at the least.
const SPREAD_OF_FOLDED: f64 = 2.0;

impl Folded {
    /// Looks for them in the trained `graph`; `folder` is where weights outside the file lie.
    pub fn find(graph: &Graph, folder: &Path, roles: &Roles, normalize: Normalize) -> Result<Self> {
        let consumers = Consumers::of(graph);
        let mut found = Self { normalize, n_products: roles.products.len(), ..Self::default() };
        let mut open: Vec<&Product> = Vec::new();
        for product in &roles.products {
            match consumers.leads_to_normalization(graph, &graph.nodes()[product.node].output[0], 0) {
                true => found.n_followed += 1,
                false => open.push(product),
            }
        }
        let places: Vec<(&Product, Evidence)> = match normalize {
            Normalize::None => Vec::new(),
            Normalize::All => open.into_iter().map(|product| (product, Evidence::Asked)).collect(),
            Normalize::Folded => {
                let told = folded_by_name(graph)?;
                let named: Vec<&Product> =
                    open.iter().copied().filter(|product| told.contains(&product.node)).collect();
                match named.is_empty() {
                    false => named.into_iter().map(|product| (product, Evidence::Names)).collect(),
                    true => found.by_scales(graph, folder, roles, open)?,
                }
            }
        };
        for (product, evidence) in places {
            let node = &graph.nodes()[product.node];
            if node
                .attribute("activation")
                .is_some_and(|activation| activation.s.as_ref().is_some_and(|s| !s.is_empty()))
            {
                found.fused.push(node.output[0].clone());
            } else if channels(node, product).is_some() {
                found.places.push((product.clone(), evidence));
            }
        }
        Ok(found)
    }

    /// The open products that the scales of the network's kernels and biases say were folded.
    fn by_scales<'a>(
        &mut self,
        graph: &Graph,
        folder: &Path,
        roles: &Roles,
        open: Vec<&'a Product>,
    ) -> Result<Vec<(&'a Product, Evidence)>> {
        let weights: HashMap<&str, &Weight> = roles.weights.iter().map(|w| (w.name.as_str(), w)).collect();
        let mut biased: Vec<&Product> = Vec::new();
        let (mut sizes, mut spreads) = (Vec::new(), Vec::new());
        for product in open {
            let node = &graph.nodes()[product.node];
            let (Some(kernel), Some(bias)) =
                (weights.get(product.kernel.as_str()), product.bias.as_ref().and_then(|b| weights.get(b.as_str())))
            else {
                continue;
            };
            // Every matrix has a bias, folded or not; a convolution before a normalization has none until it is folded.
            if !node.op_type.contains("Conv") || node.op_type.contains("Transpose") || kernel.dims != product.dims {
                continue;
            }
            biased.push(product);
            let kernel = trained_values(graph, folder, kernel)?;
            let bias = trained_values(graph, folder, bias)?;
            if let Some((size, spread)) = scales(&kernel, &bias).filter(|_| bias.len() >= 8) {
                sizes.push(size);
                spreads.push(spread);
            }
        }
        // Layer normalization and its kin are never folded: a network that has them shows what it has.
        let shows = |node: &Node| node.op_type.ends_with("Normalization") && node.op_type != "BatchNormalization";
        if self.n_followed > 0 && graph.nodes().iter().all(|node| node.op_type != "BatchNormalization")
            || graph.nodes().iter().any(shows)
        {
            return Ok(Vec::new());
        }
        let (Some(size), Some(spread)) = (median(&mut sizes), median(&mut spreads)) else { return Ok(Vec::new()) };
        self.scales = Some((size, spread));
        let kept = graph.producer() == "pytorch"
            && biased.iter().all(|p| {
                let stem = p.kernel.strip_suffix(".weight");
                stem.is_some() && stem == p.bias.as_deref().and_then(|bias| bias.strip_suffix(".bias"))
            });
        let most = if kept { BIAS_IN_SPITE_OF_NAMES } else { BIAS_OF_FOLDED };
        let folded = size >= most && spread >= SPREAD_OF_FOLDED;
        Ok(if folded { biased.into_iter().map(|product| (product, Evidence::Scales)).collect() } else { Vec::new() })
    }

    /// Whether nothing gets a normalization.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// One line: how many, and what says so.
    pub fn summary(&self) -> String {
        let (n, all) = (self.places.len(), self.n_products);
        match self.places.first() {
            Some((_, Evidence::Asked)) => {
                format!("{n} of {all} convolutions and matrices are standardized per channel (--normalize all)")
            }
            Some((_, evidence)) => format!(
                "{n} of {all} convolutions and matrices are standardized per channel, as the normalizations folded into \
                 them did ({})",
                evidence.text()
            ),
            None if self.normalize == Normalize::None => {
                "nothing is standardized but by normalizations that the graph \
                                                          has (--normalize none)"
                    .to_string()
            }
            None if self.n_followed > 0 => String::new(),
            None => "no normalization is in the graph and none seems folded into its weights, so nothing keeps the \
                     scale of a deep twin's activations; --normalize all standardizes every convolution and matrix"
                .to_string(),
        }
    }

    /// What is to be known of nodes that could not get one.
    pub fn doubt(&self) -> Option<String> {
        let first = self.fused.first()?;
        Some(format!(
            "--untrained: {} nodes hold their activation function in themselves and are not standardized, the first \
             makes \"{first}\"; export the network without graph optimization",
            self.fused.len()
        ))
    }

    /// What the sidecar says.
    pub fn record(&self, graph: &Graph) -> Value {
        let name = match self.normalize {
            Normalize::Folded => "folded",
            Normalize::All => "all",
            Normalize::None => "none",
        };
        let places: Vec<Value> = self
            .places
            .iter()
            .map(|(product, evidence)| {
                let node = &graph.nodes()[product.node];
                json!({ "tensor": node.output[0], "op": node.op_type, "weight": product.kernel, "told_by": evidence.text() })
            })
            .collect();
        json!({
            "normalize": name,
            "standardized": places,
            "n_products": self.n_products,
            "n_followed_by_a_normalization": self.n_followed,
            "not_standardized_because_fused": self.fused,
            "median_bias_to_kernel": self.scales.map(|(size, _)| size),
            "median_kernel_spread": self.scales.map(|(_, spread)| spread),
        })
    }

    /// `twin`, which has the nodes of the graph that was looked at, with a batch normalization behind each place: scale
    /// 1, shift 0, and statistics that are still to be measured.
    pub fn unfolded(&self, twin: &Graph, roles: &Roles) -> Result<Graph, GraphError> {
        let mut edit = Edit::default();
        let types: HashMap<&str, i32> = roles.weights.iter().map(|w| (w.name.as_str(), w.data_type)).collect();
        for (product, _) in &self.places {
            let node = &twin.nodes()[product.node];
            let Some(n_channels) = channels(node, product) else { continue };
            let y = &node.output[0];
            let name = |part: &str| format!("{y}//catsel/folded {part}");
            let data_type = types[product.kernel.as_str()];
            for (part, value) in [("scale", 1.0), ("shift", 0.0), ("mean", 0.0), ("variance", 1.0)] {
                edit.added.push(Tensor::floats(&name(part), &[n_channels as i64], data_type, &vec![value; n_channels]));
            }
            let plain = name("input");
            edit.renamed_outputs.push((product.node, y.clone(), plain.clone()));
            let normalization = |x: &str, y: &str| {
                let mut node = Node::new("BatchNormalization", &[x], y);
                node.input.extend(["scale", "shift", "mean", "variance"].map(name));
                node
            };
            let nodes = match channels_last(node) {
                false => vec![normalization(&plain, y)],
                // A matrix may be applied to tokens: every row of channels counts.
                true => {
                    edit.added.push(Tensor::integers(&name("rows"), &[2], &[-1, n_channels as i64]));
                    vec![
                        Node::new("Shape", &[&plain], &name("shape")),
                        Node::new("Reshape", &[&plain, &name("rows")], &name("flat")),
                        normalization(&name("flat"), &name("normal")),
                        Node::new("Reshape", &[&name("normal"), &name("shape")], y),
                    ]
                }
            };
            edit.after.insert(product.node, nodes);
        }
        twin.edited(&edit)
    }
}

/// Whether a product's channels are its last axis, whatever the number of axes.
fn channels_last(node: &Node) -> bool {
    node.op_type.ends_with("MatMul")
}

/// How many channels a product has, where it has an axis of them that a normalization can follow.
fn channels(node: &Node, product: &Product) -> Option<usize> {
    let at = |axis: usize| product.dims.get(axis).copied().filter(|&n| n > 0);
    let n = match node.op_type.as_str() {
        "Conv" | "FusedConv" | "DeformConv" => at(0),
        "ConvTranspose" => at(1).map(|n| n * node.int("group", 1)),
        "Gemm" if product.input == 1 => at(if node.int("transB", 0) != 0 { 0 } else { 1 }),
        "MatMul" if product.input == 1 && product.dims.len() == 2 => at(1),
        _ => None,
    };
    n.and_then(|n| usize::try_from(n).ok())
}

/// Which nodes read each tensor.
struct Consumers<'a>(HashMap<&'a str, Vec<usize>>);

impl<'a> Consumers<'a> {
    fn of(graph: &'a Graph) -> Self {
        let mut of: HashMap<&str, Vec<usize>> = HashMap::new();
        for (position, node) in graph.nodes().iter().enumerate() {
            node.input.iter().for_each(|name| of.entry(name).or_default().push(position));
        }
        Self(of)
    }

    /// Whether what `tensor` holds is normalized next, by one operator or by the parts of one.
    fn leads_to_normalization(&self, graph: &Graph, tensor: &str, depth: usize) -> bool {
        let none = Vec::new();
        let readers: Vec<&Node> = self.0.get(tensor).unwrap_or(&none).iter().map(|&i| &graph.nodes()[i]).collect();
        let ops: HashSet<&str> = readers.iter().map(|node| node.op_type.as_str()).collect();
        if ops.iter().any(|op| op.ends_with("Normalization") || *op == "GroupNorm") {
            return true;
        }
        // Layer normalization before opset 17: the mean is taken, and subtracted.
        let from_mean = |node: &&Node| node.op_type == "Sub" && node.input.first().is_some_and(|x| x == tensor);
        if ops.contains("ReduceMean") && readers.iter().any(from_mean) {
            return true;
        }
        depth < 8
            && readers.iter().any(|node| {
                matches!(node.op_type.as_str(), "Reshape" | "Transpose" | "Identity" | "Cast" | "Squeeze" | "Unsqueeze")
                    && node.input[0] == tensor
                    && node.output.first().is_some_and(|y| self.leads_to_normalization(graph, y, depth + 1))
            })
    }
}

/// rms of the biases over that of the norms of the channels' kernels, and how often the coefficient of variation of
/// these norms is what independent weights have: 1 / sqrt(2 fan-in). `None` where a kernel is zero or not finite.
fn scales(kernel: &[f64], bias: &[f64]) -> Option<(f64, f64)> {
    let (n, fan_in) = (bias.len(), kernel.len() / bias.len().max(1));
    if n == 0 || fan_in == 0 || kernel.len() != n * fan_in {
        return None;
    }
    let norms: Vec<f64> = kernel.chunks_exact(fan_in).map(|w| w.iter().map(|v| v * v).sum::<f64>().sqrt()).collect();
    let mean = norms.iter().sum::<f64>() / n as f64;
    let sd = (norms.iter().map(|norm| (norm - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
    let squares = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
    let size = (squares(bias) / squares(&norms)).sqrt();
    let spread = sd / mean * (2.0 * fan_in as f64).sqrt();
    (size.is_finite() && spread.is_finite()).then_some((size, spread))
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_of_kernels_and_biases() {
        // Norms 5 and 10 (mean 7.5, sd 2.5), fan-in 2; biases 3 and 4.
        let (size, spread) = scales(&[3.0, 4.0, 6.0, 8.0], &[3.0, 4.0]).unwrap();
        assert!((size - (25.0f64 / 125.0).sqrt()).abs() < 1e-12 && (spread - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(scales(&[0.0; 4], &[0.0; 2]), None);
        assert_eq!(scales(&[1.0; 3], &[0.0; 2]), None);
        assert_eq!(
            (median(&mut [3.0, 1.0, 2.0]), median(&mut [4.0, 1.0]), median(&mut [])),
            (Some(2.0), Some(2.5), None)
        );
    }
}
