//! `--method`: what is fitted, and which options say something about it.

use anyhow::{Result, bail};
use clap::ValueEnum;
use cli::Job;
use encoding_models::{Inner, LassoAlphas, LassoOptions, Method};

use super::{ChooseByArg, Fit};

/// What is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum MethodArg {
    /// Least squares with a penalty on the squared length of the weights; with --frac on their length
    Ridge,
    /// Least squares
    Ols,
    /// Lasso whose weights are 0 or above (sparse-positive mapping)
    LassoPositive,
    /// Partial least squares of all voxels together
    Pls,
}

/// Penalties of scikit-learn's `LassoCV`: how many, and the lowest over the highest.
const LASSO_PATH: LassoAlphas = LassoAlphas::Path { n: 100, ratio: 1e-3 };

/// What is fitted in place of ridge by penalties; `None` is that. Options that would say nothing are refused.
pub(super) fn method(args: &Fit) -> Result<Option<Method>> {
    let method = match args.method {
        MethodArg::Ridge if args.frac.is_empty() => None,
        MethodArg::Ridge => {
            if let Some(wrong) = args.frac.iter().find(|f| !(**f > 0.0 && **f <= 1.0)) {
                bail!("--frac: {wrong}; fractions of the length of unpenalized weights are above 0 and at most 1");
            }
            Some(Method::Fractions(args.frac.clone()))
        }
        MethodArg::Ols => Some(Method::Ols),
        MethodArg::LassoPositive => {
            let alphas = args.alphas.as_ref().map(|grid| LassoAlphas::Given(grid.factors().to_vec()));
            let mut options = LassoOptions::default();
            if let Some(tolerance) = args.tolerance {
                if !(tolerance > 0.0 && tolerance < 1.0) {
                    bail!("--tolerance: {tolerance}; a share of the responses' sum of squares lies between 0 and 1");
                }
                options.tolerance = tolerance;
            }
            Some(Method::Lasso { options, alphas: alphas.unwrap_or(LASSO_PATH) })
        }
        MethodArg::Pls => {
            if args.n_components.is_empty() || args.n_components.contains(&0) {
                bail!(
                    "--method pls: how many components? Say --n-components K, or K,K,... to choose from, each above 0"
                );
            }
            Some(Method::Pls { components: args.n_components.clone() })
        }
    };
    let lasso = args.method == MethodArg::LassoPositive;
    let name = match args.method {
        MethodArg::Ridge => "--frac",
        MethodArg::Ols => "--method ols",
        MethodArg::LassoPositive => "--method lasso-positive",
        MethodArg::Pls => "--method pls",
    };
    for (option, twice) in [("--frac", twice(&args.frac)), ("--n-components", twice(&args.n_components))] {
        if let Some(value) = twice {
            bail!("{option}: {value} occurs twice; each is tried once");
        }
    }
    let asked = |method: MethodArg| args.method == method;
    let refused = [
        (!args.frac.is_empty() && !asked(MethodArg::Ridge), "--frac", "ridge has fractions"),
        (!args.n_components.is_empty() && !asked(MethodArg::Pls), "--n-components", "pls has components"),
        (args.tolerance.is_some() && !lasso, "--tolerance", "lasso-positive goes on until it is reached"),
    ];
    let beside_ridge = [
        (args.alphas.is_some() && !lasso, "--alphas", "it has no penalty to choose"),
        (
            args.folds.cv.chooses_by().is_some() && method.as_ref().is_some_and(|method| !method.chooses()),
            "--alpha-cv",
            "there is nothing to choose",
        ),
        (args.absolute_alphas, "--absolute-alphas", "its penalties, if any, are absolute (scikit-learn's) already"),
        (args.no_extend, "--no-extend", "its choices are never extended"),
        (args.choose_by != ChooseByArg::Mse, "--choose-by", "it is judged by mse"),
        (args.alpha_per != "voxel", "--alpha-per", "each voxel has its own, or (pls) all have one"),
        (args.regions.is_some(), "--regions", "nothing is shared by region"),
        (!args.bands.is_empty(), "--band", "bands have weights in ridge only; join them with `npy cat --columns`"),
        (args.sample_weights.is_some(), "--sample-weights", "rows have equal weight in it"),
        (args.gram.is_some(), "--gram", "it keeps no decomposition"),
        (args.shard.is_some() && asked(MethodArg::Pls), "--shard", "all voxels are fitted together"),
    ];
    let others = beside_ridge.into_iter().filter(|_| method.is_some());
    if let Some((_, option, why)) = refused.into_iter().chain(others).find(|(given, ..)| *given) {
        match method {
            None => bail!("{option} with --method ridge: only {why}"),
            Some(_) => bail!("{option} with {name}: {why}; leave it out"),
        }
    }
    Ok(method)
}

fn twice<V: PartialEq + ToString>(values: &[V]) -> Option<String> {
    let again = values.iter().enumerate().find(|(i, value)| values[..*i].contains(value));
    again.map(|(_, value)| value.to_string())
}

/// What the sidecar says of it.
pub(super) fn record(job: &Job, method: &Method, inner: &Inner) {
    if let (true, Inner::Folds(folds)) = (method.chooses(), inner) {
        job.record("alpha_cv", folds.n_folds);
        job.record("choose_by", "mse");
    }
    match method {
        Method::Ols => {}
        Method::Lasso { options, alphas } => {
            job.record("tolerance", options.tolerance);
            match alphas {
                LassoAlphas::Given(alphas) => job.record("alphas", alphas.clone()),
                LassoAlphas::Path { n, ratio } => {
                    job.record("alphas", format!("{n} from the lowest without a weight down to {ratio} times that"));
                }
            }
        }
        Method::Pls { components } => job.record("n_components", components.clone()),
        Method::Fractions(fractions) => job.record("fractions", fractions.clone()),
    }
}

/// How a model file calls it.
pub(super) fn name(args: &Fit) -> &'static str {
    match args.method {
        MethodArg::Ridge if !args.frac.is_empty() => "fractional ridge",
        MethodArg::Ridge if !args.bands.is_empty() => "banded ridge",
        MethodArg::Ridge => "ridge",
        MethodArg::Ols => "ols",
        MethodArg::LassoPositive => "lasso-positive",
        MethodArg::Pls => "pls",
    }
}
