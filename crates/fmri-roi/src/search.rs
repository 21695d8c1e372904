//! Where regions are searched, and which voxels make one: what `define` and `localize` ask for in the same words.

use anyhow::{Context, Result, bail};
use brain_formats::Space;
use brain_maps::{Layout, Side};
use cli::{Input, Job};
use localizer::Top;
use voxel_inputs::{read_label_names, read_labels_on, read_space, require_n_columns, require_same_space};

use crate::options::{Neighbours, Tail};
use crate::place::{Hemisphere, hemispheres};
use crate::region::{Rule, VoxelSet, merge, parcels};
use crate::resample::Resample;
use crate::surfaces::{Surfaces, require_voxels};

/// Search spaces and the rule.
#[derive(Debug, clap::Args)]
pub(crate) struct Search {
    /// Parcels to search in: whole numbers, above 0 is inside; label files and .annot name them
    #[arg(long, value_name = "IMAGE")]
    pub parcels: Option<Input>,
    /// Names of the parcels: a table with index and name (BIDS), or a .ctab; equal names make one region
    #[arg(long, value_name = "TABLE", requires = "parcels")]
    labels: Option<Input>,
    /// Make one region of several parcels
    #[arg(long, value_name = "NAME=PARCEL,PARCEL..", requires = "parcels", value_parser = merged)]
    merge: Vec<(String, Vec<String>)>,
    /// Search within this many mm of a place: X,Y,Z,RADIUS in the millimetres of the image, or of --surface
    #[arg(long, value_name = "X,Y,Z,MM", allow_hyphen_values = true, value_parser = sphere)]
    sphere: Option<Sphere>,
    /// Search in one hemisphere: voxels left (x < 0 mm) or right of the middle, or a surface's structure
    #[arg(long, value_enum)]
    hemisphere: Option<Hemisphere>,
    #[command(flatten)]
    resample: Resample,
    /// Name of the region [default: roi]; with --parcels, the parcels to use (may be given again)
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// Keep voxels with t greater than this [default: 7, when there is no --top]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = localizer::parse_threshold)]
    t: Option<f64>,
    /// Side of 0 that counts: t above T, t below -T, or both
    #[arg(long, value_enum, value_name = "greater|less|two-sided", default_value_t)]
    pub tail: Tail,
    /// Keep this many voxels with the highest t, or this percentage; ties by voxel number
    #[arg(long, value_name = "N|P%")]
    top: Option<Top>,
    /// Keep clusters of at least this many voxels above --t
    #[arg(long, value_name = "N", requires = "t")]
    min_cluster: Option<usize>,
    /// Neighbours share a face (6), also an edge (18), also a corner (26) [default: 6]
    #[arg(long, value_enum, value_name = "6|18|26")]
    connectivity: Option<Neighbours>,
    #[command(flatten)]
    surfaces: Surfaces,
    /// Image or surface map whose geometry .npy input has
    #[arg(long, value_name = "IMAGE")]
    like: Option<Input>,
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

impl Search {
    /// Refuses what would have no meaning, before anything is read. `clusters` says whether clusters are asked for in
    /// other ways, which `ways` names.
    pub fn check(&self, clusters: bool, ways: &str) -> Result<()> {
        if self.connectivity.is_some() && self.min_cluster.is_none() && !clusters {
            bail!("--connectivity is of clusters: give {ways} with it, or leave it out");
        }
        let side = Side::from(self.tail);
        match self.t {
            Some(t) if t < 0.0 && side != Side::Greater => {
                bail!("--t {t} with --tail {}: T is a distance from 0 there; give a number of 0 or more", side.as_str())
            }
            _ => self.resample.require(self.parcels.is_some(), "--parcels"),
        }
    }

