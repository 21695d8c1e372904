//! `fmri-roi` on the neighbours of a mesh: clusters, permutations and group parcels of surfaces and grayordinates,
//! against nilearn and SciPy, against the volume that a mesh can be, and refusals of meshes that do not fit.
#![allow(clippy::unwrap_used)] // this is test code

use brain_formats::Geometry;
use brain_formats::maps::{MapFormat, write_maps};
use brain_formats::space::{Grayordinates, Model, Part, Space, Surface};
use brain_formats::volume_writer::Intent;
use ndarray::Array2;
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use support::*;

fn json(name: &str) -> Value {
    serde_json::from_slice(&fs::read(root().join("testdata/golden/meshes").join(name)).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// The ball, its maps and its t map.
fn golden_files(dir: &Path) {
    for file in ["left.surf.gii", "lh.ball", "maps.func.gii", "t.func.gii"] {
        fs::copy(root().join("testdata/golden/meshes").join(file), dir.join(file)).unwrap();
    }
}

fn facts(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn clusters_on_a_mesh_are_nilearns() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    golden_files(dir);
    let golden = json("clusters.json");
    for (threshold, wanted) in golden["thresholds"].as_object().unwrap() {
        for mesh in ["left.surf.gii", "lh.ball"] {
            let line = format!("fmri-roi define --stat t.func.gii --surface {mesh} --t {threshold}");
            let found = run(dir, &format!("{line} --clusters")).text();
            assert!(found.starts_with("roi,cluster,n_voxels,mm2,connectivity,t_max,voxel,structure,vertex,t_mean\n"));
            let table = rows(&found);
            assert_eq!(table.len(), wanted.as_array().unwrap().len());
            for (row, cluster) in table.iter().zip(wanted.as_array().unwrap()) {
                assert_eq!(row["connectivity"], "mesh");
                assert_eq!(
                    (number(row, "t_max"), number(row, "n_voxels")),
                    (cluster["t"].as_f64().unwrap(), cluster["n"].as_f64().unwrap())
                );
                // Another order of additions.
                within(number(row, "mm2"), cluster["mm2"].as_f64().unwrap(), 1e-9);
            }
            // Each cluster has its highest vertex as a peak, and those of one cluster are apart along the mesh.
            let peaks = rows(&run(dir, &format!("{line} --peaks --peak-distance 1000")).text());
            assert_eq!(peaks.len(), table.len());
            let kept = rows(&run(dir, &format!("{line} --min-cluster 4 --summary")).text());
            let sizes = table.iter().map(|row| number(row, "n_voxels")).filter(|n| *n >= 4.0);
            assert_eq!(number(&kept[0], "n_voxels"), sizes.sum::<f64>());
            let areas = table.iter().filter(|row| number(row, "n_voxels") >= 4.0).map(|row| number(row, "mm2"));
            within(number(&kept[0], "mm2"), areas.sum(), 1e-9);
        }
    }
    let areas = numbers(&golden["areas"]);
    let whole = run(dir, "fmri-roi define --stat t.func.gii --surface lh.ball --t -1000 --summary --name all").text();
    assert!(whole.starts_with("roi,n_voxels,mm2,n_parcel,t_max,voxel,structure,vertex\n"), "{whole}");
    within(number(&rows(&whole)[0], "mm2"), areas.iter().sum(), 1e-8);
    // Without its mesh the area is not known.
    let bare = run(dir, "fmri-roi define --stat t.func.gii --t -1000 --summary").text();
    assert_eq!(rows(&bare)[0]["mm2"], "");
}

#[test]
fn peaks_are_apart_along_the_mesh_and_a_sphere_is_in_its_millimetres() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    golden_files(dir);
    let ways = numbers(&json("clusters.json")["ways_from_0"]);
    // The highest peak is vertex 0, the next ones fall with their distance from it.
    let n = ways.len();
    let t: Vec<f32> = (0..n).map(|v| if v == 0 { 9.0 } else { 1.0 }).collect();
    let mesh = brain_formats::freesurfer::read_surface(&fs::read(dir.join("lh.ball")).unwrap()).unwrap();
    let next_to = |a: u32| mesh.triangles.iter().filter(move |t| t.contains(&a)).flatten().copied();
    let far: Vec<usize> = (1..n).filter(|&v| !next_to(v as u32).any(|other| other == 0)).collect();
    let left = Space::Surface(Surface { structure: Some("CORTEX_LEFT".into()), n_vertices: n });
    for &other in &far {
        let mut two = t.clone();
        two[other] = 8.0;
        save(dir, "two.func.gii", &[two], &left);
        let line = "fmri-roi define --stat two.func.gii --surface lh.ball --t 0.5 --peaks --quiet";
        let peaks = |mm: f64| rows(&run(dir, &format!("{line} --peak-distance {mm}")).text()).len();
        assert_eq!(peaks(ways[other] - 0.01), 2, "{other}");
        assert_eq!(peaks(ways[other] + 0.01), 1, "{other}");
        if other > far[10] {
            break;
        }
    }
    let [x, y, z] = mesh.coordinates[7];
    let line = "fmri-roi define --stat t.func.gii --t -1000";
    let found = run(dir, &format!("{line} --surface left.surf.gii --sphere {x},{y},{z},20")).text();
    let near = |v: &usize| {
        let squared: f64 = mesh.coordinates[*v].iter().zip([x, y, z]).map(|(a, b)| (a - b).powi(2)).sum();
        squared <= 400.0
    };
    let wanted: Vec<String> = (0..n).filter(near).map(|v| v.to_string()).collect();
    let vertices: Vec<String> = rows(&found).iter().map(|row| row["vertex"].clone()).collect();
    assert!(wanted.len() > 3 && vertices == wanted, "{vertices:?} {wanted:?}");
}

fn save(dir: &Path, name: &str, maps: &[Vec<f32>], space: &Space) {
    let maps: Vec<(&str, &[f32])> = maps.iter().map(|map| ("map", map.as_slice())).collect();
    let format = MapFormat::of_name(name).unwrap();
    write_maps(File::create(dir.join(name)).unwrap(), format, &maps, space, Intent::None).unwrap();
}

#[test]
fn every_sign_flip_on_a_mesh_gives_scipys_p() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    golden_files(dir);
    let golden = json("permutations.json");
    let vertices = numbers(&golden["vertices"]);
    for (statistic, name) in [("tfce", "tfce"), ("cluster-mass", "cluster_mass"), ("cluster-extent", "cluster_extent")]
    {
        let threshold = if statistic == "tfce" { "" } else { "--cluster-t 1.5" };
        let line = format!(
            "fmri-roi contrast --one-sample --permutations 128 --statistic {statistic} {threshold} --surface left.surf.gii \
             --table p.csv --p-map p.func.gii maps.func.gii -o t.gii"
        );
        let out = run(dir, &line);
        assert!(
            out.stderr.contains("over all 128 sign flips") && out.stderr.contains("mesh neighbours"),
            "{}",
            out.stderr
        );
        out.ok();
        let text = fs::read_to_string(dir.join("p.csv")).unwrap();
        assert!(text.starts_with("array,voxel,structure,vertex,n,estimate,"), "{}", &text[..60]);
        let table = rows(&text);
        for (place, &vertex) in vertices.iter().enumerate() {
            let row = &table[vertex as usize];
            assert_eq!((row["vertex"].as_str(), row["connectivity"].as_str()), (format!("{vertex}").as_str(), "mesh"));
            // Hundreds of terms, in another order.
            let observed = golden[name]["observed"][place].as_f64().unwrap();
            within(number(row, name), observed, 1e-9 * observed.max(1.0));
            within(number(row, "p_corrected"), golden[name]["p"][place].as_f64().unwrap(), 1e-12);
        }
        assert_eq!(table[5]["reason"], "constant");
        assert_eq!(facts(&dir.join("t.json"))["connectivity"], "mesh");
        // The map of p is read as any other.
        let below = table.iter().filter(|row| number(row, "p_corrected") < 0.05).count();
        let found = run(dir, "fmri-roi define --stat p.func.gii --t 1.301 --summary").text();
        assert_eq!(rows(&found)[0]["n_voxels"], below.to_string());
    }
    let line =
        "fmri-roi contrast --one-sample --permutations 64 --seed 3 --statistic tfce --surface lh.ball maps.func.gii";
    let one = run(dir, &format!("{line} --threads 1 --p-map a.npy -o a.gii"));
    one.ok();
    run(dir, &format!("{line} --threads 4 --p-map b.npy -o b.gii")).ok();
    assert_eq!(fs::read(dir.join("a.npy")).unwrap(), fs::read(dir.join("b.npy")).unwrap());
}

