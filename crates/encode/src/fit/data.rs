//! From files to rows of features and responses of the same presentations.

use std::collections::HashSet;
use std::str::FromStr;

use anyhow::{Result, bail};
use array_inputs::{JoinArgs, Whole, open_matrix};
use cli::{Input, Job};
use encoding_models::near_duplicates;
use linear_algebra::Real;
use ndarray::{Array2, ArrayView2};
use npy_stream::{Block, Labels, Matrix};
use stimulus_table::Side;

use super::features::{Columns, Either, FeatureData};
use crate::folds::{Plan, Rows};
use crate::presentations::{Presentations, check_finite, warn_of_repeats};
use crate::responses::Responses;

/// One band of features: `NAME=FILE`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Band {
    pub name: String,
    pub input: Input,
}

impl FromStr for Band {
    type Err = String;

    fn from_str(text: &str) -> Result<Band, String> {
        let (name, file) = text.split_once('=').ok_or("expected NAME=FILE, such as low=conv1.npy")?;
        if !npy_stream::is_name(name) {
            return Err(format!("{name:?} is no name for a band"));
        }
        Ok(Band { name: name.into(), input: file.parse().map_err(|e| format!("{e}"))? })
    }
}

/// Features and responses, row by row of the same presentation.
pub(crate) struct Data {
    pub x: FeatureData,
    pub y: Responses,
    /// `None` when joined by position.
    pub ids: Option<Vec<String>>,
    /// Of the responses: names of the voxels, and what they are together.
    pub names: Labels,
    /// The same of the features.
    pub features: Labels,
    /// Names and numbers of columns of the bands; one without a name where there are none.
    pub bands: Vec<(String, usize)>,
    pub n_stimuli: usize,
}

impl Data {
    pub fn rows(&self) -> Rows<'_> {
        Rows { source: &self.y.source, ids: self.ids.as_deref(), n: self.y.n_rows() }
    }
}

/// One input of features, of which only the header has been read.
struct Opened {
    whole: Whole,
    labels: Labels,
    source: String,
}

impl Opened {
    fn open(job: &Job, input: &Input) -> Result<Opened> {
        let (whole, labels, source) = open_matrix(job, input)?;
        Ok(Opened { whole, labels, source })
    }

    fn side(&self) -> Side<'_> {
        Side { name: &self.source, labels: self.labels.ids.as_deref(), n_rows: self.whole.n_rows() }
    }

    /// These of its rows, which must be finite, and fit into memory where they will be held.
    fn columns(self, rows: Vec<usize>, hold: bool) -> Result<Columns> {
        if hold {
            Columns::require_room(&self.source, &self.whole, &rows)?;
        }
        check_finite(&self.source, &self.labels, &rows, |look| self.whole.rows(&rows, look))?;
        Ok(Columns { source: self.source, whole: self.whole, rows })
    }
}

/// Features and responses while bands are joined.
struct Joining {
    columns: Vec<Columns>,
    y: Responses,
    ids: Option<Vec<String>>,
    features: Labels,
    bands: Vec<(String, usize)>,
    n_stimuli: usize,
}

/// Reads and joins. Without bands `x` is the one file of features. Unless they are to be held, features in
/// files stay there.
pub(crate) fn read(
    job: &Job,
    x: Option<&Input>,
    bands: &[Band],
    y: Responses,
    join: JoinArgs,
    hold: bool,
) -> Result<Data> {
    let names: HashSet<&str> = bands.iter().map(|band| band.name.as_str()).collect();
    if names.len() < bands.len() {
        bail!("--band: {} names for {} bands; give each its own", names.len(), bands.len());
    }
    let inputs: Vec<(String, &Input)> = match x {
        Some(x) => vec![(String::new(), x)],
        None => bands.iter().map(|band| (band.name.clone(), &band.input)).collect(),
    };
    let mut joining: Option<Joining> = None;
    let mut responses = Some(y);
    for (name, input) in inputs {
        let x = Opened::open(job, input)?;
        match (&mut joining, responses.take()) {
            (None, Some(y)) => joining = Some(first(job, &name, x, y, join, hold)?),
            (Some(joining), _) => add(job, joining, &name, x, join, hold)?,
            (None, None) => {}
        }
    }
    let Some(Joining { columns, y, ids, features, bands, n_stimuli }) = joining else {
        bail!("no features: give --x FEATURES, or --band NAME=FEATURES for each band")
    };
    let x = FeatureData::of(columns, hold)?;
    Ok(Data { x, names: y.labels.with_ids(None), y, ids, features, bands, n_stimuli })
}

fn first(job: &Job, band: &str, x: Opened, mut y: Responses, join: JoinArgs, hold: bool) -> Result<Joining> {
    let n_features = x.whole.n_columns();
    let Presentations { x_rows, y_rows, ids, n_stimuli } =
        Presentations::of(job, join, x.side(), n_features, y.side(), y.n_columns())?;
    y.select(&y_rows);
    let features = x.labels.with_ids(None);
    let bands = vec![(band.to_owned(), n_features)];
    Ok(Joining { columns: vec![x.columns(x_rows, hold)?], y, ids, features, bands, n_stimuli })
}

