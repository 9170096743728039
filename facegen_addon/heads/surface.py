# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a mesh that all heads of a model share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import (
    AnyArray,
    BoolArray,
    ByteArray,
    Float32Array,
    IndexArray,
    Int32Array,
    IntArray,
    RealArray,
)

PART_NAMES = ("skin", "tongue", "eye_left", "eye_right")
"""The parts of every head, in this order; left and right are the subject's."""
MORE_PARTS = ("cornea_left", "cornea_right", "teeth", "gums", "lashes")
"""Parts that a head may have beside those, after them."""
_HALVES = [[0, 1, 2], [0, 2, 3]]


@dataclass(frozen=True)
class Cards:
    """A picture of hairs that lies on a part of the texture: coverage (H, W) uint8, its first row
    on top; box (2, 2): the texture coordinates of its lower left and upper right corner."""

    coverage: ByteArray
    box: Float32Array


@dataclass(frozen=True)
class Surface:
    """Topology, texture coordinates, parts and regions: the same for every head of a model.

    faces (T, 3) int32; uv (T, 3, 2) float32 per corner, in [0, 1]; part (V,) int8, the index
    into ``part_names``, which are PART_NAMES (a part may have no vertices) and any of MORE_PARTS;
    masks: name -> (V,) float32 in [0, 1] of lips, mouth (its inside), ears, cheeks, nose, orbit,
    lid, scalp, brow and beard; fields: name -> (V,) float32 metres, signed distances ("hairline":
    above it, "beard": below its upper edge); rest_position (V, 3) float32 metres, the template that
    textures stick to; gaze (V, 3) float32: for eye vertices the unit direction from the eye's
    centre in the template, else zero; corners: of the mesh's polygons, 3 or 4: where it is 4, each
    two faces in succession are the halves (a, b, c) and (a, c, d) of a quad; lashes: what their
    cards show, of models that have some.
    """

    faces: Annotated[Int32Array, "T 3"]
    uv: Annotated[Float32Array, "T 3 2"]
    part: Annotated[IndexArray, "V"]
    part_names: tuple[str, ...]
    masks: dict[str, Float32Array]
    fields: dict[str, Float32Array]
    rest_position: Float32Array
    gaze: Float32Array
    corners: int = 3
    lashes: Cards | None = None

    @property
    def polygons(self) -> Int32Array:
        """The mesh as it is modelled: triangles or quads (F, corners)."""
        return _joined(self.faces, self.corners)

    @property
    def polygon_uv(self) -> Float32Array:
        """The polygons' texture coordinates (F, corners, 2)."""
        return _joined(self.uv, self.corners)

    def vertices_of(self, part: str) -> BoolArray:
        """Which vertices (V,) are of a part; none where the model has no such part."""
        if part not in self.part_names:
            return np.zeros(len(self.part), bool)
        of_part: BoolArray = self.part == self.part_names.index(part)
        return of_part


def halves(quads: AnyArray) -> AnyArray:
    """Quads (Q, 4, ...) as the two triangles of each, one after another (2 Q, 3, ...)."""
    return quads[:, _HALVES].reshape(-1, 3, *quads.shape[2:])


def _joined(triangles: AnyArray, corners: int) -> AnyArray:
    """Triangles (T, 3, ...) as polygons of so many corners: undoes `halves`."""
    if corners == 3:
        return triangles
    pairs = triangles.reshape(-1, 2, 3, *triangles.shape[2:])
    return np.concatenate([pairs[:, 0], pairs[:, 1, 2:]], axis=1)


def sorted_edges(faces: IndexArray) -> IndexArray:
    """The edges (C F, 2) of all faces (F, C), the lower vertex first, shared ones repeated: first
    those that leave the first corners."""
    ahead = np.roll(faces, -1, axis=1)
    return np.sort(np.stack([faces.T.ravel(), ahead.T.ravel()], axis=1), axis=1)


def welded_uv(faces: IndexArray, uv: Float32Array, nearer: float) -> Float32Array:
    """Texture coordinates (F, C, 2) with those made equal that are all but equal.

    Of corners at the same vertex that are ``nearer`` than that to each other, in u and in v, all
    get what the last one has; afterwards no two are that near without being equal. faces (F, C).
    """
    vertex, welded = faces.ravel(), uv.reshape(-1, 2).copy()
    left = np.arange(len(vertex))
    while len(left):
        last_at = np.zeros(int(faces.max()) + 1, np.intp)
        np.maximum.at(last_at, vertex[left], left)
        last = last_at[vertex[left]]
        joined = (np.abs(welded[left] - welded[last]) < nearer).all(1)
        welded[left[joined]] = welded[last[joined]]
        left = left[~joined]
    return welded.reshape(uv.shape)


def open_loops(faces: Annotated[IndexArray, "F K"]) -> list[Annotated[IntArray, "_"]]:
    """Vertices of each open loop of a mesh: those on edges with one of the faces (F, K) only."""
    unique, uses = np.unique(sorted_edges(faces), axis=0, return_counts=True)
    border = unique[uses == 1].astype(np.intp)
    # Every vertex takes on the smallest number among its neighbours until nothing changes.
    label = np.arange(int(faces.max()) + 1)
    while True:
        lowest = label[border].min(1)
        before = label.copy()
        np.minimum.at(label, border.ravel(), np.repeat(lowest, 2))
        if np.array_equal(before, label):
            break
    members = np.unique(border)
    return [members[label[members] == number] for number in np.unique(label[members])]


def neck_edge(
    faces: Annotated[IndexArray, "T 3"], height: Annotated[RealArray, "V"]
) -> Annotated[IntArray, "K"]:
    """Vertices of the lowest open loop, where the neck is cut off; height (V,)."""
    return min(open_loops(faces), key=lambda loop: float(height[loop].mean()))
