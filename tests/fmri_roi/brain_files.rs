//! Brain files as they are found: images behind one another, masks of other programs, half turns, headers that are off,
//! and files that are no images at all.

use ndarray::{Array2, array};
use std::fs;
use std::path::Path;
use support::*;

/// A grid of 2 x 3 x 2 voxels.
const SHAPE: [i64; 3] = [2, 3, 2];
const N_VOXELS: usize = 12;

/// A little-endian image made byte by byte: NIfTI-1, or NIfTI-2 where asked. Values in the order of the file.
struct Image {
    new: bool,
    dim: Vec<i64>,
    code: i16,
    bits: i16,
    slope: f64,
    /// sform rows, or a qform (b, c, d; offset; pixdim 0 to 3).
    sform: Option<[[f64; 4]; 3]>,
    qform: Option<([f64; 3], [f64; 3], [f64; 4])>,
    intent: i32,
    /// Extensions: code and content.
    extensions: Vec<(i32, Vec<u8>)>,
    voxels: Vec<u8>,
}

impl Image {
    fn f4(dim: &[i64], values: impl IntoIterator<Item = f64>) -> Image {
        let voxels = values.into_iter().flat_map(|value| (value as f32).to_le_bytes()).collect();
        Image {
            new: false,
            dim: dim.to_vec(),
            code: 16,
            bits: 32,
            slope: 1.0,
            sform: Some([[-2., 0., 0., 10.], [0., 3., 0., -20.], [0., 0., 4., 30.]]),
            qform: None,
            intent: 0,
            extensions: Vec::new(),
            voxels,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let header = if self.new { 540 } else { 348 };
        let mut behind = vec![u8::from(!self.extensions.is_empty()), 0, 0, 0];
        for (code, content) in &self.extensions {
            behind.extend((content.len() as i32 + 8).to_le_bytes());
            behind.extend(code.to_le_bytes());
            behind.extend(content);
        }
        let offset = header + behind.len();
        let mut bytes = vec![0u8; header];
        let mut put = |place: usize, field: &[u8]| bytes[place..place + field.len()].copy_from_slice(field);
        let dim: Vec<i64> = std::iter::once(self.dim.len() as i64).chain(self.dim.iter().copied()).collect();
        let forms = [self.qform.is_some(), self.sform.is_some()].map(i16::from);
        let mut reals: Vec<(usize, usize, f64)> = vec![(112, 176, self.slope)];
        for (index, value) in self.sform.iter().flatten().flatten().enumerate() {
            reals.push((280 + 4 * index, 400 + 8 * index, *value));
        }
        if let Some((quaternion, shift, pixdim)) = self.qform {
            (0..4).for_each(|at| reals.push((76 + 4 * at, 104 + 8 * at, pixdim[at])));
            (0..3).for_each(|at| reals.push((256 + 4 * at, 352 + 8 * at, quaternion[at])));
            (0..3).for_each(|at| reals.push((268 + 4 * at, 376 + 8 * at, shift[at])));
        }
        if self.new {
            put(0, &540i32.to_le_bytes());
            put(4, b"n+2\0\r\n\x1a\n");
            put(12, &self.code.to_le_bytes());
            put(14, &self.bits.to_le_bytes());
            dim.iter().enumerate().for_each(|(at, n)| put(16 + 8 * at, &n.to_le_bytes()));
            put(168, &(offset as i64).to_le_bytes());
            put(344, &i32::from(forms[0]).to_le_bytes());
            put(348, &i32::from(forms[1]).to_le_bytes());
            put(504, &self.intent.to_le_bytes());
            reals.iter().for_each(|(_, place, value)| put(*place, &value.to_le_bytes()));
        } else {
            put(0, &348i32.to_le_bytes());
            put(344, b"n+1\0");
            put(70, &self.code.to_le_bytes());
            put(72, &self.bits.to_le_bytes());
            dim.iter().enumerate().for_each(|(at, n)| put(40 + 2 * at, &(*n as i16).to_le_bytes()));
            put(108, &(offset as f32).to_le_bytes());
            put(252, &forms[0].to_le_bytes());
            put(254, &forms[1].to_le_bytes());
            put(68, &(self.intent as i16).to_le_bytes());
            reals.iter().for_each(|(place, _, value)| put(*place, &(*value as f32).to_le_bytes()));
        }
        bytes.extend(behind);
        bytes.extend(&self.voxels);
        bytes
    }

    fn save(&self, path: &Path) -> Vec<u8> {
        let bytes = self.bytes();
        fs::write(path, &bytes).unwrap();
        bytes
    }
}

/// The number of the voxel that stands at place `at` of the file (i fastest).
fn voxel_of(at: usize) -> usize {
    let (i, j, k) = (at % 2, at / 2 % 3, at / 6);
    (i * 3 + j) * 2 + k
}

/// An image of [`SHAPE`] whose voxel number v of volume n holds `value(n, v)`.
fn volumes(n_volumes: usize, value: impl Fn(usize, usize) -> f64) -> Image {
    let mut dim = SHAPE.to_vec();
    if n_volumes > 1 {
        dim.push(n_volumes as i64);
    }
    let value = &value;
    Image::f4(&dim, (0..n_volumes).flat_map(move |n| (0..N_VOXELS).map(move |at| value(n, voxel_of(at)))))
}

/// gzip with zeros behind each member, as tapes and some archives leave them.
pub(crate) fn gz(bytes: &[u8], zeros: usize) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("x"), bytes).unwrap();
    let mut packed = sh(dir.path(), "gzip -c x").ok();
    packed.extend(vec![0; zeros]);
    packed
}

