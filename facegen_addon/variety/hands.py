# SPDX-License-Identifier: GPL-3.0-or-later
"""Other hands: light, noise and pose in which somebody else may see a head."""

from __future__ import annotations

import math
from dataclasses import dataclass

ONE_RENDER, OTHER_CROPS, OTHER_HANDS = "one-render", "other-crops", "other-hands"
APART_IN = (ONE_RENDER, OTHER_CROPS, OTHER_HANDS)
"""Where a pair has to stay apart, each including the one before."""

AIMED_BEYOND = {ONE_RENDER: 0.0, OTHER_CROPS: 0.08, OTHER_HANDS: 0.14}
"""Beyond the demand, what surrogates have to predict: by as much bounds lie below distances."""


@dataclass(frozen=True)
class Hands:
    """light: a preset; seed: added to that of the noise; yaw, pitch: radians that heads turn."""

    light: str
    seed: int
    yaw: float
    pitch: float


_TURNS = ((math.radians(10), math.radians(4)), (math.radians(-10), math.radians(-4)))
_LIGHTS = ("flash", "interior", "window")
"""Of two lights beside a run's own, the first two say most about others: pairs that were apart in
these stayed so in six others more often than by any other two (docs/results/other_hands.md)."""


def other_hands(light: str) -> tuple[Hands, ...]:
    """Two ways to see heads that are rendered straight on in `light`, each in another light."""
    lights = [name for name in _LIGHTS if name != light]
    return tuple(
        Hands(name, number, yaw, pitch)
        for number, (name, (yaw, pitch)) in enumerate(zip(lights, _TURNS, strict=False), start=1)
    )
