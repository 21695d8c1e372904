//! `ceiling`: how well any model could do.

fn main() -> std::process::ExitCode {
    cli::main(ceiling::run)
}
