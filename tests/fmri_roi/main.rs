//! `fmri-roi` through its binary, and the files that brains come in.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests, though clippy cannot know it

mod brain_files;
mod from_nsd;
mod hdf5;
mod one_localizer;
mod verbs;
