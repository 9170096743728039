# SPDX-License-Identifier: GPL-3.0-or-later
"""A FLAME file with the parts of `person`: more vertices of the same model, and one surface.

The file's own vertices come first and move as ever. Its eyeballs keep their vertices and lose
their triangles: person's eyes stand in their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, BoolArray, Float32Array, IndexArray, IntArray, RealArray
from ..correspondence import SurfacePoints, plane_barycentric
from ..flame.dressing import Dressing
from ..flame.file import JOINT_NAMES, FlameArrays
from ..person.file import PERSON_PARTS, PersonArrays
from ..surface import Surface, halves, welded_uv
from .carriers import Carriers, OnFlame, beneath, coincident, merged_weights

_INSIDE = 0.5
"""Mask of vertices inside the mouth."""
_EXACT = 0.9
"""The share of person's skin that a file has at least, vertex by vertex, if its mesh is Anny's."""
_WELDED = 2e-4
"""Texture coordinates nearer than that are one."""


@dataclass(frozen=True)
class WiderFlame:
    """A file's model with V + F vertices, and what lies where on it.

    surface: of all vertices; makehuman (T, 3, 2): MakeHuman's texture coordinates of its
    triangles' corners, as `PersonHead.texture_uv` has them of quads; landmarks, five_points and
    scalp: points and triangle of its surface; count: V.
    """

    flame: FlameArrays
    surface: Surface
    makehuman: Annotated[Float32Array, "T 3 2"]
    landmarks: SurfacePoints
    mouth_and_nose: SurfacePoints
    scalp: SurfacePoints
    count: int
    exact: bool


def widened(
    flame: FlameArrays,
    dressing: Dressing,
    person: PersonArrays,
    texture_uv: Annotated[RealArray, "Q 4 2"],
    arrays: Mapping[str, AnyArray],
) -> WiderFlame:
    """Join person's parts to a file; texture_uv: `PersonHead.texture_uv`; arrays: of
    models/person_on_flame.npz."""
    theirs = person.anny.surface
    same = coincident(dressing.surface, theirs)
    skin = theirs.vertices_of("skin")
    exact = bool((same[skin] >= 0).mean() > _EXACT)
    own = _own_triangles(dressing.surface)
    quads = np.flatnonzero(_joined_quads(theirs, same, exact=exact))
    added = np.setdiff1d(theirs.polygons[quads], np.flatnonzero(same >= 0))
    place = same.copy()
    place[added] = len(flame.template) + np.arange(len(added))
    uv, makehuman = _textured(flame, dressing.surface, own, person, texture_uv)
    rows = (2 * quads[:, None] + np.arange(2)).ravel()
    faces, turn = dressing.surface.faces[own], np.zeros(len(own), np.intp)
    if exact:
        turn = _quads_first(faces)
        faces, uv, makehuman = (_turned(corners, turn) for corners in (faces, uv, makehuman))
    surface = Surface(
        faces=np.concatenate([faces, place[theirs.faces[rows]]]).astype(np.int32),
        uv=np.concatenate([uv, theirs.uv[rows]]).astype(np.float32),
        part=np.concatenate([dressing.surface.part, theirs.part[added]]).astype(np.int8),
        part_names=PERSON_PARTS,
        masks=_both(dressing.surface.masks, theirs.masks, added),
        fields=_both(dressing.surface.fields, theirs.fields, added),
        rest_position=np.concatenate(
            [dressing.surface.rest_position, theirs.rest_position[added]]
        ),
        gaze=np.concatenate([dressing.surface.gaze, theirs.gaze[added]]),
        corners=4 if exact else 3,
        lashes=theirs.lashes,
    )
    number = np.full(len(dressing.surface.faces), -1)
    number[own] = np.arange(len(own))

    def moved(triangle: IntArray, bary: RealArray) -> SurfacePoints:
        rows = number[triangle]
        return SurfacePoints(rows, _turned(np.asarray(bary, np.float64), turn[rows]))

    on_flame = OnFlame.of(flame, dressing, person)
    strands, points = dressing.strands, dressing.five_points
    return WiderFlame(
        flame=_wider_arrays(flame, person, Carriers(arrays, person, on_flame, flame, added)),
        surface=surface,
        makehuman=np.concatenate([makehuman, halves(texture_uv)[rows]]).astype(np.float32),
        landmarks=moved(dressing.landmarks.triangle, dressing.landmarks.bary),
        mouth_and_nose=moved(points.triangle[2:], points.bary[2:]),
        scalp=moved(strands.triangle, strands.bary),
        count=len(flame.template),
        exact=exact,
    )


def _own_triangles(surface: Surface) -> Annotated[IntArray, "T"]:
    """The file's triangles, bar those of eyeballs."""
    eyes = surface.vertices_of("eye_left") | surface.vertices_of("eye_right")
    return np.flatnonzero(~eyes[surface.faces].any(1))


