//! What is known of a tensor at the border of a network: its name, kind of number, axes and layout.

use ort::value::{Outlet, TensorElementType, ValueType};
use std::fmt;

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

    pub(super) fn named(&self) -> Option<&str> {
        match self {
            Self::Symbol(name) if !name.is_empty() => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    pub(super) fn of(outlet: &Outlet) -> Self {
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
    pub(super) fn is_tensor(&self) -> bool {
        !matches!(self.element, Element::Other("sequence" | "map" | "optional"))
    }
}

/// Axes as `Nx64x7x7`; an axis without length or name is `?`.
pub fn shape_text(axes: &[Axis]) -> String {
    axes.iter().map(Axis::to_string).collect::<Vec<_>>().join("x")
}

pub(super) fn lengths(shape: &[i64]) -> Vec<usize> {
    shape.iter().map(|&n| usize::try_from(n).unwrap_or(0)).collect()
}

/// Where the colour axis of the model's input lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Picture, colour, row, column (PyTorch).
    Nchw,
    /// Picture, row, column, colour (TensorFlow).
    Nhwc,
}

impl Layout {
    /// The name used in sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nchw => "NCHW",
            Self::Nhwc => "NHWC",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Axes written as the listing shows them.
    pub fn axes(text: &str) -> Vec<Axis> {
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
}
