//! Reading NIfTI-1 and NIfTI-2 images (`.nii`, `.nii.gz`), one volume at a time.
//!
//! Bytes come from any reader, compressed or not, in either byte order. Values are the stored numbers times
//! `scl_slope` plus `scl_inter` (a slope of 0 or one that is not finite means "as stored"), in f64 and in the voxel
//! order of [`crate::geometry`]. Only one volume is held. The affine is the sform, else the qform, else the voxel sizes.
//!
//! The format: Cox and others (2004), "A (sort of) new image data format standard: NIfTI-1", and the NIfTI-2 update
//! of 2011. Read here and not by a library because NIfTI-2, `.nii.gz` of several gzip members, checks before
//! allocation, and output to any writer are all needed.

use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use thiserror::Error;

use crate::geometry::{Geometry, GeometryError, quaternion_affine};

/// DEFLATE cannot shrink data by more than this factor, so a header that asks for more is lying.
const DEFLATE_LIMIT: u64 = 1032;

/// Why an image could not be read. Every variant holds the numbers; the caller adds the file name.
#[derive(Debug, Error)]
pub enum VolumeError {
    /// The first bytes are not a NIfTI header.
    #[error(
        "not a NIfTI image (header size {size} and magic {magic:?}; NIfTI-1 has 348 and \"n+1\", NIfTI-2 540 and \"n+2\")"
    )]
    NotNifti {
        /// Header size read in this machine's order.
        size: i32,
        /// The bytes where the magic should be.
        magic: String,
    },
    /// Header of a `.hdr`/`.img` pair.
    #[error("the header of an .hdr/.img pair (magic \"ni1\" or \"ni2\"); save it as one .nii file")]
    Pair,
    /// The header ended early.
    #[error("ended after {got} of {wanted} header bytes; the file is cut off")]
    ShortHeader {
        /// Bytes there.
        got: usize,
        /// Bytes a header has.
        wanted: usize,
    },
    /// A dimension below 1, or more than seven of them.
    #[error("dim[{index}] is {value}; {rule}")]
    Dimension {
        /// Index into `dim`.
        index: usize,
        /// What it holds.
        value: i64,
        /// What it may hold.
        rule: &'static str,
    },
    /// A data type without real numbers in it, or unknown.
    #[error(
        "data type {code} is not a real number type; readable are 2 4 8 16 64 256 512 768 1024 1280 (u1 i2 i4 f4 f8 i1 u2 u4 i8 u8)"
    )]
    DataType {
        /// NIfTI data type code.
        code: i16,
    },
    /// `bitpix` contradicts the data type.
    #[error("bitpix is {bitpix}, but data type {code} has {expected} bits")]
    BitsPerVoxel {
        /// Bits stated.
        bitpix: i16,
        /// NIfTI data type code.
        code: i16,
        /// Bits of that type.
        expected: usize,
    },
    /// Data would start inside the header, or at a fraction of a byte.
    #[error("vox_offset is {offset}, but voxels start at byte {first} or later")]
    Offset {
        /// Offset stated.
        offset: f64,
        /// First possible one.
        first: u64,
    },
    /// `scl_inter` is NaN or infinite beside a usable slope.
    #[error("scl_inter is {0}, which cannot be added to anything")]
    Intercept(f64),
    /// The header asks for more than the file can hold.
    #[error("the header needs {wanted} bytes, but the file has {length}{compressed}; it is cut off or damaged")]
    TooLarge {
        /// Bytes that header, offset and voxels need.
        wanted: u128,
        /// Length of the file.
        length: u64,
        /// Says when that length is compressed.
        compressed: &'static str,
    },
    /// One volume is larger than an address.
    #[error("one volume needs {wanted} bytes, more than the {most} that can be addressed; the header is damaged")]
    NoMachine {
        /// Bytes of one volume, or the largest number there is.
        wanted: u128,
        /// Bytes that can be addressed.
        most: u128,
    },
    /// The voxels ended early.
    #[error("ended after {got} of {wanted} bytes of voxels; the file is cut off")]
    Truncated {
        /// Bytes of voxels there.
        got: u128,
        /// Bytes of voxels the header needs.
        wanted: u128,
    },
    /// Sform or qform that cannot be used.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
    /// Bytes could not be read or decompressed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Whether f4 holds every value of an image exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Stored as f4 or integers of 16 bits or less, without scaling.
    Single,
    /// Everything else: f8, wider integers, scaled values.
    Double,
}

