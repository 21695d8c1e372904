//! What is asked of the moments: which groups of rows make the two sides of a test, for several contrasts, folds and
//! units of observation at once.

use std::collections::HashMap;

use statistics::Moments;

use crate::contrast::Groups;
use crate::moments::CategoryMoments;
use crate::statistic::GroupTooSmall;

/// A sample of observations, put together from groups of rows.
///
/// Its cells are the finest sets that the contrasts tell apart (categories, where means of categories are asked for);
/// a cell holds one group per part of the rows (fold) that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    cells: Vec<Vec<usize>>,
    /// One observation is the mean of a cell, not a row.
    of_means: bool,
}

impl Sample {
    /// Moments of this sample for one unit: over all rows of its cells, or over the means of its cells.
    pub fn moments(&self, moments: &CategoryMoments, unit: usize) -> Moments {
        let merged = |cell: &Vec<usize>| {
            cell.iter().map(|&group| moments.moments(group, unit)).fold(Moments::default(), Moments::merge)
        };
        let cells = self.cells.iter().map(merged).filter(|cell| cell.n > 0);
        if self.of_means {
            cells.map(|cell| cell.mean).collect()
        } else {
            cells.fold(Moments::default(), Moments::merge)
        }
    }

    /// How many observations it has.
    pub fn n(&self, moments: &CategoryMoments) -> usize {
        let rows = |cell: &Vec<usize>| cell.iter().map(|&g| moments.count(g)).sum::<usize>();
        let cells = self.cells.iter().map(rows);
        if self.of_means { cells.filter(|rows| *rows > 0).count() } else { cells.sum() }
    }
}

/// One contrast asked of moments: samples to be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The preferred sample and then those it must beat; or one sample per weight.
    pub(crate) samples: Vec<Sample>,
    pub(crate) weights: Option<Vec<f64>>,
}

impl Question {
    /// The groups of the moments that it looks at.
    pub fn groups(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        self.samples.iter().flat_map(|s| &s.cells).flatten().copied()
    }

    /// How many comparisons a unit must win: more than one when it must beat each other category.
    pub fn n_comparisons(&self) -> usize {
        if self.weights.is_some() { 1 } else { self.samples.len() - 1 }
    }

    /// Degrees of freedom of Student's test, where all comparisons have the same.
    pub fn student_df(&self, moments: &CategoryMoments) -> Option<f64> {
        let counts: Vec<usize> = self.samples.iter().map(|s| s.n(moments)).collect();
        if self.weights.is_some() {
            return Some(counts.iter().sum::<usize>() as f64 - counts.len() as f64);
        }
        let n_rest = counts[1];
        counts[1..].iter().all(|n| *n == n_rest).then(|| (counts[0] + n_rest) as f64 - 2.0)
    }

    /// The preferred sample (the first with a weight, of a weighted contrast).
    pub fn preferred(&self) -> &Sample {
        &self.samples[0]
    }

    /// Refuses samples too small for a variance.
    pub fn check(&self, moments: &CategoryMoments) -> Result<(), GroupTooSmall> {
        let counts: Vec<usize> = self.samples.iter().map(|s| s.n(moments)).collect();
        let least = |positive: bool| match &self.weights {
            None if positive => counts[0],
            None => counts[1..].iter().copied().min().unwrap_or(0),
            Some(weights) => {
                let side = weights.iter().zip(&counts).filter(|(w, _)| (**w > 0.0) == positive);
                side.map(|(_, n)| *n).min().unwrap_or(0)
            }
        };
        let (n_preferred, n_rest) = (least(true), least(false));
        if n_preferred < 2 || n_rest < 2 { Err(GroupTooSmall { n_preferred, n_rest }) } else { Ok(()) }
    }

    /// Side of every group of the moments for a comparison (from 1, 0 preferred): `Some(true)` preferred, `Some(false)`
    /// other. For measures that rank rows; `None` where observations are means or weights.
    pub fn sides(&self, comparison: usize, n_groups: usize) -> Option<Vec<Option<bool>>> {
        if self.weights.is_some() || self.samples.iter().any(|s| s.of_means) {
            return None;
        }
        let mut sides = vec![None; n_groups];
        for (sample, preferred) in [(0, true), (comparison, false)] {
            self.samples[sample].cells.iter().flatten().for_each(|&g| sides[g] = Some(preferred));
        }
        Some(sides)
    }
}

