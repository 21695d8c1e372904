//! Which relabellings of subjects a permutation test goes through: all of them, or a seeded draw.

use statistics::Draws;

/// One relabelling: row i is given what row `order[i]` has in the model, times `signs[i]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Relabelling {
    order: Option<Vec<usize>>,
    signs: Option<Vec<f64>>,
}

impl Relabelling {
    /// The one that changes nothing.
    pub const AS_OBSERVED: Relabelling = Relabelling { order: None, signs: None };

    /// A column of the model, relabelled.
    pub fn of(&self, column: &[f64]) -> Vec<f64> {
        let row = |i: usize| self.order.as_ref().map_or(i, |order| order[i]);
        let sign = |i: usize| self.signs.as_ref().map_or(1.0, |signs| signs[i]);
        (0..column.len()).map(|i| sign(i) * column[row(i)]).collect()
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// The sign of each of n rows.
    Flips(usize),
    /// All orders of n rows.
    Orders(usize),
    /// Which rows are of the first of two groups: rows of one group are all alike in the model.
    Groups(Vec<bool>),
}

/// The relabellings of one test, numbered from 0: every one there is where those are at most as many as were asked for
/// (the observed one is among them), else so many draws with replacement, of which number i is always the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Relabellings {
    kind: Kind,
    n: u64,
    exact: bool,
    seed: u64,
}

impl Relabellings {
    /// Signs of `n` rows whose distribution is symmetric about 0 without an effect.
    pub fn flips(n: usize, wanted: u64, seed: u64) -> Relabellings {
        Relabellings::new(Kind::Flips(n), wanted, seed)
    }

    /// All orders of `n` rows.
    pub fn orders(n: usize, wanted: u64, seed: u64) -> Relabellings {
        Relabellings::new(Kind::Orders(n), wanted, seed)
    }

    /// All ways to call as many rows the first group as `first` does.
    pub fn groups(first: &[bool], wanted: u64, seed: u64) -> Relabellings {
        Relabellings::new(Kind::Groups(first.to_vec()), wanted, seed)
    }

