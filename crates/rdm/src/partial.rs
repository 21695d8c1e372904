//! Comparisons of RDMs after other RDMs were regressed out.

use linear_algebra::product;
use ndarray::{Array1, Array2, ArrayView1, Axis};
use rayon::prelude::*;
use statistics::rounding::is_constant;
use statistics::{Reason, bounded, mean};

use crate::compare::by_missing_pairs;
use crate::pool::{ranked, same_sizes, scaled};
use crate::{NoiseCeiling, Rdm, RdmError};

/// A residual whose sum of squares is below this part of the whole is rounding (of `f32` files too, whose values are
/// off by 6e-8): what the controls explain to a millionth has nothing left that could be compared.
const EXPLAINED: f64 = 1e-12;

/// What controls are taken out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlledSide {
    /// Of both RDMs: a partial correlation.
    Both,
    /// Of the model only: a semipartial (part) correlation. Its square is the variance of the brain RDM that the model
    /// explains beyond the controls.
    Model,
}

/// Numbers or their ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Pearson.
    Values,
    /// Spearman: every RDM is ranked over the pairs in use, controls too, before anything is regressed.
    Ranks,
}

/// A correlation with controls held constant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Partial {
    /// The correlation of what is left; `NaN` with a reason when nothing is.
    pub value: f64,
    /// Pairs in use.
    pub n_pairs: usize,
    /// Pairs left out because the model, the brain or a control is `NaN` there.
    pub n_nan: usize,
    /// Why the value is `NaN`.
    pub reason: Option<Reason>,
}

/// The correlation of every model RDM with every brain RDM, `n_models x n_brains`, after the controls (and a
/// constant) were regressed out of both or of the model by least squares.
///
/// `r(x - P x, y - P y)` where `P` projects on the span of the controls and a constant, or `r(x - P x, y)` for
/// [`ControlledSide::Model`]. Controls that depend on each other count once. A pair that is `NaN` in the model, the
/// brain or any control is left out of that comparison and counted. A side that the controls explain (residual sum of
/// squares below 1e-12 of the whole), or fewer than two dimensions beside the controls, give `NaN` and
/// [`Reason::ExplainedByControls`]: their residuals are rounding.
///
/// ```
/// use rdm::{ControlledSide, Rdm, Scale, compare_partial};
/// let rdm = |values: [f64; 6]| Rdm::from_condensed(values.to_vec(), None);
/// let control = rdm([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])?;
/// let model = rdm([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])?;
/// let brain = rdm([6.0, 7.0, 8.0, 3.0, 2.0, 1.0])?; // without its means 7 and 2: -1 0 1 and 1 0 -1
/// let found = compare_partial(&[model], &[brain], &[control], ControlledSide::Both, Scale::Values)?;
/// assert!(found[(0, 0)].value.abs() < 1e-15);
/// # Ok::<(), rdm::RdmError>(())
/// ```
///
/// Fisher (1924); for ranks the partial Spearman correlation of SPSS, pingouin and mne-rsa.
pub fn compare_partial(
    models: &[Rdm],
    brains: &[Rdm],
    controls: &[Rdm],
    side: ControlledSide,
    scale: Scale,
) -> Result<Array2<Partial>, RdmError> {
    let expected = models.first().or(brains.first()).or(controls.first()).map_or(0, Rdm::n_stimuli);
    for rdms in [models, brains, controls] {
        same_sizes(rdms, expected)?;
    }
    let nothing = Partial { value: f64::NAN, n_pairs: 0, n_nan: 0, reason: Some(Reason::NanInput) };
    let mut all = Array2::from_elem((models.len(), brains.len()), nothing);
    let brain_groups = by_missing_pairs(brains);
    for (missing_in_models, models_here) in by_missing_pairs(models) {
        for (missing_in_brains, brains_here) in &brain_groups {
            let used: Vec<usize> = (0..missing_in_models.len())
                .filter(|&k| {
                    let controlled = controls.iter().all(|control| control.values()[k].is_finite());
                    controlled && !missing_in_models[k] && !missing_in_brains[k]
                })
                .collect();
            let n_nan = missing_in_models.len() - used.len();
            let span = Span::of(controls.iter().map(|control| on_scale(control, &used, scale)));
            let left_of = |rdms: &[Rdm], chosen: &[usize], controlled: bool| -> Vec<Result<Array1<f64>, Reason>> {
                let one = |&r: &usize| span.residual(on_scale(&rdms[r], &used, scale), controlled);
                chosen.par_iter().map(one).collect()
            };
            let of_models = left_of(models, &models_here, true);
            let of_brains = left_of(brains, brains_here, side == ControlledSide::Both);
            let values = product(rows(&of_models, used.len()).view(), rows(&of_brains, used.len()).t());
            for (i, &model) in models_here.iter().enumerate() {
                for (j, &brain) in brains_here.iter().enumerate() {
                    let reason = match used.is_empty() {
                        true => Some(Reason::NanInput),
                        false => of_models[i].as_ref().err().or(of_brains[j].as_ref().err()).copied(),
                    };
                    let value = if reason.is_some() { f64::NAN } else { bounded(values[(i, j)]) };
                    all[(model, brain)] = Partial { value, n_pairs: used.len(), n_nan, reason };
                }
            }
        }
    }
    Ok(all)
}

