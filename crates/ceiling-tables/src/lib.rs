//! Tables of `ceiling within` and `ceiling gsn` as other tools read them: how reliable each of their arrays is, of what
//! they compare and by the correlation that they compare it with.
#![warn(missing_docs)]

use anyhow::{Context, Result, bail};
use array_inputs::{person_of, read_table};
use cli::{Input, Job, sidecar_of};
use stimulus_table::Table;

/// What reliabilities are needed.
#[derive(Debug, Clone, Copy)]
pub struct Measured<'a> {
    /// `profile` or `rdm`, as `--stat` of `ceiling within` has it.
    pub stat: &'a str,
    /// `pearson` or `spearman`, as `--compare` has it.
    pub compare: &'a str,
    /// The option that names the table.
    pub option: &'a str,
}

/// An array whose reliability is needed.
#[derive(Debug, Clone, Copy)]
pub struct Array<'a> {
    /// What tables call it.
    pub name: &'a str,
    /// Where it came from, for messages.
    pub source: &'a str,
    /// Stimuli that are compared.
    pub n_stimuli: usize,
    /// Trials in the averages of its stimuli, where they are known: averages do not say.
    pub n_trials: Option<f64>,
}

/// The reliability of every array; those of another statistic, correlation or number of trials are an error.
pub fn read_reliabilities(job: &Job, input: &Input, of: Measured, arrays: &[Array]) -> Result<Vec<f64>> {
    require_people(input, arrays)?;
    of_within(&read_table(job, input)?, &input.to_string(), of, arrays)
}

/// The most that a comparison with each RDM can reach, a correlation: its `rdm_ceiling` of `ceiling gsn`, or the root
/// of its reliability of `ceiling within --stat rdm`, which is too low where noise is strong (a warning says so).
/// `NaN` where there is none above 0.
pub fn read_rdm_bounds(job: &Job, input: &Input, compare: &str, option: &str, arrays: &[Array]) -> Result<Vec<f64>> {
    require_people(input, arrays)?;
    let (source, table) = (input.to_string(), read_table(job, input)?);
    let above_0 = |bound: f64| if bound > 0.0 { bound } else { f64::NAN };
    if table.has("rdm_ceiling") {
        if compare != "pearson" {
            bail!(
                "{source}: the ceilings of `ceiling gsn` are of pearson correlations, and --compare is {compare}; \
                 compare by pearson"
            );
        }
        let names = table.column("array").with_context(|| source.clone())?;
        let numbers = |name: &str| table.numbers(name).with_context(|| source.clone());
        let (bounds, stimuli) = (numbers("rdm_ceiling")?, numbers("n_stimuli")?);
        let bound = |array: &Array| {
            let row = row_of(names, &source, array)?;
            require_stimuli(&source, array, stimuli[row])?;
            require_at_most_1(&source, array, bounds[row])?;
            Ok(above_0(bounds[row]))
        };
        return arrays.iter().map(bound).collect();
    }
    let found = of_within(&table, &source, Measured { stat: "rdm", compare, option }, arrays)?;
    job.warn(format!(
        "{source}: steps the reliability of RDMs up by Spearman-Brown, which takes their noise for additive; it is too \
         low, and scores over its root are too high, where noise is strong (by half in simulations with noise of 1.5 \
         times the signal): `ceiling gsn` models that"
    ));
    Ok(found.into_iter().map(|reliability| above_0(reliability.sqrt())).collect())
}

/// Rows have the names of arrays, and every person has an `ffa`: where the sidecar of the table and the path of an
/// array both name people (BIDS' `sub-`), the array's is among the table's.
fn require_people(input: &Input, arrays: &[Array]) -> Result<()> {
    let Some(record) = input.path().and_then(sidecar_of) else { return Ok(()) };
    let made_from =
        record["inputs"].as_array().into_iter().flatten().filter_map(|made_from| made_from["name"].as_str());
    let people: Vec<String> = made_from.filter_map(person_of).collect();
    for array in arrays {
        let person = person_of(array.name).or_else(|| person_of(array.source));
        if let (Some(first), Some(person)) = (people.first(), person.filter(|person| !people.contains(person))) {
            bail!(
                "{input}: was made from sub-{first}{}, and {} is of sub-{person}; make the table from the responses that \
                 are compared",
                if people.iter().any(|other| other != first) { " and others" } else { "" },
                array.source
            );
        }
    }
    Ok(())
}

fn row_of(names: &[String], source: &str, array: &Array) -> Result<usize> {
    let rows: Vec<usize> = (0..names.len()).filter(|&row| names[row] == array.name).collect();
    match rows[..] {
        [row] => Ok(row),
        _ => bail!("{source}: {} rows are called {:?} (column array), and one is needed", rows.len(), array.name),
    }
}

/// A reliability of stimuli that are not compared is not that of those that are.
fn require_stimuli(source: &str, array: &Array, of_table: f64) -> Result<()> {
    if of_table > array.n_stimuli as f64 {
        bail!(
            "{source}: the reliability of {:?} is over {of_table} stimuli, and {} are compared; make the table from these",
            array.name,
            array.n_stimuli
        );
    }
    Ok(())
}

fn require_at_most_1(source: &str, array: &Array, number: f64) -> Result<()> {
    if number > 1.0 {
        bail!(
            "{source}: {number} of {:?} is above 1, which is no reliability; make the table with `ceiling`",
            array.name
        );
    }
    Ok(())
}

fn of_within(table: &Table, source: &str, of: Measured, arrays: &[Array]) -> Result<Vec<f64>> {
    let Measured { stat, compare, option } = of;
    // `ceiling between` has a reliability too, which is of Pearson correlations whatever is compared.
    for column in ["array", "stat", "compare", "n_stimuli", "n_trials", "reliability_one", "reliability"] {
        if !table.has(column) {
            bail!("{source}: no column {column}; {option} reads a table of `ceiling within --stat {stat}`");
        }
    }
    let column = |name: &str| table.column(name).with_context(|| source.to_owned());
    let (names, stats, compared) = (column("array")?, column("stat")?, column("compare")?);
    let numbers = |name: &str| table.numbers(name).with_context(|| source.to_owned());
    let (stimuli, trials, values) = (numbers("n_stimuli")?, numbers("n_trials")?, numbers("reliability")?);
    let of_array = |array: &Array| {
        let row = row_of(names, source, array)?;
        if stats[row] != stat {
            bail!(
                "{source}: the reliability of {:?} is that of its {}; {} needs that of `ceiling within --stat {stat}`",
                array.name,
                stats[row],
                if stat == "rdm" { "an RDM" } else { "a profile" },
            );
        }
        if compared[row] != compare {
            bail!(
                "{source}: the reliability of {:?} is of {} correlations, and --compare is {compare}; make the table \
                 with --compare {compare}",
                array.name,
                compared[row],
            );
        }
        if let Some(own) = array.n_trials {
            let given = trials[row];
            if own > 1.0 && (own - given).abs() > 1e-6 * own {
                bail!(
                    "{source}: the reliability of {:?} is for averages over {given} trials, and {} has {own}; make \
                     the table from these trials, without --trials",
                    array.name,
                    array.source
                );
            }
        }
        require_stimuli(source, array, stimuli[row])?;
        require_at_most_1(source, array, values[row])?;
        Ok(values[row])
    };
    arrays.iter().map(of_array).collect()
}
