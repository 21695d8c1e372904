//! Untrained twins: the same architecture with every weight drawn anew.
//!
//! Kernels and matrices are normal with variance 2 / fan-in (He et al. 2015) or 1 / fan-in (LeCun et al. 1998),
//! biases 0, scales 1, PReLU slopes 1/4; or all values of each tensor are shuffled among themselves. Running means and
//! variances of batch normalization are measured on pictures (see [`crate::changed::calibration`]). Tables of
//! positions, tokens, whole numbers and single numbers stay: they are wiring, or say nothing about pictures.

use crate::changed::weight_roles::{Place, Role, Roles, Weight, roles, tensor_at};
use crate::graph::onnx::Tensor;
use crate::graph::{Edit, Graph};
use anyhow::{Context, Result, anyhow, ensure};
use rayon::prelude::*;
use serde_json::{Value, json};
use statistics::Draws;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::str::FromStr;

/// `--untrained SEED[:SCHEME]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Untrained {
    /// What the weights are drawn from; the same seed gives the same weights.
    pub seed: u64,
    /// How they are drawn.
    pub scheme: Scheme,
}

/// How weights are drawn anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Normal, variance 2 / fan-in: keeps the scale of activations through rectifiers.
    He,
    /// Normal, variance 1 / fan-in: keeps it through linear units.
    Lecun,
    /// The trained values of each tensor in random order.
    Shuffle,
}

impl Scheme {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::He => "he",
            Self::Lecun => "lecun",
            Self::Shuffle => "shuffle",
        }
    }
}

impl FromStr for Untrained {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (seed, scheme) = text.split_once(':').unwrap_or((text, "he"));
        let scheme = match scheme {
            "he" => Scheme::He,
            "lecun" => Scheme::Lecun,
            "shuffle" => Scheme::Shuffle,
            other => return Err(format!("{other:?} is none of he, lecun, shuffle")),
        };
        let seed = seed.parse().map_err(|_| format!("{seed:?} is not a seed, a whole number from 0"))?;
        Ok(Self { seed, scheme })
    }
}

/// More than this is not put into one model file: protobuf ends at 2 GiB.
const MOST_BYTES: usize = (1 << 31) - (1 << 24);

/// The first stream of what is no kernel and no matrix.
const OTHER_STREAMS: u64 = 1 << 32;

/// A graph with its weights drawn anew.
pub struct Twin {
    /// The graph; running means are 0 and variances 1 until they are measured.
    pub graph: Graph,
    /// What its weights are for.
    pub roles: Roles,
    untrained: Untrained,
}

impl Twin {
    /// Draws every weight of `graph` anew; `folder` is where weights outside the file lie.
    ///
    /// The k-th kernel or matrix that the graph uses is drawn from stream k of the seed, whatever its name, whatever
    /// layers are wanted, and whatever the number of threads. Biases, scales and slopes, which only shuffling draws,
    /// have streams of their own: a network has the same twin with its normalizations folded and unfolded.
    pub fn draw(graph: &Graph, folder: &Path, untrained: Untrained) -> Result<Self> {
        let roles = roles(graph)?;
        let n_weights = roles.weights.iter().filter(|w| matches!(w.role, Role::Weight { .. })).count();
        ensure!(
            n_weights > 0,
            "--untrained: no kernel and no matrix was found in this network, nothing would be drawn anew"
        );
        let n_bytes = roles.weights.iter().fold(0usize, |all, w| all.saturating_add(n_values(w).saturating_mul(4)));
        ensure!(
            n_bytes.saturating_add(graph.bytes().len()) < MOST_BYTES,
            "--untrained: {n_bytes} bytes of weights; up to {MOST_BYTES} can be drawn anew"
        );
        let (mut n_kernels, mut n_others) = (0, OTHER_STREAMS);
        let streams = roles.weights.iter().map(|weight| {
            let next = if matches!(weight.role, Role::Weight { .. }) { &mut n_kernels } else { &mut n_others };
            *next += 1;
            *next - 1
        });
        let drawn: Vec<Result<Tensor>> = roles
            .weights
            .par_iter()
            .zip(streams.collect::<Vec<u64>>())
            .map(|(weight, stream)| draw(graph, folder, weight, untrained, stream))
            .collect();
        let mut edit = Edit::default();
        for (weight, tensor) in roles.weights.iter().zip(drawn) {
            put(&mut edit, weight, tensor.with_context(|| format!("weight \"{}\"", weight.name))?);
        }
        let graph = graph.edited(&edit)?;
        Ok(Self { graph, roles, untrained })
    }

