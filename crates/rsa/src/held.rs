//! Where the values of a matrix are while they are worked on.

use npy_stream::{Float, Matrix, Parts};
use rdm::{Erased, InMemory, Patterns, RdmError};

/// A matrix in its file, read piece by piece, or in memory (from a pipe, or in Fortran order).
pub(crate) enum Held {
    InFile(Parts),
    InMemory(Matrix),
}

impl Held {
    pub fn n_rows(&self) -> usize {
        match self {
            Held::InFile(place) => place.shape().0,
            Held::InMemory(matrix) => matrix.n_rows(),
        }
    }

    pub fn n_columns(&self) -> usize {
        match self {
            Held::InFile(place) => place.shape().1,
            Held::InMemory(matrix) => matrix.n_columns(),
        }
    }

    pub fn is_double(&self) -> bool {
        match self {
            Held::InFile(place) => place.is_double(),
            Held::InMemory(matrix) => matches!(matrix, Matrix::F8(_)),
        }
    }

    /// What `of` makes of the matrix as patterns.
    pub fn with_patterns<R>(&self, of: impl FnOnce(Erased) -> R) -> R {
        match self {
            Held::InFile(place) if place.is_double() => of((&InFile::<f64>::new(place.clone())).into()),
            Held::InFile(place) => of((&InFile::<f32>::new(place.clone())).into()),
            Held::InMemory(Matrix::F4(x)) => of((&InMemory::new(x.view())).into()),
            Held::InMemory(Matrix::F8(x)) => of((&InMemory::new(x.view())).into()),
        }
    }
}

/// A matrix in its file as patterns.
struct InFile<T> {
    place: Parts,
    value: std::marker::PhantomData<T>,
}

impl<T> InFile<T> {
    pub fn new(place: Parts) -> InFile<T> {
        InFile { place, value: std::marker::PhantomData }
    }
}

impl<T: Float + rdm::Element> Patterns for InFile<T> {
    type Value = T;

    fn n_stimuli(&self) -> usize {
        self.place.shape().0
    }

    fn n_units(&self) -> usize {
        self.place.shape().1
    }

    fn read(&self, row: usize, from: usize, out: &mut [T]) -> Result<(), RdmError> {
        self.place.read_row(row, from, out).map_err(|error| RdmError::Unreadable(error.to_string()))
    }
}
