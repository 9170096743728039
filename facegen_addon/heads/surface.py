# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a mesh that all heads of a model share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import Float32Array, IndexArray, Int32Array, IntArray, RealArray

PART_NAMES = ("skin", "tongue", "eye_left", "eye_right")
"""The parts of every head, in this order; left and right are the subject's."""


@dataclass(frozen=True)
class Surface:
    """Topology, texture coordinates, parts and regions: the same for every head of a model.

    faces (T, 3) int32; uv (T, 3, 2) float32 per corner, in [0, 1]; part (V,) int8, the index
    into ``part_names``, which are PART_NAMES (a part may have no vertices); masks: name -> (V,)
    float32 in [0, 1] of lips, mouth (its inside), ears, cheeks, nose, orbit, lid, scalp, brow and
    beard; fields: name -> (V,) float32 metres, signed distances ("hairline": above it, "beard":
    below its upper edge); rest_position (V, 3) float32 metres, the template that textures stick
    to; gaze (V, 3) float32: for eye vertices the unit direction from the eye's centre in the
    template, else zero.
    """

    faces: Annotated[Int32Array, "T 3"]
    uv: Annotated[Float32Array, "T 3 2"]
    part: Annotated[IndexArray, "V"]
    part_names: tuple[str, ...]
    masks: dict[str, Annotated[Float32Array, "V"]]
    fields: dict[str, Annotated[Float32Array, "V"]]
    rest_position: Annotated[Float32Array, "V 3"]
    gaze: Annotated[Float32Array, "V 3"]


def sorted_edges(faces: Annotated[IndexArray, "T 3"]) -> Annotated[IndexArray, "3*T 2"]:
    """Edges (3 T, 2) of all faces (T, 3), the lower vertex first, shared ones repeated."""
    return np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)


def welded_uv(
    faces: Annotated[IndexArray, "T 3"], uv: Annotated[Float32Array, "T 3 2"], nearer: float
) -> Annotated[Float32Array, "T 3 2"]:
    """Texture coordinates (T, 3, 2) of which nearly equal ones at a vertex are made equal.

    Of corners at the same vertex that are ``nearer`` than that to each other, in u and in v, all
    get what the last one has; afterwards no two are that near without being equal. faces (T, 3).
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


def open_loops(faces: Annotated[IndexArray, "T 3"]) -> list[Annotated[IntArray, "_"]]:
    """Vertices of each open loop of a mesh: those on edges with one of the faces (T, 3) only."""
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
