//! The maps of several subjects, one after the other: images, volumes, or rows of `.npy` streams.

use anyhow::{Context, Result, bail};
use array_inputs::Next;
use brain_formats::Space;
use cli::{Input, Job};
use ndarray::ArrayView2;
use npy_stream::{Block, Labels};
use voxel_inputs::{Given, open_all};

/// Bytes of rows read at a time: a block stays near the cache and is still long.
const BLOCK_BYTES: usize = 4 << 20;

/// What is known of the maps when all are read.
pub(crate) struct SubjectMaps {
    pub name: String,
    /// Where the voxels are; rows of `.npy` streams do not say.
    pub space: Option<Space>,
    /// Whether one held numbers that f4 does not.
    pub double: bool,
    pub n_voxels: usize,
    pub n_maps: usize,
    /// One per map: the names of files that hold one map each, or the ids of rows.
    pub ids: Option<Vec<String>>,
    /// Names of the voxels, where all maps give them the same ones.
    pub labels: Labels,
}

impl SubjectMaps {
    /// Gives all maps of the inputs to `take`, in blocks of rows, with the number of maps that are known of so far; all
    /// have one number of voxels.
    pub fn read(
        job: &Job,
        inputs: &[Input],
        mut take: impl FnMut(ArrayView2<f64>, usize) -> Result<()>,
    ) -> Result<SubjectMaps> {
        let mut double = false;
        let (mut n_maps, mut n_voxels) = (0, 0);
        let mut columns: Vec<Option<Vec<String>>> = Vec::new();
        let mut ids: Option<Vec<String>> = Some(Vec::new());
        let mut take = |maps: ArrayView2<f64>, n_known: usize| -> Result<()> {
            if n_maps > 0 && maps.ncols() != n_voxels {
                bail!("{} voxels, but the maps before have {n_voxels}", maps.ncols());
            }
            n_maps += maps.nrows();
            n_voxels = maps.ncols();
            take(maps, n_known.max(inputs.len()))
        };
        let (name, space) = match open_all(job, inputs)? {
            Given::Volumes(mut volumes) => {
                let mut voxels = Vec::new();
                while volumes.next_volume(&mut voxels)? {
                    let map = ArrayView2::from_shape((1, voxels.len()), &voxels)?;
                    take(map, volumes.n_volumes()).with_context(|| volumes.source().to_owned())?;
                }
                double |= volumes.is_double();
                ids = None;
                (volumes.source().to_owned(), Some(volumes.space().clone()))
            }
            Given::Arrays(arrays) => {
                let name = arrays.source().to_owned();
                arrays.each(|Next { source, mut array, .. }| {
                    double |= array.kind().is_double();
                    let (n_rows, _) = array.matrix_shape().with_context(|| source.clone())?;
                    let n_block = array.rows_within(BLOCK_BYTES);
                    while let Some(block) = array.next_rows(n_block).with_context(|| source.clone())? {
                        match block {
                            Block::F4(maps) => take(maps.mapv(f64::from).view(), n_rows),
                            Block::F8(maps) => take(maps, n_rows),
                        }
                        .with_context(|| source.clone())?;
                    }
                    let labels = array.finish().with_context(|| source)?;
                    columns.push(labels.columns);
                    ids = ids.take().zip(labels.ids).map(|(ids, more)| [ids, more].concat());
                    Ok(())
                })?;
                (name, None)
            }
        };
        // Voxels keep their names where all maps give them the same ones.
        columns.dedup();
        let columns = if columns.len() == 1 { columns.remove(0) } else { None };
        let ids = if n_maps == inputs.len() { file_names(inputs) } else { ids };
        let labels = Labels { columns, ..Labels::default() };
        Ok(SubjectMaps { name, space, double, n_voxels, n_maps, ids, labels })
    }
}

/// The names of files that hold one map each; as they were typed where two of them are alike in different folders.
/// `None` of stdin.
fn file_names(inputs: &[Input]) -> Option<Vec<String>> {
    let paths = inputs.iter().map(|input| input.path()).collect::<Option<Vec<_>>>()?;
    let last = |path: &std::path::Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let names = paths.iter().map(|path| last(path)).collect::<Option<Vec<_>>>()?;
    let distinct = names.iter().collect::<std::collections::HashSet<_>>().len();
    Some(if distinct == names.len() { names } else { inputs.iter().map(ToString::to_string).collect() })
}
