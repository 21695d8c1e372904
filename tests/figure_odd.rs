//! `figure` on what newcomers give it: tables without a number, names that are alike or empty, maps that say nothing of
//! their axes, pictures that are cut off, meshes with flat triangles.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

use std::fs;
use std::path::Path;
use support::*;

/// What stands in the text elements of an SVG.
fn texts(svg: &str) -> Vec<&str> {
    let after = svg.split("<text").skip(1).map(|rest| rest.split_once('>').unwrap().1);
    after.map(|rest| rest.split("</text>").next().unwrap()).collect()
}

fn nothing_is_drawn(dir: &Path, line: &str, why: &str) {
    run(dir, line).fails(1, &["nothing"]);
    let svg = run(dir, &format!("{line} --allow-empty")).text();
    let said = texts(&svg).join(" ");
    assert!(said.contains("Nothing is drawn:") && said.contains(why), "{line}: {said}");
    assert!(!svg.contains("class=\"point\"") && svg.contains(&format!("<desc>Nothing is drawn: {why}")), "{svg}");
}

#[test]
fn a_table_without_a_number_is_an_error_or_a_figure_that_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write(
        "scores.csv",
        "model,subject,compare,r,reason\nnet,mean,pearson,NaN,too_few_units\ntwin,mean,,,too_few_units\n",
    );
    nothing_is_drawn(dir.path(), "figure scores scores.csv", "no row has a number (2 x too_few_units)");
    write("mds.csv", "array,stimulus,x,y,stress,reason\na,s,,,,no_usable_pair\n");
    nothing_is_drawn(dir.path(), "figure mds mds.csv", "no row has a number (1 x no_usable_pair)");
    write("pairs.csv", "a,block_a,b,block_b,r,reason\nn,model,p,brain,NaN,nan_input\n");
    nothing_is_drawn(dir.path(), "figure matrix pairs.csv", "no pair has a number");
    write("scatter.csv", "model,subject,rank,stimulus,model_z,brain_z,reason\nnet,mean,,,,,too_few_voxels\n");
    nothing_is_drawn(dir.path(), "figure scatter scatter.csv", "no row is about a stimulus (too_few_voxels)");
    write("head.csv", "model,subject,compare,r,reason\n");
    nothing_is_drawn(dir.path(), "figure scores head.csv", "has a header line and no row");
    let columns = "array,preferred,contrast_a,contrast_b,n_a,n_b,n_intersection,n_units,reason";
    write("sets.csv", &format!("{columns}\nl,faces,f > r,f > r,0,0,0,9,empty\n"));
    nothing_is_drawn(dir.path(), "figure overlap sets.csv", "all sets are empty");
    // What is wrong otherwise stays an error.
    write("other.csv", "x,y\n1,2\n");
    run(dir.path(), "figure scores --allow-empty other.csv").fails(1, &["other.csv", "\"model\""]);
    // One model with numbers, and one without: the figure names it.
    write("some.csv", "model,subject,compare,r,reason\nnet,mean,pearson,0.5,\ntwin,mean,,,too_few_units\n");
    let said = run(dir.path(), "figure scores some.csv").text();
    assert!(texts(&said).join(" ").contains("Without a number: twin (too_few_units)."), "{said}");
}

#[test]
fn sets_have_names_and_say_how_far_their_areas_are_off() {
    let dir = tempfile::tempdir().unwrap();
    let counts = |all: [u32; 7]| {
        let rows = all.iter().zip(1..).map(|(n, m)| format!("A,B,C,{},{},{},{n}\n", m & 1, m >> 1 & 1, m >> 2 & 1));
        fs::write(dir.path().join("c.csv"), format!("a,b,c,in_a,in_b,in_c,n\n{}", rows.collect::<String>())).unwrap();
    };
    // Three sets apart are exact.
    counts([100, 100, 0, 100, 0, 0, 0]);
    let svg = run(dir.path(), "figure overlap c.csv").text();
    assert!(svg.contains("all are the counts, to a tenth") && !svg.contains("furthest off"), "{svg}");
    counts([10, 10, 90, 10, 90, 90, 1]);
    let svg = run(dir.path(), "figure overlap c.csv").text();
    let off = svg.split_once("furthest off is ").unwrap().1.split_once("drawn as ").unwrap().1;
    let (shown, rest) = off.split_once(" for ").unwrap();
    assert_ne!(shown, rest.split(' ').next().unwrap());
    run(dir.path(), "figure overlap c.csv --names a,,b").fails(1, &["name 1 is empty"]);
}

