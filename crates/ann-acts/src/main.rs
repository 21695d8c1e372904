//! `ann-acts`: activations of any ONNX network to pictures on disk.
fn main() -> std::process::ExitCode {
    cli::main(ann_acts::run)
}
