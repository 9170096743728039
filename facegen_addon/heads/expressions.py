# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions that have a name: points among ARKit's 52 units, chosen by eye.

Every unit that an expression does not name is at rest. Emotions follow what the faces of people do
(Ekman and Friesen, "Facial Action Coding System"), visemes are the fifteen that speech tools name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from ..arrays import BoolArray, FloatArray
from ..errors import UserError
from .parameters import ParameterTable

_SIDES = ("Left", "Right")


def _units(both: Mapping[str, float], /, **one: float) -> dict[str, float]:
    """Unit -> value; `both`: without a side, of both sides."""
    return {**{name + side: value for name, value in both.items() for side in _SIDES}, **one}


EMOTIONS: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    "smile": _units({"mouthSmile": 0.75, "cheekSquint": 0.5, "eyeSquint": 0.2}),
    "laugh": _units(
        {"mouthSmile": 1.0, "cheekSquint": 0.9, "eyeSquint": 0.5, "mouthUpperUp": 0.5},
        jawOpen=0.4,
        browInnerUp=0.15,
    ),
    "anger": _units(
        {"browDown": 1.0, "noseSneer": 0.8, "eyeSquint": 0.45, "mouthFrown": 0.6}
        | {"mouthPress": 0.6},
        mouthShrugLower=0.5,
        mouthRollUpper=0.4,
        jawForward=0.3,
    ),
    "fear": _units(
        {"eyeWide": 1.0, "mouthStretch": 1.0, "browOuterUp": 0.3, "mouthLowerDown": 0.3},
        browInnerUp=1.0,
        jawOpen=0.25,
    ),
    "surprise": _units(
        {"browOuterUp": 1.0, "eyeWide": 0.9}, browInnerUp=1.0, jawOpen=0.5, mouthFunnel=0.2
    ),
    "disgust": _units(
        {"noseSneer": 1.0, "browDown": 0.7, "mouthUpperUp": 0.8, "eyeSquint": 0.5}
        | {"mouthFrown": 0.6, "cheekSquint": 0.5},
        mouthShrugLower=0.5,
    ),
    "sadness": _units(
        {"mouthFrown": 1.0, "eyeSquint": 0.3, "eyeLookDown": 0.3, "eyeBlink": 0.15},
        browInnerUp=1.0,
        mouthShrugLower=0.8,
    ),
    "contempt": _units(
        {"eyeSquint": 0.3},
        mouthSmileLeft=0.8,
        mouthDimpleLeft=1.0,
        mouthPressRight=0.6,
        browDownRight=0.5,
        noseSneerLeft=0.4,
    ),
    "doubt": _units(
        {"mouthFrown": 0.4, "mouthPress": 0.5},
        browOuterUpLeft=1.0,
        browDownRight=1.0,
        eyeSquintRight=0.4,
        mouthLeft=0.5,
    ),
    "pain": _units(
        {"browDown": 0.9, "eyeSquint": 0.9, "eyeBlink": 0.6, "cheekSquint": 1.0}
        | {"noseSneer": 0.7, "mouthStretch": 0.9, "mouthUpperUp": 0.6, "mouthLowerDown": 0.5},
        browInnerUp=0.6,
        jawOpen=0.12,
    ),
    "shout": _units(
        {"browDown": 0.9, "eyeWide": 0.4, "noseSneer": 0.7, "mouthUpperUp": 0.5}
        | {"mouthLowerDown": 0.6, "mouthStretch": 0.5},
        jawOpen=0.75,
    ),
    "kiss": _units({"eyeBlink": 0.25}, mouthPucker=1.0, mouthFunnel=0.2),
    "wink": _units(
        {"mouthSmile": 0.6},
        eyeBlinkLeft=1.0,
        cheekSquintLeft=0.9,
        browDownLeft=0.4,
        browOuterUpRight=0.5,
        mouthSmileLeft=0.85,
    ),
    "asleep": _units({"eyeBlink": 1.0}),
}

