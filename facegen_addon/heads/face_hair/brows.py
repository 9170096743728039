# SPDX-License-Identifier: GPL-3.0-or-later
"""Brows: a line over each eye, its hairs, and their shade on the skin.

Metres; angles are radians from the direction outwards, upwards positive. A brow is laid out in
front view of the head without expression, relative to the eyes, and follows the skin from there.
All constants are chosen by eye, heights and gaps within what is usual on faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from ...random_streams import random_stream
from ..appearance import smoothstep

Values = Mapping[str, float]
"""Name of a parameter -> its value."""

HAIRS = 490
"""Of each brow; how many of them show is its density's."""
POINTS = 6

_HEIGHT, _HEIGHT_RANGE = 0.0188, 0.0045
"""Metres from the middle of the eye up to the brow's inner end, and what brow_height adds."""
_OWN = 0.35
"""How much the bone's own height counts against the usual one."""
_ARCH, _ARCH_RANGE = 0.0006, 0.0062
_TAIL, _TAIL_OF_ARCH = 0.0012, -0.12
"""Height of the outer end over the inner one, and what of the arch's height is added."""
_SLANT, _WAVE = 0.0055, 0.0016
_HEAD = 0.0017
"""Metres by which roots lie lower at the inner end, whose hairs stand upright: seen as a whole, a
brow is level."""
_INNER, _INNER_RANGE = -0.05, 1.27
"""Inner end as a share of the inner corner of the eye's distance from the middle."""
_OUTER, _OUTER_RANGE = 0.0005, 0.017
_HALF_HEIGHT, _HALF_HEIGHT_RANGE = 0.0014, 0.0040
_LENGTH, _LENGTH_RANGE = 0.0054, 0.0034
_RADIUS = 0.74e-4
_THINNING = np.array([0.95, 1.0, 0.95, 0.8, 0.6, 0.25])
_LIFT = np.array([-0.15, 0.25, 0.5, 0.62, 0.62, 0.5]) * 1e-3
"""Metres over the skin along a hair: it begins below."""
_BEGINS = 0.12  # margin of density over which a hair comes into being
_ASYMMETRY = 0.0022
_SHADE = 0.68


@dataclass(frozen=True)
class Eyes:
    """Where brows belong on a head without expression, front view, metres; left is x > 0.

    inner, outer (2,): distances of the corners of the right and of the left eye from x = 0;
    height (2,): the eyes' middles; bone (2,): how much higher over them than usual the bone is.
    """

    inner: FloatArray
    outer: FloatArray
    height: FloatArray
    bone: FloatArray


@dataclass(frozen=True)
class _Hairs:
    """Hairs of one brow, as of the other. along (S,) in [0, 1] from the inner end; across (S,) in
    [-1, 1], upper edge 1; rank (S,) as a StrandSet has it; own (S, 4): standard normal."""

    along: FloatArray
    across: FloatArray
    rank: FloatArray
    own: FloatArray


def _hairs() -> _Hairs:
    """Hairs spread evenly: a lattice that nobody sees (Roberts's sequence), ranked at random."""
    rng = random_stream(2026, "brows")
    number = np.arange(HAIRS)
    along = (0.5 + 0.7548776662466927 * number) % 1.0
    across = 2.0 * ((0.5 + 0.5698402909980532 * number) % 1.0) - 1.0
    return _Hairs(along, across, rng.random(HAIRS), rng.standard_normal((HAIRS, 4)))


_OF_ONE = _hairs()


@dataclass(frozen=True)
class Brows:
    """Both brows in front view of a head without expression, the right one first.

    path (2 S, POINTS, 2): x and z along each hair, metres; shown (2 S,) in [0, 1].
    """

    path: Annotated[FloatArray, "S 6 2"]
    shown: Annotated[FloatArray, "S"]


def ranks() -> tuple[Annotated[FloatArray, "S"], Annotated[FloatArray, "S 3"]]:
    """Rank (2 HAIRS,) and character (2 HAIRS, 3) of the hairs of both brows."""
    return np.tile(_OF_ONE.rank, 2), np.tile(_OF_ONE.own[:, :3], (2, 1))


def line(values: Values, along: FloatArray) -> FloatArray:
    """Height (...) of a brow's middle over its inner end, metres, at shares (...) of its length."""
    arch = _ARCH + _ARCH_RANGE * values["brow_arch"]
    tail = _TAIL + _TAIL_OF_ARCH * arch
    peak = 0.46 + 0.28 * values["brow_peak"]
    rise = arch * (1.0 - (1.0 - along / peak) ** 2)
    beyond = np.clip((along - peak) / (1.0 - peak), 0.0, None)
    fall = arch - (arch - tail) * beyond**1.7
    height = np.where(along < peak, rise, fall)
    height = height - _HEAD * smoothstep(0.3, 0.0, along)
    height = height + _SLANT * values["brow_slant"] * (along - 0.35)
    dip = np.sin(2.0 * np.pi * np.clip(along, 0.0, 1.0)) * (1.0 - along)
    return height - _WAVE * values["brow_wave"] * dip


def half_height(values: Values, along: FloatArray) -> FloatArray:
    """Metres from a brow's middle to its edge at shares (...) of its length."""
    full = _HALF_HEIGHT + _HALF_HEIGHT_RANGE * values["brow_thickness"]
    head = 0.72 + 0.28 * smoothstep(0.0, 0.22, along)
    tail = 1.0 - (0.12 + 0.62 * values["brow_taper"]) * smoothstep(0.38, 1.02, along)
    return full * head * tail


