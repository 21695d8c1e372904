//! Tables of units as `select-units` writes them, taken apart into one set per array and contrast.

use std::collections::HashSet;

use anyhow::{Context, Result, bail, ensure};
use cli::{Input, Job, sidecar_of};
use localizer::Contrast;
use stimulus_table::Table;

use crate::arrays::{Sought, array_column, require_each_once, require_one_region, unit_column};
use crate::columns::{
    ARRAY, CONTRAST, CRITERION, DPRIME, FOLD, LAYER, N_UNITS, ROI, SELECTIVITY_INDEX, T, UNIT, VOXEL,
};
use crate::criterion::Criterion;

/// The columns that are looked at.
const COLUMNS: [&str; 12] =
    [LAYER, ARRAY, CONTRAST, UNIT, VOXEL, ROI, N_UNITS, T, DPRIME, SELECTIVITY_INDEX, CRITERION, FOLD];

/// One unit of a set. What the table does not say is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnitRow {
    /// Column of the matrix, from 0.
    pub unit: usize,
    /// The t of the test.
    pub t: f64,
    /// d'
    pub dprime: f64,
    /// Selectivity index.
    pub selectivity_index: f64,
}

/// The units of one array that one contrast chose.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitSet {
    /// Name of the array.
    pub array: String,
    /// The contrast in the localizer's spelling; `None` where the table has no such column.
    pub contrast: Option<String>,
    /// The side of it that the units prefer; empty where there is no contrast.
    pub preferred: String,
    /// Ascending, each unit once.
    pub units: Vec<UnitRow>,
    /// How they were chosen; `None` where the table has no such column.
    pub criterion: Option<Criterion>,
    /// The words of the criterion, for messages.
    pub criterion_text: String,
}

/// A table of units.
#[derive(Debug, Clone)]
pub struct UnitTable {
    /// Where it came from, for messages.
    pub source: String,
    /// In the order of their first rows.
    pub sets: Vec<UnitSet>,
    /// Arrays that the table speaks of, in the order of their first rows, with the number of units they have where the
    /// table says it.
    pub arrays: Vec<(String, Option<usize>)>,
    /// Whether contrasts are named.
    pub has_contrasts: bool,
    /// Whether there is a `t`.
    pub has_t: bool,
    /// Contrasts that the sidecar says were asked for, and what they prefer; `None` where there is no sidecar.
    asked: Option<Vec<(String, String)>>,
    /// SHA-256 of the files that chose the units, as the sidecar has them.
    chosen_from: Vec<String>,
}

impl UnitTable {
    /// Reads a table; of a cross-validated one the rows of one fold.
    pub fn read(job: &Job, input: &Input, fold: Option<&str>) -> Result<UnitTable> {
        let reader = job.open(input)?.reader();
        let table = Table::read_columns(reader, |name| COLUMNS.contains(&name)).with_context(|| input.to_string())?;
        let mut units = Self::from_table(&table, fold).with_context(|| input.to_string())?;
        units.source = input.to_string();
        if let Some(sidecar) = input.path().and_then(sidecar_of) {
            units.asked = asked(&sidecar);
            let inputs = sidecar["inputs"].as_array().map_or(&[][..], Vec::as_slice);
            units.chosen_from = inputs.iter().filter_map(|input| input["sha256"].as_str().map(str::to_owned)).collect();
        }
        Ok(units)
    }

    /// Whether this very file is among those that chose the units, as far as the table's sidecar tells.
    pub fn chosen_from(&self, job: &Job, input: &Input) -> Result<bool> {
        Ok(!self.chosen_from.is_empty() && job.sha256(input)?.is_some_and(|digest| self.chosen_from.contains(&digest)))
    }

