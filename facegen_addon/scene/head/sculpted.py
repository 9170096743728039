# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody has sculpted on a head: an offset of its vertices, which its sliders leave alone.

Where a head's vertices are not what its parameters make of them, they were moved by hand. The
difference becomes an attribute of the mesh, so that undo, copies and saved files carry it along.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Annotated

import bpy
import numpy as np

from ...arrays import Float32Array

SCULPTED = "facegen_sculpted"
"""Attribute of the mesh: the offset of each vertex, metres, where there is one."""

_LEAST = 2e-5
"""Metres: sliders in motion are as exact as 1e-6, a hand is not."""
_MAXIMUM_WRITTEN = 8  # heads; a head of `person` is 160 kB

_written: OrderedDict[str, Float32Array] = OrderedDict()
"""Vertices as they were last written, by the head's id: where they are still so, nothing is worked
out to know that nobody has touched them."""


def offset_of(mesh: bpy.types.Mesh) -> Annotated[Float32Array, "V 3"] | None:
    """The offset of a head's vertices; None where nothing was sculpted."""
    kept = mesh.attributes.get(SCULPTED)
    if kept is None or len(kept.data) != len(mesh.vertices):
        return None
    values = np.empty(3 * len(kept.data), np.float32)
    kept.data.foreach_get("vector", values)
    return values.reshape(-1, 3)


def keep(
    mesh: bpy.types.Mesh, head_id: str, made: Callable[[], Annotated[Float32Array, "V 3"]]
) -> None:
    """Keep what was sculpted since the vertices were last written.

    made: what the head's parameters make of them, without an offset.
    """
    now = _positions(mesh)
    before = _written.get(head_id)
    if before is not None and np.array_equal(before, now):
        return
    vertices = made()
    if len(vertices) != len(now):
        return
    offset = offset_of(mesh)
    moved = now - vertices - (0.0 if offset is None else offset)
    if np.abs(moved).max() < _LEAST:
        return
    moved[np.abs(moved).max(axis=1) < _LEAST] = 0.0
    _store(mesh, moved if offset is None else offset + moved)


def write(mesh: bpy.types.Mesh, head_id: str, vertices: Annotated[Float32Array, "V 3"]) -> None:
    """Give a mesh these vertices, as they are to be seen."""
    mesh.attributes["position"].data.foreach_set("vector", vertices.ravel())
    _written[head_id] = np.array(vertices, np.float32)
    _written.move_to_end(head_id)
    while len(_written) > _MAXIMUM_WRITTEN:
        _written.popitem(last=False)


def with_offset(
    mesh: bpy.types.Mesh, vertices: Annotated[Float32Array, "V 3"]
) -> Annotated[Float32Array, "V 3"]:
    """Vertices as a head's parameters make them, with what was sculpted on its mesh."""
    offset = offset_of(mesh)
    return vertices if offset is None or len(offset) != len(vertices) else vertices + offset


def forget(mesh: bpy.types.Mesh) -> None:
    """Have nothing sculpted."""
    kept = mesh.attributes.get(SCULPTED)
    if kept is not None:
        mesh.attributes.remove(kept)


def _store(mesh: bpy.types.Mesh, offset: Float32Array) -> None:
    kept = mesh.attributes.get(SCULPTED)
    if kept is None:
        kept = mesh.attributes.new(SCULPTED, "FLOAT_VECTOR", "POINT")
    kept.data.foreach_set("vector", offset.ravel())


def _positions(mesh: bpy.types.Mesh) -> Float32Array:
    values = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", values)
    return values.reshape(-1, 3)
