//! Localizer statistics of 120 stimuli x 24 units, hard units among them, against SciPy.

use crate::load::{all_close, arrays, close, counts, json, number, numbers, path};
use localizer::{
    CategoryMoments, Contrast, Correction, Design, Groups, Reason, Selection, TTest, UnitStatistics, UnitTests, Versus,
    roc_areas,
};
use npy_stream::Block;
use serde_json::Value;

/// Unit 18 varies by .01 around 1000, so its variance has 5 digits less than 16; there SciPy and we are each about
/// 5e-11 from 50-digit arithmetic, on either side.
const TOLERANCE: f64 = 1e-9;

/// Units with one value in every row.
const CONSTANT: [usize; 2] = [14, 15];
/// A unit with one NaN.
const NAN: usize = 16;

fn domains() -> Vec<String> {
    let mut table = csv::Reader::from_path(path("units/stimuli.csv")).unwrap();
    table.records().map(|row| row.unwrap()[2].to_owned()).collect()
}

fn contrast(text: &str, versus: Versus) -> Groups {
    text.parse::<Contrast>().unwrap().resolve(&domains(), versus).unwrap()
}

fn tested(file: &str, test: TTest, versus: Versus, correction: Correction) -> UnitTests {
    tested_for(file, &contrast("faces > bodies,places,objects", versus), test, correction)
}

fn tested_for(file: &str, groups: &Groups, test: TTest, correction: Correction) -> UnitTests {
    let (matrix, labels) = arrays(file).remove(0).into_matrix().unwrap();
    assert_eq!(labels.ids.unwrap().len(), 120);
    let design = Design::new(std::slice::from_ref(groups), None);
    let mut moments = CategoryMoments::new(design.n_groups(), matrix.n_columns());
    match matrix.view() {
        Block::F4(block) => moments.add_rows(block, &design.group_of_row()).unwrap(),
        Block::F8(block) => moments.add_rows(block, &design.group_of_row()).unwrap(),
    }
    UnitTests::compute(moments.into(), design.question(0), test, Some(correction)).unwrap()
}

