//! How a tool starts and stops.

use crate::{claims, last_words, standard_streams};
use clap::Parser;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// The whole `main` of a tool: parse `A`, call `run`, report one line on failure.
///
/// A hidden first argument `--generate man|bash|zsh|fish` prints the man page or the shell completions, which thus
/// come from the same definition as `--help`; `--generate man FOLDER` writes a page for the tool and for each verb, and
/// `--generate files` lists the options that name a file.
pub fn main<A: Parser>(run: impl FnOnce(A) -> anyhow::Result<()>) -> ExitCode {
    let tool = A::command().get_name().to_string();
    last_words::prepare(&tool);
    allow_many_files();
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == "--generate") {
        let what = words.next().unwrap_or_default();
        return report(&tool, generate(A::command(), &what.to_string_lossy(), words.next()));
    }
    let parsed = A::command().try_get_matches().and_then(|matches| Ok((A::from_arg_matches(&matches)?, matches)));
    match parsed {
        Ok((args, matches)) => report(&tool, claims::require_apart(&A::command(), &matches).and_then(|()| run(args))),
        // Help and version are what was asked for; what cannot be written is an error as any other output's.
        Err(asked) if !asked.use_stderr() && !io::stdout().is_terminal() => {
            report(&tool, standard_streams::print(asked.render().to_string().as_bytes()))
        }
        Err(usage) => {
            // A message that nobody can read leaves the exit code as it is: 2, of help on a terminal 0.
            let _ = usage.print();
            ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2))
        }
    }
}

/// As many open files as the system allows at all: the soft limit of 1024 is for programs from before 1990, and a
/// command may be given as many matrices as there are subjects and layers.
fn allow_many_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read and write the structure they are given; where they fail, all stays as it was.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

fn report(tool: &str, result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    // Causes that only repeat what their context says are printed once; a message never spans lines.
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string().replace('\n', " ");
        match parts.last_mut() {
            Some(last) if last.contains(&text) => {}
            Some(last) if text.starts_with(&format!("{last}: ")) => *last = text,
            _ => parts.push(text),
        }
    }
    let _ = writeln!(io::stderr(), "{tool}: {}", parts.join(": "));
    ExitCode::FAILURE
}

/// A reader that stops early (`| head`) is no failure of ours, however deep the error was wrapped.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        io == Some(io::ErrorKind::BrokenPipe) || cause.to_string().ends_with("Broken pipe (os error 32)")
    })
}

fn generate(mut command: clap::Command, what: &str, folder: Option<OsString>) -> anyhow::Result<()> {
    let name = command.get_name().to_string();
    let mut page = Vec::new();
    match what {
        "man" if folder.is_some() => clap_mangen::generate_to(command, folder.unwrap_or_default())?,
        "man" => clap_mangen::Man::new(command).render(&mut page)?,
        "bash" => clap_complete::generate(clap_complete::Shell::Bash, &mut command, name, &mut page),
        "zsh" => clap_complete::generate(clap_complete::Shell::Zsh, &mut command, name, &mut page),
        "fish" => clap_complete::generate(clap_complete::Shell::Fish, &mut command, name, &mut page),
        "files" => page = claims::listed(&command).into_bytes(),
        other => anyhow::bail!("--generate {other:?}: one of man, bash, zsh, fish, files"),
    }
    if page.is_empty() { Ok(()) } else { standard_streams::print(&page) }
}
