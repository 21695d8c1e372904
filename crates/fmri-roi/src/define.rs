//! `fmri-roi define`: a t map to regions, as a table and as a mask.

use anyhow::{Context, Result, bail};
use brain_formats::Space;
use brain_maps::grid::voxel_mm3;
use brain_maps::{Adjacency, Connectivity, Side, peaks};
use cli::{Common, Format, Input, Job, Named, Output, TableWriter};
use localizer::Top;

use crate::maps::leave_out_infinite;
use crate::options::{Neighbours, Tail};
use crate::place::{Columns, Hemisphere, hemispheres, place};
use crate::region::{Region, Rule, VoxelSet, conjunction, find, merge, parcels};
use brain_formats::maps::write_regions;
use stimulus_table::Table;
use voxel_inputs::{
    Map, Source, map_name, map_of, open, read_label_names, read_labels, read_map, read_space, require_grid,
    require_n_columns, require_same_space,
};

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
  roi, n_voxels, mm3, n_parcel (voxels searched), t_max, voxel, i, j, k, x, y, z (of the peak)
--clusters, one row per cluster, the highest peak first; a region without one keeps a row:
  roi, cluster (from 1 over all regions), n_voxels, mm3, connectivity, t_max, voxel, i to z (of the
  peak), t_mean
--peaks, one row per local maximum (of 26 neighbours; neighbouring voxels of equal t are one, at the
voxel with the smallest number), clusters numbered by their height:
  roi, cluster, n_voxels, mm3, connectivity (of the cluster), voxel, i, j, k, x, y, z, t
Of a surface, structure and vertex stand in the place of i to z; of grayordinates (CIFTI) beside
them; of its parcels the column parcel does. i to z and mm3 are empty for a .npy map without --like
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
    /// Parcels to search in: whole numbers, above 0 is inside; label files and .annot name them
    #[arg(long, value_name = "IMAGE")]
    parcels: Option<Input>,
    /// Names of the parcels: a table with index and name (BIDS), or a .ctab; equal names make one region
    #[arg(long, value_name = "TABLE", requires = "parcels")]
    labels: Option<Input>,
    /// Make one region of several parcels
    #[arg(long, value_name = "NAME=PARCEL,PARCEL..", requires = "parcels", value_parser = merged)]
    merge: Vec<(String, Vec<String>)>,
    /// Search within this many mm of a place: X,Y,Z,RADIUS in the image's millimetres
    #[arg(long, value_name = "X,Y,Z,MM", allow_hyphen_values = true, value_parser = sphere)]
    sphere: Option<Sphere>,
    /// Search in one hemisphere: voxels left (x < 0 mm) or right of the middle, or a surface's structure
    #[arg(long, value_enum)]
    hemisphere: Option<Hemisphere>,
    /// Search where this map is above --min-ncsnr: an image, a .npy row, or a table of `ceiling voxel`
    #[arg(long, value_name = "MAP", requires = "min_ncsnr")]
    ncsnr: Option<Input>,
    /// Least ncsnr (or whatever --ncsnr maps) of a voxel that is searched
    #[arg(long, value_name = "VALUE", requires = "ncsnr", value_parser = localizer::parse_threshold)]
    min_ncsnr: Option<f64>,
    /// Conjunction: a voxel's t is the lowest of --stat and of this map, on the same grid (may be given again)
    #[arg(long, value_name = "MAP")]
    and: Vec<Input>,
    /// Name of the region [default: roi]; with --parcels, the parcels to use (may be given again)
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// Keep voxels with t greater than this [default: 7, when there is no --top]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = localizer::parse_threshold)]
    t: Option<f64>,
    /// Side of 0 that counts: t above T, t below -T, or both
    #[arg(long, value_enum, value_name = "greater|less|two-sided", default_value_t)]
    tail: Tail,
    /// Keep this many voxels with the highest t, or this percentage; ties by voxel number
    #[arg(long, value_name = "N|P%")]
    top: Option<Top>,
    /// Keep clusters of at least this many voxels above --t
    #[arg(long, value_name = "N", requires = "t")]
    min_cluster: Option<usize>,
    /// Neighbours share a face (6), also an edge (18), also a corner (26) [default: 6]
    #[arg(long, value_enum, value_name = "6|18|26")]
    connectivity: Option<Neighbours>,
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
    /// Image or surface whose geometry a .npy map has
    #[arg(long, value_name = "IMAGE")]
    like: Option<Input>,
    /// Format of the table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// A region and the parcels it is merged from.
