//! Lesions: units of a layer held at a value while the network runs.
//!
//! The tensor is renamed where it is made, and an operator that puts the value in the place of
//! the lesioned units takes its old name, so that everything behind reads the lesioned one. Holding units at a value
//! in the forward pass is not the same as leaving their columns out of an encoding model.

use crate::graph::onnx::{DOUBLE, FLOAT, FLOAT16, Node, Tensor};
use crate::graph::{Edit, Graph, GraphError};
use crate::network::tensor::Element;
use crate::units::axes::Channels;
use anyhow::{Context, Result, bail, ensure};
use cli::file_stems;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use stimulus_table::Table;
use unit_tables::columns::UNIT;
use unit_tables::{Arrays, require_one_set};

/// What lesioned units are held at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HeldAt {
    /// This number.
    Number(f64),
    /// Each unit's mean over the pictures.
    Mean,
}

impl FromStr for HeldAt {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            _ if text == "mean" => Ok(Self::Mean),
            Ok(value) if value.is_finite() => Ok(Self::Number(value)),
            _ => Err(format!("{text:?} is neither a number nor mean")),
        }
    }
}

impl fmt::Display for HeldAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => value.fmt(f),
            Self::Mean => f.write_str("mean"),
        }
    }
}

/// What the numbers in a table of units count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LesionBy {
    /// Units of the layer, flattened in C order.
    Unit,
    /// Channels, each lesioned at all of its places.
    Channel,
}

/// The units to lesion in one layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerUnits {
    /// The tensor.
    pub tensor: String,
    /// Numbers of units or channels, ascending, each once.
    pub units: Vec<usize>,
}

/// The units in a table, by layer, in the order of the graph's tensors.
///
/// The layer stands in a column `layer` or `array` (as `select-units` writes it) and is met by name alone: of a tensor,
/// node or module, or the stem of a file that `--out-dir` wrote. A number there is an array's place in a pipe and no
/// layer, so that `asked` must say which one is meant.
pub fn units_by_layer(
    table: &Table,
    asked: Option<&str>,
    by: Option<LesionBy>,
    resolve: impl Fn(&str) -> Option<String>,
) -> Result<Vec<LayerUnits>> {
    let column = match by {
        Some(LesionBy::Channel) if table.has("channel") => "channel",
        _ => UNIT,
    };
    let numbers = table.indices(column)?;
    ensure!(
        !numbers.is_empty(),
        "holds no unit, so there is nothing to lesion; for the intact network leave --lesion out"
    );
    require_one_set(table)?;
    let arrays = Arrays::of(table)?;
    let mut layers: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    match (asked, arrays.column()) {
        (Some(asked), column) => {
            let names = arrays.names();
            ensure!(
                names.len() == 1,
                "holds units of {} layers ({}), --lesion-layer names one; leave out the rows of the others",
                names.len(),
                arrays.listed()
            );
            let Some(tensor) = resolve(asked) else {
                bail!("--lesion-layer {asked}: no layer of that name; see --list-layers")
            };
            let own = column.and_then(|_| resolve(names[0]));
            if let Some(other) = own.filter(|other| *other != tensor) {
                bail!("holds units of \"{other}\", --lesion-layer says \"{tensor}\"; unit numbers are one layer's");
            }
            layers.insert(tensor, numbers.into_iter().collect());
        }
        (None, Some(column)) => {
            for (name, rows) in arrays.iter() {
                let Some(tensor) = resolve(name) else {
                    bail!(
                        "{name:?} in column {column:?} is no layer of the network; name the layer with --lesion-layer"
                    );
                };
                layers.entry(tensor).or_default().extend(rows.iter().map(|&row| numbers[row]));
            }
        }
        (None, None) => bail!("has no column layer or array; name the layer with --lesion-layer"),
    }
    Ok(layers.into_iter().map(|(tensor, units)| LayerUnits { tensor, units: units.into_iter().collect() }).collect())
}