    fn new(kind: Kind, wanted: u64, seed: u64) -> Relabellings {
        let all = match &kind {
            Kind::Flips(n) => (*n < 64).then(|| 1u64 << n),
            Kind::Orders(n) => (1..=*n as u64).try_fold(1u64, u64::checked_mul),
            Kind::Groups(first) => binomial(first.len(), first.iter().filter(|f| **f).count()),
        };
        match all.filter(|all| *all <= wanted) {
            Some(all) => Relabellings { kind, n: all, exact: true, seed },
            None => Relabellings { kind, n: wanted, exact: false, seed },
        }
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.n
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Whether they are all that there are.
    pub fn are_exact(&self) -> bool {
        self.exact
    }

    /// The p of a statistic that `at_least` of these relabellings reach: their share where they are all, else
    /// `(1 + at_least) / (1 + n)` (Phipson and Smyth 2010), since the observed one is not among the draws.
    pub fn p(&self, at_least: usize) -> f64 {
        let (at_least, n) = (at_least as f64, self.n as f64);
        if self.exact { at_least / n } else { (1.0 + at_least) / (1.0 + n) }
    }

    /// Relabelling `number`, below [`Relabellings::len`].
    pub fn get(&self, number: u64) -> Relabelling {
        let mut draws = Draws::stream(self.seed, number);
        match &self.kind {
            Kind::Flips(n) => {
                let mut flips = |row: usize| if self.exact { number >> row & 1 == 1 } else { draws.below(2) == 1 };
                let signs = (0..*n).map(|row| if flips(row) { -1.0 } else { 1.0 }).collect();
                Relabelling { order: None, signs: Some(signs) }
            }
            Kind::Orders(n) if self.exact => {
                // Digits of the number in the factorial base choose among the rows that are left.
                let (mut left, mut rest) = ((0..*n).collect::<Vec<_>>(), number);
                let order = (1..=*n as u64).rev().map(|choices| {
                    let choice = (rest % choices) as usize;
                    rest /= choices;
                    left.remove(choice)
                });
                Relabelling { order: Some(order.collect()), signs: None }
            }
            Kind::Groups(first) if self.exact => {
                // The number-th subset, by whether each row is in it.
                let n_first = first.iter().filter(|f| **f).count();
                let (mut wanted, mut rest) = (n_first, number);
                let chosen = (0..first.len()).map(|row| {
                    let later = first.len() - row - 1;
                    let with = wanted.checked_sub(1).and_then(|w| binomial(later, w)).unwrap_or(0);
                    let inside = wanted > 0 && rest < with;
                    if inside {
                        wanted -= 1;
                    } else {
                        rest -= with;
                    }
                    inside
                });
                let chosen: Vec<bool> = chosen.collect();
                let mut rows_of = [false, true].map(|group| (0..first.len()).filter(move |&row| first[row] == group));
                let order = chosen.iter().filter_map(|&group| rows_of[usize::from(group)].next()).collect();
                Relabelling { order: Some(order), signs: None }
            }
            Kind::Orders(n) => Relabelling { order: Some(draws.permutation(*n)), signs: None },
            Kind::Groups(first) => Relabelling { order: Some(draws.permutation(first.len())), signs: None },
        }
    }
}

/// n over k, where u64 holds it.
fn binomial(n: usize, k: usize) -> Option<u64> {
    if k > n {
        return Some(0);
    }
    // After step i the product is i over k's beginning, a whole number.
    let step = |product: u128, i: usize| Some(product.checked_mul((n - k + i) as u128)? / i as u128);
    (1..=k).try_fold(1u128, step).and_then(|all| u64::try_from(all).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn columns(all: &Relabellings, column: &[f64]) -> Vec<Vec<i64>> {
        (0..all.len()).map(|i| all.get(i).of(column).iter().map(|v| *v as i64).collect()).collect()
    }

    #[test]
    fn every_relabelling_occurs_once_and_the_observed_one_is_among_them() {
        let observed = [1.0, 2.0, 3.0, 4.0];
        let as_given: Vec<i64> = vec![1, 2, 3, 4];
        for (all, n) in [(Relabellings::flips(4, 16, 0), 16), (Relabellings::orders(4, 24, 0), 24)] {
            assert!(all.are_exact() && all.len() == n);
            let found = columns(&all, &observed);
            assert_eq!(found.iter().collect::<HashSet<_>>().len() as u64, n);
            assert!(found.contains(&as_given));
        }
        let first = [true, false, true, false, false];
        let all = Relabellings::groups(&first, 10, 0);
        let found = columns(&all, &first.map(f64::from));
        assert_eq!((all.len(), found.iter().collect::<HashSet<_>>().len()), (10, 10));
        assert!(found.iter().all(|row| row.iter().sum::<i64>() == 2) && found.contains(&vec![1, 0, 1, 0, 0]));
    }

    #[test]
    fn fewer_than_all_are_drawn_and_a_draw_is_its_number() {
        let drawn = Relabellings::flips(30, 1000, 7);
        assert!(!drawn.are_exact() && drawn.len() == 1000);
        assert_eq!(drawn.get(123), Relabellings::flips(30, 5000, 7).get(123));
        assert_ne!(drawn.get(123), Relabellings::flips(30, 1000, 8).get(123));
        // Half of 30 000 signs, sd 87.
        let n: i64 = columns(&drawn, &[1.0; 30]).iter().flatten().sum();
        assert!(n.abs() < 6 * 174, "{n}");
        let drawn = Relabellings::groups(&[true; 40].map(|t| t), 5, 1);
        assert!(drawn.are_exact() && drawn.len() == 1, "one group alone");
        assert!(!Relabellings::orders(30, u64::MAX, 1).are_exact());
    }

    #[test]
    fn draws_are_pinned() {
        // A change here changes published p: say so in crates/CHANGELOG.md.
        let column: Vec<f64> = (1..=8).map(f64::from).collect();
        let first = |all: Relabellings| all.get(3).of(&column).iter().map(|v| *v as i64).collect::<Vec<_>>();
        assert_eq!(first(Relabellings::flips(8, 100, 1)), PINNED[0]);
        assert_eq!(first(Relabellings::orders(8, 100, 1)), PINNED[1]);
        assert_eq!(
            first(Relabellings::groups(&[true, true, true, true, false, false, false, false], 50, 1)),
            PINNED[1]
        );
    }
    const PINNED: [[i64; 8]; 2] = [[-1, -2, 3, 4, 5, 6, -7, 8], [3, 7, 4, 1, 6, 2, 8, 5]];

    #[test]
    fn p_is_a_share_of_all_and_never_0_of_draws() {
        assert_eq!(Relabellings::flips(3, 8, 0).p(1), 0.125);
        assert_eq!(Relabellings::flips(30, 99, 0).p(0), 0.01);
        assert_eq!(binomial(40, 20), Some(137_846_528_820));
        assert_eq!((binomial(3, 5), binomial(5, 0), binomial(200, 100)), (Some(0), Some(1), None));
    }
}
