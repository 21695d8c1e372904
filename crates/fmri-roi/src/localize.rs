//! `fmri-roi localize`: regions that are found on all parts of the trials but one, and what they do in that one.

use anyhow::{Context, Result, bail};
use array_inputs::{Called, JoinArgs, Next, called_apart, tell_names_apart};
use brain_formats::Space;
use brain_maps::Layout;
use cli::{Common, Format, Input, Job, Named, TableWriter};
use localizer_run::{CrossValidation, LocalizerArgs, Measured, Plan};
use statistics::Reason;
use voxel_inputs::{Given, open_all};

use crate::contrast::measure_volumes;
use crate::region::{Rule, VoxelSet, find};
use crate::search::Search;
use crate::surfaces::record_neighbours;

const HELP: &str = "\
Betas are joined with --stimuli as in `contrast`, and --contrast, --versus, --test and --by-category
are its. For every part of the trials (--cv, a column such as run) a region is made as `define` makes
it, of the t on all other parts; then the responses of its voxels are averaged in that part, so that no
trial that chose a voxel measures it.

Output, one row per array, region, part and level of --by:
  array, roi
  contrast           with several contrasts
  fold               the part that was held out
  n_voxels           voxels of the region found on the others
  category           level of --by, of the contrast or not
  n                  its trials in the part that was held out
  mean               over these trials, then over the voxels
  reason             why there is none: empty (no voxel), no_stimuli (no trial of that level in the part),
                     nan_input (a response is not a number)
Behind the parts of a region stand its means over them: fold is mean, n_voxels is empty, n is the number
of parts that have a number. A part without a region is said on stderr.

Examples:
  fmri-roi localize --stimuli trials.csv --by domain --contrast 'faces > rest' --cv run --top 10% \\
      --parcels parcels.nii --labels parcels.tsv --assume-order sub-01/betas.nii
  fmri-roi localize --stimuli floc.csv --by domain --contrast 'faces > rest' --cv half --t 3 sub-01/betas.npy
  fmri-roi localize --stimuli floc.csv --by domain --contrast 'faces > rest' --cv k=4 --top 50 sub-01/betas.npy";

/// Options of `localize`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Localize {
    /// Betas: .npy matrices, or images, whose volumes follow one another (- is stdin)
    #[arg(value_name = "FILE", default_value = "-")]
    inputs: Vec<Input>,
    #[command(flatten)]
    localizer: LocalizerArgs,
    #[command(flatten)]
    join: JoinArgs,
    /// Find regions on all parts of the trials but one, and measure in that one: odd-even, k=5, or a column
    #[arg(long, value_name = "odd-even|k=N|COLUMN", default_value = "run")]
    cv: CrossValidation,
    #[command(flatten)]
    search: Search,
    /// Format of the table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// In which voxels regions are looked for.
struct Where {
    n_voxels: usize,
    space: Option<Space>,
    sets: Vec<VoxelSet>,
    layout: Option<Layout>,
}

/// What the row of the means over parts says in the place of a part.
const MEAN: &str = "mean";

