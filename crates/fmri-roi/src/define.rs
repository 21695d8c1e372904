//! `fmri-roi define`: a t map to regions, as a table and as a mask.

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use cli::{Common, Format, Input, Job, Named, Output, TableWriter};
use localizer::Top;

use crate::cluster::{Connectivity, clusters, peaks};
use crate::place::{Columns, place};
use crate::region::{Region, Rule, VoxelSet, find, parcels};
use brain_formats::Space;
use brain_formats::geometry::Geometry;
use brain_formats::maps::write_regions;
use voxel_inputs::{
    Map, map_name, read_label_names, read_labels, read_map, read_space, require_grid, require_n_columns,
    require_same_space,
};

const HELP: &str = "\
Steps, within each parcel:
  keep t greater than --t; keep clusters of at least --min-cluster voxels; keep the --top of what is
  left (P% is of the parcel's voxels that are not NaN, rounded down). NaN and infinite t are never
  kept. Without --t and --top the rule is t > 7.

Output, one row per voxel, regions in the order of the parcels, voxels by number:
  roi, voxel, i, j, k (place in the grid), x, y, z (mm), t
--summary, one row per region, empty ones too:
  roi, n_voxels, n_parcel (voxels searched), t_max, voxel, i, j, k, x, y, z (of the peak)
--peaks, one row per local maximum (of 26 neighbours; neighbouring voxels of equal t are one, at the
voxel with the smallest number), clusters numbered by their height:
  roi, cluster, n_voxels (of the cluster), voxel, i, j, k, x, y, z, t
Of a surface, structure and vertex stand in the place of i to z; of grayordinates (CIFTI) beside
them; of its parcels the column parcel does. i to z are empty for a .npy map without --like or
--parcels.
-o X.nii, .nii.gz, .mgh, .mgz, .gii or .dscalar.nii takes a mask (1 for the first region, 2 for the
second ...) and the table stays on stdout; any other -o takes the table.

Examples:
  fmri-roi define --stat t.nii.gz --t 5 --min-cluster 10 --name FFA -o ffa.nii.gz > ffa.csv
  fmri-roi define --stat t.nii.gz --parcels parcels.nii.gz --labels parcels.tsv --top 10%
  fmri-roi define --stat t.nii.gz --t 4 --peaks";

/// Options of `define`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Define {
    /// t map: NIfTI, MGH, GIFTI or CIFTI of one map, or a .npy of one row (- is stdin)
    #[arg(long, value_name = "MAP", default_value = "-")]
    stat: Input,
    /// Parcels to search in: whole numbers, above 0 is inside; label files and .annot name them
    #[arg(long, value_name = "IMAGE")]
    parcels: Option<Input>,
    /// Names of the parcels: a table with index and name (BIDS), or a .ctab; equal names make one region
    #[arg(long, value_name = "TABLE", requires = "parcels")]
    labels: Option<Input>,
    /// Name of the region [default: roi]; with --parcels, the parcels to use (may be given again)
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// Keep voxels with t greater than this [default: 7, when there is no --top]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = localizer::parse_threshold)]
    t: Option<f64>,
    /// Keep this many voxels with the highest t, or this percentage; ties by voxel number
    #[arg(long, value_name = "N|P%")]
    top: Option<Top>,
    /// Keep clusters of at least this many voxels above --t
    #[arg(long, value_name = "N", requires = "t")]
    min_cluster: Option<usize>,
    /// Neighbours share a face (6), also an edge (18), also a corner (26)
    #[arg(long, value_enum, value_name = "6|18|26", default_value = "6")]
    connectivity: Neighbours,
    /// One line per region instead: size and peak
    #[arg(long, conflicts_with = "peaks")]
    summary: bool,
    /// One line per peak instead: local maxima of every cluster
    #[arg(long)]
    peaks: bool,
    /// Peaks of one cluster are at least this far apart, in mm
    #[arg(long, value_name = "MM", default_value_t = 8.0)]
    peak_distance: f64,
    /// Image or surface whose geometry a .npy map has
    #[arg(long, value_name = "IMAGE")]
    like: Option<Input>,
    /// Format of the table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// Number of neighbours, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Neighbours {
    /// Faces
    #[value(name = "6")]
    Six,
    /// Faces and edges
    #[value(name = "18")]
    Eighteen,
    /// Faces, edges and corners
    #[value(name = "26")]
    TwentySix,
}

impl From<Neighbours> for Connectivity {
    fn from(neighbours: Neighbours) -> Self {
        match neighbours {
            Neighbours::Six => Connectivity::Faces,
            Neighbours::Eighteen => Connectivity::Edges,
            Neighbours::TwentySix => Connectivity::Corners,
        }
    }
}

