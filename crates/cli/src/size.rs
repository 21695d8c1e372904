//! Sizes of memory as people write them.

/// Bytes of a size such as `500M` or `4G`, in powers of 1024.
///
/// ```
/// assert_eq!(cli::parse_bytes("1.5K"), Ok(1536));
/// assert!(cli::parse_bytes("much").is_err());
/// ```
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let expected = || format!("{text:?}: expected a size such as 500M or 4G");
    let unit = match text.chars().last() {
        Some('K' | 'k') => 10,
        Some('M' | 'm') => 20,
        Some('G' | 'g') => 30,
        Some('T' | 't') => 40,
        _ => 0,
    };
    let number = if unit > 0 { &text[..text.len() - 1] } else { text };
    let size: f64 = number.parse().map_err(|_| expected())?;
    if size.is_finite() && size > 0.0 { Ok((size * f64::from(2u32).powi(unit)) as u64) } else { Err(expected()) }
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn sizes_are_spelled_as_users_do() {
        for (text, size) in [("4G", 4 << 30), ("500M", 500 << 20), ("1.5k", 1536), ("7", 7), ("1t", 1 << 40)] {
            assert_eq!(parse_bytes(text), Ok(size));
        }
        for bad in ["", "G", "-1G", "0", "many"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}
