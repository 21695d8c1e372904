//! `rsa model`: RDMs of what a table says of stimuli.

mod columns;

use crate::write_rdm::write_rdm;
use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use clap::ValueEnum;
use cli::{Common, Input, Job, require_memory};
use columns::{Columns, Content};
use ndarray::{Array2, ArrayView1};
use npy_stream::Dtype;
use rdm::{Distance, Rdm, distances, same_or_different};
use rdm_inputs::say_constant;
use serde_json::json;
use statistics::{Centre, Reason};

const HELP: &str = "\
One RDM per --by, in their order, back to back: the upper triangle in the order of SciPy's pdist (--square:
the whole), behind it the ids of the table and the name of the RDM. There are no columns.

What a column holds is seen from its cells, and said on stderr:
  category   names: 0 for two stimuli of the same one, 1 for two of different ones, and nothing else. Of
             several columns (--by domain,pose) the same is what is the same in all of them
  rating     numbers: |a - b|, of several columns (--by x,y) the Euclidean distance (--metric has others)
--as says it instead: categories that are numbered need --as category. A column of names and numbers is
refused without it. A column is in the unit it has in the table, so that of several the one with the widest
spread decides; --zscore gives each standard deviation 1 (over the stimuli, n in the denominator).

A missing cell (empty, n/a, NA, NaN, an infinite number) has no distance: its pairs are NaN, and stderr counts
them; `rsa compare` leaves them out, --allow-nan if they are more than 10 %. A model whose distances are
all equal (one category; a stimulus in each) is written, with a warning: it has no score.

Ids are the column stimulus (or stimulus_id, else path) in the order of the table. Rows with the same id
(a table of trials) are one stimulus, of which all must say the same.

Examples:
  rsa model --stimuli pictures.csv --by category > category.npy
  rsa model --stimuli pictures.csv --by category --by size --by x,y -o models.npy
  rsa model --stimuli pictures.csv --by run --as category | rsa compare - --brain ffa.npy";

/// Arguments of `rsa model`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct ModelArgs {
    /// Table of stimuli with the columns named below; - is stdin
    #[arg(long, value_name = "TABLE")]
    pub stimuli: Input,
    /// Column of a model, or several with commas between them for one model of all; again for a further model
    #[arg(long, value_name = "COLUMNS", required = true)]
    pub by: Vec<String>,
    /// What the columns hold: one for all --by, or one for each in their order [default: seen from the cells]
    #[arg(long = "as", value_enum, value_name = "KIND", value_delimiter = ',')]
    pub kind: Vec<Kind>,
    /// Distance between ratings [default: euclidean, which for one column is |a - b|]
    #[arg(long, value_enum)]
    pub metric: Option<Metric>,
    /// Scale every column of ratings to standard deviation 1 first
    #[arg(long)]
    pub zscore: bool,
    /// Names of the models, in order [default: their columns, with + between them]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub names: Vec<String>,
    /// Write square symmetric matrices instead of their upper triangles
    #[arg(long)]
    pub square: bool,
    /// Element type of the output: f4 or f8
    #[arg(long, value_name = "DTYPE", default_value = "f8")]
    pub dtype: Dtype,
    /// Shared options.
    #[command(flatten)]
    pub common: Common,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Names of categories: same or different
    Category,
    /// Numbers: how far apart
    Rating,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Category => "category",
            Kind::Rating => "rating",
        }
    }
}

/// Distances between ratings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// Root of the sum of squared differences
    Euclidean,
    /// Sum of squared differences
    Sqeuclidean,
    /// Sum of absolute differences
    Cityblock,
}

impl Metric {
    fn of(self, n_columns: usize) -> Distance {
        match self {
            // Of one column they are one number, and no square of it can leave the range of f8.
            Metric::Euclidean if n_columns == 1 => Distance::Cityblock,
            Metric::Euclidean => Distance::Euclidean,
            Metric::Sqeuclidean => Distance::Sqeuclidean,
            Metric::Cityblock => Distance::Cityblock,
        }
    }
}

