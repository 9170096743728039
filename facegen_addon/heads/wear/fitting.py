# SPDX-License-Identifier: GPL-3.0-or-later
"""A head as glasses and hats are fitted to it: upright, and with a skull for hats to sit on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Annotated

import numpy as np

from ...arrays import BoolArray, Float32Array, FloatArray
from ..head_model import HeadModel
from ..skinning import rotation_matrices
from .pieces import Piece

_AROUND, _UP = 60, 14
"""Directions that the skull is measured in: round the head, and from below the ears to the top."""
_LOWEST = np.radians(-32.0)
_NEAR = np.radians(5.5)
"""Vertices that far from a direction count for it."""


@dataclass(frozen=True)
class Fitting:
    """One head, turned back as if it looked straight ahead.

    vertices (V, 3) metres; turn (3, 3): the rotation that was undone.
    """

    model: HeadModel
    vertices: Annotated[FloatArray, "V 3"]
    turn: Annotated[FloatArray, "3 3"]

    @classmethod
    def of(
        cls,
        model: HeadModel,
        vertices: Annotated[Float32Array, "V 3"],
        parameters: Annotated[FloatArray, "P"],
    ) -> Fitting:
        """The fitting of a head with these vertices (V, 3) and parameters (P,)."""
        turn = head_turn(model, parameters)
        return cls(model, vertices.astype(float) @ turn, turn)

    def worn(self, thing: Piece) -> Piece:
        """A thing made for the upright head, on the head as it is."""
        return replace(thing, vertices=thing.vertices @ self.turn.T)

    @cached_property
    def landmarks(self) -> Annotated[FloatArray, "68 3"]:
        """The 68 landmarks."""
        return self.model.landmarks(self.vertices.astype(np.float32)).astype(float)

    @cached_property
    def bare(self) -> Annotated[FloatArray, "B 3"]:
        """The skin without the ears."""
        return self.vertices[_parts(self.model)[0]]

    @cached_property
    def ears(self) -> Annotated[FloatArray, "E 3"]:
        """The ears."""
        return self.vertices[_parts(self.model)[1]]

    def part(self, name: str) -> Annotated[FloatArray, "N 3"]:
        """Vertices of one of the surface's parts."""
        return self.vertices[self.model.surface.vertices_of(name)]

    @cached_property
    def skull(self) -> Skull:
        """What hats sit on."""
        top = self.ears[:, 2].max()
        centre = np.array([0.0, self.ears[:, 1].mean(), top])
        offset = self.bare - centre
        offset = offset[offset[:, 2] > -0.09]
        length = np.linalg.norm(offset, axis=1)
        around = np.linspace(-np.pi, np.pi, _AROUND, endpoint=False)
        up = np.linspace(_LOWEST, 0.5 * np.pi, _UP)
        near = directions(around[:, None], up) @ (offset / length[:, None]).T
        weight = np.exp((near - 1.0) / (1.0 - np.cos(_NEAR)))
        radius = (weight * length).sum(-1) / weight.sum(-1)
        return Skull(centre, np.concatenate([radius, radius[:1]]))


def directions(around: FloatArray, up: FloatArray) -> Annotated[FloatArray, "... 3"]:
    """Unit vectors: angles round the head, 0 straight ahead, to the subject's left, and upwards."""
    around, up = np.broadcast_arrays(around, up)
    level = np.cos(up)
    return np.stack([level * np.sin(around), -level * np.cos(around), np.sin(up)], axis=-1)


@dataclass(frozen=True)
class Skull:
    """centre (3,); radius (_AROUND + 1, _UP): metres from it to the skin, by direction."""

    centre: Annotated[FloatArray, "3"]
    radius: Annotated[FloatArray, "_ _"]

    def reach(self, around: FloatArray, up: FloatArray) -> FloatArray:
        """Metres from the centre to the skin in these directions."""
        x = (around + np.pi) % (2.0 * np.pi) / (2.0 * np.pi) * _AROUND
        y = np.clip((up - _LOWEST) / (0.5 * np.pi - _LOWEST) * (_UP - 1), 0.0, _UP - 1)
        i, j = np.floor(x).astype(np.intp), np.minimum(np.floor(y).astype(np.intp), _UP - 2)
        p, q = x - i, y - j
        low = self.radius[i, j] * (1.0 - p) + self.radius[i + 1, j] * p
        high = self.radius[i, j + 1] * (1.0 - p) + self.radius[i + 1, j + 1] * p
        return low * (1.0 - q) + high * q

    def at(self, around: FloatArray, up: FloatArray, out: FloatArray | float = 0.0) -> FloatArray:
        """Points (..., 3), ``out`` metres over the skin."""
        around, up, out = np.broadcast_arrays(around, up, out)
        return self.centre + (self.reach(around, up) + out)[..., None] * directions(around, up)

    def level(self, around: FloatArray, height: FloatArray) -> FloatArray:
        """The angle upwards at which the skin is ``height`` metres high."""
        up = np.zeros(np.broadcast_shapes(np.shape(around), np.shape(height)))
        for _ in range(12):
            want = np.clip((height - self.centre[2]) / self.reach(around, up), -0.97, 0.97)
            up = 0.5 * (up + np.arcsin(want))
        return up


def head_turn(
    model: HeadModel, parameters: Annotated[FloatArray, "P"]
) -> Annotated[FloatArray, "3 3"]:
    """The rotation (3, 3) of a head with these parameters (P,) against the shoulders."""
    if not parameters[model.table.columns("pose")].any():
        return np.eye(3)
    rig = model.rig(parameters)
    # FLAME's necks and heads turn as one.
    joint, turn = rig.names.index("head" if "head" in rig.names else "neck"), np.eye(3)
    while joint >= 0:
        turn = rotation_matrices(rig.turns[joint]) @ turn
        joint = rig.parents[joint]
    return turn


@lru_cache(maxsize=4)
def _parts(model: HeadModel) -> tuple[BoolArray, BoolArray]:
    """Which vertices are bare skin, and which are ears."""
    surface = model.surface
    ears = surface.masks["ears"] > 0.5
    inside = surface.masks["mouth"] > 0.5
    return surface.vertices_of("skin") & ~ears & ~inside, ears
