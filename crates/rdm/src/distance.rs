use std::fmt;
use std::str::FromStr;

use ndarray::ArrayView2;
use statistics::Reason;

use crate::{Rdm, RdmError};

mod centred;
mod direct;
mod pairwise;
mod patterns;
mod profiles;
mod ranked;
mod scale;
mod squared;
mod survey;
mod ties;
mod whole;

pub use centred::Centred;
pub use pairwise::Power;
pub use patterns::{Averaged, Element, Erased, InMemory, Patterns, Selected, Widened, gather};

use scale::Standing;
use survey::{Distinct, Survey};

pub(crate) use direct::{add_contrasts, centre_columns};
pub(crate) use patterns::{blocks, read_block};
pub(crate) use profiles::Profiles;
pub(crate) use squared::{CHEAP, F32_ROUNDING, by_row, mark_unusable};
pub(crate) use ties::{many_agree, settle};

/// How dissimilar two patterns are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distance {
    /// 1 minus the Pearson correlation across units.
    Correlation,
    /// The root of the sum of squared differences, as in SciPy. rsatoolbox's `euclidean` is
    /// [`Distance::SqeuclideanPerChannel`].
    Euclidean,
    /// The sum of squared differences.
    Sqeuclidean,
    /// The sum of squared differences divided by the number of units: what rsatoolbox calls `euclidean`.
    SqeuclideanPerChannel,
    /// 1 minus the cosine of the angle between the patterns.
    Cosine,
    /// 1 minus the Spearman correlation across units: the correlation of ranks, ties sharing their mean rank.
    Spearman,
    /// The sum of absolute differences.
    Cityblock,
    /// The largest absolute difference.
    Chebyshev,
    /// `(sum |a - b|^p)^(1/p)`: 1 is [`Distance::Cityblock`], 2 [`Distance::Euclidean`], infinity
    /// [`Distance::Chebyshev`].
    Minkowski(Power),
    /// The share of units that differ, of all units.
    Hamming,
    /// Of the units that are other than 0 in one pattern or in both, the share that is so in one alone; 0 where there
    /// is none. As SciPy has it since 1.15: whatever is not 0 is true.
    Jaccard,
    /// The sum over units of `(a - b) (ln a - ln b)`: the symmetrized Kullback-Leibler divergence of Poisson
    /// distributions with these rates, which have to be positive (see `Prior`).
    Poisson,
}

impl Distance {
    /// All that a name says, in the order of the help text: not [`Distance::Minkowski`], which needs its power.
    pub const NAMED: [Distance; 11] = [
        Distance::Correlation,
        Distance::Euclidean,
        Distance::Sqeuclidean,
        Distance::SqeuclideanPerChannel,
        Distance::Cosine,
        Distance::Spearman,
        Distance::Cityblock,
        Distance::Chebyshev,
        Distance::Hamming,
        Distance::Jaccard,
        Distance::Poisson,
    ];

    /// Whether it is made of differences of patterns, in which what all patterns share cancels ([`Centred`]).
    pub fn is_of_differences(self) -> bool {
        use Distance::{Correlation, Cosine, Jaccard, Poisson, Spearman};
        !matches!(self, Correlation | Cosine | Spearman | Poisson | Jaccard)
    }

    /// Its name on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Distance::Correlation => "correlation",
            Distance::Euclidean => "euclidean",
            Distance::Sqeuclidean => "sqeuclidean",
            Distance::SqeuclideanPerChannel => "sqeuclidean-per-channel",
            Distance::Cosine => "cosine",
            Distance::Spearman => "spearman",
            Distance::Cityblock => "cityblock",
            Distance::Chebyshev => "chebyshev",
            Distance::Minkowski(_) => "minkowski",
            Distance::Hamming => "hamming",
            Distance::Jaccard => "jaccard",
            Distance::Poisson => "poisson",
        }
    }
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Distance {
    type Err = RdmError;

    fn from_str(name: &str) -> Result<Distance, RdmError> {
        let known = Distance::NAMED.into_iter().find(|d| d.as_str() == name);
        known.ok_or_else(|| RdmError::UnknownDistance(name.to_owned()))
    }
}

/// A pattern without distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnusableRow {
    /// Its row, from 0.
    pub row: usize,
    /// Why.
    pub reason: Reason,
}

