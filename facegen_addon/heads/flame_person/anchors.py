# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the mesh of `person` lies on a FLAME file's, and how what no FLAME mesh has is carried.

The file's dressing says where each of its vertices lies on the template that the open head,
`anny` and `person` share; there the two meshes are laid on one another. A vertex of person's skin
is a point of a triangle of the file; lashes, teeth, eyes and the neck below Anny's are sums of
such points, by the weights of models/open_person.npz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import AnyArray, FloatArray, IndexArray, IntArray, RealArray
from ..correspondence import Target, features, stack_features
from ..flame.dressing import Dressing, sphere_centre, to_flame, to_house
from ..flame.file import JOINT_NAMES, FlameArrays
from ..person.file import PersonArrays
from ..products import product
from ..strands import vertex_normals
from ..surface import Surface

_JAW_LENGTH = 0.02
"""Metres that the jaw's skinning weight counts for in correspondences: it tells lip from lip."""
_TEETH = np.array([0.0, 0.0017, 0.0135])
"""Metres from the middle of the mouth's corners and the lips' inner edges to the middle, front and
top of the teeth, on the mean head of `person`."""
_EYES = ("eye_left", "eye_right")
_JAW = JOINT_NAMES.index("jaw")


@dataclass(frozen=True)
class OnFlame:
    """Person's skin as sums of a file's vertices.

    skin (S,): person's vertices; rows and shares (S, 3): the file's, and how much each counts.
    """

    skin: Annotated[IntArray, "S"]
    rows: Annotated[IntArray, "S 3"]
    shares: Annotated[FloatArray, "S 3"]

    @classmethod
    def of(
        cls,
        flame: FlameArrays,
        dressing: Dressing,
        person: PersonArrays,
        same: Annotated[IntArray, "P"],
    ) -> OnFlame:
        """Lay the skin of `person` on the file's; same (P,): the file's vertex that each of
        person's is, -1 for none."""
        theirs = person.anny.surface
        known = np.flatnonzero(theirs.vertices_of("skin") & (same >= 0))
        if len(known):
            return cls(known, np.repeat(same[known, None], 3, 1), np.eye(3)[np.zeros_like(known)])
        skin = np.flatnonzero(theirs.vertices_of("skin"))
        rest = theirs.rest_position.astype(np.float64)
        target = _target(dressing.surface, flame.weights[:, _JAW])
        mine = features(rest, theirs.faces, _JAW_LENGTH * jaw_weight(person)[:, None])
        points = target.closest(rest[skin], mine[skin])
        return cls(skin, dressing.surface.faces[points.triangle].astype(np.intp), points.bary)

    def carried(self, values: Annotated[RealArray, "V D"]) -> Annotated[FloatArray, "P D"]:
        """Values of the file's vertices -> of person's, of the skin alone: others are zero."""
        found = np.zeros((int(self.skin.max()) + 1, values.shape[1]))
        for row, share in zip(self.rows.T, self.shares.T, strict=True):
            found[self.skin] += share[:, None] * values[row]
        return found


def jaw_weight(person: PersonArrays) -> Annotated[FloatArray, "P"]:
    """How much each of person's vertices follows the jaw; fitted ones are left at 0."""
    weights = np.zeros(len(person.anny.surface.part))
    own = person.anny.weights[: person.direct]
    weights[: person.direct] = merged_weights(own)[:, _JAW]
    return weights


def _target(surface: Surface, jaw: Annotated[FloatArray, "V"]) -> Target:
    skin = surface.vertices_of("skin")[surface.faces].all(1)
    return Target(
        surface.rest_position.astype(np.float64),
        surface.faces,
        _JAW_LENGTH * jaw[:, None],
        skin,
    )


def beneath(
    surface: Surface,
    vertices: Annotated[FloatArray, "V 3"],
    faces: Annotated[IndexArray, "T 3"],
    jaw: Annotated[FloatArray, "V"],
    person: PersonArrays,
) -> Annotated[IntArray, "T"]:
    """Which triangle of person's skin lies under the middle of each of a file's triangles.

    vertices (V, 3): the file's template, which faces the same way; below Anny's neck ``surface``
    has nothing but its edge.
    """
    target = _target(person.anny.surface, jaw_weight(person))
    rest = surface.rest_position.astype(np.float64)
    normals = vertex_normals(vertices, surface.faces)
    mine = stack_features(rest, normals, _JAW_LENGTH * jaw[:, None])
    return target.closest(rest[faces].mean(1), mine[faces].mean(1)).triangle


def merged_weights(weights: Annotated[RealArray, "V 6"]) -> Annotated[FloatArray, "V 5"]:
    """Skinning weights of Anny's six joints (V, 6) for FLAME's five (V, 5): neck and head turn
    as one there, below them all stays with the root."""
    root, neck, head, jaw, left, right = weights.T.astype(np.float64)
    return np.stack([root + neck, head, jaw, left, right], axis=1)


