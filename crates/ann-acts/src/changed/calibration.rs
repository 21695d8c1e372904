//! Running means and variances of batch normalization, measured on pictures.
//!
//! Every batch normalization is replaced by the same arithmetic on the statistics of the batch that is shown, as in
//! training; one forward pass then gives the mean and variance of every layer behind layers that are
//! normalized already. With these in their place the network gives, for the same pictures, the same numbers in
//! inference. The variance is that of the population (divided by n).

use crate::graph::onnx::{Attribute, DOUBLE, FLOAT, Node, Tensor};
use crate::graph::{Edit, Graph, GraphError};
use std::collections::BTreeMap;

/// One batch normalization of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalization {
    /// Its node's position.
    pub node: usize,
    /// Kind of number of its statistics.
    data_type: i32,
    /// Tensor of the training graph that holds the mean of the batch.
    pub batch_mean: String,
    /// Tensor of the training graph that holds the variance of the batch.
    pub batch_variance: String,
    /// Tensor that it normalizes.
    pub input: String,
    /// Name of its running mean.
    running_mean: String,
}

/// The graph with batch statistics in the place of running ones at the nodes that are `needed`, and what to read from
/// it.
pub fn training_graph(graph: &Graph, needed: &[bool]) -> Result<(Graph, Vec<Normalization>), GraphError> {
    let mut edit = Edit::default();
    let mut normalizations = Vec::new();
    let mut types: BTreeMap<String, i32> = BTreeMap::new();
    for header in graph.initializers()? {
        types.insert(header.name.clone(), header.data_type);
    }
    for (position, node) in graph.nodes().iter().enumerate() {
        let ([x, scale, bias, mean, _variance], Some(y)) = (node.input.as_slice(), node.output.first()) else {
            continue;
        };
        if node.op_type != "BatchNormalization" || !needed[position] {
            continue;
        }
        let data_type = types.get(scale).copied().unwrap_or(FLOAT);
        let computed = if data_type == DOUBLE { DOUBLE } else { FLOAT };
        let name = |part: &str| format!("{y}//catsel/{part}");
        let (x3, centred, square) = (name("x3"), name("centred"), name("square"));
        let (batch_mean, batch_variance) = (name("mean"), name("variance"));
        let epsilon = node.attribute("epsilon").and_then(|epsilon| epsilon.f).unwrap_or(1e-5);
        edit.added.push(Tensor::floats(&name("epsilon"), &[], computed, &[f64::from(epsilon)]));
        // Channels in the middle, whatever the number of axes behind them.
        edit.added.push(Tensor::integers(&name("rows"), &[3], &[0, 0, -1]));
        edit.added.push(Tensor::integers(&name("channels"), &[3], &[1, -1, 1]));
        let cast =
            |from: &str, to: &str, kind: i32| Node::new("Cast", &[from], to).with(Attribute::int("to", kind.into()));
        let reshape = |from: &str, shape: &str, to: &str| Node::new("Reshape", &[from, shape], to);
        let mut nodes = vec![
            cast(x, &name("cast"), computed),
            reshape(&name("cast"), &name("rows"), &x3),
            mean_of(graph, &mut edit, &x3, &batch_mean),
            Node::new("Sub", &[&x3, &batch_mean], &centred),
            Node::new("Mul", &[&centred, &centred], &square),
            mean_of(graph, &mut edit, &square, &batch_variance),
            Node::new("Add", &[&batch_variance, &name("epsilon")], &name("shifted")),
            Node::new("Sqrt", &[&name("shifted")], &name("sd")),
            Node::new("Div", &[&centred, &name("sd")], &name("normal")),
        ];
        for (weight, part) in [(scale, "scale"), (bias, "bias")] {
            let cast_to = name(&format!("{part} cast"));
            nodes.push(cast(weight, &cast_to, computed));
            nodes.push(reshape(&cast_to, &name("channels"), &name(part)));
        }
        nodes.extend([
            Node::new("Mul", &[&name("normal"), &name("scale")], &name("scaled")),
            Node::new("Add", &[&name("scaled"), &name("bias")], &name("y3")),
            Node::new("Shape", &[x], &name("shape")),
            reshape(&name("y3"), &name("shape"), &name("y")),
            cast(&name("y"), y, data_type),
        ]);
        edit.replaced.insert(position, nodes);
        normalizations.push(Normalization {
            node: position,
            data_type: types.get(mean).copied().unwrap_or(FLOAT),
            batch_mean,
            batch_variance,
            input: x.clone(),
            running_mean: mean.clone(),
        });
    }
    Ok((graph.edited(&edit)?, normalizations))
}

/// Mean and variance of each channel, gathered picture by picture (Chan, Golub & LeVeque 1983, eq. 2.1).
#[derive(Debug, Clone)]
pub struct Statistics {
    n: f64,
    mean: Vec<f64>,
    /// Sums of squared deviations from the mean.
    squares: Vec<f64>,
}

