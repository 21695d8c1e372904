//! What all verbs share: the options of a figure's look, and writing it.

use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use cli::{Common, Input, Job, Output};
use drawing::{
    Axis, Chart, Drawn, Mark, Panel, Scale, Sheet, draw, draw_sheet, draw_sheet_quickly, png, sheet_text, text,
};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::{IsTerminal, Write};
use std::rc::Rc;

/// Options that every verb has.
#[derive(Debug, clap::Args)]
pub(crate) struct Look {
    /// What stands over the figure
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Width of the figure in mm; of a grid with few cells the most [default: 120; of several panels 180]
    #[arg(long, value_name = "MM", value_parser = width)]
    width: Option<f64>,
    /// Draw with characters, for a terminal
    #[arg(long)]
    terminal: bool,
    #[command(flatten)]
    common: Common,
}

fn width(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(mm) if (40.0..=600.0).contains(&mm) => Ok(mm),
        _ => Err("give a width between 40 and 600 mm; columns of journals have 85 to 180".into()),
    }
}

/// What a figure becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Svg,
    Png,
    Text,
}

/// Names that were asked for their labels.
type Asked = Rc<RefCell<HashSet<String>>>;

/// A table of labels: where it is from, its names, and those that the figure has.
struct Labelled {
    source: String,
    names: Vec<String>,
    asked: Asked,
}

/// One run of a verb: what it is drawn as, and where it goes.
pub(crate) struct Session<'a> {
    pub(crate) job: Job,
    look: &'a Look,
    kind: Kind,
    out: Output,
    /// Where labels are from, the names that have one, and those of them that the figure has.
    labelled: RefCell<Option<Labelled>>,
    /// Why rows are not drawn, each reason with its count.
    pub(crate) reasons: RefCell<Vec<String>>,
}

/// What becomes of a table in which no row has a number.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct EmptyArgs {
    /// Where no row has a number, a figure that says so, and why, instead of an error: for Makefiles over regions of
    /// which some have no unit or no voxel
    #[arg(long)]
    allow_empty: bool,
}

/// No row of a table has a number: an error, or with --allow-empty a figure that says so.
#[derive(Debug)]
pub(crate) struct Nothing {
    source: String,
    why: String,
}

impl Nothing {
    /// Of this table; `why` is what the figure says.
    pub(crate) fn of(table: &str, why: impl Into<String>) -> Nothing {
        Nothing { source: table.into(), why: why.into() }
    }
}

impl std::fmt::Display for Nothing {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}: {}; there is nothing to draw", self.source, self.why)
    }
}

impl std::error::Error for Nothing {}

/// How names of the data are printed.
#[derive(Debug, clap::Args)]
pub(crate) struct LabelArgs {
    /// Names to print instead of those of the data: a table with the columns name and label
    #[arg(long, value_name = "TABLE")]
    label_from: Option<Input>,
}

/// What names are printed as.
pub(crate) struct Labels {
    of: HashMap<String, String>,
    asked: Asked,
}

impl LabelArgs {
    pub(crate) fn read(&self, session: &Session) -> Result<Labels> {
        let of = match &self.label_from {
            Some(input) => labels(&session.job, input)?,
            None => HashMap::new(),
        };
        let asked = Asked::default();
        if let Some(input) = &self.label_from {
            let mut names: Vec<String> = of.keys().cloned().collect();
            names.sort();
            *session.labelled.borrow_mut() = Some(Labelled { source: input.to_string(), names, asked: asked.clone() });
        }
        Ok(Labels { of, asked })
    }
}

impl Labels {
    /// What a name of the data is printed as.
    pub(crate) fn of(&self, name: &str) -> String {
        match self.of.get(name) {
            Some(label) => {
                self.asked.borrow_mut().insert(name.into());
                label.clone()
            }
            None => name.into(),
        }
    }
}

