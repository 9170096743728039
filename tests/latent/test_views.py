# SPDX-License-Identifier: GPL-3.0-or-later
"""Lower bounds of distances between heads that are known by several views."""

import numpy as np
import pytest

from facegen_addon.latent.sphere import cosine_distance, cosine_distance_matrix, normalise
from facegen_addon.latent.views import DEVIATIONS, lower_bounds


def _heads(rng: np.random.Generator, count: int, views: int, noise: float) -> np.ndarray:
    middles = rng.standard_normal((count, 1, 64))
    return normalise(middles + noise * rng.standard_normal((count, views, 64)))


def test_of_one_view_it_is_the_distance(rng: np.random.Generator) -> None:
    heads = normalise(rng.standard_normal((6, 1, 64)))
    expected = cosine_distance_matrix(heads[0], heads[1:, 0])[0]
    np.testing.assert_array_equal(lower_bounds(heads[0], heads[1:]), expected)
    assert lower_bounds(heads[0], heads[:0]).shape == (0,)


def test_of_equal_views_it_is_the_distance(rng: np.random.Generator) -> None:
    heads = np.repeat(normalise(rng.standard_normal((3, 1, 64))), 5, axis=1)
    expected = cosine_distance(heads[0, 0], heads[1:, 0])
    np.testing.assert_allclose(lower_bounds(heads[0], heads[1:]), expected, atol=1e-7)


def test_new_views_are_rarely_nearer(rng: np.random.Generator) -> None:
    heads = _heads(rng, 60, 20, 0.4)
    bounds = np.array([lower_bounds(head[:9], heads[:, :9]) for head in heads])
    fresh = np.array([cosine_distance_matrix(heads[:, k], heads[:, k + 1]) for k in range(9, 19)])
    pairs = ~np.eye(60, dtype=bool)
    assert 0.005 < (fresh < bounds)[:, pairs].mean() < 0.05


def test_what_draws_all_heads_together_counts() -> None:
    """Each in its own way they are far apart; all seen in one dark light they are alike."""
    first = np.array([[1.0, 0.0, 0.0], [0.1, 0.0, 1.0]])
    second = np.array([[0.0, 1.0, 0.0], [0.0, 0.1, 1.0]])
    (bound,) = lower_bounds(normalise(first), normalise(second)[None])
    alike = 1.0 - np.sum(normalise(first) * normalise(second), axis=1)
    assert bound == pytest.approx(max(0.0, alike.mean() - DEVIATIONS * alike.std()))
    assert bound < 0.1


def test_many_are_compared_in_parts(rng: np.random.Generator) -> None:
    heads = _heads(rng, 300, 2, 0.1)
    whole = lower_bounds(heads[0], heads[1:])
    np.testing.assert_allclose(whole[270], lower_bounds(heads[0], heads[271:272])[0], atol=1e-12)
