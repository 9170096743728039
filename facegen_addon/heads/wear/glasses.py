# SPDX-License-Identifier: GPL-3.0-or-later
"""Glasses sized by the eyes, laid before the face and over the ears.

Sizes are chosen by eye, in metres on a head whose eyes are `_EYES` apart; they grow with that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from .fitting import Fitting
from .pieces import Piece, grid, joined, piece, ribbon, tube

FRAME, LENS, DARK = 0, 1, 2
"""Slots of materials."""
_EYES = 0.062
_VERTEX_DISTANCE = 0.0125
"""From cornea to lens."""
_TILT, _WRAP = 0.11, 1.5
"""Lower edges lie nearer to the cheeks, by this share of the height; outer ones farther back, by
this many metres a square metre."""
_CLEAR = 0.0012
"""Metres between any skin and any frame."""
_NEAR = 0.0045
"""Skin that far beside a point, as seen from the front, is before or behind it."""
_POINTS = 44
"""Points of a rim."""


@dataclass(frozen=True)
class _Shape:
    """Half width and half height of a lens; its corners: 2 for a round, more for boxier; by how
    much its upper outer corner rises, and its lower inner one is cut; half width and half depth of
    the rim; which way the lens is made."""

    wide: float
    high: float
    box: float
    rim: tuple[float, float]
    lift: float = 0.0
    taper: float = 0.0
    lens: int = LENS
    low: float = 0.0


_SHAPES = {
    "round": _Shape(0.0228, 0.0222, 2.0, (0.0011, 0.0013)),
    "rectangular": _Shape(0.0262, 0.0168, 4.2, (0.0016, 0.0018), low=0.001),
    "cat_eye": _Shape(0.0264, 0.0182, 2.5, (0.0019, 0.0019), lift=0.0098, taper=0.14),
    "aviator": _Shape(0.0285, 0.0235, 2.5, (0.0008, 0.0009), taper=0.22, lens=DARK, low=0.004),
    "sunglasses": _Shape(0.0272, 0.0208, 3.2, (0.0024, 0.0021), 0.0022, 0.12, DARK, 0.002),
}
GLASSES = tuple(_SHAPES)


def glasses(fitting: Fitting, name: str) -> Piece:
    """Glasses of one of GLASSES on a head: frame and lenses."""
    shape = _SHAPES[name]
    eyes = np.array([fitting.part(f"eye_{side}").mean(0) for side in ("left", "right")])
    scale = float(eyes[0, 0] - eyes[1, 0]) / _EYES
    middle = eyes.mean(0)
    middle[2] -= shape.low * scale
    outline = scale * _outline(shape)
    apart = max(0.5 * scale * _EYES, scale * (shape.wide + 0.0085))
    rims = [_placed(middle, side, apart, outline, scale) for side in (1.0, -1.0)]
    front = min(fitting.part(f"cornea_{side}")[:, 1].min() for side in ("left", "right"))
    bridge = _bridge(middle, apart - shape.wide * scale, shape, scale)
    behind = front - _VERTEX_DISTANCE * scale
    ahead = _before_skin(fitting, np.concatenate([*rims, bridge]), behind)
    rims = [rim + ahead for rim in rims]
    across = np.array(shape.rim) * scale
    pieces = [tube(bridge + ahead, across * [1.0, 1.1], 8)]
    for rim, side in zip(rims, (1.0, -1.0), strict=True):
        pieces += [
            _rim(rim, across),
            _lens(rim, shape.lens),
            _arm(fitting, rim, side, shape, scale),
        ]
    return fitting.worn(joined(pieces))


def _outline(shape: _Shape) -> Annotated[FloatArray, "N 2"]:
    """Outwards and upwards from a lens's middle, counter-clockwise on the subject's left."""
    angle = np.linspace(0.0, 2.0 * np.pi, _POINTS, endpoint=False)
    cos, sin = np.cos(angle), np.sin(angle)
    out = shape.wide * np.sign(cos) * np.abs(cos) ** (2.0 / shape.box)
    up = shape.high * np.sign(sin) * np.abs(sin) ** (2.0 / shape.box)
    below = np.clip(-up / shape.high, 0.0, 1.0)
    out = out * (1.0 - shape.taper * below**1.5) + 0.3 * shape.taper * shape.wide * below**1.5
    corner = np.clip(out / shape.wide, 0.0, 1.0) ** 2 * np.clip(0.5 + up / shape.high, 0.0, 1.5)
    return np.stack([out, up + shape.lift * corner], axis=1)


def _placed(
    middle: FloatArray, side: float, apart: float, outline: FloatArray, scale: float
) -> FloatArray:
    """An outline before one eye (N, 3); its depth counts from zero."""
    out, up = outline.T
    x = side * (apart + out)
    depth = _WRAP / scale * x**2 - _TILT * up
    return np.stack([middle[0] + x, depth, middle[2] + up], axis=1)


def _bridge(middle: FloatArray, half: float, shape: _Shape, scale: float) -> FloatArray:
    """The arch from lens to lens (N, 3), its depth as the lenses' counts."""
    share = np.linspace(-1.0, 1.0, 13)
    up = scale * (0.34 * shape.high + 0.0032 * (1.0 - share**2))
    x = share * half * 1.04
    return np.stack([middle[0] + x, -0.0008 * scale - _TILT * up + 0 * x, middle[2] + up], axis=1)


