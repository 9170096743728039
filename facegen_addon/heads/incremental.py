# SPDX-License-Identifier: GPL-3.0-or-later
"""One head whose sliders are moved one after another: only what changed is computed anew."""

from __future__ import annotations

from collections.abc import Set
from typing import Annotated

import numpy as np

from ..arrays import BoolArray, FloatArray
from .head_model import HeadModel
from .parameters import ParameterTable


class IncrementalHead:
    """Vertices of one head of any model, by the quickest way that the model has: to 1e-6 m."""

    def __init__(self, model: HeadModel, parameters: Annotated[FloatArray, "P"]) -> None:
        """Begin at parameters (P,)."""
        self._parameters = parameters
        self._shapes = _columns(model.table, model.shape_parameters)
        self._colours = _columns(model.table, model.colour_parameters)
        self._forward = model.incremental_forward()
        self.vertices = self._forward(parameters)

    def move(self, parameters: Annotated[FloatArray, "P"]) -> bool:
        """Take over parameters (P,); return whether ``vertices`` (V, 3), metres, have changed."""
        changed = parameters != self._parameters
        self._parameters = parameters
        if not changed[self._shapes].any():
            return False
        before, self.vertices = self.vertices, self._forward(parameters)
        return not np.array_equal(before, self.vertices)

    def recolours(self, changed: Annotated[BoolArray, "P"]) -> bool:
        """Whether colours are computed from one of the parameters ``changed`` (P,)."""
        return bool(changed[self._colours].any())


def _columns(table: ParameterTable, names: Set[str]) -> BoolArray:
    """Which of the parameters (P,) have one of the names."""
    return np.array([name in names for name in table.names])
