//! Chosen units on pictures that were not used to choose them: z-scored responses per category.

use super::Over;
use localizer::each_against_rest;
use rayon::prelude::*;
use statistics::{BoxPlot, Reason, mean};

/// Units whose responses are worked on together.
const TILE: usize = 64;

/// z-scores with the mean and the standard deviation (n in the denominator) of the values themselves, as
/// `scipy.stats.zscore`; the reason where there are none.
pub(crate) fn z_scores(values: &[f64]) -> Result<Vec<f64>, Reason> {
    if let Some(reason) = Reason::of(values) {
        return Err(reason);
    }
    let centre = mean(values);
    let deviations: Vec<f64> = values.iter().map(|v| v - centre).collect();
    let squares: Vec<f64> = deviations.iter().map(|d| d * d).collect();
    let sd = mean(&squares).sqrt();
    // The squares of the deviations may under- or overflow.
    if sd == 0.0 || !sd.is_finite() {
        return Err(if sd == 0.0 { Reason::Constant } else { Reason::NanInput });
    }
    Ok(deviations.into_iter().map(|d| d / sd).collect())
}

/// One category's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CategoryResponse {
    /// Pictures.
    pub n: usize,
    /// Mean z.
    pub mean: f64,
    /// Its distribution.
    pub spread: BoxPlot,
    /// Mean over units of Student's t against all other pictures.
    pub mean_t: f64,
    /// Share of the units with t above the threshold.
    pub proportion: f64,
}

/// A set of units on a set of pictures.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Validation {
    /// Units left out because they are constant here.
    pub n_constant: usize,
    /// Units left out because of a NaN.
    pub n_nan: usize,
    /// Units in the numbers.
    pub n_used: usize,
    pub categories: Vec<CategoryResponse>,
}

struct UnitResponse {
    z: Vec<f64>,
    mean_z: Vec<f64>,
    t: Vec<f64>,
}

/// Validates `n_units` units; `columns` gives the responses of a range of them, one vector over pictures per unit, and
/// `category` has the category of each picture, below `n_categories`.
///
/// Units are shared out among threads, sums over units are taken in their order.
pub(crate) fn validate(
    n_units: usize,
    columns: impl Fn(std::ops::Range<usize>) -> Vec<Vec<f64>> + Sync,
    category: &[usize],
    n_categories: usize,
    over: Over,
    t_above: f64,
) -> Validation {
    let mut counts = vec![0; n_categories];
    category.iter().for_each(|&c| counts[c] += 1);
    let mut sum_z = vec![0.0; category.len()];
    let mut means: Vec<Vec<f64>> = vec![Vec::new(); n_categories];
    let mut ts: Vec<Vec<f64>> = vec![Vec::new(); n_categories];
    let (mut n_constant, mut n_nan) = (0, 0);
    for start in (0..n_units).step_by(TILE) {
        let tile = columns(start..(start + TILE).min(n_units));
        let units: Vec<Result<UnitResponse, Reason>> =
            tile.par_iter().map(|values| unit_response(values, category, n_categories)).collect();
        for unit in units {
            match unit {
                Ok(unit) => {
                    sum_z.iter_mut().zip(&unit.z).for_each(|(sum, z)| *sum += z);
                    for c in 0..n_categories {
                        means[c].push(unit.mean_z[c]);
                        ts[c].push(unit.t[c]);
                    }
                }
                Err(Reason::Constant) => n_constant += 1,
                Err(_) => n_nan += 1,
            }
        }
    }
    let n_used = n_units - n_constant - n_nan;
    let categories = (0..n_categories)
        .map(|c| {
            let values: Vec<f64> = match over {
                Over::Units if counts[c] == 0 => Vec::new(),
                Over::Units => means[c].clone(),
                Over::Images if n_used == 0 => Vec::new(),
                Over::Images => {
                    let of_category = sum_z.iter().zip(category).filter(|(_, of)| **of == c);
                    of_category.map(|(sum, _)| sum / n_used as f64).collect()
                }
            };
            let known = !ts[c].is_empty() && ts[c].iter().all(|t| !t.is_nan());
            let above = ts[c].iter().filter(|t| **t > t_above).count();
            CategoryResponse {
                n: counts[c],
                mean: mean(&values),
                spread: BoxPlot::of(&values),
                mean_t: mean(&ts[c]),
                proportion: if known { above as f64 / n_used as f64 } else { f64::NAN },
            }
        })
        .collect();
    Validation { n_constant, n_nan, n_used, categories }
}

