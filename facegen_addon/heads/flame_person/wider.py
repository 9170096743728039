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

from ...arrays import AnyArray, Float32Array, FloatArray, IndexArray, IntArray, RealArray
from ..correspondence import SurfacePoints, plane_barycentric
from ..flame.dressing import Dressing, to_flame, to_house
from ..flame.file import JOINT_NAMES, FlameArrays
from ..flame.open_head import open_flame
from ..person.file import PERSON_PARTS
from ..person.head import PersonHead
from ..person.model import Lashes
from ..surface import Surface, welded_uv
from .anchors import Anchors, OnFlame, beneath, merged_weights

_MOUTH = [48, 54, 62, 66]
"""Landmarks of the mouth's corners and of the lips' inner edges."""
_INSIDE = 0.5
"""Mask of vertices inside the mouth."""
_WELDED = 2e-4
"""Texture coordinates nearer than that are one."""


@dataclass(frozen=True)
class WiderFlame:
    """A file's model with V + F vertices, and its dressing.

    makehuman (T, 3, 2): MakeHuman's texture coordinates of the triangles' corners; rings: whether
    its neck ends as person's does, in rings of quads.
    """

    flame: FlameArrays
    dressing: Dressing
    makehuman: Annotated[Float32Array, "T 3 2"]
    rings: bool


class Widening:
    """Joins person's parts to a file."""

    def __init__(
        self,
        flame: FlameArrays,
        dressing: Dressing,
        person: PersonHead,
        arrays: Mapping[str, AnyArray],
    ) -> None:
        """Take the arrays of models/open_person.npz; ``dressing`` is of the file."""
        self._flame, self._dressing = flame, dressing
        self._person, self._head = person.arrays, person
        own, theirs = dressing.surface, person.surface
        # A file with the open head's triangles has Anny's mesh, of which person's is made, too.
        self.same_mesh = np.array_equal(own.faces, open_flame()[1].surface.faces)
        self._same = np.full(len(theirs.part), -1)
        if self.same_mesh:
            self._same = arrays["anny_vertex"].astype(np.intp)
        self._quads = self._missing_quads()
        self._added = np.setdiff1d(theirs.polygons[self._quads], np.flatnonzero(self._same >= 0))
        self._place = self._same.copy()
        self._place[self._added] = len(flame.template) + np.arange(len(self._added))
        on_flame = OnFlame.of(flame, dressing, self._person, self._same)
        rest = own.rest_position if self.same_mesh else None
        self.anchors = Anchors(arrays, self._person, on_flame, flame, self._added, rest)
        if not self.same_mesh:
            mouth = dressing.landmarks.read(flame.template, flame.faces)[_MOUTH]
            self.anchors.set_teeth(flame.template, mouth)

    def _missing_quads(self) -> Annotated[IntArray, "Q"]:
        """Person's quads that the file has not: of Anny's mesh all others; else parts that are no
        skin, and the mouth's inside."""
        theirs = self._person.anny.surface
        quads = theirs.polygons
        if self.same_mesh:
            return np.flatnonzero((self._same < 0)[quads].any(1))
        skin = theirs.vertices_of("skin")[quads].any(1)
        inside = (theirs.masks["mouth"] > _INSIDE)[quads].all(1)
        return np.flatnonzero(~skin | inside)

    def widened(self) -> WiderFlame:
        """The whole."""
        if self.same_mesh:
            faces, uv, makehuman, dressing = self._renumbered_polygons()
        else:
            faces, uv, makehuman, dressing = self._own_and_added()
        own, theirs, added = dressing.surface, self._person.anny.surface, self._added
        rest = np.concatenate([own.rest_position, theirs.rest_position[added]])
        known = np.flatnonzero(self._same >= 0)
        rest[self._same[known]] = theirs.rest_position[known]
        surface = Surface(
            faces=faces.astype(np.int32),
            uv=uv.astype(np.float32),
            part=np.concatenate([own.part, theirs.part[added]]).astype(np.int8),
            part_names=PERSON_PARTS,
            masks=_both(own.masks, theirs.masks, added),
            fields=_both(own.fields, theirs.fields, added),
            rest_position=rest,
            gaze=np.concatenate([own.gaze, theirs.gaze[added]]),
            corners=4 if self.same_mesh else 3,
            lashes=theirs.lashes,
        )
        points = _with_pupils(dressing.five_points, surface)
        return WiderFlame(
            self._wider_arrays(),
            replace(dressing, surface=surface, five_points=points),
            makehuman.astype(np.float32),
            rings=self.same_mesh,
        )

    def _renumbered_polygons(self) -> tuple[AnyArray, AnyArray, AnyArray, Dressing]:
        """Faces, both texture coordinates and points of Anny's mesh: person's, renumbered."""
        anny, theirs = self._person.anny, self._person.anny.surface
        at_vertices = self._dressing.five_points
        corners = self._dressing.surface.faces[at_vertices.triangle]
        dressing = replace(
            self._dressing,
            strands=anny.strands,
            landmarks=anny.landmarks,
            five_points=_found_again(self._place[theirs.faces], corners, at_vertices.bary),
        )
        return self._place[theirs.faces], theirs.uv, self._head.makehuman, dressing

    def _own_and_added(self) -> tuple[AnyArray, AnyArray, AnyArray, Dressing]:
        """The same of a file's own triangles without eyeballs, then person's added ones."""
        dressing, theirs = self._dressing, self._person.anny.surface
        surface = dressing.surface
        eyes = surface.vertices_of("eye_left") | surface.vertices_of("eye_right")
        own = np.flatnonzero(~eyes[surface.faces].any(1))
        number = np.full(len(surface.faces), -1)
        number[own] = np.arange(len(own))
        uv, makehuman = self._textured(surface.faces[own])
        rows = (2 * self._quads[:, None] + np.arange(2)).ravel()
        dressing = replace(
            dressing,
            strands=replace(dressing.strands, triangle=number[dressing.strands.triangle]),
            landmarks=replace(dressing.landmarks, triangle=number[dressing.landmarks.triangle]),
            five_points=replace(
                dressing.five_points, triangle=number[dressing.five_points.triangle]
            ),
        )
        return (
            np.concatenate([surface.faces[own], self._place[theirs.faces[rows]]]),
            np.concatenate([uv, theirs.uv[rows]]),
            np.concatenate([makehuman, self._head.makehuman[rows]]),
            dressing,
        )

    def _textured(self, faces: Annotated[IndexArray, "T 3"]) -> tuple[AnyArray, AnyArray]:
        """Corners' coordinates (T, 3, 2) in person's layout and in MakeHuman's.

        Each triangle reads the one of person's skin beneath its middle, so that none straddles a
        seam.
        """
        theirs, surface = self._person.anny.surface, self._dressing.surface
        jaw = self._flame.weights[:, JOINT_NAMES.index("jaw")]
        template = to_house(self._flame.template)
        under = beneath(surface, template, faces, jaw, self._person)
        spots = surface.rest_position.astype(np.float64)[faces]
        known = theirs.rest_position.astype(np.float64)[theirs.faces[under]]
        bary = plane_barycentric(spots, known[:, None])
        both = (theirs.uv[under], self._head.makehuman[under])
        uv, makehuman = (
            np.clip(np.einsum("tck,tkd->tcd", bary, corners), 0.0, 1.0) for corners in both
        )
        return welded_uv(faces, uv.astype(np.float32), _WELDED), makehuman

    def _wider_arrays(self) -> FlameArrays:
        """The file's model with the added vertices: who somebody is moves all of them, expressions
        neither eyes nor teeth."""
        flame, anchors = self._flame, self.anchors
        own, first = self._person.anny.weights, self._person.direct
        weights = np.concatenate([own[:first], own[self._person.frame_points[:, 0]]])
        # A lash turns as its lid does, so that it can be made longer on a head in any pose.
        lashes = Lashes.of(self._person.anny.surface)
        weights[lashes.rows] = weights[lashes.lids]
        added = merged_weights(weights[self._added])
        return replace(
            flame,
            template=np.concatenate([flame.template, anchors.template(flame.template)]),
            shape_basis=_basis(flame.shape_basis, anchors, rigid=True),
            expression_basis=self._expressions(),
            pose_basis=_basis(flame.pose_basis, anchors, rigid=False),
            joint_regressor=np.pad(flame.joint_regressor, ((0, 0), (0, len(added)))),
            weights=np.concatenate([flame.weights, added]),
        )

    def _expressions(self) -> Float32Array:
        """The basis (V + F, 3, E): of Anny's mesh with Anny's actions as person has them, by which
        the lower teeth go with the jaw; else all but eyes and teeth are carried."""
        own, arrays = self._flame.expression_basis, self._person.anny
        names = self._flame.extras.get("facegen_expression_names", np.array([]))
        actions = [row.name for row in arrays.table.parameters if row.group == "expression"]
        if not self.same_mesh or names.tolist() != actions:
            return _basis(own, self.anchors, rigid=False)
        moved = arrays.shapes[-len(actions) :].reshape(len(actions), -1, 3)
        everything = self._head.anny.with_fitted(moved)[:, self._added]
        return _joined(own, to_flame(everything).transpose(1, 2, 0))


