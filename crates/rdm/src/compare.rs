use std::borrow::Cow;

use linear_algebra::product;
use ndarray::{Array1, Array2, ArrayViewMut1, Axis};
use rayon::prelude::*;
use statistics::concordance::{Order, Scratch, concordance};
use statistics::rounding::is_constant;
use statistics::{bounded, mean};

use crate::pool::{ranked, same_sizes, scaled};
use crate::whitening::whitened;
use crate::{Comparison, Rdm, RdmError, StimulusCovariance};

/// The similarity of two RDMs and the pairs of stimuli it rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// The coefficient, never beyond -1 or 1, and 1 for an RDM and its copy (where ties do not lower it); `NaN` when
    /// one side is constant over the pairs in use ([`statistics::rounding::is_constant`]; for cosine and cosine_cov
    /// when it is all 0) or no pair is left.
    pub value: f64,
    /// Pairs in use.
    pub n_pairs: usize,
    /// Pairs left out because one of the two RDMs is `NaN` or infinite there.
    pub n_nan: usize,
}

/// The similarity of two RDMs of the same stimuli in the same order. See [`compare_all`].
pub fn compare(a: &Rdm, b: &Rdm, how: Comparison) -> Result<Compared, RdmError> {
    Ok(compare_all(std::slice::from_ref(a), std::slice::from_ref(b), how)?[(0, 0)])
}

/// The similarity of every model RDM with every brain RDM, `n_models x n_brains`.
///
/// `kendall` is tau-b; `rho-a` is the expectation of Spearman's rho when ties are broken at random. A pair of
/// stimuli that is `NaN` on either side is left out of that one comparison and counted; ranks are taken over the
/// pairs that remain. Each RDM is ranked or scaled once, and all pearson, spearman, rho-a and cosine values come
/// from one matrix product.
///
/// ```
/// use rdm::{Comparison, Rdm, compare};
/// let a = Rdm::from_condensed(vec![1.0, 2.0, 3.0], None)?;
/// let b = Rdm::from_condensed(vec![1.0, 3.0, 2.0], None)?;
/// let found = compare(&a, &b, Comparison::Spearman)?; // 1 - 6 * (0 + 1 + 1) / (3 * 8)
/// assert!((found.value - 0.5).abs() < 1e-15);
/// assert_eq!((found.n_pairs, found.n_nan), (3, 0));
/// # Ok::<(), rdm::RdmError>(())
/// ```
pub fn compare_all(models: &[Rdm], brains: &[Rdm], how: Comparison) -> Result<Array2<Compared>, RdmError> {
    compare_all_under(models, brains, how, None)
}

/// [`compare_all`] with a covariance of stimuli for the whitened comparisons (identity without one); the others do not
/// look at it. With a covariance, a missing pair is an error.
pub fn compare_all_under(
    models: &[Rdm],
    brains: &[Rdm],
    how: Comparison,
    sigma: Option<&StimulusCovariance>,
) -> Result<Array2<Compared>, RdmError> {
    let expected = models.first().or(brains.first()).map_or(0, Rdm::n_stimuli);
    same_sizes(models, expected)?;
    same_sizes(brains, expected)?;
    let mut all = Array2::from_elem((models.len(), brains.len()), NOTHING);
    let brain_groups = by_missing_pairs(brains);
    for (missing_in_models, models_here) in by_missing_pairs(models) {
        for (missing_in_brains, brains_here) in &brain_groups {
            let kept = present_in_both(&missing_in_models, missing_in_brains);
            let (a, b) = (cut(models, &models_here, &kept), cut(brains, brains_here, &kept));
            let values = similarities(&a, Some(&b), how, &kept, sigma)?;
            for ((i, j), found) in compared(values, &kept).indexed_iter() {
                all[(models_here[i], brains_here[j])] = *found;
            }
        }
    }
    Ok(all)
}

