//! What a file really is that is not what was asked for: told by its first bytes, with what turns it into what is.
//!
//! A file under the wrong name is neither damaged nor of an unsupported kind: it is something else, and saying what
//! saves an hour. No format is read here.
#![warn(missing_docs)]

use std::fmt;

/// So many first bytes tell every format known here.
pub const START_BYTES: usize = 640;

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

/// Formats whose first bytes are fixed.
const BY_START: &[(&[u8], Foreign)] = &[
    (
        b"version https://git-lfs.github.com/",
        Foreign { name: "a Git LFS pointer, not the data", remedy: "fetch the data with `git lfs pull`" },
    ),
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"MATLAB 7.3 MAT-file", HDF5),
    (b"MATLAB 5.0 MAT-file", MATLAB),
    (
        b"PAR1",
        Foreign {
            name: "a Parquet file",
            remedy: "convert it: pandas.read_parquet(\"x.parquet\").to_csv(\"x.csv\", index=False)",
        },
    ),
    (
        b"ARROW1",
        Foreign {
            name: "an Arrow (Feather) file",
            remedy: "convert it: pandas.read_feather(\"x.feather\").to_csv(\"x.csv\", index=False)",
        },
    ),
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", TORCH),
    (
        b"\x1f\x8b",
        Foreign {
            name: "compressed with gzip (.gz, .nii.gz, .mgz)",
            remedy: "unpack it with `gzip -dc`; an image: numpy.save(\"x.npy\", nibabel.load(\"x.mgz\").get_fdata())",
        },
    ),
    (b"BZh", Foreign { name: "compressed with bzip2", remedy: "unpack it with `bzip2 -dc`" }),
    (b"\xfd7zXZ\0", Foreign { name: "compressed with xz", remedy: "unpack it with `xz -dc`" }),
    (b"\x28\xb5\x2f\xfd", Foreign { name: "compressed with zstd", remedy: "unpack it with `zstd -dc`" }),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Foreign { name: "an Excel workbook (.xls)", remedy: "save it as CSV UTF-8" }),
    (b"SQLite format 3\0", Foreign { name: "an SQLite database", remedy: "export the table as CSV" }),
    (
        b"CDF\x01",
        Foreign {
            name: "a netCDF file",
            remedy: "convert it: numpy.save(\"x.npy\", xarray.open_dataset(\"x.nc\")[\"NAME\"].values)",
        },
    ),
    (
        b"NRRD000",
        Foreign { name: "an NRRD image (.nrrd)", remedy: "convert it: `ConvertBetweenFileFormats x.nrrd x.nii.gz`" },
    ),
    (
        b"ObjectType = Image",
        Foreign {
            name: "a MetaImage (.mha, .mhd)",
            remedy: "convert it: SimpleITK.WriteImage(SimpleITK.ReadImage(\"x.mha\"), \"x.nii.gz\")",
        },
    ),
    (b"\ntype  = ", AFNI),
    (b"type  = ", AFNI),
    (b"\ntype = ", AFNI),
    (b"type = ", AFNI),
    (b"RDX2\n", R_DATA),
    (b"RDX3\n", R_DATA),
    (b"X\n\0\0\0", R_DATA),
    (b"\x89PNG\r\n\x1a\n", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"GIF8", PICTURE),
    (b"II*\0", PICTURE),
    (b"MM\0*", PICTURE),
    (b"%PDF-", Foreign { name: "a PDF document", remedy: "give the data behind it" }),
    (b"\x7fELF", Foreign { name: "a program", remedy: "give the file that it writes" }),
];

/// HDF5, and MATLAB's files from 7.3 on.
pub const HDF5: Foreign = Foreign {
    name: "an HDF5 file (.h5, .hdf5, MATLAB 7.3)",
    remedy: "convert it: numpy.save(\"x.npy\", h5py.File(\"x.h5\")[\"NAME\"][:])",
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
const AFNI: Foreign = Foreign {
    name: "the header of an AFNI image (.HEAD)",
    remedy: "convert it with its .BRIK: `3dAFNItoNIFTI x+orig.HEAD`",
};
const DICOM: Foreign =
    Foreign { name: "a DICOM file (.dcm)", remedy: "convert the folder of the series: `dcm2niix -z y FOLDER`" };
const TORCH: Foreign = Foreign {
    name: "a PyTorch file (.pt, .pth)",
    remedy: "convert it: numpy.save(\"x.npy\", torch.load(\"x.pt\", map_location=\"cpu\").numpy())",
};
const R_DATA: Foreign = Foreign {
    name: "an R data file",
    remedy: "write it with write.csv(x, \"x.csv\", row.names = FALSE, fileEncoding = \"UTF-8\")",
};
const PICTURE: Foreign = Foreign { name: "a picture", remedy: "give the array or table made from it" };
const NIFTI: Foreign = Foreign {
    name: "a NIfTI image (.nii)",
    remedy: "`fmri-roi extract` makes arrays of images, or numpy.save(\"x.npy\", nibabel.load(\"x.nii\").get_fdata())",
};
const TEXT: Foreign = Foreign { name: "text", remedy: "`npy from-csv` makes an array of a table" };

/// What a file with these first bytes ([`START_BYTES`] of them, or all there are) is, where that is known. Plain text
/// is no foreign format ([`text`] names it), `.npy` is none either.
///
/// ```
/// let start = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n";
/// assert!(foreign_formats::recognise(start).unwrap().name.contains("LFS"));
/// assert!(foreign_formats::recognise(b"stimulus,category\n").is_none());
/// ```
pub fn recognise(start: &[u8]) -> Option<Foreign> {
    if let Some((_, known)) = BY_START.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some(*known);
    }
    if start.starts_with(b"PK\x03\x04") {
        return Some(zip(start));
    }
    if let [0x80, 2..=5, ..] = start {
        return Some(Foreign {
            name: "a Python pickle",
            remedy: "convert it: numpy.save(\"x.npy\", pickle.load(open(\"x.pkl\", \"rb\")))",
        });
    }
    markup(start).or_else(|| image(start))
}

