//! The localizer, one for units and voxels: which of them respond more to one kind of picture than to others.
//!
//! A [`Contrast`] in words becomes a group per row ([`Contrast::resolve`]); a [`Design`] brings several of them, and
//! folds, down to one set of groups; rows stream once into [`CategoryMoments`]; [`UnitTests`] answers one [`Question`]
//! with t, p, q, d', selectivity index and ratio per unit; a [`Selection`] picks units by thresholds and rank. Rows are
//! stimuli (or trials), columns are units (or voxels). Nothing here reads a file.
#![warn(missing_docs)]

mod contrast;
mod moments;
mod one_sample;
mod question;
mod roc;
mod selection;
mod statistic;
mod two_sample;

pub use contrast::{Contrast, ContrastError, Groups, LOOKS_MISSING, Versus};
pub use moments::{BlockError, CategoryMoments, Strip};
pub use one_sample::{OneSample, TooFewMaps};
pub use question::{Design, Question, Sample};
pub use roc::roc_areas;
pub use selection::{
    Measure, Selection, Top, parse_area, parse_index, parse_rate, parse_threshold, select_by_statistic,
};
pub use statistic::{Correction, GroupTooSmall, UnitStatistics, UnitTests, Unusable};
pub use statistics::Reason;
pub use two_sample::{TTest, dprime, each_against_rest, mean_ratio, selectivity_index, student_t, welch_t};
