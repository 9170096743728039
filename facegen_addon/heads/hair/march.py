# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks of hair that leave the scalp, are combed and fall, kept off head and shoulders.

Vectors lie component first, (3, L); lengths are metres. Constants are chosen by eye.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np

from ...arrays import RealArray
from ..appearance import held, smoothstep
from .hairline import recession_edge
from .proxy import HeadProxy
from .roots import HairRoots

POINTS = 12
"""Points along each strand, the root included."""
SHORTEST, LONGEST = 0.003, 0.45
"""Metres at length 0 and 1; between them they grow by equal factors."""
ALONG = ((np.arange(POINTS) / (POINTS - 1)) ** 1.35).astype(np.float32)
"""Share of the length at each point: closer together where hair leaves the head."""
_FACE_FRONT, _FACE_TOP = -0.038, 0.062
"""Metres from the skull's middle: hair does not hang farther in front, below that height, from
which the face widens downwards."""
_FACE_HALF_WIDTH, _DRAWN_BACK = 0.064, 0.7
"""Metres, and the share of what is too far in front that hair is drawn back at each point."""

_STIFF = 0.010
"""Metres over which a lock keeps its direction."""
_WHORL = 0.04
"""Metres about the crown within which hair lies flatter."""
_ROUNDED = 0.55
"""What short hair has lost of its length between top and sides."""
_BURNS = 0.009
"""Metres to which sideburns are clipped."""
_AT_THE_CHEEK, _OFF_THE_CHEEK, _EDGE = -0.1, 0.2, 0.02
"""How much long hair that is not tucked tends to the back below the temples; what is more of that
for hair of the hairline, which would hang in strings before the rest, and metres from there within
which."""
_FLAT_ON_TOP = 0.8
"""How much more the weight of long hair keeps it down on the skull."""
_LOOSE = (-0.03, -0.075)
"""Metres above the skull's middle between which long hair stops following the head."""
_OVER = 0.006
"""Metres by which long hair from the top lies farther out than that from below, at the sides."""
_ON_THE_LINE = 0.001
"""Metres beside the parting within which a lock goes neither way, but stands on the crown."""
_FLAT_AT_PARTING, _BESIDE_PARTING = 0.75, 0.045
"""How much less hair rises on the parting, and metres within which: else humps are beside it."""
_CUT_OFF, _RAGGED = 0.15, 0.04
"""What is cut off of hair that ends at one height, and how uneven that is, shares of its length."""
_CURLS = 0.45
"""How much curls stand out and hang as coils do."""
_SPREADS = 0.12
"""How much long hair from the top goes to the sides where it hangs."""
_DOWN, _ALONG_PARTING = -0.55, 0.020
"""How much parted hair is combed down, and metres from the parting within which it is not: there
down is along the parting, onto the forehead."""
_DOWN_THE_CHEEK = np.array([[0.0], [0.10], [-0.99]], np.float32)
"""Where sideburns point."""

_AS_ITS_NEIGHBOURS, _BY_ITSELF = 0.85, 0.35
"""How much of a lock's character it has with those around it, and how much alone."""

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


def normalised(vectors: RealArray) -> RealArray:
    """Unit vectors (3, N)."""
    return vectors / np.maximum(np.sqrt((vectors * vectors).sum(0)), 1e-9)


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
    own = _AS_ITS_NEIGHBOURS * roots.flow[:, 0] + _BY_ITSELF * roots.character[:, 0]
    length = length * np.exp(np.clip(own, -1.5, 1.2) * spread)
    # What is partly of a fringe is cut with it, too, else it hangs before the face.
    fringe = np.minimum(3 * fringe_share(roots, values), 1.0)
    cut = 0.042 + 0.95 * zones.field
    return (length + fringe * (np.minimum(length, cut) - length)).astype(np.float32)


def fringe_share(roots: HairRoots, values: Values) -> Annotated[RealArray, "L"]:
    """How much of a fringe each lock is, (L,): half a one would hang before the eyes in strings."""
    worn = ramp(0.25, 0.55, values["hair_fringe"])
    share: RealArray = smoothstep(0.06, 0.20, roots.zones.front) * worn
    return share


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
    own = _AS_ITS_NEIGHBOURS * roots.flow[:, 0] + _BY_ITSELF * roots.character[:, 0]
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
    lock = np.arange(locks.shape[2])
    low, high = (locks[before + k, :, lock].transpose(0, 2, 1) for k in (0, 1))
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


