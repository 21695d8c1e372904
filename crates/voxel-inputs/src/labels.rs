//! Masks and label images, and the tables that name labels: one reader for all tools.
//!
//! A voxel is inside when its label is above 0. Labels are whole numbers, and a number that misses one by the rounding
//! of a re-save (255 times 1/255) is that number. 0 and negative labels are outside (-1 is what NSD writes outside the
//! cortex), as is a voxel without a number; whoever reads counts them.

use std::collections::BTreeSet;
use std::io::Read;

use anyhow::{Context, Result, bail};
use brain_formats::freesurfer::{LABEL, read_label};
use brain_formats::gifti::Label;
use brain_formats::space::{Space, Surface};
use cli::{Input, Job};
use stimulus_table::{Table, is_missing};

use crate::{Map, Numbers, Source, foreign, one_of, open_numbers, opened};

/// How far a stored label may be from the whole number that it means: what scaling by an f4 `scl_slope` and saving as
/// integers again leaves. Real fractions are probabilities, and a threshold is the user's to choose.
const ROUNDING: f64 = 1e-4;

/// One label per voxel.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    /// The labels in voxel order; 0 is outside.
    pub labels: Vec<u32>,
    /// What the columns stand for; a `.npy` mask does not know.
    pub space: Option<Space>,
    /// Names of the labels that occur, rising, where the file has a table of them (labels of GIFTI and CIFTI,
    /// annotations).
    pub names: Option<Vec<(u32, String)>>,
}

impl Labels {
    /// The numbers of the voxels inside, rising.
    pub fn inside(&self) -> Vec<usize> {
        (0..self.labels.len()).filter(|&voxel| self.labels[voxel] > 0).collect()
    }
}

/// Voxels that are outside for another reason than a 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Outside {
    negative: usize,
    no_number: usize,
}

/// The label of a stored number; `None` for a fraction and for what no label can be.
fn label_of(value: f64) -> Option<i64> {
    let whole = value.round();
    // A large label in f4 is off by its own rounding.
    let tolerance = ROUNDING.max(f64::from(f32::EPSILON) * whole.abs()).min(0.01);
    ((value - whole).abs() <= tolerance && whole.abs() <= f64::from(u32::MAX)).then_some(whole as i64)
}

fn labels_of(values: &[f64]) -> Result<(Vec<u32>, Outside), (usize, f64)> {
    let mut outside = Outside::default();
    let label = |(voxel, &value): (usize, &f64)| {
        if !value.is_finite() {
            outside.no_number += 1;
            return Ok(0);
        }
        let label = label_of(value).ok_or((voxel, value))?;
        outside.negative += usize::from(label < 0);
        Ok(u32::try_from(label).unwrap_or(0))
    };
    let labels = values.iter().enumerate().map(label).collect::<Result<_, _>>()?;
    Ok((labels, outside))
}

/// Reads a mask or a label image (or a `.npy` row of labels) and says on stderr what is outside without being 0.
pub fn read_labels(job: &Job, input: &Input) -> Result<Labels> {
    labels_in(job, input, open_numbers(job, input)?)
}

/// [`read_labels`], or FreeSurfer's label (`.label`), which lists the vertices of one region of the map's surface: the
/// map's name, number of columns and space, where that is known.
pub fn read_labels_on(job: &Job, input: &Input, on: (&str, usize, Option<&Space>)) -> Result<Labels> {
    let (reader, start) = match opened(job, input)? {
        (Source::Numbers(numbers), _) => return labels_in(job, input, numbers),
        (Source::Other(reader), start) => (reader, start),
    };
    if !start.starts_with(LABEL) {
        return match foreign::refusal_of_text(&start) {
            Some(refusal) => bail!("{input}: {refusal}"),
            None => labels_in(job, input, Numbers::Arrays(npy_stream::NpyReader::from_pipe(reader))),
        };
    }
    let (map, n, space) = on;
    if let Some(space) = space.filter(|space| !matches!(space, Space::Surface(_))) {
        bail!("{input}: a FreeSurfer label lists vertices of one surface, but {map} has {space}");
    }
    let (name, vertices) = label_in(input, reader)?;
    let mut labels = vec![0; n];
    for vertex in vertices {
        match labels.get_mut(vertex) {
            Some(label) => *label = 1,
            None => bail!("{input}: vertex {vertex}, but {map} has {n} vertices, from 0"),
        }
    }
    let structure = None;
    let space = Some(Space::Surface(Surface { structure, n_vertices: n }));
    Ok(Labels { labels, space, names: Some(vec![(1, name)]) })
}

