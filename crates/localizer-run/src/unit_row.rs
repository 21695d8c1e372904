//! What a table says of one unit or voxel: the names of its measures, and their values.

use cli::{Cell, Named};
use localizer::{Reason, UnitTests};
use unit_tables::columns::{DPRIME, SELECTIVITY_INDEX, T};

/// The pictures that measures rest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All pictures, or with folds those on which units are chosen.
    Chosen,
    /// The fold that was held out.
    HeldOut,
}

/// Names of the measures of a unit in the order of the columns: on the pictures that choose, and on those held out.
const MEASURES: [[&str; 2]; 10] = [
    ["n", "n_test"],
    ["mean_preferred", "mean_preferred_test"],
    ["mean_rest", "mean_rest_test"],
    [T, "t_test"],
    ["df", "df_test"],
    ["p", "p_test"],
    ["neg_log10_p", "neg_log10_p_test"],
    [DPRIME, "dprime_test"],
    [SELECTIVITY_INDEX, "selectivity_index_test"],
    ["ratio", "ratio_test"],
];
/// The adjusted p (q) stands behind this many of them, on the pictures that choose.
const BEFORE_Q: usize = 7;
const Q: &str = "q";

impl Part {
    /// The columns of [`Part::append`], the last of them `ratio`.
    pub fn columns(self) -> Vec<&'static str> {
        let mut columns: Vec<&str> = MEASURES.iter().map(|names| names[self as usize]).collect();
        if self == Part::Chosen {
            columns.insert(BEFORE_Q, Q);
        }
        columns
    }

    /// The column of why there are no numbers.
    pub fn reason(self) -> &'static str {
        ["reason", "reason_test"][self as usize]
    }

    /// Puts the measures of a unit behind `cells`, in the order of [`Part::columns`]; returns its t, or why there is
    /// none.
    pub fn append(self, tests: &UnitTests, unit: usize, cells: &mut Vec<Named>) -> (f64, Option<Reason>) {
        let row = tests.row(unit);
        let name = |place: usize| MEASURES[place][self as usize];
        cells.push((name(0), (row.n_preferred + row.n_rest).into()));
        let before_q = [row.mean_preferred, row.mean_rest, row.t, row.df, row.p, row.neg_log10_p];
        cells.extend(before_q.into_iter().zip(1..).map(|(value, place)| (name(place), Cell::Float(value))));
        if self == Part::Chosen {
            cells.push((Q, tests.ln_q().map(|_| row.q).into()));
        }
        let behind = [row.dprime, row.selectivity_index, row.ratio];
        cells.extend(behind.into_iter().zip(BEFORE_Q..).map(|(value, place)| (name(place), Cell::Float(value))));
        (row.t, row.reason)
    }
}
