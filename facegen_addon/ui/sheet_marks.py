# SPDX-License-Identifier: GPL-3.0-or-later
"""Star and padlock on the pictures of a sheet: where they are, and their outlines.

Shapes are fans of triangles around their first point, pixels of a region, y upwards.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ..arrays import Float32Array

Box = tuple[float, float, float, float]
"""x, y, width, height in pixels of a region, y upwards."""

MARKS = ("star", "lock")
"""At a picture's top right and top left corner."""
_SIDE, _INSET, _LARGEST = 24, 3, 0.3  # pixels at a scale of 1; of a picture's side at most
_INNER = 0.42  # radius of a star's notches, of its points'
_BODY = (0.18, 0.08, 0.64, 0.48)  # of a padlock, in its box: x, y, width, height
_SHACKLE = (0.24, 0.14)  # radii around the middle of the body's top
_STEPS = 12


def mark_box(cell: Box, mark: str, scale: float) -> Box:
    """Where a picture's mark is, `scale` being Blender's for its whole interface."""
    x, y, width, height = cell
    side = min(_SIDE * scale, _LARGEST * width)
    inset = min(_INSET * scale, side / 4)
    left = x + inset if mark == "lock" else x + width - inset - side
    return left, y + height - inset - side, side, side


def mark_at(cells: tuple[Box, ...], scale: float, x: float, y: float) -> tuple[int, str] | None:
    """Index of the picture and mark under a pixel; None where there is none."""
    for index, cell in enumerate(cells):
        for mark in MARKS:
            left, bottom, width, height = mark_box(cell, mark, scale)
            if left <= x < left + width and bottom <= y < bottom + height:
                return index, mark
    return None


def outlines(box: Box, mark: str) -> list[Annotated[Float32Array, "N 2"]]:
    """The fans (N, 2) that a mark is filled by."""
    x, y, width, height = box
    shapes = [_star()] if mark == "star" else [_body(), *_shackle()]
    size, corner = np.array([width, height]), np.array([x, y])
    return [(corner + size * shape).astype(np.float32) for shape in shapes]


def _star() -> Annotated[Float32Array, "N 2"]:
    turns = np.pi / 2 + np.arange(11) * np.pi / 5
    radii = np.where(np.arange(11) % 2, _INNER, 1.0) * 0.46
    points = 0.5 + radii[:, None] * np.stack([np.cos(turns), np.sin(turns)], 1)
    return np.concatenate([[[0.5, 0.5]], points]).astype(np.float32)


def _body() -> Annotated[Float32Array, "N 2"]:
    x, y, width, height = _BODY
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    return np.array(corners, np.float32)


def _shackle() -> list[Annotated[Float32Array, "N 2"]]:
    """Pieces of half a ring."""
    x, y, width, height = _BODY
    middle = np.array([x + width / 2, y + height])
    turns = np.linspace(0.0, np.pi, _STEPS + 1)
    round_ = np.stack([np.cos(turns), np.sin(turns)], 1)
    outer, inner = (middle + radius * round_ for radius in _SHACKLE)
    return [
        np.array([outer[i], outer[i + 1], inner[i + 1], inner[i]], np.float32)
        for i in range(_STEPS)
    ]
