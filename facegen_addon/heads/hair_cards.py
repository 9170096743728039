# SPDX-License-Identifier: GPL-3.0-or-later
"""Strands as cards, for games: each stands for several strands, which its texture shows.

The texture is a row of tiles, one for each tone of the strands: hairs from the root, at its lowest
row, to tips that end here and there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..arrays import AnyArray, Float32Array, FloatArray, Int32Array, IntArray
from ..random_streams import random_stream
from .strands import BROW, SCALP, Strands, StrandSet

TILES = {"scalp": 4, "brow": 2, "beard": 2}
"""Tones of each group of strands; all that is neither scalp nor brow is beard."""
_COUNT = sum(TILES.values())
_TILE_WIDTH, _TILE_HEIGHT = 64, 256  # texels
_HAIRS = 7  # across a card
_BROW_SHARE, _BEARD_SHARE = 0.15, 0.35
"""Of the budget, at most: brows are few and seen, a beard is nearly as large as the scalp."""
_LONGEST_OF_POINTS = ((3, 0.009), (4, 0.05), (5, 0.10))
"""Points along a card, and the mean length in metres up to which they do; six beyond. A card of
fewer would cut through the head that it bends around."""
_LEAST_CARDS = 500  # before which points are saved
_MOST_TURNED, _TURNS = 0.9, 2.4  # radians that a card is turned at most, and from card to card
_WIDEST = 0.004
"""Metres from a card's middle to its edge."""


@dataclass(frozen=True)
class HairCards:
    """Cards of R of S strands, K vertices and T triangles in all.

    strand (K,): the strand that each vertex stands for; vertices (K, 3) metres; faces (T, 3);
    uv (T, 3, 2).
    """

    strand: Annotated[IntArray, "K"]
    vertices: Annotated[Float32Array, "K 3"]
    faces: Annotated[Int32Array, "T 3"]
    uv: Annotated[Float32Array, "T 3 2"]

    def of_vertices(self, values: Annotated[AnyArray, "S ..."]) -> Annotated[AnyArray, "K ..."]:
        """Values of all strands (S, ...) for the cards' vertices (K, ...)."""
        return values[self.strand]


def groups(strands: StrandSet) -> dict[str, Annotated[IntArray, "_"]]:
    """The strands of each group of TILES."""
    scalp, brow = strands.region == SCALP, strands.region == BROW
    members = {"scalp": scalp, "brow": brow, "beard": ~(scalp | brow)}
    return {name: np.flatnonzero(of_group) for name, of_group in members.items()}


