//! `fmri-roi contrast`: betas and contrasts, or several maps, to t maps.

mod group;
mod t_map;
mod voxel_table;

use anyhow::{Result, anyhow, bail};
use array_inputs::{Called, JoinArgs, Next, called_apart, tell_names_apart};
use brain_formats::Space;
use brain_formats::maps::MapFormat;
use cli::{Common, Format, Input, Job};
use localizer::Correction;
use localizer_run::{CrossValidation, LocalizerArgs, Measured, Plan};
use npy_stream::Dtype;
use voxel_inputs::{Given, Volumes, map_name, open_all, placed, read_space, require_n_columns, require_same_space};

use group::{GroupArgs, Wanted};
use t_map::{ArrayMaps, TMap, require_format, write_image, write_matrices};
use voxel_table::VoxelTable;

const HELP: &str = "\
Input:
  Betas, as .npy streams or images (NIfTI, MGH, GIFTI, CIFTI, HDF5). A .npy file is joined with the table
  by id, in any order and with repeats: the table has one row per stimulus, or one per presentation
  in the order of each id's rows. A pipe brings its ids after the rows, so its rows must stand in the
  order of the table.
  The volumes of images, one image after the other, carry no ids: row i of the table is volume i,
  which you confirm with --assume-order.
  With --one-sample, --two-sample or --paired, the maps of several subjects: images, volumes, or
  rows of .npy streams. --subjects names them in its column map (file names, or ids of rows), or row
  i is map i (--assume-order), and holds groups, pairs and covariates.

Contrasts, --versus, --test, --by-category, --correct and --cv are those of select-units and give
the same numbers. Without --contrast, every category of the column is tested against the rest.

Output:
  .npy input: a matrix for each matrix, with a row labelled \"t\"; of several contrasts a row each,
  labelled by the contrast; with --cv a row for each part that is held out, of the t on all others.
  Images: an f4 image with these rows as volumes (intent t with its df where that is one number), in
  the format that -o names: .nii, .nii.gz, .mgh, .mgz; .func.gii or .mgz of a surface, .dscalar.nii of
  grayordinates. Without -o it goes to stdout as .nii (GIFTI of a surface). A voxel that is constant,
  or has a value that is not finite, has t NaN; stderr counts them.
  --table, one row per voxel:
    array, voxel            name of the matrix or image; number of the voxel
    i, j, k, x, y, z        of images; of a surface structure and vertex; of grayordinates all of them
    contrast, fold          (several contrasts; --cv) the contrast; the part held out
    n                       rows that the test rests on (categories, with --by-category)
    mean_preferred, mean_rest  mean response to the preferred rows and to the others
    t, df, p, neg_log10_p   one-sided test of preferred > others
    q                       p adjusted over the voxels (--correct), else empty
    dprime, selectivity_index
    reason                  why there are no numbers: constant, nan_input
    n_test ... reason_test  (--cv) the same measures on the part held out
    voxel_name              name of the voxel, where those of an array have names
  --table of maps of subjects: array, voxel, i to z (as above), n (maps, or pairs), estimate (mean or difference), se,
    t, df, p (of --tail), neg_log10_p, q, reason, voxel_name as above; with --permutations also
    cluster_mass, cluster_extent or tfce, cluster (its number), cluster_t and connectivity (what a
    cluster is: 6, 18, 26, or mesh), p_corrected

Permutations: signs of maps (one-sample, of pairs), or exchanges of maps between groups; with
covariates of residuals (Freedman and Lane). p_corrected is (1 + b) / (1 + N), b of N relabellings
having a largest statistic of at least this one; b / N where N are all there are. TFCE has E 0.5, H 2
and no steps. On surfaces neighbours share an edge of --surface, and extent is a number of vertices.

Examples:
  fmri-roi contrast --stimuli floc.csv --by domain --contrast 'faces > rest' betas.npy > t.npy
  fmri-roi contrast --stimuli trials.csv --by domain --contrast 'faces > bodies,places' \\
      --assume-order betas.nii.gz -o t.nii.gz
  fmri-roi contrast --one-sample --permutations 5000 --statistic tfce --table group.csv \\
      sub-*_face_con.nii.gz -o t.nii.gz";

/// Options of `contrast`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = HELP,
    mut_arg("stimuli", |arg| arg.required(false).required_unless_present_any(["one_sample", "two_sample", "paired"])),
    mut_arg("by", |arg| arg.required(false).required_unless_present_any(["one_sample", "two_sample", "paired"]))
)]
pub(crate) struct Contrast {
    /// Betas, or with --one-sample one contrast map per subject (- is stdin)
    #[arg(value_name = "FILE", default_value = "-")]
    inputs: Vec<Input>,
    #[command(flatten)]
    localizer: Option<LocalizerArgs>,
    #[command(flatten)]
    join: JoinArgs,
    /// Test on all parts of the rows but one, and measure on that one (for --table): odd-even, k=5, or a column
    #[arg(long, value_name = "odd-even|k=N|COLUMN")]
    cv: Option<CrossValidation>,
    #[command(flatten)]
    group: GroupArgs,
    /// Image or surface whose geometry a .npy or HDF5 t map takes when -o names such a file
    #[arg(long, value_name = "IMAGE")]
    like: Option<Input>,
    /// Also write a table of all voxels
    #[arg(long, value_name = "FILE")]
    table: Option<cli::OutputPath>,
    /// Adjust p over the voxels for that table: bh, by (false discovery rate), bonferroni, none
    #[arg(long, visible_alias = "fdr", value_name = "METHOD", requires = "table")]
    correct: Option<Correction>,
    /// Format of that table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Element type of a .npy t map: f4, or f8 (default: f8 when the betas are)
    #[arg(long)]
    dtype: Option<Dtype>,
    #[command(flatten)]
    common: Common,
}

