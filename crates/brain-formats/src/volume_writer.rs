//! Writing NIfTI images: statistic maps as f4, masks as integers.
//!
//! The file is NIfTI-1 unless a dimension does not fit 16 bits, little-endian, unscaled (`scl_slope` 1), with the
//! affine in the sform and no qform. The same values give the same bytes: the gzip header holds no time.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::geometry::Geometry;

/// What the numbers of an image are, for programs that show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Intent {
    /// Nothing in particular (also a t map whose degrees of freedom differ between voxels).
    None,
    /// Student t with these degrees of freedom everywhere.
    T {
        /// Degrees of freedom.
        df: f64,
    },
    /// F with these degrees of freedom everywhere.
    F {
        /// Of the effects.
        df1: f64,
        /// Of the noise.
        df2: f64,
    },
    /// Standard normal deviates.
    Z,
    /// Numbers of regions.
    Label,
}

impl Intent {
    fn code(self) -> i16 {
        match self {
            Intent::None => 0,
            Intent::T { .. } => 3,
            Intent::F { .. } => 4,
            Intent::Z => 5,
            Intent::Label => 1002,
        }
    }

    fn parameters(self) -> [f64; 2] {
        match self {
            Intent::T { df } => [df, 0.0],
            Intent::F { df1, df2 } => [df1, df2],
            _ => [0.0; 2],
        }
    }
}

/// The values of one volume, or of several one after the other, in the voxel order of [`crate::geometry`]: length
/// `n_volumes` times `n_voxels`.
#[derive(Debug, Clone, Copy)]
pub enum Voxels<'a> {
    /// Real numbers.
    F4(&'a [f32]),
    /// Region numbers, written as u1, i2 or i4, the smallest that holds the largest.
    Labels(&'a [u32]),
}

impl Voxels<'_> {
    fn len(self) -> usize {
        match self {
            Voxels::F4(values) => values.len(),
            Voxels::Labels(labels) => labels.len(),
        }
    }
}

/// How a label is stored.
#[derive(Clone, Copy)]
enum Stored {
    F4,
    U1,
    I2,
    I4,
}

impl Stored {
    fn of(voxels: Voxels<'_>) -> Self {
        let Voxels::Labels(labels) = voxels else { return Stored::F4 };
        match labels.iter().copied().max().unwrap_or(0) {
            0..=255 => Stored::U1,
            256..=32767 => Stored::I2,
            _ => Stored::I4,
        }
    }

    /// NIfTI data type code and bits per voxel.
    fn code_and_bits(self) -> (i16, i16) {
        match self {
            Stored::F4 => (16, 32),
            Stored::U1 => (2, 8),
            Stored::I2 => (4, 16),
            Stored::I4 => (8, 32),
        }
    }
}

/// Writes an image, gzipped on request: three-dimensional with one volume, four-dimensional with several.
pub fn write_volume(
    out: impl Write,
    voxels: Voxels<'_>,
    geometry: &Geometry,
    intent: Intent,
    gzip: bool,
) -> io::Result<()> {
    if gzip {
        let mut out = GzEncoder::new(out, Compression::default());
        write_plain(&mut out, voxels, geometry, intent)?;
        out.finish()?.flush()
    } else {
        let mut out = out;
        write_plain(&mut out, voxels, geometry, intent)?;
        out.flush()
    }
}

fn write_plain(out: &mut impl Write, voxels: Voxels<'_>, geometry: &Geometry, intent: Intent) -> io::Result<()> {
    let stored = Stored::of(voxels);
    let n_volumes = (voxels.len() / geometry.n_voxels().max(1)).max(1);
    out.write_all(&header(stored, geometry, n_volumes, intent))?;
    let [nx, ny, nz] = geometry.shape;
    let mut row = Vec::with_capacity(4 * nx);
    for first in (0..n_volumes).map(|volume| volume * geometry.n_voxels()) {
        for (k, j) in (0..nz).flat_map(|k| (0..ny).map(move |j| (k, j))) {
            row.clear();
            for i in 0..nx {
                let voxel = first + geometry.voxel([i, j, k]);
                match (voxels, stored) {
                    (Voxels::F4(values), _) => row.extend(values[voxel].to_le_bytes()),
                    (Voxels::Labels(labels), Stored::U1) => row.push(labels[voxel] as u8),
                    (Voxels::Labels(labels), Stored::I2) => row.extend((labels[voxel] as i16).to_le_bytes()),
                    (Voxels::Labels(labels), _) => row.extend((labels[voxel] as i32).to_le_bytes()),
                }
            }
            out.write_all(&row)?;
        }
    }
    Ok(())
}

/// Unit code of `xyzt_units`: millimetres.
const MILLIMETRES: u8 = 2;

fn header(stored: Stored, geometry: &Geometry, n_volumes: usize, intent: Intent) -> Vec<u8> {
    let [nx, ny, nz] = geometry.shape;
    let new = [nx, ny, nz, n_volumes].iter().any(|&n| n > i16::MAX as usize);
    let (code, bits) = stored.code_and_bits();
    let dims = [if n_volumes > 1 { 4 } else { 3 }, nx, ny, nz, n_volumes, 1, 1, 1];
    let [size_x, size_y, size_z] = geometry.sizes();
    let pixdim = [1.0, size_x, size_y, size_z, 0.0, 0.0, 0.0, 0.0];
    // Four more bytes say that no header extension follows.
    let offset = if new { 544 } else { 352 };
    let mut bytes = vec![0u8; offset];
    let mut put = |place: usize, field: &[u8]| bytes[place..place + field.len()].copy_from_slice(field);
    if new {
        put(0, &540i32.to_le_bytes());
        put(4, b"n+2\0\r\n\x1a\n");
        put(12, &code.to_le_bytes());
        put(14, &bits.to_le_bytes());
        for index in 0..8 {
            put(16 + 8 * index, &(dims[index] as i64).to_le_bytes());
            put(104 + 8 * index, &f64::to_le_bytes(pixdim[index]));
        }
        put(80, &intent.parameters()[0].to_le_bytes());
        put(88, &intent.parameters()[1].to_le_bytes());
        put(168, &(offset as i64).to_le_bytes());
        put(176, &1f64.to_le_bytes());
        put(348, &i32::from(geometry.space).to_le_bytes());
        for (index, value) in geometry.affine.iter().flatten().enumerate() {
            put(400 + 8 * index, &value.to_le_bytes());
        }
        put(500, &i32::from(MILLIMETRES).to_le_bytes());
        put(504, &i32::from(intent.code()).to_le_bytes());
    } else {
        put(0, &348i32.to_le_bytes());
        put(344, b"n+1\0");
        put(70, &code.to_le_bytes());
        put(72, &bits.to_le_bytes());
        for index in 0..8 {
            put(40 + 2 * index, &(dims[index] as i16).to_le_bytes());
            put(76 + 4 * index, &(pixdim[index] as f32).to_le_bytes());
        }
        put(56, &(intent.parameters()[0] as f32).to_le_bytes());
        put(60, &(intent.parameters()[1] as f32).to_le_bytes());
        put(68, &intent.code().to_le_bytes());
        put(108, &(offset as f32).to_le_bytes());
        put(112, &1f32.to_le_bytes());
        put(123, &[MILLIMETRES]);
        put(254, &geometry.space.to_le_bytes());
        for (index, &value) in geometry.affine.iter().flatten().enumerate() {
            put(280 + 4 * index, &(value as f32).to_le_bytes());
        }
    }
    bytes
}
