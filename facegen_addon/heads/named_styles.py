# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks of a part of a head that have a name, such as a bob or a goatee."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from ..arrays import FloatArray
from ..errors import UserError
from .head_model import HeadModel


def styles_of(model: HeadModel, kind: str) -> Mapping[str, Mapping[str, float]]:
    """Name -> values of parameters, of one kind of style; UserError if the model has none."""
    styles = model.named_styles.get(kind)
    if styles is None:
        raise UserError(f"model {model.name!r} has no styles of {kind}; choose model 'person'")
    return styles


def styled(
    model: HeadModel, parameters: Annotated[FloatArray, "P"], kind: str, name: str
) -> Annotated[FloatArray, "P"]:
    """Parameters (P,) of a head in the style of this name; UserError if there is none."""
    styles = styles_of(model, kind)
    if name not in styles:
        raise UserError(f"unknown style of {kind} {name!r}; choose from {', '.join(styles)}")
    result = parameters.copy()
    for row, value in styles[name].items():
        result[model.table.index(row)] = value
    return result
