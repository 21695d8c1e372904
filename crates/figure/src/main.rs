fn main() -> std::process::ExitCode {
    cli::main(figure::run)
}