/// Runs the verb.
pub(crate) fn run(args: Localize) -> Result<()> {
    let job = Job::start("fmri-roi", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    args.search.check(false, "--min-cluster")?;
    let plan = args.localizer.plan_with_levels(&job, args.join, &args.cv)?;
    if plan.folds.iter().any(|fold| fold == MEAN) {
        bail!("{}: a part of --cv is called {MEAN:?}, as the mean over parts is; rename it", plan.table_name());
    }
    job.record("folds", plan.folds.clone());
    let mut searched: Option<Where> = None;
    let mut measured: Vec<(String, Measured)> = Vec::new();
    match open_all(&job, &args.inputs)? {
        Given::Volumes(volumes) => {
            let space = Some(volumes.space().clone());
            let n_voxels = volumes.space().n_columns();
            searched = Some(look(&job, &args, volumes.source(), n_voxels, space)?);
            let (name, betas, _) = measure_volumes(&plan, args.join, volumes)?;
            measured.push((name, betas));
        }
        Given::Arrays(arrays) => {
            let (mut called, mut sources, mut all) = (Vec::new(), Vec::new(), Vec::new());
            arrays.each(|Next { input, position, source, array }| {
                let (_, n_voxels) = array.matrix_shape().with_context(|| source.clone())?;
                match &searched {
                    None => searched = Some(look(&job, &args, &source, n_voxels, None)?),
                    Some(first) if first.n_voxels != n_voxels => bail!(
                        "{source}: {n_voxels} voxels, but {} has {}; run them one by one",
                        sources[0],
                        first.n_voxels
                    ),
                    Some(_) => {}
                }
                let betas = plan.measure(&job, &source, array)?;
                called.push(Called::new(input, position, betas.name()));
                all.push(betas);
                sources.push(source);
                Ok(())
            })?;
            let mut names = called_apart(&called);
            let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
            tell_names_apart(&mut names, &sources)?;
            measured.extend(names.into_iter().zip(all));
        }
    }
    let Some(searched) = searched else { bail!("{}: no array in it", args.inputs[0]) };
    let rule = args.search.rule();
    job.record("t_above", rule.t);
    job.record("tail", rule.side.as_str());
    record_neighbours(&job, searched.space.as_ref(), rule.connectivity);

    let mut columns = vec!["array", "roi"];
    columns.extend((plan.n_asked() > 1).then_some("contrast"));
    columns.extend(["fold", "n_voxels", "category", "n", "mean", "reason"]);
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for (name, betas) in &measured {
        for row in rows(&job, &plan, (name, betas), &searched, &rule)? {
            table.record(&row)?;
        }
    }
    table.into_inner().commit(&job)
}

fn look(job: &Job, args: &Localize, source: &str, n_voxels: usize, mut space: Option<Space>) -> Result<Where> {
    let mut sets = args.search.spaces(job, (source, n_voxels), &mut space)?;
    let layout = args.search.layout(job, source, &mut space, None, false)?;
    args.search.restrict(source, space.as_ref(), layout.as_ref(), &mut sets)?;
    Ok(Where { n_voxels, space, sets, layout })
}

/// The mean of one level in one part over the voxels of a region; how many trials that is of, or why there is none.
fn response(plan: &Plan, betas: &Measured, at: (usize, usize), voxels: &[usize]) -> (usize, f64, Option<Reason>) {
    // Any voxel knows how many trials there are.
    let n = if betas.n_units() > 0 { betas.held_out(plan, at, 0).n } else { 0 };
    let means = voxels.iter().map(|&voxel| betas.held_out(plan, at, voxel).mean);
    let mean = means.sum::<f64>() / voxels.len() as f64;
    let reason = match (voxels.is_empty(), n) {
        (true, _) => Some(Reason::Empty),
        (false, 0) => Some(Reason::NoStimuli),
        _ => (!mean.is_finite()).then_some(Reason::NanInput),
    };
    (n, if reason.is_some() { f64::NAN } else { mean }, reason)
}

/// All rows of one array.
fn rows<'a>(
    job: &Job,
    plan: &Plan,
    (name, betas): (&'a str, &Measured),
    searched: &'a Where,
    rule: &Rule,
) -> Result<Vec<Vec<Named<'a>>>> {
    let (levels, n_folds) = (plan.levels(), plan.folds.len());
    let mut rows = Vec::new();
    for contrast in 0..plan.n_asked() {
        // The t of every part's question, once for all regions.
        let t: Vec<Vec<f64>> = (0..n_folds)
            .map(|fold| Ok(betas.tests(plan, contrast * n_folds + fold)?.0.t().to_vec()))
            .collect::<Result<_>>()?;
        for set in &searched.sets {
            let mut sums = vec![(0, 0.0, None); levels.len()];
            let mut push = |fold: &str, n_voxels: Option<usize>, level: usize, found: (usize, f64, Option<Reason>)| {
                let (n, mean, reason) = found;
                let mut row: Vec<Named> = vec![("array", name.into()), ("roi", (&set.name).into())];
                if plan.n_asked() > 1 {
                    row.push(("contrast", plan.contrasts[contrast].to_string().into()));
                }
                row.push(("fold", fold.to_owned().into()));
                row.push(("n_voxels", n_voxels.into()));
                row.push(("category", levels[level].clone().into()));
                row.push(("n", n.into()));
                row.push(("mean", mean.into()));
                row.push(("reason", reason.into()));
                rows.push(row);
            };
            for (fold, t) in t.iter().enumerate() {
                let region = find(set, t, searched.layout.as_ref(), rule);
                let part = &plan.folds[fold];
                let line = format!(
                    "{name}: region {:?} has {} voxels of {} ({} NaN), part {part:?} held out",
                    set.name,
                    region.voxels.len(),
                    region.n_searched,
                    region.n_nan
                );
                if region.voxels.is_empty() {
                    job.warn(line)
                } else {
                    job.note(line)
                }
                for (level, (n, sum, why)) in sums.iter_mut().enumerate() {
                    let found = response(plan, betas, (level, fold), &region.voxels);
                    match found.2 {
                        None => (*n, *sum) = (*n + 1, *sum + found.1),
                        reason => *why = reason,
                    }
                    push(part, Some(region.voxels.len()), level, found);
                }
            }
            for (level, (n, sum, why)) in sums.into_iter().enumerate() {
                push(MEAN, None, level, (n, sum / n as f64, why.filter(|_| n == 0)));
            }
        }
    }
    Ok(rows)
}
