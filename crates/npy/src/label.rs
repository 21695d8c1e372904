//! `npy label`: ids behind what has none, other ids, or another name.

use crate::blocks::{BLOCK_BYTES, dtype_of, write};
use crate::ids;
use crate::rename::Renames;
use anyhow::{Context, Result, bail};
use array_inputs::{Next, Whole, each_array, hold, require_unique};
use cli::{Common, Input, Job, Output};
use npy_stream::{Array, Incoming, Labels, RowWriter, write_array};
use stimulus_table::Side;

/// Put ids and a name behind a matrix or an RDM, or rename ids that are there
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A matrix takes one id per row, and ids may repeat (trials of one picture). An RDM takes one id per
stimulus, each once.

--rename bridges the ids of two studies: a table with the columns `old` and `new`, or of two columns
(the first holds the old ids), or whichever --old and --new name. Every id of the array must have a
new one; --inner keeps the rows (of an RDM: the stimuli) that have one, and stderr says how many. An
old id twice is an error. Two old ids of a matrix with one new id become repeats, which is said.

--names, alone or with the others, gives the arrays the names by which tables call them.

Examples:
  npy label --stimuli stimuli.csv betas.npy > labelled.npy
  npy label --ids ids.txt --names sub-01 --force betas.npy > renamed.npy
  npy label --rename old_to_new.csv --inner rdm.npy > shared_rdm.npy")]
#[command(group = clap::ArgGroup::new("which").args(["ids", "stimuli", "rename"]))]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["ids", "stimuli", "rename", "names"]))]
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
    /// Names of the arrays, one each, in order
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
    /// Replace ids that are there already
    #[arg(long, conflicts_with = "rename")]
    force: bool,
    #[command(flatten)]
    common: Common,
}

/// The labels to write: each where it is given.
struct Given<'a> {
    ids: Option<(Vec<String>, &'a Input)>,
    names: &'a [String],
    force: bool,
}

pub(crate) fn run(args: &Label) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let renames = match &args.rename {
        Some(table) => Some(Renames::read(&job, table, [args.old.as_deref(), args.new.as_deref()], args.inner)?),
        None => None,
    };
    let ids = match (&args.ids, &args.stimuli) {
        (Some(file), _) => Some((ids::of_file(&job, file)?, file)),
        (None, Some(table)) => Some((ids::of_table(&job, table)?, table)),
        (None, None) => None,
    };
    let given = Given { ids, names: &args.names, force: args.force };
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let mut n_arrays = 0;
    each_array(&job, &args.inputs, |Next { source, array, .. }| {
        let name = given.name(n_arrays)?;
        n_arrays += 1;
        match &renames {
            Some(renames) => rename(&job, renames, &source, array, name, &mut out),
            None => given.write(array, name, &mut out),
        }
        .with_context(|| source)
    })?;
    if n_arrays < given.names.len() {
        bail!("--names has {} names for {n_arrays} arrays", given.names.len());
    }
    out.commit(&job)
}

fn rename(
    job: &Job,
    renames: &Renames,
    source: &str,
    array: Incoming,
    name: Option<&String>,
    out: &mut Output,
) -> Result<()> {
    if array.shape().len() == 1 {
        let mut rdm = renames.rdm(job, source, hold(array, "the RDM")?)?;
        called(&mut rdm.labels, name);
        return Ok(write_array(out, &rdm)?);
    }
    let (n_rows, n_columns) = array.matrix_shape()?;
    let dtype = dtype_of(&array);
    let (whole, labels) = Whole::take(array, source)?;
    let (rows, ids) = renames.rows(job, source, labels.ids.as_deref())?;
    if n_rows == n_columns && rows.len() < n_rows {
        job.warn(format_args!(
            "{source}: as many columns as rows, of which rows alone are left out; if it is a square RDM, make a vector \
             of it first (rsa rdm --input-is rdm)"
        ));
    }
    let mut writer = RowWriter::new(out, rows.len(), n_columns, dtype)?;
    whole.rows(&rows, |_, block| Ok(write(&mut writer, block)?))?;
    let mut labels = labels.with_ids(Some(&ids));
    called(&mut labels, name);
    writer.finish(&labels)?;
    Ok(())
}

fn called(labels: &mut Labels, name: Option<&String>) {
    if let Some(name) = name {
        labels.name = Some(name.clone());
    }
}

impl Given<'_> {
    /// The name of array number `k`, where names are given.
    fn name(&self, k: usize) -> Result<Option<&String>> {
        match self.names {
            [] => Ok(None),
            names => {
                names.get(k).map(Some).with_context(|| format!("--names has {} names, and array {k} none", names.len()))
            }
        }
    }

    fn write(&self, mut array: Incoming, name: Option<&String>, out: &mut Output) -> Result<()> {
        if array.shape().len() == 1 {
            let mut rdm = hold(array, "the RDM")?;
            if let Some((ids, source)) = &self.ids {
                self.behind_rdm(&mut rdm, ids, source)?;
            }
            called(&mut rdm.labels, name);
            return Ok(write_array(out, &rdm)?);
        }
        let (n_rows, n_columns) = array.matrix_shape()?;
        if let Some((ids, source)) = self.ids.as_ref().filter(|(ids, _)| ids.len() != n_rows) {
            bail!("{n_rows} rows, but {source} has {} ids; there must be one per row", ids.len());
        }
        let mut writer = RowWriter::new(out, n_rows, n_columns, dtype_of(&array))?;
        let block_rows = array.rows_within(BLOCK_BYTES);
        while let Some(block) = array.next_rows(block_rows)? {
            write(&mut writer, block)?;
        }
        let mut labels = array.finish()?;
        if let Some((ids, _)) = &self.ids {
            self.may_replace(labels.ids.as_deref(), ids)?;
            labels.ids = Some(ids.clone());
        }
        called(&mut labels, name);
        writer.finish(&labels)?;
        Ok(())
    }

    /// An RDM is one value per pair of the stimuli, in the order of SciPy's `pdist`.
    fn behind_rdm(&self, rdm: &mut Array, ids: &[String], source: &Input) -> Result<()> {
        let n_pairs = ids.len() * ids.len().saturating_sub(1) / 2;
        if rdm.values.len() != n_pairs {
            bail!(
                "{} values, but the {} ids of {source} have {n_pairs} pairs; an RDM has one value per pair",
                rdm.values.len(),
                ids.len()
            );
        }
        require_unique(Side { name: &source.to_string(), labels: Some(ids), n_rows: ids.len() })?;
        self.may_replace(rdm.labels.ids.as_deref(), ids)?;
        rdm.labels.ids = Some(ids.to_vec());
        Ok(())
    }

    /// Ids that are there stay, unless --force says otherwise.
    fn may_replace(&self, old: Option<&[String]>, ids: &[String]) -> Result<()> {
        let Some(old) = old.filter(|old| !self.force && *old != ids) else { return Ok(()) };
        let row = old.iter().zip(ids).position(|(a, b)| a != b).unwrap_or(0);
        let (is, becomes) = (&old[row], &ids[row]);
        bail!("row {row} is labelled {is:?} already and would become {becomes:?}; --force replaces ids")
    }
}
