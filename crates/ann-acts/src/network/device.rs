//! Where the network runs: this computer's processor, or an NVIDIA graphics card.
//!
//! A card is taken only after a small graph has run on it, because libraries that are missing, a
//! driver that is too old and a card that is not there show themselves at different moments, and ONNX Runtime
//! would go on with the processor in silence.

use crate::graph::onnx::{FLOAT, GraphBody, Model, Named, Node, OperatorSet, Tensor, put_message, tag};
use crate::network::runtime::{Runtime, plain};
use anyhow::{Context, Result, anyhow};
use ort::ep::cuda::ConvAlgorithmSearch;
use ort::ep::{CUDA, ExecutionProviderDispatch};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use prost::Message;
use std::fmt;
use std::str::FromStr;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first NVIDIA card if one can be used, else the processor.
    Auto,
    /// This device or none.
    Only(Device),
}

impl FromStr for DeviceChoice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Only(Device::Cpu)),
            "cuda" => Ok(Self::Only(Device::Cuda(0))),
            other => match other.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(index)) => Ok(Self::Only(Device::Cuda(index))),
                _ => Err("expected auto, cpu, cuda or cuda:N with N from 0".into()),
            },
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Only(device) => device.fmt(f),
        }
    }
}

/// A device to run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    Cpu,
    /// The NVIDIA card with this number, from 0, as CUDA counts them.
    Cuda(u16),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// How a device is used.
#[derive(Debug, Clone, Copy)]
pub struct Execution {
    /// The device.
    pub device: Device,
    /// A card may round the factors of products to 10 bits (TensorFloat-32), which is faster.
    pub tf32: bool,
    /// Threads of the processor.
    pub threads: usize,
}

impl Execution {
    /// A builder of sessions on the device; an error is the device's.
    pub(crate) fn builder(&self, runtime: &Runtime) -> Result<SessionBuilder> {
        let builder =
            Session::builder(runtime.environment()).map_err(plain)?.with_intra_threads(self.threads).map_err(plain)?;
        match self.device {
            Device::Cpu => Ok(builder),
            Device::Cuda(index) => builder.with_execution_providers([self.cuda(index)]).map_err(plain),
        }
    }

    fn cuda(&self, index: u16) -> ExecutionProviderDispatch {
        CUDA::default()
            .with_device_id(i32::from(index))
            .with_tf32(self.tf32)
            // The default measures all algorithms and takes the fastest, which differs from run to run, and so do the
            // numbers.
            .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
            .build()
            .error_on_failure()
    }
}

/// The device that `choice` comes to, and for [`DeviceChoice::Auto`] why it is not a card.
pub fn settle(runtime: &Runtime, choice: DeviceChoice) -> Result<(Device, Option<String>)> {
    match choice {
        DeviceChoice::Only(Device::Cpu) => Ok((Device::Cpu, None)),
        DeviceChoice::Only(device) => {
            try_out(runtime, device).with_context(|| {
                format!(
                    "--device {device} cannot be used with {} (ONNX Runtime {}); \
                     {}, or use --device cpu",
                    runtime.path.display(),
                    runtime.version,
                    if has_cuda_provider(runtime) {
                        "put the CUDA and cuDNN libraries that it names into LD_LIBRARY_PATH"
                    } else {
                        "name the library of the onnxruntime-gpu package with --onnxruntime or ORT_DYLIB_PATH"
                    }
                )
            })?;
            Ok((device, None))
        }
        DeviceChoice::Auto if !has_cuda_provider(runtime) => {
            Ok((Device::Cpu, Some("this ONNX Runtime is built without CUDA".into())))
        }
        DeviceChoice::Auto => match try_out(runtime, Device::Cuda(0)) {
            Ok(()) => Ok((Device::Cuda(0), None)),
            Err(error) => Ok((Device::Cpu, Some(format!("{error:#}")))),
        },
    }
}

/// Builds of ONNX Runtime with CUDA keep it in a library of its own.
pub fn has_cuda_provider(runtime: &Runtime) -> bool {
    runtime.path.with_file_name("libonnxruntime_providers_cuda.so").is_file()
}

/// Runs a graph of one node on the device.
fn try_out(runtime: &Runtime, device: Device) -> Result<()> {
    let mut session = Execution { device, tf32: false, threads: 1 }
        .builder(runtime)?
        // Folding would compute the graph away.
        .with_optimization_level(GraphOptimizationLevel::Disable)
        .map_err(plain)?
        .with_disable_cpu_fallback()
        .map_err(plain)?
        .commit_from_memory(&one_node())
        .map_err(plain)?;
    let no_inputs: Vec<(&str, ort::session::SessionInputValue<'_>)> = Vec::new();
    let outputs = session.run(no_inputs).map_err(plain)?;
    let (_, values) = outputs["y"].try_extract_tensor::<f32>().map_err(plain)?;
    (values == [0.0, 2.0]).then_some(()).ok_or_else(|| anyhow!("relu of (-1, 2) came out as {values:?}"))
}

/// A model that computes y = relu(-1, 2).
fn one_node() -> Vec<u8> {
    let graph = GraphBody {
        node: vec![Node::new("Relu", &["x"], "y")],
        initializer: vec![Tensor::floats("x", &[2], FLOAT, &[-1.0, 2.0]).encode_to_vec().into()],
        input: vec![],
        output: vec![Named { name: "y".into() }],
    };
    let mut graph = graph.encode_to_vec();
    put_message(&mut graph, tag::GRAPH_NAME, b"probe");
    let mut model = vec![IR_VERSION_KEY, 8];
    put_message(&mut model, tag::GRAPH, &graph);
    let opset = OperatorSet { domain: String::new(), version: 13 };
    model.extend(Model { opset_import: vec![opset], ..Model::default() }.encode_to_vec());
    model
}

/// Key of `ModelProto.ir_version`: field 1, a varint.
const IR_VERSION_KEY: u8 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_spelled_as_users_do() {
        let parse = |text: &str| text.parse::<DeviceChoice>();
        assert_eq!(parse("auto"), Ok(DeviceChoice::Auto));
        assert_eq!(parse("cuda"), parse("cuda:0"));
        assert_eq!(parse("cuda:3").unwrap().to_string(), "cuda:3");
        for bad in ["gpu", "cuda:", "cuda:-1", "cuda:x", "CPU", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