    /// One line: how much was drawn anew and what was left.
    pub fn summary(&self) -> String {
        let weights = &self.roles.weights;
        let numbers: usize = weights.iter().map(n_values).sum();
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, reason) in &self.roles.left {
            *reasons.entry(reason).or_default() += 1;
        }
        let left: Vec<String> = reasons.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        let left = if left.is_empty() { "none".to_string() } else { left.join(", ") };
        format!("--untrained: {} tensors ({numbers} numbers) drawn anew; left as they are: {left}", weights.len())
    }

    /// A warning where something that looks like weights stays as it was trained.
    pub fn doubt(&self) -> Option<String> {
        let first = self.roles.doubtful.first()?;
        Some(format!(
            "--untrained: {} tensors that look like weights are used in ways that no rule covers and stay trained, \
             the first is \"{first}\"",
            self.roles.doubtful.len()
        ))
    }

    /// What the sidecar says.
    pub fn record(&self) -> Value {
        let drawn: Vec<Value> = self
            .roles
            .weights
            .iter()
            .map(|weight| {
                let mut entry = json!({ "name": weight.name, "role": weight.role.name(), "shape": weight.dims });
                if let (Some(sd), Role::Weight { fan_in }) = (self.untrained.scheme.sd(weight.role), weight.role) {
                    entry["fan_in"] = fan_in.into();
                    entry["sd"] = sd.into();
                }
                entry
            })
            .collect();
        let left: Vec<Value> =
            self.roles.left.iter().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect();
        json!({
            "seed": self.untrained.seed,
            "scheme": self.untrained.scheme.name(),
            "drawn": drawn,
            "left": left,
        })
    }
}

impl Scheme {
    /// Standard deviation of a drawn kernel or matrix.
    fn sd(self, role: Role) -> Option<f64> {
        match (self, role) {
            (Self::He, Role::Weight { fan_in }) => Some((2.0 / fan_in as f64).sqrt()),
            (Self::Lecun, Role::Weight { fan_in }) => Some((1.0 / fan_in as f64).sqrt()),
            _ => None,
        }
    }
}

fn put(edit: &mut Edit, weight: &Weight, tensor: Tensor) {
    match weight.place {
        Place::Initializer(_) => {
            edit.initializers.insert(weight.name.clone(), tensor);
        }
        Place::Node(position) => {
            edit.constants.insert(position, tensor);
        }
    }
}

fn n_values(weight: &Weight) -> usize {
    weight.dims.iter().map(|&n| usize::try_from(n).unwrap_or(0)).fold(1, usize::saturating_mul)
}

fn draw(graph: &Graph, folder: &Path, weight: &Weight, untrained: Untrained, stream: u64) -> Result<Tensor> {
    let mut draws = Draws::stream(untrained.seed, stream);
    let n = n_values(weight);
    let values = match (weight.role, untrained.scheme) {
        (Role::RunningMean, _) => vec![0.0; n],
        (Role::RunningVariance, _) => vec![1.0; n],
        (_, Scheme::Shuffle) => {
            let mut values = trained_values(graph, folder, weight)?;
            draws.shuffle(&mut values);
            values
        }
        (Role::Bias, _) => vec![0.0; n],
        (Role::Scale, _) => vec![1.0; n],
        (Role::Slope, _) => vec![0.25; n],
        (Role::Weight { .. }, scheme) => {
            let sd = scheme.sd(weight.role).unwrap_or(0.0);
            let mut values: Vec<f64> = Vec::with_capacity(n + 1);
            while values.len() < n {
                values.extend(draws.normal_pair().map(|value| value * sd));
            }
            values.truncate(n);
            values
        }
    };
    Ok(Tensor::floats(&weight.name, &weight.dims, weight.data_type, &values))
}

/// The values of a weight as they were trained, from the graph's file or from a file in `folder`.
pub fn trained_values(graph: &Graph, folder: &Path, weight: &Weight) -> Result<Vec<f64>> {
    let mut tensor = tensor_at(graph, weight.place)?;
    if tensor.data_location == 1 {
        let entry = |key: &str| tensor.external_data.iter().find(|e| e.key == key).map(|e| e.value.clone());
        let number = |key: &str| -> Result<u64> {
            entry(key).map_or(Ok(0), |text| text.parse().map_err(|_| anyhow!("{key} {text:?} is not a number")))
        };
        let path = folder.join(entry("location").unwrap_or_default());
        let n_bytes = n_values(weight)
            * match weight.data_type {
                crate::graph::onnx::DOUBLE => 8,
                crate::graph::onnx::FLOAT16 => 2,
                _ => 4,
            };
        let mut bytes = vec![0; n_bytes];
        let mut read = || -> std::io::Result<()> {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(number("offset").unwrap_or(0)))?;
            file.read_exact(&mut bytes)
        };
        read().with_context(|| path.display().to_string())?;
        number("offset")?;
        (tensor.raw_data, tensor.data_location) = (bytes.into(), 0);
    }
    let values = tensor.to_f64().unwrap_or_default();
    ensure!(
        values.len() == n_values(weight),
        "holds {} values, its shape {:?} says {}",
        values.len(),
        weight.dims,
        n_values(weight)
    );
    Ok(values)
}
