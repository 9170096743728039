# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head's mathematics: Anny's, and parts that are carried along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, IntArray, RealArray
from ..anny.model import Anny
from ..surface import Surface
from .ageing import Ageing
from .file import PersonArrays
from .lids import Lids
from .resting import RestingFace

LIPS_CLOSED = 0.055
"""How much of mouthClose every head has: MakeHuman's lips leave a slit that shows the teeth."""
LASH_LENGTH = "lash_length"
_SHORTEST, _GROWTH = 0.55, 1.0
"""Length of lashes at 0, as a share of what they are modelled with, and what is added at 1."""

_LOWER_LASHES = 0.55
"""Length of the lower lid's lashes, as a share of what they are modelled with."""


@dataclass(frozen=True)
class Lashes:
    """The lashes of a surface.

    rows (L,): their vertices; lids (L,): the vertex of the lids that each grows from; share (L,):
    its length, of what it is modelled with.
    """

    rows: Annotated[IntArray, "L"]
    lids: Annotated[IntArray, "L"]
    share: Annotated[FloatArray, "L"]

    @classmethod
    def of(cls, surface: Surface) -> Lashes:
        """Those of a surface that has some."""
        rest = surface.rest_position
        skin = np.flatnonzero(surface.vertices_of("skin") & (surface.masks["lid"] > 0))
        rows = np.flatnonzero(surface.vertices_of("lashes"))
        apart = np.linalg.norm(rest[rows, None] - rest[skin], axis=2)
        is_lower = rest[rows, 2] < rest[rows, 2].mean()
        return cls(rows, skin[apart.argmin(1)], np.where(is_lower, _LOWER_LASHES, 1.0))

    def growth(self, length: Annotated[FloatArray, "N"]) -> Annotated[FloatArray, "N L"]:
        """How much of their modelled length they gain (N, L) by values of their slider (N,)."""
        return (_SHORTEST + _GROWTH * length)[:, None] * self.share - 1.0


class Person(Anny):
    """Anny's model whose vertices are followed by those of eyes, teeth and gums; a resting face."""

    def __init__(self, person: PersonArrays) -> None:
        super().__init__(person.anny)
        self._person = person
        table = person.anny.table
        self._resting = RestingFace(table)
        self._ageing = Ageing(table)
        actions = table.columns("expression")
        last = len(person.anny.shapes) - actions[-1] - 1
        expressions = {table.names[column]: last + column for column in actions}
        self._closing = expressions["mouthClose"]
        self._awake = Lids(person.anny, expressions, person.frame_points, person.frame_weights)
        self._lashes = Lashes.of(person.anny.surface)
        self._lash_length = table.index(LASH_LENGTH)

    def coefficients(
        self, rows: Annotated[FloatArray, "N P"], before: Annotated[FloatArray, "N K"] | None = None
    ) -> Annotated[FloatArray, "N K"]:
        """Anny's, of faces that age; the lips touch, the resting face adds to expressions, of which
        none exceeds its whole, and lids are open as of people who are awake."""
        found = super().coefficients(self._ageing.aged(rows), before)
        found[:, self._closing] += LIPS_CLOSED
        resting = self._resting.expressions(rows)
        moved = found[:, -resting.shape[1] :]
        np.minimum(moved + resting, np.maximum(moved, 1.0), out=moved)
        self._awake.open(found)
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
        lashes, lids = self._lashes.rows, self._lashes.lids
        reach = (template[lashes] + offsets[:, lashes]) - (template[lids] + offsets[:, lids])
        more = self._lashes.growth(rows[:, self._lash_length])
        changed[:, lashes] += more[..., None] * reach
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
