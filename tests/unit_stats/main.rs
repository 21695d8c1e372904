//! `unit-stats` through its binary: validation, overlap, layers, and the numbers of SciPy.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

mod choose;
mod compare;
mod golden;
mod layers;
mod overlap;
mod validate;
