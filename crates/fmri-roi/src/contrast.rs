//! `fmri-roi contrast`: betas and a contrast, or several maps, to a t map.

use anyhow::{Context, Result, bail};
use array_inputs::{read_levels, read_table};
use cli::{Cell, Input, Job, Output, TableWriter};
use localizer::{CategoryMoments, Contrast, Groups, Question, TTest, UnitTests};
use ndarray::{ArrayView2, aview1};
use npy_stream::{Block, Dtype, Incoming, NpyReader, RowWriter};
use statistics::Reason;
use stimulus_table::{StimulusTable, Table, TableJoin};

use crate::args::ContrastArgs;
use nifti_volume::geometry::Geometry;
use nifti_volume::volume_writer::{Intent, Voxels, write_volume};
use voxel_inputs::{Numbers, Volumes, nifti_name, open_all, read_geometry, require_n_voxels, require_same_grid};

/// Values read at a time: a few MiB, so that a block stays near the cache and is still long.
const BLOCK_VALUES: usize = 1 << 20;

/// A t per voxel and what is known of it.
struct TMap {
    name: String,
    t: Vec<f64>,
    /// The same everywhere, or none.
    df: Option<f64>,
    n_constant: usize,
    n_nan: usize,
    double: bool,
}

/// Runs the verb.
pub fn run(args: ContrastArgs) -> Result<()> {
    let mut job = Job::start("fmri-roi", &args.common)?;
    if args.table.is_some() {
        job = job.with_provenance();
    }
    let out = job.binary_output(args.common.output.as_deref())?;
    let like = args.like.as_ref().map(|input| read_geometry(&job, input)).transpose()?;

    let (maps, grid) = if args.one_sample { one_sample(&job, &args)? } else { two_sample(&job, &args)? };
    if let (Some(input), Some(like)) = (&args.like, &like) {
        match &grid {
            Some(grid) => require_same_grid((&args.inputs[0].to_string(), grid), (&input.to_string(), like))?,
            None => require_n_voxels((&maps[0].name, maps[0].t.len()), (&input.to_string(), like))?,
        }
    }
    let gzip = match &args.common.output {
        Some(path) => nifti_name(path),
        None if grid.is_some() => Some(false),
        None => None,
    };
    match gzip {
        Some(gzip) => write_image(&job, out, &maps, grid.or(like).as_ref(), gzip)?,
        None => write_matrices(&job, out, &maps, args.dtype)?,
    }
    for map in &maps {
        let counts = [(map.n_constant, Reason::Constant), (map.n_nan, Reason::NanInput)];
        let why: Vec<String> =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, reason)| format!("{n} {reason}")).collect();
        if !why.is_empty() {
            let n = map.n_constant + map.n_nan;
            job.warn(format!("{}: {n} of {} voxels have no t: {}", map.name, map.t.len(), why.join(", ")));
        }
    }
    Ok(())
}

// One sample: the mean of a contrast over subjects against 0.