class Anchors:
    """How vertices of `person` that a file lacks follow from its vertices.

    added (F,): person's numbers of them.
    """

    def __init__(
        self,
        arrays: Mapping[str, AnyArray],
        person: PersonArrays,
        on_flame: OnFlame,
        flame: FlameArrays,
        added: Annotated[IntArray, "F"],
        rest: Annotated[RealArray, "V 3"] | None = None,
    ) -> None:
        """Take the arrays of models/open_person.npz.

        rest: places of the file's vertices on the template of `person`, where those of eyeballs
        are known, too.
        """
        self.added = added
        self._on_flame, self._person = on_flame, person
        self._carried = arrays["carried"].astype(np.intp)
        self._by = arrays["anchors"].astype(np.intp)
        self._weights = arrays["anchor_weights"].astype(np.float64)
        self._offsets = to_flame(arrays["anchor_offsets"].astype(np.float64))
        self._teeth_by = arrays["teeth_anchors"].astype(np.intp)
        self._teeth = arrays["teeth_weights"].astype(np.float64)
        self._teeth_offsets = to_flame(arrays["teeth_offsets"].astype(np.float64))
        self._eyes = [_EyeFrame.of(flame, person, part, rest) for part in _EYES]

    def set_teeth(
        self, template: Annotated[FloatArray, "V 3"], mouth: Annotated[FloatArray, "N 3"]
    ) -> None:
        """Have teeth stand to the mouth of a file's template (V, 3), N points of it in the file's
        coordinates, as they do on the mean head of `person`."""
        surface = self._person.anny.surface
        teeth = to_house(self.template(template))[surface.vertices_of("teeth")[self.added]]
        low, high = teeth.min(0), teeth.max(0)
        now = np.array([0.5 * (low[0] + high[0]), low[1], high[2]])
        self._teeth_offsets += mouth.mean(0) + to_flame(_TEETH - now)

    def template(self, values: Annotated[RealArray, "V 3"]) -> Annotated[FloatArray, "F 3"]:
        """Where the added vertices are on a head without expression with these vertices (V, 3)."""
        return self._read(values, offset=True, rigid=True)

    def moved(
        self, values: Annotated[RealArray, "V D"], *, rigid: bool
    ) -> Annotated[FloatArray, "F D"]:
        """How they move with the file's vertices; ``rigid``: eyes and teeth, too, which follow
        who somebody is and not what a face does."""
        return self._read(values, offset=False, rigid=rigid)

    def _read(self, values: RealArray, *, offset: bool, rigid: bool) -> FloatArray:
        person, skin = self._person, self._on_flame.carried(np.asarray(values, np.float64))
        width = values.shape[1]
        vertices = np.zeros((len(person.anny.surface.part), width))
        vertices[: len(skin)] = skin
        vertices[self._carried] = np.einsum("rk,rkd->rd", self._weights, skin[self._by])
        if offset:
            vertices[self._carried] += self._offsets
        if rigid:
            frames = np.zeros((4, 4, width))
            for number, eye in enumerate(self._eyes):
                frames[number] = eye.weights @ np.asarray(values, np.float64)[eye.cage]
            teeth = np.einsum("rk,rkd->rd", self._teeth, skin[self._teeth_by])
            if offset:
                teeth += self._teeth_offsets
            frames[2:] = teeth.reshape(2, 4, width)
            frame = (person.frame_points[:, 0] - person.direct) // 4
            vertices[person.direct :] = np.einsum("fk,fkd->fd", person.frame_weights, frames[frame])
        return vertices[self.added]


@dataclass(frozen=True)
class _EyeFrame:
    """The four points of an eye's frame as sums (4, C) of the vertices of a file's eyeball (C,)."""

    cage: Annotated[IntArray, "C"]
    weights: Annotated[FloatArray, "4 C"]

    @classmethod
    def of(
        cls, flame: FlameArrays, person: PersonArrays, part: str, rest: RealArray | None
    ) -> _EyeFrame:
        cage = np.flatnonzero(flame.weights[:, JOINT_NAMES.index(part)] > 0.5)
        # Person's frame has its first point in the eye's middle, the others along the axes.
        first = person.direct + 4 * _EYES.index(part)
        points = person.anny.template[first : first + 4]
        if rest is None:
            centre = sphere_centre(flame.template[cage])
            radius = float(np.linalg.norm(flame.template[cage] - centre, axis=1).mean())
            ball = to_house(flame.template[cage] - centre) * (RADIUS / radius) + points[0]
        else:
            ball = rest[cage].astype(np.float64)
        known = np.column_stack([ball, np.ones(len(cage))])
        wanted = np.column_stack([points, np.ones(4)])
        return cls(cage, product(wanted, np.linalg.pinv(known)))


RADIUS = 0.014955
"""Metres: MakeHuman's eyeballs, to which person's are fitted."""