/// Lower and upper bound of [`compare_partial`] over subjects' RDMs, as [`crate::noise_ceiling`] has them for whole
/// RDMs: a subject against the pool of the others, and of all. Subjects that are constant, or that the controls
/// explain, are left out.
///
/// Whatever the controls can explain is no part of a score, so that a model is as good as its residual. The residual
/// `m` that has the highest mean partial correlation is the mean of the subjects' residuals `e` at length 1
/// (`r = m'e / |m| |e|`), the one of the semipartial correlation the mean of `e / |y|` with `y` the centred RDM
/// (`r = m'e / |m| |y|`). Pairs that are `NaN` in a subject or a control are left out.
///
/// After Nili et al. (2014).
pub fn noise_ceiling_partial(
    subjects: &[Rdm],
    controls: &[Rdm],
    side: ControlledSide,
    scale: Scale,
) -> Result<NoiseCeiling, RdmError> {
    let n = subjects.len();
    if n < 2 {
        return Err(RdmError::TooFewRdms { given: n, needed: 2 });
    }
    for rdms in [subjects, controls] {
        same_sizes(rdms, subjects[0].n_stimuli())?;
    }
    let all = subjects[0].values().len();
    let finite = |k: &usize| subjects.iter().chain(controls).all(|rdm| rdm.values()[*k].is_finite());
    let used: Vec<usize> = (0..all).filter(finite).collect();
    let span = Span::of(controls.iter().map(|control| on_scale(control, &used, scale)));
    let left = |subject: &Rdm| -> Option<Array1<f64>> {
        let values = on_scale(subject, &used, scale);
        let residual = span.residual(values.clone(), true).ok()?;
        Some(match side {
            ControlledSide::Both => residual,
            ControlledSide::Model => {
                let share = residual.dot(&span.residual(values, false).ok()?);
                residual * share
            }
        })
    };
    let left: Vec<Option<Array1<f64>>> = subjects.par_iter().map(left).collect();
    let n_usable = left.iter().flatten().count();
    let against = |subject: usize, leave_out: bool| -> f64 {
        let Some(own) = &left[subject] else { return f64::NAN };
        let others = left.iter().enumerate().filter(|(other, _)| !(leave_out && *other == subject));
        let pool =
            others.filter_map(|(_, left)| left.as_ref()).fold(Array1::<f64>::zeros(used.len()), |sum, left| sum + left);
        let length = pool.dot(&pool).sqrt();
        if n_usable < 2 || length == 0.0 { f64::NAN } else { bounded(pool.dot(own) / length) }
    };
    let by_subject = |leave_out: bool| -> Vec<f64> { (0..n).into_par_iter().map(|s| against(s, leave_out)).collect() };
    let over = |terms: &[f64]| mean(&(0..n).filter(|&s| left[s].is_some()).map(|s| terms[s]).collect::<Vec<f64>>());
    let (lower_by_subject, upper_by_subject) = (by_subject(true), by_subject(false));
    Ok(NoiseCeiling {
        lower: over(&lower_by_subject),
        upper: over(&upper_by_subject),
        lower_by_subject,
        upper_by_subject,
        n_pairs: used.len(),
        n_nan: all - used.len(),
        constant: (0..n).filter(|&s| left[s].is_none()).collect(),
    })
}

/// The values of these pairs, or their ranks.
pub(crate) fn on_scale(rdm: &Rdm, used: &[usize], scale: Scale) -> Vec<f64> {
    let values: Vec<f64> = used.iter().map(|&k| rdm.values()[k]).collect();
    match scale {
        Scale::Ranks => ranked(&values),
        Scale::Values => values,
    }
}

