//! From the components of variance of several people's responses to the ceilings of studies of another size.
//!
//! The response of subject i to stimulus s in presentation k is `m_i + t_s + d_is + e_isk`: the subject's mean, signal
//! that subjects share, signal of the subject's own, noise of the trial. Their variances decide every ceiling of
//! averages.

use ndarray::Array2;
use rayon::prelude::*;
use statistics::{Draws, Reason, bounded, mean, pearson, variance};

use crate::repeats::Repeats;
use crate::spearman_brown::{r_max, spearman_brown};

/// Why components cannot be told apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DesignError {
    /// One subject has no signal in common with anybody.
    #[error("{0} subjects; signal that subjects share needs at least 2")]
    TooFewSubjects(usize),
    /// Subjects saw different numbers of stimuli, or values and trials differ in number.
    #[error("subject {subject} has {found} {what}, but {expected} are expected")]
    Shape {
        /// Which subject, from 0.
        subject: usize,
        /// How many there have to be.
        expected: usize,
        /// How many there are.
        found: usize,
        /// `stimuli` or `values`.
        what: &'static str,
    },
    /// Variance over stimuli needs some.
    #[error("{0} stimuli; components of variance need at least 3")]
    TooFewStimuli(usize),
    /// Noise shows in repeats alone.
    #[error("subject {subject} saw none of {stimuli} stimuli twice; trial noise is told from signal by repeats")]
    NoRepeats {
        /// Which subject, from 0.
        subject: usize,
        /// Its stimuli.
        stimuli: usize,
    },
    /// A subject's values that are not finite, or all equal.
    #[error("the responses of subject {subject} are unusable: {reason}")]
    Unusable {
        /// Which subject, from 0.
        subject: usize,
        /// `nan_input` or `constant`.
        reason: Reason,
    },
}

/// Variances of single responses.
///
/// They are unbiased estimates, so that one that is 0 may come out below 0; nothing is clipped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Components {
    /// Of the subjects' means. In no ceiling: correlations do not see it.
    pub subject: f64,
    /// Of the stimuli's signal that subjects share.
    pub shared: f64,
    /// Of the signal that is a subject's own.
    pub own: f64,
    /// Of single trials around a subject's signal.
    pub noise: f64,
}