def march(
    roots: HairRoots,
    values: Values,
    length: Annotated[RealArray, "L"],
    start: Annotated[RealArray, "3 L"],
    down: Annotated[RealArray, "3 1"],
    proxy: HeadProxy,
) -> Annotated[RealArray, "K 3 L"]:
    """Points (K, 3, L) of locks of these lengths (L,) from their roots (3, L)."""
    comb = _Comb(roots, values, start, length, proxy)
    kink = stands_out(values, length)
    volume, untidy = values["hair_volume"], values["hair_untidiness"]
    own = _AS_ITS_NEIGHBOURS * roots.flow.T + _BY_ITSELF * roots.character.T
    points = np.empty((POINTS, *start.shape), np.float32)
    points[0] = start
    short = 1 - smoothstep(0.006, 0.05, length)
    lift = 0.16 + 0.22 * short + 0.40 * volume * (1 - 0.4 * short) + 1.1 * kink
    lift = lift * (1 - 0.8 * max(values["hair_back"], 0.0) * (1 - volume))
    lift = lift * (1 - 0.5 * comb.fringe)
    # Cut short at the sides, it lies.
    lies = 1 - smoothstep(0.02, 0.06, length)
    lift = lift * (1 - 0.7 * lies * (1 - roots.zones.top) * (1 - kink))
    # Where hair turns about the crown, it would stand up as a tuft.
    lift = lift * (1 - 0.85 * comb.whorl * (1 - kink))
    long = smoothstep(0.12, 0.20, length) * (1 - kink)
    outwards = _SPREADS * (held(roots.zones.path / 0.10, -0.4, 1) + 0.5 * held(own[0], -1, 1))
    outwards = outwards * np.tanh((start[0] - proxy.centre[0]) / 0.02)
    over = _OVER * long * held(roots.zones.path / 0.14, 0, 1)
    layer = 0.0015 + (0.002 + 0.014 * volume) * smoothstep(0.02, 0.10, length)
    layer = layer * (1.0 + 0.35 * held(own[1], -1.5, 1.5))
    # What is too short to hang would stand off as wings where the head falls away below it.
    short_of_hanging = 1 - smoothstep(0.06, 0.14, length)
    holding = 0.62 + 0.3 * max(values["hair_back"], 0.0) + 0.8 * short_of_hanging
    wild = untidy * 0.28 * (1 - 0.6 * kink)
    travelled = np.zeros_like(length)
    distance, normal = proxy.outward(start, 0.0)
    # Beside an ear the stand-in is wider than the skin: near its root hair is not pushed off that.
    sunk = np.minimum(distance, 0.0)
    # Hair leaves the scalp at a slant; what is short has bent to the comb before it ends.
    combed = comb.at(start, normal)
    upright = 0.25 + 0.6 * volume + (0.75 - 0.6 * volume) * kink
    upright = upright * (1 - 0.85 * comb.whorl * (1 - kink))
    upright = upright * comb.beside_the_parting(start)
    upright = upright * (1 - 0.5 * lies * (1 - roots.zones.top) * (1 - kink))
    previous = normalised(upright * normal + (1 - upright) * combed)
    stiff = np.minimum(_STIFF, 0.3 * length)
    for k in range(1, POINTS):
        step = length * (ALONG[k] - ALONG[k - 1])
        here = points[k - 1]
        height = here[2] - proxy.centre[2]
        loose = long * smoothstep(*_LOOSE, height)
        flat = comb.beside_the_parting(here)
        above = layer * flat + over * held(1 - height / 0.07, 0, 1)
        fall = (1 - 0.93 * kink) * 1.6 * smoothstep(0.0, 0.12, travelled)
        fall = fall * (1 - comb.held_by_the_ear(here))
        fall = fall + 1.3 * comb.fringe * smoothstep(0.0, 0.03, travelled)
        rise = lift * flat * np.exp(-travelled / (0.012 + 0.03 * volume + 0.5 * kink))
        free = smoothstep(0.01, 0.06, distance)
        hold = holding + _FLAT_ON_TOP * long * held(height / 0.05, 0, 1)
        hold = (1 - kink) * smoothstep(0.0, 0.02, travelled) * hold * (1 - loose)
        follows = (1 - 0.75 * kink) * (1 - 0.6 * free) * (1 - 0.85 * loose)
        wanted = combed * follows + down * fall
        wanted[0] += loose * outwards
        wanted = wanted + normal * (
            rise - hold * held((distance - above) / 0.012, 0, 1) * (1 - free)
        )
        wanted = wanted + wild * (own[2:5] + own[5:8] * np.sin(3.0 * k / POINTS))
        keep = np.exp(-step / stiff)
        direction = normalised(normalised(wanted) * (1 - keep) + previous * keep)
        travelled = travelled + step
        following = here + direction * step
        following = comb.beside_the_face(following)
        clearance = above * smoothstep(0.0, 0.035, travelled) + 0.0006
        clearance = clearance + sunk * smoothstep(0.03, 0.008, travelled)
        ears = smoothstep(0.035, 0.07, travelled) * (1 - 0.8 * comb.tuck)
        due = distance + step * (direction * normal).sum(0)
        distance, normal = proxy.outward(following, ears)
        # A straight step leaves a round head by more than it rises: the crown would get corners.
        excess = held(distance - due, 0.0, 0.5 * step) * (1 - kink) * (1 - free) * (1 - loose)
        following, distance = following - normal * excess, distance - excess
        points[k] = proxy.pushed(following, clearance, distance, normal)
        distance = np.maximum(distance, clearance)
        previous = direction
        if k + 1 < POINTS:
            combed = comb.at(points[k], normal)
    return points


