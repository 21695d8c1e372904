//! Reading maps: one volume, or the vertices of one or both hemispheres.

use anyhow::{Context, Result, bail};
use brain_formats::Space;
use brain_formats::space::Part;
use cli::{Input, Job};
use drawing::mesh::Hemisphere;
use voxel_inputs::{MapReader, Numbers, open_numbers};

use super::quantity::quantity;

/// One map with what its columns are.
pub(super) struct Map {
    pub(super) input: Input,
    pub(super) values: Vec<f64>,
    pub(super) space: Space,
    pub(super) quantity: Option<String>,
}

/// Reads a map of numbers; of several maps in a file the one with this number (from 0). Infinite values become NaN.
pub(super) fn read_map(job: &Job, input: &Input, volume: Option<usize>) -> Result<Map> {
    read(job, input, |n| match volume {
        Some(number) => Ok(number),
        None if n > 1 => bail!("{input}: {n} volumes; say which one is drawn: --volume 0 is the first"),
        None => Ok(0),
    })
}

/// Reads what a map is drawn on, of which --volume does not speak: a file of one map.
pub(super) fn read_one(job: &Job, input: &Input, what: &str) -> Result<Map> {
    read(job, input, |n| match n {
        0 | 1 => Ok(0),
        n => bail!("{input}: {n} volumes, but {what} is one; give a file of one of them, or of their mean"),
    })
}

/// `which` says from the number of maps in the file which of them is meant.
fn read(job: &Job, input: &Input, which: impl Fn(usize) -> Result<usize>) -> Result<Map> {
    let mut reader = match open_numbers(job, input)? {
        Numbers::Image(reader) => reader,
        Numbers::Arrays(_) => bail!(
            "{input}: a .npy map does not say where its voxels are; make the map from images (`fmri-roi contrast` of NIfTI \
             gives NIfTI), or save it as NIfTI"
        ),
    };
    if let Some(labels) = reader.labels() {
        bail!("{input}: labels ({} names), not numbers to colour; give it as --regions", labels.len());
    }
    let quantity = quantity(input, reader.intent());
    let wanted = which(reader.n_volumes())?;
    let mut values = volume_of(input, &mut reader, wanted)?;
    let infinite = values.iter().filter(|v| v.is_infinite()).count();
    if infinite > 0 {
        job.warn(format!("{input}: {infinite} of {} values are infinite; they are drawn as NaN", values.len()));
        values.iter_mut().filter(|v| v.is_infinite()).for_each(|v| *v = f64::NAN);
    }
    let (n, units) = (values.len(), reader.space().units());
    if values.iter().all(|v| v.is_nan()) {
        bail!("{input}: all {n} {units} are NaN; there is nothing to draw");
    }
    Ok(Map { input: input.clone(), values, space: reader.space().clone(), quantity })
}

/// The map with this number.
fn volume_of(input: &Input, reader: &mut MapReader, wanted: usize) -> Result<Vec<f64>> {
    let mut values = Vec::new();
    for number in 0..=wanted {
        if !reader.next_volume(&mut values).with_context(|| input.to_string())? {
            bail!("{input}: --volume {wanted}, but it has {number} volumes, which are counted from 0");
        }
    }
    Ok(values)
}

/// The values of each hemisphere's vertices. `stated` is what the user says of a file that does not say it.
pub(super) fn hemispheres(
    input: &Input,
    space: &Space,
    values: &[f64],
    stated: Option<Hemisphere>,
) -> Result<Vec<(Hemisphere, Vec<f64>)>> {
    let side = |structure: &str| match structure {
        "CORTEX_LEFT" => Some(Hemisphere::Left),
        "CORTEX_RIGHT" => Some(Hemisphere::Right),
        _ => None,
    };
    let mut found: Vec<(Hemisphere, Vec<f64>)> = Vec::new();
    match space {
        Space::Grid(_) | Space::Unplaced(_) => bail!("{input}: {space}, where vertices of a surface are needed"),
        Space::Surface(surface) => {
            let by_file = surface.structure.as_deref().and_then(side);
            let Some(hemisphere) = stated.or(by_file).or_else(|| by_name(input)) else {
                bail!(
                    "{input}: {space}, of which nothing says the hemisphere; give --hemisphere left or right, or a name with \
                     lh., rh., hemi-L or hemi-R"
                );
            };
            if let (Some(said), Some(other)) = (stated, by_file.filter(|other| Some(*other) != stated)) {
                bail!("{input}: --hemisphere is {}, but the file says {}", name(said), name(other));
            }
            found.push((hemisphere, values.to_vec()));
        }
        Space::Grayordinates(all) => {
            for model in &all.models {
                if let (Some(hemisphere), Part::Vertices { n_vertices, vertices }) =
                    (side(&model.structure), &model.part)
                {
                    let mut of = vec![f64::NAN; *n_vertices];
                    let own = &values[model.first..model.first + vertices.len()];
                    vertices.iter().zip(own).for_each(|(&vertex, &v)| of[vertex as usize] = v);
                    found.push((hemisphere, of));
                }
            }
        }
        Space::Parcels(all) => {
            for (structure, n_vertices) in &all.surfaces {
                let Some(hemisphere) = side(structure) else { continue };
                let mut of = vec![f64::NAN; *n_vertices];
                for (parcel, &v) in all.parcels.iter().zip(values) {
                    let own = parcel.vertices.iter().filter(|(name, _)| name == structure);
                    own.flat_map(|(_, vertices)| vertices).for_each(|&vertex| of[vertex as usize] = v);
                }
                found.push((hemisphere, of));
            }
        }
    }
    if found.is_empty() {
        bail!("{input}: {space}; none of it is cortex, which alone is drawn on a surface");
    }
    Ok(found)
}

/// The hemisphere that a file's name says, as FreeSurfer and BIDS have it.
pub(super) fn by_name(input: &Input) -> Option<Hemisphere> {
    let name = input.path()?.file_name()?.to_str()?;
    let is = |parts: [&str; 4]| {
        name.starts_with(parts[0]) || name.contains(parts[1]) || name.contains(parts[2]) || name.contains(parts[3])
    };
    match (is(["lh.", ".lh.", "hemi-L", "_left."]), is(["rh.", ".rh.", "hemi-R", "_right."])) {
        (true, false) => Some(Hemisphere::Left),
        (false, true) => Some(Hemisphere::Right),
        _ => None,
    }
}

/// `left` or `right`.
pub(super) fn name(hemisphere: Hemisphere) -> &'static str {
    if hemisphere == Hemisphere::Left { "left" } else { "right" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_hemispheres() {
        let of = |name: &str| by_name(&name.parse().unwrap());
        assert_eq!(of("d/lh.thickness.mgh"), Some(Hemisphere::Left));
        assert_eq!(of("sub-01_hemi-R_stat-t.func.gii"), Some(Hemisphere::Right));
        assert_eq!(of("sulc_left.gii.gz"), Some(Hemisphere::Left));
        assert_eq!((of("t.func.gii"), of("lh.to.rh.gii")), (None, None));
    }
}
