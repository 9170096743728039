# SPDX-License-Identifier: GPL-3.0-or-later
"""The dressing of a bare FLAME-format file, transferred from the open head by correspondence.

FLAME files say nothing of lips, brows, hair roots, textures or landmarks. The open head knows all
of it; fitted to a file's template (registration.py), it tells where each lies there. A file with
the open head's own triangles and components takes everything over unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from ...arrays import AnyArray, BoolArray, Float32Array, FloatArray, IndexArray, IntArray, Real
from ..correspondence import SurfacePoints, Target, features, plane_barycentric
from ..products import gram, product, solve_positive
from ..strands import StrandSet
from ..surface import PART_NAMES, Surface
from .file import JOINT_NAMES, FlameArrays
from .registration import Anatomy, register

FORMAT = 2
"""Goes up with every change of what `dress` makes of the same files: cached ones are made again."""
_SKIN, _, _EYE_LEFT, _EYE_RIGHT = range(len(PART_NAMES))
_JAW_LENGTH = 0.02
"""Metres that the jaw's skinning weight counts for in correspondences: it tells lip from lip."""
_SHRINKAGE = 0.01
"""Share of a component's variance that is taken as noise when it is read in the donor's terms."""


def to_house(vectors: Annotated[NDArray[Real], "... 3"]) -> Annotated[NDArray[Real], "... 3"]:
    """Turn FLAME's coordinates (..., 3), Y up and face along +Z, into the house's, Z up and face
    along -Y."""
    turned: NDArray[Real] = vectors[..., [0, 2, 1]] * np.array([1, -1, 1], vectors.dtype)
    return turned


def to_flame(vectors: Annotated[NDArray[Real], "... 3"]) -> Annotated[NDArray[Real], "... 3"]:
    """Turn the house's coordinates (..., 3) into FLAME's: the inverse of ``to_house``."""
    turned: NDArray[Real] = vectors[..., [0, 2, 1]] * np.array([1, 1, -1], vectors.dtype)
    return turned


@dataclass(frozen=True)
class Dressing:
    """All that a FLAME-format template needs to be rendered, measured and drawn from.

    five_points (5) and landmarks (68) on its surface; phenotypes (A, K = S + 1): a linear
    regression from S identity components, the constant last, to gender, age and ancestries.
    """

    surface: Surface
    strands: StrandSet
    five_points: SurfacePoints
    landmarks: SurfacePoints
    phenotypes: Annotated[FloatArray, "A K"]


def dress(flame: FlameArrays, donor_flame: FlameArrays, donor: Dressing) -> Dressing:
    """Dress the template of ``flame`` as the donor's is dressed."""
    same = (
        np.array_equal(getattr(flame, name), getattr(donor_flame, name))
        for name in ("faces", "shape_basis")
    )
    if all(same):
        return donor
    return _Transfer(flame, donor_flame, donor).dressing()


def digest(dressing: Dressing) -> str:
    """sha256 of all that a dressing holds. The fit's last bits depend on NumPy, on how many threads
    its linear algebra has and on the kind of processor, so no number stands for its result."""
    found = hashlib.sha256()
    for name, array in sorted(to_arrays(dressing).items()):
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode() + array.tobytes())
    return found.hexdigest()


def to_arrays(dressing: Dressing) -> dict[str, Annotated[AnyArray, "..."]]:
    """Flatten a dressing into arrays by name, to be cached as .npz."""
    surface = dressing.surface
    arrays: dict[str, AnyArray] = {
        f"surface_{name}": getattr(surface, name)
        for name in ("faces", "uv", "part", "rest_position", "gaze")
    }
    for kind, table in (("mask", surface.masks), ("field", surface.fields)):
        arrays |= {f"{kind}_{name}": values for name, values in table.items()}
    arrays |= {f"strand_{f.name}": getattr(dressing.strands, f.name) for f in fields(StrandSet)}
    for name in ("five_points", "landmarks"):
        points: SurfacePoints = getattr(dressing, name)
        arrays |= {f"{name}_triangle": points.triangle, f"{name}_bary": points.bary}
    return arrays | {"phenotypes": dressing.phenotypes}


def from_arrays(arrays: Mapping[str, Annotated[AnyArray, "..."]]) -> Dressing:
    """Rebuild a dressing, the inverse of ``to_arrays``; KeyError if an array is missing."""

    def table(kind: str) -> dict[str, AnyArray]:
        return {
            name.removeprefix(f"{kind}_"): values
            for name, values in arrays.items()
            if name.startswith(f"{kind}_")
        }

    surface: dict[str, Any] = table("surface")

    def points(name: str) -> SurfacePoints:
        return SurfacePoints(arrays[f"{name}_triangle"], arrays[f"{name}_bary"])

    return Dressing(
        Surface(**surface, part_names=PART_NAMES, masks=table("mask"), fields=table("field")),
        StrandSet(**table("strand")),
        points("five_points"),
        points("landmarks"),
        arrays["phenotypes"],
    )


