//! What a cell says: that there is nothing, a number, or the name of a level. The one owner of all three.

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

/// The level that a cell of an annotation column names, without the blanks around it; empty where there is none.
pub fn level(cell: &str) -> &str {
    if is_missing(cell) { "" } else { cell.trim() }
}

/// The number in a cell, `NaN` where the cell is missing. `inf` may be spelled as a word; a number in digits that f8
/// does not hold is an error and never infinite or 0. The error says what was expected.
///
/// ```
/// use stimulus_table::number;
/// assert_eq!(number(" 2.5 "), Ok(2.5));
/// assert!(number("n/a").unwrap().is_nan());
/// assert_eq!(number("-inf"), Ok(f64::NEG_INFINITY));
/// assert!(number("1e400").is_err() && number("1e-400").is_err() && number("1,5").is_err());
/// ```
pub fn number(cell: &str) -> Result<f64, &'static str> {
    let cell = cell.trim();
    if is_missing(cell) {
        return Ok(f64::NAN);
    }
    let Ok(value) = cell.parse::<f64>() else {
        return Err(match has_decimal_comma(cell) {
            true => "a number with a decimal point; a comma may be one or may part thousands, so write 1.5, or 1000",
            false => "a number",
        });
    };
    let mantissa = cell.split(['e', 'E']).next().unwrap_or_default();
    if value.is_infinite() && mantissa.contains(|c: char| c.is_ascii_digit()) {
        return Err(
            "a number that f8 holds, of which the largest is 1.8e308 (the word inf stands for an infinite one)",
        );
    }
    if value == 0.0 && mantissa.contains(|c: char| matches!(c, '1'..='9')) {
        return Err("a number that f8 holds, of which the smallest is 4.9e-324 (write 0 if that is meant)");
    }
    Ok(value)
}

/// Digits parted by commas, and nothing else that is no number.
fn has_decimal_comma(cell: &str) -> bool {
    cell.contains(',') && cell.replace(',', "").parse::<f64>().is_ok()
}

/// An index from 0; also as `3.0`, which is how a column of whole numbers with gaps is often written.
pub(crate) fn index(cell: &str) -> Result<usize, &'static str> {
    let cell = cell.trim();
    cell.strip_suffix(".0").unwrap_or(cell).parse().map_err(|_| "a whole number from 0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_f8_holds_or_words() {
        for (cell, value) in
            [("1e308", 1e308), ("5e-324", 5e-324), ("-0", 0.0), ("0e-999", 0.0), (".5", 0.5), ("+3.", 3.0)]
        {
            assert_eq!(number(cell), Ok(value), "{cell}");
        }
        for cell in ["inf", "INF", "Infinity", "+inf"] {
            assert_eq!(number(cell), Ok(f64::INFINITY), "{cell}");
        }
        for cell in ["1e400", "-1e309", "1e-400", "-3e-5000", "0.00001e-320"] {
            assert!(number(cell).unwrap_err().contains("f8 holds"), "{cell}");
        }
        let long = format!("1{}", "0".repeat(400));
        assert!(number(&long).is_err());
        for cell in ["1,5", "1,234,567.5", "-0,25"] {
            assert!(number(cell).unwrap_err().contains("decimal point"), "{cell}");
        }
        for cell in ["1_000", "0x10", "1d5", "true", "#N/A", "NULL", "12%", "２"] {
            assert_eq!(number(cell), Err("a number"), "{cell}");
        }
    }

    #[test]
    fn indices_are_whole() {
        assert_eq!((index("3"), index(" 3.0 "), index("0")), (Ok(3), Ok(3), Ok(0)));
        for cell in ["-1", "3.5", "3.00001", "", "n/a", "1e3", "1,000"] {
            assert!(index(cell).is_err(), "{cell}");
        }
    }
}
