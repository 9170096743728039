# SPDX-License-Identifier: GPL-3.0-or-later
"""The texture layout of the `person` head: face upright and large, all else around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from facegen_addon.arrays import AnyArray, IndexArray, RealArray
from facegen_addon.heads.appearance import smoothstep
from models.training.person_mesh import BaseQuads, back_of_head, midline_behind
from models.training.unwrap import cut, flatten, quad_edges

BOXES = {  # left, bottom, right, top of the square that each island is centred in
    "face": (0.005, 0.125, 0.705, 0.995),
    "back": (0.710, 0.770, 0.995, 0.995),
    "ear_right": (0.710, 0.630, 0.850, 0.765),
    "ear_left": (0.855, 0.630, 0.995, 0.765),
    "eye_right": (0.710, 0.485, 0.850, 0.625),
    "eye_left": (0.855, 0.485, 0.995, 0.625),
    "teeth": (0.710, 0.195, 0.995, 0.480),
    "mouth": (0.830, 0.065, 0.995, 0.190),
    "tongue": (0.755, 0.065, 0.825, 0.190),
    "socket_right": (0.570, 0.005, 0.655, 0.120),
    "socket_left": (0.660, 0.005, 0.745, 0.120),
    "lashes": (0.120, 0.005, 0.560, 0.120),
    "cornea_right": (0.005, 0.065, 0.060, 0.120),
    "cornea_left": (0.062, 0.065, 0.117, 0.120),
}
_UPRIGHT = ("face", "back", "ear_right", "ear_left")
_MIRRORED = ("face", "back")
_EAR = 0.5  # of MakeHuman's mask, at all corners of a quad
_REST = 0.6  # size of neck, temples and crown beside that of the face
_SMOOTHING = 200


@dataclass(frozen=True)
class Layout:
    """Texture coordinates (Q, 4, 2) of the head's own quads, and the island's name of each."""

    uv: RealArray
    island: AnyArray


def lay_out(found: BaseQuads, vertices: RealArray, ears: Annotated[AnyArray, "V"]) -> Layout:
    """Skin and tongue; ears (V,): how much each vertex of the base mesh belongs to one."""
    names = islands(found, vertices, ears)
    seams = np.concatenate([_between(found.quads, names), midline_behind(found.quads, vertices)])
    place, _ = cut(found.quads, seams)
    uv = np.zeros((*found.quads.shape, 2))
    for name in np.unique(names):
        rows = names == name
        if name in _UPRIGHT:
            flat = _laid_flat(vertices, found.quads[rows], place[rows], name)
        else:
            flat = found.uv[rows]
        uv[rows] = into_box(flat, name)
    return Layout(uv, names)


def into_box(flat: RealArray, name: str) -> Annotated[AnyArray, "... 2"]:
    """Coordinates (..., 2) at one scale in the middle of their island's box."""
    x0, y0, x1, y1 = BOXES[name]
    low, high = flat.reshape(-1, 2).min(0), flat.reshape(-1, 2).max(0)
    scale = float(np.min(np.array([x1 - x0, y1 - y0]) / (high - low)))
    return (flat - 0.5 * (low + high)) * scale + 0.5 * np.array([x0 + x1, y0 + y1])


def islands(found: BaseQuads, vertices: RealArray, ears: AnyArray) -> AnyArray:
    """The name of each quad's island: MakeHuman's for what lies inside, ours for the outside."""
    theirs = _their_islands(found.uv)
    middle = vertices[found.quads].mean(1)
    side = np.where(middle[:, 0] > 0, "left", "right")
    names = np.full(len(theirs), "face", dtype="<U12")
    names[back_of_head(found.quads, vertices)] = "back"
    ear = (ears[found.quads] > _EAR).all(1)
    names[ear] = np.char.add("ear_", side[ear])
    for island in np.unique(theirs):
        rows = theirs == island
        low, high = found.uv[rows].reshape(-1, 2).min(0), found.uv[rows].reshape(-1, 2).max(0)
        if high[0] < 0.2:  # MakeHuman has the sockets at its left edge,
            names[rows] = np.char.add("socket_", side[rows])
        elif high[1] < 0.14:  # the mouth at the bottom
            names[rows] = "mouth"
        elif low[1] > 0.9 and low[0] > 0.6:  # and the tongue at the top
            names[rows] = "tongue"
    return names


