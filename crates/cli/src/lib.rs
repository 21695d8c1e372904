//! How a catsel tool opens what it is given, writes what it makes, reports, and stops.
//!
//! - [`main`] parses, runs, and turns the result into an exit code: 0 ok, 1 data or I/O, 2 usage; a closed pipe is 0.
//! - [`Job`] opens inputs (`-` is stdin, once), speaks on stderr as `tool: ...`, shows progress on a terminal, and
//!   keeps the provenance.
//! - [`Output`] is stdout, or a file that appears whole with its JSON sidecar or not at all. Options that name an
//!   output have the type [`OutputPath`] or [`OutputFolder`]; that no output meets an input or another output is
//!   checked here.
//! - [`require_memory`] asks before memory is taken; the [allocator](Careful) asks for all that nobody asked for.
//! - [`TableWriter`] writes tidy CSV, TSV or JSON lines.
//!
//! There are no matrices and no mathematics here.
#![warn(missing_docs)]

mod claims;
mod file_names;
mod finish;
mod input;
mod job;
mod last_words;
mod memory;
mod output;
mod shard;
mod sidecar;
mod size;
mod standard_streams;
mod table;
mod threads;

pub use file_names::{FileStems, file_stems, is_too_long};
pub use finish::main;
pub use input::{Input, Opened};
pub use job::{Common, Job, Progress};
pub use memory::{Bytes, Careful, require_memory};
pub use output::{Output, OutputFolder, OutputPath};
pub use shard::{PartOf, Shard};
pub use sidecar::{DEPENDENT_TRIALS, dependent_trials_of, is_sidecar, sidecar_of};
pub use size::parse_bytes;
pub use table::{Cell, Format, Named, TableWriter};
