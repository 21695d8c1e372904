//! Pictures on disk to batches in memory, read and prepared ahead of the network.

pub mod damaged;
pub mod met;

use crate::network::inputs::{Batch, PictureInput};
use crate::network::tensor::{Element, Layout};
use crate::pictures::decode::decode;
use crate::pictures::exif::orientation;
use crate::pictures::stimuli::{Stimulus, list};
use crate::pictures::{BadImage, Picture, Reading, Size, Warnings};
use crate::preprocessing::final_size::final_size;
use crate::preprocessing::{Color, Preprocessing};
use anyhow::{Context, Result, ensure};
use cli::Job;
use half::f16;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Batches that may wait for the network. One is enough to keep it busy; two ride out a slow picture.
const BATCHES_AHEAD: usize = 2;

/// Pictures, and how they are shown to a network.
pub struct Shown {
    /// From picture to input.
    pub steps: Preprocessing,
    /// How files are read.
    pub reading: Reading,
    /// What every picture ends with.
    pub size: Size,
    /// The pictures, in order.
    pub pictures: Vec<Stimulus>,
}

impl Shown {
    /// Other pictures, shown as these are: a stimulus table, a folder, or files, given by `option`.
    pub fn others(&self, job: &Job, given: &[PathBuf], option: &'static str) -> Result<Self> {
        let pictures = list(job, given, false).context(option)?;
        let size = final_size(&pictures, &self.steps, &self.reading).context(option)?;
        ensure!(size == self.size, "{option}: its pictures end with {size} pixels, the others with {}", self.size);
        Ok(Self { pictures, ..*self })
    }

    /// A feed of these pictures for a network that takes `input`; `hash` says whether files are hashed on the way.
    pub fn feed<'a>(&'a self, input: &'a PictureInput, bad_image: BadImage, hash: bool) -> Feed<'a> {
        Feed { shown: self, input, tables: self.steps.tables(), bad_image, hash }
    }
}

/// How pictures become batches for one network.
pub struct Feed<'a> {
    shown: &'a Shown,
    input: &'a PictureInput,
    tables: [[f32; 256]; 3],
    bad_image: BadImage,
    /// Files are hashed on the way.
    hash: bool,
}

/// One batch and what is to be known of its pictures.
pub struct Prepared {
    /// What the network gets.
    pub batch: Batch,
    /// Per picture, in order.
    pub facts: Vec<PictureFacts>,
}

/// What is to be known of one picture.
#[derive(Debug, Clone, Default)]
pub struct PictureFacts {
    /// SHA-256 of its file, if hashing was asked for.
    pub digest: [u8; 32],
    /// It was 16-bit grey, of which 8 bits were taken.
    pub deep_grey: bool,
    /// It was smaller than the crop and got a black border.
    pub padded: bool,
    /// Some of its pixels were transparent.
    pub transparent: bool,
    /// It states an orientation that was not applied.
    pub not_turned: bool,
    /// What libjpeg said about it.
    pub warnings: Option<Warnings>,
    /// Why it could not be decoded; the batch holds zeros in its place.
    pub bad: Option<String>,
}

impl Feed<'_> {
    /// The batch of these pictures; the first one that cannot be used stops it.
    pub fn prepare(&self, stimuli: &[Stimulus]) -> Result<Prepared> {
        let (batch, facts) = match self.input.element {
            Element::F16 => {
                let tables = self.tables.map(|table| table.map(f16::from_f32));
                let (values, facts) = self.fill(stimuli, &tables, f16::ZERO)?;
                (Batch::F16(values), facts)
            }
            Element::U8 => {
                let tables = [std::array::from_fn(|level| level as u8); 3];
                let (values, facts) = self.fill(stimuli, &tables, 0)?;
                (Batch::U8(values), facts)
            }
            _ => {
                let (values, facts) = self.fill(stimuli, &self.tables, 0.0)?;
                (Batch::F32(values), facts)
            }
        };
        Ok(Prepared { batch, facts })
    }

    /// The batch of one picture that has the feed's size already.
    pub fn painted(&self, picture: &Picture) -> Batch {
        let (layout, channels) = (self.input.layout, self.input.channels);
        let n_values = self.shown.size.height * self.shown.size.width * channels;
        let put = |tables: &[[f32; 256]; 3]| {
            let mut values = vec![0.0; n_values];
            arrange(picture, tables, self.shown.steps.color, (layout, channels), &mut values);
            values
        };
        match self.input.element {
            Element::F16 => Batch::F16(put(&self.tables).into_iter().map(f16::from_f32).collect()),
            Element::U8 => {
                let levels = [std::array::from_fn(|level| level as f32); 3];
                Batch::U8(put(&levels).into_iter().map(|level| level as u8).collect())
            }
            _ => Batch::F32(put(&self.tables)),
        }
    }

    fn fill<T: Copy + Send + Sync>(
        &self,
        stimuli: &[Stimulus],
        tables: &[[T; 256]; 3],
        zero: T,
    ) -> Result<(Vec<T>, Vec<PictureFacts>)> {
        let n_values = self.shown.size.height * self.shown.size.width * self.input.channels;
        let mut values = vec![zero; stimuli.len() * n_values];
        // Collected before the first error is looked for: which one stops must not depend on threads.
        let outcomes: Vec<Result<PictureFacts>> = values
            .par_chunks_exact_mut(n_values)
            .zip(stimuli)
            .map(|(out, stimulus)| {
                let (picture, mut facts) = self.load(stimulus);
                match picture {
                    Ok(picture) => {
                        arrange(&picture, tables, self.shown.steps.color, (self.input.layout, self.input.channels), out)
                    }
                    Err(error) if self.bad_image == BadImage::Nan => facts.bad = Some(format!("{error:#}")),
                    Err(error) => return Err(error),
                }
                Ok(facts)
            })
            .collect();
        let facts = outcomes.into_iter().collect::<Result<_>>()?;
        Ok((values, facts))
    }

    fn load(&self, stimulus: &Stimulus) -> (Result<Picture>, PictureFacts) {
        let mut facts = PictureFacts::default();
        let picture = self.fitted(stimulus, &mut facts).with_context(|| stimulus.path.display().to_string());
        (picture, facts)
    }

    fn fitted(&self, stimulus: &Stimulus, facts: &mut PictureFacts) -> Result<Picture> {
        let bytes = fs::read(&stimulus.path)?;
        if self.hash {
            facts.digest = Sha256::digest(&bytes).into();
        }
        let decoded = decode(&bytes, &self.shown.reading)?;
        facts.deep_grey = decoded.deep_grey;
        facts.transparent = decoded.transparent;
        facts.warnings = decoded.warnings;
        let picture = match self.input.channels {
            1 => decoded.picture.into_grey(),
            _ => decoded.picture,
        };
        let applied = orientation(&bytes, self.shown.reading.exif);
        facts.not_turned = applied != orientation(&bytes, true);
        let upright = applied.turn(picture);
        let picture = self.shown.steps.fit(&upright);
        let size = Size { height: picture.height, width: picture.width };
        ensure!(
            size == self.shown.size,
            "{size} pixels, but the first picture has {}; make them alike with --resize HxW or --resize N --crop N",
            self.shown.size
        );
        facts.padded = self.shown.steps.pads(Size { height: upright.height, width: upright.width });
        Ok(picture)
    }
}

