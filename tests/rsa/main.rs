//! `rsa` through its binary: RDMs, comparisons, systems, inference, searchlights, ties.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

mod compare;
mod equal;
mod fit;
mod given_noise;
mod groups;
mod inference;
mod mds;
mod merging;
mod model;
mod rdm;
mod repeats;
mod searchlight;
mod systems;
mod ties;
