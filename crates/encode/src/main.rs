fn main() -> std::process::ExitCode {
    cli::main(encode::run)
}
