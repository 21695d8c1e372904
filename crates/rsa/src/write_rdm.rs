//! How an RDM is written: the one place that knows.

use anyhow::Result;
use cli::Output;
use npy_stream::{Dtype, LabelsRef, RowWriter, write_vector};
use rdm::Rdm;
use std::io::Write;

/// The upper triangle (or the whole square), behind it the stimulus ids and the name.
pub(crate) fn write_rdm(out: &mut Output, rdm: &Rdm, name: Option<&str>, dtype: Dtype, square: bool) -> Result<()> {
    let labels = LabelsRef { ids: rdm.labels(), columns: None, name };
    if square {
        let n = rdm.n_stimuli();
        let mut rows = RowWriter::new(out as &mut dyn Write, n, n, dtype)?;
        rows.write_rows(rdm.to_square().view())?;
        rows.finish(labels)?;
    } else {
        write_vector(out as &mut dyn Write, rdm.values(), dtype, labels)?;
    }
    Ok(())
}
