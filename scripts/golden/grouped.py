"""Bootstraps and ceilings in which people have several RDMs and stimuli are drawn by category: rsatoolbox with descriptors.

testdata/golden/grouped/models.npy      2 model RDMs x 55 (11 stimuli)
testdata/golden/grouped/subjects.npy    7 subject RDMs x 55; the last is rounded to tenths (ties)
testdata/golden/grouped/values.json     people, category: the group of each RDM (three people of two, one of one) and of each stimulus
                                        subjects[draw][group], stimuli[draw][group]: how often each group was drawn
                                        folds, stimulus_folds: a fold of each RDM, of each stimulus
                                        comparison -> of the first six RDMs means[draw][model], ceiling[draw] (None where one person
                                        only was drawn), whole: boot_noise_ceiling by person; of all seven folds: cv_noise_ceiling,
                                        cells[fold][stimulus_fold]: the same of one fold and the stimuli of another
"""

import numpy as np
from rsatoolbox.inference import boot_noise_ceiling, cv_noise_ceiling
from rsatoolbox.rdm import RDMs, compare
from scipy.spatial.distance import pdist

from golden.files import random

METHODS = {"pearson": "corr", "spearman": "spearman", "kendall": "kendall", "tau-a": "tau-a", "rho-a": "rho-a", "cosine": "cosine", "corr_cov": "corr_cov", "cosine_cov": "cosine_cov"}


def of_people(vectors, people, category):
    return RDMs(vectors, rdm_descriptors={"person": list(people)}, pattern_descriptors={"kind": list(category)})


def draw(models, subjects, people, category, who, what, method):
    """One draw as eval_bootstrap makes it from the groups it drew."""
    who, what = (np.repeat(np.arange(len(often)), often) for often in (who, what))
    sample = of_people(subjects, people, category).subsample("person", who).subsample_pattern("kind", what)
    predictions = [of_people(m[None], [0], category).subsample_pattern("kind", what) for m in models]
    means = [np.mean(compare(p, sample, method)) for p in predictions]
    ceiling = boot_noise_ceiling(sample, method=method, rdm_descriptor="person") if len(set(who)) > 1 else (None, None)
    return means, ceiling


def cell(by_fold, fold, stimuli, method):
    """Bounds of one fold of RDMs over one fold of stimuli. Of the set of these stimuli alone: cv_noise_ceiling otherwise pools the
    upper bound over all stimuli and the lower one over those of the set."""
    part = by_fold.subset_pattern("index", list(stimuli))
    test = [[part.subset("fold", fold), list(stimuli)]]
    rest = [[part.subset("fold", [f for f in range(3) if f != fold]), list(stimuli)]]
    return cv_noise_ceiling(part, rest, test, method=method)


def make(testdata):
    rng = random(91)
    n = 11
    category = np.array([0, 0, 1, 2, 1, 2, 2, 3, 3, 0, 1])
    patterns = rng.normal(size=(n, 20)) + rng.normal(size=(4, 20))[category]
    truth = pdist(patterns, "correlation")
    models = np.stack([truth + rng.normal(0, 0.1, truth.size), pdist(rng.normal(size=(n, 4)))])
    people = np.array([0, 1, 0, 2, 1, 2, 3])
    own = [truth + rng.normal(0, 0.1, truth.size) for _ in range(4)]
    subjects = np.stack([0.2 + (1 + 0.2 * p) * own[p] + rng.normal(0, 0.1, truth.size) for p in people])
    subjects[6] = np.round(subjects[6], 1)
    who = [np.ones(3, int)] + [np.bincount(rng.integers(0, 3, 3), minlength=3) for _ in range(5)]
    what = [np.ones(4, int), np.array([2, 1, 1, 0])] + [np.bincount(rng.integers(0, 4, 4), minlength=4) for _ in range(4)]
    folds = np.array([0, 1, 1, 0, 2, 2, 0])
    kinds = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1])
    values = {"people": people, "category": category, "subjects": who, "stimuli": what, "folds": folds, "stimulus_folds": kinds}
    for ours, theirs in METHODS.items():
        made = [draw(models, subjects[:6], people[:6], category, s, p, theirs) for s, p in zip(who, what)]
        # Pools of people with unequal numbers of RDMs count RDMs there, people here.
        everybody = of_people(subjects[:6], people[:6], category)
        by_fold = RDMs(subjects, rdm_descriptors={"fold": list(folds)})
        test, rest = [], []
        for fold in range(3):
            test.append([by_fold.subset("fold", fold), np.arange(n)])
            rest.append([by_fold.subset("fold", [f for f in range(3) if f != fold]), np.arange(n)])
        values[ours] = {
            "means": [m for m, _ in made],
            "ceiling": [c for _, c in made],
            "whole": boot_noise_ceiling(everybody, method=theirs, rdm_descriptor="person"),
            "folds": cv_noise_ceiling(by_fold, rest, test, method=theirs),
            "cells": [[cell(by_fold, fold, np.flatnonzero(kinds == kind), theirs) for kind in range(3)] for fold in range(3)],
        }
    testdata.array("golden/grouped/models.npy", models)
    testdata.array("golden/grouped/subjects.npy", subjects)
    testdata.json("golden/grouped/values.json", values)
