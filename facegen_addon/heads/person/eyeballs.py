# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of the `person` head's eyeballs: MakeHuman's, made to fit behind the lids.

MakeHuman's corneas stand out so far that lids which close or look aside cut through them.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...arrays import Float32Array, IntArray

_EYES = (0, 1)
"""Of the frames that carry fitted parts, those of the eyes."""
_ARM = 0.01
"""Metres from the first point of a frame to its three others, along the axes, at rest."""
_FITTED = 0.967
"""The eyeball's size, of MakeHuman's; chosen as large as lids bear."""
_BULGE, _BALL = 0.4, 0.0150
"""How much of the cornea's bulge over the ball of this radius, metres, is kept."""
_BACK = 0.0003
"""Metres by which the eyeball is moved back."""


def fitted_eyes(
    frame: Annotated[IntArray, "F"],
    weights: Annotated[Float32Array, "F 4"],
    rest: Annotated[Float32Array, "V 3"],
) -> tuple[Annotated[Float32Array, "F 4"], Annotated[Float32Array, "V 3"]]:
    """Weights (F, 4) of frames' points, and positions at rest (V, 3), with eyeballs that fit;
    ``frame`` (F,) is each fitted vertex's, the last of V."""
    weights, rest = weights.copy(), rest.copy()
    rows = np.flatnonzero(np.isin(frame, _EYES))
    arms = _ARM * weights[rows, 1:]
    radius = np.linalg.norm(arms, axis=1, keepdims=True)
    wanted = _FITTED * (radius - (1.0 - _BULGE) * np.maximum(radius - _BALL, 0.0))
    moved = arms * (wanted / radius - 1.0) + np.array([0.0, _BACK, 0.0])
    share = (moved / _ARM).astype(np.float32)
    weights[rows, 1:] += share
    weights[rows, 0] -= share.sum(1)
    rest[len(rest) - len(frame) + rows] += moved.astype(np.float32)
    return weights, rest
