//! The header: what it says, in either version and byte order, and whether the file can be what it says.

use std::io::{self, Read};

use super::bytes::{Bytes, Cut, fill};
use super::{DEFLATE_LIMIT, VolumeError, cifti};
use crate::geometry::{Geometry, qfac, quaternion_affine, usable_sizes};
use crate::mgh::{self, looks_like_mgh};

/// Bytes of a NIfTI-1 header.
pub(super) const SMALLEST: usize = 348;
/// Bytes of a NIfTI-2 header.
pub(super) const LARGEST: usize = 540;

/// Extensions that are searched for CIFTI's; its XML of whole-brain files has a few MB, and its code stands before it.
const EXTENSION_BYTES: u64 = 64 << 20;

/// The header size that a stream with these first bytes states, and whether in big-endian order.
pub(super) fn size_of(first: &[u8]) -> Option<(usize, bool)> {
    match first {
        _ if looks_like_mgh(first) => Some((mgh::HEADER, true)),
        [0x5c, 1, 0, 0, ..] => Some((SMALLEST, false)),
        [0, 0, 1, 0x5c, ..] => Some((SMALLEST, true)),
        [0x1c, 2, 0, 0, ..] => Some((LARGEST, false)),
        [0, 0, 2, 0x1c, ..] => Some((LARGEST, true)),
        _ => None,
    }
}

/// The first bytes of a header, up to [`SMALLEST`], that have been read.
pub(super) struct Start {
    pub(super) got: usize,
}

impl Start {
    pub(super) fn read(bytes: &mut Bytes, start: &mut [u8]) -> Result<Self, VolumeError> {
        let so_far = |read: Result<usize, Cut>| match read {
            Ok(got) => Ok(got),
            Err(Cut { got, error }) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(got),
            Err(Cut { error, .. }) => Err(VolumeError::from(error)),
        };
        // An MGH header is shorter, and what follows it is numbers.
        let mut got = so_far(bytes.read_start(&mut start[..mgh::HEADER]))?;
        if got == mgh::HEADER && !looks_like_mgh(start) {
            got += so_far(fill(bytes, &mut start[mgh::HEADER..SMALLEST]))?;
        }
        Ok(Start { got })
    }
}

/// What the standard calls a data type that is no real number.
fn unreadable(code: i16) -> &'static str {
    match code {
        1 => "single bits",
        32 => "complex64",
        128 => "RGB24, a colour",
        1536 => "float128",
        1792 => "complex128",
        2048 => "complex256",
        2304 => "RGBA32, a colour",
        _ => "unknown",
    }
}

