//! `npy label`: ids behind what has none.

use crate::blocks::{BLOCK_BYTES, dtype_of, write};
use crate::ids;
use anyhow::{Context, Result, bail};
use array_inputs::{Next, each_array, hold, require_unique};
use cli::{Common, Input, Job, Output};
use npy_stream::{Array, Incoming, RowWriter, write_array};
use stimulus_table::Side;

/// Put ids behind a matrix or an RDM that has none
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A matrix takes one id per row, and ids may repeat (trials of one picture). An RDM takes one id per
stimulus, each once.

Examples:
  npy label --stimuli stimuli.csv betas.npy > labelled.npy
  npy label --stimuli stimuli.csv rdm.npy > labelled_rdm.npy
  npy label --ids ids.txt --force betas.npy > renamed.npy")]
#[command(group = clap::ArgGroup::new("which").required(true).args(["ids", "stimuli"]))]
pub(crate) struct Label {
    /// .npy streams; - is stdin
    #[arg(default_value = "-")]
    inputs: Vec<Input>,
    /// A text file, one id per row (of an RDM: one per stimulus)
    #[arg(long, value_name = "FILE")]
    ids: Option<Input>,
    /// A table of stimuli or trials (ids may repeat) whose row i is row i of the matrix
    #[arg(long, value_name = "TABLE")]
    stimuli: Option<Input>,
    /// Replace ids that are there already
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    common: Common,
}

/// The ids to write.
struct Ids<'a> {
    ids: Vec<String>,
    source: &'a Input,
    force: bool,
}

pub(crate) fn run(args: &Label) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let (ids, source) = match (&args.ids, &args.stimuli) {
        (Some(file), _) => (ids::of_file(&job, file)?, file),
        (None, Some(table)) => (ids::of_table(&job, table)?, table),
        (None, None) => bail!("one of --ids and --stimuli is needed"),
    };
    let ids = Ids { ids, source, force: args.force };
    let mut out = job.binary_output(args.common.output.as_deref())?;
    each_array(&job, &args.inputs, |Next { source, array, .. }| ids.write(array, &mut out).with_context(|| source))?;
    out.commit(&job)
}

impl Ids<'_> {
    fn write(&self, mut array: Incoming, out: &mut Output) -> Result<()> {
        if array.shape().len() == 1 {
            return Ok(write_array(out, &self.behind_rdm(hold(array, "the RDM")?)?)?);
        }
        let (n_rows, n_columns) = array.matrix_shape()?;
        if n_rows != self.ids.len() {
            bail!("{n_rows} rows, but {} has {} ids; there must be one per row", self.source, self.ids.len());
        }
        let mut writer = RowWriter::new(out, n_rows, n_columns, dtype_of(&array))?;
        let block_rows = array.rows_within(BLOCK_BYTES);
        while let Some(block) = array.next_rows(block_rows)? {
            write(&mut writer, block)?;
        }
        let labels = array.finish()?;
        self.may_replace(labels.ids.as_deref())?;
        writer.finish(&labels.with_ids(Some(&self.ids)))?;
        Ok(())
    }

    /// An RDM is one value per pair of the stimuli, in the order of SciPy's `pdist`.
    fn behind_rdm(&self, mut rdm: Array) -> Result<Array> {
        let Ids { ids, source, .. } = self;
        let n_pairs = ids.len() * ids.len().saturating_sub(1) / 2;
        if rdm.values.len() != n_pairs {
            bail!(
                "{} values, but the {} ids of {source} have {n_pairs} pairs; an RDM has one value per pair",
                rdm.values.len(),
                ids.len()
            );
        }
        require_unique(Side { name: &source.to_string(), labels: Some(ids), n_rows: ids.len() })?;
        self.may_replace(rdm.labels.ids.as_deref())?;
        rdm.labels.ids = Some(ids.clone());
        Ok(rdm)
    }

    /// Ids that are there stay, unless --force says otherwise.
    fn may_replace(&self, old: Option<&[String]>) -> Result<()> {
        let Some(old) = old.filter(|old| !self.force && **old != self.ids) else { return Ok(()) };
        let row = old.iter().zip(&self.ids).position(|(a, b)| a != b).unwrap_or(0);
        let (is, becomes) = (&old[row], &self.ids[row]);
        bail!("row {row} is labelled {is:?} already and would become {becomes:?}; --force replaces ids")
    }
}
