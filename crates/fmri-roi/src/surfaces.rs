//! The meshes of the surfaces that maps lie on, and with them where the points of a map are.

use anyhow::{Result, bail};
use brain_formats::Space;
use brain_formats::gifti;
use brain_formats::space::{Part, Surface};
use brain_maps::{Connectivity, Layout, Mesh};
use cli::{Cell, Input, Job, Named};
use voxel_inputs::read_mesh;

use crate::options::Neighbours;

/// What says which vertices are neighbours.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Surfaces {
    /// Mesh of a map's surface: GIFTI (.surf.gii) or FreeSurfer's (lh.pial); once per hemisphere of grayordinates
    #[arg(long, value_name = "MESH")]
    surface: Vec<Input>,
    /// The mesh of the left hemisphere, where the file does not say so (FreeSurfer's)
    #[arg(long, value_name = "MESH")]
    surface_left: Option<Input>,
    /// The mesh of the right hemisphere
    #[arg(long, value_name = "MESH")]
    surface_right: Option<Input>,
}

/// A mesh and the surface that it is of, as far as that is known.
struct Given {
    source: String,
    structure: Option<String>,
    mesh: gifti::Mesh,
}

impl Given {
    /// The mesh, if it is of so many vertices.
    fn of(&self, n_vertices: usize, (source, what): (&str, &str)) -> Result<Mesh> {
        let n = self.mesh.coordinates.len();
        if n != n_vertices {
            bail!(
                "{}: {n} vertices, but {source} has {n_vertices} {what}; give the mesh on which the map was made",
                self.source
            );
        }
        let (coordinates, triangles) = (self.mesh.coordinates.clone(), self.mesh.triangles.clone());
        Ok(Mesh::new(coordinates, triangles)?)
    }
}

impl Surfaces {
    /// Whether a mesh was named.
    pub fn are_given(&self) -> bool {
        !self.surface.is_empty() || self.surface_left.is_some() || self.surface_right.is_some()
    }

    /// The options as they were typed, for messages.
    fn typed(&self) -> &'static str {
        match (&self.surface_left, &self.surface_right) {
            (Some(_), _) if self.surface.is_empty() => "--surface-left",
            (None, Some(_)) if self.surface.is_empty() => "--surface-right",
            _ => "--surface",
        }
    }

    /// Refuses meshes where nothing would use them.
    pub fn refuse(&self, why: &str) -> Result<()> {
        match self.are_given() {
            true => bail!("{}: {why}; leave it out", self.typed()),
            false => Ok(()),
        }
    }

    fn read(&self, job: &Job) -> Result<Vec<Given>> {
        let mut given: Vec<Given> = Vec::new();
        let left_and_right = [(&self.surface_left, "CORTEX_LEFT"), (&self.surface_right, "CORTEX_RIGHT")].into_iter();
        let named = left_and_right.filter_map(|(input, side)| Some((input.as_ref()?, Some(side))));
        for (input, side) in self.surface.iter().map(|input| (input, None)).chain(named) {
            let (source, mesh) = (input.to_string(), read_mesh(job, input)?);
            let structure = mesh.structure.clone();
            if let (Some(stated), Some(side)) = (&structure, side)
                && stated != side
            {
                bail!("{source}: a mesh of {stated}, which was given as that of {side}");
            }
            let structure = structure.or_else(|| side.map(str::to_owned));
            if let Some(twin) = given.iter().find(|other| structure.is_some() && other.structure == structure) {
                bail!("{source}: a mesh of {}, as {} is; give one of each", structure.unwrap_or_default(), twin.source);
            }
            given.push(Given { source, structure, mesh });
        }
        Ok(given)
    }

    /// Where the points of a map are, because `what` needs it. A surface that does not say which one it is takes the
    /// name that its mesh has.
    pub fn layout(&self, job: &Job, source: &str, space: &mut Space, what: &str) -> Result<Layout> {
        let given = self.read(job)?;
        let unused = |used: &[String]| match given.iter().find(|mesh| !used.contains(&mesh.source)) {
            Some(mesh) => {
                let of = mesh.structure.as_deref().unwrap_or("no named surface");
                bail!("{}: a mesh of {of}, but {source} has none of its vertices; leave it out", mesh.source)
            }
            None => Ok(()),
        };
        match space {
            Space::Grid(grid) => {
                self.refuse(&format!("{source} has {grid}, whose neighbours need no mesh"))?;
                Ok(Layout::of_grid(grid.shape, grid.affine))
            }
            Space::Parcels(_) => bail!("{source}: {space}, but {what} needs voxels or vertices, which have neighbours"),
            Space::Unplaced(_) => {
                bail!("{source}: {space}, but {what} needs to know where they are; give --like IMAGE")
            }
            Space::Surface(surface) => {
                let fits = |mesh: &&Given| match (&mesh.structure, &surface.structure) {
                    (Some(mine), Some(theirs)) => mine == theirs,
                    _ => true,
                };
                let Some(mesh) = given.iter().find(fits) else {
                    unused(&[])?;
                    bail!(
                        "{source}: {surface}, but {what} needs to know which of them are neighbours; give their mesh: \
                         --surface MESH (.surf.gii, or FreeSurfer's lh.pial)"
                    );
                };
                let of = mesh.of(surface.n_vertices, (source, &vertices_of(surface)))?;
                unused(std::slice::from_ref(&mesh.source))?;
                let mut layout = Layout::default();
                layout.push_vertices(of, (0..surface.n_vertices).collect());
                surface.structure = surface.structure.take().or_else(|| mesh.structure.clone());
                Ok(layout)
            }
            Space::Grayordinates(all) => {
                if let Some(nameless) = given.iter().find(|mesh| mesh.structure.is_none()) {
                    bail!(
                        "{}: does not say which surface it is of, and {source} has several; give it as --surface-left or \
                         --surface-right",
                        nameless.source
                    );
                }
                let mut layout = Layout::default();
                let mut used = Vec::new();
                for model in &all.models {
                    match (&model.part, &all.volume) {
                        (Part::Vertices { n_vertices, vertices }, _) => {
                            let structure = Some(&model.structure);
                            let Some(mesh) = given.iter().find(|mesh| mesh.structure.as_ref() == structure) else {
                                let option = match model.structure.as_str() {
                                    "CORTEX_LEFT" => "--surface-left MESH",
                                    "CORTEX_RIGHT" => "--surface-right MESH",
                                    _ => "--surface MESH (a .surf.gii that names it)",
                                };
                                bail!(
                                    "{source}: {} of {n_vertices} vertices of {}, but {what} needs to know which of them are \
                                     neighbours; give their mesh: {option}",
                                    vertices.len(),
                                    model.structure
                                );
                            };
                            let of = mesh.of(*n_vertices, (source, &format!("vertices of {}", model.structure)))?;
                            used.push(mesh.source.clone());
                            layout.push_vertices(of, vertices.iter().map(|&vertex| vertex as usize).collect());
                        }
                        (Part::Voxels(voxels), Some(grid)) => {
                            let number = |place: &[u32; 3]| grid.voxel(place.map(|index| index as usize));
                            layout.push_voxels(grid.shape, grid.affine, voxels.iter().map(number).collect());
                        }
                        (Part::Voxels(voxels), None) => {
                            bail!("{source}: {} voxels of {} without a grid", voxels.len(), model.structure)
                        }
                    }
                }
                unused(&used)?;
                Ok(layout)
            }
        }
    }
}

