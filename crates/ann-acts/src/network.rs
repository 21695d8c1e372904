//! A network that was cut to the wanted layers: what it takes, what it gives, and running it.
//!
//! ONNX Runtime infers the shapes. Which axis counts pictures is read from the names of the axes
//! and, where they leave it open, from what grows when two pictures are given instead of one.

use crate::device::{Device, Execution};
use crate::inputs::{Batch, InputsAsked, PictureInput, SetInput, batch_of, sort_out};
use crate::preprocess::Size;
use crate::runtime::{Runtime, plain};
use anyhow::{Context, Result, ensure};
use half::{bf16, f16};
use ndarray::ArrayView2;
use npy_stream::Block;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{DynValue, Outlet, TensorElementType, ValueType};
use std::borrow::Cow;
use std::path::Path;

/// Kind of number in a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point.
    F16,
    /// 64-bit floating point.
    F64,
    /// Unsigned bytes.
    U8,
    /// 16-bit floating point with the exponent of a 32-bit one.
    BF16,
    /// Anything else; text as the listing shows it.
    Other(&'static str),
}

impl Element {
    /// Short name in NumPy's manner.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f4",
            Self::F16 => "f2",
            Self::BF16 => "bf2",
            Self::F64 => "f8",
            Self::U8 => "u1",
            Self::Other(name) => name,
        }
    }

    /// Whether it can be an activation.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F16 | Self::BF16 | Self::F64)
    }

    fn of(element: TensorElementType) -> Self {
        use TensorElementType as T;
        match element {
            T::Float32 => Self::F32,
            T::Float16 => Self::F16,
            T::Float64 => Self::F64,
            T::Uint8 => Self::U8,
            T::Int8 => Self::Other("i1"),
            T::Int16 => Self::Other("i2"),
            T::Int32 => Self::Other("i4"),
            T::Int64 => Self::Other("i8"),
            T::Uint16 => Self::Other("u2"),
            T::Uint32 => Self::Other("u4"),
            T::Uint64 => Self::Other("u8"),
            T::Bool => Self::Other("bool"),
            T::String => Self::Other("string"),
            T::Bfloat16 => Self::BF16,
            _ => Self::Other("other"),
        }
    }
}

/// One axis of a tensor as far as it is known before a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Axis {
    /// A length.
    Fixed(usize),
    /// A length that depends on the input, by name; the name may be empty.
    Symbol(String),
}

impl Axis {
    /// The length if it is fixed.
    pub fn fixed(&self) -> Option<usize> {
        match self {
            Self::Fixed(n) => Some(*n),
            Self::Symbol(_) => None,
        }
    }

    fn named(&self) -> Option<&str> {
        match self {
            Self::Symbol(name) if !name.is_empty() => Some(name),
            _ => None,
        }
    }
}

impl std::fmt::Display for Axis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(n) => write!(f, "{n}"),
            Self::Symbol(name) if name.is_empty() => f.write_str("?"),
            Self::Symbol(name) => f.write_str(name),
        }
    }
}

/// A tensor at the border of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// Its kind of number.
    pub element: Element,
    /// Its axes.
    pub axes: Vec<Axis>,
}

impl TensorInfo {
    fn of(outlet: &Outlet) -> Self {
        let name = outlet.name();
        match outlet.dtype() {
            ValueType::Tensor { ty, shape, dimension_symbols } => {
                let axis = |(&n, symbol): (&i64, &String)| match usize::try_from(n) {
                    Ok(n) => Axis::Fixed(n),
                    Err(_) => Axis::Symbol(symbol.clone()),
                };
                Self {
                    name: name.to_string(),
                    element: Element::of(*ty),
                    axes: shape.iter().zip(dimension_symbols.iter()).map(axis).collect(),
                }
            }
            _ => Self { name: name.to_string(), element: Element::Other("other"), axes: Vec::new() },
        }
    }
}

/// Which axis of a layer counts pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pictures {
    /// This one.
    Axis(usize),
    /// None: the network takes one picture at a time, and the layer is that picture's.
    Whole,
}

/// A layer that the network gives.
pub struct Layer {
    /// Its tensor.
    pub tensor: TensorInfo,
    pictures: Option<Pictures>,
}

