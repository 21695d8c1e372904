//! What is read out of a layer: its units pooled over space, chosen among tokens, picked by number.
//!
//! A [`Readout`] is planned once from the meaning of the layer's axes and then turns every block of raw rows
//! (pictures x all units) into the rows that are written.

use crate::units::axes::{Grid, Part, Place};
use anyhow::Result;
use ndarray::{Array2, ArrayView2};
use npy_stream::Block;
use rayon::prelude::*;
use std::ops::Range;

/// What is made of the rows and columns of a feature map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Pool {
    /// Every channel at every place is a unit
    #[default]
    None,
    /// The mean over all places
    Avg,
    /// The largest value of all places
    Max,
}

/// What is made of a transformer's tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Tokens {
    /// Every token's channels are units
    #[default]
    All,
    /// The class token, the first one
    Cls,
    /// The mean over the patches, without class token and registers
    Mean,
    /// The patches, without class token and registers
    Patches,
}

/// Why a layer cannot be read out as asked. Messages carry no layer's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadoutError {
    /// Nothing to pool.
    #[error("has no rows and columns to pool ({axes})")]
    NoMap {
        /// Its axes.
        axes: String,
    },
    /// No tokens.
    #[error("has no tokens ({axes})")]
    NoTokens {
        /// Its axes.
        axes: String,
    },
    /// Tokens are patches only.
    #[error(
        "has no class token: {n_tokens} tokens for {height}x{width} patches; use --tokens mean, or --prefix-tokens if \
         that is wrong"
    )]
    NoClassToken {
        /// Its tokens.
        n_tokens: usize,
        /// Rows of patches.
        height: usize,
        /// Patches per row.
        width: usize,
    },
    /// It cannot be told which tokens are patches.
    #[error(
        "has {n_tokens} tokens, the network's patch map {patches}; say how many tokens stand before the patches: \
         --prefix-tokens N"
    )]
    Patches {
        /// Its tokens.
        n_tokens: usize,
        /// The map as text.
        patches: String,
    },
    /// More prefix tokens than tokens.
    #[error("has {n_tokens} tokens, --prefix-tokens {prefix} leaves none")]
    Prefix {
        /// Its tokens.
        n_tokens: usize,
        /// What was asked.
        prefix: usize,
    },
    /// The class token was asked for and there are no prefix tokens.
    #[error("--prefix-tokens 0 leaves no class token")]
    NoPrefix,
}

/// What one column of the readout is a readout of; absent where there is no one such place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnitPlace {
    /// Channel from 0.
    pub channel: Option<usize>,
    /// Row of the feature map (or of the patch) from 0.
    pub y: Option<usize>,
    /// Column of the feature map (or of the patch) from 0.
    pub x: Option<usize>,
    /// Token from 0, prefix tokens counted.
    pub token: Option<usize>,
}

/// A layer with what is known of its units.
#[derive(Debug, Clone)]
pub struct Anatomy {
    /// Units of one picture.
    pub n_units: usize,
    /// Their parts in C order; `None` where the meaning of the axes is not known.
    pub parts: Option<Vec<Part>>,
    /// Rows and columns of the last convolution before the layer.
    pub last_map: Option<(usize, usize)>,
}

/// How a layer's raw rows become the rows that are written.
#[derive(Debug, Clone)]
pub struct Readout {
    n_raw: usize,
    reductions: Vec<Reduction>,
    /// Which of the values that the reductions leave, in this order; `None` is all.
    picked: Option<Vec<usize>>,
    /// Numbers of the kept units among those that pooling and tokens leave; `None` is all.
    units: Option<Vec<usize>>,
    n_units: usize,
    /// What the units before --units are, in C order.
    parts: Option<Vec<Part>>,
    first_token: usize,
    one_token: Option<usize>,
    grid: Option<Grid>,
}

/// One axis of `n` values, `after` apart and `before` times over, of which those of `range` become one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reduction {
    n: usize,
    after: usize,
    range: Range<usize>,
    max: bool,
}

