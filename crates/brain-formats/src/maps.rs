//! Maps written in the format that a name asks for.

use std::io::{self, Write};

use crate::cifti::{Scalar, write_scalars};
use crate::gifti::{Metric, write_labels, write_metrics};
use crate::mgh::{overlay, write_mgh};
use crate::space::Space;
use crate::volume_writer::{Intent, Voxels, write_volume};

/// A format of maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapFormat {
    /// NIfTI, of voxels.
    Nifti {
        /// Compressed.
        gzip: bool,
    },
    /// FreeSurfer's MGH, of voxels or of the vertices of a surface.
    Mgh {
        /// Compressed.
        gzip: bool,
    },
    /// GIFTI, of the vertices of a surface.
    Gifti,
    /// CIFTI-2 scalars, of grayordinates or parcels.
    Cifti,
}

impl MapFormat {
    /// The format that the end of a file name asks for.
    ///
    /// ```
    /// use brain_formats::maps::MapFormat;
    /// assert_eq!(MapFormat::of_name("T.nii.gz"), Some(MapFormat::Nifti { gzip: true }));
    /// assert_eq!(MapFormat::of_name("t.dscalar.nii"), Some(MapFormat::Cifti));
    /// assert_eq!(MapFormat::of_name("t.npy"), None);
    /// ```
    pub fn of_name(name: &str) -> Option<MapFormat> {
        let name = name.to_lowercase();
        const ENDS: [(&str, MapFormat); 7] = [
            (".dscalar.nii", MapFormat::Cifti),
            (".pscalar.nii", MapFormat::Cifti),
            (".nii", MapFormat::Nifti { gzip: false }),
            (".nii.gz", MapFormat::Nifti { gzip: true }),
            (".gii", MapFormat::Gifti),
            (".mgh", MapFormat::Mgh { gzip: false }),
            (".mgz", MapFormat::Mgh { gzip: true }),
        ];
        ENDS.iter().find(|(end, _)| name.ends_with(end)).map(|(_, format)| *format)
    }

    /// The format of maps of these columns where no name asks for one.
    pub fn of_space(space: &Space) -> MapFormat {
        match space {
            Space::Grid(_) | Space::Unplaced(_) => MapFormat::Nifti { gzip: false },
            Space::Surface(_) => MapFormat::Gifti,
            Space::Grayordinates(_) | Space::Parcels(_) => MapFormat::Cifti,
        }
    }

    /// What follows the stem of a file of maps of these columns, compressed where its format is.
    pub fn ending(space: &Space) -> &'static str {
        match space {
            Space::Grid(_) | Space::Unplaced(_) => ".nii.gz",
            Space::Surface(_) => ".func.gii",
            Space::Grayordinates(_) => ".dscalar.nii",
            Space::Parcels(_) => ".pscalar.nii",
        }
    }

    /// Why maps of these columns cannot be written in this format; `None` where they can.
    pub fn refusal(self, space: &Space) -> Option<String> {
        if let Space::Unplaced(_) = space {
            return Some(format!("{space}; an image needs one: name an image of the same grid with --like"));
        }
        let fits = match self {
            MapFormat::Nifti { .. } => matches!(space, Space::Grid(_)),
            MapFormat::Mgh { .. } => matches!(space, Space::Grid(_) | Space::Surface(_)),
            MapFormat::Gifti => matches!(space, Space::Surface(_)),
            MapFormat::Cifti => matches!(space, Space::Grayordinates(_) | Space::Parcels(_)),
        };
        let name = match self {
            MapFormat::Nifti { .. } => "NIfTI, which holds voxels",
            MapFormat::Mgh { .. } => "MGH, which holds voxels or vertices",
            MapFormat::Gifti => "GIFTI, which holds vertices",
            MapFormat::Cifti => "CIFTI, which holds grayordinates",
        };
        let end = match space {
            Space::Grid(_) | Space::Unplaced(_) => ".nii.gz or .mgz",
            Space::Surface(_) => ".func.gii or .mgz",
            Space::Grayordinates(_) => ".dscalar.nii",
            Space::Parcels(_) => ".pscalar.nii",
        };
        (!fits).then(|| format!("{} {} do not fit {name}; name a {end}", space.n_columns(), space.units()))
    }

    fn check(self, space: &Space) -> io::Result<()> {
        match self.refusal(space) {
            Some(refusal) => Err(io::Error::new(io::ErrorKind::InvalidInput, refusal)),
            None => Ok(()),
        }
    }
}

/// Writes maps one after the other; those of NIfTI and MGH have no names.
pub fn write_maps(
    out: impl Write,
    format: MapFormat,
    maps: &[(&str, &[f32])],
    space: &Space,
    intent: Intent,
) -> io::Result<()> {
    format.check(space)?;
    let joined = || maps.iter().flat_map(|(_, values)| values.iter().copied()).collect::<Vec<f32>>();
    match (format, space) {
        (MapFormat::Nifti { gzip }, Space::Grid(grid)) => write_volume(out, Voxels::F4(&joined()), grid, intent, gzip),
        (MapFormat::Mgh { gzip }, Space::Grid(grid)) => write_mgh(out, &joined(), grid, gzip),
        (MapFormat::Mgh { gzip }, Space::Surface(surface)) => {
            write_mgh(out, &joined(), &overlay(surface.n_vertices), gzip)
        }
        (MapFormat::Gifti, Space::Surface(surface)) => {
            let maps: Vec<Metric<'_>> = maps.iter().map(|&(name, values)| Metric { name, values }).collect();
            write_metrics(out, surface, &maps, intent)
        }
        _ => {
            let maps: Vec<Scalar<'_>> = maps.iter().map(|&(name, values)| Scalar { name, values }).collect();
            write_scalars(out, space, &maps)
        }
    }
}

/// Writes the number of a region per column, 0 outside. GIFTI has the names too; CIFTI and MGH hold the numbers as f4.
pub fn write_regions(
    out: impl Write,
    format: MapFormat,
    labels: &[u32],
    names: &[(u32, &str)],
    space: &Space,
) -> io::Result<()> {
    format.check(space)?;
    match (format, space) {
        (MapFormat::Nifti { gzip }, Space::Grid(grid)) => {
            write_volume(out, Voxels::Labels(labels), grid, Intent::Label, gzip)
        }
        (MapFormat::Gifti, Space::Surface(surface)) => write_labels(out, surface, labels, names),
        _ => {
            let values: Vec<f32> = labels.iter().map(|&label| label as f32).collect();
            write_maps(out, format, &[("regions", &values)], space, Intent::Label)
        }
    }
}
