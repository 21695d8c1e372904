//! `fmri-roi gss`: maps of several subjects to group parcels (group-constrained subject-specific method).

use anyhow::{Result, bail};
use brain_formats::Space;
use brain_formats::maps::write_regions;
use brain_maps::parcels::watershed;
use brain_maps::{Connectivity, Layout, Side};
use cli::{Common, Format, Input, Job, Named, TableWriter, require_memory};
use localizer::Top;
use voxel_inputs::{map_name, read_space, require_n_columns, require_same_space};

use crate::place::{Columns, place};
use crate::region::{Rule, VoxelSet, find};
use crate::subject_maps::SubjectMaps;
use crate::surfaces::{Surfaces, record_neighbours, size_cells, size_columns};

const HELP: &str = "\
Steps (Fedorenko et al. 2010, as spm_ss and funROI have them):
  a voxel counts for a subject whose map is greater than --t there (or among the --top); the share of
  subjects that count is smoothed with SPM's kernel (--fwhm); voxels below --voxel-overlap are left
  out; a watershed makes parcels of the rest, from the highest voxel down over 26 neighbours, with
  borders one voxel wide between them; parcels in which fewer than --parcel-overlap of the subjects
  have a voxel, or of fewer than --min-size voxels, are left out.
On a surface (--surface; of CIFTI one mesh per hemisphere) the share is smoothed along the mesh by the
heat kernel of that width, whose integral over the area stays what it was, and neighbours share an
edge; nothing flows between hemispheres and structures, nor over the edge of the cortex of a CIFTI file.
Maps of p < .001 of t with 15 degrees of freedom: --t 3.733. Masks of 0 and 1: --t 0.

Output, one row per parcel, in the order in which the watershed met them:
  parcel (its number in the image; those left out leave gaps), n_voxels, mm3 (of vertices mm2)
  n_subjects (with a voxel that counts in it), share (of all subjects)
  overlap_max (largest share of subjects in a voxel), smoothed_max
  voxel, i, j, k, x, y, z (of the largest smoothed share; of vertices structure and vertex)
-o X.nii, X.nii.gz, X.mgz, X.label.gii or X.dscalar.nii takes the image of parcels and the table stays on stdout; any other -o takes the
table. `fmri-roi define --parcels X.nii.gz` finds each subject's region in them.

Examples:
  fmri-roi gss --t 3.1 sub-*_t.nii.gz -o parcels.nii.gz > parcels.csv
  fmri-roi gss --top 10% --fwhm 6 sub-*_t.nii.gz -o parcels.nii.gz > parcels.csv
  fmri-roi gss --t 0 --parcel-overlap 0.8 --min-size 20 sub-*_mask.nii.gz -o parcels.csv";

/// Options of `gss`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Gss {
    /// One map per subject: images, volumes, or rows of .npy streams (- is stdin)
    #[arg(value_name = "FILE", default_value = "-")]
    inputs: Vec<Input>,
    /// A voxel counts for a subject whose map is greater than this there
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = localizer::parse_threshold,
        required_unless_present = "top")]
    t: Option<f64>,
    /// The voxels with the highest values of each map count: so many, or this percentage; ties by voxel number
    #[arg(long, value_name = "N|P%")]
    top: Option<Top>,
    /// Full width at half maximum of the smoothing, in mm
    #[arg(long, value_name = "MM", default_value_t = 8.0, value_parser = width)]
    fwhm: f64,
    /// Smallest smoothed share of subjects in a voxel of a parcel
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
    voxel_overlap: f64,
    /// Smallest share of subjects that have a voxel in the parcel
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    parcel_overlap: f64,
    /// Smallest number of voxels of a parcel
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_size: usize,
    #[command(flatten)]
    surfaces: Surfaces,
    /// Image or surface map whose geometry .npy maps have
    #[arg(long, value_name = "IMAGE")]
    like: Option<Input>,
    /// Format of the table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

