//! `scripts/study.mk` on made-up pictures, networks and people: all of it comes out, what did not change is not made
//! again, and a run that was stopped is taken up.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

use std::fs;
use std::path::Path;
use std::time::SystemTime;
use support::*;

const DOMAINS: [&str; 3] = ["faces", "bodies", "places"];

/// Pictures of 8 x 8 pixels in three domains: faces are redder, places bluer.
fn pictures(dir: &Path, table: &str, per_domain: usize, seed: u64) {
    fs::create_dir_all(dir.join("pictures")).unwrap();
    let mut text = String::from("stimulus,path,domain,age\n");
    let values = noise(3 * per_domain, 8 * 8 * 3, seed);
    for (i, row) in values.rows().into_iter().enumerate() {
        let (domain, name) = (DOMAINS[i / per_domain], format!("{table}-{i}"));
        let mut bytes = b"P6 8 8 255\n".to_vec();
        for (k, v) in row.iter().enumerate() {
            let tilt = match (domain, k % 3) {
                ("faces", 0) | ("places", 2) => 60.0,
                _ => 0.0,
            };
            bytes.push((120.0 + 40.0 * v + tilt).clamp(0.0, 255.0) as u8);
        }
        fs::write(dir.join(format!("pictures/{name}.ppm")), bytes).unwrap();
        text += &format!("{name},pictures/{name}.ppm,{domain},{}\n", ["young", "old"][i % 2]);
    }
    fs::write(dir.join(format!("{table}.csv")), text).unwrap();
}

/// So many voxels of a person's region (of 10): three noisy trials of each of 24 pictures (the last person missed one),
/// the same signal in all people and regions.
fn person(dir: &Path, region: &str, subject: usize, n_voxels: usize) {
    let n_trials = if subject == 3 { 71 } else { 72 };
    let order: Vec<usize> = (0..n_trials).map(|t| (t * 7 + subject) % 24).collect();
    let signal = noise(24, 10, 4).select(ndarray::Axis(0), &order);
    let labels: Vec<String> = order.iter().map(|i| format!("main-{i}")).collect();
    let trials = signal + 0.5 * noise(n_trials, 10, 10 + subject as u64);
    let trials = trials.slice(ndarray::s![.., ..n_voxels]).to_owned();
    save(&dir.join(format!("brain/{region}/sub-0{subject}.npy")), &trials, Some(&labels));
}

/// A folder with settings, a network, pictures of a localizer, of another one and of the scanner, and four people.
fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(root().join("testdata/models/tiny.onnx"), dir.path().join("net.onnx")).unwrap();
    fs::copy(root().join("scripts/study.mk"), dir.path().join("study.mk")).unwrap();
    for (table, per_domain, seed) in [("floc", 12, 1), ("other", 8, 2), ("main", 8, 3)] {
        pictures(dir.path(), table, per_domain, seed);
    }
    for region in ["FFA", "PPA"] {
        fs::create_dir_all(dir.path().join(format!("brain/{region}"))).unwrap();
        (0..4).for_each(|subject| person(dir.path(), region, subject, 10));
    }
    let settings = "
NETWORKS := net
net.steps := --preprocess raw255 --resize none --crop none
net.layers := conv relu
SEEDS := 1
net.calibrate := no
LOCALIZERS := floc other
floc.against := faces bodies places
other.domains := faces places
T := 3
THRESHOLDS := 3 2 60
VALIDATION := main
main.by := domain
SUBJECTS := sub-00 sub-01 sub-02 sub-03
REGIONS := FFA PPA
FFA.group := age
FFA.groups := young > old
brain = brain/$(1)/$(2).npy
CV := 3
DRAWS := 3
PEOPLE := $() (made up)
include study.mk
";
    fs::write(dir.path().join("mine.mk"), settings).unwrap();
    dir
}