fn one_sample(job: &Job, args: &ContrastArgs) -> Result<(Vec<TMap>, Option<Geometry>)> {
    let mut moments = LazyMoments::new(1);
    let mut double = false;
    let (name, grid) = match open_all(job, &args.inputs)? {
        Numbers::Volumes(mut volumes) => {
            let mut voxels = Vec::new();
            while volumes.next_volume(&mut voxels)? {
                moments.add(as_row(&voxels)?, &[Some(0)]).with_context(|| volumes.source().to_owned())?;
            }
            double |= volumes.is_double();
            (volumes.source().to_owned(), Some(volumes.geometry().clone()))
        }
        Numbers::Streams(mut streams) => {
            let progress = job.progress(args.inputs.len(), "files");
            while let Some((input, mut reader)) = streams.next_stream()? {
                let name = input.to_string();
                while let Some(mut array) = reader.next_array().with_context(|| name.clone())? {
                    double |= array.kind().is_double();
                    stream(&mut array, &mut moments, |_| Some(0)).with_context(|| name.clone())?;
                    array.finish().with_context(|| name.clone())?;
                }
                progress.advance(1);
            }
            (streams.source(), None)
        }
    };
    let sums = moments.sums.filter(|sums| sums.count(0) >= 2);
    let Some(sums) = sums else {
        bail!("{name}: fewer than 2 maps; a one-sample t needs at least 2");
    };
    let n = sums.count(0);
    let df = (n - 1) as f64;
    job.record("test", "one-sample t");
    job.record("n", n);
    job.record("df", df);
    let reasons: Vec<Option<Reason>> = (0..sums.n_units()).map(|voxel| sums.reason(voxel)).collect();
    let t = (0..sums.n_units())
        .map(|voxel| match reasons[voxel] {
            Some(_) => f64::NAN,
            None => {
                let moments = sums.moments(0, voxel);
                moments.mean / (moments.variance() / n as f64).sqrt()
            }
        })
        .collect();
    let count = |reason| reasons.iter().filter(|&&found| found == Some(reason)).count();
    let (n_constant, n_nan) = (count(Reason::Constant), count(Reason::NanInput));
    job.note(format!("{name}: one-sample t over {n} maps, df {df}"));
    let map = TMap { name, t, df: Some(df), n_constant, n_nan, double };
    Ok((vec![map], grid))
}

// Two samples: rows of one kind against rows of another.

fn two_sample(job: &Job, args: &ContrastArgs) -> Result<(Vec<TMap>, Option<Geometry>)> {
    let (Some(stimuli), Some(by), Some(contrast)) = (&args.stimuli, &args.by, &args.contrast) else {
        bail!("--stimuli, --by and --contrast are needed (or --one-sample)");
    };
    let table = read_table(job, stimuli)?;
    // Everything the table can be wrong about is found before betas are read.
    let column = read_levels(job, &table, &stimuli.to_string(), by)?;
    let groups = contrast.resolve(&column, args.versus).with_context(|| format!("{stimuli}: column {by:?}"))?;
    let design = Design { job, args, contrast, table_name: stimuli.to_string(), groups };
    job.record("contrast", contrast.to_string());
    job.record("test", format!("two-sample t, {}, {}", args.test.as_str(), args.versus));
    let mut lines = match &args.table {
        Some(path) => Some(TableWriter::new(job.text_output(Some(path))?, args.format, &COLUMNS)?),
        None => None,
    };
    let (tests, grid) = match open_all(job, &args.inputs)? {
        Numbers::Volumes(volumes) => {
            let grid = volumes.geometry().clone();
            (vec![design.volumes(volumes)?], Some(grid))
        }
        Numbers::Streams(mut streams) => {
            let mut tests = Vec::new();
            while let Some((input, reader)) = streams.next_stream()? {
                tests.extend(design.matrices(input, reader, &table)?);
            }
            (tests, None)
        }
    };
    let mut maps = Vec::with_capacity(tests.len());
    for (name, tests, double) in tests {
        if let Some(lines) = &mut lines {
            write_lines(lines, &name, &tests)?;
        }
        maps.push(t_map(name, &tests, args.test, double));
    }
    if let Some(lines) = lines {
        lines.into_inner().commit(job)?;
    }
    Ok((maps, grid))
}

type NamedTests = (String, UnitTests, bool);

/// The contrast met with its table.
struct Design<'a> {
    job: &'a Job,
    args: &'a ContrastArgs,
    contrast: &'a Contrast,
    table_name: String,
    /// Group of each row of the table.
    groups: Groups,
}

