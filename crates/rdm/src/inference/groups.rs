//! What is drawn, left out and shuffled together: the runs of one person, the stimuli of one category.

use std::collections::HashMap;
use std::hash::Hash;

use statistics::{Draws, mean};

use super::{Bootstrap, Generalize, multiplicities};

/// Things in groups that are one unit of the inference.
///
/// ```
/// use rdm::inference::Groups;
/// let runs = Groups::of(&["sub-02", "sub-01", "sub-02"]);
/// assert_eq!((runs.len(), runs.members()), (2, &[vec![0, 2], vec![1]][..]));
/// assert_eq!(runs.means(&[1.0, 5.0, 2.0]), [1.5, 5.0]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    of: Vec<usize>,
    members: Vec<Vec<usize>>,
}

impl Groups {
    /// Each of `n` things is a group.
    pub fn each(n: usize) -> Groups {
        Groups { of: (0..n).collect(), members: (0..n).map(|i| vec![i]).collect() }
    }

    /// Things of one label are a group; groups stand in the order of their first members.
    pub fn of<L: Eq + Hash>(labels: &[L]) -> Groups {
        let mut known: HashMap<&L, usize> = HashMap::new();
        let mut groups = Groups { of: Vec::with_capacity(labels.len()), members: Vec::new() };
        for (i, label) in labels.iter().enumerate() {
            let next = known.len();
            let group = *known.entry(label).or_insert(next);
            if group == next {
                groups.members.push(Vec::new());
            }
            groups.members[group].push(i);
            groups.of.push(group);
        }
        groups
    }

    /// Number of groups.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Number of things.
    pub fn n_things(&self) -> usize {
        self.of.len()
    }

    /// The group of every thing.
    pub fn numbers(&self) -> &[usize] {
        &self.of
    }

    /// The things of every group, rising.
    pub fn members(&self) -> &[Vec<usize>] {
        &self.members
    }

    /// Number of things in the group of this one.
    pub(crate) fn size_with(&self, thing: usize) -> f64 {
        self.members[self.of[thing]].len() as f64
    }

    /// Per group the mean of its things' values.
    pub fn means(&self, values: &[f64]) -> Vec<f64> {
        let of = |members: &Vec<usize>| mean(&members.iter().map(|&i| values[i]).collect::<Vec<f64>>());
        self.members.iter().map(of).collect()
    }

    /// How much each thing counts so that every group has one vote: in inverse proportion to the size of its group,
    /// in the smallest whole numbers (2 and 1 for groups of one and of two), so that sums of ranks stay exact. 1 for
    /// groups of one size. Where whole numbers would be beyond 2^32 they are `1 / size`.
    pub(crate) fn votes(&self) -> Vec<f64> {
        let gcd = |mut a: u64, mut b: u64| {
            while b > 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        let least = self.members.iter().map(|members| members.len() as u64).try_fold(1_u64, |least, size| {
            let next = least / gcd(least, size) * size;
            (next <= 1 << 32).then_some(next)
        });
        let sizes: Vec<u64> = self.of.iter().map(|&group| self.members[group].len() as u64).collect();
        match least {
            Some(least) => sizes.iter().map(|size| (least / size) as f64).collect(),
            None => sizes.iter().map(|size| 1.0 / *size as f64).collect(),
        }
    }

    /// How many different groups hold a thing that was drawn.
    pub(crate) fn n_drawn(&self, often: &[u32]) -> usize {
        self.members.iter().filter(|members| members.iter().any(|&i| often[i] > 0)).count()
    }

    /// How often each thing stands in a draw of as many groups as there are, with replacement.
    fn draw(&self, draws: &mut Draws) -> Vec<u32> {
        let often = multiplicities(self.len(), draws);
        self.of.iter().map(|group| often[*group]).collect()
    }
}

/// One draw of a bootstrap: how often each subject and each stimulus stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// One count per subject RDM.
    pub subjects: Vec<u32>,
    /// One count per stimulus.
    pub stimuli: Vec<u32>,
}

/// The draws of [`super::bootstrap`]: groups with replacement, what is not resampled once each. Draw i uses stream i of
/// the seed, subjects before stimuli.
pub fn draws_of(plan: Bootstrap, subjects: &Groups, stimuli: &Groups) -> Vec<Drawn> {
    let one = |draw: usize| Drawn::next(plan.over, subjects, stimuli, &mut Draws::stream(plan.seed, draw as u64));
    (0..plan.n_boot).map(one).collect()
}

impl Drawn {
    /// The next draw of a stream.
    pub(crate) fn next(over: Generalize, subjects: &Groups, stimuli: &Groups, draws: &mut Draws) -> Drawn {
        let mut of = |groups: &Groups, stays: Generalize| match over == stays {
            true => vec![1; groups.n_things()],
            false => groups.draw(draws),
        };
        let people = of(subjects, Generalize::Stimuli);
        Drawn { subjects: people, stimuli: of(stimuli, Generalize::Subjects) }
    }
}

