//! What is compared between subjects, of all of them or of a bootstrap sample.

use ndarray::{Array2, ArrayView2, Axis};
use npy_stream::Matrix;
use reliability::{Agreement, BetweenError, Group, between_subjects, between_subjects_by_voxel, noise_corrected};
use statistics::{Correlation, Draws, Reason, mean, median, normal_sf, student_t_quantile};

use super::Boot;

/// One vector or matrix per subject, over the same stimuli in the same order.
pub(super) enum Values {
    /// A number per stimulus.
    Profiles(Vec<Vec<f64>>),
    /// A number per pair of stimuli that has one in all subjects.
    Pairs { vectors: Vec<Vec<f64>>, places: Places },
    /// A number per stimulus and voxel.
    Voxels(Voxels),
}

/// Stimuli x voxels of every subject, as wide as they came.
pub(super) enum Voxels {
    F4(Vec<Array2<f32>>),
    F8(Vec<Array2<f64>>),
}

impl Voxels {
    /// In f8 where one of them is.
    pub fn of_one_width(subjects: impl IntoIterator<Item = Matrix>) -> Voxels {
        let mut narrow = Vec::new();
        let mut subjects = subjects.into_iter();
        while let Some(subject) = subjects.next() {
            match subject {
                Matrix::F4(subject) => narrow.push(subject),
                Matrix::F8(subject) => {
                    let before = narrow.into_iter().map(|subject: Array2<f32>| subject.mapv(f64::from));
                    let wide = before.chain([subject]);
                    return Voxels::F8(wide.chain(subjects.map(Matrix::into_f64)).collect());
                }
            }
        }
        Voxels::F4(narrow)
    }
}

/// Stimuli x stimuli: where the number of the pair i < j stands.
pub(super) type Places = Array2<Option<usize>>;

pub(super) struct Measured {
    pub values: Values,
    pub how: Correlation,
    /// Subjects x voxels, or x 1; of the averages of all trials.
    pub reliabilities: Option<Array2<f64>>,
    /// One per subject; those with equal numbers are one person.
    pub persons: Vec<usize>,
    pub n_stimuli: usize,
}

/// Which subjects and stimuli, in which order.
pub(super) struct Sample {
    subjects: Vec<usize>,
    /// `None` is all.
    stimuli: Option<Vec<usize>>,
}

/// One subject against the others.
pub(super) struct Estimate {
    /// The three columns as they are.
    pub plain: [f64; 3],
    /// And corrected.
    pub corrected: Option<[f64; 3]>,
    pub reason: Option<Reason>,
    /// One per voxel, for voxels only.
    pub of_voxels: Vec<Option<Reason>>,
    /// Voxels that the numbers are over.
    pub usable: usize,
}

/// median_pairwise, leave_one_out, mean_pairwise.
fn numbers(found: &Agreement) -> [f64; 3] {
    [found.median_of_pairs, found.leave_one_out, found.mean_of_pairs]
}

impl Measured {
    pub fn everything(&self) -> Sample {
        Sample { subjects: (0..self.persons.len()).collect(), stimuli: None }
    }

    /// Different ones.
    pub fn n_people(&self) -> usize {
        self.persons.iter().collect::<std::collections::BTreeSet<_>>().len()
    }

    /// Draws with replacement.
    pub fn draw(&self, unit: Boot, draws: &mut Draws) -> Sample {
        let mut some = |n: usize| (0..n).map(|_| draws.below(n)).collect::<Vec<usize>>();
        Sample {
            subjects: match unit {
                Boot::Stimuli => (0..self.persons.len()).collect(),
                _ => some(self.persons.len()),
            },
            stimuli: (unit != Boot::Subjects).then(|| some(self.n_stimuli)),
        }
    }

