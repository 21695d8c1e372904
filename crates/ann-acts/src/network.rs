//! A network that was cut to the wanted layers: what it takes, what it gives, and running it.
//!
//! ONNX Runtime infers the shapes. Which axis counts pictures is told by what grows when more pictures are given, and
//! [`Network::prove`] shows that each row is one picture's.

pub mod args;
pub mod company;
mod counted;
pub mod device;
pub mod inputs;
mod proof;
pub mod runtime;
pub mod tensor;

pub use proof::Proof;

use crate::network::counted::{Counted, Pictures, growing_axis, in_picture_order, pictures_axis, units_per_picture};
use crate::network::device::{Device, Execution};
use crate::network::inputs::{Batch, InputsAsked, PictureInput, SetInput, batch_of, sort_out};
use crate::network::runtime::{Runtime, plain};
use crate::network::tensor::{Axis, Element, TensorInfo, lengths, shape_text};
use crate::pictures::Size;
use anyhow::{Context, Result, bail, ensure};
use half::{bf16, f16};
use ndarray::ArrayView2;
use npy_stream::Block;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session, SessionOutputs};
use ort::value::DynValue;
use std::borrow::Cow;
use std::path::Path;

/// A layer that the network gives.
pub struct Layer {
    /// Its tensor.
    pub tensor: TensorInfo,
    pictures: Option<Pictures>,
}

/// What it takes to open a network.
#[derive(Clone, Copy)]
pub struct Opener<'a> {
    /// The loaded library.
    pub runtime: &'a Runtime,
    /// Where it computes.
    pub execution: &'a Execution,
    /// Where weights outside the model file lie.
    pub folder: &'a Path,
    /// Which input takes the pictures, where that is not plain, and what the others get.
    pub inputs: &'a InputsAsked,
}

/// A network cut to the wanted layers, ready to run.
pub struct Network {
    session: Session,
    options: RunOptions<HasSelectedOutputs>,
    input_name: String,
    set: Vec<SetInput>,
    /// What it takes.
    pub input: PictureInput,
    /// The layers it gives, in the order asked.
    pub layers: Vec<Layer>,
}

impl Network {
    /// Opens the model in `bytes`, whose outputs are the wanted layers.
    pub fn open(bytes: &[u8], opener: Opener<'_>) -> Result<Self> {
        let Opener { runtime, execution, folder, inputs: asked } = opener;
        let session = session(runtime, bytes, folder, execution, GraphOptimizationLevel::All)?;
        let inputs: Vec<TensorInfo> = session.inputs().iter().map(TensorInfo::of).collect();
        let (input_name, input, set) = sort_out(&inputs, asked)?;
        let layers: Vec<Layer> = session
            .outputs()
            .iter()
            .map(|outlet| {
                let tensor = TensorInfo::of(outlet);
                let pictures = pictures_axis(&tensor.axes, &input.batch);
                Layer { tensor, pictures }
            })
            .collect();
        // What is no tensor has no shape to ask for.
        let tensors = layers.iter().filter(|layer| layer.tensor.is_tensor());
        let selector = tensors.fold(OutputSelector::no_default(), |all, layer| all.with(&layer.tensor.name));
        let options = RunOptions::new().map_err(plain)?.with_outputs(selector);
        Ok(Self { session, options, input_name, set, input, layers })
    }