/// The similarity of every RDM with every other, `n x n`: [`compare_all`] of the RDMs with themselves, in which each is
/// ranked or scaled once, not once for every other.
pub fn compare_within(rdms: &[Rdm], how: Comparison) -> Result<Array2<Compared>, RdmError> {
    same_sizes(rdms, rdms.first().map_or(0, Rdm::n_stimuli))?;
    let mut all = Array2::from_elem((rdms.len(), rdms.len()), NOTHING);
    let groups = by_missing_pairs(rdms);
    for (first, (missing, here)) in groups.iter().enumerate() {
        for (second, (missing_there, there)) in groups.iter().enumerate().skip(first) {
            let kept = present_in_both(missing, missing_there);
            let a = cut(rdms, here, &kept);
            let b = (first != second).then(|| cut(rdms, there, &kept));
            let values = similarities(&a, b.as_deref(), how, &kept, None)?;
            for ((i, j), found) in compared(values, &kept).indexed_iter() {
                all[(here[i], there[j])] = *found;
                all[(there[j], here[i])] = *found;
            }
        }
    }
    Ok(all)
}

const NOTHING: Compared = Compared { value: f64::NAN, n_pairs: 0, n_nan: 0 };

fn present_in_both(missing: &[bool], missing_there: &[bool]) -> Vec<bool> {
    missing.iter().zip(missing_there).map(|(a, b)| !a && !b).collect()
}

/// The pairs that `kept` marks of some RDMs; an RDM of which all are kept is not copied.
fn cut<'r>(rdms: &'r [Rdm], chosen: &[usize], kept: &[bool]) -> Vec<Cow<'r, [f64]>> {
    let whole = kept.iter().all(|kept| *kept);
    let values = chosen.iter().map(|&rdm| rdms[rdm].values());
    let some = |values: &[f64]| values.iter().zip(kept).filter(|(_, kept)| **kept).map(|(v, _)| *v).collect();
    values.map(|values| if whole { Cow::Borrowed(values) } else { Cow::Owned(some(values)) }).collect()
}

fn compared(values: Array2<f64>, kept: &[bool]) -> Array2<Compared> {
    let n_pairs = kept.iter().filter(|kept| **kept).count();
    values.mapv(|value| Compared { value, n_pairs, n_nan: kept.len() - n_pairs })
}

/// RDMs that miss the same pairs, with those pairs marked; almost always one group that misses none.
pub(crate) fn by_missing_pairs(rdms: &[Rdm]) -> Vec<(Vec<bool>, Vec<usize>)> {
    let mut groups: Vec<(Vec<bool>, Vec<usize>)> = Vec::new();
    for (index, rdm) in rdms.iter().enumerate() {
        let missing: Vec<bool> = rdm.values().iter().map(|v| !v.is_finite()).collect();
        match groups.iter_mut().find(|(mask, _)| *mask == missing) {
            Some((_, members)) => members.push(index),
            None => groups.push((missing, vec![index])),
        }
    }
    groups
}

/// The similarity of two vectors over the pairs that `kept` marks.
pub(crate) fn similarity(
    x: &[f64],
    y: &[f64],
    how: Comparison,
    kept: &[bool],
    sigma: Option<&StimulusCovariance>,
) -> Result<f64, RdmError> {
    match how.correlation() {
        Some(plain) => Ok(plain.of(x, y)),
        None => Ok(similarities(&[x.into()], Some(&[y.into()]), how, kept, sigma)?[(0, 0)]),
    }
}

/// `a` with `b`, or with itself where that is none.
fn similarities(
    a: &[Cow<[f64]>],
    b: Option<&[Cow<[f64]>]>,
    how: Comparison,
    kept: &[bool],
    sigma: Option<&StimulusCovariance>,
) -> Result<Array2<f64>, RdmError> {
    let size = (a.len(), b.map_or(a.len(), <[_]>::len));
    if a.first().is_none_or(|values| values.is_empty()) {
        return Ok(Array2::from_elem(size, f64::NAN));
    }
    if matches!(how, Comparison::Kendall | Comparison::TauA) {
        // Each RDM is sorted once.
        let order = |vectors: &[Cow<[f64]>]| -> Vec<(Order, bool)> {
            vectors.par_iter().map(|v| (Order::of(v), is_constant(v))).collect()
        };
        let (x, y, once) = (order(a), b.map(order), vec![1; kept.len()]);
        let y = y.as_ref().unwrap_or(&x);
        let pairs: Vec<f64> = (0..size.0 * size.1)
            .into_par_iter()
            .map_init(Scratch::default, |scratch, k| {
                let ((x, x_is_flat), (y, y_is_flat)) = (&x[k / size.1], &y[k % size.1]);
                if *x_is_flat || *y_is_flat {
                    return f64::NAN;
                }
                let counts = concordance(x, y, &once[..x.len()], scratch);
                if how == Comparison::TauA { counts.tau_a() } else { counts.tau_b() }
            })
            .collect();
        return Ok(Array2::from_shape_vec(size, pairs).unwrap_or_default());
    }
    let a = prepared(a, how, kept, sigma)?;
    let b = b.map(|b| prepared(b, how, kept, sigma)).transpose()?;
    let b = b.as_ref().unwrap_or(&a);
    let mut scores = product(a.view(), b.t());
    for ((i, j), score) in scores.indexed_iter_mut() {
        *score = bounded(*score);
        // An RDM and its copy: the product of a unit vector with itself is off by its own rounding.
        if *score > 1.0 - ROUNDING && a.row(i) == b.row(j) {
            *score = 1.0;
        }
    }
    Ok(scores)
}

