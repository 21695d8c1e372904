//! The messages of an ONNX file, as far as they are read or written here.
//!
//! Weights are large: a tensor inside a decoded graph is a slice of the file's own bytes, and is
//! decoded when somebody asks for it. A message that is changed is rewritten field by field from
//! those bytes, so that what is not named here survives.

use half::f16;
use prost::Message;
use prost::bytes::Bytes;
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// `ModelProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Model {
    /// Which program wrote the file.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// The graph.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphBody>,
    /// The operator sets that it uses.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSet>,
}

/// `OperatorSetIdProto`.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSet {
    /// Empty or `ai.onnx` for the standard operators.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// The version.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// `GraphProto`.
#[derive(Clone, PartialEq, Message)]
pub struct GraphBody {
    /// Nodes, each after those it reads.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<Node>,
    /// Weights and constants: each a `TensorProto` that is not decoded.
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub initializer: Vec<Bytes>,
    /// Inputs; before IR version 4 the initializers stand here too.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<Named>,
    /// Outputs.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<Named>,
}

/// `NodeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// Names of the tensors it reads; an empty name is an input left out.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// Names of the tensors it makes; an empty name is an output not wanted.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its name; may be empty.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// The operator's settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<Attribute>,
    /// The operator's domain; empty for the standard ones.
    #[prost(string, tag = "7")]
    pub domain: String,
    /// What the exporter wrote about it.
    #[prost(message, repeated, tag = "9")]
    pub metadata_props: Vec<Entry>,
}

impl Node {
    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// An integer attribute, or its default.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    /// A node of the standard operator `op`.
    pub fn new(op: &str, inputs: &[&str], output: &str) -> Self {
        Self {
            input: inputs.iter().map(|name| name.to_string()).collect(),
            output: vec![output.to_string()],
            op_type: op.to_string(),
            ..Self::default()
        }
    }

    /// The node with one more attribute.
    pub fn with(mut self, attribute: Attribute) -> Self {
        self.attribute.push(attribute);
        self
    }
}

/// A node for messages: its name, else the tensor it makes, and its operator.
pub fn node_text(node: &Node) -> String {
    let name = if node.name.is_empty() { node.output.first().map_or("", String::as_str) } else { &node.name };
    format!("node \"{name}\" ({})", node.op_type)
}

/// How the names begin that are given to outputs.
pub const GIVEN: &str = "catsel/omitted/";

/// Whether an output has a name in the file.
pub fn is_named(output: &str) -> bool {
    !output.is_empty() && !output.starts_with(GIVEN)
}

/// `AttributeProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Attribute {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// A number.
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// A whole number.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// Text.
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub s: Option<Bytes>,
    /// A `TensorProto` that is not decoded.
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub t: Option<Bytes>,
    /// A branch or the body of a loop.
    #[prost(message, optional, tag = "6")]
    pub g: Option<GraphBody>,
    /// Numbers.
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    /// Whole numbers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// Several graphs.
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<GraphBody>,
    /// Which of the fields counts, as `AttributeType` numbers them.
    #[prost(int32, tag = "20")]
    pub r#type: i32,
}

