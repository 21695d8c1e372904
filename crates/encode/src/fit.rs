//! `encode fit`: open, join, cross-validate, score, write.

pub(crate) mod data;
mod features;
mod gram_file;
mod method;
mod outputs;
mod summary;
mod task;

use anyhow::{Result, bail};
use array_inputs::{JoinArgs, read_matrix};
use clap::ValueEnum;
use cli::{Common, Format, Input, Job, OutputPath, Shard};
use encoding_models::{AlphaGrid, AlphaPer, ChooseBy, Inner, Method, RidgeOptions, dirichlet};
use ndarray::Array2;

use crate::folds::{FoldArgs, Plan, require_stimuli};
use crate::responses::{From, ImageArgs, Responses};
use crate::scores::{Scorable, ScoreArgs};
use crate::voxel_table::VoxelTable;
use data::{Band, Data};
use features::Either;
use method::MethodArg;
use outputs::Outputs;
use task::{Fitted, Task};

/// Cross-validated ridge regression: a table with one row per voxel, and a model to keep
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input:
  --x (or each --band) and --y are joined by id: features of unique stimuli are repeated for trials of --y.
  Of a NIfTI image (.nii, .nii.gz) as --y the volumes are rows and the voxels of --mask, which is on the same
  grid, columns. Row i of --stimuli names volume i, which --assume-order confirms; --assume-order alone takes
  row i of --x for volume i.
Columns (one row per voxel; scores are means over the folds, or of all rows: --score-over):
  voxel          column of --y, from 0; of an image the number of the voxel, as `fmri-roi` counts
  r, r2          Pearson correlation of prediction and response; its square (hides the sign)
  R2             1 - SS(response - prediction) / SS(response - mean of the training rows); 0 for a
                 model that knows that mean only, negative for one that predicts worse. With
                 --no-intercept both r and R2 are around 0 (`encode score` cannot know that)
  alpha          penalty chosen in the training rows (factor x scale), median over the folds
  alpha_at_edge  true when in a fold the best is the lowest or highest penalty tried
  n              rows scored
  reason         why numbers are NaN: constant, nan_input (a NaN in --x stops the tool)
  cv_score       what chose alpha: its mean over the inner folds (mse with a minus), mean over the folds
  weight_NAME    with --band: weight of the band, mean over the folds
  n_weights, dual_gap, converged
                 lasso-positive: weights that are not 0 (median over the folds), by how much the
                 objective may be above its minimum (largest), whether all folds are within --tolerance
  n_components   pls: components (median over the folds); alpha is NaN
  fraction       --frac: length of the weights over that without a penalty (median over the folds)
  p, q           with --permutations: share of permutations with at least this r; false discovery rate
  r_norm, r2_norm
                 with --ceiling: r / r_max, r2 / reliability
  voxel_name     name of the column of --y; only where these have names (with --mask: its number)
Scores:
  Plain predictions of all folds together run against the responses, since the mean of a fold's training
  rows lies low where its own mean lies high: the r of noise is then -.045 (1200 rows, 10 features, 5
  folds), and -1 in leave-one-out. Here predictions and responses are deviations from the mean of the
  training rows; for r, responses in units of their spread there, predictions in units of the spread of
  what the model fits there. Then noise has r = 0, R2 is 0 where only the mean is known, and perfect
  predictions have r = 1. Of small folds, r by folds lies below r of all rows. Permutations keep the
  fitted models, and exchange stimuli with as many trials in one fold (where numbers of trials differ,
  few do: average first); with several folds, which share training rows, their r is taken times the root
  of 2 (without that, 12 % of noise would have p <= .05).
Alpha:
  A grid LO:HI:N goes on beyond its ends, four penalties at a time and ten decades at most, for voxels
  whose best penalty sits on one, until the errors there level off; a list does not. --choose-by takes
  the mean over the inner folds of each fold's score, as himalaya and scikit-learn do.
Methods:
  ols is least squares (of equally good weights the shortest), lasso-positive scikit-learn's
  Lasso(positive=True), pls its PLSRegression. --frac finds the alpha of every voxel and fraction by
  Newton's method. Where there is a choice, inner folds make it by mse: of fractions and Lasso alphas for
  every voxel, of numbers of components for all together, in units of their variance. --no-scale and
  --no-intercept hold for all.
