//! Reading NIfTI-1 and NIfTI-2 images (`.nii`, `.nii.gz`) and those of FreeSurfer ([`crate::mgh`]), one volume at a
//! time.
//!
//! Bytes come from any reader, compressed or not, in either byte order. Values are the stored numbers times
//! `scl_slope` plus `scl_inter` (a slope of 0 or one that is not finite means "as stored"), in f64 and in the voxel
//! order of [`crate::geometry`]. Only one volume is held. The affine is the sform, else the qform, else the voxel
//! sizes.
//!
//! Images on one grid may follow one another (`cat a.nii b.nii.gz`): their volumes come one after the other. Anything
//! else behind the last voxel is an error, but for zeros behind a gzip member, which are padding.
//!
//! The format: Cox and others (2004), "A (sort of) new image data format standard: NIfTI-1", and the NIfTI-2 update
//! of 2011. Read here and not by a library because NIfTI-2, `.nii.gz` of several gzip members, checks before
//! allocation, and output to any writer are all needed.

pub(crate) mod bytes;
pub(crate) mod cifti;
pub(crate) mod header;

use std::io::{self, Read};

use thiserror::Error;

use crate::cifti::{CiftiError, CiftiReader};
use crate::geometry::{Geometry, GeometryError};
use crate::space::{Space, Surface};
use bytes::{Bytes, Cut};
use header::{Header, Stored};

/// DEFLATE cannot shrink data by more than this factor, so a header that asks for more is lying.
pub(crate) const DEFLATE_LIMIT: u64 = 1032;

