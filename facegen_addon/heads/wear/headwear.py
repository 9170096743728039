# SPDX-License-Identifier: GPL-3.0-or-later
"""Hats that sit on the skull, and hair that lies flat below them.

Sizes are metres, chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import FloatArray
from ..appearance import smoothstep
from .fitting import Fitting, Skull
from .pieces import Piece, disc, grid, joined, piece

_COLUMNS = 120
_HAIR = 0.003
"""Metres over the skin that hair takes below a hat."""
_FREE = 1.4
"""Metres that hair may stand out further for each metre below a hat's edge."""
_RIBS = 30


@dataclass(frozen=True)
class _Edge:
    """Metres from brows to the edge in front, and from the ears' top aside and behind."""

    front: float
    aside: float
    behind: float


_EDGES = {
    "cap": _Edge(0.041, 0.010, -0.010),
    "beanie": _Edge(0.030, 0.003, -0.030),
    "hat": _Edge(0.032, 0.012, -0.002),
}
HEADWEAR = tuple(_EDGES)


def headwear(fitting: Fitting, name: str) -> Piece:
    """One of HEADWEAR on a head."""
    around = np.linspace(-np.pi, np.pi, _COLUMNS, endpoint=False)
    low = _edge(fitting, _EDGES[name], around)
    make = {"cap": _cap, "beanie": _beanie, "hat": _hat}[name]
    return fitting.worn(make(fitting.skull, around, low))


def flattened(
    fitting: Fitting, name: str, points: Annotated[FloatArray, "N 3"]
) -> Annotated[FloatArray, "N 3"]:
    """Points of hair (N, 3), those under a hat laid on the skull and those beside it near it."""
    skull = fitting.skull
    offset = points @ fitting.turn - skull.centre
    length = np.linalg.norm(offset, axis=1)
    around = np.arctan2(offset[:, 0], -offset[:, 1])
    up = np.arcsin(np.clip(offset[:, 2] / np.maximum(length, 1e-9), -1.0, 1.0))
    edge = _height(fitting, _EDGES[name], around) - skull.centre[2]
    below = np.maximum(edge - offset[:, 2], 0.0)
    most = skull.reach(around, up) + _HAIR + _FREE * below
    share = np.minimum(most / np.maximum(length, 1e-9), 1.0)
    return (skull.centre + share[:, None] * offset) @ fitting.turn.T


def _height(fitting: Fitting, edge: _Edge, around: FloatArray) -> FloatArray:
    brows = fitting.landmarks[17:27, 2].max()
    ears = fitting.ears[:, 2].max()
    ahead = np.cos(around)
    aside, front, behind = ears + edge.aside, brows + edge.front, ears + edge.behind
    return aside + np.where(ahead > 0, front - aside, behind - aside) * ahead**2


def _edge(fitting: Fitting, edge: _Edge, around: FloatArray) -> FloatArray:
    """The angle upwards of a hat's edge."""
    return fitting.skull.level(around, _height(fitting, edge, around))


def _beanie(skull: Skull, around: FloatArray, low: FloatArray) -> Piece:
    """A knitted cap with its edge turned up."""
    cuff = 0.062 / skull.reach(around, low)  # radians
    ribs = 0.0007 * np.cos(_RIBS * around)
    profile = [(0.10, 0.003), (0.0, 0.0042), (-0.02, 0.006), (0.0, 0.0078), (0.12, 0.0095)]
    profile += [(0.5, 0.0102), (0.9, 0.0105), (0.99, 0.0098), (1.0, 0.0085), (0.97, 0.006)]
    at, out = np.array(profile).T[:, :, None]
    rolled = _rows(skull, around, low + at * cuff, out + ribs)
    share = np.array([0.0, 0.08, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97, 1.0])[:, None]
    up = low + 0.9 * cuff + (0.5 * np.pi - low - 0.9 * cuff) * share
    slack = 0.0055 + 0.017 * smoothstep(0.1, 0.6, share) - 0.002 * np.cos(around) * share
    gathered = 0.0012 * smoothstep(0.6, 1.0, share) * np.cos(12.0 * around) * (1.0 - share)
    dome = _rows(skull, around, up, slack + ribs * (1.0 - share) + gathered)
    return joined([dome, rolled])


def _cap(skull: Skull, around: FloatArray, low: FloatArray) -> Piece:
    """A cap of six panels with a peak."""
    share = np.array([0.0, 0.0, 0.0, 0.06, 0.15, 0.28, 0.42, 0.56, 0.7, 0.82, 0.92, 1.0])[:, None]
    up = low + (0.5 * np.pi - low) * share
    up[0] += 0.06
    front = smoothstep(0.2, 0.9, np.cos(around))
    out = 0.0045 + 0.009 * smoothstep(0.0, 0.5, share) + 0.010 * front * smoothstep(0.0, 0.4, share)
    out = out - 0.0016 * np.exp(-((np.sin(3.0 * around) / 0.16) ** 2)) * (1.0 - share)
    out = out + 0.0045 * smoothstep(0.6, 1.0, share)
    out[0], out[1] = 0.003, 0.0035
    dome = _rows(skull, around, up, out)
    crown = dome.vertices[-_COLUMNS:].mean(0)
    button = disc(crown, np.array([0.0, 0.0, 1.0]), 0.006, 0.004)
    return joined([dome, button, _peak(skull, around, low)])


