//! `fmri-roi` as its users meet it: real images and matrices in, maps, tables, masks and matrices out.

use ndarray::{Array2, array};
use std::fs;
use std::path::Path;
use support::*;

/// A little-endian f4 NIfTI-1 image made byte by byte. `value(volume, i, j, k)`; voxels of 2 x 3 x 4 mm, x falls with
/// i.
pub(crate) fn image(
    path: &Path,
    shape: [usize; 3],
    n_volumes: usize,
    value: impl Fn(usize, usize, usize, usize) -> f64,
) {
    let mut bytes = vec![0u8; 352];
    let mut put = |place: usize, field: &[u8]| bytes[place..place + field.len()].copy_from_slice(field);
    put(0, &348i32.to_le_bytes());
    let n_dims = if n_volumes > 1 { 4 } else { 3 };
    for (index, n) in [n_dims, shape[0], shape[1], shape[2], n_volumes].iter().enumerate() {
        put(40 + 2 * index, &(*n as i16).to_le_bytes());
    }
    put(70, &16i16.to_le_bytes());
    put(72, &32i16.to_le_bytes());
    put(108, &352f32.to_le_bytes());
    put(254, &4i16.to_le_bytes());
    for (row, entries) in [[-2f32, 0., 0., 10.], [0., 3., 0., -20.], [0., 0., 4., 30.]].iter().enumerate() {
        for (column, entry) in entries.iter().enumerate() {
            put(280 + 16 * row + 4 * column, &entry.to_le_bytes());
        }
    }
    put(344, b"n+1\0");
    for volume in 0..n_volumes {
        for k in 0..shape[2] {
            for j in 0..shape[1] {
                for i in 0..shape[0] {
                    bytes.extend((value(volume, i, j, k) as f32).to_le_bytes());
                }
            }
        }
    }
    fs::write(path, bytes).unwrap();
}

/// Values of an uncompressed f4 or u1 image in voxel order, read without the tool.
fn voxels(path: &Path) -> Vec<f64> {
    let bytes = fs::read(path).unwrap();
    let short = |at: usize| i16::from_le_bytes([bytes[at], bytes[at + 1]]) as usize;
    let [nx, ny, nz] = [short(42), short(44), short(46)];
    let mut values = Vec::new();
    for i in 0..nx {
        for j in 0..ny {
            for k in 0..nz {
                let at = (k * ny + j) * nx + i;
                values.push(match short(70) {
                    16 => f64::from(f32::from_le_bytes(bytes[352 + 4 * at..356 + 4 * at].try_into().unwrap())),
                    2 => f64::from(bytes[352 + at]),
                    other => panic!("type {other}"),
                });
            }
        }
    }
    values
}

/// Nine trials of two kinds (METHODS test vector in voxel 0), a voxel without a difference, a constant one, one with
/// NaN.
fn trials(dir: &Path) -> (Array2<f64>, Vec<String>) {
    let first = [5., 6., 7., 8., 1., 2., 2., 3., 4.];
    let betas = Array2::from_shape_fn((9, 4), |(row, voxel)| match voxel {
        0 => first[row],
        1 => (row % 2) as f64,
        2 => 3.0,
        _ => f64::NAN,
    });
    let kinds = ["face", "face", "face", "face", "house", "house", "house", "house", "house"];
    let lines: Vec<String> = kinds.iter().enumerate().map(|(row, kind)| format!("s{row},{kind}")).collect();
    fs::write(dir.join("floc.csv"), format!("stimulus,domain\n{}\n", lines.join("\n"))).unwrap();
    (betas, ids(9))
}

const CONTRAST: &str = "fmri-roi contrast --stimuli floc.csv --by domain --contrast 'face > house'";