fn width(text: &str) -> Result<f64, String> {
    match localizer::parse_threshold(text)? {
        mm if (0.0..=1000.0).contains(&mm) => Ok(mm),
        mm => Err(format!("{mm} is no width in mm from 0 to 1000")),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match localizer::parse_threshold(text)? {
        share if (0.0..=1.0).contains(&share) => Ok(share),
        share => Err(format!("{share} is no share from 0 to 1 (10 % is .1)")),
    }
}

/// A parcel and who has a voxel in it.
struct Parcel {
    label: u32,
    voxels: Vec<usize>,
    n_subjects: usize,
}

/// Runs the verb.
pub(crate) fn run(args: Gss) -> Result<()> {
    let job = Job::start("fmri-roi", &args.common)?;
    let image_name = args.common.output.as_deref().and_then(map_name);
    let image_out = image_name.map(|_| job.binary_output(args.common.output.as_deref())).transpose()?;
    let table_out = job.text_output(args.common.output.as_deref().filter(|_| image_name.is_none()))?;
    let like = args.like.as_ref().map(|input| read_space(&job, input)).transpose()?;

    let rule =
        Rule { t: args.t, side: Side::Greater, min_cluster: None, connectivity: Connectivity::Corners, top: args.top };
    let mut whole = VoxelSet { name: String::new(), voxels: Vec::new() };
    let mut subjects: Vec<Vec<usize>> = Vec::new();
    let maps = SubjectMaps::read(&job, &args.inputs, |maps, _| {
        if whole.voxels.is_empty() {
            // What is held of every voxel: its number, its value, and whether and how high it counts.
            let what = format!("{}: maps of {} voxels", args.inputs[0], maps.ncols());
            require_memory(what, 48 * maps.ncols() as u128, "take a part of the image")?;
            whole.voxels.extend(0..maps.ncols());
        }
        for map in maps.rows() {
            let map = map.to_vec();
            subjects.push(find(&whole, &map, None, &rule).voxels);
        }
        Ok(())
    })?;
    let mut space = match (&maps.space, &args.like, like) {
        (Some(space), Some(input), Some(like)) => {
            require_same_space((&maps.name, space), (&input.to_string(), &like))?;
            like
        }
        (Some(space), ..) => space.clone(),
        (None, Some(input), Some(like)) => {
            require_n_columns((&maps.name, maps.n_voxels), (&input.to_string(), &like))?;
            like
        }
        _ => bail!("{}: .npy maps do not say where their voxels are; give --like IMAGE", maps.name),
    };
    let layout = args.surfaces.layout(&job, &maps.name, &mut space, "gss")?;
    if let Some(refusal) = image_name.and_then(|format| format.refusal(&space)) {
        bail!("{}: {refusal}", maps.name);
    }
    if maps.n_maps < 2 {
        bail!("{}: {} map; parcels of a group need at least 2 subjects", maps.name, maps.n_maps);
    }
    let empty = subjects.iter().filter(|voxels| voxels.is_empty()).count();
    if empty > 0 {
        job.warn(format!("{}: {empty} of {} subjects have no voxel that counts", maps.name, subjects.len()));
    }

    let mut overlap = vec![0.0; maps.n_voxels];
    subjects.iter().flatten().for_each(|&voxel| overlap[voxel] += 1.0);
    overlap.iter_mut().for_each(|sum| *sum /= subjects.len() as f64);
    let smooth = layout.smoothed(&overlap, args.fwhm);
    let inside: Vec<usize> = (0..smooth.len()).filter(|&voxel| smooth[voxel] >= args.voxel_overlap).collect();
    let heights: Vec<f64> = inside.iter().map(|&voxel| smooth[voxel]).collect();
    let adjacency = layout.adjacency(&inside, Connectivity::Corners);
    let labels = watershed(&adjacency, &heights, |point| layout.rank(inside[point]));
    let all = parcels(&inside, &labels, &subjects, maps.n_voxels);
    let n_all = all.len();
    let least = args.parcel_overlap * subjects.len() as f64;
    // A share that is met but for the rounding of the product is met.
    let kept: Vec<Parcel> =
        all.into_iter().filter(|p| p.n_subjects as f64 >= least - 1e-9 && p.voxels.len() >= args.min_size).collect();

    job.record("n", subjects.len());
    job.record("t_above", args.t);
    job.record("fwhm_mm", args.fwhm);
    job.record("voxel_overlap", args.voxel_overlap);
    job.record("parcel_overlap", args.parcel_overlap);
    record_neighbours(&job, Some(&space), Connectivity::Corners);
    job.record("smoothing", smoothing(&layout));
    let line = format!(
        "{}: {} parcels over {} subjects; {} more have too few subjects or voxels",
        maps.name,
        kept.len(),
        subjects.len(),
        n_all - kept.len()
    );
    if kept.is_empty() {
        job.warn(line)
    } else {
        job.note(line)
    }

    if let (Some(format), Some(mut out)) = (image_name, image_out) {
        let mut image = vec![0u32; maps.n_voxels];
        for parcel in &kept {
            parcel.voxels.iter().for_each(|&voxel| image[voxel] = parcel.label);
        }
        let names: Vec<(u32, String)> = kept.iter().map(|parcel| (parcel.label, parcel.label.to_string())).collect();
        let names: Vec<(u32, &str)> = names.iter().map(|(label, name)| (*label, name.as_str())).collect();
        write_regions(&mut out, format, &image, &names, &space)?;
        out.commit(&job)?;
    }
    let mut columns = vec!["parcel", "n_voxels"];
    columns.extend(size_columns(Some(&space)));
    columns.extend(["n_subjects", "share", "overlap_max", "smoothed_max"]);
    columns.extend(Columns::of(Some(&space)).names());
    let mut table = TableWriter::new(table_out, args.format, &columns)?;
    for parcel in &kept {
        table.record(&row(parcel, &overlap, &smooth, subjects.len(), (&space, &layout)))?;
    }
    table.into_inner().commit(&job)
}

/// How the map of shares was smoothed, for the record.
fn smoothing(layout: &Layout) -> &'static str {
    if layout.has_vertices() { "heat kernel along the mesh, SPM's kernel of voxels" } else { "SPM's kernel" }
}