impl Anatomy {
    /// The names of the axes, `channel x y x x` style, for messages.
    pub fn axes_text(&self) -> String {
        match &self.parts {
            None => "its axes have no clear meaning".to_string(),
            Some(parts) => {
                parts.iter().map(|p| format!("{} {}", p.length, p.place.name())).collect::<Vec<_>>().join(" x ")
            }
        }
    }

    fn has(&self, places: &[Place]) -> bool {
        self.parts.iter().flatten().any(|part| places.contains(&part.place))
    }

    /// Whether there are rows and columns.
    pub fn has_map(&self) -> bool {
        self.has(&[Place::Y, Place::X])
    }

    /// Whether there are none of these places; false also where the meaning of the axes is not known.
    pub fn surely_lacks(&self, places: &[Place]) -> bool {
        self.parts.is_some() && !self.has(places)
    }

    /// The token axis whole, if it is.
    fn tokens(&self) -> Option<Part> {
        let mut tokens = self.parts.iter().flatten().filter(|part| part.place == Place::Token);
        match (tokens.next(), tokens.next()) {
            (Some(&part), None) if part.stride == 1 => Some(part),
            _ => None,
        }
    }

    /// Where the patches stand among the tokens.
    fn patches(&self, tokens: Part, prefix: Option<usize>) -> Result<(Range<usize>, Option<Grid>), ReadoutError> {
        let n_tokens = tokens.length;
        if let Some(prefix) = prefix {
            if prefix >= n_tokens {
                return Err(ReadoutError::Prefix { n_tokens, prefix });
            }
            let known = tokens.grid.map(|grid| (grid.height, grid.width)).or(self.last_map);
            let grid = known.filter(|(height, width)| prefix + height * width == n_tokens);
            return Ok((prefix..n_tokens, grid.map(|(height, width)| Grid { before: prefix, height, width })));
        }
        let by_map = || {
            let (height, width) = self.last_map?;
            let before = n_tokens.checked_sub(height * width)?;
            Some(Grid { before, height, width })
        };
        match tokens.grid.or_else(by_map) {
            Some(grid) => Ok((grid.before..grid.before + grid.n_patches(), Some(grid))),
            None => {
                let map = |(height, width): (usize, usize)| format!("{height}x{width} = {}", height * width);
                Err(ReadoutError::Patches { n_tokens, patches: self.last_map.map_or("is not known".into(), map) })
            }
        }
    }
}

impl Readout {
    /// Every unit as it is.
    pub fn new(layer: &Anatomy) -> Self {
        let grid = layer.tokens().and_then(|tokens| layer.patches(tokens, None).ok()?.1);
        Self {
            n_raw: layer.n_units,
            reductions: Vec::new(),
            picked: None,
            units: None,
            n_units: layer.n_units,
            parts: layer.parts.clone(),
            first_token: 0,
            one_token: None,
            grid,
        }
    }

    /// With rows and columns pooled.
    pub fn pool(mut self, layer: &Anatomy, pool: Pool) -> Result<Self, ReadoutError> {
        let max = match pool {
            Pool::None => return Ok(self),
            Pool::Avg => false,
            Pool::Max => true,
        };
        let is_place = |part: &Part| matches!(part.place, Place::Y | Place::X);
        let Some(mut parts) = self.parts.take().filter(|_| layer.has_map()) else {
            return Err(ReadoutError::NoMap { axes: layer.axes_text() });
        };
        while let Some(last) = parts.iter().rposition(is_place) {
            let first = parts[..last].iter().rposition(|part| !is_place(part)).map_or(0, |i| i + 1);
            let n = parts[first..=last].iter().map(|part| part.length).product();
            let after = parts[last + 1..].iter().map(|part| part.length).product();
            parts.drain(first..=last);
            self.reductions.push(Reduction { n, after, range: 0..n, max });
            self.n_units /= n;
        }
        self.parts = Some(parts);
        Ok(self)
    }