#[test]
fn gives_the_worked_t_from_a_file_a_pipe_and_an_image() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (betas, ids) = trials(dir);
    let bytes = save(&dir.join("betas.npy"), &betas, Some(&ids));
    let out = run(dir, &format!("{CONTRAST} betas.npy"));
    assert!(out.stderr.contains("2 of 4 voxels have no t: 1 constant, 1 nan_input"), "{}", out.stderr);
    let file = out.ok();
    let (t, labels) = matrix(&file);
    assert_eq!(labels.unwrap(), ["t"]);
    // A = {5,6,7,8}, B = {1,2,2,3,4}: Student t 5.063217. Half a unit of the last digit printed.
    assert!((t[(0, 0)] - 5.063217).abs() < 5e-7, "{t}");
    assert!(t[(0, 2)].is_nan() && t[(0, 3)].is_nan());
    assert_eq!(pipe(dir, &format!("{CONTRAST} -"), &bytes).ok(), file);
    assert_eq!(pipe(dir, CONTRAST, &bytes).ok(), file);

    let (welch, _) = matrix(&run(dir, &format!("{CONTRAST} --test welch betas.npy")).ok());
    assert!((welch[(0, 0)] - 4.984212).abs() < 5e-7, "{welch}");

    // The same numbers as volumes of 2 x 2 x 1 voxels.
    image(&dir.join("betas.nii"), [2, 2, 1], 9, |volume, i, j, _| betas[(volume, 2 * i + j)]);
    run(dir, &format!("{CONTRAST} betas.nii")).fails(1, &["9 volumes", "--assume-order"]);
    run(dir, &format!("{CONTRAST} --assume-order betas.nii -o t.nii")).ok();
    let image = voxels(&dir.join("t.nii"));
    for voxel in 0..4 {
        assert!(image[voxel] == f64::from(t[(0, voxel)] as f32) || image[voxel].is_nan() && t[(0, voxel)].is_nan());
    }
    let header = fs::read(dir.join("t.nii")).unwrap();
    // Intent t, with the degrees of freedom.
    assert_eq!((header[68], f32::from_le_bytes(header[56..60].try_into().unwrap())), (3, 7.0));
    // Welch's degrees of freedom differ between voxels, so the header promises none.
    run(dir, &format!("{CONTRAST} --test welch --assume-order betas.nii -o w.nii")).ok();
    assert_eq!(fs::read(dir.join("w.nii")).unwrap()[68], 0);
    run(dir, &format!("{CONTRAST} --assume-order betas.nii -o t.npy")).ok();
    assert_eq!(matrix(&fs::read(dir.join("t.npy")).unwrap()).0[(0, 0)], t[(0, 0)] as f32 as f64);
}

#[test]
fn the_table_says_what_select_units_would() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (betas, ids) = trials(dir);
    save(&dir.join("betas.npy"), &betas, Some(&ids));
    run(dir, &format!("{CONTRAST} betas.npy --table t.csv --fdr bh -o t.npy")).ok();
    let table = rows(&fs::read_to_string(dir.join("t.csv")).unwrap());
    assert_eq!(table.len(), 4);
    let number = |row: usize, column: &str| table[row][column].parse::<f64>().unwrap();
    assert_eq!((table[0]["array"].as_str(), table[3]["voxel"].as_str(), table[0]["n"].as_str()), ("betas", "3", "9"));
    assert_eq!((number(0, "mean_preferred"), number(0, "mean_rest"), number(0, "df")), (6.5, 2.4, 7.0));
    // One-sided p: half of .00145810. Two voxels can be tested, so q of the smaller p is twice it.
    assert!((number(0, "p") - 0.00072905).abs() < 5e-9 && (number(0, "q") / number(0, "p") - 2.0).abs() < 1e-12);
    assert!((number(0, "dprime") - 3.366390).abs() < 5e-7);
    assert_eq!((table[2]["reason"].as_str(), table[3]["reason"].as_str()), ("constant", "nan_input"));
    assert!(number(2, "t").is_nan());
}