/// The vertices of a FreeSurfer label in the order of the file, and its name: that of the file without its ending.
pub fn label_in(input: &Input, mut reader: impl Read) -> Result<(String, Vec<usize>)> {
    let mut text = String::new();
    reader.read_to_string(&mut text).with_context(|| input.to_string())?;
    let points = read_label(&text).with_context(|| input.to_string())?;
    let mut seen = BTreeSet::new();
    let mut vertices = Vec::with_capacity(points.len());
    for point in points {
        let Ok(vertex) = usize::try_from(point.vertex) else {
            bail!(
                "{input}: a point without a vertex (-1), so a label of a volume; make a mask of it (mri_label2vol), or give one \
                 of a surface"
            );
        };
        if !seen.insert(vertex) {
            bail!("{input}: vertex {vertex} stands there twice");
        }
        vertices.push(vertex);
    }
    Ok((input.array_name(0), vertices))
}

/// Whether text that starts like this is a FreeSurfer label.
pub fn looks_like_label(start: &[u8]) -> bool {
    start.starts_with(LABEL)
}

/// The labels in an input that is open already.
pub fn labels_in(job: &Job, input: &Input, numbers: Numbers) -> Result<Labels> {
    let table = match &numbers {
        Numbers::Image(image) => image.labels().map(<[_]>::to_vec),
        Numbers::Arrays(_) => None,
    };
    let Map { values, space, .. } = one_of(input, numbers)?;
    let (labels, outside) = match labels_of(&values) {
        Ok(read) => read,
        Err((voxel, value)) => {
            let unit = space.as_ref().map_or("voxel", Space::unit);
            let grid = space.as_ref().and_then(Space::grid);
            let place = grid.map_or(String::new(), |grid| format!(" {:?}", grid.place(voxel)));
            bail!(
                "{input}: {unit} {voxel}{place} holds {value}, which is no label; masks and parcels hold whole numbers (above 0 \
                 is inside, 0 and negative are outside), so give a map of probabilities its threshold first"
            )
        }
    };
    let units = space.as_ref().map_or("voxels", Space::units);
    let Outside { negative, no_number } = outside;
    if no_number > 0 {
        job.warn(format!(
            "{input}: {no_number} of {} {units} are NaN or infinite and {negative} negative; they are outside",
            labels.len()
        ));
    } else if negative > 0 {
        job.note(format!("{input}: {negative} of {} {units} are negative; they are outside", labels.len()));
    }
    let names = table.map(|table| names_of(&labels, &table));
    Ok(Labels { labels, space, names })
}

/// The names of the labels that occur, by a table of labels; a label that is not in it is called by its number.
fn names_of(labels: &[u32], table: &[Label]) -> Vec<(u32, String)> {
    let occurring: BTreeSet<u32> = labels.iter().copied().filter(|label| *label > 0).collect();
    let name = |label: u32| {
        let entry = table.iter().find(|entry| entry.key == i64::from(label) && !is_missing(&entry.name));
        (label, entry.map_or_else(|| label.to_string(), |entry| entry.name.clone()))
    };
    occurring.into_iter().map(name).collect()
}

/// Names of labels, in the order of the file: a table with the columns index and name (BIDS), or a colour table of
/// FreeSurfer (`.ctab`: index, name, and mostly red, green, blue and alpha). Labels of 0 and below are outside,
/// whatever the file calls them, and left out.
pub fn read_label_names(job: &Job, input: &Input) -> Result<Vec<(u32, String)>> {
    let mut bytes = Vec::new();
    job.open(input)?.reader().read_to_end(&mut bytes).with_context(|| input.to_string())?;
    let rows = match std::str::from_utf8(&bytes).ok().and_then(colour_table) {
        Some(rows) => rows,
        None => name_table(&bytes).with_context(|| input.to_string())?,
    };
    let mut named: Vec<(u32, String)> = Vec::with_capacity(rows.len());
    for (row, (label, name)) in rows.into_iter().enumerate() {
        if label <= 0 {
            continue;
        }
        let Ok(label) = u32::try_from(label) else {
            bail!("{input}: row {row}: index {label} is more than {}", u32::MAX);
        };
        if is_missing(&name) {
            bail!("{input}: row {row}: index {label} has no name");
        }
        if let Some((_, first)) = named.iter().find(|(other, _)| *other == label) {
            bail!("{input}: row {row}: index {label} is called {first:?} and {name:?}; one name per index");
        }
        named.push((label, name));
    }
    Ok(named)
}