def _before_skin(fitting: Fitting, points: FloatArray, behind: float) -> FloatArray:
    """How far to move (3,) what counts its depth from zero: to ``behind``, or before all skin."""
    skin = np.concatenate([fitting.bare, fitting.part("lashes")])
    skin = skin[skin[:, 1] < fitting.ears[:, 1].min()]
    beside = np.abs(points[:, None, [0, 2]] - skin[None][:, :, [0, 2]]).max(2) < _NEAR
    room = np.where(beside, skin[:, 1] - points[:, 1:2], np.inf).min()
    return np.array([0.0, min(behind, room - _CLEAR - 0.002), 0.0])


def _rim(rim: FloatArray, across: FloatArray) -> Piece:
    """A closed tube, its depth along the line of sight."""
    ahead = np.roll(rim, -1, 0) - np.roll(rim, 1, 0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    return ribbon(rim, ahead, np.array([0.0, -1.0, 0.0]), across, 8, closed=True, slot=FRAME)


def _lens(rim: FloatArray, slot: int) -> Piece:
    """A thin curved sheet."""
    middle = rim.mean(0)
    share = np.array([1.0, 0.66, 0.33, 0.0])[:, None, None]
    points = middle + share * (rim - middle)
    points[..., 1] -= 0.0016 * (1.0 - share[..., 0] ** 2)
    return piece(points, grid(4, len(rim), closed=True), slot=slot)


def _arm(fitting: Fitting, rim: FloatArray, side: float, shape: _Shape, scale: float) -> Piece:
    """From the outer edge of a lens over the ear and down behind it."""
    outer = rim[(side * rim[:, 0] + 0.5 * rim[:, 2]).argmax()]
    ear = fitting.ears[side * fitting.ears[:, 0] > 0]
    top, start = ear[:, 2].max(), ear[:, 1].min()
    back = ear[:, 1].max()
    over = np.array([0.0, start + 0.5 * (back - start), top - 0.004])
    hinge = outer + np.array([side * 0.003 * scale, 0.002, -0.001])
    share = np.linspace(0.0, 1.0, 14)[:, None]
    path = np.concatenate(
        [
            outer[None],
            hinge + share * (over - hinge),
            [[0.0, back - 0.002, top - 0.012], [0.0, back + 0.004, top - 0.03]],
        ]
    )
    reach = _beside(fitting, path[2:], side)
    # Straight from the hinge to where the ear begins, bent outwards where the temple is wider.
    straight = np.linspace(side * hinge[0], reach[10:].max(), len(reach))
    path[2:, 0] = side * np.maximum(straight, _widened(reach))
    high = np.interp(np.linspace(0, 1, len(path)), [0, 0.8, 1], [1.7, 1.4, 1.0]) * shape.rim[0]
    sizes = np.stack([np.full(len(path), 0.75 * shape.rim[1]), high], axis=1) * scale
    return tube(path, sizes, 8, slot=FRAME)


def _beside(fitting: Fitting, path: FloatArray, side: float) -> FloatArray:
    """How far out each point (N, 3) of an arm has to lie to be over the skin, metres."""
    skin = fitting.bare[side * fitting.bare[:, 0] > 0.02]
    near = np.abs(path[:, None, 1:] - skin[None, :, 1:]).max(2) < 0.009
    reach = np.where(near, side * skin[:, 0], 0.0).max(1)
    return reach + _CLEAR + 0.0018


def _widened(reach: FloatArray) -> FloatArray:
    """Never less than these, and without corners."""
    padded = np.pad(reach, 1, mode="edge")
    return np.maximum(reach, 0.5 * (padded[:-2] + padded[2:]))