#[test]
fn rows_are_joined_by_id() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (betas, ids) = trials(dir);
    save(&dir.join("betas.npy"), &betas, Some(&ids));
    let expected = run(dir, &format!("{CONTRAST} betas.npy")).ok();

    let order = [8, 3, 1, 0, 7, 2, 5, 4, 6];
    let shuffled = betas.select(ndarray::Axis(0), &order);
    let names: Vec<String> = order.iter().map(|&row| ids[row].clone()).collect();
    let bytes = save(&dir.join("shuffled.npy"), &shuffled, Some(&names));
    let (t, _) = matrix(&run(dir, &format!("{CONTRAST} shuffled.npy")).ok());
    assert!((t[(0, 0)] - matrix(&expected).0[(0, 0)]).abs() < 1e-14);
    pipe(dir, CONTRAST, &bytes).fails(1, &["row 0", "\"s8\"", "as a file"]);

    let mut foreign = ids.clone();
    foreign[4] = "stranger".into();
    save(&dir.join("foreign.npy"), &betas, Some(&foreign));
    run(dir, &format!("{CONTRAST} foreign.npy")).fails(1, &["row 4", "stranger"]);
    let kept = run(dir, &format!("{CONTRAST} --inner foreign.npy"));
    assert!(kept.stderr.contains("left out"), "{}", kept.stderr);
    // Without row 4: B = {2,2,3,4}, pooled variance (5 + 2.75) / 6, t = 3.75 / sqrt(7.75 / 12).
    assert!((matrix(&kept.ok()).0[(0, 0)] - 3.75 / (7.75f64 / 12.0).sqrt()).abs() < 1e-12);

    save(&dir.join("bare.npy"), &betas, None);
    run(dir, &format!("{CONTRAST} bare.npy")).fails(1, &["without ids", "--assume-order"]);
    assert_eq!(run(dir, &format!("{CONTRAST} --assume-order bare.npy")).ok(), expected);

    // Every trial twice under its own id: 18 rows, df 16.
    let twice = ndarray::concatenate![ndarray::Axis(0), betas, betas];
    let labels = [ids.clone(), ids].concat();
    let bytes = save(&dir.join("twice.npy"), &twice, Some(&labels));
    run(dir, &format!("{CONTRAST} twice.npy --table t.csv -o t.npy")).ok();
    assert_eq!(rows(&fs::read_to_string(dir.join("t.csv")).unwrap())[0]["df"], "16");
    pipe(dir, CONTRAST, &bytes).fails(1, &["18 rows", "floc.csv has 9", "as a file"]);
}

#[test]
fn a_stream_gives_one_map_per_matrix_and_threads_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_, ids) = trials(dir);
    let (a, b) = (noise(9, 5000, 1), noise(9, 700, 2));
    let mut bytes = save(&dir.join("a.npy"), &a, Some(&ids));
    bytes.extend(save(&dir.join("b.npy"), &b, Some(&ids)));
    let both = pipe(dir, CONTRAST, &bytes).ok();
    let each = [run(dir, &format!("{CONTRAST} a.npy")).ok(), run(dir, &format!("{CONTRAST} b.npy")).ok()].concat();
    assert_eq!(both, each);
    for threads in [1, 8] {
        assert_eq!(pipe(dir, &format!("{CONTRAST} --threads {threads}"), &bytes).ok(), both);
    }
    pipe(dir, &format!("{CONTRAST} -o t.nii"), &bytes).fails(1, &["2 t maps"]);
}

#[test]
fn one_sample_is_the_t_of_the_mean_over_subjects() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Voxel number v of subject s; v = 1 has NaN in one subject, v = 2 is the same in all.
    let value = |subject: usize, voxel: usize| match voxel {
        1 if subject == 1 => f64::NAN,
        2 => 0.0,
        _ => (subject + 1) as f64 + voxel as f64,
    };
    for subject in 0..3 {
        image(&dir.join(format!("s{subject}.nii")), [2, 1, 2], 1, |_, i, _, k| value(subject, 2 * i + k));
    }
    let out = run(dir, "fmri-roi contrast --one-sample s0.nii s1.nii s2.nii -o t.nii");
    assert!(out.stderr.contains("3 maps, df 2") && out.stderr.contains("2 of 4 voxels have no t"), "{}", out.stderr);
    out.ok();
    let t = voxels(&dir.join("t.nii"));
    // Voxel 0: {1,2,3}, voxel 3: {4,5,6}; sd 1.
    assert_eq!(t[0], f64::from((2.0 * 3f64.sqrt()) as f32));
    assert_eq!(t[3], f64::from((5.0 * 3f64.sqrt()) as f32));
    assert!(t[1].is_nan() && t[2].is_nan());
    let side: serde_json::Value = serde_json::from_str(&fs::read_to_string(dir.join("t.json")).unwrap()).unwrap();
    assert_eq!((side["n"].as_u64(), side["df"].as_f64()), (Some(3), Some(2.0)));
    assert_eq!(side["inputs"].as_array().unwrap().len(), 3);

    // The same as rows of a matrix, and as matrices of one row; a pipe is as good as a file.
    let maps = Array2::from_shape_fn((3, 4), |(subject, voxel)| value(subject, voxel));
    save(&dir.join("maps.npy"), &maps, None);
    let whole = run(dir, "fmri-roi contrast --one-sample maps.npy").ok();
    assert!((matrix(&whole).0[(0, 0)] - 2.0 * 3f64.sqrt()).abs() < 1e-14);
    let mut singles = Vec::new();
    for row in maps.rows() {
        singles.extend(bytes_of(&row.insert_axis(ndarray::Axis(0)).to_owned(), None));
    }
    assert_eq!(pipe(dir, "fmri-roi contrast --one-sample", &singles).ok(), whole);

    run(dir, "fmri-roi contrast --one-sample s0.nii").fails(1, &["at least 2"]);
    run(dir, "fmri-roi contrast --one-sample s0.nii maps.npy").fails(1, &["maps.npy", "s0.nii"]);
    image(&dir.join("other.nii"), [2, 1, 3], 1, |_, _, _, _| 0.0);
    run(dir, "fmri-roi contrast --one-sample s0.nii other.nii").fails(1, &["2x1x3", "2x1x2", "resample"]);
    run(dir, "fmri-roi contrast --one-sample --by x s0.nii s1.nii").fails(2, &["cannot be used"]);
}

