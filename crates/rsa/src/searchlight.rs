//! `rsa searchlight`: model RDMs against the RDM around every voxel.

mod args;
mod betas;
mod noise;

use anyhow::{Context, Result, anyhow, bail};
use array_inputs::read_matrix;
use betas::{Betas, read};
use brain_formats::Geometry;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use brain_maps::grid::{Radius, around, steps_within};
use cli::{Format, Job, Output, TableWriter};
use ndarray::{Array2, ArrayView2, Axis};
use noise::Noise;
use npy_stream::{Dtype, LabelsRef, Matrix, RowWriter};
use rayon::prelude::*;
use rdm::{Compared, Models, RdmError, searchlight};
use rdm_inputs::{LARGEST_NAN_SHARE, NamedRdm, check_nan, column, read_rdms, say_broken_ties, say_constant};
use statistics::{Centre, Reason};
use std::collections::HashMap;
use std::path::Path;
use stimulus_table::Side;
use voxel_inputs::{read_labels, require_grid};

pub use args::SearchlightArgs;

/// Spheres whose scores are held before they are written into the result: work for many threads, little to wait for.
const CHUNK: usize = 1024;

/// What a model has to say of a sphere.
struct Sphere {
    n_voxels: usize,
    /// One per model; none for a sphere that is not visited.
    scores: Vec<Compared>,
    reason: Option<Reason>,
}

/// The mask: its grid, and its voxels in the order of their numbers.
struct Mask {
    grid: Geometry,
    voxels: Vec<usize>,
}

pub(crate) fn run(args: &SearchlightArgs) -> Result<()> {
    if let (Some(scores), Some(_)) = (&args.scores, &args.common.output) {
        bail!("--scores: {scores} is the matrix already; leave -o out");
    }
    if args.center && args.metric.distance().is_of_differences() {
        bail!(
            "--center with --metric {}, which is made of differences of patterns: their mean cancels, (a - m) - (b - m) \
             is a - b, so leave it out; it goes with correlation and cosine",
            args.metric.distance()
        );
    }
    noise::check(args)?;
    let job = Job::start("rsa", &args.common)?;
    let matrix = match (&args.out_dir, &args.common.output) {
        (Some(_), None) => None,
        (_, path) => Some(job.binary_output(path.as_deref())?),
    };
    let table = args.table.as_deref().map(|path| job.text_output(Some(path))).transpose()?;
    if let Some(folder) = &args.out_dir {
        folder.make()?;
    }
    let mask = read_mask(&job, args)?;
    if let Some(scores) = &args.scores {
        return maps_of_scores(&job, args, &mask, scores);
    }

    let betas = read(&job, args, &mask.grid, &mask.voxels)?;
    let (betas, models) = joined(&job, args, betas)?;
    let noise = Noise::read(&job, args, &mask.grid, &mask.voxels)?;
    let names: Vec<String> = models.iter().map(|m| m.name.clone()).collect();
    if args.out_dir.is_some() {
        check_names(&names)?;
    }
    let centres = args.shard.map_or(0..mask.voxels.len(), |shard| shard.range(mask.voxels.len()));
    if let Some(shard) = args.shard {
        job.record("shard", shard.record(mask.voxels.len()));
    }
    job.record("models", names.clone());
    job.record("metric", args.metric.as_str());
    job.record("center", args.center);
    job.record("compare", args.compare.as_str());
    let spheres = visit(&job, args, &mask, (&betas, noise.as_ref()), &models, centres.clone())?;
    summary(&job, &betas.source, &spheres);

    let scores = Array2::from_shape_fn((spheres.len(), names.len()), |(s, m)| {
        spheres[s].scores.get(m).map_or(f64::NAN, |score| score.value)
    });
    if let Some(out) = table {
        write_table(&job, args, out, &mask, &names, &spheres, centres.start)?;
    }
    if let Some(folder) = &args.out_dir {
        write_maps(&job, folder, &mask, &names, scores.view())?;
    }
    if let Some(mut out) = matrix {
        let ids: Vec<String> = mask.voxels[centres].iter().map(usize::to_string).collect();
        let mut rows = RowWriter::new(&mut out, scores.nrows(), scores.ncols(), Dtype::F8)?;
        rows.write_rows(scores.view())?;
        rows.finish(LabelsRef { ids: Some(&ids), columns: Some(&names), name: None })?;
        out.commit(&job)?;
    }
    Ok(())
}

