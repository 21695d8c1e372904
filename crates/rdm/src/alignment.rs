//! Alignments: two matrices of responses compared by a map between their units, fitted to stimuli and scored on the
//! same stimuli or on others.

mod canonical;
mod matching;
mod transport;

use linear_algebra::LinearAlgebraError;
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use statistics::{Reason, mean};

use crate::representation::centre;
use crate::{Erased, RdmError, gather};
use canonical::Canonical;
use matching::Units;

/// Which maps of units there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Alignment {
    /// Any linear map of each side: the mean of the canonical correlations, over as many as the side with fewer axes
    /// has. Unchanged by invertible linear maps of the units. Hotelling (1936).
    Cca,
    /// The same of the leading singular axes of each side, the fewest that hold this share of its variance. Raghu et
    /// al. (2017).
    Svcca {
        /// The share, above 0 and not above 1.
        variance: f64,
    },
    /// The mean of the canonical correlations weighted by how much of the side with fewer axes each canonical variate
    /// carries, `sum_j |<h, x_j>|` over its units; with equally many axes the mean of both weightings. Morcos et al.
    /// (2018).
    Pwcca,
    /// Each unit of the side with fewer units is one unit of the other: the mean of the correlations of the pairs, for
    /// the pairs whose sum is largest. Li et al. (2016).
    Permutation,
    /// Each unit is spread over units of the other side, every unit of a side having the same weight: the weighted mean
    /// of the correlations, for the weights with the largest one (an exact optimum, no entropy). With equally many
    /// units it is [`Alignment::Permutation`]. Khosla & Williams (2024).
    SoftMatching,
}

impl Alignment {
    fn matches_units(self) -> bool {
        matches!(self, Alignment::Permutation | Alignment::SoftMatching)
    }
}

/// Rows that a map is fitted to, and those that it is scored on: the same where there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Rows of the fit.
    pub fit: Vec<usize>,
    /// Other rows, at least 3.
    pub score: Option<Vec<usize>>,
}

/// Why a matrix cannot be aligned.
#[derive(Debug, thiserror::Error)]
pub enum AlignmentError {
    /// Its values could not be read, or are too few.
    #[error(transparent)]
    Rdm(#[from] RdmError),
    /// A decomposition did not converge.
    #[error(transparent)]
    LinearAlgebra(#[from] LinearAlgebraError),
    /// As many axes as centred stimuli have at most.
    #[error(
        "its units span {rank} axes, all that {n_fit} stimuli have once their mean is taken off, so that a linear map \
         fits any other matrix perfectly and CCA is 1 whatever that is; give more stimuli than units, fewer axes \
         (`ann-acts --pca`, --compare svcca with a smaller --variance), or compare by --compare cka-debiased"
    )]
    NoStimuliLeft {
        /// Axes.
        rank: usize,
        /// Stimuli that the map is fitted to.
        n_fit: usize,
    },
}

/// One matrix, ready to be aligned with others of the same stimuli and splits.
#[derive(Debug, Clone)]
pub struct Aligned {
    how: Alignment,
    folds: Vec<Fold>,
    /// Units left out of a matching, being constant over the rows of a fit or of a score.
    n_constant: usize,
}

#[derive(Debug, Clone)]
enum Fold {
    Canonical(Canonical),
    Units(Units),
}

