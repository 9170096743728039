# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks of hair that leave the scalp, are combed and fall, kept off head and shoulders.

Vectors lie component first, (3, L); lengths are metres. Constants are chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import RealArray
from ..appearance import held, smoothstep
from .comb import Comb, normalised
from .cut import ALONG, POINTS, Values
from .proxy import HeadProxy
from .roots import HairRoots

_STIFF = 0.010
"""Metres over which a lock keeps its direction."""
_FLAT_ON_TOP = 0.8
"""How much more the weight of long hair keeps it down on the skull."""
_OVER = 0.006
"""Metres by which long hair from the top lies farther out than that from below, at the sides."""
_SPREADS = 0.12
"""How much long hair from the top goes to the sides where it hangs."""


def march(
    roots: HairRoots,
    values: Values,
    length: Annotated[RealArray, "L"],
    start: Annotated[RealArray, "3 L"],
    down: Annotated[RealArray, "3 1"],
    proxy: HeadProxy,
) -> Annotated[RealArray, "K 3 L"]:
    """Points (K, 3, L) of locks of these lengths (L,) from their roots (3, L)."""
    comb = Comb(roots, values, start, length, proxy)
    manner = _Manner.of(roots, values, length, start, comb)
    way = _Way.of(roots, values, length, comb)
    points = np.empty((POINTS, *start.shape), np.float32)
    points[0] = start
    distance, normal = proxy.outward(start, 0.0)
    # Beside an ear the stand-in is wider than the skin: near its root hair is not pushed off that.
    sunk = np.minimum(distance, 0.0) * smoothstep(0.03, 0.008, way.after)
    place = comb.place(start)
    combed = comb.at(place, normal)
    # Hair leaves the scalp at a slant; what is short has bent to the comb before it ends.
    upright = manner.upright * comb.beside_the_parting(place)
    previous = normalised(upright * normal + (1 - upright) * combed)
    unkinked, long = 1 - comb.kink, manner.long
    for k in range(POINTS - 1):
        step, keep = way.step[k], way.keep[k]
        flat = comb.beside_the_parting(place)
        above = manner.layer * flat + manner.over * place.below_top
        fall = comb.beside_the_ear(way.fall[k], place) + way.fringe_fall[k]
        rise = manner.lift * flat * way.rise[k]
        free = smoothstep(0.01, 0.06, distance)
        bound = 1 - free
        hold = way.hold[k] * (manner.holding + manner.heavy * place.on_top)
        follows = (1 - 0.75 * comb.kink) * (1 - 0.6 * free)
        if manner.hangs:
            loose = long * place.hanging
            hold, follows = hold * (1 - loose), follows * (1 - 0.85 * loose)
        wanted = combed * follows + down * fall
        if manner.hangs:
            wanted[0] += loose * manner.outwards
        wanted += normal * (rise - hold * held((distance - above) / 0.012, 0, 1) * bound)
        wanted += way.wild[k]
        direction = normalised(normalised(wanted) * (1 - keep) + previous * keep)
        following = comb.beside_the_face(points[k] + direction * step)
        clearance = above * way.lifted[k] + 0.0006 + sunk[k]
        due = distance + step * (direction * normal).sum(0)
        distance, normal = proxy.outward(following, way.ears[k])
        # A straight step leaves a round head by more than it rises: the crown would get corners.
        excess = held(distance - due, 0.0, 0.5 * step) * unkinked * bound
        if manner.hangs:
            excess = excess * (1 - loose)
        following, distance = following - normal * excess, distance - excess
        points[k + 1] = proxy.pushed(following, clearance, distance, normal)
        distance, previous = np.maximum(distance, clearance), direction
        if k + 2 < POINTS:
            place = comb.place(points[k + 1])
            combed = comb.at(place, normal)
    return points


