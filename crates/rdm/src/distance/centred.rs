//! Patterns minus the mean pattern of all stimuli.

use ndarray::{Array2, Axis};
use rayon::prelude::*;
use statistics::Centre;
use statistics::rounding::EQUAL_ULPS;

use super::patterns::{Erased, Patterns, blocks, read_wide};
use crate::RdmError;

/// Other patterns, every unit minus its mean over the stimuli, in `f64`.
///
/// What all patterns share, such as a response of every voxel to any picture, makes all correlations high and hides in
/// what they differ; centred, a pattern says how it departs from the mean one (Haxby et al. 2001; what it
/// does to correlations: Garrido et al. 2013). Distances that are made of differences of patterns are the same before
/// and after: `(a - m) - (b - m)` is `a - b`.
pub struct Centred<'a> {
    patterns: Erased<'a>,
    part: &'a [usize],
    /// `n_parts x n_units`.
    means: Array2<f64>,
    /// The one value of a row whose centred values are equal, or would be but for the rounding of the row.
    flat: Vec<Option<f64>>,
    rounding: f64,
}

impl<'a> Centred<'a> {
    /// Row `r` is a presentation of stimulus `stimulus[r]` in part `part[r]`, and the mean is that of its part: over
    /// the stimuli there, however often each was presented. Rows that hold NaN or infinity, which have no distances,
    /// are not in the means.
    ///
    /// # Panics
    /// When not every row has its stimulus and its part.
    pub fn new(
        patterns: impl Into<Erased<'a>>,
        stimulus: &[usize],
        part: &'a [usize],
    ) -> Result<Centred<'a>, RdmError> {
        Centred::of(patterns.into(), stimulus, part)
    }

    fn of(patterns: Erased<'a>, stimulus: &[usize], part: &'a [usize]) -> Result<Centred<'a>, RdmError> {
        let (n_rows, n_units) = (patterns.n_stimuli(), patterns.n_units());
        assert!(stimulus.len() == n_rows && part.len() == n_rows, "{n_rows} rows, their stimuli and parts");
        let whole = |row: usize| -> Result<Vec<f64>, RdmError> {
            let mut values = vec![0.0; n_units];
            patterns.read(row, 0, &mut values)?;
            Ok(values)
        };
        let usable = |row| Ok::<bool, RdmError>(whole(row)?.iter().all(|v| v.is_finite()));
        let usable = (0..n_rows).into_par_iter().map(usable).collect::<Result<Vec<bool>, _>>()?;
        let cells = cells(stimulus, part, &usable);
        let mut means = Array2::from_elem((cells.len(), n_units), f64::NAN);
        for (from, width) in blocks(n_rows, 8, n_units) {
            let block = read_wide(patterns, from, width)?;
            let columns = means.axis_iter_mut(Axis(1)).into_par_iter().skip(from).take(width);
            columns.zip(block.axis_iter(Axis(1)).into_par_iter()).for_each(|(mut means, column)| {
                for (mean, stimuli) in means.iter_mut().zip(&cells) {
                    let of_stimulus = |rows: &Vec<usize>| {
                        let values: Vec<f64> = rows.iter().map(|row| column[*row]).collect();
                        statistics::mean(&values)
                    };
                    let values: Vec<f64> = stimuli.iter().map(of_stimulus).collect();
                    *mean = Centre::of(&values).mean;
                }
            });
        }
        let mut centred = Centred { patterns, part, means, flat: vec![None; n_rows], rounding: patterns.rounding() };
        let rows = (0..n_rows).into_par_iter().filter(|row| usable[*row]);
        let looked_at = rows.map(|row| {
            let raw = whole(row)?;
            let mut values = vec![0.0; n_units];
            centred.read(row, 0, &mut values)?;
            Ok((row, flat_value(&raw, &values, patterns.rounding()), length(&raw) / length(&values)))
        });
        for (row, flat, lost) in looked_at.collect::<Result<Vec<_>, RdmError>>()? {
            centred.flat[row] = flat;
            if flat.is_none() {
                // The rounding of the whole row is still in the smaller one.
                centred.rounding = centred.rounding.max(patterns.rounding() * lost);
            }
        }
        Ok(centred)
    }
}

impl Patterns for Centred<'_> {
    type Value = f64;

    fn n_stimuli(&self) -> usize {
        self.patterns.n_stimuli()
    }

    fn n_units(&self) -> usize {
        self.patterns.n_units()
    }

    fn read(&self, row: usize, from: usize, out: &mut [f64]) -> Result<(), RdmError> {
        if let Some(value) = self.flat[row] {
            out.fill(value);
            return Ok(());
        }
        let mut values = vec![0.0; out.len()];
        self.patterns.read(row, from, &mut values)?;
        let means = self.means.row(self.part[row]);
        for ((out, value), mean) in out.iter_mut().zip(values).zip(means.iter().skip(from)) {
            *out = Centre { mean: *mean, sd: f64::NAN }.centred(value);
        }
        Ok(())
    }

    fn rounding(&self) -> f64 {
        self.rounding
    }
}

/// The usable rows of every stimulus of every part.
fn cells(stimulus: &[usize], part: &[usize], usable: &[bool]) -> Vec<Vec<Vec<usize>>> {
    let mut cells = vec![Vec::new(); part.iter().max().map_or(0, |last| last + 1)];
    let n_stimuli = stimulus.iter().max().map_or(0, |last| last + 1);
    let mut place = vec![None; cells.len() * n_stimuli];
    for row in (0..stimulus.len()).filter(|row| usable[*row]) {
        let of_part: &mut Vec<Vec<usize>> = &mut cells[part[row]];
        let place = *place[part[row] * n_stimuli + stimulus[row]].get_or_insert_with(|| {
            of_part.push(Vec::new());
            of_part.len() - 1
        });
        of_part[place].push(row);
    }
    cells
}

/// The value of a row that differs from it by no more than rounding of the uncentred row may have put there: such
/// differences are no pattern. 0 where the value itself is no more than that.
fn flat_value(raw: &[f64], centred: &[f64], rounding: f64) -> Option<f64> {
    let largest = raw.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()));
    // Half a unit in the last place is what `rounding` says.
    let resolution = 2.0 * EQUAL_ULPS * rounding * largest;
    let first = *centred.first()?;
    let equal = centred.iter().all(|v| (v - first).abs() <= resolution);
    equal.then_some(if first.abs() <= resolution { 0.0 } else { first })
}

fn length(values: &[f64]) -> f64 {
    let squares: Vec<f64> = values.iter().map(|v| v * v).collect();
    statistics::sum(&squares).sqrt()
}
