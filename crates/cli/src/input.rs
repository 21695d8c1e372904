//! Where data come from: a file, or stdin as `-`.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A file argument; `-` is stdin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// `-`
    Stdin,
    /// Anything else.
    File(PathBuf),
}

impl Input {
    /// The path, when there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Input::Stdin => None,
            Input::File(path) => Some(path),
        }
    }

    /// The name of the array at `position` (from 0) of this input: the file's stem, `stem:1` and so on for further
    /// arrays of the same file; in a pipe the position.
    pub fn array_name(&self, position: usize) -> String {
        match self {
            Input::Stdin => position.to_string(),
            Input::File(path) => {
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
        if name == "-" { Input::Stdin } else { Input::File(PathBuf::from(name)) }
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
    fn arrays_are_named_by_stem_or_position() {
        let file: Input = "sub-01/ffa.npy".parse().unwrap();
        assert_eq!((file.array_name(0), file.array_name(2)), ("ffa".into(), "ffa:2".into()));
        let stdin: Input = "-".parse().unwrap();
        assert_eq!((stdin.array_name(0), stdin.array_name(2)), ("0".into(), "2".into()));
        assert_eq!((file.to_string(), stdin.to_string()), ("sub-01/ffa.npy".into(), "stdin".into()));
    }
}
