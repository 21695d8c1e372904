//! Circles whose areas, and those of what they share, are counts.

use std::f64::consts::PI;

/// A circle: x and y of its middle, and its radius, in units of the root of a count.
pub type Circle = [f64; 3];

/// Two or three sets as circles.
#[derive(Debug, Clone, PartialEq)]
pub struct AreaTrue {
    /// One per set.
    pub circles: Vec<Circle>,
    /// The area of each combination, as [`area_true`] takes counts.
    pub areas: Vec<f64>,
}

impl AreaTrue {
    /// The combination whose area is furthest from its count, and the difference (area less count).
    pub fn worst(&self, counts: &[f64]) -> (usize, f64) {
        let off = |m: usize| self.areas[m] - counts[m];
        let worst = (1..counts.len()).reduce(|a, b| if off(b).abs() > off(a).abs() { b } else { a }).unwrap_or(0);
        (worst, off(worst))
    }

    /// Squared differences of areas and counts over the sum of squared counts; 0 is exact. Of Wilkinson's (2012) stress
    /// the form without a slope, since the scale is not free.
    pub fn stress(&self, counts: &[f64]) -> f64 {
        let off: f64 = (1..counts.len()).map(|m| (self.areas[m] - counts[m]).powi(2)).sum();
        let all: f64 = counts[1..].iter().map(|n| n * n).sum();
        if all > 0.0 { off / all } else { 0.0 }
    }
}

/// Circles for counts of exact combinations: element `m` counts what is in set `k` where bit `k` of `m` is set, and in
/// no other (`counts[0]` is not looked at). 4 elements for two sets, 8 for three.
///
/// Two sets are exact. Three have seven combinations and six numbers to place circles by (three radii, three
/// distances): the sum of squared differences of areas and counts is made small by a simplex search (Nelder and Mead
/// 1965) from circles whose own areas and pairwise overlaps are exact, and from these a little moved.
pub fn area_true(counts: &[f64]) -> AreaTrue {
    let n_sets = counts.len().trailing_zeros() as usize;
    let of = |wanted: usize| (0..counts.len()).filter(|m| m & wanted == wanted).map(|m| counts[m]).sum::<f64>();
    let radii: Vec<f64> = (0..n_sets).map(|k| (of(1 << k) / PI).sqrt()).collect();
    let apart = |i: usize, j: usize| distance(radii[i], radii[j], of(1 << i | 1 << j));
    if n_sets < 3 {
        let mut circles = vec![[0.0, 0.0, radii[0]]];
        if n_sets == 2 {
            circles.push([apart(0, 1), 0.0, radii[1]]);
        }
        return AreaTrue { areas: areas(&circles), circles };
    }
    let (ab, ac, bc) = (apart(0, 1), apart(0, 2), apart(1, 2));
    // Where the third would have to be at both distances; where it cannot, on the line, as near as it can.
    let x = if ab > 0.0 { (ab * ab + ac * ac - bc * bc) / (2.0 * ab) } else { ac };
    let x = x.clamp(-ac, ac);
    let start = [ab, x, (ac * ac - x * x).max(0.0).sqrt(), radii[0], radii[1], radii[2]];
    let circles = |p: &[f64; 6]| vec![[0.0, 0.0, p[3].abs()], [p[0], 0.0, p[4].abs()], [p[1], p[2], p[5].abs()]];
    let cost = |p: &[f64; 6]| {
        let areas = areas(&circles(p));
        (1..8).map(|m| (areas[m] - counts[m]).powi(2)).sum::<f64>()
    };
    let unit = radii.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let mut best = simplex(start, 0.15 * unit, &cost);
    for (dx, dy) in [(0.4, 0.0), (-0.4, 0.3), (0.0, 0.6)] {
        let moved = [start[0], start[1] + dx * unit, start[2] + dy * unit, start[3], start[4], start[5]];
        let other = simplex(moved, 0.3 * unit, &cost);
        if cost(&other) < cost(&best) * (1.0 - 1e-6) {
            best = other;
        }
    }
    let circles = circles(&best);
    AreaTrue { areas: areas(&circles), circles }
}

/// The distance of two circles that share this area: between that of one within the other and that of touching ones.
fn distance(r: f64, s: f64, shared: f64) -> f64 {
    let (mut near, mut far) = ((r - s).abs(), r + s);
    if shared <= 0.0 {
        // Apart, and seen to be.
        return far + 0.15 * r.min(s);
    }
    for _ in 0..80 {
        let middle = 0.5 * (near + far);
        if common(&[[0.0, 0.0, r], [middle, 0.0, s]]) > shared {
            near = middle;
        } else {
            far = middle;
        }
    }
    0.5 * (near + far)
}

