# SPDX-License-Identifier: GPL-3.0-or-later
"""Texture coordinates that are all but equal become equal, and no others change."""

import numpy as np
from numpy.typing import NDArray

from facegen_addon.heads.surface import welded_uv

NEARER = 1e-4
FAN = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4]], np.int32)


def _fan(*at_hub: tuple[float, float]) -> NDArray[np.float32]:
    """The texture of FAN, whose triangles have these coordinates at vertex 0, elsewhere others."""
    uv = np.arange(18, dtype=np.float32).reshape(3, 3, 2) / 18
    uv[1, 1], uv[2, 1] = uv[0, 2], uv[1, 2]
    uv[:, 0] = at_hub
    return uv


def test_the_last_corner_counts() -> None:
    uv = _fan((0.5, 0.5), (0.50004, 0.5), (0.50008, 0.49995))
    expected = uv.copy()
    expected[:, 0] = uv[2, 0]
    assert np.array_equal(welded_uv(FAN, uv, NEARER), expected)


def test_corners_far_apart_in_u_or_v_stay() -> None:
    for uv in (
        _fan((0.5, 0.5), (0.5, 0.6), (0.7, 0.5)),
        _fan((0.5, 0.5), (0.5, 0.5), (0.5, 0.5001001)),
    ):
        assert np.array_equal(welded_uv(FAN, uv, NEARER), uv)


def test_a_chain_is_not_drawn_together() -> None:
    uv = _fan((0.5, 0.5), (0.50008, 0.5), (0.50016, 0.5))
    welded = welded_uv(FAN, uv, NEARER)
    assert np.array_equal(welded[:, 0], uv[[0, 2, 2], 0])


def test_afterwards_none_are_near_and_unequal(rng: np.random.Generator) -> None:
    faces = rng.integers(0, 40, (300, 3)).astype(np.int32)
    uv = rng.integers(0, 3, (300, 3, 2)) / 2 + rng.uniform(0, 2e-4, (300, 3, 2))
    welded = welded_uv(faces, uv.astype(np.float32), NEARER)
    assert np.abs(welded - uv).max() < 1.01 * NEARER
    for vertex in range(40):
        values = np.unique(welded[faces == vertex], axis=0)
        apart = np.abs(values[:, None] - values).max(2)
        assert (apart[~np.eye(len(values), dtype=bool)] >= np.float32(NEARER)).all()
    assert np.array_equal(welded_uv(faces, welded, NEARER), welded)