    /// Runs the network on these inputs, and gives every layer that is a tensor.
    fn outputs(&mut self, pictures: Batch, shape: [usize; 4]) -> Result<SessionOutputs<'_>> {
        let inputs = self.inputs(pictures, shape)?;
        if !self.layers.iter().any(|layer| layer.tensor.is_tensor()) {
            bail!("none of its layers is a tensor");
        }
        self.session.run_with_options(inputs, &self.options).map_err(plain)
    }

    /// Why a layer gives no row of numbers per picture, for each layer; `None` where it does.
    ///
    /// Where names of axes leave open which one counts pictures, one and two black pictures of
    /// `size` are run and the axis that grows is taken.
    pub fn settle(&mut self, size: Size) -> Result<Vec<Option<String>>> {
        let open = |layer: &Layer| layer.tensor.element.is_float() && layer.pictures.is_none();
        if self.input.batch.fixed().is_none() && self.layers.iter().any(open) {
            let one = self.shapes(1, size)?;
            match self.shapes(2, size) {
                Ok(two) => {
                    for (layer, (one, two)) in self.layers.iter_mut().zip(one.iter().zip(&two)) {
                        layer.pictures = layer.pictures.or(growing_axis(one, two));
                    }
                }
                Err(_) => self.take_one_at_a_time(),
            }
        }
        Ok(self.layers.iter().map(Layer::unusable).collect())
    }

    /// From now on a batch is one picture, and every layer is that picture's.
    fn take_one_at_a_time(&mut self) {
        self.input.batch = Axis::Fixed(1);
        self.layers.iter_mut().for_each(|layer| layer.pictures = Some(Pictures::Whole));
    }

    /// Number of units of each layer, measured on black pictures.
    pub fn n_units(&mut self, size: Size) -> Result<Vec<usize>> {
        let n_run = self.input.batch.fixed().unwrap_or(1);
        Ok(self.shapes(n_run, size)?.iter().map(|shape| shape.iter().product::<usize>() / n_run).collect())
    }

    /// Runs `n` pictures and gives all values of each output, which need not have an axis of pictures.
    pub fn fetch(&mut self, batch: Batch, n: usize, size: Size) -> Result<Vec<Vec<f64>>> {
        let infos: Vec<(String, Element)> =
            self.layers.iter().map(|layer| (layer.tensor.name.clone(), layer.tensor.element)).collect();
        let outputs = self.outputs(batch, self.input.shape(n, size))?;
        let widened = |(name, element): &(String, Element)| {
            Ok(match values(&outputs[name.as_str()], *element)? {
                Values::F32(values) => values.iter().map(|&v| f64::from(v)).collect(),
                Values::F64(values) => values.into_owned(),
            })
        };
        infos.iter().map(widened).collect()
    }

    /// Shape of each layer for one batch of `n` black pictures, and which of its axes counts them.
    pub fn measured(&mut self, size: Size) -> Result<Vec<(Vec<usize>, Option<usize>)>> {
        let n_run = self.input.batch.fixed().unwrap_or(1);
        let shapes = self.shapes(n_run, size)?;
        Ok(shapes.into_iter().zip(self.layers.iter().map(Layer::pictures_axis)).collect())
    }

    fn inputs(&self, pictures: Batch, shape: [usize; 4]) -> Result<Vec<(String, DynValue)>> {
        let mut inputs = vec![(self.input_name.clone(), pictures.into_value(shape)?)];
        for set in &self.set {
            inputs.push((set.name.clone(), set.value(shape[0], &self.input.batch)?));
        }
        Ok(inputs)
    }

    /// The name of the input that takes pictures, and the lengths of its axes for a batch as small as may be.
    pub fn picture(&self, size: Size) -> (String, Vec<usize>) {
        (self.input_name.clone(), self.input.shape(self.input.batch.fixed().unwrap_or(1), size).to_vec())
    }

    /// Lengths of the axes of every layer for a batch as small as may be, pictures included.
    pub fn layer_shapes(&mut self, size: Size) -> Result<Vec<Vec<usize>>> {
        self.shapes(self.input.batch.fixed().unwrap_or(1), size)
    }

    /// Every layer with its values, where these are i8, for a batch of black pictures as small as may be.
    pub fn integers(&mut self, size: Size) -> Result<Vec<(String, Vec<i64>)>> {
        let shape = self.input.shape(self.input.batch.fixed().unwrap_or(1), size);
        let black = Batch::zeros(self.input.element, shape.iter().product());
        let names = self.names();
        let outputs = self.outputs(black, shape)?;
        let values = |name: String| {
            let (_, values) = outputs[name.as_str()].try_extract_tensor::<i64>().map_err(plain)?;
            let values = values.to_vec();
            Ok((name, values))
        };
        names.into_iter().map(values).collect()
    }

    fn shapes(&mut self, n: usize, size: Size) -> Result<Vec<Vec<usize>>> {
        let shape = self.input.shape(n, size);
        let black = Batch::zeros(self.input.element, shape.iter().product());
        let names = self.names();
        let outputs = self.outputs(black, shape)?;
        // What is no tensor is not among them, and has no shape.
        Ok(names.iter().map(|name| outputs.get(name).map_or(Vec::new(), |value| lengths(value.shape()))).collect())
    }

    fn names(&self) -> Vec<String> {
        self.layers.iter().map(|layer| layer.tensor.name.clone()).collect()
    }

    /// Runs `n` pictures of `size` and hands `take` the rows of each layer of `wanted`, with its place in there.
    ///
    /// The network always gets `n_run` pictures, black ones behind the last, so that the numbers of a picture do not
    /// depend on how many came with it; the rows of the black ones are dropped.
    pub fn run(
        &mut self,
        mut batch: Batch,
        (n, n_run): (usize, usize),
        size: Size,
        wanted: &[usize],
        mut take: impl FnMut(usize, Block<'_>) -> Result<()>,
    ) -> Result<()> {
        let shape = self.input.shape(n_run, size);
        batch.pad(shape.iter().product());
        let inputs = self.inputs(batch, shape)?;
        let outputs = self.session.run_with_options(inputs, &self.options).map_err(plain).with_context(|| {
            format!("the network cannot run a batch of {n_run}; if it was exported for one picture, use --batch 1")
        })?;
        for (slot, &i) in wanted.iter().enumerate() {
            let layer = &self.layers[i];
            let name = layer.tensor.name.as_str();
            let value = &outputs[name];
            let shape = lengths(value.shape());
            let place = layer.counted();
            let n_rows = place.map_or(1, |place| place.n_rows(&shape));
            ensure!(
                n_rows == n_run,
                "layer \"{name}\" gives {n_rows} rows for {n_run} pictures; choose one that keeps the batch axis"
            );
            match values(value, layer.tensor.element)? {
                Values::F32(values) => {
                    take(slot, Block::F4(rows(&in_picture_order(&values, &shape, place), n_run, n)?))?
                }
                Values::F64(values) => {
                    take(slot, Block::F8(rows(&in_picture_order(&values, &shape, place), n_run, n)?))?
                }
            }
        }
        Ok(())
    }
}

