//! FreeSurfer's annotations (`.annot`) and labels (`.label`), which are parcels and regions of a surface, and surfaces
//! themselves (`lh.pial`, `lh.white`, `lh.inflated`).
//!
//! The formats: FreeSurfer's wiki page "LabelsClutsAnnotationFiles", `colortab.c` and `mrisurf.c`. An annotation has a
//! pair per vertex (its number, the colour of its parcel as r + 256 g + 65536 b) and a table of colours with their
//! names; a label is text with a line per vertex.

use std::collections::HashMap;

use thiserror::Error;

use crate::gifti::Mesh;

/// Why a file of FreeSurfer could not be read. Every variant holds the numbers; the caller adds the file name.
#[derive(Debug, Error, PartialEq)]
pub enum FreesurferError {
    /// The file ends early, or a number in it promises too much.
    #[error("{what} needs {wanted} bytes from byte {at} on, but the file has {length}; it is cut off or damaged")]
    Short {
        /// What stands there.
        what: &'static str,
        /// Where.
        at: usize,
        /// Bytes that it needs.
        wanted: u64,
        /// Bytes of the file.
        length: usize,
    },
    /// A count that cannot be one.
    #[error("damaged: {what} is {value}; expected a number from 0 to {most}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// What the file says.
        value: i64,
        /// The largest there can be.
        most: i64,
    },
    /// A table of colours that no program writes any more.
    #[error("not supported: a colour table of version {0}; versions 1 and 2 are read")]
    Version(i32),
    /// No names.
    #[error("an annotation of {n_vertices} vertices without a colour table, so that its parcels have no names")]
    NoTable {
        /// Vertices in the file.
        n_vertices: usize,
    },
    /// A vertex twice.
    #[error("damaged: vertex {vertex} of {n_vertices} stands there twice")]
    Twice {
        /// The vertex.
        vertex: usize,
        /// Vertices in the file.
        n_vertices: usize,
    },
    /// Bytes behind the end.
    #[error("{more} bytes follow the {wanted} bytes of the annotation; the file is damaged")]
    Trailing {
        /// Bytes there.
        more: usize,
        /// Bytes that belong to it.
        wanted: usize,
    },
    /// No surface of triangles.
    #[error(
        "not supported: {0}; triangles of FreeSurfer (lh.pial) and GIFTI (.surf.gii) are read, and mris_convert makes them"
    )]
    NoTriangles(&'static str),
    /// A triangle with a vertex that there is not.
    #[error("damaged: triangle {triangle} has vertex {vertex}, but the surface has {n_vertices} vertices")]
    Triangle {
        /// The triangle, from 0.
        triangle: usize,
        /// Its vertex.
        vertex: i32,
        /// Vertices there are.
        n_vertices: usize,
    },
    /// A vertex that is nowhere.
    #[error("damaged: vertex {vertex} of {n_vertices} is at {place:?} mm")]
    NoPlace {
        /// The vertex.
        vertex: usize,
        /// Vertices in the file.
        n_vertices: usize,
        /// Where the file says it is.
        place: [f64; 3],
    },
    /// A label that is no text of this kind.
    #[error("line {line}: {text:?}; expected {expected}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        text: String,
        /// What should.
        expected: &'static str,
    },
    /// Another number of vertices than the label says.
    #[error("the label promises {stated} vertices, but {found} lines follow")]
    Lines {
        /// What the second line says.
        stated: u64,
        /// Lines behind it.
        found: usize,
    },
}

/// A parcel of an annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Red, green, blue and transparency (255 minus alpha), 0 to 255.
    pub colour: [u8; 4],
}

/// The parcels of a surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// Number of the parcel of each vertex, into `entries`; `None` in no parcel.
    pub parcels: Vec<Option<usize>>,
    /// The parcels in the order of the file.
    pub entries: Vec<Entry>,
    /// Vertices with a colour that is not in the table; they are in no parcel.
    pub n_unknown: usize,
}

