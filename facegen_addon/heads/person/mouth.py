# SPDX-License-Identifier: GPL-3.0-or-later
"""The `person` head's mouth: where its teeth stand behind the lips, and the colours inside.

MakeHuman's teeth stand so high and so far back that no smile shows them. RGB is linear; all
constants are chosen by eye.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...arrays import Float32Array, IntArray, RealArray
from ..appearance import smoothstep
from ..surface import Surface

FRAME_ARM = 0.01
"""Metres from the first point of a frame to its three others, along the axes, at rest."""
_UPPER, _LOWER = 2, 3
"""Of the frames, those of the two rows of teeth."""
_MOVED = {_UPPER: (0.0, -0.0044, -0.0040), _LOWER: (0.0, -0.0028, -0.0032)}
"""Metres by which teeth and gums are moved, to the front and down."""
_WIDER = 1.08
"""How much wider the rows are made."""

_LINE, _THIN = 0.66095, 0.0003
"""Height of the line between the lips at rest, and metres from there over which a side begins."""
_GAP = 0.0018
"""Metres by which the lips are apart towards the corners, and a little more."""
_GAPING, _CORNER, _FADING = (0.008, 0.022), (0.0262, 0.0244), (0.0060, 0.0008)
"""Metres from the middle over which the gap opens, and ends at the corner; and from the line over
which the lips' outer edges stay as they are."""

_ENAMEL = np.array([0.80, 0.74, 0.63])
_GUMS = np.array([0.42, 0.135, 0.125])
_TONGUE = np.array([0.44, 0.15, 0.135])
_CHEEKS, _THROAT = np.array([0.42, 0.135, 0.12]), np.array([0.24, 0.045, 0.04])
_BACK, _SHADED = (0.005, 0.015), 0.2
"""Metres behind the front teeth over which all lie in the shade of the cheeks, where viewports cast
no shadows, and how light they are there."""
_DEPTH = (0.012, 0.050)
"""Metres behind the teeth over which the mouth's lining darkens to the throat."""


def moved_teeth(
    frame: Annotated[IntArray, "F"],
    weights: Annotated[Float32Array, "F 4"],
    rest: Annotated[Float32Array, "V 3"],
) -> tuple[Annotated[Float32Array, "F 4"], Annotated[Float32Array, "V 3"]]:
    """Weights (F, 4) of frames' points, and positions at rest (V, 3), of teeth as they should
    stand; ``frame`` (F,) is each fitted vertex's, the last of V."""
    weights, rest = weights.copy(), rest.copy()
    fitted = rest[len(rest) - len(frame) :]
    for number, by in _MOVED.items():
        rows = np.flatnonzero(frame == number)
        share = np.tile(np.array(by, np.float32) / FRAME_ARM, (len(rows), 1))
        share[:, 0] += (_WIDER - 1.0) * weights[rows, 1]
        weights[rows, 1:] += share
        weights[rows, 0] -= share.sum(1)
        fitted[rows] += FRAME_ARM * share
    return weights, rest


def touching_lips(
    rest: Annotated[Float32Array, "V 3"], lips: Annotated[RealArray, "V"]
) -> Annotated[Float32Array, "V 3"]:
    """What has to be added to positions at rest (V, 3) so that lips, a mask (V,), touch up to their
    corners, where MakeHuman's leave a gap that is black."""
    x, above = np.abs(rest[:, 0]), rest[:, 2] - _LINE
    gap = _GAP * smoothstep(*_GAPING, x) * smoothstep(*_CORNER, x)
    side = np.clip(above / _THIN, -1.0, 1.0) * smoothstep(*_FADING, np.abs(above))
    added = np.zeros_like(rest)
    added[:, 2] = np.where(lips > 0.0, -0.5 * gap * side, 0.0)
    return added


def paint(colours: RealArray, surface: Surface) -> None:
    """Paint teeth, gums, tongue and the mouth's lining into vertex colours (V, 3)."""
    rest = surface.rest_position
    teeth = surface.vertices_of("teeth")
    front = rest[teeth, 1].min()
    for part, colour in ((teeth, _ENAMEL), (surface.vertices_of("gums"), _GUMS)):
        inside = smoothstep(*_BACK, rest[part, 1] - front)[:, None]
        colours[part] = colour * (1.0 + (_SHADED - 1.0) * inside)
    colours[surface.vertices_of("tongue")] = _TONGUE
    lining = np.flatnonzero(surface.vertices_of("skin") & (surface.masks["mouth"] > 0.0))
    depth = smoothstep(*_DEPTH, rest[lining, 1] - front)
    inside = _CHEEKS + depth[:, None] * (_THROAT - _CHEEKS)
    amount = surface.masks["mouth"][lining][:, None]
    colours[lining] += amount * (inside - colours[lining])
