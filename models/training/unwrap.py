# SPDX-License-Identifier: GPL-3.0-or-later
"""Islands of a quad mesh laid flat, as rigidly as can be.

After Liu, Zhang, Xu, Gotsman and Gortler, "A Local/Global Approach to Mesh Parameterization"
(Computer Graphics Forum 27, 2008); each face may be given a size other than its own. The start is
Tutte's embedding in a disc.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import factorized, spsolve

from facegen_addon.arrays import AnyArray, IndexArray, RealArray

_ROUNDS = 300


def quad_edges(quads: Annotated[IndexArray, "Q 4"]) -> AnyArray:
    """The edges (4 Q, 2) of quads (Q, 4) from each corner to the next, the lower vertex first."""
    return np.sort(np.stack([quads, np.roll(quads, -1, axis=1)], -1).reshape(-1, 2), axis=1)


def cut(quads: IndexArray, seams: Annotated[IndexArray, "K 2"]) -> tuple[AnyArray, AnyArray]:
    """Vertices parted along the ``seams`` (K, 2): corners (Q, 4) as places on the flat mesh, and
    the island of each quad (Q,)."""
    edges = quad_edges(quads)
    limit = int(quads.max()) + 1
    key = edges[:, 0] * limit + edges[:, 1]
    ordered = np.sort(seams, axis=1)
    key[np.isin(key, ordered[:, 0] * limit + ordered[:, 1])] = -1
    order = np.argsort(key, kind="stable")
    same = (key[order][1:] == key[order][:-1]) & (key[order][1:] >= 0)
    first, second = order[:-1][same], order[1:][same]  # uses of the same edge by two quads
    count = quads.size
    following = np.arange(count) // 4 * 4 + (np.arange(count) + 1) % 4
    vertex = quads.ravel()
    flipped = vertex[first] != vertex[second]
    partner = np.where(flipped, following[second], second)
    other = np.where(flipped, second, following[second])
    joined = np.concatenate([np.stack([first, partner], 1), np.stack([following[first], other], 1)])
    graph = coo_matrix((np.ones(len(joined)), joined.T), shape=(count, count))
    _, place = connected_components(graph, directed=False)
    across = np.stack([first // 4, second // 4], axis=1)
    graph = coo_matrix((np.ones(len(across)), across.T), shape=(len(quads),) * 2)
    return place.reshape(-1, 4), connected_components(graph, directed=False)[1]


def flatten(
    vertices: Annotated[RealArray, "V 3"],
    quads: Annotated[IndexArray, "Q 4"],
    size: Annotated[AnyArray, "Q"],
) -> Annotated[AnyArray, "V 2"]:
    """Flat coordinates (V, 2), metres, of a disc with or without holes.

    vertices (V, 3), all used by quads (Q, 4); size (Q,): what each quad's sides are multiplied by.
    """
    outer, *holes = sorted(_loops(quads), key=len, reverse=True)
    skins = [_fan(loop, len(vertices) + number) for number, loop in enumerate(holes)]
    points = np.concatenate([vertices, *(vertices[loop].mean(0)[None] for loop in holes)])
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]], *skins])
    sizes = np.concatenate([size, size, np.ones(len(triangles) - 2 * len(quads))])
    shapes = _own_planes(points, triangles) * sizes[:, None, None]
    weights = _cotangents(shapes)
    flat = _disc(triangles, np.array(outer), len(points))
    flat *= np.sqrt(np.abs(_areas(shapes)).sum() / np.abs(_areas(flat[triangles])).sum())
    if _areas(flat[triangles]).sum() < 0:
        flat[:, 0] *= -1
    matrix = _laplacian(triangles, weights, len(points))
    solve = factorized(matrix[1:, 1:].tocsc())
    for _ in range(_ROUNDS):
        turned = _rotations(flat[triangles], shapes, weights) @ shapes.transpose(0, 2, 1)
        wanted = _divergence(triangles, turned.transpose(0, 2, 1), weights, len(points))
        flat = np.zeros_like(flat)
        flat[1:] = np.stack([solve(column) for column in wanted[1:].T], axis=1)
    return flat[: len(vertices)]


def _fan(loop: list[int], middle: int) -> AnyArray:
    """Triangles (L, 3) that close a hole, so that its sides do not slide over one another."""
    ahead = np.roll(loop, -1)
    return np.stack([ahead, loop, np.full(len(loop), middle)], axis=1)


def _own_planes(vertices: RealArray, triangles: IndexArray) -> AnyArray:
    """Each triangle in a plane of its own (T, 3, 2), counter-clockwise."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    along = (b - a) / np.linalg.norm(b - a, axis=1, keepdims=True)
    across = (c - a) - ((c - a) * along).sum(1, keepdims=True) * along
    result = np.zeros((len(triangles), 3, 2))
    result[:, 1, 0] = np.linalg.norm(b - a, axis=1)
    result[:, 2, 0] = ((c - a) * along).sum(1)
    result[:, 2, 1] = np.linalg.norm(across, axis=1)
    return result


