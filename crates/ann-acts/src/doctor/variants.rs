//! The ways of preparing a picture that networks are commonly trained with.

use crate::pictures::Size;
use crate::pictures::resample::Interpolation;
use crate::preprocessing::preset::Preset;
use crate::preprocessing::{Color, Preprocessing, Resize};

/// One way to prepare the picture.
pub struct Variant {
    /// The steps.
    pub steps: Preprocessing,
    /// The preset that its scale, mean and standard deviation are of.
    pub normalization: &'static str,
}

/// The effective steps first, then every combination that ends with the same size.
pub fn variants(own: Preprocessing, size: Size, levels_only: bool, channels: usize) -> Vec<Variant> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
