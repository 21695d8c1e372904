//! Noise ceilings against their definitions written out in NumPy.

use crate::load::{all_close, close, json, matrix, number, numbers};
use rdm::{Distance, distances};
use reliability::{
    Repeats, between_subjects, explainable_variances, noise_ceiling, noise_ceilings, nsd_noise_ceilings,
    split_half_reliability, z_score_within,
};
use statistics::Correlation;

/// Sums of 60 numbers near 3: 1e-12 leaves a few digits for their differences.
const TOLERANCE: f64 = 1e-12;

#[test]
fn voxel_ceilings_follow_the_definition_with_equal_and_unequal_repeats() {
    let expected = json("ceiling/voxels.json");
    for name in ["trials", "unequal"] {
        let expected = &expected[name];
        let (trials, ids) = matrix(&format!("ceiling/{name}.npy"));
        let repeats = Repeats::by_id(&ids);
        close(name, repeats.mean_inverse_count(), number(&expected["mean_of_1_over_n"]), TOLERANCE);
        let voxels = noise_ceilings(trials.view(), &repeats, None).unwrap();
        let column = |f: &dyn Fn(&reliability::NoiseCeiling) -> f64| voxels.iter().map(f).collect::<Vec<f64>>();
        // the constant voxel has no total variance to speak of; NumPy says 0, we say nothing
        let total = numbers(&expected["total_variance"]);
        all_close("total", &column(&|v| v.total_variance)[..5], &total[..5], TOLERANCE);
        all_close(
            "noise",
            &column(&|v| v.noise_variance / v.total_variance),
            &numbers(&expected["noise_variance_of_z"]),
            TOLERANCE,
        );
        all_close(
            "signal",
            &column(&|v| v.signal_variance / v.total_variance),
            &numbers(&expected["signal_variance_of_z"]),
            TOLERANCE,
        );
        all_close("ncsnr", &column(&|v| v.ncsnr), &numbers(&expected["ncsnr"]), TOLERANCE);
        let percent = column(&|v| 100.0 * v.reliability);
        all_close("as measured", &percent, &numbers(&expected["nc_as_measured"]), TOLERANCE);
        for (n, key) in [(1.0, "nc_1"), (3.0, "nc_3")] {
            let percent = column(&|v| 100.0 * noise_ceiling(v.ncsnr, 1.0 / n));
            all_close(key, &percent, &numbers(&expected[key]), TOLERANCE);
        }
        assert!(voxels[5].reason.is_some());
    }
}

#[test]
fn the_convention_of_the_natural_scenes_dataset_is_that_of_its_code() {
    let expected = json("ceiling/nsd.json");
    let (trials, ids) = matrix("ceiling/unequal.npy");
    let repeats = Repeats::by_id(&ids);
    let sessions: Vec<usize> = numbers(&expected["session"]).iter().map(|s| *s as usize).collect();
    let z = z_score_within(trials.view(), &sessions);
    assert_eq!(repeats.shown_at_least(repeats.most()).len() as f64, number(&expected["n_complete"]));
    let voxels = nsd_noise_ceilings(z.view(), &repeats, None).unwrap();
    let column = |f: fn(&reliability::NoiseCeiling) -> f64| voxels.iter().map(f).collect::<Vec<f64>>();
    all_close("noise", &column(|v| v.noise_variance), &numbers(&expected["noise_variance"]), TOLERANCE);
    all_close("ncsnr", &column(|v| v.ncsnr), &numbers(&expected["ncsnr"]), TOLERANCE);
    all_close("mixed", &column(|v| 100.0 * v.reliability), &numbers(&expected["nc_as_measured"]), TOLERANCE);
    let three = column(|v| 100.0 * noise_ceiling(v.ncsnr, 1.0 / 3.0));
    all_close("three", &three, &numbers(&expected["nc_3"]), TOLERANCE);
}

#[test]
fn explainable_variance_is_that_of_the_voxelwise_tutorials() {
    let (trials, ids) = matrix("ceiling/trials.npy");
    let expected = json("ceiling/explainable.json");
    let voxels = explainable_variances(trials.view(), &Repeats::by_id(&ids), 3).unwrap();
    let column = |f: fn(&reliability::ExplainableVariance) -> f64| voxels.iter().map(f).collect::<Vec<f64>>();
    all_close("ev", &column(|v| v.raw), &numbers(&expected["ev"]), TOLERANCE);
    all_close("corrected", &column(|v| v.corrected), &numbers(&expected["ev_corrected"]), TOLERANCE);
    // the reliability of one trial: the mean correlation of two
    let of_pairs = numbers(&json("ceiling/split-half.json")["r_single"]);
    all_close("identity", &column(|v| v.corrected), &of_pairs, TOLERANCE);
}

#[test]
fn split_half_is_the_mean_over_pairs_of_repeats_stepped_up() {
    let (trials, ids) = matrix("ceiling/trials.npy");
    let expected = json("ceiling/split-half.json");
    let voxels = split_half_reliability(trials.view(), &Repeats::by_id(&ids), 3, 1000, 0).unwrap();
    let column = |f: fn(&reliability::SplitHalf) -> f64| voxels.iter().map(f).collect::<Vec<f64>>();
    all_close("r of single trials", &column(|v| v.r), &numbers(&expected["r_single"]), TOLERANCE);
    all_close("reliability", &column(|v| v.reliability), &numbers(&expected["reliability"]), TOLERANCE);
    all_close("r_max", &column(|v| v.r_max), &numbers(&expected["r_max"]), TOLERANCE);
}

#[test]
fn subjects_agree_with_each_other_as_numpy_says_in_profile_and_rdm() {
    let expected = json("ceiling/between.json");
    let subjects: Vec<_> = (0..5).map(|s| matrix(&format!("ceiling/subject-{s}.npy")).0).collect();
    let profiles: Vec<Vec<f64>> =
        subjects.iter().map(|m| m.rows().into_iter().map(|row| row.sum() / row.len() as f64).collect()).collect();
    let triangles: Vec<Vec<f64>> =
        subjects.iter().map(|m| distances(m.view(), Distance::Correlation).unwrap().rdm.values().to_vec()).collect();
    for (name, vectors) in [("profile", profiles), ("rdm", triangles)] {
        let vectors: Vec<&[f64]> = vectors.iter().map(Vec::as_slice).collect();
        let agreement = between_subjects(&vectors, Correlation::Pearson, None, None).unwrap().plain;
        let median: Vec<f64> = agreement.iter().map(|a| a.median_of_pairs).collect();
        let one_out: Vec<f64> = agreement.iter().map(|a| a.leave_one_out).collect();
        all_close(name, &median, &numbers(&expected[name]["median_of_pairs"]), TOLERANCE);
        all_close(name, &one_out, &numbers(&expected[name]["leave_one_out"]), TOLERANCE);
    }
}