/// 2 x 2 x 3 voxels, t = 1 2 3 | 9 9 0 || 4 NaN 8 | 0 0 8.5 (k along, j |, i ||).
fn t_map(dir: &Path) -> [f64; 12] {
    let t = [1., 2., 3., 9., 9., 0., 4., f64::NAN, 8., 0., 0., 8.5];
    image(&dir.join("t.nii"), [2, 2, 3], 1, |_, i, j, k| t[(i * 2 + j) * 3 + k]);
    t
}

#[test]
fn defines_a_region_as_a_table_and_a_mask() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let t = t_map(dir);
    let table = run(dir, "fmri-roi define --stat t.nii --t 7 --name FFA -o ffa.nii").text();
    let expected = "roi,voxel,i,j,k,x,y,z,t\n\
                    FFA,3,0,1,0,10,-17,30,9\n\
                    FFA,4,0,1,1,10,-17,34,9\n\
                    FFA,8,1,0,2,8,-20,38,8\n\
                    FFA,11,1,1,2,8,-17,38,8.5\n";
    assert_eq!(table, expected);
    assert_eq!(voxels(&dir.join("ffa.nii")), [0., 0., 0., 1., 1., 0., 0., 0., 1., 0., 0., 1.]);
    // t > 7 is what is meant when nothing is said, and a pipe is as good as a file.
    assert_eq!(run(dir, "fmri-roi define --stat t.nii --name FFA").text(), expected);
    assert_eq!(pipe(dir, "fmri-roi define --name FFA", &fs::read(dir.join("t.nii")).unwrap()).text(), expected);
    run(dir, "fmri-roi define --stat t.nii --name FFA -o ffa.csv").ok();
    assert_eq!(fs::read_to_string(dir.join("ffa.csv")).unwrap(), expected);

    let numbers = |line: &str| -> Vec<String> {
        rows(&run(dir, line).text()).into_iter().map(|row| row["voxel"].clone()).collect()
    };
    // 3 and 4 tie at 9: the lower number wins. 11 usable voxels, 30 % is 3.3.
    assert_eq!(numbers("fmri-roi define --stat t.nii --top 1"), ["3"]);
    assert_eq!(numbers("fmri-roi define --stat t.nii --top 30%"), ["3", "4", "11"]);
    // Two clusters of two: 3-4 along k, 8-11 along j. A threshold of 3.5 adds voxel 6, alone.
    assert_eq!(numbers("fmri-roi define --stat t.nii --t 3.5 --min-cluster 2"), ["3", "4", "8", "11"]);
    assert_eq!(numbers("fmri-roi define --stat t.nii --t 3.5 --min-cluster 3"), [] as [&str; 0]);
    // 4 (0,1,1) touches 11 (1,1,2) by an edge, and 6 (1,0,0) touches 3 (0,1,0) by one.
    assert_eq!(
        numbers("fmri-roi define --stat t.nii --t 3.5 --min-cluster 5 --connectivity 18"),
        ["3", "4", "6", "8", "11"]
    );

    // The same map as .npy: no places, unless an image gives them.
    save(&dir.join("t.npy"), &Array2::from_shape_vec((1, 12), t.to_vec()).unwrap(), Some(&["t".into()]));
    let bare = run(dir, "fmri-roi define --stat t.npy --top 1").text();
    assert_eq!(bare, "roi,voxel,i,j,k,x,y,z,t\nroi,3,,,,,,,9\n");
    assert_eq!(run(dir, "fmri-roi define --stat t.npy --name FFA --like t.nii").text(), expected);
    run(dir, "fmri-roi define --stat t.npy --t 7 --min-cluster 2").fails(1, &["t.npy", "--like"]);
    run(dir, "fmri-roi define --stat t.npy --t 7 -o m.nii").fails(1, &["mask", "--like"]);
    assert!(!dir.join("m.nii").exists());
}

