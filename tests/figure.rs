//! `figure`: what is drawn of the tables and matrices that the tools write, read back from the SVG.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

#[path = "manners/made_up.rs"]
mod made_up;

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use support::*;
use tempfile::TempDir;

/// The made-up study, and the tables that the tools write of it, under the names that the examples of the help have.
const TABLES: &str = r"
ceiling design -q --n-boot 200 --want 0.9,0.95 sub-*/ffa.npy > design.csv
floc='-q --stimuli floc.csv --by domain'
select-units $floc --t 3 layer4.npy > units.csv
select-units $floc --all layer3.npy layer4.npy > all.csv
select-units $floc --contrast 'faces > rest' --t 5 --names acts layer4.npy > face_units.csv
unit-stats validate -q --names layer4 --units units.csv --stimuli other.csv --by domain other.npy > validated.csv
unit-stats layers $floc --t 3 layer3.npy layer4.npy > layers.csv
unit-stats layers $floc --t 2 --choose t --train half=odd layer3.npy layer4.npy > chosen.csv
cat layer3.npy layer4.npy > net.npy && cat twin.npy twin.npy > twins.npy
unit-stats layers $floc --t 2 --models net,twin --names layer3,layer4 net.npy twins.npy > models.csv
unit-stats overlap -q all.csv --thresholds 2,4,6,8 > thresholds.csv
npy cols -q --units face_units.csv acts.npy -o faces.npy
npy average -q sub-01/ffa.npy -o ffa.npy
for s in 1 2 3 4; do npy average -q sub-0$s/ffa.npy | rsa rdm -q > r$s.npy; done
rsa rdm -q acts.npy -o ann.npy
cat r?.npy > ffa_rdms.npy
rsa compare -q ann.npy --names net --brain ffa_rdms.npy --ceiling --test t > scores.csv
rsa compare -q ann.npy --brain r1.npy r2.npy --all-pairs > pairs.csv
tuning compare -q faces.npy acts.npy --brain sub-0*/ffa.npy --brain-names sub-01,sub-02,sub-03,sub-04 > tuning_scores.csv
ceiling between -q sub-0*/ffa.npy > humans.csv
ceiling within -q --names ffa sub-01/ffa.npy > within.csv
ceiling voxel -q sub-01/ffa.npy > voxels.csv
rsa mds -q ann.npy > map.csv
tuning profile -q --format csv faces.npy ffa.npy > profiles.csv
tuning profile -q --format csv ffa.npy > ffa_profile.csv
tuning diverge -q faces.npy --brain sub-0*/ffa.npy > diverge.csv
ablate='-q --draws 5 --x acts.npy --y ffa.npy --units face_units.csv'
encode ablate $ablate > ablate_voxels.csv
encode ablate $ablate --by region > ablate.csv
npy cols -q --index 0:19 acts.npy -o early.npy
npy cols -q --index 20:59 acts.npy -o late.npy
encode fit -q --band early=early.npy --band late=late.npy --y ffa.npy --n-iter 5 --partition parts.csv -o banded.csv
select-units -q --stimuli other.csv --by domain --t 3 --names layer4 other.npy > other_units.csv
unit-stats overlap -q units.csv other_units.csv > pairs_of_sets.csv
fmri-roi overlap -q sub-0[123]_face_con.nii --names sub-01,sub-02,sub-03 --t 1 --combinations > people.csv
unit-stats probe -q acts.npy --stimuli pictures.csv --by domain --table pictures --k 5 > probed.csv
glm='-q --events run-1_events.tsv run-2_events.tsv --confounds run-1_confounds.tsv run-2_confounds.tsv'
fmri-roi glm run-1_bold.nii run-2_bold.nii $glm --confound-columns rot_x --hrf spm --derivatives time \
  --contrast 'faces > rest' --out-dir maps
printf 'name,label\nr1,person 1\nann,network\nfaces,units < 7\n' > names.csv
";

fn study() -> &'static Path {
    static STUDY: OnceLock<TempDir> = OnceLock::new();
    let dir = STUDY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        made_up::study(dir.path());
        sh(dir.path(), &format!("set -e\n{TABLES}")).ok();
        dir
    });
    dir.path()
}

type Attributes = HashMap<String, String>;

/// The elements of a class, each with its attributes, in the order of the document.
fn elements(svg: &str, class: &str) -> Vec<Attributes> {
    let of_class = format!("class=\"{class}\"");
    svg.split('<').filter(|tag| tag.contains(&of_class)).map(attributes).collect()
}

fn attributes(tag: &str) -> Attributes {
    let mut found = HashMap::new();
    let mut rest = tag.split('>').next().unwrap();
    while let Some((head, tail)) = rest.split_once("=\"") {
        let (text, after) = tail.split_once('"').unwrap();
        let plain = text.replace("&gt;", ">").replace("&lt;", "<").replace("&quot;", "\"").replace("&amp;", "&");
        found.insert(head.split_whitespace().last().unwrap().to_string(), plain);
        rest = after;
    }
    found
}

/// What is written, element by element.
fn texts(svg: &str) -> Vec<String> {
    let after = svg.split("<text").skip(1).map(|rest| rest.split_once('>').unwrap().1);
    after.map(|rest| rest.split("</text>").next().unwrap().replace("&gt;", ">").replace("&amp;", "&")).collect()
}

fn numbers(list: &str) -> Vec<f64> {
    list.split(' ').map(|v| v.parse().unwrap()).collect()
}

/// Whether two numbers are equal to the digits that are drawn.
#[track_caller]
fn same(drawn: &str, in_table: &str) {
    let [a, b]: [f64; 2] = [drawn, in_table].map(|text| text.parse().unwrap_or(f64::NAN));
    assert!((a - b).abs() <= 1e-5 * b.abs() || (a.is_nan() && b.is_nan()), "drawn {drawn}, in the table {in_table}");
}

fn table(name: &str) -> Vec<Row> {
    rows(&fs::read_to_string(study().join(name)).unwrap())
}

/// Every figure is such a document.
#[track_caller]
fn figure(line: &str) -> String {
    let svg = run(study(), &format!("figure {line}")).text();
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\"") && svg.ends_with("</svg>\n"), "{svg}");
    for element in ["title", "desc"] {
        let text = svg.split_once(&format!("<{element}>")).unwrap().1.split("</").next().unwrap();
        assert!(text.len() > 8, "{element}: {text:?}");
    }
    assert!(svg.len() < 200_000, "{} bytes", svg.len());
    // Nothing stands outside the page.
    let size = numbers(&attributes(svg.split('<').nth(1).unwrap())["viewBox"]);
    for tag in svg.split('<') {
        let found = attributes(tag);
        let no_place = |key: &&str| found.get(*key).is_some_and(|text| text.contains("NaN") || text.contains("inf"));
        let shape =
            ["x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "width", "height", "d"].iter().find(|k| no_place(k));
        assert!(shape.is_none(), "a place without a number: <{tag}");
        for (key, limit) in [("x", size[2]), ("cx", size[2]), ("x2", size[2]), ("y", size[3]), ("y2", size[3])] {
            if let Some(v) = found.get(key) {
                let v: f64 = v.parse().unwrap();
                assert!((-0.01..=limit + 0.01).contains(&v), "{key} {v} of {limit}: <{tag}");
            }
        }
    }
    svg
}

#[test]
fn ceiling_draws_curves_bands_and_what_is_wanted() {
    let svg = figure("ceiling design.csv");
    assert_eq!(elements(&svg, "panel").len(), 3);
    let design = table("design.csv");
    let of = |vary: &str, column: &str| -> Vec<&str> {
        design.iter().filter(|row| row["vary"] == vary).map(|row| row[column].as_str()).collect()
    };
    let (curves, ribbons) = (elements(&svg, "curve"), elements(&svg, "ribbon"));
    assert_eq!((curves.len(), ribbons.len()), (6, 6));
    for (k, vary) in ["repeats", "subjects", "stimuli"].into_iter().enumerate() {
        for (i, name) in ["r_max", "leave_one_out"].into_iter().enumerate() {
            let (curve, ribbon) = (&curves[2 * k + i], &ribbons[2 * k + i]);
            assert_eq!(curve["data-name"], name);
            for (drawn, column) in [
                (&curve["data-x"], format!("n_{vary}")),
                (&curve["data-y"], name.to_string()),
                (&ribbon["data-lo"], format!("{name}_ci_lo")),
                (&ribbon["data-hi"], format!("{name}_ci_hi")),
            ] {
                let cells = of(vary, &column);
                assert_eq!(drawn.split(' ').count(), cells.len());
                drawn.split(' ').zip(cells).for_each(|(drawn, cell)| same(drawn, cell));
            }
        }
    }
    // The wanted values, in the panel of repeats alone, and in words.
    let wanted: Vec<String> = elements(&svg, "level").into_iter().map(|level| level["data-y"].clone()).collect();
    assert_eq!(wanted, ["0.9", "0.95"]);
    let needed = of("want", "n_repeats");
    let said = texts(&svg);
    let all = said.join("\n");
    assert!(all.contains(&format!("r_max 0.9 wanted: reached from {} repeats [", needed[0])), "{all}");
    for label in ["noise ceiling (r)", "repeats of every stimulus", "subjects", "stimuli", "the study at hand"] {
        assert!(said.iter().any(|text| text == label), "{label}: {all}");
    }
    // One ceiling alone, and the axis says which.
    let one = figure("ceiling --value reliability design.csv");
    assert_eq!(elements(&one, "curve").len(), 3);
    assert!(texts(&one).contains(&"reliability (bounds r²)".to_string()));
}