    /// The parcels that are asked for, or all of the map's `n` voxels; makes sure that everything is on one grid, and
    /// gives a `.npy` map the grid of the image that it is used with.
    pub fn spaces(&self, job: &Job, (map, n): (&str, usize), space: &mut Option<Space>) -> Result<Vec<VoxelSet>> {
        if let Some(like) = &self.like {
            adopt((map, n), space, &like.to_string(), read_space(job, like)?)?;
        }
        let Some(input) = &self.parcels else {
            let name = match self.name.as_slice() {
                [] => "roi".to_string(),
                [one] => one.clone(),
                several => bail!("{} names for the one region; several regions need --parcels", several.len()),
            };
            return Ok(vec![VoxelSet { name, voxels: (0..n).collect() }]);
        };
        let labels = read_labels_on(job, input, (map, n, space.as_ref()))?;
        let labels = self.resample.onto(job, (&input.to_string(), labels), (map, space.as_ref()))?;
        match labels.space {
            Some(other) => adopt((map, n), space, &input.to_string(), other)?,
            None if labels.labels.len() != n => bail!("{input}: {} voxels, but {map} has {n}", labels.labels.len()),
            None => {}
        }
        let names = self.labels.as_ref().map(|table| read_label_names(job, table)).transpose()?;
        let names = names.or(labels.names);
        let spaces = parcels(&labels.labels, names.as_deref()).with_context(|| input.to_string())?;
        let spaces = merge(spaces, &self.merge).with_context(|| input.to_string())?;
        choose(spaces, &self.name, &input.to_string())
    }

    /// Where the voxels of the map are, if anything needs it: what `asked` names, clusters, a sphere, or an area.
    pub fn layout(
        &self,
        job: &Job,
        map: &str,
        space: &mut Option<Space>,
        asked: Option<&str>,
        area: bool,
    ) -> Result<Option<Layout>> {
        let of_place = [(self.min_cluster.is_some(), "--min-cluster"), (self.sphere.is_some(), "--sphere")];
        let needs = of_place.iter().find(|(asked, _)| *asked).map(|(_, what)| *what).or(asked);
        let Some(space) = space else {
            if let Some(what) = needs {
                bail!("{map}: a .npy map does not say where its voxels are, which {what} needs; give --like IMAGE");
            }
            self.surfaces.refuse(&format!("{map} is a .npy map, and only --like says that it is of a surface"))?;
            return Ok(None);
        };
        require_voxels(self.connectivity, map, space)?;
        // A mask is written without knowing who is whose neighbour.
        match (needs.filter(|what| *what != "a mask"), self.surfaces.are_given()) {
            (Some(what), _) => self.surfaces.layout(job, map, space, what).map(Some),
            (None, true) if area => self.surfaces.layout(job, map, space, "an area").map(Some),
            (None, _) => {
                let uses = "(--min-cluster, --clusters, --peaks, --sphere, --summary do)";
                self.surfaces.refuse(&format!("nothing that was asked for needs a mesh {uses}"))?;
                Ok(None)
            }
        }
    }

    /// Leaves in every search space the voxels of the sphere and of the hemisphere.
    pub fn restrict(
        &self,
        map: &str,
        space: Option<&Space>,
        layout: Option<&Layout>,
        spaces: &mut [VoxelSet],
    ) -> Result<()> {
        if let (Some(Sphere { centre, radius }), Some(layout)) = (self.sphere, layout) {
            let near = |voxel: usize| {
                let squares = layout.millimetres(voxel).into_iter().zip(centre).map(|(a, b)| (a - b).powi(2));
                squares.sum::<f64>() <= radius * radius
            };
            spaces.iter_mut().for_each(|searched| searched.voxels.retain(|voxel| near(*voxel)));
        }
        if let Some(hemisphere) = self.hemisphere {
            let Some(space) = space else {
                bail!("{map}: a .npy map does not say where its voxels are; give --like IMAGE");
            };
            let sides = hemispheres(space, map)?;
            spaces.iter_mut().for_each(|searched| searched.voxels.retain(|voxel| sides[*voxel] == Some(hemisphere)));
        }
        Ok(())
    }

    /// Which voxels of a search space make the region.
    pub fn rule(&self) -> Rule {
        Rule {
            t: self.t.or(self.top.is_none().then_some(DEFAULT_T)),
            side: self.tail.into(),
            min_cluster: self.min_cluster,
            connectivity: self.connectivity.unwrap_or(Neighbours::Six).into(),
            top: self.top,
        }
    }
}

fn adopt((map, n): (&str, usize), mine: &mut Option<Space>, other: &str, space: Space) -> Result<()> {
    match mine {
        Some(mine) => require_same_space((map, mine), (other, &space)),
        None => {
            require_n_columns((map, n), (other, &space))?;
            *mine = Some(space);
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
