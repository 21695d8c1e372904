//! Units in each combination of two or three localizers' sets.

use super::{Overlap, above, thresholds};
use crate::pairs::{Pair, Side, pairs};
use anyhow::{Result, bail};
use cli::{Cell, Job, Named};
use statistics::{Reason, exact_memberships};
use unit_tables::UnitTable;

pub(super) const COLUMNS: [&str; 12] =
    ["array", "preferred", "threshold", "a", "b", "c", "in_a", "in_b", "in_c", "n", "n_units", "reason"];

/// The rows of the table: for every array, side and threshold each combination but none of the sets.
pub(super) fn rows<'a>(job: &Job, args: &'a Overlap, tables: &[UnitTable]) -> Result<Vec<Vec<Named<'a>>>> {
    let [first, rest @ ..] = tables else { bail!("no table") };
    if rest.is_empty() {
        bail!("{}: one table; --combinations is of two or three", first.source);
    }
    if !args.names.is_empty() && args.names.len() != tables.len() {
        bail!("--names: {} names for {} tables", args.names.len(), tables.len());
    }
    let name = |k: usize| match args.names.get(k) {
        Some(name) => name.clone(),
        None => args.tables[k].array_name(0),
    };
    let names: Vec<String> = (0..tables.len()).map(name).collect();
    if let Some(twice) = names.iter().enumerate().find(|(k, name)| names[..*k].contains(name)) {
        bail!("two tables are called {:?}; tell them apart with --names", twice.1);
    }
    // Each table beside the first one, whose names of arrays all then have.
    let mut beside: Vec<Vec<Pair>> = Vec::new();
    for table in rest {
        beside.push(pairs(job, first, table, args.n_units)?);
    }
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for pair in beside.iter().flatten() {
        let key = (pair.array.as_str(), pair.preferred.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut rows = Vec::new();
    for (array, preferred) in keys {
        let found: Vec<Option<&Pair>> =
            beside.iter().map(|pairs| pairs.iter().find(|p| p.array == array && p.preferred == preferred)).collect();
        let n_units = found.iter().flatten().find_map(|pair| pair.n_units);
        let absent = Side::Absent(Reason::NoPartner);
        let own = found.iter().flatten().next().map_or(&absent, |pair| &pair.a);
        // A side that a later table alone has is one that the others were looked at for, and lack.
        let others = found.iter().map(|pair| pair.map_or(&Side::Empty, |pair| &pair.b));
        let sides: Vec<&Side> = std::iter::once(own).chain(others).collect();
        let reason = sides.iter().find_map(|side| match side {
            Side::Absent(why) => Some(*why),
            _ => None,
        });
        for threshold in thresholds(args) {
            let units = |side: &Side| -> Vec<usize> {
                let mut units: Vec<usize> =
                    above(side.units().unwrap_or_default(), threshold).iter().map(|row| row.unit).collect();
                units.sort_unstable();
                units
            };
            let sets: Vec<Vec<usize>> = sides.iter().map(|side| units(side)).collect();
            for (mask, n) in exact_memberships(&sets).into_iter().enumerate().skip(1) {
                let called = |k: usize| Cell::from(names.get(k).cloned());
                let is_in = |k: usize| Cell::from((k < sets.len()).then_some(mask >> k & 1));
                rows.push(vec![
                    ("array", array.to_owned().into()),
                    ("preferred", preferred.to_owned().into()),
                    ("threshold", threshold.into()),
                    ("a", called(0)),
                    ("b", called(1)),
                    ("c", called(2)),
                    ("in_a", is_in(0)),
                    ("in_b", is_in(1)),
                    ("in_c", is_in(2)),
                    ("n", reason.is_none().then_some(n).into()),
                    ("n_units", n_units.into()),
                    ("reason", reason.into()),
                ]);
            }
        }
    }
    Ok(rows)
}
