# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of skin, eyes and hair that have a name: what a head of `person` is painted by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import numpy as np

from ..arrays import FloatArray, RealArray
from ..errors import UserError
from .hair.colour import mixed_colour
from .parameters import ParameterTable
from .person.eyes import iris_colour
from .skin.colour import srgb_of_linear, tone

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Swatch:
    """values: of the parameters that make the colour; rgb: what it looks like, sRGB 0 to 1."""

    name: str
    values: Mapping[str, float]
    rgb: Rgb


_SKINS = {
    "Porcelain": 0.02, "Fair": 0.1, "Light": 0.2, "Medium": 0.32, "Tan": 0.45, "Brown": 0.6,
    "Dark": 0.78, "Deep": 0.96,
}  # fmt: skip
"""Name -> skin_melanin."""
_EYES = {
    "Blue": (0.05, 0.05), "Grey": (0.15, 0.35), "Green": (0.25, 0.9), "Hazel": (0.45, 0.6),
    "Amber": (0.55, 0.25), "Light Brown": (0.65, 0.2), "Brown": (0.8, 0.15),
    "Dark Brown": (0.96, 0.1),
}  # fmt: skip
"""Name -> iris_melanin, iris_green."""
_HAIRS = {
    "Platinum": (0.05, 0.05, 0.0), "Blond": (0.2, 0.15, 0.0), "Dark Blond": (0.36, 0.2, 0.0),
    "Copper": (0.33, 0.9, 0.0), "Auburn": (0.55, 0.7, 0.0), "Light Brown": (0.5, 0.25, 0.0),
    "Brown": (0.66, 0.22, 0.0), "Dark Brown": (0.82, 0.2, 0.0), "Black": (0.98, 0.15, 0.0),
    "Grey": (0.8, 0.15, 0.55), "White": (0.5, 0.1, 1.0),
}  # fmt: skip
"""Name -> hair_melanin, hair_redness, hair_grey."""
KINDS = ("skin", "eyes", "hair")


def _hair(melanin: float, redness: float, grey: float) -> dict[str, float]:
    """Hair, and the brows and beard that go with it: brows are a little darker than fair hair."""
    return {
        "hair_melanin": melanin,
        "hair_redness": redness,
        "hair_grey": grey,
        "brow_melanin": max(melanin, 0.35),
        "brow_grey": 0.7 * grey,
        "beard_redness": redness,
        "beard_grey": grey,
    }


@cache
def swatches(kind: str) -> tuple[Swatch, ...]:
    """The swatches of one of KINDS."""
    if kind == "skin":
        return tuple(
            Swatch(name, {"skin_melanin": melanin}, _code(np.exp(tone(melanin))))
            for name, melanin in _SKINS.items()
        )
    if kind == "eyes":
        return tuple(
            Swatch(
                name,
                {"iris_melanin": melanin, "iris_green": green},
                _code(np.asarray(iris_colour(melanin, green))),
            )
            for name, (melanin, green) in _EYES.items()
        )
    if kind == "hair":
        return tuple(
            Swatch(name, _hair(*values), _code(np.asarray(mixed_colour(_hair(*values)))))
            for name, values in _HAIRS.items()
        )
    raise UserError(f"unknown kind of swatches {kind!r}; choose from {', '.join(KINDS)}")


def painted(
    table: ParameterTable, parameters: Annotated[FloatArray, "P"], kind: str, name: str
) -> Annotated[FloatArray, "P"]:
    """Parameters (P,) of a head in a colour; UserError if there is none of this name."""
    chosen = next((swatch for swatch in swatches(kind) if swatch.name == name), None)
    if chosen is None:
        names = ", ".join(swatch.name for swatch in swatches(kind))
        raise UserError(f"unknown colour of {kind} {name!r}; choose from {names}")
    result = parameters.copy()
    for row, value in chosen.values.items():
        result[table.index(row)] = value
    return result


def nearest(values: Mapping[str, float], kind: str) -> str:
    """Name of the swatch nearest to these values of the parameters by which its colour is named."""
    names = {"skin": ("skin_melanin",), "eyes": ("iris_melanin", "iris_green")}.get(
        kind, ("hair_melanin", "hair_redness", "hair_grey")
    )
    return min(
        swatches(kind),
        key=lambda swatch: sum((swatch.values[name] - values[name]) ** 2 for name in names),
    ).name


def nearest_by_look(linear: Annotated[RealArray, "3"], kind: str) -> Swatch:
    """The swatch that looks most like a colour (3,), linear RGB; differences are those of sRGB."""
    wanted = np.array(_code(linear))
    return min(swatches(kind), key=lambda swatch: float(np.abs(wanted - swatch.rgb).sum()))


def _code(linear: RealArray) -> Rgb:
    red, green, blue = (float(value) for value in srgb_of_linear(np.clip(linear, 0.0, 1.0)))
    return red, green, blue