/// Hands each chunk's batch to `take`, in order, while the next ones are being prepared.
pub fn prepare_ahead<'a>(
    feed: &Feed,
    chunks: impl Iterator<Item = &'a [Stimulus]> + Send,
    mut take: impl FnMut(Prepared, &'a [Stimulus]) -> Result<()>,
) -> Result<()> {
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(BATCHES_AHEAD);
        let work = move || {
            for chunk in chunks {
                let prepared = feed.prepare(chunk);
                let failed = prepared.is_err();
                // A receiver that is gone has failed and says so itself.
                if sender.send((prepared, chunk)).is_err() || failed {
                    return;
                }
            }
        };
        thread::Builder::new().spawn_scoped(scope, work).context("the system refuses one more thread (ulimit -u)")?;
        receiver.iter().try_for_each(|(prepared, chunk)| take(prepared?, chunk))
    })
}

/// Writes a fitted picture into its place in a batch: `out` holds `height * width` values of each channel.
///
/// `tables` are indexed by red, green, blue; `color` and `layout` say where each goes. Where there is one channel
/// (`channels` is 1) the picture is grey, and the first of its equal colours is written.
pub fn arrange<T: Copy>(
    picture: &Picture,
    tables: &[[T; 256]; 3],
    color: Color,
    (layout, channels): (Layout, usize),
    out: &mut [T],
) {
    let n_pixels = picture.width * picture.height;
    debug_assert_eq!(out.len(), n_pixels * channels);
    if channels == 1 {
        for (value, pixel) in out.iter_mut().zip(picture.rgb.as_chunks::<3>().0) {
            *value = tables[0][usize::from(pixel[0])];
        }
        return;
    }
    for (colour, table) in tables.iter().enumerate() {
        let plane = match color {
            Color::Rgb => colour,
            Color::Bgr => 2 - colour,
        };
        let levels = picture.rgb.iter().skip(colour).step_by(3);
        match layout {
            Layout::Nchw => {
                let out = &mut out[plane * n_pixels..(plane + 1) * n_pixels];
                for (value, &level) in out.iter_mut().zip(levels) {
                    *value = table[usize::from(level)];
                }
            }
            Layout::Nhwc => {
                for (value, &level) in out.iter_mut().skip(plane).step_by(3).zip(levels) {
                    *value = table[usize::from(level)];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_where_the_layout_wants_them() {
        // Two pixels: (1, 2, 3) and (4, 5, 6).
        let picture = Picture { width: 2, height: 1, rgb: vec![1, 2, 3, 4, 5, 6] };
        let tables: [[u8; 256]; 3] = [std::array::from_fn(|level| level as u8); 3];
        let arranged = |color, layout| {
            let mut out = [0u8; 6];
            arrange(&picture, &tables, color, (layout, 3), &mut out);
            out
        };
        assert_eq!(arranged(Color::Rgb, Layout::Nchw), [1, 4, 2, 5, 3, 6]);
        assert_eq!(arranged(Color::Bgr, Layout::Nchw), [3, 6, 2, 5, 1, 4]);
        assert_eq!(arranged(Color::Rgb, Layout::Nhwc), [1, 2, 3, 4, 5, 6]);
        assert_eq!(arranged(Color::Bgr, Layout::Nhwc), [3, 2, 1, 6, 5, 4]);
        let grey = Picture { width: 2, height: 1, rgb: vec![7, 7, 7, 8, 8, 8] };
        let mut out = [0u8; 2];
        arrange(&grey, &tables, Color::Rgb, (Layout::Nhwc, 1), &mut out);
        assert_eq!(out, [7, 8]);
    }
}