/// What is nearer to 1 than this may be 1.
const ROUNDING: f64 = statistics::rounding::OF_SCORES;

/// One row per RDM such that the product of two rows is their similarity.
pub(crate) fn prepared<V: AsRef<[f64]> + Sync>(
    vectors: &[V],
    how: Comparison,
    kept: &[bool],
    sigma: Option<&StimulusCovariance>,
) -> Result<Array2<f64>, RdmError> {
    if how.is_whitened() {
        return whitened_units(vectors, how, kept, sigma);
    }
    let length = vectors.first().map_or(0, |values| values.as_ref().len());
    let mut all = Array2::zeros((vectors.len(), length));
    all.axis_iter_mut(Axis(0))
        .into_par_iter()
        .zip(vectors)
        .for_each(|(row, values)| prepare(row, values.as_ref(), how));
    Ok(all)
}

fn whitened_units<V: AsRef<[f64]>>(
    vectors: &[V],
    how: Comparison,
    kept: &[bool],
    sigma: Option<&StimulusCovariance>,
) -> Result<Array2<f64>, RdmError> {
    let plain: Vec<Vec<f64>> = vectors
        .iter()
        .map(|values| {
            let scaled = scaled(values.as_ref());
            let centre = if how.centres() { mean(&scaled) } else { 0.0 };
            scaled.iter().map(|v| v - centre).collect()
        })
        .collect();
    let whitened = whitened(&plain, kept, sigma)?;
    let mut all = Array2::zeros((vectors.len(), whitened.first().map_or(0, Vec::len)));
    for ((mut row, vector), values) in all.rows_mut().into_iter().zip(whitened).zip(vectors) {
        row.assign(&Array1::from(vector));
        let length = if how.centres() && is_constant(values.as_ref()) { f64::NAN } else { row.dot(&row).sqrt() };
        row /= length;
    }
    Ok(all)
}

/// Fills `row` with the values such that the product with those of another RDM is their similarity.
fn prepare(mut row: ArrayViewMut1<f64>, values: &[f64], how: Comparison) {
    let constant = is_constant(values);
    let values = match how {
        Comparison::Spearman | Comparison::RhoA => ranked(values),
        // Squares of values near the ends of the f64 range would over- or underflow; no comparison looks at scale.
        _ => scaled(values),
    };
    let centre = if how != Comparison::Cosine { mean(&values) } else { 0.0 };
    row.iter_mut().zip(&values).for_each(|(to, value)| *to = value - centre);
    let n = row.len() as f64;
    let length = match how {
        _ if constant && how != Comparison::Cosine => f64::NAN,
        // The largest sum of squares that n ranks can have, so that ties pull rho-a towards 0.
        Comparison::RhoA => ((n * n * n - n) / 12.0).sqrt(),
        _ => row.dot(&row).sqrt(),
    };
    // 0 / 0 is the NaN that a zero vector should have.
    row /= length;
}

#[cfg(test)]
mod tests {
    use super::{Compared, compare, compare_all, compare_within};
    use crate::{Comparison, Rdm, RdmError};

    pub fn rdms(vectors: &[&[f64]]) -> Vec<Rdm> {
        vectors.iter().map(|v| Rdm::from_condensed(v.to_vec(), None).unwrap()).collect()
    }

