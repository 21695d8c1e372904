//! The general linear model of one voxel's time series: from events to regressors, from BOLD to effects and their
//! variances, over several runs, and trial by trial.
//!
//! Times are seconds. A [`Design`] has a row per volume and a named column per regressor, in the order conditions,
//! confounds, drifts, constant; its numbers are nilearn's (0.14.1, `glm.first_level`). Time series are columns: a block
//! of voxels is `n_volumes x n_voxels`. [`Model::fit`] takes such a block, with ordinary least squares or with
//! first-order autoregressive noise; [`FixedEffects`] puts runs together; [`TrialModel`] gives a beta per event, and
//! [`FittedTrials`] one with a response and a penalty of each voxel's own.
//!
//! Nothing here reads a file and nothing prints.
#![warn(missing_docs)]

mod collinear;
mod decomposed;
mod design;
mod drift;
mod error;
mod fitted_trials;
mod fixed_effects;
mod hrf;
mod hrf_library;
mod model;
mod noise;
mod packed;
mod regressor;
mod scaling;
mod single_trials;

pub use collinear::{Collinear, collinear};
pub use design::{Confounds, Design, Role, Timing, trial_columns};
pub use drift::Drift;
pub use error::GlmError;
pub use fitted_trials::{FittedBlock, FittedRun, FittedTrials, N_FRACTIONS};
pub use fixed_effects::{FixedEffects, Statistics, Test, Weighting};
pub use hrf::{Basis, Hrf};
pub use hrf_library::{HrfLibrary, RESPONSE_STEP};
pub use model::{Fit, Model};
pub use noise::Noise;
pub use regressor::{EARLIEST_ONSET, Event};
pub use scaling::{Scaling, n_low_means, unusable};
pub use single_trials::{PerTrial, TrialModel};
