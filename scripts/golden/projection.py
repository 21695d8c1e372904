"""Principal components and sizes of random projections: scikit-learn.

testdata/golden/projection/rows.npy         12 x 30 (f8); column 3 has a large mean and variance
testdata/golden/projection/components.npy   the first 6 principal components, 6 x 30
testdata/golden/projection/scores.npy       the rows on them, 12 x 6
testdata/golden/projection/sizes.json       explained variances and ratios; Johnson-Lindenstrauss sizes by n and eps; standard
                                            deviation of SparseRandomProjection's entries that are not 0, by width and components
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.random_projection import SparseRandomProjection, johnson_lindenstrauss_min_dim

from golden.files import random


def make(testdata):
    rows = random(40).normal(size=(12, 30))
    rows[:, 3] = rows[:, 3] * 20 + 1000
    pca = PCA(6, svd_solver="full").fit(rows)
    testdata.array("golden/projection/rows.npy", rows)
    testdata.array("golden/projection/components.npy", pca.components_)
    testdata.array("golden/projection/scores.npy", pca.transform(rows))
    sizes = [(n, eps) for n in (2, 10, 100, 1584, 100_000) for eps in (0.05, 0.1, 0.3, 0.5, 0.9)]
    entries = []
    for width, n in ((100, 7), (4000, 60), (200_704, 5)):
        projection = SparseRandomProjection(n, random_state=1).fit(np.zeros((2, width)))
        values = np.unique(np.abs(projection.components_.data))
        assert len(values) == 1
        entries.append([width, n, float(projection.density_), float(values[0])])
    testdata.json(
        "golden/projection/sizes.json",
        {
            "explained_variance": pca.explained_variance_.tolist(),
            "explained_variance_ratio": pca.explained_variance_ratio_.tolist(),
            "johnson_lindenstrauss": [[n, eps, int(johnson_lindenstrauss_min_dim(n, eps=eps))] for n, eps in sizes],
            "entries": entries,
        },
    )