/// An RDM and the patterns that have no part in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Distances {
    /// All pairs; those with an unusable row are `NaN`.
    pub rdm: Rdm,
    /// The unusable rows, in order.
    pub unusable: Vec<UnusableRow>,
}

/// The dissimilarities of all pairs of rows of `patterns` (`n_stimuli x n_units`).
///
/// A row that holds `NaN` or infinity (`nan_input`), a row without variance under [`Distance::Correlation`] and
/// [`Distance::Spearman`] and a row of zeros under [`Distance::Cosine`] (`constant`) has `NaN` with every other row
/// and is reported.
///
/// What comes from products of rows is a squared distance between rows that were first left alone, scaled to length
/// 1, or centred and scaled (for those two half of it is 1 minus the cosine or the correlation). Squared distances
/// come from a Gram matrix of the rows minus their common mean, in `f64`, or in `f32` for `f32` input that is large;
/// where that difference of large sums would lose digits (close pairs) the pair is summed again directly in `f64`. So
/// equal rows have distance 0 exactly, nothing is negative, and a common offset or a common pattern costs no accuracy.
///
/// **Ties.** Distances that are equal in exact arithmetic are equal. Rows that are equal have the same distances. Rows
/// of whole numbers (times a power of two) are summed without rounding. Otherwise distances that differ by less than
/// the bound on their errors get one value, unless there are more than 65,536 pairs of which a sample shows no such
/// two. The bound, with `u = 2^-53`, `d` units and coordinates `y` (the rows, or scaled, or centred and scaled, and
/// minus their mean): `2 sqrt(D) e + e^2 + 2 m u (|y_i|^2 + |y_j|^2)` on a squared distance `D`, with
/// `m = min(d, 2048) + d / 2048 + 4` for its sums and `e` the sum over both rows of `2 u |y|`, and `(d / 16 + 16) u`
/// where they were scaled. Cityblock and poisson distances, crossnobis and means of distances have bounds of the same
/// kind. Where the distances are few kinds far apart, as those of models are, the rounding of the patterns themselves
/// to their type may be between equal ones too.
///
/// Errors against exact arithmetic: about 1e-7 absolute for correlation distances in `f32`, 1e-15 in `f64`.
///
/// ```
/// use ndarray::array;
/// use rdm::{Distance, distances};
/// let patterns = array![[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [5.0, 5.0, 5.0]];
/// let found = distances(patterns.view(), Distance::Correlation)?;
/// assert!((found.rdm.get(0, 1) - 2.0).abs() < 1e-15);
/// assert!(found.rdm.get(0, 2).is_nan());
/// assert_eq!(found.unusable[0].row, 2);
/// # Ok::<(), rdm::RdmError>(())
/// ```
pub fn distances<T: Element>(patterns: ArrayView2<T>, distance: Distance) -> Result<Distances, RdmError> {
    distances_of(&InMemory::new(patterns), distance)
}

/// [`distances`] of patterns that need not be in memory: what is held is the triangle and a block of columns of all
/// rows, for [`Distance::Spearman`] also the ranks and for [`Distance::Poisson`] a square of the size of the RDM.
pub fn distances_of<'a>(patterns: impl Into<Erased<'a>>, distance: Distance) -> Result<Distances, RdmError> {
    of_erased(patterns.into(), distance)
}

fn of_erased(patterns: Erased, distance: Distance) -> Result<Distances, RdmError> {
    match patterns {
        Erased::Single(patterns) => all_pairs(patterns, distance),
        Erased::Double(patterns) => all_pairs(patterns, distance),
    }
}

