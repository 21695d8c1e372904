//! `fmri-roi extract`: betas and regions to one labelled matrix per region.

use std::collections::HashSet;

use anyhow::{Context, Result, bail};
use cli::{Input, Job, Output};
use labelled_inputs::read_table;
use ndarray::ArrayView2;
use npy_stream::{Block, Dtype, Float, NpyError, RowWriter, Values};
use stimulus_table::Table;

use crate::args::ExtractArgs;
use crate::define::{choose, read_names};
use crate::region::{ParcelError, VoxelSet, parcels};
use nifti_volume::geometry::{AFFINE_TOLERANCE_MM, Geometry};
use voxel_inputs::{Source, is_double, map_of, open, open_numbers, require_n_voxels, require_same_grid};

/// Values read at a time.
const BLOCK_VALUES: usize = 1 << 20;

/// The regions asked for, and what they say about the grid they come from.
struct Regions {
    name: String,
    sets: Vec<VoxelSet>,
    grid: Grid,
}

enum Grid {
    /// The geometry of the mask.
    Mask(Geometry),
    /// Voxel, place and millimetres of the rows of a table that has them.
    Rows(Vec<(usize, [usize; 3], [f64; 3])>),
    Unknown,
}

/// One matrix of betas, cut to the regions.
struct Cut {
    n_rows: usize,
    /// Values of each region, row by row.
    regions: Vec<Values>,
    labels: Option<Vec<String>>,
}

impl Cut {
    fn new(regions: &Regions, double: bool) -> Self {
        let empty = || if double { Values::F8(Vec::new()) } else { Values::F4(Vec::new()) };
        Cut { n_rows: 0, regions: regions.sets.iter().map(|_| empty()).collect(), labels: None }
    }

    /// Adds one row of all voxels, keeping those of the regions.
    fn push<T: Copy + Into<f64>>(&mut self, regions: &Regions, value: impl Fn(usize) -> T) {
        self.n_rows += 1;
        for (set, kept) in regions.sets.iter().zip(&mut self.regions) {
            match kept {
                Values::F4(kept) => kept.extend(set.voxels.iter().map(|&voxel| value(voxel).into() as f32)),
                Values::F8(kept) => kept.extend(set.voxels.iter().map(|&voxel| value(voxel).into())),
            }
        }
    }
}

/// Runs the verb.
pub fn run(args: ExtractArgs) -> Result<()> {
    let job = Job::start("fmri-roi", &args.common)?;
    let mut out = Output::binary(args.common.output.as_deref())?;
    let regions = read_regions(&job, &args)?;
    let ids = args.stimuli.as_ref().map(|table| read_ids(&job, table)).transpose()?;

    let cuts = cut(&job, &args.betas, &regions, ids)?;
    for cut in &cuts {
        for (set, values) in regions.sets.iter().zip(&cut.regions) {
            let shape = (cut.n_rows, set.voxels.len());
            match values {
                Values::F4(values) => write(&mut out, &ArrayView2::from_shape(shape, values)?, args.dtype, cut)?,
                Values::F8(values) => write(&mut out, &ArrayView2::from_shape(shape, values)?, args.dtype, cut)?,
            }
        }
    }
    let names: Vec<&str> = regions.sets.iter().map(|set| set.name.as_str()).collect();
    job.record("regions", names);
    out.commit(&job)?;
    for set in regions.sets.iter().filter(|set| set.voxels.is_empty()) {
        job.warn(format!("{}: region {:?} has 0 voxels; its matrix has 0 columns", regions.name, set.name));
    }
    Ok(())
}

fn write<T: Float>(out: &mut Output, values: &ArrayView2<'_, T>, dtype: Option<Dtype>, cut: &Cut) -> Result<()> {
    let mut rows = RowWriter::new(out, values.nrows(), values.ncols(), dtype.unwrap_or(T::DTYPE))?;
    rows.write_rows(*values)?;
    rows.finish(cut.labels.as_deref())?;
    Ok(())
}

fn read_regions(job: &Job, args: &ExtractArgs) -> Result<Regions> {
    let name = args.roi.to_string();
    let (sets, grid) = match open(job, &args.roi)? {
        Source::Other(reader) => {
            if args.labels.is_some() {
                bail!("{name}: a table names its regions itself; --labels is for a mask");
            }
            let table = Table::read(reader).with_context(|| name.clone())?;
            regions_of_table(&table).with_context(|| name.clone())?
        }
        mask => {
            let mask = map_of(&args.roi, mask)?;
            let names = args.labels.as_ref().map(|table| read_names(job, table)).transpose()?;
            let sets = match parcels(&mask.values, names.as_deref()) {
                Err(ParcelError::Empty { .. }) => Vec::new(),
                sets => sets.with_context(|| name.clone())?,
            };
            (sets, mask.geometry.map_or(Grid::Unknown, Grid::Mask))
        }
    };
    let sets = match sets.as_slice() {
        // define found nothing, so there is a header line alone, or a mask of zeros: an empty region, not a mistake.
        [] if args.name.is_empty() => vec![VoxelSet { name: "roi".into(), voxels: Vec::new() }],
        [] => args.name.iter().map(|name| VoxelSet { name: name.clone(), voxels: Vec::new() }).collect(),
        _ => choose(sets, &args.name, &name)?,
    };
    Ok(Regions { name, sets, grid })
}

