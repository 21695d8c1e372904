//! `figure brain`: what is drawn of maps of the brain, read back from the SVG and from the pictures in it.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

#[path = "manners/made_up.rs"]
mod made_up;

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use brain_formats::geometry::Geometry;
use brain_formats::maps::{MapFormat, write_maps, write_regions};
use brain_formats::space::{Grayordinates, Model, Part, Space, Surface};
use brain_formats::volume_writer::Intent;
use serde_json::Value;
use support::*;
use tempfile::TempDir;

type Attributes = HashMap<String, String>;

fn golden(name: &str) -> PathBuf {
    root().join("testdata/golden/brain-pictures").join(name)
}

/// A folder with the maps of the golden values.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["plain", "flipped", "permuted", "oblique"] {
        fs::copy(golden(&format!("{name}.nii.gz")), dir.path().join(format!("{name}.nii.gz"))).unwrap();
    }
    dir
}

fn attributes(tag: &str) -> Attributes {
    let mut found = HashMap::new();
    let mut rest = tag.split('>').next().unwrap();
    while let Some((head, tail)) = rest.split_once("=\"") {
        let (text, after) = tail.split_once('"').unwrap();
        found.insert(head.split_whitespace().last().unwrap().into(), text.replace("&gt;", ">").replace("&lt;", "<"));
        rest = after;
    }
    found
}

/// The elements of a class.
fn elements(svg: &str, class: &str) -> Vec<Attributes> {
    let of_class = format!("class=\"{class}\"");
    svg.split('<').filter(|tag| tag.contains(&of_class)).map(attributes).collect()
}

fn texts(svg: &str) -> Vec<String> {
    let after = svg.split("<text").skip(1).map(|rest| rest.split_once('>').unwrap().1);
    after.map(|rest| rest.split("</text>").next().unwrap().replace("&gt;", ">").replace("&lt;", "<")).collect()
}

#[track_caller]
fn brain(dir: &Path, line: &str) -> String {
    let svg = run(dir, &format!("figure brain -q {line}")).text();
    assert!(svg.starts_with("<svg xmlns") && svg.ends_with("</svg>\n"), "{}", &svg[..svg.len().min(300)]);
    // No place without a number.
    for tag in svg.split('<') {
        let found = attributes(tag);
        let wrong = ["x", "y", "width", "height", "d", "x1", "y1"]
            .iter()
            .find(|key| found.get(**key).is_some_and(|text| text.contains("NaN") || text.contains("inf")));
        assert!(wrong.is_none(), "<{tag}");
    }
    svg
}

/// A pane: its attributes, its picture, the place of the picture in mm, and what is drawn over it.
struct Pane {
    said: Attributes,
    image: Attributes,
    regions: Vec<Attributes>,
    n_columns: usize,
    pixels: Vec<[u8; 4]>,
}

fn panes(svg: &str) -> Vec<Pane> {
    svg.split("<g class=\"pane\"")
        .skip(1)
        .map(|part| {
            let part = part.split("</g>").next().unwrap();
            let image = attributes(part.split("<image").nth(1).unwrap());
            let (n_columns, pixels) = decoded(&image["href"]);
            Pane { said: attributes(part), regions: elements(part, "region"), image, n_columns, pixels }
        })
        .collect()
}

impl Pane {
    fn number(&self, key: &str) -> f64 {
        self.said[key].parse().unwrap()
    }

    /// Whether a pixel has a colour: grey and clear ones show the brain.
    fn coloured(&self, at: usize) -> bool {
        let [r, g, b, opacity] = self.pixels[at];
        opacity > 0 && !(r == g && g == b)
    }

    /// Millimetres of the middle of a pixel along the axes that are drawn, where the left is left.
    fn place(&self, at: usize) -> [f64; 2] {
        let pixel = self.number("data-pixel");
        let first: Vec<f64> = self.said["data-first-pixel"].split(' ').map(|v| v.parse().unwrap()).collect();
        [first[0] + (at % self.n_columns) as f64 * pixel, first[1] - (at / self.n_columns) as f64 * pixel]
    }
}

