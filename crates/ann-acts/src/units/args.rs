//! The part of the command line that says what a unit is.

use crate::network::tensor::Layout;
use crate::units::readout::{Pool, Tokens};
use anyhow::{Result, ensure};
use clap::ValueEnum;
use unit_tables::SetArgs;

/// What a unit is.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Units")]
pub struct UnitArgs {
    /// Pool the rows and columns of feature maps, so that a unit is a channel; layers without stay as they are
    #[arg(long, value_name = "KIND", value_enum, default_value_t, conflicts_with = "list_layers")]
    pub pool: Pool,

    /// Which tokens of a transformer; cls is the first one, mean and patches leave it (and registers) out; several
    /// (cls,mean) give an array each, LAYER.cls and LAYER.mean [default: all]
    #[arg(long, value_name = "KIND,...", value_enum, value_delimiter = ',', conflicts_with = "list_layers")]
    pub tokens: Vec<Tokens>,

    /// Tokens before the first patch [default: all that the map of patches does not explain]
    #[arg(long, value_name = "N", conflicts_with = "list_layers")]
    pub prefix_tokens: Option<usize>,

    /// Order of layers with four axes [default: told from the graph, else as the input]
    #[arg(long, value_enum, conflicts_with = "list_layers")]
    pub channels: Option<Channels>,

    /// Keep only these units: a table with a `unit` column, as select-units writes it; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with = "list_layers")]
    pub units: Option<cli::Input>,

    /// Which of its sets.
    #[command(flatten)]
    pub set: SetArgs,

    /// Also write which place of the network each column is: layer,unit,channel,y,x,token,column
    /// (a projected column has no place, so not with --srp or --pca)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["list_layers", "srp", "pca"])]
    pub unit_table: Option<cli::OutputPath>,
}

/// `--channels`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Channels {
    /// channel, y, x
    First,
    /// y, x, channel
    Last,
}

impl From<Channels> for Layout {
    fn from(channels: Channels) -> Self {
        match channels {
            Channels::First => Self::Nchw,
            Channels::Last => Self::Nhwc,
        }
    }
}

impl UnitArgs {
    /// Whether anything but every unit as it is was asked for.
    pub(crate) fn needs_shapes(&self) -> bool {
        self.needs_axes() || self.units.is_some()
    }

    /// The readouts of tokens that were asked for, each once.
    pub(crate) fn tokens(&self) -> Result<Vec<Tokens>> {
        let all = [Tokens::All];
        let asked = if self.tokens.is_empty() { &all[..] } else { &self.tokens };
        let mut kinds: Vec<Tokens> = Vec::new();
        for &kind in asked {
            ensure!(!kinds.contains(&kind), "--tokens: {} is asked for twice; name each kind once", word(kind));
            kinds.push(kind);
        }
        Ok(kinds)
    }

    /// As the command line has them.
    pub(crate) fn tokens_text(&self) -> String {
        match self.tokens.as_slice() {
            [] => word(Tokens::All),
            kinds => kinds.iter().copied().map(word).collect::<Vec<_>>().join(","),
        }
    }

    /// What was asked, for the sidecar and for knowing a run again.
    pub(crate) fn record(&self) -> serde_json::Value {
        serde_json::json!({
            "pool": word(self.pool),
            "tokens": self.tokens_text(),
            "prefix_tokens": self.prefix_tokens,
            "channels": self.channels.map(word),
            "units": self.units.as_ref().map(|input| input.to_string()),
            "contrast": self.set.contrast,
            "fold": self.set.fold,
        })
    }

    /// Whether it matters what the axes of a layer mean.
    pub(crate) fn needs_axes(&self) -> bool {
        self.pool != Pool::None
            || self.tokens.iter().any(|&kind| kind != Tokens::All)
            || self.unit_table.is_some()
            || self.prefix_tokens.is_some()
    }
}

/// An option's word.
pub(crate) fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or(String::new(), |value| value.get_name().to_string())
}
