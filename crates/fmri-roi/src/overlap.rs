//! `fmri-roi overlap`: how alike maps are, and on which side of the brain they lie.

use anyhow::{Result, bail};
use cli::{Common, Format, Input, Job, Named, TableWriter};
use localizer::{Selection, Top, select_by_statistic};
use statistics::{Reason, SetOverlap, exact_memberships, pearson};
use voxel_inputs::{read_labels_on, require_n_columns, require_same_space};

use crate::maps::{Maps, NamedMap};
use crate::place::{Hemisphere, hemispheres};
use crate::resample::Resample;

const HELP: &str = "\
Maps of t (or masks: --t 0) on one grid. A voxel that is NaN in one of two maps is in neither.
Columns, one row per pair of maps and rule (no rule: one row):
  a, b               the maps
  rule               t > 3, top 100, top 5%: which voxels of each map are taken
  n_voxels           voxels that have a number in both (and are inside --mask)
  r                  Pearson correlation of the two maps over these (spatial correlation)
  n_a, n_b           voxels that the rule takes of each
  n_intersection     of both
  dice, jaccard      2 |A and B| / (|A| + |B|), |A and B| / |A or B|; NaN where both are empty
  expected           voxels that unrelated sets of these sizes share, n_a n_b / n_voxels
  reason             why there is no number: constant, empty, too_few_voxels (of r: fewer than 3)
--top takes sets of one size (Dice at equal size), so that a stronger map is not a larger one.
--laterality, one row per map and threshold instead:
  map, t, n_left, n_right    voxels with t greater than --t left (x < 0 mm, or the structure of
                             a surface) and right of the middle
  laterality                 (n_left - n_right) / (n_left + n_right): 1 all left, -1 all right
  t_left, t_right            sums of t over these voxels, for who weighs voxels by them
  reason                     empty: no voxel is above t
Several --t give the curve over thresholds; a single one hides how much the index depends on it.
--combinations of two or three maps, one row per rule and combination of sets instead (`figure overlap`
draws them):
  a, b, c, rule          the maps, and which voxels of each are taken
  in_a, in_b, in_c       1 where the voxels are in that set, 0 where they are not
  n                      voxels in exactly these sets; a voxel that is NaN in one map is in none

Examples:
  fmri-roi overlap sub-0*_face_con.nii --t 2,3
  fmri-roi overlap sub-0*_face_con.nii --top 5% --mask parcels.nii
  fmri-roi overlap sub-0*_face_con.nii --laterality --t 1,2,3,4";

/// Options of `overlap`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Overlap {
    /// Maps of t, or masks; two or more, or one with --laterality
    #[arg(value_name = "MAP", required = true)]
    maps: Vec<Input>,
    /// Take voxels greater than this; several make a row each
    #[arg(long, value_name = "T,T,..", value_delimiter = ',', allow_negative_numbers = true)]
    #[arg(value_parser = localizer::parse_threshold)]
    t: Vec<f64>,
    /// Take this many of the highest voxels of each map, or this percentage; ties by voxel number
    #[arg(long, value_name = "N|P%", conflicts_with = "laterality")]
    top: Option<Top>,
    /// How much of each map lies left and right
    #[arg(long, requires = "t")]
    laterality: bool,
    /// How many voxels are in each combination of two or three maps' sets
    #[arg(long, conflicts_with = "laterality")]
    combinations: bool,
    /// Voxels that are looked at: an image, label or .npy of whole numbers, above 0 is inside
    #[arg(long, value_name = "IMAGE")]
    mask: Option<Input>,
    #[command(flatten)]
    resample: Resample,
    /// Names of the maps, in order [default: file stems]
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    names: Vec<String>,
    /// Image whose geometry .npy maps have
    #[arg(long, value_name = "IMAGE")]
    like: Option<Input>,
    /// Format of the table
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    common: Common,
}

