# SPDX-License-Identifier: GPL-3.0-or-later
"""FLAME's own parameters and a head model's sliders: what import and export of them need."""

from __future__ import annotations

from typing import Annotated, Protocol

from ...arrays import FloatArray
from .model import Flame, FlameParameters


class FlameSliders(Protocol):
    """What a head model offers that says the same as FLAME's parameters, in its own sliders."""

    flame: Flame

    def to_flame(self, parameters: Annotated[FloatArray, "... P"]) -> FlameParameters:
        """Sliders (N, P) -> FLAME's own parameters; there is no translation."""
        ...

    def from_flame(
        self, parameters: FlameParameters, base: Annotated[FloatArray, "P"]
    ) -> Annotated[FloatArray, "N P"]:
        """FLAME's parameters -> sliders (N, P), clipped to their ranges; appearance as in ``base``
        (P,). Components beyond those given are zero, translation is left out."""
        ...
