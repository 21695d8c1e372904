//! The tests of every unit of a layer, from moments.
//!
//! All p values are one-sided for `preferred > rest`, as the localizer asks; twice the smaller of p and 1 - p is the
//! two-sided one.

use std::sync::Arc;

use rayon::prelude::*;
pub use statistics::Correction;
use statistics::mean_test::OneSidedP;
use statistics::{Moments, Reason};

use crate::moments::CategoryMoments;
use crate::question::Question;
use crate::two_sample::{TTest, dprime, mean_ratio, selectivity_index};

/// One side has fewer than the two observations a variance needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{n_preferred} preferred rows against {n_rest} others; a t test needs at least 2 on each side")]
pub struct GroupTooSmall {
    /// Rows of the preferred group.
    pub n_preferred: usize,
    /// Rows of the (smallest) other group.
    pub n_rest: usize,
}

/// What a table says about one unit.
///
/// Of a unit with a `reason` the test and the effect sizes are `NaN`, and the means too when it met NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitStatistics {
    /// Observations of the preferred sample.
    pub n_preferred: usize,
    /// Observations of the other sample.
    pub n_rest: usize,
    /// Mean response to the preferred pictures.
    pub mean_preferred: f64,
    /// Mean response to the others.
    pub mean_rest: f64,
    /// The t statistic.
    pub t: f64,
    /// Its degrees of freedom.
    pub df: f64,
    /// One-sided p; 0 below 1e-308.
    pub p: f64,
    /// `-log10(p)`, which does not saturate.
    pub neg_log10_p: f64,
    /// p adjusted for the number of units, when a correction was asked for; `NaN` otherwise.
    pub q: f64,
    /// [`dprime`]
    pub dprime: f64,
    /// [`selectivity_index`] of the two means.
    pub selectivity_index: f64,
    /// [`mean_ratio`]
    pub ratio: f64,
    /// The comparison of the numbers above (1 when there is one; that with the smallest t when each).
    pub comparison: usize,
    /// Why there are no numbers. A unit that varies, but is flat and equal in the two samples of a comparison, is
    /// `constant` there.
    pub reason: Option<Reason>,
}

/// The test of every unit of one layer (or voxel of one map) for one contrast.
///
/// With several comparisons (`versus each`) a unit must win them all, so what is reported is the conjunction's minimum
/// statistic (Nichols et al. 2005): the comparison with the smallest t gives `t`, `df`, `n_rest` and `mean_rest`;
/// `dprime`, `selectivity_index` and `ratio` are the smallest and `p` and `q` the largest over the comparisons (q
/// corrected within each comparison over the units of the layer, as Prince et al. 2024). Hence a threshold on any
/// reported number is exactly "in every comparison".
///
/// Weights give one comparison, the contrast of means `L = sum w m` whose positive and negative weights sum to 1 and
/// -1: `t = L / se`. Student: `se^2 = s^2 sum w^2/n` with `s^2` pooled over the levels and `df = sum (n - 1)`; Welch:
/// `se^2 = sum w^2 s^2/n` with Satterthwaite's df. d' divides L by the root of the mean of the two sides' variances,
/// each the weighted mean of its levels' variances.
///
/// ```
/// use localizer::{CategoryMoments, Contrast, Design, TTest, UnitTests, Versus};
/// use ndarray::array;
/// let rows = array![[5.0], [6.0], [7.0], [8.0], [1.0], [2.0], [2.0], [3.0], [4.0]];
/// let column = ["a", "a", "a", "a", "b", "b", "b", "b", "b"];
/// let groups = "a > b".parse::<Contrast>().unwrap().resolve(&column, Versus::Pooled).unwrap();
/// let design = Design::new(&[groups], None);
/// let mut moments = CategoryMoments::new(design.n_groups(), 1);
/// moments.add_rows(rows.view(), &design.group_of_row()).unwrap();
/// let tests = UnitTests::compute(moments.into(), design.question(0), TTest::Student, None).unwrap();
/// let unit = tests.row(0);
/// assert_eq!((unit.n_preferred, unit.n_rest, unit.df), (4, 5, 7.0));
/// assert!((2.0 * unit.p - 0.00145810).abs() < 5e-9);
/// ```
#[derive(Debug, Clone)]
pub struct UnitTests {
    moments: Arc<CategoryMoments>,
    question: Question,
    test: TTest,
    /// Why a unit has no test: over all groups of the question, so asked for once, not in every comparison.
    reasons: Vec<Option<Reason>>,
    weakest: Vec<u16>,
    t: Vec<f64>,
    ln_q: Option<Vec<f64>>,
}

