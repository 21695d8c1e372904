//! Writing maps of grayordinates (`.dscalar.nii`) or parcels (`.pscalar.nii`): f4, little-endian.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::geometry::Geometry;
use crate::space::{Grayordinates, Parcels, Part, Space};
use crate::xml::escaped;

/// A map to be written.
#[derive(Debug, Clone, Copy)]
pub struct Scalar<'a> {
    /// Its name.
    pub name: &'a str,
    /// A number per column.
    pub values: &'a [f32],
}

/// Writes maps under their names. A space that is no matrix of CIFTI is an error.
pub fn write_scalars(mut out: impl Write, space: &Space, maps: &[Scalar<'_>]) -> io::Result<()> {
    let refused = |what: String| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    let (columns, intent, intent_name) = match space {
        Space::Grayordinates(all) => (brain_models(all), 3006i32, "ConnDenseScalar"),
        Space::Parcels(all) => (parcel_map(all), 3008, "ConnParcelScalr"),
        Space::Grid(_) | Space::Surface(_) | Space::Unplaced(_) => {
            return refused(format!("{space}: no grayordinates"));
        }
    };
    let n_columns = space.n_columns();
    if let Some(map) = maps.iter().find(|map| map.values.len() != n_columns) {
        return refused(format!("{} values for {n_columns} columns", map.values.len()));
    }
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CIFTI Version=\"2\"><Matrix>");
    xml += "<MatrixIndicesMap AppliesToMatrixDimension=\"0\" IndicesMapToDataType=\"CIFTI_INDEX_TYPE_SCALARS\">";
    for map in maps {
        // Writing to a String cannot fail.
        let _ = write!(xml, "<NamedMap><MapName>{}</MapName></NamedMap>", escaped(map.name));
    }
    xml += "</MatrixIndicesMap>";
    xml += &columns;
    xml += "</Matrix></CIFTI>\n";
    // Size, code and content of the extension together fill a multiple of 16 bytes.
    let size = (xml.len() + 8).next_multiple_of(16);
    let Ok(stated) = i32::try_from(size) else { return refused(format!("{size} bytes of XML")) };
    let offset = 544 + size;
    let mut head = vec![0u8; offset];
    let mut put = |place: usize, field: &[u8]| head[place..place + field.len()].copy_from_slice(field);
    put(0, &540i32.to_le_bytes());
    put(4, b"n+2\0\r\n\x1a\n");
    put(12, &16i16.to_le_bytes());
    put(14, &32i16.to_le_bytes());
    for (index, length) in [6, 1, 1, 1, 1, maps.len(), n_columns, 1].into_iter().enumerate() {
        put(16 + 8 * index, &(length as i64).to_le_bytes());
        put(104 + 8 * index, &1f64.to_le_bytes());
    }
    put(168, &(offset as i64).to_le_bytes());
    put(176, &1f64.to_le_bytes());
    // Millimetres and seconds.
    put(500, &10i32.to_le_bytes());
    put(504, &intent.to_le_bytes());
    put(508, intent_name.as_bytes());
    put(540, &[1, 0, 0, 0]);
    put(544, &stated.to_le_bytes());
    put(548, &32i32.to_le_bytes());
    put(552, xml.as_bytes());
    out.write_all(&head)?;
    let mut column = Vec::with_capacity(4 * maps.len());
    for at in 0..n_columns {
        column.clear();
        column.extend(maps.iter().flat_map(|map| map.values[at].to_le_bytes()));
        out.write_all(&column)?;
    }
    out.flush()
}

fn list(numbers: impl IntoIterator<Item = u32>) -> String {
    numbers.into_iter().map(|number| number.to_string()).collect::<Vec<_>>().join(" ")
}

fn places(voxels: &[[u32; 3]]) -> String {
    voxels.iter().map(|place| list(*place)).collect::<Vec<_>>().join("\n")
}

fn volume(grid: &Geometry) -> String {
    let [nx, ny, nz] = grid.shape;
    let rows: Vec<String> = grid.affine.iter().map(|row| row.map(|entry| entry.to_string()).join(" ")).collect();
    format!(
        "<Volume VolumeDimensions=\"{nx},{ny},{nz}\"><TransformationMatrixVoxelIndicesIJKtoXYZ MeterExponent=\"-3\">{} 0 0 0 \
         1</TransformationMatrixVoxelIndicesIJKtoXYZ></Volume>",
        rows.join(" ")
    )
}

fn brain_models(all: &Grayordinates) -> String {
    let mut xml = String::from(
        "<MatrixIndicesMap AppliesToMatrixDimension=\"1\" IndicesMapToDataType=\"CIFTI_INDEX_TYPE_BRAIN_MODELS\">",
    );
    xml += &all.volume.as_ref().map_or(String::new(), volume);
    for model in &all.models {
        let place = format!(
            "IndexOffset=\"{}\" IndexCount=\"{}\" BrainStructure=\"CIFTI_STRUCTURE_{}\"",
            model.first,
            model.part.len(),
            escaped(&model.structure)
        );
        xml += &match &model.part {
            Part::Vertices { n_vertices, vertices } => format!(
                "<BrainModel {place} ModelType=\"CIFTI_MODEL_TYPE_SURFACE\" SurfaceNumberOfVertices=\"{n_vertices}\">\
                 <VertexIndices>{}</VertexIndices></BrainModel>",
                list(vertices.iter().copied())
            ),
            Part::Voxels(voxels) => format!(
                "<BrainModel {place} ModelType=\"CIFTI_MODEL_TYPE_VOXELS\"><VoxelIndicesIJK>{}</VoxelIndicesIJK></BrainModel>",
                places(voxels)
            ),
        };
    }
    xml + "</MatrixIndicesMap>"
}

fn parcel_map(all: &Parcels) -> String {
    let mut xml = String::from(
        "<MatrixIndicesMap AppliesToMatrixDimension=\"1\" IndicesMapToDataType=\"CIFTI_INDEX_TYPE_PARCELS\">",
    );
    xml += &all.volume.as_ref().map_or(String::new(), volume);
    let structure = |name: &str| format!("BrainStructure=\"CIFTI_STRUCTURE_{}\"", escaped(name));
    for (name, n_vertices) in &all.surfaces {
        xml += &format!("<Surface {} SurfaceNumberOfVertices=\"{n_vertices}\"/>", structure(name));
    }
    for parcel in &all.parcels {
        xml += &format!("<Parcel Name=\"{}\">", escaped(&parcel.name));
        for (name, vertices) in &parcel.vertices {
            xml += &format!("<Vertices {}>{}</Vertices>", structure(name), list(vertices.iter().copied()));
        }
        if !parcel.voxels.is_empty() {
            xml += &format!("<VoxelIndicesIJK>{}</VoxelIndicesIJK>", places(&parcel.voxels));
        }
        xml += "</Parcel>";
    }
    xml + "</MatrixIndicesMap>"
}
