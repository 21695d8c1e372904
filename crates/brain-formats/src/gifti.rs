//! GIFTI files (`.gii`): metrics, labels and surfaces.
//!
//! GIFTI 1.0 (2011): XML with one `DataArray` per map, its numbers as text, Base64, compressed Base64, or in another
//! file, which the caller opens. A file is first looked through ([`Parsed::new`]), which says how much memory its
//! arrays need, and then decoded. What a header promises is compared with what is there before memory is taken.
//! `ColumnMajorOrder` holds for every encoding, as the standard says; nibabel (5.4) takes text by rows whatever it
//! says.

mod decode;
mod writer;

use std::io::{self, Read, Seek};

use thiserror::Error;

use crate::space::{Space, Surface, structure_name};
use crate::values::{NoMemory, Values};
use crate::xml::{self, Element, XmlError};

pub use writer::{Metric, write_labels, write_metrics};

/// Axes of a GIFTI array.
const MOST_AXES: u64 = 6;

/// A file that can be read from any place; what holds the numbers of `ExternalFileBinary`.
pub trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// Why a GIFTI file could not be read. Every variant holds the numbers; the caller adds the file name.
#[derive(Debug, Error)]
pub enum GiftiError {
    /// The XML is damaged, or lacks something.
    #[error("{0}")]
    Xml(#[from] XmlError),
    /// Other XML.
    #[error("not a GIFTI file: its root element is <{0}>, not <GIFTI>")]
    NotGifti(String),
    /// Another number of arrays than the file says.
    #[error("damaged: NumberOfDataArrays is {stated}, but there are {found}")]
    NArrays {
        /// What the file says.
        stated: u64,
        /// Arrays found.
        found: usize,
    },
    /// An attribute of an array holds a word that is not in the standard.
    #[error("array {array}: {attribute} is {value:?}; expected {expected}")]
    Unknown {
        /// The array, counted from 0.
        array: usize,
        /// The attribute.
        attribute: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        expected: &'static str,
    },
    /// Too few or too many axes, or an axis without length.
    #[error("array {array}: damaged: {what}")]
    Shape {
        /// The array, counted from 0.
        array: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The text of an array is not what its shape needs.
    #[error("array {array}: {shape:?} numbers need {wanted} {unit}, but there are {got}{more}; the file is damaged")]
    Length {
        /// The array, counted from 0.
        array: usize,
        /// Its shape.
        shape: Vec<u64>,
        /// What the shape needs.
        wanted: u128,
        /// What is there.
        got: u128,
        /// Said behind that number.
        more: &'static str,
        /// What is counted.
        unit: &'static str,
    },
    /// A word among the numbers.
    #[error("array {array}: number {at} of {n} is {text:?}, which is no {expected}")]
    Number {
        /// The array, counted from 0.
        array: usize,
        /// Which number, from 0.
        at: usize,
        /// Of how many.
        n: u128,
        /// What stands there.
        text: String,
        /// What should.
        expected: &'static str,
    },
    /// Base64 or compressed bytes that cannot be decoded.
    #[error("array {array}: damaged: {what}")]
    Damaged {
        /// The array, counted from 0.
        array: usize,
        /// What the decoder says.
        what: String,
    },
    /// The file with the numbers cannot be read.
    #[error("array {array}: its numbers are in {name:?}: {error}")]
    External {
        /// The array, counted from 0.
        array: usize,
        /// Name of the file.
        name: String,
        /// Why not.
        error: io::Error,
    },
    /// Memory could not be had.
    #[error("{0}")]
    NoMemory(#[from] NoMemory),
    /// Arrays that are no maps of one surface.
    #[error("{0}")]
    NoMaps(String),
    /// A triangle with a vertex that there is not.
    #[error("triangle {triangle} has vertex {vertex}, but the surface has {n_vertices} vertices")]
    Triangle {
        /// The triangle, from 0.
        triangle: usize,
        /// Its vertex.
        vertex: f64,
        /// Vertices there are.
        n_vertices: usize,
    },
}

/// A label and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The number that vertices have.
    pub key: i64,
    /// Its name.
    pub name: String,
}

/// The labels of a `<LabelTable>`. Files from before the standard say Index for Key.
pub(crate) fn label_table(parent: &Element<'_>) -> Result<Vec<Label>, XmlError> {
    let labels = parent.first("LabelTable").into_iter().flat_map(|table| table.all("Label"));
    let label = |label: &Element<'_>| {
        let key = label.attribute("Key").or_else(|| label.attribute("Index"));
        let key = key.map_or_else(|| label.required("Key"), Ok)?;
        let wrong = || XmlError::Count { element: "Label".into(), attribute: "Key".into(), value: key.into() };
        Ok(Label { key: key.trim().parse().map_err(|_| wrong())?, name: label.text.trim().to_owned() })
    };
    labels.map(label).collect()
}

/// A file that has been looked through; its numbers are still as they are stored.
pub struct Parsed<'a> {
    metadata: Vec<(String, String)>,
    labels: Vec<Label>,
    arrays: Vec<decode::Stored<'a>>,
}