impl Aligned {
    /// Reads the patterns once (all are then held, `n x p` in `f64`), which must be finite. `largest` is the
    /// magnitude of their largest value ([`crate::sweep`]).
    pub fn of<'a>(
        patterns: impl Into<Erased<'a>>,
        how: Alignment,
        splits: &[Split],
        largest: f64,
    ) -> Result<Aligned, AlignmentError> {
        Aligned::of_erased(patterns.into(), how, splits, largest)
    }

    fn of_erased(patterns: Erased, how: Alignment, splits: &[Split], largest: f64) -> Result<Aligned, AlignmentError> {
        let (n, p) = (patterns.n_stimuli(), patterns.n_units());
        if p == 0 {
            return Err(RdmError::NoUnits { n_stimuli: n }.into());
        }
        let fewest = splits.iter().map(|split| split.fit.len()).min().unwrap_or(n);
        if fewest < 3 {
            return Err(RdmError::TooFewRows { n_stimuli: fewest, needed: 3 }.into());
        }
        // A power of two changes no digit, and keeps squares in range.
        let unit = if largest > 0.0 { largest.log2().floor().clamp(-1000.0, 1000.0).exp2().recip() } else { 1.0 };
        let x = gather(patterns)? * unit;
        // What the numbers of the file are exact to: a sum of columns stored as f4 is no exact sum.
        let stored = if matches!(patterns, Erased::Single(_)) { f64::from(f32::EPSILON) } else { f64::EPSILON };
        let mut n_constant = 0;
        let x = if how.matches_units() {
            let kept: Vec<usize> = (0..p).filter(|&unit| varies(&x, unit, splits)).collect();
            n_constant = p - kept.len();
            x.select(Axis(1), &kept)
        } else {
            x
        };
        let one = |split: &Split| -> Result<Fold, AlignmentError> {
            Ok(match how {
                Alignment::Permutation | Alignment::SoftMatching => Fold::Units(Units::of(&x, split)),
                _ => Fold::Canonical(Canonical::of(&x, split, how, stored)?),
            })
        };
        let folds = splits.par_iter().map(one).collect::<Result<_, _>>()?;
        Ok(Aligned { how, folds, n_constant })
    }

    /// Why it can be aligned with nothing: over the rows of a fit all its units are constant.
    pub fn reason(&self) -> Option<Reason> {
        self.folds.iter().any(|fold| fold.n_axes() == 0).then_some(Reason::Constant)
    }

    /// Units that a matching leaves out, since they are constant over the rows of some fit or score.
    pub fn n_constant(&self) -> usize {
        self.n_constant
    }

    /// Axes (of CCA) or units (of matchings) that take part, of the fold with the most.
    pub fn n_axes(&self) -> usize {
        self.folds.iter().map(Fold::n_axes).max().unwrap_or(0)
    }

    /// The similarity, at most 1: of maps that are scored on the stimuli they were fitted to at least 0 (matchings may
    /// fall below it), of others about 0 for noise; the mean over splits. Where both sides have more axes together than
    /// the fitted rows have dimensions, some canonical correlations are 1 whatever the data are, and the held-out score
    /// of CCA depends on which of the variates that fit perfectly were taken. `NaN` when one side has a
    /// [`Aligned::reason`], or a canonical variate is constant over held-out rows.
    ///
    /// # Panics
    /// When the two were made for different alignments or splits.
    pub fn compare(&self, other: &Aligned) -> f64 {
        assert_eq!((self.how, self.folds.len()), (other.how, other.folds.len()), "two of a kind");
        if self.reason().or(other.reason()).is_some() {
            return f64::NAN;
        }
        let folds = self.folds.par_iter().zip(&other.folds).map(|pair| match pair {
            (Fold::Canonical(a), Fold::Canonical(b)) => canonical::score(a, b),
            (Fold::Units(a), Fold::Units(b)) => matching::score(a, b, self.how == Alignment::SoftMatching),
            _ => f64::NAN,
        });
        // In the order of the folds, whatever thread had which. Rounding above 1 is cut; NaN stays (`min` would make
        // it 1).
        let score = mean(&folds.collect::<Vec<f64>>());
        if score > 1.0 { 1.0 } else { score }
    }
}

impl Fold {
    fn n_axes(&self) -> usize {
        match self {
            Fold::Canonical(canonical) => canonical.n_axes(),
            Fold::Units(units) => units.n_units(),
        }
    }
}

/// Whether a unit has two values among the rows of every fit, and of every score.
fn varies(x: &Array2<f64>, unit: usize, splits: &[Split]) -> bool {
    let among = |rows: &[usize]| rows.iter().any(|&row| x[(row, unit)] != x[(rows[0], unit)]);
    splits.iter().all(|split| among(&split.fit) && split.score.as_deref().is_none_or(among))
}

/// The rows, their means taken off.
fn centred(x: &Array2<f64>, rows: &[usize]) -> Array2<f64> {
    let mut chosen = x.select(Axis(0), rows);
    centre(&mut chosen, 1.0);
    chosen
}

#[cfg(test)]
#[path = "alignment_tests.rs"]
mod tests;
