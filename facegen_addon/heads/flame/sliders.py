# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol by which import and export turn FLAME's parameters into sliders and back."""

from __future__ import annotations

from typing import Annotated, Protocol

from ...arrays import FloatArray
from .model import Flame, FlameParameters


class FlameSliders(Protocol):
    """A head model whose sliders convert to FLAME's parameters and back."""

    flame: Flame

    def to_flame(self, parameters: Annotated[FloatArray, "... P"]) -> FlameParameters:
        """Convert sliders (N, P), or (P,), to FLAME's own parameters; the translation is zero."""
        ...

    def from_flame(
        self, parameters: FlameParameters, base: Annotated[FloatArray, "P"]
    ) -> Annotated[FloatArray, "N P"]:
        """Convert FLAME's parameters to sliders (N, P), clipped to their ranges; appearance as in
        ``base`` (P,). Components beyond those given are zero, translation is left out."""
        ...
