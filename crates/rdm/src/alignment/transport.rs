//! The transportation problem with equal rows and equal columns, exactly; the assignment problem is its special case.

use ndarray::ArrayView2;

/// The cheapest way to send `supply` from every row to columns that take `capacity` each: row, column and amount, in
/// the order of rows. Amounts are whole numbers, so no rounding decides what is sent.
///
/// Successive shortest paths with potentials (Edmonds & Karp 1972; for supply and capacity 1 the Hungarian method of
/// Jonker & Volgenant 1987), rows x columns per path. A path ends at the first column with room.
///
/// # Panics
/// When the columns cannot take what the rows send.
pub(super) fn transport(costs: ArrayView2<f64>, supply: u64, capacity: u64) -> Vec<(usize, usize, u64)> {
    let (n_rows, n_columns) = costs.dim();
    assert!(supply * n_rows as u64 <= capacity * n_columns as u64, "{n_rows} x {supply} into {n_columns} x {capacity}");
    let mut of_row = vec![0.0; n_rows];
    let mut of_column = vec![0.0; n_columns];
    let mut taken = vec![0u64; n_columns];
    // What each column takes from which rows.
    let mut sent: Vec<Vec<(usize, u64)>> = vec![Vec::new(); n_columns];
    let mut distance = vec![0.0; n_columns];
    let mut from = vec![0; n_columns];
    let mut done = vec![false; n_columns];
    for start in 0..n_rows {
        let mut left = supply;
        while left > 0 {
            distance.fill(f64::INFINITY);
            done.fill(false);
            // Rows on the way, how far they are, and the column that led to each.
            let mut reached: Vec<(usize, f64, usize)> = vec![(start, 0.0, usize::MAX)];
            let mut is_reached = vec![false; n_rows];
            is_reached[start] = true;
            let mut unexplored = 0;
            let end = loop {
                for &(row, so_far, _) in &reached[unexplored..] {
                    let costs = costs.row(row);
                    for column in 0..n_columns {
                        let step = so_far + (costs[column] - of_row[row] - of_column[column]);
                        if !done[column] && step < distance[column] {
                            (distance[column], from[column]) = (step, row);
                        }
                    }
                }
                unexplored = reached.len();
                let mut nearest = usize::MAX;
                for column in (0..n_columns).filter(|&column| !done[column]) {
                    if nearest == usize::MAX || distance[column] < distance[nearest] {
                        nearest = column;
                    }
                }
                done[nearest] = true;
                if taken[nearest] < capacity {
                    break nearest;
                }
                // It may give back what it has from other rows, at no cost: what is sent lies on shortest ways.
                for &(row, _) in &sent[nearest] {
                    if !std::mem::replace(&mut is_reached[row], true) {
                        reached.push((row, distance[nearest], nearest));
                    }
                }
            };
            let whole = distance[end];
            reached.iter().for_each(|&(row, so_far, _)| of_row[row] += whole - so_far);
            (0..n_columns).filter(|&c| done[c]).for_each(|c| of_column[c] -= whole - distance[c]);
            // Steps of the way back: a row sends to a column, instead of to the one that led to it.
            let mut steps = Vec::new();
            let mut column = end;
            let mut amount = left.min(capacity - taken[end]);
            loop {
                let row = from[column];
                let before = reached.iter().find(|r| r.0 == row).map_or(usize::MAX, |r| r.2);
                steps.push((row, column, before));
                if before == usize::MAX {
                    break;
                }
                amount = amount.min(sent[before].iter().find(|s| s.0 == row).map_or(0, |s| s.1));
                column = before;
            }
            for (row, column, before) in steps {
                match sent[column].iter_mut().find(|s| s.0 == row) {
                    Some(there) => there.1 += amount,
                    None => sent[column].push((row, amount)),
                }
                if before != usize::MAX {
                    sent[before].iter_mut().filter(|s| s.0 == row).for_each(|s| s.1 -= amount);
                    sent[before].retain(|s| s.1 > 0);
                }
            }
            taken[end] += amount;
            left -= amount;
        }
    }
    let mut plan: Vec<(usize, usize, u64)> = Vec::new();
    for (column, sent) in sent.iter().enumerate() {
        plan.extend(sent.iter().map(|&(row, amount)| (row, column, amount)));
    }
    plan.sort_unstable();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;
    use ndarray::Array2;

    fn cost(costs: &Array2<f64>, plan: &[(usize, usize, u64)]) -> f64 {
        plan.iter().map(|&(i, j, amount)| amount as f64 * costs[(i, j)]).sum()
    }

    /// All ways to assign rows to different columns.
    fn slow(costs: &Array2<f64>, row: usize, used: &mut Vec<usize>) -> f64 {
        if row == costs.nrows() {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for column in 0..costs.ncols() {
            if !used.contains(&column) {
                used.push(column);
                best = best.min(costs[(row, column)] + slow(costs, row + 1, used));
                used.pop();
            }
        }
        best
    }

    #[test]
    fn assignments_are_the_best_of_all() {
        for seed in 0..40 {
            let (n, m) = (1 + seed as usize % 5, 5 + seed as usize % 3);
            let costs = noise(n, m, seed);
            let plan = transport(costs.view(), 1, 1);
            assert!(plan.len() == n && plan.iter().all(|s| s.2 == 1));
            let (found, expected) = (cost(&costs, &plan), slow(&costs, 0, &mut Vec::new()));
            assert!((found - expected).abs() < 1e-14, "{seed}: {found} {expected}");
        }
    }

    #[test]
    fn shares_are_assignments_of_copies_and_all_is_sent() {
        for seed in 0..20 {
            // 2 x 3 to 3 x 2: six copies of each side.
            let costs = noise(2, 3, seed);
            let plan = transport(costs.view(), 3, 2);
            let copies = Array2::from_shape_fn((6, 6), |(i, j)| costs[(i / 3, j / 2)]);
            let expected = slow(&copies, 0, &mut Vec::new());
            assert!((cost(&costs, &plan) - expected).abs() < 1e-14, "{seed}");
            for (side, whole) in [(0, 3), (1, 2)] {
                let n = [2, 3][side];
                let of = |k: usize| plan.iter().filter(|s| [s.0, s.1][side] == k).map(|s| s.2).sum::<u64>();
                assert!((0..n).all(|k| of(k) == whole), "{plan:?}");
            }
        }
    }

    #[test]
    fn ties_and_constant_costs_are_sent_too() {
        let plan = transport(Array2::zeros((4, 6)).view(), 3, 2);
        assert_eq!(plan.iter().map(|s| s.2).sum::<u64>(), 12);
    }
}
