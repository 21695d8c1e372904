//! t maps, and how they are written: as rows of a matrix or volumes of an image.

use anyhow::{Result, bail};
use brain_formats::Space;
use brain_formats::maps::{MapFormat, write_maps};
use brain_formats::volume_writer::Intent;
use cli::{Job, Output};
use localizer::{TTest, UnitTests};
use localizer_run::Plan;
use ndarray::ArrayView2;
use npy_stream::{Dtype, Labels, RowWriter};
use statistics::Reason;

/// A t per voxel and what is known of it.
pub(super) struct TMap {
    /// Label of its row.
    pub label: String,
    /// What it is about, where there are several.
    pub title: Option<String>,
    pub t: Vec<f64>,
    /// The same everywhere, or none.
    pub df: Option<f64>,
    pub n_constant: usize,
    pub n_nan: usize,
}

/// The maps of one matrix or of all images together.
pub(super) struct ArrayMaps {
    pub name: String,
    pub maps: Vec<TMap>,
    /// Whether the betas held numbers that f4 does not.
    pub double: bool,
    /// Names of the voxels and of the array; ids are those of its trials.
    pub labels: Labels,
}

impl TMap {
    /// The map of a question of the plan.
    pub fn of(plan: &Plan, question: usize, tests: &UnitTests) -> TMap {
        let t = tests.t().to_vec();
        let n_nan = tests.n_unusable().nan_input;
        // A voxel without t that met no NaN is flat, altogether or within the comparison that decides.
        let n_constant = t.iter().filter(|t| t.is_nan()).count() - n_nan;
        // Degrees of freedom are the same for every voxel in Student's test against samples of one size.
        let student = plan.test == TTest::Student;
        let df = if student { tests.question().student_df(tests.moments()) } else { None };
        let mut label = match plan.contrasts.as_slice() {
            [_] => "t".to_owned(),
            _ => plan.contrast(question).to_string(),
        };
        if let Some(fold) = plan.fold(question) {
            label += &format!(", {fold} held out");
        }
        let title = (plan.questions().len() > 1).then(|| plan.title(question));
        TMap { label, title, t, df, n_constant, n_nan }
    }
}

impl ArrayMaps {
    pub fn n_voxels(&self) -> usize {
        self.maps.first().map_or(0, |map| map.t.len())
    }

    /// Counts on stderr the voxels that have no t.
    pub fn warn(&self, job: &Job) {
        for map in &self.maps {
            let counts = [(map.n_constant, Reason::Constant), (map.n_nan, Reason::NanInput)];
            let why: Vec<String> =
                counts.iter().filter(|(n, _)| *n > 0).map(|(n, reason)| format!("{n} {reason}")).collect();
            if !why.is_empty() {
                let n = map.n_constant + map.n_nan;
                let title = map.title.as_ref().map_or(String::new(), |title| format!("{title}: "));
                let (name, why) = (&self.name, why.join(", "));
                job.warn(format!("{name}: {title}{n} of {} voxels have no t: {why}", map.t.len()));
            }
        }
    }
}

/// Refuses a format that cannot hold maps of these columns, before long work.
pub(super) fn require_format(format: Option<MapFormat>, source: &str, space: &Space) -> Result<()> {
    match format.and_then(|format| format.refusal(space)) {
        Some(refusal) => bail!("{source}: {refusal}"),
        None => Ok(()),
    }
}

pub(super) fn write_image(
    job: &Job,
    mut out: Output,
    arrays: &[ArrayMaps],
    space: Option<&Space>,
    format: MapFormat,
) -> Result<()> {
    let [array] = arrays else {
        bail!("{} t maps do not fit one image; name a .npy file, or run them one by one", arrays.len());
    };
    let Some(space) = space else {
        bail!("{}: a .npy map has no geometry; give --like IMAGE, or name a .npy file", array.name);
    };
    require_format(Some(format), &array.name, space)?;
    let t: Vec<Vec<f32>> = array.maps.iter().map(|map| map.t.iter().map(|&t| t as f32).collect()).collect();
    let maps: Vec<(&str, &[f32])> =
        array.maps.iter().zip(&t).map(|(map, t)| (map.label.as_str(), t.as_slice())).collect();
    let df = array.maps[0].df.filter(|df| array.maps.iter().all(|map| map.df == Some(*df)));
    let intent = df.map_or(Intent::None, |df| Intent::T { df });
    write_maps(&mut out, format, &maps, space, intent)?;
    out.commit(job)
}

pub(super) fn write_matrices(job: &Job, mut out: Output, arrays: &[ArrayMaps], dtype: Option<Dtype>) -> Result<()> {
    for array in arrays {
        let dtype = dtype.unwrap_or(if array.double { Dtype::F8 } else { Dtype::F4 });
        let mut rows = RowWriter::new(&mut out, array.maps.len(), array.n_voxels(), dtype)?;
        for map in &array.maps {
            rows.write_rows(ArrayView2::from_shape((1, map.t.len()), &map.t)?)?;
        }
        let ids: Vec<String> = array.maps.iter().map(|map| map.label.clone()).collect();
        rows.finish(&array.labels.with_ids(Some(&ids)))?;
    }
    out.commit(job)
}
