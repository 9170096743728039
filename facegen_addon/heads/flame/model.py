# SPDX-License-Identifier: GPL-3.0-or-later
"""The FLAME head: shape, expression and pose -> vertices, in NumPy.

After Li et al., "Learning a model of facial shape and expression from 4D scans" (SIGGRAPH Asia
2017), and equal to what the `smplx` package computes from the same file. The file's own
coordinates: metres, Y up, the face looks along +Z, the subject's left at +X.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike

from ...arrays import Float32Array, FloatArray
from ...errors import UserError
from ..skinning import blend_skin, joint_transforms, posed_joints, rotation_matrices
from .file import FlameArrays

POSES = ("global_orient", "neck_pose", "jaw_pose", "leye_pose", "reye_pose")
"""Axis-angle rotations under smplx's names, in the order of the joints."""
_MANY = 16  # components that change at once: from here on, starting anew is as quick


def _degrees(x: tuple[int, int], y: tuple[int, int], z: tuple[int, int]) -> FloatArray:
    return np.radians(np.array([x, y, z], np.float64))


_EYE = _degrees((-35, 55), (-52, 52), (-10, 10))
LIMITS: Mapping[str, FloatArray] = {
    "neck_pose": _degrees((-60, 50), (-80, 80), (-45, 45)),
    "jaw_pose": _degrees((-3, 35), (-8, 8), (-5, 5)),
    "leye_pose": _EYE,
    "reye_pose": _EYE,
}
"""Pose -> lowest and highest rotation (3, 2) radians about x (down is positive), y (to the
subject's left) and z (to the subject's right shoulder).

Neck: normal flexion, extension, rotation and lateral flexion of the cervical spine in the American
Medical Association's Guides to the Evaluation of Permanent Impairment (5th edition, 2001). Eyes:
mean plus one standard deviation of Lee et al., "Differences in eye movement range based on age and
gaze direction" (Eye 33, 2019); about z, where people have a few degrees, 10. Jaw: 50 mm of opening
and 12 mm of lateral movement (Okeson, Management of Temporomandibular Disorders and Occlusion) at
85 mm from the joint's axis; the neutral mouth is closed.
"""


@dataclass(frozen=True)
class FlameParameters:
    """FLAME's own parameters of N heads; of components, the leading ones may be given alone."""

    betas: Annotated[FloatArray, "N S"]  # standard deviations of identity
    expression: Annotated[FloatArray, "N E"]  # the same of expression
    global_orient: Annotated[FloatArray, "N 3"]  # radians, axis-angle; so the others
    neck_pose: Annotated[FloatArray, "N 3"]
    jaw_pose: Annotated[FloatArray, "N 3"]
    leye_pose: Annotated[FloatArray, "N 3"]
    reye_pose: Annotated[FloatArray, "N 3"]
    transl: Annotated[FloatArray, "N 3"]  # metres

    @classmethod
    def from_mapping(
        cls, values: Mapping[str, ArrayLike], flame: FlameArrays | None = None
    ) -> FlameParameters:
        """Take rows (N, K) or one row (K,) by name; what is absent is 0, one row serves all heads.

        UserError for an unknown name, NaN, a width that the format (or `flame`, when given) does
        not have, or numbers of rows that differ.
        """
        names = [field.name for field in fields(cls)]
        unknown = sorted(values.keys() - set(names))
        if unknown:
            raise UserError(
                f"unknown FLAME parameter {unknown[0]!r}: choose from {', '.join(names)}"
            )
        rows = {name: _rows(name, values[name]) for name in names if name in values}
        for name, array in rows.items():
            _check_width(name, array.shape[1], flame)
        counts = {name: len(array) for name, array in rows.items()}
        count = max(counts.values(), default=1)
        odd = [name for name in counts if counts[name] not in (1, count)]
        if odd:
            most = max(counts, key=lambda name: counts[name])
            raise UserError(
                f"{odd[0]!r} has {counts[odd[0]]} rows and {most!r} {count}: give as many of both"
            )
        for name in names:
            width = 0 if name in _COMPONENTS else 3
            array = rows.get(name, np.zeros((1, width)))
            rows[name] = np.broadcast_to(array, (count, array.shape[1]))
        return cls(**rows)

    def as_mapping(self) -> dict[str, Annotated[FloatArray, "N _"]]:
        """The rows (N, K) by name, the inverse of `from_mapping`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __len__(self) -> int:
        return len(self.transl)

    @cached_property
    def pose(self) -> Annotated[FloatArray, "N J 3"]:
        """All rotations (N, J, 3), axis-angle in radians, in the order of POSES."""
        return np.stack([getattr(self, name) for name in POSES], axis=1)


_COMPONENTS = {"betas": "shape_basis", "expression": "expression_basis"}


def _rows(name: str, value: ArrayLike) -> FloatArray:
    """One parameter as rows (N, K)."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{name!r} does not hold numbers: give rows of floats") from None
    if array.ndim not in (1, 2) or (array.ndim == 2 and not len(array)):
        raise UserError(f"{name!r} has the shape {array.shape}: give (K,) or (heads, K)")
    if not np.isfinite(array).all():
        raise UserError(f"{name!r} holds NaN or infinite values: give finite ones")
    return np.atleast_2d(array)


