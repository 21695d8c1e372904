//! Where a voxel, vertex, grayordinate or parcel is: the columns of a table that say it, and its hemisphere.

use anyhow::{Result, bail};
use brain_formats::Space;
use cli::{Cell, Named};

/// Which columns there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Columns {
    /// Those of a grid, or of a map that does not know.
    Grid,
    /// Those of a surface.
    Surface,
    /// Both: CIFTI's grayordinates.
    Both,
    /// The name of a parcel.
    Parcel,
}

impl Columns {
    /// The columns for a map of this space.
    pub(crate) fn of(space: Option<&Space>) -> Columns {
        match space {
            None | Some(Space::Grid(_) | Space::Unplaced(_)) => Columns::Grid,
            Some(Space::Surface(_)) => Columns::Surface,
            Some(Space::Grayordinates(_)) => Columns::Both,
            Some(Space::Parcels(_)) => Columns::Parcel,
        }
    }

    /// Their names; `voxel` is the number of the column everywhere.
    pub(crate) fn names(self) -> Vec<&'static str> {
        match self {
            Columns::Grid => vec!["voxel", "i", "j", "k", "x", "y", "z"],
            Columns::Surface => vec!["voxel", "structure", "vertex"],
            Columns::Both => vec!["voxel", "structure", "vertex", "i", "j", "k", "x", "y", "z"],
            Columns::Parcel => vec!["voxel", "parcel"],
        }
    }
}

impl Columns {
    /// The columns of a table that has those of a place only where it is known.
    pub(crate) fn where_known(space: Option<&Space>) -> Vec<&'static str> {
        match space {
            None => vec!["voxel"],
            space => Columns::of(space).names(),
        }
    }
}

/// The cells of [`Columns::where_known`].
pub(crate) fn known_place(column: usize, space: Option<&Space>) -> Vec<Named<'static>> {
    match space {
        None => vec![("voxel", column.into())],
        space => place(Some(column), space),
    }
}

/// The number of a column and where it is; empty where the map does not know or there is no column.
pub(crate) fn place(column: Option<usize>, space: Option<&Space>) -> Vec<Named<'static>> {
    let place = column.zip(space).map(|(column, space)| space.place(column)).unwrap_or_default();
    let text = |text: Option<&str>| text.map_or(Cell::Empty, |text| text.to_owned().into());
    let cell = |name: &'static str| -> Cell<'static> {
        let axis = |names: [&str; 3]| names.iter().position(|other| *other == name);
        match name {
            "voxel" => column.into(),
            "structure" => text(place.structure),
            "vertex" => place.vertex.into(),
            "parcel" => text(place.parcel),
            _ => match (axis(["i", "j", "k"]), axis(["x", "y", "z"])) {
                (Some(axis), _) => place.grid.map(|grid| grid[axis]).into(),
                (_, Some(axis)) => place.millimetres.map_or(Cell::Empty, |mm| mm[axis].into()),
                _ => Cell::Empty,
            },
        }
    };
    Columns::of(space).names().into_iter().map(|name| (name, cell(name))).collect()
}

/// A side of the brain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Hemisphere {
    /// x < 0 mm
    Left,
    /// x > 0 mm
    Right,
}

/// The hemisphere of every column, of a vertex by its structure, of a voxel by its millimetres (`None` in the middle);
/// an error where none of them says it.
pub(crate) fn hemispheres(space: &Space, source: &str) -> Result<Vec<Option<Hemisphere>>> {
    let side = |column| {
        let place = space.place(column);
        match (place.structure, place.millimetres) {
            (Some(structure), _) if structure.contains("LEFT") => Some(Hemisphere::Left),
            (Some(structure), _) if structure.contains("RIGHT") => Some(Hemisphere::Right),
            (_, Some([x, ..])) if x < 0.0 => Some(Hemisphere::Left),
            (_, Some([x, ..])) if x > 0.0 => Some(Hemisphere::Right),
            _ => None,
        }
    };
    let sides: Vec<Option<Hemisphere>> = (0..space.n_columns()).map(side).collect();
    if sides.iter().all(Option::is_none) {
        bail!(
            "{source}: none of its {} {} says in which hemisphere it is; give a map in millimetres around the middle, or of \
             a surface that names its structure",
            sides.len(),
            space.units()
        );
    }
    Ok(sides)
}
