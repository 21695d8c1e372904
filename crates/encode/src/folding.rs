//! How stimuli are dealt into folds and how a penalty is chosen inside them: the options, and what they mean for data.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Result, anyhow, bail};
use clap::ValueEnum;
use cli::Job;
use encoding_models::{AlphaGrid, Inner, RidgeOptions, Scaling};
use statistics::{FoldError, FoldOrder, Folds, k_folds};

/// Folds, penalties and scaling of a cross-validated model.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ModelArgs {
    /// Folds over distinct stimuli; each is predicted by a model of the others
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub cv: usize,
    /// How stimuli are dealt into folds
    #[arg(long, value_enum, value_name = "ORDER", default_value = "shuffled")]
    pub fold_order: FoldOrderArg,
    /// How alpha is chosen in the training rows: loo (leave one row out), or folds over their stimuli
    /// [default: loo; where ids repeat, as many folds as --cv]
    #[arg(long, value_name = "loo|K")]
    pub alpha_cv: Option<AlphaCv>,
    /// Penalties, LO:HI:N evenly spaced in the logarithm, as factors of the mean squared length of the scaled
    /// training rows (with scaling: of the number of features that vary)
    #[arg(long, value_name = "LO:HI:N", default_value_t)]
    pub alphas: AlphaGrid,
    /// Centre the features but do not divide them by their standard deviation
    #[arg(long)]
    pub no_scale: bool,
}

/// How stimuli are dealt into folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FoldOrderArg {
    /// Shuffled by --seed: depends on the set of ids, not on the order of rows
    Shuffled,
    /// Consecutive blocks, in the order of the rows of --y
    Contiguous,
}

impl fmt::Display for FoldOrderArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FoldOrderArg::Shuffled => "shuffled",
            FoldOrderArg::Contiguous => "contiguous",
        })
    }
}

/// How a penalty is judged inside the training rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AlphaCv {
    /// Each training row left out once.
    LeaveOneOut,
    /// So many folds of stimuli.
    Folds(usize),
}

impl FromStr for AlphaCv {
    type Err = String;

    fn from_str(text: &str) -> Result<AlphaCv, String> {
        match (text, text.parse()) {
            ("loo", _) => Ok(AlphaCv::LeaveOneOut),
            (_, Ok(k)) if k >= 2 => Ok(AlphaCv::Folds(k)),
            _ => Err("expected loo or a number of folds, at least 2".into()),
        }
    }
}

impl ModelArgs {
    /// An error for what no data can mend.
    pub fn check(&self) -> Result<()> {
        if self.cv < 2 {
            bail!("--cv: {}", FoldError::TooFew(self.cv));
        }
        Ok(())
    }

    /// The outer folds of `n` rows, `n_stimuli` of them distinct, and how alpha is chosen inside them. The ids are
    /// those of the rows; without any, every row is a stimulus.
    pub fn plan(&self, ids: Option<&[String]>, n: usize, n_stimuli: usize, seed: u64) -> Result<(Folds, RidgeOptions)> {
        let deal = |k: usize, shift: u64, option: &str| {
            let order = match self.fold_order {
                FoldOrderArg::Shuffled => FoldOrder::Shuffled(seed.wrapping_add(shift)),
                FoldOrderArg::Contiguous => FoldOrder::Contiguous,
            };
            deal(ids, n, k, order).map_err(|e| anyhow!("{option}: {e}"))
        };
        let outer = deal(self.cv, 0, "--cv")?;
        let repeated = n_stimuli < n;
        let inner = match self.alpha_cv {
            Some(AlphaCv::LeaveOneOut) if repeated => bail!(
                "--alpha-cv loo: {n} rows of {n_stimuli} stimuli; repeats of the stimulus left out would stay in the \
                 training rows: say --alpha-cv {}, or average the presentations first with `npy average`",
                self.cv
            ),
            None if repeated => Inner::Folds(deal(self.cv, 1, "--cv")?),
            None | Some(AlphaCv::LeaveOneOut) => Inner::LeaveOneOut,
            // Another seed than outside: with the same folds there would be one fewer.
            Some(AlphaCv::Folds(k)) => Inner::Folds(deal(k, 1, "--alpha-cv")?),
        };
        let scaling = if self.no_scale { Scaling::Centre } else { Scaling::Standardize };
        Ok((outer, RidgeOptions { scaling, alphas: self.alphas.clone(), inner }))
    }

    /// What the sidecar says of them.
    pub fn record(&self, job: &Job, options: &RidgeOptions) {
        job.record("folds", self.cv);
        job.record("fold_order", self.fold_order.to_string());
        match &options.inner {
            Inner::LeaveOneOut => job.record("alpha_cv", "loo"),
            Inner::Folds(folds) => job.record("alpha_cv", folds.n_folds),
        }
        job.record("alphas", options.alphas.to_string());
        job.record("alpha_scale", "mean squared length of the scaled training rows");
        job.record("scaling", if self.no_scale { "centre" } else { "standardize" });
    }
}

/// Folds over distinct stimuli. A shuffle starts from the sorted ids, so that it depends on their set and the seed
/// only: rows in another order, or another layer's features, meet the same folds.
fn deal(ids: Option<&[String]>, n: usize, k: usize, order: FoldOrder) -> Result<Folds, FoldError> {
    match (ids, order) {
        (None, _) => k_folds(&(0..n).collect::<Vec<usize>>(), k, order),
        (Some(ids), FoldOrder::Contiguous) => k_folds(ids, k, order),
        (Some(ids), FoldOrder::Shuffled(_)) => {
            let mut place: BTreeMap<&str, usize> = ids.iter().map(|id| (id.as_str(), 0)).collect();
            place.values_mut().enumerate().for_each(|(i, place)| *place = i);
            let dealt = k_folds(&(0..place.len()).collect::<Vec<usize>>(), k, order)?;
            let fold_of_row = ids.iter().map(|id| dealt.fold_of_row[place[id.as_str()]]).collect();
            Ok(Folds { n_folds: k, fold_of_row })
        }
    }
}