Bands:
  With weights g of the bands the fit is ridge on features of band k times sqrt(g_k) (banded ridge). For
  every row of weights every penalty is judged; the best pair is taken, the first of equal ones. A weight
  of exactly 0 leaves the band out. --split has rows per voxel and band whose R2 and r sum, with the row
  `bias`, to the voxel's own. --partition fits every set of bands: `model` rows are the R2 of a set,
  `unique` and `shared` rows what exactly its bands explain; these sum to `total`.
Arithmetic:
  Means, scaling, eigenvectors, predictions and scores are f8 whatever the input. Products of
  features with one another are f8, too, where there are fewer features than training rows
  (`solver` primal). Otherwise (dual) features that come as f4 are scaled in f8, rounded to f4 and
  multiplied in f4, 2048 at a time, and these sums are added in f8; give f8 features for f8 products.
  Where features and responses both come as f4, inner folds judge alpha on products in f4.
  The sidecar says which it was: `solver`, and `arithmetic`.
Scale:
  Responses stay in their file (.npy in C order; images that take more than a quarter of --mem, which are read
  once more for every block), with --mem the features of ridge without delays, too; from pipes, in Fortran order
  and with --method and --frac features are held. Voxels are fitted in blocks, of which --mem says how large
  (--method and --frac: only --mem makes blocks; pls takes all voxels together); the bytes are the same for any.
  --shard writes the rows of its voxels: `npy cat` joins the tables, and with --columns the predictions. q is over
  all voxels, and a shard has none. --gram keeps the decompositions (about folds x features x features numbers)
  for jobs with the same features, folds and options; another's file is refused.
Model:
  --save writes an uncompressed .npz for numpy.load, in f8, fitted to all rows, with alpha chosen once
  more on all of them:
  coef             features x voxels, for features in their own units
  intercept        one per voxel: predictions are X @ coef + intercept
  x_mean, x_scale  what the fit subtracted and divided by; x_scale 0: constant feature, coef 0
  alpha            one per voxel
  stimuli          ids of the training rows, if known
  voxel_names, feature_names, x_name
                   names of the columns of --y, of --x, and of --x itself, if they have some
  residual_variance, train_mean
                   per voxel: mean square of what held-out predictions missed; mean training response
                   (0 with --no-intercept)
  band_names, band_of_feature, gammas, deltas
                   with --band: names, the band of every feature, weights of bands x voxels, and
                   log(weight / alpha)
  delays           with --delays: features are those of each band by the first delay, then by the next
  method, program  how and by what it was fitted
  version          2 (version 1 is read, too)

Examples:
  encode fit --x acts.npy --y ffa.npy --cv 10 --alphas 1e-3:1e3:13 --save model.npz -o scores.csv
  npy cols --index 0:2 acts.npy | encode fit --x - --y ffa.npy --method lasso-positive --alpha .1
  encode fit --x acts.npy --y bold.nii.gz --mask brain.nii.gz --stimuli trials.csv --assume-order \\
      --gram folds.npz --shard 0/3 --predictions part-0.npy -o part-0.csv")]
