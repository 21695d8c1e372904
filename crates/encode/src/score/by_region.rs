//! All voxels of a region together: their mean response, and the RDM of their patterns.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result, anyhow, bail};
use array_inputs::{NamedMatrix, Names, read_matrices};
use cli::{Job, Named, Output, TableWriter};
use encoding_models::ScoreOver;
use ndarray::{Array2, ArrayView2, Axis};
use rdm::{Comparison, Distance, Rdm, compare, distances};
use reliability::{Repeats, Stepped, average_occurrences, r_max, reliability_of_averages, reliability_of_measure};
use statistics::{Folds, Reason, mean};

use super::{Models, Pair, ScoreVerb, require_large_folds, scorable};
use crate::folds::StimuliOfRows;
use crate::responses::Measured;
use crate::voxel_table::{VoxelTable, Voxels};

const COLUMNS: [&str; 15] = [
    "region",
    "stat",
    "compare",
    "n_stimuli",
    "n_trials",
    "n_pairs",
    "n_voxels",
    "n_left_out",
    "score_over",
    "r",
    "r_halves",
    "reliability",
    "r_max",
    "r_norm",
    "reason",
];

/// Patterns over fewer voxels all correlate by 1 or -1.
const FEWEST_VOXELS: usize = 3;

pub(super) fn run(job: &Job, args: &ScoreVerb, out: Output) -> Result<()> {
    let predicted = read_matrices(job, std::slice::from_ref(&args.predicted), &mut Names::default())?;
    let stimuli = args.folds.stimuli(job)?;
    let measured = Measured::read(job, args.measured_from(stimuli.as_ref()), &mut Names::default())?;
    args.folds.refuse_stimuli(measured.is_image)?;
    let mut table = TableWriter::new(out, args.format, &COLUMNS)?;
    job.record("seed", args.seed);
    job.record("splits", args.splits);
    for (name, pair) in regions(job, args, predicted, measured)? {
        for row in Region::of(job, args, &name, pair, stimuli.as_ref())?.rows(args)? {
            table.record(&row.cells(&name))?;
        }
    }
    table.into_inner().commit(job)
}

/// Pairs of arrays, one per region: those of the inputs, or the voxels of one pair as the table parts them.
fn regions(
    job: &Job,
    args: &ScoreVerb,
    mut predicted: Vec<NamedMatrix>,
    measured: Measured,
) -> Result<Vec<(String, Pair)>> {
    let Measured { matrices: mut measured, in_image, .. } = measured;
    let Some(input) = &args.regions else {
        by_name(job, args, &mut predicted, &measured)?;
        let pairs = predicted.into_iter().zip(measured);
        return pairs.map(|(p, m)| Ok((m.name.clone(), Pair::of(job, args.join, p, m)?))).collect();
    };
    if predicted.len() != 1 || measured.len() != 1 {
        bail!(
            "--regions {input}: parts the voxels of one matrix, but {} has {} and {} has {}; without --regions each \
             matrix is a region",
            args.predicted,
            predicted.len(),
            args.measured,
            measured.len()
        );
    }
    let (predicted, measured) = (predicted.remove(0), measured.remove(0));
    let names = measured.labels.columns.clone();
    let voxels = Voxels { n: measured.matrix.n_columns(), names: names.as_deref(), in_image: in_image.as_ref() };
    let table = VoxelTable::read(job, input, voxels)?;
    let column = match &args.region_column {
        Some(column) => column.as_str(),
        None => ["region", "roi"].into_iter().find(|column| table.table.has(column)).with_context(|| {
            format!("{input}: no column region or roi; the columns are {}", table.table.names().join(", "))
        })?,
    };
    let levels = table.table.levels(column).with_context(|| input.to_string())?;
    let pair = Pair::of(job, args.join, predicted, measured)?;
    // In the order of the table, as `fmri-roi define` lists regions.
    let mut order: Vec<&str> = Vec::new();
    let mut voxels: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut rows: Vec<(usize, usize)> =
        table.rows.iter().enumerate().filter_map(|(voxel, row)| row.map(|row| (row, voxel))).collect();
    rows.sort_unstable();
    for (row, voxel) in rows {
        let level = levels[row].as_str();
        if !level.is_empty() {
            let own = voxels.entry(level).or_default();
            if own.is_empty() {
                order.push(level);
            }
            own.push(voxel);
        }
    }
    let in_none = pair.measured.ncols() - voxels.values().map(Vec::len).sum::<usize>();
    if order.is_empty() {
        bail!("{input}: column {column} names no region of the {} voxels", pair.measured.ncols());
    }
    if in_none > 0 {
        job.note(format!("{in_none} of {} voxels are in no region of {input}", pair.measured.ncols()));
    }
    let of = |name: &str| {
        let mut own = voxels[name].clone();
        own.sort_unstable();
        let part = Pair {
            predicted: pair.predicted.select(Axis(1), &own),
            measured: pair.measured.select(Axis(1), &own),
            ids: pair.ids.clone(),
            measured_rows: pair.measured_rows.clone(),
            source: pair.source.clone(),
        };
        (name.to_owned(), part)
    };
    Ok(order.into_iter().map(of).collect())
}