fn all_pairs<T: Element>(patterns: &dyn Patterns<Value = T>, distance: Distance) -> Result<Distances, RdmError> {
    let (n_stimuli, n_units) = (patterns.n_stimuli(), patterns.n_units());
    check_shape(n_stimuli, n_units)?;
    let halved = |found: Found| found.map(|d2| d2 / 2.0);
    let Found { values, unusable, .. } = match distance {
        Distance::Sqeuclidean => squared(patterns, Standing::AsItIs)?.in_range(1.0)?,
        Distance::SqeuclideanPerChannel => squared(patterns, Standing::AsItIs)?.in_range(n_units as f64)?,
        Distance::Euclidean => {
            let found = squared(patterns, Standing::AsItIs)?;
            let unit = found.unit;
            found.map(|d2| d2.sqrt() / unit)
        }
        Distance::Cosine => halved(squared(patterns, Standing::Direction)?),
        Distance::Correlation => halved(squared(patterns, Standing::Profile)?),
        Distance::Spearman => halved(ranked::squared_distances_of_ranks(patterns)?),
        Distance::Cityblock => {
            among_distinct(patterns, Standing::AsItIs, |rows, survey| pairwise::cityblock(rows, survey))?
        }
        Distance::Chebyshev => {
            among_distinct(patterns, Standing::AsItIs, |rows, survey| pairwise::chebyshev(rows, survey))?
        }
        Distance::Minkowski(power) if power.get() == 1.0 => return all_pairs(patterns, Distance::Cityblock),
        Distance::Minkowski(power) if power.get() == 2.0 => return all_pairs(patterns, Distance::Euclidean),
        Distance::Minkowski(power) => {
            among_distinct(patterns, Standing::AsItIs, |rows, survey| pairwise::minkowski(rows, survey, power))?
        }
        Distance::Hamming => {
            among_distinct(patterns, Standing::AsItIs, |rows, survey| pairwise::hamming(rows, survey))?
        }
        Distance::Jaccard => {
            among_distinct(patterns, Standing::AsItIs, |rows, survey| pairwise::jaccard(rows, survey))?
        }
        Distance::Poisson => among_distinct(patterns, Standing::AsItIs, |rows, survey| direct::poisson(rows, survey))?,
    };
    let unusable = unusable.into_iter().enumerate();
    let unusable = unusable.filter_map(|(row, reason)| reason.map(|reason| UnusableRow { row, reason })).collect();
    Ok(Distances { unusable, rdm: Rdm::from_condensed(values, None)? })
}

pub(crate) fn check_shape(n_stimuli: usize, n_units: usize) -> Result<(), RdmError> {
    match (n_stimuli, n_units) {
        (0 | 1, _) => Err(RdmError::TooFewStimuli { n_stimuli }),
        (_, 0) => Err(RdmError::NoUnits { n_stimuli }),
        _ => Ok(()),
    }
}

/// The upper triangle, and why a row has no part in it.
struct Found {
    values: Vec<f64>,
    unusable: Vec<Option<Reason>>,
    /// What the patterns were multiplied by ([`Survey::unit`]).
    unit: f64,
}

impl Found {
    fn map(mut self, of: impl Fn(f64) -> f64) -> Found {
        self.values.iter_mut().for_each(|v| *v = of(*v));
        self
    }

    /// Squares in the unit of the patterns, divided; an error where one is 0 or infinite and should not be.
    fn in_range(self, divisor: f64) -> Result<Found, RdmError> {
        let unit = self.unit;
        let lost = |d2: &&f64| **d2 > 0.0 && !(**d2 / unit / unit).is_normal();
        if let Some(d2) = self.values.iter().find(lost) {
            return Err(RdmError::SquareOutOfRange { distance: d2.sqrt() / unit });
        }
        Ok(self.map(|d2| d2 / unit / unit / divisor))
    }
}

fn squared<P: Patterns + ?Sized>(patterns: &P, standing: Standing) -> Result<Found, RdmError> {
    among_distinct(patterns, standing, |rows, survey| squared::squared_distances(rows, survey, standing))
}

/// Takes distances between rows that differ, and gives equal rows what their first one has.
fn among_distinct<P: Patterns + ?Sized>(
    patterns: &P,
    standing: Standing,
    between: impl FnOnce(&Selected<P>, &Survey) -> Result<Vec<f64>, RdmError>,
) -> Result<Found, RdmError> {
    let survey = Survey::of(patterns, standing)?;
    let distinct = Distinct::of(patterns, &survey)?;
    let values = between(&distinct.select(patterns), &survey.of_rows(&distinct.rows))?;
    let unusable = survey.scales.iter().map(|scale| scale.err()).collect();
    Ok(Found { values: distinct.expand(values), unusable, unit: survey.unit })
}

#[cfg(test)]
mod tests;
