# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a `person`'s lids are open at rest: as far as those of people who are awake.

Shapes, sex and age together close MakeHuman's lids to slits: each moves them alone. So lids follow:
where shapes put an edge is bent smoothly into the range in which edges of lids are.
Heights are metres over the middle of the eye, along Z; all is linear in coefficients bar the bend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, IntArray
from ..anny.file import AnnyArrays
from ..surface import Surface
from .eyes import gaps, middle

SIDES = ("left", "right")
_EDGE = (0.0014, 0.0024)
"""Metres in front of the eye that the edge of a lid is."""
_UNDER_PUPIL = 0.0030
"""Metres beside the eye's middle, of the part of an edge that counts."""


@dataclass(frozen=True)
class _Bend:
    """A range of heights, metres: its middle and half of it, and over how much it is reached."""

    middle: float
    half: float
    slope: float

    def __call__(self, height: FloatArray) -> FloatArray:
        """Heights, bent into the range smoothly and in their order."""
        return self.middle + self.half * np.tanh((height - self.middle) / self.slope)


# An upper lid hides the top of the iris, whose radius is 5.6 mm; a lower one touches its lower rim.
# The normal ones of adults: 3 to 5 mm above the pupil's middle, 5 to 6 mm below it.
_UPPER, _LOWER = _Bend(0.0039, 0.0008, 0.0015), _Bend(-0.0058, 0.0006, 0.0012)
MOVERS = {"upper": ("eyeWide", _UPPER), "lower": ("eyeSquint", _LOWER)}
"""Edge -> the expression that moves it, and the range of its height."""


@dataclass(frozen=True)
class _Edge:
    """One edge of one eye's lids: height = at_rest + coefficients @ by_shape; what moves it."""

    at_rest: float
    by_shape: Annotated[FloatArray, "K"]
    column: int  # of the expression, among coefficients
    reach: float  # metres by which that moves it
    bend: _Bend


class Lids:
    """What heads' coefficients owe to lids that are open."""

    def __init__(
        self,
        anny: AnnyArrays,
        expressions: Mapping[str, int],
        frame_points: Annotated[IntArray, "F 4"],
        frame_weights: Annotated[Float32Array, "F 4"],
    ) -> None:
        """Of a head whose last F vertices are fitted; expressions: name -> its coefficient."""
        shapes = anny.shapes.reshape(len(anny.shapes), -1, 3)[..., 2].astype(np.float64)
        template = anny.template[:, 2].astype(np.float64)
        first = len(anny.surface.part) - len(frame_points)
        self._edges: list[tuple[int, _Edge]] = []
        for side in SIDES:
            blink = expressions[f"eyeBlink{side.capitalize()}"]
            cornea, share, about = middle_of_eye(anny.surface, side)
            points = frame_points[cornea - first]
            weights = share[:, None] * frame_weights[cornea - first]
            eye = (shapes[:, points] * weights).sum((1, 2))
            eye_at_rest = float((template[points] * weights).sum())
            for name, rows in edges_of_lids(anny.surface, side, about).items():
                expression, bend = MOVERS[name]
                column = expressions[f"{expression}{side.capitalize()}"]
                by_shape = shapes[:, rows].mean(1) - eye
                reach = float(by_shape[column])
                by_shape[list(expressions.values())] = 0.0
                at_rest = float(template[rows].mean()) - eye_at_rest
                self._edges.append((blink, _Edge(at_rest, by_shape, column, reach, bend)))
        self._by_shape = np.stack([edge.by_shape for _, edge in self._edges], axis=1)
        self._at_rest = np.array([edge.at_rest for _, edge in self._edges])

    def heights(self, coefficients: Annotated[FloatArray, "N K"]) -> Annotated[FloatArray, "N 4"]:
        """Where shapes alone put the edges (N, 4): upper and lower of the left eye, of the right
        one."""
        return np.asarray(coefficients @ self._by_shape + self._at_rest)

    def open(self, coefficients: Annotated[FloatArray, "N K"]) -> None:
        """Add to coefficients (N, K) what opens lids; the less, the more they blink."""
        heights = self.heights(coefficients)
        for (blink, edge), height in zip(self._edges, heights.T, strict=True):
            awake = np.clip(1.0 - coefficients[:, blink], 0.0, 1.0)
            coefficients[:, edge.column] += awake * (edge.bend(height) - height) / edge.reach


def middle_of_eye(
    surface: Surface, side: str
) -> tuple[IntArray, Annotated[FloatArray, "C"], Annotated[FloatArray, "3"]]:
    """An eye's vertices (C,), their weights in its middle (C,), and its middle (3,) at rest."""
    rows = np.flatnonzero(surface.vertices_of(f"cornea_{side}"))
    rest = surface.rest_position[rows].astype(np.float64)
    about = middle(rest, surface.gaze[rows].astype(np.float64))
    ones = np.ones((len(rows), 1))
    return rows, np.append(about, 1.0) @ np.linalg.pinv(np.hstack([rest, ones])), about


def edges_of_lids(surface: Surface, side: str, about: FloatArray) -> dict[str, IntArray]:
    """Vertices of the upper and of the lower lid's edge over and under the pupil."""
    rest = surface.rest_position.astype(np.float64)
    near = surface.vertices_of("skin") & (rest[:, 1] < about[1] - 0.012)
    near &= (np.abs(rest[:, 0] - about[0]) < _UNDER_PUPIL) & (
        np.abs(rest[:, 2] - about[2]) < 0.0075
    )
    rows = np.flatnonzero(near)
    gap = gaps(rest[rows], rest[surface.vertices_of(f"cornea_{side}")], about)
    rows = rows[(gap > _EDGE[0]) & (gap < _EDGE[1])]
    above = rest[rows, 2] > about[2]
    return {"upper": rows[above], "lower": rows[~above]}
