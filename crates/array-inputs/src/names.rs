//! What arrays are called in tables: the one rule for all tools.
//!
//! `--names` comes first, then the array's own name (the 0-d text behind it, or the member of an archive), then its
//! place: the file's stem (`stem:1`, ... for further arrays of a file), the position in a pipe. Where arrays of one
//! command have the same own name (eight people's files that all say `FFA`), all that share it are called by their
//! place instead, with the name behind the stem (`sub-01:FFA`) where the file holds several arrays.

use crate::streams::labels_in;
use anyhow::{Result, bail};
use cli::Input;
use std::collections::{HashMap, HashSet};

/// What an array may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Where it comes from.
    pub input: Input,
    /// Its place in the input, from 0.
    pub position: usize,
    /// Its own name.
    pub own: Option<String>,
}

impl Called {
    /// The array at `position` of `input`.
    pub fn new(input: &Input, position: usize, own: Option<&str>) -> Called {
        Called { input: input.clone(), position, own: own.map(str::to_owned) }
    }

    /// What a table may call it that was written when it stood in other company ([`called_apart`]), after `shown`, what
    /// it is called now. Its own name is none where it goes by its place: another array has that name too.
    fn in_tables(&self, shown: &str) -> Vec<String> {
        let mut names = vec![shown.to_owned(), self.input.array_name(self.position)];
        if let (Some(own), Some(_)) = (self.own.as_ref().filter(|own| *own == shown), self.input.path()) {
            names.push(format!("{}:{own}", self.input.array_name(0)));
        }
        names
    }
}

/// The name of each: its own one, unless another is called so too.
///
/// ```
/// use array_inputs::{Called, called_apart};
/// let called = |file: &str, position, own| Called::new(&file.parse().unwrap(), position, Some(own));
/// let people = [called("sub-01.npy", 0, "FFA"), called("sub-01.npy", 1, "OFA"), called("sub-02.npy", 0, "FFA")];
/// assert_eq!(called_apart(&people), ["sub-01:FFA", "OFA", "sub-02"]);
/// ```
pub fn called_apart(all: &[Called]) -> Vec<String> {
    let mut of_input: HashMap<&Input, Vec<&Called>> = HashMap::new();
    all.iter().for_each(|called| of_input.entry(&called.input).or_default().push(called));
    let places: Vec<String> = all
        .iter()
        .map(|called| {
            let others = &of_input[&called.input];
            let of_name = others.iter().filter(|other| other.own == called.own).count();
            match (&called.own, called.input.path()) {
                (Some(own), Some(_)) if others.len() > 1 && of_name == 1 => {
                    format!("{}:{own}", called.input.array_name(0))
                }
                _ => called.input.array_name(called.position),
            }
        })
        .collect();
    let name = |k: usize, by_place: bool| all[k].own.as_deref().filter(|_| !by_place).unwrap_or(&places[k]);
    let mut by_place = vec![false; all.len()];
    loop {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        by_place.iter().enumerate().for_each(|(k, by_place)| *counts.entry(name(k, *by_place)).or_default() += 1);
        // A place may again be what another is called by itself.
        let shared = |k: usize| by_place[k] || (all[k].own.is_some() && counts[name(k, false)] > 1);
        let more: Vec<bool> = (0..all.len()).map(shared).collect();
        if more == by_place {
            return by_place.iter().enumerate().map(|(k, by_place)| name(k, *by_place).to_owned()).collect();
        }
        by_place = more;
    }
}

/// Hands out names: those of `--names` in order, else as [`called_apart`] has it.
#[derive(Debug, Clone, Default)]
pub struct Names {
    given: Vec<String>,
    used: usize,
    distinct: bool,
    taken: HashSet<String>,
    /// Names of arrays in regular files, which could be looked at before.
    of_files: HashMap<(Input, usize), String>,
    columns_are_named: bool,
}

impl Names {
    /// The names of `--names`, possibly none.
    pub fn new(given: &[String]) -> Names {
        Names { given: given.to_vec(), ..Names::default() }
    }

    /// The same, but a name that comes twice is an error: for tables in which nothing else tells arrays apart.
    pub fn distinct(given: &[String]) -> Names {
        Names { distinct: true, ..Names::new(given) }
    }

