//! One job's part of the rows, and the proof that all parts are there.

use crate::sidecar;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

/// Part `index` (from 0) of `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    /// From 0.
    pub index: usize,
    /// Number of parts.
    pub count: usize,
}

/// A file that holds a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartOf {
    /// Which part it is.
    pub shard: Shard,
    /// Of what: SHA-256 of the inputs, the length that was cut, and options, so that parts of two wholes are told
    /// apart.
    pub whole: String,
    /// Whether columns of a matrix, not rows, were cut.
    pub columns: bool,
}

/// What a record says of shards of columns.
const COLUMNS: &str = "columns";
/// Where a record has the options that all shards of a whole share.
const OPTIONS: &str = "options";

impl Shard {
    /// `I/N` with I from 0, or `slurm`: this task's place between SLURM_ARRAY_TASK_MIN and _MAX.
    pub fn parse(text: &str) -> Result<Shard> {
        if text == "slurm" {
            let number = |key: &str| -> Result<usize> {
                let value = std::env::var(key).with_context(|| format!("--shard slurm: {key} is not set"))?;
                value.trim().parse().with_context(|| format!("--shard slurm: {key} is {value:?}"))
            };
            let (id, min) = (number("SLURM_ARRAY_TASK_ID")?, number("SLURM_ARRAY_TASK_MIN")?);
            let count = number("SLURM_ARRAY_TASK_COUNT")?;
            if id < min || id - min >= count {
                bail!(
                    "--shard slurm: task {id} is not one of {count} consecutive tasks from {min}; use --array without gaps"
                );
            }
            return Ok(Shard { index: id - min, count });
        }
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((index, count)) if index < count => Ok(Shard { index, count }),
            Some((index, count)) => {
                bail!("--shard {index}/{count}: parts count from 0, so the last is {}/{count}", count.saturating_sub(1))
            }
            None => bail!("--shard {text:?}: expected I/N (0/8 to 7/8) or slurm"),
        }
    }

    /// This part's share of `n` things: sizes differ by at most one.
    ///
    /// ```
    /// let shard = cli::Shard { index: 1, count: 3 };
    /// assert_eq!(shard.range(10), 3..6);
    /// ```
    pub fn range(self, n: usize) -> Range<usize> {
        let cut = |i: usize| (i as u128 * n as u128 / self.count as u128) as usize;
        cut(self.index)..cut(self.index + 1)
    }

    /// What the sidecar says, so that `npy cat` can prove completeness.
    pub fn record(self, n: usize) -> Value {
        let rows = self.range(n);
        json!({ "index": self.index, "count": self.count, "first": rows.start, "end": rows.end, "of": n })
    }

    /// [`Shard::record`] where `n` columns of matrices, not rows, are cut (and rows of tables about them). Shards with
    /// other `options` are of another whole.
    pub fn record_columns(self, n: usize, options: &str) -> Value {
        let mut record = self.record(n);
        record["axis"] = COLUMNS.into();
        record[OPTIONS] = options.into();
        record
    }

    /// The shard that the sidecar of `file` speaks of; `None` without sidecar or record. An error where the file is
    /// not, byte for byte, the one that its sidecar was written for.
    pub fn of_file(file: &Path) -> Result<Option<PartOf>> {
        let Some(side) = sidecar::record_of(file) else { return Ok(None) };
        let number = |key: &str| side["shard"][key].as_u64().map(|v| v as usize);
        match (number("index"), number("count")) {
            (Some(index), Some(count)) => {
                sidecar::require_own(&side, file)?;
                let inputs = side["inputs"].as_array().into_iter().flatten();
                let digests: Vec<&str> = inputs.filter_map(|input| input["sha256"].as_str()).collect();
                Ok(Some(PartOf {
                    shard: Shard { index, count },
                    whole: format!("{} of {} {}", side["shard"]["of"], digests.join(" "), side["shard"][OPTIONS]),
                    columns: side["shard"]["axis"] == COLUMNS,
                }))
            }
            _ => Ok(None),
        }
    }

    /// The order in which these shards make the whole; an error lists what is missing, as `sbatch --array=` takes it,
    /// and what is there twice.
    pub fn complete(shards: &[Shard]) -> Result<Vec<usize>> {
        let Some(first) = shards.first() else { bail!("0 shards") };
        if let Some(other) = shards.iter().find(|s| s.count != first.count) {
            bail!("shards of two runs: one of {} parts, one of {}", first.count, other.count);
        }
        let mut place: BTreeMap<usize, usize> = BTreeMap::new();
        for (position, shard) in shards.iter().enumerate() {
            if place.insert(shard.index, position).is_some() {
                bail!("shard {}/{} is there twice; each must be there once", shard.index, shard.count);
            }
        }
        if let Some(&index) = place.keys().next_back()
            && index >= first.count
        {
            bail!("shard {index}/{}: parts count from 0; the sidecar is damaged", first.count);
        }
        if place.len() < first.count {
            bail!(
                "{} of {} shards are missing; with tasks counted from 0: --array={}",
                first.count - place.len(),
                first.count,
                gaps(place.keys().copied(), first.count)
            );
        }
        Ok(place.into_values().collect())
    }
}

impl FromStr for Shard {
    type Err = String;
    fn from_str(text: &str) -> Result<Shard, String> {
        Shard::parse(text).map_err(|e| format!("{e:#}"))
    }
}

/// What is not there of 0 to `count`, as `3,5-7`. By the gaps and not one by one: a damaged sidecar may say any count.
fn gaps(there: impl Iterator<Item = usize>, count: usize) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = 0;
    for index in there.chain([count]) {
        match index - next {
            0 => {}
            1 => parts.push(next.to_string()),
            _ => parts.push(format!("{next}-{}", index - 1)),
        }
        next = index.saturating_add(1);
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_everything_once() {
        for n in [0, 1, 7, 10, 100] {
            for count in [1, 3, 7, 11] {
                let all: Vec<usize> = (0..count).flat_map(|index| Shard { index, count }.range(n)).collect();
                assert_eq!(all, (0..n).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn what_is_missing_is_listed_for_sbatch() {
        let shard = |index| Shard { index, count: 9 };
        let message = Shard::complete(&[shard(0), shard(4), shard(8), shard(2)]).unwrap_err().to_string();
        assert!(message.contains("5 of 9") && message.ends_with("--array=1,3,5-7"), "{message}");
        assert!(Shard::complete(&[shard(1), shard(1)]).unwrap_err().to_string().contains("twice"));
        let huge = Shard { index: 1, count: usize::MAX };
        let message = Shard::complete(&[huge]).unwrap_err().to_string();
        assert!(message.ends_with(&format!("--array=0,2-{}", usize::MAX - 1)), "{message}");
        assert!(Shard::complete(&[Shard { index: 7, count: 3 }]).unwrap_err().to_string().contains("shard 7/3"));
        let two = [Shard { index: 1, count: 2 }, Shard { index: 0, count: 2 }];
        assert_eq!(Shard::complete(&two).unwrap(), [1, 0]);
        assert!(Shard::complete(&[two[0], shard(0)]).is_err());
    }

    #[test]
    fn shards_are_spelled_from_zero() {
        assert_eq!(Shard::parse("0/8").unwrap(), Shard { index: 0, count: 8 });
        assert!(Shard::parse("8/8").unwrap_err().to_string().contains("7/8"));
        assert!(Shard::parse("x").is_err() && Shard::parse("0/0").is_err());
    }
}