/// The tensor of this name, node, module or file stem; `None` where there is none.
pub fn by_name(name: &str, graph: &Graph, single: impl Fn(&str) -> Option<String>) -> Option<String> {
    // Numbers would be looked up as indices.
    if name.is_empty() || name.parse::<i64>().is_ok() && !graph.tensors().iter().any(|tensor| tensor.name == name) {
        return None;
    }
    if let Some(tensor) = single(name) {
        return Some(tensor);
    }
    let tensors = graph.tensors();
    let stems = file_stems(tensors.iter().map(|tensor| tensor.name.as_str()));
    stems.iter().position(|stem| stem == name).map(|i| tensors[i].name.clone())
}

/// Which values of one picture are lesioned: true for each, in C order of `shape` without the axis of pictures.
///
/// `channels` says which part of a unit's number counts channels.
pub fn mask(
    shape: &[usize],
    picture_axis: Option<usize>,
    units: &[usize],
    by: Option<LesionBy>,
    channels: Option<Channels>,
) -> Result<Vec<bool>> {
    let own: Vec<(usize, usize)> =
        shape.iter().copied().enumerate().filter(|(axis, _)| Some(*axis) != picture_axis).collect();
    let n_units: usize = own.iter().map(|(_, n)| n).product();
    let n_long = own.iter().filter(|(_, n)| *n > 1).count();
    let text = own.iter().map(|(_, n)| n.to_string()).collect::<Vec<_>>().join("x");
    let largest = units.last().copied().unwrap_or(0);
    let mut mask = vec![false; n_units];
    match by {
        None if n_long > 1 => bail!(
            "has {text} units; say what the numbers of the table count: --lesion-by unit (0 to {}), as select-units \
             numbers them without --pool and --tokens, or --lesion-by channel",
            n_units - 1
        ),
        None | Some(LesionBy::Unit) => {
            ensure!(largest < n_units, "has {n_units} units ({text}), the table speaks of unit {largest}");
            units.iter().for_each(|&unit| mask[unit] = true);
        }
        Some(LesionBy::Channel) => {
            let Some(Channels { n, stride }) = channels else {
                bail!("has {text} units, and which axis counts channels is not known; use --lesion-by unit");
            };
            ensure!(largest < n, "has {n} channels ({text}), the table speaks of channel {largest}");
            let lesioned: BTreeSet<usize> = units.iter().copied().collect();
            mask.iter_mut().enumerate().for_each(|(i, m)| *m = lesioned.contains(&(i / stride % n)));
        }
    }
    Ok(mask)
}

/// One layer's lesion.
pub struct Lesion<'a> {
    /// The tensor.
    pub tensor: &'a str,
    /// Its kind of number.
    pub element: Element,
    /// Its shape with 1 for the axis of pictures.
    pub shape: &'a [usize],
    /// Which values are lesioned, as long as `shape` says.
    pub mask: &'a [bool],
    /// What each value is held at, as long as the mask; or one for all.
    pub values: &'a [f64],
}

