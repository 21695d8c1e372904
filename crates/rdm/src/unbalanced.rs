//! Distances of repeated presentations by all pairs of them: rsatoolbox's `calc_rdm_unbalanced`.
//!
//! The similarity of two stimuli is the mean over all pairs of a presentation of the one and a presentation of the
//! other (of one stimulus also of a presentation with itself), and their distance `s_ii + s_jj - 2 s_ij`. For squared
//! distances that is the distance of the means. With folds, pairs of one fold are left out.

use linear_algebra::{PANEL, product};
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use statistics::Reason;

use crate::distance::{
    Averaged, Distance, Distances, Erased, Profiles, UnusableRow, add_contrasts, blocks, centre_columns, check_shape,
    distances_of, mark_unusable, settle,
};
use crate::matrix::n_pairs;
use crate::{Design, FoldWeights, Prior, Rdm, RdmError, crossnobis};

/// `(r_ii + r_jj) / 2 - r_ij`, with `r_ij` the mean Pearson correlation across units over all pairs of a presentation
/// of `i` and one of `j`; `members` are the rows of each stimulus. Half the squared distance of the means of patterns
/// that were centred and scaled to length 1.
///
/// A stimulus with a presentation that is constant or holds `NaN` is unusable.
///
/// # Panics
/// When a row is not there, or a stimulus has none.
pub fn unbalanced_correlation<'a>(
    patterns: impl Into<Erased<'a>>,
    members: &[Vec<usize>],
) -> Result<Distances, RdmError> {
    let patterns = patterns.into();
    check_shape(members.len(), patterns.n_units())?;
    let profiles = Profiles::new(patterns, true)?;
    let found = distances_of(&Averaged::new(&profiles, members), Distance::Sqeuclidean)?;
    halved(found, &profiles, |c| members[c].clone())
}

/// The same over pairs of presentations of different folds, so that a presentation's noise does not correlate with
/// itself: `r_ii` is then how well the presentations of `i` agree, and the distance of two stimuli that do not differ
/// is 0 on average. rsatoolbox's `calc_rdm_unbalanced(method="correlation", cv_descriptor=...)`.
pub fn unbalanced_correlation_cv<'a>(patterns: impl Into<Erased<'a>>, design: &Design) -> Result<Distances, RdmError> {
    let patterns = patterns.into();
    check_shape(design.n_conditions(), patterns.n_units())?;
    let profiles = Profiles::new(patterns, true)?;
    let found = crossnobis(&profiles, design, FoldWeights::Pairs)?;
    halved(found, &profiles, |c| design.rows_of(c).collect())
}

/// Half of every distance; what is unusable for a constant presentation says so.
fn halved(found: Distances, profiles: &Profiles, rows_of: impl Fn(usize) -> Vec<usize>) -> Result<Distances, RdmError> {
    let Distances { rdm, mut unusable } = found;
    for UnusableRow { row, reason } in unusable.iter_mut().filter(|u| u.reason == Reason::NanInput) {
        *reason = rows_of(*row).into_iter().find_map(|row| profiles.reason(row)).unwrap_or(*reason);
    }
    let values = rdm.into_values().into_iter().map(|v| v / 2.0).collect();
    Ok(Distances { rdm: Rdm::from_condensed(values, None)?, unusable })
}

/// The symmetrized Kullback-Leibler divergence of Poisson rates over all pairs of presentations, minus half of what it
/// is within each stimulus: the sum over units of `(a - b) (l_a - l_b)`, `a` the mean rate of a stimulus and `l_a` the
/// mean of the logarithms of its rates. Every presentation gets the prior by itself.
///
/// A rate that is not positive is [`RdmError::NotARate`] with the number of its stimulus.
///
/// # Panics
/// When a row is not there, or a stimulus has none.
pub fn unbalanced_poisson<'a>(
    patterns: impl Into<Erased<'a>>,
    members: &[Vec<usize>],
    prior: Prior,
) -> Result<Distances, RdmError> {
    poisson_of(patterns.into(), members, prior)
}