def _joined_quads(person: Surface, same: IntArray, *, exact: bool) -> Annotated[BoolArray, "Q"]:
    """Person's quads that a file has not: of a mesh like Anny's all others; else its parts, and
    the mouth's inside."""
    quads = person.polygons
    if exact:
        missing: BoolArray = (same < 0)[quads].any(1)
        return missing
    skin = person.vertices_of("skin")[quads].any(1)
    inside: BoolArray = (person.masks["mouth"] > _INSIDE)[quads].all(1)
    return ~skin | inside


def _both(
    own: Mapping[str, Float32Array], person: Mapping[str, Float32Array], added: IntArray
) -> dict[str, Float32Array]:
    return {name: np.concatenate([own[name], person[name][added]]) for name in own}


def _textured(
    flame: FlameArrays,
    surface: Surface,
    own: IntArray,
    person: PersonArrays,
    texture_uv: RealArray,
) -> tuple[AnyArray, AnyArray]:
    """Corners' coordinates (T, 3, 2) in person's layout and in MakeHuman's.

    Each triangle reads the one of person's skin beneath its middle, so that none straddles a
    seam.
    """
    theirs, faces = person.anny.surface, surface.faces[own]
    jaw = flame.weights[:, JOINT_NAMES.index("jaw")]
    under = beneath(surface, faces, jaw, person)
    spots = surface.rest_position.astype(np.float64)[faces]
    known = theirs.rest_position.astype(np.float64)[theirs.faces[under]]
    bary = plane_barycentric(spots, known[:, None])
    both = (theirs.uv[under], halves(texture_uv)[under])
    uv, makehuman = (np.einsum("tck,tkd->tcd", bary, corners) for corners in both)
    uv = welded_uv(faces, np.clip(uv, 0.0, 1.0).astype(np.float32), _WELDED)
    return uv, np.clip(makehuman, 0.0, 1.0)


def _quads_first(faces: Annotated[IndexArray, "T 3"]) -> Annotated[IntArray, "T"]:
    """By how many corners to turn triangles, each two of which are the halves of a quad, so that
    they are (a, b, c) and (a, c, d)."""
    first, second = faces.reshape(-1, 2, 3).transpose(1, 0, 2)
    alone = ~(first[:, :, None] == second[:, None, :]).any(2)
    other = ~(second[:, :, None] == first[:, None, :]).any(2)
    # b is the corner of the first that the second has not, d that of the second.
    turns = np.stack([(alone.argmax(1) - 1) % 3, (other.argmax(1) - 2) % 3], axis=1)
    return turns.ravel()


def _turned(
    corners: Annotated[AnyArray, "T 3 ..."], turn: Annotated[IntArray, "T"]
) -> Annotated[AnyArray, "T 3 ..."]:
    """What triangles have at their corners, beginning ``turn`` corners later."""
    order = (np.arange(3) + turn[:, None]) % 3
    return corners[np.arange(len(corners))[:, None], order]


def _wider_arrays(flame: FlameArrays, person: PersonArrays, carriers: Carriers) -> FlameArrays:
    """The file's model with the added vertices: who somebody is moves all of them, expressions
    neither eyes nor teeth."""
    added = merged_weights(_weights(person))[carriers.added]
    return replace(
        flame,
        template=np.concatenate([flame.template, carriers.template(flame.template)]),
        shape_basis=_basis(flame.shape_basis, carriers, rigid=True),
        expression_basis=_basis(flame.expression_basis, carriers, rigid=False),
        pose_basis=_basis(flame.pose_basis, carriers, rigid=False),
        joint_regressor=np.pad(flame.joint_regressor, ((0, 0), (0, len(added)))),
        weights=np.concatenate([flame.weights, added]),
    )


def _weights(person: PersonArrays) -> Annotated[RealArray, "P 6"]:
    own = person.anny.weights
    return np.concatenate([own[: person.direct], own[person.frame_points[:, 0]]])


def _basis(basis: Float32Array, carriers: Carriers, *, rigid: bool) -> Float32Array:
    """A basis (V + F, 3, K), as FlameArrays has them in memory."""
    rows, width = basis.reshape(len(basis), -1), basis.shape[2]
    more = carriers.moved(rows, rigid=rigid).reshape(-1, 3, width).astype(np.float32)
    planes = [np.ascontiguousarray(part.transpose(2, 1, 0)) for part in (basis, more)]
    return np.concatenate(planes, axis=2).transpose(2, 1, 0)
