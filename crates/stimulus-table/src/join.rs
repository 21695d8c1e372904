//! The one join by id.

use crate::look_alike;
use std::collections::HashMap;

/// One of two inputs: its name for messages, its rows, and its labels if it has them.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Name for messages (file name or `stdin`).
    pub name: &'a str,
    /// One id per row; an id that occurs again is a repeated presentation.
    pub labels: Option<&'a [String]>,
    /// Number of rows.
    pub n_rows: usize,
}

/// What the user allows beyond equal sets of ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JoinOptions {
    /// Join by position where a side has no labels.
    pub assume_order: bool,
    /// Keep the common ids where the sets differ.
    pub inner: bool,
}

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The first.
    Left,
    /// The second.
    Right,
}

/// Which rows belong together: row `left[i]` of the one is row `right[i]` of the other; and what was done for that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    /// Rows of the left side.
    pub left: Vec<usize>,
    /// Rows of the right side.
    pub right: Vec<usize>,
    /// Joined by position because the user said so; everything below is then false, 0 or `None`.
    pub by_position: bool,
    /// Rows of both sides that have no partner, which only `inner` allows.
    pub n_left_out: usize,
    /// Distinct ids that both sides have, counted where rows are left out.
    pub n_common: usize,
    /// The same id is repeated on both sides: its presentations are paired in the order they come. Which presentation
    /// is which is not in the ids.
    pub paired: bool,
    /// The side with unique rows, where they are repeated for the trials of the other.
    pub repeated: Option<Which>,
    /// The rows of the right side stand in another order than they came.
    pub permuted: bool,
}

impl Joined {
    /// What the user should be told on stderr, by the names of the two sides; `None` where every row stayed.
    pub fn message(&self, left: &str, right: &str) -> Option<String> {
        let n = self.len();
        if self.by_position {
            return Some(format!("joined {left} and {right} by position ({n} rows) because of --assume-order"));
        }
        let mut parts = Vec::new();
        if self.paired {
            parts.push("presentations of the same id paired in the order they come".into());
        }
        if self.n_left_out > 0 {
            parts.push(format!("kept {} common ids, left out {} rows", self.n_common, self.n_left_out));
        }
        match self.repeated {
            Some(Which::Left) => parts.push(format!("rows of {left} repeated for the {n} trials of {right}")),
            Some(Which::Right) => parts.push(format!("rows of {right} repeated for the {n} trials of {left}")),
            None => {}
        }
        if self.permuted {
            parts.push(format!("rows of {right} brought into the order of {left}"));
        }
        (!parts.is_empty()).then(|| format!("joined {left} and {right} by id: {n} rows; {}", parts.join("; ")))
    }

    /// Number of joined rows.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// True when no row is joined; [`join`] never returns that.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// The ids of the joined rows.
    pub fn labels(&self, left: &Side, right: &Side) -> Option<Vec<String>> {
        let pick = |labels: &[String], rows: &[usize]| rows.iter().map(|&r| labels[r].clone()).collect();
        match (left.labels, right.labels) {
            (Some(l), _) => Some(pick(l, &self.left)),
            (None, Some(r)) => Some(pick(r, &self.right)),
            (None, None) => None,
        }
    }
}

