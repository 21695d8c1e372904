//! The table of voxels of a group test.

use anyhow::Result;
use brain_formats::Space;
use cli::{Format, Job, Named, Output, TableWriter};
use unit_tables::columns::{ARRAY, VOXEL_NAME};

use super::Tests;
use crate::place::{Columns, known_place};
use crate::surfaces::connectivity_cell;

/// Writes one row per voxel.
pub(super) fn write(
    job: &Job,
    out: Output,
    format: Format,
    name: &str,
    tests: &Tests,
    space: Option<&Space>,
    names: Option<&[String]>,
) -> Result<()> {
    let mut columns = vec![ARRAY];
    columns.extend(Columns::where_known(space));
    columns.extend(["n", "estimate", "se", "t", "df", "p", "neg_log10_p", "q"]);
    let corrected = tests.corrected.as_ref();
    if let Some(corrected) = corrected {
        columns.extend(corrected.column.map(|column| [column].to_vec()).unwrap_or_default());
        columns.extend(corrected.cluster_t.map(|_| ["cluster", "cluster_t"]).into_iter().flatten());
        columns.extend(corrected.column.map(|_| "connectivity"));
        columns.push("p_corrected");
    }
    columns.push("reason");
    columns.extend(names.map(|_| VOXEL_NAME));
    let mut table = TableWriter::new(out, format, &columns)?;
    table.records(tests.tests.len(), |voxel| {
        let test = &tests.tests[voxel];
        let ln_p = tests.ln_p[voxel];
        let mut cells: Vec<Named> = vec![(ARRAY, name.into())];
        cells.extend(known_place(voxel, space));
        cells.extend([
            ("n", tests.n.into()),
            ("estimate", test.estimate.into()),
            ("se", test.se.into()),
            ("t", test.t.into()),
            ("df", test.df.into()),
            ("p", ln_p.exp().into()),
            ("neg_log10_p", statistics::ln_to_neg_log10(ln_p).into()),
            ("q", tests.q.as_ref().map(|q| q[voxel]).into()),
        ]);
        if let Some(corrected) = corrected {
            cells.extend(corrected.column.map(|column| (column, corrected.statistic[voxel].into())));
            if let Some(threshold) = corrected.cluster_t {
                let cluster = corrected.clusters[voxel] as usize;
                cells.push(("cluster", Some(cluster).filter(|&cluster| cluster > 0).into()));
                cells.push(("cluster_t", threshold.into()));
            }
            cells.extend(
                corrected
                    .column
                    .map(|_| ("connectivity", connectivity_cell(Some(voxel), space, corrected.connectivity))),
            );
            cells.push(("p_corrected", corrected.p[voxel].into()));
        }
        cells.push(("reason", test.reason.into()));
        cells.extend(names.map(|names| (VOXEL_NAME, (&names[voxel]).into())));
        cells
    })?;
    table.into_inner().commit(job)
}