    /// Every subject of the sample, and Cronbach's alpha of them (of voxels the median).
    pub fn of(&self, sample: &Sample) -> Result<(Vec<Estimate>, f64), BetweenError> {
        // A copy of a subject is the same person.
        let persons: Vec<usize> = sample.subjects.iter().map(|&s| self.persons[s]).collect();
        let reliabilities = self.reliabilities.as_ref().map(|all| all.select(Axis(0), &sample.subjects));
        match &self.values {
            Values::Profiles(all) => {
                let of = |vector: &Vec<f64>| match &sample.stimuli {
                    None => vector.clone(),
                    Some(stimuli) => stimuli.iter().map(|&s| vector[s]).collect(),
                };
                let vectors: Vec<Vec<f64>> = sample.subjects.iter().map(|&s| of(&all[s])).collect();
                of_vectors(&vectors, self.how, reliabilities.as_ref(), &persons)
            }
            Values::Pairs { vectors, places } => {
                let kept: Option<Vec<usize>> = sample.stimuli.as_ref().map(|stimuli| pairs_of(stimuli, places));
                let of = |vector: &Vec<f64>| match &kept {
                    None => vector.clone(),
                    Some(kept) => kept.iter().map(|&place| vector[place]).collect(),
                };
                let vectors: Vec<Vec<f64>> = sample.subjects.iter().map(|&s| of(&vectors[s])).collect();
                of_vectors(&vectors, self.how, reliabilities.as_ref(), &persons)
            }
            Values::Voxels(Voxels::F4(all)) => of_sampled(all, sample, self.how, reliabilities.as_ref(), &persons),
            Values::Voxels(Voxels::F8(all)) => of_sampled(all, sample, self.how, reliabilities.as_ref(), &persons),
        }
    }

    /// Correlations of a model's vector with every subject's, as they are and corrected for the subject's noise alone;
    /// not for voxels.
    pub fn model(&self, model: &[f64]) -> (Vec<f64>, Option<Vec<f64>>) {
        let (Values::Profiles(subjects) | Values::Pairs { vectors: subjects, .. }) = &self.values else {
            return (Vec::new(), None);
        };
        let plain: Vec<f64> = subjects.iter().map(|subject| self.how.of(model, subject)).collect();
        let corrected = self.reliabilities.as_ref().map(|all| {
            plain.iter().zip(all.column(0)).map(|(r, reliability)| noise_corrected(*r, *reliability, 1.0)).collect()
        });
        (plain, corrected)
    }
}

/// Places of the pairs of a sample of stimuli; a stimulus is no pair with its own copy.
fn pairs_of(stimuli: &[usize], places: &Places) -> Vec<usize> {
    let pairs = stimuli.iter().enumerate().flat_map(|(i, &a)| stimuli[i + 1..].iter().map(move |&b| (a, b)));
    pairs.filter(|(a, b)| a != b).filter_map(|(a, b)| places[(a.min(b), a.max(b))]).collect()
}

fn of_vectors(
    vectors: &[Vec<f64>],
    how: Correlation,
    reliabilities: Option<&Array2<f64>>,
    persons: &[usize],
) -> Result<(Vec<Estimate>, f64), BetweenError> {
    let views: Vec<&[f64]> = vectors.iter().map(Vec::as_slice).collect();
    let own = reliabilities.map(|all| all.column(0).to_vec());
    let Group { plain, corrected, cronbach_alpha } = between_subjects(&views, how, own.as_deref(), Some(persons))?;
    let estimate = |(i, plain): (usize, &Agreement)| {
        let corrected = corrected.as_ref().map(|corrected| &corrected[i]);
        Estimate {
            plain: numbers(plain),
            corrected: corrected.map(numbers),
            reason: plain.reason.or(corrected.and_then(|corrected| corrected.reason)),
            of_voxels: Vec::new(),
            usable: 1,
        }
    };
    Ok((plain.iter().enumerate().map(estimate).collect(), cronbach_alpha))
}

