//! The template brain: where its files are, and reading them.

use anyhow::{Context, Result, bail};
use brain_formats::gifti::{Mesh, Parsed};
use cli::{Input, Job, require_memory};
use drawing::mesh::Hemisphere;
use drawing::space::Direction;
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use std::io::Read;
use std::path::PathBuf;

/// The environment variable that names the folder.
pub(super) const VARIABLE: &str = "CATSEL_TEMPLATES";

/// The lines of a schematic brain, as pieces of curves in mm along the axes that its direction draws: straight lines,
/// quadratic and cubic Bezier curves.
#[derive(Debug, Clone, Default)]
pub(super) struct Schematic {
    /// The outlines.
    pub(super) strong: Vec<Vec<[f64; 2]>>,
    /// What is within.
    pub(super) faint: Vec<Vec<[f64; 2]>>,
}

impl Schematic {
    /// All points.
    pub(super) fn points(&self) -> impl Iterator<Item = [f64; 2]> + '_ {
        self.strong.iter().chain(&self.faint).flatten().copied()
    }
}

/// The folder of the template brain's files.
#[derive(Debug, Clone)]
pub(super) struct Templates(PathBuf);

impl Templates {
    /// The folder that the option names, else the environment; `None` where neither does.
    pub(super) fn find(option: Option<&PathBuf>) -> Option<Templates> {
        let by_variable = || std::env::var_os(VARIABLE).filter(|text| !text.is_empty()).map(PathBuf::from);
        option.cloned().or_else(by_variable).map(Templates)
    }

    /// The same, or what to do.
    pub(super) fn require(found: Option<&Templates>, what: &str) -> Result<Templates> {
        match found {
            Some(found) => Ok(found.clone()),
            None => bail!(
                "{what} is a file of the template brain, and no folder is named: `scripts/setup.sh templates` brings it to \
                 build/templates; then give --templates build/templates, or set {VARIABLE}"
            ),
        }
    }

    fn file(&self, name: &str) -> Result<Input> {
        let path = self.0.join(name);
        if !path.is_file() {
            bail!(
                "{}: no such file; `scripts/setup.sh templates` makes a folder that has it (--templates, {VARIABLE})",
                path.display()
            );
        }
        Ok(Input::from(path.into_os_string()))
    }

    /// The T1-weighted image of the MNI152 template.
    pub(super) fn background(&self) -> Result<Input> {
        self.file("mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz")
    }

    /// A file of fsaverage5: `infl`, `pial`, `white`, `sulc`.
    pub(super) fn fsaverage5(&self, what: &str, hemisphere: Hemisphere) -> Result<Input> {
        let side = if hemisphere == Hemisphere::Left { "left" } else { "right" };
        self.file(&format!("fsaverage5/{what}_{side}.gii.gz"))
    }

    /// The schematic brain that is seen along a direction.
    pub(super) fn schematic(&self, job: &Job, direction: Direction) -> Result<Schematic> {
        // The file, and from its units to mm: nilearn's, fitted by hand to the MNI template.
        let (name, [sx, sy, dx, dy]) = match direction {
            Direction::X => ("side", [0.38, 0.38, -108.0, -70.0]),
            Direction::Y => ("back", [0.39, 0.39, -73.0, -73.0]),
            Direction::Z => ("top", [0.36, 0.37, -71.0, -107.0]),
        };
        let input = self.file(&format!("glass_brain/brain_schematics_{name}.json"))?;
        let mut text = String::new();
        job.open(&input)?.reader().read_to_string(&mut text).with_context(|| input.to_string())?;
        let whole: Value = serde_json::from_str(&text).with_context(|| input.to_string())?;
        let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        let mut schematic = Schematic::default();
        for path in list(&whole, "paths") {
            let pieces = match path["edgecolor"].as_str() {
                Some("#000000") => &mut schematic.strong,
                _ => &mut schematic.faint,
            };
            for item in list(&path, "items") {
                let point = |point: &Value| Some([point[0].as_f64()? * sx + dx, point[1].as_f64()? * sy + dy]);
                let points: Option<Vec<[f64; 2]>> = list(&item, "pts").iter().map(point).collect();
                match points.filter(|points| (2..=4).contains(&points.len())) {
                    Some(points) => pieces.push(points),
                    None => bail!("{input}: a piece of a path is no list of 2 to 4 points: {item}"),
                }
            }
        }
        if schematic.points().next().is_none() {
            bail!("{input}: no paths; expected a schematic brain of nilearn");
        }
        Ok(schematic)
    }
}

/// Reads a mesh: GIFTI, plain or compressed with gzip.
pub(super) fn read_mesh(job: &Job, input: &Input) -> Result<Mesh> {
    let mut bytes = Vec::new();
    job.open(input)?.reader().read_to_end(&mut bytes).with_context(|| input.to_string())?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let packed = std::mem::take(&mut bytes);
        MultiGzDecoder::new(&packed[..]).read_to_end(&mut bytes).with_context(|| input.to_string())?;
    }
    if bytes.starts_with(&[0xff, 0xff, 0xfe]) {
        bail!("{input}: a surface of FreeSurfer; convert it: `mris_convert lh.inflated lh.inflated.surf.gii`");
    }
    let parsed = Parsed::new(&bytes).with_context(|| format!("{input}: a mesh is a GIFTI surface (.surf.gii)"))?;
    require_memory(format!("{input}: the numbers of its arrays"), parsed.bytes_held(), "give a coarser mesh")?;
    let mesh = parsed
        .decode(brain_formats::gifti::nothing_beside)
        .and_then(|gifti| gifti.into_mesh())
        .with_context(|| input.to_string())?;
    if let Some(vertex) = mesh.coordinates.iter().position(|point| point.iter().any(|v| !v.is_finite())) {
        bail!("{input}: vertex {vertex} is at {:?}; a mesh has finite coordinates", mesh.coordinates[vertex]);
    }
    let (n, flat) = (mesh.triangles.len(), drawing::mesh::n_without_area(&mesh.coordinates, &mesh.triangles));
    if flat == n {
        bail!("{input}: none of its {n} triangles has an area; there is nothing to draw");
    }
    if flat > 0 {
        job.warn(format!("{input}: {flat} of {n} triangles have no area (corners on one line) and are not drawn"));
    }
    Ok(mesh)
}