    /// With the tokens that are asked for. `prefix` overrides how many stand before the patches.
    pub fn tokens(mut self, layer: &Anatomy, tokens: Tokens, prefix: Option<usize>) -> Result<Self, ReadoutError> {
        if tokens == Tokens::All {
            // The grid only serves the unit table here.
            if let (Some(prefix), Some(axis)) = (prefix, layer.tokens()) {
                self.grid = layer.patches(axis, Some(prefix))?.1;
            }
            return Ok(self);
        }
        let axis = layer.tokens().ok_or_else(|| ReadoutError::NoTokens { axes: layer.axes_text() })?;
        let (patches, grid) = layer.patches(axis, prefix)?;
        self.grid = grid;
        let Some(parts) = &mut self.parts else {
            return Err(ReadoutError::NoTokens { axes: layer.axes_text() });
        };
        let Some(at) = parts.iter().position(|part| part.place == Place::Token) else {
            return Err(ReadoutError::NoTokens { axes: layer.axes_text() });
        };
        let (n, after) = (parts[at].length, parts[at + 1..].iter().map(|part| part.length).product::<usize>());
        let taken = match tokens {
            Tokens::Mean => {
                parts.remove(at);
                self.reductions.push(Reduction { n, after, range: patches, max: false });
                self.n_units /= n;
                return Ok(self);
            }
            Tokens::Cls => match (patches.start, prefix, grid) {
                (0, Some(0), _) => return Err(ReadoutError::NoPrefix),
                (0, _, Some(Grid { height, width, .. })) => {
                    return Err(ReadoutError::NoClassToken { n_tokens: n, height, width });
                }
                _ => {
                    parts.remove(at);
                    self.one_token = Some(0);
                    0..1
                }
            },
            Tokens::Patches | Tokens::All => {
                parts[at].length = patches.len();
                self.first_token = patches.start;
                patches
            }
        };
        let before = self.n_units / (n * after);
        let picked: Vec<usize> = (0..before)
            .flat_map(|b| taken.clone().map(move |token| (b * n + token) * after))
            .flat_map(|start| start..start + after)
            .collect();
        self.n_units = picked.len();
        self.picked = Some(picked);
        Ok(self)
    }

    /// With only these units (ascending, below [`Readout::n_units`]) of those there are now.
    pub fn keep(mut self, units: Vec<usize>) -> Self {
        self.picked = Some(match self.picked.take() {
            Some(picked) => units.iter().map(|&unit| picked[unit]).collect(),
            None => units.clone(),
        });
        self.n_units = units.len();
        self.units = Some(units);
        self
    }

    /// Units per picture.
    pub fn n_units(&self) -> usize {
        self.n_units
    }

    /// Whether rows are written as they come.
    pub fn is_identity(&self) -> bool {
        self.reductions.is_empty() && self.picked.is_none()
    }

    /// How many tokens stand before the patches, where that is known.
    pub fn grid(&self) -> Option<Grid> {
        self.grid
    }

    /// The number of the unit that a column holds, among those that pooling and tokens leave.
    pub fn unit_of(&self, column: usize) -> usize {
        self.units.as_ref().map_or(column, |units| units[column])
    }

    /// Where a unit of this number lies.
    pub fn place_of(&self, unit: usize) -> UnitPlace {
        let Some(parts) = &self.parts else { return UnitPlace::default() };
        let mut place = UnitPlace { token: self.one_token, ..UnitPlace::default() };
        let mut rest = unit;
        for part in parts.iter().rev() {
            let index = rest % part.length * part.stride;
            rest /= part.length;
            let slot = match part.place {
                Place::Channel => &mut place.channel,
                Place::Y => &mut place.y,
                Place::X => &mut place.x,
                Place::Token => &mut place.token,
                Place::Picture | Place::Unknown => continue,
            };
            *slot = Some(slot.unwrap_or(0) + index);
        }
        if self.one_token.is_none() {
            place.token = place.token.map(|token| token + self.first_token);
        }
        if let (Some(token), Some(grid), None) = (place.token, self.grid, place.y)
            && let Some(patch) = token.checked_sub(grid.before).filter(|&patch| patch < grid.n_patches())
        {
            (place.y, place.x) = (Some(patch / grid.width), Some(patch % grid.width));
        }
        place
    }

