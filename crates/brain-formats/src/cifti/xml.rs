//! The XML of CIFTI-2: what rows and columns of the matrix are.

use super::{CiftiError, NamedMap, Rows};
use crate::geometry::Geometry;
use crate::gifti::label_table;
use crate::space::{Grayordinates, Model, Parcel, Parcels, Part, Space, structure_name};
use crate::xml::{self, Element, XmlError};

/// The rows and columns of a matrix of maps by places; `None` where it is another kind of matrix.
pub(super) fn read(text: &[u8]) -> Result<Option<(Rows, Space)>, CiftiError> {
    let root = xml::read(text)?;
    if root.name != "CIFTI" {
        return Err(CiftiError::Index(format!("the root element of the XML is <{}>, not <CIFTI>", root.name)));
    }
    let version = root.required("Version")?;
    if version.trim().split('.').next() != Some("2") {
        return Err(CiftiError::Index(format!(
            "not supported: CIFTI version {version:?}; version 2 is read, `wb_command -file-convert -cifti-version-convert` \
             makes it"
        )));
    }
    let matrix = root.child("Matrix")?;
    let map_of = |dimension: &str| {
        let applies = |map: &&Element<'_>| {
            map.attribute("AppliesToMatrixDimension")
                .is_some_and(|all| all.split(',').any(|one| one.trim() == dimension))
        };
        matrix.all("MatrixIndicesMap").find(applies).ok_or_else(|| {
            CiftiError::Index(format!("0 of the MatrixIndicesMap elements apply to dimension {dimension}"))
        })
    };
    let (along_row, along_column) = (map_of("0")?, map_of("1")?);
    let kind = |map: &Element<'_>| Ok::<_, XmlError>(map.required("IndicesMapToDataType")?.to_owned());
    let space = match kind(along_column)?.as_str() {
        "CIFTI_INDEX_TYPE_BRAIN_MODELS" => Space::Grayordinates(grayordinates(along_column)?),
        "CIFTI_INDEX_TYPE_PARCELS" => Space::Parcels(parcels(along_column)?),
        _ => return Ok(None),
    };
    let rows = match kind(along_row)?.as_str() {
        "CIFTI_INDEX_TYPE_SCALARS" | "CIFTI_INDEX_TYPE_LABELS" => {
            let map = |map: &Element<'_>| -> Result<NamedMap, XmlError> {
                let name = map.first("MapName").map_or(String::new(), |name| name.text.trim().to_owned());
                Ok(NamedMap { name, labels: label_table(map)? })
            };
            Rows::Maps(along_row.all("NamedMap").map(map).collect::<Result<_, _>>()?)
        }
        "CIFTI_INDEX_TYPE_SERIES" => {
            let real = |name: &'static str| -> Result<f64, CiftiError> {
                let text = along_row.required(name)?;
                text.trim().parse().map_err(|_| CiftiError::Index(format!("{name} is {text:?}, which is no number")))
            };
            let scale = 10f64.powf(real("SeriesExponent")?);
            Rows::Series {
                n: count(along_row, "NumberOfSeriesPoints")?,
                start: real("SeriesStart")? * scale,
                step: real("SeriesStep")? * scale,
                unit: along_row.required("SeriesUnit")?.to_owned(),
            }
        }
        _ => return Ok(None),
    };
    Ok(Some((rows, space)))
}

fn count(element: &Element<'_>, name: &'static str) -> Result<usize, CiftiError> {
    let count = element.count(name)?;
    usize::try_from(count).map_err(|_| CiftiError::Index(format!("{name} is {count}, more than can be counted")))
}

/// The whole numbers in a text.
fn indices(text: &str, what: &str) -> Result<Vec<u32>, CiftiError> {
    let index = |(at, word): (usize, &str)| {
        word.parse().map_err(|_| CiftiError::Index(format!("index {at} of {what} is {word:?}, no whole number from 0")))
    };
    text.split_ascii_whitespace().enumerate().map(index).collect()
}

/// Indices of vertices, each below the number there are.
fn vertices(text: &str, n_vertices: usize, structure: &str) -> Result<Vec<u32>, CiftiError> {
    let vertices = indices(text, structure)?;
    match vertices.iter().find(|vertex| **vertex as usize >= n_vertices) {
        Some(vertex) => Err(CiftiError::Index(format!(
            "{structure} has vertex {vertex}, but its surface has {n_vertices} vertices"
        ))),
        None => Ok(vertices),
    }
}

/// Places of voxels, three whole numbers each, within the grid.
fn voxels(text: &str, volume: Option<&Geometry>, structure: &str) -> Result<Vec<[u32; 3]>, CiftiError> {
    let all = indices(text, structure)?;
    let (places, rest) = all.as_chunks::<3>();
    if !rest.is_empty() {
        return Err(CiftiError::Index(format!("{structure} has {} numbers of voxels, not three each", all.len())));
    }
    let Some(grid) = volume else {
        return match places.len() {
            0 => Ok(Vec::new()),
            n => Err(CiftiError::Index(format!("{structure} has {n} voxels, but there is no <Volume>"))),
        };
    };
    let outside = |place: &&[u32; 3]| place.iter().zip(grid.shape).any(|(index, n)| *index as usize >= n);
    match places.iter().find(outside) {
        Some(place) => {
            let [nx, ny, nz] = grid.shape;
            Err(CiftiError::Index(format!("{structure} has voxel {place:?}, but the volume is {nx}x{ny}x{nz}")))
        }
        None => Ok(places.to_vec()),
    }
}