fn files(dir: &Path) -> Vec<(String, SystemTime)> {
    let out = sh(dir, "find study -type f | sort").text();
    out.lines().map(|name| (name.to_owned(), fs::metadata(dir.join(name)).unwrap().modified().unwrap())).collect()
}

#[test]
fn a_study_is_made_once_and_taken_up_again() {
    let dir = workplace();
    let path = dir.path();
    let made = sh(path, "make -f mine.mk -j2");
    assert_eq!(made.code, 0, "{}", made.stderr);
    let table = |name: &str| rows(&fs::read_to_string(path.join(format!("study/{name}.csv"))).unwrap());
    // Finding 1: red-minus-green units find faces on the localizer and answer to other faces.
    let chosen = table("finding1");
    assert_eq!(chosen.len(), 2 * (3 + 2), "two models; three domains of one localizer, two of the other");
    let validated = table("validated");
    let faces = |category: &str| {
        let of = |r: &&Row| {
            r["model"] == "net" && r["localizer"] == "floc" && r["chosen_for"] == "faces" && r["category"] == category
        };
        number(validated.iter().find(of).unwrap(), "mean")
    };
    assert!(faces("faces") > 0.5 && faces("bodies") < 0.0, "{} {}", faces("faces"), faces("bodies"));
    // Findings 2 and 3: people agree with each other; the network's units, which see other noise, do not.
    let humans = table("humans");
    let of = |stat: &str, who: &str| {
        let is = |r: &&Row| r["region"] == "FFA" && r["of"] == stat && r["subject"] == who;
        number(humans.iter().find(is).unwrap(), "median_pairwise")
    };
    assert!(of("profile", "median") > 0.6 && of("profile", "net") < 0.5);
    assert!(of("rdm", "median") > 0.5 && of("rdm", "median").is_finite());
    // No unit passes t > 60: rows of models have a reason there, and people are as before.
    let gaps = table("gaps");
    assert!(gaps.iter().any(|r| r["threshold"] == "2" && r["reason"].is_empty() && number(r, "gap").is_finite()));
    assert!(gaps.iter().all(|r| (r["threshold"] == "60") <= (r["reason"] == "too_few_units" && r["gap"].is_empty())));
    assert!(path.join("study/between/FFA/profile-t60.csv").exists());
    assert_eq!(table("finding4").iter().map(|r| &r["region"][..]).collect::<Vec<_>>(), ["FFA", "FFA", "PPA", "PPA"]);
    assert!(table("finding5").iter().any(|r| r["effect"] == "interaction" && r["over"] == "stimuli"));
    assert!(!table("localizers").is_empty() && !table("lu-wang").is_empty() && !table("consistency").is_empty());
    let page = fs::read_to_string(path.join("study/report.html")).unwrap();
    assert!(page.contains("FFA (made up)") && page.contains("encode ablate"));
    // Every table, matrix and figure has a record.
    let before = files(path);
    for (name, _) in before.iter().filter(|(name, _)| !name.ends_with(".json") && !name.ends_with(".txt")) {
        let stem = Path::new(name).with_extension("json").display().to_string();
        assert!(before.iter().any(|(n, _)| *n == stem || *n == format!("{name}.json")), "{name} has no record");
    }

    // Again: nothing to do. One table of a person touched: what it went into, and no activations.
    assert!(sh(path, "make -f mine.mk").text().contains("Nothing to be done"));
    assert_eq!(files(path), before);
    sh(path, "sleep 0.02; touch brain/PPA/sub-03.npy; make -f mine.mk").ok();
    let after = files(path);
    let again: Vec<&str> = before.iter().zip(&after).filter(|(a, b)| a.1 != b.1).map(|(a, _)| a.0.as_str()).collect();
    assert!(again.contains(&"study/finding2/PPA.csv") && again.contains(&"study/report.html"), "{again:?}");
    assert!(again.iter().all(|name| !name.contains("/acts/") && !name.contains("FFA")), "{again:?}");
    // Another threshold: units are chosen anew and no table keeps the old ones; activations stay.
    let t =
        |rows: Vec<Row>| rows.iter().map(|r| r["threshold"].clone()).collect::<std::collections::BTreeSet<String>>();
    assert_eq!(t(table("humans")), ["3".to_string()].into());
    let said = sh(path, "sed -i 's/^T := 3/T := 2/' mine.mk && make -f mine.mk").text();
    assert!(said.contains("select-units") || said.contains("unit-stats layers"), "{said}");
    assert!(!said.contains("ann-acts") && said.contains("figure report"), "{said}");
    assert_eq!(t(table("humans")), ["2".to_string()].into());
    assert!(sh(path, "make -f mine.mk").text().contains("Nothing to be done"));
    // A product that was lost, as a killed run leaves it: it alone, and what comes from it, is made again, the same.
    let scores = fs::read(path.join("study/finding3/FFA.csv")).unwrap();
    fs::remove_file(path.join("study/finding3/FFA.csv")).unwrap();
    let said = sh(path, "make -f mine.mk finding3").text();
    assert!(said.contains("rsa compare") && !said.contains("ann-acts"), "{said}");
    assert_eq!(fs::read(path.join("study/finding3/FFA.csv")).unwrap(), scores);
    // What is only said is only said anew; a region that is no longer asked for is not on the page.
    let said = sh(path, "sed -i \"s/(made up)/(O'Brien's)/\" mine.mk && make -f mine.mk").text();
    assert!(said.contains("figure scores") && said.lines().all(|l| !l.contains("tuning compare")), "{said}");
    assert!(!said.contains("encode ablate"), "{said}");
    let page = || fs::read_to_string(path.join("study/report.html")).unwrap();
    assert!(page().contains("FFA (O&#39;Brien&#39;s)") && page().contains("PPA (O&#39;Brien&#39;s)"));
    sh(path, "sed -i 's/^REGIONS := FFA PPA/REGIONS := FFA/' mine.mk && make -f mine.mk").ok();
    assert!(!page().contains("PPA (O&#39;Brien&#39;s)") && page().contains("FFA (O&#39;Brien&#39;s)"));
    assert!(sh(path, "make -f mine.mk").text().contains("Nothing to be done"));
    // The table of the localizer decides what units are, and what the twins of a calibrated network answer.
    let remade = |calibrate: &str| {
        sh(
            path,
            &format!(
                "make -n -W floc.csv -f mine.mk net.calibrate={calibrate} study/acts/main/net-untrained-1/conv.npy"
            ),
        )
        .text()
    };
    assert!(!remade("no").contains("ann-acts"));
    assert!(remade("yes").contains("--calibrate-on floc.csv"));
    // No unit passes on the half that chooses: there is no layer, and no unit of another one in its place.
    sh(path, "sed -i 's/^T := 2/T := 30/' mine.mk && make -f mine.mk").ok();
    let chosen = table("finding1");
    assert!(chosen.iter().all(|row| row["array"].is_empty() && row["reason"] == "empty"), "{chosen:?}");
    assert!(table("left-out").iter().any(|row| row["role"] == "network" && row["threshold"] == "2"));
}

