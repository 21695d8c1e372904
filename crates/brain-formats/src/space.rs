//! What the columns of a map stand for: voxels of a grid, vertices of a surface, grayordinates of both, or parcels.

use std::fmt;

use crate::geometry::{AFFINE_TOLERANCE_MM, Geometry};

/// The columns of a map.
#[derive(Debug, Clone, PartialEq)]
pub enum Space {
    /// Voxels of a grid, in the order of [`crate::geometry`].
    Grid(Geometry),
    /// Vertices of a surface, in their order.
    Surface(Surface),
    /// Vertices and voxels of several structures (CIFTI), in the order of the file.
    Grayordinates(Grayordinates),
    /// Parcels of the brain (CIFTI), in the order of the file.
    Parcels(Parcels),
    /// Voxels of a grid of this shape, in the order of [`crate::geometry`], whose place nobody says (HDF5).
    Unplaced([usize; 3]),
}

/// A surface that maps lie on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surface {
    /// Which one, as CIFTI calls it: `CORTEX_LEFT`; `None` where the file does not say.
    pub structure: Option<String>,
    /// Number of its vertices.
    pub n_vertices: usize,
}

/// Vertices and voxels of several structures.
#[derive(Debug, Clone, PartialEq)]
pub struct Grayordinates {
    /// The grid of those that are voxels.
    pub volume: Option<Geometry>,
    /// The structures; their columns follow one another without gaps.
    pub models: Vec<Model>,
}

/// The grayordinates of one structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Which one, without CIFTI's prefix: `CORTEX_LEFT`, `THALAMUS_RIGHT`.
    pub structure: String,
    /// Its first column.
    pub first: usize,
    /// What its columns are.
    pub part: Part,
}

/// Some vertices of a surface, or some voxels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Vertices.
    Vertices {
        /// How many the surface has.
        n_vertices: usize,
        /// The vertex of each column.
        vertices: Vec<u32>,
    },
    /// The place (i, j, k) of each column's voxel.
    Voxels(Vec<[u32; 3]>),
}

impl Part {
    /// Number of its columns.
    pub fn len(&self) -> usize {
        match self {
            Part::Vertices { vertices, .. } => vertices.len(),
            Part::Voxels(voxels) => voxels.len(),
        }
    }

    /// Whether it has no column.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Parcels, and what they are drawn on.
#[derive(Debug, Clone, PartialEq)]
pub struct Parcels {
    /// The grid of those that have voxels.
    pub volume: Option<Geometry>,
    /// Surfaces by structure, with their number of vertices.
    pub surfaces: Vec<(String, usize)>,
    /// The parcels.
    pub parcels: Vec<Parcel>,
}

/// A parcel of the brain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Its name.
    pub name: String,
    /// Vertices by structure.
    pub vertices: Vec<(String, Vec<u32>)>,
    /// Places of voxels.
    pub voxels: Vec<[u32; 3]>,
}

/// Where a column is; what does not apply to it is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Place<'a> {
    /// Structure of the brain.
    pub structure: Option<&'a str>,
    /// Vertex of that structure's surface.
    pub vertex: Option<usize>,
    /// Place (i, j, k) in the grid.
    pub grid: Option<[usize; 3]>,
    /// Millimetres of the voxel's centre.
    pub millimetres: Option<[f64; 3]>,
    /// Name of the parcel.
    pub parcel: Option<&'a str>,
}

impl Grayordinates {
    /// Number of columns.
    pub fn len(&self) -> usize {
        self.models.last().map_or(0, |model| model.first + model.part.len())
    }

    /// Whether there is no column.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn model_of(&self, column: usize) -> Option<&Model> {
        let after = self.models.partition_point(|model| model.first <= column);
        self.models[..after].iter().rev().find(|model| column - model.first < model.part.len())
    }
}

