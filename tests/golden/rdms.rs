//! Distances against SciPy's `pdist`; comparisons of RDMs and their ceilings against rsatoolbox.

use crate::load::{all_close, arrays, close, json, matrix, number, numbers};
use npy_stream::Values;
use rdm::{Comparison, Distance, Rdm, compare, compare_all, distances, noise_ceiling, pool};

/// Distances are differences of sums of 30 products around 25: 1e-12 of 1 is ten times their rounding.
const TOLERANCE: f64 = 1e-12;

/// The six that are not whitened; `golden/inference.rs` has the other two.
fn plain() -> impl Iterator<Item = Comparison> {
    Comparison::ALL.into_iter().filter(|how| !how.is_whitened())
}

/// Each row of the file is one RDM.
fn rdms(file: &str) -> Vec<Rdm> {
    let array = arrays(file).remove(0);
    let length = array.shape[1];
    let Values::F8(values) = array.values else { panic!("{file} is not f8") };
    values.chunks(length).map(|v| Rdm::from_condensed(v.to_vec(), None).unwrap()).collect()
}

#[test]
fn distances_are_scipys_and_where_scipy_says_nan_so_do_we() {
    let expected = json("rdm/distances.json");
    for patterns in ["patterns", "hard-patterns"] {
        let (x, _) = matrix(&format!("rdm/{patterns}.npy"));
        for distance in [Distance::Correlation, Distance::Euclidean, Distance::Sqeuclidean, Distance::Cosine] {
            let got = distances(x.view(), distance).unwrap();
            let reference = numbers(&expected[patterns][distance.as_str()]);
            all_close(&format!("{patterns} {}", distance.as_str()), got.rdm.values(), &reference, TOLERANCE);
        }
    }
}

#[test]
fn distances_of_f4_patterns_agree_to_single_precision() {
    let (x, _) = matrix("rdm/patterns.npy");
    let expected = json("rdm/distances.json");
    for distance in [Distance::Correlation, Distance::Euclidean, Distance::Cosine] {
        let got = distances(x.mapv(|v| v as f32).view(), distance).unwrap();
        let reference = numbers(&expected["patterns"][distance.as_str()]);
        // patterns around 5 are rounded at 2^-22, and 30 products of 25 are summed: 1e-5 of 1
        all_close(distance.as_str(), got.rdm.values(), &reference, 1e-5);
    }
}

#[test]
fn rsatoolbox_euclidean_is_our_squared_distance_per_channel() {
    let expected = json("rdm/distances.json");
    let (x, _) = matrix("rdm/patterns.npy");
    let got = distances(x.view(), Distance::SqeuclideanPerChannel).unwrap();
    all_close("per channel", got.rdm.values(), &numbers(&expected["patterns"]["rsatoolbox_euclidean"]), TOLERANCE);
    let got = distances(x.view(), Distance::Correlation).unwrap();
    all_close("correlation", got.rdm.values(), &numbers(&expected["patterns"]["rsatoolbox_correlation"]), TOLERANCE);
}

#[test]
fn all_six_comparisons_are_rsatoolboxs_with_ties_on_either_side() {
    let (models, subjects) = (rdms("rdm/models.npy"), rdms("rdm/subjects.npy"));
    let expected = json("rdm/compare.json");
    assert_eq!(expected.as_object().unwrap().len(), plain().count());
    for how in plain() {
        let reference = expected[how.as_str()]["scores"].as_array().unwrap();
        let together = compare_all(&models, &subjects, how).unwrap();
        for (m, row) in reference.iter().enumerate() {
            for (s, score) in numbers(row).into_iter().enumerate() {
                let what = format!("{how} of model {m} and subject {s}");
                close(&what, compare(&models[m], &subjects[s], how).unwrap().value, score, TOLERANCE);
                close(&what, together[(m, s)].value, score, TOLERANCE);
            }
        }
    }
}

#[test]
fn ceilings_are_rsatoolboxs_as_a_whole_and_for_each_subject() {
    let subjects = rdms("rdm/subjects.npy");
    let expected = json("rdm/compare.json");
    for how in plain() {
        let expected = &expected[how.as_str()];
        let ceiling = noise_ceiling(&subjects, how).unwrap();
        close(&format!("{how} lower"), ceiling.lower, number(&expected["lower"]), TOLERANCE);
        close(&format!("{how} upper"), ceiling.upper, number(&expected["upper"]), TOLERANCE);
        let (lower, upper) = (&ceiling.lower_by_subject, &ceiling.upper_by_subject);
        all_close(&format!("{how} lower"), lower, &numbers(&expected["lower_of_subject"]), TOLERANCE);
        all_close(&format!("{how} upper"), upper, &numbers(&expected["upper_of_subject"]), TOLERANCE);
        // what the upper bound is: the score of the pooled RDM
        let pooled = pool(&subjects, how).unwrap();
        let of_pool: f64 = subjects.iter().map(|s| compare(&pooled, s, how).unwrap().value).sum::<f64>() / 5.0;
        close(&format!("{how} of the pool"), of_pool, ceiling.upper, TOLERANCE);
    }
}
