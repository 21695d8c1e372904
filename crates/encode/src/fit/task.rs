//! What one run computes: block of voxels by block of voxels where that is possible.

use std::ops::Range;

use anyhow::{Context, Result, anyhow, bail};
use cli::{Bytes, Job};
use encoding_models::{
    Choice, CrossValidated, CrossValidation, Features, Fitted as Detail, Inner, Memory, Method, Preparation,
    RidgeModel, RidgeOptions, Rows, Scaling, Split, Want,
};
use linear_algebra::Real;
use ndarray::{Array2, ArrayView2, Axis, s};
use npy_stream::{Block, Matrix};
use statistics::Reason;

use super::data::Data;
use super::gram_file::{self, GramFile};
use super::{Fit, Plan};
use crate::scores::{Scorable, Scored, Scorer, TrainedOn};

/// What the fit gives, of the voxels that were asked for.
pub(super) struct Fitted {
    /// Rows that were predicted, rising.
    pub rows: Vec<usize>,
    /// The choices of each fold, one per voxel.
    pub folds: Vec<Vec<Choice>>,
    /// Methods beside ridge by penalties: what is known of each fold's models.
    pub details: Vec<Vec<Detail>>,
    pub reasons: Vec<Option<Reason>>,
    pub dual: bool,
    pub n_constant: usize,
    pub scored: Scored,
    /// Block by block, until `scored` is of all.
    scored_blocks: Vec<Scored>,
    /// With `--predictions`.
    pub predictions: Option<Matrix>,
    /// With `--split`: `[r, R2]` of every voxel, one list per band, then the bias.
    pub split: Vec<Vec<[f64; 2]>>,
    /// With `--partition`: R2 of every set of bands (bit k for band k), per voxel.
    pub sets: Vec<Vec<f64>>,
    /// With `--save`.
    pub model: Option<RidgeModel>,
    /// Weights of bands that were chosen from.
    pub gammas: Array2<f64>,
    /// Mean squares of what predictions of held-out rows missed, one per voxel.
    pub residual_variance: Vec<f64>,
    /// Ids that the model to keep was fitted to.
    pub trained_on: Option<Vec<String>>,
}

/// What one run fits.
pub(super) struct Task<'a> {
    pub args: &'a Fit,
    pub plan: &'a Plan,
    pub data: &'a Data,
    pub options: &'a RidgeOptions,
    /// In place of ridge by penalties.
    pub method: Option<Method>,
    pub weights: Option<&'a [f64]>,
    pub scorable: Scorable<'a>,
    pub scorer: Scorer,
    /// The voxels of this run: all, or those of a shard.
    pub voxels: Range<usize>,
}

/// Without `--mem`, what blocks of voxels take at most, beside what does not depend on their number.
const BLOCK_BYTES: u128 = 1 << 30;
/// The fewest voxels that other methods than ridge by penalties fit at a time.
const BLOCK_OF_METHOD: u128 = 256;