impl UnitTests {
    /// Tests every unit; `correction` says how p is adjusted over the units (units with a `reason` do not count).
    ///
    /// # Panics
    /// When the question has fewer than two samples, or more than 65535.
    pub fn compute(
        moments: Arc<CategoryMoments>,
        question: Question,
        test: TTest,
        correction: Option<Correction>,
    ) -> Result<UnitTests, GroupTooSmall> {
        let n_samples = question.samples.len();
        assert!(n_samples >= 2, "{n_samples} samples; a contrast has at least 2");
        assert!(n_samples <= usize::from(u16::MAX), "{n_samples} samples; at most 65535 are told apart");
        question.check(&moments)?;
        let n_units = moments.n_units();
        let reason = |unit| moments.reason_in(unit, question.groups());
        let reasons = (0..n_units).into_par_iter().with_min_len(1024).map(reason).collect();
        let (weakest, t) = (vec![1; n_units], vec![f64::NAN; n_units]);
        let mut tests = UnitTests { reasons, weakest, t, ln_q: None, moments, question, test };
        for comparison in 1..=tests.question.n_comparisons() {
            tests.add_comparison(comparison, correction);
        }
        Ok(tests)
    }

    fn add_comparison(&mut self, comparison: usize, correction: Option<Correction>) {
        let (mut t, mut ln_p) = (Vec::new(), Vec::new());
        let tested = (0..self.n_units()).into_par_iter().with_min_len(1024).map(|unit| {
            if self.reason(unit).is_some() {
                return (f64::NAN, f64::NAN);
            }
            let (t, df) = self.t_and_df(unit, comparison);
            // Tails are costly: where nothing is corrected over the units, only reported ones get theirs.
            (t, if correction.is_some() { OneSidedP::of_t(t, df).ln_p } else { f64::NAN })
        });
        tested.unzip_into_vecs(&mut t, &mut ln_p);
        if let Some(correction) = correction {
            let adjusted = correction.adjust_ln(&ln_p);
            match &mut self.ln_q {
                None => self.ln_q = Some(adjusted),
                Some(ln_q) => keep_larger(ln_q, &adjusted),
            }
        }
        if comparison == 1 {
            self.t = t;
            return;
        }
        for (unit, &t) in t.iter().enumerate() {
            // A comparison that has no t (both sides flat and equal) is one the unit did not win.
            if t < self.t[unit] || (t.is_nan() && !self.t[unit].is_nan()) {
                self.t[unit] = t;
                self.weakest[unit] = comparison as u16;
            }
        }
    }

    fn t_and_df(&self, unit: usize, comparison: usize) -> (f64, f64) {
        let of = |sample: usize| self.question.samples[sample].moments(&self.moments, unit);
        match &self.question.weights {
            None => self.test.of(of(0), of(comparison)),
            Some(weights) => {
                let terms: Vec<(f64, Moments)> = weights.iter().enumerate().map(|(i, w)| (*w, of(i))).collect();
                self.test.of_weighted(&terms)
            }
        }
    }

    fn reason(&self, unit: usize) -> Option<Reason> {
        self.reasons[unit]
    }

    /// How many units.
    pub fn n_units(&self) -> usize {
        self.t.len()
    }

