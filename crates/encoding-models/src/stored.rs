//! Decompositions of a cross-validation as arrays, so that other voxels need not wait for them.

use linear_algebra::Real;
use ndarray::{Array2, ArrayView2, Axis};

use crate::error::RidgeError;
use crate::features::Training;
use crate::judge::Narrow;
use crate::rotation::Rotation;

/// One array of a decomposition.
#[derive(Debug, Clone, Copy)]
pub enum StoredArray<'a> {
    /// Numbers that judge penalties in `f32`.
    F4(ArrayView2<'a, f32>),
    /// All others.
    F8(ArrayView2<'a, f64>),
}

/// Where arrays that were stored are found by their names; `None` where there is none of that name.
pub type Stored<'s> = &'s (dyn Fn(&str) -> Option<Array2<f64>> + Sync);

const EIGENVALUES: &str = "eigenvalues";
const BASIS: &str = "basis";
const OTHERS: &str = "others";
const ROWS: &str = "rows";

impl Rotation {
    /// Its arrays, each called `prefix` and what it is; `narrow` stands in for what it replaces.
    pub(crate) fn arrays<'r>(&'r self, prefix: &str, narrow: Option<&'r Narrow>) -> Vec<(String, StoredArray<'r>)> {
        let name = |what: &str| format!("{prefix}_{what}");
        let others = narrow.map_or(StoredArray::F8(self.others.view()), |narrow| StoredArray::F4(narrow.others.view()));
        let basis = match narrow.and_then(|narrow| narrow.basis.as_ref()) {
            Some(basis) => StoredArray::F4(basis.view()),
            None => StoredArray::F8(self.basis.view()),
        };
        let mut arrays = vec![
            (name(EIGENVALUES), StoredArray::F8(self.eigenvalues.view().insert_axis(Axis(0)))),
            (name(BASIS), basis),
            (name(OTHERS), others),
        ];
        if !self.rows.is_empty() {
            arrays.push((name(ROWS), StoredArray::F8(self.rows.view())));
        }
        arrays
    }

    /// The rotation of this training set from its arrays; an error where one is absent or has another shape.
    pub(crate) fn stored<T: Real>(
        training: &Training<T>,
        prefix: &str,
        with_rows: bool,
        stored: Stored,
    ) -> Result<Rotation, RidgeError> {
        let (n_train, n_others) = (training.train.len(), training.others.len());
        let dual = training.is_dual();
        let read = |what: &str, shape: (usize, usize)| {
            let name = format!("{prefix}_{what}");
            let array = stored(&name).ok_or_else(|| RidgeError::NothingStored { name: name.clone() })?;
            match array.dim() == shape {
                true => Ok(array),
                false => Err(RidgeError::StoredShape { name, shape: array.dim(), expected: shape }),
            }
        };
        let k = training.n_axes();
        let eigenvalues = read(EIGENVALUES, (1, k))?.row(0).to_owned();
        let basis = read(BASIS, (if dual { n_train } else { k }, k))?;
        let others = read(OTHERS, (n_others, k))?;
        let rows = match with_rows && !dual {
            true => read(ROWS, (n_train, k))?,
            false => Array2::zeros((0, 0)),
        };
        Ok(Rotation { eigenvalues, basis, others, rows, dual, leverage: training.leverage() })
    }
}
