//! Regions that are outlined: from a table of voxels, a label image, or labels of a surface.

use super::maps::{by_name, name};
use anyhow::{Context, Result, bail};
use brain_formats::Space;
use brain_formats::space::Place;
use cli::{Input, Job};
use drawing::outline::{outlines, simplified};
use drawing::style::{self, CATEGORIES, Colour};
use drawing::{Key, LegendItem, Line, Path, Stroke};
use stimulus_table::{Table, is_missing, number};
use voxel_inputs::{Source, labels_in, open, read_label_names, require_n_columns};

/// Regions over the columns of a space.
pub(super) struct Regions {
    /// Their names.
    pub(super) names: Vec<String>,
    /// What their columns are.
    pub(super) space: Space,
    /// Number of the region of each column, from 1, 0 in none; further layers hold regions that overlap with others.
    pub(super) layers: Vec<Vec<u32>>,
}

/// Colours that are neither those above 0 nor those below.
const COLOURS: [Colour; 6] = [style::INK, CATEGORIES[2], CATEGORIES[3], CATEGORIES[0], CATEGORIES[7], CATEGORIES[5]];

/// The look of region `k` of so many: colours where they are told apart, else one.
fn colour(k: usize, n: usize) -> Colour {
    if n <= COLOURS.len() { COLOURS[k] } else { style::INK }
}

/// Reads regions. A table and a `.npy` mask speak of the columns of a map; an image has a space of its own. Of several
/// maps a table speaks of the one whose structure it names, a mask of the first.
pub(super) fn read_regions(
    job: &Job,
    input: &Input,
    labels: Option<&Input>,
    maps: &[(&Input, &Space)],
) -> Result<Regions> {
    let map = maps[0];
    match open(job, input)? {
        Source::Other(reader) => {
            if labels.is_some() {
                bail!("{input}: a table names its regions itself; --labels is for a label image");
            }
            let table = Table::read(reader).with_context(|| input.to_string())?;
            let space = space_of_table(&table, maps).with_context(|| input.to_string())?;
            of_table(&table, &space).with_context(|| input.to_string())
        }
        Source::Numbers(numbers) => {
            let read = labels_in(job, input, numbers)?;
            let space = match read.space {
                Some(space) => space,
                None => {
                    let of_map = (map.0.to_string(), map.1);
                    require_n_columns((&input.to_string(), read.labels.len()), (&of_map.0, of_map.1))?;
                    map.1.clone()
                }
            };
            let mut named: Vec<(u32, String)> = match labels {
                Some(table) => read_label_names(job, table)?,
                None => read.names.unwrap_or_default(),
            };
            let mut occurring: Vec<u32> = read.labels.iter().copied().filter(|label| *label > 0).collect();
            occurring.sort_unstable();
            occurring.dedup();
            if occurring.is_empty() {
                bail!(
                    "{input}: all {} {} are outside (0 or below); there is no region",
                    read.labels.len(),
                    space.units()
                );
            }
            for label in &occurring {
                if named.iter().all(|(known, _)| known != label) {
                    named.push((*label, label.to_string()));
                }
            }
            named.retain(|(label, _)| occurring.binary_search(label).is_ok());
            // Labels of one name are one region.
            let mut names: Vec<String> = Vec::new();
            let mut numbers = std::collections::HashMap::new();
            for (label, name) in named {
                let place = names.iter().position(|other| *other == name).unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                });
                numbers.insert(label, u32::try_from(place + 1)?);
            }
            let layer = read.labels.iter().map(|label| numbers.get(label).copied().unwrap_or(0)).collect();
            Ok(Regions { names, space, layers: vec![layer] })
        }
    }
}

/// The space of the map that the rows of a table speak of; a surface has the structure that its file's name says where
/// the file itself does not.
fn space_of_table(table: &Table, maps: &[(&Input, &Space)]) -> Result<Space> {
    let named = |(input, space): &(&Input, &Space)| {
        let mut space = (*space).clone();
        if let Space::Surface(surface) = &mut space {
            let by_name = || by_name(input).map(|side| format!("CORTEX_{}", name(side).to_uppercase()));
            surface.structure = surface.structure.take().or_else(by_name);
        }
        space
    };
    let spaces: Vec<Space> = maps.iter().map(named).collect();
    if let [one] = &spaces[..] {
        return Ok(one.clone());
    }
    if !table.has("structure") {
        bail!(
            "no column structure, which would say of which of {} maps the rows are; define the region on a map that says \
             its structure (GIFTI), or draw one map",
            spaces.len()
        );
    }
    let mut structures: Vec<&String> = table.column("structure")?.iter().filter(|cell| !is_missing(cell)).collect();
    structures.sort();
    structures.dedup();
    let [structure] = structures[..] else {
        bail!("rows of {} structures; with a map for each hemisphere give a table for each", structures.len());
    };
    let is_it =
        |space: &&Space| matches!(space, Space::Surface(surface) if surface.structure.as_ref() == Some(structure));
    match spaces.iter().find(is_it) {
        Some(space) => Ok(space.clone()),
        None => bail!("rows of {structure}, of which no map is; draw its map too, or leave the table out"),
    }
}