/// Brings predictions into the order of the regions: by their own names where all have one, else as they stand.
fn by_name(job: &Job, args: &ScoreVerb, predicted: &mut [NamedMatrix], measured: &[NamedMatrix]) -> Result<()> {
    if predicted.len() != measured.len() {
        bail!(
            "{} has {} matrices, and {} has {}; each is a region, or say --regions TABLE",
            args.predicted,
            predicted.len(),
            args.measured,
            measured.len()
        );
    }
    fn own(all: &[NamedMatrix]) -> Option<BTreeSet<&str>> {
        all.iter().map(|m| m.labels.name.as_deref()).collect::<Option<BTreeSet<&str>>>()
    }
    let (Some(a), Some(b)) = (own(predicted), own(measured)) else {
        if measured.len() > 1 {
            job.note(format!("{} matrices paired in the order they stand, since not all have names", measured.len()));
        }
        return Ok(());
    };
    if a != b || a.len() < measured.len() {
        let listed = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
        bail!(
            "{} has the arrays {}, and {} has {}; each region needs a name of its own on both sides",
            args.predicted,
            listed(a),
            args.measured,
            listed(b)
        );
    }
    let place = |m: &NamedMatrix| measured.iter().position(|other| other.labels.name == m.labels.name);
    predicted.sort_by_key(place);
    Ok(())
}

/// One region: averages over the trials of every stimulus, and the trials for its ceilings.
struct Region {
    predicted: Array2<f64>,
    measured: Array2<f64>,
    trials: Array2<f64>,
    repeats: Repeats,
    folds: Option<Folds>,
    over: ScoreOver,
    n_left_out: usize,
}

/// What the score over all folds is called.
fn name_of(over: ScoreOver) -> &'static str {
    match over {
        ScoreOver::Pooled => "pooled",
        ScoreOver::Folds => "folds",
    }
}

/// One line of the table.
struct Row {
    stat: &'static str,
    compare: &'static str,
    n_stimuli: usize,
    n_trials: f64,
    n_pairs: Option<usize>,
    n_voxels: usize,
    n_left_out: usize,
    over: ScoreOver,
    r: f64,
    /// `None` where no stimulus was repeated.
    ceiling: Option<Stepped>,
    reason: Option<Reason>,
}

impl Row {
    fn cells<'a>(&'a self, region: &'a str) -> Vec<Named<'a>> {
        let root = self.ceiling.map(|ceiling| r_max(ceiling.reliability).0);
        // A bound of 0 or less bounds nothing.
        let norm = root.map(|root| if root > 0.0 { self.r / root } else { f64::NAN });
        vec![
            ("region", region.into()),
            ("stat", self.stat.into()),
            ("compare", self.compare.into()),
            ("n_stimuli", self.n_stimuli.into()),
            ("n_trials", cli::Cell::Float(self.n_trials)),
            ("n_pairs", self.n_pairs.into()),
            ("n_voxels", self.n_voxels.into()),
            ("n_left_out", self.n_left_out.into()),
            ("score_over", name_of(self.over).into()),
            ("r", self.r.into()),
            ("r_halves", self.ceiling.map(|c| c.r_halves).into()),
            ("reliability", self.ceiling.map(|c| c.reliability).into()),
            ("r_max", root.into()),
            ("r_norm", norm.into()),
            ("reason", self.reason.into()),
        ]
    }
}

