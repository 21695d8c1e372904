//! ONNX Runtime: finding the library and loading it when the program runs.
//!
//! Building needs nothing of it. This file and [`crate::network`] are the only ones of the suite
//! that name the `ort` crate.

use anyhow::{Context, Result, anyhow, ensure};
use cli::Job;
use ort::environment::Environment;
use ort::logging::LogLevel;
use std::env;
use std::ffi::{CStr, c_char, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

const LIBRARY: &str = "libonnxruntime.so";

/// The oldest release that the bindings can talk to.
const OLDEST_MINOR: u32 = ort::MINOR_VERSION;

/// The loaded library.
pub struct Runtime {
    environment: Environment,
    /// Its version, such as `1.31.1`.
    pub version: String,
    /// Where it was found.
    pub path: PathBuf,
}

impl Runtime {
    /// Loads ONNX Runtime from `asked`, else from `ORT_DYLIB_PATH`, else from beside the program.
    pub fn load(asked: Option<&Path>) -> Result<Self> {
        let path = find_library(asked)?;
        let path = path.canonicalize().unwrap_or(path);
        let version = library_version(&path)?;
        let minor = |part: usize| version.split('.').nth(part).and_then(|n| n.parse::<u32>().ok());
        ensure!(
            (minor(0), minor(1)) >= (Some(1), Some(OLDEST_MINOR)),
            "{}: ONNX Runtime {version} is too old, 1.{OLDEST_MINOR} or newer is needed; \
             run `make setup`, or name a newer one with --onnxruntime",
            path.display()
        );
        let environment = ort::init_from(&path)
            .map_err(|error| anyhow!("{}: {error}", path.display()))?
            .with_name("ann-acts")
            .with_telemetry(false)
            .with_logger(Arc::new(|level, _, _, _, message| {
                if matches!(level, LogLevel::Error | LogLevel::Fatal) {
                    keep(message);
                }
            }))
            .build()
            .map_err(plain)
            .with_context(|| path.display().to_string())?;
        environment.set_log_level(LogLevel::Error);
        Ok(Self { environment, version, path })
    }

    /// Says what ONNX Runtime has said of itself since it was last asked, each thing once.
    pub fn report(&self, job: &Job) {
        let said = std::mem::take(&mut *messages());
        said.iter().for_each(|message| job.note(format_args!("ONNX Runtime: {message}")));
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn find_library(asked: Option<&Path>) -> Result<PathBuf> {
    let named = match asked {
        Some(path) => Some((path.to_path_buf(), "--onnxruntime")),
        None => env::var_os("ORT_DYLIB_PATH")
            .filter(|path| !path.is_empty())
            .map(|path| (PathBuf::from(path), "ORT_DYLIB_PATH")),
    };
    if let Some((path, source)) = named {
        ensure!(
            path.is_file(),
            "{}: no such file ({source}); it should name {LIBRARY} of ONNX Runtime 1.{OLDEST_MINOR} or newer",
            path.display()
        );
        return Ok(path);
    }
    let program = env::current_exe().context("cannot tell where this program lies")?;
    let program = program.canonicalize().unwrap_or(program);
    let beside = program.parent().unwrap_or(Path::new("."));
    // The last place is where `make setup` puts it, seen from a build in the source tree.
    let places = ["", "../lib", "../lib/catsel", "../../build/onnxruntime"];
    places.iter().map(|place| beside.join(place).join(LIBRARY)).find(|path| path.is_file()).ok_or_else(|| {
        anyhow!(
            "ONNX Runtime is not beside {} (looked for {LIBRARY} there, in ../lib and ../lib/catsel); \
                 run `make setup`, or name it with --onnxruntime or ORT_DYLIB_PATH",
            program.display()
        )
    })
}

/// The first two entries of ONNX Runtime's `OrtApiBase`, whose layout never changes.
#[repr(C)]
struct ApiBase {
    api: *const c_void,
    version: unsafe extern "C" fn() -> *const c_char,
}

/// Asks the library itself for its version; the bindings keep it to themselves.
fn library_version(path: &Path) -> Result<String> {
    let foreign =
        || format!("{}: not an ONNX Runtime library that can be loaded here; run `make setup`", path.display());
    // SAFETY: loading a library runs its initialisers, which is what the user asked for by naming
    // it; the symbol and the two first fields behind it are part of ONNX Runtime's stable C interface.
    unsafe {
        let library = libloading::Library::new(path).with_context(foreign)?;
        let base: libloading::Symbol<unsafe extern "C" fn() -> *const ApiBase> =
            library.get(b"OrtGetApiBase\0").with_context(foreign)?;
        let base = base().as_ref().with_context(foreign)?;
        Ok(CStr::from_ptr((base.version)()).to_string_lossy().into_owned())
    }
}

/// What ONNX Runtime has said of itself: it speaks from threads of its own, and at times that it chooses.
static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn messages() -> std::sync::MutexGuard<'static, Vec<String>> {
    MESSAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(message: &str) {
    let message = plain_text(message);
    let mut messages = messages();
    if !messages.contains(&message) {
        messages.push(message);
    }
}

/// An error of the bindings as one line, without the place in ONNX Runtime's source that it comes from.
///
/// What the runtime said of it besides is the same once more, and is forgotten.
pub(crate) fn plain<R>(error: ort::Error<R>) -> anyhow::Error {
    messages().clear();
    anyhow!("{}", plain_text(error.message()))
}

/// The first line, from behind `[ONNXRuntimeError] : 1 : FAIL : ` on where that stands in it.
fn plain_text(message: &str) -> String {
    let line = message.lines().next().unwrap_or(message);
    let said = line.rsplit_once("[ONNXRuntimeError] : ").and_then(|(_, rest)| rest.splitn(3, " : ").nth(2));
    without_source(said.unwrap_or(line).trim())
}

/// Without the place in the source, the function and the condition that did not hold, behind which stands what is
/// wrong.
fn without_source(text: &str) -> String {
    let Some(start) = text.find("/onnxruntime_src/") else { return text.to_string() };
    let behind = |mark: &str| text[start..].find(mark).map(|at| start + at + mark.len());
    match behind(" was false. ").or_else(|| behind(") ")) {
        Some(end) => format!("{}{}", &text[..start], text[end..].trim_end()),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lose_what_only_their_authors_need() {
        let long = "/a/b.cc:20 onnxruntime::X() [ONNXRuntimeError] : 1 : FAIL : Failed to load y : z\nmore";
        assert_eq!(plain_text(long), "Failed to load y : z");
        assert_eq!(plain_text(" plain \nmore"), "plain");
        let source = "Status Message: /onnxruntime_src/a.h:9 X::Y(int) a == b was false. The shapes differ.";
        assert_eq!(plain_text(source), "Status Message: The shapes differ.");
        let memory = "/onnxruntime_src/b.cc:3 void* X::Take(size_t, bool) Failed to allocate 9 bytes";
        assert_eq!(plain_text(memory), "Failed to allocate 9 bytes");
    }
}
