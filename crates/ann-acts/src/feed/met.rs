//! What was met in the pictures of a run that a reader of its numbers should know, counted and said.

use crate::feed::PictureFacts;
use crate::feed::damaged::BadPictures;
use crate::pictures::stimuli::{PicturesDigest, Stimulus, digest_text};
use crate::pictures::{Grey16, Reading};
use cli::Job;
use serde_json::{Map, Value, json};

/// Counts over the pictures so far.
#[derive(Default)]
pub struct Met {
    /// Pictures so far.
    pub n: usize,
    /// Pictures of 16-bit grey.
    deep_grey: usize,
    /// Pictures smaller than the crop.
    padded: usize,
    /// Pictures with pixels that are not opaque.
    transparent: usize,
    /// Pictures that state an orientation which was not applied.
    not_turned: usize,
    /// JPEG files about which libjpeg said something.
    with_warnings: usize,
    /// All that it said.
    n_warnings: usize,
    /// The first of that, with the name of the file.
    first_warning: Option<String>,
    /// Pictures that could not be decoded.
    pub bad: BadPictures,
    /// Of the contents of all pictures.
    pub digest: PicturesDigest,
}

impl Met {
    /// What an earlier run had met in its pictures (the first of `stimuli`, of which these are the digests), from what
    /// [`Met::to_json`] gave.
    pub fn from_json(value: &Value, digests: &[String], stimuli: &[Stimulus]) -> Self {
        let count = |key: &str| value[key].as_u64().unwrap_or(0) as usize;
        let mut met = Self {
            n: digests.len(),
            deep_grey: count("deep_grey"),
            padded: count("padded"),
            transparent: count("transparent"),
            not_turned: count("not_turned"),
            with_warnings: count("with_warnings"),
            n_warnings: count("n_warnings"),
            first_warning: value["first_warning"].as_str().map(String::from),
            bad: BadPictures::from_json(&value["bad"]),
            digest: PicturesDigest::default(),
        };
        for (digest, stimulus) in digests.iter().zip(stimuli) {
            met.digest.add(digest, &stimulus.id);
        }
        met
    }

    /// The counts for a journal.
    pub fn to_json(&self) -> Value {
        json!({
            "deep_grey": self.deep_grey, "padded": self.padded, "transparent": self.transparent,
            "not_turned": self.not_turned, "with_warnings": self.with_warnings, "n_warnings": self.n_warnings,
            "first_warning": self.first_warning, "bad": self.bad.to_json()
        })
    }

    /// Takes in one more batch and gives the rows in it of pictures that could not be decoded.
    pub fn add(&mut self, facts: &[PictureFacts], stimuli: &[Stimulus]) -> Vec<usize> {
        self.n += stimuli.len();
        for (facts, stimulus) in facts.iter().zip(stimuli) {
            self.deep_grey += usize::from(facts.deep_grey);
            self.padded += usize::from(facts.padded);
            self.transparent += usize::from(facts.transparent);
            self.not_turned += usize::from(facts.not_turned);
            if let Some(warnings) = &facts.warnings {
                self.with_warnings += 1;
                self.n_warnings += warnings.n;
                self.first_warning.get_or_insert_with(|| format!("{}: {}", stimulus.path.display(), warnings.text));
            }
            self.digest.add(&digest_text(&facts.digest), &stimulus.id);
        }
        self.bad.add(facts, stimuli)
    }

    /// A line on stderr for each kind that was met among `n` pictures, and the counts for the sidecar.
    pub fn report(&self, job: &Job, n: usize, reading: &Reading) {
        if self.transparent > 0 {
            let done = match reading.background {
                Some([red, green, blue]) => format!("they were laid on {red},{green},{blue}"),
                None => "the colours stored under the transparency were taken, as by Pillow's convert(\"RGB\") \
                         (--background R,G,B shows a colour there)"
                    .to_string(),
            };
            job.warn(format_args!("{} of {n} pictures are transparent in places; {done}", self.transparent));
        }
        if self.not_turned > 0 {
            job.warn(format_args!(
                "{} of {n} pictures state an EXIF orientation and were shown as they are stored, as by Pillow's \
                 Image.open (--exif turns them upright)",
                self.not_turned
            ));
        }
        if let Some(first) = &self.first_warning {
            job.warn(format_args!(
                "libjpeg warned {} times about {} of {n} pictures, which were taken as it left them; the first: \
                 {first}",
                self.n_warnings, self.with_warnings
            ));
        }
        if self.deep_grey > 0 {
            let done = match reading.grey16 {
                Grey16::High => "their high byte was taken (Pillow clips them at 255: --grey16 clip)",
                Grey16::Clip => "they were clipped at 255 as Pillow does (--grey16 high takes their high byte)",
            };
            job.warn(format_args!("{} of {n} pictures are 16-bit grey; {done}", self.deep_grey));
        }
        if self.padded > 0 {
            job.warn(format_args!(
                "{} of {n} pictures are smaller than the crop; black was put around them",
                self.padded
            ));
        }
        let counts =
            [("transparent", self.transparent), ("not_turned", self.not_turned), ("jpeg_warnings", self.with_warnings)];
        let met: Map<String, Value> =
            counts.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name.to_string(), n.into())).collect();
        if !met.is_empty() {
            job.record("pictures", met);
        }
        self.bad.report(job, n);
    }
}
