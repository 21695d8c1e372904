fn main() -> std::process::ExitCode {
    cli::main(npy::run)
}
