//! The localizer, one for units and voxels: which of them respond more to one kind of picture than to others.
//!
//! A [`Contrast`] in words becomes a group per row ([`Contrast::resolve`]); rows stream once into
//! [`CategoryMoments`]; [`UnitTests`] turns the moments into t, p, q, d' and selectivity index per unit; a
//! [`Selection`] picks units by threshold, false discovery rate and rank. Rows are stimuli (or trials), columns are
//! units (or voxels). Nothing here reads a file.
#![warn(missing_docs)]

mod contrast;
mod moments;
mod one_sample;
mod selection;
mod statistic;

pub use contrast::{Contrast, ContrastError, Groups, Versus};
pub use moments::{BlockError, CategoryMoments};
pub use one_sample::{OneSample, TooFewMaps, one_sample};
pub use selection::{Selection, Top, parse_rate, parse_threshold, select_by_statistic};
pub use statistic::{
    Correction, GroupTooSmall, TTest, UnitStatistics, UnitTests, dprime, selectivity_index, student_t, welch_t,
};
pub use statistics::Reason;