const SHAPE: [usize; 3] = [5, 4, 3];
const N: usize = 60;

fn grid() -> Geometry {
    Geometry::from_sizes(SHAPE, [2.0, 3.0, 2.5])
}

/// A GIFTI surface as text.
fn surf_gii(path: &Path, structure: Option<&str>, places: &[[f64; 3]], triangles: &[[usize; 3]]) {
    let meta = structure.map_or(String::new(), |name| {
        format!("<MetaData><MD><Name>AnatomicalStructurePrimary</Name><Value>{name}</Value></MD></MetaData>")
    });
    let text = |rows: Vec<String>| rows.join("\n");
    let array = |intent: &str, kind: &str, n: usize, data: String| {
        format!(
            "<DataArray Intent=\"NIFTI_INTENT_{intent}\" DataType=\"NIFTI_TYPE_{kind}\" ArrayIndexingOrder=\"RowMajorOrder\" \
             Dimensionality=\"2\" Dim0=\"{n}\" Dim1=\"3\" Encoding=\"ASCII\" Endian=\"LittleEndian\"><Data>{data}</Data></DataArray>"
        )
    };
    let points = array(
        "POINTSET",
        "FLOAT32",
        places.len(),
        text(places.iter().map(|p| format!("{} {} {}", p[0], p[1], p[2])).collect()),
    );
    let corners = array(
        "TRIANGLE",
        "INT32",
        triangles.len(),
        text(triangles.iter().map(|t| format!("{} {} {}", t[0], t[1], t[2])).collect()),
    );
    fs::write(
        path,
        format!(
            "<?xml version=\"1.0\"?><GIFTI Version=\"1.0\" NumberOfDataArrays=\"2\">{meta}{points}{corners}</GIFTI>"
        ),
    )
    .unwrap();
}

