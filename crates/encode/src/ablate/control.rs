//! `--match`: what the random units have in common with the chosen ones.

use std::collections::HashSet;
use std::fmt;

use anyhow::{Context, Result, anyhow, bail, ensure};
use array_inputs::NamedMatrix;
use clap::ValueEnum;
use cli::{Input, Job};
use encoding_models::{MatchedDraws, quantile_bins};
use npy_stream::Block;
use statistics::variance;
use unit_tables::{FeatureMaps, Sought};

use crate::presentations::Presentations;

/// How random units are drawn.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ControlArgs {
    /// What random units share with the chosen ones
    #[arg(long = "match", value_enum, value_name = "WHAT", default_value = "none")]
    matched: Match,
    /// Bins of --match variance
    #[arg(long, value_name = "N", default_value_t = 10)]
    bins: usize,
    /// The feature map of every unit, for --match channel: table of ann-acts --unit-table (layer, column, channel)
    #[arg(long, value_name = "TABLE")]
    unit_table: Option<Input>,
}

/// What drawn units share with the chosen ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Match {
    /// Nothing but their number
    None,
    /// As many in every bin of the variance of responses over stimuli, bins with as many units each
    Variance,
    /// As many in every channel (feature map)
    Channel,
}

impl fmt::Display for ControlArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.matched {
            Match::None => f.write_str("none matched"),
            Match::Variance => write!(f, "matched in {} bins of variance", self.bins),
            Match::Channel => f.write_str("matched in channel"),
        }
    }
}

/// What units are matched on.
pub(crate) enum Control {
    Number,
    Variance {
        bins: usize,
    },
    /// The channel of every unit.
    Channel(Vec<usize>),
}

impl Control {
    /// Checks the options and reads the table they name.
    pub fn read(job: &Job, args: &ControlArgs, x: &NamedMatrix) -> Result<Control> {
        if let (Some(table), false) = (&args.unit_table, args.matched == Match::Channel) {
            bail!("--unit-table {table}: only --match channel takes one");
        }
        match (args.matched, &args.unit_table) {
            (Match::None, _) => Ok(Control::Number),
            (Match::Variance, _) => {
                ensure!(args.bins > 0, "--bins 0: variances need at least 1 bin");
                Ok(Control::Variance { bins: args.bins })
            }
            (Match::Channel, None) => {
                bail!("--match channel: --unit-table says which channel a unit is of (`ann-acts --unit-table`)")
            }
            (Match::Channel, Some(input)) => {
                let sought = Sought { names: &x.names_in_tables, position: 0, alone: true };
                let maps = FeatureMaps::read(job, input)?.of(job, sought, x.matrix.n_columns())?;
                let maps = maps.with_context(|| format!("{input}: units of {:?} have no channels", x.name))?;
                Ok(Control::Channel(maps))
            }
        }
    }

    /// Draws that are matched to these units.
    pub fn draws(&self, chosen: &[usize], x: &NamedMatrix, rows: &Presentations) -> Result<MatchedDraws> {
        match self {
            Control::Number => {
                MatchedDraws::new(chosen, &vec![0; x.matrix.n_columns()]).map_err(|e| anyhow!("--draws: {e}"))
            }
            Control::Variance { bins } => {
                let strata = quantile_bins(&variances(x, rows), *bins);
                MatchedDraws::new(chosen, &strata).map_err(|e| {
                    anyhow!(
                        "--match variance: in bin {} of {bins} (0 has the lowest variances) {} units are chosen, and only \
                         {} others are there to draw from; take fewer --bins",
                        e.stratum,
                        e.chosen,
                        e.others
                    )
                })
            }
            Control::Channel(maps) => MatchedDraws::new(chosen, maps).map_err(|e| {
                let first = maps.iter().position(|map| *map == e.stratum).unwrap_or_default();
                anyhow!(
                    "--match channel: in the channel of unit {first} {} units are chosen, and only {} others are there to \
                     draw from; match on variance, or on none",
                    e.chosen,
                    e.others
                )
            }),
        }
    }
}

/// The variance of every unit over the stimuli of the join, each counted once.
fn variances(x: &NamedMatrix, rows: &Presentations) -> Vec<f64> {
    let mut seen = HashSet::new();
    let stimuli: Vec<usize> = rows.x_rows.iter().copied().filter(|row| seen.insert(*row)).collect();
    let value = |row: usize, unit: usize| match x.matrix.view() {
        Block::F4(x) => f64::from(x[(row, unit)]),
        Block::F8(x) => x[(row, unit)],
    };
    let of_unit = |unit: usize| variance(&stimuli.iter().map(|&row| value(row, unit)).collect::<Vec<f64>>());
    (0..x.matrix.n_columns()).map(of_unit).collect()
}
