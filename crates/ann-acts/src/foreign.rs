//! What a file is that is not what it should be, told by its first bytes.
//!
//! "Damaged", "not supported" and "not such a file at all" are three things: the last names what the file is, and the
//! command or the program that makes of it what is wanted.

/// Bytes from the start of a file that tell what it is.
pub const ENOUGH: usize = 1024;

/// What was wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// A picture.
    Picture,
    /// A network.
    Model,
    /// A table of stimuli.
    Table,
}

/// What a file is instead, and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// A name with its article.
    pub what: &'static str,
    /// What makes of it what was wanted.
    pub advice: &'static str,
    /// It is of the kind that was wanted, but in a format that is not read.
    pub unsupported: bool,
}

/// A sort of file: how it starts, what it is, and what to do where a picture, a model or a table was wanted.
struct Sort {
    is: fn(&[u8]) -> bool,
    what: &'static str,
    picture: Advice,
    model: Advice,
    table: Advice,
}

/// What to do about a file.
#[derive(Clone, Copy)]
enum Advice {
    /// It is not such a file; this helps.
    Not(&'static str),
    /// It is such a file in a format that is not read; this converts it.
    Unsupported(&'static str),
    /// It is the thing itself, or no more is known: not this module's affair.
    Fine,
}

use Advice::{Fine, Not, Unsupported};

const FETCH: &str = "fetch the file itself with git lfs pull";
const DOWNLOAD: &str =
    "it is what a server sent instead of the file: download it anew, signed in or by its direct link";
const TO_PNG: &str = "convert it to PNG, with ImageMagick (magick FILE FILE.png) or Pillow";
const EXPORT: &str = "export the network to ONNX: torch.onnx.export, or optimum-cli export onnx";
const CSV: &str = "save it as CSV: a header line, then one line per stimulus";
const NO_PICTURE: &str = "give pictures, or a table, folder or list of them";
const NO_MODEL: &str = "give the .onnx file of the network";

fn after(bytes: &[u8], at: usize, part: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(part))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The text at the start, without a byte order mark and space, in lower case.
fn text_start(bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    bytes.trim_ascii_start().iter().take(256).map(u8::to_ascii_lowercase).collect()
}

fn is_markup(bytes: &[u8], tags: &[&[u8]]) -> bool {
    let start = text_start(bytes);
    tags.iter().any(|tag| start.starts_with(tag))
}

/// The brand of an ISO media file: `ftyp` behind its length.
fn has_brand(bytes: &[u8], brands: &[&[u8]]) -> bool {
    let n = (bytes.first_chunk().map_or(0, |n| u32::from_be_bytes(*n)) as usize).clamp(16, 64);
    // The main brand, and those it is compatible with.
    let listed = bytes.get(8..n.min(bytes.len())).unwrap_or_default();
    after(bytes, 4, b"ftyp") && listed.chunks(4).any(|brand| brands.contains(&brand))
}

fn is_safetensors(bytes: &[u8]) -> bool {
    let length = bytes.first_chunk().map_or(0, |n| u64::from_le_bytes(*n));
    (2..=1 << 30).contains(&length) && after(bytes, 8, b"{\"")
}

/// Printable, in ASCII or UTF-8 (cut off anywhere), and not empty.
fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(ENOUGH)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or(""),
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}

const fn sort(is: fn(&[u8]) -> bool, what: &'static str, picture: Advice, model: Advice, table: Advice) -> Sort {
    Sort { is, what, picture, model, table }
}

/// What is known, the special before the general.
const SORTS: [Sort; 42] = [
    sort(
        |b| b.starts_with(b"version https://git-lfs") || b.starts_with(b"version https://hawser"),
        "a Git LFS pointer",
        Not(FETCH),
        Not(FETCH),
        Not(FETCH),
    ),
    sort(
        |b| b.starts_with(b"/annex/objects/") || b.starts_with(b"../.git/annex/") || b.starts_with(b".git/annex/"),
        "a pointer of git-annex",
        Not("fetch the file itself with git annex get (datalad get)"),
        Not("fetch the file itself with git annex get (datalad get)"),
        Not("fetch the file itself with git annex get (datalad get)"),
    ),
    sort(
        |b| contains(&b[..b.len().min(512)], b"<svg") && is_markup(b, &[b"<svg", b"<?xml", b"<!doctype svg", b"<!--"]),
        "an SVG drawing",
        Unsupported("draw it as PNG: rsvg-convert FILE -o FILE.png"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| is_markup(b, &[b"<!doctype html", b"<html", b"<head", b"<body", b"<script"]),
        "an HTML page",
        Not(DOWNLOAD),
        Not(DOWNLOAD),
        Not(DOWNLOAD),
    ),
    sort(
        |b| is_markup(b, &[b"<?xml"]) && contains(&text_start(b), b"<net"),
        "an OpenVINO network",
        Not(NO_PICTURE),
        Unsupported("export the network it was made from to ONNX"),
        Not(CSV),
    ),
    sort(|b| is_markup(b, &[b"<?xml", b"<error"]), "an XML file", Not(DOWNLOAD), Not(DOWNLOAD), Not(CSV)),
    sort(
        |b| b.starts_with(b"%PDF"),
        "a PDF document",
        Not("take its pictures out with pdfimages -png FILE, or draw a page with pdftoppm -png FILE"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| b.starts_with(b"%!PS") || b.starts_with(b"\xC5\xD0\xD3\xC6"),
        "a PostScript drawing",
        Unsupported(TO_PNG),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| has_brand(b, &[b"avif", b"avis"]),
        "an AVIF picture",
        Unsupported("convert it to PNG: avifdec FILE FILE.png"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| has_brand(b, &[b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"]),
        "a HEIC picture",
        Unsupported("convert it to PNG: heif-convert FILE FILE.png"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| after(b, 4, b"ftyp") || b.starts_with(b"\x1A\x45\xDF\xA3"),
        "a video",
        Not("take pictures out of it: ffmpeg -i FILE FRAMES/%05d.png"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| b.starts_with(b"RIFF") && after(b, 8, b"AVI "),
        "a video",
        Not("take pictures out of it: ffmpeg -i FILE FRAMES/%05d.png"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| b.starts_with(b"\x00\x00\x00\x0CJXL ") || b.starts_with(b"\xFF\x0A"),
        "a JPEG XL picture",
        Unsupported("convert it to PNG: djxl FILE FILE.png"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| b.starts_with(b"\x00\x00\x00\x0CjP  ") || b.starts_with(b"\xFF\x4F\xFF\x51"),
        "a JPEG 2000 picture",
        Unsupported("convert it to PNG: opj_decompress -i FILE -o FILE.png"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(|b| b.starts_with(b"II\xBC\x01"), "a JPEG XR picture", Unsupported(TO_PNG), Not(NO_MODEL), Not(CSV)),
    sort(
        |b| b.starts_with(b"II+\0") || b.starts_with(b"MM\0+"),
        "a BigTIFF",
        Unsupported(TO_PNG),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(|b| b.starts_with(b"8BPS"), "a Photoshop document", Unsupported(TO_PNG), Not(NO_MODEL), Not(CSV)),
    sort(
        |b| b.starts_with(b"\0\0\x01\0") || b.starts_with(b"\0\0\x02\0"),
        "an icon or a TGA picture",
        Unsupported(TO_PNG),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| b.starts_with(b"\x76\x2F\x31\x01"),
        "an OpenEXR picture",
        Unsupported("map its values to 8 bits and save it as PNG"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| b.starts_with(b"#?RADIANCE") || b.starts_with(b"#?RGBE"),
        "a Radiance HDR picture",
        Unsupported("map its values to 8 bits and save it as PNG"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| b.starts_with(b"PF\n") || b.starts_with(b"Pf\n"),
        "a PFM picture of floating-point numbers",
        Unsupported("map its values to 8 bits and save it as PNG"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(|b| b.starts_with(b"DDS "), "a DDS texture", Unsupported(TO_PNG), Not(NO_MODEL), Not(CSV)),
    sort(|b| b.starts_with(b"qoif"), "a QOI picture", Unsupported(TO_PNG), Not(NO_MODEL), Not(CSV)),
    sort(
        |b| b.starts_with(b"\x93NUMPY"),
        "a NumPy array",
        Not("save it as pictures with Pillow: Image.fromarray(a).save(\"x.png\")"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| b.starts_with(b"\x89HDF\r\n\x1A\n"),
        "an HDF5 file (Keras weights, MATLAB 7.3)",
        Not("save its pictures as PNG"),
        Not("a Keras network becomes ONNX with tf2onnx (python -m tf2onnx.convert)"),
        Not(CSV),
    ),
    sort(
        |b| b.starts_with(b"MATLAB 5.0"),
        "a MATLAB file",
        Not("save its pictures as PNG (imwrite)"),
        Not(EXPORT),
        Not("save it as CSV (writetable)"),
    ),
    sort(|b| is_zip(b) && contains(b, b"data.pkl"), "a PyTorch checkpoint", Not(NO_PICTURE), Not(EXPORT), Not(CSV)),
    sort(
        |b| is_zip(b) && contains(b, b".npy"),
        "a NumPy archive (.npz)",
        Not("save its pictures as PNG"),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        |b| is_zip(b) && contains(b, b"model.weights.h5"),
        "a Keras network",
        Not(NO_PICTURE),
        Not("make ONNX of it with tf2onnx, or model.export(FILE, format=\"onnx\")"),
        Not(CSV),
    ),
    sort(
        |b| is_zip(b) && (contains(b, b"[Content_Types].xml") || contains(b, b"xl/")),
        "an Excel or Office file",
        Not(CSV),
        Not(NO_MODEL),
        Not(CSV),
    ),
    sort(
        is_zip,
        "a zip archive",
        Not("unpack it with unzip"),
        Not("unpack it with unzip"),
        Not("unpack it with unzip"),
    ),
    sort(
        |b| b.starts_with(b"\x1F\x8B"),
        "a gzip file",
        Not("unpack it with gunzip"),
        Not("unpack it with gunzip"),
        Not("unpack it with gunzip"),
    ),
    sort(
        |b| {
            b.starts_with(b"BZh")
                || b.starts_with(b"\xFD7zXZ")
                || b.starts_with(b"\x28\xB5\x2F\xFD")
                || b.starts_with(b"7z\xBC\xAF")
                || b.starts_with(b"Rar!")
                || after(b, 257, b"ustar")
        },
        "an archive",
        Not("unpack it first"),
        Not("unpack it first"),
        Not("unpack it first"),
    ),
    sort(is_safetensors, "a safetensors file of weights", Not(NO_PICTURE), Not(EXPORT), Not(CSV)),
    sort(
        |b| b.starts_with(b"\x80\x02\x8A\x0A\x6C\xFC\x9C\x46"),
        "a PyTorch checkpoint",
        Not(NO_PICTURE),
        Not(EXPORT),
        Not(CSV),
    ),
    sort(|b| matches!(b, [0x80, 2..=5, ..]), "a pickled Python object", Not(NO_PICTURE), Not(EXPORT), Not(CSV)),
    sort(
        |b| after(b, 4, b"TFL3"),
        "a TensorFlow Lite network",
        Not(NO_PICTURE),
        Unsupported("make ONNX of it: python -m tf2onnx.convert --tflite FILE --output FILE.onnx"),
        Not(CSV),
    ),
    sort(
        |b| after(b, 4, b"ORTM"),
        "a network in ONNX Runtime's own format (.ort), whose layers cannot be cut out",
        Not(NO_PICTURE),
        Unsupported("give the .onnx file that it was made from"),
        Not(CSV),
    ),
    sort(|b| b.starts_with(b"GGUF"), "a GGUF file of weights", Not(NO_PICTURE), Not(EXPORT), Not(CSV)),
    sort(
        |b| b.starts_with(b"ftrt") || b.starts_with(b"ptrt"),
        "a TensorRT engine",
        Not(NO_PICTURE),
        Unsupported("give the .onnx file that it was built from"),
        Not(CSV),
    ),
    sort(
        is_picture,
        "a picture",
        Fine,
        Not("the network comes first, then the pictures"),
        Not("a table is CSV or TSV; pictures are given by their names"),
    ),
    sort(
        |b| matches!(text_start(b).first(), Some(b'{' | b'[')) && is_text(b),
        "a JSON file",
        Not(NO_PICTURE),
        Not(NO_MODEL),
        Not(CSV),
    ),
];

fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

fn is_picture(bytes: &[u8]) -> bool {
    let starts: [&[u8]; 7] = [b"\xFF\xD8\xFF", b"\x89PNG\r\n\x1A\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"RIFF"];
    starts.iter().any(|start| bytes.starts_with(start)) || (bytes.starts_with(b"BM") && after(bytes, 6, b"\0\0\0\0"))
}

/// What the file that starts with `bytes` is, if it is known and not what was wanted.
pub fn foreign(bytes: &[u8], wanted: Wanted) -> Option<Foreign> {
    let start = &bytes[..bytes.len().min(ENOUGH)];
    let known = SORTS.iter().find(|sort| (sort.is)(start));
    let (what, advice) = match (known, wanted) {
        (Some(sort), Wanted::Picture) => (sort.what, sort.picture),
        (Some(sort), Wanted::Model) => (sort.what, sort.model),
        (Some(sort), Wanted::Table) => (sort.what, sort.table),
        (None, Wanted::Table) => return None,
        (None, _) if !is_text(start) => return None,
        // A picture or a network begins with a mark of its own; plain Netpbm is text, and told by its mark.
        (None, Wanted::Picture) if crate::netpbm::is(start) || start.starts_with(b"P7") => return None,
        (None, Wanted::Picture) => {
            ("a text file", Not("a list of pictures goes to stdin (give -), a table is named .csv or .tsv"))
        }
        (None, Wanted::Model) => ("a text file", Not(NO_MODEL)),
    };
    match advice {
        Fine => None,
        Not(advice) => Some(Foreign { what, advice, unsupported: false }),
        Unsupported(advice) => Some(Foreign { what, advice, unsupported: true }),
    }
}

/// Why the file that starts with `bytes` cannot be the wanted one, in one line, if that is known.
pub fn refusal(bytes: &[u8], wanted: Wanted) -> Option<String> {
    let noun = match wanted {
        Wanted::Picture => "picture",
        Wanted::Model => "network",
        Wanted::Table => "table",
    };
    if bytes.is_empty() {
        return Some("the file is empty".to_string());
    }
    foreign(bytes, wanted).map(|Foreign { what, advice, unsupported }| match unsupported {
        true => format!("not supported: {what}; {advice}"),
        false => format!("not a {noun}: {what}; {advice}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sort_is_told_from_the_others() {
        let avif = b"\0\0\0\x1cftypavif\0\0\0\0mif1miaf";
        for (bytes, wanted, said) in [
            (
                b"version https://git-lfs.github.com/spec/v1\noid".as_slice(),
                Wanted::Picture,
                "not a picture: a Git LFS pointer; fetch the file itself with git lfs pull",
            ),
            (b"version https://git-lfs.github.com/spec/v1\noid", Wanted::Model, "not a network: a Git LFS pointer"),
            (b"\n <!DOCTYPE html><html>", Wanted::Table, "not a table: an HTML page"),
            (b"<?xml version='1.0'?><svg xmlns=", Wanted::Picture, "not supported: an SVG drawing"),
            (avif, Wanted::Picture, "not supported: an AVIF picture; convert it to PNG: avifdec"),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Wanted::Picture, "not supported: a HEIC picture"),
            (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", Wanted::Picture, "not a picture: a video; take pictures out"),
            (b"PK\x03\x04....model/data.pkl", Wanted::Model, "not a network: a PyTorch checkpoint; export"),
            (
                b"PK\x03\x04....[Content_Types].xml",
                Wanted::Table,
                "not a table: an Excel or Office file; save it as CSV",
            ),
            (b"\x40\0\0\0\0\0\0\0{\"a\":{}}", Wanted::Model, "not a network: a safetensors file"),
            (b"\x80\x04\x95", Wanted::Model, "not a network: a pickled Python object"),
            (b"hello", Wanted::Picture, "not a picture: a text file"),
            (b"{\"size\": 3}", Wanted::Model, "not a network: a JSON file"),
            (b"\xFF\xD8\xFF\xE0", Wanted::Model, "not a network: a picture; the network comes first"),
            (b"\x1c\0\0\0TFL3", Wanted::Model, "not supported: a TensorFlow Lite network"),
            ("é".as_bytes(), Wanted::Model, "not a network: a text file"),
            (b"", Wanted::Model, "the file is empty"),
        ] {
            let refusal = refusal(bytes, wanted).unwrap();
            assert!(refusal.starts_with(said), "{refusal}");
        }
        // What may be what was wanted.
        for (bytes, wanted) in [
            (b"\xFF\xD8\xFF\xE0".as_slice(), Wanted::Picture),
            (b"P3\n1 1 255\n1 2 3\n", Wanted::Picture),
            (b"path,category\n", Wanted::Table),
            (b"\x08\x08\x12\x06catsel", Wanted::Model),
            (b"\x08\x07\x12\x07pytorch\x1a\x032.1:", Wanted::Model),
        ] {
            assert_eq!(refusal(bytes, wanted), None);
        }
    }
}
