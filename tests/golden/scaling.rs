//! Maps against scikit-learn's MDS, dendrograms against SciPy's linkage.

use crate::load::{all_close, arrays, close, counts, json, matrix, number, numbers};
use ndarray::Array2;
use rdm::{Linkage, Rdm, Scaling, Stopping, classical_mds, leaf_order, linkage, optimal_merges, smacof};

const INPUTS: [&str; 2] = ["rdm", "ties"];

fn rdm(name: &str) -> Rdm {
    let array = arrays(&format!("scaling/{name}.npy")).remove(0);
    Rdm::from_condensed(array.values.into_f64(), None).unwrap()
}

fn points(value: &serde_json::Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

#[test]
fn classical_scaling_is_scikit_learns_but_for_signs() {
    let expected = json("scaling/mds.json");
    for name in INPUTS {
        let map = classical_mds(&rdm(name), 3).unwrap();
        let expected = &expected[name]["classical"];
        // Eigenvalues of a 24 x 24 matrix around 3: 1e-12 is a thousand roundings. Eigenvectors lose what neighbouring
        // eigenvalues are close: 1e-10.
        all_close(name, &map.eigenvalues[..3], &numbers(&expected["eigenvalues"]), 1e-12);
        let reference = points(&expected["points"]);
        for (dim, (ours, theirs)) in map.points.columns().into_iter().zip(reference.columns()).enumerate() {
            let sign = ours.dot(&theirs).signum();
            all_close(&format!("{name} {dim}"), &ours.to_vec(), &(&theirs * sign).to_vec(), 1e-10);
        }
    }
}

#[test]
fn smacof_goes_scikit_learns_way_from_the_same_start() {
    let expected = json("scaling/mds.json");
    let (start, _) = matrix("scaling/start.npy");
    for name in INPUTS {
        for (how, word) in [(Scaling::Metric, "metric"), (Scaling::NonMetric, "nonmetric")] {
            let map = smacof(&rdm(name), start.view(), how, Stopping::default()).unwrap();
            let expected = &expected[name][word];
            let what = format!("{name} {word}");
            assert_eq!(map.n_iter, counts(&serde_json::json!([expected["n_iter"]]))[0], "{what}");
            close(&what, map.stress, number(&expected["stress"]), 1e-9);
            // Hundreds of iterations multiply the first rounding errors, where two points swap places in a tie.
            all_close(&what, map.points.as_slice().unwrap(), points(&expected["points"]).as_slice().unwrap(), 1e-7);
        }
    }
}

const LINKAGES: [(Linkage, &str); 6] = [
    (Linkage::Average, "average"),
    (Linkage::Complete, "complete"),
    (Linkage::Single, "single"),
    (Linkage::Weighted, "weighted"),
    (Linkage::Centroid, "centroid"),
    (Linkage::Ward, "ward"),
];

#[test]
fn dendrograms_and_their_order_are_scipys_with_ties_too() {
    let expected = json("scaling/linkage.json");
    for name in ["rdm", "ties", "levels"] {
        for (how, word) in LINKAGES {
            let merges = linkage(&rdm(name), how).unwrap();
            let reference = points(&expected[name][word]["merges"]);
            // Of levels some means are tied on paper only, where SciPy goes by their last digit.
            let paper = name == "levels" && matches!(how, Linkage::Average | Linkage::Weighted | Linkage::Ward);
            for (k, (ours, theirs)) in merges.iter().zip(reference.rows()).enumerate() {
                let what = format!("{name} {word} merge {k}");
                // SciPy's formulas, in the same order of operations but for Ward's: 1e-13 of 1.
                close(&what, ours.height, theirs[2], 1e-13);
                if !paper {
                    assert_eq!(
                        [ours.left, ours.right, ours.n_stimuli],
                        [0, 1, 3].map(|c| theirs[c] as usize),
                        "{what}"
                    );
                }
            }
            if !paper {
                assert_eq!(leaf_order(&merges), counts(&expected[name][word]["leaves"]), "{name} {word}");
            }
        }
    }
}

#[test]
fn optimal_orders_are_never_longer_than_scipys() {
    let expected = json("scaling/linkage.json");
    let mut n_shorter = 0;
    for name in ["rdm", "ties", "levels"] {
        let rdm = rdm(name);
        for (how, word) in LINKAGES {
            let merges = linkage(&rdm, how).unwrap();
            let theirs = &expected[name][word];
            if leaf_order(&merges) != counts(&theirs["leaves"]) {
                continue;
            }
            let order = leaf_order(&optimal_merges(&rdm, &merges));
            let way: f64 = order.windows(2).map(|pair| rdm.get(pair[0], pair[1])).sum();
            // Sums of 23 to 39 distances of order 1.
            assert!(way <= number(&theirs["way"]) + 1e-12, "{name} {word}: {way}");
            n_shorter += usize::from(way < number(&theirs["way"]) - 1e-6);
            if (way - number(&theirs["way"])).abs() < 1e-12 && name == "rdm" {
                assert_eq!(order, counts(&theirs["optimal"]), "{word}");
            }
        }
    }
    // SciPy's function does not return the order whose length it finds (scipy/scipy#11227).
    assert!(n_shorter > 3, "{n_shorter}");
}
