# SPDX-License-Identifier: GPL-3.0-or-later
"""What every head model offers, whatever it is made of."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..arrays import Float32Array, FloatArray
from .appearance import Appearance
from .correspondence import SurfacePoints
from .parameters import ParameterTable
from .rig import Rig
from .strands import HairStyle, StrandSet
from .surface import Surface

FIVE_POINT_NAMES = ("left_eye", "right_eye", "nose_tip", "mouth_left", "mouth_right")
"""The five points of the face crop; left and right as seen in the image (the viewer's)."""


class HeadModel(Protocol):
    """Parameters -> vertices. Metres, Z up, the face looks along -Y."""

    name: str
    table: ParameterTable

    def __hash__(self) -> int:
        """What is computed once for a model is kept by it."""
        ...

    @property
    def surface(self) -> Surface:
        """Faces, UVs, parts and regions."""
        ...

    @property
    def strands(self) -> StrandSet:
        """Roots of hair, brows and beard."""
        ...

    @property
    def landmark_embedding(self) -> SurfacePoints:
        """Where the 68 iBUG landmarks lie on the triangles, as `landmarks` orders them."""
        ...

    def forward(self, parameters: FloatArray) -> Float32Array:
        """Parameters (N, P) -> vertices (N, V, 3) float32."""
        ...

    def rig(self, parameters: FloatArray) -> Rig:
        """Joints, skinning weights and pose of one head (P,)."""
        ...

    def five_points(self, vertices: Float32Array) -> Float32Array:
        """Vertices (..., V, 3) -> the points named in FIVE_POINT_NAMES (..., 5, 3)."""
        ...

    def landmarks(self, vertices: Float32Array) -> Float32Array:
        """Vertices (..., V, 3) -> the 68 iBUG landmarks (..., 68, 3)."""
        ...

    def hair_style(self, parameters: FloatArray) -> HairStyle:
        """The hair, brows and beard of one head (P,)."""
        ...

    def appearance(self, parameters: FloatArray) -> Appearance:
        """The colours of one head (P,)."""
        ...

    def sample_prior(self, rng: np.random.Generator, n: int) -> FloatArray:
        """n plausible heads (n, P), drawn with correlations that people have."""
        ...