def _their_islands(uv: RealArray) -> AnyArray:
    """Connected pieces (Q,) of a layout (Q, 4, 2)."""
    _, corner = np.unique(np.round(uv.reshape(-1, 2), 5), axis=0, return_inverse=True)
    corner = corner.reshape(-1, 4)
    links = np.concatenate([corner[:, [0, k]] for k in (1, 2, 3)])
    count = int(corner.max()) + 1
    graph = coo_matrix((np.ones(len(links)), links.T), shape=(count, count))
    return connected_components(graph, directed=False)[1][corner[:, 0]]


def _between(quads: IndexArray, names: AnyArray) -> AnyArray:
    """Edges (K, 2) between quads of different islands."""
    edges, place = np.unique(quad_edges(quads), axis=0, return_inverse=True)
    number = np.unique(names, return_inverse=True)[1]
    low, high = np.full(len(edges), len(names)), np.full(len(edges), -1)
    np.minimum.at(low, place.ravel(), np.repeat(number, 4))
    np.maximum.at(high, place.ravel(), np.repeat(number, 4))
    return edges[low != high]


def _laid_flat(vertices: RealArray, quads: IndexArray, place: RealArray, name: str) -> AnyArray:
    """An island (Q, 4, 2), its top up, alike on both sides where it has two."""
    used, corners = np.unique(place, return_inverse=True)
    corners = corners.reshape(-1, 4)
    points = np.zeros((len(used), 3))
    points[corners.ravel()] = vertices[quads.ravel()]
    middle = points[corners].mean(1)
    front = smoothstep(-0.04, -0.09, middle[:, 1]) * smoothstep(0.59, 0.63, middle[:, 2])
    flat = flatten(
        points, corners, _REST + (1 - _REST) * front if name == "face" else 1 + 0 * front
    )
    flat = _untangled(_upright(flat, points), corners)
    if name in _MIRRORED:
        flat = _alike(flat, points, corners, middle)
    return flat[corners]


def _upright(flat: RealArray, points: RealArray) -> AnyArray:
    """Turned so that what lies higher on the head lies higher on the island."""
    centred = flat - flat.mean(0)
    up = np.linalg.lstsq(centred, points[:, 2] - points[:, 2].mean(), rcond=None)[0]
    up /= np.linalg.norm(up)
    return centred @ np.array([[up[1], up[0]], [-up[0], up[1]]])


def _alike(flat: RealArray, points: RealArray, corners: IndexArray, middle: RealArray) -> AnyArray:
    """Left and right made mirror images; a seam's two sides are told apart by what adjoins them."""
    near = np.zeros_like(points)
    np.add.at(near, corners.ravel(), np.repeat(middle, 4, axis=0))
    near /= np.bincount(corners.ravel(), minlength=len(points))[:, None]
    features = np.concatenate([points, near], axis=1)
    partner = cKDTree(features).query(features * [-1, 1, 1, -1, 1, 1])[1]
    return 0.5 * (flat + (flat[partner] - flat.mean(0)) * [-1, 1] + flat.mean(0))


def _untangled(flat: RealArray, corners: IndexArray) -> AnyArray:
    """Vertices of quads that are folded over drawn between their neighbours until none is."""
    flat = flat.copy()
    edges = np.unique(quad_edges(corners), axis=0)
    links = coo_matrix((np.ones(len(edges)), edges.T), shape=(len(flat),) * 2).tocsr()
    links = links + links.T
    degree = np.asarray(links.sum(1)).ravel()
    for _ in range(_SMOOTHING):
        folded = np.unique(corners[_is_folded(flat[corners])])
        if not len(folded):
            break
        flat[folded] = (links[folded] @ flat) / degree[folded, None]
    return flat


def _is_folded(quads: IndexArray) -> AnyArray:
    """Which flat quads (Q, 4, 2) have a half that is turned over."""
    a, b, c, d = quads.transpose(1, 0, 2)

    def area(p: RealArray, q: RealArray, r: RealArray) -> AnyArray:
        return (q - p)[:, 0] * (r - p)[:, 1] - (q - p)[:, 1] * (r - p)[:, 0]

    return (area(a, b, c) <= 0) | (area(a, c, d) <= 0)
