//! Whitened comparisons, bootstraps with given draws, variances and p values against rsatoolbox and SciPy.

use crate::load::{all_close, arrays, close, counts, json, matrix, number, numbers};
use npy_stream::Values;
use rdm::inference::{Bootstrap, Generalize, Spread, bootstrap, corrected_variance, resampled};
use rdm::{Comparison, ModelKind, Rdm, StimulusCovariance, compare_all, compare_all_under, fit, noise_ceiling};
use statistics::signed_rank::{Tail, wilcoxon_p};
use statistics::{student_t_sf, student_t_two_sided_p};

/// Sums of 45 products around 1, and two roots: rounding of some 1e-15 each.
const TOLERANCE: f64 = 1e-11;

fn rdms(file: &str) -> Vec<Rdm> {
    let array = arrays(file).remove(0);
    let length = array.shape[1];
    let Values::F8(values) = array.values else { panic!("{file} is not f8") };
    values.chunks(length).map(|v| Rdm::from_condensed(v.to_vec(), None).unwrap()).collect()
}

fn inputs() -> (Vec<Rdm>, Vec<Rdm>) {
    (rdms("inference/models.npy"), rdms("inference/subjects.npy"))
}

fn sigma() -> StimulusCovariance {
    let (values, _) = matrix("inference/sigma.npy");
    StimulusCovariance::new(values.view()).unwrap()
}

fn flat(value: &serde_json::Value) -> Vec<f64> {
    value.as_array().unwrap().iter().flat_map(numbers).collect()
}

fn gapped(rdms: &[Rdm]) -> Vec<Rdm> {
    let gap = |rdm: &Rdm| {
        let mut values = rdm.values().to_vec();
        values[7] = f64::NAN;
        Rdm::from_condensed(values, None).unwrap()
    };
    rdms.iter().map(gap).collect()
}

#[test]
fn whitened_comparisons_are_rsatoolboxs_with_and_without_a_covariance_and_a_gap() {
    let (models, subjects) = inputs();
    let expected = &json("inference/values.json")["whitened"];
    for how in [Comparison::CorrCov, Comparison::CosineCov] {
        let expected = &expected[how.as_str()];
        let values = |found: ndarray::Array2<rdm::Compared>| -> Vec<f64> { found.iter().map(|f| f.value).collect() };
        let plain = values(compare_all(&models, &subjects, how).unwrap());
        all_close(&format!("{how}"), &plain, &flat(&expected["identity"]), TOLERANCE);
        let gap = values(compare_all(&gapped(&models), &gapped(&subjects), how).unwrap());
        all_close(&format!("{how} gap"), &gap, &flat(&expected["gap"]), TOLERANCE);
        let given = values(compare_all_under(&models, &subjects, how, Some(&sigma())).unwrap());
        // a system of 45 unknowns with a covariance of condition 1e3 on their side
        all_close(&format!("{how} sigma"), &given, &flat(&expected["sigma"]), 1e-9);
        // its conjugate gradients stop at 1e-5 of the right-hand side
        all_close(&format!("{how} gradients"), &given, &flat(&expected["sigma_by_gradients"]), 1e-3);
        let ceiling = noise_ceiling(&subjects, how).unwrap();
        close(&format!("{how} lower"), ceiling.lower, number(&expected["lower"]), TOLERANCE);
        close(&format!("{how} upper"), ceiling.upper, number(&expected["upper"]), TOLERANCE);
    }
}

#[test]
fn every_draw_is_rsatoolboxs_for_all_eight_comparisons() {
    let (models, subjects) = inputs();
    let expected = &json("inference/values.json")["draws"];
    let multiplicities = |name: &str| -> Vec<Vec<u32>> {
        let rows = expected[name].as_array().unwrap();
        rows.iter().map(|row| counts(row).into_iter().map(|c| c as u32).collect()).collect()
    };
    let (stimuli, people) = (multiplicities("stimuli"), multiplicities("subjects"));
    for how in Comparison::ALL {
        let expected = &expected[how.as_str()];
        for draw in 0..stimuli.len() {
            let found = resampled(&models, &subjects, how, &stimuli[draw], &people[draw]).unwrap();
            all_close(&format!("{how} {draw}"), &found[..3], &numbers(&expected["means"][draw]), TOLERANCE);
            let ceiling = numbers(&expected["ceiling"][draw]);
            if people[draw].iter().filter(|p| **p > 0).count() > 1 {
                all_close(&format!("{how} {draw} ceiling"), &found[3..], &ceiling, TOLERANCE);
            }
        }
    }
}