impl Components {
    /// Each by its name.
    pub fn named(&self) -> [(&'static str, f64); 4] {
        [("subject", self.subject), ("shared", self.shared), ("own", self.own), ("noise", self.noise)]
    }

    /// Reliability of a subject's averages over `n_repeats` trials: bounds **r²** within the subject.
    ///
    /// `(shared + own) / (shared + own + noise / n_repeats)`; `NaN` outside the domain of [`spearman_brown`].
    ///
    /// ```
    /// let found = reliability::Components { subject: 0.0, shared: 0.5, own: 0.5, noise: 2.0 };
    /// assert_eq!((found.reliability(1.0), found.reliability(2.0)), (1.0 / 3.0, 0.5));
    /// ```
    pub fn reliability(&self, n_repeats: f64) -> f64 {
        let (signal, total) = (self.shared + self.own, self.shared + self.own + self.noise);
        if total > 0.0 { spearman_brown(signal / total, n_repeats) } else { f64::NAN }
    }

    /// Expected correlation of a subject's averages over `n_repeats` trials with the mean of the `n_subjects - 1`
    /// others: to be compared with a model's **r**.
    ///
    /// With `u = own + noise / n_repeats` it is `shared / sqrt((shared + u) (shared + u / (n_subjects - 1)))`. `NaN`
    /// where negative estimates leave no variance, or less than `shared`.
    ///
    /// ```
    /// let found = reliability::Components { subject: 0.0, shared: 1.0, own: 0.5, noise: 1.0 };
    /// assert!((found.leave_one_out(2, 2.0) - 0.5).abs() < 1e-15); // two people: 1 / (1 + 1)
    /// assert!((found.leave_one_out(5, 2.0) - 1.0 / f64::sqrt(2.0 * 1.25)).abs() < 1e-15);
    /// ```
    pub fn leave_one_out(&self, n_subjects: usize, n_repeats: f64) -> f64 {
        let apart = self.own + self.noise / n_repeats;
        let (one, others) = (self.shared + apart, self.shared + apart / (n_subjects as f64 - 1.0));
        let r = self.shared / (one.sqrt() * others.sqrt());
        // Rounding apart: two subjects that are one have own = 0 within 1e-16 of shared.
        if one > 0.0 && others > 0.0 && r.abs() <= 1.0 + 1e-12 { bounded(r) } else { f64::NAN }
    }

    /// Repeats with which the root of the reliability is `wanted` (between 0 and 1, both excluded), unrounded:
    /// `w / (1 - w) noise / (shared + own)` with `w = wanted²`. `None` without signal.
    ///
    /// ```
    /// let found = reliability::Components { subject: 0.0, shared: 0.5, own: 0.5, noise: 2.0 };
    /// assert!((found.repeats_for(0.5_f64.sqrt()).unwrap() - 2.0).abs() < 1e-12);
    /// ```
    pub fn repeats_for(&self, wanted: f64) -> Option<f64> {
        repeats_for(wanted, self.reliability(1.0))
    }

    /// The `r_max` and the mean leave-one-out correlation that `n_studies` studies of this size would find, if signal
    /// and noise were normal: their spread is what the size of a study does to its result.
    ///
    /// Components below 0 are taken as 0. `r_max` is `NaN` with fewer than two repeats, and in a study whose
    /// reliability comes out below 0. The same for any number of threads.
    pub fn simulated(&self, study: Study, n_studies: usize, seed: u64) -> Vec<Found> {
        (0..n_studies).into_par_iter().map(|i| self.one_study(study, Draws::stream(seed, i as u64))).collect()
    }

    fn one_study(&self, study: Study, mut draws: Draws) -> Found {
        let Study { n_subjects, n_repeats, n_stimuli } = study;
        let sd = |variance: f64| variance.max(0.0).sqrt();
        let (shared, apart) = (sd(self.shared), sd(self.own.max(0.0) + self.noise / n_repeats));
        let mut spare = None;
        let mut normal = |draws: &mut Draws| match spare.take() {
            Some(value) => value,
            None => {
                let [one, other] = draws.normal_pair();
                spare = Some(other);
                one
            }
        };
        let signal: Vec<f64> = (0..n_stimuli).map(|_| shared * normal(&mut draws)).collect();
        let subjects: Vec<Vec<f64>> =
            (0..n_subjects).map(|_| signal.iter().map(|t| t + apart * normal(&mut draws)).collect()).collect();
        let total: Vec<f64> = (0..n_stimuli).map(|s| subjects.iter().map(|x| x[s]).sum()).collect();
        let of_others = |x: &Vec<f64>| -> f64 {
            // The sum of the others correlates as their mean does.
            pearson(x, &total.iter().zip(x).map(|(total, own)| total - own).collect::<Vec<f64>>())
        };
        let leave_one_out = mean(&subjects.iter().map(of_others).collect::<Vec<f64>>());
        let df = (n_subjects * n_stimuli) as f64 * (n_repeats - 1.0);
        let root = if df > 0.0 {
            let noise = self.noise.max(0.0) * draws.gamma(df / 2.0) / (df / 2.0);
            let of_means = mean(&subjects.iter().map(|x| variance(x)).collect::<Vec<f64>>());
            r_max(1.0 - noise / n_repeats / of_means).0
        } else {
            f64::NAN
        };
        Found { r_max: root, leave_one_out }
    }
}

/// [`Components::repeats_for`] from the reliability of one trial.
pub fn repeats_for(wanted: f64, of_one_trial: f64) -> Option<f64> {
    let reliability = wanted * wanted;
    let needed = reliability / (1.0 - reliability) * (1.0 - of_one_trial) / of_one_trial;
    (of_one_trial > 0.0 && needed.is_finite()).then_some(needed.max(0.0))
}

/// The size of a study.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Study {
    /// Subjects, the one that is compared with the others included.
    pub n_subjects: usize,
    /// Presentations of every stimulus, or what they amount to where they are unequal: `1 / mean(1 / n)`.
    pub n_repeats: f64,
    /// Stimuli.
    pub n_stimuli: usize,
}