/// Nine patterns over the voxels, and the tables of their trials.
fn patterns(dir: &Path) -> Array2<f64> {
    let betas = noise(9, N_VOXELS, 11).mapv(|value| f64::from(value as f32));
    let kinds: String = (0..9).map(|row| format!("s{row},{}\n", ["faces", "houses"][row % 2])).collect();
    fs::write(dir.join("trials.csv"), format!("stimulus,kind\n{kinds}")).unwrap();
    fs::write(
        dir.join("all.csv"),
        "roi,voxel\n".to_owned() + &(0..N_VOXELS).map(|v| format!("all,{v}\n")).collect::<String>(),
    )
    .unwrap();
    volumes(1, |_, voxel| f64::from(u8::from(voxel != 3))).save(&dir.join("mask.nii"));
    save(&dir.join("acts.npy"), &noise(9, 20, 5), Some(&ids(9)));
    run(dir, "rsa rdm acts.npy -o model.npy").ok();
    betas
}

const EXTRACT: &str = "fmri-roi extract --roi all.csv --stimuli trials.csv --assume-order";
const CONTRAST: &str = "fmri-roi contrast --stimuli trials.csv --by kind --contrast 'faces > houses' --assume-order";
const SEARCHLIGHT: &str =
    "rsa searchlight --models model.npy --mask mask.nii --radius 1 --min-voxels 2 --stimuli trials.csv --assume-order";

#[test]
fn images_behind_one_another_are_one_sequence_of_volumes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let betas = patterns(dir);
    let part = |from: usize, n: usize| volumes(n, |row, voxel| betas[(from + row, voxel)]);
    part(0, 9).save(&dir.join("whole.nii"));
    // 4 volumes, two single ones, 3 volumes.
    let parts = [part(0, 4), part(4, 1), part(5, 1), part(6, 3)];
    let bytes: Vec<Vec<u8>> = (0..4).map(|at| parts[at].save(&dir.join(format!("part{at}.nii")))).collect();
    let packed: Vec<Vec<u8>> = bytes.iter().map(|bytes| gz(bytes, 0)).collect();
    (0..4).for_each(|at| fs::write(dir.join(format!("part{at}.nii.gz")), &packed[at]).unwrap());
    let big = {
        // The same numbers in NIfTI-2.
        let mut image = part(5, 1);
        image.new = true;
        image.bytes()
    };
    let pipes = [
        bytes.concat(),
        packed.concat(),
        gz(&bytes.concat(), 0),
        [&bytes[0], &packed[1], &packed[2], &bytes[3]].map(Clone::clone).concat(),
        [&packed[0], &bytes[1], &bytes[2], &packed[3]].map(Clone::clone).concat(),
        [&gz(&bytes[0], 512), &bytes[1], &gz(&bytes[2], 3), &gz(&bytes[3], 1000)].map(Clone::clone).concat(),
        [&bytes[0], &bytes[1], &big, &gz(&bytes[3], 0)].map(Clone::clone).concat(),
    ];
    let arguments = ["part0.nii part1.nii part2.nii part3.nii", "part0.nii.gz part1.nii part2.nii.gz part3.nii"];
    for line in [EXTRACT, CONTRAST, SEARCHLIGHT, "fmri-roi contrast --one-sample"] {
        let expected = run(dir, &format!("{line} whole.nii")).ok();
        assert!(!expected.is_empty());
        for (at, pipe_bytes) in pipes.iter().enumerate() {
            assert_eq!(pipe(dir, &format!("{line} -"), pipe_bytes).ok(), expected, "{line}: pipe {at}");
            fs::write(dir.join("stream"), pipe_bytes).unwrap();
            assert_eq!(run(dir, &format!("{line} stream")).ok(), expected, "{line}: file {at}");
        }
        for files in arguments {
            assert_eq!(run(dir, &format!("{line} {files}")).ok(), expected, "{line}: {files}");
        }
        // The order is that of the arguments.
        assert_ne!(run(dir, &format!("{line} part1.nii part0.nii part3.nii part2.nii")).code, 2);
    }
    let (rows, labels) = matrix(&pipe(dir, &format!("{EXTRACT} -"), &pipes[0]).ok());
    assert_eq!((rows, labels.unwrap()), (betas.clone(), ids(9)));
    let (turned, _) = matrix(&run(dir, "fmri-roi extract --roi all.csv part2.nii part1.nii").ok());
    assert_eq!(turned, ndarray::stack![ndarray::Axis(0), betas.row(5), betas.row(4)]);

    // Too few and too many, wherever that shows.
    for line in [EXTRACT, CONTRAST] {
        run(dir, &format!("{line} part0.nii part1.nii")).fails(1, &["5 volumes", "9 rows"]);
        run(dir, &format!("{line} part0.nii")).fails(1, &["4 volumes", "9 rows"]);
        pipe(dir, &format!("{line} -"), &bytes[..2].concat()).fails(1, &["5 volumes", "9 rows"]);
        run(dir, &format!("{line} whole.nii part1.nii")).fails(1, &["10 volumes", "9 rows"]);
        pipe(dir, &format!("{line} -"), &[&pipes[0][..], &bytes[1]].concat()).fails(1, &["10 volumes", "9 rows"]);
    }
    // One map is one map.
    pipe(dir, "fmri-roi define --t 0", &[&bytes[1][..], &bytes[2]].concat()).fails(1, &["2 volumes", "one map"]);
}

#[test]
fn f8_behind_f4_keeps_its_digits() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    patterns(dir);
    let single = volumes(1, |_, voxel| voxel as f64);
    let mut double = volumes(1, |_, _| 0.0);
    (double.code, double.bits) = (64, 64);
    double.voxels = (0..N_VOXELS).flat_map(|at| (voxel_of(at) as f64 + 1e-12).to_le_bytes()).collect();
    let stream = [single.bytes(), double.bytes(), single.bytes()].concat();
    let (rows, _) = matrix(&pipe(dir, "fmri-roi extract --roi all.csv", &stream).ok());
    assert_eq!((rows[(0, 7)], rows[(1, 7)], rows[(2, 11)]), (7.0, 7.0 + 1e-12, 11.0));
}

