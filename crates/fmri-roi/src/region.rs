//! Regions: which voxels of a search space belong, by height, cluster size and rank of their t.

use std::collections::BTreeMap;

use localizer::{Selection, Top, select_by_statistic};
use thiserror::Error;

use crate::cluster::{Connectivity, clusters};
use brain_formats::geometry::Geometry;

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
    /// Keep t greater than this.
    pub t: Option<f64>,
    /// Then keep clusters of at least this many voxels.
    pub min_cluster: Option<usize>,
    /// Neighbourhood of those clusters.
    pub connectivity: Connectivity,
    /// Then keep the highest t, ties by voxel number; a percentage is of the voxels searched whose t is not NaN.
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
    /// The voxel with the highest t; the first of equals; none in an empty region.
    pub fn peak(&self, t: &[f64]) -> Option<usize> {
        self.voxels.iter().copied().min_by(|&a, &b| t[b].total_cmp(&t[a]).then(a.cmp(&b)))
    }
}

/// Applies a rule to a search space. `t` has one value per voxel of the grid.
///
/// Clusters need a geometry; without one `min_cluster` must be absent (the caller refuses it).
///
/// ```
/// # use fmri_roi::{cluster::Connectivity, region::*};
/// use brain_formats::Geometry;
/// # use localizer::Top;
/// let grid = Geometry::from_sizes([1, 1, 6], [1.0; 3]);
/// let t = [8.0, 9.0, 1.0, 9.0, f64::NAN, 7.5];
/// let whole = VoxelSet { name: "FFA".into(), voxels: (0..6).collect() };
/// let mut rule = Rule { t: Some(7.0), min_cluster: None, connectivity: Connectivity::Faces, top: None };
/// assert_eq!(find(&whole, &t, Some(&grid), &rule).voxels, [0, 1, 3, 5]);
/// rule.min_cluster = Some(2);
/// assert_eq!(find(&whole, &t, Some(&grid), &rule).voxels, [0, 1]);
/// rule.min_cluster = None;
/// rule.top = Some(Top::Count(1)); // voxels 1 and 3 tie at 9
/// assert_eq!(find(&whole, &t, Some(&grid), &rule).voxels, [1]);
/// ```
pub fn find(space: &VoxelSet, t: &[f64], geometry: Option<&Geometry>, rule: &Rule) -> Region {
    // The same rules as for units, on the voxels that are left at each step.
    let keep = |voxels: &[usize], selection: &Selection| -> Vec<usize> {
        let values: Vec<f64> = voxels.iter().map(|&voxel| t[voxel]).collect();
        select_by_statistic(&values, None, selection).into_iter().map(|at| voxels[at]).collect()
    };
    let mut voxels = keep(&space.voxels, &Selection::default());
    let n_usable = voxels.len();
    voxels = keep(&voxels, &Selection { t_above: rule.t, ..Selection::default() });
    if let (Some(least), Some(geometry)) = (rule.min_cluster, geometry) {
        voxels = clusters(&voxels, geometry, rule.connectivity)
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
        Rule { t: None, min_cluster: None, connectivity: Connectivity::Faces, top: None }
    }

    fn whole(n: usize) -> VoxelSet {
        VoxelSet { name: "x".into(), voxels: (0..n).collect() }
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
        let grid = Geometry::from_sizes([1, 1, 6], [1.0; 3]);
        let space = VoxelSet { name: "x".into(), voxels: vec![0, 1, 3, 4] };
        let by_size = |least| {
            let rule = Rule { t: Some(0.0), min_cluster: Some(least), ..rule() };
            find(&space, &[1.0; 6], Some(&grid), &rule).voxels
        };
        assert_eq!(by_size(2), [0, 1, 3, 4]);
        assert!(by_size(3).is_empty());
    }

    #[test]
    fn the_first_of_equal_peaks_wins_and_an_empty_region_has_none() {
        let t = [1.0, 5.0, 5.0];
        let region = find(&whole(3), &t, None, &rule());
        assert_eq!(region.peak(&t), Some(1));
        let none = find(&whole(3), &t, None, &Rule { t: Some(9.0), ..rule() });
        assert_eq!(none.peak(&t), None);
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
}
