//! The part of the command line that changes the network.

use crate::changed::folded::Normalize;
use crate::changed::lesion::{HeldAt, LesionBy};
use crate::changed::untrained::Untrained;
use cli::Input;
use std::path::PathBuf;

/// Changes to the network before the pictures are shown to it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Changed networks")]
pub struct ChangedArgs {
    /// Draw every weight anew from this seed: he (normal, variance 2/fan-in), lecun (1/fan-in), or shuffle the trained
    /// ones
    #[arg(long, value_name = "SEED[:he|lecun|shuffle]", conflicts_with = "list_layers")]
    pub untrained: Option<Untrained>,

    /// Where the twin is standardized per channel, as batch normalization would, beside what the graph has
    ///
    /// Exporters fold batch normalization into convolutions. A twin without it saturates or explodes with depth, and
    /// what it lacks then is taken for what training gives.
    #[arg(long, value_enum, value_name = "WHERE", default_value = "folded", requires = "untrained")]
    pub normalize: Normalize,

    /// Pictures that a twin's normalizations are measured on; without it those that are shown
    ///
    /// Twins of one seed are one network only if these are the same: give them where the same twin is shown several
    /// sets of pictures. A stimulus table, a folder, or files (repeat the option).
    #[arg(long, value_name = "PICTURES", requires = "untrained")]
    pub calibrate_on: Vec<PathBuf>,

    /// Hold units of a layer at a value: a table with a column `unit`, as select-units writes it
    #[arg(long, value_name = "UNITS.csv", conflicts_with = "list_layers")]
    pub lesion: Option<Input>,

    /// What lesioned units are held at: a number, or each unit's mean over all pictures
    #[arg(long, value_name = "NUMBER|mean", default_value = "0", allow_hyphen_values = true, requires = "lesion")]
    pub to: HeldAt,

    /// The lesioned layer, by name, where the table does not name it
    #[arg(long, value_name = "NAME", requires = "lesion")]
    pub lesion_layer: Option<String>,

    /// What the numbers in the table count, where the layer has more than channels
    #[arg(long, value_enum, requires = "lesion")]
    pub lesion_by: Option<LesionBy>,
}

impl ChangedArgs {
    /// Whether anything is changed.
    pub fn is_asked(&self) -> bool {
        self.untrained.is_some() || self.lesion.is_some()
    }
}
