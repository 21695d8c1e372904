//! More than two inputs: told apart by name, brought into one order by id.

use crate::{JoinArgs, NamedArray};
use anyhow::{Result, bail};
use cli::Job;
use std::collections::HashMap;
use std::path::Path;
use stimulus_table::Side;

/// An error when an id of `side` occurs again: where rows are stimuli, presentations must have been averaged.
pub fn require_unique(side: Side) -> Result<()> {
    let Some(labels) = side.labels else { return Ok(()) };
    let mut counts: HashMap<&str, usize> = HashMap::with_capacity(labels.len());
    for label in labels {
        *counts.entry(label).or_default() += 1;
    }
    let Some(repeated) = labels.iter().find(|label| counts[label.as_str()] > 1) else { return Ok(()) };
    bail!(
        "{}: stimulus {repeated:?} occurs {} times ({} rows, {} ids); average the presentations of each stimulus \
         first with `npy average`",
        side.name,
        counts[repeated.as_str()],
        labels.len(),
        counts.len()
    )
}

impl JoinArgs {
    /// Brings any number of inputs, each with one row per stimulus, into the order of the first one: row
    /// `rows[a][k]` of input `a` is the same stimulus for every `a`.
    ///
    /// Ids that occur again in an input are an error ([`require_unique`]). With `--inner` the ids common to all
    /// inputs are kept. Every input that is moved, cut, or joined by position has its line on stderr.
    pub fn join_all(self, job: &Job, sides: &[Side]) -> Result<Vec<Vec<usize>>> {
        let Some((first, others)) = sides.split_first() else { return Ok(Vec::new()) };
        for side in sides {
            require_unique(*side)?;
        }
        let mut rows: Vec<Vec<Option<usize>>> = vec![(0..first.n_rows).map(Some).collect()];
        for other in others {
            let joined = self.join(job, *first, *other)?;
            let mut partner = vec![None; first.n_rows];
            for (&own, &theirs) in joined.left.iter().zip(&joined.right) {
                partner[own] = Some(theirs);
            }
            rows.push(partner);
        }
        let common = |row: &usize| rows.iter().all(|partner| partner[*row].is_some());
        let kept: Vec<usize> = (0..first.n_rows).filter(common).collect();
        if kept.is_empty() {
            bail!("{}: none of its {} ids is in all {} inputs", first.name, first.n_rows, sides.len());
        }
        Ok(rows.iter().map(|partner| kept.iter().filter_map(|&row| partner[row]).collect()).collect())
    }
}

/// Makes names differ: where several files have the same stem, their folder goes in front (`sub-01/ffa`, `sub-02/ffa`).
/// Two names that are still equal are an error, since no table could tell them apart.
pub fn tell_apart(arrays: &mut [NamedArray]) -> Result<()> {
    let count = |arrays: &[NamedArray]| -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for array in arrays {
            *counts.entry(array.name.clone()).or_default() += 1;
        }
        counts
    };
    let counts = count(arrays);
    for array in arrays.iter_mut().filter(|a| counts[&a.name] > 1) {
        if let Some(folder) = Path::new(&array.source).parent().and_then(Path::file_name) {
            array.name = format!("{}/{}", folder.to_string_lossy(), array.name);
        }
    }
    let counts = count(arrays);
    let mut alike = arrays.iter().filter(|a| counts[&a.name] > 1);
    if let (Some(one), Some(other)) = (alike.next(), alike.next()) {
        bail!(
            "{} and {} are both named {:?}; give {} names with --names",
            one.source,
            other.source,
            one.name,
            arrays.len()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use npy_stream::{Array, Values};

    fn job() -> Job {
        Job::start("test", &cli::Common { quiet: true, ..Default::default() }).unwrap()
    }

    fn ids(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    fn joined(sides: &[&str], inner: bool) -> Result<Vec<Vec<usize>>> {
        let labels: Vec<Vec<String>> = sides.iter().map(|s| ids(s)).collect();
        let sides: Vec<Side> = labels
            .iter()
            .zip(["a", "b", "c"])
            .map(|(l, name)| Side { name, labels: Some(l), n_rows: l.len() })
            .collect();
        JoinArgs { inner, assume_order: false }.join_all(&job(), &sides)
    }

    #[test]
    fn all_come_into_the_order_of_the_first() {
        assert_eq!(joined(&["wxyz", "zyxw", "xwzy"], false).unwrap(), [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2]]);
        assert!(joined(&["wxy", "wxz"], false).is_err());
    }

    #[test]
    fn inner_keeps_what_all_have() {
        // x and z are in all three, y only in the first two
        let rows = joined(&["wxyz", "zyx", "qxz"], true).unwrap();
        assert_eq!(rows, [[1, 3], [2, 0], [1, 2]]);
        // each has something in common with the first, nothing is in all
        let error = joined(&["wxyz", "wx", "yz"], true).unwrap_err().to_string();
        assert!(error.contains("a: none of its 4 ids is in all 3 inputs"), "{error}");
    }

    #[test]
    fn repeated_ids_are_named_with_both_counts() {
        let error = joined(&["wxyz", "wxxyz"], false).unwrap_err().to_string();
        assert!(error.starts_with("b: stimulus \"x\" occurs 2 times (5 rows, 4 ids);"), "{error}");
    }

    #[test]
    fn folders_tell_equal_stems_apart() {
        let named = |name: &str, source: &str| NamedArray {
            name: name.into(),
            source: source.into(),
            array: Array { shape: vec![0], values: Values::F8(vec![]), labels: None, index: 0 },
        };
        let mut arrays = [
            named("ffa", "sub-1/ffa.npy"),
            named("ffa", "data/sub-2/ffa.npy (array 0)"),
            named("ffa:1", "data/sub-2/ffa.npy (array 1)"),
            named("ppa", "sub-1/ppa.npy"),
        ];
        tell_apart(&mut arrays).unwrap();
        assert_eq!(arrays.clone().map(|a| a.name), ["sub-1/ffa", "sub-2/ffa", "ffa:1", "ppa"]);
        let error = tell_apart(&mut [named("ffa", "ffa.npy"), named("ffa", "ffa.npy")]).unwrap_err().to_string();
        assert!(error.contains("ffa.npy and ffa.npy are both named \"ffa\""), "{error}");
    }
}