/// Big-endian numbers, one after the other.
struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    fn take(&mut self, n: u64, what: &'static str) -> Result<&'a [u8], FreesurferError> {
        let rest = &self.bytes[self.at..];
        if n > rest.len() as u64 {
            return Err(FreesurferError::Short { what, at: self.at, wanted: n, length: self.bytes.len() });
        }
        self.at += n as usize;
        Ok(&rest[..n as usize])
    }

    fn word(&mut self, what: &'static str) -> Result<i32, FreesurferError> {
        let bytes = self.take(4, what)?;
        Ok(i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn count(&mut self, what: &'static str, most: i32) -> Result<usize, FreesurferError> {
        let value = self.word(what)?;
        let wrong = || FreesurferError::Count { what, value: i64::from(value), most: i64::from(most) };
        usize::try_from(value).ok().filter(|_| value <= most).ok_or_else(wrong)
    }

    /// A text and its length, which counts a 0 behind it.
    fn text(&mut self) -> Result<String, FreesurferError> {
        let length = self.count("length of a name", i32::MAX)?;
        let bytes = self.take(length as u64, "a name")?;
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(length);
        Ok(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    fn entry(&mut self) -> Result<Entry, FreesurferError> {
        let name = self.text()?;
        let mut colour = [0u8; 4];
        for part in &mut colour {
            *part = self.count("part of a colour", 255)? as u8;
        }
        Ok(Entry { name, colour })
    }
}

/// Reads an annotation.
pub fn read_annotation(bytes: &[u8]) -> Result<Annotation, FreesurferError> {
    let mut words = Words { bytes, at: 0 };
    let n_vertices = words.count("number of vertices", i32::MAX)?;
    let pairs = words.take(8 * n_vertices as u64, "the vertices")?;
    if bytes.len() == words.at || words.word("mark of a colour table")? == 0 {
        return Err(FreesurferError::NoTable { n_vertices });
    }
    let mut entries = Vec::new();
    match words.word("version of the colour table")? {
        n @ 1.. => {
            words.text()?;
            for _ in 0..n {
                entries.push(words.entry()?);
            }
        }
        -2 => {
            let most = words.count("number of parcels", i32::MAX)?;
            words.text()?;
            let n = words.count("number of parcels in the file", i32::MAX)?;
            for _ in 0..n {
                // A parcel's place in the table may leave gaps; the order of the file is what counts here.
                words.count("number of a parcel", i32::try_from(most).unwrap_or(i32::MAX))?;
                entries.push(words.entry()?);
            }
        }
        version => return Err(FreesurferError::Version(-version)),
    }
    if bytes.len() > words.at {
        return Err(FreesurferError::Trailing { more: bytes.len() - words.at, wanted: words.at });
    }
    // Of two parcels of one colour nobody can say which is meant; the first is (as in FreeSurfer).
    let mut by_colour: HashMap<u32, usize> = HashMap::new();
    for (number, Entry { colour: [red, green, blue, _], .. }) in entries.iter().enumerate() {
        let colour = u32::from(*red) + (u32::from(*green) << 8) + (u32::from(*blue) << 16);
        by_colour.entry(colour).or_insert(number);
    }
    let mut parcels = vec![None; n_vertices];
    let mut seen = vec![false; n_vertices];
    let mut n_unknown = 0;
    let mut pairs = Words { bytes: pairs, at: 0 };
    for _ in 0..n_vertices {
        let vertex = pairs.count("number of a vertex", i32::try_from(n_vertices).unwrap_or(i32::MAX) - 1)?;
        let colour = pairs.word("colour of a vertex")? as u32;
        if std::mem::replace(&mut seen[vertex], true) {
            return Err(FreesurferError::Twice { vertex, n_vertices });
        }
        // 0 stands for no parcel, whatever the table says.
        if colour != 0 {
            parcels[vertex] = by_colour.get(&colour).copied();
            n_unknown += usize::from(parcels[vertex].is_none());
        }
    }
    Ok(Annotation { parcels, entries, n_unknown })
}

/// Whether a file may be an annotation, which no first bytes mark: its vertices are numbered from 0.
pub fn looks_like_annotation(first: &[u8]) -> bool {
    let word = |at: usize| first.get(at..)?.first_chunk().map(|bytes| i32::from_be_bytes(*bytes));
    matches!(word(0), Some(3..)) && [word(4), word(12), word(20)] == [Some(0), Some(1), Some(2)]
}

/// First bytes of a surface of triangles.
const TRIANGLES: [u8; 3] = [0xff, 0xff, 0xfe];
/// First bytes of surfaces of quadrangles, old and new.
const QUADRANGLES: [[u8; 3]; 2] = [[0xff, 0xff, 0xff], [0xff, 0xff, 0xfd]];

/// Whether a file that starts with these bytes is a surface.
pub fn looks_like_surface(first: &[u8]) -> bool {
    first.starts_with(&TRIANGLES) || QUADRANGLES.iter().any(|mark| first.starts_with(mark))
}

/// Reads a surface of triangles. Places are in millimetres of the surface (tkregister's), as nibabel's `read_geometry`
/// gives them; which hemisphere it is, the file does not say. What stands behind the triangles (where the volume was,
/// which programs were run) is not read.
pub fn read_surface(bytes: &[u8]) -> Result<Mesh, FreesurferError> {
    if !bytes.starts_with(&TRIANGLES) {
        let quadrangles = QUADRANGLES.iter().any(|mark| bytes.starts_with(mark));
        let what = if quadrangles { "a surface of quadrangles" } else { "a file that is no surface" };
        return Err(FreesurferError::NoTriangles(what));
    }
    // Who made it, and an empty line.
    let mut at = TRIANGLES.len();
    for _ in 0..2 {
        let end = bytes[at..].iter().position(|&byte| byte == b'\n');
        let short = || FreesurferError::Short { what: "a line of text", at, wanted: 1, length: bytes.len() };
        at += end.ok_or_else(short)? + 1;
    }
    let mut words = Words { bytes, at };
    let n_vertices = words.count("number of vertices", i32::MAX)?;
    let n_triangles = words.count("number of triangles", i32::MAX)?;
    let places = words.take(12 * n_vertices as u64, "the places of the vertices")?;
    let corners = words.take(12 * n_triangles as u64, "the triangles")?;
    let word = |bytes: &[u8], at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    let place = |vertex: usize| {
        let place = [0, 4, 8].map(|axis| f64::from(f32::from_be_bytes(word(places, 12 * vertex + axis))));
        let finite = place.iter().all(|mm| mm.is_finite());
        finite.then_some(place).ok_or(FreesurferError::NoPlace { vertex, n_vertices, place })
    };
    let coordinates = (0..n_vertices).map(place).collect::<Result<_, _>>()?;
    let mut triangles = Vec::with_capacity(n_triangles);
    for triangle in 0..n_triangles {
        let corners = [0, 4, 8].map(|corner| i32::from_be_bytes(word(corners, 12 * triangle + corner)));
        if let Some(&vertex) = corners.iter().find(|v| usize::try_from(**v).map_or(true, |v| v >= n_vertices)) {
            return Err(FreesurferError::Triangle { triangle, vertex, n_vertices });
        }
        triangles.push(corners.map(|vertex| vertex as u32));
    }
    Ok(Mesh { structure: None, coordinates, triangles })
}

/// A vertex, or a point, of a label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Number of the vertex; -1 in a label of a volume.
    pub vertex: i64,
    /// Its place (mm).
    pub place: [f64; 3],
    /// A number of its own, mostly 0.
    pub value: f64,
}

/// First bytes of a label.
pub const LABEL: &[u8] = b"#!ascii label";

/// Reads a label.
pub fn read_label(text: &str) -> Result<Vec<Point>, FreesurferError> {
    let line = |line: usize, text: &str, expected: &'static str| FreesurferError::Line {
        line,
        text: text.chars().take(80).collect(),
        expected,
    };
    let mut lines = text.lines().enumerate().map(|(at, text)| (at + 1, text));
    match lines.next() {
        Some((_, head)) if head.starts_with('#') => {}
        other => return Err(line(1, other.map_or("", |(_, text)| text), "a comment that starts with #!ascii label")),
    }
    let (at, stated) = lines.next().unwrap_or((2, ""));
    let stated: u64 = stated.trim().parse().map_err(|_| line(at, stated, "the number of vertices"))?;
    let mut points = Vec::new();
    for (at, text) in lines.filter(|(_, text)| !text.trim().is_empty()) {
        let wrong = || line(at, text, "vertex, x, y, z and a value");
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let &[vertex, x, y, z, value] = fields.as_slice() else { return Err(wrong()) };
        let real = |field: &str| field.parse::<f64>().map_err(|_| wrong());
        let vertex: i64 = vertex.parse().ok().filter(|vertex| *vertex >= -1).ok_or_else(wrong)?;
        points.push(Point { vertex, place: [real(x)?, real(y)?, real(z)?], value: real(value)? });
    }
    match points.len() {
        found if found as u64 == stated => Ok(points),
        found => Err(FreesurferError::Lines { stated, found }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Vec<u8> {
        [&(text.len() as i32 + 1).to_be_bytes()[..], text.as_bytes(), &[0]].concat()
    }

    fn words(all: &[i32]) -> Vec<u8> {
        all.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    /// Five vertices: two of V1, one of V2, one of nothing, one of an unknown colour.
    fn annotation(version: i32) -> Vec<u8> {
        let (v1, v2) = (10 + 256 * 20 + 65536 * 30, 1);
        let mut file = words(&[5, 0, v1, 1, v2, 2, 0, 3, v1, 4, 99, 1]);
        let entries = [("V1", [10, 20, 30, 0]), ("V2", [1, 0, 0, 255])];
        if version == 2 {
            file.extend([words(&[-2, 2]), name("table.ctab"), words(&[2])].concat());
        } else {
            file.extend([words(&[2]), name("table.ctab")].concat());
        }
        for (number, (parcel, colour)) in entries.into_iter().enumerate() {
            if version == 2 {
                file.extend(words(&[number as i32]));
            }
            file.extend([name(parcel), words(&colour)].concat());
        }
        file
    }

    #[test]
    fn both_versions_of_an_annotation() {
        for version in [1, 2] {
            let read = read_annotation(&annotation(version)).unwrap();
            assert_eq!(read.parcels, [Some(0), Some(1), None, Some(0), None]);
            assert_eq!((read.n_unknown, read.entries[1].name.as_str()), (1, "V2"));
            assert_eq!(read.entries[0].colour, [10, 20, 30, 0]);
            assert!(looks_like_annotation(&annotation(version)));
        }
    }

    #[test]
    fn every_cut_is_an_error_and_promises_are_refused() {
        for version in [1, 2] {
            let whole = annotation(version);
            for n in 0..whole.len() {
                assert!(read_annotation(&whole[..n]).is_err(), "{version} {n}");
            }
            let longer = [whole.clone(), vec![0; 2]].concat();
            assert_eq!(read_annotation(&longer), Err(FreesurferError::Trailing { more: 2, wanted: whole.len() }));
        }
        let message = read_annotation(&words(&[i32::MAX, 0, 0])).unwrap_err().to_string();
        assert!(message.contains("17179869176") && message.contains("12"), "{message}");
        assert!(read_annotation(&words(&[-1])).unwrap_err().to_string().contains("-1"));
        let mut twice = annotation(2);
        twice[12..16].copy_from_slice(&0i32.to_be_bytes());
        assert_eq!(read_annotation(&twice), Err(FreesurferError::Twice { vertex: 0, n_vertices: 5 }));
        twice[12..16].copy_from_slice(&5i32.to_be_bytes());
        assert!(read_annotation(&twice).unwrap_err().to_string().contains("0 to 4"));
        assert_eq!(read_annotation(&words(&[1, 0, 0, 0])), Err(FreesurferError::NoTable { n_vertices: 1 }));
        assert_eq!(read_annotation(&words(&[1, 0, 0, 1, -3])), Err(FreesurferError::Version(3)));
    }

    fn surface() -> Vec<u8> {
        let mut file = [&TRIANGLES[..], b"created by nobody\n\n"].concat();
        file.extend(words(&[4, 2]));
        for place in [[0.0f32, 0.0, 0.5], [3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [3.0, 2.0, 0.0]] {
            file.extend(place.iter().flat_map(|mm| mm.to_be_bytes()));
        }
        file.extend(words(&[0, 1, 2, 2, 1, 3]));
        file
    }

    #[test]
    fn a_surface_and_what_stands_behind_it() {
        let tail = [surface(), words(&[2, 0, 20])].concat();
        for file in [surface(), tail] {
            assert!(looks_like_surface(&file) && !looks_like_annotation(&file));
            let mesh = read_surface(&file).unwrap();
            assert_eq!((mesh.coordinates[0], mesh.coordinates.len()), ([0.0, 0.0, 0.5], 4));
            assert_eq!((mesh.triangles, mesh.structure), (vec![[0, 1, 2], [2, 1, 3]], None));
        }
    }

    #[test]
    fn a_surface_that_is_cut_or_damaged_is_an_error() {
        let whole = surface();
        for n in 0..whole.len() {
            assert!(read_surface(&whole[..n]).is_err(), "{n}");
        }
        let start = whole.len() - 24;
        for (at, wrong, part) in [
            (start, 4, "triangle 0 has vertex 4, but the surface has 4 vertices"),
            (start, -1, "vertex -1"),
            (start - 48, f32::NAN.to_bits() as i32, "vertex 0 of 4 is at [NaN"),
            (start - 56, i32::MAX, "25769803764 bytes"),
            (start - 56, -3, "number of vertices is -3"),
        ] {
            let mut file = whole.clone();
            file[at..at + 4].copy_from_slice(&wrong.to_be_bytes());
            let message = read_surface(&file).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
        let message = read_surface(&[0xff, 0xff, 0xff, 0, 0, 1]).unwrap_err().to_string();
        assert!(message.contains("quadrangles") && message.contains("mris_convert"), "{message}");
    }

    #[test]
    fn labels() {
        let text = "#!ascii label  , from subject fsaverage vox2ras=TkReg\n2\n7  -1.5 2 3.25 0.0\n-1 0 0 0 1e-3\n";
        let points = read_label(text).unwrap();
        assert_eq!(points[0], Point { vertex: 7, place: [-1.5, 2.0, 3.25], value: 0.0 });
        assert_eq!((points[1].vertex, points[1].value), (-1, 1e-3));
        let message = read_label(&text.replace("\n2\n", "\n3\n")).unwrap_err().to_string();
        assert!(message.contains("3 vertices") && message.contains("2 lines"), "{message}");
        for (text, part) in [("", "line 1"), ("#!ascii label\nx\n", "line 2"), ("#!ascii label\n1\n1 2 3\n", "line 3")]
        {
            assert!(read_label(text).unwrap_err().to_string().contains(part));
        }
    }
}