/// Why two inputs cannot be brought together.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// One side or both have no ids.
    #[error(
        "{left} has {left_rows} rows {left_has} ids and {right} has {right_rows} {right_has}; rows are joined by id: \
         write ids with `npy label`, or say --assume-order if row i of both is the same stimulus"
    )]
    Unlabelled {
        /// Name of the left side.
        left: String,
        /// Name of the right side.
        right: String,
        /// Rows of the left side.
        left_rows: usize,
        /// Rows of the right side.
        right_rows: usize,
        /// "with" or "without".
        left_has: &'static str,
        /// "with" or "without".
        right_has: &'static str,
    },
    /// By position, but not as many rows.
    #[error(
        "{left} has {left_rows} rows and {right} has {right_rows}; --assume-order needs one row per stimulus in both"
    )]
    Counts {
        /// Name of the left side.
        left: String,
        /// Name of the right side.
        right: String,
        /// Rows of the left side.
        left_rows: usize,
        /// Rows of the right side.
        right_rows: usize,
    },
    /// Ids of one side that the other lacks.
    #[error(
        "{with} has {with_count} distinct ids and {without} {without_count}: row {row} ({id:?}) of {with} is not in {without} \
         ({missing} such ids; {missing_other} the other way round); {}",
        remedy(*common, alike.as_deref())
    )]
    DifferentIds {
        /// The side that has the id.
        with: Box<str>,
        /// The side that lacks it.
        without: Box<str>,
        /// Distinct ids of the first.
        with_count: usize,
        /// Distinct ids of the second.
        without_count: usize,
        /// First row, from 0, whose id is lacking.
        row: usize,
        /// That id.
        id: Box<str>,
        /// Distinct ids lacking.
        missing: usize,
        /// Distinct ids lacking the other way round.
        missing_other: usize,
        /// Distinct ids in common.
        common: usize,
        /// An id of the other side that differs from `id` only in case, blanks or Unicode spelling.
        alike: Option<Box<str>>,
    },
    /// `--inner`, and nothing in common.
    #[error(
        "{left} ({left_rows} rows, first {left_first:?}) and {right} ({right_rows} rows, first {right_first:?}) have 0 ids in common"
    )]
    NothingInCommon {
        /// Name of the left side.
        left: String,
        /// Name of the right side.
        right: String,
        /// Rows of the left side.
        left_rows: usize,
        /// Rows of the right side.
        right_rows: usize,
        /// First id of the left side.
        left_first: String,
        /// First id of the right side.
        right_first: String,
    },
    /// An id is repeated in a table and not in the matrix that it speaks of.
    #[error(
        "stimulus {id:?} is 1 row of {name} and {table_count} rows of {table}; the table needs one row per stimulus or \
         one per presentation"
    )]
    MoreInTable {
        /// Name of the matrix.
        name: String,
        /// Name of the table.
        table: String,
        /// The id.
        id: String,
        /// How often it is in the table.
        table_count: usize,
    },
    /// An id is repeated on both sides, not equally often.
    #[error(
        "stimulus {id:?} occurs {left_count} times in {left} and {right_count} times in {right}; repeats on both sides \
         are paired one to one, so the counts must be equal (or average one side: `npy average`)"
    )]
    RepeatCounts {
        /// Name of the left side.
        left: String,
        /// Name of the right side.
        right: String,
        /// The id.
        id: String,
        /// How often in the left side.
        left_count: usize,
        /// How often in the right side.
        right_count: usize,
    },
}