#[test]
fn the_ending_of_the_name_says_what_is_written() {
    let dir = study();
    let svg = figure("ceiling design.csv");
    run(dir, "figure ceiling design.csv -q -o a.svg").ok();
    assert_eq!(fs::read_to_string(dir.join("a.svg")).unwrap(), svg);
    run(dir, "figure ceiling design.csv -q -o a.PNG --threads 1").ok();
    run(dir, "figure ceiling design.csv -q -o b.png").ok();
    let png = fs::read(dir.join("a.PNG")).unwrap();
    assert_eq!(png, fs::read(dir.join("b.png")).unwrap());
    // 180 mm at 300 dots per inch.
    assert!(png.starts_with(b"\x89PNG"));
    assert_eq!(u32::from_be_bytes(png[16..20].try_into().unwrap()), 2126);
    let narrow = figure("ceiling design.csv --width 90 --title 'A <title> & more'");
    assert!(narrow.contains("width=\"90mm\"") && narrow.contains("<title>A &lt;title&gt; &amp; more</title>"));
    let text = run(dir, "figure ceiling --terminal design.csv").text();
    assert!(text.contains("repeats of every stimulus") && text.lines().all(|l| l.chars().count() <= 120), "{text}");
    for (line, code, said) in [
        ("ceiling design.csv -o a.pdf", 1, "a figure is written as .svg or .png"),
        ("ceiling design.csv -o a", 1, "a figure is written as .svg or .png"),
        ("ceiling design.csv --terminal -o a.png", 1, "--terminal writes text"),
        ("ceiling design.csv --width 5", 2, "between 40 and 600 mm"),
        ("ceiling floc.csv", 1, "the columns are stimulus, path, domain"),
        ("ceiling floc.csv", 1, "not a table of `ceiling design`"),
        ("ceiling acts.npy", 1, "a .npy array where a CSV or TSV table was expected"),
    ] {
        run(dir, &format!("figure {line}")).fails(code, &[said]);
    }
}

#[test]
fn responses_are_the_boxes_of_the_table() {
    let svg = figure("responses validated.csv");
    let (boxes, validated) = (elements(&svg, "box"), table("validated.csv"));
    assert_eq!((boxes.len(), validated.len(), elements(&svg, "panel").len()), (25, 25, 5));
    for (drawn, row) in boxes.iter().zip(&validated) {
        assert_eq!(drawn["data-name"], row["category"]);
        for column in ["whisker_lo", "q1", "median", "q3", "whisker_hi"] {
            same(&drawn[&format!("data-{}", column.replace('_', "-"))], &row[column]);
        }
    }
    let means = elements(&svg, "mean");
    means.iter().zip(&validated).for_each(|(drawn, row)| same(&drawn["data-y"], &row["mean"]));
    assert!(elements(&svg, "level").iter().all(|level| level["data-y"] == "0"));
    let said = texts(&svg);
    let units = &validated[0]["n_selected"];
    assert!(said.contains(&format!("faces > rest ({units} units)")), "{said:?}");
    assert!(said.contains(&"response (z)".to_string()) && said.contains(&"characters".to_string()));
    // Arrays share a panel, each with a colour and an entry of the legend.
    let by_array = figure("responses --facet array validated.csv");
    assert_eq!((elements(&by_array, "panel").len(), elements(&by_array, "box").len()), (1, 25));
    assert!(texts(&by_array).contains(&"faces > rest".to_string()));

    // Of a region: boxes over stimuli, against the slow obvious way.
    let svg = figure("responses ffa_profile.csv --stimuli pictures.csv --by domain");
    let boxes = elements(&svg, "box");
    let mut faces: Vec<f64> = table("ffa_profile.csv")
        .iter()
        .filter(|row| row["stimulus"].contains("faces"))
        .map(|row| row["z"].parse().unwrap())
        .collect();
    faces.sort_by(f64::total_cmp);
    assert_eq!((boxes.len(), boxes[0]["data-n"].as_str(), faces.len()), (5, "6", 6));
    same(&boxes[0]["data-median"], &((faces[2] + faces[3]) / 2.0).to_string());
    for (line, said) in [
        ("responses ffa_profile.csv", "--stimuli and --by say what its stimuli show"),
        ("responses validated.csv --stimuli pictures.csv --by domain", "leave --stimuli and --by out"),
        ("responses ffa_profile.csv --stimuli floc.csv --by domain", "30 of its 30 rows are about stimuli"),
        ("responses scores.csv", "not a table of `unit-stats validate`"),
        ("responses --facet colour validated.csv", "no column \"colour\"; the columns are array, contrast"),
    ] {
        run(study(), &format!("figure {line}")).fails(1, &[said]);
    }
}

#[test]
fn scores_stand_beside_people_and_under_their_ceiling() {
    let svg = figure("scores scores.csv");
    let scores = table("scores.csv");
    let (own, mean) = (&scores[..4], &scores[4]);
    assert_eq!(mean["subject"], "mean");
    let points = elements(&svg, "point");
    assert_eq!(points.len(), 5);
    for (drawn, row) in points.iter().zip(own) {
        assert_eq!(drawn["data-name"], format!("net, {}", row["subject"]));
        same(&drawn["data-y"], &row["r"]);
    }
    same(&points[4]["data-y"], &mean["r"]);
    let (strip, range) = (&elements(&svg, "strip")[0], &elements(&svg, "range")[0]);
    same(&strip["data-lo"], &mean["lower"]);
    same(&strip["data-hi"], &mean["upper"]);
    same(&range["data-lo"], &mean["ci_lo"]);
    same(&range["data-hi"], &mean["ci_hi"]);
    // The star and what it means.
    let said = texts(&svg);
    assert_eq!(said.contains(&"*".to_string()), mean["q"].parse::<f64>().unwrap() <= 0.05);
    assert!(said.iter().any(|text| text.starts_with("* q ≤ .05: test t (greater than 0), generalizes to subjects")));
    assert!(said.contains(&"r (pearson)".to_string()) && said.contains(&"net".to_string()), "{said:?}");

    let svg = figure("scores --humans humans.csv --value r_norm tuning_scores.csv");
    let drawn: Vec<String> = elements(&svg, "point").into_iter().map(|p| p["data-y"].clone()).collect();
    let humans = table("humans.csv");
    let mut expected: Vec<&str> = humans.iter().take(5).map(|row| row["median_pairwise_norm"].as_str()).collect();
    assert_eq!(humans[4]["subject"], "median");
    let models = table("tuning_scores.csv");
    expected.extend(models.iter().map(|row| row["r_norm"].as_str()));
    assert_eq!(drawn.len(), expected.len());
    drawn.iter().zip(expected).for_each(|(drawn, cell)| same(drawn, cell));
    assert!(texts(&svg).contains(&"human–human".to_string()));
    // Bounds and tests are of the score itself.
    assert!(elements(&figure("scores scores.csv --value n_pairs"), "strip").is_empty());
    run(study(), "figure scores --humans scores.csv tuning_scores.csv").fails(1, &["not a table of `ceiling between`"]);
    let said = "no column \"model\"; the columns are vary, n_subjects";
    run(study(), "figure scores design.csv").fails(1, &[said, "`rsa compare` or `tuning compare`"]);
    run(study(), "figure scores tuning_scores.csv --value rho").fails(1, &["no column \"rho\""]);
}

