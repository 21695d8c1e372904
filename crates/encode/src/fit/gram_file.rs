//! `--gram`: decompositions that one run writes and others read.

use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use cli::Output;
use encoding_models::{CrossValidation, RidgeError, RidgeOptions, Rows, Split, Stored, StoredArray};
use linear_algebra::Real;
use ndarray::Array2;
use sha2::{Digest, Sha256};

use crate::archive::{ArchiveWriter, Members};

const FINGERPRINT: &str = "made_for";
const WRITTEN_BY: &str = "`encode fit --gram FILE` writes it where it does not exist";

/// What decompositions depend on, in 64 letters: features, row weights, splits, inner folds, options.
pub(super) fn fingerprint<T: Real>(
    x: Rows<T>,
    weights: Option<&[f64]>,
    splits: &[Split],
    options: &RidgeOptions,
    others: &str,
) -> String {
    let mut digest = Sha256::new();
    digest.update(format!("1 {:?} f{} {others} {:?}", x.dim(), size_of::<T>(), options.inner));
    digest.update(format!("{weights:?} {splits:?} {}", options.alphas.factors().len() == 1));
    let mut bytes = Vec::with_capacity(x.ncols() * 8);
    let mut buffer = Vec::new();
    for row in 0..x.nrows() {
        bytes.clear();
        x.row(row, &mut buffer).iter().for_each(|v| bytes.extend(v.to_f64().to_le_bytes()));
        digest.update(&bytes);
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decompositions in a file.
pub(super) struct GramFile {
    members: Mutex<Members>,
    /// The first member that could not be read.
    broken: Mutex<Option<anyhow::Error>>,
}

impl GramFile {
    /// `None` where there is no such file; an error where it was made for something else.
    pub fn open(path: &Path, fingerprint: &str) -> Result<Option<GramFile>> {
        let file = match File::open(path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut members = Members::open(file, WRITTEN_BY)?;
        let made_for = members.labels(FINGERPRINT)?;
        if made_for != [fingerprint] {
            bail!(
                "made for other features, rows, folds or options ({:.12}, and these are {fingerprint:.12}); remove it, \
                 or give another name",
                made_for.first().map_or("", String::as_str)
            );
        }
        Ok(Some(GramFile { members: Mutex::new(members), broken: Mutex::new(None) }))
    }

    /// Calls `prepare` with what looks arrays up.
    pub fn with<R>(&self, prepare: impl FnOnce(Stored) -> Result<R, RidgeError>) -> Result<R> {
        let lookup = |name: &str| -> Option<Array2<f64>> {
            match self.members.lock().unwrap_or_else(PoisonError::into_inner).matrix(name) {
                Ok(array) => Some(array),
                Err(e) => {
                    self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(e);
                    None
                }
            }
        };
        let prepared = prepare(&lookup);
        match self.broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(e) => Err(e),
            None => Ok(prepared?),
        }
    }
}

/// Writes the decompositions.
pub(super) fn write<T: Real>(out: &mut Output, prepared: &CrossValidation<T>, fingerprint: String) -> Result<()> {
    let mut archive = ArchiveWriter::new(out);
    archive.labels(FINGERPRINT, &[fingerprint])?;
    for (name, array) in prepared.arrays() {
        match array {
            StoredArray::F4(array) => archive.matrix(&name, array),
            StoredArray::F8(array) => archive.matrix(&name, array),
        }
        .with_context(|| name.clone())?;
    }
    archive.finish()
}
