//! `fmri-roi define`: a t map to regions, as a table and as a mask.

use anyhow::{Context, Result, bail};
use brain_formats::Space;
use brain_maps::Layout;
use cli::{Common, Format, Input, Job, Named, Output, TableWriter};

use crate::maps::leave_out_infinite;
use crate::place::{Columns, place};
use crate::region::{Region, Rule, VoxelSet, conjunction, find};
use crate::search::Search;
use crate::surfaces::{connectivity_cell, record_neighbours, size_cells, size_columns};
use brain_formats::maps::write_regions;
use stimulus_table::Table;
use voxel_inputs::{Map, Source, map_name, map_of, open, read_map, require_same_space};

const HELP: &str = "\
Steps, within each parcel (of it what --sphere, --hemisphere and --ncsnr leave):
  keep t greater than --t; keep clusters of at least --min-cluster voxels; keep the --top of what is
  left (P% is of the parcel's voxels that are not NaN, rounded down). NaN and infinite t are never
  kept. Without --t and --top the rule is t > 7. --tail less keeps t below -T and ranks from the
  lowest; two-sided keeps both, whose clusters are never joined. With --and the t of a voxel is the
  lowest (least far from 0 on that side) of all maps.

Output, one row per voxel, regions in the order of the parcels, voxels by number:
  roi, voxel, i, j, k (place in the grid), x, y, z (mm), t
--summary, one row per region, empty ones too:
  roi, n_voxels, mm3 (of vertices mm2, with --surface), n_parcel (voxels searched), t_max, voxel, i, j,
  k, x, y, z (of the peak)
--clusters, one row per cluster, the highest peak first; a region without one keeps a row:
  roi, cluster (from 1 over all regions), n_voxels, mm3, connectivity, t_max, voxel, i to z (of the
  peak), t_mean
--peaks, one row per local maximum (of 26 neighbours, or of the mesh; neighbouring voxels of equal t are
one, at the voxel with the smallest number; their distance is along the mesh where there is one),
clusters numbered by their height:
  roi, cluster, n_voxels, mm3, connectivity (of the cluster), voxel, i, j, k, x, y, z, t
Of a surface, structure and vertex stand in the place of i to z and mm2 in that of mm3; of
grayordinates (CIFTI) beside them; of its parcels the column parcel does. Clusters of vertices need
their mesh (--surface), and their connectivity is called mesh. i to z and mm3 are empty for a .npy map without --like
or --parcels.
-o X.nii, .nii.gz, .mgh, .mgz, .gii or .dscalar.nii takes a mask (1 for the first region, 2 for the
second ...; with --clusters the number of the cluster) and the table stays on stdout; any other -o
takes the table.

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
    #[command(flatten)]
    search: Search,
    /// Search where this map is above --min-ncsnr: an image, a .npy row, or a table of `ceiling voxel`
    #[arg(long, value_name = "MAP", requires = "min_ncsnr")]
    ncsnr: Option<Input>,
    /// Least ncsnr (or whatever --ncsnr maps) of a voxel that is searched
    #[arg(long, value_name = "VALUE", requires = "ncsnr", value_parser = localizer::parse_threshold)]
    min_ncsnr: Option<f64>,
    /// Conjunction: a voxel's t is the lowest of --stat and of this map, on the same grid (may be given again)
    #[arg(long, value_name = "MAP")]
    and: Vec<Input>,
    /// One line per region instead: size and peak
    #[arg(long, conflicts_with_all = ["peaks", "clusters"])]
    summary: bool,
    /// One line per cluster instead: size and peak; an image takes the clusters' numbers
    #[arg(long, conflicts_with = "peaks")]
    clusters: bool,
    /// One line per peak instead: local maxima of every cluster
    #[arg(long)]
    peaks: bool,
    /// Peaks of one cluster are at least this far apart, in mm [default: 8]
    #[arg(long, value_name = "MM", requires = "peaks")]
    peak_distance: Option<f64>,
    /// Format of the table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// Least distance of two peaks of a cluster in mm, as nilearn has it.
const PEAK_DISTANCE: f64 = 8.0;

/// Runs the verb.
pub(crate) fn run(args: Define) -> Result<()> {
    let job = Job::start("fmri-roi", &args.common)?;
    args.search.check(args.clusters || args.peaks, "--min-cluster, --clusters or --peaks")?;
    let mask_name = args.common.output.as_deref().and_then(map_name);
    let mut mask_out = match mask_name {
        Some(_) => Some(job.binary_output(args.common.output.as_deref())?),
        None => None,
    };
    let table_out = match mask_name {
        Some(_) => job.text_output(None)?,
        None => job.text_output(args.common.output.as_deref())?,
    };

    let mut map = read_stat(&job, &args)?;
    leave_out_infinite(&job, &args.stat.to_string(), &mut map.values);
    let (stat, n) = (args.stat.to_string(), map.values.len());
    let mut spaces = args.search.spaces(&job, (&stat, n), &mut map.space)?;
    if let Some(refusal) = mask_name.zip(map.space.as_ref()).and_then(|(format, space)| format.refusal(space)) {
        bail!("{stat}: {refusal}");
    }
    let of_place = [(args.peaks, "--peaks"), (args.clusters, "--clusters"), (mask_out.is_some(), "a mask")];
    let asked = of_place.iter().find(|(asked, _)| *asked).map(|(_, what)| *what);
    let layout = args.search.layout(&job, &stat, &mut map.space, asked, args.summary)?;
    args.search.restrict(&stat, map.space.as_ref(), layout.as_ref(), &mut spaces)?;
    keep_ncsnr(&job, &args, &map, &mut spaces)?;
    let Map { values: t, space, .. } = map;

    let rule = args.search.rule();
    job.record("t_above", rule.t);
    job.record("tail", rule.side.as_str());
    record_neighbours(&job, space.as_ref(), rule.connectivity);
    let regions: Vec<Region> = spaces.iter().map(|searched| find(searched, &t, layout.as_ref(), &rule)).collect();
    let found = Found { regions, t: &t, space: space.as_ref(), layout: layout.as_ref(), rule };
    let clusters = if args.clusters || args.peaks {
        found.clusters(args.peak_distance.unwrap_or(PEAK_DISTANCE))
    } else {
        Vec::new()
    };

    if let (Some(format), Some(mut out), Some(space)) = (mask_name, mask_out.take(), &space) {
        let mut labels = vec![0u32; t.len()];
        let sets: Vec<&[usize]> = match args.clusters {
            true => clusters.iter().flatten().map(|cluster| cluster.members.as_slice()).collect(),
            false => found.regions.iter().map(|region| region.voxels.as_slice()).collect(),
        };
        for (number, voxels) in sets.iter().enumerate() {
            voxels.iter().for_each(|&voxel| labels[voxel] = number as u32 + 1);
        }
        let names: Vec<&str> = found.regions.iter().map(|region| region.name.as_str()).collect();
        // Clusters are numbered over all regions, and have the name of theirs.
        let of_labels: Vec<&str> = match args.clusters {
            true => names.iter().zip(&clusters).flat_map(|(name, found)| found.iter().map(|_| *name)).collect(),
            false => names.clone(),
        };
        let named: Vec<(u32, &str)> = (1..).zip(of_labels).collect();
        write_regions(&mut out, format, &labels, &named, space)?;
        job.record("regions", names);
        out.commit(&job)?;
    }
    let table = if args.summary {
        found.write_summary(table_out, args.format)?
    } else if args.clusters {
        found.write_clusters(table_out, args.format, &clusters)?
    } else if args.peaks {
        found.write_peaks(table_out, args.format, &clusters)?
    } else {
        found.write_voxels(table_out, args.format)?
    };
    table.commit(&job)?;
    report(&job, &args, &spaces, &found);
    Ok(())
}

/// The map of `--stat`, or its conjunction with others.
fn read_stat(job: &Job, args: &Define) -> Result<Map> {
    let first = read_map(job, &args.stat)?;
    warn_if_no_t(job, &args.stat, first.intent);
    let mut maps = vec![first.values];
    for input in &args.and {
        let map = read_map(job, input)?;
        warn_if_no_t(job, input, map.intent);
        let (mine, theirs) = (args.stat.to_string(), input.to_string());
        match (&first.space, &map.space) {
            (Some(space), Some(other)) => require_same_space((&mine, space), (&theirs, other))?,
            _ if map.values.len() != maps[0].len() => {
                bail!("{theirs}: {} voxels, but {mine} has {}", map.values.len(), maps[0].len())
            }
            _ => {}
        }
        maps.push(map.values);
    }
    Ok(Map { values: conjunction(&maps, args.search.tail.into()), space: first.space, intent: first.intent })
}

/// NIfTI's intent codes of numbers that a t is not, and what they are.
const NO_T: [(i32, &str); 2] = [(22, "p values"), (1001, "estimates (effects)")];
/// What BIDS names call them (`stat-effect`).
const NO_T_NAMES: [&str; 5] = ["effect", "variance", "p", "rsquared", "residualsd"];

/// Warns of a map that says itself that it is no t: a threshold of t would mean nothing.
fn warn_if_no_t(job: &Job, input: &Input, intent: Option<i32>) {
    let name = input.path().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let entity = name.as_deref().and_then(|name| name.split('_').find_map(|part| part.strip_prefix("stat-")));
    let by_name = entity.filter(|stat| NO_T_NAMES.contains(stat)).map(|stat| format!("its name says stat-{stat}"));
    let of_code = |code: i32| NO_T.iter().find(|(known, _)| *known == code);
    let by_code = intent.and_then(of_code).map(|(code, what)| format!("its header says {what}, intent {code}"));
    if let Some(says) = by_code.or(by_name) {
        job.warn(format!("{input}: {says}, which is no t; --t and --top take its numbers as they are"));
    }
}

/// Leaves in every search space the voxels of enough ncsnr.
fn keep_ncsnr(job: &Job, args: &Define, map: &Map, spaces: &mut [VoxelSet]) -> Result<()> {
    if let (Some(input), Some(least)) = (&args.ncsnr, args.min_ncsnr) {
        let ncsnr = read_ncsnr(job, input, (&args.stat.to_string(), map))?;
        spaces.iter_mut().for_each(|searched| searched.voxels.retain(|voxel| ncsnr[*voxel] > least));
    }
    Ok(())
}

/// One number per voxel: of a map on the same grid, or of the rows of a table.
fn read_ncsnr(job: &Job, input: &Input, (stat, map): (&str, &Map)) -> Result<Vec<f64>> {
    let (source, n) = (input.to_string(), map.values.len());
    let numbers = match open(job, input)? {
        Source::Numbers(numbers) => numbers,
        Source::Other(reader) => {
            let table = Table::read(reader).with_context(|| source.clone())?;
            let voxels = table.indices("voxel").with_context(|| source.clone())?;
            let values = table.numbers("ncsnr").with_context(|| source.clone())?;
            let mut ncsnr = vec![f64::NAN; n];
            for (row, (&voxel, value)) in voxels.iter().zip(values).enumerate() {
                match ncsnr.get_mut(voxel) {
                    Some(place) if place.is_nan() => *place = value,
                    Some(_) => bail!("{source}: row {row}: voxel {voxel} again; give the rows of one array"),
                    None => bail!("{source}: row {row}: voxel {voxel}, but the map has {n} voxels, from 0"),
                }
            }
            return Ok(ncsnr);
        }
    };
    let found = map_of(input, numbers)?;
    match (&found.space, &map.space) {
        (Some(mine), Some(theirs)) => require_same_space((&source, mine), (stat, theirs))?,
        _ if found.values.len() != n => bail!("{source}: {} voxels, but the map has {n}", found.values.len()),
        _ => {}
    }
    Ok(found.values)
}

/// A cluster of a region: its voxels, and its peaks from the highest.
struct Cluster {
    members: Vec<usize>,
    peaks: Vec<usize>,
}

/// The regions that were found, and in what.
struct Found<'a> {
    regions: Vec<Region>,
    t: &'a [f64],
    space: Option<&'a Space>,
    /// Where the voxels are, where something needs it.
    layout: Option<&'a Layout>,
    rule: Rule,
}

