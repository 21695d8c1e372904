use std::fmt;
use std::str::FromStr;

use ndarray::ArrayView2;
use statistics::Reason;

use crate::{Rdm, RdmError};

mod direct;
mod patterns;
mod ranked;
mod scale;
mod squared;
mod survey;
mod ties;
mod whole;

pub use patterns::{Averaged, Element, Erased, InMemory, Patterns, Selected, Widened, gather};

use scale::Standing;
use survey::{Distinct, Survey};

pub(crate) use direct::{add_contrasts, centre_columns};
pub(crate) use patterns::{blocks, read_block};
pub(crate) use squared::{CHEAP, F32_ROUNDING, by_row};
pub(crate) use ties::{many_agree, settle};

/// How dissimilar two patterns are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// The sum over units of `(a - b) (ln a - ln b)`: the symmetrized Kullback-Leibler divergence of Poisson
    /// distributions with these rates, which have to be positive (see `Prior`).
    Poisson,
}

impl Distance {
    /// All of them, in the order of the help text.
    pub const ALL: [Distance; 8] = [
        Distance::Correlation,
        Distance::Euclidean,
        Distance::Sqeuclidean,
        Distance::SqeuclideanPerChannel,
        Distance::Cosine,
        Distance::Spearman,
        Distance::Cityblock,
        Distance::Poisson,
    ];

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
        let known = Distance::ALL.into_iter().find(|d| d.as_str() == name);
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
/// All but the last two metrics are a squared distance between rows that were first left alone, scaled to length 1,
/// or centred and scaled (for those two half of it is 1 minus the cosine or the correlation). Squared distances
/// come from a Gram matrix of the rows minus their common mean, in the precision of the input; where that
/// difference of large sums would lose digits (close pairs) the pair is summed again directly in `f64`. So
/// equal rows have distance 0 exactly, nothing is negative, and a common offset or a common pattern costs no
/// accuracy.
///
/// Errors against exact arithmetic: about 1e-7 absolute for `f32` correlation distances, 1e-15 for `f64`.
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
pub fn distances_of<P: Patterns>(patterns: &P, distance: Distance) -> Result<Distances, RdmError> {
    match P::Value::erase(patterns) {
        Erased::Single(patterns) => all_pairs(patterns, distance),
        Erased::Double(patterns) => all_pairs(patterns, distance),
    }
}

fn all_pairs<T: Element>(patterns: &dyn Patterns<Value = T>, distance: Distance) -> Result<Distances, RdmError> {
    let (n_stimuli, n_units) = (patterns.n_stimuli(), patterns.n_units());
    check_shape(n_stimuli, n_units)?;
    let halved = |(values, unusable): Found| (values.into_iter().map(|d2| d2 / 2.0).collect(), unusable);
    let (values, unusable) = match distance {
        Distance::Sqeuclidean => squared(patterns, Standing::AsItIs)?,
        Distance::Euclidean => {
            let (values, unusable) = squared(patterns, Standing::AsItIs)?;
            (values.into_iter().map(f64::sqrt).collect(), unusable)
        }
        Distance::SqeuclideanPerChannel => {
            let (values, unusable) = squared(patterns, Standing::AsItIs)?;
            (values.into_iter().map(|d2| d2 / n_units as f64).collect(), unusable)
        }
        Distance::Cosine => halved(squared(patterns, Standing::Direction)?),
        Distance::Correlation => halved(squared(patterns, Standing::Profile)?),
        Distance::Spearman => halved(ranked::squared_distances_of_ranks(patterns)?),
        Distance::Cityblock => {
            among_distinct(patterns, Standing::AsItIs, |rows, survey| direct::cityblock(rows, survey))?
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
type Found = (Vec<f64>, Vec<Option<Reason>>);

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
    Ok((distinct.expand(values), survey.scales.iter().map(|scale| scale.err()).collect()))
}

#[cfg(test)]
mod tests;
