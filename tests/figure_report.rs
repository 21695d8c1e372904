//! `figure report`: one page from a folder of results, read back as text.

#![allow(clippy::unwrap_used)] // helpers of tests are tests, though clippy cannot know it

use std::fs;
use support::*;
use tempfile::TempDir;

/// A folder of results that the tools made, with a figure of theirs and one of somebody else.
fn results() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("out/rdm")).unwrap();
    save(&dir.path().join("acts.npy"), &noise(8, 5, 1), Some(&ids(8)));
    let line = "set -e\n\
                rsa rdm -q acts.npy -o out/rdm/net.npy\n\
                rsa mds -q out/rdm/net.npy -o out/map.csv\n\
                figure mds -q --title 'Map <of> 8' out/map.csv -o out/map.svg\n\
                npy to-csv -q out/rdm/net.npy -o out/rdm/net.csv";
    sh(dir.path(), line).ok();
    let foreign = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    fs::write(dir.path().join("out/other.svg"), foreign).unwrap();
    fs::write(dir.path().join("out/scores.csv"), "model,r\nnet <1>,0.123456789\nrandom,-2\n").unwrap();
    dir
}

fn page(dir: &TempDir, options: &str) -> String {
    run(dir.path(), &format!("figure report out {options} -o out/report.html")).ok();
    fs::read_to_string(dir.path().join("out/report.html")).unwrap()
}

#[test]
fn a_page_has_figures_tables_history_and_methods() {
    let dir = results();
    let html = page(&dir, "--title Study --question 'Is <it> so?'");
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("<h1>Study</h1>"), "{html:.300}");
    assert!(html.contains("Is &lt;it&gt; so?"));
    // Our figure is text of the page; somebody else's, whose script must not run, an image.
    assert!(html.contains("<title>Map &lt;of&gt; 8</title>") && html.matches("class=\"point\"").count() == 8);
    assert!(!html.contains("alert(1)") && html.matches("data:image/svg+xml;base64,").count() == 1);
    // The figure names its table, the tables' cells are escaped, their numbers rounded beside the whole ones.
    assert!(html.contains("Table: <a href=\"map.csv\">map.csv</a>"), "{html}");
    assert!(html.contains("net &lt;1&gt;") && html.contains("title=\"0.123456789\">0.1235</td>"));
    assert!(html.contains("<a href=\"rdm/net.csv\">rdm/net.csv</a> ("), "tables of subfolders are links");
    // What made what: given -> rdm -> mds -> figure.
    let steps = ["rsa rdm", "rsa mds", "figure mds", "given"];
    for step in steps {
        assert!(html.contains(&format!("<strong>{step}</strong>")), "{step}");
    }
    let number = |step: &str| {
        let before = html.split(&format!("<strong>{step}</strong>")).next().unwrap();
        before.rsplit("id=\"step-").next().unwrap().split('"').next().unwrap().to_owned()
    };
    for (from, to) in [("given", "rsa rdm"), ("rsa rdm", "rsa mds"), ("rsa mds", "figure mds")] {
        let arrow = format!("data-from=\"{}\" data-to=\"{}\"", number(from), number(to));
        assert!(html.contains(&arrow), "{from} -> {to}: {arrow}");
    }
    assert!(html.contains("<pre>figure mds -q --title 'Map &lt;of&gt; 8' out/map.csv -o out/map.svg</pre>"));
    assert!(html.contains("Representational dissimilarity matrices") && html.contains("Front Syst Neurosci 2:4"));
    // Nothing is fetched: no address but those of namespaces.
    let addresses = html.matches("http").count();
    assert_eq!(addresses, html.matches("http://www.w3.org/2000/svg").count() + html.matches("http-equiv").count());
    // The page is not among its own results.
    run(dir.path(), "figure report out --title Study --question 'Is <it> so?' -o out/report.html").ok();
    assert_eq!(fs::read_to_string(dir.path().join("out/report.html")).unwrap(), html);
}

