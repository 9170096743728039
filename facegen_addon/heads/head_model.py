# SPDX-License-Identifier: GPL-3.0-or-later
"""What every head model offers, whatever it is made of: enough to add one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Protocol

import numpy as np

from ..arrays import Float32Array, FloatArray
from .appearance import COLOUR_PARAMETERS, Appearance, appearance
from .appearance_parameters import APPEARANCE_NAMES
from .correspondence import SurfacePoints
from .flame.sliders import FlameSliders
from .parameters import ParameterTable
from .rig import JointSliders, Rig
from .strands import HairStyle, StrandSet
from .surface import Surface

FIVE_POINT_NAMES = ("left_eye", "right_eye", "nose_tip", "mouth_left", "mouth_right")
"""The five points of the face crop; left and right as seen in the image (the viewer's)."""


class HeadModel(Protocol):
    """Parameters -> vertices, colours and hair. Metres, Z up, the face looks along -Y.

    A class that is made of this one says what is abstract here. The rest follows from it, and is
    said anew where a model has more to offer or a quicker way.

    table: its rows hold those of `appearance_parameters`; the groups "expression" and "pose" are
    what a recording moves, unit "rad" marks turns of joints.
    """

    name: str
    table: ParameterTable

    def __hash__(self) -> int:
        """What is computed once for a model is kept by it."""
        return object.__hash__(self)

    @property
    @abstractmethod
    def sources(self) -> dict[str, str]:
        """What surface, textures, strands and landmarks come from: name -> sha256.

        They enter the digest of a run. Empty where the code alone makes them.
        """

    @property
    @abstractmethod
    def surface(self) -> Surface:
        """Faces, UVs, parts and regions."""

    @property
    @abstractmethod
    def strands(self) -> StrandSet:
        """Roots of hair, brows and beard."""

    @property
    @abstractmethod
    def landmark_embedding(self) -> SurfacePoints:
        """Where the 68 iBUG landmarks lie on the triangles, as `landmarks` orders them."""

    @abstractmethod
    def forward(
        self, parameters: Annotated[FloatArray, "... P"]
    ) -> Annotated[Float32Array, "N V 3"]:
        """Parameters (N, P) -> vertices (N, V, 3) float32."""

    @abstractmethod
    def rig(self, parameters: Annotated[FloatArray, "P"]) -> Rig:
        """Joints, skinning weights and pose of one head (P,)."""

    @abstractmethod
    def five_points(
        self, vertices: Annotated[Float32Array, "... V 3"]
    ) -> Annotated[Float32Array, "... 5 3"]:
        """Vertices (..., V, 3) -> the points named in FIVE_POINT_NAMES (..., 5, 3)."""

    @abstractmethod
    def sample_prior(self, rng: np.random.Generator, n: int) -> Annotated[FloatArray, "N P"]:
        """n plausible heads (n, P), drawn with correlations that people have."""

    @property
    def shape_parameters(self) -> frozenset[str]:
        """Names of the parameters that `forward` is computed from: all but the appearance's."""
        return frozenset(self.table.names) - APPEARANCE_NAMES

    @property
    def colour_parameters(self) -> frozenset[str]:
        """Names of the parameters that `appearance` is computed from."""
        return COLOUR_PARAMETERS

    @property
    def joint_sliders(self) -> Mapping[str, JointSliders]:
        """The sliders that turn "head", "eye_left" and "eye_right", those of them that turn."""
        return {}

    @property
    def flame_sliders(self) -> FlameSliders | None:
        """How FLAME's parameters and the sliders say the same; None of models without them."""
        return None

    def incremental_forward(
        self,
    ) -> Callable[[Annotated[FloatArray, "P"]], Annotated[Float32Array, "V 3"]]:
        """`forward` for one head whose sliders are moved one after another: (P,) -> (V, 3).

        It may remember the last call, so that only what changed is computed anew: to 1e-6 m.
        """
        return lambda parameters: self.forward(parameters[None])[0]

    def joints(
        self, parameters: Annotated[FloatArray, "... P"]
    ) -> Annotated[Float32Array, "N J 3"]:
        """Parameters (N, P) -> posed joints (N, J, 3) float32, in `forward`'s place."""
        rows = np.atleast_2d(np.asarray(parameters, dtype=np.float64))
        return np.stack([self.rig(row).posed_joints() for row in rows]).astype(np.float32)

    def landmarks(
        self, vertices: Annotated[Float32Array, "... V 3"]
    ) -> Annotated[Float32Array, "... 68 3"]:
        """Vertices (..., V, 3) -> the 68 iBUG landmarks (..., 68, 3)."""
        return self.landmark_embedding.points(vertices, self.surface.faces)

    def value(self, parameters: Annotated[FloatArray, "P"], name: str) -> float:
        """The value of one parameter of one head (P,)."""
        return float(parameters[self.table.index(name)])

    def facial_hair(self, parameters: Annotated[FloatArray, "P"]) -> float:
        """The share of beard and moustache that one head (P,) has of what its sliders say."""
        return 1.0

    def hair_style(self, parameters: Annotated[FloatArray, "P"]) -> HairStyle:
        """The hair, brows and beard of one head (P,)."""
        values = {name: self.value(parameters, name) for name in HairStyle.__annotations__}
        share = self.facial_hair(parameters)
        values["beard_density"] *= share
        values["moustache_density"] *= share
        return HairStyle(**values)

    def appearance(self, parameters: Annotated[FloatArray, "P"]) -> Appearance:
        """The colours of one head (P,)."""
        share = self.facial_hair(parameters)
        return appearance(partial(self.value, parameters), self.surface, share)