/// Runs the verb.
pub(crate) fn run(args: Contrast) -> Result<()> {
    let job = Job::start("fmri-roi", &args.common)?;
    let out = job.binary_output(args.common.output.as_deref())?;
    let like = args.like.as_ref().map(|input| read_space(&job, input)).transpose()?;
    let named = args.common.output.as_deref().and_then(map_name);
    if named.is_some() && args.dtype.is_some_and(|dtype| dtype != Dtype::F4) {
        bail!("--dtype: images are written as f4; name a .npy file");
    }

    let (arrays, space) = match &args.localizer {
        Some(localizer) => localize(&job, &args, localizer, named, args.like.as_ref().zip(like.as_ref()))?,
        None => {
            let table = args.table.as_deref().map(|path| job.text_output(Some(path))).transpose()?;
            let wanted = Wanted {
                inputs: &args.inputs,
                join: args.join,
                like: args.like.as_ref().zip(like.as_ref()),
                table,
                format: args.format,
                correction: args.correct,
                image: named,
            };
            let (array, space) = group::run(&job, &args.group, wanted)?;
            (vec![array], space)
        }
    };
    if let (Some(input), Some(like)) = (&args.like, &like) {
        match &space {
            Some(space) => require_same_space((&args.inputs[0].to_string(), space), (&input.to_string(), like))?,
            None => require_n_columns((&arrays[0].name, arrays[0].n_voxels()), (&input.to_string(), like))?,
        }
    }
    let format = match &args.common.output {
        Some(_) => named,
        None => space.as_ref().map(MapFormat::of_space),
    };
    match format {
        Some(format) => write_image(&job, out, &arrays, space.or(like).as_ref(), format)?,
        None => write_matrices(&job, out, &arrays, args.dtype)?,
    }
    arrays.iter().for_each(|array| array.warn(&job));
    Ok(())
}

/// Rows of one kind against rows of another: t maps of every array, and their table where one was asked for.
fn localize(
    job: &Job,
    args: &Contrast,
    localizer: &LocalizerArgs,
    format: Option<MapFormat>,
    like: Option<(&Input, &Space)>,
) -> Result<(Vec<ArrayMaps>, Option<Space>)> {
    let plan = localizer.plan(job, args.join, args.cv.as_ref(), args.correct, None)?;
    let table = args.table.as_deref().map(|path| job.text_output(Some(path))).transpose()?;
    let mut measured: Vec<(String, Measured, bool)> = Vec::new();
    let space = match open_all(job, &args.inputs)? {
        Given::Volumes(volumes) => {
            let like = like.map(|(input, space)| (input.to_string(), space));
            let like = like.as_ref().map(|(name, space)| (name.as_str(), *space));
            let space = placed((volumes.source(), volumes.space()), like)?;
            require_format(format, volumes.source(), space.as_ref().unwrap_or(volumes.space()))?;
            measured.push(measure_volumes(&plan, args.join, volumes)?);
            space
        }
        Given::Arrays(arrays) => {
            let (mut called, mut sources) = (Vec::new(), Vec::new());
            arrays.each(|Next { input, position, source, array }| {
                let double = array.kind().is_double();
                let array = plan.measure(job, &source, array)?;
                called.push(Called::new(input, position, array.name()));
                measured.push((String::new(), array, double));
                sources.push(source);
                Ok(())
            })?;
            let mut names = called_apart(&called);
            measured.iter_mut().zip(&names).for_each(|(array, name)| array.0.clone_from(name));
            if args.table.is_some() {
                // In a table the name is all that tells two people's voxels apart.
                let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
                tell_names_apart(&mut names, &sources).map_err(|_| {
                    anyhow!("--table: two of {} arrays have one name; run them one by one", names.len())
                })?;
                measured.iter_mut().zip(names).for_each(|(array, name)| array.0 = name);
            }
            None
        }
    };
    let has_names = measured.iter().any(|(_, array, _)| array.unit_names().is_some());
    let mut table = table.map(|out| VoxelTable::new(out, args.format, &plan, space.as_ref(), has_names)).transpose()?;
    let mut arrays = Vec::with_capacity(measured.len());
    for (name, measured, double) in measured {
        let mut maps = Vec::new();
        for question in 0..plan.questions().len() {
            let (tests, held_out) = measured.tests(&plan, question)?;
            if let Some(table) = &mut table {
                table.write((&name, measured.unit_names()), question, &tests, held_out.as_ref())?;
            }
            maps.push(TMap::of(&plan, question, &tests));
        }
        arrays.push(ArrayMaps { name, maps, double, labels: measured.labels().clone() });
    }
    if let Some(table) = table {
        table.commit(job)?;
    }
    Ok((arrays, space))
}

/// The volumes of images: volume i is row i of the table.
pub(crate) fn measure_volumes(
    plan: &Plan,
    join: JoinArgs,
    mut volumes: Volumes<'_>,
) -> Result<(String, Measured, bool)> {
    let (n_rows, table) = (plan.n_rows(), plan.table_name());
    let of = format!("{table} has {n_rows} rows; one row per volume");
    let source = volumes.source().to_owned();
    volumes.require(n_rows, &of)?;
    if !join.assume_order {
        bail!(
            "{source}: {} volumes without ids; say --assume-order if volume i is row i of {table}",
            volumes.n_volumes()
        );
    }
    let measured = plan.measure_rows(&source, |voxels| {
        let more = volumes.next_volume(voxels)?;
        if more {
            volumes.require(n_rows, &of)?
        } else {
            volumes.require_all(n_rows, &of)?
        }
        Ok(more)
    })?;
    Ok((source, measured, volumes.is_double()))
}