fn poisson_of(patterns: Erased, members: &[Vec<usize>], prior: Prior) -> Result<Distances, RdmError> {
    let (n, n_units) = (members.len(), patterns.n_units());
    check_shape(n, n_units)?;
    assert!(members.iter().all(|rows| !rows.is_empty()), "a mean of no pattern");
    let unusable = not_finite(patterns, members)?;
    let mut values = vec![0.0; n_pairs(n)];
    let (mut of_rates, mut of_logs) = (vec![0.0; n], vec![0.0; n]);
    for (from, width) in blocks(n, 16, n_units) {
        let (mut rates, mut logs) = (Array2::zeros((n, width)), Array2::zeros((n, width)));
        let rows = rates.axis_iter_mut(Axis(0)).into_par_iter().zip(logs.axis_iter_mut(Axis(0)));
        rows.zip(members).enumerate().filter(|(c, _)| unusable[*c].is_none()).try_for_each(
            |(c, ((mut rates, mut logs), rows))| {
                let mut counts = vec![0.0; width];
                for row in rows {
                    patterns.read(*row, from, &mut counts)?;
                    for ((rate, log), count) in rates.iter_mut().zip(&mut logs).zip(&counts) {
                        let one = prior.apply(*count);
                        if one <= 0.0 {
                            return Err(RdmError::NotARate { row: c, value: *count });
                        }
                        *rate += one;
                        *log += one.ln();
                    }
                }
                rates /= rows.len() as f64;
                logs /= rows.len() as f64;
                Ok(())
            },
        )?;
        for (sums, of) in [(&mut of_rates, &rates), (&mut of_logs, &logs)] {
            sums.iter_mut().zip(of.rows()).for_each(|(sum, row)| *sum += row.dot(&row));
        }
        centre_columns(&mut rates);
        centre_columns(&mut logs);
        add_contrasts(&mut values, &product(rates.view(), logs.t()), 1.0);
    }
    mark_unusable(&mut values, &unusable.iter().map(Option::is_some).collect::<Vec<bool>>());
    let unusable: Vec<UnusableRow> = unusable
        .into_iter()
        .enumerate()
        .filter_map(|(row, reason)| Some(UnusableRow { row, reason: reason? }))
        .collect();
    // As for cross-validated rates: sums of so many terms, each no larger than half the sum of two squares.
    let summed = (n_units.min(PANEL) + n_units / PANEL + 16) as f64 * f64::EPSILON;
    let (of_rates, of_logs): (Vec<f64>, Vec<f64>) =
        of_rates.iter().zip(&of_logs).map(|(rate, log)| (rate.sqrt(), log.sqrt())).unzip();
    let bound = |i: usize, j: usize, _| summed * (of_rates[i] + of_rates[j]) * (of_logs[i] + of_logs[j]);
    settle(&mut values, n, None, None, bound, bound);
    Ok(Distances { rdm: Rdm::from_condensed(values, None)?, unusable })
}