    fn from_table(table: &Table, fold: Option<&str>) -> Result<UnitTable> {
        let n_rows = table.n_rows();
        let numbers = table.indices(unit_column(table)?)?;
        require_one_region(table)?;
        let text = |name: &str| table.has(name).then(|| table.column(name)).transpose();
        let number = |name: &str| -> Result<Vec<f64>> {
            // An empty cell says that there is no such number, as for effects that a weighted contrast has not.
            Ok(if table.has(name) { table.numbers(name)? } else { vec![f64::NAN; n_rows] })
        };
        let (t, dprime) = (number(T)?, number(DPRIME)?);
        let selectivity_index = number(SELECTIVITY_INDEX)?;
        let contrasts = text(CONTRAST)?;
        let arrays = array_column(table).map(|column| table.column(column)).transpose()?;
        let (criteria, n_units, folds) =
            (text(CRITERION)?, table.has(N_UNITS).then(|| table.indices(N_UNITS)).transpose()?, text(FOLD)?);
        ensure_one_fold(folds, fold)?;

        let mut units = UnitTable {
            source: String::new(),
            sets: Vec::new(),
            arrays: Vec::new(),
            has_contrasts: contrasts.is_some(),
            has_t: table.has(T),
            asked: None,
            chosen_from: Vec::new(),
        };
        let cell = |column: Option<&[String]>, row: usize| column.map_or("", |c| c[row].trim()).to_owned();
        for row in 0..n_rows {
            if folds.is_some_and(|folds| Some(folds[row].trim()) != fold) {
                continue;
            }
            let array = cell(arrays, row);
            let size = n_units.as_ref().map(|sizes| sizes[row]);
            match units.arrays.iter().find(|(name, _)| *name == array) {
                None => units.arrays.push((array.clone(), size)),
                Some((_, known)) if *known != size => bail!(
                    "row {row} says that array {array:?} has {} units, the rows before {}; select the units of one \
                     array in one run",
                    size.unwrap_or_default(),
                    known.unwrap_or_default()
                ),
                Some(_) => {}
            }
            if let Some(size) = size {
                ensure!(
                    numbers[row] < size,
                    "row {row} is unit {} of array {array:?}, which has {size} (0 to {})",
                    numbers[row],
                    size.saturating_sub(1)
                );
            }
            let contrast = contrasts.map(|cells| cells[row].as_str());
            let criterion = cell(criteria, row);
            let unit = UnitRow {
                unit: numbers[row],
                t: t[row],
                dprime: dprime[row],
                selectivity_index: selectivity_index[row],
            };
            units
                .add(array, contrast, criteria.is_some().then_some(criterion), unit)
                .with_context(|| format!("row {row}"))?;
        }
        for set in &mut units.sets {
            set.units.sort_by_key(|row| row.unit);
            let units: Vec<usize> = set.units.iter().map(|row| row.unit).collect();
            require_each_once(&units, &format!(" of array {:?}", set.array))?;
        }
        Ok(units)
    }

    fn add(&mut self, array: String, contrast: Option<&str>, criterion: Option<String>, unit: UnitRow) -> Result<()> {
        let same = |set: &UnitSet| set.array == array && set.contrast.as_deref() == contrast;
        // Rows of a set stand together, so the last one is nearly always it.
        let known = match self.sets.last() {
            Some(last) if same(last) => Some(self.sets.len() - 1),
            _ => self.sets.iter().position(same),
        };
        let text = criterion.clone().unwrap_or_default();
        if let Some(set) = known.map(|place| &mut self.sets[place]) {
            ensure!(
                set.criterion_text == text,
                "criterion {text:?} after {:?} for the same array and contrast; one run has one",
                set.criterion_text
            );
            set.units.push(unit);
            return Ok(());
        }
        let preferred = match contrast {
            Some(text) => text.parse::<Contrast>()?.preferred(),
            None => String::new(),
        };
        self.sets.push(UnitSet {
            array,
            contrast: contrast.map(str::to_owned),
            preferred,
            units: vec![unit],
            criterion: criterion.as_deref().map(Criterion::parse),
            criterion_text: text,
        });
        Ok(())
    }

    /// How many units the table says an array has.
    pub fn n_units_of(&self, array: &str) -> Option<usize> {
        self.arrays.iter().find(|(name, _)| name == array).and_then(|(_, n)| *n)
    }

    /// Its name for an array that is looked for.
    pub fn name_of(&self, array: Sought) -> Option<&str> {
        let known: Vec<&str> = self.arrays.iter().map(|(name, _)| name.as_str()).collect();
        array.among(&known)
    }

