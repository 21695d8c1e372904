//! The `fmri-roi` tool.

fn main() -> std::process::ExitCode {
    cli::main(fmri_roi::run)
}
