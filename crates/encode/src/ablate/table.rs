//! The tables of `encode ablate`: one row per voxel or region, and every model's scores.

use anyhow::Result;
use cli::{Job, Named, Output, TableWriter};
use encoding_models::{Chance, Part, PartFit, Score};
use statistics::{Reason, mean, median};
use unit_tables::columns::VOXEL_NAME;

use super::{Ablate, By};
use crate::voxel_table::Voxels;

/// The models of one array of responses: all, without, only, then without and only of every draw.
pub(crate) struct Region<'a> {
    pub name: &'a str,
    pub voxels: Voxels<'a>,
    pub n_rows: usize,
    pub parts: Vec<Part>,
    pub fits: Vec<PartFit<Score>>,
}

impl Region<'_> {
    fn n_draws(&self) -> usize {
        (self.parts.len() - 3) / 2
    }

    fn n_voxels(&self) -> usize {
        self.fits[0].scores.len()
    }

    /// Why a voxel, or its model without or of the chosen units, has no score.
    fn reason(&self, voxel: usize) -> Option<Reason> {
        self.fits[..3].iter().find_map(|fit| fit.scores[voxel].reason)
    }
}

/// The scores of one voxel, or of a region: of every model, in the order of [`Region`].
struct Compared {
    all: f64,
    without: f64,
    only: f64,
    without_random: Chance,
    only_random: Chance,
}

impl Compared {
    fn of(scores: &[f64]) -> Compared {
        let of_draws = |place: usize| scores[3..].iter().copied().skip(place).step_by(2).collect::<Vec<f64>>();
        let [all, without, only] = [scores[0], scores[1], scores[2]];
        let without_random = Chance::of(without, &of_draws(0));
        Compared { all, without, only, without_random, only_random: Chance::of(only, &of_draws(1)) }
    }

    fn cells(&self) -> Vec<Named<'static>> {
        let (without, only) = (&self.without_random, &self.only_random);
        vec![
            ("all", self.all.into()),
            ("without", self.without.into()),
            ("only", self.only.into()),
            ("delta_without", (self.without - self.all).into()),
            ("delta_only", (self.only - self.all).into()),
            ("without_random", without.mean.into()),
            ("without_random_lo", without.lo.into()),
            ("without_random_hi", without.hi.into()),
            ("without_percentile", without.percentile.into()),
            ("only_random", only.mean.into()),
            ("only_random_lo", only.lo.into()),
            ("only_random_hi", only.hi.into()),
            ("only_percentile", only.percentile.into()),
            ("n_draws", without.n.min(only.n).into()),
        ]
    }
}

const COMPARED: [&str; 14] = [
    "all",
    "without",
    "only",
    "delta_without",
    "delta_only",
    "without_random",
    "without_random_lo",
    "without_random_hi",
    "without_percentile",
    "only_random",
    "only_random_lo",
    "only_random_hi",
    "only_percentile",
    "n_draws",
];

const ALL_DRAWS: [&str; 11] =
    ["array", "voxel", "model", "draw", "n_features", "r", "r2", "R2", "alpha", "alpha_at_edge", "reason"];

/// Created before the work, so that a missing folder stops it at once.
pub(crate) struct Tables {
    table: Output,
    all_draws: Option<Output>,
}

impl Tables {
    pub fn create(job: &Job, args: &Ablate) -> Result<Tables> {
        Ok(Tables {
            table: job.text_output(args.common.output.as_deref())?,
            all_draws: args.all_draws.as_deref().map(|path| job.text_output(Some(path))).transpose()?,
        })
    }

    /// Writes both, then gives the files their names.
    pub fn write(self, job: &Job, args: &Ablate, regions: &[Region], n_chosen: usize, n_units: usize) -> Result<()> {
        let sizes = [("n_chosen", n_chosen), ("n_units", n_units)];
        let table = match args.by {
            By::Voxel => by_voxel(self.table, args, regions, sizes)?,
            By::Region => by_region(self.table, args, regions, sizes)?,
        };
        if let Some(out) = self.all_draws {
            every_model(out, args, regions, n_units)?.commit(job)?;
        }
        table.commit(job)
    }
}

