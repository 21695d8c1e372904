//! Our numbers against those of SciPy, rsatoolbox, scikit-learn, nilearn and NumPy on the inputs of `testdata/golden`.
//!
//! `make golden` writes those files; `testdata/README.md` says what each holds and which library said it.
//! Every tolerance is relative and is there for a reason given beside it.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

#[path = "golden/ceilings.rs"]
mod ceilings;
#[path = "golden/distances.rs"]
mod distances;
#[path = "golden/fitted.rs"]
mod fitted;
#[path = "golden/fmri.rs"]
mod fmri;
#[path = "golden/inference.rs"]
mod inference;
#[path = "golden/interop.rs"]
mod interop;
#[path = "golden/load.rs"]
mod load;
#[path = "golden/npy_files.rs"]
mod npy_files;
#[path = "golden/probabilities.rs"]
mod probabilities;
#[path = "golden/projection.rs"]
mod projection;
#[path = "golden/rdms.rs"]
mod rdms;
#[path = "golden/ridge.rs"]
mod ridge;
#[path = "golden/scaling.rs"]
mod scaling;
#[path = "golden/systems.rs"]
mod systems;
#[path = "golden/units.rs"]
mod units;
#[path = "golden/worked_examples.rs"]
mod worked_examples;
