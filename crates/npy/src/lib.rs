//! `npy`: plumbing for labelled `.npy` streams.
#![warn(missing_docs)]

mod args;
mod average;
mod cat;
mod info;
mod pick;
mod text;
mod whole;

pub use args::Args;
use args::Verb;

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Info(a) => info::run(&a),
        Verb::Cat(a) => cat::run(&a),
        Verb::Rows(a) => pick::rows(&a),
        Verb::Cols(a) => pick::columns(&a),
        Verb::Label(a) => pick::label(&a),
        Verb::Average(a) => average::run(&a),
        Verb::ToCsv(a) => text::to_csv(&a),
        Verb::FromCsv(a) => text::from_csv(&a),
    }
}
