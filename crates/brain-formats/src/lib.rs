//! NIfTI images: where their voxels are ([`geometry`]), reading them volume by volume ([`volume`]), and writing
//! maps ([`volume_writer`]).
//!
//! Bytes come from any reader and go to any writer; no paths, no statistics.
#![warn(missing_docs)]

pub mod geometry;
pub mod volume;
pub mod volume_writer;

pub use geometry::Geometry;
pub use volume::{VolumeError, VolumeReader};
