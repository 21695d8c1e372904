//! Writing metrics and labels of a surface: f4 and i4, compressed, little-endian. The same values give the same bytes.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::STRUCTURE;
use crate::space::{Surface, gifti_structure};
use crate::volume_writer::Intent;
use crate::xml::escaped;

/// A map to be written.
#[derive(Debug, Clone, Copy)]
pub struct Metric<'a> {
    /// Its name; none is written where it is empty.
    pub name: &'a str,
    /// A number per vertex.
    pub values: &'a [f32],
}

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE GIFTI SYSTEM \
                    \"http://www.nitrc.org/frs/download.php/115/gifti.dtd\">\n";

/// Writes maps of a surface as a `.func.gii` has them: f4, compressed.
pub fn write_metrics(mut out: impl Write, surface: &Surface, maps: &[Metric<'_>], intent: Intent) -> io::Result<()> {
    write_head(&mut out, surface, maps.len())?;
    writeln!(out, "  <LabelTable/>")?;
    let (name, parameters) = match intent {
        Intent::T { df } => ("NIFTI_INTENT_TTEST", vec![("intent_p1", df)]),
        Intent::F { df1, df2 } => ("NIFTI_INTENT_FTEST", vec![("intent_p1", df1), ("intent_p2", df2)]),
        Intent::Z => ("NIFTI_INTENT_ZSCORE", Vec::new()),
        Intent::None | Intent::Label => ("NIFTI_INTENT_NONE", Vec::new()),
    };
    let parameters: Vec<(&str, String)> = parameters.into_iter().map(|(name, df)| (name, df.to_string())).collect();
    for map in maps {
        check_length(surface, map.values.len())?;
        let mut metadata = Vec::new();
        metadata.extend(Some(("Name", map.name)).filter(|(_, name)| !name.is_empty()));
        metadata.extend(parameters.iter().map(|(name, df)| (*name, df.as_str())));
        let raw = map.values.iter().flat_map(|value| value.to_le_bytes());
        write_array(&mut out, name, "NIFTI_TYPE_FLOAT32", map.values.len(), &metadata, raw)?;
    }
    writeln!(out, "</GIFTI>")?;
    out.flush()
}

/// Writes labels of a surface as a `.label.gii` has them, with the names of the labels above 0.
pub fn write_labels(mut out: impl Write, surface: &Surface, labels: &[u32], names: &[(u32, &str)]) -> io::Result<()> {
    check_length(surface, labels.len())?;
    if let Some(&label) = labels.iter().find(|label| **label > i32::MAX as u32) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("label {label} is more than {}", i32::MAX)));
    }
    write_head(&mut out, surface, 1)?;
    writeln!(out, "  <LabelTable>")?;
    writeln!(out, "    <Label Key=\"0\" Red=\"0\" Green=\"0\" Blue=\"0\" Alpha=\"0\">???</Label>")?;
    for &(label, name) in names {
        let [red, green, blue] = colour(label);
        let colour = format!("Red=\"{red}\" Green=\"{green}\" Blue=\"{blue}\" Alpha=\"1\"");
        writeln!(out, "    <Label Key=\"{label}\" {colour}>{}</Label>", escaped(name))?;
    }
    writeln!(out, "  </LabelTable>")?;
    let raw = labels.iter().flat_map(|label| label.to_le_bytes());
    write_array(&mut out, "NIFTI_INTENT_LABEL", "NIFTI_TYPE_INT32", labels.len(), &[], raw)?;
    writeln!(out, "</GIFTI>")?;
    out.flush()
}

/// A colour for programs that show labels, far from those of its neighbours.
pub(crate) fn colour(label: u32) -> [f64; 3] {
    [0u32, 1, 2].map(|part| f64::from(label.wrapping_mul(97 + 58 * part).wrapping_add(40 * part) % 216 + 40) / 255.0)
}

fn check_length(surface: &Surface, n: usize) -> io::Result<()> {
    if n == surface.n_vertices {
        return Ok(());
    }
    let what = format!("{n} values for a surface of {} vertices", surface.n_vertices);
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

fn write_head(out: &mut impl Write, surface: &Surface, n_arrays: usize) -> io::Result<()> {
    writeln!(out, "{HEAD}<GIFTI Version=\"1.0\" NumberOfDataArrays=\"{n_arrays}\">")?;
    let structure = surface.structure.as_deref().map(gifti_structure);
    let metadata: Vec<(&str, &str)> = structure.iter().map(|name| (STRUCTURE, name.as_str())).collect();
    write_metadata(out, "  ", &metadata)
}

fn write_metadata(out: &mut impl Write, indent: &str, pairs: &[(&str, &str)]) -> io::Result<()> {
    if pairs.is_empty() {
        return writeln!(out, "{indent}<MetaData/>");
    }
    writeln!(out, "{indent}<MetaData>")?;
    for (name, value) in pairs {
        writeln!(out, "{indent}  <MD><Name>{}</Name><Value>{}</Value></MD>", escaped(name), escaped(value))?;
    }
    writeln!(out, "{indent}</MetaData>")
}

fn write_array(
    out: &mut impl Write,
    intent: &str,
    kind: &str,
    n: usize,
    metadata: &[(&str, &str)],
    raw: impl Iterator<Item = u8>,
) -> io::Result<()> {
    writeln!(
        out,
        "  <DataArray Intent=\"{intent}\" DataType=\"{kind}\" ArrayIndexingOrder=\"RowMajorOrder\" Dimensionality=\"1\" Dim0=\"{n}\" \
         Encoding=\"GZipBase64Binary\" Endian=\"LittleEndian\" ExternalFileName=\"\" ExternalFileOffset=\"\">"
    )?;
    write_metadata(out, "    ", metadata)?;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&raw.collect::<Vec<u8>>())?;
    writeln!(out, "    <Data>{}</Data>\n  </DataArray>", STANDARD.encode(packed.finish()?))
}
