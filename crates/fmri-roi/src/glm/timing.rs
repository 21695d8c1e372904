//! When the volumes of a run were taken: told, from the sidecars that hold for it, or from its header.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cli::{Input, Job};
use serde_json::{Map, Value};

use crate::bids::{Name, applying, levels};

/// Longest TR that is believed of a file: one that counts milliseconds and says seconds has hundreds or thousands.
const LONGEST: f64 = 60.0;

/// How far two statements of one time may differ, relatively, and be one: headers are f4 and milliseconds whole.
const SAME: f64 = 1e-3;

/// What options say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub tr: Option<f64>,
    pub slice_time_ref: Option<f64>,
}

/// Seconds from one volume to the next, and where in them a volume was taken (0 to 1), each with who says so.
pub(super) struct Times {
    pub tr: f64,
    pub tr_from: String,
    pub slice_time_ref: f64,
}

/// Sidecars of a run, the nearest first.
struct Sidecars(Vec<(PathBuf, Map<String, Value>)>);

impl Sidecars {
    /// Those that hold for the run by the inheritance principle, then those of the raw dataset.
    fn read(job: &Job, path: &Path, raw_levels: &[PathBuf]) -> Result<(Sidecars, Sidecars)> {
        let is_sidecar = |of: &Name| {
            let suffix = of.suffix.clone();
            move |name: &Name| name.suffix == suffix && name.extension == ".json"
        };
        let (own, raw) = match Name::of(path) {
            Some(name) => {
                let own = applying(&levels(path), &name, is_sidecar(&name))?;
                let mut raw = applying(raw_levels, &name, is_sidecar(&name))?;
                raw.retain(|path| !own.contains(path));
                (own, raw)
            }
            None => (Vec::from_iter(Some(beside(path)).filter(|path| path.is_file())), Vec::new()),
        };
        let read = |paths: Vec<PathBuf>| -> Result<Sidecars> {
            let fields = paths.into_iter().map(|path| Ok((path.clone(), fields(job, &path)?)));
            Ok(Sidecars(fields.collect::<Result<_>>()?))
        };
        Ok((read(own)?, read(raw)?))
    }

    /// The nearest statement.
    fn get(&self, key: &str) -> Option<(&Path, &Value)> {
        self.0.iter().find_map(|(path, fields)| Some((path.as_path(), fields.get(key)?)))
    }

    /// The nearest statement of a time.
    fn seconds(&self, key: &str, is_good: fn(f64) -> bool, expected: &str) -> Result<Option<(&Path, f64)>> {
        let Some((path, value)) = self.get(key) else { return Ok(None) };
        match value.as_f64().filter(|seconds| seconds.is_finite() && is_good(*seconds)) {
            Some(seconds) => Ok(Some((path, seconds))),
            None => bail!("{}: {key} is {value}; expected {expected}", path.display()),
        }
    }
}

fn fields(job: &Job, path: &Path) -> Result<Map<String, Value>> {
    let named = || path.display().to_string();
    let mut text = Vec::new();
    job.open(&Input::File(path.to_path_buf()))?.reader().read_to_end(&mut text).with_context(named)?;
    serde_json::from_slice(&text).with_context(named)
}

/// `a/x.json` of `a/x.nii.gz`, for names that are not those of BIDS.
fn beside(path: &Path) -> PathBuf {
    let mut stem = path.with_extension("");
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz")) {
        stem.set_extension("");
    }
    let mut name = stem.into_os_string();
    name.push(".json");
    name.into()
}

/// The times of a run. An option wins, and what it overrules is a warning; sidecar and header that disagree are an
/// error.
pub(super) fn times(job: &Job, input: &Input, header: Option<f64>, told: Told, raw: &[PathBuf]) -> Result<Times> {
    let (own, of_raw) = match input.path() {
        Some(path) => Sidecars::read(job, path, raw)?,
        None => (Sidecars(Vec::new()), Sidecars(Vec::new())),
    };
    let (tr, tr_from) = tr(job, input, header, told.tr, [&own, &of_raw])?;
    let slice_time_ref = slice_time_ref(job, input, tr, told.slice_time_ref, &own)?;
    Ok(Times { tr, tr_from, slice_time_ref })
}