/// A network cut to the wanted layers, ready to run.
pub struct Network {
    session: Session,
    input_name: String,
    set: Vec<SetInput>,
    /// What it takes.
    pub input: PictureInput,
    /// The layers it gives, in the order asked.
    pub layers: Vec<Layer>,
}

impl Network {
    /// Opens the model in `bytes`, whose outputs are the wanted layers.
    ///
    /// `folder` is where weights outside the file are looked for; `asked` says which input takes the pictures, where
    /// that is not plain, and what the others get.
    pub fn open(
        runtime: &Runtime,
        bytes: &[u8],
        folder: &Path,
        execution: &Execution,
        asked: &InputsAsked,
    ) -> Result<Self> {
        let session = session(runtime, bytes, folder, execution, GraphOptimizationLevel::All)?;
        let inputs: Vec<TensorInfo> = session.inputs().iter().map(TensorInfo::of).collect();
        let (input_name, input, set) = sort_out(&inputs, asked)?;
        let layers = session
            .outputs()
            .iter()
            .map(|outlet| {
                let tensor = TensorInfo::of(outlet);
                let pictures = pictures_axis(&tensor.axes, &input.batch);
                Layer { tensor, pictures }
            })
            .collect();
        Ok(Self { session, input_name, set, input, layers })
    }

    /// Why a layer gives no row of numbers per picture, for each layer; `None` where it does.
    ///
    /// Where names of axes leave open which one counts pictures, one and two black pictures of
    /// `size` are run and the axis that grows is taken.
    pub fn settle(&mut self, size: Size) -> Result<Vec<Option<String>>> {
        let open = |layer: &Layer| layer.tensor.element.is_float() && layer.pictures.is_none();
        if self.input.batch.fixed().is_none() && self.layers.iter().any(open) {
            let one = self.shapes(1, size)?;
            let two = self.shapes(2, size)?;
            for (layer, (one, two)) in self.layers.iter_mut().zip(one.iter().zip(&two)) {
                layer.pictures = layer.pictures.or(growing_axis(one, two));
            }
        }
        Ok(self.layers.iter().map(Layer::unusable).collect())
    }

    /// Number of units of each layer, measured on black pictures.
    pub fn n_units(&mut self, size: Size) -> Result<Vec<usize>> {
        let n_run = self.input.batch.fixed().unwrap_or(1);
        Ok(self.shapes(n_run, size)?.iter().map(|shape| shape.iter().product::<usize>() / n_run).collect())
    }

    /// Runs `n` pictures and gives all values of each output, which need not have an axis of pictures.
    pub fn fetch(&mut self, batch: Batch, n: usize, size: Size) -> Result<Vec<Vec<f64>>> {
        let inputs = self.inputs(batch, self.input.shape(n, size))?;
        let outputs = self.session.run(inputs).map_err(plain)?;
        let values = |layer: &Layer| -> Result<Vec<f64>> {
            let value = &outputs[layer.tensor.name.as_str()];
            Ok(match layer.tensor.element {
                Element::F64 => value.try_extract_tensor::<f64>().map_err(plain)?.1.to_vec(),
                _ => value.try_extract_tensor::<f32>().map_err(plain)?.1.iter().map(|&v| f64::from(v)).collect(),
            })
        };
        self.layers.iter().map(values).collect()
    }

    /// Shape of each layer for one batch of `n` black pictures, and which of its axes counts them.
    pub fn measured(&mut self, size: Size) -> Result<Vec<(Vec<usize>, Option<usize>)>> {
        let n_run = self.input.batch.fixed().unwrap_or(1);
        let shapes = self.shapes(n_run, size)?;
        let axis = |layer: &Layer| match layer.pictures {
            Some(Pictures::Axis(axis)) => Some(axis),
            Some(Pictures::Whole) | None => None,
        };
        Ok(shapes.into_iter().zip(self.layers.iter().map(axis)).collect())
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
        let inputs = self.inputs(black, shape)?;
        let outputs = self.session.run(inputs).map_err(plain)?;
        self.layers
            .iter()
            .map(|layer| {
                let name = layer.tensor.name.as_str();
                let (_, values) = outputs[name].try_extract_tensor::<i64>().map_err(plain)?;
                Ok((name.to_string(), values.to_vec()))
            })
            .collect()
    }

