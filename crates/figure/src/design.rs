//! `figure design`: the columns of a GLM over the time of its runs.

use crate::look::{LabelArgs, Look, Session};
use crate::parts::{areas, by_category};
use anyhow::{Context, Result, bail};
use array_inputs::read_table;
use cli::Input;
use drawing::style::category;
use drawing::{Axis, Chart, ColourBar, Mark, Panel, Scale, value};

/// Design matrices: every column over time, grouped by what it is there for
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Input: RUN_design.tsv of `fmri-roi glm --out-dir`, a panel each; or any table of numbers with a row per volume
and names like nilearn's. Time runs downwards, in seconds where the record beside the table (RUN_design.json)
or --tr says how long a volume takes, else in volumes. Each column is coloured from its own lowest to its own
highest value; a constant one has the last colour.
Columns are put into groups, with a strip of a colour each: conditions, derivatives, confounds, drifts (and
the constant). The record says which is which; without it NAME_derivative, NAME_dispersion, drift_N and
constant are known by their names, and conditions and confounds, which are not, are one group.
--correlations draws the Pearson correlations of all pairs of columns instead, where a design is ambiguous;
the constant, which has none, is left out.

Examples:
  figure design maps/run-1_design.tsv maps/run-2_design.tsv -o designs.svg
  figure design --correlations maps/run-1_design.tsv -o correlations.png
  figure design --tr 2 --terminal maps/run-1_design.tsv")]
pub(crate) struct DesignArgs {
    /// Tables of designs, one per run; - is stdin
    #[arg(value_name = "TABLE", default_value = "-")]
    inputs: Vec<Input>,
    /// Seconds from one volume to the next [default: what the record beside the table says]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    tr: Option<f64>,
    /// Correlations of all pairs of columns instead of the columns
    #[arg(long, conflicts_with = "tr")]
    correlations: bool,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    look: Look,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(tr) if tr > 0.0 && tr.is_finite() => Ok(tr),
        _ => Err("give seconds above 0".into()),
    }
}

/// Groups of columns, in the order in which they are drawn.
const GROUPS: [&str; 5] =
    ["conditions", "conditions or confounds (no record says which)", "derivatives", "confounds", "drifts and constant"];
const UNKNOWN: usize = 1;

/// More columns cannot be told apart on a page.
const MOST_COLUMNS: usize = 400;

/// One run.
struct Design {
    name: String,
    source: String,
    names: Vec<String>,
    /// One per name, each as long as the run.
    columns: Vec<Vec<f64>>,
    /// Places in `GROUPS`.
    groups: Vec<usize>,
    tr: Option<f64>,
}

pub(crate) fn run(args: &DesignArgs) -> Result<()> {
    let session = args.look.start()?;
    let labels = args.labels.read(&session)?;
    let mut designs = Vec::new();
    for input in &args.inputs {
        designs.push(read(&session, input)?);
    }
    if args.tr.is_some() {
        designs.iter_mut().for_each(|design| design.tr = args.tr);
    }
    let in_seconds = designs.iter().all(|design| design.tr.is_some());
    let mut there: Vec<usize> = designs.iter().flat_map(|design| design.groups.iter().copied()).collect();
    there.sort_unstable();
    there.dedup();
    let group_names: Vec<String> = there.iter().map(|&group| GROUPS[group].to_string()).collect();

    let mut chart = Chart::new("", "");
    let mut spoken = Vec::new();
    for design in &designs {
        let of: Vec<usize> =
            design.groups.iter().map(|group| there.iter().position(|g| g == group).unwrap_or(0)).collect();
        let (mut order, _) = by_category(&of, &group_names);
        if args.correlations {
            order.retain(|&k| !is_constant(&design.columns[k]));
            if order.len() < 2 {
                bail!("{}: {} columns that vary; a correlation needs two", design.source, order.len());
            }
        }
        let (_, groups) = by_category(&order.iter().map(|&k| of[k]).collect::<Vec<_>>(), &group_names);
        let colour = |name: &str| group_names.iter().position(|group| group == name).map_or("", category);
        let over = groups.into_iter().map(|group| (group.clone(), colour(&group.name))).collect();
        let names: Vec<String> = order.iter().map(|&k| labels.of(&design.names[k])).collect();
        let (n, n_volumes) = (order.len(), design.columns[0].len());
        let panel = if args.correlations {
            let mut strongest = (0.0, 0, 0);
            let mut values = vec![1.0; n * n];
            for i in 0..n {
                for j in 0..i {
                    let r = statistics::pearson(&design.columns[order[i]], &design.columns[order[j]]);
                    (values[i * n + j], values[j * n + i]) = (r, r);
                    if r.abs() > f64::abs(strongest.0) {
                        strongest = (r, j, i);
                    }
                }
            }
            let (r, i, j) = strongest;
            let r = format!("{r:.2}").replace('-', "−");
            let most = format!("the strongest correlation is that of {} and {}, r = {r}", names[i], names[j]);
            let most = if designs.len() > 1 { format!("{}: {most}", design.name) } else { most };
            spoken.push(most.clone());
            chart.notes.push(format!("{}.", capital(&most)));
            let marks = vec![Mark::Cells { values, n_columns: n, lo: -1.0, hi: 1.0, written: true }];
            let y = Axis::new("", Scale::Names(names.clone()));
            Panel { title: design.name.clone(), x: Axis { over, ..Axis::new("", Scale::Names(names)) }, y, marks }
        } else {
            let mut scaled = vec![0.0; n * n_volumes];
            for (place, &k) in order.iter().enumerate() {
                let [lo, hi] = range(&design.columns[k]);
                for (t, &v) in design.columns[k].iter().enumerate() {
                    scaled[t * n + place] = if hi > lo { (v - lo) / (hi - lo) } else { 1.0 };
                }
                spoken.push(format!("{}, {}: {} to {}", design.name, design.names[k], value(lo), value(hi)));
            }
            let marks = vec![Mark::Cells { values: scaled, n_columns: n, lo: 0.0, hi: 1.0, written: false }];
            let last = n_volumes as f64 * if in_seconds { design.tr.unwrap_or(1.0) } else { 1.0 };
            let label = if in_seconds { "time (s)" } else { "volume" };
            let y = Axis::new(if chart.panels.is_empty() { label } else { "" }, Scale::Linear { lo: last, hi: 0.0 });
            let title = format!("{} ({n_volumes} volumes)", design.name);
            Panel { title, x: Axis { over, ..Axis::new("", Scale::Names(names)) }, y, marks }
        };
        chart.panels.push(panel);
    }
    chart.legend = areas(group_names);
    let (label, lo) = match args.correlations {
        true => ("r of two columns (Pearson)", -1.0),
        false => ("value between the column's lowest (0) and highest (1)", 0.0),
    };
    chart.colour_bar = Some(ColourBar { label: label.into(), lo, hi: 1.0 });
    // Two of the usual width stand side by side; correlations need room for their numbers.
    chart.columns = if args.correlations { 2 } else { 3 };
    chart.aspect = if designs.len() > 1 { 1.8 } else { 0.9 };
    let what =
        if args.correlations { "Correlations of the columns of a design" } else { "Columns of a design over time" };
    chart.description = format!("{what}. {}.", spoken.join("; "));
    session.finish(chart)
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

fn range(column: &[f64]) -> [f64; 2] {
    column.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[lo, hi], &v| [lo.min(v), hi.max(v)])
}