impl Attribute {
    /// A whole number.
    pub fn int(name: &str, value: i64) -> Self {
        Self { name: name.into(), i: Some(value), r#type: 2, ..Self::default() }
    }

    /// Whole numbers.
    pub fn ints(name: &str, values: &[i64]) -> Self {
        Self { name: name.into(), ints: values.to_vec(), r#type: 7, ..Self::default() }
    }

    /// A tensor.
    pub fn tensor(name: &str, value: &Tensor) -> Self {
        Self { name: name.into(), t: Some(value.encode_to_vec().into()), r#type: 4, ..Self::default() }
    }
}

/// `ValueInfoProto` without its type: the runtime infers shapes.
#[derive(Clone, PartialEq, Message)]
pub struct Named {
    /// The tensor's name.
    #[prost(string, tag = "1")]
    pub name: String,
}

/// `StringStringEntryProto`.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Entry {
    /// What is said.
    #[prost(string, tag = "1")]
    pub key: String,
    /// What is said of it.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// `TensorProto` without its values.
#[derive(Clone, PartialEq, Message)]
pub struct TensorHeader {
    /// Lengths of the axes; none for a scalar.
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    /// Kind of number, as `TensorProto.DataType` numbers them.
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Its name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Where the values lie if not in the file: `location`, `offset`, `length`.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<Entry>,
    /// 1 when they lie outside.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

impl TensorHeader {
    /// Number of values; a negative length counts as none, and no number is too large.
    pub fn n_values(&self) -> usize {
        self.dims.iter().map(|&n| usize::try_from(n).unwrap_or(0)).fold(1, usize::saturating_mul)
    }

    /// Bytes that the values take outside the file; `None` for text and for kinds that are not known here.
    pub fn n_bytes(&self) -> Option<u64> {
        // TensorProto.DataType: the kinds of 1, 2, 4, 8 and 16 bytes; those of 4 bits lie two in a byte.
        let n = self.n_values() as u64;
        match self.data_type {
            2 | 3 | 9 | 17..=20 | 24 => Some(n),
            4 | 5 | FLOAT16 | BFLOAT16 => Some(n.saturating_mul(2)),
            FLOAT | 6 | 12 => Some(n.saturating_mul(4)),
            INT64 | DOUBLE | 13 | 14 => Some(n.saturating_mul(8)),
            15 => Some(n.saturating_mul(16)),
            21..=23 => Some(n.div_ceil(2)),
            _ => None,
        }
    }

    /// Whether the shape is one, and the tensor in `bytes` holds as many values as it says; else what is wrong.
    ///
    /// Whatever takes memory for a weight may then go by its shape.
    pub fn check(&self, bytes: &[u8]) -> Result<(), String> {
        let shape = self.dims.iter().map(i64::to_string).collect::<Vec<_>>().join("x");
        if self.dims.iter().any(|&n| n < 0) {
            return Err(format!("its shape {shape} has a negative length"));
        }
        let exact = self.dims.iter().try_fold(1i64, |product, &n| product.checked_mul(n));
        let Some(needed) = self.n_bytes().filter(|_| exact.is_some()) else {
            return match exact {
                Some(_) => Ok(()),
                None => Err(format!("its shape {shape} is more values than can be counted")),
            };
        };
        if self.location().is_some() {
            return Ok(());
        }
        for field in fields(bytes) {
            match field.map_err(|error| error.to_string())? {
                (tag::RAW_DATA, _, raw) if !raw.is_empty() && raw.len() as u64 != needed => {
                    return Err(format!("its shape {shape} needs {needed} bytes, it holds {}", raw.len()));
                }
                (tag::RAW_DATA, _, raw) if !raw.is_empty() => return Ok(()),
                _ => {}
            }
        }
        let tensor = Tensor::decode(bytes).map_err(|error| error.to_string())?;
        let held = match self.data_type {
            FLOAT => tensor.float_data.len(),
            DOUBLE => tensor.double_data.len(),
            INT64 => tensor.int64_data.len(),
            // Bits of two small kinds, or values of other fields.
            FLOAT16 | BFLOAT16 | 2..=6 | BOOL => tensor.int32_data.len(),
            _ => return Ok(()),
        };
        match held == self.n_values() {
            true => Ok(()),
            false => Err(format!("its shape {shape} needs {} values, it holds {held}", self.n_values())),
        }
    }

    /// The file beside the model that holds the values, if they are not in the model.
    pub fn location(&self) -> Option<&str> {
        (self.data_location == 1).then(|| self.external("location")).flatten()
    }

    /// What `external_data` says under `key`.
    pub fn external(&self, key: &str) -> Option<&str> {
        self.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }
}

/// `TensorProto`.
#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    /// Lengths of the axes; none for a scalar.
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    /// Kind of number, as `TensorProto.DataType` numbers them.
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// Values of an f4.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// Values of small whole numbers and, as bits, of an f2.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// Values of an i8.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// Its name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// Values of any kind, little-endian.
    #[prost(bytes = "bytes", tag = "9")]
    pub raw_data: Bytes,
    /// Values of an f8.
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// Where the values lie if not in the file.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<Entry>,
    /// 1 when they lie outside.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

/// `TensorProto.DataType` of a 32-bit float.
pub const FLOAT: i32 = 1;
/// `TensorProto.DataType` of a 64-bit integer.
pub const INT64: i32 = 7;
/// `TensorProto.DataType` of a truth value.
pub const BOOL: i32 = 9;
/// `TensorProto.DataType` of a 16-bit float.
pub const FLOAT16: i32 = 10;
/// `TensorProto.DataType` of a 64-bit float.
pub const DOUBLE: i32 = 11;
/// `TensorProto.DataType` of a 16-bit float with the exponent of a 32-bit one.
pub const BFLOAT16: i32 = 16;

/// Whether a `TensorProto.DataType` is a floating-point number that is handled here.
pub fn is_float(data_type: i32) -> bool {
    matches!(data_type, FLOAT | FLOAT16 | DOUBLE)
}

impl Tensor {
    /// A tensor of floats of `data_type` (f4, f2 or f8), its values in C order.
    pub fn floats(name: &str, dims: &[i64], data_type: i32, values: &[f64]) -> Self {
        let raw: Vec<u8> = match data_type {
            FLOAT16 => values.iter().flat_map(|&v| f16::from_f64(v).to_le_bytes()).collect(),
            DOUBLE => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            _ => values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect(),
        };
        Self { name: name.into(), dims: dims.to_vec(), data_type, raw_data: raw.into(), ..Self::default() }
    }

    /// A tensor of 64-bit integers, its values in C order.
    pub fn integers(name: &str, dims: &[i64], values: &[i64]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { name: name.into(), dims: dims.to_vec(), data_type: INT64, raw_data: raw.into(), ..Self::default() }
    }

    /// A tensor of truth values, in C order.
    pub fn truths(name: &str, dims: &[i64], values: &[bool]) -> Self {
        let raw: Vec<u8> = values.iter().map(|&v| u8::from(v)).collect();
        Self { name: name.into(), dims: dims.to_vec(), data_type: BOOL, raw_data: raw.into(), ..Self::default() }
    }

    /// The values of an f4, f2 or f8 that lie in the tensor itself, in C order; `None` for other kinds and for values
    /// kept outside the file.
    pub fn to_f64(&self) -> Option<Vec<f64>> {
        if self.data_location == 1 {
            return None;
        }
        let raw = &self.raw_data;
        Some(match self.data_type {
            FLOAT if !raw.is_empty() => raw.as_chunks().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect(),
            FLOAT => self.float_data.iter().map(|&v| f64::from(v)).collect(),
            FLOAT16 if !raw.is_empty() => raw.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f64()).collect(),
            FLOAT16 => self.int32_data.iter().map(|&bits| f16::from_bits(bits as u16).to_f64()).collect(),
            DOUBLE if !raw.is_empty() => raw.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
            DOUBLE => self.double_data.clone(),
            _ => return None,
        })
    }

    /// The values of an i8 tensor, in C order; `None` for other kinds.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        if self.data_location == 1 || self.data_type != INT64 {
            return None;
        }
        Some(match self.raw_data.is_empty() {
            false => self.raw_data.as_chunks().0.iter().map(|&b| i64::from_le_bytes(b)).collect(),
            true => self.int64_data.clone(),
        })
    }
}

/// Numbers of the fields that are looked for in messages that are not decoded.
pub mod tag {
    /// Of `ModelProto`.
    pub const GRAPH: u32 = 7;
    /// Of `GraphProto`.
    pub const NODE: u32 = 1;
    /// Of `GraphProto`.
    pub const GRAPH_NAME: u32 = 2;
    /// Of `GraphProto`.
    pub const INITIALIZER: u32 = 5;
    /// Of `GraphProto`.
    pub const INPUT: u32 = 11;
    /// Of `GraphProto`.
    pub const OUTPUT: u32 = 12;
    /// Of `NodeProto`.
    pub const NODE_OUTPUT: u32 = 2;
    /// Of `NodeProto`.
    pub const NODE_OP: u32 = 4;
    /// Of `NodeProto`.
    pub const NODE_ATTRIBUTE: u32 = 5;
    /// Of `AttributeProto`.
    pub const ATTRIBUTE_GRAPH: u32 = 6;
    /// Of `AttributeProto`.
    pub const ATTRIBUTE_GRAPHS: u32 = 11;
    /// Of `TensorProto`: values of any kind.
    pub const RAW_DATA: u32 = 9;
    /// Of `TensorProto`: where its values lie if not in the file.
    pub const EXTERNAL_DATA: u32 = 13;
}

/// Appends a field that holds a message (or bytes, or text).
pub fn put_message(out: &mut Vec<u8>, tag: u32, message: &[u8]) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(message.len() as u64, out);
    out.extend_from_slice(message);
}

