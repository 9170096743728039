# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes of what is worn: sheets, tubes and their faces, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Piece:
    """One thing that is worn.

    vertices (V, 3) metres; quads (Q, 4); cloth (V, 2): where each vertex lies on the flat cloth,
    metres; trim (V,): 1 on bands, seams and buttons, which show no pattern, 0 elsewhere;
    slot (Q,): which of the thing's materials.
    """

    vertices: Annotated[FloatArray, "V 3"]
    quads: Annotated[IntArray, "Q 4"]
    cloth: Annotated[FloatArray, "V 2"]
    trim: Annotated[FloatArray, "V"]
    slot: Annotated[IntArray, "Q"]


def piece(
    vertices: FloatArray,
    quads: IntArray,
    *,
    cloth: FloatArray | None = None,
    trim: FloatArray | float = 0.0,
    slot: int = 0,
) -> Piece:
    """A piece of one material; without ``cloth`` it lies as seen from the front."""
    flat = vertices.reshape(-1, 3)
    count = len(flat)
    return Piece(
        flat,
        quads,
        flat[:, [0, 2]] if cloth is None else cloth.reshape(-1, 2),
        np.broadcast_to(np.asarray(trim, float).ravel(), count)
        if np.ndim(trim) == 0
        else np.asarray(trim, float).ravel(),
        np.full(len(quads), slot),
    )


def joined(pieces: Sequence[Piece]) -> Piece:
    """Several pieces as one."""
    first = np.cumsum([0, *(len(p.vertices) for p in pieces)])
    return Piece(
        np.concatenate([p.vertices for p in pieces]),
        np.concatenate([p.quads + start for p, start in zip(pieces, first, strict=False)]),
        np.concatenate([p.cloth for p in pieces]),
        np.concatenate([p.trim for p in pieces]),
        np.concatenate([p.slot for p in pieces]),
    )


def grid(rows: int, columns: int, *, closed: bool = False, wound: bool = False) -> IntArray:
    """Quads (Q, 4) of vertices (rows, columns), the last column joined to the first if closed.

    Counter-clockwise where columns go to the right and rows go down; ``wound``: the other way.
    """
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        index = np.concatenate([index, index[:, :1]], axis=1)
    corners = (index[1:, :-1], index[1:, 1:], index[:-1, 1:], index[:-1, :-1])
    quads: IntArray = np.stack(corners[::-1] if wound else corners, axis=2).reshape(-1, 4)
    return quads


def tube(
    path: Annotated[FloatArray, "N 3"],
    across: FloatArray,
    sides: int = 8,
    *,
    closed: bool = False,
    slot: int = 0,
) -> Piece:
    """A tube along points (N, 3), its ends closed.

    across: half its width and half its height (2,), metres, or (N, 2) along it; its height is
    measured as near to upright as can be.
    """
    ahead = np.roll(path, -1, 0) - np.roll(path, 1, 0) if closed else np.gradient(path, axis=0)
    ahead = ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    return ribbon(path, ahead, np.array([0.0, 0.0, 1.0]), across, sides, closed=closed, slot=slot)


def ribbon(
    path: FloatArray,
    ahead: FloatArray,
    up: FloatArray,
    across: FloatArray,
    sides: int,
    *,
    closed: bool = False,
    slot: int = 0,
) -> Piece:
    """A tube along points (N, 3) with the directions ``ahead`` (N, 3), its height along ``up``."""
    side = np.cross(ahead, up)
    short = np.linalg.norm(side, axis=1, keepdims=True) < 1e-3
    side = np.where(short, np.array([1.0, 0.0, 0.0]), side)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    upright = np.cross(side, ahead)
    angle = np.linspace(0.0, 2.0 * np.pi, sides, endpoint=False)
    sizes = np.broadcast_to(across, (len(path), 2))[:, None, :]
    rings = (
        path[:, None]
        + sizes[..., :1] * np.cos(angle)[None, :, None] * side[:, None]
        + sizes[..., 1:] * np.sin(angle)[None, :, None] * upright[:, None]
    )
    if closed:
        rings = np.concatenate([rings, rings[:1]])
    else:
        tip, end = np.repeat(path[:1, None], sides, 1), np.repeat(path[-1:, None], sides, 1)
        rings = np.concatenate([tip, rings, end])
    return piece(rings, grid(len(rings), sides, closed=True), trim=1.0, slot=slot)


def disc(
    centre: FloatArray, normal: FloatArray, radius: float, thick: float, slot: int = 0
) -> Piece:
    """A round button at ``centre`` (3,), its face along ``normal``."""
    path = centre + np.array([0.0, 0.5, 1.0])[:, None] * thick * normal
    ahead = np.repeat(normal[None], 3, 0)
    sizes = np.array([1.0, 1.0, 0.85])[:, None] * radius * np.ones(2)
    return ribbon(path, ahead, np.array([0.0, 0.0, 1.0]), sizes, 12, slot=slot)