    /// Whether it has rows about an array of this name.
    pub fn knows(&self, array: &str) -> bool {
        self.arrays.iter().any(|(name, _)| name == array)
    }

    /// The set of an array that prefers a side.
    pub fn set(&self, array: &str, preferred: &str) -> Option<&UnitSet> {
        self.sets.iter().find(|set| set.array == array && set.preferred == preferred)
    }

    /// The sets of one array.
    pub fn sets_of<'a>(&'a self, array: &'a str) -> impl Iterator<Item = &'a UnitSet> + 'a {
        self.sets.iter().filter(move |set| set.array == array)
    }

    /// Contrasts: those that the sidecar names, then others in the order of their first rows; `None` where the table
    /// names none.
    pub fn contrasts(&self) -> Vec<Option<&str>> {
        let mut all: Vec<Option<&str>> = self.asked.iter().flatten().map(|(text, _)| Some(text.as_str())).collect();
        for set in &self.sets {
            if !all.contains(&set.contrast.as_deref()) {
                all.push(set.contrast.as_deref());
            }
        }
        all
    }

    /// Preferred sides in the order of their first rows.
    pub fn sides(&self) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for set in &self.sets {
            if !all.contains(&set.preferred.as_str()) {
                all.push(&set.preferred);
            }
        }
        all
    }

    /// Names of its arrays, for messages.
    pub fn array_names(&self) -> String {
        self.arrays.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Whether the run asked for this side: `None` where nothing tells, as in a table from a pipe.
    pub fn was_asked(&self, preferred: &str) -> Option<bool> {
        self.asked.as_ref().map(|asked| asked.iter().any(|(_, side)| side == preferred))
    }

    /// Preferred sides that the sidecar names.
    pub fn asked_sides(&self) -> impl Iterator<Item = &str> {
        self.asked.iter().flatten().map(|(_, side)| side.as_str())
    }
}

fn ensure_one_fold(folds: Option<&[String]>, fold: Option<&str>) -> Result<()> {
    match (folds, fold) {
        (None, None) => Ok(()),
        (None, Some(fold)) => bail!("--fold {fold}, but the table has no column fold: it is not cross-validated"),
        (Some(folds), wanted) => {
            let mut seen: Vec<&str> = Vec::new();
            let mut distinct = HashSet::new();
            for fold in folds.iter().map(|f| f.trim()) {
                if distinct.insert(fold) {
                    seen.push(fold);
                }
            }
            match wanted {
                Some(fold) if seen.is_empty() || distinct.contains(fold) => Ok(()),
                Some(fold) => bail!("--fold {fold}, but the folds of the table are {}", seen.join(", ")),
                None => bail!(
                    "a cross-validated table: every fold ({}) has a set of its own; choose one with --fold",
                    seen.join(", ")
                ),
            }
        }
    }
}