#[test]
fn an_empty_parcel_stays_visible() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    t_map(dir);
    // Parcel 1: voxels 0-2, parcel 2: 3-5, parcel 5: 6-11.
    image(&dir.join("p.nii"), [2, 2, 3], 1, |_, i, j, _| [1., 2., 5., 5.][2 * i + j]);
    fs::write(dir.join("p.tsv"), "index\tname\n0\tbackground\n5\tPPA\n1\tEBA\n7\tRSC\n2\tPPA\n").unwrap();
    let out = run(dir, "fmri-roi define --stat t.nii --parcels p.nii --t 7 --summary");
    assert!(
        out.stderr.contains("warning: t.nii: region \"1\" has 0 voxels of 3 (0 NaN), largest t 3.000"),
        "{}",
        out.stderr
    );
    assert_eq!(
        out.text(),
        "roi,n_voxels,mm3,n_parcel,t_max,voxel,i,j,k,x,y,z\n\
         1,0,0,3,NaN,,,,,,,\n\
         2,2,48,3,9,3,0,1,0,10,-17,30\n\
         5,2,48,6,8.5,11,1,1,2,8,-17,38\n"
    );
    // Names merge parcels, keep the table's order, and keep a parcel that the image lacks.
    let named = "fmri-roi define --stat t.nii --parcels p.nii --labels p.tsv --t 7";
    let summary = rows(&run(dir, &format!("{named} --summary")).text());
    let seen: Vec<(&str, &str, &str)> =
        summary.iter().map(|row| (row["roi"].as_str(), row["n_voxels"].as_str(), row["n_parcel"].as_str())).collect();
    assert_eq!(seen, [("PPA", "4", "9"), ("EBA", "0", "3"), ("RSC", "0", "0")]);
    let table = run(dir, &format!("{named} -o m.nii")).text();
    assert_eq!(rows(&table).iter().map(|row| row["voxel"].as_str()).collect::<Vec<_>>(), ["3", "4", "8", "11"]);
    assert_eq!(voxels(&dir.join("m.nii"))[3..5], [1.0, 1.0]);
    assert_eq!(run(dir, &format!("{named} --name EBA --quiet")).text(), "roi,voxel,i,j,k,x,y,z,t\n");
    run(dir, &format!("{named} --name FFA")).fails(1, &["\"FFA\"", "PPA, EBA, RSC"]);

    image(&dir.join("big.nii"), [2, 2, 4], 1, |_, _, _, _| 1.0);
    run(dir, "fmri-roi define --stat t.nii --parcels big.nii").fails(1, &["2x2x3", "2x2x4", "resample"]);
    image(&dir.join("half.nii"), [2, 2, 3], 1, |_, _, _, _| 0.5);
    run(dir, "fmri-roi define --stat t.nii --parcels half.nii").fails(1, &["voxel 0", "0.5"]);
    let mut shifted = fs::read(dir.join("p.nii")).unwrap();
    shifted[292..296].copy_from_slice(&10.5f32.to_le_bytes());
    fs::write(dir.join("shifted.nii"), shifted).unwrap();
    run(dir, "fmri-roi define --stat t.nii --parcels shifted.nii").fails(1, &["10.0]", "10.5]", "resample"]);
}