/// Every column is read and checked before the first RDM is made.
pub(crate) fn run(args: &ModelArgs) -> Result<()> {
    if args.kind.len() > 1 && args.kind.len() != args.by.len() {
        bail!("--as: {} kinds for {} --by; give one for all, or one for each", args.kind.len(), args.by.len());
    }
    if !args.names.is_empty() && args.names.len() != args.by.len() {
        bail!("--names: {} names for {} --by; give one for each", args.names.len(), args.by.len());
    }
    let job = Job::start("rsa", &args.common)?;
    let mut out = job.binary_output(args.common.output.as_deref())?;
    let source = args.stimuli.to_string();
    let table = read_table(&job, &args.stimuli)?;
    let kind = |k: usize| args.kind.get(k).or(args.kind.first()).copied();
    let (ids, rows) = columns::stimuli(&job, &table, &source)?;
    let mut models: Vec<Columns> = Vec::new();
    for (k, by) in args.by.iter().enumerate() {
        models.push(Columns::read(&job, &table, &source, by, kind(k), &rows)?);
    }
    let are_ratings = |model: &Columns| matches!(model.content, Content::Ratings(_));
    if let (Some(option), false) = (options_of_ratings(args), models.iter().any(are_ratings)) {
        bail!("{option} is for numbers, and every --by holds categories; leave it out, or say --as rating");
    }
    let names: Vec<String> = match args.names.is_empty() {
        true => models.iter().map(|model| model.names.join("+")).collect(),
        false => args.names.clone(),
    };
    if let Some(second) = (1..names.len()).find(|&k| names[..k].contains(&names[k])) {
        bail!("two models are called {:?}, by which nothing tells them apart; name them with --names", names[second]);
    }
    let n = ids.len() as u128;
    let numbers = if args.square { n * n } else { n * n.saturating_sub(1) / 2 };
    require_memory(format!("{source}: a model RDM of {n} stimuli"), numbers * 8, "take fewer stimuli")?;
    let metric = args.metric.unwrap_or(Metric::Euclidean);
    let mut made = Vec::new();
    for (name, model) in names.iter().zip(&models) {
        let rdm = of(&job, &source, model, metric, args.zscore)?.with_labels(Some(ids.clone()))?;
        if rdm.reason() == Some(Reason::Constant) {
            say_constant(&job, &format!("{source}: model {name:?}"), &rdm, "it has no score");
        }
        let as_what = model.kind().as_str();
        let mut entry = json!({"name": name, "by": model.names, "as": as_what});
        if let (Kind::Rating, Some(object)) = (model.kind(), entry.as_object_mut()) {
            let word = metric.to_possible_value().map(|v| v.get_name().to_owned());
            object.insert("metric".into(), json!(word));
            object.insert("zscore".into(), json!(args.zscore));
        }
        made.push(entry);
        write_rdm(&mut out, &rdm, Some(name), args.dtype, args.square)?;
    }
    job.record("models", made);
    out.commit(&job)
}

fn options_of_ratings(args: &ModelArgs) -> Option<&'static str> {
    [("--metric", args.metric.is_some()), ("--zscore", args.zscore)]
        .into_iter()
        .find_map(|(option, given)| given.then_some(option))
}

/// Where the standard deviations of columns are further apart than this, the narrow one has no say: it moves a distance
/// by less than half a percent.
const UNLIKE: f64 = 10.0;

/// Sums of numbers of this size, and bounds on their rounding, stay in the range of f8 (1.8e308).
const FARTHEST: f64 = 1e306;

/// The RDM of one model, without its ids.
fn of(job: &Job, source: &str, model: &Columns, metric: Metric, zscore: bool) -> Result<Rdm> {
    let what = format!("{source}: {}", model.said());
    let rdm = match &model.content {
        Content::Levels(levels) => same_or_different(levels)?,
        Content::Ratings(ratings) => {
            let centres: Vec<Centre> = ratings
                .columns()
                .into_iter()
                .map(|column| Centre::of(&column.iter().copied().filter(|v| v.is_finite()).collect::<Vec<f64>>()))
                .collect();
            if let (true, Some(flat)) = (zscore, centres.iter().position(Centre::is_constant)) {
                bail!("{source}: column {:?} is constant; it has no z-scores: leave it out", model.names[flat]);
            }
            let spread = |k: &usize| centres[*k].sd;
            let widest = (0..centres.len()).max_by(|a, b| spread(a).total_cmp(&spread(b)));
            let narrowest = (0..centres.len()).min_by(|a, b| spread(a).total_cmp(&spread(b)));
            if let (false, Some(wide), Some(narrow)) = (zscore, widest, narrowest)
                && spread(&wide) > UNLIKE * spread(&narrow)
            {
                let ratio = spread(&wide) / spread(&narrow);
                let times = if ratio < 1e6 { format!("{ratio:.0}") } else { format!("{ratio:.0e}") };
                let (wide, narrow) = (&model.names[wide], &model.names[narrow]);
                job.warn(format!(
                    "{what}: {wide:?} varies {times} times as much as {narrow:?}, and the distances are almost those \
                     of {wide:?} alone; --zscore gives every column the same weight"
                ));
            }
            let largest = |column: ArrayView1<f64>| {
                column.iter().filter(|v| v.is_finite()).fold(0.0, |largest: f64, v| largest.max(v.abs()))
            };
            let far: f64 = ratings.columns().into_iter().map(largest).sum();
            if !zscore && far > FARTHEST {
                bail!("{what}: numbers up to {far:e}, whose distances f8 may not hold; take another unit, or --zscore");
            }
            let patterns = Array2::from_shape_fn(ratings.dim(), |(i, k)| match zscore {
                true if ratings[(i, k)].is_finite() => centres[k].zscore(ratings[(i, k)]),
                _ => ratings[(i, k)],
            });
            let found = distances(patterns.view(), metric.of(model.names.len())).with_context(|| what.clone())?;
            found.rdm
        }
    };
    let n_missing = model.n_missing();
    if n_missing > 0 {
        job.warn(format!(
            "{what}: {n_missing} of {} stimuli have nothing there; {} of {} pairs are NaN",
            rdm.n_stimuli(),
            rdm.n_nan(),
            rdm.values().len()
        ));
    }
    Ok(rdm)
}
