# SPDX-License-Identifier: GPL-3.0-or-later
"""The Anny head as a head model: phenotypes, local sliders, ARKit's expressions and pose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, Float32Array, FloatArray
from ...artifacts import artifact, load_npz
from ..appearance import COLOUR_PARAMETERS
from ..appearance_parameters import draw_appearance, masculinity
from ..correspondence import SurfacePoints
from ..head_model import HeadModel
from ..rig import JointSliders, Rig, at_rest
from ..strands import StrandSet
from ..surface import Surface
from .file import JOINT_NAMES, from_arrays
from .model import ANCESTRIES, Anny, IncrementalAnny

ANNY = "anny"
ARTIFACT = "anny_head"
"""In models/index.json."""


def anny_head() -> AnnyHead:
    """The head of models/anny_head.npz."""
    return AnnyHead(load_npz(ARTIFACT))


class AnnyHead(HeadModel):
    """4,538 vertices in metres, Z up, looking along -Y; the root joint stands at the origin."""

    name = ANNY

    def __init__(self, arrays: Mapping[str, AnyArray]) -> None:
        """Take the arrays of models/anny_head.npz."""
        self.anny = Anny(from_arrays(arrays))
        self.table = self.anny.arrays.table

    @property
    def sources(self) -> dict[str, str]:
        """The baked file."""
        return {ARTIFACT: artifact(ARTIFACT).sha256}

    @property
    def surface(self) -> Surface:
        """Faces, UVs, parts and regions."""
        return self.anny.arrays.surface

    @property
    def strands(self) -> StrandSet:
        """Roots of hair, brows and beard."""
        return self.anny.arrays.strands

    @property
    def landmark_embedding(self) -> SurfacePoints:
        """Where the 68 landmarks lie on the triangles."""
        return self.anny.arrays.landmarks

    @property
    def colour_parameters(self) -> frozenset[str]:
        """The usual ones, and gender: the beard's shade on the skin fades with it."""
        return COLOUR_PARAMETERS | {"gender"}

    @property
    def joint_sliders(self) -> Mapping[str, JointSliders]:
        """Turns about X, Z and Y; Y points backwards, hence the sign of the roll."""
        return {
            joint: JointSliders((f"{joint}_x", f"{joint}_z", f"{joint}_y"), roll_sign=-1)
            for joint in ("head", "eye_left", "eye_right")
        }

    def forward(
        self, parameters: Annotated[FloatArray, "... P"]
    ) -> Annotated[Float32Array, "N V 3"]:
        """Parameters (N, P), or (P,) of one head -> vertices (N, V, 3) float32."""
        return self.anny.forward(parameters)

    def incremental_forward(
        self,
    ) -> Callable[[Annotated[FloatArray, "P"]], Annotated[Float32Array, "V 3"]]:
        """Anny's own incremental update."""
        return IncrementalAnny(self.anny).move_to

    def joints(
        self, parameters: Annotated[FloatArray, "... P"]
    ) -> Annotated[Float32Array, "N 6 3"]:
        """Parameters (N, P) -> posed joints (N, 6, 3) float32, in ``forward``'s place."""
        return self.anny.joints(parameters)

    def rig(self, parameters: Annotated[FloatArray, "P"]) -> Rig:
        """Joints, skinning weights and pose of one head (P,)."""
        turns = np.zeros((len(JOINT_NAMES), 3))  # the root never turns
        turns[1:] = parameters[self.anny.pose_columns].reshape(-1, 3)
        return Rig(
            names=JOINT_NAMES,
            parents=self.anny.arrays.joint_parents,
            joints=self.joints(at_rest(self.table, parameters))[0].astype(np.float64),
            turns=turns,
            weights=self.anny.arrays.weights,
        )

    def five_points(
        self, vertices: Annotated[Float32Array, "... V 3"]
    ) -> Annotated[Float32Array, "... 5 3"]:
        """Vertices (..., V, 3) -> pupils, nose tip and mouth corners (..., 5, 3)."""
        return vertices[..., self.anny.arrays.five_points, :].mean(-2)

    def facial_hair(self, parameters: Annotated[FloatArray, "P"]) -> float:
        """The factor on beard and moustache of one head (P,): 1 for men, fading to 0 for women."""
        return float(masculinity(np.array(self.value(parameters, "gender"))))

    def sample_prior(self, rng: np.random.Generator, n: int) -> Annotated[FloatArray, "N P"]:
        """Draw n plausible heads (n, P): independent sliders, but ancestry, skin, hair and age
        agree.

        Each is a normal around the table's mean, clipped to its range, bar those that people
        have together: three ancestries that sum to one, and the appearance that follows them.
        """
        table = self.table
        values = table.mean + table.std * rng.standard_normal((n, len(table)))
        column = {name: values[:, table.index(name)] for name in table.names}
        shares = rng.dirichlet((0.7, 0.7, 0.7), n)
        column["gender"][:] = rng.random(n)
        column["age"][:] = rng.uniform(0.5, 0.95, n)
        column["weight"][:], column["muscle"][:] = rng.uniform(0.2, 0.8, (2, n))
        for name, share in zip(ANCESTRIES, shares.T, strict=True):
            column[name][:] = share
        people = dict(zip(ANCESTRIES, shares.T, strict=True))
        people |= {"age": column["age"], "male": (column["gender"] < 0.5).astype(float)}
        self.draw_looks(rng, column, people)
        return np.clip(values, table.minimum, table.maximum)

    def draw_looks(
        self,
        rng: np.random.Generator,
        column: Mapping[str, Annotated[FloatArray, "N"]],
        people: Mapping[str, Annotated[FloatArray, "N"]],
    ) -> None:
        """Give drawn heads, name -> (n,), the looks of these people; see `draw_appearance`."""
        draw_appearance(rng, column, people)