/// What a permutation of stimuli leaves as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shuffle<'a> {
    /// Nothing: any stimulus may take the place of any other.
    All,
    /// Which group a stimulus is of: stimuli change places within their groups.
    Within(&'a Groups),
    /// Which stimuli are together: groups of one size change places, their stimuli in their order.
    Whole(&'a Groups),
}

impl Shuffle<'_> {
    /// A random order of `n` stimuli.
    pub fn order(self, n: usize, draws: &mut Draws) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        match self {
            Shuffle::All => return draws.permutation(n),
            Shuffle::Within(groups) => {
                for members in groups.members() {
                    let places = draws.permutation(members.len());
                    members.iter().zip(places).for_each(|(&to, place)| order[to] = members[place]);
                }
            }
            Shuffle::Whole(groups) => {
                for class in of_one_size(groups) {
                    let places = draws.permutation(class.len());
                    for (to, place) in class.iter().zip(places) {
                        to.iter().zip(class[place]).for_each(|(&to, &from)| order[to] = from);
                    }
                }
            }
        }
        order
    }

    /// How many different orders there are; infinite where f8 holds no such number.
    pub fn n_orders(self, n: usize) -> f64 {
        let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
        match self {
            Shuffle::All => factorial(n),
            Shuffle::Within(groups) => groups.members().iter().map(|members| factorial(members.len())).product(),
            Shuffle::Whole(groups) => of_one_size(groups).iter().map(|class| factorial(class.len())).product(),
        }
    }
}

/// Groups by their sizes, the order of both kept.
fn of_one_size(groups: &Groups) -> Vec<Vec<&Vec<usize>>> {
    let sizes: Vec<usize> = groups.members().iter().map(Vec::len).collect();
    let pick = |class: &Vec<usize>| class.iter().map(|&group| &groups.members()[group]).collect();
    Groups::of(&sizes).members().iter().map(pick).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sizes 3, 2, 2, 3, 1, interleaved.
    const KINDS: [u8; 11] = [7, 1, 7, 4, 1, 4, 9, 7, 9, 9, 5];

    #[test]
    fn things_of_a_group_are_drawn_alike_and_single_ones_as_ever() {
        let plan = Bootstrap { over: Generalize::Both, n_boot: 50, seed: 3, ceiling: false };
        let (people, kinds) = (Groups::of(&["a", "b", "a", "c"]), Groups::of(&KINDS));
        let drawn = draws_of(plan, &people, &kinds);
        for Drawn { subjects, stimuli } in &drawn {
            assert_eq!(subjects[0], subjects[2]);
            let of_groups: Vec<u32> = kinds.members().iter().map(|members| stimuli[members[0]]).collect();
            assert_eq!(of_groups.iter().sum::<u32>(), 5);
            assert!((0..KINDS.len()).all(|i| stimuli[i] == of_groups[kinds.numbers()[i]]));
        }
        // A published seed keeps its draws: subjects first, then stimuli, of one stream.
        let single = draws_of(plan, &Groups::each(4), &Groups::each(6));
        for (draw, found) in single.iter().enumerate() {
            let mut draws = Draws::stream(3, draw as u64);
            let people = multiplicities(4, &mut draws);
            assert_eq!((&found.subjects, &found.stimuli), (&people, &multiplicities(6, &mut draws)));
        }
        let alone = draws_of(Bootstrap { over: Generalize::Stimuli, ..plan }, &people, &kinds);
        assert!(alone.iter().all(|draw| draw.subjects == [1; 4]));
    }

    #[test]
    fn votes_are_whole_and_as_many_for_every_group() {
        assert_eq!(Groups::of(&[0, 1, 0, 2, 1, 2, 3]).votes(), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0]);
        assert_eq!(Groups::of(&[0, 0, 0, 1, 1, 2]).votes(), [2.0, 2.0, 2.0, 3.0, 3.0, 6.0]);
        assert_eq!(Groups::of(&[0, 0, 1, 1]).votes(), [1.0; 4]);
        // 2 to 31 have a least multiple of 7e13: shares instead.
        let sizes: Vec<usize> = (2..32).flat_map(|size| vec![size; size]).collect();
        let votes = Groups::of(&sizes).votes();
        assert_eq!((votes[0], votes[2]), (0.5, 1.0 / 3.0));
    }

    #[test]
    fn shuffles_keep_what_they_should() {
        let groups = Groups::of(&KINDS);
        let mut draws = Draws::new(1);
        let (mut moved_within, mut moved_whole) = (false, false);
        for _ in 0..50 {
            for shuffle in [Shuffle::All, Shuffle::Within(&groups), Shuffle::Whole(&groups)] {
                let order = shuffle.order(KINDS.len(), &mut draws);
                let mut sorted = order.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..KINDS.len()).collect::<Vec<usize>>(), "{shuffle:?}");
                let moved = order.iter().enumerate().any(|(i, from)| i != *from);
                match shuffle {
                    Shuffle::All => {}
                    Shuffle::Within(_) => {
                        moved_within |= moved;
                        assert!(order.iter().enumerate().all(|(i, &from)| KINDS[i] == KINDS[from]));
                    }
                    Shuffle::Whole(_) => {
                        moved_whole |= moved;
                        for members in groups.members() {
                            let from: Vec<usize> = members.iter().map(|&i| order[i]).collect();
                            assert!(groups.members().contains(&from), "{from:?}");
                        }
                    }
                }
            }
        }
        assert!(moved_within && moved_whole);
        assert_eq!(Shuffle::All.n_orders(4), 24.0);
        assert_eq!(Shuffle::Within(&groups).n_orders(11), 6.0 * 2.0 * 2.0 * 6.0);
        assert_eq!(Shuffle::Whole(&groups).n_orders(11), 2.0 * 2.0);
    }
}