def _check_width(name: str, width: int, flame: FlameArrays | None) -> None:
    if name not in _COMPONENTS:
        if width != 3:
            raise UserError(f"{name!r} has {width} values a head: give 3")
    elif flame is not None:
        most = getattr(flame, _COMPONENTS[name]).shape[2]
        if width > most:
            raise UserError(
                f"{name!r} has {width} components and the model {flame.name!r} only {most}: give"
                f" the first {most} or fewer"
            )


def clamp_pose(parameters: FlameParameters) -> tuple[FlameParameters, list[str]]:
    """Clamp neck, jaw and eyes to LIMITS; return a line for each pose that was beyond, too.

    The whole head may turn as it likes.
    """
    clamped: dict[str, FloatArray] = {}
    warnings = []
    for name, limits in LIMITS.items():
        given: FloatArray = getattr(parameters, name)
        within = np.clip(given, *limits.T)
        excess = np.abs(given - within)
        if excess.any():
            clamped[name] = within
            row, axis = np.unravel_index(excess.argmax(), excess.shape)
            heads = np.count_nonzero(excess.any(1))
            warnings.append(
                f"{name} {given[row, axis]:.2f} rad about {'xyz'[axis]} is beyond the anatomical"
                f" range {limits[axis, 0]:.2f} to {limits[axis, 1]:.2f} and was clamped"
                f" ({heads} of {len(given)} heads)"
            )
    return replace(parameters, **clamped), warnings


@dataclass(frozen=True)
class FlameMesh:
    """N posed heads in the file's coordinates, metres."""

    vertices: Annotated[Float32Array, "N V 3"]
    joints: Annotated[Float32Array, "N J 3"]


class Flame:
    """The model in a FLAME-format file."""

    def __init__(self, arrays: FlameArrays) -> None:
        self.arrays = arrays
        # By planes of x, y and z, as the bases lie in memory: these are views.
        self.shape_rows = _flat(arrays.shape_basis)
        self.expression_rows = _flat(arrays.expression_basis)
        self._pose_rows = _flat(arrays.pose_basis)
        self.template_row = arrays.template.T.ravel()
        # Joints are linear in the vertices, so their own small bases serve as well.
        self.joint_template = arrays.joint_regressor @ arrays.template
        self.shape_joints = _joint_basis(arrays, arrays.shape_basis)
        self.expression_joints = _joint_basis(arrays, arrays.expression_basis)
        self._weights = arrays.weights.T.astype(np.float32)

    def forward(self, parameters: FlameParameters) -> FlameMesh:
        """Compute vertices and posed joints of N heads."""
        count = len(parameters)
        betas, expression = _used(parameters.betas), _used(parameters.expression)
        rest = betas.astype(np.float32) @ self.shape_rows[: betas.shape[1]]
        if expression.shape[1]:
            rest += expression.astype(np.float32) @ self.expression_rows[: expression.shape[1]]
        rest += self.template_row.astype(np.float32)
        joints = self.joint_template + (
            np.tensordot(betas, self.shape_joints[: betas.shape[1]], 1)
            + np.tensordot(expression, self.expression_joints[: expression.shape[1]], 1)
        )
        return self.posed(rest.reshape(count, 3, -1), joints, parameters.pose, parameters.transl)

    def posed(
        self,
        rest: Annotated[Float32Array, "N 3 V"],
        joints: Annotated[FloatArray, "N J 3"],
        pose: Annotated[FloatArray, "N J 3"],
        transl: Annotated[FloatArray, "N 3"],
    ) -> FlameMesh:
        """Pose heads at rest, by planes (N, 3, V), with joints (N, J, 3); `rest` is overwritten.

        `pose` (N, J, 3) radians, `transl` (N, 3). Heads without any rotation cost nothing.
        """
        turned = np.flatnonzero(pose.any((1, 2)))
        joints = joints.copy()
        if len(turned):
            turns = rotation_matrices(pose[turned])
            transforms = joint_transforms(turns, joints[turned], self.arrays.parents)
            features = (turns[:, 1:] - np.eye(3)).reshape(len(turned), -1)
            correctives = features.astype(np.float32) @ self._pose_rows
            for head, corrective, transform in zip(turned, correctives, transforms, strict=True):
                rest[head] += corrective.reshape(3, -1)
                rest[head] = blend_skin(rest[head], transform, self._weights)
            joints[turned] = posed_joints(transforms, joints[turned])
        vertices = np.empty((len(rest), rest.shape[2], 3), np.float32)
        for axis, shift in enumerate(transl.astype(np.float32).T):  # long runs, unlike transposing
            np.add(rest[:, axis], shift[:, None], out=vertices[:, :, axis])
        return FlameMesh(vertices, (joints + transl[:, None]).astype(np.float32))