/// A NIfTI-1 image of f4 with voxels of 3 mm, with a sform of this code, or without any form.
fn image(path: &Path, shape: &[i16], sform: i16) {
    let mut header = vec![0u8; 352];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348i32.to_le_bytes());
    let dims = [&[shape.len() as i16][..], shape].concat();
    dims.iter().enumerate().for_each(|(k, n)| put(40 + 2 * k, &n.to_le_bytes()));
    (dims.len()..8).for_each(|k| put(40 + 2 * k, &1i16.to_le_bytes()));
    put(70, &16i16.to_le_bytes());
    put(72, &32i16.to_le_bytes());
    (0..8).for_each(|k| put(76 + 4 * k, &if (1..4).contains(&k) { 3.0f32 } else { 1.0 }.to_le_bytes()));
    put(108, &352.0f32.to_le_bytes());
    put(112, &1.0f32.to_le_bytes());
    put(254, &sform.to_le_bytes());
    if sform > 0 {
        for row in 0..3 {
            put(280 + 16 * row + 4 * row, &3.0f32.to_le_bytes());
            put(280 + 16 * row + 12, &(-15.0f32).to_le_bytes());
        }
    }
    put(344, b"n+1\0");
    let n: usize = shape.iter().map(|&n| n as usize).product();
    (0..n).for_each(|k| header.extend(((k * 7919 % 101) as f32 / 10.0).to_le_bytes()));
    fs::write(path, header).unwrap();
}

#[test]
fn a_map_that_says_nothing_of_its_axes_has_no_left_and_right() {
    let dir = tempfile::tempdir().unwrap();
    image(&dir.path().join("placed.nii"), &[10, 10, 10], 4);
    image(&dir.path().join("unplaced.nii"), &[10, 10, 10], 0);
    image(&dir.path().join("four.nii"), &[10, 10, 10, 5], 4);
    let letters = |svg: &str| texts(svg).iter().filter(|text| ["L", "R", "A", "P"].contains(text)).count();
    let placed = run(dir.path(), "figure brain placed.nii --threshold 9").text();
    assert!(letters(&placed) == 6 && placed.contains("left is left"));
    let out = run(dir.path(), "figure brain -q unplaced.nii --threshold 9");
    assert!(out.stderr.contains("warning: unplaced.nii: its header has neither sform nor qform"), "{}", out.stderr);
    let unplaced = out.text();
    assert!(letters(&unplaced) == 0 && !unplaced.contains("left is left"), "{unplaced}");
    // --volume speaks of the map alone.
    run(dir.path(), "figure brain four.nii").fails(1, &["5 volumes", "--volume 0"]);
    let wrong = run(dir.path(), "figure brain placed.nii --background four.nii");
    let said = wrong.fails(1, &["four.nii: 5 volumes, but a background is one"]);
    assert!(!said.contains("--volume"), "{said}");
    run(dir.path(), "figure brain four.nii --volume 4 --background placed.nii -q --threshold 9").ok();
}

/// A GIFTI file of arrays: intent, type, shape, numbers.
fn gifti(path: &Path, arrays: &[(&str, &str, [usize; 2], &str)]) {
    let one = |&(intent, kind, [n, m], text): &(&str, &str, [usize; 2], &str)| {
        let dims = if m > 1 {
            format!("Dimensionality=\"2\" Dim0=\"{n}\" Dim1=\"{m}\"")
        } else {
            format!("Dimensionality=\"1\" Dim0=\"{n}\"")
        };
        format!(
            "<DataArray Intent=\"{intent}\" DataType=\"{kind}\" ArrayIndexingOrder=\"RowMajorOrder\" {dims} Encoding=\"ASCII\" \
             Endian=\"LittleEndian\" ExternalFileName=\"\" ExternalFileOffset=\"\"><Data>{text}</Data></DataArray>"
        )
    };
    let all: String = arrays.iter().map(one).collect();
    fs::write(
        path,
        format!("<?xml version=\"1.0\"?><GIFTI Version=\"1.0\" NumberOfDataArrays=\"{}\">{all}</GIFTI>", arrays.len()),
    )
    .unwrap();
}

