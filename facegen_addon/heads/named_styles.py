# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks of a part of a head that have a name, such as a bob or a goatee."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from ..arrays import BoolArray, FloatArray
from ..errors import UserError
from .head_model import HeadModel


def styled(
    model: HeadModel, parameters: Annotated[FloatArray, "P"], kind: str, name: str
) -> Annotated[FloatArray, "P"]:
    """Parameters (P,) of a head in a style of this kind and name; UserError if there is none."""
    styles = model.named_styles.get(kind)
    if styles is None:
        raise UserError(f"model {model.name!r} has no styles of {kind}; choose model 'person'")
    if name not in styles:
        raise UserError(f"unknown style of {kind} {name!r}; choose from {', '.join(styles)}")
    result = parameters.copy()
    for row, value in styles[name].items():
        result[model.table.index(row)] = value
    return result


def name_of_style(
    model: HeadModel,
    parameters: Annotated[FloatArray, "P"] | Sequence[float],
    kind: str,
    free: Annotated[BoolArray, "P"],
) -> str:
    """Name of the style of a kind that a head (P,) has, by its `free` (P,) sliders; empty if of
    none."""
    for name, values in model.named_styles.get(kind, {}).items():
        columns = {model.table.index(row): value for row, value in values.items()}
        judged = [column for column in columns if free[column]]
        if judged and all(abs(parameters[column] - columns[column]) < 1e-6 for column in judged):
            return name
    return ""