/// One more band beside those that are there.
fn add(job: &Job, data: &mut Joining, band: &str, x: Opened, join: JoinArgs, hold: bool) -> Result<()> {
    if x.whole.n_columns() == 0 {
        bail!("{}: 0 features ({} rows); nothing to fit", x.source, x.whole.n_rows());
    }
    let rows = Side { name: &data.y.source, labels: data.ids.as_deref(), n_rows: data.y.n_rows() };
    let joined = join.join(job, rows, x.side())?;
    warn_of_repeats(job, &joined, &x.source, &data.y.source, data.n_stimuli);
    data.bands.push((band.to_owned(), x.whole.n_columns()));
    data.features = Labels {
        ids: None,
        columns: match (data.features.columns.take(), &x.labels.columns) {
            (Some(mut all), Some(more)) => {
                all.extend(more.iter().cloned());
                Some(all)
            }
            _ => None,
        },
        name: None,
    };
    let columns = x.columns(joined.right, hold)?;
    if joined.left.len() < data.y.n_rows() || joined.left.iter().enumerate().any(|(i, &row)| i != row) {
        // With --inner a later band can have fewer stimuli.
        data.ids = data.ids.as_ref().map(|ids| joined.left.iter().map(|&row| ids[row].clone()).collect());
        for columns in &mut data.columns {
            columns.rows = joined.left.iter().map(|&row| columns.rows[row]).collect();
        }
        data.y.select(&joined.left);
        data.n_stimuli = data.ids.as_ref().map_or(joined.left.len(), |ids| ids.iter().collect::<HashSet<_>>().len());
    }
    data.columns.push(columns);
    Ok(())
}

/// Puts features beside themselves, late by each of `delays` rows: those of delay 2 stand two rows later. Before the
/// start of a run they are 0, and no run reaches into the next. Bands stay together: all delays of one, then those of
/// the next.
pub(crate) fn delay(data: &mut Data, delays: &[usize], run_of_row: &[usize]) -> Result<()> {
    data.x = FeatureData::Held(match data.x.held()?.view() {
        Block::F4(x) => Matrix::F4(delayed(x, &data.bands, delays, run_of_row)),
        Block::F8(x) => Matrix::F8(delayed(x, &data.bands, delays, run_of_row)),
    });
    if let Some(names) = data.features.columns.take() {
        data.features.columns = Some(late_names(&names, &data.bands, delays));
    }
    data.bands.iter_mut().for_each(|(_, width)| *width *= delays.len());
    Ok(())
}

/// Names of delayed features, `NAME@DELAY`.
pub(crate) fn late_names(names: &[String], bands: &[(String, usize)], delays: &[usize]) -> Vec<String> {
    let mut all = Vec::with_capacity(names.len() * delays.len());
    let mut from = 0;
    for (_, width) in bands {
        for delay in delays {
            all.extend(names[from..from + width].iter().map(|name| format!("{name}@{delay}")));
        }
        from += width;
    }
    all
}

/// Features beside themselves, late by each of `delays` rows, band by band: see [`delay`].
pub(crate) fn delayed<T: Real>(
    x: ArrayView2<T>,
    bands: &[(String, usize)],
    delays: &[usize],
    runs: &[usize],
) -> Array2<T> {
    let mut out = Array2::from_elem((x.nrows(), x.ncols() * delays.len()), T::default());
    let (mut from, mut to) = (0, 0);
    for (_, width) in bands {
        for &delay in delays {
            for row in delay..x.nrows() {
                // A run is a block of neighbouring rows.
                if runs[row - delay] == runs[row] {
                    let values = x.slice(ndarray::s![row - delay, from..from + width]);
                    out.slice_mut(ndarray::s![row, to..to + width]).assign(&values);
                }
            }
            to += width;
        }
        from += width;
    }
    out
}

/// Names pairs of rows that are nearly the same under two ids and stand on two sides of a split.
pub(crate) fn warn_of_copies(job: &Job, data: &Data, plan: &Plan) {
    const NAMED: usize = 3;
    let side = |row: usize| plan.fold_of_row[row];
    let apart = |a: usize, b: usize| side(a) != side(b) && data.ids.as_ref().is_none_or(|ids| ids[a] != ids[b]);
    let pairs = match data.x.rows() {
        Either::F4(x) => near_duplicates(x, apart),
        Either::F8(x) => near_duplicates(x, apart),
    };
    if pairs.is_empty() {
        return;
    }
    let name = |row: usize| data.ids.as_ref().map_or_else(|| format!("row {row}"), |ids| format!("{:?}", ids[row]));
    let named: Vec<String> = pairs.iter().take(NAMED).map(|(a, b)| format!("{} and {}", name(*a), name(*b))).collect();
    job.warn(format!(
        "{} pairs of rows have nearly the same features under two ids and stand on both sides of a split: {}{}; a model \
         is tested there on what it has seen: give them one id, or one fold with --cv @FOLDS",
        pairs.len(),
        named.join(", "),
        if pairs.len() > NAMED { ", ..." } else { "" }
    ));
}