impl Space {
    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        match self {
            Space::Grid(grid) => grid.n_voxels(),
            Space::Surface(surface) => surface.n_vertices,
            Space::Grayordinates(all) => all.len(),
            Space::Parcels(all) => all.parcels.len(),
            Space::Unplaced(shape) => shape.iter().product(),
        }
    }

    /// The grid, where all columns are voxels of one.
    pub fn grid(&self) -> Option<&Geometry> {
        match self {
            Space::Grid(grid) => Some(grid),
            _ => None,
        }
    }

    /// What one column is called.
    pub fn unit(&self) -> &'static str {
        match self {
            Space::Grid(_) | Space::Unplaced(_) => "voxel",
            Space::Surface(_) => "vertex",
            Space::Grayordinates(_) => "grayordinate",
            Space::Parcels(_) => "parcel",
        }
    }

    /// What several columns are called.
    pub fn units(&self) -> &'static str {
        match self {
            Space::Grid(_) | Space::Unplaced(_) => "voxels",
            Space::Surface(_) => "vertices",
            Space::Grayordinates(_) => "grayordinates",
            Space::Parcels(_) => "parcels",
        }
    }

    /// Where a column is.
    ///
    /// ```
    /// use brain_formats::space::{Space, Surface};
    /// let left = Space::Surface(Surface { structure: Some("CORTEX_LEFT".into()), n_vertices: 10 });
    /// assert_eq!((left.place(7).structure, left.place(7).vertex), (Some("CORTEX_LEFT"), Some(7)));
    /// ```
    pub fn place(&self, column: usize) -> Place<'_> {
        let voxel = |grid: &Geometry, place: [usize; 3]| Place {
            grid: Some(place),
            millimetres: Some(grid.millimetres(place)),
            ..Place::default()
        };
        match self {
            Space::Grid(grid) => voxel(grid, grid.place(column)),
            Space::Surface(surface) => {
                Place { structure: surface.structure.as_deref(), vertex: Some(column), ..Place::default() }
            }
            Space::Grayordinates(all) => {
                let Some(model) = all.model_of(column) else { return Place::default() };
                let structure = Some(model.structure.as_str());
                match (&model.part, &all.volume) {
                    (Part::Vertices { vertices, .. }, _) => {
                        let vertex = Some(vertices[column - model.first] as usize);
                        Place { structure, vertex, ..Place::default() }
                    }
                    (Part::Voxels(voxels), volume) => {
                        let place = voxels[column - model.first].map(|index| index as usize);
                        let millimetres = volume.as_ref().map(|grid| grid.millimetres(place));
                        Place { structure, grid: Some(place), millimetres, ..Place::default() }
                    }
                }
            }
            Space::Parcels(all) => Place { parcel: Some(&all.parcels[column].name), ..Place::default() },
            Space::Unplaced([_, ny, nz]) => {
                let place = [column / (ny * nz), column / nz % ny, column % nz];
                Place { grid: Some(place), ..Place::default() }
            }
        }
    }

    /// What is different between the columns of two maps; `None` when column i is the same place in both. A surface
    /// that does not say which one it is may be any of as many vertices, and voxels without a place may be those of any
    /// grid of the shape.
    pub fn difference(&self, other: &Space) -> Option<Difference> {
        let whole = || Some(Difference::Whole(format!("{self}, but the other has {other}")));
        match (self, other) {
            (Space::Grid(mine), Space::Grid(theirs)) => (!mine.agrees_with(theirs)).then(whole)?,
            (Space::Grid(grid), Space::Unplaced(shape)) | (Space::Unplaced(shape), Space::Grid(grid)) => {
                (grid.shape != *shape).then(whole)?
            }
            (Space::Unplaced(mine), Space::Unplaced(theirs)) => (mine != theirs).then(whole)?,
            (Space::Surface(mine), Space::Surface(theirs)) => {
                let named = |surface: &Surface| surface.structure.clone();
                let same = named(mine).is_none() || named(theirs).is_none() || named(mine) == named(theirs);
                (!same || mine.n_vertices != theirs.n_vertices).then(whole)?
            }
            (Space::Grayordinates(mine), Space::Grayordinates(theirs)) => {
                let grids = match (&mine.volume, &theirs.volume) {
                    (Some(mine), Some(theirs)) => mine.agrees_with(theirs),
                    _ => true,
                };
                if !grids || mine.len() != theirs.len() {
                    return whole();
                }
                self.first_difference(other, mine.len())
            }
            (Space::Parcels(mine), Space::Parcels(theirs)) => {
                let (n, other_n) = (mine.parcels.len(), theirs.parcels.len());
                if n != other_n { whole() } else { self.first_difference(other, n) }
            }
            _ => whole(),
        }
    }

    fn first_difference(&self, other: &Space, n: usize) -> Option<Difference> {
        (0..n).find_map(|column| {
            let (mine, theirs) = (self.place(column), other.place(column));
            let said = || Difference::Column(format!("column {column} is {mine}, but in the other {theirs}"));
            (!mine.is_at(&theirs)).then(said)
        })
    }
}