/// The field's threshold, for voxels and units alike.
const DEFAULT_T: f64 = 7.0;

/// Runs the verb.
pub(crate) fn run(args: Define) -> Result<()> {
    let job = Job::start("fmri-roi", &args.common)?;
    let mask_name = args.common.output.as_deref().and_then(map_name);
    let mut mask_out = match mask_name {
        Some(_) => Some(job.binary_output(args.common.output.as_deref())?),
        None => None,
    };
    let table_out = match mask_name {
        Some(_) => job.text_output(None)?,
        None => job.text_output(args.common.output.as_deref())?,
    };

    let mut map = read_map(&job, &args.stat)?;
    let n_infinite = map.values.iter().filter(|t| t.is_infinite()).count();
    if n_infinite > 0 {
        job.warn(format!("{}: {n_infinite} of {} voxels are infinite; counted like NaN", args.stat, map.values.len()));
        map.values.iter_mut().filter(|t| t.is_infinite()).for_each(|t| *t = f64::NAN);
    }
    let spaces = search_spaces(&job, &args, &mut map)?;
    let Map { values: t, space } = map;
    let (cluster, peaks) = ((args.min_cluster.is_some(), "--min-cluster"), (args.peaks, "--peaks"));
    match &space {
        None => {
            if let Some((_, what)) = [cluster, peaks, (mask_out.is_some(), "a mask")].iter().find(|(asked, _)| *asked) {
                bail!(
                    "{}: a .npy map does not say where its voxels are, which {what} needs; give --like IMAGE",
                    args.stat
                );
            }
        }
        Some(space) => {
            if let Some((_, what)) = [cluster, peaks].iter().find(|(asked, _)| *asked) {
                require_grid(&args.stat.to_string(), space, what)?;
            }
            if let Some(refusal) = mask_name.and_then(|format| format.refusal(space)) {
                bail!("{}: {refusal}", args.stat);
            }
        }
    }
    let grid = space.as_ref().and_then(Space::grid);

    let default_t = args.top.is_none().then_some(DEFAULT_T);
    let rule = Rule {
        t: args.t.or(default_t),
        min_cluster: args.min_cluster,
        connectivity: args.connectivity.into(),
        top: args.top,
    };
    job.record("t_above", rule.t);
    let regions: Vec<Region> = spaces.iter().map(|space| find(space, &t, grid, &rule)).collect();

    if let (Some(format), Some(mut out), Some(space)) = (mask_name, mask_out.take(), &space) {
        let mut labels = vec![0u32; t.len()];
        for (number, region) in regions.iter().enumerate() {
            for &voxel in &region.voxels {
                labels[voxel] = number as u32 + 1;
            }
        }
        let names: Vec<&str> = regions.iter().map(|region| region.name.as_str()).collect();
        let named: Vec<(u32, &str)> = (1..).zip(names.iter().copied()).collect();
        write_regions(&mut out, format, &labels, &named, space)?;
        job.record("regions", names);
        out.commit(&job)?;
    }
    let table = if args.summary {
        write_summary(table_out, &args, &regions, &t, space.as_ref())?
    } else if let (true, Some(grid)) = (args.peaks, grid) {
        write_peaks(table_out, &args, &regions, &t, grid)?
    } else {
        write_voxels(table_out, &args, &regions, &t, space.as_ref())?
    };
    table.commit(&job)?;
    report(&job, &args, &spaces, &regions, &t);
    Ok(())
}

/// The parcels that are asked for, or all voxels; makes sure that everything is on one grid, and gives a `.npy` map the
/// grid of the image that it is used with.
fn search_spaces(job: &Job, args: &Define, map: &mut Map) -> Result<Vec<VoxelSet>> {
    let stat = args.stat.to_string();
    if let Some(like) = &args.like {
        adopt_space(map, &stat, &like.to_string(), read_space(job, like)?)?;
    }
    let Some(input) = &args.parcels else {
        let name = match args.name.as_slice() {
            [] => "roi".to_string(),
            [one] => one.clone(),
            several => bail!("{} names for the one region; several regions need --parcels", several.len()),
        };
        return Ok(vec![VoxelSet { name, voxels: (0..map.values.len()).collect() }]);
    };
    let labels = read_labels(job, input)?;
    match labels.space {
        Some(space) => adopt_space(map, &stat, &input.to_string(), space)?,
        None if labels.labels.len() != map.values.len() => {
            bail!("{input}: {} voxels, but {stat} has {}", labels.labels.len(), map.values.len())
        }
        None => {}
    }
    let names = args.labels.as_ref().map(|table| read_label_names(job, table)).transpose()?;
    let names = names.or(labels.names);
    let spaces = parcels(&labels.labels, names.as_deref()).with_context(|| input.to_string())?;
    choose(spaces, &args.name, &input.to_string())
}

