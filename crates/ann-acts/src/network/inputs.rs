//! What a network is given: a batch of pictures, and constants for inputs that are no pictures.

use crate::network::runtime::plain;
use crate::network::tensor::{Axis, Element, Layout, TensorInfo, shape_text};
use crate::pictures::Size;
use anyhow::{Result, bail, ensure};
use half::{bf16, f16};
use ort::value::{DynValue, PrimitiveTensorElementType, Tensor};
use std::borrow::Cow;
use std::str::FromStr;

/// What the user says about inputs.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct InputsAsked {
    /// The input that takes the pictures, where the network has several that could
    #[arg(long = "input", value_name = "NAME", conflicts_with = "list_layers")]
    pub pictures: Option<String>,

    /// What another input of the network gets, one number all over; repeat for more
    #[arg(long, value_name = "NAME=VALUE", conflicts_with = "list_layers")]
    pub set: Vec<Setting>,
}

/// `NAME=VALUE`: one number for all of an input.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The input.
    pub name: String,
    /// The number; true is 1.
    pub value: f64,
}

impl FromStr for Setting {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("{text:?}: expected NAME=VALUE, VALUE a number, true or false");
        let (name, value) = text.rsplit_once('=').ok_or_else(expected)?;
        let value = match value {
            "true" => 1.0,
            "false" => 0.0,
            number => number.parse().map_err(|_| expected())?,
        };
        if name.is_empty() { Err(expected()) } else { Ok(Self { name: name.into(), value }) }
    }
}

/// An input that gets one number all over.
#[derive(Debug, Clone, PartialEq)]
pub struct SetInput {
    /// Its name.
    pub name: String,
    element: Element,
    axes: Vec<Axis>,
    value: f64,
}

impl SetInput {
    fn new(info: &TensorInfo, value: f64) -> Result<Self> {
        let set = Self { name: info.name.clone(), element: info.element, axes: info.axes.clone(), value };
        ensure!(
            set.fits(),
            "--set {}={value}: the input holds {}, which cannot be {value}",
            set.name,
            set.element.name()
        );
        Ok(set)
    }

    /// Whether the kind of number can hold the value exactly, or as near as floating point gets.
    fn fits(&self) -> bool {
        let v = self.value;
        let whole = |low: f64, high: f64| v.fract() == 0.0 && (low..=high).contains(&v);
        match self.element {
            Element::F64 => true,
            Element::F32 => !v.is_finite() || (v as f32).is_finite(),
            Element::F16 => !v.is_finite() || f16::from_f64(v).is_finite(),
            Element::BF16 => !v.is_finite() || bf16::from_f64(v).is_finite(),
            Element::U8 => whole(0.0, 255.0),
            Element::Other("bool") => v == 0.0 || v == 1.0,
            Element::Other("i1") => whole(f64::from(i8::MIN), f64::from(i8::MAX)),
            Element::Other("i2") => whole(f64::from(i16::MIN), f64::from(i16::MAX)),
            Element::Other("i4") => whole(f64::from(i32::MIN), f64::from(i32::MAX)),
            Element::Other("u2") => whole(0.0, f64::from(u16::MAX)),
            Element::Other("u4") => whole(0.0, f64::from(u32::MAX)),
            // Beyond 2^53 not every whole number is a double.
            Element::Other("i8") => whole(-9e15, 9e15),
            Element::Other("u8") => whole(0.0, 9e15),
            _ => false,
        }
    }

    /// The tensor for `n` pictures. An axis with the name of the pictures' is `n` long, and so is a first axis without
    /// a name; any other open one is 1 long.
    pub(crate) fn value(&self, n: usize, pictures: &Axis) -> Result<DynValue> {
        let length = |(place, axis): (usize, &Axis)| match axis {
            Axis::Fixed(length) => *length,
            Axis::Symbol(name) if name.is_empty() => [1, n][usize::from(place == 0)],
            open if open == pictures => n,
            Axis::Symbol(_) => 1,
        };
        let shape: Vec<usize> = self.axes.iter().enumerate().map(length).collect();
        let v = self.value;
        match self.element {
            Element::F64 => filled(shape, v),
            Element::F16 => filled(shape, f16::from_f64(v)),
            Element::BF16 => filled(shape, bf16::from_f64(v)),
            Element::U8 => filled(shape, v as u8),
            Element::Other("bool") => filled(shape, v != 0.0),
            Element::Other("i1") => filled(shape, v as i8),
            Element::Other("i2") => filled(shape, v as i16),
            Element::Other("i4") => filled(shape, v as i32),
            Element::Other("i8") => filled(shape, v as i64),
            Element::Other("u2") => filled(shape, v as u16),
            Element::Other("u4") => filled(shape, v as u32),
            Element::Other("u8") => filled(shape, v as u64),
            _ => filled(shape, v as f32),
        }
    }
}

