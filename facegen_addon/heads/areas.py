# SPDX-License-Identifier: GPL-3.0-or-later
"""Areas of a face, on any head model, and new draws of one area that leave the others in place.

Where an area lies follows from the 68 landmarks; what its sliders are follows from what they move.
Components that move a whole head, as FLAME's do, are drawn together: conditioned on the rest of the
head not moving, in those combinations of them that move the area most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, Float32Array, FloatArray, IntArray
from ..errors import UserError
from .appearance import smoothstep
from .head_model import HeadModel
from .surface import PART_NAMES

AREAS = ("brow", "eyes", "nose", "mouth", "jaw", "ears")

APPEARANCE_GROUPS = {"brow": ("brow",), "eyes": ("iris",), "mouth": ("lips",), "jaw": ("beard",)}
"""Parameter groups whose colours and hair belong to an area."""

# Chains of landmarks, numbered as in `landmarks`; the ears have none and are a mask of the surface.
_CHAINS: dict[str, tuple[tuple[int, ...], ...]] = {
    "brow": (tuple(range(17, 22)), tuple(range(22, 27))),
    "eyes": ((*range(36, 42), 36), (*range(42, 48), 42)),
    "nose": (tuple(range(27, 31)), tuple(range(31, 36))),
    "mouth": ((*range(48, 60), 48),),
    "jaw": (tuple(range(2, 15)),),
}
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)
_POINTS_PER_LINK = 6
# From an area's landmarks, in distances between the eyes: wholly in it up to here, out from there.
_WHOLE, _OUTSIDE = 0.15, 0.7

_STILL = 0.15
"""Standard deviation, in millimetres, by which what lies outside an area may move."""
_MODES = 8
_VISIBLE, _STRONGEST = 3.0, 2.0
"""Root mean square motion of an area, in millimetres, that a redraw aims at, and how much more
than the prior's own it may be for that; where the prior moves it further, it may."""
_MOVES = 0.01  # millimetres per standard deviation; less is rounding, or nothing to be seen


def checked_area(area: str) -> str:
    """The area's name itself; UserError if there is no such area."""
    if area not in AREAS:
        raise UserError(f"unknown area {area!r}: choose one of {', '.join(AREAS)}")
    return area


def area_weights(model: HeadModel) -> dict[str, Annotated[FloatArray, "V"]]:
    """Area -> weights (V,) from 0 to 1, smooth: how much each vertex of a model belongs to it."""
    vertices = model.forward(model.table.default())[0].astype(np.float64)
    landmarks = model.landmarks(vertices.astype(np.float32)).astype(np.float64)
    unit = np.linalg.norm(landmarks[_RIGHT_EYE].mean(0) - landmarks[_LEFT_EYE].mean(0))
    points = {
        area: np.concatenate([_along(landmarks[list(chain)]) for chain in chains])
        for area, chains in _CHAINS.items()
    }
    points["ears"] = vertices[model.surface.masks["ears"] > 0.5]
    return {
        area: smoothstep(_OUTSIDE, _WHOLE, _distance(vertices, points[area]) / unit)
        for area in AREAS
    }


def _along(chain: FloatArray) -> FloatArray:
    """Points (K, 3) along the links of a chain (L, 3)."""
    at = np.linspace(0, len(chain) - 1, _POINTS_PER_LINK * (len(chain) - 1) + 1)
    return np.stack([np.interp(at, np.arange(len(chain)), axis) for axis in chain.T], axis=1)


def _distance(vertices: FloatArray, points: FloatArray) -> FloatArray:
    """From each vertex (V, 3) to the nearest of the points (K, 3): (V,)."""
    products = vertices @ points.T
    squares = (vertices**2).sum(1)[:, None] - 2 * products + (points**2).sum(1)
    return np.sqrt(np.maximum(squares.min(1), 0))


