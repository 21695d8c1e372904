//! A network that was cut to the wanted layers: what it takes, what it gives, and running it.
//!
//! ONNX Runtime infers the shapes. Which axis counts pictures is told by what grows when more pictures are given, and
//! [`Network::prove`] shows that each row is one picture's.

use crate::device::{Device, Execution};
use crate::inputs::{Batch, InputsAsked, PictureInput, SetInput, batch_of, sort_out};
use crate::preprocess::Size;
use crate::runtime::{Runtime, plain};
use anyhow::{Context, Result, bail, ensure};
use half::{bf16, f16};
use ndarray::ArrayView2;
use npy_stream::Block;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{HasSelectedOutputs, OutputSelector, RunOptions, Session, SessionOutputs};
use ort::value::{DynValue, Outlet, TensorElementType, ValueType};
use std::borrow::Cow;
use std::path::Path;

mod proof;
pub use proof::Proof;

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
            ValueType::Sequence(_) => Self::no_tensor(name, "sequence"),
            ValueType::Map { .. } => Self::no_tensor(name, "map"),
            ValueType::Optional(_) => Self::no_tensor(name, "optional"),
        }
    }

    fn no_tensor(name: &str, what: &'static str) -> Self {
        Self { name: name.to_string(), element: Element::Other(what), axes: Vec::new() }
    }

    /// Whether it is a tensor of numbers, truth values or text.
    fn is_tensor(&self) -> bool {
        !matches!(self.element, Element::Other("sequence" | "map" | "optional"))
    }
}

/// Where a layer counts pictures: along this axis, of which index (i * n + picture) * inner + j is the picture's, i below
/// `outer`.
///
/// Windows, heads and tokens of a picture that share the axis with the pictures are such i and j; an axis of pictures alone has
/// 1 for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    axis: usize,
    outer: usize,
    inner: usize,
}

impl Counted {
    fn axis(axis: usize) -> Self {
        Self { axis, outer: 1, inner: 1 }
    }

    /// Values of one picture that stand together, and how many rows the tensor holds.
    fn after(self, shape: &[usize]) -> usize {
        self.inner * shape[self.axis + 1..].iter().product::<usize>()
    }

    fn n_rows(self, shape: &[usize]) -> usize {
        shape[self.axis] / (self.outer * self.inner)
    }
}

/// Where a layer counts pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pictures {
    /// Here.
    Axis(Counted),
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
        let values = |(name, element): &(String, Element)| -> Result<Vec<f64>> {
            let value = &outputs[name.as_str()];
            Ok(match element {
                Element::F64 => value.try_extract_tensor::<f64>().map_err(plain)?.1.to_vec(),
                _ => value.try_extract_tensor::<f32>().map_err(plain)?.1.iter().map(|&v| f64::from(v)).collect(),
            })
        };
        infos.iter().map(values).collect()
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
            match layer.tensor.element {
                Element::F64 => {
                    let (_, values) = value.try_extract_tensor::<f64>().map_err(plain)?;
                    take(slot, Block::F8(rows(&in_picture_order(values, &shape, place), n_run, n)?))?;
                }
                Element::BF16 => {
                    let (_, values) = value.try_extract_tensor::<bf16>().map_err(plain)?;
                    let values: Vec<f32> = values.iter().map(|v| v.to_f32()).collect();
                    take(slot, Block::F4(rows(&in_picture_order(&values, &shape, place), n_run, n)?))?;
                }
                Element::F16 => {
                    let (_, values) = value.try_extract_tensor::<f16>().map_err(plain)?;
                    let values: Vec<f32> = values.iter().map(|v| v.to_f32()).collect();
                    take(slot, Block::F4(rows(&in_picture_order(&values, &shape, place), n_run, n)?))?;
                }
                _ => {
                    let (_, values) = value.try_extract_tensor::<f32>().map_err(plain)?;
                    take(slot, Block::F4(rows(&in_picture_order(values, &shape, place), n_run, n)?))?;
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

    /// Which axis counts pictures and nothing else; `None` where the layer is one picture's, or counts more along it: the
    /// axes of a single picture are then all its own.
    pub fn pictures_axis(&self) -> Option<usize> {
        self.counted().filter(|place| place.outer == 1 && place.inner == 1).map(|place| place.axis)
    }

    fn counted(&self) -> Option<Counted> {
        match self.pictures {
            Some(Pictures::Axis(place)) => Some(place),
            Some(Pictures::Whole) | None => None,
        }
    }

    /// Whether other things than pictures are counted along the pictures' axis.
    pub fn is_merged(&self) -> bool {
        self.counted().is_some() && self.pictures_axis().is_none()
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
        Axis::Fixed(n) => (axes.first().and_then(Axis::fixed) == Some(*n)).then_some(Pictures::Axis(Counted::axis(0))),
        Axis::Symbol(_) => {
            let name = batch.named()?;
            // A second axis of that name counts pictures too, and no row is one picture's.
            let own = axes.iter().filter(|axis| axis.named() == Some(name)).count() == 1;
            (own && axes[0].named() == Some(name)).then_some(Pictures::Axis(Counted::axis(0)))
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
        (Some((axis, (1, 2))), None) => Some(Pictures::Axis(Counted::axis(axis))),
        _ => None,
    }
}

/// The values picture by picture, each as it comes out for one picture alone, in C order; copied only where they do not
/// stand so already.
fn in_picture_order<'a, T: Copy>(values: &'a [T], shape: &[usize], place: Option<Counted>) -> Cow<'a, [T]> {
    let Some(place) = place.filter(|place| place.axis > 0 || place.outer > 1) else {
        return Cow::Borrowed(values);
    };
    let (n_pictures, n_after) = (place.n_rows(shape), place.after(shape));
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
    let forgotten =
        || (axes.first().is_some_and(|axis| axis.fixed().is_none())).then_some(Pictures::Axis(Counted::axis(0)));
    let counted = match pictures_axis(axes, batch).or_else(forgotten)? {
        Pictures::Axis(place) => &axes[place.axis + 1..],
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
        let counted = |axis| Some(Pictures::Axis(Counted::axis(axis)));
        assert_eq!(axis("Nx64", "N"), counted(0));
        assert_eq!(axis("NxN", "N"), None);
        assert_eq!(axis("64xN", "N"), None);
        assert_eq!(axis("?x64", "?"), None);
        assert_eq!(axis("4x64", "4"), counted(0));
        assert_eq!(axis("3x64", "4"), None);
        assert_eq!(axis("64", "1"), Some(Pictures::Whole));
        assert_eq!(growing_axis(&[49, 1, 8], &[49, 2, 8]), counted(1));
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
        let ordered = in_picture_order(&values, &[2, 3, 2], Some(Counted::axis(1)));
        assert_eq!(*ordered, [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
        // The same two rows and three pictures along one axis; and three pictures of two rows.
        let merged =
            |outer, inner| in_picture_order(&values, &[6, 2], Some(Counted { axis: 0, outer, inner })).to_vec();
        assert_eq!(merged(2, 1), *ordered);
        assert_eq!(merged(1, 2), values);
        assert!(matches!(in_picture_order(&values, &[3, 4], Some(Counted::axis(0))), Cow::Borrowed(_)));
    }
}