/// Decompressed bytes that are counted behind the last voxel: enough to tell what happened, and read in a blink.
const MOST_COUNTED: u64 = 64 << 20;

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
    /// Header of an ANALYZE pair.
    #[error(
        "not a NIfTI image but an ANALYZE 7.5 header (348 bytes without NIfTI's magic), the .hdr of an .hdr/.img pair; save both as one \
         .nii: nibabel.save(nibabel.Nifti1Image.from_image(nibabel.load(\"x.hdr\")), \"x.nii\")"
    )]
    Analyze,
    /// Header of a `.hdr`/`.img` pair.
    #[error(
        "not supported: the header of an .hdr/.img pair (magic \"ni1\" or \"ni2\"); save both as one .nii: \
         nibabel.save(nibabel.Nifti1Image.from_image(nibabel.load(\"x.hdr\")), \"x.nii\")"
    )]
    Pair,
    /// A CIFTI file.
    #[error(
        "not supported: a CIFTI-2 file ({kind}), whose rows are maps and whose columns are grayordinates, not voxels; take its volume \
         out with `wb_command -cifti-separate x.nii COLUMN -volume-all x_volume.nii`, make an image of it with `wb_command \
         -cifti-convert -to-nifti`, or a matrix: numpy.save(\"x.npy\", nibabel.load(\"x.nii\").get_fdata())"
    )]
    Cifti {
        /// Its kind, as its intent code or its extension says.
        kind: String,
    },
    /// Axes beyond the fourth.
    #[error(
        "not supported: dim is {dim}, and axes 5 to 7 are read only where they have length 1; save the volumes along axis 4: \
         nibabel.Nifti1Image(a.reshape(a.shape[:3] + (-1,), order=\"F\"), i.affine) of a = i.get_fdata()"
    )]
    Axes {
        /// The lengths of all axes, `4x5x3x1x2`.
        dim: String,
    },
    /// The header ended early.
    #[error("ended after {got} of {wanted} header bytes; the file is cut off")]
    ShortHeader {
        /// Bytes there.
        got: usize,
        /// Bytes a header has.
        wanted: usize,
    },
    /// A dimension below 1, or more than seven of them.
    #[error("damaged header: dim[{index}] is {value}; {rule}")]
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
        "not supported: data type {code} ({name}) is not a real number type; readable are 2 4 8 16 64 256 512 768 1024 1280 \
         (u1 i2 i4 f4 f8 i1 u2 u4 i8 u8)"
    )]
    DataType {
        /// NIfTI data type code.
        code: i16,
        /// What the standard calls it.
        name: &'static str,
    },
    /// A kind of numbers that MGH does not have.
    #[error("not supported: MGH data type {code}; readable are 0, 1, 3, 4 and 10 (u1 i4 f4 i2 u2)")]
    MghType {
        /// FreeSurfer's code.
        code: i32,
    },
    /// `bitpix` contradicts the data type.
    #[error("damaged header: bitpix is {bitpix}, but data type {code} has {expected} bits")]
    BitsPerVoxel {
        /// Bits stated.
        bitpix: i16,
        /// NIfTI data type code.
        code: i16,
        /// Bits of that type.
        expected: usize,
    },
    /// Data would start inside the header, or at a fraction of a byte.
    #[error(
        "damaged header: vox_offset is {offset}, but the voxels of a .nii file start at a whole byte from {first} on"
    )]
    Offset {
        /// Offset stated.
        offset: f64,
        /// First possible one.
        first: u64,
    },
    /// `scl_inter` is NaN or infinite beside a usable slope.
    #[error("damaged header: scl_inter is {0}, which cannot be added to anything")]
    Intercept(f64),
    /// The header asks for more than the file can hold.
    #[error("the header needs {wanted} bytes, but the file has {length}{compressed}; it is cut off or damaged")]
    TooLarge {
        /// Bytes that header, offset and voxels need.
        wanted: u128,
        /// Length of the file, or of what is left of it.
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
    /// Memory for a volume could not be had.
    #[error("one volume of {n_voxels} voxels needs {bytes} bytes of memory, which this machine does not give")]
    NoMemory {
        /// Voxels of a volume.
        n_voxels: usize,
        /// Bytes asked for.
        bytes: u128,
    },
    /// The voxels ended early.
    #[error("ended after {got} of {wanted} bytes of voxels; the file is cut off")]
    Truncated {
        /// Bytes of voxels there.
        got: u128,
        /// Bytes of voxels the header needs.
        wanted: u128,
    },
    /// All voxels are there, and the end of the gzip stream is not.
    #[error(
        "all {wanted} bytes of voxels are there, but the gzip stream ends before its checksum; the file is cut off"
    )]
    NoChecksum {
        /// Bytes of voxels.
        wanted: u128,
    },
    /// Something behind the last voxel that is no image.
    #[error(
        "{more}{n} bytes follow the {wanted} bytes of header and voxels, and they are no NIfTI image; the file is damaged, or its dim \
         is wrong"
    )]
    Trailing {
        /// Bytes found.
        n: u64,
        /// Says when they were not counted to the end.
        more: &'static str,
        /// Bytes that belong to the image.
        wanted: u128,
    },
    /// An image behind the first that stands on another grid.
    #[error("image {number} of the stream is {theirs}, but the first is {mine}; resample one of them")]
    OtherGrid {
        /// Position in the stream, the first is 1.
        number: usize,
        /// Grid of the first.
        mine: Box<Geometry>,
        /// Grid of this one.
        theirs: Box<Geometry>,
    },
    /// An image behind the first that cannot be read.
    #[error("image {number} of the stream: {error}")]
    Following {
        /// Position in the stream, the first is 1.
        number: usize,
        /// What is wrong with it.
        error: Box<VolumeError>,
    },
    /// Sform or qform that cannot be used.
    #[error("damaged header: {0}")]
    Geometry(#[from] GeometryError),
    /// Bytes that do not decompress, or not to what their checksum says.
    #[error("damaged: {0}")]
    Damaged(#[source] io::Error),
    /// Bytes could not be read.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl From<io::Error> for VolumeError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => VolumeError::Damaged(error),
            _ => VolumeError::Io(error),
        }
    }
}

/// Whether f4 holds every value of an image exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Stored as f4 or integers of 16 bits or less, without scaling.
    Single,
    /// Everything else: f8, wider integers, scaled values.
    Double,
}

/// The volumes of an image and of those that follow it in the same stream, one after another on one grid.
pub struct VolumeReader {
    header: Header,
    bytes: Bytes,
    length: Option<u64>,
    raw: Vec<u8>,
    /// Where the voxels that will be asked for stand in a volume of the file, and in C order; all of them without.
    kept: Option<Vec<Place>>,
    /// Volumes given of the image that `header` describes.
    n_given: usize,
    /// Images whose header has been read, and volumes in them.
    n_images: usize,
    n_volumes: usize,
    /// The header of the next image, its voxels being next.
    following: Option<Header>,
}

