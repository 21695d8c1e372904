//! The plain cross-validated model of `ablate`: the options, and what they mean for data.

use cli::Job;
use encoding_models::{AlphaGrid, Inner, PartOptions, Scaling};

/// Penalties and scaling of a cross-validated model.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ModelArgs {
    /// Penalties, LO:HI:N evenly spaced in the logarithm, as factors of the mean squared length of the scaled
    /// training rows (with scaling: of the number of features that vary)
    #[arg(long, value_name = "LO:HI:N", default_value_t)]
    pub alphas: AlphaGrid,
    /// Centre the features but do not divide them by their standard deviation
    #[arg(long)]
    pub no_scale: bool,
}

impl ModelArgs {
    /// How the models of all parts are fitted.
    pub fn options(&self, inner: Inner) -> PartOptions {
        let scaling = if self.no_scale { Scaling::Centre } else { Scaling::Standardize };
        PartOptions { scaling, alphas: self.alphas.clone(), inner }
    }

    /// What the sidecar says of them.
    pub fn record(&self, job: &Job, options: &PartOptions) {
        match &options.inner {
            Inner::LeaveOneOut => job.record("alpha_cv", "loo"),
            Inner::Folds(folds) => job.record("alpha_cv", folds.n_folds),
        }
        job.record("alphas", options.alphas.to_string());
        job.record("alpha_scale", "mean squared length of the scaled training rows");
        job.record("scaling", if self.no_scale { "centre" } else { "standardize" });
    }
}