fn unit_response(values: &[f64], category: &[usize], n_categories: usize) -> Result<UnitResponse, Reason> {
    let z = z_scores(values)?;
    // t does not change under scaling, so z serves as well as the responses.
    let (mean_z, t) = each_against_rest(&z, category, n_categories).into_iter().unzip();
    Ok(UnitResponse { z, mean_z, t })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn z_has_n_in_the_denominator() {
        // Mean 2, squares 1 0 1 over 3: sd sqrt(2/3).
        let z = z_scores(&[1.0, 2.0, 3.0]).unwrap();
        assert!((z[2] - 1.5_f64.sqrt()).abs() < 1e-15 && z[1] == 0.0);
        assert_eq!(z_scores(&[2.0, 2.0]), Err(Reason::Constant));
        assert_eq!(z_scores(&[2.0, f64::NAN]), Err(Reason::NanInput));
        assert_eq!(z_scores(&[0.0, 1e-170]), Err(Reason::Constant));
        assert_eq!(z_scores(&[-1e200, 1e200]), Err(Reason::NanInput));
    }

    #[test]
    fn two_units_by_hand() {
        // Unit 0: 3 3 1 1 (z 1 1 -1 -1), unit 1: 0 4 0 0 (mean 1, sd sqrt 3), unit 2 constant, unit 3 NaN.
        let columns = [vec![3.0, 3.0, 1.0, 1.0], vec![0.0, 4.0, 0.0, 0.0], vec![5.0; 4], vec![f64::NAN, 1.0, 2.0, 3.0]];
        let category = [0, 0, 1, 1];
        let of = |over| validate(4, |range| columns[range].to_vec(), &category, 3, over, 1.0);
        let root = 3f64.sqrt();
        let units = of(Over::Units);
        assert_eq!((units.n_constant, units.n_nan, units.n_used), (1, 1, 2));
        // Means per unit: 1 and (-1 + 3) / 2 / sqrt(3).
        assert!((units.categories[0].mean - (1.0 + 1.0 / root) / 2.0).abs() < 1e-15);
        assert!((units.categories[0].spread.whisker_lo - 1.0 / root).abs() < 1e-15);
        // t of unit 0 is infinite, of unit 1: difference 2 over sqrt((4 + 4 + 0 + 0) / 2 * (1/2 + 1/2)) = 1.
        assert_eq!((units.categories[0].mean_t, units.categories[0].proportion), (f64::INFINITY, 0.5));
        // Nothing to say of a category without pictures.
        assert_eq!(units.categories[2].n, 0);
        assert!(units.categories[2].mean.is_nan() && units.categories[2].proportion.is_nan());
        // Pictures: (1 - 1/sqrt 3) / 2 and (1 + sqrt 3) / 2.
        let images = of(Over::Images);
        assert!((images.categories[0].spread.whisker_hi - (1.0 + root) / 2.0).abs() < 1e-15);
        assert!((images.categories[0].mean - units.categories[0].mean).abs() < 1e-15);
    }

    #[test]
    fn no_units_and_one_picture() {
        let none = validate(0, |_| Vec::new(), &[0, 1], 2, Over::Images, 3.0);
        assert!(none.categories[0].mean.is_nan() && none.categories[0].mean_t.is_nan());
        let one = validate(1, |_| vec![vec![1.0, 2.0, 3.0]], &[0, 1, 1], 2, Over::Units, 3.0);
        assert!(one.categories[0].mean_t.is_nan() && one.categories[0].proportion.is_nan());
        assert!(!one.categories[0].mean.is_nan());
    }
}