#[test]
fn images_of_another_grid_and_bytes_of_nothing_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let betas = patterns(dir);
    let image = volumes(3, |row, voxel| betas[(row, voxel)]);
    let bytes = image.save(&dir.join("a.nii"));
    let turned = Image::f4(&[3, 2, 2], (0..12).map(f64::from)).save(&dir.join("turned.nii"));
    let mut shifted = volumes(1, |_, _| 1.0);
    shifted.sform.as_mut().unwrap()[0][3] = 10.5;
    let shifted = shifted.save(&dir.join("shifted.nii"));
    let cifti = cifti(false, 3006, false);
    fs::write(dir.join("c.dscalar.nii"), &cifti).unwrap();
    for line in ["fmri-roi extract --roi all.csv", "fmri-roi contrast --one-sample"] {
        run(dir, &format!("{line} a.nii turned.nii")).fails(1, &["turned.nii", "2x3x2", "3x2x2", "resample"]);
        pipe(dir, &format!("{line} -"), &[&bytes[..], &turned].concat()).fails(1, &["image 2", "2x3x2", "3x2x2"]);
        run(dir, &format!("{line} a.nii shifted.nii")).fails(1, &["10.0]", "10.5]"]);
        pipe(dir, &format!("{line} -"), &[&bytes[..], &shifted].concat()).fails(1, &["image 2", "10.0]", "10.5]"]);
        pipe(dir, &format!("{line} -"), &[&bytes[..], &bytes, &cifti].concat()).fails(1, &["image 3", "CIFTI"]);
        save(&dir.join("m.npy"), &betas, None);
        run(dir, &format!("{line} a.nii m.npy")).fails(1, &["m.npy", "a.nii", "one kind"]);
        run(dir, &format!("{line} m.npy a.nii")).fails(1, &["m.npy", "a.nii", "one kind"]);

        // 352 + 3 x 12 x 4 bytes belong to the image.
        for (behind, n) in [(&b"x"[..], "1 bytes"), (&[0; 512][..], "512 bytes"), (&cifti[4..], "bytes")] {
            let long = [&bytes[..], behind].concat();
            fs::write(dir.join("long.nii"), &long).unwrap();
            run(dir, &format!("{line} long.nii")).fails(1, &["long.nii", n, "follow the 496 bytes"]);
            pipe(dir, &format!("{line} -"), &long).fails(1, &["stdin", n, "496"]);
            // The same within a gzip member.
            pipe(dir, &format!("{line} -"), &gz(&long, 0)).fails(1, &[n, "496"]);
        }
        // Behind a gzip member zeros are padding, and nothing else is.
        let expected = run(dir, &format!("{line} a.nii")).ok();
        assert_eq!(pipe(dir, &format!("{line} -"), &gz(&bytes, 512)).ok(), expected);
        let rubbish = [&gz(&bytes, 512)[..], b"rubbish"].concat();
        pipe(dir, &format!("{line} -"), &rubbish).fails(1, &["7 bytes", "496"]);
    }
}

#[test]
fn a_cut_file_says_how_much_of_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let betas = patterns(dir);
    let bytes = volumes(9, |row, voxel| betas[(row, voxel)]).bytes();
    let line = "fmri-roi extract --roi all.csv";
    fs::write(dir.join("cut.nii"), &bytes[..700]).unwrap();
    run(dir, &format!("{line} cut.nii")).fails(1, &["cut.nii", "784 bytes", "has 700", "cut off"]);
    pipe(dir, &format!("{line} -"), &bytes[..700]).fails(1, &["348 of 432 bytes", "cut off"]);
    pipe(dir, &format!("{line} -"), &bytes[..300]).fails(1, &["300 of 348 header bytes", "cut off"]);
    let packed = gz(&bytes, 0);
    for cut in [packed.len() - 1, packed.len() - 8] {
        fs::write(dir.join("cut.nii.gz"), &packed[..cut]).unwrap();
        run(dir, &format!("{line} cut.nii.gz")).fails(1, &["cut.nii.gz", "432 bytes", "checksum", "cut off"]);
    }
    fs::write(dir.join("cut.nii.gz"), &packed[..packed.len() / 2]).unwrap();
    run(dir, &format!("{line} cut.nii.gz")).fails(1, &["of 432 bytes of voxels", "cut off"]);
    let mut wrong = packed.clone();
    let at = wrong.len() - 6;
    wrong[at] ^= 1;
    assert_eq!(pipe(dir, &format!("{line} -"), &wrong).code, 1);
    // An image is whole, its neighbour is not.
    pipe(dir, &format!("{line} -"), &[&bytes[..], &bytes[..600]].concat()).fails(1, &["248 of 432 bytes"]);
    // A member behind the image that unpacks to nothing but zeros is read no farther than need be.
    let zeros = sh(dir, "head -c 300000000 /dev/zero | gzip -1").ok();
    let bomb = [&packed[..], &zeros].concat();
    pipe(dir, &format!("{line} -"), &bomb).fails(1, &["more than 6", "bytes follow"]);
    // A small file whose header asks for gigabytes.
    let mut greedy = bytes.clone();
    for place in [42, 44, 46] {
        greedy[place..place + 2].copy_from_slice(&2000i16.to_le_bytes());
    }
    fs::write(dir.join("greedy.nii.gz"), gz(&greedy, 0)).unwrap();
    run(dir, &format!("{line} greedy.nii.gz")).fails(1, &["288000000352 bytes", "(compressed)"]);
}

/// Connections of 3 grayordinates with 50, in either version of the header.
fn cifti(old: bool, intent: i32, plain_extension_first: bool) -> Vec<u8> {
    let mut image = Image::f4(&[1, 1, 1, 1, 3, 50], (0..150).map(f64::from));
    image.new = !old;
    image.intent = intent;
    image.sform = None;
    if plain_extension_first {
        image.extensions.push((6, b"a comment of 24 bytes...".to_vec()));
    }
    let xml = "<CIFTI Version=\"2\"><Matrix>\
        <MatrixIndicesMap AppliesToMatrixDimension=\"0\" IndicesMapToDataType=\"CIFTI_INDEX_TYPE_BRAIN_MODELS\"/>\
        <MatrixIndicesMap AppliesToMatrixDimension=\"1\" IndicesMapToDataType=\"CIFTI_INDEX_TYPE_BRAIN_MODELS\"/>\
        </Matrix></CIFTI>";
    let size = (xml.len() + 8).next_multiple_of(16) - 8;
    image.extensions.push((32, [xml.as_bytes(), &vec![0; size - xml.len()]].concat()));
    image.bytes()
}

