//! Configurations as they stand in public repositories, and what their libraries make of them.

use super::*;

fn steps(text: &str) -> Preprocessing {
    parse(text).unwrap().steps
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

const VIT: &str = r#"{"do_normalize": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    "resample": 2, "size": 224, "feature_extractor_type": "ViTFeatureExtractor"}"#;

const CLIP: &str = r#"{"crop_size": 224, "do_center_crop": true, "do_normalize": true, "do_resize": true,
    "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711], "resample": 3, "size": 224}"#;

const CONVNEXT: &str = r#"{"crop_pct": 0.875, "do_normalize": true, "do_resize": true,
    "feature_extractor_type": "ConvNextFeatureExtractor", "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225], "resample": 3, "size": SIZE}"#;

const MOBILEVIT: &str = r#"{"crop_size": {"height": 256, "width": 256}, "do_center_crop": true, "do_flip_channel_order": true,
    "do_resize": true, "do_rescale": true, "rescale_factor": 0.00392156862745098,
    "image_processor_type": "MobileViTImageProcessor", "resample": 2, "size": {"shortest_edge": 288}}"#;

#[test]
fn one_number_is_a_square_or_the_short_side_as_the_processor_has_it() {
    let vit = steps(VIT);
    assert_eq!((vit.resize, vit.crop), (Resize::Exact(square(224)), None));
    assert_eq!(
        (vit.interpolation, vit.mean, vit.scale),
        (Interpolation::Bilinear, [0.5; 3], Scale::Multiply(1.0 / 255.0))
    );
    let clip = steps(CLIP);
    assert_eq!((clip.resize, clip.crop), (Resize::ShortSide(224), Some(square(224))));
    assert_eq!((clip.interpolation, clip.crop_rule), (Interpolation::Bicubic, CropRule::Floor));
    let fast =
        VIT.replace("feature_extractor_type", "image_processor_type").replace("FeatureExtractor", "ImageProcessorFast");
    assert_eq!(steps(&fast), vit);
    let short = VIT.replace("224", r#"224, "default_to_square": false"#);
    assert_eq!(steps(&short).resize, Resize::ShortSide(224));
}

/// int(224 / .875) = 256; int(224 / .9) = 248; from 384 on the picture is warped.
#[test]
fn convnext_crops_below_384_and_warps_above() {
    let of = |size: &str| steps(&CONVNEXT.replace("SIZE", size));
    assert_eq!((of("224").resize, of("224").crop), (Resize::ShortSide(256), Some(square(224))));
    let edge = of(r#"{"shortest_edge": 384}"#);
    assert_eq!((edge.resize, edge.crop), (Resize::Exact(square(384)), None));
    let nine = CONVNEXT.replace("SIZE", "224").replace("0.875", "0.9");
    assert_eq!(steps(&nine).resize, Resize::ShortSide(248));
    let null = CONVNEXT.replace("SIZE", "224").replace("0.875", "null");
    assert_eq!(steps(&null).resize, Resize::ShortSide(256));
    assert!(refusal(&CONVNEXT.replace("SIZE", r#"{"height": 224, "width": 224}"#)).contains("size is"));
}

#[test]
fn levit_and_poolformer_enlarge_the_short_side_before_the_crop() {
    let levit = CLIP.replace("CLIPFeature", "LevitFeature");
    assert_eq!((steps(&levit).resize, steps(&levit).crop), (Resize::ShortSide(256), Some(square(224))));
    let pool =
        CLIP.replace("CLIPFeature", "PoolFormerFeature").replace("\"resample\"", "\"crop_pct\": 0.9, \"resample\"");
    assert_eq!(steps(&pool).resize, Resize::ShortSide(248));
    assert_eq!(steps(&pool.replace("0.9", "null")).resize, Resize::ShortSide(224));
    assert!(refusal(&CLIP.replace("CLIPFeature", "PoolFormerFeature")).contains("no field crop_pct"));
}

#[test]
fn mobilevit_wants_blue_first_and_no_mean() {
    let mobile = steps(MOBILEVIT);
    assert_eq!((mobile.color, mobile.mean, mobile.std), (Color::Bgr, [0.0; 3], [1.0; 3]));
    assert_eq!((mobile.resize, mobile.crop), (Resize::ShortSide(288), Some(square(256))));
    assert!(
        refusal(&MOBILEVIT.replace("\"do_flip_channel_order\": true,", "")).contains("no field do_flip_channel_order")
    );
}

#[test]
fn steps_that_are_off_leave_grey_levels() {
    let off = VIT.replace("\"do_normalize\": true", "\"do_normalize\": false, \"do_rescale\": false");
    assert!(steps(&off).keeps_levels());
    let keep = VIT.replace("\"do_resize\": true", "\"do_resize\": false");
    assert_eq!(steps(&keep).resize, Resize::Keep);
    let factor = VIT.replace("\"size\"", "\"rescale_factor\": 0.5, \"size\"");
    assert_eq!(steps(&factor).scale.apply(9), 4.5);
}

#[test]
fn what_cannot_be_followed_is_refused_by_name() {
    let with = |field: &str| VIT.replace("\"size\"", &format!("{field}, \"size\""));
    for (field, name) in [
        ("\"do_pad\": true", "do_pad is true"),
        ("\"rescale_offset\": true", "rescale_offset is true"),
        ("\"do_thumbnail\": true", "do_thumbnail is true"),
        ("\"do_center_crop\": true", "do_center_crop is true"),
        ("\"do_flip_channel_order\": true", "do_flip_channel_order is true"),
        ("\"do_rescale\": \"yes\"", "do_rescale is \"yes\""),
        ("\"rescale_factor\": 0", "rescale_factor is 0"),
    ] {
        let message = refusal(&with(field));
        assert!(message.contains(name) && message.contains("--preprocess NAME"), "{message}");
    }
    for (from, to, name) in [
        ("224", "[224, 224]", "size is [224,224]"),
        ("224", r#"{"shortest_edge": 224, "longest_edge": 500}"#, "longest_edge"),
        ("224", "224.5", "size is 224.5"),
        ("\"resample\": 2,", "", "no field resample"),
        ("\"resample\": 2", "\"resample\": 9", "resample is 9"),
        ("\"image_mean\": [0.5, 0.5, 0.5],", "", "no field image_mean"),
        ("\"image_mean\": [0.5, 0.5, 0.5]", "\"image_mean\": [0.5, 0.5]", "image_mean is [0.5,0.5]"),
        ("ViTFeatureExtractor", "PerceiverFeatureExtractor", "PerceiverFeatureExtractor is not among"),
        ("ViTFeatureExtractor", "DINOv3ViTImageProcessorFast", "DINOv3ViTImageProcessorFast is not among"),
    ] {
        assert!(refusal(&VIT.replace(from, to)).contains(name), "{to}: {}", refusal(&VIT.replace(from, to)));
    }
    let efficientnet = CLIP.replace("CLIPFeature", "EfficientNetFeature");
    assert!(refusal(&efficientnet).contains("no field include_top"));
    let top = |flag: &str| efficientnet.replace("\"resample\"", &format!("\"include_top\": {flag}, \"resample\""));
    assert!(refusal(&top("true")).contains("include_top is true") && parse(&top("false")).is_ok());
    assert_eq!(parse("[1]").unwrap_err(), ConfigError::NotJson("another kind of JSON value".into()));
    assert_eq!(parse("{\"model_type\": \"vit\"}").unwrap_err(), ConfigError::NotAConfig);
}

const TIMM: &str = r#"{"architecture": "resnet50", "num_classes": 1000, "pretrained_cfg": {"tag": "a1_in1k",
    "input_size": [3, 224, 224], "fixed_input_size": false, "interpolation": "bicubic", "crop_pct": 0.95,
    "crop_mode": "center", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "first_conv": "conv1"}}"#;

/// floor(224 / .95) = 235.
#[test]
fn timm_scales_by_the_crop_fraction() {
    let center = steps(TIMM);
    assert_eq!((center.resize, center.crop), (Resize::ShortSide(235), Some(square(224))));
    assert_eq!((center.interpolation, center.scale), (Interpolation::Bicubic, Scale::Divide(255.0)));
    assert_eq!((center.crop_rule, center.mean), (CropRule::HalfEven, [0.485, 0.456, 0.406]));
    let squash = steps(&TIMM.replace("center", "squash"));
    assert_eq!((squash.resize, squash.crop), (Resize::Exact(square(235)), Some(square(224))));
    let border = steps(&TIMM.replace("center", "border"));
    // round(255 * .485) = round(123.675), round(116.28), round(103.53).
    assert_eq!((border.resize, border.border), (Resize::Within(square(235)), [124, 116, 104]));
    let wide = steps(&TIMM.replace("224, 224", "192, 256").replace("0.95", "1.0"));
    assert_eq!(wide.resize, Resize::Cover(Size { height: 192, width: 256 }));
    assert_eq!(wide.interpolation, Interpolation::Bilinear);
}

#[test]
fn timm_has_defaults_of_its_own_and_refuses_what_it_cannot_do() {
    let bare = steps(r#"{"pretrained_cfg": {"input_size": null}}"#);
    assert_eq!((bare.resize, bare.crop), (Resize::ShortSide(256), Some(square(224))));
    assert_eq!((bare.interpolation, bare.std), (Interpolation::Bicubic, [0.229, 0.224, 0.225]));
    for (from, to, name) in [
        ("[3, 224, 224]", "[4, 28, 28]", "input_size is [4,28,28]"),
        ("bicubic", "random", "interpolation is \"random\""),
        ("\"center\"", "\"corner\"", "crop_mode is \"corner\""),
        ("0.95", "0.0", "crop_pct is 0.0"),
        ("0.95", "0.0001", "crop_pct is 0.0001"),
    ] {
        assert!(refusal(&TIMM.replace(from, to)).contains(name), "{}", refusal(&TIMM.replace(from, to)));
    }
}

const OPEN_CLIP: &str = r#"{"size": [224, 224], "mode": "RGB", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic", "resize_mode": "squash", "fill_color": 0}"#;

#[test]
fn open_clip_squashes_covers_or_pads() {
    let squash = steps(OPEN_CLIP);
    assert_eq!((squash.resize, squash.crop), (Resize::Exact(square(224)), None));
    assert_eq!((squash.interpolation, squash.scale), (Interpolation::Bicubic, Scale::Divide(255.0)));
    assert_eq!((squash.mean, squash.crop_rule, squash.origin), ([0.5; 3], CropRule::HalfEven, Origin::OpenClip));
    let shortest = steps(&OPEN_CLIP.replace("squash", "shortest").replace("bicubic", "bilinear"));
    assert_eq!((shortest.resize, shortest.crop), (Resize::ShortSide(224), Some(square(224))));
    assert_eq!(shortest.interpolation, Interpolation::Bilinear);
    let wide = steps(&OPEN_CLIP.replace("squash", "shortest").replace("[224, 224]", "[192, 256]"));
    let size = Size { height: 192, width: 256 };
    assert_eq!((wide.resize, wide.crop), (Resize::Cover(size), Some(size)));
    let longest = steps(&OPEN_CLIP.replace("squash", "longest").replace("\"fill_color\": 0", "\"fill_color\": 127"));
    assert_eq!(
        (longest.resize, longest.crop, longest.border),
        (Resize::Within(square(224)), Some(square(224)), [127; 3])
    );
    // What is null has open_clip's default.
    let bare =
        steps(r#"{"size": 8, "mean": 0.5, "std": [0.5, 0.5, 0.5], "resize_mode": null, "interpolation": "bicubic"}"#);
    assert_eq!((bare.resize, bare.mean), (Resize::ShortSide(8), [0.5; 3]));
}

/// The model's own size comes before that of its preprocessing, and it is 224 where the model does not say it.
#[test]
fn open_clip_takes_the_size_from_the_model() {
    let whole = |vision: &str, steps: &str| {
        format!(r#"{{"model_cfg": {{"vision_cfg": {{{vision}}}}}, "preprocess_cfg": {{{steps}}}}}"#)
    };
    let laion = steps(&whole(r#""image_size": 336"#, r#""mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]"#));
    assert_eq!((laion.resize, laion.crop, laion.std), (Resize::ShortSide(336), Some(square(336)), [0.25; 3]));
    assert_eq!(steps(&whole(r#""image_size": [64, 64]"#, r#""size": 224"#)).resize, Resize::ShortSide(64));
    assert_eq!(steps(&whole(r#""layers": 12"#, r#""size": 384"#)).resize, Resize::ShortSide(224));
    let clip = Preset::Clip.steps();
    assert_eq!(steps(&whole("", "")).mean, clip.mean);
    assert_eq!(steps(r#"{"preprocess_cfg": {"size": 32}}"#).resize, Resize::ShortSide(32));
    assert!(refusal(r#"{"preprocess_cfg": {}}"#).contains("no field size"));
}

#[test]
fn open_clip_refuses_what_it_does_not_do() {
    for (from, to, name) in [
        ("RGB", "L", "mode is \"L\""),
        ("bicubic", "lanczos", "interpolation is \"lanczos\""),
        ("squash", "stretch", "resize_mode is \"stretch\""),
        ("[224, 224]", "[1, 2, 3]", "size is [1,2,3]"),
        ("\"fill_color\": 0", "\"fill_color\": 300", "fill_color is 300"),
        ("\"fill_color\": 0", "\"patches\": 16", "patches is 16"),
    ] {
        assert!(refusal(&OPEN_CLIP.replace(from, to)).contains(name), "{}", refusal(&OPEN_CLIP.replace(from, to)));
    }
}

#[test]
fn a_processor_may_nest_its_image_processor() {
    let nested = format!(r#"{{"image_processor": {CLIP}, "processor_class": "CLIPProcessor", "do_pad": true}}"#);
    assert_eq!(steps(&nested), steps(CLIP));
    assert!(parse(r#"{"processor_class": "CLIPProcessor"}"#).is_err());
}

/// timm's files before 2023 have the fields beside the name; what `resolve_data_config` prints has no name at all.
#[test]
fn timm_without_a_part_of_its_own() {
    let Value::Object(whole) = serde_json::from_str(TIMM).unwrap() else { panic!() };
    let Value::Object(mut fields) = whole["pretrained_cfg"].clone() else { panic!() };
    let of = |fields: &Map<String, Value>| parse(&Value::Object(fields.clone()).to_string()).unwrap();
    assert_eq!(of(&fields).steps, steps(TIMM));
    fields.insert("architecture".into(), "resnet50".into());
    assert_eq!((of(&fields).steps, of(&fields).kind), (steps(TIMM), "timm resnet50".into()));
}

#[test]
fn lists_of_one_are_for_a_single_channel() {
    let mnist = steps(
        &TIMM
            .replace("[3, 224, 224]", "[1, 28, 28]")
            .replace("[0.485, 0.456, 0.406]", "[0.1307]")
            .replace("[0.229, 0.224, 0.225]", "[0.3081]"),
    );
    assert_eq!((mnist.grey, mnist.mean, mnist.std), (true, [0.1307; 3], [0.3081; 3]));
    let vit = steps(&VIT.replace("[0.5, 0.5, 0.5]", "[0.5]"));
    assert!(vit.grey && vit.mean == [0.5; 3] && !steps(VIT).grey);
}
