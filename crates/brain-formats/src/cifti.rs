//! CIFTI-2 files: maps or time points of grayordinates or parcels (`.dscalar.nii`, `.dtseries.nii`, `.dlabel.nii`,
//! `.ptseries.nii`, `.pscalar.nii`, `.plabel.nii`).
//!
//! CIFTI-2 specification (2014): a NIfTI-2 header, XML in the header extension of code 32, which alone says that a file
//! is CIFTI (its intent code may say nothing), and a matrix in which maps run fastest. Files between grayordinates or
//! parcels (`.dconn.nii`) are refused.

mod writer;
mod xml;

use thiserror::Error;

use crate::gifti::Label;
use crate::space::Space;
use crate::values::{NoMemory, Values};
use crate::volume::VolumeError;
use crate::volume::bytes::{Bytes, Cut, fill};
use crate::volume::cifti::extension;
use crate::volume::header::Header;
use crate::xml::XmlError;

pub use writer::{Scalar, write_scalars};

/// Bytes of the matrix that are read at a time.
const BLOCK_BYTES: usize = 1 << 20;

/// Why a CIFTI file could not be read. Every variant holds the numbers; the caller adds the file name.
#[derive(Debug, Error)]
pub enum CiftiError {
    /// The NIfTI part is damaged, or cut.
    #[error("{0}")]
    Volume(#[from] VolumeError),
    /// The XML is damaged, or lacks something.
    #[error("the XML of the CIFTI file: {0}")]
    Xml(#[from] XmlError),
    /// The file says that it is CIFTI, and has no XML.
    #[error(
        "damaged: a CIFTI file without the header extension of code 32 that describes it; {got} bytes of extensions"
    )]
    NoXml {
        /// Bytes between header and matrix.
        got: usize,
    },
    /// The extension is longer than the place it stands in.
    #[error("damaged: the header extension of CIFTI states {stated} bytes, but {got} stand before the matrix")]
    Extension {
        /// What it states.
        stated: usize,
        /// What is there.
        got: usize,
    },
    /// A file between parts of the brain.
    #[error(
        "not supported: a CIFTI-2 file ({kind}) whose matrix is not maps or time points by grayordinates or parcels; take a map \
         out: `wb_command -cifti-convert -to-nifti`, or numpy.save(\"x.npy\", nibabel.load(\"x.nii\").get_fdata())"
    )]
    Kind {
        /// Its kind.
        kind: String,
    },
    /// The header and the XML count differently.
    #[error("damaged: the header says {what} {header}, but the XML has {xml}")]
    Counts {
        /// What is counted.
        what: &'static str,
        /// What the header says.
        header: usize,
        /// What the XML says.
        xml: usize,
    },
    /// A contradiction within the XML.
    #[error("damaged: {0}")]
    Index(String),
    /// Memory could not be had.
    #[error("{0}")]
    NoMemory(#[from] NoMemory),
}

/// What the rows of the matrix are.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// Maps with names; those of a `.dlabel.nii` name their labels too.
    Maps(Vec<NamedMap>),
    /// Time points, or another series.
    Series {
        /// How many.
        n: usize,
        /// The first, in units.
        start: f64,
        /// From one to the next, in units.
        step: f64,
        /// The unit: SECOND, HERTZ, METER or RADIAN.
        unit: String,
    },
}

/// A map of scalars or labels.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedMap {
    /// Its name.
    pub name: String,
    /// Names of its labels; none for scalars.
    pub labels: Vec<Label>,
}