#[test]
fn variances_of_one_and_two_factors_are_those_of_extract_variances() {
    let expected = &json("inference/values.json")["dual"];
    let covariances: Vec<Vec<f64>> = expected["covariances"].as_array().unwrap().iter().map(flat).collect();
    // variance of a sum of weighted columns of a 5 x 5 covariance: 3 models, lower, upper
    let of = |k: usize, terms: &[(usize, f64)]| -> f64 {
        let with = |i: usize| terms.iter().map(|(j, b)| b * covariances[k][5 * i + j]).sum::<f64>();
        terms.iter().map(|(i, a)| a * with(*i)).sum()
    };
    let pairs = [(0, 1), (0, 2), (1, 2)];
    for (over, tables) in
        [(Generalize::Both, vec![0, 1, 2]), (Generalize::Subjects, vec![1]), (Generalize::Stimuli, vec![2])]
    {
        let variance = |terms: &[(usize, f64)]| {
            let over_draws: Vec<f64> = tables.iter().map(|&k| of(k, terms)).collect();
            corrected_variance(&over_draws, over, 8, 92)
        };
        let expected = &expected[over.as_str()];
        let models: Vec<f64> = (0..3).map(|m| variance(&[(m, 1.0)])).collect();
        all_close("model", &models, &numbers(&expected["model"]), 1e-13);
        let differences: Vec<f64> = pairs.iter().map(|&(a, b)| variance(&[(a, 1.0), (b, -1.0)])).collect();
        all_close("difference", &differences, &numbers(&expected["difference"]), 1e-13);
        let lower: Vec<f64> = (0..3).map(|m| variance(&[(m, 1.0), (3, -1.0)])).collect();
        all_close("lower", &lower, &numbers(&expected["lower"]), 1e-13);
    }
}

#[test]
fn p_values_are_those_of_test_all_and_of_wilcoxon() {
    let expected = &json("inference/values.json")["tests"];
    let of = |name: &str| numbers(&expected[name]);
    let (means, dof) = (of("means"), number(&expected["dof"]));
    let (variances, differences, ceiling) = (of("variances"), of("difference_variances"), of("ceiling_variances"));
    let zero: Vec<f64> = (0..3).map(|m| student_t_sf(means[m] / variances[m].sqrt(), dof)).collect();
    all_close("zero", &zero, &of("p_zero"), 1e-12);
    let pairs = [(0, 1), (0, 2), (1, 2)].into_iter().zip(&differences);
    let pairs: Vec<f64> =
        pairs.map(|((a, b), v)| student_t_two_sided_p((means[a] - means[b]) / v.sqrt(), dof)).collect();
    // rsatoolbox takes 1 - cdf, which loses digits of small p
    all_close("pairs", &pairs, &of("p_pairs"), 1e-9);
    let lower = number(&expected["lower"]);
    let bound: Vec<f64> = (0..3).map(|m| student_t_two_sided_p((means[m] - lower) / ceiling[m].sqrt(), dof)).collect();
    all_close("ceiling", &bound, &of("p_ceiling"), 1e-9);
    let values = of("wilcoxon_values");
    close("greater", wilcoxon_p(&values, Tail::Greater, 0.0), number(&expected["wilcoxon_greater"]), 1e-14);
    close("two-sided", wilcoxon_p(&values, Tail::TwoSided, 0.0), number(&expected["wilcoxon_two_sided"]), 1e-14);
    let ties = wilcoxon_p(&of("wilcoxon_ties"), Tail::TwoSided, 0.0);
    close("ties", ties, number(&expected["wilcoxon_ties_two_sided"]), 1e-12);
}

#[test]
fn variances_of_our_draws_are_those_of_eval_dual_bootstrap_within_monte_carlo_error() {
    let (models, subjects) = inputs();
    let expected = &json("inference/values.json")["monte_carlo"];
    let plan = Bootstrap { over: Generalize::Both, n_boot: 4000, seed: 1, ceiling: true };
    let replicates = bootstrap(&models, &subjects, Comparison::Pearson, None, plan).unwrap();
    let spread = Spread::new(&replicates, &[0, 1, 2, 3, 4], Generalize::Both, 5, 10);
    let (variances, lower) = (numbers(&expected["variances"]), numbers(&expected["lower"]));
    for m in 0..3 {
        // A variance of 1000 draws has a relative error of sqrt(2/1000) = 4.5 %; the correction takes the difference of
        // three, which of 5 subjects multiplies it by about 2: three of these.
        let close_to = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.27;
        assert!(
            close_to(spread.variance(&[(m, 1.0)]), variances[m]),
            "{m}: {} {}",
            spread.variance(&[(m, 1.0)]),
            variances[m]
        );
        let found = spread.variance(&[(m, 1.0), (3, -1.0)]);
        assert!(close_to(found, lower[m]), "{m} lower: {found} {}", lower[m]);
    }
}

#[test]
fn fitted_weights_are_those_of_rsatoolboxs_fitters() {
    let (models, subjects) = inputs();
    let expected = &json("inference/values.json")["fits"];
    for how in [Comparison::Pearson, Comparison::Cosine, Comparison::CorrCov, Comparison::CosineCov] {
        let expected = &expected[how.as_str()];
        // their whitened products come from conjugate gradients that stop at 1e-5; their bounded search at 1e-5
        let weighted = if how.is_whitened() { 1e-3 } else { 1e-10 };
        for (kind, tolerance) in
            [(ModelKind::Weighted, weighted), (ModelKind::Select, 0.0), (ModelKind::Interpolate, 1e-4)]
        {
            let found = fit(&models, &subjects, kind, how).unwrap();
            for (found, expected) in found.iter().zip(numbers(&expected[kind.as_str()])) {
                assert!((found - expected).abs() <= tolerance, "{how} {}: {found} {expected}", kind.as_str());
            }
        }
    }
}
