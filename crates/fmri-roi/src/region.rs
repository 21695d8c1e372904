//! Regions: which voxels of a search space belong, by height, cluster size and rank of their t.

use std::collections::BTreeMap;

use brain_maps::{Connectivity, Layout, Side, clusters};
use localizer::{Selection, Top, select_by_statistic};
use thiserror::Error;

/// A region that was to be merged from parcels, and cannot be.
#[derive(Debug, Error, PartialEq)]
pub enum MergeError {
    /// A name that no parcel has.
    #[error("--merge {merge}: no parcel {name:?}; the {n} parcels are {known}")]
    Unknown {
        /// Name of the merged region.
        merge: String,
        /// The name.
        name: String,
        /// How many parcels there are.
        n: usize,
        /// Their names.
        known: String,
    },
    /// A parcel twice, or the name of one that stays.
    #[error("--merge {merge}: {name:?} is named twice, or is a parcel of its own; each parcel goes into one region")]
    Twice {
        /// Name of the merged region.
        merge: String,
        /// The name.
        name: String,
    },
}

/// An image of nothing but zeros, without a table that says which parcels to expect.
#[derive(Debug, Error, PartialEq)]
#[error("all {n_voxels} voxels are outside (0 or below); there is no parcel in it")]
pub struct NoParcel {
    /// Voxels in the image.
    pub n_voxels: usize,
}

/// A named set of voxels: a parcel to search in, or a region to take out of betas.
#[derive(Debug, Clone, PartialEq)]
pub struct VoxelSet {
    /// Name of the parcel or region.
    pub name: String,
    /// Flat voxel numbers without repeats: ascending in a parcel, in table order in a region of a table.
    pub voxels: Vec<usize>,
}

/// Which voxels of a search space make the region. The steps apply in the order of the fields; a voxel whose t is NaN
/// is never taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Keep t farther than this from 0 on the side that counts; without one (greater), t greater than this.
    pub t: Option<f64>,
    /// The side of 0 that counts. Voxels above and below 0 are never of one cluster where both do.
    pub side: Side,
    /// Then keep clusters of at least this many voxels.
    pub min_cluster: Option<usize>,
    /// Neighbourhood of those clusters, where they are of voxels.
    pub connectivity: Connectivity,
    /// Then keep the highest t (on that side), ties by voxel number; a percentage is of the voxels searched whose t is
    /// not NaN.
    pub top: Option<Top>,
}

/// The voxels found in one search space.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Name of the search space.
    pub name: String,
    /// Flat voxel numbers, ascending; may be empty.
    pub voxels: Vec<usize>,
    /// Voxels of the search space.
    pub n_searched: usize,
    /// Of those, voxels whose t is NaN.
    pub n_nan: usize,
}

impl Region {
    /// The voxel whose t is highest on this side; the first of equals; none in an empty region.
    pub fn peak(&self, t: &[f64], side: Side) -> Option<usize> {
        let height = |voxel: usize| side.height(t[voxel]);
        self.voxels.iter().copied().min_by(|&a, &b| height(b).total_cmp(&height(a)).then(a.cmp(&b)))
    }

    /// Its clusters where its voxels lie: they ascend in each.
    pub fn clusters(&self, t: &[f64], layout: &Layout, rule: &Rule) -> Vec<Vec<usize>> {
        clusters_of(&self.voxels, t, layout, rule)
    }
}

