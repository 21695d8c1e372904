//! `figure report`: one page from a folder of results.

mod answer;
mod folder;
mod graph;
mod history;
mod methods;
mod page;

use anyhow::{Result, bail};
use cli::{Common, Input, Job};
use std::io::Write;
use std::path::{Path, PathBuf};

use self::folder::Folder;
use self::history::History;
use self::page::Page;

/// A folder of results as one page: answer, figures, tables, how every file was made, methods
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The page is one HTML file that needs no network and is whole without JavaScript (which sorts tables).
It has what the folder has:
  figures   .svg and .png, in subfolders too; of an .svg and a .png of one name the .svg
  tables    .csv and .tsv of the folder itself, their first --rows rows; those of subfolders as links
  history   from the records beside the files: what made what, as a graph, and each command with its
            version, seed, inputs and warnings
  methods   sentences for a paper on the steps that the records tell of, with references
What would make the page larger than --limit is linked, and stderr says so.

--answer is plain text, paragraphs apart by an empty line. {FILE KEY=VALUE.. COLUMN} stands for a cell
of a table of the folder or its subfolders: the one row where all keys have these values, numbers with two digits
behind the point; :3 behind the column gives three. A cell that is not there is an error.

Examples:
  figure report demo -o demo/report.html
  figure report study --title 'Faces' --question 'Do face units answer as the FFA does?' -o study.html
  figure report study --answer <(echo 'People agree at {humans.csv subject=median median_pairwise}.') -o a.html")]
pub(crate) struct ReportArgs {
    /// Folder of results
    folder: PathBuf,
    /// What stands over the page [default: the name of the folder]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// What was asked
    #[arg(long, value_name = "TEXT")]
    question: Option<String>,
    /// A text file with the answer, cells of tables in braces; - is stdin
    #[arg(long, value_name = "FILE")]
    answer: Option<Input>,
    /// Rows of a table that stand on the page
    #[arg(long, value_name = "N", default_value_t = 50)]
    rows: usize,
    /// Largest page, in millions of bytes
    #[arg(long, value_name = "MB", default_value_t = 5.0, value_parser = limit)]
    limit: f64,
    #[command(flatten)]
    common: Common,
}

fn limit(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(mb) if (0.1..=1000.0).contains(&mb) => Ok(mb),
        _ => Err("give between 0.1 and 1000 million bytes; browsers open 5 in a moment".into()),
    }
}

pub(crate) fn run(args: &ReportArgs) -> Result<()> {
    let job = Job::start("figure", &args.common)?;
    let path = args.common.output.as_deref();
    let mut out = job.text_output(path)?;
    let folder = Folder::read(&job, &args.folder, path)?;
    if folder.figures.is_empty() && folder.tables.is_empty() {
        bail!(
            "{}: has no figure (.svg, .png) and no table (.csv, .tsv); give the folder that holds the results",
            args.folder.display()
        );
    }
    let history = History::of(&folder.records);
    let answer = args.answer.as_ref().map(|input| answer::read(&job, input, &folder)).transpose()?;
    let title = args.title.clone().unwrap_or_else(|| name_of(&args.folder));
    let page = Page {
        title: &title,
        question: args.question.as_deref(),
        answer: answer.as_deref(),
        folder: &folder,
        history: &history,
        rows: args.rows,
        limit: (args.limit * 1e6) as usize,
    };
    let (html, linked) = page.html();
    if linked > 0 {
        job.note(format!(
            "{linked} figures are linked and not on the page, which would be larger than {} MB",
            args.limit
        ));
    }
    out.write_all(html.as_bytes())?;
    out.commit(&job)
}

fn name_of(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    whole.file_name().map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned())
}