/// The reasons of the rows of a table for which `holds`.
fn reasons(rows: &[Row], holds: impl Fn(&Row) -> bool) -> Vec<&str> {
    rows.iter().filter(|row| holds(row)).map(|row| row["reason"].as_str()).collect()
}

#[test]
fn regions_without_units_or_voxels_keep_their_rows_and_the_study_goes_through() {
    let dir = workplace();
    let path = dir.path();
    let table = |name: &str| rows(&fs::read_to_string(path.join(format!("study/{name}.csv"))).unwrap());
    let read = |name: &str| fs::read_to_string(path.join("study").join(name)).unwrap();
    // Nobody has an FFA, one person a PPA of a single voxel.
    for subject in 0..4 {
        person(path, "FFA", subject, 0);
        person(path, "PPA", subject, usize::from(subject == 2));
    }
    sh(path, "make -f mine.mk -j2").ok();
    for finding in ["finding2", "finding3"] {
        let of = table(finding);
        assert_eq!(reasons(&of, |r| r["region"] == "FFA"), ["too_few_voxels"; 2], "{finding}");
        // The untrained twin has no place units (t > 3); the network and one person can be compared.
        assert_eq!(reasons(&of, |r| r["region"] == "PPA" && r["model"] == "net-untrained-1"), ["too_few_units"]);
        assert_eq!(of.iter().filter(|r| r["region"] == "PPA" && r["model"] == "net").count(), 1, "{finding}");
    }
    let of = table("finding2");
    let net = of.iter().find(|r| r["region"] == "PPA" && r["model"] == "net").unwrap();
    assert!(number(net, "r").is_finite() && net["n_subjects"] == "1" && net["reason"].is_empty());
    // One voxel has no pattern, which says itself.
    assert_eq!(reasons(&table("finding3"), |r| r["region"] == "PPA" && r["model"] == "net"), ["nan_input"]);
    let humans = table("humans");
    assert_eq!(reasons(&humans, |r| r["subject"] == "median"), ["too_few_voxels"; 4], "two regions, two statistics");
    assert_eq!(reasons(&table("finding4"), |r| r["region"] == "FFA"), ["too_few_voxels"]);
    assert_eq!(reasons(&table("finding5"), |r| r["effect"] == "interaction"), ["too_few_voxels"]);
    assert!(table("gaps").iter().all(|r| !r["reason"].is_empty()));
    let left_out = table("left-out");
    let people = |region: &str| {
        reasons(&left_out, |r| r["region"] == region && r["role"] == "person" && r["threshold"] == "3").len()
    };
    assert_eq!((people("FFA"), people("PPA")), (4, 3));
    // Figures say it, and so does the page, which has the table of those that are left out.
    assert!(read("finding2/FFA.svg").contains("Nothing is drawn: no row"), "{}", read("finding2/FFA.svg"));
    assert!(read("finding2/PPA.svg").contains("Without a number: net-untrained-1 (too_few_units)"));
    assert!(read("finding5/PPA.svg").contains("class=\"point\"") && read("finding5/FFA.svg").contains("Nothing is"));
    let page = read("report.html");
    assert!(page.contains("left-out.csv") && page.contains("too_few_voxels") && page.contains("Nothing is drawn"));
    assert!(sh(path, "make -f mine.mk").text().contains("Nothing to be done"));

    // A threshold that leaves the network one face unit, whose RDM has no number, and no place unit to anyone.
    sh(path, "sed -i 's/^T := 3/T := 9.9/' mine.mk && make -f mine.mk -j2").ok();
    assert_eq!(reasons(&table("finding2"), |r| r["region"] == "PPA"), ["too_few_units"; 2]);
    assert!(read("finding3/PPA.svg").contains("Nothing is drawn"));
    // No unit anywhere: no RDM of a network at all. People are back, and are compared as before.
    for region in ["FFA", "PPA"] {
        for subject in 0..4 {
            person(path, region, subject, 10);
        }
    }
    sh(path, "sed -i 's/^T := 9.9/T := 60/' mine.mk && make -f mine.mk -j2").ok();
    for finding in ["finding2", "finding3"] {
        assert_eq!(reasons(&table(finding), |_| true), ["too_few_units"; 4], "{finding}");
    }
    assert!(number(table("humans").iter().find(|r| r["subject"] == "median").unwrap(), "median_pairwise") > 0.6);
    assert_eq!(reasons(&table("finding3/pairs"), |_| true), ["too_few_units"]);
    assert!(read("finding3/map.svg").contains("Nothing is drawn") && read("report.html").contains("too_few_units"));
}