/// The grid as a mesh whose edges are pairs of voxels with a common face, each folded into a triangle.
fn grid_as_mesh(dir: &Path) {
    let all = grid();
    let mut edges = Vec::new();
    for voxel in 0..N {
        let [i, j, k] = all.place(voxel);
        for [i, j, k] in [[i + 1, j, k], [i, j + 1, k], [i, j, k + 1]] {
            if i < SHAPE[0] && j < SHAPE[1] && k < SHAPE[2] {
                edges.push([voxel, all.voxel([i, j, k]), voxel]);
            }
        }
    }
    let places: Vec<[f64; 3]> = (0..N).map(|voxel| all.millimetres(all.place(voxel))).collect();
    surf_gii(&dir.join("grid.surf.gii"), Some("CortexLeft"), &places, &edges);
}

/// Six subjects on the grid, and on the mesh that it is; a focus in a corner.
fn both_ways(dir: &Path, strong: bool) {
    let maps = noise(6, N, 3);
    let mut maps: Vec<Vec<f32>> = maps.rows().into_iter().map(|row| row.iter().map(|&v| v as f32).collect()).collect();
    for map in &mut maps {
        [0, 1, 3, 4, 12, 13].iter().for_each(|&voxel| map[voxel] += 2.0);
        if strong {
            map[N - 1] = 50.0 + 0.01 * map[N - 1];
        }
    }
    save(dir, "volume.nii", &maps, &Space::Grid(grid()));
    save(
        dir,
        "surface.func.gii",
        &maps,
        &Space::Surface(Surface { structure: Some("CORTEX_LEFT".into()), n_vertices: N }),
    );
    grid_as_mesh(dir);
}

/// Columns of the table of a permutation test.
fn permuted(dir: &Path, line: &str, columns: &[&str]) -> Vec<Vec<String>> {
    run(dir, &format!("fmri-roi contrast --one-sample --permutations 64 {line} --table p.csv -o p.gii")).ok();
    let table = rows(&fs::read_to_string(dir.join("p.csv")).unwrap());
    table.iter().map(|row| columns.iter().map(|column| row[*column].clone()).collect()).collect()
}