fn read_mask(job: &Job, args: &SearchlightArgs) -> Result<Mask> {
    let mask = read_labels(job, &args.mask)?;
    let voxels = mask.inside();
    let Some(space) = &mask.space else { bail!("{}: not a NIfTI image, so it has no geometry", args.mask) };
    let grid = require_grid(&args.mask.to_string(), space, "a searchlight")?.clone();
    if voxels.is_empty() {
        bail!("{}: 0 of {} voxels are inside (above 0)", args.mask, mask.labels.len());
    }
    Ok(Mask { grid, voxels })
}

/// Patterns and models in one order of stimuli, joined by id.
fn joined(job: &Job, args: &SearchlightArgs, betas: Betas) -> Result<(Betas, Vec<NamedRdm>)> {
    let mut models = read_rdms(job, &args.models, &args.names)?;
    let first = Side { name: &betas.source, labels: Some(&betas.ids), n_rows: betas.ids.len() };
    let sides: Vec<Side> = std::iter::once(first).chain(models.iter().map(NamedRdm::side)).collect();
    // --assume-order is needed for images; it must not join the models by position as well.
    if let (Some(table), Some(model)) = (&args.stimuli, models.iter().find(|model| model.rdm.labels().is_none())) {
        bail!(
            "{}: {} stimuli without ids; --assume-order says that the rows of {} are those of {table}, whose patterns \
             stand in the order in which ids appear; give the model its ids (`npy label`)",
            model.source,
            model.rdm.n_stimuli(),
            betas.source
        );
    }
    let rows = args.join.join_all(job, &sides)?;
    if rows[0].len() < 3 {
        bail!("{}: {} stimuli in common with the models; comparing RDMs needs at least 3", betas.source, rows[0].len());
    }
    for (named, rows) in models.iter_mut().zip(&rows[1..]) {
        named.rdm = named.rdm.select(rows).with_context(|| named.source.clone())?;
        check_nan(job, &named.source, &named.rdm, "; left out and counted in n_pairs", args.allow_nan)?;
        if named.rdm.reason_under(args.compare) == Some(Reason::Constant) {
            say_constant(job, &named.source, &named.rdm, "it has no score");
        }
    }
    if args.compare.ranks() {
        say_broken_ties(job, models.iter().map(|m| (m.source.as_str(), &m.rdm)), "rank comparisons");
    }
    let ids = rows[0].iter().map(|&row| betas.ids[row].clone()).collect();
    let patterns = match betas.patterns {
        Matrix::F4(m) => Matrix::F4(m.select(Axis(0), &rows[0])),
        Matrix::F8(m) => Matrix::F8(m.select(Axis(0), &rows[0])),
    };
    let patterns = if args.center { centred(patterns) } else { patterns };
    Ok((Betas { patterns, ids, ..betas }, models))
}

/// Every voxel minus its mean over the stimuli; one with a NaN in some row, which no sphere uses, is NaN altogether.
fn centred(patterns: Matrix) -> Matrix {
    let mut patterns = patterns.into_f64();
    patterns.axis_iter_mut(Axis(1)).into_par_iter().for_each(|mut voxel| {
        let centre = Centre::of(&voxel.to_vec());
        voxel.mapv_inplace(|value| centre.centred(value));
    });
    Matrix::F8(patterns)
}