fn name_table(bytes: &[u8]) -> Result<Vec<(i64, String)>> {
    let table = Table::read(bytes)?;
    if !table.has("index") || !table.has("name") {
        bail!(
            "the columns are {}; names of labels are a table with the columns index and name (BIDS), or a colour table of FreeSurfer \
             (lines of index, name, red, green, blue, alpha)",
            table.names().join(", ")
        );
    }
    let names = table.column("name")?;
    let index = |(row, cell): (usize, &String)| match cell.trim().parse().ok().and_then(label_of) {
        Some(label) => Ok(label),
        None => bail!("row {row} of column \"index\" is {cell:?}; expected a whole number"),
    };
    let numbers = table.column("index")?.iter().enumerate().map(index).collect::<Result<Vec<_>>>()?;
    Ok(numbers.into_iter().zip(names.iter().map(|name| name.trim().to_owned())).collect())
}

/// The rows of a FreeSurfer colour table; `None` when the text is none: every line is a whole number and a name, and
/// perhaps four numbers behind it.
fn colour_table(text: &str) -> Option<Vec<(i64, String)>> {
    let is_number = |field: &&str| field.parse::<f64>().is_ok();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut rows = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (label, rest) = fields.split_first()?;
        let label: i64 = label.parse().ok()?;
        let name = match rest {
            [name @ .., red, green, blue, alpha]
                if !name.is_empty() && [red, green, blue, alpha].into_iter().all(is_number) =>
            {
                name
            }
            name => name,
        };
        if name.first().is_none_or(is_number) {
            return None;
        }
        rows.push((label, name.join(" ")));
    }
    (!rows.is_empty()).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_whole_number_that_rounding_left() {
        let meant = [1.00000006, 0.99991, 44.99999999, -1.00001, 0.00005, 255.0 * (1.0f32 / 255.0) as f64];
        assert_eq!(meant.map(label_of), [Some(1), Some(1), Some(45), Some(-1), Some(0), Some(1)]);
        // aparc.a2009s scaled by an f4 slope
        assert_eq!(label_of(12175.0008), Some(12175));
        for value in [0.5, 1.001, 0.9998, -0.5, 12175.02, 1e12] {
            assert_eq!(label_of(value), None, "{value}");
        }
    }

    #[test]
    fn labels_that_occur_have_names() {
        let entry = |key, name: &str| Label { key, name: name.into() };
        let table = [entry(0, "???"), entry(7, "FFA"), entry(9, "OFA")];
        let named = names_of(&[7, 0, 12, 7], &table);
        assert_eq!(named, [(7, "FFA".to_string()), (12, "12".to_string())]);
    }

    #[test]
    fn outside_is_counted() {
        let (labels, outside) = labels_of(&[-1.0, 0.0, 1.0, f64::NAN, 2.0, f64::NEG_INFINITY, -1000.0]).unwrap();
        assert_eq!(labels, [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(outside, Outside { negative: 2, no_number: 2 });
        assert_eq!(labels_of(&[1.0, 0.3]), Err((1, 0.3)));
    }

    #[test]
    fn colour_tables_are_told_from_tables() {
        let named = |text: &str| {
            colour_table(text).map(|rows| rows.into_iter().map(|(n, name)| format!("{n}={name}")).collect())
        };
        let rows = |names: &[&str]| Some(names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        assert_eq!(
            named("# No. Label\n\n 0  Unknown  0 0 0 0\n 12 V1 dorsal  25 5 25 0\r\n"),
            rows(&["0=Unknown", "12=V1 dorsal"])
        );
        assert_eq!(
            named("-1 outside\n0 Unknown\n1 OFA\n2 FFA 1\n"),
            rows(&["-1=outside", "0=Unknown", "1=OFA", "2=FFA 1"])
        );
        assert_eq!(named("index\tname\n1\tFFA\n"), None);
        // ITK-SNAP: colours stand before the name.
        assert_eq!(named("1 255 0 0 1 1 1 \"FFA\"\n"), None);
        assert_eq!(named("1,FFA\n"), None);
        assert_eq!(named(""), None);
    }
}