class _Transfer:
    """Fits a donor to a template and carries its dressing over."""

    def __init__(self, flame: FlameArrays, donor_flame: FlameArrays, donor: Dressing) -> None:
        self._flame, self._donor_flame, self._donor = flame, donor_flame, donor
        self._template = to_house(flame.template)
        self._label, self._donor_label = _jaw_label(flame), _jaw_label(donor_flame)
        self._part = _parts(flame)
        skin = _triangles_of(flame.faces, self._part, (_SKIN,))
        self._target = Target(self._template, flame.faces, self._label, skin)
        self._fitted = self._fit_donor()

    def dressing(self) -> Dressing:
        """The whole dressing, on the template's own triangles."""
        to_donor = self._on_donor()
        return Dressing(
            surface=self._surface(to_donor),
            strands=self._strands(),
            five_points=self._five_points(),
            landmarks=self._moved(self._donor.landmarks),
            phenotypes=self._phenotypes(),
        )

    def _fit_donor(self) -> FloatArray:
        """The donor's vertices (V', 3) on the template, metres, in the house's coordinates."""
        vertices = to_house(self._donor_flame.template)
        shift = _eye_centre(self._flame) - _eye_centre(self._donor_flame)
        surface = self._donor.surface
        anatomy = Anatomy(
            vertices + shift,
            surface.faces,
            to_house(self._donor_flame.shape_basis.astype(np.float64).transpose(2, 0, 1)).transpose(
                1, 2, 0
            ),
            self._donor_label,
            (surface.part == _SKIN) & (surface.masks["mouth"] < 0.5),
        )
        return register(anatomy, self._target)

    def _on_donor(self) -> SurfacePoints:
        """Where each vertex of the template lies on the fitted donor's skin."""
        surface = self._donor.surface
        donor = Target(
            self._fitted,
            surface.faces,
            self._donor_label,
            _triangles_of(surface.faces, surface.part, (_SKIN,)),
        )
        return donor.closest(self._template, self._features)

    @cached_property
    def _features(self) -> FloatArray:
        """Features (V, 7) of the template's vertices."""
        return features(self._template, self._flame.faces, self._label)

    @cached_property
    def _fitted_features(self) -> FloatArray:
        """Features (V', 7) of the fitted donor's vertices."""
        return features(self._fitted, self._donor.surface.faces, self._donor_label)

    def _moved(self, points: SurfacePoints) -> SurfacePoints:
        """Find points of the donor again on the template's skin."""
        faces = self._donor.surface.faces
        return self._target.closest(
            points.read(self._fitted, faces), points.read(self._fitted_features, faces)
        )

    def _surface(self, to_donor: SurfacePoints) -> Surface:
        donor, skin = self._donor.surface, self._part == _SKIN

        def carried(values: AnyArray) -> Float32Array:
            return to_donor.read(values, donor.faces).astype(np.float32)

        uv = self._flame.uv if self._flame.uv is not None else self._textured()
        return Surface(
            faces=self._flame.faces,
            uv=uv,
            part=self._part,
            part_names=PART_NAMES,
            masks={name: carried(mask) * skin for name, mask in donor.masks.items()},
            fields={name: carried(field) for name, field in donor.fields.items()},
            rest_position=carried(donor.rest_position),
            gaze=self._gaze,
        )

    def _textured(self) -> Float32Array:
        """Texture coordinates (T, 3, 2): each triangle reads the donor's texture where its middle
        lies, so that no triangle straddles a seam."""
        corners = self._template[self._flame.faces]
        donor, donor_faces = self._donor.surface, self._donor.surface.faces
        middle = self._features[self._flame.faces].mean(1)
        target = Target(
            self._fitted, donor_faces, self._donor_label, np.ones(len(donor_faces), bool)
        )
        under = target.closest(corners.mean(1), middle).triangle
        bary = plane_barycentric(corners, self._fitted[donor_faces[under]][:, None])
        uv = np.einsum("tck,tkd->tcd", bary, donor.uv[under])
        return np.clip(uv, 0.0, 1.0).astype(np.float32)

    @cached_property
    def _gaze(self) -> Float32Array:
        """Directions (V, 3) from each eyeball's centre; zero elsewhere."""
        gaze = np.zeros_like(self._template, np.float32)
        for part in (_EYE_LEFT, _EYE_RIGHT):
            rows = self._part == part
            if rows.any():
                offset = self._template[rows] - sphere_centre(self._template[rows])
                gaze[rows] = offset / np.linalg.norm(offset, axis=1, keepdims=True)
        return gaze

    def _strands(self) -> StrandSet:
        donor = self._donor.strands
        roots = self._moved(SurfacePoints(donor.triangle, donor.bary.astype(np.float64)))
        return replace(donor, triangle=roots.triangle, bary=roots.bary.astype(np.float32))

    def _five_points(self) -> SurfacePoints:
        """The five points: nose and mouth from the donor, pupils where the eyes look ahead."""
        moved = self._moved(self._donor.five_points)
        gaze, faces = self._gaze, self._flame.faces
        triangle, bary = moved.triangle.copy(), moved.bary.copy()
        # The viewer's left eye is the subject's right.
        for point, part in enumerate((_EYE_RIGHT, _EYE_LEFT)):
            eye = np.flatnonzero(_triangles_of(faces, self._part, (part,)))
            if len(eye):
                triangle[point] = eye[gaze[faces[eye], 1].mean(1).argmin()]
                bary[point] = 1 / 3
        return SurfacePoints(triangle, bary)

    def _phenotypes(self) -> FloatArray:
        """A regression (A, S + 1) from the file's components to phenotypes, by the donor's own.

        Each component's displacement is carried to the donor's skin and expressed by the donor's
        components (ridge regression: they are of unit variance), whose meaning is known.
        """
        faces = self._donor.surface.faces
        rows = np.flatnonzero(self._donor.surface.part == _SKIN)
        every = SurfacePoints(*_at_vertices(faces, rows))
        found = self._moved(every)
        moved = found.read(self._flame.shape_basis, self._flame.faces).reshape(-1, self._shapes)
        basis = self._donor_flame.shape_basis[rows].reshape(3 * len(rows), -1).astype(np.float64)
        left = gram(basis, basis)
        noise = _SHRINKAGE * np.trace(left) / len(left) * np.eye(len(left))
        in_donor_terms = solve_positive(left + noise, gram(basis, moved))
        known = self._donor.phenotypes
        read = product(known[:, :-1], in_donor_terms)
        # What is lost on the way must not make people alike: they vary as the donor's people do.
        lost = np.linalg.norm(known[:, :-1], axis=1) / np.linalg.norm(read, axis=1)
        return np.column_stack([read * lost[:, None], known[:, -1]])

    @property
    def _shapes(self) -> int:
        return self._flame.shape_basis.shape[2]