VISEMES: Mapping[str, Mapping[str, float]] = {
    "PP": _units({"mouthPress": 0.8}, mouthRollLower=0.7, mouthRollUpper=0.7),
    "FF": _units({"mouthUpperUp": 0.5}, mouthRollLower=1.0, jawOpen=0.08, mouthShrugUpper=0.3),
    "TH": _units({"mouthUpperUp": 0.3, "mouthLowerDown": 0.3}, jawOpen=0.2, tongueOut=0.55),
    "DD": _units({"mouthUpperUp": 0.35, "mouthLowerDown": 0.45, "mouthStretch": 0.2}, jawOpen=0.16),
    "kk": _units({"mouthUpperUp": 0.3, "mouthLowerDown": 0.3, "mouthStretch": 0.3}, jawOpen=0.28),
    "CH": _units({"mouthUpperUp": 0.3, "mouthLowerDown": 0.4}, mouthFunnel=0.85, jawOpen=0.08),
    "SS": _units({"mouthUpperUp": 0.4, "mouthLowerDown": 0.6, "mouthStretch": 0.6}, jawOpen=0.03),
    "nn": _units({"mouthUpperUp": 0.3, "mouthLowerDown": 0.3}, jawOpen=0.14),
    "RR": _units({"mouthLowerDown": 0.25}, mouthFunnel=0.55, mouthPucker=0.35, jawOpen=0.16),
    "aa": _units({"mouthUpperUp": 0.2, "mouthLowerDown": 0.3}, jawOpen=0.6),
    "E": _units({"mouthStretch": 0.5, "mouthUpperUp": 0.35, "mouthLowerDown": 0.4}, jawOpen=0.28),
    "ih": _units({"mouthSmile": 0.4, "mouthStretch": 0.4, "mouthLowerDown": 0.4}, jawOpen=0.16),
    "oh": _units({}, mouthFunnel=0.7, mouthPucker=0.4, jawOpen=0.38),
    "ou": _units({}, mouthPucker=0.95, mouthFunnel=0.4, jawOpen=0.12),
}
"""Without "sil", silence, which is neutral."""

_AS_VOWELS = {"ih": "I", "oh": "O", "ou": "U"}
SPEECH_SHAPES: Mapping[str, Mapping[str, float]] = {
    "viseme_sil": {},
    **{f"viseme_{_AS_VOWELS.get(name, name)}": units for name, units in VISEMES.items()},
}
"""The fifteen visemes by the names that speech tools look for on a mesh, in their order."""

EXPRESSIONS: Mapping[str, Mapping[str, float]] = {**EMOTIONS, **VISEMES}
_GAZE = tuple(f"eyeLook{way}{side}" for way in ("In", "Out", "Up", "Down") for side in _SIDES)
UNITS = frozenset({*_GAZE, *(name for units in EXPRESSIONS.values() for name in units)})
"""Units that names and gaze are made of."""


def has_units(table: ParameterTable) -> bool:
    """Whether a model's expression is made of ARKit's units."""
    return set(table.names) >= UNITS


def expressive(
    table: ParameterTable, parameters: Annotated[FloatArray, "P"], name: str
) -> Annotated[FloatArray, "P"]:
    """Parameters (P,) of a head with the expression of this name; UserError if there is none."""
    if name not in EXPRESSIONS:
        raise UserError(f"unknown expression {name!r}; choose from {', '.join(EXPRESSIONS)}")
    if not has_units(table):
        raise UserError("this model's expressions have no names: it has not ARKit's 52 units")
    result = parameters.copy()
    result[table.columns("expression")] = 0.0
    for unit, value in EXPRESSIONS[name].items():
        result[table.index(unit)] = value
    return result


def named_expression(
    table: ParameterTable,
    parameters: Annotated[FloatArray, "P"] | Sequence[float],
    free: Annotated[BoolArray, "P"],
) -> str:
    """Name of the expression that a head (P,) has, by its `free` (P,) units; empty if of none."""
    columns = table.columns("expression")
    chosen = columns[free[columns]]
    for name, units in EXPRESSIONS.items():
        if all(
            abs(parameters[column] - units.get(table.names[column], 0.0)) < 1e-6
            for column in chosen
        ):
            return name
    return ""


def gaze_of(
    table: ParameterTable, parameters: Annotated[FloatArray, "P"] | Sequence[float]
) -> tuple[float, float]:
    """Where both eyes of a head (P,) look, -1 to 1 each: to the right of the picture, and up."""

    def both(first: str, second: str) -> float:
        return 0.5 * float(parameters[table.index(first)] + parameters[table.index(second)])

    right = both("eyeLookOutLeft", "eyeLookInRight") - both("eyeLookInLeft", "eyeLookOutRight")
    up = both("eyeLookUpLeft", "eyeLookUpRight") - both("eyeLookDownLeft", "eyeLookDownRight")
    return right, up


def looking(
    table: ParameterTable, parameters: Annotated[FloatArray, "P"], right: float, up: float
) -> Annotated[FloatArray, "P"]:
    """Parameters (P,) of a head whose eyes look there together, -1 to 1 each, see `gaze_of`."""
    result = parameters.copy()
    ways = (
        (("OutLeft", "InRight"), right),
        (("InLeft", "OutRight"), -right),
        (("UpLeft", "UpRight"), up),
        (("DownLeft", "DownRight"), -up),
    )
    for units, amount in ways:
        for unit in units:
            result[table.index(f"eyeLook{unit}")] = max(amount, 0.0)
    return result
