//! Bootstraps and ceilings of people with several RDMs and stimuli in categories against rsatoolbox's descriptors.

use crate::load::{all_close, arrays, close, counts, json, number, numbers};
use npy_stream::Values;
use rdm::inference::{Bootstrap, Drawn, Generalize, Groups, bootstrap_drawn};
use rdm::{
    Against, Comparison, ModelKind, Partition, Rdm, RdmError, Splits, compare_all, cross_validate_in,
    noise_ceiling_in_folds, noise_ceiling_of_groups,
};
use serde_json::Value;

/// Sums of 55 products around 1, and two roots.
const TOLERANCE: f64 = 1e-11;

fn rdms(file: &str) -> Vec<Rdm> {
    let array = arrays(file).remove(0);
    let Values::F8(values) = array.values else { panic!("{file} is not f8") };
    values.chunks(array.shape[1]).map(|v| Rdm::from_condensed(v.to_vec(), None).unwrap()).collect()
}

fn rows(value: &Value) -> Vec<Vec<usize>> {
    value.as_array().unwrap().iter().map(counts).collect()
}

/// How often each thing stands in a draw of groups.
fn of_things(groups: &[usize], often: &[usize]) -> Vec<u32> {
    groups.iter().map(|group| often[*group] as u32).collect()
}

const BOTH: Bootstrap = Bootstrap { over: Generalize::Both, n_boot: 0, seed: 0, ceiling: true };

#[test]
fn draws_of_groups_are_those_of_eval_bootstrap() {
    let (models, subjects, expected) =
        (rdms("grouped/models.npy"), rdms("grouped/subjects.npy"), json("grouped/values.json"));
    let (people, kinds) = (counts(&expected["people"])[..6].to_vec(), counts(&expected["category"]));
    let groups = [Groups::of(&people), Groups::of(&kinds)];
    let (who, what) = (rows(&expected["subjects"]), rows(&expected["stimuli"]));
    let draw = |(who, what): (&Vec<usize>, &Vec<usize>)| Drawn {
        subjects: of_things(&people, who),
        stimuli: of_things(&kinds, what),
    };
    let draws: Vec<Drawn> = who.iter().zip(&what).map(draw).collect();
    for how in Comparison::ALL {
        let found = bootstrap_drawn(&models, &subjects[..6], how, None, BOTH, &draws, &groups).unwrap();
        let expected = &expected[how.as_str()];
        for draw in 0..draws.len() {
            let row = found.tables[0].row(draw).to_vec();
            let different = |often: &[usize]| often.iter().filter(|times| **times > 0).count();
            if different(&what[draw]) < 3 {
                assert!(row.iter().all(|v| v.is_nan()), "{how} {draw}");
                continue;
            }
            all_close(&format!("{how} {draw}"), &row[..2], &numbers(&expected["means"][draw]), TOLERANCE);
            if different(&who[draw]) < 2 {
                assert!(row[2..].iter().all(|v| v.is_nan()), "{how} {draw}");
                continue;
            }
            all_close(&format!("{how} {draw} ceiling"), &row[2..], &numbers(&expected["ceiling"][draw]), TOLERANCE);
        }
    }
}

