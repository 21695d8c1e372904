//! `unit-stats`: what selected units are worth: how many there are in each layer, their overlap between localizers,
//! their responses to independent pictures, and the pictures that drive them.
//!
//! [`unit_table`] takes the tables of `select-units` apart; [`responses`] reads the columns of the chosen units;
//! [`set_overlap`], [`validation`] and [`probing`] are the computations, which read and print nothing.
#![warn(missing_docs)]

mod args;
mod consistency;
mod criterion;
mod feature_maps;
mod layer_summary;
mod layers_args;
mod layers_verb;
mod overlap_verb;
mod probe_verb;
mod probing;
mod responses;
mod set_overlap;
mod unit_table;
mod validate_verb;
mod validation;

pub use args::Args;
use args::Verb;

/// Runs the verb that was asked for.
pub fn run(args: Args) -> anyhow::Result<()> {
    match args.verb {
        Verb::Layers(a) => layers_verb::run(&a),
        Verb::Overlap(a) => overlap_verb::run(&a),
        Verb::Validate(a) => validate_verb::run(&a),
        Verb::Probe(a) => probe_verb::run(&a),
    }
}
