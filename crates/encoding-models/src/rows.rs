use std::ops::Range;

use linear_algebra::Real;
use ndarray::{ArrayView1, ArrayView2, s};

/// Features that are not in memory.
pub trait ReadRows<T>: Sync {
    /// Rows and columns.
    fn shape(&self) -> (usize, usize);

    /// Fills `out` with the values of a row from column `from` on. What cannot be read is kept and told of by whoever
    /// implements this, once the work that asked for it is done; `out` then stays as it is.
    fn read(&self, row: usize, from: usize, out: &mut [T]);
}

/// Rows of features (`n x p`), in memory or read whenever they are needed.
#[derive(Clone, Copy)]
pub enum Rows<'a, T> {
    /// In memory.
    Held(ArrayView2<'a, T>),
    /// Elsewhere.
    Read(&'a dyn ReadRows<T>),
}

impl<'a, T> From<ArrayView2<'a, T>> for Rows<'a, T> {
    fn from(x: ArrayView2<'a, T>) -> Self {
        Rows::Held(x)
    }
}

impl<T: Real> Rows<'_, T> {
    /// Rows and columns.
    pub fn dim(&self) -> (usize, usize) {
        match self {
            Rows::Held(x) => x.dim(),
            Rows::Read(source) => source.shape(),
        }
    }

    /// Number of rows.
    pub fn nrows(&self) -> usize {
        self.dim().0
    }

    /// Number of columns.
    pub fn ncols(&self) -> usize {
        self.dim().1
    }

    /// Some columns of a row; `buffer` is for values that have to be read.
    pub fn part<'b>(&'b self, row: usize, columns: Range<usize>, buffer: &'b mut Vec<T>) -> ArrayView1<'b, T> {
        match self {
            Rows::Held(x) => x.slice(s![row, columns]),
            Rows::Read(source) => {
                buffer.clear();
                buffer.resize(columns.len(), T::default());
                source.read(row, columns.start, buffer);
                ArrayView1::from(&buffer[..])
            }
        }
    }

    /// A row.
    pub fn row<'b>(&'b self, row: usize, buffer: &'b mut Vec<T>) -> ArrayView1<'b, T> {
        self.part(row, 0..self.ncols(), buffer)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use statistics::{Draws, FoldOrder, k_folds};

    use super::{ReadRows, Rows};
    use crate::{
        AlphaGrid, ColumnScaling, CrossValidation, Features, Inner, RidgeOptions, Scaling, Split, Want, near_duplicates,
    };

    struct Elsewhere(Array2<f64>);

    impl ReadRows<f64> for Elsewhere {
        fn shape(&self) -> (usize, usize) {
            self.0.dim()
        }

        fn read(&self, row: usize, from: usize, out: &mut [f64]) {
            out.iter_mut().enumerate().for_each(|(k, out)| *out = self.0[(row, from + k)]);
        }
    }

    #[test]
    fn rows_that_are_read_give_the_bits_of_rows_that_are_held() {
        for (n, p) in [(40, 9), (24, 50)] {
            let mut draws = Draws::new(p as u64);
            let mut x = Array2::from_shape_simple_fn((n, p), || draws.normal_pair()[0]);
            let copy = x.row(3).to_owned();
            x.row_mut(17).assign(&copy);
            let y = Array2::from_shape_simple_fn((n, 4), || draws.normal_pair()[0]);
            let elsewhere = Elsewhere(x.clone());
            let (held, read): (Rows<f64>, Rows<f64>) = (x.view().into(), Rows::Read(&elsewhere));
            assert_eq!(near_duplicates(read, |_, _| true), [(3, 17)]);
            let some = [5, 0, 30 % n];
            let learned = ColumnScaling::learn(held, &some, Scaling::Standardize);
            assert_eq!(learned, ColumnScaling::learn(read, &some, Scaling::Standardize));
            let folds = k_folds(&(0..n).collect::<Vec<_>>(), 4, FoldOrder::Contiguous).unwrap();
            for scaling in [Scaling::Standardize, Scaling::Centre] {
                let fit = |x: Rows<f64>| {
                    let weights: Vec<f64> = (0..n).map(|row| 1.0 + (row % 2) as f64).collect();
                    let features = Features::new(x, scaling).unwrap().in_bands(&[4, p - 4]).weighted(&weights);
                    let options = RidgeOptions {
                        gammas: Some(Array2::from_elem((1, 2), 0.5)),
                        ..RidgeOptions::new(AlphaGrid::default(), Inner::Folds(folds.clone()))
                    };
                    let splits = Split::of_folds(&folds);
                    let prepared = CrossValidation::prepare(&features, splits, &options, false, None, || ()).unwrap();
                    let found = prepared.predict(y.view(), Want { bands: true, models: true }).unwrap();
                    (found.predictions, found.bands, found.models[0].weights.clone())
                };
                assert_eq!(fit(held), fit(read));
            }
        }
        let broken = Elsewhere(Array2::from_elem((4, 3), f64::NAN));
        assert!(Features::new(Rows::Read(&broken), Scaling::Centre).is_err());
    }
}
