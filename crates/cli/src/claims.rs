//! What a command line reads and writes, and the rule that nothing written meets an input or another output.
//!
//! The options tell it by their types: [`Input`] and paths are read, [`OutputPath`] is written, files of an
//! [`OutputFolder`] get their names later. All of it is looked at before a tool does anything; files whose names only
//! the work brings up (pictures of a table, files of a folder) are looked at when they are opened ([`crate::Job`]).

use crate::standard_streams::{is_stdin, is_stdout, stdout_is_file};
use crate::{Input, OutputFolder, OutputPath};
use anyhow::{Result, bail};
use clap::{Arg, ArgMatches, Command};
use std::any::TypeId;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static OF_COMMAND_LINE: OnceLock<Claims> = OnceLock::new();

/// Files that a command line names.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    reads: Vec<Claim>,
    writes: Vec<Claim>,
    /// Whether results go into a folder, so that stdout is free.
    into_folder: bool,
}

/// A file, and the option that names it.
#[derive(Debug)]
struct Claim {
    option: String,
    path: PathBuf,
}

/// What an option does with the file that it names.
#[derive(Debug, Clone, Copy)]
enum Use {
    Reads,
    Writes,
    WritesInto,
}

impl Use {
    /// By the type of the option's value; `None` where that is no file.
    fn of(arg: &Arg) -> Option<Use> {
        let holds = arg.get_value_parser().type_id();
        if holds == TypeId::of::<OutputPath>() {
            Some(Use::Writes)
        } else if holds == TypeId::of::<OutputFolder>() {
            Some(Use::WritesInto)
        } else if holds == TypeId::of::<Input>() || holds == TypeId::of::<PathBuf>() {
            Some(Use::Reads)
        } else {
            None
        }
    }
}

/// Every option of a command and its verbs that names a file: `VERB OPTION reads|writes|writes-into`, one a line,
/// separated by tabs. A test walks over all of them.
pub(crate) fn listed(command: &Command) -> String {
    let verbs = command.get_subcommands().map(|verb| (verb.get_name(), verb));
    let lines = std::iter::once(("", command)).chain(verbs).flat_map(|(name, verb)| {
        verb.get_arguments().filter_map(move |arg| {
            let use_of_it = match Use::of(arg)? {
                Use::Reads => "reads",
                Use::Writes => "writes",
                Use::WritesInto => "writes-into",
            };
            Some(format!("{name}\t{}\t{use_of_it}\n", spelled(arg)))
        })
    });
    lines.collect()
}

impl Claims {
    /// Those of a parsed command line, its verb included.
    pub(crate) fn of(command: &Command, matches: &ArgMatches) -> Claims {
        let mut claims = Claims::default();
        claims.collect(command, matches);
        claims
    }

    fn collect(&mut self, command: &Command, matches: &ArgMatches) {
        for arg in command.get_arguments() {
            let id = arg.get_id().as_str();
            let Ok(Some(words)) = matches.try_get_raw(id) else { continue };
            let use_of_it = Use::of(arg);
            let of_input = arg.get_value_parser().type_id() == TypeId::of::<Input>();
            let paths = words.map(|word| {
                // An array of an archive is read from the archive.
                let archive = of_input.then(|| Input::from(word.to_owned())).filter(|input| input.member().is_some());
                let path = archive.as_ref().and_then(Input::path).map_or_else(|| word.into(), Path::to_path_buf);
                Claim { option: spelled(arg), path }
            });
            match use_of_it {
                Some(Use::Reads) => self.reads.extend(paths),
                Some(Use::Writes) => self.writes.extend(paths),
                Some(Use::WritesInto) => self.into_folder = true,
                None => {}
            }
        }
        if let Some((verb, matches)) = matches.subcommand()
            && let Some(command) = command.find_subcommand(verb)
        {
            self.collect(command, matches);
        }
    }

    /// An error where two outputs are one file, an output is an input, or two outputs go to stdout.
    fn check(&self) -> Result<()> {
        let on_stdout: Vec<&Claim> = self.writes.iter().filter(|write| is_stdout(&write.path)).collect();
        match on_stdout.as_slice() {
            [first, second, ..] => {
                bail!("{} and {} both go to stdout; give one of them a file", first.option, second.option)
            }
            [one] if one.option != MAIN_OUTPUT && !self.main_is_in_files() => {
                bail!("{} -: stdout is for the main output; give a file, here or with -o", one.option)
            }
            _ => {}
        }
        if !self.main_is_in_files()
            && let Some(read) = self.reads.iter().find(|read| stdout_is_file(&read.path))
        {
            bail!("{}: is both read ({}) and stdout; write to another file", read.path.display(), read.option);
        }
        for (i, write) in self.writes.iter().enumerate() {
            if let Some(other) = self.writes[..i].iter().find(|other| is_one_file(&other.path, &write.path)) {
                let (path, first, second) = (write.path.display(), &other.option, &write.option);
                bail!("{path}: is both {first} and {second}; each output needs a file of its own");
            }
            self.refuse_input(&write.path, &write.option)?;
        }
        Ok(())
    }

    fn main_is_in_files(&self) -> bool {
        self.into_folder || self.writes.iter().any(|write| write.option == MAIN_OUTPUT && !is_stdout(&write.path))
    }

    /// Whether results go into a folder, under names of the tool's own.
    pub(crate) fn writes_into_folder(&self) -> bool {
        self.into_folder
    }

    /// Whether anything is written to a file, and so has a record of how it was made.
    pub(crate) fn has_file(&self) -> bool {
        self.into_folder || self.writes.iter().any(|write| !is_stdout(&write.path))
    }

