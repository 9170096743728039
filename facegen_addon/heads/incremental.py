# SPDX-License-Identifier: GPL-3.0-or-later
"""One head whose sliders are moved one after another: only what changed is computed anew."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float32Array, FloatArray
from .anny import AnnyHead
from .appearance import appearance
from .flame.head import FlameHead
from .flame.model import POSES, FlameParameters, IncrementalFlame
from .head_model import HeadModel
from .strands import HairStyle

_MANY = 16  # components that move at once: from here on, starting anew is as quick


class IncrementalHead:
    """Vertices of one head of any model, by the quickest way that the model has: to 1e-6 m."""

    def __init__(self, model: HeadModel, parameters: FloatArray) -> None:
        """Begin at parameters (P,)."""
        self._model = model
        self._parameters = parameters
        self._colour_names = _colour_names(model)
        self._shape_columns = _columns_without(model, self._colour_names)
        self._quick: _IncrementalFlameHead | _IncrementalAnnyHead | None = None
        if isinstance(model, FlameHead):
            self._quick = _IncrementalFlameHead(model)
        elif isinstance(model, AnnyHead):
            self._quick = _IncrementalAnnyHead(model)
        self.vertices = self._computed(parameters)

    def move(self, parameters: FloatArray) -> bool:
        """Take over parameters (P,); whether ``vertices`` (V, 3), metres, have changed."""
        changed = parameters != self._parameters
        self._parameters = parameters
        if not changed[self._shape_columns].any():
            return False
        before, self.vertices = self.vertices, self._computed(parameters)
        return not np.array_equal(before, self.vertices)

    def recolours(self, changed: NDArray[np.bool_]) -> bool:
        """Whether one of the parameters ``changed`` (P,) is one that colours are computed from."""
        names = self._model.table.names
        return any(names[column] in self._colour_names for column in np.flatnonzero(changed))

    def _computed(self, parameters: FloatArray) -> Float32Array:
        if self._quick is not None:
            return self._quick.move(parameters)
        return self._model.forward(parameters)[0]


class _IncrementalFlameHead:
    """A FLAME head by FLAME's own incremental update."""

    def __init__(self, head: FlameHead) -> None:
        self._head = head
        self._flame = IncrementalFlame(head.flame)
        self._set: FlameParameters | None = None

    def move(self, parameters: FloatArray) -> Float32Array:
        wanted = self._head.to_flame(parameters)
        if self._set is None or _difference(wanted, self._set) > _MANY:
            self._flame.set_all(wanted)
        else:
            self._step(self._set, wanted)
        self._set = wanted
        return self._head.placed(self._flame.mesh)[0]

    def _step(self, old: FlameParameters, new: FlameParameters) -> None:
        for index in np.flatnonzero(new.betas[0] != old.betas[0]):
            self._flame.set_shape(int(index), float(new.betas[0, index]))
        for index in np.flatnonzero(new.expression[0] != old.expression[0]):
            self._flame.set_expression(int(index), float(new.expression[0, index]))
        for joint, name in enumerate(POSES):
            if (new.pose[0, joint] != old.pose[0, joint]).any():
                self._flame.set_pose(name, new.pose[0, joint])


class _IncrementalAnnyHead:
    """An Anny head whose blend shapes are summed up in float64, where moves leave no error."""

    def __init__(self, head: AnnyHead) -> None:
        self._head = head
        self._phenotype = head.table.columns("phenotype")
        self._row: FloatArray | None = None
        self._coefficients = np.zeros((1, len(head.shapes)))
        self._offsets = np.zeros(head.shapes.shape[1])

    def move(self, parameters: FloatArray) -> Float32Array:
        row = parameters[None]
        kept = self._row is not None and np.array_equal(
            row[:, self._phenotype], self._row[:, self._phenotype]
        )
        wanted = self._head.coefficients(row, self._coefficients if kept else None)
        change = (wanted - self._coefficients)[0]
        moved = np.flatnonzero(change)
        if len(moved) > _MANY:
            self._offsets += change[moved].astype(np.float32) @ self._head.shapes[moved]
        else:
            for index in moved:
                self._offsets += np.multiply(
                    self._head.shapes[index], change[index], dtype=np.float64
                )
        self._row, self._coefficients = row, wanted
        return self._head.posed(row, wanted, self._offsets)[0]


def _difference(a: FlameParameters, b: FlameParameters) -> int:
    """How many components of identity and expression differ."""
    return int((a.betas != b.betas).sum() + (a.expression != b.expression).sum())


def _colour_names(model: HeadModel) -> frozenset[str]:
    """The parameters that colours are computed from: those that are asked for."""
    asked: set[str] = set()

    def ask(name: str) -> float:
        asked.add(name)
        return float(model.table.mean[model.table.index(name)])

    appearance(ask, model.surface, 0.0)
    return frozenset(asked)


def _columns_without(model: HeadModel, colour_names: frozenset[str]) -> NDArray[np.bool_]:
    """The parameters (P,) that may move vertices: all but those of colours and hair."""
    look = colour_names | HairStyle.__annotations__.keys()
    return np.array([name not in look for name in model.table.names])
