//! Two tables of units side by side: which set of one belongs to which of the other.

use anyhow::{Result, bail, ensure};
use cli::Job;
use statistics::Reason;
use unit_tables::{Criterion, UnitRow, UnitSet, UnitTable};

/// One side of a pair.
pub(crate) enum Side<'a> {
    Units(&'a UnitSet),
    /// The contrast was asked, and no unit found.
    Empty,
    /// The table does not speak of it; why.
    Absent(Reason),
}

impl<'a> Side<'a> {
    pub fn contrast(&self) -> Option<&'a str> {
        match self {
            Side::Units(set) => set.contrast.as_deref(),
            _ => None,
        }
    }

    /// Its units; `None` where nothing is known.
    pub fn units(&self) -> Option<&'a [UnitRow]> {
        match self {
            Side::Units(set) => Some(&set.units),
            Side::Empty => Some(&[]),
            Side::Absent(_) => None,
        }
    }
}

/// The sets of two tables that belong together.
pub(crate) struct Pair<'a> {
    pub array: String,
    pub preferred: String,
    pub a: Side<'a>,
    pub b: Side<'a>,
    pub n_units: Option<usize>,
}

/// The sets of both tables by array and preferred side: those of the first in its order, then what only the second has.
pub(crate) fn pairs<'a>(
    job: &Job,
    a: &'a UnitTable,
    b: &'a UnitTable,
    n_units_given: Option<usize>,
) -> Result<Vec<Pair<'a>>> {
    for table in [a, b] {
        for set in &table.sets {
            let mut alike = table.sets_of(&set.array).filter(|other| other.preferred == set.preferred);
            if let (Some(one), Some(other)) = (alike.next(), alike.next()) {
                let text = |set: &UnitSet| set.contrast.clone().unwrap_or_default();
                bail!(
                    "{}: {:?} and {:?} both prefer {:?} in array {:?}; give a table with one of them",
                    table.source,
                    text(one),
                    text(other),
                    set.preferred,
                    set.array
                );
            }
        }
    }
    let arrays = matched_arrays(job, a, b)?;
    let sides = matched_sides(job, a, b)?;
    let mut pairs = Vec::new();
    for (in_a, in_b) in &arrays {
        let array = in_a.or(*in_b).unwrap_or_default();
        let known = [(a, in_a), (b, in_b)].map(|(table, name)| name.and_then(|name| table.n_units_of(name)));
        if let [Some(of_a), Some(of_b)] = known {
            ensure!(
                of_a == of_b,
                "{} says that array {array:?} has {of_a} units, {} says {of_b}; units of one layer, pooled alike, can be \
                 compared",
                a.source,
                b.source
            );
        }
        let n_units = known[0].or(known[1]).or(n_units_given);
        for preferred in &sides {
            let (of_a, of_b) =
                (side(job, a, *in_a, preferred.a, preferred.name), side(job, b, *in_b, preferred.b, preferred.name));
            // A row without any unit is written where both tables are known to have asked for this side.
            let both_looked =
                [a, b].iter().all(|table| table.was_asked(preferred.name) == Some(true) || table.sets.is_empty());
            let is_row = match (&of_a, &of_b) {
                (Side::Units(_), _) | (_, Side::Units(_)) => true,
                (Side::Empty, Side::Empty) => both_looked,
                _ => false,
            };
            if is_row {
                let (array, preferred) = (array.to_owned(), preferred.name.to_owned());
                pairs.push(Pair { array, preferred, a: of_a, b: of_b, n_units });
            }
        }
    }
    for pair in &pairs {
        for (side, table, other) in [(&pair.a, a, b), (&pair.b, b, a)] {
            if let Side::Absent(why) = side {
                let (array, preferred) = (&pair.array, &pair.preferred);
                job.warn(match *why {
                    Reason::NotAsked => {
                        format!("{}: it was not asked for {preferred:?}, which {} has", table.source, other.source)
                    }
                    _ => format!(
                        "{}: no rows about array {array:?} (it has: {}), so its set for {preferred:?} has no partner",
                        table.source,
                        table.array_names()
                    ),
                });
            }
        }
    }
    Ok(pairs)
}