def _jaw_label(flame: FlameArrays) -> FloatArray:
    return _JAW_LENGTH * flame.weights[:, [JOINT_NAMES.index("jaw")]]


def _parts(flame: FlameArrays) -> IndexArray:
    """The part (V,) of each vertex: eyeballs turn with the eyes' joints, all else is skin."""
    part = np.zeros(len(flame.template), np.int8)
    for eye in (_EYE_LEFT, _EYE_RIGHT):
        part[flame.weights[:, JOINT_NAMES.index(PART_NAMES[eye])] > 0.5] = eye
    return part


def _eye_centre(flame: FlameArrays) -> FloatArray:
    """The middle between the two eye joints, in the house's coordinates."""
    joints = to_house(product(flame.joint_regressor, flame.template))
    centre: FloatArray = joints[[JOINT_NAMES.index(PART_NAMES[e]) for e in (2, 3)]].mean(0)
    return centre


def _triangles_of(faces: IndexArray, part: IndexArray, wanted: tuple[int, ...]) -> BoolArray:
    """Which triangles (T,) belong to these parts."""
    return np.isin(part[faces[:, 0]], wanted)


def sphere_centre(points: FloatArray) -> FloatArray:
    """Centre (3,) of the sphere through points (N, 3), by least squares."""
    middle = points.mean(0)
    offset = points - middle
    design = np.column_stack([2.0 * offset, np.ones(len(points))])
    squared = (offset**2).sum(1, keepdims=True)
    solution = solve_positive(gram(design, design), gram(design, squared))
    centre: FloatArray = middle + solution[:3, 0]
    return centre


def _at_vertices(faces: IndexArray, rows: IntArray) -> tuple[Any, FloatArray]:
    """A triangle and the barycentric coordinates for each of these vertices."""
    triangle = np.zeros(int(faces.max()) + 1, np.intp)
    corner = np.zeros_like(triangle)
    for k in range(3):
        triangle[faces[:, k]], corner[faces[:, k]] = np.arange(len(faces)), k
    return triangle[rows], np.eye(3)[corner[rows]]
