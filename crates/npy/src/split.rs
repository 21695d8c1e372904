//! `npy split`: every array of a stream into a file of its own.

use crate::blocks::{BLOCK_BYTES, dtype_of, write};
use anyhow::{Context, Result};
use array_inputs::{Called, Names, Next, each_array, hold, require_room};
use cli::{Common, FileStems, Input, Job, OutputFolder};
use npy_stream::{Incoming, RowWriter, write_array};
use std::path::Path;

/// Write every array of a stream into a file of its own, called as the array is
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The files are called by the arrays' names, where they have none by the stem of their file (stem_1,
... for further arrays), in a pipe by their position. Letters, digits, '.', '_' and '-' stay, anything
else becomes '_'; names that come out alike are told apart by a number. Each file appears when it is
whole, with its labels and its sidecar; a file that catsel has not made is never replaced. A pipe
brings names last, so an array from there is held in memory.

Examples:
  cat layer3.npy layer4.npy | npy split --out-dir layers
  rsa rdm layer3.npy layer4.npy | npy split --out-dir rdms
  npy split --out-dir people sub-*/ffa.npy")]
pub(crate) struct Split {
    /// .npy streams of matrices or RDMs; - is stdin
    #[arg(default_value = "-")]
    inputs: Vec<Input>,
    /// Folder for the files, made if needed
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    out_dir: OutputFolder,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(args: &Split) -> Result<()> {
    let job = Job::start("npy", &args.common)?;
    let folder: &Path = &args.out_dir;
    args.out_dir.make()?;
    let mut names = Names::default().of_files(&args.inputs);
    let mut stems = FileStems::new("array");
    let mut n_files = 0;
    each_array(&job, &args.inputs, |Next { input, position, source, mut array }| {
        if array.parts().is_none() {
            require_room(&array, &source, 0)?;
        }
        array.hold().with_context(|| source.clone())?;
        let own = array.labels_ahead().with_context(|| source.clone())?.and_then(|labels| labels.name);
        let name = names.next(&Called::new(input, position, own.as_deref()))?;
        let file = folder.join(format!("{}.npy", stems.next(&name)));
        job.record("array", name);
        write_to(&job, &file, array, &source)?;
        n_files += 1;
        Ok(())
    })?;
    let s = if n_files == 1 { "" } else { "s" };
    job.note(format!("{n_files} file{s} in {}", folder.display()));
    Ok(())
}

fn write_to(job: &Job, file: &Path, mut array: Incoming, source: &str) -> Result<()> {
    let mut out = job.binary_output(Some(file))?;
    let &[n_rows, n_columns] = array.shape() else {
        write_array(&mut out, &hold(array, source)?)?;
        return out.commit(job);
    };
    let mut writer = RowWriter::new(&mut out, n_rows, n_columns, dtype_of(&array))?;
    let block_rows = array.rows_within(BLOCK_BYTES);
    while let Some(block) = array.next_rows(block_rows).with_context(|| source.to_string())? {
        write(&mut writer, block)?;
    }
    let labels = array.finish().with_context(|| source.to_string())?;
    writer.finish(&labels)?;
    out.commit(job)
}
