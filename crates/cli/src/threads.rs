//! How many threads compute: what was asked for, within the cores this task may use.

use anyhow::{Context, Result, bail};
use std::error::Error;

/// The number of threads, and a line for stderr where fewer are started than were asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Threads {
    pub(crate) n: usize,
    pub(crate) note: Option<String>,
}

const VARIABLE: &str = "SLURM_CPUS_PER_TASK";

/// `--threads`, else SLURM_CPUS_PER_TASK, else all; never more than the cores that the scheduler's affinity and quota
/// leave (results do not depend on the number).
pub(crate) fn wanted(option: Option<usize>) -> Result<Threads> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (n, source) = match option {
        Some(0) => bail!("--threads 0; at least 1"),
        Some(n) => (n, "--threads"),
        None => match std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) {
            Some(text) => (of_slurm(&text.to_string_lossy())?, VARIABLE),
            None => (cores, ""),
        },
    };
    let note = (n > cores)
        .then(|| format!("{source} {n}: the cores that this task may use are {cores}, and so are the threads"));
    Ok(Threads { n: n.min(cores), note })
}

fn of_slurm(text: &str) -> Result<usize> {
    match text.trim().parse::<u128>() {
        Ok(n) if n > 0 => Ok(usize::try_from(n).unwrap_or(usize::MAX)),
        _ => bail!("{VARIABLE} is {text:?}; expected a whole number from 1 (--threads N overrides it)"),
    }
}

/// Starts the threads. A second run in one process (tests, benches) keeps those of the first.
pub(crate) fn start(n: usize) -> Result<()> {
    match rayon::ThreadPoolBuilder::new().num_threads(n).build_global() {
        // Without a cause the pool is there already; the system's refusal has one.
        Err(refused) if refused.source().is_some() => Err(refused).with_context(|| {
            format!(
                "the system refuses to start {n} threads (ulimit -u, or too little memory); ask for fewer by --threads"
            )
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_threads_than_cores() {
        let many = wanted(Some(20_000)).unwrap();
        assert!(many.n < 20_000);
        assert!(many.note.unwrap().starts_with("--threads 20000: the cores that this task may use are "));
        assert_eq!(wanted(Some(1)).unwrap(), Threads { n: 1, note: None });
    }

    #[test]
    fn what_slurm_says_must_be_a_number() {
        assert_eq!(of_slurm(" 8 ").unwrap(), 8);
        assert_eq!(of_slurm("100000000000000000000000").unwrap(), usize::MAX);
        for bad in ["abc", "0", "-1", "1.5"] {
            let error = of_slurm(bad).unwrap_err().to_string();
            assert!(error.contains(&format!("SLURM_CPUS_PER_TASK is {bad:?}")), "{error}");
        }
    }
}