/// The number types of a voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    U1,
    I1,
    U2,
    I2,
    U4,
    I4,
    U8,
    I8,
    F4,
    F8,
}

impl Stored {
    fn from_code(code: i16) -> Result<Self, VolumeError> {
        Ok(match code {
            2 => Stored::U1,
            4 => Stored::I2,
            8 => Stored::I4,
            16 => Stored::F4,
            64 => Stored::F8,
            256 => Stored::I1,
            512 => Stored::U2,
            768 => Stored::U4,
            1024 => Stored::I8,
            1280 => Stored::U8,
            _ => return Err(VolumeError::DataType { code }),
        })
    }

    fn n_bytes(self) -> usize {
        match self {
            Stored::U1 | Stored::I1 => 1,
            Stored::U2 | Stored::I2 => 2,
            Stored::U4 | Stored::I4 | Stored::F4 => 4,
            Stored::U8 | Stored::I8 | Stored::F8 => 8,
        }
    }
}

/// The header fields that reading needs.
struct Header {
    geometry: Geometry,
    n_volumes: usize,
    stored: Stored,
    big_endian: bool,
    slope: f64,
    inter: f64,
    /// Byte at which the voxels start.
    offset: u64,
    /// Bytes of header already read.
    n_read: usize,
}

impl Header {
    /// Bytes of one volume; saturates, because three dimensions of an adversary's i64 fit no number.
    fn volume_bytes(&self) -> u128 {
        let n_bytes = self.stored.n_bytes() as u128;
        self.geometry.shape.iter().fold(n_bytes, |product, &n| product.saturating_mul(n as u128))
    }

    fn voxel_bytes(&self) -> u128 {
        self.volume_bytes().saturating_mul(self.n_volumes as u128)
    }
}

/// An open image: its geometry, and its volumes one after another.
pub struct VolumeReader {
    header: Header,
    source: Box<dyn Read + Send>,
    raw: Vec<u8>,
    n_given: usize,
}

impl VolumeReader {
    /// Reads and checks the header. `length` is the file's size in bytes where it is known: a header that asks for more
    /// than such a file can hold is refused before anything is allocated.
    pub fn new(mut source: impl Read + Send + 'static, length: Option<u64>) -> Result<Self, VolumeError> {
        let mut first = [0u8; 2];
        let n_first = read_up_to(&mut source, &mut first)?;
        let source = BufReader::new(Cursor::new(first).take(n_first as u64).chain(source));
        let compressed = first == [0x1f, 0x8b];
        let mut source: Box<dyn Read + Send> =
            if compressed { Box::new(MultiGzDecoder::new(source)) } else { Box::new(source) };

        let header = read_header(&mut source)?;
        if header.volume_bytes() > isize::MAX as u128 {
            return Err(VolumeError::NoMachine { wanted: header.volume_bytes(), most: isize::MAX as u128 });
        }
        if let Some(length) = length {
            let wanted = header.voxel_bytes().saturating_add(u128::from(header.offset));
            let possible = if compressed { u128::from(length) * u128::from(DEFLATE_LIMIT) } else { u128::from(length) };
            if wanted > possible {
                let compressed = if compressed { " (compressed)" } else { "" };
                return Err(VolumeError::TooLarge { wanted, length, compressed });
            }
        }
        let gap = header.offset - header.n_read as u64;
        let skipped = io::copy(&mut source.by_ref().take(gap), &mut io::sink()).map_err(io_or_cut(&header, 0))?;
        if skipped < gap {
            return Err(VolumeError::Truncated { got: 0, wanted: header.voxel_bytes() });
        }
        Ok(VolumeReader { header, source, raw: Vec::new(), n_given: 0 })
    }