pub(crate) struct Fit {
    /// Features: labelled matrix, rows = stimuli, columns = units; - is stdin
    #[arg(long, value_name = "FEATURES", required_unless_present = "bands", conflicts_with = "bands")]
    x: Option<Input>,
    /// Features in bands with weights of their own (banded ridge); once per band
    #[arg(long = "band", value_name = "NAME=FEATURES")]
    bands: Vec<Band>,
    /// Responses: labelled matrix, rows = stimuli or trials, columns = voxels; or NIfTI, volumes = stimuli or trials;
    /// - is stdin
    #[arg(long, value_name = "RESPONSES")]
    y: Input,
    #[command(flatten)]
    image: ImageArgs,
    /// What is fitted
    #[arg(long, value_enum, value_name = "METHOD", default_value = "ridge")]
    method: MethodArg,
    #[command(flatten)]
    folds: FoldArgs,
    /// Penalties: LO:HI:N evenly spaced in the logarithm, or a list (0 is least squares), as factors of the mean
    /// squared length of the scaled training rows (with scaling: of the number of features that vary)
    /// [default: 1e-5:1e5:21]. With --method lasso-positive: scikit-learn's alphas as they are [default: 100 from the
    /// lowest without any weight down to a thousandth]
    #[arg(long, value_name = "LO:HI:N|LIST", visible_alias = "alpha")]
    alphas: Option<AlphaGrid>,
    /// Penalties as they are, not times the scale of the features
    #[arg(long)]
    absolute_alphas: bool,
    /// Ridge: instead of a penalty the length of the weights as a fraction of their length without one (fracridge),
    /// above 0 and at most 1; of several each voxel gets the best
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    frac: Vec<f64>,
    /// Partial least squares: number of components; of several the best for all voxels together
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    n_components: Vec<usize>,
    /// Lasso: stop where the duality gap, by which the objective may be above its minimum, is this share of the
    /// (centred) responses' sum of squares; between 0 and 1 [default: 1e-4, as in scikit-learn]
    #[arg(long, value_name = "SHARE")]
    tolerance: Option<f64>,
    /// Try no penalty beyond the ends of the grid
    #[arg(long)]
    no_extend: bool,
    /// What decides between penalties
    #[arg(long, value_enum, value_name = "SCORE", default_value = "mse")]
    choose_by: ChooseByArg,
    /// Who shares a penalty: nobody (voxel), all, or voxels with the same entry in a COLUMN of --regions; by the plain
    /// mean of their scores, so that under mse voxels with more variance weigh more
    #[arg(long, value_name = "voxel|all|COLUMN", default_value = "voxel")]
    alpha_per: String,
    /// Table of the voxels, with a column voxel or voxel_name, for --alpha-per COLUMN
    #[arg(long, value_name = "TABLE")]
    regions: Option<Input>,
    /// Rows of weights of the bands to choose from: drawn from Dirichlet distributions, the first row equal
    #[arg(long, value_name = "N", default_value_t = 100, conflicts_with = "x")]
    n_iter: usize,
    /// Concentrations of the Dirichlet distributions, in turn
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [0.1, 1.0], conflicts_with = "x")]
    concentration: Vec<f64>,
    /// Rows of weights as given, bands in the order of --band, instead of draws
    #[arg(long, value_name = "G.npy", conflicts_with_all = ["x", "n_iter", "concentration"])]
    gammas: Option<Input>,
    /// Write what every band adds to R2 and r
    #[arg(long, value_name = "SPLIT.csv", conflicts_with = "x")]
    split: Option<OutputPath>,
    /// Fit every set of bands as well, and write their unique and shared R2
    #[arg(long, value_name = "PARTS.csv", conflicts_with = "x")]
    partition: Option<OutputPath>,
    /// Time series: features late by these numbers of rows, each a feature of its own, 0 before the start of a run
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    delays: Vec<usize>,
    /// Column of --stimuli that names the run of every row, which delays do not cross
    #[arg(long, value_name = "COLUMN", requires = "delays")]
    runs: Option<String>,
    /// Column of --stimuli with weights of rows (number of trials): a row of weight 2 counts as two, in fits and where
    /// alpha is judged, not in the scores of the table. They are divided by their mean first, so that penalties mean
    /// the same (scikit-learn's alpha is --absolute-alphas times that mean)
    #[arg(long, value_name = "COLUMN")]
    sample_weights: Option<String>,
    #[command(flatten)]
    scores: ScoreArgs,
    /// Centre the features but do not divide them by their standard deviation
    #[arg(long)]
    no_scale: bool,
    /// Fit without an intercept: nothing is centred (scaling divides by the root mean square)
    #[arg(long)]
    no_intercept: bool,
    /// Fit all rows as well (with --test: the training rows) and keep that model for `encode predict`
    #[arg(long, value_name = "MODEL.npz")]
    save: Option<OutputPath>,
    /// Write the held-out predictions: labelled matrix, rows as in --y
    #[arg(long, value_name = "P.npy")]
    predictions: Option<OutputPath>,
    /// Fit part I of N of the voxels (0/8 to 7/8), or slurm
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Decompositions of the features in all folds: read from this file, or written to it where it does not exist, so
    /// that shards and other responses need not wait for them
    #[arg(long, value_name = "GRAM.npz")]
    gram: Option<OutputPath>,
    /// Memory to stay within: so many voxels are fitted at a time as it has room for
    #[arg(long, value_name = "SIZE", value_parser = cli::parse_bytes)]
    mem: Option<u64>,
    #[command(flatten)]
    join: JoinArgs,
    /// Table format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// What decides between penalties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ChooseByArg {
    /// Mean squared error
    Mse,
    /// Coefficient of determination in each inner fold
    R2,
    /// Correlation in each inner fold
    R,
}

