# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way hair is combed, at any point near the head.

Vectors lie component first, (3, L); lengths are metres. Constants are chosen by eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ...arrays import Float32Array, RealArray
from ..appearance import held, smoothstep
from .cut import Values, fringe_share, stands_out
from .proxy import HeadProxy
from .roots import HairRoots

_FACE_FRONT, _FACE_TOP = -0.038, 0.062
"""Metres from the skull's middle: hair does not hang farther in front, below that height, from
which the face widens downwards."""
_FACE_HALF_WIDTH, _DRAWN_BACK = 0.064, 0.7
"""Metres, and the share of what is too far in front that hair is drawn back at each point."""
_WHORL = 0.04
"""Metres about the crown within which hair lies flatter."""
_AT_THE_CHEEK, _OFF_THE_CHEEK, _EDGE = -0.1, 0.2, 0.02
"""How much long hair that is not tucked tends to the back below the temples; what is more of that
for hair of the hairline, which would hang in strings before the rest, and metres from there within
which."""
_ON_THE_LINE = 0.001
"""Metres beside the parting within which a lock goes neither way, but stands on the crown."""
_FLAT_AT_PARTING, _BESIDE_PARTING = 0.75, 0.045
"""How much less hair rises on the parting, and metres within which: else humps are beside it."""
_DOWN, _ALONG_PARTING = -0.55, 0.020
"""How much parted hair is combed down, and metres from the parting within which it is not: there
down is along the parting, onto the forehead."""
_DOWN_THE_CHEEK = np.array([[0.0], [0.10], [-0.99]], np.float32)
"""Where sideburns point."""
_TURN = np.float32(0.45)
"""Radians by which hair turns about the crown instead of leaving it."""
_CROWN = np.array([[0.008], [0.045]], np.float32)
"""Metres to the left of the skull's middle and behind it."""

_RAMPS = {
    # name: the axis along which it goes, metres from where, over which, and what is added
    "hanging": (2, -0.03, -0.045, 0.0),
    "above_the_ears": (2, 0.03, 0.03, 0.0),
    "ahead_of_the_crown": (1, 0.07, -0.04, 0.0),
    "at_the_nape": (2, 0.01, -0.04, 0.0),
    "behind_the_ears": (1, 0.01, 0.03, 0.0),
    "below_top": (2, 0.0, -0.07, 1.0),
    "on_top": (2, 0.0, 0.05, 0.0),
    "lies_back": (2, 0.0, 0.08, 0.0),
    "leaves_parting": (2, 0.0, 0.06, 0.0),
    "goes_back": (2, 0.0, 0.09, 0.0),
    "below": (2, 0.0, -0.05, 0.3),
    "at_the_cheek": (2, 0.0, -0.06, 1.6),
    "before_the_crown": (1, 0.045, -0.02, 0.5),
}
"""What hair does more and more along a way, as ``Place`` says."""
_SMOOTH = 5
"""How many of them, the first, begin and end smoothly."""
_AXIS = np.array([axis for axis, *_ in _RAMPS.values()])
_FROM, _OVER, _MORE = (
    np.array([ramp[k] for ramp in _RAMPS.values()], np.float32)[:, None] for k in (1, 2, 3)
)


@dataclass(frozen=True)
class Place:
    """Where points are: offset (3, L) metres from the skull's middle, and shares (L,) in [0, 1]."""

    offset: RealArray
    hanging: RealArray
    above_the_ears: RealArray
    ahead_of_the_crown: RealArray
    at_the_nape: RealArray
    behind_the_ears: RealArray
    below_top: RealArray
    on_top: RealArray
    lies_back: RealArray
    leaves_parting: RealArray
    goes_back: RealArray
    below: RealArray
    at_the_cheek: RealArray
    before_the_crown: RealArray

    @classmethod
    def of(cls, offset: Annotated[RealArray, "3 L"]) -> Place:
        """All ramps at once: of so few locks each step of numpy's costs more than its numbers."""
        ramps = offset.take(_AXIS, axis=0)
        ramps -= _FROM
        ramps /= _OVER
        ramps += _MORE
        np.maximum(ramps, 0.0, out=ramps)
        np.minimum(ramps, 1.0, out=ramps)
        smooth = ramps[:_SMOOTH]
        ramps[:_SMOOTH] = smooth * smooth * (3.0 - 2.0 * smooth)
        return cls(offset, *ramps)


