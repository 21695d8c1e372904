//! ROC area of units: the one criterion that needs all responses of a unit at once.

use ndarray::ArrayView2;
use rayon::prelude::*;
use statistics::roc_area;

use crate::question::Question;

/// ROC area of every unit of a block that holds all rows (rows x units): how well its response tells preferred pictures
/// from the others, the smallest over the comparisons. `NaN` for units with NaN.
///
/// Ranks need every response of a unit, so unlike the moments this takes memory of the size of the block; blocks of
/// neighbouring units can be given one after the other. `None` where observations are means of categories or weights,
/// which have no two sets of responses to tell apart.
pub fn roc_areas<T: Copy + Into<f64> + Send + Sync>(
    block: ArrayView2<'_, T>,
    group_of_row: &[Option<usize>],
    n_groups: usize,
    question: &Question,
) -> Option<Vec<f64>> {
    let comparisons: Vec<Vec<Option<bool>>> =
        (1..=question.n_comparisons()).map(|c| question.sides(c, n_groups)).collect::<Option<_>>()?;
    let rows = |comparison: &[Option<bool>], preferred: bool| -> Vec<usize> {
        let on_side = |row: &usize| group_of_row[*row].and_then(|g| comparison[g]) == Some(preferred);
        (0..group_of_row.len()).filter(on_side).collect()
    };
    let sides: Vec<[Vec<usize>; 2]> = comparisons.iter().map(|c| [rows(c, true), rows(c, false)]).collect();
    let area = |unit: usize| {
        let least = |least: f64, [preferred, rest]: &[Vec<usize>; 2]| {
            let values = |rows: &[usize]| -> Vec<f64> { rows.iter().map(|&row| block[[row, unit]].into()).collect() };
            let area = roc_area(&values(preferred), &values(rest));
            if area < least || area.is_nan() { area } else { least }
        };
        sides.iter().fold(f64::INFINITY, least)
    };
    Some((0..block.ncols()).into_par_iter().with_min_len(16).map(area).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Contrast, Design, Versus};
    use ndarray::array;

    #[test]
    fn each_takes_the_smallest_and_unused_rows_are_not_seen() {
        let column = ["a", "a", "b", "b", "c", ""];
        let block = array![[3.0, 1.0], [2.0, f64::NAN], [1.0, 0.0], [2.0, 0.0], [0.0, 0.0], [f64::NAN, 0.0]];
        let of = |text: &str, versus: Versus| {
            let groups = text.parse::<Contrast>().unwrap().resolve(&column, versus).unwrap();
            let design = Design::new(&[groups], None);
            roc_areas(block.view(), &design.group_of_row(), design.n_groups(), &design.question(0))
        };
        // Against b: 3.5 of 4; against c: 2 of 2; together 5.5 of 6.
        let each = of("a > rest", Versus::Each).unwrap();
        assert_eq!(each[0], 0.875);
        assert!(each[1].is_nan());
        assert_eq!(of("a > rest", Versus::Pooled).unwrap()[0], 5.5 / 6.0);
        assert_eq!(of("a - b", Versus::Pooled), None);
    }
}