class _Comb:
    """Which way hair is combed, at any point near the head."""

    def __init__(
        self,
        roots: HairRoots,
        values: Values,
        start: RealArray,
        length: RealArray,
        proxy: HeadProxy,
    ) -> None:
        self._centre = proxy.centre
        self._values = values
        zones = roots.zones
        self.fringe = fringe_share(roots, values).astype(np.float32)
        self._off_the_forehead = 0.30 * zones.front * (1 - self.fringe)
        self._burns = zones.burns * (1 - smoothstep(0.03, 0.06, length))
        self._parting = np.float32(0.042 * values["hair_parting"])
        offset = start - self._centre
        self._side = np.tanh((offset[0] - self._parting) / _ON_THE_LINE)
        self.tuck = np.float32(values["hair_tuck"]) * (1 - 0.5 * smoothstep(0.04, 0.08, offset[2]))
        # What is short ahead of the ears stays there.
        self._to_the_back = (_AT_THE_CHEEK + self.tuck * 1.7) * smoothstep(0.03, 0.08, length)
        edge = smoothstep(_EDGE, 0.0, zones.field) * smoothstep(0.10, 0.18, length)
        self._off_the_cheek = _OFF_THE_CHEEK * (1 - self.fringe) * edge
        # Nor is it drawn out of a face that it is too short to hang into.
        self._may_hang = smoothstep(0.02, 0.05, length)
        back = values["hair_back"]
        # Behind the crown there is no parting.
        self._parted = values["hair_part"] * (1 - stands_out(values, length))
        part = values["hair_part"] * (1 - smoothstep(0.020, 0.060, offset[1]))
        self._weights = (abs(back), part)
        # Long hair that is parted does not turn to the front at the crown, against the other.
        self._sideways = 0.9 * values["hair_part"] * smoothstep(0.10, 0.18, length)
        self._slick = np.array([[0.0], [1.0 if back > 0 else -1.0], [-0.25]], np.float32)
        turn = 0.45
        self._turn = (np.float32(np.cos(turn)), np.float32(np.sin(turn)))
        self._crown = np.array([[0.008], [0.045]], np.float32)
        away = offset[:2] - self._crown
        self.whorl = np.exp(-(away * away).sum(0) / _WHORL**2)

    def at(self, points: RealArray, normal: RealArray) -> RealArray:
        """Unit tangents (3, L)."""
        offset = points - self._centre
        zero = np.zeros_like(offset[0])
        along = offset[:2] - self._crown
        along[1] *= 1 - self._sideways * held(0.5 - along[1] / 0.02, 0, 1)
        cos, sin = self._turn
        flat = np.sqrt((along * along).sum(0)) + 0.004
        near = np.exp(-flat / 0.05)
        sin = sin * near
        whorl = np.stack(
            [
                (cos * along[0] - sin * along[1]) / flat,
                (cos * along[1] + sin * along[0]) / flat,
                zero,
            ]
        )
        # In its middle no way is down: there it lies back.
        whorl[1] += 0.6 * np.exp(-((flat / 0.015) ** 2))
        whorl[2] = -1.0 + 0.9 * held(offset[2] / 0.08, 0, 1)
        parted = np.stack(
            [
                self._side * (0.25 + 0.75 * held(offset[2] / 0.06, 0, 1)),
                self._off_the_forehead + 0.08 + 0.22 * held((offset[2]) / 0.09, 0, 1),
                _DOWN * (1 - self._near_the_parting(offset[0], _ALONG_PARTING)),
            ]
        )
        slick, part = self._weights
        slicked = self._slick + 0.25 * part * np.stack([self._side, zero, zero])
        combed = (1 - slick) * (whorl + part * (parted - whorl)) + slick * slicked
        forward = np.stack(
            [
                0.45 * part * self._side + 0.35 * held(offset[0] / 0.04, -1, 1),
                zero - 0.8,
                zero - 0.6,
            ]
        )
        combed = combed + self.fringe * (forward - combed)
        below = held(0.3 - offset[2] / 0.05, 0, 1)
        combed[1] += self._to_the_back * below
        combed[1] += self._off_the_cheek * held(1.6 - offset[2] / 0.06, 0, 1)
        inward = (combed * normal).sum(0)
        tangent = combed - normal * inward
        # At the nape, what is left of a comb downwards points to the sides: there hair falls.
        nape = smoothstep(0.01, -0.03, offset[2]) * smoothstep(0.01, 0.04, offset[1])
        falling = np.stack([0.1 * tangent[0], tangent[1], np.minimum(tangent[2], 0.0) - 0.6])
        tangent = normalised(tangent + nape * (falling - tangent))
        return tangent + self._burns * (_DOWN_THE_CHEEK - tangent)

    def beside_the_parting(self, points: RealArray) -> RealArray:
        """How much hair may rise at points (3, L) near the parting, (L,): the less the nearer."""
        x, y, z = points - self._centre
        near = self._near_the_parting(x, _BESIDE_PARTING)
        near = near * smoothstep(0.03, 0.06, z) * smoothstep(0.07, 0.03, y)
        return 1 - _FLAT_AT_PARTING * self._parted * near

    def _near_the_parting(self, x: RealArray, within: float) -> RealArray:
        away = (x - self._parting) / within
        near: RealArray = np.exp(-away * away)
        return near

    def held_by_the_ear(self, points: RealArray) -> RealArray:
        """How much of its weight an ear takes off hair that is tucked behind it, (L,)."""
        height = points[2] - self._centre[2]
        return 0.8 * self.tuck * held(1.5 - np.abs(height) / 0.03, 0, 1)

    def beside_the_face(self, points: RealArray) -> RealArray:
        """Points moved to the sides of the face and towards the ears, bar those of a fringe."""
        x, y, z = points - self._centre
        inside = smoothstep(_FACE_FRONT + 0.012, _FACE_FRONT - 0.012, y)
        inside = inside * (1 - self.fringe) * self._may_hang
        # Whatever side of the parting it comes from, none goes across the face to the other.
        side = np.where(np.where(np.abs(x) > 0.012, x, self._side) >= 0, 1.0, -1.0)
        side = side.astype(np.float32)
        below = held((_FACE_TOP - z) / 0.055, 0.0, 1.0)
        width = _FACE_HALF_WIDTH * below
        missing = np.maximum(width - side * x, 0.0)
        moved = points.copy()
        moved[0] += inside * side * missing
        moved[1] += _DRAWN_BACK * inside * below * np.maximum(_FACE_FRONT - y, 0.0)
        return moved