/// A row that names another structure or vertex than the map's column has speaks of another map.
fn require_vertex(table: &Table, row: usize, place: &Place) -> Result<()> {
    let cell = |name: &str| -> Result<Option<String>> {
        Ok(match table.has(name) {
            true => Some(table.column(name)?[row].trim().to_owned()).filter(|cell| !is_missing(cell)),
            false => None,
        })
    };
    let (structure, vertex) = (cell("structure")?, cell("vertex")?);
    if place.grid.is_none() && place.vertex.is_some() && vertex.is_none() && cell("i")?.is_some() {
        bail!("row {row}: a voxel of a grid, but the map has vertices; define the regions on this map");
    }
    if let (Some(theirs), Some(mine)) = (&structure, place.structure)
        && theirs != mine
    {
        bail!(
            "row {row}: a place of {theirs}, but the map is of {mine} there; give the table that was made of this map"
        );
    }
    if let Some(theirs) = vertex
        && place.vertex.map(|mine| mine.to_string()).as_deref() != Some(theirs.as_str())
    {
        let mine = place.vertex.map_or("no vertex".to_owned(), |mine| format!("vertex {mine}"));
        bail!("row {row}: vertex {theirs}, but {mine} in the map; define the regions on this map");
    }
    Ok(())
}

/// The table of `fmri-roi define`: a row per voxel. Where it says the place of a voxel, the map must say the same.
fn of_table(table: &Table, space: &Space) -> Result<Regions> {
    if !table.has("roi") || !table.has("voxel") {
        bail!(
            "the columns are {}; regions are a table with the columns roi and voxel (`fmri-roi define`) or a label image",
            table.names().join(", ")
        );
    }
    let n = space.n_columns();
    let (rois, voxels) = (table.column("roi")?, table.column("voxel")?);
    let mut places = Vec::new();
    for names in [["i", "j", "k"], ["x", "y", "z"]] {
        if names.iter().all(|name| table.has(name)) {
            let columns = names.iter().map(|name| table.column(name)).collect::<Result<Vec<_>, _>>()?;
            places.push((names, columns));
        }
    }
    let mut regions = Regions { names: Vec::new(), space: space.clone(), layers: vec![vec![0; n]] };
    for (row, (roi, cell)) in rois.iter().zip(voxels).enumerate() {
        if is_missing(roi) || is_missing(cell) {
            continue;
        }
        let Some(voxel) = cell.trim().parse().ok().filter(|voxel: &usize| *voxel < n) else {
            bail!("row {row}: voxel {cell:?}; the map has {n} {}, counted from 0", space.units());
        };
        let place = space.place(voxel);
        require_vertex(table, row, &place)?;
        let of_map = [place.grid.map(|at| at.map(|v| v as f64)), place.millimetres];
        for ((names, columns), mine) in places.iter().zip(of_map) {
            let Some(mine) = mine else { continue };
            for ((name, column), mine) in names.iter().zip(columns).zip(mine) {
                let theirs = number(&column[row])
                    .map_err(|why| anyhow::anyhow!("row {row}, column {name}: {:?}: {why}", column[row]))?;
                // Millimetres of tables have the rounding of f4 headers.
                if theirs.is_finite() && (theirs - mine).abs() > 1e-2 {
                    bail!(
                        "row {row}: voxel {voxel} has {name} {theirs}, but {mine} in the map; they have different grids: define \
                         the regions on this map's"
                    );
                }
            }
        }
        let region = regions.names.iter().position(|name| name == roi).unwrap_or_else(|| {
            regions.names.push(roi.clone());
            regions.names.len() - 1
        });
        let region = u32::try_from(region + 1)?;
        match regions.layers.iter_mut().find(|layer| layer[voxel] == 0 || layer[voxel] == region) {
            Some(layer) => layer[voxel] = region,
            None => {
                let mut layer = vec![0; n];
                layer[voxel] = region;
                regions.layers.push(layer);
            }
        }
    }
    if regions.names.is_empty() {
        bail!("0 rows with a region and a voxel; there is no region");
    }
    Ok(regions)
}

/// The outlines of the regions in a picture. `of_pixel` holds the region (from 1) of each pixel, one list per layer;
/// lines become smoother where pixels are finer than what they show (`tolerance` in pixels).
pub(super) fn lines(names: &[String], of_pixel: &[Vec<u32>], n_columns: usize, tolerance: f64) -> Vec<Line> {
    let mut lines = Vec::new();
    for layer in of_pixel {
        let mut here: Vec<u32> = layer.iter().copied().filter(|region| *region > 0).collect();
        here.sort_unstable();
        here.dedup();
        for region in here {
            let mask: Vec<bool> = layer.iter().map(|other| *other == region).collect();
            let mut loops = outlines(&mask, n_columns);
            if tolerance > 0.0 {
                loops = loops.iter().map(|points| simplified(points, tolerance)).collect();
            }
            let k = region as usize - 1;
            let (colour, width) = (colour(k, names.len()), style::LINE * 0.6);
            lines.push(Line { class: "region", name: names[k].clone(), colour, width, path: Path::Loops(loops) });
        }
    }
    lines
}

/// Their names by colour, and what cannot be said so.
pub(super) fn legend(names: &[String]) -> (Vec<LegendItem>, Option<String>) {
    if names.len() > COLOURS.len() {
        return (Vec::new(), Some(format!("Outlines: {} regions.", names.len())));
    }
    let item = |(k, name): (usize, &String)| LegendItem {
        key: Key::Line(Stroke { colour: colour(k, names.len()), width: style::LINE, dash: 0 }),
        text: name.clone(),
    };
    (names.iter().enumerate().map(item).collect(), None)
}
