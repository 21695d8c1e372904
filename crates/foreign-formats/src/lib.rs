//! What a file really is that is not what was asked for: told by its first bytes, with what turns it into what is.
//!
//! A file under the wrong name is neither damaged nor of an unsupported kind: it is something else, and saying what
//! saves an hour. [`recognise`] and [`text`] serve the readers of arrays and tables, [`refusal`] those of pictures,
//! networks and stimulus tables. No format is read here.
#![warn(missing_docs)]

mod formats;
mod marks;

pub use marks::is_netpbm;

use formats::{Advice, FORMATS};
use std::fmt;

/// So many first bytes tell every format known here.
pub const START_BYTES: usize = 1024;

/// A format that no tool here reads as an array or a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// With its article: `an HDF5 file (.h5)`.
    pub name: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.name, self.remedy)
    }
}

/// HDF5, and MATLAB's files from 7.3 on.
pub const HDF5: Foreign = Foreign {
    name: "an HDF5 file (.h5, .hdf5, MATLAB 7.3)",
    remedy: "convert it: numpy.save(\"x.npy\", h5py.File(\"x.h5\")[\"NAME\"][:]); betas are read by `fmri-roi extract x.h5:/NAME`",
};
/// MATLAB's files before 7.3.
pub const MATLAB: Foreign = Foreign {
    name: "a MATLAB file (.mat)",
    remedy: "convert it: numpy.save(\"x.npy\", scipy.io.loadmat(\"x.mat\")[\"NAME\"])",
};
/// Data of surfaces.
pub const GIFTI: Foreign = Foreign {
    name: "a GIFTI surface (.gii)",
    remedy: "convert it: numpy.save(\"x.npy\", nibabel.load(\"x.gii\").agg_data())",
};
/// Images and surface data of FreeSurfer.
pub const MGH: Foreign = Foreign {
    name: "a FreeSurfer image (.mgh, .mgz)",
    remedy: "convert it: numpy.save(\"x.npy\", nibabel.load(\"x.mgh\").get_fdata())",
};
const TEXT: Foreign = Foreign { name: "text", remedy: "`npy from-csv` makes an array of a table" };

/// What a file with these first bytes ([`START_BYTES`] of them, or all there are) is, where an array or a table was
/// wanted and the format is known. Plain text is no foreign format ([`text`] names it), `.npy` is none either.
///
/// ```
/// let start = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n";
/// assert!(foreign_formats::recognise(start).unwrap().name.contains("LFS"));
/// assert!(foreign_formats::recognise(b"stimulus,category\n").is_none());
/// ```
pub fn recognise(start: &[u8]) -> Option<Foreign> {
    let known = FORMATS.iter().filter_map(|format| Some((format, format.data?)));
    known
        .into_iter()
        .find(|(format, _)| (format.is)(start))
        .map(|(format, remedy)| Foreign { name: format.name, remedy })
}

/// Text where an array was expected.
pub fn text(start: &[u8]) -> Option<Foreign> {
    let utf16 = start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff");
    let printable = !start.is_empty() && start.iter().all(|b| *b >= 0x20 || matches!(b, b'\t' | b'\n' | b'\r'));
    // A few bytes of anything may be printable; a character cut at the end is no sign against text.
    let letters = start.utf8_chunks().next().is_some_and(|c| c.valid().len() + 4 > start.len());
    (utf16 || (printable && letters && start.len() >= 4)).then_some(TEXT)
}

/// What was wanted where it was no array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A picture.
    Picture,
    /// A network.
    Network,
    /// A table of stimuli.
    Table,
}

/// Why a file is not the wanted one, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is something else: its name with an article, and what helps.
    Not(&'static str, &'static str),
    /// It is such a file in a format that is not read: its name with an article, and what converts it.
    Unsupported(&'static str, &'static str),
}

/// Why the file that starts with `bytes` is not the wanted one, where that is known. An empty file is not known.
///
/// ```
/// use foreign_formats::{Refusal, Wanted, refused};
/// assert!(matches!(refused(b"8BPS\0\x01", Wanted::Picture), Some(Refusal::Unsupported("a Photoshop document", _))));
/// assert!(matches!(refused(b"8BPS\0\x01", Wanted::Network), Some(Refusal::Not("a Photoshop document", _))));
/// ```
pub fn refused(bytes: &[u8], wanted: Wanted) -> Option<Refusal> {
    let start = &bytes[..bytes.len().min(START_BYTES)];
    let known = FORMATS.iter().find(|format| (format.is)(start));
    let (name, advice) = match (known, wanted) {
        (Some(format), Wanted::Picture) => (format.name, format.picture),
        (Some(format), Wanted::Network) => (format.name, format.network),
        (Some(format), Wanted::Table) => (format.name, format.table),
        (None, Wanted::Table) => return None,
        (None, _) if !marks::is_text(start) => return None,
        // A picture or a network begins with a mark of its own; plain Netpbm is text, and told by its mark.
        (None, Wanted::Picture) if is_netpbm(start) || start.starts_with(b"P7") => return None,
        (None, Wanted::Picture) => ("a text file", formats::LIST_OF_PICTURES),
        (None, Wanted::Network) => ("a text file", formats::GIVE_NETWORK),
    };
    match advice {
        Advice::Fine => None,
        Advice::Not(advice) => Some(Refusal::Not(name, advice)),
        Advice::Unsupported(advice) => Some(Refusal::Unsupported(name, advice)),
    }
}

