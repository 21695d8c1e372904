//! Maps against scikit-learn's MDS, dendrograms against SciPy's linkage.

use crate::load::{all_close, arrays, close, counts, json, matrix, number, numbers};
use ndarray::Array2;
use rdm::{Linkage, Rdm, Scaling, Stopping, classical_mds, leaf_order, linkage, smacof};

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

#[test]
fn dendrograms_and_their_order_are_scipys_with_ties_too() {
    let expected = json("scaling/linkage.json");
    for name in INPUTS {
        for (how, word) in [(Linkage::Average, "average"), (Linkage::Complete, "complete"), (Linkage::Ward, "ward")] {
            let merges = linkage(&rdm(name), how).unwrap();
            let reference = points(&expected[name][word]["merges"]);
            for (k, (ours, theirs)) in merges.iter().zip(reference.rows()).enumerate() {
                let what = format!("{name} {word} merge {k}");
                assert_eq!([ours.left, ours.right, ours.n_stimuli], [0, 1, 3].map(|c| theirs[c] as usize), "{what}");
                // SciPy's formulas, in the same order of operations but for Ward's: 1e-13 of 1.
                close(&what, ours.height, theirs[2], 1e-13);
            }
            assert_eq!(leaf_order(&merges), counts(&expected[name][word]["leaves"]), "{name} {word}");
        }
    }
}
