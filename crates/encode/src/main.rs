//! `encode`: voxelwise encoding models.

fn main() -> std::process::ExitCode {
    cli::main(encode::run)
}
