# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations become axis-angle whatever their form, half turns included."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegen_addon.heads.exchange.parameter_files.rotations import (
    are_rotations,
    axis_angle_from_matrices,
    axis_angle_from_six,
)
from facegen_addon.heads.skinning import rotation_matrices

HALF_TURNS = np.pi * np.array(
    [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.6, 0.8, 0], [0, -0.6, 0.8], [-0.48, 0.6, -0.64]]
)


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_there_and_back(axis_angle: list[float]) -> None:
    matrix = rotation_matrices(np.array([axis_angle]))
    for found in (
        axis_angle_from_matrices(matrix),
        axis_angle_from_six(matrix[:, :2].reshape(1, 6)),
    ):
        np.testing.assert_allclose(rotation_matrices(found), matrix, atol=1e-7)
        assert np.linalg.norm(found) <= np.pi + 1e-9


@pytest.mark.parametrize("nearly", [0.0, 1e-7, -1e-7])
def test_half_turns_keep_their_axis(nearly: float) -> None:
    matrices = rotation_matrices(HALF_TURNS * (1.0 + nearly))
    found = rotation_matrices(axis_angle_from_matrices(matrices))
    np.testing.assert_allclose(found, matrices, atol=1e-6)


def test_small_turns_are_exact() -> None:
    turns = np.array([[0.0, 0.0, 0.0], [1e-9, 0.0, 0.0], [0.0, -3e-5, 2e-5]])
    found = axis_angle_from_matrices(rotation_matrices(turns))
    np.testing.assert_allclose(found, turns, rtol=1e-6, atol=1e-15)


def test_what_is_no_rotation() -> None:
    turn = rotation_matrices(np.array([[0.3, 0.2, -0.1]]))
    assert are_rotations(turn) and are_rotations(turn.astype(np.float16).astype(float))
    for other in (-turn, 2.0 * turn, np.zeros((1, 3, 3)), turn + 0.1):
        assert not are_rotations(other)