/// The parcels by number, with the subjects that have a voxel in each.
fn parcels(inside: &[usize], labels: &[u32], subjects: &[Vec<usize>], n_voxels: usize) -> Vec<Parcel> {
    let n = labels.iter().copied().max().unwrap_or(0);
    let mut parcels: Vec<Parcel> = (1..=n).map(|label| Parcel { label, voxels: Vec::new(), n_subjects: 0 }).collect();
    let mut label_of = vec![0u32; n_voxels];
    for (&voxel, &label) in inside.iter().zip(labels).filter(|(_, label)| **label > 0) {
        parcels[label as usize - 1].voxels.push(voxel);
        label_of[voxel] = label;
    }
    for voxels in subjects {
        let mut has = vec![false; n as usize];
        voxels.iter().filter(|&&voxel| label_of[voxel] > 0).for_each(|&voxel| has[label_of[voxel] as usize - 1] = true);
        parcels.iter_mut().zip(has).for_each(|(parcel, has)| parcel.n_subjects += usize::from(has));
    }
    parcels
}

fn row(
    parcel: &Parcel,
    overlap: &[f64],
    smooth: &[f64],
    n_subjects: usize,
    (space, layout): (&Space, &Layout),
) -> Vec<Named<'static>> {
    let highest = |map: &[f64]| {
        let higher = |a: &usize, b: &usize| map[*a].total_cmp(&map[*b]).then(b.cmp(a));
        parcel.voxels.iter().copied().max_by(higher)
    };
    let top = highest(smooth);
    let mut cells: Vec<Named> =
        vec![("parcel", (parcel.label as usize).into()), ("n_voxels", parcel.voxels.len().into())];
    cells.extend(size_cells(&parcel.voxels, Some(space), Some(layout)));
    cells.extend([
        ("n_subjects", parcel.n_subjects.into()),
        ("share", (parcel.n_subjects as f64 / n_subjects as f64).into()),
        ("overlap_max", highest(overlap).map(|voxel| overlap[voxel]).into()),
        ("smoothed_max", top.map(|voxel| smooth[voxel]).into()),
    ]);
    cells.extend(place(top, Some(space)));
    cells
}