/// Stimuli with a presentation that holds `NaN` or infinity.
fn not_finite(patterns: Erased, members: &[Vec<usize>]) -> Result<Vec<Option<Reason>>, RdmError> {
    let one = |rows: &Vec<usize>| {
        let mut values = vec![0.0; patterns.n_units()];
        for row in rows {
            patterns.read(*row, 0, &mut values)?;
            if !values.iter().all(|v| v.is_finite()) {
                return Ok(Some(Reason::NanInput));
            }
        }
        Ok(None)
    };
    members.par_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;
    use crate::{InMemory, WithPrior};
    use ndarray::ArrayView1;
    use statistics::pearson;

    const CONDITION: [usize; 11] = [2, 0, 1, 1, 0, 2, 1, 0, 0, 3, 3];
    const FOLD: [usize; 11] = [0, 0, 0, 1, 1, 1, 2, 2, 0, 0, 1];

    fn members() -> Vec<Vec<usize>> {
        (0..4).map(|c| (0..11).filter(|row| CONDITION[*row] == c).collect()).collect()
    }

    /// All pairs of presentations, as rsatoolbox walks through them.
    fn slow(
        x: &Array2<f64>,
        differ: impl Fn(usize, usize) -> bool,
        similarity: impl Fn(ArrayView1<f64>, ArrayView1<f64>) -> f64,
    ) -> Vec<f64> {
        let members = members();
        let mean = |i: usize, j: usize| {
            let mut all = Vec::new();
            for &a in &members[i] {
                all.extend(members[j].iter().filter(|b| differ(a, **b)).map(|&b| similarity(x.row(a), x.row(b))));
            }
            all.iter().sum::<f64>() / all.len() as f64
        };
        let mut values = Vec::new();
        for i in 0..4 {
            values.extend((i + 1..4).map(|j| mean(i, i) + mean(j, j) - 2.0 * mean(i, j)));
        }
        values
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-12 || (f.is_nan() && e.is_nan()), "{found:?} {expected:?}");
        }
    }

    fn half_r(a: ArrayView1<f64>, b: ArrayView1<f64>) -> f64 {
        pearson(&a.to_vec(), &b.to_vec()) / 2.0
    }

    #[test]
    fn correlations_are_those_of_all_pairs_of_presentations() {
        // a large offset, which centring has to take without losing digits
        let x = noise(11, 37, 5) + 30.0;
        let here = InMemory::new(x.view());
        let found = unbalanced_correlation(&here, &members()).unwrap();
        close(found.rdm.values(), &slow(&x, |_, _| true, half_r));
        let design = Design::new(&CONDITION, &FOLD).unwrap();
        let found = unbalanced_correlation_cv(&here, &design).unwrap();
        close(found.rdm.values(), &slow(&x, |a, b| FOLD[a] != FOLD[b], half_r));
        // one presentation each: 1 - r
        let one: Vec<Vec<usize>> = (0..11).map(|row| vec![row]).collect();
        let found = unbalanced_correlation(&here, &one).unwrap();
        close(found.rdm.values(), distances_of(&here, Distance::Correlation).unwrap().rdm.values());
    }

    #[test]
    fn divergences_are_those_of_all_pairs_of_presentations() {
        let x = noise(11, 37, 6) + 0.6;
        let prior = Prior { rate: 2.0, weight: 0.3 };
        let rates = x.mapv(|v| prior.apply(v));
        let divergence = |a: ArrayView1<f64>, b: ArrayView1<f64>| -> f64 {
            a.iter().zip(b).map(|(a, b)| (a - b) * (a.ln() - b.ln())).sum::<f64>() / -2.0
        };
        let here = InMemory::new(x.view());
        let found = unbalanced_poisson(&here, &members(), prior).unwrap();
        close(found.rdm.values(), &slow(&rates, |_, _| true, divergence));
        let one: Vec<Vec<usize>> = (0..11).map(|row| vec![row]).collect();
        let found = unbalanced_poisson(&here, &one, prior).unwrap();
        close(found.rdm.values(), distances_of(&WithPrior::new(&here, prior), Distance::Poisson).unwrap().rdm.values());
    }

    #[test]
    fn presentations_that_cannot_be_used_take_their_stimulus_with_them_alone() {
        let mut x = noise(11, 20, 7) + 0.6;
        x[(4, 3)] = f64::NAN;
        x.row_mut(6).fill(0.1);
        let here = InMemory::new(x.view());
        let design = Design::new(&CONDITION, &FOLD).unwrap();
        let expected =
            [UnusableRow { row: 0, reason: Reason::NanInput }, UnusableRow { row: 1, reason: Reason::Constant }];
        for (found, differ) in [
            (unbalanced_correlation(&here, &members()).unwrap(), (|_, _| true) as fn(usize, usize) -> bool),
            (unbalanced_correlation_cv(&here, &design).unwrap(), |a, b| FOLD[a] != FOLD[b]),
        ] {
            assert_eq!(found.unusable, expected);
            assert_eq!(found.rdm.n_nan(), 5);
            assert!((found.rdm.get(2, 3) - slow(&x, differ, half_r)[5]).abs() < 1e-12);
        }
        // a constant pattern has rates
        let found = unbalanced_poisson(&here, &members(), Prior::default()).unwrap();
        assert_eq!(found.unusable, expected[..1]);
        assert_eq!(found.rdm.n_nan(), 3);
        x[(9, 0)] = -0.2;
        let error = unbalanced_poisson(&InMemory::new(x.view()), &members(), Prior::default()).unwrap_err();
        assert_eq!(error, RdmError::NotARate { row: 3, value: -0.2 });
    }
}