def _ends(values: Values, eyes: Eyes, side: int) -> tuple[float, float]:
    """Distance of the inner and of the outer end from the middle of the face, metres."""
    inner = float(eyes.inner[side]) * (_INNER + _INNER_RANGE * values["brow_gap"])
    outer = float(eyes.outer[side]) + _OUTER + _OUTER_RANGE * values["brow_length"]
    return inner, outer


def _base(values: Values, eyes: Eyes, side: int) -> float:
    """Height of the inner end, metres."""
    height = float(eyes.height[side]) + _HEIGHT + _OWN * float(eyes.bone[side])
    height += _HEIGHT_RANGE * values["brow_height"]
    return height + (side - 0.5) * _ASYMMETRY * values["brow_asymmetry"]


def lay_out(values: Values, eyes: Eyes) -> Brows:
    """The brows of a head."""
    paths = []
    for side in (0, 1):
        path = _one(values, *_ends(values, eyes, side))
        path[..., 1] += _base(values, eyes, side)
        paths.append(path * [2.0 * side - 1.0, 1.0])
    return Brows(np.concatenate(paths), np.tile(_shown(values), 2))


def _shown(values: Values) -> FloatArray:
    """How much of each hair is there, (HAIRS,) in [0, 1]: fewer at all edges."""
    along, across = _OF_ONE.along, np.abs(_OF_ONE.across)
    edge = 1.0 - 0.65 * smoothstep(0.5, 1.0, across)
    head = 0.35 + 0.65 * smoothstep(0.0, 0.16, along)
    tail = 1.0 - 0.55 * smoothstep(0.75, 1.0, along)
    wanted = 1.4 * values["brow_density"] * edge * head * tail
    shown: FloatArray = smoothstep(0.0, _BEGINS, wanted - _OF_ONE.rank)
    return shown


def _one(values: Values, inner: float, outer: float) -> FloatArray:
    """Hairs (S, POINTS, 2) of a left brow, metres from the middle and over the inner end."""
    hairs, unruly = _OF_ONE, values["brow_bushiness"]
    along, across = hairs.along, hairs.across
    x = inner + (outer - inner) * along
    z = line(values, along) + half_height(values, along) * across
    x = x + 0.0004 * hairs.own[:, 0]
    z = z + 0.00025 * hairs.own[:, 1]
    ahead = line(values, along + 0.02) - line(values, along - 0.02)
    slope = np.arctan2(ahead, 0.04 * (outer - inner))
    # Upwards at the inner end, outwards along the body, and the upper edge down to meet the lower.
    upright = 0.62 * smoothstep(0.24, 0.0, along) + 0.50 * smoothstep(0.85, 0.2, along)
    meeting = (0.30 * across + 0.04) * smoothstep(0.08, 0.3, along)
    angle = slope + np.minimum(upright, 1.45) - meeting
    angle = angle + (0.10 + 0.16 * unruly) * hairs.own[:, 2]
    length = (_LENGTH + _LENGTH_RANGE * unruly) * (1.0 - 0.25 * smoothstep(0.6, 1.0, along))
    length = length * (0.62 + 0.38 * smoothstep(0.0, 0.25, along)) * _slender(values)
    length = length * np.clip(1.0 + (0.16 + 0.1 * unruly) * hairs.own[:, 3], 0.5, 1.6)
    # They bend towards the line.
    bend = -0.55 * smoothstep(0.3, 1.3, angle - slope) - 0.12 * across
    step = np.arange(1, POINTS) / (POINTS - 1) - 0.5 / (POINTS - 1)
    turned = angle[:, None] + bend[:, None] * step
    path = np.zeros((HAIRS, POINTS, 2))
    stride = (length / (POINTS - 1))[:, None]
    path[:, 1:, 0] = np.cumsum(np.cos(turned) * stride, axis=1)
    path[:, 1:, 1] = np.cumsum(np.sin(turned) * stride, axis=1)
    return path + np.stack([x, z], axis=1)[:, None]


def _slender(values: Values) -> float:
    """Share of their length that hairs of a thin, plucked brow have."""
    return float(0.76 + 0.24 * smoothstep(0.0, 0.45, np.array(values["brow_thickness"])))


def radius(shown: Annotated[FloatArray, "S"]) -> Annotated[FloatArray, "S 6"]:
    """Radius (S, POINTS) of hairs, metres."""
    return _RADIUS * shown[:, None] * _THINNING


def lift(values: Values) -> Annotated[FloatArray, "S 6"]:
    """Metres (2 HAIRS, POINTS) that hairs are above the skin."""
    own = np.clip(1.0 + 0.3 * np.tile(_OF_ONE.own[:, 0], 2), 0.4, 1.8)[:, None]
    return _LIFT * np.where(_LIFT > 0, own * (0.7 + 1.1 * values["brow_bushiness"]), 1.0)


def shade(
    values: Values, eyes: Eyes, seen: Annotated[FloatArray, "M 2"], blur: float
) -> Annotated[FloatArray, "M"]:
    """How much of the brows' colour the skin under them has, (M,) in [0, 1], at x and z (M, 2) of
    the head without expression; ``blur`` metres around its edges."""
    amount = np.zeros(len(seen))
    for side in (0, 1):
        inner, outer = _ends(values, eyes, side)
        along = ((2.0 * side - 1.0) * seen[:, 0] - inner) / (outer - inner)
        held = np.clip(along, 0.0, 1.0)
        away = np.abs(seen[:, 1] - _base(values, eyes, side) - line(values, held))
        half = half_height(values, held)
        across = smoothstep(1.0, 0.0, np.clip((away - half + blur) / (2.0 * blur), 0.0, 1.0))
        margin = blur / (outer - inner)
        ends = smoothstep(-margin, 0.12 + margin, along) * smoothstep(1.0 + margin, 0.8, along)
        amount = np.maximum(amount, across * ends)
    return _SHADE * values["brow_density"] * amount
