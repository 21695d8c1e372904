//! Archives of arrays: uncompressed `.npz`, which `numpy.load` opens, whose members are read as any other `.npy` is.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use anyhow::{Context, Result, anyhow, bail};
use ndarray::{Array2, ArrayView2};
use npy_stream::{Array, Dtype, Float, LabelsRef, NpyReader, RowWriter, write_labels, write_vector};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// Values of a matrix that are read at a time.
const BLOCK: usize = 1 << 20;

/// An archive on its way: the same bytes for the same arrays.
pub(crate) struct ArchiveWriter<W: Write>(ZipWriter<StreamWriter<W>>);

impl<W: Write> ArchiveWriter<W> {
    pub fn new(out: W) -> ArchiveWriter<W> {
        ArchiveWriter(ZipWriter::new_stream(out))
    }

    fn start(&mut self, name: &str) -> Result<()> {
        // As numpy.savez: 64-bit sizes always, since a member may pass 4 GiB.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .large_file(true);
        Ok(self.0.start_file(format!("{name}.npy"), options)?)
    }

    pub fn vector(&mut self, name: &str, values: &[f64]) -> Result<()> {
        self.start(name)?;
        Ok(write_vector(&mut self.0, values, Dtype::F8, LabelsRef::default())?)
    }

    pub fn matrix<T: Float>(&mut self, name: &str, values: ArrayView2<T>) -> Result<()> {
        self.start(name)?;
        let mut rows = RowWriter::new(&mut self.0, values.nrows(), values.ncols(), T::DTYPE)?;
        rows.write_rows(values)?;
        rows.finish(LabelsRef::default())?;
        Ok(())
    }

    pub fn labels(&mut self, name: &str, labels: &[String]) -> Result<()> {
        self.start(name)?;
        Ok(write_labels(&mut self.0, labels)?)
    }

    pub fn finish(self) -> Result<()> {
        Ok(self.0.finish()?.flush()?)
    }
}

/// An archive that is read.
pub(crate) struct Members {
    archive: ZipArchive<File>,
    file: File,
    written_by: &'static str,
}

impl Members {
    /// `written_by`: a hint for messages.
    pub fn open(file: File, written_by: &'static str) -> Result<Members> {
        if !file.metadata()?.is_file() {
            bail!("read from a regular file only, not from a pipe; {written_by}");
        }
        let archive =
            ZipArchive::new(file.try_clone()?).map_err(|e| anyhow!("not a whole .npz archive ({e}); {written_by}"))?;
        Ok(Members { archive, file, written_by })
    }

    pub fn has(&self, name: &str) -> bool {
        self.archive.index_for_name(&format!("{name}.npy")).is_some()
    }

    /// The bytes `before` and then the member `NAME.npy`. What the archive says of its size is believed only as far as
    /// the checksum confirms it.
    fn member(&mut self, name: &str, before: &[u8]) -> Result<NpyReader> {
        let mut member = self
            .archive
            .by_name(&format!("{name}.npy"))
            .map_err(|e| anyhow!("no readable member {name:?} ({e}); {}", self.written_by))?;
        if member.compression() != CompressionMethod::Stored {
            bail!("member {name:?} is compressed; write the arrays with numpy.savez, not savez_compressed");
        }
        let size = io::copy(&mut member, &mut io::sink()).with_context(|| format!("member {name:?}"))?;
        let start = member.data_start().ok_or_else(|| anyhow!("member {name:?} has no place in the archive"))?;
        drop(member);
        let mut body = self.file.try_clone()?;
        body.seek(SeekFrom::Start(start))?;
        let bytes = Cursor::new(before.to_vec()).chain(io::BufReader::new(body.take(size)));
        Ok(NpyReader::from_pipe(bytes))
    }

    fn array(&mut self, name: &str, before: &[u8]) -> Result<Array> {
        let mut arrays = self.member(name, before)?.read_all().with_context(|| format!("member {name:?}"))?;
        match arrays.len() {
            1 => Ok(arrays.remove(0)),
            n => bail!("member {name:?} holds {n} arrays, not 1"),
        }
    }

    /// In blocks of rows, since a model may be large and the bytes need not be held beside the numbers.
    pub fn matrix(&mut self, name: &str) -> Result<Array2<f64>> {
        let member = || format!("member {name:?}");
        let mut reader = self.member(name, &[])?;
        let mut array = reader.next_array().with_context(member)?.ok_or_else(|| anyhow!("{} is empty", member()))?;
        let Ok(shape) = array.matrix_shape() else {
            bail!("{name} has shape {:?}, not two axes", array.shape());
        };
        let mut values = Vec::new();
        while let Some(block) = array.next_rows((BLOCK / shape.1.max(1)).max(1)).with_context(member)? {
            values.extend(block.to_f64());
        }
        array.finish().with_context(member)?;
        Ok(Array2::from_shape_vec(shape, values)?)
    }

    pub fn vector(&mut self, name: &str) -> Result<Vec<f64>> {
        let array = self.array(name, &[])?;
        if array.shape.len() != 1 {
            bail!("{name} has shape {:?}, not one axis", array.shape);
        }
        Ok(array.values.into_f64())
    }

    pub fn labels(&mut self, name: &str) -> Result<Vec<String>> {
        // A stream has text only behind numbers, so an empty array goes in front.
        let mut before = Vec::new();
        write_vector::<_, f64>(&mut before, &[], Dtype::F8, LabelsRef::default())?;
        self.array(name, &before)?.labels.ids.ok_or_else(|| anyhow!("{name} is not a list of ids"))
    }
}