#[test]
fn a_volume_as_a_mesh_of_its_6_neighbours_has_the_volumes_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    both_ways(dir, false);
    for (statistic, column) in
        [("tfce", "tfce"), ("cluster-mass", "cluster_mass"), ("cluster-extent", "cluster_extent")]
    {
        let columns = ["voxel", "t", column, "p_corrected"];
        let table = |input: &str, out: &str| {
            let line = format!(
                "fmri-roi contrast --one-sample --permutations 64 --tail two-sided --statistic {statistic} {input} --table p.csv -o {out}"
            );
            run(dir, &line).ok();
            let table = rows(&fs::read_to_string(dir.join("p.csv")).unwrap());
            table.iter().map(|row| columns.map(|column| row[column].clone())).collect::<Vec<_>>()
        };
        let volume = table("volume.nii", "v.nii");
        assert_eq!(volume, table("surface.func.gii --surface grid.surf.gii", "s.gii"), "{statistic}");
        assert!(volume.iter().any(|row| row[3] == "0.03125"), "something is found");
    }
    // Clusters and peaks too; peaks of a volume have 26 neighbours, so only their clusters are compared.
    let clusters = |line: &str| {
        let table = rows(&run(dir, &format!("fmri-roi define {line} --t 1 --tail two-sided --clusters")).text());
        table
            .iter()
            .map(|row| ["cluster", "n_voxels", "t_max", "voxel", "t_mean"].map(|c| row[c].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(clusters("--stat v.nii"), clusters("--stat s.gii --surface grid.surf.gii"));
}

#[test]
fn a_strong_vertex_elsewhere_lowers_no_other_tfce_p_on_a_mesh() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let p = |strong: bool| {
        both_ways(dir, strong);
        let line = "--statistic tfce --surface grid.surf.gii surface.func.gii";
        permuted(dir, line, &["p_corrected", "tfce"])
    };
    let (before, after) = (p(false), p(true));
    let parsed = |rows: &[Vec<String>]| -> Vec<[f64; 2]> {
        rows.iter().map(|row| [row[0].parse().unwrap(), row[1].parse().unwrap()]).collect()
    };
    let (before, after) = (parsed(&before), parsed(&after));
    // The null keeps its scale: what was found is found, and no enhanced value falls.
    let found: Vec<usize> = (0..N - 1).filter(|&v| before[v][0] <= 1.0 / 64.0).collect();
    assert!(found.len() >= 4, "{found:?}");
    for vertex in 0..N - 1 {
        assert!(after[vertex][1] >= before[vertex][1] - 1e-9 * before[vertex][1], "{vertex}");
    }
    found.iter().for_each(|&vertex| assert!(after[vertex][0] <= 2.0 / 64.0, "{vertex}: {:?}", after[vertex]));
}

#[test]
fn grayordinates_have_two_meshes_and_voxels() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Two squares of four vertices each (vertex 2 of the right one is not in the file), and two touching structures.
    let places = [[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [3.0, 2.0, 0.0]];
    let right = places.map(|[x, y, z]| [x + 50.0, y, z]);
    let triangles = [[0, 1, 2], [2, 1, 3]];
    surf_gii(&dir.join("L.surf.gii"), Some("CortexLeft"), &places, &triangles);
    surf_gii(&dir.join("R.surf.gii"), Some("CortexRight"), &right, &triangles);
    surf_gii(&dir.join("nameless.surf.gii"), None, &right, &triangles);
    let part = |structure: &str, first: usize, part: Part| Model { structure: structure.into(), first, part };
    let vertices = |vertices: &[u32]| Part::Vertices { n_vertices: 4, vertices: vertices.to_vec() };
    let space = Space::Grayordinates(Grayordinates {
        volume: Some(grid()),
        models: vec![
            part("CORTEX_LEFT", 0, vertices(&[0, 1, 2, 3])),
            part("CORTEX_RIGHT", 4, vertices(&[0, 1, 3])),
            part("THALAMUS_LEFT", 7, Part::Voxels(vec![[1, 0, 0], [0, 0, 0]])),
            part("PUTAMEN_LEFT", 9, Part::Voxels(vec![[2, 0, 0], [3, 0, 0], [4, 3, 2]])),
        ],
    });
    save(dir, "t.dscalar.nii", &[vec![5.0, 4.0, 1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 8.5, 5.5]], &space);
    let line = "fmri-roi define --stat t.dscalar.nii --t 2";
    let both = "--surface L.surf.gii --surface R.surf.gii";
    let found = run(dir, &format!("{line} {both} --clusters")).text();
    let table = rows(&found);
    let of = |row: &Row| ["n_voxels", "mm3", "mm2", "connectivity", "structure"].map(|column| row[column].clone());
    let wanted = [
        ["2", "30", "0", "6", "PUTAMEN_LEFT"],
        ["2", "30", "0", "6", "THALAMUS_LEFT"],
        ["3", "0", "4", "mesh", "CORTEX_RIGHT"],
        ["1", "15", "0", "6", "PUTAMEN_LEFT"],
        ["3", "0", "4", "mesh", "CORTEX_LEFT"],
    ];
    assert_eq!(table.iter().map(of).collect::<Vec<_>>(), wanted.map(|row| row.map(str::to_owned)));
    assert!(
        found.starts_with("roi,cluster,n_voxels,mm3,mm2,connectivity,t_max,voxel,structure,vertex,i,j,k,x,y,z,t_mean")
    );
    // Sides of meshes by option, where the file does not name one.
    let sides = "--surface L.surf.gii --surface-right nameless.surf.gii";
    assert_eq!(run(dir, &format!("{line} {sides} --clusters")).text(), found);
    // A sphere takes vertices and voxels alike; a mask is a scalar file again.
    let sphere = run(dir, &format!("{line} {both} --sphere 51,0,0,2.5")).text();
    assert_eq!(rows(&sphere).iter().map(|row| row["voxel"].as_str()).collect::<Vec<_>>(), ["4", "5"]);
    run(dir, &format!("{line} {both} --min-cluster 3 -o big.dscalar.nii")).ok();
    let cut = run(dir, "fmri-roi define --stat big.dscalar.nii --t 0").text();
    assert_eq!(rows(&cut).iter().map(|row| row["voxel"].as_str()).collect::<Vec<_>>(), ["0", "1", "3", "4", "5", "6"]);
    // Permutations and atlases too.
    let subjects: Vec<String> = (0..5)
        .map(|subject| {
            let map: Vec<f32> = (0..12).map(|v| 1.0 + ((v * 7 + subject * 5) % 9) as f32 / 4.0).collect();
            let name = format!("s{subject}.dscalar.nii");
            save(dir, &name, &[map], &space);
            name
        })
        .collect();
    let subjects = subjects.join(" ");
    let permuted =
        format!("fmri-roi contrast --one-sample --permutations 32 --statistic tfce --p-map p.dscalar.nii {subjects}");
    run(dir, &format!("{permuted} {both} --table p.csv -o g.dscalar.nii")).ok();
    let table = rows(&fs::read_to_string(dir.join("p.csv")).unwrap());
    let neighbours: Vec<&str> = table.iter().map(|row| row["connectivity"].as_str()).collect();
    assert_eq!(neighbours, [["mesh"; 7].to_vec(), ["6"; 5].to_vec()].concat());
    assert_eq!(facts(&dir.join("g.dscalar.json"))["connectivity"], "mesh and 6");
    let gss = run(dir, &format!("fmri-roi gss --t 1.2 --fwhm 3 {both} {subjects} -o parcels.dscalar.nii")).text();
    assert!(gss.starts_with("parcel,n_voxels,mm3,mm2,n_subjects,"), "{gss}");
    assert!(rows(&gss).len() >= 3, "{gss}");
    let atlas = run(dir, &format!("fmri-roi atlas t.dscalar.nii --parcels parcels.dscalar.nii --t 2 {both}")).text();
    assert_eq!(rows(&atlas).iter().filter(|row| row["connectivity"] == "mesh").count(), 2, "{atlas}");

    // What is missing or does not fit is said before anything is written.
    for (options, parts) in [
        ("", &["4 of 4 vertices of CORTEX_LEFT", "--surface-left"][..]),
        ("--surface L.surf.gii", &["3 of 4 vertices of CORTEX_RIGHT", "--surface-right"]),
        (
            "--surface L.surf.gii --surface nameless.surf.gii",
            &["nameless.surf.gii", "--surface-left or --surface-right"],
        ),
        ("--surface L.surf.gii --surface-left nameless.surf.gii", &["CORTEX_LEFT", "L.surf.gii", "one of each"]),
        ("--surface-left R.surf.gii", &["R.surf.gii", "CORTEX_RIGHT", "given as that of CORTEX_LEFT"]),
    ] {
        run(dir, &format!("{line} --clusters {options} -o no.dscalar.nii")).fails(1, parts);
        run(dir, &format!("{permuted} {options} -o no.dscalar.nii")).fails(1, parts);
        assert!(!dir.join("no.dscalar.nii").exists() && !dir.join("no.json").exists());
    }
}

#[test]
fn meshes_that_do_not_fit_or_are_damaged_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    golden_files(dir);
    both_ways(dir, false);
    let line = "fmri-roi define --stat t.func.gii --t 1 --clusters";
    for (options, parts) in [
        ("", &["t.func.gii", "162 vertices of CORTEX_LEFT", "--surface"][..]),
        ("--surface grid.surf.gii", &["grid.surf.gii", "60 vertices", "162"]),
        ("--surface t.func.gii", &["t.func.gii", ".surf.gii"]),
        ("--surface volume.nii", &["volume.nii", "not a surface"]),
        ("--surface nowhere.surf.gii", &["nowhere.surf.gii"]),
        ("--surface lh.ball --connectivity 26", &["--connectivity", "mesh"]),
        ("--surface-right left.surf.gii", &["left.surf.gii", "CORTEX_LEFT", "CORTEX_RIGHT"]),
        ("--surface-right lh.ball", &["lh.ball", "CORTEX_RIGHT", "none of its vertices"]),
        ("--surface lh.ball --surface left.surf.gii", &["left.surf.gii", "leave it out"]),
    ] {
        run(dir, &format!("{line} {options}")).fails(1, parts);
    }
    let whole = fs::read(dir.join("lh.ball")).unwrap();
    for cut in [0, 2, 3, 40, whole.len() / 2, whole.len() - 1] {
        fs::write(dir.join("cut"), &whole[..cut]).unwrap();
        run(dir, &format!("{line} --surface cut")).fails(1, &["cut"]);
    }
    surf_gii(&dir.join("bad.surf.gii"), Some("CortexLeft"), &[[0.0; 3]; 162], &[[0, 1, 162]]);
    run(dir, &format!("{line} --surface bad.surf.gii")).fails(1, &["bad.surf.gii", "vertex 162", "162 vertices"]);
    surf_gii(&dir.join("nan.surf.gii"), None, &[[f64::NAN; 3]; 162], &[[0, 1, 2]]);
    run(dir, &format!("{line} --surface nan.surf.gii")).fails(1, &["nan.surf.gii", "vertex 0 of 162"]);
    // Where nothing needs a mesh, none is taken.
    for line in [
        "fmri-roi define --stat t.func.gii --t 1",
        "fmri-roi contrast --one-sample maps.func.gii --permutations 8",
        "fmri-roi atlas t.func.gii --parcels t.func.gii",
    ] {
        let out = run(dir, &format!("{line} --surface lh.ball"));
        assert!(out.code == 1 || out.code == 2, "{line}");
        assert!(out.stderr.contains("--surface"), "{}", out.stderr);
    }
    run(dir, "fmri-roi define --stat volume.nii --t 1 --clusters --surface lh.ball").fails(1, &["volume.nii"]);
    run(
        dir,
        "fmri-roi contrast --one-sample volume.nii --permutations 8 --statistic tfce --surface grid.surf.gii -o x.nii",
    )
    .fails(1, &["--surface", "voxels"]);
    run(dir, "fmri-roi contrast --one-sample maps.func.gii --surface lh.ball").fails(1, &["--surface"]);
    save(dir, "p.pscalar.nii", &[vec![1.0, 2.0]], &two_parcels());
    run(dir, "fmri-roi define --stat p.pscalar.nii --t 1 --clusters").fails(1, &["2 parcels", "neighbours"]);
    // A matrix takes the place of its columns from --like.
    let matrix = Array2::from_shape_fn((1, 162), |(_, v)| v as f64);
    support::save(&dir.join("m.npy"), &matrix, None);
    let found = run(dir, "fmri-roi define --stat m.npy --like t.func.gii --surface lh.ball --t 100 --clusters").text();
    assert!(rows(&found).iter().all(|row| row["structure"] == "CORTEX_LEFT"), "{found}");
    // An overlay does not name its surface; its mesh does.
    run(dir, "fmri-roi contrast --one-sample maps.func.gii -o t.mgz").ok();
    let bare = run(dir, "fmri-roi define --stat t.mgz --t 3 --clusters --surface-left lh.ball").text();
    assert!(rows(&bare).iter().all(|row| row["structure"] == "CORTEX_LEFT") && bare.lines().count() > 1, "{bare}");
}

