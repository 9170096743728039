# SPDX-License-Identifier: GPL-3.0-or-later
"""Selection of mutually different latents: never too near, and as many as there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facegen_addon.errors import UserError
from facegen_addon.latent import selection
from facegen_addon.latent.sphere import cosine_distance_matrix, normalise

seeds = st.integers(0, 2**32 - 1)
demands = st.floats(0.01, 1.9)


def cloud(seed: int, count: int, size: int = 4, centre: float = 0.6) -> np.ndarray:
    return normalise(np.random.default_rng(seed).standard_normal((count, size)) + centre)


def closest_pair(distances: np.ndarray, indices: np.ndarray) -> float:
    pairs = itertools.combinations(indices, 2)
    return min((distances[i, j] for i, j in pairs), default=np.inf)


def largest_by_trying_all(distances: np.ndarray, minimum: float) -> int:
    for size in range(len(distances), 0, -1):
        for subset in itertools.combinations(range(len(distances)), size):
            if closest_pair(distances, np.array(subset)) >= minimum:
                return size
    return 0


@given(seeds, st.integers(0, 40), demands)
@settings(max_examples=60, deadline=None)
def test_selected_are_never_nearer_than_demanded(seed, count, minimum):
    distances = cosine_distance_matrix(cloud(seed, count)) if count else np.zeros((0, 0))
    greedy = selection.greedy_selection(distances, minimum)
    largest = selection.largest_selection(distances, minimum, effort=30)
    for chosen in (greedy, largest):
        assert closest_pair(distances, chosen) >= minimum
        assert len(set(chosen.tolist())) == len(chosen)
    assert min(count, 1) <= len(greedy) <= count
    assert len(largest) >= min(count, 1)


@given(seeds, st.integers(1, 9), st.floats(0.1, 1.6))
@settings(max_examples=40, deadline=None)
def test_the_largest_of_few_is_the_largest_there_is(seed, count, minimum):
    distances = cosine_distance_matrix(cloud(seed, count))
    found = selection.largest_selection(distances, minimum, effort=100)
    assert len(found) == largest_by_trying_all(distances, minimum)


@pytest.mark.parametrize("seed", range(4))
def test_a_hidden_set_is_found_that_greedy_misses(seed):
    # Thirty groups of three, mutually apart across groups; a bridge near two groups spoils greed.
    rng = np.random.default_rng(seed)
    near = np.kron(np.eye(30), np.ones((3, 3))).astype(bool)
    near = np.pad(near, ((30, 0), (30, 0)))
    for bridge in range(30):
        groups = rng.choice(30, 2, replace=False)
        for group in groups:
            members = slice(30 + 3 * group, 33 + 3 * group)
            near[bridge, members] = near[members, bridge] = True
    distances = np.where(near, 0.3, 0.9)
    np.fill_diagonal(distances, 0.0)
    assert len(selection.greedy_selection(distances, 0.5)) < 45
    largest = len(selection.largest_selection(distances, 0.5))
    assert largest >= 30
    order = rng.permutation(len(near))
    shuffled = selection.largest_selection(distances[np.ix_(order, order)], 0.5)
    assert len(shuffled) == largest


def test_local_search_gains_much_on_greed_among_four_hundred():
    latents = cloud(5, 400, size=40, centre=0.8)
    distances = cosine_distance_matrix(latents)
    greedy = selection.greedy_selection(distances, 0.51)
    largest = selection.largest_selection(distances, 0.51)
    assert len(largest) >= 1.2 * len(greedy)


def test_selection_is_the_same_every_time():
    distances = cosine_distance_matrix(cloud(3, 120, size=8))
    first = selection.largest_selection(distances, 0.5, seed=4)
    assert np.array_equal(first, selection.largest_selection(distances, 0.5, seed=4))


def test_a_start_is_never_made_worse_and_a_target_ends_the_search():
    distances = cosine_distance_matrix(cloud(3, 150, size=8))
    best = selection.largest_selection(distances, 0.4)
    again = selection.largest_selection(distances, 0.4, start=best, effort=0)
    assert len(again) >= len(best)
    early = selection.largest_selection(distances, 0.4, target=2)
    assert 2 <= len(early) <= len(best)


@given(seeds, st.integers(2, 8))
@settings(max_examples=30, deadline=None)
def test_largest_distance_of_few_is_the_largest_there_is(seed, count):
    latents = cloud(seed, 8)
    distances = cosine_distance_matrix(latents)
    best = max(
        closest_pair(distances, np.array(subset))
        for subset in itertools.combinations(range(8), count)
    )
    reached = selection.largest_distance(distances, count)
    assert reached.distance == best
    assert len(reached.indices) == count
    assert closest_pair(distances, reached.indices) == reached.distance


def test_largest_distance_of_one_and_of_too_many():
    distances = cosine_distance_matrix(cloud(0, 5))
    assert selection.largest_distance(distances, 1).distance == 2.0
    with pytest.raises(UserError, match="6 of 5"):
        selection.largest_distance(distances, 6)
    with pytest.raises(UserError, match="count 0"):
        selection.largest_distance(distances, 0)


def test_largest_distance_of_equal_latents_is_zero():
    assert selection.largest_distance(np.zeros((4, 4)), 3).distance == 0.0


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_capacity_never_grows_with_distance(seed):
    distances = np.random.default_rng(seed).permutation(np.linspace(0.2, 0.8, 13))
    counts = selection.capacity_curve(cloud(seed, 40), distances, effort=10)
    assert np.all(np.diff(counts[np.argsort(distances)]) <= 0)
    assert counts.min() >= 1


def test_capacity_of_known_points():
    # Angles 0, 30, ..., 330 degrees: neighbours at 1 - cos 30 = 0.134, next ones at 0.5.
    angles = np.radians(np.arange(0, 360, 30))
    latents = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert selection.capacity_curve(latents, [0.1, 0.2, 0.9, 1.2]).tolist() == [12, 6, 4, 3]


def test_farthest_points_are_the_naive_ones():
    latents = cloud(1, 20)
    distances = cosine_distance_matrix(latents)
    order = selection.farthest_point_order(latents)
    assert sorted(order.indices.tolist()) == list(range(20))
    for place in range(1, 20):
        taken = order.indices[:place]
        left = order.indices[place:]
        reach = distances[np.ix_(left, taken)].min(axis=1)
        assert order.distances[place] == pytest.approx(reach.max())
        assert reach[0] == pytest.approx(reach.max())


def test_farthest_points_keep_away_from_those_already_taken():
    latents = cloud(1, 20)
    order = selection.farthest_point_order(latents, 3, already=latents[:5])
    assert len(order.indices) == 3
    assert not set(order.indices.tolist()) & set(range(5))
    distances = cosine_distance_matrix(latents)
    assert order.distances[0] == pytest.approx(distances[5:, :5].min(axis=1).max())
    none = selection.farthest_point_order(np.zeros((0, 4)))
    assert len(none.indices) == len(none.distances) == 0


@pytest.mark.parametrize("minimum", [0.0, -0.1, 2.0, 7.0, float("nan"), float("inf")])
def test_a_distance_that_is_none_is_refused(minimum):
    distances = np.zeros((2, 2))
    for refuse in (
        lambda: selection.greedy_selection(distances, minimum),
        lambda: selection.largest_selection(distances, minimum),
        lambda: selection.capacity_curve(cloud(0, 3), [0.5, minimum]),
    ):
        with pytest.raises(UserError, match="between 0 and 2"):
            refuse()


def test_an_order_keeps_to_shares(rng: np.random.Generator) -> None:
    """However far apart some groups are: of each about its share, among the first of any number."""
    strata = np.stack([rng.integers(0, 2, 400), rng.integers(0, 3, 400)], axis=1)
    latents = normalise(rng.standard_normal((400, 8)) + 3 * (strata[:, :1] == 0))  # one crowds
    plain, kept = (
        selection.farthest_point_order(latents, 60, strata=s).indices for s in (None, strata)
    )
    assert np.mean(strata[plain, 0] == 0) < 0.3
    for number in (6, 30, 60):
        for column, share in zip(strata[kept[:number]].T, strata.T, strict=True):
            found = np.bincount(column, minlength=share.max() + 1)
            assert np.abs(found - number * np.bincount(share) / 400).max() < 1.6
    assert len(set(kept)) == 60


def test_one_group_is_ordered_as_ever(rng: np.random.Generator) -> None:
    latents = normalise(rng.standard_normal((50, 8)))
    expected = selection.farthest_point_order(latents)
    for strata in (np.zeros((50, 0), int), np.zeros((50, 2), int)):
        found = selection.farthest_point_order(latents, strata=strata)
        assert np.array_equal(found.indices, expected.indices)
        assert np.array_equal(found.distances, expected.distances)