impl VolumeReader {
    /// Reads and checks the header. `length` is the file's size in bytes where it is known: a header that asks for more
    /// than such a file can hold is refused before anything is allocated.
    pub fn new(source: impl Read + Send + 'static, length: Option<u64>) -> Result<Self, VolumeError> {
        let mut bytes = Bytes::new(Box::new(source));
        let mut start = [0; header::LARGEST];
        let first = header::Start::read(&mut bytes, &mut start)?;
        let header = Header::read(&mut bytes, &mut start, first, length)?;
        Ok(VolumeReader::behind(header, bytes, length))
    }

    /// Reads what follows a header.
    fn behind(header: Header, bytes: Bytes, length: Option<u64>) -> Self {
        let n_volumes = header.n_volumes;
        VolumeReader {
            header,
            bytes,
            length,
            raw: Vec::new(),
            kept: None,
            n_given: 0,
            n_images: 1,
            n_volumes,
            following: None,
        }
    }

    /// Shape and affine, the same for every volume.
    pub fn geometry(&self) -> &Geometry {
        &self.header.geometry
    }

    /// Whether the file is an overlay of FreeSurfer: a map of a surface, whose vertices are the first axis.
    pub fn is_overlay(&self) -> bool {
        let [n, ny, nz] = self.header.geometry.shape;
        self.header.mgh && n > 1 && [ny, nz] == [1, 1]
    }

    /// What the columns of the volumes stand for: voxels, or the vertices of an overlay.
    pub fn space(&self) -> Space {
        match self.is_overlay() {
            true => Space::Surface(Surface { structure: None, n_vertices: self.header.geometry.n_voxels() }),
            false => Space::Grid(self.header.geometry.clone()),
        }
    }

    /// Number of volumes of the images met so far: 1 for a three-dimensional image, else the length of the fourth axis.
    /// Whether another image follows is known once the last volume of this one was given.
    pub fn n_volumes(&self) -> usize {
        self.n_volumes
    }

    /// Seconds from one volume to the next (TR), where the header of the current image says so.
    pub fn repetition_seconds(&self) -> Option<f64> {
        self.header.repetition_seconds
    }

    /// What the header of the current image says that its numbers are: NIfTI's intent code (3 t, 1001 an estimate); 0
    /// where it does not say.
    pub fn intent(&self) -> i32 {
        self.header.intent
    }

    /// Whether f4 holds every value of the current image exactly.
    pub fn precision(&self) -> Precision {
        let scaled = self.header.slope != 1.0 || self.header.inter != 0.0;
        if scaled || self.header.stored.is_wide() { Precision::Double } else { Precision::Single }
    }

    /// Whether the file is known to end with the volumes met so far.
    pub fn ends_the_file(&self) -> bool {
        if self.header.mgh {
            // What follows its numbers is a footer.
            return true;
        }
        let end = self.header.voxel_bytes().saturating_add(u128::from(self.header.offset));
        let done = self.n_given == self.header.n_volumes && self.following.is_none();
        let fits = self.n_images == 1 && !self.bytes.compressed() && self.length.map(u128::from) == Some(end);
        done || fits
    }

    /// Says which voxels will be asked for, before the first volume is given. The others are not decoded: they are NaN.
    ///
    /// # Panics
    /// Then or later, when a voxel is not below the number of voxels.
    pub fn keep(&mut self, voxels: &[usize]) {
        let [nx, ny, nz] = self.header.geometry.shape;
        let place =
            |voxel: usize| Place { stored: (voxel % nz * ny + voxel / nz % ny) * nx + voxel / (ny * nz), voxel };
        let mut places: Vec<Place> = voxels.iter().map(|&voxel| place(voxel)).collect();
        // In the order of the file, so that its bytes are met once.
        places.sort_unstable_by_key(|place| place.stored);
        self.kept = Some(places);
    }

