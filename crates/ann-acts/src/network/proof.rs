//! The check that each row is one picture's (see [`crate::network::company`]), and where a layer counts its pictures.

use super::counted::{Counted, Pictures};
use super::tensor::{Element, TensorInfo, lengths, shape_text};
use super::{Layer, Network, Values, values};
use crate::network::company::{
    Difference, Kind, Numbers, PLACE, Precision, Probe, SAME, Verdict, differ_between_sizes, differ_in_place, movements,
};
use crate::network::inputs::Batch;
use crate::pictures::Size;
use anyhow::{Result, bail};

/// What the check found.
pub struct Proof {
    /// Of each layer.
    pub verdicts: Vec<Verdict>,
    /// Why the network can only run one picture at a time, where it promised more.
    pub one_at_a_time: Option<String>,
}

/// What a layer gave in one run.
struct Seen {
    shape: Vec<usize>,
    numbers: Numbers,
}

impl Seen {
    /// The row of the picture at `at` of `n`.
    fn row(&self, n: usize, at: usize, place: Counted) -> Numbers {
        self.numbers.row((n, at), place.after(&self.shape))
    }
}

/// Whether somebody's row differs between two companies, in the same place.
fn in_company(
    companies: [&Seen; 3],
    n: usize,
    place: Counted,
    precision: Precision,
    mut nudge: impl FnMut() -> Vec<f64>,
) -> Option<Difference> {
    SAME.into_iter().filter(|(at, ..)| *at < n).find_map(|(at, one, other)| {
        differ_in_place(&companies[one].row(n, at, place), &companies[other].row(n, at, place), precision, &mut nudge)
    })
}

/// The first picture changed in its last digit; run only where a difference asks for it.
struct Nudged {
    values: Option<Vec<Option<Seen>>>,
}

impl Nudged {
    /// How far each unit of layer `i` moves.
    fn movement(&mut self, network: &mut Network, probe: &Probe, size: Size, i: usize, alone: &Numbers) -> Vec<f64> {
        let values = self.values.get_or_insert_with(|| {
            let nudged = probe.nudged().and_then(|batch| network.values(batch, 1, size).ok());
            nudged.unwrap_or_default()
        });
        values.get(i).and_then(Option::as_ref).map_or(Vec::new(), |values| movements(alone, &values.numbers))
    }
}

/// What keeps a layer from having a row per picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growth {
    /// No axis grows with the pictures.
    None,
    /// Several do.
    Several,
    /// One grows, but not by as much for every picture.
    Uneven,
    /// One grows by `k` a picture, and this many ways to tell the pictures apart fit the values.
    Merged {
        /// The axis.
        axis: usize,
        /// Rows per picture.
        k: usize,
        /// Ways.
        orders: usize,
    },
}

impl Network {
    /// Finds where each layer counts pictures, and whether each row is one picture's (see [`crate::network::company`]).
    ///
    /// `batch` is what will be run together. A network that can only run one picture is from now on one that takes one.
    pub fn prove(&mut self, probe: &Probe, size: Size, batch: usize, precision: Precision) -> Result<Proof> {
        if !self.layers.iter().any(|layer| layer.tensor.is_tensor()) {
            // There is nothing to run.
            let none = |layer: &Layer| Verdict::NoRows { reason: layer.unusable().unwrap_or_default(), mixed: false };
            return Ok(Proof { verdicts: self.layers.iter().map(none).collect(), one_at_a_time: None });
        }
        match self.input.batch.fixed() {
            Some(1) => self.prove_repeated(probe, size, None),
            Some(n) => self.prove_fixed(probe, size, n, precision),
            None => match self.values(probe.picture.clone(), 1, size) {
                Ok(alone) => self.prove_open(probe, size, alone, precision),
                Err(alone) if batch > 1 => match self.prove_fixed(probe, size, batch, precision) {
                    Err(together) if together.to_string() != alone.to_string() => bail!(
                        "the network runs neither one picture ({alone:#}) nor a batch of {batch} ({together:#}); \
                         give the batch that it was exported for with --batch N"
                    ),
                    proof => proof,
                },
                Err(error) => Err(error),
            },
        }
    }

    /// Of a network that takes one picture at a time only chance can change a row.
    fn prove_repeated(&mut self, probe: &Probe, size: Size, one_at_a_time: Option<String>) -> Result<Proof> {
        let one = self.values(probe.picture.clone(), 1, size)?;
        let again = self.values(probe.picture.clone(), 1, size)?;
        let verdict = |layer: &Layer, (one, again): (&Option<Seen>, &Option<Seen>)| match (layer.unusable(), one, again)
        {
            (Some(reason), ..) => Verdict::NoRows { reason, mixed: false },
            (None, Some(one), Some(again)) => chance(&one.numbers, &again.numbers).unwrap_or(Verdict::Fine),
            _ => Verdict::Fine,
        };
        let verdicts = self.layers.iter().zip(one.iter().zip(&again)).map(|(layer, values)| verdict(layer, values));
        Ok(Proof { verdicts: verdicts.collect(), one_at_a_time })
    }