/// One row per residual; those that are none are 0.
fn rows(residuals: &[Result<Array1<f64>, Reason>], length: usize) -> Array2<f64> {
    let mut all = Array2::zeros((residuals.len(), length));
    for (mut row, residual) in all.axis_iter_mut(Axis(0)).zip(residuals) {
        if let Ok(residual) = residual {
            row.assign(residual);
        }
    }
    all
}

/// What the controls can explain, beside a constant: an orthonormal basis of their centred values.
struct Span {
    basis: Vec<Array1<f64>>,
}

impl Span {
    /// Gram-Schmidt, each vector projected twice, which is orthogonal to rounding (Giraud et al. 2005).
    fn of(controls: impl Iterator<Item = Vec<f64>>) -> Span {
        let mut span = Span { basis: Vec::new() };
        for control in controls {
            // A control that is constant here, or that the others explain, adds nothing to what they can explain.
            if let Ok(direction) = span.beyond(control) {
                span.basis.push(direction);
            }
        }
        span
    }

    /// What is left of the values, centred and scaled to length 1; only centred and scaled if not `controlled`.
    fn residual(&self, values: Vec<f64>, controlled: bool) -> Result<Array1<f64>, Reason> {
        if !controlled {
            return Span { basis: Vec::new() }.beyond(values);
        }
        let n = values.len();
        let left = self.beyond(values)?;
        // With one dimension left every residual is the same up to its sign.
        match self.basis.len() + 2 < n || self.basis.is_empty() {
            true => Ok(left),
            false => Err(Reason::ExplainedByControls),
        }
    }

    fn beyond(&self, values: Vec<f64>) -> Result<Array1<f64>, Reason> {
        // Asked first: the rounded mean of a constant such as 0.1 may leave a spread of 1e-17.
        if is_constant(&values) {
            return Err(Reason::Constant);
        }
        let mut values = Array1::from(scaled(&values));
        values -= mean(&values.to_vec());
        let whole = values.dot(&values);
        for _ in 0..2 {
            for direction in &self.basis {
                let along = dot(direction.view(), values.view());
                values.scaled_add(-along, direction);
            }
        }
        let left = values.dot(&values);
        if left <= EXPLAINED * whole {
            return Err(Reason::ExplainedByControls);
        }
        Ok(values / left.sqrt())
    }
}