impl Layer {
    /// Whether each picture's values stand together, one picture behind the other.
    pub fn pictures_first(&self) -> bool {
        self.counted().is_none_or(|place| place.axis == 0 && place.outer == 1)
    }

    /// Which axis counts pictures and nothing else; `None` where the layer is one picture's, or counts more along it:
    /// the axes of a single picture are then all its own.
    pub fn pictures_axis(&self) -> Option<usize> {
        self.counted().filter(|place| place.outer == 1 && place.inner == 1).map(|place| place.axis)
    }

    fn counted(&self) -> Option<Counted> {
        match self.pictures {
            Some(Pictures::Axis(place)) => Some(place),
            Some(Pictures::Whole) | None => None,
        }
    }

    fn unusable(&self) -> Option<String> {
        let name = &self.tensor.name;
        if !self.tensor.is_tensor() {
            return Some(format!("layer \"{name}\" holds no tensor ({})", self.tensor.element.name()));
        }
        if !self.tensor.element.is_float() {
            return Some(format!(
                "layer \"{name}\" holds {}, not floating-point activations",
                self.tensor.element.name()
            ));
        }
        self.pictures
            .is_none()
            .then(|| format!("layer \"{name}\" ({}) has no axis that counts pictures", shape_text(&self.tensor.axes)))
    }
}

/// The values of a floating-point tensor; those of half precision are widened.
enum Values<'a> {
    F32(Cow<'a, [f32]>),
    F64(Cow<'a, [f64]>),
}

fn values(value: &DynValue, element: Element) -> Result<Values<'_>> {
    Ok(match element {
        Element::F64 => Values::F64(value.try_extract_tensor::<f64>().map_err(plain)?.1.into()),
        Element::BF16 => {
            let (_, values) = value.try_extract_tensor::<bf16>().map_err(plain)?;
            Values::F32(values.iter().map(|v| v.to_f32()).collect())
        }
        Element::F16 => {
            let (_, values) = value.try_extract_tensor::<f16>().map_err(plain)?;
            Values::F32(values.iter().map(|v| v.to_f32()).collect())
        }
        _ => Values::F32(value.try_extract_tensor::<f32>().map_err(plain)?.1.into()),
    })
}

/// The first `n` of `n_run` rows.
fn rows<T>(values: &[T], n_run: usize, n: usize) -> Result<ArrayView2<'_, T>> {
    let n_units = values.len() / n_run;
    Ok(ArrayView2::from_shape((n, n_units), &values[..n * n_units])?)
}

/// Every output of the model in `bytes`, with the shape that the runtime infers and, where that
/// tells, its numbers per picture.
pub fn outputs(runtime: &Runtime, bytes: &[u8], folder: &Path) -> Result<Vec<(TensorInfo, Option<usize>)>> {
    let execution = Execution { device: Device::Cpu, tf32: false, threads: 1 };
    let session = session(runtime, bytes, folder, &execution, GraphOptimizationLevel::Disable)?;
    let batch = batch_of(&session.inputs().iter().map(TensorInfo::of).collect::<Vec<_>>());
    let described = |outlet| {
        let info = TensorInfo::of(outlet);
        let n_units = batch.as_ref().and_then(|batch| units_per_picture(&info.axes, batch));
        (info, n_units)
    };
    Ok(session.outputs().iter().map(described).collect())
}

fn session(
    runtime: &Runtime,
    bytes: &[u8],
    folder: &Path,
    execution: &Execution,
    level: GraphOptimizationLevel,
) -> Result<Session> {
    execution
        .builder(runtime)?
        .with_optimization_level(level)
        .map_err(plain)?
        .with_config_entry("session.model_external_initializers_file_folder_path", folder.to_string_lossy())
        .map_err(plain)?
        .commit_from_memory(bytes)
        .map_err(plain)
}
