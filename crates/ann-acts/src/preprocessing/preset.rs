//! Preprocessing by name: the steps that common networks were trained with.

use crate::pictures::Size;
use crate::pictures::resample::Interpolation;
use crate::preprocessing::{Color, CropRule, Origin, Preprocessing, Resize, Scale};

/// A named set of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// torchvision's ImageNet evaluation: short side 256 bilinear, crop 224, `(x/255 - mean) / std`.
    Imagenet,
    /// Keras mode `tf`: 224x224 bilinear, `x/127.5 - 1`.
    Tf,
    /// OpenAI CLIP: short side 224 bicubic, crop 224, CLIP's mean and std.
    Clip,
    /// EfficientNet-lite: short side 256 bicubic, crop 224, `(x - 127) / 128`.
    EfficientnetLite,
    /// The picture as it is, `x/255`.
    Raw01,
    /// The picture as it is, `x` from 0 to 255.
    Raw255,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 6] =
        [Self::Imagenet, Self::Tf, Self::Clip, Self::EfficientnetLite, Self::Raw01, Self::Raw255];

    /// The name used on the command line and in sidecars.
    pub fn name(self) -> &'static str {
        match self {
            Self::Imagenet => "imagenet",
            Self::Tf => "tf",
            Self::Clip => "clip",
            Self::EfficientnetLite => "efficientnet-lite",
            Self::Raw01 => "raw01",
            Self::Raw255 => "raw255",
        }
    }

    /// All its steps.
    pub fn steps(self) -> Preprocessing {
        let square = |n| Size { height: n, width: n };
        let plain = Preprocessing {
            origin: Origin::Preset(self.name()),
            resize: Resize::Keep,
            crop: None,
            crop_rule: CropRule::HalfEven,
            border: [0; 3],
            interpolation: Interpolation::Bilinear,
            scale: Scale::Divide(255.0),
            mean: [0.0; 3],
            std: [1.0; 3],
            color: Color::Rgb,
            grey: false,
        };
        match self {
            Self::Imagenet => Preprocessing {
                resize: Resize::ShortSide(256),
                crop: Some(square(224)),
                mean: [0.485, 0.456, 0.406],
                std: [0.229, 0.224, 0.225],
                ..plain
            },
            Self::Tf => Preprocessing {
                resize: Resize::Exact(square(224)),
                scale: Scale::Divide(127.5),
                mean: [1.0; 3],
                ..plain
            },
            Self::Clip => Preprocessing {
                resize: Resize::ShortSide(224),
                crop: Some(square(224)),
                interpolation: Interpolation::Bicubic,
                mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
                std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
                ..plain
            },
            Self::EfficientnetLite => Preprocessing {
                resize: Resize::ShortSide(256),
                crop: Some(square(224)),
                interpolation: Interpolation::Bicubic,
                scale: Scale::Divide(1.0),
                mean: [127.0; 3],
                std: [128.0; 3],
                ..plain
            },
            Self::Raw01 => plain,
            Self::Raw255 => Preprocessing { scale: Scale::Divide(1.0), ..plain },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocessing::{Overrides, PreprocessError};

    fn square(n: usize) -> Size {
        Size { height: n, width: n }
    }

    #[test]
    fn values_are_those_of_the_preset() {
        let table = |preset: Preset| preset.steps().tables();
        assert_eq!(table(Preset::Tf)[0][0], -1.0);
        assert_eq!(table(Preset::Tf)[2][255], 1.0);
        assert_eq!(table(Preset::EfficientnetLite)[1][127], 0.0);
        assert_eq!(table(Preset::EfficientnetLite)[1][255], 1.0);
        assert_eq!(table(Preset::Raw01)[0][51], 51.0f32 / 255.0);
        assert_eq!(table(Preset::Raw255)[0][51], 51.0);
        // Green 128: .501961 - .456 = .045961, over .224 = .205182.
        let green = table(Preset::Imagenet)[1][128];
        assert!((green - 0.205_182).abs() < 1e-6, "{green}");
        assert!(Preset::Raw255.steps().keeps_levels() && !Preset::Raw01.steps().keeps_levels());
    }

    #[test]
    fn overrides_replace_and_contradictions_are_refused() {
        let with = |overrides| Preset::Imagenet.steps().with(overrides);
        let exact = with(Overrides { resize: Some(Resize::Exact(square(150))), ..Default::default() }).unwrap();
        assert_eq!((exact.crop, exact.fixed_size()), (None, Some(square(150))));
        let outgrown = with(Overrides { resize: Some(Resize::ShortSide(128)), ..Default::default() });
        assert!(matches!(outgrown, Err(PreprocessError::CropOutgrown { .. })));
        let both =
            Overrides { resize: Some(Resize::ShortSide(128)), crop: Some(Some(square(112))), ..Default::default() };
        assert_eq!(with(both).unwrap().fixed_size(), Some(square(112)));
        let grey_levels = with(Overrides { mean: Some([123.7, 116.3, 103.5]), ..Default::default() });
        assert!(matches!(grey_levels, Err(PreprocessError::MeanUnits { .. })));
        let fractions = Preset::Raw255.steps().with(Overrides { mean: Some([0.5; 3]), ..Default::default() });
        assert!(matches!(fractions, Err(PreprocessError::MeanUnits { .. })));
        for std in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(with(Overrides { std: Some([1.0, std, 1.0]), ..Default::default() }).is_err());
        }
    }
}