/// The pixels of a PNG with a palette and unfiltered rows, or of one with 8 bits a channel whose rows are differences.
fn decoded(uri: &str) -> (usize, Vec<[u8; 4]>) {
    let text = uri.strip_prefix("data:image/png;base64,").unwrap();
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut png = Vec::new();
    let (mut bits, mut n) = (0u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        bits = bits << 6 | letters.iter().position(|l| *l == c).unwrap() as u32;
        n += 6;
        if n >= 8 {
            n -= 8;
            png.push((bits >> n) as u8);
            bits &= (1 << n) - 1;
        }
    }
    let mut chunks: HashMap<&[u8], &[u8]> = HashMap::new();
    let mut rest = &png[8..];
    while rest.len() >= 12 {
        let n = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        chunks.insert(&rest[4..8], &rest[8..8 + n]);
        rest = &rest[12 + n..];
    }
    let header = chunks[&b"IHDR"[..]];
    let n_columns = u32::from_be_bytes(header[..4].try_into().unwrap()) as usize;
    let mut raw = Vec::new();
    flate2::read::ZlibDecoder::new(chunks[&b"IDAT"[..]]).read_to_end(&mut raw).unwrap();
    if header[9] == 3 {
        let (palette, opacity) = (chunks[&b"PLTE"[..]], chunks[&b"tRNS"[..]]);
        let one = |k: &u8| {
            let k = usize::from(*k);
            [palette[3 * k], palette[3 * k + 1], palette[3 * k + 2], opacity[k]]
        };
        return (n_columns, raw.chunks(n_columns + 1).flat_map(|row| row[1..].iter().map(one)).collect());
    }
    let (mut above, mut pixels) = (vec![0u8; 4 * n_columns], Vec::new());
    for row in raw.chunks(4 * n_columns + 1) {
        let mut bytes = row[1..].to_vec();
        for k in 0..bytes.len() {
            let before = if row[0] == 2 {
                above[k]
            } else if k >= 4 {
                bytes[k - 4]
            } else {
                0
            };
            bytes[k] = bytes[k].wrapping_add(before);
        }
        pixels.extend(bytes.chunks(4).map(|p| <[u8; 4]>::try_from(p).unwrap()));
        above = bytes;
    }
    (n_columns, pixels)
}

/// Twice the area that a path of straight lines encloses, in mm of the page.
fn area(d: &str) -> f64 {
    let mut sum = 0.0;
    for one in d.split('z').filter(|part| !part.is_empty()) {
        let points: Vec<[f64; 2]> = one[1..]
            .split('L')
            .map(|p| p.split_once(' ').unwrap())
            .map(|(x, y)| [x.parse().unwrap(), y.parse().unwrap()])
            .collect();
        let next = points.iter().cycle().skip(1);
        sum += points.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>();
    }
    sum / 2.0
}

/// A map by nibabel's order, and numpy's inverse of its affine.
struct Golden {
    shape: Vec<usize>,
    inverse: Vec<Vec<f64>>,
    values: Vec<f64>,
    said: Value,
}

fn of_golden(name: &str) -> Golden {
    let all: Value = serde_json::from_str(&fs::read_to_string(golden("nilearn.json")).unwrap()).unwrap();
    let said = all[name].clone();
    let list = |v: &Value| v.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
    // The file's own order: i fastest, behind 352 bytes.
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(golden(&format!("{name}.nii.gz"))).unwrap())
        .read_to_end(&mut bytes)
        .unwrap();
    let values = bytes[352..].chunks(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect();
    Golden {
        shape: list(&said["shape"]).into_iter().map(|v| v as usize).collect(),
        inverse: said["inverse"].as_array().unwrap().iter().map(list).collect(),
        values,
        said,
    }
}

impl Golden {
    fn at(&self, mm: [f64; 3]) -> Option<f64> {
        let mut place = Vec::new();
        for (d, row) in self.inverse.iter().enumerate() {
            let v = row[0] * mm[0] + row[1] * mm[1] + row[2] * mm[2] + row[3];
            // A pixel between two voxels belongs to either.
            if (v - v.floor() - 0.5).abs() < 1e-4 {
                return None;
            }
            let v = v.round();
            if v < 0.0 || v >= self.shape[d] as f64 {
                return Some(f64::NAN);
            }
            place.push(v as usize);
        }
        Some(self.values[(place[2] * self.shape[1] + place[1]) * self.shape[0] + place[0]])
    }
}

