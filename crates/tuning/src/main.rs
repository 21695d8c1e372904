fn main() -> std::process::ExitCode {
    cli::main(tuning::run)
}