class Comb:
    """Which way locks of one head are combed, wherever they are, and how they are kept."""

    def __init__(
        self,
        roots: HairRoots,
        values: Values,
        start: Annotated[RealArray, "3 L"],
        length: Annotated[RealArray, "L"],
        proxy: HeadProxy,
    ) -> None:
        """Locks of these lengths (L,) from their roots (3, L)."""
        self.centre = proxy.centre
        zones, back = roots.zones, values["hair_back"]
        self.kink = stands_out(values, length)
        self.fringe = fringe_share(roots, values).astype(np.float32)
        self._fringed = bool(self.fringe.any())
        self._no_fringe = 1 - self.fringe
        self._off_the_forehead = 0.30 * zones.front * self._no_fringe + 0.08
        burns = zones.burns * (1 - smoothstep(0.03, 0.06, length))
        self._burns = burns if burns.any() else None
        self._parting = np.float32(0.042 * values["hair_parting"])
        offset = start - self.centre
        self._side = np.tanh((offset[0] - self._parting) / _ON_THE_LINE)
        self.tuck = np.float32(values["hair_tuck"]) * (1 - 0.5 * smoothstep(0.04, 0.08, offset[2]))
        # What is short ahead of the ears stays there.
        self._to_the_back = (_AT_THE_CHEEK + self.tuck * 1.7) * smoothstep(0.03, 0.08, length)
        edge = smoothstep(_EDGE, 0.0, zones.field) * smoothstep(0.10, 0.18, length)
        self._off_the_cheek = _OFF_THE_CHEEK * self._no_fringe * edge
        # Nor is it drawn out of a face that it is too short to hang into.
        self._may_hang = smoothstep(0.02, 0.05, length)
        # Behind the crown there is no parting.
        self._parted = _FLAT_AT_PARTING * (values["hair_part"] * (1 - self.kink))
        self._part = values["hair_part"] * (1 - smoothstep(0.020, 0.060, offset[1]))
        # Long hair that is parted does not turn to the front at the crown, against the other.
        self._sideways = 0.9 * values["hair_part"] * smoothstep(0.10, 0.18, length)
        self._slick = abs(back)
        self._slicked = np.array([[0.0], [1.0 if back > 0 else -1.0], [-0.25]], np.float32)
        away = offset[:2] - _CROWN
        self.whorl = np.exp(-(away * away).sum(0) / _WHORL**2)

    def place(self, points: Annotated[RealArray, "3 L"]) -> Place:
        """Where points (3, L) are."""
        return Place.of(points - self.centre)

    def at(
        self, place: Place, normal: Annotated[RealArray, "3 L"]
    ) -> Annotated[Float32Array, "3 L"]:
        """Unit tangents (3, L), where the head's normals (3, L) are known."""
        combed = self._about_the_crown(place)
        part, side = self._part, self._side
        parted = side * (0.25 + 0.75 * place.leaves_parting)
        combed[0] += part * (parted - combed[0])
        combed[1] += part * (self._off_the_forehead + 0.22 * place.goes_back - combed[1])
        down = _DOWN * (1 - self._near_the_parting(place, _ALONG_PARTING))
        combed[2] += part * (down - combed[2])
        if self._slick:
            slicked = self._slicked.repeat(len(side), axis=1)
            slicked[0] += 0.25 * part * side
            combed = (1 - self._slick) * combed + self._slick * slicked
        if self._fringed:
            to_the_side = 0.45 * part * side + 0.35 * held(place.offset[0] / 0.04, -1, 1)
            combed[0] += self.fringe * (to_the_side - combed[0])
            combed[1] += self.fringe * (-0.8 - combed[1])
            combed[2] += self.fringe * (-0.6 - combed[2])
        combed[1] += self._to_the_back * place.below
        combed[1] += self._off_the_cheek * place.at_the_cheek
        tangent = combed - normal * (combed * normal).sum(0)
        # At the nape, what is left of a comb downwards points to the sides: there hair falls.
        nape = place.at_the_nape * place.behind_the_ears
        tangent[0] += nape * (0.1 * tangent[0] - tangent[0])
        tangent[2] += nape * (np.minimum(tangent[2], 0.0) - 0.6 - tangent[2])
        tangent = normalised(tangent)
        return (
            tangent if self._burns is None else tangent + self._burns * (_DOWN_THE_CHEEK - tangent)
        )

    def _about_the_crown(self, place: Place) -> Annotated[Float32Array, "3 L"]:
        """Which way unparted hair goes, (3, L)."""
        x, y = place.offset[:2] - _CROWN
        y = y * (1 - self._sideways * place.before_the_crown)
        flat = np.sqrt(x * x + y * y) + 0.004
        cos, sin = np.cos(_TURN), np.sin(_TURN) * np.exp(-flat / 0.05)
        way = np.empty_like(place.offset)
        np.divide(cos * x - sin * y, flat, out=way[0])
        np.divide(cos * y + sin * x, flat, out=way[1])
        # In its middle no way is down: there it lies back.
        way[1] += 0.6 * np.exp(-((flat / 0.015) ** 2))
        np.add(0.9 * place.lies_back, -1.0, out=way[2])
        return way

    def beside_the_parting(self, place: Place) -> Annotated[RealArray, "L"]:
        """How much hair may rise near the parting, (L,): the less the nearer."""
        near = self._near_the_parting(place, _BESIDE_PARTING)
        return 1 - self._parted * (near * place.above_the_ears * place.ahead_of_the_crown)

    def _near_the_parting(self, place: Place, within: float) -> Annotated[RealArray, "L"]:
        away = (place.offset[0] - self._parting) / within
        near: RealArray = np.exp(-away * away)
        return near

    def beside_the_ear(
        self, fall: Annotated[RealArray, "L"], place: Place
    ) -> Annotated[RealArray, "L"]:
        """What is left of the weight (L,) of hair of which an ear takes some, if it is tucked
        behind it."""
        if not self.tuck.any():
            return fall
        return fall * (1 - 0.8 * self.tuck * held(1.5 - np.abs(place.offset[2]) / 0.03, 0, 1))

    def beside_the_face(self, points: Annotated[RealArray, "3 L"]) -> Annotated[RealArray, "3 L"]:
        """Points moved to the sides of the face and towards the ears, bar those of a fringe."""
        x, y, z = points - self.centre
        inside = smoothstep(_FACE_FRONT + 0.012, _FACE_FRONT - 0.012, y)
        inside = inside * self._no_fringe * self._may_hang
        # Whatever side of the parting it comes from, none goes across the face to the other.
        side = np.copysign(np.float32(1), np.where(np.abs(x) > 0.012, x, self._side))
        below = held((_FACE_TOP - z) / 0.055, 0.0, 1.0)
        missing = np.maximum(_FACE_HALF_WIDTH * below - side * x, 0.0)
        moved = points.copy()
        moved[0] += inside * side * missing
        moved[1] += _DRAWN_BACK * inside * below * np.maximum(_FACE_FRONT - y, 0.0)
        return moved


def normalised(vectors: RealArray) -> RealArray:
    """Unit vectors (3, N)."""
    return vectors / np.maximum(np.sqrt((vectors * vectors).sum(0)), 1e-9)
