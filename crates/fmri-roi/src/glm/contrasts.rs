//! Contrasts in words to weights of the columns of each run.

use anyhow::{Context, Result, bail};
use glm::{Design, Role, Test};
use localizer::{Contrast, Versus};
use ndarray::Array2;

use super::Designed;

/// A contrast that was asked for.
pub(super) struct Asked {
    /// As written.
    pub text: String,
    /// Whether it is a t or an F contrast.
    pub test: Test,
    /// Of each run `rows x columns`.
    pub weights: Vec<Array2<f64>>,
}

/// Weights of the t and F contrasts in every run.
pub(super) fn asked(t: &[String], f: &[String], runs: &[Designed]) -> Result<Vec<Asked>> {
    let mut all = Vec::new();
    for text in t {
        let weights = runs.iter().map(|run| rows(run, runs, &[text])).collect::<Result<_>>();
        all.push(Asked { text: text.clone(), test: Test::T, weights: weights.with_context(|| "--contrast")? });
    }
    for text in f {
        let parts: Vec<&str> = text.split(';').map(str::trim).collect();
        if parts.iter().any(|part| part.is_empty()) {
            bail!("--f-contrast {text:?}: a row is empty; write 'faces > houses; faces > objects'");
        }
        let weights = runs.iter().map(|run| rows(run, runs, &parts)).collect::<Result<_>>();
        all.push(Asked { text: text.clone(), test: Test::F, weights: weights.with_context(|| "--f-contrast")? });
    }
    Ok(all)
}

/// The columns that contrasts in words are about, of all runs: `rest` means the same in each.
fn levels(runs: &[Designed]) -> Vec<String> {
    let mut levels: Vec<String> = Vec::new();
    for Designed { design, .. } in runs {
        for (name, role) in design.names.iter().zip(&design.roles) {
            if *role == Role::Condition && !levels.contains(name) {
                levels.push(name.clone());
            }
        }
    }
    levels
}

fn rows(run: &Designed, runs: &[Designed], texts: &[impl AsRef<str>]) -> Result<Array2<f64>> {
    let design = &run.design;
    let mut rows = Array2::zeros((texts.len(), design.names.len()));
    for (text, mut row) in texts.iter().zip(rows.rows_mut()) {
        for (name, weight) in weighed(text.as_ref().trim(), runs)? {
            let Some(column) = place(design, &name) else {
                bail!(
                    "{:?}: {} has no {name:?}; fit runs without it by themselves, or leave it out of the contrast",
                    text.as_ref(),
                    run.run.name
                );
            };
            row[column] = weight;
        }
    }
    Ok(rows)
}

fn place(design: &Design, name: &str) -> Option<usize> {
    design.names.iter().position(|column| column == name)
}

/// Names of columns with their weights.
fn weighed(text: &str, runs: &[Designed]) -> Result<Vec<(String, f64)>> {
    if runs.iter().any(|run| place(&run.design, text).is_some()) {
        return Ok(vec![(text.to_owned(), 1.0)]);
    }
    let levels = levels(runs);
    let contrast: Contrast = match text.parse() {
        Ok(contrast) => contrast,
        // One word that is no column: what it might have been helps more than how contrasts are written.
        Err(error) if text.contains(['>', '*']) || text.contains(" - ") || text.contains(" + ") => bail!(error),
        Err(_) => bail!("{text:?}: no such column of the design; the conditions are {}", levels.join(", ")),
    };
    let groups = contrast.resolve(&levels, Versus::Pooled)?;
    let weight = |group: usize| match &groups.weights {
        Some(weights) => weights[group],
        None if group == 0 => 1.0 / groups.counts[0] as f64,
        None => -1.0 / groups.counts[1] as f64,
    };
    let of_level = levels.iter().zip(&groups.group_of_row);
    Ok(of_level.filter_map(|(level, group)| Some((level.clone(), weight((*group)?)))).collect())
}
