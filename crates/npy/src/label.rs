//! `npy label`: ids behind what has none, or other ids.

use crate::blocks::{BLOCK_BYTES, dtype_of, write};
use crate::ids;
use crate::rename::Renames;
use anyhow::{Context, Result, bail};
use array_inputs::{Next, Whole, each_array, hold, require_unique};
use cli::{Common, Input, Job, Output};
use npy_stream::{Array, Incoming, RowWriter, write_array};
use stimulus_table::Side;

/// Put ids behind a matrix or an RDM that has none, or rename those that are there
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A matrix takes one id per row, and ids may repeat (trials of one picture). An RDM takes one id per
stimulus, each once.

--rename bridges the ids of two studies: a table with the columns `old` and `new`, or of two columns
(the first holds the old ids), or whichever --old and --new name. Every id of the array must have a
new one; --inner keeps the rows (of an RDM: the stimuli) that have one, and stderr says how many. An
old id twice is an error. Two old ids of a matrix with one new id become repeats, which is said.

Examples:
  npy label --stimuli stimuli.csv betas.npy > labelled.npy
  npy label --ids ids.txt --force betas.npy > renamed.npy
  npy label --rename old_to_new.csv --inner rdm.npy > shared_rdm.npy")]
#[command(group = clap::ArgGroup::new("which").required(true).args(["ids", "stimuli", "rename"]))]
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
    /// A table that gives each old id its new one
    #[arg(long, value_name = "TABLE")]
    rename: Option<Input>,
    /// Its column of old ids [default: old, or the first of two]
    #[arg(long, value_name = "COLUMN", requires = "rename", conflicts_with_all = ["ids", "stimuli"])]
    old: Option<String>,
    /// Its column of new ids [default: new, or the second of two]
    #[arg(long, value_name = "COLUMN", requires = "rename", conflicts_with_all = ["ids", "stimuli"])]
    new: Option<String>,
    /// Keep what has a new id, instead of stopping where something has none
    #[arg(long, requires = "rename", conflicts_with_all = ["ids", "stimuli"])]
    inner: bool,
    /// Replace ids that are there already
    #[arg(long, conflicts_with = "rename")]
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
    if let Some(table) = &args.rename {
        return rename(&job, args, table);
    }
    let (ids, source) = match (&args.ids, &args.stimuli) {
        (Some(file), _) => (ids::of_file(&job, file)?, file),
        (None, Some(table)) => (ids::of_table(&job, table)?, table),
        (None, None) => bail!("one of --ids, --stimuli and --rename is needed"),
    };
    let ids = Ids { ids, source, force: args.force };
    let mut out = job.binary_output(args.common.output.as_deref())?;
    each_array(&job, &args.inputs, |Next { source, array, .. }| ids.write(array, &mut out).with_context(|| source))?;
    out.commit(&job)
}

fn rename(job: &Job, args: &Label, table: &Input) -> Result<()> {
    let renames = Renames::read(job, table, [args.old.as_deref(), args.new.as_deref()], args.inner)?;
    let mut out = job.binary_output(args.common.output.as_deref())?;
    each_array(job, &args.inputs, |Next { source, array, .. }| {
        let named = || source.clone();
        if array.shape().len() == 1 {
            let rdm = hold(array, "the RDM").with_context(named)?;
            return Ok(write_array(&mut out, &renames.rdm(job, &source, rdm).with_context(named)?)?);
        }
        let (n_rows, n_columns) = array.matrix_shape().with_context(named)?;
        let dtype = dtype_of(&array);
        let (whole, labels) = Whole::take(array, &source)?;
        let (rows, ids) = renames.rows(job, &source, labels.ids.as_deref()).with_context(named)?;
        if n_rows == n_columns && rows.len() < n_rows {
            job.warn(format_args!(
                "{source}: as many columns as rows, of which rows alone are left out; if it is a square RDM, make a vector \
                 of it first (rsa rdm --input-is rdm)"
            ));
        }
        let mut writer = RowWriter::new(&mut out, rows.len(), n_columns, dtype)?;
        whole.rows(&rows, |_, block| Ok(write(&mut writer, block)?)).with_context(named)?;
        writer.finish(&labels.with_ids(Some(&ids)))?;
        Ok(())
    })?;
    out.commit(job)
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