@dataclass(frozen=True)
class _Manner:
    """How each of L locks lies, wherever it is (L,): shares and metres.

    lift: how much it rises at its root; long: how much it hangs by itself where hair does;
    outwards: how much it then goes to the sides; over and layer: metres that it keeps off the head
    beside it and on it; holding and heavy: how much it is held down, and more on top; upright: how
    it leaves the scalp. Each of ``long`` of no hair is 0 if not ``hangs``.
    """

    lift: RealArray
    long: RealArray
    outwards: RealArray
    over: RealArray
    layer: RealArray
    holding: RealArray
    heavy: RealArray
    upright: RealArray
    hangs: bool

    @classmethod
    def of(
        cls, roots: HairRoots, values: Values, length: RealArray, start: RealArray, comb: Comb
    ) -> _Manner:
        """That of locks of these lengths (L,) from their roots (3, L)."""
        own, zones, kink = roots.own, roots.zones, comb.kink
        volume, back = values["hair_volume"], max(values["hair_back"], 0.0)
        short = 1 - smoothstep(0.006, 0.05, length)
        lift = 0.16 + 0.22 * short + 0.40 * volume * (1 - 0.4 * short) + 1.1 * kink
        lift = lift * (1 - 0.8 * back * (1 - volume))
        lift = lift * (1 - 0.5 * comb.fringe)
        # Cut short at the sides, it lies.
        lies = 1 - smoothstep(0.02, 0.06, length)
        lift = lift * (1 - 0.7 * lies * (1 - zones.top) * (1 - kink))
        # Where hair turns about the crown, it would stand up as a tuft.
        lift = lift * (1 - 0.85 * comb.whorl * (1 - kink))
        long = smoothstep(0.12, 0.20, length) * (1 - kink)
        outwards = _SPREADS * (held(zones.path / 0.10, -0.4, 1) + 0.5 * held(own[0], -1, 1))
        layer = 0.0015 + (0.002 + 0.014 * volume) * smoothstep(0.02, 0.10, length)
        # What is too short to hang would stand off as wings where the head falls away below it.
        short_of_hanging = 1 - smoothstep(0.06, 0.14, length)
        upright = 0.25 + 0.6 * volume + (0.75 - 0.6 * volume) * kink
        upright = upright * (1 - 0.85 * comb.whorl * (1 - kink))
        return cls(
            lift=lift,
            long=long,
            outwards=outwards * np.tanh((start[0] - comb.centre[0]) / 0.02),
            over=_OVER * long * held(zones.path / 0.14, 0, 1),
            layer=layer * (1.0 + 0.35 * held(own[1], -1.5, 1.5)),
            holding=0.62 + 0.3 * back + 0.8 * short_of_hanging,
            heavy=_FLAT_ON_TOP * long,
            upright=upright * (1 - 0.5 * lies * (1 - zones.top) * (1 - kink)),
            hangs=bool(long.any()),
        )


@dataclass(frozen=True)
class _Way:
    """What a lock does the farther it is from its root, at each of N steps (N, L).

    step: metres; before and after: metres from the root at its ends; keep: how much a lock keeps
    its direction; wild (N, 3, L): where it goes by itself; the others: shares that grow or fade.
    """

    step: RealArray
    after: RealArray
    keep: RealArray
    wild: RealArray
    fall: RealArray
    fringe_fall: RealArray
    rise: RealArray
    hold: RealArray
    lifted: RealArray
    ears: RealArray

    @classmethod
    def of(cls, roots: HairRoots, values: Values, length: RealArray, comb: Comb) -> _Way:
        """That of locks of these lengths (L,)."""
        kink, own = comb.kink, roots.own
        step = length * np.diff(ALONG)[:, None]
        after = np.cumsum(step, axis=0)
        before = np.concatenate([np.zeros_like(after[:1]), after[:-1]])
        turning = np.sin(3.0 * np.arange(1, POINTS) / POINTS).astype(np.float32)[:, None, None]
        wild = values["hair_untidiness"] * 0.28 * (1 - 0.6 * kink)
        rises = 0.012 + 0.03 * values["hair_volume"] + 0.5 * kink
        return cls(
            step=step,
            after=after,
            keep=np.exp(-step / np.minimum(_STIFF, 0.3 * length)),
            wild=wild * (own[2:5] + own[5:8] * turning),
            fall=(1 - 0.93 * kink) * 1.6 * smoothstep(0.0, 0.12, before),
            fringe_fall=1.3 * comb.fringe * smoothstep(0.0, 0.03, before),
            rise=np.exp(-before / rises),
            hold=(1 - kink) * smoothstep(0.0, 0.02, before),
            lifted=smoothstep(0.0, 0.035, after),
            ears=smoothstep(0.035, 0.07, after) * (1 - 0.8 * comb.tuck),
        )
