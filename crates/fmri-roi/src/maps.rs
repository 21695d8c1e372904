//! Several maps of one grid or surface, and what tables call them: what `overlap` and `atlas` read.

use anyhow::Result;
use array_inputs::{Called, Names};
use brain_formats::Space;
use cli::{Input, Job};
use voxel_inputs::{read_map, read_space, require_n_columns, require_same_space};

/// A map by its name; NaN is no value, and nothing is infinite.
pub(crate) struct NamedMap {
    pub name: String,
    pub source: String,
    pub values: Vec<f64>,
}

/// Takes infinite values for none, and says how many there were.
pub(crate) fn leave_out_infinite(job: &Job, source: &str, values: &mut [f64]) {
    let n = values.iter().filter(|v| v.is_infinite()).count();
    if n > 0 {
        job.warn(format!("{source}: {n} of {} voxels are infinite; counted like NaN", values.len()));
        values.iter_mut().filter(|v| v.is_infinite()).for_each(|v| *v = f64::NAN);
    }
}

/// Maps over one space.
pub(crate) struct Maps {
    pub maps: Vec<NamedMap>,
    /// `None` where no input says where its voxels are.
    pub space: Option<Space>,
}

impl Maps {
    /// Reads them; `.npy` maps take the space of the others, or of `like`.
    pub fn read(job: &Job, inputs: &[Input], names: &[String], like: Option<&Input>) -> Result<Maps> {
        let called: Vec<Called> = inputs.iter().map(|input| Called::new(input, 0, None)).collect();
        let names = Names::new(names).all(&called)?;
        let mut space = match like {
            Some(input) => Some((input.to_string(), read_space(job, input)?)),
            None => None,
        };
        let mut maps = Vec::new();
        for (input, name) in inputs.iter().zip(names) {
            let map = read_map(job, input)?;
            let source = input.to_string();
            match (&space, map.space) {
                (Some((other, space)), Some(mine)) => require_same_space((&source, &mine), (other, space))?,
                (None, Some(mine)) => space = Some((source.clone(), mine)),
                (_, None) => {}
            }
            let mut values = map.values;
            leave_out_infinite(job, &source, &mut values);
            maps.push(NamedMap { name, source, values });
        }
        if let Some((other, space)) = &space {
            maps.iter().try_for_each(|map| require_n_columns((&map.source, map.values.len()), (other, space)))?;
        }
        let n = maps[0].values.len();
        if let Some(map) = maps.iter().find(|map| map.values.len() != n) {
            anyhow::bail!("{}: {} voxels, but {} has {n}", map.source, map.values.len(), maps[0].source);
        }
        Ok(Maps { maps, space: space.map(|(_, space)| space) })
    }
}