#[test]
fn connections_and_long_axes_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    patterns(dir);
    let cases = [
        (cifti(false, 3006, false), ".dscalar.nii"),
        (cifti(false, 3002, false), ".dtseries.nii"),
        (cifti(true, 3007, false), ".dlabel.nii"),
        (cifti(false, 3042, false), "CIFTI"),
        // nibabel may write no intent: the extension says it.
        (cifti(false, 0, false), ".dconn.nii"),
        (cifti(true, 0, true), ".dconn.nii"),
        (cifti(false, 0, true), ".dconn.nii"),
        (cifti(false, 3000, true), ".dconn.nii"),
    ];
    for (bytes, named) in &cases {
        fs::write(dir.join("c.nii"), bytes).unwrap();
        fs::write(dir.join("c.nii.gz"), gz(bytes, 0)).unwrap();
        for line in [
            "fmri-roi extract --roi all.csv c.nii",
            "fmri-roi contrast --one-sample c.nii.gz",
            "fmri-roi define --stat c.nii",
            "fmri-roi define --stat mask.nii --parcels c.nii",
            "fmri-roi extract mask.nii --roi c.nii.gz",
            "rsa searchlight mask.nii --mask c.nii --radius 2 --models model.npy",
            "rsa searchlight c.nii --mask mask.nii --radius 2 --models model.npy",
        ] {
            run(dir, line).fails(1, &["c.nii", "CIFTI-2", named, "wb_command -cifti-convert"]);
        }
    }
    for new in [false, true] {
        for (dim, shown) in [(vec![2, 3, 2, 1, 4], "2x3x2x1x4"), (vec![2, 3, 1, 1, 1, 1, 2], "2x3x1x1x1x1x2")] {
            let n: i64 = dim.iter().product();
            let mut image = Image::f4(&dim, (0..n).map(|value| value as f64));
            image.new = new;
            image.save(&dir.join("five.nii"));
            run(dir, "fmri-roi extract --roi all.csv five.nii").fails(1, &["five.nii", shown, "axes 5 to 7"]);
        }
        let mut image = Image::f4(&[2, 3, 2, 4, 1, 1, 1], (0..48).map(f64::from));
        image.new = new;
        image.save(&dir.join("seven.nii"));
        assert_eq!(matrix(&run(dir, "fmri-roi extract --roi all.csv seven.nii").ok()).0.dim(), (4, 12));
    }
}

/// A mask of [`SHAPE`] by voxel number.
fn mask(dir: &Path, name: &str, labels: [f64; N_VOXELS]) {
    volumes(1, |_, voxel| labels[voxel]).save(&dir.join(name));
}

#[test]
fn above_0_is_inside_for_every_verb() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let betas = patterns(dir);
    volumes(9, |row, voxel| betas[(row, voxel)]).save(&dir.join("betas.nii"));
    let f = |label: i32| f64::from(label);
    mask(dir, "plain.nii", [1, 1, 0, 0, 2, 2, 0, 0, 1, 0, 2, 0].map(f));
    mask(dir, "nsd.nii", [1, 1, -1, 0, 2, 2, -1, -1, 1, 0, 2, -1].map(f));
    let nan = f64::NAN;
    mask(dir, "nan.nii", [1., 1., nan, 0., 2., 2., -1., f64::INFINITY, 1., 0., 2., -1.]);
    mask(dir, "resaved.nii", [1.0000001, 0.99999, -1.00002, 0.00003, 2., 1.9999999, 0., -1., 1., 0., 2.00009, 0.]);
    let lines = [
        "fmri-roi extract betas.nii --roi MASK",
        "fmri-roi define --stat plain.nii --t 0 --parcels MASK",
        "rsa searchlight betas.nii --mask MASK --radius 1.5 --min-voxels 1 --stimuli trials.csv --assume-order --models model.npy",
    ];
    for line in lines {
        let out = |mask: &str| run(dir, &line.replace("MASK", mask));
        let expected = out("plain.nii");
        assert!(!expected.stderr.contains("outside"), "{}", expected.stderr);
        let expected = expected.ok();
        assert!(!expected.is_empty());
        for (mask, said) in [
            ("nsd.nii", "nsd.nii: 4 of 12 voxels are negative; they are outside"),
            ("nan.nii", "nan.nii: 2 of 12 voxels are NaN or infinite and 2 negative; they are outside"),
            ("resaved.nii", "resaved.nii: 2 of 12 voxels are negative"),
        ] {
            let found = out(mask);
            assert!(found.stderr.contains(said), "{}", found.stderr);
            assert_eq!(found.ok(), expected, "{line} {mask}");
        }
        for (value, shown) in [(0.5, "0.5"), (1.001, "1.001"), (-0.5, "-0.5")] {
            let mut labels = [0.0; N_VOXELS];
            labels[7] = value;
            labels[2] = 1.0;
            mask(dir, "half.nii", labels);
            out("half.nii").fails(1, &["half.nii", "voxel 7 [1, 0, 1] holds", shown, "no label", "threshold"]);
        }
        mask(dir, "none.nii", [-1.0; N_VOXELS]);
        let none = out("none.nii");
        assert!(none.stderr.contains("12 of 12 voxels are negative"), "{}", none.stderr);
    }
    // SPM's masks: 255 stored, 1/255 as slope. A u1 image, since none of its voxels is negative.
    let mut spm = volumes(1, |_, _| 0.0);
    (spm.code, spm.bits, spm.slope) = (2, 8, 1.0 / 255.0);
    spm.voxels = (0..N_VOXELS).map(|at| if voxel_of(at) < 5 { 255 } else { 0 }).collect();
    spm.save(&dir.join("spm.nii"));
    assert_eq!(matrix(&run(dir, "fmri-roi extract betas.nii --roi spm.nii").ok()).0.ncols(), 5);
    assert_eq!(run(dir, "fmri-roi extract betas.nii --roi spm.nii --name 1").code, 0);
}

