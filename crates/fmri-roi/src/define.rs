//! `fmri-roi define`: a t map to regions, as a table and as a mask.

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use cli::{Cell, Common, Format, Input, Job, Named, Output, TableWriter};
use localizer::Top;

use crate::cluster::{Connectivity, clusters, peaks};
use crate::region::{Region, Rule, VoxelSet, find, parcels};
use brain_formats::geometry::Geometry;
use brain_formats::volume_writer::{Intent, Voxels, write_volume};
use voxel_inputs::{
    Map, nifti_name, read_geometry, read_label_names, read_labels, read_map, require_n_voxels, require_same_grid,
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
-o X.nii or X.nii.gz takes a mask (1 for the first region, 2 for the second ...) and the table stays
on stdout; any other -o takes the table. i to z are empty for a .npy map without --like or --parcels.

Examples:
  fmri-roi define --stat t.nii.gz --t 5 --min-cluster 10 --name FFA -o ffa.nii.gz > ffa.csv
  fmri-roi define --stat t.nii.gz --parcels parcels.nii.gz --labels parcels.tsv --top 10%
  fmri-roi define --stat t.nii.gz --t 4 --peaks";

/// Options of `define`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Define {
    /// t map: NIfTI, or a .npy of one row (- is stdin)
    #[arg(long, value_name = "MAP", default_value = "-")]
    stat: Input,
    /// Image of parcels to search in: whole numbers, above 0 is inside
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
    /// Image whose geometry a .npy map has
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

impl Neighbours {
    /// How many neighbours a voxel has.
    pub fn n(self) -> usize {
        Connectivity::from(self).n_neighbours()
    }
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
    let mask_name = args.common.output.as_deref().and_then(nifti_name);
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
    let Map { values: t, geometry } = map;
    if geometry.is_none() {
        let needs =
            [(args.min_cluster.is_some(), "--min-cluster"), (args.peaks, "--peaks"), (mask_out.is_some(), "a mask")];
        if let Some((_, what)) = needs.iter().find(|(asked, _)| *asked) {
            bail!("{}: a .npy map does not say where its voxels are, which {what} needs; give --like IMAGE", args.stat);
        }
    }

    let default_t = args.top.is_none().then_some(DEFAULT_T);
    let rule = Rule {
        t: args.t.or(default_t),
        min_cluster: args.min_cluster,
        connectivity: args.connectivity.into(),
        top: args.top,
    };
    job.record("t_above", rule.t);
    let regions: Vec<Region> = spaces.iter().map(|space| find(space, &t, geometry.as_ref(), &rule)).collect();

    if let (Some(gzip), Some(mut out), Some(grid)) = (mask_name, mask_out.take(), &geometry) {
        let mut labels = vec![0u32; t.len()];
        for (number, region) in regions.iter().enumerate() {
            for &voxel in &region.voxels {
                labels[voxel] = number as u32 + 1;
            }
        }
        write_volume(&mut out, Voxels::Labels(&labels), grid, Intent::Label, gzip)?;
        let names: Vec<&str> = regions.iter().map(|region| region.name.as_str()).collect();
        job.record("regions", names);
        out.commit(&job)?;
    }
    let table = if args.summary {
        write_summary(table_out, &args, &regions, &t, geometry.as_ref())?
    } else if let (true, Some(grid)) = (args.peaks, &geometry) {
        write_peaks(table_out, &args, &regions, &t, grid)?
    } else {
        write_voxels(table_out, &args, &regions, &t, geometry.as_ref())?
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
        adopt_grid(map, &stat, &like.to_string(), read_geometry(job, like)?)?;
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
    match labels.geometry {
        Some(grid) => adopt_grid(map, &stat, &input.to_string(), grid)?,
        None if labels.labels.len() != map.values.len() => {
            bail!("{input}: {} voxels, but {stat} has {}", labels.labels.len(), map.values.len())
        }
        None => {}
    }
    let names = args.labels.as_ref().map(|table| read_label_names(job, table)).transpose()?;
    let spaces = parcels(&labels.labels, names.as_deref()).with_context(|| input.to_string())?;
    choose(spaces, &args.name, &input.to_string())
}

fn adopt_grid(map: &mut Map, stat: &str, other: &str, grid: Geometry) -> Result<()> {
    match &map.geometry {
        Some(mine) => require_same_grid((stat, mine), (other, &grid)),
        None => {
            require_n_voxels((stat, map.values.len()), (other, &grid))?;
            map.geometry = Some(grid);
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

const PLACE: [&str; 7] = ["voxel", "i", "j", "k", "x", "y", "z"];

/// The number of a voxel and where it is; empty where the map has no geometry or there is no voxel.
pub(crate) fn place(voxel: Option<usize>, grid: Option<&Geometry>) -> Vec<Named<'static>> {
    let mut cells = [const { Cell::Empty }; 7];
    cells[0] = voxel.into();
    if let (Some(voxel), Some(grid)) = (voxel, grid) {
        let place = grid.place(voxel);
        let values = place.map(Cell::from).into_iter().chain(grid.millimetres(place).map(Cell::from));
        cells[1..].iter_mut().zip(values).for_each(|(cell, value)| *cell = value);
    }
    PLACE.into_iter().zip(cells).collect()
}

fn write_voxels(out: Output, args: &Define, regions: &[Region], t: &[f64], grid: Option<&Geometry>) -> Result<Output> {
    let mut table = TableWriter::new(out, args.format, &["roi", "voxel", "i", "j", "k", "x", "y", "z", "t"])?;
    for region in regions {
        for &voxel in &region.voxels {
            let mut cells: Vec<Named> = vec![("roi", (&region.name).into())];
            cells.extend(place(Some(voxel), grid));
            cells.push(("t", t[voxel].into()));
            table.record(&cells)?;
        }
    }
    Ok(table.into_inner())
}

fn write_summary(out: Output, args: &Define, regions: &[Region], t: &[f64], grid: Option<&Geometry>) -> Result<Output> {
    let columns = ["roi", "n_voxels", "n_parcel", "t_max", "voxel", "i", "j", "k", "x", "y", "z"];
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for region in regions {
        let peak = region.peak(t);
        let mut cells: Vec<Named> = vec![
            ("roi", (&region.name).into()),
            ("n_voxels", region.voxels.len().into()),
            ("n_parcel", region.n_searched.into()),
            ("t_max", peak.map_or(f64::NAN, |voxel| t[voxel]).into()),
        ];
        cells.extend(place(peak, grid));
        table.record(&cells)?;
    }
    Ok(table.into_inner())
}

fn write_peaks(out: Output, args: &Define, regions: &[Region], t: &[f64], grid: &Geometry) -> Result<Output> {
    let columns = ["roi", "cluster", "n_voxels", "voxel", "i", "j", "k", "x", "y", "z", "t"];
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
                cells.extend(place(Some(peak), Some(grid)));
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
