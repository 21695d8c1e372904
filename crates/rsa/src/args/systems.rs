//! Arguments of `rsa compare` that make it more than models against brains: all pairs, controls.

use cli::Input;

/// All pairs of systems, and controls.
#[derive(Debug, clap::Args)]
pub struct SystemArgs {
    /// Every system with every other, models and brains alike: one row per pair
    #[arg(long)]
    pub all_pairs: bool,
    /// With --all-pairs: also write the square matrix, its rows labelled, diagonal and all
    #[arg(long, value_name = "FILE", requires = "all_pairs")]
    pub matrix: Option<cli::OutputPath>,
    /// With --all-pairs: which group each system is of, columns system and block [default: model, brain]
    #[arg(long, value_name = "TABLE", requires = "all_pairs")]
    pub blocks: Option<Input>,
    /// RDMs that are regressed out of models and brains first (pearson or spearman)
    #[arg(long, value_name = "CONTROL", num_args = 1.., conflicts_with = "semipartial")]
    pub partial: Vec<Input>,
    /// RDMs that are regressed out of the models only
    #[arg(long, value_name = "CONTROL", num_args = 1..)]
    pub semipartial: Vec<Input>,
}

impl SystemArgs {
    /// The control RDMs and the option that gave them.
    pub fn controls(&self) -> Option<(&'static str, &[Input])> {
        match (&self.partial[..], &self.semipartial[..]) {
            ([], []) => None,
            ([], controls) => Some(("semipartial", controls)),
            (controls, _) => Some(("partial", controls)),
        }
    }
}
