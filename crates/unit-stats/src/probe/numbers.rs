//! What drives a unit: its extreme pictures, the categories among them, and how well it tells a category from the rest.

use crate::validate::numbers::z_scores;
use statistics::{Hypergeometric, Reason, average_ranks, quantile, roc_area_of_ranks};

/// The pictures at one end of a unit's responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extreme {
    /// Places of the k pictures, the most extreme one first.
    pub pictures: Vec<usize>,
    /// All pictures whose response equals that of the last one taken, when some of them are left out; else none.
    pub tied: Vec<usize>,
    /// How many of the tied ones are left out.
    pub n_tied: usize,
}

/// The `k` largest (or smallest) of `values`; equal ones by place. `k` is at most the number of values, none is NaN.
pub(crate) fn extreme(values: &[f64], k: usize, top: bool) -> Extreme {
    let mut order: Vec<usize> = (0..values.len()).collect();
    // partial_cmp, since -0 equals 0; the place makes every order strict, so that any way of sorting gives the same.
    let compare = |&a: &usize, &b: &usize| {
        let by_value = values[a].partial_cmp(&values[b]).unwrap_or(std::cmp::Ordering::Equal);
        (if top { by_value.reverse() } else { by_value }).then(a.cmp(&b))
    };
    let mut tied = Vec::new();
    let mut n_tied = 0;
    if k > 0 && k < order.len() {
        let edge = values[*order.select_nth_unstable_by(k - 1, compare).1];
        n_tied = order[k..].iter().filter(|&&i| values[i] == edge).count();
        if n_tied > 0 {
            tied = (0..values.len()).filter(|&i| values[i] == edge).collect();
        }
    }
    order.truncate(k);
    order.sort_unstable_by(compare);
    Extreme { pictures: order, tied, n_tied }
}

/// One category among the k pictures of an [`Extreme`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Enrichment {
    /// Pictures of the category among the k; `None` where ties at the edge leave it open.
    pub n_hits: Option<usize>,
    /// Their share of the k.
    pub share: f64,
    /// That share over the share of the category among all pictures.
    pub enrichment: f64,
    /// ln of the chance of at least as many hits (hypergeometric).
    pub ln_p: f64,
}

/// The enrichment of category `c`, which has `n_category` of the pictures; `category` is that of each picture.
pub(crate) fn enrichment(found: &Extreme, category: &[usize], c: usize, n_category: usize) -> Enrichment {
    let in_category = |pictures: &[usize]| pictures.iter().filter(|&&i| category[i] == c).count();
    let tied = in_category(&found.tied);
    // Where all or none of the tied pictures are in the category, it does not matter which of them are taken.
    if tied > 0 && tied < found.tied.len() {
        return Enrichment { n_hits: None, share: f64::NAN, enrichment: f64::NAN, ln_p: f64::NAN };
    }
    let (n, k) = (category.len(), found.pictures.len());
    let n_hits = in_category(&found.pictures);
    let share = n_hits as f64 / k as f64;
    let chance = Hypergeometric::new(n as u64, n_category as u64, k as u64);
    Enrichment {
        n_hits: Some(n_hits),
        share,
        enrichment: share / (n_category as f64 / n as f64),
        ln_p: chance.map_or(f64::NAN, |chance| chance.ln_at_least(n_hits as u64)),
    }
}

/// Where levels of activation begin and end.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Levels {
    /// Rising edges in z; below the first and above the last there is a level too.
    Edges(Vec<f64>),
    /// This many levels, between quantiles of the unit's own z (linear interpolation, as NumPy's).
    Quantiles(usize),
}

impl Levels {
    /// All edges for these z, outer ones included.
    pub fn edges(&self, z: &[f64]) -> Vec<f64> {
        match self {
            Levels::Edges(inner) => {
                let mut edges = vec![f64::NEG_INFINITY];
                edges.extend(inner);
                edges.push(f64::INFINITY);
                edges
            }
            Levels::Quantiles(n) => (0..=*n).map(|i| quantile(z, i as f64 / *n as f64)).collect(),
        }
    }

    /// How many levels there are.
    pub fn count(&self) -> usize {
        match self {
            Levels::Edges(inner) => inner.len() + 1,
            Levels::Quantiles(n) => *n,
        }
    }
}

/// One level of a unit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Level {
    /// Lower edge in z, which belongs to the level.
    pub lo: f64,
    /// Upper edge, which belongs to the next level (the last one has it).
    pub hi: f64,
    /// Pictures at the level.
    pub n: usize,
    /// Of them, per category.
    pub n_hits: Vec<usize>,
}