type Column = (&'static str, fn(&UnitStatistics) -> f64);

const COLUMNS: [Column; 9] = [
    ("mean_preferred", |s| s.mean_preferred),
    ("mean_rest", |s| s.mean_rest),
    ("t", |s| s.t),
    ("df", |s| s.df),
    ("p", |s| s.p),
    ("neg_log10_p", |s| s.neg_log10_p),
    ("dprime", |s| s.dprime),
    ("selectivity_index", |s| s.selectivity_index),
    ("ratio", |s| s.ratio),
];

fn usable(unit: usize) -> bool {
    !CONSTANT.contains(&unit) && unit != NAN
}

#[track_caller]
fn same(what: &str, statistics: impl Fn(usize) -> UnitStatistics, expected: &Value) {
    for (name, value) in COLUMNS {
        for (unit, reference) in numbers(&expected[name]).into_iter().enumerate().filter(|&(u, _)| usable(u)) {
            close(&format!("{what} {name} of unit {unit}"), value(&statistics(unit)), reference, TOLERANCE);
        }
    }
    assert_eq!(statistics(0).n_preferred as f64, number(&expected["n_preferred"]));
    assert_eq!(statistics(0).n_rest as f64, number(&expected["n_rest"]));
}

#[test]
fn every_unit_statistic_is_scipys_pooled_and_each_student_and_welch_f8_and_f4() {
    for dtype in ["f8", "f4"] {
        let expected = json(&format!("units/faces-{dtype}.json"));
        for test in [TTest::Student, TTest::Welch] {
            let expected = &expected[test.as_str()];
            let file = format!("units/acts-{dtype}.npy");
            let pooled = tested(&file, test, Versus::Pooled, Correction::BenjaminiHochberg);
            same(&format!("{dtype} pooled"), |unit| pooled.row(unit), &expected["pooled"]);
            let each = tested(&file, test, Versus::Each, Correction::BenjaminiYekutieli);
            for (rest, other) in ["bodies", "places", "objects"].into_iter().enumerate() {
                let of = |unit| each.comparison(unit, rest + 1);
                same(&format!("{dtype} against {other}"), of, &expected["each"][other]);
            }
        }
    }
}

#[test]
fn units_that_cannot_be_tested_keep_their_place_and_say_why() {
    let tests = tested("units/acts-f8.npy", TTest::Student, Versus::Pooled, Correction::BenjaminiHochberg);
    for unit in CONSTANT {
        assert_eq!(tests.row(unit).reason, Some(Reason::Constant), "unit {unit}");
        assert!(tests.row(unit).t.is_nan());
    }
    assert_eq!(tests.row(NAN).reason, Some(Reason::NanInput));
    assert!(tests.row(NAN).t.is_nan());
    let odd: Vec<usize> = (0..24).filter(|&u| tests.row(u).reason.is_some() && usable(u)).collect();
    assert!(odd.is_empty(), "units {odd:?} are usable");
}

#[test]
fn q_is_scipys_over_the_units_that_were_tested() {
    for (correction, name) in [
        (Correction::BenjaminiHochberg, "q_bh"),
        (Correction::BenjaminiYekutieli, "q_by"),
        (Correction::Bonferroni, "q_bonferroni"),
        (Correction::Uncorrected, "p"),
    ] {
        let tests = tested("units/acts-f8.npy", TTest::Student, Versus::Pooled, correction);
        let expected = json("units/faces-f8.json");
        let expected = numbers(&expected["student"]["pooled"][name]);
        let q: Vec<f64> = (0..24).map(|unit| tests.row(unit).q).collect();
        all_close(name, &q, &expected, TOLERANCE);
    }
}

#[test]
fn better_than_each_other_domain_is_the_conjunction_of_its_comparisons() {
    let tests = tested("units/acts-f8.npy", TTest::Student, Versus::Each, Correction::BenjaminiYekutieli);
    let selection = Selection { t_above: Some(0.0), alpha: Some(0.05), ..Selection::default() };
    assert_eq!(selection.select(&tests, None), counts(&json("units/faces-f8.json")["student"]["each_by_05"]));
}

#[test]
fn roc_areas_are_mann_and_whitneys_u_over_the_number_of_pairs() {
    for dtype in ["f8", "f4"] {
        let expected = json(&format!("units/faces-{dtype}.json"));
        let (matrix, _) = arrays(&format!("units/acts-{dtype}.npy")).remove(0).into_matrix().unwrap();
        for (versus, others) in [(Versus::Pooled, vec![]), (Versus::Each, vec!["bodies", "places", "objects"])] {
            let groups = contrast("faces > bodies,places,objects", versus);
            let design = Design::new(&[groups], None);
            let (rows, question) = (design.group_of_row(), design.question(0));
            let areas = match matrix.view() {
                Block::F4(block) => roc_areas(block, &rows, design.n_groups(), &question),
                Block::F8(block) => roc_areas(block, &rows, design.n_groups(), &question),
            };
            let tables = match others.as_slice() {
                [] => vec![&expected["student"]["pooled"]],
                others => others.iter().map(|other| &expected["student"]["each"][other]).collect(),
            };
            let reference: Vec<Vec<f64>> = tables.iter().map(|table| numbers(&table["auc"])).collect();
            for (unit, area) in areas.unwrap().into_iter().enumerate() {
                if unit == NAN {
                    assert!(area.is_nan());
                    continue;
                }
                // The weakest comparison; sums of ranks are exact, so only the last division rounds.
                let least = reference.iter().map(|table| table[unit]).fold(f64::INFINITY, f64::min);
                close(&format!("{dtype} {versus} auc of unit {unit}"), area, least, 1e-14);
            }
        }
    }
}

#[test]
fn weights_are_contrasts_of_a_least_squares_one_way_layout() {
    let all = json("units/weights.json");
    for dtype in ["f8", "f4"] {
        for (text, of_contrast) in all[dtype].as_object().unwrap() {
            for test in [TTest::Student, TTest::Welch] {
                let groups = contrast(text, Versus::Pooled);
                let tests = tested_for(&format!("units/acts-{dtype}.npy"), &groups, test, Correction::Uncorrected);
                let expected = &of_contrast[test.as_str()];
                for (name, value) in [COLUMNS[2], COLUMNS[3], COLUMNS[4]] {
                    let reference = numbers(&expected[name]);
                    // Units 17 and 19 have (next to) no variance within levels, where least squares leaves rounding.
                    for unit in (0..24).filter(|u| usable(*u) && ![17, 19].contains(u)) {
                        let what = format!("{dtype} {text} {} {name} of unit {unit}", test.as_str());
                        close(&what, value(&tests.row(unit)), reference[unit], TOLERANCE);
                    }
                }
            }
        }
    }
}