impl Look {
    /// Opens the output, before anything is read.
    pub(crate) fn start(&self) -> Result<Session<'_>> {
        let kind = self.kind()?;
        let job = Job::start("figure", &self.common)?;
        let path = self.common.output.as_deref();
        let out = if kind == Kind::Png { job.binary_output(path)? } else { job.text_output(path)? };
        Ok(Session { job, look: self, kind, out, labelled: RefCell::default(), reasons: RefCell::default() })
    }

    /// By the ending of the name; stdout and devices get SVG.
    fn kind(&self) -> Result<Kind> {
        let Some(path) = self.common.output.as_deref() else {
            return Ok(if self.terminal { Kind::Text } else { Kind::Svg });
        };
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match (ending.as_deref(), self.terminal) {
            (Some("svg" | "png"), true) => {
                bail!("{}: --terminal writes text; give -o a name in .txt, or leave --terminal out", path.display())
            }
            (_, true) => Ok(Kind::Text),
            (Some("png"), false) => Ok(Kind::Png),
            (Some("svg"), false) => Ok(Kind::Svg),
            _ if path == "-" || path.starts_with("/dev") => Ok(Kind::Svg),
            _ => bail!("{}: a figure is written as .svg or .png, by the ending of the name", path.display()),
        }
    }
}

fn labels(job: &Job, input: &Input) -> Result<HashMap<String, String>> {
    let table = read_table(job, input)?;
    let column = |name: &str| table.column(name).with_context(|| format!("{input}: --label-from"));
    let mut labels = HashMap::new();
    for (name, label) in column("name")?.iter().zip(column("label")?) {
        if labels.insert(name.clone(), label.clone()).is_some_and(|other| other != *label) {
            bail!("{input}: the name {name:?} has two labels; give it one");
        }
    }
    Ok(labels)
}

/// Whether anything stands between the axes that is a value.
fn has_numbers(panel: &Panel) -> bool {
    panel.marks.iter().any(|mark| match mark {
        Mark::Curve { points, .. } => points.iter().any(|p| p[1].is_finite()),
        Mark::Ribbon { points, .. } => points.iter().any(|p| p[1].is_finite()),
        Mark::Level { .. } | Mark::Strip { .. } => false,
        Mark::Cells { values, .. } => values.iter().any(|v| v.is_finite()),
        _ => true,
    })
}

/// A panel without a value has no axis that would say from where to where they go.
fn blank(panel: &mut Panel) {
    panel.y = Axis { bare: true, unseen: true, ..Axis::new(panel.y.label.clone(), Scale::default()) };
    let middle = match &panel.x.scale {
        Scale::Names(names) => (names.len() as f64 - 1.0) / 2.0,
        Scale::Linear { lo, hi } => (lo + hi) / 2.0,
        Scale::Log { lo, hi } => (lo * hi).sqrt(),
    };
    panel.marks = vec![Mark::Note { at: [middle, 0.5], text: "no number".into() }];
}