    /// How many are constant, or met NaN or infinity.
    pub fn n_unusable(&self) -> Unusable {
        let nan_input = self.reasons.iter().filter(|reason| **reason == Some(Reason::NanInput)).count();
        Unusable { nan_input, constant: self.reasons.iter().flatten().count() - nan_input }
    }

    /// The t of every unit (the smallest over the comparisons).
    pub fn t(&self) -> &[f64] {
        &self.t
    }

    /// Natural logarithm of the adjusted p of every unit, when a correction was asked for.
    pub fn ln_q(&self) -> Option<&[f64]> {
        self.ln_q.as_deref()
    }

    /// The moments the tests came from.
    pub fn moments(&self) -> &CategoryMoments {
        &self.moments
    }

    /// What was asked of them.
    pub fn question(&self) -> &Question {
        &self.question
    }

    /// What a table says about this unit.
    pub fn row(&self, unit: usize) -> UnitStatistics {
        let mut row = self.comparison(unit, self.weakest[unit].into());
        let decides = row.comparison;
        for other in (1..=self.question.n_comparisons()).filter(|other| *other != decides) {
            let other = self.comparison(unit, other);
            // A measure that a comparison does not have is one the unit did not win.
            let least = |a: f64, b: f64| if b < a || b.is_nan() { b } else { a };
            row.dprime = least(row.dprime, other.dprime);
            row.selectivity_index = least(row.selectivity_index, other.selectivity_index);
            row.ratio = least(row.ratio, other.ratio);
            if other.p > row.p || other.p.is_nan() {
                row.p = other.p;
            }
            row.neg_log10_p = least(row.neg_log10_p, other.neg_log10_p);
        }
        row.q = self.ln_q.as_ref().map_or(f64::NAN, |ln_q| ln_q[unit].exp());
        row
    }

    /// One unit in one comparison (from 1), uncorrected (`q` is `NaN`): for tables of every comparison.
    pub fn comparison(&self, unit: usize, comparison: usize) -> UnitStatistics {
        let sides = self.sides(unit, comparison);
        let reason = self.reason(unit);
        let mut row = UnitStatistics {
            n_preferred: sides.preferred.n,
            n_rest: sides.rest.n,
            mean_preferred: f64::NAN,
            mean_rest: f64::NAN,
            t: f64::NAN,
            df: f64::NAN,
            p: f64::NAN,
            neg_log10_p: f64::NAN,
            q: f64::NAN,
            dprime: f64::NAN,
            selectivity_index: f64::NAN,
            ratio: f64::NAN,
            comparison,
            reason,
        };
        if reason != Some(Reason::NanInput) {
            (row.mean_preferred, row.mean_rest) = (sides.preferred.mean, sides.rest.mean);
        }
        if reason.is_none() {
            (row.t, row.df) = self.t_and_df(unit, comparison);
            let p = OneSidedP::of_t(row.t, row.df);
            (row.p, row.neg_log10_p) = (p.p(), p.neg_log10_p());
            let (a, b) = (sides.preferred, sides.rest);
            row.dprime = dprime(a.mean - b.mean, [a.variance, b.variance]);
            row.selectivity_index = selectivity_index(a.mean, b.mean);
            row.ratio = mean_ratio(a.mean, b.mean);
            if row.t.is_nan() {
                row.reason = Some(Reason::Constant);
            }
        }
        row
    }

    fn sides(&self, unit: usize, comparison: usize) -> Sides {
        let of = |sample: usize| self.question.samples[sample].moments(&self.moments, unit);
        match &self.question.weights {
            None => {
                let side = |m: Moments| Side { n: m.n, mean: m.mean, variance: m.variance() };
                Sides { preferred: side(of(0)), rest: side(of(comparison)) }
            }
            Some(weights) => {
                let side = |sign: f64| {
                    let mut side = Side { n: 0, mean: 0.0, variance: 0.0 };
                    for (sample, weight) in weights.iter().enumerate().filter(|(_, w)| **w * sign > 0.0) {
                        let moments = of(sample);
                        side.n += moments.n;
                        side.mean += weight.abs() * moments.mean;
                        side.variance += weight.abs() * moments.variance();
                    }
                    side
                };
                Sides { preferred: side(1.0), rest: side(-1.0) }
            }
        }
    }
}