def hair_cards(roots: StrandSet, grown: Strands, triangles: int) -> HairCards:
    """Cards of the strands that show, of at most so many triangles."""
    shown = {name: rows[_shows(grown)[rows]] for name, rows in groups(roots).items()}
    tones = _tones(roots)
    points = {name: _points(grown, rows) for name, rows in shown.items()}
    cards = []
    for name, allowed in _budgets(shown, points, triangles).items():
        along = max(3, min(points[name], 1 + allowed // (2 * _LEAST_CARDS)))
        chosen = _chosen(roots, shown[name], allowed // (2 * (along - 1)))
        if len(chosen):
            cards.append(_cards_of(grown, shown[name], chosen, along, tones))
    return _joined(cards)


def _budgets(shown: dict[str, IntArray], points: dict[str, int], triangles: int) -> dict[str, int]:
    """Triangles for each group: what brows and beard leave over goes to the scalp."""
    wanted = {name: 2 * (points[name] - 1) * len(rows) for name, rows in shown.items()}
    most = {"brow": _BROW_SHARE, "beard": _BEARD_SHARE}
    given = {name: min(wanted[name], int(share * triangles)) for name, share in most.items()}
    return given | {"scalp": min(wanted["scalp"], triangles - sum(given.values()))}


def _points(grown: Strands, rows: IntArray) -> int:
    """Points that cards of these strands need: few where hair is short."""
    if not len(rows):
        return 3
    steps = np.linalg.norm(np.diff(_along(grown, rows, 4)[0], axis=1), axis=2)
    length = float(steps.sum(1).mean())
    return next((number for number, longest in _LONGEST_OF_POINTS if length < longest), 6)


def _chosen(roots: StrandSet, rows: IntArray, count: int) -> IntArray:
    """``count`` of the strands, or all: of fewer, some of the same."""
    return rows[np.argsort(roots.rank[rows], kind="stable")[:count]]


def _cards_of(
    grown: Strands, rows: IntArray, chosen: IntArray, points: int, tones: IntArray
) -> HairCards:
    """Cards along the chosen strands, wide enough to stand for all rows."""
    middle, radius = _along(grown, chosen, points)
    wide = np.minimum(radius * (len(rows) / len(chosen)) * _overlap(rows, chosen), _WIDEST)
    along = _unit(np.gradient(middle, axis=1))
    outward = middle - _centre(grown)
    flat = _unit(np.cross(along, outward))
    # Turned about themselves, else all cards of one side would be seen edge on from the front.
    turn = _MOST_TURNED * np.sin(_TURNS * np.arange(len(chosen)))[:, None, None]
    side = flat * np.cos(turn) + np.cross(along, flat) * np.sin(turn)
    vertices = np.stack([middle - side * wide, middle + side * wide], axis=2).reshape(-1, 3)
    faces = _faces(points)
    first = 2 * points * np.arange(len(chosen))[:, None, None]
    return HairCards(
        strand=np.repeat(chosen, 2 * points),
        vertices=vertices.astype(np.float32),
        faces=(first + faces).reshape(-1, 3).astype(np.int32),
        uv=_uv(points, tones[chosen])[:, faces].reshape(-1, 3, 2).astype(np.float32),
    )


def _overlap(rows: IntArray, chosen: IntArray) -> float:
    """How much wider cards are than the strands that they stand for: they have gaps."""
    return 1.0 + 0.4 * min(1.0, len(rows) / len(chosen) - 1.0)


# How points lie in Strands, these three alone know.


def _shows(grown: Strands) -> AnyArray:
    return grown.radius[grown.first] > 0


def _centre(grown: Strands) -> AnyArray:
    return grown.points[grown.first].mean(0, dtype=np.float64)  # roots surround the middle


def _along(grown: Strands, chosen: IntArray, points: int) -> tuple[FloatArray, FloatArray]:
    """Middle (R, points, 3) and half width (R, points, 1) of cards along strands."""
    first, last = grown.first[chosen, None], grown.sizes[chosen, None] - 1
    at = np.linspace(0.0, 1.0, points) * last
    low = np.minimum(at.astype(int), last - 1)
    share = (at - low)[..., None]
    lower, upper = grown.points[first + low], grown.points[first + low + 1]
    middle = lower * (1.0 - share) + upper * share
    # Tips are drawn; a card as narrow as a strand's tip would squeeze them.
    return middle, np.broadcast_to(grown.radius[first][..., None], (*middle.shape[:2], 1))


def _unit(vectors: FloatArray) -> FloatArray:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: FloatArray = vectors / np.maximum(length, 1e-12)
    return unit


def _faces(points: int) -> IntArray:
    """The triangles of one card, its front looking away from the head."""
    left = 2 * np.arange(points - 1)
    lower = np.stack([left, left + 1, left + 3], axis=1)
    return np.concatenate([lower, np.stack([left, left + 3, left + 2], axis=1)])


def _uv(points: int, tiles: IntArray) -> FloatArray:
    """Texture coordinates (R, 2 points, 2) of cards: from root to tip, across their tiles."""
    edges = (tiles[:, None] + [0.03, 0.97]) / _COUNT
    across = np.tile(edges, (1, points))
    up = np.broadcast_to(np.repeat(np.linspace(0.0, 1.0, points), 2), across.shape)
    return np.stack([across, up], axis=2)


def _joined(cards: list[HairCards]) -> HairCards:
    starts = np.cumsum([0, *(len(card.vertices) for card in cards)])
    faces = [card.faces + start for card, start in zip(cards, starts, strict=False)]
    empty = np.zeros((0, 3), np.float32)
    return HairCards(
        np.concatenate([np.zeros(0, np.intp), *(card.strand for card in cards)]),
        np.concatenate([empty, *(card.vertices for card in cards)]),
        np.concatenate([np.zeros((0, 3), np.int32), *faces]),
        np.concatenate([np.zeros((0, 3, 2), np.float32), *(card.uv for card in cards)]),
    )


def _tones(roots: StrandSet) -> IntArray:
    """The tile (S,) of each strand: of its group, from its dark strands to its light ones."""
    tile, first = np.zeros(len(roots), np.intp), 0
    for (name, rows), count in zip(groups(roots).items(), TILES.values(), strict=True):
        place = np.argsort(np.argsort(roots.jitter[rows, 1], kind="stable"), kind="stable")
        tile[rows] = first + place * count // max(len(rows), 1)
        first += TILES[name]
    return tile


def card_texture(
    roots: StrandSet, colours: Annotated[Float32Array, "S 4"]
) -> tuple[Annotated[Float32Array, "H W 3"], Annotated[Float32Array, "H W"]]:
    """Colour, linear RGB (H, W, 3), and coverage (H, W) of the cards' tiles, the lowest row first.

    colours (S, 4): those of the strands.
    """
    tones = _tones(roots)
    light = np.zeros((_TILE_HEIGHT, _COUNT, _TILE_WIDTH, 3), np.float32)
    alpha = np.zeros((_TILE_HEIGHT, _COUNT, _TILE_WIDTH), np.float32)
    for tile in range(_COUNT):
        of_tile = colours[tones == tile, :3]
        shade, alpha[:, tile] = _hairs(tile)
        light[:, tile] = shade[..., None] * (of_tile.mean(0) if len(of_tile) else 0.0)
    width = _COUNT * _TILE_WIDTH
    return light.reshape(_TILE_HEIGHT, width, 3), alpha.reshape(_TILE_HEIGHT, width)


def _hairs(tile: int) -> tuple[FloatArray, FloatArray]:
    """Shade and coverage of a tile's hairs (H, W): each wavers, thins out and ends on its own."""
    rng = random_stream(2026, "hair cards", tile)
    up = np.linspace(0.0, 1.0, _TILE_HEIGHT)[:, None, None]
    x = (np.arange(_TILE_WIDTH) + 0.5)[:, None] / _TILE_WIDTH
    middle = (np.arange(_HAIRS) + rng.uniform(0.25, 0.75, _HAIRS)) / _HAIRS
    sway = rng.normal(0.0, 0.05, _HAIRS) * up + rng.normal(0.0, 0.02, _HAIRS) * np.sin(6.0 * up)
    end = rng.uniform(0.8, 1.0, _HAIRS)
    # Closed below, where nothing may shine through and renderers count the layers that do.
    taper = np.sqrt(np.clip((end - up) / (0.55 * end), 0.0, 1.0))
    half = 0.62 / _HAIRS * rng.uniform(0.85, 1.15, _HAIRS) * taper
    away = np.abs(x - np.clip(middle + sway, 0.07, 0.93)) / np.maximum(half, 1e-6)
    cover = np.clip(2.5 * (1.2 - away), 0.0, 1.0) * (taper > 0.05)
    nearest = np.argmin(away, axis=2)
    shade = rng.uniform(0.8, 1.2, _HAIRS)[nearest] * (1.15 - 0.35 * np.minimum(away.min(2), 1.0))
    return shade, cover.max(2)