    /// Shape and affine, the same for every volume.
    pub fn geometry(&self) -> &Geometry {
        &self.header.geometry
    }

    /// Number of volumes: 1 for a three-dimensional image, else the product of the dimensions after the third.
    pub fn n_volumes(&self) -> usize {
        self.header.n_volumes
    }

    /// Whether f4 holds every value exactly.
    pub fn precision(&self) -> Precision {
        let scaled = self.header.slope != 1.0 || self.header.inter != 0.0;
        match self.header.stored {
            Stored::U4 | Stored::I4 | Stored::U8 | Stored::I8 | Stored::F8 => Precision::Double,
            _ if scaled => Precision::Double,
            _ => Precision::Single,
        }
    }

    /// Puts the next volume into `voxels` (length `n_voxels`, C order of (i, j, k)); `false` when there is none left.
    ///
    /// After the last one the rest of the file is read too, so that a damaged gzip checksum is noticed.
    pub fn next_volume(&mut self, voxels: &mut Vec<f64>) -> Result<bool, VolumeError> {
        if self.n_given == self.header.n_volumes {
            return Ok(false);
        }
        let before = self.header.volume_bytes() * self.n_given as u128;
        // Checked at opening where the length is known; from a pipe the buffer grows with the bytes that come.
        let wanted = self.header.volume_bytes() as u64;
        self.raw.clear();
        let failed = io_or_cut(&self.header, before);
        let got = self.source.by_ref().take(wanted).read_to_end(&mut self.raw);
        if let Err(error) = got {
            return Err(match failed(error) {
                VolumeError::Truncated { wanted, .. } => {
                    VolumeError::Truncated { got: before + self.raw.len() as u128, wanted }
                }
                other => other,
            });
        }
        if (self.raw.len() as u64) < wanted {
            let got = before + self.raw.len() as u128;
            return Err(VolumeError::Truncated { got, wanted: self.header.voxel_bytes() });
        }
        voxels.clear();
        voxels.resize(self.header.geometry.n_voxels(), 0.0);
        decode(&self.raw, &self.header, voxels);
        self.n_given += 1;
        if self.n_given == self.header.n_volumes {
            let whole = self.header.voxel_bytes();
            io::copy(&mut self.source, &mut io::sink()).map_err(io_or_cut(&self.header, whole))?;
        }
        Ok(true)
    }
}

/// Whether a stream that starts with these bytes is a NIfTI image (plain or gzip) rather than a `.npy` array.
pub fn looks_like_nifti(first: &[u8]) -> bool {
    matches!(
        first,
        [0x1f, 0x8b, ..] | [0x5c, 1, 0, 0, ..] | [0, 0, 1, 0x5c, ..] | [0x1c, 2, 0, 0, ..] | [0, 0, 2, 0x1c, ..]
    )
}

/// gzip reports a cut file as an unexpected end; say how far the voxels came instead.
fn io_or_cut(header: &Header, got: u128) -> impl Fn(io::Error) -> VolumeError + use<> {
    let wanted = header.voxel_bytes();
    move |error| match error.kind() {
        io::ErrorKind::UnexpectedEof => VolumeError::Truncated { got, wanted },
        _ => VolumeError::Io(error),
    }
}