/// Runs the verb.
pub(crate) fn run(args: Overlap) -> Result<()> {
    let job = Job::start("fmri-roi", &args.common)?;
    let out = job.text_output(args.common.output.as_deref())?;
    args.resample.require(args.mask.is_some(), "--mask")?;
    if args.maps.len() < 2 && !args.laterality {
        bail!("{}: 1 map; an overlap is of two or more (--laterality is of each)", args.maps[0]);
    }
    if args.combinations {
        if args.maps.len() > 3 {
            bail!("{}: {} maps; --combinations is of two or three", args.maps[0], args.maps.len());
        }
        if args.t.is_empty() && args.top.is_none() {
            bail!("--combinations: nothing says which voxels of a map are taken; give --t or --top");
        }
    }
    let Maps { mut maps, space } = Maps::read(&job, &args.maps, &args.names, args.like.as_ref())?;
    if let Some(input) = &args.mask {
        let mask = read_labels_on(&job, input, (&maps[0].source, maps[0].values.len(), space.as_ref()))?;
        let mask = args.resample.onto(&job, (&input.to_string(), mask), (&maps[0].source, space.as_ref()))?;
        let source = input.to_string();
        match (&mask.space, &space) {
            (Some(mine), Some(space)) => require_same_space((&source, mine), (&maps[0].source, space))?,
            (Some(mine), None) => require_n_columns((&maps[0].source, maps[0].values.len()), (&source, mine))?,
            (None, _) if mask.labels.len() != maps[0].values.len() => {
                bail!("{source}: {} voxels, but {} has {}", mask.labels.len(), maps[0].source, maps[0].values.len())
            }
            (None, _) => {}
        }
        for map in &mut maps {
            map.values.iter_mut().zip(&mask.labels).filter(|(_, label)| **label == 0).for_each(|(v, _)| *v = f64::NAN);
        }
    }
    let rules = rules(&args);
    let rows = match args.laterality {
        _ if args.combinations => {
            // One file may hold several maps.
            if !(2..=3).contains(&maps.len()) {
                bail!("{}: {} maps; --combinations is of two or three", args.maps[0], maps.len());
            }
            rules.iter().flat_map(|rule| combinations(&maps, rule)).collect()
        }
        true => {
            let Some(space) = &space else {
                bail!(
                    "{}: a .npy map does not say where its voxels are, which --laterality needs; give --like IMAGE",
                    maps[0].source
                );
            };
            let left_or_right = hemispheres(space, &maps[0].source)?;
            let rows = maps.iter().flat_map(|map| args.t.iter().map(|&t| laterality(map, t, &left_or_right)));
            rows.collect::<Vec<_>>()
        }
        false => {
            let pairs = (0..maps.len()).flat_map(|a| (a + 1..maps.len()).map(move |b| (a, b)));
            pairs.flat_map(|(a, b)| of_pair(&maps[a], &maps[b], &rules)).collect()
        }
    };
    let columns: Vec<&str> = rows[0].iter().map(|(name, _)| *name).collect();
    let mut table = TableWriter::new(out, args.format, &columns)?;
    rows.iter().try_for_each(|row| table.record(row))?;
    table.into_inner().commit(&job)
}

/// Which voxels of a map are taken, and how a table says it; one without a selection takes none.
struct Rule {
    text: String,
    selection: Option<Selection>,
}

fn rules(args: &Overlap) -> Vec<Rule> {
    let above = |&t: &f64| Rule {
        text: format!("t > {t}"),
        selection: Some(Selection { t_above: Some(t), ..Selection::default() }),
    };
    let mut rules: Vec<Rule> = args.t.iter().map(above).collect();
    rules.extend(args.top.map(|top| Rule {
        text: match top {
            Top::Count(n) => format!("top {n}"),
            Top::Percent(percent) => format!("top {percent}%"),
        },
        selection: Some(Selection { top: Some(top), ..Selection::default() }),
    }));
    if rules.is_empty() {
        rules.push(Rule { text: String::new(), selection: None });
    }
    rules
}