#[test]
fn peaks_are_listed_highest_cluster_first() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // One row of 4 mm voxels: tops 5 at 1 and 4 at 4 (12 mm apart) in one cluster, 6 at 8 in another.
    let t = [3., 5., 2., 3., 4., 2., 0., 2., 6., 3.];
    image(&dir.join("t.nii"), [1, 1, 10], 1, |_, _, _, k| t[k]);
    let table = run(dir, "fmri-roi define --stat t.nii --t 1 --peaks").text();
    let expected = "roi,cluster,n_voxels,mm3,connectivity,voxel,i,j,k,x,y,z,t\n\
                    roi,1,3,72,6,8,0,0,8,10,-20,62,6\n\
                    roi,2,6,144,6,1,0,0,1,10,-20,34,5\n\
                    roi,2,6,144,6,4,0,0,4,10,-20,46,4\n";
    assert_eq!(table, expected);
    let apart = run(dir, "fmri-roi define --stat t.nii --t 1 --peaks --peak-distance 12.5").text();
    assert_eq!(rows(&apart).len(), 2);
}

#[test]
fn extracts_regions_with_their_ids() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let betas = Array2::from_shape_fn((3, 12), |(row, voxel)| (100 * row + voxel) as f64);
    let names: Vec<String> = ["a", "b", "a"].map(String::from).to_vec();
    let bytes = save(&dir.join("betas.npy"), &betas, Some(&names));
    fs::write(dir.join("r.csv"), "roi,voxel\nFFA,7\nFFA,2\nPPA,0\n").unwrap();
    let out = run(dir, "fmri-roi extract betas.npy --roi r.csv").ok();
    let both = arrays(&out);
    assert_eq!((both.len(), &both[0].shape, &both[1].shape), (2, &vec![3, 2], &vec![3, 1]));
    let (ffa, labels) = both[0].clone().into_matrix().unwrap();
    // The order of the table, not of the voxels.
    assert_eq!(ffa.into_f64(), array![[7., 2.], [107., 102.], [207., 202.]]);
    assert_eq!(labels.ids.as_ref().unwrap(), &names);
    assert_eq!(both[1].labels.ids.as_ref().unwrap(), &names);
    assert_eq!(pipe(dir, "fmri-roi extract --roi r.csv", &bytes).ok(), out);
    let (ppa, _) = matrix(&run(dir, "fmri-roi extract betas.npy --roi r.csv --name PPA").ok());
    assert_eq!(ppa, array![[0.], [100.], [200.]]);

    // From an image: same voxel numbers; ids from the table of trials, which may repeat.
    image(&dir.join("betas.nii"), [2, 2, 3], 3, |volume, i, j, k| betas[(volume, (i * 2 + j) * 3 + k)]);
    fs::write(dir.join("trials.csv"), "run,stimulus\n1,a\n1,b\n2,a\n").unwrap();
    let line = "fmri-roi extract betas.nii --roi r.csv --name FFA --stimuli trials.csv --assume-order --dtype f8";
    let mut single = both[0].clone();
    single.index = 0;
    let mut expected = Vec::new();
    npy_stream::write_array(&mut expected, &single).unwrap();
    assert_eq!(run(dir, line).ok(), expected);
    let bare = matrix(&run(dir, "fmri-roi extract betas.nii --roi r.csv --name FFA").ok());
    assert_eq!(bare.1, None);

    // A mask does as well as a table.
    image(&dir.join("m.nii"), [2, 2, 3], 1, |_, i, j, k| f64::from(u8::from([2, 7].contains(&((i * 2 + j) * 3 + k)))));
    let (masked, _) = matrix(&run(dir, "fmri-roi extract betas.npy --roi m.nii").ok());
    assert_eq!(masked, array![[2., 7.], [102., 107.], [202., 207.]]);

    run(dir, "fmri-roi extract betas.npy --roi r.csv --name EBA").fails(1, &["\"EBA\"", "FFA, PPA"]);
    run(dir, line.replace("betas.nii", "betas.npy").as_str()).fails(1, &["ids already"]);
    fs::write(dir.join("far.csv"), "roi,voxel\nFFA,12\n").unwrap();
    run(dir, "fmri-roi extract betas.npy --roi far.csv").fails(1, &["voxel 12", "12 voxels"]);
    fs::write(dir.join("twice.csv"), "roi,voxel\nFFA,1\nFFA,1\n").unwrap();
    run(dir, "fmri-roi extract betas.npy --roi twice.csv").fails(1, &["row 1", "twice"]);
    fs::write(dir.join("two.csv"), "stimulus\na\nb\n").unwrap();
    run(dir, &line.replace("trials", "two")).fails(1, &["3 volumes", "2 rows"]);
}

