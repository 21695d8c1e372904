//! Thumbnails: which file shows a stimulus, made small and embedded.

use crate::look::Session;
use anyhow::{Context, Result, bail};
use array_inputs::folder_of;
use cli::Input;
use drawing::{Chart, Thumbnail, draw};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageReader, RgbImage};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use stimulus_table::StimulusTable;

/// The option that says where the pictures are.
#[derive(Debug, clap::Args)]
pub(crate) struct ImageArgs {
    /// Pictures of the stimuli: their table, with paths, or a folder (ids are paths or names of files below it)
    #[arg(long, value_name = "DIR|TABLE")]
    images: Option<Input>,
}

/// The file of every stimulus.
pub(crate) struct Pictures {
    files: HashMap<String, PathBuf>,
    source: String,
}

/// The largest SVG, in bytes, whatever is embedded in it.
const MOST_BYTES: usize = 195_000;
/// The longer side of a thumbnail in pixels, at most and at least.
const LARGEST: u32 = 64;
const SMALLEST: u32 = 16;
/// Quality of JPEG, of 100.
const QUALITY: u8 = 80;

impl ImageArgs {
    /// The files, where pictures are asked for.
    pub(crate) fn read(&self, session: &Session) -> Result<Option<Pictures>> {
        let Some(input) = &self.images else { return Ok(None) };
        let source = input.to_string();
        let files = match input.path() {
            Some(folder) if folder.is_dir() => of_folder(folder)?,
            _ => {
                let mut bytes = Vec::new();
                session.job.open(input)?.reader().read_to_end(&mut bytes).with_context(|| source.clone())?;
                let table = StimulusTable::read(bytes.as_slice()).with_context(|| source.clone())?;
                let paths = table.paths(folder_of(input)).with_context(|| source.clone())?;
                table.ids().iter().cloned().zip(paths).collect()
            }
        };
        Ok(Some(Pictures { files, source }))
    }
}

/// Every file below a folder under each name that an id may have: its path below the folder, the same without its
/// ending, and its own name without the folders where no other file has it.
fn of_folder(folder: &Path) -> Result<HashMap<String, PathBuf>> {
    let mut found = Vec::new();
    visit(folder, &mut found)?;
    found.sort();
    let below = |path: &Path| path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
    let mut files = HashMap::new();
    type Name<'a> = &'a dyn Fn(&Path) -> Option<String>;
    let stem = |path: &Path| Some(path.file_stem()?.to_string_lossy().into_owned());
    let names: [Name; 4] = [
        &|path| Some(below(path)),
        &|path| Some(below(&path.with_extension(""))),
        &|path| Some(path.file_name()?.to_string_lossy().into_owned()),
        &stem,
    ];
    for name in names {
        let mut of_name: HashMap<String, Vec<&PathBuf>> = HashMap::new();
        for path in &found {
            if let Some(name) = name(path) {
                of_name.entry(name).or_default().push(path);
            }
        }
        for (name, paths) in of_name {
            // A name that several files have is none of theirs.
            if let [one] = paths[..] {
                files.entry(name).or_insert_with(|| one.clone());
            }
        }
    }
    Ok(files)
}

/// Files below a folder; links to folders are not followed, hidden names are left out.
fn visit(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let name = || folder.display().to_string();
    for entry in std::fs::read_dir(folder).with_context(name)? {
        let entry = entry.with_context(name)?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type().with_context(name)?;
        match kind.is_dir() {
            true => visit(&entry.path(), found)?,
            false => found.push(entry.path()),
        }
    }
    Ok(())
}

/// What was embedded.
pub(crate) struct Embedded {
    /// For each stimulus asked for, in order, the place of its picture; those behind the room are none.
    pub(crate) places: Vec<Option<usize>>,
    /// How many could not be embedded.
    pub(crate) n_left_out: usize,
}

impl Pictures {
    /// Embeds the pictures of these stimuli (each may be named more than once), the first ones where there is not
    /// room for all, as thumbnails that are drawn `mm` long. `chart` is the figure as it is without them: what it
    /// takes is not free for pictures, and neither is what `n_uses` of them take.
    pub(crate) fn embed(
        &self,
        session: &Session,
        chart: &mut Chart,
        ids: &[&str],
        n_uses: usize,
        mm: f64,
    ) -> Result<Embedded> {
        let mut distinct: Vec<&str> = Vec::new();
        let mut place_of: HashMap<&str, usize> = HashMap::new();
        for &id in ids {
            place_of.entry(id).or_insert_with(|| {
                distinct.push(id);
                distinct.len() - 1
            });
        }
        let lacking: Vec<&&str> = distinct.iter().filter(|id| !self.files.contains_key(**id)).collect();
        if let Some(first) = lacking.first() {
            bail!(
                "--images {}: has no picture of stimulus {first:?}; {} of {} that are drawn are not there",
                self.source,
                lacking.len(),
                distinct.len()
            );
        }
        // 300 dots per inch are what a print shows.
        let wanted = ((mm / 25.4 * 300.0).ceil() as u32).clamp(SMALLEST, LARGEST);
        // Every use of a picture is a line of its own in the document.
        chart.pictures = vec![Thumbnail::jpeg(&[], [1, 1])];
        let room = MOST_BYTES.saturating_sub(draw(chart).svg.len() + 170 * n_uses);
        // The smallest JPEG has 600 bytes of tables: of so many no others could be embedded.
        let n_read = distinct.len().min(room / 800 + 1);
        let mut small = Vec::with_capacity(n_read);
        for id in &distinct[..n_read] {
            small.push(read(session, &self.files[*id])?);
        }
        let mut size = wanted;
        loop {
            let made = small.iter().map(|picture| thumbnail(picture, size)).collect::<Result<Vec<_>>>()?;
            let all: usize = made.iter().map(Thumbnail::n_bytes).sum();
            if all > room && size > SMALLEST {
                size = (size * 4 / 5).max(SMALLEST);
                continue;
            }
            let mut used = 0;
            chart.pictures = made
                .into_iter()
                .take_while(|picture| {
                    used += picture.n_bytes();
                    used <= room
                })
                .collect();
            break;
        }
        let n = chart.pictures.len();
        let places = ids.iter().map(|id| place_of.get(id).copied().filter(|&place| place < n)).collect();
        let n_left_out = distinct.len() - n;
        if n_left_out > 0 {
            session.job.note(format!(
                "{} of {} pictures are drawn: an SVG with all of them would have more than 200 kB",
                n,
                distinct.len()
            ));
        }
        Ok(Embedded { places, n_left_out })
    }
}

