//! Our numbers against those of SciPy, rsatoolbox, scikit-learn, nilearn and NumPy on the inputs of `testdata/golden`.
//!
//! `make golden` writes those files; `testdata/README.md` says what each holds and which library said it.
//! Every tolerance is relative and is there for a reason given beside it.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

mod ablation;
mod alignments;
mod ceilings;
mod distances;
mod encoding;
mod fitted;
mod fmri;
mod formats;
mod glm;
mod grouped;
mod gsn;
mod hdf5;
mod inference;
mod interop;
mod load;
mod matching;
mod npy_files;
mod partials;
mod probabilities;
mod projection;
mod rdms;
mod ridge;
mod scaling;
mod systems;
mod units;
mod worked_examples;