/// What a simulated study measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Root of the reliability of the subjects' averages.
    pub r_max: f64,
    /// Mean over subjects of the correlation with the mean of the others.
    pub leave_one_out: f64,
}

/// What a bootstrap draws with replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// Subjects.
    Subjects,
    /// Stimuli.
    Stimuli,
    /// Both, crossed.
    Both,
}

/// One response profile per subject, by stimulus: all that the components need of the trials.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells {
    /// Subjects x stimuli: mean over presentations.
    means: Array2<f64>,
    /// Subjects x stimuli: sum of squares around it.
    squares: Array2<f64>,
    /// Subjects x stimuli: presentations.
    counts: Array2<f64>,
}

impl Cells {
    /// Of one value per trial and subject (a profile: means over voxels); stimulus s of the repeats is the same one for
    /// all subjects. Repeats may be unequal, but each subject needs some.
    pub fn new(subjects: &[(&[f64], &Repeats)]) -> Result<Cells, DesignError> {
        let n_stimuli = subjects.first().map_or(0, |(_, repeats)| repeats.n_stimuli());
        if subjects.len() < 2 {
            return Err(DesignError::TooFewSubjects(subjects.len()));
        }
        if n_stimuli < 3 {
            return Err(DesignError::TooFewStimuli(n_stimuli));
        }
        let zeros = || Array2::zeros((subjects.len(), n_stimuli));
        let mut cells = Cells { means: zeros(), squares: zeros(), counts: zeros() };
        for (subject, (values, repeats)) in subjects.iter().enumerate() {
            let sizes = [("stimuli", n_stimuli, repeats.n_stimuli()), ("values", repeats.n_rows(), values.len())];
            if let Some(&(what, expected, found)) = sizes.iter().find(|(_, expected, found)| expected != found) {
                return Err(DesignError::Shape { subject, expected, found, what });
            }
            if let Some(reason) = Reason::of(values) {
                return Err(DesignError::Unusable { subject, reason });
            }
            if repeats.most() < 2 {
                return Err(DesignError::NoRepeats { subject, stimuli: n_stimuli });
            }
            for s in 0..n_stimuli {
                let shown: Vec<f64> = repeats.rows_of(s).iter().map(|&row| values[row]).collect();
                let centre = mean(&shown);
                cells.means[(subject, s)] = centre;
                cells.squares[(subject, s)] = shown.iter().map(|v| (v - centre).powi(2)).sum();
                cells.counts[(subject, s)] = shown.len() as f64;
            }
        }
        Ok(cells)
    }

    /// Subjects.
    pub fn n_subjects(&self) -> usize {
        self.means.nrows()
    }

    /// Stimuli.
    pub fn n_stimuli(&self) -> usize {
        self.means.ncols()
    }

    /// What the presentations amount to in averages: `1 / mean(1 / n)` over subjects and stimuli.
    pub fn n_repeats(&self) -> f64 {
        let first = self.counts[(0, 0)];
        match self.counts.iter().all(|n| *n == first) {
            // 1 / (1 / 3) summed and divided is not 3.
            true => first,
            false => self.counts.len() as f64 / self.counts.iter().map(|n| 1.0 / n).sum::<f64>(),
        }
    }

    /// The components of these responses, unbiased.
    ///
    /// `shared` is the mean covariance over stimuli of two subjects' averages, `shared + own` the mean variance of a
    /// subject's averages without the noise that is left in them, `noise` the mean over subjects of the pooled variance
    /// within stimuli. With equal repeats that is the analysis of variance; unequal repeats, and subjects that differ
    /// in noise, bias nothing.
    ///
    /// Searle, Casella & McCulloch (1992).
    pub fn components(&self) -> Components {
        let ones = |n: usize| vec![1.0; n];
        self.weighted(&ones(self.n_subjects()), &ones(self.n_stimuli()), self.n_stimuli() as f64 - 1.0)
    }