    fn prove_open(
        &mut self,
        probe: &Probe,
        size: Size,
        alone: Vec<Option<Seen>>,
        precision: Precision,
    ) -> Result<Proof> {
        // A network that takes pairs runs only two.
        let (n, among) = match self.values(probe.company(0, 3), 3, size) {
            Ok(among) => (3, among),
            Err(error) => match self.values(probe.company(0, 2), 2, size) {
                Ok(among) => (2, among),
                Err(_) => {
                    self.take_one_at_a_time();
                    return self.prove_repeated(probe, size, Some(format!("{error:#}")));
                }
            },
        };
        let others = [self.values(probe.company(1, n), n, size)?, self.values(probe.company(2, n), n, size)?];
        let mut nudged = Nudged { values: None };
        let mut verdicts = Vec::with_capacity(alone.len());
        for i in 0..self.layers.len() {
            let (Some(alone), Some(among), Some(second), Some(third)) =
                (&alone[i], &among[i], &others[0][i], &others[1][i])
            else {
                verdicts.push(Verdict::NoRows { reason: self.layers[i].unusable().unwrap_or_default(), mixed: false });
                continue;
            };
            let places = match grown(&alone.shape, &among.shape, n) {
                Ok(places) => places,
                Err(growth) => {
                    self.layers[i].pictures = None;
                    let mixed = growth != Growth::None
                        || differ_in_place(&among.numbers, &second.numbers, precision, Vec::new).is_some();
                    let reason = no_rows(&self.layers[i].tensor, growth);
                    verdicts.push(Verdict::NoRows { reason, mixed });
                    continue;
                }
            };
            let mut moved = || nudged.movement(self, probe, size, i, &alone.numbers);
            let mut found = |place: Counted| {
                in_company([among, second, third], n, place, precision, &mut moved)
                    .map(|found| (Kind::Company, found))
                    .or_else(|| {
                        let here = among.row(n, PLACE, place);
                        let found = differ_between_sizes(&alone.numbers, &here, precision, &mut moved)?;
                        Some((Kind::Size, found))
                    })
            };
            // Where several orders could be, it is the one in which the picture's values are those that it has alone.
            let fitting: Vec<Counted> = match places[..] {
                [place] => vec![place],
                _ => places.iter().copied().filter(|&place| found(place).is_none()).collect(),
            };
            let verdict = match fitting[..] {
                [place] => {
                    let found = if places.len() == 1 { found(place) } else { None };
                    self.layers[i].pictures = Some(Pictures::Axis(place));
                    found.map_or(Verdict::Fine, |(kind, found)| Verdict::Coupled(kind, found))
                }
                _ => {
                    self.layers[i].pictures = None;
                    let (axis, k) = (places[0].axis, places[0].outer * places[0].inner);
                    let growth = Growth::Merged { axis, k, orders: fitting.len() };
                    Verdict::NoRows { reason: no_rows(&self.layers[i].tensor, growth), mixed: fitting.is_empty() }
                }
            };
            verdicts.push(verdict);
        }
        if verdicts.iter().any(Verdict::is_mixed) {
            let again = self.values(probe.picture.clone(), 1, size)?;
            by_chance(&mut verdicts, &alone, &again);
        }
        Ok(Proof { verdicts, one_at_a_time: None })
    }

    /// Of a network that takes a fixed number of pictures, the picture is shown in another place instead of alone.
    fn prove_fixed(&mut self, probe: &Probe, size: Size, n: usize, precision: Precision) -> Result<Proof> {
        let among = self.values(probe.company(0, n), n, size)?;
        let others = [self.values(probe.company(1, n), n, size)?, self.values(probe.company(2, n), n, size)?];
        let first = self.values(probe.first(n), n, size)?;
        let mut verdicts = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter_mut().enumerate() {
            let (Some(among), Some(second), Some(third), Some(first)) =
                (&among[i], &others[0][i], &others[1][i], &first[i])
            else {
                verdicts.push(Verdict::NoRows { reason: layer.unusable().unwrap_or_default(), mixed: false });
                continue;
            };
            let difference = |place: Counted| {
                in_company([among, second, third], n, place, precision, Vec::new)
                    .map(|found| (Kind::Company, found))
                    .or_else(|| {
                        let (here, there) = (among.row(n, PLACE, place), first.row(n, 0, place));
                        differ_between_sizes(&here, &there, precision, Vec::new).map(|found| (Kind::Size, found))
                    })
            };
            let own = (among.shape.first() == Some(&n)).then(|| Counted::axis(0));
            let verdict = match own {
                Some(place) => {
                    layer.pictures = Some(Pictures::Axis(place));
                    difference(place).map_or(Verdict::Fine, |(kind, found)| Verdict::Coupled(kind, found))
                }
                None => {
                    let places = all_places(&among.shape, n);
                    let fitting: Vec<Counted> =
                        places.into_iter().filter(|&place| difference(place).is_none()).collect();
                    match fitting[..] {
                        [place] => {
                            layer.pictures = Some(Pictures::Axis(place));
                            Verdict::Fine
                        }
                        _ => {
                            layer.pictures = None;
                            let mixed = differ_in_place(&among.numbers, &second.numbers, precision, Vec::new).is_some();
                            Verdict::NoRows { reason: no_rows(&layer.tensor, Growth::None), mixed }
                        }
                    }
                }
            };
            verdicts.push(verdict);
        }
        if verdicts.iter().any(Verdict::is_mixed) {
            let again = self.values(probe.company(0, n), n, size)?;
            by_chance(&mut verdicts, &among, &again);
        }
        Ok(Proof { verdicts, one_at_a_time: None })
    }

