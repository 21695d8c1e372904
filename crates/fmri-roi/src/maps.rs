//! Several maps of one grid, and what tables call them: what `overlap` and `atlas` read.

use anyhow::Result;
use array_inputs::{Called, Names};
use brain_formats::geometry::Geometry;
use cli::{Input, Job};
use voxel_inputs::{read_geometry, read_map, require_n_voxels, require_same_grid};

/// A map by its name; NaN is no value.
pub(crate) struct NamedMap {
    pub name: String,
    pub source: String,
    pub values: Vec<f64>,
}

/// Maps on one grid.
pub(crate) struct Maps {
    pub maps: Vec<NamedMap>,
    /// `None` where no input says where its voxels are.
    pub geometry: Option<Geometry>,
}

impl Maps {
    /// Reads them; `.npy` maps take the grid of the others, or of `like`.
    pub fn read(job: &Job, inputs: &[Input], names: &[String], like: Option<&Input>) -> Result<Maps> {
        let called: Vec<Called> = inputs.iter().map(|input| Called::new(input, 0, None)).collect();
        let names = Names::new(names).all(&called)?;
        let mut grid = match like {
            Some(input) => Some((input.to_string(), read_geometry(job, input)?)),
            None => None,
        };
        let mut maps = Vec::new();
        for (input, name) in inputs.iter().zip(names) {
            let map = read_map(job, input)?;
            let source = input.to_string();
            match (&grid, map.geometry) {
                (Some((other, grid)), Some(mine)) => require_same_grid((&source, &mine), (other, grid))?,
                (None, Some(mine)) => grid = Some((source.clone(), mine)),
                (_, None) => {}
            }
            maps.push(NamedMap { name, source, values: map.values });
        }
        if let Some((other, grid)) = &grid {
            maps.iter().try_for_each(|map| require_n_voxels((&map.source, map.values.len()), (other, grid)))?;
        }
        let n = maps[0].values.len();
        if let Some(map) = maps.iter().find(|map| map.values.len() != n) {
            anyhow::bail!("{}: {} voxels, but {} has {n}", map.source, map.values.len(), maps[0].source);
        }
        Ok(Maps { maps, geometry: grid.map(|(_, grid)| grid) })
    }
}
