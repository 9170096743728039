# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures about latents, against naive references, closed forms and SciPy's matrix root."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import linalg, stats

from facegen_addon.latent import metrics
from facegen_addon.latent.sphere import cosine_distance_matrix, normalise

seeds = st.integers(0, 2**32 - 1)


def cloud(seed: int, count: int, size: int = 5, centre: float = 1.0) -> np.ndarray:
    return normalise(np.random.default_rng(seed).standard_normal((count, size)) + centre)


def naive_frechet(a: np.ndarray, b: np.ndarray) -> float:
    first, second = np.cov(a.T), np.cov(b.T)
    root = linalg.sqrtm(first @ second).real
    apart = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    return float(apart + np.trace(first + second - 2 * root))


@given(seeds)
def test_frechet_distance_agrees_with_scipy(seed):
    a, b = cloud(seed, 60), cloud(seed + 1, 30, centre=-0.5)
    assert metrics.frechet_distance(a, b) == pytest.approx(naive_frechet(a, b), rel=1e-6)


def test_frechet_distance_takes_moments_for_either_side():
    a, b = cloud(0, 60), cloud(1, 30)
    expected = metrics.frechet_distance(a, b)
    assert metrics.frechet_distance(metrics.moments(a), b) == pytest.approx(expected)
    assert metrics.frechet_distance(a, metrics.moments(b)) == pytest.approx(expected)
    assert metrics.frechet_distance(b, a) == pytest.approx(expected)


@pytest.mark.parametrize("rows", [3, 12, 60])
def test_frechet_to_is_frechet_distance(rows):
    rng = np.random.default_rng(rows)
    reference, latents = metrics.moments(rng.normal(size=(40, 20))), rng.normal(size=(rows, 20))
    expected = metrics.frechet_distance(reference, latents)
    assert metrics.frechet_to(reference)(latents) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_fewer_rows_than_axes_is_finite_and_zero_to_itself():
    few = cloud(0, 4, size=20)
    assert metrics.frechet_distance(few, few) == pytest.approx(0.0, abs=1e-6)


def test_frechet_distance_of_normals_that_share_axes_is_their_closed_form():
    a = metrics.Moments(np.zeros(2), np.diag([4.0, 1.0]))
    b = metrics.Moments(np.array([3.0, 0.0]), np.diag([1.0, 9.0]))
    assert metrics.frechet_distance(a, b) == pytest.approx(9.0 + 1.0 + 4.0)


def test_moments_with_equal_weights_are_the_plain_ones():
    a = cloud(0, 30)
    plain, weighted = metrics.moments(a), metrics.moments(a, np.full(30, 7.0))
    np.testing.assert_allclose(plain.covariance, np.cov(a.T))
    np.testing.assert_allclose(weighted.mean, plain.mean)
    np.testing.assert_allclose(weighted.covariance, plain.covariance)


def test_moments_of_one_latent_are_refused():
    with pytest.raises(ValueError, match="at least 2"):
        metrics.moments(cloud(0, 1))


def test_pairwise_distances_agree_with_all_pairs():
    a = cloud(0, 20)
    all_pairs = [1 - first @ second for first, second in itertools.combinations(a, 2)]
    figures = metrics.pairwise_distances(a)
    assert figures.minimum == pytest.approx(min(all_pairs))
    assert figures.median == pytest.approx(np.median(all_pairs))
    assert figures.quantile95 == pytest.approx(np.quantile(all_pairs, 0.95))
    with pytest.raises(ValueError, match="no pairs"):
        metrics.pairwise_distances(a[:1])


def test_nearest_neighbour_within_a_set_is_not_itself():
    a = cloud(0, 12)
    expected = [min(1 - a[i] @ a[j] for j in range(len(a)) if j != i) for i in range(len(a))]
    np.testing.assert_allclose(metrics.nearest_neighbour_distances(a), expected, atol=1e-12)
    np.testing.assert_allclose(metrics.nearest_neighbour_distances(a, a), 0.0, atol=1e-12)


def naive_coverage(of: np.ndarray, by: np.ndarray, k: int) -> float:
    """Share of `of` inside a ball around some member of `by`, to its k-th nearest other one."""
    inside = 0
    for point in of:
        for index, centre in enumerate(by):
            others = sorted(1 - centre @ other for j, other in enumerate(by) if j != index)
            if 1 - point @ centre <= others[k - 1]:
                inside += 1
                break
    return inside / len(of)


