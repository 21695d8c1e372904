//! Maps of several subjects: the mean against 0, pairs, two groups; p, and p corrected by relabelling subjects.

mod args;
mod subjects;
mod table;

use anyhow::{Context, Result, bail};
use array_inputs::JoinArgs;
use brain_formats::Space;
use brain_formats::maps::{MapFormat, write_maps};
use brain_formats::volume_writer::Intent;
use brain_maps::{Connectivity, GroupModel, Permutations, Side};
use cli::{Format, Input, Job, Output, require_memory};
use localizer::{Correction, OneSample};
use ndarray::{Array2, ArrayView2, Axis};
use npy_stream::{Dtype, RowWriter};
use statistics::mean_test::MeanTest;
use statistics::{Reason, ln_to_neg_log10, student_t_quantile};
use voxel_inputs::{map_name, placed, require_n_columns};

pub(super) use args::GroupArgs;
use args::Statistic;
use subjects::Tested;

use super::t_map::{ArrayMaps, TMap, require_format};
use crate::subject_maps::SubjectMaps;
use crate::surfaces::{neighbours_in_words, record_neighbours, require_voxels};

/// p of a voxel's t at which clusters begin, where no `--cluster-t` says it.
const CLUSTER_P: f64 = 0.001;
/// Relabellings between two steps of the progress bar.
const STEP: u64 = 128;

/// What is asked for beside the t map.
pub(super) struct Wanted<'a> {
    pub inputs: &'a [Input],
    pub join: JoinArgs,
    /// Geometry of `.npy` maps, and where it came from.
    pub like: Option<(&'a Input, &'a Space)>,
    pub table: Option<Output>,
    pub format: Format,
    pub correction: Option<Correction>,
    /// Format of the image that the t map goes to.
    pub image: Option<MapFormat>,
}

/// A test per voxel.
struct Tests {
    n: usize,
    tests: Vec<MeanTest>,
    /// Of the side that was asked for.
    ln_p: Vec<f64>,
    q: Option<Vec<f64>>,
    corrected: Option<Corrected>,
}

/// What relabellings say.
struct Corrected {
    p: Vec<f64>,
    statistic: Vec<f64>,
    clusters: Vec<u32>,
    /// Column of the statistic, where it is not the t itself.
    column: Option<&'static str>,
    cluster_t: Option<f64>,
    connectivity: Connectivity,
}

impl GroupArgs {
    fn side(&self) -> Side {
        self.tail.unwrap_or_default().into()
    }

    fn statistic(&self) -> Statistic {
        self.statistic.unwrap_or(Statistic::MaxT)
    }

    /// Refuses what would have no meaning, before anything is read.
    fn check(&self, wanted: &Wanted) -> Result<()> {
        let uses_neighbours = self.statistic() != Statistic::MaxT;
        if self.connectivity.is_some() && !uses_neighbours {
            bail!("--connectivity is of clusters and tfce; --statistic max-t looks at each voxel by itself");
        }
        if !uses_neighbours {
            self.surfaces.refuse(
                "it says which vertices are neighbours, for --permutations with --statistic tfce, cluster-mass or \
                 cluster-extent",
            )?;
        }
        if self.cluster_t.is_some() && !self.statistic().is_of_clusters() {
            bail!(
                "--cluster-t is of cluster-mass and cluster-extent; --statistic {} has no threshold",
                self.statistic().as_str()
            );
        }
        if self.tail.is_some() && wanted.table.is_none() && self.permutations.is_none() {
            bail!("--tail is of p, and a t map has none: give --table or --permutations with it, or leave it out");
        }
        if self.subjects.is_none() && (wanted.join.assume_order || wanted.join.inner) {
            bail!(
                "--assume-order and --inner say how --subjects is joined with the maps; give that table, or leave them out"
            );
        }
        Ok(())
    }
}