fn dot(x: ArrayView1<f64>, y: ArrayView1<f64>) -> f64 {
    x.dot(&y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;
    use crate::{Comparison, compare};
    use statistics::average_ranks;

    fn rdm(values: Vec<f64>) -> Rdm {
        Rdm::from_condensed(values, None).unwrap()
    }

    fn some(count: usize, seed: u64) -> Vec<Rdm> {
        noise(count, 28, seed).outer_iter().map(|row| rdm(row.to_vec())).collect()
    }

    /// The textbook's recursion: r_xy.z of all controls but the last, then that one.
    fn recursive(x: &Rdm, y: &Rdm, controls: &[Rdm], how: Comparison) -> f64 {
        let Some((last, others)) = controls.split_last() else { return compare(x, y, how).unwrap().value };
        let [xy, xz, yz] = [(x, y), (x, last), (y, last)].map(|(a, b)| recursive(a, b, others, how));
        (xy - xz * yz) / ((1.0 - xz * xz) * (1.0 - yz * yz)).sqrt()
    }

    #[test]
    fn partial_is_the_textbooks_recursion_on_values_and_ranks() {
        let (models, brains) = (some(3, 1), some(2, 2));
        for n_controls in 0..4 {
            let controls = some(n_controls, 3);
            for (scale, how) in [(Scale::Values, Comparison::Pearson), (Scale::Ranks, Comparison::Spearman)] {
                let found = compare_partial(&models, &brains, &controls, ControlledSide::Both, scale).unwrap();
                for ((m, b), found) in found.indexed_iter() {
                    let expected = recursive(&models[m], &brains[b], &controls, how);
                    assert!((found.value - expected).abs() < 1e-13, "{n_controls} {how}: {} {expected}", found.value);
                    assert_eq!((found.n_pairs, found.n_nan, found.reason), (28, 0, None));
                }
            }
        }
    }

    #[test]
    fn no_model_beats_the_upper_bound_and_pools_are_models() {
        let (subjects, controls) = (some(5, 11), some(2, 12));
        for side in [ControlledSide::Both, ControlledSide::Model] {
            for scale in [Scale::Values, Scale::Ranks] {
                let bounds = noise_ceiling_partial(&subjects, &controls, side, scale).unwrap();
                assert!(bounds.constant.is_empty() && bounds.n_pairs == 28 && bounds.lower < bounds.upper);
                let scores = |models: &[Rdm], subjects: &[Rdm]| {
                    compare_partial(models, subjects, &controls, side, scale).unwrap().mapv(|found| found.value)
                };
                if scale == Scale::Values {
                    // Any model, and any small change of the best one, is below.
                    let best = pool_of(&subjects, &controls, side);
                    let found = scores(std::slice::from_ref(&best), &subjects);
                    assert!((found.mean().unwrap() - bounds.upper).abs() < 1e-12);
                    for (k, other) in some(50, 13).into_iter().enumerate() {
                        let step = [1.0, 0.1, 0.01][k % 3];
                        let near = best.values().iter().zip(other.values()).map(|(b, o)| b + step * o).collect();
                        assert!(scores(&[rdm(near)], &subjects).mean().unwrap() < bounds.upper);
                    }
                    // The lower bound's terms are scores of the pools of the others.
                    for s in 0..5 {
                        let others: Vec<Rdm> = (0..5).filter(|o| *o != s).map(|o| subjects[o].clone()).collect();
                        let pool = pool_of(&others, &controls, side);
                        let term = scores(&[pool], &subjects[s..=s])[(0, 0)];
                        assert!((term - bounds.lower_by_subject[s]).abs() < 1e-12);
                    }
                }
            }
        }
        // Without controls they are those of whole RDMs.
        let plain = crate::noise_ceiling(&subjects, Comparison::Pearson).unwrap();
        let none = noise_ceiling_partial(&subjects, &[], ControlledSide::Both, Scale::Values).unwrap();
        assert!((plain.lower - none.lower).abs() < 1e-14 && (plain.upper - none.upper).abs() < 1e-14);
        // A control among the subjects is explained.
        let with: Vec<Rdm> = subjects.iter().chain(&controls[..1]).cloned().collect();
        let found = noise_ceiling_partial(&with, &controls, ControlledSide::Both, Scale::Values).unwrap();
        assert_eq!(found.constant, [5]);
        assert!(found.lower_by_subject[5].is_nan() && found.upper.is_finite());
    }

    /// By the normal equations: mean of residuals at length 1, or over the length of the centred whole.
    fn pool_of(subjects: &[Rdm], controls: &[Rdm], side: ControlledSide) -> Rdm {
        let n = 28;
        let design = Array2::from_shape_fn((n, controls.len() + 1), |(k, c)| match c {
            0 => 1.0,
            c => controls[c - 1].values()[k],
        });
        let inverse = linear_algebra::Cholesky::new(design.t().dot(&design).view()).unwrap();
        let mut sum = Array1::<f64>::zeros(n);
        for subject in subjects {
            let y = Array1::from(subject.values().to_vec());
            let weights = inverse.solve(design.t().dot(&y).insert_axis(Axis(1)).view()).unwrap();
            let residual = &y - &design.dot(&weights.column(0));
            let centred = &y - y.mean().unwrap();
            let length = if side == ControlledSide::Both { residual.dot(&residual) } else { centred.dot(&centred) };
            sum += &(residual / length.sqrt());
        }
        rdm(sum.to_vec())
    }

    #[test]
    fn the_square_of_semipartial_is_what_the_model_adds_to_the_controls() {
        let (models, brains, controls) = (some(1, 1), some(1, 2), some(2, 3));
        let semi = compare_partial(&models, &brains, &controls, ControlledSide::Model, Scale::Values).unwrap();
        let partial = compare_partial(&models, &brains, &controls, ControlledSide::Both, Scale::Values).unwrap();
        // R2 = 1 - residual over whole; partial r^2 is what the model explains of the residual
        let y = Array1::from(brains[0].values().to_vec());
        let centred = &y - y.mean().unwrap();
        let span = Span::of(controls.iter().map(|c| c.values().to_vec()));
        let mut left = centred.clone();
        for direction in &span.basis {
            let along = direction.dot(&left);
            left.scaled_add(-along, direction);
        }
        let unexplained = left.dot(&left) / centred.dot(&centred);
        let (semi, partial) = (semi[(0, 0)].value, partial[(0, 0)].value);
        assert!((semi * semi - partial * partial * unexplained).abs() < 1e-14, "{semi} {partial} {unexplained}");
    }

    #[test]
    fn what_the_controls_explain_has_a_reason_and_no_number() {
        let (model, brain) = (&some(1, 1)[0], &some(1, 2)[0]);
        let moved = |rdm: &Rdm| self::rdm(rdm.values().iter().map(|v| f64::from((3.0 - 7.0 * v) as f32)).collect());
        let both = |m: &Rdm, b: &Rdm, c: &[Rdm], side| {
            compare_partial(std::slice::from_ref(m), std::slice::from_ref(b), c, side, Scale::Values).unwrap()[(0, 0)]
        };
        let explained = Some(Reason::ExplainedByControls);
        for control in [model.clone(), moved(model)] {
            let controls = [some(1, 9)[0].clone(), control];
            for side in [ControlledSide::Both, ControlledSide::Model] {
                let found = both(model, brain, &controls, side);
                assert!(found.value.is_nan() && found.reason == explained, "{found:?}");
            }
        }
        // the brain is explained: only where controls are taken out of it
        assert_eq!(both(model, brain, std::slice::from_ref(brain), ControlledSide::Both).reason, explained);
        assert_eq!(both(model, brain, std::slice::from_ref(brain), ControlledSide::Model).reason, None);
        let flat = rdm(vec![0.1; 28]);
        assert_eq!(both(&flat, brain, &some(1, 3), ControlledSide::Both).reason, Some(Reason::Constant));
        // a control twice, or one that is constant, changes nothing
        let once = both(model, brain, &some(1, 3), ControlledSide::Both).value;
        let twice = [some(1, 3)[0].clone(), moved(&some(1, 3)[0]), flat];
        assert!((both(model, brain, &twice, ControlledSide::Both).value - once).abs() < 1e-6);
        // three pairs, two controls, a constant: nothing is left; one control leaves a line, whose r is 1 or -1
        let three = |seed| rdm(noise(1, 3, seed).into_raw_vec_and_offset().0);
        for n_controls in [1, 2] {
            let controls: Vec<Rdm> = (5..5 + n_controls).map(three).collect();
            assert_eq!(both(&three(1), &three(2), &controls, ControlledSide::Both).reason, explained);
        }
    }

    #[test]
    fn missing_pairs_of_model_brain_and_control_are_left_out_and_counted() {
        let without = |rdm: &Rdm, k: usize| {
            let mut values = rdm.values().to_vec();
            values[k] = f64::NAN;
            self::rdm(values)
        };
        let (models, brains, controls) = (some(2, 1), some(2, 2), some(2, 3));
        let holes = |rdms: &[Rdm], k| vec![without(&rdms[0], k), rdms[1].clone()];
        let (models, brains, controls) = (holes(&models, 3), holes(&brains, 5), holes(&controls, 7));
        for scale in [Scale::Values, Scale::Ranks] {
            let found = compare_partial(&models, &brains, &controls, ControlledSide::Both, scale).unwrap();
            for ((m, b), found) in found.indexed_iter() {
                let kept = |k: &usize| *k != 7 && (m != 0 || *k != 3) && (b != 0 || *k != 5);
                assert_eq!(found.n_nan, 28 - (0..28).filter(kept).count());
                let cut = |rdm: &Rdm| (0..28).filter(kept).map(|k| rdm.values()[k]).collect::<Vec<_>>();
                let span = Span::of(controls.iter().map(|c| match scale {
                    Scale::Ranks => average_ranks(&cut(c)),
                    Scale::Values => cut(c),
                }));
                let left = |rdm: &Rdm| {
                    let values = if scale == Scale::Ranks { average_ranks(&cut(rdm)) } else { cut(rdm) };
                    span.residual(values, true).unwrap()
                };
                assert!((found.value - left(&models[m]).dot(&left(&brains[b]))).abs() < 1e-14);
            }
        }
        let nothing = rdm(vec![f64::NAN; 28]);
        let found = compare_partial(&models, &[nothing], &controls, ControlledSide::Both, Scale::Values).unwrap();
        assert_eq!((found[(0, 0)].n_pairs, found[(0, 0)].reason), (0, Some(Reason::NanInput)));
    }

    #[test]
    fn refuses_other_sizes() {
        let small = [rdm(vec![1.0, 2.0, 3.0])];
        let error = compare_partial(&some(1, 1), &some(1, 2), &small, ControlledSide::Both, Scale::Values);
        assert_eq!(error.unwrap_err(), RdmError::SizesDiffer { index: 0, n_stimuli: 3, expected: 8 });
    }
}
