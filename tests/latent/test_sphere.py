# SPDX-License-Identifier: GPL-3.0-or-later
"""Geometry on the unit sphere, against identities that hold for any points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegen_addon.latent import sphere

DIMENSIONS = 6
seeds = st.integers(0, 2**32 - 1)


def points(seed: int, count: int) -> np.ndarray:
    return sphere.normalise(np.random.default_rng(seed).standard_normal((count, DIMENSIONS)))


@pytest.mark.parametrize("bad", [np.zeros(3), np.array([1.0, np.nan, 0.0]), np.full(3, np.inf)])
def test_what_has_no_direction_is_not_normalised(bad):
    with pytest.raises(ValueError, match="no direction"):
        sphere.normalise(np.stack([np.ones(3), bad]))


@given(seeds)
def test_distance_matrix_agrees_with_row_by_row_distance(seed):
    a, b = points(seed, 4), points(seed + 1, 4)
    matrix = sphere.cosine_distance_matrix(a, b)
    np.testing.assert_allclose(np.diagonal(matrix), sphere.cosine_distance(a, b), atol=1e-14)
    np.testing.assert_allclose(matrix, 1.0 - np.cos(sphere.angle(a[:, None], b[None])), atol=1e-14)


def test_distances_within_a_set_are_symmetric_with_zero_diagonal():
    a = points(0, 50).astype(np.float32)
    matrix = sphere.cosine_distance_matrix(a)
    assert np.array_equal(matrix, matrix.T)
    assert not np.diagonal(matrix).any()
    assert matrix.dtype == np.float64


@pytest.mark.parametrize("apart", [0.0, 1e-9, 1e-4, 1.0, np.pi - 1e-9, np.pi])
def test_angle_is_exact_at_both_ends(apart):
    a = np.array([1.0, 0.0])
    b = np.array([np.cos(apart), np.sin(apart)])
    assert sphere.angle(a, b) == pytest.approx(apart, rel=1e-6, abs=1e-15)


@given(seeds)
def test_exp_map_inverts_log_map(seed):
    base, goal = points(seed, 2)
    tangent = sphere.log_map(base, goal)
    assert tangent @ base == pytest.approx(0.0, abs=1e-12)
    assert np.linalg.norm(tangent) == pytest.approx(sphere.angle(base, goal), abs=1e-12)
    np.testing.assert_allclose(sphere.exp_map(base, tangent), goal, atol=1e-12)


def test_log_map_at_the_base_is_zero_and_opposite_is_refused():
    base = points(0, 1)[0]
    assert not np.linalg.norm(sphere.log_map(base, base)) > 1e-7
    with pytest.raises(ValueError, match="opposite"):
        sphere.log_map(base, -base)


@given(seeds, st.floats(0.0, 1.0))
def test_geodesic_divides_the_angle(seed, t):
    a, b = points(seed, 3), points(seed + 1, 3)
    between = sphere.geodesic(a, b, t)
    np.testing.assert_allclose(np.linalg.norm(between, axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(sphere.angle(a, between), t * sphere.angle(a, b), atol=1e-7)
    np.testing.assert_allclose(sphere.angle(between, b), (1 - t) * sphere.angle(a, b), atol=1e-7)


def test_geodesic_takes_a_fraction_for_each_row():
    a, b = points(0, 3), points(1, 3)
    between = sphere.geodesic(a, b, np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(between[[0, 2]], [a[0], b[2]], atol=1e-12)
    assert sphere.angle(a[1], between[1]) == pytest.approx(sphere.angle(between[1], b[1]))


@given(seeds)
def test_rotation_between_moves_a_to_b_and_only_in_their_plane(seed):
    a, b, other = points(seed, 3)
    rotation = sphere.rotation_between(a, b)
    np.testing.assert_allclose(rotation @ a, b, atol=1e-10)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(DIMENSIONS), atol=1e-10)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    plane, _ = np.linalg.qr(np.stack([a, b], axis=1))
    across = other - plane @ (plane.T @ other)
    np.testing.assert_allclose(rotation @ across, across, atol=1e-10)


def test_rotation_to_the_opposite_is_a_rotation():
    a = points(3, 1)[0]
    rotation = sphere.rotation_between(a, -a)
    np.testing.assert_allclose(rotation @ a, -a, atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


@given(seeds, st.booleans())
def test_procrustes_finds_a_rotation_and_never_a_reflection(seed, mirrored):
    a = points(seed, 40)
    rotation = sphere.procrustes_rotation(points(seed + 1, 40), points(seed + 2, 40))
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    if mirrored:
        assert np.linalg.det(sphere.procrustes_rotation(a, a * [-1, 1, 1, 1, 1, 1])) > 0
    np.testing.assert_allclose(sphere.procrustes_rotation(a, a @ rotation.T), rotation, atol=1e-9)