fn vertices_of(surface: &Surface) -> String {
    surface.structure.as_ref().map_or_else(|| "vertices".to_owned(), |structure| format!("vertices of {structure}"))
}

/// Refuses a choice of voxels' neighbours where there is no voxel.
pub(crate) fn require_voxels(connectivity: Option<Neighbours>, source: &str, space: &Space) -> Result<()> {
    match (connectivity, space) {
        (Some(_), Space::Surface(surface)) => bail!(
            "{source}: {surface}, whose neighbours are those of the mesh; --connectivity is of voxels, so leave it out"
        ),
        _ => Ok(()),
    }
}

/// What neighbours are in a map of this space, in words: 6, mesh, or both.
pub(crate) fn neighbours_in_words(space: Option<&Space>, connectivity: Connectivity) -> String {
    let n = connectivity.n_neighbours();
    match space {
        Some(Space::Surface(_)) => MESH.to_owned(),
        Some(Space::Grayordinates(all)) => {
            let has = |wanted: fn(&Part) -> bool| all.models.iter().any(|model| wanted(&model.part));
            match (has(|part| matches!(part, Part::Vertices { .. })), has(|part| matches!(part, Part::Voxels(_)))) {
                (true, true) => format!("{MESH} and {n}"),
                (true, false) => MESH.to_owned(),
                _ => n.to_string(),
            }
        }
        _ => n.to_string(),
    }
}

/// Records what neighbours are, a number where they are of voxels alone.
pub(crate) fn record_neighbours(job: &Job, space: Option<&Space>, connectivity: Connectivity) {
    let words = neighbours_in_words(space, connectivity);
    match words.parse::<usize>() {
        Ok(n) => job.record("connectivity", n),
        Err(_) => job.record("connectivity", words),
    }
}

/// What neighbours are called that share an edge of a mesh.
const MESH: &str = "mesh";

/// What the neighbours of a column are, as a cell: those of the mesh of a vertex, so many of a voxel; empty of no
/// column among several kinds.
pub(crate) fn connectivity_cell(
    column: Option<usize>,
    space: Option<&Space>,
    connectivity: Connectivity,
) -> Cell<'static> {
    let is_vertex = match (space, column) {
        (Some(Space::Surface(_)), _) => true,
        (Some(space @ Space::Grayordinates(_)), Some(column)) => space.place(column).vertex.is_some(),
        (Some(Space::Grayordinates(_)), None) => return Cell::Empty,
        _ => false,
    };
    if is_vertex { MESH.into() } else { connectivity.n_neighbours().into() }
}

/// The columns of a size: volume of voxels, area of vertices.
pub(crate) fn size_columns(space: Option<&Space>) -> &'static [&'static str] {
    match space {
        Some(Space::Surface(_)) => &["mm2"],
        Some(Space::Grayordinates(_)) => &["mm3", "mm2"],
        _ => &["mm3"],
    }
}

/// The size of some columns; empty where it is not known: of a map without a place, and of vertices without their mesh.
pub(crate) fn size_cells(columns: &[usize], space: Option<&Space>, layout: Option<&Layout>) -> Vec<Named<'static>> {
    let mm3 = || match space? {
        Space::Grid(grid) => Some(columns.len() as f64 * brain_maps::grid::voxel_mm3(&grid.affine)),
        space @ Space::Grayordinates(all) => {
            let n_voxels = columns.iter().filter(|column| space.place(**column).grid.is_some()).count();
            Some(n_voxels as f64 * all.volume.as_ref().map_or(0.0, |grid| brain_maps::grid::voxel_mm3(&grid.affine)))
        }
        Space::Surface(_) | Space::Parcels(_) | Space::Unplaced(_) => None,
    };
    let cell = |&name: &&'static str| match name {
        "mm2" => (name, layout.map(|layout| layout.mm2(columns)).into()),
        _ => (name, mm3().into()),
    };
    size_columns(space).iter().map(cell).collect()
}
