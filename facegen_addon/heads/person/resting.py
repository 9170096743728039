# SPDX-License-Identifier: GPL-3.0-or-later
"""The expression that a face has at rest, as rows of the table: part of who somebody is.

Photos smile; where these rows take that up, identity need not. Recordings and expressions come on
top, so that they start from a resting face.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from ..appearance_parameters import label_of
from ..parameters import Parameter, ParameterTable

GROUP = "resting"

_BOTH = ("Left", "Right")
_ROWS = (
    # name, lowest, highest, prior mean, prior std, what it does; strengths are chosen by eye
    ("resting_smile", -0.3, 0.7, 0.12, 0.15, "Corners of the mouth: down or up"),
    ("resting_lips", 0.0, 0.6, 0.0, 0.12, "Lips: closed or parted, so that teeth show"),
    ("resting_brows", -0.4, 0.4, 0.0, 0.12, "Brows: knitted or raised"),
    ("resting_lids", -0.4, 0.4, 0.0, 0.08, "Lids: narrowed or wide"),
)
_RAISED = {
    "resting_smile": {"mouthSmile": 1.0, "cheekSquint": 0.4},
    "resting_lips": {"mouthUpperUp": 0.7, "mouthLowerDown": 0.5},
    "resting_brows": {"browOuterUp": 1.0, "browInnerUp": 0.5},
    "resting_lids": {"eyeWide": 1.0},
}
_LOWERED = {
    "resting_smile": {"mouthFrown": 1.0},
    "resting_brows": {"browDown": 1.0},
    "resting_lids": {"eyeSquint": 1.0},
}
"""Name of a row -> expressions that a positive and a negative value make, each with its share."""

RESTING_HELP = {name: text for name, *_, text in _ROWS}
"""Name of a parameter -> what it does, in one line."""


def with_resting(table: ParameterTable) -> ParameterTable:
    """A table with the rows of a resting face at its end; without unit."""
    rows = [
        Parameter(name, label_of(name), GROUP, low, high, mean, std, "", True)
        for name, low, high, mean, std, *_ in _ROWS
    ]
    return ParameterTable([*table.parameters, *rows])


class RestingFace:
    """What the rows of a table that has them add to its expressions."""

    def __init__(self, table: ParameterTable) -> None:
        expressions = [table.names[column] for column in table.columns("expression")]
        self._columns = [table.index(name) for name, *_ in _ROWS]
        self._raised, self._lowered = (_mixing(expressions, s) for s in (_RAISED, _LOWERED))

    def expressions(self, rows: Annotated[FloatArray, "N P"]) -> Annotated[FloatArray, "N A"]:
        """Strengths (N, A) of the expressions of resting faces (N, P)."""
        values = rows[:, self._columns]
        raised, lowered = np.maximum(values, 0.0), np.maximum(-values, 0.0)
        return np.asarray(raised @ self._raised + lowered @ self._lowered)


def _mixing(
    expressions: list[str], shares: Mapping[str, Mapping[str, float]]
) -> Annotated[FloatArray, "R A"]:
    """(R, A): the share that each row has in each expression, left and right alike."""
    mixing = np.zeros((len(_ROWS), len(expressions)))
    for row, (name, *_) in enumerate(_ROWS):
        for stem, share in shares.get(name, {}).items():
            for side in ("",) if stem in expressions else _BOTH:
                mixing[row, expressions.index(stem + side)] = share
    return mixing
