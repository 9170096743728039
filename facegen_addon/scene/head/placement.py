# SPDX-License-Identifier: GPL-3.0-or-later
"""Places of heads in the scene: beside what stands there, alone or in a grid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import bpy
from mathutils import Matrix, Vector

from .head_object import HAIR_KEY, MODEL_KEY

_SPACING = 0.35  # metres
_SURROUNDINGS = 4.0  # metres: what is larger is a floor or a room, in which heads may stand
_TOUCHING = 1e-4  # metres that neighbours may overlap by rounding
_SOLID = {"MESH", "CURVE", "CURVES", "SURFACE", "META", "FONT", "POINTCLOUD", "VOLUME"}


@dataclass(frozen=True)
class Box:
    """Room that is taken, between two corners, metres along the scene's axes."""

    low: Vector
    high: Vector

    @classmethod
    def around(cls, points: Iterable[Vector]) -> Box:
        """The smallest box with these points, at least one, in it."""
        columns = list(zip(*points, strict=True))
        return cls(Vector(map(min, columns)), Vector(map(max, columns)))

    @classmethod
    def of_head(cls, place: Vector) -> Box:
        """The room of a head whose origin is at ``place``."""
        return cls(place + _ROOM.low, place + _ROOM.high)

    @property
    def corners(self) -> list[Vector]:
        """All eight."""
        ends = (self.low, self.high)
        return [
            Vector((ends[i][0], ends[j][1], ends[k][2]))
            for i in range(2)
            for j in range(2)
            for k in range(2)
        ]

    def overlaps(self, other: Box) -> bool:
        """Whether the boxes share more than a side."""
        return all(
            low + _TOUCHING < far and near + _TOUCHING < high
            for low, high, near, far in zip(self.low, self.high, other.low, other.high, strict=True)
        )


# Of a head with its hair, around its origin at the neck; as wide and as high as the grid's steps.
_ROOM = Box(Vector((-_SPACING / 2, -0.2, -0.07)), Vector((_SPACING / 2, 0.15, _SPACING - 0.07)))


def grid_places(count: int, origin: Vector) -> list[Vector]:
    """Places of ``count`` heads in a square grid that grows right and down from ``origin``."""
    columns = math.ceil(math.sqrt(count))
    return [
        origin + Vector((number % columns * _SPACING, 0.0, -(number // columns) * _SPACING))
        for number in range(count)
    ]


def free_origin(count: int, origin: Vector, taken: Sequence[Box]) -> Vector:
    """The place of the first of ``count`` heads in a grid.

    It is ``origin``, or, where a head would stand in something, to the right of that.
    """
    while True:
        heads = [Box.of_head(place) for place in grid_places(count, origin)]
        in_the_way = [box for box in taken if any(head.overlaps(box) for head in heads)]
        if not in_the_way:
            return origin
        right = max(box.high.x for box in in_the_way) + _SPACING / 2
        origin = Vector((right, origin.y, origin.z))


def place_between(first: Vector, second: Vector, taken: Sequence[Box]) -> Vector:
    """Place of a head between two others (metres): half way, or beside what stands there."""
    return free_origin(1, (first + second) / 2, taken)


def taken_room(layer: bpy.types.ViewLayer) -> list[Box]:
    """The room that visible objects of a view layer take; a head's is the same with any hair.

    Lights, cameras and what is as large as a room take none.
    """
    layer.update()  # objects of this very moment are where they are said to be
    return [box for box in _boxes(layer) if max(box.high - box.low) <= _SURROUNDINGS]


def _boxes(layer: bpy.types.ViewLayer) -> Iterator[Box]:
    for item in layer.objects:
        if item.type not in _SOLID or not item.visible_get(view_layer=layer):
            continue
        if MODEL_KEY in item:
            yield _moved(_ROOM.corners, item.matrix_world)
        elif HAIR_KEY not in item:
            yield _moved([Vector(corner) for corner in item.bound_box], item.matrix_world)


def _moved(corners: Iterable[Vector], matrix: Matrix) -> Box:
    return Box.around(matrix @ corner for corner in corners)