impl Region {
    fn of(job: &Job, args: &ScoreVerb, name: &str, pair: Pair, stimuli: Option<&StimuliOfRows>) -> Result<Region> {
        let folds = args.folds.folds(job, pair.rows(), stimuli, args.join)?;
        let (stimulus_of_row, _) = pair.rows().stimuli();
        let finite: Vec<usize> = (0..pair.measured.ncols())
            .filter(|&v| pair.measured.column(v).iter().chain(pair.predicted.column(v)).all(|value| value.is_finite()))
            .collect();
        let n_left_out = pair.measured.ncols() - finite.len();
        if n_left_out > 0 {
            job.note(format!("region {name:?}: {n_left_out} of {} voxels have NaN; left out", pair.measured.ncols()));
        }
        let repeats = Repeats::by_id(&stimulus_of_row);
        let (predicted, trials) = (pair.predicted.select(Axis(1), &finite), pair.measured.select(Axis(1), &finite));
        let averages = |rows: ArrayView2<f64>| {
            let mut means = Array2::zeros((repeats.n_stimuli(), rows.ncols()));
            for (stimulus, mut mean) in means.rows_mut().into_iter().enumerate() {
                let shown = repeats.rows_of(stimulus);
                shown.iter().for_each(|&row| mean += &rows.row(row));
                mean /= shown.len() as f64;
            }
            means
        };
        let folds = folds.map(|folds| Folds {
            fold_of_row: (0..repeats.n_stimuli()).map(|s| folds.fold_of_row[repeats.rows_of(s)[0]]).collect(),
            ..folds
        });
        require_large_folds(folds.as_ref(), "stimuli")?;
        let numbers: Vec<usize> = (0..repeats.n_stimuli()).collect();
        let one = Voxels { n: 1, names: None, in_image: None };
        let one_fold = vec![0; numbers.len()];
        let over = args.scores.scorer(job, &scorable(folds.as_ref(), &one_fold, &numbers, one), args.seed)?.over;
        let (predicted, measured) = (averages(predicted.view()), averages(trials.view()));
        Ok(Region { predicted, measured, trials, repeats, folds, over, n_left_out })
    }

    fn rows(&self, args: &ScoreVerb) -> Result<Vec<Row>> {
        let mut rows = vec![self.univariate(args)?];
        for how in &args.compare {
            rows.push(self.multivariate(args, how.comparison())?);
        }
        Ok(rows)
    }

    fn row(&self, stat: &'static str, compare: &'static str) -> Row {
        Row {
            stat,
            compare,
            n_stimuli: self.repeats.n_stimuli(),
            n_trials: 1.0 / self.repeats.mean_inverse_count(),
            n_pairs: None,
            n_voxels: self.measured.ncols(),
            n_left_out: self.n_left_out,
            over: self.over,
            r: f64::NAN,
            ceiling: None,
            reason: None,
        }
    }

    fn is_repeated(&self) -> bool {
        self.repeats.n_rows() > self.repeats.n_stimuli()
    }

    /// The reason of a row whose score or ceiling is missing.
    fn reason(&self, own: Option<Reason>, ceiling: Option<Stepped>) -> Option<Reason> {
        let of_ceiling = match ceiling {
            Some(found) if !found.reliability.is_finite() || found.reliability < 0.0 => {
                Some(if found.r_halves.is_nan() { Reason::Constant } else { Reason::NegativeReliability })
            }
            None if self.is_repeated() => Some(Reason::TooFewRepeats),
            _ => None,
        };
        own.or(of_ceiling)
    }