fn of_sampled<T: Copy + Into<f64> + Send + Sync>(
    all: &[Array2<T>],
    sample: &Sample,
    how: Correlation,
    reliabilities: Option<&Array2<f64>>,
    persons: &[usize],
) -> Result<(Vec<Estimate>, f64), BetweenError> {
    let Some(stimuli) = &sample.stimuli else {
        let views: Vec<ArrayView2<T>> = sample.subjects.iter().map(|&s| all[s].view()).collect();
        return of_voxels(&views, how, reliabilities, persons);
    };
    let picked: Vec<Array2<T>> = sample.subjects.iter().map(|&s| all[s].select(Axis(0), stimuli)).collect();
    let views: Vec<ArrayView2<T>> = picked.iter().map(|some| some.view()).collect();
    of_voxels(&views, how, reliabilities, persons)
}

fn of_voxels<T: Copy + Into<f64> + Send + Sync>(
    subjects: &[ArrayView2<T>],
    how: Correlation,
    reliabilities: Option<&Array2<f64>>,
    persons: &[usize],
) -> Result<(Vec<Estimate>, f64), BetweenError> {
    let groups = between_subjects_by_voxel(subjects, how, reliabilities.map(|all| all.view()), Some(persons))?;
    // Over voxels that have a value; who calls says how many have none.
    let over = |value: &dyn Fn(&Group) -> f64| -> f64 {
        let values: Vec<f64> = groups.iter().map(value).filter(|v| !v.is_nan()).collect();
        median(&values)
    };
    let estimate = |i: usize| {
        let corrected = |group: &Group| group.corrected.as_ref().map(|corrected| corrected[i]);
        let of_voxel =
            |group: &Group| group.plain[i].reason.or(corrected(group).and_then(|corrected| corrected.reason));
        let of_voxels: Vec<Option<Reason>> = groups.iter().map(of_voxel).collect();
        let usable = groups.iter().filter(|group| !group.plain[i].median_of_pairs.is_nan()).count();
        let of_corrected = |group: &Group, k: usize| corrected(group).map_or(f64::NAN, |found| numbers(&found)[k]);
        Estimate {
            plain: [0, 1, 2].map(|k| over(&|group| numbers(&group.plain[i])[k])),
            corrected: reliabilities.map(|_| [0, 1, 2].map(|k| over(&|group| of_corrected(group, k)))),
            reason: if usable == 0 { of_voxels.iter().flatten().copied().next() } else { None },
            of_voxels,
            usable,
        }
    };
    let estimates = (0..subjects.len()).map(estimate).collect();
    Ok((estimates, over(&|group| group.cronbach_alpha)))
}

/// Of the numbers of all subjects: what stands in the row `median`.
pub(super) fn medians(of: &[Estimate]) -> [f64; 6] {
    let plain = |k: usize| median(&of.iter().map(|e| e.plain[k]).collect::<Vec<f64>>());
    let corrected = |k: usize| {
        let values: Option<Vec<f64>> = of.iter().map(|e| e.corrected.map(|c| c[k])).collect();
        values.map_or(f64::NAN, |values| median(&values))
    };
    [plain(0), plain(1), plain(2), corrected(0), corrected(1), corrected(2)]
}

/// The share of draws below a 95 % interval of number `k` of [`medians`], and of Cronbach's alpha behind them.
///
/// Percentiles of draws of few people are too narrow: the plug-in variance is (n - 1) / n of the unbiased one and the
/// quantiles are the normal's, not t's. Hesterberg (2015, The American Statistician 69:371) takes percentiles
/// further out, at `Phi(sqrt(n / (n - 1)) t_{.025, n - 1})`. The median of pairs jumps from one pair to another, is
/// wide enough without, and would cover .99.
pub(super) fn share_below(unit: Boot, n_people: usize, k: usize) -> f64 {
    const MEDIANS_OF_PAIRS: [usize; 2] = [0, 3];
    if unit != Boot::Subjects || n_people < 2 || MEDIANS_OF_PAIRS.contains(&k) {
        return 0.025;
    }
    let n = n_people as f64;
    normal_sf((n / (n - 1.0)).sqrt() * student_t_quantile(0.025, n - 1.0))
}

