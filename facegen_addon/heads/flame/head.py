# SPDX-License-Identifier: GPL-3.0-or-later
"""A FLAME-format file as a head model: its components as sliders, dressed by the open head."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from copy import copy
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray
from ..appearance import COLOUR_PARAMETERS
from ..appearance_parameters import (
    appearance_parameters,
    draw_appearance,
    label_of,
    masculinity,
)
from ..correspondence import SurfacePoints
from ..head_model import HeadModel
from ..parameters import Parameter, ParameterTable
from ..rig import JointSliders, Rig, at_rest
from ..strands import StrandSet
from ..surface import Surface
from . import dressing as dressings
from .dressing import Dressing, to_house
from .file import JOINT_NAMES, FlameArrays
from .model import LIMITS, POSES, Flame, FlameMesh, FlameParameters, IncrementalFlame
from .sliders import FlameSliders

FITTED = "fitted"
"""In the place of a sha256, where landmarks are the dressing's and not official ones of a file."""
GUIDED_COMPONENTS = 100
"""Identity components that latents guide; those beyond move a face by fractions of a millimetre."""

_ANCESTRIES = ("african", "asian", "caucasian")
_PHENOTYPES = ("gender", "age", *_ANCESTRIES)
_RANGE = 3.0  # standard deviations of a slider to either side
_ANY_TURN = np.radians([[-180.0, 180.0]] * 3)


class FlameHead(HeadModel):
    """A FLAME file's head: metres, Z up, looking along -Y, the root joint at the origin.

    official_landmarks: the 68 that came with the file, instead of those that the dressing found.
    """

    def __init__(
        self,
        name: str,
        arrays: FlameArrays,
        dressing: Dressing,
        official_landmarks: SurfacePoints | None = None,
    ) -> None:
        self.name = name
        self.flame = Flame(arrays)
        self.dressing, self.official_landmarks = dressing, official_landmarks
        self.table = ParameterTable(
            [
                *_shape_rows(arrays.shape_basis.shape[2]),
                *_expression_rows(arrays),
                *_pose_rows(),
                *appearance_parameters(),
                Parameter("facial_hair", "Facial hair", "beard", 0.0, 1.0, 0.5, 0.4, "", True),
            ]
        )
        self._shape = self.table.columns("shape")
        self._expression = self.table.columns("expression")
        self._pose = self.table.columns("pose")

    def with_fitted_landmarks(self) -> FlameHead:
        """This head with the landmarks that its dressing found, as loaded by its name alone."""
        fitted = copy(self)
        fitted.official_landmarks = None
        return fitted

    @property
    def sources(self) -> dict[str, str]:
        """The file, what dresses it, and the landmarks that came with it, if any did."""
        official = self.official_landmarks
        return {
            "FLAME file": self.flame.arrays.sha256,
            "dressing of the FLAME file": dressings.digest(self.dressing),
            "landmarks of the FLAME file": _digest(official) if official else FITTED,
        }

    @property
    def surface(self) -> Surface:
        """Faces, UVs, parts and regions."""
        return self.dressing.surface

    @property
    def strands(self) -> StrandSet:
        """Roots of hair, brows and beard."""
        return self.dressing.strands

    @property
    def landmark_embedding(self) -> SurfacePoints:
        """Where the 68 landmarks lie on the triangles."""
        return self.official_landmarks or self.dressing.landmarks

    @property
    def shape_parameters(self) -> frozenset[str]:
        """Names of components and pose; facial hair moves no vertex."""
        return super().shape_parameters - {"facial_hair"}

    @property
    def colour_parameters(self) -> frozenset[str]:
        """The usual ones, and facial hair, which darkens the skin."""
        return COLOUR_PARAMETERS | {"facial_hair"}

    @property
    def joint_sliders(self) -> Mapping[str, JointSliders]:
        """Turns about FLAME's axes, which point left, up and ahead."""
        poses = {"head": "neck_pose", "eye_left": "leye_pose", "eye_right": "reye_pose"}
        return {
            joint: JointSliders((f"{pose}_x", f"{pose}_y", f"{pose}_z"))
            for joint, pose in poses.items()
        }

    @property
    def flame_sliders(self) -> FlameSliders:
        """This head: its sliders are FLAME's components and rotations."""
        return self

    def forward(
        self, parameters: Annotated[FloatArray, "... P"]
    ) -> Annotated[Float32Array, "N V 3"]:
        """Parameters (N, P), or (P,) of one head -> vertices (N, V, 3) float32."""
        return self.placed(self.flame.forward(self.to_flame(parameters)))

    def incremental_forward(
        self,
    ) -> Callable[[Annotated[FloatArray, "P"]], Annotated[Float32Array, "V 3"]]:
        """FLAME's own incremental update."""
        flame = IncrementalFlame(self.flame)
        return lambda parameters: self.placed(flame.move_to(self.to_flame(parameters)))[0]

    def placed(self, mesh: FlameMesh) -> Annotated[Float32Array, "N V 3"]:
        """Move meshes from the file's coordinates to the house's: vertices (N, V, 3)."""
        return to_house(mesh.vertices - mesh.joints[:, :1])

    def rig(self, parameters: Annotated[FloatArray, "P"]) -> Rig:
        """Joints, skinning weights and pose of one head (P,); pose correctives are left out."""
        rest = self.flame.forward(self.to_flame(at_rest(self.table, parameters)))
        arrays, joints = self.flame.arrays, rest.joints[0].astype(np.float64)
        return Rig(
            names=JOINT_NAMES,
            parents=tuple(arrays.parents),
            joints=to_house(joints - joints[0]),
            turns=to_house(self.to_flame(parameters).pose[0]),
            weights=arrays.weights,
        )

    def to_flame(self, parameters: Annotated[FloatArray, "... P"]) -> FlameParameters:
        """Convert sliders (N, P), or (P,), to FLAME's own parameters; the translation is zero."""
        rows = np.atleast_2d(np.asarray(parameters, dtype=np.float64))
        pose = rows[:, self._pose].reshape(len(rows), -1, 3)
        return FlameParameters(
            betas=rows[:, self._shape],
            expression=rows[:, self._expression],
            transl=np.zeros((len(rows), 3)),
            **{name: pose[:, joint] for joint, name in enumerate(POSES)},
        )

    def from_flame(
        self, parameters: FlameParameters, base: Annotated[FloatArray, "P"]
    ) -> Annotated[FloatArray, "N P"]:
        """Convert FLAME's parameters to sliders (N, P), clipped to their ranges; appearance as in
        ``base`` (P,). Components beyond those given are zero, translation is left out."""
        rows = np.tile(np.asarray(base, dtype=np.float64), (len(parameters), 1))
        for columns, values in (
            (self._shape, parameters.betas),
            (self._expression, parameters.expression),
        ):
            rows[:, columns] = 0.0
            rows[:, columns[: values.shape[1]]] = values[:, : len(columns)]
        rows[:, self._pose] = parameters.pose.reshape(len(rows), -1)
        return np.clip(rows, self.table.minimum, self.table.maximum)

    def five_points(
        self, vertices: Annotated[Float32Array, "... V 3"]
    ) -> Annotated[Float32Array, "... 5 3"]:
        """Vertices (..., V, 3) -> pupils, nose tip and mouth corners (..., 5, 3)."""
        return self.dressing.five_points.points(vertices, self.surface.faces)

    def facial_hair(self, parameters: Annotated[FloatArray, "P"]) -> float:
        """The factor on beard and moustache: a slider of its own, as FLAME knows no gender."""
        return self.value(parameters, "facial_hair")

    def sample_prior(self, rng: np.random.Generator, n: int) -> Annotated[FloatArray, "N P"]:
        """Draw n plausible heads (n, P): components N(0, 1), an appearance that suits them.

        Gender, age and ancestry are read off the components; facial hair, melanin and grey hair
        follow them as they do in people.
        """
        table = self.table
        values = table.mean + table.std * rng.standard_normal((n, len(table)))
        column = {name: values[:, table.index(name)] for name in table.names}
        read = self.phenotypes(values[:, self._shape])
        shares = np.maximum(np.stack([read[name] for name in _ANCESTRIES]), 1e-3)
        people = dict(zip(_ANCESTRIES, shares / shares.sum(0), strict=True))
        people["age"] = np.clip(read["age"], 0.5, 1.0)
        people["male"] = (read["gender"] < 0.5).astype(np.float64)
        draw_appearance(rng, column, people)
        column["facial_hair"][:] = masculinity(read["gender"])
        return np.clip(values, table.minimum, table.maximum)

    def phenotypes(
        self, betas: Annotated[FloatArray, "N S"]
    ) -> dict[str, Annotated[FloatArray, "N"]]:
        """Read gender, age and ancestries (N,) off identity components (N, S), by name."""
        regressor = self.dressing.phenotypes
        values = betas @ regressor[:, :-1].T + regressor[:, -1]
        return dict(zip(_PHENOTYPES, values.T, strict=True))


