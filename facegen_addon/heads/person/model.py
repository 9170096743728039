# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head's mathematics: Anny's, and parts that are carried along."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, IntArray, RealArray
from ..anny.model import Anny
from ..surface import Surface
from .file import PersonArrays
from .resting import RestingFace

LIPS_CLOSED = 0.045
"""How much of mouthClose every head has: MakeHuman's lips leave a slit that shows the teeth."""
LASH_LENGTH = "lash_length"
_SHORTEST, _GROWTH = 0.55, 1.0
"""Length of lashes at 0, as a share of what they are modelled with, and what is added at 1."""


def lids_of_lashes(surface: Surface) -> tuple[Annotated[IntArray, "L"], Annotated[IntArray, "L"]]:
    """A surface's lash vertices (L,), and the vertex of the lids that each grows from (L,)."""
    rest = surface.rest_position
    skin = np.flatnonzero(surface.vertices_of("skin") & (surface.masks["lid"] > 0))
    lashes = np.flatnonzero(surface.vertices_of("lashes"))
    apart = np.linalg.norm(rest[lashes, None] - rest[skin], axis=2)
    return lashes, skin[apart.argmin(1)]


def lash_growth(length: Annotated[FloatArray, "N"]) -> Annotated[FloatArray, "N"]:
    """How much of their modelled length lashes gain (N,) by these values of the slider (N,)."""
    return _SHORTEST + _GROWTH * length - 1.0


class Person(Anny):
    """Anny's model whose vertices are followed by those of eyes, teeth and gums; a resting face."""

    def __init__(self, person: PersonArrays) -> None:
        super().__init__(person.anny)
        self._person = person
        table = person.anny.table
        self._resting = RestingFace(table)
        actions = table.columns("expression")
        self._closing = len(person.anny.shapes) + table.index("mouthClose") - actions[-1] - 1
        self._lashes, self._lids = lids_of_lashes(person.anny.surface)
        self._lash_length = table.index(LASH_LENGTH)

    def coefficients(
        self, rows: Annotated[FloatArray, "N P"], before: Annotated[FloatArray, "N K"] | None = None
    ) -> Annotated[FloatArray, "N K"]:
        """Anny's; the lips touch, and the resting face adds to expressions, of which none exceeds
        its whole."""
        found = super().coefficients(rows, before)
        found[:, self._closing] += LIPS_CLOSED
        resting = self._resting.expressions(rows)
        moved = found[:, -resting.shape[1] :]
        np.minimum(moved + resting, np.maximum(moved, 1.0), out=moved)
        return found

    def posed(
        self, rows: Annotated[FloatArray, "N P"], coefficients: FloatArray, offsets: RealArray
    ) -> Annotated[Float32Array, "N V 3"]:
        """Vertices (N, V, 3) of parameters (N, P), their coefficients and Anny's offsets."""
        grown = self._with_lashes(rows, np.reshape(offsets, (len(rows), -1, 3)))
        flat = grown.reshape(len(rows), -1)
        return self.with_fitted(super().posed(rows, coefficients, flat))

    def _with_lashes(self, rows: FloatArray, offsets: RealArray) -> RealArray:
        """Offsets (N, D, 3) that make lashes as long as parameters (N, P) say."""
        template, changed = self.arrays.template, offsets.copy()
        lashes, lids = self._lashes, self._lids
        more = lash_growth(rows[:, self._lash_length])
        reach = (template[lashes] + offsets[:, lashes]) - (template[lids] + offsets[:, lids])
        changed[:, lashes] += more[:, None, None] * reach
        return changed

    @property
    def weights(self) -> Annotated[FloatArray, "V J"]:
        """Skinning weights (V, J): fitted vertices turn as the points do that carry them."""
        points = self._person.frame_points[:, 0]
        own = self.arrays.weights
        return np.concatenate([own[: self._person.direct], own[points]])

    def with_fitted(self, carriers: Float32Array) -> Float32Array:
        """Vertices (N, V, 3) of what Anny moves: all but the frames' points (N, 4 F, 3) at its end.

        A weighted mean is carried along by whatever moves its points alike.
        """
        person = self._person
        first = person.direct
        points = carriers[:, first:].reshape(len(carriers), -1, 4, 3)
        frame = (person.frame_points[:, 0] - first) // 4
        fitted = np.empty((len(carriers), len(frame), 3), np.float32)
        for number in range(points.shape[1]):
            rows = frame == number
            fitted[:, rows] = person.frame_weights[rows] @ points[:, number]
        return np.concatenate([carriers[:, :first], fitted], axis=1)
