//! Archives of arrays (`.npz`): zip files whose members are `.npy` arrays, stored or deflated.

use crate::NpyError;
use flate2::{Crc, read::DeflateDecoder};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use zip::{CompressionMethod, ZipArchive};

/// First bytes of a zip archive that has members.
pub const FIRST_BYTES: &[u8] = b"PK\x03\x04";

const ENDING: &str = ".npy";

/// Whether a zip archive is one of arrays, be it damaged, so that it is [`open`]'s to say what is wrong with it: an
/// archive of other things (a spreadsheet, a network) is not. Leaves the file at its start.
pub fn holds_arrays(mut file: &File) -> bool {
    let mut start = [0; 256];
    let named_first = file.read(&mut start).is_ok_and(|n| {
        let begin = &start[..n];
        begin.windows(ENDING.len()).any(|part| part == ENDING.as_bytes())
    });
    let archive = ZipArchive::new(&mut file);
    let is_one = archive
        .map_or(named_first, |archive| archive.file_names().any(|name| name.is_ok_and(|name| name.ends_with(ENDING))));
    file.seek(SeekFrom::Start(0)).is_ok() && is_one
}

/// Opens the array `NAME` of an archive, or the only one there is; its name, and its bytes as they are unpacked.
///
/// Where the bytes are not those that the archive's checksum speaks of, their end is an error.
pub fn open(file: File, wanted: Option<&str>) -> Result<(String, impl Read + Send + use<>), NpyError> {
    let wrong = |why: String| NpyError::Archive(why);
    let mut archive = ZipArchive::new(file.try_clone()?).map_err(|e| {
        wrong(format!(
            "not a .npy array but a NumPy archive (.npz), and damaged ({e}); where numpy.load opens it, save it again"
        ))
    })?;
    let members = archive.file_names().filter_map(Result::ok);
    let names: Vec<String> = members.filter_map(|name| name.strip_suffix(ENDING).map(str::to_owned)).collect();
    let listed = || names.join(", ");
    let name = match (wanted, &names[..]) {
        (_, []) => return Err(wrong("an archive without a .npy array; expected one that numpy.savez wrote".into())),
        (Some(wanted), _) => {
            let wanted = wanted.strip_suffix(ENDING).unwrap_or(wanted);
            let is_it = |name: &&String| name.as_str() == wanted;
            let known = names.iter().find(is_it);
            known.ok_or_else(|| wrong(format!("no array {wanted:?} in the archive; it holds {}", listed())))?
        }
        (None, [only]) => only,
        (None, several) => {
            let example = &several[0];
            let n = several.len();
            return Err(wrong(format!("holds {n} arrays ({}); name one: FILE.npz:{example}", listed())));
        }
    };
    let unreadable = |why: String| NpyError::Archive(format!("array {name:?} of the archive: {why}"));
    let index = archive.index_for_name(&format!("{name}{ENDING}")).ok_or_else(|| unreadable("is gone".into()))?;
    let member = archive.by_index_raw(index).map_err(|e| unreadable(e.to_string()))?;
    let (packed, size, checksum, how) = (member.compressed_size(), member.size(), member.crc32(), member.compression());
    if member.encrypted() {
        return Err(unreadable("is encrypted; save it without a password".into()));
    }
    let start = member.data_start().ok_or_else(|| unreadable("has no place in it".into()))?;
    drop(member);
    let mut body = file;
    body.seek(SeekFrom::Start(start))?;
    let body = BufReader::new(body.take(packed));
    let unpacked = match how {
        CompressionMethod::Stored => Unpacked::Stored(body),
        CompressionMethod::DEFLATE => Unpacked::Deflated(DeflateDecoder::new(body)),
        other => {
            return Err(unreadable(format!("is packed by {other}; numpy.savez and savez_compressed are understood")));
        }
    };
    Ok((name.clone(), Checked { unpacked, sum: Crc::new(), n: 0, size, checksum }))
}

enum Unpacked {
    Stored(BufReader<io::Take<File>>),
    Deflated(DeflateDecoder<BufReader<io::Take<File>>>),
}

/// The bytes of a member, of which size and checksum are looked at when they end.
struct Checked {
    unpacked: Unpacked,
    sum: Crc,
    n: u64,
    size: u64,
    checksum: u32,
}

impl Read for Checked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = match &mut self.unpacked {
            Unpacked::Stored(body) => body.read(buf)?,
            Unpacked::Deflated(body) => body.read(buf)?,
        };
        self.sum.update(&buf[..got]);
        self.n += got as u64;
        if got == 0 && !buf.is_empty() && (self.n, self.sum.sum()) != (self.size, self.checksum) {
            let (n, size) = (self.n, self.size);
            let why = format!("damaged: {n} bytes of the {size} in the archive, or others than its checksum speaks of");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, Matrix, NpyReader, write_matrix};
    use std::io::Write;
    use zip::{ZipWriter, write::SimpleFileOptions};

    /// An archive as `numpy.savez` writes it, of one number per member.
    fn archive(members: &[(&str, f32)]) -> Vec<u8> {
        let mut out = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, value) in members {
            let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            out.start_file(format!("{name}.npy"), stored).unwrap();
            let matrix = Matrix::F4(ndarray::arr2(&[[*value]]));
            write_matrix(&mut out, &matrix, &Labels::default()).unwrap();
        }
        out.finish().unwrap().into_inner()
    }

    fn read(bytes: &[u8], wanted: Option<&str>) -> Result<(String, Vec<f64>), NpyError> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let (name, reader) = open(file, wanted)?;
        let array = NpyReader::from_pipe(reader).called(name).read_all()?.remove(0);
        Ok((array.labels.name.unwrap(), array.values.into_f64()))
    }

    #[test]
    fn a_member_is_an_array_of_its_name() {
        let (one, two) = (archive(&[("acts", 3.0)]), archive(&[("acts", 3.0), ("betas", 4.0)]));
        assert_eq!(read(&one, None).unwrap(), ("acts".into(), vec![3.0]));
        assert_eq!(read(&two, Some("betas")).unwrap(), ("betas".into(), vec![4.0]));
        assert_eq!(read(&two, Some("betas.npy")).unwrap().1, [4.0]);
        let error = |bytes: &[u8], wanted| read(bytes, wanted).unwrap_err().to_string();
        assert_eq!(error(&two, None), "holds 2 arrays (acts, betas); name one: FILE.npz:acts");
        assert!(error(&two, Some("x")).contains("no array \"x\" in the archive; it holds acts, betas"));
        assert!(error(&archive(&[]), None).contains("without a .npy array"));
        assert!(error(&two[..two.len() - 30], Some("acts")).contains("damaged"));
    }

    #[test]
    fn bytes_that_are_not_those_of_the_checksum_are_an_error() {
        let whole = archive(&[("acts", 3.0)]);
        let at = whole.windows(4).position(|bytes| bytes == 3.0_f32.to_le_bytes()).unwrap();
        let mut other = whole.clone();
        other[at] ^= 1;
        let error = read(&other, None).unwrap_err().to_string();
        assert!(error.contains("damaged") && error.contains("132 bytes of the 132"), "{error}");
    }
}
