//! Which axis of a layer counts pictures, what shares it with them, and gathering the values picture by picture.

use super::tensor::Axis;
use std::borrow::Cow;

/// Where a layer counts pictures: along this axis, of which index (i * n + picture) * inner + j is the picture's, i
/// below `outer`.
///
/// Windows, heads and tokens of a picture that share the axis with the pictures are such i and j; an axis of pictures
/// alone has 1 for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) axis: usize,
    pub(super) outer: usize,
    pub(super) inner: usize,
}

impl Counted {
    pub(super) fn axis(axis: usize) -> Self {
        Self { axis, outer: 1, inner: 1 }
    }

    /// Values of one picture that stand together, and how many rows the tensor holds.
    pub(super) fn after(self, shape: &[usize]) -> usize {
        self.inner * shape[self.axis + 1..].iter().product::<usize>()
    }

    pub(super) fn n_rows(self, shape: &[usize]) -> usize {
        shape[self.axis] / (self.outer * self.inner)
    }
}

/// Where a layer counts pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pictures {
    /// Here.
    Axis(Counted),
    /// None: the network takes one picture at a time, and the layer is that picture's.
    Whole,
}

/// The pictures' axis as far as names and lengths tell.
pub(super) fn pictures_axis(axes: &[Axis], batch: &Axis) -> Option<Pictures> {
    match batch {
        Axis::Fixed(1) => Some(Pictures::Whole),
        Axis::Fixed(n) => (axes.first().and_then(Axis::fixed) == Some(*n)).then_some(Pictures::Axis(Counted::axis(0))),
        Axis::Symbol(_) => {
            let name = batch.named()?;
            // A second axis of that name counts pictures too, and no row is one picture's.
            let own = axes.iter().filter(|axis| axis.named() == Some(name)).count() == 1;
            (own && axes[0].named() == Some(name)).then_some(Pictures::Axis(Counted::axis(0)))
        }
    }
}

/// The one axis that is 1 long for one picture and 2 for two, when no other changes.
pub(super) fn growing_axis(one: &[usize], two: &[usize]) -> Option<Pictures> {
    if one.len() != two.len() {
        return None;
    }
    let mut changed = one.iter().zip(two).enumerate().filter(|(_, (a, b))| a != b);
    match (changed.next(), changed.next()) {
        (Some((axis, (1, 2))), None) => Some(Pictures::Axis(Counted::axis(axis))),
        _ => None,
    }
}

/// The values picture by picture, each as it comes out for one picture alone, in C order; copied only where they do not
/// stand so already.
pub(super) fn in_picture_order<'a, T: Copy>(values: &'a [T], shape: &[usize], place: Option<Counted>) -> Cow<'a, [T]> {
    let Some(place) = place.filter(|place| place.axis > 0 || place.outer > 1) else {
        return Cow::Borrowed(values);
    };
    let (n_pictures, n_after) = (place.n_rows(shape), place.after(shape));
    let mut ordered = Vec::with_capacity(values.len());
    for picture in 0..n_pictures {
        for before in values.chunks_exact(n_pictures * n_after) {
            ordered.extend_from_slice(&before[picture * n_after..(picture + 1) * n_after]);
        }
    }
    Cow::Owned(ordered)
}

/// Product of the axes that do not count pictures; `None` where one is open or none is known to count them.
pub(super) fn units_per_picture(axes: &[Axis], batch: &Axis) -> Option<usize> {
    // A first axis without length or name is the batch that an exporter forgot to name.
    let forgotten =
        || (axes.first().is_some_and(|axis| axis.fixed().is_none())).then_some(Pictures::Axis(Counted::axis(0)));
    let counted = match pictures_axis(axes, batch).or_else(forgotten)? {
        Pictures::Axis(place) => &axes[place.axis + 1..],
        Pictures::Whole => axes,
    };
    counted.iter().map(Axis::fixed).product()
}

#[cfg(test)]
mod tests {
    use super::super::tensor::tests::axes;
    use super::*;

    #[test]
    fn the_axis_of_pictures_is_told_by_name_or_length_or_by_growing() {
        let axis = |shape, batch| pictures_axis(&axes(shape), &axes(batch)[0]);
        let counted = |axis| Some(Pictures::Axis(Counted::axis(axis)));
        assert_eq!(axis("Nx64", "N"), counted(0));
        assert_eq!(axis("NxN", "N"), None);
        assert_eq!(axis("64xN", "N"), None);
        assert_eq!(axis("?x64", "?"), None);
        assert_eq!(axis("4x64", "4"), counted(0));
        assert_eq!(axis("3x64", "4"), None);
        assert_eq!(axis("64", "1"), Some(Pictures::Whole));
        assert_eq!(growing_axis(&[49, 1, 8], &[49, 2, 8]), counted(1));
        assert_eq!(growing_axis(&[64, 8], &[128, 8]), None);
        assert_eq!(growing_axis(&[8], &[8]), None);
        assert_eq!(growing_axis(&[1, 1], &[2, 2]), None);
    }

    #[test]
    fn units_are_counted_without_the_pictures() {
        let units = |shape, batch| units_per_picture(&axes(shape), &axes(batch)[0]);
        assert_eq!(units("Nx64x7x7", "N"), Some(3136));
        assert_eq!(units("?x64", "?"), Some(64));
        assert_eq!(units("Nx64xHxW", "N"), None);
        assert_eq!(units("1x10", "1"), Some(10));
        assert_eq!(units("4", "N"), None);
    }

    /// Two rows (before), three pictures, two values each: 0 1 | 2 3 | 4 5 // 6 7 | 8 9 | 10 11.
    #[test]
    fn values_are_gathered_by_picture() {
        let values: Vec<i32> = (0..12).collect();
        let ordered = in_picture_order(&values, &[2, 3, 2], Some(Counted::axis(1)));
        assert_eq!(*ordered, [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]);
        // The same two rows and three pictures along one axis; and three pictures of two rows.
        let merged =
            |outer, inner| in_picture_order(&values, &[6, 2], Some(Counted { axis: 0, outer, inner })).to_vec();
        assert_eq!(merged(2, 1), *ordered);
        assert_eq!(merged(1, 2), values);
        assert!(matches!(in_picture_order(&values, &[3, 4], Some(Counted::axis(0))), Cow::Borrowed(_)));
    }
}