#[test]
fn labels_are_named_by_tables_and_colour_tables() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    patterns(dir);
    mask(dir, "roi.nii", [1, 1, -1, 0, 2, 2, -1, -1, 1, 0, 5, -1].map(f64::from));
    let files = [
        (
            "dseg.tsv",
            "index\tname\tcolor\n-1\toutside\t#000000\n0\tUnknown\t#000000\n1\tOFA\t#ff0000\n2\tFFA\t#00ff00\n",
        ),
        ("float.csv", "name,index\nOFA,1.0\nFFA,2.0\n"),
        ("nsd.mgz.ctab", "0 Unknown\n1 OFA\n2 FFA\n"),
        (
            "fs.ctab",
            "#No. Label Name:  R  G  B  A\n\n  0  Unknown   0   0   0   0\n  1  OFA  70 130 180 0\n  2  FFA 245 245 245 0\r\n",
        ),
        ("minus.ctab", "-1 outside 0 0 0 0\n0 Unknown 0 0 0 0\n1 OFA 70 130 180 0\n2 FFA 245 245 245 0\n"),
    ];
    for (name, text) in files {
        fs::write(dir.join(name), text).unwrap();
        let table =
            rows(&run(dir, &format!("fmri-roi define --stat roi.nii --t -9 --parcels roi.nii --labels {name}")).text());
        let found: Vec<(&str, &str)> = table.iter().map(|row| (row["roi"].as_str(), row["voxel"].as_str())).collect();
        assert_eq!(found, [("OFA", "0"), ("OFA", "1"), ("OFA", "8"), ("FFA", "4"), ("FFA", "5")], "{name}");
        let cut = run(dir, &format!("fmri-roi extract roi.nii --roi roi.nii --labels {name} --name FFA")).ok();
        assert_eq!(matrix(&cut).0, array![[2.0, 2.0]], "{name}");
    }
    let wrong = [
        ("index\tname\n1.5\tOFA\n", "1.5"),
        ("index\tname\n1\tOFA\n1\tFFA\n", "\"OFA\" and \"FFA\""),
        ("index\tname\n1\tn/a\n", "no name"),
        ("1 255 0 0 1 1 1 \"OFA\"\n", "colour table"),
        ("index\tlabel\n1\tOFA\n", "the columns are index, label"),
    ];
    for (text, said) in wrong {
        fs::write(dir.join("wrong.tsv"), text).unwrap();
        run(dir, "fmri-roi extract roi.nii --roi roi.nii --labels wrong.tsv").fails(1, &["wrong.tsv", said]);
    }
}

/// Rotation by a half turn about a unit axis.
fn half_turn(axis: [f64; 3]) -> [[f64; 3]; 3] {
    [0, 1, 2].map(|row| [0, 1, 2].map(|column| 2.0 * axis[row] * axis[column] - f64::from(u8::from(row == column))))
}

#[test]
fn half_turns_are_half_turns() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    patterns(dir);
    let axes = noise(40, 3, 8);
    let exact = [[1., 0., 0.], [0., 1., 0.], [0., 0., 1.], [1., 1., 0.], [0., 1., 1.], [1., 1., 1.], [1., -2., 3.]];
    let axes: Vec<[f64; 3]> =
        exact.into_iter().chain(axes.rows().into_iter().map(|row| [row[0], row[1], row[2]])).collect();
    let (shift, sizes) = ([-90.0, 126.0, -72.0], [2.0, 2.5, 3.0]);
    for (number, axis) in axes.iter().enumerate() {
        let length = axis.iter().map(|part| part * part).sum::<f64>().sqrt();
        let axis = axis.map(|part| part / length);
        for (qfac, new) in [(1.0, false), (-1.0, false), (1.0, true), (-1.0, true)] {
            let turned = half_turn(axis);
            let steps = [sizes[0], sizes[1], sizes[2] * qfac];
            let affine = [0, 1, 2].map(|row| {
                [turned[row][0] * steps[0], turned[row][1] * steps[1], turned[row][2] * steps[2], shift[row]]
            });
            // The corner that is farthest away: 60 voxels along each axis, 150 to 260 mm.
            let n = 60;
            let mut image = Image::f4(&[n, n, n], []);
            (image.code, image.bits) = (2, 8);
            image.voxels = vec![0; (n * n * n) as usize];
            *image.voxels.last_mut().unwrap() = 1;
            image.new = new;
            image.sform = None;
            image.qform = Some((axis.map(|part| f64::from(part as f32)), shift, [qfac, sizes[0], sizes[1], sizes[2]]));
            image.save(&dir.join("q.nii"));
            let row = rows(&run(dir, "fmri-roi define --stat q.nii --t 0.5 --quiet").text()).remove(0);
            for (at, name) in ["x", "y", "z"].iter().enumerate() {
                let wanted = affine[at][3] + (0..3).map(|column| affine[at][column] * (n - 1) as f64).sum::<f64>();
                let found: f64 = row[*name].parse().unwrap();
                // f4 holds the axis to 6e-8, the corner is 260 mm away; a root of rounding would move it by .03 to .15
                // mm.
                assert!((found - wanted).abs() < 2e-4, "axis {number}, qfac {qfac}: {name} {found} {wanted}");
            }
            // A mask that says the same in its sform agrees.
            let mut with_sform = Image::f4(&[n, n, n], []);
            (with_sform.code, with_sform.bits, with_sform.voxels) = (2, 8, image.voxels.clone());
            with_sform.sform = Some(affine);
            with_sform.save(&dir.join("s.nii"));
            run(dir, "fmri-roi define --stat q.nii --parcels s.nii --t 0.5 --quiet").ok();
        }
    }
}

