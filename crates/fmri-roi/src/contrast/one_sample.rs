//! One sample: the mean of a contrast over subjects against 0.

use anyhow::{Context, Result};
use array_inputs::Next;
use brain_formats::Space;
use brain_formats::maps::MapFormat;
use cli::{Input, Job};
use localizer::OneSample;
use ndarray::ArrayView2;
use npy_stream::{Block, Labels};
use statistics::Reason;
use voxel_inputs::{Given, open_all};

use super::t_map::{ArrayMaps, TMap, require_format};

/// Bytes of rows read at a time: a block stays near the cache and is still long.
const BLOCK_BYTES: usize = 4 << 20;

/// Tests the mean over all maps of the inputs. `format` is the one that the output asks for.
pub(super) fn test(job: &Job, inputs: &[Input], format: Option<MapFormat>) -> Result<(ArrayMaps, Option<Space>)> {
    let mut sums = OneSample::default();
    let mut double = false;
    let mut columns: Vec<Option<Vec<String>>> = Vec::new();
    let (name, space) = match open_all(job, inputs)? {
        Given::Volumes(mut volumes) => {
            require_format(format, volumes.source(), volumes.space())?;
            let mut voxels = Vec::new();
            while volumes.next_volume(&mut voxels)? {
                let map = ArrayView2::from_shape((1, voxels.len()), &voxels)?;
                sums.add_rows(map).with_context(|| volumes.source().to_owned())?;
            }
            double |= volumes.is_double();
            (volumes.source().to_owned(), Some(volumes.space().clone()))
        }
        Given::Arrays(arrays) => {
            let name = arrays.source().to_owned();
            arrays.each(|Next { source, mut array, .. }| {
                double |= array.kind().is_double();
                array.matrix_shape().with_context(|| source.clone())?;
                let n_block = array.rows_within(BLOCK_BYTES);
                while let Some(block) = array.next_rows(n_block).with_context(|| source.clone())? {
                    match block {
                        Block::F4(maps) => sums.add_rows(maps),
                        Block::F8(maps) => sums.add_rows(maps),
                    }
                    .with_context(|| source.clone())?;
                }
                columns.push(array.finish().with_context(|| source)?.columns);
                Ok(())
            })?;
            (name, None)
        }
    };
    let tests = sums.tests().with_context(|| name.clone())?;
    let n = sums.n_maps();
    let df = (n - 1) as f64;
    job.record("test", "one-sample t");
    job.record("n", n);
    job.record("df", df);
    job.note(format!("{name}: one-sample t over {n} maps, df {df}"));
    let count = |reason| tests.iter().filter(|test| test.reason == Some(reason)).count();
    let (n_constant, n_nan) = (count(Reason::Constant), count(Reason::NanInput));
    let t = tests.iter().map(|test| test.t).collect();
    let map = TMap { label: "t".into(), title: None, t, df: Some(df), n_constant, n_nan };
    // Voxels keep their names where all maps give them the same ones.
    columns.dedup();
    let columns = if columns.len() == 1 { columns.remove(0) } else { None };
    Ok((ArrayMaps { name, maps: vec![map], double, labels: Labels { columns, ..Labels::default() } }, space))
}