/// The square of an RDM that `rsa rdm` wrote.
fn square(name: &str) -> Vec<Vec<f64>> {
    let bytes = run(study(), &format!("rsa rdm -q --input-is rdm --transform positive --square {name}")).ok();
    arrays(&bytes)[0].clone().into_matrix().unwrap().0.into_f64().rows().into_iter().map(|row| row.to_vec()).collect()
}

#[test]
fn rdms_are_grids_whose_cells_have_their_values() {
    let svg = figure("rdm ann.npy r1.npy --stimuli pictures.csv --by domain");
    let cells = elements(&svg, "cells");
    assert_eq!((cells.len(), cells[0]["data-rows"].as_str(), cells[0]["data-columns"].as_str()), (2, "30", "30"));
    let values: Vec<String> = svg.split("<rect").filter_map(|tag| attributes(tag).remove("data-value")).collect();
    assert_eq!(values.len(), 2 * 900);
    // The stimuli of the table stand by domain already.
    for (k, name) in ["ann.npy", "r1.npy"].into_iter().enumerate() {
        let expected: Vec<f64> = square(name).concat();
        values[900 * k..900 * (k + 1)].iter().zip(expected).for_each(|(v, e)| same(v, &e.to_string()));
    }
    let said = texts(&svg);
    assert_eq!(said.iter().filter(|text| *text == "characters").count(), 4, "both axes of both: {said:?}");
    assert!(said.contains(&"dissimilarity".to_string()));
    // Another order of categories is another order of rows.
    let turned: String = "stimulus,domain\n".to_string()
        + &(0..30).map(|i| format!("{},{}\n", table("map.csv")[29 - i]["stimulus"], i / 15)).collect::<String>();
    fs::write(study().join("turned.csv"), turned).unwrap();
    let svg = figure("rdm ann.npy --stimuli turned.csv --by domain");
    let first = svg.split("<rect").filter_map(|tag| attributes(tag).remove("data-value")).nth(1).unwrap();
    same(&first, &square("ann.npy")[15][16].to_string());
    // Percentiles: the largest is 100, the diagonal 0.
    let svg = figure("rdm --percentile ann.npy");
    let values = svg.split("<rect").filter_map(|tag| attributes(tag).remove("data-value"));
    let values: Vec<f64> = values.map(|v| v.parse().unwrap()).collect();
    assert_eq!((values.iter().copied().fold(0.0, f64::max), values[0]), (100.0, 0.0));
    let above = square("ann.npy").concat().iter().filter(|v| **v > square("ann.npy")[0][1]).count() as f64 / 2.0;
    assert!((values[1] - 100.0 * (435.0 - above) / 435.0).abs() < 1e-3, "{} {above}", values[1]);
    // Many stimuli are one picture.
    save(&study().join("wide.npy"), &noise(60, 5, 1), Some(&ids(60)));
    run(study(), "rsa rdm -q wide.npy -o wide_rdm.npy").ok();
    assert!(figure("rdm wide_rdm.npy").contains("href=\"data:image/png;base64,"));
    run(study(), "figure rdm wide_rdm.npy -q -o wide.png").ok();
    run(study(), "figure rdm wide_rdm.npy ann.npy").fails(1, &["0 are in common"]);
    run(study(), "figure rdm ann.npy --stimuli floc.csv --by domain").fails(1, &["has no row about \"p-faces-1\""]);
    run(study(), "figure rdm ann.npy --by domain").fails(2, &["--stimuli"]);
    run(study(), "figure rdm acts.npy").fails(1, &["rsa rdm"]);
}

#[test]
fn designs_are_columns_over_time_in_their_groups() {
    let name = "maps/run-1_design.tsv";
    let text = fs::read_to_string(study().join(name)).unwrap();
    let mut lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let names = lines.next().unwrap();
    let cells: Vec<Vec<f64>> = lines.map(|l| l.iter().map(|v| v.parse().unwrap()).collect()).collect();
    let column = |k: usize| -> Vec<f64> { cells.iter().map(|row| row[k]).collect() };
    // What the record of the GLM says: derivatives behind conditions, then the confound.
    let order: Vec<usize> =
        ["faces", "objects", "places", "faces_derivative", "objects_derivative", "places_derivative"]
            .into_iter()
            .chain(["rot_x", "drift_1", "drift_2", "drift_3", "drift_4", "constant"])
            .map_while(|name| names.iter().position(|n| *n == name))
            .chain(names.iter().position(|n| *n == "constant").filter(|_| !names.contains(&"drift_4")))
            .collect();
    assert_eq!(order.len(), names.len(), "{names:?}");
    let svg = figure(&format!("design {name}"));
    let over: Vec<(String, String)> =
        elements(&svg, "over").into_iter().map(|o| (o["data-name"].clone(), o["data-n"].clone())).collect();
    let n_drifts = (names.len() - 7).to_string();
    let expected = [("conditions", "3"), ("derivatives", "3"), ("confounds", "1"), ("drifts and constant", &n_drifts)];
    assert_eq!(over, expected.map(|(name, n)| (name.to_string(), n.to_string())));
    let said = texts(&svg);
    let places: Vec<usize> = order.iter().map(|&k| said.iter().position(|t| t == names[k]).unwrap()).collect();
    assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{said:?}");
    // A short run has its values beside the cells; without a record the confound stands with the conditions.
    sh(study(), "head -25 maps/run-1_design.tsv > short.tsv").ok();
    let drawn = figure("design short.tsv");
    let drawn: Vec<String> = drawn.split("<rect").filter_map(|tag| attributes(tag).remove("data-value")).collect();
    assert_eq!(drawn.len(), 24 * names.len());
    let mut by_name = order.clone();
    by_name[3..7].rotate_right(1);
    for (place, &k) in by_name.iter().enumerate() {
        let all = &column(k)[..24];
        let (lo, hi) = all.iter().fold((f64::MAX, f64::MIN), |(lo, hi), &v| (lo.min(v), hi.max(v)));
        for (t, v) in all.iter().enumerate() {
            let scaled = if hi > lo { (v - lo) / (hi - lo) } else { 1.0 };
            let drawn: f64 = drawn[t * names.len() + place].parse().unwrap();
            assert!((drawn - scaled).abs() < 1e-5, "{} {t}: {drawn} {scaled}", names[k]);
        }
    }
    for text in ["time (s)", "200", "faces_derivative", "rot_x", "run-1 (120 volumes)", "confounds"] {
        assert!(said.contains(&text.to_string()), "{text}: {said:?}");
    }
    // A copy has no record: no seconds, and conditions and confounds are not told apart.
    sh(study(), "cp maps/run-1_design.tsv copy.tsv").ok();
    let said = texts(&figure("design copy.tsv"));
    assert!(said.contains(&"volume".to_string()) && said.iter().any(|t| t.starts_with("conditions or confounds")));
    assert!(texts(&figure("design --tr 1.5 copy.tsv")).contains(&"time (s)".to_string()));
    assert_eq!(elements(&figure("design maps/run-1_design.tsv maps/run-2_design.tsv"), "panel").len(), 2);

    let svg = figure("design --correlations maps/run-1_design.tsv");
    let drawn: Vec<String> = svg.split("<rect").filter_map(|tag| attributes(tag).remove("data-value")).collect();
    let n = names.len() - 1;
    assert_eq!(drawn.len(), n * n);
    let (x, y) = (column(order[0]), column(order[n - 1]));
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(p, q)| (p - mean(a)) * (q - mean(b))).sum::<f64>();
    same(&drawn[n - 1], &(product(&x, &y) / (product(&x, &x) * product(&y, &y)).sqrt()).to_string());
    assert!(texts(&svg).iter().any(|t| t.starts_with("The strongest correlation is that of ")));
    fs::write(study().join("hole.tsv"), "a\tb\n1\t2\nn/a\t3\n").unwrap();
    run(study(), "figure design hole.tsv").fails(1, &["column \"a\" has no number in row 1"]);
    fs::write(study().join("one.tsv"), "a\tb\n1\t2\n").unwrap();
    run(study(), "figure design one.tsv").fails(1, &["1 rows; a design has one per volume"]);
    run(study(), "figure design --tr 0 copy.tsv").fails(2, &["seconds above 0"]);
    fs::write(study().join("flat.tsv"), "a\tb\n1\t2\n1\t3\n").unwrap();
    run(study(), "figure design --correlations flat.tsv").fails(1, &["1 columns that vary"]);
}

