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