impl Fit {
    /// All that makes the numbers of a voxel what they are, beside the inputs.
    fn options_of_shards(&self) -> String {
        let model = (self.method, &self.frac, &self.n_components, self.tolerance, self.no_scale, self.no_intercept);
        let penalties = (&self.alphas, self.absolute_alphas, self.no_extend, self.choose_by);
        let bands: Vec<&str> = self.bands.iter().map(|band| band.name.as_str()).collect();
        let bands = (bands, self.n_iter, &self.concentration, &self.gammas);
        let rows = (&self.folds, &self.delays, &self.runs, &self.sample_weights, &self.scores, self.join);
        format!("{model:?} {penalties:?} {bands:?} {rows:?}")
    }
}

impl ChooseByArg {
    fn name(self) -> &'static str {
        match self {
            ChooseByArg::Mse => "mse",
            ChooseByArg::R2 => "r2",
            ChooseByArg::R => "r",
        }
    }
}

/// Sets of bands double with every band.
const MAX_PARTITIONED: usize = 6;

/// Of an image of responses at most this part of `--mem` is held.
const SHARE_OF_IMAGE: u128 = 4;

pub(crate) fn run(args: &Fit) -> Result<()> {
    let job = Job::start("encode", &args.common)?;
    let outputs = Outputs::create(&job, args)?;
    let method = method::method(args)?;
    if args.gram.is_some() && !args.bands.is_empty() {
        bail!(
            "--gram: keeps one decomposition per fold, and features of {} bands have one for every row of weights (--n-iter, \
             --gammas) and fold; leave it out, or give all features as one --x",
            args.bands.len()
        );
    }
    if args.partition.is_some() && !(2..=MAX_PARTITIONED).contains(&args.bands.len()) {
        bail!("--partition: {} bands; 2 to {MAX_PARTITIONED} can be partitioned", args.bands.len());
    }
    if args.shard.is_some() && args.save.is_some() {
        bail!(
            "--save with --shard: a model is of all voxels, and nothing joins parts of one; fit it in one job without \
             --shard (--mem bounds what it holds), or join what the shards write: --predictions by `npy cat --columns`, \
             tables by `npy cat`"
        );
    }
    job.warn_of_dependent_trials(
        [&args.y],
        "scores are too high where held-out trials were fitted together with those of the training rows",
    );
    let stimuli = args.folds.cv.stimuli(&job)?;
    let from = From { input: &args.y, image: &args.image, stimuli: stimuli.as_ref(), join: args.join };
    let of_shard = |n: usize| args.shard.map_or(0..n, |shard| shard.range(n));
    let share = args.mem.map(|mem| u128::from(mem) / SHARE_OF_IMAGE);
    let y = Responses::open(&job, from, of_shard, share)?;
    if !y.is_image() && !args.folds.reads_stimuli() && args.runs.is_none() && args.sample_weights.is_none() {
        args.folds.cv.refuse_stimuli("--cv COLUMN, --test COLUMN=VALUE, --runs or --sample-weights")?;
    }
    // Delays make features anew, and other methods take them as a whole.
    let hold = args.mem.is_none() || !args.delays.is_empty() || method.is_some();
    let mut data = data::read(&job, args.x.as_ref(), &args.bands, y, args.join, hold)?;
    // Leave-one-out has a closed form in ridge by penalties only.
    let closed_form = !method.as_ref().is_some_and(Method::chooses);
    let plan = args.folds.plan(&job, data.rows(), stimuli.as_ref(), args.join, closed_form)?;
    data::warn_of_copies(&job, &data, &plan);
    if !args.delays.is_empty() {
        let runs = match &args.runs {
            None => vec![0; data.y.n_rows()],
            Some(column) => {
                let table = require_stimuli(stimuli.as_ref(), "--runs", column)?;
                runs_of(&table.levels(&job, data.rows(), column, args.join)?)
            }
        };
        check_delays(args, &runs)?;
        data::delay(&mut data, &args.delays, &runs)?;
    }
    let weights = match &args.sample_weights {
        None => None,
        Some(column) => {
            let table = require_stimuli(stimuli.as_ref(), "--sample-weights", column)?;
            let weights = table.numbers(&job, data.rows(), column, args.join)?;
            if let Some(row) = weights.iter().position(|w| !(*w > 0.0 && w.is_finite())) {
                bail!("--sample-weights {column}: row {row} has {}; weights are above 0 and finite", weights[row]);
            }
            Some(weights)
        }
    };
    let options = options(&job, args, &data, &plan)?;
    record(&job, args, method.as_ref(), &options, &data, &plan);
    let scored_rows: Vec<usize> = (0..data.y.n_rows()).filter(|&row| plan.fold_of_row[row].is_some()).collect();
    let fold_of_row: Vec<usize> = scored_rows.iter().filter_map(|&row| plan.fold_of_row[row]).collect();
    let (stimulus_of_row, _) = data.rows().stimuli();
    let stimulus_of_row: Vec<usize> = scored_rows.iter().map(|&row| stimulus_of_row[row]).collect();
    let scorable = Scorable {
        n_folds: plan.splits.len(),
        fold_of_row: &fold_of_row,
        stimulus_of_row: &stimulus_of_row,
        voxels: data.y.voxels_called(),
    };
    let mut scorer = args.scores.scorer(&job, &scorable, args.folds.cv.seed)?;
    let mut voxels = 0..data.y.n_columns();
    if let Some(shard) = args.shard {
        if args.alpha_per != "voxel" {
            bail!("--shard with --alpha-per {}: voxels of other shards would share the penalty", args.alpha_per);
        }
        voxels = shard.range(data.y.n_columns());
        if voxels.is_empty() {
            bail!("--shard: {} voxels for {} shards leave none for this one", data.y.n_columns(), shard.count);
        }
        job.record("shard", shard.record_columns(data.y.n_columns(), &args.options_of_shards()));
        scorer.only(&voxels);
    }
    let weights = weights.as_deref();
    let (plan, data, options) = (&plan, &data, &options);
    let task = Task { args, plan, data, options, method, weights, scorable, scorer, voxels };
    let fitted = match data.x.rows() {
        Either::F4(x) => task.fit(&job, x),
        Either::F8(x) => task.fit(&job, x),
    }?;
    record_arithmetic(&job, &task, &fitted);
    summary::summarize(&job, &task, &fitted);
    outputs.write(&job, &task, &fitted)
}