def _flat(basis: Float32Array) -> Float32Array:
    """A basis (V, 3, K) as rows (K, 3 V), x of all vertices before y and z."""
    return np.ascontiguousarray(basis.T).reshape(basis.shape[2], 3 * len(basis))


def _joint_basis(arrays: FlameArrays, basis: Float32Array) -> FloatArray:
    """Displacements (K, J, 3) of the joints by each component, from the vertices that they need."""
    near = np.flatnonzero(arrays.joint_regressor.any(0))
    nearby = basis[near].astype(np.float64)
    joints = np.tensordot(arrays.joint_regressor[:, near], nearby, 1)
    return joints.transpose(2, 0, 1)


def _used(coefficients: FloatArray) -> FloatArray:
    """The leading columns up to the last that is not all 0."""
    columns = np.flatnonzero(coefficients.any(0))
    return coefficients[:, : columns[-1] + 1 if len(columns) else 0]


class IncrementalFlame:
    """One head that is changed a parameter at a time: only what changed is computed anew.

    The sum of the template and all components is kept in float64, where 10,000 moves leave an error
    far below a micrometre.
    """

    def __init__(self, flame: Flame, parameters: FlameParameters | None = None) -> None:
        """Begin at one head's parameters, else at the template."""
        self._flame = flame
        self._mesh: FlameMesh | None = None
        self.set_all(parameters or FlameParameters.from_mapping({}))

    def set_all(self, parameters: FlameParameters) -> None:
        """Take over all parameters of one head (N = 1)."""
        flame = self._flame
        self._betas = np.zeros(len(flame.shape_rows))
        self._expression = np.zeros(len(flame.expression_rows))
        self._betas[: parameters.betas.shape[1]] = parameters.betas[0]
        self._expression[: parameters.expression.shape[1]] = parameters.expression[0]
        self._pose = parameters.pose.copy()
        self._transl = parameters.transl
        self._rest = flame.template_row.copy()
        self._joints = flame.joint_template.copy()
        for index in np.flatnonzero(self._betas):
            self._add(flame.shape_rows, flame.shape_joints, index, self._betas[index])
        for index in np.flatnonzero(self._expression):
            self._add(
                flame.expression_rows, flame.expression_joints, index, self._expression[index]
            )
        self._mesh = None

    def move_to(self, parameters: FlameParameters) -> FlameMesh:
        """Take over all parameters of one head (N = 1); only changes are computed anew."""
        betas, expression = np.zeros_like(self._betas), np.zeros_like(self._expression)
        betas[: parameters.betas.shape[1]] = parameters.betas[0]
        expression[: parameters.expression.shape[1]] = parameters.expression[0]
        shapes = np.flatnonzero(betas != self._betas)
        expressions = np.flatnonzero(expression != self._expression)
        if len(shapes) + len(expressions) > _MANY:
            self.set_all(parameters)
            return self.mesh
        for index in shapes:
            self.set_shape(index, betas[index])
        for index in expressions:
            self.set_expression(index, expression[index])
        if (parameters.pose != self._pose).any() or (parameters.transl != self._transl).any():
            self._pose, self._transl = parameters.pose.copy(), parameters.transl
            self._mesh = None
        return self.mesh

    def set_shape(self, index: int, value: float) -> None:
        """Set component `index` of identity."""
        change = value - self._betas[index]
        self._betas[index] = value
        self._add(self._flame.shape_rows, self._flame.shape_joints, index, change)

    def set_expression(self, index: int, value: float) -> None:
        """Set component `index` of expression."""
        change = value - self._expression[index]
        self._expression[index] = value
        self._add(self._flame.expression_rows, self._flame.expression_joints, index, change)

    def set_pose(self, name: str, axis_angle: ArrayLike) -> None:
        """Set one of POSES: axis-angle (3,) in radians."""
        self._pose[0, POSES.index(name)] = axis_angle
        self._mesh = None

    def _add(self, rows: Float32Array, joints: FloatArray, index: int, change: float) -> None:
        self._rest += np.multiply(rows[index], change, dtype=np.float64)
        self._joints += joints[index] * change
        self._mesh = None

    @property
    def mesh(self) -> FlameMesh:
        """The head as it is now (N = 1), not to be written to."""
        if self._mesh is None:
            rest = self._rest.astype(np.float32).reshape(1, 3, -1)
            self._mesh = self._flame.posed(rest, self._joints[None], self._pose, self._transl)
        return self._mesh

    @property
    def vertices(self) -> Annotated[Float32Array, "V 3"]:
        """Vertices (V, 3) of the head as it is now, metres, not to be written to."""
        return self.mesh.vertices[0]
