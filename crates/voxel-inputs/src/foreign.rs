//! Files that are given as images and are none: what they are, and how to make an image or a matrix of them.

use foreign_formats::{Foreign, HDF5, MATLAB, recognise, text};
use npy_stream::{NpyError, NpyReader};
use std::io::Cursor;
use std::path::Path;

use brain_formats::freesurfer::looks_like_annotation;
use brain_formats::gifti::looks_like_gifti;
use brain_formats::volume::{looks_like_nifti, unpacked_start};

/// First bytes that are looked at; the header of a `.npy` array is among them.
pub(crate) const START_BYTES: usize = 4096;

/// Makes voxels x volumes, as scanners' software orders them, into rows of voxels.
const ROWS: &str = "numpy.save(\"x.npy\", a.reshape(-1, a.shape[-1]).T) where the volumes lie along the last axis of a";

/// Why a file with these first bytes is neither an image nor a matrix; `None` where nothing is known, or where the
/// reader itself has the better message.
pub(crate) fn refusal(start: &[u8], path: Option<&Path>) -> Option<String> {
    let unpacked;
    let (inner, compressed) = match start {
        [0x1f, 0x8b, ..] => {
            unpacked = unpacked_start(start, foreign_formats::START_BYTES);
            (&unpacked[..], ", compressed with gzip")
        }
        plain => (plain, ""),
    };
    if looks_like_nifti(inner) && !inner.starts_with(&[0x1f, 0x8b]) {
        return None;
    }
    if looks_like_gifti(inner) || (compressed.is_empty() && looks_like_annotation(inner)) {
        return None;
    }
    if inner.starts_with(b"\x93NUMPY") {
        return match compressed {
            "" => array(inner),
            _ => Some("a .npy array compressed with gzip; unpack it with `gzip -dc`".into()),
        };
    }
    // Text that is not compressed may be a table, which is for the caller to say.
    let known = recognise(&inner[..inner.len().min(foreign_formats::START_BYTES)]);
    let known = known.or_else(|| text(inner).filter(|_| !compressed.is_empty()));
    if let Some(foreign) = known {
        return Some(not_an_image(&format!("{}{compressed}", foreign.name), remedy(foreign)));
    }
    let name = path.and_then(Path::file_name).map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    if name.ends_with(".img") {
        return Some(not_an_image(
            "the voxels of an .hdr/.img pair, without their header",
            "save both as one .nii: nibabel.save(nibabel.Nifti1Image.from_image(nibabel.load(\"x.hdr\")), \"x.nii\")",
        ));
    }
    if name.ends_with(".brik") {
        return Some(not_an_image(
            "the voxels of an AFNI image, without their .HEAD",
            "convert it: `3dAFNItoNIFTI x+orig.HEAD`",
        ));
    }
    None
}

/// The same for text, where no table is expected.
pub(crate) fn refusal_of_text(start: &[u8]) -> Option<String> {
    text(start).map(|foreign| not_an_image(foreign.name, foreign.remedy))
}

fn not_an_image(name: &str, remedy: &str) -> String {
    format!("not a .npy array or a NIfTI image but {name}; {remedy}")
}

/// How to make an image or a matrix of it, where that differs from how to make an array of it.
fn remedy(foreign: Foreign) -> &'static str {
    match foreign {
        // A file is read; this is a pipe, or compressed as a whole.
        HDF5 => "give it unpacked and as a file, FILE.hdf5:/NAME; HDF5 is not read from its beginning to its end",
        MATLAB => {
            "convert it: a = scipy.io.loadmat(\"x.mat\")[\"NAME\"]; numpy.save(\"x.npy\", a.reshape(-1, a.shape[-1]).T) where the \
             trials lie along the last axis"
        }
        foreign => foreign.remedy,
    }
}

/// Arrays that no reader of matrices takes: with more than two axes, and pickled objects.
fn array(start: &[u8]) -> Option<String> {
    let mut reader = NpyReader::from_pipe(Cursor::new(start.to_vec()));
    match reader.next_array() {
        Ok(Some(array)) if array.shape().len() == 3 => Some(format!(
            "not a matrix or a NIfTI image but a 3-d .npy array {:?}; a matrix has a row per volume and a column per voxel: numpy.save(\"x.npy\", \
             a.reshape(1, -1)) where a is one volume, {ROWS}",
            array.shape()
        )),
        Ok(Some(array)) if array.shape().len() > 3 => Some(format!(
            "not a matrix or a NIfTI image but a {}-d .npy array {:?}; a matrix has a row per volume and a column per voxel: {ROWS}",
            array.shape().len(),
            array.shape()
        )),
        Err(NpyError::Dtype(dtype)) if dtype.ends_with('O') => Some(format!(
            "not a matrix or a NIfTI image but pickled Python objects in a .npy file (dtype {dtype:?}), which only Python reads; take one array out: a = \
             numpy.load(\"x.npy\", allow_pickle=True).item()[\"NAME\"] (\"betasmd\" of GLMsingle); {ROWS}"
        )),
        _ => None,
    }
}