/// Several contrasts over the same rows, brought down to the fewest groups that answer all of them in one pass.
///
/// ```
/// use localizer::{Contrast, Design, Versus};
/// let column = ["face", "body", "house", "face"];
/// let of = |text: &str| text.parse::<Contrast>().unwrap().resolve(&column, Versus::Pooled).unwrap();
/// // Bodies and houses need to be told apart only by the second contrast.
/// assert_eq!(Design::new(&[of("face > rest")], None).n_groups(), 2);
/// let both = Design::new(&[of("face > rest"), of("body > face")], None);
/// assert_eq!(both.n_groups(), 3);
/// assert_eq!(both.group_of_row(), [Some(0), Some(1), Some(2), Some(0)]);
/// ```
#[derive(Debug, Clone)]
pub struct Design {
    group_of_row: Vec<Option<usize>>,
    /// Of each group, its place in each contrast.
    places: Vec<Vec<Option<usize>>>,
    /// Of each group, its category, where the means of categories are the observations.
    categories: Option<Vec<String>>,
    contrasts: Vec<(usize, Option<Vec<f64>>)>,
    part_of_row: Vec<usize>,
    n_parts: usize,
}

impl Design {
    /// `contrasts` were resolved on one column. With `categories` (one per row) the mean of each category is one
    /// observation; a row without one (empty), or outside all contrasts, is not used. A category with rows on
    /// both sides of a contrast has one mean on either.
    ///
    /// # Panics
    /// When the contrasts, or the categories, have other numbers of rows.
    pub fn new(contrasts: &[Groups], categories: Option<&[String]>) -> Design {
        let n_rows = contrasts.first().map_or(0, |c| c.group_of_row.len());
        let mut known: HashMap<(Vec<Option<usize>>, &str), usize> = HashMap::new();
        let mut places = Vec::new();
        let mut names = Vec::new();
        let mut group_of_row = Vec::with_capacity(n_rows);
        for row in 0..n_rows {
            let place: Vec<Option<usize>> = contrasts.iter().map(|c| c.group_of_row[row]).collect();
            let category = categories.map_or("", |c| c[row].trim());
            let has_no_category = categories.is_some() && category.is_empty();
            if has_no_category || place.iter().all(Option::is_none) {
                group_of_row.push(None);
                continue;
            }
            let next = known.len();
            let group = *known.entry((place.clone(), category)).or_insert(next);
            if group == next {
                places.push(place);
                names.push(category.to_owned());
            }
            group_of_row.push(Some(group));
        }
        let contrasts = contrasts.iter().map(|c| (c.names.len(), c.weights.clone())).collect();
        let categories = categories.map(|_| names);
        Design { group_of_row, places, categories, contrasts, part_of_row: vec![0; n_rows], n_parts: 1 }
    }

    /// The same, with rows in parts (folds) that can be asked for alone: `part_of_row` counts from 0.
    ///
    /// # Panics
    /// When `part_of_row` has another number of rows.
    pub fn in_parts(self, part_of_row: Vec<usize>) -> Design {
        assert_eq!(part_of_row.len(), self.group_of_row.len(), "one part per row");
        let n_parts = part_of_row.iter().max().map_or(1, |last| last + 1);
        Design { part_of_row, n_parts, ..self }
    }

    /// The group of every row, for [`CategoryMoments`]; `None` for rows that no contrast uses.
    pub fn group_of_row(&self) -> Vec<Option<usize>> {
        let of = |(group, part): (&Option<usize>, &usize)| group.map(|g| part * self.places.len() + g);
        self.group_of_row.iter().zip(&self.part_of_row).map(of).collect()
    }

    /// How many groups there are.
    pub fn n_groups(&self) -> usize {
        self.places.len() * self.n_parts
    }

    /// How many contrasts.
    pub fn n_contrasts(&self) -> usize {
        self.contrasts.len()
    }

    /// One contrast, over all rows.
    pub fn question(&self, contrast: usize) -> Question {
        self.question_of(contrast, |_| true)
    }

    /// One contrast over the parts for which `takes` holds.
    pub fn question_of(&self, contrast: usize, takes: impl Fn(usize) -> bool) -> Question {
        let (n_samples, weights) = &self.contrasts[contrast];
        let parts: Vec<usize> = (0..self.n_parts).filter(|&p| takes(p)).collect();
        let in_parts = |group: usize| parts.iter().map(move |part| part * self.places.len() + group);
        let sample = |place: usize| {
            let groups = (0..self.places.len()).filter(|&g| self.places[g][contrast] == Some(place));
            let Some(categories) = &self.categories else {
                return Sample { cells: groups.map(|g| in_parts(g).collect()).collect(), of_means: false };
            };
            // Another contrast may have split a category into several groups; here it is one observation all the same.
            let mut cells: Vec<(&str, Vec<usize>)> = Vec::new();
            for group in groups {
                let category = categories[group].as_str();
                match cells.iter_mut().find(|(known, _)| *known == category) {
                    Some((_, cell)) => cell.extend(in_parts(group)),
                    None => cells.push((category, in_parts(group).collect())),
                }
            }
            Sample { cells: cells.into_iter().map(|(_, cell)| cell).collect(), of_means: true }
        };
        Question { samples: (0..*n_samples).map(sample).collect(), weights: weights.clone() }
    }
}