/// One table's side of a pair: its set in this array that prefers `own`, its own name for the side called `name`.
fn side<'a>(job: &Job, table: &'a UnitTable, array: Option<&str>, own: Option<&str>, name: &str) -> Side<'a> {
    let was_asked = table.was_asked(name);
    // A table without rows selected nothing in any array.
    if table.sets.is_empty() {
        return if was_asked == Some(false) { Side::Absent(Reason::NotAsked) } else { Side::Empty };
    }
    let Some(array) = array else { return Side::Absent(Reason::NoPartner) };
    if let Some(own) = own {
        return table.set(array, own).map_or(Side::Empty, Side::Units);
    }
    // A table of --all has rows of every contrast that was asked.
    let writes_all = table.sets.iter().any(|set| set.criterion == Some(Criterion::AllUnits));
    match was_asked {
        Some(true) => Side::Empty,
        Some(false) => Side::Absent(Reason::NotAsked),
        None if writes_all => Side::Absent(Reason::NotAsked),
        None => {
            job.warn(format!(
                "{}: no unit prefers {name:?}: counted as 0 in array {array:?}; leave that contrast out of the other \
                 table if this one was never asked",
                table.source
            ));
            Side::Empty
        }
    }
}

type Matched<'a> = Vec<(Option<&'a str>, Option<&'a str>)>;

/// Arrays by name; one array each belong together whatever their names.
fn matched_arrays<'a>(job: &Job, a: &'a UnitTable, b: &'a UnitTable) -> Result<Matched<'a>> {
    let names = |table: &'a UnitTable| -> Vec<&'a str> { table.arrays.iter().map(|(name, _)| name.as_str()).collect() };
    let (of_a, of_b) = (names(a), names(b));
    if let ([one], [other]) = (of_a.as_slice(), of_b.as_slice()) {
        if one != other {
            job.note(format!(
                "array {one:?} of {} and {other:?} of {} are the only ones there: taken for the same",
                a.source, b.source
            ));
        }
        return Ok(vec![(Some(*one), Some(*other))]);
    }
    if !of_a.is_empty() && !of_b.is_empty() && !of_a.iter().any(|name| of_b.contains(name)) {
        bail!(
            "{} is about {} and {} about {}: 0 arrays in common; name them alike with `select-units --names`",
            a.source,
            a.array_names(),
            b.source,
            b.array_names()
        );
    }
    for (empty, full) in [(a, b), (b, a)] {
        if empty.sets.is_empty() && !full.sets.is_empty() {
            job.note(format!("{}: 0 units: its sets are empty in every array of {}", empty.source, full.source));
        }
    }
    let there = |list: &[&'a str], name: &'a str| list.contains(&name).then_some(name);
    let mut all: Matched<'a> = of_a.iter().map(|name| (Some(*name), there(&of_b, name))).collect();
    all.extend(of_b.iter().filter(|name| !of_a.contains(name)).map(|name| (None, Some(*name))));
    // Two empty tables are about an array that neither names.
    if all.is_empty() {
        job.note(format!("{} and {}: 0 units in both", a.source, b.source));
        all.push((None, None));
    }
    Ok(all)
}

/// A preferred side, and what each table calls it where it has units that prefer it.
struct Preferred<'a> {
    name: &'a str,
    a: Option<&'a str>,
    b: Option<&'a str>,
}

/// Preferred sides by name; a table without contrasts has the one side that the other has.
fn matched_sides<'a>(job: &Job, a: &'a UnitTable, b: &'a UnitTable) -> Result<Vec<Preferred<'a>>> {
    let (of_a, of_b) = (a.sides(), b.sides());
    if a.sets.is_empty() || b.sets.is_empty() || a.has_contrasts == b.has_contrasts {
        let mut names: Vec<&str> = Vec::new();
        for name in of_a.iter().chain(&of_b).copied().chain(a.asked_sides()).chain(b.asked_sides()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        // Two empty tables of which nothing more is known.
        if names.is_empty() {
            names.push("");
        }
        let there = |list: &[&'a str], name: &'a str| list.contains(&name).then_some(name);
        let all = names.into_iter().map(|name| Preferred { name, a: there(&of_a, name), b: there(&of_b, name) });
        return Ok(all.collect());
    }
    let (without, with, sides) = if a.has_contrasts { (b, a, &of_a) } else { (a, b, &of_b) };
    let [name] = sides.as_slice() else {
        bail!(
            "{} has no column contrast, but {} prefers {}; which of them its units prefer cannot be told",
            without.source,
            with.source,
            sides.join(" and ")
        );
    };
    job.note(format!("{} has no column contrast: its units are taken to prefer {name:?}", without.source));
    Ok(vec![Preferred { name, a: of_a.first().copied(), b: of_b.first().copied() }])
}