/// Units without numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unusable {
    /// With one value in every row.
    pub constant: usize,
    /// That met NaN or infinity.
    pub nan_input: usize,
}

/// What effect sizes are made of.
#[derive(Clone, Copy)]
struct Side {
    n: usize,
    mean: f64,
    variance: f64,
}

struct Sides {
    preferred: Side,
    rest: Side,
}

/// Elementwise maximum in which NaN wins.
fn keep_larger(kept: &mut [f64], other: &[f64]) {
    for (kept, &other) in kept.iter_mut().zip(other) {
        if other > *kept || other.is_nan() {
            *kept = other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contrast::Groups;
    use crate::question::Design;
    use ndarray::{Array2, array};
    use statistics::Draws;

    fn tests_of(data: &Array2<f64>, groups: &[usize], test: TTest, correction: Option<Correction>) -> UnitTests {
        asked(data, groups, None, test, correction).unwrap()
    }

    fn asked(
        data: &Array2<f64>,
        groups: &[usize],
        weights: Option<Vec<f64>>,
        test: TTest,
        correction: Option<Correction>,
    ) -> Result<UnitTests, GroupTooSmall> {
        let n_groups = groups.iter().max().unwrap() + 1;
        let group_of_row: Vec<Option<usize>> = groups.iter().map(|g| Some(*g)).collect();
        let names = (0..n_groups).map(|g| g.to_string()).collect();
        let design = Design::new(&[Groups { names, weights, counts: Vec::new(), group_of_row }], None);
        let mut moments = CategoryMoments::new(design.n_groups(), data.ncols());
        moments.add_rows(data.view(), &design.group_of_row()).unwrap();
        UnitTests::compute(moments.into(), design.question(0), test, correction)
    }

    #[test]
    fn methods_vector() {
        // METHODS.md, test vectors: A = {5,6,7,8}, B = {1,2,2,3,4}; digits from scipy 1.17.1 ttest_ind, two-sided p.
        // Welch's df is (5/12 + 13/50)^2 / ((5/12)^2/3 + (13/50)^2/4) = 6.1237864 (METHODS prints 6.123784).
        let data = array![[5.0], [6.0], [7.0], [8.0], [1.0], [2.0], [2.0], [3.0], [4.0]];
        let groups = [0, 0, 0, 0, 1, 1, 1, 1, 1];
        let student = tests_of(&data, &groups, TTest::Student, None).row(0);
        let welch = tests_of(&data, &groups, TTest::Welch, None).row(0);
        for (found, expected) in [
            (student.t, 5.063216919838814),
            (student.df, 7.0),
            (student.p * 2.0, 0.001458101283481036),
            (welch.t, 4.984211525609613),
            (welch.df, 6.12378640776699),
            (welch.p * 2.0, 0.0023495095858485702),
            (student.mean_preferred, 6.5),
            (student.mean_rest, 2.4),
            (student.neg_log10_p, -(0.001458101283481036_f64 / 2.0).log10()),
            // 4.1 / sqrt((5/3 + 13/10) / 2) and 4.1 / 8.9
            (student.dprime, 4.1 / (89.0_f64 / 60.0).sqrt()),
            (welch.selectivity_index, 4.1 / 8.9),
        ] {
            // 1e-13: nine values, and scipy's own last digits.
            assert!((found / expected - 1.0).abs() < 1e-13, "{found} {expected}");
        }
        assert!((student.dprime - 3.366390).abs() < 5e-7 && (student.selectivity_index - 0.460674).abs() < 5e-7);
        assert!(student.q.is_nan());
    }

    #[test]
    fn golden_scipy() {
        // scipy 1.17.1: ttest_ind(X[:7], X[7:], alternative='greater'), false_discovery_control(bh, by), and d' in
        // numpy, of X[r, c] = ((7r + 5c + r²c) mod 11) / 8 + (0.4c in the first seven rows): ties in every column.
        let data = Array2::from_shape_fn((18, 5), |(r, c)| {
            let lift = if r < 7 { c as f64 * 0.4 } else { 0.0 };
            ((r * 7 + c * 5 + r * r * c) % 11) as f64 / 8.0 + lift
        });
        let groups: Vec<usize> = (0..18).map(|r| usize::from(r >= 7)).collect();
        let student = tests_of(&data, &groups, TTest::Student, Some(Correction::BenjaminiHochberg));
        let welch = tests_of(&data, &groups, TTest::Welch, Some(Correction::BenjaminiYekutieli));
        let dprime =
            [0.08096657276611316, 0.8661661262771373, 2.6417456346370685, 3.1874399902829347, 3.6535733372742256];
        // t, df, p, q of each unit
        let student_golden = [
            [0.16995766070881393, 16.0, 0.43358692221363904, 0.43358692221363904],
            [1.8015147342418902, 16.0, 0.0452476752996441, 0.05655959412455513],
            [5.526360005631085, 16.0, 2.301091903589249e-05, 3.8351531726487486e-05],
            [6.4773009900952045, 16.0, 3.81613646059343e-06, 9.540341151483575e-06],
            [7.62823701781742, 16.0, 5.111994757938337e-07, 2.5559973789691685e-06],
        ];
        let welch_golden = [
            [0.16533254953643778, 11.771689534905029, 0.4357437716609142, 0.9949482786257541],
            [1.7826868669460643, 12.481502939522288, 0.04947962883307311, 0.14122310729439616],
            [5.4100614370045434, 12.031756655940763, 7.802556610229258e-05, 0.00029693062655594677],
            [6.70026118893883, 14.323548062217911, 4.495723729118077e-06, 2.566308962038236e-05],
            [7.494604801028237, 12.181156448636457, 3.335719653091935e-06, 2.566308962038236e-05],
        ];
        for unit in 0..5 {
            for (tests, golden) in [(&student, &student_golden), (&welch, &welch_golden)] {
                let row = tests.row(unit);
                let found = [row.t, row.df, row.p, row.q, row.dprime];
                for (found, expected) in found.iter().zip(golden[unit].iter().chain([&dprime[unit]])) {
                    // 1e-12: unit 0 loses three digits in the difference of its means.
                    assert!((found / expected - 1.0).abs() < 1e-12, "{unit}: {found} {expected}");
                }
            }
        }
    }

    /// Three groups with 12, 9 and 15 rows whose sizes, means and spreads differ.
    fn three_groups() -> (Array2<f64>, Vec<usize>) {
        let groups: Vec<usize> = (0..36)
            .map(|r| {
                if r < 12 {
                    0
                } else if r < 21 {
                    1
                } else {
                    2
                }
            })
            .collect();
        let mut draws = Draws::new(11);
        let data = Array2::from_shape_fn((36, 40), |(row, unit)| {
            let lift = if groups[row] == 0 { unit as f64 * 0.02 } else { 0.0 };
            lift + draws.uniform() * (1.0 + groups[row] as f64)
        });
        (data, groups)
    }

    #[test]
    fn each_is_the_weakest_comparison() {
        let (data, groups) = three_groups();
        let both = tests_of(&data, &groups, TTest::Welch, Some(Correction::BenjaminiYekutieli));
        let alone: Vec<UnitTests> = [1, 2]
            .map(|other| {
                let rows: Vec<usize> = (0..36).filter(|r| groups[*r] == 0 || groups[*r] == other).collect();
                let part = data.select(ndarray::Axis(0), &rows);
                let part_groups: Vec<usize> = rows.iter().map(|r| groups[*r].min(1)).collect();
                tests_of(&part, &part_groups, TTest::Welch, Some(Correction::BenjaminiYekutieli))
            })
            .into();
        let mut weakest_seen = [0, 0];
        for unit in 0..40 {
            let (row, first, second) = (both.row(unit), alone[0].row(unit), alone[1].row(unit));
            assert_eq!(row.t, first.t.min(second.t));
            assert_eq!(row.p, first.p.max(second.p));
            assert_eq!(row.q, first.q.max(second.q));
            let weakest = if first.t <= second.t { first } else { second };
            assert_eq!((row.df, row.mean_rest), (weakest.df, weakest.mean_rest));
            assert_eq!(row.dprime, first.dprime.min(second.dprime));
            assert_eq!(row.selectivity_index, first.selectivity_index.min(second.selectivity_index));
            assert_eq!(row.neg_log10_p, first.neg_log10_p.min(second.neg_log10_p));
            assert_eq!(row.n_rest, [9, 15][row.comparison - 1]);
            weakest_seen[row.comparison - 1] += 1;
        }
        assert!(weakest_seen.iter().all(|n| *n > 0));
    }

    #[test]
    fn weights_of_two_levels_are_the_two_sample_test() {
        let (data, groups) = three_groups();
        let two: Vec<usize> = groups.iter().map(|g| (*g).min(1)).collect();
        for test in [TTest::Student, TTest::Welch] {
            let weighted = asked(&data, &two, Some(vec![1.0, -1.0]), test, None).unwrap();
            let sides = tests_of(&data, &two, test, None);
            for unit in 0..40 {
                let (a, b) = (weighted.row(unit), sides.row(unit));
                for (a, b) in [(a.t, b.t), (a.df, b.df), (a.dprime, b.dprime), (a.ratio, b.ratio)] {
                    assert!((a / b - 1.0).abs() < 1e-12, "{unit}: {a} {b}");
                }
                assert_eq!((a.n_preferred, a.n_rest), (b.n_preferred, b.n_rest));
            }
        }
    }

    #[test]
    fn weights_are_a_planned_comparison_of_a_one_way_layout() {
        // Three levels by hand: means 5, 2, 1; variances 1, 4, 1 with n 3: s^2 = 2, se^2 = 2 (1 + 1/4 + 1/4) / 3 = 1.
        let data = array![[4.0], [5.0], [6.0], [0.0], [2.0], [4.0], [0.0], [1.0], [2.0]];
        let groups = [0, 0, 0, 1, 1, 1, 2, 2, 2];
        let weights = Some(vec![1.0, -0.5, -0.5]);
        let row = asked(&data, &groups, weights.clone(), TTest::Student, None).unwrap().row(0);
        assert!((row.t - 3.5).abs() < 1e-14, "{row:?}");
        assert_eq!((row.df, row.mean_preferred, row.mean_rest), (6.0, 5.0, 1.5));
        assert!((row.dprime - 3.5 / 1.75_f64.sqrt()).abs() < 1e-15);
        // Welch: parts 1/3, 1/3, 1/12; se^2 = 3/4, df = (9/16) / ((1/9 + 1/9 + 1/144) / 2) = 162/33.
        let row = asked(&data, &groups, weights, TTest::Welch, None).unwrap().row(0);
        assert!((row.t - 3.5 / 0.75_f64.sqrt()).abs() < 1e-14 && (row.df - 162.0 / 33.0).abs() < 1e-13, "{row:?}");
    }

    #[test]
    fn constant_and_nan_units_keep_their_place() {
        let (mut data, groups) = three_groups();
        data.column_mut(3).fill(2.5);
        data[[20, 7]] = f64::NAN;
        let tests = tests_of(&data, &groups, TTest::Student, Some(Correction::BenjaminiHochberg));
        assert_eq!(tests.n_unusable(), Unusable { constant: 1, nan_input: 1 });
        let (constant, nan) = (tests.row(3), tests.row(7));
        assert_eq!((constant.reason, constant.mean_preferred), (Some(Reason::Constant), 2.5));
        assert_eq!(nan.reason, Some(Reason::NanInput));
        for row in [constant, nan] {
            let all = [row.t, row.df, row.p, row.neg_log10_p, row.q, row.dprime, row.selectivity_index];
            assert!(all.iter().all(|v| v.is_nan()));
        }
        // The other 38 are corrected for 38 tests.
        let keep: Vec<usize> = (0..40).filter(|u| *u != 3 && *u != 7).collect();
        let clean = data.select(ndarray::Axis(1), &keep);
        let clean = tests_of(&clean, &groups, TTest::Student, Some(Correction::BenjaminiHochberg));
        assert!(keep.iter().enumerate().all(|(i, &u)| clean.row(i).q == tests.row(u).q));
    }

    /// t and df have no unit: whatever the responses are multiplied by, a power of two changes no digit of them.
    #[test]
    fn very_large_and_very_small_responses_are_tested_as_any_others() {
        let (data, groups) = three_groups();
        for test in [TTest::Student, TTest::Welch] {
            let plain = tests_of(&data, &groups, test, None).row(0);
            for power in [-480, -300, 300, 480] {
                let scaled = tests_of(&data.mapv(|v| v * f64::powi(2.0, power)), &groups, test, None).row(0);
                assert_eq!(
                    (scaled.t, scaled.df, scaled.p, scaled.reason),
                    (plain.t, plain.df, plain.p, None),
                    "2^{power}"
                );
            }
        }
    }

    #[test]
    fn flat_sides_give_an_infinite_t_as_scipy_does() {
        let data = array![[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]];
        for test in [TTest::Student, TTest::Welch] {
            let tests = tests_of(&data, &[0, 0, 1, 1], test, None);
            let (up, down) = (tests.row(0), tests.row(1));
            assert_eq!((up.t, up.p, up.neg_log10_p), (f64::INFINITY, 0.0, f64::INFINITY));
            assert_eq!((down.t, down.p, down.reason), (f64::NEG_INFINITY, 1.0, None));
        }
    }

    #[test]
    fn a_comparison_without_t_is_not_won() {
        // Flat and equal against group 1, far above group 2.
        let data = array![[1.0], [1.0], [1.0], [1.0], [0.0], [0.1]];
        for order in [[0, 0, 1, 1, 2, 2], [0, 0, 2, 2, 1, 1]] {
            let row = tests_of(&data, &order, TTest::Student, None).row(0);
            assert!(row.t.is_nan() && row.p.is_nan(), "{row:?}");
        }
    }

    #[test]
    fn flat_levels_that_cancel_have_no_t() {
        // 1 - (1 + 0 + 2) / 3 is 1.1e-16 in f64, which over a standard error of 0 would be an infinite t.
        let data =
            array![[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [2.0, 1.0], [2.0, 1.0]];
        let thirds = Some(vec![1.0, -1.0 / 3.0, -1.0 / 3.0, -1.0 / 3.0]);
        for test in [TTest::Student, TTest::Welch] {
            let tests = asked(&data, &[0, 0, 1, 1, 2, 2, 3, 3], thirds.clone(), test, None).unwrap();
            let (cancel, differ) = (tests.row(0), tests.row(1));
            assert!(cancel.t.is_nan() && cancel.reason == Some(Reason::Constant), "{cancel:?}");
            assert_eq!((differ.t, differ.reason), (f64::INFINITY, None));
        }
    }

    #[test]
    fn one_row_on_a_side_is_refused() {
        let data = array![[1.0], [2.0], [3.0]];
        let error = asked(&data, &[0, 0, 1], None, TTest::Student, None).unwrap_err();
        assert_eq!(error.to_string(), "2 preferred rows against 1 others; a t test needs at least 2 on each side");
    }
}
