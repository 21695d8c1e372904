//! Weights of bands, and what each set of bands explains that no other does.

use ndarray::Array2;
use statistics::Draws;

/// `n` rows of weights of bands: the first row equal, the others Dirichlet draws whose concentration is taken in turn
/// from a list, as himalaya's random search has it (Dupre la Tour et al. 2022). Rows sum to 1.
///
/// # Panics
/// When there is no band, no concentration, or one that is not above 0.
pub fn dirichlet(n: usize, n_bands: usize, concentrations: &[f64], seed: u64) -> Array2<f64> {
    assert!(n_bands > 0 && !concentrations.is_empty(), "bands and concentrations are needed");
    let mut gammas = Array2::from_elem((n, n_bands), 1.0 / n_bands as f64);
    for (i, mut row) in gammas.rows_mut().into_iter().enumerate().skip(1) {
        // A stream per row, so that more rows begin with the same ones.
        let mut draws = Draws::stream(seed, i as u64);
        let concentration = concentrations[i % concentrations.len()];
        let total = loop {
            row.iter_mut().for_each(|gamma| *gamma = draws.gamma(concentration));
            let total = row.sum();
            // Small concentrations can underflow in all bands at once.
            if total > 0.0 && total.is_finite() {
                break total;
            }
        };
        row /= total;
    }
    gammas
}

/// Variance partitioning by inclusion and exclusion: `explained[set]` is what the bands of a set (bit k for band k)
/// explain together, 0 for none; the result, at the same places, is what exactly the bands of a set share, and no other
/// band has (one band: its unique part). Parts sum to what all bands explain; they can be negative.
///
/// ```
/// // two bands that explain .3 and .5, and .6 together: .1 and .3 alone, .2 shared
/// let parts = encoding_models::partition(&[0.0, 0.3, 0.5, 0.6]);
/// assert!(parts.iter().zip([0.0, 0.1, 0.3, 0.2]).all(|(p, e)| (p - e as f64).abs() < 1e-15));
/// ```
///
/// # Panics
/// When the number of sets is not a power of 2.
pub fn partition(explained: &[f64]) -> Vec<f64> {
    assert!(explained.len().is_power_of_two(), "{} sets of bands", explained.len());
    let all = explained.len() - 1;
    let part = |set: usize| {
        let mut sum = 0.0;
        for some in (0..=all).filter(|some| some & !set == 0) {
            let value = explained[(all & !set) | some];
            sum += if some.count_ones() % 2 == 1 { value } else { -value };
        }
        sum
    };
    (0..=all).map(|set| if set == 0 { 0.0 } else { part(set) }).collect()
}

#[cfg(test)]
mod tests {
    use super::{dirichlet, partition};

    #[test]
    fn rows_are_weights_and_the_first_is_equal() {
        let gammas = dirichlet(2001, 3, &[0.1, 1.0], 4);
        assert!(gammas.row(0).iter().all(|g| (g - 1.0 / 3.0).abs() < 1e-15));
        assert!(gammas.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12 && row.iter().all(|g| *g >= 0.0)));
        // mean 1/3; variance (1/3)(2/3) / (3 c + 1): .056 with c = 1 (odd rows), .171 with c = .1; five standard errors
        // are at most .015
        for (start, expected) in [(1, 0.0556), (2, 0.1709)] {
            let first: Vec<f64> = gammas.column(0).iter().skip(start).step_by(2).copied().collect();
            let found = statistics::variance(&first);
            assert!((found - expected).abs() < 0.015, "from row {start}: {found}");
        }
        assert_eq!(gammas.slice(ndarray::s![..50, ..]), dirichlet(50, 3, &[0.1, 1.0], 4));
        assert_ne!(gammas.slice(ndarray::s![..50, ..]), dirichlet(50, 3, &[0.1, 1.0], 5));
    }

    #[test]
    fn parts_of_three_bands_sum_to_all_and_are_those_of_a_diagram() {
        // areas of a Venn diagram by set, and what unions of bands cover
        let areas = [0.0, 0.1, 0.2, 0.05, 0.07, 0.03, 0.01, 0.04];
        let covered: Vec<f64> =
            (0..8).map(|bands| (1..8).filter(|set| set & bands != 0).map(|set| areas[set]).sum()).collect();
        let parts = partition(&covered);
        assert!(parts.iter().zip(areas).all(|(p, a)| (p - a).abs() < 1e-15));
        assert!((parts.iter().sum::<f64>() - covered[7]).abs() < 1e-15);
    }
}