/// Why the file that starts with `bytes` is not the wanted one, in one line, where that is known.
///
/// ```
/// use foreign_formats::{Wanted, refusal};
/// assert_eq!(refusal(b"", Wanted::Table).unwrap(), "the file is empty");
/// assert!(refusal(b"%PDF-1.7", Wanted::Network).unwrap().starts_with("not a network: a PDF document; "));
/// ```
pub fn refusal(bytes: &[u8], wanted: Wanted) -> Option<String> {
    let noun = match wanted {
        Wanted::Picture => "picture",
        Wanted::Network => "network",
        Wanted::Table => "table",
    };
    if bytes.is_empty() {
        return Some("the file is empty".to_string());
    }
    refused(bytes, wanted).map(|refusal| match refusal {
        Refusal::Not(name, advice) => format!("not a {noun}: {name}; {advice}"),
        Refusal::Unsupported(name, advice) => format!("not supported: {name}; {advice}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        let name = |start: &[u8]| recognise(start).map_or("", |f| f.name);
        assert!(name(b"\n <!DOCTYPE HTML><head>").contains("HTML"));
        assert!(name(b"PK\x03\x04\x14\0\0\0arr_0.npy").contains(".npz"));
        assert!(name(b"PK\x03\x04\x14\0\0\0model/data.pkl").contains("PyTorch"));
        assert!(name(b"PK\x03\x04\x14\0\0\0[Content_Types].xml").contains(".xlsx"));
        assert!(name(b"PK\x03\x04\x14\0\0\0a.png").contains("zip"));
        assert!(name(b"\x80\x04\x95\x1f").contains("pickle"));
        assert!(name(b"<?xml version=\"1.0\"?><GIFTI Version=\"1.0\">").contains("GIFTI"));
        let mut nifti = vec![0; 352];
        nifti[..4].copy_from_slice(&348i32.to_le_bytes());
        assert!(name(&nifti).contains("ANALYZE"));
        nifti[344..348].copy_from_slice(b"n+1\0");
        assert!(name(&nifti).contains("NIfTI"));
        let mgh: Vec<u8> = [1, 256, 256, 256, 1, 3, 0].iter().flat_map(|n: &i32| n.to_be_bytes()).collect();
        assert!(name(&mgh).contains(".mgh"));
    }

    #[test]
    fn tables_and_arrays_are_not_foreign() {
        for start in [&b"stimulus,category\na,face\n"[..], b"\x93NUMPY\x01\0v\0{", b"", b"PK", "é\n".as_bytes()] {
            assert_eq!(recognise(start), None, "{start:?}");
        }
        assert!(text(b"stimulus,category\n").is_some() && text(b"\xff\xfes\0t\0").is_some());
        assert!(text(b"\x93NUMPY").is_none() && text(b"ab\0cd").is_none());
    }

    #[test]
    fn what_is_wanted_decides_what_is_said() {
        let avif = b"\0\0\0\x1cftypavif\0\0\0\0mif1miaf";
        for (bytes, wanted, said) in [
            (
                b"version https://git-lfs.github.com/spec/v1\noid".as_slice(),
                Wanted::Picture,
                "not a picture: a Git LFS pointer, not the data; fetch the data with `git lfs pull`",
            ),
            (b"version https://git-lfs.github.com/spec/v1\noid", Wanted::Network, "not a network: a Git LFS pointer"),
            (b"\n <!DOCTYPE html><html>", Wanted::Table, "not a table: a web page (HTML)"),
            (b"<?xml version='1.0'?><svg xmlns=", Wanted::Picture, "not supported: an SVG drawing"),
            (avif, Wanted::Picture, "not supported: an AVIF picture; convert it to PNG: avifdec"),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Wanted::Picture, "not supported: a HEIC picture"),
            (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", Wanted::Picture, "not a picture: a video; take pictures out"),
            (b"PK\x03\x04....model/data.pkl", Wanted::Network, "not a network: a PyTorch file (.pt, .pth); export"),
            (
                b"PK\x03\x04....[Content_Types].xml",
                Wanted::Table,
                "not a table: an Excel workbook (.xlsx); save it as CSV",
            ),
            (b"\x40\0\0\0\0\0\0\0{\"a\":{}}", Wanted::Network, "not a network: a safetensors file"),
            (b"\x80\x04\x95", Wanted::Network, "not a network: a Python pickle"),
            (b"hello", Wanted::Picture, "not a picture: a text file"),
            (b"{\"size\": 3}", Wanted::Network, "not a network: a JSON file"),
            (b"\xFF\xD8\xFF\xE0", Wanted::Network, "not a network: a picture; the network comes first"),
            (b"\x1c\0\0\0TFL3", Wanted::Network, "not supported: a TensorFlow Lite network"),
            ("é".as_bytes(), Wanted::Network, "not a network: a text file"),
            (b"", Wanted::Network, "the file is empty"),
        ] {
            let refusal = refusal(bytes, wanted).unwrap();
            assert!(refusal.starts_with(said), "{refusal}");
        }
        // What may be what was wanted.
        for (bytes, wanted) in [
            (b"\xFF\xD8\xFF\xE0".as_slice(), Wanted::Picture),
            (b"P3\n1 1 255\n1 2 3\n", Wanted::Picture),
            (b"path,category\n", Wanted::Table),
            (b"\x08\x08\x12\x06catsel", Wanted::Network),
            (b"\x08\x07\x12\x07pytorch\x1a\x032.1:", Wanted::Network),
        ] {
            assert_eq!(refusal(bytes, wanted), None);
        }
    }
}