fn two_parcels() -> Space {
    use brain_formats::space::{Parcel, Parcels};
    let parcel =
        |n: u32| Parcel { name: format!("P{n}"), vertices: vec![("CORTEX_LEFT".into(), vec![n])], voxels: Vec::new() };
    let surfaces = vec![("CORTEX_LEFT".into(), 20)];
    Space::Parcels(Parcels { volume: None, surfaces, parcels: vec![parcel(0), parcel(1)] })
}

/// The rule by hand, from the highest down: no labelled neighbour starts a parcel, one kind joins, two make a border.
fn watershed(heights: &[f64], neighbours: &[Vec<usize>], least: f64) -> Vec<u32> {
    let mut order: Vec<usize> = (0..heights.len()).filter(|&v| heights[v] >= least).collect();
    order.sort_by(|&a, &b| heights[b].total_cmp(&heights[a]).then(a.cmp(&b)));
    let (mut labels, mut n) = (vec![0; heights.len()], 0);
    for vertex in order {
        let mut around: Vec<u32> = neighbours[vertex].iter().map(|&v| labels[v]).filter(|l| *l > 0).collect();
        around.sort_unstable();
        around.dedup();
        labels[vertex] = match around[..] {
            [] => {
                n += 1;
                n
            }
            [one] => one,
            _ => 0,
        };
    }
    labels
}