    /// Hands `take` the readout of these raw rows.
    pub fn apply(&self, block: Block<'_>, take: impl FnOnce(Block<'_>) -> Result<()>) -> Result<()> {
        if self.is_identity() {
            return take(block);
        }
        let n_found = block.n_columns();
        anyhow::ensure!(
            n_found == self.n_raw,
            "{n_found} units in this batch, {} in a black picture of the same size; its number must not depend on the \
             picture",
            self.n_raw
        );
        match block {
            Block::F4(rows) => take(Block::F4(self.rows(rows).view())),
            Block::F8(rows) => take(Block::F8(self.rows(rows).view())),
        }
    }

    fn rows<T: Number>(&self, raw: ArrayView2<'_, T>) -> Array2<T> {
        let raw = raw.as_standard_layout();
        let values = raw.as_slice().unwrap_or_default();
        let mut out = vec![T::of(0.0); raw.nrows() * self.n_units];
        if self.n_units > 0 {
            // Each row is one thread's, whatever their number.
            out.par_chunks_exact_mut(self.n_units)
                .zip(values.par_chunks_exact(self.n_raw))
                .for_each_init(<[Vec<f64>; 2]>::default, |buffers, (out, row)| self.row(row, out, buffers));
        }
        // The length is rows times units by construction.
        Array2::from_shape_vec((raw.nrows(), self.n_units), out).unwrap_or_default()
    }

    fn row<T: Number>(&self, raw: &[T], out: &mut [T], [from, to]: &mut [Vec<f64>; 2]) {
        let Some((first, rest)) = self.reductions.split_first() else {
            let Some(picked) = &self.picked else { return out.copy_from_slice(raw) };
            out.iter_mut().zip(picked).for_each(|(out, &i)| *out = raw[i]);
            return;
        };
        first.apply(raw, from);
        for reduction in rest {
            reduction.apply(from, to);
            std::mem::swap(from, to);
        }
        match &self.picked {
            Some(picked) => out.iter_mut().zip(picked).for_each(|(out, &i)| *out = T::of(from[i])),
            None => out.iter_mut().zip(from).for_each(|(out, value)| *out = T::of(*value)),
        }
    }
}

impl Reduction {
    fn apply<T: Number>(&self, from: &[T], to: &mut Vec<f64>) {
        to.clear();
        for block in from.chunks_exact(self.n * self.after) {
            let block = &block[self.range.start * self.after..self.range.end * self.after];
            if self.after == 1 {
                to.push(if self.max {
                    block.iter().fold(f64::NEG_INFINITY, |most, v| larger(most, v.f64()))
                } else {
                    sum(block)
                });
                continue;
            }
            let start = to.len();
            to.resize(start + self.after, if self.max { f64::NEG_INFINITY } else { 0.0 });
            for values in block.chunks_exact(self.after) {
                for (out, value) in to[start..].iter_mut().zip(values) {
                    *out = if self.max { larger(*out, value.f64()) } else { *out + value.f64() };
                }
            }
        }
        if !self.max {
            let n = self.range.len() as f64;
            to.iter_mut().for_each(|sum| *sum /= n);
        }
    }
}

/// The larger one; NaN if either is.
fn larger(a: f64, b: f64) -> f64 {
    if b > a || b.is_nan() { b } else { a }
}

/// Sum in four lanes, always the same four, so that the additions need not wait for one another.
fn sum<T: Number>(values: &[T]) -> f64 {
    let (fours, rest) = values.as_chunks::<4>();
    let mut lanes = [0.0; 4];
    for four in fours {
        for (lane, value) in lanes.iter_mut().zip(four) {
            *lane += value.f64();
        }
    }
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]) + rest.iter().map(|value| value.f64()).sum::<f64>()
}

/// The kinds of number that rows come in.
trait Number: Copy + Default + Send + Sync {
    fn f64(self) -> f64;
    fn of(value: f64) -> Self;
}

impl Number for f32 {
    fn f64(self) -> f64 {
        f64::from(self)
    }
    fn of(value: f64) -> Self {
        value as f32
    }
}

impl Number for f64 {
    fn f64(self) -> f64 {
        self
    }
    fn of(value: f64) -> Self {
        value
    }
}

#[cfg(test)]
#[path = "readout_tests.rs"]
mod tests;