fn merged(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, parcels) = text.split_once('=').unwrap_or((text, ""));
    let parcels: Vec<String> = parcels.split(',').map(|parcel| parcel.trim().to_owned()).collect();
    if name.trim().is_empty() || parcels.iter().any(String::is_empty) {
        return Err(format!("{text:?} is not NAME=PARCEL,PARCEL.., as in FFA=FFA-1,FFA-2"));
    }
    Ok((name.trim().to_owned(), parcels))
}

/// Around a place in mm.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sphere {
    centre: [f64; 3],
    radius: f64,
}

fn sphere(text: &str) -> Result<Sphere, String> {
    let numbers: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[x, y, z, radius]) if [x, y, z].iter().all(|v| v.is_finite()) && radius > 0.0 && radius.is_finite() => {
            Ok(Sphere { centre: [x, y, z], radius })
        }
        _ => Err(format!("{text:?} is no place and radius in mm, as in 42,-52,-18,10")),
    }
}

/// The field's threshold, for voxels and units alike.
const DEFAULT_T: f64 = 7.0;

/// Least distance of two peaks of a cluster in mm, as nilearn has it.
const PEAK_DISTANCE: f64 = 8.0;

/// Runs the verb.
pub(crate) fn run(args: Define) -> Result<()> {
    let job = Job::start("fmri-roi", &args.common)?;
    if args.connectivity.is_some() && args.min_cluster.is_none() && !(args.clusters || args.peaks) {
        bail!("--connectivity is of clusters: give --min-cluster, --clusters or --peaks with it, or leave it out");
    }
    let mask_name = args.common.output.as_deref().and_then(map_name);
    let mut mask_out = match mask_name {
        Some(_) => Some(job.binary_output(args.common.output.as_deref())?),
        None => None,
    };
    let table_out = match mask_name {
        Some(_) => job.text_output(None)?,
        None => job.text_output(args.common.output.as_deref())?,
    };

    let side = Side::from(args.tail);
    if let (Some(t), true) = (args.t, side != Side::Greater)
        && t < 0.0
    {
        bail!("--t {t} with --tail {}: T is a distance from 0 there; give a number of 0 or more", side.as_str());
    }
    let mut map = read_stat(&job, &args)?;
    leave_out_infinite(&job, &args.stat.to_string(), &mut map.values);
    let mut spaces = search_spaces(&job, &args, &mut map)?;
    restrict(&job, &args, &map, &mut spaces)?;
    let Map { values: t, space } = map;
    let of_grid =
        [(args.min_cluster.is_some(), "--min-cluster"), (args.peaks, "--peaks"), (args.clusters, "--clusters")];
    match &space {
        None => {
            let mask = [(mask_out.is_some(), "a mask")];
            if let Some((_, what)) = of_grid.iter().chain(&mask).find(|(asked, _)| *asked) {
                bail!(
                    "{}: a .npy map does not say where its voxels are, which {what} needs; give --like IMAGE",
                    args.stat
                );
            }
        }
        Some(space) => {
            if let Some((_, what)) = of_grid.iter().find(|(asked, _)| *asked) {
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
        side,
        min_cluster: args.min_cluster,
        connectivity: args.connectivity.unwrap_or(Neighbours::Six).into(),
        top: args.top,
    };
    job.record("t_above", rule.t);
    job.record("tail", side.as_str());
    job.record("connectivity", rule.connectivity.n_neighbours());
    let shape = grid.map(|grid| grid.shape);
    let regions: Vec<Region> = spaces.iter().map(|searched| find(searched, &t, shape, &rule)).collect();
    let found = Found { regions, t: &t, space: space.as_ref(), rule };
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
    let mut maps = vec![first.values];
    for input in &args.and {
        let map = read_map(job, input)?;
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
    Ok(Map { values: conjunction(&maps, args.tail.into()), space: first.space })
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
    let spaces = merge(spaces, &args.merge).with_context(|| input.to_string())?;
    choose(spaces, &args.name, &input.to_string())
}

/// Leaves in every search space the voxels of the sphere, of the hemisphere, and of enough ncsnr.
fn restrict(job: &Job, args: &Define, map: &Map, spaces: &mut [VoxelSet]) -> Result<()> {
    let stat = args.stat.to_string();
    if args.sphere.is_some() || args.hemisphere.is_some() {
        let Some(space) = &map.space else {
            bail!("{stat}: a .npy map does not say where its voxels are; give --like IMAGE");
        };
        if let Some(Sphere { centre, radius }) = args.sphere {
            let grid = require_grid(&stat, space, "--sphere")?;
            let near = |voxel: usize| {
                let squares = grid.millimetres(grid.place(voxel)).into_iter().zip(centre).map(|(a, b)| (a - b).powi(2));
                squares.sum::<f64>() <= radius * radius
            };
            spaces.iter_mut().for_each(|searched| searched.voxels.retain(|voxel| near(*voxel)));
        }
        if let Some(hemisphere) = args.hemisphere {
            let sides = hemispheres(space, &stat)?;
            spaces.iter_mut().for_each(|searched| searched.voxels.retain(|voxel| sides[*voxel] == Some(hemisphere)));
        }
    }
    if let (Some(input), Some(least)) = (&args.ncsnr, args.min_ncsnr) {
        let ncsnr = read_ncsnr(job, input, (&stat, map))?;
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
    rule: Rule,
}

impl Found<'_> {
    /// The clusters of each region, the highest peak first, as one reads such a table; equal ones by their place.
    fn clusters(&self, peak_distance: f64) -> Vec<Vec<Cluster>> {
        let Some(grid) = self.space.and_then(Space::grid) else { return Vec::new() };
        let height = |voxel: usize| self.rule.side.height(self.t[voxel]);
        let of_region = |region: &Region| {
            let clusters = region.clusters(self.t, grid.shape, &self.rule).into_iter();
            let mut found: Vec<Cluster> = clusters
                .map(|members| {
                    let adjacency = Adjacency::of_grid(grid.shape, &members, Connectivity::Corners);
                    let heights: Vec<f64> = members.iter().map(|&voxel| height(voxel)).collect();
                    let places: Vec<[f64; 3]> =
                        members.iter().map(|&voxel| grid.millimetres(grid.place(voxel))).collect();
                    let peaks = peaks(&adjacency, &heights, &places, peak_distance);
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

    fn mm3(&self, n_voxels: usize) -> Option<f64> {
        self.space.and_then(Space::grid).map(|grid| n_voxels as f64 * voxel_mm3(&grid.affine))
    }

    /// Columns of a cluster's size.
    fn size(&self, n_voxels: usize) -> [Named<'static>; 3] {
        let connectivity = self.rule.connectivity.n_neighbours();
        [("n_voxels", n_voxels.into()), ("mm3", self.mm3(n_voxels).into()), ("connectivity", connectivity.into())]
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
        let mut columns = vec!["roi", "n_voxels", "mm3", "n_parcel", "t_max"];
        columns.extend(Columns::of(self.space).names());
        let mut table = TableWriter::new(out, format, &columns)?;
        for region in &self.regions {
            let peak = region.peak(self.t, self.rule.side);
            let mut cells: Vec<Named> = vec![
                ("roi", (&region.name).into()),
                ("n_voxels", region.voxels.len().into()),
                ("mm3", self.mm3(region.voxels.len()).into()),
                ("n_parcel", region.n_searched.into()),
                ("t_max", peak.map_or(f64::NAN, |voxel| self.t[voxel]).into()),
            ];
            cells.extend(place(peak, self.space));
            table.record(&cells)?;
        }
        Ok(table.into_inner())
    }

    fn write_clusters(&self, out: Output, format: Format, clusters: &[Vec<Cluster>]) -> Result<Output> {
        let mut columns = vec!["roi", "cluster", "n_voxels", "mm3", "connectivity", "t_max"];
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
                cells.extend(self.size(members.len()));
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
        let mut columns = vec!["roi", "cluster", "n_voxels", "mm3", "connectivity"];
        columns.extend(Columns::of(self.space).names());
        columns.push("t");
        let mut table = TableWriter::new(out, format, &columns)?;
        for (region, clusters) in self.regions.iter().zip(clusters) {
            for (number, cluster) in clusters.iter().enumerate() {
                for &peak in &cluster.peaks {
                    let mut cells: Vec<Named> = vec![("roi", (&region.name).into()), ("cluster", (number + 1).into())];
                    cells.extend(self.size(cluster.members.len()));
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
        let highest = highest.map_or(String::new(), |t| format!(", largest t {t:.3}"));
        let line = format!("{}: region {:?} has {n} voxels of {searched}{highest}", args.stat, region.name);
        if n == 0 { job.warn(line) } else { job.note(line) }
    }
}