    /// An error when `output` is a file that the command line names as an input.
    pub(crate) fn refuse_input(&self, output: &Path, option: &str) -> Result<()> {
        let meets = |read: &&Claim| match read.path == Path::new("-") {
            true => is_stdin(output),
            false => is_one_file(&read.path, output),
        };
        match self.reads.iter().find(meets) {
            Some(read) => bail!(
                "{}: is both read ({}) and written ({option}); write to another file",
                output.display(),
                read.option
            ),
            None => Ok(()),
        }
    }

    /// Whether the command line itself names this file, as an input or an output.
    pub(crate) fn names(&self, path: &Path) -> bool {
        self.reads.iter().chain(&self.writes).any(|claim| is_one_file(&claim.path, path))
    }

    /// The files that options write to.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &Path> {
        self.writes.iter().map(|write| write.path.as_path()).filter(|path| !is_stdout(path))
    }

    /// The option that writes to this file, if any does.
    pub(crate) fn writer_of(&self, path: &Path) -> Option<&str> {
        self.writes.iter().find(|write| is_one_file(&write.path, path)).map(|write| write.option.as_str())
    }
}

/// Looks at a command line before anything is done, and keeps what it claims for the job.
pub(crate) fn require_apart(command: &Command, matches: &ArgMatches) -> Result<()> {
    let claims = Claims::of(command, matches);
    claims.check()?;
    let _ = OF_COMMAND_LINE.set(claims);
    Ok(())
}

/// What this program's command line claims; nothing where there was none (unit tests).
pub(crate) fn of_command_line() -> &'static Claims {
    OF_COMMAND_LINE.get_or_init(Claims::default)
}

/// The option that every tool has for its main output.
pub(crate) const MAIN_OUTPUT: &str = "-o";

/// As a user would write the option.
fn spelled(arg: &Arg) -> String {
    match (arg.get_short(), arg.get_long(), arg.get_value_names()) {
        (Some(short), ..) => format!("-{short}"),
        (None, Some(long), _) => format!("--{long}"),
        (None, None, Some([name, ..])) => name.to_string(),
        _ => arg.get_id().to_string(),
    }
}

/// Whether two paths lead to one file, through links and relative spellings too. Two names (hard links) of one file are
/// two places: an output replaces its own name alone. Devices take any number of writers.
pub(crate) fn is_one_file(a: &Path, b: &Path) -> bool {
    if a == Path::new("-") || b == Path::new("-") {
        return false;
    }
    match (a.metadata(), b.metadata()) {
        (Ok(one), Ok(other)) if is_device(&one) || is_device(&other) => false,
        (Ok(one), Ok(other)) => inode(&one) == inode(&other) && (one.nlink() == 1 || place(a) == place(b)),
        (Err(_), Err(_)) => place(a) == place(b),
        _ => false,
    }
}

fn is_device(file: &Metadata) -> bool {
    file.file_type().is_char_device() || file.file_type().is_block_device()
}

fn inode(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Where a path leads, whether something is there already or not.
pub(crate) fn place(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    // A link to what is not there yet leads where it says.
    let leads = path.read_link().map_or_else(|_| path.to_path_buf(), |target| folder_of(path).join(target));
    let folder = folder_of(&leads);
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    leads.file_name().map_or(leads.clone(), |name| folder.join(name))
}

/// The folder in which a file of this name stands.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, CommandFactory, Parser};
    use std::fs;

    #[derive(Parser)]
    struct Tool {
        #[arg(value_name = "FILE", default_value = "-")]
        files: Vec<Input>,
        #[arg(long)]
        model: Option<PathBuf>,
        #[arg(long)]
        table: Option<OutputPath>,
        #[arg(long)]
        out_dir: Option<OutputFolder>,
        #[command(flatten)]
        common: Common,
    }

    #[derive(Args)]
    struct Common {
        #[arg(short, long)]
        output: Option<OutputPath>,
    }

    fn checked(line: &str) -> Result<(), String> {
        let command = Tool::command();
        let matches = command.clone().try_get_matches_from(["tool"].into_iter().chain(line.split(' '))).unwrap();
        Claims::of(&command, &matches).check().map_err(|error| error.to_string())
    }

    #[test]
    fn an_output_meets_no_other_file() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        fs::write(at("x"), "").unwrap();
        fs::create_dir(at("d")).unwrap();
        std::os::unix::fs::symlink("x", at("link")).unwrap();
        std::os::unix::fs::symlink("new", at("to_new")).unwrap();
        fs::hard_link(at("x"), at("hard")).unwrap();
        let (x, new, around, link, npz) = (at("x"), at("new"), at("d/../x"), at("link"), at("a.npz"));
        fs::write(&npz, "").unwrap();
        for (line, parts) in [
            (format!("-o {x} {x}"), ["read (FILE)", "written (-o)"]),
            (format!("-o {around} {link}"), ["read (FILE)", "written (-o)"]),
            (format!("-o {npz} {npz}:acts"), ["read (FILE)", "written (-o)"]),
            (format!("--model {x} --table {link}"), ["read (--model)", "written (--table)"]),
            (format!("--table {new} -o {new}"), ["--table", "-o"]),
            (format!("--table {} -o {}", at("d/../new"), at("to_new")), ["--table", "-o"]),
            ("--table -".into(), ["--table -", "stdout"]),
            ("--table - -o -".into(), ["--table", "both go to stdout"]),
        ] {
            let error = checked(&line).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{line}: {error}");
        }
        for line in [
            format!("-o {new} {x}"),
            format!("--table - -o {new} {x}"),
            format!("--table - --out-dir {}", at("d")),
            format!("-o {} {x}", at("hard")),
            "-o /dev/null --table /dev/null".into(),
            "-o -".into(),
        ] {
            assert_eq!(checked(&line), Ok(()), "{line}");
        }
    }
}
