//! `ann-acts` through its binary: pictures, networks, layers, units, files.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

mod activations;
mod batch;
mod doctor;
mod from_pytorch;
mod layers;
mod pictures;
mod prep;
mod projection;
mod run;
mod tensors;
mod twins;
mod units;
mod weights;