/// Applies a rule to a search space. `t` has one value per voxel of the grid.
///
/// Clusters need to know where voxels lie; without that `min_cluster` must be absent (the caller refuses it).
///
/// ```
/// # use fmri_roi::region::*;
/// # use brain_maps::{Connectivity, Layout, Side};
/// # use localizer::Top;
/// let grid = Layout::of_grid([1, 1, 6], [[1., 0., 0., 0.], [0., 1., 0., 0.], [0., 0., 1., 0.]]);
/// let t = [8.0, 9.0, 1.0, 9.0, f64::NAN, 7.5];
/// let whole = VoxelSet { name: "FFA".into(), voxels: (0..6).collect() };
/// let (side, connectivity) = (Side::Greater, Connectivity::Faces);
/// let mut rule = Rule { t: Some(7.0), side, min_cluster: None, connectivity, top: None };
/// assert_eq!(find(&whole, &t, Some(&grid), &rule).voxels, [0, 1, 3, 5]);
/// rule.min_cluster = Some(2);
/// assert_eq!(find(&whole, &t, Some(&grid), &rule).voxels, [0, 1]);
/// rule.min_cluster = None;
/// rule.top = Some(Top::Count(1)); // voxels 1 and 3 tie at 9
/// assert_eq!(find(&whole, &t, Some(&grid), &rule).voxels, [1]);
/// ```
pub fn find(space: &VoxelSet, t: &[f64], layout: Option<&Layout>, rule: &Rule) -> Region {
    // The same rules as for units, on the voxels that are left at each step.
    let keep = |voxels: &[usize], selection: &Selection| -> Vec<usize> {
        let values: Vec<f64> = voxels.iter().map(|&voxel| rule.side.height(t[voxel])).collect();
        select_by_statistic(&values, None, selection).into_iter().map(|at| voxels[at]).collect()
    };
    let mut voxels = keep(&space.voxels, &Selection::default());
    let n_usable = voxels.len();
    voxels = keep(&voxels, &Selection { t_above: rule.t, ..Selection::default() });
    if let (Some(least), Some(layout)) = (rule.min_cluster, layout) {
        voxels = clusters_of(&voxels, t, layout, rule)
            .into_iter()
            .filter(|members| members.len() >= least)
            .flatten()
            .collect();
        voxels.sort_unstable();
    }
    let top = rule.top.map(|top| Top::Count(top.of(n_usable)));
    voxels = keep(&voxels, &Selection { top, ..Selection::default() });
    Region { name: space.name.clone(), voxels, n_searched: space.voxels.len(), n_nan: space.voxels.len() - n_usable }
}

fn clusters_of(voxels: &[usize], t: &[f64], layout: &Layout, rule: &Rule) -> Vec<Vec<usize>> {
    let both = rule.side == Side::TwoSided;
    let (above, below): (Vec<usize>, Vec<usize>) = voxels.iter().partition(|&&voxel| !both || t[voxel] > 0.0);
    let mut found = Vec::new();
    for part in [above, below] {
        let adjacency = layout.adjacency(&part, rule.connectivity);
        found.extend(clusters(&adjacency).into_iter().map(|members| members.into_iter().map(|p| part[p]).collect()));
    }
    found.sort_by_key(|members: &Vec<usize>| members[0]);
    found
}

/// The map in which a voxel is as high as in the lowest of several maps (Nichols et al. 2005), on the side that counts;
/// 0 where two-sided maps do not agree on the side, NaN where one is NaN.
///
/// ```
/// # use fmri_roi::region::conjunction;
/// # use brain_maps::Side;
/// let maps = [vec![3.0, -4.0, 2.0], vec![5.0, -1.0, -2.0]];
/// assert_eq!(conjunction(&maps, Side::Greater), [3.0, -4.0, -2.0]);
/// assert_eq!(conjunction(&maps, Side::TwoSided), [3.0, -1.0, 0.0]);
/// ```
pub fn conjunction(maps: &[Vec<f64>], side: Side) -> Vec<f64> {
    let n = maps.first().map_or(0, Vec::len);
    let lowest = |a: f64, b: f64| match side {
        _ if a.is_nan() || b.is_nan() => f64::NAN,
        Side::TwoSided if a * b <= 0.0 => 0.0,
        _ if side.height(b) < side.height(a) => b,
        _ => a,
    };
    (0..n).map(|voxel| maps[1..].iter().fold(maps[0][voxel], |low, map| lowest(low, map[voxel]))).collect()
}