    /// The components of `n_boot` draws with replacement; `shared` is `NaN` in a draw of one subject alone. The same
    /// for any number of threads.
    ///
    /// Two copies of one subject are no pair of subjects: they share what is the subject's own, and the noise of its
    /// trials.
    pub fn resampled(&self, drawn: Drawn, n_boot: usize, seed: u64) -> Vec<Components> {
        let n = self.n_stimuli() as f64;
        let one = |i: usize| {
            let mut draws = Draws::stream(seed, i as u64);
            let mut weights = |n: usize, drawn: bool| {
                let mut weights = vec![if drawn { 0.0 } else { 1.0 }; n];
                (0..if drawn { n } else { 0 }).for_each(|_| weights[draws.below(n)] += 1.0);
                weights
            };
            let of_subjects = weights(self.n_subjects(), drawn != Drawn::Stimuli);
            let of_stimuli = weights(self.n_stimuli(), drawn != Drawn::Subjects);
            // A draw from n values has (n - 1) / n of their variance.
            let divisor = if drawn == Drawn::Subjects { n - 1.0 } else { (n - 1.0).powi(2) / n };
            self.weighted(&of_subjects, &of_stimuli, divisor)
        };
        (0..n_boot).into_par_iter().map(one).collect()
    }

    /// With a weight (how often it was drawn) for every subject and stimulus; `divisor` makes variances of sums of
    /// squares over stimuli.
    fn weighted(&self, subjects: &[f64], stimuli: &[f64], divisor: f64) -> Components {
        let (n_subjects, n_stimuli) = (subjects.iter().sum::<f64>(), stimuli.iter().sum::<f64>());
        let mut total = vec![0.0; stimuli.len()];
        // Over subjects: sums of weighted means and squares of means, of variances with weight and weight squared.
        let (mut sum, mut sum_of_squares, mut of_own, mut twice) = (0.0, 0.0, 0.0, 0.0);
        let (mut noise, mut noise_of_means) = (0.0, 0.0);
        let first = self.means[(0, 0)];
        for (i, &weight) in subjects.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            let (means, squares, counts) = (self.means.row(i), self.squares.row(i), self.counts.row(i));
            let over =
                |value: &dyn Fn(usize) -> f64| -> f64 { (0..stimuli.len()).map(|s| stimuli[s] * value(s)).sum() };
            let centre = over(&|s| means[s] - first) / n_stimuli;
            let spread = over(&|s| (means[s] - first - centre).powi(2)) / divisor;
            for (s, total) in total.iter_mut().enumerate() {
                *total += weight * (means[s] - first - centre);
            }
            let within = over(&|s| squares[s]) / over(&|s| counts[s] - 1.0);
            sum += weight * centre;
            sum_of_squares += weight * centre * centre;
            of_own += weight * spread;
            twice += weight * weight * spread;
            noise += weight * within;
            noise_of_means += weight * within * over(&|s| 1.0 / counts[s]) / n_stimuli;
        }
        // Sums over pairs of different subjects are those over all pairs without those of a subject and itself.
        let pairs = match n_subjects * n_subjects - subjects.iter().map(|w| w * w).sum::<f64>() {
            0.0 => f64::NAN,
            pairs => pairs,
        };
        let of_total = stimuli.iter().zip(&total).map(|(weight, total)| weight * total * total).sum::<f64>() / divisor;
        let shared = (of_total - twice) / pairs;
        let (noise, noise_of_means) = (noise / n_subjects, noise_of_means / n_subjects);
        let own = of_own / n_subjects - noise_of_means - shared;
        // Half the mean squared difference of two subjects' means; a subject and itself have none.
        let between = (n_subjects * sum_of_squares - sum * sum) / pairs;
        Components { subject: between - (own + noise_of_means) / n_stimuli, shared, own, noise }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trials of every subject, showing after showing; signal, noise and subjects' means are normal.
    fn study(truth: Components, n_subjects: usize, n_repeats: usize, n_stimuli: usize, seed: u64) -> Vec<Vec<f64>> {
        let mut draws = Draws::new(seed);
        let mut normal = |variance: f64| variance.sqrt() * draws.normal_pair()[0];
        let signal: Vec<f64> = (0..n_stimuli).map(|_| normal(truth.shared)).collect();
        (0..n_subjects)
            .map(|_| {
                let centre = 100.0 + normal(truth.subject);
                let own: Vec<f64> = signal.iter().map(|t| centre + t + normal(truth.own)).collect();
                (0..n_repeats * n_stimuli).map(|row| own[row % n_stimuli] + normal(truth.noise)).collect()
            })
            .collect()
    }