    /// Puts the next volume into `voxels` (length `n_voxels`, C order of (i, j, k)); `false` when there is none left.
    /// After [`VolumeReader::keep`] it is to be the same vector every time, or an empty one.
    ///
    /// After the last one of an image what follows is looked at, so that a damaged gzip checksum, bytes that belong to
    /// nothing and a further image on another grid are noticed before that volume is given.
    pub fn next_volume(&mut self, voxels: &mut Vec<f64>) -> Result<bool, VolumeError> {
        if self.n_given == self.header.n_volumes {
            let Some(next) = self.following.take() else { return Ok(false) };
            self.header = next;
            self.n_given = 0;
        }
        let before = self.header.volume_bytes() * self.n_given as u128;
        // Checked at opening where the length is known; from a pipe the buffer grows with the bytes that come.
        let wanted = self.header.volume_bytes() as u64;
        self.raw.clear();
        let got = self.bytes.by_ref().take(wanted).read_to_end(&mut self.raw);
        let so_far = before + self.raw.len() as u128;
        got.map_err(io_or_cut(&self.header, so_far))?;
        if (self.raw.len() as u64) < wanted {
            return Err(VolumeError::Truncated { got: so_far, wanted: self.header.voxel_bytes() });
        }
        let n_voxels = self.header.geometry.n_voxels();
        let is_new = voxels.len() != n_voxels;
        if is_new {
            voxels.clear();
            voxels
                .try_reserve_exact(n_voxels)
                .map_err(|_| VolumeError::NoMemory { n_voxels, bytes: n_voxels as u128 * size_of::<f64>() as u128 })?;
            voxels.resize(n_voxels, 0.0);
        }
        // Later the others still are NaN: filling a brain for every volume costs more than reading a region.
        if self.kept.is_some() && (is_new || (self.n_images == 1 && self.n_given == 0)) {
            voxels.fill(f64::NAN);
        }
        decode(&self.raw, &self.header, self.kept.as_deref(), voxels);
        self.n_given += 1;
        if self.n_given == self.header.n_volumes {
            self.look_ahead()?;
        }
        Ok(true)
    }

    /// Reads the header of the image that follows, if one does.
    fn look_ahead(&mut self) -> Result<(), VolumeError> {
        if self.header.mgh {
            // To the end, where gzip's checksum is.
            return match self.bytes.count_rest(MOST_COUNTED) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Err(VolumeError::NoChecksum { wanted: self.header.voxel_bytes() })
                }
                rest => Ok(rest.map(|_| ())?),
            };
        }
        let mut start = [0; header::LARGEST];
        let wanted = self.header.voxel_bytes();
        let got = match self.bytes.read_start(&mut start[..header::SMALLEST]) {
            Ok(0) => return Ok(()),
            Ok(got) => got,
            Err(Cut { got: 0, error }) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(VolumeError::NoChecksum { wanted });
            }
            Err(Cut { error, .. }) => return Err(error.into()),
        };
        let number = self.n_images + 1;
        if header::size_of(&start[..got]).is_none() {
            let (rest, all) = self.bytes.count_rest(MOST_COUNTED)?;
            let more = if all { "" } else { "more than " };
            let wanted = wanted.saturating_add(u128::from(self.header.offset));
            return Err(VolumeError::Trailing { n: got as u64 + rest, more, wanted });
        }
        let of_image = |error| VolumeError::Following { number, error: Box::new(error) };
        let first = header::Start { got };
        let next = Header::read(&mut self.bytes, &mut start, first, self.length).map_err(of_image)?;
        if !next.geometry.agrees_with(&self.header.geometry) {
            let (mine, theirs) = (Box::new(self.header.geometry.clone()), Box::new(next.geometry));
            return Err(VolumeError::OtherGrid { number, mine, theirs });
        }
        self.n_images = number;
        self.n_volumes = self.n_volumes.saturating_add(next.n_volumes);
        // The first image says where the voxels are; the others agree within rounding.
        self.following = Some(next.on(&self.header.geometry));
        Ok(())
    }
}

/// An image, told apart by its header.
pub enum Image {
    /// Volumes, or maps of FreeSurfer.
    Volumes(VolumeReader),
    /// Maps of grayordinates or parcels.
    Cifti(CiftiReader),
}

/// Opens what starts with the header of an image, whichever it is. `length` as in [`VolumeReader::new`].
pub fn open(source: impl Read + Send + 'static, length: Option<u64>) -> Result<Image, CiftiError> {
    let mut bytes = Bytes::new(Box::new(source));
    let mut start = [0; header::LARGEST];
    let first = header::Start::read(&mut bytes, &mut start)?;
    let (header, extensions) = Header::read_any(&mut bytes, &mut start, first, length)?;
    if header.is_cifti(&extensions) {
        return Ok(Image::Cifti(CiftiReader::behind(header, &extensions, bytes)?));
    }
    Ok(Image::Volumes(VolumeReader::behind(header.of_volumes()?, bytes, length)))
}