impl Task<'_> {
    pub fn fit<T: Real>(&self, job: &Job, x: Rows<T>) -> Result<Fitted> {
        let fitted = match (&self.method, x) {
            (Some(_), Rows::Read(_)) => bail!("features are in their files, and have to be held for this"),
            (Some(method), Rows::Held(x)) => self.by_method(job, method, x),
            (None, x) => self.by_penalties(job, x),
        };
        self.data.x.require_whole()?;
        let mut fitted = fitted.with_context(|| self.source())?;
        fitted.scored = Scored::joined(std::mem::take(&mut fitted.scored_blocks));
        Ok(fitted)
    }

    /// Names of the voxels of this run, if they have some.
    pub fn voxel_names(&self) -> Option<&[String]> {
        self.data.names.columns.as_ref().map(|names| &names[self.voxels.clone()])
    }

    /// What the table calls a voxel of this run.
    pub fn voxel_number(&self, voxel: usize) -> usize {
        self.scorable.voxels.number(self.voxels.start + voxel)
    }

    fn source(&self) -> String {
        self.args.x.as_ref().map_or_else(|| "--band".to_owned(), ToString::to_string)
    }

    fn scaling(&self) -> Scaling {
        if self.args.no_scale { Scaling::Centre } else { Scaling::Standardize }
    }

    /// Blocks of voxels are fitted as if they were all: nothing but partial least squares takes voxels together.
    fn by_method<T: Real>(&self, job: &Job, method: &Method, x: ArrayView2<T>) -> Result<Fitted> {
        let blocks = self.blocks_of_method(job, method, x)?;
        let progress = job.progress(self.plan.splits.len() * blocks.len(), "folds");
        let mut fitted = self.nothing();
        for block in blocks {
            match self.data.y.voxels(block)?.view() {
                Block::F4(y) => self.add_by_method(&mut fitted, method, x, y, || progress.advance(1)),
                Block::F8(y) => self.add_by_method(&mut fitted, method, x, y, || progress.advance(1)),
            }?;
        }
        Ok(fitted)
    }

    fn add_by_method<T: Real, U: Real>(
        &self,
        fitted: &mut Fitted,
        method: &Method,
        x: ArrayView2<T>,
        y: ArrayView2<U>,
        split_done: impl Fn(),
    ) -> Result<()> {
        let preparation = Preparation { scaling: self.scaling(), intercept: !self.args.no_intercept };
        let inner = match &self.plan.inner {
            Inner::Folds(folds) => Some(folds),
            Inner::LeaveOneOut => None,
        };
        let (held_out, details) = method.cross_validate(x, y, &self.plan.splits, inner, preparation, split_done)?;
        self.add(fitted, held_out, y);
        fitted.details.resize(details.len(), Vec::new());
        fitted.details.iter_mut().zip(details).for_each(|(all, more)| all.extend(more));
        if self.args.save.is_some() {
            self.put_model(fitted, method.fit_rows(x, &self.plan.kept, y, inner, preparation)?);
        }
        Ok(())
    }

    /// Blocks of voxels that `--mem` has room for; without it all voxels are one, since features are decomposed anew
    /// for every block.
    fn blocks_of_method<T: Real>(&self, job: &Job, method: &Method, x: ArrayView2<T>) -> Result<Vec<Range<usize>>> {
        let (first, end) = (self.voxels.start, self.voxels.end);
        let Some(mem) = self.args.mem else { return Ok(std::iter::once(first..end).collect()) };
        let (n, p, v) = (x.nrows() as u128, x.ncols() as u128, self.voxels.len() as u128);
        // Features in f64, scaled, their products and decomposition; and what is kept of all voxels.
        let mut fixed = self.data.x.bytes_held() + self.data.y.bytes_held() + 8 * (3 * n * p + 3 * p * p.min(n));
        if self.args.save.is_some() {
            fixed += 8 * p * v;
        }
        if self.args.predictions.is_some() {
            fixed += if self.data.x.is_double() || self.data.y.is_double() { 8 } else { 4 } * n * v;
        }
        let per_voxel = 8 * (6 * n + 3 * p);
        let together = matches!(method, Method::Pls { .. });
        let least = if together { v } else { v.min(BLOCK_OF_METHOD) };
        let refused = |why: &str| {
            anyhow!(
                "--mem: {} are needed for {least} voxels{why}, and {} allowed; take fewer features, leave out --save and \
                 --predictions, or allow more",
                Bytes(fixed + per_voxel * least),
                Bytes(mem.into())
            )
        };
        let most = u128::from(mem).saturating_sub(fixed) / per_voxel;
        if most < least {
            return Err(refused(if together { ", which pls fits together" } else { " at a time" }));
        }
        // Whole blocks, so that the same voxels stand beside each other under any memory.
        let most = if most >= v { v } else { most / BLOCK_OF_METHOD * BLOCK_OF_METHOD };
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        let blocks: Vec<Range<usize>> = (first..end).step_by(most).map(|from| from..(from + most).min(end)).collect();
        job.record("blocks_of_voxels", blocks.len());
        let taken = fixed + per_voxel * blocks.first().map_or(0, |block| block.len() as u128);
        let n_blocks = blocks.len();
        job.note(format!("voxels in {n_blocks} blocks of up to {most}; about {} of memory", Bytes(taken)));
        Ok(blocks)
    }

    fn by_penalties<T: Real>(&self, job: &Job, x: Rows<T>) -> Result<Fitted> {
        let widths: Vec<usize> = self.data.bands.iter().map(|(_, width)| *width).collect();
        // Before the first pass over the features: it is where large inputs would run out of memory.
        let narrow = size_of::<T>() == 4 && !self.data.y.is_double();
        let save = self.args.save.is_some();
        // The one model of all training rows is the model to keep.
        let one_for_all = self.plan.splits.len() == 1 && self.plan.splits[0].train == self.plan.kept;
        let want = Want { bands: self.args.split.is_some(), models: save && one_for_all };
        let blocks = self.blocks(job, x.ncols(), size_of::<T>(), narrow, want)?;
        let mut features = Features::new(x, self.scaling())?.in_bands(&widths);
        if self.args.no_intercept {
            features = features.without_intercept();
        }
        if let Some(weights) = self.weights {
            features = features.weighted(weights);
        }
        let mut fitted = self.nothing();
        let prepared = self.prepare_or_read(job, x, &features, narrow)?;
        self.each_block(job, &prepared, &blocks, want, |_, mut held_out, y| {
            if let Some(model) = held_out.models.pop() {
                self.put_model(&mut fitted, model);
            }
            match y {
                Block::F4(y) => self.add(&mut fitted, held_out, y),
                Block::F8(y) => self.add(&mut fitted, held_out, y),
            }
        })?;
        drop(prepared);
        let nothing = Want::default();
        if self.args.partition.is_some() {
            for set in 0..1usize << widths.len() {
                let mut explained = Vec::new();
                if set == 0 {
                    explained = vec![0.0; self.voxels.len()];
                } else if set + 1 == 1 << widths.len() {
                    let own = fitted.scored_blocks.iter().flat_map(|block| &block.scores);
                    explained.extend(own.map(|score| score.coefficient_of_determination));
                } else {
                    let options = self.only(set);
                    let prepared = self.prepare(job, &features, &options, self.plan.splits.clone(), narrow)?;
                    self.each_block(job, &prepared, &blocks, nothing, |_, held_out, y| {
                        explained.extend(match y {
                            Block::F4(y) => self.explained(&held_out, y),
                            Block::F8(y) => self.explained(&held_out, y),
                        });
                    })?;
                }
                fitted.sets.push(explained);
            }
        }
        if save && !one_for_all {
            let all = vec![Split { train: self.plan.kept.clone(), test: Vec::new() }];
            let prepared = self.prepare(job, &features, self.options, all, narrow)?;
            self.each_block(job, &prepared, &blocks, Want { models: true, ..nothing }, |_, mut held_out, _| {
                if let Some(model) = held_out.models.pop() {
                    self.put_model(&mut fitted, model);
                }
            })?;
        }
        Ok(fitted)
    }

    /// Blocks of voxels that `--mem` has room for.
    fn blocks(&self, job: &Job, p: usize, item: usize, narrow: bool, want: Want) -> Result<Vec<Range<usize>>> {
        let (first, end) = (self.voxels.start, self.voxels.end);
        let shares = matches!(self.options.alpha_per, encoding_models::AlphaPer::Group(_));
        let mut memory = Memory::of(p, item, &self.plan.splits, self.options, narrow, want);
        memory.fixed += self.data.x.bytes_held() + self.data.y.bytes_held();
        let (n, v) = (self.data.y.n_rows() as u128, self.voxels.len() as u128);
        if self.args.save.is_some() {
            memory.fixed += 8 * p as u128 * v;
        }
        if self.args.predictions.is_some() {
            memory.fixed += if narrow { 4 } else { 8 } * n * v;
        }
        let limit = self.args.mem.map_or(memory.fixed + BLOCK_BYTES, u128::from);
        let most = match memory.voxels_within(limit) {
            Some(most) => most,
            None if self.args.mem.is_none() => memory.voxels_within(memory.least()).unwrap_or(1),
            None => bail!(
                "--mem: {} are needed with the fewest voxels at a time, and {} allowed; ask for fewer folds, leave out \
                 --save and --predictions or give each job a --shard, or allow more",
                Bytes(memory.least()),
                Bytes(limit)
            ),
        };
        if shares && self.voxels.len() > most {
            match self.args.mem {
                Some(_) => bail!(
                    "--alpha-per {}: all {v} voxels have to be held at once, which takes {}, and --mem allows {}",
                    self.args.alpha_per,
                    Bytes(memory.fixed + memory.per_voxel * v),
                    Bytes(limit)
                ),
                None => return Ok(std::iter::once(first..end).collect()),
            }
        }
        let blocks: Vec<Range<usize>> = (first..end).step_by(most).map(|from| from..(from + most).min(end)).collect();
        job.record("blocks_of_voxels", blocks.len());
        if self.args.mem.is_some() || blocks.len() > 1 {
            let taken = memory.fixed + memory.per_voxel * blocks.first().map_or(0, |block| block.len() as u128);
            job.note(format!(
                "voxels in {} blocks of up to {}; about {} of memory",
                blocks.len(),
                most.min(end - first),
                Bytes(taken)
            ));
        }
        Ok(blocks)
    }

    fn prepare<'f, 'x, T: Real>(
        &self,
        job: &Job,
        features: &'f Features<'x, T>,
        options: &RidgeOptions,
        splits: Vec<Split>,
        narrow: bool,
    ) -> Result<CrossValidation<'f, 'x, T>> {
        let progress = job.progress(splits.len(), "folds");
        Ok(CrossValidation::prepare(features, splits, options, narrow, None, || progress.advance(1))?)
    }

    /// With `--gram` from that file, which is written where it does not exist.
    fn prepare_or_read<'f, 'x, T: Real>(
        &self,
        job: &Job,
        x: Rows<T>,
        features: &'f Features<'x, T>,
        narrow: bool,
    ) -> Result<CrossValidation<'f, 'x, T>> {
        let splits = self.plan.splits.clone();
        let Some(path) = self.args.gram.as_deref() else {
            return self.prepare(job, features, self.options, splits, narrow);
        };
        let (scale, intercept) = (self.scaling(), !self.args.no_intercept);
        let others = format!("{scale:?} intercept {intercept} narrow {narrow}");
        let fingerprint = gram_file::fingerprint(x, self.weights, &splits, self.options, &others);
        job.record("gram", fingerprint.as_str());
        let named = || format!("--gram {}", path.display());
        if let Some(file) = GramFile::open(path, &fingerprint).with_context(named)? {
            job.note(format!("{}: decompositions of {} folds are read from it", named(), splits.len()));
            let read = |stored: encoding_models::Stored| {
                CrossValidation::prepare(features, splits, self.options, narrow, Some(stored), || ())
            };
            return file.with(read).with_context(named);
        }
        let mut out = job.binary_output(Some(path))?;
        let prepared = self.prepare(job, features, self.options, splits, narrow)?;
        gram_file::write(&mut out, &prepared, fingerprint).with_context(named)?;
        // Now, so that jobs that start meanwhile can read it.
        out.commit(job)?;
        Ok(prepared)
    }

    /// Predicts every block of voxels, and hands predictions and responses on.
    fn each_block<T: Real>(
        &self,
        job: &Job,
        prepared: &CrossValidation<T>,
        blocks: &[Range<usize>],
        want: Want,
        mut to: impl FnMut(&Range<usize>, CrossValidated, Block),
    ) -> Result<()> {
        let progress = job.progress(self.voxels.len(), "voxels");
        for block in blocks {
            let y = self.data.y.voxels(block.clone())?;
            let held_out = match y.view() {
                Block::F4(y) => prepared.predict(y, want),
                Block::F8(y) => prepared.predict(y, want),
            }?;
            to(block, held_out, y.view());
            progress.advance(block.len());
        }
        Ok(())
    }

    fn nothing(&self) -> Fitted {
        let ids = self.data.ids.as_ref();
        Fitted {
            rows: Vec::new(),
            folds: vec![Vec::with_capacity(self.voxels.len()); self.plan.splits.len()],
            details: Vec::new(),
            reasons: Vec::new(),
            dual: false,
            n_constant: 0,
            scored: Scored::default(),
            scored_blocks: Vec::new(),
            predictions: None,
            split: Vec::new(),
            sets: Vec::new(),
            model: None,
            gammas: self.options.gammas.clone().unwrap_or_else(|| Array2::ones((1, 1))),
            residual_variance: Vec::new(),
            trained_on: ids.map(|ids| self.plan.kept.iter().map(|&row| ids[row].clone()).collect()),
        }
    }

    /// Scores the next voxels, and keeps what is asked for.
    fn add<U: Real>(&self, fitted: &mut Fitted, held_out: CrossValidated, y: ArrayView2<U>) {
        let first = fitted.reasons.len();
        let responses = scored_rows(&held_out, y);
        let train = trained_on(&held_out);
        let mut own = self.scorer.score(&self.scorable, held_out.predictions.view(), responses.view(), train);
        for (score, reason) in own.scores.iter_mut().zip(&held_out.reasons) {
            score.reason = reason.or(score.reason);
        }
        if !held_out.bands.is_empty() {
            let bands: Vec<_> = held_out.bands.iter().map(|band| band.view()).collect();
            let rows = self.scorer.held_out(&self.scorable, trained_on(&held_out));
            let split = rows.split(&bands, held_out.predictions.view(), responses.view());
            fitted.split.resize(split.len(), Vec::new());
            fitted.split.iter_mut().zip(split).for_each(|(all, more)| all.extend(more));
        }
        let missed = |voxel: usize| {
            let rows = responses.column(voxel).into_iter().zip(held_out.predictions.column(voxel));
            let squares = rows.map(|(response, prediction)| (response.to_f64() - prediction).powi(2));
            squares.sum::<f64>() / responses.nrows() as f64
        };
        fitted.residual_variance.extend((0..y.ncols()).map(missed));
        if self.args.predictions.is_some() {
            let shape = (held_out.rows.len(), self.voxels.len());
            // As the features and responses are.
            let narrow = !self.data.x.is_double() && !self.data.y.is_double();
            let all = fitted.predictions.get_or_insert_with(|| match narrow {
                true => Matrix::F4(Array2::zeros(shape)),
                false => Matrix::F8(Array2::zeros(shape)),
            });
            let place = s![.., first..first + y.ncols()];
            match all {
                Matrix::F4(all) => all.slice_mut(place).zip_mut_with(&held_out.predictions, |to, v| *to = *v as f32),
                Matrix::F8(all) => all.slice_mut(place).assign(&held_out.predictions),
            }
        }
        fitted.scored_blocks.push(own);
        fitted.folds.iter_mut().zip(held_out.folds).for_each(|(all, more)| all.extend(more));
        fitted.reasons.extend(held_out.reasons);
        fitted.rows = held_out.rows;
        fitted.dual |= held_out.dual;
        fitted.n_constant = fitted.n_constant.max(held_out.n_constant);
    }

    /// R2 alone: sets of bands are neither tested nor held against a ceiling.
    fn explained<U: Real>(&self, held_out: &CrossValidated, y: ArrayView2<U>) -> Vec<f64> {
        let rows = self.scorer.held_out(&self.scorable, trained_on(held_out));
        let scores = rows.score(held_out.predictions.view(), scored_rows(held_out, y).view());
        scores.iter().map(|score| score.coefficient_of_determination).collect()
    }

    /// The model of the next voxels beside those that are there.
    fn put_model(&self, fitted: &mut Fitted, model: RidgeModel) {
        let all = fitted.model.get_or_insert_with(|| RidgeModel {
            weights: Array2::zeros((model.weights.nrows(), self.voxels.len())),
            scaling: model.scaling.clone(),
            response_mean: Vec::new(),
            choices: Vec::new(),
            reasons: Vec::new(),
        });
        let first = all.choices.len();
        all.weights.slice_mut(s![.., first..first + model.choices.len()]).assign(&model.weights);
        all.response_mean.extend(model.response_mean);
        all.choices.extend(model.choices);
        all.reasons.extend(model.reasons);
    }

    /// The same search among the bands of a set only: weights of other bands are 0, and the rest sums to what all did.
    fn only(&self, set: usize) -> RidgeOptions {
        let mut options = self.options.clone();
        let Some(gammas) = &mut options.gammas else { return options };
        let mut kept: Vec<Vec<f64>> = Vec::new();
        for row in gammas.rows() {
            let total: f64 = row.sum();
            let of_set = |(k, gamma): (usize, &f64)| if set >> k & 1 == 1 { *gamma } else { 0.0 };
            let part: Vec<f64> = row.iter().enumerate().map(of_set).collect();
            let sum: f64 = part.iter().sum();
            // A row without any weight in the set says nothing about it.
            if sum > 0.0 {
                let part: Vec<f64> = part.into_iter().map(|gamma| gamma / sum * total).collect();
                if !kept.contains(&part) {
                    kept.push(part);
                }
            }
        }
        if kept.is_empty() {
            let size = set.count_ones() as f64;
            kept.push((0..gammas.ncols()).map(|k| if set >> k & 1 == 1 { 1.0 / size } else { 0.0 }).collect());
        }
        *gammas = Array2::from_shape_fn((kept.len(), gammas.ncols()), |(i, k)| kept[i][k]);
        options
    }
}

fn scored_rows<U: Real>(held_out: &CrossValidated, y: ArrayView2<U>) -> Array2<U> {
    y.select(Axis(0), &held_out.rows)
}

fn trained_on(held_out: &CrossValidated) -> TrainedOn<'_> {
    TrainedOn { means: held_out.train_means.view(), sds: Some([held_out.fitted_sds.view(), held_out.train_sds.view()]) }
}
