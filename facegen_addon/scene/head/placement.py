# SPDX-License-Identifier: GPL-3.0-or-later
"""Places of heads in the scene: beside what stands there, alone or in a grid."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from .head_object import HAIR_KEY, MODEL_KEY

_SPACING = 0.35  # metres
_SURROUNDINGS = 4.0  # metres: what is larger is a floor or a room, in which heads may stand
_BETWEEN = 0.01  # metres: what hangs out of a head's room stays this far from its neighbours
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

    def at(self, place: Vector) -> Box:
        """This box, which lies around the origin, around a place."""
        return Box(place + self.low, place + self.high)

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


HEAD_ROOM = Box(Vector((-_SPACING / 2, -0.2, -0.07)), Vector((_SPACING / 2, 0.15, _SPACING - 0.07)))
"""Of a head with its hair, around its origin at the neck; as wide and as high as a grid's steps."""


def room_of(head: bpy.types.Object) -> Box:
    """The room that a head takes in a grid, around its origin: more than most where its hair or its
    clothes hang out of that."""
    corners = [HEAD_ROOM.low, HEAD_ROOM.high]
    for part in (head, *head.children):
        bounds = _bounds(part.data)
        if bounds is not None:
            turned = Matrix() if part == head else part.matrix_local
            corners += [turned @ corner for corner in bounds.corners]
    return Box.around(corners)


def _bounds(data: Any) -> Box | None:
    """What a mesh or strands reach, and a little aside and above; None of what has no points."""
    positions = getattr(data, "attributes", {}).get("position")
    if positions is None or not len(positions.data):
        return None
    values = np.empty(3 * len(positions.data), np.float32)
    positions.data.foreach_get("vector", values)
    points = values.reshape(-1, 3)
    aside = Vector((_BETWEEN, 0.0, _BETWEEN))
    return Box(Vector(points.min(0)) - aside, Vector(points.max(0)) + aside)


def grid_places(rooms: Sequence[Box], origin: Vector) -> list[Vector]:
    """Places of heads with these rooms around their origins in a square grid that grows right and
    down from ``origin``, so far apart that no room reaches into another."""
    columns = math.ceil(math.sqrt(len(rooms)))
    reach = [room.high.x for room in rooms], [room.low.x for room in rooms]
    step = max(reach[0], default=0.0) - min(reach[1], default=0.0)
    places: list[Vector] = []
    depth = 0.0
    for first in range(0, len(rooms), columns):
        row = rooms[first : first + columns]
        if first:
            depth += max(room.high.z for room in row)
        places += [origin + Vector((n * step, 0.0, -depth)) for n in range(len(row))]
        depth -= min(room.low.z for room in row)
    return places


def free_origin(rooms: Sequence[Box], origin: Vector, taken: Sequence[Box]) -> Vector:
    """The place of the first of some heads in a grid, with these rooms around their origins.

    It is ``origin``, or, where a head would stand in something, to the right of that.
    """
    while True:
        places = grid_places(rooms, origin)
        heads = [room.at(place) for room, place in zip(rooms, places, strict=True)]
        in_the_way = [box for box in taken if any(head.overlaps(box) for head in heads)]
        if not in_the_way:
            return origin
        right = max(box.high.x for box in in_the_way) - min(room.low.x for room in rooms)
        origin = Vector((right, origin.y, origin.z))


def stand(heads: Sequence[bpy.types.Object], origin: Vector, taken: Sequence[Box]) -> None:
    """Stand heads in a grid from ``origin`` (metres), or to the right of what takes room there."""
    rooms = [room_of(head) for head in heads]
    places = grid_places(rooms, free_origin(rooms, origin, taken))
    for head, place in zip(heads, places, strict=True):
        head.location = place


def place_between(first: Vector, second: Vector, taken: Sequence[Box]) -> Vector:
    """Place of a head between two others (metres): half way, or beside what stands there."""
    return free_origin([HEAD_ROOM], (first + second) / 2, taken)


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
            yield _moved(HEAD_ROOM.corners, item.matrix_world)
        elif HAIR_KEY not in item:
            yield _moved([Vector(corner) for corner in item.bound_box], item.matrix_world)


def _moved(corners: Iterable[Vector], matrix: Matrix) -> Box:
    return Box.around(matrix @ corner for corner in corners)
