# SPDX-License-Identifier: GPL-3.0-or-later
"""What all heads of a variety have in common with one that is there: its locked parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, FloatArray
from ..heads.parameters import ParameterTable
from ..mapping.backward import BackwardMapping


@dataclass(frozen=True)
class Held:
    """parameters (P,) of the head that is there; locked (P,): those that stay, to the last bit."""

    parameters: Annotated[FloatArray, "P"]
    locked: Annotated[BoolArray, "P"]

    def kept(self, rows: Annotated[FloatArray, "... P"]) -> Annotated[FloatArray, "... P"]:
        """Heads (..., P) with what is locked as it is."""
        return np.where(self.locked, self.parameters, rows)

    def backward(self, backward: BackwardMapping, table: ParameterTable) -> BackwardMapping:
        """B whose heads suit what is locked: it is held where it is, the rest goes with it."""
        z = table.standardise(self.parameters)[0]
        return replace(backward, region=backward.region.holding(self.locked[table.guided], z))