    fn cells(trials: &[Vec<f64>], n_stimuli: usize) -> Cells {
        let ids: Vec<usize> = (0..trials[0].len()).map(|row| row % n_stimuli).collect();
        let repeats = Repeats::by_id(&ids);
        Cells::new(&trials.iter().map(|x| (x.as_slice(), &repeats)).collect::<Vec<_>>()).unwrap()
    }

    const TRUTH: Components = Components { subject: 3.0, shared: 0.6, own: 0.4, noise: 2.0 };

    #[test]
    fn the_analysis_of_variance_written_out() {
        let (s, r, n) = (4, 3, 7);
        let trials = study(TRUTH, s, r, n, 1);
        let y = |i: usize, k: usize, p: usize| trials[i][k * n + p];
        let cell = |i: usize, p: usize| (0..r).map(|k| y(i, k, p)).sum::<f64>() / r as f64;
        let row = |i: usize| (0..n).map(|p| cell(i, p)).sum::<f64>() / n as f64;
        let column = |p: usize| (0..s).map(|i| cell(i, p)).sum::<f64>() / s as f64;
        let grand = (0..s).map(row).sum::<f64>() / s as f64;
        let (sf, rf, nf) = (s as f64, r as f64, n as f64);
        let (mut ms_noise, mut ms_own) = (0.0, 0.0);
        for i in 0..s {
            for p in 0..n {
                ms_own += rf * (cell(i, p) - row(i) - column(p) + grand).powi(2) / ((sf - 1.0) * (nf - 1.0));
                for k in 0..r {
                    ms_noise += (y(i, k, p) - cell(i, p)).powi(2) / (sf * nf * (rf - 1.0));
                }
            }
        }
        let ms_shared = (0..n).map(|p| sf * rf * (column(p) - grand).powi(2) / (nf - 1.0)).sum::<f64>();
        let ms_subject = (0..s).map(|i| nf * rf * (row(i) - grand).powi(2) / (sf - 1.0)).sum::<f64>();
        let found = cells(&trials, n).components();
        for (found, expected) in [
            (found.noise, ms_noise),
            (found.own, (ms_own - ms_noise) / rf),
            (found.shared, (ms_shared - ms_own) / (sf * rf)),
            (found.subject, (ms_subject - ms_own) / (nf * rf)),
        ] {
            assert!((found - expected).abs() < 1e-11, "{found} {expected}");
        }
    }

    #[test]
    fn estimates_are_unbiased_with_equal_and_unequal_repeats() {
        // The standard error of the mean over 2000 studies is about .004; of the subjects' means, whose variance is 3
        // over five subjects, .05.
        let n_studies = 2000;
        let (mut equal, mut unequal) = ([0.0; 4], [0.0; 4]);
        let ids: Vec<usize> = (0..50).chain(0..40).chain(0..20).collect();
        let repeats = Repeats::by_id(&ids);
        for seed in 0..n_studies {
            let trials = study(TRUTH, 5, 3, 50, seed);
            let some: Vec<Vec<f64>> = trials.iter().map(|x| [&x[..50], &x[50..90], &x[100..120]].concat()).collect();
            let cut = Cells::new(&some.iter().map(|x| (x.as_slice(), &repeats)).collect::<Vec<_>>()).unwrap();
            for (sums, found) in [(&mut equal, cells(&trials, 50).components()), (&mut unequal, cut.components())] {
                for (sum, value) in sums.iter_mut().zip([found.shared, found.own, found.noise, found.subject]) {
                    *sum += value / n_studies as f64;
                }
            }
        }
        for found in [equal, unequal] {
            for (found, expected) in found.iter().zip([0.6, 0.4, 2.0]) {
                assert!((found - expected).abs() < 0.01, "{found} {expected}");
            }
            assert!((found[3] - 3.0).abs() < 0.15, "{}", found[3]);
        }
    }