fn differs(a: f64, b: f64) -> bool {
    (a - b).abs() > SAME * b
}

fn tr(
    job: &Job,
    input: &Input,
    header: Option<f64>,
    told: Option<f64>,
    [own, raw]: [&Sidecars; 2],
) -> Result<(f64, String)> {
    const KEY: &str = "RepetitionTime";
    let expected = "seconds above 0";
    let stated = match own.seconds(KEY, |tr| tr > 0.0, expected)? {
        Some(stated) => Some(stated),
        None => raw.seconds(KEY, |tr| tr > 0.0, expected)?,
    };
    let at_times = own.get("VolumeTiming").filter(|_| stated.is_none());
    if let Some(told) = told {
        if let Some(header) = header.filter(|header| differs(told, *header)) {
            job.warn(format!("{input}: its header says a TR of {header} s; --tr {told} is taken"));
        }
        if let Some((path, stated)) = stated.filter(|(_, stated)| differs(told, *stated)) {
            job.warn(format!("{input}: {} says a TR of {stated} s; --tr {told} is taken", path.display()));
        }
        if let Some((path, _)) = at_times {
            job.warn(format!("{input}: {} has VolumeTiming; --tr {told} is taken throughout", path.display()));
        }
        return Ok((told, "--tr".to_owned()));
    }
    if let Some((path, _)) = at_times {
        bail!(
            "{input}: {} gives each volume a time of its own (VolumeTiming), and models here have one TR; if the volumes \
             are evenly spaced, say --tr SECONDS",
            path.display()
        );
    }
    let (found, whose) = match (stated, header) {
        (Some((path, stated)), Some(header)) if differs(header, stated) => {
            bail!("{input}: its header says a TR of {header} s, {} {stated} s; say which with --tr", path.display())
        }
        (Some((path, stated)), _) => (stated, path.display().to_string()),
        (_, Some(header)) => (header, "its header".to_owned()),
        _ => bail!(
            "{input}: no TR in its header and no RepetitionTime in a .json beside it or above it in its dataset; give \
             --tr SECONDS"
        ),
    };
    if found > LONGEST {
        bail!("{input}: {whose} says a TR of {found} s; if these are milliseconds, give --tr {}", found / 1000.0);
    }
    Ok((found, whose))
}

/// BIDS has the time to which slices were shifted in `StartTime`, seconds from the onset of the first volume. That of
/// the raw dataset would not hold for what was made of it.
fn slice_time_ref(job: &Job, input: &Input, tr: f64, told: Option<f64>, own: &Sidecars) -> Result<f64> {
    let start = own.seconds("StartTime", |_| true, "seconds")?;
    match (told, start) {
        (Some(told), Some((path, start))) => {
            if (told - start / tr).abs() > SAME {
                job.warn(format!(
                    "{input}: {} says that slices are at {start} s, {:.4} of a TR; --slice-time-ref {told} is taken",
                    path.display(),
                    start / tr
                ));
            }
            Ok(told)
        }
        (Some(told), None) => Ok(told),
        (None, Some((path, start))) => {
            if !(0.0..=tr).contains(&start) {
                bail!(
                    "{input}: {} says that slices are at {start} s (StartTime), outside of the TR of {tr} s; say with \
                     --slice-time-ref where in a TR they are",
                    path.display()
                );
            }
            job.note(format!("{input}: slices are at {start} s of a TR of {tr} s (StartTime in {})", path.display()));
            Ok(start / tr)
        }
        (None, None) => {
            if let Some((path, _)) = own.get("SliceTimingCorrected").filter(|(_, value)| **value == Value::Bool(true)) {
                job.warn(format!(
                    "{input}: {} says that slice times were corrected and not to which time (no StartTime); the beginning \
                     of a TR is taken. fMRIPrep corrects to its middle: --slice-time-ref 0.5",
                    path.display()
                ));
            }
            Ok(0.0)
        }
    }
}
