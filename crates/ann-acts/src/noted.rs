//! What was met in the pictures of a run that a reader of its numbers should know, counted and said.

use crate::feed::PictureFacts;
use crate::picture::Reading;
use cli::Job;
use serde_json::{Value, json};

/// Counts over the pictures so far.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Noted {
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
}

impl Noted {
    /// Those of an earlier run, from what [`Noted::to_json`] gave.
    pub fn from_json(value: &Value) -> Self {
        let count = |key: &str| value[key].as_u64().unwrap_or(0) as usize;
        Self {
            transparent: count("transparent"),
            not_turned: count("not_turned"),
            with_warnings: count("with_warnings"),
            n_warnings: count("n_warnings"),
            first_warning: value["first_warning"].as_str().map(String::from),
        }
    }

    /// The counts for a journal.
    pub fn to_json(&self) -> Value {
        json!({
            "transparent": self.transparent, "not_turned": self.not_turned, "with_warnings": self.with_warnings,
            "n_warnings": self.n_warnings, "first_warning": self.first_warning
        })
    }

    /// Counts one more picture.
    pub fn add(&mut self, facts: &PictureFacts, path: &std::path::Path) {
        self.transparent += usize::from(facts.transparent);
        self.not_turned += usize::from(facts.not_turned);
        if let Some(warnings) = &facts.warnings {
            self.with_warnings += 1;
            self.n_warnings += warnings.n;
            self.first_warning.get_or_insert_with(|| format!("{}: {}", path.display(), warnings.text));
        }
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
                "libjpeg warned {} times about {} of {n} pictures, which were taken as it left them; the first: {first}",
                self.n_warnings, self.with_warnings
            ));
        }
        let counts =
            [("transparent", self.transparent), ("not_turned", self.not_turned), ("jpeg_warnings", self.with_warnings)];
        let met: serde_json::Map<String, Value> =
            counts.into_iter().filter(|(_, n)| *n > 0).map(|(name, n)| (name.to_string(), n.into())).collect();
        if !met.is_empty() {
            job.record("pictures", met);
        }
    }
}