/// The number types of a voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
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
    pub(super) fn from_code(code: i16) -> Result<Self, VolumeError> {
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
            _ => return Err(VolumeError::DataType { code, name: unreadable(code) }),
        })
    }

    /// Whether f4 does not hold every number of this type.
    pub(crate) fn is_wide(self) -> bool {
        matches!(self, Stored::U4 | Stored::I4 | Stored::U8 | Stored::I8 | Stored::F8)
    }

    /// Whether a number is one of this type, where the type is of whole numbers of at most 32 bits.
    pub(crate) fn holds(self, number: f64) -> bool {
        let (least, most) = match self {
            Stored::U1 => (0.0, f64::from(u8::MAX)),
            Stored::I1 => (f64::from(i8::MIN), f64::from(i8::MAX)),
            Stored::U2 => (0.0, f64::from(u16::MAX)),
            Stored::I2 => (f64::from(i16::MIN), f64::from(i16::MAX)),
            Stored::U4 => (0.0, f64::from(u32::MAX)),
            Stored::I4 => (f64::from(i32::MIN), f64::from(i32::MAX)),
            Stored::U8 | Stored::I8 | Stored::F4 | Stored::F8 => return true,
        };
        number.fract() == 0.0 && (least..=most).contains(&number)
    }

    /// The number in these bytes, of which there are [`Stored::n_bytes`].
    pub(crate) fn number(self, bytes: &[u8], big_endian: bool) -> f64 {
        fn field<const N: usize>(bytes: &[u8], big_endian: bool) -> [u8; N] {
            let mut field = [0; N];
            field.copy_from_slice(bytes);
            if big_endian {
                field.reverse();
            }
            field
        }
        match self {
            Stored::U1 => f64::from(bytes[0]),
            Stored::I1 => f64::from(bytes[0] as i8),
            Stored::U2 => f64::from(u16::from_le_bytes(field(bytes, big_endian))),
            Stored::I2 => f64::from(i16::from_le_bytes(field(bytes, big_endian))),
            Stored::U4 => f64::from(u32::from_le_bytes(field(bytes, big_endian))),
            Stored::I4 => f64::from(i32::from_le_bytes(field(bytes, big_endian))),
            Stored::U8 => u64::from_le_bytes(field(bytes, big_endian)) as f64,
            Stored::I8 => i64::from_le_bytes(field(bytes, big_endian)) as f64,
            Stored::F4 => f64::from(f32::from_le_bytes(field(bytes, big_endian))),
            Stored::F8 => f64::from_le_bytes(field(bytes, big_endian)),
        }
    }

    pub(crate) fn n_bytes(self) -> usize {
        match self {
            Stored::U1 | Stored::I1 => 1,
            Stored::U2 | Stored::I2 => 2,
            Stored::U4 | Stored::I4 | Stored::F4 => 4,
            Stored::U8 | Stored::I8 | Stored::F8 => 8,
        }
    }
}

/// The header fields that reading needs.
pub(crate) struct Header {
    /// Whether it is one of MGH, behind whose numbers a footer stands.
    pub(crate) mgh: bool,
    pub(crate) geometry: Geometry,
    pub(crate) n_volumes: usize,
    pub(crate) stored: Stored,
    pub(crate) big_endian: bool,
    pub(crate) slope: f64,
    pub(crate) inter: f64,
    /// Seconds from one volume to the next, where the header says so.
    pub(crate) repetition_seconds: Option<f64>,
    /// What the numbers are, by NIfTI's list.
    pub(crate) intent: i32,
    /// The lengths of all axes, 1 where there is none.
    pub(crate) axes: [usize; 7],
    /// How many axes the header states.
    pub(crate) n_axes: usize,
    /// Byte at which the voxels start.
    pub(crate) offset: u64,
}

impl Header {
    /// What a header of MGH says.
    pub(crate) fn of_mgh(geometry: Geometry, n_volumes: usize, stored: Stored) -> Self {
        let [nx, ny, nz] = geometry.shape;
        Header {
            mgh: true,
            axes: [nx, ny, nz, n_volumes, 1, 1, 1],
            n_axes: 4,
            geometry,
            n_volumes,
            stored,
            big_endian: true,
            slope: 1.0,
            inter: 0.0,
            repetition_seconds: None,
            intent: 0,
            offset: mgh::HEADER as u64,
        }
    }

    /// The lengths of all axes, where one beyond the fourth is longer than 1.
    fn beyond(&self) -> Option<String> {
        let axes = &self.axes[..self.n_axes];
        let beyond = axes.iter().skip(4).any(|&n| n > 1);
        beyond.then(|| axes.iter().map(usize::to_string).collect::<Vec<_>>().join("x"))
    }

    /// Bytes of one volume; saturates, because three dimensions of an adversary's i64 fit no number.
    pub(super) fn volume_bytes(&self) -> u128 {
        let n_bytes = self.stored.n_bytes() as u128;
        self.geometry.shape.iter().fold(n_bytes, |product, &n| product.saturating_mul(n as u128))
    }

    pub(crate) fn voxel_bytes(&self) -> u128 {
        self.volume_bytes().saturating_mul(self.n_volumes as u128)
    }
}