#[test]
fn a_turn_that_was_meant_stays() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Half a degree from the half turn about x: cos(89.75 deg) = a, b = sin(89.75 deg).
    let angle = 89.75f64.to_radians();
    let mut image = volumes(1, |_, voxel| voxel as f64);
    image.sform = None;
    image.qform = Some(([angle.sin(), 0.0, 0.0], [0.0; 3], [1.0, 1.0, 1.0, 1.0]));
    image.save(&dir.join("q.nii"));
    let row = rows(&run(dir, "fmri-roi define --stat q.nii --t 10.5").text()).remove(0);
    let (y, z): (f64, f64) = (row["y"].parse().unwrap(), row["z"].parse().unwrap());
    let (sin, cos) = (2.0 * angle).sin_cos();
    // Voxel (1, 2, 1). b in f4 is known to 3e-8, and a, its root, to 7e-6.
    assert!((y - (2.0 * cos - sin)).abs() < 1e-4 && (z - (2.0 * sin + cos)).abs() < 1e-4, "{row:?}");
}

#[test]
fn what_a_header_leaves_open_is_taken_as_nibabel_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let corner = |image: &Image, name: &str| {
        image.save(&dir.join(name));
        let row = rows(&run(dir, &format!("fmri-roi define --stat {name} --t 10.5 --quiet")).text()).remove(0);
        ["x", "y", "z"].map(|axis| row[axis].parse::<f64>().unwrap())
    };
    let mut image = volumes(1, |_, voxel| voxel as f64);
    image.sform = None;
    // Sizes of 0 say nothing (1 mm), and a sign says nothing of a side: nibabel 5.4.2.
    image.qform = Some(([0.0; 3], [0.0; 3], [0.0, 0.0, 3.0, 4.0]));
    assert_eq!(corner(&image, "a.nii"), [1.0, 6.0, 4.0]);
    let without_forms = |image: &Image| {
        let mut bytes = image.bytes();
        bytes[252..256].fill(0);
        bytes
    };
    image.qform = Some(([0.0; 3], [0.0; 3], [1.0, -2.0, 0.0, 4.0]));
    fs::write(dir.join("b.nii"), without_forms(&image)).unwrap();
    let row = rows(&run(dir, "fmri-roi define --stat b.nii --t 10.5 --quiet").text()).remove(0);
    assert_eq!(["x", "y", "z"].map(|axis| row[axis].as_str()), ["-1", "1", "2"]);
    // A side that readers disagree on.
    image.qform = Some(([0.0; 3], [0.0; 3], [-2.0, 2.0, 3.0, 4.0]));
    image.save(&dir.join("c.nii"));
    run(dir, "fmri-roi define --stat c.nii").fails(1, &["c.nii", "pixdim[0] is -2"]);
}

#[test]
fn headers_that_are_off_are_refused_by_field() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    patterns(dir);
    let good = volumes(1, |_, voxel| voxel as f64);
    let mut new = volumes(1, |_, voxel| voxel as f64);
    new.new = true;
    let refuse = |bytes: &[u8], parts: &[&str]| {
        fs::write(dir.join("x.nii"), bytes).unwrap();
        for line in [
            "fmri-roi extract --roi all.csv x.nii",
            "fmri-roi define --stat x.nii",
            "fmri-roi contrast --one-sample x.nii",
        ] {
            run(dir, line).fails(1, &[&["x.nii"], parts].concat());
        }
        pipe(dir, "fmri-roi extract --roi all.csv", bytes).fails(1, &["stdin"]);
        pipe(dir, "fmri-roi extract --roi all.csv", &gz(bytes, 0)).fails(1, &["stdin"]);
    };
    let with = |image: &Image, place: usize, field: &[u8]| {
        let mut bytes = image.bytes();
        bytes[place..place + field.len()].copy_from_slice(field);
        bytes
    };
    for offset in [1f32, 347.0, 348.0, 349.0, 350.0, 351.0, 352.5, -352.0, f32::NAN, f32::INFINITY] {
        let shown = format!("vox_offset is {offset}");
        refuse(&with(&good, 108, &offset.to_le_bytes()), &["damaged", &shown, "352"]);
    }
    for offset in [1i64, 540, 543, -544, i64::MIN] {
        refuse(&with(&new, 168, &offset.to_le_bytes()), &["damaged", "vox_offset is", "544"]);
    }
    // Beyond the file: both numbers.
    refuse(&with(&good, 108, &1e9f32.to_le_bytes()), &["1000000048 bytes", "has 400"]);
    refuse(&with(&new, 168, &(1i64 << 40).to_le_bytes()), &["1099511627824 bytes", "has 592"]);
    // An offset of 0 is the first possible byte; a gap is skipped.
    let (same, _) = matrix(&run_on(dir, &good.bytes()).ok());
    assert_eq!(matrix(&run_on(dir, &with(&good, 108, &0f32.to_le_bytes())).ok()).0, same);
    let mut gap = with(&good, 108, &360f32.to_le_bytes());
    gap.splice(352..352, [9; 8]);
    assert_eq!(matrix(&run_on(dir, &gap).ok()).0, same);
    // A slope of 0 is none.
    assert_eq!(matrix(&run_on(dir, &with(&good, 112, &0f32.to_le_bytes())).ok()).0, same);

    refuse(&with(&good, 40, &9i16.to_le_bytes()), &["damaged", "dim[0] is 9"]);
    refuse(&with(&good, 40, &0i16.to_le_bytes()), &["damaged", "dim[0] is 0"]);
    refuse(&with(&good, 42, &(-5i16).to_le_bytes()), &["damaged", "dim[1] is -5"]);
    refuse(&with(&good, 344, b"ni1\0"), &["not supported", "ni1", "nibabel.load"]);
    refuse(&with(&new, 4, b"ni2\0"), &["not supported", ".hdr/.img pair"]);
    refuse(&with(&good, 344, b"xyz\0"), &["not a NIfTI image", "xyz"]);
    for (code, name) in
        [(32i16, "complex64"), (128, "RGB24"), (1536, "float128"), (2304, "RGBA32"), (1, "bits"), (77, "unknown")]
    {
        let shown = format!("data type {code} ({name}");
        refuse(&with(&good, 70, &code.to_le_bytes()), &["not supported", &shown.replace("(bits", "(single bits")]);
    }
}

