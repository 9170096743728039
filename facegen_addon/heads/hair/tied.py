# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair drawn back to a knot, and what hangs behind it: a tail, a bun or a braid.

Vectors lie component first; lengths are metres. Constants are chosen by eye.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

from ...arrays import RealArray
from .comb import normalised
from .cut import POINTS, Values, metres, ramp
from .proxy import HeadProxy
from .roots import LOCKS, HairRoots

_TO_KNOT = 6
"""Points of a strand up to the knot."""
_TWIST, _SHOWS = 0.075, 0.4
"""Metres of a braid's period, and the share of a braid that each lock is seen in."""


def tied(
    roots: HairRoots,
    values: Values,
    start: Annotated[RealArray, "3 L"],
    down: Annotated[RealArray, "3 1"],
    proxy: HeadProxy,
) -> Annotated[RealArray, "K 3 L"]:
    """Points (K, 3, L) of all locks where hair is wholly tied."""
    tilt = np.radians(-28.0 + 95.0 * values["hair_tie_height"])
    out = np.array([[0.0], [np.cos(tilt)], [np.sin(tilt)]], np.float32)
    gap, _ = proxy.outward(proxy.centre + 1e-3 * out, 0.0)
    knot = proxy.centre + out * (1e-3 - gap + 0.008)
    to_knot = _over_the_head(roots, values, start, out, knot, proxy)
    behind = _behind(roots, values, knot, out, down)
    count = POINTS - _TO_KNOT
    flat = behind.transpose(1, 0, 2).reshape(3, -1)
    clearance = np.full(flat.shape[1], 0.004, np.float32)
    flat = proxy.push_out(flat, clearance, 0.0)
    behind = flat.reshape(3, count, -1).transpose(1, 0, 2)
    return np.concatenate([to_knot, behind])


def _over_the_head(
    roots: HairRoots,
    values: Values,
    start: RealArray,
    out: RealArray,
    knot: RealArray,
    proxy: HeadProxy,
) -> RealArray:
    """The way (M, 3, L) along the head to the knot: on a great circle."""
    first, direction = proxy.outward(start, 0.0)
    angle = np.arccos(np.clip((direction * out).sum(0), -0.999, 0.999))
    share = np.arange(_TO_KNOT, dtype=np.float32)[:, None] / (_TO_KNOT - 0.65)
    a, b = np.sin((1 - share) * angle) / np.sin(angle), np.sin(share * angle) / np.sin(angle)
    way = a[:, None] * direction + b[:, None] * out
    flat = normalised(way.transpose(1, 0, 2).reshape(3, -1))
    gap, _ = proxy.outward(proxy.centre + flat * 1e-3, 0.0)
    radius = (1e-3 - gap).reshape(_TO_KNOT, -1)
    layer = 0.003 + 0.012 * values["hair_volume"] + 0.002 * np.clip(roots.character[:, 1], -1, 1)
    raised = layer * np.sin(np.pi * np.clip(share * 0.9 + 0.05, 0, 1)) + 0.004 * share
    fade = (1 - share) ** 3
    radius = radius + raised * (1 - fade) + np.clip(first, -0.004, 0.004) * fade
    points = proxy.centre[None] + flat.reshape(3, _TO_KNOT, -1).transpose(1, 0, 2) * radius[:, None]
    points[0] = start
    return points


def _behind(
    roots: HairRoots, values: Values, knot: RealArray, out: RealArray, down: RealArray
) -> RealArray:
    """Behind the knot, (K - M, 3, L): a tail, to some share a bun or a braid."""
    along = (np.arange(POINTS - _TO_KNOT, dtype=np.float32) / (POINTS - _TO_KNOT - 1))[
        :, None, None
    ]
    across = np.array([[1.0], [0.0], [0.0]], np.float32)
    x, y = roots.disc.T
    length = metres(values["hair_back_length"]) * (1 + 0.10 * np.clip(roots.character[:, 0], -2, 1))
    reach = along * length
    curve = knot + out * 0.045 * (1 - np.exp(-reach / 0.03)) + down * (reach**2 / (reach + 0.06))
    loose = values["hair_volume"] + 0.5 * values["hair_untidiness"]
    width = 0.007 + (0.012 + 0.016 * loose) * np.sin(np.pi * along**0.6 * 0.82)
    level = normalised(np.cross(down.T, across.T).T).astype(np.float32)
    tail = curve + width * (across * x + level * y)
    braid = ramp(0.0, 1.0, values["hair_braid"])
    if braid > 0:
        tail = tail + braid * (_braided(roots, values, knot, out, down) - tail)
    bun = ramp(0.0, 1.0, values["hair_bun"])
    if bun > 0:
        tail = tail + bun * (_coiled(roots, knot, out, along) - tail)
    return tail


def _coiled(roots: HairRoots, knot: RealArray, out: RealArray, along: RealArray) -> RealArray:
    """A bun: each lock lies some way round a ring behind the knot."""
    across = np.array([[1.0], [0.0], [0.0]], np.float32)
    up = np.cross(out.T, across.T).T.astype(np.float32)
    x, y = roots.disc.T
    turn = 2 * np.arctan2(y, x) + 1.5 * np.pi * along
    tube = 0.012 * np.sqrt(x * x + y * y)
    phase = 2.4 * roots.character[:, 6] + 2 * along
    ring, deep = 0.018 + tube * np.cos(phase), 0.014 + tube * np.sin(phase)
    coil: RealArray = knot + ring * (across * np.cos(turn) + up * np.sin(turn)) + out * deep
    return coil


def _braided(
    roots: HairRoots, values: Values, knot: RealArray, out: RealArray, down: RealArray
) -> RealArray:
    """A braid of three: each lock goes down inside it and shows for a part of its length."""
    steps = np.linspace(0.0, 1.0, POINTS - _TO_KNOT, dtype=np.float32)[:, None]
    length = metres(values["hair_back_length"])
    first = np.arange(LOCKS, dtype=np.float32) / LOCKS
    first = (first * 7.31) % 1.0 * (1.0 - _SHOWS)
    reach = length * (first + _SHOWS * steps)
    share = reach / length
    phase = 2 * np.pi * (reach / _TWIST + (np.arange(LOCKS) % 3) / 3)
    across = np.array([[1.0], [0.0], [0.0]], np.float32)
    level = normalised(np.cross(down.T, across.T).T)
    x, y = roots.disc.T
    thick = np.minimum(0.4 + share / 0.06, 1.0) * (1 - 0.45 * share)
    right = thick * (0.013 * np.sin(phase) + 0.008 * x)
    back = thick * (0.008 * np.sin(2 * phase) + 0.007 * y)
    curve = knot + (out * 0.030)[None] * (1 - np.exp(-reach / 0.03))[:, None]
    curve = curve + down[None] * (reach**2 / (reach + 0.03))[:, None]
    braid: RealArray = curve + across[None] * right[:, None] + level[None] * back[:, None]
    return braid


def tied_share(roots: HairRoots, values: Values) -> Annotated[RealArray, "L"]:
    """How much each lock is tied, (L,) in [0, 1]: a fringe stays free."""
    free = values["hair_fringe"] * roots.zones.front
    share: RealArray = ramp(0.0, 1.0, values["hair_tied"]) * (1 - free)
    return share