fn adopt_space(map: &mut Map, stat: &str, other: &str, space: Space) -> Result<()> {
    match &map.space {
        Some(mine) => require_same_space((stat, mine), (other, &space)),
        None => {
            require_n_columns((stat, map.values.len()), (other, &space))?;
            map.space = Some(space);
            Ok(())
        }
    }
}

/// The sets of these names, in the order of the names; all of them without names.
pub(crate) fn choose(sets: Vec<VoxelSet>, names: &[String], source: &str) -> Result<Vec<VoxelSet>> {
    if names.is_empty() {
        return Ok(sets);
    }
    if let Some(missing) = names.iter().find(|name| !sets.iter().any(|set| set.name == **name)) {
        let have: Vec<&str> = sets.iter().map(|set| set.name.as_str()).collect();
        bail!("{source}: no region {missing:?}; the {} regions are {}", have.len(), have.join(", "));
    }
    let asked = |set: &VoxelSet| names.iter().position(|name| *name == set.name);
    let mut chosen: Vec<VoxelSet> = sets.into_iter().filter(|set| asked(set).is_some()).collect();
    chosen.sort_by_key(asked);
    Ok(chosen)
}

fn write_voxels(out: Output, args: &Define, regions: &[Region], t: &[f64], space: Option<&Space>) -> Result<Output> {
    let columns: Vec<&str> = ["roi"].into_iter().chain(Columns::of(space).names()).chain(["t"]).collect();
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for region in regions {
        for &voxel in &region.voxels {
            let mut cells: Vec<Named> = vec![("roi", (&region.name).into())];
            cells.extend(place(Some(voxel), space));
            cells.push(("t", t[voxel].into()));
            table.record(&cells)?;
        }
    }
    Ok(table.into_inner())
}

fn write_summary(out: Output, args: &Define, regions: &[Region], t: &[f64], space: Option<&Space>) -> Result<Output> {
    let columns = ["roi", "n_voxels", "n_parcel", "t_max"].into_iter().chain(Columns::of(space).names());
    let mut table = TableWriter::new(out, args.format, &columns.collect::<Vec<_>>())?;
    for region in regions {
        let peak = region.peak(t);
        let mut cells: Vec<Named> = vec![
            ("roi", (&region.name).into()),
            ("n_voxels", region.voxels.len().into()),
            ("n_parcel", region.n_searched.into()),
            ("t_max", peak.map_or(f64::NAN, |voxel| t[voxel]).into()),
        ];
        cells.extend(place(peak, space));
        table.record(&cells)?;
    }
    Ok(table.into_inner())
}

fn write_peaks(out: Output, args: &Define, regions: &[Region], t: &[f64], grid: &Geometry) -> Result<Output> {
    let columns = ["roi", "cluster", "n_voxels", "voxel", "i", "j", "k", "x", "y", "z", "t"];
    let space = Space::Grid(grid.clone());
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for region in regions {
        let mut found: Vec<(Vec<usize>, usize)> = clusters(&region.voxels, grid, args.connectivity.into())
            .into_iter()
            .map(|members| (peaks(&members, t, grid, args.peak_distance), members.len()))
            .collect();
        // Highest peak first, as one reads such a table; equal ones in order of their place.
        found.sort_by(|(a, _), (b, _)| t[b[0]].total_cmp(&t[a[0]]).then(a[0].cmp(&b[0])));
        for (number, (peaks, n_voxels)) in found.iter().enumerate() {
            for &peak in peaks {
                let mut cells: Vec<Named> = vec![
                    ("roi", (&region.name).into()),
                    ("cluster", (number + 1).into()),
                    ("n_voxels", (*n_voxels).into()),
                ];
                cells.extend(place(Some(peak), Some(&space)));
                cells.push(("t", t[peak].into()));
                table.record(&cells)?;
            }
        }
    }
    Ok(table.into_inner())
}

/// Says what was found; an empty region is never silent.
fn report(job: &Job, args: &Define, spaces: &[VoxelSet], regions: &[Region], t: &[f64]) {
    for (space, region) in spaces.iter().zip(regions) {
        let (n, searched) = (region.voxels.len(), format!("{} ({} NaN)", region.n_searched, region.n_nan));
        let highest = space.voxels.iter().map(|&voxel| t[voxel]).filter(|t| !t.is_nan()).max_by(f64::total_cmp);
        let highest = highest.map_or(String::new(), |t| format!(", largest t {t:.3}"));
        let line = format!("{}: region {:?} has {n} voxels of {searched}{highest}", args.stat, region.name);
        if n == 0 { job.warn(line) } else { job.note(line) }
    }
}