#[test]
fn a_region_of_another_grid_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    t_map(dir);
    image(&dir.join("betas.nii"), [2, 2, 3], 2, |volume, _, _, _| volume as f64);
    image(&dir.join("turned.nii"), [3, 2, 2], 2, |volume, _, _, _| volume as f64);
    run(dir, "fmri-roi define --stat t.nii --name FFA -o ffa.csv").ok();
    run(dir, "fmri-roi define --stat t.nii --name FFA -o ffa.nii").ok();
    run(dir, "fmri-roi extract betas.nii --roi ffa.csv").ok();
    run(dir, "fmri-roi extract turned.nii --roi ffa.csv").fails(1, &["row 0", "another grid"]);
    run(dir, "fmri-roi extract turned.nii --roi ffa.nii").fails(1, &["2x2x3", "3x2x2"]);
}

#[test]
fn an_empty_region_gives_a_matrix_without_columns() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    t_map(dir);
    save(&dir.join("betas.npy"), &noise(3, 12, 1), Some(&ids(3)));
    run(dir, "fmri-roi define --stat t.nii --t 50 --name FFA -o ffa.csv").ok();
    let out = run(dir, "fmri-roi extract betas.npy --roi ffa.csv --name FFA");
    assert!(out.stderr.contains("\"FFA\" has 0 voxels"), "{}", out.stderr);
    let (none, labels) = matrix(&out.ok());
    assert_eq!((none.dim(), labels.unwrap()), ((3, 0), ids(3)));
    run(dir, "fmri-roi define --stat t.nii --t 50 --name FFA -o ffa.nii").ok();
    assert_eq!(matrix(&run(dir, "fmri-roi extract betas.npy --roi ffa.nii").ok()).0.dim(), (3, 0));
}

#[test]
fn pipes_that_close_disks_that_are_full_and_inputs_that_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_, ids) = trials(dir);
    let bytes = save(&dir.join("betas.npy"), &noise(9, 60_000, 3), Some(&ids));
    fs::write(dir.join("cut.npy"), &bytes[..bytes.len() / 2]).unwrap();
    image(&dir.join("t.nii"), [60, 50, 20], 1, |_, i, j, k| (i + j + k) as f64);
    fs::write(dir.join("cut.nii"), &fs::read(dir.join("t.nii")).unwrap()[..100_000]).unwrap();
    let all: String = (0..60_000).map(|voxel| format!("all,{voxel}\n")).collect();
    fs::write(dir.join("all.csv"), format!("roi,voxel\n{all}")).unwrap();
    let verbs = [
        (CONTRAST, "betas.npy", "cut.npy"),
        ("fmri-roi define --stat - --t 1", "t.nii", "cut.nii"),
        ("fmri-roi extract --roi all.csv", "betas.npy", "cut.npy"),
    ];
    for (line, input, cut) in verbs {
        let head = sh(dir, &format!("{line} --quiet < {input} | head -c 100"));
        assert_eq!((head.code, head.stdout.len()), (0, 100), "{line}: {}", head.stderr);
        assert!(head.stderr.is_empty(), "{line}: {}", head.stderr);
        let full = sh(dir, &format!("{line} --quiet < {input} > /dev/full"));
        assert_eq!(full.code, 1, "{line}");
        assert!(full.stderr.contains("No space left") && full.stderr.lines().count() == 1, "{}", full.stderr);
        let short = pipe(dir, line, &fs::read(dir.join(cut)).unwrap());
        short.fails(1, &["ended after"]);
        pipe(dir, line, b"roi,voxel\n").fails(1, &["not a .npy array"]);
        pipe(dir, line, b"").fails(1, &["empty"]);
        let missing = line.replace(" --stat -", " --stat none.nii");
        let missing = if missing == line { format!("{line} none.npy") } else { missing };
        run(dir, &missing).fails(1, &["none.n", "No such file"]);
    }
    run(dir, "fmri-roi define --stat cut.nii").fails(1, &["240352 bytes", "100000"]);
    run(dir, "fmri-roi extract betas.npy").fails(2, &["--roi"]);
}