/// A GIFTI file.
#[derive(Debug, Clone, PartialEq)]
pub struct Gifti {
    /// What the file says of itself.
    pub metadata: Vec<(String, String)>,
    /// Names of labels.
    pub labels: Vec<Label>,
    /// Its arrays.
    pub arrays: Vec<DataArray>,
}

/// One array of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct DataArray {
    /// What the numbers are: `NIFTI_INTENT_LABEL`, `NIFTI_INTENT_POINTSET` ...
    pub intent: String,
    /// What the array says of itself.
    pub metadata: Vec<(String, String)>,
    /// Length of its axes.
    pub shape: Vec<usize>,
    /// The numbers, the last axis fastest whatever the order in the file.
    pub values: Values,
}

/// Maps of one surface.
#[derive(Debug, Clone, PartialEq)]
pub struct Maps {
    /// The surface.
    pub surface: Surface,
    /// Name and numbers of each map, in the order of the vertices.
    pub maps: Vec<(String, Values)>,
    /// Names of labels.
    pub labels: Vec<Label>,
}

/// The triangles of a surface.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    /// Which surface, where the file says.
    pub structure: Option<String>,
    /// Places of the vertices (mm).
    pub coordinates: Vec<[f64; 3]>,
    /// Vertices of each triangle.
    pub triangles: Vec<[u32; 3]>,
}

impl<'a> Parsed<'a> {
    /// Looks a file through and checks what its arrays promise against what it holds.
    pub fn new(bytes: &'a [u8]) -> Result<Self, GiftiError> {
        let root = xml::read(bytes)?;
        if root.name != "GIFTI" {
            return Err(GiftiError::NotGifti(root.name));
        }
        let (metadata, labels) = (root.metadata(), label_table(&root)?);
        let stated = root.attribute("NumberOfDataArrays");
        let stated = stated.map(|stated| root.count_in("NumberOfDataArrays", stated)).transpose()?;
        let arrays = root.children.into_iter().filter(|child| child.name == "DataArray").enumerate();
        let arrays = arrays.map(|(number, array)| decode::Stored::of(number, array)).collect::<Result<Vec<_>, _>>()?;
        match stated {
            Some(stated) if stated != arrays.len() as u64 => Err(GiftiError::NArrays { stated, found: arrays.len() }),
            _ => Ok(Parsed { metadata, labels, arrays }),
        }
    }

    /// Bytes that the numbers need when they are decoded.
    pub fn bytes_held(&self) -> u128 {
        self.arrays.iter().map(decode::Stored::bytes_held).sum()
    }

    /// Decodes all arrays. `external` opens the file of this name, which stands beside the GIFTI file.
    pub fn decode(self, mut external: impl FnMut(&str) -> io::Result<Box<dyn ReadSeek>>) -> Result<Gifti, GiftiError> {
        let arrays = self.arrays.into_iter().map(|array| array.decode(&mut external)).collect::<Result<_, _>>()?;
        Ok(Gifti { metadata: self.metadata, labels: self.labels, arrays })
    }
}

/// Reads a file whose numbers are all in it or in those that `external` opens.
pub fn read(bytes: &[u8], external: impl FnMut(&str) -> io::Result<Box<dyn ReadSeek>>) -> Result<Gifti, GiftiError> {
    Parsed::new(bytes)?.decode(external)
}

/// What answers for files beside a GIFTI file that came from a pipe.
pub fn nothing_beside(_: &str) -> io::Result<Box<dyn ReadSeek>> {
    Err(io::Error::new(io::ErrorKind::NotFound, "a pipe has no files beside it"))
}

fn value<'m>(metadata: &'m [(String, String)], name: &str) -> Option<&'m str> {
    metadata.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

const STRUCTURE: &str = "AnatomicalStructurePrimary";

impl Gifti {
    /// Which surface the file is about, as CIFTI calls it: by its metadata, else by those of an array.
    pub fn structure(&self) -> Option<String> {
        let of_arrays = || self.arrays.iter().find_map(|array| value(&array.metadata, STRUCTURE));
        value(&self.metadata, STRUCTURE).or_else(of_arrays).map(structure_name)
    }

    /// What the numbers of the first array are, by NIfTI's list of intents; `None` where its name says nothing of a
    /// statistic.
    pub fn intent(&self) -> Option<i32> {
        Some(match self.arrays.first()?.intent.as_str() {
            "NIFTI_INTENT_CORREL" => 2,
            "NIFTI_INTENT_TTEST" => 3,
            "NIFTI_INTENT_FTEST" => 4,
            "NIFTI_INTENT_ZSCORE" => 5,
            "NIFTI_INTENT_PVAL" => 22,
            "NIFTI_INTENT_LOGPVAL" => 23,
            "NIFTI_INTENT_LOG10PVAL" => 24,
            "NIFTI_INTENT_ESTIMATE" => 1001,
            _ => return None,
        })
    }