/// The graph with these lesions in it.
pub fn lesioned(graph: &Graph, lesions: &[Lesion<'_>]) -> Result<Graph> {
    let makers = graph.makers();
    let mut edit = Edit::default();
    for lesion in lesions {
        let tensor = lesion.tensor;
        let Some(&maker) = makers.get(tensor) else { bail!("no node makes \"{tensor}\"") };
        let kind = match lesion.element {
            Element::F32 => FLOAT,
            Element::F16 => FLOAT16,
            Element::F64 => DOUBLE,
            other => bail!("layer \"{tensor}\" holds {}, which cannot be lesioned", other.name()),
        };
        let name = |part: &str| format!("{tensor}//catsel/{part}");
        let dims: Vec<i64> = lesion.shape.iter().map(|&n| n as i64).collect();
        let one_value = lesion.values.len() == 1;
        let value_dims: &[i64] = if one_value { &[] } else { &dims };
        let (intact, mask, values) = (name("intact"), name("mask"), name("values"));
        edit.renamed_outputs.push((maker, tensor.to_string(), intact.clone()));
        let after = edit.after.entry(maker).or_default();
        if graph.opset() >= 9 {
            edit.added.push(Tensor::truths(&mask, &dims, lesion.mask));
            edit.added.push(Tensor::floats(&values, value_dims, kind, lesion.values));
            after.push(Node::new("Where", &[&mask, &values, &intact], tensor));
        } else {
            // Without Where: intact units times 1, lesioned ones times 0 plus their value.
            let kept: Vec<f64> = lesion.mask.iter().map(|&lesioned| f64::from(u8::from(!lesioned))).collect();
            let value = |i: usize| lesion.values[if one_value { 0 } else { i }];
            let held: Vec<f64> = lesion.mask.iter().enumerate().map(|(i, &m)| if m { value(i) } else { 0.0 }).collect();
            edit.added.push(Tensor::floats(&mask, &dims, kind, &kept));
            edit.added.push(Tensor::floats(&values, &dims, kind, &held));
            after.push(Node::new("Mul", &[&intact, &mask], &name("kept")));
            after.push(Node::new("Add", &[&name("kept"), &values], tensor));
        }
    }
    let graph: Result<Graph, GraphError> = graph.edited(&edit);
    graph.context("the lesioned network")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        Table::read(text.as_bytes()).unwrap()
    }

    fn units(text: &str, asked: Option<&str>) -> Result<Vec<LayerUnits>> {
        let known = |name: &str| ["pool", "conv"].contains(&name).then(|| name.to_string());
        units_by_layer(&table(text), asked, None, known)
    }

    #[test]
    fn units_belong_to_the_layer_that_the_table_or_the_user_names() {
        let two = units("array,unit\npool,3\nconv,0\npool,1\npool,3\n", None).unwrap();
        assert_eq!(two[0], LayerUnits { tensor: "conv".into(), units: vec![0] });
        assert_eq!(two[1], LayerUnits { tensor: "pool".into(), units: vec![1, 3] });
        assert_eq!(units("array,unit\n0,3\n", Some("pool")).unwrap()[0].units, [3]);
        for (text, asked, said) in [
            ("array,unit\n0,3\n", None, "\"0\" in column \"array\" is no layer of the network"),
            ("unit\n3\n", None, "no column layer or array"),
            ("array,unit\npool,3\nconv,0\n", Some("pool"), "units of 2 layers (conv, pool)"),
            ("layer,unit\npool,3\n", Some("conv"), "holds units of \"pool\", --lesion-layer says \"conv\""),
            ("array,unit\n", None, "nothing to lesion"),
            ("array,unit\npool,3\n", Some("head"), "--lesion-layer head: no layer of that name"),
            ("array\npool\n", None, "unit"),
        ] {
            let error = format!("{:#}", units(text, asked).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn masks_count_units_or_channels() {
        // Two pictures, three channels of 1x2 places; pictures second.
        let shape = [3, 2, 1, 2];
        let channels = |n, stride| Some(Channels { n, stride });
        let of = |units: &[usize], by, channels| mask(&shape, Some(1), units, by, channels);
        let on = |mask: Vec<bool>| (0..mask.len()).filter(|&i| mask[i]).collect::<Vec<_>>();
        assert_eq!(on(of(&[1, 5], Some(LesionBy::Unit), None).unwrap()), [1, 5]);
        assert_eq!(on(of(&[0, 2], Some(LesionBy::Channel), channels(3, 2)).unwrap()), [0, 1, 4, 5]);
        assert_eq!(on(of(&[1], Some(LesionBy::Channel), channels(2, 1)).unwrap()), [1, 3, 5]);
        assert!(of(&[1], None, channels(3, 2)).unwrap_err().to_string().contains("--lesion-by"));
        assert!(of(&[6], Some(LesionBy::Unit), None).unwrap_err().to_string().contains("has 6 units (3x1x2)"));
        assert!(of(&[3], Some(LesionBy::Channel), channels(3, 2)).unwrap_err().to_string().contains("has 3 channels"));
        assert!(of(&[0], Some(LesionBy::Channel), None).is_err());
        // A flat layer leaves no doubt.
        assert_eq!(on(mask(&[4, 3], Some(0), &[2], None, None).unwrap()), [2]);
    }
}
