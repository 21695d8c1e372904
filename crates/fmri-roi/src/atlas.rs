//! `fmri-roi atlas`: what a map is in every parcel, and in which parcels its clusters lie.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use brain_formats::Space;
use brain_maps::{Connectivity, clusters};
use cli::{Common, Format, Input, Job, Named, TableWriter};
use statistics::{Reason, mean, variance};
use voxel_inputs::{read_label_names, read_labels_on, require_n_columns, require_same_space};

use crate::maps::{Maps, NamedMap};
use crate::options::Neighbours;
use crate::place::{Columns, place};
use crate::region::{VoxelSet, parcels};
use crate::resample::Resample;
use crate::surfaces::{Surfaces, connectivity_cell, require_voxels, size_cells, size_columns};

const HELP: &str = "\
Columns, one row per map and parcel, in the order of --labels (else by number):
  map, parcel
  n_voxels, n_nan    voxels of the parcel, and how many of these have no number in the map
  mean, sd           over those that have (sd with n - 1)
  min, max           and their range
  voxel, i, j, k, x, y, z    where the maximum is, the first of equals (of a surface structure and vertex
                     in their place)
  reason             empty: the parcel has no voxel; nan_input: none of its voxels has a number
With --t one row per cluster of voxels (--surface: of vertices) above it instead, the highest first:
  map, cluster, connectivity (mesh: vertices that share an edge), n_voxels, mm3 (of vertices mm2)
  t                  its highest value, at
  voxel, i, j, k, x, y, z
  parcel_of_peak     the parcel of that voxel; empty outside all parcels
  share              of the cluster's voxels that lie in that parcel (outside all, where it is empty)
  parcels            all parcels that it reaches into, as NAME:share, the largest first

Examples:
  fmri-roi atlas sub-0*_face_con.nii --parcels parcels.nii --labels parcels.tsv
  fmri-roi atlas sub-01_face_con.nii --parcels parcels.nii --labels parcels.tsv --t 2
  fmri-roi atlas sub-01_face_con.nii --parcels parcels.nii --t 2 --min-cluster 5 --connectivity 26";

/// Options of `atlas`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Atlas {
    /// Maps (t, effect, correlation ...) on the grid of the atlas
    #[arg(value_name = "MAP", required = true)]
    maps: Vec<Input>,
    /// The atlas: an image of whole numbers, above 0 is inside
    #[arg(long, value_name = "IMAGE")]
    parcels: Input,
    #[command(flatten)]
    resample: Resample,
    /// Names of the parcels: a table with index and name (BIDS), or a .ctab; equal names make one parcel
    #[arg(long, value_name = "TABLE")]
    labels: Option<Input>,
    /// One row per cluster of voxels greater than this
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = localizer::parse_threshold)]
    t: Option<f64>,
    /// Clusters of at least this many voxels
    #[arg(long, value_name = "N", requires = "t")]
    min_cluster: Option<usize>,
    /// Neighbours share a face (6), also an edge (18), also a corner (26) [default: 6]
    #[arg(long, value_enum, value_name = "6|18|26", requires = "t")]
    connectivity: Option<Neighbours>,
    #[command(flatten)]
    surfaces: Surfaces,
    /// Names of the maps, in order [default: file stems]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
    /// Format of the table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// Runs the verb.
