//! The worked examples of the methods page, numbers that a reader can check with a pocket calculator.

use crate::load::{all_close, close};
use localizer::{dprime, selectivity_index, student_t, welch_t};
use ndarray::array;
use rdm::{Comparison, Distance, Rdm, distances, noise_ceiling};
use reliability::median_of_pairs;
use statistics::{Correction, Moments, student_t_two_sided_p};

/// Six printed decimals.
const PRINTED: f64 = 6e-7;

#[test]
fn two_samples_of_four_and_five() {
    let a: Moments = [5.0, 6.0, 7.0, 8.0].into_iter().collect();
    let b: Moments = [1.0, 2.0, 2.0, 3.0, 4.0].into_iter().collect();
    let (t, df) = student_t(a, b);
    all_close("Student", &[t, df, student_t_two_sided_p(t, df)], &[5.063217, 7.0, 0.001458], PRINTED);
    let (t, df) = welch_t(a, b);
    // the page prints 6.123784 degrees of freedom; SciPy and the formula say 6.123786
    all_close("Welch", &[t, df, student_t_two_sided_p(t, df)], &[4.984212, 6.123786, 0.00234951], PRINTED);
    close("d'", dprime(a.mean - b.mean, [a.variance(), b.variance()]), 3.366390, PRINTED);
    close("selectivity index", selectivity_index(a.mean, b.mean), 0.460674, PRINTED);
}

#[test]
fn eight_p_values() {
    let p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205];
    let bh = [0.008, 0.032, 0.0672, 0.0672, 0.0672, 0.08, 0.084571, 0.205];
    let by = [0.021743, 0.086971, 0.18264, 0.18264, 0.18264, 0.217429, 0.229853, 0.557161];
    all_close("Benjamini-Hochberg", &Correction::BenjaminiHochberg.adjust(&p), &bh, PRINTED);
    all_close("Benjamini-Yekutieli", &Correction::BenjaminiYekutieli.adjust(&p), &by, PRINTED);
}

#[test]
fn noise_ceilings_of_three_signal_to_noise_ratios() {
    for (ncsnr, once, thrice) in [(0.3, 8.2569, 21.2598), (0.5, 20.0, 42.8571), (1.0, 50.0, 75.0)] {
        close("once", 100.0 * reliability::noise_ceiling(ncsnr, 1.0), once, 1e-5);
        close("thrice", 100.0 * reliability::noise_ceiling(ncsnr, 1.0 / 3.0), thrice, 1e-5);
    }
    let mixed = (300.0 / 3.0 + 150.0 / 2.0 + 50.0) / 500.0;
    close("300, 150 and 50 images", 100.0 * reliability::noise_ceiling(0.5, mixed), 35.714286, PRINTED);
}

#[test]
fn four_patterns_of_four_units() {
    let rows = array![[1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0], [4.0, 3.0, 2.0, 1.0], [1.0, 3.0, 2.0, 5.0]];
    let of = |distance| distances(rows.view(), distance).unwrap().rdm.into_values();
    all_close("1 - Pearson", &of(Distance::Correlation), &[0.4, 2.0, 0.168478, 1.6, 0.924407, 1.831522], PRINTED);
    all_close("Euclid", &of(Distance::Euclidean), &[2.0, 4.472136, 1.732051, 4.0, 3.605551, 5.0], PRINTED);
}

#[test]
fn ceilings_of_three_small_rdms() {
    let subjects: Vec<Rdm> =
        [[0.1, 0.4, 0.5, 0.7, 0.2, 0.9], [0.2, 0.3, 0.6, 0.8, 0.1, 0.7], [0.3, 0.5, 0.4, 0.6, 0.2, 0.8]]
            .into_iter()
            .map(|v| Rdm::from_condensed(v.to_vec(), None).unwrap())
            .collect();
    let pearson = noise_ceiling(&subjects, Comparison::Pearson).unwrap();
    all_close("Pearson", &[pearson.lower, pearson.upper], &[0.907096, 0.958610], PRINTED);
    let spearman = noise_ceiling(&subjects, Comparison::Spearman).unwrap();
    all_close("Spearman", &[spearman.lower, spearman.upper], &[0.912159, 0.942857], PRINTED);
}

#[test]
fn the_human_human_value_is_the_median_of_seven_pairs() {
    let of_subject_1 = [0.9886, 0.975, 0.9962, 0.9627, 0.9762, 1.0453, 0.9094];
    let mut r = ndarray::Array2::from_elem((8, 8), 1.0);
    for (other, value) in of_subject_1.into_iter().enumerate() {
        (r[[0, other + 1]], r[[other + 1, 0]]) = (value, value);
    }
    assert_eq!(median_of_pairs(r.view())[0], (0.9762, 7));
}