@dataclass(frozen=True)
class ShapeMotion:
    """How far each slider moves the vertices of a mesh, near the mean head.

    columns (K,): the parameters that vary and move vertices; motion (K, V, 6): millimetres that
    each moves them per standard deviation, upwards and downwards, each divided by the root of 2,
    so that products sum to the mean of both sides: Anny's sliders move other things either way.
    """

    columns: Annotated[IntArray, "K"]
    motion: Annotated[Float32Array, "K V 6"]

    @classmethod
    def of(cls, model: HeadModel) -> ShapeMotion:
        """Measure a model: differences from its mean head, a standard deviation to either side."""
        table = model.table
        shapes = np.array([name in model.shape_parameters for name in table.names])
        varying = np.flatnonzero((table.std > 0) & shapes)
        steps = np.zeros((len(varying), len(table)))
        steps[np.arange(len(varying)), varying] = table.std[varying]
        centre = model.forward(table.default())
        sides = []
        for moved in (table.mean + steps, table.mean - steps):
            rows = np.clip(moved, table.minimum, table.maximum)
            widths = np.abs(rows - table.mean).sum(1) / table.std[varying]
            # A side on which the range ends at the mean moves nothing.
            scale = 1000.0 / np.sqrt(2.0) / np.where(widths > 0, widths, 1.0)
            sides.append((model.forward(rows) - centre) * scale[:, None, None].astype(np.float32))
        motion = np.concatenate(sides, axis=2)
        moving = np.abs(motion).max((1, 2)) > _MOVES
        return cls(varying[moving], motion[moving])


class AreaRedraw:
    """Draws one area of a head anew; the rest of the face stays but for fractions of a millimetre.

    Were the prior N(0, 1) in each slider, this would be a draw from it given where the rest of the
    head is, in the leading modes alone: pressed again and again, it goes round faces, not away.
    """

    def __init__(self, model: HeadModel) -> None:
        # Teeth and the like move as the face does, and would be counted many times over.
        face = model.surface.part < len(PART_NAMES)
        everything = ShapeMotion.of(model)
        self._shape = ShapeMotion(everything.columns, everything.motion[:, face])
        self._weights = {area: weights[face] for area, weights in area_weights(model).items()}
        self._inside: dict[str, FloatArray] = {}

    @property
    def columns(self) -> Annotated[IntArray, "K"]:
        """Columns (K,) of the parameters that it draws."""
        return self._shape.columns

    def redraw(
        self,
        area: str,
        z: Annotated[FloatArray, "K"],
        free: Annotated[BoolArray, "K"],
        rng: np.random.Generator,
    ) -> Annotated[FloatArray, "K"]:
        """Redraw the `free` ones (K,) of the sliders `columns`, z (K,) in standard units.

        UserError if there is no such area.
        """
        modes, size = self._modes(checked_area(area), free)
        strength = min(max(_VISIBLE / max(size, 1e-9), 1.0), _STRONGEST)
        drawn = strength * rng.standard_normal(modes.shape[1])
        result = z.copy()
        result[free] += modes @ (drawn - modes.T @ z[free])
        return result

    def _modes(self, area: str, free: BoolArray) -> tuple[FloatArray, float]:
        """Combinations of the free sliders (F, M) that move the area most, and how much: mm.

        They are the leading generalised eigenvectors of the motion inside against prior and motion
        outside, each of unit posterior variance.
        """
        pairs = np.ix_(free, free)
        weights = self._weights[area]
        inside, everywhere = self._motion_inside(area)[pairs], self._motion_everywhere[pairs]
        outside = (everywhere - inside) / (1 - weights).sum()
        posterior_precision = np.eye(len(inside)) + outside / _STILL**2
        whiten = np.linalg.inv(np.linalg.cholesky(posterior_precision))
        gains, vectors = np.linalg.eigh(whiten @ inside @ whiten.T)
        size = np.sqrt(max(gains[-_MODES:].sum(), 0.0) / weights.sum())
        return whiten.T @ vectors[:, -_MODES:], float(size)

    @cached_property
    def _motion_everywhere(self) -> FloatArray:
        """(K, K) products of the sliders' motions, summed over all vertices."""
        flat = self._shape.motion.reshape(len(self.columns), -1).astype(np.float64)
        return flat @ flat.T

    def _motion_inside(self, area: str) -> FloatArray:
        """(K, K) products of the sliders' motions, each vertex weighted as it is of the area."""
        if area not in self._inside:
            weights = self._weights[area]
            part = weights > 0
            root = np.sqrt(weights[part])[:, None]
            flat = (self._shape.motion[:, part] * root).reshape(len(self.columns), -1)
            self._inside[area] = flat @ flat.T
        return self._inside[area]
