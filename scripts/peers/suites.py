"""Which tests of which peer are run. A new verb needs a line here only where no test listed calls what it replaces."""

from dataclasses import dataclass, field


@dataclass
class Suite:
    name: str
    # What pip calls it, and what Python does.
    distribution: str
    package: str
    # The module of scripts/peers that replaces its functions.
    adapters: str
    tests: list
    # pytest's -k: tests of functions that we have nothing for cost time and say nothing.
    select: str = ""
    # The folder of its source archive under build/peers-tests; empty: the wheel has the tests.
    archive: str = ""
    options: list = field(default_factory=list)
    note: str = ""
    # Why tests fail that have nothing of ours in them.
    theirs: str = ""


SUITES = [
    Suite(
        "SciPy", "scipy", "scipy", "of_scipy",
        ["spatial/tests/test_distance.py", "spatial/tests/test__procrustes.py", "cluster/tests/test_hierarchy.py", "stats/tests/test_stats.py",
         "stats/tests/test_rank.py", "stats/tests/test_correlation.py"],
        select="test_distance or procrustes or hierarchy or Pearson or Spearman or kendall or Kendall or ttest or TTest or Student or Zscore or RankData or RankSums",
        note="Tests of distances, Procrustes, hierarchical clustering, correlations, t tests, z scores and ranks, out of its wheel.",
    ),
    Suite(
        "scikit-learn", "scikit-learn", "sklearn", "of_sklearn",
        ["linear_model/tests/test_ridge.py", "linear_model/tests/test_base.py", "cross_decomposition/tests/test_pls.py", "manifold/tests/test_classical_mds.py",
         "metrics/tests/test_regression.py"],
        select="not sparse and not classifier and not sag and not lsqr and not lbfgs and not positive and not array_api and not gcv and not cholesky_kernel and not RidgeCV and not ridge_cv and not wide_X",
        note="Tests of ridge, least squares, partial least squares, classical scaling and R2, out of its wheel. KFold is not replaced: `encode` deals folds "
        "(`--fold-order contiguous`) and writes no table of them.",
    ),
    Suite(
        "rsatoolbox", "rsatoolbox", "rsatoolbox", "of_rsatoolbox",
        [f"tests/test_{name}.py" for name in ("calc_rdm", "calc_unbalanced", "compare_rdm", "crossval", "inference", "model", "noise_ceiling", "rdm",
                                              "rdms_combine", "searchlight", "util_matrix", "util_rdm")],
        archive="rsatoolbox-0.0.4",
        note="Its own tests as its source archive 0.0.4 (2021) has them, the last that does, against the release of today.",
        theirs="functions that were renamed or have changed since the tests were shipped",
    ),
    Suite(
        "MNE-RSA", "mne-rsa", "mne_rsa", "of_mne_rsa", ["tests/test_rdm.py", "tests/test_rsa.py", "tests/test_folds.py", "tests/test_searchlight.py"],
        archive="mne_rsa-1.0", note="Tests out of its source archive; those of sensors, sources and plots are left out (they need more of MNE).",
    ),
]