/// Median and mean over subjects.
pub(super) fn over_subjects(values: &[f64]) -> [f64; 2] {
    [median(values), mean(values)]
}

#[cfg(test)]
mod tests {
    use statistics::quantile;

    use super::*;

    /// People whose profiles are one signal and noise of their own, of a size of their own.
    fn people(n: usize, length: usize, signal: &[f64], draws: &mut Draws) -> Measured {
        let mut profile = || {
            let sd = 0.5 + draws.uniform();
            signal.iter().map(|s| s + sd * draws.normal_pair()[0]).collect::<Vec<f64>>()
        };
        let profiles = (0..n).map(|_| profile()).collect();
        Measured {
            values: Values::Profiles(profiles),
            how: Correlation::Pearson,
            reliabilities: None,
            persons: (0..n).collect(),
            n_stimuli: length,
        }
    }

    /// Share of groups of people whose interval holds what such groups give on average: of the six numbers but
    /// those corrected, and of Cronbach's alpha.
    fn coverage(n: usize, n_groups: usize, seed: u64) -> [f64; 4] {
        const NUMBERS: [usize; 4] = [0, 1, 2, 6];
        let length = 40;
        let mut draws = Draws::new(seed);
        let signal: Vec<f64> = (0..length).map(|_| draws.normal_pair()[0]).collect();
        let all_of = |measured: &Measured, sample: &Sample| {
            let (estimates, alpha) = measured.of(sample).unwrap();
            let of: Vec<f64> = medians(&estimates).into_iter().chain([alpha]).collect();
            NUMBERS.map(|k| of[k])
        };
        let mut totals = [0.0; 4];
        let n_for_truth = 600;
        for _ in 0..n_for_truth {
            let group = people(n, length, &signal, &mut draws);
            let found = all_of(&group, &group.everything());
            totals.iter_mut().zip(found).for_each(|(total, value)| *total += value / f64::from(n_for_truth));
        }
        let mut held = [0.0; 4];
        for _ in 0..n_groups {
            let group = people(n, length, &signal, &mut draws);
            let drawn: Vec<[f64; 4]> = (0..400)
                .map(|_| group.draw(Boot::Subjects, &mut draws))
                .map(|sample| all_of(&group, &sample))
                .collect();
            for (k, held) in held.iter_mut().enumerate() {
                let of: Vec<f64> = drawn.iter().map(|all| all[k]).filter(|v| !v.is_nan()).collect();
                let below = share_below(Boot::Subjects, n, NUMBERS[k]);
                let interval = quantile(&of, below)..=quantile(&of, 1.0 - below);
                *held += f64::from(u8::from(interval.contains(&totals[k]))) / n_groups as f64;
            }
        }
        held
    }

    #[test]
    fn intervals_over_subjects_cover_what_other_people_give() {
        // The standard error of 200 groups is .015, of the truth less; plain percentiles cover .85 to .90.
        for (n, seed) in [(6, 5), (8, 6)] {
            let found = coverage(n, 200, seed);
            assert!(found.iter().all(|covered| (0.91..=0.995).contains(covered)), "{n}: {found:?}");
        }
    }

    #[test]
    fn a_stimulus_is_no_pair_with_its_copy() {
        let place = |i: usize, j: usize| if (i, j) == (0, 2) { None } else { Some(10 * i + j) };
        let places = Array2::from_shape_fn((3, 3), |(i, j)| if i < j { place(i, j) } else { None });
        // 2-1, 2-1 (its copy), 1-1 is none, 2-0 has no value, 1-0 twice
        assert_eq!(pairs_of(&[2, 1, 1, 0], &places), [12, 12, 1, 1]);
    }
}