#[test]
fn every_pixel_of_a_slice_is_that_of_its_voxel_whatever_the_axes() {
    let dir = folder();
    for name in ["plain", "flipped", "permuted", "oblique"] {
        let map = of_golden(name);
        let svg = brain(dir.path(), &format!("{name}.nii.gz --threshold 2 --cut-coords=-35,-47,-13"));
        let all = panes(&svg);
        assert_eq!(all.len(), 3);
        for (axis, pane) in all.iter().enumerate() {
            assert_eq!(
                (pane.said["data-direction"].as_str(), pane.number("data-at")),
                (["x", "y", "z"][axis], [-35.0, -47.0, -13.0][axis])
            );
            let (mut n, mut shown) = (0, 0);
            for at in 0..pane.pixels.len() {
                let [right, up] = pane.place(at);
                let mm = match axis {
                    0 => [-35.0, right, up],
                    1 => [right, -47.0, up],
                    _ => [right, up, -13.0],
                };
                let Some(v) = map.at(mm) else { continue };
                n += 1;
                shown += usize::from(v.abs() > 2.0);
                assert_eq!(pane.coloured(at), v.abs() > 2.0, "{name} {axis} {mm:?}: {v} {:?}", pane.pixels[at]);
                if v.abs() > 2.0 {
                    let [r, _, b, _] = pane.pixels[at];
                    assert_eq!(r > b, v > 0.0, "{name} {mm:?}: {v} is {:?}", pane.pixels[at]);
                }
                // What has a value is grey, what has none is clear.
                assert_eq!(pane.pixels[at][3] == 0, v.is_nan(), "{name} {axis} {mm:?}");
            }
            assert!(n > 300 && shown > 5, "{name} {axis}: {n} {shown}");
        }
        // The strongest blob is at the left and in the back: of the axial slice in the left and lower half.
        let axial = &all[2];
        let n_rows = axial.pixels.len() / axial.n_columns;
        let hot: Vec<usize> = (0..axial.pixels.len())
            .filter(|&at| axial.coloured(at) && axial.pixels[at][0] > axial.pixels[at][2])
            .collect();
        assert!(!hot.is_empty());
        assert!(
            hot.iter().all(|at| at % axial.n_columns < axial.n_columns / 2 && at / axial.n_columns > n_rows / 2),
            "{name}"
        );
        let written = texts(&svg);
        for text in ["x = −35 mm", "z = −13 mm", "L", "R", "A", "P", "t"] {
            assert!(written.iter().any(|line| line == text), "{text}: {written:?}");
        }
        assert!(written.iter().any(|line| line.contains("left is left (neurological)")), "{written:?}");
    }
}