    #[test]
    fn expected_ceilings_are_those_of_simulated_studies() {
        // A correlation over 400 stimuli is biased by about r / 800.
        for study in [
            Study { n_subjects: 2, n_repeats: 1.0, n_stimuli: 400 },
            Study { n_subjects: 6, n_repeats: 3.0, n_stimuli: 400 },
        ] {
            let found = TRUTH.simulated(study, 300, 1);
            let of = |value: fn(&Found) -> f64| mean(&found.iter().map(value).collect::<Vec<_>>());
            let expected = TRUTH.leave_one_out(study.n_subjects, study.n_repeats);
            assert!((of(|f| f.leave_one_out) - expected).abs() < 0.005, "{study:?}");
            match study.n_repeats > 1.0 {
                true => assert!((of(|f| f.r_max) - TRUTH.reliability(study.n_repeats).sqrt()).abs() < 0.005),
                false => assert!(found.iter().all(|f| f.r_max.is_nan())),
            }
            assert!(found.iter().zip(TRUTH.simulated(study, 300, 1)).all(|(a, b)| a.leave_one_out == b.leave_one_out));
        }
    }

    #[test]
    fn a_draw_of_everything_once_is_the_estimate_and_copies_are_no_pairs() {
        let trials = study(TRUTH, 3, 2, 30, 4);
        let all = cells(&trials, 30);
        let ones = vec![1.0; 30];
        // Subject 1 twice and subject 2 not at all: the shared variance is the covariance of 0 and 1.
        let found = all.weighted(&[1.0, 2.0, 0.0], &ones, 29.0);
        let pair = cells(&trials[..2], 30).components();
        assert!((found.shared - pair.shared).abs() < 1e-12 && (found.subject - pair.subject).abs() < 0.3);
        assert!(all.weighted(&[3.0, 0.0, 0.0], &ones, 29.0).shared.is_nan());
        let draws = all.resampled(Drawn::Both, 50, 3);
        assert_eq!(format!("{draws:?}"), format!("{:?}", all.resampled(Drawn::Both, 50, 3)));
        // On average a draw of stimuli has the variances of the stimuli.
        let stimuli = all.resampled(Drawn::Stimuli, 4000, 0);
        let signal = |c: &Components| c.shared + c.own;
        let of_draws = mean(&stimuli.iter().map(signal).collect::<Vec<_>>());
        assert!((of_draws - signal(&all.components())).abs() < 0.02);
    }

    #[test]
    fn numbers_outside_their_formulas_are_none() {
        let none = Components { subject: 1.0, shared: -0.2, own: 0.1, noise: 1.0 };
        assert!(none.reliability(2.0) < 0.0 && none.repeats_for(0.9).is_none());
        assert!(Components { own: -5.0, ..none }.reliability(1.0).is_nan());
        assert!(Components { own: -5.0, ..none }.leave_one_out(3, 1.0).is_nan());
        // own + noise / 100 below 0: a correlation above 1
        assert!(Components { shared: 1.0, own: -0.1, ..none }.leave_one_out(3, 100.0).is_nan());
        let noiseless = Components { subject: 0.0, shared: 1.0, own: 0.0, noise: 0.0 };
        assert_eq!((noiseless.leave_one_out(3, 1.0), noiseless.repeats_for(0.9)), (1.0, Some(0.0)));
    }

    #[test]
    fn unusable_studies_say_why() {
        let ids = |n: usize| Repeats::by_id(&(0..2 * n).map(|row| row % n).collect::<Vec<_>>());
        let (three, four, once) = (ids(3), ids(4), Repeats::by_id(&[0, 1, 2]));
        let x = [1.0, 2.0, 4.0, 3.0, 1.0, 7.0];
        let error = |subjects: &[(&[f64], &Repeats)]| Cells::new(subjects).unwrap_err();
        assert_eq!(error(&[(&x, &three)]), DesignError::TooFewSubjects(1));
        let what = "stimuli";
        assert_eq!(error(&[(&x, &three), (&x, &four)]), DesignError::Shape { subject: 1, expected: 3, found: 4, what });
        assert_eq!(error(&[(&x, &three), (&x[..3], &once)]), DesignError::NoRepeats { subject: 1, stimuli: 3 });
        assert_eq!(error(&[(&x[..4], &ids(2)), (&x[..4], &ids(2))]), DesignError::TooFewStimuli(2));
        let constant = DesignError::Unusable { subject: 1, reason: Reason::Constant };
        assert_eq!(error(&[(&x, &three), (&[2.0; 6], &three)]), constant);
    }
}