/// The area of every exact combination of these circles.
fn areas(circles: &[Circle]) -> Vec<f64> {
    let n = 1usize << circles.len();
    let shared: Vec<f64> = (0..n)
        .map(|m| {
            let chosen: Vec<Circle> = (0..circles.len()).filter(|k| m >> k & 1 == 1).map(|k| circles[k]).collect();
            if chosen.is_empty() { 0.0 } else { common(&chosen) }
        })
        .collect();
    // Inclusion and exclusion over all that hold the combination.
    let exact = |m: usize| -> f64 {
        let holding = (0..n).filter(|other| other & m == m);
        holding
            .map(|other| if (other ^ m).count_ones().is_multiple_of(2) { shared[other] } else { -shared[other] })
            .sum()
    };
    (0..n).map(|m| if m == 0 { 0.0 } else { exact(m).max(0.0) }).collect()
}

/// Whether two circles differ by rounding alone: their points of intersection are anywhere.
fn are_one([x, y, r]: Circle, [u, v, s]: Circle) -> bool {
    const ROUNDING: f64 = 1e-9;
    (u - x).hypot(v - y) <= ROUNDING * (r + s) && (r - s).abs() <= ROUNDING * (r + s)
}

/// The area that all these circles share: Green's theorem over the arcs of each that lie in all others.
fn common(circles: &[Circle]) -> f64 {
    let mut twice = 0.0;
    for (i, &[x, y, r]) in circles.iter().enumerate() {
        if r <= 0.0 {
            return 0.0;
        }
        let mut breaks = vec![0.0, 2.0 * PI];
        for (j, &[u, v, s]) in circles.iter().enumerate() {
            let d = (u - x).hypot(v - y);
            if i != j && !are_one([x, y, r], [u, v, s]) && d < r + s && d > (r - s).abs() {
                let (middle, half) =
                    ((v - y).atan2(u - x), ((d * d + r * r - s * s) / (2.0 * d * r)).clamp(-1.0, 1.0).acos());
                breaks.extend([middle - half, middle + half].map(|angle| angle.rem_euclid(2.0 * PI)));
            }
        }
        breaks.sort_by(f64::total_cmp);
        for pair in breaks.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            let at = 0.5 * (from + to);
            let [px, py] = [x + r * at.cos(), y + r * at.sin()];
            let inside = circles.iter().enumerate().all(|(j, &[u, v, s])| {
                let same = are_one([x, y, r], [u, v, s]);
                // Of circles that are one the first has the arc.
                i == j || if same { i < j } else { (px - u).hypot(py - v) <= s }
            });
            if inside {
                twice += r * r * (to - from) + r * (x * (to.sin() - from.sin()) - y * (to.cos() - from.cos()));
            }
        }
    }
    0.5 * twice
}

/// Nelder and Mead's simplex search from a point, with steps of this size.
fn simplex(start: [f64; 6], step: f64, cost: &impl Fn(&[f64; 6]) -> f64) -> [f64; 6] {
    let mut corners: Vec<([f64; 6], f64)> = (0..7)
        .map(|k| {
            let mut corner = start;
            if k > 0 {
                corner[k - 1] += step;
            }
            (corner, cost(&corner))
        })
        .collect();
    for _ in 0..600 {
        corners.sort_by(|a, b| a.1.total_cmp(&b.1));
        if corners[6].1 - corners[0].1 <= 1e-12 * corners[0].1.max(1e-12) {
            break;
        }
        let middle: [f64; 6] = std::array::from_fn(|d| corners[..6].iter().map(|c| c.0[d]).sum::<f64>() / 6.0);
        let along = |t: f64| -> ([f64; 6], f64) {
            let corner = std::array::from_fn(|d| middle[d] + t * (corners[6].0[d] - middle[d]));
            (corner, cost(&corner))
        };
        let reflected = along(-1.0);
        corners[6] = if reflected.1 < corners[0].1 {
            let further = along(-2.0);
            if further.1 < reflected.1 { further } else { reflected }
        } else if reflected.1 < corners[5].1 {
            reflected
        } else {
            let inner = along(if reflected.1 < corners[6].1 { -0.5 } else { 0.5 });
            if inner.1 < corners[6].1.min(reflected.1) {
                inner
            } else {
                let best = corners[0].0;
                for corner in &mut corners[1..] {
                    corner.0 = std::array::from_fn(|d| 0.5 * (best[d] + corner.0[d]));
                    corner.1 = cost(&corner.0);
                }
                continue;
            }
        };
    }
    corners.sort_by(|a, b| a.1.total_cmp(&b.1));
    corners[0].0
}

