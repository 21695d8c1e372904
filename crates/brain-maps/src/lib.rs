//! Maps over a brain, wherever their points are: voxels of a grid or vertices of a mesh.
//!
//! Who is whose neighbour ([`adjacency`], [`grid`], [`mesh`], and both in one map: [`layout`]), clusters and their
//! extent and mass ([`clusters`]), threshold-free cluster enhancement ([`mod@tfce`]), local maxima ([`mod@peaks`]),
//! smoothing ([`smooth`]), the watershed of group-constrained parcels ([`parcels`]), and tests over subjects whose p is
//! corrected by permutation ([`group`]).
//!
//! No files and no images: grids are shapes and affines, and a voxel's number is `(i * ny + j) * nz + k`.
#![warn(missing_docs)]

pub mod adjacency;
pub mod clusters;
pub mod grid;
pub mod group;
pub mod layout;
pub mod mesh;
pub mod parcels;
pub mod peaks;
pub mod relabelling;
pub mod smooth;
pub mod tfce;

pub use adjacency::Adjacency;
pub use clusters::{Clusters, clusters};
pub use grid::Connectivity;
pub use group::{Enhance, GroupError, GroupModel, Permutations, Side};
pub use layout::Layout;
pub use mesh::Mesh;
pub use peaks::peaks;
pub use relabelling::Relabellings;
pub use tfce::tfce;
