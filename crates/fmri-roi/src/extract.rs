//! `fmri-roi extract`: betas and regions to one labelled matrix per region.

use std::collections::{BTreeSet, HashSet};
use std::io::BufRead;

use anyhow::{Context, Result, bail};
use array_inputs::{Next, read_table};
use cli::{Common, Input, Job, Output};
use ndarray::ArrayView2;
use npy_stream::{Block, Dtype, Float, Labels, RowWriter, Values};
use stimulus_table::{Table, is_missing, number};

use crate::region::{VoxelSet, parcels};
use crate::resample::Resample;
use crate::search::choose;
use brain_formats::Space;
use brain_formats::space::Place;
use voxel_inputs::{
    Arrays, Given, Source, Volumes, label_in, labels_in, looks_like_label, open, open_all, read_label_names,
    require_n_columns, require_same_space,
};

const HELP: &str = "\
Input:
  Betas, and regions: a table with the columns roi and voxel (as define writes it), or a mask whose
  whole numbers are the regions (label files and .annot name them), or FreeSurfer's label of one region
  (.label), which is called by its file. A mask, or a table with
  coordinates or vertices, from another grid or surface than an image's is refused (--resample nearest
  brings a mask onto the grid of the betas); a .npy only knows its number of voxels. HDF5 betas are
  named FILE.hdf5:/DATASET, with [/300] behind it if the numbers are to be divided and [trials=last]
  if the trials are not the first axis.

Output:
  One matrix per region, back to back in the order of --name, else of the table: rows = trials or
  conditions with their ids, columns = the region's voxels in the order of the table. Behind each
  stands the name of its region (and of its voxels, where those of a .npy have names). Of a stream of
  several matrices, all regions of the first come first; all images together are one matrix. Only
  the voxels of the regions are held in memory.

Examples:
  fmri-roi extract betas.npy --roi ffa.csv > ffa.npy
  fmri-roi extract betas.npy --roi regions.csv --name FFA --name OFA > ffa_ofa.npy
  fmri-roi extract betas.nii.gz --roi ffa.nii.gz --stimuli trials.csv --assume-order > ffa.npy";

/// Options of `extract`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Extract {
    /// Betas: .npy, or images (NIfTI, MGH, GIFTI, CIFTI, HDF5), whose volumes follow one another (- is stdin)
    #[arg(value_name = "BETAS", default_value = "-")]
    betas: Vec<Input>,
    /// Regions: table with roi and voxel, or a mask, label file, .annot or .label
    #[arg(long, value_name = "TABLE|MASK")]
    roi: Input,
    /// Names of the numbers of a mask: a table with index and name (BIDS _dseg.tsv), or a FreeSurfer .ctab
    #[arg(long, value_name = "TABLE")]
    labels: Option<Input>,
    #[command(flatten)]
    resample: Resample,
    /// Only this region (may be given again)
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// Table whose row i names row i of betas that carry no ids (needs --assume-order); ids may repeat
    #[arg(long, value_name = "TABLE", requires = "assume_order")]
    stimuli: Option<Input>,
    /// Row i of the betas is row i of --stimuli
    #[arg(long, requires = "stimuli")]
    assume_order: bool,
    /// Element type of the output: f4, or f8 (default: f8 when the betas are)
    #[arg(long)]
    dtype: Option<Dtype>,
    #[command(flatten)]
    common: Common,
}

/// What a region is called that has no name.
const NAMELESS: &str = "roi";
/// Values read at a time.
const BLOCK_VALUES: usize = 1 << 20;

/// The regions asked for, and what they say about the grid they come from.
struct Regions {
    name: String,
    sets: Vec<VoxelSet>,
    grid: Grid,
}

enum Grid {
    /// The columns of the mask.
    Mask(Space),
    /// The rows of a table that say where their voxels are.
    Rows(Vec<Placed>),
    /// Vertices of a surface, which one is not said.
    Vertices,
    Unknown,
}

/// Where a row of a table says that its voxel is; what it does not say is `None`.
struct Placed {
    row: usize,
    voxel: usize,
    grid: Option<[usize; 3]>,
    millimetres: Option<[f64; 3]>,
    structure: Option<String>,
    vertex: Option<usize>,
    parcel: Option<String>,
}

impl Placed {
    fn place(&self) -> Place<'_> {
        Place {
            structure: self.structure.as_deref(),
            vertex: self.vertex,
            grid: self.grid,
            millimetres: self.millimetres,
            parcel: self.parcel.as_deref(),
        }
    }
}