fn run_on(dir: &Path, bytes: &[u8]) -> Outcome {
    fs::write(dir.join("y.nii"), bytes).unwrap();
    run(dir, "fmri-roi extract --roi all.csv y.nii")
}

#[test]
fn a_plateau_is_one_peak() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Voxels of 10 mm, so that no distance hides one; seven voxels of t 9 in a cross, and a single 8.
    let cross = [[2, 2, 2], [1, 2, 2], [3, 2, 2], [2, 1, 2], [2, 3, 2], [2, 2, 1], [2, 2, 3]];
    let value = |at: usize| -> f64 {
        let place = [at % 7, at / 7 % 5, at / 35];
        if cross.contains(&place) {
            9.0
        } else if place == [6, 4, 4] {
            8.0
        } else {
            1.0
        }
    };
    let mut image = Image::f4(&[7, 5, 5], (0..175).map(value));
    image.sform = Some([[10., 0., 0., 0.], [0., 10., 0., 0.], [0., 0., 10., 0.]]);
    image.save(&dir.join("t.nii"));
    let peaks = |line: &str| -> Vec<(String, String)> {
        rows(&run(dir, line).text()).into_iter().map(|row| (row["voxel"].clone(), row["t"].clone())).collect()
    };
    let pair = |voxel: usize, t: &str| (voxel.to_string(), t.to_owned());
    let number = |[i, j, k]: [usize; 3]| (i * 5 + j) * 5 + k;
    assert_eq!(
        peaks("fmri-roi define --stat t.nii --t 0 --peaks"),
        [pair(number([1, 2, 2]), "9"), pair(number([6, 4, 4]), "8")]
    );
    // In f8 the same plateau is uneven by roundings.
    let uneven: Vec<f64> = (0..175)
        .map(|voxel| {
            let place = [voxel / 25, voxel / 5 % 5, voxel % 5];
            let t = value((place[2] * 5 + place[1]) * 7 + place[0]);
            if voxel % 2 == 0 { t } else { t * (1.0 + 4.0 * f64::EPSILON) }
        })
        .collect();
    save(&dir.join("t.npy"), &Array2::from_shape_vec((1, 175), uneven).unwrap(), None);
    let found = peaks("fmri-roi define --stat t.npy --like t.nii --t 0 --peaks");
    assert_eq!(found.len(), 2, "{found:?}");
    // A shelf below a top is no peak.
    let shelf: Vec<f64> = [1., 3., 3., 3., 5., 1., 3.].into();
    let mut image = Image::f4(&[1, 1, 7], shelf);
    image.sform = Some([[10., 0., 0., 0.], [0., 10., 0., 0.], [0., 0., 10., 0.]]);
    image.save(&dir.join("s.nii"));
    assert_eq!(peaks("fmri-roi define --stat s.nii --t 0 --peaks"), [pair(4, "5"), pair(6, "3")]);
}

#[test]
fn infinite_values_count_like_nan() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut betas = patterns(dir);
    betas[(4, 1)] = f64::INFINITY;
    betas[(5, 2)] = f64::NEG_INFINITY;
    betas[(6, 3)] = f64::NAN;
    volumes(9, |row, voxel| betas[(row, voxel)]).save(&dir.join("betas.nii"));
    save(&dir.join("betas.npy"), &betas, Some(&ids(9)));
    for line in [
        format!("{CONTRAST} betas.nii --table t.csv -o t.npy"),
        format!("{} betas.npy --table t.csv -o t.npy", CONTRAST.replace(" --assume-order", "")),
    ] {
        let out = run(dir, &line);
        assert!(out.stderr.contains("3 of 12 voxels have no t: 3 nan_input"), "{}", out.stderr);
        out.ok();
        let table = rows(&fs::read_to_string(dir.join("t.csv")).unwrap());
        assert!((1..4).all(|voxel| table[voxel]["reason"] == "nan_input" && table[voxel]["t"] == "NaN"));
        assert!(table[0]["reason"].is_empty());
    }
    let out = run(dir, "fmri-roi contrast --one-sample betas.nii -o t.npy");
    assert!(out.stderr.contains("3 of 12 voxels have no t: 3 nan_input"), "{}", out.stderr);
    // A t map of another program: x / 0.
    volumes(1, |_, voxel| [1., f64::INFINITY, 9., f64::NEG_INFINITY, f64::NAN, 8.][voxel % 6]).save(&dir.join("t.nii"));
    let out = run(dir, "fmri-roi define --stat t.nii --top 50%");
    assert!(out.stderr.contains("t.nii: 4 of 12 voxels are infinite; counted like NaN"), "{}", out.stderr);
    assert!(out.stderr.contains("has 3 voxels of 12 (6 NaN), largest t 9.000"), "{}", out.stderr);
    assert_eq!(rows(&out.text()).iter().map(|row| row["t"].clone()).collect::<Vec<_>>(), ["9", "8", "9"]);
}