/// Sorts the pictures of a unit into levels.
pub(crate) fn levels(z: &[f64], category: &[usize], n_categories: usize, levels: &Levels) -> Vec<Level> {
    let edges = levels.edges(z);
    let mut found: Vec<Level> =
        edges.windows(2).map(|edge| Level { lo: edge[0], hi: edge[1], n: 0, n_hits: vec![0; n_categories] }).collect();
    for (z, &c) in z.iter().zip(category) {
        // As numpy.digitize: how many inner edges are at or below z.
        let level = edges[1..edges.len() - 1].partition_point(|edge| edge <= z);
        found[level].n += 1;
        found[level].n_hits[c] += 1;
    }
    found
}

/// ROC area of each category against all other pictures, from one ranking; NaN where a side has no picture.
pub(crate) fn roc_areas(values: &[f64], category: &[usize], counts: &[usize]) -> Vec<f64> {
    let ranks = average_ranks(values);
    let mut sums = vec![0.0; counts.len()];
    for (rank, &c) in ranks.iter().zip(category) {
        sums[c] += rank;
    }
    sums.iter().zip(counts).map(|(sum, n)| roc_area_of_ranks(*sum, *n, values.len() - n)).collect()
}

/// The responses of a unit and their z; or why it has none.
pub(crate) fn usable(values: Vec<f64>) -> Result<(Vec<f64>, Vec<f64>), Reason> {
    let z = z_scores(&values)?;
    Ok((values, z))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_are_ordered_by_response_and_then_by_place() {
        let values = [0.0, 5.0, -0.0, 7.0, 5.0, 0.0];
        let top = extreme(&values, 2, true);
        assert_eq!((top.pictures, top.tied, top.n_tied), (vec![3, 1], vec![1, 4], 1));
        let bottom = extreme(&values, 2, false);
        assert_eq!((bottom.pictures, bottom.tied, bottom.n_tied), (vec![0, 2], vec![0, 2, 5], 1));
        let three = extreme(&values, 3, true);
        assert_eq!((three.pictures, three.n_tied), (vec![3, 1, 4], 0));
        assert_eq!(extreme(&values, 6, true).n_tied, 0);
    }

    #[test]
    fn ties_at_the_edge_leave_a_category_open_only_where_they_can_matter() {
        // Top 2 of 7 5 5 0 0 0: the 7, and one of the two 5s.
        let values = [0.0, 5.0, 0.0, 7.0, 5.0, 0.0];
        let top = extreme(&values, 2, true);
        // Both 5s are of category 1: whichever is taken, it is one hit.
        let alike = enrichment(&top, &[0, 1, 0, 0, 1, 2], 1, 2);
        assert_eq!((alike.n_hits, alike.share, alike.enrichment), (Some(1), 0.5, 1.5));
        // 1 - C(4,2) / C(6,2) = 9/15
        assert!((alike.ln_p.exp() - 0.6).abs() < 1e-15);
        // One 5 of category 1, the other of category 2: open for both, plain for category 0.
        let category = [0, 1, 0, 0, 2, 2];
        assert!(enrichment(&top, &category, 1, 1).n_hits.is_none() && enrichment(&top, &category, 2, 2).ln_p.is_nan());
        assert_eq!(enrichment(&top, &category, 0, 3).n_hits, Some(1));
    }

    #[test]
    fn levels_take_their_lower_edge() {
        let z = [-1.0, -0.5, 0.0, 0.5, 1.0];
        let of = levels(&z, &[0, 1, 0, 1, 1], 2, &Levels::Edges(vec![-0.5, 0.5]));
        assert_eq!(of.iter().map(|l| l.n).collect::<Vec<_>>(), [1, 2, 2]);
        assert_eq!(of[1].n_hits, [1, 1]);
        assert_eq!((of[0].lo, of[2].hi), (f64::NEG_INFINITY, f64::INFINITY));
        // Quartiles -1 -.5 0 .5 1: the last level has both its ends.
        let of = levels(&z, &[0; 5], 1, &Levels::Quantiles(4));
        assert_eq!(of.iter().map(|l| l.n).collect::<Vec<_>>(), [1, 1, 1, 2]);
        // Quantiles that fall together leave levels empty.
        let of = levels(&[0.0, 0.0, 0.0, 1.0], &[0; 4], 1, &Levels::Quantiles(2));
        assert_eq!(of.iter().map(|l| l.n).collect::<Vec<_>>(), [0, 4]);
    }

    #[test]
    fn one_ranking_serves_every_category() {
        let values = [3.0, 2.0, 1.0, 2.0, 9.0];
        let areas = roc_areas(&values, &[0, 0, 1, 1, 2], &[2, 2, 1, 0]);
        assert_eq!(areas[0], statistics::roc_area(&[3.0, 2.0], &[1.0, 2.0, 9.0]));
        assert_eq!(areas[2], 1.0);
        assert!(areas[3].is_nan());
    }
}