/// The area that is in exactly the circles of `mask`, by the points of a grid.
fn area_of(circles: &[[f64; 3]], mask: usize) -> f64 {
    const N: usize = 900;
    let reach = circles.iter().map(|c| c[0].max(c[1]) + c[2]).fold(0.0, f64::max);
    let inside = (0..N * N).filter(|k| {
        let (x, y) = (reach * (k % N) as f64 / N as f64, reach * (k / N) as f64 / N as f64);
        let of = |c: &[f64; 3]| (x - c[0]).hypot(y - c[1]) <= c[2];
        circles.iter().enumerate().map(|(j, c)| usize::from(of(c)) << j).sum::<usize>() == mask
    });
    inside.count() as f64 * (reach / N as f64).powi(2)
}

#[test]
fn areas_of_circles_are_the_counts() {
    let svg = figure("overlap pairs_of_sets.csv --names floc,other");
    let (circles, sets) = (elements(&svg, "circle"), table("pairs_of_sets.csv"));
    assert_eq!((circles.len(), elements(&svg, "panel").len()), (2 * sets.len(), sets.len()));
    let of = |circle: &Attributes| ["cx", "cy", "r"].map(|key| circle[key].parse::<f64>().unwrap());
    // One scale for all: mm2 per unit.
    let scale = std::f64::consts::PI * of(&circles[0])[2].powi(2) / circles[0]["data-n"].parse::<f64>().unwrap();
    for (pair, row) in circles.chunks(2).zip(&sets) {
        let n = |column: &str| row[column].parse::<f64>().unwrap();
        assert_eq!(
            (pair[0]["data-n"].as_str(), pair[1]["data-n"].as_str()),
            (row["n_a"].as_str(), row["n_b"].as_str())
        );
        let both = [of(&pair[0]), of(&pair[1])];
        for (circle, column) in both.iter().zip(["n_a", "n_b"]) {
            assert!((std::f64::consts::PI * circle[2].powi(2) / scale - n(column)).abs() < 0.01);
        }
        // The grid sees an area to a few thousandths of a unit.
        assert!((area_of(&both, 3) / scale - n("n_intersection")).abs() < 0.1, "{row:?}");
    }
    let said = texts(&svg);
    assert!(said.contains(&"floc".to_string()) && said.contains(&sets[0]["n_intersection"]), "{said:?}");
    assert!(said.iter().any(|text| text.starts_with("layer4, faces: floc ")), "{said:?}");

    // Three sets: the counts of the table, and how far the areas are off.
    let people = table("people.csv");
    let svg = figure("overlap people.csv");
    let circles: Vec<[f64; 3]> = elements(&svg, "circle").iter().map(of).collect();
    assert_eq!((circles.len(), people.len()), (3, 7));
    let (mut squares, mut all, mut inside) = (0.0, 0.0, [0.0; 8]);
    for row in &people {
        let mask: usize =
            ["in_a", "in_b", "in_c"].iter().enumerate().map(|(k, c)| usize::from(row[*c] == "1") << k).sum();
        inside[mask] = row["n"].parse::<f64>().unwrap();
    }
    let areas: Vec<f64> = (0..8).map(|m| if m == 0 { 0.0 } else { area_of(&circles, m) }).collect();
    let total: f64 = areas.iter().sum();
    // mm2 per voxel are not said; the scale that fits best gives the stress that is.
    let stress: f64 =
        texts(&svg).join(" ").split("(stress ").nth(1).unwrap().split(')').next().unwrap().parse().unwrap();
    let best = (1..4000).map(|k| total / inside.iter().sum::<f64>() * (0.8 + k as f64 * 1e-4)).map(|scale| {
        (squares, all) = (0.0, 0.0);
        for m in 1..8 {
            squares += (areas[m] / scale - inside[m]).powi(2);
            all += inside[m].powi(2);
        }
        squares / all
    });
    let best = best.fold(f64::INFINITY, f64::min);
    assert!((best - stress).abs() < 0.004, "{best} {stress}");
    assert!(texts(&svg).iter().any(|text| text.starts_with("Areas by least squares; furthest off is")));

    // The combinations themselves, of both tools, against sets read from their tables.
    let line = "unit-stats overlap -q units.csv other_units.csv --combinations --names floc,other > sets.csv";
    sh(study(), line).ok();
    let units = |file: &str, side: &str| -> Vec<String> {
        let own = table(file).into_iter().filter(|row| row["contrast"].starts_with(side));
        own.map(|row| row["unit"].clone()).collect()
    };
    let (a, b) = (units("units.csv", "faces >"), units("other_units.csv", "faces >"));
    let both = a.iter().filter(|unit| b.contains(unit)).count();
    let rows: Vec<Row> = table("sets.csv").into_iter().filter(|row| row["preferred"] == "faces").collect();
    let counts: Vec<String> = rows.iter().map(|row| row["n"].clone()).collect();
    assert_eq!(counts, [a.len() - both, b.len() - both, both].map(|n| n.to_string()));
    assert_eq!((rows[2]["a"].as_str(), rows[2]["in_a"].as_str(), rows[2]["in_c"].as_str()), ("floc", "1", ""));
    assert_eq!(elements(&figure("overlap sets.csv"), "circle").len(), 10);
    let pair = sh(study(), "fmri-roi overlap -q sub-0[12]_face_con.nii --t 1").text();
    let rows_of_pair = support::rows(&pair);
    let n_a: f64 = rows_of_pair[0]["n_a"].parse().unwrap();
    assert_eq!((1..8).filter(|m| m & 1 == 1).map(|m| inside[m]).sum::<f64>(), n_a);

    sh(study(), "head -3 people.csv > some.csv").ok();
    run(study(), "figure overlap some.csv").fails(1, &["no row about", "give all rows of --combinations"]);
    fs::write(study().join("odd.csv"), "a,b,rule,n_a,n_b,n_intersection\nx,y,,3,4,5\n").unwrap();
    run(study(), "figure overlap odd.csv").fails(1, &["5 in common of 3 and 4"]);
    fs::write(study().join("odd.csv"), "a,b,rule,n_a,n_b,n_intersection\nx,y,,0,0,0\n").unwrap();
    run(study(), "figure overlap odd.csv").fails(1, &["all sets are empty"]);
    run(study(), "figure overlap people.csv --names a,b").fails(1, &["2 names for 3 sets"]);
    run(study(), "fmri-roi overlap sub-01_face_con.nii sub-02_face_con.nii --combinations")
        .fails(1, &["give --t or --top"]);
    run(study(), "unit-stats overlap units.csv --combinations").fails(1, &["two or three"]);
    run(study(), "unit-stats overlap units.csv units.csv units.csv").fails(1, &["three with --combinations"]);
}