/// Decides which row of `left` belongs to which row of `right`.
///
/// - Same ids, same order: rows as they are. Same ids, other order: the right side is permuted to the left's order.
/// - Ids unique on one side and repeated on the other: the unique rows are repeated, in the order of the trials.
/// - Repeated on both: k-th occurrence with k-th occurrence; counts must be equal. Order of the left side.
/// - Different ids: an error that names the first, or with `inner` the common ones.
/// - A side without labels: by position with `assume_order` and equal counts, otherwise an error.
///
/// ```
/// use stimulus_table::{join, JoinOptions, Side};
/// let (a, b): (Vec<String>, Vec<String>) = (vec!["x".into(), "y".into()], vec!["y".into(), "x".into()]);
/// let side = |name, labels| Side { name, labels: Some(labels), n_rows: 2 };
/// let j = join(side("a.npy", &a[..]), side("b.npy", &b[..]), JoinOptions::default()).unwrap();
/// assert_eq!(j.right, [1, 0]);
/// ```
pub fn join(left: Side, right: Side, options: JoinOptions) -> Result<Joined, JoinError> {
    let (Some(left_ids), Some(right_ids)) = (left.labels, right.labels) else {
        if !options.assume_order {
            let has = |side: Side| if side.labels.is_some() { "with" } else { "without" };
            return Err(JoinError::Unlabelled {
                left: left.name.into(),
                right: right.name.into(),
                left_rows: left.n_rows,
                right_rows: right.n_rows,
                left_has: has(left),
                right_has: has(right),
            });
        }
        return by_position(left, right);
    };
    if left_ids == right_ids {
        let rows: Vec<usize> = (0..left_ids.len()).collect();
        return Ok(Joined { left: rows.clone(), right: rows, ..Joined::default() });
    }
    let left_rows = rows_by_id(left_ids);
    let right_rows = rows_by_id(right_ids);
    let lacking = |ids: &[String], other: &HashMap<&str, Vec<usize>>| -> Option<(usize, String)> {
        ids.iter().position(|id| !other.contains_key(id.as_str())).map(|row| (row, ids[row].clone()))
    };
    let common = left_rows.keys().filter(|id| right_rows.contains_key(*id)).count();
    if common < left_rows.len() || common < right_rows.len() {
        if !options.inner {
            let (with, without, with_rows, without_rows, (row, id)) =
                match (lacking(left_ids, &right_rows), lacking(right_ids, &left_rows)) {
                    (Some(first), _) => (left.name, right.name, &left_rows, &right_rows, first),
                    (None, Some(first)) => (right.name, left.name, &right_rows, &left_rows, first),
                    (None, None) => unreachable!("the sets differ"),
                };
            let others = without_rows.keys();
            let alike = others.filter(|other| look_alike(other, &id)).min().map(|other| (*other).into());
            return Err(JoinError::DifferentIds {
                alike,
                with: with.into(),
                without: without.into(),
                with_count: with_rows.len(),
                without_count: without_rows.len(),
                row,
                id: id.into(),
                missing: with_rows.len() - common,
                missing_other: without_rows.len() - common,
                common,
            });
        }
        if common == 0 {
            return Err(JoinError::NothingInCommon {
                left: left.name.into(),
                right: right.name.into(),
                left_rows: left_ids.len(),
                right_rows: right_ids.len(),
                left_first: left_ids.first().cloned().unwrap_or_default(),
                right_first: right_ids.first().cloned().unwrap_or_default(),
            });
        }
    }
    let repeated = |own: &HashMap<&str, Vec<usize>>, other: &HashMap<&str, Vec<usize>>| {
        own.iter().any(|(id, rows)| rows.len() > 1 && other.contains_key(id))
    };
    let repeats = (repeated(&left_rows, &right_rows), repeated(&right_rows, &left_rows));
    let mut joined = match repeats {
        (_, false) => follow(left_ids, &right_rows),
        (false, true) => {
            let flipped = follow(right_ids, &left_rows);
            Joined { left: flipped.right, right: flipped.left, ..flipped }
        }
        (true, true) => pair_occurrences(left, right, left_ids, &left_rows, &right_rows)?,
    };
    // Every used row once, however often a unique row is repeated.
    let used = (distinct(&joined.left), distinct(&joined.right));
    joined.n_left_out = left_ids.len() + right_ids.len() - used.0 - used.1;
    joined.n_common = common;
    joined.paired = repeats == (true, true);
    joined.repeated = match (used.0 < joined.len(), used.1 < joined.len()) {
        (true, _) => Some(Which::Left),
        (false, true) => Some(Which::Right),
        (false, false) => None,
    };
    let in_order = |rows: &[usize]| rows.windows(2).all(|w| w[0] <= w[1]);
    joined.permuted = joined.repeated.is_none() && !(in_order(&joined.left) && in_order(&joined.right));
    Ok(joined)
}