impl Found<'_> {
    /// The clusters of each region, the highest peak first, as one reads such a table; equal ones by their place.
    fn clusters(&self, peak_distance: f64) -> Vec<Vec<Cluster>> {
        let Some(layout) = self.layout else { return Vec::new() };
        let height = |voxel: usize| self.rule.side.height(self.t[voxel]);
        let of_region = |region: &Region| {
            let clusters = region.clusters(self.t, layout, &self.rule).into_iter();
            let mut found: Vec<Cluster> = clusters
                .map(|members| {
                    let heights: Vec<f64> = members.iter().map(|&voxel| height(voxel)).collect();
                    let peaks = layout.peaks(&members, &heights, peak_distance);
                    Cluster { peaks: peaks.into_iter().map(|p| members[p]).collect(), members }
                })
                .collect();
            found.sort_by(|a, b| {
                let (a, b) = (a.peaks[0], b.peaks[0]);
                height(b).total_cmp(&height(a)).then(a.cmp(&b))
            });
            found
        };
        self.regions.iter().map(of_region).collect()
    }

    /// The size of some voxels.
    fn size(&self, voxels: &[usize]) -> Vec<Named<'static>> {
        let mut cells = vec![("n_voxels", voxels.len().into())];
        cells.extend(size_cells(voxels, self.space, self.layout));
        cells
    }

    /// The size of a cluster, and what it is.
    fn size_of_cluster(&self, voxels: &[usize]) -> Vec<Named<'static>> {
        let connectivity = connectivity_cell(voxels.first().copied(), self.space, self.rule.connectivity);
        self.size(voxels).into_iter().chain([("connectivity", connectivity)]).collect()
    }

    /// The names of these columns.
    fn size_names(&self) -> Vec<&'static str> {
        ["n_voxels"].into_iter().chain(size_columns(self.space).iter().copied()).collect()
    }

    fn write_voxels(&self, out: Output, format: Format) -> Result<Output> {
        let columns: Vec<&str> = ["roi"].into_iter().chain(Columns::of(self.space).names()).chain(["t"]).collect();
        let mut table = TableWriter::new(out, format, &columns)?;
        for region in &self.regions {
            for &voxel in &region.voxels {
                let mut cells: Vec<Named> = vec![("roi", (&region.name).into())];
                cells.extend(place(Some(voxel), self.space));
                cells.push(("t", self.t[voxel].into()));
                table.record(&cells)?;
            }
        }
        Ok(table.into_inner())
    }

    fn write_summary(&self, out: Output, format: Format) -> Result<Output> {
        let mut columns = vec!["roi"];
        columns.extend(self.size_names());
        columns.extend(["n_parcel", "t_max"]);
        columns.extend(Columns::of(self.space).names());
        let mut table = TableWriter::new(out, format, &columns)?;
        for region in &self.regions {
            let peak = region.peak(self.t, self.rule.side);
            let mut cells: Vec<Named> = vec![("roi", (&region.name).into())];
            cells.extend(self.size(&region.voxels));
            cells.push(("n_parcel", region.n_searched.into()));
            cells.push(("t_max", peak.map_or(f64::NAN, |voxel| self.t[voxel]).into()));
            cells.extend(place(peak, self.space));
            table.record(&cells)?;
        }
        Ok(table.into_inner())
    }

    fn write_clusters(&self, out: Output, format: Format, clusters: &[Vec<Cluster>]) -> Result<Output> {
        let mut columns = vec!["roi", "cluster"];
        columns.extend(self.size_names());
        columns.extend(["connectivity", "t_max"]);
        columns.extend(Columns::of(self.space).names());
        columns.push("t_mean");
        let mut table = TableWriter::new(out, format, &columns)?;
        let mut number = 0;
        for (region, clusters) in self.regions.iter().zip(clusters) {
            let mut row = |cluster: Option<(usize, &Cluster)>| -> Result<()> {
                let members = cluster.map_or(&[][..], |(_, cluster)| &cluster.members);
                let peak = cluster.map(|(_, cluster)| cluster.peaks[0]);
                let sum: f64 = members.iter().map(|&voxel| self.t[voxel]).sum();
                let mut cells: Vec<Named> =
                    vec![("roi", (&region.name).into()), ("cluster", cluster.map(|(number, _)| number).into())];
                cells.extend(self.size_of_cluster(members));
                cells.push(("t_max", peak.map_or(f64::NAN, |voxel| self.t[voxel]).into()));
                cells.extend(place(peak, self.space));
                cells.push(("t_mean", (sum / members.len() as f64).into()));
                Ok(table.record(&cells)?)
            };
            for cluster in clusters {
                number += 1;
                row(Some((number, cluster)))?;
            }
            if clusters.is_empty() {
                row(None)?;
            }
        }
        Ok(table.into_inner())
    }

    fn write_peaks(&self, out: Output, format: Format, clusters: &[Vec<Cluster>]) -> Result<Output> {
        let mut columns = vec!["roi", "cluster"];
        columns.extend(self.size_names());
        columns.push("connectivity");
        columns.extend(Columns::of(self.space).names());
        columns.push("t");
        let mut table = TableWriter::new(out, format, &columns)?;
        for (region, clusters) in self.regions.iter().zip(clusters) {
            for (number, cluster) in clusters.iter().enumerate() {
                for &peak in &cluster.peaks {
                    let mut cells: Vec<Named> = vec![("roi", (&region.name).into()), ("cluster", (number + 1).into())];
                    cells.extend(self.size_of_cluster(&cluster.members));
                    cells.extend(place(Some(peak), self.space));
                    cells.push(("t", self.t[peak].into()));
                    table.record(&cells)?;
                }
            }
        }
        Ok(table.into_inner())
    }
}

/// Says what was found; an empty region is never silent.
fn report(job: &Job, args: &Define, spaces: &[VoxelSet], found: &Found) {
    let side = found.rule.side;
    for (space, region) in spaces.iter().zip(&found.regions) {
        let (n, searched) = (region.voxels.len(), format!("{} ({} NaN)", region.n_searched, region.n_nan));
        let t = space.voxels.iter().map(|&voxel| found.t[voxel]).filter(|t| !t.is_nan());
        let highest = t.max_by(|a, b| side.height(*a).total_cmp(&side.height(*b)));
        // Of an empty region there is no largest t: it is that of the voxels that were searched.
        let of = if n == 0 { " of those searched" } else { "" };
        let highest = highest.map_or(String::new(), |t| format!(", largest t {t:.3}{of}"));
        let line = format!("{}: region {:?} has {n} voxels of {searched}{highest}", args.stat, region.name);
        if n == 0 { job.warn(line) } else { job.note(line) }
    }
}