/// Tests the maps of the inputs, and writes what was asked for beside their t map.
pub(super) fn run(job: &Job, args: &GroupArgs, mut wanted: Wanted) -> Result<(ArrayMaps, Option<Space>)> {
    args.check(&wanted)?;
    let p_map = args.p_map.as_deref().map(|path| Ok::<_, anyhow::Error>((path, job.binary_output(Some(path))?)));
    let p_map = p_map.transpose()?;
    let streamed = args.subjects.is_none() && args.permutations.is_none();
    // Sums are enough for a mean; what is compared or relabelled is held.
    let (mut sums, mut held) = (OneSample::default(), Vec::new());
    let read = SubjectMaps::read(job, wanted.inputs, |maps, n_known| {
        if streamed {
            return Ok(sums.add_rows(maps)?);
        }
        if held.is_empty() {
            // The values, those that are chosen, and their residuals.
            let (n, n_voxels) = (n_known, maps.ncols());
            let what = format!("{}: {n} maps of {n_voxels} voxels", wanted.inputs[0]);
            require_memory(what, 24 * n as u128 * n_voxels as u128, "test a part of the voxels at a time")?;
        }
        held.extend(maps.iter());
        Ok(())
    })?;
    let like = wanted.like.map(|(input, space)| (input.to_string(), space));
    let like = like.as_ref().map(|(name, space)| (name.as_str(), *space));
    let own = read.space.as_ref().map(|space| placed((&read.name, space), like)).transpose()?.flatten();
    let mut space = own.clone().or(wanted.like.map(|(_, space)| space.clone()));
    if let (None, Some((input, like))) = (&read.space, wanted.like) {
        require_n_columns((&read.name, read.n_voxels), (&input.to_string(), like))?;
    }
    if let Some(space) = &space {
        let of_p = args.p_map.as_deref().and_then(map_name);
        [wanted.image, of_p].into_iter().try_for_each(|format| require_format(format, &read.name, space))?;
    }
    let side = args.side();
    let tested = match streamed {
        true => None,
        false => {
            let maps = Array2::from_shape_vec((read.n_maps, read.n_voxels), held)?;
            Some(subjects::tested(job, args, wanted.join, &read, maps)?)
        }
    };
    let tests = match &tested {
        Some(Tested { plain_mean: false, model, maps, .. }) => model.tests(maps.view()),
        held => {
            if let Some(Tested { maps, .. }) = held {
                sums.add_rows(maps.view())?;
            }
            sums.tests().with_context(|| read.name.clone())?
        }
    };
    let (n, df, what) = match &tested {
        Some(tested) => (tested.model.n(), tested.model.df(), tested.test.clone()),
        None => (read.n_maps, (read.n_maps - 1) as f64, "one-sample t".to_owned()),
    };
    job.record("test", what.clone());
    job.record("n", n);
    job.record("df", df);
    job.record("tail", side.as_str());
    let of = if args.paired.is_some() { "pairs" } else { "maps" };
    job.note(format!("{}: {what} over {n} {of}, df {df}", read.name));
    let ln_p: Vec<f64> = tests.iter().map(|test| side.ln_p(test.t, test.df)).collect();
    let q = wanted.correction.map(|how| how.adjust_ln(&ln_p).iter().map(|ln_q| ln_q.exp()).collect());
    let corrected = match (args.permutations, tested) {
        (Some(permutations), Some(tested)) => {
            let found = corrected(job, args, &read.name, tested, &tests, space.as_mut(), permutations)?;
            Some(found)
        }
        _ => None,
    };
    let tests = Tests { n, tests, ln_p, q, corrected };
    if let Some((path, out)) = p_map {
        write_p_map(job, path, out, &tests, space.as_ref(), &read)?;
    }
    if let Some(out) = wanted.table.take() {
        table::write(job, out, wanted.format, &read.name, &tests, space.as_ref(), read.labels.columns.as_deref())?;
    }
    let count = |reason| tests.tests.iter().filter(|test| test.reason == Some(reason)).count();
    let (n_constant, n_nan) = (count(Reason::Constant), count(Reason::NanInput));
    let t = tests.tests.iter().map(|test| test.t).collect();
    let map = TMap { label: "t".into(), title: None, t, df: Some(df), n_constant, n_nan };
    Ok((ArrayMaps { name: read.name, maps: vec![map], double: read.double, labels: read.labels }, own))
}

