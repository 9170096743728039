# SPDX-License-Identifier: GPL-3.0-or-later
"""Lids of people who are awake, on heads whose expressions are Anny's, as the open head's are.

Shapes alone close lids to slits. `person` opens them where it computes vertices; here vertices are
the file's, so what opens them are the expressions that a head is drawn with.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from ..flame.dressing import to_house
from ..flame.file import FlameArrays
from ..person.lids import MOVERS, SIDES, edges_of_lids, middle_of_eye
from ..surface import Surface

_UP = 2


class AwakeLids:
    """Which expressions open the lids of heads, by their identity components (N, K)."""

    def __init__(self, flame: FlameArrays, surface: Surface, expressions: list[str]) -> None:
        """Of a model with the vertices of a surface; expressions: names, in the file's order."""
        self._edges = []
        for side in SIDES:
            cornea, share, about = middle_of_eye(surface, side)
            for name, rows in edges_of_lids(surface, side, about).items():
                expression, bend = MOVERS[name]
                number = expressions.index(f"{expression}{side.capitalize()}")
                vertices = np.concatenate([rows, cornea])
                shares = np.concatenate([np.full(len(rows), 1.0 / len(rows)), -share])
                near = to_house(flame.shape_basis[vertices].transpose(2, 0, 1))[..., _UP]
                reach = to_house(flame.expression_basis[vertices, :, number])[:, _UP] @ shares
                at_rest = to_house(flame.template[vertices])[:, _UP] @ shares
                self._edges.append((expressions[number], at_rest, near @ shares, reach, bend))

    def expressions(
        self, components: Annotated[FloatArray, "N K"]
    ) -> dict[str, Annotated[FloatArray, "N"]]:
        """Name -> strength (N,) in [0, 1] of what opens lids."""
        found = {}
        for name, at_rest, by_shape, reach, bend in self._edges:
            height = at_rest + components @ by_shape
            found[name] = np.clip((bend(height) - height) / reach, 0.0, 1.0)
        return found