/// What to do about ids that one side lacks; with none in common the files are about different pictures, unless they
/// are spelled differently.
fn remedy(common: usize, alike: Option<&str>) -> String {
    match (alike, common) {
        (Some(alike), _) => {
            format!("the other has {alike:?}, which differs only in case, blanks or Unicode spelling: make them equal")
        }
        (None, 0) => "0 are in common: is this the stimulus table of other pictures?".to_string(),
        (None, _) => format!("--inner keeps the {common} in common"),
    }
}

fn by_position(left: Side, right: Side) -> Result<Joined, JoinError> {
    if left.n_rows != right.n_rows {
        return Err(JoinError::Counts {
            left: left.name.into(),
            right: right.name.into(),
            left_rows: left.n_rows,
            right_rows: right.n_rows,
        });
    }
    let rows: Vec<usize> = (0..left.n_rows).collect();
    Ok(Joined { left: rows.clone(), right: rows, by_position: true, ..Joined::default() })
}

pub(crate) fn rows_by_id(ids: &[String]) -> HashMap<&str, Vec<usize>> {
    let mut rows: HashMap<&str, Vec<usize>> = HashMap::with_capacity(ids.len());
    for (row, id) in ids.iter().enumerate() {
        rows.entry(id).or_default().push(row);
    }
    rows
}

/// Every row of `ids` that the other side knows, with the other side's only row of that id.
fn follow(ids: &[String], other: &HashMap<&str, Vec<usize>>) -> Joined {
    let (left, right) =
        ids.iter().enumerate().filter_map(|(row, id)| other.get(id.as_str()).map(|rows| (row, rows[0]))).unzip();
    Joined { left, right, ..Joined::default() }
}

fn pair_occurrences(
    left: Side,
    right: Side,
    left_ids: &[String],
    left_rows: &HashMap<&str, Vec<usize>>,
    right_rows: &HashMap<&str, Vec<usize>>,
) -> Result<Joined, JoinError> {
    let mut taken: HashMap<&str, usize> = HashMap::new();
    let mut joined = Joined::default();
    for (row, id) in left_ids.iter().enumerate() {
        let Some(rows) = right_rows.get(id.as_str()) else { continue };
        let left_count = left_rows[id.as_str()].len();
        if left_count != rows.len() {
            return Err(JoinError::RepeatCounts {
                left: left.name.into(),
                right: right.name.into(),
                id: id.clone(),
                left_count,
                right_count: rows.len(),
            });
        }
        let k = taken.entry(id).or_default();
        joined.left.push(row);
        joined.right.push(rows[*k]);
        *k += 1;
    }
    Ok(joined)
}

