//! Partial RDMs on scales of their own against rsatoolbox's `rescale` and `mean`.

use crate::load::{all_close, arrays, json, numbers};
use rdm::{MergeWeights, Rdm, Rescale, merge, merge_rescaled};

fn parts() -> Vec<Rdm> {
    // as NumPy wrote them: values, ids, values, ids
    let stream = arrays("design/partials.npy");
    stream.into_iter().map(|a| Rdm::from_condensed(a.values.into_f64(), a.labels.ids).unwrap()).collect()
}

#[test]
fn rescaled_and_weighted_means_are_rsatoolboxs() {
    let (parts, expected) = (parts(), json("design/partials.json"));
    assert_eq!(parts.len(), 5);
    let stimuli: Vec<String> = numbers(&expected["stimuli"]).iter().map(|i| format!("s{i}")).collect();
    let plain = merge(&parts).unwrap();
    assert_eq!(plain.rdm.labels().unwrap(), stimuli);
    assert!(plain.n_missing > 0 && plain.n_shared > 5);
    // sums of a handful of terms in another order
    all_close("none", plain.rdm.values(), &numbers(&expected["none"]), 1e-14);
    for how in [Rescale::Evidence, Rescale::SetSize, Rescale::Simple] {
        let expected = &expected[how.as_str()];
        let found = merge_rescaled(&parts, Some(how), None).unwrap();
        all_close(how.as_str(), found.merged.rdm.values(), &numbers(&expected["weighted"]), 1e-12);
        let equal = merge_rescaled(&parts, Some(how), Some(&MergeWeights::Equal)).unwrap();
        all_close(how.as_str(), equal.merged.rdm.values(), &numbers(&expected["mean"]), 1e-12);
        // every RDM, on the scale of the result
        for ((part, factor), scaled) in parts.iter().zip(&found.factors).zip(expected["scaled"].as_array().unwrap()) {
            let place = |name: &String| part.labels().unwrap().iter().position(|label| label == name);
            let places: Vec<Option<usize>> = stimuli.iter().map(place).collect();
            let values: Vec<f64> = part.onto(&places).unwrap().values().iter().map(|v| factor * v).collect();
            all_close("scaled", &values, &numbers(scaled), 1e-12);
        }
    }
    let weights = MergeWeights::Given(numbers(&expected["by_hand"]["weights"]));
    let found = merge_rescaled(&parts, None, Some(&weights)).unwrap();
    all_close("by hand", found.merged.rdm.values(), &numbers(&expected["by_hand"]["weighted"]), 1e-14);
}
