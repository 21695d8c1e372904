//! The size that every picture ends with, found from the headers before long work starts.

use crate::pictures::headers::{size_of, stated_orientation};
use crate::pictures::stimuli::Stimulus;
use crate::pictures::{Reading, Size};
use crate::preprocessing::Preprocessing;
use anyhow::{Context, Result, bail};
use rayon::prelude::*;

/// The size that every picture ends with, after the headers of all were found sound.
///
/// The first picture that cannot be used stops it, and the message counts the others.
pub fn final_size(stimuli: &[Stimulus], steps: &Preprocessing, reading: &Reading) -> Result<Size> {
    let fixed = steps.fixed_size();
    let sizes: Vec<Result<Size>> = stimuli
        .par_iter()
        .map(|stimulus| {
            let path = &stimulus.path;
            let size = size_of(path).with_context(|| path.display().to_string())?;
            match fixed {
                Some(fixed) => Ok(fixed),
                None => Ok(steps.resize.target(stated_orientation(path, reading)?.size(size))),
            }
        })
        .collect();
    let n_unusable = sizes.iter().filter(|size| size.is_err()).count();
    let mut sound = Vec::with_capacity(sizes.len());
    for size in sizes {
        match size {
            Ok(size) => sound.push(size),
            Err(error) if n_unusable == 1 => return Err(error),
            Err(error) => bail!("{error:#} ({n_unusable} of {} pictures cannot be used)", stimuli.len()),
        }
    }
    let Some(&first) = sound.first() else { bail!("no pictures given") };
    let mut others = stimuli.iter().zip(&sound).filter(|(_, size)| **size != first);
    if let Some((stimulus, size)) = others.next() {
        bail!(
            "{}: {size} pixels, but the first picture has {first} ({} of {} differ from it); \
             make them alike with --resize HxW or --resize N --crop N",
            stimulus.path.display(),
            1 + others.count(),
            stimuli.len()
        );
    }
    Ok(first)
}
