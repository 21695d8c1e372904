//! The options of `figure brain`, and which of them go together.

use anyhow::{Result, bail};
use cli::Input;
use drawing::mesh::View;
use std::path::PathBuf;

use super::maps::Map;
use crate::look::Look;

/// A statistical map of a brain: slices, a glass brain, or the surface of the cortex
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: a map of voxels (NIfTI, MGH), or of the vertices of a surface (GIFTI, MGH: one file per hemisphere;
CIFTI: both). Coloured are values farther from 0 than --threshold, each voxel and each vertex in the colour
of its own value: red to yellow above 0, blue to pale blue below. Left is left (neurological), and
marked. The map is not resampled for slices; on a surface a volume is averaged between pial and white
surface, as by nilearn's vol_to_surf. Behind slices is --background, else what the map has a value of.

--display has nilearn's words. Slices: ortho (one cut along x, y and z), mosaic (several along each), x, y or z
(several), or letters (xz). Glass: letters of x y z l r; l and r are one hemisphere. Cuts that nobody chooses are
nilearn's: through the middle of the largest cluster, or through peaks.

The MNI152 template, fsaverage5 and the outline of the glass brain are files of nilearn (BSD-3), which
`scripts/setup.sh templates` brings into a folder; --templates or CATSEL_TEMPLATES names it.

Examples:
  figure brain group_t.nii.gz --threshold 3.1 -o slices.svg
  figure brain group_t.nii.gz --view glass --threshold 3.1 --regions ffa.csv -o glass.png
  figure brain group_t.nii.gz --threshold 3.1 --display z --cuts 6 --terminal")]