@given(seeds, st.integers(1, 4))
def test_precision_and_recall_agree_with_the_naive_definition(seed, k):
    real, generated = cloud(seed, 25, size=3), cloud(seed + 1, 15, size=3, centre=0.3)
    figures = metrics.precision_recall(real, generated, k)
    assert figures.precision == naive_coverage(generated, real, k)
    assert figures.recall == naive_coverage(real, generated, k)


def test_precision_without_recall_where_generation_collapses():
    real = cloud(0, 60, size=4, centre=0.0)
    collapsed = normalise(real[:1] + 1e-6 * np.random.default_rng(1).standard_normal((60, 4)))
    figures = metrics.precision_recall(real, collapsed)
    assert figures.precision == 1.0
    assert figures.recall <= 1 / 60


def test_precision_needs_more_latents_than_neighbours():
    with pytest.raises(ValueError, match="neighbour"):
        metrics.precision_recall(cloud(0, 3), cloud(1, 9), k=3)


@given(seeds)
def test_kolmogorov_smirnov_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 9, 30), rng.integers(0, 12, 20)
    assert metrics.kolmogorov_smirnov(a, b) == pytest.approx(stats.ks_2samp(a, b).statistic)


def test_roundtrip_summary_of_known_distances():
    a = np.tile([1.0, 0.0], (11, 1))
    distances = np.linspace(0.0, 1.0, 11)
    b = np.stack([1 - distances, np.sqrt(1 - (1 - distances) ** 2)], axis=1)
    figures = metrics.roundtrip_summary(a, b)
    assert (figures.median, figures.quantile90) == pytest.approx((0.5, 0.9))


def test_own_identity_is_found_by_all_or_by_none():
    people = cloud(0, 10, size=16, centre=0.0)
    assert metrics.own_identity_rate(people, people) == 1.0
    assert metrics.own_identity_rate(people, np.roll(people, 1, axis=0)) == 0.0


def test_own_identity_rate_is_the_mean_over_all_choices_of_others():
    requested, achieved = cloud(0, 7, centre=0.3), cloud(1, 7, centre=0.3)
    gallery = cloud(2, 2, centre=0.3)
    wanted = np.concatenate([requested, gallery])
    distances = cosine_distance_matrix(achieved, wanted)
    hits = [
        distances[i, i] < min(distances[i, j] for j in chosen)
        for i in range(7)
        for chosen in itertools.combinations([j for j in range(9) if j != i], 3)
    ]
    rate = metrics.own_identity_rate(requested, achieved, gallery, others=3)
    assert 0.0 < rate < 1.0
    assert rate == pytest.approx(np.mean(hits))


def test_centring_removes_a_shift_that_hides_the_identities():
    people = cloud(0, 30, size=16, centre=0.0)
    shift = 10.0 * people[0]
    shifted = normalise(people + shift)
    assert metrics.own_identity_rate(people, shifted) < 0.2
    assert metrics.own_identity_rate(people, shifted, centred=True) > 0.9


def test_own_identity_does_not_count_a_collapse_as_found():
    people = cloud(0, 30, size=16, centre=0.0)
    collapsed = np.tile(people[:1], (30, 1))
    assert metrics.own_identity_rate(people, collapsed) == pytest.approx(1 / 30)
    assert metrics.own_identity_rate(people, collapsed, centred=True) <= 1 / 30


def test_plausibility_of_known_parameters():
    z = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 5.0]])
    figures = metrics.plausibility(z, {"skull": np.array([0, 1]), "iris": np.array([2])})
    assert figures.rms == pytest.approx(np.sqrt(50 / 6))
    assert figures.group_rms == pytest.approx({"skull": 2.5, "iris": np.sqrt(12.5)})
    assert figures.share_beyond_3 == pytest.approx(2 / 6)


@given(seeds)
def test_the_principal_plane_holds_the_largest_spread(seed):
    rows = cloud(seed, 30, 6)
    flat = metrics.principal_plane(rows)(rows)
    np.testing.assert_allclose(flat.mean(axis=0), 0.0, atol=1e-9)
    largest = np.linalg.eigvalsh(np.cov(rows.T))[::-1][:2]
    np.testing.assert_allclose(np.cov(flat.T), np.diag(largest), atol=1e-9)
    other = cloud(seed + 1, 4, 6)
    both = metrics.principal_plane(rows)(np.concatenate([rows, other]))
    np.testing.assert_allclose(both[:30], flat)


def test_the_principal_plane_of_a_single_latent_has_two_axes():
    assert metrics.principal_plane(cloud(0, 1, 6))(cloud(1, 3, 6)).shape == (3, 2)