fn visit(
    job: &Job,
    args: &SearchlightArgs,
    mask: &Mask,
    (betas, noise): (&Betas, Option<&Noise>),
    models: &[NamedRdm],
    centres: std::ops::Range<usize>,
) -> Result<Vec<Sphere>> {
    let radius = args.radius.unwrap_or(Radius::Voxels(3.0));
    let steps = steps_within(mask.grid.shape, &mask.grid.affine, radius);
    job.record("radius", format!("{radius:?}"));
    let has_nan = nan_columns(&betas.patterns);
    let n_nan = has_nan.iter().filter(|n| **n).count();
    // Why a voxel spoils its spheres.
    let why: Vec<Option<Reason>> = (0..has_nan.len())
        .map(|c| if has_nan[c] { Some(Reason::NanInput) } else { noise.and_then(|noise| noise.unusable[c]) })
        .collect();
    if n_nan > 0 {
        let what = if args.drop_nan {
            "are left out of every sphere"
        } else {
            "have no score, nor has any sphere they are in"
        };
        job.warn(format!(
            "{}: {n_nan} of {} voxels of the mask have a NaN in some row and {what}",
            betas.source,
            has_nan.len()
        ));
    }
    if let Some(noise) = noise {
        noise.say_unusable(job, args.drop_nan);
    }
    let column_of: HashMap<usize, usize> =
        mask.voxels.iter().enumerate().map(|(column, &voxel)| (voxel, column)).collect();
    let models = Models::new(models.iter().map(|m| m.rdm.clone()).collect(), args.compare);
    let n_pairs = betas.ids.len() * (betas.ids.len() - 1) / 2;

    let progress = job.progress(centres.len(), "spheres");
    let mut spheres: Vec<Sphere> = Vec::with_capacity(centres.len());
    for start in centres.clone().step_by(CHUNK) {
        let chunk = &mask.voxels[start..(start + CHUNK).min(centres.end)];
        // Which voxels a sphere has, and why it is not visited.
        let (mut regions, mut reasons, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        for &centre in chunk {
            let ball = around(mask.grid.shape, centre, &steps);
            let inside: Vec<usize> = ball.iter().filter_map(|voxel| column_of.get(voxel).copied()).collect();
            let share = inside.len() as f64 / ball.len() as f64;
            let kept: Vec<usize> = inside.into_iter().filter(|&c| !(args.drop_nan && why[c].is_some())).collect();
            let reason = if kept.len() < args.min_voxels as usize || share < args.min_share {
                Some(Reason::TooFewVoxels)
            } else {
                kept.iter().find_map(|&c| why[c])
            };
            sizes.push(kept.len());
            if reason.is_none() {
                regions.push(kept);
            }
            reasons.push(reason);
        }
        let distance = args.metric.distance();
        let found = match (noise, &betas.patterns) {
            (Some(noise), patterns) => noise.searchlight(patterns, &regions, distance, &models),
            (None, Matrix::F4(patterns)) => searchlight(patterns.view(), &regions, distance, &models),
            (None, Matrix::F8(patterns)) => searchlight(patterns.view(), &regions, distance, &models),
        }
        .map_err(|e| match (&e, noise) {
            (RdmError::Noise(_), Some(noise)) => anyhow!("{}: noise of a sphere: {e}", noise.source),
            _ => anyhow!("{}: {e}", betas.source),
        })?;
        let mut found = found.into_iter();
        for (reason, n_voxels) in reasons.into_iter().zip(sizes) {
            let scores = if reason.is_none() { found.next().unwrap_or_default() } else { Vec::new() };
            spheres.push(judged(Sphere { n_voxels, scores, reason }, n_pairs, args.allow_nan));
        }
        progress.advance(chunk.len());
    }
    Ok(spheres)
}

/// Takes the score of a sphere that misses too many pairs, and says why a score is NaN.
fn judged(mut sphere: Sphere, n_pairs: usize, allow_nan: bool) -> Sphere {
    if sphere.scores.iter().any(|s| s.n_nan as f64 > LARGEST_NAN_SHARE * n_pairs as f64) && !allow_nan {
        let all = sphere.scores.iter().all(|s| s.n_pairs == 0);
        sphere.reason = Some(if all { Reason::Constant } else { Reason::NanPairs });
        for score in &mut sphere.scores {
            score.value = f64::NAN;
        }
    }
    sphere
}

/// Columns with a NaN or an infinity in some row.
fn nan_columns(patterns: &Matrix) -> Vec<bool> {
    fn of<T: Copy + Into<f64>>(rows: ArrayView2<T>) -> Vec<bool> {
        let mut found = vec![false; rows.ncols()];
        for row in rows.rows() {
            for (found, &value) in found.iter_mut().zip(row) {
                let value: f64 = value.into();
                *found |= !value.is_finite();
            }
        }
        found
    }
    match patterns {
        Matrix::F4(rows) => of(rows.view()),
        Matrix::F8(rows) => of(rows.view()),
    }
}

fn reason_of(sphere: &Sphere, score: Option<&Compared>) -> Option<Reason> {
    sphere.reason.or_else(|| score.filter(|s| s.value.is_nan()).map(|_| Reason::Constant))
}

/// One line on what has no score.
fn summary(job: &Job, source: &str, spheres: &[Sphere]) {
    let why = |sphere: &Sphere| sphere.reason.or_else(|| sphere.scores.iter().find_map(|s| reason_of(sphere, Some(s))));
    let reasons: Vec<Reason> = spheres.iter().filter_map(why).collect();
    let partial = spheres.iter().filter(|s| s.reason.is_none() && s.scores.iter().any(|c| c.n_nan > 0)).count();
    if !reasons.is_empty() {
        let (n, n_spheres) = (reasons.len(), spheres.len());
        job.warn(format!("{source}: {n} of {n_spheres} spheres have no score: {}", Reason::counted(reasons)));
    }
    if partial > 0 {
        job.warn(format!("{source}: {partial} of {} spheres are scored without some pairs (NaN)", spheres.len()));
    }
}

fn write_table(
    job: &Job,
    args: &SearchlightArgs,
    out: Output,
    mask: &Mask,
    names: &[String],
    spheres: &[Sphere],
    first: usize,
) -> Result<()> {
    let column = column(args.compare);
    let columns = ["voxel", "i", "j", "k", "x", "y", "z", "n_voxels", "model", "compare", column, "n_pairs", "reason"];
    let mut table = TableWriter::new(out, Format::Csv, &columns)?;
    for (sphere, &voxel) in spheres.iter().zip(&mask.voxels[first..]) {
        let place = mask.grid.place(voxel);
        let [x, y, z] = mask.grid.millimetres(place);
        for (m, name) in names.iter().enumerate() {
            let score = sphere.scores.get(m);
            table.record(&[
                ("voxel", voxel.into()),
                ("i", place[0].into()),
                ("j", place[1].into()),
                ("k", place[2].into()),
                ("x", x.into()),
                ("y", y.into()),
                ("z", z.into()),
                ("n_voxels", sphere.n_voxels.into()),
                ("model", name.into()),
                ("compare", args.compare.as_str().into()),
                (column, score.map_or(f64::NAN, |s| s.value).into()),
                ("n_pairs", score.map(|s| s.n_pairs).into()),
                ("reason", reason_of(sphere, score).into()),
            ])?;
        }
    }
    table.into_inner().commit(job)
}

/// Names that can be file names, each once.
fn check_names(names: &[String]) -> Result<()> {
    for (m, name) in names.iter().enumerate() {
        if name.contains('/') || name.is_empty() {
            bail!("model {name:?} cannot be the name of a file; give {} names with --names", names.len());
        }
        if names[..m].contains(name) {
            bail!("two models are called {name:?}; give {} different names with --names", names.len());
        }
    }
    Ok(())
}

/// One map per model; `scores` has a row per voxel of the mask.
fn write_maps(job: &Job, folder: &Path, mask: &Mask, names: &[String], scores: ArrayView2<f64>) -> Result<()> {
    // All files are begun before one is finished, so that a folder that cannot be written to gets none.
    let mut outputs = Vec::new();
    for name in names {
        outputs.push(job.binary_output(Some(&folder.join(format!("{name}.nii.gz"))))?);
    }
    for (mut out, scores) in outputs.into_iter().zip(scores.columns()) {
        let mut map = vec![f32::NAN; mask.grid.n_voxels()];
        for (&voxel, &score) in mask.voxels.iter().zip(scores) {
            map[voxel] = score as f32;
        }
        write_volume(&mut out, Voxels::F4(&map), &mask.grid, Intent::None, true)?;
        out.commit(job)?;
    }
    Ok(())
}

/// Maps of a matrix that was written before: its rows are named by voxel, in any order, each voxel of the mask once.
fn maps_of_scores(job: &Job, args: &SearchlightArgs, mask: &Mask, input: &cli::Input) -> Result<()> {
    let named = read_matrix(job, input)?;
    let Some(labels) = &named.labels.ids else {
        bail!("{input}: {} rows without voxel numbers", named.matrix.n_rows())
    };
    let scores = named.matrix.clone().into_f64();
    let names = match args.names.len() {
        0 => match &named.labels.columns {
            Some(names) => names.clone(),
            None => (0..scores.ncols()).map(|m| format!("model{m}")).collect(),
        },
        n if n == scores.ncols() => args.names.clone(),
        n => bail!("--names gives {n} names for the {} columns of {input}", scores.ncols()),
    };
    check_names(&names)?;
    let mut row_of: HashMap<usize, usize> = HashMap::new();
    for (row, label) in labels.iter().enumerate() {
        let voxel: usize =
            label.parse().map_err(|_| anyhow!("{input}: row {row} is named {label:?}, which is not a voxel number"))?;
        if row_of.insert(voxel, row).is_some() {
            bail!("{input}: voxel {voxel} stands in it twice");
        }
    }
    let absent = mask.voxels.iter().filter(|voxel| !row_of.contains_key(voxel)).count();
    if absent > 0 || row_of.len() != mask.voxels.len() {
        bail!(
            "{input}: {} voxels, but {} has {} inside, of which {absent} are not in it; join all shards with `npy \
             cat`, and give the mask they were made with",
            row_of.len(),
            args.mask,
            mask.voxels.len()
        );
    }
    let rows: Vec<usize> = mask.voxels.iter().map(|voxel| row_of[voxel]).collect();
    let folder = args.out_dir.as_deref().context("--scores needs --out-dir")?;
    job.record("models", names.clone());
    write_maps(job, folder, mask, &names, scores.select(Axis(0), &rows).view())
}
