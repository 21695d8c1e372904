//! What all tools share: pipelines as people write them, odd tables, and ends that are bad.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

mod ends_badly;
mod made_up;
mod names;
mod odd_tables;
mod outputs;
mod pipelines;
mod readmes;
mod trial_tables;
