//! What the selected units of one layer amount to.

use localizer::{UnitStatistics, UnitTests};
use localizer_run::Measured;
use statistics::{Moments, gini, normalized_entropy, share_nonempty};

/// The units that one contrast selected in one layer.
pub(crate) struct Selected {
    pub units: Vec<usize>,
    pub tests: UnitTests,
}

/// One row of the table; what does not exist is NaN.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summary {
    pub n_selected: usize,
    pub n_units: usize,
    pub n_constant: usize,
    pub n_nan: usize,
    pub mean_t: f64,
    pub max_t: f64,
    pub mean_dprime: f64,
    pub mean_selectivity_index: f64,
    pub n_exclusive: usize,
    pub activation: f64,
    pub activation_z: f64,
    pub activation_relative: f64,
    pub maps: Option<Maps>,
}

/// How selected units lie in feature maps (METHODS of Lu & Wang 2025 are not published; these are the usual indices).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Maps {
    pub n: usize,
    pub share: f64,
    pub within: f64,
    pub gini: f64,
    pub entropy: f64,
}

impl Summary {
    /// Share of the layer.
    pub fn proportion(&self) -> f64 {
        self.n_selected as f64 / self.n_units as f64
    }

    /// Share of the selected units that no other contrast selects; NaN when there are none.
    pub fn specificity(&self) -> f64 {
        self.n_exclusive as f64 / self.n_selected as f64
    }

    /// `groups` are those of the moments that are looked at, `all` the selections of every contrast in this layer;
    /// `own` says which one is meant. `map_of_unit` has the feature map of every unit, counted from 0.
    pub fn of(
        measured: &Measured,
        groups: &[usize],
        all: &[Selected],
        own: usize,
        map_of_unit: Option<&[usize]>,
    ) -> Summary {
        let Selected { units, tests } = &all[own];
        let rows: Vec<UnitStatistics> = units.iter().map(|&unit| tests.row(unit)).collect();
        let mean = |value: fn(&UnitStatistics) -> f64| mean(rows.iter().map(value));
        let elsewhere =
            |unit: &usize| all.iter().enumerate().any(|(i, s)| i != own && s.units.binary_search(unit).is_ok());
        let moments = measured.moments();
        let z = |row: (&usize, &UnitStatistics)| {
            let all = groups.iter().map(|&g| moments.moments(g, *row.0)).fold(Moments::default(), Moments::merge);
            (row.1.mean_preferred - all.mean) / (all.m2 / all.n as f64).sqrt()
        };
        let usable = |unit: usize| moments.reason_in(unit, groups.iter().copied()) != Some(localizer::Reason::NanInput);
        let largest = (0..moments.n_units())
            .filter(|&unit| usable(unit))
            .flat_map(|unit| groups.iter().map(move |&g| moments.moments(g, unit).mean))
            .fold(f64::NAN, f64::max);
        let unusable = tests.n_unusable();
        let activation = mean(|row| row.mean_preferred);
        Summary {
            n_selected: units.len(),
            n_units: tests.n_units(),
            n_constant: unusable.constant,
            n_nan: unusable.nan_input,
            mean_t: mean(|row| row.t),
            max_t: tests.t().iter().copied().fold(f64::NAN, f64::max),
            mean_dprime: mean(|row| row.dprime),
            mean_selectivity_index: mean(|row| row.selectivity_index),
            n_exclusive: units.iter().filter(|unit| !elsewhere(unit)).count(),
            activation,
            activation_z: self::mean(units.iter().zip(&rows).map(z)),
            activation_relative: activation / largest,
            maps: map_of_unit.map(|map_of_unit| Maps::of(units, map_of_unit)),
        }
    }
}

impl Maps {
    fn of(units: &[usize], map_of_unit: &[usize]) -> Maps {
        let n = map_of_unit.iter().max().map_or(0, |last| last + 1);
        let mut sizes = vec![0.0; n];
        map_of_unit.iter().for_each(|&map| sizes[map] += 1.0);
        let mut counts = vec![0.0; n];
        units.iter().for_each(|&unit| counts[map_of_unit[unit]] += 1.0);
        let within =
            mean(counts.iter().zip(&sizes).filter(|(count, _)| **count > 0.0).map(|(count, size)| count / size));
        Maps { n, share: share_nonempty(&counts), within, gini: gini(&counts), entropy: normalized_entropy(&counts) }
    }
}

/// The mean; NaN of no values.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    statistics::mean(&values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_the_worked_example() {
        // METHODS, test vectors: counts {0,0,2,10,0,0,0,4} over 8 maps, here of 10 units each.
        let map_of_unit: Vec<usize> = (0..80).map(|unit| unit / 10).collect();
        let units: Vec<usize> =
            [(2, 2), (3, 10), (7, 4)].iter().flat_map(|&(m, n)| (0..n).map(move |i| 10 * m + i)).collect();
        let maps = Maps::of(&units, &map_of_unit);
        assert_eq!((maps.n, maps.gini, maps.share), (8, 0.75, 0.375));
        assert!((maps.entropy - 0.432932).abs() < 5e-7);
        assert!((maps.within - (0.2 + 1.0 + 0.4) / 3.0).abs() < 1e-15);
        let none = Maps::of(&[], &map_of_unit);
        assert!(none.gini.is_nan() && none.within.is_nan() && none.share == 0.0);
    }
}
