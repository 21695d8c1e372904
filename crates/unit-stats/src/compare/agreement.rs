//! How alike two maps of t are.

use statistics::{Reason, pearson, roc_area, spearman, variance};
use unit_tables::UnitRow;

use statistics::SetOverlap;

/// The t of the same units (or voxels) in two maps, those left out that one of the two has no t for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TwoMaps {
    /// Numbers of the units, rising.
    units: Vec<usize>,
    a: Vec<f64>,
    b: Vec<f64>,
    /// Units without a t in one of the maps.
    pub n_nan: usize,
}

/// A region of the first map against the highest units of the second.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Region {
    /// The region, and as many units of the second map, those with the highest t (of equal ones the lowest numbers).
    pub sets: SetOverlap,
    /// How well the second map's t tells the region from the rest: ROC area.
    pub auc: f64,
    pub reason: Option<Reason>,
}

impl TwoMaps {
    /// Both hold the same units, rising.
    pub(crate) fn of(a: &[UnitRow], b: &[UnitRow]) -> TwoMaps {
        let mut maps = TwoMaps { units: Vec::new(), a: Vec::new(), b: Vec::new(), n_nan: 0 };
        for (a, b) in a.iter().zip(b) {
            // An infinite t is one, of a unit that never varies within its categories; it has no place in a mean.
            if a.t.is_finite() && b.t.is_finite() {
                maps.units.push(a.unit);
                maps.a.push(a.t);
                maps.b.push(b.t);
            } else {
                maps.n_nan += 1;
            }
        }
        maps
    }

    /// Units compared.
    pub(crate) fn n(&self) -> usize {
        self.units.len()
    }

    /// Pearson and Spearman correlation of the two maps over units.
    pub(crate) fn correlations(&self) -> [f64; 2] {
        [pearson(&self.a, &self.b), spearman(&self.a, &self.b)]
    }

    /// Standard deviation of the second map's t over that of the first.
    pub(crate) fn sd_ratio(&self) -> f64 {
        (variance(&self.b) / variance(&self.a)).sqrt()
    }

    /// Why the maps have no correlation.
    pub(crate) fn reason(&self) -> Option<Reason> {
        match self.n() {
            0 if self.n_nan > 0 => Some(Reason::NanInput),
            0 => Some(Reason::Empty),
            _ => Reason::of(&self.a).or_else(|| Reason::of(&self.b)),
        }
    }

    /// The region of the first map above a threshold of t, and the second map about it.
    pub(crate) fn region(&self, threshold: f64) -> Region {
        let inside: Vec<bool> = self.a.iter().map(|t| *t > threshold).collect();
        let pick = |values: &[f64], wanted: bool| -> Vec<f64> {
            values.iter().zip(&inside).filter(|(_, inside)| **inside == wanted).map(|(v, _)| *v).collect()
        };
        let of_a: Vec<usize> =
            self.units.iter().zip(&inside).filter(|(_, inside)| **inside).map(|(unit, _)| *unit).collect();
        let mut by_t: Vec<usize> = (0..self.n()).collect();
        // Stable: of equal t the lowest numbers come first.
        by_t.sort_by(|i, j| self.b[*j].total_cmp(&self.b[*i]));
        let mut of_b: Vec<usize> = by_t[..of_a.len()].iter().map(|&place| self.units[place]).collect();
        of_b.sort_unstable();
        Region {
            sets: SetOverlap::of(&of_a, &of_b, Some(self.n())),
            auc: roc_area(&pick(&self.b, true), &pick(&self.b, false)),
            reason: (of_a.is_empty() || of_a.len() == self.n()).then_some(Reason::Empty),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(t: &[f64]) -> Vec<UnitRow> {
        let row = |(unit, &t)| UnitRow { unit, t, dprime: f64::NAN, selectivity_index: f64::NAN };
        t.iter().enumerate().map(row).collect()
    }

    #[test]
    fn worked_by_hand() {
        // Region {1, 2, 5}; the highest of the other map are 1, 5, 0: two in common. Of 3 x 3 pairs in and outside the
        // region, 9 > all three, 8 > all three, 1 > one (0): 7 of 9.
        let maps =
            TwoMaps::of(&map(&[2.0, 4.0, 5.0, f64::NAN, 0.0, 3.5, -1.0]), &map(&[7.0, 9.0, 1.0, 3.0, 0.0, 8.0, 2.0]));
        assert_eq!((maps.n(), maps.n_nan, maps.reason()), (6, 1, None));
        let region = maps.region(3.0);
        assert_eq!((region.sets.n_a, region.sets.n_b, region.sets.n_intersection), (3, 3, 2));
        assert_eq!((region.sets.dice(), region.auc, region.reason), (2.0 / 3.0, 7.0 / 9.0, None));
        assert_eq!(region.sets.expected(), 1.5);
    }

    #[test]
    fn a_multiple_is_the_same_map_but_for_its_spread() {
        let a = map(&[1.0, 3.0, 2.0, 6.0]);
        let b: Vec<UnitRow> = a.iter().map(|row| UnitRow { t: 3.0 * row.t - 1.0, ..*row }).collect();
        let maps = TwoMaps::of(&a, &b);
        assert_eq!(maps.correlations(), [1.0, 1.0]);
        assert_eq!((maps.sd_ratio(), maps.region(2.5).sets.dice(), maps.region(2.5).auc), (3.0, 1.0, 1.0));
    }

    #[test]
    fn equal_t_go_by_number_and_half_the_area() {
        let maps = TwoMaps::of(&map(&[0.0, 4.0, 0.0, 4.0]), &map(&[5.0, 5.0, 5.0, 5.0]));
        let region = maps.region(3.0);
        // The two lowest numbers, of which one is in the region.
        assert_eq!((region.sets.n_intersection, region.auc), (1, 0.5));
        assert_eq!(maps.reason(), Some(Reason::Constant));
        assert!(maps.correlations()[0].is_nan());
    }

    #[test]
    fn no_region_and_no_rest() {
        let maps = TwoMaps::of(&map(&[1.0, 2.0]), &map(&[2.0, 3.0]));
        for threshold in [5.0, 0.0] {
            let region = maps.region(threshold);
            assert!(region.auc.is_nan() && region.reason == Some(Reason::Empty));
        }
        assert!(maps.region(5.0).sets.dice().is_nan());
        let nothing = TwoMaps::of(&map(&[f64::NAN]), &map(&[1.0]));
        assert_eq!((nothing.n(), nothing.reason()), (0, Some(Reason::NanInput)));
    }
}