    /// rsatoolbox 0.3.2 `compare`: one tied and one untied model against three RDMs without and three with ties.
    #[test]
    fn agrees_with_rsatoolbox() {
        let models = rdms(&[&[0.2, 0.2, 0.9, 0.4, 0.1, 0.3], &[3.0, 1.0, 2.0, 2.0, 0.0, 5.0]]);
        let untied =
            rdms(&[&[0.1, 0.4, 0.5, 0.7, 0.2, 0.9], &[0.2, 0.3, 0.6, 0.8, 0.1, 0.7], &[0.3, 0.5, 0.4, 0.6, 0.2, 0.8]]);
        let tied =
            rdms(&[&[1.0, 2.0, 2.0, 3.0, 1.0, 4.0], &[2.0, 2.0, 1.0, 5.0, 3.0, 3.0], &[0.0, 1.0, 1.0, 2.0, 2.0, 2.0]]);
        type Golden = (Comparison, [f64; 6], [f64; 6]);
        let golden: [Golden; 6] = [
            (
                Comparison::Pearson,
                [
                    0.3227714851234353,
                    0.5662650602409638,
                    0.12854273919729667,
                    0.59130067123842,
                    0.5441145532722984,
                    0.7166893746324663,
                ],
                [
                    0.2078393104293348,
                    -0.35567685347290395,
                    -0.0850230301897704,
                    0.6787298117096161,
                    0.028329634983503667,
                    -0.04740454631399768,
                ],
            ),
            (
                Comparison::Spearman,
                [
                    0.6667366910003156,
                    0.8116794499134278,
                    0.550782483869826,
                    0.4058397249567139,
                    0.49280538030458115,
                    0.550782483869826,
                ],
                [
                    0.6269355057278586,
                    -0.14927035850663303,
                    0.015655607277128735,
                    0.4925921830718889,
                    0.0,
                    -0.14090046549415863,
                ],
            ),
            (
                Comparison::Kendall,
                [
                    0.41403933560541256,
                    0.6900655593423541,
                    0.41403933560541256,
                    0.41403933560541256,
                    0.41403933560541256,
                    0.41403933560541256,
                ],
                [0.44474958999666075, -0.07412493166611013, 0.0, 0.44474958999666075, 0.0, -0.16116459280507606],
            ),
            (
                Comparison::TauA,
                [0.4, 0.6666666666666666, 0.4, 0.4, 0.4, 0.4],
                [0.4, -0.06666666666666667, 0.0, 0.4, 0.0, -0.13333333333333333],
            ),
            (
                Comparison::RhoA,
                [0.6571428571428571, 0.8, 0.5428571428571428, 0.4, 0.48571428571428577, 0.5428571428571428],
                [0.6, -0.14285714285714285, 0.014285714285714287, 0.4714285714285714, 0.0, -0.12857142857142856],
            ),
            (
                Comparison::Cosine,
                [
                    0.7872501799617465,
                    0.8618650801475256,
                    0.7664624643150109,
                    0.8736209307562355,
                    0.8600119115128999,
                    0.9093626896673879,
                ],
                [
                    0.7723481981143184,
                    0.6336442351370427,
                    0.672900461476956,
                    0.9021937088963173,
                    0.7401711352661738,
                    0.6928682740483391,
                ],
            ),
        ];
        for (how, on_untied, on_tied) in golden {
            for (brains, expected) in [(&untied, on_untied), (&tied, on_tied)] {
                let found = compare_all(&models, brains, how).unwrap();
                for (found, expected) in found.iter().zip(expected) {
                    assert!((found.value - expected).abs() < 1e-14, "{how}: {} {expected}", found.value);
                    assert_eq!((found.n_pairs, found.n_nan), (6, 0));
                }
            }
        }
    }

