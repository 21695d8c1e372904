//! Layers too wide to keep: projected on random directions or on principal components.
//!
//! Projection comes after pooling and picking. A random projection is drawn anew from its seed by every run, so shards
//! and models of one width share it; principal components are found on pictures of their own, never on those
//! that are measured.

use anyhow::{Context, Result, bail, ensure};
use cli::Job;
use linear_algebra::{Pca, SparseProjection, johnson_lindenstrauss_dim};
use ndarray::{Array2, ArrayView2};
use npy_stream::Block;
use serde_json::{Value, json};
use statistics::Draws;
use std::path::PathBuf;
use std::str::FromStr;

/// Streams of the seed that random projections take, beyond those of weights that are drawn anew: with one seed for
/// both neither depends on the other.
const FIRST_STREAM: u64 = 1 << 32;

/// What to do with wide layers.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Projection")]
pub struct ProjectionArgs {
    /// Sparse random projection to N components (Li et al. 2006); auto: as many as keep the distances of all pictures
    /// within --eps (Johnson-Lindenstrauss)
    #[arg(long, value_name = "N|auto", conflicts_with = "list_layers")]
    pub srp: Option<Components>,

    /// Relative error of squared distances that --srp auto allows
    #[arg(long, value_name = "E", default_value = "0.1", value_parser = eps, requires = "srp")]
    pub eps: f64,

    /// What the random projection is drawn from
    #[arg(long, value_name = "SEED", default_value_t = 0, requires = "srp")]
    pub seed: u64,

    /// The first N principal components, after --srp if both
    #[arg(long, value_name = "N", requires = "pca_fit", conflicts_with = "list_layers", value_parser = at_least_one)]
    pub pca: Option<usize>,

    /// Pictures to find the components on: a stimulus table, a folder, or files (repeat the option)
    #[arg(long, value_name = "PICTURES", requires = "pca")]
    pub pca_fit: Vec<PathBuf>,

    /// Memory that projections may take
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = cli::parse_bytes)]
    pub mem: u64,
}

/// `--srp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Components {
    /// This many.
    Number(usize),
    /// The Johnson-Lindenstrauss size.
    Auto,
}

impl FromStr for Components {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            number => {
                at_least_one(number).map(Self::Number).map_err(|_| "expected a whole number from 1, or auto".into())
            }
        }
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "expected a whole number from 1".into())
}

fn eps(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|e| (f64::MIN_POSITIVE..1.0).contains(e))
        .ok_or_else(|| "expected a number between 0 and 1".into())
}

impl ProjectionArgs {
    /// Whether anything is projected.
    pub fn is_asked(&self) -> bool {
        self.srp.is_some() || self.pca.is_some()
    }
}

/// A layer that is to be projected.
pub struct Wide<'a> {
    /// Its name.
    pub name: &'a str,
    /// It was named itself: what cannot be done is an error then.
    pub named: bool,
    /// Columns before projection.
    pub n_units: usize,
}

/// One layer's projection.
#[derive(Debug, Default)]
pub struct Projection {
    random: Option<SparseProjection>,
    principal: Option<Pca>,
}

impl Projection {
    /// The random part for each layer, checked against `--mem`; `n_pictures` are those of the whole list.
    pub fn plan(job: &Job, args: &ProjectionArgs, layers: &[Wide<'_>], n_pictures: usize) -> Result<Vec<Self>> {
        let mut planned = Vec::new();
        for &Wide { name, named, n_units } in layers {
            let random = match args.srp {
                None => None,
                Some(asked) => {
                    let n = match asked {
                        Components::Number(n) => n,
                        Components::Auto => johnson_lindenstrauss_dim(n_pictures, args.eps).max(1),
                    };
                    if n < n_units {
                        let entries = n as f64 * (n_units as f64).sqrt();
                        check_memory(
                            args.mem,
                            (entries * 8.0) as u64,
                            &format!("the random projection of layer \"{name}\""),
                        )?;
                        Some(SparseProjection::new(n_units, n, |stream| {
                            let mut draws = Draws::stream(args.seed, FIRST_STREAM + stream);
                            move || draws.uniform()
                        }))
                    } else if named && asked != Components::Auto {
                        bail!(
                            "layer \"{name}\" has {n_units} units, which --srp {n} would not make fewer; leave --srp \
                             out"
                        );
                    } else {
                        job.note(format_args!(
                            "layer \"{name}\" keeps its {n_units} units; --srp would make {n} of them"
                        ));
                        None
                    }
                }
            };
            planned.push(Self { random, principal: None });
        }
        Ok(planned)
    }

    /// Width of a projected row, of a layer of `n_units` columns.
    pub fn n_components(&self, n_units: usize) -> usize {
        let random = self.random.as_ref().map_or(n_units, SparseProjection::n_components);
        self.principal.as_ref().map_or(random, |pca| pca.components().nrows())
    }

    /// Hands `take` the rows projected, in the width of numbers that they came in.
    pub fn apply(&self, block: Block<'_>, take: impl FnOnce(Block<'_>) -> Result<()>) -> Result<()> {
        if self.random.is_none() && self.principal.is_none() {
            return take(block);
        }
        match block {
            Block::F4(rows) => take(Block::F4(self.project(rows)?.mapv(|v| v as f32).view())),
            Block::F8(rows) => take(Block::F8(self.project(rows)?.view())),
        }
    }