impl Rows {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Rows::Maps(maps) => maps.len(),
            Rows::Series { n, .. } => *n,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A CIFTI file whose header and XML have been read.
pub struct CiftiReader {
    header: Header,
    bytes: Bytes,
    rows: Rows,
    space: Space,
}

impl CiftiReader {
    /// Reads the XML between a header and its matrix.
    pub(crate) fn behind(header: Header, extensions: &[u8], bytes: Bytes) -> Result<Self, CiftiError> {
        let Some((stated, text)) = extension(extensions, header.big_endian) else {
            return Err(CiftiError::NoXml { got: extensions.len() });
        };
        if text.len() < stated {
            return Err(CiftiError::Extension { stated, got: text.len() });
        }
        // The extension is padded with zeros to a multiple of 16 bytes.
        let end = text.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let Some((rows, space)) = xml::read(&text[..end])? else {
            return Err(CiftiError::Kind { kind: header.cifti_kind(extensions) });
        };
        let axes = header.axes;
        if axes[..4] != [1; 4] || header.n_axes != 6 {
            let dim = axes.map(|n| n.to_string()).join("x");
            return Err(CiftiError::Index(format!("dim is {dim}; the matrix of a CIFTI file lies on axes 5 and 6")));
        }
        for (what, header, xml) in [("rows", axes[4], rows.len()), ("columns", axes[5], space.n_columns())] {
            if header != xml {
                return Err(CiftiError::Counts { what, header, xml });
            }
        }
        Ok(CiftiReader { header, bytes, rows, space })
    }

    /// What the rows are.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// What the columns are.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// Bytes that the matrix needs in memory.
    pub fn bytes_held(&self) -> u128 {
        let item = if self.is_double() { 8 } else { 4 };
        item * self.rows.len() as u128 * self.space.n_columns() as u128
    }

    fn is_scaled(&self) -> bool {
        self.header.slope != 1.0 || self.header.inter != 0.0
    }

    /// Whether f4 does not hold every number.
    pub fn is_double(&self) -> bool {
        self.is_scaled() || self.header.stored.is_wide()
    }

    /// Reads the matrix: rows one after the other.
    pub fn into_values(mut self) -> Result<(Rows, Space, Values), CiftiError> {
        let (n_rows, n_columns) = (self.rows.len(), self.space.n_columns());
        let (stored, wanted) = (self.header.stored, self.header.voxel_bytes());
        let mut values = Values::zeros(stored, self.is_scaled(), n_rows * n_columns)?;
        let column_bytes = n_rows * stored.n_bytes();
        let block = (BLOCK_BYTES / column_bytes).max(1);
        let mut raw = vec![0u8; block.min(n_columns) * column_bytes];
        let (slope, inter, scaled) = (self.header.slope, self.header.inter, self.is_scaled());
        for first in (0..n_columns).step_by(block) {
            let columns = block.min(n_columns - first);
            let raw = &mut raw[..columns * column_bytes];
            let before = (first * column_bytes) as u128;
            let got = match fill(&mut self.bytes, raw) {
                Ok(got) => got,
                Err(Cut { got, error }) if error.kind() == std::io::ErrorKind::UnexpectedEof => got,
                Err(Cut { error, .. }) => return Err(VolumeError::from(error).into()),
            };
            if got < raw.len() {
                return Err(VolumeError::Truncated { got: before + got as u128, wanted }.into());
            }
            for row in 0..n_rows {
                for column in 0..columns {
                    let at = (column * n_rows + row) * stored.n_bytes();
                    let number = stored.number(&raw[at..at + stored.n_bytes()], self.header.big_endian);
                    let number = if scaled { number * slope + inter } else { number };
                    values.set(row * n_columns + first + column, number);
                }
            }
        }
        match self.bytes.count_rest(BLOCK_BYTES as u64) {
            Ok((0, _)) => Ok((self.rows, self.space, values)),
            Ok((n, all)) => {
                let more = if all { "" } else { "more than " };
                let wanted = wanted.saturating_add(u128::from(self.header.offset));
                Err(VolumeError::Trailing { n, more, wanted }.into())
            }
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(VolumeError::NoChecksum { wanted }.into())
            }
            Err(error) => Err(VolumeError::from(error).into()),
        }
    }
}

#[cfg(test)]
mod tests;