fn is_constant(column: &[f64]) -> bool {
    let [lo, hi] = range(column);
    lo == hi
}

fn read(session: &Session, input: &Input) -> Result<Design> {
    let table = read_table(&session.job, input)?;
    let source = input.to_string();
    if table.n_rows() < 2 {
        bail!("{source}: {} rows; a design has one per volume", table.n_rows());
    }
    let names = table.names().to_vec();
    if names.len() > MOST_COLUMNS {
        bail!("{source}: {} columns; at most {MOST_COLUMNS} are drawn", names.len());
    }
    let mut columns = Vec::new();
    for name in &names {
        let of_design =
            || format!("{source}: a design has a column of numbers per regressor (`fmri-roi glm --out-dir`)");
        let column = table.numbers(name).with_context(of_design)?;
        if let Some(row) = column.iter().position(|v| !v.is_finite()) {
            bail!("{}: column {name:?} has no number in row {row}", of_design());
        }
        columns.push(column);
    }
    let record = input.path().and_then(cli::sidecar_of);
    let roles: Option<Vec<usize>> = record.as_ref().and_then(|record| {
        let roles = record["column_roles"].as_array()?.iter().map(|role| match role.as_str()? {
            "condition" => Some(0),
            "derivative" => Some(2),
            "confound" => Some(3),
            "drift" => Some(4),
            _ => None,
        });
        roles.collect::<Option<Vec<usize>>>().filter(|roles| roles.len() == names.len())
    });
    let groups = roles.unwrap_or_else(|| by_name(&names));
    // The record of a command over several runs has a TR for each; one that they share is this run's.
    let tr = record.as_ref().and_then(|record| {
        let all: Vec<f64> = record["tr_seconds"].as_array()?.iter().filter_map(|tr| tr.as_f64()).collect();
        all.first().copied().filter(|first| all.iter().all(|tr| tr == first))
    });
    let name = input.array_name(0);
    let name = name.strip_suffix("_design").map(str::to_owned).unwrap_or(name);
    Ok(Design { name, source, names, columns, groups, tr })
}

/// What the names alone say.
fn by_name(names: &[String]) -> Vec<usize> {
    let of = |name: &String| {
        let of_another = |ending: &str| name.strip_suffix(ending).is_some_and(|stem| names.iter().any(|n| n == stem));
        let is_drift = name.strip_prefix("drift_").is_some_and(|n| n.parse::<u32>().is_ok());
        match name.as_str() {
            "constant" => 4,
            _ if is_drift => 4,
            _ if of_another("_derivative") || of_another("_dispersion") => 2,
            _ => UNKNOWN,
        }
    };
    names.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_drifts_and_derivatives_and_nothing_else() {
        let names = ["faces", "faces_derivative", "rot_x", "odd_derivative", "drift_1", "drift_by", "constant"];
        assert_eq!(by_name(&names.map(String::from)), [1, 2, 1, 1, 4, 1, 4]);
    }
}
