# SPDX-License-Identifier: GPL-3.0-or-later
"""A dark collar and shoulders, so that a head's open neck does not show in a portrait."""

from __future__ import annotations

from typing import Annotated

import bpy
import numpy as np

from ...arrays import Float32Array, FloatArray, IntArray
from ...heads.head_model import HeadModel
from ...heads.surface import neck_edge
from ...heads.wear.outfit import Outfit
from ..head import materials

_SEGMENTS = 48  # vertices around the neck, chosen by eye
# Rings from collar to shoulders: height (m) over the neck's edge, half width and half depth as
# multiples of the neck's, half width and half depth added (m); chosen by eye.
_RINGS = np.array(
    [
        (0.012, 1.02, 1.02, 0.001, 0.001),
        (0.013, 1.02, 1.02, 0.005, 0.005),
        (-0.030, 1.02, 1.02, 0.010, 0.010),
        (-0.048, 1.0, 1.0, 0.040, 0.015),
        (-0.062, 1.0, 1.0, 0.105, 0.030),
        (-0.100, 1.0, 1.0, 0.150, 0.045),
        (-0.250, 1.0, 1.0, 0.165, 0.055),
    ]
)
_LEVEL = 0.02
"""Metres below the neck's edge from which on the collar is level, chosen by eye."""


class Collar:
    """What a head wears whose neck ends anyhow: a bust in one dark cloth, whatever the outfit."""

    def __init__(self, model: HeadModel, collection: bpy.types.Collection) -> None:
        self._bust = create(collection)
        vertices = model.forward(model.table.default())
        self._neck_edge = neck_edge(model.surface.faces, vertices[0, :, 2])

    @property
    def classes(self) -> list[tuple[bpy.types.Mesh, tuple[str, ...]]]:
        """Meshes, and of which class of labels each of their materials is."""
        return [(self._bust.data, ("clothes",))]

    def fit(
        self,
        vertices: Annotated[Float32Array, "V 3"],
        parameters: Annotated[FloatArray, "P"],
        outfit: Outfit,
    ) -> tuple[Annotated[Float32Array, "B 3"], Annotated[IntArray, "Q 4"]]:
        """Lay it round the neck of a head's vertices (V, 3): its vertices (B, 3) and quads."""
        return fit(self._bust, vertices[self._neck_edge]), quads()


def quads() -> Annotated[IntArray, "Q 4"]:
    """The faces (Q, 4) of every bust."""
    index = np.arange(len(_RINGS) * _SEGMENTS).reshape(len(_RINGS), _SEGMENTS)
    right = np.roll(index, -1, axis=1)
    return np.stack([index[1:], right[1:], right[:-1], index[:-1]], axis=2).reshape(-1, 4)


def create(collection: bpy.types.Collection) -> bpy.types.Object:
    """Add the bust to ``collection``; ``fit`` gives it a shape."""
    mesh = bpy.data.meshes.new("Bust")
    mesh.from_pydata([(0.0, 0.0, 0.0)] * (len(_RINGS) * _SEGMENTS), [], quads().tolist())
    mesh.materials.append(materials.cloth_material())
    mesh.shade_smooth()
    bust = bpy.data.objects.new("Bust", mesh)
    bust.color = (*materials.CLOTH, 1.0)
    collection.objects.link(bust)
    return bust


def fit(
    bust: bpy.types.Object, edge: Annotated[Float32Array, "E 3"]
) -> Annotated[Float32Array, "B 3"]:
    """Lay the collar round a neck that is cut off at these points (E, 3), metres.

    Returns the bust's vertices (B, 3).
    """
    low, high = edge.min(0), edge.max(0)
    centre, half = 0.5 * (low + high), 0.5 * (high - low)
    angle = np.linspace(0.0, 2.0 * np.pi, _SEGMENTS, endpoint=False)
    height, wide, deep, add_width, add_depth = _RINGS.T[:, :, None]
    # The neck's edge slopes: the collar follows it at its top and is level at the shoulders.
    slope = np.interp(np.sin(angle), [-1.0, 1.0], [low[2], high[2]])
    level = np.clip(-height / _LEVEL, 0.0, 1.0)
    rings = np.stack(
        [
            centre[0] + (half[0] * wide + add_width) * np.cos(angle),
            centre[1] + (half[1] * deep + add_depth) * np.sin(angle),
            slope * (1.0 - level) + low[2] * level + height,
        ],
        axis=2,
    )
    vertices = rings.reshape(-1, 3).astype(np.float32)
    bust.data.attributes["position"].data.foreach_set("vector", vertices.ravel())
    bust.data.update()
    return vertices