    /// The values of each layer that holds floating-point numbers.
    fn values(&mut self, batch: Batch, n: usize, size: Size) -> Result<Vec<Option<Seen>>> {
        let shape = self.input.shape(n, size);
        let floats: Vec<Option<(String, Element)>> = self
            .layers
            .iter()
            .map(|layer| layer.tensor.element.is_float().then(|| (layer.tensor.name.clone(), layer.tensor.element)))
            .collect();
        let outputs = self.outputs(batch, shape)?;
        let numbers = |name: &str, element: Element| -> Result<Seen> {
            let value = &outputs[name];
            let numbers = match values(value, element)? {
                Values::F32(values) => Numbers::F32(values.into_owned()),
                Values::F64(values) => Numbers::F64(values.into_owned()),
            };
            Ok(Seen { shape: lengths(value.shape()), numbers })
        };
        floats.iter().map(|float| float.as_ref().map(|(name, element)| numbers(name, *element)).transpose()).collect()
    }
}

/// Where the pictures may be counted, from the lengths for one picture and for `n`.
fn grown(one: &[usize], many: &[usize], n: usize) -> Result<Vec<Counted>, Growth> {
    if one.len() != many.len() {
        return Err(Growth::Uneven);
    }
    let changed: Vec<usize> = (0..one.len()).filter(|&axis| one[axis] != many[axis]).collect();
    let axis = match changed[..] {
        [] => return Err(Growth::None),
        [axis] => axis,
        _ => return Err(Growth::Several),
    };
    if one[axis] == 0 || many[axis] != n * one[axis] {
        return Err(Growth::Uneven);
    }
    Ok(places(axis, one[axis]))
}

/// Every order in which `k` things of each picture can stand along an axis, those of one picture together first.
fn places(axis: usize, k: usize) -> Vec<Counted> {
    let outers = (1..=k).filter(|outer| k.is_multiple_of(*outer));
    outers.map(|outer| Counted { axis, outer, inner: k / outer }).collect()
}

/// Every way to count `n` pictures along one axis.
fn all_places(shape: &[usize], n: usize) -> Vec<Counted> {
    let axes = (0..shape.len()).filter(|&axis| shape[axis] > 0 && shape[axis].is_multiple_of(n));
    axes.flat_map(|axis| places(axis, shape[axis] / n)).collect()
}

fn no_rows(tensor: &TensorInfo, growth: Growth) -> String {
    let named = format!("layer \"{}\" ({})", tensor.name, shape_text(&tensor.axes));
    match growth {
        Growth::None => format!("{named} has no axis that counts pictures"),
        Growth::Several => format!("{named} counts pictures along several axes, so no row of it is one picture's"),
        Growth::Uneven => {
            format!("{named} does not grow by as much for every picture, so no row of it is one picture's")
        }
        Growth::Merged { axis, k, orders: 0 } => format!(
            "{named} has {k} rows per picture along axis {axis}, and no order of them gives a picture the same rows \
             whatever stands beside it"
        ),
        Growth::Merged { axis, k, .. } => {
            format!("{named} has {k} rows per picture along axis {axis}, and the values do not tell which are whose")
        }
    }
}

/// Two runs of the same that differ.
fn chance(one: &Numbers, again: &Numbers) -> Option<Verdict> {
    // A card may add in any order, which is no chance that matters.
    differ_between_sizes(one, again, Precision::Single, Vec::new).map(|found| Verdict::Coupled(Kind::Chance, found))
}

/// Tells layers that differ from run to run from those that differ with their company.
fn by_chance(verdicts: &mut [Verdict], one: &[Option<Seen>], again: &[Option<Seen>]) {
    for (verdict, (one, again)) in verdicts.iter_mut().zip(one.iter().zip(again)) {
        if let (Verdict::Coupled(..), Some(one), Some(again)) = (&verdict, one, again)
            && let Some(found) = chance(&one.numbers, &again.numbers)
        {
            *verdict = found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_found_by_what_grows() {
        let of = |one: &[usize], three: &[usize]| grown(one, three, 3);
        assert_eq!(of(&[49, 1, 8], &[49, 3, 8]), Ok(vec![Counted::axis(1)]));
        assert_eq!(of(&[1, 1], &[3, 3]), Err(Growth::Several));
        assert_eq!(of(&[8], &[8]), Err(Growth::None));
        assert_eq!(of(&[2, 8], &[5, 8]), Err(Growth::Uneven));
        let windows = of(&[4, 8], &[12, 8]).unwrap();
        assert_eq!(
            windows.iter().map(|place| (place.outer, place.inner)).collect::<Vec<_>>(),
            [(1, 4), (2, 2), (4, 1)]
        );
    }
}
