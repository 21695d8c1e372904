//! The noise models of `--noise` and its relatives: one for all matrices, one for each, or one for each fold.

use super::args::{NoiseSource, RdmArgs};
use super::measure::{Noise, describe};
use super::plan::Plan;
use super::rows::Rows;
use anyhow::{Result, anyhow, bail};
use array_inputs::{Names, read_matrices};
use cli::{Input, Job};
use ndarray::ArrayView2;
use rdm::{NoiseError, NoiseModel};

/// What makes a noise model of a matrix that is given.
type FromMatrix = fn(ArrayView2<f64>) -> Result<NoiseModel, NoiseError>;

/// What was read, and how much of it was used.
pub(super) struct Noises {
    models: Vec<NoiseModel>,
    /// What the matrices of the models are called: with `--noise-by-fold`, their folds.
    names: Vec<String>,
    option: &'static str,
    /// What the matrices are that the models are from.
    of: &'static str,
    from: String,
    repeats: Option<Option<f64>>,
    by_fold: bool,
    used: usize,
}

impl Noises {
    pub fn read(job: &Job, args: &RdmArgs, plan: &Plan) -> Result<Noises> {
        let given: [(_, _, FromMatrix); 2] = [
            (&args.noise_covariance, "covariance", NoiseModel::from_covariance),
            (&args.noise_precision, "precision", NoiseModel::from_precision),
        ];
        let residuals: Vec<Input> = args
            .noise
            .iter()
            .filter_map(|source| match source {
                NoiseSource::Residuals(input) => Some(input.clone()),
                NoiseSource::Repeats => None,
            })
            .collect();
        let mut noises = Noises {
            models: Vec::new(),
            names: Vec::new(),
            option: args.whitens_by().unwrap_or("--noise"),
            of: "residuals",
            from: String::new(),
            repeats: (!args.noise.is_empty() && residuals.is_empty()).then_some(args.dof),
            by_fold: args.noise_by_fold,
            used: 0,
        };
        for (inputs, of, model) in given {
            if inputs.is_empty() {
                continue;
            }
            noises.of = of;
            for given in read_matrices(job, inputs, &mut Names::default())? {
                let source = given.source;
                let model = model(given.matrix.into_f64().view()).map_err(|e| anyhow!("{source}: {e}"))?;
                describe(job, &source, of, &model, plan);
                noises.models.push(model);
                noises.names.push(given.name);
            }
        }
        for residuals in read_matrices(job, &residuals, &mut Names::default())? {
            let source = residuals.source;
            let (n, p) = (residuals.matrix.n_rows(), residuals.matrix.n_columns());
            let model = NoiseModel::from_residuals(residuals.matrix.into_f64().view(), args.dof, plan.shrinkage);
            let model = model.map_err(|e| anyhow!("{source}: {e}"))?;
            describe(job, &source, &format!("{n} x {p} residuals"), &model, plan);
            noises.models.push(model);
            noises.names.push(residuals.name);
        }
        let inputs = residuals.iter().chain(&args.noise_covariance).chain(&args.noise_precision);
        noises.from = inputs.map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if args.noise_by_fold {
            noises.check_names()?;
        }
        Ok(noises)
    }

    /// Two matrices of one name cannot both be its fold's.
    fn check_names(&self) -> Result<()> {
        for (k, name) in self.names.iter().enumerate() {
            if let Some(first) = self.names[..k].iter().position(|other| other == name) {
                bail!(
                    "{}: matrices {first} and {k} are both called {name:?}; --noise-by-fold needs one per fold",
                    self.from
                );
            }
        }
        Ok(())
    }

    pub fn next(&mut self, source: &str, rows: &Rows) -> Result<Option<Noise<'_>>> {
        self.used += 1;
        if let Some(dof) = self.repeats {
            return Ok(Some(Noise::Repeats(dof)));
        }
        if self.by_fold {
            return self.of_folds(source, rows).map(Some);
        }
        match self.models.len() {
            0 => Ok(None),
            1 => Ok(Some(Noise::Known { model: &self.models[0], option: self.option })),
            n if self.used > n => bail!(
                "{source}: is matrix {}, but {} holds {n} matrices of {}; give one for all, or one per matrix",
                self.used,
                self.from,
                self.of
            ),
            _ => Ok(Some(Noise::Known { model: &self.models[self.used - 1], option: self.option })),
        }
    }

    /// The models in the order of the folds of the rows; each fold has one, and each model a fold.
    fn of_folds(&self, source: &str, rows: &Rows) -> Result<Noise<'_>> {
        let folds = rows.fold_names.as_deref().unwrap_or_default();
        let place = |fold: &String| self.names.iter().position(|name| name == fold);
        if let Some(fold) = folds.iter().find(|fold| place(fold).is_none()) {
            bail!(
                "{source}: fold {fold:?} has no noise; {} holds {} matrices of {}, called {:?}, for {} folds (names are \
                 those behind the matrices, else file stems: `npy label --names`)",
                self.from,
                self.names.len(),
                self.of,
                self.names,
                folds.len()
            );
        }
        if let Some(name) = self.names.iter().find(|name| !folds.contains(name)) {
            bail!(
                "{}: {name:?} is no fold of {source}, whose {} folds are {folds:?}; with --noise-by-fold every matrix is \
                 called as its fold",
                self.from,
                folds.len()
            );
        }
        let models = folds.iter().filter_map(place).map(|k| &self.models[k]).collect();
        Ok(Noise::Folds { models, option: self.option })
    }

    pub fn finish(&self, n_matrices: usize) -> Result<()> {
        if self.models.len() > 1 && self.used < self.models.len() && !self.by_fold {
            bail!(
                "{}: holds {} matrices of {} for {n_matrices} matrices of patterns; give one for all, or one per \
                 matrix{}",
                self.from,
                self.models.len(),
                self.of,
                if self.used == 1 { " (--noise-by-fold: one per fold of --cv)" } else { "" }
            );
        }
        Ok(())
    }
}