#[test]
fn a_picture_in_two_figures_stands_on_the_page_once() {
    let dir = results();
    let table: String = (0..8).map(|i| format!("s{i},p{i}.ppm\n")).collect();
    fs::write(dir.path().join("pictures.csv"), format!("stimulus,path\n{table}")).unwrap();
    for i in 0..8u8 {
        let pixels: Vec<u8> = (0..48).map(|k| k * (i + 1)).collect();
        fs::write(dir.path().join(format!("p{i}.ppm")), [b"P6 4 4 255\n", &pixels[..]].concat()).unwrap();
    }
    let line = "for k in 1 2; do figure mds -q --images pictures.csv out/map.csv --title $k -o out/$k.svg; done";
    sh(dir.path(), line).ok();
    let html = page(&dir, "");
    let pictures = |text: &str| -> Vec<String> {
        text.split("<image id=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let (mut on_page, mut in_figure) =
        (pictures(&html), pictures(&fs::read_to_string(dir.path().join("out/2.svg")).unwrap()));
    on_page.sort();
    in_figure.sort();
    assert!(!in_figure.is_empty() && on_page == in_figure, "{on_page:?} {in_figure:?}");
    for id in in_figure {
        assert_eq!(html.matches(&format!("href=\"#{id}\"")).count(), 2);
    }
}

#[test]
fn numbers_of_the_answer_are_read_from_tables() {
    let dir = results();
    let at = |text: &str| fs::write(dir.path().join("answer.txt"), text).unwrap();
    at("The net has\n{scores.csv model=random r} of {scores.csv r=0.123456789 r:3}.\n\nMore & more.\n");
    let html = page(&dir, "--answer answer.txt");
    assert!(html.contains("<p>The net has -2 of 0.123.</p><p>More &amp; more.</p>"), "{html:.3000}");
    fs::write(dir.path().join("out/p.csv"), "p\n0.00042\n").unwrap();
    at("p = {p.csv p}");
    assert!(page(&dir, "--answer answer.txt").contains("<p>p = 4.2e-4</p>"), "a small p is not 0.00");
    fs::remove_file(dir.path().join("out/p.csv")).unwrap();
    at("{rdm/net.csv i=0 j=1 stimulus_j}");
    assert!(page(&dir, "--answer answer.txt").contains("<p>s1</p>"), "a table of a subfolder");
    for (text, parts) in [
        ("{scores.csv r}", &["2 rows of scores.csv are meant"][..]),
        ("{scores.csv model=none r}", &["0 rows of scores.csv are meant"]),
        ("{nothing.csv r}", &["no table nothing.csv", "map.csv, scores.csv, rdm/net.csv"]),
        ("{scores.csv model=random rho}", &["rho"]),
        ("{scores.csv", &["{ without }"]),
        ("{}", &["FILE KEY=VALUE.. COLUMN"]),
        (" \n", &["has no text"]),
    ] {
        at(text);
        fs::remove_file(dir.path().join("out/report.html")).ok();
        run(dir.path(), "figure report out --answer answer.txt -o out/report.html").fails(1, parts);
        assert!(!dir.path().join("out/report.html").exists());
    }
}

#[test]
fn warnings_of_the_tools_stand_on_the_page() {
    let dir = results();
    let mut acts = noise(8, 5, 1);
    acts.row_mut(3).fill(1.0);
    save(&dir.path().join("flat.npy"), &acts, Some(&ids(8)));
    let made = run(dir.path(), "rsa rdm -q --allow-nan flat.npy -o out/rdm/flat.npy");
    let warning = made.stderr.split_once("warning: ").unwrap().1.lines().next().unwrap().to_owned();
    let html = page(&dir, "");
    assert!(html.contains("<h2>Warnings</h2>") && html.contains(&warning[..20]), "{warning}");
}

#[test]
fn files_that_were_changed_after_they_were_made_are_named() {
    let dir = results();
    assert!(!page(&dir, "").contains("<h2>Warnings</h2>"));
    let map = dir.path().join("out/map.csv");
    let edited = fs::read_to_string(&map).unwrap().replacen("0.", "1.", 1);
    fs::write(&map, edited).unwrap();
    fs::write(dir.path().join("out/scores.json"), b"\xff").unwrap();
    let made = run(dir.path(), "figure report out -o out/report.html");
    for part in ["map.csv was changed after it was made", "scores.json is no JSON"] {
        assert!(made.stderr.contains(part), "{}", made.stderr);
        assert!(fs::read_to_string(dir.path().join("out/report.html")).unwrap().contains(part), "{part}");
    }
}

#[test]
fn what_makes_a_page_too_large_is_linked_and_said() {
    let dir = results();
    // 150 kB that look like a picture; nothing opens it.
    fs::write(dir.path().join("out/large.png"), vec![7_u8; 150_000]).unwrap();
    let made = run(dir.path(), "figure report out --limit 0.1 -o page.html");
    assert!(made.stderr.contains("1 figures are linked"), "{}", made.stderr);
    let html = fs::read_to_string(dir.path().join("page.html")).unwrap();
    assert!(html.len() < 100_000 && html.contains("href=\"out/large.png\""), "{}", html.len());
    assert!(html.contains("has no room on this page") && html.contains("class=\"point\""));
    let whole = run(dir.path(), "figure report out --rows 1 -o page.html");
    assert!(!whole.stderr.contains("linked"), "{}", whole.stderr);
    let html = fs::read_to_string(dir.path().join("page.html")).unwrap();
    assert!(html.contains("The first 1 of 8 rows"));
}

#[test]
fn folders_without_results_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    run(dir.path(), "figure report empty").fails(1, &["empty", "no figure", "no table"]);
    run(dir.path(), "figure report nowhere").fails(1, &["nowhere"]);
    fs::write(dir.path().join("empty/broken.csv"), b"a,b\n\xff\xfe\n").unwrap();
    fs::write(dir.path().join("empty/notes.json"), "[1, 2").unwrap();
    run(dir.path(), "figure report empty").fails(1, &["no table"]);
    fs::write(dir.path().join("empty/good.csv"), "a\n1\n").unwrap();
    let html = run(dir.path(), "figure report empty").text();
    assert!(html.contains("broken.csv</a> (is no table: "), "{html}");
}