fn of_pair<'a>(a: &'a NamedMap, b: &'a NamedMap, rules: &'a [Rule]) -> impl Iterator<Item = Vec<Named<'a>>> {
    let both = a.values.iter().zip(&b.values).filter(|(x, y)| !x.is_nan() && !y.is_nan());
    let (x, y): (Vec<f64>, Vec<f64>) = both.unzip();
    let r = if x.len() < 3 { f64::NAN } else { pearson(&x, &y) };
    rules.iter().map(move |rule| {
        let sets = rule.selection.as_ref().map(|selection| {
            let [a, b] = [&x, &y].map(|values| {
                let mut taken = select_by_statistic(values, None, selection);
                taken.sort_unstable();
                taken
            });
            SetOverlap::of(&a, &b, Some(x.len()))
        });
        let empty = sets.is_some_and(|sets| sets.n_union() == 0);
        let reason = match r.is_nan() {
            true if x.len() < 3 => Some(Reason::TooFewVoxels),
            true => Some(Reason::Constant),
            false => empty.then_some(Reason::Empty),
        };
        vec![
            ("a", (&a.name).into()),
            ("b", (&b.name).into()),
            ("rule", rule.text.as_str().into()),
            ("n_voxels", x.len().into()),
            ("r", r.into()),
            ("n_a", sets.map(|s| s.n_a).into()),
            ("n_b", sets.map(|s| s.n_b).into()),
            ("n_intersection", sets.map(|s| s.n_intersection).into()),
            ("dice", sets.map(|s| s.dice()).into()),
            ("jaccard", sets.map(|s| s.jaccard()).into()),
            ("expected", sets.map(|s| s.expected()).into()),
            ("reason", reason.into()),
        ]
    })
}

/// Voxels in exactly these sets, for every combination but none of them.
fn combinations<'a>(maps: &'a [NamedMap], rule: &'a Rule) -> Vec<Vec<Named<'a>>> {
    let n_voxels = maps[0].values.len();
    let known: Vec<usize> = (0..n_voxels).filter(|&v| maps.iter().all(|map| !map.values[v].is_nan())).collect();
    let sets = maps.iter().map(|map| {
        let values: Vec<f64> = known.iter().map(|&v| map.values[v]).collect();
        let mut taken =
            rule.selection.as_ref().map_or(Vec::new(), |selection| select_by_statistic(&values, None, selection));
        taken.sort_unstable();
        taken
    });
    let counts = exact_memberships(&sets.collect::<Vec<_>>());
    let name = |k: usize| maps.get(k).map(|map| map.name.as_str());
    let is_in = |k: usize, mask: usize| (k < maps.len()).then_some(mask >> k & 1);
    let row = |mask: usize| {
        vec![
            ("a", name(0).into()),
            ("b", name(1).into()),
            ("c", name(2).into()),
            ("rule", rule.text.as_str().into()),
            ("in_a", is_in(0, mask).into()),
            ("in_b", is_in(1, mask).into()),
            ("in_c", is_in(2, mask).into()),
            ("n", counts[mask].into()),
        ]
    };
    (1..counts.len()).map(row).collect()
}

fn laterality<'a>(map: &'a NamedMap, t: f64, sides: &[Option<Hemisphere>]) -> Vec<Named<'a>> {
    let of = |side: Hemisphere| {
        let above = map.values.iter().zip(sides).filter(|(v, s)| **v > t && **s == Some(side)).map(|(v, _)| *v);
        let values: Vec<f64> = above.collect();
        (values.len(), statistics::sum(&values))
    };
    let ((n_left, t_left), (n_right, t_right)) = (of(Hemisphere::Left), of(Hemisphere::Right));
    let index = (n_left as f64 - n_right as f64) / (n_left + n_right) as f64;
    vec![
        ("map", (&map.name).into()),
        ("t", t.into()),
        ("n_left", n_left.into()),
        ("n_right", n_right.into()),
        ("laterality", index.into()),
        ("t_left", t_left.into()),
        ("t_right", t_right.into()),
        ("reason", index.is_nan().then_some(Reason::Empty).into()),
    ]
}
