//! The TR of a run: told, from its sidecar, or from its header.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cli::{Input, Job};
use serde_json::Value;

/// Longest TR that is believed of a file: one that counts milliseconds and says seconds has hundreds or thousands.
const LONGEST: f64 = 60.0;

/// Seconds from one volume to the next.
pub(super) fn seconds(job: &Job, input: &Input, header: Option<f64>, told: Option<f64>) -> Result<f64> {
    if let Some(told) = told {
        match header {
            Some(header) if (told - header).abs() > 1e-3 * header => {
                job.warn(format!("{input}: its header says a TR of {header} s; --tr {told} is taken"));
            }
            _ => {}
        }
        return Ok(told);
    }
    let sidecar = input.path().map(beside).filter(|path| path.is_file());
    let stated = sidecar.as_deref().map(|path| repetition_time(job, path)).transpose()?.flatten();
    let (found, whose) = match (stated, header, sidecar) {
        (Some(stated), Some(header), Some(path)) if (stated - header).abs() > 1e-3 * stated => {
            bail!("{input}: its header says a TR of {header} s, {} {stated} s; say which with --tr", path.display())
        }
        (Some(stated), _, Some(path)) => (stated, path.display().to_string()),
        (_, Some(header), _) => (header, "its header".to_owned()),
        _ => bail!("{input}: no TR in its header and no RepetitionTime in a .json beside it; give --tr SECONDS"),
    };
    if found > LONGEST {
        bail!("{input}: {whose} says a TR of {found} s; if these are milliseconds, give --tr {}", found / 1000.0);
    }
    Ok(found)
}

/// `a/sub-01_bold.json` of `a/sub-01_bold.nii.gz`.
fn beside(path: &Path) -> PathBuf {
    let mut stem = path.with_extension("");
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz")) {
        stem.set_extension("");
    }
    let mut name = stem.into_os_string();
    name.push(".json");
    name.into()
}

fn repetition_time(job: &Job, path: &Path) -> Result<Option<f64>> {
    let named = || path.display().to_string();
    let mut text = Vec::new();
    job.open(&Input::File(path.to_path_buf()))?.reader().read_to_end(&mut text).with_context(named)?;
    let value: Value = serde_json::from_slice(&text).with_context(named)?;
    match value.get("RepetitionTime") {
        None => Ok(None),
        Some(value) => match value.as_f64().filter(|tr| tr.is_finite() && *tr > 0.0) {
            Some(tr) => Ok(Some(tr)),
            None => bail!("{}: RepetitionTime is {value}; expected seconds above 0", named()),
        },
    }
}
