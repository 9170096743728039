# SPDX-License-Identifier: GPL-3.0-or-later
"""Anny's mathematics in NumPy: sliders to vertices and joints.

A NumPy reading of the model of Brégier et al., "Human Mesh Modeling for Anny Body" (2025,
arXiv 2511.03589): phenotypes interpolate MakeHuman's macro targets, local sliders and the 52
ARKit expressions add blend shapes, linear blend skinning turns neck, head, jaw and eyes.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...arrays import Float32Array, FloatArray, RealArray
from ..skinning import blend_skin, joint_transforms, posed_joints, rotation_matrices
from .file import AnnyArrays

ANCESTRIES = ("african", "asian", "caucasian")
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
_MANY = 16  # blend shapes that change at once: from here on, one product of matrices is quicker


class Anny:
    """The model of a baked file; its parameters (N, P) are the sliders of the file's table."""

    def __init__(self, arrays: AnnyArrays) -> None:
        self.arrays = arrays
        table = arrays.table
        self.phenotype_columns = table.columns("phenotype")
        first = self.phenotype_columns[-1] + 1
        self._local = slice(first, first + arrays.local_mixing.shape[1])
        actions = table.columns("expression")
        self._actions = slice(actions[0], actions[-1] + 1)
        self.pose_columns = [i for i, p in enumerate(table.parameters) if p.unit == "rad"]

    def forward(
        self, parameters: Annotated[FloatArray, "... P"]
    ) -> Annotated[Float32Array, "N V 3"]:
        """Parameters (N, P), or (P,) -> vertices (N, V, 3), the root joint at the origin."""
        rows = np.atleast_2d(np.asarray(parameters, dtype=np.float64))
        coefficients = self.coefficients(rows)
        return self.posed(rows, coefficients, coefficients.astype(np.float32) @ self.arrays.shapes)

    def posed(
        self,
        rows: Annotated[FloatArray, "N P"],
        coefficients: Annotated[FloatArray, "N K"],
        offsets: Annotated[RealArray, "... W"],
    ) -> Annotated[Float32Array, "N W//3 3"]:
        """Vertices (N, V, 3) of parameters (N, P), their coefficients and offsets (N, W = 3 V).

        Offsets of one head may be (W,).
        """
        rest = self.arrays.template + offsets.reshape(len(rows), -1, 3)
        joints = self._rest_joints(coefficients)
        return self._skin(rest, joints, rows[:, self.pose_columns]).astype(np.float32)

    def joints(
        self, parameters: Annotated[FloatArray, "... P"]
    ) -> Annotated[Float32Array, "N 6 3"]:
        """Parameters (N, P) -> posed joints (N, 6, 3), in ``forward``'s place."""
        rows = np.atleast_2d(np.asarray(parameters, dtype=np.float64))
        joints = self._rest_joints(self.coefficients(rows))
        posed = posed_joints(self._transforms(joints, rows[:, self.pose_columns]), joints)
        return (posed - joints[:, :1]).astype(np.float32)

    def coefficients(
        self, rows: Annotated[FloatArray, "N P"], before: Annotated[FloatArray, "N K"] | None = None
    ) -> Annotated[FloatArray, "N K"]:
        """Blend shape coefficients (N, K) of parameters (N, P).

        ``before``: coefficients of heads with the same phenotypes, whose part is taken from there.
        """
        count = self.arrays.phenotype_projection.shape[1]
        phenotype = self._phenotype_coefficients(rows) if before is None else before[:, :count]
        local = rows[:, self._local] @ self.arrays.local_mixing.T
        signed = np.stack([np.maximum(local, 0.0), np.maximum(-local, 0.0)], axis=2)
        return np.concatenate(
            [
                phenotype,
                signed.reshape(len(rows), -1),
                rows[:, self._actions],
            ],
            axis=1,
        )

    def _rest_joints(self, coefficients: FloatArray) -> FloatArray:
        moved = (coefficients @ self.arrays.joint_shapes).reshape(len(coefficients), -1, 3)
        return self.arrays.joints + moved

    def _phenotype_coefficients(self, rows: FloatArray) -> FloatArray:
        """Weights (N, B) of the compact phenotype basis: products of interpolated variations."""
        variation = self._variation_weights(rows)
        names, mask = self.arrays.phenotype_variations, self.arrays.phenotype_mask
        values = np.stack([variation[name] for name in names], axis=1)
        products = np.ones((len(rows), len(mask)))
        for column in range(values.shape[1]):
            used = mask[:, column]
            products[:, used] *= values[:, column : column + 1]
        return products @ self.arrays.phenotype_projection

    def _variation_weights(self, rows: FloatArray) -> dict[str, FloatArray]:
        table = self.arrays.table
        weights: dict[str, FloatArray] = {}
        for name, (start, keys) in _VARIATIONS.items():
            anchors = np.linspace(start, 1.0, len(keys))
            if name in table.names:
                x = rows[:, table.index(name)]
            else:
                x = np.full(len(rows), _NEUTRAL_PHENOTYPE)
            weights |= dict(zip(keys, _interpolation_weights(x, anchors).T, strict=True))
        shares = np.stack([rows[:, table.index(name)] for name in ANCESTRIES], axis=1)
        total = shares.sum(1, keepdims=True)
        shares = np.where(total > 0, shares / np.where(total > 0, total, 1.0), 1 / 3)
        return weights | dict(zip(ANCESTRIES, shares.T, strict=True))

    def _skin(self, rest: FloatArray, joints: FloatArray, pose: FloatArray) -> FloatArray:
        """Linear blend skinning: rest (N, V, 3), joints (N, J, 3), pose (N, 3 (J - 1))."""
        root = joints[:, :1]
        if not pose.any():
            return rest - root
        posed = [
            blend_skin(head.T, transform, self.arrays.weights.T).T
            for head, transform in zip(rest, self._transforms(joints, pose), strict=True)
        ]
        return np.stack(posed) - root

    def _transforms(self, joints: FloatArray, pose: FloatArray) -> FloatArray:
        """Where the joints (N, J, 3) take points: (N, J, 3, 4); the root never turns."""
        turns = np.broadcast_to(np.eye(3), (*joints.shape, 3)).copy()
        turns[:, 1:] = rotation_matrices(pose.reshape(len(pose), -1, 3))
        return joint_transforms(turns, joints, self.arrays.joint_parents)


