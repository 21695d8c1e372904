//! The part of the command line that says where and how a network runs.

use crate::network::device::{self, DeviceChoice, Execution};
use crate::network::runtime::Runtime;
use anyhow::Result;
use cli::Job;
use std::path::PathBuf;

/// How the network runs.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Running")]
pub struct RunningArgs {
    /// Pictures per forward pass, or auto: as many as a quarter gigabyte of input and layers holds, at most 32
    /// (128 on a card)
    #[arg(long, value_name = "N|auto", default_value = "16", value_parser = batch)]
    pub batch: BatchSize,

    /// Where the network runs; cuda:N is the N-th NVIDIA card from 0, auto the first one if it can be used
    /// [default: auto]
    #[arg(long, value_name = "auto|cpu|cuda[:N]")]
    pub device: Option<DeviceChoice>,

    /// Let a card round the factors of products to 10 bits (TensorFloat-32): faster, errors of about 1e-3
    #[arg(long)]
    pub tf32: bool,

    /// libonnxruntime.so to load [default: ORT_DYLIB_PATH, else beside this program]
    #[arg(long, value_name = "FILE")]
    pub onnxruntime: Option<PathBuf>,
}

/// `--batch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// This many pictures.
    Pictures(usize),
    /// As many as fit.
    Auto,
}

impl BatchSize {
    /// Pictures per forward pass while it is not yet known how many fit.
    pub fn at_first(self) -> usize {
        match self {
            Self::Pictures(n) => n,
            Self::Auto => 16,
        }
    }
}

fn batch(text: &str) -> Result<BatchSize, String> {
    match text.parse() {
        _ if text == "auto" => Ok(BatchSize::Auto),
        Ok(0) | Err(_) => Err("expected a whole number from 1, or auto".into()),
        Ok(n) => Ok(BatchSize::Pictures(n)),
    }
}

impl RunningArgs {
    /// ONNX Runtime.
    pub fn runtime(&self) -> Result<Runtime> {
        Runtime::load(self.onnxruntime.as_deref())
    }

    /// The device, tried out, and how it is used.
    pub fn execution(&self, job: &Job, runtime: &Runtime) -> Result<Execution> {
        let choice = self.device.unwrap_or(DeviceChoice::Auto);
        let (device, why_not_cuda) = device::settle(runtime, choice)?;
        // A library without CUDA leaves no choice: that is said only where a device was asked for.
        if choice == DeviceChoice::Auto && (self.device.is_some() || device::has_cuda_provider(runtime)) {
            let why = why_not_cuda.map_or(String::new(), |why| format!(" ({why})"));
            job.note(format_args!("running on {device}{why}"));
        }
        Ok(Execution { device, tf32: self.tf32, threads: job.n_threads() })
    }
}