#[test]
fn group_parcels_on_a_mesh_follow_the_rule() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    golden_files(dir);
    let mesh = brain_formats::freesurfer::read_surface(&fs::read(dir.join("lh.ball")).unwrap()).unwrap();
    let mut neighbours = vec![Vec::new(); 162];
    for triangle in &mesh.triangles {
        for (a, b) in [(0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)] {
            neighbours[triangle[a] as usize].push(triangle[b] as usize);
        }
    }
    let maps =
        brain_formats::gifti::read(&fs::read(dir.join("maps.func.gii")).unwrap(), brain_formats::gifti::nothing_beside);
    let maps = maps.unwrap().into_maps().unwrap().maps;
    let share = |v: usize| maps.iter().filter(|(_, map)| map.get(v) > 2.0).count() as f64 / 7.0;
    let shares: Vec<f64> = (0..162).map(share).collect();
    let line = "fmri-roi gss --t 2 --surface lh.ball --parcel-overlap 0 --voxel-overlap 0.25 maps.func.gii";
    // Without smoothing the heights are the shares themselves.
    let labels = watershed(&shares, &neighbours, 0.25);
    let table = rows(&run(dir, &format!("{line} --fwhm 0 -o parcels.label.gii")).text());
    let read = run(dir, "fmri-roi define --stat t.func.gii --t -1000 --parcels parcels.label.gii --quiet").text();
    let mut found = vec![0; 162];
    rows(&read).iter().for_each(|row| found[row["voxel"].parse::<usize>().unwrap()] = row["roi"].parse().unwrap());
    assert_eq!(found, labels);
    let n = labels.iter().copied().max().unwrap();
    assert!(n > 2 && table.len() == n as usize, "{n}");
    let areas = numbers(&json("clusters.json")["areas"]);
    for row in &table {
        let members: Vec<usize> = (0..162).filter(|&v| labels[v].to_string() == row["parcel"]).collect();
        within(number(row, "mm2"), members.iter().map(|&v| areas[v]).sum(), 1e-9);
        let subjects = maps.iter().filter(|(_, map)| members.iter().any(|&v| map.get(v) > 2.0)).count();
        assert_eq!(number(row, "n_subjects"), subjects as f64);
    }
    let record = facts(&dir.join("parcels.label.json"));
    assert_eq!((&record["connectivity"], &record["fwhm_mm"]), (&"mesh".into(), &0.0.into()));
    assert!(record["smoothing"].as_str().unwrap().starts_with("heat kernel"));
    // Smoothing makes fewer and larger parcels, below the shares' own maximum.
    let smooth = rows(&run(dir, &format!("{line} --fwhm 25")).text());
    assert!(!smooth.is_empty() && smooth.len() < table.len(), "{} {}", smooth.len(), table.len());
    assert!(smooth.iter().all(|row| number(row, "smoothed_max") < number(row, "overlap_max")));
    run(dir, "fmri-roi gss --t 2 maps.func.gii").fails(1, &["162 vertices", "gss", "--surface"]);
}