/// How the columns of two maps differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// In number, kind or grid: what both are.
    Whole(String),
    /// In one column, the first that differs, in words.
    Column(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Whole(words) | Difference::Column(words) => out.write_str(words),
        }
    }
}

impl Place<'_> {
    /// Whether both are one place; millimetres may differ by the rounding of an affine.
    pub fn is_at(&self, other: &Place<'_>) -> bool {
        let near = match (self.millimetres, other.millimetres) {
            (Some(mine), Some(theirs)) => mine.iter().zip(theirs).all(|(a, b)| (a - b).abs() <= AFFINE_TOLERANCE_MM),
            _ => true,
        };
        near && (self.structure, self.vertex, self.grid, self.parcel)
            == (other.structure, other.vertex, other.grid, other.parcel)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.vertex.map(|vertex| format!("vertex {vertex}")));
        parts.extend(self.grid.map(|place| format!("voxel {place:?}")));
        parts.extend(self.structure.map(|structure| format!("of {structure}")));
        parts.extend(self.parcel.map(|name| format!("parcel {name:?}")));
        parts.extend(self.millimetres.map(|mm| format!("at {mm:?} mm")));
        write!(out, "{}", parts.join(" "))
    }
}

impl fmt::Display for Surface {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.structure {
            Some(structure) => write!(out, "{} vertices of {structure}", self.n_vertices),
            None => write!(out, "{} vertices of a surface without a name", self.n_vertices),
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Space::Grid(grid) => write!(out, "{grid}"),
            Space::Surface(surface) => write!(out, "{surface}"),
            Space::Grayordinates(all) => {
                let parts = all.models.iter().map(|model| match &model.part {
                    Part::Vertices { n_vertices, vertices } => {
                        format!("{} of {n_vertices} vertices of {}", vertices.len(), model.structure)
                    }
                    Part::Voxels(voxels) => format!("{} voxels of {}", voxels.len(), model.structure),
                });
                let parts: Vec<String> = parts.collect();
                // Whole brains have twenty structures; four say which file it is.
                let more = parts.len().saturating_sub(4);
                let more = if more > 0 { format!(" and {more} structures more") } else { String::new() };
                write!(out, "{} grayordinates ({}{more})", all.len(), parts[..parts.len().min(4)].join(", "))?;
                match &all.volume {
                    Some(grid) => write!(out, " in {grid}"),
                    None => Ok(()),
                }
            }
            Space::Parcels(all) => write!(out, "{} parcels", all.parcels.len()),
            Space::Unplaced([nx, ny, nz]) => write!(out, "{nx}x{ny}x{nz} voxels without an affine"),
        }
    }
}