/// A picture, upright, no larger than a thumbnail.
fn read(session: &Session, path: &Path) -> Result<RgbImage> {
    let name = || path.display().to_string();
    let mut bytes = Vec::new();
    session.job.open(&Input::File(path.to_path_buf()))?.reader().read_to_end(&mut bytes).with_context(name)?;
    if bytes.starts_with(&[0xFF, 0xD8]) && !is_whole(&bytes) {
        bail!("{}: a JPEG file of {} bytes that is cut off: it has no end (EOI)", path.display(), bytes.len());
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().with_context(name)?;
    let not_read = || format!("{}: cannot be read as a picture", path.display());
    let mut decoder = reader.into_decoder().with_context(not_read)?;
    let orientation = decoder.orientation().with_context(not_read)?;
    let mut picture = DynamicImage::from_decoder(decoder).with_context(not_read)?;
    picture.apply_orientation(orientation);
    Ok(smaller(picture.to_rgb8(), LARGEST))
}

/// Whether a JPEG file has an end (ITU T.81, annex B): the decoder makes grey of what is missing, and says nothing.
fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == 0xFF)) {
        at += found + 1;
        match bytes.get(at) {
            None => return false,
            Some(0xD9) => return true,
            // A zero behind FF is a byte of pixels; FF may be repeated; restarts and TEM stand alone.
            Some(0x00 | 0x01 | 0xD0..=0xD8 | 0xFF) => {}
            // What a segment holds (a small picture has an end of its own) is passed over.
            Some(_) => match bytes.get(at + 1..at + 3) {
                Some(length) => at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return false,
            },
        }
    }
    false
}

/// A picture whose longer side is at most this; a smaller one stays as it is.
fn smaller(picture: RgbImage, longest: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    if longer <= longest {
        return picture;
    }
    let of = |side: u32| ((f64::from(side) * f64::from(longest) / f64::from(longer)).round() as u32).max(1);
    image::imageops::resize(&picture, of(width), of(height), FilterType::Triangle)
}

fn thumbnail(picture: &RgbImage, longest: u32) -> Result<Thumbnail> {
    let picture = smaller(picture.clone(), longest);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(&picture)?;
    Ok(Thumbnail::jpeg(&bytes, picture.dimensions().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_every_name_that_no_other_has() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["faces/1.png", "places/1.png", "faces/2.jpg", ".hidden/3.png"] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let files = of_folder(dir.path()).unwrap();
        let of = |id: &str| files.get(id).map(|path| path.strip_prefix(dir.path()).unwrap().to_str().unwrap());
        assert_eq!((of("faces/1.png"), of("faces/1")), (Some("faces/1.png"), Some("faces/1.png")));
        assert_eq!((of("2"), of("2.jpg"), of("1"), of("3")), (Some("faces/2.jpg"), Some("faces/2.jpg"), None, None));
    }

    #[test]
    fn a_jpeg_file_that_is_cut_anywhere_is_not_whole() {
        let picture = RgbImage::from_fn(40, 30, |x, y| image::Rgb([(x * 6) as u8, (y * 8) as u8, (x * y) as u8]));
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&picture).unwrap();
        assert!(is_whole(&bytes));
        (2..bytes.len()).for_each(|n| assert!(!is_whole(&bytes[..n]), "{n} of {}", bytes.len()));
        // A small picture in a segment has its own end; bytes behind the end are nobody's.
        let mut with_small = vec![0xFF, 0xD8, 0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xD8, 0xFF, 0xD9];
        assert!(!is_whole(&with_small));
        with_small.extend(&bytes[2..]);
        with_small.extend(b"more");
        assert!(is_whole(&with_small));
    }

    #[test]
    fn thumbnails_keep_their_form_and_are_never_enlarged() {
        let of = |width, height, longest| smaller(RgbImage::new(width, height), longest).dimensions();
        assert_eq!((of(640, 320, 64), of(10, 1000, 64), of(8, 8, 64)), ((64, 32), (1, 64), (8, 8)));
    }
}
