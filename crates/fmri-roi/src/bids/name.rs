//! Names of files in BIDS: `sub-01_task-loc_run-1_bold.nii.gz` is entities, a suffix and an extension.

use std::cmp::Ordering;
use std::path::Path;

/// Entities that derivatives add to those of the raw file that they come from, or leave out of them.
const OF_DERIVATIVES: [&str; 8] = ["space", "cohort", "res", "den", "hemi", "desc", "echo", "part"];

/// Entities whose labels are numbers, so that `run-01` is `run-1` (fMRIPrep has dropped zeros of raw names).
const NUMBERS: [&str; 4] = ["run", "echo", "flip", "inv"];

/// A file name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// In the order of the name.
    entities: Vec<(String, String)>,
    /// What stands behind the last `_`: `bold`.
    pub suffix: String,
    /// From the first dot: `.nii.gz`, `.dtseries.nii`.
    pub extension: String,
}

impl Name {
    /// `None` where the name is not of this form: a part without a label, an entity that occurs twice, no suffix.
    pub fn of(path: &Path) -> Option<Name> {
        let file = path.file_name()?.to_str()?;
        let (stem, extension) = file.split_at(file.find('.').unwrap_or(file.len()));
        let mut parts: Vec<&str> = stem.split('_').collect();
        let suffix = parts.pop().filter(|suffix| !suffix.is_empty() && !suffix.contains('-'))?;
        let mut entities: Vec<(String, String)> = Vec::new();
        for part in parts {
            let (key, label) = part.split_once('-').filter(|(key, label)| !key.is_empty() && !label.is_empty())?;
            if entities.iter().any(|(other, _)| other == key) {
                return None;
            }
            entities.push((key.to_owned(), label.to_owned()));
        }
        Some(Name { entities, suffix: suffix.to_owned(), extension: extension.to_owned() })
    }

    pub fn entities(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entities.iter().map(|(key, label)| (key.as_str(), label.as_str()))
    }

    pub fn n_entities(&self) -> usize {
        self.entities.len()
    }

    /// The label of an entity.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.entities().find(|(other, _)| *other == key).map(|(_, label)| label)
    }

    /// Whether a file of this name holds for `data` by the inheritance principle: `data` has all its entities.
    pub fn holds_for(&self, data: &Name) -> bool {
        self.entities().all(|(key, label)| data.label(key).is_some_and(|other| same_label(key, label, other)))
    }

    /// Whether both come from one raw file, as far as names say.
    pub fn has_raw_entities_of(&self, other: &Name) -> bool {
        self.raw().holds_for(&other.raw()) && other.raw().holds_for(&self.raw())
    }

    /// Whether both have the same entities, `desc` aside.
    pub fn is_of(&self, other: &Name) -> bool {
        let without = |name: &Name| name.without(|key| key == "desc");
        let (mine, theirs) = (without(self), without(other));
        mine.holds_for(&theirs) && theirs.holds_for(&mine)
    }

    /// Without what derivatives add.
    pub fn raw(&self) -> Name {
        self.without(|key| OF_DERIVATIVES.contains(&key))
    }

    /// Without some of the entities.
    pub fn without(&self, leave_out: impl Fn(&str) -> bool) -> Name {
        let mut name = self.clone();
        name.entities.retain(|(key, _)| !leave_out(key));
        name
    }

    /// The entities as they stand in a name: `sub-01_task-loc`.
    pub fn joined(&self) -> String {
        self.entities().map(|(key, label)| format!("{key}-{label}")).collect::<Vec<_>>().join("_")
    }
}

/// Whether two labels of an entity say the same.
pub(super) fn same_label(key: &str, a: &str, b: &str) -> bool {
    a == b || NUMBERS.contains(&key) && number(a).is_some_and(|a| Some(a) == number(b))
}

fn number(label: &str) -> Option<u64> {
    label.bytes().all(|byte| byte.is_ascii_digit()).then(|| label.parse().ok()).flatten()
}

/// The order in which people count: `run-2` before `run-10`.
pub(super) fn by_number(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (n, m) = (digits(a), digits(b));
        if n > 0 && m > 0 {
            let of = |digits: &str| digits.parse::<u64>().unwrap_or(u64::MAX);
            match of(&a[..n]).cmp(&of(&b[..m])).then_with(|| a[..n].cmp(&b[..m])) {
                Ordering::Equal => (a, b) = (&a[n..], &b[m..]),
                order => return order,
            }
            continue;
        }
        match (a.chars().next(), b.chars().next()) {
            (Some(c), Some(d)) if c == d => (a, b) = (&a[c.len_utf8()..], &b[d.len_utf8()..]),
            (c, d) => return c.cmp(&d),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::of(Path::new(text)).unwrap()
    }

    #[test]
    fn names_are_entities_a_suffix_and_an_extension() {
        let run = name("a.b/sub-01_task-loc_space-fsLR_den-91k_bold.dtseries.nii");
        assert_eq!((run.suffix.as_str(), run.extension.as_str()), ("bold", ".dtseries.nii"));
        assert_eq!((run.label("den"), run.label("run"), run.n_entities()), (Some("91k"), None, 4));
        assert_eq!(
            (run.joined(), run.raw().joined()),
            ("sub-01_task-loc_space-fsLR_den-91k".into(), "sub-01_task-loc".into())
        );
        assert_eq!(name("bold.json").n_entities(), 0);
        for odd in [
            "sub-01_task-loc",
            "sub-01__bold.nii",
            "sub_bold.nii",
            "sub-_bold.nii",
            "sub-1_sub-2_bold.nii",
            "_bold.nii",
        ] {
            assert_eq!(Name::of(Path::new(odd)), None, "{odd}");
        }
    }

    #[test]
    fn a_file_holds_for_names_that_have_its_entities() {
        let run = name("sub-01_task-loc_run-01_space-T1w_desc-preproc_bold.nii.gz");
        for (other, holds) in [
            ("task-loc_bold.json", true),
            ("bold.json", true),
            ("sub-01_task-loc_run-1_events.tsv", true),
            ("sub-01_task-loc_run-2_events.tsv", false),
            ("sub-01_task-loc_acq-x_bold.json", false),
            ("sub-1_task-loc_bold.json", false),
        ] {
            assert_eq!(name(other).holds_for(&run), holds, "{other}");
        }
        assert!(run.is_of(&name("sub-01_task-loc_run-1_space-T1w_desc-brain_mask.nii.gz")));
        assert!(!run.is_of(&name("sub-01_task-loc_run-1_desc-brain_mask.nii.gz")));
        assert!(run.has_raw_entities_of(&name("sub-01_task-loc_run-1_desc-confounds_timeseries.tsv")));
        assert!(!run.has_raw_entities_of(&name("sub-01_task-loc_desc-confounds_timeseries.tsv")));
    }

    #[test]
    fn runs_are_ordered_as_people_count() {
        let mut names = ["ses-10_run-1", "ses-2_run-10", "ses-2_run-9", "ses-2", "ses-02_run-1"];
        names.sort_by(|a, b| by_number(a, b));
        assert_eq!(names, ["ses-02_run-1", "ses-2", "ses-2_run-9", "ses-2_run-10", "ses-10_run-1"]);
        assert_eq!(by_number("run-1", "run-1"), Ordering::Equal);
    }
}
