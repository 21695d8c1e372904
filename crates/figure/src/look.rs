//! What all verbs share: the options of a figure's look, and writing it.

use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use cli::{Common, Input, Job, Output};
use drawing::{Chart, Drawn, Sheet, draw, draw_sheet, png, sheet_text, text};
use std::collections::HashMap;
use std::io::{IsTerminal, Write};

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

/// One run of a verb: what it is drawn as, and where it goes.
pub(crate) struct Session<'a> {
    pub(crate) job: Job,
    look: &'a Look,
    kind: Kind,
    out: Output,
}

/// How names of the data are printed.
#[derive(Debug, clap::Args)]
pub(crate) struct LabelArgs {
    /// Names to print instead of those of the data: a table with the columns name and label
    #[arg(long, value_name = "TABLE")]
    label_from: Option<Input>,
}

/// What names are printed as.
pub(crate) struct Labels(HashMap<String, String>);

impl LabelArgs {
    pub(crate) fn read(&self, session: &Session) -> Result<Labels> {
        Ok(Labels(match &self.label_from {
            Some(input) => labels(&session.job, input)?,
            None => HashMap::new(),
        }))
    }
}

impl Labels {
    /// What a name of the data is printed as.
    pub(crate) fn of(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| name.into())
    }
}

impl Look {
    /// Opens the output, before anything is read.
    pub(crate) fn start(&self) -> Result<Session<'_>> {
        let kind = self.kind()?;
        let job = Job::start("figure", &self.common)?;
        let path = self.common.output.as_deref();
        let out = if kind == Kind::Png { job.binary_output(path)? } else { job.text_output(path)? };
        Ok(Session { job, look: self, kind, out })
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

impl Session<'_> {
    /// Draws the chart and writes it.
    pub(crate) fn finish(mut self, mut chart: Chart) -> Result<()> {
        if let Some(title) = &self.look.title {
            chart.title = title.clone();
        }
        if chart.panels.is_empty() {
            bail!("nothing can be drawn: no row has a number");
        }
        chart.width = self.look.width.unwrap_or(match chart.panels.len() {
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
        self.write(&draw_sheet(&sheet))
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