fn record_arithmetic(job: &Job, task: &Task, fitted: &Fitted) {
    if task.method.is_some() {
        return job.record("arithmetic", "f8");
    }
    job.record("solver", if fitted.dual { "dual" } else { "primal" });
    // On the primal side features are widened before they are multiplied.
    let narrow = !task.data.x.is_double();
    let judged = narrow && !task.data.y.is_double() && matches!(task.options.inner, Inner::Folds(_));
    job.record(
        "arithmetic",
        match (fitted.dual && narrow, judged) {
            (true, true) => "products of features, and of what judges alpha, in f4, all else in f8",
            (true, false) => "products of features in f4, all else in f8",
            (false, true) => "products of what judges alpha in f4, all else in f8",
            (false, false) => "f8",
        },
    );
}

/// Numbers of runs, a new one wherever the level changes.
pub(crate) fn runs_of(levels: &[String]) -> Vec<usize> {
    let mut run = 0;
    let number = |i: usize| {
        run += usize::from(i > 0 && levels[i] != levels[i - 1]);
        run
    };
    (0..levels.len()).map(number).collect()
}

fn check_delays(args: &Fit, runs: &[usize]) -> Result<()> {
    let mut sorted = args.delays.clone();
    sorted.sort_unstable();
    if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
        bail!("--delays: {} occurs twice", sorted.windows(2).find(|pair| pair[0] == pair[1]).map_or(0, |pair| pair[0]));
    }
    let longest = runs.chunk_by(|a, b| a == b).map(<[usize]>::len).max().unwrap_or(0);
    match sorted.last() {
        Some(&delay) if delay >= longest => {
            bail!("--delays: {delay} rows, but the longest run has {longest}; every row of that delay would be 0")
        }
        _ => Ok(()),
    }
}