/// Goes through the relabellings.
fn corrected(
    job: &Job,
    args: &GroupArgs,
    name: &str,
    tested: Tested,
    tests: &[MeanTest],
    mut space: Option<&mut Space>,
    permutations: u32,
) -> Result<Corrected> {
    let (statistic, side) = (args.statistic(), args.side());
    let Tested { model, maps, .. } = tested;
    let usable: Vec<usize> = (0..tests.len()).filter(|&voxel| tests[voxel].reason.is_none()).collect();
    let connectivity: Connectivity = args.connectivity.map_or(Connectivity::Faces, Into::into);
    let what = format!("--statistic {}", statistic.as_str());
    let adjacency = match (statistic, space.as_deref_mut()) {
        (Statistic::MaxT, _) => None,
        (_, Some(space)) => {
            require_voxels(args.connectivity, name, space)?;
            Some(args.surfaces.layout(job, name, space, &what)?.adjacency(&usable, connectivity))
        }
        (_, None) => {
            bail!("{name}: a .npy map does not say where its voxels are, which {what} needs; give --like IMAGE")
        }
    };
    let space = space.as_deref();
    let threshold = statistic.is_of_clusters().then(|| cluster_threshold(args, &model, side));
    let seed = args.seed.unwrap_or(0);
    let relabellings = model.relabellings(permutations.into(), seed);
    let (n, exact) = (relabellings.len(), relabellings.are_exact());
    job.record("statistic", statistic.as_str());
    job.record("permutations", n);
    job.record("all_permutations", exact);
    job.record("seed", seed);
    if statistic != Statistic::MaxT {
        record_neighbours(job, space, connectivity);
    }
    if let Some(threshold) = threshold {
        job.record("cluster_t", threshold);
    }
    // Voxels without a t are in no map; those that have one stand together.
    let maps = if usable.len() == maps.ncols() { maps } else { maps.select(Axis(1), &usable) };
    let enhance = statistic.above(threshold.unwrap_or(0.0));
    let test = Permutations::new(&model, maps, adjacency.as_ref(), relabellings, (enhance, side));
    let progress = job.progress(n as usize, "relabellings");
    let mut maxima = Vec::with_capacity(n as usize);
    for from in (0..n).step_by(STEP as usize) {
        let numbers = from..n.min(from + STEP);
        progress.advance((numbers.end - numbers.start) as usize);
        maxima.extend(test.maxima(numbers));
    }
    let observed = test.observed();
    let p = test.corrected(&observed.statistic, &maxima);
    let smallest = p.iter().copied().fold(f64::NAN, f64::min);
    let n_below = p.iter().filter(|p| **p < 0.05).count();
    let neighbours = neighbours_in_words(space, connectivity);
    let how = match threshold {
        Some(t) => format!(", clusters beyond t {t:.4}, {neighbours} neighbours"),
        None if statistic == Statistic::Tfce => format!(", {neighbours} neighbours"),
        None => String::new(),
    };
    let kind = if args.two_sample.is_some() { "exchanges" } else { "sign flips" };
    let all = if exact { "all " } else { "" };
    job.note(format!(
        "{name}: {} ({}) over {all}{n} {kind}{how}: {n_below} of {} voxels have corrected p < .05, the smallest is {smallest}",
        statistic.as_str(),
        side.as_str(),
        usable.len()
    ));
    let spread = |values: &[f64], none: f64| {
        let mut all = vec![none; tests.len()];
        usable.iter().zip(values).for_each(|(&voxel, &value)| all[voxel] = value);
        all
    };
    let mut clusters = vec![0; tests.len()];
    usable.iter().zip(&observed.clusters).for_each(|(&voxel, &cluster)| clusters[voxel] = cluster);
    Ok(Corrected {
        p: spread(&p, f64::NAN),
        statistic: spread(&observed.statistic, f64::NAN),
        clusters,
        column: match statistic {
            Statistic::MaxT => None,
            Statistic::ClusterMass => Some("cluster_mass"),
            Statistic::ClusterExtent => Some("cluster_extent"),
            Statistic::Tfce => Some("tfce"),
        },
        cluster_t: threshold,
        connectivity,
    })
}

/// The t beyond which clusters lie.
fn cluster_threshold(args: &GroupArgs, model: &GroupModel, side: Side) -> f64 {
    let tails = if side == Side::TwoSided { 2.0 } else { 1.0 };
    args.cluster_t.unwrap_or_else(|| student_t_quantile(CLUSTER_P / tails, model.df()))
}

fn write_p_map(
    job: &Job,
    path: &std::path::Path,
    mut out: Output,
    tests: &Tests,
    space: Option<&Space>,
    read: &SubjectMaps,
) -> Result<()> {
    let Some(corrected) = &tests.corrected else { return Ok(()) };
    let map: Vec<f64> = corrected.p.iter().map(|p| ln_to_neg_log10(p.ln())).collect();
    match (map_name(path), space) {
        (Some(format), Some(space)) => {
            let map: Vec<f32> = map.iter().map(|&v| v as f32).collect();
            write_maps(&mut out, format, &[("neg_log10_p_corrected", &map)], space, Intent::None)?;
        }
        (Some(_), None) => {
            bail!("{}: a .npy map has no geometry; give --like IMAGE, or name a .npy file for --p-map", read.name)
        }
        (None, _) => {
            let map: ArrayView2<f64> = ArrayView2::from_shape((1, map.len()), &map)?;
            let mut rows = RowWriter::new(&mut out, 1, map.ncols(), Dtype::F8)?;
            rows.write_rows(map)?;
            rows.finish(&read.labels.with_ids(Some(&["neg_log10_p_corrected".to_owned()])))?;
        }
    }
    out.commit(job)
}