def _digest(points: SurfacePoints) -> str:
    """The sha256 of the 68 points, whichever of the known files they stood in."""
    numbers = points.triangle.astype("<i8").tobytes() + points.bary.astype("<f8").tobytes()
    return hashlib.sha256(numbers).hexdigest()


def _shape_rows(count: int) -> list[Parameter]:
    return [
        Parameter(
            f"shape_{i + 1:03d}", f"Shape {i + 1}", "shape",
            -_RANGE, _RANGE, 0.0, 1.0, "standard deviations", i < GUIDED_COMPONENTS,
        )
        for i in range(count)
    ]  # fmt: skip


def _expression_rows(arrays: FlameArrays) -> list[Parameter]:
    """The file's expressions, by name where it names them; at rest in every distribution."""
    count = arrays.expression_basis.shape[2]
    names = arrays.extras.get(
        "facegen_expression_names", np.array([f"expression_{i + 1:03d}" for i in range(count)])
    )
    ranges = arrays.extras.get("facegen_expression_range", np.tile([-_RANGE, _RANGE], (count, 1)))
    return [
        Parameter(
            str(name), label_of(str(name)), "expression", float(low), float(high), 0.0, 0.0,
            "", False,
        )
        for name, (low, high) in zip(names, ranges, strict=True)
    ]  # fmt: skip


def _pose_rows() -> list[Parameter]:
    return [
        Parameter(
            f"{pose}_{axis}", label_of(f"{pose}_{axis}"), "pose", float(low), float(high),
            0.0, 0.0, "rad", False,
        )
        for pose in POSES
        for axis, (low, high) in zip("xyz", LIMITS.get(pose, _ANY_TURN), strict=True)
    ]  # fmt: skip