/// The contrasts that a sidecar of `select-units` names, with their preferred sides.
fn asked(sidecar: &serde_json::Value) -> Option<Vec<(String, String)>> {
    // Earlier versions recorded the one contrast there could be.
    let texts: Vec<&str> = ["contrasts", "contrast"].into_iter().find_map(|key| {
        let value = &sidecar[key];
        let one = value.as_str().map(|text| vec![text]);
        one.or_else(|| value.as_array().map(|all| all.iter().filter_map(|v| v.as_str()).collect()))
    })?;
    let parsed = texts.into_iter().map(|text| text.parse::<Contrast>().ok());
    parsed.map(|contrast| contrast.map(|c| (c.to_string(), c.preferred()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, fold: Option<&str>) -> Result<UnitTable> {
        UnitTable::from_table(&Table::read(text.as_bytes())?, fold)
    }

    fn error(text: &str, fold: Option<&str>) -> String {
        format!("{:#}", read(text, fold).unwrap_err())
    }

    #[test]
    fn rows_become_sets_by_array_and_contrast() {
        let text = "array,contrast,unit,n_units,t,dprime,criterion\n\
            conv,faces > rest,7,10,3.5,1,student t > 3\n\
            conv,faces > rest,2,10,4,,student t > 3\n\
            conv,\"places > faces,bodies\",2,10,9,2,student t > 3\n\
            fc,faces > rest,0,4,NaN,NaN,student t > 3\n";
        let table = read(text, None).unwrap();
        assert_eq!(table.arrays, [("conv".to_owned(), Some(10)), ("fc".to_owned(), Some(4))]);
        assert_eq!(table.contrasts(), [Some("faces > rest"), Some("places > faces,bodies")]);
        assert_eq!(table.sides(), ["faces", "places"]);
        let faces = table.set("conv", "faces").unwrap();
        assert_eq!(faces.units.iter().map(|row| row.unit).collect::<Vec<_>>(), [2, 7]);
        assert!(faces.units[0].dprime.is_nan() && faces.units[1].dprime == 1.0);
        assert!(faces.units[1].selectivity_index.is_nan());
        assert_eq!(faces.criterion, Some(Criterion::TAbove(3.0)));
        assert!(table.set("fc", "places").is_none());
        assert_eq!(table.n_units_of("fc"), Some(4));
    }

    #[test]
    fn voxels_are_units_too() {
        let table = read("array,voxel,t\nsub-01,4,2\nsub-01,1,3\n", None).unwrap();
        assert_eq!(table.sets[0].units.iter().map(|row| row.unit).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(table.arrays, [("sub-01".to_owned(), None)]);
    }

    #[test]
    fn a_list_of_units_is_one_set_without_a_contrast() {
        let table = read("unit\n3\n1\n", None).unwrap();
        assert_eq!((table.sets.len(), table.sides(), table.contrasts()), (1, vec![""], vec![None]));
        assert!(!table.has_t && table.sets[0].criterion.is_none());
        assert!(read("array,unit\n", None).unwrap().sets.is_empty());
    }

    #[test]
    fn tables_that_contradict_themselves_are_refused() {
        assert!(
            error("array,unit\na,1\na,1\n", None).contains("unit 1 of array \"a\" stands in it more than once (2 rows")
        );
        assert!(error("array,unit,n_units\na,1,5\na,2,6\n", None).contains("has 6 units, the rows before 5"));
        assert!(error("array,unit,n_units\na,5,5\n", None).contains("unit 5 of array \"a\", which has 5 (0 to 4)"));
        assert!(error("unit,criterion\n1,top 3\n2,top 5\n", None).contains("\"top 5\" after \"top 3\""));
        assert!(error("unit,contrast\n1,faces bodies\n", None).contains("row 0: contrast"));
        assert!(error("unit,t\n1,\n2,x\n", None).contains("column \"t\""));
        assert!(error("region\n1\n", None).contains("no column unit or voxel; the columns are region"));
        assert!(error("roi,voxel\nFFA,1\nOFA,2\n", None).contains("2 regions (FFA, OFA)"));
    }

    #[test]
    fn of_a_cross_validated_table_one_fold_is_taken() {
        let text = "unit,fold\n1,0\n1,1\n2,1\n";
        assert!(error(text, None).contains("every fold (0, 1)"));
        assert!(error(text, Some("2")).contains("the folds of the table are 0, 1"));
        assert!(error("unit\n1\n", Some("0")).contains("not cross-validated"));
        assert_eq!(read(text, Some("1")).unwrap().sets[0].units.len(), 2);
    }

    #[test]
    fn sidecars_say_what_was_asked() {
        let of = |text: &str| {
            let asked = asked(&serde_json::from_str(text).unwrap())?;
            Some(asked.into_iter().map(|(text, side)| format!("{text} / {side}")).collect::<Vec<_>>())
        };
        assert_eq!(of(r#"{"contrast": "faces > rest"}"#).unwrap(), ["faces > rest / faces"]);
        let two = of(r#"{"contrasts": ["faces > rest", "2*a - b - c"]}"#).unwrap();
        assert_eq!(two, ["faces > rest / faces", "2*a - b - c / a"]);
        assert_eq!(of(r#"{"tool": "x"}"#), None);
        assert_eq!(of(r#"{"contrast": "no contrast"}"#), None);
    }
}