#[test]
fn cuts_that_nobody_chooses_are_those_of_nilearn() {
    let dir = folder();
    for name in ["plain", "flipped", "permuted"] {
        let said = of_golden(name).said;
        let svg = brain(dir.path(), &format!("{name}.nii.gz --threshold 3"));
        for (pane, expected) in panes(&svg).iter().zip(said["middle"]["3.0"].as_array().unwrap()) {
            // What is drawn is rounded to a tenth, as the caption says it.
            within(pane.number("data-at"), expected.as_f64().unwrap(), 0.0501);
        }
        let svg = brain(dir.path(), &format!("{name}.nii.gz --display mosaic --cuts 4"));
        let all = panes(&svg);
        assert_eq!(all.len(), 12);
        for (axis, four) in ["x", "y", "z"].iter().zip(all.chunks(4)) {
            let mut expected: Vec<f64> =
                said["cuts"][axis]["4"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            expected.sort_by(f64::total_cmp);
            let found: Vec<f64> = four.iter().map(|pane| pane.number("data-at")).collect();
            assert_eq!(found, expected, "{name} {axis}");
        }
        let one = brain(dir.path(), &format!("{name}.nii.gz --display z --cut-coords=-13,5"));
        assert_eq!(panes(&one).len(), 2);
    }
}

#[test]
fn the_bar_says_what_is_shown() {
    let dir = folder();
    let svg = brain(dir.path(), "plain.nii.gz --threshold 3.1");
    let bar = &elements(&svg, "colour-bar")[0];
    let map = of_golden("plain");
    let most = map.values.iter().copied().filter(|v| v.is_finite()).fold(0.0f64, |a, v| a.max(v.abs()));
    assert_eq!((bar["data-name"].as_str(), bar["data-threshold"].as_str()), ("t", "3.1"));
    within(bar["data-hi"].parse().unwrap(), most, 1e-4);
    within(bar["data-lo"].parse().unwrap(), -most, 1e-4);
    let n = map.values.iter().filter(|v| v.abs() > 3.1).count();
    let all = map.values.iter().filter(|v| v.is_finite() && **v != 0.0).count();
    assert!(texts(&svg).join(" ").contains(&format!("|t| > 3.1, {n} of {all} voxels")), "{:?}", texts(&svg));
    for (options, lo, hi, name) in [
        ("--threshold 3.1 --tail greater --vmax 6", "0", "6", "t"),
        ("--threshold 3.1 --tail less --vmax 6", "-6", "0", "t"),
        ("--vmax 5 --unit beta", "-5", "5", "beta"),
    ] {
        let bar = elements(&brain(dir.path(), &format!("plain.nii.gz {options}")), "colour-bar").remove(0);
        assert_eq!([&bar["data-lo"], &bar["data-hi"], &bar["data-name"]], [lo, hi, name], "{options}");
    }
    // Without an intent the BIDS name says it.
    let values = vec![2.0f32; 60];
    let space = Space::Grid(Geometry::from_sizes([3, 4, 5], [3.0; 3]));
    let file = fs::File::create(dir.path().join("contrast-a_stat-effect_statmap.nii")).unwrap();
    write_maps(file, MapFormat::Nifti { gzip: false }, &[("a", &values)], &space, Intent::None).unwrap();
    let bar = elements(&brain(dir.path(), "contrast-a_stat-effect_statmap.nii"), "colour-bar").remove(0);
    assert_eq!(bar["data-name"], "effect (beta)");
}

#[test]
fn nothing_above_the_threshold_is_drawn_and_said() {
    let dir = folder();
    let out = run(dir.path(), "figure brain plain.nii.gz --threshold 50 -o empty.svg");
    let said = out.stderr.clone();
    out.ok();
    assert!(said.contains("nothing is coloured") && said.contains("farthest from 0 is"), "{said}");
    let svg = fs::read_to_string(dir.path().join("empty.svg")).unwrap();
    let all = panes(&svg);
    assert!(all.iter().all(|pane| (0..pane.pixels.len()).all(|at| !pane.coloured(at))));
    assert!(all.iter().all(|pane| pane.said["data-n-shown"] == "0" && pane.said["data-highest"] == "NaN"));
    assert!(texts(&svg).join(" ").contains("nothing is coloured"));
    assert!(dir.path().join("empty.json").exists());
}

#[test]
fn an_outline_encloses_its_region() {
    let dir = folder();
    for name in ["plain", "flipped", "permuted"] {
        run(dir.path(), &format!("fmri-roi define -q --stat {name}.nii.gz --t 4 --name FFA -o roi.csv")).ok();
        run(dir.path(), &format!("fmri-roi define -q --stat {name}.nii.gz --t 4 --name FFA -o roi.nii.gz")).ok();
        for regions in ["roi.csv", "roi.nii.gz"] {
            let line =
                format!("{name}.nii.gz --threshold 4 --tail greater --cut-coords=-35,-47,-13 --regions {regions}");
            for pane in panes(&brain(dir.path(), &line)) {
                // The region is what is coloured, so its outline encloses so many pixels.
                let n = (0..pane.pixels.len()).filter(|&at| pane.coloured(at)).count();
                assert!(n > 0);
                let scale: f64 = pane.image["width"].parse::<f64>().unwrap() / pane.n_columns as f64;
                let found: f64 = pane.regions.iter().map(|region| area(&region["d"])).sum();
                // Places are written to a hundredth of a mm.
                within(found / (scale * scale), n as f64, 0.02 * n as f64);
                let expected = if regions == "roi.csv" { "FFA" } else { "1" };
                assert!(pane.regions.iter().all(|region| region["data-name"] == expected));
            }
        }
    }
    // Voxels of another grid have other millimetres.
    run(dir.path(), "figure brain flipped.nii.gz --regions roi.csv").fails(1, &["roi.csv", "row 0", "in the map"]);
    fs::write(dir.path().join("far.csv"), "roi,voxel\nFFA,99999\n").unwrap();
    run(dir.path(), "figure brain plain.nii.gz --regions far.csv").fails(1, &["far.csv", "99999", "8640"]);
    fs::write(dir.path().join("other.csv"), "a,b\n1,2\n").unwrap();
    run(dir.path(), "figure brain plain.nii.gz --regions other.csv").fails(1, &["other.csv", "a, b", "roi and voxel"]);
}

#[test]
fn a_glass_brain_shows_the_farthest_value_from_every_side() {
    let dir = folder();
    for name in ["plain", "flipped", "permuted", "oblique"] {
        let map = of_golden(name);
        let largest = map.values.iter().copied().filter(|v| v.is_finite()).fold(f64::MIN, f64::max);
        let svg = brain(dir.path(), &format!("{name}.nii.gz --view glass --threshold 2 --display lyrz"));
        let all = panes(&svg);
        assert_eq!(all.len(), 4);
        for pane in [&all[0], &all[1], &all[3]] {
            within(pane.number("data-highest"), largest, 1e-4);
        }
        // The highest blob is at the left, so the right hemisphere has a lower one.
        assert!(all[2].number("data-highest") < largest - 0.5, "{name}");
        // Of the left hemisphere, seen from the left, what is behind is at the right.
        let hot: Vec<usize> = (0..all[0].pixels.len())
            .filter(|&at| all[0].coloured(at) && all[0].pixels[at][0] > all[0].pixels[at][2])
            .map(|at| at % all[0].n_columns)
            .collect();
        assert!(!hot.is_empty() && hot.iter().all(|column| *column > all[0].n_columns / 2), "{name}");
    }
}

/// Hemispheres as boxes of six vertices (octahedra), and a map on each.
fn surfaces(dir: &Path) {
    for (side, structure, x) in [("lh", "CortexLeft", -40.0), ("rh", "CortexRight", 40.0)] {
        let points: Vec<String> = [
            [-30.0, 0.0, 0.0],
            [30.0, 0.0, 0.0],
            [0.0, -60.0, 0.0],
            [0.0, 60.0, 0.0],
            [0.0, 0.0, -40.0],
            [0.0, 0.0, 40.0],
        ]
        .iter()
        .map(|[a, b, c]| format!("{} {b} {c}", a + x))
        .collect();
        let mut triangles = Vec::new();
        for a in [0, 1] {
            for b in [2, 3] {
                for c in [4, 5] {
                    triangles.push(if (a + b + c) % 2 == 0 { format!("{a} {b} {c}") } else { format!("{a} {c} {b}") });
                }
            }
        }
        let array = |intent: &str, kind: &str, rows: &[String]| {
            format!(
                "<DataArray Intent=\"{intent}\" DataType=\"{kind}\" ArrayIndexingOrder=\"RowMajorOrder\" Dimensionality=\"2\" \
                 Dim0=\"{}\" Dim1=\"3\" Encoding=\"ASCII\" Endian=\"LittleEndian\"><MetaData><MD><Name>AnatomicalStructurePrimary</Name>\
                 <Value>{structure}</Value></MD></MetaData><Data>{}</Data></DataArray>",
                rows.len(),
                rows.join("\n")
            )
        };
        let text = format!(
            "<?xml version=\"1.0\"?><GIFTI Version=\"1.0\" NumberOfDataArrays=\"2\">{}{}</GIFTI>",
            array("NIFTI_INTENT_POINTSET", "NIFTI_TYPE_FLOAT32", &points),
            array("NIFTI_INTENT_TRIANGLE", "NIFTI_TYPE_INT32", &triangles)
        );
        fs::write(dir.join(format!("{side}.surf.gii")), text).unwrap();
        // Outside is high in the left one, inside in the right one: both have the lowest x.
        let values = [6.0f32, 0.0, 0.0, -5.0, 0.0, 0.0];
        let space = |structure: Option<&str>, n| {
            Space::Surface(Surface { structure: structure.map(str::to_owned), n_vertices: n })
        };
        let cifti = if side == "lh" { "CORTEX_LEFT" } else { "CORTEX_RIGHT" };
        let write = |name: &str, format, values: &[f32], space: &Space| {
            let file = fs::File::create(dir.join(name)).unwrap();
            write_maps(file, format, &[("t", values)], space, Intent::T { df: 9.0 }).unwrap();
        };
        write(&format!("{side}.t.func.gii"), MapFormat::Gifti, &values, &space(Some(cifti), 6));
        write(&format!("{side}.t.mgh"), MapFormat::Mgh { gzip: false }, &values, &space(None, 6));
        write("nameless.func.gii", MapFormat::Gifti, &values, &space(None, 6));
        write("seven.lh.func.gii", MapFormat::Gifti, &[1.0; 7], &space(Some("CORTEX_LEFT"), 7));
    }
}

#[test]
fn hemispheres_are_seen_from_the_sides_that_are_named() {
    let dir = tempfile::tempdir().unwrap();
    surfaces(dir.path());
    for maps in ["lh.t.func.gii rh.t.func.gii", "rh.t.func.gii lh.t.func.gii", "lh.t.mgh rh.t.mgh"] {
        let svg = brain(dir.path(), &format!("{maps} --surface rh.surf.gii lh.surf.gii --threshold 2 --unit t"));
        let all = panes(&svg);
        let names: Vec<String> =
            all.iter().map(|pane| format!("{} {}", pane.said["data-hemisphere"], pane.said["data-view"])).collect();
        assert_eq!(
            names,
            ["left lateral", "left medial", "left ventral", "right lateral", "right medial", "right ventral"]
        );
        let warm = |pane: &Pane| {
            (0..pane.pixels.len()).filter(|&at| pane.coloured(at) && pane.pixels[at][0] > pane.pixels[at][2]).count()
        };
        let seen: Vec<bool> = all.iter().map(|pane| warm(pane) > 50).collect();
        assert_eq!(seen, [true, false, true, false, true, true], "{maps}");
        // What is in front, below 0, is at the left of the lateral view of the left hemisphere and at the right of the
        // right one's.
        for (pane, left) in [(&all[0], true), (&all[3], false)] {
            let cold: Vec<usize> = (0..pane.pixels.len())
                .filter(|&at| pane.coloured(at) && pane.pixels[at][2] > pane.pixels[at][0])
                .map(|at| at % pane.n_columns)
                .collect();
            assert!(!cold.is_empty() && cold.iter().all(|column| (*column < pane.n_columns / 2) == left), "{maps}");
        }
        assert_eq!(elements(&svg, "colour-bar")[0]["data-name"], "t");
        assert!(all.iter().all(|pane| pane.said["data-highest"] == "6" && pane.said["data-n-vertices-shown"] == "2"));
    }
    let one = brain(dir.path(), "nameless.func.gii --hemisphere left --surface lh.surf.gii --sides dorsal,anterior");
    assert_eq!(panes(&one).len(), 2);
}

#[test]
fn grayordinates_and_labels_lie_on_their_vertices() {
    let dir = tempfile::tempdir().unwrap();
    surfaces(dir.path());
    // Vertex 5 has no column; the first one of the left and the second one of the right hemisphere are high.
    let part = || Part::Vertices { n_vertices: 6, vertices: vec![0, 1, 2, 3, 4] };
    let models = vec![
        Model { structure: "CORTEX_LEFT".into(), first: 0, part: part() },
        Model { structure: "CORTEX_RIGHT".into(), first: 5, part: part() },
    ];
    let space = Space::Grayordinates(Grayordinates { volume: None, models });
    let values = [7.0f32, 0.0, 0.0, 0.0, 0.0, 0.0, 8.0, 0.0, 0.0, 0.0];
    let file = fs::File::create(dir.path().join("t.dscalar.nii")).unwrap();
    write_maps(file, MapFormat::Cifti, &[("t", &values)], &space, Intent::None).unwrap();
    let surface = |structure: &str| Space::Surface(Surface { structure: Some(structure.into()), n_vertices: 6 });
    let file = fs::File::create(dir.path().join("lh.label.gii")).unwrap();
    write_regions(file, MapFormat::Gifti, &[1, 0, 0, 0, 0, 0], &[(1, "FFA")], &surface("CORTEX_LEFT")).unwrap();
    let line = "t.dscalar.nii --surface lh.surf.gii rh.surf.gii --threshold 2 --unit z --regions lh.label.gii";
    let svg = brain(dir.path(), line);
    let all = panes(&svg);
    let coloured = |pane: &Pane| (0..pane.pixels.len()).filter(|&at| pane.coloured(at)).count() > 50;
    // Both are outside; seen from below as well.
    let seen: Vec<bool> = all.iter().map(coloured).collect();
    assert_eq!(seen, [true, false, true, true, false, true]);
    let highest: Vec<&str> = all.iter().map(|pane| pane.said["data-highest"].as_str()).collect();
    assert_eq!(highest, ["7", "7", "7", "8", "8", "8"]);
    // The outline encloses the vertex that is coloured, to what smoothing its steps leaves.
    let lateral = &all[0];
    let n = (0..lateral.pixels.len()).filter(|&at| lateral.coloured(at)).count() as f64;
    let scale = lateral.image["width"].parse::<f64>().unwrap() / lateral.n_columns as f64;
    within(area(&lateral.regions[0]["d"]) / (scale * scale), n, 0.06 * n);
    assert_eq!(lateral.regions[0]["data-name"], "FFA");
    assert!(all[3..].iter().all(|pane| pane.regions.is_empty()));
    assert!(texts(&svg).iter().any(|text| text == "FFA"));
    let one = "figure brain t.dscalar.nii --surface lh.surf.gii";
    run(dir.path(), one).fails(1, &["t.dscalar.nii", "right hemisphere has no mesh"]);
    // Tables of define are of the surface that they name, wherever its map stands; those of a grid are refused.
    let of = |structure: &str| format!("roi,structure,vertex,voxel\nFFA,{structure},0,0\n");
    fs::write(dir.path().join("left.csv"), of("CORTEX_LEFT")).unwrap();
    fs::write(dir.path().join("right.csv"), of("CORTEX_RIGHT")).unwrap();
    fs::write(dir.path().join("grid.csv"), "roi,voxel,i,j,k\nFFA,0,0,0,0\n").unwrap();
    fs::write(dir.path().join("moved.csv"), "roi,structure,vertex,voxel\nFFA,CORTEX_LEFT,3,0\n").unwrap();
    let both =
        "figure brain lh.t.func.gii rh.t.func.gii --surface lh.surf.gii rh.surf.gii --threshold 2 --unit z --regions";
    let drawn = |table: &str| run(dir.path(), &format!("{both} {table}")).text();
    assert_ne!(drawn("left.csv"), drawn("right.csv"));
    let sides = |table: &str| -> Vec<usize> { panes(&drawn(table)).iter().map(|pane| pane.regions.len()).collect() };
    let (left, right) = (sides("left.csv"), sides("right.csv"));
    let half = left.len() / 2;
    assert!(left[..half].iter().sum::<usize>() > 0 && left[half..].iter().all(|n| *n == 0), "{left:?}");
    assert!(right[half..].iter().sum::<usize>() > 0 && right[..half].iter().all(|n| *n == 0), "{right:?}");
    for (table, parts) in
        [("grid.csv", &["grid.csv", "no column structure"][..]), ("moved.csv", &["vertex 3", "vertex 0 in the map"])]
    {
        run(dir.path(), &format!("{both} {table}")).fails(1, parts);
    }
    let one = "figure brain lh.t.func.gii --surface lh.surf.gii --threshold 2 --unit z --regions";
    run(dir.path(), &format!("{one} grid.csv")).fails(1, &["a voxel of a grid", "the map has vertices"]);
    run(dir.path(), &format!("{one} right.csv")).fails(1, &["CORTEX_RIGHT", "the map is of CORTEX_LEFT"]);
    let wrong = "figure brain seven.lh.func.gii --surface lh.surf.gii --regions lh.label.gii";
    run(dir.path(), wrong).fails(1, &["seven.lh.func.gii", "7 vertices"]);
    run(dir.path(), "figure brain lh.label.gii --surface lh.surf.gii").fails(1, &["lh.label.gii", "--regions"]);
}

#[test]
fn surfaces_that_do_not_fit_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    surfaces(dir.path());
    let fails = |line: &str, parts: &[&str]| {
        run(dir.path(), &format!("figure brain {line} -o x.svg")).fails(1, parts);
        assert!(!dir.path().join("x.svg").exists(), "{line}");
    };
    fails("seven.lh.func.gii --surface lh.surf.gii", &["seven.lh.func.gii", "7 vertices", "lh.surf.gii has 6"]);
    fails("lh.t.func.gii --surface rh.surf.gii", &["lh.t.func.gii", "left hemisphere has no mesh"]);
    fails(
        "lh.t.func.gii --surface lh.surf.gii rh.surf.gii",
        &["rh.surf.gii", "right hemisphere, of which there is no map"],
    );
    fails("lh.t.func.gii", &["lh.t.func.gii", "--surface"]);
    fails("nameless.func.gii --surface lh.surf.gii", &["nameless.func.gii", "--hemisphere"]);
    fails("lh.t.func.gii lh.t.mgh --surface lh.surf.gii", &["lh.t.mgh", "left hemisphere again"]);
    fails("lh.t.func.gii --hemisphere right --surface rh.surf.gii", &["--hemisphere is right", "left"]);
    fails("lh.t.func.gii --surface lh.t.func.gii", &["lh.t.func.gii", "coordinates"]);
    fails("lh.t.func.gii --view slices", &["lh.t.func.gii", "need voxels"]);
    fails("lh.t.func.gii --surface fsaverage5 --templates nowhere", &["nowhere", "setup.sh templates"]);
}

