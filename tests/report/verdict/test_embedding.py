"""The plane of principal components, against scikit-learn."""

import numpy as np
from sklearn.decomposition import PCA

from modelprint.report.verdict.embedding import plane_of


def test_the_plane_is_that_of_scikit_learns_pca():
    points = np.random.default_rng(1).normal(size=(37, 64)) * np.linspace(3, 0.1, 64)
    theirs = PCA(2, svd_solver="full").fit_transform(points)
    ours = plane_of(points)
    signs = np.sign((ours * theirs).sum(axis=0))
    np.testing.assert_allclose(ours, theirs * signs, atol=1e-9)


def test_a_single_point_or_equal_points_still_have_a_place():
    assert plane_of(np.ones((1, 4))).tolist() == [[0, 0]]
    assert np.abs(plane_of(np.ones((3, 4)))).max() == 0
