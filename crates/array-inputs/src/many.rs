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
    /// Brings any number of inputs, each with one row per stimulus, into the order of the first one that has ids: row
    /// `rows[a][k]` of input `a` is the same stimulus for every `a`.
    ///
    /// Ids that occur again in an input are an error ([`require_unique`]). With `--inner` the ids common to all
    /// inputs are kept. `--assume-order` joins only what has no ids by position, and only where all that have ids have
    /// them in one order. Every input that is moved, cut, or joined by position has its line on stderr.
    pub fn join_all(self, job: &Job, sides: &[Side]) -> Result<Vec<Vec<usize>>> {
        for side in sides {
            require_unique(*side)?;
        }
        let reference = sides.iter().position(|s| s.labels.is_some()).unwrap_or(0);
        let Some(first) = sides.get(reference) else { return Ok(Vec::new()) };
        let unlabelled = sides.iter().find(|s| s.labels.is_none());
        let moved = sides.iter().find(|s| s.labels.is_some() && s.labels != first.labels);
        if let (true, Some(bare), Some(moved)) = (self.assume_order, unlabelled, moved) {
            bail!(
                "{} has {} rows without ids, and the ids of {} and {} are not the same in the same order, so its \
                 position says nothing; write its ids with `npy label`",
                bare.name,
                bare.n_rows,
                first.name,
                moved.name
            );
        }
        let mut rows: Vec<Vec<Option<usize>>> = Vec::new();
        for (index, other) in sides.iter().enumerate() {
            if index == reference {
                rows.push((0..first.n_rows).map(Some).collect());
                continue;
            }
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

/// An error when one input has no ids and another has repeated trials: once trials are averaged, their rows stand in
/// the order in which each id first occurs, and a row without an id cannot be matched to that by its position. `n_rows`
/// are the rows before trials were averaged.
pub fn refuse_position_of_trials(sides: &[Side], n_rows: &[usize]) -> Result<()> {
    let bare = sides.iter().find(|side| side.labels.is_none());
    let repeated = sides.iter().zip(n_rows).find(|(side, rows)| side.labels.is_some() && side.n_rows < **rows);
    if let (Some(bare), Some((trials, rows))) = (bare, repeated) {
        bail!(
            "{} has {} rows without ids and {} has {rows} trials of {} stimuli; write the ids with `npy label`",
            bare.name,
            bare.n_rows,
            trials.name,
            trials.n_rows
        );
    }
    Ok(())
}

/// Makes names differ: where several files have the same stem, their folder goes in front (`sub-01/ffa`, `sub-02/ffa`).
/// Two names that are still equal are an error, since no table could tell them apart.
pub fn tell_apart(arrays: &mut [NamedArray]) -> Result<()> {
    let mut names: Vec<String> = arrays.iter().map(|a| a.name.clone()).collect();
    let sources: Vec<&str> = arrays.iter().map(|a| a.source.as_str()).collect();
    tell_names_apart(&mut names, &sources)?;
    arrays.iter_mut().zip(names).for_each(|(array, name)| array.name = name);
    Ok(())
}

/// [`tell_apart`] for things that are not in memory: one name and one source each.
pub fn tell_names_apart(names: &mut [String], sources: &[&str]) -> Result<()> {
    let count = |names: &[String]| -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for name in names {
            *counts.entry(name.clone()).or_default() += 1;
        }
        counts
    };
    let counts = count(names);
    for (name, source) in names.iter_mut().zip(sources).filter(|(name, _)| counts[*name] > 1) {
        if let Some(folder) = Path::new(source).parent().and_then(Path::file_name) {
            *name = format!("{}/{name}", folder.to_string_lossy());
        }
    }
    let counts = count(names);
    let Some(alike) = names.iter().find(|name| counts[*name] > 1) else { return Ok(()) };
    let of_it: Vec<&str> = names.iter().zip(sources).filter(|(name, _)| *name == alike).map(|(_, s)| *s).collect();
    bail!("{} and {} are both named {alike:?}; give {} names with --names", of_it[0], of_it[1], names.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use npy_stream::{Array, Labels, Values};

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
    fn assume_order_is_only_for_what_has_no_ids() {
        let (straight, moved) = (ids("wxyz"), ids("xwzy"));
        let side = |name, labels: Option<&'static [String]>| Side { name, labels, n_rows: 4 };
        let (straight, moved): (&'static [String], &'static [String]) = (straight.leak(), moved.leak());
        let join = JoinArgs { inner: false, assume_order: true };
        let rows = |sides: &[Side]| join.join_all(&job(), sides);
        let in_order = [[0, 1, 2, 3]; 3];
        assert_eq!(rows(&[side("a", None), side("b", Some(straight)), side("c", Some(straight))]).unwrap(), in_order);
        // The two that have ids disagree on the order: neither can be the one that a bare row i means.
        let error = rows(&[side("a", None), side("b", Some(straight)), side("c", Some(moved))]).unwrap_err();
        assert!(error.to_string().contains("b and c are not the same in the same order"), "{error}");
        // With ids everywhere --assume-order changes nothing.
        let by_id = rows(&[side("b", Some(straight)), side("c", Some(moved))]).unwrap();
        assert_eq!(by_id, [[0, 1, 2, 3], [1, 0, 3, 2]]);
    }

    #[test]
    fn trials_have_no_position() {
        let labels = ids("xy");
        let sides =
            [Side { name: "bare", labels: None, n_rows: 2 }, Side { name: "trials", labels: Some(&labels), n_rows: 2 }];
        let error = refuse_position_of_trials(&sides, &[2, 4]).unwrap_err().to_string();
        assert!(error.contains("bare has 2 rows") && error.contains("4 trials of 2 stimuli"), "{error}");
        refuse_position_of_trials(&sides, &[2, 2]).unwrap();
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
            names_in_tables: vec![name.into()],
            source: source.into(),
            array: Array { shape: vec![0], values: Values::F8(vec![]), labels: Labels::default(), index: 0 },
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
