//! The table of voxels.

use anyhow::Result;
use brain_formats::Space;
use cli::{Format, Job, Named, Output, TableWriter};
use localizer::UnitTests;
use localizer_run::{Part, Plan};
use unit_tables::columns::{ARRAY, CONTRAST, FOLD, VOXEL_NAME};

use crate::place::{Columns, known_place};

pub(super) struct VoxelTable<'a> {
    plan: &'a Plan,
    /// Where the voxels are, if the betas say so.
    space: Option<&'a Space>,
    /// Whether an array has names of voxels.
    has_names: bool,
    table: TableWriter<Output>,
}

/// The measures of a unit but for the last: a ratio of betas, which may be negative, says nothing.
fn measures(part: Part) -> Vec<&'static str> {
    let mut columns = part.columns();
    columns.truncate(columns.len() - 1);
    columns.push(part.reason());
    columns
}

fn append(part: Part, tests: &UnitTests, voxel: usize, cells: &mut Vec<Named>) {
    let (_, reason) = part.append(tests, voxel, cells);
    cells.truncate(cells.len() - 1);
    cells.push((part.reason(), reason.into()));
}

impl<'a> VoxelTable<'a> {
    pub fn new(out: Output, format: Format, plan: &'a Plan, space: Option<&'a Space>, has_names: bool) -> Result<Self> {
        let mut columns = vec![ARRAY];
        columns.extend((plan.contrasts.len() > 1).then_some(CONTRAST));
        columns.extend((!plan.folds.is_empty()).then_some(FOLD));
        columns.extend(Columns::where_known(space));
        columns.extend(measures(Part::Chosen));
        if !plan.folds.is_empty() {
            columns.extend(measures(Part::HeldOut));
        }
        columns.extend(has_names.then_some(VOXEL_NAME));
        Ok(VoxelTable { plan, space, has_names, table: TableWriter::new(out, format, &columns)? })
    }

    /// One row per voxel of an array (its name, and those of its voxels), for a question of the plan.
    pub fn write(
        &mut self,
        (array, names): (&str, Option<&[String]>),
        question: usize,
        tests: &UnitTests,
        held_out: Option<&UnitTests>,
    ) -> Result<()> {
        let contrast = (self.plan.contrasts.len() > 1).then(|| self.plan.contrast(question).to_string());
        let fold = self.plan.fold(question);
        self.table.records(tests.n_units(), |voxel| {
            let mut cells: Vec<Named> = Vec::with_capacity(32);
            cells.push((ARRAY, array.into()));
            cells.extend(contrast.as_ref().map(|contrast| (CONTRAST, contrast.into())));
            cells.extend(fold.map(|fold| (FOLD, fold.into())));
            cells.extend(known_place(voxel, self.space));
            append(Part::Chosen, tests, voxel, &mut cells);
            if let Some(held_out) = held_out {
                append(Part::HeldOut, held_out, voxel, &mut cells);
            }
            cells.extend(self.has_names.then(|| (VOXEL_NAME, names.map(|names| &names[voxel]).into())));
            cells
        })?;
        Ok(())
    }

    pub fn commit(self, job: &Job) -> Result<()> {
        self.table.into_inner().commit(job)
    }
}
