# SPDX-License-Identifier: GPL-3.0-or-later
"""Points behind surfaces, as rays find them."""

import numpy as np
import pytest

from facegen_addon.labels.visibility import TOLERANCE, hidden_points

# A square of two triangles, one metre ahead, 0.2 m wide.
SQUARE = np.array([[-0.1, -0.1, 1.0], [0.1, -0.1, 1.0], [0.1, 0.1, 1.0], [-0.1, 0.1, 1.0]])
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])


def test_what_lies_behind_a_square_is_hidden() -> None:
    points = np.array(
        [
            [0.0, 0.0, 2.0],  # behind its middle
            [0.0, 0.0, 0.5],  # before it
            [0.0, 0.0, 1.0],  # on it
            [0.0, 0.0, 1.0 + 0.5 * TOLERANCE],
            [0.0, 0.0, 1.0 + 1.5 * TOLERANCE],
            [0.19, -0.19, 2.0],  # just inside its edge, as seen
            [0.21, 0.0, 2.0],  # just outside
            [0.0, 0.0, -1.0],  # behind the camera
        ]
    )
    expected = [True, False, False, False, True, True, False, True]
    assert hidden_points(points, SQUARE, TRIANGLES).tolist() == expected
    assert hidden_points(points, SQUARE, TRIANGLES[:, ::-1]).tolist() == expected


def test_triangles_behind_the_camera_hide_nothing() -> None:
    points = np.array([[0.0, 0.0, 2.0], [0.1, 0.1, 3.0]])
    behind = SQUARE * [1, 1, -1]
    across = SQUARE + np.array([[0, 0, -2]] * 2 + [[0, 0, 0]] * 2)
    for vertices in (behind, across):
        assert not hidden_points(points, vertices, TRIANGLES).any()
    assert hidden_points(-points, SQUARE, TRIANGLES).all()


def test_a_slanted_surface_hides_by_its_depth_along_each_ray() -> None:
    slanted = np.array([[-1.0, -1.0, 1.0], [1.0, -1.0, 3.0], [1.0, 1.0, 3.0], [-1.0, 1.0, 1.0]])
    x = np.linspace(-0.4, 0.3, 8)
    depth = 2.0 / (1.0 - x)  # where the ray (x, 0, 1) meets z = 2 + x z
    for offset, hidden in ((-0.01, False), (0.01, True)):
        at = depth + offset
        points = np.stack([x * at, 0 * at, at], axis=1)
        assert (hidden_points(points, slanted, TRIANGLES) == hidden).all()


def test_many_triangles_agree_with_trying_each(rng: np.random.Generator) -> None:
    vertices = rng.uniform([-0.5, -0.5, 0.5], [0.5, 0.5, 3.0], (300, 3))
    triangles = rng.integers(0, 300, (200, 3))
    points = rng.uniform([-1.0, -1.0, 0.5], [1.0, 1.0, 3.0], (400, 3))
    expected = np.zeros(len(points), bool)
    for a, b, c in vertices[triangles]:
        # Moeller and Trumbore's test, from the camera to each point.
        edge, other = b - a, c - a
        normal = np.cross(edge, other)
        if not normal.any():
            continue
        distance = (normal @ a) / (points @ normal)
        at = points * distance[:, None] - a
        gram = np.array([[edge @ edge, edge @ other], [edge @ other, other @ other]])
        u, v = np.linalg.solve(gram, np.stack([at @ edge, at @ other]))
        inside = (u >= 0) & (v >= 0) & (u + v <= 1)
        expected |= inside & (distance > 0) & ((1 - distance) * points[:, 2] > TOLERANCE)
    assert 50 < expected.sum() < 350
    np.testing.assert_array_equal(hidden_points(points, vertices, triangles), expected)


@pytest.mark.parametrize("count", [0, 1])
def test_few_points_are_as_good_as_many(count: int) -> None:
    points = np.array([[0.0, 0.0, 2.0]])[:count]
    assert hidden_points(points, SQUARE, TRIANGLES).tolist() == [True] * count