    fn project<T: linear_algebra::Real>(&self, rows: ArrayView2<'_, T>) -> Result<Array2<f64>> {
        let random = self.random.as_ref().map(|projection| projection.project(rows)).transpose()?;
        Ok(match (&self.principal, random) {
            (Some(pca), Some(random)) => pca.transform(random.view())?,
            (Some(pca), None) => pca.transform(rows)?,
            (None, Some(random)) => random,
            (None, None) => rows.mapv(|v| v.to_f64()),
        })
    }

    /// What the sidecar says.
    pub fn record(&self, args: &ProjectionArgs) -> Value {
        let mut record = json!({});
        if let Some(random) = &self.random {
            record["srp"] = json!({
                "n_components": random.n_components(),
                "n_features": random.n_features(),
                "density": random.density(),
                "seed": args.seed,
            });
        }
        if let Some(pca) = &self.principal {
            record["pca"] = json!({
                "n_components": pca.components().nrows(),
                "explained_variance_ratio": pca.explained_variance_ratio().to_vec(),
            });
        }
        record
    }
}

fn check_memory(limit: u64, needed: u64, what: &str) -> Result<()> {
    let mb = |bytes: u64| bytes.div_ceil(1 << 20);
    ensure!(
        needed <= limit,
        "{what} needs {} MB, --mem allows {}; ask for fewer components, pool first, or raise --mem",
        mb(needed),
        mb(limit)
    );
    Ok(())
}

/// Rows of the pictures that components are found on.
pub struct FitRows {
    layers: Vec<Vec<f64>>,
    n_pictures: usize,
}

impl FitRows {
    /// Room for `n_pictures` rows of each layer, if `--mem` allows; `n_units` are the layers' widths before projection.
    pub fn new(
        args: &ProjectionArgs,
        projections: &[Projection],
        layers: &[Wide<'_>],
        n_pictures: usize,
    ) -> Result<Self> {
        let asked = args.pca.unwrap_or(0);
        ensure!(
            asked < n_pictures,
            "--pca {asked}: {n_pictures} pictures span at most {} components; give more to --pca-fit",
            n_pictures.saturating_sub(1)
        );
        let mut needed = 0u64;
        for (projection, layer) in projections.iter().zip(layers) {
            let width = projection.n_components(layer.n_units);
            if asked > width {
                bail!("layer \"{}\" has {width} columns, --pca asks for {asked} components of them", layer.name);
            }
            // The rows, the same centred, and the components.
            needed += 8 * (width as u64) * (2 * n_pictures as u64 + asked as u64);
        }
        check_memory(args.mem, needed, &format!("--pca on {n_pictures} pictures"))?;
        Ok(Self { layers: vec![Vec::new(); layers.len()], n_pictures })
    }

    /// Takes the next rows of an array, read out of its layer.
    pub fn take(&mut self, array: usize, projection: &Projection, block: Block<'_>) -> Result<()> {
        let rows = &mut self.layers[array];
        projection.apply(block, |block| {
            match block {
                Block::F4(block) => rows.extend(block.iter().map(|&v| f64::from(v))),
                Block::F8(block) => rows.extend(block.iter()),
            }
            Ok(())
        })
    }

    /// Finds the components of every layer.
    pub fn fit(self, n_components: usize, layers: &[Wide<'_>], projections: &mut [Projection]) -> Result<()> {
        for ((rows, layer), projection) in self.layers.into_iter().zip(layers).zip(projections) {
            let rows = Array2::from_shape_vec((self.n_pictures, rows.len() / self.n_pictures), rows)?;
            let pca = Pca::fit(rows.view(), n_components);
            projection.principal =
                Some(pca.with_context(|| format!("layer \"{}\" on the pictures of --pca-fit", layer.name))?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_numbers_are_spelled_as_users_do() {
        assert!(eps("0.1").is_ok() && eps("0").is_err() && eps("1").is_err() && eps("x").is_err());
        assert_eq!("auto".parse(), Ok(Components::Auto));
        assert!("0".parse::<Components>().is_err());
    }
}