/// Whether a stream that starts with these bytes is a NIfTI or MGH image (plain or gzip) rather than a `.npy` array.
pub fn looks_like_nifti(first: &[u8]) -> bool {
    first.starts_with(&bytes::GZIP) || header::size_of(first).is_some()
}

/// What a stream with these first bytes starts with when it is unpacked: at most `n` bytes, as far as they go.
pub fn unpacked_start(first: &[u8], n: usize) -> Vec<u8> {
    let mut start = vec![0; n];
    let got = match Bytes::new(Box::new(io::Cursor::new(first.to_vec()))).read_start(&mut start) {
        Ok(got) | Err(Cut { got, .. }) => got,
    };
    start.truncate(got);
    start
}

/// gzip reports a cut file as an unexpected end; say how far the voxels came instead.
fn io_or_cut(header: &Header, got: u128) -> impl Fn(io::Error) -> VolumeError + use<> {
    let wanted = header.voxel_bytes();
    move |error| match error.kind() {
        io::ErrorKind::UnexpectedEof => VolumeError::Truncated { got, wanted },
        _ => error.into(),
    }
}

/// A voxel among the numbers of one volume.
#[derive(Clone, Copy)]
struct Place {
    /// As the file orders them.
    stored: usize,
    /// In C order of (i, j, k).
    voxel: usize,
}

fn decode(raw: &[u8], header: &Header, kept: Option<&[Place]>, voxels: &mut [f64]) {
    let all = Raw { bytes: raw, header, kept };
    match header.stored {
        Stored::U1 => all.fill(voxels, |[byte]: [u8; 1]| f64::from(byte)),
        Stored::I1 => all.fill(voxels, |bytes| f64::from(i8::from_le_bytes(bytes))),
        Stored::U2 => all.fill(voxels, |bytes| f64::from(u16::from_le_bytes(bytes))),
        Stored::I2 => all.fill(voxels, |bytes| f64::from(i16::from_le_bytes(bytes))),
        Stored::U4 => all.fill(voxels, |bytes| f64::from(u32::from_le_bytes(bytes))),
        Stored::I4 => all.fill(voxels, |bytes| f64::from(i32::from_le_bytes(bytes))),
        Stored::U8 => all.fill(voxels, |bytes| u64::from_le_bytes(bytes) as f64),
        Stored::I8 => all.fill(voxels, |bytes| i64::from_le_bytes(bytes) as f64),
        Stored::F4 => all.fill(voxels, |bytes| f64::from(f32::from_le_bytes(bytes))),
        Stored::F8 => all.fill(voxels, f64::from_le_bytes),
    }
}

/// Planes of i that are turned at a time: the lines of memory that they are written to stay in the nearest cache.
const PLANES: usize = 16;

/// One volume as the file holds it.
struct Raw<'a> {
    bytes: &'a [u8],
    header: &'a Header,
    kept: Option<&'a [Place]>,
}

impl Raw<'_> {
    fn fill<const N: usize>(&self, voxels: &mut [f64], little_endian: impl Fn([u8; N]) -> f64) {
        if self.header.big_endian {
            self.scale(voxels, |mut bytes: [u8; N]| {
                bytes.reverse();
                little_endian(bytes)
            });
        } else {
            self.scale(voxels, little_endian);
        }
    }

    fn scale<const N: usize>(&self, voxels: &mut [f64], stored: impl Fn([u8; N]) -> f64) {
        let (slope, inter) = (self.header.slope, self.header.inter);
        if slope == 1.0 && inter == 0.0 {
            self.place(voxels, stored);
        } else {
            self.place(voxels, |bytes| stored(bytes) * slope + inter);
        }
    }

    /// Turns file order (i fastest) into C order of (i, j, k).
    fn place<const N: usize>(&self, voxels: &mut [f64], value: impl Fn([u8; N]) -> f64) {
        let (numbers, _) = self.bytes.as_chunks::<N>();
        if let Some(kept) = self.kept {
            for place in kept {
                voxels[place.voxel] = value(numbers[place.stored]);
            }
            return;
        }
        let [nx, ny, nz] = self.header.geometry.shape;
        for first in (0..nx).step_by(PLANES) {
            let planes = first..nx.min(first + PLANES);
            for j in 0..ny {
                for k in 0..nz {
                    let start = (k * ny + j) * nx;
                    for (i, bytes) in planes.clone().zip(&numbers[start + planes.start..start + planes.end]) {
                        voxels[(i * ny + j) * nz + k] = value(*bytes);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