    /// The maps: every array that is no geometry, each axis behind the first being maps of its own.
    pub fn into_maps(self) -> Result<Maps, GiftiError> {
        let structure = self.structure();
        let n_arrays = self.arrays.len();
        let mut maps = Vec::new();
        let mut n_vertices = None;
        for (number, array) in self.arrays.into_iter().enumerate() {
            match array.intent.as_str() {
                "NIFTI_INTENT_POINTSET" | "NIFTI_INTENT_TRIANGLE" => continue,
                "NIFTI_INTENT_NODE_INDEX" => {
                    return Err(GiftiError::NoMaps(format!(
                        "not supported: array {number} of {n_arrays} lists the vertices that the others are about \
                         (NIFTI_INTENT_NODE_INDEX); save maps of all vertices"
                    )));
                }
                _ => {}
            }
            let n = array.shape[0];
            let n_maps = array.shape[1..].iter().product::<usize>();
            let first = *n_vertices.get_or_insert(n);
            if n != first {
                return Err(GiftiError::NoMaps(format!(
                    "array {number} has {n} vertices, but the arrays before it have {first}; maps of one file lie on one \
                     surface"
                )));
            }
            let name = value(&array.metadata, "Name").unwrap_or_default().to_owned();
            if n_maps == 1 {
                maps.push((name, array.values));
                continue;
            }
            for map in 0..n_maps {
                let of = |vertex: usize| array.values.get(vertex * n_maps + map);
                let values = match &array.values {
                    Values::Single(_) => Values::Single((0..n).map(|vertex| of(vertex) as f32).collect()),
                    Values::Double(_) => Values::Double((0..n).map(of).collect()),
                };
                maps.push((name.clone(), values));
            }
        }
        match n_vertices {
            Some(n_vertices) => Ok(Maps { surface: Surface { structure, n_vertices }, maps, labels: self.labels }),
            None => Err(GiftiError::NoMaps(format!(
                "0 of {n_arrays} arrays are maps; a surface (coordinates and triangles) holds no numbers to test: give a \
                 .func.gii, .shape.gii or .label.gii"
            ))),
        }
    }

    /// The coordinates and triangles of a surface.
    pub fn into_mesh(self) -> Result<Mesh, GiftiError> {
        let structure = self.structure();
        let three = |intent: &str, what: &str| {
            let found = self.arrays.iter().find(|array| array.intent == intent);
            let array = found.ok_or_else(|| {
                GiftiError::NoMaps(format!("0 of {} arrays are {what} ({intent}); give a .surf.gii", self.arrays.len()))
            })?;
            match *array.shape.as_slice() {
                [n, 3] => Ok((n, array)),
                _ => Err(GiftiError::NoMaps(format!("the {what} have shape {:?}; expected n x 3", array.shape))),
            }
        };
        let (n_vertices, points) = three("NIFTI_INTENT_POINTSET", "coordinates")?;
        let (n_triangles, corners) = three("NIFTI_INTENT_TRIANGLE", "triangles")?;
        let coordinates: Vec<[f64; 3]> =
            (0..n_vertices).map(|n| [0, 1, 2].map(|axis| points.values.get(3 * n + axis))).collect();
        if let Some(vertex) = coordinates.iter().position(|place| place.iter().any(|mm| !mm.is_finite())) {
            let place = coordinates[vertex];
            return Err(GiftiError::NoMaps(format!("damaged: vertex {vertex} of {n_vertices} is at {place:?} mm")));
        }
        let mut triangles = Vec::with_capacity(n_triangles);
        for triangle in 0..n_triangles {
            let vertices = [0, 1, 2].map(|corner| corners.values.get(3 * triangle + corner));
            if let Some(&vertex) =
                vertices.iter().find(|v| !(**v >= 0.0 && **v < n_vertices as f64 && v.fract() == 0.0))
            {
                return Err(GiftiError::Triangle { triangle, vertex, n_vertices });
            }
            triangles.push(vertices.map(|vertex| vertex as u32));
        }
        Ok(Mesh { structure, coordinates, triangles })
    }
}

impl Maps {
    /// What the columns of the maps stand for.
    pub fn space(&self) -> Space {
        Space::Surface(self.surface.clone())
    }
}

/// Whether a stream that starts with these bytes is a GIFTI file: XML whose first element it is, behind declarations.
pub fn looks_like_gifti(first: &[u8]) -> bool {
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    let text = first.trim_ascii_start();
    text.starts_with(b"<") && text.windows(6).any(|window| window == b"<GIFTI")
}

#[cfg(test)]
mod tests;