def _interpolation_weights(x: FloatArray, anchors: FloatArray) -> FloatArray:
    """Weights (N, A) that interpolate linearly between sorted anchors (A,), held at the ends."""
    identity = np.eye(len(anchors))
    return np.stack([np.interp(x, anchors, column) for column in identity], axis=1)


class IncrementalAnny:
    """One head that is changed a few parameters at a time: only what changed is computed anew.

    Its blend shapes are summed up in float64, where moves leave no error.
    """

    def __init__(self, anny: Anny) -> None:
        self._anny = anny
        self._row: FloatArray | None = None
        shapes = anny.arrays.shapes
        self._coefficients = np.zeros((1, len(shapes)))
        self._offsets = np.zeros(shapes.shape[1])

    def move_to(self, parameters: Annotated[FloatArray, "P"]) -> Annotated[Float32Array, "V 3"]:
        """Take over parameters (P,) and return the vertices (V, 3)."""
        row, phenotype = parameters[None], self._anny.phenotype_columns
        kept = self._row is not None and np.array_equal(row[:, phenotype], self._row[:, phenotype])
        wanted = self._anny.coefficients(row, self._coefficients if kept else None)
        change = (wanted - self._coefficients)[0]
        moved = np.flatnonzero(change)
        shapes = self._anny.arrays.shapes
        if len(moved) > _MANY:
            self._offsets += change[moved].astype(np.float32) @ shapes[moved]
        else:
            for index in moved:
                self._offsets += np.multiply(shapes[index], change[index], dtype=np.float64)
        self._row, self._coefficients = row, wanted
        return self._anny.posed(row, wanted, self._offsets)[0]