    fn shapes(&mut self, n: usize, size: Size) -> Result<Vec<Vec<usize>>> {
        let shape = self.input.shape(n, size);
        let black = Batch::zeros(self.input.element, shape.iter().product());
        let inputs = self.inputs(black, shape)?;
        let outputs = self.session.run(inputs).map_err(plain)?;
        Ok(self.layers.iter().map(|layer| lengths(outputs[layer.tensor.name.as_str()].shape())).collect())
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
        let outputs = self.session.run(inputs).map_err(plain).with_context(|| {
            format!("the network cannot run a batch of {n_run}; if it was exported for one picture, use --batch 1")
        })?;
        for (slot, &i) in wanted.iter().enumerate() {
            let layer = &self.layers[i];
            let name = layer.tensor.name.as_str();
            let value = &outputs[name];
            let shape = lengths(value.shape());
            let axis = match layer.pictures {
                Some(Pictures::Whole) | None => None,
                Some(Pictures::Axis(axis)) => Some(axis),
            };
            let n_rows = axis.map_or(1, |axis| shape[axis]);
            ensure!(
                n_rows == n_run,
                "layer \"{name}\" gives {n_rows} rows for {n_run} pictures; choose one that keeps the batch axis"
            );
            match layer.tensor.element {
                Element::F64 => {
                    let (_, values) = value.try_extract_tensor::<f64>().map_err(plain)?;
                    take(slot, Block::F8(rows(&in_picture_order(values, &shape, axis), n_run, n)?))?;
                }
                Element::BF16 => {
                    let (_, values) = value.try_extract_tensor::<bf16>().map_err(plain)?;
                    let values: Vec<f32> = values.iter().map(|v| v.to_f32()).collect();
                    take(slot, Block::F4(rows(&in_picture_order(&values, &shape, axis), n_run, n)?))?;
                }
                Element::F16 => {
                    let (_, values) = value.try_extract_tensor::<f16>().map_err(plain)?;
                    let values: Vec<f32> = values.iter().map(|v| v.to_f32()).collect();
                    take(slot, Block::F4(rows(&in_picture_order(&values, &shape, axis), n_run, n)?))?;
                }
                _ => {
                    let (_, values) = value.try_extract_tensor::<f32>().map_err(plain)?;
                    take(slot, Block::F4(rows(&in_picture_order(values, &shape, axis), n_run, n)?))?;
                }
            }
        }
        Ok(())
    }
}

impl Layer {
    /// Whether each picture's values stand together, one picture behind the other.
    pub fn pictures_first(&self) -> bool {
        matches!(self.pictures, Some(Pictures::Axis(0) | Pictures::Whole))
    }

    /// Which axis counts pictures; `None` where the layer is one picture's.
    pub fn pictures_axis(&self) -> Option<usize> {
        match self.pictures {
            Some(Pictures::Axis(axis)) => Some(axis),
            Some(Pictures::Whole) | None => None,
        }
    }