fn read_up_to(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut n = 0;
    while n < buffer.len() {
        match source.read(&mut buffer[n..]) {
            Ok(0) => break,
            Ok(got) => n += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    Ok(n)
}

/// Fields at fixed places of a header, in its byte order.
struct Fields<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Fields<'_> {
    fn at<const N: usize>(&self, place: usize) -> [u8; N] {
        let mut field = [0; N];
        field.copy_from_slice(&self.bytes[place..place + N]);
        if self.big_endian {
            field.reverse();
        }
        field
    }
    fn i16(&self, place: usize) -> i16 {
        i16::from_le_bytes(self.at(place))
    }
    fn i32(&self, place: usize) -> i32 {
        i32::from_le_bytes(self.at(place))
    }
    fn i64(&self, place: usize) -> i64 {
        i64::from_le_bytes(self.at(place))
    }
    fn f32(&self, place: usize) -> f64 {
        f64::from(f32::from_le_bytes(self.at(place)))
    }
    fn f64(&self, place: usize) -> f64 {
        f64::from_le_bytes(self.at(place))
    }
}

fn read_header(source: &mut impl Read) -> Result<Header, VolumeError> {
    let mut bytes = vec![0u8; 540];
    let got = read_up_to(source, &mut bytes[..348])?;
    if got < 4 {
        return Err(VolumeError::ShortHeader { got, wanted: 348 });
    }
    let size = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let big_endian = size != 348 && size != 540;
    let stated = if big_endian { size.swap_bytes() } else { size };
    if stated != 348 && stated != 540 {
        let magic = String::from_utf8_lossy(&bytes[344..347]).into_owned();
        return Err(VolumeError::NotNifti { size, magic });
    }
    let wanted = stated as usize;
    let got = got + if got == 348 { read_up_to(source, &mut bytes[348..wanted])? } else { 0 };
    if got < wanted {
        return Err(VolumeError::ShortHeader { got, wanted });
    }
    let magic = if wanted == 348 { &bytes[344..347] } else { &bytes[4..7] };
    match magic {
        b"n+1" if wanted == 348 => {}
        b"n+2" if wanted == 540 => {}
        b"ni1" | b"ni2" => return Err(VolumeError::Pair),
        other => {
            return Err(VolumeError::NotNifti { size: stated, magic: String::from_utf8_lossy(other).into_owned() });
        }
    }
    parse_header(Fields { bytes: &bytes, big_endian }, wanted)
}

/// Where the fields of both versions lie; NIfTI-2 widened most of them.
fn parse_header(fields: Fields<'_>, n_read: usize) -> Result<Header, VolumeError> {
    let new = n_read == 540;
    let real = |old_place: usize, new_place: usize, index: usize| {
        if new { fields.f64(new_place + 8 * index) } else { fields.f32(old_place + 4 * index) }
    };
    let mut dim = [0i64; 8];
    for (index, value) in dim.iter_mut().enumerate() {
        *value = if new { fields.i64(16 + 8 * index) } else { i64::from(fields.i16(40 + 2 * index)) };
    }
    if !(1..=7).contains(&dim[0]) {
        return Err(VolumeError::Dimension { index: 0, value: dim[0], rule: "there are 1 to 7 dimensions" });
    }
    let n_dims = dim[0] as usize;
    let mut shape = [1usize; 7];
    for index in 1..=n_dims {
        shape[index - 1] = usize::try_from(dim[index]).ok().filter(|&n| n > 0).ok_or(VolumeError::Dimension {
            index,
            value: dim[index],
            rule: "it must be at least 1",
        })?;
    }
    let n_volumes = shape[3..].iter().fold(1usize, |product, &n| product.saturating_mul(n));
    let shape = [shape[0], shape[1], shape[2]];

    let (code, bitpix) = if new { (fields.i16(12), fields.i16(14)) } else { (fields.i16(70), fields.i16(72)) };
    let stored = Stored::from_code(code)?;
    let expected = 8 * stored.n_bytes();
    if usize::try_from(bitpix) != Ok(expected) {
        return Err(VolumeError::BitsPerVoxel { bitpix, code, expected });
    }

    let stated = if new { fields.i64(168) as f64 } else { fields.f32(108) };
    let first = n_read as u64 + 4;
    let offset = if stated == 0.0 { first } else { stated as u64 };
    if offset < n_read as u64 || (stated != 0.0 && offset as f64 != stated) {
        return Err(VolumeError::Offset { offset: stated, first });
    }

    let (slope, inter) = (real(112, 176, 0), real(116, 184, 0));
    let (slope, inter) = if slope == 0.0 || !slope.is_finite() { (1.0, 0.0) } else { (slope, inter) };
    if !inter.is_finite() {
        return Err(VolumeError::Intercept(inter));
    }

    let form = |old_place: usize, new_place: usize| {
        if new { fields.i32(new_place) as i16 } else { fields.i16(old_place) }
    };
    let (qform, sform) = (form(252, 344), form(254, 348));
    let sizes = [1, 2, 3].map(|axis| real(76, 104, axis));
    let geometry = if sform > 0 {
        let row = |row: usize| [0, 1, 2, 3].map(|column| real(280 + 16 * row, 400 + 32 * row, column));
        Geometry { shape, affine: [row(0), row(1), row(2)], space: sform }
    } else if qform > 0 {
        let quaternion = [0, 1, 2].map(|part| real(256, 352, part));
        let shift = [0, 1, 2].map(|part| real(268, 376, part));
        let qfac = if real(76, 104, 0) == -1.0 { -1.0 } else { 1.0 };
        Geometry { shape, affine: quaternion_affine(quaternion, shift, sizes, qfac)?, space: qform }
    } else {
        Geometry::from_sizes(shape, sizes)
    };
    let geometry = geometry.checked()?;
    Ok(Header { geometry, n_volumes, stored, big_endian: fields.big_endian, slope, inter, offset, n_read })
}

fn decode(raw: &[u8], header: &Header, voxels: &mut [f64]) {
    match header.stored {
        Stored::U1 => fill(raw, header, voxels, |[byte]: [u8; 1]| f64::from(byte)),
        Stored::I1 => fill(raw, header, voxels, |bytes| f64::from(i8::from_le_bytes(bytes))),
        Stored::U2 => fill(raw, header, voxels, |bytes| f64::from(u16::from_le_bytes(bytes))),
        Stored::I2 => fill(raw, header, voxels, |bytes| f64::from(i16::from_le_bytes(bytes))),
        Stored::U4 => fill(raw, header, voxels, |bytes| f64::from(u32::from_le_bytes(bytes))),
        Stored::I4 => fill(raw, header, voxels, |bytes| f64::from(i32::from_le_bytes(bytes))),
        Stored::U8 => fill(raw, header, voxels, |bytes| u64::from_le_bytes(bytes) as f64),
        Stored::I8 => fill(raw, header, voxels, |bytes| i64::from_le_bytes(bytes) as f64),
        Stored::F4 => fill(raw, header, voxels, |bytes| f64::from(f32::from_le_bytes(bytes))),
        Stored::F8 => fill(raw, header, voxels, f64::from_le_bytes),
    }
}

/// Turns file order (i fastest) into C order of (i, j, k) while decoding.
fn fill<const N: usize>(raw: &[u8], header: &Header, voxels: &mut [f64], value: impl Fn([u8; N]) -> f64) {
    let [nx, ny, nz] = header.geometry.shape;
    let as_stored = header.slope == 1.0 && header.inter == 0.0;
    for (row, bytes) in raw.chunks_exact(nx * N).enumerate() {
        let (j, k) = (row % ny, row / ny);
        for (i, bytes) in bytes.chunks_exact(N).enumerate() {
            let mut field = [0; N];
            field.copy_from_slice(bytes);
            if header.big_endian {
                field.reverse();
            }
            let number = value(field);
            voxels[(i * ny + j) * nz + k] = if as_stored { number } else { number * header.slope + header.inter };
        }
    }
}

#[cfg(test)]
mod tests;
