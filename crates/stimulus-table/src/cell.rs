//! What a cell says: that there is nothing.

/// Whether a cell holds no value: empty, `n/a` (BIDS), `NA` (R) or `NaN`, in any case and with blanks around it.
///
/// ```
/// assert!(["", " ", "n/a", "NA", "nan"].iter().all(|cell| stimulus_table::is_missing(cell)));
/// assert!(!stimulus_table::is_missing("Nadia"));
/// ```
pub fn is_missing(cell: &str) -> bool {
    let cell = cell.trim();
    cell.is_empty() || ["n/a", "na", "nan"].iter().any(|missing| cell.eq_ignore_ascii_case(missing))
}
