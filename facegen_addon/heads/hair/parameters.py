# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair as rows of a head model's table, and how people wear it."""

from __future__ import annotations

from typing import Annotated

from ...arrays import FloatArray
from ..appearance_parameters import label_of
from ..parameters import Parameter, ParameterTable

_ROWS = (
    # name, lowest, prior mean, prior std, what it does; every highest is 1, none has a unit
    ("hair_density", 0.0, 0.85, 0.15, "Share of the scalp's strands that grow"),
    ("hair_recession", 0.0, 0.12, 0.15, "How far the hairline recedes, at the temples first"),
    ("hair_thinning", 0.0, 0.05, 0.15, "How bald crown and top are"),
    ("hair_top_length", 0.0, 0.60, 0.20, "Length on top: 3 mm, 8 at 0.2, 37 at 0.5, 450 at 1"),
    ("hair_side_length", 0.0, 0.50, 0.28, "Length at the sides, as on top"),
    ("hair_back_length", 0.0, 0.52, 0.28, "Length at the back, as on top; of a tail, too"),
    ("hair_layers", 0.0, 0.60, 0.30, "Long hair: 0 is cut at one height, 1 at one length"),
    ("hair_fringe", 0.0, 0.20, 0.30, "How much of the front falls onto the forehead"),
    ("hair_part", 0.0, 0.45, 0.30, "How much hair leaves a parting; else it turns about the crown"),
    ("hair_parting", -1.0, 0.0, 0.35, "Where the parting is, from the subject's right to left"),
    ("hair_back", -1.0, 0.10, 0.30, "Combed forward to slicked back"),
    ("hair_tuck", 0.0, 0.20, 0.25, "Tucked behind the ears"),
    ("hair_volume", 0.0, 0.35, 0.18, "How far it stands off the head"),
    ("hair_wave", 0.0, 0.25, 0.20, "Waves"),
    ("hair_curl", 0.0, 0.15, 0.25, "Curls, from ringlets to coils that stand"),
    ("hair_clumping", 0.0, 0.50, 0.18, "Strands join to locks"),
    ("hair_untidiness", 0.0, 0.25, 0.15, "How much strands go their own ways"),
    ("hair_tied", 0.0, 0.10, 0.25, "Drawn back to a knot"),
    ("hair_tie_height", 0.0, 0.50, 0.22, "Where the knot is, from the nape to the crown"),
    ("hair_bun", 0.0, 0.25, 0.30, "Behind the knot: a tail, or coiled to a bun"),
    ("hair_braid", 0.0, 0.10, 0.20, "Behind the knot: a tail, or a braid"),
    ("hair_melanin", 0.0, 0.65, 0.25, "Brown and black pigment: white blond to black"),
    ("hair_redness", 0.0, 0.25, 0.18, "Red pigment"),
    ("hair_grey", 0.0, 0.12, 0.22, "Share of strands without pigment"),
)

HAIR_NAMES = frozenset(name for name, *_ in _ROWS)

HAIR_HELP = {name: text for name, *_, text in _ROWS}
"""Name of a parameter -> what it does, in one line."""


def hair_parameters() -> list[Parameter]:
    """The rows of a head model whose hair is groomed; without unit."""
    return [
        Parameter(name, label_of(name), "hair", low, 1.0, mean, std, "", True)
        for name, low, mean, std, _ in _ROWS
    ]


def with_hair(table: ParameterTable) -> ParameterTable:
    """A table with these rows in the place of those of group "hair"."""
    others = [row for row in table.parameters if row.group != "hair"]
    first = next(i for i, row in enumerate(table.parameters) if row.group == "hair")
    return ParameterTable([*others[:first], *hair_parameters(), *others[first:]])


def hair_values(table: ParameterTable, parameters: Annotated[FloatArray, "P"]) -> dict[str, float]:
    """Name -> value of the hair's parameters of one head (P,)."""
    return {name: float(parameters[table.index(name)]) for name, *_ in _ROWS}