impl Session<'_> {
    /// About the width of one of so many panels, in mm, without the room for names beside it.
    pub(crate) fn panel_width(&self, n_panels: usize, columns: usize) -> f64 {
        let usual = if n_panels > 1 { drawing::style::WIDE } else { drawing::style::WIDTH };
        let page = self.look.width.unwrap_or(usual);
        page / n_panels.clamp(1, columns.max(1)) as f64 - 5.0
    }

    /// Draws the chart and writes it. Where there was nothing to draw, that is the error, or what the figure says.
    pub(crate) fn finish_or_empty(self, empty: EmptyArgs, chart: Result<Chart>) -> Result<()> {
        let why = match chart {
            Ok(chart) if !chart.panels.is_empty() || !empty.allow_empty => return self.finish(chart),
            Ok(_) => "no row has a number".to_owned(),
            Err(error) => match error.downcast_ref::<Nothing>().filter(|_| empty.allow_empty) {
                Some(nothing) => nothing.why.clone(),
                None => return Err(error),
            },
        };
        self.job.note(format!("{why}: the figure says so (--allow-empty)"));
        let mut chart = Chart::new("", "");
        let reasons = self.reasons.borrow().join(", ");
        let why = if reasons.is_empty() { why } else { format!("{why} ({reasons})") };
        chart.aspect = 0.3;
        chart.description = format!("Nothing is drawn: {why}.");
        chart.notes.push(format!("Nothing is drawn: {why}."));
        let mut panel = Panel {
            title: String::new(),
            x: Axis { bare: true, unseen: true, ..Axis::default() },
            y: Axis::default(),
            marks: Vec::new(),
        };
        blank(&mut panel);
        chart.panels.push(panel);
        self.finish(chart)
    }

    /// Draws the chart and writes it.
    pub(crate) fn finish(mut self, mut chart: Chart) -> Result<()> {
        if let Some(title) = &self.look.title {
            chart.title = title.clone();
        }
        if chart.panels.is_empty() {
            bail!("nothing can be drawn: no row has a number");
        }
        if let Some(Labelled { source, names, asked }) = self.labelled.take() {
            let asked = asked.borrow();
            let unknown: Vec<&str> = names.iter().filter(|name| !asked.contains(*name)).map(String::as_str).collect();
            if !unknown.is_empty() {
                let first = unknown.iter().take(4).copied().collect::<Vec<_>>().join(", ");
                let more = if unknown.len() > 4 { ", ..." } else { "" };
                self.job.note(format!(
                    "{source}: {} of its {} names are not in this figure: {first}{more}",
                    unknown.len(),
                    names.len()
                ));
            }
        }
        chart.panels.iter_mut().filter(|panel| !has_numbers(panel)).for_each(blank);
        // A verb may have set another width than the usual ones.
        let own = Some(chart.width).filter(|width| *width != drawing::style::WIDTH);
        chart.width = self.look.width.or(own).unwrap_or(match chart.panels.len() {
            1 => drawing::style::WIDTH,
            _ => drawing::style::WIDE,
        });
        if self.kind == Kind::Text {
            self.out.write_all(text(&chart).as_bytes())?;
            return self.out.commit(&self.job);
        }
        let drawn = draw(&chart);
        if drawn.n_labels_left_out > 0 {
            self.job.note(format!(
                "{} names of points have no room and are not written beside them; they are in the SVG's data-name, and \
                 a larger --width has room for more",
                drawn.n_labels_left_out
            ));
        }
        if drawn.n_pictures_left_out > 0 {
            self.job.note(format!(
                "{} pictures have no room beside their points and are not drawn; a larger --width has room for more",
                drawn.n_pictures_left_out
            ));
        }
        self.write(&drawn)
    }

    /// Draws pictures in rows and writes them. Characters have colours where stdout is a terminal and `NO_COLOR` is not
    /// set (no-color.org).
    pub(crate) fn finish_sheet(mut self, mut sheet: Sheet) -> Result<()> {
        if let Some(title) = &self.look.title {
            sheet.title = title.clone();
        }
        sheet.width = self.look.width.unwrap_or(sheet.width);
        if self.kind == Kind::Text {
            let plain = std::env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty());
            let colours = self.look.common.output.is_none() && std::io::stdout().is_terminal() && !plain;
            self.out.write_all(sheet_text(&sheet, colours).as_bytes())?;
            return self.out.commit(&self.job);
        }
        let drawn = if self.kind == Kind::Png { draw_sheet_quickly(&sheet) } else { draw_sheet(&sheet) };
        self.write(&drawn)
    }

    fn write(mut self, drawn: &Drawn) -> Result<()> {
        match self.kind {
            Kind::Png => {
                if !drawn.missing_glyphs.is_empty() {
                    let letters: String = drawn.missing_glyphs.iter().take(8).collect();
                    self.job.warn(format!(
                        "{} letters are not in the embedded font and become boxes ({letters}); write SVG, which takes \
                         them from the viewer's fonts, or other names (--label-from)",
                        drawn.missing_glyphs.len()
                    ));
                }
                self.out.write_all(&png(&drawn.svg)?)?;
            }
            _ => self.out.write_all(drawn.svg.as_bytes())?,
        }
        self.out.commit(&self.job)
    }
}