impl Statistics {
    /// Of no picture yet.
    pub fn new(n_channels: usize) -> Self {
        Self { n: 0.0, mean: vec![0.0; n_channels], squares: vec![0.0; n_channels] }
    }

    /// Adds `values`, some pictures' channels, each with its places behind it.
    pub fn add(&mut self, values: &[f64], n_pictures: usize) {
        let n_channels = self.mean.len();
        let n_places = values.len() / (n_pictures * n_channels).max(1);
        if n_places == 0 {
            return;
        }
        for picture in values.chunks_exact(n_channels * n_places) {
            let all = self.n + n_places as f64;
            for (channel, places) in picture.chunks_exact(n_places).enumerate() {
                let mean = places.iter().sum::<f64>() / n_places as f64;
                let squares: f64 = places.iter().map(|v| (v - mean).powi(2)).sum();
                let gap = mean - self.mean[channel];
                self.squares[channel] += squares + gap * gap * self.n * n_places as f64 / all;
                self.mean[channel] += gap * n_places as f64 / all;
            }
            self.n = all;
        }
    }

    /// Means and population variances.
    pub fn finish(self) -> [Vec<f64>; 2] {
        let variance = self.squares.iter().map(|s| s / self.n).collect();
        [self.mean, variance]
    }
}

/// How many channels each normalization has.
pub fn n_channels(graph: &Graph, normalizations: &[Normalization]) -> Result<Vec<usize>, GraphError> {
    let headers = graph.initializers()?;
    let lengths: BTreeMap<&str, usize> = headers.iter().map(|h| (h.name.as_str(), h.n_values())).collect();
    Ok(normalizations.iter().map(|n| lengths.get(n.running_mean.as_str()).copied().unwrap_or(0)).collect())
}

/// A node that takes the mean over pictures and places, channels kept.
fn mean_of(graph: &Graph, edit: &mut Edit, from: &str, to: &str) -> Node {
    if graph.opset() < 18 {
        return Node::new("ReduceMean", &[from], to).with(Attribute::ints("axes", &[0, 2]));
    }
    let axes = format!("{to} axes");
    edit.added.push(Tensor::integers(&axes, &[2], &[0, 2]));
    Node::new("ReduceMean", &[from, &axes], to)
}

/// The graph with the measured statistics (mean, then variance, of each normalization in turn), and how many channels
/// had no usable variance and keep 1.
///
/// Every normalization gets tensors of its own: exporters store equal tensors once, so that a running mean may be
/// the same zeros as somebody's bias.
pub fn with_statistics(
    graph: &Graph,
    normalizations: &[Normalization],
    measured: &[Vec<f64>],
) -> Result<(Graph, usize), GraphError> {
    let mut edit = Edit::default();
    let mut n_constant = 0;
    for (normalization, pair) in normalizations.iter().zip(measured.chunks_exact(2)) {
        let usable = |v: f64| v.is_finite() && v > 0.0;
        n_constant += pair[1].iter().filter(|&&v| !usable(v)).count();
        let mean: Vec<f64> = pair[0].iter().map(|&m| if m.is_finite() { m } else { 0.0 }).collect();
        let variance: Vec<f64> = pair[1].iter().map(|&v| if usable(v) { v } else { 1.0 }).collect();
        let mut node = graph.nodes()[normalization.node].clone();
        for (input, values, name) in
            [(3, mean, &normalization.batch_mean), (4, variance, &normalization.batch_variance)]
        {
            edit.added.push(Tensor::floats(name, &[values.len() as i64], normalization.data_type, &values));
            node.input[input] = name.clone();
        }
        edit.replaced.insert(normalization.node, vec![node]);
    }
    Ok((graph.edited(&edit)?, n_constant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_gathered_in_parts_are_those_of_all_at_once() {
        // Two channels of two places, three pictures; then with a large mean, where sums of squares would fail.
        for shift in [0.0, 1e9] {
            let pictures: Vec<f64> = [1., 2., 10., 30., 3., 4., 50., 70., 8., 6., 20., 0.].map(|v| v + shift).to_vec();
            let mut at_once = Statistics::new(2);
            at_once.add(&pictures, 3);
            let mut parts = Statistics::new(2);
            pictures.chunks(4).for_each(|picture| parts.add(picture, 1));
            let [mean, variance] = parts.finish();
            assert_eq!([mean.clone(), variance.clone()], at_once.finish());
            assert!((mean[0] - shift - 4.0).abs() < 1e-6 && (mean[1] - shift - 30.0).abs() < 1e-6);
            let expected = [(9. + 4. + 1. + 0. + 16. + 4.) / 6., (400. + 0. + 400. + 1600. + 100. + 900.) / 6.];
            assert!(variance.iter().zip(expected).all(|(v, e)| (v - e).abs() < 1e-5), "{variance:?}");
        }
    }
}
