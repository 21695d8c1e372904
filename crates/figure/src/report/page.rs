//! The page: HTML that is whole by itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use std::collections::HashSet;

use super::folder::{Figure, Folder, NamedTable, Place, Record};
use super::graph::{files, graph, heading};
use super::history::{History, Step, inputs};
use super::methods::{Methods, methods};

/// What a page is made of.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    pub(super) question: Option<&'a str>,
    pub(super) answer: Option<&'a [String]>,
    pub(super) folder: &'a Folder,
    pub(super) history: &'a History<'a>,
    /// Of a table.
    pub(super) rows: usize,
    /// Bytes that the page may have.
    pub(super) limit: usize,
}

/// Nothing is fetched, whatever a figure says.
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'";

/// Commands of one step that are spelled out.
const MOST_COMMANDS: usize = 12;

/// Keys of a record that the page says in words.
const SAID: [&str; 7] = ["output", "arguments", "tool", "version", "inputs", "output_sha256", "warnings"];

impl Page<'_> {
    /// The page, and how many figures have no room on it.
    pub(super) fn html(&self) -> (String, usize) {
        // All but the figures first: what they leave is for them.
        let without = self.whole(&[]).into_string().len();
        let mut left = self.limit.saturating_sub(without);
        let drawn: Vec<Option<Markup>> = self
            .folder
            .figures
            .iter()
            .map(|figure| {
                let drawn = drawn(figure);
                let size = drawn.0.len();
                (size <= left).then(|| {
                    left -= size;
                    drawn
                })
            })
            .collect();
        let linked = drawn.iter().filter(|drawn| drawn.is_none()).count();
        (self.whole(&drawn).into_string(), linked)
    }

    fn whole(&self, drawn: &[Option<Markup>]) -> Markup {
        let methods = methods(self.history);
        let of_folder = self.folder.warnings.iter().map(|warning| (warning.clone(), Vec::new()));
        let warnings: Vec<(String, Vec<&str>)> = of_folder.chain(self.history.warnings()).collect();
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    title { (self.title) }
                    style { (PreEscaped(include_str!("page.css"))) }
                }
                body {
                    header {
                        h1 { (self.title) }
                        @if let Some(question) = self.question { p.question { (question) } }
                    }
                    @if let Some(answer) = self.answer {
                        div.answer { @for paragraph in answer { p { (paragraph) } } }
                    }
                    nav aria-label="Sections" { ul {
                        @if !self.folder.figures.is_empty() { li { a href="#figures" { "Figures" } } }
                        @if !self.folder.tables.is_empty() { li { a href="#tables" { "Tables" } } }
                        @if !warnings.is_empty() { li { a href="#warnings" { "Warnings" } } }
                        @if !self.history.steps.is_empty() { li { a href="#history" { "How it was made" } } }
                        @if !methods.sentences.is_empty() { li { a href="#methods" { "Methods" } } }
                    } }
                    main {
                        (self.figures(drawn))
                        (self.tables())
                        @if !warnings.is_empty() { (warned(&warnings)) }
                        @if !self.history.steps.is_empty() { (self.made()) }
                        @if !methods.sentences.is_empty() { (paper(&methods)) }
                    }
                    script { (PreEscaped(include_str!("page.js"))) }
                }
            }
        }
    }

    fn figures(&self, drawn: &[Option<Markup>]) -> Markup {
        let drawn = with_each_picture_once(drawn);
        html! {
            @if !self.folder.figures.is_empty() {
                section id="figures" {
                    h2 { "Figures" }
                    @for (k, figure) in self.folder.figures.iter().enumerate() {
                        figure id=(format!("figure-{k}")) {
                            @match drawn.get(k) {
                                Some(Some(drawn)) => (drawn),
                                _ => p { (link(&figure.place)) " has no room on this page." },
                            }
                            figcaption {
                                (link(&figure.place))
                                @if let Some(text) = description(figure) { ": " (text) }
                                @for table in self.tables_of(&figure.place.name) { " Table: " (link(table)) "." }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Tables of the folder that a figure was drawn from.
    fn tables_of(&self, figure: &str) -> Vec<&Place> {
        let Some(record) = self.folder.records.iter().find(|record| record.output == figure) else { return Vec::new() };
        let digests: Vec<&str> = inputs(record).into_iter().filter_map(|(_, digest)| digest).collect();
        let drawn_from = |name: &str| {
            let of = self.folder.records.iter().find(|record| record.output == name);
            of.and_then(|record| record.json["output_sha256"].as_str()).is_some_and(|sha| digests.contains(&sha))
        };
        let tables = self.folder.tables.iter().map(|table| &table.place);
        let linked = self.folder.linked.iter().map(|(place, _)| place);
        tables.chain(linked).filter(|place| drawn_from(&place.name)).collect()
    }

    fn tables(&self) -> Markup {
        html! {
            @if !self.folder.tables.is_empty() {
                section id="tables" {
                    h2 { "Tables" }
                    @for (k, table) in self.folder.tables.iter().enumerate() { (self.table(k, table)) }
                    @if !self.folder.linked.is_empty() {
                        details {
                            summary { (self.folder.linked.len()) " more tables in files beside this page" }
                            ul { @for (place, what) in &self.folder.linked { li { (link(place)) " (" (what) ")" } } }
                        }
                    }
                }
            }
        }
    }

    fn table(&self, k: usize, named: &NamedTable) -> Markup {
        let table = &named.table;
        let columns: Vec<&[String]> = table.names().iter().map(|name| table.column(name).unwrap_or_default()).collect();
        let is_number = |cell: &String| cell.parse::<f64>().is_ok();
        let numeric: Vec<bool> = columns
            .iter()
            .map(|cells| cells.iter().any(is_number) && cells.iter().all(|cell| cell.is_empty() || is_number(cell)))
            .collect();
        let shown = table.n_rows().min(self.rows);
        html! {
            h3 id=(format!("table-{k}")) { (link(&named.place)) }
            div.wide tabindex="0" role="region" aria-labelledby=(format!("table-{k}")) {
                table {
                    thead { tr {
                        @for name in table.names() { th scope="col" { button type="button" { (name) } } }
                    } }
                    tbody {
                        @for row in 0..shown {
                            tr {
                                @for (cells, numeric) in columns.iter().zip(&numeric) {
                                    td.number[*numeric] title=[(rounded(&cells[row]) != cells[row]).then_some(&cells[row])] {
                                        (rounded(&cells[row]))
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if shown < table.n_rows() {
                p.soft { "The first " (shown) " of " (table.n_rows()) " rows; all are in the file." }
            }
        }
    }

    fn made(&self) -> Markup {
        html! {
            section id="history" {
                h2 { "How it was made" }
                p.soft {
                    "Each box is a command and the files that it made in one folder; arrows follow the bytes of the \
                     files. A box leads to its commands."
                }
                div.wide tabindex="0" role="region" aria-label="Graph of the steps" { (graph(self.history)) }
                @for (k, step) in self.history.steps.iter().enumerate() { (made_by(k, step)) }
            }
        }
    }
}

fn link(place: &Place) -> Markup {
    html! { a href=(place.link) { (place.name) } }
}

fn drawn(figure: &Figure) -> Markup {
    let name = &figure.place.name;
    // Text of our own drawings can be selected and found; those of others stay behind the walls of an image.
    if figure.ours
        && let Ok(svg) = std::str::from_utf8(&figure.bytes)
    {
        return PreEscaped(svg.to_owned());
    }
    let kind = if name.to_lowercase().ends_with(".png") { "image/png" } else { "image/svg+xml" };
    html! { img alt=(name) src=(format!("data:{kind};base64,{}", STANDARD.encode(&figure.bytes))); }
}

/// Figures that show the same picture each bring it under the same id, which a page may have once: all but the first
/// then refer to that of the first.
fn with_each_picture_once(drawn: &[Option<Markup>]) -> Vec<Option<Markup>> {
    const PICTURE: &str = "<image id=\"";
    let mut there: HashSet<&str> = HashSet::new();
    let mut figures = Vec::with_capacity(drawn.len());
    for figure in drawn {
        figures.push(figure.as_ref().map(|svg| {
            let mut kept = String::with_capacity(svg.0.len());
            for line in svg.0.split_inclusive('\n') {
                let id = line.strip_prefix(PICTURE).and_then(|rest| rest.split_once('"')).map(|(id, _)| id);
                if id.is_none_or(|id| there.insert(id)) {
                    kept += line;
                }
            }
            PreEscaped(kept)
        }));
    }
    figures
}

/// What a figure says of itself, as it is spelled in the SVG.
fn description(figure: &Figure) -> Option<Markup> {
    let svg = std::str::from_utf8(&figure.bytes).ok().filter(|_| figure.ours)?;
    let text = svg.split_once("<desc>")?.1.split_once("</desc>")?.0;
    let text = text.trim_end_matches(['.', ' ']);
    (!text.is_empty()).then(|| PreEscaped(format!("{text}.")))
}

/// Four digits of a number that has more.
fn rounded(cell: &str) -> String {
    match cell.parse::<f64>() {
        Ok(number) if number.is_finite() && cell.len() > 6 && cell.contains('.') => {
            let four = format!("{number:.3e}").parse::<f64>().unwrap_or(number);
            if four != 0.0 && !(1e-4..1e6).contains(&four.abs()) { format!("{four:e}") } else { format!("{four}") }
        }
        _ => cell.to_owned(),
    }
}

fn warned(warnings: &[(String, Vec<&str>)]) -> Markup {
    html! {
        section id="warnings" {
            h2 { "Warnings" }
            ul {
                @for (text, files) in warnings {
                    li {
                        (text)
                        @if let [first, more @ ..] = &files[..] {
                            " " span.soft { "(" (first) @if !more.is_empty() { " and " (more.len()) " more" } ")" }
                        }
                    }
                }
            }
        }
    }
}

fn made_by(k: usize, step: &Step) -> Markup {
    let more = step.records.len().saturating_sub(MOST_COMMANDS);
    html! {
        details id=(format!("step-{k}")) {
            summary {
                strong { (heading(step)) } " "
                span.soft { (step.folder) (files(step)) }
            }
            @if step.records.is_empty() {
                ul { @for file in &step.files { li { (file) } } }
            }
            @for record in step.records.iter().take(MOST_COMMANDS) { (command(record)) }
            @if more > 0 { p.soft { "and " (more) " more like these" } }
        }
    }
}

fn command(record: &Record) -> Markup {
    let text = |key: &str| record.json[key].as_str().unwrap_or_default().to_owned();
    let mut words = vec![text("tool")];
    words.extend(super::history::arguments(record).into_iter().map(quoted));
    let facts: Vec<(&String, &Value)> =
        record.json.as_object().into_iter().flatten().filter(|(key, _)| !SAID.contains(&key.as_str())).collect();
    let digest = text("output_sha256");
    html! {
        p { code { (record.output) } " " span.soft { "version " (text("version")) ", SHA-256 " (short(&digest)) } }
        pre { (words.join(" ")) }
        @if !facts.is_empty() {
            p.soft { @for (key, value) in facts { (key) ": " (told(value)) "; " } }
        }
        p.soft {
            "from "
            @for (name, digest) in inputs(record) { (name) " (" (digest.map_or("stdin".into(), short)) ") " }
        }
    }
}

fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

/// A fact in one line; a long one is cut, the record has it.
fn told(value: &Value) -> String {
    const LONGEST: usize = 120;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= LONGEST { text } else { text.chars().take(LONGEST).chain("…".chars()).collect() }
}

/// An argument as a shell needs it.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_./:=,@%+-".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

fn paper(methods: &Methods) -> Markup {
    html! {
        section id="methods" {
            h2 { "Methods" }
            p { (methods.sentences.join(" ")) }
            @if !methods.references.is_empty() {
                h3 { "References" }
                ul { @for reference in &methods.references { li { (reference) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits_and_arguments_their_words() {
        for (cell, shown) in [
            ("0.123456789", "0.1235"),
            ("12345.6789", "12350"),
            ("0.00000123456", "1.235e-6"),
            ("1234567", "1234567"),
            ("0.5", "0.5"),
            ("sub-0.1x", "sub-0.1x"),
            ("NaN", "NaN"),
        ] {
            assert_eq!(rounded(cell), shown);
        }
        assert_eq!(quoted("faces > rest"), "'faces > rest'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("a/b-c.npy"), "a/b-c.npy");
    }
}