fn options(job: &Job, args: &Fit, data: &Data, plan: &Plan) -> Result<RidgeOptions> {
    let mut alphas = args.alphas.clone().unwrap_or_default();
    if args.absolute_alphas {
        alphas = alphas.absolute();
    }
    if args.no_extend {
        alphas = alphas.closed();
    }
    let alpha_per = match args.alpha_per.as_str() {
        "voxel" => AlphaPer::Voxel,
        "all" => AlphaPer::Group(vec![0; data.y.n_columns()]),
        column => AlphaPer::Group(groups(job, args, data, column)?),
    };
    if args.regions.is_some() && matches!(args.alpha_per.as_str(), "voxel" | "all") {
        bail!("--regions: only --alpha-per COLUMN reads it, and --alpha-per is {}", args.alpha_per);
    }
    let choose_by = match args.choose_by {
        ChooseByArg::Mse => ChooseBy::Mse,
        ChooseByArg::R2 => ChooseBy::R2,
        ChooseByArg::R if matches!(plan.inner, Inner::LeaveOneOut) => {
            bail!("--choose-by r: one left-out row has no correlation; say --alpha-cv 5, or choose by mse")
        }
        ChooseByArg::R => ChooseBy::R,
    };
    Ok(RidgeOptions { alphas, inner: plan.inner.clone(), choose_by, alpha_per, gammas: gammas(job, args)? })
}

fn gammas(job: &Job, args: &Fit) -> Result<Option<Array2<f64>>> {
    let n_bands = args.bands.len();
    if n_bands == 0 {
        return Ok(None);
    }
    if let Some(input) = &args.gammas {
        let given = read_matrix(job, input)?;
        if given.matrix.n_columns() != n_bands {
            bail!("--gammas {input}: {} columns for {n_bands} bands", given.matrix.n_columns());
        }
        return Ok(Some(given.matrix.into_f64()));
    }
    if args.n_iter == 0 {
        bail!("--n-iter: 0 rows of weights; at least 1, the equal weights, is needed");
    }
    if let Some(wrong) = args.concentration.iter().find(|c| !(**c > 0.0 && c.is_finite())) {
        bail!("--concentration: {wrong}; concentrations are above 0 and finite");
    }
    Ok(Some(dirichlet(args.n_iter, n_bands, &args.concentration, args.folds.cv.seed)))
}

/// The number of every voxel's group.
fn groups(job: &Job, args: &Fit, data: &Data, column: &str) -> Result<Vec<usize>> {
    let Some(input) = &args.regions else {
        bail!("--alpha-per {column}: a column of which table? Say --regions TABLE")
    };
    let table = VoxelTable::read(job, input, data.y.voxels_called())?;
    let groups = table.levels(column)?;
    let mut names: Vec<&str> = groups.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    Ok(groups.iter().filter_map(|group| names.binary_search(&group.as_str()).ok()).collect())
}

fn record(job: &Job, args: &Fit, method: Option<&Method>, options: &RidgeOptions, data: &Data, plan: &Plan) {
    job.record("folds", plan.splits.len());
    job.record("method", method::name(args));
    job.record("fold_plan", plan.text.as_str());
    job.record("seed", args.folds.cv.seed);
    match method {
        Some(method) => method::record(job, method, &options.inner),
        None => {
            match &options.inner {
                Inner::LeaveOneOut => job.record("alpha_cv", "loo"),
                Inner::Folds(folds) => job.record("alpha_cv", folds.n_folds),
            }
            job.record("alphas", options.alphas.to_string());
            job.record(
                "alpha_scale",
                if args.absolute_alphas { "1" } else { "mean squared length of the scaled training rows" },
            );
            job.record("alphas_extended", options.alphas.is_open());
            job.record("choose_by", args.choose_by.name());
            job.record("alpha_per", args.alpha_per.as_str());
        }
    }
    job.record("intercept", !args.no_intercept);
    job.record("scaling", if args.no_scale { "centre" } else { "standardize" });
    job.record("n_stimuli", data.n_stimuli);
    job.record("n_rows", data.y.n_rows());
    job.record("n_features", data.x.n_columns());
    job.record("n_voxels", data.y.n_columns());
    if let Some(gammas) = &options.gammas {
        job.record("bands", data.bands.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
        job.record("n_weights_of_bands", gammas.nrows());
    }
}
