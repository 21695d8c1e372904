//! The files of the output folder: maps of every contrast, of the model, and the design of every run.

use std::path::Path;

use anyhow::{Context, Result};
use brain_formats::maps::{MapFormat, write_maps};
use brain_formats::volume_writer::Intent;
use cli::{Cell, FileStems, Format, Job, Named, Output, TableWriter};
use glm::{Design, Statistics, Test};
use ndarray::{Array2, ArrayView1, ArrayView2};
use npy_stream::{Dtype, Labels, RowWriter};
use rayon::prelude::*;
use serde_json::Value;

use super::Designed;
use super::contrasts::Asked;
use super::files::Files;
use super::fit::{Fitted, Place};

/// Outputs that nobody else writes or reads, claimed before the work.
pub(super) struct Outputs {
    maps: Vec<(Map, Output)>,
    /// Of every contrast, for the sidecars.
    weights: Vec<Value>,
    designs: Vec<(Design, Output)>,
    folder: String,
}

/// Which numbers a map holds.
struct Map {
    /// Its row of a matrix, and what its sidecar calls it.
    statistic: &'static str,
    /// Position and words of its contrast.
    contrast: Option<(usize, String)>,
}

impl Outputs {
    pub fn claim(job: &Job, folder: &Path, asked: &[Asked], runs: &[Designed], files: &Files) -> Result<Outputs> {
        let ending = runs[0].run.space().map_or(".npy", MapFormat::ending);
        let mut stems = FileStems::new("contrast");
        let mut maps = Vec::new();
        let mut claim = |prefix: &str, statistic: &'static str, contrast: Option<(usize, String)>| -> Result<()> {
            let of = statistic.replace(['_', ' '], "");
            let file = folder.join(format!("{}{prefix}stat-{of}_statmap{ending}", files.prefix));
            maps.push((Map { statistic, contrast }, job.binary_output(Some(&file))?));
            Ok(())
        };
        for (k, Asked { text, test, .. }) in asked.iter().enumerate() {
            let prefix = format!("contrast-{}_", stems.next(&label(text)));
            let statistics: &[&'static str] = match test {
                Test::T => &["effect", "variance", "t", "z"],
                Test::F => &["F", "z"],
            };
            for statistic in statistics {
                claim(&prefix, statistic, Some((k, text.clone())))?;
            }
        }
        claim("", "residual sd", None)?;
        claim("", "r squared", None)?;
        let mut stems = FileStems::new("run");
        let mut designs = Vec::new();
        for (Designed { design, .. }, file) in runs.iter().zip(&files.runs) {
            let file = folder.join(format!("{}_design.tsv", stems.next(&file.stem)));
            designs.push((design.clone(), job.text_output(Some(&file))?));
        }
        let weights = asked.iter().map(|asked| weights_of(asked, runs)).collect();
        Ok(Outputs { maps, weights, designs, folder: folder.display().to_string() })
    }

    /// Writes all files, then gives them their names.
    pub fn write(self, job: &Job, fitted: Fitted) -> Result<()> {
        let bytes: Result<Vec<Vec<u8>>> = self.maps.par_iter().map(|(map, _)| map.bytes(&fitted)).collect();
        let mut maps = self.maps;
        for ((_, out), bytes) in maps.iter_mut().zip(bytes?) {
            std::io::Write::write_all(out, &bytes).context("output")?;
        }
        let mut designs = Vec::new();
        for (design, out) in self.designs {
            let written = write_design(&design, out)?;
            designs.push((design, written));
        }
        let n_files = maps.len() + designs.len();
        for (design, out) in designs {
            // Names alone do not tell a condition from a confound.
            job.record("column_roles", design.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>());
            out.commit(job)?;
        }
        job.forget("column_roles");
        for (map, out) in maps {
            job.record("statistic", map.statistic);
            if let Some((k, text)) = &map.contrast {
                let Statistics { df, n_rows, .. } = &fitted.statistics[*k];
                job.record("contrast", text.clone());
                job.record("weights", self.weights[*k].clone());
                job.record("df", *df);
                job.record("n_rows", *n_rows);
            } else {
                job.record("contrast", Value::Null);
                job.record("weights", Value::Null);
                job.record("df", fitted.df);
                job.record("n_rows", Value::Null);
            }
            out.commit(job)?;
        }
        job.note(format!("{n_files} files in {}", self.folder));
        Ok(())
    }
}

