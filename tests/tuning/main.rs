//! `tuning` through its binary: profiles, their comparison, images where model and brain part ways.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

mod compare;
mod diverge;
mod matching;
mod profile;