def _areas(flat: RealArray) -> AnyArray:
    """Signed areas (T,) of triangles (T, 3, 2)."""
    first, second = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    return 0.5 * (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])


def _cotangents(shapes: RealArray) -> AnyArray:
    """Of the angle opposite to the edge from each corner to the next (T, 3), not below 0.05."""
    result = np.zeros((len(shapes), 3))
    for k in range(3):
        apex = shapes[:, (k + 2) % 3]
        u, v = shapes[:, k] - apex, shapes[:, (k + 1) % 3] - apex
        doubled = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
        result[:, k] = (u * v).sum(1) / np.maximum(doubled, 1e-12)
    return np.clip(result, 0.05, 20.0)


def _disc(triangles: IndexArray, outer: IndexArray, count: int) -> AnyArray:
    """Tutte's embedding (V, 2) with the outer loop (L,) on a circle."""
    first, second = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    links = coo_matrix((np.ones(len(first)), (first, second)), shape=(count, count)).tocsr()
    links = ((links + links.T) > 0).astype(np.float64)
    degree = np.asarray(links.sum(1)).ravel()
    matrix = (csr_matrix((degree, (np.arange(count),) * 2), shape=(count, count)) - links).tocsr()
    angle = 2 * np.pi * np.arange(len(outer)) / len(outer)
    flat = np.zeros((count, 2))
    flat[outer] = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    inner = np.setdiff1d(np.arange(count), outer)
    flat[inner] = spsolve(matrix[inner][:, inner].tocsc(), -(matrix[inner][:, outer] @ flat[outer]))
    return flat


def _loops(quads: IndexArray) -> list[list[int]]:
    """The open loops, each as the vertices that it passes."""
    edges = np.stack([quads, np.roll(quads, -1, axis=1)], -1).reshape(-1, 2)
    _, place, uses = np.unique(
        np.sort(edges, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    following = {int(a): int(b) for a, b in edges[uses[place.ravel()] == 1]}
    loops = []
    while following:
        start, at = following.popitem()
        loop = [start]
        while at != start:
            loop.append(at)
            at = following.pop(at)
        loops.append(loop)
    return loops


def _laplacian(triangles: IndexArray, weights: RealArray, count: int) -> csr_matrix:
    first, second = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    w = weights.ravel()
    links = csr_matrix((w, (first, second)), shape=(count, count))
    links = links + links.T
    sums = np.asarray(links.sum(1)).ravel()
    return (csr_matrix((sums, (np.arange(count),) * 2), shape=(count, count)) - links).tocsr()


def _rotations(flat: RealArray, shapes: RealArray, weights: RealArray) -> AnyArray:
    """The rotation (T, 2, 2) that takes each triangle's own shape nearest to what it has become."""
    now = np.roll(flat, -1, axis=1) - flat
    own = np.roll(shapes, -1, axis=1) - shapes
    covariance = np.einsum("tk,tki,tkj->tij", weights, now, own)
    cosine = covariance[:, 0, 0] + covariance[:, 1, 1]
    sine = covariance[:, 1, 0] - covariance[:, 0, 1]
    length = np.maximum(np.hypot(cosine, sine), 1e-18)
    c, s = cosine / length, sine / length
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], axis=1)


def _divergence(
    triangles: IndexArray, wanted: RealArray, weights: RealArray, count: int
) -> AnyArray:
    """Right hand side (V, 2) for triangles that want to be (T, 3, 2)."""
    along = (wanted - np.roll(wanted, -1, axis=1)) * weights[:, :, None]
    result = np.zeros((count, 2))
    np.add.at(result, triangles.ravel(), along.reshape(-1, 2))
    np.add.at(result, np.roll(triangles, -1, axis=1).ravel(), -along.reshape(-1, 2))
    return result