#[test]
fn missing_places_and_patterns_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let betas = patterns(dir);
    volumes(9, |row, voxel| betas[(row, voxel)]).save(&dir.join("betas.nii"));
    // Voxel 7 is (1, 0, 1), at 8, -20, 34 mm.
    for cells in [
        "n/a,n/a,n/a,n/a,n/a,n/a",
        "NaN,NA,,N/A,nan,na",
        "1,0,1,n/a,n/a,n/a",
        "1,0,1,8,-20,34",
        "1.0,0.0,1.0,8.0,-20.0,34.0",
    ] {
        fs::write(dir.join("r.tsv"), format!("roi,voxel,i,j,k,x,y,z\nFFA,7,{cells}\nFFA,8,1,1,0,8,-17,30\n")).unwrap();
        assert_eq!(matrix(&run(dir, "fmri-roi extract betas.nii --roi r.tsv").ok()).0.ncols(), 2, "{cells}");
    }
    for (cells, said) in [("1,0,1,8,-20,35", "row 0"), ("1,0,x,8,-20,34", "\"x\""), ("1,0,1,8,-20,inf", "\"inf\"")] {
        fs::write(dir.join("r.tsv"), format!("roi,voxel,i,j,k,x,y,z\nFFA,7,{cells}\n")).unwrap();
        run(dir, "fmri-roi extract betas.nii --roi r.tsv").fails(1, &["r.tsv", said]);
    }
    fs::write(dir.join("r.tsv"), "roi,voxel\nFFA,n/a\n").unwrap();
    run(dir, "fmri-roi extract betas.nii --roi r.tsv").fails(1, &["row 0", "voxel", "n/a"]);
    // Rows without a pattern are left out of the searchlight, however the table says that there is none.
    let outputs: Vec<Vec<u8>> = ["n/a", "", "N/A", "nan", "NA"]
        .iter()
        .map(|missing| {
            let kinds: String = (0..9)
                .map(|row| format!("{}\n", if row == 4 { (*missing).into() } else { format!("s{row},") }))
                .collect();
            let kinds = kinds.replace(",\n", "\n");
            fs::write(dir.join("p.csv"), format!("pattern\n{}", kinds.replace("\n\n", "\n\"\"\n"))).unwrap();
            let line = SEARCHLIGHT.replace("trials.csv", "p.csv --by pattern --inner");
            run(dir, &format!("{line} betas.nii")).ok()
        })
        .collect();
    assert!(outputs.iter().all(|out| *out == outputs[0]));
}

#[test]
fn what_is_no_image_is_named_with_its_converter() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    patterns(dir);
    let padded = |start: &[u8], n: usize| [start, &vec![0; n]].concat();
    let mut analyze = vec![0u8; 348];
    analyze[..4].copy_from_slice(&348i32.to_le_bytes());
    analyze[40..50].copy_from_slice(&[4, 0, 2, 0, 3, 0, 2, 0, 9, 0]);
    let mut dicom = vec![0u8; 400];
    dicom[128..132].copy_from_slice(b"DICM");
    let npy = |descr: &str, shape: &str| -> Vec<u8> {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
        while (header.len() + 11) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend([0; 2880]);
        bytes
    };
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("x.mat", padded(b"MATLAB 5.0 MAT-file, Platform: GLNXA64", 600), &["MATLAB", "loadmat"]),
        ("x.hdr", analyze, &["ANALYZE 7.5", "nibabel.load"]),
        ("x.img", vec![7; 600], &[".hdr/.img pair", "nibabel.load"]),
        ("x.dcm", dicom, &["DICOM", "dcm2niix"]),
        ("four.npy", npy("<f8", "(4, 5, 3, 6)"), &["4-d .npy array [4, 5, 3, 6]", "reshape(-1, a.shape[-1]).T"]),
        ("three.npy", npy("<f8", "(4, 5, 18)"), &["3-d .npy array [4, 5, 18]", "reshape"]),
        ("dict.npy", npy("|O", "()"), &["pickled Python objects", "allow_pickle"]),
        ("m.npy.gz", gz(&npy("<f8", "(1, 12)"), 0), &[".npy array compressed with gzip", "gzip -dc"]),
        (
            "lfs.nii.gz",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n".to_vec(),
            &["Git LFS pointer", "git lfs pull"],
        ),
        ("annex.nii.gz", b"/annex/objects/MD5E-s100--00.nii.gz\n".to_vec(), &["git-annex pointer", "annex get"]),
        ("html.nii.gz", b"<!DOCTYPE html>\n<html><head><title>Log in</title>".to_vec(), &["HTML", "download"]),
        ("html2.nii.gz", gz(b"<!DOCTYPE html>\n<html><head><title>Log in</title>", 0), &["HTML", "gzip"]),
        ("text.nii", b"subject,path\n01,sub-01.nii\n".to_vec(), &["text"]),
        ("text.nii.gz", gz(b"subject,path\n01,sub-01.nii\n", 0), &["text", "gzip"]),
        ("x.nii.bz2", padded(b"BZh91AY&SY", 600), &["bzip2", "bzip2 -dc"]),
        ("x.nii.zst", padded(b"\x28\xb5\x2f\xfd", 600), &["zstd", "zstd -dc"]),
        ("x.nrrd", padded(b"NRRD0004\ntype: float\n", 600), &["NRRD"]),
        ("x.mha", padded(b"ObjectType = Image\nNDims = 3\n", 600), &["MetaImage"]),
        ("x+orig.HEAD", b"\ntype  = string-attribute\nname  = TYPESTRING\n".to_vec(), &["AFNI", "3dAFNItoNIFTI"]),
        ("x+orig.BRIK", vec![7; 600], &["AFNI", "3dAFNItoNIFTI"]),
    ];
    for (name, bytes, parts) in &cases {
        fs::write(dir.join(name), bytes).unwrap();
        for line in [
            "fmri-roi extract --roi all.csv FILE",
            "fmri-roi contrast --one-sample FILE",
            "fmri-roi define --stat FILE",
            "fmri-roi define --stat mask.nii --parcels FILE",
            "rsa searchlight mask.nii --mask FILE --radius 2 --models model.npy",
            "rsa searchlight FILE --mask mask.nii --radius 2 --models model.npy",
        ] {
            let said = run(dir, &line.replace("FILE", name)).fails(1, &[&[*name], *parts].concat());
            // Neither damaged nor of a kind that is not supported.
            assert!(
                !said.contains("damaged") && !said.contains("not supported") && !said.contains("cut off"),
                "{said}"
            );
        }
        // A pipe has no name, and all else is told by content.
        if !name.ends_with("img") && !name.ends_with("BRIK") {
            pipe(dir, "fmri-roi extract --roi all.csv", bytes).fails(1, parts);
        }
    }
    // What nothing recognises is said to be so.
    fs::write(dir.join("odd.nii"), [7u8; 600]).unwrap();
    run(dir, "fmri-roi extract --roi all.csv odd.nii").fails(1, &["odd.nii", "not a .npy array"]);
}
