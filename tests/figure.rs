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
        found.insert(head.split_whitespace().last().unwrap().to_string(), text.to_string());
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
        for (key, limit) in [("x", size[2]), ("cx", size[2]), ("x2", size[2]), ("y", size[3]), ("y2", size[3])] {
            if let Some(v) = found.get(key) {
                let v: f64 = v.parse().unwrap();
                assert!((-0.01..=limit + 0.01).contains(&v), "{key} {v} of {limit}: <{tag}");
            }
        }
    }
    assert!(!svg.contains("NaN ") && !svg.contains("\"inf"), "a place without a number");
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
fn examples_of_the_help_run() {
    for verb in ["", "ceiling"] {
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
