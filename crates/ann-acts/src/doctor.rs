//! `--doctor`: which preprocessing a network was made for, and how much it matters.
//!
//! One picture is shown to the network in every combination of resizing, interpolation, colour order and
//! normalization that networks are commonly trained with; what the classifier then says, if there is one, and
//! how far the chosen layer moves, tell a wrong step by sight.

use crate::bad_pictures::BadImage;
use crate::feed::Feed;
use crate::images::Stimulus;
use crate::network::{Element, Network};
use crate::picture::Reading;
use crate::preprocess::{Color, Preprocessing, Preset, Resize, Size};
use crate::resample::Interpolation;
use anyhow::{Result, bail, ensure};
use cli::{Cell, TableWriter};
use npy_stream::Block;

/// The columns of the table.
pub const COLUMNS: [&str; 11] = [
    "variant",
    "resize",
    "crop",
    "interpolation",
    "color",
    "normalization",
    "rank",
    "label",
    "score",
    "r",
    "relative_l2",
];

/// One way to prepare the picture.
struct Variant {
    steps: Preprocessing,
    normalization: &'static str,
}

/// The effective steps first, then every combination that ends with the same size.
fn variants(own: Preprocessing, size: Size, levels_only: bool, channels: usize) -> Vec<Variant> {
    let mut variants = vec![Variant { steps: own, normalization: "as asked" }];
    let short = size.height.min(size.width);
    // Torchvision's proportion: 256 for a crop of 224.
    let larger = (short * 256 + 112) / 224;
    for (resize, crop) in
        [(Resize::ShortSide(larger), Some(size)), (Resize::ShortSide(short), Some(size)), (Resize::Exact(size), None)]
    {
        for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic] {
            for color in [Color::Rgb, Color::Bgr] {
                for preset in Preset::ALL {
                    let values = preset.steps();
                    if levels_only && !values.keeps_levels() {
                        continue;
                    }
                    let steps = Preprocessing {
                        resize,
                        crop,
                        interpolation,
                        color,
                        scale: values.scale,
                        mean: values.mean,
                        std: values.std,
                        grey: false,
                        ..own
                    };
                    // A grey network has no order of colours, and one mean.
                    if steps.misfit(channels).is_none() {
                        variants.push(Variant { steps, normalization: preset.name() });
                    }
                }
            }
        }
    }
    variants
}

/// What the network makes of one variant: the layer, and the classifier's output if there is one.
struct Answer {
    layer: Vec<f64>,
    classes: Option<Vec<f64>>,
}

/// Where the layer and the classifier stand among the network's outputs.
pub struct Watched {
    /// The layer whose movement is measured.
    pub layer: usize,
    /// The classifier.
    pub classes: Option<usize>,
}

