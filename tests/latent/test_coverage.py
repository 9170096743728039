# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage: curves that only fall, choices that gain most, clusters that are found again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegen_addon.errors import UserError
from facegen_addon.latent.coverage import (
    clusters,
    coverage_curve,
    greedy_cover,
    group_coverage,
    heads_needed,
    neighbourhood_middles,
)
from facegen_addon.latent.sphere import cosine_distance_matrix, normalise

seeds = st.integers(0, 2**32 - 1)


def cloud(seed: int, count: int, size: int = 6) -> np.ndarray:
    return normalise(np.random.default_rng(seed).standard_normal((count, size)))


@given(seeds, st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_more_heads_never_cover_worse(seed: int, count: int) -> None:
    people, heads = cloud(seed, 30), cloud(seed + 1, count)
    curve = coverage_curve(people, heads, np.arange(1, count + 1))
    assert (np.diff(curve.mean) <= 1e-12).all() and (np.diff(curve.quantile90) <= 1e-12).all()
    assert curve.mean[-1] == pytest.approx(cosine_distance_matrix(people, heads).min(1).mean())
    assert heads_needed(curve, curve.mean[-1]) <= count
    assert heads_needed(curve, curve.mean[-1] - 1e-3) is None


@pytest.mark.parametrize("count", [0, 4])
def test_a_curve_knows_no_heads_that_are_not_there(count: int) -> None:
    with pytest.raises(ValueError, match=str(count)):
        coverage_curve(cloud(0, 5), cloud(1, 3), [count])


@given(seeds, st.integers(1, 9), st.booleans())
@settings(max_examples=60, deadline=None)
def test_each_choice_gains_most(seed: int, count: int, some_there: bool) -> None:
    """The lazy choice is the plain greedy one, gain by gain."""
    distances = cosine_distance_matrix(cloud(seed, 25), cloud(seed + 1, 9))
    covered = np.full(25, 0.8 if some_there else np.inf)
    left = np.minimum(covered, 2.0)
    for taken in greedy_cover(distances, covered, count):
        gains = np.maximum(left[:, None] - distances, 0).sum(axis=0)
        assert gains[taken] == pytest.approx(gains.max())
        left = np.minimum(left, distances[:, taken])


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_greedy_gains_at_least_63_percent_of_the_best(seed: int) -> None:
    distances = cosine_distance_matrix(cloud(seed, 15), cloud(seed + 1, 8))

    def gain(chosen: tuple[int, ...] | np.ndarray) -> float:
        return float((2.0 - distances[:, list(chosen)].min(axis=1)).sum())

    best = max(gain(chosen) for chosen in itertools.combinations(range(8), 3))
    assert gain(greedy_cover(distances, np.full(15, np.inf), 3)) >= (1 - 1 / np.e) * best


def test_what_is_too_near_comes_last() -> None:
    people = cloud(0, 40)
    candidates = np.concatenate([people[:3], people[:3]])
    distances = cosine_distance_matrix(people, candidates)
    twins = cosine_distance_matrix(candidates) < 0.01
    order = greedy_cover(distances, np.full(40, np.inf), 6, lambda taken: twins[taken])
    assert set(order[:3] % 3) == {0, 1, 2}
    assert sorted(order) == list(range(6))


def test_no_head_is_no_number_of_heads() -> None:
    with pytest.raises(UserError, match="count 0"):
        greedy_cover(np.ones((2, 2)), np.ones(2), 0)


def test_middles_lie_among_their_neighbours() -> None:
    latents = cloud(3, 20)
    np.testing.assert_allclose(neighbourhood_middles(latents, 1), latents, atol=1e-12)
    everybody = normalise(latents.mean(axis=0))
    np.testing.assert_allclose(
        neighbourhood_middles(latents, 99), np.tile(everybody, (20, 1)), atol=1e-12
    )


def test_clusters_are_found_again_and_the_largest_comes_first() -> None:
    rng = np.random.default_rng(5)
    groups = [normalise(axis + 0.1 * rng.standard_normal((n, 8)))
              for axis, n in zip(np.eye(8)[:3], (5, 30, 12), strict=True)]  # fmt: skip
    latents = np.concatenate(groups)
    found = clusters(latents, 3)
    assert found.sizes.tolist() == [30, 12, 5]
    assert [set(part) for part in np.split(found.labels, [5, 35])] == [{2}, {0}, {1}]
    np.testing.assert_allclose(found.centres[0], normalise(groups[1].mean(axis=0)), atol=1e-12)
    again = clusters(latents, 3)
    assert again.labels.tobytes() == found.labels.tobytes()


@given(seeds, st.integers(1, 6), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_every_latent_is_in_the_cluster_of_its_nearest_centre(
    seed: int, count: int, latents: int
) -> None:
    points = cloud(seed, latents)
    found = clusters(points, count)
    assert 1 <= len(found.centres) <= min(count, latents)
    assert found.sizes.sum() == latents and found.sizes.min() > 0
    nearest = cosine_distance_matrix(points, found.centres)
    own = nearest[np.arange(latents), found.labels]
    np.testing.assert_allclose(own, nearest.min(axis=1), atol=1e-9)


def test_nobody_has_no_clusters() -> None:
    assert len(clusters(np.zeros((0, 4)), 3).centres) == 0


def test_the_worst_covered_group_comes_first() -> None:
    """By power of its mean: many people nearby count less than few far off."""
    distances = np.array([[0.5, 1.0], [0.5, 1.0], [0.5, 1.0], [1.0, 0.7]])
    covered = np.array([0.8, 0.8, 0.8, 1.0])
    assert greedy_cover(distances, covered, 1).tolist() == [0]
    assert greedy_cover(distances, covered, 1, groups=np.array([0, 0, 0, 1])).tolist() == [1]


def test_groups_gains_are_never_weighed_too_low(rng: np.random.Generator) -> None:
    """Choices are those of weighing all candidates every time."""
    distances, groups = rng.uniform(0.2, 1.2, (60, 25)), rng.integers(0, 4, 60)
    left = rng.uniform(0.5, 1.5, 60)
    chosen = greedy_cover(distances, left, 6, groups=groups)
    for taken in chosen:
        costs = [
            sum(np.minimum(left, distances[:, c])[groups == g].mean() ** 16 for g in range(4))
            for c in range(25)
        ]
        assert np.isclose(costs[taken], min(costs))
        left = np.minimum(left, distances[:, taken])


def test_coverage_by_group() -> None:
    people, heads = np.eye(4)[[0, 1, 2]], np.eye(4)[[0, 3]]
    found = group_coverage(people, np.array([0, 0, 2]), heads)
    assert found[:1].tolist() == [0.5] and np.isnan(found[1]) and found[2] == 1.0
