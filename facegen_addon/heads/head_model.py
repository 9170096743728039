# SPDX-License-Identifier: GPL-3.0-or-later
"""What every head model offers, whatever it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .parameters import FloatArray, ParameterTable
from .strands import HairStyle, StrandSet

FIVE_POINT_NAMES = ("left_eye", "right_eye", "nose_tip", "mouth_left", "mouth_right")
"""The five points of the face crop; left and right as seen in the image (the viewer's)."""


@dataclass(frozen=True)
class Surface:
    """What stays the same for every head of a model.

    faces (T, 3) int32; uv (T, 3, 2) float32 per corner, in [0, 1]; part (V,) int8, the index
    into ``part_names`` (skin, eyes, tongue); masks: name -> (V,) float32 in [0, 1];
    rest_position (V, 3) float32 metres, the template that textures stick to;
    gaze (V, 3) float32: for eye vertices the unit direction from the eye's centre in the
    template, else zero.
    """

    faces: NDArray[np.int32]
    uv: NDArray[np.float32]
    part: NDArray[np.int8]
    part_names: tuple[str, ...]
    masks: dict[str, NDArray[np.float32]]
    rest_position: NDArray[np.float32]
    gaze: NDArray[np.float32]


class HeadModel(Protocol):
    """Parameters -> vertices. Metres, Z up, the face looks along -Y."""

    name: str
    table: ParameterTable
    surface: Surface
    strands: StrandSet

    def forward(self, parameters: FloatArray) -> NDArray[np.float32]:
        """Parameters (N, P) -> vertices (N, V, 3) float32."""
        ...

    def five_points(self, vertices: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vertices (..., V, 3) -> the points named in FIVE_POINT_NAMES (..., 5, 3)."""
        ...

    def hair_style(self, parameters: FloatArray) -> HairStyle:
        """The hair, brows and beard of one head (P,)."""
        ...

    def sample_prior(self, rng: np.random.Generator, n: int) -> FloatArray:
        """n plausible heads (n, P), drawn with correlations that people have."""
        ...
