//! Joining rows that may still be streaming with an annotation table.

use crate::{JoinError, JoinOptions, Side, join};

/// For each row of a matrix, its row in the stimulus table; for a pipe decided before the labels are known and
/// checked afterwards.
///
/// A pipe brings labels behind its rows. Until then the table's order is trusted: row i is stimulus i.
/// [`TableJoin::check`] compares that with the labels once they have come, and is an error where they differ; no
/// output may be written before it.
#[derive(Debug, Clone)]
pub struct TableJoin {
    /// Row of the table for each row of the matrix; `None` where `inner` leaves the row out.
    pub rows: Vec<Option<usize>>,
    /// What to say on stderr.
    pub message: Option<String>,
    trusted: bool,
}

impl TableJoin {
    /// Joins labelled rows with the ids of the table: every row must be in the table and every stimulus of the table in
    /// the rows, unless `inner`. Rows may be repeated presentations; then the table has one row per stimulus, or one
    /// per presentation: the k-th row of an id there is the k-th of its rows here.
    pub fn labelled(
        name: &str,
        labels: &[String],
        table: (&str, &[String]),
        options: JoinOptions,
    ) -> Result<TableJoin, JoinError> {
        let joined = join(
            Side { name, labels: Some(labels), n_rows: labels.len() },
            Side { name: table.0, labels: Some(table.1), n_rows: table.1.len() },
            options,
        )?;
        let mut rows = vec![None; labels.len()];
        for (&l, &r) in joined.left.iter().zip(&joined.right) {
            if rows[l].replace(r).is_some() {
                let id = &labels[l];
                let table_count = table.1.iter().filter(|other| *other == id).count();
                return Err(JoinError::MoreInTable {
                    name: name.into(),
                    table: table.0.into(),
                    id: id.clone(),
                    table_count,
                });
            }
        }
        // Looking annotations up by id moves no data, so only what is left out or decided by position is worth a line.
        let message = joined.message(name, table.0).filter(|_| joined.n_left_out > 0 || joined.paired);
        Ok(TableJoin { rows, message, trusted: false })
    }

    /// Joins `n_rows` rows by position: labels not there yet (`streaming`), or none at all and `assume_order`.
    pub fn by_position(
        name: &str,
        n_rows: usize,
        table: (&str, &[String]),
        streaming: bool,
        options: JoinOptions,
    ) -> Result<TableJoin, JoinError> {
        let unlabelled = Side { name, labels: None, n_rows };
        let ids = Side { name: table.0, labels: Some(table.1), n_rows: table.1.len() };
        let joined = join(unlabelled, ids, JoinOptions { assume_order: options.assume_order || streaming, ..options })?;
        let message = joined.message(name, table.0).filter(|_| !streaming);
        Ok(TableJoin { rows: joined.right.into_iter().map(Some).collect(), message, trusted: streaming })
    }

    /// Checks rows that were trusted against the labels that came behind them. `None` labels pass only under
    /// `assume_order`.
    pub fn check(
        &mut self,
        name: &str,
        labels: Option<&[String]>,
        table: (&str, &[String]),
        options: JoinOptions,
    ) -> Result<(), StreamOrderError> {
        if !self.trusted {
            return Ok(());
        }
        let ids = table.1;
        let Some(labels) = labels else {
            let by_order = TableJoin::by_position(name, self.rows.len(), table, false, options)?;
            self.message = by_order.message;
            return Ok(());
        };
        match ids.iter().zip(labels).position(|(a, b)| a != b) {
            None => Ok(()),
            Some(row) => {
                // A different set is the plain join error; the same set in another order needs a file.
                TableJoin::labelled(name, labels, table, options)?;
                Err(StreamOrderError::Order {
                    name: name.into(),
                    row,
                    label: labels[row].clone(),
                    table: table.0.into(),
                    id: ids[row].clone(),
                })
            }
        }
    }
}

/// Why rows that streamed past cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StreamOrderError {
    /// The labels say another order than the table.
    #[error(
        "row {row} of {name} is {label:?} but row {row} of {table} is {id:?}; a pipe brings its labels after its rows, \
         so give {name} as a file or {table} in the order of the rows"
    )]
    Order {
        /// The matrix.
        name: String,
        /// First row that differs, from 0.
        row: usize,
        /// Its label.
        label: String,
        /// The table.
        table: String,
        /// The table's id in that row.
        id: String,
    },
    /// The labels name other stimuli.
    #[error(transparent)]
    Join(#[from] JoinError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    const PLAIN: JoinOptions = JoinOptions { assume_order: false, inner: false };

    #[test]
    fn labelled_rows_find_their_stimulus_in_any_order_and_repeated() {
        let t = ids("a b c");
        let j = TableJoin::labelled("x", &ids("c a b a"), ("t.csv", &t), PLAIN).unwrap();
        assert_eq!(j.rows, [Some(2), Some(0), Some(1), Some(0)]);
        assert_eq!(j.message, None);
        assert!(TableJoin::labelled("x", &ids("a b"), ("t.csv", &t), PLAIN).is_err());
        let inner = JoinOptions { inner: true, ..PLAIN };
        let j = TableJoin::labelled("x", &ids("a z"), ("t.csv", &t), inner).unwrap();
        assert_eq!(j.rows, [Some(0), None]);
        assert!(j.message.unwrap().contains("left out 3 rows"));
    }

    #[test]
    fn a_table_of_presentations_is_paired_in_their_order() {
        let t = ids("b a b a c");
        let j = TableJoin::labelled("x", &ids("a a b c b"), ("t.csv", &t), PLAIN).unwrap();
        assert_eq!(j.rows, [Some(1), Some(3), Some(0), Some(4), Some(2)]);
        assert!(j.message.unwrap().contains("paired in the order they come"));
        // Row by row the same: nothing to say.
        assert_eq!(TableJoin::labelled("x", &t, ("t.csv", &t), PLAIN).unwrap().message, None);
        let e = TableJoin::labelled("x", &ids("a a b b b c"), ("t.csv", &t), PLAIN).unwrap_err().to_string();
        assert!(e.contains("\"b\" occurs 3 times in x and 2 times in t.csv"), "{e}");
        let e = TableJoin::labelled("x", &ids("a b c"), ("t.csv", &t), PLAIN).unwrap_err().to_string();
        assert!(e.contains("\"b\" is 1 row of x and 2 rows of t.csv"), "{e}");
    }

    #[test]
    fn a_pipe_is_trusted_then_checked() {
        let t = ids("a b c");
        let mut j = TableJoin::by_position("stdin", 3, ("t.csv", &t), true, PLAIN).unwrap();
        j.check("stdin", Some(&ids("a b c")), ("t.csv", &t), PLAIN).unwrap();
        let e = j.check("stdin", Some(&ids("a c b")), ("t.csv", &t), PLAIN).unwrap_err().to_string();
        assert!(e.contains("row 1 of stdin is \"c\"") && e.contains("as a file"), "{e}");
        let e = j.check("stdin", Some(&ids("a b x")), ("t.csv", &t), PLAIN).unwrap_err().to_string();
        assert!(e.contains("\"x\""), "{e}");
        assert!(j.check("stdin", None, ("t.csv", &t), PLAIN).is_err());
        j.check("stdin", None, ("t.csv", &t), JoinOptions { assume_order: true, inner: false }).unwrap();
        assert!(TableJoin::by_position("stdin", 4, ("t.csv", &t), true, PLAIN).is_err());
    }
}
