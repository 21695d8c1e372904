//! What a column of a table says of stimuli or of RDMs, found by id: groups, and folds that are given.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use array_inputs::{read_levels, read_table};
use cli::{Input, Job};
use rdm::Partition;
use rdm::inference::Groups;
use stimulus_table::Table;

/// What a column says of ids.
pub struct Levels {
    source: String,
    column: String,
    of: HashMap<String, String>,
}

impl Levels {
    /// Ids stand in the column `ids`, else where a table of stimuli has them; rows of one id say the same.
    pub fn read(job: &Job, input: &Input, column: &str, ids: Option<&str>) -> Result<Levels> {
        let source = input.to_string();
        let table: Table = read_table(job, input)?;
        let levels = read_levels(job, &table, &source, column)?;
        let ids = match ids {
            Some(named) => table.ids_in(named),
            None => table.ids().map(|(_, ids)| ids),
        };
        let mut of: HashMap<String, String> = HashMap::new();
        for (id, level) in ids.with_context(|| source.clone())?.iter().zip(levels) {
            if let Some(other) = of.insert(id.clone(), level.clone())
                && other != level
            {
                bail!("{source}: {id:?} has {other:?} and {level:?} in column {column:?}; it can be in one group");
            }
        }
        Ok(Levels { source, column: column.to_string(), of })
    }

    /// One per id; `what` is what an id is of, for messages. Rows of other ids are not looked at.
    pub fn of<'a>(&'a self, ids: &[&str], what: &str) -> Result<Vec<&'a str>> {
        let Levels { source, column, of } = self;
        let missing: Vec<&&str> = ids.iter().filter(|id| !of.contains_key(**id)).collect();
        if let Some(first) = missing.first() {
            let more = match missing.len() {
                1 => String::new(),
                2 => format!(" and 1 other of the {}", ids.len()),
                n => format!(" and {} others of the {}", n - 1, ids.len()),
            };
            bail!("{source}: no row for {what} {first:?}{more} ({} are in it)", of.len());
        }
        let one = |id: &&str| match of[*id].as_str() {
            "" => bail!("{source}: {what} {id:?} has nothing in column {column:?}"),
            level => Ok(level),
        };
        ids.iter().map(one).collect()
    }
}

/// Into which groups subjects, or stimuli, are split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SplitBy {
    /// So many random ones.
    Groups(usize),
    /// Those of the column `fold` of a table: `@FOLDS.csv`.
    Given(PathBuf),
}

impl FromStr for SplitBy {
    type Err = String;

    fn from_str(text: &str) -> Result<SplitBy, String> {
        match (text.strip_prefix('@'), text.trim().parse::<usize>()) {
            (Some(path), _) if !path.is_empty() => Ok(SplitBy::Given(path.into())),
            (None, Ok(k)) if k > 0 => Ok(SplitBy::Groups(k)),
            _ => Err(format!("\"{text}\" is neither a number from 1 nor @FOLDS, a table with a column fold")),
        }
    }
}

impl fmt::Display for SplitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SplitBy::Groups(k) => write!(f, "{k}"),
            SplitBy::Given(path) => write!(f, "@{}", path.display()),
        }
    }
}

/// `SUBJECTS,STIMULI`, a number or @FOLDS each, for the parser of arguments.
pub fn two_splits(text: &str) -> Result<[SplitBy; 2], String> {
    match text.split(',').collect::<Vec<&str>>()[..] {
        [subjects, stimuli] => Ok([subjects.parse()?, stimuli.parse()?]),
        _ => Err(format!(
            "\"{text}\" is not two of a number from 1 or @FOLDS, as in 3,5 or 3,@folds.csv (groups of subjects, groups \
             of stimuli; no comma in a path)"
        )),
    }
}

/// Whose folds a table gives, and how it names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldsOf {
    /// By the names of RDMs, in the column `subject`.
    Subjects,
    /// By ids, where a table of stimuli has them.
    Stimuli,
}

impl SplitBy {
    /// The partition of what these ids name; what is `together` stays so. `source` is where the ids come from.
    pub fn partition(
        &self,
        job: &Job,
        whose: FoldsOf,
        source: &str,
        ids: Option<&[&str]>,
        together: &Groups,
    ) -> Result<Partition> {
        let path = match self {
            SplitBy::Groups(k) => return Ok(Partition::random_of(*k, together.clone())),
            SplitBy::Given(path) => path,
        };
        let (what, many, column) = match whose {
            FoldsOf::Subjects => ("brain RDM", "brain RDMs", Some("subject")),
            FoldsOf::Stimuli => ("stimulus", "stimuli", None),
        };
        let Some(ids) = ids else { bail!("{source}: no stimulus ids, so {self} says the fold of none") };
        let levels = Levels::read(job, &Input::File(path.clone()), "fold", column)?;
        let folds = levels.of(ids, what)?;
        let names: Vec<&str> = folds.iter().copied().collect::<BTreeSet<&str>>().into_iter().collect();
        if names.len() < 2 {
            bail!(
                "{self}: all {} {many} are in fold {:?}; cross-validation needs at least 2 folds",
                ids.len(),
                names[0]
            );
        }
        for members in together.members() {
            if let Some(&other) = members.iter().find(|&&i| folds[i] != folds[members[0]]) {
                bail!(
                    "{self}: {what} {:?} is in fold {:?} and {:?} in fold {:?}, but they are of one group; give a group \
                     one fold",
                    ids[members[0]],
                    folds[members[0]],
                    ids[other],
                    folds[other]
                );
            }
        }
        job.note(format!("{} {many} in the {} folds of {self}", ids.len(), names.len()));
        // Each name is there, as it came from there.
        Ok(Partition::given(folds.iter().map(|fold| names.partition_point(|name| name < fold)).collect()))
    }
}