fn distinct(rows: &[usize]) -> usize {
    rows.iter().collect::<std::collections::HashSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    fn joined(left: &str, right: &str, inner: bool) -> Result<Joined, JoinError> {
        let (l, r) = (ids(left), ids(right));
        join(
            Side { name: "l.npy", labels: Some(&l), n_rows: l.len() },
            Side { name: "r.npy", labels: Some(&r), n_rows: r.len() },
            JoinOptions { inner, assume_order: false },
        )
    }

    #[test]
    fn same_order_says_nothing() {
        let j = joined("a b c", "a b c", false).unwrap();
        assert_eq!(j.message("l.npy", "r.npy"), None);
        assert_eq!((j.left, j.right), (vec![0, 1, 2], vec![0, 1, 2]));
    }

    #[test]
    fn permuted_follows_the_left_and_says_so() {
        let j = joined("a b c", "c a b", false).unwrap();
        assert_eq!((&j.left, &j.right, j.permuted), (&vec![0, 1, 2], &vec![1, 2, 0], true));
        let message = "joined l.npy and r.npy by id: 3 rows; rows of r.npy brought into the order of l.npy";
        assert_eq!(j.message("l.npy", "r.npy").unwrap(), message);
    }

    #[test]
    fn a_foreign_id_stops_with_row_and_both_counts() {
        let e = joined("a b x", "a b c d", false).unwrap_err().to_string();
        assert!(e.contains("3 distinct ids") && e.contains("4") && e.contains("row 2 (\"x\")"), "{e}");
        let e = joined("a b", "a b c", false).unwrap_err().to_string();
        assert!(e.contains("row 2 (\"c\") of r.npy"), "{e}");
    }

    #[test]
    fn inner_keeps_the_common_ids_in_the_order_of_the_left() {
        let j = joined("a x b c", "c b a y", true).unwrap();
        assert_eq!((&j.left, &j.right), (&vec![0, 2, 3], &vec![2, 1, 0]));
        assert_eq!((j.n_common, j.n_left_out), (3, 2));
        assert!(j.message("l.npy", "r.npy").unwrap().contains("3 common ids, left out 2 rows"));
        assert!(matches!(joined("a", "b", true), Err(JoinError::NothingInCommon { .. })));
    }

    #[test]
    fn unique_rows_are_repeated_for_trials_on_either_side() {
        let j = joined("a b", "b a b", false).unwrap();
        assert_eq!((&j.left, &j.right, j.repeated), (&vec![1, 0, 1], &vec![0, 1, 2], Some(Which::Left)));
        assert!(j.message("l.npy", "r.npy").unwrap().ends_with("rows of l.npy repeated for the 3 trials of r.npy"));
        let j = joined("b a b", "a b", false).unwrap();
        assert_eq!((&j.left, &j.right, j.repeated), (&vec![0, 1, 2], &vec![1, 0, 1], Some(Which::Right)));
    }

    #[test]
    fn repeats_on_both_sides_pair_occurrence_with_occurrence() {
        let j = joined("a b a b", "b b a a", false).unwrap();
        assert_eq!((&j.left, &j.right), (&vec![0, 1, 2, 3], &vec![2, 0, 3, 1]));
        assert!(j.paired && j.message("l.npy", "r.npy").unwrap().contains("paired in the order"));
        let e = joined("a a b b", "a b b a a", false).unwrap_err().to_string();
        assert!(e.contains("2 times in l.npy and 3 times in r.npy"), "{e}");
    }

    #[test]
    fn equal_repeated_labels_stay_as_they_are() {
        let j = joined("a b a", "a b a", false).unwrap();
        assert_eq!((&j.right, j.message("l.npy", "r.npy")), (&vec![0, 1, 2], None));
    }

    #[test]
    fn unlabelled_needs_the_users_word_and_equal_counts() {
        let l = ids("a b");
        let (left, right) =
            (Side { name: "l.npy", labels: Some(&l), n_rows: 2 }, Side { name: "r.npy", labels: None, n_rows: 2 });
        let e = join(left, right, JoinOptions::default()).unwrap_err().to_string();
        assert!(e.contains("npy label") && e.contains("--assume-order"), "{e}");
        let yes = JoinOptions { assume_order: true, inner: false };
        assert!(join(left, right, yes).unwrap().by_position);
        assert!(matches!(join(left, Side { n_rows: 3, ..right }, yes), Err(JoinError::Counts { .. })));
    }

    #[test]
    fn every_joined_pair_has_the_same_id_whatever_the_order() {
        // All permutations of four rows on the right, with and without repeats: ids must agree pair by pair.
        for left in ["a b c d", "a b a b", "d c b a"] {
            let l = ids(left);
            for code in 0..256usize {
                let r: Vec<String> = (0..4).map(|k| l[(code >> (2 * k)) & 3].clone()).collect();
                let sides =
                    (Side { name: "l", labels: Some(&l), n_rows: 4 }, Side { name: "r", labels: Some(&r), n_rows: 4 });
                if let Ok(j) = join(sides.0, sides.1, JoinOptions { inner: true, assume_order: false }) {
                    assert!(j.left.iter().zip(&j.right).all(|(&a, &b)| l[a] == r[b]));
                }
            }
        }
    }
}
