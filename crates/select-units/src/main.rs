//! Which units of a network respond more to one category of pictures than to others.

fn main() -> std::process::ExitCode {
    cli::main(select_units::run)
}