/// Writes the table: for each variant its `top` classes (one line without any where there is no classifier).
pub fn examine<W: std::io::Write>(
    network: &mut Network,
    picture: &Stimulus,
    (own, size, reading): (Preprocessing, Size, Reading),
    watched: &Watched,
    (labels, top): (&[String], usize),
    mut table: TableWriter<W>,
) -> Result<TableWriter<W>> {
    let mut first: Option<Vec<f64>> = None;
    let channels = network.input.channels;
    if let Some(misfit) = own.misfit(channels) {
        bail!("{misfit}");
    }
    let variants = variants(own, size, network.input.element == Element::U8, channels);
    for (i, Variant { steps, normalization }) in variants.iter().enumerate() {
        let answer = answer(network, picture, (steps, size, reading), watched)?;
        let reference = first.get_or_insert_with(|| answer.layer.clone());
        let r = statistics::pearson(reference, &answer.layer);
        let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
        let moved = square(&mut reference.iter().zip(&answer.layer).map(|(a, b)| a - b)).sqrt();
        let relative = moved / square(&mut reference.iter().copied()).sqrt();
        let scores = answer.classes.map(probabilities);
        let mut ranked: Vec<usize> = (0..scores.as_ref().map_or(0, Vec::len)).collect();
        if let Some(scores) = &scores {
            ensure!(
                labels.is_empty() || labels.len() == scores.len(),
                "--labels has {} lines, the classifier {} classes",
                labels.len(),
                scores.len()
            );
            // Stable: of equal scores the lower class comes first.
            ranked.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        }
        let shown = ranked.into_iter().take(top).map(Some).collect::<Vec<_>>();
        let shown = if shown.is_empty() { vec![None] } else { shown };
        for (rank, class) in shown.into_iter().enumerate() {
            let label = class.map(|class| labels.get(class).cloned().unwrap_or_else(|| class.to_string()));
            let score = class.and_then(|class| scores.as_ref().map(|scores| scores[class]));
            let row: [Cell; 11] = [
                i.into(),
                steps.resize.to_string().into(),
                steps.crop.map_or("none".to_string(), |crop| crop.to_string()).into(),
                steps.interpolation.name().into(),
                steps.color.name().into(),
                (*normalization).into(),
                class.map(|_| rank + 1).into(),
                label.into(),
                score.into(),
                r.into(),
                relative.into(),
            ];
            table.row(&row)?;
        }
    }
    Ok(table)
}

fn answer(
    network: &mut Network,
    picture: &Stimulus,
    (steps, size, reading): (&Preprocessing, Size, Reading),
    watched: &Watched,
) -> Result<Answer> {
    let input = network.input.clone();
    let feed = Feed::new(steps, &input, size, false).reading(reading, BadImage::Stop);
    let batch = feed.prepare(std::slice::from_ref(picture))?.batch;
    let n_run = input.batch.fixed().unwrap_or(1);
    let wanted: Vec<usize> = [watched.layer].into_iter().chain(watched.classes).collect();
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); wanted.len()];
    network.run(batch, (1, n_run), size, &wanted, |slot, block| {
        rows[slot] = match block {
            Block::F4(block) => block.iter().map(|&v| f64::from(v)).collect(),
            Block::F8(block) => block.iter().copied().collect(),
        };
        Ok(())
    })?;
    let classes = watched.classes.and_then(|_| rows.pop());
    Ok(Answer { layer: rows.swap_remove(0), classes })
}

/// The values themselves where they are probabilities already, else their softmax.
fn probabilities(values: Vec<f64>) -> Vec<f64> {
    let sum: f64 = values.iter().sum();
    if values.iter().all(|v| (0.0..=1.0).contains(v)) && (sum - 1.0).abs() < 1e-3 {
        return values;
    }
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raised: Vec<f64> = values.iter().map(|v| (v - largest).exp()).collect();
    let sum: f64 = raised.iter().sum();
    raised.into_iter().map(|v| v / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_probabilities() {
        assert_eq!(probabilities(vec![0.25, 0.75]), [0.25, 0.75]);
        let soft = probabilities(vec![0.0, 3f64.ln()]);
        assert!((soft[0] - 0.25).abs() < 1e-12 && (soft[1] - 0.75).abs() < 1e-12);
    }

    #[test]
    fn every_variant_ends_with_the_size_of_the_network() {
        let size = Size { height: 224, width: 224 };
        let all = variants(Preset::Imagenet.steps(), size, false, 3);
        assert_eq!(all.len(), 1 + 3 * 2 * 2 * 6);
        assert!(all.iter().all(|variant| variant.steps.fixed_size() == Some(size)));
        assert_eq!(all[1].steps.resize, Resize::ShortSide(256));
        assert_eq!(variants(Preset::Raw255.steps(), size, true, 3).len(), 1 + 3 * 2 * 2);
        // imagenet and clip have a mean for each colour.
        assert_eq!(variants(Preset::Tf.steps(), size, false, 1).len(), 1 + 3 * 2 * 4);
    }
}