/// Regions in the order in which a table names them, voxels in the order of its rows.
fn regions_of_table(table: &Table) -> Result<(Vec<VoxelSet>, Grid)> {
    let voxels = table.indices("voxel")?;
    let names = if table.has("roi") { Some(table.column("roi")?) } else { None };
    let mut sets: Vec<VoxelSet> = Vec::new();
    let mut seen = HashSet::new();
    for (row, &voxel) in voxels.iter().enumerate() {
        let name = names.map_or("roi", |names| names[row].as_str());
        let number = match sets.iter().position(|set| set.name == name) {
            Some(number) => number,
            None => {
                sets.push(VoxelSet { name: name.into(), voxels: Vec::new() });
                sets.len() - 1
            }
        };
        if !seen.insert((number, voxel)) {
            bail!("row {row}: voxel {voxel} stands in region {name:?} twice");
        }
        sets[number].voxels.push(voxel);
    }
    let stated =
        |column: &str| table.column(column).is_ok_and(|cells| cells.first().is_some_and(|cell| !cell.is_empty()));
    if !["i", "j", "k", "x", "y", "z"].iter().all(|column| stated(column)) {
        return Ok((sets, Grid::Unknown));
    }
    let [i, j, k] = [table.indices("i")?, table.indices("j")?, table.indices("k")?];
    let [x, y, z] = [table.numbers("x")?, table.numbers("y")?, table.numbers("z")?];
    let rows = (0..voxels.len()).map(|row| (voxels[row], [i[row], j[row], k[row]], [x[row], y[row], z[row]])).collect();
    Ok((sets, Grid::Rows(rows)))
}

/// Ids of rows that carry none: trials, so they may repeat.
fn read_ids(job: &Job, input: &Input) -> Result<Vec<String>> {
    let table = read_table(job, input)?;
    let column = ["stimulus", "stimulus_id", "path"].into_iter().find(|column| table.has(column)).unwrap_or("stimulus");
    Ok(table.column(column).with_context(|| input.to_string())?.to_vec())
}

/// Reads the betas once, keeping the regions' voxels only.
fn cut(job: &Job, input: &Input, regions: &Regions, ids: Option<Vec<String>>) -> Result<Vec<Cut>> {
    let name = input.to_string();
    let count_ids = |n_rows: usize, what: &str| match &ids {
        Some(ids) if ids.len() != n_rows => {
            bail!("{name}: {n_rows} {what}, but --stimuli has {} rows; one row for each", ids.len())
        }
        _ => Ok(()),
    };
    match open_numbers(job, input)? {
        Source::Nifti(mut image) => {
            check_grid(&name, image.geometry(), regions)?;
            count_ids(image.n_volumes(), "volumes")?;
            let mut cut = Cut::new(regions, is_double(&image));
            let progress = job.progress(image.n_volumes(), "volumes");
            let mut voxels = Vec::new();
            while image.next_volume(&mut voxels).with_context(|| name.clone())? {
                cut.push(regions, |voxel| voxels[voxel]);
                progress.advance(1);
            }
            cut.labels = ids;
            Ok(vec![cut])
        }
        Source::Npy(mut reader) => {
            let mut cuts = Vec::new();
            while let Some(mut array) = reader.next_array().with_context(|| name.clone())? {
                let (n_rows, n_voxels) = array.matrix_shape().with_context(|| name.clone())?;
                check_columns(&name, n_voxels, regions)?;
                count_ids(n_rows, "rows")?;
                let mut cut = Cut::new(regions, array.kind().is_double());
                let n_block = (BLOCK_VALUES / n_voxels.max(1)).max(1);
                while let Some(block) = array.next_rows(n_block).with_context(|| name.clone())? {
                    match block {
                        Block::F4(values) => values.rows().into_iter().for_each(|row| cut.push(regions, |v| row[v])),
                        Block::F8(values) => values.rows().into_iter().for_each(|row| cut.push(regions, |v| row[v])),
                    }
                }
                cut.labels = array.finish().with_context(|| name.clone())?;
                match (&cut.labels, &ids) {
                    (Some(labels), Some(_)) => {
                        bail!("{name}: the {} rows carry ids already; leave --stimuli away", labels.len())
                    }
                    (None, Some(ids)) => cut.labels = Some(ids.clone()),
                    _ => {}
                }
                cuts.push(cut);
            }
            if cuts.is_empty() {
                return Err(NpyError::Empty).with_context(|| name);
            }
            Ok(cuts)
        }
        Source::Other(_) => bail!("{name}: neither a NIfTI image nor a .npy array"),
    }
}

/// A region must lie on the grid of the betas: same geometry as the mask, or every row's voxel where the table says.
fn check_grid(betas: &str, grid: &Geometry, regions: &Regions) -> Result<()> {
    check_columns(betas, grid.n_voxels(), regions)?;
    match &regions.grid {
        Grid::Mask(mask) => require_same_grid((&regions.name, mask), (betas, grid)),
        Grid::Rows(rows) => {
            for (row, &(voxel, place, millimetres)) in rows.iter().enumerate() {
                let (here, there) = (grid.place(voxel), grid.millimetres(grid.place(voxel)));
                let close = millimetres.iter().zip(there).all(|(a, b)| (a - b).abs() <= AFFINE_TOLERANCE_MM);
                if place != here || !close {
                    bail!(
                        "{}: row {row}: voxel {voxel} is at {place:?}, {millimetres:?} mm, but in {betas} it is at {here:?}, \
                         {there:?} mm; the regions were defined on another grid",
                        regions.name
                    );
                }
            }
            Ok(())
        }
        Grid::Unknown => Ok(()),
    }
}

fn check_columns(betas: &str, n_voxels: usize, regions: &Regions) -> Result<()> {
    if let Grid::Mask(mask) = &regions.grid {
        require_n_voxels((betas, n_voxels), (&regions.name, mask))?;
    }
    for set in &regions.sets {
        if let Some(&voxel) = set.voxels.iter().find(|&&voxel| voxel >= n_voxels) {
            bail!("{}: region {:?} has voxel {voxel}, but {betas} has {n_voxels} voxels", regions.name, set.name);
        }
    }
    Ok(())
}
