fn main() -> std::process::ExitCode {
    cli::main(ceiling::run)
}