/// Text where an array was expected: markup and pointers by name, anything else printable as text.
pub fn text(start: &[u8]) -> Option<Foreign> {
    let utf16 = start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff");
    let printable = !start.is_empty() && start.iter().all(|b| *b >= 0x20 || matches!(b, b'\t' | b'\n' | b'\r'));
    // A few bytes of anything may be printable; a character cut at the end is no sign against text.
    let letters = start.utf8_chunks().next().is_some_and(|c| c.valid().len() + 4 > start.len());
    (utf16 || (printable && letters && start.len() >= 4)).then_some(TEXT)
}

fn zip(start: &[u8]) -> Foreign {
    let has = |name: &[u8]| start.windows(name.len()).any(|w| w == name);
    if has(b"data.pkl") {
        TORCH
    } else if has(b"[Content_Types].xml") || has(b"xl/") {
        Foreign { name: "an Excel workbook (.xlsx)", remedy: "save it as CSV UTF-8" }
    } else if has(b".npy") {
        Foreign {
            name: "a NumPy archive (.npz)",
            remedy: "take one array out: numpy.save(\"x.npy\", numpy.load(\"x.npz\")[\"NAME\"])",
        }
    } else {
        Foreign { name: "a zip archive", remedy: "unpack it with `unzip`" }
    }
}

fn markup(start: &[u8]) -> Option<Foreign> {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let lower = start.to_ascii_lowercase();
    let has = |name: &[u8]| lower.windows(name.len()).any(|w| w == name);
    if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") || lower.starts_with(b"<head") {
        Some(Foreign {
            name: "a web page (HTML), not the data",
            remedy: "download the file itself; such a page is often a login or an error",
        })
    } else if lower.starts_with(b"<?xml") || lower.starts_with(b"<gifti") {
        Some(match has(b"gifti") {
            true => GIFTI,
            false => Foreign { name: "an XML file", remedy: "give the data as an array or a table" },
        })
    } else if lower.starts_with(b"/annex/objects/") || lower.starts_with(b"../") && has(b"/annex/objects/") {
        Some(Foreign {
            name: "a git-annex pointer, not the data",
            remedy: "fetch the data with `datalad get` or `git annex get`",
        })
    } else {
        None
    }
}

/// NIfTI, ANALYZE, MGH and DICOM say what they are inside their headers.
fn image(start: &[u8]) -> Option<Foreign> {
    if start.get(128..132) == Some(b"DICM") {
        return Some(DICOM);
    }
    let word = |at: usize| start.get(at..at + 4).and_then(|b| b.try_into().ok());
    let size = word(0)?;
    let sized = |n: i32| i32::from_le_bytes(size) == n || i32::from_be_bytes(size) == n;
    if start.get(344..347) == Some(b"ni1") {
        return Some(Foreign {
            name: "the header of a NIfTI pair (.hdr, .img)",
            remedy: "make one file of it: nibabel.save(nibabel.load(\"x.hdr\"), \"x.nii\")",
        });
    }
    if start.get(344..347) == Some(b"n+1") || (sized(540) && start.get(4..6) == Some(b"n+")) {
        return Some(NIFTI);
    }
    if sized(348) && start.len() >= 348 {
        return Some(Foreign {
            name: "an ANALYZE header (.hdr)",
            remedy: "convert the pair: nibabel.save(nibabel.Nifti1Image.from_image(nibabel.load(\"x.hdr\")), \"x.nii\")",
        });
    }
    let big = |at: usize| word(at).map(i32::from_be_bytes);
    let sides = [big(4)?, big(8)?, big(12)?, big(16)?];
    let mgh = big(0) == Some(1) && sides.iter().all(|n| (1..=1 << 24).contains(n));
    (mgh && matches!(big(20), Some(0 | 1 | 3 | 4 | 10))).then_some(MGH)
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
}