impl Design<'_> {
    /// Images: volume i is row i of the table.
    fn volumes(&self, mut volumes: Volumes<'_>) -> Result<NamedTests> {
        let n_rows = self.groups.group_of_row.len();
        let of = format!("{} has {n_rows} rows; one row per volume", self.table_name);
        let source = volumes.source().to_owned();
        volumes.require(n_rows, &of)?;
        if !self.args.join.assume_order {
            bail!(
                "{source}: {} volumes without ids; say --assume-order if volume i is row i of {}",
                volumes.n_volumes(),
                self.table_name
            );
        }
        let mut moments = LazyMoments::new(self.groups.names.len());
        let mut voxels = Vec::new();
        let mut groups = self.groups.group_of_row.iter();
        while volumes.next_volume(&mut voxels)? {
            volumes.require(n_rows, &of)?;
            let group = groups.next().copied().flatten();
            moments.add(as_row(&voxels)?, &[group]).with_context(|| source.clone())?;
        }
        volumes.require_all(n_rows, &of)?;
        Ok((source.clone(), self.test(&source, moments)?, volumes.is_double()))
    }

    /// Every matrix of a stream, joined with the table by id.
    fn matrices(&self, input: &Input, mut reader: NpyReader, table: &Table) -> Result<Vec<NamedTests>> {
        let name = input.to_string();
        let can_look_ahead = reader.can_look_ahead();
        let options = self.args.join.options();
        let mut stimuli: Option<StimulusTable> = None;
        let mut tests = Vec::new();
        while let Some(mut array) = reader.next_array().with_context(|| name.clone())? {
            let (n_rows, _) = array.matrix_shape().with_context(|| name.clone())?;
            let double = array.kind().is_double();
            let labels = array.labels_ahead().with_context(|| name.clone())?.flatten();
            let mut moments = LazyMoments::new(self.groups.names.len());
            if can_look_ahead && labels.is_none() && self.args.join.assume_order {
                // Trials without ids: the table is one of trials, its ids may repeat and are not asked.
                if n_rows != self.groups.group_of_row.len() {
                    bail!("{name}: {n_rows} rows, but {} has {}", self.table_name, self.groups.group_of_row.len());
                }
                self.job.note(format!(
                    "joined {name} and {} by position ({n_rows} rows) because of --assume-order",
                    self.table_name
                ));
                stream(&mut array, &mut moments, |row| self.groups.group_of_row[row]).with_context(|| name.clone())?;
                array.finish().with_context(|| name.clone())?;
            } else {
                let stimuli = match &mut stimuli {
                    Some(stimuli) => stimuli,
                    none => {
                        none.insert(StimulusTable::from_table(table.clone()).with_context(|| self.table_name.clone())?)
                    }
                };
                let side = (self.table_name.as_str(), &*stimuli);
                let mut joined = match &labels {
                    Some(labels) => TableJoin::labelled(&name, labels, side, options)?,
                    None if !can_look_ahead && n_rows != stimuli.len() && !self.args.join.assume_order => bail!(
                        "{name}: {n_rows} rows, but {} has {} stimuli; labels of a pipe come behind its rows, so give repeated trials as a file",
                        self.table_name,
                        stimuli.len()
                    ),
                    None => TableJoin::by_position(&name, n_rows, side, !can_look_ahead, options)?,
                };
                stream(&mut array, &mut moments, |row| joined.rows[row].and_then(|row| self.groups.group_of_row[row]))
                    .with_context(|| name.clone())?;
                let behind = array.finish().with_context(|| name.clone())?;
                joined.check(&name, behind.as_deref(), side, options)?;
                if let Some(message) = &joined.message {
                    self.job.note(message);
                }
            }
            let array_name = input.array_name(tests.len());
            tests.push((array_name, self.test(&name, moments)?, double));
        }
        if tests.is_empty() {
            return Err(npy_stream::NpyError::Empty).with_context(|| name);
        }
        Ok(tests)
    }

    fn test(&self, input: &str, moments: LazyMoments) -> Result<UnitTests> {
        let Some(sums) = moments.sums else { bail!("{input}: 0 rows; a t test needs at least 2 on each side") };
        let context = || format!("{input}: contrast \"{}\"", self.contrast);
        let question = Question::of_groups(&self.groups);
        UnitTests::compute(sums.into(), question, self.args.test, self.args.correct).with_context(context)
    }
}

/// Moments that take their memory when the first rows are there: a header alone is not believed.
struct LazyMoments {
    n_groups: usize,
    sums: Option<CategoryMoments>,
}

impl LazyMoments {
    fn new(n_groups: usize) -> Self {
        LazyMoments { n_groups, sums: None }
    }

