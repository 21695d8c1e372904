//! Masks, parcels and atlases brought onto the grid of a map, where that is asked for.

use anyhow::{Result, bail};
use brain_formats::Space;
use brain_maps::grid::nearest_voxels;
use clap::ValueEnum;
use cli::Job;
use voxel_inputs::Labels;

/// How labels come from one grid to another, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum How {
    /// The label of the nearest voxel
    Nearest,
}

/// Resampling, which is never done unless it is asked for.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Resample {
    /// Bring a mask, parcels or an atlas of another grid onto the map's: each voxel takes the label of the nearest
    #[arg(long, value_enum, value_name = "nearest")]
    resample: Option<How>,
}

impl Resample {
    /// Refuses it where there is nothing to resample.
    pub fn require(self, given: bool, what: &str) -> Result<()> {
        match (self.resample, given) {
            (Some(_), false) => bail!("--resample is of {what}; give that, or leave it out"),
            _ => Ok(()),
        }
    }

    /// The labels on the grid of the map, if that is asked for and they are on another; says what fell outside.
    pub fn onto(
        self,
        job: &Job,
        (name, mut labels): (&str, Labels),
        (map, space): (&str, Option<&Space>),
    ) -> Result<Labels> {
        let Some(How::Nearest) = self.resample else { return Ok(labels) };
        let (Some(Space::Grid(from)), Some(Space::Grid(to))) = (&labels.space, space) else {
            let words = |space: Option<&Space>| space.map_or("a .npy without a grid".to_owned(), Space::to_string);
            bail!(
                "{name}: {}, but {map} has {}; --resample takes labels from one grid of voxels to another",
                words(labels.space.as_ref()),
                words(space)
            );
        };
        if from.agrees_with(to) {
            job.note(format!("{name}: on the grid of {map} already; nothing is resampled"));
            return Ok(labels);
        }
        let (from, to) = (from.clone(), to.clone());
        let Some(forth) = nearest_voxels((from.shape, &from.affine), (to.shape, &to.affine)) else {
            bail!("{name}: the affine {:?} flattens its voxels, so that no place has a nearest one", from.affine);
        };
        let old = std::mem::take(&mut labels.labels);
        labels.labels = forth.iter().map(|voxel| voxel.map_or(0, |voxel| old[voxel])).collect();
        labels.space = Some(Space::Grid(to.clone()));
        let outside = forth.iter().filter(|voxel| voxel.is_none()).count();
        let n_labelled = old.iter().filter(|label| **label > 0).count();
        // The other way round: which labelled voxels have no place on the grid of the map.
        let lost = nearest_voxels((to.shape, &to.affine), (from.shape, &from.affine))
            .map(|back| back.iter().zip(&old).filter(|(there, label)| **label > 0 && there.is_none()).count());
        let kept = labels.labels.iter().filter(|label| **label > 0).count();
        let (there, here) = (shape_of(from.shape), shape_of(to.shape));
        job.note(format!(
            "{name}: {there} voxels resampled (nearest) onto the {here} of {map}: {n_labelled} labelled voxels became {kept}; \
             {} of them lie outside {map}, and {outside} of its {} voxels outside {name}",
            lost.map_or("an unknown number".to_owned(), |lost| lost.to_string()),
            labels.labels.len()
        ));
        let gone: std::collections::BTreeSet<u32> = old.iter().copied().filter(|label| *label > 0).collect();
        let left: std::collections::BTreeSet<u32> = labels.labels.iter().copied().collect();
        let gone: Vec<String> = gone.difference(&left).map(|label| label.to_string()).collect();
        if !gone.is_empty() {
            let (n, listed) = (gone.len(), gone[..gone.len().min(5)].join(", "));
            let more = if n > 5 { " ..." } else { "" };
            job.warn(format!("{name}: {n} labels have no voxel on the grid of {map}: {listed}{more}"));
        }
        job.record("resampled", format!("{name}: nearest"));
        Ok(labels)
    }
}

fn shape_of([nx, ny, nz]: [usize; 3]) -> String {
    format!("{nx}x{ny}x{nz}")
}
