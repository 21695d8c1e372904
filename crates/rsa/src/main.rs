//! `rsa`: representational similarity analysis.

fn main() -> std::process::ExitCode {
    cli::main(rsa::run)
}