    /// Looks at the own names of all arrays in regular files: for tools that need the name of one array before the
    /// next has come. What cannot be read there is for the reader to say.
    pub fn of_files(mut self, inputs: &[Input]) -> Names {
        let mut called = Vec::new();
        for input in inputs {
            for (position, labels) in labels_in(input).into_iter().enumerate() {
                called.push(Called::new(input, position, labels.name.as_deref()));
                self.columns_are_named |= labels.columns.is_some();
            }
        }
        let names = called_apart(&called);
        self.of_files = called.into_iter().map(|called| (called.input, called.position)).zip(names).collect();
        self
    }

    /// How many arrays were looked at by [`Names::of_files`].
    pub fn n_looked_at(&self) -> usize {
        self.of_files.len()
    }

    /// Whether an array that was looked at by [`Names::of_files`] has names of its columns.
    pub fn of_columns_are_known(&self) -> bool {
        self.columns_are_named
    }

    /// Whether `--names` says what the arrays are called, so that their own names are of no matter.
    pub fn are_given(&self) -> bool {
        !self.given.is_empty()
    }

    /// An error where `--names` has no name for array number `n` of all inputs, before it is read.
    pub fn require(&self, n: usize, input: &Input) -> Result<()> {
        if self.are_given() && n >= self.given.len() {
            bail!("{input}: array {n} has no name; --names gives {}", self.given.len());
        }
        Ok(())
    }

    /// What tables may call the next array, of which it is not known yet whether it has a name of its own.
    pub fn expected(&self, called: &Called) -> Vec<String> {
        let given = self.given.get(self.used).cloned();
        vec![given.unwrap_or_else(|| called.input.array_name(called.position))]
    }

    /// The name of the next array.
    pub fn next(&mut self, called: &Called) -> Result<String> {
        let Called { input, position, own } = called;
        let name = match self.of_files.get(&(input.clone(), *position)) {
            Some(name) => name.clone(),
            // What a pipe brings cannot be looked at before: the first of a name keeps it.
            None => {
                let is_free =
                    |own: &&String| !self.taken.contains(*own) && !self.of_files.values().any(|name| name == *own);
                own.as_ref().filter(is_free).cloned().unwrap_or_else(|| input.array_name(*position))
            }
        };
        self.hand_out(input, name)
    }

    /// The names of all arrays of all inputs, when all have come.
    pub fn all(&mut self, called: &[Called]) -> Result<Vec<String>> {
        let apart = called_apart(called);
        let one = |(called, name): (&Called, String)| self.hand_out(&called.input, name);
        let names = called.iter().zip(apart).map(one).collect::<Result<_>>()?;
        self.finish()?;
        Ok(names)
    }

    fn hand_out(&mut self, input: &Input, otherwise: String) -> Result<String> {
        self.require(self.used, input)?;
        if self.given.get(self.used).is_some_and(String::is_empty) {
            bail!("{input}: --names: name {} is empty; names stand between single commas", self.used);
        }
        self.used += 1;
        let name = self.given.get(self.used - 1).cloned().unwrap_or(otherwise);
        if !self.taken.insert(name.clone()) && self.distinct {
            bail!("{input}: array {} is the second called {name:?}; give different names with --names", self.used - 1);
        }
        Ok(name)
    }

    /// What tables may call an array that is called `shown` now: nothing else where `--names` says so, and nothing that
    /// another array of the command is called.
    pub fn in_tables(&self, shown: &str, called: &Called) -> Vec<String> {
        if self.are_given() {
            return vec![shown.to_owned()];
        }
        let is_anothers = |name: &String| {
            name != shown && (self.taken.contains(name) || self.of_files.values().any(|other| other == name))
        };
        let mut names = called.in_tables(shown);
        names.retain(|name| !is_anothers(name));
        names
    }

    /// Every name must have been used.
    pub fn finish(&self) -> Result<()> {
        if self.given.len() > self.used {
            bail!("--names gives {} names for {} arrays", self.given.len(), self.used);
        }
        Ok(())
    }
}

