//! The plain cross-validated model of `ablate`: the options, and what they mean for data.

use anyhow::{Result, anyhow, bail};
use cli::Job;
use encoding_models::{AlphaGrid, Inner, PartOptions, Scaling};
use statistics::{FoldError, FoldOrder, Folds};

use crate::folds::{AlphaCv, FoldOrderArg, deal};

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
    pub fn plan(&self, ids: Option<&[String]>, n: usize, n_stimuli: usize, seed: u64) -> Result<(Folds, PartOptions)> {
        let deal = |k: usize, shift: u64, option: &str| {
            let order = match self.fold_order {
                FoldOrderArg::Shuffled => FoldOrder::Shuffled(seed.wrapping_add(shift)),
                FoldOrderArg::Contiguous => FoldOrder::Contiguous,
            };
            let rows: Vec<usize> = (0..n).collect();
            deal(ids, &rows, k, order).map_err(|e| anyhow!("{option}: {e}"))
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
        Ok((outer, PartOptions { scaling, alphas: self.alphas.clone(), inner }))
    }

    /// What the sidecar says of them.
    pub fn record(&self, job: &Job, options: &PartOptions) {
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