#[test]
fn maps_that_cannot_be_drawn_are_refused() {
    let dir = folder();
    let path = |name: &str| dir.path().join(name);
    let space = Space::Grid(Geometry::from_sizes([3, 4, 5], [3.0; 3]));
    let write = |name: &str, values: &[f32]| {
        let file = fs::File::create(path(name)).unwrap();
        write_maps(file, MapFormat::Nifti { gzip: false }, &[("a", values)], &space, Intent::None).unwrap();
    };
    write("nan.nii", &[f32::NAN; 60]);
    write("zero.nii", &[0.0; 60]);
    let two: Vec<f32> = (0..120).map(|k| k as f32).collect();
    let halves: Vec<(&str, &[f32])> = vec![("a", &two[..60]), ("b", &two[60..])];
    let file = fs::File::create(path("two.nii")).unwrap();
    write_maps(file, MapFormat::Nifti { gzip: false }, &halves, &space, Intent::None).unwrap();
    fs::File::create(path("nothing.nii")).unwrap().flush().unwrap();
    let whole = fs::read(path("zero.nii")).unwrap();
    fs::write(path("cut.nii"), &whole[..400]).unwrap();
    fs::write(path("t.csv"), "roi,voxel\nFFA,1\n").unwrap();
    save(&path("t.npy"), &noise(1, 60, 1), None);
    let fails = |line: &str, parts: &[&str]| {
        run(dir.path(), &format!("figure brain {line} -o x.svg")).fails(1, parts);
        assert!(!path("x.svg").exists(), "{line}");
    };
    fails("nan.nii", &["nan.nii", "all 60 voxels are NaN"]);
    fails("zero.nii", &["zero.nii", "all 60 voxels are 0 or NaN"]);
    fails("two.nii", &["two.nii", "2 volumes", "--volume"]);
    fails("two.nii --volume 2", &["two.nii", "--volume 2", "it has 2 volumes"]);
    fails("nothing.nii", &["nothing.nii"]);
    fails("cut.nii", &["cut.nii", "cut off"]);
    fails("t.npy", &["t.npy", "does not say where its voxels are"]);
    fails("t.csv", &["t.csv"]);
    fails("missing.nii", &["missing.nii"]);
    fails("plain.nii.gz --cut-coords 0,0,500", &["z = 500 mm", "plain.nii.gz", "from"]);
    fails("plain.nii.gz --cut-coords 0,0", &["2 numbers for 3 axes"]);
    fails("plain.nii.gz --display lyrz", &["l and r", "--view glass"]);
    fails("plain.nii.gz --view glass --cut-coords 0", &["--cut-coords", "--view slices"]);
    fails("plain.nii.gz --view glass --display mosaic", &["mosaic"]);
    fails("plain.nii.gz flipped.nii.gz", &["2 maps"]);
    fails("plain.nii.gz --threshold 3 --vmax 2", &["--vmax 2", "--threshold 3"]);
    fails("plain.nii.gz --background nan.nii", &["nan.nii", "all 60 voxels are NaN"]);
    fails("plain.nii.gz --regions zero.nii", &["zero.nii", "no region"]);
    run(dir.path(), "figure brain plain.nii.gz --threshold -3").fails(2, &["--threshold"]);
    run(dir.path(), "figure brain plain.nii.gz --display q").fails(2, &["--display"]);
    // One of two volumes is drawn.
    assert_eq!(panes(&brain(dir.path(), "two.nii --volume 1")).len(), 3);
    let none = sh(dir.path(), "CATSEL_TEMPLATES= figure brain plain.nii.gz --background mni152");
    none.fails(1, &["--background mni152", "setup.sh templates", "--templates"]);
}