def _both(
    own: Mapping[str, Float32Array], person: Mapping[str, Float32Array], added: IntArray
) -> dict[str, Float32Array]:
    return {name: np.concatenate([own[name], person[name][added]]) for name in own}


def _basis(basis: Float32Array, anchors: Anchors, *, rigid: bool) -> Float32Array:
    """A basis (V + F, 3, K): the file's (V, 3, K), and what anchors make of it."""
    count, axes, width = basis.shape
    moved = anchors.moved(basis.reshape(count, axes * width), rigid=rigid)
    return _joined(basis, moved.reshape(len(moved), axes, width))


def _joined(own: Float32Array, added: RealArray) -> Float32Array:
    """Bases (V, 3, K) and (F, 3, K) as one, which lies in memory as FlameArrays has them."""
    planes = [part.transpose(2, 1, 0).astype(np.float32) for part in (own, added)]
    return np.concatenate(planes, axis=2).transpose(2, 1, 0)


def _found_again(
    faces: Annotated[IndexArray, "T 3"],
    corners: Annotated[IndexArray, "N 3"],
    bary: Annotated[FloatArray, "N 3"],
) -> SurfacePoints:
    """Points of triangles with these corners (N, 3), on a mesh (T, 3) that has those triangles in
    another order, beginning at other corners; where it has not, on its first."""
    key = {tuple(sorted(face)): row for row, face in enumerate(faces.tolist())}
    rows = np.array([key.get(tuple(sorted(face)), 0) for face in corners.tolist()])
    there = faces[rows][:, :, None] == corners[:, None, :]
    return SurfacePoints(rows, np.einsum("nij,nj->ni", there, bary))


def _with_pupils(points: SurfacePoints, surface: Surface) -> SurfacePoints:
    """Five points whose first two, the viewer's left and right pupil, lie on the corneas."""
    triangle, bary = points.triangle.copy(), points.bary.copy()
    for point, side in enumerate(("right", "left")):
        cornea = np.flatnonzero(surface.vertices_of(f"cornea_{side}")[surface.faces].all(1))
        triangle[point] = cornea[surface.gaze[surface.faces[cornea], 1].mean(1).argmin()]
        bary[point] = 1 / 3
    return SurfacePoints(triangle, bary)