#[test]
fn help_opens_with_its_purpose_and_its_examples_run() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (betas, ids) = trials(dir);
    let kinds = "stimulus,domain\ns0,faces\ns1,faces\ns2,faces\ns3,faces\ns4,bodies\ns5,bodies\ns6,places\ns7,places\ns8,places\n";
    fs::write(dir.join("floc.csv"), kinds).unwrap();
    fs::write(dir.join("trials.csv"), kinds).unwrap();
    save(&dir.join("betas.npy"), &betas, Some(&ids));
    image(&dir.join("betas.nii"), [2, 2, 1], 9, |volume, i, j, _| betas[(volume, 2 * i + j)]);
    for subject in 1..=3 {
        let name = format!("sub-0{subject}_face_con.nii");
        image(&dir.join(&name), [2, 2, 1], 1, |_, i, j, _| 20.0 + (subject * (i + 1) + j) as f64);
        sh(dir, &format!("gzip {name}")).ok();
    }
    image(&dir.join("parcels.nii"), [2, 2, 1], 1, |_, i, _, _| 1.0 + i as f64);
    sh(dir, "gzip betas.nii parcels.nii").ok();
    fs::write(dir.join("parcels.tsv"), "index\tname\n1\tFFA\n2\tOFA\n").unwrap();
    fs::write(dir.join("regions.csv"), "roi,voxel\nFFA,0\nOFA,1\n").unwrap();
    for verb in ["", "contrast ", "define ", "extract "] {
        let help = run(dir, &format!("fmri-roi {verb}--help")).text();
        assert!(help.lines().all(|line| line.len() <= 100), "a line of the help is wrapped");
        let examples = help.split_once("Examples:\n").unwrap().1.replace("\\\n", "");
        assert!(examples.lines().count() >= 3);
        for line in examples.lines() {
            // The image for small regions must exist before it is asked for.
            let line = line.replace("--min-cluster 10", "--min-cluster 1");
            let out = sh(dir, &line);
            assert_eq!(out.code, 0, "{line}: {}", out.stderr);
        }
    }
    assert!(run(dir, "fmri-roi --version").text().starts_with("fmri-roi "));
}

#[test]
fn the_sixteen_face_contrasts_peak_where_they_should() {
    let Some(maps) = data("face_con_16subj") else { return };
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let line = format!("fmri-roi contrast --one-sample {}/sub-*_face_con.nii.gz -o t.nii.gz", maps.display());
    let out = sh(dir, &line);
    assert!(out.stderr.contains("16 maps, df 15"), "{}", out.stderr);
    assert!(out.stderr.contains("97786 of 153594 voxels have no t"), "{}", out.stderr);
    out.ok();
    let peaks = rows(&run(dir, "fmri-roi define --stat t.nii.gz --t 5 --peaks").text());
    let number = |row: usize, column: &str| peaks[row][column].parse::<f64>().unwrap();
    let found: Vec<([f64; 3], f64)> = (0..peaks.len())
        .map(|row| (["x", "y", "z"].map(|axis| number(row, axis)), (number(row, "t") * 10.0).round() / 10.0))
        .collect();
    // Left and right OFA, right and left FFA, amygdala.
    let expected = [
        ([-39., -85., -14.], 9.1),
        ([36., -88., -8.], 8.7),
        ([42., -49., -17.], 7.1),
        ([-42., -58., -23.], 7.0),
        ([-21., -10., -11.], 6.9),
    ];
    assert_eq!(found[..5], expected);
    // nilearn 0.14.1, get_clusters_table(t, 5, min_distance=8): 15 clusters, the first of 972 mm3, one subpeak.
    assert_eq!((peaks.len(), number(peaks.len() - 1, "cluster"), number(0, "n_voxels") * 27.0), (16, 15.0, 972.0));
    // V1 within 6 mm of (8, -90, 0): no voxel above 1.0.
    let low = rows(&run(dir, "fmri-roi define --stat t.nii.gz --t 1.05").text());
    let near = |row: &Row| {
        let at = |axis: &str| row[axis].parse::<f64>().unwrap();
        (at("x") - 8.0).abs() <= 6.0 && (at("y") + 90.0).abs() <= 6.0 && at("z").abs() <= 6.0
    };
    assert!(!low.is_empty() && !low.iter().any(near));
}