pub(crate) struct BrainArgs {
    /// Map of voxels or vertices; of the surface of both hemispheres two files; - is stdin
    #[arg(value_name = "MAP", num_args = 1..=2, default_value = "-")]
    pub(super) maps: Vec<Input>,
    /// What is drawn [default: slices of voxels, the surface of vertices]
    #[arg(long, value_enum, value_name = "VIEW")]
    pub(super) view: Option<Kind>,
    /// Slices or sides: ortho, mosaic, or letters of x y z (glass: and l r) [default: ortho]
    #[arg(long, value_name = "MODE", value_parser = display)]
    pub(super) display: Option<Display>,
    /// Where slices are cut, in mm: one number per letter, or any number along one axis
    #[arg(long, value_name = "MM,..", value_delimiter = ',', allow_negative_numbers = true)]
    pub(super) cut_coords: Vec<f64>,
    /// How many slices along an axis of which nobody says where [default: 7]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=40), conflicts_with = "cut_coords")]
    pub(super) cuts: Option<u64>,
    /// Colour values farther from 0 than this [default: all but 0]
    #[arg(long, value_name = "T", allow_negative_numbers = true, value_parser = not_negative)]
    pub(super) threshold: Option<f64>,
    /// Side of 0 that counts: above T, below -T, or both
    #[arg(long, value_enum, value_name = "TAIL", default_value_t = Tail::TwoSided)]
    pub(super) tail: Tail,
    /// Value of the last colour [default: the largest]
    #[arg(long, value_name = "V", allow_negative_numbers = true, value_parser = not_negative)]
    pub(super) vmax: Option<f64>,
    /// What the numbers are [default: what the file's intent or its name says: t, z, beta ...]
    #[arg(long, value_name = "TEXT")]
    pub(super) unit: Option<String>,
    /// Of a file of several maps this one, counted from 0
    #[arg(long, value_name = "N")]
    pub(super) volume: Option<usize>,
    /// Outline these: table with roi and voxel (fmri-roi define), label image, .label.gii, .annot (one per hemisphere)
    #[arg(long, value_name = "FILE", num_args = 1..=2)]
    pub(super) regions: Vec<Input>,
    /// Names of the numbers of a label image: a table with index and name (BIDS), or a FreeSurfer .ctab
    #[arg(long, value_name = "TABLE", requires = "regions")]
    pub(super) labels: Option<Input>,
    /// Volume behind slices, or mni152
    #[arg(long, value_name = "FILE|mni152")]
    pub(super) background: Option<Input>,
    /// Mesh of each hemisphere (.surf.gii), or fsaverage5
    #[arg(long, value_name = "FILE|fsaverage5", num_args = 1..=2)]
    pub(super) surface: Vec<Input>,
    /// Sulcal depth of each hemisphere (.shape.gii, .sulc.gii), which shades one's own mesh
    #[arg(long, value_name = "FILE", num_args = 1..=2, requires = "surface")]
    pub(super) sulc: Vec<Input>,
    /// Sides from which the surface is seen: lateral, medial, ventral, dorsal, anterior, posterior
    #[arg(long, value_enum, value_name = "SIDE,..", value_delimiter = ',', default_values_t = [Seen::Lateral, Seen::Medial, Seen::Ventral])]
    pub(super) sides: Vec<Seen>,
    /// Hemisphere of the one map, where neither file nor name says it
    #[arg(long, value_enum, value_name = "SIDE")]
    pub(super) hemisphere: Option<Half>,
    /// Folder of the template brain's files [default: CATSEL_TEMPLATES]
    #[arg(long, value_name = "DIR")]
    pub(super) templates: Option<PathBuf>,
    #[command(flatten)]
    pub(super) look: Look,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Kind {
    /// Cut
    Slices,
    /// Looked through: of the values along a line of sight the farthest from 0
    Glass,
    /// On the cortex
    Surface,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Tail {
    /// Above T
    Greater,
    /// Below -T
    Less,
    /// Both
    TwoSided,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Half {
    /// The left one
    Left,
    /// The right one
    Right,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Seen {
    /// From outside
    Lateral,
    /// From between the hemispheres
    Medial,
    /// From below
    Ventral,
    /// From above
    Dorsal,
    /// From the front
    Anterior,
    /// From behind
    Posterior,
}

impl Seen {
    pub(super) fn view(self) -> View {
        match self {
            Seen::Lateral => View::Lateral,
            Seen::Medial => View::Medial,
            Seen::Ventral => View::Ventral,
            Seen::Dorsal => View::Dorsal,
            Seen::Anterior => View::Anterior,
            Seen::Posterior => View::Posterior,
        }
    }
}

/// Which slices or sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Display {
    Mosaic,
    Letters(Vec<char>),
}

fn display(text: &str) -> Result<Display, String> {
    match text {
        "mosaic" => return Ok(Display::Mosaic),
        "ortho" => return Ok(Display::Letters(vec!['x', 'y', 'z'])),
        _ => {}
    }
    let letters: Vec<char> = text.chars().collect();
    let once = |(k, letter): (usize, &char)| "xyzlr".contains(*letter) && !letters[..k].contains(letter);
    match !letters.is_empty() && letters.iter().enumerate().all(once) {
        true => Ok(Display::Letters(letters)),
        false => Err("give ortho, mosaic, or letters of x, y, z (and l, r of a glass brain), each once".into()),
    }
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(v) if v.is_finite() && v >= 0.0 => Ok(v),
        _ => Err("give a number of 0 or more; --tail says on which side of 0".into()),
    }
}

impl BrainArgs {
    /// Options that a view has no use for are refused, each with what it belongs to.
    pub(super) fn check(&self, kind: Kind, maps: &[Map]) -> Result<()> {
        let name = maps.iter().map(|map| map.input.to_string()).collect::<Vec<_>>().join(", ");
        if kind != Kind::Surface {
            if maps.len() > 1 {
                bail!(
                    "{name}: 2 maps, but slices and glass brains show one; two files are the hemispheres of a surface"
                );
            }
            if maps[0].space.grid().is_none() {
                bail!(
                    "{name}: {}, but slices and glass brains need voxels; draw it with --view surface --surface MESH",
                    maps[0].space
                );
            }
            for (given, option) in
                [(!self.surface.is_empty(), "--surface"), (self.hemisphere.is_some(), "--hemisphere")]
            {
                if given {
                    bail!("{option} belongs to --view surface");
                }
            }
            if self.regions.len() > 1 {
                bail!("--regions: 2 files, one per hemisphere, belong to --view surface; give one");
            }
        }
        if kind != Kind::Slices {
            let options = [
                (!self.cut_coords.is_empty(), "--cut-coords"),
                (self.cuts.is_some(), "--cuts"),
                (self.background.is_some(), "--background"),
            ];
            if let Some((_, option)) = options.iter().find(|(given, _)| *given) {
                bail!("{option} belongs to --view slices");
            }
        }
        match (kind, &self.display) {
            (Kind::Surface, Some(_)) => {
                bail!("--display belongs to slices and glass brains; --sides says from where a surface is seen")
            }
            (Kind::Glass, Some(Display::Mosaic)) => {
                bail!("--display mosaic belongs to slices; give letters of x y z l r")
            }
            (Kind::Slices, Some(Display::Letters(letters))) if letters.iter().any(|l| "lr".contains(*l)) => {
                bail!("--display: l and r belong to --view glass; slices have x, y and z")
            }
            _ => {}
        }
        if let (Some(vmax), Some(threshold)) = (self.vmax, self.threshold)
            && vmax <= threshold
        {
            bail!("--vmax {vmax} is not above --threshold {threshold}; no value would have a colour");
        }
        Ok(())
    }
}
