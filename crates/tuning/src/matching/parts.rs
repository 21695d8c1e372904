//! Which stimuli choose the units, and which judge them.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use array_inputs::{JoinArgs, read_table};
use cli::{Input, Job};
use statistics::folds_of_set;
use stimulus_table::{Condition, TableJoin};

use crate::annotations::{Annotations, distinct};

/// The part of each stimulus, and which parts are held out in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    /// One per stimulus; `None`: in none.
    pub of_stimulus: Vec<Option<usize>>,
    /// Parts that are held out while the others choose.
    pub held_out: Vec<usize>,
    /// Whether every part is held out once, so that rows need the name of theirs.
    pub is_cross_validated: bool,
}

impl Parts {
    /// `k` parts dealt from the set of ids (or of positions) by the seed: the second of two is held out, or each in
    /// turn where the number was asked for.
    pub(crate) fn dealt(ids: Option<&[String]>, n: usize, k: Option<usize>, seed: u64) -> Result<Parts> {
        let n_parts = k.unwrap_or(2);
        let folds = match ids {
            Some(ids) => folds_of_set(ids, n_parts, seed),
            None => folds_of_set(&(0..n).collect::<Vec<_>>(), n_parts, seed),
        };
        let folds = folds.context(if k.is_some() { "--cv" } else { "two halves" })?;
        Ok(Parts {
            of_stimulus: folds.fold_of_row.into_iter().map(Some).collect(),
            held_out: if k.is_some() { (0..n_parts).collect() } else { vec![1] },
            is_cross_validated: k.is_some(),
        })
    }

    /// Stimuli with this value choose, those with any other judge, those without one are in neither part.
    pub(crate) fn by_column(
        job: &Job,
        (source, ids): (&str, Option<&[String]>),
        table: &Input,
        train: &Condition,
        join: JoinArgs,
    ) -> Result<Parts> {
        let Condition { column, value } = train;
        let Some(ids) = ids else {
            bail!("{source}: 0 ids, and --train looks stimuli up in {table}; write them with `npy label`")
        };
        let stimuli = read_table(job, table)?;
        let named = table.to_string();
        let (listed, rows_of) = distinct(stimuli.ids().with_context(|| named.clone())?.1);
        let joined = TableJoin::labelled(source, ids, (&named, &listed), join.options())?;
        joined.message.into_iter().for_each(|message| job.note(message));
        let rows = joined.rows.iter().flatten().map(|&listed| rows_of[listed].clone()).collect();
        let levels = Annotations { table: &stimuli, source: named, rows }.levels(job, column)?;
        if !levels.contains(value) {
            let there: BTreeSet<&str> = levels.iter().map(String::as_str).filter(|level| !level.is_empty()).collect();
            let shown: Vec<&str> = there.into_iter().take(20).collect();
            bail!(
                "{table}: --train {column}={value}: column {column:?} never is {value:?}; it has {}",
                shown.join(", ")
            );
        }
        // Stimuli that the table does not list have no level.
        let mut levels = levels.iter();
        let level_of = joined.rows.iter().map(|row| row.and_then(|_| levels.next()));
        let part = |level: Option<&String>| match level.map(String::as_str) {
            None | Some("") => None,
            Some(level) => Some(usize::from(level != value)),
        };
        let of_stimulus: Vec<Option<usize>> = level_of.map(part).collect();
        let n_in_none = of_stimulus.iter().filter(|part| part.is_none()).count();
        if n_in_none > 0 {
            job.note(format!("{table}: {n_in_none} of {} stimuli have no {column} and are in neither part", ids.len()));
        }
        Ok(Parts { of_stimulus, held_out: vec![1], is_cross_validated: false })
    }

    /// What a part is called: its number from 1 where each is held out in turn, else its role.
    pub(crate) fn name(&self, part: usize) -> String {
        match (self.is_cross_validated, part) {
            (true, part) => (part + 1).to_string(),
            (false, 0) => "train".into(),
            (false, _) => "test".into(),
        }
    }

    /// Places in `stimuli` (numbers of stimuli) that choose and that judge, while this part is held out.
    pub(crate) fn split(&self, stimuli: &[usize], held_out: usize) -> (Vec<usize>, Vec<usize>) {
        let in_part = |place: &usize| self.of_stimulus[stimuli[*place]];
        let places = || (0..stimuli.len()).filter(|place| in_part(place).is_some());
        places().partition(|place| in_part(place) != Some(held_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_the_same_stimuli_in_any_order() {
        let ids: Vec<String> = (0..9).map(|i| format!("s{i}")).collect();
        let backwards: Vec<String> = ids.iter().rev().cloned().collect();
        let one = Parts::dealt(Some(&ids), 9, None, 3).unwrap();
        let other = Parts::dealt(Some(&backwards), 9, None, 3).unwrap();
        assert!(one.of_stimulus.iter().eq(other.of_stimulus.iter().rev()));
        // The larger half chooses.
        let (train, test) = one.split(&(0..9).collect::<Vec<_>>(), 1);
        assert_eq!((train.len(), test.len(), one.held_out.as_slice()), (5, 4, &[1][..]));
        // What the halves of all stimuli say holds for a part of them.
        let some = [8, 0, 4];
        let (train, test) = one.split(&some, 1);
        assert!(train.iter().all(|k| one.of_stimulus[some[*k]] == Some(0)));
        assert_eq!(train.len() + test.len(), 3);
        // --cv 2 holds the same halves out in turn.
        let both = Parts::dealt(Some(&ids), 9, Some(2), 3).unwrap();
        assert_eq!((both.of_stimulus.as_slice(), both.held_out.len()), (one.of_stimulus.as_slice(), 2));
        assert_eq!(both.name(1), "2");
        assert!(Parts::dealt(None, 3, Some(4), 0).unwrap_err().chain().any(|e| e.to_string().contains("at most 3")));
    }
}
