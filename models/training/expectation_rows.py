# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the talk's expectation: how much of the `person` head's look is free.

Rows are cumulative. What a row does not free is the same for all its heads: absent where a head
can be without it (brows, hair, beards, lines, marks, a smile), else the prior's mean (a colour, a
skin). So the first row has bald and browless heads of one colour, the last one complete ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated

import numpy as np

from facegen_addon.arrays import BoolArray, Float32Array, RealArray
from facegen_addon.heads.face_hair.parameters import FACE_HAIR_NAMES
from facegen_addon.heads.hair.parameters import HAIR_NAMES
from facegen_addon.heads.parameters import ParameterTable
from facegen_addon.heads.skin.parameters import SKIN_NAMES
from models.training.pairs import quantised


@dataclass(frozen=True)
class Part:
    """A part of a look: its parameters' names, and what they are while it is held.

    absent: name -> value; all other parameters of the part stay at the prior's mean.
    """

    title: str
    names: frozenset[str]
    absent: Mapping[str, float] = field(default_factory=dict)
    while_held: str = ""


_TONE = ("melanin", "redness", "carotene", "blotchiness", "gloss")
_OF_COLOUR = frozenset(
    (
        *(f"skin_{name}" for name in _TONE),
        *("cheek_blush", "eye_shadow", "lip_colour", "lip_darkness", "iris_melanin", "iris_green"),
    )
)
"""What Anny's colours were before there were skins, and carotene."""
_BEARD = frozenset(name for name in FACE_HAIR_NAMES if not name.startswith(("brow_", "lash_")))
_RESTING = frozenset(("resting_smile", "resting_lips", "resting_brows", "resting_lids"))
_MARKS = ("skin_lines", "skin_pores", "skin_freckles", "skin_moles", "skin_spots")


def _none(*names: str) -> dict[str, float]:
    return dict.fromkeys(names, 0.0)


LOOKS: Mapping[str, Part] = {
    "colours": Part(
        "+ today's colours", _OF_COLOUR, while_held="all skins, lips and irises of the mean colour"
    ),
    "skin": Part(
        "+ skin",
        SKIN_NAMES - _OF_COLOUR - {"beard_shadow"},
        _none(*_MARKS),
        "the mean skin without lines, pores and marks",
    ),
    "brows": Part(
        "+ brows and lashes",
        frozenset(FACE_HAIR_NAMES) - _BEARD,
        _none("brow_density", "lash_density", "lash_length"),
        "no brows, lashes as faint and short as they get",
    ),
    "hair": Part("+ hair", HAIR_NAMES, _none("hair_density"), "no hair, nor its shade"),
    "beard": Part(
        "+ facial hair",
        _BEARD | {"beard_shadow"},
        _none(
            "beard_density", "moustache_density", "beard_sideburns", "soul_patch", "beard_shadow"
        ),
        "no beard, nor its shadow",
    ),
    "expression": Part(
        "+ expression", _RESTING, _none(*_RESTING), "faces at rest without an expression"
    ),
}
"""Key -> part, in the order in which the table frees them; shapes are always free."""

SHAPE = "shape"
KEYS = (SHAPE, *LOOKS)


@dataclass(frozen=True)
class Row:
    """One row; G guided parameters of the head model, F of them free.

    free (G,); held (G,): standard units of what is not free, zero elsewhere.
    """

    key: str
    title: str
    free: Annotated[BoolArray, "G"]
    held: Annotated[Float32Array, "G"]

    def heads(self, z: Annotated[RealArray, "N F"]) -> Annotated[Float32Array, "N G"]:
        """Whole heads (N, G) of what is free of them."""
        whole = np.tile(self.held, (len(z), 1))
        whole[:, self.free] = z
        return quantised(whole)

    def held_of(self, z: Annotated[RealArray, "N G"]) -> Annotated[Float32Array, "N G"]:
        """Heads (N, G) with what is not free as all heads of the row have it."""
        return self.heads(z[:, self.free])

    def table(self, table: ParameterTable) -> ParameterTable:
        """The head model's table, in which only what is free is guided."""
        free = set(table.guided[self.free])
        return ParameterTable(
            replace(row, guided=column in free) for column, row in enumerate(table.parameters)
        )


def rows_of(table: ParameterTable) -> dict[str, Row]:
    """All rows of the `person` head's table: key -> row."""
    names = [table.names[column] for column in table.guided]
    held = dict.fromkeys(names, 0.0)
    for part in LOOKS.values():
        for name, value in part.absent.items():
            column = table.index(name)
            held[name] = (value - table.mean[column]) / table.std[column]
    rows = {}
    held_parts = dict(LOOKS)
    for key in KEYS:
        held_parts.pop(key, None)
        taken = frozenset[str]().union(*(part.names for part in held_parts.values()))
        free = np.array([name not in taken for name in names])
        values = np.where(free, 0.0, [held[name] for name in names])
        title = "shape alone" if key == SHAPE else LOOKS[key].title
        rows[key] = Row(key, title, free, quantised(values))
    return rows