    fn add<T>(&mut self, rows: ArrayView2<'_, T>, groups: &[Option<usize>]) -> Result<()>
    where
        T: Copy + Into<f64> + Send + Sync,
    {
        let new = || CategoryMoments::new(self.n_groups, rows.ncols());
        self.sums.get_or_insert_with(new).add_rows(rows, groups)?;
        Ok(())
    }
}

fn t_map(name: String, tests: &UnitTests, test: TTest, double: bool) -> TMap {
    let t = tests.t().to_vec();
    let n_nan = tests.n_unusable().nan_input;
    // A voxel without t that met no NaN is flat, altogether or within the comparison that decides.
    let n_constant = t.iter().filter(|t| t.is_nan()).count() - n_nan;
    TMap { name, t, df: common_df(tests, test), n_constant, n_nan, double }
}

/// Degrees of freedom, when they are the same for every voxel: Student's test against samples of one size.
fn common_df(tests: &UnitTests, test: TTest) -> Option<f64> {
    if test == TTest::Welch {
        return None;
    }
    tests.question().student_df(tests.moments())
}

const COLUMNS: [&str; 13] = [
    "array",
    "voxel",
    "n",
    "mean_preferred",
    "mean_rest",
    "t",
    "df",
    "p",
    "neg_log10_p",
    "q",
    "dprime",
    "selectivity_index",
    "reason",
];

fn write_lines(lines: &mut TableWriter<Output>, name: &str, tests: &UnitTests) -> Result<()> {
    for voxel in 0..tests.n_units() {
        let row = tests.row(voxel);
        lines.row(&[
            name.into(),
            voxel.into(),
            (row.n_preferred + row.n_rest).into(),
            row.mean_preferred.into(),
            row.mean_rest.into(),
            row.t.into(),
            row.df.into(),
            row.p.into(),
            row.neg_log10_p.into(),
            tests.ln_q().map(|_| row.q).into(),
            row.dprime.into(),
            row.selectivity_index.into(),
            row.reason.map_or(Cell::Empty, |reason| reason.as_str().into()),
        ])?;
    }
    Ok(())
}

fn as_row(voxels: &[f64]) -> Result<ArrayView2<'_, f64>> {
    Ok(aview1(voxels).into_shape_with_order((1, voxels.len()))?)
}

/// Adds all rows of a matrix, a block at a time.
fn stream(array: &mut Incoming<'_>, moments: &mut LazyMoments, group: impl Fn(usize) -> Option<usize>) -> Result<()> {
    let (_, n_voxels) = array.matrix_shape()?;
    let n_block = (BLOCK_VALUES / n_voxels.max(1)).max(16);
    let mut row = 0;
    while let Some(block) = array.next_rows(n_block)? {
        let groups: Vec<Option<usize>> = (row..row + block.n_rows()).map(&group).collect();
        row += groups.len();
        match block {
            Block::F4(values) => moments.add(values, &groups)?,
            Block::F8(values) => moments.add(values, &groups)?,
        }
    }
    Ok(())
}

fn write_image(job: &Job, mut out: Output, maps: &[TMap], grid: Option<&Geometry>, gzip: bool) -> Result<()> {
    let [map] = maps else {
        bail!("{} t maps do not fit one image; name a .npy file, or run them one by one", maps.len());
    };
    let Some(grid) = grid else {
        bail!("{}: a .npy map has no geometry; give --like IMAGE, or name a .npy file", map.name);
    };
    let t: Vec<f32> = map.t.iter().map(|&t| t as f32).collect();
    let intent = map.df.map_or(Intent::None, |df| Intent::T { df });
    write_volume(&mut out, Voxels::F4(&t), grid, intent, gzip)?;
    out.commit(job)
}

fn write_matrices(job: &Job, mut out: Output, maps: &[TMap], dtype: Option<Dtype>) -> Result<()> {
    for map in maps {
        let dtype = dtype.unwrap_or(if map.double { Dtype::F8 } else { Dtype::F4 });
        let mut rows = RowWriter::new(&mut out, 1, map.t.len(), dtype)?;
        rows.write_rows(as_row(&map.t)?)?;
        rows.finish(Some(&["t".to_string()]))?;
    }
    out.commit(job)
}
