//! The `unit-stats` tool.

fn main() -> std::process::ExitCode {
    cli::main(unit_stats::run)
}