/// Parcels made one region each under a name, which stands where the first of them did.
pub fn merge(mut parcels: Vec<VoxelSet>, merges: &[(String, Vec<String>)]) -> Result<Vec<VoxelSet>, MergeError> {
    for (merge, members) in merges {
        let twice = |name: &String| MergeError::Twice { merge: merge.clone(), name: name.clone() };
        let mut places = Vec::new();
        for name in members {
            let Some(place) = parcels.iter().position(|parcel| parcel.name == *name) else {
                let known: Vec<&str> = parcels.iter().map(|parcel| parcel.name.as_str()).collect();
                let (name, n, known) = (name.clone(), known.len(), known.join(", "));
                return Err(MergeError::Unknown { merge: merge.clone(), name, n, known });
            };
            if places.contains(&place) {
                return Err(twice(name));
            }
            places.push(place);
        }
        let stays = |(place, parcel): (usize, &VoxelSet)| parcel.name == *merge && !places.contains(&place);
        if parcels.iter().enumerate().any(stays) {
            return Err(twice(merge));
        }
        let mut voxels: Vec<usize> = places.iter().flat_map(|&place| parcels[place].voxels.clone()).collect();
        voxels.sort_unstable();
        let first = places.iter().copied().min().unwrap_or(0);
        parcels[first] = VoxelSet { name: merge.clone(), voxels };
        places.retain(|&place| place != first);
        let mut place = 0;
        parcels.retain(|_| {
            place += 1;
            !places.contains(&(place - 1))
        });
    }
    Ok(parcels)
}