/// One matrix of betas, cut to the regions.
struct Cut {
    n_rows: usize,
    /// Values of each region, row by row.
    regions: Vec<Values>,
    labels: Labels,
}

impl Cut {
    fn new(regions: &Regions, double: bool) -> Self {
        let empty = || if double { Values::F8(Vec::new()) } else { Values::F4(Vec::new()) };
        Cut { n_rows: 0, regions: regions.sets.iter().map(|_| empty()).collect(), labels: Labels::default() }
    }

    /// Keeps f8 from now on; what f4 held it held exactly.
    fn widen(&mut self) {
        for kept in &mut self.regions {
            if let Values::F4(values) = kept {
                *kept = Values::F8(values.iter().copied().map(f64::from).collect());
            }
        }
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
pub(crate) fn run(args: Extract) -> Result<()> {
    let job = Job::start("fmri-roi", &args.common)?;
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let given = open_all(&job, &args.betas)?;
    let regions = match &given {
        Given::Volumes(volumes) => read_regions(&job, &args, (volumes.source(), Some(volumes.space())))?,
        Given::Arrays(_) => read_regions(&job, &args, (&args.betas[0].to_string(), None))?,
    };
    let ids = args.stimuli.as_ref().map(|table| read_ids(&job, table)).transpose()?;

    let cuts = cut(given, &regions, ids)?;
    for cut in &cuts {
        for (set, values) in regions.sets.iter().zip(&cut.regions) {
            let shape = (cut.n_rows, set.voxels.len());
            match values {
                Values::F4(values) => write(&mut out, &ArrayView2::from_shape(shape, values)?, args.dtype, cut, set)?,
                Values::F8(values) => write(&mut out, &ArrayView2::from_shape(shape, values)?, args.dtype, cut, set)?,
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

fn write<T: Float>(
    out: &mut Output,
    values: &ArrayView2<'_, T>,
    dtype: Option<Dtype>,
    cut: &Cut,
    set: &VoxelSet,
) -> Result<()> {
    let mut rows = RowWriter::new(out, values.nrows(), values.ncols(), dtype.unwrap_or(T::DTYPE))?;
    rows.write_rows(*values)?;
    let names = cut.labels.columns.as_ref();
    let labels = Labels {
        ids: cut.labels.ids.clone(),
        columns: names.map(|names| set.voxels.iter().map(|&voxel| names[voxel].clone()).collect()),
        name: Some(set.name.clone()).filter(|name| name != NAMELESS),
    };
    rows.finish(&labels)?;
    Ok(())
}

fn read_regions(job: &Job, args: &Extract, (betas, space): (&str, Option<&Space>)) -> Result<Regions> {
    let name = args.roi.to_string();
    let (sets, grid) = match open(job, &args.roi)? {
        Source::Other(reader) => {
            if args.labels.is_some() {
                bail!("{name}: a table names its regions itself; --labels is for a mask");
            }
            args.resample.require(false, "a mask, and --roi is a table or a label")?;
            let mut reader = std::io::BufReader::with_capacity(1 << 16, reader);
            if looks_like_label(reader.fill_buf().with_context(|| name.clone())?) {
                let (name, voxels) = label_in(&args.roi, reader)?;
                (vec![VoxelSet { name, voxels }], Grid::Vertices)
            } else {
                let table = Table::read(reader).with_context(|| name.clone())?;
                regions_of_table(&table).with_context(|| name.clone())?
            }
        }
        Source::Numbers(mask) => {
            let mask = labels_in(job, &args.roi, mask)?;
            let mask = args.resample.onto(job, (&name, mask), (betas, space))?;
            let names = args.labels.as_ref().map(|table| read_label_names(job, table)).transpose()?;
            // No parcel is an empty region here.
            let names = names.or(mask.names);
            let sets = parcels(&mask.labels, names.as_deref()).unwrap_or_default();
            (sets, mask.space.map_or(Grid::Unknown, Grid::Mask))
        }
    };
    let sets = match sets.as_slice() {
        // define found nothing, so there is a header line alone, or a mask of zeros: an empty region, not a mistake.
        [] if args.name.is_empty() => vec![VoxelSet { name: NAMELESS.into(), voxels: Vec::new() }],
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
        let name = names.map_or(NAMELESS, |names| names[row].as_str());
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
    let rows = places_of_table(table, &voxels)?;
    Ok((sets, if rows.is_empty() { Grid::Unknown } else { Grid::Rows(rows) }))
}

/// Where the rows of a table say that their voxels are: i to k and x to z together, and structure, vertex and parcel
/// each where there is such a column. A row that says nothing is left out.
fn places_of_table(table: &Table, voxels: &[usize]) -> Result<Vec<Placed>> {
    let (axes, directions) = (["i", "j", "k"], ["x", "y", "z"]);
    let columns = |names: &[&'static str]| match names.iter().all(|column| table.has(column)) {
        true => names.iter().map(|column| table.column(column)).collect::<Result<Vec<_>, _>>().map(Some),
        false => Ok(None),
    };
    let (indices, positions) = (columns(&axes)?, columns(&directions)?);
    let [structures, vertices, parcels] = [columns(&["structure"])?, columns(&["vertex"])?, columns(&["parcel"])?];
    let mut rows = Vec::new();
    for (row, &voxel) in voxels.iter().enumerate() {
        let read = |cell: &String, column: &str, expected: &str, good: fn(f64) -> bool| -> Result<f64> {
            number(cell)
                .ok()
                .filter(|number| good(*number))
                .with_context(|| format!("row {row} of column {column:?} is {cell:?}; expected {expected}"))
        };
        // 3.0 is how a column of whole numbers with gaps is often written.
        let index = |cell: &String, column: &str| -> Result<usize> {
            Ok(read(cell, column, "a whole number from 0", |n| n >= 0.0 && n.fract() == 0.0)? as usize)
        };
        let text = |column: &Option<Vec<&[String]>>| {
            column.as_ref().map(|column| &column[0][row]).filter(|cell| !is_missing(cell)).cloned()
        };
        // A map without geometry has no places, and a row may lack its own.
        let there = |columns: &[&[String]]| !columns.iter().any(|column| is_missing(&column[row]));
        let (mut grid, mut millimetres) = (None, None);
        if let Some(cells) = indices.as_ref().filter(|cells| there(cells)) {
            let index = |axis: usize| index(&cells[axis][row], axes[axis]);
            grid = Some([index(0)?, index(1)?, index(2)?]);
        }
        if let Some(cells) = positions.as_ref().filter(|cells| there(cells)) {
            let mm = |axis: usize| read(&cells[axis][row], directions[axis], "a number", f64::is_finite);
            millimetres = Some([mm(0)?, mm(1)?, mm(2)?]);
        }
        let vertex = text(&vertices).map(|cell| index(&cell, "vertex")).transpose()?;
        let (structure, parcel) = (text(&structures), text(&parcels));
        let placed = Placed { row, voxel, grid, millimetres, structure, vertex, parcel };
        if placed.place() != Place::default() {
            rows.push(placed);
        }
    }
    Ok(rows)
}

/// Ids of rows that carry none: trials, so they may repeat.
fn read_ids(job: &Job, input: &Input) -> Result<Vec<String>> {
    let table = read_table(job, input)?;
    let column = ["stimulus", "stimulus_id", "path"].into_iter().find(|column| table.has(column)).unwrap_or("stimulus");
    Ok(table.column(column).with_context(|| input.to_string())?.to_vec())
}

/// Reads the betas once, keeping the regions' voxels only: one matrix of all volumes, or one of each array.
fn cut(given: Given<'_>, regions: &Regions, ids: Option<Vec<String>>) -> Result<Vec<Cut>> {
    match given {
        Given::Volumes(volumes) => Ok(vec![cut_volumes(volumes, regions, ids)?]),
        Given::Arrays(arrays) => cut_arrays(arrays, regions, ids),
    }
}

fn cut_volumes(mut volumes: Volumes<'_>, regions: &Regions, ids: Option<Vec<String>>) -> Result<Cut> {
    let of = ids.as_ref().map(|ids| (ids.len(), format!("--stimuli has {} rows; one row for each", ids.len())));
    check_space(volumes.source(), volumes.space(), regions)?;
    let wanted: BTreeSet<usize> = regions.sets.iter().flat_map(|set| set.voxels.iter().copied()).collect();
    volumes.keep(&wanted.into_iter().collect::<Vec<_>>())?;
    let mut cut = Cut::new(regions, false);
    let mut voxels = Vec::new();
    loop {
        if let Some((n, of)) = &of {
            volumes.require(*n, of)?;
        }
        if !volumes.next_volume(&mut voxels)? {
            break;
        }
        if volumes.is_double() {
            cut.widen();
        }
        cut.push(regions, |voxel| voxels[voxel]);
    }
    if let Some((n, of)) = &of {
        volumes.require_all(*n, of)?;
    }
    cut.labels.ids = ids;
    if let Space::Parcels(all) = volumes.space() {
        cut.labels.columns = Some(all.parcels.iter().map(|parcel| parcel.name.clone()).collect());
    }
    Ok(cut)
}

fn cut_arrays(arrays: Arrays<'_>, regions: &Regions, ids: Option<Vec<String>>) -> Result<Vec<Cut>> {
    let mut cuts = Vec::new();
    arrays.each(|Next { source: name, mut array, .. }| {
        let (n_rows, n_voxels) = array.matrix_shape().with_context(|| name.clone())?;
        check_columns(&name, n_voxels, regions)?;
        if let Some(ids) = ids.as_ref().filter(|ids| ids.len() != n_rows) {
            bail!("{name}: {n_rows} rows, but --stimuli has {} rows; one row for each", ids.len());
        }
        let mut cut = Cut::new(regions, array.kind().is_double());
        let n_block = (BLOCK_VALUES / n_voxels.max(1)).max(1);
        while let Some(block) = array.next_rows(n_block).with_context(|| name.clone())? {
            match block {
                Block::F4(values) => values.rows().into_iter().for_each(|row| cut.push(regions, |v| row[v])),
                Block::F8(values) => values.rows().into_iter().for_each(|row| cut.push(regions, |v| row[v])),
            }
        }
        cut.labels = array.finish().with_context(|| name.clone())?;
        match (&cut.labels.ids, &ids) {
            (Some(labels), Some(_)) => {
                bail!("{name}: the {} rows carry ids already; leave --stimuli away", labels.len())
            }
            (None, Some(ids)) => cut.labels.ids = Some(ids.clone()),
            _ => {}
        }
        cuts.push(cut);
        Ok(())
    })?;
    Ok(cuts)
}

/// A region must lie on the grid or surface of the betas: the same columns as the mask, or every row's voxel where the
/// table says.
fn check_space(betas: &str, space: &Space, regions: &Regions) -> Result<()> {
    check_columns(betas, space.n_columns(), regions)?;
    match &regions.grid {
        Grid::Mask(mask) => require_same_space((&regions.name, mask), (betas, space)),
        Grid::Rows(rows) => {
            for placed in rows {
                let Placed { row, voxel, .. } = placed;
                let mut stated = placed.place();
                let here = space.place(*voxel);
                if let (Space::Unplaced(_), None, Some(mm)) = (space, stated.grid, stated.millimetres) {
                    bail!(
                        "{}: row {row}: voxel {voxel} is at {mm:?} mm and has no i, j, k, but {betas} has voxels without an affine; \
                         give the regions as an image, or with the columns i, j, k",
                        regions.name
                    );
                }
                // A surface that does not say which one it is may be any.
                if stated.structure.is_none() || here.structure.is_none() {
                    stated.structure = here.structure;
                }
                // A table of millimetres alone is one of a volume, whose voxels have indices too.
                if stated.grid.is_none() && stated.millimetres.is_some() && here.millimetres.is_some() {
                    stated.grid = here.grid;
                }
                // In CIFTI a voxel has a structure; in the table of a volume it has none.
                if !stated.is_at(&here) {
                    bail!(
                        "{}: row {row}: voxel {voxel} is {}, but in {betas} it is {here}; the regions were defined on another \
                         grid or surface",
                        regions.name,
                        placed.place()
                    );
                }
            }
            Ok(())
        }
        Grid::Vertices if !matches!(space, Space::Surface(_)) => {
            bail!("{}: a FreeSurfer label lists vertices of one surface, but {betas} has {space}", regions.name)
        }
        Grid::Vertices | Grid::Unknown => Ok(()),
    }
}

fn check_columns(betas: &str, n_voxels: usize, regions: &Regions) -> Result<()> {
    if let Grid::Mask(mask) = &regions.grid {
        require_n_columns((betas, n_voxels), (&regions.name, mask))?;
    }
    for set in &regions.sets {
        if let Some(&voxel) = set.voxels.iter().find(|&&voxel| voxel >= n_voxels) {
            bail!("{}: region {:?} has voxel {voxel}, but {betas} has {n_voxels} voxels", regions.name, set.name);
        }
    }
    Ok(())
}
