//! Group t maps against SciPy, clusters and their peaks against nilearn, through the real binary on NIfTI.

use crate::load::{close, counts, json, matrix, number, numbers, path};

#[test]
fn the_one_sample_map_is_scipys() {
    let (maps, _) = matrix("fmri/maps.npy");
    let expected = json("fmri/one-sample.json");
    let mut sums = localizer::OneSample::default();
    sums.add_rows(maps.view()).unwrap();
    let voxels = sums.tests().unwrap();
    let t = numbers(&expected["t"]);
    let neg_log10_p = numbers(&expected["neg_log10_p"]);
    for (v, voxel) in voxels.iter().enumerate() {
        if voxel.reason.is_some() {
            // SciPy divides by a zero sd for the constant voxel; we call it constant
            assert!(v == 3 || v == 8, "voxel {v}: {:?}", voxel.reason);
            assert!(voxel.t.is_nan());
            continue;
        }
        // eight numbers: a few roundings
        close(&format!("t of voxel {v}"), voxel.t, t[v], 1e-12);
        let ln_p = statistics::student_t_ln_sf(voxel.t, voxel.df);
        close(&format!("-log10 p of voxel {v}"), statistics::ln_to_neg_log10(ln_p), neg_log10_p[v], 1e-10);
    }
}

#[test]
fn the_one_sample_map_of_nifti_images_is_scipys_voxel_by_voxel() {
    let dir = tempfile::tempdir().unwrap();
    let maps = path("fmri").join("contrast-map-*.nii");
    let line = format!(
        "fmri-roi contrast --one-sample {} -o t.nii.gz && fmri-roi define --stat t.nii.gz --t -1000",
        maps.display()
    );
    let table = support::sh(dir.path(), &line).text();
    let expected = numbers(&json("fmri/one-sample.json")["t"]);
    let rows = support::rows(&table);
    assert_eq!(rows.len(), 208, "all but the constant voxel and the one with a NaN");
    for row in rows {
        let n = |name: &str| row[name].parse::<f64>().unwrap();
        let voxel = ((n("i") * 6.0 + n("j")) * 5.0 + n("k")) as usize;
        // the map is stored in f4
        close(&format!("t of voxel {voxel}"), n("t"), expected[voxel], 1e-6);
        close("x", n("x"), 9.0 - 3.0 * n("i"), 1e-6);
        close("y", n("y"), -6.0 + 3.0 * n("j"), 1e-6);
        close("z", n("z"), -3.0 + 3.0 * n("k"), 1e-6);
    }
}

/// The highest peak of each cluster, highest cluster first.
fn first_peaks(threshold: &str, connectivity: &str) -> Vec<support::Row> {
    let map = path("fmri/t-map.nii");
    let line = format!(
        "fmri-roi define --stat '{}' --t {threshold} --connectivity {connectivity} --peaks --peak-distance 1000",
        map.display()
    );
    support::rows(&support::run(&support::root(), &line).text())
}

#[test]
fn clusters_have_nilearns_peaks_and_sizes_under_an_oblique_affine() {
    let expected = json("fmri/clusters.json");
    let voxel_mm3 = number(&expected["voxel_mm3"]);
    for (threshold, table) in expected["thresholds"].as_object().unwrap() {
        let got = first_peaks(threshold, "6");
        let want = table["nilearn"].as_array().unwrap();
        assert_eq!(got.len(), want.len(), "t > {threshold}");
        for (row, cluster) in got.iter().zip(want) {
            // f4 affine and f4 map; nilearn drops the fraction of a cubic millimetre
            for name in ["x", "y", "z", "t"] {
                close(name, row[name].parse().unwrap(), number(&cluster[name]), 1e-5);
            }
            let n_voxels: f64 = row["n_voxels"].parse().unwrap();
            assert!(
                (n_voxels * voxel_mm3 - number(&cluster["mm3"])).abs() <= 1.0,
                "t > {threshold}: {row:?} {cluster}"
            );
        }
    }
}

#[test]
fn clusters_are_scipys_for_faces_edges_and_corners() {
    for (threshold, table) in json("fmri/clusters.json")["thresholds"].as_object().unwrap() {
        for connectivity in ["6", "18", "26"] {
            let got = first_peaks(threshold, connectivity);
            let mut sizes: Vec<usize> = got.iter().map(|row| row["n_voxels"].parse().unwrap()).collect();
            sizes.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(sizes, counts(&table["sizes"][connectivity]), "t > {threshold}, connectivity {connectivity}");
        }
    }
}
