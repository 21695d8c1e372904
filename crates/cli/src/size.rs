//! Sizes of memory as people write them.

/// Bytes of a size such as `500M`, `4G` or `2 GiB`, in powers of 1024 whether or not the unit says so.
///
/// ```
/// assert_eq!(cli::parse_bytes("1.5K"), Ok(1536));
/// assert_eq!(cli::parse_bytes("2GiB"), Ok(2 << 30));
/// assert!(cli::parse_bytes("much").is_err());
/// ```
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let power = match text[number.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return Err(expected(text)),
    };
    let size: f64 = number.trim().parse().map_err(|_| expected(text))?;
    let bytes = size * 1024_f64.powi(power);
    // 2^60 bytes are more than any machine has, and far below what a count of bytes can hold.
    if (1.0..=1024_f64.powi(6)).contains(&bytes) { Ok(bytes as u64) } else { Err(expected(text)) }
}

fn expected(text: &str) -> String {
    format!("{text:?}: expected a size such as 500M, 4G or 2GiB")
}

#[cfg(test)]
mod tests {
    use super::parse_bytes;

    #[test]
    fn sizes_are_spelled_as_users_do() {
        for (text, size) in [
            ("4G", 4 << 30),
            ("500M", 500 << 20),
            ("1.5k", 1536),
            ("7", 7),
            ("7B", 7),
            ("1t", 1 << 40),
            ("2GiB", 2 << 30),
            ("2 gb", 2 << 30),
            ("64 kib", 64 << 10),
        ] {
            assert_eq!(parse_bytes(text), Ok(size), "{text}");
        }
        for bad in ["", "G", "-1G", "0", "many", "4X", "nan", "inf", "1e30", "GiB", "2iB", "1 G G"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}
