//! The marks by which formats are told apart that have more than fixed first bytes.

use crate::START_BYTES;

pub fn after(bytes: &[u8], at: usize, part: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(part))
}

pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

pub fn starts(bytes: &[u8], with: &[&[u8]]) -> bool {
    with.iter().any(|start| bytes.starts_with(start))
}

/// The text at the start in lower case, without a byte order mark and the space behind it.
fn text_start(bytes: &[u8]) -> Vec<u8> {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start().to_ascii_lowercase()
}

/// Text that begins with one of these tags (given in lower case).
pub fn is_markup(bytes: &[u8], tags: &[&[u8]]) -> bool {
    starts(&text_start(bytes), tags)
}

/// XML that holds this tag (given in lower case) near its start.
pub fn is_xml_of(bytes: &[u8], tag: &[u8]) -> bool {
    let start = text_start(bytes);
    starts(&start, &[b"<?xml", tag]) && contains(&start, tag)
}

pub fn is_svg(bytes: &[u8]) -> bool {
    contains(&bytes[..bytes.len().min(512)], b"<svg")
        && is_markup(bytes, &[b"<svg", b"<?xml", b"<!doctype svg", b"<!--"])
}

pub fn is_annex_pointer(bytes: &[u8]) -> bool {
    starts(bytes, &[b"/annex/objects/", b".git/annex/"])
        || (bytes.starts_with(b"../") && (contains(bytes, b"/annex/objects/") || contains(bytes, b".git/annex/")))
}

/// The brand of an ISO media file: `ftyp` behind its length.
pub fn has_brand(bytes: &[u8], brands: &[&[u8]]) -> bool {
    let n = (bytes.first_chunk().map_or(0, |n| u32::from_be_bytes(*n)) as usize).clamp(16, 64);
    // The main brand, and those it is compatible with.
    let listed = bytes.get(8..n.min(bytes.len())).unwrap_or_default();
    after(bytes, 4, b"ftyp") && listed.chunks(4).any(|brand| brands.contains(&brand))
}

/// A zip archive that names one of these members near its start; any zip archive where none is asked for.
pub fn is_zip_with(bytes: &[u8], members: &[&[u8]]) -> bool {
    starts(bytes, &[b"PK\x03\x04", b"PK\x05\x06"])
        && (members.is_empty() || members.iter().any(|member| contains(bytes, member)))
}

pub fn is_safetensors(bytes: &[u8]) -> bool {
    let length = bytes.first_chunk().map_or(0, |n| u64::from_le_bytes(*n));
    (2..=1 << 30).contains(&length) && after(bytes, 8, b"{\"")
}

/// JPEG, PNG, GIF, TIFF, WebP and BMP.
pub fn is_picture(bytes: &[u8]) -> bool {
    starts(bytes, &[b"\xFF\xD8\xFF", b"\x89PNG\r\n\x1A\n", b"GIF8", b"II*\0", b"MM\0*", b"RIFF"])
        || (bytes.starts_with(b"BM") && after(bytes, 6, b"\0\0\0\0"))
}

/// Netpbm (P1 to P6), which Pillow tells by the space or comment behind the digit, too.
pub fn is_netpbm(bytes: &[u8]) -> bool {
    // Python's whitespace in bytes has the vertical tab, which Rust's has not.
    matches!(bytes, [b'P', b'1'..=b'6', third, ..] if third.is_ascii_whitespace() || matches!(third, b'#' | 0x0B))
}

/// Printable, in ASCII or UTF-8 (cut off anywhere), and not empty.
pub fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(START_BYTES)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}

pub fn is_json(bytes: &[u8]) -> bool {
    matches!(text_start(bytes).first(), Some(b'{' | b'[')) && is_text(bytes)
}

/// The first word of a header of NIfTI or ANALYZE, which is the header's length in either byte order.
fn is_sized(bytes: &[u8], n: i32) -> bool {
    bytes.first_chunk().is_some_and(|size| i32::from_le_bytes(*size) == n || i32::from_be_bytes(*size) == n)
}

pub fn is_nifti(bytes: &[u8]) -> bool {
    after(bytes, 344, b"n+1") || (is_sized(bytes, 540) && after(bytes, 4, b"n+"))
}

pub fn is_analyze(bytes: &[u8]) -> bool {
    is_sized(bytes, 348) && bytes.len() >= 348
}

/// FreeSurfer's header: version 1, four lengths above 0, and a known kind of number.
pub fn is_mgh(bytes: &[u8]) -> bool {
    let word = |at: usize| bytes.get(at..)?.first_chunk().map(|b| i32::from_be_bytes(*b));
    let side = |at| word(at).is_some_and(|n| (1..=1 << 24).contains(&n));
    word(0) == Some(1) && [4, 8, 12, 16].into_iter().all(side) && matches!(word(20), Some(0 | 1 | 3 | 4 | 10))
}