/// CIFTI's name of a structure without its prefix: `CORTEX_LEFT` of `CIFTI_STRUCTURE_CORTEX_LEFT` and of GIFTI's
/// `CortexLeft`.
///
/// ```
/// # use brain_formats::space::{gifti_structure, structure_name};
/// assert_eq!(structure_name("CIFTI_STRUCTURE_CORTEX_LEFT"), "CORTEX_LEFT");
/// assert_eq!(structure_name("CortexLeft"), "CORTEX_LEFT");
/// assert_eq!(gifti_structure("CORTEX_LEFT"), "CortexLeft");
/// ```
pub fn structure_name(stated: &str) -> String {
    let stated = stated.trim();
    if let Some(rest) = stated.strip_prefix("CIFTI_STRUCTURE_") {
        return rest.to_owned();
    }
    if !stated.chars().any(char::is_lowercase) {
        return stated.to_owned();
    }
    let mut name = String::new();
    for (at, character) in stated.char_indices() {
        if at > 0 && character.is_uppercase() {
            name.push('_');
        }
        name.extend(character.to_uppercase());
    }
    name
}

/// GIFTI's spelling of a structure: `CortexLeft` of `CORTEX_LEFT`.
pub fn gifti_structure(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or(String::new(), |first| {
            first.to_uppercase().chain(letters.flat_map(char::to_lowercase)).collect::<String>()
        })
    };
    name.split('_').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface(structure: Option<&str>, n_vertices: usize) -> Space {
        Space::Surface(Surface { structure: structure.map(str::to_owned), n_vertices })
    }

    fn grayordinates(vertices: &[u32]) -> Space {
        let volume = Some(Geometry::from_sizes([3, 3, 3], [2.0; 3]));
        let n = vertices.len();
        let models = vec![
            Model {
                structure: "CORTEX_LEFT".into(),
                first: 0,
                part: Part::Vertices { n_vertices: 9, vertices: vertices.to_vec() },
            },
            Model { structure: "BRAIN_STEM".into(), first: n, part: Part::Voxels(vec![[1, 0, 2], [0, 0, 0]]) },
        ];
        Space::Grayordinates(Grayordinates { volume, models })
    }

    #[test]
    fn surfaces_differ_in_structure_and_number() {
        let left = surface(Some("CORTEX_LEFT"), 10);
        assert_eq!(left.difference(&left), None);
        assert_eq!(left.difference(&surface(None, 10)), None);
        let why = left.difference(&surface(Some("CORTEX_RIGHT"), 10)).unwrap().to_string();
        assert!(why.contains("CORTEX_LEFT") && why.contains("CORTEX_RIGHT"), "{why}");
        let why = left.difference(&surface(Some("CORTEX_LEFT"), 12)).unwrap().to_string();
        assert!(why.contains("10 vertices") && why.contains("12 vertices"), "{why}");
        assert!(left.difference(&grayordinates(&[1; 8])).is_some());
    }

    #[test]
    fn voxels_without_a_place_fit_a_grid_of_their_shape() {
        let (grid, other) = ([2, 3, 4], [4, 3, 2]);
        let placed = |shape| Space::Grid(Geometry::from_sizes(shape, [2.0; 3]));
        assert_eq!(Space::Unplaced(grid).difference(&placed(grid)), None);
        assert_eq!(placed(grid).difference(&Space::Unplaced(grid)), None);
        for there in [placed(other), Space::Unplaced(other)] {
            let why = Space::Unplaced(grid).difference(&there).unwrap().to_string();
            assert!(why.contains("2x3x4") && why.contains("4x3x2"), "{why}");
        }
        assert_eq!(Space::Unplaced(grid).place(23).grid, placed(grid).place(23).grid);
        assert!(Space::Unplaced(grid).difference(&surface(None, 24)).is_some());
    }

    #[test]
    fn grayordinates_are_compared_column_by_column() {
        let all = grayordinates(&[1, 4, 5]);
        assert_eq!((all.n_columns(), all.difference(&all)), (5, None));
        assert_eq!(all.place(1).vertex, Some(4));
        assert_eq!(all.place(3).grid, Some([1, 0, 2]));
        assert_eq!(all.place(3).millimetres, Some([0.0, -2.0, 2.0]));
        let why = all.difference(&grayordinates(&[1, 6, 5])).unwrap().to_string();
        assert!(why.contains("column 1") && why.contains("vertex 4") && why.contains("vertex 6"), "{why}");
        assert!(all.difference(&grayordinates(&[1, 4])).unwrap().to_string().contains("5 grayordinates"));
    }
}
