# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol of head models: whoever adds one implements this."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Protocol

import numpy as np

from ..arrays import Float32Array, FloatArray, IntArray
from .appearance import COLOUR_PARAMETERS, Appearance, appearance, strand_colours
from .appearance_parameters import APPEARANCE_NAMES
from .characteristics import Characteristics
from .correspondence import SurfacePoints
from .flame.sliders import FlameSliders
from .parameters import ParameterTable
from .rig import JointSliders, Rig
from .skin.textures import MeshSkin
from .strands import POINTS, HairStyle, Strands, StrandSet, grow
from .surface import Surface

FIVE_POINT_NAMES = ("left_eye", "right_eye", "nose_tip", "mouth_left", "mouth_right")
"""The five points of the face crop; left and right as seen in the image (the viewer's)."""


class HeadModel(Protocol):
    """Parameters -> vertices, colours and hair. Metres, Z up, the face looks along -Y.

    A subclass implements what is abstract here. The rest follows from that; it is overridden where
    a model offers more or has a quicker way.

    table: its rows hold those of `appearance_parameters`; the groups "expression" and "pose" are
    what a recording moves, unit "rad" marks turns of joints. studio_light: the light preset that
    "studio" stands for, in which B learns the model's heads. denoised: whether images and
    what F sees go through Cycles' denoiser, where there is one; data sets never do.
    """

    name: str
    table: ParameterTable
    studio_light: str = "studio"
    denoised: bool = False

    def __hash__(self) -> int:
        """Hash by identity: caches keep what they computed for a model under it."""
        return object.__hash__(self)

    @property
    @abstractmethod
    def sources(self) -> dict[str, str]:
        """Files that surface, textures, strands and landmarks come from: name -> sha256.

        They enter the digest of a run. Empty for a model that the code alone makes.
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
        """Parameters (N, P), or (P,) of one head -> vertices (N, V, 3) float32."""

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
        """Draw n plausible heads (n, P) with correlations that people have."""

    def attributes(
        self, parameters: Annotated[FloatArray, "N P"]
    ) -> Annotated[FloatArray, "N 3"] | None:
        """What heads (N, P) are by their parameters: sex from 0, a man's, to 1, a woman's; age in
        years; lightness of the skin, L* of CIE L*a*b*.

        None for a model without a say on them: its B is not asked to agree with people.
        """
        return None

    @property
    def shape_parameters(self) -> frozenset[str]:
        """Names of the parameters that `forward` is computed from: all but the appearance's."""
        return frozenset(self.table.names) - APPEARANCE_NAMES

    @property
    def colour_parameters(self) -> frozenset[str]:
        """Names of the parameters that `appearance` is computed from."""
        return COLOUR_PARAMETERS

    @property
    def skin(self) -> MeshSkin | None:
        """Its skin in texture space, where `table` has a skin's rows; None for models whose
        vertices have all that is known of their skin."""
        return None

    @property
    def dressed(self) -> bool:
        """Whether its neck ends in rings of quads, which shoulders and clothes go on from."""
        return False

    @property
    def named_styles(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        """Kind of style -> name -> values of parameters; empty where no part has any."""
        return {}

    @property
    def characteristics(self) -> Characteristics | None:
        """Age, sex, nose and so on as directions of its parameters; None for models whose
        parameters say such things themselves."""
        return None

    @property
    def joint_sliders(self) -> Mapping[str, JointSliders]:
        """Joint -> its sliders, of "head", "eye_left" and "eye_right"; empty if none turns."""
        return {}

    @property
    def flame_sliders(self) -> FlameSliders | None:
        """Conversion between FLAME's parameters and the sliders; None for models without it."""
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
        """The factor from 0 to 1 on the beard and moustache that one head's sliders (P,) set."""
        return 1.0

    def hair_style(self, parameters: Annotated[FloatArray, "P"]) -> HairStyle:
        """The hair, brows and beard of one head (P,)."""
        values = {name: self.value(parameters, name) for name in HairStyle.__annotations__}
        share = self.facial_hair(parameters)
        values["beard_density"] *= share
        values["moustache_density"] *= share
        return HairStyle(**values)

    @property
    def strand_sizes(self) -> Annotated[IntArray, "S"]:
        """How many points each of its strands (S,) has."""
        return np.full(len(self.strands), POINTS)

    def grow(
        self, parameters: Annotated[FloatArray, "P"], vertices: Annotated[Float32Array, "V 3"]
    ) -> Strands:
        """The strands of one head (P,) with these vertices (V, 3), in the order of `strands`."""
        return grow(self.strands, self.hair_style(parameters), vertices, self.surface.faces)

    def strand_colours(
        self, parameters: Annotated[FloatArray, "P"], look: Appearance
    ) -> Annotated[Float32Array, "S 4"]:
        """The colour (S, 4) of each strand of one head (P,) that looks so: linear RGB, alpha 1."""
        return strand_colours(self.strands, look)

    def appearance(self, parameters: Annotated[FloatArray, "P"]) -> Appearance:
        """The colours of one head (P,)."""
        share = self.facial_hair(parameters)
        return appearance(partial(self.value, parameters), self.surface, share)