fn filled<T: PrimitiveTensorElementType + Clone + std::fmt::Debug + 'static>(
    shape: Vec<usize>,
    value: T,
) -> Result<DynValue> {
    let n_values = shape.iter().product();
    Ok(Tensor::from_array((shape, vec![value; n_values])).map_err(plain)?.into_dyn())
}

/// The axis that counts pictures in the input that takes them, as far as it can be told; the first input's otherwise.
pub(crate) fn batch_of(inputs: &[TensorInfo]) -> Option<Axis> {
    let pictures = inputs.iter().find(|input| PictureInput::of(input).is_ok());
    pictures.or(inputs.first()).and_then(|input| input.axes.first().cloned())
}

/// Which input takes the pictures, and what the others get.
///
/// One that is named, or the only one, or the only one that could hold pictures. Every other must have been set.
pub(crate) fn sort_out(inputs: &[TensorInfo], asked: &InputsAsked) -> Result<(String, PictureInput, Vec<SetInput>)> {
    let described = |info: &TensorInfo| format!("{} ({} {})", info.name, shape_text(&info.axes), info.element.name());
    let all = || inputs.iter().map(described).collect::<Vec<_>>().join(", ");
    for (i, setting) in asked.set.iter().enumerate() {
        ensure!(
            !asked.set[..i].iter().any(|earlier| earlier.name == setting.name),
            "--set {}: given twice; an input has one value",
            setting.name
        );
        ensure!(
            asked.pictures.as_ref() != Some(&setting.name),
            "--set {}: takes the pictures (--input); it cannot be set too",
            setting.name
        );
        ensure!(
            inputs.iter().any(|input| input.name == setting.name),
            "--set {}: the layers asked for depend on no such input; they depend on {}",
            setting.name,
            all()
        );
    }
    let is_set = |input: &&TensorInfo| asked.set.iter().any(|setting| setting.name == input.name);
    let pictures = match &asked.pictures {
        Some(name) => match inputs.iter().find(|input| input.name == *name) {
            Some(input) => input,
            None => bail!("--input {name}: the layers asked for depend on no such input; they depend on {}", all()),
        },
        None => {
            let free: Vec<&TensorInfo> = inputs.iter().filter(|input| !is_set(input)).collect();
            let like_pictures: Vec<&TensorInfo> =
                free.iter().copied().filter(|input| PictureInput::of(input).is_ok()).collect();
            match (free.as_slice(), like_pictures.as_slice()) {
                ([], _) => bail!("the layers asked for depend on no input that takes pictures"),
                (&[one], _) | (_, &[one]) => one,
                (_, []) => bail!("none of the inputs {} takes pictures", all()),
                _ => bail!("several inputs could take the pictures: {}; name one with --input", all()),
            }
        }
    };
    let input = PictureInput::of(pictures)?;
    let mut set = Vec::new();
    let mut unset = Vec::new();
    for other in inputs.iter().filter(|other| other.name != pictures.name) {
        match asked.set.iter().find(|setting| setting.name == other.name) {
            Some(setting) => set.push(SetInput::new(other, setting.value)?),
            None => unset.push(described(other)),
        }
    }
    ensure!(
        unset.is_empty(),
        "the layers asked for depend on {} inputs; pictures go into \"{}\", set the other{} with --set NAME=VALUE: {}",
        inputs.len(),
        pictures.name,
        if unset.len() == 1 { "" } else { "s" },
        unset.join(", ")
    );
    Ok((pictures.name.clone(), input, set))
}

/// What a network takes: one batch of pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureInput {
    /// Kind of number.
    pub element: Element,
    /// Where the colours lie.
    pub layout: Layout,
    /// Number of colours: 3, or 1 for grey.
    pub channels: usize,
    /// Number of pictures in a batch.
    pub batch: Axis,
    /// Number of rows.
    pub height: Axis,
    /// Pixels per row.
    pub width: Axis,
}

