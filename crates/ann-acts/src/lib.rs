//! Activations of any layer of an ONNX network to pictures on disk, one labelled row per picture.
//!
//! [`run`] is the tool. What it is made of: [`images`] lists the stimuli, [`headers`] looks
//! at the files before long work starts, [`picture`] decodes them ([`jpeg`], [`gif_picture`], [`bitmap16`] and [`netpbm`] where Pillow has ways of its own, [`foreign`] names what is no picture) and [`exif`] turns them, [`noted`] counts what a reader should know, [`bad_pictures`] keeps the rows of damaged ones,
//! [`resample`] and [`preprocess`] make of them what the network was trained on ([`steps`] chooses how, [`model_config`]
//! reads what the model's own file says of it, [`beside`] finds that file), [`feed`] does this
//! ahead of the network in batches, [`graph`] reads the ONNX file and cuts it to the layers that
//! [`layers`] chose, [`company`] shows that each row is one picture's, [`runtime`] loads ONNX Runtime, [`device`] says where it computes, [`network`] runs, [`sinks`]
//! writes the rows as they come, and [`resume`] goes on with a run that was stopped. [`units`] plans what is read out of a
//! layer: [`axes`] follows what its axes mean, [`readout`] pools and picks, [`chosen_units`] are those of a table.
#![warn(missing_docs)]

pub mod altered;
mod args;
pub mod axes;
pub mod bad_pictures;
pub mod beside;
pub mod bitmap16;
pub mod calibration;
pub mod chosen_units;
pub mod company;
mod coupling;
pub mod dedup;
pub mod device;
pub mod doctor;
pub mod exif;
pub mod feed;
pub mod foreign;
pub mod gif_picture;
pub mod graph;
pub mod headers;
pub mod images;
pub mod inputs;
pub mod jpeg;
pub mod layers;
pub mod lesion;
mod listing;
pub mod model_config;
pub mod names;
pub mod nearest;
pub mod netpbm;
pub mod network;
pub mod noted;
mod omitted;
pub mod onnx;
pub mod picture;
pub mod preprocess;
mod probe;
pub mod projection;
pub mod readout;
pub mod resample;
pub mod resume;
mod run;
pub mod runtime;
pub mod sinks;
pub mod steps;
pub mod unit_args;
pub mod units;
pub mod untrained;
pub mod weight_files;
pub mod weight_roles;

pub use args::Args;
pub use run::run;