#[test]
fn png_and_characters_show_the_same() {
    let dir = folder();
    run(dir.path(), "figure brain -q plain.nii.gz --threshold 3 --title Faces -o a.png").ok();
    run(dir.path(), "figure brain -q plain.nii.gz --threshold 3 --title Faces --threads 1 -o b.png").ok();
    let (a, b) = (fs::read(dir.path().join("a.png")).unwrap(), fs::read(dir.path().join("b.png")).unwrap());
    assert!(a.starts_with(b"\x89PNG") && a == b);
    // 180 mm at 300 dots per inch.
    assert_eq!(u32::from_be_bytes(a[16..20].try_into().unwrap()), 2126);
    let text = run(dir.path(), "figure brain -q plain.nii.gz --threshold 3 --title Faces --terminal").text();
    assert!(text.starts_with("Faces\n") && text.lines().all(|line| line.chars().count() <= 120), "{text}");
    for sign in ['█', '▒', '·'] {
        assert!(text.contains(sign), "{sign}: {text}");
    }
    assert!(!text.contains('\u{1b}') && text.contains("t: █ 3 to") && text.contains("neurological"), "{text}");
}

#[test]
fn the_template_brain_stands_behind_slices_and_carries_a_volume() {
    let templates = root().join("build/templates");
    if !templates.join("setup-stamp").is_file() {
        return skipped("build/templates is not set up (scripts/setup.sh templates)");
    }
    let dir = folder();
    let templates = templates.display().to_string();
    let with = |line: &str| {
        let start = Instant::now();
        let svg = brain(dir.path(), &format!("plain.nii.gz --threshold 3 --templates {templates} {line}"));
        assert!(start.elapsed().as_secs() < 20);
        svg
    };
    let slices = panes(&with("--background mni152"));
    let scanner = dir.path().join("scanner.nii");
    let space = Space::Grid(Geometry { space: 1, ..Geometry::from_sizes([3, 4, 5], [30.0; 3]) });
    let file = fs::File::create(&scanner).unwrap();
    write_maps(file, MapFormat::Nifti { gzip: false }, &[("a", &[2.0; 60])], &space, Intent::None).unwrap();
    let out = run(dir.path(), &format!("figure brain scanner.nii --background mni152 --templates {templates}"));
    assert!(out.stderr.contains("scanner's space") && out.code == 0, "{}", out.stderr);
    // Its voxels have 1 mm.
    assert!(slices.iter().all(|pane| pane.said["data-pixel"] == "1" && pane.n_columns > 130));
    let glass = with("--view glass");
    assert_eq!(elements(&glass, "outline").len(), 6);
    assert!(elements(&glass, "outline").iter().all(|line| line["d"].contains('C')));
    let svg = with("--surface fsaverage5");
    let all = panes(&svg);
    assert_eq!(all.len(), 6);
    assert!(texts(&svg).join(" ").contains("averaged between the pial and the white surface"));
    // The highest blob is below and behind in the left hemisphere: seen from below rather than from the middle.
    let warm = |pane: &Pane| {
        (0..pane.pixels.len()).filter(|&at| pane.coloured(at) && pane.pixels[at][0] > pane.pixels[at][2]).count()
    };
    assert!(warm(&all[2]) > 200 && warm(&all[2]) > warm(&all[1]), "{} {}", warm(&all[2]), warm(&all[1]));
}

#[test]
fn examples_of_the_help_run() {
    let dir = tempfile::tempdir().unwrap();
    made_up::study(dir.path());
    let maps = "fmri-roi contrast -q --one-sample sub-0*_face_con.nii -o group_t.nii.gz && \
                fmri-roi define -q --stat group_t.nii.gz --t 4 --name FFA -o ffa.csv";
    sh(dir.path(), maps).ok();
    let help = run(dir.path(), "figure brain --help").text();
    let examples: Vec<&str> =
        help.split("Examples:\n").nth(1).unwrap().lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(examples.len(), 3, "{examples:?}");
    for example in examples {
        let out = sh(dir.path(), example);
        assert_eq!(out.code, 0, "{example}: {}", out.stderr);
    }
    assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
}