/// The top-level fields of a protobuf message: tag, the field whole, and its payload.
///
/// The payload of a field that is not length-delimited is empty.
pub fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u32, &[u8], &[u8]), prost::DecodeError>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next_field(&mut rest);
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

/// A message in which `change` has given some length-delimited fields (by number and payload) another payload.
pub fn rewritten<E: From<prost::DecodeError>>(
    message: &[u8],
    mut change: impl FnMut(u32, &[u8]) -> Result<Option<Vec<u8>>, E>,
) -> Result<Vec<u8>, E> {
    let mut out = Vec::with_capacity(message.len());
    for field in fields(message) {
        let (tag, whole, payload) = field?;
        match change(tag, payload)? {
            Some(changed) => put_message(&mut out, tag, &changed),
            None => out.extend_from_slice(whole),
        }
    }
    Ok(out)
}

fn next_field<'a>(rest: &mut &'a [u8]) -> Result<(u32, &'a [u8], &'a [u8]), prost::DecodeError> {
    let start = *rest;
    let (tag, wire_type) = decode_key(rest)?;
    let n_payload = match wire_type {
        WireType::LengthDelimited => decode_varint(rest)? as usize,
        _ => {
            prost::encoding::skip_field(wire_type, tag, rest, Default::default())?;
            0
        }
    };
    if n_payload > rest.len() {
        // The message was decoded whole before, so its lengths are sound.
        *rest = &[];
    }
    let (payload, after) = rest.split_at(n_payload.min(rest.len()));
    *rest = after;
    Ok((tag, &start[..start.len() - after.len()], payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_every_way_of_storing_them() {
        for kind in [FLOAT, FLOAT16, DOUBLE] {
            let tensor = Tensor::floats("w", &[3], kind, &[1.0, -0.5, 2048.0]);
            assert_eq!(tensor.to_f64().unwrap(), [1.0, -0.5, 2048.0], "{kind}");
        }
        let listed = Tensor { data_type: FLOAT, float_data: vec![0.25], ..Tensor::default() };
        assert_eq!(listed.to_f64().unwrap(), [0.25]);
        let bits = Tensor { data_type: FLOAT16, int32_data: vec![0x3C00], ..Tensor::default() };
        assert_eq!(bits.to_f64().unwrap(), [1.0]);
        assert_eq!(Tensor::integers("s", &[2], &[-1, 7]).to_i64().unwrap(), [-1, 7]);
        let outside = Tensor { data_location: 1, ..Tensor::floats("w", &[1], FLOAT, &[1.0]) };
        assert_eq!(outside.to_f64(), None);
        assert_eq!(Tensor::truths("m", &[1], &[true]).to_f64(), None);
    }

    #[test]
    fn a_header_is_read_without_the_values() {
        let bytes = Tensor::floats("w", &[2, 3], FLOAT, &[0.0; 6]).encode_to_vec();
        let header = TensorHeader::decode(bytes.as_slice()).unwrap();
        assert_eq!((header.name.as_str(), header.n_values(), header.location()), ("w", 6, None));
    }
}