/// The parcels of a label image as search spaces.
///
/// `names` are (label, name) pairs in the order wanted; labels with the same name make one search space, a label that
/// no voxel has makes an empty one, and labels that are not listed are left out. Without `names` every label above 0
/// is a search space under its number, in ascending order.
pub fn parcels(labels: &[u32], names: Option<&[(u32, String)]>) -> Result<Vec<VoxelSet>, NoParcel> {
    let mut found: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (voxel, &label) in labels.iter().enumerate().filter(|(_, label)| **label > 0) {
        found.entry(label).or_default().push(voxel);
    }
    let Some(names) = names else {
        if found.is_empty() {
            return Err(NoParcel { n_voxels: labels.len() });
        }
        return Ok(found.into_iter().map(|(label, voxels)| VoxelSet { name: label.to_string(), voxels }).collect());
    };
    let mut spaces: Vec<VoxelSet> = Vec::new();
    for (label, name) in names {
        let voxels = found.remove(label).unwrap_or_default();
        match spaces.iter_mut().find(|space| space.name == *name) {
            Some(space) => {
                space.voxels.extend(voxels);
                space.voxels.sort_unstable();
            }
            None => spaces.push(VoxelSet { name: name.clone(), voxels }),
        }
    }
    Ok(spaces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Rule {
        Rule { t: None, side: Side::Greater, min_cluster: None, connectivity: Connectivity::Faces, top: None }
    }

    fn whole(n: usize) -> VoxelSet {
        VoxelSet { name: "x".into(), voxels: (0..n).collect() }
    }

    fn row() -> Layout {
        Layout::of_grid([1, 1, 6], [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    }

    #[test]
    fn the_threshold_itself_is_out() {
        let t = [7.0, 7.0f64.next_up(), f64::INFINITY, f64::NAN];
        let region = find(&whole(4), &t, None, &Rule { t: Some(7.0), ..rule() });
        assert_eq!((region.voxels, region.n_searched, region.n_nan), (vec![1, 2], 4, 1));
    }

    #[test]
    fn top_is_exact_when_every_t_is_equal() {
        let t = [3.0; 30];
        let region = find(&whole(30), &t, None, &Rule { top: Some(Top::Count(10)), ..rule() });
        assert_eq!(region.voxels, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_percentage_counts_usable_voxels_and_rounds_down() {
        let mut t: Vec<f64> = (0..26).map(f64::from).collect();
        t[25] = f64::NAN; // 25 usable, 15 % is 3.75
        let region = find(&whole(26), &t, None, &Rule { top: Some(Top::Percent(15.0)), ..rule() });
        assert_eq!(region.voxels, [22, 23, 24]);
    }

    #[test]
    fn top_takes_what_the_threshold_left() {
        let t = [9.0, 8.0, 1.0, 2.0];
        let region = find(&whole(4), &t, None, &Rule { t: Some(7.0), top: Some(Top::Count(3)), ..rule() });
        assert_eq!(region.voxels, [0, 1]);
    }

    #[test]
    fn clusters_stay_inside_the_search_space() {
        // All six voxels pass, but only 0, 1 and 3, 4 are searched: two clusters of two, none of three.
        let space = VoxelSet { name: "x".into(), voxels: vec![0, 1, 3, 4] };
        let by_size = |least| {
            let rule = Rule { t: Some(0.0), min_cluster: Some(least), ..rule() };
            find(&space, &[1.0; 6], Some(&row()), &rule).voxels
        };
        assert_eq!(by_size(2), [0, 1, 3, 4]);
        assert!(by_size(3).is_empty());
    }

    #[test]
    fn the_first_of_equal_peaks_wins_and_an_empty_region_has_none() {
        let t = [1.0, 5.0, 5.0];
        let region = find(&whole(3), &t, None, &rule());
        assert_eq!(region.peak(&t, Side::Greater), Some(1));
        let none = find(&whole(3), &t, None, &Rule { t: Some(9.0), ..rule() });
        assert_eq!(none.peak(&t, Side::Greater), None);
    }

    #[test]
    fn labels_of_one_name_merge_and_an_absent_label_stays() {
        let labels = [0, 2, 1, 2, 5];
        let name = |label, name: &str| (label, name.to_string());
        let spaces = parcels(&labels, Some(&[name(2, "FFA"), name(9, "OFA"), name(1, "FFA")])).unwrap();
        assert_eq!(spaces[0], VoxelSet { name: "FFA".into(), voxels: vec![1, 2, 3] });
        assert_eq!(spaces[1], VoxelSet { name: "OFA".into(), voxels: vec![] });
        assert_eq!(spaces.len(), 2);
        let numbered = parcels(&labels, None).unwrap();
        assert_eq!(numbered.iter().map(|space| space.name.as_str()).collect::<Vec<_>>(), ["1", "2", "5"]);
    }

    #[test]
    fn an_image_of_zeros_has_no_parcel_but_those_that_are_named() {
        assert_eq!(parcels(&[0, 0], None), Err(NoParcel { n_voxels: 2 }));
        assert!(parcels(&[0, 0], Some(&[(3, "FFA".to_string())])).unwrap()[0].voxels.is_empty());
    }

    #[test]
    fn the_other_side_and_both_are_ranked_by_their_distance_from_0() {
        let t = [-8.0, 9.0, -9.5, f64::NAN, 7.5, -1.0];
        let with = |side, top| find(&whole(6), &t, None, &Rule { t: Some(7.0), side, top, ..rule() }).voxels;
        assert_eq!(with(Side::Less, None), [0, 2]);
        assert_eq!(with(Side::TwoSided, None), [0, 1, 2, 4]);
        assert_eq!(with(Side::TwoSided, Some(Top::Count(2))), [1, 2]);
        assert_eq!(find(&whole(6), &t, None, &rule()).peak(&t, Side::Less), Some(2));
        // Neighbours on two sides of 0 are two clusters, each too small.
        let both = Rule { t: Some(7.0), side: Side::TwoSided, min_cluster: Some(2), ..rule() };
        assert!(find(&whole(6), &t, Some(&row()), &both).voxels.is_empty());
        assert_eq!(find(&whole(6), &[-8.0, -9.0, 9.0, 1.0, 1.0, 1.0], Some(&row()), &both).voxels, [0, 1]);
    }

    #[test]
    fn parcels_merge_where_the_first_stood() {
        let set = |name: &str, voxels: &[usize]| VoxelSet { name: name.into(), voxels: voxels.to_vec() };
        let all = || vec![set("OFA", &[9]), set("FFA-1", &[4, 6]), set("PPA", &[8]), set("FFA-2", &[5])];
        let words = |words: &[&str]| words.iter().map(|w| w.to_string()).collect::<Vec<_>>();
        let merged = merge(all(), &[("FFA".into(), words(&["FFA-2", "FFA-1"]))]).unwrap();
        assert_eq!(merged, [set("OFA", &[9]), set("FFA", &[4, 5, 6]), set("PPA", &[8])]);
        let error = merge(all(), &[("FFA".into(), words(&["FFA-1", "FFA-3"]))]).unwrap_err();
        assert!(error.to_string().contains("no parcel \"FFA-3\"; the 4 parcels are OFA, FFA-1"), "{error}");
        assert!(merge(all(), &[("PPA".into(), words(&["FFA-1"]))]).is_err());
        assert!(merge(all(), &[("FFA".into(), words(&["FFA-1", "FFA-1"]))]).is_err());
    }
}
