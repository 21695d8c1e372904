//! Whether stdin and stdout were there when the program began.
//!
//! Rust's runtime opens /dev/null in place of a standard stream that is closed (`npy cat a.npy >&-`), so that what is
//! written there is lost and nobody is told. We look before it does.

use anyhow::{Result, bail};
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::fd::{AsFd, FromRawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

static STDIN_CLOSED: AtomicBool = AtomicBool::new(false);
static STDOUT_CLOSED: AtomicBool = AtomicBool::new(false);

/// The loader runs this before `main`, and so before the runtime.
#[used]
#[cfg_attr(any(target_os = "linux", target_os = "freebsd"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static LOOK: extern "C" fn() = {
    extern "C" fn look() {
        for (fd, closed) in [(0, &STDIN_CLOSED), (1, &STDOUT_CLOSED)] {
            // SAFETY: asks for the flags of a descriptor, which fails where there is none.
            closed.store(unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1, Ordering::Relaxed);
        }
    }
    look
};

/// An error where stdin is closed.
pub(crate) fn require_stdin() -> Result<()> {
    if STDIN_CLOSED.load(Ordering::Relaxed) {
        bail!("stdin: is closed (<&-); give a file, or pipe one in");
    }
    Ok(())
}

/// Stdout as a file; an error where it is closed.
pub(crate) fn stdout() -> Result<File> {
    if STDOUT_CLOSED.load(Ordering::Relaxed) {
        bail!("stdout: is closed (>&-), so the result has nowhere to go; use -o FILE, a pipe or > FILE");
    }
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned().map_err(|e| anyhow::anyhow!("stdout: {e}"))?))
}

/// Whether what is written to `path` comes out of stdout: `-`, `/dev/stdout`, or the file or pipe that stdout is.
pub(crate) fn is_stdout(path: &Path) -> bool {
    if [Path::new("-"), Path::new("/dev/stdout"), Path::new("/dev/fd/1"), Path::new("/proc/self/fd/1")].contains(&path)
    {
        return true;
    }
    let Ok(out) = metadata_of(io::stdout()) else { return false };
    // A terminal and /dev/null take what any number of writers bring.
    !out.file_type().is_char_device() && path.metadata().is_ok_and(|file| is_same(&file, &out))
}

/// Whether stdin is this file (`< FILE`).
pub(crate) fn is_stdin(path: &Path) -> bool {
    let stdin = metadata_of(io::stdin()).ok().filter(Metadata::is_file);
    stdin.is_some_and(|stdin| path.metadata().is_ok_and(|file| is_same(&file, &stdin)))
}

/// Whether stdout goes into a file (`> FILE`) that is this one, or for `-` the one that stdin comes from.
pub(crate) fn stdout_is_file(path: &Path) -> bool {
    let Some(out) = metadata_of(io::stdout()).ok().filter(Metadata::is_file) else { return false };
    let file = if path == Path::new("-") { metadata_of(io::stdin()) } else { path.metadata() };
    file.is_ok_and(|file| is_same(&file, &out))
}

fn metadata_of(stream: impl AsFd) -> io::Result<Metadata> {
    File::from(stream.as_fd().try_clone_to_owned()?).metadata()
}

fn is_same(a: &Metadata, b: &Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// The open descriptor that a path stands for, such as `/dev/stdout` or `/dev/fd/3`: written to as it is, wherever it
/// stands in its file, and never replaced.
pub(crate) fn descriptor(path: &Path) -> Option<io::Result<File>> {
    let number = match path.to_str()? {
        "/dev/stdout" => 1,
        "/dev/stderr" => 2,
        other => other.strip_prefix("/dev/fd/").or_else(|| other.strip_prefix("/proc/self/fd/"))?.parse().ok()?,
    };
    // SAFETY: a copy of a descriptor, which fails where there is none of this number; the copy is ours to close.
    let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    // SAFETY: open, and owned by nobody else.
    Some(if copy < 0 { Err(io::Error::last_os_error()) } else { Ok(unsafe { File::from_raw_fd(copy) }) })
}

/// Writes a whole text on stdout and says where it failed: `io::Stdout` keeps silent about descriptors that cannot be
/// written to.
pub(crate) fn print(text: &[u8]) -> Result<()> {
    let written = stdout()?.write_all(text);
    written.map_err(|e| anyhow::Error::new(e).context("stdout"))
}