impl Map {
    fn values<'f>(&self, fitted: &'f Fitted) -> (Vec<f64>, Intent) {
        let own = |values: &'f [f64]| values.to_vec();
        let Some((k, _)) = &self.contrast else {
            let values = if self.statistic == "residual sd" { &fitted.residual_sd } else { &fitted.r2 };
            return (own(values), Intent::None);
        };
        let of = &fitted.statistics[*k];
        match self.statistic {
            "effect" => (of.effects.row(0).to_vec(), Intent::None),
            "variance" => (own(&of.variance), Intent::None),
            "t" => (own(&of.statistic), Intent::T { df: of.df }),
            "F" => (own(&of.statistic), Intent::F { df1: of.n_rows as f64, df2: of.df }),
            _ => (own(&of.z), Intent::Z),
        }
    }

    fn bytes(&self, fitted: &Fitted) -> Result<Vec<u8>> {
        let (values, intent) = self.values(fitted);
        let Place { voxels, n_grid, space, is_f8, names } = &fitted.place;
        let mut bytes = Vec::new();
        match space {
            Some(space) => {
                let mut all = vec![f32::NAN; *n_grid];
                voxels.iter().zip(values).for_each(|(&voxel, value)| all[voxel] = value as f32);
                let format = match MapFormat::of_space(space) {
                    MapFormat::Nifti { .. } => MapFormat::Nifti { gzip: true },
                    other => other,
                };
                write_maps(&mut bytes, format, &[(self.statistic, &all)], space, intent)?;
            }
            None => {
                let mut all = vec![f64::NAN; *n_grid];
                voxels.iter().zip(values).for_each(|(&voxel, value)| all[voxel] = value);
                let dtype = if *is_f8 { Dtype::F8 } else { Dtype::F4 };
                let mut rows = RowWriter::new(&mut bytes, 1, *n_grid, dtype)?;
                rows.write_rows(ArrayView2::from_shape((1, *n_grid), &all)?)?;
                let ids = Some(vec![self.statistic.to_owned()]);
                rows.finish(&Labels { ids, columns: names.clone(), name: None })?;
            }
        }
        Ok(bytes)
    }
}

/// The weights of a contrast, which are those that were used: of each run, of each row, the columns that have one.
fn weights_of(asked: &Asked, runs: &[Designed]) -> Value {
    let of_row = |names: &[String], row: ArrayView1<f64>| -> Value {
        let weighed = names.iter().zip(row).filter(|(_, weight)| **weight != 0.0);
        weighed.map(|(name, weight)| (name.clone(), Value::from(*weight))).collect::<serde_json::Map<_, _>>().into()
    };
    let of_run = |(weights, run): (&Array2<f64>, &Designed)| -> Value {
        weights.rows().into_iter().map(|row| of_row(&run.design.names, row)).collect()
    };
    asked.weights.iter().zip(runs).map(of_run).collect()
}

fn write_design(design: &Design, out: Output) -> Result<Output> {
    let names: Vec<&str> = design.names.iter().map(String::as_str).collect();
    let mut table = TableWriter::new(out, Format::Tsv, &names).context("output")?;
    for row in design.matrix.rows() {
        let cells: Vec<Named> = names.iter().zip(row).map(|(name, value)| (*name, Cell::from(*value))).collect();
        table.record(&cells).context("output")?;
    }
    Ok(table.into_inner())
}

/// A contrast as BIDS spells labels: letters and digits, signs in words.
fn label(text: &str) -> String {
    let spaced = format!(" {text} ").replace(" - ", " Minus ").replace(" + ", " Plus ");
    let mut label = String::new();
    for c in spaced.chars() {
        match c {
            '>' => label += "Gt",
            ',' | ';' => label += "And",
            '*' => label += "Times",
            c if c.is_ascii_alphanumeric() => label.push(c),
            _ => {}
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrasts_become_labels() {
        assert_eq!(label("faces > bodies,places"), "facesGtbodiesAndplaces");
        assert_eq!(label("2*a - b-side - c"), "2TimesaMinusbsideMinusc");
        assert_eq!(label("顔"), "");
    }
}