    fn unusable(&self) -> Option<String> {
        let name = &self.tensor.name;
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

/// Axes as `Nx64x7x7`; an axis without length or name is `?`.
pub fn shape_text(axes: &[Axis]) -> String {
    axes.iter().map(Axis::to_string).collect::<Vec<_>>().join("x")
}

fn lengths(shape: &[i64]) -> Vec<usize> {
    shape.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect()
}

/// The pictures' axis as far as names and lengths tell.
fn pictures_axis(axes: &[Axis], batch: &Axis) -> Option<Pictures> {
    match batch {
        Axis::Fixed(1) => Some(Pictures::Whole),
        Axis::Fixed(n) => (axes.first().and_then(Axis::fixed) == Some(*n)).then_some(Pictures::Axis(0)),
        Axis::Symbol(_) => {
            let name = batch.named()?;
            (axes.first().and_then(Axis::named) == Some(name)).then_some(Pictures::Axis(0))
        }
    }
}

/// The one axis that is 1 long for one picture and 2 for two, when no other changes.
fn growing_axis(one: &[usize], two: &[usize]) -> Option<Pictures> {
    if one.len() != two.len() {
        return None;
    }
    let mut changed = one.iter().zip(two).enumerate().filter(|(_, (a, b))| a != b);
    match (changed.next(), changed.next()) {
        (Some((axis, (1, 2))), None) => Some(Pictures::Axis(axis)),
        _ => None,
    }
}

/// The values with the pictures' axis first, copied only where it is not first already.
fn in_picture_order<'a, T: Copy>(values: &'a [T], shape: &[usize], axis: Option<usize>) -> Cow<'a, [T]> {
    let Some(axis) = axis.filter(|&axis| axis > 0) else {
        return Cow::Borrowed(values);
    };
    let n_pictures = shape[axis];
    let n_after: usize = shape[axis + 1..].iter().product();
    let mut ordered = Vec::with_capacity(values.len());
    for picture in 0..n_pictures {
        for before in values.chunks_exact(n_pictures * n_after) {
            ordered.extend_from_slice(&before[picture * n_after..(picture + 1) * n_after]);
        }
    }
    Cow::Owned(ordered)
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

/// Product of the axes that do not count pictures; `None` where one is open or none is known to count them.
fn units_per_picture(axes: &[Axis], batch: &Axis) -> Option<usize> {
    // A first axis without length or name is the batch that an exporter forgot to name.
    let forgotten = || (axes.first().is_some_and(|axis| axis.fixed().is_none())).then_some(Pictures::Axis(0));
    let counted = match pictures_axis(axes, batch).or_else(forgotten)? {
        Pictures::Axis(axis) => &axes[axis + 1..],
        Pictures::Whole => axes,
    };
    counted.iter().map(Axis::fixed).product()
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

#[cfg(test)]
mod tests {
    use super::*;

    fn axes(text: &str) -> Vec<Axis> {
        let axis = |part: &str| match part.parse() {
            Ok(n) => Axis::Fixed(n),
            Err(_) => Axis::Symbol(part.trim_matches('?').to_string()),
        };
        text.split('x').map(axis).collect()
    }

    #[test]
    fn shapes_are_shown_as_they_are_read() {
        for text in ["Nx64x7x7", "?x3", "1x1000"] {
            assert_eq!(shape_text(&axes(text)), text);
        }
    }

    #[test]
    fn the_axis_of_pictures_is_told_by_name_or_length_or_by_growing() {
        let axis = |shape, batch| pictures_axis(&axes(shape), &axes(batch)[0]);
        assert_eq!(axis("Nx64", "N"), Some(Pictures::Axis(0)));
        assert_eq!(axis("64xN", "N"), None);
        assert_eq!(axis("?x64", "?"), None);
        assert_eq!(axis("4x64", "4"), Some(Pictures::Axis(0)));
        assert_eq!(axis("3x64", "4"), None);
        assert_eq!(axis("64", "1"), Some(Pictures::Whole));
        assert_eq!(growing_axis(&[49, 1, 8], &[49, 2, 8]), Some(Pictures::Axis(1)));
        assert_eq!(growing_axis(&[64, 8], &[128, 8]), None);
        assert_eq!(growing_axis(&[8], &[8]), None);
        assert_eq!(growing_axis(&[1, 1], &[2, 2]), None);
    }

    #[test]
    fn units_are_counted_without_the_pictures() {
        let units = |shape, batch| units_per_picture(&axes(shape), &axes(batch)[0]);
        assert_eq!(units("Nx64x7x7", "N"), Some(3136));
        assert_eq!(units("?x64", "?"), Some(64));
        assert_eq!(units("Nx64xHxW", "N"), None);
        assert_eq!(units("1x10", "1"), Some(10));
        assert_eq!(units("4", "N"), None);
    }

    /// Two rows (before), three pictures, two values each: 0 1 | 2 3 | 4 5 // 6 7 | 8 9 | 10 11.
    #[test]
    fn values_are_gathered_by_picture() {
        let values: Vec<i32> = (0..12).collect();
        let ordered = in_picture_order(&values, &[2, 3, 2], Some(1));
        assert_eq!(*ordered, [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
        assert!(matches!(in_picture_order(&values, &[3, 4], Some(0)), Cow::Borrowed(_)));
    }
}