pub(crate) fn run(args: Atlas) -> Result<()> {
    let job = Job::start("fmri-roi", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    if args.t.is_none() {
        args.surfaces.refuse("it says which vertices are neighbours, for clusters (--t)")?;
    }
    let source = args.parcels.to_string();
    let Maps { maps, space } = Maps::read(&job, &args.maps, &args.names, None)?;
    let on = (maps[0].source.as_str(), maps[0].values.len(), space.as_ref());
    let atlas = read_labels_on(&job, &args.parcels, on)?;
    let atlas = args.resample.onto(&job, (&source, atlas), (&maps[0].source, space.as_ref()))?;
    let names = args.labels.as_ref().map(|table| read_label_names(&job, table)).transpose()?;
    let names = names.or(atlas.names);
    let sets = parcels(&atlas.labels, names.as_deref()).with_context(|| source.clone())?;
    let mut space = match (atlas.space, space) {
        (Some(space), Some(mine)) => {
            require_same_space((&maps[0].source, &mine), (&source, &space))?;
            Some(space)
        }
        (Some(space), None) => {
            require_n_columns((&maps[0].source, maps[0].values.len()), (&source, &space))?;
            Some(space)
        }
        (None, space) => space,
    };
    if let Some(Space::Parcels(_)) = &space {
        bail!("{}: a map of parcels, which are its own atlas; give a map of voxels or vertices", maps[0].source);
    }
    if atlas.labels.len() != maps[0].values.len() {
        bail!("{source}: {} voxels, but {} has {}", atlas.labels.len(), maps[0].source, maps[0].values.len());
    }
    let rows: Vec<Vec<Named>> = match args.t {
        None => maps
            .iter()
            .flat_map(|map| {
                sets.iter().map(|set| {
                    let (cells, peak, reason) = of_parcel(map, set);
                    let mut row = cells;
                    row.extend(place(peak, space.as_ref()));
                    row.push(("reason", reason.into()));
                    row
                })
            })
            .collect(),
        Some(t) => {
            let Some(space) = &mut space else {
                bail!(
                    "{source}: a .npy atlas and .npy maps do not say where voxels are, which clusters need; give an image"
                );
            };
            require_voxels(args.connectivity, &source, space)?;
            let layout = args.surfaces.layout(&job, &maps[0].source, space, "--t (clusters)")?;
            let space = &*space;
            let neighbours = Connectivity::from(args.connectivity.unwrap_or(Neighbours::Six));
            let mut parcel_of: HashMap<usize, &str> = HashMap::new();
            for set in &sets {
                parcel_of.extend(set.voxels.iter().map(|&voxel| (voxel, set.name.as_str())));
            }
            let mut rows = Vec::new();
            for map in &maps {
                let above: Vec<usize> = (0..map.values.len()).filter(|&v| map.values[v] > t).collect();
                let mut found = clusters(&layout.adjacency(&above, neighbours));
                found.retain(|members| members.len() >= args.min_cluster.unwrap_or(1));
                found.iter_mut().flatten().for_each(|point| *point = above[*point]);
                let peak = |members: &[usize]| {
                    let by_height = |a: &&usize, b: &&usize| map.values[**b].total_cmp(&map.values[**a]).then(a.cmp(b));
                    members.iter().min_by(by_height).copied()
                };
                let mut found: Vec<(usize, Vec<usize>)> =
                    found.into_iter().filter_map(|members| Some((peak(&members)?, members))).collect();
                found.sort_by(|(a, _), (b, _)| map.values[*b].total_cmp(&map.values[*a]).then(a.cmp(b)));
                for (number, (peak, members)) in found.iter().enumerate() {
                    let shares = shares(members, &parcel_of);
                    let own = parcel_of.get(peak).copied().unwrap_or_default();
                    let share = shares.iter().find(|(name, _)| *name == own).map_or(0.0, |(_, share)| *share);
                    let named = shares.iter().filter(|(name, _)| !name.is_empty());
                    let listed: Vec<String> = named.map(|(name, share)| format!("{name}:{share:.3}")).collect();
                    let mut row: Vec<Named> = vec![
                        ("map", (&map.name).into()),
                        ("cluster", (number + 1).into()),
                        ("connectivity", connectivity_cell(Some(*peak), Some(space), neighbours)),
                        ("n_voxels", members.len().into()),
                    ];
                    row.extend(size_cells(members, Some(space), Some(&layout)));
                    row.push(("t", map.values[*peak].into()));
                    row.extend(place(Some(*peak), Some(space)));
                    row.push(("parcel_of_peak", own.to_owned().into()));
                    row.push(("share", share.into()));
                    row.push(("parcels", listed.join(";").into()));
                    rows.push(row);
                }
                if found.is_empty() {
                    job.warn(format!("{}: no cluster above {t}", map.source));
                }
            }
            rows
        }
    };
    let place = Columns::of(space.as_ref()).names();
    let columns: Vec<&str> = match args.t {
        None => [&["map", "parcel", "n_voxels", "n_nan", "mean", "sd", "min", "max"], &place[..], &["reason"]].concat(),
        Some(_) => {
            let size = size_columns(space.as_ref());
            let (before, behind) =
                (["map", "cluster", "connectivity", "n_voxels"], ["parcel_of_peak", "share", "parcels"]);
            [&before, size, &["t"], &place[..], &behind].concat()
        }
    };
    let mut table = TableWriter::new(out, args.format, &columns)?;
    rows.iter().try_for_each(|row| table.record(row))?;
    table.into_inner().commit(&job)
}

/// The numbers of a parcel, the voxel of its maximum, and why there are none.
fn of_parcel<'a>(map: &'a NamedMap, set: &'a VoxelSet) -> (Vec<Named<'a>>, Option<usize>, Option<Reason>) {
    let usable: Vec<usize> = set.voxels.iter().copied().filter(|&v| map.values[v].is_finite()).collect();
    let values: Vec<f64> = usable.iter().map(|&v| map.values[v]).collect();
    let peak = usable.iter().copied().min_by(|&a, &b| map.values[b].total_cmp(&map.values[a]).then(a.cmp(&b)));
    let reason = match (set.voxels.is_empty(), values.is_empty()) {
        (true, _) => Some(Reason::Empty),
        (false, true) => Some(Reason::NanInput),
        (false, false) => None,
    };
    let cells = vec![
        ("map", (&map.name).into()),
        ("parcel", (&set.name).into()),
        ("n_voxels", set.voxels.len().into()),
        ("n_nan", (set.voxels.len() - usable.len()).into()),
        ("mean", mean(&values).into()),
        ("sd", variance(&values).sqrt().into()),
        ("min", values.iter().copied().fold(f64::NAN, f64::min).into()),
        ("max", peak.map_or(f64::NAN, |v| map.values[v]).into()),
    ];
    (cells, peak, reason)
}

/// The share of the voxels in every parcel ("" is outside all), the largest first, equal ones by name.
fn shares<'a>(members: &[usize], parcel_of: &HashMap<usize, &'a str>) -> Vec<(&'a str, f64)> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for voxel in members {
        *counts.entry(parcel_of.get(voxel).copied().unwrap_or_default()).or_default() += 1;
    }
    let mut shares: Vec<(&str, f64)> =
        counts.into_iter().map(|(name, n)| (name, n as f64 / members.len() as f64)).collect();
    shares.sort_by(|(a, x), (b, y)| y.total_cmp(x).then(a.cmp(b)));
    shares
}
