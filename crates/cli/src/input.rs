//! Where data come from: a file, one array of an archive or of an HDF5 file, or stdin as `-`.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A file argument; `-` is stdin, `FILE.npz:NAME` one array of an archive, `FILE.hdf5:/NAME` one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// `-`
    Stdin,
    /// Anything else.
    File(PathBuf),
    /// An archive or an HDF5 file, and which of its arrays is meant.
    Member(PathBuf, String),
}

/// What stands between a file of arrays and the name of one of them, with the endings of such files.
const MEMBER_BEHIND: [&[u8]; 4] = [b".npz:", b".hdf5:", b".h5:", b".mat:"];

impl Input {
    /// The path, when there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Input::Stdin => None,
            Input::File(path) | Input::Member(path, _) => Some(path),
        }
    }

    /// The name of the array that is wanted of an archive.
    pub fn member(&self) -> Option<&str> {
        match self {
            Input::Member(_, member) => Some(member),
            Input::Stdin | Input::File(_) => None,
        }
    }

    /// What the array at `position` (from 0) of this input is called where it has no name of its own: the file's stem,
    /// `stem:1` and so on for further arrays of the same file; in a pipe the position.
    pub fn array_name(&self, position: usize) -> String {
        match self {
            Input::Stdin => position.to_string(),
            Input::File(path) | Input::Member(path, _) => {
                let stem = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
                match position {
                    0 => stem.into_owned(),
                    n => format!("{stem}:{n}"),
                }
            }
        }
    }
}

/// How arguments become inputs: a file name is bytes, and need not be UTF-8.
impl From<OsString> for Input {
    fn from(name: OsString) -> Input {
        if name == "-" {
            return Input::Stdin;
        }
        let bytes = name.as_bytes();
        let behind = |mark: &[u8]| bytes.windows(mark.len()).rposition(|part| part == mark).map(|at| at + mark.len());
        let member = MEMBER_BEHIND.iter().filter_map(|mark| behind(mark)).max().and_then(|at| {
            let member = std::str::from_utf8(&bytes[at..]).ok().filter(|member| !member.is_empty())?;
            Some(Input::Member(PathBuf::from(OsStr::from_bytes(&bytes[..at - 1])), member.to_owned()))
        });
        member.unwrap_or_else(|| Input::File(PathBuf::from(name)))
    }
}

impl FromStr for Input {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Input, Infallible> {
        Ok(OsString::from(text).into())
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Stdin => f.write_str("stdin"),
            Input::File(path) => write!(f, "{}", path.display()),
            Input::Member(path, member) => write!(f, "{}:{member}", path.display()),
        }
    }
}

/// An input that has been opened.
pub enum Opened {
    /// A file on disk, which may be mapped or sought.
    File(File),
    /// Stdin, which may not.
    Pipe(Box<dyn Read + Send>),
}

impl Opened {
    /// As a plain reader.
    pub fn reader(self) -> Box<dyn Read + Send> {
        match self {
            Opened::File(f) => Box::new(f),
            Opened::Pipe(r) => r,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_of_an_archive_is_named_behind_it() {
        let input = |text: &str| -> Input { text.parse().unwrap() };
        let one = input("d/a.npz:acts");
        assert_eq!(one, Input::Member("d/a.npz".into(), "acts".into()));
        assert_eq!((one.to_string(), one.path()), ("d/a.npz:acts".into(), Some(Path::new("d/a.npz"))));
        assert_eq!(one.array_name(0), "a");
        assert_eq!(input("a.hdf5:/betas[/300]"), Input::Member("a.hdf5".into(), "/betas[/300]".into()));
        assert_eq!(input("a.npz:b.h5:/x"), Input::Member("a.npz:b.h5".into(), "/x".into()));
        for file in ["a.npz", "a.npz:", "a:b.npy", ".npy:x", "a.hdf5", "a.h5:"] {
            assert_eq!(input(file), Input::File(file.into()));
        }
    }

    #[test]
    fn arrays_are_named_by_stem_or_position() {
        let file: Input = "sub-01/ffa.npy".parse().unwrap();
        assert_eq!((file.array_name(0), file.array_name(2)), ("ffa".into(), "ffa:2".into()));
        let stdin: Input = "-".parse().unwrap();
        assert_eq!((stdin.array_name(0), stdin.array_name(2)), ("0".into(), "2".into()));
        assert_eq!((file.to_string(), stdin.to_string()), ("sub-01/ffa.npy".into(), "stdin".into()));
    }
}