impl Header {
    /// Reads the rest of a header that has begun, checks it against the length of the file, and goes on to its voxels.
    pub(super) fn read(
        source: &mut Bytes,
        bytes: &mut [u8; LARGEST],
        start: Start,
        length: Option<u64>,
    ) -> Result<Self, VolumeError> {
        let (header, extensions) = Header::read_any(source, bytes, start, length)?;
        // CIFTI puts its matrix on axes 5 and 6, so its name comes before the complaint about them.
        if header.is_cifti(&extensions) {
            return Err(VolumeError::Cifti { kind: cifti::kind(header.intent, &extensions) });
        }
        header.of_volumes()
    }

    /// An error where the axes are not those of volumes.
    pub(super) fn of_volumes(self) -> Result<Self, VolumeError> {
        match self.beyond() {
            Some(dim) => Err(VolumeError::Axes { dim }),
            None => Ok(self),
        }
    }

    /// Whether the file is CIFTI.
    pub(super) fn is_cifti(&self, extensions: &[u8]) -> bool {
        cifti::by_intent(self.intent) || cifti::in_extensions(extensions, self.big_endian)
    }

    /// The kind of a CIFTI file.
    pub(crate) fn cifti_kind(&self, extensions: &[u8]) -> String {
        cifti::kind(self.intent, extensions)
    }

    /// The header whatever the axes are, and what stands between it and the numbers.
    pub(super) fn read_any(
        source: &mut Bytes,
        bytes: &mut [u8; LARGEST],
        Start { got }: Start,
        length: Option<u64>,
    ) -> Result<(Self, Vec<u8>), VolumeError> {
        let Some((size, big_endian)) = size_of(&bytes[..got]) else {
            if got < 4 {
                return Err(VolumeError::ShortHeader { got, wanted: SMALLEST });
            }
            if bytes.starts_with(&[0, 0, 0, 1]) && got < mgh::HEADER {
                return Err(VolumeError::ShortHeader { got, wanted: mgh::HEADER });
            }
            let size = i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            return Err(VolumeError::NotNifti { size, magic: printable(&bytes[344..347]) });
        };
        let more = match got {
            SMALLEST => match fill(source, &mut bytes[SMALLEST..size]) {
                Ok(more) => more,
                Err(Cut { got, error }) if error.kind() == io::ErrorKind::UnexpectedEof => got,
                Err(Cut { error, .. }) => return Err(error.into()),
            },
            _ => 0,
        };
        if got + more < size {
            return Err(VolumeError::ShortHeader { got: got + more, wanted: size });
        }
        if size == mgh::HEADER {
            let Some(first) = bytes.first_chunk() else { return Err(VolumeError::ShortHeader { got, wanted: size }) };
            let header = mgh::parse(first)?;
            header.check_size(source, size, length)?;
            return Ok((header, Vec::new()));
        }
        let magic = if size == SMALLEST { &bytes[344..347] } else { &bytes[4..7] };
        match magic {
            b"n+1" if size == SMALLEST => {}
            b"n+2" if size == LARGEST => {}
            b"ni1" | b"ni2" => return Err(VolumeError::Pair),
            b"\0\0\0" if size == SMALLEST => return Err(VolumeError::Analyze),
            other => return Err(VolumeError::NotNifti { size: size as i32, magic: printable(other) }),
        }
        let header = parse_header(Fields { bytes, big_endian }, size)?;
        header.check_size(source, size, length)?;
        let extensions = header.go_to_voxels(source, size)?;
        Ok((header, extensions))
    }

    /// The same header on a grid that agrees with its own.
    pub(super) fn on(self, geometry: &Geometry) -> Self {
        Header { geometry: geometry.clone(), ..self }
    }

    fn check_size(&self, source: &Bytes, n_read: usize, length: Option<u64>) -> Result<(), VolumeError> {
        if self.volume_bytes() > isize::MAX as u128 {
            return Err(VolumeError::NoMachine { wanted: self.volume_bytes(), most: isize::MAX as u128 });
        }
        let Some(length) = length else { return Ok(()) };
        let wanted = self.voxel_bytes().saturating_add(u128::from(self.offset));
        // The header of an image behind others has only what is left of the file.
        let left = source.taken().map_or(length, |taken| (length + n_read as u64).saturating_sub(taken));
        let (factor, compressed) = if source.compressed() { (DEFLATE_LIMIT, " (compressed)") } else { (1, "") };
        if wanted > u128::from(left) * u128::from(factor) {
            return Err(VolumeError::TooLarge { wanted, length: left, compressed });
        }
        Ok(())
    }