#[test]
fn triangles_without_an_area_are_counted_and_a_mesh_of_them_alone_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let points = "-30 0 0  30 0 0  0 60 0  0 0 40  0 0 20";
    let mesh = |name: &str, n: usize, triangles: &str| {
        let of = [
            ("NIFTI_INTENT_POINTSET", "NIFTI_TYPE_FLOAT32", [5, 3], points),
            ("NIFTI_INTENT_TRIANGLE", "NIFTI_TYPE_INT32", [n, 3], triangles),
        ];
        gifti(&dir.path().join(name), &of);
    };
    mesh("lh.some.surf.gii", 6, "0 1 2  0 1 3  0 2 3  1 2 3  4 4 0  3 3 3");
    mesh("lh.flat.surf.gii", 2, "4 4 0  3 3 3");
    gifti(&dir.path().join("lh.t.func.gii"), &[("NIFTI_INTENT_NONE", "NIFTI_TYPE_FLOAT32", [5, 1], "5 1 2 3 4")]);
    let out = run(dir.path(), "figure brain lh.t.func.gii --surface lh.some.surf.gii");
    assert!(out.stderr.contains("warning: lh.some.surf.gii: 2 of 6 triangles have no area"), "{}", out.stderr);
    assert_eq!(out.text().matches("class=\"pane\"").count(), 3);
    run(dir.path(), "figure brain lh.t.func.gii --surface lh.flat.surf.gii").fails(1, &["none of its 2 triangles"]);
}

#[test]
fn pictures_stand_over_the_middle_of_the_stimuli_that_they_are_of_and_none_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("pictures")).unwrap();
    let ids: Vec<String> = (0..31).map(|k| format!("p{k}")).collect();
    let mut table = String::from("stimulus,path\n");
    for id in &ids {
        fs::write(dir.path().join(format!("pictures/{id}.ppm")), [b"P6 2 2 255\n".as_slice(), &[90; 12]].concat())
            .unwrap();
        table += &format!("{id},pictures/{id}.ppm\n");
    }
    fs::write(dir.path().join("pictures.csv"), table).unwrap();
    save(&dir.path().join("acts.npy"), &noise(31, 6, 1), Some(&ids));
    sh(dir.path(), "rsa rdm -q acts.npy -o rdm.npy && figure rdm rdm.npy --images pictures.csv -o rdm.svg").ok();
    let svg = fs::read_to_string(dir.path().join("rdm.svg")).unwrap();
    let number = |tag: &str, key: &str| -> f64 {
        let text = tag.split_once(&format!(" {key}=\"")).unwrap().1;
        text.split('"').next().unwrap().parse().unwrap()
    };
    // So many cells are one picture.
    let cells = svg.split_once("class=\"cells\"").unwrap().1.split('<').find(|tag| tag.starts_with("image")).unwrap();
    let (left, right) = (number(cells, "x"), number(cells, "x") + number(cells, "width"));
    // Below the grid: the pictures of runs of two or more, from the left edge on, none beyond the right one.
    let uses: Vec<(f64, f64)> = svg
        .split('<')
        .filter(|tag| tag.contains("class=\"picture\"") && tag.starts_with("use"))
        .map(|tag| {
            let numbers: Vec<f64> = tag
                .split_once("translate(")
                .unwrap()
                .1
                .split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'))
                .filter_map(|text| text.parse().ok())
                .collect();
            (numbers[0], numbers[2])
        })
        .collect();
    let below: Vec<(f64, f64)> = uses.iter().copied().filter(|(x, _)| *x >= left - 0.2).collect();
    assert!(svg.contains("stimuli that follow each other the first") && below.len() > 8, "{below:?}");
    let each = (right - left) / 31.0;
    // Two stimuli a picture: its middle is between them.
    assert!((below[0].0 + below[0].1 / 2.0 - left - each).abs() < 0.02, "{below:?} from {left}");
    assert!(below.iter().all(|(x, size)| x + size <= right + 0.1 * each), "{below:?} to {right}");

    // Of a JPEG file that is cut off nothing is drawn.
    let jpeg = [&[0xFF, 0xD8, 0xFF, 0xDB, 0x00, 0x04, 1, 2, 0xFF, 0xDA, 0x00, 0x02][..], &[7; 500]].concat();
    fs::write(dir.path().join("pictures/p0.ppm"), jpeg).unwrap();
    run(dir.path(), "figure rdm rdm.npy --images pictures.csv").fails(1, &["p0.ppm", "cut off"]);
}

#[test]
fn a_file_is_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("a.npy"), &noise(3, 2, 1), None);
    fs::write(dir.path().join("taken"), "").unwrap();
    run(dir.path(), "npy split --out-dir taken a.npy").fails(1, &["taken: is a file, where a folder is needed"]);
    run(dir.path(), "npy split --out-dir taken/below a.npy").fails(1, &["taken/below"]);
}