    fn univariate(&self, args: &ScoreVerb) -> Result<Row> {
        let mut row = self.row("univariate", "pearson");
        if self.measured.ncols() == 0 {
            return Ok(Row { reason: Some(Reason::NanInput), ..row });
        }
        let means = |patterns: &Array2<f64>| {
            let of_row: Vec<f64> = patterns.rows().into_iter().map(|row| mean(&row.to_vec())).collect();
            Array2::from_shape_vec((of_row.len(), 1), of_row)
        };
        let (predicted, measured) = (means(&self.predicted)?, means(&self.measured)?);
        let models = Models::of(self.folds.as_ref(), predicted.view(), measured.view());
        let one_fold = vec![0; measured.nrows()];
        let fold_of_row = self.folds.as_ref().map_or(&one_fold, |folds| &folds.fold_of_row);
        let held_out = models.held_out(fold_of_row, self.over);
        let score = held_out.score(predicted.view(), measured.view())[0];
        if self.is_repeated() {
            let trials = means(&self.trials)?;
            let halves =
                reliability_of_averages(trials.view(), &self.repeats, row.n_trials, args.splits as usize, args.seed);
            // Too few repeats are no error here: the score stands without its ceiling.
            row.ceiling = halves.ok().map(|h| Stepped { r_halves: h[0].r, reliability: h[0].reliability });
        }
        row.r = score.r;
        row.reason = self.reason(score.reason, row.ceiling);
        Ok(row)
    }

    fn multivariate(&self, args: &ScoreVerb, how: Comparison) -> Result<Row> {
        let mut row = self.row("multivariate", how.as_str());
        if self.measured.ncols() < FEWEST_VOXELS {
            return Ok(Row { reason: Some(Reason::TooFewVoxels), ..row });
        }
        let stimuli: Vec<usize> = (0..self.measured.nrows()).collect();
        let (predicted, measured) = (patterns(self.predicted.view())?, patterns(self.measured.view())?);
        let parts: Vec<Vec<usize>> = match (&self.folds, self.over) {
            (Some(folds), ScoreOver::Folds) => (0..folds.n_folds).map(|fold| folds.test_rows(fold)).collect(),
            _ => vec![stimuli.clone()],
        };
        let mut values = Vec::new();
        let mut n_pairs = 0;
        for part in &parts {
            let one = |rdm: &Rdm| -> Result<Rdm> { Ok(self.within_folds(&rdm.select(part)?, part)?) };
            let found = compare(&one(&predicted)?, &one(&measured)?, how)?;
            values.push(found.value);
            n_pairs += found.n_pairs;
        }
        row.n_pairs = Some(n_pairs);
        row.r = mean(&values);
        if self.is_repeated() {
            let (n_trials, trials) = (row.n_trials, self.trials.view());
            row.ceiling = reliability_of_measure(
                &self.repeats,
                n_trials,
                args.splits as usize,
                args.seed,
                |stimuli, a, b| -> Result<f64> {
                    let half = |shown: &[usize]| -> Result<Rdm> {
                        let means = average_occurrences(trials, &self.repeats, stimuli, shown);
                        Ok(self.within_folds(&patterns(means.view())?, stimuli)?)
                    };
                    Ok(compare(&half(a)?, &half(b)?, how)?.value)
                },
            )
            .map_err(|e| anyhow!("halves of the trials: {e}"))?;
        }
        row.reason = self.reason(row.r.is_nan().then_some(Reason::Constant), row.ceiling);
        Ok(row)
    }

    /// Without the pairs of two folds, whose patterns two models have predicted.
    fn within_folds(&self, rdm: &Rdm, stimuli: &[usize]) -> Result<Rdm, rdm::RdmError> {
        let Some(folds) = &self.folds else { return Ok(rdm.clone()) };
        let mut values = rdm.values().to_vec();
        let n = stimuli.len();
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
        for (value, (i, j)) in values.iter_mut().zip(pairs) {
            if folds.fold_of_row[stimuli[i]] != folds.fold_of_row[stimuli[j]] {
                *value = f64::NAN;
            }
        }
        Rdm::from_condensed(values, None)
    }
}

fn patterns(means: ArrayView2<f64>) -> Result<Rdm> {
    Ok(distances(means, Distance::Correlation)?.rdm)
}