#[test]
fn pictures_stand_where_their_stimuli_are() {
    let dir = study();
    // Each picture is embedded once; uses name it.
    let shown = |svg: &str| -> Vec<String> {
        assert!(
            svg.split("<image id=").skip(1).all(|tag| tag.contains("href=\"data:image/jpeg;base64,/9j/")),
            "no JPEG"
        );
        elements(svg, "picture").into_iter().map(|p| p["data-name"].clone()).collect()
    };
    let map = table("map.csv");
    let svg = figure("mds map.csv --images pictures.csv --stimuli pictures.csv --by domain");
    let (pictures, points) = (shown(&svg), elements(&svg, "point"));
    assert_eq!(pictures.len() + points.len(), map.len());
    assert!(pictures.len() > 20 && svg.matches("<image id=").count() == pictures.len(), "{}", pictures.len());
    assert!(texts(&svg).contains(&format!(
        "{} of 30 stimuli have a picture; the others, which would cover them, a point.",
        pictures.len()
    )));
    // Its middle is the point of the same stimulus in the figure without pictures.
    let plain = elements(&figure("mds map.csv"), "point");
    let of = plain.iter().find(|point| point["data-name"] == pictures[3]).unwrap();
    let place = &elements(&svg, "picture")[3]["transform"];
    let [x, y, size]: [f64; 3] = place
        .replace(['(', ')'], " ")
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect::<Vec<f64>>()
        .try_into()
        .unwrap();
    for (drawn, key) in [(x, "cx"), (y, "cy")] {
        assert!((drawn + size / 2.0 - of[key].parse::<f64>().unwrap()).abs() < 0.01, "{place} {of:?}");
    }
    // A folder holds the same files under their own names.
    assert_eq!(shown(&figure("mds map.csv --images pictures")), pictures);

    let svg = figure("scatter diverge.csv --images pictures.csv --label 4");
    let mut widest: Vec<Row> = table("diverge.csv").into_iter().filter(|row| row["subject"] == "mean").collect();
    widest.retain(|row| row["rank"].parse::<f64>().unwrap() <= 4.0);
    let widest: Vec<String> = widest.into_iter().map(|row| row["stimulus"].clone()).collect();
    let mut drawn = shown(&svg);
    drawn.sort();
    assert_eq!(drawn, {
        let mut sorted = widest;
        sorted.sort();
        sorted
    });

    let svg = figure("rdm ann.npy r1.npy --images pictures.csv --stimuli pictures.csv --by domain");
    let drawn = shown(&svg);
    assert_eq!((drawn.len(), drawn[0].as_str(), drawn[1].as_str()), (60, "p-faces-1", "p-faces-3"));
    assert_eq!(svg.matches("<image id=").count(), 15);

    let svg = figure("probe probed.csv --images pictures.csv --units 3 --k 4");
    let probed: Vec<Row> =
        table("probed.csv").into_iter().filter(|row| row["rank"].parse().is_ok_and(|r: f64| r <= 4.0)).collect();
    let expected: Vec<String> = probed[..24].iter().map(|row| row["stimulus"].clone()).collect();
    assert_eq!(shown(&svg), expected);
    let said = texts(&svg);
    for row in &probed[..24] {
        let z = format!("{:.2}", row["z"].parse::<f64>().unwrap()).replace('-', "−");
        assert!(said.contains(&z), "{z}: {said:?}");
    }
    assert!(said.contains(&"unit 2".to_string()) && said.contains(&"The first 3 of 59 units.".to_string()));
    let raw = texts(&figure("probe probed.csv --images pictures.csv --units 1 --raw"));
    assert!(raw.contains(&format!("{:.2}", probed[0]["response"].parse::<f64>().unwrap())), "{raw:?}");

    // What there is no room for is said.
    let noise: Vec<u8> = (0..64 * 64 * 3).map(|k: u32| (k.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut many = String::from("stimulus,path\n");
    let mut places = String::from("array,stimulus,x,y,stress\n");
    for k in 0..400 {
        let bytes = [&b"P6 64 64 255\n"[..], &noise].concat();
        let bytes =
            bytes.iter().enumerate().map(|(i, b)| if i > 40 { b.wrapping_add(k as u8 * (i as u8 | 1)) } else { *b });
        fs::write(dir.join(format!("pictures/many-{k}.ppm")), bytes.collect::<Vec<u8>>()).unwrap();
        many += &format!("m{k},pictures/many-{k}.ppm\n");
        places += &format!("a,m{k},{},{},0.1\n", f64::from(k % 20) - 9.5, f64::from(k / 20) - 9.5);
    }
    fs::write(dir.join("many.csv"), many).unwrap();
    fs::write(dir.join("places.csv"), places).unwrap();
    let out = run(dir, "figure mds places.csv --images many.csv");
    assert!(out.code == 0 && out.stdout.len() < 200_000, "{} {}", out.stderr, out.stdout.len());
    assert!(
        out.stderr.contains("pictures are drawn: an SVG with all of them would have more than 200 kB"),
        "{}",
        out.stderr
    );
    for k in 0..400 {
        fs::remove_file(dir.join(format!("pictures/many-{k}.ppm"))).unwrap();
    }
    run(dir, "figure mds places.csv --images many.csv").fails(1, &["many-0.ppm", "No such file"]);
    run(dir, "figure mds map.csv --images floc.csv").fails(1, &["has no picture of stimulus \"p-faces-1\""]);
    run(dir, "figure mds map.csv --images nowhere").fails(1, &["nowhere"]);
    fs::write(dir.join("cut.csv"), "stimulus,path\ns,cut.png\n").unwrap();
    fs::write(dir.join("cut_map.csv"), "array,stimulus,x,y,stress\na,s,0,0,0.1\n").unwrap();
    for bytes in [&b""[..], b"not a picture", b"\x89PNG\r\n\x1a\n\0\0"] {
        fs::write(dir.join("cut.png"), bytes).unwrap();
        run(dir, "figure mds cut_map.csv --images cut.csv").fails(1, &["cut.png"]);
    }
    run(dir, "figure probe probed.csv").fails(1, &["--images is not given"]);
    run(dir, "figure probe probed.csv --images pictures.csv --k 6").fails(1, &["5 pictures at each end"]);
    run(dir, "figure probe map.csv --images pictures.csv").fails(1, &["not a table of `unit-stats probe"]);
}

#[test]
fn figures_say_what_they_are_of() {
    let dir = study();
    let put = |name: &str, text: &str| fs::write(dir.join(name), text).unwrap();
    // One array, one contrast: no legend, but a name over each panel.
    let text = fs::read_to_string(dir.join("thresholds.csv")).unwrap();
    let kept = text.lines().enumerate().filter(|(k, line)| *k == 0 || line.starts_with("layer4,faces"));
    put("single.csv", &kept.map(|(_, line)| format!("{line}\n")).collect::<String>());
    assert_eq!(texts(&figure("thresholds single.csv")).iter().filter(|t| *t == "layer4, faces > rest").count(), 2);
    // Zero and metric of a crossnobis RDM.
    sh(dir, "rsa rdm -q sub-01/ffa.npy --metric crossnobis -o crossnobis.npy").ok();
    let svg = figure("rdm crossnobis.npy");
    assert!(texts(&svg).contains(&"crossnobis distance".to_string()), "{:?}", texts(&svg));
    let lowest: f64 = elements(&svg, "colour-bar")[0]["data-lo"].parse().unwrap();
    assert_eq!(svg.contains("The line in the colour bar is 0"), lowest < 0.0);
    // Few stimuli by category: strips and a legend.
    sh(dir, "npy rows -q --index 0,1,6,7,12 acts.npy | rsa rdm -q -o few_rdm.npy").ok();
    let svg = figure("rdm few_rdm.npy --stimuli pictures.csv --by domain");
    let over: Vec<String> = elements(&svg, "over").into_iter().map(|o| o["data-name"].clone()).collect();
    assert_eq!(over, ["faces", "bodies", "places"]);
    assert!(texts(&svg).contains(&"bodies".to_string()) && texts(&svg).contains(&"p-bodies-1".to_string()));
    // Trials of a stimulus stand together.
    put("trials_z.csv", "array,stimulus,z\nx,a,1\nx,b,2\nx,a,-1\nx,b,2.5\nx,c,1.9\n");
    let svg = figure("tuning trials_z.csv");
    let bars: Vec<String> =
        elements(&svg, "bar").into_iter().map(|b| format!("{} {}", b["data-name"], b["data-to"])).collect();
    assert_eq!(bars, ["b 2.5", "b 2", "c 1.9", "a 1", "a -1"]);
    assert!(texts(&svg).contains(&"5 trials of 3 stimuli".to_string()));
    // Networks with other layers have panels of their own.
    let head = "array,contrast,model,proportion,activation_z\n";
    put("nets.csv", &format!("{head}a1,f,A,.1,1\na2,f,A,.2,1\nb1,f,B,.3,1\nb2,f,B,.4,1\n"));
    let svg = figure("layers nets.csv --value proportion");
    let curves: Vec<(String, String)> =
        elements(&svg, "curve").into_iter().map(|c| (c["data-x"].clone(), c["data-y"].clone())).collect();
    let pair = |x: &str, y: &str| (x.to_string(), y.to_string());
    assert_eq!(curves, [pair("0 1", "0.1 0.2"), pair("0 1", "0.3 0.4")]);
    assert!(texts(&svg).contains(&"B".to_string()));
    // A panel without a number has no axis of numbers.
    put("blank.csv", &format!("{head}a1,f,A,.1,NaN\na2,f,A,.2,NaN\n"));
    let said = texts(&figure("layers blank.csv"));
    assert_eq!(
        (said.iter().filter(|t| *t == "no number").count(), said.iter().filter(|t| *t == "0.00").count()),
        (1, 1)
    );
    // Many models, categories, rows.
    let mut models = String::from("model,subject,compare,r\n");
    (0..60).for_each(|k| models += &format!("m{k},s1,pearson,0.{}\n", 10 + k));
    put("models60.csv", &models);
    run(dir, "figure scores models60.csv").fails(1, &["60 models", "--top"]);
    let svg = figure("scores models60.csv --top 3");
    let said = texts(&svg);
    assert!(["m59", "m58", "m57", "The 3 highest of 60 models."].iter().all(|t| said.contains(&t.to_string())));
    assert_eq!(elements(&svg, "point").len(), 3);
    let many =
        |n: usize| (0..30).map(|i| format!("{},c{}\n", table("map.csv")[i]["stimulus"], i % n)).collect::<String>();
    put("nine.csv", &format!("stimulus,kind\n{}", many(9)));
    let svg = figure("mds map.csv --stimuli nine.csv --by kind");
    assert!(texts(&svg).contains(&"9 categories have 8 colours: see the shapes, too.".to_string()));
    let points = elements(&svg, "point");
    let of = |k: usize| points.iter().find(|p| p["data-name"] == table("map.csv")[k]["stimulus"]).unwrap();
    assert!(of(0).get("fill") == of(8).get("fill") && of(0).contains_key("cx") != of(8).contains_key("cx"));
    for (line, file) in [
        ("layers", "layers.csv"),
        ("thresholds", "thresholds.csv"),
        ("responses", "validated.csv"),
        ("mds", "map.csv"),
        ("partition", "parts.csv"),
        ("ablation", "ablate.csv"),
        ("ceiling", "design.csv"),
        ("probe --images pictures.csv", "probed.csv"),
        ("overlap", "pairs_of_sets.csv"),
    ] {
        let doubled = format!("(cat {file}; tail -n +2 {file}) > doubled.csv && figure {line} doubled.csv");
        sh(dir, &doubled).fails(1, &["2 rows have the", "give the rows of one table"]);
    }
    // Names that a figure does not have, and a wrong table with many columns.
    let out = run(dir, "figure matrix pairs.csv --label-from names.csv");
    assert!(out.stderr.contains("names.csv: 1 of its 3 names are not in this figure: faces"), "{}", out.stderr);
    let error = run(dir, "figure mds validated.csv").fails(1, &["no column \"stimulus\"", "in all)"]);
    assert!(error.len() < 240, "{error}");
}

/// The gallery of the README: made-up files, drawn as its page says. `GALLERY_UPDATE=1` draws it anew.
const GALLERY: [(&str, &str); 12] = [
    ("scores", "scores tuning_scores.csv --humans humans.csv --value r_norm"),
    ("responses", "responses validated.csv"),
    ("rdm", "rdm ann.npy --images pictures.csv --stimuli pictures.csv --by domain"),
    ("mds", "mds map.csv --images pictures.csv --stimuli pictures.csv --by domain"),
    ("scatter", "scatter diverge.csv --images pictures.csv --stimuli pictures.csv --by domain"),
    ("layers", "layers layers.csv"),
    ("thresholds", "thresholds --facet array thresholds.csv"),
    ("tuning", "tuning --ceiling within.csv --stimuli pictures.csv --by domain ffa_profile.csv"),
    ("ceiling", "ceiling design.csv"),
    ("design", "design maps/run-1_design.tsv"),
    ("overlap", "overlap people.csv"),
    ("probe", "probe probed.csv --images pictures.csv --units 5"),
];

#[test]
fn the_gallery_is_what_its_commands_draw() {
    let folder = root().join("testdata/gallery");
    let update = std::env::var_os("GALLERY_UPDATE").is_some();
    let page = fs::read_to_string(root().join("crates/figure/README.md")).unwrap();
    for (name, line) in GALLERY {
        let svg = figure(line);
        let file = folder.join(format!("{name}.svg"));
        assert!(svg.len() < 100_000, "{name}: {} bytes", svg.len());
        if update {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&file, &svg).unwrap();
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(kept == svg, "{}: differs from `figure {line}`; scripts/gallery.sh draws it anew", file.display());
        assert!(page.contains(&format!("../../testdata/gallery/{name}.svg")), "{name} is not in the README");
        assert!(page.contains(&format!("figure {line}")), "figure {line} is not in the README");
    }
}

#[test]
fn maps_and_scatters_have_a_point_for_every_stimulus() {
    let svg = figure("mds map.csv --stimuli pictures.csv --by domain");
    let (points, map) = (elements(&svg, "point"), table("map.csv"));
    assert_eq!((points.len(), map.len()), (30, 30));
    for (drawn, row) in points.iter().zip(&map) {
        assert_eq!(drawn["data-name"], row["stimulus"]);
        same(&drawn["data-x"], &row["x"]);
        same(&drawn["data-y"], &row["y"]);
    }
    // One scale: a millimetre is as much in both directions.
    let place = |k: usize| ["cx", "cy", "data-x", "data-y"].map(|key| points[k][key].parse::<f64>().unwrap());
    let ([ax, ay, x0, y0], [bx, by, x1, y1]) = (place(0), place(2));
    assert!(((ax - bx) / (x0 - x1) + (ay - by) / (y0 - y1)).abs() < 0.05 * ((ax - bx) / (x0 - x1)).abs());
    let said = texts(&svg);
    for text in ["faces", "characters", "dimension 1", "dimension 2"] {
        assert!(said.contains(&text.to_string()), "{text}: {said:?}");
    }
    assert!(said.iter().any(|text| text.starts_with("ann (stress 0.")) && !said.contains(&"p-faces-1".to_string()));
    assert!(texts(&figure("mds --names always map.csv")).contains(&"p-faces-1".to_string()));

    let svg = figure("scatter diverge.csv");
    let rows: Vec<Row> = table("diverge.csv").into_iter().filter(|row| row["subject"] == "mean").collect();
    let points = elements(&svg, "point");
    assert_eq!((points.len(), rows.len()), (30, 30));
    for (drawn, row) in points.iter().zip(&rows) {
        assert_eq!(drawn["data-name"], row["stimulus"]);
        same(&drawn["data-x"], &row["model_z"]);
        same(&drawn["data-y"], &row["brain_z"]);
    }
    let said = texts(&svg);
    let named = rows.iter().filter(|row| said.contains(&row["stimulus"])).count();
    assert!((1..=5).contains(&named) && said.contains(&rows[0]["stimulus"]), "{said:?}");
    // The correlation of the points, recomputed.
    let of = |key: &str| -> Vec<f64> { rows.iter().map(|row| row[key].parse().unwrap()).collect() };
    let (x, y) = (of("model_z"), of("brain_z"));
    let product = |a: &[f64], b: &[f64]| -> f64 {
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        a.iter().zip(b).map(|(p, q)| (p - mean(a)) * (q - mean(b))).sum()
    };
    let r = product(&x, &y) / (product(&x, &x) * product(&y, &y)).sqrt();
    let title = said.iter().find(|text| text.starts_with("faces (r ")).unwrap();
    let drawn: f64 = title[9..].split(',').next().unwrap().parse().unwrap();
    assert!((drawn - r).abs() <= 5e-4 && title.ends_with("30 stimuli)"), "{title} {r}");
    run(study(), "figure scatter diverge.csv --subject nobody").fails(1, &["--subject takes one of", "sub-01/ffa"]);
}

#[test]
fn layers_and_thresholds_are_curves_of_the_table() {
    let svg = figure("layers layers.csv");
    let (curves, layers) = (elements(&svg, "curve"), table("layers.csv"));
    assert_eq!((curves.len(), elements(&svg, "panel").len()), (10, 2));
    for (k, column) in ["proportion", "activation_z"].into_iter().enumerate() {
        for (i, curve) in curves[5 * k..5 * (k + 1)].iter().enumerate() {
            let own: Vec<&Row> = layers.iter().filter(|row| row["contrast"] == curve["data-name"]).collect();
            assert_eq!(own.len(), 2, "{i}");
            curve["data-y"].split(' ').zip(own).for_each(|(drawn, row)| same(drawn, &row[column]));
        }
    }
    let said = texts(&svg);
    for text in ["layer3", "layer4", "selected units (share of the layer)", "places > rest"] {
        assert!(said.contains(&text.to_string()), "{text}: {said:?}");
    }
    // Chosen layers have a ring, at their value.
    assert!(!said.contains(&"chosen layer".to_string()));
    let svg = figure("layers --value proportion chosen.csv");
    let chosen: Vec<Row> = table("chosen.csv").into_iter().filter(|row| row["chosen"] == "true").collect();
    let points = elements(&svg, "point");
    let rings: Vec<&Attributes> = points.iter().filter(|point| point["data-name"].ends_with(", chosen")).collect();
    assert!(rings.len() == chosen.len() && rings.len() >= 3, "{} {}", rings.len(), chosen.len());
    for row in &chosen {
        let name = format!("{}, chosen", row["contrast"]);
        same(&rings.iter().find(|ring| ring["data-name"] == name).unwrap()["data-y"], &row["proportion"]);
    }
    assert!(texts(&svg).contains(&"chosen layer".to_string()));
    // The twin is a band, not a curve of a colour.
    let svg = figure("layers --untrained twin --value proportion --facet contrast models.csv");
    let ribbons = elements(&svg, "ribbon");
    let twin: Vec<Row> = table("models.csv").into_iter().filter(|row| row["model"] == "twin").collect();
    assert_eq!((ribbons.len(), elements(&svg, "panel").len()), (5, 5));
    ribbons[0]["data-hi"].split(' ').zip([&twin[0], &twin[5]]).for_each(|(drawn, row)| same(drawn, &row["proportion"]));
    assert_eq!(elements(&svg, "curve").iter().filter(|c| !c["data-name"].starts_with("untrained")).count(), 5);
    run(study(), "figure layers --untrained nobody models.csv")
        .fails(1, &["no model \"nobody\"; its models are net, twin"]);
    run(study(), "figure layers --untrained twin layers.csv").fails(1, &["no column \"model\""]);
    // Networks that share the name of a layer: its place is behind the layers that any of them has before it.
    let other = "model,array,contrast,proportion,activation_z\na,conv,x > y,.1,1\na,pool,x > y,.2,1\nb,block,x > y,.1,1\nb,pool,x > y,.2,1\n";
    fs::write(study().join("other.csv"), other).unwrap();
    let svg = figure("layers --value proportion --facet contrast other.csv");
    let drawn: Vec<String> = texts(&svg).into_iter().filter(|t| ["conv", "block", "pool"].contains(&&**t)).collect();
    assert_eq!(drawn, ["conv", "block", "pool"]);
    // The other way round in another network there is no common axis, but one in each panel.
    fs::write(
        study().join("turned.csv"),
        other.replace("b,block", "b,late").replace("b,pool", "b,conv").replace("b,late", "b,pool"),
    )
    .unwrap();
    run(study(), "figure layers --facet contrast turned.csv")
        .fails(1, &["conv comes before pool in a", "behind it in b", "--facet model"]);
    let svg = figure("layers --value proportion --facet model turned.csv");
    let drawn: Vec<String> = texts(&svg).into_iter().filter(|t| ["conv", "pool"].contains(&&**t)).collect();
    assert_eq!(drawn, ["conv", "pool", "pool", "conv"]);

    let svg = figure("thresholds --facet array thresholds.csv");
    let (curves, thresholds) = (elements(&svg, "curve"), table("thresholds.csv"));
    assert_eq!((curves.len(), elements(&svg, "panel").len()), (20, 4));
    let own: Vec<&Row> =
        thresholds.iter().filter(|row| row["array"] == "layer3" && row["preferred"] == "faces").collect();
    for (curve, column) in [(&curves[0], "n_selected"), (&curves[5], "mean_selectivity_index")] {
        assert_eq!(curve["data-x"], "2 4 6 8");
        curve["data-y"].split(' ').zip(&own).for_each(|(drawn, row)| same(drawn, &row[column]));
    }
    assert!(texts(&svg).contains(&"threshold (t)".to_string()));
    // Any table with these columns: a panel for every value of another column.
    let gaps = "threshold,array,preferred,stat,gap\n3,net,FFA,profile,.2\n5,net,FFA,profile,.3\n3,net,FFA,rdm,.6\n5,net,FFA,rdm,.7\n";
    fs::write(study().join("gaps.csv"), gaps).unwrap();
    let curves = elements(&figure("thresholds --value gap --facet stat gaps.csv"), "curve");
    assert_eq!(curves.iter().map(|curve| &curve["data-y"][..]).collect::<Vec<_>>(), ["0.2 0.3", "0.6 0.7"]);
    run(study(), "figure thresholds --value gap gaps.csv")
        .fails(1, &["2 rows have the array and preferred and threshold"]);
    // A panel with one series calls and colours it as the others do.
    let text = fs::read_to_string(study().join("thresholds.csv")).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with("layer3") || line.contains(",places,"));
    fs::write(study().join("few.csv"), kept.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let curves = elements(&figure("thresholds --facet array --value n_selected few.csv"), "curve");
    let places: Vec<&Attributes> = curves.iter().filter(|curve| curve["data-name"] == "places > rest").collect();
    assert_eq!((curves.len(), places.len()), (6, 2));
    assert_eq!(places[0]["stroke"], places[1]["stroke"]);
}

#[test]
fn profiles_are_bars_in_the_order_of_categories() {
    let svg = figure("tuning --ceiling within.csv --stimuli pictures.csv --by domain ffa_profile.csv");
    let (bars, profile) = (elements(&svg, "bar"), table("ffa_profile.csv"));
    assert_eq!(bars.len(), 30);
    let z = |name: &str| profile.iter().find(|row| row["stimulus"] == name).unwrap()["z"].clone();
    bars.iter().for_each(|bar| same(&bar["data-to"], &z(&bar["data-name"])));
    // Faces first, and among them the highest first.
    let heights: Vec<f64> = bars.iter().map(|bar| bar["data-to"].parse().unwrap()).collect();
    assert!(bars[..6].iter().all(|bar| bar["data-name"].starts_with("p-faces")));
    assert!(heights[..6].windows(2).all(|pair| pair[0] >= pair[1]), "{heights:?}");
    let mean = heights[..6].iter().sum::<f64>() / 6.0;
    same(elements(&svg, "curve")[0]["data-y"].split(' ').next().unwrap(), &mean.to_string());
    let r_max: f64 = table("within.csv")[0]["r_max"].parse().unwrap();
    let said = texts(&svg);
    assert!(said.contains(&format!("ffa (r_max {})", (r_max * 1000.0).round() / 1000.0)), "{said:?}");
    // Two arrays have one order of stimuli.
    let both = elements(&figure("tuning profiles.csv --stimuli pictures.csv --by domain"), "bar");
    assert!(both.len() == 60 && (0..30).all(|k| both[k]["data-name"] == both[30 + k]["data-name"]));
    run(study(), "figure tuning --ceiling within.csv profiles.csv").fails(1, &["no row about array \"faces\"", "ffa"]);
}

#[test]
fn ablations_partitions_and_pairs_have_their_numbers() {
    const MODELS: [&str; 5] = ["all", "without", "only", "without_random", "only_random"];
    let svg = figure("ablation ablate.csv");
    let row = &table("ablate.csv")[0];
    assert_eq!(row["statistic"], "mean");
    let points = elements(&svg, "point");
    assert_eq!(points.len(), 5);
    points.iter().zip(MODELS).for_each(|(drawn, column)| same(&drawn["data-y"], &row[column]));
    let ranges = elements(&svg, "range");
    same(&ranges[0]["data-lo"], &row["without_random_lo"]);
    same(&ranges[1]["data-hi"], &row["only_random_hi"]);
    assert_eq!(elements(&svg, "curve")[0]["data-y"].split(' ').count(), 3);
    assert!(texts(&svg).contains(&"r (mean over voxels)".to_string()));
    let voxels = table("ablate_voxels.csv");
    let svg = figure("ablation --ceiling voxels.csv ablate_voxels.csv");
    let boxes = elements(&svg, "box");
    for (drawn, column) in boxes.iter().zip(MODELS) {
        let mut values: Vec<f64> = voxels.iter().map(|row| row[column].parse().unwrap()).collect();
        values.retain(|v| v.is_finite());
        values.sort_by(f64::total_cmp);
        let n = values.len();
        same(&drawn["data-median"], &((values[(n - 1) / 2] + values[n / 2]) / 2.0).to_string());
    }
    let r_max: Vec<f64> = table("voxels.csv").iter().map(|row| row["r_max"].parse().unwrap()).collect();
    let level = elements(&svg, "level").into_iter().find(|l| l["data-name"].contains("ceiling")).unwrap();
    same(&level["data-y"], &(r_max.iter().sum::<f64>() / r_max.len() as f64).to_string());
    run(study(), "figure ablation ablate.csv ablate_voxels.csv").fails(1, &["make both in one way"]);
    run(study(), "figure ablation ablate.csv --statistic mode").fails(1, &["mean and median are there"]);

    let svg = figure("partition parts.csv");
    let parts = table("parts.csv");
    let boxes = elements(&svg, "box");
    let names: Vec<&str> = boxes.iter().map(|b| b["data-name"].as_str()).collect();
    assert_eq!(names, ["unique: early", "unique: late", "shared: early+late", "total: early+late"]);
    for drawn in &boxes {
        let of = |row: &&Row| format!("{}: {}", row["part"], row["bands"]) == drawn["data-name"];
        let mut values: Vec<f64> = parts.iter().filter(of).map(|row| row["R2"].parse().unwrap()).collect();
        values.sort_by(f64::total_cmp);
        assert_eq!(drawn["data-n"], values.len().to_string());
        same(&drawn["data-median"], &values[values.len() / 2].to_string());
    }
    assert!(texts(&figure("partition --models parts.csv")).contains(&"R² of the model (voxels)".to_string()));

    let svg = figure("matrix pairs.csv --label-from names.csv");
    let values = svg.split("<rect").filter_map(|tag| attributes(tag).remove("data-value"));
    let values: Vec<String> = values.collect();
    let pairs = table("pairs.csv");
    assert_eq!((values.len(), pairs.len()), (9, 3));
    for (row, [i, j]) in pairs.iter().zip([[0, 1], [0, 2], [1, 2]]) {
        same(&values[3 * i + j], &row["r"]);
        same(&values[3 * j + i], &row["r"]);
    }
    assert!((0..3).all(|k| values[4 * k] == "NaN"));
    let said = texts(&svg);
    assert!(said.contains(&"network".to_string()) && said.contains(&"person 1".to_string()), "{said:?}");
    let r: f64 = pairs[0]["r"].parse().unwrap();
    assert!(said.contains(&format!("{r:.2}").replacen("0.", ".", 1)), "{said:?}");
}

/// A line of every verb.
const LINES: [&str; 15] = [
    "responses validated.csv",
    "scores scores.csv",
    "rdm ann.npy",
    "mds map.csv",
    "matrix pairs.csv",
    "layers layers.csv",
    "thresholds thresholds.csv",
    "tuning profiles.csv",
    "scatter diverge.csv",
    "ablation ablate.csv",
    "partition parts.csv",
    "ceiling design.csv",
    "design maps/run-1_design.tsv",
    "overlap pairs_of_sets.csv",
    "probe probed.csv --images pictures.csv",
];

#[test]
fn every_figure_is_drawn_with_characters_and_as_png() {
    for line in LINES {
        let text = run(study(), &format!("figure {line} --terminal")).text();
        assert!(text.lines().count() > 4, "{line}: {text}");
        let wide = text.lines().find(|l| l.chars().count() > 160);
        assert!(wide.is_none() && !text.contains("NaN"), "{line}: {text}");
        // Whatever the machine has: no fonts, no home, one thread.
        let png =
            |environment: &str| sh(study(), &format!("{environment} figure {line} -q -o p.png && cat p.png")).ok();
        let here = png("");
        assert!(here.starts_with(b"\x89PNG") && here.len() > 4000, "{line}");
        assert_eq!(here, png("HOME=/nowhere FONTCONFIG_PATH=/nowhere LC_ALL=C SLURM_CPUS_PER_TASK=1"), "{line}");
    }
}

#[test]
fn tables_of_nothing_and_of_odd_names_are_refused_or_drawn() {
    let dir = study();
    for line in LINES {
        let (verb, file) = line.split_once(' ').unwrap();
        let (file, more) = file.split_once(' ').unwrap_or((file, ""));
        if file.ends_with(".csv") {
            let head: String = fs::read_to_string(dir.join(file)).unwrap().lines().take(1).collect();
            fs::write(dir.join("head.csv"), format!("{head}\n")).unwrap();
            run(dir, &format!("figure {verb} head.csv {more}")).fails(1, &["head.csv"]);
            run(dir, &format!("figure {verb} trials.csv {more}")).fails(1, &["the columns are stimulus, domain, run"]);
            // No number anywhere: said, and no figure of nothing.
            let text = fs::read_to_string(dir.join(file)).unwrap();
            let blank: Vec<String> = text
                .lines()
                .enumerate()
                .map(|(k, l)| {
                    let number = |cell: &str| cell.parse::<f64>().is_ok();
                    let cells = l.split(',').map(|cell| if k > 0 && number(cell) { "NaN" } else { cell });
                    cells.collect::<Vec<_>>().join(",")
                })
                .collect();
            fs::write(dir.join("nan.csv"), blank.join("\n")).unwrap();
            let out = run(dir, &format!("figure {verb} nan.csv {more}"));
            assert!(out.code == 1 && !out.stderr.contains("panicked"), "{line}: {} {}", out.code, out.stderr);
        }
        fs::write(dir.join("empty"), "").unwrap();
        run(dir, &format!("figure {verb} empty {more}")).fails(1, &["empty"]);
    }
    // Names that mean something in SVG, and letters that the font lacks.
    let odd = fs::read_to_string(dir.join("map.csv")).unwrap().replace("p-faces-1", "<b>&\"顔\"");
    fs::write(dir.join("odd.csv"), odd.replace("<b>&\"顔\"", "\"<b>&\"\"顔\"\"\"")).unwrap();
    let svg = figure("mds odd.csv");
    assert!(svg.contains("data-name=\"&lt;b&gt;&amp;&quot;顔&quot;\"") && !svg.contains("<b>"));
    let out = run(dir, "figure mds odd.csv -o odd.png");
    assert!(out.stderr.contains("warning: 1 letters are not in the embedded font"), "{}", out.stderr);
    fs::write(dir.join("twice.csv"), "name,label\nr1,a\nr1,b\n").unwrap();
    run(dir, "figure matrix pairs.csv --label-from twice.csv").fails(1, &["\"r1\" has two labels"]);
    run(dir, "figure matrix pairs.csv --label-from map.csv").fails(1, &["no column \"name\"", "--label-from"]);
    let doubled = "cat pairs.csv > d.csv && tail -1 pairs.csv >> d.csv && figure matrix d.csv";
    sh(dir, doubled).fails(1, &["stands there twice"]);
}

#[test]
fn examples_of_the_help_run() {
    let verbs = LINES.map(|line| line.split_once(' ').unwrap().0);
    for verb in std::iter::once("").chain(verbs) {
        let help = run(study(), &format!("figure {verb} --help")).text();
        let examples = help.split("Examples:\n").nth(1).unwrap().replace("\\\n", "");
        let examples: Vec<&str> = examples.lines().filter(|line| !line.trim().is_empty()).collect();
        assert_eq!(examples.len(), 3, "{verb}: {examples:?}");
        for example in examples {
            let out = sh(study(), example);
            assert_eq!(out.code, 0, "{example}: {}", out.stderr);
        }
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{help}");
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let scores = "model,subject,compare,n_stimuli,n_pairs,r\nm,a,pearson,5,10,0.4\nm,b,pearson,5,10,0.6\nm,mean,pearson,5,10,0.5\n";
    fs::write(path.join("scores.csv"), scores).unwrap();
    let humans = |stat: &str, compare: &str| {
        let row = |name: &str, role: &str| format!("{name},{role},{stat},{compare},0.7\n");
        let rows = row("a", "subject") + &row("b", "subject") + &row("median", "summary");
        fs::write(path.join("humans.csv"), format!("subject,role,stat,compare,median_pairwise\n{rows}")).unwrap();
    };
    humans("rdm", "pearson");
    let drawn = run(path, "figure scores scores.csv --humans humans.csv").text();
    assert!(drawn.contains("mean over subjects") && drawn.contains("median of each"), "{drawn}");
    for (stat, compare) in [("profile", "pearson"), ("rdm", "spearman")] {
        humans(stat, compare);
        run(path, "figure scores scores.csv --humans humans.csv")
            .fails(1, &[stat, compare, "ceiling between --stat rdm --compare pearson"]);
    }
    // two tables in one would be drawn on each other
    let twice = format!("{scores}m,a,pearson,5,10,0.4\n");
    fs::write(path.join("twice.csv"), twice).unwrap();
    run(path, "figure scores twice.csv").fails(1, &["2 rows have the model and subject m, a"]);
    // a test that the table does not name is not made up
    let tested = scores.replace(",r\n", ",r,p\n").replace("0.4\n", "0.4,\n").replace("0.6\n", "0.6,\n");
    fs::write(path.join("tested.csv"), tested.replace("0.5\n", "0.5,0.01\n")).unwrap();
    let drawn = run(path, "figure scores tested.csv").text();
    assert!(drawn.contains("does not say of which test") && !drawn.contains("two-sided"), "{drawn}");
    fs::write(path.join("profile.csv"), "array,stimulus,z\nx,s0,1\nx,s1,-1\n").unwrap();
    fs::write(path.join("rdm.csv"), "array,stat,r_one_rest,r_max\nx,rdm,0.5,0.8\n").unwrap();
    run(path, "figure tuning profile.csv --ceiling rdm.csv").fails(1, &["of rdm", "--stat profile"]);
    fs::write(path.join("voxel.csv"), "array,voxel,r_max\nx,0,0.8\n").unwrap();
    run(path, "figure tuning profile.csv --ceiling voxel.csv").fails(1, &["ceiling within"]);
}
