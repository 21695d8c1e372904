//! Meshes of surfaces, on which the vertices of maps lie.

use std::io::Read;

use anyhow::{Context, Result, bail};
use brain_formats::freesurfer::{looks_like_surface, read_surface};
use brain_formats::gifti::{self, Mesh, looks_like_gifti};
use cli::{Input, Job, require_memory};
use flate2::read::MultiGzDecoder;

use crate::maps::{open_beside, packed_gifti, read_whole};

/// Reads a surface: GIFTI (`.surf.gii`), or FreeSurfer's triangles (`lh.pial`), told apart by content.
pub fn read_mesh(job: &Job, input: &Input) -> Result<Mesh> {
    let named = || input.to_string();
    let mut bytes = read_whole(job.open(input)?.reader(), &named()).with_context(named)?;
    if packed_gifti(&bytes) {
        let reader: Box<dyn Read + Send> = Box::new(MultiGzDecoder::new(std::io::Cursor::new(bytes)));
        bytes = read_whole(reader, &named()).with_context(named)?;
    }
    if looks_like_surface(&bytes) {
        return read_surface(&bytes).with_context(named);
    }
    if !looks_like_gifti(&bytes) {
        bail!("{input}: not a surface; give a GIFTI file of triangles (.surf.gii), or FreeSurfer's (lh.pial)");
    }
    let parsed = gifti::Parsed::new(&bytes).with_context(named)?;
    require_memory(format!("{input}: the numbers of its arrays"), parsed.bytes_held(), "give a coarser mesh")?;
    let gifti = parsed.decode(|name| open_beside(job, input, name)).with_context(named)?;
    gifti.into_mesh().with_context(named)
}