def _peak(skull: Skull, around: FloatArray, low: FloatArray) -> Piece:
    """The cap's peak: a bent sheet, its upper and its lower side."""
    across = np.linspace(-1.0, 1.0, 33)
    angle = across * np.radians(60.0)
    root = skull.at(angle, np.interp(angle, around, low), 0.0035)
    wide = np.abs(root[[0, -1], 0]).mean()
    tip = root.copy()
    tip[:, 0] = wide * np.sin(0.5 * np.pi * across) * 0.99
    tip[:, 1] = root[:, 1].min() - 0.062 * np.abs(np.cos(0.5 * np.pi * across)) ** 0.8
    tip[:, 1] = np.where(np.abs(across) > 0.995, root[:, 1], tip[:, 1])
    share = np.linspace(0.0, 1.0, 9)[:, None, None]
    sheet = root + share * (tip - root)
    bent = 0.009 * np.cos(0.5 * np.pi * across) - 0.009
    sheet[..., 2] += share[..., 0] * (bent - 0.009) + 0.004 * np.sin(np.pi * share[..., 0])
    low_side = sheet[::-1] - [0.0, 0.0, 0.0026]
    both = np.concatenate([sheet[:, ::-1], low_side[:, ::-1]])
    return piece(both, grid(len(both), len(across), wound=True), trim=0.0)


def _hat(skull: Skull, around: FloatArray, low: FloatArray) -> Piece:
    """A felt hat with a dented crown, a ribbon and a brim."""
    foot = skull.at(around, low, 0.0055)
    top = skull.at(np.array(0.0), np.array(0.5 * np.pi))[2] + 0.034
    level = np.linspace(0.0, 1.0, 9)[:, None]
    high = foot[:, 2] + level * (top - foot[:, 2])
    middle = foot[:, :2].mean(0)
    slim = 1.0 - 0.15 * level**1.4
    flat = middle + slim[..., None] * (foot[:, :2] - middle)
    walls = _outside(skull, np.concatenate([flat, high[..., None]], axis=2))
    share = np.array([0.96, 0.86, 0.7, 0.5, 0.3, 0.12, 0.0])[:, None, None]
    rim = walls[-1]
    centre = rim.mean(0)
    lid = centre + share * (rim - centre)
    lid[..., 2] = top + 0.003 * (1.0 - share[..., 0])
    lid[0, :, 2] = top + 0.002
    crown = np.concatenate([walls, lid])
    crown[..., 2] -= _dent(crown, centre, top)
    dome = piece(crown, grid(len(crown), _COLUMNS, closed=True, wound=True))
    return joined([dome, _ribbon(walls), _brim(foot)])


def _dent(points: FloatArray, centre: FloatArray, top: float) -> FloatArray:
    """How far a crown is pressed in: along its middle, and on either side in front."""
    x, y = (points[..., :2] - centre[:2]).transpose(2, 0, 1)
    near_top = smoothstep(-0.035, 0.0, points[..., 2] - top)
    along = 0.019 * np.exp(-((x / 0.024) ** 2)) * smoothstep(0.085, 0.03, np.abs(y))
    return near_top * (along + 0.10 * np.maximum(y, 0.0) * 0.2)


def _outside(skull: Skull, points: FloatArray) -> FloatArray:
    """Points, those nearer to the skin than hair needs moved outwards."""
    offset = points - skull.centre
    length = np.linalg.norm(offset, axis=-1)
    around = np.arctan2(offset[..., 0], -offset[..., 1])
    up = np.arcsin(np.clip(offset[..., 2] / length, -1.0, 1.0))
    least = skull.reach(around, up) + 0.004
    return skull.centre + offset * np.maximum(least / length, 1.0)[..., None]


def _ribbon(walls: FloatArray) -> Piece:
    """The band round a hat's crown."""
    middle = walls[0].mean(0)
    rows = [walls[0] + share * (walls[3] - walls[0]) for share in (0.0, 0.0, 0.5, 0.85, 0.85)]
    out = np.array([0.0, 0.0016, 0.0018, 0.0016, -0.001])
    points = np.stack(rows)
    aside = points[..., :2] - middle[:2]
    aside = aside / np.linalg.norm(aside, axis=-1, keepdims=True)
    points[..., :2] += out[:, None, None] * aside
    return piece(points, grid(5, _COLUMNS, closed=True, wound=True), trim=1.0)


def _brim(foot: FloatArray) -> Piece:
    """A brim that is bent down in front and up at the sides."""
    middle = foot.mean(0)
    aside = foot[:, :2] - middle[:2]
    aside = aside / np.linalg.norm(aside, axis=-1, keepdims=True)
    share = np.array([0.0, 0.2, 0.45, 0.7, 0.9, 1.0])[:, None]
    out = np.concatenate([[[-0.001]], 0.058 * share[1:]])
    curl = 0.016 * aside[:, 0] ** 2 - 0.012 * np.maximum(-aside[:, 1], 0.0) ** 2
    upper = np.empty((len(share), len(foot), 3))
    upper[..., :2] = foot[:, :2] + out[..., None] * aside
    upper[..., 2] = foot[:, 2] + 0.0015 + curl * share**2 - 0.004 * share
    edge = upper[-1:] + np.concatenate([0.0012 * aside, np.full((len(foot), 1), -0.0012)], axis=1)
    under = upper[::-1] - [0.0, 0.0, 0.0024]
    both = np.concatenate([upper, edge, under])
    return piece(both, grid(len(both), _COLUMNS, closed=True))


def _rows(skull: Skull, around: FloatArray, up: FloatArray, out: FloatArray) -> Piece:
    """Cloth round the skull, from below upwards."""
    points = skull.at(around[None], up, out)
    cloth = np.stack([np.broadcast_to(0.09 * around, up.shape), 0.1 * up], axis=2)
    return piece(points, grid(len(points), _COLUMNS, closed=True, wound=True), cloth=cloth)