#[test]
fn ceilings_leave_out_people_or_folds() {
    let (subjects, expected) = (rdms("grouped/subjects.npy"), json("grouped/values.json"));
    let folds = counts(&expected["folds"]);
    let mean_of_folds = |terms: &[f64]| {
        let means = Groups::of(&folds).means(terms);
        means.iter().sum::<f64>() / means.len() as f64
    };
    for how in Comparison::ALL {
        let people = Groups::of(&counts(&expected["people"])[..6]);
        let found = noise_ceiling_of_groups(&subjects[..6], how, None, &people).unwrap();
        let bounds = &expected[how.as_str()]["whole"];
        close(&format!("{how} whole lower"), found.lower, number(&bounds[0]), TOLERANCE);
        close(&format!("{how} whole upper"), found.upper, number(&bounds[1]), TOLERANCE);
        // There the mean over folds of the means over their RDMs.
        let found = noise_ceiling_in_folds(&subjects, how, None, &Groups::each(7), &Groups::of(&folds)).unwrap();
        let bounds = &expected[how.as_str()]["folds"];
        close(&format!("{how} folds lower"), mean_of_folds(&found.lower_by_subject), number(&bounds[0]), TOLERANCE);
        close(&format!("{how} folds upper"), mean_of_folds(&found.upper_by_subject), number(&bounds[1]), TOLERANCE);
    }
    let one = Groups::of(&[0; 7]);
    let error = noise_ceiling_of_groups(&subjects, Comparison::Pearson, None, &one).unwrap_err();
    assert_eq!(error, RdmError::TooFewRdms { given: 1, needed: 2 });
    let error = noise_ceiling_of_groups(&subjects, Comparison::Pearson, None, &Groups::each(6)).unwrap_err();
    assert_eq!(error, RdmError::DrawLength { given: 6, needed: 7 });
}

#[test]
fn ceilings_of_folds_of_rdms_and_stimuli_are_those_of_cv_noise_ceiling() {
    let (subjects, expected) = (rdms("grouped/subjects.npy"), json("grouped/values.json"));
    let folds = counts(&expected["folds"]);
    let splits = Splits {
        subjects: Partition::given(folds.clone()),
        stimuli: Partition::given(counts(&expected["stimulus_folds"])),
        seed: 0,
    };
    let people = Groups::each(7);
    for how in Comparison::ALL {
        let against = Some(Against::OtherFolds);
        let found = cross_validate_in(&[], &subjects, ModelKind::Select, how, &splits, &people, against).unwrap();
        let ceiling = found.ceiling.unwrap();
        // A constant RDM of ties, of which rsatoolbox makes 0 in some comparisons, would be NaN here; there is none.
        for (side, terms) in [&ceiling.lower_by_subject, &ceiling.upper_by_subject].into_iter().enumerate() {
            let in_folds = Groups::of(&folds).means(terms);
            for (fold, found) in in_folds.iter().enumerate() {
                let cells = &expected[how.as_str()]["cells"][fold];
                let mean = (0..3).map(|kind| number(&cells[kind][side])).sum::<f64>() / 3.0;
                close(&format!("{how} fold {fold} side {side}"), *found, mean, TOLERANCE);
            }
        }
    }
}

#[test]
fn a_person_has_one_vote_in_every_draw() {
    let (models, subjects, expected) =
        (rdms("grouped/models.npy"), rdms("grouped/subjects.npy"), json("grouped/values.json"));
    let people = counts(&expected["people"]);
    let groups = [Groups::of(&people), Groups::each(11)];
    let plan = Bootstrap { over: Generalize::Subjects, ..BOTH };
    let often = [2, 0, 1, 1];
    let draw = Drawn { subjects: of_things(&people, &often), stimuli: vec![1; 11] };
    let found = bootstrap_drawn(&models, &subjects, Comparison::Pearson, None, plan, &[draw], &groups).unwrap();
    let scores = compare_all(&models, &subjects, Comparison::Pearson).unwrap();
    for m in 0..models.len() {
        let of_person = |person: usize| {
            let own: Vec<f64> = (0..7).filter(|&r| people[r] == person).map(|r| scores[(m, r)].value).collect();
            own.iter().sum::<f64>() / own.len() as f64
        };
        let slow = (0..4).map(|person| often[person] as f64 * of_person(person)).sum::<f64>() / 4.0;
        close("mean", found.tables[0][(0, m)], slow, 1e-14);
    }
    let short = Drawn { subjects: vec![1; 6], stimuli: vec![1; 11] };
    let error = bootstrap_drawn(&models, &subjects, Comparison::Pearson, None, plan, &[short], &groups).unwrap_err();
    assert_eq!(error, RdmError::DrawLength { given: 6, needed: 7 });
}
