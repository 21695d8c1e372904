//! Noise estimators, transforms and merged RDMs against rsatoolbox. What `rsa rdm` makes of the same files is held
//! against it in `tests/rsa_rdm.rs`.

use crate::load::{all_close, json, matrix, numbers};
use ndarray::Array2;
use rdm::{
    Distance, InMemory, NoiseModel, Prior, Rdm, Shrinkage, Transform, WithPrior, distances, distances_of, merge,
};
use serde_json::Value;

const SHRINKAGE: [Shrinkage; 4] = [Shrinkage::Diag, Shrinkage::Eye, Shrinkage::None, Shrinkage::Univariate];

/// Row by row.
fn table(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().flat_map(numbers).collect()
}

#[test]
fn precisions_are_rsatoolboxs_for_every_estimator() {
    let expected = json("design/noise.json");
    let (residuals, _) = matrix("design/residuals.npy");
    for shrinkage in SHRINKAGE {
        let expected = &expected[shrinkage.as_str()];
        // Inverses of matrices with a condition below 100: 1e-11 leaves them four digits of rounding.
        let same = |what: &str, model: NoiseModel| {
            let found: Vec<f64> = model.precision().iter().copied().collect();
            all_close(&format!("{} {what}", shrinkage.as_str()), &found, &table(&expected[what]), 1e-11);
        };
        same("residuals", NoiseModel::from_residuals(residuals.view(), None, shrinkage).unwrap());
        same("residuals_dof_31", NoiseModel::from_residuals(residuals.view(), Some(31.0), shrinkage).unwrap());
        for design in ["balanced", "unbalanced", "once"] {
            let (x, ids) = matrix(&format!("design/{design}.npy"));
            let mut names: Vec<&String> = Vec::new();
            let stimulus: Vec<usize> = ids
                .iter()
                .map(|id| {
                    names.iter().position(|known| *known == id).unwrap_or_else(|| {
                        names.push(id);
                        names.len() - 1
                    })
                })
                .collect();
            let of = |dof| NoiseModel::from_repeats(x.view(), &stimulus, dof, shrinkage).unwrap();
            same(&format!("repeats_{design}"), of(None));
            if design == "balanced" {
                // cov_from_measurements: (6 stimuli - 1) * 8 repeats instead of 48 - 6
                same("measurements_balanced", of(Some(40.0)));
            }
        }
    }
}

#[test]
fn plain_distances_are_scipys_and_rsatoolboxs() {
    let expected = json("design/plain.json");
    let (x, _) = matrix("rdm/patterns.npy");
    let of = |x: &Array2<f64>, distance| distances(x.view(), distance).unwrap().rdm.into_values();
    // as in rdms.rs: ten times the rounding of 30 products around 25
    let same = |what: &str, found: &[f64]| all_close(what, found, &numbers(&expected[what]), 1e-12);
    same("spearman", &of(&x, Distance::Spearman));
    same("cityblock", &of(&x, Distance::Cityblock));
    let (residuals, _) = matrix("design/wide-residuals.npy");
    let noise = NoiseModel::from_residuals(residuals.view(), None, Shrinkage::None).unwrap();
    let white = noise.whiten(x.clone()).unwrap();
    same("mahalanobis", &of(&white, Distance::Euclidean));
    same("rsatoolbox_mahalanobis", &of(&white, Distance::SqeuclideanPerChannel));
    let rates = x.mapv(f64::abs);
    for (what, prior) in
        [("rsatoolbox_poisson", Prior::default()), ("rsatoolbox_poisson_prior", Prior { rate: 2.5, weight: 0.4 })]
    {
        let here = InMemory::new(rates.view());
        let found = distances_of(&WithPrior::new(&here, prior), Distance::Poisson).unwrap().rdm;
        let per_channel: Vec<f64> = found.values().iter().map(|v| v / 30.0).collect();
        same(what, &per_channel);
    }
}

#[test]
fn transforms_and_merged_parts_are_rsatoolboxs() {
    let expected = json("design/transforms.json");
    let values = numbers(&expected["values"]);
    let of = |how: &str, values: Vec<f64>| {
        let rdm = Rdm::from_condensed(values, None).unwrap();
        how.parse::<Transform>().unwrap().apply(rdm).unwrap().rdm.into_values()
    };
    for how in ["rank", "sqrt", "positive", "minmax", "square"] {
        all_close(how, &of(how, values.clone()), &numbers(&expected[how]), 1e-15);
    }
    let above: Vec<f64> = values.iter().map(|v| v.abs() + 20.0).collect();
    let found = of("geotopological(0.2,0.8)", above);
    all_close("geotopological", &found, &numbers(&expected["geotopological(0.2,0.8) of |values| + 20"]), 1e-14);

    let labels = |value: &Value| -> Vec<String> {
        value["stimuli"].as_array().unwrap().iter().map(|s| s.as_str().unwrap().into()).collect()
    };
    let parts: Vec<Rdm> = expected["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| Rdm::from_condensed(numbers(&part["values"]), Some(labels(part))).unwrap())
        .collect();
    let merged = merge(&parts).unwrap().rdm;
    assert_eq!(merged.labels().unwrap(), labels(&expected["merged"]));
    all_close("merged", merged.values(), &numbers(&expected["merged"]["values"]), 1e-15);
    assert!(merged.n_nan() > 0);
}