fn by_voxel(out: Output, args: &Ablate, regions: &[Region], sizes: [(&str, usize); 2]) -> Result<Output> {
    let has_names = regions.iter().any(|region| region.voxels.names.is_some());
    let columns = [&["array", "voxel", "score"][..], &COMPARED, &["n_chosen", "n_units", "n", "reason", VOXEL_NAME]];
    let columns: Vec<&str> = columns.concat().into_iter().filter(|name| has_names || *name != VOXEL_NAME).collect();
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for region in regions {
        table.records(region.n_voxels(), |voxel| {
            let scores: Vec<f64> = region.fits.iter().map(|fit| args.score.of(&fit.scores[voxel])).collect();
            let mut cells: Vec<Named> = vec![
                ("array", region.name.into()),
                ("voxel", region.voxels.number(voxel).into()),
                ("score", args.score.name().into()),
            ];
            cells.extend(Compared::of(&scores).cells());
            cells.extend(sizes.map(|(name, size)| (name, size.into())));
            cells.extend([("n", region.n_rows.into()), ("reason", region.reason(voxel).into())]);
            let name = region.voxels.names.map(|names| &names[voxel]);
            cells.extend(has_names.then(|| (VOXEL_NAME, name.into())));
            cells
        })?;
    }
    Ok(table.into_inner())
}

fn by_region(out: Output, args: &Ablate, regions: &[Region], sizes: [(&str, usize); 2]) -> Result<Output> {
    let columns =
        [&["array", "statistic", "score"][..], &COMPARED, &["n_chosen", "n_units", "n_voxels", "n", "reason"]].concat();
    let mut table = TableWriter::new(out, args.format, &columns)?;
    for region in regions {
        // Where no unit is chosen every voxel says so, and has its score with all units.
        let is_usable = |&voxel: &usize| matches!(region.reason(voxel), None | Some(Reason::Empty));
        let usable: Vec<usize> = (0..region.n_voxels()).filter(is_usable).collect();
        for (name, statistic) in [("mean", mean as fn(&[f64]) -> f64), ("median", median)] {
            let of_model = |fit: &PartFit<Score>| {
                let scores: Vec<f64> = usable.iter().map(|&voxel| args.score.of(&fit.scores[voxel])).collect();
                if scores.is_empty() { f64::NAN } else { statistic(&scores) }
            };
            let compared = Compared::of(&region.fits.iter().map(of_model).collect::<Vec<f64>>());
            let reason = region.reason(usable.first().copied().unwrap_or(0));
            let mut cells: Vec<Named> =
                vec![("array", region.name.into()), ("statistic", name.into()), ("score", args.score.name().into())];
            cells.extend(compared.cells());
            cells.extend(sizes.map(|(name, size)| (name, size.into())));
            cells.extend([("n_voxels", usable.len().into()), ("n", region.n_rows.into()), ("reason", reason.into())]);
            table.record(&cells)?;
        }
    }
    Ok(table.into_inner())
}

fn every_model(out: Output, args: &Ablate, regions: &[Region], n_units: usize) -> Result<Output> {
    let mut table = TableWriter::new(out, args.format, &ALL_DRAWS)?;
    for region in regions {
        let n_models = 3 + 2 * region.n_draws();
        let n_features: Vec<usize> = region.parts.iter().map(|part| part.columns(n_units).len()).collect();
        table.records(region.n_voxels() * n_models, |row| {
            let (voxel, model) = (row / n_models, row % n_models);
            let fit = &region.fits[model];
            let score = &fit.scores[voxel];
            let draw = model.checked_sub(3);
            let name = match (draw, &region.parts[model]) {
                (_, Part::All) => "all",
                (None, Part::Without(_)) => "without",
                (None, Part::Only(_)) => "only",
                (Some(_), Part::Without(_)) => "without_random",
                (Some(_), Part::Only(_)) => "only_random",
            };
            let has_alpha = !fit.alpha[voxel].is_nan();
            vec![
                ("array", region.name.into()),
                ("voxel", region.voxels.number(voxel).into()),
                ("model", name.into()),
                ("draw", draw.map(|place| place / 2).into()),
                ("n_features", n_features[model].into()),
                ("r", score.r.into()),
                ("r2", score.r2.into()),
                ("R2", score.coefficient_of_determination.into()),
                ("alpha", fit.alpha[voxel].into()),
                ("alpha_at_edge", has_alpha.then_some(fit.alpha_at_edge[voxel]).into()),
                ("reason", score.reason.into()),
            ]
        })?;
    }
    Ok(table.into_inner())
}
