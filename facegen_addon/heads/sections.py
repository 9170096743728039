# SPDX-License-Identifier: GPL-3.0-or-later
"""Where on the panel a parameter is looked for: one of four panels, and a named section of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

import numpy as np

from ..arrays import IntArray
from ..errors import UserError
from .parameters import Parameter, ParameterTable

WHO, FACE, HAIR, EXPRESSION = "who", "face", "hair", "expression"


@dataclass(frozen=True)
class Section:
    """A section of one of the panels WHO, FACE, HAIR and EXPRESSION."""

    panel: str
    title: str

    @property
    def key(self) -> str:
        """Its name among all sections, such as "face/Nose"."""
        return f"{self.panel}/{self.title}"


_BODY = Section(WHO, "Body and Ancestry")
_BONES, _BROWS = Section(FACE, "Brow Bones"), Section(HAIR, "Brows and Lashes")
_OF_GROUP = {
    "phenotype": _BODY,
    "skin": Section(WHO, "Skin"),
    "detail": Section(WHO, "Skin Detail"),
    "skull": Section(FACE, "Head and Forehead"),
    "forehead": Section(FACE, "Head and Forehead"),
    "eyes": Section(FACE, "Eyes"),
    "iris": Section(FACE, "Iris"),
    "nose": Section(FACE, "Nose"),
    "cheeks": Section(FACE, "Cheeks"),
    "mouth": Section(FACE, "Mouth"),
    "lips": Section(FACE, "Lips"),
    "chin": Section(FACE, "Jaw and Chin"),
    "ears": Section(FACE, "Ears"),
    "neck": Section(FACE, "Neck"),
    "shape": Section(FACE, "Shape Components"),
    "hair": Section(HAIR, "Hair"),
    "brow": _BROWS,
    "beard": Section(HAIR, "Beard"),
    "resting": Section(EXPRESSION, "At Rest"),
    "pose": Section(EXPRESSION, "Pose"),
}
_OF_UNIT = {
    "brow": Section(EXPRESSION, "Brows"),
    "eyeLook": Section(EXPRESSION, "Gaze"),
    "eye": Section(EXPRESSION, "Eyelids"),
    "nose": Section(EXPRESSION, "Nose and Cheeks"),
    "cheek": Section(EXPRESSION, "Nose and Cheeks"),
    "mouth": Section(EXPRESSION, "Mouth"),
    "jaw": Section(EXPRESSION, "Jaw and Tongue"),
    "tongue": Section(EXPRESSION, "Jaw and Tongue"),
}
"""Beginning of the name of one of ARKit's units -> its section; the first that fits."""
_ORDER = tuple(
    dict.fromkeys(
        (
            *(_OF_GROUP[group] for group in ("phenotype", "skin", "detail", "skull")),
            _BONES,
            *_OF_GROUP.values(),
            *_OF_UNIT.values(),
        )
    )
)
_COMPONENTS = Section(EXPRESSION, "Expression Components")
_LAST = (_OF_GROUP["resting"], _OF_GROUP["pose"])


def section_of(parameter: Parameter) -> Section:
    """The section that a parameter belongs to."""
    if parameter.group == "expression":
        units = (section for start, section in _OF_UNIT.items() if parameter.name.startswith(start))
        return next(units, _COMPONENTS)
    if parameter.name.startswith("eyebrows_"):
        return _BONES
    return _OF_GROUP.get(
        parameter.group, Section(FACE, parameter.group.replace("_", " ").capitalize())
    )


_TABLES = 16  # that are remembered: panels ask at every movement of the mouse


@lru_cache(4 * _TABLES)
def sections(table: ParameterTable, panel: str) -> tuple[Section, ...]:
    """The sections of a panel that a table has parameters for, in the order of the panel."""
    found = dict.fromkeys(section_of(parameter) for parameter in table.parameters)
    chosen = [section for section in found if section.panel == panel]
    places = {section: number for number, section in enumerate(_ORDER)}
    return tuple(
        sorted(
            chosen,
            key=lambda section: (
                section in _LAST,
                places.get(section, len(places)),
            ),
        )
    )


def section_columns(table: ParameterTable, key: str) -> Annotated[IntArray, "K"]:
    """Columns (K,) of the section of this key; UserError if the table has none such."""
    known = _columns(table)
    if key not in known:
        raise UserError(f"unknown section {key!r}: choose from {', '.join(known)}")
    return known[key]


@lru_cache(_TABLES)
def _columns(table: ParameterTable) -> Mapping[str, IntArray]:
    """Key of a section -> its columns (K,)."""
    columns: dict[str, list[int]] = {}
    for column, parameter in enumerate(table.parameters):
        columns.setdefault(section_of(parameter).key, []).append(column)
    return {key: np.array(found, np.intp) for key, found in columns.items()}