/// A place within a combination that is far from all circles, for a number, and how far: `None` where the combination
/// has no area.
pub fn heart(circles: &[Circle], combination: usize) -> Option<([f64; 2], f64)> {
    let ends = |d: usize| {
        circles
            .iter()
            .filter(|c| c[2] > 0.0)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), c| (lo.min(c[d] - c[2]), hi.max(c[d] + c[2])))
    };
    let ((x0, x1), (y0, y1)) = (ends(0), ends(1));
    const STEPS: usize = 90;
    let mut best: Option<([f64; 2], f64)> = None;
    for k in 0..STEPS * STEPS {
        let x = x0 + (x1 - x0) * ((k % STEPS) as f64 + 0.5) / STEPS as f64;
        let y = y0 + (y1 - y0) * ((k / STEPS) as f64 + 0.5) / STEPS as f64;
        let mut room = f64::INFINITY;
        let mut inside = true;
        for (j, c) in circles.iter().enumerate() {
            let depth = c[2] - (x - c[0]).hypot(y - c[1]);
            inside &= (depth > 0.0) == (combination >> j & 1 == 1);
            room = room.min(if c[2] > 0.0 { depth.abs() } else { f64::INFINITY });
        }
        if inside && best.is_none_or(|(_, other)| room > other * (1.0 + 1e-9)) {
            best = Some(([x, y], room));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slow and obvious: the share of points of a grid that are in exactly these circles.
    fn by_grid(circles: &[Circle]) -> Vec<f64> {
        const N: usize = 1500;
        let reach = circles.iter().map(|c| c[0].abs().max(c[1].abs()) + c[2]).fold(0.0, f64::max);
        let mut counts = vec![0.0; 1 << circles.len()];
        for k in 0..N * N {
            let at = |k: usize| reach * (2.0 * (k as f64 + 0.5) / N as f64 - 1.0);
            let (x, y) = (at(k % N), at(k / N));
            let is_in = |c: &Circle| (x - c[0]).hypot(y - c[1]) <= c[2];
            let mask: usize = circles.iter().enumerate().map(|(j, c)| usize::from(is_in(c)) << j).sum();
            counts[mask] += (2.0 * reach / N as f64).powi(2);
        }
        counts[0] = 0.0;
        counts
    }

    #[test]
    fn areas_are_those_of_a_fine_grid() {
        for circles in [
            vec![[0.0, 0.0, 2.0], [1.5, 0.5, 1.2], [0.2, 1.4, 1.7]],
            // One within another, one apart, two that are one.
            vec![[0.0, 0.0, 2.0], [0.3, 0.2, 0.5], [3.0, 0.0, 0.5]],
            vec![[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.5, 0.0, 1.0]],
        ] {
            // A cell of the grid is 1e-5; 4000 of them may be cut by an edge.
            areas(&circles).iter().zip(by_grid(&circles)).for_each(|(a, b)| assert!((a - b).abs() < 0.01, "{a} {b}"));
        }
    }

    #[test]
    fn two_sets_are_exact() {
        for (a, b, both) in [(10.0, 25.0, 5.0), (80.0, 0.0, 20.0), (3.0, 4.0, 0.0), (0.0, 0.0, 7.0), (1.0, 1e5, 2.0)] {
            let counts = [0.0, a, b, both];
            let found = area_true(&counts);
            for m in 1..4 {
                assert!((found.areas[m] - counts[m]).abs() < 1e-6 * (a + b + both), "{counts:?} {:?}", found.areas);
            }
        }
    }

    #[test]
    fn three_sets_that_circles_can_show_are_shown_and_others_say_how_far_they_are_off() {
        let circles = vec![[0.0, 0.0, 5.0], [4.0, 0.0, 4.0], [2.0, 3.5, 3.0]];
        let counts = areas(&circles);
        let found = area_true(&counts);
        assert!(found.worst(&counts).1.abs() < 1e-3, "{:?}", found.areas);
        // Nothing but pairs: circles that meet two by two share a middle or are too small for it.
        let counts = [0.0, 0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0];
        let found = area_true(&counts);
        assert!(found.stress(&counts) > 0.01 && found.worst(&counts).1.abs() > 0.5, "{:?}", found.areas);
        assert!(heart(&found.circles, 1).is_some() || found.areas[1] < 0.1);
    }
}
