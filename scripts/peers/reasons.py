"""Why numbers of ours differ from a peer's and why its tests then fail: (patterns), who is right, why.

Patterns of a disagreement are searched in the function, the test and the numbers; of a test in the peer, the test and pytest's message.
The first that fit count. What fits none is an error of check-peers.py: find out who is wrong before a line is written here.
"""

NO_SPREAD = "a sample without spread has no t: ours is NaN with the reason `constant`, SciPy's the quotient by 0, infinite or NaN by the sign of what is above"
LAST_BITS = "the test asks for the same bits of two ways to one number; ours and SciPy's differ in the last"
CONSTANT_R2 = "R2 of a constant response is 0 / 0: NaN with the reason `constant`; scikit-learn's is 0 or 1 by convention (force_finite)"
SINGULAR = ("a model whose ranks are those of the data leaves nothing to correlate: ours is NaN, `explained_by_controls`, and 1 (to rounding) for that model itself; "
            "the peer inverts a singular matrix with `pinv` and finds -1 and .89, which its test then asks for")

DISAGREEMENTS = [
    (("scipy.stats.ttest", "", "NaN against a number|infinite"), "both", NO_SPREAD),
    (("pearsonr", "near_constant", "NaN against"), "both", "values that are equal but for 8 units of the last place are constant to us; SciPy correlates the rounding and warns"),
    (("_partial_correlation", "TestPartialCorrelation::test_basic", ""), "ours", SINGULAR),
    (("calc_rdm_poisson_cv", "", ""), "ours", "rsatoolbox returns its last fold alone (the loop overwrites the result); ours is the mean over folds"),
    (("r2_score", "", "NaN against"), "both", CONSTANT_R2),
    (("PLSRegression", "constant_y", "NaN against"), "both", "a constant response is not fitted: NaN with the reason `constant`; scikit-learn's weights are 0"),
    (("Ridge.fit", "float32", ""), "ours", "scikit-learn solves the normal equations in f4; ours is the same sum in f8"),
]

FAILURES = [
    (("SciPy", "ttest|Student|TTest", "nan|NaN|inf"), "both", NO_SPREAD),
    (("SciPy", "test_length_two_neg1|test_omit_paired_value", "equal"), "both", LAST_BITS),
    (("SciPy", "test_permutation_method|test_monte_carlo_method", "equal"), "both", LAST_BITS),
    (("MNE-RSA", "TestPartialCorrelation::test_basic", ""), "ours", SINGULAR),
    (("scikit-learn", "test_regression.py", "nan|NaN"), "both", CONSTANT_R2),
]
