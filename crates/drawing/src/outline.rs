//! Outlines of areas: along the edges of their cells, so that an outline encloses exactly what is inside.

use std::collections::HashMap;

/// The outlines of the cells that are inside: closed loops of corners (column, row) in units of cells from the upper
/// left, the first not repeated; corners in the middle of a straight line are left out.
///
/// An outer loop runs clockwise as it is seen (rows downwards), a hole anticlockwise; so the sum of the
/// [areas](enclosed) of all loops is the number of cells inside. Cells that touch at a corner alone are two areas.
///
/// ```
/// use drawing::outline::outlines;
/// let ring = [true, true, true, true, false, true, true, true, true];
/// let loops = outlines(&ring, 3);
/// assert_eq!(loops.len(), 2);
/// assert_eq!(loops[0], [[0.0, 0.0], [3.0, 0.0], [3.0, 3.0], [0.0, 3.0]]);
/// ```
pub fn outlines(inside: &[bool], n_columns: usize) -> Vec<Vec<[f64; 2]>> {
    let n_columns = n_columns.max(1);
    let n_rows = inside.len() / n_columns;
    let is_in = |column: i64, row: i64| {
        (0..n_columns as i64).contains(&column)
            && (0..n_rows as i64).contains(&row)
            && inside[row as usize * n_columns + column as usize]
    };
    // Every edge between inside and outside, its start to its end, with the inside at its right.
    let mut edges: HashMap<[i64; 2], Vec<[i64; 2]>> = HashMap::new();
    let mut starts: Vec<[i64; 2]> = Vec::new();
    for row in 0..n_rows as i64 {
        for column in 0..n_columns as i64 {
            if !is_in(column, row) {
                continue;
            }
            let corners = [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1]];
            let beyond = [[column, row - 1], [column + 1, row], [column, row + 1], [column - 1, row]];
            for (side, [x, y]) in beyond.into_iter().enumerate() {
                if !is_in(x, y) {
                    edges.entry(corners[side]).or_default().push(corners[(side + 1) % 4]);
                    starts.push(corners[side]);
                }
            }
        }
    }
    let mut loops = Vec::new();
    for start in starts {
        let mut at = start;
        let mut came: Option<[i64; 2]> = None;
        let mut points: Vec<[i64; 2]> = Vec::new();
        while let Some(next) = take(&mut edges, at, came) {
            let step = [next[0] - at[0], next[1] - at[1]];
            if came != Some(step) {
                points.push(at);
            }
            (came, at) = (Some(step), next);
        }
        if points.is_empty() {
            continue;
        }
        // The first corner may lie on a straight line.
        let first = [points.get(1).unwrap_or(&at)[0] - points[0][0], points.get(1).unwrap_or(&at)[1] - points[0][1]];
        if came.is_some_and(|[x, y]| x * first[1] == y * first[0]) {
            points.remove(0);
        }
        loops.push(points.into_iter().map(|[x, y]| [x as f64, y as f64]).collect());
    }
    loops
}

/// Takes an edge that starts here; of two the one that turns right, so that cells that meet at a corner stay apart.
fn take(edges: &mut HashMap<[i64; 2], Vec<[i64; 2]>>, at: [i64; 2], came: Option<[i64; 2]>) -> Option<[i64; 2]> {
    let ends = edges.get_mut(&at)?;
    let right = came.map(|[x, y]| [at[0] - y, at[1] + x]);
    let place = ends.iter().position(|end| Some(*end) == right).unwrap_or(0);
    (!ends.is_empty()).then(|| ends.swap_remove(place))
}

/// The area that a loop encloses, negative where it runs anticlockwise as it is seen (the surveyor's formula).
pub fn enclosed(points: &[[f64; 2]]) -> f64 {
    let next = points.iter().cycle().skip(1);
    points.iter().zip(next).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum::<f64>() / 2.0
}

/// A closed loop with fewer points, none of those left out farther than `tolerance` from the line that is left
/// (Douglas and Peucker 1973).
pub fn simplified(points: &[[f64; 2]], tolerance: f64) -> Vec<[f64; 2]> {
    if points.len() < 5 {
        return points.to_vec();
    }
    // From a point to the one farthest from it and back.
    let distance = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
    let far = (0..points.len())
        .fold(0, |best, k| if distance(points[k], points[0]) > distance(points[best], points[0]) { k } else { best });
    let mut kept = vec![false; points.len() + 1];
    let closed: Vec<[f64; 2]> = points.iter().chain(&points[..1]).copied().collect();
    let mut parts = vec![(0, far), (far, points.len())];
    while let Some((from, to)) = parts.pop() {
        kept[from] = true;
        let (a, b) = (closed[from], closed[to]);
        let length = distance(a, b);
        let off = |p: [f64; 2]| match length > 0.0 {
            true => ((b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])).abs() / length,
            false => distance(a, p),
        };
        let Some(worst) = (from + 1..to).max_by(|&i, &j| off(closed[i]).total_cmp(&off(closed[j]))) else { continue };
        if off(closed[worst]) > tolerance {
            parts.extend([(from, worst), (worst, to)]);
        }
    }
    (0..points.len()).filter(|&k| kept[k]).map(|k| points[k]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(loops: &[Vec<[f64; 2]>]) -> f64 {
        loops.iter().map(|points| enclosed(points)).sum()
    }

    #[test]
    fn what_is_enclosed_is_what_is_inside() {
        // Pictures from a linear congruence: every way in which four cells can meet.
        let mut state = 7u32;
        for n_columns in 1..12 {
            let mut draw = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state >> 31 == 1
            };
            let inside: Vec<bool> = (0..n_columns * 9).map(|_| draw()).collect();
            let loops = outlines(&inside, n_columns);
            let n = inside.iter().filter(|cell| **cell).count();
            assert_eq!(area(&loops), n as f64, "{n_columns}");
            // No corner is on a straight line, and every line is upright or level.
            for points in &loops {
                for k in 0..points.len() {
                    let [a, b, c] = [0, 1, 2].map(|step| points[(k + step) % points.len()]);
                    assert_eq!(i32::from(a[0] == b[0]) + i32::from(a[1] == b[1]), 1, "{points:?}");
                    assert_ne!(a[0] == b[0], b[0] == c[0], "{points:?}");
                }
            }
        }
    }

    #[test]
    fn cells_that_meet_at_a_corner_are_two() {
        let loops = outlines(&[true, false, false, true], 2);
        assert_eq!(loops.len(), 2);
        assert!(loops.iter().all(|points| enclosed(points) == 1.0));
        assert!(outlines(&[false; 6], 3).is_empty() && outlines(&[], 3).is_empty());
    }

    #[test]
    fn fewer_points_stay_near() {
        let n = 60i64;
        let disc: Vec<bool> = (0..n * n).map(|k| (k % n - n / 2).pow(2) + (k / n - n / 2).pow(2) < 25 * 25).collect();
        let loops = outlines(&disc, n as usize);
        let simple = simplified(&loops[0], 0.8);
        assert!(simple.len() * 10 < loops[0].len() * 6, "{} of {}", simple.len(), loops[0].len());
        let (all, left) = (enclosed(&loops[0]), enclosed(&simple));
        assert!((all - left).abs() < 0.03 * all, "{all} {left}");
        let square = vec![[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]];
        assert_eq!(simplified(&square, 0.1), square);
    }
}
