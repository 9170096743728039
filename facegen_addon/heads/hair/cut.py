# SPDX-License-Identifier: GPL-3.0-or-later
"""How long locks of hair are, and where they end: what its values say of it on any head.

Lengths are metres. Constants are chosen by eye.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from ...arrays import RealArray
from ..appearance import held, smoothstep
from .hairline import recession_edge
from .roots import HairRoots

POINTS = 12
"""Points along each strand, the root included."""
SHORTEST, LONGEST = 0.003, 0.45
"""Metres at length 0 and 1; between them they grow by equal factors."""
ALONG = ((np.arange(POINTS) / (POINTS - 1)) ** 1.35).astype(np.float32)
"""Share of the length at each point: closer together where hair leaves the head."""
_ROUNDED = 0.55
"""What short hair has lost of its length between top and sides."""
_BURNS = 0.009
"""Metres to which sideburns are clipped."""
_CUT_OFF, _RAGGED = 0.15, 0.04
"""What is cut off of hair that ends at one height, and how uneven that is, shares of its length."""
_CURLS = 0.45
"""How much curls stand out and hang as coils do."""

Values = Mapping[str, float]


def metres(length: float) -> float:
    """The length of hair in metres for a slider in [0, 1]."""
    return float(SHORTEST * (LONGEST / SHORTEST) ** length)


def ramp(low: float, high: float, x: float) -> float:
    """A smooth step of one number, as `smoothstep`."""
    return float(smoothstep(low, high, np.array(x)))


def stands_out(values: Values, length: RealArray) -> Annotated[RealArray, "L"]:
    """How much locks of these lengths (L,) stand out by themselves instead of hanging, 0 to 1."""
    curly, coiled = (ramp(*ends, values["hair_curl"]) for ends in ((0.25, 0.6), (0.55, 0.95)))
    light = smoothstep(0.11, 0.06, length)
    return np.asarray(coiled + _CURLS * curly * (1 - coiled) * light, np.float32)


def fringe_share(roots: HairRoots, values: Values) -> Annotated[RealArray, "L"]:
    """How much of a fringe each lock is, (L,): half a one would hang before the eyes in strings."""
    worn = ramp(0.25, 0.55, values["hair_fringe"])
    share: RealArray = smoothstep(0.06, 0.20, roots.zones.front) * worn
    return share


def lengths(roots: HairRoots, values: Values) -> Annotated[RealArray, "L"]:
    """The length (L,) of each lock, metres."""
    zones = roots.zones
    length = hanging(roots, values)
    long = smoothstep(0.05, 0.12, length)
    # Cut at one height: what is rooted higher is longer by its way down, and by what is cut off.
    way = zones.path + _CUT_OFF * length
    length = length + long * (1 - values["hair_layers"]) * way
    # Short hair fades out towards its edge.
    behind = zones.field - recession_edge(values, vars(zones))
    # What is cropped everywhere is as long on the forehead as behind it.
    cropped = 1 - ramp(0.004, 0.010, metres(values["hair_top_length"]))
    least = 0.25 + 0.15 * zones.top + 0.4 * cropped * (1 - zones.low)
    fade = np.clip(least + behind / 0.03, 0.1, 1.0)
    length = length * (fade + (1 - fade) * smoothstep(0.03, 0.09, length))
    # Around ears and nape short hair is cut free of them.
    around = (1 - zones.top) * (1 - smoothstep(0.03, 0.06, length))
    length = length + around * (
        np.minimum(length, 0.003 + 0.75 * np.maximum(zones.field, 0)) - length
    )
    # Where the top turns to the sides it is cut rounder than it grew: else a head has corners.
    length = length * (1 - _ROUNDED * zones.edges * smoothstep(0.06, 0.03, length))
    # Sideburns are clipped, however long the hair above them.
    length = length + zones.burns * around * (np.minimum(length, _BURNS) - length)
    spread = 0.10 + 0.25 * values["hair_untidiness"] - 0.05 * (1 - values["hair_layers"])
    spread *= 1 - 0.9 * ramp(0.55, 0.95, values["hair_curl"])  # coils are cut to a round shape
    own = roots.own[0]
    length = length * np.exp(np.clip(own, -1.5, 1.2) * spread)
    # What is partly of a fringe is cut with it, too, else it hangs before the face.
    fringe = np.minimum(3 * fringe_share(roots, values), 1.0)
    cut = 0.042 + 0.95 * zones.field
    return (length + fringe * (np.minimum(length, cut) - length)).astype(np.float32)


def bluntness(length: RealArray, values: Values) -> Annotated[RealArray, "L"]:
    """How much locks of these lengths (L,) are cut straight across where they end."""
    blunt: RealArray = smoothstep(0.07, 0.11, length) * (1 - values["hair_layers"])
    return blunt


def cut_across(
    locks: Annotated[RealArray, "K 3 L"],
    roots: HairRoots,
    values: Values,
    length: Annotated[RealArray, "L"],
    middle: float,
) -> Annotated[RealArray, "K 3 L"]:
    """Locks without what hangs below the height that they are cut at; middle: the skull's, metres.

    Those from the forehead go round less of the head than others, and would hang in points.
    """
    blunt = bluntness(length, values)
    if not blunt.any():
        return locks
    own = roots.own[0]
    end = middle - hanging(roots, values) * (1 + _RAGGED * held(own, -1.5, 1.5))
    above = locks[:, 2] - end
    # The point before that at which a lock is through, and how far beyond it that lies.
    step = np.maximum((np.minimum.accumulate(above, 0) > 0).sum(0) - 1, 0)
    first, second = (
        np.take_along_axis(above, np.minimum(step + k, POINTS - 1)[None], 0)[0] for k in (0, 1)
    )
    share = (step + held(first / np.maximum(first - second, 1e-6), 0, 1)) / (POINTS - 1)
    share = (1 - blunt * (1 - np.minimum(share, 1))).astype(np.float32)
    at = share * np.arange(POINTS, dtype=np.float32)[:, None]
    before = np.minimum(at.astype(np.intp), POINTS - 2)
    # All coordinates of a point in one look at the locks as one row of numbers.
    count = locks.shape[2]
    number = before[:, None] * (3 * count) + np.arange(3 * count).reshape(3, -1)
    low, high = (locks.ravel().take(number + k * 3 * count) for k in (0, 1))
    cut: RealArray = low + (at - before).astype(np.float32)[:, None] * (high - low)
    return cut


def hanging(roots: HairRoots, values: Values) -> Annotated[RealArray, "L"]:
    """Metres (L,) by which locks hang below the ears that are cut at one height."""
    zones = roots.zones
    regions = {"top": zones.top, "side": zones.side, "back": zones.back}
    log = sum(
        weight * np.log(metres(values[f"hair_{name}_length"])) for name, weight in regions.items()
    )
    return np.asarray(np.exp(log), np.float32)