    #[test]
    fn missing_pairs_are_left_out_of_their_comparison_only_and_counted() {
        let nan = f64::NAN;
        let models = rdms(&[&[1.0, 5.0, 3.0, nan, 2.0, 6.0], &[1.0, 5.0, 3.0, 4.0, 2.0, 6.0]]);
        let brains = rdms(&[
            &[2.0, 1.0, 9.0, 4.0, 7.0, 8.0],
            &[nan, 1.0, 9.0, 4.0, 7.0, 8.0],
            &[2.0, 1.0, 9.0, 4.0, 7.0, f64::INFINITY],
        ]);
        for how in Comparison::ALL {
            let found = compare_all(&models, &brains, how).unwrap();
            for (m, model) in models.iter().enumerate() {
                for (b, brain) in brains.iter().enumerate() {
                    let (x, y): (Vec<f64>, Vec<f64>) = model
                        .values()
                        .iter()
                        .zip(brain.values())
                        .filter(|(x, y)| x.is_finite() && y.is_finite())
                        .unzip();
                    let Compared { value, n_pairs, n_nan } = found[(m, b)];
                    if let Some(plain) = how.correlation() {
                        assert!((value - plain.of(&x, &y)).abs() < 1e-14, "{how} {m} {b}");
                    }
                    assert_eq!((n_pairs, n_nan), (x.len(), 6 - x.len()));
                    assert_eq!(compare(model, brain, how).unwrap(), found[(m, b)]);
                }
            }
            // Among themselves, as one by one; groups that miss the same pairs and groups that do not.
            let within = compare_within(&brains, how).unwrap();
            for (i, one) in brains.iter().enumerate() {
                for (j, other) in brains.iter().enumerate() {
                    assert_eq!(within[(i, j)], compare(one, other, how).unwrap(), "{how} {i} {j}");
                }
            }
        }
        let all_nan = rdms(&[&[nan, nan, nan, nan, nan, nan]]);
        let found = compare(&all_nan[0], &brains[0], Comparison::Cosine).unwrap();
        assert!(found.value.is_nan());
        assert_eq!((found.n_pairs, found.n_nan), (0, 6));
    }

    #[test]
    fn a_constant_rdm_has_no_correlation_and_does_not_spoil_its_neighbours() {
        // 0.1 has no exact mean: a rounded centre would leave a spread of 1e-17 to correlate with
        // and SciPy's correlation distances of one-hot patterns are a last digit apart
        let rounded = [1.2, 1.2000000000000002, 1.2, 1.2, 1.1999999999999997, 1.2];
        let single = rounded.map(|v| f64::from((v as f32).next_up()));
        let models = rdms(&[&[0.1; 6], &rounded, &single, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]);
        let brains = rdms(&[&[2.0, 1.0, 3.0, 4.0, 6.0, 5.0]]);
        for how in Comparison::ALL.into_iter().filter(|how| how.centres()) {
            let found = compare_all(&models, &brains, how).unwrap();
            assert!((0..3).all(|flat| found[(flat, 0)].value.is_nan()), "{how}");
            assert!(found[(3, 0)].value > 0.5, "{how}");
        }
        let zeros = rdms(&[&[0.0; 6]]);
        assert!(compare(&zeros[0], &brains[0], Comparison::Cosine).unwrap().value.is_nan());
    }

    #[test]
    fn an_rdm_and_its_copy_score_1_and_nothing_is_beyond() {
        for seed in 0..100 {
            let n = 4 + seed as usize % 40;
            let values = crate::testing::noise(1, n * (n - 1) / 2, seed).mapv(|v| v + 1.0).into_raw_vec_and_offset().0;
            let scaled: Vec<f64> = values.iter().map(|v| 0.7 * v).collect();
            let all = rdms(&[&values, &scaled, &values]);
            for how in Comparison::ALL {
                let found = compare_all(&all, &all, how).unwrap();
                assert!(found.iter().all(|f| f.value <= 1.0 && f.value > 0.999_999_999_999), "{how} {seed}");
                assert!([(0, 0), (0, 2), (1, 1)].iter().all(|k| found[*k].value == 1.0), "{how} {seed}");
            }
        }
    }

    #[test]
    fn refuses_rdms_of_other_sizes() {
        let error = compare_all(&rdms(&[&[1.0], &[2.0]]), &rdms(&[&[1.0], &[1.0, 2.0, 3.0]]), Comparison::Pearson);
        assert_eq!(error.unwrap_err(), RdmError::SizesDiffer { index: 1, n_stimuli: 3, expected: 2 });
        assert_eq!(compare_all(&[], &[], Comparison::Pearson).unwrap().dim(), (0, 0));
    }
}
