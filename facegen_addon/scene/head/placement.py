# SPDX-License-Identifier: GPL-3.0-or-later
"""Places of several heads in the scene."""

from __future__ import annotations

import math
from collections.abc import Iterable

from mathutils import Vector

_SPACING = 0.35  # metres


def grid_places(count: int, origin: Vector) -> list[Vector]:
    """Places of ``count`` heads in a square grid that grows right and down from ``origin``."""
    columns = math.ceil(math.sqrt(count))
    return [
        origin + Vector((number % columns * _SPACING, 0.0, -(number // columns) * _SPACING))
        for number in range(count)
    ]


def free_origin(count: int, origin: Vector, taken: Iterable[Vector]) -> Vector:
    """The place of the first of ``count`` heads in a grid.

    It is ``origin``, or, where a head would stand in one that is there (at the places ``taken``,
    metres), to the right of all of them.
    """
    taken = list(taken)
    places = grid_places(count, origin)
    if all((place - other).length > _SPACING / 2 for place in places for other in taken):
        return origin
    return Vector((max(other.x for other in taken) + _SPACING, origin.y, origin.z))


def place_between(first: Vector, second: Vector) -> Vector:
    """Place of a head between two others (metres): half way, in front where that is too narrow."""
    middle = (first + second) / 2
    if (first - second).length < 2 * _SPACING:
        middle.y -= _SPACING
    return middle