impl PictureInput {
    fn of(input: &TensorInfo) -> Result<Self> {
        let shape = shape_text(&input.axes);
        let [batch, a, b, c] = input.axes.as_slice() else {
            bail!(
                "input \"{}\" has {} axes ({shape}), expected 4: picture, colour, row, column in some order",
                input.name,
                input.axes.len()
            );
        };
        // A colour axis of unknown length is taken for PyTorch's, where exporters leave it open.
        let (layout, channels, height, width) = match (a.fixed(), c.fixed()) {
            (Some(3), _) => (Layout::Nchw, 3, b, c),
            (_, Some(3)) => (Layout::Nhwc, 3, a, b),
            (Some(1), _) => (Layout::Nchw, 1, b, c),
            (_, Some(1)) => (Layout::Nhwc, 1, a, b),
            (None, None) => (Layout::Nchw, 3, b, c),
            _ => bail!(
                "input \"{}\" is {shape}: neither axis 1 nor axis 3 holds 3 colours or 1 channel of grey",
                input.name
            ),
        };
        ensure!(
            matches!(input.element, Element::F32 | Element::F16 | Element::U8),
            "input \"{}\" holds {}, expected f4, f2 or u1",
            input.name,
            input.element.name()
        );
        Ok(Self {
            element: input.element,
            layout,
            channels,
            batch: batch.clone(),
            height: height.clone(),
            width: width.clone(),
        })
    }

    /// Whether pictures of this size fit; an axis of open length takes any.
    pub fn takes(&self, size: Size) -> bool {
        self.height.fixed().is_none_or(|n| n == size.height) && self.width.fixed().is_none_or(|n| n == size.width)
    }

    pub(crate) fn shape(&self, n: usize, size: Size) -> [usize; 4] {
        match self.layout {
            Layout::Nchw => [n, self.channels, size.height, size.width],
            Layout::Nhwc => [n, size.height, size.width, self.channels],
        }
    }
}

/// The values of one batch, pictures first.
#[derive(Debug, Clone, PartialEq)]
pub enum Batch {
    /// For a network that takes 32-bit floats.
    F32(Vec<f32>),
    /// For one that takes 16-bit floats.
    F16(Vec<f16>),
    /// For one that takes bytes.
    U8(Vec<u8>),
}

impl Batch {
    pub(crate) fn zeros(element: Element, n: usize) -> Self {
        match element {
            Element::F16 => Self::F16(vec![f16::ZERO; n]),
            Element::U8 => Self::U8(vec![0; n]),
            _ => Self::F32(vec![0.0; n]),
        }
    }

    /// Batches of one kind, one behind the other.
    pub(crate) fn joined<'a>(batches: impl Iterator<Item = &'a Self>) -> Self {
        let mut batches = batches;
        let mut joined = batches.next().cloned().unwrap_or_else(|| Self::F32(Vec::new()));
        for batch in batches {
            match (&mut joined, batch) {
                (Self::F32(all), Self::F32(more)) => all.extend(more),
                (Self::F16(all), Self::F16(more)) => all.extend(more),
                (Self::U8(all), Self::U8(more)) => all.extend(more),
                // A feed makes batches of one kind only.
                _ => {}
            }
        }
        joined
    }

    /// Adds zeros up to `n` values.
    pub(crate) fn pad(&mut self, n: usize) {
        match self {
            Self::F32(values) => values.resize(n, 0.0),
            Self::F16(values) => values.resize(n, f16::ZERO),
            Self::U8(values) => values.resize(n, 0),
        }
    }

    /// The values as 32-bit floats.
    pub fn to_f32(&self) -> Cow<'_, [f32]> {
        match self {
            Self::F32(values) => Cow::Borrowed(values),
            Self::F16(values) => values.iter().map(|value| value.to_f32()).collect(),
            Self::U8(values) => values.iter().map(|&value| f32::from(value)).collect(),
        }
    }

    pub(crate) fn into_value(self, shape: [usize; 4]) -> Result<DynValue> {
        Ok(match self {
            Self::F32(values) => Tensor::from_array((shape, values)).map_err(plain)?.into_dyn(),
            Self::F16(values) => Tensor::from_array((shape, values)).map_err(plain)?.into_dyn(),
            Self::U8(values) => Tensor::from_array((shape, values)).map_err(plain)?.into_dyn(),
        })
    }
}