fn volume(map: &Element<'_>) -> Result<Option<Geometry>, CiftiError> {
    let Some(volume) = map.first("Volume") else { return Ok(None) };
    let stated = volume.required("VolumeDimensions")?;
    let lengths: Vec<usize> = stated.split(',').map_while(|length| length.trim().parse().ok()).collect();
    let (&[nx, ny, nz], 3) = (lengths.as_slice(), stated.split(',').count()) else {
        return Err(CiftiError::Index(format!("VolumeDimensions is {stated:?}; expected three whole numbers")));
    };
    let matrix = volume.child("TransformationMatrixVoxelIndicesIJKtoXYZ")?;
    let exponent = matrix.attribute("MeterExponent").unwrap_or("-3");
    let Ok(exponent) = exponent.trim().parse::<i32>() else {
        return Err(CiftiError::Index(format!("MeterExponent is {exponent:?}; expected a whole number")));
    };
    // The standard counts in metres, a grid in millimetres.
    let scale = 10f64.powi(exponent.saturating_add(3));
    let numbers: Vec<f64> = matrix.text.split_ascii_whitespace().map_while(|word| word.parse().ok()).collect();
    if numbers.len() != 16 {
        return Err(CiftiError::Index(format!("the matrix of the volume has {} numbers; expected 16", numbers.len())));
    }
    let affine = [0, 1, 2].map(|row| [0, 1, 2, 3].map(|column| numbers[4 * row + column] * scale));
    let grid = Geometry { shape: [nx, ny, nz], affine, space: 4 };
    Ok(Some(grid.checked().map_err(crate::volume::VolumeError::from)?))
}

fn grayordinates(map: &Element<'_>) -> Result<Grayordinates, CiftiError> {
    let volume = volume(map)?;
    let mut models = Vec::new();
    for model in map.all("BrainModel") {
        let structure = structure_name(model.required("BrainStructure")?);
        let part = match model.required("ModelType")? {
            "CIFTI_MODEL_TYPE_SURFACE" => {
                let n_vertices = count(model, "SurfaceNumberOfVertices")?;
                let text = &model.child("VertexIndices")?.text;
                Part::Vertices { n_vertices, vertices: vertices(text, n_vertices, &structure)? }
            }
            "CIFTI_MODEL_TYPE_VOXELS" => {
                Part::Voxels(voxels(&model.child("VoxelIndicesIJK")?.text, volume.as_ref(), &structure)?)
            }
            other => {
                return Err(CiftiError::Index(format!(
                    "ModelType of {structure} is {other:?}; expected CIFTI_MODEL_TYPE_SURFACE or CIFTI_MODEL_TYPE_VOXELS"
                )));
            }
        };
        let stated = count(model, "IndexCount")?;
        if stated != part.len() {
            return Err(CiftiError::Index(format!("IndexCount of {structure} is {stated}, but it has {}", part.len())));
        }
        models.push(Model { structure, first: count(model, "IndexOffset")?, part });
    }
    models.sort_by_key(|model| model.first);
    let mut next = 0;
    for model in &models {
        if model.first != next {
            let Model { structure, first, .. } = model;
            return Err(CiftiError::Index(format!(
                "{structure} starts at column {first}, but the one before ends at {next}"
            )));
        }
        next += model.part.len();
    }
    Ok(Grayordinates { volume, models })
}

fn parcels(map: &Element<'_>) -> Result<Parcels, CiftiError> {
    let volume = volume(map)?;
    let surface = |surface: &Element<'_>| -> Result<(String, usize), CiftiError> {
        Ok((structure_name(surface.required("BrainStructure")?), count(surface, "SurfaceNumberOfVertices")?))
    };
    let surfaces = map.all("Surface").map(surface).collect::<Result<Vec<_>, _>>()?;
    let parcel = |parcel: &Element<'_>| -> Result<Parcel, CiftiError> {
        let name = parcel.required("Name")?.to_owned();
        let mut parts = Vec::new();
        for part in parcel.all("Vertices") {
            let structure = structure_name(part.required("BrainStructure")?);
            let Some((_, n_vertices)) = surfaces.iter().find(|(named, _)| *named == structure) else {
                return Err(CiftiError::Index(format!(
                    "parcel {name:?} is on {structure}, of which there is no <Surface>"
                )));
            };
            parts.push((structure.clone(), vertices(&part.text, *n_vertices, &structure)?));
        }
        let text = parcel.first("VoxelIndicesIJK").map_or("", |voxels| &voxels.text);
        let voxels = voxels(text, volume.as_ref(), &name)?;
        Ok(Parcel { name, vertices: parts, voxels })
    };
    let parcels = map.all("Parcel").map(parcel).collect::<Result<_, _>>()?;
    Ok(Parcels { volume, surfaces, parcels })
}
