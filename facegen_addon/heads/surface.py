# SPDX-License-Identifier: GPL-3.0-or-later
"""The unchanging part of a head's mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Surface:
    """What stays the same for every head of a model.

    faces (T, 3) int32; uv (T, 3, 2) float32 per corner, in [0, 1]; part (V,) int8, the index
    into ``part_names`` (skin, eyes, tongue); masks: name -> (V,) float32 in [0, 1];
    fields: name -> (V,) float32 metres, signed distances ("hairline": above it, "beard": below
    its upper edge); rest_position (V, 3) float32 metres, the template that textures stick to;
    gaze (V, 3) float32: for eye vertices the unit direction from the eye's centre in the
    template, else zero.
    """

    faces: NDArray[np.int32]
    uv: NDArray[np.float32]
    part: NDArray[np.int8]
    part_names: tuple[str, ...]
    masks: dict[str, NDArray[np.float32]]
    fields: dict[str, NDArray[np.float32]]
    rest_position: NDArray[np.float32]
    gaze: NDArray[np.float32]
