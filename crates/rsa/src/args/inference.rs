//! How sure the scores of `rsa compare` are: options of its inference.

use anyhow::{Result, bail};
use clap::ValueEnum;
use rdm::inference::Generalize;
use statistics::Correction;
use std::path::Path;

/// What a bootstrap draws with replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Boot {
    /// Subjects: the test speaks to new subjects who see these stimuli
    Subjects,
    /// Stimuli: to new stimuli seen by these subjects
    Stimuli,
    /// Both, with the two-factor correction: to new subjects and new stimuli
    Both,
}

impl Boot {
    /// As the crate of the maths has it.
    pub fn over(self) -> Generalize {
        match self {
            Boot::Subjects => Generalize::Subjects,
            Boot::Stimuli => Generalize::Stimuli,
            Boot::Both => Generalize::Both,
        }
    }
}

/// What turns scores into p values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Test {
    /// t: over subjects, or with the variance that --boot gives
    T,
    /// Signed ranks of subjects (without --boot)
    Wilcoxon,
    /// Share of the draws of --boot on the other side
    Bootstrap,
}

/// Options of the inference.
#[derive(Debug, clap::Args)]
pub struct InferenceArgs {
    /// Bootstrap: se, interval and tests of every model's mean, speaking to new ones of what is drawn
    #[arg(long, value_enum, value_name = "UNIT")]
    pub boot: Option<Boot>,
    /// Draws of --boot
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "boot", value_parser = clap::value_parser!(u32).range(2..))]
    pub n_boot: u32,
    /// Tests of the means: t (default with --boot), wilcoxon, or bootstrap
    #[arg(long, value_enum)]
    pub test: Option<Test>,
    /// Permute the stimulus labels N times: columns p_perm and p_perm_fwer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub perm: Option<u32>,
    /// Adjust p over models (q): bh, by (false discovery rate), bonferroni (family-wise error), none [default: bh]
    #[arg(long, value_name = "METHOD")]
    pub correct: Option<Correction>,
    /// Write the tests of every model against every other to this table
    #[arg(long, value_name = "FILE")]
    pub pairwise: Option<cli::OutputPath>,
    /// Seed of --boot, --perm and the folds of --model
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl InferenceArgs {
    /// How p is adjusted over models.
    pub fn correction(&self) -> Correction {
        self.correct.unwrap_or(Correction::BenjaminiHochberg)
    }

    /// What can be refused before anything is read: an option without effect, a table that would be lost.
    pub(crate) fn check(&self, output: Option<&Path>) -> Result<()> {
        if let (Some(correct), None) = (self.correct, self.test_of_means()) {
            bail!(
                "--correct {} is for the q of --boot, --test and --pairwise, none of which was asked for (p_perm_fwer of \
                 --perm is family-wise already)",
                correct.as_str()
            );
        }
        match &self.pairwise {
            Some(file) if file.as_os_str() == "-" => {
                bail!("--pairwise -: stdout has the table of scores; name a file")
            }
            Some(file) if Some(&**file) == output => {
                bail!("--pairwise {0} and -o {0}: two tables cannot have one file; name another", file.display())
            }
            _ => Ok(()),
        }
    }

    /// The test of the means, if any is asked for.
    pub fn test_of_means(&self) -> Option<Test> {
        let implied = self.boot.is_some() || self.pairwise.is_some();
        self.test.or(implied.then_some(Test::T))
    }
}