/// The label of `sub-LABEL` in a BIDS name or path, the last one: letters and digits behind a `sub-` that begins a
/// part.
pub fn person_of(text: &str) -> Option<String> {
    let begins = |at: usize| at == 0 || !text[..at].ends_with(|c: char| c.is_alphanumeric());
    text.rmatch_indices("sub-").filter(|(at, _)| begins(*at)).find_map(|(at, found)| {
        let rest = &text[at + found.len()..];
        let label = &rest[..rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())];
        (!label.is_empty()).then(|| label.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(file: &str, position: usize, own: &str) -> Called {
        Called::new(&file.parse().unwrap(), position, Some(own).filter(|own| !own.is_empty()))
    }

    #[test]
    fn all_that_share_a_name_are_called_by_their_place() {
        let apart = |all: &[(&str, usize, &str)]| {
            called_apart(&all.iter().map(|(file, position, own)| called(file, *position, own)).collect::<Vec<_>>())
        };
        assert_eq!(apart(&[("a.npy", 0, "conv"), ("a.npy", 1, "fc"), ("b.npy", 0, "")]), ["conv", "fc", "b"]);
        assert_eq!(apart(&[("s1/a.npy", 0, "FFA"), ("s2/a.npy", 0, "FFA"), ("c.npy", 0, "V1")]), ["a", "a", "V1"]);
        assert_eq!(
            apart(&[("a.npy", 0, "F"), ("a.npy", 1, "O"), ("b.npy", 0, "F"), ("b.npy", 1, "O")]),
            ["a:F", "a:O", "b:F", "b:O"]
        );
        // Within one file, and in a pipe, only the position is left.
        assert_eq!(apart(&[("a.npy", 0, "F"), ("a.npy", 1, "F"), ("a.npy", 2, "O")]), ["a", "a:1", "O"]);
        assert_eq!(apart(&[("-", 0, "F"), ("-", 1, "F"), ("-", 2, "O")]), ["0", "1", "O"]);
        assert_eq!(apart(&[("a.npz:x", 0, "x"), ("b.npz:x", 0, "x"), ("b.npz:y", 0, "y")]), ["a", "b", "y"]);
        // A place that is another's own name: that one moves too.
        assert_eq!(apart(&[("F.npy", 0, ""), ("a.npy", 0, "F")]), ["F", "a"]);
        assert_eq!(apart(&[("b.npy", 0, "F"), ("c.npy", 0, "F"), ("d.npy", 0, "b")]), ["b", "c", "d"]);
    }

    #[test]
    fn given_names_come_first_and_all_are_used() {
        let all = [called("a.npy", 0, "conv"), called("-", 0, "")];
        assert_eq!(Names::new(&[]).all(&all).unwrap(), ["conv", "0"]);
        assert_eq!(Names::new(&["x".into(), "y".into()]).all(&all).unwrap(), ["x", "y"]);
        let error = |given: &[&str]| {
            let given: Vec<String> = given.iter().map(|name| (*name).to_string()).collect();
            Names::distinct(&given).all(&all).unwrap_err().to_string()
        };
        assert!(error(&["x"]).contains("array 1 has no name; --names gives 1"));
        assert!(error(&["x", "y", "z"]).contains("--names gives 3 names for 2 arrays"));
        assert!(error(&["x", "x"]).contains("array 1 is the second called \"x\""));
    }

    #[test]
    fn in_a_pipe_the_first_of_a_name_keeps_it() {
        let mut names = Names::distinct(&[]);
        let handed: Vec<String> =
            ["F", "F", "", "O"].iter().enumerate().map(|(k, own)| names.next(&called("-", k, own)).unwrap()).collect();
        assert_eq!(handed, ["F", "1", "2", "O"]);
    }

    #[test]
    fn people_are_known_by_their_bids_label() {
        for (text, label) in [
            ("data/sub-01/ffa.npy", Some("01")),
            ("sub-01_roi-ffa", Some("01")),
            ("sub-01/sub-02_ofa.npy (array 3)", Some("02")),
            ("asub-01/ffa.npy", None),
            ("sub-/x", None),
            ("0", None),
        ] {
            assert_eq!(person_of(text).as_deref(), label, "{text}");
        }
    }
}