    /// Reads what stands between header and voxels, in which a CIFTI file says what it is.
    fn go_to_voxels(&self, source: &mut Bytes, n_read: usize) -> Result<Vec<u8>, VolumeError> {
        let gap = self.offset - n_read as u64;
        let cut = super::io_or_cut(self, 0);
        let mut extensions = Vec::new();
        let read = source.by_ref().take(gap.min(EXTENSION_BYTES)).read_to_end(&mut extensions);
        // A cut file that says what it is may say so.
        if self.is_cifti(&extensions) && read.is_err() {
            return Err(VolumeError::Cifti { kind: self.cifti_kind(&extensions) });
        }
        let read = read.map_err(&cut)? as u64;
        let skipped = io::copy(&mut source.by_ref().take(gap - read), &mut io::sink()).map_err(&cut)?;
        if read + skipped < gap {
            return Err(VolumeError::Truncated { got: 0, wanted: self.voxel_bytes() });
        }
        Ok(extensions)
    }
}

fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
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
    let intent = if new { fields.i32(504) } else { i32::from(fields.i16(68)) };
    let axes = shape;
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
    // The four bytes behind the header say whether extensions follow, so that no voxel can be there.
    if offset < first || (stated != 0.0 && offset as f64 != stated) {
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
    let sizes = usable_sizes([1, 2, 3].map(|axis| real(76, 104, axis)));
    let geometry = if sform > 0 {
        let row = |row: usize| [0, 1, 2, 3].map(|column| real(280 + 16 * row, 400 + 32 * row, column));
        Geometry { shape, affine: [row(0), row(1), row(2)], space: sform }
    } else if qform > 0 {
        let quaternion = [0, 1, 2].map(|part| real(256, 352, part));
        let shift = [0, 1, 2].map(|part| real(268, 376, part));
        let qfac = qfac(real(76, 104, 0))?;
        Geometry { shape, affine: quaternion_affine(quaternion, shift, sizes, qfac)?, space: qform }
    } else {
        // No form says which way an axis runs, and a sign of a size does not either (nibabel).
        Geometry { space: 0, ..Geometry::from_sizes(shape, sizes.map(f64::abs)) }
    };
    let geometry = geometry.checked()?;
    let big_endian = fields.big_endian;
    let units = if new { fields.i32(500) } else { i32::from(fields.bytes[123]) };
    let repetition_seconds = repetition_seconds(real(76, 104, 4), units, new);
    let (mgh, n_axes) = (false, n_dims);
    Ok(Header {
        mgh,
        geometry,
        n_volumes,
        stored,
        big_endian,
        slope,
        inter,
        repetition_seconds,
        offset,
        axes,
        n_axes,
        intent,
    })
}

/// `pixdim[4]` in the unit that `xyzt_units` names; in seconds where it names none, as nibabel's users take it, but
/// none where it is the 1 of a header that nobody filled in.
fn repetition_seconds(step: f64, units: i32, new: bool) -> Option<f64> {
    // NIfTI-1 holds f4: .8 is meant, not .800000011920929.
    let step = if new { step } else { (step as f32).to_string().parse().unwrap_or(step) };
    let seconds = match units & 0x38 {
        16 => step / 1e3,
        24 => step / 1e6,
        // Without a unit 1 is what programs write that were told no TR.
        0 if step == 1.0 => return None,
        // 32 and above are hertz, ppm and radians per second: no time.
        0 | 8 => step,
        _ => return None,
    };
    (seconds.is_finite() && seconds > 0.0).then_some(seconds)
}
