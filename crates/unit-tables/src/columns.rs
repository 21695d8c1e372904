//! Names of the columns that say whose units they are and how they were chosen.

/// Name of the matrix that the units are columns of.
pub const ARRAY: &str = "array";
/// The same in the tables of `ann-acts`: the layer of the network.
pub const LAYER: &str = "layer";
/// The contrast in the localizer's spelling.
pub const CONTRAST: &str = "contrast";
/// The part of the pictures that was held out.
pub const FOLD: &str = "fold";
/// Column of the matrix, from 0.
pub const UNIT: &str = "unit";
/// The same in the tables of `fmri-roi`.
pub const VOXEL: &str = "voxel";
/// The region that a voxel belongs to, in the tables of `fmri-roi define`.
pub const ROI: &str = "roi";
/// The name of a unit: the column stands in a table only where one of its arrays has names of columns, and is empty for
/// the others.
pub const UNIT_NAME: &str = "unit_name";
/// The same of a voxel.
pub const VOXEL_NAME: &str = "voxel_name";
/// Units of the array, chosen or not.
pub const N_UNITS: &str = "n_units";
/// The t of the test.
pub const T: &str = "t";
/// Sensitivity d'.
pub const DPRIME: &str = "dprime";
/// Selectivity index.
pub const SELECTIVITY_INDEX: &str = "selectivity_index";
/// Test and rules in words.
pub const CRITERION: &str = "criterion";
