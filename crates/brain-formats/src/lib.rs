//! Files of brain images. Volumes (NIfTI and MGH): where their voxels are ([`geometry`]), reading them volume by volume
//! ([`volume`]), writing maps ([`volume_writer`], [`mgh`]). Surfaces
//! ([`gifti`], [`freesurfer`]) and grayordinates ([`cifti`]); betas per trial in HDF5 ([`hdf5`]); what the columns of
//! their maps stand for ([`space`]), and maps in whichever format ([`maps`]).
//!
//! Bytes come from any reader and go to any writer; no paths, no statistics.
#![warn(missing_docs)]

pub mod cifti;
pub mod freesurfer;
pub mod geometry;
pub mod gifti;
pub mod hdf5;
pub mod maps;
pub mod mgh;
pub mod space;
pub mod values;
pub mod volume;
pub mod volume_writer;
mod xml;

pub use geometry::Geometry;
pub use space::Space;
pub use values::Values;
pub use volume::{VolumeError, VolumeReader};
pub use xml::XmlError;
